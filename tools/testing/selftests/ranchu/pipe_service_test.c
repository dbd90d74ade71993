// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built-in services: data is returned unchanged, within the limits of size and
 * rate.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			600
#define MEM_SIZE		(64u << 20)
#define LARGEST			(16u << 20)
#define RING_SIZE		(4u << 20)
#define THROTTLE_RATE		4096000ull

#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT

FIXTURE(service)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	struct pipe_random random;
	uint64_t out_gpa;
	uint64_t in_gpa;
	uint8_t *out;
	uint8_t *in;
};

FIXTURE_SETUP(service)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->out_gpa = pipe_mem_alloc(&self->mem, LARGEST, PIPE_PAGE);
	self->in_gpa = pipe_mem_alloc(&self->mem, LARGEST, PIPE_PAGE);
	self->out = pipe_mem_hva(&self->mem, self->out_gpa, LARGEST);
	self->in = pipe_mem_hva(&self->mem, self->in_gpa, LARGEST);
	self->random.state = 0x72616e636875;
	pipe_random_fill(&self->random, self->out, LARGEST);
}

FIXTURE_TEARDOWN(service)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

/*
 * Cuts [gpa, gpa + size) into at most PIPE_DRIVER_BUFFERS pieces of random
 * length and gives how many; bytes behind the last piece are left for later.
 */
static uint32_t cut(struct pipe_random *random, uint64_t gpa, uint32_t size,
		    struct pipe_buf *bufs)
{
	uint32_t longest = 1 + pipe_random(random) % (2 * PIPE_PAGE);
	uint32_t nr = 0;

	while (size && nr < PIPE_DRIVER_BUFFERS) {
		uint32_t n = 1 + pipe_random(random) % longest;

		if (n > size)
			n = size;
		bufs[nr++] = (struct pipe_buf){ gpa, n };
		gpa += n;
		size -= n;
	}
	return nr;
}

static int32_t move(struct test_pipe *pipe, struct pipe_random *random,
		    uint32_t cmd, uint64_t gpa, uint32_t size)
{
	struct pipe_buf bufs[PIPE_DRIVER_BUFFERS];
	uint32_t nr;

	/* Now one piece, as a large page is, now many. */
	if (pipe_random(random) % 4 == 0)
		return cmd == GOLDFISH_PIPE_CMD_WRITE ?
			       pipe_write(pipe, gpa, size) :
			       pipe_read(pipe, gpa, size);
	nr = cut(random, gpa, size, bufs);
	return pipe_transfer(pipe, cmd, bufs, nr);
}

/*
 * Sends @size bytes round and has them back. Gives the first byte that is
 * wrong, or @size.
 */
static uint32_t round_trip(struct test_pipe *pipe, struct pipe_random *random,
			   uint64_t out, uint64_t in, uint32_t size)
{
	const uint8_t *sent = pipe_mem_hva(pipe->dev->mem, out, size);
	const uint8_t *got = pipe_mem_hva(pipe->dev->mem, in, size);
	uint32_t written = 0;
	uint32_t read = 0;
	uint32_t i;
	int32_t n;

	memset(pipe_mem_hva(pipe->dev->mem, in, size), 0, size);
	while (read < size) {
		if (written < size) {
			n = move(pipe, random, GOLDFISH_PIPE_CMD_WRITE,
				 out + written, size - written);
			if (n > 0)
				written += n;
			else if (n != AGAIN)
				pipe_die("WRITE: %d", n);
		}
		n = move(pipe, random, GOLDFISH_PIPE_CMD_READ, in + read,
			 size - read);
		if (n > 0)
			read += n;
		else if (n != AGAIN)
			pipe_die("READ: %d", n);
		if (read > written)
			pipe_die("%u bytes came out of %u", read, written);
	}
	for (i = 0; i < size && sent[i] == got[i]; i++)
		;
	return i;
}

TEST_F_TIMEOUT(service, pingpong_returns_every_byte, TIMEOUT)
{
	const uint32_t sizes[] = {
		1,	     2,		  3,	      64,	 1023,
		1024,	     1025,	  4095,	      4096,	 4097,
		65536,	     65537,	  1u << 20,   RING_SIZE, RING_SIZE + 1,
		LARGEST - 1, LARGEST,
	};
	unsigned int i;

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:pingpong");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(sizes[i],
			  round_trip(&self->pipe, &self->random, self->out_gpa,
				     self->in_gpa, sizes[i]));
	}
}

