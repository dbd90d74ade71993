// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes whose other end is a socket: every byte, every end, every wake.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_services.h"

#define TIMEOUT			600
#define MEM_SIZE		(64u << 20)
#define LARGEST			(4u << 20)

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO
#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT
#define HUP			GOLDFISH_PIPE_POLL_HUP
#define READ			GOLDFISH_PIPE_CMD_READ
#define WRITE			GOLDFISH_PIPE_CMD_WRITE
#define WAKE_ON_READ		GOLDFISH_PIPE_CMD_WAKE_ON_READ
#define WAKE_ON_WRITE		GOLDFISH_PIPE_CMD_WAKE_ON_WRITE
#define WAKE_READ		GOLDFISH_PIPE_WAKE_READ
#define WAKE_WRITE		GOLDFISH_PIPE_WAKE_WRITE

FIXTURE(sock)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	struct pipe_random random;
	uint64_t out_gpa;
	uint64_t in_gpa;
	uint8_t *out;
	uint8_t *in;
	uint8_t *host;
	int services;
	int peer;
};

FIXTURE_VARIANT(sock)
{
	enum services_family family;
};

FIXTURE_VARIANT_ADD(sock, unix_stream)
{
	.family = SERVICES_UNIX,
};

FIXTURE_VARIANT_ADD(sock, tcp)
{
	.family = SERVICES_TCP,
};

FIXTURE_SETUP(sock)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->out_gpa = pipe_mem_alloc(&self->mem, LARGEST, HOST_PAGE);
	self->in_gpa = pipe_mem_alloc(&self->mem, LARGEST, HOST_PAGE);
	self->out = pipe_mem_hva(&self->mem, self->out_gpa, LARGEST);
	self->in = pipe_mem_hva(&self->mem, self->in_gpa, LARGEST);
	self->host = malloc(LARGEST);
	self->random.state = 0x72616e636875;
	pipe_random_fill(&self->random, self->out, LARGEST);
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	self->peer = services_connect(self->services, &self->dev, &self->pipe, 0,
				      "svc", variant->family);
}

FIXTURE_TEARDOWN(sock)
{
	close(self->peer);
	close(self->services);
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
	free(self->host);
}

static void host_write(int sock, const uint8_t *from, uint32_t size)
{
	uint32_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(sock, from + done, size - done);
		if (n > 0)
			done += n;
		else if (errno == EAGAIN)
			services_poll(sock, POLLOUT, SERVICES_PATIENCE_MS);
		else
			pipe_die("write: %s", strerror(errno));
	}
}

static void host_read(int sock, uint8_t *to, uint32_t size)
{
	uint32_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(sock, to + done, size - done);
		if (n > 0)
			done += n;
		else if (n < 0 && errno == EAGAIN)
			services_poll(sock, POLLIN, SERVICES_PATIENCE_MS);
		else
			pipe_die("read: %zd %s", n, strerror(errno));
	}
}

/* The far end of a transfer, in a thread. */
struct far {
	pthread_t thread;
	int sock;
	uint8_t *bytes;
	uint32_t size;
};

static void *far_read(void *arg)
{
	struct far *far = arg;

	host_read(far->sock, far->bytes, far->size);
	return NULL;
}

static void *far_write(void *arg)
{
	struct far *far = arg;

	host_write(far->sock, far->bytes, far->size);
	return NULL;
}

TEST_F_TIMEOUT(sock, every_byte_both_ways, TIMEOUT)
{
	const uint32_t sizes[] = {
		1, 2, 64, 4095, 4096, 4097, 65536, 1u << 20, LARGEST,
	};
	struct far far = { .sock = self->peer, .bytes = self->host };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		far.size = sizes[i];
		memset(self->host, 0, LARGEST);
		pthread_create(&far.thread, NULL, far_read, &far);
		services_move_all(&self->pipe, &self->random, WRITE, self->out_gpa, sizes[i]);
		pthread_join(far.thread, NULL);
		ASSERT_EQ(0, memcmp(self->out, self->host, sizes[i]));

		memset(self->in, 0, LARGEST);
		pthread_create(&far.thread, NULL, far_write, &far);
		services_move_all(&self->pipe, &self->random, READ, self->in_gpa, sizes[i]);
		pthread_join(far.thread, NULL);
		ASSERT_EQ(0, memcmp(self->in, self->host, sizes[i]));
	}
}

