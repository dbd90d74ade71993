/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-gpu: serves a VM's virtio-gpu by vhost-user, in a process of its own. What the
 * guest says is not trusted, and neither is what a renderer does with it: the process has
 * the guest's memory, its two connections, and nothing else (confine.c).
 *
 *	commands.c	the guest's commands, one function each
 *	resource.c	pixels on the host, and the guest's pages behind them
 *	scanout.c	what is on which screen, and cursors
 *	display.c	tells the front end what is on the screens
 *	server.c	the vhost-user protocol
 *	ring.c		queues, by the modules' engine
 *	main.c		the command line
 *
 * Functions return 0 or -errno; gpu_status() makes it what the guest is told.
 *
 * Source: VIRTIO 1.2, 5.7
 */
#ifndef GPU_H
#define GPU_H

#include <sys/uio.h>
#include <linux/virtio_gpu.h>

#include "types.h"

#define GPU_SCANOUTS	VIRTIO_GPU_MAX_SCANOUTS
#define GPU_SIDE	16384		/* pixels of a resource, each way, at most */
#define GPU_RESOURCES	4096		/* at once */
#define GPU_ENTRIES	16384		/* pieces of guest memory behind a resource */
#define GPU_CURSOR	64		/* pixels of a cursor, each way: no more, no fewer */
#define GPU_REQUEST	96		/* bytes of the longest request without what follows it */
#define GPU_MEMORY	(256 * MIB)	/* for resources, if the command line says nothing */

/**
 * struct gpu_rect - pixels
 * @x: left
 * @y: top
 * @width: 0 for none
 * @height: likewise
 */
struct gpu_rect {
	u32 x;
	u32 y;
	u32 width;
	u32 height;
};

/**
 * struct gpu_entry - a piece of guest memory, as the guest describes it
 * @gpa: guest physical address
 * @len: bytes
 */
struct gpu_entry {
	u64 gpa;
	u32 len;
};

/**
 * struct gpu_resource - a picture
 * @next: another one with the same place in the table
 * @id: the guest's name for it, not 0
 * @format: enum virtio_gpu_formats
 * @width: pixels of a row
 * @height: rows
 * @pixels: them, rows without a gap
 * @size: bytes of them
 * @fd: the memfd that they are in
 * @entries: guest memory behind it, @count pieces, or NULL
 * @count: how many
 * @iov: the same, where it is mapped here
 * @iovs: how many elements
 * @backing: bytes of it
 */
struct gpu_resource {
	struct gpu_resource *next;
	u32 id;
	u32 format;
	u32 width;
	u32 height;
	u8 *pixels;
	size_t size;
	int fd;
	struct gpu_entry *entries;
	u32 count;
	struct iovec *iov;
	unsigned int iovs;
	u64 backing;
};

/**
 * struct gpu_cursor - the cursor of a scanout
 * @shown: there is one
 * @x: where it is
 * @y: likewise
 * @hot_x: the pixel of it that points
 * @hot_y: likewise
 * @pixels: as they were when it was set
 */
struct gpu_cursor {
	bool shown;
	u32 x;
	u32 y;
	u32 hot_x;
	u32 hot_y;
	u32 pixels[GPU_CURSOR * GPU_CURSOR];
};

/**
 * struct gpu_scanout - a screen
 * @resource: what is on it, or NULL
 * @rect: the part of it that is
 * @cursor: on top
 */
struct gpu_scanout {
	struct gpu_resource *resource;
	struct gpu_rect rect;
	struct gpu_cursor cursor;
};

/**
 * struct gpu_request - a chain of a queue
 * @out: what the guest says
 * @n_out: elements
 * @out_len: bytes
 * @in: where the answer goes
 * @n_in: elements
 * @in_len: bytes
 */
struct gpu_request {
	const struct iovec *out;
	unsigned int n_out;
	u64 out_len;
	const struct iovec *in;
	unsigned int n_in;
	u64 in_len;
};

struct gpu;

