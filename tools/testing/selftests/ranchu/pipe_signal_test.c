// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wakes, their batches, and both ways to announce them: a register that is read
 * through ACCESS, and the register window with a resample eventfd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			300
#define MEM_SIZE		(32u << 20)
#define MOST_PIPES		200u
/* Entries that SIGNAL_BUFFER_COUNT is capped at. */
#define COUNT_CAP		4096u
/* Bytes of a service's ring. */
#define RING_SIZE		(4u << 20)

#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define CLOSED			GOLDFISH_PIPE_WAKE_CLOSED
#define WAKE_READ		GOLDFISH_PIPE_WAKE_READ
#define WAKE_WRITE		GOLDFISH_PIPE_WAKE_WRITE

FIXTURE(signals)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	uint64_t data;
	struct test_pipe pipes[MOST_PIPES];
};

FIXTURE_SETUP(signals)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->data = pipe_mem_alloc(&self->mem, RING_SIZE, HOST_PAGE);
}

FIXTURE_TEARDOWN(signals)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

static void open_many(struct pipe_dev *dev, struct test_pipe *pipes,
		      uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		pipe_connect(dev, &pipes[i], i, "pipe:pingpong");
}

static void hang_up_many(struct pipe_dev *dev, uint32_t first, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		pipe_hang_up(dev, first + i);
}

static uint32_t fetch(struct pipe_dev *dev)
{
	return pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

/* Entries [0, nr) of the signal buffer say that first, first + 1, ... closed. */
static bool all_closed(struct pipe_dev *dev, uint32_t first, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct goldfish_pipe_signal entry = pipe_signal(dev, i);

		if (entry.id != first + i || !(entry.flags & CLOSED))
			return false;
	}
	return true;
}

static void poison_signals(struct pipe_dev *dev, uint32_t nr)
{
	size_t size = nr * sizeof(struct goldfish_pipe_signal);

	memset(pipe_mem_hva(dev->mem, dev->signal_gpa, size), 0xee, size);
}

static bool poisoned(struct pipe_dev *dev, uint32_t i)
{
	return pipe_signal(dev, i).id == 0xeeeeeeee &&
	       pipe_signal(dev, i).flags == 0xeeeeeeee;
}

TEST_F_TIMEOUT(signals, none, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	poison_signals(dev, 1);
	EXPECT_FALSE(pipe_line_level(dev));
	EXPECT_EQ(0, fetch(dev));
	EXPECT_TRUE(poisoned(dev, 0));
	EXPECT_FALSE(pipe_line_level(dev));
}

TEST_F_TIMEOUT(signals, batches, TIMEOUT)
{
	const uint32_t counts[] = { 1, 2, 63, 64, 65, 128, 129, 200 };
	struct pipe_dev *dev = &self->dev;
	unsigned int round;

	for (round = 0; round < ARRAY_SIZE(counts); round++) {
		uint32_t left = counts[round];
		uint32_t first = 0;
		uint32_t n;

		open_many(dev, self->pipes, left);
		EXPECT_FALSE(pipe_line_level(dev));
		hang_up_many(dev, 0, left);
		pipe_wait_line(dev);
		while (left) {
			n = left < PIPE_DRIVER_SIGNALS ? left :
							 PIPE_DRIVER_SIGNALS;
			EXPECT_TRUE(pipe_line_level(dev));
			poison_signals(dev, PIPE_DRIVER_SIGNALS);
			ASSERT_EQ(n, fetch(dev));
			/* First in, first out, and not an entry too many. */
			EXPECT_TRUE(all_closed(dev, first, n));
			if (n < PIPE_DRIVER_SIGNALS)
				EXPECT_TRUE(poisoned(dev, n));
			first += n;
			left -= n;
		}
		EXPECT_FALSE(pipe_line_level(dev));
		EXPECT_EQ(0, fetch(dev));
		for (n = 0; n < counts[round]; n++)
			pipe_close(&self->pipes[n]);
	}
}

