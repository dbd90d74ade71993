// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library that the user names, with the functions stream_renderer_*: the interface between a
 * device and gfxstream in the Android emulator and in Cuttlefish.
 *
 * The interface has no function that returns its version, and older versions have functions
 * with the same names and other arguments. By "stream:" the user asserts that the library has
 * this version; a library with functions of older versions is refused.
 *
 * The library calls callbacks from any thread, even while one of its functions runs. They
 * store fences, and the main loop handles them.
 *
 * Source: gfxstream, virtio-gpu-gfxstream-renderer.h and -renderer-unstable.h of 0.1.2
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

#include "gpu.h"
#include "host/log.h"
#include "library.h"

/* Keys of parameters. */
#define USER_DATA	1
#define RENDERER_FLAGS	2
#define FENCE_CALLBACK	3
#define WIN0_WIDTH	4
#define WIN0_HEIGHT	5
#define DEBUG_CALLBACK	6

/* Flags of a renderer. */
#define USE_EGL		0x1
#define USE_SURFACELESS	0x8
#define USE_GLES	0x10

/* Flags of a fence. */
#define FENCE		1
#define FENCE_RING	2

/* Capsets that do not need host memory in the guest. */
#define CAPSET_GLES	8
#define CAPSET_COMPOSER	9
#define CAPSET_MAX	65536	/* bytes */

#define TIMELINES	(GPU_CONTEXTS * GPU_RINGS + 1)	/* timelines of a guest, at most */
#define DEBUG_MOST	2	/* errors and warnings */

struct param {
	u64 key;
	u64 value;
};

struct stream_fence {
	u32 flags;
	u64 number;
	u32 context;
	u8 ring;
};

struct stream_command {
	u32 context;
	u32 size;
	u8 *commands;
	u32 fences;
	struct stream_fence *fence;
};

struct stream_debug {
	u32 type;
	const char *message;
};

_Static_assert(sizeof(struct stream_fence) == 24, "as in the library");
_Static_assert(sizeof(struct stream_command) == 32, "as in the library");

typedef int (*stream_transfer_fn)(u32 resource, u32 context, u32 level, u32 stride,
				  u32 layer_stride, struct gpu_box *box, u64 offset,
				  struct iovec *iov, unsigned int iovs);

/* The library's functions. */
struct stream_calls {
	int (*init)(struct param *params, u64 count);
	int (*resource_create)(struct gpu_library_args *args, struct iovec *iov, u32 iovs);
	void (*resource_unref)(u32 resource);
	int (*attach_iov)(int resource, struct iovec *iov, int iovs);
	void (*detach_iov)(int resource, struct iovec **iov, int *iovs);
	stream_transfer_fn transfer_read;
	stream_transfer_fn transfer_write;
	void (*get_cap_set)(u32 id, u32 *version, u32 *size);
	void (*fill_caps)(u32 id, u32 version, void *to);
	int (*context_create)(u32 id, u32 len, const char *name, u32 kind);
	void (*context_destroy)(u32 id);
	void (*attach_resource)(int context, int resource);
	void (*detach_resource)(int context, int resource);
	int (*submit_cmd)(struct stream_command *command);
	int (*create_fence)(const struct stream_fence *fence);
};

#define CALL(field, name)	{ "stream_renderer_" name, offsetof(struct stream_calls, field), \
				  false }

static const struct gpu_symbol symbols[] = {
	CALL(init, "init"),
	CALL(resource_create, "resource_create"),
	CALL(resource_unref, "resource_unref"),
	CALL(attach_iov, "resource_attach_iov"),
	CALL(detach_iov, "resource_detach_iov"),
	CALL(transfer_read, "transfer_read_iov"),
	CALL(transfer_write, "transfer_write_iov"),
	CALL(get_cap_set, "get_cap_set"),
	CALL(fill_caps, "fill_caps"),
	CALL(context_create, "context_create"),
	CALL(context_destroy, "context_destroy"),
	CALL(attach_resource, "ctx_attach_resource"),
	CALL(detach_resource, "ctx_detach_resource"),
	CALL(submit_cmd, "submit_cmd"),
	CALL(create_fence, "create_fence"),
};

