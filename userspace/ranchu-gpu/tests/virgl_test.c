// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-gpu with virglrenderer, in its sandbox: contexts, commands, fences, and a hostile guest.
 *
 *	RANCHU_GPU=PROGRAM virgl_test
 */
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "driver_lib.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define OK		VIRTIO_GPU_RESP_OK_NODATA
#define BAD		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define NO_RESOURCE	VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define NO_CONTEXT	VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID
#define UNSPEC		VIRTIO_GPU_RESP_ERR_UNSPEC
#define BGRX		VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define CONTEXT		1
#define TARGET		1	/* the render target */
#define COLOUR		0x4080bf	/* .25, .5, .75 of 255, rounded, as BGRX has it */

/* Header of a virgl command: command, kind of object, number of words that follow. */
#define COMMAND(what, kind, words)	((what) | (kind) << 8 | (words) << 16)
#define CREATE_OBJECT		1
#define SET_FRAMEBUFFER		5
#define CLEAR			7
#define SET_SUB_CONTEXT		28
#define CREATE_SUB_CONTEXT	29
#define SURFACE			8
#define CLEAR_COLOUR		4
#define VIRGL_DEPTH		16	/* a format: depth of 16 bits */

static struct virtio_gpu_ctrl_hdr header(u32 type)
{
	return (struct virtio_gpu_ctrl_hdr){ .type = type, .ctx_id = CONTEXT };
}

static u32 context_create(u32 id, u32 kind)
{
	const struct virtio_gpu_ctx_create request = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = id }, .nlen = 4,
		.context_init = kind, .debug_name = "test",
	};

	return control(&request, sizeof(request));
}

static u32 context_destroy(u32 id)
{
	const struct virtio_gpu_ctx_destroy request = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = id },
	};

	return control(&request, sizeof(request));
}

static u32 context_attach(u32 type, u32 id, u32 resource)
{
	const struct virtio_gpu_ctx_resource request = {
		.hdr = { .type = type, .ctx_id = id }, .resource_id = resource,
	};

	return control(&request, sizeof(request));
}

static struct virtio_gpu_resource_create_3d picture(u32 id)
{
	return (struct virtio_gpu_resource_create_3d){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, .resource_id = id,
		.target = GPU_TARGET_2D, .format = BGRX, .bind = GPU_BIND_RENDER_TARGET,
		.width = W, .height = H, .depth = 1, .array_size = 1,
	};
}

static u32 create_3d(u32 id)
{
	const struct virtio_gpu_resource_create_3d request = picture(id);

	return control(&request, sizeof(request));
}

static void unref(u32 id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = id,
	};

	tap_equal(control(&request, sizeof(request)), OK);
}

static struct virtio_gpu_transfer_host_3d copy(u32 type, u32 id)
{
	return (struct virtio_gpu_transfer_host_3d){
		.hdr = header(type), .box = { 0, 0, 0, W, H, 1 }, .resource_id = id,
		.stride = 4 * W, .layer_stride = 4 * W * H,
	};
}

static u32 read_back(u32 id)
{
	const struct virtio_gpu_transfer_host_3d request =
		copy(VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, id);

	return control(&request, sizeof(request));
}

static struct {
	struct virtio_gpu_cmd_submit head;
	u32 words[400];
} submitted;

/* Makes a request with @count words of commands. */
static size_t submit_make(u32 context, const u32 *words, u32 count)
{
	submitted.head = (struct virtio_gpu_cmd_submit){
		.hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = context },
		.size = count * sizeof(u32),
	};
	memcpy(submitted.words, words, count * sizeof(u32));
	return sizeof(submitted.head) + count * sizeof(u32);
}

static u32 submit(u32 context, const u32 *words, u32 count)
{
	return control(&submitted, submit_make(context, words, count));
}

static const u32 set_up[] = {
	COMMAND(CREATE_SUB_CONTEXT, 0, 1), 1,
	COMMAND(SET_SUB_CONTEXT, 0, 1), 1,
	COMMAND(CREATE_OBJECT, SURFACE, 5), 7, TARGET, BGRX, 0, 0,
	COMMAND(SET_FRAMEBUFFER, 0, 3), 1, 0, 7,
};

static u32 bits(float value)
{
	u32 word;

	memcpy(&word, &value, sizeof(word));
	return word;
}

