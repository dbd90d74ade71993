/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who waits for what, and who is next to be told: plain data, no locks, no
 * memory access, so that KUnit and the userspace build run the same source.
 */
#ifndef _GOLDFISH_PIPE_BATCH_H
#define _GOLDFISH_PIPE_BATCH_H

#include <linux/goldfish_pipe.h>
#include <linux/list.h>
#include <linux/types.h>

/**
 * struct pipe_signal - what one pipe has to tell its guest
 * @node: on the list of signalled pipes while @fired is not 0
 * @id: the pipe's id
 * @armed: GOLDFISH_PIPE_WAKE_* that somebody waits for
 * @fired: GOLDFISH_PIPE_WAKE_* to tell
 */
struct pipe_signal {
	struct list_head node;
	u32 id;
	u32 armed;
	u32 fired;
};

void pipe_signal_init(struct pipe_signal *signal, u32 id);
bool pipe_batch_add(struct list_head *signalled, struct pipe_signal *signal,
		    u32 wake);
u32 pipe_batch_fire(struct list_head *signalled, struct pipe_signal *signal,
		    u32 wake);
unsigned int pipe_batch_pop(struct list_head *signalled,
			    struct goldfish_pipe_signal *batch, unsigned int max);
void pipe_batch_drop(struct pipe_signal *signal);

#endif /* _GOLDFISH_PIPE_BATCH_H */
