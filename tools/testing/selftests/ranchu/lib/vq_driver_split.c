// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues, the driver's end.
 * Source: virtio 1.2, section 2.7
 */
#include "vq_driver.h"

static uint16_t *used_event(const struct vq_ring *ring)
{
	return &vq_avail(ring)->ring[ring->num];
}

static const uint16_t *avail_event(const struct vq_ring *ring)
{
	return (const uint16_t *)&vq_used(ring)->ring[ring->num];
}

static void fill_table(struct vq_ring *ring, int table, const struct vq_buf *bufs,
		       unsigned int out, unsigned int n)
{
	struct vring_desc *desc = vq_table(ring, table);
	unsigned int i;

	for (i = 0; i < n; i++)
		desc[i] = (struct vring_desc){
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.flags = (i < out ? 0 : VRING_DESC_F_WRITE) |
				 (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next = i + 1,
		};
}

static void fill_ring(struct vq_ring *ring, uint16_t id, const struct vq_buf *bufs,
		      unsigned int out, unsigned int n)
{
	struct vring_desc *desc;
	unsigned int i;

	for (i = 0; i < n; i++) {
		desc = &vq_descs(ring)[id];
		desc->addr = bufs[i].gpa;
		desc->len = bufs[i].len;
		desc->flags = i < out ? 0 : VRING_DESC_F_WRITE;
		if (i + 1 == n)
			break;
		ring->ids[id].next = vq_fifo_get(&ring->free);
		desc->flags |= VRING_DESC_F_NEXT;
		desc->next = ring->ids[id].next;
		id = desc->next;
	}
}

void vq_split_add(struct vq_ring *ring, uint16_t id, const struct vq_buf *bufs,
		  unsigned int out, unsigned int n)
{
	int table = ring->ids[id].table;

	if (table >= 0) {
		fill_table(ring, table, bufs, out, n);
		vq_descs(ring)[id] = (struct vring_desc){
			.addr = ring->table_gpa +
				table * VQ_TABLE_DESCS * sizeof(struct vring_desc),
			.len = n * sizeof(struct vring_desc),
			.flags = VRING_DESC_F_INDIRECT,
		};
	} else {
		fill_ring(ring, id, bufs, out, n);
	}
	vq_avail(ring)->ring[ring->avail % ring->num] = id;
	ring->avail++;
	ring->added++;
}

void vq_split_publish(struct vq_ring *ring)
{
	__atomic_store_n(&vq_avail(ring)->idx, ring->avail, __ATOMIC_RELEASE);
}

bool vq_split_must_kick(struct vq_ring *ring)
{
	uint16_t event;

	if (!(ring->features & VQ_EVENT))
		return !(__atomic_load_n(&vq_used(ring)->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n(avail_event(ring), __ATOMIC_RELAXED);
	return vring_need_event(event, ring->avail, ring->avail - ring->unkicked);
}

bool vq_split_used(const struct vq_ring *ring, struct vq_done *done)
{
	const struct vring_used *used = vq_used(ring);

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == ring->used)
		return false;
	done->id = used->ring[ring->used % ring->num].id;
	done->len = used->ring[ring->used % ring->num].len;
	return true;
}

/* Without event index there is a flag; with it, an index that just passed. */
void vq_split_calls(struct vq_ring *ring, bool on, unsigned int after)
{
	uint16_t event = on ? ring->used + after : ring->used - 1u;
	uint16_t flags = on ? 0 : VRING_AVAIL_F_NO_INTERRUPT;

	if (ring->features & VQ_EVENT)
		__atomic_store_n(used_event(ring), event, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&vq_avail(ring)->flags, flags, __ATOMIC_RELAXED);
}
