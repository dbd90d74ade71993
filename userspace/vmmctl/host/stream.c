// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection to a Unix socket of another program. If the other end hangs up, the connection is
 * retried a few times a second, with the same descriptor, so the writing thread does not notice.
 *
 * Writing waits for a slow reader. If the reader has read nothing for half a second, bytes that
 * do not fit are dropped until it has caught up, because a guest's kernel may be waiting with
 * interrupts off.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/stream.h"
#include "host/unix.h"

#define STREAM_RETRY_MS	250
#define STREAM_STALL_MS	500

static int stream_dial(const struct vmm_stream *stream)
{
	return stream->packets ? vmm_unix_dial_packets(stream->path) :
				 vmm_unix_dial(stream->path);
}

static int stream_open(struct vmm_stream *stream)
{
	stream->fd = stream_dial(stream);
	return stream->fd < 0 ? stream->fd : 0;
}

/**
 * vmm_stream_open - connect
 * @stream: filled
 * @path: path of the socket; owned by the caller
 *
 * Return: 0, or -errno without a message
 */
int vmm_stream_open(struct vmm_stream *stream, const char *path)
{
	*stream = (struct vmm_stream){ .path = path };
	return stream_open(stream);
}

/**
 * vmm_stream_open_packets - connect to a socket of packets
 * @stream: filled; the caller sends and receives itself
 * @path: path of the socket; owned by the caller
 *
 * Return: 0, or -errno without a message
 */
int vmm_stream_open_packets(struct vmm_stream *stream, const char *path)
{
	*stream = (struct vmm_stream){ .path = path, .packets = true };
	return stream_open(stream);
}

/**
 * vmm_stream_close - close a connection
 * @stream: may have no connection
 */
void vmm_stream_close(struct vmm_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

/**
 * vmm_stream_timeout - return the timeout for poll()
 * @stream: the connection
 *
 * Return: milliseconds until vmm_stream_retry() must be called, -1 for ever
 */
int vmm_stream_timeout(const struct vmm_stream *stream)
{
	return stream->lost ? STREAM_RETRY_MS : -1;
}

/**
 * vmm_stream_poll_fd - return the file for poll()
 * @stream: the connection
 *
 * Return: the file, -1 if there is nothing to wait for
 */
int vmm_stream_poll_fd(const struct vmm_stream *stream)
{
	return stream->lost ? -1 : stream->fd;
}

/**
 * vmm_stream_retry - connect again, if the connection was lost
 * @stream: the connection
 */
void vmm_stream_retry(struct vmm_stream *stream)
{
	int fd;

	if (!stream->lost)
		return;
	fd = stream_dial(stream);
	if (fd < 0)
		return;
	stream->lost = dup3(fd, stream->fd, O_CLOEXEC) < 0;
	close(fd);
}

/**
 * vmm_stream_lose - call when the other end has hung up
 * @stream: the connection
 */
void vmm_stream_lose(struct vmm_stream *stream)
{
	shutdown(stream->fd, SHUT_RDWR);
	stream->lost = true;
	stream->have = 0;
}

/**
 * vmm_stream_record - read more of a record
 * @stream: the connection
 * @record: buffer; the same at each call until the record is complete
 * @size: bytes of a record
 *
 * Return: whether the record is complete; the next call begins the next record
 */
bool vmm_stream_record(struct vmm_stream *stream, void *record, size_t size)
{
	ssize_t n = recv(stream->fd, (u8 *)record + stream->have, size - stream->have,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		vmm_stream_lose(stream);
		return false;
	}
	stream->have += n;
	if (stream->have < size)
		return false;
	stream->have = 0;
	return true;
}

static void stream_drop(struct vmm_stream *stream, const struct iovec *iov, unsigned int count)
{
	u64 dropped = stream->dropped;

	while (count--)
		dropped += iov++->iov_len;
	__atomic_store_n(&stream->dropped, dropped, __ATOMIC_RELAXED);
}

/* Returns how long to wait: a reader of single bytes gets no more time in all. */
static int stall_left(struct timespec *began)
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!began->tv_sec && !began->tv_nsec)
		*began = now;
	ms = (now.tv_sec - began->tv_sec) * 1000LL + (now.tv_nsec - began->tv_nsec) / 1000000;
	return ms < STREAM_STALL_MS ? STREAM_STALL_MS - ms : 0;
}

/**
 * vmm_stream_send - send bytes, or drop them
 * @stream: the connection
 * @iov: the bytes; changed
 * @count: elements of it
 */
void vmm_stream_send(struct vmm_stream *stream, struct iovec *iov, unsigned int count)
{
	struct pollfd room = { .fd = stream->fd, .events = POLLOUT };
	struct timespec began = { 0 };
	int left;

	while (count) {
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };
		ssize_t sent = sendmsg(stream->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN && !stream->stalled) {
			left = stall_left(&began);
			if (left && poll(&room, 1, left) > 0)
				continue;
			errno = EAGAIN;
		}
		if (sent < 0) {
			stream->stalled = errno == EAGAIN;
			stream_drop(stream, iov, count);
			return;
		}
		/* Sends without waiting, because the reader has not caught up. */
		if (stream->stalled && poll(&room, 1, 0) > 0)
			stream->stalled = false;
		for (; count && (size_t)sent >= iov->iov_len; count--, iov++)
			sent -= iov->iov_len;
		if (count) {
			iov->iov_base = (u8 *)iov->iov_base + sent;
			iov->iov_len -= sent;
		}
	}
}
