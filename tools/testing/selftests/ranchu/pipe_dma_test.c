// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: guest memory that a service may use until the guest unmaps it. Guest memory is a memfd, as
 * that of a VM that was booted, or a private mapping of a file, as that of a VM that was started
 * from a snapshot.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_rig.h"
#include "pipe_services.h"

#define TIMEOUT			300
#define MEM_SIZE		(64u << 20)
#define REGION			(1u << 20)

#define MAP			GOLDFISH_PIPE_CMD_DMA_MAPHOST
#define UNMAP			GOLDFISH_PIPE_CMD_DMA_UNMAPHOST
#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define NOMEM			GOLDFISH_PIPE_ERROR_NOMEM
#define IO			GOLDFISH_PIPE_ERROR_IO

FIXTURE(dma)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	int services;
	uint64_t open;
	int sock;
	uint64_t gpa;
	uint8_t *guest;
};

FIXTURE_VARIANT(dma)
{
	void (*create)(struct pipe_mem *mem, uint64_t gpa, size_t size);
};

FIXTURE_VARIANT_ADD(dma, memfd)
{
	.create = pipe_mem_create_file,
};

FIXTURE_VARIANT_ADD(dma, private_file)
{
	.create = pipe_mem_create_private_file,
};

/* Connects pipe @id to a service of the test. */
static int dma_connect(struct pipe_dev *dev, struct test_pipe *pipe, int services,
		       uint32_t id, uint64_t *open)
{
	int ends[2];

	pipe_connect(dev, pipe, id, "pipe:svc");
	*open = services_expect(services, "svc", NULL);
	services_sockets(SERVICES_UNIX, ends);
	services_answer(services, *open, ends[0]);
	close(ends[0]);
	return ends[1];
}

FIXTURE_SETUP(dma)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	variant->create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	pipe_handshake(&self->dev);
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	self->sock = dma_connect(&self->dev, &self->pipe, self->services, 1,
				 &self->open);
	self->gpa = pipe_mem_alloc(&self->mem, REGION, HOST_PAGE);
	self->guest = pipe_mem_hva(&self->mem, self->gpa, REGION);
}