/* A command moves the available bytes, limited by the room. */
TEST_F_TIMEOUT(sock, partial_transfers, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint32_t sent = 0;
	int32_t n;

	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 100));
	host_write(self->peer, self->out, 30);
	EXPECT_EQ(0, services_poll(self->peer, POLLIN, 0));
	while (pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL) != (IN | OUT))
		;
	EXPECT_EQ(10, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(20, pipe_read(pipe, self->in_gpa + 10, 100));
	EXPECT_EQ(0, memcmp(self->out, self->in, 30));
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 100));

	/* Nobody reads: it ends at some time, and then there is no room. */
	do {
		n = pipe_write(pipe, self->out_gpa + sent % LARGEST, 1u << 16);
		if (n > 0)
			sent += n;
	} while (n > 0);
	EXPECT_EQ(AGAIN, n);
	EXPECT_LT(0, sent);
	/* TCP moves bytes on by itself: fill what that has made room for. */
	do {
		services_flush(&self->dev);
		n = pipe_write(pipe, self->out_gpa + sent % LARGEST, 1u << 16);
		if (n > 0)
			sent += n;
	} while (n > 0);
	EXPECT_FALSE(pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL) & OUT);
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
	EXPECT_TRUE(services_quiet(&self->dev));
	host_read(self->peer, self->host, sent < LARGEST ? sent : LARGEST);
	services_wait_wake(pipe, WAKE_WRITE);
	EXPECT_TRUE(pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL) & OUT);
	EXPECT_LT(0, pipe_write(pipe, self->out_gpa, 1));
}

/* A wake comes once, and only if the guest asked. */
TEST_F_TIMEOUT(sock, wakes_who_asked, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint8_t byte = 1;

	host_write(self->peer, &byte, 1);
	while (pipe_read(pipe, self->in_gpa, 1) != 1)
		;
	EXPECT_TRUE(services_quiet(&self->dev));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_TRUE(services_quiet(&self->dev));
	host_write(self->peer, &byte, 1);
	EXPECT_EQ(WAKE_READ, services_wakes(&self->dev, 0));
	host_write(self->peer, &byte, 1);
	EXPECT_TRUE(services_quiet(&self->dev));
	/* What is there already wakes at once. */
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_EQ(WAKE_READ, services_wakes(&self->dev, 0));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
	EXPECT_EQ(WAKE_WRITE, services_wakes(&self->dev, 0));
}

