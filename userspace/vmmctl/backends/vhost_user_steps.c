// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vhost-user process is sent, as tables of messages: when a connection is opened,
 * when the driver starts the device, and when it stops it. vhost_user.c sends one after
 * the other, and waits for the answer of each that has one.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost_types.h>

#include "backends/vhost_user.h"

#define BIT(bit)	(1ULL << (bit))
#define PROTOCOL	(BIT(VU_P_MQ) | BIT(VU_P_REPLY_ACK) | BIT(VU_P_BACKEND_REQ) | \
			 BIT(VU_P_CONFIG) | BIT(VU_P_INFLIGHT_SHMFD) | BIT(VU_P_RESET_DEVICE))
#define SHADOW_GPA	BIT(52)	/* behind all that a guest can have */
#define VU_NO_FD	BIT(8)	/* in the payload of a message that could have a file */
#define CONFIG_HEAD	(3 * sizeof(u32))	/* offset, size and flags */

static void put(struct vmm_vu_message *msg, const void *data, u32 size)
{
	memcpy(msg->payload, data, size);
	msg->size = size;
}

static int put_u64(struct vmm_vu_message *msg, u64 value)
{
	put(msg, &value, sizeof(value));
	return 0;
}

static int put_state(struct vmm_vu_message *msg, unsigned int ring, u32 value)
{
	struct vhost_vring_state state = { .index = ring, .num = value };

	put(msg, &state, sizeof(state));
	return 0;
}

static int put_file(struct vmm_vu_message *msg, unsigned int ring, int fd, int *fds)
{
	put_u64(msg, ring | (fd < 0 ? VU_NO_FD : 0));
	fds[0] = fd;
	return fd >= 0;
}

static int get_u64(const struct vmm_vhost_user *vu, u64 *value)
{
	const struct vmm_vu_message *msg = &vu->channel.msg;

	if (msg->size != sizeof(*value))
		return -EPROTO;
	memcpy(value, msg->payload, sizeof(*value));
	return 0;
}

/* ---- a connection is opened ---- */

static int done_features(struct vmm_vhost_user *vu)
{
	vu->protocol = 0;
	vu->queues = VMM_VIRTIO_QUEUES;
	return get_u64(vu, &vu->vhost.features);
}

static bool has_protocol_features(const struct vmm_vhost_user *vu)
{
	return vu->vhost.features & BIT(VU_F_PROTOCOL_FEATURES);
}

static int done_protocol(struct vmm_vhost_user *vu)
{
	return get_u64(vu, &vu->protocol_offered);
}

static int fill_protocol(struct vmm_vhost_user *vu, unsigned int ring,
			 struct vmm_vu_message *msg, int *fds)
{
	(void)ring;
	(void)fds;
	vu->protocol = vu->protocol_offered & PROTOCOL;
	return put_u64(msg, vu->protocol);
}

static bool has_queue_num(const struct vmm_vhost_user *vu)
{
	return vmm_vu_has(vu, VU_P_MQ);
}

static int done_queue_num(struct vmm_vhost_user *vu)
{
	u64 queues;
	int err = get_u64(vu, &queues);

	if (!err && queues < vu->queues)
		vu->queues = queues;
	return err;
}

static bool wants_requests(const struct vmm_vhost_user *vu)
{
	return vmm_vu_has(vu, VU_P_BACKEND_REQ) && vu->config_changed;
}

/* The process gets its end of a channel for requests of its own. */
static int fill_requests(struct vmm_vhost_user *vu, unsigned int ring,
			 struct vmm_vu_message *msg, int *fds)
{
	int pair[2];

	(void)ring;
	(void)msg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	vmm_vu_channel_open(&vu->requests, pair[0]);
	vu->passed_fd = pair[1];
	fds[0] = pair[1];
	return 1;
}

static bool has_gpu(const struct vmm_vhost_user *vu)
{
	return vu->gpu;
}

/* And its end of another one, by which it says what is on the screen. */
static int fill_gpu(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		    int *fds)
{
	int fd = vmm_gpu_socket_open(vu->gpu);

	(void)ring;
	(void)msg;
	if (fd < 0)
		return fd;
	vu->passed_fd = fd;
	fds[0] = fd;
	return 1;
}

static const struct vmm_vu_step open_steps[] = {
	{ VU_GET_FEATURES, .done = done_features },
	{ VU_GET_PROTOCOL_FEATURES, .wanted = has_protocol_features, .done = done_protocol },
	{ VU_SET_PROTOCOL_FEATURES, .wanted = has_protocol_features, .fill = fill_protocol },
	{ VU_GET_QUEUE_NUM, .wanted = has_queue_num, .done = done_queue_num },
	{ .request = VU_SET_OWNER },
	{ VU_SET_BACKEND_REQ_FD, .wanted = wants_requests, .fill = fill_requests },
	{ VU_GPU_SET_SOCKET, .wanted = has_gpu, .fill = fill_gpu, .silent = true },
};

/* ---- a driver starts the device ---- */

