// SPDX-License-Identifier: GPL-2.0-only
/*
 * Colour buffers: pictures that the guest fills and the screen shows. Whatever format the
 * guest uses, a pixel is stored as blue, green, red and alpha, the screen's format.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gles.h"

#define SERIAL_SHIFT	10	/* GLES_BUFFERS is 1 << 10 */

_Static_assert(GLES_BUFFERS == 1 << SERIAL_SHIFT, "a handle contains the index");

static size_t bytes_of(const struct gles_buffer *buffer)
{
	return 4 * (size_t)buffer->width * buffer->height;
}

static void buffer_free(struct gles_buffer *buffer)
{
	if (buffer->pixels)
		munmap(buffer->pixels, bytes_of(buffer));
	if (buffer->fd >= 0)
		close(buffer->fd);
	free(buffer);
}

/* Allocates the pixels in a memory file, which can be passed to the screen. */
static bool buffer_fill(struct gles_buffer *buffer)
{
	void *at;

	buffer->fd = memfd_create("colour-buffer", MFD_CLOEXEC);
	if (buffer->fd < 0 || ftruncate(buffer->fd, bytes_of(buffer)))
		return false;
	at = mmap(NULL, bytes_of(buffer), PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	if (at == MAP_FAILED)
		return false;
	buffer->pixels = at;
	return true;
}

static int slot_free(const struct gles_buffers *buffers)
{
	int i;

	for (i = 0; i < GLES_BUFFERS; i++) {
		if (!buffers->slot[i])
			return i;
	}
	return -1;
}

/**
 * gles_buffer_new - create a black colour buffer
 * @buffers: all buffers; it is added
 * @width: pixels of a row
 * @height: rows
 *
 * Return: the buffer, which the caller must hold; NULL if there is no room for one
 */
struct gles_buffer *gles_buffer_new(struct gles_buffers *buffers, u32 width, u32 height)
{
	struct gles_buffer *buffer;
	int slot = slot_free(buffers);
	u64 bytes = 4ULL * width * height;

	if (!width || !height || width > GLES_SIDE || height > GLES_SIDE || slot < 0 ||
	    bytes > buffers->most - buffers->memory)
		return NULL;
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return NULL;
	buffer->width = width;
	buffer->height = height;
	if (!buffer_fill(buffer)) {
		buffer_free(buffer);
		return NULL;
	}
	/* No handle is 0. */
	buffers->serial++;
	if (!(buffers->serial << SERIAL_SHIFT))
		buffers->serial = 1;
	buffer->handle = buffers->serial << SERIAL_SHIFT | slot;
	buffers->slot[slot] = buffer;
	buffers->memory += bytes;
	return buffer;
}

/**
 * gles_buffer_find - find a colour buffer
 * @buffers: all
 * @handle: the guest's handle, not trusted
 *
 * Return: the buffer, or NULL
 */
struct gles_buffer *gles_buffer_find(const struct gles_buffers *buffers, u32 handle)
{
	struct gles_buffer *buffer = buffers->slot[handle % GLES_BUFFERS];

	return buffer && buffer->handle == handle ? buffer : NULL;
}

/**
 * gles_buffer_hold - take a reference to a colour buffer
 * @buffer: the buffer
 *
 * The count is bounded: each process holds a buffer once, and the screen holds one.
 */
void gles_buffer_hold(struct gles_buffer *buffer)
{
	buffer->holders++;
}

/**
 * gles_buffer_drop - drop a reference to a colour buffer
 * @buffers: all
 * @buffer: the buffer; freed with its last reference
 */
void gles_buffer_drop(struct gles_buffers *buffers, struct gles_buffer *buffer)
{
	if (buffer->holders && --buffer->holders)
		return;
	buffers->slot[buffer->handle % GLES_BUFFERS] = NULL;
	buffers->memory -= bytes_of(buffer);
	buffer_free(buffer);
}

/* ---- pixels ---- */

/* Constants of OpenGL ES. */
#define GL_RGB			0x1907
#define GL_RGBA			0x1908
#define GL_BGRA			0x80e1
#define GL_UNSIGNED_BYTE	0x1401
#define GL_USHORT_5_6_5		0x8363

enum { RGBA, BGRA, RGB, RGB565 };

static const struct {
	u32 format;
	u32 type;
	unsigned int bytes;
} kinds[] = {
	[RGBA] = { GL_RGBA, GL_UNSIGNED_BYTE, 4 },
	[BGRA] = { GL_BGRA, GL_UNSIGNED_BYTE, 4 },
	[RGB] = { GL_RGB, GL_UNSIGNED_BYTE, 3 },
	[RGB565] = { GL_RGB, GL_USHORT_5_6_5, 2 },
};

/**
 * gles_pixels_find - find a pixel format
 * @format: format of OpenGL ES
 * @type: type of OpenGL ES
 *
 * Return: its index, or -1 if it is unknown
 */
int gles_pixels_find(u32 format, u32 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].format == format && kinds[i].type == type)
			return i;
	}
	return -1;
}

/**
 * gles_pixels_bytes - return the size of a pixel
 * @kind: index of the pixel format
 *
 * Return: bytes
 */
unsigned int gles_pixels_bytes(int kind)
{
	return kinds[kind].bytes;
}

/* Swaps red and blue. */
static u32 swapped(u32 pixel)
{
	return (pixel & 0xff00ff00) | (pixel >> 16 & 0xff) | (pixel & 0xff) << 16;
}

/* Expands RGB565 to 8 bits for each colour, repeating the upper bits. */
static u32 from_565(u32 pixel)
{
	u32 r = pixel >> 11 & 0x1f;
	u32 g = pixel >> 5 & 0x3f;
	u32 b = pixel & 0x1f;

	return 0xff000000 | (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static u32 to_565(u32 pixel)
{
	return (pixel >> 19 & 0x1f) << 11 | (pixel >> 10 & 0x3f) << 5 | (pixel >> 3 & 0x1f);
}

/**
 * gles_pixels_in - convert pixels from the guest
 * @kind: index of their format
 * @to: filled
 * @from: the guest's pixels, not aligned
 * @count: how many
 */
void gles_pixels_in(int kind, u32 *to, const u8 *from, size_t count)
{
	size_t i;
	u32 pixel;

	if (kind == BGRA) {
		memcpy(to, from, 4 * count);
		return;
	}
	for (i = 0; i < count; i++, from += kinds[kind].bytes) {
		if (kind == RGBA) {
			memcpy(&pixel, from, sizeof(pixel));
			to[i] = swapped(pixel);
		} else if (kind == RGB) {
			to[i] = 0xff000000 | from[0] << 16 | from[1] << 8 | from[2];
		} else {
			to[i] = from_565(from[0] | from[1] << 8);
		}
	}
}

/**
 * gles_pixels_out - convert pixels for the guest
 * @kind: index of the wanted format
 * @to: filled, not aligned
 * @from: the pixels
 * @count: how many
 */
void gles_pixels_out(int kind, u8 *to, const u32 *from, size_t count)
{
	size_t i;
	u32 pixel;

	for (i = 0; i < count; i++, to += kinds[kind].bytes) {
		pixel = from[i];
		if (kind == RGBA)
			pixel = swapped(pixel);
		else if (kind == RGB)
			pixel = swapped(pixel);
		else if (kind == RGB565)
			pixel = to_565(pixel);
		/* Pixels are little endian. */
		memcpy(to, &pixel, kinds[kind].bytes);
	}
}