/* After a read of a part of a batch, the line's level shows that there is more. */
TEST_F_TIMEOUT(signals, level_after_a_read, TIMEOUT)
{
	struct vhost_goldfish_pipe_access access = {};
	struct pipe_dev *dev = &self->dev;
	const uint32_t left[] = { 1, 1, 0, 0 };
	unsigned int i;

	pipe_set_signal_buffer(dev, dev->signal_gpa, 2);
	open_many(dev, self->pipes, 5);
	hang_up_many(dev, 0, 5);
	for (i = 0; i < ARRAY_SIZE(left); i++) {
		access = (struct vhost_goldfish_pipe_access){
			.offset = GOLDFISH_PIPE_REG_GET_SIGNALLED,
		};
		ASSERT_EQ(0, __pipe_access(dev, &access));
		EXPECT_EQ(left[i], !!(access.flags &
				      VHOST_GOLDFISH_PIPE_ACCESS_LINE));
		EXPECT_EQ(i < 2 ? 2 : i == 2, access.value);
	}
}

TEST_F_TIMEOUT(signals, count_zero, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint64_t gpa = dev->signal_gpa;

	pipe_set_signal_buffer(dev, gpa, 0);
	open_many(dev, self->pipes, 3);
	hang_up_many(dev, 0, 3);
	poison_signals(dev, 1);
	EXPECT_EQ(0, fetch(dev));
	EXPECT_TRUE(poisoned(dev, 0));
	/* They wait for room. */
	pipe_set_signal_buffer(dev, gpa, PIPE_DRIVER_SIGNALS);
	EXPECT_EQ(3, fetch(dev));
	EXPECT_TRUE(all_closed(dev, 0, 3));
}

TEST_F_TIMEOUT(signals, count_huge, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint64_t gpa = pipe_mem_alloc(&self->mem,
				      COUNT_CAP *
				      sizeof(struct goldfish_pipe_signal),
				      HOST_PAGE);

	pipe_set_signal_buffer(dev, gpa, UINT32_MAX);
	open_many(dev, self->pipes, MOST_PIPES);
	hang_up_many(dev, 0, MOST_PIPES);
	EXPECT_EQ(MOST_PIPES, fetch(dev));
	EXPECT_TRUE(all_closed(dev, 0, MOST_PIPES));
}

TEST_F_TIMEOUT(signals, buffer_outside_memory, TIMEOUT)
{
	const uint64_t gpas[] = {
		0,
		self->mem.gpa + self->mem.size,
		self->mem.gpa + self->mem.size - 4,
		UINT64_MAX - 7,
	};
	struct pipe_dev *dev = &self->dev;
	uint64_t good = dev->signal_gpa;
	unsigned int i;

	open_many(dev, self->pipes, 8);
	for (i = 0; i < ARRAY_SIZE(gpas); i++) {
		pipe_set_signal_buffer(dev, gpas[i], PIPE_DRIVER_SIGNALS);
		pipe_hang_up(dev, i);
		EXPECT_EQ(0, fetch(dev))
		{
			TH_LOG("address %u", i);
		}
	}
	pipe_set_signal_buffer(dev, good, PIPE_DRIVER_SIGNALS);
	pipe_hang_up(dev, 7);
	EXPECT_LE(1, fetch(dev));
}

TEST_F_TIMEOUT(signals, low_before_high, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint64_t gpa = dev->signal_gpa;

	open_many(dev, self->pipes, 2);
	poison_signals(dev, 1);
	/* HIGH assigns, so the low half is gone and the address is 0. */
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER, gpa);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH, gpa >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT,
		       PIPE_DRIVER_SIGNALS);
	pipe_hang_up(dev, 0);
	EXPECT_EQ(0, fetch(dev));
	EXPECT_TRUE(poisoned(dev, 0));

	/* LOW twice is ORed. */
	gpa = pipe_mem_alloc(&self->mem, HOST_PAGE, HOST_PAGE);
	pipe_set_signal_buffer(dev, gpa, PIPE_DRIVER_SIGNALS);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER, 0x200);
	dev->signal_gpa = gpa | 0x200;
	poison_signals(dev, 2);
	pipe_hang_up(dev, 1);
	EXPECT_LE(1, fetch(dev));
	EXPECT_FALSE(poisoned(dev, 0));
}

