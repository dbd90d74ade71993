/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seam between the device and who draws. resource.c, pixels.c and context.c call the
 * functions of the table below with values that they have held against what there is; a
 * filler need not trust or check them again.
 *
 *	renderer_2d.c		pictures in memory, and nothing of 3D
 *	renderer_virgl.c	virglrenderer, a library that makes OpenGL of commands
 *	renderer_stream.c	a library that the user names, with the interface of gfxstream
 *
 * All functions are called by one thread. They return 0 or -errno.
 */
#ifndef GPU_RENDERER_H
#define GPU_RENDERER_H

#include "types.h"

#define GPU_CAPSETS	4	/* that a renderer can have */

struct gpu;
struct gpu_resource;

/**
 * enum gpu_target - shapes of resources, as the guest numbers them
 * @GPU_TARGET_BUFFER: bytes
 * @GPU_TARGET_2D: a picture
 * @GPU_TARGET_3D: one with a depth
 * @GPU_TARGET_LAST: the last one that there is
 */
enum gpu_target {
	GPU_TARGET_BUFFER = 0,
	GPU_TARGET_2D = 2,
	GPU_TARGET_3D = 3,
	GPU_TARGET_LAST = 8,
};

#define GPU_BIND_RENDER_TARGET	(1U << 1)
#define GPU_Y_0_TOP		(1U << 0)	/* in the flags: the first row is the upper one */

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
 * struct gpu_args - a resource, as the guest describes it
 * @target: enum gpu_target
 * @format: of a pixel
 * @bind: what it is for; the renderer's
 * @width: pixels, or bytes of a buffer
 * @height: rows
 * @depth: of GPU_TARGET_3D
 * @layers: pictures of the same size
 * @last_level: sizes that it has, less one
 * @samples: of a pixel
 * @flags: GPU_Y_0_TOP, and others that are the renderer's
 */
struct gpu_args {
	u32 target;
	u32 format;
	u32 bind;
	u32 width;
	u32 height;
	u32 depth;
	u32 layers;
	u32 last_level;
	u32 samples;
	u32 flags;
};

/**
 * struct gpu_box - a part of a resource
 * @x: left
 * @y: top
 * @z: front, or first layer
 * @width: not 0
 * @height: not 0
 * @depth: not 0
 */
struct gpu_box {
	u32 x;
	u32 y;
	u32 z;
	u32 width;
	u32 height;
	u32 depth;
};

/**
 * struct gpu_transfer - a copy between a resource and the guest's memory behind it
 * @context: who asks, 0 for nobody
 * @box: the part of the resource
 * @offset: where in the guest's memory the first pixel is
 * @level: of the resource's sizes
 * @stride: bytes from row to row in the guest's memory, 0 for those of the resource
 * @layer_stride: likewise from layer to layer
 */
struct gpu_transfer {
	u32 context;
	struct gpu_box box;
	u64 offset;
	u32 level;
	u32 stride;
	u32 layer_stride;
};

/**
 * struct gpu_fence - a moment on a timeline: all that was asked for before is done
 * @on_ring: the timeline is that of @context and @ring, else the device's own
 * @context: 0 for none
 * @ring: of the context
 * @number: larger than those of all earlier fences; 0 for no fence
 */
struct gpu_fence {
	bool on_ring;
	u32 context;
	u8 ring;
	u64 number;
};

/**
 * struct gpu_capset - what a renderer can do, for the guest's library
 * @id: which library understands it
 * @version: the newest
 * @size: bytes of it
 */
struct gpu_capset {
	u32 id;
	u32 version;
	u32 size;
};

struct gpu_renderer;

/**
 * struct gpu_renderer_ops - what a renderer does
 * @three_d: it has all of the functions below; else only @create and @transfer
 * @in_order: what all contexts ask for is done in one order: it is asked for no fence but
 *	those of the device's timeline
 * @create: make what is behind a resource, whose fields are set
 * @destroy: free that; nothing is attached
 * @attach: the resource's @iov is the guest's memory, and stays so until @detach
 * @detach: it is not any more
 * @transfer: copy to the resource, or @from_host to the guest's memory
 * @read: copy pixels of a flat resource into its @pixels
 * @capset: fill in a capset of the list; @to has its size, and is 0
 * @context_create: make a context of a kind, 0 for the usual one. @name ends with 0
 * @context_destroy: free it
 * @context_resource: a context uses a resource, or does so no more
 * @submit: do commands: @size is a multiple of 4, and nobody else sees @commands
 * @fence: have renderer->done called when all before is done, not before this returns. If it
 *	fails, that is so already
 * @serve: renderer->fd can be read
 */
struct gpu_renderer_ops {
	bool three_d;
	bool in_order;
	int (*create)(struct gpu *gpu, struct gpu_resource *r, const struct gpu_args *args);
	void (*destroy)(struct gpu_renderer *renderer, struct gpu_resource *r);
	int (*attach)(struct gpu_renderer *renderer, struct gpu_resource *r);
	void (*detach)(struct gpu_renderer *renderer, struct gpu_resource *r);
	int (*transfer)(struct gpu_renderer *renderer, struct gpu_resource *r,
			const struct gpu_transfer *transfer, bool from_host);
	int (*read)(struct gpu_renderer *renderer, struct gpu_resource *r,
		    const struct gpu_rect *rect);
	void (*capset)(struct gpu_renderer *renderer, const struct gpu_capset *capset, u32 version,
		       void *to);
	int (*context_create)(struct gpu_renderer *renderer, u32 id, u32 kind, const char *name);
	void (*context_destroy)(struct gpu_renderer *renderer, u32 id);
	void (*context_resource)(struct gpu_renderer *renderer, u32 id, struct gpu_resource *r,
				 bool attach);
	int (*submit)(struct gpu_renderer *renderer, u32 id, void *commands, u32 size);
	int (*fence)(struct gpu_renderer *renderer, const struct gpu_fence *fence);
	void (*serve)(struct gpu_renderer *renderer);
};

/**
 * struct gpu_renderer - who draws
 * @ops: what it does
 * @capset: what the guest is told of it
 * @capsets: how many
 * @fd: can be read when @serve is to be called, or -1
 * @done: called by @serve: a fence, and all before on its timeline
 * @ended: called when a context has gone: nobody tells of fences on its timelines any more
 * @done_arg: first argument of both
 */
struct gpu_renderer {
	const struct gpu_renderer_ops *ops;
	struct gpu_capset capset[GPU_CAPSETS];
	unsigned int capsets;
	int fd;
	void (*done)(void *arg, const struct gpu_fence *fence);
	void (*ended)(void *arg, u32 context);
	void *done_arg;
};

/* ---- the fillers ---- */

extern struct gpu_renderer gpu_renderer_2d;
struct gpu_renderer *gpu_renderer_virgl(bool jit);
struct gpu_renderer *gpu_renderer_stream(const char *path);

#endif /* GPU_RENDERER_H */
