// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's commands. Each is copied from guest memory once and checked against its size;
 * all other checks are in resource.c and scanout.c.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "host/edid.h"
#include "host/iov.h"

/* A request of any type, as it was read. */
union any {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create_2d;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout set_scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct virtio_gpu_resource_attach_backing attach;
	struct virtio_gpu_resource_detach_backing detach;
	struct virtio_gpu_cmd_get_edid get_edid;
	struct virtio_gpu_update_cursor cursor;
	struct virtio_gpu_get_capset_info get_capset_info;
	struct virtio_gpu_get_capset get_capset;
	struct virtio_gpu_ctx_create ctx_create;
	struct virtio_gpu_ctx_resource ctx_resource;
	struct virtio_gpu_resource_create_3d create_3d;
	struct virtio_gpu_transfer_host_3d transfer_3d;
	struct virtio_gpu_cmd_submit submit;
	u8 bytes[GPU_REQUEST];
};

/* Queues and features that a command needs. */
enum { CONTROL, CURSOR, THREE_D };

/**
 * struct command - a command of the guest
 * @type: of the request
 * @who: CURSOR for the cursor queue; THREE_D if the driver must have accepted 3D
 * @size: bytes of the request without data that may follow
 * @answer: fewest bytes of its answer
 * @run: runs it: 0, -errno, LATER, or bytes of the answer that it has written
 */
struct command {
	u32 type;
	u8 who;
	u32 size;
	u32 answer;
	int (*run)(struct gpu *gpu, const union any *any, const struct gpu_request *request);
};

/* Larger than any -errno, and shorter than any answer. */
#define LATER	1

/**
 * gpu_status - convert an -errno to a response type
 * @err: 0 or -errno
 *
 * Return: enum virtio_gpu_ctrl_type
 */
