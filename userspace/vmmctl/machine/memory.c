// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest RAM: one memfd, mapped once. The only place that turns a guest address
 * into a pointer.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/machine.h"

static void *mem_map(const char *name, u64 size, int *fdp)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	void *hva;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, size))
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
 * vmm_mem_create - allocate guest RAM, all zero
 * @mem: filled
 * @size: bytes, a multiple of the page size, at most RANCHU_RAM_MAX
 *
 * Return: 0, or -errno
 */
int vmm_mem_create(struct vmm_mem *mem, u64 size)
{
	mem->base = RANCHU_RAM_BASE;
	mem->size = size;
	mem->hva = mem_map("guest-ram", size, &mem->fd);
	if (!mem->hva)
		return vmm_error(errno, "cannot allocate %llu MiB of guest RAM", size / MIB);
	/* Fewer and larger translations; a kernel without it is no problem. */
	madvise(mem->hva, size, MADV_HUGEPAGE);
	return 0;
}

/**
 * vmm_mem_destroy - free guest RAM
 * @mem: no vCPU may run any more
 */
void vmm_mem_destroy(struct vmm_mem *mem)
{
	if (!mem->hva)
		return;
	munmap(mem->hva, mem->size);
	close(mem->fd);
	memset(mem, 0, sizeof(*mem));
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
	u64 offset = gpa - mem->base;

	if (gpa < mem->base || offset > mem->size || len > mem->size - offset)
		return NULL;
	return (u8 *)mem->hva + offset;
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
