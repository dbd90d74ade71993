/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of a VM in another process: the files that the VM has passed (host/display.h), a copy
 * of the picture with the cursor, and its pixels after rotation.
 */
#ifndef CONTROL_SCREEN_VIEW_H
#define CONTROL_SCREEN_VIEW_H

#include "host/display.h"

struct vmm_client;

/**
 * struct vmm_screen_file - a source of the screen's pixels
 * @number: its number, 0 if the element is not used
 * @fd: its file
 */
struct vmm_screen_file {
	u64 number;
	int fd;
};

/**
 * struct vmm_screen_view - a screen that is viewed
 * @header: header of its file, mapped
 * @size: bytes mapped
 * @width: pixels of a row, as the guest draws it
 * @height: rows
 * @ask: asks the VM for a source: returns its file, which the view then owns, -ENOENT if the source
 *	is gone, or -errno; NULL if there is no way to ask
 * @arg: argument of @ask
 * @files: sources that the VM has passed
 * @next: the next element of @files to overwrite
 * @copy: copy of header, cursor and pixels, with the cursor drawn over the pixels
 * @seen: @copy is valid
 * @sequence: sequence number of the copy
 * @format: format of its pixels; unknown formats are taken for 16 bits
 * @turns: rotation in quarter turns clockwise
 * @first: first row of the guest's frame that the last update has changed
 * @last: row after the last one
 */
struct vmm_screen_view {
	const struct vmm_display_header *header;
	size_t size;
	u32 width;
	u32 height;
	int (*ask)(void *arg, u64 source);
	void *arg;
	struct vmm_screen_file files[VMM_DISPLAY_SOURCES];
	unsigned int next;
	u8 *copy;
	bool seen;
	u64 sequence;
	u32 format;
	u32 turns;
	u32 first;
	u32 last;
};

/**
 * struct vmm_screen_part - a part of a screen after rotation
 * @left: first column
 * @top: first row
 * @right: column after the last one
 * @bottom: row after the last one
 */
struct vmm_screen_part {
	u32 left;
	u32 top;
	u32 right;
	u32 bottom;
};

/* ---- screen_view.c ---- */

int vmm_screen_view_open(struct vmm_screen_view *view, int fd,
			 int (*ask)(void *arg, u64 source), void *arg);
void vmm_screen_view_close(struct vmm_screen_view *view);
bool vmm_screen_view_update(struct vmm_screen_view *view);
u32 vmm_screen_view_width(const struct vmm_screen_view *view);
u32 vmm_screen_view_height(const struct vmm_screen_view *view);
void vmm_screen_view_from(const struct vmm_screen_view *view, u32 *x, u32 *y);
void vmm_screen_view_changed(const struct vmm_screen_view *view, struct vmm_screen_part *part);
void vmm_screen_view_words(const struct vmm_screen_view *view, u32 x, u32 y, u32 count,
			   u32 *words);
void vmm_screen_view_rgb(const struct vmm_screen_view *view, u32 x, u32 y, u8 rgb[3]);

/* ---- screen_ask.c ---- */

int vmm_screen_ask(struct vmm_client *client, u64 source);

/* ---- screen_own.c ---- */

int vmm_screen_own_open(struct vmm_screen_view *view, struct vmm_display *display);

#endif /* CONTROL_SCREEN_VIEW_H */