FIXTURE_TEARDOWN(dma)
{
	close(self->sock);
	close(self->services);
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

static uint64_t regions(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_stats stats;

	pipe_get_stats(dev, &stats);
	return stats.dma;
}

/* The whole region at @gpa in this process; ends the test without it. */
static volatile uint8_t *dma_mmap(int services, uint64_t open, uint64_t gpa, int *fd)
{
	struct vhost_goldfish_pipe_dma dma;
	int ret = __services_get_dma(services, open, gpa, &dma);
	void *at;

	if (ret)
		pipe_die("GET_DMA: %s", strerror(-ret));
	at = mmap(NULL, dma.size, PROT_READ | PROT_WRITE, MAP_SHARED, dma.fd, 0);
	if (at == MAP_FAILED)
		pipe_die("mmap: %s", strerror(errno));
	if (fd)
		*fd = dma.fd;
	else
		close(dma.fd);
	return at;
}

static void hung_up(struct __test_metadata *_metadata, int fd, bool is_so)
{
	EXPECT_EQ(is_so ? POLLHUP : 0,
		  services_poll(fd, POLLIN, is_so ? SERVICES_PATIENCE_MS : 0));
}

TEST_F_TIMEOUT(dma, memory_is_shared, TIMEOUT)
{
	struct vhost_goldfish_pipe_dma dma;
	volatile uint8_t *service;
	uint8_t *middle;
	unsigned int i;
	int fd;

	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	EXPECT_EQ(1, regions(&self->dev));
	service = dma_mmap(self->services, self->open, self->gpa, &fd);
	for (i = 0; i < REGION; i += 511)
		self->guest[i] = i * 7;
	for (i = 0; i < REGION; i += 511)
		ASSERT_EQ((uint8_t)(i * 7), service[i]);
	for (i = 0; i < REGION; i += 509)
		service[i] = i * 11;
	for (i = 0; i < REGION; i += 509)
		ASSERT_EQ((uint8_t)(i * 11), self->guest[i]);
	hung_up(_metadata, fd, false);

	/* Any address in it names it, and any part of it can be mapped. */
	ASSERT_EQ(0, __services_get_dma(self->services, self->open,
					self->gpa + REGION - 1, &dma));
	EXPECT_EQ(self->gpa, dma.gpa);
	EXPECT_EQ(REGION, dma.size);
	middle = mmap(NULL, HOST_PAGE, PROT_READ, MAP_SHARED, dma.fd, REGION / 2);
	ASSERT_NE(MAP_FAILED, middle);
	EXPECT_EQ(0, memcmp(middle, self->guest + REGION / 2, HOST_PAGE));
	close(dma.fd);
	EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	EXPECT_EQ(0, regions(&self->dev));
	close(fd);
}

/* Only the region can be mapped, and nothing before or after it, by any call. */
TEST_F_TIMEOUT(dma, no_more_than_the_region, TIMEOUT)
{
	const int prot = PROT_READ | PROT_WRITE;
	struct vhost_goldfish_pipe_dma dma;
	uint64_t gpa = self->gpa + REGION / 2;
	const size_t size = 4 * HOST_PAGE;
	uint8_t byte;
	void *at;

	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa, size));
	EXPECT_EQ(-ENOENT, __services_get_dma(self->services, self->open, gpa - 1, &dma));
	EXPECT_EQ(-ENOENT, __services_get_dma(self->services, self->open, gpa + size, &dma));
	ASSERT_EQ(0, __services_get_dma(self->services, self->open, gpa, &dma));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size + HOST_PAGE, prot, MAP_SHARED, dma.fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, prot, MAP_SHARED, dma.fd, HOST_PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HOST_PAGE, prot, MAP_SHARED, dma.fd, size));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HOST_PAGE, prot, MAP_SHARED, dma.fd, -HOST_PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HOST_PAGE, prot, MAP_SHARED, dma.fd, 1ull << 40));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HOST_PAGE, prot, MAP_PRIVATE, dma.fd, 0));
	EXPECT_EQ(-1, read(dma.fd, &byte, 1));
	EXPECT_EQ(-1, pread(dma.fd, &byte, 1, 0));
	EXPECT_EQ(-1, ftruncate(dma.fd, MEM_SIZE));

	at = mmap(NULL, size, prot, MAP_SHARED, dma.fd, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(MAP_FAILED, mremap(at, size, size + HOST_PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(at, 0, size + HOST_PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(0, syscall(SYS_remap_file_pages, at, HOST_PAGE, 0, 3, 0));
	self->guest[REGION / 2 + 3 * HOST_PAGE] = 77;
	EXPECT_EQ(77, *(volatile uint8_t *)at);
	/* What was there before is gone then, so that nobody looks at it again. */
	EXPECT_EQ(-1, syscall(SYS_remap_file_pages, at, HOST_PAGE, 0, size / HOST_PAGE, 0));
	close(dma.fd);
}

/* Wrong addresses and sizes of a guest. */
TEST_F_TIMEOUT(dma, hostile_regions, TIMEOUT)
{
	const uint64_t page = HOST_PAGE, end = RANCHU_RAM_BASE + MEM_SIZE;
	const uint64_t gpa = self->gpa + REGION / 2;
	const struct {
		uint64_t gpa, size;
	} rows[] = {
		{ gpa, 0 },
		{ gpa, 1 },
		{ gpa, page - 1 },
		{ gpa, page + 1 },
		{ gpa + 1, page },
		{ gpa + page - 1, page },
		{ gpa, (256u << 20) + page },
		{ gpa, 1ull << 63 },
		{ gpa, -page },
		{ gpa, -gpa },
		{ gpa, UINT64_MAX },
		{ end - page, 2 * page },
		{ end, page },
		{ RANCHU_RAM_BASE - page, page },
		{ RANCHU_RAM_BASE - page, 2 * page },
		{ 0, page },
		{ -page, page },
		{ -page, 2 * page },
		{ UINT64_MAX, UINT64_MAX },
		/* What overlaps the region that is mapped already, below. */
		{ gpa + 16 * page, 4 * page },
		{ gpa + 16 * page, page },
		{ gpa + 19 * page, page },
		{ gpa + 15 * page, 2 * page },
		{ gpa + 19 * page, 2 * page },
		{ gpa + 15 * page, 6 * page },
	};
	struct test_pipe other;
	unsigned int i;
	uint64_t open;
	int sock;

	sock = dma_connect(&self->dev, &other, self->services, 2, &open);
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + 16 * page, 4 * page));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(INVAL, pipe_dma(&self->pipe, MAP, rows[i].gpa, rows[i].size))
			TH_LOG("row %u", i);
		EXPECT_EQ(INVAL, pipe_dma(&other, MAP, rows[i].gpa, rows[i].size))
			TH_LOG("row %u, other", i);
		EXPECT_EQ(1, regions(&self->dev));
	}
	/* Adjacent memory is free; a region ends only by its start address and its own pipe. */
	EXPECT_EQ(0, pipe_dma(&other, MAP, gpa + 15 * page, page));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + 20 * page, page));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, UNMAP, gpa + 17 * page, 0));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, UNMAP, gpa + 16 * page + 1, 0));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, UNMAP, UINT64_MAX, 0));
	EXPECT_EQ(INVAL, pipe_dma(&other, UNMAP, gpa + 16 * page, 0));
	EXPECT_EQ(3, regions(&self->dev));
	EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, gpa + 16 * page, 0));
	EXPECT_EQ(INVAL, pipe_dma(&self->pipe, UNMAP, gpa + 16 * page, 0));
	EXPECT_EQ(0, pipe_dma(&other, MAP, gpa + 16 * page, 4 * page));
	pipe_close(&other);
	EXPECT_EQ(1, regions(&self->dev));
	close(sock);
}

