// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's commands: their effects, and invalid commands. The classes of invalid commands are
 * those that caused faults in other implementations of this device.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gpu_lib.h"
#include "host/edid.h"
#include "tests/tap.h"

#define OK		VIRTIO_GPU_RESP_OK_NODATA
#define UNSPEC		VIRTIO_GPU_RESP_ERR_UNSPEC
#define NO_MEMORY	VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define NO_SCANOUT	VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID
#define NO_RESOURCE	VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define BAD		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define BGRX		VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define W		20
#define H		10

static struct virtio_gpu_mem_entry entry(u64 offset, u32 len)
{
	return (struct virtio_gpu_mem_entry){
		.addr = htole64(RAM_BASE + offset), .length = htole32(len),
	};
}

/* Makes a resource of W x H with backing in three pieces, one of them across both regions. */
static void make_backed(u32 id)
{
	const struct virtio_gpu_mem_entry entries[] = {
		entry(0x1004, 100), entry(RAM_HALF - 52, 404), entry(0x8000, 4 * W * H - 504),
	};

	tap_equal(create(id, BGRX, W, H), OK);
	tap_equal(attach(id, entries, 3, 3), OK);
}

/* Returns the byte of the guest's memory that backs byte @at of that resource. */
static u8 behind(u32 at)
{
	if (at < 100)
		return ram[0x1004 + at];
	if (at < 504)
		return ram[RAM_HALF - 52 + at - 100];
	return ram[0x8000 + at - 504];
}

static void pixels_are_the_guests(void)
{
	struct gpu_resource *r;
	u32 x, y, i;

	device_make();
	make_backed(5);
	r = gpu_resource_find(&gpu, 5);
	tap_equal(transfer(5, 0, 0, W, H, 0), OK);
	for (i = 0; i < 4 * W * H; i++) {
		tap_context("byte %u", i);
		if (!tap_equal(r->pixels[i], behind(i)))
			break;
	}
	memset(r->pixels, 0, r->size);
	/* Like Linux: the offset is that of the rectangle. */
	tap_equal(transfer(5, 3, 2, 7, 6, 4 * (2 * W + 3)), OK);
	for (y = 0; y < H; y++) {
		for (x = 0; x < 4 * W; x++) {
			bool in = x >= 12 && x < 40 && y >= 2 && y < 8;

			tap_context("byte %u of row %u", x, y);
			if (!tap_equal(r->pixels[y * 4 * W + x],
				       in ? behind(y * 4 * W + x) : 0))
				y = H;
		}
	}
	device_free();
}

/* An offset other than the rectangle's, with the resource's own pitch. */
static void offsets_are_free(void)
{
	struct gpu_resource *r;

	device_make();
	make_backed(5);
	r = gpu_resource_find(&gpu, 5);
	tap_equal(transfer(5, 1, 1, 2, 3, 8), OK);
	tap_equal(r->pixels[4 * (W + 1)], behind(8));
	tap_equal(r->pixels[4 * (3 * W + 1)], behind(8 + 2 * 4 * W));
	device_free();
}

static void a_flush_tells_what_is_on_screens(void)
{
	device_make();
	make_backed(5);
	tap_equal(flush(5, 0, 0, W, H), OK);
	tap_equal(seen.damages, 0);
	tap_equal(set_scanout(0, 5, 4, 2, 10, 5), OK);
	tap_equal(seen.scanouts, 1);
	tap_equal(flush(5, 0, 0, W, H), OK);
	tap_equal(seen.damages, 1);
	tap_check(!memcmp(&seen.damage, &(struct gpu_rect){ 0, 0, 10, 5 }, sizeof(seen.damage)));
	tap_equal(flush(5, 6, 6, 20 - 6, 4), OK);
	tap_equal(seen.damages, 2);
	tap_check(!memcmp(&seen.damage, &(struct gpu_rect){ 2, 4, 8, 1 }, sizeof(seen.damage)));
	/* A rectangle outside of the scanout. */
	tap_equal(flush(5, 14, 0, 6, H), OK);
	tap_equal(flush(5, 0, 7, W, 3), OK);
	tap_equal(seen.damages, 2);
	/* The same picture on both. */
	tap_equal(set_scanout(1, 5, 0, 0, W, H), OK);
	tap_equal(flush(5, 0, 0, 5, 3), OK);
	tap_equal(seen.damages, 4);
	tap_equal(seen.damage_scanout, 1);
	tap_equal(set_scanout(0, 0, 0, 0, 0, 0), OK);
	tap_equal(seen.scanouts, 3);
	/* A freed resource is removed from all scanouts. */
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 5), OK);
	tap_equal(seen.scanouts, 4);
	tap_check(!gpu.scanout[1].resource);
	device_free();
}

