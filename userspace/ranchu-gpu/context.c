// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only a 3D renderer has: contexts, commands for them, capsets and fences. Numbers are
 * the guest's: none gets to the renderer that is not known here.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "host/iov.h"

#define NAME_MAX_LEN	63	/* bytes of a context's name, as renderers keep it */

/* Where a context is in the list; -ESRCH if there is none. */
static int context_find(const struct gpu *gpu, u32 id)
{
	unsigned int i;

	for (i = 0; i < gpu->contexts; i++) {
		if (gpu->context[i] == id)
			return i;
	}
	return -ESRCH;
}

/**
 * gpu_context_there - tell whether there is a context
 * @gpu: the device
 * @id: its number, anything
 *
 * Return: whether there is
 */
bool gpu_context_there(const struct gpu *gpu, u32 id)
{
	return context_find(gpu, id) >= 0;
}

/**
 * gpu_context_create - make a context
 * @gpu: the device
 * @in: what the guest says; its number is in the header: not 0, and not that of another
 *
 * Return: 0, -ESRCH for a number that it cannot have, -EINVAL for a kind that there is not,
 *	-ENOMEM if there are too many, or the renderer's -errno
 */
int gpu_context_create(struct gpu *gpu, const struct virtio_gpu_ctx_create *in)
{
	u32 kind = gpu->context_init ? le32toh(in->context_init) : 0;
	u32 id = le32toh(in->hdr.ctx_id);
	u32 len = le32toh(in->nlen);
	char name[NAME_MAX_LEN + 1] = "";
	int err;

	if (!id || gpu_context_there(gpu, id))
		return -ESRCH;
	if (len > sizeof(in->debug_name) || (kind && !gpu_capset_find(gpu, kind)))
		return -EINVAL;
	if (gpu->contexts == GPU_CONTEXTS)
		return -ENOMEM;
	memcpy(name, in->debug_name, len < NAME_MAX_LEN ? len : NAME_MAX_LEN);
	err = gpu->renderer->ops->context_create(gpu->renderer, id, kind, name);
	if (!err)
		gpu->context[gpu->contexts++] = id;
	return err;
}

/**
 * gpu_context_destroy - free a context
 * @gpu: the device
 * @id: its number, anything
 *
 * What waits for fences on its timelines waits no more.
 *
 * Return: 0, or -ESRCH
 */
int gpu_context_destroy(struct gpu *gpu, u32 id)
{
	int index = context_find(gpu, id);

	if (index < 0)
		return index;
	gpu->renderer->ops->context_destroy(gpu->renderer, id);
	gpu->context[index] = gpu->context[--gpu->contexts];
	if (gpu->renderer->ended)
		gpu->renderer->ended(gpu->renderer->done_arg, id);
	return 0;
}

/**
 * gpu_context_free_all - free all contexts
 * @gpu: the device
 */
void gpu_context_free_all(struct gpu *gpu)
{
	while (gpu->contexts)
		gpu_context_destroy(gpu, gpu->context[0]);
	free(gpu->commands);
	gpu->commands = NULL;
	gpu->commands_size = 0;
}

/**
 * gpu_context_resource - let a context use a resource, or no more
 * @gpu: the device
 * @id: of the context, anything
 * @resource: likewise
 * @attach: let it
 *
 * Return: 0, -ESRCH for no such context, -ENOENT for no such resource
 */
int gpu_context_resource(struct gpu *gpu, u32 id, u32 resource, bool attach)
{
	struct gpu_resource *r = gpu_resource_find(gpu, resource);

	if (!gpu_context_there(gpu, id))
		return -ESRCH;
	if (!r)
		return -ENOENT;
	gpu->renderer->ops->context_resource(gpu->renderer, id, r, attach);
	return 0;
}

/* Room for as many bytes, for as long as the device is not reset. */
static bool commands_room(struct gpu *gpu, u32 size)
{
	void *room;

	if (size <= gpu->commands_size)
		return true;
	room = realloc(gpu->commands, size);
	if (!room)
		return false;
	gpu->commands = room;
	gpu->commands_size = size;
	return true;
}

/**
 * gpu_context_submit - do commands
 * @gpu: the device
 * @id: of the context, anything
 * @request: has the commands
 * @offset: bytes of the request before them
 * @size: bytes of them, anything
 *
 * They are copied first: what the renderer checks is what it does.
 *
 * Return: 0, -ESRCH for no such context, -EINVAL for more than can be or than the request
 *	has, -ENOMEM, or the renderer's -errno
 */
int gpu_context_submit(struct gpu *gpu, u32 id, const struct gpu_request *request, u64 offset,
		       u32 size)
{
	if (!gpu_context_there(gpu, id))
		return -ESRCH;
	if (size > GPU_COMMANDS || size % sizeof(u32) || size > request->out_len - offset)
		return -EINVAL;
	if (!size)
		return 0;
	if (!commands_room(gpu, size))
		return -ENOMEM;
	if (vmm_iov_read(request->out, request->n_out, offset, gpu->commands, size) != size)
		return -EINVAL;
	gpu->drawn++;
	return gpu->renderer->ops->submit(gpu->renderer, id, gpu->commands, size);
}

/**
 * gpu_capset_find - find what the renderer can do
 * @gpu: the device
 * @id: of the capset, anything
 *
 * Return: the capset, or NULL
 */
const struct gpu_capset *gpu_capset_find(const struct gpu *gpu, u32 id)
{
	unsigned int i;

	for (i = 0; i < gpu->renderer->capsets; i++) {
		if (gpu->renderer->capset[i].id == id)
			return &gpu->renderer->capset[i];
	}
	return NULL;
}

/**
 * gpu_fence_make - have the renderer tell when a request is done
 * @gpu: the device
 * @hdr: of the request, which has a fence and has been given to the renderer
 * @fence: filled
 *
 * The guest's own number of the fence does not get to the renderer: nobody knows in which
 * order a guest counts.
 *
 * Return: whether it will be told; else the request is done
 */
bool gpu_fence_make(struct gpu *gpu, const struct virtio_gpu_ctrl_hdr *hdr,
		    struct gpu_fence *fence)
{
	bool on_ring = le32toh(hdr->flags) & VIRTIO_GPU_FLAG_INFO_RING_IDX && gpu->context_init;

	if (!gpu->renderer->ops->fence)
		return false;
	if (on_ring && (hdr->ring_idx >= GPU_RINGS ||
			!gpu_context_there(gpu, le32toh(hdr->ctx_id))))
		return false;
	on_ring = on_ring && !gpu->renderer->ops->in_order;
	*fence = (struct gpu_fence){
		.on_ring = on_ring, .context = on_ring ? le32toh(hdr->ctx_id) : 0,
		.ring = on_ring ? hdr->ring_idx : 0, .number = ++gpu->fences,
	};
	if (!gpu->renderer->ops->fence(gpu->renderer, fence))
		return true;
	fence->number = 0;
	return false;
}
