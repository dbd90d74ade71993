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
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/printk.h>
#include <linux/ranchu_vhost.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "ranchu_private.h"

/* Where a new ring begins: packed wrap counters start at 1. */
#define VRING_BASE_SPLIT 0
#define VRING_BASE_PACKED 0x80008000

/* What the engine shows of itself only here. */
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
 * ranchu_vring_serve() - call kicked() here and now
 * @vring: need not be running; then nothing happens
 * @in_vcpu: do not wait for others who work on @vring, but have its worker do it: in
 *	a vCPU's thread, and in another ring's kicked()
 *
 * Context: worker or vCPU, in the owner's memory.
 */
void ranchu_vring_serve(struct ranchu_vring *vring, bool in_vcpu)
{
	struct ranchu_vhost *dev = vring->dev;
	int idx;

	/* A vCPU does not wait for a worker, which may wait for a disk. */
	if (!in_vcpu) {
		mutex_lock(&vring->lock);
	} else if (!mutex_trylock(&vring->lock)) {
		ranchu_vring_request(vring);
		return;
	}
	if (vring->running && !vring->vq.fault) {
		idx = ranchu_mem_enter(&dev->mem);
		vring->in_vcpu = in_vcpu;
		dev->ops->kicked(vring);
		ranchu_vring_update(vring);
		ranchu_mem_leave(&dev->mem, idx);
	}
	mutex_unlock(&vring->lock);
}
EXPORT_SYMBOL_GPL(ranchu_vring_serve);

