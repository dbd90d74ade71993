/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the virtqueue engine share: access to the ring's memory,
 * and adding buffers to a chain. vq.c has what is the same for both layouts,
 * vq_split.c and vq_packed.c one layout each, vq_indirect.c indirect tables.
 */
#ifndef _RANCHU_VQ_H
#define _RANCHU_VQ_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/ranchu_vq.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/ranchu.h>

#include "mem_table.h"

/* The most bytes in a chain. Source: virtio 2.7.5.2 */
#define VQ_MAX_CHAIN_BYTES BIT_ULL(32)

/* So many descriptors of a chain are read before others have their turn of the CPU. */
#define VQ_STRIDE 1024

/* Both layouts have the length first. */
static inline u32 vq_desc_len(const struct ranchu_vq_desc *desc)
{
	return desc->word;
}

/* struct vring_desc */
static inline u16 vq_split_flags(const struct ranchu_vq_desc *desc)
{
	return desc->word >> 32;
}

static inline u16 vq_split_link(const struct ranchu_vq_desc *desc)
{
	return desc->word >> 48;
}

/* struct vring_packed_desc */
static inline u16 vq_packed_id(const struct ranchu_vq_desc *desc)
{
	return desc->word >> 32;
}

static __always_inline u16 vq_packed_flags(const struct ranchu_vq_desc *desc)
{
	return desc->word >> 48;
}

/**
 * vq_break() - note that the guest lied
 * @vq: the queue, of no use until it is started again
 * @fault: how
 *
 * Return: -EIO, for the caller to return.
 */
static inline int vq_break(struct ranchu_vq *vq, enum ranchu_vq_fault fault)
{
	vq->fault = fault;
	return -EIO;
}

/**
 * struct vq_walk - where one ranchu_vq_next() stands
 * @table: the guest's memory
 * @region: of it, where the last address was found; NULL: none was
 * @iov: where the next buffer goes
 * @end: behind the last that there is room for
 * @max: room for so many altogether
 * @in: the first writable one; NULL before there is any
 * @bytes: of all buffers so far
 * @out_len: of the readable ones, once there is a writable one
 */
struct vq_walk {
	const struct ranchu_mem_table *table;
	const struct ranchu_mem_region *region;
	struct iovec *iov;
	struct iovec *end;
	u16 max;
	struct iovec *in;
	u64 bytes;
	u64 out_len;
};

static inline void vq_walk_init(struct vq_walk *walk, struct ranchu_vq *vq,
				const struct ranchu_chain *chain)
{
	walk->table = srcu_dereference(vq->mem->table, &vq->mem->srcu);
	walk->region = walk->table && vq->region < walk->table->n ?
		       &walk->table->regions[vq->region] : NULL;
	walk->iov = chain->iov;
	walk->end = chain->iov + chain->max;
	walk->max = chain->max;
	walk->in = NULL;
	walk->bytes = 0;
}

/* All buffers have been added. */
static inline void vq_walk_end(const struct vq_walk *walk, struct ranchu_chain *chain)
{
	if (!walk->in) {
		chain->n_out = walk->iov - chain->iov;
		chain->n_in = 0;
		chain->out_len = walk->bytes;
		chain->in_len = 0;
	} else {
		chain->n_out = walk->in - chain->iov;
		chain->n_in = walk->iov - walk->in;
		chain->out_len = walk->out_len;
		chain->in_len = walk->bytes - walk->out_len;
	}
}

/* vq.c */
int ranchu_vq_add_buffer_slow(struct ranchu_vq *vq, struct vq_walk *walk, u64 addr,
			      u32 len, bool write);
int ranchu_vq_walk_on(struct ranchu_vq *vq, unsigned int seen, unsigned int most,
		      unsigned int *limit);
int ranchu_vq_log_ring(struct ranchu_vq *vq, const void __user *start,
		       unsigned int offset, unsigned int len);

/* vq_indirect.c */
int ranchu_vq_indirect(struct ranchu_vq *vq, struct vq_walk *walk, u64 addr, u32 len);

/* vq_split.c */
int ranchu_vq_split_next(struct ranchu_vq *vq, struct ranchu_chain *chain);
void ranchu_vq_split_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain);
int ranchu_vq_split_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
			 u32 written);
int ranchu_vq_split_publish(struct ranchu_vq *vq);
int ranchu_vq_split_must_call(struct ranchu_vq *vq);
int ranchu_vq_split_enable_kicks(struct ranchu_vq *vq);
int ranchu_vq_split_disable_kicks(struct ranchu_vq *vq);
int ranchu_vq_split_start(struct ranchu_vq *vq);

/* vq_packed.c */
int ranchu_vq_packed_next(struct ranchu_vq *vq, struct ranchu_chain *chain);
void ranchu_vq_packed_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain);
int ranchu_vq_packed_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
			  u32 written);
int ranchu_vq_packed_publish(struct ranchu_vq *vq);
int ranchu_vq_packed_must_call(struct ranchu_vq *vq);
int ranchu_vq_packed_enable_kicks(struct ranchu_vq *vq);
int ranchu_vq_packed_disable_kicks(struct ranchu_vq *vq);

