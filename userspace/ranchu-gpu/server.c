// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves one front end: handles its messages, one function for each, maps the guest's memory,
 * and starts and stops queues.
 *
 * A front end is trusted with its own guest; its values are checked against sizes
 * nevertheless. One that breaks the protocol is disconnected.
 *
 * Source: QEMU, docs/interop/vhost-user.rst
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/vhost_types.h>

#include "backends/vhost_user.h"
#include "display.h"
#include "host/log.h"
#include "machine/machine.h"
#include "ring.h"
#include "server.h"
#include "virtio/ring_mem.h"

#define BIT_OF(bit)	(1ULL << (bit))
#define QUEUES		2
#define REGIONS		VU_FDS_HEARD
#define NO_FD		BIT_OF(8)	/* in the payload of a message: no file comes with it */
/* Features for legacy drivers, and in-order, because requests are answered in any order. */
#define NOT_OFFERED	(BIT_OF(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_OF(VIRTIO_F_ANY_LAYOUT) | \
			 BIT_OF(VHOST_F_LOG_ALL) | BIT_OF(VIRTIO_F_IN_ORDER))
#define FEATURES	((RANCHU_VQ_FEATURES & ~NOT_OFFERED) | BIT_OF(VU_F_PROTOCOL_FEATURES) | \
			 BIT_OF(VIRTIO_GPU_F_EDID))
/* Features that are offered if the renderer has 3D. */
#define FEATURES_3D	(BIT_OF(VIRTIO_GPU_F_VIRGL) | BIT_OF(VIRTIO_GPU_F_CONTEXT_INIT))
#define PROTOCOL	(BIT_OF(VU_P_MQ) | BIT_OF(VU_P_REPLY_ACK) | BIT_OF(VU_P_CONFIG) | \
			 BIT_OF(VU_P_RESET_DEVICE))
#define CONFIG_HEAD	(3 * sizeof(u32))
#define CONFIG_MAX	256	/* bytes of configuration in a message, at most */
#define PACKED_BASE	0x80008000	/* base of a packed queue that starts from the beginning */
#define FENCES_WAIT	1000	/* ms that stopping a queue waits for the renderer */

/**
 * struct region - a region of the guest's memory
 * @gpa: guest physical address
 * @size: bytes
 * @user: address in the front end, which it uses for addresses of queues
 * @hva: where it is mapped here
 * @map: the mapping, which may begin before it
 * @map_size: bytes of the mapping
 */
struct region {
	u64 gpa;
	u64 size;
	u64 user;
	u8 *hva;
	void *map;
	size_t map_size;
};

/**
 * struct server - the connection and the device
 * @loop: the loop
 * @channel: the connection
 * @features: features that the driver has accepted
 * @protocol: protocol features that the front end has chosen
 * @region: the guest's memory
 * @regions: number of regions
 * @mem: the regions for the engine, or NULL
 * @ring: queues: control and cursor
 * @addr: addresses of the queues in the front end
 * @gpu: the device
 * @display: connection for the screens' content
 */
struct server {
	struct vmm_loop *loop;
	struct vmm_vu_channel channel;
	u64 features;
	u64 protocol;
	struct region region[REGIONS];
	unsigned int regions;
	struct ranchu_mem *mem;
	struct ring ring[QUEUES];
	struct vhost_vring_addr addr[QUEUES];
	struct gpu gpu;
	struct display display;
};

/* ---- queues ---- */

static int on_control(void *arg, const struct gpu_request *request)
{
	struct server *s = arg;

	return gpu_control(&s->gpu, request);
}

static int on_cursor(void *arg, const struct gpu_request *request)
{
	struct server *s = arg;

	return gpu_cursor(&s->gpu, request);
}