TEST_F_TIMEOUT(dma, as_many_as_there_may_be, TIMEOUT)
{
	uint64_t gpa = pipe_mem_alloc(&self->mem, (VHOST_GOLDFISH_PIPE_MAX_DMA + 1) * HOST_PAGE,
				      HOST_PAGE);
	unsigned int i;

	for (i = 0; i < VHOST_GOLDFISH_PIPE_MAX_DMA; i++)
		ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + i * HOST_PAGE, HOST_PAGE));
	EXPECT_EQ(NOMEM, pipe_dma(&self->pipe, MAP, gpa + i * HOST_PAGE, HOST_PAGE));
	EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, gpa + 7 * HOST_PAGE, 0));
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, gpa + i * HOST_PAGE, HOST_PAGE));
	EXPECT_EQ(VHOST_GOLDFISH_PIPE_MAX_DMA, regions(&self->dev));
	pipe_close(&self->pipe);
	EXPECT_EQ(0, regions(&self->dev));
}

/* The ways in which a region ends while its service uses it. */
enum ending { BY_UNMAP, BY_CLOSE, BY_VERSION, BY_RESET, BY_DEVICE };

static void end_region(struct _test_data_dma *self, enum ending ending)
{
	switch (ending) {
	case BY_UNMAP:
		pipe_dma(&self->pipe, UNMAP, self->gpa, 0);
		break;
	case BY_CLOSE:
		pipe_close(&self->pipe);
		break;
	case BY_VERSION:
		pipe_reg_write(&self->dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
		break;
	case BY_RESET:
		__pipe_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
		break;
	default:
		pipe_dev_close(&self->dev);
		break;
	}
}

/*
 * The service goes on, sees nothing of what the guest does with its memory
 * afterwards, and changes nothing there.
 */
static void check_ending(struct __test_metadata *_metadata, struct _test_data_dma *self,
			 enum ending ending)
{
	struct vhost_goldfish_pipe_dma dma;
	volatile uint8_t *service, *again;
	unsigned int i;
	int fd;

	ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	service = dma_mmap(self->services, self->open, self->gpa, &fd);
	memset(self->guest, 0x11, REGION);
	/* Some of it was touched before, some of it was not. */
	for (i = 0; i < REGION / 2; i += HOST_PAGE)
		ASSERT_EQ(0x11, service[i]);
	end_region(self, ending);
	memset(self->guest, 0x22, REGION);
	hung_up(_metadata, fd, true);
	for (i = 0; i < REGION; i += HOST_PAGE / 2)
		ASSERT_EQ(0, service[i]);
	for (i = 0; i < REGION; i += HOST_PAGE)
		service[i + 1] = 0x33;
	again = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, again);
	EXPECT_EQ(0, again[REGION - 1]);
	again[2] = 0x33;
	for (i = 0; i < REGION; i++)
		ASSERT_EQ(0x22, self->guest[i]);
	EXPECT_NE(0, __services_get_dma(self->services, self->open, self->gpa, &dma));
	munmap((void *)service, REGION);
	close(fd);
	EXPECT_EQ(0, again[HOST_PAGE]);
	munmap((void *)again, REGION);
	if (self->dev.fd >= 0)
		EXPECT_EQ(0, regions(&self->dev));
}

