/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-user: devices that a process behind a Unix socket serves. The messages (vhost_user_wire.c),
 * their order (vhost_user_steps.c) and their exchange (vhost_user_exchange.c), the connection
 * and the state of rings (vhost_user.c), intermediate rings for processes that keep no record
 * of requests in flight (vhost_shadow.c), and the model (devices/virtio_vhost_user.c).
 *
 * Source: the vhost-user protocol as QEMU documents it (docs/interop/vhost-user.rst).
 */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include "backends/backends.h"
#include "backends/vhost_user_gpu.h"

/* Requests of the front end, those that are used here. */
enum vmm_vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_GET_CONFIG = 24,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_GPU_SET_SOCKET = 33,
	VU_RESET_DEVICE = 34,
};

/* Requests of the back end. */
#define VU_BACKEND_CONFIG_CHANGE	2

/* Feature of the device that says there are features of the protocol. */
#define VU_F_PROTOCOL_FEATURES	30

/* Features of the protocol, those that are used here. */
enum vmm_vu_protocol {
	VU_P_MQ = 0,
	VU_P_REPLY_ACK = 3,
	VU_P_BACKEND_REQ = 5,
	VU_P_CONFIG = 9,
	VU_P_INFLIGHT_SHMFD = 12,
	VU_P_RESET_DEVICE = 13,
};

#define VU_VERSION	1
#define VU_REPLY	(1U << 2)
#define VU_NEED_REPLY	(1U << 3)
#define VU_FDS_MAX	(VMM_REGIONS + 1)
#define VU_FDS_HEARD	8	/* files of a received message, at most */
#define VU_PAYLOAD_MAX	512	/* bytes of a sent or received message, at most */

/**
 * struct vmm_vu_message - a message of the protocol
 * @request: enum vmm_vu_request, or a request of the back end
 * @flags: version, VU_REPLY, VU_NEED_REPLY
 * @size: bytes used of @payload
 * @payload: contents, depending on the request
 */
struct vmm_vu_message {
	u32 request;
	u32 flags;
	u32 size;
	u8 payload[VU_PAYLOAD_MAX];
} __attribute__((packed));

/* ---- vhost_user_wire.c: messages ---- */

/**
 * struct vmm_vu_channel - a connection from which messages are received
 * @sock: the connection
 * @fd: files that came with @msg; the first one is -1 if there is none
 * @fds: how many
 * @fds_max: how many are kept, at most VU_FDS_HEARD
 * @have: bytes received of @msg
 * @whole: @msg is complete
 * @msg: the message
 */
struct vmm_vu_channel {
	int sock;
	int fd[VU_FDS_HEARD];
	unsigned int fds;
	unsigned int fds_max;
	u32 have;
	bool whole;
	struct vmm_vu_message msg __attribute__((aligned(8)));
};

int vmm_vu_send(int sock, struct vmm_vu_message *msg, const int *fds, unsigned int count);
void vmm_vu_channel_open(struct vmm_vu_channel *channel, int sock);
void vmm_vu_channel_close(struct vmm_vu_channel *channel);
int vmm_vu_receive(struct vmm_vu_channel *channel);

/* ---- vhost_shadow.c: intermediate rings ---- */

#define VMM_SHADOW_MAX	256	/* entries of a ring */
#define VMM_SHADOW_SIZE	0x10000	/* bytes of all rings */

struct vmm_shadow;

struct vmm_shadow *vmm_shadow_create(void);
void vmm_shadow_destroy(struct vmm_shadow *s);
void *vmm_shadow_memory(const struct vmm_shadow *s, int *fd);
void vmm_shadow_reset(struct vmm_shadow *s);
int vmm_shadow_ring(struct vmm_shadow *s, unsigned int index, struct vmm_vhost_ring *ring);
int vmm_shadow_start(struct vmm_shadow *s, int sock, bool event_idx);
void vmm_shadow_stop(struct vmm_shadow *s, bool answered);

/* ---- vhost_user_steps.c: messages and their order ---- */

struct vmm_vhost_user;

/**
 * enum vmm_vu_phase - state of a connection
 * @VMM_VU_CLOSED: no connection; the timer makes the next attempt
 * @VMM_VU_OPENING: features of device and protocol are negotiated
 * @VMM_VU_READY: nothing to send; rings that were passed are served
 * @VMM_VU_STARTING: memory and rings are being passed
 * @VMM_VU_STOPPING: rings are being taken back
 * @VMM_VU_LINGERING: shut down, but the process has not closed its end yet, and may
 *	still use memory and rings
 */
enum vmm_vu_phase {
	VMM_VU_CLOSED,
	VMM_VU_OPENING,
	VMM_VU_READY,
	VMM_VU_STARTING,
	VMM_VU_STOPPING,
	VMM_VU_LINGERING,
	VMM_VU_PHASES,
};

/**
 * struct vmm_vu_step - a message to send, and the handling of its answer
 * @request: enum vmm_vu_request
 * @wanted: whether to send it; NULL for always
 * @fill: sets payload and size; returns the number of files, or -errno; optional
 * @done: handles the answer in @vu->channel: 0, -EPROTO for an answer that does not
 *	follow the protocol, or another -errno. Without it there is no answer except, with
 *	REPLY_ACK, the result of the request
 * @silent: no result either
 */
