// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the commands of ranchu-gpu, from a guest that says anything. Requests are
 * made of the input, whole or cut into pieces, most of them with fields that mean
 * something; guest memory is the rest of it. After each, resources are counted again: what
 * they take is what they are charged with, and what is on a screen lies in its resource. Half
 * of the inputs have a renderer with 3D, which holds what it is told against what there is.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "gpu.h"

#define RAM_BASE	0x40000000ULL
#define RAM_SIZE	0x8000
#define RAM_HALF	0x3000	/* mapped apart from the rest */
#define MEMORY		(1024 * KIB)
#define ENTRIES		8
#define CAPSET		2	/* that the renderer has */
#define CAPSET_SIZE	100

static u8 ram[RAM_SIZE];
static struct gpu gpu;
static bool asked;

static void rect_check(const struct gpu_rect *rect, const struct gpu_rect *in)
{
	MUST(rect->width && rect->height && rect->width <= in->width &&
	     rect->x <= in->width - rect->width && rect->height <= in->height &&
	     rect->y <= in->height - rect->height);
}

static void on_scanout(void *arg, unsigned int scanout)
{
	MUST(scanout < gpu.scanouts);
}

/* What is told can be read. */
static void on_damage(void *arg, unsigned int scanout, const struct gpu_rect *rect)
{
	const struct gpu_scanout *on = &gpu.scanout[scanout];
	u32 row[GPU_SIDE];
	u32 y;

	MUST(scanout < gpu.scanouts && on->resource);
	rect_check(rect, &on->rect);
	for (y = 0; y < rect->height && y < 4; y++)
		gpu_resource_row(on->resource, on->rect.x + rect->x, on->rect.y + rect->y + y,
				 rect->width, row);
}

static void on_cursor(void *arg, unsigned int scanout)
{
	MUST(scanout < gpu.scanouts);
}

static bool on_ask(void *arg, bool edid, unsigned int scanout)
{
	MUST(scanout < gpu.scanouts && !asked);
	asked = true;
	return true;
}

static const struct gpu_display_ops ops = {
	.scanout = on_scanout, .damage = on_damage, .cursor_image = on_cursor,
	.cursor_pos = on_cursor, .ask = on_ask,
};

static int resolve(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	unsigned int n = 0;

	if (!len)
		return 0;
	if (gpa < RAM_BASE || len > RAM_SIZE || gpa - RAM_BASE > RAM_SIZE - len)
		return -EFAULT;
	for (gpa -= RAM_BASE; len; n++) {
		u64 end = gpa < RAM_HALF ? RAM_HALF : RAM_SIZE;
		u64 part = len < end - gpa ? len : end - gpa;

		if (n == max)
			return -E2BIG;
		iov[n] = (struct iovec){ ram + gpa, part };
		gpa += part;
		len -= part;
	}
	return n;
}

/* ---- a renderer with 3D ---- */

/* So many bytes it has made of resources. */
static u64 made;

static int on_create(struct gpu *of, struct gpu_resource *r, const struct gpu_args *args)
{
	MUST(of == &gpu && r->id && args->width && args->height && args->depth && args->layers);
	MUST(args->target <= GPU_TARGET_LAST && args->last_level < GPU_LEVELS);
	if (args->bind & 1)
		return -EINVAL;
	made++;
	return 0;
}

static void on_destroy(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	MUST(made && !r->attached);
	made--;
}

static int on_attach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	MUST(!r->attached && r->count);
	return r->count == 3 ? -EINVAL : 0;
}

static void on_detach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	MUST(r->attached && r->count);
}

static u32 level_of(u32 size, u32 level)
{
	return size >> level ? size >> level : 1;
}

static int on_transfer(struct gpu_renderer *renderer, struct gpu_resource *r,
		       const struct gpu_transfer *t, bool from_host)
{
	u64 depth = r->target == GPU_TARGET_3D ? level_of(r->depth, t->level) : r->layers;

	MUST(t->level <= r->last_level && t->box.width && t->box.height && t->box.depth);
	MUST((u64)t->box.x + t->box.width <= level_of(r->width, t->level));
	MUST((u64)t->box.y + t->box.height <= level_of(r->height, t->level));
	MUST((u64)t->box.z + t->box.depth <= depth);
	MUST(!t->context || gpu_context_there(&gpu, t->context));
	MUST(r->attached && t->offset < r->backing);
	MUST(t->box.height == 1 || t->offset + t->stride <= r->backing);
	return 0;
}

static int on_read(struct gpu_renderer *renderer, struct gpu_resource *r,
		   const struct gpu_rect *rect)
{
	MUST(gpu_rect_in(rect, r->width, r->height) && rect->width && rect->height);
	memset(r->pixels + 4ULL * (rect->y * r->width + rect->x), 1, 4ULL * rect->width);
	return 0;
}