TEST_F_TIMEOUT(dma, ended_by_unmap, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		check_ending(_metadata, self, BY_UNMAP);
}

TEST_F_TIMEOUT(dma, ended_by_close, TIMEOUT)
{
	check_ending(_metadata, self, BY_CLOSE);
}

TEST_F_TIMEOUT(dma, ended_by_a_new_driver, TIMEOUT)
{
	check_ending(_metadata, self, BY_VERSION);
}

TEST_F_TIMEOUT(dma, ended_by_reset_owner, TIMEOUT)
{
	check_ending(_metadata, self, BY_RESET);
}

TEST_F_TIMEOUT(dma, ended_by_the_device, TIMEOUT)
{
	check_ending(_metadata, self, BY_DEVICE);
}

/* A hang-up does not end a region: the guest must unmap it. */
TEST_F_TIMEOUT(dma, hung_up_pipe_keeps_it, TIMEOUT)
{
	volatile uint8_t *service;
	int fd;

	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	service = dma_mmap(self->services, self->open, self->gpa, &fd);
	pipe_hang_up(&self->dev, 1);
	EXPECT_EQ(IO, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
	EXPECT_EQ(IO, pipe_dma(&self->pipe, MAP, self->gpa + REGION, REGION));
	self->guest[5] = 9;
	EXPECT_EQ(9, service[5]);
	hung_up(_metadata, fd, false);
	pipe_close(&self->pipe);
	EXPECT_EQ(0, service[5]);
	hung_up(_metadata, fd, true);
	close(fd);
}

/* A child that does not outlive the test. */
static pid_t fork_helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

TEST_F_TIMEOUT(dma, service_killed, TIMEOUT)
{
	volatile uint8_t *service;
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
		self->guest[0] = 0;
		pid = fork_helper();
		if (!pid) {
			service = dma_mmap(self->services, self->open, self->gpa, NULL);
			for (;;)
				memset((void *)service, 0x44, REGION);
		}
		while (*(volatile uint8_t *)self->guest != 0x44)
			usleep(1000);
		if (i & 1)
			EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!(i & 1))
			EXPECT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
		EXPECT_EQ(0x44, self->guest[0]);
	}
	EXPECT_EQ(0, regions(&self->dev));
}

/* KiB of memfds and the like in the whole host. */
static unsigned long shmem(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *in = fopen("/proc/meminfo", "r");

	while (in && fgets(line, sizeof(line), in))
		sscanf(line, "Shmem: %lu", &kib);
	if (in)
		fclose(in);
	return kib;
}

/*
 * The VMM is another process, and is killed; its memory goes with it, all of it, although
 * the service keeps the file of a region.
 */
