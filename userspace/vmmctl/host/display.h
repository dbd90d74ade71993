/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of a VM for other programs: a memfd with a page that describes it, the cursor, and
 * pixels. The file's size never changes, and only vmmctl can write to it. A viewer gets the file
 * by the control socket (command "screen"), and draws the cursor over the pixels.
 *
 * If a GPU has the whole screen in a file of its own, that file is the source of the pixels, and
 * they are not copied. A source has a number that is never used again. A viewer gets its file by
 * the same command. The owner of a source is not trusted.
 *
 * A producer is a device that knows where the guest's pixels are.
 */
#ifndef HOST_DISPLAY_H
#define HOST_DISPLAY_H

#include "types.h"

#define VMM_DISPLAY_MAGIC	0x4e435352	/* "RSCN" */
#define VMM_DISPLAY_VERSION	2
#define VMM_DISPLAY_CURSOR	4096		/* where the cursor's pixels begin */
#define VMM_DISPLAY_PIXELS	20480		/* where pixels begin */
#define VMM_DISPLAY_SIDE	4096		/* pixels of a row, and rows, at most */
#define VMM_DISPLAY_CURSOR_SIDE	64		/* pixels */
#define VMM_DISPLAY_SOURCES	4		/* sources that are remembered */

/* Formats of a pixel. */
enum vmm_pixels {
	VMM_PIXELS_RGBX8888 = 1,	/* bytes red, green, blue, none */
	VMM_PIXELS_RGB565 = 2,		/* 16 bits, little endian, red on top */
	VMM_PIXELS_BGRX8888 = 3,	/* bytes blue, green, red, none */
};

/**
 * struct vmm_display_header - first bytes of the file
 * @magic: VMM_DISPLAY_MAGIC
 * @version: VMM_DISPLAY_VERSION
 * @sequence: incremented before and after pixels change: odd while they do
 * @width: pixels of a row, as the guest draws it
 * @height: rows
 * @stride: bytes from one row to the next
 * @format: enum vmm_pixels
 * @turns: quarter turns clockwise by which a viewer turns the picture
 * @damage: rectangle of the last change: left, top, width, height
 * @cursor_shown: the cursor is visible
 * @cursor_x: column of its left side; a number that wraps is left of the screen
 * @cursor_y: row of its upper side, likewise
 * @reserved: 0
 * @source: number of the file that has the pixels; 0 for this file
 * @offset: offset of the first pixel in that file
 *
 * The cursor is in VMM_PIXELS_BGRX8888, with alpha as the fourth byte; its colours are multiplied
 * by alpha.
 *
 * Numbers are little endian. Only @width, @height and @version never change.
 */
struct vmm_display_header {
	__le32 magic;
	__le32 version;
	__le64 sequence;
	__le32 width;
	__le32 height;
	__le32 stride;
	__le32 format;
	__le32 turns;
	__le32 damage[4];
	__le32 cursor_shown;
	__le32 cursor_x;
	__le32 cursor_y;
	__le32 reserved;
	__le64 source;
	__le64 offset;
};

struct vmm_display;

/**
 * struct vmm_display_cursor - a cursor
 * @shown: it is visible
 * @x: see struct vmm_display_header
 * @y: likewise
 * @pixels: likewise
 */
struct vmm_display_cursor {
	bool shown;
	u32 x;
	u32 y;
	u32 pixels[VMM_DISPLAY_CURSOR_SIDE * VMM_DISPLAY_CURSOR_SIDE];
};

/**
 * struct vmm_display_source - a file with all pixels of the screen
 * @fd: a memfd that cannot shrink
 * @offset: offset of the first pixel; rows follow without a gap, in VMM_PIXELS_BGRX8888
 * @first: first row that has changed since the last call
 * @last: row after the last one that has changed
 */
struct vmm_display_source {
	int fd;
	u64 offset;
	u32 first;
	u32 last;
};

/**
 * struct vmm_display_producer - a device that takes the screen from the board's framebuffer
 * @refresh: puts the newest frame there: vmm_display_rows(), vmm_display_frame() or
 *	vmm_display_source()
 * @arg: argument of @refresh
 * @cursor: the cursor, or NULL
 * @next: the producer that is shown when this one gives the screen back, or NULL
 */
struct vmm_display_producer {
	void (*refresh)(void *arg);
	void *arg;
	const struct vmm_display_cursor *cursor;
	struct vmm_display_producer *next;
};

/* ---- display.c ---- */

struct vmm_display *vmm_display_open(unsigned int width, unsigned int height);
void vmm_display_close(struct vmm_display *display);
int vmm_display_file(const struct vmm_display *display);
void vmm_display_attach(struct vmm_display *display, void (*refresh)(void *arg), void *arg);
void vmm_display_take(struct vmm_display *display, struct vmm_display_producer *producer);
void vmm_display_give_back(struct vmm_display *display, struct vmm_display_producer *producer);
void vmm_display_refresh(struct vmm_display *display);
u64 vmm_display_written(const struct vmm_display *display);
void vmm_display_size(const struct vmm_display *display, u32 *width, u32 *height);
void vmm_display_rows(struct vmm_display *display, enum vmm_pixels format, unsigned int turns,
		      const u8 *(*rows)(void *arg, u32 y, u32 *count), void *arg);
void vmm_display_frame(struct vmm_display *display, enum vmm_pixels format, unsigned int turns,
		       const u8 *pixels);
int vmm_display_source(struct vmm_display *display, const struct vmm_display_source *source);
int vmm_display_source_file(const struct vmm_display *display, u64 number);

#endif /* HOST_DISPLAY_H */
