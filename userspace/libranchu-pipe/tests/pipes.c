// SPDX-License-Identifier: GPL-2.0-only
/*
 * See pipes.h.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipes.h"
#include "ranchu_pipe.h"
#include "tests/tap.h"

#define OPENS	512
#define PIECE	2048	/* bytes that a socket with room takes */

static struct {
	int kernel;		/* the kernel's end of the file of services */
	int program;
	unsigned int opens;
	int answer[OPENS];	/* the guest's end; -1: none yet, PIPES_REFUSED */
	int wake;
	bool fail;
	bool stop;
	pthread_t waker;
} pipes;

/* ---- libranchu-pipe ---- */

int ranchu_services_next(int services, struct vhost_goldfish_pipe_event *event)
{
	ssize_t n = recv(services, event, sizeof(*event), MSG_DONTWAIT);

	return n < 0 ? -errno : n == sizeof(*event);
}

int ranchu_pipe_accept(struct ranchu_pipe *pipe, int services, __u64 open, __u32 in_size,
		       __u32 out_size, int wake_fd)
{
	int pair[2];

	(void)services;
	memset(pipe, 0, sizeof(*pipe));
	tap_check(in_size && out_size);
	if (__atomic_exchange_n(&pipes.fail, false, __ATOMIC_ACQ_REL))
		return -EMFILE;
	tap_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pipe->fd = pair[0];
	pipe->in.size = in_size;
	pipe->in.bytes = malloc(in_size);
	pipe->out.bytes = malloc(PIECE);
	__atomic_store_n(&pipes.wake, wake_fd, __ATOMIC_RELEASE);
	__atomic_store_n(&pipes.answer[open], pair[1], __ATOMIC_RELEASE);
	return 0;
}

int ranchu_pipe_refuse(int services, __u64 open)
{
	(void)services;
	__atomic_store_n(&pipes.answer[open], PIPES_REFUSED, __ATOMIC_RELEASE);
	return 0;
}

void ranchu_pipe_close(struct ranchu_pipe *pipe)
{
	close(pipe->fd);
	free(pipe->in.bytes);
	free(pipe->out.bytes);
}

ssize_t ranchu_pipe_peek(struct ranchu_pipe *pipe, const void **bytes)
{
	ssize_t n = recv(pipe->fd, pipe->in.bytes, pipe->in.size, MSG_PEEK | MSG_DONTWAIT);

	*bytes = pipe->in.bytes;
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	return n ? n : -EPIPE;
}

void ranchu_pipe_consume(struct ranchu_pipe *pipe, size_t n)
{
	tap_check(!n || recv(pipe->fd, pipe->in.bytes, n, MSG_DONTWAIT) == (ssize_t)n);
}

ssize_t ranchu_pipe_room(struct ranchu_pipe *pipe, void **bytes)
{
	struct pollfd file = { .fd = pipe->fd, .events = POLLOUT };

	*bytes = pipe->out.bytes;
	poll(&file, 1, 0);
	if (file.revents & POLLHUP)
		return -EPIPE;
	return file.revents & POLLOUT ? PIECE : 0;
}

void ranchu_pipe_produce(struct ranchu_pipe *pipe, size_t n)
{
	tap_check(!n || send(pipe->fd, pipe->out.bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		  (ssize_t)n || errno == EPIPE);
}

int ranchu_pipe_listen(struct ranchu_pipe *pipe, int what)
{
	const void *in;
	void *out;

	return (what & RANCHU_PIPE_READ && ranchu_pipe_peek(pipe, &in)) ||
	       (what & RANCHU_PIPE_WRITE && ranchu_pipe_room(pipe, &out));
}

int ranchu_pipe_more(struct ranchu_pipe *pipe, size_t seen)
{
	struct pollfd file = { .fd = pipe->fd, .events = POLLRDHUP };
	const void *in;
	ssize_t n;

	/* Check for the end first: bytes that are read afterwards are then the last ones. */
	poll(&file, 1, 0);
	n = ranchu_pipe_peek(pipe, &in);
	if (n > (ssize_t)seen)
		return 1;
	return n < 0 || file.revents & (POLLHUP | POLLRDHUP) ? -EPIPE : 0;
}

/* ---- the kernel ---- */

void pipes_wake(void)
{
	int wake = __atomic_load_n(&pipes.wake, __ATOMIC_ACQUIRE);

	if (wake > 0)
		eventfd_write(wake, 1);
}

static void *run_waker(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&pipes.stop, __ATOMIC_ACQUIRE)) {
		pipes_wake();
		usleep(1000);
	}
	return NULL;
}

int pipes_begin(void)
{
	int pair[2];
	unsigned int i;

	memset(&pipes, 0, sizeof(pipes));
	for (i = 0; i < OPENS; i++)
		pipes.answer[i] = -1;
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	pipes.kernel = pair[0];
	pipes.program = pair[1];
	tap_check(!pthread_create(&pipes.waker, NULL, run_waker, NULL));
	return pipes.program;
}

void pipes_end(void)
{
	unsigned int i;

	__atomic_store_n(&pipes.stop, true, __ATOMIC_RELEASE);
	pthread_join(pipes.waker, NULL);
	for (i = 0; i < pipes.opens; i++) {
		if (pipes.answer[i] >= 0)
			close(pipes.answer[i]);
	}
	close(pipes.program);
	close(pipes.kernel);
}

void pipes_gone(void)
{
	shutdown(pipes.kernel, SHUT_RDWR);
}

void pipes_fail(void)
{
	__atomic_store_n(&pipes.fail, true, __ATOMIC_RELEASE);
}

/* ---- the guest ---- */

int pipes_open(const char *name, const char *args)
{
	struct vhost_goldfish_pipe_event event = {
		.type = VHOST_GOLDFISH_PIPE_EVENT_OPEN, .open = pipes.opens,
		.flags = args ? VHOST_GOLDFISH_PIPE_EVENT_ARGS : 0,
	};
	unsigned int ms = 0;
	int answer;

	if (!tap_check(pipes.opens < OPENS))
		return PIPES_REFUSED;
	snprintf(event.name, sizeof(event.name), "%s", name);
	snprintf(event.args, sizeof(event.args), "%s", args ? args : "");
	tap_check(send(pipes.kernel, &event, sizeof(event), MSG_NOSIGNAL) == sizeof(event));
	do {
		answer = __atomic_load_n(&pipes.answer[pipes.opens], __ATOMIC_ACQUIRE);
		usleep(1000);
	} while (answer == -1 && ++ms < PIPES_PATIENCE_MS);
	pipes.opens++;
	return answer;
}

void pipes_close(int fd)
{
	unsigned int i;

	for (i = 0; i < pipes.opens; i++) {
		if (pipes.answer[i] == fd)
			pipes.answer[i] = -1;
	}
	close(fd);
}

bool pipes_wait(int fd)
{
	struct pollfd file = { .fd = fd, .events = POLLIN };

	return poll(&file, 1, PIPES_PATIENCE_MS) == 1;
}

bool pipes_reads(int fd, const void *want, size_t n)
{
	char have[256];
	size_t len = 0;
	ssize_t part;

	while (len < n && pipes_wait(fd) && (part = recv(fd, have + len, n - len, 0)) > 0)
		len += part;
	return len == n && !memcmp(have, want, n);
}

bool pipes_ended(int fd)
{
	char byte;

	return pipes_wait(fd) && recv(fd, &byte, 1, 0) <= 0;
}

void pipes_write(int fd, const void *bytes, size_t n)
{
	tap_check(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
}
