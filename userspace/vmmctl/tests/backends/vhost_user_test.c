// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost-user front end between a driver and a server that are both played here.
 * The server answers in any order and dies in the middle of its work; the driver
 * must get each of its requests answered, once.
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
#include <sys/un.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "devices/devices.h"
#include "tests/tap.h"

#define BIT(bit)	(1ULL << (bit))
#define NUM		64
#define DEPTH		24
#define MEMORY		(4 * MIB)
#define AVAIL		0x1000
#define USED		0x2000
#define CELLS		0x10000
#define CAPACITY	0x1234

/**
 * struct server - a process, as a thread
 * @features: of the device
 * @protocol: of the protocol
 * @refuse: answers this request with a mistake
 * @mute: hangs up when it hears this request
 * @mortal: dies now and then
 * @limit: dies no more after that many deaths
 */
static struct server {
	u64 features;
	u64 protocol;
	u32 refuse;
	u32 mute;
	bool mortal;
	unsigned int limit;
	/* What it has seen. */
	unsigned int sessions;
	unsigned int deaths;
	unsigned int resets;
	u64 driver_features;
	/* Of one session. */
	int listener;
	int sock;
	int kick_fd;
	int call_fd;
	int request_fd;
	u64 base;
	u64 capacity;
	bool enabled;
	struct vhost_vring_addr addr;
	u16 last;
	u16 pending[NUM];
	unsigned int pendings;
	u8 *inflight;
	bool end;
	pthread_t thread;
} server;

static char path[64];
static u32 seed = 1;

static u32 random_below(u32 n)
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

/* ---- the server ---- */

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

/* Does one of those that it has; false if it dies over it. */
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

static void server_answer(struct vmm_vu_message *msg, u32 size, int fd)
{
	msg->flags = VU_REPLY;
	msg->size = size;
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
	struct vmm_vu_message msg;
	bool go_on;
	int fd;

	poll(fds, 2, server.pendings && server.enabled ? 0 : 100);
	if (fds[0].revents) {
		if (vmm_vu_receive(server.sock, &msg, &fd))
			return false;
		go_on = server_hear(&msg, &fd);
		if (fd >= 0)
			close(fd);
		return go_on;
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
		close(server.sock);
	}
	return NULL;
}

static void server_start(u64 features, u64 protocol)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(&server, 0, sizeof(server));
	server.features = features | BIT(VIRTIO_F_VERSION_1) | BIT(VU_F_PROTOCOL_FEATURES);
	server.protocol = protocol;
	server.capacity = CAPACITY;
	snprintf(path, sizeof(path), "/tmp/vhost_user_test.%d", getpid());
	unlink(path);
	memcpy(address.sun_path, path, sizeof(path));
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!bind(server.listener, (struct sockaddr *)&address, sizeof(address)) &&
		  !listen(server.listener, 1));
	pthread_create(&server.thread, NULL, server_run, NULL);
}

static void server_stop(void)
{
	__atomic_store_n(&server.end, true, __ATOMIC_RELEASE);
	pthread_join(server.thread, NULL);
	close(server.listener);
	unlink(path);
}

/* ---- the machine and its driver ---- */

static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static struct machine {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_virtio v;
	int end_fd;
	pthread_t thread;
	u16 seen;
	bool open[NUM];
	unsigned int under_way;
	unsigned int answered;
} m;

static void *loop_run(void *arg)
{
	(void)arg;
	vmm_loop_run(m.vm.loop);
	return NULL;
}

static int loop_end(void *arg)
{
	(void)arg;
	return 1;
}

static int machine_start(void)
{
	unsigned int i;
	int err;

	memset(&m, 0, sizeof(m));
	m.cfg.fronts[VMM_FRONT_VHOST_USER] = 1;
	m.cfg.front[VMM_FRONT_VHOST_USER][0] = (struct vmm_front){ .path = path };
	m.vm.cfg = &m.cfg;
	m.vm.loop = vmm_loop_create();
	m.end_fd = vmm_event_create();
	vmm_loop_add(m.vm.loop, m.end_fd, loop_end, NULL);
	tap_check(!vmm_mem_add(&m.vm.mem, RANCHU_RAM_BASE, MEMORY));
	server.base = (uintptr_t)&m.vm.mem;
	memset(regs, 0, sizeof(regs));
	vmm_virtio_idle(regs);
	m.v = (struct vmm_virtio){
		.ops = &vmm_vhost_user_ops, .vm = &m.vm, .regs = regs,
		.queues = VMM_VIRTIO_QUEUES, .queue_max = vmm_vhost_user_ops.queue_max,
	};
	pthread_mutex_init(&m.v.lock, NULL);
	m.v.call_fd = vmm_event_create();
	err = m.v.ops->create(&m.v);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		m.v.queue[i].kick_fd = vmm_event_create();
	if (!err)
		vmm_virtio_plug(&m.v);
	pthread_create(&m.thread, NULL, loop_run, NULL);
	return err;
}