u32 gpu_status(int err)
{
	switch (err) {
	case 0:
		return VIRTIO_GPU_RESP_OK_NODATA;
	case -ENOMEM:
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	case -ENXIO:
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	case -ENOENT:
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	case -ESRCH:
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	case -EINVAL:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	default:
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
}

/* Fills the header of an answer to @to. A fence is copied: the work is complete. */
static void answer_header(struct virtio_gpu_ctrl_hdr *answer, const struct virtio_gpu_ctrl_hdr *to,
			  u32 type)
{
	u32 flags = le32toh(to->flags) & VIRTIO_GPU_FLAG_FENCE;

	memset(answer, 0, sizeof(*answer));
	answer->type = htole32(type);
	if (!flags)
		return;
	answer->flags = htole32(flags | (le32toh(to->flags) & VIRTIO_GPU_FLAG_INFO_RING_IDX));
	answer->fence_id = to->fence_id;
	answer->ctx_id = to->ctx_id;
	answer->ring_idx = to->ring_idx;
}

static struct gpu_rect rect_of(const struct virtio_gpu_rect *in)
{
	return (struct gpu_rect){
		.x = le32toh(in->x), .y = le32toh(in->y),
		.width = le32toh(in->width), .height = le32toh(in->height),
	};
}

static int run_create_2d(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	const struct virtio_gpu_resource_create_2d *in = &any->create_2d;

	(void)request;
	return gpu_resource_create_2d(gpu, le32toh(in->resource_id), le32toh(in->format),
				      le32toh(in->width), le32toh(in->height));
}

static int run_unref(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	(void)request;
	return gpu_resource_unref(gpu, le32toh(any->unref.resource_id));
}

static int run_set_scanout(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	const struct gpu_rect rect = rect_of(&any->set_scanout.r);

	(void)request;
	return gpu_scanout_set(gpu, le32toh(any->set_scanout.scanout_id),
			       le32toh(any->set_scanout.resource_id), &rect);
}

static int run_flush(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	struct gpu_resource *r = gpu_resource_find(gpu, le32toh(any->flush.resource_id));
	const struct gpu_rect rect = rect_of(&any->flush.r);

	(void)request;
	return r ? gpu_scanouts_flush(gpu, r, &rect) : -ENOENT;
}

static int run_transfer(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	struct gpu_resource *r = gpu_resource_find(gpu, le32toh(any->transfer.resource_id));
	const struct gpu_rect rect = rect_of(&any->transfer.r);

	(void)request;
	return r ? gpu_resource_transfer(gpu, r, &rect, le64toh(any->transfer.offset)) : -ENOENT;
}

static int run_attach(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	struct gpu_resource *r = gpu_resource_find(gpu, le32toh(any->attach.resource_id));

	return r ? gpu_resource_attach(gpu, r, request, sizeof(any->attach),
				       le32toh(any->attach.nr_entries)) : -ENOENT;
}

static int run_detach(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	struct gpu_resource *r = gpu_resource_find(gpu, le32toh(any->detach.resource_id));

	(void)request;
	return r ? gpu_resource_detach(gpu, r) : -ENOENT;
}

/* Asks the front end about screens. One question at a time: the queue waits for the answer. */
static int ask(struct gpu *gpu, const union any *any, bool edid, u32 scanout)
{
	if (!gpu->display->ask(gpu->display_arg, edid, scanout))
		return -EIO;
	gpu->asked = any->hdr;
	return LATER;
}

static int run_display_info(struct gpu *gpu, const union any *any,
			    const struct gpu_request *request)
{
	(void)request;
	return ask(gpu, any, false, 0);
}

static int run_edid(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	u32 scanout = le32toh(any->get_edid.scanout);

	(void)request;
	return scanout < gpu->scanouts ? ask(gpu, any, true, scanout) : -ENXIO;
}

static int run_cursor_update(struct gpu *gpu, const union any *any,
			     const struct gpu_request *request)
{
	(void)request;
	return gpu_cursor_update(gpu, &any->cursor);
}

static int run_cursor_move(struct gpu *gpu, const union any *any,
			   const struct gpu_request *request)
{
	(void)request;
	return gpu_cursor_move(gpu, &any->cursor);
}

/* ---- 3D ---- */

static int run_capset_info(struct gpu *gpu, const union any *any,
			   const struct gpu_request *request)
{
	u32 index = le32toh(any->get_capset_info.capset_index);
	struct virtio_gpu_resp_capset_info answer = { 0 };
	const struct gpu_capset *capset;

	if (index >= gpu->renderer->capsets)
		return -EINVAL;
	capset = &gpu->renderer->capset[index];
	answer_header(&answer.hdr, &any->hdr, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	answer.capset_id = htole32(capset->id);
	answer.capset_max_version = htole32(capset->version);
	answer.capset_max_size = htole32(capset->size);
	return vmm_iov_write(request->in, request->n_in, 0, &answer, sizeof(answer));
}

static int run_capset(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	const struct gpu_capset *capset = gpu_capset_find(gpu, le32toh(any->get_capset.capset_id));
	u32 version = le32toh(any->get_capset.capset_version);
	struct virtio_gpu_ctrl_hdr *answer;
	int written;

	if (!capset || version > capset->version ||
	    request->in_len < sizeof(*answer) + capset->size)
		return -EINVAL;
	answer = calloc(1, sizeof(*answer) + capset->size);
	if (!answer)
		return -ENOMEM;
	answer_header(answer, &any->hdr, VIRTIO_GPU_RESP_OK_CAPSET);
	gpu->renderer->ops->capset(gpu->renderer, capset, version, answer + 1);
	written = vmm_iov_write(request->in, request->n_in, 0, answer,
				sizeof(*answer) + capset->size);
	free(answer);
	return written;
}

static int run_context_create(struct gpu *gpu, const union any *any,
			      const struct gpu_request *request)
{
	(void)request;
	return gpu_context_create(gpu, &any->ctx_create);
}

static int run_context_destroy(struct gpu *gpu, const union any *any,
			       const struct gpu_request *request)
{
	(void)request;
	return gpu_context_destroy(gpu, le32toh(any->hdr.ctx_id));
}

static int run_context_resource(struct gpu *gpu, const union any *any,
				const struct gpu_request *request)
{
	bool attach = le32toh(any->hdr.type) == VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE;

	(void)request;
	return gpu_context_resource(gpu, le32toh(any->hdr.ctx_id),
				    le32toh(any->ctx_resource.resource_id), attach);
}

static int run_create_3d(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	const struct virtio_gpu_resource_create_3d *in = &any->create_3d;
	const struct gpu_args args = {
		.target = le32toh(in->target), .format = le32toh(in->format),
		.bind = le32toh(in->bind), .width = le32toh(in->width),
		.height = le32toh(in->height), .depth = le32toh(in->depth),
		.layers = le32toh(in->array_size), .last_level = le32toh(in->last_level),
		.samples = le32toh(in->nr_samples), .flags = le32toh(in->flags),
	};

	(void)request;
	return gpu_resource_create(gpu, le32toh(in->resource_id), &args);
}

static int run_transfer_3d(struct gpu *gpu, const union any *any,
			   const struct gpu_request *request)
{
	const struct virtio_gpu_transfer_host_3d *in = &any->transfer_3d;
	struct gpu_resource *r = gpu_resource_find(gpu, le32toh(in->resource_id));
	const struct gpu_transfer transfer = {
		.context = le32toh(in->hdr.ctx_id),
		.box = {
			le32toh(in->box.x), le32toh(in->box.y), le32toh(in->box.z),
			le32toh(in->box.w), le32toh(in->box.h), le32toh(in->box.d),
		},
		.offset = le64toh(in->offset), .level = le32toh(in->level),
		.stride = le32toh(in->stride), .layer_stride = le32toh(in->layer_stride),
	};

	(void)request;
	if (transfer.context && !gpu_context_there(gpu, transfer.context))
		return -ESRCH;
	return r ? gpu_resource_transfer_3d(gpu, r, &transfer, le32toh(in->hdr.type) ==
					    VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D) : -ENOENT;
}

static int run_submit(struct gpu *gpu, const union any *any, const struct gpu_request *request)
{
	return gpu_context_submit(gpu, le32toh(any->hdr.ctx_id), request, sizeof(any->submit),
				  le32toh(any->submit.size));
}

#define SIMPLE	sizeof(struct virtio_gpu_ctrl_hdr)

static const struct command commands[] = {
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, CONTROL, sizeof(struct virtio_gpu_ctrl_hdr),
	  sizeof(struct virtio_gpu_resp_display_info), run_display_info },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, CONTROL, sizeof(struct virtio_gpu_resource_create_2d),
	  SIMPLE, run_create_2d },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, CONTROL, sizeof(struct virtio_gpu_resource_unref),
	  SIMPLE, run_unref },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, CONTROL, sizeof(struct virtio_gpu_set_scanout),
	  SIMPLE, run_set_scanout },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, CONTROL, sizeof(struct virtio_gpu_resource_flush),
	  SIMPLE, run_flush },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, CONTROL,
	  sizeof(struct virtio_gpu_transfer_to_host_2d), SIMPLE, run_transfer },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, CONTROL,
	  sizeof(struct virtio_gpu_resource_attach_backing), SIMPLE, run_attach },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, CONTROL,
	  sizeof(struct virtio_gpu_resource_detach_backing), SIMPLE, run_detach },
	{ VIRTIO_GPU_CMD_GET_EDID, CONTROL, sizeof(struct virtio_gpu_cmd_get_edid),
	  sizeof(struct virtio_gpu_resp_edid), run_edid },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, CURSOR, sizeof(struct virtio_gpu_update_cursor),
	  SIMPLE, run_cursor_update },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, CURSOR, sizeof(struct virtio_gpu_update_cursor),
	  SIMPLE, run_cursor_move },
	{ VIRTIO_GPU_CMD_GET_CAPSET_INFO, THREE_D, sizeof(struct virtio_gpu_get_capset_info),
	  sizeof(struct virtio_gpu_resp_capset_info), run_capset_info },
	{ VIRTIO_GPU_CMD_GET_CAPSET, THREE_D, sizeof(struct virtio_gpu_get_capset),
	  SIMPLE, run_capset },
	{ VIRTIO_GPU_CMD_CTX_CREATE, THREE_D, sizeof(struct virtio_gpu_ctx_create),
	  SIMPLE, run_context_create },
	{ VIRTIO_GPU_CMD_CTX_DESTROY, THREE_D, sizeof(struct virtio_gpu_ctx_destroy),
	  SIMPLE, run_context_destroy },
	{ VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, THREE_D, sizeof(struct virtio_gpu_ctx_resource),
	  SIMPLE, run_context_resource },
	{ VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, THREE_D, sizeof(struct virtio_gpu_ctx_resource),
	  SIMPLE, run_context_resource },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, THREE_D,
	  sizeof(struct virtio_gpu_resource_create_3d), SIMPLE, run_create_3d },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, THREE_D,
	  sizeof(struct virtio_gpu_transfer_host_3d), SIMPLE, run_transfer_3d },
	{ VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, THREE_D,
	  sizeof(struct virtio_gpu_transfer_host_3d), SIMPLE, run_transfer_3d },
	{ VIRTIO_GPU_CMD_SUBMIT_3D, THREE_D, sizeof(struct virtio_gpu_cmd_submit),
	  SIMPLE, run_submit },
};

