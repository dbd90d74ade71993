/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface of sync_driver.ko for programs in the guest: fences that the host signals.
 */
#ifndef SYNC_DRIVER_H
#define SYNC_DRIVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SYNC_NODE	"/dev/goldfish_sync"

/**
 * struct sync_queue - argument of SYNC_QUEUE
 * @glsync: sync object that the host must wait for; passed on
 * @thread: the thread that waits on the host; passed on
 * @fence: out: a new file, which becomes readable when the fence is signalled
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
 * @waits: waits that were sent to the host
 * @increments: increments by the host
 * @timelines: timelines that were made for the host and not destroyed
 * @fences: fences that were made for the host
 * @signalled: number of these that were signalled
 * @wrong: commands that would break Android's driver: an increment or destruction of a timeline
 *	that is missing or has no fence, and more commands than there is room for
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