TEST_F_TIMEOUT(service, pingpong_random_sizes, TIMEOUT)
{
	uint32_t size, shift;
	unsigned int i;

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:pingpong");
	for (i = 0; i < 100; i++) {
		/* As many small ones as large ones. */
		shift = pipe_random(&self->random) % 22;
		size = 1 + pipe_random(&self->random) % (2u << shift);
		ASSERT_EQ(size, round_trip(&self->pipe, &self->random,
					   self->out_gpa + i, self->in_gpa,
					   size))
		{
			TH_LOG("round %u", i);
		}
	}
}

TEST_F_TIMEOUT(service, pingpong_is_bounded, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint32_t sent = 0, got = 0;
	unsigned int round;
	int32_t n;

	pipe_connect(&self->dev, pipe, 0, "pipe:pingpong");
	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(1000, pipe_write(pipe, self->out_gpa, 1000));
	EXPECT_EQ(IN | OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(1000, pipe_read(pipe, self->in_gpa, 2000));

	/* Twice, so that the second time goes round the end of the ring. */
	for (round = 0; round < 2; round++) {
		for (sent = 0; sent < RING_SIZE; sent += n) {
			n = pipe_write(pipe, self->out_gpa + sent,
				       RING_SIZE + 1000 - sent);
			ASSERT_LT(0, n);
		}
		ASSERT_EQ(RING_SIZE, sent);
		EXPECT_EQ(AGAIN, pipe_write(pipe, self->out_gpa, 1));
		EXPECT_EQ(0, pipe->cmd->consumed_size);
		EXPECT_EQ(IN, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
		/* Room for what was taken out, not more. */
		EXPECT_EQ(100, pipe_read(pipe, self->in_gpa, 100));
		EXPECT_EQ(IN | OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
		EXPECT_EQ(100, pipe_write(pipe, self->out_gpa + sent, 1000));
		for (got = 100; got < RING_SIZE + 100; got += n) {
			n = pipe_read(pipe, self->in_gpa + got, LARGEST - got);
			ASSERT_LT(0, n);
		}
		EXPECT_EQ(RING_SIZE + 100, got);
		EXPECT_EQ(0, memcmp(self->out, self->in, got));
		EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 10));
		EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	}
}

/* Two pipes of one service are independent. */
TEST_F_TIMEOUT(service, pipes_are_apart, TIMEOUT)
{
	struct test_pipe other;

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:pingpong");
	pipe_connect(&self->dev, &other, 1, "pipe:pingpong");
	EXPECT_EQ(100, pipe_write(&self->pipe, self->out_gpa, 100));
	EXPECT_EQ(AGAIN, pipe_read(&other, self->in_gpa, 100));
	EXPECT_EQ(50, pipe_write(&other, self->out_gpa + 100, 50));
	EXPECT_EQ(50, pipe_read(&other, self->in_gpa, 100));
	EXPECT_EQ(0, memcmp(self->out + 100, self->in, 50));
	pipe_close(&other);
	EXPECT_EQ(100, pipe_read(&self->pipe, self->in_gpa, 100));
	EXPECT_EQ(0, memcmp(self->out, self->in, 100));
}

/* A new pipe does not get the data of a closed one of its number. */
TEST_F_TIMEOUT(service, closing_empties_the_ring, TIMEOUT)
{
	pipe_connect(&self->dev, &self->pipe, 0, "pipe:pingpong");
	EXPECT_EQ(100, pipe_write(&self->pipe, self->out_gpa, 100));
	pipe_close(&self->pipe);
	ASSERT_EQ(0, __pipe_reopen(&self->pipe));
	ASSERT_EQ(14, __pipe_connect(&self->pipe, "pipe:pingpong"));
	EXPECT_EQ(AGAIN, pipe_read(&self->pipe, self->in_gpa, 100));
}

TEST_F_TIMEOUT(service, zero_takes_all_and_gives_zeroes, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint32_t done, size, i;
	unsigned int round;
	int32_t n;

	pipe_connect(&self->dev, pipe, 0, "pipe:zero");
	for (round = 0; round < 60; round++) {
		size = 1 + pipe_random(&self->random) %
				   (round % 20 ? 20000 : LARGEST);
		memset(self->in, 0xa5, size);
		for (done = 0; done < size; done += n) {
			n = move(pipe, &self->random, GOLDFISH_PIPE_CMD_READ,
				 self->in_gpa + done, size - done);
			ASSERT_LT(0, n);
		}
		for (i = 0; i < size && !self->in[i]; i++)
			;
		ASSERT_EQ(size, i);
		for (done = 0; done < size; done += n) {
			n = move(pipe, &self->random, GOLDFISH_PIPE_CMD_WRITE,
				 self->out_gpa + done, size - done);
			ASSERT_LT(0, n);
		}
		ASSERT_EQ(IN | OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Waits, however long it takes, until the device signals this pipe. */
static uint32_t wait_for_wake(struct pipe_dev *dev)
{
	pipe_wait_line(dev);
	if (pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED) != 1)
		pipe_die("not one signal");
	return pipe_signal(dev, 0).flags;
}

/* Asks for a wake and waits for it; the direction must be free then. */
static void wake_on(struct test_pipe *pipe, uint32_t cmd, uint32_t flag)
{
	int32_t status = pipe_command(pipe, cmd);

	if (status)
		pipe_die("command %u: %d", cmd, status);
	while (!(wait_for_wake(pipe->dev) & flag))
		;
}

static void drain(struct test_pipe *pipe, uint64_t gpa, uint32_t size)
{
	uint32_t done = 0;
	int32_t n;

	while (done < size) {
		n = pipe_read(pipe, gpa + done, size - done);
		if (n > 0)
			done += n;
		else if (n == AGAIN)
			wake_on(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ,
				GOLDFISH_PIPE_WAKE_READ);
		else
			pipe_die("READ: %d", n);
	}
}

/*
 * A large transfer holds its direction back, and only that. On a slow machine
 * the time may be over before the next command runs, so this tries until it is
 * seen; if it never is, the harness' time limit ends the test.
 */
TEST_F_TIMEOUT(service, throttle_holds_a_direction_back, TIMEOUT)
{
	const uint32_t burst = 2u << 20;
	struct test_pipe *pipe = &self->pipe;
	bool write_held = false, read_held = false;
	int32_t poll;

	pipe_connect(&self->dev, pipe, 0, "pipe:throttle");
	while (!write_held || !read_held) {
		EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
		ASSERT_EQ((int32_t)burst,
			  pipe_write(pipe, self->out_gpa, burst));
		poll = pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL);
		EXPECT_TRUE(poll & IN);
		write_held |= !(poll & OUT);
		ASSERT_EQ((int32_t)burst / 2,
			  pipe_read(pipe, self->in_gpa, burst / 2));
		/* There is more, but not yet. */
		poll = pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL);
		read_held |= !(poll & IN);
		drain(pipe, self->in_gpa + burst / 2, burst / 2);
		EXPECT_EQ(0, memcmp(self->out, self->in, burst));
		wake_on(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE,
			GOLDFISH_PIPE_WAKE_WRITE);
	}
}

/* While it is held back, a transfer gets -2 and moves nothing. */
TEST_F_TIMEOUT(service, throttle_says_again, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	unsigned int seen = 0;
	int32_t n;

	pipe_connect(&self->dev, pipe, 0, "pipe:throttle");
	while (!seen) {
		ASSERT_EQ(1 << 20, pipe_write(pipe, self->out_gpa, 1 << 20));
		n = pipe_write(pipe, self->out_gpa + (1 << 20), 1);
		if (n == AGAIN) {
			EXPECT_EQ(0, pipe->cmd->consumed_size);
			seen++;
		} else {
			ASSERT_EQ(1, n);
		}
		drain(pipe, self->in_gpa, (1 << 20) + (n == 1));
		EXPECT_EQ(0, memcmp(self->out, self->in, 1 << 20));
		wake_on(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE,
			GOLDFISH_PIPE_WAKE_WRITE);
	}
}

/*
 * A command is one transfer, however many buffers it has: a service that would
 * be called a second time for it would be resting by then.
 */
TEST_F_TIMEOUT(service, command_is_one_transfer, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	struct pipe_buf bufs[PIPE_DRIVER_BUFFERS];
	unsigned int i;

	for (i = 0; i < PIPE_DRIVER_BUFFERS; i++) {
		bufs[i].gpa = self->out_gpa + 3000 * i;
		bufs[i].size = 3000;
	}
	pipe_connect(&self->dev, pipe, 0, "pipe:throttle");
	ASSERT_EQ(3000 * PIPE_DRIVER_BUFFERS,
		  pipe_transfer(pipe, GOLDFISH_PIPE_CMD_WRITE, bufs,
				PIPE_DRIVER_BUFFERS));
	drain(pipe, self->in_gpa, 3000 * PIPE_DRIVER_BUFFERS);
	EXPECT_EQ(0, memcmp(self->out, self->in, 3000 * PIPE_DRIVER_BUFFERS));
}

/*
 * Never faster than its rate: all bytes but the last transfer's must have had
 * their time. Being slower, as a busy machine is, is no failure.
 */
TEST_F_TIMEOUT(service, throttle_keeps_its_rate, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint64_t start = now_ns();
	uint64_t written = 0;
	uint64_t last = 0;
	int32_t n;

	pipe_connect(&self->dev, pipe, 0, "pipe:throttle");
	while (written < RING_SIZE) {
		n = pipe_write(pipe, self->out_gpa + written, 256u << 10);
		if (n == AGAIN) {
			wake_on(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE,
				GOLDFISH_PIPE_WAKE_WRITE);
			continue;
		}
		ASSERT_LT(0, n);
		last = n;
		written += n;
	}
	EXPECT_LE((written - last) * 1000000000ull / THROTTLE_RATE,
		  now_ns() - start);
}

TEST_F_TIMEOUT(service, throttle_returns_every_byte, TIMEOUT)
{
	const uint32_t sizes[] = { 1, 100, 4096, 65537, 1u << 20 };
	unsigned int i;

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:throttle");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(sizes[i],
			  round_trip(&self->pipe, &self->random, self->out_gpa,
				     self->in_gpa, sizes[i]));
	}
}