static void on_capset(struct gpu_renderer *renderer, const struct gpu_capset *capset, u32 version,
		      void *to)
{
	MUST(capset->id == CAPSET && version <= capset->version);
	memset(to, 0x77, capset->size);
}

static int on_context_create(struct gpu_renderer *renderer, u32 id, u32 kind, const char *name)
{
	MUST(id && !gpu_context_there(&gpu, id) && (!kind || kind == CAPSET));
	MUST(strlen(name) < 64);
	return name[0] == 'x' ? -EINVAL : 0;
}

static void on_context_destroy(struct gpu_renderer *renderer, u32 id)
{
	MUST(gpu_context_there(&gpu, id));
}

static void on_context_resource(struct gpu_renderer *renderer, u32 id, struct gpu_resource *r,
				bool attach)
{
	MUST(gpu_context_there(&gpu, id) && gpu_resource_find(&gpu, r->id) == r);
}

static int on_submit(struct gpu_renderer *renderer, u32 id, void *commands, u32 size)
{
	MUST(gpu_context_there(&gpu, id) && size && size % 4 == 0 && size <= GPU_COMMANDS);
	return ((u8 *)commands)[size - 1] & 1 ? -EINVAL : 0;
}

static int on_fence(struct gpu_renderer *renderer, const struct gpu_fence *fence)
{
	MUST(!fence->on_ring || (gpu_context_there(&gpu, fence->context) && fence->ring < 64));
	return fence->number & 1 ? -EINVAL : 0;
}

static const struct gpu_renderer_ops ops_3d = {
	.three_d = true, .create = on_create, .destroy = on_destroy, .attach = on_attach,
	.detach = on_detach, .transfer = on_transfer, .read = on_read, .capset = on_capset,
	.context_create = on_context_create, .context_destroy = on_context_destroy,
	.context_resource = on_context_resource, .submit = on_submit, .fence = on_fence,
};

static struct gpu_renderer renderer_3d = {
	.ops = &ops_3d, .capset = { { CAPSET, 1, CAPSET_SIZE } }, .capsets = 1, .fd = -1,
};

/* ---- requests ---- */

static u32 some_id(struct input *in)
{
	static const u32 ids[] = { 1, 2, 3, 1 + GPU_RESOURCES, 0, ~0U };

	return ids[take(in, 1) % ARRAY_SIZE(ids)];
}

/* Small, or at an edge, or anything. */
static u32 some_number(struct input *in)
{
	unsigned int how = take(in, 1);

	switch (how >> 6) {
	case 0:
	case 1:
		return how & 0x7f;
	case 2:
		return (u32)(how & 0x3f) - 4;
	default:
		return take(in, 4);
	}
}

static struct virtio_gpu_rect some_rect(struct input *in)
{
	return (struct virtio_gpu_rect){
		some_number(in), some_number(in), some_number(in), some_number(in),
	};
}

static u32 some_format(struct input *in)
{
	static const u32 formats[] = { 1, 2, 3, 4, 67, 68, 121, 134, 0, 5 };

	return formats[take(in, 1) % ARRAY_SIZE(formats)];
}

static union {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref id;
	struct virtio_gpu_set_scanout scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entry[ENTRIES];
	} attach;
	struct virtio_gpu_update_cursor cursor;
	struct virtio_gpu_cmd_get_edid edid;
	struct virtio_gpu_get_capset capset;
	struct virtio_gpu_ctx_create context;
	struct virtio_gpu_ctx_resource context_resource;
	struct virtio_gpu_resource_create_3d create_3d;
	struct virtio_gpu_transfer_host_3d transfer_3d;
	struct virtio_gpu_cmd_submit submit;
	u8 bytes[256];
} request;

static size_t make_attach(struct input *in)
{
	unsigned int n = take(in, 1) % (ENTRIES + 1);
	unsigned int i;

	request.attach.head.resource_id = some_id(in);
	request.attach.head.nr_entries = take(in, 1) & 7 ? n : some_number(in);
	for (i = 0; i < n; i++) {
		request.attach.entry[i].addr = RAM_BASE + take(in, 2) - 0x1000;
		request.attach.entry[i].length = some_number(in) * (take(in, 1) & 1 ? 1 : 64);
	}
	return sizeof(request.attach.head) + n * sizeof(request.attach.entry[0]);
}

/* A context's number, mostly one of few. */
static u32 some_context(struct input *in)
{
	static const u32 ids[] = { 1, 1, 2, 3, 0, ~0U };

	return ids[take(in, 1) % ARRAY_SIZE(ids)];
}

