// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen: a memory file that all viewers share, and the frames that a device puts there.
 * A frame is fetched only when a viewer wants to see it, and only rows that have changed are
 * written. If a device has all pixels in a file, nothing is written: the header names that file.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/display.h"
#include "host/log.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

#define PIXEL_MAX	4	/* bytes of a pixel, at most */

/**
 * struct source - a file that has or had the screen's pixels
 * @number: its number, 0 if the element is not used
 * @fd: the file
 * @dev: its device and inode tell whether another file descriptor is of the same file
 * @ino: see @dev
 */
struct source {
	u64 number;
	int fd;
	dev_t dev;
	ino_t ino;
};

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
 * @cursor: the cursor of the producer that is shown, while it is called; or NULL
 * @lock: protects all that follows and the pixels
 * @format: of the pixels
 * @turns: as in the header
 * @source: as in the header
 * @offset: as in the header
 * @sources: the last sources, so that a page flip to one of them needs no new number
 * @numbers: numbers of sources that were used
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
	const struct vmm_display_cursor *cursor;
	pthread_mutex_t lock;
	enum vmm_pixels format;
	unsigned int turns;
	u64 source;
	u64 offset;
	struct source sources[VMM_DISPLAY_SOURCES];
	u64 numbers;
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
	header->source = htole64(display->source);
	header->offset = htole64(display->offset);
}

