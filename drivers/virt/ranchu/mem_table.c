// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of guest memory regions: checked once when it is made, searched by
 * every guest address afterwards. mem.c owns its lifetime.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sort.h>

#include "mem_table.h"

static int region_cmp(const void *a, const void *b)
{
	const struct ranchu_mem_region *ra = a, *rb = b;

	return ra->first < rb->first ? -1 : ra->first > rb->first;
}

static int region_fill(struct ranchu_mem_region *region,
		       const struct vhost_memory_region *in)
{
	u64 uaddr_last;

	if (!in->memory_size)
		return -EINVAL;
	if (check_add_overflow(in->guest_phys_addr, in->memory_size - 1,
			       &region->last) ||
	    check_add_overflow(in->userspace_addr, in->memory_size - 1,
			       &uaddr_last))
		return -EINVAL;
	region->first = in->guest_phys_addr;
	region->uaddr = in->userspace_addr;
	return 0;
}

/**
 * ranchu_mem_table_fill() - check regions and put them in order
 * @table: has room for @n regions
 * @in: the regions, in any order
 * @n: how many
 *
 * User addresses are not looked at beyond their arithmetic.
 *
 * Return:
 * * 0: done
 * * -EINVAL: an empty region, one that wraps, or two that overlap
 */
int ranchu_mem_table_fill(struct ranchu_mem_table *table,
			  const struct vhost_memory_region *in, unsigned int n)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = region_fill(&table->regions[i], &in[i]);
		if (err)
			return err;
	}
	table->n = n;
	sort(table->regions, n, sizeof(table->regions[0]), region_cmp, NULL);
	for (i = 1; i < n; i++)
		if (table->regions[i].first <= table->regions[i - 1].last)
			return -EINVAL;
	return 0;
}

/**
 * ranchu_mem_table_find() - find the region that holds a guest address
 * @table: the regions
 * @gpa: any number the guest came up with
 *
 * Return: the region, or NULL if no guest memory is there.
 */
const struct ranchu_mem_region *
ranchu_mem_table_find(const struct ranchu_mem_table *table, u64 gpa)
{
	unsigned int low = 0, high = table->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct ranchu_mem_region *region = &table->regions[mid];

		if (gpa < region->first)
			high = mid;
		else if (gpa > region->last)
			low = mid + 1;
		else
			return region;
	}
	return NULL;
}

/**
 * ranchu_mem_table_iov() - turn a guest range into user ranges
 * @table: the regions
 * @gpa: guest physical address of the first byte
 * @len: bytes; any number the guest came up with, not 0
 * @iov: filled, in order; adjacent regions give an element each
 * @max: elements in @iov
 *
 * Return: elements used, or
 * * -EFAULT: part of the range is not guest memory
 * * -E2BIG: it needs more than @max elements
 */
int ranchu_mem_table_iov(const struct ranchu_mem_table *table, u64 gpa, u64 len,
			 struct iovec *iov, unsigned int max)
{
	const struct ranchu_mem_region *region;
	unsigned int n = 0;

	region = ranchu_mem_table_find(table, gpa);
	for (;;) {
		u64 offset, part;

		if (!region)
			return -EFAULT;
		if (n == max)
			return -E2BIG;
		offset = gpa - region->first;
		/* last - gpa + 1 may not fit; len - 1 against last - gpa does. */
		part = min(len - 1, region->last - gpa) + 1;
		iov[n].iov_base = (void __user *)(uintptr_t)(region->uaddr + offset);
		iov[n].iov_len = part;
		n++;
		len -= part;
		if (!len)
			return n;
		/* Going past the top of the address space wraps to 0. */
		if (check_add_overflow(gpa, part, &gpa))
			return -EFAULT;
		region++;
		if (region == table->regions + table->n || region->first != gpa)
			return -EFAULT;
	}
}

/**
 * ranchu_mem_region_overlap() - find what a user range shares with a region
 * @region: the region
 * @uaddr: user address of the first byte
 * @len: bytes; the range does not wrap
 * @gpa: guest physical address of the first byte that they share
 *
 * Return: bytes that they share; 0 leaves @gpa 0.
 */
u64 ranchu_mem_region_overlap(const struct ranchu_mem_region *region, u64 uaddr,
			      u64 len, u64 *gpa)
{
	u64 size_1 = region->last - region->first;
	u64 first, last;

	*gpa = 0;
	if (!len || uaddr + (len - 1) < region->uaddr ||
	    uaddr > region->uaddr + size_1)
		return 0;
	first = max(uaddr, region->uaddr);
	last = min(uaddr + (len - 1), region->uaddr + size_1);
	*gpa = region->first + (first - region->uaddr);
	return last - first + 1;
}
