// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect descriptor tables: tables of descriptors anywhere in guest memory.
 * Source: virtio 2.7.5.3 (split), 2.8.7 (packed)
 */
#include <linux/errno.h>

#include "vq.h"

/*
 * Where a table lies. Almost always it is contiguous in the owner's memory; if
 * not, each descriptor is looked up by itself.
 */
struct vq_table {
	u64 gpa;
	const struct vring_desc __user *uaddr;
	unsigned int n;
};

/* Where a table lies if it is in the region that held the last buffer. */
static const void __user *vq_table_near(const struct vq_walk *walk, u64 addr, u32 len)
{
	const struct ranchu_mem_region *region = walk->region;
	u64 offset, last;

	if (!region)
		return NULL;
	/* Unsigned: an address below the region gives an offset that is too large. */
	offset = addr - region->first;
	last = region->last - region->first;
	if (offset > last || len - 1 > last - offset)
		return NULL;
	return u64_to_user_ptr(region->uaddr + offset);
}

static __always_inline int vq_table_find(struct ranchu_vq *vq, const struct vq_walk *walk,
					 struct vq_table *table, u64 addr, u32 len)
{
	struct iovec iov;
	int n;

	if (!len || len % sizeof(struct vring_desc) ||
	    len / sizeof(struct vring_desc) > walk->max)
		return vq_break(vq, RANCHU_VQ_INDIRECT_LENGTH);
	if (!walk->table)
		return vq_break(vq, RANCHU_VQ_ADDRESS);
	table->gpa = addr;
	table->n = len / sizeof(struct vring_desc);
	table->uaddr = vq_table_near(walk, addr, len);
	if (table->uaddr)
		return 0;
	n = ranchu_mem_table_iov(walk->table, addr, len, &iov, 1);
	if (n < 0 && n != -E2BIG)
		return vq_break(vq, RANCHU_VQ_ADDRESS);
	table->uaddr = n == 1 ? iov.iov_base : NULL;
	return 0;
}

/* Reads descriptors from the @i-th on. Returns how many, or 0: the queue is broken. */
static noinline unsigned int vq_table_read_slow(struct ranchu_vq *vq,
						const struct vq_table *table, unsigned int i)
{
	__le64 raw[2];

	if (ranchu_mem_read(vq->mem, table->gpa + i * sizeof(raw), raw, sizeof(raw))) {
		vq_break(vq, RANCHU_VQ_ADDRESS);
		return 0;
	}
	vq->descs[0].addr = le64_to_cpu(raw[0]);
	vq->descs[0].word = le64_to_cpu(raw[1]);
	return 1;
}

static __always_inline unsigned int vq_table_read(struct ranchu_vq *vq,
						  const struct vq_table *table, unsigned int i)
{
	unsigned int n = min(table->n - i, RANCHU_VQ_DESCS);

	if (unlikely(!table->uaddr))
		return vq_table_read_slow(vq, table, i);
	if (likely(!vq_get_descs(table->uaddr + i, vq->descs, n)))
		return n;
	vq_break(vq, RANCHU_VQ_ADDRESS);
	return 0;
}

/* Descriptors are linked, from the first on. */
static int vq_indirect_split(struct ranchu_vq *vq, struct vq_walk *walk,
			     const struct vq_table *table)
{
	unsigned int i = 0, first = 0, n = 0, seen = 0;
	const struct ranchu_vq_desc *desc;
	u16 flags;

	for (;;) {
		if (i - first >= n) {
			first = i;
			n = vq_table_read(vq, table, first);
			if (!n)
				return -EIO;
		}
		desc = &vq->descs[i - first];
		flags = vq_split_flags(desc);
		if (flags & VRING_DESC_F_INDIRECT)
			return vq_break(vq, RANCHU_VQ_INDIRECT);
		if (vq_add_buffer(vq, walk, desc->addr, vq_desc_len(desc),
				  flags & VRING_DESC_F_WRITE))
			return -EIO;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = vq_split_link(desc);
		if (i >= table->n)
			return vq_break(vq, RANCHU_VQ_NEXT);
		if (++seen >= table->n)
			return vq_break(vq, RANCHU_VQ_LOOP);
	}
}

/* All descriptors of the table, in order; only the write flag counts. */
static int vq_indirect_packed(struct ranchu_vq *vq, struct vq_walk *walk,
			      const struct vq_table *table)
{
	const struct ranchu_vq_desc *desc, *end = vq->descs;
	unsigned int i, n;

	for (i = 0, desc = end; i < table->n; i++, desc++) {
		if (desc == end) {
			n = vq_table_read(vq, table, i);
			if (!n)
				return -EIO;
			desc = vq->descs;
			end = desc + n;
		}
		if (vq_packed_flags(desc) & VRING_DESC_F_INDIRECT)
			return vq_break(vq, RANCHU_VQ_INDIRECT);
		if (vq_add_buffer(vq, walk, desc->addr, vq_desc_len(desc),
				  vq_packed_flags(desc) & VRING_DESC_F_WRITE))
			return -EIO;
	}
	return 0;
}

/**
 * ranchu_vq_indirect() - add the buffers of an indirect table to a chain
 * @vq: the queue
 * @walk: the chain so far
 * @addr: guest address of the table; any number the guest came up with
 * @len: bytes; the same
 *
 * Return: 0, or -EIO if the queue is now broken.
 */
int ranchu_vq_indirect(struct ranchu_vq *vq, struct vq_walk *walk, u64 addr, u32 len)
{
	struct vq_table table;

	if (!vq->indirect)
		return vq_break(vq, RANCHU_VQ_INDIRECT);
	if (vq_table_find(vq, walk, &table, addr, len))
		return -EIO;
	return vq->is_packed ? vq_indirect_packed(vq, walk, &table) :
			       vq_indirect_split(vq, walk, &table);
}