static void sources_forget(struct vmm_display *display)
{
	unsigned int i;

	for (i = 0; i < VMM_DISPLAY_SOURCES; i++) {
		if (display->sources[i].number)
			close(display->sources[i].fd);
		display->sources[i].number = 0;
	}
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
	sources_forget(display);
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
	if (display->taken) {
		display->cursor = display->taken->cursor;
		display->taken->refresh(display->taken->arg);
		display->cursor = NULL;
	} else if (display->board) {
		display->board(display->board_arg);
	}
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

/**
 * struct change - a change of the file
 * @display: the screen
 * @begun: the sequence number is odd
 * @all: all rows change, and the header with them
 * @first: first row that has changed; the screen's height if there is none
 * @last: row after the last one
 */
struct change {
	struct vmm_display *display;
	bool begun;
	bool all;
	u32 first;
	u32 last;
};

/* Call before any change. */
static void change_begin(struct change *change)
{
	if (!change->begun)
		sequence_step(change->display->header);
	change->begun = true;
}

/* Reports these rows as changed. */
static void change_note(struct change *change, u32 first, u32 last)
{
	change_begin(change);
	if (first < change->first)
		change->first = first;
	if (last > change->last)
		change->last = last;
}

/* Begins a change to these pixels: of the whole picture if they are of another kind. */
static struct change change_to(struct vmm_display *display, enum vmm_pixels format,
			       unsigned int turns, u64 source, u64 offset)
{
	struct change change = { .display = display, .first = display->height };

	change.all = format != display->format || turns != display->turns ||
		     source != display->source || offset != display->offset;
	if (!change.all)
		return change;
	change_note(&change, 0, display->height);
	display->format = format;
	display->turns = turns;
	display->source = source;
	display->offset = offset;
	header_fill(display);
	return change;
}

/* Reports the cursor's rows as changed; a cursor may be above or below the screen. */
static void cursor_note(struct change *change)
{
	const struct vmm_display_header *header = change->display->header;
	s64 first = (s32)le32toh(header->cursor_y);
	s64 last = first + VMM_DISPLAY_CURSOR_SIDE;

	if (!header->cursor_shown)
		return;
	if (first < 0)
		first = 0;
	if (last > change->display->height)
		last = change->display->height;
	if (first < last)
		change_note(change, first, last);
}

static void change_cursor(struct change *change)
{
	struct vmm_display_header *header = change->display->header;
	const struct vmm_display_cursor *cursor = change->display->cursor;
	u8 *pixels = (u8 *)header + VMM_DISPLAY_CURSOR;
	bool shown = cursor && cursor->shown;

	if (!shown && !header->cursor_shown)
		return;
	if (shown && header->cursor_shown && cursor->x == le32toh(header->cursor_x) &&
	    cursor->y == le32toh(header->cursor_y) &&
	    !memcmp(pixels, cursor->pixels, sizeof(cursor->pixels)))
		return;
	change_begin(change);
	cursor_note(change);
	header->cursor_shown = htole32(shown);
	if (!shown)
		return;
	header->cursor_x = htole32(cursor->x);
	header->cursor_y = htole32(cursor->y);
	memcpy(pixels, cursor->pixels, sizeof(cursor->pixels));
	cursor_note(change);
}

static void change_end(struct change *change)
{
	struct vmm_display_header *header = change->display->header;
	bool rows = change->first < change->last;

	if (!change->begun)
		return;
	header->damage[1] = htole32(rows ? change->first : 0);
	header->damage[2] = htole32(change->display->width);
	header->damage[3] = htole32(rows ? change->last - change->first : 0);
	sequence_step(header);
}

/* Writes @count rows from row @y on. */
static void change_write(struct change *change, u32 y, u32 count, const u8 *pixels, size_t stride)
{
	u8 *to = (u8 *)change->display->header + VMM_DISPLAY_PIXELS;

	change_note(change, y, y + count);
	memcpy(to + y * stride, pixels, count * stride);
	change->display->written += count * stride;
}

/* Writes those of @count rows from row @y on that differ, in runs of adjacent rows. */
static void change_rows(struct change *change, u32 y, u32 count, const u8 *pixels, size_t stride)
{
	const u8 *to = (u8 *)change->display->header + VMM_DISPLAY_PIXELS + y * stride;
	u32 begin, end;

	for (begin = 0; begin < count; begin = end + 1) {
		for (end = begin; end < count; end++) {
			if (!change->all && !memcmp(to + end * stride, pixels + end * stride,
						    stride))
				break;
		}
		if (end > begin)
			change_write(change, y + begin, end - begin,
				     pixels + begin * stride, stride);
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
	size_t stride = (size_t)display->width * pixel_bytes(format);
	struct change change;
	const u8 *pixels;
	u32 count;
	u32 y;

	pthread_mutex_lock(&display->lock);
	change = change_to(display, format, turns, 0, 0);
	change_cursor(&change);
	for (y = 0; y < display->height; y += count) {
		count = display->height - y;
		pixels = rows(arg, y, &count);
		change_rows(&change, y, count, pixels, stride);
	}
	change_end(&change);
	/* The header names none of them any more. */
	sources_forget(display);
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

/* Returns the source to overwrite: the oldest one, but not the one that is shown. */
static struct source *source_place(struct vmm_display *display)
{
	struct source *place = NULL;
	unsigned int i;

	for (i = 0; i < VMM_DISPLAY_SOURCES; i++) {
		struct source *source = &display->sources[i];

		if (source->number && source->number == display->source)
			continue;
		if (!place || source->number < place->number)
			place = source;
	}
	return place;
}

/* Gives a file a number, unless it has one. Returns 0, or -errno. */
static int source_number(struct vmm_display *display, int fd, u64 *number)
{
	struct source *source;
	struct stat st;
	unsigned int i;

	if (fstat(fd, &st))
		return -errno;
	for (i = 0; i < VMM_DISPLAY_SOURCES; i++) {
		source = &display->sources[i];
		*number = source->number;
		if (*number && source->dev == st.st_dev && source->ino == st.st_ino)
			return 0;
	}
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	source = source_place(display);
	if (source->number)
		close(source->fd);
	*number = ++display->numbers;
	*source = (struct source){ *number, fd, st.st_dev, st.st_ino };
	return 0;
}

/**
 * vmm_display_source - show the pixels of a file without copying them
 * @display: the screen
 * @source: the file; its descriptor may be closed afterwards
 *
 * Context: main thread.
 * Return: 0, or -errno with nothing changed
 */
int vmm_display_source(struct vmm_display *display, const struct vmm_display_source *source)
{
	struct change change;
	u64 number = 0;
	int err;

	pthread_mutex_lock(&display->lock);
	err = source_number(display, source->fd, &number);
	if (!err) {
		change = change_to(display, VMM_PIXELS_BGRX8888, 0, number, source->offset);
		change_cursor(&change);
		if (source->first < source->last)
			change_note(&change, source->first, source->last);
		change_end(&change);
	}
	pthread_mutex_unlock(&display->lock);
	return err;
}

/**
 * vmm_display_source_file - return the file of a source
 * @display: the screen
 * @number: number of the source
 *
 * Context: main thread.
 * Return: the file, owned by the screen; -ENOENT if the source is gone. Then it is not in the
 *	header any more.
 */
int vmm_display_source_file(const struct vmm_display *display, u64 number)
{
	unsigned int i;

	for (i = 0; number && i < VMM_DISPLAY_SOURCES; i++) {
		if (display->sources[i].number == number)
			return display->sources[i].fd;
	}
	return -ENOENT;
}
