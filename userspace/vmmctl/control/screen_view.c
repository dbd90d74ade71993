// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen of a VM in another process. That process writes the file and is not trusted: fields
 * are read once and checked against the file's size.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "control/screen_view.h"

#define SIDE_MAX	16384	/* pixels */
#define TRIES		200	/* of a millisecond, to copy a frame that does not change */

static u64 sequence_of(const struct vmm_screen_view *view)
{
	return le64toh(__atomic_load_n(&view->header->sequence, __ATOMIC_SEQ_CST));
}

/* Reads a number once: another process may change it at any time. */
static u32 number_of(const __le32 *at)
{
	return le32toh(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static int view_map(struct vmm_screen_view *view, int fd)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) || st.st_size < VMM_DISPLAY_PIXELS)
		return -EINVAL;
	view->size = st.st_size;
	map = mmap(NULL, view->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	view->header = map;
	view->width = number_of(&view->header->width);
	view->height = number_of(&view->header->height);
	if (number_of(&view->header->magic) != VMM_DISPLAY_MAGIC ||
	    number_of(&view->header->version) != VMM_DISPLAY_VERSION ||
	    !view->width || !view->height || view->width > SIDE_MAX ||
	    view->height > SIDE_MAX ||
	    (u64)view->width * view->height * 4 > view->size - VMM_DISPLAY_PIXELS)
		return -EINVAL;
	view->copy = calloc(1, view->size);
	return view->copy ? 0 : -ENOMEM;
}

/**
 * vmm_screen_view_open - open a screen for viewing
 * @view: filled
 * @fd: the screen's file; may be closed afterwards
 *
 * Return: 0, or -errno if it is no screen's file
 */
int vmm_screen_view_open(struct vmm_screen_view *view, int fd)
{
	int err;

	*view = (struct vmm_screen_view){ 0 };
	err = view_map(view, fd);
	if (err)
		vmm_screen_view_close(view);
	return err;
}

/**
 * vmm_screen_view_close - close a screen
 * @view: was opened, or is all zero
 */
void vmm_screen_view_close(struct vmm_screen_view *view)
{
	free(view->copy);
	if (view->header)
		munmap((void *)view->header, view->size);
	*view = (struct vmm_screen_view){ 0 };
}

static u32 pixel_bytes(u32 format)
{
	return format == VMM_PIXELS_RGBX8888 || format == VMM_PIXELS_BGRX8888 ? 4 : 2;
}

/*
 * Finds the rows that differ from the copy; @now is the file's sequence. After a single change,
 * the file names its rows, which are checked against the height.
 */
static void rows_changed(struct vmm_screen_view *view, u64 now)
{
	const struct vmm_display_header *header = view->header;
	u32 top = number_of(&header->damage[1]);
	u32 rows = number_of(&header->damage[3]);
	bool whole = !view->seen || view->sequence & 1 || now != view->sequence + 2 ||
		     top > view->height || rows > view->height - top ||
		     number_of(&header->format) != view->format ||
		     number_of(&header->turns) % 4 != view->turns;

	view->first = whole ? 0 : top;
	view->last = whole ? view->height : top + rows;
}

/* Copies the whole file if all rows differ, because the rows' size may have changed. */
static void rows_copy(struct vmm_screen_view *view)
{
	size_t stride = (size_t)view->width * pixel_bytes(view->format);
	size_t at = VMM_DISPLAY_PIXELS + view->first * stride;
	const u8 *from = (const u8 *)view->header;

	if (!view->first && view->last == view->height) {
		memcpy(view->copy, from, view->size);
		return;
	}
	memcpy(view->copy, from, sizeof(*view->header));
	memcpy(view->copy + at, from + at, (view->last - view->first) * stride);
}

/**
 * vmm_screen_view_update - copy the screen's content
 * @view: the screen; its copy is updated
 *
 * A frame that changes while it is copied is copied again, a limited number of times.
 *
 * Return: whether it has changed; vmm_screen_view_changed() returns where
 */
bool vmm_screen_view_update(struct vmm_screen_view *view)
{
	const struct vmm_display_header *header = (const void *)view->copy;
	unsigned int i;
	u64 before;

	if (view->seen && sequence_of(view) == view->sequence)
		return false;
	for (i = 0; i < TRIES; i++) {
		before = sequence_of(view);
		rows_changed(view, before);
		rows_copy(view);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!(before & 1) && sequence_of(view) == before)
			break;
		/* Sleeps for a millisecond, by a call that the sandbox allows. */
		poll(NULL, 0, 1);
	}
	view->seen = true;
	view->sequence = before;
	view->format = le32toh(header->format);
	view->turns = le32toh(header->turns) % 4;
	return true;
}

