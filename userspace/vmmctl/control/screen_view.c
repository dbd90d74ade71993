// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's screen in another process. What is in the file comes from there: it is read
 * once and held against the file's size.
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
#define TRIES		200	/* of a millisecond, for a frame that does not change */

static u64 sequence_of(const struct vmm_screen_view *view)
{
	return le64toh(__atomic_load_n(&view->header->sequence, __ATOMIC_SEQ_CST));
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
	view->width = le32toh(view->header->width);
	view->height = le32toh(view->header->height);
	if (le32toh(view->header->magic) != VMM_DISPLAY_MAGIC ||
	    le32toh(view->header->version) != VMM_DISPLAY_VERSION ||
	    !view->width || !view->height || view->width > SIDE_MAX ||
	    view->height > SIDE_MAX ||
	    (u64)view->width * view->height * 4 > view->size - VMM_DISPLAY_PIXELS)
		return -EINVAL;
	view->copy = calloc(1, view->size);
	return view->copy ? 0 : -ENOMEM;
}

/**
 * vmm_screen_view_open - look at a screen
 * @view: filled
 * @fd: the screen's file; is not needed afterwards
 *
 * Return: 0, or -errno if it is none
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
 * vmm_screen_view_close - look at it no more
 * @view: was opened, or is all zero
 */
void vmm_screen_view_close(struct vmm_screen_view *view)
{
	free(view->copy);
	if (view->header)
		munmap((void *)view->header, view->size);
	*view = (struct vmm_screen_view){ 0 };
}

/**
 * vmm_screen_view_update - copy what the screen shows
 * @view: its copy is the first one, or of an earlier moment
 *
 * A frame that changes while it is copied is copied again, but not for ever.
 *
 * Return: whether it is another than before
 */
bool vmm_screen_view_update(struct vmm_screen_view *view)
{
	const struct vmm_display_header *header = (const void *)view->copy;
	bool first = !view->seen;
	unsigned int i;
	u64 before;

	if (!first && sequence_of(view) == view->sequence)
		return false;
	for (i = 0; i < TRIES; i++) {
		before = sequence_of(view);
		memcpy(view->copy, view->header, view->size);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!(before & 1) && sequence_of(view) == before)
			break;
		/* A millisecond, by a call that the sandbox lets through. */
		poll(NULL, 0, 1);
	}
	view->seen = true;
	view->sequence = before;
	view->format = le32toh(header->format);
	view->turns = le32toh(header->turns) % 4;
	return true;
}

/**
 * vmm_screen_view_width - tell how wide the screen is
 * @view: was updated
 *
 * Return: pixels, as it is shown
 */
u32 vmm_screen_view_width(const struct vmm_screen_view *view)
{
	return view->turns & 1 ? view->height : view->width;
}

/**
 * vmm_screen_view_height - tell how high the screen is
 * @view: was updated
 *
 * Return: rows, as it is shown
 */
u32 vmm_screen_view_height(const struct vmm_screen_view *view)
{
	return view->turns & 1 ? view->width : view->height;
}

/**
 * vmm_screen_view_from - find where in the guest's frame a pixel comes from
 * @view: was updated
 * @x: where it is shown; where the guest has it
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

/* The lower @bits of a colour, stretched to a byte. */
static u8 stretch(unsigned int value, unsigned int bits)
{
	value &= (1 << bits) - 1;
	return value << (8 - bits) | value >> (2 * bits - 8);
}

/**
 * vmm_screen_view_rgb - tell a pixel's colour
 * @view: was updated
 * @x: where it is shown, less than the width
 * @y: less than the height
 * @rgb: filled
 */
void vmm_screen_view_rgb(const struct vmm_screen_view *view, u32 x, u32 y, u8 rgb[3])
{
	const u8 *pixels = view->copy + VMM_DISPLAY_PIXELS;
	unsigned int word;
	size_t at;

	vmm_screen_view_from(view, &x, &y);
	at = (size_t)y * view->width + x;
	switch (view->format) {
	case VMM_PIXELS_RGBX8888:
		memcpy(rgb, pixels + 4 * at, 3);
		return;
	case VMM_PIXELS_BGRX8888:
		rgb[0] = pixels[4 * at + 2];
		rgb[1] = pixels[4 * at + 1];
		rgb[2] = pixels[4 * at];
		return;
	}
	word = pixels[2 * at] | pixels[2 * at + 1] << 8;
	rgb[0] = stretch(word >> 11, 5);
	rgb[1] = stretch(word >> 5, 6);
	rgb[2] = stretch(word, 5);
}
