// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for queues with VIRTIO_F_IN_ORDER, both layouts, which the kernel's
 * does not know. Chains are used in the order in which they were made
 * available, so the driver keeps them in a queue of its own; one used element
 * stands for all chains up to the one it names, and those before that one were
 * written completely.
 * Source: virtio 1.2, 2.7 and 2.8, above all 2.7.9 and 2.8.8
 */
#include <stdio.h>
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "vq_diff.h"

#define PACKED_AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1 << VRING_PACKED_DESC_F_USED)
#define PACKED_BOTH (PACKED_AVAIL | PACKED_USED)
#define PACKED_WRAP (1 << VRING_PACKED_EVENT_F_WRAP_CTR)

/* A chain that was made available. */
struct inorder_chain {
	void *token;
	void *table;
	u32 in_len;
	u16 id;
	u16 slots;
};

/**
 * struct inorder - the queue
 * @packed: and so on: what was negotiated
 * @num: queue size
 * @free: descriptors that are free
 * @next: the next free descriptor, or slot
 * @next_wrap: packed: the wrap counter there
 * @id: packed: the next chain's id
 * @chains: available ones, from @first on, @outstanding of them
 * @ready: of these, how many are known to be used
 * @ready_len: length of the last of them
 * @last_used: split: index; packed: slot
 * @last_wrap: packed: the wrap counter there
 * @kicked: where the driver stood when it last asked whether to kick: split:
 *	index; packed: slots added since
 */
struct inorder {
	bool packed, indirect, event;
	u32 num, free, next;
	bool next_wrap;
	u16 id;
	struct inorder_chain chains[VQ_MAX_NUM];
	unsigned int first, outstanding, ready;
	u32 ready_len;
	u16 last_used;
	bool last_wrap;
	u16 kicked;
	volatile struct vring_desc *desc;
	volatile struct vring_packed_desc *slot;
	volatile struct vring_avail *avail;
	volatile struct vring_used *used;
	volatile struct vring_packed_desc_event *driver, *device;
};

/* One queue at a time. */
static struct inorder queue;

static volatile u16 *used_event(struct inorder *q)
{
	return &q->avail->ring[q->num];
}

static u16 avail_event(struct inorder *q)
{
	return *(volatile u16 *)&q->used->ring[q->num];
}

static bool has(const struct vq_ring *ring, unsigned int feature)
{
	return ring->features >> feature & 1;
}

/* All slots as a lap before @last_used left them. */
static void inorder_start_packed(struct inorder *q, u32 base)
{
	u32 i;

	q->last_used = base & 0x7fff;
	q->last_wrap = base & 0x8000;
	for (i = 0; i < q->num; i++)
		q->slot[i].flags = (i < q->last_used) == q->last_wrap ? PACKED_BOTH : 0;
	q->next = q->last_used;
	q->next_wrap = q->last_wrap;
}

static void inorder_start_split(struct inorder *q, u32 base)
{
	q->last_used = base;
	q->kicked = base;
	q->avail->idx = base;
	q->used->idx = base;
	*used_event(q) = base;
}

static void *ring_part(size_t len)
{
	len = (len + 4095) & ~4095UL;
	return memset(arena_alloc(len), 0, len);
}

static void *inorder_create(struct vq_ring *ring, u32 base)
{
	struct inorder *q = &queue;

	memset(q, 0, sizeof(*q));
	q->packed = has(ring, VIRTIO_F_RING_PACKED);
	q->indirect = has(ring, VIRTIO_RING_F_INDIRECT_DESC);
	q->event = has(ring, VIRTIO_RING_F_EVENT_IDX);
	q->num = ring->num;
	q->free = ring->num;
	ring->desc = (uintptr_t)ring_part(16 * ring->num);
	ring->driver = (uintptr_t)ring_part(6 + 2 * ring->num);
	ring->device = (uintptr_t)ring_part(6 + 8 * ring->num);
	q->desc = (void *)(uintptr_t)ring->desc;
	q->slot = (void *)(uintptr_t)ring->desc;
	q->avail = (void *)(uintptr_t)ring->driver;
	q->driver = (void *)(uintptr_t)ring->driver;
	q->used = (void *)(uintptr_t)ring->device;
	q->device = (void *)(uintptr_t)ring->device;
	if (q->packed)
		inorder_start_packed(q, base);
	else
		inorder_start_split(q, base);
	return q;
}

