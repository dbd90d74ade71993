// SPDX-License-Identifier: GPL-2.0-only
/*
 * A byte ring that grows: what pingpong and throttle keep the guest's bytes
 * in. Grows by doubling, never shrinks, bounded for each ring and for all
 * rings of a guest; charged to the owner's memory cgroup.
 */
#include <linux/slab.h>
#include <linux/uio.h>

#include "goldfish_pipe.h"

/**
 * pipe_bytes_init() - make an empty ring of PIPE_BYTES_MIN bytes
 * @ring: not yet in use
 * @budget: the guest's count of memory in rings beyond that, in bytes
 *
 * Return: 0, or -ENOMEM.
 */
int pipe_bytes_init(struct pipe_bytes *ring, atomic_long_t *budget)
{
	ring->data = kvmalloc(PIPE_BYTES_MIN, GFP_KERNEL_ACCOUNT);
	if (!ring->data)
		return -ENOMEM;
	ring->size = PIPE_BYTES_MIN;
	ring->budget = budget;
	ring->read = 0;
	ring->written = 0;
	return 0;
}

/**
 * pipe_bytes_destroy() - undo pipe_bytes_init()
 * @ring: may hold bytes
 */
void pipe_bytes_destroy(struct pipe_bytes *ring)
{
	atomic_long_sub(ring->size - PIPE_BYTES_MIN, ring->budget);
	kvfree(ring->data);
}

static size_t ring_used(const struct pipe_bytes *ring)
{
	return ring->written - ring->read;
}

/* Contiguous bytes from position @pos on, at most @len. */
static size_t ring_span(const struct pipe_bytes *ring, u64 pos, size_t len)
{
	return min(len, ring->size - (pos & (ring->size - 1)));
}

static u8 *ring_at(const struct pipe_bytes *ring, u64 pos)
{
	return ring->data + (pos & (ring->size - 1));
}

/* Copies what is in @ring to @data, oldest byte first. */
static void ring_linearise(const struct pipe_bytes *ring, u8 *data)
{
	size_t used = ring_used(ring);
	size_t span = ring_span(ring, ring->read, used);

	memcpy(data, ring_at(ring, ring->read), span);
	memcpy(data + span, ring->data, used - span);
}

static bool ring_may_double(const struct pipe_bytes *ring)
{
	return ring->size < PIPE_BYTES_MAX &&
	       atomic_long_read(ring->budget) + ring->size <= PIPE_BYTES_BUDGET;
}

static bool ring_resize(struct pipe_bytes *ring, size_t size)
{
	size_t more = size - ring->size;
	size_t used = ring_used(ring);
	u8 *data;

	if (atomic_long_add_return(more, ring->budget) > PIPE_BYTES_BUDGET)
		goto err_budget;
	data = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!data)
		goto err_budget;
	ring_linearise(ring, data);
	kvfree(ring->data);
	ring->data = data;
	ring->size = size;
	ring->read = 0;
	ring->written = used;
	return true;

err_budget:
	atomic_long_sub(more, ring->budget);
	return false;
}

/* Makes room for @len more bytes, or for as many as it can. */
static void ring_make_room(struct pipe_bytes *ring, size_t len)
{
	size_t need = ring_used(ring) + len;
	size_t size = ring->size;

	while (size < need && size < PIPE_BYTES_MAX)
		size *= 2;
	while (size > ring->size && !ring_resize(ring, size))
		size /= 2;
}

/**
 * pipe_bytes_write() - put bytes in
 * @ring: the ring
 * @from: the bytes; more than 0
 *
 * Context: may sleep; serialised by the caller, as pipe_bytes_read() is.
 * Return: bytes taken, more than 0, or
 * * -EAGAIN: full
 * * -EFAULT: the first byte could not be read
 */
ssize_t pipe_bytes_write(struct pipe_bytes *ring, struct iov_iter *from)
{
	size_t done = 0, room;

	ring_make_room(ring, iov_iter_count(from));
	room = ring->size - ring_used(ring);
	if (!room)
		return -EAGAIN;
	while (room && iov_iter_count(from)) {
		size_t span = ring_span(ring, ring->written, room);
		size_t n = copy_from_iter(ring_at(ring, ring->written), span, from);

		ring->written += n;
		done += n;
		room -= n;
		if (n < span)
			break;
	}
	return done ? done : -EFAULT;
}

/**
 * pipe_bytes_read() - take bytes out
 * @ring: the ring
 * @to: where to; room for more than 0
 *
 * Context: see pipe_bytes_write().
 * Return: bytes taken, more than 0, or
 * * -EAGAIN: empty
 * * -EFAULT: the first byte could not be written; it is kept
 */
ssize_t pipe_bytes_read(struct pipe_bytes *ring, struct iov_iter *to)
{
	size_t left = min(ring_used(ring), iov_iter_count(to));
	size_t done = 0;

	if (!left)
		return -EAGAIN;
	while (left) {
		size_t span = ring_span(ring, ring->read, left);
		size_t n = copy_to_iter(ring_at(ring, ring->read), span, to);

		ring->read += n;
		done += n;
		left -= n;
		if (n < span)
			break;
	}
	return done ? done : -EFAULT;
}

/**
 * pipe_bytes_readable() - tell whether pipe_bytes_read() would give bytes
 * @ring: the ring
 *
 * Return: true if there are any.
 */
bool pipe_bytes_readable(const struct pipe_bytes *ring)
{
	return ring_used(ring);
}

/**
 * pipe_bytes_writable() - tell whether pipe_bytes_write() would take bytes
 * @ring: the ring
 *
 * Return: true if there is room, or if the ring may still grow.
 */
bool pipe_bytes_writable(const struct pipe_bytes *ring)
{
	return ring_used(ring) < ring->size || ring_may_double(ring);
}

/**
 * pipe_bytes_used() - tell how many bytes there are
 * @ring: the ring
 *
 * Return: bytes that pipe_bytes_read() would give.
 */
size_t pipe_bytes_used(const struct pipe_bytes *ring)
{
	return ring_used(ring);
}

/**
 * pipe_bytes_copy() - copy what there is, which stays
 * @ring: the ring
 * @data: room for pipe_bytes_used()
 */
void pipe_bytes_copy(const struct pipe_bytes *ring, u8 *data)
{
	ring_linearise(ring, data);
}

/**
 * pipe_bytes_fill() - put bytes into an empty ring
 * @ring: just initialised
 * @data: the bytes
 * @len: how many
 *
 * Context: may sleep.
 * Return: false if there is no room for all; then none are in it.
 */
bool pipe_bytes_fill(struct pipe_bytes *ring, const u8 *data, size_t len)
{
	ring_make_room(ring, len);
	if (len > ring->size)
		return false;
	memcpy(ring->data, data, len);
	ring->written = len;
	return true;
}