/* Called with the front end's answer, or without one if it will not come. */
static void on_answer(void *arg, const void *data, size_t len)
{
	struct server *s = arg;
	struct ring *ring = &s->ring[0];
	struct gpu_request request;

	if (!ring->running || !ring->waits || !s->gpu.asked.type)
		return;
	ring_request(ring, &request);
	ring_answered(ring, gpu_answer(&s->gpu, &request, data, len));
}

/* Called when the renderer has reached a fence. */
static void on_fence(void *arg, const struct gpu_fence *fence)
{
	struct server *s = arg;

	ring_fenced(&s->ring[0], fence);
}

static void on_context_ended(void *arg, u32 context)
{
	struct server *s = arg;

	ring_context_ended(&s->ring[0], context);
}

static int on_renderer(void *arg)
{
	struct server *s = arg;

	s->gpu.renderer->ops->serve(s->gpu.renderer);
	return 0;
}

static int on_kick(void *arg)
{
	struct ring *ring = arg;
	eventfd_t rung;

	if (!eventfd_read(ring->kick_fd, &rung))
		ring_serve(ring);
	return 0;
}

static int on_resolve(void *arg, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	struct server *s = arg;

	return s->mem ? vmm_ring_mem_iov(s->mem, gpa, len, iov, max) : -EFAULT;
}

/* Waits for the renderer to complete its work, up to a timeout. */
static void renderer_finish(struct server *s, const struct ring *ring)
{
	struct pollfd fd = { .fd = s->gpu.renderer->fd, .events = POLLIN };

	while (ring->running && ring->held && poll(&fd, 1, FENCES_WAIT) > 0)
		on_renderer(s);
}

/* Stops serving a queue; a pending question is asked again when the queue continues. */
static void queue_halt(struct server *s, struct ring *ring)
{
	if (ring->waits) {
		display_unask(&s->display);
		s->gpu.asked.type = 0;
	}
	renderer_finish(s, ring);
	ring_stop(ring);
}

/* Stops a queue and closes its kick file. */
static void queue_stop(struct server *s, struct ring *ring)
{
	queue_halt(s, ring);
	if (ring->kick_fd < 0)
		return;
	vmm_loop_del(s->loop, ring->kick_fd);
	close(ring->kick_fd);
	ring->kick_fd = -1;
}

static void device_reset(struct server *s)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		queue_stop(s, &s->ring[i]);
	gpu_reset(&s->gpu);
}

/* ---- the guest's memory ---- */

static void memory_forget(struct server *s)
{
	unsigned int i;

	vmm_ring_mem_destroy(s->mem);
	s->mem = NULL;
	for (i = 0; i < s->regions; i++)
		munmap(s->region[i].map, s->region[i].map_size);
	s->regions = 0;
}

/* A region in SET_MEM_TABLE. */
struct wire_region {
	u64 gpa;
	u64 size;
	u64 user;
	u64 offset;
};

static int memory_map(struct server *s, const struct wire_region *in, int fd)
{
	struct region *region = &s->region[s->regions];
	u64 size;
	void *map;

	if (!in->size || __builtin_add_overflow(in->offset, in->size, &size) ||
	    size != (size_t)size)
		return -EINVAL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*region = (struct region){
		.gpa = in->gpa, .size = in->size, .user = in->user,
		.hva = (u8 *)map + in->offset, .map = map, .map_size = size,
	};
	s->regions++;
	return 0;
}

/* Describes the regions to the engine. */
static int memory_describe(struct server *s)
{
	struct vmm_ring_region regions[REGIONS];
	unsigned int i;

	for (i = 0; i < s->regions; i++)
		regions[i] = (struct vmm_ring_region){
			s->region[i].gpa, s->region[i].size, s->region[i].hva,
		};
	s->mem = vmm_ring_mem_create(regions, s->regions);
	return s->mem ? 0 : -EINVAL;
}

/* Converts a front end's address to one of this process; 0 unless the range is in one region. */
static u64 address_of(const struct server *s, u64 user, u64 len)
{
	unsigned int i;

	for (i = 0; i < s->regions; i++) {
		const struct region *region = &s->region[i];

		if (user >= region->user && len <= region->size &&
		    user - region->user <= region->size - len)
			return (uintptr_t)(region->hva + (user - region->user));
	}
	return 0;
}

