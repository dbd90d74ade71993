// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues: a descriptor table, a ring of heads that the driver makes
 * available, a ring of heads that the device has used. Indices run freely and
 * count chains.
 * Source: virtio 2.7
 */
#include <linux/errno.h>

#include "vq.h"

static struct vring_avail __user *split_avail(struct ranchu_vq *vq)
{
	return vq->driver;
}

static struct vring_used __user *split_used(struct ranchu_vq *vq)
{
	return vq->device;
}

/* The two event indices lie behind the ring of the side that writes them. */
static __virtio16 __user *split_used_event(struct ranchu_vq *vq)
{
	return &split_avail(vq)->ring[vq->num];
}

static __virtio16 __user *split_avail_event(struct ranchu_vq *vq)
{
	return (__virtio16 __user *)&split_used(vq)->ring[vq->num];
}

static u16 split_to_cpu(__virtio16 val)
{
	return le16_to_cpu((__force __le16)val);
}

static __virtio16 split_from_cpu(u16 val)
{
	return (__force __virtio16)cpu_to_le16(val);
}

/* Any offset in the used ring by the address of what was written there. */
static int split_log(struct ranchu_vq *vq, const void __user *uaddr,
		     unsigned int len)
{
	if (likely(!vq->log_used))
		return 0;
	return ranchu_vq_log_ring(vq, vq->device, uaddr - vq->device, len);
}

/**
 * ranchu_vq_split_start() - go on where the used ring stands
 * @vq: located; @next_avail is set
 *
 * Return: 0, or -EIO.
 */
int ranchu_vq_split_start(struct ranchu_vq *vq)
{
	__virtio16 idx;

	if (vq_get(vq, idx, &split_used(vq)->idx))
		return -EIO;
	vq->next_used = split_to_cpu(idx);
	vq->split.seen = vq->next_avail;
	return 0;
}

/* Looks what the driver has made available. Returns whether there is anything. */
static int split_look(struct ranchu_vq *vq)
{
	__virtio16 raw;
	u16 idx;

	if (vq_get(vq, raw, &split_avail(vq)->idx))
		return -EIO;
	idx = split_to_cpu(raw);
	if (idx == vq->next_avail)
		return 0;
	if ((u16)(idx - vq->next_avail) > vq->num - vq->inflight)
		return vq_break(vq, RANCHU_VQ_AVAIL_INDEX);
	vq->split.seen = idx;
	/* Heads and descriptors after the index. Pairs with the driver's. */
	smp_rmb();
	return 1;
}

static __always_inline int split_walk(struct ranchu_vq *vq, struct vq_walk *walk,
				      struct ranchu_vq_desc *desc)
{
	const struct vring_desc __user *table = vq->desc;
	unsigned int i, seen = 0, limit = min(vq->num, VQ_STRIDE);
	u16 flags;
	int err;

	for (;;) {
		flags = vq_split_flags(desc);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (flags & VRING_DESC_F_NEXT)
				return vq_break(vq, RANCHU_VQ_INDIRECT);
			return ranchu_vq_indirect(vq, walk, desc->addr,
					   vq_desc_len(desc));
		}
		if (vq_add_buffer(vq, walk, desc->addr, vq_desc_len(desc),
				  flags & VRING_DESC_F_WRITE))
			return -EIO;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = vq_split_link(desc);
		if (unlikely(i >= vq->num))
			return vq_break(vq, RANCHU_VQ_NEXT);
		if (unlikely(++seen >= limit)) {
			err = ranchu_vq_walk_on(vq, seen, vq->num, &limit);
			if (err)
				return err;
		}
		if (unlikely(vq_get_desc(table + i, desc)))
			return vq_break(vq, RANCHU_VQ_RING_FAULT);
	}
}

/* @chain is filled; it starts at @head. Returns 1, for the caller to return. */
static __always_inline int split_taken(struct ranchu_vq *vq, struct ranchu_chain *chain, u16 head)
{
	chain->id = head;
	chain->slots = 1;
	chain->pos = vq->next_avail;
	vq->next_avail++;
	vq->inflight++;
	return 1;
}

/*
 * Takes any chain, whose first descriptor is @desc. Never inline: ranchu_vq_split_next()
 * would save registers for it that a chain of one buffer does not need.
 */
static noinline int split_take(struct ranchu_vq *vq, struct ranchu_chain *chain, u16 head,
			       struct ranchu_vq_desc desc)
{
	struct vq_walk walk;
	int err;

	vq_walk_init(&walk, vq, chain);
	err = split_walk(vq, &walk, &desc);
	if (unlikely(err))
		return err == -EINTR ? 0 : err;
	vq_walk_end(&walk, chain);
	return split_taken(vq, chain, head);
}

/**
 * ranchu_vq_split_next() - see ranchu_vq_next()
 * @vq: the queue
 * @chain: filled
 *
 * Return: see there.
 */
