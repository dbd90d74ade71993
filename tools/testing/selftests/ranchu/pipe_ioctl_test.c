// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node's ioctls, used wrongly: bad pointer, bad size, unknown
 * number, wrong order, twice, by another process, with a file that is no eventfd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			120
#define MEM_SIZE		(4u << 20)

/* One argument that is good for any of the ioctls below, all zero but these. */
union any_arg {
	struct vhost_memory memory;
	struct vhost_goldfish_pipe_window window;
	struct vhost_goldfish_pipe_line line;
	struct vhost_goldfish_pipe_line_vm line_vm;
	struct vhost_goldfish_pipe_doorbell doorbell;
	struct vhost_goldfish_pipe_access access;
	struct vhost_goldfish_pipe_stats stats;
	uint64_t features;
	uint32_t id;
	uint8_t bytes[256];
};

static void good_line(union any_arg *arg)
{
	arg->line.call_fd = -1;
	arg->line.resample_fd = -1;
}

static void good_line_vm(union any_arg *arg)
{
	arg->line_vm.vm_fd = -1;
}

#ifdef __x86_64__
#define LINE_VM	0
#else
#define LINE_VM	-EOPNOTSUPP
#endif

static void good_stats(union any_arg *arg)
{
	arg->stats.size = sizeof(arg->stats);
}

#define OWNERS			true
#define ANYBODYS		false

/* Results of a device that has an owner and nothing else. */
static const struct row {
	const char *name;
	unsigned long request;
	bool owners;
	int answer;
	void (*fill)(union any_arg *arg);
} rows[] = {
	{ "GET_FEATURES", VHOST_GET_FEATURES, ANYBODYS, 0, NULL },
	{ "SET_FEATURES", VHOST_SET_FEATURES, OWNERS, 0, NULL },
	{ "GET_BACKEND_FEATURES", VHOST_GET_BACKEND_FEATURES, ANYBODYS, 0,
	  NULL },
	{ "SET_MEM_TABLE", VHOST_SET_MEM_TABLE, OWNERS, 0, NULL },
	{ "SET_WINDOW", VHOST_GOLDFISH_PIPE_SET_WINDOW, OWNERS, 0, NULL },
	{ "SET_LINE", VHOST_GOLDFISH_PIPE_SET_LINE, OWNERS, 0, good_line },
	{ "SET_LINE_VM", VHOST_GOLDFISH_PIPE_SET_LINE_VM, OWNERS, LINE_VM, good_line_vm },
	{ "SET_DOORBELL", VHOST_GOLDFISH_PIPE_SET_DOORBELL, OWNERS, -EINVAL,
	  NULL },
	{ "ACCESS", VHOST_GOLDFISH_PIPE_ACCESS, OWNERS, 0, NULL },
	{ "RUN", VHOST_GOLDFISH_PIPE_RUN, OWNERS, -EINVAL, NULL },
	{ "HANG_UP", VHOST_GOLDFISH_PIPE_HANG_UP, OWNERS, -ENOENT, NULL },
	{ "GET_STATS", VHOST_GOLDFISH_PIPE_GET_STATS, ANYBODYS, 0, good_stats },
	{ "GET_STATE", VHOST_GOLDFISH_PIPE_GET_STATE, OWNERS, -EBUSY, NULL },
	{ "SET_STATE", VHOST_GOLDFISH_PIPE_SET_STATE, OWNERS, -EOPNOTSUPP, NULL },
};

/*
 * A zeroed SET_DOORBELL names file 0 as its eventfd; FIXTURE_SETUP sees to it
 * that this is none, so that the answer is -EINVAL everywhere.
 */
static int call(int fd, const struct row *row)
{
	union any_arg arg;

	memset(&arg, 0, sizeof(arg));
	if (row->fill)
		row->fill(&arg);
	return __pipe_ioctl(fd, row->request, &arg);
}

FIXTURE(ioctls)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	int efd;
	int null;
	bool doorbells;
};

FIXTURE_SETUP(ioctls)
{
	uint64_t features = 0;

	if (__pipe_dev_open(&self->dev, &self->mem))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->efd);
	ASSERT_LE(0, self->null);
	ASSERT_EQ(0, dup2(self->null, 0));
	ASSERT_EQ(0, __pipe_ioctl(self->dev.fd, VHOST_GET_BACKEND_FEATURES,
				  &features));
	self->doorbells = features & 1ull << VHOST_GOLDFISH_PIPE_F_DOORBELL;
}