static const struct command *command_find(const struct gpu *gpu, u32 type, bool cursor)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].type != type)
			continue;
		if (commands[i].who == THREE_D && !gpu->three_d)
			return NULL;
		return (commands[i].who == CURSOR) == cursor ? &commands[i] : NULL;
	}
	return NULL;
}

/* Writes an answer without data, if there is room for it. */
static int answer_status(const struct gpu_request *request, const struct virtio_gpu_ctrl_hdr *to,
			 int err)
{
	struct virtio_gpu_ctrl_hdr answer;

	if (request->in_len < sizeof(answer))
		return 0;
	answer_header(&answer, to, gpu_status(err));
	return vmm_iov_write(request->in, request->n_in, 0, &answer, sizeof(answer));
}

static int run(struct gpu *gpu, const struct gpu_request *request, bool cursor)
{
	union any any = { 0 };
	const struct command *command;
	size_t len = vmm_iov_read(request->out, request->n_out, 0, &any, sizeof(any));
	int err = -EPROTO;

	command = len < sizeof(any.hdr) ? NULL : command_find(gpu, le32toh(any.hdr.type), cursor);
	/* A cursor command is run even without room for an answer. */
	if (command && len >= command->size && (cursor || request->in_len >= command->answer))
		err = command->run(gpu, &any, request);
	if (err == LATER)
		return GPU_LATER;
	if (err > LATER)
		return err;
	/* A failed command needs no fence, and neither does a cursor command. */
	if (!err && request->fence && !cursor && le32toh(any.hdr.flags) & VIRTIO_GPU_FLAG_FENCE)
		gpu_fence_make(gpu, &any.hdr, request->fence);
	return answer_status(request, &any.hdr, err);
}