TEST_F_TIMEOUT(dma, owner_killed, TIMEOUT)
{
	const unsigned long before = shmem();
	volatile uint8_t *service;
	struct pipe_dev dev;
	struct pipe_mem mem;
	struct test_pipe served;
	int up[2], down[2], fd;
	uint64_t gpa, open;
	unsigned int i;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork_helper();
	if (!pid) {
		int services;

		variant->create(&mem, RANCHU_RAM_BASE, MEM_SIZE);
		memset(pipe_mem_hva(&mem, RANCHU_RAM_BASE, MEM_SIZE), 0x11, MEM_SIZE);
		pipe_dev_start(&dev, &mem);
		pipe_handshake(&dev);
		services = services_open(&dev);
		services_add(services, "svc");
		dma_connect(&dev, &served, services, 1, &open);
		gpa = pipe_mem_alloc(&mem, REGION, HOST_PAGE);
		memset(pipe_mem_hva(&mem, gpa, REGION), 0x55, REGION);
		if (pipe_dma(&served, MAP, gpa, REGION))
			_exit(1);
		/* The service is a child of its own, that outlives us. */
		pid = fork_helper();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, 0);
			close(dev.fd);
			service = dma_mmap(services, open, gpa, &fd);
			byte = service[0] == 0x55;
			if (write(up[1], &byte, 1) != 1)
				_exit(1);
			byte = services_poll(fd, POLLIN, SERVICES_PATIENCE_MS) == POLLHUP;
			for (i = 0; i < REGION; i += HOST_PAGE) {
				byte &= !service[i];
				service[i + 1] = 1;
			}
			if (write(up[1], &byte, 1) != 1)
				_exit(1);
			close(down[1]);
			/* What it was forked with of the guest's memory. */
			munmap(mem.hva, MEM_SIZE);
			_exit(read(down[0], &byte, 1));
		}
		pause();
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	ASSERT_EQ(1, read(up[0], &byte, 1));
	EXPECT_EQ(1, byte);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ASSERT_EQ(1, read(up[0], &byte, 1));
	EXPECT_EQ(1, byte);
	for (i = 0; i < 100 && shmem() > before + (MEM_SIZE >> 11); i++)
		usleep(100000);
	EXPECT_LT(i, 100);
	close(down[1]);
	close(up[0]);
}

/* Only the service of the pipe gets its memory. */
TEST_F_TIMEOUT(dma, whose_it_is, TIMEOUT)
{
	struct vhost_goldfish_pipe_dma dma;
	int other = services_open(&self->dev);
	struct test_pipe pipe;
	uint64_t open;
	int sock;

	sock = dma_connect(&self->dev, &pipe, self->services, 2, &open);
	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	EXPECT_EQ(-ENOENT, __services_get_dma(self->services, open, self->gpa, &dma));
	EXPECT_EQ(-ENOENT, __services_get_dma(self->services, open + 1, self->gpa, &dma));
	EXPECT_EQ(-ENOENT, __services_get_dma(other, self->open, self->gpa, &dma));
	EXPECT_EQ(-ENOENT, __services_unlock_dma(other, self->open));
	EXPECT_EQ(-ENOENT, __services_unlock_dma(self->services, self->open + (1ull << 32)));
	close(other);
	close(sock);
}

TEST_F_TIMEOUT(dma, arguments, TIMEOUT)
{
	struct vhost_goldfish_pipe_dma dma;
	unsigned int i;

	EXPECT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, REGION));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(self->services, VHOST_GOLDFISH_PIPE_GET_DMA, NULL));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(self->services, VHOST_GOLDFISH_PIPE_UNLOCK_DMA, NULL));
	dma = (struct vhost_goldfish_pipe_dma){ .open = self->open, .gpa = self->gpa, .size = 1 };
	EXPECT_EQ(-EINVAL, __pipe_ioctl(self->services, VHOST_GOLDFISH_PIPE_GET_DMA, &dma));
	dma.size = 0;
	dma.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(self->services, VHOST_GOLDFISH_PIPE_GET_DMA, &dma));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(self->dev.fd, VHOST_GOLDFISH_PIPE_GET_DMA, &dma));
	/* An argument that can be read and not written leaves no file behind. */
	dma = (struct vhost_goldfish_pipe_dma){ .open = self->open, .gpa = self->gpa };
	for (i = 0; i < 10; i++) {
		void *page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(page, &dma, sizeof(dma));
		ASSERT_EQ(0, mprotect(page, HOST_PAGE, PROT_READ));
		EXPECT_EQ(-EFAULT, __pipe_ioctl(self->services, VHOST_GOLDFISH_PIPE_GET_DMA,
						page));
		munmap(page, HOST_PAGE);
	}
	ASSERT_EQ(0, __services_get_dma(self->services, self->open, self->gpa, &dma));
	EXPECT_GT(32, dma.fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(dma.fd, F_GETFD));
	close(dma.fd);
}

