// SPDX-License-Identifier: GPL-2.0-only
/*
 * A screen as another process sees it: the test has the file, and changes pixels that it
 * does not report as well, so that the test sees what is copied.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
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
	return tap_equal(vmm_screen_view_open(&view, fd, NULL, NULL), 0);
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

static struct {
	unsigned int count;	/* requests for a source */
	u64 source;
	int result;		/* file that is passed, or -errno */
	u64 instead;		/* the header names this source from then on, if it is not 0 */
} asked;

static int on_ask(void *arg, u64 source)
{
	(void)arg;
	asked.count++;
	asked.source = source;
	if (asked.instead)
		header->source = htole64(asked.instead);
	if (asked.result < 0 && asked.count == 1)
		return asked.result;
	return asked.result < 0 ? -EIO : dup(asked.result);
}

static bool source_open(void)
{
	bool open = screen_open(VMM_PIXELS_BGRX8888, 0);

	view.ask = on_ask;
	memset(&asked, 0, sizeof(asked));
	return open;
}

/* A file of pixels; this byte is in all of the first ones. */
static int picture_make(u8 shade, size_t size)
{
	u8 bytes[4 * W * H + 8];
	int file = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	memset(bytes, shade, sizeof(bytes));
	tap_check(size <= sizeof(bytes) && write(file, bytes, size) == (ssize_t)size);
	return file;
}

/* Changes to a source. Returns whether the view shows it, with all rows changed. */
static bool source_show(u64 source, u64 offset)
{
	header->source = htole64(source);
	header->offset = htole64(offset);
	change(2, 0, H);
	return vmm_screen_view_update(&view);
}

static void pixels_come_from_sources(void)
{
	unsigned int i;
	int file;

	if (!source_open())
		return;
	for (i = 1; i <= VMM_DISPLAY_SOURCES + 1; i++) {
		file = picture_make(i, 4 * W * H + 8);
		tap_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
		asked.result = file;
		tap_check(source_show(100 + i, 8));
		tap_equal(asked.source, 100 + i);
		tap_check(red(0) == i && red(H - 1) == i);
		close(file);
	}
	tap_equal(asked.count, i - 1);
	/* All but the first one are still there. */
	tap_check(source_show(102, 0));
	tap_equal(red(1), 2);
	tap_equal(asked.count, i - 1);
	asked.result = view.files[0].fd;
	tap_check(source_show(101, 0));
	tap_equal(asked.count, i);
	/* Only rows that are reported as changed are read. */
	memset(view.copy + VMM_DISPLAY_PIXELS, 77, 4 * W * H);
	change(2, 1, 1);
	tap_check(vmm_screen_view_update(&view));
	tap_check(red(0) == 77 && red(1) == i - 1 && red(2) == 77);
	/* Pixels in the screen's file: the others are closed. */
	tap_check(source_show(0, 0));
	tap_equal(red(0), 0);
	for (i = 0; i < VMM_DISPLAY_SOURCES; i++)
		tap_equal(view.files[i].number, 0);
	screen_close();
}

/* Files of a hostile process, and offsets outside of them. */
static void bad_sources_do_no_harm(void)
{
	static const u64 offsets[] = {
		1, 4 * W * H - 1, 4 * W * H, 1ULL << 40, ~0ULL >> 1, 1ULL << 63, ~0ULL,
	};
	unsigned int i;
	int file;

	if (!source_open())
		return;
	asked.result = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	tap_check(!source_show(1, 0));
	close(asked.result);
	/* A file that could shrink. */
	file = picture_make(9, 4 * W * H);
	asked.result = file;
	tap_check(!source_show(1, 0));
	tap_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	tap_check(source_show(1, 0));
	tap_check(red(0) == 9 && red(H - 1) == 9);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		tap_context("offset %llx", (unsigned long long)offsets[i]);
		tap_check(source_show(1, offsets[i]));
		tap_equal(red(0), i < 2 ? 9 : 0);
		tap_equal(red(H - 1), i < 1 ? 9 : 0);
	}
	close(file);
	/* No way to ask. */
	view.ask = NULL;
	tap_check(!source_show(2, 0));
	screen_close();
}

/* A source that is gone: the header names another one, or the file itself. */
static void sources_go(void)
{
	if (!source_open())
		return;
	memset(pixels(), 5, 4 * W * H);
	asked.result = -ENOENT;
	asked.instead = 8;
	tap_check(!source_show(7, 0));
	tap_equal(asked.count, 2);
	tap_equal(asked.source, 8);
	asked.count = 0;
	asked.result = picture_make(6, 4 * W * H);
	tap_equal(fcntl(asked.result, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	tap_check(vmm_screen_view_update(&view));
	tap_equal(red(0), 6);
	close(asked.result);
	tap_check(source_show(0, 0));
	tap_equal(red(0), 5);
	screen_close();
}

/* Returns the first byte of a pixel of the copy. */
static u8 blue(u32 x, u32 y)
{
	return view.copy[VMM_DISPLAY_PIXELS + 4 * (y * W + x)];
}

static void cursors_are_drawn_over_pixels(void)
{
	u32 *cursor;
	unsigned int i;

	if (!screen_open(VMM_PIXELS_BGRX8888, 0))
		return;
	cursor = (u32 *)(void *)((u8 *)header + VMM_DISPLAY_CURSOR);
	memset(pixels(), 200, 4 * W * H);
	for (i = 0; i < VMM_DISPLAY_CURSOR_SIDE * VMM_DISPLAY_CURSOR_SIDE; i++)
		cursor[i] = htole32(0x80000001);
	header->cursor_shown = htole32(1);
	header->cursor_x = htole32(2);
	header->cursor_y = htole32(2);
	tap_check(vmm_screen_view_update(&view));
	tap_check(blue(1, 2) == 200 && blue(2, 1) == 200);
	tap_check(blue(2, 2) == 100 && blue(W - 1, H - 1) == 100);
	/* It is not drawn twice over the same pixels. */
	change(2, 3, 1);
	tap_check(vmm_screen_view_update(&view));
	tap_check(blue(2, 2) == 100 && blue(2, 3) == 100);
	/* One that moves off the screen, to the left and above. */
	header->cursor_x = htole32(-63);
	header->cursor_y = htole32(-63);
	change(2, 0, H);
	tap_check(vmm_screen_view_update(&view));
	tap_check(blue(0, 0) == 100 && blue(1, 0) == 200 && blue(0, 1) == 200);
	header->cursor_y = htole32(0x7fffffff);
	change(2, 0, 1);
	tap_check(vmm_screen_view_update(&view));
	tap_equal(blue(0, 0), 200);
	screen_close();
}

static const struct tap_case cases[] = {
	{ "only rows that have changed are copied", only_rows_that_have_changed_are_copied },
	{ "what has changed turns with the screen", what_has_changed_turns_with_the_screen },
	{ "rows have their colours", rows_have_their_colours },
	{ "pixels come from sources", pixels_come_from_sources },
	{ "bad sources do no harm", bad_sources_do_no_harm },
	{ "sources go", sources_go },
	{ "cursors are drawn over pixels", cursors_are_drawn_over_pixels },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
