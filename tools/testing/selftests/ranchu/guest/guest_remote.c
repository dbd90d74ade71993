// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services that are processes of the host, through the stock driver. The host
 * has pipe_peer's "echo" and "bye" under those names, "echo" as
 * "unix:/tmp/echo", too, and a name, "gone", that nobody answers. Behind shared
 * rings it has "ring" (echo), and libranchu-pipe's example, "upper". "stall" and
 * "ring-stall" take what they have room for, and no more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define MANY			600u
#define ROUNDS			200

static uint8_t *out;
static uint8_t *in;

/* The echo service; the same tests run with a socket and with rings. */
static const char *echo = "pipe:echo";

static bool echo_is_ring(void)
{
	return !strcmp(echo, "pipe:ring");
}

static int connect_or_fail(const char *service, int flags)
{
	int fd = guest_connect(service, flags);

	CHECK(fd >= 0, "%s: %d", service, fd);
	return fd;
}

static void echo_blocking(void)
{
	static const size_t sizes[] = {
		1, 2, 64, 4095, 4096, 4097, 65537, 1 << 20, 4 << 20,
	};
	int fd = connect_or_fail(echo, 0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		guest_fill(out, sizes[i], i);
		guest_stream(fd, out, in, sizes[i]);
	}
	close(fd);
}

/* Woken by poll(), never blocked in a transfer. */
static void echo_nonblocking(void)
{
	const size_t size = 2 << 20;
	struct pollfd pollfd = { .events = POLLIN | POLLOUT };
	size_t written = 0, got = 0;
	ssize_t n;

	pollfd.fd = connect_or_fail(echo, O_NONBLOCK);
	guest_fill(out, size, 7);
	while (got < size) {
		CHECK(poll(&pollfd, 1, 60000) == 1, "%zu, %zu", written, got);
		if (pollfd.revents & POLLIN) {
			n = read(pollfd.fd, in + got, size - got);
			CHECK(n > 0 || errno == EAGAIN, "read: %zd, %d", n, errno);
			got += n > 0 ? n : 0;
		}
		if (pollfd.revents & POLLOUT && written < size) {
			n = write(pollfd.fd, out + written, size - written);
			CHECK(n > 0 || errno == EAGAIN, "write: %zd, %d", n, errno);
			written += n > 0 ? n : 0;
		}
		pollfd.events = POLLIN | (written < size ? POLLOUT : 0);
	}
	CHECK(!memcmp(in, out, size), "wrong bytes");
	close(pollfd.fd);
}

/* A command and the answer, which was not there when it was asked for. */
static void round_trips(int fd, size_t size, unsigned int rounds)
{
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		guest_fill(out, size, i);
		CHECK(guest_write_all(fd, out, size) == (ssize_t)size, "errno %d", errno);
		CHECK(guest_read_all(fd, in, size) == (ssize_t)size, "errno %d", errno);
		CHECK(!memcmp(in, out, size), "round %u", i);
	}
}

static void blocked_reads(void)
{
	int fd = connect_or_fail(echo, 0);

	round_trips(fd, 64, ROUNDS);
	round_trips(fd, 4096, ROUNDS);
	close(fd);
}

struct worker {
	pthread_t thread;
	unsigned int number;
};

static void *worker_thread(void *arg)
{
	struct worker *worker = arg;
	uint8_t sent[1000], got[1000];
	int fd = connect_or_fail(echo, 0);
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		guest_fill(sent, sizeof(sent), i * 8 + worker->number);
		CHECK(guest_write_all(fd, sent, sizeof(sent)) == sizeof(sent),
		      "errno %d", errno);
		CHECK(guest_read_all(fd, got, sizeof(got)) == sizeof(got),
		      "errno %d", errno);
		CHECK(!memcmp(sent, got, sizeof(sent)), "round %u", i);
	}
	close(fd);
	return NULL;
}

static void threads_do_not_mix(void)
{
	struct worker workers[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].number = i;
		CHECK(!pthread_create(&workers[i].thread, NULL, worker_thread, &workers[i]),
		      "no thread");
	}
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		pthread_join(workers[i].thread, NULL);
}

/*
 * The name is registered, so the open succeeds. There is no service, so the pipe is
 * closed again, and no byte counts as written.
 */
static void refused(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < 20; i++) {
		fd = connect_or_fail("pipe:gone", 0);
		CHECK(guest_write_all(fd, out, 10) == -EIO, "errno %d", errno);
		CHECK(guest_read_all(fd, in, 10) == -EIO, "errno %d", errno);
		close(fd);
		fd = connect_or_fail("pipe:gone", 0);
		CHECK(guest_read_all(fd, in, 10) == -EIO, "errno %d", errno);
		close(fd);
	}
}

/* What was sent before the end can be read, then the end is an error. */
static void other_end_closes(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < 50; i++) {
		fd = connect_or_fail("pipe:bye", 0);
		CHECK(guest_read_all(fd, in, 3) == 3, "errno %d", errno);
		CHECK(!memcmp(in, "bye", 3), "round %u", i);
		CHECK(guest_read_all(fd, in, 10) == -EIO, "errno %d", errno);
		CHECK(guest_write_all(fd, out, 10) == -EIO, "errno %d", errno);
		close(fd);
	}
}

