// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resources, and the guest's memory behind them. Sizes come from the guest: each is limited,
 * and the total of all resources has one limit. The renderer has its own part of a resource,
 * and does the copies.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "gpu.h"
#include "host/iov.h"

#define SPARE_IOVS	64	/* for pieces that cross regions of guest memory */
#define ENTRIES_READ	64	/* at a time */
#define BLOCK_ROWS	12	/* rows of pixels in a block of a compressed format, at most */

/**
 * gpu_resource_find - find a resource
 * @gpu: the device
 * @id: its number, not trusted
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

/**
 * gpu_memory_take - account for memory of resources
 * @gpu: the device
 * @bytes: how much; added to gpu->memory
 *
 * Return: whether it is within the limit
 */
bool gpu_memory_take(struct gpu *gpu, u64 bytes)
{
	if (bytes > gpu->memory_max - gpu->memory)
		return false;
	gpu->memory += bytes;
	return true;
}

static void resource_free(struct gpu *gpu, struct gpu_resource *r)
{
	gpu_resource_detach(gpu, r);
	if (gpu->renderer->ops->destroy)
		gpu->renderer->ops->destroy(gpu->renderer, r);
	gpu_pixels_free(gpu, r);
	gpu->memory -= r->charge;
	free(r);
}

/*
 * Estimates the renderer's memory: four bytes a pixel, as in most formats. The process's own
 * limit bounds what a guest can use beyond that.
 */
static u64 charge_of(const struct gpu *gpu, const struct gpu_args *args)
{
	u64 pixels = (u64)args->width * args->height * args->depth * args->layers;

	if (!gpu->renderer->ops->three_d)
		return 0;
	if (args->target == GPU_TARGET_BUFFER)
		return pixels;
	pixels *= args->samples ? args->samples : 1;
	return 4 * (pixels + (args->last_level ? pixels / 3 : 0));
}

/* Checks sizes, so that no product of them wraps. */
static bool args_valid(const struct gpu *gpu, const struct gpu_args *args)
{
	if (args->target > GPU_TARGET_LAST || args->last_level >= GPU_LEVELS ||
	    args->samples > GPU_SAMPLES || !args->width || !args->height || !args->depth ||
	    !args->layers)
		return false;
	if (args->target == GPU_TARGET_BUFFER)
		return args->width <= gpu->memory_max && args->height == 1 && args->depth == 1 &&
		       args->layers == 1;
	return args->width <= GPU_SIDE && args->height <= GPU_SIDE && args->depth <= GPU_SIDE &&
	       args->layers <= GPU_LAYERS;
}

/* Fills @r, which is zeroed, and whose memory was accounted for. */
static int resource_make(struct gpu *gpu, struct gpu_resource *r, u32 id,
			 const struct gpu_args *args)
{
	*r = (struct gpu_resource){
		.id = id, .format = args->format, .width = args->width, .height = args->height,
		.target = args->target, .depth = args->depth, .layers = args->layers,
		.last_level = args->last_level, .fd = -1,
	};
	return gpu->renderer->ops->create(gpu, r, args);
}

/**
 * gpu_resource_create - create a resource
 * @gpu: the device
 * @id: its number: not 0, and not in use
 * @args: its description, not trusted
 *
 * Return: 0, -ENOENT for an invalid number, -EINVAL for an invalid description,
 *	-ENOMEM, also if there are too many
 */
int gpu_resource_create(struct gpu *gpu, u32 id, const struct gpu_args *args)
{
	struct gpu_resource **place = &gpu->table[id % GPU_RESOURCES];
	struct gpu_resource *r;
	u64 charge;
	int err;

	if (!id || gpu_resource_find(gpu, id))
		return -ENOENT;
	if (!args_valid(gpu, args))
		return -EINVAL;
	charge = charge_of(gpu, args);
	if (gpu->resources == GPU_RESOURCES || !gpu_memory_take(gpu, charge))
		return -ENOMEM;
	r = malloc(sizeof(*r));
	err = r ? resource_make(gpu, r, id, args) : -ENOMEM;
	if (err) {
		gpu->memory -= charge;
		free(r);
		return err;
	}
	r->charge = charge;
	r->next = *place;
	*place = r;
	gpu->resources++;
	return 0;
}