static void vring_work(struct ranchu_work *work)
{
	ranchu_vring_serve(container_of(work, struct ranchu_vring, work), false);
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

/* A worker of its own costs nothing until the ring is used. */
static int vring_start_worker(struct ranchu_vring *vring)
{
	if (vring->worker != &vring->own_worker || vring->own_worker.task)
		return 0;
	return ranchu_vhost_start_worker(&vring->own_worker);
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
	mutex_unlock(&vring->lock);
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
	mutex_unlock(&vring->lock);
}

static void vring_swap_ctx(struct ranchu_vring *vring, struct eventfd_ctx **where,
			   struct eventfd_ctx *ctx)
{
	mutex_lock(&vring->lock);
	swap(*where, ctx);
	mutex_unlock(&vring->lock);
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
	vring_swap_ctx(vring, &vring->call, NULL);
	vring_swap_ctx(vring, &vring->err, NULL);
	memset(&vring->setup, 0, sizeof(vring->setup));
	vring->base = 0;
	vring->base_set = false;
	vring->busyloop = 0;
}

/* From here on, one function for each ioctl. */

static struct ranchu_vring *vring_find(struct ranchu_vhost *dev, unsigned int index)
{
	if (index >= dev->n_vrings)
		return NULL;
	/* The index comes from userspace, and loads depend on it. */
	return &dev->vrings[array_index_nospec(index, dev->n_vrings)];
}

/* Fetches the argument of an ioctl that names a ring, and finds the ring. */
static long vring_get_state(struct ranchu_vhost *dev, const void __user *argp,
			    struct vhost_vring_state *state,
			    struct ranchu_vring **vring)
{
	if (copy_from_user(state, argp, sizeof(*state)))
		return -EFAULT;
	*vring = vring_find(dev, state->index);
	return *vring ? 0 : -ENOBUFS;
}

static long vring_put_state(void __user *argp, const struct vhost_vring_state *state)
{
	return copy_to_user(argp, state, sizeof(*state)) ? -EFAULT : 0;
}

/**
 * ranchu_vring_set_num() - serve VHOST_SET_VRING_NUM
 * @dev: the device
 * @argp: struct vhost_vring_state
 *
 * Return:
 * * 0: done
 * * -EFAULT: @argp is no user memory
 * * -ENOBUFS: no such ring
 * * -EBUSY: it is running
 * * -EINVAL: 0, more than 32768, or no power of two though the ring is split
 */
long ranchu_vring_set_num(struct ranchu_vhost *dev, void __user *argp)
{
	bool packed = dev->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	struct vhost_vring_state state;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_state(dev, argp, &state, &vring);
	if (err)
		return err;
	if (!state.num || state.num > RANCHU_VQ_MAX_NUM ||
	    (!packed && !is_power_of_2(state.num)))
		return -EINVAL;

	mutex_lock(&vring->lock);
	if (vring->running)
		err = -EBUSY;
	else
		vring->setup.num = state.num;
	mutex_unlock(&vring->lock);
	return err;
}

/**
 * ranchu_vring_set_addr() - serve VHOST_SET_VRING_ADDR
 * @dev: the device
 * @argp: struct vhost_vring_addr
 *
 * A running ring moves: this is how a VMM turns its logging on and off.
 *
 * Return:
 * * 0: done
 * * -EFAULT: @argp is no user memory, or the ring is running and would not be
 * * -ENOBUFS: no such ring
 * * -EOPNOTSUPP: an unknown flag
 * * -EINVAL: an address that is not aligned
 */
long ranchu_vring_set_addr(struct ranchu_vhost *dev, void __user *argp)
{
	struct ranchu_vq_setup setup;
	struct vhost_vring_addr addr;
	struct ranchu_vring *vring;
	long err = 0;

	if (copy_from_user(&addr, argp, sizeof(addr)))
		return -EFAULT;
	vring = vring_find(dev, addr.index);
	if (!vring)
		return -ENOBUFS;
	if (addr.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(addr.avail_user_addr, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr.used_user_addr, VRING_USED_ALIGN_SIZE) ||
	    !IS_ALIGNED(addr.log_guest_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;

	mutex_lock(&vring->lock);
	setup = vring->setup;
	setup.desc = addr.desc_user_addr;
	setup.driver = addr.avail_user_addr;
	setup.device = addr.used_user_addr;
	setup.log_used = addr.flags & BIT(VHOST_VRING_F_LOG);
	setup.log_used_gpa = addr.log_guest_addr;
	if (vring->running)
		err = ranchu_vq_check(&setup) ?:
		      ranchu_vq_relocate(&vring->vq, &setup);
	if (!err)
		vring->setup = setup;
	mutex_unlock(&vring->lock);
	return err;
}

/**
 * ranchu_vring_set_base() - serve VHOST_SET_VRING_BASE
 * @dev: the device
 * @argp: struct vhost_vring_state; its number as ranchu_vq_base() has it
 *
 * Return:
 * * 0: done
 * * -EFAULT: @argp is no user memory
 * * -ENOBUFS: no such ring
 * * -EBUSY: it is running
 * * -EINVAL: more than 16 bits though the ring is split
 */
long ranchu_vring_set_base(struct ranchu_vhost *dev, void __user *argp)
{
	bool packed = dev->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	struct vhost_vring_state state;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_state(dev, argp, &state, &vring);
	if (err)
		return err;
	mutex_lock(&vring->lock);
	if (vring->running) {
		err = -EBUSY;
	} else if (!packed && state.num > U16_MAX) {
		err = -EINVAL;
	} else {
		vring->base = state.num;
		vring->base_set = true;
	}
	mutex_unlock(&vring->lock);
	return err;
}

/**
 * ranchu_vring_get_base() - serve VHOST_GET_VRING_BASE
 * @dev: the device
 * @argp: struct vhost_vring_state; its number is filled
 *
 * Of a running ring it is true for a moment only: stop the device first.
 *
 * Return: 0, -EFAULT if @argp is no user memory, or -ENOBUFS: no such ring.
 */
long ranchu_vring_get_base(struct ranchu_vhost *dev, void __user *argp)
{
	struct vhost_vring_state state;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_state(dev, argp, &state, &vring);
	if (err)
		return err;
	mutex_lock(&vring->lock);
	state.num = vring->running ? ranchu_vq_base(&vring->vq) :
				     vring_next_base(vring);
	mutex_unlock(&vring->lock);
	return vring_put_state(argp, &state);
}

static long vring_get_file(struct ranchu_vhost *dev, const void __user *argp,
			   struct vhost_vring_file *file,
			   struct ranchu_vring **vring)
{
	if (copy_from_user(file, argp, sizeof(*file)))
		return -EFAULT;
	*vring = vring_find(dev, file->index);
	return *vring ? 0 : -ENOBUFS;
}

static enum ranchu_serve vring_serve(const struct ranchu_vring *vring)
{
	const struct ranchu_vhost *dev = vring->dev;

	return dev->ops->in_vcpu & BIT(vring - dev->vrings) ? RANCHU_SERVE_VCPU :
							      RANCHU_SERVE_WORKER;
}

/**
 * ranchu_vring_set_kick() - serve VHOST_SET_VRING_KICK
 * @dev: the device
 * @argp: struct vhost_vring_file; VHOST_FILE_UNBIND takes the eventfd away
 *
 * Return: 0, -EFAULT if @argp is no user memory, -ENOBUFS: no such ring, or
 * what ranchu_doorbell_attach() says; then the old one stays.
 */
long ranchu_vring_set_kick(struct ranchu_vhost *dev, void __user *argp)
{
	struct ranchu_doorbell *kick = NULL;
	struct vhost_vring_file file;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_file(dev, argp, &file, &vring);
	if (err)
		return err;
	if (file.fd != VHOST_FILE_UNBIND) {
		kick = ranchu_doorbell_attach(file.fd, dev->mm, vring->worker,
					      vring_serve(vring), vring_rung,
					      vring);
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

static long vring_set_ctx(struct ranchu_vring *vring, struct eventfd_ctx **where,
			  int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	vring_swap_ctx(vring, where, ctx);
	return 0;
}

/**
 * ranchu_vring_set_call() - serve VHOST_SET_VRING_CALL
 * @dev: the device
 * @argp: struct vhost_vring_file; VHOST_FILE_UNBIND takes the eventfd away
 *
 * Return: 0, -EFAULT if @argp is no user memory, -ENOBUFS: no such ring, or
 * -EBADF or -EINVAL if there is no eventfd; then the old one stays.
 */
long ranchu_vring_set_call(struct ranchu_vhost *dev, void __user *argp)
{
	struct vhost_vring_file file;
	struct ranchu_vring *vring;

	return vring_get_file(dev, argp, &file, &vring) ?:
	       vring_set_ctx(vring, &vring->call, file.fd);
}

/**
 * ranchu_vring_set_err() - serve VHOST_SET_VRING_ERR
 * @dev: the device
 * @argp: struct vhost_vring_file; VHOST_FILE_UNBIND takes the eventfd away
 *
 * Return: as ranchu_vring_set_call().
 */
long ranchu_vring_set_err(struct ranchu_vhost *dev, void __user *argp)
{
	struct vhost_vring_file file;
	struct ranchu_vring *vring;

	return vring_get_file(dev, argp, &file, &vring) ?:
	       vring_set_ctx(vring, &vring->err, file.fd);
}

/**
 * ranchu_vring_set_busyloop() - serve VHOST_SET_VRING_BUSYLOOP_TIMEOUT
 * @dev: the device
 * @argp: struct vhost_vring_state; microseconds
 *
 * Taken note of. The worker polls nothing.
 *
 * Return: 0, -EFAULT if @argp is no user memory, or -ENOBUFS: no such ring.
 */
long ranchu_vring_set_busyloop(struct ranchu_vhost *dev, void __user *argp)
{
	struct vhost_vring_state state;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_state(dev, argp, &state, &vring);
	if (!err)
		vring->busyloop = state.num;
	return err;
}

/**
 * ranchu_vring_get_busyloop() - serve VHOST_GET_VRING_BUSYLOOP_TIMEOUT
 * @dev: the device
 * @argp: struct vhost_vring_state; its number is filled
 *
 * Return: 0, -EFAULT if @argp is no user memory, or -ENOBUFS: no such ring.
 */
long ranchu_vring_get_busyloop(struct ranchu_vhost *dev, void __user *argp)
{
	struct vhost_vring_state state;
	struct ranchu_vring *vring;
	long err;

	err = vring_get_state(dev, argp, &state, &vring);
	if (err)
		return err;
	state.num = vring->busyloop;
	return vring_put_state(argp, &state);
}
