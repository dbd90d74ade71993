// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of DMA: pinned memory, files, mappings; and memory that the owner removes while
 * it is in use.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_services.h"

#define TIMEOUT			300
#define MEM_SIZE		(64u << 20)
#define REGION			(1u << 20)
/* More than is pinned in one step. */
#define PRIVATE			(3u << 20)
/* An unused user id. */
#define USER			54321

#define MAP			GOLDFISH_PIPE_CMD_DMA_MAPHOST
#define UNMAP			GOLDFISH_PIPE_CMD_DMA_UNMAPHOST
#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define NOMEM			GOLDFISH_PIPE_ERROR_NOMEM

#define FILES			VHOST_GOLDFISH_PIPE_MAX_DMA_FILES
#define MAPPINGS		VHOST_GOLDFISH_PIPE_MAX_DMA_MAPPINGS

FIXTURE(limits)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	int services;
	uint64_t open;
	uint64_t gpa;
	uint8_t *guest;
};

/* A guest with a pipe that a service of this process serves. */
static void limits_start(struct _test_data_limits *self)
{
	if (__pipe_set_owner(&self->dev) ||
	    __pipe_set_mem_table(&self->dev, &self->mem, 1))
		pipe_die("no owner");
	pipe_handshake(&self->dev);
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	pipe_connect(&self->dev, &self->pipe, 1, "pipe:svc");
	self->open = services_expect(self->services, "svc", NULL);
	self->gpa = pipe_mem_alloc(&self->mem, REGION, HOST_PAGE);
	self->guest = pipe_mem_hva(&self->mem, self->gpa, REGION);
}

FIXTURE_SETUP(limits)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	pipe_mem_create_file(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_open(&self->dev, &self->mem);
}

FIXTURE_TEARDOWN(limits)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

static int get_file(struct _test_data_limits *self)
{
	struct vhost_goldfish_pipe_dma dma;
	int ret = __services_get_dma(self->services, self->open, self->gpa, &dma);

	return ret ?: dma.fd;
}

