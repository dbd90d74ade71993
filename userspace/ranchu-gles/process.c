// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes of the guest. A process holds the colour buffers that it has created or opened.
 * The guest keeps a GLProcessPipe open as long as the process lives. When that pipe is closed,
 * the buffers that the process still holds are dropped.
 */
#include <errno.h>

#include "gles.h"

/**
 * gles_process_new - add a process
 * @gles: the guest's graphics
 *
 * Return: the process, or NULL if there are too many
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
 * @id: its ID, not trusted; 0 finds a free element
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
 * gles_hold - add a reference of a process to a colour buffer
 * @gles: the guest's graphics
 * @holder: the process
 * @buffer: the colour buffer
 *
 * Return: 0, or -ENOSPC if it holds too many
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
	/* A saturated count stays: the buffer is dropped with the process. */
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
 * @handle: handle of the colour buffer; ignored if the process does not hold it
 */
void gles_drop(struct gles *gles, struct gles_holder *holder, u32 handle)
{
	int i = held_find(holder, handle);

	if (i >= 0 && holder->held[i].times < UINT32_MAX && !--holder->held[i].times)
		held_remove(gles, holder, i);
}

/**
 * gles_drop_all - drop all references of a process
 * @gles: the guest's graphics
 * @holder: the process, whose element may be reused afterwards
 */
void gles_drop_all(struct gles *gles, struct gles_holder *holder)
{
	while (holder->count)
		held_remove(gles, holder, holder->count - 1);
	holder->id = 0;
}
