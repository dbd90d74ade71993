// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes whose other end is a pair of rings that a process maps: every byte, every
 * wake, every end, and a hostile process. The process's side is libranchu-pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_services.h"
#include "ranchu_pipe.h"

#define TIMEOUT			600
#define MEM_SIZE		(16u << 20)
#define LARGEST			(1u << 20)
#define RING			(1u << 16)

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO
#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT
#define HUP			GOLDFISH_PIPE_POLL_HUP
#define READ			GOLDFISH_PIPE_CMD_READ
#define WRITE			GOLDFISH_PIPE_CMD_WRITE
#define POLL			GOLDFISH_PIPE_CMD_POLL
#define WAKE_ON_READ		GOLDFISH_PIPE_CMD_WAKE_ON_READ
#define WAKE_ON_WRITE		GOLDFISH_PIPE_CMD_WAKE_ON_WRITE
#define WAKE_READ		GOLDFISH_PIPE_WAKE_READ
#define WAKE_WRITE		GOLDFISH_PIPE_WAKE_WRITE
#define WAKE_CLOSED		GOLDFISH_PIPE_WAKE_CLOSED

FIXTURE(ring)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	struct ranchu_pipe host;
	struct pipe_random random;
	uint64_t out_gpa;
	uint64_t in_gpa;
	uint8_t *out;
	uint8_t *in;
	uint8_t *bytes;
	uint64_t open;
	int services;
};

static void host_accept(struct ranchu_pipe *host, int services, uint64_t open,
			uint32_t in_size, uint32_t out_size)
{
	int err = ranchu_pipe_accept(host, services, open, in_size, out_size, -1);

	if (err)
		pipe_die("ANSWER_RING: %s", strerror(-err));
}

FIXTURE_SETUP(ring)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->out_gpa = pipe_mem_alloc(&self->mem, LARGEST, HOST_PAGE);
	self->in_gpa = pipe_mem_alloc(&self->mem, LARGEST, HOST_PAGE);
	self->out = pipe_mem_hva(&self->mem, self->out_gpa, LARGEST);
	self->in = pipe_mem_hva(&self->mem, self->in_gpa, LARGEST);
	self->bytes = malloc(LARGEST);
	self->random.state = 0x72696e67;
	pipe_random_fill(&self->random, self->out, LARGEST);
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	pipe_connect(&self->dev, &self->pipe, 0, "pipe:svc");
	self->open = services_expect(self->services, "svc", NULL);
	host_accept(&self->host, self->services, self->open, RING, RING);
}

FIXTURE_TEARDOWN(ring)
{
	ranchu_pipe_close(&self->host);
	close(self->services);
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
	free(self->bytes);
}

static uint64_t host_wakes(struct ranchu_pipe *host)
{
	eventfd_t count = 0;

	if (services_poll(host->wake_fd, POLLIN, 0) && eventfd_read(host->wake_fd, &count))
		pipe_die("eventfd: %s", strerror(errno));
	return count;
}

struct far {
	pthread_t thread;
	struct ranchu_pipe *host;
	uint8_t *bytes;
	uint32_t size;
};

static void *far_read(void *arg)
{
	struct far *far = arg;
	uint32_t done = 0;
	ssize_t n;

	while (done < far->size) {
		n = ranchu_pipe_read(far->host, far->bytes + done, far->size - done);
		if (n <= 0)
			pipe_die("read: %zd", n);
		done += n;
	}
	return NULL;
}

static void *far_write(void *arg)
{
	struct far *far = arg;

	if (ranchu_pipe_write(far->host, far->bytes, far->size) != (ssize_t)far->size)
		pipe_die("write");
	return NULL;
}

TEST_F_TIMEOUT(ring, every_byte_both_ways, TIMEOUT)
{
	const uint32_t sizes[] = { 1, 2, 64, 4095, 4097, RING, RING + 1, LARGEST };
	struct far far = { .host = &self->host, .bytes = self->bytes };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		far.size = sizes[i];
		memset(self->bytes, 0, LARGEST);
		pthread_create(&far.thread, NULL, far_read, &far);
		services_move_all(&self->pipe, &self->random, WRITE, self->out_gpa, sizes[i]);
		pthread_join(far.thread, NULL);
		ASSERT_EQ(0, memcmp(self->out, self->bytes, sizes[i]));

		memset(self->in, 0, LARGEST);
		pthread_create(&far.thread, NULL, far_write, &far);
		services_move_all(&self->pipe, &self->random, READ, self->in_gpa, sizes[i]);
		pthread_join(far.thread, NULL);
		ASSERT_EQ(0, memcmp(self->in, self->bytes, sizes[i]));
	}
}

