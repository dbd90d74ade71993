// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen's file, as used by a program that displays it, and the reported changes of a frame.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/display.h"
#include "tests/tap.h"

#define WIDTH	40
#define HEIGHT	30

static struct vmm_display *display;
static const struct vmm_display_header *seen;
static size_t size;

/* Maps the file read-only, as another program does. */
static bool look(void)
{
	struct stat st;
	void *map;

	display = vmm_display_open(WIDTH, HEIGHT);
	if (!tap_check(display && !fstat(vmm_display_file(display), &st)))
		return false;
	size = st.st_size;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, vmm_display_file(display), 0);
	seen = map;
	return tap_check(map != MAP_FAILED);
}

static void look_away(void)
{
	munmap((void *)seen, size);
	vmm_display_close(display);
}

static const u8 *pixels(void)
{
	return (const u8 *)seen + VMM_DISPLAY_PIXELS;
}

static void nobody_else_writes(void)
{
	char byte = 1;
	int fd;

	if (!look())
		return;
	fd = vmm_display_file(display);
	tap_check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	tap_check(pwrite(fd, &byte, 1, 0) < 0 && errno == EPERM);
	tap_check(ftruncate(fd, 0) < 0 && ftruncate(fd, 2 * size) < 0);
	tap_check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0);
	/* vmmctl itself can still write. */
	vmm_display_frame(display, VMM_PIXELS_RGB565, 1, NULL);
	tap_equal(le32toh(seen->turns), 1);
	look_away();
}

static void it_describes_itself(void)
{
	if (!look())
		return;
	tap_equal(le32toh(seen->magic), VMM_DISPLAY_MAGIC);
	tap_equal(le32toh(seen->version), VMM_DISPLAY_VERSION);
	tap_equal(le32toh(seen->width), WIDTH);
	tap_equal(le32toh(seen->height), HEIGHT);
	tap_equal(le32toh(seen->stride), 2 * WIDTH);
	tap_equal(le32toh(seen->format), VMM_PIXELS_RGB565);
	tap_equal(le64toh(seen->sequence), 0);
	tap_equal(size, VMM_DISPLAY_PIXELS + 4 * WIDTH * HEIGHT);
	look_away();
}

static void only_changes_are_told(void)
{
	static u8 frame[4 * WIDTH * HEIGHT];

	if (!look())
		return;
	/* Black over black is no change. */
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, NULL);
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, frame);
	tap_equal(le64toh(seen->sequence), 0);
	memset(frame + 2 * WIDTH * 7, 0x5a, 2);
	memset(frame + 2 * WIDTH * 9 + 30, 0xa5, 2);
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, frame);
	tap_equal(le64toh(seen->sequence), 2);
	tap_equal(le32toh(seen->damage[0]), 0);
	tap_equal(le32toh(seen->damage[1]), 7);
	tap_equal(le32toh(seen->damage[2]), WIDTH);
	tap_equal(le32toh(seen->damage[3]), 3);
	tap_check(!memcmp(pixels(), frame, 2 * WIDTH * HEIGHT));
	/* Another format: all of it. */
	vmm_display_frame(display, VMM_PIXELS_RGBX8888, 0, frame);
	tap_equal(le64toh(seen->sequence), 4);
	tap_equal(le32toh(seen->stride), 4 * WIDTH);
	tap_equal(le32toh(seen->damage[1]), 0);
	tap_equal(le32toh(seen->damage[3]), HEIGHT);
	tap_check(!memcmp(pixels(), frame, sizeof(frame)));
	vmm_display_frame(display, VMM_PIXELS_RGBX8888, 0, NULL);
	tap_check(!pixels()[0] && !memcmp(pixels(), pixels() + 1, sizeof(frame) - 1));
	look_away();
}

static unsigned int refreshed;

static void on_refresh(void *arg)
{
	vmm_display_frame(arg, VMM_PIXELS_RGB565, ++refreshed & 3, NULL);
}

static void frames_are_taken_when_asked_for(void)
{
	if (!look())
		return;
	vmm_display_refresh(display);
	tap_equal(le64toh(seen->sequence), 0);
	vmm_display_attach(display, on_refresh, display);
	tap_equal(refreshed, 0);
	vmm_display_refresh(display);
	tap_equal(refreshed, 1);
	tap_equal(le32toh(seen->turns), 1);
	vmm_display_attach(display, NULL, NULL);
	vmm_display_refresh(display);
	tap_equal(refreshed, 1);
	look_away();
}

static const u8 *one_row(void *arg, u32 y, u32 *count)
{
	u8 *row = arg;

	*count = 1;
	memset(row, y, 4 * WIDTH);
	return row;
}

static u8 scratch[4 * WIDTH];

static void on_taken(void *arg)
{
	(void)arg;
	vmm_display_rows(display, VMM_PIXELS_BGRX8888, 0, one_row, scratch);
}

/* A second producer hides the first one, and supplies its rows one by one. */
static void another_producer_takes_it(void)
{
	struct vmm_display_producer producer = { .refresh = on_taken };
	struct vmm_display_producer stranger = { .refresh = on_taken };
	unsigned int y;

	if (!look())
		return;
	refreshed = 0;
	vmm_display_attach(display, on_refresh, display);
	vmm_display_take(display, &producer);
	vmm_display_refresh(display);
	tap_equal(refreshed, 0);
	tap_equal(le32toh(seen->format), VMM_PIXELS_BGRX8888);
	for (y = 0; y < HEIGHT; y++) {
		tap_context("row %u", y);
		tap_equal(pixels()[4 * WIDTH * y], y);
		tap_equal(pixels()[4 * WIDTH * (y + 1) - 1], y);
	}
	vmm_display_give_back(display, &stranger);
	vmm_display_refresh(display);
	tap_equal(refreshed, 0);
	vmm_display_give_back(display, &producer);
	vmm_display_refresh(display);
	tap_equal(refreshed, 1);
	tap_equal(le32toh(seen->format), VMM_PIXELS_RGB565);
	look_away();
}

static void on_counted(void *arg)
{
	++*(unsigned int *)arg;
}

/* The newest producer is shown; removals in any order do not affect the others. */
static void several_producers_take_it(void)
{
	unsigned int frames[3] = { 0 };
	struct vmm_display_producer producers[3];
	unsigned int i;

	if (!look())
		return;
	for (i = 0; i < 3; i++) {
		producers[i] = (struct vmm_display_producer){ on_counted, &frames[i], NULL };
		vmm_display_take(display, &producers[i]);
	}
	vmm_display_refresh(display);
	tap_check(frames[0] == 0 && frames[1] == 0 && frames[2] == 1);
	vmm_display_give_back(display, &producers[1]);
	vmm_display_refresh(display);
	tap_check(frames[0] == 0 && frames[1] == 0 && frames[2] == 2);
	vmm_display_give_back(display, &producers[2]);
	vmm_display_refresh(display);
	tap_check(frames[0] == 1 && frames[1] == 0 && frames[2] == 2);
	vmm_display_give_back(display, &producers[0]);
	vmm_display_refresh(display);
	tap_check(frames[0] == 1 && frames[1] == 0 && frames[2] == 2);
	look_away();
}

static const struct tap_case cases[] = {
	{ "nobody else writes to it", nobody_else_writes },
	{ "it describes itself", it_describes_itself },
	{ "only changes are told", only_changes_are_told },
	{ "frames are taken when they are asked for", frames_are_taken_when_asked_for },
	{ "another producer takes the screen, and gives it back", another_producer_takes_it },
	{ "several producers take the screen", several_producers_take_it },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
