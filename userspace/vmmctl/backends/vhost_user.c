// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front end of the vhost-user protocol: the queues of a virtio device are
 * processed by another process, which is connected by a Unix socket.
 *
 * The process may die and be started again at any time. While there is no process, the
 * guest sees the device, and its requests stay in their queues. A new process is given
 * the same features, memory and queues, and continues the requests in flight: from the
 * record in shared memory that the last process kept (INFLIGHT_SHMFD), or else from our
 * own record (vhost_shadow.c). For devices that may lose requests, as a network may lose
 * packets, it continues at the index of the used ring.
 *
 * Messages are sent with the virtio device's lock held: by vCPUs while the driver sets
 * the device up, and by the main thread when a process connects. A thread that finds
 * the connection broken shuts it down; the main thread then frees it.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"

#define BIT(bit)	(1ULL << (bit))
#define PROTOCOL	(BIT(VU_P_MQ) | BIT(VU_P_REPLY_ACK) | BIT(VU_P_BACKEND_REQ) | \
			 BIT(VU_P_CONFIG) | BIT(VU_P_INFLIGHT_SHMFD) | BIT(VU_P_RESET_DEVICE))
#define SHADOW_GPA	BIT(52)	/* behind all that a guest can have */
#define VU_NO_FD	BIT(8)	/* in the payload of a message that could have a file */
#define VU_RETRY	100	/* ms between attempts to connect */

static struct vmm_vhost_user *to_user(struct vmm_vhost *vhost)
{
	return (struct vmm_vhost_user *)vhost;
}

static bool has(const struct vmm_vhost_user *vu, unsigned int protocol)
{
	return vu->protocol >> protocol & 1;
}

/* ---- messages and answers ---- */

/* Ends the connection after an error; the main thread frees it, see peer_hung_up(). */
static int peer_failed(struct vmm_vhost_user *vu)
{
	shutdown(vu->vhost.fd, SHUT_RDWR);
	return -ENOTCONN;
}

/*
 * Sends a message with files and, if @answer is set, receives the answer into @msg.
 * -ENOTCONN if there is no connection, or no longer one.
 */
static int exchange(struct vmm_vhost_user *vu, struct vmm_vu_message *msg, const int *fds,
		    unsigned int count, bool answer, int *got_fd)
{
	u32 request = msg->request;

	if (vu->vhost.fd < 0)
		return -ENOTCONN;
	if (vmm_vu_send(vu->vhost.fd, msg, fds, count))
		return peer_failed(vu);
	if (!answer)
		return 0;
	if (vmm_vu_receive(vu->vhost.fd, msg, got_fd) || msg->request != request ||
	    !(msg->flags & VU_REPLY))
		return peer_failed(vu);
	return 0;
}

/* Sends a request with @size bytes of @data and receives as many. */
static int query(struct vmm_vhost_user *vu, enum vmm_vu_request request, void *data, u32 size,
		 int *fd)
{
	struct vmm_vu_message msg = { .request = request, .size = size };
	int err;

	memcpy(msg.payload, data, size);
	err = exchange(vu, &msg, NULL, 0, true, fd);
	if (err)
		return err;
	if (msg.size != size)
		return request == VU_GET_CONFIG ? -EOPNOTSUPP : peer_failed(vu);
	memcpy(data, msg.payload, size);
	return 0;
}

/* Sends a request that has no answer but, with REPLY_ACK, its success. */
static int send_files(struct vmm_vhost_user *vu, enum vmm_vu_request request, const void *data,
		      u32 size, const int *fds, unsigned int count)
{
	struct vmm_vu_message msg = { .request = request, .size = size };
	bool answer = has(vu, VU_P_REPLY_ACK);
	u64 result = 0;
	int err;

	if (answer)
		msg.flags = VU_NEED_REPLY;
	if (size)
		memcpy(msg.payload, data, size);
	err = exchange(vu, &msg, fds, count, answer, NULL);
	if (err || !answer)
		return err;
	if (msg.size != sizeof(result))
		return peer_failed(vu);
	memcpy(&result, msg.payload, sizeof(result));
	return result ? -EIO : 0;
}

static int send_request(struct vmm_vhost_user *vu, enum vmm_vu_request request, const void *data,
			u32 size, int fd)
{
	return send_files(vu, request, data, size, &fd, fd >= 0);
}

static int send_u64(struct vmm_vhost_user *vu, enum vmm_vu_request request, u64 value)
{
	return send_request(vu, request, &value, sizeof(value), -1);
}