static void *map_file(int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

TEST_F_TIMEOUT(limits, files, TIMEOUT)
{
	unsigned int i;
	int fds[FILES];

	limits_start(self);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	for (i = 0; i < FILES; i++) {
		fds[i] = get_file(self);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < FILES; i++) {
		ASSERT_EQ(-ENOSPC, get_file(self));
		close(fds[i]);
		fds[i] = get_file(self);
		ASSERT_LE(0, fds[i]);
	}
	/* The limit is per region. */
	ASSERT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	for (i = 0; i < FILES; i++) {
		close(fds[i]);
		fds[i] = get_file(self);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(-ENOSPC, get_file(self));
	close(self->services);
}

TEST_F_TIMEOUT(limits, mappings, TIMEOUT)
{
	uint8_t *at[MAPPINGS];
	int fd, other;
	unsigned int i;

	limits_start(self);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	fd = get_file(self);
	other = get_file(self);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, other);
	for (i = 0; i < MAPPINGS; i++) {
		at[i] = map_file(i & 1 ? fd : other, REGION);
		ASSERT_NE(MAP_FAILED, at[i]);
	}
	EXPECT_EQ(MAP_FAILED, map_file(fd, HOST_PAGE));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(MAP_FAILED, map_file(other, HOST_PAGE));
	EXPECT_EQ(ENOMEM, errno);
	/* A mapping cannot be split; as a whole it can be changed and moved. */
	EXPECT_EQ(-1, munmap(at[0] + HOST_PAGE, HOST_PAGE));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(-1, mprotect(at[0], HOST_PAGE, PROT_READ));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(0, mprotect(at[0], REGION, PROT_READ));
	at[0] = mremap(at[0], REGION, REGION, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, at[0]);
	self->guest[7] = 7;
	EXPECT_EQ(7, at[0][7]);
	/* Unmapping makes room for another mapping, and partial mappings count. */
	ASSERT_EQ(0, munmap(at[1], REGION));
	ASSERT_EQ(0, munmap(at[2], REGION));
	EXPECT_EQ(0, munmap(at[3] + HOST_PAGE, HOST_PAGE));
	at[1] = map_file(fd, REGION);
	ASSERT_NE(MAP_FAILED, at[1]);
	EXPECT_EQ(MAP_FAILED, map_file(fd, REGION));
	close(fd);
	close(other);
	close(self->services);
}

/* A process that a service forks has none of its mappings, and may have its own. */
TEST_F_TIMEOUT(limits, children, TIMEOUT)
{
	volatile uint8_t *at;
	int fd, status;
	pid_t pid;

	limits_start(self);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	fd = get_file(self);
	ASSERT_LE(0, fd);
	at = map_file(fd, REGION);
	ASSERT_NE(MAP_FAILED, at);
	self->guest[1] = 3;
	EXPECT_EQ(3, at[1]);
	pid = fork();
	if (!pid)
		_exit(at[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pid = fork();
	if (!pid) {
		at = map_file(fd, REGION);
		_exit(at == MAP_FAILED ? 1 : at[1]);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(3, WEXITSTATUS(status));
	close(fd);
	close(self->services);
}

/* Reads the kernel's memory counter @name. */
static long long memory_counter(const char *name)
{
	FILE *file = fopen("/proc/vmstat", "r");
	long long value = -1;
	char line[128], key[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lld", key, &value) == 2 && !strcmp(key, name))
			break;
	if (!file || strcmp(key, name))
		pipe_die("no counter %s", name);
	fclose(file);
	return value;
}

static long long pinned_pages(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "w");

	/* Fold the counts of each CPU. */
	if (!file || fputs("1", file) < 0 || fclose(file))
		pipe_die("stat_refresh: %s", strerror(errno));
	return memory_counter("nr_foll_pin_acquired") - memory_counter("nr_foll_pin_released");
}

/* Pages are pinned for long when they are touched, and unpinned at the end. */
TEST_F_TIMEOUT(limits, pinned, TIMEOUT)
{
	const unsigned int pages = REGION / HOST_PAGE;
	volatile uint8_t *at;
	long long before;
	unsigned int i;
	int fd;

	limits_start(self);
	before = pinned_pages();
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	fd = get_file(self);
	ASSERT_LE(0, fd);
	at = map_file(fd, REGION);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(before, pinned_pages());
	for (i = 0; i < REGION; i += HOST_PAGE)
		at[i] = 1;
	EXPECT_EQ(before + pages, pinned_pages());
	ASSERT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	EXPECT_EQ(before, pinned_pages());
	for (i = 0; i < REGION; i += HOST_PAGE)
		ASSERT_EQ(1, self->guest[i]);
	close(fd);
	close(self->services);
}

/* In a process of a user that may lock eight pages. */
static int lock_eight_pages(struct _test_data_limits *self)
{
	const struct rlimit limit = { 8 * HOST_PAGE, 8 * HOST_PAGE };
	unsigned int round;
	uint64_t bad;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(USER))
		return 1;
	limits_start(self);
	bad = pipe_stat_bad_guest(&self->dev);
	for (round = 0; round < 3; round++) {
		if (pipe_dma(&self->pipe, MAP, self->gpa, 9 * HOST_PAGE) != NOMEM ||
		    pipe_dma(&self->pipe, MAP, self->gpa, 5 * HOST_PAGE) ||
		    pipe_dma(&self->pipe, MAP, self->gpa + 8 * HOST_PAGE, 3 * HOST_PAGE) ||
		    pipe_dma(&self->pipe, MAP, self->gpa + 16 * HOST_PAGE, HOST_PAGE) != NOMEM)
			return 2;
		/* A refused overlap was not counted. */
		if (pipe_dma(&self->pipe, UNMAP, self->gpa + 8 * HOST_PAGE, 0) ||
		    !pipe_dma(&self->pipe, MAP, self->gpa, HOST_PAGE) ||
		    pipe_dma(&self->pipe, MAP, self->gpa + 8 * HOST_PAGE, 3 * HOST_PAGE))
			return 3;
		pipe_close(&self->pipe);
		pipe_connect(&self->dev, &self->pipe, 1, "pipe:svc");
	}
	if (pipe_stat_bad_guest(&self->dev) != bad + 3)
		return 4;
	return pipe_dma(&self->pipe, MAP, self->gpa, 8 * HOST_PAGE) ? 5 : 0;
}

/* A guest pins no more than its user may lock; the end of its regions frees that. */
TEST_F_TIMEOUT(limits, locked_memory, TIMEOUT)
{
	unsigned int round;
	int status;
	pid_t pid;

	for (round = 0; round < 2; round++) {
		pid = fork();
		if (!pid)
			_exit(lock_eight_pages(self));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_EQ(0, WEXITSTATUS(status));
		/* It goes with the device, which is still ours. */
		pipe_dev_close(&self->dev);
		pipe_dev_open(&self->dev, &self->mem);
	}
}

/* The same, of a user that may lock eight pages, by a stranger's ring: in the worker. */
static int lock_in_the_worker(struct _test_data_limits *self)
{
	const struct rlimit limit = { 8 * HOST_PAGE, 8 * HOST_PAGE };
	struct goldfish_pipe_dma dma = { .size = 9 * HOST_PAGE };
	volatile struct goldfish_pipe_command *cmd;
	uint64_t one = 1;
	int efd, status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(USER))
		return 1;
	limits_start(self);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pipe_set_doorbell(&self->dev, 1, efd);
	cmd = self->pipe.cmd;
	dma.paddr = self->gpa;
	memcpy((uint8_t *)self->pipe.cmd + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
	cmd->cmd = MAP;
	cmd->status = PIPE_PRESET;
	pid = fork();
	if (!pid)
		_exit(write(efd, &one, sizeof(one)) != sizeof(one));
	if (waitpid(pid, &status, 0) != pid || status)
		return 2;
	while (cmd->status == PIPE_PRESET)
		usleep(1000);
	return (int32_t)cmd->status == NOMEM ? 0 : 3;
}

TEST_F_TIMEOUT(limits, locked_memory_in_the_worker, TIMEOUT)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(lock_in_the_worker(self));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* The owner punches a hole and the guest touches it again: it gets other pages. */
TEST_F_TIMEOUT(limits, hole_punched, TIMEOUT)
{
	volatile uint8_t *at, *again;
	unsigned int i;
	int fd, other;

	limits_start(self);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	fd = get_file(self);
	ASSERT_LE(0, fd);
	at = map_file(fd, REGION);
	ASSERT_NE(MAP_FAILED, at);
	for (i = 0; i < REGION; i += HOST_PAGE)
		at[i] = 0x55;
	ASSERT_EQ(0, madvise(self->guest + REGION / 4, REGION / 2, MADV_REMOVE));
	for (i = 0; i < REGION; i += HOST_PAGE)
		self->guest[i + 1] = 0x66;
	/* Asking for the region makes both see the same, by every mapping of it. */
	other = get_file(self);
	ASSERT_LE(0, other);
	again = map_file(other, REGION);
	ASSERT_NE(MAP_FAILED, again);
	for (i = 0; i < REGION; i += HOST_PAGE) {
		ASSERT_EQ(0x66, at[i + 1]);
		ASSERT_EQ(0x66, again[i + 1]);
		ASSERT_EQ(i >= REGION / 4 && i < 3 * REGION / 4 ? 0 : 0x55, at[i]);
		at[i + 2] = 0x77;
		ASSERT_EQ(0x77, self->guest[i + 2]);
	}
	close(fd);
	close(other);
	close(self->services);
}

/*
 * Allocated memory that was never touched is not cleared before the first access. After
 * a service has written to it, it must not be cleared any more.
 */
TEST_F_TIMEOUT(limits, set_aside, TIMEOUT)
{
	int fd, memfd = memfd_create("set aside", MFD_CLOEXEC);
	volatile uint8_t *at;
	unsigned int i, j;

	limits_start(self);
	ASSERT_EQ(0, ftruncate(memfd, REGION));
	ASSERT_EQ(0, fallocate(memfd, 0, 0, REGION));
	ASSERT_EQ(self->guest, mmap(self->guest, REGION, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, memfd, 0));
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	fd = get_file(self);
	ASSERT_LE(0, fd);
	at = map_file(fd, REGION);
	ASSERT_NE(MAP_FAILED, at);
	for (i = 0; i < REGION; i += HOST_PAGE) {
		for (j = 0; j < HOST_PAGE; j++)
			ASSERT_EQ(0, at[i + j]);
		at[i] = 0x55;
	}
	for (i = 0; i < REGION; i += HOST_PAGE)
		ASSERT_EQ(0x55, self->guest[i]);
	close(fd);
	close(memfd);
	close(self->services);
}

/* ---- private memory of the owner, as that of a VM that was started from a snapshot ---- */

/* A region is of one memfd, or all private. */
TEST_F_TIMEOUT(limits, kinds_of_memory, TIMEOUT)
{
	const uint64_t gpa = RANCHU_RAM_BASE + MEM_SIZE / 2;
	uint8_t *page = self->mem.hva + MEM_SIZE / 2;
	struct vhost_goldfish_pipe_dma dma;
	volatile uint8_t *service;

	limits_start(self);
	/* In the middle of the file. */
	ASSERT_EQ(page, mmap(page, HOST_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, gpa - HOST_PAGE, 2 * HOST_PAGE));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, gpa, 2 * HOST_PAGE));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, gpa - HOST_PAGE, 3 * HOST_PAGE));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa - HOST_PAGE, HOST_PAGE));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa, HOST_PAGE));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + HOST_PAGE, HOST_PAGE));
	/* Cut in two by its flags, the file is still one. */
	ASSERT_EQ(0, madvise(page + 8 * HOST_PAGE, HOST_PAGE, MADV_DONTFORK));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + 4 * HOST_PAGE, 16 * HOST_PAGE));
	page[19 * HOST_PAGE] = 42;
	ASSERT_EQ(0, __services_get_dma(self->services, self->open, gpa + 4 * HOST_PAGE, &dma));
	service = map_file(dma.fd, dma.size);
	EXPECT_EQ(42, service[15 * HOST_PAGE]);
	/* A child does not inherit it, and madvise() cannot change that. */
	EXPECT_EQ(-1, madvise((void *)service, HOST_PAGE, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	/* Memory that the owner may only read, and missing memory, are refused. */
	EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, gpa, 0));
	ASSERT_EQ(0, mprotect(page, HOST_PAGE, PROT_READ));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, gpa, HOST_PAGE));
	ASSERT_EQ(0, munmap(page, HOST_PAGE));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, gpa, HOST_PAGE));
	close(dma.fd);
	close(self->services);
}

