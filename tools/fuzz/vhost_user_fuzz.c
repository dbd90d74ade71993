// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: a process that serves a vhost-user device and lies, while a driver starts,
 * uses and resets the device. The process is a thread: it answers as it should, answers
 * with something wrong, says what nobody has asked, sends files, hangs up and comes back.
 * The last half of the input is what it does. When it has gone, the driver's reset takes
 * the queues back, no file is left over, and an honest process is accepted again.
 */
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
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "devices/devices.h"
#include "fuzz.h"

#define MEMORY		(4 * MIB)
#define QUEUES		2
#define FEATURES	(1ULL << VU_F_PROTOCOL_FEATURES | 1ULL << VIRTIO_F_VERSION_1 | \
			 1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_F_RING_PACKED)
#define PROTOCOL	(1ULL << VU_P_MQ | 1ULL << VU_P_REPLY_ACK | 1ULL << VU_P_BACKEND_REQ | \
			 1ULL << VU_P_CONFIG)

static struct {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_virtio v;
	u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));
	int tick_fd;
	int listen_fd;
	char dir[64];
	char sock[80];
} fuzz;

/**
 * struct peer - the process
 * @sock: the connection, or -1
 * @request_fd: where it may ask for something itself, or -1
 * @protocol: features of the protocol that it offers
 * @in: what it does
 */
struct peer {
	int sock;
	int request_fd;
	u64 protocol;
	struct input in;
};

/* ---- the process ---- */

/* Waits a moment for something to be read. */
static bool comes(int fd)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return ppoll(&ready, 1, &moment, NULL) > 0;
}

static void peer_send(int sock, const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(2 * sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2] = { fd, fd };

	if (fd >= 0) {
		control.head.cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void peer_keep(struct peer *peer, int fd, bool asks)
{
	if (!asks) {
		close(fd);
		return;
	}
	if (peer->request_fd >= 0)
		close(peer->request_fd);
	peer->request_fd = fd;
}

static void peer_hang_up(struct peer *peer)
{
	if (peer->sock >= 0)
		close(peer->sock);
	if (peer->request_fd >= 0)
		close(peer->request_fd);
	peer->sock = -1;
	peer->request_fd = -1;
}

/* Receives a message whole; false if there is none, or the connection has ended. */
static bool peer_receive(struct peer *peer, struct vmm_vu_message *msg)
{
	size_t have = 0;
	size_t want = offsetof(struct vmm_vu_message, payload);
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
	} control;
	int fds[VU_FDS_MAX];
	ssize_t n;

	while (have < want) {
		struct iovec iov = { (u8 *)msg + have, want - have };
		struct msghdr hdr = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};
		struct cmsghdr *cmsg;
		size_t count = 0;

		if (!comes(peer->sock))
			return false;
		n = recvmsg(peer->sock, &hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n <= 0) {
			peer_hang_up(peer);
			return false;
		}
		cmsg = CMSG_FIRSTHDR(&hdr);
		if (cmsg) {
			count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(cmsg), count * sizeof(int));
		}
		have += n;
		while (count)
			peer_keep(peer, fds[--count], msg->request == VU_SET_BACKEND_REQ_FD);
		if (have == offsetof(struct vmm_vu_message, payload))
			want += msg->size;
		MUST(want <= sizeof(*msg));
	}
	return true;
}