int ranchu_vq_split_next(struct ranchu_vq *vq, struct ranchu_chain *chain)
{
	const struct vring_desc __user *table = vq->desc;
	struct ranchu_vq_desc desc;
	__virtio16 raw;
	u16 head;
	int ret;

	if (vq->split.seen == vq->next_avail) {
		ret = split_look(vq);
		if (ret <= 0)
			return ret;
	}
	if (vq_get(vq, raw,
		   &split_avail(vq)->ring[vq->next_avail & (vq->num - 1)]))
		return -EIO;
	head = split_to_cpu(raw);
	if (unlikely(head >= vq->num))
		return vq_break(vq, RANCHU_VQ_HEAD);

	if (unlikely(vq_get_desc(table + head, &desc)))
		return vq_break(vq, RANCHU_VQ_RING_FAULT);
	if (!vq_only_buffer(vq, chain, &desc, vq_split_flags(&desc)))
		return split_take(vq, chain, head, desc);
	return split_taken(vq, chain, head);
}

/**
 * ranchu_vq_split_put_back() - see ranchu_vq_put_back()
 * @vq: the queue
 * @chain: the chain
 */
void ranchu_vq_split_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain)
{
	vq->next_avail--;
}

static int split_write(struct ranchu_vq *vq, u16 index, u16 id, u32 len)
{
	vring_used_elem_t __user *elem =
		&split_used(vq)->ring[index & (vq->num - 1)];
	/* Aligned to its size only if the ring is; two halves then, and no harm. */
	u64 word = id | (u64)len << 32;

	if (vq_put(vq, cpu_to_le64(word), (__le64 __user *)elem))
		return -EIO;
	return split_log(vq, elem, sizeof(*elem));
}

/**
 * ranchu_vq_split_push() - see ranchu_vq_push()
 * @vq: the queue
 * @chain: the chain
 * @written: bytes
 *
 * In order, a batch of chains is one element with the last chain's id in the
 * first chain's place, as long as all but the last were used completely.
 *
 * Return: see there.
 * Source: virtio 2.7.9
 */
int ranchu_vq_split_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
			 u32 written)
{
	if (!vq->in_order) {
		if (split_write(vq, vq->next_used, chain->id, written))
			return -EIO;
	} else {
		if (vq->pushed && !vq->held_full && ranchu_vq_split_publish(vq))
			return -EIO;
		vq->split.held_id = chain->id;
		vq->split.held_len = written;
		vq->held_full = written == chain->in_len;
	}
	vq->next_used++;
	vq->pushed++;
	return 0;
}

/**
 * ranchu_vq_split_publish() - see ranchu_vq_publish()
 * @vq: the queue; something was pushed
 *
 * Return: see there.
 */
int ranchu_vq_split_publish(struct ranchu_vq *vq)
{
	__virtio16 __user *idx = &split_used(vq)->idx;

	if (vq->in_order && split_write(vq, vq->next_used - vq->pushed,
					vq->split.held_id, vq->split.held_len))
		return -EIO;
	/* Buffers and elements before the index. Pairs with the driver's. */
	smp_wmb();
	if (vq_put(vq, split_from_cpu(vq->next_used), idx) ||
	    split_log(vq, idx, sizeof(*idx)))
		return -EIO;
	vq_published(vq);
	return 0;
}

/**
 * ranchu_vq_split_must_call() - see ranchu_vq_must_call()
 * @vq: the queue
 *
 * Return: 1 or 0, or -EIO.
 * Source: virtio 2.7.7 and 2.7.8
 */
int ranchu_vq_split_must_call(struct ranchu_vq *vq)
{
	u16 old = vq->next_used - vq->pushed - vq->uncalled;
	u32 uncalled = vq->uncalled;
	__virtio16 raw;

	vq->uncalled = 0;
	if (vq->call_on_empty && !vq->inflight &&
	    vq->split.seen == vq->next_avail)
		return 1;
	if (!vq->event_idx) {
		if (vq_get(vq, raw, &split_avail(vq)->flags))
			return -EIO;
		return !(split_to_cpu(raw) & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (uncalled > U16_MAX)
		return 1;
	if (vq_get(vq, raw, split_used_event(vq)))
		return -EIO;
	return vring_need_event(split_to_cpu(raw), vq->next_used - vq->pushed,
				old);
}

static int split_tell(struct ranchu_vq *vq, u16 val, void __user *where)
{
	__virtio16 __user *field = where;

	if (vq_put(vq, split_from_cpu(val), field))
		return -EIO;
	return split_log(vq, field, sizeof(*field));
}

/**
 * ranchu_vq_split_enable_kicks() - see ranchu_vq_enable_kicks()
 * @vq: the queue
 *
 * Return: 1 or 0, or -EIO.
 */
int ranchu_vq_split_enable_kicks(struct ranchu_vq *vq)
{
	int err;

	if (vq->event_idx)
		err = split_tell(vq, vq->next_avail, split_avail_event(vq));
	else
		err = split_tell(vq, 0, &split_used(vq)->flags);
	if (err)
		return err;
	if (vq->split.seen != vq->next_avail)
		return 1;
	/*
	 * Say that we listen, then look; the driver makes something available,
	 * then looks whether we listen. Pairs with the barrier before its kick.
	 */
	smp_mb();
	return split_look(vq);
}

/**
 * ranchu_vq_split_disable_kicks() - see ranchu_vq_disable_kicks()
 * @vq: the queue
 *
 * With event indices there is nothing to do: the one that we gave lies behind,
 * and the driver passes it again after 65536 chains.
 *
 * Return: 0, or -EIO.
 */
int ranchu_vq_split_disable_kicks(struct ranchu_vq *vq)
{
	if (vq->event_idx)
		return 0;
	return split_tell(vq, VRING_USED_F_NO_NOTIFY, &split_used(vq)->flags);
}
