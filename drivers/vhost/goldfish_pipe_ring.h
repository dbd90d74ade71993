/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's ends of rings that another process shares: indices only, no
 * locks, no files, so that KUnit and the userspace build run the same source.
 * The bytes are goldfish_pipe_shared.c's.
 */
#ifndef _GOLDFISH_PIPE_RING_H
#define _GOLDFISH_PIPE_RING_H

#include <linux/types.h>
#include <linux/vhost_goldfish_pipe.h>

/**
 * struct pipe_ring - one ring, seen from the module's end
 * @ours: what we tell; never read back, for the other may write to it
 * @theirs: what the other tells; each field is read once and bounded
 * @size: bytes, a power of two
 * @produces: we put bytes in
 * @broken: the other has told what cannot be; for ever
 * @position: bytes that we have moved, modulo 2^32
 */
struct pipe_ring {
	struct vhost_goldfish_pipe_ring_end *ours;
	const struct vhost_goldfish_pipe_ring_end *theirs;
	u32 size;
	bool produces;
	bool broken;
	u32 position;
};

bool pipe_ring_size_ok(u32 size);
void pipe_ring_init(struct pipe_ring *ring, struct vhost_goldfish_pipe_ring_way *way,
		    u32 size, bool produces);
int pipe_ring_look(struct pipe_ring *ring, u32 *bytes);
bool pipe_ring_move(struct pipe_ring *ring, u32 bytes);
int pipe_ring_wait(struct pipe_ring *ring);
void pipe_ring_close(struct pipe_ring *ring);

/**
 * pipe_ring_at() - find where bytes are
 * @ring: the ring
 * @skip: of those that can be moved, leave out so many
 * @bytes: how many behind these; made fewer, if they do not lie in a row
 *
 * Return: offset of the first in the ring's memory.
 */
static inline u32 pipe_ring_at(const struct pipe_ring *ring, u32 skip, u32 *bytes)
{
	u32 at = (ring->position + skip) & (ring->size - 1);

	if (*bytes > ring->size - at)
		*bytes = ring->size - at;
	return at;
}

#endif /* _GOLDFISH_PIPE_RING_H */
