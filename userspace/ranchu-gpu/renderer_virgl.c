// SPDX-License-Identifier: GPL-2.0-only
/*
 * virglrenderer, a library that translates a guest's commands to OpenGL. It renders in
 * software, by Mesa's EGL without a surface, so no device is opened.
 *
 * The library compiles shaders of the guest, and has bugs that a guest can reach. Its
 * arguments are checked (resource.c, context.c); because of the rest, this process is
 * restricted (confine.c). It is never asked for the file of a texture: with Mesa's software
 * renderers that call ends the process.
 *
 * Source: virglrenderer.h of 0.10.4, unchanged in 1.1 as far as it is used here
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "host/log.h"
#include "library.h"

#define LIBRARY		"libvirglrenderer.so.1"

/* Flags of virgl_renderer_init(). */
#define USE_EGL		(1 << 0)
#define THREAD_SYNC	(1 << 1)	/* a thread waits for OpenGL, and signals an eventfd */
#define USE_SURFACELESS	(1 << 3)

/* Capsets that the library supports without further flags. */
#define CAPSET_VIRGL	1
#define CAPSET_VIRGL2	2
#define CAPSET_MAX	65536	/* bytes */

#define CALLBACKS	3	/* version of the next structure */

/* struct virgl_renderer_callbacks, version 3 */
struct callbacks {
	int version;
	void (*write_fence)(void *cookie, u32 fence);
	void *gl_context[3];
	int (*get_drm_fd)(void *cookie);
	void (*write_context_fence)(void *cookie, u32 context, u32 ring, u64 fence);
	int (*get_server_fd)(void *cookie, u32 version);
};

/* struct virgl_box, which is struct gpu_box */
typedef int (*transfer_fn)(u32 resource, u32 context, u32 level, u32 stride, u32 layer_stride,
			   struct gpu_box *box, u64 offset, struct iovec *iov, unsigned int iovs);
typedef void (*debug_fn)(const char *fmt, va_list args);

/* The library's functions. */
struct calls {
	int (*init)(void *cookie, int flags, struct callbacks *callbacks);
	int (*get_poll_fd)(void);
	void (*poll)(void);
	int (*resource_create)(struct gpu_library_args *args, struct iovec *iov, u32 iovs);
	void (*resource_unref)(u32 resource);
	int (*attach_iov)(int resource, struct iovec *iov, int iovs);
	void (*detach_iov)(int resource, struct iovec **iov, int *iovs);
	transfer_fn transfer_read;
	transfer_fn transfer_write;
	void (*get_cap_set)(u32 id, u32 *version, u32 *size);
	void (*fill_caps)(u32 id, u32 version, void *to);
	int (*context_create)(u32 id, u32 len, const char *name);
	int (*context_create_with_flags)(u32 id, u32 flags, u32 len, const char *name);
	void (*context_destroy)(u32 id);
	void (*attach_resource)(int context, int resource);
	void (*detach_resource)(int context, int resource);
	int (*submit_cmd)(void *commands, int context, int words);
	int (*create_fence)(int fence, u32 context);
	void *(*set_debug_callback)(debug_fn fn);
};

#define CALL(field, name)	{ "virgl_" name, offsetof(struct calls, field), false }

static const struct gpu_symbol symbols[] = {
	CALL(init, "renderer_init"),
	CALL(get_poll_fd, "renderer_get_poll_fd"),
	CALL(poll, "renderer_poll"),
	CALL(resource_create, "renderer_resource_create"),
	CALL(resource_unref, "renderer_resource_unref"),
	CALL(attach_iov, "renderer_resource_attach_iov"),
	CALL(detach_iov, "renderer_resource_detach_iov"),
	CALL(transfer_read, "renderer_transfer_read_iov"),
	CALL(transfer_write, "renderer_transfer_write_iov"),
	CALL(get_cap_set, "renderer_get_cap_set"),
	CALL(fill_caps, "renderer_fill_caps"),
	CALL(context_create, "renderer_context_create"),
	CALL(context_create_with_flags, "renderer_context_create_with_flags"),
	CALL(context_destroy, "renderer_context_destroy"),
	CALL(attach_resource, "renderer_ctx_attach_resource"),
	CALL(detach_resource, "renderer_ctx_detach_resource"),
	CALL(submit_cmd, "renderer_submit_cmd"),
	CALL(create_fence, "renderer_create_fence"),
	{ "virgl_set_debug_callback", offsetof(struct calls, set_debug_callback), true },
};