static int send_file(struct vmm_vhost_user *vu, enum vmm_vu_request request, unsigned int index,
		     int fd)
{
	u64 value = index | (fd < 0 ? VU_NO_FD : 0);

	return send_request(vu, request, &value, sizeof(value), fd);
}

static int send_state(struct vmm_vhost_user *vu, enum vmm_vu_request request, unsigned int index,
		      u32 value)
{
	struct vhost_vring_state state = { .index = index, .num = value };

	return send_request(vu, request, &state, sizeof(state), -1);
}

/* ---- what every process is sent when it connects ---- */

static int query_u64(struct vmm_vhost_user *vu, enum vmm_vu_request request, u64 *value)
{
	struct vmm_vu_message msg = { .request = request };
	int err = exchange(vu, &msg, NULL, 0, true, NULL);

	if (err)
		return err;
	if (msg.size != sizeof(*value))
		return peer_failed(vu);
	memcpy(value, msg.payload, sizeof(*value));
	return 0;
}

static int negotiate_protocol(struct vmm_vhost_user *vu)
{
	u64 queues = VMM_VIRTIO_QUEUES;
	u64 protocol;
	int err;

	vu->protocol = 0;
	vu->queues = VMM_VIRTIO_QUEUES;
	if (!(vu->vhost.features & BIT(VU_F_PROTOCOL_FEATURES)))
		return 0;
	err = query_u64(vu, VU_GET_PROTOCOL_FEATURES, &protocol);
	if (!err)
		err = send_u64(vu, VU_SET_PROTOCOL_FEATURES, protocol & PROTOCOL);
	if (err)
		return err;
	vu->protocol = protocol & PROTOCOL;
	if (has(vu, VU_P_MQ))
		err = query_u64(vu, VU_GET_QUEUE_NUM, &queues);
	if (queues < vu->queues)
		vu->queues = queues;
	return err;
}

/* Sends the process its end of the channel for requests of its own. */
static int offer_backend_channel(struct vmm_vhost_user *vu)
{
	int pair[2];
	int err;

	if (!has(vu, VU_P_BACKEND_REQ) || !vu->config_changed)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	vmm_vu_set_timeouts(pair[0]);
	err = send_request(vu, VU_SET_BACKEND_REQ_FD, NULL, 0, pair[1]);
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		vu->request_fd = pair[0];
	return err;
}

static int handshake(struct vmm_vhost_user *vu)
{
	int err;

	err = query_u64(vu, VU_GET_FEATURES, &vu->vhost.features);
	if (!err)
		err = negotiate_protocol(vu);
	if (!err)
		err = send_request(vu, VU_SET_OWNER, NULL, 0, -1);
	if (!err)
		err = offer_backend_channel(vu);
	return err;
}

/* ---- what it is sent when a driver starts the device ---- */

/* A region of memory in SET_MEM_TABLE. */
struct region {
	u64 gpa;
	u64 size;
	u64 hva;
	u64 offset;
};

/* The guest's memory, and our rings at an address behind all guest memory. */
static int send_memory(struct vmm_vhost_user *vu)
{
	const struct vmm_mem *mem = &vu->vhost.v->vm->mem;
	struct {
		u32 count;
		u32 padding;
		struct region region[VMM_REGIONS + 1];
	} table = { .count = mem->regions };
	int fds[VMM_REGIONS + 1];
	unsigned int i;

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
	return send_files(vu, VU_SET_MEM_TABLE, &table,
			  offsetof(typeof(table), region) + table.count * sizeof(struct region),
			  fds, table.count);
}

static int send_features(struct vmm_vhost_user *vu, u64 features)
{
	int err;

	features |= vu->vhost.features & BIT(VU_F_PROTOCOL_FEATURES);
	err = send_u64(vu, VU_SET_FEATURES, features);
	return err ? err : send_memory(vu);
}

static void forget_inflight(struct vmm_vhost_user *vu)
{
	if (vu->inflight_fd >= 0)
		close(vu->inflight_fd);
	vu->inflight_fd = -1;
}