static void machine_stop(bool created)
{
	unsigned int i;

	vmm_event_signal(m.end_fd);
	pthread_join(m.thread, NULL);
	if (created) {
		vmm_virtio_unplug(&m.v);
		m.v.ops->destroy(&m.v);
	}
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		close(m.v.queue[i].kick_fd);
	close(m.v.call_fd);
	close(m.end_fd);
	pthread_mutex_destroy(&m.v.lock);
	vmm_loop_destroy(m.vm.loop);
	vmm_mem_destroy(&m.vm.mem);
}

static void *ram(u64 offset)
{
	return (u8 *)m.vm.mem.region[0].hva + offset;
}

static void wr(u32 offset, u32 value)
{
	vmm_virtio_write(&m.v, offset, value, 4);
}

static u32 rd(u32 offset)
{
	return vmm_virtio_peek(regs, offset);
}

static bool needs_reset(void)
{
	return rd(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static u64 gpa(u64 offset)
{
	return m.vm.mem.region[0].base + offset;
}

static void driver_start_at(u64 features, u64 desc, u64 avail, u64 used)
{
	memset(ram(0), 0, 0x4000);
	memset(m.open, 0, sizeof(m.open));
	m.seen = 0;
	m.under_way = 0;
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	features &= m.v.offered;
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, NUM);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, gpa(desc));
	wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, gpa(avail));
	wr(VIRTIO_MMIO_QUEUE_USED_LOW, gpa(used));
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void driver_start(u64 features)
{
	driver_start_at(features, 0, AVAIL, USED);
}

static void driver_request(void)
{
	struct vring_desc *desc = ram(0);
	struct vring_avail *avail = ram(AVAIL);
	unsigned int head = random_below(NUM);

	while (m.open[head])
		head = (head + 1) % NUM;
	m.open[head] = true;
	m.under_way++;
	desc[head] = (struct vring_desc){
		.addr = gpa(CELLS + 64 * head), .len = 8, .flags = VRING_DESC_F_WRITE,
	};
	*(u64 *)ram(CELLS + 64 * head) = 0;
	avail->ring[avail->idx % NUM] = head;
	__atomic_store_n(&avail->idx, avail->idx + 1, __ATOMIC_RELEASE);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static bool driver_reap(void)
{
	struct vring_used *used = ram(USED);
	u16 end = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);

	for (; m.seen != end; m.seen++) {
		u32 head = used->ring[m.seen % NUM].id;

		if (!tap_check(head < NUM && m.open[head]) ||
		    !tap_check(*(u64 *)ram(CELLS + 64 * head) >= 1))
			return false;
		m.open[head] = false;
		m.under_way--;
		m.answered++;
	}
	/* The driver wants every interrupt. */
	((struct vring_avail *)ram(AVAIL))->ring[NUM] = m.seen;
	return true;
}

/* So many requests, and all of them answered. */
static bool driver_works(unsigned int count)
{
	unsigned int sent = 0;
	unsigned int idle = 0;

	m.answered = 0;
	while (m.answered < count) {
		unsigned int before = m.answered;

		while (sent < count && m.under_way < DEPTH && random_below(8)) {
			driver_request();
			sent++;
		}
		if (!driver_reap())
			return false;
		if (before != m.answered || sent < count) {
			idle = 0;
			continue;
		}
		usleep(1000);
		if (!tap_check(++idle < 10000))
			return false;
	}
	return tap_equal(m.under_way, 0);
}

static bool eventually(unsigned int *what, unsigned int value)
{
	unsigned int i;

	for (i = 0; i < 5000 && __atomic_load_n(what, __ATOMIC_SEQ_CST) < value; i++)
		usleep(1000);
	return tap_check(__atomic_load_n(what, __ATOMIC_SEQ_CST) >= value);
}

/* ---- cases ---- */

#define ALL	(~0ULL)
#define ACK	BIT(VU_P_REPLY_ACK)

