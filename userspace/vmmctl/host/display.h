/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of a VM for other programs: a memfd with a page that describes it, and pixels
 * after that. The file's size never changes, and only vmmctl can write to it. A viewer gets
 * the file by the control socket (command "screen").
 *
 * A producer is a device that knows where the guest's pixels are.
 */
#ifndef HOST_DISPLAY_H
#define HOST_DISPLAY_H

#include "types.h"

#define VMM_DISPLAY_MAGIC	0x4e435352	/* "RSCN" */
#define VMM_DISPLAY_VERSION	1
#define VMM_DISPLAY_PIXELS	4096		/* where pixels begin */
#define VMM_DISPLAY_SIDE	4096		/* pixels of a row, and rows, at most */

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
};

struct vmm_display;

/**
 * struct vmm_display_producer - a device that takes the screen from the board's framebuffer
 * @refresh: puts the newest frame there: vmm_display_rows() or vmm_display_frame()
 * @arg: argument of @refresh
 * @next: the producer that is shown when this one gives the screen back, or NULL
 */
struct vmm_display_producer {
	void (*refresh)(void *arg);
	void *arg;
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

#endif /* HOST_DISPLAY_H */
