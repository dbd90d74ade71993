/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of guest memory regions: pure look-up, no locks, no user access,
 * so that KUnit and the userspace build run the same source.
 */
#ifndef _RANCHU_MEM_TABLE_H
#define _RANCHU_MEM_TABLE_H

#include <linux/types.h>
#include <linux/uio.h>
#include <linux/vhost.h>

/* As many as vhost takes by default, so that a VMM meets no new limit. */
#define RANCHU_MEM_MAX_REGIONS 64

/**
 * struct ranchu_mem_region - guest memory that is contiguous in the owner too
 * @first: guest physical address of the first byte
 * @last: guest physical address of the last byte, inclusive
 * @uaddr: user address of the first byte
 */
struct ranchu_mem_region {
	u64 first;
	u64 last;
	u64 uaddr;
};

/**
 * struct ranchu_mem_table - regions by rising address, no two overlap
 * @n: number of regions
 * @regions: the regions
 */
struct ranchu_mem_table {
	unsigned int n;
	struct ranchu_mem_region regions[];
};

int ranchu_mem_table_fill(struct ranchu_mem_table *table,
			  const struct vhost_memory_region *in, unsigned int n);
const struct ranchu_mem_region *
ranchu_mem_table_find(const struct ranchu_mem_table *table, u64 gpa);
int ranchu_mem_table_iov(const struct ranchu_mem_table *table, u64 gpa, u64 len,
			 struct iovec *iov, unsigned int max);
u64 ranchu_mem_region_overlap(const struct ranchu_mem_region *region, u64 uaddr,
			      u64 len, u64 *gpa);

#endif /* _RANCHU_MEM_TABLE_H */