static struct calls virgl;
static struct gpu_renderer renderer_virgl;
static u64 last_fence;	/* the last fence that was requested from the library */
static u64 last_told;	/* the last fence that the library has signalled */
static char first_words[256];	/* last message of the library while it starts */
static bool started;

/* ---- callbacks of the library ---- */

static void on_debug(const char *fmt, va_list args)
{
	char line[256];

	if (!started) {
		vsnprintf(first_words, sizeof(first_words), fmt, args);
		return;
	}
	vsnprintf(line, sizeof(line), fmt, args);
	gpu_library_says("virglrenderer", line);
}

/* The library has 32-bit numbers. */
static void on_fence(void *cookie, u32 number)
{
	const struct gpu_fence fence = { .number = last_fence - (u32)((u32)last_fence - number) };

	(void)cookie;
	last_told = fence.number;
	renderer_virgl.done(renderer_virgl.done_arg, &fence);
}

/* ---- operations ---- */

static int virgl_create(struct gpu *gpu, struct gpu_resource *r, const struct gpu_args *args)
{
	struct gpu_library_args create = gpu_library_args(r->id, args);

	(void)gpu;
	return gpu_library_errno(virgl.resource_create(&create, NULL, 0));
}

static void virgl_destroy(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	(void)renderer;
	virgl.resource_unref(r->id);
}

static int virgl_attach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	(void)renderer;
	return gpu_library_errno(virgl.attach_iov(r->id, r->iov, r->iovs));
}

static void virgl_detach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	struct iovec *iov = NULL;
	int iovs = 0;

	(void)renderer;
	virgl.detach_iov(r->id, &iov, &iovs);
}

static int virgl_transfer(struct gpu_renderer *renderer, struct gpu_resource *r,
			  const struct gpu_transfer *transfer, bool from_host)
{
	transfer_fn fn = from_host ? virgl.transfer_read : virgl.transfer_write;
	struct gpu_box box = transfer->box;

	(void)renderer;
	return gpu_library_errno(fn(r->id, transfer->context, transfer->level, transfer->stride,
				    transfer->layer_stride, &box, transfer->offset, NULL, 0));
}

static int virgl_read(struct gpu_renderer *renderer, struct gpu_resource *r,
		      const struct gpu_rect *rect)
{
	struct gpu_box box = { rect->x, rect->y, 0, rect->width, rect->height, 1 };
	struct iovec iov = { r->pixels, r->size };
	u32 stride = 4 * r->width;

	(void)renderer;
	return gpu_library_errno(virgl.transfer_read(r->id, 0, 0, stride, 0, &box,
						     (u64)rect->y * stride + 4 * rect->x, &iov,
						     1));
}

static void virgl_capset(struct gpu_renderer *renderer, const struct gpu_capset *capset,
			 u32 version, void *to)
{
	(void)renderer;
	virgl.fill_caps(capset->id, version, to);
}

static int virgl_context_create(struct gpu_renderer *renderer, u32 id, u32 kind,
				const char *name)
{
	u32 len = strlen(name);

	(void)renderer;
	if (kind)
		return gpu_library_errno(virgl.context_create_with_flags(id, kind, len, name));
	return gpu_library_errno(virgl.context_create(id, len, name));
}