/**
 * struct gpu_display_ops - who shows what the guest draws
 * @scanout: something else is on a scanout, or nothing
 * @damage: pixels of a scanout have changed
 * @cursor_image: a cursor has other pixels, and maybe another place
 * @cursor_pos: a cursor is somewhere else, or not shown
 * @ask: ask for what the guest wants to know; gpu_answer() is called later. False if nobody
 *	can be asked. @edid: for the EDID of @scanout, else for the display info
 */
struct gpu_display_ops {
	void (*scanout)(void *arg, unsigned int scanout);
	void (*damage)(void *arg, unsigned int scanout, const struct gpu_rect *rect);
	void (*cursor_image)(void *arg, unsigned int scanout);
	void (*cursor_pos)(void *arg, unsigned int scanout);
	bool (*ask)(void *arg, bool edid, unsigned int scanout);
};

/**
 * struct gpu - the device
 * @display: who shows it
 * @display_arg: first argument of these
 * @resolve: turns guest memory into elements of @iov: how many, or -errno
 * @resolve_arg: its first argument
 * @scanouts: how many the front end has told the guest of
 * @memory_max: bytes that resources may take
 * @memory: bytes that they take
 * @resources: how many there are
 * @table: resources by the lower bits of their number
 * @scanout: the first @scanouts are valid
 * @asked: header of a request that waits for the front end, @asked.type is 0 for none
 */
struct gpu {
	const struct gpu_display_ops *display;
	void *display_arg;
	int (*resolve)(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max);
	void *resolve_arg;
	unsigned int scanouts;
	u64 memory_max;
	u64 memory;
	unsigned int resources;
	struct gpu_resource *table[GPU_RESOURCES];
	struct gpu_scanout scanout[GPU_SCANOUTS];
	struct virtio_gpu_ctrl_hdr asked;
};

/* ---- commands.c ---- */

#define GPU_LATER	(-1)	/* the answer comes by gpu_answer() */

void gpu_init(struct gpu *gpu);
void gpu_reset(struct gpu *gpu);
int gpu_control(struct gpu *gpu, const struct gpu_request *request);
int gpu_cursor(struct gpu *gpu, const struct gpu_request *request);
int gpu_answer(struct gpu *gpu, const struct gpu_request *request, const void *data, size_t len);
u32 gpu_status(int err);

/* ---- resource.c ---- */

struct gpu_resource *gpu_resource_find(const struct gpu *gpu, u32 id);
int gpu_resource_create(struct gpu *gpu, u32 id, u32 format, u32 width, u32 height);
int gpu_resource_unref(struct gpu *gpu, u32 id);
void gpu_resource_free_all(struct gpu *gpu);
int gpu_resource_attach(struct gpu *gpu, struct gpu_resource *r, const struct gpu_request *request,
			u64 offset, u32 count);
int gpu_resource_detach(struct gpu *gpu, struct gpu_resource *r);
void gpu_resources_remap(struct gpu *gpu);
int gpu_resource_transfer(struct gpu_resource *r, const struct gpu_rect *rect, u64 offset);
void gpu_resource_row(const struct gpu_resource *r, u32 x, u32 y, u32 count, u32 *to);
bool gpu_resource_is_bgrx(const struct gpu_resource *r);
bool gpu_rect_in(const struct gpu_rect *rect, u32 width, u32 height);

/* ---- scanout.c ---- */

int gpu_scanout_set(struct gpu *gpu, u32 scanout, u32 id, const struct gpu_rect *rect);
void gpu_scanouts_forget(struct gpu *gpu, const struct gpu_resource *r);
int gpu_scanouts_flush(struct gpu *gpu, const struct gpu_resource *r, const struct gpu_rect *rect);
int gpu_cursor_update(struct gpu *gpu, const struct virtio_gpu_update_cursor *cursor);
int gpu_cursor_move(struct gpu *gpu, const struct virtio_gpu_update_cursor *cursor);

#endif /* GPU_H */
