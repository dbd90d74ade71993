// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes of the guest. A process holds the colour buffers that it has made or opened. The
 * guest keeps a GLProcessPipe open as long as the process lives. When that pipe is closed, the
 * buffers that the process still holds are dropped.
 */
#include <errno.h>

#include "gles.h"

/**
 * gles_process_new - take a process that has come
 * @gles: the guest's graphics
 *
 * Return: the process, or NULL if there are as many as there may be
 */
struct gles_holder *gles_process_new(struct gles *gles)
{
	struct gles_holder *process = gles_process_find(gles, 0);

	if (process)
		process->id = ++gles->last_id;
	else
		gles_complain(gles, GLES_FULL,
			      "the guest has %u processes that draw: further ones are refused",
			      GLES_PROCESSES);
	return process;
}

/**
 * gles_process_find - find a process
 * @gles: the guest's graphics
 * @id: its number, which may be anything; 0 finds a place for a new one
 *
 * Return: the process, or NULL
 */
struct gles_holder *gles_process_find(struct gles *gles, u64 id)
{
	unsigned int i;

	for (i = 0; i < GLES_PROCESSES; i++) {
		if (gles->processes[i].id == id)
			return &gles->processes[i];
	}
	return NULL;
}

static int held_find(const struct gles_holder *holder, u32 handle)
{
	unsigned int i;

	for (i = 0; i < holder->count; i++) {
		if (holder->held[i].handle == handle)
			return i;
	}
	return -1;
}

/**
 * gles_hold - let a process hold a colour buffer, once more
 * @gles: the guest's graphics
 * @holder: the process
 * @buffer: the colour buffer
 *
 * Return: 0, or -ENOSPC if it holds as many as it may
 */
int gles_hold(struct gles *gles, struct gles_holder *holder, struct gles_buffer *buffer)
{
	int i = held_find(holder, buffer->handle);

	if (i < 0) {
		if (holder->count == GLES_HELD) {
			gles_complain(gles, GLES_FULL,
				      "a process of the guest holds %u colour buffers: further ones are refused",
				      GLES_HELD);
			return -ENOSPC;
		}
		i = holder->count++;
		holder->held[i].handle = buffer->handle;
		holder->held[i].times = 0;
		gles_buffer_hold(buffer);
	}
	/* A count that is full stays so: the buffer goes with the process. */
	if (holder->held[i].times < UINT32_MAX)
		holder->held[i].times++;
	return 0;
}

static void held_remove(struct gles *gles, struct gles_holder *holder, unsigned int i)
{
	struct gles_buffer *buffer = gles_buffer_find(&gles->buffers, holder->held[i].handle);

	holder->held[i] = holder->held[--holder->count];
	if (buffer)
		gles_buffer_drop(&gles->buffers, buffer);
}

/**
 * gles_drop - undo one gles_hold()
 * @gles: the guest's graphics
 * @holder: the process
 * @handle: of the colour buffer; one that the process does not hold is passed over
 */
void gles_drop(struct gles *gles, struct gles_holder *holder, u32 handle)
{
	int i = held_find(holder, handle);

	if (i >= 0 && holder->held[i].times < UINT32_MAX && !--holder->held[i].times)
		held_remove(gles, holder, i);
}

/**
 * gles_drop_all - hold nothing any more
 * @gles: the guest's graphics
 * @holder: the process, which may be another one afterwards
 */
void gles_drop_all(struct gles *gles, struct gles_holder *holder)
{
	while (holder->count)
		held_remove(gles, holder, holder->count - 1);
	holder->id = 0;
}