/**
 * gpu_control - run a request of the control queue
 * @gpu: the device, without a pending question to the front end
 * @request: the request
 *
 * Return: bytes of the answer, or GPU_LATER: gpu_answer() returns them
 */
int gpu_control(struct gpu *gpu, const struct gpu_request *request)
{
	return run(gpu, request, false);
}

/**
 * gpu_cursor - run a request of the cursor queue
 * @gpu: the device
 * @request: the request; Linux gives it no room for an answer
 *
 * Return: bytes of the answer
 */
int gpu_cursor(struct gpu *gpu, const struct gpu_request *request)
{
	return run(gpu, request, true);
}

/* Makes an EDID for a front end that only reports the screen's size. */
static void edid_make(struct virtio_gpu_resp_edid *edid,
		      const struct virtio_gpu_resp_display_info *info, u32 scanout)
{
	const struct virtio_gpu_rect *r = &info->pmodes[scanout].r;

	edid->size = htole32(VMM_EDID_SIZE);
	vmm_edid_fill(edid->edid, le32toh(r->width), le32toh(r->height));
}

/**
 * gpu_answer - write the front end's answer for the guest
 * @gpu: the device, with a pending question
 * @request: that request
 * @data: the front end's answer, in the guest's format
 * @len: bytes of it, 0 if there is none
 *
 * Return: bytes of the answer
 */
int gpu_answer(struct gpu *gpu, const struct gpu_request *request, const void *data, size_t len)
{
	bool edid = le32toh(gpu->asked.type) == VIRTIO_GPU_CMD_GET_EDID;
	struct virtio_gpu_ctrl_hdr asked = gpu->asked;
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resp_display_info info;
		struct virtio_gpu_resp_edid edid;
	} answer = { 0 };
	size_t want = edid ? sizeof(answer.edid) : sizeof(answer.info);

	gpu->asked.type = 0;
	if (edid && len == sizeof(answer.info)) {
		struct virtio_gpu_cmd_get_edid in = { 0 };

		vmm_iov_read(request->out, request->n_out, 0, &in, sizeof(in));
		edid_make(&answer.edid, data, le32toh(in.scanout) % GPU_SCANOUTS);
	} else if (len == want) {
		memcpy(&answer, data, len);
	} else {
		return answer_status(request, &asked, -EIO);
	}
	answer_header(&answer.hdr, &asked, edid ? VIRTIO_GPU_RESP_OK_EDID :
						  VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	return vmm_iov_write(request->in, request->n_in, 0, &answer, want);
}

/**
 * gpu_init - initialise a device without resources
 * @gpu: @display, @resolve, their arguments, @renderer, @scanouts and @memory_max are set
 */
void gpu_init(struct gpu *gpu)
{
	gpu->memory = 0;
	gpu->copied = 0;
	gpu->resources = 0;
	memset(gpu->table, 0, sizeof(gpu->table));
	memset(gpu->scanout, 0, sizeof(gpu->scanout));
	gpu->three_d = false;
	gpu->context_init = false;
	gpu->contexts = 0;
	gpu->drawn = 1;
	gpu->fences = 0;
	gpu->commands = NULL;
	gpu->commands_size = 0;
	memset(&gpu->asked, 0, sizeof(gpu->asked));
}

/**
 * gpu_reset - free everything that the guest has created
 * @gpu: the device
 */
void gpu_reset(struct gpu *gpu)
{
	unsigned int i;

	gpu_scanouts_forget(gpu, NULL);
	gpu_context_free_all(gpu);
	gpu_resource_free_all(gpu);
	for (i = 0; i < gpu->scanouts; i++) {
		gpu->scanout[i].cursor.shown = false;
		gpu->display->cursor_pos(gpu->display_arg, i);
	}
	gpu->asked.type = 0;
}