static void fences_are_told(void)
{
	struct virtio_gpu_resource_unref request = {
		.hdr = {
			.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
			.flags = htole32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX | 8),
			.fence_id = htole64(0x123456789abcULL), .ctx_id = htole32(7),
			.ring_idx = 63,
		},
		.resource_id = htole32(77),
	};
	struct virtio_gpu_ctrl_hdr hdr;

	device_make();
	tap_equal(control(&request, sizeof(request), 24), 24);
	memcpy(&hdr, answer, sizeof(hdr));
	/* The fence of a failed command is signalled as well: the guest waits for it. */
	tap_equal(le32toh(hdr.type), NO_RESOURCE);
	tap_equal(le32toh(hdr.flags), VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	tap_equal(le64toh(hdr.fence_id), 0x123456789abcULL);
	tap_equal(le32toh(hdr.ctx_id), 7);
	tap_equal(hdr.ring_idx, 63);
	request.hdr.flags = 0;
	control(&request, sizeof(request), 24);
	memcpy(&hdr, answer, sizeof(hdr));
	tap_equal(hdr.flags, 0);
	tap_equal(hdr.fence_id, 0);
	device_free();
}

static void questions_are_the_front_ends(void)
{
	struct virtio_gpu_cmd_get_edid edid = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_EDID), .hdr.fence_id = htole64(9),
		.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE),
	};
	struct virtio_gpu_resp_display_info info = {
		.hdr.type = htole32(0xbad), .pmodes[0].enabled = htole32(1),
		.pmodes[0].r = { 0, 0, htole32(640), htole32(480) },
	};
	struct iovec out = { &edid, sizeof(edid) };
	struct iovec in = { answer, sizeof(struct virtio_gpu_resp_edid) };
	const struct gpu_request request = { &out, 1, sizeof(edid), &in, 1, in.iov_len, NULL };
	struct virtio_gpu_resp_edid *got = (void *)answer;
	u8 want[VMM_EDID_SIZE];

	device_make();
	tap_equal(control(&edid, 24, 408), 24);
	tap_equal(answer_type(), UNSPEC);
	tap_equal(seen.asks, 0);
	edid.hdr.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	tap_equal(control(&edid.hdr, 24, 408), GPU_LATER);
	tap_check(seen.asks == 1 && !seen.edid);
	tap_equal(gpu_answer(&gpu, &request, &info, sizeof(info)), sizeof(info));
	tap_equal(answer_type(), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	tap_check(!memcmp(answer + 24, &info.pmodes, sizeof(info.pmodes)));
	tap_equal(le64toh(((struct virtio_gpu_ctrl_hdr *)(void *)answer)->fence_id), 9);
	/* A front end that supports only the query of the screen's size. */
	edid.hdr.type = htole32(VIRTIO_GPU_CMD_GET_EDID);
	tap_equal(control(&edid, sizeof(edid), sizeof(*got)), GPU_LATER);
	tap_check(seen.asks == 2 && seen.edid);
	tap_equal(gpu_answer(&gpu, &request, &info, sizeof(info)), sizeof(*got));
	vmm_edid_fill(want, 640, 480);
	tap_equal(answer_type(), VIRTIO_GPU_RESP_OK_EDID);
	tap_equal(le32toh(got->size), VMM_EDID_SIZE);
	tap_check(!memcmp(got->edid, want, sizeof(want)));
	/* A front end that has gone, or sends too short an answer. */
	tap_equal(control(&edid, sizeof(edid), sizeof(*got)), GPU_LATER);
	tap_equal(gpu_answer(&gpu, &request, NULL, 0), 24);
	tap_equal(answer_type(), UNSPEC);
	tap_equal(control(&edid, sizeof(edid), sizeof(*got)), GPU_LATER);
	tap_equal(gpu_answer(&gpu, &request, &info, 24), 24);
	tap_equal(answer_type(), UNSPEC);
	device_free();
}

