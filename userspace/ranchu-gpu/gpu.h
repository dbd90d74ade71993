/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-gpu: serves a VM's virtio-gpu by vhost-user, in a process of its own. What the
 * guest says is not trusted, and neither is what a renderer does with it: the process has
 * the guest's memory, its two connections, and nothing else (confine.c).
 *
 *	commands.c	the guest's commands, one function each
 *	resource.c	resources, and the guest's pages behind them
 *	pixels.c	pixels that a screen is given, and their formats
 *	context.c	what a 3D renderer is told: contexts, capsets, commands
 *	scanout.c	what is on which screen, and cursors
 *	renderer.h	who draws: a table of functions, with one filler for each renderer
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

#include "renderer.h"
#include "types.h"

#define GPU_SCANOUTS	VIRTIO_GPU_MAX_SCANOUTS
#define GPU_SIDE	16384		/* pixels of a resource, each way, at most */
#define GPU_RESOURCES	4096		/* at once */
#define GPU_ENTRIES	16384		/* pieces of guest memory behind a resource */
#define GPU_CURSOR	64		/* pixels of a cursor, each way: no more, no fewer */
#define GPU_LAYERS	2048		/* of a resource, at most */
#define GPU_LEVELS	15		/* sizes of a resource, each half of the one before */
#define GPU_SAMPLES	32		/* of a pixel */
#define GPU_CONTEXTS	256		/* at once */
#define GPU_COMMANDS	(4 * MIB)	/* bytes that are submitted at once */
#define GPU_RINGS	64		/* timelines of a context */
#define GPU_REQUEST	96		/* bytes of the longest request without what follows it */
#define GPU_MEMORY	(256 * MIB)	/* for resources, if the command line says nothing */
#define GPU_DATA	(4096 * MIB)	/* for a library, likewise */

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
 * struct gpu_resource - a picture, or a buffer
 * @next: another one with the same place in the table
 * @id: the guest's name for it, not 0
 * @format: enum virtio_gpu_formats, or a format that only the renderer knows
 * @width: pixels of a row
 * @height: rows
 * @target: enum gpu_target
 * @depth: of a picture with three dimensions
 * @layers: pictures of one size
 * @last_level: the smallest size that it has; 0 is the largest
 * @charge: bytes that the renderer takes for it
 * @pixels: for a screen: rows without a gap. The 2D renderer has no others; with any other,
 *	they are there once they were shown. Or NULL
 * @size: bytes of them
 * @fd: the memfd that they are in, or -1
 * @entries: guest memory behind it, @count pieces, or NULL
 * @count: how many
 * @iov: the same, where it is mapped here
 * @iovs: how many elements
 * @backing: bytes of it
 * @attached: the renderer has @iov
 */
struct gpu_resource {
	struct gpu_resource *next;
	u32 id;
	u32 format;
	u32 width;
	u32 height;
	u32 target;
	u32 depth;
	u32 layers;
	u32 last_level;
	u64 charge;
	u8 *pixels;
	size_t size;
	int fd;
	struct gpu_entry *entries;
	u32 count;
	struct iovec *iov;
	unsigned int iovs;
	u64 backing;
	bool attached;
};

/**
 * struct gpu_cursor - the cursor of a scanout
 * @shown: there is one
 * @x: where it is
 * @y: likewise
 * @hot_x: the pixel of it that points
 * @hot_y: likewise
 * @pixels: as they were when it was set: blue, green, red and alpha
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
 * @read_at: what gpu->drawn was when all of it was read from the renderer, or 0
 * @cursor: on top
 */
