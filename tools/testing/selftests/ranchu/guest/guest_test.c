// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pipe through the stock driver, as a program in the guest sees it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* More than 500 pipes, as the design promises. */
#define MANY			600u
#define THREADS			8
#define WAKES			300

static uint8_t *out;
static uint8_t *in;

static const size_t sizes[] = {
	1,	   2,	      63,	  64,	      4095,
	4096,	   4097,      65536,	  65537,      1 << 20,
	GUEST_RING, GUEST_RING + 1, GUEST_LARGEST - 1, GUEST_LARGEST,
};

static void pingpong_blocking(void)
{
	int fd = guest_connect("pipe:pingpong", 0);
	size_t i;

	CHECK(fd >= 0, "%d", fd);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* Buffers begin anywhere in a page. */
		size_t shift = sizes[i] == GUEST_LARGEST ? 0 : i * 7 % 1000;
		size_t size = sizes[i] - (shift && sizes[i] > GUEST_RING ?
						  1000 : 0);

		guest_fill(out, GUEST_LARGEST, i);
		guest_stream(fd, out + shift, in + shift / 2, size);
	}
	close(fd);
}

/* Moves what goes without blocking; false if it fails in any other way. */
static bool move(int fd, bool writing, uint8_t *bytes, size_t size,
		 size_t *done)
{
	ssize_t n = writing ? write(fd, bytes + *done, size - *done) :
			      read(fd, bytes + *done, size - *done);

	if (n > 0)
		*done += n;
	return n >= 0 || errno == EAGAIN;
}