/* Functions that only libraries with an older interface have. */
static const char * const outdated[] = {
	"pipe_virgl_renderer_init", "stream_renderer_flush_resource_and_readback",
};

static struct stream_calls stream;
static struct gpu_renderer renderer_stream;

/**
 * struct done - fences that the library has signalled and the main loop has not handled
 * @lock: protects the other members
 * @fence: the last one of each timeline
 * @count: timelines
 */
struct done {
	pthread_mutex_t lock;
	struct gpu_fence fence[TIMELINES];
	unsigned int count;
};

static struct done done = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- callbacks of the library ---- */

static bool same_timeline(const struct gpu_fence *a, const struct gpu_fence *b)
{
	return a->on_ring == b->on_ring && a->context == b->context && a->ring == b->ring;
}

/* Stores a fence; one that is older than the stored one of its timeline is ignored. */
static void done_add(const struct gpu_fence *fence)
{
	unsigned int i;

	for (i = 0; i < done.count && !same_timeline(&done.fence[i], fence); i++)
		;
	/* A timeline of the library that no guest has. */
	if (i == TIMELINES)
		return;
	if (i == done.count)
		done.fence[done.count++] = *fence;
	else if (done.fence[i].number < fence->number)
		done.fence[i].number = fence->number;
}

/* Called in any thread, maybe inside create_fence(). */
static void on_fence(void *user, struct stream_fence *in)
{
	bool on_ring = in->flags & FENCE_RING;
	const struct gpu_fence fence = {
		.on_ring = on_ring, .context = on_ring ? in->context : 0,
		.ring = on_ring ? in->ring : 0, .number = in->number,
	};

	(void)user;
	pthread_mutex_lock(&done.lock);
	done_add(&fence);
	pthread_mutex_unlock(&done.lock);
	eventfd_write(renderer_stream.fd, 1);
}

static void on_debug(void *user, struct stream_debug *debug)
{
	(void)user;
	if (debug->type <= DEBUG_MOST && debug->message)
		gpu_library_says("renderer", debug->message);
}

static bool done_take(struct gpu_fence *fence)
{
	bool there;

	pthread_mutex_lock(&done.lock);
	there = done.count;
	if (there)
		*fence = done.fence[--done.count];
	pthread_mutex_unlock(&done.lock);
	return there;
}

static void stream_serve(struct gpu_renderer *renderer)
{
	struct gpu_fence fence;
	eventfd_t rung;

	eventfd_read(renderer->fd, &rung);
	while (done_take(&fence))
		renderer->done(renderer->done_arg, &fence);
}

/* ---- operations ---- */

static int stream_create(struct gpu *gpu, struct gpu_resource *r, const struct gpu_args *args)
{
	struct gpu_library_args create = gpu_library_args(r->id, args);

	(void)gpu;
	return gpu_library_errno(stream.resource_create(&create, NULL, 0));
}

static void stream_destroy(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	(void)renderer;
	stream.resource_unref(r->id);
}

static int stream_attach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	(void)renderer;
	return gpu_library_errno(stream.attach_iov(r->id, r->iov, r->iovs));
}

static void stream_detach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	struct iovec *iov = NULL;
	int iovs = 0;

	(void)renderer;
	stream.detach_iov(r->id, &iov, &iovs);
}

static int stream_transfer(struct gpu_renderer *renderer, struct gpu_resource *r,
			   const struct gpu_transfer *transfer, bool from_host)
{
	stream_transfer_fn fn = from_host ? stream.transfer_read : stream.transfer_write;
	struct gpu_box box = transfer->box;

	(void)renderer;
	return gpu_library_errno(fn(r->id, transfer->context, transfer->level, transfer->stride,
				    transfer->layer_stride, &box, transfer->offset, NULL, 0));
}

static int stream_read(struct gpu_renderer *renderer, struct gpu_resource *r,
		       const struct gpu_rect *rect)
{
	struct gpu_box box = { rect->x, rect->y, 0, rect->width, rect->height, 1 };
	struct iovec iov = { r->pixels, r->size };
	u32 stride = 4 * r->width;

	(void)renderer;
	return gpu_library_errno(stream.transfer_read(r->id, 0, 0, stride, 0, &box,
						      (u64)rect->y * stride + 4 * rect->x, &iov,
						      1));
}

