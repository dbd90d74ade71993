// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the queues of ranchu-gpu, with its commands and the engine. The guest writes
 * anything into its memory. The renderer's fences come late, never, in the wrong order, or
 * without a request that waits for them. The front end stops queues, moves them and resets the
 * device.
 *
 * Checked: requests are in the guest's memory; no request is held whose context was destroyed;
 * a queue holds no more requests than it has places; nothing is left after a reset.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "ring.h"
#include "fuzz.h"
#include "host/log.h"
#include "virtio/ring_mem.h"

#define RAM_BASE	0x40000000ULL
#define RAM_SIZE	0x8000
#define MEMORY		(512 * KIB)
#define QUEUES		2
#define NUM		16
#define QUEUE_STEP	0x1000	/* from one queue to the next */
#define DRIVER		0x400	/* offsets of the queue's other parts */
#define DEVICE		0x800
#define REQUESTS	0x4000	/* requests, one for each slot */
#define REQUEST		0x200
#define PACKED_BASE	0x80008000

static u8 ram[RAM_SIZE] __attribute__((aligned(4096)));
static struct ranchu_mem *mem;
static struct ring ring[QUEUES];
static struct gpu gpu;
static u16 made[QUEUES];
static bool packed;

/* ---- messages and the display ---- */

/* Suppresses messages, because most inputs break queues. */
int vmm_error(int err, const char *fmt, ...)
{
	return err < 0 ? err : -err;
}

static void on_screen(void *arg, unsigned int scanout)
{
	MUST(scanout < gpu.scanouts);
}

static void on_damage(void *arg, unsigned int scanout, const struct gpu_rect *rect)
{
	MUST(scanout < gpu.scanouts && gpu.scanout[scanout].resource);
}

static bool on_ask(void *arg, bool edid, unsigned int scanout)
{
	return true;
}

static const struct gpu_display_ops display = {
	.scanout = on_screen, .damage = on_damage, .cursor_image = on_screen,
	.cursor_pos = on_screen, .ask = on_ask,
};

static int resolve(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	return vmm_ring_mem_iov(mem, gpa, len, iov, max);
}

/* ---- a renderer ---- */

static int on_create(struct gpu *of, struct gpu_resource *r, const struct gpu_args *args)
{
	return 0;
}

static void on_resource(struct gpu_renderer *renderer, struct gpu_resource *r)
{
}

static int on_attach(struct gpu_renderer *renderer, struct gpu_resource *r)
{
	return 0;
}

static int on_transfer(struct gpu_renderer *renderer, struct gpu_resource *r,
		       const struct gpu_transfer *t, bool from_host)
{
	return 0;
}

static int on_read(struct gpu_renderer *renderer, struct gpu_resource *r,
		   const struct gpu_rect *rect)
{
	return 0;
}

static void on_capset(struct gpu_renderer *renderer, const struct gpu_capset *capset, u32 version,
		      void *to)
{
}

static int on_context(struct gpu_renderer *renderer, u32 id, u32 kind, const char *name)
{
	return 0;
}

static void on_context_gone(struct gpu_renderer *renderer, u32 id)
{
}

static void on_context_resource(struct gpu_renderer *renderer, u32 id, struct gpu_resource *r,
				bool attach)
{
}

static int on_submit(struct gpu_renderer *renderer, u32 id, void *commands, u32 size)
{
	return 0;
}

/* Every eighth fence is complete at once. */
static int on_fence(struct gpu_renderer *renderer, const struct gpu_fence *fence)
{
	return fence->number & 7 ? 0 : -EINVAL;
}

static const struct gpu_renderer_ops ops_3d = {
	.three_d = true, .create = on_create, .destroy = on_resource, .attach = on_attach,
	.detach = on_resource, .transfer = on_transfer, .read = on_read, .capset = on_capset,
	.context_create = on_context, .context_destroy = on_context_gone,
	.context_resource = on_context_resource, .submit = on_submit, .fence = on_fence,
};

static void on_done(void *arg, const struct gpu_fence *fence)
{
	ring_fenced(&ring[0], fence);
}

