/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-gpu: serves a VM's virtio-gpu by vhost-user, in a process of its own. The guest is
 * not trusted, and neither is a renderer that processes the guest's commands: the process has
 * access to the guest's memory, its two connections, and nothing else (confine.c).
 *
 *	commands.c	the guest's commands, one function each
 *	resource.c	resources, and the guest's pages behind them
 *	pixels.c	pixels for a screen, and their formats
 *	context.c	3D: contexts, capsets, commands
 *	scanout.c	resources on screens, and cursors
 *	renderer.h	the interface of renderers: a table of functions
 *	display.c	tells the front end what is on the screens
 *	server.c	the vhost-user protocol
 *	ring.c		queues, by the kernel modules' engine
 *	main.c		the command line
 *
 * Functions return 0 or -errno; gpu_status() converts it to the guest's response type.
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
#define GPU_SIDE	16384		/* width and height of a resource in pixels, at most */
#define GPU_RESOURCES	4096		/* resources, at most */
#define GPU_ENTRIES	16384		/* pieces of guest memory behind a resource */
#define GPU_CURSOR	64		/* width and height of a cursor in pixels, always */
#define GPU_LAYERS	2048		/* layers of a resource, at most */
#define GPU_LEVELS	15		/* mipmap levels of a resource, at most */
#define GPU_SAMPLES	32		/* samples of a pixel, at most */
#define GPU_CONTEXTS	256		/* contexts, at most */
#define GPU_COMMANDS	(4 * MIB)	/* bytes of a submission, at most */
#define GPU_RINGS	64		/* timelines of a context */
#define GPU_REQUEST	96		/* bytes of the longest request without what follows it */
#define GPU_MEMORY	(256 * MIB)	/* bytes for resources, by default */
#define GPU_DATA	(4096 * MIB)	/* bytes for a library, by default */

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
 * @next: next one in the same hash bucket
 * @id: the guest's number of it, not 0
 * @format: enum virtio_gpu_formats, or a format of the renderer
 * @width: pixels of a row
 * @height: rows
 * @target: enum gpu_target
 * @depth: depth of a picture with three dimensions
 * @layers: layers
 * @last_level: the last mipmap level; 0 is the largest size
 * @charge: bytes that are counted for the renderer's memory
 * @pixels: for a screen: rows without a gap; NULL for none. The 2D renderer has no others; with
 *	other renderers they exist after the resource was shown
 * @size: bytes of @pixels
 * @fd: memfd of @pixels, or -1
 * @entries: guest memory behind it, @count pieces, or NULL
 * @count: how many
 * @iov: the same, where it is mapped here
 * @iovs: elements of @iov
 * @backing: bytes of guest memory behind the resource
 * @attached: the renderer uses @iov
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
 * @shown: it is visible
 * @x: column on the screen
 * @y: row on the screen
 * @hot_x: column of the hot spot
 * @hot_y: row of the hot spot
 * @pixels: copy of its pixels: blue, green, red and alpha
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
 * @resource: the resource that it shows, or NULL
 * @rect: the part of the resource that is shown
 * @read_at: value of gpu->drawn when all of @rect was last read from the renderer; 0 for never
 * @cursor: the cursor on top
 */
struct gpu_scanout {
	struct gpu_resource *resource;
	struct gpu_rect rect;
	u64 read_at;
	struct gpu_cursor cursor;
};

/**
 * struct gpu_request - a chain of a queue
 * @out: the request
 * @n_out: elements of @out
 * @out_len: bytes of @out
 * @in: buffers for the answer
 * @n_in: elements of @in
 * @in_len: bytes of @in
 * @fence: filled if the answer must wait until the renderer has completed the work; NULL if
 *	the answer must not wait
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
 * struct gpu_display_ops - callbacks of the display
 * @scanout: called when a scanout shows another resource, or none
 * @damage: called when pixels of a scanout have changed
 * @cursor_image: called when a cursor's pixels have changed, and maybe its position
 * @cursor_pos: called when a cursor has moved, or was hidden
 * @ask: asks the front end a question; gpu_answer() is called later. False if that is not
 *	possible. @edid: for the EDID of @scanout, else for the display info
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
 * @display: callbacks of the display
 * @display_arg: first argument of @display
 * @resolve: converts guest memory to elements of @iov; returns how many, or -errno
 * @resolve_arg: first argument of @resolve
 * @renderer: the renderer
 * @three_d: the driver has accepted 3D
 * @context_init: the driver has accepted contexts with a kind
 * @scanouts: number of screens that the front end has reported to the guest
 * @memory_max: limit of @memory
 * @memory: bytes of all resources
 * @copied: bytes of pixels that were copied from the guest's memory or the renderer
 * @resources: number of resources
 * @table: hash table of resources by number
 * @scanout: the first @scanouts are valid
 * @context: numbers of the contexts
 * @contexts: number of contexts
 * @drawn: number of requests that may have changed the renderer's pixels, plus 1
 * @fences: number of fences so far
 * @commands: buffer for a copy of commands, or NULL
 * @commands_size: bytes of @commands
 * @asked: header of the request that waits for the front end; @asked.type is 0 for none
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

#define GPU_LATER	(-1)	/* gpu_answer() will return the answer */

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
