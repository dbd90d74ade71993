// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that has a queued call of a doorbell sleeps in the kernel, at a page that is
 * missing until the test provides it (userfaultfd). A window whose page is missing, and
 * that no thread waits for. And a ring that io_uring makes by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>

#include <kselftest_harness.h>

#include "counts.h"
#include "modules.h"
#include "pipe_dev.h"

#define TIMEOUT		600
#define MEM_SIZE	(1u << 20)
#define PIPE_ID		3u
#define DEVICE_MODULE	"vhost_goldfish_pipe"
#define SHARED_MODULE	"ranchu"
/* Time limit; a call that does not hang ends much earlier. */
#define PATIENCE_MS	30000
#define STEP_MS		20
/* A leak in each round exceeds the slack of the counts. */
#define ROUNDS		(COUNTS_SLACK + 10)

FIXTURE(parked)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	int uffd;
	uint8_t *page;
	int efd;
};

static int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	/* Only a non-blocking userfaultfd can be polled. */
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ? -1 : fd;
}

FIXTURE_SETUP(parked)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	self->uffd = uffd_open();
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, __pipe_guest_start(&self->dev, &self->mem, MEM_SIZE));
	pipe_connect(&self->dev, &self->pipe, PIPE_ID, "pipe:zero");
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
	self->page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	range.range.start = (uintptr_t)self->page;
	range.range.len = HOST_PAGE;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &range));
}

FIXTURE_TEARDOWN(parked)
{
	pipe_dev_close(&self->dev);
	close(self->uffd);
	close(self->efd);
	munmap(self->page, HOST_PAGE);
	pipe_mem_destroy(&self->mem);
}

/* Returns whether a thread waits at the missing page. */
static bool parked(int uffd)
{
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&pollfd, 1, PATIENCE_MS) == 1 && read(uffd, &msg, sizeof(msg)) == sizeof(msg);
}

/* Provides the page. */
static int unpark(int uffd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page, .len = HOST_PAGE },
	};

	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
}

struct ringer {
	int efd;
	void *page;
	uint64_t one;
};

/* The first buffer of the write rings; the second one faults before the thread returns. */
static void *ring_and_park(void *arg)
{
	struct ringer *ringer = arg;
	struct iovec iov[] = {
		{ &ringer->one, sizeof(ringer->one) },
		{ ringer->page, sizeof(uint64_t) },
	};

	return (void *)(intptr_t)writev(ringer->efd, iov, 2);
}

/* Unloads in another process, which may hang; returns the result, or -ETIMEDOUT. */
static int unload_elsewhere(const char *name)
{
	unsigned int ms;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(-__module_unload(name));
	for (ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return -WEXITSTATUS(status);
		usleep(STEP_MS * 1000);
	}
	return -ETIMEDOUT;
}

TEST_F_TIMEOUT(parked, module_stays_while_a_call_is_queued, TIMEOUT)
{
	struct ringer ringer = { .efd = self->efd, .page = self->page, .one = 1 };
	int device, others_gone, busy, gone, loaded;
	struct modules others;
	pthread_t thread;
	void *written;

	if (!modules_dir())
		SKIP(return, "RANCHU_MODULES does not name the module files");
	if (__pipe_set_doorbell(&self->dev, PIPE_ID, self->efd))
		SKIP(return, "no doorbells");
	ASSERT_EQ(0, pthread_create(&thread, NULL, ring_and_park, &ringer));
	ASSERT_TRUE(parked(self->uffd));
	pipe_dev_close(&self->dev);

	device = module_unload_when_idle(DEVICE_MODULE);
	modules_using(SHARED_MODULE, DEVICE_MODULE, &others);
	others_gone = __modules_unload(&others);
	busy = unload_elsewhere(SHARED_MODULE);
	ASSERT_EQ(0, unpark(self->uffd, self->page));
	pthread_join(thread, &written);
	gone = module_unload_when_idle(SHARED_MODULE);
	loaded = __module_load(SHARED_MODULE) ?: __module_load(DEVICE_MODULE) ?:
		 __modules_load(&others);

	EXPECT_EQ(2 * (int)sizeof(uint64_t), (intptr_t)written);
	EXPECT_EQ(0, device);
	EXPECT_EQ(0, others_gone);
	EXPECT_TRUE(module_is_busy(busy)) TH_LOG("%d", busy);
	EXPECT_EQ(0, gone);
	EXPECT_EQ(0, loaded);
}