static void inorder_destroy(void *q)
{
}

static u16 write_flag(const struct vq_ranges *bufs, unsigned int i)
{
	return i < bufs->n_out ? 0 : VRING_DESC_F_WRITE;
}

/* An indirect table, whose descriptors both layouts can read: NEXT and a link. */
static void *make_table(struct inorder *q, const struct vq_ranges *bufs,
			unsigned int n)
{
	struct vring_desc *table;
	unsigned int i;

	if (!q->indirect || n == 1)
		return NULL;
	table = arena_alloc(n * sizeof(*table));
	if (!table)
		return NULL;
	for (i = 0; i < n; i++) {
		u16 flags = write_flag(bufs, i);

		table[i].addr = bufs->range[i].addr;
		table[i].len = bufs->range[i].len;
		if (q->packed) {
			((struct vring_packed_desc *)table)[i].flags = flags;
			continue;
		}
		table[i].flags = flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		table[i].next = i + 1;
	}
	return table;
}

static void put_split(struct inorder *q, u64 addr, u32 len, u16 flags)
{
	volatile struct vring_desc *desc = &q->desc[q->next];

	q->next = (q->next + 1) % q->num;
	desc->addr = addr;
	desc->len = len;
	desc->flags = flags;
	desc->next = q->next;
}

/* Of the first descriptor, returns the flags, which are to be written last. */
static u16 put_packed(struct inorder *q, u64 addr, u32 len, u16 flags, bool first)
{
	volatile struct vring_packed_desc *desc = &q->slot[q->next];

	flags |= q->next_wrap ? PACKED_AVAIL : PACKED_USED;
	desc->addr = addr;
	desc->len = len;
	desc->id = q->id;
	if (!first)
		desc->flags = flags;
	if (++q->next == q->num) {
		q->next = 0;
		q->next_wrap = !q->next_wrap;
	}
	return flags;
}

static void add_split(struct inorder *q, const struct vq_ranges *bufs,
		      struct inorder_chain *chain, unsigned int n)
{
	unsigned int i;

	chain->id = q->next;
	if (chain->table)
		put_split(q, (uintptr_t)chain->table, n * sizeof(struct vring_desc),
			  VRING_DESC_F_INDIRECT);
	for (i = 0; i < n && !chain->table; i++)
		put_split(q, bufs->range[i].addr, bufs->range[i].len,
			  write_flag(bufs, i) | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
	q->avail->ring[q->avail->idx % q->num] = chain->id;
	__sync_synchronize();
	q->avail->idx++;
}

static void add_packed(struct inorder *q, const struct vq_ranges *bufs,
		       struct inorder_chain *chain, unsigned int n)
{
	u32 i, head = q->next;
	u16 flags = 0;

