/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vhost_goldfish_sync.ko share.
 *
 * Locks, outermost first:
 *	sync_dev.vhost.lock	ioctls that change the set-up (linux/ranchu_vhost.h)
 *	sync_renderer.lock	the renderer's file and the device see each other
 *	sync_dev.line.lock	all else; spinlock, interrupts off
 *
 * Guest memory is read and written with none of the last two held.
 */
#ifndef _VHOST_GOLDFISH_SYNC_PRIVATE_H
#define _VHOST_GOLDFISH_SYNC_PRIVATE_H

#include <linux/atomic.h>
#include <linux/goldfish_sync.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ranchu_vhost.h>
#include <linux/vhost_goldfish_sync.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct eventfd_ctx;
struct sync_dev;

/**
 * enum sync_kind - what an id stands for
 * @SYNC_WAIT: the guest waits for the renderer
 * @SYNC_TIMELINE: the renderer has a timeline in the guest
 * @SYNC_FENCE: a fence of such a timeline
 * @SYNC_KINDS: how many there are
 */
enum sync_kind {
	SYNC_WAIT,
	SYNC_TIMELINE,
	SYNC_FENCE,
	SYNC_KINDS,
};

/**
 * enum sync_phase - whose turn it is
 * @SYNC_QUEUED: the guest's, which has yet to read a command
 * @SYNC_SENT: the guest's, which has read a command and has to answer
 * @SYNC_LIVE: the renderer's
 * @SYNC_FAILED: nobody's: the guest could not, and the renderer has yet to be told
 */
enum sync_phase {
	SYNC_QUEUED,
	SYNC_SENT,
	SYNC_LIVE,
	SYNC_FAILED,
};

/**
 * struct sync_item - a wait, a timeline or a fence
 * @all: in sync_dev.items.all
 * @hash: in sync_dev.items.by_id
 * @node: QUEUED: in sync_dev.queue; LIVE, FAILED: in sync_dev.events if the renderer has
 *	not been told yet; else empty
 * @id: names it for the renderer, and in the guest's answers
 * @kind: what it is
 * @phase: whose turn it is
 * @abandoned: the renderer is gone: what is still to be done for it is done without it
 * @cmd: QUEUED: the command
 * @value: QUEUED: its number; a FENCE's: when it is signalled
 * @handle: the guest's name of the timeline
 * @glsync: WAIT: the guest's
 * @thread: WAIT: the guest's
 * @result: FENCE: the number of its file in the guest; FAILED: -1
 * @timeline: FENCE: its timeline, until its increment is queued
 * @fences: TIMELINE: how many have it as their @timeline
 * @now: TIMELINE: what it was incremented to
 * @turn: QUEUED: place in the queue, while GET_STATE counts
 *
 * One is allocated for each wait, timeline and fence, and serves for all commands that
 * come of it: what the host owes the guest never fails for want of memory.
 */
struct sync_item {
	struct list_head all;
	struct hlist_node hash;
	struct list_head node;
	u64 id;
	enum sync_kind kind;
	enum sync_phase phase;
	bool abandoned;
	u32 cmd;
	u32 value;
	u64 handle;
	u64 glsync;
	u64 thread;
	s32 result;
	struct sync_item *timeline;
	u32 fences;
	u32 now;
	u32 turn;
};

/**
 * struct sync_items - all of them
 * @all: by id
 * @by_id: the same
 * @n: how many of each kind
 * @queued: how many are on sync_dev.queue
 * @next_id: of the next
 */
struct sync_items {
	struct list_head all;
	DECLARE_HASHTABLE(by_id, 8);
	u32 n[SYNC_KINDS];
	u32 queued;
	u64 next_id;
};

/**
 * struct sync_renderer - the renderer's file
 * @refs: the file's and the device's
 * @lock: see above; protects @dev
 * @dev: the device; NULL when it is no more
 * @wait: who reads
 * @told: there may be an event; written under @dev's line lock, read by anyone
 * @dead: @dev is NULL, for who waits
 * @eventfd: signalled for each event, or NULL; @dev's line lock
 */
struct sync_renderer {
	struct kref refs;
	struct mutex lock;	/* see above */
	struct sync_dev *dev;
	wait_queue_head_t wait;
	bool told;
	bool dead;
	struct eventfd_ctx *eventfd;
};

/**
 * struct sync_counts - counters; struct vhost_goldfish_sync_stats says of what
 * @kicks: any context, as all that are atomic
 * @kicks_foreign: the same
 * @kicks_lost: the same
 * @commands_access: the same
 * @reads: the same
 * @reads_access: the same
 * @resamples: the same
 * @bad_guest: the same
 * @commands: written under the line's lock, as what follows; read by anyone
 * @replies: the same
 * @sent: the same
 * @batches: the same
 * @rests: the same
 */