/* The other end writes no more: all is read, then an error, and writes work. */
TEST_F_TIMEOUT(sock, other_end_half_closed, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;

	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	host_write(self->peer, self->out, 1000);
	shutdown(self->peer, SHUT_WR);
	services_wait_wake(pipe, WAKE_READ);
	services_move_all(pipe, &self->random, READ, self->in_gpa, 1000);
	EXPECT_EQ(0, memcmp(self->in, self->out, 1000));
	services_sleep_on(pipe, WAKE_ON_READ);
	EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(0, pipe->cmd->consumed_size);
	EXPECT_EQ(IN | OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(1000, pipe_write(pipe, self->out_gpa, 1000));
	host_read(self->peer, self->host, 1000);
	EXPECT_EQ(0, memcmp(self->host, self->out, 1000));
	pipe_close(pipe);
	EXPECT_EQ(0, __services_read_end(self->peer));
}

/* The other end closes: a sleeping guest is woken, writes fail, and there is no SIGPIPE. */
TEST_F_TIMEOUT(sock, other_end_closed, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	int32_t n;

	host_write(self->peer, self->out, 1000);
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	services_wait_wake(pipe, WAKE_READ);
	close(self->peer);
	/* What was sent before is there. */
	services_move_all(pipe, &self->random, READ, self->in_gpa, 1000);
	EXPECT_EQ(0, memcmp(self->in, self->out, 1000));
	services_sleep_on(pipe, WAKE_ON_READ);
	EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
	/* TCP takes a write before it hears that nobody is there. */
	do {
		n = pipe_write(pipe, self->out_gpa, 10);
	} while (n == 10 || n == AGAIN);
	EXPECT_EQ(IO, n);
	EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(IN | OUT | HUP, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	pipe_close(pipe);
	self->peer = -1;
}

/* A guest that waits for room is woken by the end as well. */
TEST_F_TIMEOUT(sock, closed_while_full, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	int32_t n;

	while (pipe_write(pipe, self->out_gpa, LARGEST) > 0)
		;
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
	close(self->peer);
	services_wait_wake(pipe, WAKE_WRITE);
	do {
		n = pipe_write(pipe, self->out_gpa, 10);
	} while (n == 10);
	EXPECT_EQ(IO, n);
	self->peer = -1;
}

/* The guest closes: all its data arrives, then the end. */
TEST_F_TIMEOUT(sock, guest_closes, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;
	uint64_t open;
	int ends[2];

	for (i = 0; i < 5; i++) {
		EXPECT_EQ(1000, pipe_write(pipe, self->out_gpa, 1000));
		pipe_close(pipe);
		host_read(self->peer, self->host, 1000);
		EXPECT_EQ(0, memcmp(self->host, self->out, 1000));
		EXPECT_EQ(0, __services_read_end(self->peer));
		close(self->peer);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
		open = services_expect(self->services, "svc", NULL);
		services_sockets(variant->family, ends);
		services_answer(self->services, open, ends[0]);
		close(ends[0]);
		self->peer = ends[1];
	}
}

TEST_F_TIMEOUT(sock, buffers_that_fault, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	struct pipe_buf bufs[2] = {
		{ self->out_gpa, 100 },
		{ RANCHU_RAM_BASE + MEM_SIZE, 100 },
	};
	const size_t page = HOST_PAGE;

	/* Outside: what comes before is moved. */
	EXPECT_EQ(100, pipe_transfer(pipe, WRITE, bufs, 2));
	EXPECT_EQ(INVAL, pipe_transfer(pipe, WRITE, bufs + 1, 1));
	host_read(self->peer, self->host, 100);

	/* Inside, and not there: nothing is moved, or what comes before. */
	ASSERT_EQ(0, mprotect(self->in, page, PROT_NONE));
	host_write(self->peer, self->out, 100);
	while (!(pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL) & IN))
		;
	EXPECT_EQ(INVAL, pipe_read(pipe, self->in_gpa, 100));
	EXPECT_EQ(INVAL, pipe_write(pipe, self->in_gpa, 100));
	ASSERT_EQ(0, mprotect(self->in, page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(100, pipe_read(pipe, self->in_gpa, 100));
	EXPECT_EQ(0, memcmp(self->in, self->out, 100));
	EXPECT_EQ(100, pipe_write(pipe, self->out_gpa, 100));
	host_read(self->peer, self->host, 100);
}

/* Yields at random, so that threads meet at different places. */
static void dawdle(unsigned int *seed)
{
	unsigned int n = rand_r(seed) % 64;

	if (n < 8)
		sched_yield();
	else if (n < 16)
		usleep(rand_r(seed) % 200);
	else
		while (n--)
			__asm__ volatile("" ::: "memory");
}

/* Sleeps of the guest that a hammering lasts. */
#define HAMMER_SLEEPS		300

struct hammer {
	pthread_t thread;
	int sock;
	unsigned int seed;
	volatile bool stop;
};

/* A byte at a time, each its own event. */
static void *hammer_write(void *arg)
{
	struct hammer *hammer = arg;
	uint8_t byte;

	for (byte = 0; !hammer->stop; byte++) {
		host_write(hammer->sock, &byte, 1);
		dawdle(&hammer->seed);
	}
	shutdown(hammer->sock, SHUT_WR);
	return NULL;
}

/* Until the end. */
static void *hammer_read(void *arg)
{
	struct hammer *hammer = arg;
	static uint8_t bytes[65536];
	ssize_t n;

	while ((n = read(hammer->sock, bytes, 1 + rand_r(&hammer->seed) % sizeof(bytes)))) {
		if (n < 0)
			services_poll(hammer->sock, POLLIN, SERVICES_PATIENCE_MS);
		dawdle(&hammer->seed);
	}
	return NULL;
}

/*
 * The guest reads until there is nothing, asks for a wake and sleeps; the other
 * end writes whenever it likes, above all in between. A lost wake is a test that
 * does not end.
 */
TEST_F_TIMEOUT(sock, no_wake_of_a_reader_is_lost, TIMEOUT)
{
	struct hammer hammer = { .sock = self->peer, .seed = 1 };
	unsigned int seed = 2, sleeps = 0;
	uint8_t expected = 0;
	int32_t n, i;

	pthread_create(&hammer.thread, NULL, hammer_write, &hammer);
	while ((n = pipe_read(&self->pipe, self->in_gpa, 1000)) != IO) {
		if (n == AGAIN) {
			dawdle(&seed);
			services_sleep_on(&self->pipe, WAKE_ON_READ);
			hammer.stop = ++sleeps >= HAMMER_SLEEPS;
			continue;
		}
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++)
			ASSERT_EQ(expected++, self->in[i]);
	}
	pthread_join(hammer.thread, NULL);
}

TEST_F_TIMEOUT(sock, no_wake_of_a_writer_is_lost, TIMEOUT)
{
	struct hammer hammer = { .sock = self->peer, .seed = 3 };
	unsigned int seed = 4, sleeps = 0;
	int32_t n;

	pthread_create(&hammer.thread, NULL, hammer_read, &hammer);
	while (sleeps < HAMMER_SLEEPS) {
		n = pipe_write(&self->pipe, self->out_gpa, 1 + rand_r(&seed) % (1u << 18));
		if (n == AGAIN) {
			dawdle(&seed);
			services_sleep_on(&self->pipe, WAKE_ON_WRITE);
			sleeps++;
			continue;
		}
		ASSERT_LT(0, n);
	}
	pipe_close(&self->pipe);
	pthread_join(hammer.thread, NULL);
}

struct answerer {
	pthread_t thread;
	int services;
	enum services_family family;
	unsigned int seed;
};

#define ANSWERS			2000

/* Answers, and says hello: before, while and after the guest falls asleep. */
static void *answer_all(void *arg)
{
	struct vhost_goldfish_pipe_event event;
	struct answerer *answerer = arg;
	unsigned int i;
	int ends[2];

	for (i = 0; i < ANSWERS; i++) {
		services_event(answerer->services, &event);
		services_sockets(answerer->family, ends);
		if (i & 1)
			host_write(ends[1], (const uint8_t *)"h", 1);
		dawdle(&answerer->seed);
		services_answer(answerer->services, event.open, ends[0]);
		dawdle(&answerer->seed);
		if (!(i & 1))
			host_write(ends[1], (const uint8_t *)"h", 1);
		close(ends[0]);
		close(ends[1]);
	}
	return NULL;
}

TEST_F_TIMEOUT(sock, no_wake_is_lost_by_the_answer, TIMEOUT)
{
	struct answerer answerer = {
		.services = self->services, .family = variant->family, .seed = 5,
	};
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;
	int32_t n;

	pthread_create(&answerer.thread, NULL, answer_all, &answerer);
	for (i = 0; i < ANSWERS; i++) {
		pipe_close(pipe);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
		while ((n = pipe_read(pipe, self->in_gpa, 10)) == AGAIN)
			services_sleep_on(pipe, WAKE_ON_READ);
		ASSERT_EQ(1, n);
		ASSERT_EQ('h', self->in[0]);
	}
	pthread_join(answerer.thread, NULL);
}

#define KILLS			10

static void be_killed(int sock, int tell)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	uint64_t gpa;
	int services;
	uint64_t open;

	pipe_mem_create(&mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&dev, &mem);
	pipe_handshake(&dev);
	gpa = pipe_mem_alloc(&mem, 1u << 20, HOST_PAGE);
	services = services_open(&dev);
	services_add(services, "svc");
	pipe_connect(&dev, &pipe, 0, "pipe:svc");
	open = services_expect(services, "svc", NULL);
	services_answer(services, open, sock);
	close(sock);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	for (;;) {
		pipe_write(&pipe, gpa, 1u << 18);
		pipe_read(&pipe, gpa, 1u << 18);
		pipe_command(&pipe, WAKE_ON_READ);
		pipe_command(&pipe, WAKE_ON_WRITE);
		pipe_reg_read(&dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
	}
}

/* The VMM is killed at a random time: its sockets end and nothing hangs. */
TEST_F_TIMEOUT(sock, owner_killed_under_load, TIMEOUT)
{
	int ends[2], tell[2], status;
	unsigned int i, seed = 6;
	ssize_t n;
	pid_t pid;
	char byte;

	for (i = 0; i < KILLS; i++) {
		ASSERT_EQ(0, pipe(tell));
		services_sockets(variant->family, ends);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(ends[1]);
			be_killed(ends[0], tell[1]);
		}
		close(ends[0]);
		close(tell[1]);
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		host_write(ends[1], self->out, 1000);
		usleep(rand_r(&seed) % 20000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		do {
			EXPECT_TRUE(services_poll(ends[1], POLLIN, SERVICES_PATIENCE_MS));
			n = read(ends[1], self->host, LARGEST);
		} while (n > 0);
		EXPECT_TRUE(!n || errno == ECONNRESET);
		close(ends[1]);
		close(tell[0]);
	}
}

/* A pipe whose service does nothing does not delay other pipes. */
TEST_F_TIMEOUT(sock, stalled_beside_busy, TIMEOUT)
{
	struct test_pipe busy, unanswered;
	unsigned int i;
	int peer;

	pipe_connect(&self->dev, &unanswered, 1, "pipe:svc");
	services_expect(self->services, "svc", NULL);
	peer = services_connect(self->services, &self->dev, &busy, 2, "svc",
				variant->family);
	while (pipe_write(&self->pipe, self->out_gpa, LARGEST) > 0)
		;
	EXPECT_EQ(0, pipe_command(&self->pipe, WAKE_ON_WRITE));
	EXPECT_EQ(0, pipe_command(&unanswered, WAKE_ON_WRITE));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(64, pipe_write(&busy, self->out_gpa, 64));
		host_read(peer, self->host, 64);
		host_write(peer, self->host, 64);
		services_move_all(&busy, &self->random, READ, self->in_gpa, 64);
	}
	EXPECT_EQ(0, memcmp(self->in, self->out, 64));
	close(peer);
}

TEST_HARNESS_MAIN
