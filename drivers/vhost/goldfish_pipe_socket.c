// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe whose other end is a socket: bytes go straight between guest pages and
 * the socket, in the vCPU's thread, never blocking. As long as somebody else holds
 * the socket the pipe takes and gives nothing, as before the answer.
 *
 * No wake is lost. The guest waits by pipe_arm(): it notes, under signal_lock,
 * what is waited for, and then asks socket_poll(). The socket changes first,
 * and then calls socket_ready() from its wait queue, where we always are; that
 * looks, under signal_lock, at what is waited for. Of the two critical sections
 * one comes first. If it is the guest's, the socket finds the request. If it is
 * the socket's, its change is visible to whoever takes the lock after it, and
 * the guest's question, which it puts after taking the lock, finds the socket
 * ready. TCP wakes writers only if asked to; asking whether there is room, as
 * socket_poll() does, asks for that, too.
 *
 * As in the reference's net services the end of the stream is an error, IO, and
 * not 0, and no hang-up: what was sent before it can still be read.
 * Source: android_pipe_unix.cpp (0c0aabcf)
 */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/socket.h>

#include "goldfish_pipe_remote.h"

static u32 socket_poll_bits(__poll_t events)
{
	u32 bits = 0;

	/* Whoever waits for bytes or room that will never come must learn it. */
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_OUT;
	if (events & (EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_HUP;
	return bits;
}

/* Any context, interrupts off. */
static void socket_ready(struct ranchu_sock *sock, __poll_t events)
{
	struct pipe_remote *remote = container_of(sock, struct pipe_remote, end.sock);

	/* Nobody else holds it any more: see what there is. */
	if (!events)
		events = ranchu_sock_look(sock);
	pipe_ready(remote->pipe, socket_poll_bits(events));
}

static void socket_prepare(struct pipe_remote *remote)
{
	ranchu_sock_prepare(&remote->end.sock, socket_ready);
}

static u32 socket_start(struct pipe_remote *remote)
{
	return socket_poll_bits(ranchu_sock_watch(&remote->end.sock));
}

static u32 socket_poll(struct pipe_remote *remote)
{
	return socket_poll_bits(ranchu_sock_poll(&remote->end.sock));
}

/* What a socket answers, as a service answers it. */
static ssize_t socket_result(ssize_t done)
{
	switch (done) {
	case -EAGAIN:
	case -EINTR:
	case -ERESTARTSYS:
		return -EAGAIN;
	case -ENOMEM:
	case -ENOBUFS:
		return -ENOMEM;
	case -EFAULT:
		return -EFAULT;
	default:
		return done > 0 ? done : -EIO;
	}
}

static ssize_t socket_write(struct pipe_remote *remote, struct iov_iter *from)
{
	return socket_result(ranchu_sock_send(&remote->end.sock, from, 0));
}

static ssize_t socket_read(struct pipe_remote *remote, struct iov_iter *to)
{
	return socket_result(ranchu_sock_recv(&remote->end.sock, to));
}

static void socket_hang_up(struct pipe_remote *remote)
{
	ranchu_sock_hang_up(&remote->end.sock);
}

static void socket_put(struct pipe_remote *remote)
{
	ranchu_sock_put(&remote->end.sock);
}

static const struct pipe_backend pipe_socket = {
	.write = socket_write,
	.read = socket_read,
	.poll = socket_poll,
	.prepare = socket_prepare,
	.start = socket_start,
	.hang_up = socket_hang_up,
	.put = socket_put,
};

/**
 * pipe_socket_answer() - serve ANSWER
 * @registrar: serves the pipe
 * @open: of the event
 * @fd: of the calling process
 *
 * Context: may sleep.
 * Return: as pipe_remote_connect(), or what ranchu_sock_get() says of @fd.
 */
int pipe_socket_answer(struct pipe_registrar *registrar, u64 open, int fd)
{
	union pipe_end end = {};
	int err;

	err = ranchu_sock_get(&end.sock, registrar->registry->closer, fd);
	if (err)
		return err;
	err = pipe_remote_connect(registrar, open, &pipe_socket, &end);
	if (err)
		ranchu_sock_unget(&end.sock);
	return err;
}