static struct virtio_gpu_update_cursor cursor_request(u32 type, u32 scanout, u32 id)
{
	return (struct virtio_gpu_update_cursor){
		.hdr.type = htole32(type),
		.pos = { htole32(scanout), htole32(100), htole32(-5), 0 },
		.resource_id = htole32(id), .hot_x = htole32(3), .hot_y = htole32(4),
	};
}

static void cursors_are_copied(void)
{
	const struct virtio_gpu_mem_entry all = entry(0, 64 * 64 * 4);
	struct virtio_gpu_update_cursor request =
		cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 3);

	device_make();
	tap_equal(create(3, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64), OK);
	tap_equal(attach(3, &all, 1, 1), OK);
	tap_equal(transfer(3, 0, 0, 64, 64, 0), OK);
	/* Linux provides no room for an answer. */
	tap_equal(cursor(&request, sizeof(request), 0), 0);
	tap_equal(seen.images, 1);
	tap_check(gpu.scanout[1].cursor.shown);
	tap_equal(gpu.scanout[1].cursor.x, 100);
	tap_equal((int)gpu.scanout[1].cursor.y, -5);
	tap_equal(gpu.scanout[1].cursor.hot_y, 4);
	tap_check(!memcmp(gpu.scanout[1].cursor.pixels, ram, 64 * 64 * 4));
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 3), OK);
	tap_check(gpu.scanout[1].cursor.shown);
	request = cursor_request(VIRTIO_GPU_CMD_MOVE_CURSOR, 1, 0);
	tap_equal(cursor(&request, sizeof(request), 24), 24);
	tap_equal(answer_type(), OK);
	tap_check(gpu.scanout[1].cursor.shown && seen.moves == 1);
	request = cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 0);
	cursor(&request, sizeof(request), 0);
	tap_check(!gpu.scanout[1].cursor.shown && seen.moves == 2);
	/* A resource of another size, and a missing one. */
	make_backed(4);
	request = cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 4);
	cursor(&request, sizeof(request), 24);
	tap_equal(answer_type(), BAD);
	request = cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 9);
	cursor(&request, sizeof(request), 24);
	tap_equal(answer_type(), NO_RESOURCE);
	tap_equal(seen.images, 1);
	device_free();
}

