// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front end of the vhost-user protocol: the queues of a virtio device are
 * processed by another process, which is connected by a Unix socket.
 *
 * Nothing waits for that process but the driver that takes its queues back. The
 * connection is a state machine (enum vmm_vu_phase): messages are sent one after the
 * other (vhost_user_exchange.c), by vCPUs when the driver starts or stops the device and by
 * the main loop when an answer has come. A process that leaves a message unanswered for
 * VU_TIMEOUT is given up.
 *
 * The process may die and be started again at any time. While there is no process, the
 * guest sees the device, and its requests stay in their queues. A new process is given
 * the same features, memory and queues, and continues the requests in flight: from the
 * record in shared memory that the last process kept (INFLIGHT_SHMFD), or else from our
 * own record (vhost_shadow.c). For devices that may lose requests, as a network may lose
 * packets, it continues at the index of the used ring.
 *
 * At most one process has rings. One that was given rings and is given up has its
 * connection closed in one direction only; there is no other connection until it has
 * closed its end, or is dead. See user_stop() for what a driver is promised.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "host/ending.h"
#include "host/unix.h"

#define BIT(bit)	(1ULL << (bit))
#define VU_RETRY	100	/* ms between attempts to connect */
#define VU_TIMEOUT_END	100	/* the same while the VM ends */
#define VU_SLICE	20	/* ms between two looks at whether the VM ends */

static struct vmm_vhost_user *to_user(struct vmm_vhost *vhost)
{
	return (struct vmm_vhost_user *)vhost;
}

/* ---- what a new process is given ---- */

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

/* Gives a new process what the last one had. */
static void resume(struct vmm_vhost_user *vu)
{
	const struct vmm_virtio *v = vu->vhost.v;
	unsigned int i;
	int err;

	if (vmm_virtio_for_backend(v) & vu->offered & ~vu->vhost.features) {
		vmm_vu_fail_start(vu, -EOPNOTSUPP, "lacks features that the driver uses");
		return;
	}
	for (i = 0; i < vu->rings; i++) {
		err = ring_to_resume(vu, i, &vu->ring[i]);
		if (err) {
			vmm_vu_fail_start(vu, err, "cannot know the requests in flight");
			return;
		}
		/* A kick or an interrupt may have been lost with the last process. */
		vmm_event_signal(vu->ring[i].kick_fd);
		vmm_virtio_notify_queue(v, i);
	}
	vmm_vu_enter(vu, VMM_VU_STARTING);
}

static int start_shadow(struct vmm_vhost_user *vu)
{
	bool event_idx = vmm_virtio_accepted(vu->vhost.v, VIRTIO_RING_F_EVENT_IDX);

	return vu->shadow ? vmm_shadow_start(vu->shadow, vu->vhost.fd, event_idx) : 0;
}

static void opened(struct vmm_vhost_user *vu)
{
	vmm_vu_enter(vu, VMM_VU_READY);
	vmm_count(&vu->connections, 1);
	if (vu->started && !vu->lost)
		resume(vu);
	if (!vu->announced)
		vmm_note("virtio-%s: %s is served again", vu->vhost.v->name, vu->vhost.node);
	vu->announced = true;
}

/**
 * vmm_vu_phase_done - go on after the last step of a phase
 * @vu: connected
 */
void vmm_vu_phase_done(struct vmm_vhost_user *vu)
{
	enum vmm_vu_phase phase = vu->phase;
	int err;

	if (phase == VMM_VU_OPENING) {
		opened(vu);
		return;
	}
	vmm_vu_enter(vu, VMM_VU_READY);
	if (phase == VMM_VU_STARTING) {
		vu->overdue = false;
		err = start_shadow(vu);
		if (err)
			vmm_vu_fail_start(vu, err, "cannot be started");
	} else if (phase == VMM_VU_STOPPING) {
		vu->given = 0;
		vu->vhost.v->stop_pending = false;
	}
}

/* ---- a driver starts and stops the device ---- */