/* Exactly full and empty rings, and data across the end in one piece. */
TEST_F_TIMEOUT(ring, full_empty_and_wrapped, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	struct ranchu_pipe *host = &self->host;
	const void *from;
	void *to;

	EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 100));
	EXPECT_EQ(0, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(RING, pipe_write(pipe, self->out_gpa, RING + 100));
	EXPECT_EQ(AGAIN, pipe_write(pipe, self->out_gpa, 1));
	EXPECT_EQ(0, pipe_command(pipe, POLL) & OUT);
	EXPECT_EQ(RING, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(0, memcmp(from, self->out, RING));
	ranchu_pipe_consume(host, RING - 10);
	EXPECT_EQ(OUT, pipe_command(pipe, POLL));
	EXPECT_EQ(100, pipe_write(pipe, self->out_gpa + RING, 100));
	EXPECT_EQ(110, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(0, memcmp(from, self->out + RING - 10, 110));
	ranchu_pipe_consume(host, 110);
	EXPECT_EQ(0, ranchu_pipe_peek(host, &from));

	EXPECT_EQ(RING, ranchu_pipe_room(host, &to));
	memcpy(to, self->out, RING);
	ranchu_pipe_produce(host, RING - 7);
	EXPECT_EQ(7, ranchu_pipe_room(host, &to));
	EXPECT_EQ(IN | OUT, pipe_command(pipe, POLL));
	EXPECT_EQ(RING - 7, pipe_read(pipe, self->in_gpa, RING));
	EXPECT_EQ(0, memcmp(self->in, self->out, RING - 7));
	EXPECT_EQ(RING, ranchu_pipe_room(host, &to));
	memcpy(to, self->out, 20);
	ranchu_pipe_produce(host, 20);
	EXPECT_EQ(20, pipe_read(pipe, self->in_gpa, RING));
	EXPECT_EQ(0, memcmp(self->in, self->out, 20));
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 100));
}