/* Pixels of all formats are converted to the screen's format; a cursor's alpha is kept. */
static void formats_are_converted(void)
{
	static const struct { u32 format; u8 bytes[4]; } rows[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, { 3, 2, 1, 9 } },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, { 3, 2, 1, 9 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, { 9, 1, 2, 3 } },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, { 9, 1, 2, 3 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, { 1, 2, 3, 9 } },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, { 9, 3, 2, 1 } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, { 9, 3, 2, 1 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, { 1, 2, 3, 9 } },
	};
	const struct virtio_gpu_update_cursor request =
		cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 2);
	const struct virtio_gpu_mem_entry picture = entry(0, 64 * 64 * 4);
	const struct virtio_gpu_mem_entry all = entry(0, 4096);
	unsigned int i;
	u32 pixel;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		device_make();
		tap_context("format %u", rows[i].format);
		tap_equal(create(1, rows[i].format, 3, 2), OK);
		tap_equal(attach(1, &all, 1, 1), OK);
		memcpy(ram + 16, rows[i].bytes, 4);
		tap_equal(transfer(1, 0, 0, 3, 2, 0), OK);
		gpu_resource_row(gpu_resource_find(&gpu, 1), 1, 1, 1, &pixel);
		tap_equal(le32toh(pixel) & 0xffffff, 0x010203);
		tap_equal(create(2, rows[i].format, 64, 64), OK);
		tap_equal(attach(2, &picture, 1, 1), OK);
		memcpy(ram + 4 * 4095, rows[i].bytes, 4);
		tap_equal(transfer(2, 0, 0, 64, 64, 0), OK);
		cursor(&request, sizeof(request), 0);
		tap_equal(le32toh(gpu.scanout[1].cursor.pixels[4095]), 0x09010203);
		device_free();
	}
}

/* Number of pixels that were read from the renderer. */
static u64 pixels_read;

static int count_read(struct gpu_renderer *renderer, struct gpu_resource *r,
		      const struct gpu_rect *rect)
{
	(void)renderer;
	(void)r;
	pixels_read += rect->width * rect->height;
	return 0;
}

static int no_create(struct gpu *of, struct gpu_resource *r, const struct gpu_args *args)
{
	(void)of;
	(void)r;
	(void)args;
	return 0;
}

static int no_transfer(struct gpu_renderer *renderer, struct gpu_resource *r,
		       const struct gpu_transfer *transfer, bool from_host)
{
	(void)renderer;
	(void)r;
	(void)transfer;
	(void)from_host;
	return 0;
}

/* The flush after a page flip reads no pixel again, unless something was drawn in between. */
static void a_flip_is_read_once(void)
{
	static const struct gpu_renderer_ops ops = {
		.in_order = true, .create = no_create, .transfer = no_transfer,
		.read = count_read,
	};
	struct gpu_renderer renderer = { .ops = &ops, .fd = -1 };
	const struct virtio_gpu_mem_entry all = entry(0, 4 * W * H);

	device_make();
	gpu.renderer = &renderer;
	tap_equal(create(1, BGRX, W, H), OK);
	tap_equal(attach(1, &all, 1, 1), OK);
	pixels_read = 0;
	tap_equal(set_scanout(0, 1, 0, 0, W, H), OK);
	tap_equal(pixels_read, W * H);
	tap_equal(flush(1, 0, 0, W, H), OK);
	tap_equal(flush(1, 1, 1, 2, 2), OK);
	tap_equal(pixels_read, W * H);
	tap_equal(seen.damages, 2);
	tap_equal(transfer(1, 0, 0, 3, 3, 0), OK);
	tap_equal(flush(1, 1, 1, 2, 2), OK);
	tap_equal(pixels_read, W * H + 4);
	tap_equal(flush(1, 1, 1, 2, 2), OK);
	tap_equal(pixels_read, W * H + 8);
	tap_equal(set_scanout(0, 1, 0, 0, W, H), OK);
	tap_equal(flush(1, 0, 0, W, H), OK);
	tap_equal(pixels_read, 2 * W * H + 8);
	device_free();
}

/* ---- commands that no driver sends ---- */

static void numbers_of_resources(void)
{
	device_make();
	tap_equal(create(0, BGRX, W, H), NO_RESOURCE);
	tap_equal(create(1, BGRX, W, H), OK);
	tap_equal(create(1, BGRX, W, H), NO_RESOURCE);
	/* The same index in the hash table. */
	tap_equal(create(1 + GPU_RESOURCES, BGRX, W, H), OK);
	tap_equal(create(~0U, BGRX, W, H), OK);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 1), OK);
	tap_check(gpu_resource_find(&gpu, 1 + GPU_RESOURCES));
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 1), NO_RESOURCE);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 0), NO_RESOURCE);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1), NO_RESOURCE);
	tap_equal(transfer(1, 0, 0, 1, 1, 0), NO_RESOURCE);
	tap_equal(flush(1, 0, 0, 1, 1), NO_RESOURCE);
	tap_equal(set_scanout(0, 1, 0, 0, 1, 1), NO_RESOURCE);
	device_free();
	tap_equal(gpu.memory, 0);
	tap_equal(gpu.resources, 0);
}

