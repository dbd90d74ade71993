// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-console: the guest's /dev/hvc0 is a connection to a Unix socket of the
 * host. When the other end is gone the guest's output is dropped.
 *
 * Source: VIRTIO 1.2, 5.3
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/virtio_ids.h>

#include "devices/devices.h"
#include "virtio/ring.h"

enum { HVC_RECEIVE, HVC_TRANSMIT, HVC_QUEUES };

#define HVC_BUFFERS	64

/**
 * struct hvc - a console
 * @dev: its queues
 * @fd: the connection
 * @end_fd: eventfd: @reader is to end
 * @room_fd: eventfd: the guest may have room again
 * @reader: takes what comes from the connection
 */
struct hvc {
	struct vmm_ring_device dev;
	int fd;
	int end_fd;
	int room_fd;
	pthread_t reader;
};

/* A slow reader holds the guest's output back, and nothing else. */
static void hvc_send(struct vmm_ring *ring, const struct hvc *hvc, struct ranchu_chain *chain)
{
	struct iovec *iov = chain->iov;
	unsigned int n = chain->n_out;
	struct pollfd ready = { .fd = hvc->fd, .events = POLLOUT };

	while (n && !vmm_ring_stopping(ring)) {
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
		ssize_t sent = sendmsg(hvc->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN) {
			/* Not for ever: the ring may be stopped meanwhile. */
			poll(&ready, 1, 100);
			continue;
		}
		if (sent < 0)
			return;
		for (; n && (size_t)sent >= iov->iov_len; n--, iov++)
			sent -= iov->iov_len;
		if (n) {
			iov->iov_base = (u8 *)iov->iov_base + sent;
			iov->iov_len -= sent;
		}
	}
}

static bool hvc_kicked(struct vmm_ring *ring)
{
	struct hvc *hvc = container_of(ring->dev, struct hvc, dev);
	struct iovec iov[HVC_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = HVC_BUFFERS };

	if (ring->index == HVC_RECEIVE) {
		vmm_event_signal(hvc->room_fd);
		return false;
	}
	while (!vmm_ring_stopping(ring) && ranchu_vq_next(&ring->vq, &chain) > 0) {
		hvc_send(ring, hvc, &chain);
		ranchu_vq_push(&ring->vq, &chain, 0);
	}
	return true;
}

/* Takes room that the guest has; if there is none, it kicks when there is. */
static bool hvc_room(struct vmm_ring *ring, struct ranchu_chain *chain)
{
	while (ranchu_vq_next(&ring->vq, chain) <= 0) {
		if (!ranchu_vq_enable_kicks(&ring->vq))
			return false;
	}
	return true;
}

/* Returns what was received, 0 at its end, or -EAGAIN: the guest has no room. */
static ssize_t hvc_receive(struct hvc *hvc)
{
	struct vmm_ring *ring = &hvc->dev.ring[HVC_RECEIVE];
	struct iovec iov[HVC_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = HVC_BUFFERS };
	ssize_t got = -EAGAIN;

	pthread_mutex_lock(&ring->lock);
	if (ring->live && hvc_room(ring, &chain)) {
		got = readv(hvc->fd, iov + chain.n_out, chain.n_in);
		if (got > 0)
			ranchu_vq_push(&ring->vq, &chain, got);
		else
			ranchu_vq_put_back(&ring->vq, &chain);
		vmm_ring_update(ring);
	}
	pthread_mutex_unlock(&ring->lock);
	return got;
}

static void *hvc_reader(void *arg)
{
	struct hvc *hvc = arg;
	struct pollfd fds[] = {
		{ .fd = hvc->end_fd, .events = POLLIN },
		{ .fd = hvc->room_fd, .events = POLLIN },
		{ .fd = hvc->fd, .events = POLLIN },
	};
	ssize_t got;

	for (;;) {
		poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			vmm_event_clear(hvc->room_fd);
		fds[2].fd = hvc->fd;
		if (!fds[1].revents && !fds[2].revents)
			continue;
		poll(&fds[2], 1, 0);
		if (!fds[2].revents)
			continue;
		got = hvc_receive(hvc);
		/* Without room, only room or the end is of interest; at the end, nothing. */
		if (got == -EAGAIN)
			fds[2].fd = -1;
		else if (got <= 0)
			break;
	}
	poll(fds, 1, -1);
	return NULL;
}

static void hvc_close_files(struct hvc *hvc)
{
	if (hvc->fd >= 0)
		close(hvc->fd);
	if (hvc->end_fd >= 0)
		close(hvc->end_fd);
	if (hvc->room_fd >= 0)
		close(hvc->room_fd);
}

static int hvc_open_files(struct hvc *hvc, const struct vmm_virtio *v)
{
	hvc->end_fd = -1;
	hvc->room_fd = -1;
	hvc->fd = vmm_extra_connect(v->vm->cfg, VMM_EXTRA_CONSOLE, v->index);
	if (hvc->fd < 0)
		return hvc->fd;
	hvc->end_fd = vmm_event_create();
	if (hvc->end_fd < 0)
		return hvc->end_fd;
	hvc->room_fd = vmm_event_create();
	return hvc->room_fd < 0 ? hvc->room_fd : 0;
}

static int hvc_create(struct vmm_virtio *v)
{
	struct hvc *hvc = calloc(1, sizeof(*hvc));
	int err;

	if (!hvc)
		return vmm_error(ENOMEM, "console");
	err = hvc_open_files(hvc, v);
	if (err)
		goto err_files;
	err = vmm_ring_device_open(&hvc->dev, v, 0, hvc_kicked);
	if (err)
		goto err_files;
	err = pthread_create(&hvc->reader, NULL, hvc_reader, hvc);
	if (err) {
		err = vmm_error(err, "cannot start a thread");
		goto err_served;
	}
	v->state = hvc;
	return 0;

err_served:
	vmm_ring_device_close(&hvc->dev);
err_files:
	hvc_close_files(hvc);
	free(hvc);
	return err;
}

static void hvc_destroy(struct vmm_virtio *v)
{
	struct hvc *hvc = v->state;

	vmm_event_signal(hvc->end_fd);
	pthread_join(hvc->reader, NULL);
	vmm_ring_device_close(&hvc->dev);
	hvc_close_files(hvc);
	free(hvc);
}

static unsigned int hvc_count(const struct vmm_config *cfg)
{
	return vmm_extra_count(cfg, VMM_EXTRA_CONSOLE);
}

/** virtio-console, one port. */
const struct vmm_virtio_ops vmm_hvc_ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.queues = HVC_QUEUES,
	.queue_max = 128,
	.count = hvc_count,
	.create = hvc_create,
	.destroy = hvc_destroy,
	.start = vmm_ring_model_start,
	.stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
};