/* Makes @msg its own honest answer; false if it has none. */
static bool peer_answer(const struct peer *peer, struct vmm_vu_message *msg, int *fd)
{
	struct vhost_vring_state state;
	struct vmm_vu_inflight inflight;
	u64 value = 0;

	switch (msg->request) {
	case VU_GET_FEATURES:
		value = FEATURES;
		break;
	case VU_GET_PROTOCOL_FEATURES:
		value = peer->protocol;
		break;
	case VU_GET_QUEUE_NUM:
		value = QUEUES;
		break;
	case VU_GET_CONFIG:
		msg->flags = VU_VERSION | VU_REPLY;
		return true;
	case VU_GET_VRING_BASE:
		memcpy(&state, msg->payload, sizeof(state));
		state.num = 0;
		memcpy(msg->payload, &state, sizeof(state));
		msg->flags = VU_VERSION | VU_REPLY;
		return true;
	case VU_GET_INFLIGHT_FD:
		memcpy(&inflight, msg->payload, sizeof(inflight));
		inflight.mmap_size = 4096;
		memcpy(msg->payload, &inflight, sizeof(inflight));
		*fd = memfd_create("inflight", MFD_CLOEXEC);
		msg->flags = VU_VERSION | VU_REPLY;
		return true;
	default:
		if (!(msg->flags & VU_NEED_REPLY))
			return false;
	}
	memcpy(msg->payload, &value, sizeof(value));
	msg->size = sizeof(value);
	msg->flags = VU_VERSION | VU_REPLY;
	return true;
}

/* Changes something about an answer. */
static void spoil(struct input *in, struct vmm_vu_message *msg, int *fd)
{
	unsigned int how = take(in, 1);

	switch (how & 7) {
	case 0:
		msg->request = take(in, 1);
		break;
	case 1:
		msg->flags = take(in, 1);
		break;
	case 2:
		msg->size = take(in, 2);
		break;
	case 3:
		msg->size = 0x100 + take(in, 4);
		break;
	case 4:
		if (*fd < 0)
			*fd = memfd_create("unasked", MFD_CLOEXEC);
		break;
	default:
		msg->payload[take(in, 1) % 64] = take(in, 1);
	}
}

/* Takes the next message and answers it, more or less. */
static void peer_serve(struct peer *peer, bool honest)
{
	struct vmm_vu_message msg;
	size_t len;
	int fd = -1;

	memset(&msg, 0, sizeof(msg));
	if (!peer_receive(peer, &msg) || !peer_answer(peer, &msg, &fd))
		return;
	if (!honest)
		spoil(&peer->in, &msg, &fd);
	len = offsetof(struct vmm_vu_message, payload) + msg.size;
	if (len > sizeof(msg))
		len = sizeof(msg);
	/* In two pieces now and then. */
	if (!honest && take(&peer->in, 1) & 1) {
		peer_send(peer->sock, &msg, 5, fd);
		peer_send(peer->sock, (u8 *)&msg + 5, len - 5, -1);
	} else {
		peer_send(peer->sock, &msg, len, fd);
	}
	if (fd >= 0)
		close(fd);
}

static void peer_asks(struct peer *peer)
{
	struct vmm_vu_message msg = {
		.request = take(&peer->in, 1) & 3,
		.flags = VU_VERSION | (take(&peer->in, 1) & VU_NEED_REPLY),
		.size = take(&peer->in, 1),
	};

	if (peer->request_fd >= 0)
		peer_send(peer->request_fd, &msg,
			  offsetof(struct vmm_vu_message, payload) + (msg.size & 0x3f), -1);
}

static void peer_says_anything(struct peer *peer)
{
	u8 bytes[32];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = take(&peer->in, 1);
	peer_send(peer->sock, bytes, 1 + (bytes[0] & 31), -1);
}

static void peer_accept(struct peer *peer)
{
	if (comes(fuzz.listen_fd))
		peer->sock = accept4(fuzz.listen_fd, NULL, NULL, SOCK_CLOEXEC);
}

static void *peer_run(void *arg)
{
	struct peer *peer = arg;

	while (peer->in.left) {
		unsigned int what = take(&peer->in, 1) & 15;

		if (peer->sock < 0) {
			peer->protocol = PROTOCOL;
			if (what & 1)
				peer->protocol |= 1ULL << VU_P_INFLIGHT_SHMFD;
			if (what & 2)
				peer->protocol ^= 1ULL << VU_P_REPLY_ACK;
			peer_accept(peer);
		} else if (what < 10) {
			peer_serve(peer, true);
		} else if (what < 13) {
			peer_serve(peer, false);
		} else if (what == 13) {
			peer_asks(peer);
		} else if (what == 14) {
			peer_says_anything(peer);
		} else {
			peer_hang_up(peer);
		}
	}
	peer_hang_up(peer);
	return NULL;
}