/**
 * gpu_resource_create_2d - create a black picture
 * @gpu: the device
 * @id: as for gpu_resource_create()
 * @format: enum virtio_gpu_formats
 * @width: pixels of a row
 * @height: rows
 *
 * Return: as gpu_resource_create()
 */
int gpu_resource_create_2d(struct gpu *gpu, u32 id, u32 format, u32 width, u32 height)
{
	const struct gpu_args args = {
		.target = GPU_TARGET_2D, .format = format, .bind = GPU_BIND_RENDER_TARGET,
		.width = width, .height = height, .depth = 1, .layers = 1, .flags = GPU_Y_0_TOP,
	};

	if (!id || gpu_resource_find(gpu, id))
		return -ENOENT;
	return gpu_format_known(format) ? gpu_resource_create(gpu, id, &args) : -EINVAL;
}

/**
 * gpu_resource_unref - free a resource
 * @gpu: the device
 * @id: its number, not trusted
 *
 * Scanouts that show it are switched off.
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

/* Finds where the pieces are mapped; refuses addresses outside guest RAM. */
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

static int renderer_attach(struct gpu *gpu, struct gpu_resource *r)
{
	int err = 0;

	if (gpu->renderer->ops->attach)
		err = gpu->renderer->ops->attach(gpu->renderer, r);
	r->attached = !err;
	return err;
}

static void renderer_detach(struct gpu *gpu, struct gpu_resource *r)
{
	if (r->attached && gpu->renderer->ops->detach)
		gpu->renderer->ops->detach(gpu->renderer, r);
	r->attached = false;
}

/**
 * gpu_resource_attach - attach guest memory to a resource
 * @gpu: the device
 * @r: a resource without guest memory
 * @request: has the pieces, struct virtio_gpu_mem_entry each
 * @offset: bytes of the request before the first one
 * @count: number of pieces, not trusted
 *
 * Return: 0; -EBUSY if it has guest memory already, which stays; -EINVAL for more
 *	pieces than allowed, more than the request has, or pieces outside guest
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
	if (!gpu_memory_take(gpu, entry_bytes(count)))
		return -ENOMEM;
	r->count = count;
	r->entries = calloc(count, sizeof(*r->entries));
	r->iov = calloc(count + SPARE_IOVS, sizeof(*r->iov));
	err = r->entries && r->iov ? entries_read(r->entries, request, offset, count) : -ENOMEM;
	if (!err)
		err = entries_resolve(gpu, r);
	if (!err)
		err = renderer_attach(gpu, r);
	if (err)
		gpu_resource_detach(gpu, r);
	return err;
}

/**
 * gpu_resource_detach - detach guest memory from a resource
 * @gpu: the device
 * @r: a resource; its pixels stay
 *
 * Return: 0, or -EINVAL if it has none
 */
