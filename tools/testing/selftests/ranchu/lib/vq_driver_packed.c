// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed virtqueues, the driver's end.
 * Source: virtio 1.2, section 2.8
 */
#include "vq_driver.h"

#define EVENT_WRAP (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

void vq_packed_advance(const struct vq_ring *ring, uint16_t *slot, bool *wrap,
		       unsigned int n)
{
	unsigned int sum = *slot + n;

	if (sum >= ring->num) {
		sum -= ring->num;
		*wrap = !*wrap;
	}
	*slot = sum;
}

/* Puts a descriptor into the next slot. The first since the last time waits. */
static void put(struct vq_ring *ring, struct vring_packed_desc desc)
{
	struct vring_packed_desc *slot = &vq_slots(ring)[ring->avail];

	desc.flags |= ring->avail_wrap ? VQ_AVAIL_FLAG : VQ_USED_FLAG;
	slot->addr = desc.addr;
	slot->len = desc.len;
	slot->id = desc.id;
	if (ring->added) {
		__atomic_store_n(&slot->flags, desc.flags, __ATOMIC_RELEASE);
	} else {
		ring->first_slot = ring->avail;
		ring->first_flags = desc.flags;
	}
	vq_packed_advance(ring, &ring->avail, &ring->avail_wrap, 1);
	ring->added++;
	ring->slots--;
}

static void fill_table(struct vq_ring *ring, int table, const struct vq_buf *bufs,
		       unsigned int out, unsigned int n)
{
	struct vring_packed_desc *desc = (void *)vq_table(ring, table);
	unsigned int i;

	for (i = 0; i < n; i++)
		desc[i] = (struct vring_packed_desc){
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.flags = i < out ? 0 : VRING_DESC_F_WRITE,
		};
}

void vq_packed_add(struct vq_ring *ring, uint16_t id, const struct vq_buf *bufs,
		   unsigned int out, unsigned int n)
{
	int table = ring->ids[id].table;
	unsigned int i;

	if (table >= 0) {
		fill_table(ring, table, bufs, out, n);
		put(ring, (struct vring_packed_desc){
			.addr = ring->table_gpa +
				table * VQ_TABLE_DESCS * sizeof(struct vring_desc),
			.len = n * sizeof(struct vring_packed_desc),
			.id = id,
			.flags = VRING_DESC_F_INDIRECT,
		});
		return;
	}
	for (i = 0; i < n; i++)
		put(ring, (struct vring_packed_desc){
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.id = id,
			.flags = (i < out ? 0 : VRING_DESC_F_WRITE) |
				 (i + 1 < n ? VRING_DESC_F_NEXT : 0),
		});
}

void vq_packed_publish(struct vq_ring *ring)
{
	__atomic_store_n(&vq_slots(ring)[ring->first_slot].flags,
			 ring->first_flags, __ATOMIC_RELEASE);
}

bool vq_packed_must_kick(struct vq_ring *ring)
{
	const uint32_t *where = (const void *)vq_device_event(ring);
	uint32_t event = __atomic_load_n(where, __ATOMIC_RELAXED);
	uint16_t slot = event & (EVENT_WRAP - 1);

	switch (event >> 16) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return true;
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	}
	if (!!(event & EVENT_WRAP) != ring->avail_wrap)
		slot -= ring->num;
	return vring_need_event(slot, ring->avail, ring->avail - ring->unkicked);
}

bool vq_packed_used(const struct vq_ring *ring, struct vq_done *done)
{
	const struct vring_packed_desc *slot = &vq_slots(ring)[ring->used];
	uint16_t flags = __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE);

	if (!!(flags & VQ_AVAIL_FLAG) != ring->used_wrap ||
	    !!(flags & VQ_USED_FLAG) != ring->used_wrap)
		return false;
	done->id = slot->id;
	/* Without the flag nothing was written and the length means nothing. */
	done->len = flags & VRING_DESC_F_WRITE ? slot->len : 0;
	return true;
}

void vq_packed_calls(struct vq_ring *ring, bool on, unsigned int after)
{
	uint32_t *where = (void *)vq_driver_event(ring);
	uint16_t slot = ring->used;
	bool wrap = ring->used_wrap;
	uint32_t event;

	if (!on) {
		event = (uint32_t)VRING_PACKED_EVENT_FLAG_DISABLE << 16;
	} else if (ring->features & VQ_EVENT) {
		vq_packed_advance(ring, &slot, &wrap, after);
		event = (uint32_t)VRING_PACKED_EVENT_FLAG_DESC << 16 |
			(wrap ? EVENT_WRAP : 0) | slot;
	} else {
		event = (uint32_t)VRING_PACKED_EVENT_FLAG_ENABLE << 16;
	}
	__atomic_store_n(where, event, __ATOMIC_RELAXED);
}