static void sizes_of_resources(void)
{
	static const u32 bad[][2] = {
		{ 0, 1 }, { 1, 0 }, { GPU_SIDE + 1, 1 }, { 1, GPU_SIDE + 1 },
		{ 0x40000000, 1 }, { 0x10000, 0x10000 }, { ~0U, ~0U }, { 0x40000001, 4 },
	};
	unsigned int i;

	device_make();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%u x %u", bad[i][0], bad[i][1]);
		tap_equal(create(1, BGRX, bad[i][0], bad[i][1]), BAD);
	}
	tap_equal(create(1, 0, W, H), BAD);
	tap_equal(create(1, 5, W, H), BAD);
	tap_equal(create(1, ~0U, W, H), BAD);
	/* The limit for all resources together is 256 MiB. */
	tap_equal(create(1, BGRX, GPU_SIDE, GPU_SIDE), NO_MEMORY);
	for (i = 1; i <= 4; i++)
		tap_equal(create(i, BGRX, 4096, 4096), OK);
	tap_equal(create(5, BGRX, 1, 1), NO_MEMORY);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 2), OK);
	tap_equal(create(5, BGRX, 1, 1), OK);
	device_free();
	/* The limit of their number. */
	for (i = 1; i <= GPU_RESOURCES; i++) {
		if (create(i * 3, BGRX, 1, 1) != OK)
			break;
	}
	tap_equal(i, GPU_RESOURCES + 1);
	tap_equal(create(2, BGRX, 1, 1), NO_MEMORY);
	device_free();
	tap_equal(gpu.memory, 0);
}

static void backing_is_the_guests_ram(void)
{
	const struct virtio_gpu_mem_entry bad[] = {
		{ htole64(RAM_BASE - 1), htole32(16), 0 }, { htole64(0), htole32(4096), 0 },
		{ htole64(RAM_BASE + RAM_SIZE - 4), htole32(8), 0 },
		{ htole64(~0ULL), htole32(~0U), 0 }, { htole64(~0ULL - 4), htole32(8), 0 },
		{ htole64(0x0a000000), htole32(4096), 0 },
	};
	struct virtio_gpu_mem_entry two[2] = { entry(0, 64) };
	u64 before;
	unsigned int i;

	device_make();
	tap_equal(create(1, BGRX, W, H), OK);
	before = gpu.memory;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("row %u", i);
		two[1] = bad[i];
		tap_equal(attach(1, two, 2, 2), BAD);
		tap_equal(gpu.memory, before);
	}
	/* More entries than the request has, more than the limit, none. */
	two[1] = entry(64, 64);
	tap_equal(attach(1, two, 3, 2), BAD);
	tap_equal(attach(1, two, GPU_ENTRIES + 1, 2), BAD);
	tap_equal(attach(1, two, GPU_ENTRIES, 2), BAD);
	tap_equal(attach(1, two, ~0U, 2), BAD);
	tap_equal(attach(1, two, 0, 2), BAD);
	tap_equal(attach(9, two, 2, 2), NO_RESOURCE);
	tap_equal(gpu.memory, before);
	/* The first backing stays. */
	tap_equal(attach(1, two, 2, 2), OK);
	tap_equal(attach(1, two, 1, 1), UNSPEC);
	tap_equal(gpu_resource_find(&gpu, 1)->backing, 128);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1), OK);
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1), BAD);
	tap_equal(gpu.memory, before);
	tap_equal(attach(1, two, 2, 2), OK);
	device_free();
	tap_equal(gpu.memory, 0);
}