static void disk_is_served(void)
{
	server_start(BIT(9), ACK | BIT(VU_P_CONFIG) | BIT(VU_P_MQ) | BIT(VU_P_RESET_DEVICE));
	if (tap_check(!machine_start())) {
		tap_equal(rd(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
		tap_equal(rd(VIRTIO_MMIO_CONFIG), CAPACITY);
		driver_start(ALL);
		tap_equal(server.driver_features, BIT(9) | BIT(VIRTIO_F_VERSION_1) |
			  BIT(VU_F_PROTOCOL_FEATURES));
		driver_works(3000);
		wr(VIRTIO_MMIO_STATUS, 0);
		tap_equal(server.resets, 1);
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

static void deaths(u64 features, u64 protocol)
{
	server_start(features, protocol | BIT(VU_P_CONFIG));
	server.mortal = true;
	server.limit = 20;
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		driver_works(4000);
		tap_equal(server.deaths, 20);
		tap_check(!needs_reset());
		machine_stop(true);
	}
	server_stop();
}

static void server_without_a_record_dies(void)
{
	deaths(0, ACK);
	deaths(BIT(VIRTIO_RING_F_EVENT_IDX), 0);
}

static void server_with_a_record_dies(void)
{
	deaths(0, ACK | BIT(VU_P_INFLIGHT_SHMFD));
}

static void driver_comes_while_nobody_serves(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		server_stop();
		driver_start(ALL);
		driver_request();
		tap_check(!needs_reset());
		server_start(0, ACK | BIT(VU_P_CONFIG));
		server.base = (uintptr_t)&m.vm.mem;
		if (eventually(&server.sessions, 1)) {
			while (m.under_way && driver_reap())
				usleep(1000);
			driver_works(500);
		}
		machine_stop(true);
	}
	server_stop();
}

static void configuration_changes(void)
{
	struct vmm_vu_message msg = { .request = VU_BACKEND_CONFIG_CHANGE };
	unsigned int i;

	server_start(0, ACK | BIT(VU_P_CONFIG) | BIT(VU_P_BACKEND_REQ));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		server.capacity = 2 * CAPACITY;
		vmm_vu_send(server.request_fd, &msg, NULL, 0);
		for (i = 0; i < 5000 && rd(VIRTIO_MMIO_CONFIG) != 2 * CAPACITY; i++)
			usleep(1000);
		tap_equal(rd(VIRTIO_MMIO_CONFIG), 2 * CAPACITY);
		tap_equal(rd(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
		machine_stop(true);
	}
	server_stop();
}

static void server_that_refuses(void)
{
	server_start(0, ACK | BIT(VU_P_CONFIG));
	server.refuse = VU_SET_MEM_TABLE;
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		tap_check(needs_reset());
		server.refuse = 0;
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
	/* Nothing of what it needs at its opening. */
	server_start(0, ACK);
	machine_stop(!tap_check(machine_start() == -EOPNOTSUPP));
	server.mute = VU_GET_FEATURES;
	machine_stop(!tap_check(machine_start() < 0));
	server_stop();
	machine_stop(!tap_check(machine_start() == -ENOENT));
}

/* A ring that no driver would make: said once, and the device asks for a reset. */
static void driver_that_lies(void)
{
	unsigned int i;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		driver_start(ALL);
		((struct vring_avail *)ram(AVAIL))->ring[0] = NUM;
		((struct vring_avail *)ram(AVAIL))->idx = 1;
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		for (i = 0; i < 5000 && !needs_reset(); i++)
			usleep(1000);
		tap_check(needs_reset());
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

/* Places where a ring cannot be: the device asks for a reset, and is well after it. */
static void driver_with_bad_addresses(void)
{
	static const struct { u64 desc, avail, used; } bad[] = {
		{ 8, AVAIL, USED }, { 1, AVAIL, USED }, { 0, AVAIL + 0xd, USED },
		{ 0, AVAIL + 1, USED }, { 0, AVAIL, USED + 2 }, { 0, AVAIL, USED + 1 },
		{ MEMORY, AVAIL, USED }, { 0, MEMORY - 2, USED }, { 0, AVAIL, MEMORY - 4 },
		{ MEMORY - 16, AVAIL, USED },
	};
	unsigned int i;

	server_start(0, ACK | BIT(VU_P_CONFIG));
	if (tap_check(!machine_start())) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			tap_context("row %u", i);
			driver_start_at(ALL, bad[i].desc, bad[i].avail, bad[i].used);
			/* An available entry, for a ring that is served nevertheless. */
			wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
			tap_check(needs_reset());
		}
		driver_start(ALL);
		driver_works(100);
		machine_stop(true);
	}
	server_stop();
}

static const struct tap_case cases[] = {
	{ "a disk is served, and again after a reset", disk_is_served },
	{ "a server without a record dies, and nothing is lost", server_without_a_record_dies },
	{ "a server with a record dies, and nothing is lost", server_with_a_record_dies },
	{ "a driver may come while nobody serves", driver_comes_while_nobody_serves },
	{ "a changed configuration is told", configuration_changes },
	{ "a server that refuses is heard", server_that_refuses },
	{ "a driver that lies breaks its own device", driver_that_lies },
	{ "a driver with bad addresses breaks its own device", driver_with_bad_addresses },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
