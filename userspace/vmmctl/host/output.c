// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output that is never waited for. O_NONBLOCK is a property of the open file, which
 * stdout and stderr share with the shell that started us: terminals and pipes are
 * opened once more instead. Where that cannot be, the file is asked for room first,
 * and gets no more at once than a pipe that has room takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/output.h"

/**
 * vmm_output_init - take a file to write to
 * @out: filled
 * @fd: the file; stays the caller's
 */
void vmm_output_init(struct vmm_output *out, int fd)
{
	char path[32];
	struct stat st;

	*out = (struct vmm_output){ .fd = fd, .own_fd = -1 };
	/* A plain file has an offset, which another open file would not share. */
	if (fstat(fd, &st))
		return;
	out->plain = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
	if (out->plain)
		return;
	out->socket = S_ISSOCK(st.st_mode);
	if (out->socket)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	out->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	out->poll = out->own_fd < 0;
}

/**
 * vmm_output_close - give the file back
 * @out: the file
 */
void vmm_output_close(struct vmm_output *out)
{
	if (out->own_fd >= 0)
		close(out->own_fd);
	out->own_fd = -1;
}

/**
 * vmm_output_fd - tell which file tells of room
 * @out: the file
 *
 * Return: the file
 */
int vmm_output_fd(const struct vmm_output *out)
{
	return out->own_fd >= 0 ? out->own_fd : out->fd;
}

/**
 * vmm_output_write - write what there is room for
 * @out: the file
 * @bytes: what
 * @len: how many, at least one
 *
 * Context: any thread.
 * Return: bytes written, -EAGAIN if there is no room, or another -errno
 */
ssize_t vmm_output_write(const struct vmm_output *out, const void *bytes, size_t len)
{
	struct pollfd room = { .fd = out->fd, .events = POLLOUT };
	ssize_t n;

	if (out->poll && poll(&room, 1, 0) <= 0)
		return -EAGAIN;
	if (out->poll && len > PIPE_BUF)
		len = PIPE_BUF;
	do
		n = out->socket ? send(out->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
				  write(vmm_output_fd(out), bytes, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/**
 * vmm_output_put - have bytes wait for the reader
 * @ring: where
 * @bytes: what; without room, what is left of them is dropped and counted
 * @len: how many
 */
void vmm_output_put(struct vmm_output_ring *ring, const void *bytes, size_t len)
{
	const u8 *from = bytes;
	size_t at;
	size_t n;

	while (len && ring->len < sizeof(ring->bytes)) {
		at = (ring->head + ring->len) % sizeof(ring->bytes);
		n = (at < ring->head ? ring->head : sizeof(ring->bytes)) - at;
		if (n > len)
			n = len;
		memcpy(ring->bytes + at, from, n);
		ring->len += n;
		from += n;
		len -= n;
	}
	ring->dropped += len;
}

/**
 * vmm_output_take - take what waits longest
 * @ring: what waits
 * @bytes: filled
 * @len: room for how many
 *
 * Return: how many; 0 if nothing waits
 */
size_t vmm_output_take(struct vmm_output_ring *ring, void *bytes, size_t len)
{
	size_t n = sizeof(ring->bytes) - ring->head;

	if (n > ring->len)
		n = ring->len;
	if (n > len)
		n = len;
	memcpy(bytes, ring->bytes + ring->head, n);
	ring->head = (ring->head + n) % sizeof(ring->bytes);
	ring->len -= n;
	return n;
}

/**
 * vmm_output_drain - write what waits
 * @ring: what waits
 * @out: where to
 *
 * Bytes are dropped and counted if nobody will ever read them.
 *
 * Return: 0 if nothing waits any more, -EAGAIN if there is no room
 */
int vmm_output_drain(struct vmm_output_ring *ring, const struct vmm_output *out)
{
	size_t len;
	ssize_t n;

	while (ring->len) {
		len = sizeof(ring->bytes) - ring->head;
		if (len > ring->len)
			len = ring->len;
		n = vmm_output_write(out, ring->bytes + ring->head, len);
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n <= 0) {
			ring->dropped += ring->len;
			ring->len = 0;
			return 0;
		}
		ring->head = (ring->head + n) % sizeof(ring->bytes);
		ring->len -= n;
	}
	ring->head = 0;
	return 0;
}
