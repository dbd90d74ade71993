// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ring of a vhost device: what the VMM sets up for it, its eventfds, and
 * its engine's start and stop. vhost.c calls it for each ioctl that names a
 * ring, with the device's lock held.
 *
 * Source: linux/vhost.h; errnos and what may be changed while running are
 * those of drivers/vhost/vhost.c
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/printk.h>
#include <linux/ranchu_vhost.h>
#include <linux/vhost.h>

#include "ranchu_private.h"

/* Where a new ring begins: packed wrap counters start at 1. */
#define VRING_BASE_SPLIT 0
#define VRING_BASE_PACKED 0x80008000

/* Tells the VMM, once, that the queue is broken: by the log, a count and @err. */
static void vring_report(struct ranchu_vring *vring)
{
	struct ranchu_vhost *dev = vring->dev;

	if (!vring->vq.fault || vring->broken_told)
		return;
	vring->broken_told = true;
	atomic64_inc(&dev->faults);
	pr_warn_ratelimited("%s: queue %td is broken: %s\n", dev->ops->name,
			    vring - dev->vrings,
			    ranchu_vq_fault_name(vring->vq.fault));
	if (vring->err)
		ranchu_eventfd_signal(vring->err);
}

static void vring_tell_log(struct ranchu_vring *vring)
{
	struct ranchu_vhost *dev = vring->dev;

	vring->vq.logged = false;
	mutex_lock(&dev->log_lock);
	if (dev->log_fd)
		ranchu_eventfd_signal(dev->log_fd);
	mutex_unlock(&dev->log_lock);
}

/**
 * ranchu_vring_update() - tell the driver, and the VMM, what has happened
 * @vring: running
 *
 * Publishes what was pushed and interrupts the driver if it wants that. A
 * device that pushes chains outside its kicked() calls it afterwards.
 *
 * Context: worker, @vring's lock held, inside ranchu_mem_enter().
 */
void ranchu_vring_update(struct ranchu_vring *vring)
{
	struct ranchu_vq *vq = &vring->vq;

	lockdep_assert_held(&vring->lock);
	ranchu_vq_publish(vq);
	if (ranchu_vq_must_call(vq) && vring->call)
		ranchu_eventfd_signal(vring->call);
	if (unlikely(vq->logged))
		vring_tell_log(vring);
	vring_report(vring);
}
EXPORT_SYMBOL_GPL(ranchu_vring_update);

/**
 * ranchu_vring_request() - have kicked() called
 * @vring: need not be running; then nothing happens
 *
 * Context: any.
 */
void ranchu_vring_request(struct ranchu_vring *vring)
{
	ranchu_work_queue(vring->worker, &vring->work);
}
EXPORT_SYMBOL_GPL(ranchu_vring_request);

/**
 * ranchu_vring_unlock() - give back a ring's lock
 * @vring: its lock is held
 *
 * If somebody found it taken meanwhile, and did not wait, the worker looks at the ring.
 *
 * Context: may sleep.
 */
void ranchu_vring_unlock(struct ranchu_vring *vring)
{
	mutex_unlock(&vring->lock);
	/* Pairs with the barrier in vring_trylock(). */
	smp_mb();
	if (unlikely(READ_ONCE(vring->missed)) && xchg(&vring->missed, false))
		ranchu_vring_request(vring);
}
EXPORT_SYMBOL_GPL(ranchu_vring_unlock);

/* If it fails, ranchu_vring_unlock() of whoever has the lock calls ranchu_vring_request(). */
static bool vring_trylock(struct ranchu_vring *vring)
{
	if (mutex_trylock(&vring->lock))
		return true;
	WRITE_ONCE(vring->missed, true);
	/* Either the owner of the lock sees @missed, or we see that it is free. */
	smp_mb();
	return mutex_trylock(&vring->lock);
}

/**
 * ranchu_vring_serve() - call kicked() here and now
 * @vring: need not be running; then nothing happens
 * @in_vcpu: in a vCPU's thread, or in another ring's kicked()
 *
 * Waits for nobody: while somebody else works on @vring, its worker is asked to do so
 * afterwards.
 *
 * Context: worker or vCPU, in the owner's memory.
 */
void ranchu_vring_serve(struct ranchu_vring *vring, bool in_vcpu)
{
	struct ranchu_vhost *dev = vring->dev;
	int idx;

	if (!vring_trylock(vring))
		return;
	if (vring->running && !vring->vq.fault) {
		idx = ranchu_mem_enter(&dev->mem);
		vring->in_vcpu = in_vcpu;
		dev->ops->kicked(vring);
		ranchu_vring_update(vring);
		ranchu_mem_leave(&dev->mem, idx);
	}
	ranchu_vring_unlock(vring);
}
EXPORT_SYMBOL_GPL(ranchu_vring_serve);

