/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between the device and a renderer. resource.c, pixels.c and context.c call the
 * functions of the table below with values that they have checked; a renderer need not check
 * them again.
 *
 *	renderer_2d.c		pictures in memory, and nothing of 3D
 *	renderer_virgl.c	virglrenderer, a library that translates commands to OpenGL
 *	renderer_stream.c	a library that the user names, with the interface of gfxstream
 *
 * All functions are called by one thread. They return 0 or -errno.
 */
#ifndef GPU_RENDERER_H
#define GPU_RENDERER_H

#include "types.h"

#define GPU_CAPSETS	4	/* capsets of a renderer, at most */

struct gpu;
struct gpu_resource;

/**
 * enum gpu_target - shapes of resources, with the guest's numbers
 * @GPU_TARGET_BUFFER: bytes
 * @GPU_TARGET_2D: a picture
 * @GPU_TARGET_3D: a picture with a depth
 * @GPU_TARGET_LAST: the last one
 */
enum gpu_target {
	GPU_TARGET_BUFFER = 0,
	GPU_TARGET_2D = 2,
	GPU_TARGET_3D = 3,
	GPU_TARGET_LAST = 8,
};

#define GPU_BIND_RENDER_TARGET	(1U << 1)
#define GPU_Y_0_TOP		(1U << 0)	/* flag: the first row is the top one */

/**
 * struct gpu_rect - a rectangle of pixels
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
 * struct gpu_args - the guest's description of a resource
 * @target: enum gpu_target
 * @format: format of a pixel
 * @bind: intended use; defined by the renderer
 * @width: pixels, or bytes of a buffer
 * @height: rows
 * @depth: depth of GPU_TARGET_3D
 * @layers: layers
 * @last_level: mipmap levels minus one
 * @samples: samples of a pixel
 * @flags: GPU_Y_0_TOP, and others defined by the renderer
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
 * @context: the context, 0 for none
 * @box: the part of the resource
 * @offset: offset of the first pixel in the guest's memory
 * @level: mipmap level
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
 * struct gpu_fence - a point on a timeline, reached when all earlier commands are complete
 * @on_ring: the timeline is that of @context and @ring, else the device's own
 * @context: 0 for none
 * @ring: timeline of the context
 * @number: larger than those of all earlier fences; 0 for no fence
 */
struct gpu_fence {
	bool on_ring;
	u32 context;
	u8 ring;
	u64 number;
};

/**
 * struct gpu_capset - capabilities of a renderer, for a library in the guest
 * @id: ID of the guest's library
 * @version: the newest version
 * @size: bytes of the capset
 */
struct gpu_capset {
	u32 id;
	u32 version;
	u32 size;
};

struct gpu_renderer;

/**
 * struct gpu_renderer_ops - operations of a renderer
 * @three_d: it has all of the functions below; else only @create and @transfer
 * @in_order: it runs the commands of all contexts in one order, so @fence gets only fences of
 *	the device's timeline
 * @create: creates the renderer's part of a resource, whose fields are set
 * @destroy: frees it; no memory is attached
 * @attach: called when the resource's @iov has guest memory, which stays until @detach
 * @detach: called before that memory is removed
 * @transfer: copies to the resource, or with @from_host to the guest's memory
 * @read: copies pixels of a two-dimensional resource into its @pixels
 * @capset: fills a capset of the list; @to has its size, and is zeroed
 * @context_create: creates a context of a kind, 0 for the default. @name ends with a NUL
 * @context_destroy: frees a context
 * @context_resource: attaches a resource to a context, or detaches it
 * @submit: runs commands: @size is a multiple of 4, and the guest cannot change @commands
 * @fence: calls renderer->done when all earlier commands are complete, but not before this
 *	returns. If it fails, they are complete already
 * @serve: called when renderer->fd is readable
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
 * struct gpu_renderer - a renderer
 * @ops: its operations
 * @capset: its capsets
 * @capsets: number of capsets
 * @fd: file that is readable when @serve must be called, or -1
 * @done: called by @serve for a fence, which completes all earlier ones on its timeline
 * @ended: called when a context was destroyed: fences on its timelines are not signalled any
 *	more; NULL for none
 * @done_arg: first argument of @done and @ended
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

/* ---- the renderers ---- */

extern struct gpu_renderer gpu_renderer_2d;
struct gpu_renderer *gpu_renderer_virgl(bool jit);
struct gpu_renderer *gpu_renderer_stream(const char *path);

#endif /* GPU_RENDERER_H */
