/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vhost-ranchu-test: a device of virtqueues without a virtio device behind
 * it, so that the virtqueue engine and the vhost ioctls can be tested from
 * userspace with no VM. It answers the ioctls of linux/vhost.h; see
 * Documentation/uapi.md for which, and for what each errno means.
 */
#ifndef _UAPI_LINUX_VHOST_RANCHU_TEST_H
#define _UAPI_LINUX_VHOST_RANCHU_TEST_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/vhost.h>

/* Rings of the device, and what it takes of each. */
#define VHOST_RANCHU_TEST_RINGS		4
#define VHOST_RANCHU_TEST_MAX_IOV	64
#define VHOST_RANCHU_TEST_MAX_HOLD	256

/* struct vhost_ranchu_test_mode.flags */
#define VHOST_RANCHU_TEST_KEEP		(1u << 0)
#define VHOST_RANCHU_TEST_PUT_BACK	(1u << 1)
#define VHOST_RANCHU_TEST_HALF		(1u << 2)
#define VHOST_RANCHU_TEST_FLAGS		0x7u

/**
 * struct vhost_ranchu_test_mode - argument of SET_MODE: what a ring does
 * @index: the ring
 * @flags: of VHOST_RANCHU_TEST_...:
 *	KEEP: held chains stay held when nothing more is available
 *	PUT_BACK: every chain is taken, put back and taken again
 *	HALF: half of what could be written is written
 * @batch: publish after so many chains; 0: when nothing more is available
 * @hold: take so many chains and one more before any is handed back, the last
 *	one first unless VIRTIO_F_IN_ORDER was negotiated; 0: hand each back at
 *	once
 *
 * What a chain's readable buffers hold is copied to its writable ones, as far
 * as either goes. Unless told otherwise all fields are 0.
 */
struct vhost_ranchu_test_mode {
	__u32 index;
	__u32 flags;
	__u32 batch;
	__u32 hold;
};

/**
 * struct vhost_ranchu_test_stats - argument of GET_STATS
 * @index: the ring; set by the caller
 * @padding: 0
 * @chains: handed back, since the device was opened
 * @bytes: written, since the device was opened
 * @kicks: times that the ring was worked on, since the device was opened
 * @faults: times that any ring was broken by its driver
 */
struct vhost_ranchu_test_stats {
	__u32 index;
	__u32 padding;
	__u64 chains;
	__u64 bytes;
	__u64 kicks;
	__u64 faults;
};

/*
 * Starts (1) or stops (0) all rings. EFAULT: no memory table, or a ring that
 * was not placed; EINVAL: a ring's size, place, base or features are wrong;
 * ESRCH: the worker was killed (SET_OWNER anew).
 */
#define VHOST_RANCHU_TEST_SET_RUNNING	_IOW(VHOST_VIRTIO, 0xb0, __s32)
/* EBUSY: running. EINVAL: no such ring or flag, or a hold too large. */
#define VHOST_RANCHU_TEST_SET_MODE \
	_IOW(VHOST_VIRTIO, 0xb1, struct vhost_ranchu_test_mode)
#define VHOST_RANCHU_TEST_GET_STATS \
	_IOWR(VHOST_VIRTIO, 0xb2, struct vhost_ranchu_test_stats)

#endif /* _UAPI_LINUX_VHOST_RANCHU_TEST_H */