static void on_ended(void *arg, u32 context)
{
	ring_context_ended(&ring[0], context);
}

static struct gpu_renderer renderer = {
	.ops = &ops_3d, .capset = { { 2, 1, 100 } }, .capsets = 1, .fd = -1, .done = on_done,
	.ended = on_ended,
};

/* ---- the queues ---- */

static void pieces_check(const struct iovec *iov, unsigned int count, u64 len)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		uintptr_t at = (uintptr_t)iov[i].iov_base - (uintptr_t)ram;

		MUST(at <= RAM_SIZE && iov[i].iov_len <= RAM_SIZE - at);
		sum += iov[i].iov_len;
	}
	MUST(sum == len);
}

static int handle(void *arg, const struct gpu_request *request)
{
	int written;

	MUST(request->n_out + request->n_in <= RING_IOVS);
	pieces_check(request->out, request->n_out, request->out_len);
	pieces_check(request->in, request->n_in, request->in_len);
	written = arg ? gpu_cursor(&gpu, request) : gpu_control(&gpu, request);
	MUST(written == GPU_LATER || (u64)written <= request->in_len);
	/* A cursor command never waits. */
	MUST(!arg || (written != GPU_LATER && !request->fence->number));
	return written;
}

static void held_check(void)
{
	const struct ring_held *held;
	unsigned int i, count;

	for (i = 0; i < QUEUES; i++) {
		count = 0;
		for (held = ring[i].held; held; held = held->next) {
			MUST(++count <= NUM && held->fence.number);
			MUST(!held->fence.on_ring ||
			     gpu_context_there(&gpu, held->fence.context));
		}
		MUST(i == 0 || !ring[i].held);
	}
}

static void start(unsigned int i)
{
	u64 at = (uintptr_t)ram + i * QUEUE_STEP;

	if (ring[i].running)
		return;
	ring[i].setup = (struct ranchu_vq_setup){
		.features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			    1ULL << VIRTIO_RING_F_EVENT_IDX |
			    (packed ? 1ULL << VIRTIO_F_RING_PACKED : 0),
		.num = NUM, .desc = at, .driver = at + DRIVER, .device = at + DEVICE,
	};
	ring[i].enabled = true;
	ring_start(&ring[i], mem);
}

static void stop(unsigned int i)
{
	if (ring[i].waits)
		gpu.asked.type = 0;
	ring_stop(&ring[i]);
	MUST(!ring[i].running && !ring[i].held);
}

static void reset(void)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++) {
		stop(i);
		ring[i].waits = false;
		ring[i].base = packed ? PACKED_BASE : 0;
		made[i] = 0;
	}
	gpu_reset(&gpu);
	MUST(!gpu.memory && !gpu.resources && !gpu.contexts);
}

static void answer(struct input *in)
{
	static const u8 said[sizeof(struct virtio_gpu_resp_edid)];
	struct gpu_request request;
	size_t len = take(in, 1) & 1 ? 0 : sizeof(said);

	if (!ring[0].running || !ring[0].waits || !gpu.asked.type)
		return;
	ring_request(&ring[0], &request);
	ring_answered(&ring[0], gpu_answer(&gpu, &request, said, len));
	ring_serve(&ring[0]);
}

/* ---- the guest ---- */

static void scribble(struct input *in)
{
	unsigned int at = take(in, 2) % RAM_SIZE;
	unsigned int len = take(in, 1) % 32;

	for (; len && at < RAM_SIZE; len--)
		ram[at++] = take(in, 1);
}

static u16 some_type(struct input *in)
{
	static const u16 types[] = {
		VIRTIO_GPU_CMD_SUBMIT_3D, VIRTIO_GPU_CMD_SUBMIT_3D, VIRTIO_GPU_CMD_CTX_CREATE,
		VIRTIO_GPU_CMD_CTX_DESTROY, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, VIRTIO_GPU_CMD_RESOURCE_UNREF,
		VIRTIO_GPU_CMD_SET_SCANOUT, VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, VIRTIO_GPU_CMD_GET_EDID,
		VIRTIO_GPU_CMD_GET_DISPLAY_INFO, VIRTIO_GPU_CMD_GET_CAPSET,
		VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, VIRTIO_GPU_CMD_UPDATE_CURSOR,
		VIRTIO_GPU_CMD_MOVE_CURSOR, 0x1ff,
	};

	return types[take(in, 1) % ARRAY_SIZE(types)];
}

