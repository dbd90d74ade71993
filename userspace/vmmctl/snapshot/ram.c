// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest RAM as a file: the regions in order, with holes where the guest has only zeros, and a page
 * at the end with the snapshot's ID. The checksum is that of the pages that are not zero, with
 * their positions, so it does not depend on holes.
 *
 * A file that has only the differences to another snapshot has, after that page, a bit for each
 * page of RAM, which is set if the page is in this file, also as a hole.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "host/file.h"
#include "snapshot/snapshot.h"

#define PAGE	VMM_PAGE_SIZE
#define RUN	(256 * KIB)	/* bytes that are written, or read, at a time */

static const char magic[16] = "ranchu-ram-1\n";

/**
 * struct ram_end - contents of the page at the end
 * @magic: identifies the page
 * @id: ID of the snapshot
 * @size: bytes of RAM, all regions together
 * @map: bytes after this page: a bit for each page of RAM; 0 if all pages are in the file
 */
struct ram_end {
	char magic[16];
	u8 id[VMM_SNAPSHOT_ID];
	__le64 size;
	__le64 map;
};

/**
 * vmm_ram_bytes - return the size of guest RAM
 * @mem: guest RAM
 *
 * Return: bytes of all regions
 */
u64 vmm_ram_bytes(const struct vmm_mem *mem)
{
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < mem->regions; i++)
		bytes += mem->region[i].size;
	return bytes;
}

/**
 * vmm_page_is_zero - look whether a page has only zeros
 * @page: VMM_PAGE_SIZE bytes
 *
 * Return: whether it has
 */
bool vmm_page_is_zero(const u8 *page)
{
	u64 first;

	memcpy(&first, page, sizeof(first));
	return !first && !memcmp(page, page + sizeof(first), PAGE - sizeof(first));
}

static u32 page_sum(u32 crc, u64 offset, const u8 *page)
{
	__le64 where = htole64(offset);

	crc = crc32(crc, (const Bytef *)&where, sizeof(where));
	return crc32(crc, page, PAGE);
}

