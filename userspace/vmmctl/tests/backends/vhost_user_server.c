// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost-user server as a thread, for the tests of the front end.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "tests/backends/vhost_user_lib.h"
#include "tests/tap.h"

/** The server. */
struct server server;
/** Its socket. */
char server_path[64];

static u32 seed = 1;

/**
 * random_below - get a pseudo-random number; the sequence is the same in each run
 * @n: the greatest number plus 1
 *
 * Return: the number
 */
u32 random_below(u32 n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* A payload is aligned to 4 bytes only. */
typedef u64 wire_u64 __attribute__((aligned(4)));

static wire_u64 *payload(struct vmm_vu_message *msg)
{
	return (wire_u64 *)(void *)msg->payload;
}

static struct vring_avail *server_avail(void)
{
	return (void *)(uintptr_t)server.addr.avail_user_addr;
}

static struct vring_used *server_used(void)
{
	return (void *)(uintptr_t)server.addr.used_user_addr;
}

static void server_take(void)
{
	u16 end = __atomic_load_n(&server_avail()->idx, __ATOMIC_ACQUIRE);

	for (; server.last != end; server.last++) {
		u16 head = server_avail()->ring[server.last % NUM];

		if (server.inflight)
			server.inflight[head] = 1;
		server.pending[server.pendings++] = head;
	}
}

/* Serves one of its requests; returns false if it dies at it. */
static bool server_serve(void)
{
	unsigned int which = random_below(server.pendings);
	u16 head = server.pending[which];
	struct vring_desc *desc = (void *)(uintptr_t)server.addr.desc_user_addr;
	struct vring_used *used = server_used();
	const struct vmm_mem *mem = (void *)(uintptr_t)server.base;
	u64 *cell = vmm_mem_ptr(mem, desc[head].addr, sizeof(*cell));

	__atomic_fetch_add(cell, 1, __ATOMIC_SEQ_CST);
	if (server.mortal && server.deaths < server.limit && !random_below(40))
		return false;
	used->ring[used->idx % NUM].id = head;
	used->ring[used->idx % NUM].len = sizeof(*cell);
	__atomic_store_n(&used->idx, used->idx + 1, __ATOMIC_RELEASE);
	if (server.inflight)
		server.inflight[head] = 0;
	server.pending[which] = server.pending[--server.pendings];
	vmm_event_signal(server.call_fd);
	return true;
}

static void server_resubmit(u16 base)
{
	unsigned int i;

	server.pendings = 0;
	server.last = base;
	for (i = 0; server.inflight && i < NUM; i++) {
		if (server.inflight[i])
			server.pending[server.pendings++] = i;
	}
	server.last += server.pendings;
}

static void server_map_inflight(int fd)
{
	server.inflight = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Hangs, like a stopped process, until the case or the test ends. */
static void server_stuck(u32 *while_set)
{
	__atomic_fetch_add(&server.stuck, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(while_set, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&server.end, __ATOMIC_ACQUIRE))
		usleep(1000);
}

static void server_answer(struct vmm_vu_message *msg, u32 size, int fd)
{
	u32 request = msg->request;

	msg->flags = VU_REPLY;
	msg->size = size;
	if (request == server.half) {
		msg->flags |= VU_VERSION;
		send(server.sock, msg, 6, MSG_NOSIGNAL);
		server_stuck(&server.half);
		send(server.sock, (u8 *)msg + 6, offsetof(struct vmm_vu_message, payload) +
		     size - 6, MSG_NOSIGNAL);
		return;
	}
	vmm_vu_send(server.sock, msg, &fd, fd >= 0);
}

/* Keeps @fd by setting it to -1; false to hang up. */
static bool server_hear(struct vmm_vu_message *msg, int *fd)
{
	struct vhost_vring_state *state = (void *)msg->payload;
	bool acknowledge = msg->flags & VU_NEED_REPLY;
	int shared;

	if (msg->request == server.mute)
		return false;
	if (msg->request == server.silent)
		server_stuck(&server.silent);
	if (msg->request == server.slow) {
		__atomic_fetch_add(&server.stuck, 1, __ATOMIC_SEQ_CST);
		sleep(3);
	}
	switch (msg->request) {
	case VU_GET_FEATURES:
		*payload(msg) = server.features;
		server_answer(msg, 8, -1);
		return true;
	case VU_GET_PROTOCOL_FEATURES:
		*payload(msg) = server.protocol;
		server_answer(msg, 8, -1);
		return true;
	case VU_GET_QUEUE_NUM:
		*payload(msg) = 1;
		server_answer(msg, 8, -1);
		return true;
	case VU_GET_CONFIG:
		memset(msg->payload + 12, 0, msg->size - 12);
		memcpy(msg->payload + 12, &server.capacity, sizeof(server.capacity));
		server_answer(msg, msg->size, -1);
		return true;
	case VU_GET_INFLIGHT_FD:
		shared = memfd_create("inflight", MFD_CLOEXEC);
		if (ftruncate(shared, 4096))
			return false;
		payload(msg)[0] = 4096;
		server_answer(msg, msg->size, shared);
		close(shared);
		return true;
	case VU_GET_VRING_BASE:
		server.enabled = false;
		server_answer(msg, 8, -1);
		return true;
	case VU_SET_FEATURES:
		server.driver_features = *payload(msg);
		break;
	case VU_SET_INFLIGHT_FD:
		server_map_inflight(*fd);
		break;
	case VU_SET_VRING_ADDR:
		memcpy(&server.addr, msg->payload, sizeof(server.addr));
		break;
	case VU_SET_VRING_BASE:
		server_resubmit(state->num);
		break;
	case VU_SET_VRING_KICK:
		server.kick_fd = *fd;
		*fd = -1;
		break;
	case VU_SET_VRING_CALL:
		server.call_fd = *fd;
		*fd = -1;
		break;
	case VU_SET_BACKEND_REQ_FD:
		server.request_fd = *fd;
		*fd = -1;
		break;
	case VU_SET_VRING_ENABLE:
		server.enabled = state->num;
		break;
	case VU_RESET_DEVICE:
		server.resets++;
		break;
	}
	*payload(msg) = msg->request == server.refuse;
	if (acknowledge)
		server_answer(msg, 8, -1);
	return true;
}

static bool server_step(void)
{
	struct pollfd fds[2] = {
		{ .fd = server.sock, .events = POLLIN },
		{ .fd = server.enabled ? server.kick_fd : -1, .events = POLLIN },
	};
	int err;

	poll(fds, 2, server.pendings && server.enabled ? 0 : 100);
	if (fds[0].revents) {
		err = vmm_vu_receive(&server.channel);
		if (err)
			return err == -EAGAIN;
		return server_hear(&server.channel.msg, &server.channel.fd[0]);
	}
	if (fds[1].revents)
		vmm_event_clear(server.kick_fd);
	if (!server.enabled)
		return true;
	server_take();
	if (server.pendings && !server_serve()) {
		server.deaths++;
		return false;
	}
	return true;
}

static void *server_run(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&server.end, __ATOMIC_ACQUIRE)) {
		struct pollfd fd = { .fd = server.listener, .events = POLLIN };

		if (poll(&fd, 1, 20) <= 0)
			continue;
		server.sock = accept(server.listener, NULL, NULL);
		vmm_vu_channel_open(&server.channel, server.sock);
		server.kick_fd = -1;
		server.call_fd = -1;
		server.request_fd = -1;
		server.enabled = false;
		server.pendings = 0;
		server.inflight = NULL;
		__atomic_fetch_add(&server.sessions, 1, __ATOMIC_SEQ_CST);
		while (!__atomic_load_n(&server.end, __ATOMIC_ACQUIRE) && server_step())
			;
		if (server.inflight)
			munmap(server.inflight, 4096);
		close(server.kick_fd);
		close(server.call_fd);
		close(server.request_fd);
		vmm_vu_channel_close(&server.channel);
		close(server.sock);
	}
	return NULL;
}

/**
 * server_start - begin to serve
 * @features: of the device, in addition to those of all devices
 * @protocol: of the protocol
 */
void server_start(u64 features, u64 protocol)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[sizeof(server_path)] = "";

	memset(&server, 0, sizeof(server));
	server.features = features | BIT(VIRTIO_F_VERSION_1) | BIT(VU_F_PROTOCOL_FEATURES);
	server.protocol = protocol;
	server.capacity = CAPACITY;
	snprintf(path, sizeof(path), "/tmp/vhost_user_test.%d", getpid());
	/* Not written again, because a running machine may read it. */
	if (strcmp(path, server_path))
		memcpy(server_path, path, sizeof(path));
	unlink(server_path);
	memcpy(address.sun_path, server_path, sizeof(server_path));
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!bind(server.listener, (struct sockaddr *)&address, sizeof(address)) &&
		  !listen(server.listener, 1));
	pthread_create(&server.thread, NULL, server_run, NULL);
}

/**
 * server_stop - end the server and its connection
 */
void server_stop(void)
{
	__atomic_store_n(&server.end, true, __ATOMIC_RELEASE);
	pthread_join(server.thread, NULL);
	close(server.listener);
	unlink(server_path);
}
