// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pixels for a screen, in a file that can be passed to the front end. With the 2D renderer a
 * resource has no others; other renderers have their own, and copy them here when they are
 * shown.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

/*
 * Shifts of blue, green, red and alpha in a little-endian pixel of a format. A format without
 * alpha has the shift of its unused byte, because Linux uses such a format for cursors and has
 * their alpha in that byte.
 */
static const struct {
	u32 format;
	u8 blue;
	u8 green;
	u8 red;
	u8 alpha;
} formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0, 8, 16, 24 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0, 8, 16, 24 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 24, 16, 8, 0 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 24, 16, 8, 0 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 16, 8, 0, 24 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 8, 16, 24, 0 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 8, 16, 24, 0 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 16, 8, 0, 24 },
};

static int format_find(u32 format)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (formats[i].format == format)
			return i;
	}
	return -EINVAL;
}

/**
 * gpu_format_known - return whether pixels of a format can be shown
 * @format: the format, not trusted
 *
 * Return: whether they can
 */
bool gpu_format_known(u32 format)
{
	return format_find(format) >= 0;
}

/**
 * gpu_rect_in - return whether a rectangle lies in a picture
 * @rect: may be empty
 * @width: of the picture
 * @height: likewise
 *
 * Return: whether it does
 */
bool gpu_rect_in(const struct gpu_rect *rect, u32 width, u32 height)
{
	return rect->width <= width && rect->x <= width - rect->width &&
	       rect->height <= height && rect->y <= height - rect->height;
}

/* Creates a file of pixels; it is sealed, so that others can map it and its size stays. */
static int file_make(u64 size)
{
	int fd = memfd_create("gpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -1;
}

/**
 * gpu_pixels_make - allocate a resource's pixels for a screen, black
 * @gpu: the device
 * @r: a resource without such pixels
 *
 * Return: 0; -EINVAL if it is not two-dimensional, or its format cannot be shown; -ENOMEM
 */
int gpu_pixels_make(struct gpu *gpu, struct gpu_resource *r)
{
	u64 size = 4ULL * r->width * r->height;
	void *map;

	if (!gpu_format_known(r->format) || r->target != GPU_TARGET_2D || r->width > GPU_SIDE ||
	    r->height > GPU_SIDE)
		return -EINVAL;
	size = (size + VMM_PAGE_SIZE - 1) / VMM_PAGE_SIZE * VMM_PAGE_SIZE;
	if (!gpu_memory_take(gpu, size))
		return -ENOMEM;
	r->size = size;
	r->fd = file_make(size);
	map = r->fd < 0 ? MAP_FAILED :
	      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (map == MAP_FAILED) {
		gpu_pixels_free(gpu, r);
		return -ENOMEM;
	}
	r->pixels = map;
	return 0;
}

/**
 * gpu_pixels_free - undo gpu_pixels_make()
 * @gpu: the device
 * @r: a resource, maybe without such pixels
 */
void gpu_pixels_free(struct gpu *gpu, struct gpu_resource *r)
{
	if (r->pixels)
		munmap(r->pixels, r->size);
	if (r->fd >= 0)
		close(r->fd);
	gpu->memory -= r->size;
	r->pixels = NULL;
	r->size = 0;
	r->fd = -1;
}

/**
 * gpu_pixels_read - update pixels for a screen from the renderer
 * @gpu: the device
 * @r: the resource
 * @rect: the rectangle, inside the resource
 *
 * Return: 0; -EINVAL for a resource that cannot be shown; or the renderer's -errno
 */
int gpu_pixels_read(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect)
{
	int err = r->pixels ? 0 : gpu_pixels_make(gpu, r);

	if (err || !gpu->renderer->ops->read || !rect->width || !rect->height)
		return err;
	gpu->copied += 4 * (u64)rect->width * rect->height;
	return gpu->renderer->ops->read(gpu->renderer, r, rect);
}

/**
 * gpu_resource_is_bgrx - return whether pixels are in the screen's format
 * @r: the resource
 *
 * Return: whether they are blue, green, red and one byte more
 */
bool gpu_resource_is_bgrx(const struct gpu_resource *r)
{
	int format = format_find(r->format);

	return !formats[format].blue && formats[format].green == 8 && formats[format].red == 16;
}

static u32 word_convert(u32 word, int format)
{
	return (word >> formats[format].blue & 0xff) |
	       (word >> formats[format].green & 0xff) << 8 |
	       (word >> formats[format].red & 0xff) << 16;
}

/**
 * gpu_resource_row - convert pixels to blue, green, red and one more byte
 * @r: the resource
 * @x: column of the first pixel; all are inside the resource
 * @y: their row
 * @count: how many
 * @to: filled
 */
void gpu_resource_row(const struct gpu_resource *r, u32 x, u32 y, u32 count, u32 *to)
{
	const u8 *from = r->pixels + 4 * ((size_t)y * r->width + x);
	int format = format_find(r->format);
	u32 i;

	memcpy(to, from, 4 * (size_t)count);
	if (gpu_resource_is_bgrx(r))
		return;
	for (i = 0; i < count; i++)
		to[i] = htole32(word_convert(le32toh(to[i]), format));
}

/**
 * gpu_resource_cursor - convert pixels of a cursor to blue, green, red and alpha
 * @r: the resource, of a cursor's size
 * @to: filled with GPU_CURSOR * GPU_CURSOR pixels
 */
void gpu_resource_cursor(const struct gpu_resource *r, u32 *to)
{
	int format = format_find(r->format);
	u8 shift = formats[format].alpha;
	u32 i;

	memcpy(to, r->pixels, 4 * GPU_CURSOR * GPU_CURSOR);
	for (i = 0; i < GPU_CURSOR * GPU_CURSOR; i++) {
		u32 word = le32toh(to[i]);

		to[i] = htole32(word_convert(word, format) | (word >> shift & 0xff) << 24);
	}
}
