// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's pools of huge pages, as sysfs shows them.
 *
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst
 */
#include <stdio.h>

#include "machine/machine.h"

#define POOL	"/sys/kernel/mm/hugepages/hugepages-%llukB"

/**
 * vmm_huge_page_bytes - return the size of a page
 * @kind: of guest RAM
 *
 * Return: bytes; 0 for pages that come from no pool
 */
u64 vmm_huge_page_bytes(enum vmm_huge_pages kind)
{
	switch (kind) {
	case VMM_HUGE_2M:
		return 2 * MIB;
	case VMM_HUGE_1G:
		return GIB;
	default:
		return 0;
	}
}

/* 0 if there is no such pool. */
static u64 pool_number(u64 page, const char *name)
{
	unsigned long long value = 0;
	char path[100];
	FILE *in;

	snprintf(path, sizeof(path), POOL "/%s", page / KIB, name);
	in = fopen(path, "re");
	if (!in)
		return 0;
	if (fscanf(in, "%llu", &value) != 1)
		value = 0;
	fclose(in);
	return value;
}

static bool pool_exists(u64 page)
{
	char path[100];
	FILE *in;

	snprintf(path, sizeof(path), POOL "/nr_hugepages", page / KIB);
	in = fopen(path, "re");
	if (in)
		fclose(in);
	return in;
}

/**
 * vmm_huge_pool_read - read the size of a pool
 * @kind: VMM_HUGE_2M or VMM_HUGE_1G
 * @pool: filled
 */
void vmm_huge_pool_read(enum vmm_huge_pages kind, struct vmm_huge_pool *pool)
{
	u64 page = vmm_huge_page_bytes(kind);
	u64 free, reserved;

	*pool = (struct vmm_huge_pool){ 0 };
	if (!pool_exists(page))
		return;
	free = pool_number(page, "free_hugepages");
	reserved = pool_number(page, "resv_hugepages");
	pool->page = page;
	pool->total = pool_number(page, "nr_hugepages");
	pool->free = free > reserved ? free - reserved : 0;
}

/**
 * vmm_huge_command - write the shell command that makes a pool large enough
 * @pool: the pool as it is now
 * @pages: pages that must be free
 * @text: filled
 * @size: bytes of @text; VMM_HUGE_COMMAND are enough
 */
void vmm_huge_command(const struct vmm_huge_pool *pool, u64 pages, char *text, size_t size)
{
	u64 more = pages > pool->free ? pages - pool->free : 0;

	snprintf(text, size, "echo %llu | sudo tee " POOL "/nr_hugepages", pool->total + more,
		 pool->page / KIB);
}