	chain->id = q->id;
	if (chain->table)
		flags = put_packed(q, (uintptr_t)chain->table,
				   n * sizeof(struct vring_packed_desc),
				   VRING_DESC_F_INDIRECT, true);
	for (i = 0; i < n && !chain->table; i++) {
		u16 put = put_packed(q, bufs->range[i].addr, bufs->range[i].len,
				     write_flag(bufs, i) |
				     (i + 1 < n ? VRING_DESC_F_NEXT : 0), !i);

		flags = i ? flags : put;
	}
	__sync_synchronize();
	q->slot[head].flags = flags;
	q->id = (q->id + 1) % q->num;
	q->kicked += chain->slots;
}

static unsigned int inorder_add(void *queue, const struct vq_ranges *bufs, void *token)
{
	unsigned int i, n = bufs->n_out + bufs->n_in;
	struct inorder *q = queue;
	struct inorder_chain *chain;

	if (!q->free || (n > q->free && !q->indirect))
		return 0;
	chain = &q->chains[(q->first + q->outstanding) % q->num];
	memset(chain, 0, sizeof(*chain));
	chain->table = make_table(q, bufs, n);
	chain->slots = chain->table ? 1 : n;
	if (chain->slots > q->free)
		return 0;
	chain->token = token;
	for (i = bufs->n_out; i < n; i++)
		chain->in_len += bufs->range[i].len;
	q->free -= chain->slots;
	q->outstanding++;
	if (q->packed)
		add_packed(q, bufs, chain, n);
	else
		add_split(q, bufs, chain, n);
	return chain->slots;
}

static bool kick_packed(struct inorder *q)
{
	u16 where = q->device->off_wrap, flags = q->device->flags;
	u16 new = q->next, old = new - q->kicked;

	q->kicked = 0;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* As slots of this lap; what is of the lap before becomes negative. */
	if (!!(where & PACKED_WRAP) == q->next_wrap)
		where &= PACKED_WRAP - 1;
	else
		where = (where & (PACKED_WRAP - 1)) - q->num;
	return vring_need_event(where, new, old);
}

static bool inorder_kick(void *queue)
{
	struct inorder *q = queue;
	u16 old = q->kicked;

	__sync_synchronize();
	if (q->packed)
		return kick_packed(q);
	q->kicked = q->avail->idx;
	if (q->event)
		return vring_need_event(avail_event(q), q->kicked, old);
	return !(q->used->flags & VRING_USED_F_NO_NOTIFY);
}

static bool more_used(const struct inorder *q)
{
	u16 flags;

	if (!q->packed)
		return q->used->idx != q->last_used;
	flags = q->slot[q->last_used].flags & PACKED_BOTH;
	return flags == (q->last_wrap ? PACKED_BOTH : 0);
}

/* Up to the chain with @id all are used: moves on behind it. */
static void take_batch(struct inorder *q, u32 id, u32 len)
{
	unsigned int i;

	for (i = 0; i < q->outstanding; i++) {
		const struct inorder_chain *chain =
			&q->chains[(q->first + i) % q->num];

		q->last_used += q->packed ? chain->slots : 1;
		if (q->packed && q->last_used >= q->num) {
			q->last_used -= q->num;
			q->last_wrap = !q->last_wrap;
		}
		if (chain->id == id)
			break;
	}
	if (i == q->outstanding)
		vq_fail("the device used chain %u, which it does not have", id);
	q->ready = i + 1;
	q->ready_len = len;
	if (!q->packed && (u16)(q->used->idx - q->last_used) > q->outstanding - q->ready)
		vq_fail("the batch up to chain %u ends behind the used index", id);
}

static void *inorder_get(void *queue, u32 *len)
{
	struct inorder *q = queue;
	struct inorder_chain *chain;

	if (!q->ready) {
		volatile struct vring_used_elem *elem;
		volatile struct vring_packed_desc *slot;

		if (!more_used(q))
			return NULL;
		__sync_synchronize();
		if (q->packed) {
			slot = &q->slot[q->last_used];
			take_batch(q, slot->id, slot->len);
		} else {
			elem = &q->used->ring[q->last_used % q->num];
			take_batch(q, elem->id, elem->len);
		}
	}
	chain = &q->chains[q->first];
	q->first = (q->first + 1) % q->num;
	q->outstanding--;
	q->free += chain->slots;
	*len = --q->ready ? chain->in_len : q->ready_len;
	if (chain->table)
		arena_free(chain->table);
	return chain->token;
}

static void inorder_disable_calls(void *queue)
{
	struct inorder *q = queue;

	if (q->packed)
		q->driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	else
		q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

static bool inorder_enable_calls(void *queue)
{
	struct inorder *q = queue;

	if (q->packed) {
		q->driver->off_wrap = q->last_used | (q->last_wrap ? PACKED_WRAP : 0);
		__sync_synchronize();
		q->driver->flags = q->event ? VRING_PACKED_EVENT_FLAG_DESC :
					      VRING_PACKED_EVENT_FLAG_ENABLE;
	} else {
		*used_event(q) = q->last_used;
		q->avail->flags = 0;
	}
	__sync_synchronize();
	return !q->ready && !more_used(q);
}

static void inorder_interrupt(void *queue)
{
}

const struct vq_driver driver_inorder = {
	.create = inorder_create,
	.destroy = inorder_destroy,
	.add = inorder_add,
	.kick = inorder_kick,
	.get = inorder_get,
	.disable_calls = inorder_disable_calls,
	.enable_calls = inorder_enable_calls,
	.enable_calls_late = inorder_enable_calls,
	.interrupt = inorder_interrupt,
};
