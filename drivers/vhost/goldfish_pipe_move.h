/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goldfish_pipe_cmd.c, which runs commands, and goldfish_pipe_move.c, which
 * moves their bytes, share.
 */
#ifndef _GOLDFISH_PIPE_MOVE_H
#define _GOLDFISH_PIPE_MOVE_H

#include "goldfish_pipe.h"

/* Guest buffers fetched in one go, and how many need no allocation. */
#define PIPE_CHUNK 32U

/**
 * struct pipe_fetched - what was fetched of a command buffer, once
 * @header: its head
 * @n: buffers in the arrays, as many as came with the head
 * @gpa: their guest physical addresses
 * @size: their sizes, bytes
 */
struct pipe_fetched {
	struct pipe_header header;
	unsigned int n;
	__le64 gpa[PIPE_CHUNK];
	__le32 size[PIPE_CHUNK];
};

ssize_t pipe_move(struct pipe *pipe, const struct pipe_fetched *fetched,
		  const void __user *command, u32 first, u32 end, bool write);

#endif /* _GOLDFISH_PIPE_MOVE_H */
