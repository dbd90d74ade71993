// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node and guest memory: what a VMM does with them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipe_dev.h"

void pipe_die_at(const char *file, int line, const char *fmt, ...)
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

static void mem_create_file(struct pipe_mem *mem, uint64_t gpa, size_t size, int flags)
{
	void *hva = MAP_FAILED;
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd >= 0 && !ftruncate(fd, size))
		hva = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (hva == MAP_FAILED)
		pipe_die("no %zu bytes of guest memory in a file: %s", size,
			 strerror(errno));
	close(fd);
	*mem = (struct pipe_mem){ .gpa = gpa, .size = size, .hva = hva };
}

void pipe_mem_create_file(struct pipe_mem *mem, uint64_t gpa, size_t size)
{
	mem_create_file(mem, gpa, size, MAP_SHARED);
}

void pipe_mem_create_private_file(struct pipe_mem *mem, uint64_t gpa, size_t size)
{
	mem_create_file(mem, gpa, size, MAP_PRIVATE);
}

void pipe_mem_create(struct pipe_mem *mem, uint64_t gpa, size_t size)
{
	/* Private, so that a test that forks has guest memory of its own. */
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (hva == MAP_FAILED)
		pipe_die("no %zu bytes of guest memory: %s", size,
			 strerror(errno));
	*mem = (struct pipe_mem){ .gpa = gpa, .size = size, .hva = hva };
}

void pipe_mem_destroy(struct pipe_mem *mem)
{
	if (mem->hva)
		munmap(mem->hva, mem->size);
	mem->hva = NULL;
}

uint64_t pipe_mem_alloc(struct pipe_mem *mem, size_t size, size_t align)
{
	size_t start = (mem->used + align - 1) & ~(align - 1);

	if (start > mem->size || size > mem->size - start)
		pipe_die("guest memory is full: %zu used, %zu wanted",
			 mem->used, size);
	mem->used = start + size;
	memset(mem->hva + start, 0, size);
	return mem->gpa + start;
}

void *pipe_mem_hva(struct pipe_mem *mem, uint64_t gpa, size_t size)
{
	uint64_t offset = gpa - mem->gpa;

	if (gpa < mem->gpa || offset > mem->size || size > mem->size - offset)
		pipe_die("no guest memory at 0x%llx", (unsigned long long)gpa);
	return mem->hva + offset;
}

int __pipe_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int __pipe_dev_open(struct pipe_dev *dev, struct pipe_mem *mem)
{
	int fd = open(PIPE_DEV_PATH, O_RDWR | O_CLOEXEC);

	*dev = (struct pipe_dev){ .fd = fd, .mem = mem };
	return fd < 0 ? -errno : 0;
}

void pipe_dev_open(struct pipe_dev *dev, struct pipe_mem *mem)
{
	int ret = __pipe_dev_open(dev, mem);

	if (ret)
		pipe_die("%s: %s", PIPE_DEV_PATH, strerror(-ret));
}

void pipe_dev_close(struct pipe_dev *dev)
{
	if (dev->fd >= 0 && close(dev->fd))
		pipe_die("close: %s", strerror(errno));
	dev->fd = -1;
}

int __pipe_set_owner(struct pipe_dev *dev)
{
	return __pipe_ioctl(dev->fd, VHOST_SET_OWNER, NULL);
}

int __pipe_set_mem_table(struct pipe_dev *dev, const struct pipe_mem *mem,
			 unsigned int nr)
{
	struct vhost_memory *table;
	unsigned int i;
	int ret;

	table = calloc(1, sizeof(*table) + nr * sizeof(table->regions[0]));
	if (!table)
		return -ENOMEM;
	table->nregions = nr;
	for (i = 0; i < nr; i++) {
		table->regions[i].guest_phys_addr = mem[i].gpa;
		table->regions[i].memory_size = mem[i].size;
		table->regions[i].userspace_addr = (uintptr_t)mem[i].hva;
	}
	ret = __pipe_ioctl(dev->fd, VHOST_SET_MEM_TABLE, table);
	free(table);
	return ret;
}

