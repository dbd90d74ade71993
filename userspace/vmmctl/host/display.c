// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen: a memory file that all viewers share, and the frames that a device puts there.
 * A frame is fetched only when a viewer wants to see it, and only rows that have changed are
 * written.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/display.h"
#include "host/log.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

#define PIXEL_MAX	4	/* bytes of a pixel, at most */

/**
 * struct vmm_display - a screen
 * @fd: the memory file
 * @header: the mapping: the first page, and pixels after it
 * @size: bytes of the file
 * @width: pixels of a row
 * @height: rows
 * @board: callback that makes the board's framebuffer call vmm_display_frame(); NULL for none
 * @board_arg: argument of @board
 * @taken: producers that have taken the screen, the newest first; that one is shown
 * @lock: protects all that follows and the pixels
 * @format: of the pixels
 * @turns: as in the header
 * @written: bytes of pixels that were written so far
 */
struct vmm_display {
	int fd;
	struct vmm_display_header *header;
	size_t size;
	unsigned int width;
	unsigned int height;
	void (*board)(void *arg);
	void *board_arg;
	struct vmm_display_producer *taken;
	pthread_mutex_t lock;
	enum vmm_pixels format;
	unsigned int turns;
	u64 written;
};

static unsigned int pixel_bytes(enum vmm_pixels format)
{
	return format == VMM_PIXELS_RGB565 ? 2 : 4;
}

static void header_fill(struct vmm_display *display)
{
	struct vmm_display_header *header = display->header;

	header->magic = htole32(VMM_DISPLAY_MAGIC);
	header->version = htole32(VMM_DISPLAY_VERSION);
	header->width = htole32(display->width);
	header->height = htole32(display->height);
	header->format = htole32(display->format);
	header->stride = htole32(display->width * pixel_bytes(display->format));
	header->turns = htole32(display->turns);
}

/* The seal forbids new writable mappings; this one stays writable. */
static int display_map(struct vmm_display *display)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	void *map;

	display->fd = memfd_create("screen", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (display->fd < 0 || ftruncate(display->fd, display->size))
		return vmm_error(errno, "cannot make the screen's memory");
	map = mmap(NULL, display->size, PROT_READ | PROT_WRITE, MAP_SHARED, display->fd, 0);
	if (map == MAP_FAILED)
		return vmm_error(errno, "cannot map the screen's memory");
	display->header = map;
	if (fcntl(display->fd, F_ADD_SEALS, seals))
		return vmm_error(errno, "cannot seal the screen's memory");
	return 0;
}

/**
 * vmm_display_open - create a black screen
 * @width: pixels of a row
 * @height: rows
 *
 * Return: the screen, or NULL after a message
 */
struct vmm_display *vmm_display_open(unsigned int width, unsigned int height)
{
	struct vmm_display *display = calloc(1, sizeof(*display));

	if (!display) {
		vmm_error(ENOMEM, "screen");
		return NULL;
	}
	pthread_mutex_init(&display->lock, NULL);
	display->fd = -1;
	display->width = width;
	display->height = height;
	display->size = VMM_DISPLAY_PIXELS + (size_t)width * height * PIXEL_MAX;
	display->format = VMM_PIXELS_RGB565;
	if (display_map(display)) {
		vmm_display_close(display);
		return NULL;
	}
	header_fill(display);
	return display;
}

/**
 * vmm_display_close - free a screen
 * @display: may be NULL; programs that have the file keep the last frame
 */
void vmm_display_close(struct vmm_display *display)
{
	if (!display)
		return;
	if (display->header)
		munmap(display->header, display->size);
	if (display->fd >= 0)
		close(display->fd);
	pthread_mutex_destroy(&display->lock);
	free(display);
}

/**
 * vmm_display_file - return the memory file
 * @display: the screen
 *
 * Return: the file, owned by the screen
 */
int vmm_display_file(const struct vmm_display *display)
{
	return display->fd;
}

/**
 * vmm_display_attach - set the board's framebuffer
 * @display: the screen
 * @refresh: calls vmm_display_frame() at once with the newest frame; NULL for none
 * @arg: argument of @refresh
 *
 * Context: main thread.
 */
void vmm_display_attach(struct vmm_display *display, void (*refresh)(void *arg), void *arg)
{
	display->board = refresh;
	display->board_arg = arg;
}

/**
 * vmm_display_take - show the frames of another producer than the board's framebuffer
 * @display: the screen
 * @producer: has not taken the screen; owned by the caller
 *
 * Context: main thread.
 */
void vmm_display_take(struct vmm_display *display, struct vmm_display_producer *producer)
{
	producer->next = display->taken;
	display->taken = producer;
}

/**
 * vmm_display_give_back - undo vmm_display_take()
 * @display: the screen
 * @producer: nothing happens if it has not taken the screen
 *
 * Context: main thread.
 */
void vmm_display_give_back(struct vmm_display *display, struct vmm_display_producer *producer)
{
	struct vmm_display_producer **at = &display->taken;

	while (*at && *at != producer)
		at = &(*at)->next;
	if (*at)
		*at = producer->next;
}

/**
 * vmm_display_refresh - put the newest frame into the file
 * @display: the screen
 *
 * Context: main thread.
 */