static int user_set_features(struct vmm_vhost *vhost, u64 features)
{
	struct vmm_vhost_user *vu = to_user(vhost);

	(void)features;
	/* A process may still use what the driver has given before. */
	if (vhost->v->stop_pending)
		return -EBUSY;
	vu->lost = false;
	vu->failed = 0;
	vu->rings = 0;
	vmm_vu_forget_inflight(vu);
	if (vu->shadow)
		vmm_shadow_reset(vu->shadow);
	return 0;
}

static int user_set_ring(struct vmm_vhost *vhost, unsigned int index,
			 const struct vmm_vhost_ring *ring)
{
	struct vmm_vhost_user *vu = to_user(vhost);

	vu->ring[index] = *ring;
	vu->rings = index + 1;
	return vu->shadow ? vmm_shadow_ring(vu->shadow, index, &vu->ring[index]) : 0;
}

/* A missing process is no error: the next one is given everything by resume(). */
static int user_start(struct vmm_vhost_user *vu)
{
	int err;

	vu->started = true;
	if (vu->phase != VMM_VU_READY)
		return 0;
	vmm_vu_enter(vu, VMM_VU_STARTING);
	vmm_vu_advance(vu);
	err = vu->failed;
	vu->failed = 0;
	return err;
}

static bool stopping(const struct vmm_vhost_user *vu)
{
	return vu->given || vu->phase == VMM_VU_STOPPING;
}

/*
 * How long a stop may wait. Between two lives of the guest its RAM is about to be cleared.
 * A driver that asks again has waited already.
 */
static int stop_timeout(const struct vmm_vhost_user *vu)
{
	const struct vmm_vm *vm = vu->vhost.v->vm;
	enum vmm_end end = vmm_vm_ended(vm);
	bool between = end == VMM_END_NONE && !vm->vcpus;

	if (vmm_ending_signal() || (end != VMM_END_NONE && !between))
		return VU_TIMEOUT_END;
	return vu->vhost.v->stop_pending && !between ? 0 : VU_TIMEOUT;
}

static s64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * Waits a moment for the process, without the lock. While vCPUs run, the main loop takes
 * what the process says; else this does.
 */
static void wait_a_slice(struct vmm_vhost_user *vu)
{
	const struct vmm_vm *vm = vu->vhost.v->vm;
	short events = vu->phase == VMM_VU_LINGERING ? 0 : POLLIN;
	struct pollfd fd = { .fd = vu->vhost.fd, .events = events };
	struct timespec until;

	if (vm->vcpus && !vmm_vm_ended(vm)) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += VU_SLICE * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_cond_clockwait(&vu->changed, &vu->vhost.v->lock, CLOCK_MONOTONIC,
				       &until);
		return;
	}
	pthread_mutex_unlock(&vu->vhost.v->lock);
	poll(&fd, 1, VU_SLICE);
	pthread_mutex_lock(&vu->vhost.v->lock);
	vmm_vu_take_input(vu);
	/* A process may have to get rid of a frame before it answers. */
	if (vu->gpu && !vm->vcpus)
		vmm_gpu_socket_serve(vu->gpu);
	if (vu->phase == VMM_VU_LINGERING && vmm_vu_hung_up(vu))
		vu->given = 0;
}

/*
 * When it returns, no process uses the driver's rings and memory any more: it has said
 * so, has hung up, or is dead. Or else @stop_pending is set: the device asks for a reset
 * and is given to no driver until one of these has happened.
 */
static int user_stop(struct vmm_vhost_user *vu)
{
	struct vmm_virtio *v = vu->vhost.v;
	s64 began = now_ms();

	vu->started = false;
	if (vu->shadow)
		vmm_shadow_stop(vu->shadow, false);
	if (vu->phase == VMM_VU_STARTING || vu->phase == VMM_VU_READY) {
		vmm_vu_enter(vu, VMM_VU_STOPPING);
		vmm_vu_advance(vu);
	}
	while (stopping(vu) && now_ms() - began < stop_timeout(vu))
		wait_a_slice(vu);
	v->stop_pending = stopping(vu);
	if (v->stop_pending && !vmm_vm_ended(v->vm))
		vmm_vhost_blame(&vu->vhost, ETIMEDOUT, "%s does not give the queues back",
				vu->vhost.node);
	return 0;
}

