/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vhost ioctls, for every device that has virtqueues: owner, features,
 * memory, the dirty log, and each ring's size, place, state and eventfds.
 * Numbers and meanings are those of linux/vhost.h, so a VMM that drives
 * another vhost device can drive these.
 *
 * A device module embeds a struct ranchu_vhost in what it hangs on its open
 * file, gives its own ioctls as a table, and is called when a ring is kicked.
 *
 * Locks, outermost first:
 *
 *	ranchu_vhost.lock	every ioctl; not taken where rings are worked on
 *	ranchu_vring.lock	one ring's engine; taken for each kick
 *	ranchu_vhost.log_lock	taken when something was logged
 */
#ifndef _LINUX_RANCHU_VHOST_H
#define _LINUX_RANCHU_VHOST_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>
#include <linux/types.h>

struct ranchu_vhost;

/**
 * struct ranchu_vring - one ring of a device
 * @lock: protects all but @kick and @missed; given back by ranchu_vring_unlock()
 * @dev: the device
 * @vq: the engine; in use while @running
 * @running: between ranchu_vhost_start() and ranchu_vhost_stop()
 * @in_vcpu: kicked() is being called in the kicking vCPU's thread: it must not
 *	wait for anything that takes long
 * @missed: somebody found @lock taken: the ring is looked at again when it is given
 *	back. Written by anybody
 * @setup: what the VMM asked for; checked when the ring is started
 * @base: where to go on when started
 * @base_set: @base means something
 * @broken_told: the fault of @vq has been reported
 * @busyloop: VHOST_SET_VRING_BUSYLOOP_TIMEOUT's number, for the VMM to read
 * @kick: the VMM's, by which the driver kicks; NULL for none. Protected by
 *	@dev's lock: it can only be detached with @lock not held.
 * @call: signalled to interrupt the driver; NULL for none
 * @err: signalled when the queue breaks; NULL for none
 * @worker: works on the ring: @dev's, or @own_worker
 * @own_worker: see struct ranchu_vhost_ops
 * @work: processes the ring in @worker
 */
struct ranchu_vring {
	struct mutex lock;	/* see @lock above */
	struct ranchu_vhost *dev;
	struct ranchu_vq vq;
	bool running;
	bool in_vcpu;
	bool missed;
	struct ranchu_vq_setup setup;
	u32 base;
	bool base_set;
	bool broken_told;
	u32 busyloop;
	struct ranchu_doorbell *kick;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	struct ranchu_worker *worker;
	struct ranchu_worker own_worker;
	struct ranchu_work work;
};

/**
 * struct ranchu_vhost_ioctl - a row of an ioctl table
 * @number: the ioctl
 * @fn: serves it; @argp is the argument as a pointer. Called in the caller's process:
 *	with the device's lock held for the owner, or see @anyone
 * @anyone: @fn may be called by others than the owner, without a lock. It touches
 *	@argp without one, too: that may wait for whoever provides that memory.
 * @locked: in place of @fn: @arg was fetched before the device's lock was taken, and
 *	goes back, if the ioctl reads as well, when it was given back. Has the size
 *	that the number says, at most RANCHU_VHOST_MAX_ARG. For the owner
 */
struct ranchu_vhost_ioctl {
	unsigned int number;
	long (*fn)(struct ranchu_vhost *dev, void __user *argp);
	bool anyone;
	long (*locked)(struct ranchu_vhost *dev, void *arg);
};

/* Bytes that struct ranchu_vhost_ioctl's @locked can be given. */
#define RANCHU_VHOST_MAX_ARG 64