/* Each piece is in two regions, so more entries are needed than the guest has given. */
static void pieces_across_regions(void)
{
	struct virtio_gpu_mem_entry entries[64];
	unsigned int i;

	device_make();
	tap_equal(create(1, BGRX, W, H), OK);
	for (i = 0; i < 64; i++)
		entries[i] = entry(RAM_HALF - 8, 16);
	tap_equal(attach(1, entries, 64, 64), OK);
	tap_equal(gpu_resource_find(&gpu, 1)->iovs, 128);
	tap_equal(transfer(1, 0, 0, W, H, 0), OK);
	/* A piece of length 0 is ignored. */
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1), OK);
	for (i = 0; i < 64; i++)
		entries[i] = entry(0, i == 20 ? 4 * W * H : 0);
	tap_equal(attach(1, entries, 64, 64), OK);
	tap_equal(transfer(1, 0, 0, W, H, 0), OK);
	tap_check(!memcmp(gpu_resource_find(&gpu, 1)->pixels, ram, 4 * W * H));
	device_free();
}

static void rectangles_and_offsets(void)
{
	static const struct { u32 x, y, w, h; u64 offset; } bad[] = {
		{ 1, 0, W, H, 0 }, { 0, 1, W, H, 0 }, { 0, 0, W + 1, 1, 0 }, { 0, 0, 1, H + 1, 0 },
		{ ~0U, 0, 2, 1, 0 }, { 0, ~0U, 1, 2, 0 }, { 2, 0, ~0U, 1, 0 }, { 0, 2, 1, ~0U, 0 },
		{ ~0U, ~0U, ~0U, ~0U, 0 }, { W, 0, 1, 1, 0 }, { 0, H, 1, 1, 0 },
		{ 0, 0, W, H, 1 }, { 0, 0, W, H, 4 * W * H }, { 0, 0, 1, 1, ~0ULL },
		{ 0, 0, 1, 1, ~0ULL - 3 }, { 0, 0, 1, 2, 4 * W * (H - 1) },
		{ 0, 0, W, H, 1ULL << 63 }, { 0, 0, W, H, 0 - 4ULL * W },
	};
	unsigned int i;

	device_make();
	make_backed(5);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("row %u", i);
		tap_equal(transfer(5, bad[i].x, bad[i].y, bad[i].w, bad[i].h, bad[i].offset), BAD);
		if (bad[i].offset)
			continue;
		tap_equal(flush(5, bad[i].x, bad[i].y, bad[i].w, bad[i].h), BAD);
		tap_equal(set_scanout(0, 5, bad[i].x, bad[i].y, bad[i].w, bad[i].h), BAD);
	}
	tap_context("empty");
	tap_equal(set_scanout(0, 5, 0, 0, 0, 0), BAD);
	tap_equal(set_scanout(0, 5, 0, 0, W, 0), BAD);
	tap_equal(transfer(5, W, H, 0, 0, 0), OK);
	tap_equal(transfer(5, 0, 0, 0, H, ~0ULL), OK);
	tap_equal(seen.scanouts, 0);
	/* The last bytes of the resource. */
	tap_equal(transfer(5, 0, 0, 1, 1, 4 * W * H - 4), OK);
	tap_equal(transfer(5, 0, 0, 1, 1, 4 * W * H - 3), BAD);
	/* A resource without backing. */
	tap_equal(simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 5), OK);
	tap_equal(transfer(5, 0, 0, W, H, 0), BAD);
	tap_equal(transfer(5, 0, 0, 1, 1, 0), BAD);
	device_free();
}

