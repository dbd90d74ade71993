// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program ranchu-gpu in its sandbox; the test acts as front end and guest. Covers the
 * vhost-user protocol, queues, and messages about screens.
 *
 *	RANCHU_GPU=PROGRAM [RANCHU_GPU_RENDERER=virgl] server_test
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "driver_lib.h"
#include "host/edid.h"
#include "machine/machine.h"
#include "tests/tap.h"

static bool update_is(u32 x, u32 y, u32 width, u32 height)
{
	struct vmm_gpu_update update;
	u32 row, column;
	u32 pixel;

	memcpy(&update, screen_body, sizeof(update));
	tap_context("update at %u, %u", x, y);
	if (!tap_check(update.x == x && update.y == y && update.width == width &&
		       update.height == height) ||
	    !tap_equal(screen_head.size, sizeof(update) + 4 * width * height))
		return false;
	for (row = 0; row < height; row++) {
		for (column = 0; column < width; column++) {
			memcpy(&pixel, screen_body + sizeof(update) +
			       4 * (row * width + column), 4);
			if (!tap_equal(pixel, drawn(x + column, y + row)))
				return false;
		}
	}
	return true;
}

static void pixels_by_messages(void)
{
	struct vmm_gpu_scanout scanout;

	all_begin(1 << GPU_P_EDID);
	draw();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	memcpy(&scanout, screen_body, sizeof(scanout));
	tap_check(!scanout.scanout && scanout.width == W && scanout.height == H);
	/* First the whole picture, as the screen was black; then the changed part. */
	if (screen_hears(GPU_UPDATE))
		update_is(0, 0, W, H);
	tap_equal(flush(1, 7, 90, 33, 20), VIRTIO_GPU_RESP_OK_NODATA);
	if (screen_hears(GPU_UPDATE))
		update_is(7, 90, 33, 20);
	tap_equal(set_scanout(0, 0, 0), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	memcpy(&scanout, screen_body, sizeof(scanout));
	tap_check(!scanout.width);
	all_end();
}

static void pixels_by_file(void)
{
	struct vmm_gpu_file_scanout file;
	struct vmm_gpu_update update;
	u32 *pixels;
	u32 x, y;
	int fd;

	all_begin(1 << GPU_P_EDID | 1ULL << GPU_P_MEMFD);
	draw();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H - 10), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_DMABUF_SCANOUT);
	fd = screen_fd;
	pixels = mmap(NULL, 4 * W * H, PROT_READ, MAP_SHARED, fd, 0);
	if (!tap_check(fd >= 0 && pixels != MAP_FAILED))
		return;
	memcpy(&file, screen_body, sizeof(file));
	tap_check(file.width == W && file.height == H - 10 && file.file_height == H &&
		  file.stride == 4 * W && file.fourcc == GPU_FOURCC_XR24);
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 1, 2, 3, 4), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_DMABUF_UPDATE);
	/* Two more flushes before the answer are sent as one update. */
	tap_equal(flush(1, 10, 20, 5, 5), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 100, 8, 1, 1), VIRTIO_GPU_RESP_OK_NODATA);
	screen_says(GPU_DMABUF_UPDATE, NULL, 0);
	screen_hears(GPU_DMABUF_UPDATE);
	memcpy(&update, screen_body, sizeof(update));
	tap_check(update.x == 10 && update.y == 8 && update.width == 91 && update.height == 17);
	/* A renderer with its own resources copies only the rectangle of the flush. */
	tap_equal(flush(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	for (y = 0; y < H - 10; y++) {
		for (x = 0; x < W && pixels[y * W + x] == drawn(x, y); x++)
			;
		tap_context("pixel %u, %u", x, y);
		if (!tap_equal(x, W))
			break;
	}
	all_end();
	munmap(pixels, 4 * W * H);
	close(fd);
}

/* Queries of the guest are answered by the front end, in any order. */
static void questions_wait_for_the_front_end(void)
{
	const struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	const struct virtio_gpu_resource_unref unref = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 5,
	};
	struct virtio_gpu_resp_edid said = { .hdr.type = 1, .size = VMM_EDID_SIZE };
	u16 slot, behind;
	u32 type;

	all_begin(1 << GPU_P_EDID);
	slot = make(0, &edid, sizeof(edid), sizeof(said));
	behind = make(0, &unref, sizeof(unref), 24);
	kick(0);
	screen_hears(GPU_GET_EDID);
	usleep(50000);
	tap_equal(((struct vring_used *)(void *)(ram + 0x2000))->idx, 0);
	/* The front end's other connection is served meanwhile. */
	tap_check(ask(VU_GET_FEATURES, NULL, 0));
	vmm_edid_fill(said.edid, W, H);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	tap_equal(wait_for_all(0), 24);
	memcpy(&type, answer_at(0, slot), sizeof(type));
	tap_equal(type, VIRTIO_GPU_RESP_OK_EDID);
	tap_check(!memcmp(answer_at(0, slot) + 32, said.edid, VMM_EDID_SIZE));
	memcpy(&type, answer_at(0, behind), sizeof(type));
	tap_equal(type, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	/* A driver leaves while it waits, and another one starts: the old answer is dropped. */
	make(0, &edid, sizeof(edid), sizeof(said));
	kick(0);
	screen_hears(GPU_GET_EDID);
	queue[0].made--;
	device_stop();
	device_start();
	slot = make(0, &edid, sizeof(edid), sizeof(said));
	kick(0);
	memset(said.edid, 0x11, sizeof(said.edid));
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	while (screen_hears(GPU_CURSOR_POS_HIDE) && !tap_equal(screen_head.size, 12))
		;
	screen_hears(GPU_GET_EDID);
	vmm_edid_fill(said.edid, W, H);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	tap_equal(wait_for_all(0), sizeof(said));
	tap_check(!memcmp(answer_at(0, slot) + 32, said.edid, VMM_EDID_SIZE));
	all_end();
}

static void cursors_are_told(void)
{
	struct virtio_gpu_update_cursor request = {
		.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR, .pos = { 0, 11, 12, 0 },
		.resource_id = 2, .hot_x = 5,
	};
	const struct virtio_gpu_resource_create_2d make_it = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 2,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .width = 64, .height = 64,
	};
	struct vmm_gpu_cursor *cursor = (void *)screen_body;

	all_begin(1 << GPU_P_EDID);
	tap_equal(control(&make_it, sizeof(make_it)), VIRTIO_GPU_RESP_OK_NODATA);
	make(1, &request, sizeof(request), 0);
	kick(1);
	tap_equal(wait_for_all(1), 0);
	if (screen_hears(GPU_CURSOR_UPDATE)) {
		tap_equal(screen_head.size, sizeof(*cursor));
		tap_check(cursor->pos.x == 11 && cursor->pos.y == 12 && cursor->hot_x == 5);
	}
	request.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
	request.pos.x = 70;
	make(1, &request, sizeof(request), 0);
	kick(1);
	screen_hears(GPU_CURSOR_POS);
	tap_equal(((struct vmm_gpu_cursor_pos *)(void *)screen_body)->x, 70);
	tap_equal(wait_for_all(1), 0);
	all_end();
}