/**
 * struct ranchu_vhost_ops - what a device brings
 * @name: for messages
 * @features: offered: of RANCHU_VQ_FEATURES and the device's own
 * @backend_features: the same for VHOST_GET_BACKEND_FEATURES
 * @optional: rings, a bit each, that are not started if they have no size
 * @in_vcpu: rings, a bit each, whose kicks are served in the thread of the vCPU
 *	that kicks
 * @ring_workers: each ring has a worker of its own
 * @kicked: work on @vring: the driver kicked it, the device asked for it with
 *	ranchu_vring_request(), or it was just started. Called in the worker, or
 *	see @in_vcpu, with the vring's lock held, inside ranchu_mem_enter(), while
 *	it is running. What was pushed is published, and the driver told,
 *	afterwards.
 * @drain: @vring is about to be stopped by its owner: wait for what was taken
 *	from it and is under way, and push it. Called as @kicked is, in any thread
 *	of the owner; not when the owner is gone. May be NULL.
 * @stopped: @vring has been stopped: forget what was taken from it, and wait for
 *	what still uses guest memory. Called with its lock held, in any process. May
 *	be NULL.
 * @orphaned: the owner was killed, and who has the file still cannot do much
 *	with it: @kicked is not called any more. Let go of what could keep the
 *	file from being released. Called in the worker, no lock held. May be NULL.
 * @released: the owner is gone, no ring runs, and @kicked is not called any
 *	more; called with the device's lock held. May be NULL.
 * @ioctls: the device's own
 * @n_ioctls: rows in @ioctls
 */
struct ranchu_vhost_ops {
	const char *name;
	u64 features;
	u64 backend_features;
	u32 optional;
	u32 in_vcpu;
	bool ring_workers;
	void (*kicked)(struct ranchu_vring *vring);
	void (*drain)(struct ranchu_vring *vring);
	void (*stopped)(struct ranchu_vring *vring);
	void (*orphaned)(struct ranchu_vhost *dev);
	void (*released)(struct ranchu_vhost *dev);
	const struct ranchu_vhost_ioctl *ioctls;
	unsigned int n_ioctls;
};

/**
 * struct ranchu_vhost - a device with rings
 * @lock: serialises ioctls; protects all that has no lock of its own
 * @ops: the device module's
 * @mm: the owner's, pinned as a struct only, for comparison; NULL for none.
 *	Changed with @lock held; NULL before ranchu_vhost_ops.released() is called.
 * @process: the owner's, for ranchu_release(); NULL for none
 * @worker: works on rings; runs while there is an owner
 * @mem: the guest's memory
 * @features: acknowledged by the VMM
 * @backend_features: the same
 * @log: user address of the dirty-page bitmap
 * @log_set: @log means something
 * @log_lock: protects @log_fd
 * @log_fd: signalled when something was logged; NULL for none
 * @faults: times that a queue was broken by its guest
 * @vrings: the rings
 * @n_vrings: how many
 */
struct ranchu_vhost {
	struct mutex lock;	/* see @lock above */
	const struct ranchu_vhost_ops *ops;
	struct mm_struct *mm;
	struct pid *process;
	struct ranchu_worker worker;
	struct ranchu_mem mem;
	u64 features;
	u64 backend_features;
	u64 log;
	bool log_set;
	struct mutex log_lock;	/* @log_fd */
	struct eventfd_ctx *log_fd;
	atomic64_t faults;
	struct ranchu_vring *vrings;
	unsigned int n_vrings;
};

/* vhost.c */
int ranchu_vhost_init(struct ranchu_vhost *dev, const struct ranchu_vhost_ops *ops,
		      struct ranchu_vring *vrings, unsigned int n_vrings);
void ranchu_vhost_destroy(struct ranchu_vhost *dev);
long ranchu_vhost_ioctl(struct ranchu_vhost *dev, unsigned int number,
			void __user *argp);
int ranchu_vhost_lock(struct ranchu_vhost *dev);
void ranchu_vhost_unlock(struct ranchu_vhost *dev);
int ranchu_vhost_start(struct ranchu_vhost *dev);
void ranchu_vhost_stop(struct ranchu_vhost *dev);
bool ranchu_vhost_is_running(const struct ranchu_vhost *dev);

/* vring.c */
void ranchu_vring_update(struct ranchu_vring *vring);
void ranchu_vring_request(struct ranchu_vring *vring);
void ranchu_vring_unlock(struct ranchu_vring *vring);
void ranchu_vring_serve(struct ranchu_vring *vring, bool in_vcpu);

#endif /* _LINUX_RANCHU_VHOST_H */
