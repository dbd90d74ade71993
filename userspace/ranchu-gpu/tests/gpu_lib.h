/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device with a guest, and a display that records calls, for the tests of the commands.
 */
#ifndef GPU_LIB_H
#define GPU_LIB_H

#include "gpu.h"

#define RAM_BASE	0x40000000ULL	/* guest address of the memory */
#define RAM_SIZE	(1024 * 1024)
#define RAM_HALF	(RAM_SIZE / 2)	/* the second half is mapped elsewhere */

/**
 * struct seen - calls of the display
 * @scanouts: number of changes of a scanout
 * @damages: number of reports of changed pixels
 * @damage: rectangle of the last report
 * @damage_scanout: scanout of the last report
 * @images: number of new cursor images
 * @moves: number of moves of a cursor
 * @asks: number of queries to the front end
 * @edid: the last query was for an EDID
 */
struct seen {
	unsigned int scanouts;
	unsigned int damages;
	struct gpu_rect damage;
	unsigned int damage_scanout;
	unsigned int images;
	unsigned int moves;
	unsigned int asks;
	bool edid;
};

extern struct gpu gpu;
extern struct seen seen;
extern u8 ram[RAM_SIZE];
extern u8 answer[2048];

void device_make(void);
void device_free(void);
int control(const void *request, size_t len, size_t room);
int cursor(const void *request, size_t len, size_t room);
u32 answer_type(void);
u32 create(u32 id, u32 format, u32 width, u32 height);
u32 attach(u32 id, const struct virtio_gpu_mem_entry *entries, u32 claimed, u32 given);
u32 simple(u32 type, u32 id);
u32 transfer(u32 id, u32 x, u32 y, u32 width, u32 height, u64 offset);
u32 set_scanout(u32 scanout, u32 id, u32 x, u32 y, u32 width, u32 height);
u32 flush(u32 id, u32 x, u32 y, u32 width, u32 height);

#endif /* GPU_LIB_H */