int gpu_resource_detach(struct gpu *gpu, struct gpu_resource *r)
{
	bool there = r->count;

	renderer_detach(gpu, r);
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
 * gpu_resources_let_go - detach guest memory of all resources from the renderer
 * @gpu: the device; guest memory is about to be mapped at other addresses
 *
 * gpu_resources_remap() comes next.
 */
void gpu_resources_let_go(struct gpu *gpu)
{
	struct gpu_resource *r;
	unsigned int i;

	for (i = 0; i < GPU_RESOURCES; i++) {
		for (r = gpu->table[i]; r; r = r->next)
			renderer_detach(gpu, r);
	}
}

/**
 * gpu_resources_remap - attach guest memory of all resources again
 * @gpu: the device; guest memory is mapped at other addresses now
 *
 * A resource whose memory does not exist any more loses it.
 */
void gpu_resources_remap(struct gpu *gpu)
{
	struct gpu_resource *r;
	unsigned int i;

	for (i = 0; i < GPU_RESOURCES; i++) {
		for (r = gpu->table[i]; r; r = r->next) {
			if (!r->count)
				continue;
			renderer_detach(gpu, r);
			if (entries_resolve(gpu, r) || renderer_attach(gpu, r))
				gpu_resource_detach(gpu, r);
		}
	}
}

/* ---- copies ---- */

/**
 * gpu_resource_transfer - copy pixels from guest memory to a resource
 * @gpu: the device
 * @r: the resource
 * @rect: the pixels
 * @offset: offset of the first pixel in guest memory; rows are as long as the resource's
 *
 * Return: 0; or -EINVAL with nothing done: it is no picture with four bytes a pixel, the
 *	rectangle is not in it, or not all of it is in the guest's memory; or the renderer's
 *	-errno
 */
int gpu_resource_transfer(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect,
			  u64 offset)
{
	const struct gpu_transfer transfer = {
		.box = { rect->x, rect->y, 0, rect->width, rect->height, 1 }, .offset = offset,
	};
	u64 stride = 4 * (u64)r->width;
	u64 needed;

	if (r->target != GPU_TARGET_2D || !gpu_format_known(r->format) ||
	    !gpu_rect_in(rect, r->width, r->height))
		return -EINVAL;
	if (!rect->width || !rect->height)
		return 0;
	needed = (rect->height - 1) * stride + 4 * (u64)rect->width;
	if (offset > r->backing || needed > r->backing - offset)
		return -EINVAL;
	gpu->copied += 4 * (u64)rect->width * rect->height;
	gpu->drawn++;
	return gpu->renderer->ops->transfer(gpu->renderer, r, &transfer, false);
}

static u32 at_level(u32 size, u32 level)
{
	return size >> level ? size >> level : 1;
}

static bool span_in(u32 first, u32 count, u32 size)
{
	return count <= size && first <= size - count;
}

static bool box_in(const struct gpu_resource *r, const struct gpu_box *box, u32 level)
{
	u32 depth = r->target == GPU_TARGET_3D ? at_level(r->depth, level) : r->layers;

	return span_in(box->x, box->width, at_level(r->width, level)) &&
	       span_in(box->y, box->height, at_level(r->height, level)) &&
	       span_in(box->z, box->depth, depth);
}

/*
 * Checks that rows and layers with the guest's strides can be inside its memory. The number of
 * pixel rows in a block depends on the format; no format has more than this.
 */
static bool strides_in(const struct gpu_resource *r, const struct gpu_transfer *transfer)
{
	u32 block = gpu_format_known(r->format) ? 1 : BLOCK_ROWS;
	u64 left = r->backing - transfer->offset;
	u64 last;

	if ((transfer->box.height > 1 && transfer->stride > left) ||
	    (transfer->box.depth > 1 && transfer->layer_stride > left))
		return false;
	last = (transfer->box.height - 1) / block * (u64)transfer->stride +
	       (transfer->box.depth - 1) * (u64)transfer->layer_stride;
	return last < left;
}

/**
 * gpu_resource_transfer_3d - copy between a resource and its guest memory
 * @gpu: the device
 * @r: the resource
 * @transfer: the transfer; @context is 0 or exists, all else is not trusted
 * @from_host: copy to guest memory
 *
 * Only the renderer knows how many bytes a row has in its formats; it checks that all are
 * inside guest memory.
 *
 * Return: 0; -EINVAL for a part that is not in the resource, or not in guest memory; or the
 *	renderer's -errno
 */
int gpu_resource_transfer_3d(struct gpu *gpu, struct gpu_resource *r,
			     const struct gpu_transfer *transfer, bool from_host)
{
	const struct gpu_box *box = &transfer->box;

	if (transfer->level > r->last_level || !box_in(r, box, transfer->level))
		return -EINVAL;
	if (!box->width || !box->height || !box->depth)
		return 0;
	if (!r->attached || transfer->offset >= r->backing || !strides_in(r, transfer))
		return -EINVAL;
	gpu->drawn++;
	return gpu->renderer->ops->transfer(gpu->renderer, r, transfer, from_host);
}