/* The signal that one pipe has now; 0 if there is none. */
static uint32_t wake_of(struct pipe_dev *dev, uint32_t id)
{
	uint32_t n = fetch(dev);
	uint32_t flags = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		if (pipe_signal(dev, i).id == id)
			flags |= pipe_signal(dev, i).flags;
	return flags;
}

static uint64_t signals_sent(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_stats stats;

	pipe_get_stats(dev, &stats);
	return stats.signals;
}

TEST_F_TIMEOUT(signals, reader_is_woken_by_a_write, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];

	open_many(dev, pipe, 1);
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->data, 10));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_FALSE(pipe_line_level(dev));
	EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
	EXPECT_TRUE(pipe_line_level(dev));
	EXPECT_EQ(WAKE_READ, wake_of(dev, 0) & WAKE_READ);
	/* Asked once, told once. */
	EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
	EXPECT_EQ(2, pipe_read(pipe, self->data, 10));
	EXPECT_FALSE(pipe_line_level(dev));
}

TEST_F_TIMEOUT(signals, asking_twice_is_asking_once, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];
	uint64_t before = signals_sent(dev);

	open_many(dev, pipe, 1);
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
	EXPECT_EQ(1, fetch(dev));
	EXPECT_EQ(0, fetch(dev));
	EXPECT_EQ(before + 1, signals_sent(dev));
}

/* The wake that AOSP's pingpong loses: asked for when data is there already. */
TEST_F_TIMEOUT(signals, late_reader_is_woken, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];
	unsigned int i;

	open_many(dev, pipe, 1);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(AGAIN, pipe_read(pipe, self->data, 10));
		EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
		EXPECT_FALSE(pipe_line_level(dev));
		EXPECT_EQ(0, pipe_command(pipe,
					  GOLDFISH_PIPE_CMD_WAKE_ON_READ));
		EXPECT_TRUE(pipe_line_level(dev));
		EXPECT_EQ(WAKE_READ, wake_of(dev, 0) & WAKE_READ);
		EXPECT_EQ(1, pipe_read(pipe, self->data, 10));
	}
}

TEST_F_TIMEOUT(signals, writer_is_woken_by_a_read, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];
	uint32_t sent = 0;
	int32_t n;

	open_many(dev, pipe, 1);
	/* With room, at once. */
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	EXPECT_EQ(WAKE_WRITE, wake_of(dev, 0) & WAKE_WRITE);
	while ((n = pipe_write(pipe, self->data, RING_SIZE)) > 0)
		sent += n;
	EXPECT_EQ(AGAIN, n);
	EXPECT_EQ(RING_SIZE, sent);
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	EXPECT_FALSE(pipe_line_level(dev));
	EXPECT_LT(0, pipe_read(pipe, self->data, RING_SIZE));
	EXPECT_EQ(WAKE_WRITE, wake_of(dev, 0) & WAKE_WRITE);
	EXPECT_LT(0, pipe_write(pipe, self->data, 1));
}

TEST_F_TIMEOUT(signals, both_wakes_of_one_pipe, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];

	open_many(dev, pipe, 1);
	EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	/* One entry for one pipe, both bits in it. */
	EXPECT_EQ(1, fetch(dev));
	EXPECT_EQ(WAKE_READ | WAKE_WRITE, pipe_signal(dev, 0).flags);
	EXPECT_EQ(0, fetch(dev));
}

