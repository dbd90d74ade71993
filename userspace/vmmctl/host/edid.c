// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates an EDID block with exactly one mode: a guest that finds several may choose the
 * largest.
 *
 * Source: VESA, Enhanced EDID Standard, release A, revision 2 (EDID 1.4), section 3
 */
#include <string.h>

#include "host/edid.h"

#define DPI		165	/* as the goldfish framebuffer reports it */
#define HZ		60
#define SIDE_MAX	4095	/* pixels: 12 bits */
#define CLOCK_MAX	65535	/* in 10 kHz: 16 bits */
#define BLANK_X		160	/* blanking pixels and rows; any number will do */
#define BLANK_Y_MIN	20

/* Where parts of the block begin. */
#define AT_MAKER	8
#define AT_VERSION	18
#define AT_INPUT	20
#define AT_CHROMA	25
#define AT_STANDARD	38
#define AT_TIMING	54
#define AT_NAME		72
#define AT_RANGE	90
#define AT_DUMMY	108
#define AT_SUM		127

static u32 smaller(u32 a, u32 b)
{
	return a < b ? a : b;
}

static u32 tenths_of_mm(u32 pixels)
{
	return pixels * 2540 / DPI / 10 * 10;
}

/* The mode of the first detailed timing. */
struct mode {
	u32 width;
	u32 height;
	u32 blank_y;
	u32 clock;
	u32 mm_x;
	u32 mm_y;
};

static struct mode mode_of(u32 width, u32 height)
{
	struct mode mode = {
		.width = smaller(width, SIDE_MAX), .height = smaller(height, SIDE_MAX),
		.mm_x = smaller(tenths_of_mm(width) / 10, SIDE_MAX),
		.mm_y = smaller(tenths_of_mm(height) / 10, SIDE_MAX),
	};
	u64 clock;

	mode.blank_y = mode.height / 20 > BLANK_Y_MIN ? mode.height / 20 : BLANK_Y_MIN;
	clock = (u64)(mode.width + BLANK_X) * (mode.height + mode.blank_y) * HZ / 10000;
	mode.clock = clock < CLOCK_MAX ? clock : CLOCK_MAX;
	return mode;
}

static void timing_fill(u8 *to, const struct mode *mode)
{
	to[0] = mode->clock;
	to[1] = mode->clock >> 8;
	to[2] = mode->width;
	to[3] = BLANK_X;
	to[4] = mode->width >> 8 << 4 | BLANK_X >> 8;
	to[5] = mode->height;
	to[6] = mode->blank_y;
	to[7] = mode->height >> 8 << 4 | mode->blank_y >> 8;
	to[8] = 48;	/* horizontal front porch and sync */
	to[9] = 32;
	to[10] = 3 << 4 | 4;	/* vertical front porch and sync */
	to[12] = mode->mm_x;
	to[13] = mode->mm_y;
	to[14] = mode->mm_x >> 8 << 4 | mode->mm_y >> 8;
	to[17] = 0x18;	/* not interlaced; separate sync */
}

static void text_fill(u8 *to, u8 tag, const char *text)
{
	size_t len = strlen(text);

	to[3] = tag;
	memset(to + 5, ' ', 13);
	memcpy(to + 5, text, len);
	to[5 + len] = '\n';
}

static void range_fill(u8 *to, const struct mode *mode)
{
	static const u8 range[] = { 0, 0, 0, 0xfd, 0, 1, 125, 1, 255 };

	memcpy(to, range, sizeof(range));
	to[9] = (mode->clock + 999) / 1000;	/* tens of MHz, at most */
	to[10] = 1;	/* no further timing information */
	to[11] = '\n';
	memset(to + 12, ' ', 6);
}

/**
 * vmm_edid_fill - describe a screen
 * @edid: filled
 * @width: pixels of a row, not 0; at most 4095 is reported
 * @height: rows, likewise
 */
void vmm_edid_fill(u8 edid[VMM_EDID_SIZE], u32 width, u32 height)
{
	static const u8 magic[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	/* sRGB's colours. */
	static const u8 chroma[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
	struct mode mode = mode_of(width, height);
	unsigned int maker = ('R' - '@') << 10 | ('N' - '@') << 5 | ('C' - '@');
	unsigned int i;
	u8 sum = 0;

	memset(edid, 0, VMM_EDID_SIZE);
	memcpy(edid, magic, sizeof(magic));
	edid[AT_MAKER] = maker >> 8;
	edid[AT_MAKER + 1] = maker;
	edid[AT_MAKER + 2] = 1;	/* product */
	edid[AT_MAKER + 9] = 2026 - 1990;
	edid[AT_VERSION] = 1;
	edid[AT_VERSION + 1] = 4;
	edid[AT_INPUT] = 0xa5;	/* digital, 8 bits a colour, DisplayPort */
	edid[AT_INPUT + 1] = smaller(mode.mm_x / 10, 255);
	edid[AT_INPUT + 2] = smaller(mode.mm_y / 10, 255);
	edid[AT_INPUT + 3] = 220 - 100;	/* gamma */
	edid[AT_INPUT + 4] = 0x06;	/* sRGB; the first timing is the native mode */
	memcpy(edid + AT_CHROMA, chroma, sizeof(chroma));
	memset(edid + AT_STANDARD, 1, AT_TIMING - AT_STANDARD);
	timing_fill(edid + AT_TIMING, &mode);
	text_fill(edid + AT_NAME, 0xfc, "ranchu");
	range_fill(edid + AT_RANGE, &mode);
	edid[AT_DUMMY + 3] = 0x10;
	for (i = 0; i < AT_SUM; i++)
		sum += edid[i];
	edid[AT_SUM] = -sum;
}
