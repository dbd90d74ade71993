// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that send lines: clients, received lines, and text to send.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/lines.h"

#define CLIENT_BUSY	(VMM_LINES_OUT / 16)	/* bytes to send: more of them stop reading */
#define CLIENT_TURN	16			/* lines of a client in a row */
#define LISTENER_PAUSE_NS	250000000

/**
 * struct listener - a listening socket
 * @lines: the connections that it belongs to
 * @fd: listening socket, owned by the caller
 * @listening: it is in the loop
 */
struct listener {
	struct vmm_lines *lines;
	int fd;
	bool listening;
};

/**
 * struct vmm_lines - connections
 * @loop: the main thread's loop
 * @ops: callbacks
 * @arg: argument of @ops
 * @timer_fd: timer for trying again after accepting failed
 * @opened: clients so far
 * @listeners: how many
 * @listener: listening sockets
 * @client: connections, as many as @ops->clients
 */
struct vmm_lines {
	struct vmm_loop *loop;
	const struct vmm_lines_ops *ops;
	void *arg;
	int timer_fd;
	u64 opened;
	unsigned int listeners;
	struct listener listener[VMM_LINES_FDS];
	struct vmm_lines_client client[];
};

#define for_each_client(lines, c)	\
	for ((c) = (lines)->client; (c) < (lines)->client + (lines)->ops->clients; (c)++)

static void lines_listen(struct vmm_lines *lines);

/**
 * vmm_lines_drop_files - close the files that came with a line
 * @c: the client
 */
void vmm_lines_drop_files(struct vmm_lines_client *c)
{
	unsigned int i;

	for (i = 0; i < VMM_LINES_FILES; i++) {
		if (c->given[i])
			close(c->given[i]);
		c->given[i] = 0;
	}
}

static void client_close(struct vmm_lines_client *c)
{
	struct vmm_lines *lines = c->lines;
	unsigned int index = c->index;

	lines->ops->closed(lines->arg, c);
	if (c->events >= 0)
		vmm_loop_del(lines->loop, c->fd);
	close(c->fd);
	vmm_lines_drop_files(c);
	free(c->in);
	free(c->out);
	*c = (struct vmm_lines_client){ .lines = lines, .index = index, .fd = -1, .events = -1 };
	lines_listen(lines);
}

/**
 * vmm_lines_add - add text to send to a client
 * @c: the client
 * @text: bytes
 * @len: how many
 *
 * Return: false if there is no room, or no memory: then nothing was added
 */
bool vmm_lines_add(struct vmm_lines_client *c, const char *text, size_t len)
{
	size_t size = c->out_size ? c->out_size : 4096;
	char *out;

	if (len > VMM_LINES_OUT - c->out_len)
		return false;
	while (size < c->out_len + len)
		size *= 2;
	if (size != c->out_size) {
		out = realloc(c->out, size);
		if (!out)
			return false;
		c->out = out;
		c->out_size = size;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	return true;
}

/* Sends some bytes; a file is sent with the first byte of its answer. */
static ssize_t client_send_some(struct vmm_lines_client *c)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { c->out, c->out_len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (c->file && c->file_at) {
		iov.iov_len = c->file_at;
	} else if (c->file) {
		memcpy(CMSG_DATA(&control.header), &c->file, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0 && c->file && !c->file_at)
		c->file = 0;
	else if (n > 0 && c->file)
		c->file_at -= n;
	return n;
}

/* Sends as much as possible. Returns false if the connection has failed. */
static bool client_send(struct vmm_lines_client *c)
{
	ssize_t n;

	while (c->out_len) {
		n = client_send_some(c);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_len -= n;
		memmove(c->out, c->out + n, c->out_len);
	}
	free(c->out);
	c->out = NULL;
	c->out_size = 0;
	return true;
}

/* Removes the first line, or bytes to discard, from the buffer; false if there is neither. */
static bool client_take(struct vmm_lines_client *c)
{
	struct vmm_lines *lines = c->lines;
	char *newline = c->in_len ? memchr(c->in, '\n', c->in_len) : NULL;
	bool whole = newline || c->ended;
	size_t len = newline ? (size_t)(newline - c->in) : c->in_len;

	if (!c->in_len || (!whole && c->in_len < lines->ops->line_max))
		return false;
	if (!c->skipping && whole)
		lines->ops->line(lines->arg, c, c->in, len);
	else if (!c->skipping)
		lines->ops->too_long(lines->arg, c);
	c->skipping = !whole;
	if (newline)
		len++;
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	if (c->ending)
		c->in_len = 0;
	return true;
}

static bool client_may_take(const struct vmm_lines_client *c)
{
	return !c->busy && !c->ending && c->out_len < CLIENT_BUSY;
}

static bool client_has_line(const struct vmm_lines_client *c)
{
	return c->in_len && (c->ended || memchr(c->in, '\n', c->in_len));
}

/* Received files replace those that came before. */
static void client_take_files(struct vmm_lines_client *c, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t bytes;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	vmm_lines_drop_files(c);
	bytes = cmsg->cmsg_len - CMSG_LEN(0);
	if (bytes > sizeof(c->given))
		bytes = sizeof(c->given);
	memcpy(c->given, CMSG_DATA(cmsg), bytes);
}

/* If files are not accepted, the kernel closes them. */
static ssize_t client_receive_some(struct vmm_lines_client *c, size_t room)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(VMM_LINES_FILES * sizeof(int))];
	} control;
	struct iovec iov = { c->in + c->in_len, room };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	if (!c->lines->ops->files)
		return recv(c->fd, iov.iov_base, room, MSG_DONTWAIT);
	n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0)
		client_take_files(c, &msg);
	return n;
}