TEST_F_TIMEOUT(dma, unlocked, TIMEOUT)
{
	EXPECT_TRUE(services_quiet(&self->dev));
	EXPECT_EQ(0, __services_unlock_dma(self->services, self->open));
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_UNLOCK_DMA, services_wakes(&self->dev, 1));
	EXPECT_TRUE(services_quiet(&self->dev));
	/* With another wake it is one entry. */
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(0, __services_unlock_dma(self->services, self->open));
	EXPECT_EQ(1, write(self->sock, "x", 1));
	usleep(50000);
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_UNLOCK_DMA | GOLDFISH_PIPE_WAKE_READ,
		  services_wakes(&self->dev, 1));
}

struct scribbler {
	pthread_t thread;
	int services;
	uint64_t open;
	uint64_t gpa;
	atomic_bool stop;
	unsigned int mapped;
};

/* A service that asks for the region over and over, and writes all over it. */
static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	struct vhost_goldfish_pipe_dma dma;
	uint8_t *at;

	while (!atomic_load(&scribbler->stop)) {
		if (__services_get_dma(scribbler->services, scribbler->open,
				       scribbler->gpa, &dma))
			continue;
		at = mmap(NULL, dma.size, PROT_READ | PROT_WRITE, MAP_SHARED, dma.fd, 0);
		if (at == MAP_FAILED)
			pipe_die("mmap: %s", strerror(errno));
		while (!services_poll(dma.fd, POLLIN, 0) && !atomic_load(&scribbler->stop))
			memset(at, 0x66, dma.size);
		memset(at, 0x66, dma.size);
		munmap(at, dma.size);
		close(dma.fd);
		scribbler->mapped++;
	}
	return NULL;
}

/* No byte is written any more once UNMAPHOST has been answered. */
TEST_F_TIMEOUT(dma, taken_back_under_load, TIMEOUT)
{
	struct scribbler scribblers[2] = {};
	unsigned int round, i;

	for (i = 0; i < 2; i++) {
		scribblers[i].services = self->services;
		scribblers[i].open = self->open;
		scribblers[i].gpa = self->gpa;
		ASSERT_EQ(0, pthread_create(&scribblers[i].thread, NULL, scribble,
					    &scribblers[i]));
	}
	for (round = 0; round < 200; round++) {
		ASSERT_EQ(0, pipe_dma(&self->pipe, MAP, self->gpa, 32 * HOST_PAGE));
		usleep(round % 7 * 500);
		ASSERT_EQ(0, pipe_dma(&self->pipe, UNMAP, self->gpa, 0));
		memset(self->guest, 0x77, 32 * HOST_PAGE);
		usleep(round % 5 * 200);
		for (i = 0; i < 32 * HOST_PAGE; i++)
			ASSERT_EQ(0x77, self->guest[i]);
	}
	for (i = 0; i < 2; i++) {
		atomic_store(&scribblers[i].stop, true);
		pthread_join(scribblers[i].thread, NULL);
	}
	TH_LOG("%u and %u times mapped", scribblers[0].mapped, scribblers[1].mapped);
}