/* A new driver starts with an empty record; a new process continues with the last one's. */
static int send_inflight(struct vmm_vhost_user *vu)
{
	int err;

	if (!has(vu, VU_P_INFLIGHT_SHMFD))
		return 0;
	if (vu->inflight_fd < 0) {
		vu->inflight = (struct vmm_vu_inflight){
			.num_queues = vu->vhost.v->queues,
			.queue_size = vu->vhost.v->queue_max,
		};
		err = query(vu, VU_GET_INFLIGHT_FD, &vu->inflight, sizeof(vu->inflight),
			    &vu->inflight_fd);
		if (err)
			return err;
		if (vu->inflight_fd < 0)
			return peer_failed(vu);
	}
	return send_request(vu, VU_SET_INFLIGHT_FD, &vu->inflight, sizeof(vu->inflight),
			    vu->inflight_fd);
}

static int send_ring(struct vmm_vhost_user *vu, unsigned int index,
		     const struct vmm_vhost_ring *ring)
{
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->area[0].hva,
		.avail_user_addr = (uintptr_t)ring->area[1].hva,
		.used_user_addr = (uintptr_t)ring->area[2].hva,
	};
	int err;

	err = send_state(vu, VU_SET_VRING_NUM, index, ring->num);
	if (!err)
		err = send_state(vu, VU_SET_VRING_BASE, index, ring->base);
	if (!err)
		err = send_request(vu, VU_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	if (!err)
		err = send_file(vu, VU_SET_VRING_ERR, index, ring->err_fd);
	if (!err)
		err = send_file(vu, VU_SET_VRING_CALL, index, ring->call_fd);
	/* From here on the process reads the ring, once the ring is enabled. */
	if (!err)
		err = send_file(vu, VU_SET_VRING_KICK, index, ring->kick_fd);
	if (!err && vu->vhost.features & BIT(VU_F_PROTOCOL_FEATURES))
		err = send_state(vu, VU_SET_VRING_ENABLE, index, 1);
	return err;
}

/* ---- a driver starts and stops the device ---- */

/* A missing process is no error: the next one is sent everything by resume(). */
static int unless_disconnected(int err)
{
	return err == -ENOTCONN ? 0 : err;
}

static int user_set_features(struct vmm_vhost *vhost, u64 features)
{
	struct vmm_vhost_user *vu = to_user(vhost);
	int err;

	vu->lost = false;
	forget_inflight(vu);
	if (vu->shadow)
		vmm_shadow_reset(vu->shadow);
	err = send_features(vu, features);
	return unless_disconnected(err ? err : send_inflight(vu));
}

static int user_set_ring(struct vmm_vhost *vhost, unsigned int index,
			 const struct vmm_vhost_ring *ring)
{
	struct vmm_vhost_user *vu = to_user(vhost);
	struct vmm_vhost_ring given = *ring;
	int err = vu->shadow ? vmm_shadow_ring(vu->shadow, index, &given) : 0;

	return err ? err : unless_disconnected(send_ring(vu, index, &given));
}

/* The answer comes when the process no longer uses the ring. */
static void user_stop_ring(struct vmm_vhost *vhost, unsigned int index)
{
	struct vmm_vhost_user *vu = to_user(vhost);
	struct vhost_vring_state state = { .index = index };

	if (vhost->features & BIT(VU_F_PROTOCOL_FEATURES))
		send_state(vu, VU_SET_VRING_ENABLE, index, 0);
	query(vu, VU_GET_VRING_BASE, &state, sizeof(state), NULL);
}

static int start_shadow(struct vmm_vhost_user *vu)
{
	bool event_idx = vmm_virtio_accepted(vu->vhost.v, VIRTIO_RING_F_EVENT_IDX);

	if (!vu->shadow || vu->vhost.fd < 0)
		return 0;
	return vmm_shadow_start(vu->shadow, vu->vhost.fd, event_idx);
}

/* When it returns, nobody writes to the driver's memory any more. */
static int user_run(struct vmm_vhost *vhost, bool run)
{
	struct vmm_vhost_user *vu = to_user(vhost);

	if (run)
		return start_shadow(vu);
	if (vu->shadow)
		vmm_shadow_stop(vu->shadow, false);
	if (has(vu, VU_P_RESET_DEVICE))
		send_request(vu, VU_RESET_DEVICE, NULL, 0, -1);
	return 0;
}

/* ---- processes connect and disconnect ---- */

/* Fills @ring with where a new process continues. */
static int ring_to_resume(struct vmm_vhost_user *vu, unsigned int index,
			  struct vmm_vhost_ring *ring)
{
	int err = vmm_vhost_ring(&vu->vhost, index, ring);