/* A ring is served with the owner's memory, or not at all. */
static void vring_work(struct ranchu_work *work, bool in_owner)
{
	struct ranchu_vring *vring = container_of(work, struct ranchu_vring, work);

	if (in_owner)
		ranchu_vring_serve(vring, false);
}

static void vring_rung(void *data, enum ranchu_ring how)
{
	if (how != RANCHU_RING_LOST)
		ranchu_vring_serve(data, how == RANCHU_RING_VCPU);
}

/**
 * ranchu_vring_init() - make a ring of which the VMM has said nothing
 * @vring: zeroed
 * @dev: its device
 */
void ranchu_vring_init(struct ranchu_vring *vring, struct ranchu_vhost *dev)
{
	mutex_init(&vring->lock);
	vring->dev = dev;
	ranchu_work_init(&vring->work, vring_work);
	ranchu_worker_init(&vring->own_worker);
	vring->worker = dev->ops->ring_workers ? &vring->own_worker : &dev->worker;
}

/**
 * ranchu_vring_refresh() - bring what concerns all rings of the device into this one
 * @vring: running or not
 *
 * Features and the log: after either has changed, and before a start.
 */
void ranchu_vring_refresh(struct ranchu_vring *vring)
{
	struct ranchu_vhost *dev = vring->dev;

	lockdep_assert_held(&vring->lock);
	vring->setup.features = dev->features;
	vring->setup.log = dev->log;
	/* The size is the same, so it cannot fail. */
	if (vring->running)
		WARN_ON_ONCE(ranchu_vq_relocate(&vring->vq, &vring->setup));
}

/* Where a ring that does not run goes on. The device's lock is held. */
static u32 vring_next_base(const struct ranchu_vring *vring)
{
	if (vring->base_set)
		return vring->base;
	return vring->dev->features & BIT_ULL(VIRTIO_F_RING_PACKED) ?
	       VRING_BASE_PACKED : VRING_BASE_SPLIT;
}

static int vring_start_locked(struct ranchu_vring *vring)
{
	struct ranchu_mem *mem = &vring->dev->mem;
	int err, idx;

	lockdep_assert_held(&vring->lock);
	ranchu_vring_refresh(vring);
	err = ranchu_vq_check(&vring->setup);
	if (err)
		return err;
	idx = ranchu_mem_enter(mem);
	err = ranchu_vq_start(&vring->vq, mem, &vring->setup,
			      vring_next_base(vring));
	ranchu_mem_leave(mem, idx);
	if (err)
		return err;
	vring->broken_told = false;
	vring->running = true;
	return 0;
}

/*
 * A worker of its own costs nothing until the ring is used. A worker that was killed
 * stays what it is until the device has another owner. It ends with the threads that
 * it was started among; others may share their memory, so that they are the owner,
 * too, and live on.
 */
static int vring_start_worker(struct ranchu_vring *vring)
{
	struct ranchu_worker *worker = vring->worker;

	if (worker == &vring->own_worker && !worker->task)
		return ranchu_vhost_start_worker(worker);
	return READ_ONCE(worker->dead) ? -ESRCH : 0;
}

/**
 * ranchu_vring_start() - start a ring
 * @vring: running already: nothing happens
 *
 * Kicks from before the start are served.
 *
 * Return:
 * * 0: running
 * * -EINVAL: its size, place, base or features are wrong
 * * -EFAULT: it was never placed, or its memory cannot be accessed
 * * -ESRCH: its worker was killed
 * * what ranchu_worker_start() says
 */
int ranchu_vring_start(struct ranchu_vring *vring)
{
	int err;

	err = vring_start_worker(vring);
	if (err)
		return err;
	mutex_lock(&vring->lock);
	if (!vring->running)
		err = vring_start_locked(vring);
	ranchu_vring_unlock(vring);
	if (!err)
		ranchu_vring_request(vring);
	return err;
}

/**
 * ranchu_vring_drain() - answer what was taken from a ring and is under way
 * @vring: may not be running; its lock is held, in the owner's memory
 */
void ranchu_vring_drain(struct ranchu_vring *vring)
{
	struct ranchu_vhost *dev = vring->dev;
	int idx;

	lockdep_assert_held(&vring->lock);
	if (!vring->running || !dev->ops->drain)
		return;
	idx = ranchu_mem_enter(&dev->mem);
	vring->in_vcpu = false;
	dev->ops->drain(vring);
	ranchu_vring_update(vring);
	ranchu_mem_leave(&dev->mem, idx);
}

