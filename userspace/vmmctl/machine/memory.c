// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest RAM: a list of regions, each a memfd that is mapped once. The only place
 * that turns a guest address into a pointer.
 *
 * RAM of a VM that starts from a snapshot is a private mapping of the snapshot's file. A reset of
 * the guest replaces this mapping by that of a memfd, as a VM that was booted has it. The memfd
 * exists from the start, because the sandbox does not allow memfd_create().
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "machine/limits.h"
#include "machine/machine.h"

#define HUGE_SHIFT	26	/* of log2 of the page's size in the flags of memfd_create() */

/*
 * The file is sealed: a process that gets it can write to it, but not truncate it. Huge
 * pages are all reserved now; otherwise the pool could be empty when the guest touches one.
 */
static int mem_file(const char *name, u64 size, u64 huge_page)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	if (huge_page)
		flags |= MFD_HUGETLB | (unsigned int)__builtin_ctzll(huge_page) << HUGE_SHIFT;
	fd = memfd_create(name, flags);
	if (fd < 0)
		return fd;
	if (!ftruncate(fd, size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -1;
}

static void *mem_map(const char *name, u64 size, u64 huge_page, int *fdp)
{
	int fd = mem_file(name, size, huge_page);
	void *hva;

	if (fd < 0)
		return NULL;
	/* A guest rarely touches all of its RAM: do not reserve swap for it. */
	hva = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | (huge_page ? 0 : MAP_NORESERVE), fd, 0);
	if (hva == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	*fdp = fd;
	return hva;
}

static void mem_advise(const struct vmm_region *region, enum vmm_huge_pages huge_pages)
{
	/* Transparent huge pages need fewer TLB entries; a kernel may have none. */
	madvise(region->hva, region->size, huge_pages == VMM_HUGE_OFF ? MADV_NOHUGEPAGE :
							MADV_HUGEPAGE);
}

/* Writes a message with the reason why there is no region, which is in errno. */
static int mem_refuse(const struct vmm_mem *mem, u64 size, u64 huge_page)
{
	struct vmm_huge_pool pool;
	char command[VMM_HUGE_COMMAND];
	int err = errno;
	u64 limit;

	if (err == EFBIG && !vmm_limits_file(size, &limit))
		return vmm_error(-err,
				 "guest RAM is a file of %llu MiB, and a file may have %llu (ulimit -f)",
				 size / MIB, limit / MIB);
	if (!huge_page)
		return vmm_error(err, "cannot allocate %llu MiB of guest RAM", size / MIB);
	vmm_huge_pool_read(mem->huge_pages, &pool);
	if (!pool.page)
		return vmm_error(-EOPNOTSUPP, "--huge-pages: this host has no pages of %llu MiB",
				 huge_page / MIB);
	if (err != ENOMEM || pool.free >= size / huge_page)
		return vmm_error(err, "--huge-pages: cannot allocate %llu MiB of guest RAM",
				 size / MIB);
	vmm_huge_command(&pool, size / huge_page, command, sizeof(command));
	return vmm_error(-ENOMEM,
			 "--huge-pages: %llu pages of %llu MiB are needed, and %llu are free; try: %s",
			 size / huge_page, huge_page / MIB, pool.free, command);
}

/**
 * vmm_mem_add - allocate a region of guest RAM, all zero
 * @mem: all zero before the first region, but for @huge_pages; regions are added in address
 *	order
 * @base: guest physical address, page-aligned
 * @size: bytes, a multiple of the page size
 *
 * Return: 0, or -errno
 */
int vmm_mem_add(struct vmm_mem *mem, u64 base, u64 size)
{
	u64 huge_page = vmm_huge_page_bytes(mem->huge_pages);
	struct vmm_region *region = &mem->region[mem->regions];

	if (mem->regions == VMM_REGIONS)
		return vmm_error(-ENOSPC, "too many regions of guest RAM");
	if (huge_page && (base % huge_page || size % huge_page))
		return vmm_error(-EINVAL,
				 "--huge-pages: %llu MiB of RAM are no multiple of %llu MiB",
				 size / MIB, huge_page / MIB);
	*region = (struct vmm_region){ .base = base, .size = size, .spare_fd = -1 };
	region->hva = mem_map("guest-ram", size, huge_page, &region->fd);
	if (!region->hva)
		return mem_refuse(mem, size, huge_page);
	mem->regions++;
	if (!huge_page)
		mem_advise(region, mem->huge_pages);
	/* Core files do not contain guest RAM. */
	madvise(region->hva, size, MADV_DONTDUMP);
	return 0;
}

/**
 * vmm_mem_add_file - make a region of guest RAM from a part of a file
 * @mem: as for vmm_mem_add()
 * @base: the same
 * @size: the same
 * @fd: the file, which has @size bytes at @offset and must not change
 * @offset: in the file, page-aligned
 *
 * A page is read from the file when it is first used. Writes are private: VMs that use the
 * same file share the pages to which they do not write.
 *
 * If there is no memfd for a reset (by a limit of files or of their size), RAM is private memory
 * afterwards.
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
	region->spare_fd = mem_file("guest-ram", size, 0);
	mem->regions++;
	madvise(region->hva, size, MADV_DONTDUMP);
	return 0;
}

/**
 * vmm_mem_fits_file - return whether a file still has a byte for each of guest RAM's
 * @mem: mapped from the file
 * @fd: the file
 *
 * Context: any thread.
 * Return: whether it has; true if that cannot be found out
 */
bool vmm_mem_fits_file(const struct vmm_mem *mem, int fd)
{
	struct stat st;
	u64 size = 0;
	unsigned int i;

	for (i = 0; i < mem->regions; i++)
		size += mem->region[i].size;
	return fstat(fd, &st) || (u64)st.st_size >= size;
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
		if (mem->region[i].spare_fd >= 0)
			close(mem->region[i].spare_fd);
	}
	memset(mem, 0, sizeof(*mem));
}

