// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-console: connects the guest's /dev/hvc0 to a Unix socket of the host. If the peer has
 * gone, the guest's output is dropped.
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
 * @stream: the connection
 * @end_fd: eventfd, signalled when @reader is to end
 * @room_fd: eventfd, signalled when the guest may have room again
 * @reader: thread that reads from the connection
 */
struct hvc {
	struct vmm_ring_device dev;
	struct vmm_stream stream;
	int end_fd;
	int room_fd;
	struct vmm_thread reader;
};

static bool hvc_kicked(struct vmm_ring *ring)
{
	struct hvc *hvc = container_of(ring->dev, struct hvc, dev);
	struct iovec iov[HVC_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = HVC_BUFFERS };

	if (ring->index == HVC_RECEIVE) {
		vmm_event_signal(hvc->room_fd);
		return false;
	}
	while (vmm_ring_next(ring, &chain) > 0) {
		vmm_stream_send(&hvc->stream, iov, chain.n_out);
		vmm_ring_push(ring, &chain, 0);
	}
	return true;
}

/* Takes a buffer of the guest; if there is none, asks for a kick. */
static bool hvc_room(struct vmm_ring *ring, struct ranchu_chain *chain)
{
	while (ranchu_vq_next(&ring->vq, chain) <= 0) {
		if (!ranchu_vq_enable_kicks(&ring->vq))
			return false;
	}
	return true;
}

/*
 * Returns how many bytes were received, 0 at the end of the connection, -EAGAIN if the guest
 * has no room, or another -errno.
 */
static ssize_t hvc_receive(struct hvc *hvc)
{
	struct vmm_ring *ring = &hvc->dev.ring[HVC_RECEIVE];
	struct iovec iov[HVC_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = HVC_BUFFERS };
	ssize_t got = -EAGAIN;

	pthread_mutex_lock(&ring->lock);
	if (ring->live && hvc_room(ring, &chain)) {
		got = -EINTR;
		if (chain.n_in)
			got = readv(hvc->stream.fd, iov + chain.n_out, chain.n_in);
		/* -EAGAIN is returned for a guest without room only, not for an empty socket. */
		if (got < 0 && chain.n_in)
			got = errno == EAGAIN ? -EINTR : -errno;
		/* A buffer that is not writable is returned unused. */
		if (!chain.n_in)
			vmm_ring_push(ring, &chain, 0);
		else if (got > 0)
			vmm_ring_push(ring, &chain, got);
		else
			ranchu_vq_put_back(&ring->vq, &chain);
		vmm_ring_update(ring);
	}
	pthread_mutex_unlock(&ring->lock);
	return got;
}

/* While the guest has no room, the connection's end is not noticed. */
static bool hvc_read(struct hvc *hvc)
{
	ssize_t got = hvc_receive(hvc);

	if (!got || (got < 0 && got != -EAGAIN && got != -EINTR))
		vmm_stream_lose(&hvc->stream);
	return got != -EAGAIN;
}

static void *hvc_reader(void *arg)
{
	struct hvc *hvc = arg;
	struct pollfd fds[] = {
		{ .fd = hvc->end_fd, .events = POLLIN },
		{ .fd = hvc->room_fd, .events = POLLIN },
		{ .events = POLLIN },
	};
	bool room = true;

	for (;;) {
		fds[2].fd = room ? vmm_stream_poll_fd(&hvc->stream) : -1;
		fds[2].revents = 0;
		poll(fds, ARRAY_SIZE(fds), vmm_stream_timeout(&hvc->stream));
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			vmm_event_clear(hvc->room_fd);
		room |= fds[1].revents;
		if (fds[2].revents)
			room = hvc_read(hvc);
		vmm_stream_retry(&hvc->stream);
	}
}

static void hvc_close_files(struct hvc *hvc)
{
	vmm_stream_close(&hvc->stream);
	if (hvc->end_fd >= 0)
		close(hvc->end_fd);
	if (hvc->room_fd >= 0)
		close(hvc->room_fd);
}

static int hvc_open_files(struct hvc *hvc, const struct vmm_virtio *v)
{
	int err;

	hvc->end_fd = -1;
	hvc->room_fd = -1;
	err = vmm_builtin_connect(v->vm->cfg, VMM_BUILTIN_CONSOLE, v->index, &hvc->stream);
	if (err)
		return err;
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
	vmm_thread_add(v->vm, &hvc->reader, "console", hvc_reader, hvc);
	v->state = hvc;
	return 0;

err_files:
	hvc_close_files(hvc);
	free(hvc);
	return err;
}

static void hvc_destroy(struct vmm_virtio *v)
{
	struct hvc *hvc = v->state;

	vmm_event_signal(hvc->end_fd);
	vmm_thread_remove(v->vm, &hvc->reader);
	vmm_ring_device_close(&hvc->dev);
	hvc_close_files(hvc);
	free(hvc);
}

static void hvc_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	const struct hvc *hvc = v->state;

	vmm_ring_model_stats(v, report);
	vmm_report_add(report, "console_dropped_bytes",
		       __atomic_load_n(&hvc->stream.dropped, __ATOMIC_RELAXED));
}

static unsigned int hvc_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_CONSOLE);
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
	.start_queue = vmm_ring_model_start_queue,
	.stop_queue = vmm_ring_model_stop_queue,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.stats = hvc_stats,
};