static int user_run(struct vmm_vhost *vhost, bool run)
{
	return run ? user_start(to_user(vhost)) : user_stop(to_user(vhost));
}

/* ---- processes connect and disconnect; main thread ---- */

static void close_channel(struct vmm_vhost_user *vu, struct vmm_vu_channel *channel)
{
	int fd = channel->sock;

	vmm_vu_channel_close(channel);
	if (fd < 0)
		return;
	vmm_loop_del(vu->vhost.v->vm->loop, fd);
	close(fd);
}

static void disconnect(struct vmm_vhost_user *vu)
{
	close_channel(vu, &vu->requests);
	close_channel(vu, &vu->channel);
	if (vu->gpu)
		vmm_gpu_socket_close(vu->gpu);
	vu->vhost.fd = -1;
	vu->waiting = NULL;
	vu->given = 0;
	vu->vhost.v->stop_pending = false;
	vmm_vu_enter(vu, VMM_VU_CLOSED);
	vmm_vu_set_timer(vu, VU_RETRY);
}

/* The process is dead, or has closed its end of the connection. */
static void peer_gone(struct vmm_vhost_user *vu)
{
	struct vmm_virtio *v = vu->vhost.v;
	bool lost = vu->started && vu->given && !vu->recovers;

	if (vu->shadow)
		vmm_shadow_stop(vu->shadow, true);
	disconnect(vu);
	if (lost && !vu->lost) {
		vu->lost = true;
		vu->failed = -EPIPE;
	}
	if (vu->announced)
		vmm_note("virtio-%s: nobody serves %s any more%s", v->name, vu->vhost.node,
			 lost ? ", and what the guest had there is lost" : "");
	vu->announced = false;
}

/* Tells the driver what has happened. */
static void unlock_and_report(struct vmm_vhost_user *vu)
{
	bool config_new = vu->config_new && vu->config_changed;
	int failed = vu->failed;

	vu->failed = 0;
	vu->config_new = false;
	pthread_mutex_unlock(&vu->vhost.v->lock);
	if (failed)
		vmm_virtio_fail(vu->vhost.v);
	if (config_new)
		vu->config_changed(vu->vhost.v, vu->config);
}

static int backend_request(void *arg);

/* The channel for requests is there once it was offered. */
static int watch_requests(struct vmm_vhost_user *vu, bool before)
{
	if (before || vu->requests.sock < 0)
		return 0;
	return vmm_loop_add(vu->vhost.v->vm->loop, vu->requests.sock, backend_request, vu);
}

static int peer_event(void *arg)
{
	struct vmm_vhost_user *vu = arg;
	struct vmm_virtio *v = vu->vhost.v;
	bool requests;

	pthread_mutex_lock(&v->lock);
	requests = vu->requests.sock >= 0;
	vmm_vu_take_input(vu);
	if (watch_requests(vu, requests))
		vmm_vu_give_up(vu, -EMFILE);
	if (vu->phase == VMM_VU_LINGERING) {
		if (vmm_vu_hung_up(vu)) {
			peer_gone(vu);
		} else {
			/* What it still says is not read; only its end is of interest. */
			vmm_loop_del(v->vm->loop, vu->vhost.fd);
			vmm_loop_watch(v->vm->loop, vu->vhost.fd, 0, peer_event, vu);
		}
	}
	unlock_and_report(vu);
	return 0;
}

/* Answers a request of the process; true if there may be another one. */
static bool take_request(struct vmm_vhost_user *vu)
{
	struct vmm_vu_message msg;
	u64 result;
	int err = vmm_vu_receive(&vu->requests);

	if (err == -EAGAIN)
		return false;
	if (err) {
		close_channel(vu, &vu->requests);
		return false;
	}
	msg = vu->requests.msg;
	result = msg.request != VU_BACKEND_CONFIG_CHANGE;
	if (!result)
		vu->config_wanted = vmm_vu_has(vu, VU_P_CONFIG);
	if (!(msg.flags & VU_NEED_REPLY))
		return true;
	msg.flags = VU_REPLY;
	msg.size = sizeof(result);
	memcpy(msg.payload, &result, sizeof(result));
	if (vmm_vu_send(vu->requests.sock, &msg, NULL, 0))
		close_channel(vu, &vu->requests);
	return vu->requests.sock >= 0;
}

