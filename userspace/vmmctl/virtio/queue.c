// SPDX-License-Identifier: GPL-2.0-only
/*
 * The addresses of a virtqueue's parts. Every queue that is given to a backend (the kernel, another
 * process, a thread of vmmctl) is checked here once, with the features that were negotiated
 * when the device started; no other code computes the address of a ring.
 *
 * Source: VIRTIO 1.2, 2.7 (split: sizes, alignment, 2.7.7 and 2.7.8 for the event
 * indices) and 2.8 (packed: 2.8.10.1).
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio/virtio.h"

#define QUEUE_PACKED_MAX	32768	/* entries, by the width of a descriptor's index */

/**
 * struct queue_part - a part of a queue, before it was found in guest RAM
 * @gpa: guest physical address
 * @len: bytes
 * @align: alignment of the address
 */
struct queue_part {
	u64 gpa;
	u64 len;
	u64 align;
};

static void split_parts(const struct vmm_virtio_queue *q, bool event_idx, struct queue_part *part)
{
	u64 event = event_idx ? 2 : 0;

	part[0] = (struct queue_part){ q->desc, 16ULL * q->num, 16 };
	part[1] = (struct queue_part){ q->driver, 4 + 2ULL * q->num + event, 2 };
	part[2] = (struct queue_part){ q->device, 4 + 8ULL * q->num + event, 4 };
}

static void packed_parts(const struct vmm_virtio_queue *q, struct queue_part *part)
{
	part[0] = (struct queue_part){ q->desc, 16ULL * q->num, 16 };
	part[1] = (struct queue_part){ q->driver, 4, 4 };
	part[2] = (struct queue_part){ q->device, 4, 4 };
}

/**
 * vmm_virtio_queue_size_fits - return whether a queue can have so many entries
 * @v: the device, with the features that the driver has accepted so far
 * @num: how many
 *
 * Return: whether it can
 */
bool vmm_virtio_queue_size_fits(const struct vmm_virtio *v, u32 num)
{
	if (!num || num > v->queue_max)
		return false;
	if (vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED))
		return num <= QUEUE_PACKED_MAX;
	return !(num & (num - 1));
}

/**
 * vmm_virtio_queue_find - check a queue and find its parts
 * @v: the device, which is being started or runs; its lock is held
 * @index: of the queue
 * @area: filled: descriptors, the driver's area, the device's
 *
 * Return: 0; -EINVAL if the driver has not made it ready, or for a size or an alignment
 *	that a queue cannot have; -EFAULT if not all of it is guest RAM
 */
int vmm_virtio_queue_find(const struct vmm_virtio *v, unsigned int index,
			  struct vmm_queue_area area[3])
{
	bool packed = vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED);
	const struct vmm_virtio_queue *q = &v->queue[index];
	struct queue_part part[3];
	unsigned int i;

	if (index >= v->queues || !q->ready || !vmm_virtio_queue_size_fits(v, q->num))
		return -EINVAL;
	if (packed)
		packed_parts(q, part);
	else
		split_parts(q, vmm_virtio_accepted(v, VIRTIO_RING_F_EVENT_IDX), part);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		if (part[i].gpa % part[i].align)
			return -EINVAL;
		area[i].gpa = part[i].gpa;
		area[i].len = part[i].len;
		area[i].hva = vmm_mem_ptr(&v->vm->mem, part[i].gpa, part[i].len);
		if (!area[i].hva)
			return -EFAULT;
	}
	return 0;
}