/* One that answers everything, until it is given something else to do. */
static void *peer_honest(void *arg)
{
	struct peer *peer = arg;

	while (!__atomic_load_n(&peer->in.left, __ATOMIC_ACQUIRE)) {
		if (peer->sock < 0)
			peer_accept(peer);
		else
			peer_serve(peer, true);
	}
	peer_hang_up(peer);
	return NULL;
}

/* ---- the machine ---- */

static int tick(void *arg)
{
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

/* What the main thread does. The next attempt to connect is not waited for. */
static void main_thread(void)
{
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };
	struct vmm_vhost_user *vu = fuzz.v.state;

	pthread_mutex_lock(&fuzz.v.lock);
	if (vu->phase == VMM_VU_CLOSED)
		timerfd_settime(vu->timer_fd, 0, &at_once, NULL);
	pthread_mutex_unlock(&fuzz.v.lock);
	vmm_event_signal(fuzz.tick_fd);
	MUST(!vmm_loop_add(fuzz.vm.loop, fuzz.tick_fd, tick, NULL));
	MUST(vmm_loop_run(fuzz.vm.loop) == 1);
	vmm_loop_del(fuzz.vm.loop, fuzz.tick_fd);
}

static void log_line(void *arg, const char *line, size_t len)
{
	MUST(!memmem(line, len, "a bug of vmmctl", 15));
}

static void clean_up(void)
{
	unlink(fuzz.sock);
	rmdir(fuzz.dir);
}

static void host_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(fuzz.dir, sizeof(fuzz.dir), "/tmp/vmmctl-fuzz-XXXXXX");
	MUST(mkdtemp(fuzz.dir));
	atexit(clean_up);
	snprintf(fuzz.sock, sizeof(fuzz.sock), "%s/sock", fuzz.dir);
	memcpy(at.sun_path, fuzz.sock, strlen(fuzz.sock));
	fuzz.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	MUST(!bind(fuzz.listen_fd, (struct sockaddr *)&at, sizeof(at)));
	MUST(!listen(fuzz.listen_fd, 64));
	fuzz.tick_fd = vmm_event_create();
}

static void wr(u32 offset, u32 value)
{
	vmm_virtio_mmio_write(&fuzz.v, offset, value, 4);
}

static bool device_served(void)
{
	const struct vmm_vhost_user *vu = fuzz.v.state;

	return vu->phase == VMM_VU_READY && !vu->waiting;
}

