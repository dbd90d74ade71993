// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who waits for what, and who is next to be told. The lock round it, and the
 * way to the guest, are goldfish_pipe_signal.c's.
 */
#include <asm/byteorder.h>

#include "goldfish_pipe_batch.h"

/**
 * pipe_signal_init() - make a pipe that waits for nothing and has nothing to tell
 * @signal: not yet in use
 * @id: the pipe's id
 */
void pipe_signal_init(struct pipe_signal *signal, u32 id)
{
	INIT_LIST_HEAD(&signal->node);
	signal->id = id;
	signal->armed = 0;
	signal->fired = 0;
}

/**
 * pipe_batch_add() - have the guest told, asked for or not
 * @signalled: the list of signalled pipes
 * @signal: the pipe; keeps its place if it is on the list
 * @wake: GOLDFISH_PIPE_WAKE_* bits, not 0
 *
 * Return: true if the pipe was not on the list before.
 */
bool pipe_batch_add(struct list_head *signalled, struct pipe_signal *signal,
		    u32 wake)
{
	bool first = list_empty(&signal->node);

	signal->fired |= wake;
	if (first)
		list_add_tail(&signal->node, signalled);
	return first;
}

/**
 * pipe_batch_fire() - have the guest told what it asked for
 * @signalled: the list of signalled pipes
 * @signal: the pipe
 * @wake: GOLDFISH_PIPE_WAKE_* bits that are so now
 *
 * What is told is no longer armed: a wake is sent once for each request.
 *
 * Return: the bits that somebody waited for.
 */
u32 pipe_batch_fire(struct list_head *signalled, struct pipe_signal *signal,
		    u32 wake)
{
	wake &= signal->armed;
	signal->armed &= ~wake;
	if (wake)
		pipe_batch_add(signalled, signal, wake);
	return wake;
}

/**
 * pipe_batch_pop() - take the next pipes off the list
 * @signalled: the list of signalled pipes
 * @batch: filled, first in first out
 * @max: elements in @batch
 *
 * Return: elements filled.
 */
unsigned int pipe_batch_pop(struct list_head *signalled,
			    struct goldfish_pipe_signal *batch, unsigned int max)
{
	struct pipe_signal *signal, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(signal, next, signalled, node) {
		if (n == max)
			break;
		batch[n].id = cpu_to_le32(signal->id);
		batch[n].flags = cpu_to_le32(signal->fired);
		signal->fired = 0;
		list_del_init(&signal->node);
		n++;
	}
	return n;
}

/**
 * pipe_batch_drop() - forget what a pipe waits for and has to tell
 * @signal: the pipe
 */
void pipe_batch_drop(struct pipe_signal *signal)
{
	list_del_init(&signal->node);
	signal->armed = 0;
	signal->fired = 0;
}