static u32 clear(float red, float green, float blue)
{
	const u32 words[] = {
		COMMAND(CLEAR, 0, 8), CLEAR_COLOUR, bits(red), bits(green), bits(blue),
		bits(1), 0, 0, 0,
	};

	return submit(CONTEXT, words, ARRAY_SIZE(words));
}

/* Returns pixel @x, @y of the guest's memory that backs a resource. */
static u32 seen_at(u32 x, u32 y)
{
	u32 pixel;

	memcpy(&pixel, ram + PIXELS + (y < 100 ? 4 * W * y : 0x100000 + 4 * W * (y - 100)) + 4 * x,
	       sizeof(pixel));
	return pixel & 0xffffff;
}

static void all_pixels_are(u32 colour)
{
	u32 x, y;

	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++) {
			tap_context("pixel %u, %u", x, y);
			if (!tap_equal(seen_at(x, y), colour))
				return;
		}
	}
}

static void begin(void)
{
	all_begin(1 << GPU_P_EDID | 1ULL << GPU_P_MEMFD);
	tap_equal(context_create(CONTEXT, 0), OK);
	tap_equal(create_3d(TARGET), OK);
	tap_equal(attach(TARGET), OK);
	tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, CONTEXT, TARGET), OK);
	tap_equal(submit(CONTEXT, set_up, ARRAY_SIZE(set_up)), OK);
}

/* ---- commands of a driver ---- */

static void commands_draw(void)
{
	begin();
	memset(ram + PIXELS, 0x11, 4 * W * 100);
	tap_equal(clear(.75, .5, .25), OK);
	tap_equal(read_back(TARGET), OK);
	all_pixels_are(0xbf8040);
	tap_equal(clear(.25, .5, .75), OK);
	tap_equal(read_back(TARGET), OK);
	all_pixels_are(COLOUR);
	all_end();
}

static void pixels_of_the_guest_come_back(void)
{
	struct virtio_gpu_transfer_host_3d request =
		copy(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, TARGET);
	u32 x, y;

	begin();
	draw();
	tap_equal(control(&request, sizeof(request)), OK);
	memset(ram + PIXELS, 0, 4 * W * 100);
	memset(ram + PIXELS + 0x100000, 0, 4 * W * 100);
	tap_equal(read_back(TARGET), OK);
	for (y = 0; y < H; y++) {
		for (x = 0; x < W && seen_at(x, y) == (drawn(x, y) & 0xffffff); x++)
			;
		tap_context("pixel %u, %u", x, y);
		if (!tap_equal(x, W))
			break;
	}
	all_end();
}

/* Reads back a rectangle, with the guest's own pitch and at an offset in its memory. */
static void parts_come_back(void)
{
	struct virtio_gpu_transfer_host_3d request =
		copy(VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, TARGET);
	u32 x, y;

	begin();
	tap_equal(clear(1, 1, 1), OK);
	memset(ram + PIXELS, 0, 4 * W * 100);
	memset(ram + PIXELS + 0x100000, 0, 4 * W * 100);
	request.box = (struct virtio_gpu_box){ 10, 20, 0, 30, 40, 1 };
	request.offset = 4 * (20 * W + 10);
	tap_equal(control(&request, sizeof(request)), OK);
	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++) {
			bool in = x >= 10 && x < 40 && y >= 20 && y < 60;

			tap_context("pixel %u, %u", x, y);
			if (!tap_equal(seen_at(x, y), in ? 0xffffff : 0))
				y = H;
		}
	}
	all_end();
}

static void a_screen_shows_it(void)
{
	u32 *pixels;
	int fd;

	begin();
	tap_equal(set_scanout(TARGET, W, H), OK);
	screen_hears(GPU_DMABUF_SCANOUT);
	fd = screen_fd;
	pixels = mmap(NULL, 4 * W * H, PROT_READ, MAP_SHARED, fd, 0);
	if (!tap_check(fd >= 0 && pixels != MAP_FAILED))
		return;
	tap_equal(clear(.25, .5, .75), OK);
	/* It was not flushed yet. */
	tap_equal(pixels[W * H - 1] & 0xffffff, 0);
	tap_equal(flush(TARGET, 0, 0, W, 100), OK);
	screen_hears(GPU_DMABUF_UPDATE);
	tap_equal(pixels[0] & 0xffffff, COLOUR);
	tap_equal(pixels[100 * W - 1] & 0xffffff, COLOUR);
	tap_equal(pixels[100 * W] & 0xffffff, 0);
	munmap(pixels, 4 * W * H);
	close(fd);
	all_end();
}