/* Receives bytes. Returns false if the connection has failed. */
static bool client_receive(struct vmm_lines_client *c)
{
	size_t max = c->lines->ops->line_max;
	ssize_t n;

	if (c->ended || c->in_len == max)
		return true;
	n = client_receive_some(c, max - c->in_len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += n;
	c->ended = !n;
	return true;
}

static int client_ready(void *arg);

/* Returns whether nothing more will be received or sent. */
static bool client_is_over(const struct vmm_lines_client *c)
{
	return !c->busy && !c->out_len && (c->ending || (c->ended && !c->in_len));
}

/*
 * Also waits for room to send when only a turn, or the connection, has ended: connections are
 * closed by the loop, and not by code that answers later.
 */
static bool client_watch(struct vmm_lines_client *c)
{
	bool taking = client_may_take(c);
	int events = 0;

	if (c->out_len || client_is_over(c) || (taking && client_has_line(c)))
		events |= POLLOUT;
	if (taking && !c->ended && c->in_len < c->lines->ops->line_max)
		events |= POLLIN;
	if (events == c->events)
		return true;
	if (c->events >= 0)
		vmm_loop_del(c->lines->loop, c->fd);
	c->events = -1;
	if (vmm_loop_watch(c->lines->loop, c->fd, events, client_ready, c))
		return false;
	c->events = events;
	return true;
}

/* Lines that a client sent before it hung up are still handled. */
static void client_serve(struct vmm_lines_client *c)
{
	unsigned int i;

	for (i = 0; i < CLIENT_TURN && client_may_take(c) && client_take(c); i++)
		;
	if (!client_send(c)) {
		client_close(c);
		return;
	}
	if (client_is_over(c) || !client_watch(c))
		client_close(c);
}

static int client_ready(void *arg)
{
	struct vmm_lines_client *c = arg;

	if (!(c->events & (POLLIN | POLLOUT))) {
		/* No event is expected: the client has hung up. */
		client_close(c);
		return 0;
	}
	if (c->events & POLLIN && !client_receive(c))
		client_close(c);
	else
		client_serve(c);
	return 0;
}

/**
 * vmm_lines_push - send what can be sent at once, and update the awaited events
 * @c: a client to which something was added, or that is no longer busy
 *
 * The loop closes a connection that has failed.
 */
void vmm_lines_push(struct vmm_lines_client *c)
{
	client_send(c);
	client_watch(c);
}

/**
 * vmm_lines_end - close a connection when everything is sent
 * @c: the client; its further input is discarded
 */
void vmm_lines_end(struct vmm_lines_client *c)
{
	c->ending = true;
}

static struct vmm_lines_client *client_unused(struct vmm_lines *lines)
{
	struct vmm_lines_client *c;

	for_each_client(lines, c) {
		if (c->fd < 0)
			return c;
	}
	return NULL;
}

static void client_open(struct vmm_lines_client *c, int fd)
{
	struct vmm_lines *lines = c->lines;

	c->fd = fd;
	c->number = ++lines->opened;
	c->in = malloc(lines->ops->line_max);
	if (!c->in || !lines->ops->opened(lines->arg, c))
		client_close(c);
	else
		client_serve(c);
}

/* Finds the oldest client that may be closed for a new one, so that no user holds all places. */
static struct vmm_lines_client *client_dispensable(struct vmm_lines *lines)
{
	struct vmm_lines_client *oldest = NULL;
	struct vmm_lines_client *c;

	for_each_client(lines, c) {
		if (lines->ops->may_go && c->fd >= 0 && lines->ops->may_go(lines->arg, c) &&
		    (!oldest || c->number < oldest->number))
			oldest = c;
	}
	return oldest;
}

/* If no client can be accepted now, stops listening, so that the loop does not spin. */
static int listener_readable(void *arg)
{
	static const struct itimerspec pause = { .it_value.tv_nsec = LISTENER_PAUSE_NS };
	struct listener *listener = arg;
	struct vmm_lines *lines = listener->lines;
	int fd = -1;

	/* Clients may have become ones that cannot be closed. */
	if (!client_unused(lines) && !client_dispensable(lines))
		errno = EAGAIN;
	else
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		if (!client_unused(lines))
			client_close(client_dispensable(lines));
		client_open(client_unused(lines), fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		timerfd_settime(lines->timer_fd, 0, &pause, NULL);
		vmm_loop_del(lines->loop, listener->fd);
		listener->listening = false;
		return 0;
	}
	lines_listen(lines);
	return 0;
}

static int lines_try_again(void *arg)
{
	struct vmm_lines *lines = arg;
	u64 expirations;

	if (read(lines->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		lines_listen(lines);
	return 0;
}

/* Created in advance: later there may be no descriptor left, and the sandbox allows none. */
static int lines_timer(struct vmm_lines *lines)
{
	lines->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (lines->timer_fd < 0)
		return vmm_error(errno, "listening socket");
	return vmm_loop_add(lines->loop, lines->timer_fd, lines_try_again, lines);
}

static void lines_listen(struct vmm_lines *lines)
{
	bool on = client_unused(lines) || client_dispensable(lines);
	struct listener *listener;

	for (listener = lines->listener; listener < lines->listener + lines->listeners;
	     listener++) {
		if (on == listener->listening)
			continue;
		if (!on)
			vmm_loop_del(lines->loop, listener->fd);
		listener->listening = on && !vmm_loop_add(lines->loop, listener->fd,
							  listener_readable, listener);
	}
}

/**
 * vmm_lines_open - serve listening sockets
 * @loop: the main thread's loop
 * @fds: listening, non-blocking files; owned by the caller
 * @count: how many, at most VMM_LINES_FDS
 * @ops: callbacks
 * @arg: argument of @ops
 *
 * Return: the connections, or NULL after a message
 */
struct vmm_lines *vmm_lines_open(struct vmm_loop *loop, const int *fds, unsigned int count,
				 const struct vmm_lines_ops *ops, void *arg)
{
	struct vmm_lines *lines = calloc(1, sizeof(*lines) + ops->clients *
					    sizeof(lines->client[0]));
	bool listening = true;
	unsigned int i;

	if (!lines) {
		vmm_error(ENOMEM, "listening socket");
		return NULL;
	}
	lines->loop = loop;
	lines->ops = ops;
	lines->arg = arg;
	lines->listeners = count;
	for (i = 0; i < count; i++)
		lines->listener[i] = (struct listener){ .lines = lines, .fd = fds[i] };
	for (i = 0; i < ops->clients; i++)
		lines->client[i] = (struct vmm_lines_client){
			.lines = lines, .index = i, .fd = -1, .events = -1,
		};
	if (!lines_timer(lines)) {
		lines_listen(lines);
		for (i = 0; i < count; i++)
			listening &= lines->listener[i].listening;
		if (listening)
			return lines;
	}
	vmm_lines_close(lines);
	return NULL;
}

/**
 * vmm_lines_flush - send what can be sent at once
 * @lines: may be NULL
 *
 * Used at the end: does not wait for clients that do not read.
 */
void vmm_lines_flush(struct vmm_lines *lines)
{
	struct vmm_lines_client *c;

	if (!lines)
		return;
	for_each_client(lines, c) {
		if (c->fd >= 0)
			client_send(c);
	}
}

/**
 * vmm_lines_close - close all connections
 * @lines: may be NULL
 */
void vmm_lines_close(struct vmm_lines *lines)
{
	struct vmm_lines_client *c;
	unsigned int i;

	if (!lines)
		return;
	vmm_lines_flush(lines);
	for_each_client(lines, c) {
		if (c->fd >= 0)
			client_close(c);
	}
	for (i = 0; i < lines->listeners; i++) {
		if (lines->listener[i].listening)
			vmm_loop_del(lines->loop, lines->listener[i].fd);
	}
	if (lines->timer_fd >= 0) {
		vmm_loop_del(lines->loop, lines->timer_fd);
		close(lines->timer_fd);
	}
	free(lines);
}

/**
 * vmm_lines_next - go through the clients
 * @lines: the connections
 * @c: the client before, NULL for the first
 *
 * Return: the next client that is connected, or NULL
 */
struct vmm_lines_client *vmm_lines_next(struct vmm_lines *lines, struct vmm_lines_client *c)
{
	for (c = c ? c + 1 : lines->client; c < lines->client + lines->ops->clients; c++) {
		if (c->fd >= 0)
			return c;
	}
	return NULL;
}