static int backend_request(void *arg)
{
	struct vmm_vhost_user *vu = arg;

	pthread_mutex_lock(&vu->vhost.v->lock);
	/* One at a time: others in the loop come in between. */
	take_request(vu);
	vmm_vu_advance(vu);
	unlock_and_report(vu);
	return 0;
}

static int connect_to(struct vmm_vhost_user *vu)
{
	int sock = vmm_unix_dial(vu->vhost.node);
	int err;

	if (sock < 0)
		return sock;
	err = vmm_loop_add(vu->vhost.v->vm->loop, sock, peer_event, vu);
	if (err) {
		close(sock);
		return err;
	}
	vu->vhost.fd = sock;
	vmm_vu_channel_open(&vu->channel, sock);
	vmm_vu_enter(vu, VMM_VU_OPENING);
	vmm_vu_advance(vu);
	return 0;
}

/* The next attempt to connect is due, or an answer is overdue. */
static int timer_event(void *arg)
{
	struct vmm_vhost_user *vu = arg;
	u64 times;

	pthread_mutex_lock(&vu->vhost.v->lock);
	if (read(vu->timer_fd, &times, sizeof(times)) == sizeof(times)) {
		if (vu->phase == VMM_VU_CLOSED) {
			if (connect_to(vu))
				vmm_vu_set_timer(vu, VU_RETRY);
		} else if (vu->waiting) {
			if (!vu->overdue)
				vmm_note("virtio-%s: %s does not answer", vu->vhost.v->name,
					 vu->vhost.node);
			vu->overdue = true;
			vmm_count(&vu->timeouts, 1);
			vmm_vu_give_up(vu, -ETIMEDOUT);
		}
	}
	unlock_and_report(vu);
	return 0;
}

static void user_close(struct vmm_vhost *vhost)
{
	struct vmm_vhost_user *vu = to_user(vhost);

	disconnect(vu);
	if (vu->timer_fd >= 0) {
		vmm_loop_del(vhost->v->vm->loop, vu->timer_fd);
		close(vu->timer_fd);
	}
	vu->timer_fd = -1;
	vmm_vu_forget_inflight(vu);
	vmm_shadow_destroy(vu->shadow);
	vu->shadow = NULL;
	pthread_cond_destroy(&vu->changed);
}

static const struct vmm_vhost_ops user_ops = {
	.set_features = user_set_features,
	.set_ring = user_set_ring,
	.run = user_run,
	.close = user_close,
};

/* ---- the device is created: nobody else runs yet ---- */

/*
 * Waits a moment for the process. Whoever asks the VM to end, or how it is, gets an answer:
 * the main loop is served, but for devices, which are not all there yet. (A test may have
 * no loop but that.)
 */
static void wait_and_serve(struct vmm_vhost_user *vu)
{
	struct vmm_vm *vm = vu->vhost.v->vm;
	struct vmm_loop *loop = vmm_loop_main(vm->loop);
	struct pollfd fd = { .fd = vu->vhost.fd, .events = POLLIN };
	int end = 0;

	pthread_mutex_unlock(&vu->vhost.v->lock);
	if (loop == vm->loop) {
		poll(&fd, 1, VU_SLICE);
	} else {
		vmm_loop_hold(vm->loop, true);
		end = vmm_loop_serve(loop, fd.fd, VU_SLICE);
		vmm_loop_hold(vm->loop, false);
	}
	if (end)
		vmm_vm_end(vm, end < 0 ? VMM_END_ERROR : end);
	pthread_mutex_lock(&vu->vhost.v->lock);
}