static size_t make_create_3d(struct input *in)
{
	request.create_3d.resource_id = some_id(in);
	request.create_3d.target = some_number(in) & 15;
	request.create_3d.format = some_format(in);
	request.create_3d.bind = take(in, 1) & 7 ? 2 : 1;
	request.create_3d.width = some_number(in);
	request.create_3d.height = some_number(in);
	request.create_3d.depth = take(in, 1) & 7 ? 1 : some_number(in);
	request.create_3d.array_size = take(in, 1) & 7 ? 1 : some_number(in);
	request.create_3d.last_level = take(in, 1) & 3 ? 0 : some_number(in);
	request.create_3d.nr_samples = take(in, 1) & 7 ? 0 : some_number(in);
	return sizeof(request.create_3d);
}

static size_t make_transfer_3d(struct input *in)
{
	request.transfer_3d.box = (struct virtio_gpu_box){
		some_number(in), some_number(in), take(in, 1) & 7 ? 0 : some_number(in),
		some_number(in), some_number(in), take(in, 1) & 7 ? 1 : some_number(in),
	};
	request.transfer_3d.offset = take(in, 1) & 7 ? some_number(in) : take(in, 8);
	request.transfer_3d.resource_id = some_id(in);
	request.transfer_3d.level = take(in, 1) & 3 ? 0 : some_number(in);
	request.transfer_3d.stride = take(in, 1) & 3 ? 0 : some_number(in);
	request.transfer_3d.layer_stride = take(in, 1) & 3 ? 0 : some_number(in);
	return sizeof(request.transfer_3d);
}

static size_t make_3d(struct input *in, u32 type)
{
	request.hdr.ctx_id = some_context(in);
	switch (type) {
	case VIRTIO_GPU_CMD_GET_CAPSET_INFO:
	case VIRTIO_GPU_CMD_GET_CAPSET:
		request.capset.capset_id = some_number(in) & 3;
		request.capset.capset_version = some_number(in) & 3;
		return sizeof(request.capset);
	case VIRTIO_GPU_CMD_CTX_CREATE:
		request.context.nlen = some_number(in);
		request.context.context_init = take(in, 1) & 3 ? CAPSET : some_number(in);
		memset(request.context.debug_name, 'x' + (take(in, 1) & 1), 64);
		return sizeof(request.context);
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
	case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
		request.context_resource.resource_id = some_id(in);
		return sizeof(request.context_resource);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
		return make_create_3d(in);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D:
		return make_transfer_3d(in);
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		request.submit.size = some_number(in);
		return sizeof(request.submit) + take(in, 1) % 64 * 2;
	default:
		return sizeof(request.hdr);
	}
}

/* Makes a request of a type that there is; bytes of it. */
static size_t make(struct input *in, u32 type)
{
	request.hdr.type = type;
	request.hdr.flags = take(in, 1);
	request.hdr.fence_id = take(in, 2);
	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		request.create.resource_id = some_id(in);
		request.create.format = some_format(in);
		request.create.width = some_number(in);
		request.create.height = some_number(in);
		return sizeof(request.create);
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
		request.id.resource_id = some_id(in);
		return sizeof(request.id);
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		request.scanout.r = some_rect(in);
		request.scanout.scanout_id = take(in, 1) & 3;
		request.scanout.resource_id = some_id(in);
		return sizeof(request.scanout);
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		request.flush.r = some_rect(in);
		request.flush.resource_id = some_id(in);
		return sizeof(request.flush);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		request.transfer.r = some_rect(in);
		request.transfer.offset = take(in, 1) & 7 ? some_number(in) : take(in, 8);
		request.transfer.resource_id = some_id(in);
		return sizeof(request.transfer);
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		return make_attach(in);
	case VIRTIO_GPU_CMD_GET_EDID:
		request.edid.scanout = some_number(in);
		return sizeof(request.edid);
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		request.cursor.pos.scanout_id = take(in, 1) & 3;
		request.cursor.pos.x = some_number(in);
		request.cursor.resource_id = some_id(in);
		return sizeof(request.cursor);
	default:
		return make_3d(in, type);
	}
}

