// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts how often the bytes of a frame are copied from the guest's memory to where viewers read
 * them. The 2D renderer, vmmctl's scanout and vmmctl's screen count their own copies. A viewer
 * looks at each frame, and sees it. Prints
 *
 *	# copies NAME N		copies of a frame: transferred, put together, and written
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "control/screen_view.h"
#include "gpu_lib.h"
#include "host/display.h"
#include "tests/tap.h"

#define W		160
#define H		120
#define FRAME		(4 * W * H)
#define FRAMES		10
#define MOST		1	/* copies */

static struct vmm_display *display;
static struct vmm_gpu_screen screen;
static struct vmm_screen_view view;
static u8 *picture;		/* the guest's memory */

static unsigned int pieces;	/* pieces of the guest's memory */
static unsigned int resources;	/* resources that are shown in turn */

static int pieces_resolve(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	(void)arg;
	(void)max;
	if (gpa > FRAME || len > FRAME - gpa)
		return -1;
	iov[0] = (struct iovec){ picture + gpa, len };
	return 1;
}

/* Does what display.c and vhost_user_gpu.c do, without the socket between them. */
static void on_scanout(void *arg, unsigned int index)
{
	const struct gpu_scanout *scanout = &gpu.scanout[index];
	const struct vmm_gpu_file_scanout file = {
		.width = scanout->rect.width, .height = scanout->rect.height,
		.file_width = W, .file_height = H, .stride = 4 * W, .fourcc = GPU_FOURCC_XR24,
	};

	(void)arg;
	if (scanout->resource)
		tap_equal(vmm_gpu_screen_file(&screen, &file, dup(scanout->resource->fd)), 0);
	else
		vmm_gpu_screen_off(&screen);
}

static void on_damage(void *arg, unsigned int index, const struct gpu_rect *rect)
{
	const struct vmm_gpu_update update = { index, rect->x, rect->y, rect->width, rect->height };

	(void)arg;
	vmm_gpu_screen_changed(&screen, &update);
	vmm_gpu_screen_show(&screen, display);
}

static void on_cursor(void *arg, unsigned int index)
{
	(void)arg;
	(void)index;
}

static const struct gpu_display_ops ops = {
	.scanout = on_scanout, .damage = on_damage, .cursor_image = on_cursor,
	.cursor_pos = on_cursor,
};

static void done(const void *request, size_t len)
{
	tap_equal(control(request, len, 24), 24);
	tap_equal(answer_type(), VIRTIO_GPU_RESP_OK_NODATA);
}

static void resource_make(u32 id)
{
	const struct virtio_gpu_resource_create_2d make = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = W, .height = H,
	};
	const struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entry[3];
	} attach = {
		{ { .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, id, pieces },
		{ { 0, pieces == 1 ? FRAME : 5001, 0 }, { 5001, 20002, 0 },
		  { 25003, FRAME - 25003, 0 } },
	};

	done(&make, sizeof(make));
	done(&attach, sizeof(attach.head) + pieces * sizeof(attach.entry[0]));
}

static void scanout_set(u32 id)
{
	const struct virtio_gpu_set_scanout set = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .resource_id = id, .r = { 0, 0, W, H },
	};

	done(&set, sizeof(set));
}

static void frame_show(u32 id)
{
	const struct virtio_gpu_transfer_to_host_2d take = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = { 0, 0, W, H },
		.resource_id = id,
	};
	const struct virtio_gpu_resource_flush show = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = { 0, 0, W, H }, .resource_id = id,
	};

	done(&take, sizeof(take));
	if (resources > 1)
		scanout_set(id);
	done(&show, sizeof(show));
}

static bool picture_is_seen(void)
{
	return vmm_screen_view_update(&view) &&
	       !memcmp(view.copy + VMM_DISPLAY_PIXELS, picture, FRAME);
}

static void frames_are_copied(const char *name)
{
	unsigned int i;
	u64 bytes;

	for (i = 0; i < FRAMES; i++) {
		/* Each row changes. */
		memset(picture, 0x11 + i, FRAME);
		picture[4 * W * (i + 3) + i] = 0;
		frame_show(1 + i % resources);
		tap_context("frame %u", i);
		if (!tap_check(picture_is_seen()))
			break;
	}
	bytes = gpu.copied + screen.copied + vmm_display_written(display);
	printf("# copies %s %.2f: %.2f transferred, %.2f put together, %.2f written\n", name,
	       (double)bytes / FRAMES / FRAME, (double)gpu.copied / FRAMES / FRAME,
	       (double)screen.copied / FRAMES / FRAME,
	       (double)vmm_display_written(display) / FRAMES / FRAME);
	tap_check(bytes <= (u64)MOST * FRAMES * FRAME);
}

static void frames_in(unsigned int pieces_count, unsigned int resources_count, const char *name)
{
	u32 id;

	pieces = pieces_count;
	resources = resources_count;
	device_make();
	gpu.display = &ops;
	gpu.resolve = pieces_resolve;
	picture = calloc(1, FRAME);
	display = vmm_display_open(W, H);
	if (tap_check(picture && display && !vmm_gpu_screen_open(&screen, W) &&
		      !vmm_screen_own_open(&view, display))) {
		for (id = 1; id <= resources; id++)
			resource_make(id);
		scanout_set(1);
		frames_are_copied(name);
		device_free();
		vmm_screen_view_close(&view);
		vmm_gpu_screen_close(&screen);
	}
	vmm_display_close(display);
	free(picture);
}

static void backing_in_one_piece(void)
{
	frames_in(1, 1, "one_piece");
}

static void backing_in_three_pieces(void)
{
	frames_in(3, 1, "three_pieces");
}

static void page_flips(void)
{
	frames_in(1, 2, "page_flips");
}

static const struct tap_case cases[] = {
	{ "backing in one piece", backing_in_one_piece },
	{ "backing in three pieces", backing_in_three_pieces },
	{ "page flips between two resources", page_flips },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