/* The owner's RAM is a private mapping of the file, @size bytes of which are 0x11. */
static int private_file(struct _test_data_limits *self, size_t size)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	uint8_t *at;

	self->gpa = pipe_mem_alloc(&self->mem, PRIVATE, HOST_PAGE);
	self->guest = pipe_mem_hva(&self->mem, self->gpa, PRIVATE);
	if (ftruncate(fd, size))
		pipe_die("no file");
	at = map_file(fd, size);
	memset(at, 0x11, size);
	munmap(at, size);
	if (mmap(self->guest, PRIVATE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
	    self->guest)
		pipe_die("mmap: %s", strerror(errno));
	return fd;
}

static volatile uint8_t *map_region(struct _test_data_limits *self)
{
	int fd = get_file(self);
	void *at = fd < 0 ? MAP_FAILED : map_file(fd, PRIVATE);

	if (at == MAP_FAILED)
		pipe_die("no mapping of the region");
	close(fd);
	return at;
}

/* Guest and service see the same pages, both ways. */
static void check_shared(struct __test_metadata *_metadata, struct _test_data_limits *self,
			 volatile uint8_t *service, uint8_t value)
{
	unsigned int i;

	for (i = 0; i < PRIVATE; i += HOST_PAGE) {
		self->guest[i + 1] = value;
		ASSERT_EQ(value, service[i + 1]);
		service[i + 2] = value + 1;
		ASSERT_EQ(value + 1, self->guest[i + 2]);
	}
}