/* ---- messages ---- */

/* Takes the file of a message, owned by the caller; -1 if there is none. */
static int take_file(struct server *s)
{
	int fd = s->channel.fd[0];

	s->channel.fd[0] = -1;
	return fd;
}

static int take_u64(const struct server *s, u64 *value)
{
	if (s->channel.msg.size != sizeof(*value))
		return -EPROTO;
	memcpy(value, s->channel.msg.payload, sizeof(*value));
	return 0;
}

/* Finds the queue of a message. */
static int take_state(struct server *s, struct ring **ring, u32 *num)
{
	struct vhost_vring_state state;

	if (s->channel.msg.size != sizeof(state))
		return -EPROTO;
	memcpy(&state, s->channel.msg.payload, sizeof(state));
	if (state.index >= QUEUES)
		return -EPROTO;
	*ring = &s->ring[state.index];
	*num = state.num;
	return 0;
}

/* Finds the queue of a message, and takes its file if there is one. */
static int take_queue_file(struct server *s, struct ring **ring, int *fd)
{
	u64 value;
	int err = take_u64(s, &value);

	if (err)
		return err;
	if ((value & 0xff) >= QUEUES)
		return -EPROTO;
	*ring = &s->ring[value & 0xff];
	*fd = value & NO_FD ? -1 : take_file(s);
	return value & NO_FD || *fd >= 0 ? 0 : -EPROTO;
}

static int reply(struct server *s, u32 size)
{
	struct vmm_vu_message *msg = &s->channel.msg;

	msg->flags = VU_REPLY;
	msg->size = size;
	return vmm_vu_send(s->channel.sock, msg, NULL, 0);
}

static int reply_u64(struct server *s, u64 value)
{
	memcpy(s->channel.msg.payload, &value, sizeof(value));
	return reply(s, sizeof(value));
}

static u64 features_of(const struct server *s)
{
	return FEATURES | (s->gpu.renderer->ops->three_d ? FEATURES_3D : 0);
}

static int on_get_features(struct server *s)
{
	return reply_u64(s, features_of(s));
}

static int on_set_features(struct server *s)
{
	u64 features;
	int err = take_u64(s, &features);

	if (err || features & ~features_of(s))
		return err ? err : -EINVAL;
	s->features = features;
	s->gpu.three_d = features >> VIRTIO_GPU_F_VIRGL & 1;
	s->gpu.context_init = s->gpu.three_d && features >> VIRTIO_GPU_F_CONTEXT_INIT & 1;
	return 0;
}

static int on_nothing(struct server *s)
{
	(void)s;
	return 0;
}

static int on_get_protocol(struct server *s)
{
	return reply_u64(s, PROTOCOL);
}

static int on_set_protocol(struct server *s)
{
	return take_u64(s, &s->protocol);
}

static int on_get_queue_num(struct server *s)
{
	return reply_u64(s, QUEUES);
}

/* Finds the parts of a queue, with their lengths. */
static int queue_locate(struct server *s, struct ring *ring)
{
	const struct vhost_vring_addr *addr = &s->addr[ring - s->ring];
	bool packed = s->features >> VIRTIO_F_RING_PACKED & 1;
	u64 num = ring->setup.num;

	if (!num || num > RANCHU_VQ_MAX_NUM)
		return -EINVAL;
	ring->setup.features = s->features;
	ring->setup.desc = address_of(s, addr->desc_user_addr, 16 * num);
	ring->setup.driver = address_of(s, addr->avail_user_addr, packed ? 4 : 6 + 2 * num);
	ring->setup.device = address_of(s, addr->used_user_addr, packed ? 4 : 6 + 8 * num);
	return ring->setup.desc && ring->setup.driver && ring->setup.device ? 0 : -EFAULT;
}