static void capsets_are_told(void)
{
	const struct virtio_gpu_get_capset_info index[] = {
		{ .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO, .capset_index = 0 },
		{ .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO, .capset_index = 1 },
		{ .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO, .capset_index = 2 },
	};
	struct virtio_gpu_get_capset get = { .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET };
	struct virtio_gpu_resp_capset_info info;
	static const u8 nothing[32];
	unsigned int i;
	u16 slot;

	all_begin(0);
	for (i = 0; i < 2; i++) {
		tap_context("capset %u", i);
		slot = make(0, &index[i], sizeof(index[i]), sizeof(info));
		kick(0);
		tap_equal(wait_for_all(0), sizeof(info));
		memcpy(&info, answer_at(0, slot), sizeof(info));
		tap_equal(info.hdr.type, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
		tap_equal(info.capset_id, i + 1);
		tap_check(info.capset_max_version && info.capset_max_size < 2000);
		get.capset_id = info.capset_id;
		get.capset_version = info.capset_max_version;
		slot = make(0, &get, sizeof(get), 24 + info.capset_max_size);
		kick(0);
		tap_equal(wait_for_all(0), 24 + info.capset_max_size);
		tap_equal(*(u32 *)(void *)answer_at(0, slot), VIRTIO_GPU_RESP_OK_CAPSET);
		tap_check(memcmp(answer_at(0, slot) + 24, nothing, sizeof(nothing)));
		/* Too little room, or a missing version: no byte of our memory is returned. */
		slot = make(0, &get, sizeof(get), 24 + info.capset_max_size - 1);
		kick(0);
		tap_equal(wait_for_all(0), 24);
		tap_equal(*(u32 *)(void *)answer_at(0, slot), BAD);
		tap_equal(answer_at(0, slot)[24], 0xee);
		get.capset_version++;
		tap_equal(control(&get, sizeof(get)), BAD);
	}
	tap_context("capsets that there are not");
	slot = make(0, &index[2], sizeof(index[2]), sizeof(info));
	kick(0);
	tap_equal(wait_for_all(0), 24);
	tap_equal(*(u32 *)(void *)answer_at(0, slot), BAD);
	for (i = 0; i < 10; i++) {
		get.capset_id = i ? i + 2 : 0;
		slot = make(0, &get, sizeof(get), 2000);
		kick(0);
		tap_equal(wait_for_all(0), 24);
		tap_equal(*(u32 *)(void *)answer_at(0, slot), BAD);
		tap_equal(answer_at(0, slot)[24], 0xee);
	}
	all_end();
}

/* Checks the fence in the answer of slot @slot, and its ring if @ring is not negative. */
static void fence_is(u16 slot, u64 fence, int ring)
{
	struct virtio_gpu_ctrl_hdr hdr;

	memcpy(&hdr, answer_at(0, slot), sizeof(hdr));
	tap_context("fence %llu", (unsigned long long)fence);
	tap_equal(hdr.type, OK);
	tap_equal(hdr.flags, VIRTIO_GPU_FLAG_FENCE |
		  (ring < 0 ? 0 : VIRTIO_GPU_FLAG_INFO_RING_IDX));
	tap_equal(hdr.fence_id, fence);
	tap_equal(hdr.ring_idx, ring < 0 ? 0 : ring);
}

/* Makes an empty submission with a fence, on a ring of the context or the device's timeline. */
static u16 make_fenced(u32 context, int ring, u64 fence)
{
	size_t len = submit_make(context, (const u32[]){ 0 }, 0);

	submitted.head.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
	submitted.head.hdr.fence_id = fence;
	if (ring >= 0) {
		submitted.head.hdr.flags |= VIRTIO_GPU_FLAG_INFO_RING_IDX;
		submitted.head.hdr.ring_idx = ring;
	}
	return make(0, &submitted, len, 24);
}

/* Fences on the device's timeline and on that of a ring, also in an unusual order. */
static void fences_are_told(void)
{
	static const struct { u64 fence; int ring; } rows[] = {
		{ 5, -1 }, { 6, 0 }, { 7, -1 }, { 1ULL << 40, 0 }, { 3, -1 }, { ~0ULL, -1 },
	};
	u16 slot[ARRAY_SIZE(rows)];
	unsigned int i, round;

	begin();
	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_SIZE(rows); i++)
			slot[i] = make_fenced(CONTEXT, rows[i].ring, rows[i].fence);
		kick(0);
		tap_context("round %u", round);
		if (!tap_equal(wait_for_all(0), 24))
			break;
		for (i = 0; i < ARRAY_SIZE(rows); i++)
			fence_is(slot[i], rows[i].fence, rows[i].ring);
	}
	all_end();
}

