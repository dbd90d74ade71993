// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a GPU shows on a screen: pixels that came in messages, or the process's own pixels in a
 * file. The process is not trusted. The file must be a memfd, because reading another file may
 * block. The file is mapped only if it is sealed against shrinking, because reading a mapped file
 * that was truncated raises SIGBUS. Other memfds are read. A sealed file that has the whole screen
 * is passed on to viewers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"

#define MADE	65536	/* pixels that are combined at a time */

/**
 * vmm_gpu_screen_open - initialise a scanout that shows nothing
 * @s: filled
 * @screen_width: pixels of a row of the screen
 *
 * Return: 0, or -ENOMEM
 */
int vmm_gpu_screen_open(struct vmm_gpu_screen *s, u32 screen_width)
{
	*s = (struct vmm_gpu_screen){ .fd = -1, .screen_width = screen_width };
	s->made_max = MADE / screen_width ? MADE / screen_width : 1;
	s->made = calloc((size_t)s->made_max * screen_width, sizeof(*s->made));
	return s->made ? 0 : -ENOMEM;
}

/**
 * vmm_gpu_screen_off - show nothing
 * @s: may show nothing
 */
void vmm_gpu_screen_off(struct vmm_gpu_screen *s)
{
	free(s->own);
	s->own = NULL;
	if (s->map)
		munmap(s->map, s->map_size);
	s->map = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->width = 0;
	s->height = 0;
}

/**
 * vmm_gpu_screen_close - undo vmm_gpu_screen_open()
 * @s: the scanout
 */
void vmm_gpu_screen_close(struct vmm_gpu_screen *s)
{
	vmm_gpu_screen_off(s);
	free(s->made);
	s->made = NULL;
}

/**
 * vmm_gpu_screen_size - show pixels from messages, black at first
 * @s: the scanout
 * @width: pixels of a row, 0 to show nothing
 * @height: rows, likewise
 *
 * Return: 0, or -errno with nothing shown
 */
int vmm_gpu_screen_size(struct vmm_gpu_screen *s, u32 width, u32 height)
{
	vmm_gpu_screen_off(s);
	if (!width || !height)
		return 0;
	if (width > VMM_GPU_SIDE || height > VMM_GPU_SIDE)
		return -EINVAL;
	s->own = calloc(height, 4 * (size_t)width);
	if (!s->own)
		return -ENOMEM;
	s->width = width;
	s->height = height;
	s->offset = 0;
	s->stride = 4 * (size_t)width;
	return 0;
}

static bool file_fits(const struct vmm_gpu_file_scanout *in, u64 size)
{
	if (!in->width || !in->height || in->file_width > VMM_GPU_SIDE ||
	    in->file_height > VMM_GPU_SIDE || in->stride > 4 * VMM_GPU_SIDE)
		return false;
	return in->width <= in->file_width && in->x <= in->file_width - in->width &&
	       in->height <= in->file_height && in->y <= in->file_height - in->height &&
	       in->stride >= 4 * in->file_width && (u64)in->stride * in->file_height <= size;
}

/*
 * Maps a file that cannot shrink. A file of huge pages is not mapped, because touching one raises
 * SIGBUS when the host has no free huge page. A file that is not mapped is read.
 */
static void file_map(struct vmm_gpu_screen *s, const struct stat *st, int seals)
{
	void *map;

	if (!(seals & F_SEAL_SHRINK) || st->st_blksize != sysconf(_SC_PAGESIZE) ||
	    (u64)st->st_size > 4ULL * VMM_GPU_SIDE * VMM_GPU_SIDE)
		return;
	map = mmap(NULL, st->st_size, PROT_READ, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED)
		return;
	s->map = map;
	s->map_size = st->st_size;
}

/**
 * vmm_gpu_screen_file - show pixels of a file
 * @s: the scanout
 * @in: the place of the pixels in the file
 * @fd: the file; owned by the scanout from here on, also after an error
 *
 * Return: 0; -EPERM if the file is no memfd, or -EINVAL if it is too small or has other
 *	pixels: then nothing is shown
 */
int vmm_gpu_screen_file(struct vmm_gpu_screen *s, const struct vmm_gpu_file_scanout *in, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	vmm_gpu_screen_off(s);
	s->fd = fd;
	/* Only memfds have seals. Reading a file of a file system may block. */
	if (seals < 0) {
		vmm_gpu_screen_off(s);
		return -EPERM;
	}
	if (in->fourcc != GPU_FOURCC_XR24 || in->flags || fstat(fd, &st) ||
	    !file_fits(in, st.st_size)) {
		vmm_gpu_screen_off(s);
		return -EINVAL;
	}
	s->offset = (u64)in->stride * in->y + 4 * (u64)in->x;
	s->stride = in->stride;
	s->width = in->width;
	s->height = in->height;
	s->first = 0;
	s->last = in->height;
	file_map(s, &st, seals);
	return 0;
}