static void device_create(enum vmm_vhost_user_type type)
{
	struct peer peer = { .sock = -1, .request_fd = -1, .protocol = PROTOCOL };
	pthread_t thread;
	unsigned int i;

	fuzz.cfg = (struct vmm_config){
		.backends[VMM_BACKEND_VHOST_USER] = 1,
		.backend[VMM_BACKEND_VHOST_USER][0] = {
			.path = fuzz.sock, .type = type, .tag = "tag",
		},
	};
	fuzz.vm = (struct vmm_vm){ .cfg = &fuzz.cfg, .fd = -1, .loop = vmm_loop_create() };
	MUST(fuzz.vm.loop && !vmm_mem_add(&fuzz.vm.mem, RANCHU_RAM_BASE, MEMORY));
	vmm_virtio_mmio_idle(fuzz.regs);
	fuzz.v = (struct vmm_virtio){
		.ops = &vmm_vhost_user_ops, .vm = &fuzz.vm, .regs = fuzz.regs,
		.queues = VMM_VIRTIO_QUEUES, .queue_max = vmm_vhost_user_ops.queue_max,
	};
	pthread_mutex_init(&fuzz.v.lock, NULL);
	pthread_cond_init(&fuzz.v.idle, NULL);
	fuzz.v.call_fd = vmm_event_create();
	MUST(!pthread_create(&thread, NULL, peer_honest, &peer));
	MUST(!fuzz.v.ops->create(&fuzz.v));
	__atomic_store_n(&peer.in.left, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		fuzz.v.queue[i].kick_fd = vmm_event_create();
	vmm_virtio_mmio_plug(&fuzz.v);
}

static void device_destroy(void)
{
	unsigned int i;

	vmm_virtio_mmio_unplug(&fuzz.v);
	fuzz.v.ops->destroy(&fuzz.v);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		close(fuzz.v.queue[i].kick_fd);
	close(fuzz.v.call_fd);
	pthread_cond_destroy(&fuzz.v.idle);
	pthread_mutex_destroy(&fuzz.v.lock);
	vmm_loop_destroy(fuzz.vm.loop);
	vmm_mem_destroy(&fuzz.vm.mem);
}

/* ---- the driver ---- */

static void driver_start(struct input *in)
{
	unsigned int how = take(in, 1);
	unsigned int queue;

	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, fuzz.v.offered & (how & 1 ? ~0U : 0));
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, (fuzz.v.offered >> 32) & (how & 2 ? ~0U : 1));
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
	   VIRTIO_CONFIG_S_FEATURES_OK);
	for (queue = 0; queue < 1 + (how >> 2 & 1); queue++) {
		u32 at = RANCHU_RAM_BASE + queue * 0x8000;

		wr(VIRTIO_MMIO_QUEUE_SEL, queue);
		wr(VIRTIO_MMIO_QUEUE_NUM, 1 << (how >> 4 & 7));
		wr(VIRTIO_MMIO_QUEUE_DESC_LOW, at);
		wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x2000);
		wr(VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x4000);
		wr(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
	   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Bytes of the rings, which a process writes, too. */
static void poke_rings(struct input *in)
{
	u8 *to = fuzz.vm.mem.region[0].hva;
	unsigned int at = take(in, 2) % 0x10000;
	unsigned int i;

	for (i = 0; i < 8; i++)
		__atomic_store_n(&to[at + i], take(in, 1), __ATOMIC_RELAXED);
}

static void act(struct input *in)
{
	unsigned int what = take(in, 1) & 15;

	if (what < 8)
		main_thread();
	else if (what < 10)
		driver_start(in);
	else if (what == 10)
		wr(VIRTIO_MMIO_STATUS, 0);
	else if (what < 13)
		vmm_virtio_mmio_write(&fuzz.v, take(in, 1) & ~3U, take(in, 2), 4);
	else if (what == 13)
		poke_rings(in);
	else
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, take(in, 1) & 3);
}

/* How many files are open: the lowest free number, if none below is free. */
static int files(void)
{
	int fd = dup(fuzz.listen_fd);

	close(fd);
	return fd;
}

/* Another process is accepted, whatever the last one did. */
static void serve_honestly(void)
{
	struct peer peer = { .sock = -1, .request_fd = -1, .protocol = PROTOCOL };
	pthread_t thread;
	unsigned int i;

	MUST(!pthread_create(&thread, NULL, peer_honest, &peer));
	for (i = 0; i < 5000 && !device_served(); i++) {
		main_thread();
		usleep(100);
	}
	MUST(device_served());
	wr(VIRTIO_MMIO_STATUS, 0);
	MUST(!fuzz.v.stop_pending);
	__atomic_store_n(&peer.in.left, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum vmm_vhost_user_type types[] = {
		VMM_VHOST_USER_BLK, VMM_VHOST_USER_FS, VMM_VHOST_USER_NET, VMM_VHOST_USER_RNG,
	};
	struct input in = { data, size - size / 2 };
	struct peer peer = {
		.sock = -1, .request_fd = -1, .protocol = PROTOCOL,
		.in = { data + size - size / 2, size / 2 },
	};
	pthread_t thread;
	int before;

	if (!fuzz.listen_fd) {
		host_open();
		vmm_log_also(log_line, NULL);
	}
	before = files();
	device_create(types[take(&in, 1) % ARRAY_SIZE(types)]);
	MUST(!pthread_create(&thread, NULL, peer_run, &peer));
	while (in.left)
		act(&in);
	wr(VIRTIO_MMIO_STATUS, 0);
	pthread_join(thread, NULL);
	serve_honestly();
	device_destroy();
	MUST(files() == before);
	return 0;
}