/*
 * The window's page is replaced by a missing one before an announcement: the device has
 * pinned the old page, and no thread waits for the new one.
 */
static bool announces_without_a_window(struct pipe_dev *dev, int uffd, uint8_t *page)
{
	int call = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC);
	struct pollfd fault = { .fd = uffd, .events = POLLIN };
	struct pollfd raised = { .fd = call, .events = POLLIN };
	struct test_pipe pipe;
	bool done;

	pipe_connect(dev, &pipe, PIPE_ID, "pipe:zero");
	if (__pipe_set_window(dev, page) || __pipe_set_line(dev, call, resample) ||
	    madvise(page, HOST_PAGE, MADV_DONTNEED))
		pipe_die("line and window");
	pipe_hang_up(dev, PIPE_ID);
	done = poll(&raised, 1, 0) == 1 && pipe_signal(dev, 0).id == PIPE_ID &&
	       !eventfd_write(resample, 1) &&
	       !__pipe_ioctl(dev->fd, VHOST_RESET_OWNER, NULL) && !poll(&fault, 1, 0);
	close(call);
	close(resample);
	return done;
}

TEST_F_TIMEOUT(parked, nobody_stands_at_the_window, TIMEOUT)
{
	struct counts before;
	unsigned int i;

	pipe_dev_close(&self->dev);
	for (i = 0; i < ROUNDS + 2; i++) {
		/* What is kept for the next time is there after two. */
		if (i == 2)
			counts_take(&before);
		/* A window that is there. */
		unpark(self->uffd, self->page);
		pipe_mem_destroy(&self->mem);
		ASSERT_EQ(0, __pipe_guest_start(&self->dev, &self->mem, MEM_SIZE));
		ASSERT_TRUE(announces_without_a_window(&self->dev, self->uffd, self->page));
		pipe_dev_close(&self->dev);
	}
	if (!before.nr_slabs)
		SKIP(return, "no readable /proc/slabinfo");
	EXPECT_TRUE(counts_return(&before));
}

/* ---- io_uring ---- */

/* Completes a request that does nothing, in this very thread. */
static int complete_nothing(int ring, const struct io_uring_params *params)
{
	size_t sq_size = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	struct io_uring_sqe *sqe;
	uint8_t *sq;

	sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		return -errno;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	((uint32_t *)(sq + params->sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(sq + params->sq_off.tail), 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

TEST_F_TIMEOUT(parked, completion_of_io_uring_is_foreign, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats before, after;
	struct io_uring_params params = {};
	unsigned int ms;
	int ring;

	if (__pipe_set_doorbell(&self->dev, PIPE_ID, self->efd))
		SKIP(return, "no doorbells");
	ring = syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		SKIP(return, "no io_uring: %s", strerror(errno));
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_EVENTFD,
			     &self->efd, 1));
	pipe_get_stats(&self->dev, &before);
	ASSERT_EQ(1, complete_nothing(ring, &params));
	for (ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
		pipe_get_stats(&self->dev, &after);
		if (after.kicks_foreign + after.kicks > before.kicks_foreign + before.kicks)
			break;
		usleep(STEP_MS * 1000);
	}
	EXPECT_EQ(1, after.kicks_foreign - before.kicks_foreign);
	EXPECT_EQ(0, after.kicks - before.kicks);
	close(ring);
}

TEST_HARNESS_MAIN