static void virgl_context_destroy(struct gpu_renderer *renderer, u32 id)
{
	(void)renderer;
	virgl.context_destroy(id);
	/*
	 * If the library's thread is waiting for a fence now, of any context, the library
	 * forgets that fence. So the last fence is requested again.
	 */
	if (last_told != last_fence)
		virgl.create_fence((u32)last_fence, 0);
}

static void virgl_context_resource(struct gpu_renderer *renderer, u32 id, struct gpu_resource *r,
				   bool attach)
{
	(void)renderer;
	if (attach)
		virgl.attach_resource(id, r->id);
	else
		virgl.detach_resource(id, r->id);
}

static int virgl_submit(struct gpu_renderer *renderer, u32 id, void *commands, u32 size)
{
	(void)renderer;
	return gpu_library_errno(virgl.submit_cmd(commands, id, size / sizeof(u32)));
}

static int virgl_fence(struct gpu_renderer *renderer, const struct gpu_fence *fence)
{
	(void)renderer;
	last_fence = fence->number;
	return gpu_library_errno(virgl.create_fence((u32)fence->number, 0));
}

static void virgl_serve(struct gpu_renderer *renderer)
{
	(void)renderer;
	virgl.poll();
}

static const struct gpu_renderer_ops ops_virgl = {
	.three_d = true,
	.in_order = true,	/* a context's own fences are lost when it is destroyed */
	.create = virgl_create,
	.destroy = virgl_destroy,
	.attach = virgl_attach,
	.detach = virgl_detach,
	.transfer = virgl_transfer,
	.read = virgl_read,
	.capset = virgl_capset,
	.context_create = virgl_context_create,
	.context_destroy = virgl_context_destroy,
	.context_resource = virgl_context_resource,
	.submit = virgl_submit,
	.fence = virgl_fence,
	.serve = virgl_serve,
};

/* ---- initialisation ---- */

static void capset_add(u32 id)
{
	struct gpu_capset capset = { .id = id };

	virgl.get_cap_set(id, &capset.version, &capset.size);
	if (capset.size && capset.size <= CAPSET_MAX)
		renderer_virgl.capset[renderer_virgl.capsets++] = capset;
}

/*
 * Selects Mesa's driver. softpipe generates no code for shaders, so no memory in this process
 * needs to be writable and executable; llvmpipe generates code, and is faster.
 */
static void mesa_choose(bool jit)
{
	setenv("LIBGL_ALWAYS_SOFTWARE", "true", 1);
	setenv("GALLIUM_DRIVER", jit ? "llvmpipe" : "softpipe", 1);
	/* The cache would open files, which the sandbox does not allow. */
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
}

/**
 * gpu_renderer_virgl - start virglrenderer
 * @jit: render with code that is generated from shaders
 *
 * Context: main thread, before the sandbox: libraries and drivers are opened here.
 * Return: the renderer, or NULL after a message
 */
struct gpu_renderer *gpu_renderer_virgl(bool jit)
{
	static struct callbacks callbacks = {
		.version = CALLBACKS, .write_fence = on_fence,
	};
	int err;

	mesa_choose(jit);
	if (gpu_library_open(LIBRARY, symbols, ARRAY_SIZE(symbols), &virgl))
		return NULL;
	if (virgl.set_debug_callback)
		virgl.set_debug_callback(on_debug);
	err = virgl.init(&virgl, USE_EGL | USE_SURFACELESS | THREAD_SYNC, &callbacks);
	started = true;
	if (err) {
		gpu_library_says("virglrenderer", first_words);
		vmm_error(EIO, "virglrenderer does not start: is Mesa's EGL installed?");
		return NULL;
	}
	renderer_virgl.ops = &ops_virgl;
	renderer_virgl.fd = virgl.get_poll_fd();
	if (renderer_virgl.fd < 0) {
		vmm_error(EIO, "virglrenderer does not support fences by a file");
		return NULL;
	}
	capset_add(CAPSET_VIRGL);
	capset_add(CAPSET_VIRGL2);
	return &renderer_virgl;
}