/* All pages are pinned when the region is mapped, and copied before that. */
TEST_F_TIMEOUT(limits, private_pages, TIMEOUT)
{
	const unsigned int pages = PRIVATE / HOST_PAGE;
	volatile uint8_t *service;
	uint8_t byte[2], seen = 0;
	long long before;
	unsigned int i;
	int fd;

	limits_start(self);
	fd = private_file(self, PRIVATE);
	/* A page that was read before, and one that was written to. */
	seen += self->guest[0];
	self->guest[HOST_PAGE] = 0x22;
	before = pinned_pages();
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, PRIVATE));
	EXPECT_EQ(before + pages, pinned_pages());
	service = map_region(self);
	for (i = 0; i < PRIVATE; i += 64)
		ASSERT_EQ(i == HOST_PAGE ? 0x22 : 0x11, service[i]);
	check_shared(_metadata, self, service, 0x33);
	/* The file has not changed. */
	for (i = 0; i < PRIVATE; i += HOST_PAGE) {
		ASSERT_EQ(2, pread(fd, byte, 2, i + 1));
		ASSERT_EQ(0x11, byte[0]);
		ASSERT_EQ(0x11, byte[1]);
	}
	ASSERT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	EXPECT_EQ(before, pinned_pages());
	/* The service sees one page of zeroes everywhere, which is not the guest's. */
	for (i = 0; i < PRIVATE; i += HOST_PAGE)
		ASSERT_EQ(0, service[i + 1]);
	for (i = 0; i < PRIVATE; i += HOST_PAGE) {
		service[i + 1] = 0x44;
		ASSERT_EQ(0x33, self->guest[i + 1]);
		ASSERT_EQ(0x34, self->guest[i + 2]);
	}
	EXPECT_EQ(0x11, seen);
	close(fd);
	close(self->services);
}