FIXTURE_TEARDOWN(ioctls)
{
	pipe_dev_close(&self->dev);
	close(self->efd);
	close(self->null);
	pipe_mem_destroy(&self->mem);
}

/* Without doorbells in this kernel SET_DOORBELL has an answer of its own. */
static int answer(bool doorbells, const struct row *row)
{
	if (row->request == VHOST_GOLDFISH_PIPE_SET_DOORBELL && !doorbells)
		return -EOPNOTSUPP;
	return row->answer;
}

TEST_F_TIMEOUT(ioctls, without_an_owner, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].owners ? -EPERM :
					   answer(self->doorbells, &rows[i]),
			  call(self->dev.fd, &rows[i]))
		{
			TH_LOG("%s", rows[i].name);
		}
	}
	EXPECT_EQ(-EPERM,
		  __pipe_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL));
}

TEST_F_TIMEOUT(ioctls, with_an_owner, TIMEOUT)
{
	unsigned int i, round;

	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	/* Each of them a second time as well. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			EXPECT_EQ(answer(self->doorbells, &rows[i]),
				  call(self->dev.fd, &rows[i]))
			{
				TH_LOG("%s", rows[i].name);
			}
		}
	}
	EXPECT_EQ(-EBUSY, __pipe_set_owner(&self->dev));
}

TEST_F_TIMEOUT(ioctls, reset_owner, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct vhost_goldfish_pipe_stats stats;
	struct test_pipe pipe;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, __pipe_set_owner(dev));
		ASSERT_EQ(0, __pipe_set_mem_table(dev, &self->mem, 1));
		ASSERT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
		pipe_handshake(dev);
		pipe_connect(dev, &pipe, 1, "pipe:pingpong");
		if (self->doorbells)
			pipe_set_doorbell(dev, 1, self->efd);
		pipe_hang_up(dev, 1);
		ASSERT_EQ(0, __pipe_ioctl(dev->fd, VHOST_RESET_OWNER, NULL));
		pipe_get_stats(dev, &stats);
		EXPECT_EQ(0, stats.pipes);
		EXPECT_EQ(0, stats.doorbells);
		/* The eventfd is detached; writing to it has no effect on the device. */
		EXPECT_EQ(0, eventfd_write(self->efd, 1));
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].owners ? -EPERM : 0,
			  call(self->dev.fd, &rows[i]))
		{
			TH_LOG("%s", rows[i].name);
		}
	}
	EXPECT_EQ(-EPERM, __pipe_ioctl(dev->fd, VHOST_RESET_OWNER, NULL));
}

/* Returns the number of rows that another process was not refused. */
static int foreign_calls(int fd)
{
	int bad = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].owners && call(fd, &rows[i]) != -EPERM)
			bad++;
		if (!rows[i].owners && call(fd, &rows[i]))
			bad++;
	}
	bad += __pipe_ioctl(fd, VHOST_SET_OWNER, NULL) != -EBUSY;
	bad += __pipe_ioctl(fd, VHOST_RESET_OWNER, NULL) != -EPERM;
	return bad;
}

TEST_F_TIMEOUT(ioctls, another_process, TIMEOUT)
{
	struct test_pipe pipe;
	int status = -1;
	pid_t pid;

	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	ASSERT_EQ(0, __pipe_set_mem_table(&self->dev, &self->mem, 1));
	pipe_handshake(&self->dev);
	pipe_connect(&self->dev, &pipe, 1, "pipe:zero");
	pid = fork();
	if (!pid)
		_exit(foreign_calls(self->dev.fd));
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(3, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
}

/* The owner is gone for good, but the file is open here, too. */
TEST_F_TIMEOUT(ioctls, owner_dies_first, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct vhost_goldfish_pipe_stats stats;
	struct test_pipe pipe;
	int status = -1;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (__pipe_set_owner(dev) ||
		    __pipe_set_mem_table(dev, &self->mem, 1))
			_exit(1);
		pipe_handshake(dev);
		pipe_connect(dev, &pipe, 1, "pipe:throttle");
		if (self->doorbells)
			pipe_set_doorbell(dev, 1, self->efd);
		pipe_write(&pipe, self->mem.gpa, 8192);
		_exit(0);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, foreign_calls(dev->fd));
	/* The owner's memory is gone, so the command cannot run. */
	EXPECT_EQ(0, eventfd_write(self->efd, 1));
	pipe_get_stats(dev, &stats);
	EXPECT_EQ(0, stats.kicks);
	/* Its pipes went with it. The teardown's close is the last one. */
	EXPECT_EQ(0, stats.pipes);
}