/**
 * ranchu_vring_stop() - stop a ring
 * @vring: may not be running
 *
 * On return nobody works on it, and its base can be read.
 */
void ranchu_vring_stop(struct ranchu_vring *vring)
{
	const struct ranchu_vhost_ops *ops = vring->dev->ops;

	mutex_lock(&vring->lock);
	if (vring->running) {
		/* In another process' memory the ring is not to be found. */
		if (vring->dev->mm == current->mm)
			ranchu_vring_drain(vring);
		vring->running = false;
		vring->base = ranchu_vq_base(&vring->vq);
		vring->base_set = true;
		if (ops->stopped)
			ops->stopped(vring);
	}
	ranchu_vring_unlock(vring);
}

static void vring_drop_ctx(struct ranchu_vring *vring, struct eventfd_ctx **where)
{
	struct eventfd_ctx *ctx = NULL;

	mutex_lock(&vring->lock);
	swap(*where, ctx);
	ranchu_vring_unlock(vring);
	if (ctx)
		eventfd_ctx_put(ctx);
}

/**
 * ranchu_vring_release() - forget all that the VMM has said
 * @vring: stopped
 */
void ranchu_vring_release(struct ranchu_vring *vring)
{
	if (vring->kick)
		ranchu_doorbell_detach(vring->kick);
	vring->kick = NULL;
	vring_drop_ctx(vring, &vring->call);
	vring_drop_ctx(vring, &vring->err);
	memset(&vring->setup, 0, sizeof(vring->setup));
	vring->base = 0;
	vring->base_set = false;
	vring->busyloop = 0;
}

/*
 * From here on, the ioctls that name a ring, one function each. Their argument has
 * been fetched, and the device's lock is held.
 */

/* What they take. Each begins with the ring's number. */
union vring_arg {
	unsigned int index;
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_vring_file file;
};