struct gpu_scanout {
	struct gpu_resource *resource;
	struct gpu_rect rect;
	u64 read_at;
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
 * @fence: filled if the answer must wait until the renderer has done its work; may be NULL,
 *	then it does not wait
 */
struct gpu_request {
	const struct iovec *out;
	unsigned int n_out;
	u64 out_len;
	const struct iovec *in;
	unsigned int n_in;
	u64 in_len;
	struct gpu_fence *fence;
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
 * @renderer: who draws
 * @three_d: the driver has accepted 3D
 * @context_init: and that contexts are of a kind
 * @scanouts: how many the front end has told the guest of
 * @memory_max: bytes that resources may take
 * @memory: bytes that they take
 * @copied: bytes of pixels that were copied from the guest's memory or the renderer's
 * @resources: how many there are
 * @table: resources by the lower bits of their number
 * @scanout: the first @scanouts are valid
 * @context: numbers of the guest's contexts
 * @contexts: how many there are
 * @drawn: requests after which the renderer's pixels may be others, and 1
 * @fences: that the renderer was asked for so far
 * @commands: where commands are copied to, or NULL
 * @commands_size: bytes of room there
 * @asked: header of a request that waits for the front end, @asked.type is 0 for none
 */
struct gpu {
	const struct gpu_display_ops *display;
	void *display_arg;
	int (*resolve)(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max);
	void *resolve_arg;
	struct gpu_renderer *renderer;
	bool three_d;
	bool context_init;
	unsigned int scanouts;
	u64 memory_max;
	u64 memory;
	u64 copied;
	unsigned int resources;
	struct gpu_resource *table[GPU_RESOURCES];
	struct gpu_scanout scanout[GPU_SCANOUTS];
	u32 context[GPU_CONTEXTS];
	unsigned int contexts;
	u64 drawn;
	u64 fences;
	void *commands;
	u32 commands_size;
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
int gpu_resource_create_2d(struct gpu *gpu, u32 id, u32 format, u32 width, u32 height);
int gpu_resource_create(struct gpu *gpu, u32 id, const struct gpu_args *args);
int gpu_resource_unref(struct gpu *gpu, u32 id);
void gpu_resource_free_all(struct gpu *gpu);
int gpu_resource_attach(struct gpu *gpu, struct gpu_resource *r, const struct gpu_request *request,
			u64 offset, u32 count);
int gpu_resource_detach(struct gpu *gpu, struct gpu_resource *r);
void gpu_resources_let_go(struct gpu *gpu);
void gpu_resources_remap(struct gpu *gpu);
int gpu_resource_transfer(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect,
			  u64 offset);
int gpu_resource_transfer_3d(struct gpu *gpu, struct gpu_resource *r,
			     const struct gpu_transfer *transfer, bool from_host);
bool gpu_memory_take(struct gpu *gpu, u64 bytes);

/* ---- pixels.c ---- */

bool gpu_rect_in(const struct gpu_rect *rect, u32 width, u32 height);
bool gpu_format_known(u32 format);
int gpu_pixels_make(struct gpu *gpu, struct gpu_resource *r);
void gpu_pixels_free(struct gpu *gpu, struct gpu_resource *r);
int gpu_pixels_read(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect);
void gpu_resource_row(const struct gpu_resource *r, u32 x, u32 y, u32 count, u32 *to);
void gpu_resource_cursor(const struct gpu_resource *r, u32 *to);
bool gpu_resource_is_bgrx(const struct gpu_resource *r);

/* ---- context.c ---- */

bool gpu_context_there(const struct gpu *gpu, u32 id);
int gpu_context_create(struct gpu *gpu, const struct virtio_gpu_ctx_create *in);
int gpu_context_destroy(struct gpu *gpu, u32 id);
void gpu_context_free_all(struct gpu *gpu);
int gpu_context_resource(struct gpu *gpu, u32 id, u32 resource, bool attach);
int gpu_context_submit(struct gpu *gpu, u32 id, const struct gpu_request *request, u64 offset,
		       u32 size);
const struct gpu_capset *gpu_capset_find(const struct gpu *gpu, u32 id);
bool gpu_fence_make(struct gpu *gpu, const struct virtio_gpu_ctrl_hdr *hdr,
		    struct gpu_fence *fence);

/* ---- scanout.c ---- */

int gpu_scanout_set(struct gpu *gpu, u32 scanout, u32 id, const struct gpu_rect *rect);
void gpu_scanouts_forget(struct gpu *gpu, const struct gpu_resource *r);
int gpu_scanouts_flush(struct gpu *gpu, struct gpu_resource *r, const struct gpu_rect *rect);
int gpu_cursor_update(struct gpu *gpu, const struct virtio_gpu_update_cursor *cursor);
int gpu_cursor_move(struct gpu *gpu, const struct virtio_gpu_update_cursor *cursor);

#endif /* GPU_H */