/* A context is destroyed while its own and other fences are pending: all are signalled. */
static void a_context_goes_with_fences(void)
{
	const struct virtio_gpu_ctx_destroy destroy = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 2 },
	};
	unsigned int i, round;
	u16 slot[7];

	begin();
	for (round = 0; round < 200; round++) {
		tap_context("round %u", round);
		if (!tap_equal(context_create(2, 2), OK))
			break;
		for (i = 0; i < 6; i++)
			slot[i] = make_fenced(2, 0, i + 1);
		slot[6] = make_fenced(CONTEXT, -1, 7);
		make(0, &destroy, sizeof(destroy), 24);
		kick(0);
		if (!tap_check(wait_for_all(0) >= 0))
			break;
		for (i = 0; i < 7; i++)
			fence_is(slot[i], i + 1, i < 6 ? 0 : -1);
	}
	all_end();
}

/* Fences of all timelines are signalled in order of submission. */
static void rings_keep_the_order(void)
{
	const struct vring_used *used = (void *)(ram + 0x2000);
	unsigned int round;
	u16 first, slot;
	u16 at;

	begin();
	for (round = 0; round < 20; round++) {
		tap_context("round %u", round);
		at = used->idx;
		first = make_fenced(CONTEXT, -1, 1);
		slot = make_fenced(CONTEXT, 5, 2);
		kick(0);
		if (!tap_equal(wait_for_all(0), 24))
			break;
		fence_is(first, 1, -1);
		fence_is(slot, 2, 5);
		tap_equal(used->ring[at % NUM].id, 2 * first);
		tap_equal(used->ring[(u16)(at + 1) % NUM].id, 2 * slot);
	}
	all_end();
}

/* Cursor commands are answered without waiting for a fence. */
static void cursors_have_no_fence(void)
{
	const struct virtio_gpu_update_cursor move = {
		.hdr = { .type = VIRTIO_GPU_CMD_MOVE_CURSOR, .flags = VIRTIO_GPU_FLAG_FENCE,
			 .fence_id = 9 },
	};
	struct virtio_gpu_ctrl_hdr answer;
	u16 slot;

	begin();
	slot = make(1, &move, sizeof(move), sizeof(answer));
	kick(1);
	if (tap_equal(wait_for_all(1), sizeof(answer))) {
		memcpy(&answer, answer_at(1, slot), sizeof(answer));
		tap_check(answer.type == OK && answer.flags == VIRTIO_GPU_FLAG_FENCE &&
			  answer.fence_id == 9);
	}
	all_end();
}

/* The queue stops while fences are pending: each request is returned. */
static void a_queue_stops_with_fences(void)
{
	unsigned int i;
	size_t len;

	begin();
	for (i = 0; i < 6; i++) {
		len = submit_make(CONTEXT, (const u32[]){ 0 }, 0);
		submitted.head.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
		make(0, &submitted, len, 24);
	}
	kick(0);
	while (((struct vring_used *)(void *)(ram + 0x2000))->idx == queue[0].made - 6)
		;
	device_stop();
	tap_equal(((struct vring_used *)(void *)(ram + 0x2000))->idx, queue[0].made);
	device_start();
	tap_equal(create_3d(TARGET), OK);
	tap_equal(context_create(CONTEXT, 2), OK);
	all_end();
}

