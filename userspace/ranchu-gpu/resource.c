// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resources: pictures on the host, and the guest's memory behind them. Sizes are the
 * guest's: each is bounded, and all that resources take counts against one limit.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"
#include "host/iov.h"

#define SPARE_IOVS	64	/* for pieces that lie in two regions of guest memory */
#define ENTRIES_READ	64	/* at once */

/* Where the colours of a format are: shifts of blue, green and red in a little-endian word. */
static const struct {
	u32 format;
	u8 blue;
	u8 green;
	u8 red;
} formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0, 8, 16 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0, 8, 16 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 24, 16, 8 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 24, 16, 8 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 16, 8, 0 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 8, 16, 24 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 8, 16, 24 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 16, 8, 0 },
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
 * gpu_rect_in - tell whether a rectangle lies in a picture
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

/**
 * gpu_resource_find - find a resource
 * @gpu: the device
 * @id: its number, anything
 *
 * Return: the resource, or NULL
 */
struct gpu_resource *gpu_resource_find(const struct gpu *gpu, u32 id)
{
	struct gpu_resource *r = gpu->table[id % GPU_RESOURCES];

	while (r && r->id != id)
		r = r->next;
	return r;
}

/* Takes @bytes of what resources may take. */
static bool memory_take(struct gpu *gpu, u64 bytes)
{
	if (bytes > gpu->memory_max - gpu->memory)
		return false;
	gpu->memory += bytes;
	return true;
}

/* Memory that the front end can be given: a file that stays as it is. */
static int pixels_make(struct gpu_resource *r)
{
	void *map;

	r->fd = memfd_create("gpu", MFD_CLOEXEC);
	if (r->fd < 0)
		return -ENOMEM;
	if (ftruncate(r->fd, r->size))
		return -ENOMEM;
	map = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	r->pixels = map;
	return 0;
}

static void resource_free(struct gpu *gpu, struct gpu_resource *r)
{
	gpu_resource_detach(gpu, r);
	if (r->pixels)
		munmap(r->pixels, r->size);
	if (r->fd >= 0)
		close(r->fd);
	gpu->memory -= r->size;
	free(r);
}

/**
 * gpu_resource_create - make a resource, black
 * @gpu: the device
 * @id: its number: not 0, and not that of another
 * @format: enum virtio_gpu_formats
 * @width: pixels of a row
 * @height: rows
 *
 * Return: 0, -ENOENT for a number that it cannot have, -EINVAL for a size or a format that
 *	there is not, -ENOMEM, also if there are too many
 */
int gpu_resource_create(struct gpu *gpu, u32 id, u32 format, u32 width, u32 height)
{
	struct gpu_resource **place = &gpu->table[id % GPU_RESOURCES];
	struct gpu_resource *r;
	u64 size;
	int err;

	if (!id || gpu_resource_find(gpu, id))
		return -ENOENT;
	if (format_find(format) < 0 || !width || !height || width > GPU_SIDE || height > GPU_SIDE)
		return -EINVAL;
	size = 4ULL * width * height;
	size = (size + VMM_PAGE_SIZE - 1) / VMM_PAGE_SIZE * VMM_PAGE_SIZE;
	if (gpu->resources == GPU_RESOURCES || !memory_take(gpu, size))
		return -ENOMEM;
	r = calloc(1, sizeof(*r));
	if (!r) {
		gpu->memory -= size;
		return -ENOMEM;
	}
	*r = (struct gpu_resource){
		.id = id, .format = format, .width = width, .height = height, .size = size,
		.fd = -1,
	};
	err = pixels_make(r);
	if (err) {
		resource_free(gpu, r);
		return err;
	}
	r->next = *place;
	*place = r;
	gpu->resources++;
	return 0;
}

/**
 * gpu_resource_unref - free a resource
 * @gpu: the device
 * @id: its number, anything
 *
 * Scanouts that show it go off.
 *
 * Return: 0, or -ENOENT
 */
