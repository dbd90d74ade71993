/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vhost-ranchu-blk: one open file is the virtio-blk device of one guest. An
 * image, a file or a block device, is handed in once; requests go between the
 * guest's pages and the image in the kernel.
 *
 * It answers the ioctls of linux/vhost.h, each ring with a worker of its own.
 * The VMM has the device's configuration space: GET_INFO says what belongs there.
 *
 * What each errno means, everywhere:
 *	EPERM		no owner yet, or the caller is not the owner's process
 *	EINTR		the caller was killed while it waited for another ioctl
 *	EBUSY		there is an owner already; not while running
 *	EINVAL		an argument is out of range; a field that must be zero is not;
 *			the image was opened with O_APPEND
 *	ENOTBLK		the image is neither a regular file nor a block device
 *	EROFS		the image cannot be written, and READONLY was not said
 *	EBADF		not an open file, or one that cannot be read
 *	ENOMEDIUM	there is no image, or it is smaller than one block
 *	EFAULT		the argument, or memory that it names, cannot be accessed
 *	ENOBUFS		no such ring
 *	EOPNOTSUPP	a feature that was not offered
 *	ENOMEM		out of memory
 *	any other	SET_BACKEND: what opening the image again has failed with
 *	ENOIOCTLCMD	seen as ENOTTY: not an ioctl of this file
 */
#ifndef _UAPI_LINUX_VHOST_RANCHU_BLK_H
#define _UAPI_LINUX_VHOST_RANCHU_BLK_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/vhost.h>

#define VHOST_RANCHU_BLK_RINGS		16
/* Bytes of what VIRTIO_BLK_T_GET_ID answers. */
#define VHOST_RANCHU_BLK_ID		20

/* struct vhost_ranchu_blk_backend.flags */
#define VHOST_RANCHU_BLK_READONLY	(1u << 0)
#define VHOST_RANCHU_BLK_FLAGS		0x1u

/**
 * struct vhost_ranchu_blk_backend - argument of SET_BACKEND
 * @fd: the image, which the caller may close afterwards; -1 takes it away. It is
 *	opened again, with the same rights: flags that @fd is given later do not
 *	concern the disk. With O_DIRECT the host caches nothing, but for requests
 *	that the image's file system refuses to serve so.
 * @flags: of VHOST_RANCHU_BLK_...: READONLY: writes are errors
 * @block_size: of the guest's disk: 512 or 4096
 * @padding: 0
 * @id: the disk's name, padded with zeros
 * @padding2: 0
 */
struct vhost_ranchu_blk_backend {
	__s32 fd;
	__u32 flags;
	__u32 block_size;
	__u32 padding;
	__u8 id[VHOST_RANCHU_BLK_ID];
	__u32 padding2;
};

/**
 * struct vhost_ranchu_blk_info - argument of GET_INFO: for the configuration space
 * @capacity: sectors of 512 bytes
 * @block_size: bytes
 * @seg_max: buffers of data in one request
 * @max_discard_sectors: of 512 bytes, also for zeroes
 * @max_discard_seg: ranges in one request, also for zeroes
 * @discard_alignment: sectors of 512 bytes
 * @flags: as SET_BACKEND had it
 */
struct vhost_ranchu_blk_info {
	__u64 capacity;
	__u32 block_size;
	__u32 seg_max;
	__u32 max_discard_sectors;
	__u32 max_discard_seg;
	__u32 discard_alignment;
	__u32 flags;
};

/**
 * struct vhost_ranchu_blk_stats - argument of GET_STATS
 * @size: bytes of this struct, set by the caller; on return bytes filled
 * @padding: 0
 * @reads: requests, since the file was opened; so are all that follow
 * @writes: the same
 * @flushes: the same
 * @discards: the same, zeroes included
 * @errors: answered with an error
 * @read_bytes: read from the image
 * @written_bytes: written to it
 * @in_vcpu: requests served in the thread of the vCPU that kicked
 * @asynchronous: requests that the image completed later
 * @buffered: requests that went through the host's cache because the image
 *	refused to serve them directly
 * @faults: times that the guest broke one of its rings
 */
struct vhost_ranchu_blk_stats {
	__u32 size;
	__u32 padding;
	__u64 reads;
	__u64 writes;
	__u64 flushes;
	__u64 discards;
	__u64 errors;
	__u64 read_bytes;
	__u64 written_bytes;
	__u64 in_vcpu;
	__u64 asynchronous;
	__u64 buffered;
	__u64 faults;
};

#define VHOST_RANCHU_BLK_SET_BACKEND \
	_IOW(VHOST_VIRTIO, 0xd0, struct vhost_ranchu_blk_backend)
/* Starts (1) or stops (0) all rings that have a size. */
#define VHOST_RANCHU_BLK_SET_RUNNING	_IOW(VHOST_VIRTIO, 0xd1, __s32)
#define VHOST_RANCHU_BLK_GET_INFO \
	_IOR(VHOST_VIRTIO, 0xd2, struct vhost_ranchu_blk_info)
/* Looks at the image's size again, running or not; then GET_INFO. */
#define VHOST_RANCHU_BLK_RESIZE		_IO(VHOST_VIRTIO, 0xd3)
/* By anybody; takes no lock, so it does not wait for a disk that does not answer. */
#define VHOST_RANCHU_BLK_GET_STATS \
	_IOWR(VHOST_VIRTIO, 0xd4, struct vhost_ranchu_blk_stats)

#endif /* _UAPI_LINUX_VHOST_RANCHU_BLK_H */