	if (err)
		return err;
	if (vu->shadow)
		return vmm_shadow_ring(vu->shadow, index, ring);
	/* A packed ring has no index of what was used. */
	if (vmm_virtio_accepted(vu->vhost.v, VIRTIO_F_RING_PACKED))
		return -EOPNOTSUPP;
	/* The used ring's index, which only the process has written. */
	ring->base = le16toh(((const u16 *)ring->area[2].hva)[1]);
	return 0;
}

/* Sends a new process what the last one had. */
static int resume(struct vmm_vhost_user *vu)
{
	const struct vmm_virtio *v = vu->vhost.v;
	struct vmm_vhost_ring ring;
	unsigned int i;
	int err;

	if (v->accepted & vu->served & ~vu->vhost.features)
		return vmm_error(-EPROTO, "virtio-%s: %s lacks features that its driver uses",
				 v->name, vu->vhost.node);
	err = send_features(vu, v->accepted & vu->vhost.features);
	if (!err)
		err = send_inflight(vu);
	for (i = 0; !err && i < vu->vhost.rings; i++) {
		err = ring_to_resume(vu, i, &ring);
		if (err)
			return vmm_error(-err, "virtio-%s: the requests in flight are not known",
					 v->name);
		err = send_ring(vu, i, &ring);
		/* A kick or an interrupt may have been lost with the last process. */
		vmm_event_signal(ring.kick_fd);
		vmm_virtio_notify_queue(v, i);
	}
	return err ? err : start_shadow(vu);
}

static void retry_later(struct vmm_vhost_user *vu)
{
	struct itimerspec when = { .it_value.tv_nsec = VU_RETRY * 1000000 };

	timerfd_settime(vu->timer_fd, 0, &when, NULL);
}

static void close_watched(struct vmm_loop *loop, int *fd)
{
	if (*fd < 0)
		return;
	vmm_loop_del(loop, *fd);
	close(*fd);
	*fd = -1;
}

static void disconnect(struct vmm_vhost_user *vu)
{
	struct vmm_loop *loop = vu->vhost.v->vm->loop;

	close_watched(loop, &vu->request_fd);
	close_watched(loop, &vu->vhost.fd);
}

/* The process is gone, or has sent an invalid message. */
static int peer_hung_up(void *arg)
{
	struct vmm_vhost_user *vu = arg;
	struct vmm_virtio *v = vu->vhost.v;

	pthread_mutex_lock(&v->lock);
	if (vu->shadow)
		vmm_shadow_stop(vu->shadow, true);
	disconnect(vu);
	vu->lost = v->running && !vu->recovers;
	pthread_mutex_unlock(&v->lock);
	vmm_note("virtio-%s: nobody serves %s any more%s", v->name, vu->vhost.node,
		 vu->lost ? ", and what the guest had there is lost" : "");
	if (vu->lost)
		vmm_virtio_fail(v);
	retry_later(vu);
	return 0;
}

/* The process sends a request of its own. */
static int backend_request(void *arg)
{
	struct vmm_vhost_user *vu = arg;
	struct vmm_vu_message msg;
	u64 result = 0;

	if (vmm_vu_receive(vu->request_fd, &msg, NULL)) {
		close_watched(vu->vhost.v->vm->loop, &vu->request_fd);
		return 0;
	}
	if (msg.request == VU_BACKEND_CONFIG_CHANGE)
		vu->config_changed(vu->vhost.v);
	else
		result = 1;
	if (!(msg.flags & VU_NEED_REPLY))
		return 0;
	msg.flags = VU_REPLY;
	msg.size = sizeof(result);
	memcpy(msg.payload, &result, sizeof(result));
	vmm_vu_send(vu->request_fd, &msg, NULL, 0);
	return 0;
}

/* A hang-up is always reported; answers are read by the function that waits for them. */
static int watch(struct vmm_vhost_user *vu)
{
	struct vmm_loop *loop = vu->vhost.v->vm->loop;
	int err = vmm_loop_watch(loop, vu->vhost.fd, 0, peer_hung_up, vu);

	if (!err && vu->request_fd >= 0)
		err = vmm_loop_add(loop, vu->request_fd, backend_request, vu);
	return err;
}

static int reconnect(struct vmm_vhost_user *vu)
{
	struct vmm_virtio *v = vu->vhost.v;
	int err;

	err = handshake(vu);
	if (!err && v->running && !vu->lost)
		err = resume(vu);
	if (!err)
		err = watch(vu);
	if (err && vu->shadow)
		vmm_shadow_stop(vu->shadow, true);
	if (err)
		disconnect(vu);
	if (err && err != -ENOTCONN)
		vu->lost = v->running;
	return err;
}

