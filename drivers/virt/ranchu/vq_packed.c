// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed virtqueues: one ring of descriptors that the driver makes available
 * in place and the device overwrites with used ones. Two flags and a wrap
 * counter on each side tell whose a descriptor is; a chain is descriptors in a
 * row. Indices are slots.
 *
 * Length, id and flags of a descriptor share an aligned 64-bit word, which we
 * read and write at once. So a used descriptor needs no barrier inside it, and
 * an available one that was seen is seen whole but for its address.
 * Source: virtio 2.8
 */
#include <linux/errno.h>

#include "vq.h"

#define PACKED_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED BIT(VRING_PACKED_DESC_F_USED)
#define PACKED_WRAP BIT(VRING_PACKED_EVENT_F_WRAP_CTR)

static struct vring_packed_desc __user *packed_slot(struct ranchu_vq *vq, u16 slot)
{
	return (struct vring_packed_desc __user *)vq->desc + slot;
}

static __le64 __user *packed_word(struct ranchu_vq *vq, u16 slot)
{
	return (__le64 __user *)&packed_slot(vq, slot)->len;
}

static __always_inline bool packed_is_avail(u16 flags, bool wrap)
{
	return (flags & (PACKED_AVAIL | PACKED_USED)) ==
	       (wrap ? PACKED_AVAIL : PACKED_USED);
}

/* Moves @slot on by @n, at most a whole ring; flips @wrap when it passes the end. */
static void packed_advance(const struct ranchu_vq *vq, u16 *slot, bool *wrap,
			   u32 n)
{
	u32 sum = *slot + n;

	if (sum >= vq->num) {
		sum -= vq->num;
		*wrap = !*wrap;
	}
	*slot = sum;
}

/* Reads the descriptor at next_avail, if it is available. Returns whether. */
static int packed_peek(struct ranchu_vq *vq, struct ranchu_vq_desc *desc)
{
	const __le64 __user *words =
		(const __le64 __user *)packed_slot(vq, vq->next_avail);
	__le64 addr, word;
	bool avail;

	if (!vq_open_descs(&words, 1))
		goto broken;
	unsafe_get_user(word, words + 1, fault);
	desc->word = le64_to_cpu(word);
	avail = packed_is_avail(vq_packed_flags(desc), vq->packed.avail_wrap);
	if (avail) {
		/* The rest of the chain after the flags. Pairs with the driver's. */
		smp_rmb();
		unsafe_get_user(addr, words, fault);
		desc->addr = le64_to_cpu(addr);
	}
	user_read_access_end();
	return avail;
fault:
	user_read_access_end();
broken:
	return vq_break(vq, RANCHU_VQ_RING_FAULT);
}

/* All descriptors after @desc, the first, as long as they go on. */
static int packed_walk(struct ranchu_vq *vq, struct vq_walk *walk,
		       struct ranchu_chain *chain, struct ranchu_vq_desc *desc)
{
	unsigned int slot = vq->next_avail, room = vq->num - vq->inflight;
	unsigned int limit = min(room, VQ_STRIDE);
	u16 flags = vq_packed_flags(desc);
	int err;

	for (; flags & VRING_DESC_F_NEXT; chain->slots++) {
		if (unlikely(chain->slots >= limit)) {
			err = ranchu_vq_walk_on(vq, chain->slots, room, &limit);
			if (err)
				return err;
		}
		if (++slot == vq->num)
			slot = 0;
		if (unlikely(vq_get_desc(packed_slot(vq, slot), desc)))
			return vq_break(vq, RANCHU_VQ_RING_FAULT);
		flags = vq_packed_flags(desc);
		if (unlikely(flags & VRING_DESC_F_INDIRECT))
			return vq_break(vq, RANCHU_VQ_INDIRECT);
		if (vq_add_buffer(vq, walk, desc->addr, vq_desc_len(desc),
				  flags & VRING_DESC_F_WRITE))
			return -EIO;
	}
	return 0;
}

static int packed_first(struct ranchu_vq *vq, struct vq_walk *walk,
			const struct ranchu_vq_desc *desc)
{
	u16 flags = vq_packed_flags(desc);

	if (!(flags & VRING_DESC_F_INDIRECT))
		return vq_add_buffer(vq, walk, desc->addr, vq_desc_len(desc),
				     flags & VRING_DESC_F_WRITE);
	if (flags & VRING_DESC_F_NEXT)
		return vq_break(vq, RANCHU_VQ_INDIRECT);
	return ranchu_vq_indirect(vq, walk, desc->addr, vq_desc_len(desc));
}

