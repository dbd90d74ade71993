// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-gpu with a library that the user names, in its sandbox. The library is stream_fake.c,
 * which records its calls.
 *
 *	RANCHU_GPU=PROGRAM RANCHU_GPU_FAKES=DIR stream_test
 */
#include <stdio.h>
#include <stdlib.h>
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
#define BGRX		VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define CAPSET		8
#define LOG_SIZE	1024

static char renderer[256];

static const char *library(const char *name)
{
	snprintf(renderer, sizeof(renderer), "stream:%s/%s", getenv("RANCHU_GPU_FAKES"), name);
	return renderer;
}

/* Checks that the library's calls since the last check are @want. */
static void log_is(const char *want)
{
	const struct virtio_gpu_get_capset get = {
		.hdr.type = VIRTIO_GPU_CMD_GET_CAPSET, .capset_id = CAPSET,
	};
	u16 slot = make(0, &get, sizeof(get), 24 + LOG_SIZE);

	kick(0);
	if (!tap_equal(wait_for_all(0), 24 + LOG_SIZE))
		return;
	tap_context("it was asked \"%.900s\"", (const char *)answer_at(0, slot) + 24);
	tap_check(!strcmp((const char *)answer_at(0, slot) + 24, want));
}

static u32 context_create(u32 id, u32 kind)
{
	const struct virtio_gpu_ctx_create request = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = id }, .nlen = 4,
		.context_init = kind, .debug_name = "test",
	};

	return control(&request, sizeof(request));
}

static u32 of_context(u32 type, u32 id, u32 resource)
{
	const struct virtio_gpu_ctx_resource request = {
		.hdr = { .type = type, .ctx_id = id }, .resource_id = resource,
	};

	return control(&request, sizeof(request));
}

static u32 create_3d(u32 id)
{
	const struct virtio_gpu_resource_create_3d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, .resource_id = id,
		.target = GPU_TARGET_2D, .format = BGRX, .bind = 10, .width = W, .height = H,
		.depth = 1, .array_size = 1, .last_level = 2, .nr_samples = 4, .flags = 1,
	};

	return control(&request, sizeof(request));
}

static u32 copy(u32 type, u32 id)
{
	const struct virtio_gpu_transfer_host_3d request = {
		.hdr = { .type = type, .ctx_id = 1 }, .box = { 1, 2, 0, 3, 4, 1 }, .offset = 64,
		.resource_id = id, .stride = 100, .layer_stride = 800,
	};

	return control(&request, sizeof(request));
}

static void all_is_passed_on(void)
{
	const struct {
		struct virtio_gpu_cmd_submit head;
		u8 bytes[8];
	} submit = {
		{ .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 }, .size = 8 },
		{ 0xab, 1, 2, 3, 4, 5, 6, 0xcd },
	};

	driver_renderer = library("stream_fake.so");
	all_begin(0);
	log_is("init 19\n");
	tap_equal(context_create(1, CAPSET), OK);
	tap_equal(context_create(2, 9), BAD);
	tap_equal(create_3d(5), OK);
	tap_equal(create_3d(13), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	tap_equal(attach(5), OK);
	tap_equal(of_context(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1, 5), OK);
	tap_equal(control(&submit, sizeof(submit)), OK);
	tap_equal(copy(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, 5), OK);
	tap_equal(copy(VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, 5), OK);
	log_is("context 1: test 8\n"
	       "create 5: 2 2 10 300x200x1 1 2 4 1\n"
	       "create 13: 2 2 10 300x200x1 1 2 4 1\n"
	       "attach 5: 2 of 120000\n"
	       "context 1 has 5\n"
	       "submit by 1: 8, abcd\n"
	       "write 5 by 1: 0 100 800, 1 2 0 3 4 1, 64\n"
	       "read 5 by 1: 0 100 800, 1 2 0 3 4 1, 64\n");
	tap_equal(of_context(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 1, 5), OK);
	tap_equal(of_context(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 0, 5), OK);
	log_is("context 1 has no 5\ndetach 5\n");
	tap_equal(attach(5), OK);
	device_stop();
	device_start();
	log_is("attach 5: 2 of 120000\nno context 1\ndetach 5\nunref 5\n");
	all_end();
}