static int retry_connection(void *arg)
{
	struct vmm_vhost_user *vu = arg;
	struct vmm_virtio *v = vu->vhost.v;
	u64 times;
	int sock;
	int err;

	if (read(vu->timer_fd, &times, sizeof(times)) != sizeof(times))
		return 0;
	sock = vmm_vu_connect(vu->vhost.node);
	if (sock < 0) {
		retry_later(vu);
		return 0;
	}
	pthread_mutex_lock(&v->lock);
	vu->vhost.fd = sock;
	err = reconnect(vu);
	pthread_mutex_unlock(&v->lock);
	if (!err) {
		vmm_note("virtio-%s: %s is served again", v->name, vu->vhost.node);
		return 0;
	}
	if (err != -ENOTCONN && vu->lost)
		vmm_virtio_fail(v);
	retry_later(vu);
	return 0;
}

static void user_close(struct vmm_vhost *vhost)
{
	struct vmm_vhost_user *vu = to_user(vhost);

	disconnect(vu);
	close_watched(vhost->v->vm->loop, &vu->timer_fd);
	forget_inflight(vu);
	vmm_shadow_destroy(vu->shadow);
	vu->shadow = NULL;
}

static const struct vmm_vhost_ops user_ops = {
	.set_features = user_set_features,
	.set_ring = user_set_ring,
	.stop_ring = user_stop_ring,
	.run = user_run,
	.close = user_close,
};

static int user_prepare(struct vmm_vhost_user *vu)
{
	int err;

	if (vu->exact && !has(vu, VU_P_INFLIGHT_SHMFD)) {
		vu->shadow = vmm_shadow_create();
		if (!vu->shadow)
			return -ENOMEM;
		vu->vhost.features &= ~BIT(VIRTIO_F_RING_PACKED);
	}
	err = vmm_vhost_watch(&vu->vhost);
	if (err)
		return err;
	vu->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (vu->timer_fd < 0)
		return vmm_error(errno, "timerfd");
	return vmm_loop_add(vu->vhost.v->vm->loop, vu->timer_fd, retry_connection, vu);
}

/**
 * vmm_vhost_user_open - connect to a process that serves a virtio device
 * @vu: filled, but for what its model has set: @recovers, @config_changed
 * @v: the virtio device
 * @path: the process's socket
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vhost_user_open(struct vmm_vhost_user *vu, struct vmm_virtio *v, const char *path)
{
	int err;

	vu->vhost = (struct vmm_vhost){
		.ops = &user_ops, .v = v, .node = path, .fd = -1, .err_fd = -1,
	};
	vu->shadow = NULL;
	vu->timer_fd = -1;
	vu->request_fd = -1;
	vu->inflight_fd = -1;
	vu->vhost.fd = vmm_vu_connect(path);
	if (vu->vhost.fd < 0)
		return vmm_error(-vu->vhost.fd, "--vhost-user: nobody serves %s", path);
	err = handshake(vu);
	if (err)
		vmm_error(-err, "--vhost-user: %s does not speak vhost-user", path);
	if (!err)
		err = user_prepare(vu);
	if (!err)
		err = watch(vu);
	if (err)
		vmm_vhost_close(&vu->vhost);
	vu->served = vu->vhost.features;
	return err;
}

/**
 * vmm_vhost_user_config - ask for the device's configuration
 * @vu: open
 * @config: filled
 * @len: bytes, from the beginning
 *
 * Context: without the virtio device's lock.
 * Return: 0, -EOPNOTSUPP, or -ENOTCONN
 */
int vmm_vhost_user_config(struct vmm_vhost_user *vu, void *config, u32 len)
{
	struct {
		u32 offset;
		u32 size;
		u32 flags;
		u8 config[VMM_VIRTIO_CONFIG];
	} space = { .size = len };
	int err = -EOPNOTSUPP;

	pthread_mutex_lock(&vu->vhost.v->lock);
	if (has(vu, VU_P_CONFIG))
		err = query(vu, VU_GET_CONFIG, &space, 3 * sizeof(u32) + len, NULL);
	pthread_mutex_unlock(&vu->vhost.v->lock);
	if (!err)
		memcpy(config, space.config, len);
	return err;
}
