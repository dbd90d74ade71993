// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exchange of messages with a vhost-user process: sends the steps of a phase one
 * after the other, and takes the answer to each that has one. Nothing here waits. All
 * functions are called with the virtio device's lock held.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "backends/vhost_user.h"

/**
 * vmm_vu_set_timer - have @vu->timer_fd tick
 * @vu: the process
 * @ms: after so many milliseconds; 0 for never
 */
void vmm_vu_set_timer(struct vmm_vhost_user *vu, unsigned int ms)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L },
	};

	timerfd_settime(vu->timer_fd, 0, &when, NULL);
}

/**
 * vmm_vu_enter - begin a phase
 * @vu: the process
 * @phase: the phase
 */
void vmm_vu_enter(struct vmm_vhost_user *vu, enum vmm_vu_phase phase)
{
	vu->phase = phase;
	vu->position = 0;
	pthread_cond_broadcast(&vu->changed);
}

/**
 * vmm_vu_give_up - send nothing more on a connection
 * @vu: connected
 * @err: why, -errno
 *
 * The connection of a process without rings is closed. One with rings is asked to hang
 * up, which says that it does not use them any more. The main thread does what follows.
 */
void vmm_vu_give_up(struct vmm_vhost_user *vu, int err)
{
	shutdown(vu->vhost.fd, vu->given ? SHUT_WR : SHUT_RDWR);
	if (vu->waiting && vu->waiting->request == VU_GET_CONFIG)
		vu->config_wanted = true;
	vu->waiting = NULL;
	vu->error = err;
	vmm_vu_set_timer(vu, 0);
	vmm_vu_enter(vu, VMM_VU_LINGERING);
}

/**
 * vmm_vu_fail_start - do nothing more for a driver that cannot be served
 * @vu: connected
 * @err: why, -errno
 * @why: said behind the process's name
 */
void vmm_vu_fail_start(struct vmm_vhost_user *vu, int err, const char *why)
{
	vmm_vhost_blame(&vu->vhost, -err, "%s %s", vu->vhost.node, why);
	vu->lost = true;
	vu->failed = err;
	vmm_vu_enter(vu, VMM_VU_READY);
}

static void step_failed(struct vmm_vhost_user *vu, int err)
{
	if (err == -EPROTO || vu->phase == VMM_VU_OPENING)
		vmm_vu_give_up(vu, err);
	else if (vu->phase == VMM_VU_STARTING)
		vmm_vu_fail_start(vu, err, "refuses the guest's queues");
}

static int send_step(struct vmm_vhost_user *vu, const struct vmm_vu_step *step,
		     unsigned int ring)
{
	bool answered = !step->silent && (step->done || vmm_vu_has(vu, VU_P_REPLY_ACK));
	struct vmm_vu_message msg = { .request = step->request };
	int fds[VU_FDS_MAX];
	int count = 0;
	int err;

	vu->position++;
	if (step->fill)
		count = step->fill(vu, ring, &msg, fds);
	if (count < 0)
		return count;
	if (answered && !step->done)
		msg.flags = VU_NEED_REPLY;
	err = vmm_vu_send(vu->vhost.fd, &msg, fds, count);
	if (vu->passed_fd >= 0)
		close(vu->passed_fd);
	vu->passed_fd = -1;
	if (err) {
		vmm_vu_give_up(vu, err);
		return 0;
	}
	if (!answered)
		return 0;
	vu->waiting = step;
	vmm_vu_set_timer(vu, VU_TIMEOUT);
	return 0;
}

/**
 * vmm_vu_advance - send what can be sent before an answer has to come
 * @vu: may be without a connection
 *
 * Context: any thread, the device's lock is held; does not wait.
 */
void vmm_vu_advance(struct vmm_vhost_user *vu)
{
	const struct vmm_vu_step *step;
	unsigned int ring;
	int err;

	while (!vu->waiting && vu->phase != VMM_VU_CLOSED && vu->phase != VMM_VU_LINGERING) {
		if (vu->phase == VMM_VU_READY && !vu->config_wanted)
			return;
		step = vmm_vu_step(vu, &ring);
		if (!step) {
			vmm_vu_phase_done(vu);
		} else if (step->wanted && !step->wanted(vu)) {
			vu->position++;
		} else {
			err = send_step(vu, step, ring);
			if (err)
				step_failed(vu, err);
		}
	}
}

/* A message has arrived: it must be the answer that is waited for. */
static void take_answer(struct vmm_vhost_user *vu)
{
	const struct vmm_vu_message *msg = &vu->channel.msg;
	const struct vmm_vu_step *step = vu->waiting;
	u64 result = 0;
	int err = 0;

	if (!step || msg->request != step->request || !(msg->flags & VU_REPLY)) {
		vmm_vu_give_up(vu, -EPROTO);
		return;
	}
	if (step->done)
		err = step->done(vu);
	else if (msg->size != sizeof(result))
		err = -EPROTO;
	else
		memcpy(&result, msg->payload, sizeof(result));
	if (result)
		err = -EIO;
	vu->waiting = NULL;
	vmm_vu_set_timer(vu, 0);
	if (err)
		step_failed(vu, err);
	vmm_vu_advance(vu);
}

/**
 * vmm_vu_hung_up - tell whether a process that was given up has closed its end
 * @vu: connected
 *
 * Return: whether it has, or is dead
 */
bool vmm_vu_hung_up(const struct vmm_vhost_user *vu)
{
	struct pollfd fd = { .fd = vu->vhost.fd };

	return poll(&fd, 1, 0) > 0;
}

/**
 * vmm_vu_take_input - take the answers that have arrived, and go on
 * @vu: may be without a connection
 *
 * Context: as vmm_vu_advance()
 */
void vmm_vu_take_input(struct vmm_vhost_user *vu)
{
	int err = 0;

	while (!err && vu->phase != VMM_VU_CLOSED && vu->phase != VMM_VU_LINGERING) {
		err = vmm_vu_receive(&vu->channel);
		if (!err)
			take_answer(vu);
		else if (err != -EAGAIN)
			vmm_vu_give_up(vu, err);
	}
}
