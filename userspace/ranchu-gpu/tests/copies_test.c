// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts how often the bytes of a frame are copied from the guest's memory to the screen's file.
 * The 2D renderer, vmmctl's scanout and vmmctl's screen count their own copies. A viewer looks at
 * each frame. Prints
 *
 *	# copies NAME N		copies of a frame: transferred, put together, and written
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "gpu_lib.h"
#include "host/display.h"
#include "tests/tap.h"

#define W		160
#define H		120
#define FRAME		(4 * W * H)
#define FRAMES		10
#define MOST		2	/* copies */

static struct vmm_display *display;
static struct vmm_gpu_screen screen;
static u8 *picture;		/* the guest's memory */

static unsigned int pieces;	/* pieces of the guest's memory */

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
	(void)arg;
	(void)index;
	(void)rect;
	vmm_display_rows(display, VMM_PIXELS_BGRX8888, 0, vmm_gpu_screen_rows, &screen);
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

static void backing_attach(void)
{
	struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entry[3];
	} request = {
		{ { .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, 1, pieces },
		{ { 0, pieces == 1 ? FRAME : 5001, 0 }, { 5001, 20002, 0 },
		  { 25003, FRAME - 25003, 0 } },
	};

	done(&request, sizeof(request.head) + pieces * sizeof(request.entry[0]));
}

static bool picture_is_shown(const u8 *shown)
{
	return !memcmp(shown + VMM_DISPLAY_PIXELS, picture, FRAME);
}

static void frames_are_copied(const char *name)
{
	const struct virtio_gpu_transfer_to_host_2d take = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = { 0, 0, W, H },
		.resource_id = 1,
	};
	const struct virtio_gpu_resource_flush show = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = { 0, 0, W, H }, .resource_id = 1,
	};
	const u8 *shown;
	unsigned int i;
	u64 bytes;

	shown = mmap(NULL, VMM_DISPLAY_PIXELS + FRAME, PROT_READ, MAP_SHARED,
		     vmm_display_file(display), 0);
	for (i = 0; i < FRAMES; i++) {
		/* Each row changes. */
		memset(picture, 0x11 + i, FRAME);
		picture[4 * W * (i + 3) + i] = 0;
		done(&take, sizeof(take));
		done(&show, sizeof(show));
		tap_context("frame %u", i);
		if (!tap_check(picture_is_shown(shown)))
			break;
	}
	bytes = gpu.copied + screen.copied + vmm_display_written(display);
	printf("# copies %s %.2f: %.2f transferred, %.2f put together, %.2f written\n", name,
	       (double)bytes / FRAMES / FRAME, (double)gpu.copied / FRAMES / FRAME,
	       (double)screen.copied / FRAMES / FRAME,
	       (double)vmm_display_written(display) / FRAMES / FRAME);
	tap_check(bytes <= (u64)MOST * FRAMES * FRAME);
	munmap((void *)shown, VMM_DISPLAY_PIXELS + FRAME);
}

static void frames_in(unsigned int count, const char *name)
{
	const struct virtio_gpu_resource_create_2d make = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 1,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = W, .height = H,
	};
	const struct virtio_gpu_set_scanout set = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .resource_id = 1, .r = { 0, 0, W, H },
	};

	pieces = count;
	device_make();
	gpu.display = &ops;
	gpu.resolve = pieces_resolve;
	picture = calloc(1, FRAME);
	display = vmm_display_open(W, H);
	if (tap_check(picture && display && !vmm_gpu_screen_open(&screen, W))) {
		done(&make, sizeof(make));
		backing_attach();
		done(&set, sizeof(set));
		frames_are_copied(name);
		device_free();
		vmm_gpu_screen_close(&screen);
	}
	vmm_display_close(display);
	free(picture);
}

static void backing_in_one_piece(void)
{
	frames_in(1, "one_piece");
}

static void backing_in_three_pieces(void)
{
	frames_in(3, "three_pieces");
}

static const struct tap_case cases[] = {
	{ "backing in one piece", backing_in_one_piece },
	{ "backing in three pieces", backing_in_three_pieces },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
