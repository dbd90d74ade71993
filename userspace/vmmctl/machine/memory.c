// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest RAM: a list of regions, each a memfd that is mapped once. The only place
 * that turns a guest address into a pointer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "machine/machine.h"

/* Sealed: a process that is given the file can write, but not take pages away. */
static void *mem_map(const char *name, u64 size, int *fdp)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *hva;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto err_close;
	/* A guest rarely touches all of its RAM: do not reserve swap for it. */
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (hva == MAP_FAILED)
		goto err_close;
	*fdp = fd;
	return hva;

err_close:
	close(fd);
	return NULL;
}

/**
 * vmm_mem_add - allocate a region of guest RAM, all zero
 * @mem: all zero before the first region; regions are added in address order
 * @base: guest physical address, page-aligned
 * @size: bytes, a multiple of the page size
 *
 * Return: 0, or -errno
 */
int vmm_mem_add(struct vmm_mem *mem, u64 base, u64 size)
{
	struct vmm_region *region = &mem->region[mem->regions];

	if (mem->regions == VMM_REGIONS)
		return vmm_error(-ENOSPC, "too many regions of guest RAM");
	*region = (struct vmm_region){ .base = base, .size = size };
	region->hva = mem_map("guest-ram", size, &region->fd);
	if (!region->hva)
		return vmm_error(errno, "cannot allocate %llu MiB of guest RAM", size / MIB);
	mem->regions++;
	/* Fewer and larger translations; a kernel without it is no problem. */
	madvise(region->hva, size, MADV_HUGEPAGE);
	/* What the guest knows is in no core file. */
	madvise(region->hva, size, MADV_DONTDUMP);
	return 0;
}

/**
 * vmm_mem_add_file - make a region of guest RAM that begins as part of a file
 * @mem: as for vmm_mem_add()
 * @base: the same
 * @size: the same
 * @fd: the file, which has @size bytes at @offset and is not changed by anybody
 * @offset: in the file, page-aligned
 *
 * A page is read when it is needed. What is written is this VM's alone, so that any
 * number of them share what they do not write.
 *
 * Return: 0, or -errno
 */
int vmm_mem_add_file(struct vmm_mem *mem, u64 base, u64 size, int fd, u64 offset)
{
	struct vmm_region *region = &mem->region[mem->regions];

	if (mem->regions == VMM_REGIONS)
		return vmm_error(-ENOSPC, "too many regions of guest RAM");
	*region = (struct vmm_region){ .base = base, .size = size, .fd = -1 };
	region->hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd,
			   offset);
	if (region->hva == MAP_FAILED)
		return vmm_error(errno, "cannot map %llu MiB of guest RAM", size / MIB);
	mem->regions++;
	madvise(region->hva, size, MADV_DONTDUMP);
	return 0;
}

/**
 * vmm_mem_destroy - free guest RAM
 * @mem: no vCPU may run any more
 */
void vmm_mem_destroy(struct vmm_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->regions; i++) {
		munmap(mem->region[i].hva, mem->region[i].size);
		if (mem->region[i].fd >= 0)
			close(mem->region[i].fd);
	}
	memset(mem, 0, sizeof(*mem));
}

/* The same addresses with zeros behind them, which no file has. */
static int region_clear_private(const struct vmm_region *region)
{
	void *hva = mmap(region->hva, region->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (hva == MAP_FAILED)
		return -errno;
	madvise(hva, region->size, MADV_DONTDUMP);
	return 0;
}

static int region_clear(const struct vmm_region *region)
{
	if (region->fd < 0)
		return region_clear_private(region);
	return fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 region->size) ? -errno : 0;
}

/**
 * vmm_mem_clear - make all guest RAM zero, and give its pages back
 * @mem: guest RAM; no vCPU and no device uses it
 *
 * The files and the mappings stay: their users see the zeros.
 *
 * Return: 0, or -errno
 */
int vmm_mem_clear(struct vmm_mem *mem)
{
	unsigned int i;
	int err;

	mem->cleared = true;
	for (i = 0; i < mem->regions; i++) {
		err = region_clear(&mem->region[i]);
		if (err)
			return vmm_error(-err, "cannot clear guest RAM");
	}
	return 0;
}

/**
 * vmm_mem_drop - give back pages whose content the guest no longer needs
 * @region: the region
 * @gpa: guest physical address, inside it, page-aligned
 * @len: bytes, inside it, whole pages
 *
 * The guest finds zeros there afterwards, or, where RAM began as a file, what the file
 * has.
 */
void vmm_mem_drop(const struct vmm_region *region, u64 gpa, u64 len)
{
	u64 offset = gpa - region->base;

	if (region->fd < 0)
		madvise((u8 *)region->hva + offset, len, MADV_DONTNEED);
	else
		fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

/**
 * vmm_mem_find - find the region that a range of guest addresses is in
 * @mem: guest RAM
 * @gpa: guest physical address, trusted by nobody
 * @len: bytes
 *
 * Return: the region, NULL unless all @len bytes are in one
 */
const struct vmm_region *vmm_mem_find(const struct vmm_mem *mem, u64 gpa, u64 len)
{
	unsigned int i;

	for (i = 0; i < mem->regions; i++) {
		const struct vmm_region *region = &mem->region[i];
		u64 offset = gpa - region->base;

		if (gpa >= region->base && offset <= region->size && len <= region->size - offset)
			return region;
	}
	return NULL;
}

/**
 * vmm_mem_ptr - turn a guest address into a pointer
 * @mem: guest RAM
 * @gpa: guest physical address, trusted by nobody
 * @len: bytes that will be accessed
 *
 * Return: the pointer, NULL unless all @len bytes are RAM
 */
void *vmm_mem_ptr(const struct vmm_mem *mem, u64 gpa, u64 len)
{
	const struct vmm_region *region = vmm_mem_find(mem, gpa, len);

	return region ? (u8 *)region->hva + (gpa - region->base) : NULL;
}

/**
 * vmm_mem_window - allocate registers that guest and host may share
 * @size: bytes, whole pages
 * @fd: filled with the memfd behind it
 *
 * Return: the pages, zeroed, or NULL with errno set
 */
void *vmm_mem_window(u64 size, int *fd)
{
	return mem_map("register-window", size, fd);
}