struct vmm_vu_step {
	u32 request;
	bool (*wanted)(const struct vmm_vhost_user *vu);
	int (*fill)(struct vmm_vhost_user *vu, unsigned int ring, struct vmm_vu_message *msg,
		    int *fds);
	int (*done)(struct vmm_vhost_user *vu);
	bool silent;
};

const struct vmm_vu_step *vmm_vu_step(const struct vmm_vhost_user *vu, unsigned int *ring);
void vmm_vu_forget_inflight(struct vmm_vhost_user *vu);

/* ---- vhost_user_exchange.c: sending messages and handling answers ---- */

#define VU_TIMEOUT	10000	/* ms until an answer is overdue */

void vmm_vu_set_timer(struct vmm_vhost_user *vu, unsigned int ms);
void vmm_vu_enter(struct vmm_vhost_user *vu, enum vmm_vu_phase phase);
void vmm_vu_give_up(struct vmm_vhost_user *vu, int err);
void vmm_vu_fail_start(struct vmm_vhost_user *vu, int err, const char *why);
void vmm_vu_advance(struct vmm_vhost_user *vu);
void vmm_vu_take_input(struct vmm_vhost_user *vu);
bool vmm_vu_hung_up(const struct vmm_vhost_user *vu);

/* ---- vhost_user.c: the connection and the state of rings ---- */

/**
 * struct vmm_vhost_user - a process that serves a virtio device
 * @vhost: @fd is the connection, -1 while there is none
 * @recovers: another process can continue to serve the device
 * @exact: in that case, each request must be completed exactly once
 * @config_len: bytes of the configuration that the process supplies, 0 for none
 * @gpu: display socket of a process that serves a GPU, or NULL
 * @config_changed: called when @config has changed; main thread, without the lock
 * @offered: features that were offered when it was opened
 * @protocol_offered: features of the protocol that the process has
 * @protocol: protocol features in use
 * @queues: how many the process can serve
 * @timer_fd: timer for the next attempt to connect, and for overdue answers
 * @requests: connection for requests of the process; its @sock may be -1
 * @passed_fd: the other end of that connection until it was sent, or -1
 * @shadow: intermediate rings, if @exact and the process keeps no record
 * @inflight_fd: memory where the process records requests in flight, or -1
 * @inflight: description of that memory
 * @changed: signalled when @phase or @given changes
 * @phase: state of the connection
 * @position: the next step of @phase
 * @channel: received messages
 * @waiting: the step whose answer is awaited before anything else is sent, or NULL
 * @error: reason for shutting it down, -errno
 * @announced: a message that the process serves the device was written last
 * @overdue: a message that the process does not answer was written
 * @config_wanted: the configuration is to be read
 * @config_new: @config has changed
 * @config_error: error of reading it, -errno
 * @config: the configuration that was read last
 * @started: the driver uses the device
 * @rings: how many the driver uses
 * @ring: the first @rings are valid, while @started
 * @given: rings that this process may use; 0 when all were taken back
 * @failed: reason why the device failed, -errno, until the driver was told
 * @lost: requests were lost with the process: wait for a reset by the driver
 * @connections: counts processes that have begun to serve the device; this and the next are
 *	read without the lock
 * @timeouts: counts answers that did not come in time
 *
 * Everything is protected by the virtio device's lock. Only the main thread opens and closes
 * connections.
 */
struct vmm_vhost_user {
	struct vmm_vhost vhost;
	bool recovers;
	bool exact;
	u32 config_len;
	struct vmm_gpu_socket *gpu;
	void (*config_changed)(struct vmm_virtio *v, const void *config);
	u64 offered;
	u64 protocol_offered;
	u64 protocol;
	unsigned int queues;
	int timer_fd;
	struct vmm_vu_channel requests;
	int passed_fd;
	struct vmm_shadow *shadow;
	int inflight_fd;
	struct vmm_vu_inflight {
		u64 mmap_size;
		u64 mmap_offset;
		u16 num_queues;
		u16 queue_size;
	} inflight;
	pthread_cond_t changed;
	enum vmm_vu_phase phase;
	unsigned int position;
	struct vmm_vu_channel channel;
	const struct vmm_vu_step *waiting;
	int error;
	bool announced;
	bool overdue;
	bool config_wanted;
	bool config_new;
	int config_error;
	u8 config[VMM_VIRTIO_CONFIG];
	bool started;
	unsigned int rings;
	struct vmm_vhost_ring ring[VMM_VIRTIO_QUEUES];
	unsigned int given;
	int failed;
	bool lost;
	u64 connections;
	u64 timeouts;
};

static inline bool vmm_vu_has(const struct vmm_vhost_user *vu, unsigned int protocol)
{
	return vu->protocol >> protocol & 1;
}

void vmm_vu_phase_done(struct vmm_vhost_user *vu);
int vmm_vhost_user_open(struct vmm_vhost_user *vu, struct vmm_virtio *v, const char *path);
int vmm_vhost_user_config(struct vmm_vhost_user *vu, void *config);

#endif /* VHOST_USER_H */
