// SPDX-License-Identifier: GPL-2.0-only
/*
 * A screen as another process sees it: the test has the file, and changes pixels that it
 * does not report as well, so that the test sees what is copied.
 */
#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/screen_view.h"
#include "tests/tap.h"

#define W	5
#define H	4

static struct vmm_display_header *header;
static struct vmm_screen_view view;
static int fd;

static u8 *pixels(void)
{
	return (u8 *)header + VMM_DISPLAY_PIXELS;
}

static bool screen_open(enum vmm_pixels format, unsigned int turns)
{
	size_t size = VMM_DISPLAY_PIXELS + 4 * W * H;

	fd = memfd_create("screen", MFD_CLOEXEC);
	tap_check(!ftruncate(fd, size));
	header = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*header = (struct vmm_display_header){
		.magic = htole32(VMM_DISPLAY_MAGIC), .version = htole32(VMM_DISPLAY_VERSION),
		.width = htole32(W), .height = htole32(H), .format = htole32(format),
		.turns = htole32(turns),
	};
	return tap_equal(vmm_screen_view_open(&view, fd), 0);
}

static void screen_close(void)
{
	vmm_screen_view_close(&view);
	munmap(header, VMM_DISPLAY_PIXELS + 4 * W * H);
	close(fd);
}

/* Changes the file, and reports these rows as changed. */
static void change(u64 by, u32 top, u32 rows)
{
	header->damage[1] = htole32(top);
	header->damage[3] = htole32(rows);
	header->sequence = htole64(le64toh(header->sequence) + by);
}

static u8 red(u32 y)
{
	return view.copy[VMM_DISPLAY_PIXELS + 4 * y * W];
}

/* Sets all pixels to @shade, and reports any rows as changed. */
static void want_copied(u8 shade, u64 by, u32 top, u32 rows, u32 first, u32 last)
{
	u8 old = red(0);
	u32 y;

	tap_context("shade %u", shade);
	memset(pixels(), shade, 4 * W * H);
	change(by, top, rows);
	tap_check(vmm_screen_view_update(&view));
	tap_equal(view.first, first);
	tap_equal(view.last, last);
	for (y = 0; y < H; y++)
		tap_equal(red(y), y >= first && y < last ? shade : old);
	tap_check(!vmm_screen_view_update(&view));
}

static void only_rows_that_have_changed_are_copied(void)
{
	if (!screen_open(VMM_PIXELS_RGBX8888, 0))
		return;
	want_copied(1, 0, 1, 1, 0, H);
	want_copied(2, 2, 1, 2, 1, 3);
	/* Two changes: the file reports the last one only. */
	want_copied(3, 4, 1, 1, 0, H);
	want_copied(4, 2, 3, 1, 3, 4);
	want_copied(5, 4, 0, 1, 0, H);
	/* Impossible values are ignored. */
	want_copied(6, 2, 3, 2, 0, H);
	want_copied(7, 2, ~0U, 2, 0, H);
	want_copied(8, 2, 1, ~0U, 0, H);
	header->turns = htole32(2);
	want_copied(9, 2, 1, 1, 0, H);
	header->format = htole32(VMM_PIXELS_BGRX8888);
	want_copied(10, 2, 1, 1, 0, H);
	screen_close();
}

/* The view's geometry, by the places of all pixels. */
static void check_part(void)
{
	struct vmm_screen_part part;
	u32 x, y;

	vmm_screen_view_changed(&view, &part);
	tap_check(part.right <= vmm_screen_view_width(&view));
	tap_check(part.bottom <= vmm_screen_view_height(&view));
	for (y = 0; y < vmm_screen_view_height(&view); y++) {
		for (x = 0; x < vmm_screen_view_width(&view); x++) {
			u32 from_x = x, from_y = y;
			bool in = x >= part.left && x < part.right && y >= part.top &&
				  y < part.bottom;

			vmm_screen_view_from(&view, &from_x, &from_y);
			tap_equal(in, from_y >= view.first && from_y < view.last);
		}
	}
}

static void what_has_changed_turns_with_the_screen(void)
{
	unsigned int turns;

	for (turns = 0; turns < 4; turns++) {
		tap_context("%u turns", turns);
		if (!screen_open(VMM_PIXELS_RGBX8888, turns))
			return;
		tap_check(vmm_screen_view_update(&view));
		check_part();
		change(2, 1, 1);
		tap_check(vmm_screen_view_update(&view));
		tap_equal(view.last - view.first, 1);
		check_part();
		screen_close();
	}
}

/* Every pixel of the guest is different; expected places are written by hand. */
static u32 colour(enum vmm_pixels format, u32 x, u32 y)
{
	u32 n = y * W + x;

	if (format == VMM_PIXELS_RGB565)
		return (n & 31) << 19 | (n & 31) >> 2 << 16;
	return format == VMM_PIXELS_RGBX8888 ? n << 16 | 7 << 8 | 9 : 9 << 16 | 7 << 8 | n;
}

static void pixels_fill(enum vmm_pixels format)
{
	u8 *at = pixels();
	u32 n;

	for (n = 0; n < W * H; n++) {
		if (format == VMM_PIXELS_RGB565) {
			at[2 * n + 1] = n << 3;
		} else {
			at[4 * n] = n;
			at[4 * n + 1] = 7;
			at[4 * n + 2] = 9;
		}
	}
}

static void check_row(enum vmm_pixels format, u32 y, u32 left)
{
	u32 width = vmm_screen_view_width(&view);
	u32 words[W + H];
	u32 x;

	vmm_screen_view_words(&view, left, y, width - left, words);
	for (x = left; x < width; x++) {
		u32 from_x = x, from_y = y;

		vmm_screen_view_from(&view, &from_x, &from_y);
		tap_equal(words[x - left], colour(format, from_x, from_y));
	}
}

static void rows_have_their_colours(void)
{
	unsigned int turns, format;
	u32 y;

	for (turns = 0; turns < 4; turns++) {
		for (format = VMM_PIXELS_RGBX8888; format <= VMM_PIXELS_BGRX8888; format++) {
			tap_context("%u turns, format %u", turns, format);
			if (!screen_open(format, turns))
				return;
			pixels_fill(format);
			tap_check(vmm_screen_view_update(&view));
			for (y = 0; y < vmm_screen_view_height(&view); y++) {
				check_row(format, y, 0);
				check_row(format, y, 2);
			}
			screen_close();
		}
	}
}

static const struct tap_case cases[] = {
	{ "only rows that have changed are copied", only_rows_that_have_changed_are_copied },
	{ "what has changed turns with the screen", what_has_changed_turns_with_the_screen },
	{ "rows have their colours", rows_have_their_colours },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
