/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-user: devices that a process behind a Unix socket serves. The messages
 * (vhost_user_wire.c), the front end (vhost_user.c), rings in between for processes
 * that keep no record of what is under way (vhost_shadow.c), and the model
 * (devices/virtio_vhost_user.c).
 *
 * Source: the vhost-user protocol as QEMU documents it (docs/interop/vhost-user.rst).
 */
#ifndef VHOST_USER_H
#define VHOST_USER_H

#include "backends/backends.h"

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
#define VU_PAYLOAD_MAX	512	/* bytes of what is said here, or heard */

/**
 * struct vmm_vu_message - a message of the protocol
 * @request: enum vmm_vu_request, or a back end's
 * @flags: version, VU_REPLY, VU_NEED_REPLY
 * @size: bytes used of @payload
 * @payload: as the request wants it
 */
struct vmm_vu_message {
	u32 request;
	u32 flags;
	u32 size;
	u8 payload[VU_PAYLOAD_MAX];
} __attribute__((packed));

/* ---- vhost_user_wire.c: messages ---- */

void vmm_vu_set_timeouts(int sock);
int vmm_vu_connect(const char *path);
int vmm_vu_send(int sock, struct vmm_vu_message *msg, const int *fds, unsigned int count);
int vmm_vu_receive(int sock, struct vmm_vu_message *msg, int *fd);

/* ---- vhost_shadow.c: rings in between ---- */

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

/* ---- vhost_user.c: the front end ---- */

/**
 * struct vmm_vhost_user - a process that serves a virtio device
 * @vhost: @fd is the connection, -1 while there is none
 * @recovers: the device can be given to another process in the middle of its work
 * @exact: then each request must be done, and answered once
 * @config_changed: told that the configuration has changed; main thread
 * @served: features that were offered when it was opened
 * @protocol: features of the protocol
 * @queues: how many the process can serve
 * @timer_fd: ticks while there is no connection
 * @request_fd: where the process sends requests of its own, or -1
 * @shadow: rings in between, if it is to be exact and the process keeps no record
 * @inflight_fd: memory where the process notes what is under way, or -1
 * @inflight: what was said about it
 * @lost: what the driver gave was lost with the process: wait for another driver
 *
 * After its opening all is protected by the virtio device's lock, @timer_fd and
 * @request_fd belong to the main thread.
 */
struct vmm_vhost_user {
	struct vmm_vhost vhost;
	bool recovers;
	bool exact;
	void (*config_changed)(struct vmm_virtio *v);
	u64 served;
	u64 protocol;
	unsigned int queues;
	int timer_fd;
	int request_fd;
	struct vmm_shadow *shadow;
	int inflight_fd;
	struct vmm_vu_inflight {
		u64 mmap_size;
		u64 mmap_offset;
		u16 num_queues;
		u16 queue_size;
	} inflight;
	bool lost;
};

int vmm_vhost_user_open(struct vmm_vhost_user *vu, struct vmm_virtio *v, const char *path);
int vmm_vhost_user_config(struct vmm_vhost_user *vu, void *config, u32 len);

#endif /* VHOST_USER_H */
