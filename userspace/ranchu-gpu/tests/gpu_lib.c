// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with a guest, and a display that records calls, for the tests of the commands.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "gpu_lib.h"

/** The device. */
struct gpu gpu;
/** Calls of its display. */
struct seen seen;
/** The guest's memory. */
u8 ram[RAM_SIZE];
/** The last answer. */
u8 answer[2048];

static void on_scanout(void *arg, unsigned int scanout)
{
	(void)arg;
	(void)scanout;
	seen.scanouts++;
}

static void on_damage(void *arg, unsigned int scanout, const struct gpu_rect *rect)
{
	(void)arg;
	seen.damages++;
	seen.damage = *rect;
	seen.damage_scanout = scanout;
}

static void on_image(void *arg, unsigned int scanout)
{
	(void)arg;
	(void)scanout;
	seen.images++;
}

static void on_pos(void *arg, unsigned int scanout)
{
	(void)arg;
	(void)scanout;
	seen.moves++;
}

static bool on_ask(void *arg, bool edid, unsigned int scanout)
{
	(void)arg;
	(void)scanout;
	seen.asks++;
	seen.edid = edid;
	return true;
}

static const struct gpu_display_ops ops = {
	.scanout = on_scanout, .damage = on_damage, .cursor_image = on_image,
	.cursor_pos = on_pos, .ask = on_ask,
};

/* Memory in two regions, so that one piece of the guest may be two pieces here. */
static int resolve(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	unsigned int n = 0;

	(void)arg;
	if (!len)
		return 0;
	if (gpa < RAM_BASE || len > RAM_SIZE || gpa - RAM_BASE > RAM_SIZE - len)
		return -EFAULT;
	gpa -= RAM_BASE;
	while (len) {
		u64 end = gpa < RAM_HALF ? RAM_HALF : RAM_SIZE;
		u64 part = len < end - gpa ? len : end - gpa;

		if (n == max)
			return -E2BIG;
		iov[n++] = (struct iovec){ ram + gpa, part };
		gpa += part;
		len -= part;
	}
	return n;
}

/**
 * device_make - make a device without resources, and clear the record
 */
void device_make(void)
{
	unsigned int i;

	gpu = (struct gpu){
		.display = &ops, .resolve = resolve, .renderer = &gpu_renderer_2d, .scanouts = 2,
		.memory_max = GPU_MEMORY,
	};
	gpu_init(&gpu);
	memset(&seen, 0, sizeof(seen));
	for (i = 0; i < RAM_SIZE; i++)
		ram[i] = i * 7 + (i >> 8);
}

/**
 * device_free - free the guest's resources
 */
void device_free(void)
{
	gpu_reset(&gpu);
}

/* Passes a request in pieces of odd sizes, so that fields are split. */
static int ask(int (*fn)(struct gpu *gpu, const struct gpu_request *request), const void *bytes,
	       size_t len, size_t room)
{
	struct iovec out[3] = {
		{ (void *)bytes, len < 5 ? len : 5 },
		{ (u8 *)bytes + (len < 5 ? len : 5), len < 30 ? len - (len < 5 ? len : 5) : 25 },
		{ (u8 *)bytes + (len < 30 ? len : 30), len < 30 ? 0 : len - 30 },
	};
	struct iovec in[2] = {
		{ answer, room < 7 ? room : 7 },
		{ answer + (room < 7 ? room : 7), room < 7 ? 0 : room - 7 },
	};
	struct gpu_request request = {
		.out = out, .n_out = 3, .out_len = len, .in = in, .n_in = 2, .in_len = room,
	};

	memset(answer, 0xee, sizeof(answer));
	return fn(&gpu, &request);
}

/**
 * control - make a request of the control queue
 * @request: the request
 * @len: bytes of it
 * @room: bytes for the answer
 *
 * Return: as gpu_control()
 */
int control(const void *request, size_t len, size_t room)
{
	return ask(gpu_control, request, len, room);
}

/**
 * cursor - make a request of the cursor queue
 * @request: the request
 * @len: bytes of it
 * @room: bytes for the answer
 *
 * Return: as gpu_cursor()
 */
int cursor(const void *request, size_t len, size_t room)
{
	return ask(gpu_cursor, request, len, room);
}

/**
 * answer_type - return the result of a request
 *
 * Return: the type of its answer
 */
u32 answer_type(void)
{
	struct virtio_gpu_ctrl_hdr hdr;

	memcpy(&hdr, answer, sizeof(hdr));
	return le32toh(hdr.type);
}

static u32 done(const void *request, size_t len)
{
	return control(request, len, sizeof(struct virtio_gpu_ctrl_hdr)) ==
	       sizeof(struct virtio_gpu_ctrl_hdr) ? answer_type() : 0;
}

/**
 * create - make a resource
 * @id: its number
 * @format: of its pixels
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 create(u32 id, u32 format, u32 width, u32 height)
{
	struct virtio_gpu_resource_create_2d request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
		.resource_id = htole32(id), .format = htole32(format),
		.width = htole32(width), .height = htole32(height),
	};

	return done(&request, sizeof(request));
}

/**
 * attach - attach backing to a resource
 * @id: its number
 * @entries: the memory
 * @claimed: number of entries according to the request
 * @given: number of entries that it has, at most 64
 *
 * Return: the type of the answer
 */
u32 attach(u32 id, const struct virtio_gpu_mem_entry *entries, u32 claimed, u32 given)
{
	struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entries[64];
	} request = {
		.head.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
		.head.resource_id = htole32(id), .head.nr_entries = htole32(claimed),
	};

	memcpy(request.entries, entries, given * sizeof(*entries));
	return done(&request, sizeof(request.head) + given * sizeof(*entries));
}

/**
 * simple - make a request that has only a resource's number
 * @type: of the request
 * @id: the number
 *
 * Return: the type of the answer
 */
u32 simple(u32 type, u32 id)
{
	struct virtio_gpu_resource_unref request = {
		.hdr.type = htole32(type), .resource_id = htole32(id),
	};

	return done(&request, sizeof(request));
}

static struct virtio_gpu_rect wire(u32 x, u32 y, u32 width, u32 height)
{
	return (struct virtio_gpu_rect){
		htole32(x), htole32(y), htole32(width), htole32(height),
	};
}

/**
 * transfer - copy pixels from the guest's memory to a resource
 * @id: of the resource
 * @x: left
 * @y: top
 * @width: pixels
 * @height: rows
 * @offset: offset of the first pixel in the backing
 *
 * Return: the type of the answer
 */
u32 transfer(u32 id, u32 x, u32 y, u32 width, u32 height, u64 offset)
{
	struct virtio_gpu_transfer_to_host_2d request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r = wire(x, y, width, height), .offset = htole64(offset),
		.resource_id = htole32(id),
	};

	return done(&request, sizeof(request));
}

/**
 * set_scanout - set a resource as a scanout
 * @scanout: number of the scanout
 * @id: of the resource
 * @x: left
 * @y: top
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 set_scanout(u32 scanout, u32 id, u32 x, u32 y, u32 width, u32 height)
{
	struct virtio_gpu_set_scanout request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT),
		.r = wire(x, y, width, height), .scanout_id = htole32(scanout),
		.resource_id = htole32(id),
	};

	return done(&request, sizeof(request));
}

/**
 * flush - flush pixels of a resource
 * @id: of the resource
 * @x: left
 * @y: top
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 flush(u32 id, u32 x, u32 y, u32 width, u32 height)
{
	struct virtio_gpu_resource_flush request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.r = wire(x, y, width, height), .resource_id = htole32(id),
	};

	return done(&request, sizeof(request));
}