/* Names match an entry of the list exactly, as in the reference. */
static void paths(void)
{
	static const char *const others[] = {
		"pipe:unix:/tmp/ech", "pipe:unix:/tmp/echoo", "pipe:unix:/tmp/bye",
		"pipe:unix:", "pipe:unix", "pipe:unix:/tmp/echo:",
	};
	int fd = connect_or_fail("pipe:unix:/tmp/echo", 0);
	unsigned int i;

	round_trips(fd, 10, 1);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		fd = guest_connect(others[i], 0);
		CHECK(fd == -EINVAL, "%s: %d", others[i], fd);
	}
}

static void many_pipes(void)
{
	int *fds = calloc(MANY, sizeof(*fds));
	unsigned int i;

	guest_raise_file_limit(MANY + 64);
	for (i = 0; i < MANY; i++)
		fds[i] = connect_or_fail(echo, 0);
	for (i = 0; i < MANY; i++)
		round_trips(fds[i * 7 % MANY], 1 + i % 100, 2);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	free(fds);
}

/*
 * Steady state between two lines at which the controller counts exits: blocked
 * and unblocked reads, full and empty sockets, wakes.
 */
static void steady_state(void)
{
	int fd = connect_or_fail(echo, 0);

	round_trips(fd, 64, 10);
	guest_stream(fd, out, in, 1 << 20);
	/* On the wire before anything is counted. */
	puts(echo_is_ring() ? "RANCHU-MARK begin ring" : "RANCHU-MARK begin remote");
	round_trips(fd, 64, ROUNDS);
	round_trips(fd, 4096, ROUNDS);
	guest_stream(fd, out, in, 4 << 20);
	puts(echo_is_ring() ? "RANCHU-MARK end ring" : "RANCHU-MARK end remote");
	close(fd);
}

static void *stuck_thread(void *arg)
{
	int *fd = arg;

	/* Ends with the process. */
	guest_write_all(*fd, in, GUEST_LARGEST);
	CHECK(false, "a service that takes nothing has taken all");
	return NULL;
}

/* A pipe whose service does nothing does not delay other pipes. */
static void stalled_beside_busy(void)
{
	static int stuck[4];
	pthread_t thread;
	unsigned int i;
	int fd = connect_or_fail(echo, 0);

	for (i = 0; i < ARRAY_SIZE(stuck); i++) {
		stuck[i] = connect_or_fail(echo_is_ring() ? "pipe:ring-stall" : "pipe:stall", 0);
		CHECK(!pthread_create(&thread, NULL, stuck_thread, &stuck[i]), "no thread");
	}
	/* Until they are. */
	sleep(1);
	round_trips(fd, 64, ROUNDS);
	round_trips(fd, 4096, ROUNDS);
	close(fd);
}

/* The example that authors of services start from. */
static void example(void)
{
	int fd = connect_or_fail("pipe:upper", 0);
	static const char text[] = "capitals, please: aez09";

	CHECK(guest_write_all(fd, text, sizeof(text)) == sizeof(text), "errno %d", errno);
	CHECK(guest_read_all(fd, in, sizeof(text)) == sizeof(text), "errno %d", errno);
	CHECK(!strcmp((char *)in, "CAPITALS, PLEASE: AEZ09"), "%s", in);
	close(fd);
}

static const struct guest_case ring_tests[] = {
	{ "ring_echo_blocking", echo_blocking, true },
	{ "ring_echo_nonblocking", echo_nonblocking, true },
	{ "ring_blocked_reads", blocked_reads, true },
	{ "ring_threads_do_not_mix", threads_do_not_mix, true },
	{ "ring_stalled_beside_busy", stalled_beside_busy, true },
	{ "ring_example", example, true },
	{ "ring_steady_state", steady_state, true },
};

int guest_ring(void)
{
	out = guest_buffer(GUEST_LARGEST);
	in = guest_buffer(GUEST_LARGEST);
	echo = "pipe:ring";
	return guest_run(ring_tests, ARRAY_SIZE(ring_tests), false);
}

static const struct guest_case tests[] = {
	{ "remote_echo_blocking", echo_blocking, true },
	{ "remote_echo_nonblocking", echo_nonblocking, true },
	{ "remote_blocked_reads", blocked_reads, true },
	{ "remote_threads_do_not_mix", threads_do_not_mix, true },
	{ "remote_stalled_beside_busy", stalled_beside_busy, true },
	{ "remote_refused", refused, true },
	{ "remote_other_end_closes", other_end_closes, true },
	{ "remote_paths", paths, true },
	{ "remote_many_pipes", many_pipes, true },
	{ "remote_steady_state", steady_state, true },
};

int guest_remote(void)
{
	out = guest_buffer(GUEST_LARGEST);
	in = guest_buffer(GUEST_LARGEST);
	return guest_run(tests, ARRAY_SIZE(tests), false);
}
