// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * libranchu-pipe: see ranchu_pipe.h. The rules of the rings are in
 * linux/vhost_goldfish_pipe.h; the kernel's end is drivers/vhost/goldfish_pipe_ring.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ranchu_pipe.h"

/* A test can replace these to observe each access to the shared indices. */
#ifndef RANCHU_PIPE_LOAD
#define RANCHU_PIPE_LOAD(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define RANCHU_PIPE_STORE(p, val)	__atomic_store_n(p, val, __ATOMIC_RELEASE)
#define RANCHU_PIPE_BARRIER()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* ---- rings ---- */

/* Returns the bytes that can be moved; -EPIPE if the ring is at its end. */
static ssize_t ring_look(struct ranchu_pipe_ring *ring, bool produces)
{
	/* Read before the position: if it is set, the position is final. */
	bool closed = RANCHU_PIPE_LOAD(&ring->theirs->closed);
	__u32 theirs = RANCHU_PIPE_LOAD(&ring->theirs->position);

	if (produces)
		return closed ? -EPIPE : (ssize_t)(ring->size - (ring->position - theirs));
	if (closed && theirs == ring->position)
		return -EPIPE;
	return theirs - ring->position;
}

/* Publishes @n moved bytes. Returns true if the other end must be woken. */
static bool ring_move(struct ranchu_pipe_ring *ring, __u32 n)
{
	ring->position += n;
	RANCHU_PIPE_STORE(&ring->ours->position, ring->position);
	/* Store our position, then load its wake_at; pairs with pipe_ring_wait(). */
	RANCHU_PIPE_BARRIER();
	return ring->position - RANCHU_PIPE_LOAD(&ring->theirs->wake_at) - 1 < n;
}

/*
 * Returns 1 if more than @seen bytes can be moved; -EPIPE if they never will, -EMSGSIZE if the ring
 * has no room for them; else 0.
 */
static int ring_more(struct ranchu_pipe_ring *ring, bool produces, size_t seen)
{
	/* Read before the position: if it is set, the position is final. */
	bool closed = RANCHU_PIPE_LOAD(&ring->theirs->closed);
	ssize_t n = ring_look(ring, produces);

	if (n > (ssize_t)seen)
		return 1;
	if (closed || n < 0)
		return -EPIPE;
	return seen < ring->size ? 0 : -EMSGSIZE;
}

/* As ring_more(); if it returns 0, the other end will wake us. A producer's @seen is 0. */
static int ring_listen(struct ranchu_pipe_ring *ring, bool produces, size_t seen)
{
	int more = ring_more(ring, produces, seen);

	if (more)
		return more;
	RANCHU_PIPE_STORE(&ring->ours->wake_at,
			  produces ? ring->position - ring->size : ring->position + seen);
	/* Store our wake_at, then load its position; pairs with pipe_ring_move(). */
	RANCHU_PIPE_BARRIER();
	return ring_more(ring, produces, seen);
}

#ifndef RANCHU_PIPE_RINGS_ONLY

static __u8 *ring_at(const struct ranchu_pipe_ring *ring)
{
	return ring->bytes + (ring->position & (ring->size - 1));
}

ssize_t ranchu_pipe_peek(struct ranchu_pipe *pipe, const void **bytes)
{
	*bytes = ring_at(&pipe->in);
	return ring_look(&pipe->in, false);
}

ssize_t ranchu_pipe_room(struct ranchu_pipe *pipe, void **bytes)
{
	*bytes = ring_at(&pipe->out);
	return ring_look(&pipe->out, true);
}

static void pipe_kick(struct ranchu_pipe *pipe)
{
	/* EPIPE means that the guest has closed the pipe; the ring shows that later. */
	ioctl(pipe->fd, VHOST_GOLDFISH_PIPE_RING_KICK, 0);
}

void ranchu_pipe_consume(struct ranchu_pipe *pipe, size_t n)
{
	if (n && ring_move(&pipe->in, n))
		pipe_kick(pipe);
}

void ranchu_pipe_produce(struct ranchu_pipe *pipe, size_t n)
{
	if (n && ring_move(&pipe->out, n))
		pipe_kick(pipe);
}

int ranchu_pipe_listen(struct ranchu_pipe *pipe, int what)
{
	bool now = false;

	if (what & RANCHU_PIPE_READ)
		now |= ring_listen(&pipe->in, false, 0) != 0;
	if (what & RANCHU_PIPE_WRITE)
		now |= ring_listen(&pipe->out, true, 0) != 0;
	return now;
}

int ranchu_pipe_more(struct ranchu_pipe *pipe, size_t seen)
{
	return ring_listen(&pipe->in, false, seen);
}

/* Sleeps until the eventfd is signalled; may return early. */
static int pipe_sleep(struct ranchu_pipe *pipe)
{
	struct pollfd wake = { .fd = pipe->wake_fd, .events = POLLIN };
	eventfd_t count;

	if (!eventfd_read(pipe->wake_fd, &count) || errno == EINTR)
		return 0;
	/* The caller's eventfd may be non-blocking. */
	if (errno != EAGAIN)
		return -errno;
	poll(&wake, 1, -1);
	return 0;
}

int ranchu_pipe_wait(struct ranchu_pipe *pipe, int what)
{
	int err = 0;

	while (!err && !ranchu_pipe_listen(pipe, what))
		err = pipe_sleep(pipe);
	return err;
}

int ranchu_pipe_wait_more(struct ranchu_pipe *pipe, size_t seen)
{
	int more, err = 0;

	while (!err && !(more = ranchu_pipe_more(pipe, seen)))
		err = pipe_sleep(pipe);
	return err ? err : more < 0 ? more : 0;
}