/*
 * Ring fields are read and written whole: each is aligned (ranchu_vq_check()
 * sees to the ring, nobody to indirect tables, where it is of no consequence)
 * and no larger than a word, so the driver never sees half of one, nor we.
 */
#define vq_get(vq, val, uptr)						\
	(unlikely(get_user(val, uptr)) ?				\
	 vq_break(vq, RANCHU_VQ_RING_FAULT) : 0)
#define vq_put(vq, val, uptr)						\
	(unlikely(put_user(val, uptr)) ?				\
	 vq_break(vq, RANCHU_VQ_RING_FAULT) : 0)

/*
 * Opens @n descriptors at @words for unsafe_get_user(), which begins with the first.
 * Where the address can be masked that needs no barrier against speculation.
 */
static __always_inline bool vq_open_descs(const __le64 __user **words, unsigned int n)
{
	if (can_do_masked_user_access()) {
		*words = masked_user_access_begin(*words);
		return true;
	}
	return user_read_access_begin(*words, n * sizeof(struct vring_desc));
}

/* Reads @n descriptors whose owner has already been seen to have written them. */
static __always_inline int vq_get_descs(const void __user *uaddr, struct ranchu_vq_desc *descs,
					unsigned int n)
{
	const __le64 __user *words = uaddr;
	__le64 addr, word;
	unsigned int i;

	if (!vq_open_descs(&words, n))
		return -EFAULT;
	for (i = 0; i < n; i++, words += 2) {
		unsafe_get_user(addr, words, fault);
		unsafe_get_user(word, words + 1, fault);
		descs[i].addr = le64_to_cpu(addr);
		descs[i].word = le64_to_cpu(word);
	}
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

static __always_inline int vq_get_desc(const void __user *uaddr, struct ranchu_vq_desc *desc)
{
	return vq_get_descs(uaddr, desc, 1);
}

/*
 * Adds a buffer to the chain: one iovec, and in the region that held the last
 * buffer, almost always.
 */
static __always_inline int vq_add_buffer(struct ranchu_vq *vq,
					 struct vq_walk *walk, u64 addr,
					 u32 len, bool write)
{
	const struct ranchu_mem_region *region = walk->region;
	u64 offset, last;

	if (unlikely(!region || walk->iov == walk->end || (walk->in && !write)))
		goto slow;
	/*
	 * Unsigned: an address below the region gives an offset, and a length of 0
	 * gives a last byte, that are too large for any region.
	 */
	offset = addr - region->first;
	last = region->last - region->first;
	if (unlikely(offset > last || (u64)len - 1 > last - offset))
		goto slow;
	if (write && !walk->in) {
		walk->in = walk->iov;
		walk->out_len = walk->bytes;
	}
	walk->bytes += len;
	if (unlikely(walk->bytes > VQ_MAX_CHAIN_BYTES))
		return vq_break(vq, RANCHU_VQ_TOO_LARGE);
	walk->iov->iov_base = u64_to_user_ptr(region->uaddr + offset);
	walk->iov->iov_len = len;
	walk->iov++;
	return 0;
slow:
	return ranchu_vq_add_buffer_slow(vq, walk, addr, len, write);
}

/*
 * Fills a chain that is @desc alone, in the region that held the last buffer: most are.
 * It needs no struct vq_walk, so all of it stays in registers. Returns false, with
 * nothing filled, if the chain is not such a one. @flags are the descriptor's.
 */
static __always_inline bool vq_only_buffer(const struct ranchu_vq *vq, struct ranchu_chain *chain,
					   const struct ranchu_vq_desc *desc, u16 flags)
{
	const struct ranchu_mem_table *table = srcu_dereference(vq->mem->table, &vq->mem->srcu);
	const struct ranchu_mem_region *region;
	u32 len = vq_desc_len(desc);
	u64 offset, last;

	if (flags & (VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT))
		return false;
	if (unlikely(!table || vq->region >= table->n || !chain->max))
		return false;
	region = &table->regions[vq->region];
	/* Unsigned, as in vq_add_buffer(). */
	offset = desc->addr - region->first;
	last = region->last - region->first;
	if (unlikely(offset > last || (u64)len - 1 > last - offset))
		return false;
	chain->iov->iov_base = u64_to_user_ptr(region->uaddr + offset);
	chain->iov->iov_len = len;
	if (flags & VRING_DESC_F_WRITE) {
		chain->n_out = 0;
		chain->n_in = 1;
		chain->out_len = 0;
		chain->in_len = len;
	} else {
		chain->n_out = 1;
		chain->n_in = 0;
		chain->out_len = len;
		chain->in_len = 0;
	}
	return true;
}

/* What was pushed has become the driver's to see. */
static inline void vq_published(struct ranchu_vq *vq)
{
	u32 sum = vq->uncalled + vq->pushed;

	vq->uncalled = sum < vq->pushed ? U32_MAX : sum;
	vq->pushed = 0;
}

#endif /* _RANCHU_VQ_H */