/* The library also executes 2D commands, and supplies the content of scanouts. */
static void pictures_are_the_librarys(void)
{
	u8 *pixels;
	u32 y;
	int fd;

	driver_renderer = library("stream_fake.so");
	all_begin(1ULL << GPU_P_MEMFD);
	tap_equal(create(77, BGRX), OK);
	tap_equal(attach(77), OK);
	/* A positive errno. */
	tap_equal(transfer(77, 0, 0, W, H), BAD);
	tap_equal(create(3, BGRX), OK);
	tap_equal(set_scanout(3, W, H), OK);
	screen_hears(GPU_DMABUF_SCANOUT);
	fd = screen_fd;
	pixels = mmap(NULL, 4 * W * H, PROT_READ, MAP_SHARED, fd, 0);
	if (!tap_check(fd >= 0 && pixels != MAP_FAILED))
		return;
	tap_equal(flush(3, 10, 20, 30, 40), OK);
	log_is("init 19\n"
	       "create 77: 2 2 2 300x200x1 1 0 0 1\n"
	       "attach 77: 2 of 120000\n"
	       "write 77 by 0: 0 0 0, 0 0 0 300 200 1, 0\n"
	       "create 3: 2 2 2 300x200x1 1 0 0 1\n"
	       "read 3 by 0: 0 1200 0, 0 0 0 300 200 1, 0\n"
	       "read 3 by 0: 0 1200 0, 10 20 0 30 40 1, 24040\n");
	for (y = 0; y < 40; y++)
		tap_equal(pixels[4 * ((20 + y) * W + 10)], 20 + y + 1);
	munmap(pixels, 4 * W * H);
	close(fd);
	all_end();
}

static u16 fenced(u64 fence, int ring)
{
	struct virtio_gpu_cmd_submit request = {
		.hdr = {
			.type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1, .fence_id = fence,
			.flags = VIRTIO_GPU_FLAG_FENCE |
				 (ring < 0 ? 0 : VIRTIO_GPU_FLAG_INFO_RING_IDX),
			.ring_idx = ring < 0 ? 0 : ring,
		},
	};
	u16 slot = make(0, &request, sizeof(request), 24);

	kick(0);
	return slot;
}

static u16 given_back(void)
{
	return __atomic_load_n(&((struct vring_used *)(void *)(ram + 0x2000))->idx,
			       __ATOMIC_ACQUIRE);
}

/* Waits until @count requests are returned; the answer of @slot is one of them. */
static void comes(u16 count, u16 slot, u64 fence)
{
	struct virtio_gpu_ctrl_hdr hdr;
	unsigned int i;

	tap_context("fence %llu", (unsigned long long)fence);
	for (i = 0; given_back() != count && i < 2000; i++)
		usleep(10000);
	tap_equal(given_back(), count);
	memcpy(&hdr, answer_at(0, slot), sizeof(hdr));
	tap_equal(hdr.type, OK);
	tap_equal(hdr.fence_id, fence);
}

/* Fences that come late, from a thread, only the last of several, and in the wrong order. */
static void fences_of_all_kinds(void)
{
	const struct virtio_gpu_ctx_destroy destroy = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 1 },
	};
	const struct virtio_gpu_ctx_create again = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = 1 },
		.context_init = CAPSET,
	};
	u16 slot[6];
	u16 before;

	driver_renderer = library("stream_fake.so");
	all_begin(0);
	tap_equal(context_create(1, CAPSET), OK);
	before = queue[0].made;
	slot[0] = fenced(100, -1);
	slot[1] = fenced(50, 1);
	slot[2] = fenced(10, 1);
	slot[3] = fenced(99, -1);
	/* A fence that is signalled at once overtakes them. */
	slot[4] = fenced(7, 0);
	comes(before + 1, slot[4], 7);
	usleep(100000);
	tap_equal(given_back(), (u16)(before + 1));
	slot[5] = fenced(1, -1);
	comes(before + 6, slot[5], 1);
	comes(before + 6, slot[0], 100);
	comes(before + 6, slot[1], 50);
	comes(before + 6, slot[2], 10);
	comes(before + 6, slot[3], 99);
	/* A destroyed context's pending fence completes; other timelines' fences do not. */
	before = queue[0].made;
	slot[0] = fenced(5, -1);
	slot[1] = fenced(60, 1);
	make(0, &destroy, sizeof(destroy), 24);
	kick(0);
	comes(before + 2, slot[1], 60);
	usleep(100000);
	tap_equal(given_back(), (u16)(before + 2));
	make(0, &again, sizeof(again), 24);
	fenced(6, -1);
	fenced(7, -1);
	comes(before + 6, slot[0], 5);
	/* The queue stops while it waits for a fence that will not be signalled. */
	fenced(1, -1);
	device_stop();
	device_start();
	all_end();
}

static void libraries_that_are_refused(void)
{
	static const char * const names[] = {
		"stream_outdated.so", "stream_broken.so", "not_there.so",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		tap_context("%s", names[i]);
		driver_renderer = library(names[i]);
		program_start();
		tap_equal(program_end(), 1);
	}
}

static const struct tap_case cases[] = {
	{ "all is passed on", all_is_passed_on },
	{ "pictures are the library's", pictures_are_the_librarys },
	{ "fences of all kinds", fences_of_all_kinds },
	{ "libraries that are refused", libraries_that_are_refused },
};

int main(void)
{
	driver_features = FEATURES_3D;
	driver_accepts = FEATURES_3D;
	if (!driver_init() || !getenv("RANCHU_GPU_FAKES"))
		return 2;
	return tap_run(cases, ARRAY_SIZE(cases));
}