TEST_F_TIMEOUT(ioctls, bad_pointers, TIMEOUT)
{
	uint8_t *pages = mmap(NULL, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void * const pointers[] = {
		NULL,
		(void *)8,
		(void *)-1ul,
		(void *)-4096ul,
		(void *)(1ul << 63),
		pages + HOST_PAGE,
		/* Even the shortest argument reaches into the hole. */
		pages + HOST_PAGE - 1,
	};
	unsigned int i, p;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + HOST_PAGE, HOST_PAGE, PROT_NONE));
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (p = 0; p < ARRAY_SIZE(pointers); p++) {
			EXPECT_EQ(-EFAULT, __pipe_ioctl(self->dev.fd,
							rows[i].request,
							pointers[p]))
			{
				TH_LOG("%s %p", rows[i].name, pointers[p]);
			}
		}
	}
	munmap(pages, 2 * HOST_PAGE);
}

/* Answers need writable memory. */
TEST_F_TIMEOUT(ioctls, read_only_pointers, TIMEOUT)
{
	const unsigned long requests[] = {
		VHOST_GET_FEATURES,
		VHOST_GET_BACKEND_FEATURES,
		VHOST_GOLDFISH_PIPE_ACCESS,
		VHOST_GOLDFISH_PIPE_GET_STATS,
	};
	union any_arg *page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		memset(page, 0, sizeof(*page));
		if (requests[i] == VHOST_GOLDFISH_PIPE_GET_STATS)
			good_stats(page);
		ASSERT_EQ(0, mprotect(page, HOST_PAGE, PROT_READ));
		EXPECT_EQ(-EFAULT, __pipe_ioctl(self->dev.fd, requests[i],
						page));
		ASSERT_EQ(0, mprotect(page, HOST_PAGE,
				      PROT_READ | PROT_WRITE));
	}
	munmap(page, HOST_PAGE);
}

TEST_F_TIMEOUT(ioctls, unknown_numbers, TIMEOUT)
{
	const unsigned long requests[] = {
		0,
		~0u,
		_IO(VHOST_VIRTIO, 0xff),
		_IOW(VHOST_VIRTIO, 0xbf, uint32_t),
		_IOW(VHOST_VIRTIO, 0xc6, uint32_t),
		/* vhost's own that this device has no use for. */
		VHOST_SET_LOG_BASE,
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_KICK,
		VHOST_SET_BACKEND_FEATURES,
		/* Right number, wrong size. */
		_IOW(VHOST_VIRTIO, 0xc0, uint32_t),
		_IOW(VHOST_VIRTIO, 0xc2, uint64_t[2]),
		_IOWR(VHOST_VIRTIO, 0xc3, uint64_t),
		_IOW(VHOST_VIRTIO, 0xc4, uint64_t),
		_IOWR(VHOST_VIRTIO, 0xc5, uint64_t),
		/* Wrong direction, wrong type. */
		_IOR(VHOST_VIRTIO, 0xc4, uint32_t),
		_IOW('G', 0xc4, uint32_t),
	};
	union any_arg arg;
	unsigned int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(requests); i++) {
			memset(&arg, 0, sizeof(arg));
			EXPECT_EQ(-ENOTTY,
				  __pipe_ioctl(self->dev.fd, requests[i], &arg))
			{
				TH_LOG("0x%lx", requests[i]);
			}
		}
		if (!round)
			ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	}
}