static void answer_check(const u8 *answer, size_t room, int written)
{
	struct virtio_gpu_ctrl_hdr hdr;

	MUST(written >= 0 && (size_t)written <= room);
	if (!written)
		return;
	MUST((size_t)written >= sizeof(hdr));
	memcpy(&hdr, answer, sizeof(hdr));
	MUST(hdr.type >= VIRTIO_GPU_RESP_OK_NODATA &&
	     hdr.type <= VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	MUST(!(hdr.flags & ~(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX)));
	MUST(hdr.flags & VIRTIO_GPU_FLAG_FENCE || !hdr.fence_id);
}

static void ask(struct input *in, size_t len, bool cursor)
{
	static const u8 said[sizeof(struct virtio_gpu_resp_edid)];
	static const size_t rooms[] = { 24, 24, 24, 0, 23, 408, 1056, 2000 };
	static u8 answer[2048];
	size_t room = rooms[take(in, 1) % ARRAY_SIZE(rooms)];
	size_t cut = take(in, 1) % (len + 1);
	struct iovec out[2] = { { request.bytes, cut }, { request.bytes + cut, len - cut } };
	struct iovec back[2] = { { answer, room / 3 }, { answer + room / 3, room - room / 3 } };
	struct gpu_fence fence = { 0 };
	struct gpu_request r = { out, 2, len, back, 2, room, take(in, 1) & 1 ? &fence : NULL };
	int written = cursor ? gpu_cursor(&gpu, &r) : gpu_control(&gpu, &r);

	if (written == GPU_LATER) {
		MUST(asked && gpu.asked.type);
		asked = false;
		written = gpu_answer(&gpu, &r, said, take(in, 1) & 1 ? room : take(in, 2) %
				     sizeof(said));
	}
	MUST(!asked && !gpu.asked.type);
	answer_check(answer, room, written);
}

/* What resources take, and what is on screens, counted again. */
static void count(void)
{
	unsigned int i, n = 0;
	u64 memory = 0;
	struct gpu_resource *r;

	for (i = 0; n < gpu.resources && i < GPU_RESOURCES; i++) {
		for (r = gpu.table[i]; r; r = r->next) {
			n++;
			memory += r->size + r->charge;
			MUST(!r->pixels == !r->size && (!r->attached || r->count));
			if (r->count)
				memory += r->count * (sizeof(*r->entries) + sizeof(*r->iov)) +
					  64 * sizeof(*r->iov);
			MUST(r->id && gpu_resource_find(&gpu, r->id) == r);
			MUST(!r->count == !r->entries && !r->count == !r->iov);
		}
	}
	MUST(n == gpu.resources && memory == gpu.memory && memory <= MEMORY);
	MUST(!gpu.renderer->ops->three_d || made == n);
	for (i = 0; i < gpu.scanouts; i++) {
		r = gpu.scanout[i].resource;
		MUST(!r || (gpu_resource_find(&gpu, r->id) == r &&
			    gpu_rect_in(&gpu.scanout[i].rect, r->width, r->height)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u32 types[] = {
		VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, VIRTIO_GPU_CMD_RESOURCE_UNREF,
		VIRTIO_GPU_CMD_SET_SCANOUT, VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
		VIRTIO_GPU_CMD_GET_EDID, VIRTIO_GPU_CMD_UPDATE_CURSOR, VIRTIO_GPU_CMD_MOVE_CURSOR,
		VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_CMD_GET_CAPSET,
		VIRTIO_GPU_CMD_CTX_CREATE, VIRTIO_GPU_CMD_CTX_DESTROY,
		VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
		VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, VIRTIO_GPU_CMD_SUBMIT_3D,
	};
	bool three_d = size && data[size - 1] & 1;
	struct input in = { data, size };
	unsigned int i;

	gpu.display = &ops;
	gpu.resolve = resolve;
	gpu.scanouts = 2;
	gpu.memory_max = MEMORY;
	gpu.renderer = three_d ? &renderer_3d : &gpu_renderer_2d;
	gpu_init(&gpu);
	gpu.three_d = three_d && data[size - 1] & 6;
	gpu.context_init = gpu.three_d && data[size - 1] & 8;
	for (i = 0; i < RAM_SIZE; i++)
		ram[i] = i < size ? data[i] : i;
	while (in.left) {
		unsigned int what = take(&in, 1);
		size_t len;

		memset(&request, 0, sizeof(request));
		if (what < 0xe0) {
			len = make(&in, types[what % ARRAY_SIZE(types)]);
			/* Cut off now and then. */
			if (what >= 0xd0)
				len = take(&in, 1) % (len + 1);
			ask(&in, len, request.hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR ||
			    request.hdr.type == VIRTIO_GPU_CMD_MOVE_CURSOR);
		} else if (what < 0xf8) {
			len = take(&in, 1);
			for (i = 0; i < len && in.left; i++)
				request.bytes[i] = take(&in, 1);
			ask(&in, len, what & 1);
		} else if (what < 0xfc) {
			if (what & 1)
				gpu_resources_let_go(&gpu);
			gpu_resources_remap(&gpu);
		} else {
			gpu_reset(&gpu);
			MUST(!gpu.resources && !gpu.memory && !gpu.contexts);
		}
		count();
	}
	gpu_reset(&gpu);
	MUST(!gpu.resources && !gpu.memory);
	return 0;
}
