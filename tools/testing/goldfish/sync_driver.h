/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sync_driver.ko offers to programs in the guest: fences that the host signals.
 */
#ifndef SYNC_DRIVER_H
#define SYNC_DRIVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SYNC_NODE	"/dev/goldfish_sync"

/**
 * struct sync_queue - argument of SYNC_QUEUE
 * @glsync: what the host is to wait for; handed on
 * @thread: who waits there; handed on
 * @fence: out: a new file, which poll() tells to be readable when it is signalled
 * @padding: 0
 */
struct sync_queue {
	__u64 glsync;
	__u64 thread;
	__s32 fence;
	__u32 padding;
};

/**
 * struct sync_counts - argument of SYNC_COUNT
 * @waits: asked for
 * @increments: by the host
 * @timelines: made for the host, which it has not destroyed
 * @fences: made for the host
 * @signalled: of those
 * @wrong: what no driver survives: an increment or a destruction of what is not there or
 *	has no fence, and more commands than there is room for
 */
struct sync_counts {
	__u32 waits;
	__u32 increments;
	__u32 timelines;
	__u32 fences;
	__u32 signalled;
	__u32 wrong;
};

#define SYNC_QUEUE	_IOWR('g', 0, struct sync_queue)
#define SYNC_COUNT	_IOR('g', 1, struct sync_counts)

#endif /* SYNC_DRIVER_H */