TEST_F_TIMEOUT(ioctls, features, TIMEOUT)
{
	uint64_t features = ~0ull;

	EXPECT_EQ(0, __pipe_ioctl(self->dev.fd, VHOST_GET_FEATURES, &features));
	EXPECT_EQ(0, features);
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	features = 1;
	EXPECT_GT(0, __pipe_ioctl(self->dev.fd, VHOST_SET_FEATURES, &features));
	features = 1ull << 63;
	EXPECT_GT(0, __pipe_ioctl(self->dev.fd, VHOST_SET_FEATURES, &features));
}

static int set_table(struct pipe_dev *dev, const struct pipe_mem *mem,
		     unsigned int nr, uint32_t padding)
{
	union any_arg arg;
	unsigned int i;

	memset(&arg, 0, sizeof(arg));
	arg.memory.nregions = nr;
	arg.memory.padding = padding;
	for (i = 0; i < nr && i < 4; i++) {
		arg.memory.regions[i].guest_phys_addr = mem[i].gpa;
		arg.memory.regions[i].memory_size = mem[i].size;
		arg.memory.regions[i].userspace_addr = (uintptr_t)mem[i].hva;
	}
	return __pipe_ioctl(dev->fd, VHOST_SET_MEM_TABLE, &arg);
}

TEST_F_TIMEOUT(ioctls, memory_tables, TIMEOUT)
{
	uint8_t *hva = self->mem.hva;
	const struct {
		const char *what;
		struct pipe_mem regions[2];
		unsigned int nr;
	} bad[] = {
		{ "empty region", { { 0, 0, hva, 0 } }, 1 },
		{ "guest addresses wrap", { { -4096ull, 8192, hva, 0 } }, 1 },
		{ "size wraps", { { 4096, -1ull, hva, 0 } }, 1 },
		{ "user addresses wrap",
		  { { 0, 8192, (void *)-4096ul, 0 } }, 1 },
		{ "kernel's addresses",
		  { { 0, 4096, (void *)(-1ul << 47), 0 } }, 1 },
		{ "same twice",
		  { { 0, 4096, hva, 0 }, { 0, 4096, hva, 0 } }, 2 },
		{ "overlap by a byte",
		  { { 0, 4097, hva, 0 }, { 4096, 4096, hva, 0 } }, 2 },
		{ "overlap, other order",
		  { { 4096, 4096, hva, 0 }, { 0, 4097, hva, 0 } }, 2 },
		{ "one inside the other",
		  { { 0, 65536, hva, 0 }, { 4096, 4096, hva, 0 } }, 2 },
	};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	unsigned int i;
	int ret;

	ASSERT_EQ(0, __pipe_set_owner(dev));
	ASSERT_EQ(0, set_table(dev, &self->mem, 1, 0));
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ret = set_table(dev, bad[i].regions, bad[i].nr, 0);
		EXPECT_TRUE(ret == -EINVAL || ret == -EFAULT)
		{
			TH_LOG("%s: %d", bad[i].what, ret);
		}
		/* The table from before is still in force. */
		EXPECT_EQ(3, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	}
	EXPECT_GT(0, set_table(dev, &self->mem, 1, 1));
	EXPECT_EQ(-E2BIG, set_table(dev, &self->mem, UINT32_MAX, 0));
	EXPECT_EQ(-E2BIG, set_table(dev, &self->mem, 1u << 28, 0));
	EXPECT_EQ(3, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
}

/* A table whose end lies in a hole is not read half-way. */
TEST_F_TIMEOUT(ioctls, memory_table_in_a_hole, TIMEOUT)
{
	uint8_t *pages = mmap(NULL, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vhost_memory *table;

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + HOST_PAGE, HOST_PAGE, PROT_NONE));
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	table = (void *)(pages + HOST_PAGE - sizeof(*table));
	table->nregions = 1;
	table->padding = 0;
	EXPECT_EQ(-EFAULT,
		  __pipe_ioctl(self->dev.fd, VHOST_SET_MEM_TABLE, table));
	table->nregions = 0;
	EXPECT_EQ(0, __pipe_ioctl(self->dev.fd, VHOST_SET_MEM_TABLE, table));
	munmap(pages, 2 * HOST_PAGE);
}