static void scanouts_are_bounded(void)
{
	static const u32 bad[] = { 2, 16, 17, 0x7fffffff, ~0U };
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = htole32(VIRTIO_GPU_CMD_GET_EDID) };
	struct virtio_gpu_update_cursor request;
	unsigned int i;

	device_make();
	make_backed(5);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%u", bad[i]);
		tap_equal(set_scanout(bad[i], 5, 0, 0, W, H), NO_SCANOUT);
		tap_equal(set_scanout(bad[i], 0, 0, 0, 0, 0), NO_SCANOUT);
		edid.scanout = htole32(bad[i]);
		tap_equal(control(&edid, sizeof(edid), sizeof(struct virtio_gpu_resp_edid)), 24);
		tap_equal(answer_type(), NO_SCANOUT);
		request = cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, bad[i], 0);
		tap_equal(cursor(&request, sizeof(request), 24), 24);
		tap_equal(answer_type(), NO_SCANOUT);
		request = cursor_request(VIRTIO_GPU_CMD_MOVE_CURSOR, bad[i], 0);
		tap_equal(cursor(&request, sizeof(request), 24), 24);
		tap_equal(answer_type(), NO_SCANOUT);
	}
	tap_equal(seen.scanouts + seen.asks + seen.moves, 0);
	device_free();
}

/* Each command, truncated at each length, and with too little room for its answer. */
static void lengths_of_requests(void)
{
	static const u32 types[] = {
		VIRTIO_GPU_CMD_GET_DISPLAY_INFO, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		VIRTIO_GPU_CMD_RESOURCE_UNREF, VIRTIO_GPU_CMD_SET_SCANOUT,
		VIRTIO_GPU_CMD_RESOURCE_FLUSH, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_CMD_GET_CAPSET, VIRTIO_GPU_CMD_GET_EDID,
		VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, VIRTIO_GPU_CMD_UPDATE_CURSOR,
		VIRTIO_GPU_CMD_MOVE_CURSOR, 0, 0x10e, 0x1ff, 0x300, ~0U,
	};
	/* Sizes of the commands, in the same order. */
	static const u32 sizes[ARRAY_SIZE(types)] = { 24, 40, 32, 48, 48, 56, 32, 32, 0, 0, 32 };
	struct {
		struct virtio_gpu_ctrl_hdr hdr;
		u8 rest[256];
	} request;
	unsigned int i;
	size_t len;

	device_make();
	memset(&request, 0, sizeof(request));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		request.hdr.type = htole32(types[i]);
		for (len = 0; len < (sizes[i] ? sizes[i] : sizeof(request)); len++) {
			tap_context("type %x, %zu bytes", types[i], len);
			tap_equal(control(&request, len, sizeof(answer)), 24);
			tap_equal(answer_type(), UNSPEC);
			tap_equal(answer[24], 0xee);
		}
		for (len = 0; len < 24; len++) {
			tap_context("type %x, room for %zu", types[i], len);
			tap_equal(control(&request, sizeof(request), len), 0);
			tap_equal(answer[len], 0xee);
		}
	}
	/* Commands of one queue are invalid on the other. */
	request.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF);
	tap_equal(cursor(&request, sizeof(request), 24), 24);
	tap_equal(answer_type(), UNSPEC);
	for (len = 0; len < 56; len++) {
		request.hdr.type = htole32(VIRTIO_GPU_CMD_MOVE_CURSOR);
		tap_equal(cursor(&request, len, 24), 24);
		tap_equal(answer_type(), UNSPEC);
	}
	tap_equal(seen.asks + seen.moves + seen.scanouts, 0);
	device_free();
}

/* Without 3D there is no capset and no context, and answers have no bytes of our memory. */
static void what_there_is_not(void)
{
	static const u32 types[] = {
		VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_CMD_GET_CAPSET,
		VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, VIRTIO_GPU_CMD_CTX_CREATE,
		VIRTIO_GPU_CMD_CTX_DESTROY, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
		VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
		VIRTIO_GPU_CMD_SUBMIT_3D, VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
		VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
	};
	struct {
		struct virtio_gpu_ctrl_hdr hdr;
		u8 rest[128];
	} request;
	unsigned int i, j;

	device_make();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		memset(&request, 0xff, sizeof(request));
		request.hdr.type = htole32(types[i]);
		request.hdr.flags = 0;
		tap_context("type %x", types[i]);
		tap_equal(control(&request, sizeof(request), sizeof(answer)), 24);
		tap_equal(answer_type(), UNSPEC);
		for (j = 4; j < 24; j++)
			tap_equal(answer[j], 0);
		tap_equal(answer[24], 0xee);
	}
	device_free();
}