/* pipe:zero is always ready, so a wake comes at once. */
TEST_F_TIMEOUT(signals, nobody_sleeps_on_zero, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];

	pipe_connect(dev, pipe, 4, "pipe:zero");
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	EXPECT_EQ(WAKE_READ | WAKE_WRITE,
		  wake_of(dev, 4) & (WAKE_READ | WAKE_WRITE));
}

TEST_F_TIMEOUT(signals, hang_up_wakes_once, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint64_t before = signals_sent(dev);

	open_many(dev, self->pipes, 1);
	pipe_hang_up(dev, 0);
	pipe_hang_up(dev, 0);
	EXPECT_EQ(1, fetch(dev));
	EXPECT_EQ(CLOSED, pipe_signal(dev, 0).flags & CLOSED);
	pipe_hang_up(dev, 0);
	EXPECT_EQ(0, fetch(dev));
	EXPECT_EQ(before + 1, signals_sent(dev));
}

/* A wait on a hung-up pipe is answered by a wake, even if the guest was told before. */
TEST_F_TIMEOUT(signals, waiting_for_a_pipe_hung_up, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	const uint32_t waits[] = {
		GOLDFISH_PIPE_CMD_WAKE_ON_READ, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE,
	};
	unsigned int i;

	open_many(dev, self->pipes, 1);
	pipe_hang_up(dev, 0);
	EXPECT_EQ(1, fetch(dev));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(GOLDFISH_PIPE_ERROR_IO,
			  pipe_command(&self->pipes[0], waits[i]));
		EXPECT_EQ(1, fetch(dev));
		EXPECT_EQ(0, pipe_signal(dev, 0).id);
		EXPECT_EQ(CLOSED, pipe_signal(dev, 0).flags & CLOSED);
		EXPECT_EQ(0, fetch(dev));
	}
}

/* Closing a pipe drops its signal. */
TEST_F_TIMEOUT(signals, closing_takes_the_signal_back, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	open_many(dev, self->pipes, 3);
	hang_up_many(dev, 0, 3);
	pipe_close(&self->pipes[1]);
	EXPECT_EQ(2, fetch(dev));
	EXPECT_EQ(0, pipe_signal(dev, 0).id);
	EXPECT_EQ(2, pipe_signal(dev, 1).id);
	/* The next pipe of that number has no requested wakes. */
	EXPECT_EQ(0, __pipe_reopen(&self->pipes[1]));
	EXPECT_EQ(0, fetch(dev));
}

FIXTURE(window)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	uint64_t data;
	uint8_t *page;
	int call;
	int resample;
	struct test_pipe pipes[MOST_PIPES];
};

FIXTURE_SETUP(window)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	self->page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	self->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->call);
	ASSERT_LE(0, self->resample);
	ASSERT_EQ(0, __pipe_set_line(&self->dev, self->call, self->resample));
	ASSERT_EQ(0, __pipe_set_window(&self->dev, self->page));
	self->data = pipe_mem_alloc(&self->mem, RING_SIZE, HOST_PAGE);
}

FIXTURE_TEARDOWN(window)
{
	pipe_dev_close(&self->dev);
	close(self->call);
	close(self->resample);
	pipe_mem_destroy(&self->mem);
}

static uint32_t window_reg(struct pipe_dev *dev, uint32_t offset)
{
	return __atomic_load_n((uint32_t *)(dev->window + offset),
			       __ATOMIC_ACQUIRE);
}