TEST_F_TIMEOUT(ioctls, windows, TIMEOUT)
{
	uint8_t *page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pipe_dev *dev = &self->dev;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, __pipe_set_owner(dev));
	EXPECT_EQ(-EINVAL, __pipe_set_window(dev, page + 1));
	EXPECT_EQ(-EINVAL, __pipe_set_window(dev, page + 4));
	EXPECT_EQ(-EINVAL, __pipe_set_window(dev, page + 2048));
	EXPECT_EQ(-EFAULT, __pipe_set_window(dev, (void *)-HOST_PAGE));
	EXPECT_EQ(-EFAULT, __pipe_set_window(dev, (void *)(1ul << 63)));
	EXPECT_EQ(0, __pipe_set_window(dev, page));
	EXPECT_EQ(0, __pipe_set_window(dev, NULL));
	ASSERT_EQ(0, mprotect(page, HOST_PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, __pipe_set_window(dev, page));
	munmap(page, HOST_PAGE);
	EXPECT_EQ(-EFAULT, __pipe_set_window(dev, page));
}

/* A window needs KVM to tell the end of an interrupt. */
TEST_F_TIMEOUT(ioctls, window_and_line, TIMEOUT)
{
	uint8_t *page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pipe_dev *dev = &self->dev;
	int resample = eventfd(0, EFD_CLOEXEC);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_LE(0, resample);
	ASSERT_EQ(0, __pipe_set_owner(dev));
	EXPECT_EQ(0, __pipe_set_line(dev, self->efd, -1));
	EXPECT_EQ(-EINVAL, __pipe_set_window(dev, page));
	EXPECT_EQ(0, __pipe_set_line(dev, self->efd, resample));
	EXPECT_EQ(0, __pipe_set_window(dev, page));
	EXPECT_EQ(-EINVAL, __pipe_set_line(dev, self->efd, -1));
	EXPECT_EQ(0, __pipe_set_line(dev, -1, -1));
	EXPECT_EQ(0, __pipe_set_line(dev, self->efd, resample));
	EXPECT_EQ(0, __pipe_set_window(dev, NULL));
	EXPECT_EQ(0, __pipe_set_line(dev, self->efd, -1));
	close(resample);
	munmap(page, HOST_PAGE);
}

TEST_F_TIMEOUT(ioctls, lines, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	int i;

	ASSERT_EQ(0, __pipe_set_owner(dev));
	EXPECT_EQ(-EBADF, __pipe_set_line(dev, -2, -1));
	EXPECT_EQ(-EBADF, __pipe_set_line(dev, 9999, -1));
	EXPECT_EQ(-EBADF, __pipe_set_line(dev, self->efd, -2));
	EXPECT_EQ(-EBADF, __pipe_set_line(dev, self->efd, 9999));
	EXPECT_EQ(-EINVAL, __pipe_set_line(dev, self->null, -1));
	EXPECT_EQ(-EINVAL, __pipe_set_line(dev, self->efd, self->null));
	EXPECT_EQ(-EINVAL, __pipe_set_line(dev, dev->fd, -1));
	EXPECT_EQ(-EINVAL, __pipe_set_line(dev, self->efd, dev->fd));
	for (i = 0; i < 100; i++) {
		int resample = eventfd(i, EFD_CLOEXEC);

		ASSERT_LE(0, resample);
		EXPECT_EQ(0, __pipe_set_line(dev, self->efd, resample));
		close(resample);
	}
}

