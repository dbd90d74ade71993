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

/**
 * struct vq_desc - a descriptor, as it was read, once
 * @addr: guest address of the buffer
 * @word: the other half, in the host's byte order; see the functions below
 */
struct vq_desc {
	u64 addr;
	u64 word;
};

/* Both layouts have the length first. */
static inline u32 vq_desc_len(const struct vq_desc *desc)
{
	return desc->word;
}

/* struct vring_desc */
static inline u16 vq_split_flags(const struct vq_desc *desc)
{
	return desc->word >> 32;
}

static inline u16 vq_split_link(const struct vq_desc *desc)
{
	return desc->word >> 48;
}

/* struct vring_packed_desc */
static inline u16 vq_packed_id(const struct vq_desc *desc)
{
	return desc->word >> 32;
}

static inline u16 vq_packed_flags(const struct vq_desc *desc)
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
 * @chain: what is filled
 * @bytes: of all buffers so far
 * @writable: a writable buffer was seen
 */
struct vq_walk {
	const struct ranchu_mem_table *table;
	struct ranchu_chain *chain;
	u64 bytes;
	bool writable;
};

static inline void vq_walk_init(struct vq_walk *walk, struct ranchu_vq *vq,
				struct ranchu_chain *chain)
{
	walk->table = srcu_dereference(vq->mem->table, &vq->mem->srcu);
	walk->chain = chain;
	walk->bytes = 0;
	walk->writable = false;
	chain->n_out = 0;
	chain->n_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
}

/* vq.c */
int ranchu_vq_add_buffer_slow(struct ranchu_vq *vq, struct vq_walk *walk, u64 addr,
			      u32 len, bool write);
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
 * Opens the descriptor at @words for unsafe_get_user(). Where the address can
 * be masked that needs no barrier against speculation.
 */
static __always_inline bool vq_open_desc(const __le64 __user **words)
{
	if (can_do_masked_user_access()) {
		*words = masked_user_access_begin(*words);
		return true;
	}
	return user_read_access_begin(*words, sizeof(struct vring_desc));
}

/* Reads a descriptor whose owner has already been seen to have written it. */
static inline int vq_get_desc(const void __user *uaddr, struct vq_desc *desc)
{
	const __le64 __user *words = uaddr;
	__le64 addr, word;

	if (!vq_open_desc(&words))
		return -EFAULT;
	unsafe_get_user(addr, words, fault);
	unsafe_get_user(word, words + 1, fault);
	user_read_access_end();
	desc->addr = le64_to_cpu(addr);
	desc->word = le64_to_cpu(word);
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/*
 * Adds a buffer to the chain: one iovec, and in the region that held the last
 * buffer, almost always.
 */
static __always_inline int vq_add_buffer(struct ranchu_vq *vq,
					 struct vq_walk *walk, u64 addr,
					 u32 len, bool write)
{
	struct ranchu_chain *chain = walk->chain;
	const struct ranchu_mem_table *table = walk->table;
	const struct ranchu_mem_region *region;
	struct iovec *iov;

	if (unlikely(!table || vq->region >= table->n || !len ||
		     (walk->writable && !write) ||
		     chain->n_out + chain->n_in >= chain->max))
		goto slow;
	region = &table->regions[vq->region];
	if (addr < region->first || addr > region->last ||
	    len - 1 > region->last - addr)
		goto slow;
	walk->bytes += len;
	if (unlikely(walk->bytes > VQ_MAX_CHAIN_BYTES))
		return vq_break(vq, RANCHU_VQ_TOO_LARGE);
	iov = &chain->iov[chain->n_out + chain->n_in];
	iov->iov_base = u64_to_user_ptr(region->uaddr + (addr - region->first));
	iov->iov_len = len;
	if (write) {
		walk->writable = true;
		chain->n_in++;
		chain->in_len += len;
	} else {
		chain->n_out++;
		chain->out_len += len;
	}
	return 0;
slow:
	return ranchu_vq_add_buffer_slow(vq, walk, addr, len, write);
}

/* What was pushed has become the driver's to see. */
static inline void vq_published(struct ranchu_vq *vq)
{
	u32 sum = vq->uncalled + vq->pushed;

	vq->uncalled = sum < vq->pushed ? U32_MAX : sum;
	vq->pushed = 0;
}

#endif /* _RANCHU_VQ_H */