static uint32_t window_count(struct pipe_dev *dev)
{
	return window_reg(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

/* Waits for the interrupt and takes it, as KVM does with an irqfd. */
static void take_interrupt(int call)
{
	struct pollfd pollfd = { .fd = call, .events = POLLIN };
	eventfd_t count;

	if (poll(&pollfd, 1, -1) != 1 || eventfd_read(call, &count))
		pipe_die("the line cannot be waited for: %s", strerror(errno));
}

static bool interrupted(int call)
{
	struct pollfd pollfd = { .fd = call, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* The guest ends its interrupt. */
static void end_interrupt(int resample)
{
	if (eventfd_write(resample, 1))
		pipe_die("resample: %s", strerror(errno));
}

static void wait_for_count(struct pipe_dev *dev, uint32_t count)
{
	while (window_count(dev) != count)
		sched_yield();
}

TEST_F_TIMEOUT(window, version_is_in_the_window, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	EXPECT_EQ(1, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
	pipe_handshake(dev);
	EXPECT_EQ(2, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, 5);
	EXPECT_EQ(1, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, 4);
	EXPECT_EQ(2, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
	EXPECT_EQ(0, window_count(dev));
}

/* A trapped read returns the window's content, and does not consume it. */
TEST_F_TIMEOUT(window, read_that_traps, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	unsigned int i;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 3);
	EXPECT_EQ(0, fetch(dev));
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	pipe_hang_up(dev, 1);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(1, fetch(dev));
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));
	end_interrupt(self->resample);
	take_interrupt(self->call);
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 1, 1));
	end_interrupt(self->resample);
	wait_for_count(dev, 0);
}

TEST_F_TIMEOUT(window, late_window_knows_the_version, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	ASSERT_EQ(0, __pipe_set_window(dev, NULL));
	pipe_handshake(dev);
	memset(self->page, 0, HOST_PAGE);
	ASSERT_EQ(0, __pipe_set_window(dev, self->page));
	EXPECT_EQ(2, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
}

TEST_F_TIMEOUT(window, one_batch_at_a_time, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 3);
	EXPECT_FALSE(interrupted(self->call));
	poison_signals(dev, 3);
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));

	/* A wake now waits for the end of the interrupt. */
	pipe_hang_up(dev, 1);
	pipe_hang_up(dev, 2);
	EXPECT_FALSE(interrupted(self->call));
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));
	EXPECT_TRUE(poisoned(dev, 1));

	end_interrupt(self->resample);
	take_interrupt(self->call);
	EXPECT_EQ(2, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 1, 2));
	end_interrupt(self->resample);
	wait_for_count(dev, 0);
	EXPECT_FALSE(interrupted(self->call));
}

/*
 * A guest may see by a command's status that a pipe is hung up, close it and open
 * another of that number before it looks at the batch that says so.
 */
TEST_F_TIMEOUT(window, closing_takes_the_announced_back, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 4);
	pipe_hang_up(dev, 3);
	take_interrupt(self->call);
	hang_up_many(dev, 0, 3);
	end_interrupt(self->resample);
	take_interrupt(self->call);
	EXPECT_EQ(3, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 3));

	pipe_close(&self->pipes[1]);
	EXPECT_TRUE(all_closed(dev, 0, 1));
	EXPECT_EQ(1, pipe_signal(dev, 1).id);
	EXPECT_EQ(0, pipe_signal(dev, 1).flags);
	EXPECT_EQ(2, pipe_signal(dev, 2).id);
	EXPECT_EQ(CLOSED, pipe_signal(dev, 2).flags & CLOSED);
	/* Of an earlier batch: nothing to take back. */
	pipe_close(&self->pipes[3]);
	EXPECT_EQ(3, window_count(dev));
}

TEST_F_TIMEOUT(window, batches, TIMEOUT)
{
	const uint32_t counts[] = { 1, 64, 65, 200 };
	struct pipe_dev *dev = &self->dev;
	unsigned int round;

	pipe_handshake(dev);
	for (round = 0; round < ARRAY_SIZE(counts); round++) {
		uint32_t left = counts[round];
		uint32_t first = 0;
		uint32_t n;

		open_many(dev, self->pipes, left);
		/* The first is told at once, the others queue behind it. */
		pipe_hang_up(dev, 0);
		take_interrupt(self->call);
		ASSERT_EQ(1, window_count(dev));
		EXPECT_TRUE(all_closed(dev, 0, 1));
		hang_up_many(dev, 1, left - 1);
		for (first = 1, left--; left; first += n, left -= n) {
			n = left < PIPE_DRIVER_SIGNALS ? left :
							 PIPE_DRIVER_SIGNALS;
			end_interrupt(self->resample);
			take_interrupt(self->call);
			ASSERT_EQ(n, window_count(dev));
			EXPECT_TRUE(all_closed(dev, first, n));
		}
		end_interrupt(self->resample);
		wait_for_count(dev, 0);
		for (n = 0; n < counts[round]; n++)
			pipe_close(&self->pipes[n]);
	}
}