/* Forks a child that has the owner's memory, and writes to it after a byte in @ask. */
static pid_t fork_with_memory(struct _test_data_limits *self, int ask[2])
{
	uint8_t byte;
	unsigned int i;
	pid_t pid;

	if (pipe(ask))
		pipe_die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid) {
		close(ask[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(ask[1]);
	if (read(ask[0], &byte, 1) != 1)
		_exit(1);
	for (i = 0; i < PRIVATE; i += HOST_PAGE)
		self->guest[i + 3] = 0x99;
	_exit(0);
}

/* After a fork, owner and service still share pages, whichever process writes first. */
TEST_F_TIMEOUT(limits, private_pages_and_forks, TIMEOUT)
{
	volatile uint8_t *service;
	int early[2], late[2], status;
	pid_t before, after;
	unsigned int i;
	int fd;

	limits_start(self);
	fd = private_file(self, PRIVATE);
	memset(self->guest, 0x11, PRIVATE / 2);
	before = fork_with_memory(self, early);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, PRIVATE));
	service = map_region(self);
	check_shared(_metadata, self, service, 0x33);
	after = fork_with_memory(self, late);
	check_shared(_metadata, self, service, 0x55);
	EXPECT_EQ(1, write(early[1], "x", 1));
	EXPECT_EQ(1, write(late[1], "x", 1));
	ASSERT_EQ(before, waitpid(before, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(after, waitpid(after, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < PRIVATE; i += HOST_PAGE) {
		ASSERT_EQ(0x11, service[i + 3]);
		ASSERT_EQ(0x11, self->guest[i + 3]);
	}
	check_shared(_metadata, self, service, 0x77);
	close(early[1]);
	close(late[1]);
	close(fd);
	close(self->services);
}

/* Pages behind the end of the file are refused, and no other page stays pinned. */
TEST_F_TIMEOUT(limits, private_pages_that_are_not_there, TIMEOUT)
{
	const uint64_t half = PRIVATE / 2;
	long long before;
	uint64_t bad;
	int fd;

	limits_start(self);
	fd = private_file(self, half);
	before = pinned_pages();
	bad = pipe_stat_bad_guest(&self->dev);
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, self->gpa, PRIVATE));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, self->gpa + half - HOST_PAGE, 2 * HOST_PAGE));
	EXPECT_EQ(bad + 2, pipe_stat_bad_guest(&self->dev));
	EXPECT_EQ(before, pinned_pages());
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, half));
	/* A region that overlaps another is pinned for a moment only. */
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, self->gpa, HOST_PAGE));
	EXPECT_EQ(before + (long long)half / HOST_PAGE, pinned_pages());
	pipe_close(&self->pipe);
	EXPECT_EQ(before, pinned_pages());
	close(fd);
	close(self->services);
}

/* Pages that the owner discards stay with the service, alone, until the region ends. */
TEST_F_TIMEOUT(limits, private_pages_discarded, TIMEOUT)
{
	volatile uint8_t *service;
	unsigned int i;
	int fd;

	limits_start(self);
	fd = private_file(self, PRIVATE);
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, PRIVATE));
	service = map_region(self);
	memset(self->guest, 0x22, PRIVATE);
	ASSERT_EQ(0, madvise(self->guest, PRIVATE, MADV_DONTNEED));
	for (i = 0; i < PRIVATE; i += HOST_PAGE) {
		ASSERT_EQ(0x11, self->guest[i]);
		ASSERT_EQ(0x22, service[i]);
		service[i] = 0x33;
		ASSERT_EQ(0x11, self->guest[i]);
	}
	ASSERT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, PRIVATE));
	service = map_region(self);
	check_shared(_metadata, self, service, 0x44);
	close(fd);
	close(self->services);
}

TEST_HARNESS_MAIN