int gpu_resource_unref(struct gpu *gpu, u32 id)
{
	struct gpu_resource **place = &gpu->table[id % GPU_RESOURCES];
	struct gpu_resource *r;

	while (*place && (*place)->id != id)
		place = &(*place)->next;
	r = *place;
	if (!r)
		return -ENOENT;
	gpu_scanouts_forget(gpu, r);
	*place = r->next;
	gpu->resources--;
	resource_free(gpu, r);
	return 0;
}

/**
 * gpu_resource_free_all - free all resources
 * @gpu: the device
 */
void gpu_resource_free_all(struct gpu *gpu)
{
	unsigned int i;

	for (i = 0; gpu->resources && i < GPU_RESOURCES; i++) {
		while (gpu->table[i])
			gpu_resource_unref(gpu, gpu->table[i]->id);
	}
}

/* ---- the guest's memory ---- */

static u64 entry_bytes(u32 count)
{
	return count * (sizeof(struct gpu_entry) + sizeof(struct iovec)) +
	       SPARE_IOVS * sizeof(struct iovec);
}

static int entries_read(struct gpu_entry *entries, const struct gpu_request *request, u64 offset,
			u32 count)
{
	struct virtio_gpu_mem_entry raw[ENTRIES_READ];
	u32 done, part, i;

	for (done = 0; done < count; done += part) {
		part = count - done < ENTRIES_READ ? count - done : ENTRIES_READ;
		if (vmm_iov_read(request->out, request->n_out, offset + done * sizeof(raw[0]), raw,
				 part * sizeof(raw[0])) != part * sizeof(raw[0]))
			return -EINVAL;
		for (i = 0; i < part; i++) {
			entries[done + i].gpa = le64toh(raw[i].addr);
			entries[done + i].len = le32toh(raw[i].length);
		}
	}
	return 0;
}

/* Finds where the pieces are mapped. What is not the guest's RAM is refused. */
static int entries_resolve(const struct gpu *gpu, struct gpu_resource *r)
{
	unsigned int max = r->count + SPARE_IOVS;
	u32 i;
	int n;

	r->iovs = 0;
	r->backing = 0;
	for (i = 0; i < r->count; i++) {
		n = gpu->resolve(gpu->resolve_arg, r->entries[i].gpa, r->entries[i].len,
				 r->iov + r->iovs, max - r->iovs);
		if (n < 0)
			return -EINVAL;
		r->iovs += n;
		r->backing += r->entries[i].len;
	}
	return 0;
}

/**
 * gpu_resource_attach - put guest memory behind a resource
 * @gpu: the device
 * @r: a resource without
 * @request: has the pieces, struct virtio_gpu_mem_entry each
 * @offset: bytes of the request before the first one
 * @count: how many, anything
 *
 * Return: 0; -EBUSY if there is memory behind it already, which stays; -EINVAL for more
 *	pieces than can be, more than the request has, or such as are not the guest's
 *	memory; -ENOMEM
 */
int gpu_resource_attach(struct gpu *gpu, struct gpu_resource *r, const struct gpu_request *request,
			u64 offset, u32 count)
{
	int err;

	if (r->entries)
		return -EBUSY;
	if (!count || count > GPU_ENTRIES)
		return -EINVAL;
	if (!memory_take(gpu, entry_bytes(count)))
		return -ENOMEM;
	r->count = count;
	r->entries = calloc(count, sizeof(*r->entries));
	r->iov = calloc(count + SPARE_IOVS, sizeof(*r->iov));
	err = r->entries && r->iov ? entries_read(r->entries, request, offset, count) : -ENOMEM;
	if (!err)
		err = entries_resolve(gpu, r);
	if (err)
		gpu_resource_detach(gpu, r);
	return err;
}