/* The process is woken when it asks to be, once, and not while it is awake. */
TEST_F_TIMEOUT(ring, wakes_of_the_process, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	struct ranchu_pipe *host = &self->host;
	const void *from;
	unsigned int i;

	/* The first byte, then no more. */
	for (i = 0; i < 10; i++)
		EXPECT_EQ(64, pipe_write(pipe, self->out_gpa, 64));
	EXPECT_EQ(1, host_wakes(host));
	EXPECT_EQ(640, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(1, ranchu_pipe_listen(host, RANCHU_PIPE_READ));
	ranchu_pipe_consume(host, 640);
	EXPECT_EQ(64, pipe_write(pipe, self->out_gpa, 64));
	EXPECT_EQ(0, host_wakes(host));
	ranchu_pipe_consume(host, 64);
	EXPECT_EQ(0, ranchu_pipe_listen(host, RANCHU_PIPE_READ));
	EXPECT_EQ(0, host_wakes(host));
	EXPECT_EQ(1, pipe_write(pipe, self->out_gpa, 1));
	EXPECT_EQ(1, pipe_write(pipe, self->out_gpa, 1));
	EXPECT_EQ(1, host_wakes(host));
	EXPECT_EQ(2, ranchu_pipe_peek(host, &from));

	/* Room is told likewise. */
	ranchu_pipe_produce(host, RING);
	EXPECT_EQ(0, ranchu_pipe_listen(host, RANCHU_PIPE_WRITE));
	EXPECT_EQ(10, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(10, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(1, host_wakes(host));
	EXPECT_EQ(1, ranchu_pipe_listen(host, RANCHU_PIPE_WRITE));
}

/* The guest is woken if it asked, once; otherwise the process makes no call. */
TEST_F_TIMEOUT(ring, wakes_of_the_guest, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	struct ranchu_pipe *host = &self->host;

	EXPECT_TRUE(services_quiet(&self->dev));
	ranchu_pipe_produce(host, 1);
	EXPECT_TRUE(services_quiet(&self->dev));
	EXPECT_EQ(1, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_TRUE(services_quiet(&self->dev));
	ranchu_pipe_produce(host, 1);
	EXPECT_EQ(WAKE_READ, services_wakes(&self->dev, 0));
	ranchu_pipe_produce(host, 1);
	EXPECT_TRUE(services_quiet(&self->dev));
	/* What is there already wakes at once. */
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_EQ(WAKE_READ, services_wakes(&self->dev, 0));

	EXPECT_EQ(RING, pipe_write(pipe, self->out_gpa, RING));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
	EXPECT_TRUE(services_quiet(&self->dev));
	ranchu_pipe_consume(host, 1);
	EXPECT_EQ(WAKE_WRITE, services_wakes(&self->dev, 0));
}

/* The process closes: what it put in is read, then the end. */
TEST_F_TIMEOUT(ring, process_closes, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	void *to;

	EXPECT_EQ(64, pipe_write(pipe, self->out_gpa, 64));
	EXPECT_EQ(RING, ranchu_pipe_room(&self->host, &to));
	memcpy(to, self->out, 1000);
	ranchu_pipe_produce(&self->host, 1000);
	EXPECT_EQ(500, pipe_read(pipe, self->in_gpa, 500));
	ranchu_pipe_close(&self->host);
	EXPECT_EQ(IO, pipe_write(pipe, self->out_gpa, 64));
	EXPECT_EQ(IN | OUT, pipe_command(pipe, POLL));
	EXPECT_EQ(500, pipe_read(pipe, self->in_gpa + 500, 1000));
	EXPECT_EQ(0, memcmp(self->in, self->out, 1000));
	EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(IN | OUT | HUP, pipe_command(pipe, POLL));
	pipe_close(pipe);
}

TEST_F_TIMEOUT(ring, process_closes_and_wakes, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;

	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	ranchu_pipe_close(&self->host);
	services_wait_wake(pipe, WAKE_READ);
	EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
	EXPECT_EQ(0, pipe->cmd->consumed_size);
}

/* The guest closes: what it wrote is there, then the end. */
TEST_F_TIMEOUT(ring, guest_closes, TIMEOUT)
{
	struct ranchu_pipe *host = &self->host;
	const void *from;
	void *to;

	EXPECT_EQ(1000, pipe_write(&self->pipe, self->out_gpa, 1000));
	EXPECT_EQ(1, host_wakes(host));
	pipe_close(&self->pipe);
	EXPECT_EQ(1, host_wakes(host));
	EXPECT_EQ(1000, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(0, memcmp(from, self->out, 1000));
	EXPECT_EQ(-EPIPE, ranchu_pipe_room(host, &to));
	ranchu_pipe_consume(host, 1000);
	EXPECT_EQ(-EPIPE, ranchu_pipe_peek(host, &from));
	EXPECT_EQ(1, ranchu_pipe_listen(host, RANCHU_PIPE_READ));
	EXPECT_EQ(0, ranchu_pipe_read(host, self->bytes, 10));
	EXPECT_EQ(-EPIPE, ranchu_pipe_write(host, self->bytes, 10));
	EXPECT_EQ(-EPIPE, __pipe_ioctl(host->fd, VHOST_GOLDFISH_PIPE_RING_KICK, NULL));
}

/* Hung up by the process, or because its file of services is closed. */
TEST_F_TIMEOUT(ring, hung_up, TIMEOUT)
{
	struct test_pipe second;
	struct ranchu_pipe host;
	uint64_t open;
	void *to;

	EXPECT_EQ(0, ranchu_pipe_refuse(self->services, self->open));
	EXPECT_EQ(WAKE_CLOSED, services_wakes(&self->dev, 0));
	EXPECT_EQ(IO, pipe_write(&self->pipe, self->out_gpa, 10));
	EXPECT_EQ(-EPIPE, ranchu_pipe_room(&self->host, &to));

	pipe_connect(&self->dev, &second, 1, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	host_accept(&host, self->services, open, RING, RING);
	EXPECT_EQ(10, pipe_write(&second, self->out_gpa, 10));
	close(self->services);
	self->services = -1;
	EXPECT_EQ(WAKE_CLOSED, services_wakes(&self->dev, 1));
	EXPECT_EQ(IO, pipe_write(&second, self->out_gpa, 10));
	EXPECT_EQ(IO, pipe_read(&second, self->in_gpa, 10));
	EXPECT_EQ(-EPIPE, ranchu_pipe_room(&host, &to));
	ranchu_pipe_close(&host);
}

TEST_F_TIMEOUT(ring, device_closed, TIMEOUT)
{
	const void *from;

	EXPECT_EQ(10, pipe_write(&self->pipe, self->out_gpa, 10));
	host_wakes(&self->host);
	close(self->dev.fd);
	self->dev.fd = -1;
	EXPECT_NE(0, services_poll(self->host.wake_fd, POLLIN, SERVICES_PATIENCE_MS));
	EXPECT_EQ(10, ranchu_pipe_peek(&self->host, &from));
	ranchu_pipe_consume(&self->host, 10);
	EXPECT_EQ(-EPIPE, ranchu_pipe_peek(&self->host, &from));
}

/* Killed at a random time, with bytes in both directions. */
static void be_killed(int services, uint64_t open, int tell)
{
	struct ranchu_pipe host;
	const void *from;
	void *to;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	host_accept(&host, services, open, RING, RING);
	close(services);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	for (;;) {
		n = ranchu_pipe_peek(&host, &from);
		ranchu_pipe_consume(&host, n);
		n = ranchu_pipe_room(&host, &to);
		ranchu_pipe_produce(&host, n < 1000 ? n : 1000);
	}
}

#define KILLS			10

TEST_F_TIMEOUT(ring, process_killed_under_load, TIMEOUT)
{
	unsigned int i, seed = 1, turns;
	struct test_pipe *pipe = &self->pipe;
	uint64_t open;
	int tell[2];
	char byte;
	pid_t pid;

	for (i = 0; i < KILLS; i++) {
		pipe_close(pipe);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
		open = services_expect(self->services, "svc", NULL);
		ASSERT_EQ(0, pipe2(tell, O_CLOEXEC));
		pid = fork();
		if (!pid)
			be_killed(self->services, open, tell[1]);
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		for (turns = rand_r(&seed) % 100; turns; turns--) {
			pipe_write(pipe, self->out_gpa, 5000);
			pipe_read(pipe, self->in_gpa, 5000);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (pipe_read(pipe, self->in_gpa, RING) > 0)
			;
		EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, RING));
		EXPECT_EQ(IO, pipe_write(pipe, self->out_gpa, 10));
		close(tell[0]);
		close(tell[1]);
	}
}

/* Invalid positions: this pipe fails, and nothing else happens. */
TEST_F_TIMEOUT(ring, positions_that_cannot_be, TIMEOUT)
{
	static const uint32_t lies[] = { 1, RING + 1, 1u << 31, UINT32_MAX - RING };
	struct test_pipe *pipe = &self->pipe, other;
	struct ranchu_pipe host;
	uint64_t open;
	unsigned int i;

	pipe_connect(&self->dev, &other, 1, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	host_accept(&host, self->services, open, RING, RING);
	for (i = 0; i < 2 * ARRAY_SIZE(lies); i++) {
		struct vhost_goldfish_pipe_ring_control *control = self->host.control;
		uint32_t lie = lies[i / 2];

		/* A consumer that is ahead, a producer that is too far. */
		if (i & 1)
			control->to_host.consumer.position = lie;
		else
			control->to_guest.producer.position = lie == 1 ? RING + 2 : lie;
		if (i & 1) {
			EXPECT_EQ(IO, pipe_write(pipe, self->out_gpa, 10));
			EXPECT_EQ(AGAIN, pipe_read(pipe, self->in_gpa, 10));
		} else {
			EXPECT_EQ(IO, pipe_read(pipe, self->in_gpa, 10));
			EXPECT_EQ(10, pipe_write(pipe, self->out_gpa, 10));
		}
		EXPECT_EQ(i & 1 ? OUT : IN | OUT, pipe_command(pipe, POLL));
		/* The failure is permanent, even if the position is repaired. */
		control->to_host.consumer.position = 0;
		control->to_guest.producer.position = 0;
		EXPECT_EQ(IO, i & 1 ? pipe_write(pipe, self->out_gpa, 10) :
				      pipe_read(pipe, self->in_gpa, 10));
		EXPECT_EQ(1, pipe_write(&other, self->out_gpa, 1));
		pipe_close(pipe);
		ranchu_pipe_close(&self->host);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
		open = services_expect(self->services, "svc", NULL);
		host_accept(&self->host, self->services, open, RING, RING);
	}
	ranchu_pipe_close(&host);
}

struct scribbler {
	pthread_t thread;
	struct ranchu_pipe *host;
	volatile bool stop;
};

/* Writes to all of the control page, the module's part too, and kicks in a loop. */
static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	uint8_t *control = (uint8_t *)scribbler->host->control;
	unsigned int seed = 7;

	while (!scribbler->stop) {
		uint32_t *at = (uint32_t *)(control + rand_r(&seed) %
			sizeof(*scribbler->host->control) / 128 * 128);

		at[rand_r(&seed) % 3] = rand_r(&seed) % 3 ? rand_r(&seed) % (2 * RING) :
							    rand_r(&seed) * 2u;
		if (!(rand_r(&seed) % 16))
			ioctl(scribbler->host->fd, VHOST_GOLDFISH_PIPE_RING_KICK, 0);
	}
	return NULL;
}

#define SCRIBBLED_PIPES		100

TEST_F_TIMEOUT(ring, hostile_process, TIMEOUT)
{
	struct scribbler scribbler = { .host = &self->host };
	struct test_pipe *pipe = &self->pipe, other;
	struct pipe_random *random = &self->random;
	struct ranchu_pipe host;
	unsigned int i, turn;
	uint64_t open;
	int32_t n;

	pipe_connect(&self->dev, &other, 1, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	host_accept(&host, self->services, open, RING, RING);
	for (i = 0; i < SCRIBBLED_PIPES; i++) {
		scribbler.stop = false;
		pthread_create(&scribbler.thread, NULL, scribble, &scribbler);
		for (turn = 0; turn < 50; turn++) {
			n = pipe_write(pipe, self->out_gpa, 1 + pipe_random(random) % (2 * RING));
			EXPECT_TRUE((n > 0 && n <= (int32_t)RING) || n == AGAIN || n == IO);
			n = pipe_read(pipe, self->in_gpa, 1 + pipe_random(random) % (2 * RING));
			EXPECT_TRUE((n > 0 && n <= (int32_t)RING) || n == AGAIN || n == IO);
			pipe_command(pipe, POLL);
			pipe_command(pipe, WAKE_ON_READ);
			pipe_reg_read(&self->dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
		}
		scribbler.stop = true;
		pthread_join(scribbler.thread, NULL);
		EXPECT_EQ(1, pipe_write(&other, self->out_gpa, 1));
		pipe_close(pipe);
		ranchu_pipe_close(&self->host);
		ASSERT_EQ(0, __pipe_reopen(pipe));
		ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
		open = services_expect(self->services, "svc", NULL);
		host_accept(&self->host, self->services, open, RING, RING);
	}
	ranchu_pipe_close(&host);
}

static int answer(int services, uint64_t open, uint32_t to_host, uint32_t to_guest,
		  int wake_fd, uint32_t padding)
{
	struct vhost_goldfish_pipe_ring arg = { open, to_host, to_guest, wake_fd, padding };

	return __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER_RING, &arg);
}

TEST_F_TIMEOUT(ring, arguments, TIMEOUT)
{
	static const uint32_t sizes[] = {
		0, 1, 2048, 4097, 12288, VHOST_GOLDFISH_PIPE_RING_MAX * 2, 1u << 31, UINT32_MAX,
	};
	int services = self->services, wake = eventfd(0, EFD_CLOEXEC), fd;
	struct test_pipe pipe;
	unsigned int i;
	uint64_t open;

	pipe_connect(&self->dev, &pipe, 1, "pipe:svc");
	open = services_expect(services, "svc", NULL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EINVAL, answer(services, open, sizes[i], RING, wake, 0));
		EXPECT_EQ(-EINVAL, answer(services, open, RING, sizes[i], wake, 0));
	}
	EXPECT_EQ(-EINVAL, answer(services, open, RING, RING, wake, 1));
	EXPECT_EQ(-EBADF, answer(services, open, RING, RING, -1, 0));
	EXPECT_EQ(-EBADF, answer(services, open, RING, RING, 9999, 0));
	EXPECT_EQ(-EINVAL, answer(services, open, RING, RING, self->dev.fd, 0));
	EXPECT_EQ(-ENOENT, answer(services, open + 1, RING, RING, wake, 0));
	EXPECT_EQ(-EALREADY, answer(services, self->open, RING, RING, wake, 0));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER_RING, NULL));
	/* The pipe still waits. */
	EXPECT_EQ(AGAIN, pipe_write(&pipe, self->out_gpa, 1));
	fd = answer(services, open, VHOST_GOLDFISH_PIPE_RING_MAX, HOST_PAGE, wake, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(1, pipe_write(&pipe, self->out_gpa, 1));
	EXPECT_EQ(-EALREADY, answer(services, open, RING, RING, wake, 0));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(fd, VHOST_GOLDFISH_PIPE_ANSWER_RING, NULL));
	close(fd);
	close(wake);
	EXPECT_EQ(IO, pipe_write(&pipe, self->out_gpa, 1));
}

static int try_map(int fd, size_t size, int flags, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, size);
	return 0;
}

TEST_F_TIMEOUT(ring, mappings, TIMEOUT)
{
	const off_t control = VHOST_GOLDFISH_PIPE_RING_CONTROL;
	const off_t to_host = VHOST_GOLDFISH_PIPE_RING_TO_HOST;
	const off_t to_guest = VHOST_GOLDFISH_PIPE_RING_TO_GUEST;
	int fd = self->host.fd;
	uint8_t *at;

	EXPECT_EQ(0, try_map(fd, HOST_PAGE, MAP_SHARED, control));
	EXPECT_EQ(0, try_map(fd, RING, MAP_SHARED, to_host));
	EXPECT_EQ(0, try_map(fd, HOST_PAGE, MAP_SHARED, to_host + RING - HOST_PAGE));
	EXPECT_EQ(0, try_map(fd, RING, MAP_SHARED, to_guest));
	EXPECT_EQ(-EINVAL, try_map(fd, HOST_PAGE, MAP_PRIVATE, control));
	EXPECT_EQ(-EINVAL, try_map(fd, 2 * HOST_PAGE, MAP_SHARED, control));
	EXPECT_EQ(-EINVAL, try_map(fd, HOST_PAGE, MAP_SHARED, control + HOST_PAGE));
	EXPECT_EQ(-EINVAL, try_map(fd, RING + HOST_PAGE, MAP_SHARED, to_host));
	EXPECT_EQ(-EINVAL, try_map(fd, RING, MAP_SHARED, to_host + HOST_PAGE));
	EXPECT_EQ(-EINVAL, try_map(fd, HOST_PAGE, MAP_SHARED, to_host + RING));
	EXPECT_EQ(-EINVAL, try_map(fd, HOST_PAGE, MAP_SHARED, to_guest - HOST_PAGE));
	EXPECT_EQ(-EINVAL, try_map(fd, HOST_PAGE, MAP_SHARED, to_guest + RING));

	/* It does not grow, and it is the memory for as long as it is mapped. */
	at = mmap(NULL, HOST_PAGE, PROT_READ, MAP_SHARED, fd, to_host);
	ASSERT_NE(MAP_FAILED, (void *)at);
	EXPECT_EQ(MAP_FAILED, mremap(at, HOST_PAGE, 2 * HOST_PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(100, pipe_write(&self->pipe, self->out_gpa, 100));
	ranchu_pipe_close(&self->host);
	pipe_close(&self->pipe);
	EXPECT_EQ(0, memcmp(at, self->out, 100));
	munmap(at, HOST_PAGE);
}

/* A mapping alone keeps the process's end open. */
TEST_F_TIMEOUT(ring, mapping_counts, TIMEOUT)
{
	const void *from;

	close(self->host.fd);
	self->host.fd = -1;
	EXPECT_EQ(10, pipe_write(&self->pipe, self->out_gpa, 10));
	EXPECT_EQ(10, ranchu_pipe_peek(&self->host, &from));
	ranchu_pipe_close(&self->host);
	EXPECT_EQ(IO, pipe_write(&self->pipe, self->out_gpa, 10));
}

TEST_F_TIMEOUT(ring, buffers_that_fault, TIMEOUT)
{
	struct pipe_buf bufs[2] = {
		{ self->out_gpa, 100 },
		{ RANCHU_RAM_BASE + MEM_SIZE, 100 },
	};
	struct test_pipe *pipe = &self->pipe;
	const void *from;

	EXPECT_EQ(100, pipe_transfer(pipe, WRITE, bufs, 2));
	EXPECT_EQ(INVAL, pipe_transfer(pipe, WRITE, bufs + 1, 1));
	EXPECT_EQ(100, ranchu_pipe_peek(&self->host, &from));
	ranchu_pipe_consume(&self->host, 100);

	ASSERT_EQ(0, mprotect(self->in, HOST_PAGE, PROT_NONE));
	ranchu_pipe_write(&self->host, self->out, 100);
	EXPECT_EQ(INVAL, pipe_read(pipe, self->in_gpa, 100));
	EXPECT_EQ(INVAL, pipe_write(pipe, self->in_gpa, 100));
	EXPECT_EQ(0, ranchu_pipe_peek(&self->host, &from));
	ASSERT_EQ(0, mprotect(self->in, HOST_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(100, pipe_read(pipe, self->in_gpa, 100));
	EXPECT_EQ(0, memcmp(self->in, self->out, 100));
}

/* Bytes that a hammering moves; the ring of a page wraps and fills all the time. */
#define HAMMERED		(2u << 20)
#define PATTERN_MORE		6000u

struct echo {
	pthread_t thread;
	struct ranchu_pipe *host;
};

static void *echo_all(void *arg)
{
	struct echo *echo = arg;
	uint8_t bytes[3000];
	ssize_t n;

	while ((n = ranchu_pipe_read(echo->host, bytes, sizeof(bytes))) > 0 &&
	       ranchu_pipe_write(echo->host, bytes, n) == n)
		;
	return NULL;
}

/*
 * The guest writes until there is no room and reads until there is nothing,
 * sleeps, and is woken; so is the process. A lost wake is a test that does not
 * end.
 */
TEST_F_TIMEOUT(ring, no_wake_is_lost, TIMEOUT)
{
	struct echo echo = { .host = &self->host };
	struct test_pipe *pipe = &self->pipe;
	uint32_t written = 0, read = 0;
	uint64_t open;
	int32_t n;

	pipe_close(pipe);
	ranchu_pipe_close(&self->host);
	ASSERT_EQ(0, __pipe_reopen(pipe));
	ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
	open = services_expect(self->services, "svc", NULL);
	host_accept(&self->host, self->services, open, PIPE_PAGE, PIPE_PAGE);
	/* The bytes begin anew halfway; a command may run over that. */
	memcpy(self->out + LARGEST / 2, self->out, PATTERN_MORE);
	pthread_create(&echo.thread, NULL, echo_all, &echo);
	while (read < HAMMERED) {
		n = 1 + pipe_random(&self->random) % PATTERN_MORE;
		n = pipe_write(pipe, self->out_gpa + written % (LARGEST / 2), n);
		if (n > 0)
			written += n;
		n = pipe_read(pipe, self->in_gpa, 1 + pipe_random(&self->random) % PATTERN_MORE);
		if (n > 0) {
			ASSERT_EQ(0, memcmp(self->out + read % (LARGEST / 2), self->in, n));
			read += n;
		} else if (read < written) {
			services_sleep_on(pipe, WAKE_ON_READ);
		}
	}
	pipe_close(pipe);
	pthread_join(echo.thread, NULL);
}

/* An inactive process of one pipe does not delay other pipes. */
TEST_F_TIMEOUT(ring, stalled_beside_busy, TIMEOUT)
{
	struct ranchu_pipe host;
	struct test_pipe busy;
	struct echo echo = { .host = &host };
	unsigned int i;
	uint64_t open;

	pipe_connect(&self->dev, &busy, 1, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	host_accept(&host, self->services, open, RING, RING);
	pthread_create(&echo.thread, NULL, echo_all, &echo);
	while (pipe_write(&self->pipe, self->out_gpa, LARGEST) > 0)
		;
	EXPECT_EQ(0, pipe_command(&self->pipe, WAKE_ON_WRITE));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(64, pipe_write(&busy, self->out_gpa, 64));
		services_move_all(&busy, &self->random, READ, self->in_gpa, 64);
	}
	EXPECT_EQ(0, memcmp(self->in, self->out, 64));
	pipe_close(&busy);
	pthread_join(echo.thread, NULL);
	ranchu_pipe_close(&host);
}

TEST_HARNESS_MAIN