struct sync_counts {
	atomic64_t kicks;
	atomic64_t kicks_foreign;
	atomic64_t kicks_lost;
	atomic64_t commands_access;
	atomic64_t reads;
	atomic64_t reads_access;
	atomic64_t resamples;
	atomic64_t bad_guest;
	u64 commands;
	u64 replies;
	u64 sent;
	u64 batches;
	u64 rests;
};

/* The two registers whose writes are commands. */
#define SYNC_BELLS 2

/**
 * struct sync_bell - a doorbell and what it is for
 * @dev: the device
 * @doorbell: NULL for none; sync_dev.vhost.lock
 * @run: reads the guest's buffer and does what it says
 */
struct sync_bell {
	struct sync_dev *dev;
	struct ranchu_doorbell *doorbell;
	void (*run)(struct sync_dev *dev);
};

/**
 * struct sync_dev - the sync device of one guest; one open file
 * @vhost: owner, memory, worker
 * @line: the interrupt; its lock protects what follows, down to @rest
 * @host_gpa: where the guest says the host command buffer is; 0 for nowhere. Written
 *	under @vhost.lock as well
 * @guest_gpa: the same of the guest command buffer
 * @ready: a driver has begun
 * @stopped: see SET_RUNNING; changed under @vhost.lock as well
 * @items: waits, timelines, fences
 * @queue: commands for the guest, first in first out
 * @events: what the renderer has yet to be told, first in first out
 * @reset: the renderer has yet to be told that the guest began anew, before @events
 * @renderer: NULL for none
 * @burst: commands that the guest has read since it had a rest
 * @rest: ends such a rest
 * @bells: by register; see struct sync_bell
 * @counts: counters
 * @release: of the file
 */
struct sync_dev {
	struct ranchu_vhost vhost;
	struct ranchu_line line;
	u64 host_gpa;
	u64 guest_gpa;
	bool ready;
	bool stopped;
	struct sync_items items;
	struct list_head queue;
	struct list_head events;
	bool reset;
	struct sync_renderer *renderer;
	u32 burst;
	struct delayed_work rest;
	struct sync_bell bells[SYNC_BELLS];
	struct sync_counts counts;
	struct ranchu_release release;
};

static inline struct sync_dev *sync_dev_of(struct ranchu_vhost *vhost)
{
	return container_of(vhost, struct sync_dev, vhost);
}

/* A counter that the line's lock protects, and that anyone may read. */
static inline void sync_count(u64 *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

static inline void sync_bad_guest(struct sync_dev *dev)
{
	atomic64_inc(&dev->counts.bad_guest);
}

/* goldfish_sync_items.c */
void sync_items_init(struct sync_dev *dev);
u32 sync_items_count(const struct sync_dev *dev);
struct sync_item *sync_item_find(struct sync_dev *dev, u64 id);
struct sync_item *sync_item_make(enum sync_kind kind);
int sync_item_add(struct sync_dev *dev, struct sync_item *item);
void sync_item_put(struct sync_dev *dev, struct sync_item *item);
void sync_item_remove(struct sync_dev *dev, struct sync_item *item, struct list_head *gone);
void sync_item_queue(struct sync_dev *dev, struct sync_item *item, u32 cmd, u32 value);
void sync_item_increment(struct sync_dev *dev, struct sync_item *item, u32 value);
void sync_item_answered(struct sync_dev *dev, struct sync_item *item, u64 handle,
			struct list_head *gone);
void sync_items_abandon(struct sync_dev *dev, struct list_head *gone);
void sync_items_forget(struct sync_dev *dev, struct list_head *gone);
void sync_items_free(struct list_head *gone);

/* goldfish_sync_cmd.c */
bool sync_enter(struct sync_dev *dev, int *idx);
void sync_leave(struct sync_dev *dev, int idx);
void sync_guest_command(struct sync_dev *dev);
void sync_guest_reply(struct sync_dev *dev);
bool sync_fetch(struct sync_dev *dev);
bool sync_publish(struct ranchu_line *line, bool ended);
void sync_resampled(struct ranchu_line *line);
void sync_rest_over(struct sync_dev *dev);
void sync_rested(struct work_struct *work);

/* goldfish_sync_regs.c */
void sync_regs_reset(struct sync_dev *dev);
void sync_regs_write(struct sync_dev *dev, u32 offset, u32 value);
u32 sync_regs_read(struct sync_dev *dev, u32 offset);

/* goldfish_sync_renderer.c */
void sync_renderer_tell(struct sync_dev *dev, struct sync_item *item);
void sync_renderer_tell_reset(struct sync_dev *dev);
void sync_renderer_end(struct sync_dev *dev);
int sync_renderer_open(struct sync_dev *dev);

/* goldfish_sync_state.c */
long sync_get_state(struct ranchu_vhost *vhost, void __user *argp);
long sync_set_state(struct ranchu_vhost *vhost, void __user *argp);

#endif /* _VHOST_GOLDFISH_SYNC_PRIVATE_H */
