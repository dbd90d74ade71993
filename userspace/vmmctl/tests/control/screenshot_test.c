// SPDX-License-Identifier: GPL-2.0-only
/*
 * Screenshots: the PNG file is parsed, chunk by chunk.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "control/png.h"
#include "host/display.h"
#include "tests/tap.h"

#define W	5
#define H	3

static char path[32];
static u8 file[4096];
static size_t file_len;
static u8 rows[4096];

static u32 word(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

/* Checks that the chunk at @at has @type; returns the offset after it. */
static const u8 *chunk(const u8 *at, const char *type, u32 *len)
{
	*len = word(at);
	tap_check(!memcmp(at + 4, type, 4));
	tap_equal(word(at + 8 + *len), crc32(0, at + 4, *len + 4));
	return at + 12 + *len;
}

/* Reads the picture; false if it does not have this size. */
static bool read_png(u32 width, u32 height)
{
	uLongf len = sizeof(rows);
	const u8 *at = file + 8;
	const u8 *next;
	u32 bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	file_len = read(fd, file, sizeof(file));
	close(fd);
	if (!tap_check(file_len > 57 && !memcmp(file, "\x89PNG\r\n\x1a\n", 8)))
		return false;
	next = chunk(at, "IHDR", &bytes);
	tap_equal(bytes, 13);
	tap_equal(word(at + 8), width);
	tap_equal(word(at + 12), height);
	tap_check(!memcmp(at + 16, (u8[]){ 8, 2, 0, 0, 0 }, 5));
	at = next;
	next = chunk(at, "IDAT", &bytes);
	tap_equal(uncompress(rows, &len, at + 8, bytes), Z_OK);
	tap_equal(len, height * (3 * width + 1));
	at = next;
	next = chunk(at, "IEND", &bytes);
	tap_equal(bytes, 0);
	return tap_check(next == file + file_len);
}

static void check_pixel(u32 width, u32 x, u32 y, u32 rgb)
{
	const u8 *at = rows + y * (3 * width + 1) + 1 + 3 * x;

	tap_context("pixel %u, %u", x, y);
	tap_equal((u32)at[0] << 16 | at[1] << 8 | at[2], rgb);
}

static int shoot(struct vmm_display *display)
{
	return vmm_screenshot(vmm_display_file(display), NULL, path);
}

static void colours_are_right(void)
{
	struct vmm_display *display = vmm_display_open(W, H);
	u8 wide[4 * W * H] = { 0x11, 0x22, 0x33, 0xff, 0xff, 0, 0, 0 };
	u8 narrow[2 * W * H] = { 0 };

	narrow[1] = 0xf8;	/* red */
	narrow[2] = 0xe0;	/* green */
	narrow[3] = 0x07;
	narrow[4] = 0x1f;	/* blue */
	narrow[7] = 0x80;	/* half of red */
	memset(narrow + 2 * W * H - 2, 0xff, 2);
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, narrow);
	tap_equal(shoot(display), 0);
	if (read_png(W, H)) {
		check_pixel(W, 0, 0, 0xff0000);
		check_pixel(W, 1, 0, 0x00ff00);
		check_pixel(W, 2, 0, 0x0000ff);
		check_pixel(W, 3, 0, 0x840000);
		check_pixel(W, 4, 0, 0);
		check_pixel(W, W - 1, H - 1, 0xffffff);
	}
	vmm_display_frame(display, VMM_PIXELS_RGBX8888, 0, wide);
	tap_equal(shoot(display), 0);
	if (read_png(W, H)) {
		check_pixel(W, 0, 0, 0x112233);
		check_pixel(W, 1, 0, 0xff0000);
		check_pixel(W, W - 1, H - 1, 0);
	}
	vmm_display_frame(display, VMM_PIXELS_BGRX8888, 0, wide);
	tap_equal(shoot(display), 0);
	if (read_png(W, H)) {
		check_pixel(W, 0, 0, 0x332211);
		check_pixel(W, 1, 0, 0x0000ff);
		check_pixel(W, W - 1, H - 1, 0);
	}
	vmm_display_close(display);
}

/* The first pixel of the frame moves from corner to corner, clockwise. */
static void turns_are_clockwise(void)
{
	static const u32 first[4][2] = { { 0, 0 }, { H - 1, 0 }, { W - 1, H - 1 }, { 0, W - 1 } };
	static const u32 second[4][2] = { { 1, 0 }, { H - 1, 1 }, { W - 2, H - 1 }, { 0, W - 2 } };
	struct vmm_display *display = vmm_display_open(W, H);
	u8 wide[4 * W * H] = { 1, 2, 3, 0, 4, 5, 6, 0 };
	unsigned int turns;

	for (turns = 0; turns < 4; turns++) {
		u32 width = turns & 1 ? H : W;

		vmm_display_frame(display, VMM_PIXELS_RGBX8888, turns, wide);
		tap_equal(shoot(display), 0);
		if (!read_png(width, turns & 1 ? W : H))
			continue;
		check_pixel(width, first[turns][0], first[turns][1], 0x010203);
		check_pixel(width, second[turns][0], second[turns][1], 0x040506);
	}
	vmm_display_close(display);
}

/* Wrong screens: too short, sizes that do not fit, another version. */
static void foreign_files_are_refused(void)
{
	struct vmm_display_header header = {
		.magic = htole32(VMM_DISPLAY_MAGIC), .version = htole32(VMM_DISPLAY_VERSION),
		.width = htole32(W), .height = htole32(H),
	};
	int fd = memfd_create("test", MFD_CLOEXEC);
	unsigned int i;

	tap_check(vmm_screenshot(fd, NULL, path) < 0);
	tap_check(!ftruncate(fd, VMM_DISPLAY_PIXELS + 4 * W * H));
	for (i = 0; i < 6; i++) {
		struct vmm_display_header wrong = header;

		wrong.magic ^= i == 0;
		wrong.version ^= htole32(i == 1 ? 3 : 0);
		if (i == 2)
			wrong.width = htole32(W + 1);
		if (i == 3)
			wrong.height = 0;
		if (i == 4)
			wrong.width = htole32(0x40000000);
		tap_context("%u", i);
		tap_equal(pwrite(fd, &wrong, sizeof(wrong), 0), sizeof(wrong));
		tap_equal(vmm_screenshot(fd, NULL, path) < 0, i < 5);
	}
	/* An unfinished frame is shown as it is. */
	header.sequence = htole64(1);
	tap_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	tap_equal(vmm_screenshot(fd, NULL, path), 0);
	tap_check(vmm_screenshot(fd, NULL, "/nowhere/shot.png") == -ENOENT);
	/* A file that accepts no data. */
	tap_check(vmm_screenshot(fd, NULL, "/dev/full") < 0);
	tap_check(!access("/dev/full", F_OK));
	close(fd);
}

static const struct tap_case cases[] = {
	{ "colours are right in all formats", colours_are_right },
	{ "turns are clockwise", turns_are_clockwise },
	{ "files that are no screen are refused", foreign_files_are_refused },
};

int main(void)
{
	int rc;

	snprintf(path, sizeof(path), "/tmp/vmmctl-shot-XXXXXX");
	close(mkstemp(path));
	rc = tap_run(cases, ARRAY_SIZE(cases));
	unlink(path);
	return rc;
}