void pipe_dev_start(struct pipe_dev *dev, struct pipe_mem *mem)
{
	int ret;

	pipe_dev_open(dev, mem);
	ret = __pipe_set_owner(dev);
	if (ret)
		pipe_die("VHOST_SET_OWNER: %s", strerror(-ret));
	ret = __pipe_set_mem_table(dev, mem, 1);
	if (ret)
		pipe_die("VHOST_SET_MEM_TABLE: %s", strerror(-ret));
}

int __pipe_access(struct pipe_dev *dev,
		  struct vhost_goldfish_pipe_access *access)
{
	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_ACCESS, access);
}

void pipe_reg_write(struct pipe_dev *dev, uint32_t offset, uint32_t value)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = offset,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = value,
	};
	int ret = __pipe_access(dev, &access);

	if (ret)
		pipe_die("write of register 0x%x: %s", offset, strerror(-ret));
}

uint32_t pipe_reg_read(struct pipe_dev *dev, uint32_t offset)
{
	struct vhost_goldfish_pipe_access access = { .offset = offset };
	int ret = __pipe_access(dev, &access);

	if (ret)
		pipe_die("read of register 0x%x: %s", offset, strerror(-ret));
	return access.value;
}

bool pipe_line_level(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = PIPE_REG_UNUSED,
	};
	int ret = __pipe_access(dev, &access);

	if (ret)
		pipe_die("read of the line: %s", strerror(-ret));
	return access.flags & VHOST_GOLDFISH_PIPE_ACCESS_LINE;
}

void pipe_wait_line(struct pipe_dev *dev)
{
	/* No time limit of our own: the harness has one. */
	while (!pipe_line_level(dev))
		sched_yield();
}

int __pipe_set_doorbell(struct pipe_dev *dev, uint32_t id, int fd)
{
	struct vhost_goldfish_pipe_doorbell doorbell = { .id = id, .fd = fd };

	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_DOORBELL,
			    &doorbell);
}

void pipe_set_doorbell(struct pipe_dev *dev, uint32_t id, int fd)
{
	int ret = __pipe_set_doorbell(dev, id, fd);

	if (ret)
		pipe_die("SET_DOORBELL %u %d: %s", id, fd, strerror(-ret));
}

int __pipe_set_line(struct pipe_dev *dev, int call_fd, int resample_fd)
{
	struct vhost_goldfish_pipe_line line = {
		.call_fd = call_fd,
		.resample_fd = resample_fd,
	};

	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_LINE, &line);
}

int __pipe_set_window(struct pipe_dev *dev, void *page)
{
	struct vhost_goldfish_pipe_window window = {
		.uaddr = (uintptr_t)page,
	};
	int ret;

	ret = __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_WINDOW, &window);
	if (!ret)
		dev->window = page;
	return ret;
}

int __pipe_hang_up(struct pipe_dev *dev, uint32_t id)
{
	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_HANG_UP, &id);
}

void pipe_hang_up(struct pipe_dev *dev, uint32_t id)
{
	int ret = __pipe_hang_up(dev, id);

	if (ret)
		pipe_die("HANG_UP %u: %s", id, strerror(-ret));
}

int __pipe_get_stats(struct pipe_dev *dev,
		     struct vhost_goldfish_pipe_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_GET_STATS, stats);
}

void pipe_get_stats(struct pipe_dev *dev,
		    struct vhost_goldfish_pipe_stats *stats)
{
	int ret = __pipe_get_stats(dev, stats);

	if (ret)
		pipe_die("GET_STATS: %s", strerror(-ret));
}

uint64_t pipe_stat_bad_guest(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_stats stats;

	pipe_get_stats(dev, &stats);
	return stats.bad_guest;
}

uint64_t pipe_stat_open_pipes(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_stats stats;

	pipe_get_stats(dev, &stats);
	return stats.pipes;
}