/* If the driver has not accepted 3D, only 2D commands work. */
static void without_3d_there_is_none(void)
{
	const struct virtio_gpu_resource_create_3d request = picture(2);

	driver_accepts = 0;
	all_begin(0);
	tap_equal(context_create(CONTEXT, 0), UNSPEC);
	tap_equal(control(&request, sizeof(request)), UNSPEC);
	tap_equal(submit(CONTEXT, set_up, 0), UNSPEC);
	tap_equal(create(TARGET, BGRX), OK);
	all_end();
	driver_accepts = FEATURES_3D;
}

/* ---- commands that no driver sends ---- */

static void numbers_of_contexts(void)
{
	unsigned int i;

	begin();
	tap_equal(context_create(0, 0), NO_CONTEXT);
	tap_equal(context_create(CONTEXT, 0), NO_CONTEXT);
	tap_equal(context_create(2, 3), BAD);
	tap_equal(context_create(2, 4), BAD);
	tap_equal(context_create(2, 0x101), BAD);
	tap_equal(context_create(~0U, 1), OK);
	tap_equal(context_destroy(2), NO_CONTEXT);
	tap_equal(context_destroy(0), NO_CONTEXT);
	tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, TARGET), NO_CONTEXT);
	tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, CONTEXT, 9), NO_RESOURCE);
	tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, ~0U, TARGET), OK);
	tap_equal(submit(2, set_up, 0), NO_CONTEXT);
	tap_equal(submit(0, set_up, ARRAY_SIZE(set_up)), NO_CONTEXT);
	tap_equal(context_destroy(~0U), OK);
	tap_equal(context_destroy(~0U), NO_CONTEXT);
	/* Repeated, with a resource in use, and with one that is freed while it is in use. */
	for (i = 0; i < 40; i++) {
		tap_equal(context_create(2, i & 1), OK);
		tap_equal(create_3d(2), OK);
		tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 2), OK);
		if (i & 2)
			tap_equal(context_destroy(2), OK);
		tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, CONTEXT, 2), OK);
		unref(2);
		if (!(i & 2))
			tap_equal(context_destroy(2), OK);
	}
	tap_equal(clear(.25, .5, .75), OK);
	tap_equal(read_back(TARGET), OK);
	all_pixels_are(COLOUR);
	all_end();
}

static void shapes_of_resources(void)
{
	static const struct {
		u32 target, width, height, depth, layers, level, samples, format;
	} bad[] = {
		{ 9, 1, 1, 1, 1, 0, 0, BGRX }, { ~0U, 1, 1, 1, 1, 0, 0, BGRX },
		{ 2, 0, 1, 1, 1, 0, 0, BGRX }, { 2, 1, 0, 1, 1, 0, 0, BGRX },
		{ 2, 1, 1, 0, 1, 0, 0, BGRX }, { 2, 1, 1, 1, 0, 0, 0, BGRX },
		{ 2, GPU_SIDE + 1, 1, 1, 1, 0, 0, BGRX }, { 2, 1, ~0U, 1, 1, 0, 0, BGRX },
		{ 3, 1, 1, ~0U, 1, 0, 0, BGRX }, { 2, 1, 1, 1, ~0U, 0, 0, BGRX },
		{ 2, 1, 1, 1, 1, ~0U, 0, BGRX }, { 2, 1, 1, 1, 1, 15, 0, BGRX },
		{ 2, 1, 1, 1, 1, 0, ~0U, BGRX }, { 0, ~0U, 1, 1, 1, 0, 0, 64 },
		{ 0, 64, 2, 1, 1, 0, 0, 64 }, { 0, 64, 1, 1, 2, 0, 0, 64 },
		{ 2, 8, 8, 1, 1, 0, 0, 0 }, { 2, 8, 8, 1, 1, 0, 0, 4000 },
		{ 2, 8, 8, 1, 1, 0, 0, ~0U }, { 4, 8, 8, 1, 5, 0, 0, BGRX },
	};
	struct virtio_gpu_resource_create_3d request;
	unsigned int i;

	begin();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		request = picture(2);
		request.target = bad[i].target;
		request.width = bad[i].width;
		request.height = bad[i].height;
		request.depth = bad[i].depth;
		request.array_size = bad[i].layers;
		request.last_level = bad[i].level;
		request.nr_samples = bad[i].samples;
		request.format = bad[i].format;
		tap_context("row %u", i);
		tap_equal(control(&request, sizeof(request)), BAD);
	}
	tap_context("numbers");
	tap_equal(create_3d(0), NO_RESOURCE);
	tap_equal(create_3d(TARGET), NO_RESOURCE);
	/* More than the limit for all resources: 16 MiB. */
	request = picture(2);
	request.width = 2048;
	request.height = 2049;
	tap_equal(control(&request, sizeof(request)), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	/* A resource that is not a 2D picture cannot be a scanout. */
	request = picture(3);
	request.format = VIRGL_DEPTH;
	request.bind = 1;
	tap_equal(control(&request, sizeof(request)), OK);
	tap_equal(set_scanout(3, W, H), BAD);
	tap_equal(flush(3, 0, 0, W, H), OK);
	tap_equal(transfer(3, 0, 0, W, H), BAD);
	all_end();
}