ssize_t ranchu_pipe_read(struct ranchu_pipe *pipe, void *bytes, size_t n)
{
	const void *from;
	ssize_t got;

	while (!(got = ranchu_pipe_peek(pipe, &from))) {
		got = ranchu_pipe_wait(pipe, RANCHU_PIPE_READ);
		if (got)
			return got;
	}
	if (got < 0)
		return got == -EPIPE ? 0 : got;
	if ((size_t)got > n)
		got = n;
	memcpy(bytes, from, got);
	ranchu_pipe_consume(pipe, got);
	return got;
}

ssize_t ranchu_pipe_write(struct ranchu_pipe *pipe, const void *bytes, size_t n)
{
	size_t done = 0;
	ssize_t room;
	void *to;

	while (done < n) {
		room = ranchu_pipe_room(pipe, &to);
		if (!room)
			room = ranchu_pipe_wait(pipe, RANCHU_PIPE_WRITE);
		if (room < 0)
			return room;
		if ((size_t)room > n - done)
			room = n - done;
		memcpy(to, (const __u8 *)bytes + done, room);
		ranchu_pipe_produce(pipe, room);
		done += room;
	}
	return done;
}

/* ---- answering ---- */

static int map_control(struct ranchu_pipe *pipe)
{
	size_t size = sizeof(*pipe->control);

	pipe->control = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pipe->fd,
			     VHOST_GOLDFISH_PIPE_RING_CONTROL);
	if (pipe->control == MAP_FAILED) {
		pipe->control = NULL;
		return -errno;
	}
	return 0;
}

/* Maps the ring twice in a row, so that bytes that wrap round are contiguous. */
static int map_ring(struct ranchu_pipe_ring *ring, int fd, __u32 size, off_t offset)
{
	__u8 *at;
	int i;

	at = mmap(NULL, 2 * (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	ring->bytes = at;
	ring->size = size;
	for (i = 0; i < 2; i++, at += size)
		if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 offset) == MAP_FAILED)
			return -errno;
	return 0;
}

static int pipe_map(struct ranchu_pipe *pipe, __u32 in_size, __u32 out_size)
{
	int err;

	err = map_control(pipe);
	if (!err)
		err = map_ring(&pipe->in, pipe->fd, in_size,
			       VHOST_GOLDFISH_PIPE_RING_TO_HOST);
	if (!err)
		err = map_ring(&pipe->out, pipe->fd, out_size,
			       VHOST_GOLDFISH_PIPE_RING_TO_GUEST);
	if (err)
		return err;
	pipe->in.ours = &pipe->control->to_host.consumer;
	pipe->in.theirs = &pipe->control->to_host.producer;
	pipe->out.ours = &pipe->control->to_guest.producer;
	pipe->out.theirs = &pipe->control->to_guest.consumer;
	return 0;
}

/* Only whole pages can be mapped twice in a row. */
static __u32 whole_page(__u32 size)
{
	__u32 page = sysconf(_SC_PAGESIZE);

	return size >= VHOST_GOLDFISH_PIPE_RING_MIN && size < page ? page : size;
}

int ranchu_pipe_accept(struct ranchu_pipe *pipe, int services, __u64 open,
		       __u32 in_size, __u32 out_size, int wake_fd)
{
	struct vhost_goldfish_pipe_ring answer = {
		.open = open,
		.to_host_size = whole_page(in_size),
		.to_guest_size = whole_page(out_size),
	};
	int err;

	memset(pipe, 0, sizeof(*pipe));
	pipe->fd = -1;
	pipe->own_wake_fd = wake_fd < 0;
	pipe->wake_fd = wake_fd < 0 ? eventfd(0, EFD_CLOEXEC) : wake_fd;
	answer.wake_fd = pipe->wake_fd;
	if (pipe->wake_fd >= 0)
		pipe->fd = ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER_RING, &answer);
	err = pipe->fd < 0 ? -errno : pipe_map(pipe, answer.to_host_size, answer.to_guest_size);
	if (err)
		ranchu_pipe_close(pipe);
	return err;
}

int ranchu_pipe_refuse(int services, __u64 open)
{
	struct vhost_goldfish_pipe_answer answer = { .open = open, .fd = -1 };

	return ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER, &answer) ? -errno : 0;
}

void ranchu_pipe_close(struct ranchu_pipe *pipe)
{
	/* When the last mapping is gone, the kernel tells the guest. */
	if (pipe->control)
		munmap(pipe->control, sizeof(*pipe->control));
	if (pipe->in.bytes)
		munmap(pipe->in.bytes, 2 * (size_t)pipe->in.size);
	if (pipe->out.bytes)
		munmap(pipe->out.bytes, 2 * (size_t)pipe->out.size);
	if (pipe->fd >= 0)
		close(pipe->fd);
	if (pipe->own_wake_fd && pipe->wake_fd >= 0)
		close(pipe->wake_fd);
	memset(pipe, 0, sizeof(*pipe));
	pipe->fd = -1;
	pipe->wake_fd = -1;
}

/* ---- services ---- */

/* Receives a file descriptor, which comes with one byte. */
static int receive_file(int sock)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
	int fd;

	if (n < 0)
		return -errno;
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

int ranchu_services_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		ret = -errno;
	else
		ret = receive_file(sock);
	close(sock);
	return ret;
}

int ranchu_services_add(int services, const char *name)
{
	struct vhost_goldfish_pipe_service service = { 0 };

	if (strlen(name) >= sizeof(service.name))
		return -EINVAL;
	memcpy(service.name, name, strlen(name));
	return ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service) ? -errno : 0;
}

int ranchu_services_next(int services, struct vhost_goldfish_pipe_event *event)
{
	ssize_t n;

	do {
		n = read(services, event, sizeof(*event));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == sizeof(*event);
}

#endif /* RANCHU_PIPE_RINGS_ONLY */