static int poll_now(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

static void pingpong_nonblocking(void)
{
	int fd = guest_connect("pipe:pingpong", O_NONBLOCK);
	size_t i, written, got;
	uint8_t byte;

	CHECK(fd >= 0, "%d", fd);
	CHECK(read(fd, &byte, 1) < 0 && errno == EAGAIN, "errno %d", errno);
	CHECK(poll_now(fd) == POLLOUT, "%d", poll_now(fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		guest_fill(out, sizes[i], i + 100);
		memset(in, 0, sizes[i]);
		for (written = 0, got = 0; got < sizes[i];) {
			if (written < sizes[i])
				CHECK(move(fd, true, out, sizes[i], &written),
				      "errno %d", errno);
			CHECK(poll_now(fd) & POLLIN, "%d", poll_now(fd));
			CHECK(move(fd, false, in, sizes[i], &got), "errno %d",
			      errno);
		}
		CHECK(!memcmp(in, out, sizes[i]), "%zu bytes", sizes[i]);
	}
	/* Full: no room is announced, and none is there. */
	for (written = 0; written < GUEST_RING;)
		CHECK(move(fd, true, out, GUEST_LARGEST, &written), "errno %d",
		      errno);
	CHECK(written == GUEST_RING, "%zu", written);
	CHECK(poll_now(fd) == POLLIN, "%d", poll_now(fd));
	CHECK(write(fd, out, 1) < 0 && errno == EAGAIN, "errno %d", errno);
	close(fd);
}

static void zero_gives_zeroes(void)
{
	int fd = guest_connect("pipe:zero", 0);
	size_t i, k;

	CHECK(fd >= 0, "%d", fd);
	CHECK(poll_now(fd) == (POLLIN | POLLOUT), "%d", poll_now(fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(in, 0xa5, sizes[i]);
		CHECK(guest_read_all(fd, in, sizes[i]) == (ssize_t)sizes[i],
		      "%zu bytes", sizes[i]);
		for (k = 0; k < sizes[i] && !in[k]; k++)
			;
		CHECK(k == sizes[i], "byte %zu of %zu", k, sizes[i]);
		CHECK(guest_write_all(fd, out, sizes[i]) == (ssize_t)sizes[i],
		      "%zu bytes", sizes[i]);
	}
	close(fd);
}

static void throttle_blocking(void)
{
	const size_t throttled[] = { 1, 4096, 65537, 1 << 20 };
	int fd = guest_connect("pipe:throttle", 0);
	size_t i;

	CHECK(fd >= 0, "%d", fd);
	for (i = 0; i < ARRAY_SIZE(throttled); i++) {
		guest_fill(out, throttled[i], i + 200);
		guest_stream(fd, out, in, throttled[i]);
	}
	close(fd);
}

/* Longer than any wake takes; poll() that runs into it has lost one. */
#define POLL_MS			60000

static int poll_long(int fd, int events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, POLL_MS) == 1 ? pollfd.revents : 0;
}

/* Sleeps in poll(), never in read() or write(), while a direction rests. */
static void throttle_nonblocking(void)
{
	const size_t size = 1 << 20;
	int fd = guest_connect("pipe:throttle", O_NONBLOCK);
	size_t written = 0, got = 0;

	CHECK(fd >= 0, "%d", fd);
	guest_fill(out, size, 300);
	memset(in, 0, size);
	while (got < size) {
		int events = written < size ? POLLIN | POLLOUT : POLLIN;
		int revents = poll_long(fd, events);

		CHECK(revents, "asleep at %zu written, %zu read", written, got);
		if (revents & POLLOUT)
			CHECK(move(fd, true, out, size, &written), "errno %d",
			      errno);
		if (revents & POLLIN)
			CHECK(move(fd, false, in, size, &got), "errno %d",
			      errno);
	}
	CHECK(!memcmp(in, out, size), "wrong bytes");
	close(fd);
}

static void *late_writer(void *arg)
{
	usleep(2000);
	guest_write_all(*(int *)arg, out, 1);
	return NULL;
}

/* The driver's poll() requests no wake, but must be woken. */
static void poll_is_woken(void)
{
	int fd = guest_connect("pipe:pingpong", 0);
	pthread_t writer;
	unsigned int i;

	CHECK(fd >= 0, "%d", fd);
	for (i = 0; i < 100; i++) {
		CHECK(!pthread_create(&writer, NULL, late_writer, &fd),
		      "no thread");
		CHECK(poll_long(fd, POLLIN) & POLLIN, "round %u", i);
		pthread_join(writer, NULL);
		CHECK(read(fd, in, 10) == 1, "errno %d", errno);
	}
	close(fd);
}

/* A read of more than there is gives what there is. */
static void short_read(void)
{
	int fd = guest_connect("pipe:pingpong", 0);

	CHECK(fd >= 0, "%d", fd);
	CHECK(write(fd, "0123456789", 10) == 10, "errno %d", errno);
	CHECK(read(fd, in, 4) == 4, "errno %d", errno);
	CHECK(read(fd, in + 4, 1000) == 6, "errno %d", errno);
	CHECK(!memcmp(in, "0123456789", 10), "wrong bytes");
	close(fd);
}

struct echo {
	pthread_t thread;
	int from;
	int to;
	int rounds;
	bool failed;
};

static void *echo_thread(void *arg)
{
	struct echo *echo = arg;
	uint8_t byte;

	while (echo->rounds-- && !echo->failed)
		echo->failed = read(echo->from, &byte, 1) != 1 ||
			       write(echo->to, &byte, 1) != 1;
	return NULL;
}

/* Each round blocks twice; a wake that is lost ends it in a hang. */
static void blocked_reader_is_woken(void)
{
	struct echo echo = { .rounds = WAKES };
	uint8_t byte;
	int i;

	echo.from = guest_connect("pipe:pingpong", 0);
	echo.to = guest_connect("pipe:pingpong", 0);
	CHECK(echo.from >= 0 && echo.to >= 0, "%d %d", echo.from, echo.to);
	CHECK(!pthread_create(&echo.thread, NULL, echo_thread, &echo),
	      "no thread");
	for (i = 0; i < WAKES; i++) {
		byte = i;
		CHECK(write(echo.from, &byte, 1) == 1, "errno %d", errno);
		byte = ~i;
		CHECK(read(echo.to, &byte, 1) == 1, "errno %d", errno);
		CHECK(byte == (uint8_t)i, "round %d: %u", i, byte);
	}
	pthread_join(echo.thread, NULL);
	CHECK(!echo.failed, "the other thread failed");
	close(echo.from);
	close(echo.to);
}

struct worker {
	pthread_t thread;
	unsigned int number;
};

#define WORKER_SIZE		100000u

static void *worker_thread(void *arg)
{
	struct worker *worker = arg;
	uint8_t *from = out + worker->number * WORKER_SIZE;
	uint8_t *to = in + worker->number * WORKER_SIZE;
	int fd = guest_connect("pipe:pingpong", 0);
	int round;

	CHECK(fd >= 0, "%d", fd);
	for (round = 0; round < 10; round++) {
		guest_fill(from, WORKER_SIZE, worker->number * 100 + round);
		guest_stream(fd, from, to, WORKER_SIZE - round);
	}
	close(fd);
	return NULL;
}

static void threads_do_not_mix(void)
{
	struct worker workers[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		workers[i].number = i;
		CHECK(!pthread_create(&workers[i].thread, NULL, worker_thread,
				      &workers[i]), "no thread");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

static void unknown_services(void)
{
	const char * const names[] = {
		"pipe:no-such-service", "pipe:", "pipe:qemud:adb:5555", "zero",
		"",
	};
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		err = guest_connect(names[i], 0);
		CHECK(err == -EINVAL, "\"%s\": %d", names[i], err);
	}
}

/* pipe:zero and so many characters of arguments that @len is reached. */
static const char *long_name(size_t len)
{
	static char name[256];

	memset(name, 'a', len);
	memcpy(name, "pipe:zero:", 10);
	name[len] = 0;
	return name;
}

static void long_names(void)
{
	int fd = guest_connect(long_name(127), 0);

	CHECK(fd >= 0, "%d", fd);
	in[0] = 0xa5;
	CHECK(read(fd, in, 1) == 1 && !in[0], "errno %d", errno);
	close(fd);
	fd = guest_connect(long_name(128), 0);
	CHECK(fd == -EIO, "%d", fd);
	fd = guest_connect(long_name(200), 0);
	CHECK(fd == -EIO, "%d", fd);
}

/* The device stops at the NUL; the driver sends the rest by itself. */
static void data_behind_the_name(void)
{
	static const char text[] = "pipe:pingpong\0hello";
	int fd = open(GUEST_PIPE_DEV, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "errno %d", errno);
	CHECK(poll_now(fd) == POLLOUT, "%d", poll_now(fd));
	CHECK(read(fd, in, 1) < 0 && errno == EIO, "errno %d", errno);
	CHECK(write(fd, text, sizeof(text)) == sizeof(text), "errno %d",
	      errno);
	CHECK(read(fd, in, 100) == 6, "errno %d", errno);
	CHECK(!memcmp(in, "hello", 6), "wrong bytes");
	close(fd);
}

static void close_in_mid_stream(void)
{
	int round, fd;

	for (round = 0; round < 50; round++) {
		fd = guest_connect("pipe:pingpong", O_NONBLOCK);
		CHECK(fd >= 0, "%d", fd);
		CHECK(read(fd, in, 1) < 0 && errno == EAGAIN,
		      "bytes of an earlier pipe, errno %d", errno);
		CHECK(guest_write_all(fd, out, 100000) == 100000, "errno %d",
		      errno);
		CHECK(read(fd, in, 50000) == 50000, "errno %d", errno);
		close(fd);
	}
}

static void ignore_signal(int sig)
{
	(void)sig;
}

/* Set by the reader just before it blocks. */
static int reading;
static int read_errno;

static void *blocked_thread(void *arg)
{
	uint8_t byte;

	__atomic_store_n(&reading, 1, __ATOMIC_RELEASE);
	read_errno = read(*(int *)arg, &byte, 1) < 0 ? errno : 0;
	__atomic_store_n(&reading, 2, __ATOMIC_RELEASE);
	return NULL;
}

static void signal_ends_a_read(void)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	int fd = guest_connect("pipe:pingpong", 0);
	pthread_t thread;

	CHECK(fd >= 0, "%d", fd);
	CHECK(!sigaction(SIGUSR1, &action, NULL), "errno %d", errno);
	reading = 0;
	CHECK(!pthread_create(&thread, NULL, blocked_thread, &fd),
	      "no thread");
	while (!__atomic_load_n(&reading, __ATOMIC_ACQUIRE))
		;
	/* The first signals may come before it sleeps. */
	while (__atomic_load_n(&reading, __ATOMIC_ACQUIRE) != 2) {
		pthread_kill(thread, SIGUSR1);
		usleep(1000);
	}
	pthread_join(thread, NULL);
	CHECK(read_errno == EINTR, "%d", read_errno);
	/* The requested wake still comes, and does no harm. */
	CHECK(write(fd, "x", 1) == 1, "errno %d", errno);
	CHECK(read(fd, in, 1) == 1, "errno %d", errno);
	close(fd);
}

static void killed_reader(void)
{
	int round, status, fd;
	uint8_t byte;
	int ready[2];
	pid_t pid;

	for (round = 0; round < 20; round++) {
		CHECK(!pipe(ready), "errno %d", errno);
		pid = fork();
		if (!pid) {
			fd = guest_connect("pipe:pingpong", 0);
			if (fd < 0 || write(ready[1], "", 1) != 1)
				_exit(1);
			_exit(read(fd, &byte, 1) == 1);
		}
		CHECK(pid > 0, "errno %d", errno);
		CHECK(read(ready[0], &byte, 1) == 1, "errno %d", errno);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid, "errno %d", errno);
		CHECK(WIFSIGNALED(status), "status %d", status);
		close(ready[0]);
		close(ready[1]);
	}
}

static void many_pipes(void)
{
	unsigned int right = guest_many_pipes(MANY);

	CHECK(right == MANY, "%u of %u", right, MANY);
	/* Their numbers are free again. */
	right = guest_many_pipes(MANY);
	CHECK(right == MANY, "%u of %u the second time", right, MANY);
}

/* Marked cases move checked data through a service; the demo runs them, too. */
static const struct guest_case tests[] = {
	{ "zero_gives_zeroes", zero_gives_zeroes, true },
	{ "pingpong_blocking", pingpong_blocking, true },
	{ "pingpong_nonblocking", pingpong_nonblocking, true },
	{ "throttle_blocking", throttle_blocking, true },
	{ "throttle_nonblocking", throttle_nonblocking, true },
	{ "poll_is_woken", poll_is_woken, false },
	{ "short_read", short_read, false },
	{ "blocked_reader_is_woken", blocked_reader_is_woken, false },
	{ "threads_do_not_mix", threads_do_not_mix, false },
	{ "unknown_services", unknown_services, false },
	{ "long_names", long_names, false },
	{ "data_behind_the_name", data_behind_the_name, false },
	{ "close_in_mid_stream", close_in_mid_stream, false },
	{ "signal_ends_a_read", signal_ends_a_read, false },
	{ "killed_reader", killed_reader, false },
	{ "many_pipes", many_pipes, false },
};

int guest_test(bool data_only)
{
	out = guest_buffer(GUEST_LARGEST);
	in = guest_buffer(GUEST_LARGEST);
	return guest_run(tests, ARRAY_SIZE(tests), data_only);
}
