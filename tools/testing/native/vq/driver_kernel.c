// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's driver as a vq_driver. virtio_ring.c itself is compiled beside
 * this file, with its memory from the arena.
 */
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio_ring_api.h"
#include "vq_diff.h"

/* What the kernel's shim leaves to the program. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

static struct virtio_device vdev;
/* The driver kicked of its own accord. */
static bool kicked;

static bool queue_notify(struct virtqueue *vq)
{
	kicked = true;
	return true;
}

static void queue_callback(struct virtqueue *vq)
{
}

static void *queue_create(struct vq_ring *ring, u32 base)
{
	struct virtqueue *vq;

	memset(&vdev, 0, sizeof(vdev));
	vdev.features = ring->features;
	INIT_LIST_HEAD(&vdev.vqs);
	spin_lock_init(&vdev.vqs_list_lock);
	kicked = false;
	vq = vring_create_virtqueue(0, ring->num, 4096, &vdev, true, false, false,
				    queue_notify, queue_callback, "diff");
	if (!vq)
		vq_fail("the driver cannot make a queue");
	ring->desc = virtqueue_get_desc_addr(vq);
	ring->driver = virtqueue_get_avail_addr(vq);
	ring->device = virtqueue_get_used_addr(vq);
	return vq;
}

static void queue_destroy(void *queue)
{
	while (virtqueue_detach_unused_buf(queue))
		;
	vring_del_virtqueue(queue);
}

static void queue_sg(struct scatterlist *sg, const struct vq_range *range,
		     unsigned int n)
{
	unsigned int i;

	sg_init_table(sg, n);
	for (i = 0; i < n; i++)
		sg_set_buf(&sg[i], (void *)(unsigned long)range[i].addr,
			   range[i].len);
}

static unsigned int queue_add(void *queue, const struct vq_ranges *bufs,
			      void *token)
{
	struct scatterlist out[VQ_MAX_BUFS], in[VQ_MAX_BUFS];
	struct scatterlist *sgs[2] = { out, in };
	struct virtqueue *vq = queue;
	unsigned int room = vq->num_free;

	if (bufs->n_out)
		queue_sg(out, bufs->range, bufs->n_out);
	else
		sgs[0] = in;
	if (bufs->n_in)
		queue_sg(in, bufs->range + bufs->n_out, bufs->n_in);
	if (virtqueue_add_sgs(vq, sgs, !!bufs->n_out, !!bufs->n_in, token,
			      GFP_KERNEL))
		return 0;
	return room - vq->num_free;
}

static bool queue_kick(void *queue)
{
	bool kick = virtqueue_kick_prepare(queue) || kicked;

	kicked = false;
	return kick;
}

static void *queue_get(void *queue, u32 *len)
{
	return virtqueue_get_buf(queue, len);
}

static void queue_disable_calls(void *queue)
{
	virtqueue_disable_cb(queue);
}

static bool queue_enable_calls(void *queue)
{
	return virtqueue_enable_cb(queue);
}

static bool queue_enable_calls_late(void *queue)
{
	return virtqueue_enable_cb_delayed(queue);
}

static void queue_interrupt(void *queue)
{
	vring_interrupt(0, queue);
}

const struct vq_driver driver_kernel = {
	.create = queue_create,
	.destroy = queue_destroy,
	.add = queue_add,
	.kick = queue_kick,
	.get = queue_get,
	.disable_calls = queue_disable_calls,
	.enable_calls = queue_enable_calls,
	.enable_calls_late = queue_enable_calls_late,
	.interrupt = queue_interrupt,
};
