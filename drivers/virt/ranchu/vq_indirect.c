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
static const void __user *vq_table_near(const struct ranchu_vq *vq,
					const struct vq_walk *walk,
					u64 addr, u32 len)
{
	const struct ranchu_mem_region *region;
	u64 offset, size_1;

	if (vq->region >= walk->table->n)
		return NULL;
	region = &walk->table->regions[vq->region];
	/* What lies before the region wraps, to behind it. */
	offset = addr - region->first;
	size_1 = region->last - region->first;
	if (offset > size_1 || len - 1 > size_1 - offset)
		return NULL;
	return u64_to_user_ptr(region->uaddr + offset);
}

static int vq_table_find(struct ranchu_vq *vq, const struct vq_walk *walk,
			 struct vq_table *table, u64 addr, u32 len)
{
	struct iovec iov;
	int n;

	if (!len || len % sizeof(struct vring_desc) ||
	    len / sizeof(struct vring_desc) > walk->chain->max)
		return vq_break(vq, RANCHU_VQ_INDIRECT_LENGTH);
	if (!walk->table)
		return vq_break(vq, RANCHU_VQ_ADDRESS);
	table->gpa = addr;
	table->n = len / sizeof(struct vring_desc);
	table->uaddr = vq_table_near(vq, walk, addr, len);
	if (table->uaddr)
		return 0;
	n = ranchu_mem_table_iov(walk->table, addr, len, &iov, 1);
	if (n < 0 && n != -E2BIG)
		return vq_break(vq, RANCHU_VQ_ADDRESS);
	table->uaddr = n == 1 ? iov.iov_base : NULL;
	return 0;
}

static int vq_table_get(struct ranchu_vq *vq, const struct vq_table *table,
			unsigned int i, struct vq_desc *desc)
{
	__le64 raw[2];
	int err;

	if (likely(table->uaddr)) {
		err = vq_get_desc(table->uaddr + i, desc);
	} else {
		err = ranchu_mem_read(vq->mem, table->gpa + i * sizeof(raw),
				      raw, sizeof(raw));
		desc->addr = le64_to_cpu(raw[0]);
		desc->word = le64_to_cpu(raw[1]);
	}
	return err ? vq_break(vq, RANCHU_VQ_ADDRESS) : 0;
}

/* Descriptors are linked, from the first on. */
static int vq_indirect_split(struct ranchu_vq *vq, struct vq_walk *walk,
			     const struct vq_table *table)
{
	unsigned int i = 0, seen = 0;
	struct vq_desc desc;
	u16 flags;

	for (;;) {
		if (vq_table_get(vq, table, i, &desc))
			return -EIO;
		flags = vq_split_flags(&desc);
		if (flags & VRING_DESC_F_INDIRECT)
			return vq_break(vq, RANCHU_VQ_INDIRECT);
		if (vq_add_buffer(vq, walk, desc.addr, vq_desc_len(&desc),
				  flags & VRING_DESC_F_WRITE))
			return -EIO;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = vq_split_link(&desc);
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
	struct vq_desc desc;
	unsigned int i;

	for (i = 0; i < table->n; i++) {
		if (vq_table_get(vq, table, i, &desc))
			return -EIO;
		if (vq_packed_flags(&desc) & VRING_DESC_F_INDIRECT)
			return vq_break(vq, RANCHU_VQ_INDIRECT);
		if (vq_add_buffer(vq, walk, desc.addr, vq_desc_len(&desc),
				  vq_packed_flags(&desc) & VRING_DESC_F_WRITE))
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
