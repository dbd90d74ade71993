/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random traffic through one queue: common data of its two ends.
 *
 * Chains are taken in the order in which they were added, and are returned in the
 * order in which they were pushed. So two queues of slot numbers are enough to know
 * which chain must come next.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "vq_diff.h"

/* Chains that were added or pushed, by number; more than are ever of interest. */
#define HISTORY (2 * VQ_MAX_NUM)
/**
 * struct chain - a chain, in the slot of guest memory that holds its buffers
 * @number: of all that were added
 * @bufs: its buffers, guest addresses
 * @user: where the device has to find them
 * @in_len: bytes that the device may write
 * @slots: ring slots that it takes up
 * @key: of its pattern
 * @id: by which the device returns it
 * @written: bytes that the device wrote
 */
struct chain {
	u64 number;
	struct vq_ranges bufs;
	struct vq_ranges user;
	u32 in_len;
	unsigned int slots;
	u8 key;
	u16 id;
	u32 written;
};

/**
 * struct mood - how a session behaves: fixed for its time
 * @target: chains to see
 * @max_bufs: most buffers in a chain
 * @add_batch: most chains added at once; the next two likewise
 * @take_batch: taken
 * @push_batch: pushed
 * @fifo: chains are completed in order
 * @full: chains are written completely
 * @restarts: one step in so many stops and starts the device
 */
struct mood {
	u64 target;
	u32 max_bufs;
	u32 add_batch;
	u32 take_batch;
	u32 push_batch;
	bool fifo;
	bool full;
	u32 restarts;
};

/**
 * struct pushed - a chain that the device pushed
 * @slot: its slot, which may be another's again while the push is not published:
 *	in order, the driver may see it earlier
 * @id: by which it was returned
 * @written: bytes
 */
struct pushed {
	u16 slot;
	u16 id;
	u32 written;
};

/**
 * struct session - one queue, from its making to its end
 * @base: split: the first index; packed: slots from a lap with wrap counter 1
 * @added: chains, ever; the next four likewise
 * @taken: by the device, and not put back
 * @pushed: by the device
 * @published: by the device
 * @reaped: got back by the driver
 * @asked: published when the device last asked whether to call
 * @taken_slots: the same in ring slots; the next three likewise
 * @pushed_slots: pushed
 * @published_slots: published
 * @asked_slots: published when the device last asked
 * @started: the device was started and has not asked since
 * @order: slots of the added chains, by number
 * @done: the pushed chains
 * @free: free slots, first in first out
 * @inflight: slots of the chains that are taken and not pushed, oldest first
 * @kicks_off: the device disabled kicks
 * @device_sleeps: it found nothing and enabled kicks ...
 * @kicked: ... and was kicked since
 * @driver_sleeps: the driver found nothing and enabled calls ...
 * @late: ... for when most chains are used ...
 * @called: ... and was called since
 */
struct session {
	const struct traffic_kind *kind;
	const struct vq_driver *driver;
	struct vq_rng *rng;
	struct mood mood;
	void *queue;
	struct vq_ring guest;
	u32 base;
	u64 added, taken, pushed, published, reaped, asked;
	u64 taken_slots, pushed_slots, published_slots, asked_slots;
	bool started;
	u16 order[HISTORY];
	struct pushed done[HISTORY];
	u16 free[VQ_MAX_NUM];
	u64 free_head, free_tail;
	u16 inflight[VQ_MAX_NUM];
	unsigned int n_inflight;
	bool kicks_off, device_sleeps, kicked;
	bool driver_sleeps, late, called;
	u64 steps, progress;
};

extern struct session s;
extern struct chain chains[VQ_MAX_NUM];

static inline bool has(unsigned int feature)
{
	return s.guest.features >> feature & 1;
}

static inline u32 below(u32 n)
{
	return vq_below(s.rng, n);
}

static inline bool one_in(u32 n)
{
	return vq_one_in(s.rng, n);
}

static inline void *guest(u64 gpa)
{
	return (void *)(uintptr_t)gpa;
}

static inline u8 pattern(u8 key, u32 i)
{
	return key + i * 7;
}

/* Returns the byte that the device writes instead of @old at @i, after it has read @sum. */
static inline u8 transformed(u8 old, u32 sum, u32 i)
{
	return old ^ (u8)(sum + i * 3 + 1);
}

/* traffic_driver.c */
void driver_adds(void);
void driver_reaps(void);

/* traffic_device.c */
void device_starts(void);
void device_takes(void);
void device_completes(void);
void device_restarts(void);
/* Returns the position of a packed ring after @slots slots: slot and wrap counter. */
u32 packed_pos(u64 slots);
/* Copies our used ring to vringh's. */
void copy_used(void);

#endif /* TRAFFIC_H */