/* Makes a request as a driver does, with small numbers, in the next slot of a queue. */
static void make(struct input *in, unsigned int i)
{
	struct vring_desc *desc = (void *)(ram + i * QUEUE_STEP);
	struct vring_avail *avail = (void *)(ram + i * QUEUE_STEP + DRIVER);
	unsigned int slot = made[i] % (NUM / 2);
	unsigned int at = REQUESTS + (i * NUM / 2 + slot) * REQUEST;
	struct virtio_gpu_ctrl_hdr hdr = {
		.type = some_type(in), .flags = take(in, 1) & 3, .ctx_id = take(in, 1) & 3,
		.ring_idx = take(in, 1) & 1, .fence_id = made[i],
	};
	unsigned int words = take(in, 1) % 16;
	u32 word;

	memset(ram + at, 0, REQUEST);
	memcpy(ram + at, &hdr, sizeof(hdr));
	for (; words; words--) {
		word = take(in, 1);
		memcpy(ram + at + sizeof(hdr) + 4 * words - 4, &word, sizeof(word));
	}
	desc[2 * slot] = (struct vring_desc){ RAM_BASE + at, 96, VRING_DESC_F_NEXT, 2 * slot + 1 };
	desc[2 * slot + 1] = (struct vring_desc){
		RAM_BASE + (take(in, 1) & 3 ? 0x6000 : at + 0x60), 1100, VRING_DESC_F_WRITE, 0,
	};
	avail->ring[made[i] % NUM] = 2 * slot;
	avail->idx = ++made[i];
}

static struct gpu_fence some_fence(struct input *in)
{
	return (struct gpu_fence){
		.on_ring = take(in, 1) & 1, .context = take(in, 1) & 3,
		.ring = take(in, 1) & 1, .number = gpu.fences - take(in, 1) % 8,
	};
}

static void step(struct input *in)
{
	unsigned int what = take(in, 1);
	unsigned int i = what >> 7;
	struct gpu_fence fence;

	switch (what & 15) {
	case 0:
		scribble(in);
		break;
	case 1:
		fence = some_fence(in);
		ring_fenced(&ring[0], &fence);
		break;
	case 2:
		answer(in);
		break;
	case 3:
		stop(i);
		break;
	case 4:
		if (take(in, 1) & 1)
			reset();
		break;
	case 5:
		/* The memory table changes. */
		stop(0);
		stop(1);
		gpu_resources_let_go(&gpu);
		gpu_resources_remap(&gpu);
		break;
	case 6:
		ring[i].enabled = take(in, 1) & 1;
		break;
	case 7:
	case 8:
	case 9:
		start(i);
		ring_serve(&ring[i]);
		break;
	default:
		make(in, i);
	}
	held_check();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct vmm_ring_region region = { RAM_BASE, RAM_SIZE, ram };
	struct input in = { data, size };
	u8 how = take(&in, 1);
	unsigned int i;

	memset(ram, 0, sizeof(ram));
	packed = (how & 3) == 3;
	mem = vmm_ring_mem_create(&region, 1);
	MUST(mem);
	gpu = (struct gpu){
		.display = &display, .resolve = resolve, .renderer = &renderer, .scanouts = 2,
		.memory_max = MEMORY,
	};
	gpu_init(&gpu);
	gpu.three_d = true;
	gpu.context_init = how & 4;
	for (i = 0; i < QUEUES; i++) {
		ring[i].handle = handle;
		ring[i].arg = i ? &ring[i] : NULL;
		ring_init(&ring[i]);
		ring[i].base = packed ? PACKED_BASE : 0;
		made[i] = 0;
		start(i);
	}
	while (in.left)
		step(&in);
	reset();
	vmm_ring_mem_destroy(mem);
	return 0;
}