/* Waits until nothing is under way; the lock is held. */
static int wait_until_ready(struct vmm_vhost_user *vu)
{
	s64 began = now_ms();
	bool said = false;

	while (vu->phase != VMM_VU_LINGERING && (vu->phase != VMM_VU_READY || vu->waiting)) {
		s64 waited = now_ms() - began;

		if (vmm_ending_signal() || vmm_vm_ended(vu->vhost.v->vm))
			vmm_vu_give_up(vu, -EINTR);
		else if (waited > VU_TIMEOUT)
			vmm_vu_give_up(vu, -ETIMEDOUT);
		if (waited > 1000 && !said) {
			vmm_note("--vhost-user: waiting for %s", vu->vhost.node);
			said = true;
		}
		wait_and_serve(vu);
		vmm_vu_take_input(vu);
		if (vu->gpu)
			vmm_gpu_socket_serve(vu->gpu);
	}
	return vu->phase == VMM_VU_READY ? 0 : vu->error;
}

static int first_connection(struct vmm_vhost_user *vu)
{
	const char *path = vu->vhost.node;
	int err = connect_to(vu);

	if (err == -ENOENT || err == -ECONNREFUSED)
		return vmm_error(-err, "--vhost-user: nobody serves %s", path);
	if (err)
		return vmm_error(-err, "--vhost-user: cannot connect to %s", path);
	err = wait_until_ready(vu);
	if (!err)
		err = watch_requests(vu, false);
	if (err == -ETIMEDOUT || err == -EINTR)
		return vmm_error(-err, "--vhost-user: %s does not answer", path);
	if (err)
		return vmm_error(-err, "--vhost-user: %s does not speak vhost-user", path);
	return 0;
}

static int user_prepare(struct vmm_vhost_user *vu)
{
	if (vu->exact && !vmm_vu_has(vu, VU_P_INFLIGHT_SHMFD)) {
		vu->shadow = vmm_shadow_create();
		if (!vu->shadow)
			return -ENOMEM;
		vu->vhost.features &= ~BIT(VIRTIO_F_RING_PACKED);
	}
	return vmm_vhost_watch(&vu->vhost);
}

static int user_open(struct vmm_vhost_user *vu)
{
	int err;

	vu->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (vu->timer_fd < 0)
		return vmm_error(errno, "timerfd");
	err = vmm_loop_add(vu->vhost.v->vm->loop, vu->timer_fd, timer_event, vu);
	if (err)
		return err;
	pthread_mutex_lock(&vu->vhost.v->lock);
	err = first_connection(vu);
	if (!err)
		err = user_prepare(vu);
	pthread_mutex_unlock(&vu->vhost.v->lock);
	return err;
}

/**
 * vmm_vhost_user_open - connect to a process that serves a virtio device
 * @vu: zero, but for what its model has set: @recovers, @exact, @config_len,
 *	@gpu, @config_changed
 * @v: the virtio device
 * @path: the process's socket
 *
 * Waits for the process's answers, for some seconds at most.
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
	vu->passed_fd = -1;
	vu->inflight_fd = -1;
	vmm_vu_channel_open(&vu->channel, -1);
	vmm_vu_channel_open(&vu->requests, -1);
	pthread_cond_init(&vu->changed, NULL);
	/* That it is served is news only after it was not. */
	vu->announced = true;
	err = user_open(vu);
	if (err)
		vmm_vhost_close(&vu->vhost);
	vu->offered = vu->vhost.features;
	return err;
}

/**
 * vmm_vhost_user_config - read the device's configuration
 * @vu: was just opened
 * @config: filled with @vu->config_len bytes
 *
 * Later changes are told by @vu->config_changed.
 *
 * Return: 0, or -errno without a message; -EOPNOTSUPP if the process has none
 */
int vmm_vhost_user_config(struct vmm_vhost_user *vu, void *config)
{
	int err = -EOPNOTSUPP;

	pthread_mutex_lock(&vu->vhost.v->lock);
	if (vmm_vu_has(vu, VU_P_CONFIG)) {
		vu->config_wanted = true;
		vmm_vu_advance(vu);
		err = wait_until_ready(vu);
		if (!err)
			err = vu->config_error;
		vu->config_new = false;
	}
	pthread_mutex_unlock(&vu->vhost.v->lock);
	if (!err)
		memcpy(config, vu->config, vu->config_len);
	return err;
}