static int fill_features(struct vmm_vhost_user *vu, unsigned int ring,
			 struct vmm_vu_message *msg, int *fds)
{
	u64 features = vmm_virtio_for_backend(vu->vhost.v) | BIT(VU_F_PROTOCOL_FEATURES);

	(void)ring;
	(void)fds;
	return put_u64(msg, features & vu->vhost.features);
}

/* A region of memory in SET_MEM_TABLE. */
struct region {
	u64 gpa;
	u64 size;
	u64 hva;
	u64 offset;
};

/* The guest's memory, and our rings at an address behind all guest memory. */
static int fill_memory(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		       int *fds)
{
	const struct vmm_mem *mem = &vu->vhost.v->vm->mem;
	struct {
		u32 count;
		u32 padding;
		struct region region[VMM_REGIONS + 1];
	} table = { .count = mem->regions };
	unsigned int i;

	(void)ring;
	for (i = 0; i < mem->regions; i++) {
		table.region[i] = (struct region){
			.gpa = mem->region[i].base,
			.size = mem->region[i].size,
			.hva = (uintptr_t)mem->region[i].hva,
		};
		fds[i] = mem->region[i].fd;
	}
	if (vu->shadow) {
		table.region[i] = (struct region){
			.gpa = SHADOW_GPA,
			.size = VMM_SHADOW_SIZE,
			.hva = (uintptr_t)vmm_shadow_memory(vu->shadow, &fds[i]),
		};
		table.count++;
	}
	put(msg, &table, offsetof(typeof(table), region) + table.count * sizeof(struct region));
	return table.count;
}

static bool has_inflight(const struct vmm_vhost_user *vu)
{
	return vmm_vu_has(vu, VU_P_INFLIGHT_SHMFD);
}

/* A new driver begins with an empty record; a new process continues with the last one's. */
static bool wants_new_inflight(const struct vmm_vhost_user *vu)
{
	return has_inflight(vu) && vu->inflight_fd < 0;
}

static int fill_new_inflight(struct vmm_vhost_user *vu, unsigned int ring,
			     struct vmm_vu_message *msg, int *fds)
{
	(void)ring;
	(void)fds;
	vu->inflight = (struct vmm_vu_inflight){
		.num_queues = vu->vhost.v->queues,
		.queue_size = vu->vhost.v->queue_max,
	};
	put(msg, &vu->inflight, sizeof(vu->inflight));
	return 0;
}

/* The driver may have left meanwhile; the next one begins with a record of its own. */
static int done_new_inflight(struct vmm_vhost_user *vu)
{
	const struct vmm_vu_message *msg = &vu->channel.msg;

	if (msg->size != sizeof(vu->inflight) || vu->channel.fd[0] < 0)
		return -EPROTO;
	memcpy(&vu->inflight, msg->payload, sizeof(vu->inflight));
	vmm_vu_forget_inflight(vu);
	vu->inflight_fd = vu->channel.fd[0];
	vu->channel.fd[0] = -1;
	return 0;
}

static int fill_inflight(struct vmm_vhost_user *vu, unsigned int ring,
			 struct vmm_vu_message *msg, int *fds)
{
	(void)ring;
	put(msg, &vu->inflight, sizeof(vu->inflight));
	fds[0] = vu->inflight_fd;
	return 1;
}

static const struct vmm_vu_step start_steps[] = {
	{ VU_SET_FEATURES, .fill = fill_features },
	{ VU_SET_MEM_TABLE, .fill = fill_memory },
	{
		VU_GET_INFLIGHT_FD, .wanted = wants_new_inflight, .fill = fill_new_inflight,
		.done = done_new_inflight,
	},
	{ VU_SET_INFLIGHT_FD, .wanted = has_inflight, .fill = fill_inflight },
};

static int fill_num(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		    int *fds)
{
	(void)fds;
	return put_state(msg, ring, vu->ring[ring].num);
}

static int fill_base(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		     int *fds)
{
	(void)fds;
	return put_state(msg, ring, vu->ring[ring].base);
}

static int fill_addr(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		     int *fds)
{
	const struct vmm_vhost_ring *given = &vu->ring[ring];
	struct vhost_vring_addr addr = {
		.index = ring,
		.desc_user_addr = (uintptr_t)given->area[0].hva,
		.avail_user_addr = (uintptr_t)given->area[1].hva,
		.used_user_addr = (uintptr_t)given->area[2].hva,
	};

	(void)fds;
	put(msg, &addr, sizeof(addr));
	return 0;
}

static int fill_err(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		    int *fds)
{
	return put_file(msg, ring, vu->ring[ring].err_fd, fds);
}

static int fill_call(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		     int *fds)
{
	return put_file(msg, ring, vu->ring[ring].call_fd, fds);
}

/* From here on the process uses the ring. */
static int fill_kick(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		     int *fds)
{
	vu->given = ring + 1;
	return put_file(msg, ring, vu->ring[ring].kick_fd, fds);
}

static int fill_enable(struct vmm_vhost_user *vu, unsigned int ring,
		       struct vmm_vu_message *msg, int *fds)
{
	(void)fds;
	return put_state(msg, ring, vu->phase == VMM_VU_STARTING);
}