/**
 * vmm_screen_view_width - return the screen's width
 * @view: was updated
 *
 * Return: pixels, after rotation
 */
u32 vmm_screen_view_width(const struct vmm_screen_view *view)
{
	return view->turns & 1 ? view->height : view->width;
}

/**
 * vmm_screen_view_height - return the screen's height
 * @view: was updated
 *
 * Return: rows, after rotation
 */
u32 vmm_screen_view_height(const struct vmm_screen_view *view)
{
	return view->turns & 1 ? view->width : view->height;
}

/**
 * vmm_screen_view_from - convert a position on the rotated screen to one in the guest's frame
 * @view: was updated
 * @x: column on the screen; changed to that in the frame
 * @y: likewise
 */
void vmm_screen_view_from(const struct vmm_screen_view *view, u32 *x, u32 *y)
{
	u32 old_x = *x;

	switch (view->turns) {
	case 1:
		*x = *y;
		*y = view->height - 1 - old_x;
		break;
	case 2:
		*x = view->width - 1 - *x;
		*y = view->height - 1 - *y;
		break;
	case 3:
		*x = view->width - 1 - *y;
		*y = old_x;
		break;
	}
}

/* Expands the lower @bits of a colour to a byte. */
static u8 stretch(unsigned int value, unsigned int bits)
{
	value &= (1 << bits) - 1;
	return value << (8 - bits) | value >> (2 * bits - 8);
}

/**
 * vmm_screen_view_changed - return the part that the last update has changed
 * @view: was updated
 * @part: filled
 */
void vmm_screen_view_changed(const struct vmm_screen_view *view, struct vmm_screen_part *part)
{
	bool back = view->turns == 1 || view->turns == 2;
	u32 from = back ? view->height - view->last : view->first;
	u32 to = back ? view->height - view->first : view->last;

	if (view->turns & 1)
		*part = (struct vmm_screen_part){ from, 0, to, view->width };
	else
		*part = (struct vmm_screen_part){ 0, from, view->width, to };
}

static u32 word_of_565(const u8 *at)
{
	unsigned int word = at[0] | at[1] << 8;

	return (u32)stretch(word >> 11, 5) << 16 | stretch(word >> 5, 6) << 8 |
	       stretch(word, 5);
}

/* Distance in the guest's frame to the next pixel to the right on the screen. */
static long step_of(const struct vmm_screen_view *view)
{
	const long steps[] = { 1, -(long)view->width, -1, view->width };

	return steps[view->turns] * (long)pixel_bytes(view->format);
}

/**
 * vmm_screen_view_words - return the colours of pixels in a row
 * @view: was updated
 * @x: column of the first one on the screen
 * @y: row on the screen
 * @count: number of pixels, inside the screen
 * @words: filled: 0x00RRGGBB
 */
void vmm_screen_view_words(const struct vmm_screen_view *view, u32 x, u32 y, u32 count,
			   u32 *words)
{
	long step = step_of(view);
	const u8 *at = view->copy + VMM_DISPLAY_PIXELS;
	u32 i;

	vmm_screen_view_from(view, &x, &y);
	at += ((size_t)y * view->width + x) * pixel_bytes(view->format);
	switch (view->format) {
	case VMM_PIXELS_RGBX8888:
		for (i = 0; i < count; i++, at += step)
			words[i] = (u32)at[0] << 16 | at[1] << 8 | at[2];
		return;
	case VMM_PIXELS_BGRX8888:
		for (i = 0; i < count; i++, at += step)
			words[i] = (u32)at[2] << 16 | at[1] << 8 | at[0];
		return;
	}
	for (i = 0; i < count; i++, at += step)
		words[i] = word_of_565(at);
}

/**
 * vmm_screen_view_rgb - return a pixel's colour
 * @view: was updated
 * @x: column on the screen, less than the width
 * @y: row on the screen, less than the height
 * @rgb: filled
 */
void vmm_screen_view_rgb(const struct vmm_screen_view *view, u32 x, u32 y, u8 rgb[3])
{
	u32 word;

	vmm_screen_view_words(view, x, y, 1, &word);
	rgb[0] = word >> 16;
	rgb[1] = word >> 8;
	rgb[2] = word;
}