void vmm_display_refresh(struct vmm_display *display)
{
	if (display->taken)
		display->taken->refresh(display->taken->arg);
	else if (display->board)
		display->board(display->board_arg);
}

/**
 * vmm_display_size - return how large the screen is
 * @display: the screen
 * @width: filled: pixels of a row
 * @height: filled: rows
 */
void vmm_display_size(const struct vmm_display *display, u32 *width, u32 *height)
{
	*width = display->width;
	*height = display->height;
}

/**
 * vmm_display_written - return how many bytes of pixels were written so far
 * @display: the screen
 *
 * Return: bytes
 */
u64 vmm_display_written(const struct vmm_display *display)
{
	return display->written;
}

/* Changes the sequence number before and after pixels change, for readers. */
static void sequence_step(struct vmm_display_header *header)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&header->sequence, htole64(le64toh(header->sequence) + 1),
			 __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The format or rotation has changed: the whole picture is damaged. */
static void change_kind(struct vmm_display *display, enum vmm_pixels format, unsigned int turns)
{
	display->format = format;
	display->turns = turns;
	header_fill(display);
}

/**
 * struct change - a change of the file
 * @display: the screen
 * @format: of the frame's pixels
 * @turns: of the frame
 * @stride: bytes of a row
 * @all: all rows have changed
 * @first: first row that was written; the screen's height if there is none
 * @last: row after the last one that was written
 */
struct change {
	struct vmm_display *display;
	enum vmm_pixels format;
	unsigned int turns;
	size_t stride;
	bool all;
	u32 first;
	u32 last;
};

/* Writes @count rows from row @y on. */
static void change_write(struct change *change, u32 y, u32 count, const u8 *pixels)
{
	struct vmm_display *display = change->display;
	u8 *to = (u8 *)display->header + VMM_DISPLAY_PIXELS;

	if (change->first == display->height) {
		sequence_step(display->header);
		if (change->all)
			change_kind(display, change->format, change->turns);
		change->first = y;
	}
	memcpy(to + y * change->stride, pixels, count * change->stride);
	display->written += count * change->stride;
	change->last = y + count;
}

/* Writes those of @count rows from row @y on that differ, in runs of adjacent rows. */
static void change_rows(struct change *change, u32 y, u32 count, const u8 *pixels)
{
	const u8 *to = (u8 *)change->display->header + VMM_DISPLAY_PIXELS + y * change->stride;
	size_t stride = change->stride;
	u32 begin, end;

	for (begin = 0; begin < count; begin = end + 1) {
		for (end = begin; end < count; end++) {
			if (!change->all && !memcmp(to + end * stride, pixels + end * stride,
						    stride))
				break;
		}
		if (end > begin)
			change_write(change, y + begin, end - begin, pixels + begin * stride);
	}
}

/**
 * vmm_display_rows - put a frame into the file, some rows at a time
 * @display: the screen
 * @format: of its pixels
 * @turns: quarter turns clockwise to show it
 * @rows: returns rows from @y on, without gaps and as wide as the screen, and reduces *@count
 *	to their number, at least 1; they are valid until the next call, but may change
 *	meanwhile
 * @arg: first argument of @rows
 *
 * Context: any thread.
 */
void vmm_display_rows(struct vmm_display *display, enum vmm_pixels format, unsigned int turns,
		      const u8 *(*rows)(void *arg, u32 y, u32 *count), void *arg)
{
	struct change change = {
		.display = display, .format = format, .turns = turns,
		.stride = (size_t)display->width * pixel_bytes(format),
		.first = display->height,
	};
	const u8 *pixels;
	u32 count;
	u32 y;

	pthread_mutex_lock(&display->lock);
	change.all = format != display->format || turns != display->turns;
	for (y = 0; y < display->height; y += count) {
		count = display->height - y;
		pixels = rows(arg, y, &count);
		change_rows(&change, y, count, pixels);
	}
	if (change.first < display->height) {
		display->header->damage[1] = htole32(change.first);
		display->header->damage[2] = htole32(display->width);
		display->header->damage[3] = htole32(change.last - change.first);
		sequence_step(display->header);
	}
	pthread_mutex_unlock(&display->lock);
}

static const u8 black[VMM_DISPLAY_SIDE * PIXEL_MAX];

/* A frame whose rows are all in memory. */
struct piece {
	const u8 *pixels;
	size_t stride;
};

static const u8 *piece_rows(void *arg, u32 y, u32 *count)
{
	const struct piece *piece = arg;

	if (piece->pixels)
		return piece->pixels + y * piece->stride;
	*count = 1;
	return black;
}

/**
 * vmm_display_frame - put a frame into the file
 * @display: the screen
 * @format: of its pixels
 * @turns: quarter turns clockwise to show it
 * @pixels: rows without a gap, which may change meanwhile; NULL for black
 *
 * Context: any thread.
 */
void vmm_display_frame(struct vmm_display *display, enum vmm_pixels format, unsigned int turns,
		       const u8 *pixels)
{
	struct piece piece = { pixels, (size_t)display->width * pixel_bytes(format) };

	vmm_display_rows(display, format, turns, piece_rows, &piece);
}