/* Maps the regions of a message; each has its own file. */
static int memory_take(struct server *s, u32 count)
{
	const u8 *at = s->channel.msg.payload + 2 * sizeof(u32);
	struct wire_region region;
	int err = 0;
	u32 i;

	for (i = 0; !err && i < count; i++) {
		memcpy(&region, at + i * sizeof(region), sizeof(region));
		err = memory_map(s, &region, s->channel.fd[i]);
	}
	return err ? err : memory_describe(s);
}

/* Finds the parts of a queue in the new mappings, and starts the queue again if it was running. */
static int queue_move(struct server *s, struct ring *ring, bool start)
{
	bool located = ring->setup.desc;
	int err;

	ring->setup.desc = 0;
	if (!located || !s->mem)
		return -EFAULT;
	err = queue_locate(s, ring);
	if (!err && start)
		err = ring_start(ring, s->mem);
	if (err)
		ring->setup.desc = 0;
	return err;
}

/* Stops queues while the memory table changes; running queues continue in the new mappings. */
static int on_set_mem_table(struct server *s)
{
	const struct vmm_vu_message *msg = &s->channel.msg;
	bool running[QUEUES];
	unsigned int i;
	u32 count;
	int err, failed;

	memcpy(&count, msg->payload, sizeof(count));
	if (count > REGIONS || count != s->channel.fds ||
	    msg->size != 2 * sizeof(u32) + count * sizeof(struct wire_region))
		return -EPROTO;
	for (i = 0; i < QUEUES; i++) {
		running[i] = s->ring[i].running;
		queue_halt(s, &s->ring[i]);
	}
	gpu_resources_let_go(&s->gpu);
	memory_forget(s);
	err = memory_take(s, count);
	gpu_resources_remap(&s->gpu);
	for (i = 0; i < QUEUES; i++) {
		failed = queue_move(s, &s->ring[i], running[i]);
		if (failed && running[i] && !err)
			err = failed;
	}
	return err;
}

static int on_set_num(struct server *s)
{
	struct ring *ring;
	u32 num;
	int err = take_state(s, &ring, &num);

	if (err || ring->running)
		return err ? err : -EBUSY;
	ring->setup.num = num;
	return 0;
}

static int on_set_base(struct server *s)
{
	struct ring *ring;
	u32 base;
	int err = take_state(s, &ring, &base);

	if (err || ring->running)
		return err ? err : -EBUSY;
	ring->base = base;
	return 0;
}

static int on_set_addr(struct server *s)
{
	struct vhost_vring_addr addr;
	struct ring *ring;

	if (s->channel.msg.size != sizeof(addr))
		return -EPROTO;
	memcpy(&addr, s->channel.msg.payload, sizeof(addr));
	if (addr.index >= QUEUES)
		return -EPROTO;
	ring = &s->ring[addr.index];
	if (ring->running)
		return -EBUSY;
	s->addr[addr.index] = addr;
	return queue_locate(s, ring);
}

/*
 * Without RESET_DEVICE, the only sign of a reset is a control queue that starts from the
 * beginning. After a pause the queue continues at the index where it was stopped.
 */
static bool begins_anew(const struct server *s, const struct ring *ring)
{
	u32 base = s->features >> VIRTIO_F_RING_PACKED & 1 ? PACKED_BASE : 0;

	return ring == &s->ring[0] && !(s->protocol >> VU_P_RESET_DEVICE & 1) &&
	       ring->base == base;
}

