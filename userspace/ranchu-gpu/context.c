// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts, commands for them, capsets and fences, which only 3D renderers have. Numbers come
 * from the guest: the renderer gets only numbers that are known here.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "host/iov.h"

#define NAME_MAX_LEN	63	/* bytes of a context's name in renderers */

/* Returns the index of a context in the list, or -ESRCH. */
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
 * gpu_context_there - return whether a context exists
 * @gpu: the device
 * @id: its number, not trusted
 *
 * Return: whether it exists
 */
bool gpu_context_there(const struct gpu *gpu, u32 id)
{
	return context_find(gpu, id) >= 0;
}

/**
 * gpu_context_create - create a context
 * @gpu: the device
 * @in: the request; the context's number is in the header: not 0, and not in use
 *
 * Return: 0, -ESRCH for an invalid number, -EINVAL for an unknown kind,
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
 * @id: its number, not trusted
 *
 * Requests that wait for fences on the context's timelines are returned.
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
 * gpu_context_resource - attach a resource to a context, or detach it
 * @gpu: the device
 * @id: number of the context, not trusted
 * @resource: number of the resource, not trusted
 * @attach: true to attach
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

/* Allocates a buffer of that size, which is kept until the device is reset. */
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
 * gpu_context_submit - submit commands
 * @gpu: the device
 * @id: number of the context, not trusted
 * @request: has the commands
 * @offset: bytes of the request before them
 * @size: bytes of the commands, not trusted
 *
 * The commands are copied first, so that the guest cannot change what the renderer has checked.
 *
 * Return: 0, -ESRCH for no such context, -EINVAL for more than is allowed or than the request
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
 * gpu_capset_find - find a capset of the renderer
 * @gpu: the device
 * @id: ID of the capset, not trusted
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
 * gpu_fence_make - create a fence for a request
 * @gpu: the device
 * @hdr: header of the request, which has a fence and was passed to the renderer
 * @fence: filled
 *
 * The renderer does not get the guest's own number of the fence, because the order of these
 * numbers is unknown.
 *
 * Return: whether the renderer will signal it; else the request is complete
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