/* Maps a memfd, or anonymous memory, which are zero, at the same addresses. */
static int region_replace(struct vmm_region *region, enum vmm_huge_pages huge_pages)
{
	int flags = region->spare_fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *hva = mmap(region->hva, region->size, PROT_READ | PROT_WRITE,
			 flags | MAP_NORESERVE | MAP_FIXED, region->spare_fd, 0);

	if (hva == MAP_FAILED)
		return -errno;
	region->fd = region->spare_fd;
	region->spare_fd = -1;
	mem_advise(region, huge_pages);
	madvise(hva, region->size, MADV_DONTDUMP);
	return 0;
}

/* Reserves pages again that clearing has given back to the pool. */
static int region_reserve(const struct vmm_region *region)
{
	void *hva = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);

	if (hva == MAP_FAILED)
		return -errno;
	munmap(hva, region->size);
	return 0;
}

static int region_clear(struct vmm_region *region, enum vmm_huge_pages huge_pages)
{
	if (region->fd < 0)
		return region_replace(region, huge_pages);
	if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, region->size))
		return -errno;
	return vmm_huge_page_bytes(huge_pages) ? region_reserve(region) : 0;
}

/**
 * vmm_mem_clear - make all guest RAM zero, and give its pages back
 * @mem: guest RAM; no vCPU and no device uses it
 *
 * The files and the mappings stay: their users see the zeros. RAM that was mapped from a file is
 * then mapped from a memfd, at the same addresses.
 *
 * Return: 0, or -errno
 */
int vmm_mem_clear(struct vmm_mem *mem)
{
	u64 huge_page = vmm_huge_page_bytes(mem->huge_pages);
	unsigned int i;
	int err;

	mem->cleared = true;
	for (i = 0; i < mem->regions; i++) {
		err = region_clear(&mem->region[i], mem->huge_pages);
		/* The sandbox does not allow to read the pool's size now. */
		if (err == -ENOMEM && huge_page)
			return vmm_error(err,
					 "--huge-pages: somebody has taken the pool's pages while the guest was reset");
		if (err)
			return vmm_error(-err, "cannot clear guest RAM");
	}
	return 0;
}

/**
 * vmm_mem_load - give guest RAM the content of a file, at the same addresses
 * @mem: guest RAM; no vCPU and no device uses it
 * @fd: the file, which has the regions one after the other, and must not change
 *
 * As vmm_mem_add_file(): a page is read when it is first used, and writes are private. Who knows
 * RAM by its addresses here sees the new content; memfds are given back.
 *
 * Context: any thread.
 * Return: 0, or -errno after a message; RAM must not be used then
 */
int vmm_mem_load(struct vmm_mem *mem, int fd)
{
	u64 offset = 0;
	unsigned int i;

	mem->cleared = true;
	for (i = 0; i < mem->regions; i++) {
		struct vmm_region *region = &mem->region[i];

		if (mmap(region->hva, region->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, offset) == MAP_FAILED)
			return vmm_error(errno, "cannot map %llu MiB of guest RAM",
					 region->size / MIB);
		madvise(region->hva, region->size, MADV_DONTDUMP);
		if (region->fd >= 0)
			close(region->fd);
		region->fd = -1;
		offset += region->size;
	}
	return 0;
}

/**
 * vmm_mem_whole_pages - reduce a range to whole pages of the host
 * @page: bytes of one, a power of two
 * @offset: where the range begins; changed to where its first whole page begins
 * @len: bytes of the range; changed to bytes of whole pages
 *
 * Return: whether there are any
 */
bool vmm_mem_whole_pages(u64 page, u64 *offset, u64 *len)
{
	u64 first = (*offset + page - 1) & ~(page - 1);
	u64 last = (*offset + *len) & ~(page - 1);

	if (first >= last)
		return false;
	*offset = first;
	*len = last - first;
	return true;
}

/**
 * vmm_mem_drop - give back pages whose content the guest no longer needs
 * @region: the region
 * @gpa: guest physical address, in the region, aligned to a page of the guest
 * @len: bytes, in the region, whole pages of the guest
 *
 * Afterwards the guest reads zeros there, or the file's content where RAM was mapped from a
 * file. In that case only whole pages of the host are given back; other pages do not change.
 */
void vmm_mem_drop(const struct vmm_region *region, u64 gpa, u64 len)
{
	u64 offset = gpa - region->base;

	if (region->fd >= 0)
		fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
	else if (vmm_mem_whole_pages(sysconf(_SC_PAGESIZE), &offset, &len))
		madvise((u8 *)region->hva + offset, len, MADV_DONTNEED);
}

/**
 * vmm_mem_find - find the region that a range of guest addresses is in
 * @mem: guest RAM
 * @gpa: guest physical address, not trusted
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
 * @gpa: guest physical address, not trusted
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
	return mem_map("register-window", size, 0, fd);
}