/* Writes bytes @first to @last - 1 of a region, whole pages, except for pages of zeros. */
static int pages_write(struct vmm_ram_job *job, const u8 *hva, u64 first, u64 last, u64 base)
{
	u64 begin = first;
	u64 at;
	int err = 0;

	for (at = first; at < last && !err; at += PAGE) {
		if (__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
			return -ECANCELED;
		if (vmm_page_is_zero(hva + at)) {
			err = vmm_file_write_at(job->fd, hva + begin, at - begin, base + begin);
			begin = at + PAGE;
			continue;
		}
		job->crc = page_sum(job->crc, base + at, hva + at);
		if (at + PAGE - begin < RUN)
			continue;
		err = vmm_file_write_at(job->fd, hva + begin, at + PAGE - begin, base + begin);
		begin = at + PAGE;
	}
	return err ? err : vmm_file_write_at(job->fd, hva + begin, last - begin, base + begin);
}

/* Finds the next pages of a file that are no hole, from @at on; false if there are none. */
static bool next_data(int fd, u64 size, u64 *at, u64 *end)
{
	off_t data = lseek(fd, *at, SEEK_DATA);
	off_t hole;

	/* A file system without holes reports everything as data. */
	if (data < 0 && errno == ENXIO)
		return false;
	if (data < 0)
		data = *at;
	hole = lseek(fd, data, SEEK_HOLE);
	*at = (u64)data / PAGE * PAGE;
	*end = hole < 0 || (u64)hole > size ? size : ((u64)hole + PAGE - 1) / PAGE * PAGE;
	return *at < *end;
}

static int region_write_pages(struct vmm_ram_job *job, const struct vmm_region *region, u64 base)
{
	u64 end = (base + region->size) / PAGE;
	u64 first = base / PAGE;
	u64 last;
	int err = 0;

	for (; !err && vmm_pages_next(job->pages, &first, end, &last); first = last)
		err = pages_write(job, region->hva, first * PAGE - base, last * PAGE - base,
				  base);
	return err;
}

/* Skips untouched pages of RAM that is not from a file, without allocating them. */
static int region_write(struct vmm_ram_job *job, const struct vmm_region *region, u64 base)
{
	u64 end = region->size;
	u64 at = 0;
	int err = 0;

	if (job->pages)
		return region_write_pages(job, region, base);
	if (region->fd < 0)
		return pages_write(job, region->hva, 0, region->size, base);
	while (at < region->size && !err && next_data(region->fd, region->size, &at, &end)) {
		err = pages_write(job, region->hva, at, end, base);
		at = end;
	}
	return err;
}

/**
 * vmm_ram_write - write guest RAM
 * @job: the RAM, which does not change meanwhile, and the file
 *
 * Context: any thread.
 * Return: 0, -ECANCELED if it was stopped, or -errno; no message
 */
int vmm_ram_write(struct vmm_ram_job *job)
{
	const struct vmm_mem *mem = job->mem;
	u8 page[PAGE] = { 0 };
	u64 map = job->pages ? vmm_pages_bytes(vmm_ram_bytes(mem)) : 0;
	struct ram_end end = { .size = htole64(vmm_ram_bytes(mem)), .map = htole64(map) };
	u64 base = 0;
	unsigned int i;
	int err = 0;

	job->crc = 0;
	for (i = 0; i < mem->regions && !err; i++) {
		err = region_write(job, &mem->region[i], base);
		base += mem->region[i].size;
	}
	memcpy(end.magic, magic, sizeof(magic));
	memcpy(end.id, job->id, sizeof(end.id));
	memcpy(page, &end, sizeof(end));
	if (!err && map)
		err = vmm_file_write_at(job->fd, job->pages->bit, map, base + PAGE);
	return err ? err : vmm_file_write_at(job->fd, page, sizeof(page), base);
}

/**
 * vmm_ram_check - check the size and the last page of a file of RAM
 * @fd: the file
 * @size: expected bytes of RAM
 * @id: ID of the snapshot
 * @map: expected bytes of the list of pages
 *
 * Return: 0, or -EINVAL after a message
 */
int vmm_ram_check(int fd, u64 size, const u8 *id, u64 map)
{
	struct ram_end end;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (u64)st.st_size != size + PAGE + map)
		return vmm_error(-EINVAL,
				 "snapshot: " VMM_SNAPSHOT_RAM " does not have %llu bytes",
				 size + PAGE + map);
	if (vmm_file_read_at(fd, (u8 *)&end, sizeof(end), size) ||
	    memcmp(end.magic, magic, sizeof(magic)) || le64toh(end.size) != size ||
	    le64toh(end.map) != map)
		return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_RAM " is incomplete");
	if (memcmp(end.id, id, sizeof(end.id)))
		return vmm_error(-EINVAL,
				 "snapshot: " VMM_SNAPSHOT_RAM " is another snapshot's (\"id\")");
	return 0;
}

/**
 * vmm_ram_pages - read the list of pages in a file
 * @fd: the file, as vmm_ram_check() allows it
 * @size: bytes of RAM
 * @pages: a set of that size; filled
 * @crc: filled: checksum of the list
 *
 * Return: 0, or -errno without a message
 */
int vmm_ram_pages(int fd, u64 size, struct vmm_pages *pages, u32 *crc)
{
	u64 map = vmm_pages_bytes(size);
	int err = vmm_file_read_at(fd, pages->bit, map, size + PAGE);

	*crc = err ? 0 : crc32(0, pages->bit, map);
	return err;
}

/**
 * vmm_ram_sum - read all of a snapshot's RAM, or of one of its disks
 * @fd: the file, as vmm_ram_check() allows it; or a disk
 * @size: bytes of RAM, or of the disk
 * @crc: filled, as vmm_ram_write() does; a disk's last page ends with zeros
 *
 * Return: 0, or -errno without a message
 */
int vmm_ram_sum(int fd, u64 size, u32 *crc)
{
	u64 pages = (size + PAGE - 1) / PAGE * PAGE;
	u8 *bytes = malloc(RUN);
	u64 at = 0, end = pages;
	int err = bytes ? 0 : -ENOMEM;

	*crc = 0;
	while (!err && at < size && next_data(fd, pages, &at, &end)) {
		for (; at < end && !err; at += RUN) {
			size_t len = end - at < RUN ? end - at : RUN;
			size_t there = size - at < len ? size - at : len;
			size_t i;

			err = vmm_file_read_at(fd, bytes, there, at);
			memset(bytes + there, 0, len - there);
			for (i = 0; i < len && !err; i += PAGE) {
				if (!vmm_page_is_zero(bytes + i))
					*crc = page_sum(*crc, at + i, bytes + i);
			}
		}
		at = end;
	}
	free(bytes);
	return err;
}