/**
 * vmm_gpu_screen_part - find the place of an update's pixels
 * @s: the scanout
 * @update: its rectangle on the scanout
 *
 * Return: its first pixel, with @s->stride bytes from row to row; NULL if it is not inside the
 *	scanout, or the scanout shows a file
 */
u8 *vmm_gpu_screen_part(struct vmm_gpu_screen *s, const struct vmm_gpu_update *update)
{
	if (!s->own || !update->width || !update->height || update->width > s->width ||
	    update->x > s->width - update->width || update->height > s->height ||
	    update->y > s->height - update->height)
		return NULL;
	return s->own + s->stride * update->y + 4 * (size_t)update->x;
}

/**
 * vmm_gpu_screen_changed - note that pixels of the file have changed
 * @s: the scanout
 * @update: a rectangle, which may be anywhere
 */
void vmm_gpu_screen_changed(struct vmm_gpu_screen *s, const struct vmm_gpu_update *update)
{
	u32 first = update->y;
	u32 last;

	if (first >= s->height || !update->height)
		return;
	last = update->height < s->height - first ? first + update->height : s->height;
	if (s->first >= s->last) {
		s->first = first;
		s->last = last;
		return;
	}
	if (first < s->first)
		s->first = first;
	if (last > s->last)
		s->last = last;
}

/* Returns row @y if it is in memory; NULL if it must be read from the file. */
static const u8 *row_at(const struct vmm_gpu_screen *s, u32 y)
{
	const u8 *pixels = s->own ? s->own : s->map;

	return pixels ? pixels + s->offset + (u64)y * s->stride : NULL;
}

/* Returns how many rows from @y on can be taken from memory unchanged. */
static u32 rows_as_they_are(const struct vmm_gpu_screen *s, u32 y, u32 most)
{
	if (y >= s->height || s->width < s->screen_width || !row_at(s, y))
		return 0;
	if (s->stride != 4 * (size_t)s->screen_width)
		most = 1;
	else if (s->height - y < most)
		most = s->height - y;
	return most;
}

/* Copies @len bytes of the scanout's row @y; missing bytes of a file are black. */
static void row_read(struct vmm_gpu_screen *s, void *to, u32 y, size_t len)
{
	const u8 *row = row_at(s, y);
	ssize_t have = len;

	if (row)
		memcpy(to, row, len);
	else
		have = pread(s->fd, to, len, s->offset + (u64)y * s->stride);
	if (have < 0)
		have = 0;
	s->copied += have;
	memset((u8 *)to + have, 0, len - have);
}

static void row_make(struct vmm_gpu_screen *s, u32 *to, u32 y)
{
	u32 seen = s->width < s->screen_width ? s->width : s->screen_width;

	if (y >= s->height)
		seen = 0;
	if (seen)
		row_read(s, to, y, 4 * (size_t)seen);
	memset(to + seen, 0, 4 * (size_t)(s->screen_width - seen));
}

/* For vmm_display_rows(). Pixels outside the scanout are black. */
static const u8 *screen_rows(void *arg, u32 y, u32 *count)
{
	struct vmm_gpu_screen *s = arg;
	u32 whole = rows_as_they_are(s, y, *count);
	u32 i;

	if (whole) {
		*count = whole;
		return row_at(s, y);
	}
	if (*count > s->made_max)
		*count = s->made_max;
	if (y < s->height && *count > s->height - y)
		*count = s->height - y;
	if (y < s->height && s->fd >= 0 && !s->map && s->width == s->screen_width &&
	    s->stride == 4 * (size_t)s->width) {
		row_read(s, s->made, y, s->stride * *count);
		return (const u8 *)s->made;
	}
	for (i = 0; i < *count; i++)
		row_make(s, s->made + (size_t)i * s->screen_width, y + i);
	return (const u8 *)s->made;
}

/*
 * Returns whether viewers can read the screen's pixels from the file. Its size is limited, because
 * the file is kept after the guest has freed it: two pictures, one below the other, are possible.
 */
static bool is_source(const struct vmm_gpu_screen *s, u32 screen_height)
{
	size_t row = 4 * (size_t)s->screen_width;

	return s->map && s->width == s->screen_width && s->height >= screen_height &&
	       s->stride == row && s->map_size <= 2 * row * screen_height + VMM_PAGE_SIZE;
}

/**
 * vmm_gpu_screen_show - show the scanout on the screen
 * @s: the scanout
 * @display: the screen
 *
 * Context: main thread.
 */
void vmm_gpu_screen_show(struct vmm_gpu_screen *s, struct vmm_display *display)
{
	struct vmm_display_source source = {
		.fd = s->fd, .offset = s->offset, .first = s->first, .last = s->last,
	};
	u32 width, height;

	vmm_display_size(display, &width, &height);
	if (source.last > height)
		source.last = height;
	if (!is_source(s, height) || vmm_display_source(display, &source))
		vmm_display_rows(display, VMM_PIXELS_BGRX8888, 0, screen_rows, s);
	s->first = 0;
	s->last = 0;
}
