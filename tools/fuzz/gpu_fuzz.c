// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the commands of ranchu-gpu, from a guest that says anything. Requests are
 * made of the input, whole or cut into pieces, most of them with fields that mean
 * something; guest memory is the rest of it. After each, resources are counted again: what
 * they take is what they are charged with, and what is on a screen lies in its resource.
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
		return sizeof(request.hdr);
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
	struct gpu_request r = { out, 2, len, back, 2, room };
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
			memory += r->size;
			if (r->count)
				memory += r->count * (sizeof(*r->entries) + sizeof(*r->iov)) +
					  64 * sizeof(*r->iov);
			MUST(r->id && gpu_resource_find(&gpu, r->id) == r);
			MUST(!r->count == !r->entries && !r->count == !r->iov);
		}
	}
	MUST(n == gpu.resources && memory == gpu.memory && memory <= MEMORY);
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
	};
	struct input in = { data, size };
	unsigned int i;

	gpu.display = &ops;
	gpu.resolve = resolve;
	gpu.scanouts = 2;
	gpu.memory_max = MEMORY;
	gpu_init(&gpu);
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
			ask(&in, len, what % ARRAY_SIZE(types) >= 9);
		} else if (what < 0xf8) {
			len = take(&in, 1);
			for (i = 0; i < len && in.left; i++)
				request.bytes[i] = take(&in, 1);
			ask(&in, len, what & 1);
		} else if (what < 0xfc) {
			gpu_resources_remap(&gpu);
		} else {
			gpu_reset(&gpu);
			MUST(!gpu.resources && !gpu.memory);
		}
		count();
	}
	gpu_reset(&gpu);
	MUST(!gpu.resources && !gpu.memory);
	return 0;
}