static void stream_capset(struct gpu_renderer *renderer, const struct gpu_capset *capset,
			  u32 version, void *to)
{
	(void)renderer;
	stream.fill_caps(capset->id, version, to);
}

static int stream_context_create(struct gpu_renderer *renderer, u32 id, u32 kind,
				 const char *name)
{
	(void)renderer;
	return gpu_library_errno(stream.context_create(id, strlen(name), name, kind));
}

static void stream_context_destroy(struct gpu_renderer *renderer, u32 id)
{
	(void)renderer;
	stream.context_destroy(id);
}

static void stream_context_resource(struct gpu_renderer *renderer, u32 id,
				    struct gpu_resource *r, bool attach)
{
	(void)renderer;
	if (attach)
		stream.attach_resource(id, r->id);
	else
		stream.detach_resource(id, r->id);
}

static int stream_submit(struct gpu_renderer *renderer, u32 id, void *commands, u32 size)
{
	struct stream_command command = { .context = id, .size = size, .commands = commands };

	(void)renderer;
	return gpu_library_errno(stream.submit_cmd(&command));
}

static int stream_make_fence(struct gpu_renderer *renderer, const struct gpu_fence *fence)
{
	const struct stream_fence make = {
		.flags = FENCE | (fence->on_ring ? FENCE_RING : 0), .number = fence->number,
		.context = fence->context, .ring = fence->ring,
	};

	(void)renderer;
	return gpu_library_errno(stream.create_fence(&make));
}

static const struct gpu_renderer_ops ops_stream = {
	.three_d = true,
	.create = stream_create,
	.destroy = stream_destroy,
	.attach = stream_attach,
	.detach = stream_detach,
	.transfer = stream_transfer,
	.read = stream_read,
	.capset = stream_capset,
	.context_create = stream_context_create,
	.context_destroy = stream_context_destroy,
	.context_resource = stream_context_resource,
	.submit = stream_submit,
	.fence = stream_make_fence,
	.serve = stream_serve,
};

/* ---- initialisation ---- */

/* The library leaves the values unchanged for a capset that it does not have. */
static void capset_add(u32 id)
{
	struct gpu_capset capset = { .id = id };

	stream.get_cap_set(id, &capset.version, &capset.size);
	if (capset.size && capset.size <= CAPSET_MAX)
		renderer_stream.capset[renderer_stream.capsets++] = capset;
}

static int library_start(const char *path)
{
	struct param params[] = {
		{ USER_DATA, (uintptr_t)&renderer_stream },
		{ RENDERER_FLAGS, USE_EGL | USE_SURFACELESS | USE_GLES },
		{ FENCE_CALLBACK, (uintptr_t)on_fence },
		{ WIN0_WIDTH, 0 }, { WIN0_HEIGHT, 0 },
		{ DEBUG_CALLBACK, (uintptr_t)on_debug },
	};
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(outdated); i++) {
		if (gpu_library_has(outdated[i]))
			return vmm_error(0, "%s is too old for stream: it has %s", path,
					 outdated[i]);
	}
	err = stream.init(params, ARRAY_SIZE(params));
	return err ? vmm_error(err < 0 ? -err : err, "%s does not start", path) : 0;
}

/**
 * gpu_renderer_stream - start a library that the user names
 * @path: its file
 *
 * Context: main thread, before the sandbox.
 * Return: the renderer, or NULL after a message
 */
struct gpu_renderer *gpu_renderer_stream(const char *path)
{
	renderer_stream.ops = &ops_stream;
	renderer_stream.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (renderer_stream.fd < 0) {
		vmm_error(errno, "cannot start");
		return NULL;
	}
	if (gpu_library_open(path, symbols, ARRAY_SIZE(symbols), &stream) || library_start(path))
		return NULL;
	capset_add(CAPSET_GLES);
	capset_add(CAPSET_COMPOSER);
	return &renderer_stream;
}