/* Limits the sanitizer's quarantine of freed memory, so that it does not hide a leak. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

/* Returns the resident size of this process in bytes. */
static unsigned long resident(void)
{
	unsigned long pages = 0;
	FILE *from = fopen("/proc/self/statm", "r");

	if (!from || fscanf(from, "%*u %lu", &pages) != 1)
		pages = 0;
	if (from)
		fclose(from);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Returns the next free file number, which a leaked file would increase. */
static int next_file(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void churn(unsigned int times)
{
	const struct virtio_gpu_mem_entry entries[] = { entry(0, 4096), entry(8192, 12288) };
	struct virtio_gpu_update_cursor request =
		cursor_request(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 7);
	unsigned int i;

	for (i = 0; i < times; i++) {
		create(7, BGRX, 64, 64);
		attach(7, entries, 2, 2);
		attach(7, entries, 2, 2);
		if (!(i & 15)) {
			transfer(7, 0, 0, 64, 64, 0);
			cursor(&request, sizeof(request), 0);
		}
		set_scanout(0, 7, 0, 0, 64, 64);
		if (i & 1)
			simple(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 7);
		create(7, BGRX, 128, 128);
		if (i & 2)
			gpu_reset(&gpu);
		else
			simple(VIRTIO_GPU_CMD_RESOURCE_UNREF, 7);
	}
}

/* Repeats all commands; memory and files do not grow. */
static void nothing_is_left_over(void)
{
	unsigned long before;
	int file = next_file();

	device_make();
	churn(2000);
	before = resident();
	churn(100000);
	tap_equal(gpu.memory, 0);
	tap_equal(gpu.resources, 0);
	tap_equal(next_file(), file);
	tap_context("%lu bytes before, %lu after", before, resident());
	tap_check(resident() < before + 4 * MIB);
	device_free();
}

/* Guest memory is mapped at another address, or was removed. */
static void memory_is_found_again(void)
{
	struct gpu_resource *r;

	device_make();
	make_backed(5);
	r = gpu_resource_find(&gpu, 5);
	gpu_resources_remap(&gpu);
	tap_equal(r->backing, 4 * W * H);
	tap_equal(transfer(5, 0, 0, W, H, 0), OK);
	r->entries[1].gpa = 0;
	gpu_resources_remap(&gpu);
	tap_equal(r->backing, 0);
	tap_equal(transfer(5, 0, 0, W, H, 0), BAD);
	device_free();
	tap_equal(gpu.memory, 0);
}

static const struct tap_case cases[] = {
	{ "pixels are the guest's, in whatever pieces", pixels_are_the_guests },
	{ "offsets are free", offsets_are_free },
	{ "a flush reports damage of scanouts", a_flush_tells_what_is_on_screens },
	{ "fences are signalled", fences_are_told },
	{ "queries are passed to the front end", questions_are_the_front_ends },
	{ "cursors are copied", cursors_are_copied },
	{ "formats are converted", formats_are_converted },
	{ "a flip is read once", a_flip_is_read_once },
	{ "numbers of resources", numbers_of_resources },
	{ "sizes of resources", sizes_of_resources },
	{ "backing is the guest's RAM", backing_is_the_guests_ram },
	{ "pieces across regions", pieces_across_regions },
	{ "rectangles and offsets", rectangles_and_offsets },
	{ "scanouts are bounded", scanouts_are_bounded },
	{ "lengths of requests", lengths_of_requests },
	{ "features that are missing", what_there_is_not },
	{ "nothing is left over", nothing_is_left_over },
	{ "memory may move", memory_is_found_again },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