/* The built-in service, which a guest driver is tested with. */
TEST_F_TIMEOUT(dma, built_in_service, TIMEOUT)
{
	struct goldfish_pipe_dma request = { .paddr = self->gpa + 4092, .size = 8200 };
	uint32_t *words = (uint32_t *)(self->guest + 4092);
	struct test_pipe pipe;
	uint64_t sum = 0, *answer;
	unsigned int i;
	uint64_t gpa;

	pipe_connect(&self->dev, &pipe, 3, "pipe:dmatest");
	for (i = 0; i < REGION / 4; i++)
		((uint32_t *)self->guest)[i] = i * 0x9e3779b9;
	for (i = 0; i < 8200 / 4; i++)
		sum += words[i];
	EXPECT_EQ(INVAL, pipe_write_bytes(&pipe, &request, sizeof(request)));
	EXPECT_EQ(0, pipe_dma(&pipe, MAP, self->gpa, REGION));
	EXPECT_EQ(INVAL, pipe_write_bytes(&pipe, &request, sizeof(request) - 1));
	EXPECT_EQ(GOLDFISH_PIPE_ERROR_AGAIN, pipe_read(&pipe, self->gpa, 8));
	EXPECT_EQ(16, pipe_write_bytes(&pipe, &request, sizeof(request)));
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_UNLOCK_DMA, services_wakes(&self->dev, 3));
	gpa = pipe_mem_alloc(&self->mem, 8, 8);
	EXPECT_EQ(8, pipe_read(&pipe, gpa, 8));
	answer = pipe_mem_hva(&self->mem, gpa, 8);
	EXPECT_EQ(sum, *answer);
	for (i = 0; i < REGION / 4; i++) {
		uint32_t value = i * 0x9e3779b9;

		ASSERT_EQ(i >= 1023 && i < 1023 + 2050 ? ~value : value,
			  ((uint32_t *)self->guest)[i]);
	}
	request.paddr = self->gpa + REGION - 4;
	request.size = 8;
	EXPECT_EQ(INVAL, pipe_write_bytes(&pipe, &request, sizeof(request)));
	request.size = 3 << 20;
	EXPECT_EQ(INVAL, pipe_write_bytes(&pipe, &request, sizeof(request)));
	request.size = -4ull;
	EXPECT_EQ(INVAL, pipe_write_bytes(&pipe, &request, sizeof(request)));
}

/*
 * The same by a real vCPU: it rings for both commands, in its own thread, and
 * what it stores the service sees.
 */
FIXTURE(bare) { };

FIXTURE_SETUP(bare)
{
	const char *missing = bare_rig_missing(true);

	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(bare)
{
}

TEST_F_TIMEOUT(bare, by_a_vcpu, TIMEOUT)
{
	struct bare_rig rig = { .efd = -1 };
	volatile uint8_t *service;
	struct bare_vcpu *vcpu;
	struct goldfish_pipe_dma dma;
	uint64_t gpa, open;
	int services, sock;
	unsigned int round;

	pipe_mem_create_file(&rig.mem, RANCHU_RAM_BASE, 16u << 20);
	bare_vm_create(&rig.vm, &rig.mem, 1);
	vcpu = &rig.vm.vcpus[0];
	pipe_dev_start(&rig.dev, &rig.mem);
	pipe_handshake(&rig.dev);
	services = services_open(&rig.dev);
	services_add(services, "svc");
	sock = dma_connect(&rig.dev, &rig.pipe, services, RIG_PIPE_ID, &open);
	gpa = pipe_mem_alloc(&rig.mem, REGION, HOST_PAGE);
	rig.efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pipe_set_doorbell(&rig.dev, RIG_PIPE_ID, rig.efd);
	bare_ioeventfd(&rig.vm, RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD, RIG_PIPE_ID, rig.efd);

	dma = (struct goldfish_pipe_dma){ .paddr = gpa, .size = REGION };
	for (round = 1; round <= 50; round++) {
		memcpy((uint8_t *)rig.pipe.cmd + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
		bare_rig_command(&rig, vcpu, MAP, 0, 1);
		bare_job_run(vcpu);
		ASSERT_EQ(0, vcpu->job->wrong + vcpu->job->early);
		service = dma_mmap(services, open, gpa, NULL);
		/* Stores 1, 2, 3 ... @round at a word of the region. */
		bare_rig_command(&rig, vcpu, MAP, 0, round);
		vcpu->job->flags = BARE_VARY | BARE_NO_RING | BARE_NO_CHECK;
		vcpu->job->size = gpa + round * 5000 / 4 * 4;
		vcpu->job->size_mask = 0xff;
		bare_job_run(vcpu);
		ASSERT_EQ(round, *(volatile uint32_t *)(service + round * 5000 / 4 * 4));
		bare_rig_command(&rig, vcpu, UNMAP, 0, 1);
		bare_job_run(vcpu);
		ASSERT_EQ(0, vcpu->job->wrong + vcpu->job->early);
		ASSERT_EQ(0, *(volatile uint32_t *)(service + round * 5000 / 4 * 4));
		munmap((void *)service, REGION);
	}
	close(sock);
	close(services);
	bare_rig_stop(&rig);
}

TEST_HARNESS_MAIN
