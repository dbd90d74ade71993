// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory of a virtqueue test: one file, mapped for the driver and, more
 * than once, for the device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vq_driver.h"

#define MAX_REGIONS 64

void vq_die_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	/* KSFT_FAIL; not exit(), because threads may be running. */
	_exit(1);
}

uint32_t vq_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static uint8_t *map(const struct vq_mem *mem, void *where, size_t offset,
		    size_t size, int flags)
{
	void *view = mmap(where, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | flags, mem->fd, offset);

	if (view == MAP_FAILED)
		vq_die("no %zu bytes of guest memory: %s", size, strerror(errno));
	return view;
}

void vq_mem_create(struct vq_mem *mem, uint64_t gpa, size_t size)
{
	unsigned int i;

	*mem = (struct vq_mem){ .gpa = gpa, .size = size };
	mem->fd = memfd_create("guest", MFD_CLOEXEC);
	if (mem->fd < 0 || ftruncate(mem->fd, size))
		vq_die("no guest memory: %s", strerror(errno));
	mem->guest = map(mem, NULL, 0, size, 0);
	for (i = 0; i < VQ_MEM_VIEWS; i++)
		mem->host[i] = map(mem, NULL, 0, size, 0);
}

void vq_mem_destroy(struct vq_mem *mem)
{
	unsigned int i;

	if (!mem->guest)
		return;
	munmap(mem->guest, mem->size);
	for (i = 0; i < VQ_MEM_VIEWS; i++)
		munmap(mem->host[i], mem->size);
	close(mem->fd);
	mem->guest = NULL;
}

uint64_t vq_mem_alloc(struct vq_mem *mem, size_t size, size_t align)
{
	size_t start = (mem->used + align - 1) & ~(align - 1);

	if (start > mem->size || size > mem->size - start)
		vq_die("guest memory is full: %zu used, %zu wanted", mem->used, size);
	/* It was never used, so it is zero; most of it will never be touched. */
	mem->used = start + size;
	return mem->gpa + start;
}

void *vq_mem_guest(const struct vq_mem *mem, uint64_t gpa)
{
	return mem->guest + (gpa - mem->gpa);
}

uint64_t vq_mem_host(const struct vq_mem *mem, uint64_t gpa)
{
	return (uintptr_t)mem->host[0] + (gpa - mem->gpa);
}

static size_t whole_pages(size_t size)
{
	return (size + HOST_PAGE - 1) & ~(HOST_PAGE - 1);
}

void vq_mem_protect(const struct vq_mem *mem, uint64_t gpa, size_t size, int prot)
{
	unsigned int i;

	for (i = 0; i < VQ_MEM_VIEWS; i++)
		if (mprotect(mem->host[i] + (gpa - mem->gpa), whole_pages(size), prot))
			vq_die("mprotect: %s", strerror(errno));
}

void vq_mem_unmap(const struct vq_mem *mem, uint64_t gpa, size_t size)
{
	unsigned int i;

	for (i = 0; i < VQ_MEM_VIEWS; i++)
		if (munmap(mem->host[i] + (gpa - mem->gpa), whole_pages(size)))
			vq_die("munmap: %s", strerror(errno));
}

void vq_mem_restore(const struct vq_mem *mem, uint64_t gpa, size_t size)
{
	size_t offset = gpa - mem->gpa;
	unsigned int i;

	for (i = 0; i < VQ_MEM_VIEWS; i++)
		map(mem, mem->host[i] + offset, offset, whole_pages(size), MAP_FIXED);
}

static int by_size(const void *a, const void *b)
{
	const size_t *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

/* @cuts: @n + 1 offsets, from 0 to the size, no two the same. */
static void cut(const struct vq_mem *mem, unsigned int n, uint32_t seed, size_t *cuts)
{
	size_t step = mem->size / n;
	unsigned int i;

	cuts[0] = 0;
	for (i = 1; i < n; i++)
		cuts[i] = i * step - vq_random(&seed) % (step / 2);
	cuts[n] = mem->size;
	qsort(cuts, n + 1, sizeof(*cuts), by_size);
}

int __vq_mem_tell(int fd, const struct vq_mem *mem, unsigned int n, uint32_t seed)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[MAX_REGIONS];
	} table = { .head.nregions = n };
	size_t cuts[MAX_REGIONS + 1];
	unsigned int i;

	if (n > MAX_REGIONS)
		vq_die("%u regions", n);
	cut(mem, n, seed, cuts);
	for (i = 0; i < n; i++) {
		table.regions[i].guest_phys_addr = mem->gpa + cuts[i];
		table.regions[i].memory_size = cuts[i + 1] - cuts[i];
		table.regions[i].userspace_addr =
			(uintptr_t)mem->host[i % VQ_MEM_VIEWS] + cuts[i];
	}
	return __vq_ioctl(fd, VHOST_SET_MEM_TABLE, &table);
}

void vq_mem_tell(int fd, const struct vq_mem *mem, unsigned int n, uint32_t seed)
{
	int err = __vq_mem_tell(fd, mem, n, seed);

	if (err)
		vq_die("SET_MEM_TABLE: %s", strerror(-err));
}