/* A queue starts when it gets its kick file. */
static int on_set_kick(struct server *s)
{
	struct ring *ring;
	int fd = -1;
	int err = take_queue_file(s, &ring, &fd);

	if (err)
		return err;
	if (ring->running || fd < 0 || !s->mem || !ring->setup.desc) {
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	/* A queue that the guest has broken still has its old kick file. */
	queue_stop(s, ring);
	if (begins_anew(s, ring))
		gpu_reset(&s->gpu);
	ring->kick_fd = fd;
	err = vmm_loop_add(s->loop, fd, on_kick, ring);
	if (!err)
		err = ring_start(ring, s->mem);
	if (err)
		queue_stop(s, ring);
	if (!(s->features >> VU_F_PROTOCOL_FEATURES & 1))
		ring->enabled = true;
	return err;
}

static void replace_file(int *fd, int by)
{
	if (*fd >= 0)
		close(*fd);
	*fd = by;
}

static int on_set_call(struct server *s)
{
	struct ring *ring;
	int fd;
	int err = take_queue_file(s, &ring, &fd);

	if (!err)
		replace_file(&ring->call_fd, fd);
	return err;
}

static int on_set_err(struct server *s)
{
	struct ring *ring;
	int fd;
	int err = take_queue_file(s, &ring, &fd);

	if (!err)
		replace_file(&ring->err_fd, fd);
	return err;
}

static int on_set_enable(struct server *s)
{
	struct ring *ring;
	u32 enable;
	int err = take_state(s, &ring, &enable);

	if (err)
		return err;
	ring->enabled = enable;
	if (ring->running && enable)
		ring_serve(ring);
	return 0;
}

static int on_get_base(struct server *s)
{
	struct ring *ring;
	struct vhost_vring_state state;
	u32 num;
	int err = take_state(s, &ring, &num);

	if (err)
		return err;
	queue_stop(s, ring);
	state = (struct vhost_vring_state){ .index = ring - s->ring, .num = ring->base };
	memcpy(s->channel.msg.payload, &state, sizeof(state));
	return reply(s, sizeof(state));
}

static int on_reset_device(struct server *s)
{
	device_reset(s);
	return 0;
}

/*
 * The number of screens comes from the front end. A front end with newer headers may ask for
 * more fields than there are here; these are 0.
 */
static int on_get_config(struct server *s)
{
	struct virtio_gpu_config config = {
		.num_scanouts = htole32(s->gpu.scanouts),
		.num_capsets = htole32(s->gpu.renderer->capsets),
	};
	struct vmm_vu_message *msg = &s->channel.msg;
	u32 head[3];

	if (msg->size < CONFIG_HEAD)
		return -EPROTO;
	memcpy(head, msg->payload, CONFIG_HEAD);
	if (head[0] || head[1] > CONFIG_MAX || msg->size != CONFIG_HEAD + head[1])
		return reply(s, 0);
	memset(msg->payload + CONFIG_HEAD, 0, head[1]);
	memcpy(msg->payload + CONFIG_HEAD, &config,
	       head[1] < sizeof(config) ? head[1] : sizeof(config));
	return reply(s, msg->size);
}

static int on_set_socket(struct server *s)
{
	int fd = take_file(s);

	if (fd < 0)
		return -EPROTO;
	display_close(&s->display);
	return display_open(&s->display, fd);
}

/**
 * struct kind - a message of the front end
 * @take: handles it: 0, or -errno
 * @silent: it is never answered
 * @answers: @take answers it
 */
struct kind {
	int (*take)(struct server *s);
	bool silent;
	bool answers;
};

static const struct kind kinds[] = {
	[VU_GET_FEATURES] = { on_get_features, .answers = true },
	[VU_SET_FEATURES] = { on_set_features },
	[VU_SET_OWNER] = { on_nothing },
	[VU_SET_MEM_TABLE] = { on_set_mem_table },
	[VU_SET_VRING_NUM] = { on_set_num },
	[VU_SET_VRING_ADDR] = { on_set_addr },
	[VU_SET_VRING_BASE] = { on_set_base },
	[VU_GET_VRING_BASE] = { on_get_base, .answers = true },
	[VU_SET_VRING_KICK] = { on_set_kick },
	[VU_SET_VRING_CALL] = { on_set_call },
	[VU_SET_VRING_ERR] = { on_set_err },
	[VU_GET_PROTOCOL_FEATURES] = { on_get_protocol, .answers = true },
	[VU_SET_PROTOCOL_FEATURES] = { on_set_protocol },
	[VU_GET_QUEUE_NUM] = { on_get_queue_num, .answers = true },
	[VU_SET_VRING_ENABLE] = { on_set_enable },
	[VU_GET_CONFIG] = { on_get_config, .answers = true },
	[VU_GPU_SET_SOCKET] = { on_set_socket, .silent = true },
	[VU_RESET_DEVICE] = { on_reset_device },
};

static int message_take(struct server *s)
{
	bool wants = s->channel.msg.flags & VU_NEED_REPLY;
	u32 request = s->channel.msg.request;
	const struct kind *kind = request < ARRAY_SIZE(kinds) ? &kinds[request] : NULL;
	int err = kind && kind->take ? kind->take(s) : -EOPNOTSUPP;

	if (err == -EPROTO)
		return vmm_error(-err, "message %u of the front end", request);
	if (kind && kind->answers)
		return err;
	if (err)
		vmm_error(-err, "message %u of the front end failed", request);
	if (wants && !(kind && kind->silent))
		return reply_u64(s, err ? 1 : 0);
	return 0;
}

/* Ends the loop with 1 when the front end is gone. */
static int on_message(void *arg)
{
	struct server *s = arg;
	int err = vmm_vu_receive(&s->channel);

	if (!err)
		err = message_take(s);
	if (!err || err == -EAGAIN)
		return 0;
	return err == -EPIPE || err == -ECONNRESET ? 1 : err;
}

static void server_close(struct server *s)
{
	unsigned int i;

	device_reset(s);
	display_close(&s->display);
	display_free(&s->display);
	for (i = 0; i < QUEUES; i++) {
		replace_file(&s->ring[i].call_fd, -1);
		replace_file(&s->ring[i].err_fd, -1);
	}
	memory_forget(s);
	vmm_vu_channel_close(&s->channel);
	vmm_loop_destroy(s->loop);
}

static int server_open(struct server *s, int sock, const struct server_options *options)
{
	unsigned int i;
	int err;

	s->loop = vmm_loop_create();
	if (!s->loop)
		return -ENOMEM;
	vmm_vu_channel_open(&s->channel, sock);
	s->channel.fds_max = VU_FDS_HEARD;
	s->gpu.display = &display_ops;
	s->gpu.display_arg = &s->display;
	s->gpu.resolve = on_resolve;
	s->gpu.resolve_arg = s;
	s->gpu.renderer = options->renderer;
	s->gpu.renderer->done = on_fence;
	s->gpu.renderer->ended = on_context_ended;
	s->gpu.renderer->done_arg = s;
	s->gpu.scanouts = options->scanouts;
	s->gpu.memory_max = options->memory;
	gpu_init(&s->gpu);
	for (i = 0; i < QUEUES; i++) {
		s->ring[i].handle = i ? on_cursor : on_control;
		s->ring[i].arg = s;
		ring_init(&s->ring[i]);
	}
	s->display.loop = s->loop;
	s->display.gpu = &s->gpu;
	s->display.answered = on_answer;
	s->display.arg = s;
	err = display_init(&s->display);
	if (!err && options->renderer->fd >= 0)
		err = vmm_loop_add(s->loop, options->renderer->fd, on_renderer, s);
	return err ? err : vmm_loop_add(s->loop, sock, on_message, s);
}

/**
 * server_run - serve a front end until it disconnects
 * @sock: the connection; owned by the caller
 * @options: the command line
 *
 * Return: 0, or -errno after a message
 */
int server_run(int sock, const struct server_options *options)
{
	struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return vmm_error(ENOMEM, "cannot start");
	err = server_open(s, sock, options);
	if (!err)
		err = vmm_loop_run(s->loop);
	if (s->loop)
		server_close(s);
	free(s);
	return err < 0 ? err : 0;
}