/* @chain is filled; @last is its last descriptor. Returns 1, for the caller to return. */
static __always_inline int packed_taken(struct ranchu_vq *vq, struct ranchu_chain *chain,
					const struct ranchu_vq_desc *last)
{
	chain->id = vq_packed_id(last);
	chain->pos = vq->next_avail;
	packed_advance(vq, &vq->next_avail, &vq->packed.avail_wrap, chain->slots);
	vq->inflight += chain->slots;
	return 1;
}

/* Takes any chain, whose first descriptor is @desc. See split_take(). */
static noinline int packed_take(struct ranchu_vq *vq, struct ranchu_chain *chain,
				struct ranchu_vq_desc desc)
{
	struct vq_walk walk;
	int err;

	vq_walk_init(&walk, vq, chain);
	err = packed_first(vq, &walk, &desc) ?: packed_walk(vq, &walk, chain, &desc);
	if (unlikely(err))
		return err == -EINTR ? 0 : err;
	vq_walk_end(&walk, chain);
	return packed_taken(vq, chain, &desc);
}

/**
 * ranchu_vq_packed_next() - see ranchu_vq_next()
 * @vq: the queue
 * @chain: filled
 *
 * Return: see there.
 */
int ranchu_vq_packed_next(struct ranchu_vq *vq, struct ranchu_chain *chain)
{
	struct ranchu_vq_desc desc;
	int ret;

	ret = packed_peek(vq, &desc);
	if (ret <= 0)
		return ret;
	/* The device has all slots, so this one was not made available anew. */
	if (unlikely(vq->inflight == vq->num))
		return vq_break(vq, RANCHU_VQ_AVAIL_INDEX);

	chain->slots = 1;
	if (!vq_only_buffer(vq, chain, &desc, vq_packed_flags(&desc)))
		return packed_take(vq, chain, desc);
	return packed_taken(vq, chain, &desc);
}

/**
 * ranchu_vq_packed_put_back() - see ranchu_vq_put_back()
 * @vq: the queue
 * @chain: the chain
 */
void ranchu_vq_packed_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain)
{
	if (chain->pos > vq->next_avail || chain->slots == vq->num)
		vq->packed.avail_wrap = !vq->packed.avail_wrap;
	vq->next_avail = chain->pos;
}

static int packed_write(struct ranchu_vq *vq, u16 slot, u64 word)
{
	__le64 __user *where = packed_word(vq, slot);

	if (vq_put(vq, cpu_to_le64(word), where))
		return -EIO;
	if (likely(!vq->log_used))
		return 0;
	return ranchu_vq_log_ring(vq, vq->desc, (void __user *)where - vq->desc,
			   sizeof(*where));
}

/* Keeps a used descriptor back: with it, the driver sees all that follow. */
static void packed_hold(struct ranchu_vq *vq, u64 word)
{
	vq->packed.held_slot = vq->next_used;
	vq->packed.held_flags = vq->packed.used_wrap ?
				PACKED_AVAIL | PACKED_USED : 0;
	vq->packed.held = word;
}

/*
 * In order, a batch of chains is one descriptor with the last chain's id in
 * the first chain's place, as long as all but the last were used completely.
 */
static int packed_push_in_order(struct ranchu_vq *vq,
				const struct ranchu_chain *chain, u32 written,
				u64 word)
{
	if (vq->pushed && !vq->held_full && ranchu_vq_packed_publish(vq))
		return -EIO;
	if (vq->pushed)
		vq->packed.held = word;
	else
		packed_hold(vq, word);
	vq->held_full = written == chain->in_len;
	return 0;
}

/**
 * ranchu_vq_packed_push() - see ranchu_vq_push()
 * @vq: the queue
 * @chain: the chain
 * @written: bytes
 *
 * The first used descriptor since the last publish is held back, and with it
 * all that follow: the driver looks at them one after the other.
 *
 * Return: see there.
 * Source: virtio 2.8.8 (in order), 2.8.13
 */