TEST_F_TIMEOUT(window, ends_without_interrupts, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats stats;
	struct pipe_dev *dev = &self->dev;
	unsigned int i;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 1);
	for (i = 0; i < 5; i++)
		end_interrupt(self->resample);
	EXPECT_EQ(0, window_count(dev));
	EXPECT_FALSE(interrupted(self->call));
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	/* A late end of one of those must not drop the batch. */
	EXPECT_EQ(1, window_count(dev));
	end_interrupt(self->resample);
	wait_for_count(dev, 0);
	pipe_get_stats(dev, &stats);
	EXPECT_EQ(1, stats.batches);
	EXPECT_LE(1, stats.resamples);
}

TEST_F_TIMEOUT(window, version_write_takes_the_batch_back, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 2);
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	pipe_hang_up(dev, 1);
	EXPECT_EQ(1, window_count(dev));
	pipe_handshake(dev);
	EXPECT_EQ(0, window_count(dev));
	/* The guest may or may not end the old interrupt; both must work. */
	open_many(dev, self->pipes, 2);
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));
	end_interrupt(self->resample);
	wait_for_count(dev, 0);
	EXPECT_FALSE(interrupted(self->call));
	pipe_hang_up(dev, 1);
	take_interrupt(self->call);
	EXPECT_TRUE(all_closed(dev, 1, 1));
}

/* Reader and writer on one pipe, over and over: no wake is lost. */
TEST_F_TIMEOUT(window, no_wake_is_lost, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];
	unsigned int i;

	pipe_handshake(dev);
	open_many(dev, pipe, 1);
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(AGAIN, pipe_read(pipe, self->data, 1));
		/* In alternating order. */
		if (i & 1)
			ASSERT_EQ(1, pipe_write(pipe, self->data, 1));
		ASSERT_EQ(0, pipe_command(pipe,
					  GOLDFISH_PIPE_CMD_WAKE_ON_READ));
		if (!(i & 1))
			ASSERT_EQ(1, pipe_write(pipe, self->data, 1));
		take_interrupt(self->call);
		ASSERT_EQ(1, window_count(dev));
		ASSERT_EQ(WAKE_READ, pipe_signal(dev, 0).flags & WAKE_READ);
		ASSERT_EQ(1, pipe_read(pipe, self->data, 10));
		end_interrupt(self->resample);
		wait_for_count(dev, 0);
	}
	ASSERT_FALSE(interrupted(self->call));
}

/* Number of pinned pages of the whole machine. */
static long pages_kept(void)
{
	int refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	char line[128];
	long kept = 0, n;
	FILE *file;

	/* Fold the counts of each CPU. */
	if (refresh < 0 || write(refresh, "1", 1) != 1)
		pipe_die("/proc/sys/vm/stat_refresh: %s", strerror(errno));
	close(refresh);
	file = fopen("/proc/vmstat", "r");
	if (!file)
		pipe_die("/proc/vmstat: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &n) == 1)
			kept += n;
		if (sscanf(line, "nr_foll_pin_released %ld", &n) == 1)
			kept -= n;
	}
	fclose(file);
	return kept;
}

/* The interrupt comes after the batch, from any thread and context. */
static void *announce(void *arg)
{
	pipe_hang_up(arg, 0);
	return NULL;
}

TEST_F_TIMEOUT(window, announced_by_another_thread, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	pthread_t thread;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 1);
	poison_signals(dev, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, announce, dev));
	take_interrupt(self->call);
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));
	pthread_join(thread, NULL);
}

