// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it takes to put a frame of 1080 x 1920 pixels, 32 bits each and all of them new,
 * into the screen's file, over a memcpy() of as much into as fresh a mapping; in turns,
 * the best of each. Prints "fb_copy_vs_memcpy RATIO" and both times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "host/display.h"

#define WIDTH	1080
#define HEIGHT	1920
#define BYTES	((size_t)4 * WIDTH * HEIGHT)
#define ROUNDS	200

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void keep(double *best, double from)
{
	double took = now_us() - from;

	if (!*best || took < *best)
		*best = took;
}

int main(void)
{
	struct vmm_display *display = vmm_display_open(WIDTH, HEIGHT);
	u8 *frame = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u8 *to = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double copy = 0, show = 0, from;
	unsigned int i;

	if (!display || frame == MAP_FAILED || to == MAP_FAILED)
		return EXIT_FAILURE;
	for (i = 0; i < ROUNDS; i++) {
		memset(frame, i + 1, BYTES);
		from = now_us();
		memcpy(to, frame, BYTES);
		keep(&copy, from);
		memset(frame, i + 2, BYTES);
		from = now_us();
		vmm_display_frame(display, VMM_PIXELS_RGBX8888, 0, frame);
		keep(&show, from);
	}
	printf("fb_copy_vs_memcpy %.3f\n", show / copy);
	printf("# memcpy %.0f us, frame %.0f us\n", copy, show);
	vmm_display_close(display);
	return EXIT_SUCCESS;
}