/* Closing with the timer running: it must not find the pipe again. */
TEST_F_TIMEOUT(service, throttle_closed_while_it_waits, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;

	pipe_connect(&self->dev, pipe, 0, "pipe:throttle");
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(8192, pipe_write(pipe, self->out_gpa, 8192));
		pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE);
		pipe_close(pipe);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(14, __pipe_connect(pipe, "pipe:throttle"));
	}
}

struct streamer {
	pthread_t thread;
	struct test_pipe pipe;
	struct pipe_random random;
	uint64_t out;
	uint64_t in;
	uint32_t bad;
};

#define STREAM_SIZE		100000u
#define STREAM_ROUNDS		20

static void *stream(void *arg)
{
	struct streamer *streamer = arg;
	unsigned int i;

	for (i = 0; i < STREAM_ROUNDS; i++)
		streamer->bad += round_trip(&streamer->pipe, &streamer->random,
					    streamer->out, streamer->in,
					    STREAM_SIZE) != STREAM_SIZE;
	return NULL;
}

/* Threads of the owner, each with its pipe, all at once. */
TEST_F_TIMEOUT(service, threads_do_not_mix, TIMEOUT)
{
	struct streamer streamers[4] = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(streamers); i++) {
		pipe_connect(&self->dev, &streamers[i].pipe, i,
			     "pipe:pingpong");
		streamers[i].random.state = i + 1;
		streamers[i].out = self->out_gpa + 1000000 * i;
		streamers[i].in = self->in_gpa + 1000000 * i;
	}
	for (i = 0; i < ARRAY_SIZE(streamers); i++)
		ASSERT_EQ(0, pthread_create(&streamers[i].thread, NULL, stream,
					    &streamers[i]));
	for (i = 0; i < ARRAY_SIZE(streamers); i++) {
		ASSERT_EQ(0, pthread_join(streamers[i].thread, NULL));
		EXPECT_EQ(0, streamers[i].bad);
	}
}

TEST_HARNESS_MAIN