/**
 * gpu_resource_detach - take the guest's memory away from a resource
 * @gpu: the device
 * @r: a resource; its pixels stay
 *
 * Return: 0, or -EINVAL if there is none
 */
int gpu_resource_detach(struct gpu *gpu, struct gpu_resource *r)
{
	bool there = r->count;

	if (there)
		gpu->memory -= entry_bytes(r->count);
	free(r->entries);
	free(r->iov);
	r->entries = NULL;
	r->iov = NULL;
	r->count = 0;
	r->iovs = 0;
	r->backing = 0;
	return there ? 0 : -EINVAL;
}

/**
 * gpu_resources_remap - find all guest memory again
 * @gpu: the device; guest memory is mapped somewhere else now
 *
 * A resource whose memory is not there any more loses it.
 */
void gpu_resources_remap(struct gpu *gpu)
{
	struct gpu_resource *r;
	unsigned int i;

	for (i = 0; i < GPU_RESOURCES; i++) {
		for (r = gpu->table[i]; r; r = r->next) {
			if (r->count && entries_resolve(gpu, r))
				gpu_resource_detach(gpu, r);
		}
	}
}

/**
 * struct walk - a place in guest memory that only moves on
 * @iov: the piece where it is
 * @left: pieces, with that one
 * @before: bytes before that piece
 */
struct walk {
	const struct iovec *iov;
	unsigned int left;
	u64 before;
};

/* Copies from @offset on, which is not before that of the last call. */
static void walk_copy(struct walk *walk, u64 offset, u8 *to, size_t len)
{
	while (walk->left && offset - walk->before >= walk->iov->iov_len) {
		walk->before += walk->iov->iov_len;
		walk->iov++;
		walk->left--;
	}
	vmm_iov_read(walk->iov, walk->left, offset - walk->before, to, len);
}

/**
 * gpu_resource_transfer - take pixels from the guest's memory
 * @r: the resource
 * @rect: which
 * @offset: where in the guest's memory the first one is; rows are as long as the resource's
 *
 * Return: 0, or -EINVAL with nothing done: the rectangle is not in the resource, or not all
 *	of it is in the guest's memory
 */
int gpu_resource_transfer(struct gpu_resource *r, const struct gpu_rect *rect, u64 offset)
{
	size_t stride = 4 * (size_t)r->width;
	size_t row = 4 * (size_t)rect->width;
	struct walk walk = { r->iov, r->iovs, 0 };
	u64 needed;
	u8 *to;
	u32 y;

	if (!gpu_rect_in(rect, r->width, r->height))
		return -EINVAL;
	if (!rect->width || !rect->height)
		return 0;
	needed = (rect->height - 1) * (u64)stride + row;
	if (offset > r->backing || needed > r->backing - offset)
		return -EINVAL;
	to = r->pixels + rect->y * stride + 4 * (size_t)rect->x;
	if (row == stride) {
		walk_copy(&walk, offset, to, needed);
		return 0;
	}
	for (y = 0; y < rect->height; y++)
		walk_copy(&walk, offset + y * stride, to + y * stride, row);
	return 0;
}

/* ---- pixels for a screen ---- */

/**
 * gpu_resource_is_bgrx - tell whether pixels are as screens want them
 * @r: the resource
 *
 * Return: whether they are blue, green, red and one byte more
 */
bool gpu_resource_is_bgrx(const struct gpu_resource *r)
{
	int format = format_find(r->format);

	return !formats[format].blue && formats[format].green == 8 && formats[format].red == 16;
}

/**
 * gpu_resource_row - make pixels blue, green, red and one byte more
 * @r: the resource
 * @x: the first pixel; all lie in the resource
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
	for (i = 0; i < count; i++) {
		u32 word = le32toh(to[i]);

		to[i] = htole32((word >> formats[format].blue & 0xff) |
				(word >> formats[format].green & 0xff) << 8 |
				(word >> formats[format].red & 0xff) << 16);
	}
}