/* The signal buffer's first entry lies across two pages, the rest in the second. */
TEST_F_TIMEOUT(window, buffer_across_pages, TIMEOUT)
{
	uint64_t gpa = pipe_mem_alloc(&self->mem, 2 * HOST_PAGE, HOST_PAGE) + HOST_PAGE - 4;
	struct pipe_dev *dev = &self->dev;

	pipe_handshake(dev);
	pipe_set_signal_buffer(dev, gpa, PIPE_DRIVER_SIGNALS);
	dev->signal_gpa = gpa;
	open_many(dev, self->pipes, 4);
	poison_signals(dev, 4);
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	EXPECT_EQ(1, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 0, 1));
	EXPECT_TRUE(poisoned(dev, 1));
	hang_up_many(dev, 1, 3);
	end_interrupt(self->resample);
	take_interrupt(self->call);
	EXPECT_EQ(3, window_count(dev));
	EXPECT_TRUE(all_closed(dev, 1, 3));
}

/* Other memory at the guest's addresses: the batch is where the guest now looks. */
TEST_F_TIMEOUT(window, buffer_follows_the_memory, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_mem other;

	pipe_handshake(dev);
	open_many(dev, self->pipes, 2);
	poison_signals(dev, 2);
	pipe_mem_create(&other, RANCHU_RAM_BASE, MEM_SIZE);
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &other, 1));
	pipe_hang_up(dev, 0);
	take_interrupt(self->call);
	EXPECT_TRUE(poisoned(dev, 0));
	dev->mem = &other;
	EXPECT_TRUE(all_closed(dev, 0, 1));

	/* Without memory nothing is announced. */
	EXPECT_EQ(0, __pipe_set_mem_table(dev, NULL, 0));
	pipe_hang_up(dev, 1);
	end_interrupt(self->resample);
	EXPECT_EQ(0, window_count(dev));
	EXPECT_FALSE(interrupted(self->call));
	dev->mem = &self->mem;
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &self->mem, 1));
	take_interrupt(self->call);
	EXPECT_TRUE(all_closed(dev, 1, 1));
	pipe_mem_destroy(&other);
}

/* A window and a signal buffer pin a page each, and unpin it. */
TEST_F_TIMEOUT(window, pages_are_given_back, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	long before;
	unsigned int i;

	ASSERT_EQ(0, __pipe_set_window(dev, NULL));
	before = pages_kept();
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, __pipe_set_window(dev, self->page));
		pipe_handshake(dev);
		EXPECT_EQ(before + 2, pages_kept());
	}
	EXPECT_NE(0, __pipe_set_window(dev, (void *)-4096ul));
	EXPECT_EQ(before + 2, pages_kept());
	pipe_set_signal_buffer(dev, 0, PIPE_DRIVER_SIGNALS);
	EXPECT_EQ(before + 1, pages_kept());
	pipe_handshake(dev);
	pipe_dev_close(dev);
	EXPECT_EQ(before, pages_kept());
	ASSERT_EQ(0, __pipe_dev_open(dev, NULL));
}

/* A window that cannot be written any more affects nothing else. */
TEST_F_TIMEOUT(window, window_that_faults, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe *pipe = &self->pipes[0];

	pipe_handshake(dev);
	open_many(dev, self->pipes, 2);
	ASSERT_EQ(0, mprotect(self->page, HOST_PAGE, PROT_READ));
	pipe_hang_up(dev, 0);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, 5);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, 2);
	ASSERT_EQ(0, mprotect(self->page, HOST_PAGE, PROT_READ | PROT_WRITE));
	pipe_handshake(dev);
	EXPECT_EQ(2, window_reg(dev, GOLDFISH_PIPE_REG_VERSION));
	open_many(dev, pipe, 1);
	EXPECT_EQ(1, pipe_write(pipe, self->data, 1));
	EXPECT_EQ(1, pipe_read(pipe, self->data, 10));
}

TEST_HARNESS_MAIN