/* If the front end does not read, the guest is served, and the newest state is sent later. */
static void a_front_end_that_does_not_read(void)
{
	struct vmm_gpu_update update;
	unsigned int i;

	all_begin(0);
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	for (i = 0; i < 60; i++) {
		if (!tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA) ||
		    !tap_equal(flush(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA))
			break;
	}
	draw();
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	for (i = 0; i < 60; i++) {
		u32 pixel;

		if (!screen_hears(GPU_UPDATE))
			break;
		memcpy(&update, screen_body, sizeof(update));
		memcpy(&pixel, screen_body + screen_head.size - 4, sizeof(pixel));
		if (pixel == drawn(W - 1, H - 1) && update.y + update.height == H)
			break;
	}
	tap_context("%u messages", i);
	tap_check(i < 10);
	all_end();
}

/* A broken queue is reported once, by the front end's error eventfd. */
static void a_broken_queue_is_said(void)
{
	int err_fd = vmm_event_create();
	struct pollfd fd = { .fd = err_fd, .events = POLLIN };
	const struct virtio_gpu_ctrl_hdr hdr = { .type = 0x1ff };

	all_begin(0);
	tap_equal(tell_file(VU_SET_VRING_ERR, 0, err_fd), 0);
	tap_equal(control(&hdr, sizeof(hdr)), VIRTIO_GPU_RESP_ERR_UNSPEC);
	make(0, &hdr, sizeof(hdr), 24);
	((struct vring_avail *)(void *)(ram + 0x1000))->ring[1] = NUM;
	kick(0);
	tap_equal(poll(&fd, 1, 20000), 1);
	/* The other queue and the front end are served. */
	tap_check(ask(VU_GET_FEATURES, NULL, 0));
	/* The queue works again for the next driver. */
	tap_equal(tell(VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	device_start();
	tap_equal(control(&hdr, sizeof(hdr)), VIRTIO_GPU_RESP_ERR_UNSPEC);
	all_end();
	close(err_fd);
}

/* Wrong messages of the front end: sizes, indices, addresses, files. */
static void messages_that_are_wrong(void)
{
	struct vhost_vring_addr addr = {
		.desc_user_addr = USER_BASE + RAM_SIZE - 8, .avail_user_addr = USER_BASE,
		.used_user_addr = USER_BASE,
	};
	static const struct { u32 request, size; u32 first; } bad[] = {
		{ VU_SET_FEATURES, 4, 0 }, { VU_SET_VRING_NUM, 8, 2 }, { VU_SET_VRING_NUM, 7, 0 },
		{ VU_SET_VRING_ADDR, 8, 0 }, { VU_SET_VRING_KICK, 8, 0 },
		{ VU_SET_VRING_CALL, 8, 9 }, { VU_SET_MEM_TABLE, 8, 1 },
		{ VU_SET_MEM_TABLE, 40, 9 }, { VU_GET_VRING_BASE, 8, 2 },
		{ VU_GET_CONFIG, 4, 0 }, { VU_GPU_SET_SOCKET, 0, 0 },
	};
	u8 payload[64];
	unsigned int i;

	program_start();
	tap_equal(tell_u64(VU_SET_FEATURES, ~0ULL), 1);
	tap_equal(tell_state(VU_SET_VRING_NUM, 0, NUM), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 1);
	tap_equal(memory_table(), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 1);
	tap_equal(tell(99, NULL, 0, NULL, 0), 1);
	all_end();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("row %u", i);
		program_start();
		memset(payload, 0, sizeof(payload));
		memcpy(payload, &bad[i].first, sizeof(bad[i].first));
		say(bad[i].request, payload, bad[i].size, VU_NEED_REPLY, NULL, 0);
		tap_check(!hear(bad[i].request));
		tap_equal(program_end(), 1);
	}
}

/* A new memory table while queues are served: queues continue, and resources are kept. */
static void memory_changes_under_a_driver(void)
{
	const struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	struct virtio_gpu_resp_edid said = { .hdr.type = 1, .size = VMM_EDID_SIZE };
	struct vmm_gpu_update update;
	unsigned int i;

	all_begin(1 << GPU_P_EDID);
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	screen_hears(GPU_UPDATE);
	draw();
	for (i = 0; i < 3; i++) {
		tap_equal(memory_table(), 0);
		tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
		tap_equal(flush(1, 7, 90, 33, 20), VIRTIO_GPU_RESP_OK_NODATA);
		if (screen_hears(GPU_UPDATE))
			update_is(7, 90, 33, 20);
		memcpy(&update, screen_body, sizeof(update));
		tap_equal(update.height, 20);
	}
	/* A pending query is sent again. */
	make(0, &edid, sizeof(edid), sizeof(said));
	kick(0);
	screen_hears(GPU_GET_EDID);
	tap_equal(memory_table(), 0);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	screen_hears(GPU_GET_EDID);
	vmm_edid_fill(said.edid, W, H);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	tap_equal(wait_for_all(0), sizeof(said));
	/* Queues stop if their memory is removed, and can be set up when it is back. */
	tap_equal(memory_half(), 1);
	tap_check(ask(VU_GET_FEATURES, NULL, 0));
	tap_equal(memory_table(), 0);
	device_stop();
	device_start();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	all_end();
}

static void a_device_starts_again(void)
{
	unsigned int i;

	all_begin(0);
	for (i = 0; i < 3; i++) {
		tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
		tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
			  VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
		/* The memory limit of the program. */
		device_stop();
		device_start();
	}
	all_end();
}

/* Without RESET_DEVICE: a queue that continues where it was stopped is no reset. */
static void a_device_is_paused(void)
{
	driver_resets = false;
	all_begin(0);
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	device_pause();
	device_go_on();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
		  VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	device_stop();
	device_start();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	all_end();
	driver_resets = true;
}

/* A front end with newer headers asks for more fields; more than 256 bytes are refused. */
static void configurations_of_any_length(void)
{
	static const u32 lengths[] = { 4, 16, 20, 256, 257 };
	u32 request[(12 + 260) / 4] = { 0 };
	unsigned int i;
	u32 scanouts;

	program_start();
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		tap_context("%u bytes", lengths[i]);
		memset(request, 0xee, sizeof(request));
		request[0] = 0;
		request[1] = lengths[i];
		request[2] = 0;
		say(VU_GET_CONFIG, request, 12 + lengths[i], 0, NULL, 0);
		if (!tap_check(hear(VU_GET_CONFIG)))
			break;
		tap_equal(channel.msg.size, lengths[i] > 256 ? 0 : 12 + lengths[i]);
		if (lengths[i] < 16 || lengths[i] > 256)
			continue;
		memcpy(&scanouts, channel.msg.payload + 12 + 8, sizeof(scanouts));
		tap_equal(scanouts, 1);
		tap_equal(channel.msg.payload[12 + lengths[i] - 1], 0);
	}
	all_end();
}

static const struct tap_case cases[] = {
	{ "pixels by messages", pixels_by_messages },
	{ "pixels by file", pixels_by_file },
	{ "questions wait for the front end", questions_wait_for_the_front_end },
	{ "cursors are told", cursors_are_told },
	{ "a front end that does not read", a_front_end_that_does_not_read },
	{ "a broken queue is said", a_broken_queue_is_said },
	{ "messages that are wrong", messages_that_are_wrong },
	{ "memory changes under a driver", memory_changes_under_a_driver },
	{ "a device starts again", a_device_starts_again },
	{ "a device is paused", a_device_is_paused },
	{ "configurations of any length", configurations_of_any_length },
};

int main(void)
{
	const char *renderer = getenv("RANCHU_GPU_RENDERER");

	if (renderer) {
		driver_renderer = renderer;
		driver_features = FEATURES_3D;
		driver_accepts = FEATURES_3D;
	}
	if (!driver_init())
		return 2;
	return tap_run(cases, ARRAY_SIZE(cases));
}
