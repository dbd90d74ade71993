// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen: the one file that all who show it share, and the frames that a device
 * puts there. A frame is taken when somebody wants to see it, and only rows that are
 * others than before are written.
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
 * @fd: the file
 * @header: its first page, and pixels behind
 * @size: bytes of it
 * @width: pixels of a row
 * @height: rows
 * @refresh: has the producer call vmm_display_frame(), or NULL
 * @arg: argument of @refresh
 * @lock: protects all that follows and the pixels
 * @format: of the pixels
 * @turns: as the header has it
 */
struct vmm_display {
	int fd;
	struct vmm_display_header *header;
	size_t size;
	unsigned int width;
	unsigned int height;
	void (*refresh)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	enum vmm_pixels format;
	unsigned int turns;
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

/* Our mapping stays writable; there will be no other that is. */
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
 * vmm_display_open - make a screen, black
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
 * vmm_display_close - show nothing any more
 * @display: may be NULL; who has the file keeps the last frame
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
 * vmm_display_file - tell which file it is
 * @display: the screen
 *
 * Return: the file, which stays the screen's
 */
int vmm_display_file(const struct vmm_display *display)
{
	return display->fd;
}

/**
 * vmm_display_attach - say who has the frames
 * @display: the screen
 * @refresh: calls vmm_display_frame() at once with the newest; NULL for nobody
 * @arg: argument of @refresh
 *
 * Context: main thread.
 */
void vmm_display_attach(struct vmm_display *display, void (*refresh)(void *arg), void *arg)
{
	display->refresh = refresh;
	display->arg = arg;
}

/**
 * vmm_display_refresh - put the newest frame into the file
 * @display: the screen
 *
 * Context: main thread.
 */
void vmm_display_refresh(struct vmm_display *display)
{
	if (display->refresh)
		display->refresh(display->arg);
}

/* A reader sees that pixels change, before they do and after. */
static void sequence_step(struct vmm_display_header *header)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&header->sequence, htole64(le64toh(header->sequence) + 1),
			 __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static const u8 black[4096 * PIXEL_MAX];

/* Whether row @y is to be another. */
static bool row_differs(const u8 *to, const u8 *pixels, size_t stride, unsigned int y)
{
	return memcmp(to + y * stride, pixels ? pixels + y * stride : black, stride);
}

static void rows_copy(u8 *to, const u8 *pixels, size_t stride, unsigned int y,
		      unsigned int count)
{
	if (pixels)
		memcpy(to + y * stride, pixels + y * stride, count * stride);
	else
		memset(to + y * stride, 0, count * stride);
}

/* Another kind of picture: all of it is new. */
static void change_kind(struct vmm_display *display, enum vmm_pixels format, unsigned int turns)
{
	display->format = format;
	display->turns = turns;
	header_fill(display);
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
	u8 *to = (u8 *)display->header + VMM_DISPLAY_PIXELS;
	size_t stride = (size_t)display->width * pixel_bytes(format);
	unsigned int first = display->height;
	unsigned int last = 0;
	unsigned int end = 0;
	unsigned int y = 0;
	bool all;

	pthread_mutex_lock(&display->lock);
	all = format != display->format || turns != display->turns;
	/* From one row that differs up to one that does not, at once. */
	for (; y < display->height; y = end + 1) {
		for (end = y; end < display->height; end++) {
			if (!all && !row_differs(to, pixels, stride, end))
				break;
		}
		if (end == y)
			continue;
		if (first == display->height) {
			sequence_step(display->header);
			if (all)
				change_kind(display, format, turns);
			first = y;
		}
		rows_copy(to, pixels, stride, y, end - y);
		last = end;
	}
	if (first < display->height) {
		display->header->damage[1] = htole32(first);
		display->header->damage[2] = htole32(display->width);
		display->header->damage[3] = htole32(last - first);
		sequence_step(display->header);
	}
	pthread_mutex_unlock(&display->lock);
}