static bool vring_is_packed(const struct ranchu_vring *vring)
{
	return vring->dev->features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

/* -EINVAL: no size for this layout. -EBUSY: the ring is running. */
static long vring_set_num(struct ranchu_vring *vring, union vring_arg *arg)
{
	u32 num = arg->state.num;
	long err = 0;

	if (!num || num > RANCHU_VQ_MAX_NUM ||
	    (!vring_is_packed(vring) && !is_power_of_2(num)))
		return -EINVAL;
	if (mutex_lock_killable(&vring->lock))
		return -EINTR;
	if (vring->running)
		err = -EBUSY;
	else
		vring->setup.num = num;
	ranchu_vring_unlock(vring);
	return err;
}

/*
 * A running ring moves: this is how a VMM turns its logging on and off.
 *
 * -EOPNOTSUPP: an unknown flag. -EINVAL: an address that is not aligned. -EFAULT: the
 * ring is running, and there is no user memory.
 */
static long vring_set_addr(struct ranchu_vring *vring, union vring_arg *arg)
{
	const struct vhost_vring_addr *addr = &arg->addr;
	struct ranchu_vq_setup setup;
	long err = 0;

	if (addr->flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(addr->avail_user_addr, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr->used_user_addr, VRING_USED_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr->log_guest_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;

	if (mutex_lock_killable(&vring->lock))
		return -EINTR;
	setup = vring->setup;
	setup.desc = addr->desc_user_addr;
	setup.driver = addr->avail_user_addr;
	setup.device = addr->used_user_addr;
	setup.log_used = addr->flags & BIT(VHOST_VRING_F_LOG);
	setup.log_used_gpa = addr->log_guest_addr;
	if (vring->running)
		err = ranchu_vq_check(&setup) ?:
		      ranchu_vq_relocate(&vring->vq, &setup);
	if (!err)
		vring->setup = setup;
	ranchu_vring_unlock(vring);
	return err;
}

/* -EBUSY: the ring is running. -EINVAL: more than ranchu_vq_base() would say. */
static long vring_set_base(struct ranchu_vring *vring, union vring_arg *arg)
{
	long err = 0;

	if (mutex_lock_killable(&vring->lock))
		return -EINTR;
	if (vring->running) {
		err = -EBUSY;
	} else if (!vring_is_packed(vring) && arg->state.num > U16_MAX) {
		err = -EINVAL;
	} else {
		vring->base = arg->state.num;
		vring->base_set = true;
	}
	ranchu_vring_unlock(vring);
	return err;
}

/* Of a running ring it is true for a moment only. */
static long vring_get_base(struct ranchu_vring *vring, union vring_arg *arg)
{
	if (mutex_lock_killable(&vring->lock))
		return -EINTR;
	arg->state.num = vring->running ? ranchu_vq_base(&vring->vq) :
					  vring_next_base(vring);
	ranchu_vring_unlock(vring);
	return 0;
}

/* Taken note of, for the VMM to read. The worker polls nothing. */
static long vring_set_busyloop(struct ranchu_vring *vring, union vring_arg *arg)
{
	vring->busyloop = arg->state.num;
	return 0;
}

static long vring_get_busyloop(struct ranchu_vring *vring, union vring_arg *arg)
{
	arg->state.num = vring->busyloop;
	return 0;
}

static enum ranchu_serve vring_serve(const struct ranchu_vring *vring)
{
	const struct ranchu_vhost *dev = vring->dev;

	return dev->ops->in_vcpu & BIT(vring - dev->vrings) ? RANCHU_SERVE_VCPU :
							      RANCHU_SERVE_WORKER;
}

/* What ranchu_doorbell_attach() says; then the old one stays. */
static long vring_set_kick(struct ranchu_vring *vring, union vring_arg *arg)
{
	struct ranchu_doorbell *kick = NULL;

	if (arg->file.fd != VHOST_FILE_UNBIND) {
		kick = ranchu_doorbell_attach(arg->file.fd, vring->dev->mm, vring->worker,
					      vring_serve(vring), vring_rung, vring);
		if (IS_ERR(kick))
			return PTR_ERR(kick);
	}
	swap(vring->kick, kick);
	if (kick) {
		ranchu_doorbell_detach(kick);
		/* In place of a ring of the old one that was yet to be served. */
		ranchu_vring_request(vring);
	}
	return 0;
}

/* -EBADF, -EINVAL: there is no eventfd; then the old one stays. */
static long vring_set_ctx(struct ranchu_vring *vring, struct eventfd_ctx **where,
			  int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	if (mutex_lock_killable(&vring->lock)) {
		if (ctx)
			eventfd_ctx_put(ctx);
		return -EINTR;
	}
	swap(*where, ctx);
	ranchu_vring_unlock(vring);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long vring_set_call(struct ranchu_vring *vring, union vring_arg *arg)
{
	return vring_set_ctx(vring, &vring->call, arg->file.fd);
}

static long vring_set_err(struct ranchu_vring *vring, union vring_arg *arg)
{
	return vring_set_ctx(vring, &vring->err, arg->file.fd);
}

/* @answers: the argument, as changed, goes back to the caller. Not all numbers say so. */
static const struct vring_ioctl {
	unsigned int number;
	long (*fn)(struct ranchu_vring *vring, union vring_arg *arg);
	bool answers;
} vring_ioctls[] = {
	{ VHOST_SET_VRING_NUM, vring_set_num },
	{ VHOST_SET_VRING_ADDR, vring_set_addr },
	{ VHOST_SET_VRING_BASE, vring_set_base },
	{ VHOST_GET_VRING_BASE, vring_get_base, true },
	{ VHOST_SET_VRING_KICK, vring_set_kick },
	{ VHOST_SET_VRING_CALL, vring_set_call },
	{ VHOST_SET_VRING_ERR, vring_set_err },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, vring_set_busyloop },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT, vring_get_busyloop, true },
};

/**
 * ranchu_vring_find_ioctl() - find an ioctl that names a ring
 * @number: of the ioctl
 *
 * Return: its row, for ranchu_vring_ioctl(), or NULL.
 */
const struct vring_ioctl *ranchu_vring_find_ioctl(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vring_ioctls); i++)
		if (vring_ioctls[i].number == number)
			return &vring_ioctls[i];
	return NULL;
}

/**
 * ranchu_vring_answers() - tell whether an ioctl that names a ring gives something back
 * @row: what ranchu_vring_find_ioctl() has found
 *
 * Return: whether its argument goes back to the caller.
 */
bool ranchu_vring_answers(const struct vring_ioctl *row)
{
	return row->answers;
}

/**
 * ranchu_vring_ioctl() - serve an ioctl that names a ring
 * @dev: the device
 * @row: what ranchu_vring_find_ioctl() has found
 * @arg: struct vhost_vring_state, _addr or _file, and room for the largest of these
 *
 * Context: the owner's process, the device's lock held.
 * Return:
 * * 0: done
 * * -ENOBUFS: no such ring
 * * what the ioctl's own function says
 */
long ranchu_vring_ioctl(struct ranchu_vhost *dev, const struct vring_ioctl *row,
			void *arg)
{
	union vring_arg *of_vring = arg;
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	if (of_vring->index >= dev->n_vrings)
		return -ENOBUFS;
	/* The index comes from userspace, and loads depend on it. */
	i = array_index_nospec(of_vring->index, dev->n_vrings);
	return row->fn(&dev->vrings[i], of_vring);
}