static void boxes_and_offsets(void)
{
	static const struct {
		struct virtio_gpu_box box;
		u64 offset;
		u32 level, stride, layer_stride;
	} bad[] = {
		{ { 1, 0, 0, W, H, 1 }, 0, 0, 0, 0 }, { { 0, 1, 0, W, H, 1 }, 0, 0, 0, 0 },
		{ { 0, 0, 1, W, H, 1 }, 0, 0, 0, 0 }, { { 0, 0, 0, W, H, 2 }, 0, 0, 0, 0 },
		{ { ~0U, 0, 0, 2, 1, 1 }, 0, 0, 0, 0 }, { { 2, 0, 0, ~0U, 1, 1 }, 0, 0, 0, 0 },
		{ { 0, ~0U, 0, 1, 2, 1 }, 0, 0, 0, 0 }, { { 0, 0, ~0U, 1, 1, 2 }, 0, 0, 0, 0 },
		{ { 0, 0, 0, W, H, ~0U }, 0, 0, 0, 0 }, { { 0, 0, 0, W, H, 1 }, 0, 1, 0, 0 },
		{ { 0, 0, 0, 1, 1, 1 }, 0, ~0U, 0, 0 }, { { 0, 0, 0, W, H, 1 }, 4, 0, 0, 0 },
		{ { 0, 0, 0, W, H, 1 }, ~0ULL, 0, 0, 0 },
		{ { 0, 0, 0, 1, 1, 1 }, ~0ULL - 3, 0, 0, 0 },
		{ { 0, 0, 0, 1, 1, 1 }, 1ULL << 32, 0, 0, 0 },
		{ { 0, 0, 0, W, H, 1 }, 0, 0, 0x7fffffff, 0 },
		{ { 0, 0, 0, W, H, 1 }, 0, 0, 4 * W + 4, 0 },
		{ { 0, 0, 0, 1, 2, 1 }, 0, 0, ~0U, 0 },
	};
	static const u32 types[] = {
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
	};
	struct virtio_gpu_transfer_host_3d request;
	unsigned int i;

	begin();
	for (i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		request = copy(types[i & 1], TARGET);
		request.box = bad[i / 2].box;
		request.offset = bad[i / 2].offset;
		request.level = bad[i / 2].level;
		request.stride = bad[i / 2].stride;
		request.layer_stride = bad[i / 2].layer_stride;
		tap_context("row %u, type %x", i / 2, types[i & 1]);
		tap_equal(control(&request, sizeof(request)), BAD);
	}
	for (i = 0; i < 2; i++) {
		tap_context("type %x", types[i]);
		request = copy(types[i], 9);
		tap_equal(control(&request, sizeof(request)), NO_RESOURCE);
		request = copy(types[i], TARGET);
		request.hdr.ctx_id = 9;
		tap_equal(control(&request, sizeof(request)), NO_CONTEXT);
		/* A resource that is not attached to the context, and one without backing. */
		tap_equal(create_3d(2 + i), OK);
		request = copy(types[i], 2 + i);
		tap_equal(control(&request, sizeof(request)), BAD);
		tap_equal(attach(2 + i), OK);
		tap_equal(control(&request, sizeof(request)), BAD);
	}
	/* Nothing is copied, whatever the other fields are. */
	request = copy(types[1], TARGET);
	request.box.w = 0;
	request.offset = ~0ULL;
	tap_equal(control(&request, sizeof(request)), OK);
	all_end();
}