TEST_F_TIMEOUT(ioctls, doorbells, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct vhost_goldfish_pipe_stats stats;
	uint32_t i;

	if (!self->doorbells)
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __pipe_set_owner(dev));
	EXPECT_EQ(-EINVAL, __pipe_set_doorbell(dev, VHOST_GOLDFISH_PIPE_MAX_ID,
					       self->efd));
	EXPECT_EQ(-EINVAL, __pipe_set_doorbell(dev, UINT32_MAX, self->efd));
	EXPECT_EQ(-EINVAL, __pipe_set_doorbell(dev, UINT32_MAX, -1));
	EXPECT_EQ(-ENOENT, __pipe_set_doorbell(dev, 0, -1));
	EXPECT_EQ(-EBADF, __pipe_set_doorbell(dev, 0, -2));
	EXPECT_EQ(-EBADF, __pipe_set_doorbell(dev, 0, 9999));
	EXPECT_EQ(-EINVAL, __pipe_set_doorbell(dev, 0, self->null));
	EXPECT_EQ(-EINVAL, __pipe_set_doorbell(dev, 0, dev->fd));
	EXPECT_EQ(-ENOENT, __pipe_set_doorbell(dev, 0, -1));
	EXPECT_EQ(0, __pipe_set_doorbell(dev, 0, self->efd));
	EXPECT_EQ(-EBUSY, __pipe_set_doorbell(dev, 0, self->efd));
	EXPECT_EQ(0, __pipe_set_doorbell(dev, 0, -1));
	EXPECT_EQ(-ENOENT, __pipe_set_doorbell(dev, 0, -1));

	/* All valid numbers; all are detached at the end. */
	for (i = 0; i < VHOST_GOLDFISH_PIPE_MAX_ID; i += 63)
		ASSERT_EQ(0, __pipe_set_doorbell(dev, i, self->efd));
	pipe_get_stats(dev, &stats);
	EXPECT_EQ(66, stats.doorbells);
	for (i = 0; i < VHOST_GOLDFISH_PIPE_MAX_ID; i += 63)
		ASSERT_EQ(0, __pipe_set_doorbell(dev, i, -1));
	pipe_get_stats(dev, &stats);
	EXPECT_EQ(0, stats.doorbells);
}

/* What a host without synchronous doorbells has: commands by ACCESS. */
TEST_F_TIMEOUT(ioctls, doorbells_that_cannot_be, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	if (self->doorbells)
		SKIP(return, "this kernel has synchronous doorbells");
	ASSERT_EQ(0, __pipe_set_owner(dev));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &self->mem, 1));
	EXPECT_EQ(-EOPNOTSUPP, __pipe_set_doorbell(dev, 0, self->efd));
	EXPECT_EQ(-ENOENT, __pipe_set_doorbell(dev, 0, -1));
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	EXPECT_EQ(-EOPNOTSUPP, __pipe_set_doorbell(dev, 0, self->efd));
	pipe_close(&pipe);
}

/* The eventfd's last user here goes first; nothing may still point at it. */
TEST_F_TIMEOUT(ioctls, eventfd_closed_first, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint32_t i;

	if (!self->doorbells)
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __pipe_set_owner(dev));
	for (i = 0; i < 100; i++) {
		int efd = eventfd(0, EFD_CLOEXEC);

		ASSERT_LE(0, efd);
		ASSERT_EQ(0, __pipe_set_doorbell(dev, i, efd));
		close(efd);
		if (i & 1)
			ASSERT_EQ(0, __pipe_set_doorbell(dev, i, -1));
	}
}

/* A ring from before the doorbell was attached is not lost. */
TEST_F_TIMEOUT(ioctls, ring_before_attach, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	eventfd_t count;

	if (!self->doorbells)
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __pipe_set_owner(dev));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &self->mem, 1));
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 2, "pipe:zero");
	ASSERT_EQ(0, eventfd_write(self->efd, 5));
	pipe_set_doorbell(dev, 2, self->efd);
	ASSERT_EQ(0, eventfd_write(self->efd, 1));
	/* Every ring has been taken out of the eventfd. */
	EXPECT_EQ(-1, eventfd_read(self->efd, &count));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F_TIMEOUT(ioctls, access_arguments, TIMEOUT)
{
	struct vhost_goldfish_pipe_access access = {};
	struct pipe_dev *dev = &self->dev;
	unsigned int bit;

	ASSERT_EQ(0, __pipe_set_owner(dev));
	for (bit = 1; bit < 32; bit++) {
		access = (struct vhost_goldfish_pipe_access){
			.offset = GOLDFISH_PIPE_REG_VERSION,
			.flags = 1u << bit,
		};
		EXPECT_EQ(-EINVAL, __pipe_access(dev, &access));
	}
	access.flags = 0;
	access.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_access(dev, &access));
	/* Any offset is a register of some kind. */
	access = (struct vhost_goldfish_pipe_access){ .offset = UINT32_MAX };
	EXPECT_EQ(0, __pipe_access(dev, &access));
	EXPECT_EQ(0, access.value);
	/* Without memory a command finds nothing to run. */
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER, RANCHU_RAM_BASE);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT, 64);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_CMD, 0);
	EXPECT_EQ(0, pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED));
}

