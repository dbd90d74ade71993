// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen of a VM in another process. That process writes the file and is not trusted: fields
 * are read once and checked against the file's size.
 *
 * The file of a source belongs to a third process, which is trusted even less. It is read and not
 * mapped: so a file that is too short cannot raise SIGBUS, whatever its seals are.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void file_forget(struct vmm_screen_file *file)
{
	if (file->number)
		close(file->fd);
	file->number = 0;
}

static void files_forget(struct vmm_screen_view *view)
{
	unsigned int i;

	for (i = 0; i < VMM_DISPLAY_SOURCES; i++)
		file_forget(&view->files[i]);
}

/**
 * vmm_screen_view_open - open a screen for viewing
 * @view: filled
 * @fd: the screen's file; may be closed afterwards
 * @ask: see struct vmm_screen_view
 * @arg: argument of @ask
 *
 * Return: 0, or -errno if it is no screen's file
 */
int vmm_screen_view_open(struct vmm_screen_view *view, int fd,
			 int (*ask)(void *arg, u64 source), void *arg)
{
	int err;

	*view = (struct vmm_screen_view){ .ask = ask, .arg = arg };
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
	files_forget(view);
	free(view->copy);
	if (view->header)
		munmap((void *)view->header, view->size);
	*view = (struct vmm_screen_view){ 0 };
}

static u32 pixel_bytes(u32 format)
{
	return format == VMM_PIXELS_RGBX8888 || format == VMM_PIXELS_BGRX8888 ? 4 : 2;
}

static const struct vmm_display_header *copied(const struct vmm_screen_view *view)
{
	return (const void *)view->copy;
}

/*
 * Finds the rows that differ from the copy, by the copied header; @now is the file's sequence.
 * After a single change, the file names its rows, which are checked against the height.
 */
static void rows_changed(struct vmm_screen_view *view, u64 now)
{
	const struct vmm_display_header *header = copied(view);
	u32 format = le32toh(header->format);
	u32 turns = le32toh(header->turns) % 4;
	u32 top = le32toh(header->damage[1]);
	u32 rows = le32toh(header->damage[3]);
	bool whole = !view->seen || view->sequence & 1 || now != view->sequence + 2 ||
		     top > view->height || rows > view->height - top ||
		     format != view->format || turns != view->turns;

	view->format = format;
	view->turns = turns;
	view->first = whole ? 0 : top;
	view->last = whole ? view->height : top + rows;
}

/*
 * Returns the file of a source, which the VM passes once; or -errno. Only memfds have seals:
 * reading another file may block.
 */
static int file_of(struct vmm_screen_view *view, u64 source)
{
	struct vmm_screen_file *file = &view->files[view->next];
	unsigned int i;
	int seals;
	int fd;

	for (i = 0; i < VMM_DISPLAY_SOURCES; i++) {
		if (view->files[i].number == source)
			return view->files[i].fd;
	}
	fd = view->ask ? view->ask(view->arg, source) : -EOPNOTSUPP;
	if (fd < 0)
		return fd;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK)) {
		close(fd);
		return -EPERM;
	}
	file_forget(file);
	*file = (struct vmm_screen_file){ source, fd };
	view->next = (view->next + 1) % VMM_DISPLAY_SOURCES;
	return fd;
}

/* Reads from a source; bytes that it does not have are 0. */
static void file_read(int fd, u8 *to, size_t len, u64 offset)
{
	ssize_t n = 1;

	while (len && n > 0) {
		n = pread(fd, to, len, offset);
		if (n <= 0)
			break;
		to += n;
		len -= n;
		offset += n;
	}
	memset(to, 0, len);
}

static u32 blend(u32 under, u32 over)
{
	u32 left = 255 - (over >> 24);
	u32 out = 0;
	u32 shift;

	for (shift = 0; shift < 24; shift += 8) {
		u32 sum = (over >> shift & 0xff) + (under >> shift & 0xff) * left / 255;

		out |= (sum > 255 ? 255 : sum) << shift;
	}
	return out;
}

/* Draws a row of the cursor over row @y. Columns wrap left of the screen. */
static void cursor_row(struct vmm_screen_view *view, u32 row, u32 y)
{
	const u32 *over = (const u32 *)(const void *)(view->copy + VMM_DISPLAY_CURSOR) +
			  row * VMM_DISPLAY_CURSOR_SIDE;
	u32 *to = (u32 *)(void *)(view->copy + VMM_DISPLAY_PIXELS) + (size_t)y * view->width;
	u32 left = le32toh(copied(view)->cursor_x);
	u32 i;

	for (i = 0; i < VMM_DISPLAY_CURSOR_SIDE; i++) {
		if (left + i < view->width)
			to[left + i] = htole32(blend(le32toh(to[left + i]), le32toh(over[i])));
	}
}

/* Draws the cursor over rows that were copied just now: over others, it is drawn already. */
static void cursor_draw(struct vmm_screen_view *view)
{
	u32 top = le32toh(copied(view)->cursor_y);
	u32 row;

	if (!copied(view)->cursor_shown || view->format != VMM_PIXELS_BGRX8888)
		return;
	for (row = 0; row < VMM_DISPLAY_CURSOR_SIDE; row++) {
		if (top + row >= view->first && top + row < view->last)
			cursor_row(view, row, top + row);
	}
}

/*
 * Copies the header, and all rows that have changed since the last copy. Returns 0, or -errno if
 * the pixels are in a file that cannot be had.
 */
static int frame_copy(struct vmm_screen_view *view, u64 now)
{
	const u8 *from = (const u8 *)view->header;
	size_t at, len;
	u64 source;
	int fd = -1;

	memcpy(view->copy, from, VMM_DISPLAY_PIXELS);
	source = le64toh(copied(view)->source);
	if (source)
		fd = file_of(view, source);
	else
		files_forget(view);
	if (source && fd < 0)
		return fd;
	rows_changed(view, now);
	at = (size_t)view->first * view->width * pixel_bytes(view->format);
	len = (size_t)(view->last - view->first) * view->width * pixel_bytes(view->format);
	if (source)
		file_read(fd, view->copy + VMM_DISPLAY_PIXELS + at, len,
			  le64toh(copied(view)->offset) + at);
	else
		memcpy(view->copy + VMM_DISPLAY_PIXELS + at, from + VMM_DISPLAY_PIXELS + at, len);
	cursor_draw(view);
	return 0;
}

/**
 * vmm_screen_view_update - copy the screen's content
 * @view: the screen; its copy is updated
 *
 * A frame that changes while it is copied is copied again, a limited number of times. The header
 * is read again if the source that it has named is gone.
 *
 * Return: whether it has changed; vmm_screen_view_changed() returns where
 */
bool vmm_screen_view_update(struct vmm_screen_view *view)
{
	u64 before = 0;
	unsigned int i;
	int err = 0;

	if (view->seen && sequence_of(view) == view->sequence)
		return false;
	for (i = 0; i < TRIES && (!err || err == -ENOENT); i++) {
		before = sequence_of(view);
		err = frame_copy(view, before);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!err && !(before & 1) && sequence_of(view) == before)
			break;
		/* Sleeps for a millisecond, by a call that the sandbox allows. */
		poll(NULL, 0, 1);
	}
	view->seen = !err;
	view->sequence = before;
	return !err;
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
