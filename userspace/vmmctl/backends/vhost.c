// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front end of a device that a backend serves: passes the features and the queues that the
 * driver has set up. How a vhost device of the kernel, a process behind a socket and a vDPA
 * device are controlled is in vhost_kernel.c, vhost_user.c and vhost_vdpa.c, each a struct
 * vmm_vhost_ops.
 *
 * Source: VIRTIO 1.2, 2.7 and 2.8, for the meaning and size of a queue's three areas.
 */
#include <errno.h>
#include <stdio.h>
#include <stdarg.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "backends/backends.h"

/* Ring features that are offered to drivers; packed rings are optional. */
#define VHOST_RING_FEATURES	(1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
				 1ULL << VIRTIO_RING_F_EVENT_IDX | \
				 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_IN_ORDER)

/* A packed ring begins in its first slot, with both wrap counters 1. */
#define VHOST_PACKED_BASE	0x80008000

/**
 * vmm_vhost_blame - report an error that a guest has caused
 * @vhost: the device
 * @err: as for vmm_error()
 * @fmt: as for vmm_error()
 *
 * As vmm_virtio_blame().
 *
 * Return: -errno
 */
int vmm_vhost_blame(struct vmm_vhost *vhost, int err, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return vmm_virtio_blame(vhost->v, err, text);
}

static int vhost_broken(void *arg)
{
	struct vmm_vhost *vhost = arg;

	if (vmm_virtio_fail_if(vhost->v, vhost->err_fd))
		vmm_vhost_blame(vhost, -EIO, "the guest broke a ring");
	return 0;
}

/**
 * vmm_vhost_watch - watch for rings that the guest breaks
 * @vhost: @err_fd exists
 *
 * Return: 0, or -errno
 */
int vmm_vhost_watch(struct vmm_vhost *vhost)
{
	vhost->err_fd = vmm_event_create();
	if (vhost->err_fd < 0)
		return vhost->err_fd;
	return vmm_loop_add(vhost->v->vm->loop, vhost->err_fd, vhost_broken, vhost);
}

/**
 * vmm_vhost_close - free a backend
 * @vhost: stopped, or never started
 */
void vmm_vhost_close(struct vmm_vhost *vhost)
{
	if (vhost->ops->close)
		vhost->ops->close(vhost);
	if (vhost->fd >= 0)
		close(vhost->fd);
	if (vhost->err_fd >= 0) {
		vmm_loop_del(vhost->v->vm->loop, vhost->err_fd);
		close(vhost->err_fd);
	}
	vhost->fd = -1;
	vhost->err_fd = -1;
}

/**
 * vmm_vhost_offer - set the features that the guest is offered
 * @vhost: open
 * @device_features: bits 0 to 23 that the model knows
 *
 * Return: 0, or -EOPNOTSUPP
 */
int vmm_vhost_offer(struct vmm_vhost *vhost, u64 device_features)
{
	u64 offer = vhost->features & (VHOST_RING_FEATURES | device_features);
	u64 packed = 1ULL << VIRTIO_F_RING_PACKED;

	if (vhost->v->legacy)
		offer &= ~(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_IN_ORDER);
	else if (!(offer & 1ULL << VIRTIO_F_VERSION_1))
		return vmm_error(-EOPNOTSUPP, "%s does not support virtio 1.0", vhost->node);
	if (vhost->v->vm->cfg->virtio_packed && !vhost->v->legacy) {
		if (!(vhost->features & packed))
			return vmm_error(-EOPNOTSUPP, "%s has no packed rings (--virtio-packed)",
					 vhost->node);
		offer |= packed;
	}
	vhost->v->offered = offer;
	return 0;
}

/**
 * vmm_vhost_ring - describe a queue to its backend
 * @vhost: open
 * @index: of the queue, which the driver has made ready
 * @ring: filled; its base is that of an unused ring, unless the device was loaded
 *
 * Return: as vmm_virtio_queue_find()
 */
int vmm_vhost_ring(const struct vmm_vhost *vhost, unsigned int index, struct vmm_vhost_ring *ring)
{
	const struct vmm_virtio *v = vhost->v;
	const struct vmm_virtio_queue *q = &v->queue[index];
	u32 fresh = vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED) ? VHOST_PACKED_BASE : 0;

	*ring = (struct vmm_vhost_ring){
		.num = q->num,
		.base = vmm_virtio_queue_base(v, index, fresh),
		.kick_fd = q->kick_fd,
		.call_fd = vmm_virtio_call_fd(v, index),
		.err_fd = vhost->err_fd,
	};
	return vmm_virtio_queue_find(v, index, ring->area);
}

static int ring_set(struct vmm_vhost *vhost, unsigned int index)
{
	struct vmm_vhost_ring ring;
	int err;

	err = vmm_vhost_ring(vhost, index, &ring);
	if (!err)
		err = vhost->ops->set_ring(vhost, index, &ring);
	if (err)
		return vmm_vhost_blame(vhost, -err, "%s refuses queue %u as the guest set it up",
				       vhost->node, index);
	return 0;
}

/**
 * vmm_vhost_start - pass the driver's features and queues to the backend
 * @vhost: open, stopped
 * @rings: queues 0 to @rings - 1 are passed
 *
 * The model of a kernel device starts it afterwards.
 *
 * Return: 0, or -errno with nothing passed
 */
int vmm_vhost_start(struct vmm_vhost *vhost, unsigned int rings)
{
	u64 features = vmm_virtio_for_backend(vhost->v) & vhost->features;
	int err;

	err = vhost->ops->set_features(vhost, features);
	if (err)
		return vmm_vhost_blame(vhost, -err, "%s refuses the features 0x%llx", vhost->node,
				       features);
	for (vhost->rings = 0; vhost->rings < rings; vhost->rings++) {
		err = ring_set(vhost, vhost->rings);
		if (err)
			goto err_stop;
	}
	if (!vhost->ops->run)
		return 0;
	err = vhost->ops->run(vhost, true);
	if (!err)
		return 0;
	vmm_vhost_blame(vhost, -err, "%s does not start", vhost->node);
err_stop:
	vmm_vhost_stop(vhost);
	return err;
}

/**
 * vmm_vhost_stop - take the queues back
 * @vhost: stopped by its model, if that has started it
 *
 * A later kick has no effect.
 */
void vmm_vhost_stop(struct vmm_vhost *vhost)
{
	while (vhost->rings) {
		vhost->rings--;
		if (vhost->ops->stop_ring)
			vhost->ops->stop_ring(vhost, vhost->rings);
	}
	if (vhost->ops->run)
		vhost->ops->run(vhost, false);
	vmm_event_clear(vhost->err_fd);
}

/**
 * vmm_vhost_ready - count the queues that the driver uses
 * @v: being started
 *
 * A driver may use fewer queues than there are; the first ones.
 *
 * Return: how many; 1 if it uses none, which is refused later
 */
unsigned int vmm_vhost_ready(const struct vmm_virtio *v)
{
	unsigned int rings = 1;

	while (rings < v->queues && v->queue[rings].ready)
		rings++;
	return rings;
}