TEST_F_TIMEOUT(ioctls, hang_up_of_nothing, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	ASSERT_EQ(0, __pipe_set_owner(dev));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &self->mem, 1));
	pipe_handshake(dev);
	EXPECT_EQ(-ENOENT, __pipe_hang_up(dev, 0));
	EXPECT_EQ(-ENOENT, __pipe_hang_up(dev, VHOST_GOLDFISH_PIPE_MAX_ID));
	EXPECT_EQ(-ENOENT, __pipe_hang_up(dev, UINT32_MAX));
	pipe_open(dev, &pipe, 0);
	EXPECT_EQ(-ENOENT, __pipe_hang_up(dev, 1));
	EXPECT_EQ(0, __pipe_hang_up(dev, 0));
	EXPECT_EQ(0, __pipe_hang_up(dev, 0));
	pipe_close(&pipe);
	EXPECT_EQ(-ENOENT, __pipe_hang_up(dev, 0));
}

TEST_F_TIMEOUT(ioctls, stats_sizes, TIMEOUT)
{
	const uint32_t head = offsetof(struct vhost_goldfish_pipe_stats, kicks);
	const uint32_t whole = sizeof(struct vhost_goldfish_pipe_stats);
	const uint32_t sizes[] = { head, head + 8, 100, whole - 8, whole,
				   whole + 8, 200 };
	union any_arg arg;
	uint32_t i, k, filled;

	ASSERT_LT(whole, sizeof(arg));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(&arg, 0xee, sizeof(arg));
		arg.stats.size = sizes[i];
		arg.stats.padding = 0;
		filled = sizes[i] < whole ? sizes[i] : whole;
		EXPECT_EQ(0, __pipe_ioctl(self->dev.fd,
					  VHOST_GOLDFISH_PIPE_GET_STATS, &arg));
		EXPECT_EQ(filled, arg.stats.size);
		/* All counters are 0, and what was not filled is not. */
		for (k = head; k < sizeof(arg); k++) {
			ASSERT_EQ(k < filled ? 0 : 0xee, arg.bytes[k])
			{
				TH_LOG("size %u, byte %u", sizes[i], k);
			}
		}
	}
	for (i = 0; i < head; i++) {
		memset(&arg, 0, sizeof(arg));
		arg.stats.size = i;
		EXPECT_EQ(-EINVAL,
			  __pipe_ioctl(self->dev.fd,
				       VHOST_GOLDFISH_PIPE_GET_STATS, &arg));
	}
	good_stats(&arg);
	arg.stats.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(self->dev.fd,
					VHOST_GOLDFISH_PIPE_GET_STATS, &arg));
}

TEST_F_TIMEOUT(ioctls, no_other_file_operation, TIMEOUT)
{
	uint8_t bytes[16] = {};

	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	EXPECT_EQ(-1, read(self->dev.fd, bytes, sizeof(bytes)));
	EXPECT_EQ(-1, write(self->dev.fd, bytes, sizeof(bytes)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HOST_PAGE, PROT_READ, MAP_SHARED,
				   self->dev.fd, 0));
}

/* Two open files are two devices. */
TEST_F_TIMEOUT(ioctls, files_are_apart, TIMEOUT)
{
	struct pipe_mem mem;
	struct pipe_dev other;
	struct test_pipe a, b;

	pipe_mem_create(&mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&other, &mem);
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	ASSERT_EQ(0, __pipe_set_mem_table(&self->dev, &self->mem, 1));
	pipe_handshake(&self->dev);
	pipe_handshake(&other);
	pipe_connect(&self->dev, &a, 7, "pipe:pingpong");
	pipe_connect(&other, &b, 7, "pipe:pingpong");
	EXPECT_EQ(10, pipe_write(&a, self->mem.gpa, 10));
	EXPECT_EQ(GOLDFISH_PIPE_ERROR_AGAIN, pipe_read(&b, mem.gpa, 10));
	pipe_reg_write(&other, GOLDFISH_PIPE_REG_VERSION, 2);
	EXPECT_EQ(10, pipe_read(&a, self->mem.gpa, 10));
	pipe_dev_close(&other);
	EXPECT_EQ(2, pipe_command(&a, GOLDFISH_PIPE_CMD_POLL));
	pipe_mem_destroy(&mem);
}

TEST_HARNESS_MAIN
