// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indices of a ring that another process shares. The rules are in
 * linux/vhost_goldfish_pipe.h; userspace/libranchu-pipe has the other end.
 *
 * No wake is lost. Who moves bytes stores its position and then looks whether
 * the other wants to be told; who is about to sleep stores what it wants to be
 * told and then looks at the position. There is a full barrier between the two
 * at either end, so at least one sees what the other has stored.
 * tools/testing/native/ring_race_test.c goes through all that can happen.
 */
#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/log2.h>

#include "goldfish_pipe_ring.h"

/**
 * pipe_ring_size_ok() - tell whether a ring may have so many bytes
 * @size: bytes
 *
 * Return: true if it may.
 */
bool pipe_ring_size_ok(u32 size)
{
	return is_power_of_2(size) && size >= VHOST_GOLDFISH_PIPE_RING_MIN &&
	       size <= VHOST_GOLDFISH_PIPE_RING_MAX;
}

/**
 * pipe_ring_init() - begin with an empty ring
 * @ring: filled
 * @way: the part that is shared, all 0
 * @size: bytes, a power of two
 * @produces: we put bytes in
 */
void pipe_ring_init(struct pipe_ring *ring, struct vhost_goldfish_pipe_ring_way *way,
		    u32 size, bool produces)
{
	ring->ours = produces ? &way->producer : &way->consumer;
	ring->theirs = produces ? &way->consumer : &way->producer;
	ring->size = size;
	ring->produces = produces;
	ring->broken = false;
	ring->position = 0;
}

/**
 * pipe_ring_look() - tell how many bytes can be moved now
 * @ring: the ring
 * @bytes: set; 0 if it returns an error
 *
 * Return:
 * * 0: done; what @bytes counts can be accessed
 * * -EPIPE: no byte can be moved any more, the other end is closed
 * * -EPROTO: the other end does not keep to the rules
 */
int pipe_ring_look(struct pipe_ring *ring, u32 *bytes)
{
	/* Before the position, which is the last one then. */
	bool closed = smp_load_acquire(&ring->theirs->closed);
	/* Before the bytes. Pairs with the other end's release. */
	u32 theirs = smp_load_acquire(&ring->theirs->position);
	u32 used = ring->produces ? ring->position - theirs : theirs - ring->position;

	*bytes = 0;
	if (ring->broken || used > ring->size) {
		ring->broken = true;
		return -EPROTO;
	}
	if (ring->produces && closed)
		return -EPIPE;
	*bytes = ring->produces ? ring->size - used : used;
	return closed && !*bytes ? -EPIPE : 0;
}

/**
 * pipe_ring_move() - tell the other end that bytes were moved
 * @ring: the ring
 * @bytes: more than 0, not more than pipe_ring_look() said
 *
 * Return: true if the other end is to be woken.
 */
bool pipe_ring_move(struct pipe_ring *ring, u32 bytes)
{
	u32 position = ring->position + bytes;

	ring->position = position;
	/* After the bytes. Pairs with the other end's acquire. */
	smp_store_release(&ring->ours->position, position);
	/* See above. Pairs with the other end's, before it sleeps. */
	smp_mb();
	return position - READ_ONCE(ring->theirs->wake_at) - 1 < bytes;
}

/**
 * pipe_ring_wait() - have the other end tell, unless there is something to do
 * @ring: the ring
 *
 * Return: more than 0 if bytes can be moved, or 0, or -errno, as
 * pipe_ring_look(); 0 if we will be told.
 */
int pipe_ring_wait(struct pipe_ring *ring)
{
	u32 bytes;
	int err;

	err = pipe_ring_look(ring, &bytes);
	if (err || bytes)
		return err ?: 1;
	/* It is where we are, or a whole ring behind. */
	WRITE_ONCE(ring->ours->wake_at,
		   ring->produces ? ring->position - ring->size : ring->position);
	/* See above. Pairs with the other end's, behind its position. */
	smp_mb();
	err = pipe_ring_look(ring, &bytes);
	return err ?: !!bytes;
}

/**
 * pipe_ring_close() - tell that we move no more; the other end is to be woken
 * @ring: the ring
 */
void pipe_ring_close(struct pipe_ring *ring)
{
	/* After the last position. */
	smp_store_release(&ring->ours->closed, 1);
}