int ranchu_vq_packed_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
			  u32 written)
{
	u64 word = written | (u64)chain->id << 32;
	int err = 0;

	if (written)
		word |= (u64)VRING_DESC_F_WRITE << 48;
	if (unlikely(vq->in_order)) {
		err = packed_push_in_order(vq, chain, written, word);
	} else if (!vq->pushed) {
		packed_hold(vq, word);
	} else {
		if (vq->packed.used_wrap)
			word |= (u64)(PACKED_AVAIL | PACKED_USED) << 48;
		err = packed_write(vq, vq->next_used, word);
	}
	if (unlikely(err))
		return err;
	packed_advance(vq, &vq->next_used, &vq->packed.used_wrap, chain->slots);
	vq->pushed += chain->slots;
	return 0;
}

/**
 * ranchu_vq_packed_publish() - see ranchu_vq_publish()
 * @vq: the queue; something was pushed
 *
 * Return: see there.
 */
int ranchu_vq_packed_publish(struct ranchu_vq *vq)
{
	/* Buffers and later descriptors before the first. Pairs with the driver's. */
	smp_wmb();
	if (packed_write(vq, vq->packed.held_slot,
			 vq->packed.held | (u64)vq->packed.held_flags << 48))
		return -EIO;
	vq_published(vq);
	return 0;
}

/**
 * ranchu_vq_packed_must_call() - see ranchu_vq_must_call()
 * @vq: the queue
 *
 * Return: 1 or 0, or -EIO.
 * Source: virtio 2.8.10
 */
int ranchu_vq_packed_must_call(struct ranchu_vq *vq)
{
	__le32 __user *event = vq->driver;
	u32 uncalled = vq->uncalled;
	u16 where, new;
	bool wrap;
	__le32 raw;

	vq->uncalled = 0;
	if (vq_get(vq, raw, event))
		return -EIO;
	switch (le32_to_cpu(raw) >> 16 & 3) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return 0;
	case VRING_PACKED_EVENT_FLAG_DESC:
		if (vq->event_idx && uncalled <= vq->num)
			break;
		fallthrough;
	default:
		return 1;
	}

	/*
	 * Slots since the start of the lap that the next slot to publish is
	 * in; one of the lap before is negative, and wraps in all three.
	 */
	new = vq->pushed ? vq->packed.held_slot : vq->next_used;
	wrap = vq->pushed ? vq->packed.held_flags : vq->packed.used_wrap;
	where = le32_to_cpu(raw) & (PACKED_WRAP - 1);
	if (!!(le32_to_cpu(raw) & PACKED_WRAP) != wrap)
		where -= vq->num;
	return vring_need_event(where, new, new - uncalled);
}

static int packed_tell(struct ranchu_vq *vq, u16 where, u16 flags)
{
	__le32 __user *event = vq->device;

	/* Both fields at once, so neither is seen with the other's old value. */
	if (vq_put(vq, cpu_to_le32(where | (u32)flags << 16), event))
		return -EIO;
	return ranchu_vq_log_ring(vq, vq->device, 0, sizeof(*event));
}

/**
 * ranchu_vq_packed_enable_kicks() - see ranchu_vq_enable_kicks()
 * @vq: the queue
 *
 * Return: 1 or 0, or -EIO.
 */
int ranchu_vq_packed_enable_kicks(struct ranchu_vq *vq)
{
	struct ranchu_vq_desc desc;
	int err;

	if (vq->event_idx)
		err = packed_tell(vq, vq->next_avail |
				  (vq->packed.avail_wrap ? PACKED_WRAP : 0),
				  VRING_PACKED_EVENT_FLAG_DESC);
	else
		err = packed_tell(vq, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	if (err)
		return err;
	/*
	 * Say that we listen, then look; the driver makes something available,
	 * then looks whether we listen. Pairs with the barrier before its kick.
	 */
	smp_mb();
	return packed_peek(vq, &desc);
}

/**
 * ranchu_vq_packed_disable_kicks() - see ranchu_vq_disable_kicks()
 * @vq: the queue
 *
 * With event indices, too: the slot that we named comes round every other lap.
 *
 * Return: 0, or -EIO.
 */
int ranchu_vq_packed_disable_kicks(struct ranchu_vq *vq)
{
	return packed_tell(vq, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}