static const struct vmm_vu_step ring_start_steps[] = {
	{ VU_SET_VRING_NUM, .fill = fill_num },
	{ VU_SET_VRING_BASE, .fill = fill_base },
	{ VU_SET_VRING_ADDR, .fill = fill_addr },
	{ VU_SET_VRING_ERR, .fill = fill_err },
	{ VU_SET_VRING_CALL, .fill = fill_call },
	{ VU_SET_VRING_KICK, .fill = fill_kick },
	{ VU_SET_VRING_ENABLE, .wanted = has_protocol_features, .fill = fill_enable },
};

/* ---- a driver stops the device ---- */

static int fill_get_base(struct vmm_vhost_user *vu, unsigned int ring,
			 struct vmm_vu_message *msg, int *fds)
{
	(void)vu;
	(void)fds;
	return put_state(msg, ring, 0);
}

/* The answer comes when the process no longer uses the ring. */
static int done_get_base(struct vmm_vhost_user *vu)
{
	return vu->channel.msg.size == sizeof(struct vhost_vring_state) ? 0 : -EPROTO;
}

static bool has_reset(const struct vmm_vhost_user *vu)
{
	return vmm_vu_has(vu, VU_P_RESET_DEVICE);
}

static const struct vmm_vu_step ring_stop_steps[] = {
	{ VU_SET_VRING_ENABLE, .wanted = has_protocol_features, .fill = fill_enable },
	{ VU_GET_VRING_BASE, .fill = fill_get_base, .done = done_get_base },
};

static const struct vmm_vu_step stop_steps[] = {
	{ VU_RESET_DEVICE, .wanted = has_reset },
};

/* ---- the configuration ---- */

static bool wants_config(const struct vmm_vhost_user *vu)
{
	return vu->config_wanted;
}

static int fill_config(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		       int *fds)
{
	const u32 head[] = { 0, vu->config_len, 0 };

	(void)ring;
	(void)fds;
	put(msg, head, CONFIG_HEAD);
	memset(msg->payload + CONFIG_HEAD, 0, vu->config_len);
	msg->size += vu->config_len;
	/* A change from now on is another one. */
	vu->config_wanted = false;
	return 0;
}

static int done_config(struct vmm_vhost_user *vu)
{
	const struct vmm_vu_message *msg = &vu->channel.msg;

	vu->config_error = msg->size == CONFIG_HEAD + vu->config_len ? 0 : -EOPNOTSUPP;
	if (!vu->config_error)
		memcpy(vu->config, msg->payload + CONFIG_HEAD, vu->config_len);
	vu->config_new = !vu->config_error;
	return 0;
}

static const struct vmm_vu_step config_steps[] = {
	{ VU_GET_CONFIG, .wanted = wants_config, .fill = fill_config, .done = done_config },
};

/**
 * struct script - the steps of a phase
 * @first: once
 * @firsts: how many
 * @ring: for each ring
 * @rings: how many for each
 * @last: once, after all rings
 * @lasts: how many
 */
struct script {
	const struct vmm_vu_step *first;
	unsigned int firsts;
	const struct vmm_vu_step *ring;
	unsigned int rings;
	const struct vmm_vu_step *last;
	unsigned int lasts;
};

static const struct script scripts[VMM_VU_PHASES] = {
	[VMM_VU_OPENING] = { .first = open_steps, .firsts = ARRAY_SIZE(open_steps) },
	[VMM_VU_READY] = { .first = config_steps, .firsts = ARRAY_SIZE(config_steps) },
	[VMM_VU_STARTING] = {
		.first = start_steps, .firsts = ARRAY_SIZE(start_steps),
		.ring = ring_start_steps, .rings = ARRAY_SIZE(ring_start_steps),
	},
	[VMM_VU_STOPPING] = {
		.ring = ring_stop_steps, .rings = ARRAY_SIZE(ring_stop_steps),
		.last = stop_steps, .lasts = ARRAY_SIZE(stop_steps),
	},
};

/**
 * vmm_vu_step - find the step at @vu->position of the phase
 * @vu: connected
 * @ring: filled with the ring that the step is about
 *
 * Return: the step, or NULL behind the last one
 */
const struct vmm_vu_step *vmm_vu_step(const struct vmm_vhost_user *vu, unsigned int *ring)
{
	const struct script *script = &scripts[vu->phase];
	unsigned int rings = vu->phase == VMM_VU_STOPPING ? vu->given : vu->rings;
	unsigned int at = vu->position;

	*ring = 0;
	if (at < script->firsts)
		return &script->first[at];
	at -= script->firsts;
	if (at < rings * script->rings) {
		*ring = at / script->rings;
		return &script->ring[at % script->rings];
	}
	at -= rings * script->rings;
	return at < script->lasts ? &script->last[at] : NULL;
}

/**
 * vmm_vu_forget_inflight - close the record of what is under way
 * @vu: may have none
 */
void vmm_vu_forget_inflight(struct vmm_vhost_user *vu)
{
	if (vu->inflight_fd >= 0)
		close(vu->inflight_fd);
	vu->inflight_fd = -1;
}
