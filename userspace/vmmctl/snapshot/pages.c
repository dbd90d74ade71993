// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the pages of guest RAM that differ from the file that RAM was mapped from: a second
 * snapshot contains only these.
 *
 * RAM from a file is mapped privately. A page becomes private to this process when it is written,
 * by vCPUs, kernel modules, vhost or vmmctl itself, because all use this mapping. So the process's
 * page table shows every change, without a log that could miss a writer.
 *
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/file.h"
#include "snapshot/snapshot.h"

#define PAGE		VMM_PAGE_SIZE
#define ENTRIES		4096	/* of the page table, read at a time */
#define MAPPINGS	16384	/* each may split into two; a process may have 65530 */

/* Bits of an entry in /proc/self/pagemap. */
#define ENTRY_PRESENT	(1ULL << 63)
#define ENTRY_SWAPPED	(1ULL << 62)
#define ENTRY_FILE	(1ULL << 61)

static bool page_get(const struct vmm_pages *pages, u64 page)
{
	return pages->bit[page / 8] & 1 << page % 8;
}

static void page_set(struct vmm_pages *pages, u64 page)
{
	pages->bit[page / 8] |= 1 << page % 8;
}

/**
 * vmm_pages_alloc - create an empty set of pages
 * @pages: filled; vmm_pages_free() frees it
 * @bytes: of guest RAM
 *
 * Return: 0, or -ENOMEM without a message
 */
int vmm_pages_alloc(struct vmm_pages *pages, u64 bytes)
{
	pages->count = bytes / PAGE;
	pages->bit = calloc(1, vmm_pages_bytes(bytes) + 1);
	return pages->bit ? 0 : -ENOMEM;
}

/**
 * vmm_pages_free - free a set
 * @pages: may be all zero
 */
void vmm_pages_free(struct vmm_pages *pages)
{
	free(pages->bit);
	*pages = (struct vmm_pages){ 0 };
}

/**
 * vmm_pages_next - find the next pages of a set
 * @pages: the set
 * @first: where to begin; changed to the first page of the set from there on
 * @end: where to stop
 * @last: filled with the page after the run that begins at @first
 *
 * Return: whether there are any
 */
bool vmm_pages_next(const struct vmm_pages *pages, u64 *first, u64 end, u64 *last)
{
	u64 page = *first;

	if (end > pages->count)
		end = pages->count;
	while (page < end && !page_get(pages, page))
		page++;
	*first = page;
	while (page < end && page_get(pages, page))
		page++;
	*last = page;
	return *first < *last;
}

/* Adds the pages of an entry: a host page may be several pages of the set. */
static void entry_take(struct vmm_pages *pages, u64 entry, u64 page, u64 each)
{
	u64 i;

	if (!(entry & ENTRY_SWAPPED) && (!(entry & ENTRY_PRESENT) || entry & ENTRY_FILE))
		return;
	for (i = 0; i < each && page + i < pages->count; i++)
		page_set(pages, page + i);
}

static int region_changed(struct vmm_pages *pages, const struct vmm_region *region, u64 first,
			  int pagemap_fd, u64 *entries)
{
	u64 host = sysconf(_SC_PAGESIZE);
	u64 at = (uintptr_t)region->hva / host;
	u64 left = region->size / host;
	u64 i, n;
	int err;

	for (; left; left -= n, at += n) {
		n = left < ENTRIES ? left : ENTRIES;
		err = vmm_file_read_at(pagemap_fd, entries, n * sizeof(*entries),
				       at * sizeof(*entries));
		if (err)
			return err;
		for (i = 0; i < n; i++, first += host / PAGE)
			entry_take(pages, entries[i], first, host / PAGE);
	}
	return 0;
}

/**
 * vmm_pages_changed - find the pages that were written to
 * @pages: the pages are added to it
 * @mem: guest RAM that was mapped from a file; does not change meanwhile
 * @pagemap_fd: this process's page table
 *
 * Return: 0, or -errno without a message
 */
int vmm_pages_changed(struct vmm_pages *pages, const struct vmm_mem *mem, int pagemap_fd)
{
	u64 *entries = malloc(ENTRIES * sizeof(*entries));
	int err = entries ? 0 : -ENOMEM;
	u64 first = 0;
	unsigned int i;

	for (i = 0; i < mem->regions && !err; i++) {
		err = region_changed(pages, &mem->region[i], first, pagemap_fd, entries);
		first += mem->region[i].size / PAGE;
	}
	free(entries);
	return err;
}

/* Maps a run of pages, which shares them with other VMs; reads them if it cannot be mapped. */
static int run_map(u8 *hva, u64 len, int fd, u64 offset, unsigned int *mappings)
{
	u64 host = sysconf(_SC_PAGESIZE);

	if (*mappings == MAPPINGS || len % host || offset % host || (uintptr_t)hva % host)
		return vmm_file_read_at(fd, hva, len, offset);
	++*mappings;
	if (mmap(hva, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
		 offset) == MAP_FAILED)
		return -errno;
	madvise(hva, len, MADV_DONTDUMP);
	return 0;
}

/**
 * vmm_pages_map - map pages of a file over guest RAM
 * @pages: the pages
 * @mem: guest RAM that was mapped from another file
 * @fd: the file; its offsets are those of RAM
 *
 * Return: 0, or -errno without a message
 */
int vmm_pages_map(const struct vmm_pages *pages, const struct vmm_mem *mem, int fd)
{
	unsigned int mappings = 0;
	u64 base = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < mem->regions && !err; i++) {
		const struct vmm_region *region = &mem->region[i];
		u64 end = (base + region->size) / PAGE;
		u64 first = base / PAGE;
		u64 last;

		for (; !err && vmm_pages_next(pages, &first, end, &last); first = last)
			err = run_map((u8 *)region->hva + first * PAGE - base,
				      (last - first) * PAGE, fd, first * PAGE, &mappings);
		base += region->size;
	}
	return err;
}