/* Virgl commands that are unknown, truncated, or name missing objects. */
static void commands_that_are_wrong(void)
{
	static const u32 words[][8] = {
		{ COMMAND(CREATE_OBJECT, SURFACE, 5), 9, 77, BGRX, 0, 0 },
		{ COMMAND(CREATE_OBJECT, SURFACE, 5), 9, TARGET, 4000, 0, 0 },
		{ COMMAND(CREATE_OBJECT, SURFACE, 5), 9, TARGET, BGRX, 99, ~0U },
		{ COMMAND(CREATE_OBJECT, 200, 5), 9, TARGET, BGRX, 0, 0 },
		{ COMMAND(SET_FRAMEBUFFER, 0, 3), 1, 0, 99 },
		{ COMMAND(SET_FRAMEBUFFER, 0, 3), ~0U, 0, 7 },
		{ COMMAND(250, 0, 5) }, { ~0U, ~0U, ~0U, ~0U, ~0U, ~0U },
		{ COMMAND(CLEAR, 0, 0xffff) },
		{ COMMAND(CREATE_OBJECT, 4, 5), 1, 1, ~0U, ~0U, ~0U },
	};
	unsigned int i;
	size_t len;

	begin();
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		/* Some are refused at once, others break their context. */
		tap_context("row %u", i);
		tap_equal(context_create(2, 2), OK);
		tap_check(submit(2, words[i], 6));
		tap_equal(context_destroy(2), OK);
	}
	for (i = 1; i < ARRAY_SIZE(set_up); i++) {
		tap_context("%u words", i);
		tap_equal(context_create(2, 1), OK);
		tap_check(submit(2, set_up, i));
		tap_equal(context_destroy(2), OK);
	}
	tap_context("sizes");
	len = submit_make(CONTEXT, set_up, ARRAY_SIZE(set_up));
	submitted.head.size += 4;
	tap_equal(control(&submitted, len), BAD);
	submitted.head.size = 3;
	tap_equal(control(&submitted, len), BAD);
	submitted.head.size = ~0U;
	tap_equal(control(&submitted, len), BAD);
	submitted.head.size = ~0U - 3;
	tap_equal(control(&submitted, len), BAD);
	submitted.head.size = 0;
	tap_equal(control(&submitted, len), OK);
	/* Other contexts are not affected. */
	tap_equal(clear(.25, .5, .75), OK);
	tap_equal(read_back(TARGET), OK);
	all_pixels_are(COLOUR);
	all_end();
}

/* The guest's memory is removed while the renderer uses it, and added at another address. */
static void memory_goes_and_comes(void)
{
	unsigned int i;

	begin();
	for (i = 0; i < 3; i++) {
		tap_equal(clear(.25, .5, .75), OK);
		device_stop();
		device_start();
		tap_equal(context_create(CONTEXT, 0), OK);
		tap_equal(create_3d(TARGET), OK);
		tap_equal(attach(TARGET), OK);
		tap_equal(context_attach(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, CONTEXT, TARGET), OK);
		tap_equal(submit(CONTEXT, set_up, ARRAY_SIZE(set_up)), OK);
	}
	all_end();
}

static const struct tap_case cases[] = {
	{ "commands draw", commands_draw },
	{ "pixels of the guest come back", pixels_of_the_guest_come_back },
	{ "parts come back", parts_come_back },
	{ "a screen shows it", a_screen_shows_it },
	{ "capsets are told", capsets_are_told },
	{ "fences are told", fences_are_told },
	{ "a context goes with fences", a_context_goes_with_fences },
	{ "rings keep the order", rings_keep_the_order },
	{ "cursors have no fence", cursors_have_no_fence },
	{ "a queue stops with fences", a_queue_stops_with_fences },
	{ "without 3D there is none", without_3d_there_is_none },
	{ "numbers of contexts", numbers_of_contexts },
	{ "shapes of resources", shapes_of_resources },
	{ "boxes and offsets", boxes_and_offsets },
	{ "commands that are wrong", commands_that_are_wrong },
	{ "memory goes and comes", memory_goes_and_comes },
};

int main(void)
{
	driver_renderer = "virgl";
	driver_features = FEATURES_3D;
	driver_accepts = FEATURES_3D;
	if (!driver_init())
		return 2;
	return tap_run(cases, ARRAY_SIZE(cases));
}
