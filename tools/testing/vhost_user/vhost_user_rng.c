// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random numbers by vhost-user, over QEMU's libvhost-user; Debian has no such program.
 * Serves one front-end and ends with it.
 *
 *	vhost_user_rng SOCKET
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "libvhost-user.h"

#define WATCHES 4

/**
 * struct watch - a file that the library waits for
 * @fd: -1: none
 * @condition: of VU_WATCH_...
 * @fn: called then
 * @arg: its argument
 */
struct watch {
	int fd;
	int condition;
	vu_watch_cb fn;
	void *arg;
};

static struct watch watches[WATCHES];

static void rng_panic(VuDev *dev, const char *what)
{
	fprintf(stderr, "vhost_user_rng: %s\n", what);
	exit(1);
}

static struct watch *watch_find(int fd)
{
	unsigned int i;

	for (i = 0; i < WATCHES; i++) {
		if (watches[i].fd == fd)
			return &watches[i];
	}
	return NULL;
}

static void watch_set(VuDev *dev, int fd, int condition, vu_watch_cb fn, void *arg)
{
	struct watch *watch = watch_find(fd);

	if (!watch)
		watch = watch_find(-1);
	if (!watch)
		rng_panic(dev, "too many files to wait for");
	*watch = (struct watch){ .fd = fd, .condition = condition, .fn = fn, .arg = arg };
}

static void watch_remove(VuDev *dev, int fd)
{
	struct watch *watch = watch_find(fd);

	if (watch)
		watch->fd = -1;
}

static void rng_serve(VuDev *dev, int index)
{
	VuVirtq *vq = vu_get_queue(dev, index);
	VuVirtqElement *elem;
	unsigned int i, done;
	ssize_t got;

	while ((elem = vu_queue_pop(dev, vq, sizeof(*elem)))) {
		for (i = 0, done = 0; i < elem->in_num; i++) {
			got = getrandom(elem->in_sg[i].iov_base, elem->in_sg[i].iov_len, 0);
			if (got > 0)
				done += got;
			if (got != (ssize_t)elem->in_sg[i].iov_len)
				break;
		}
		vu_queue_push(dev, vq, elem, done);
		free(elem);
	}
	vu_queue_notify(dev, vq);
}

static void rng_started(VuDev *dev, int index, bool started)
{
	vu_set_queue_handler(dev, vu_get_queue(dev, index), started ? rng_serve : NULL);
}

static uint64_t rng_features(VuDev *dev)
{
	return 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
	       1ULL << VIRTIO_RING_F_INDIRECT_DESC;
}

static void rng_set_features(VuDev *dev, uint64_t features)
{
}

static const VuDevIface iface = {
	.get_features = rng_features,
	.set_features = rng_set_features,
	.queue_set_started = rng_started,
};

static int accept_one(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(at.sun_path))
		rng_panic(NULL, "too long a path");
	memcpy(at.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
		rng_panic(NULL, "cannot listen");
	return accept(fd, NULL, NULL);
}

/* What is ready is looked up again: a handler may have removed it. */
static void dispatch(VuDev *dev, int fd)
{
	const struct watch *watch = watch_find(fd);

	if (watch)
		watch->fn(dev, watch->condition, watch->arg);
}

int main(int argc, char **argv)
{
	struct pollfd fds[1 + WATCHES];
	VuDev dev;
	int i;

	if (argc != 2)
		return 2;
	for (i = 0; i < WATCHES; i++)
		watches[i].fd = -1;
	fds[0] = (struct pollfd){ .fd = accept_one(argv[1]), .events = POLLIN };
	if (!vu_init(&dev, 1, fds[0].fd, rng_panic, NULL, watch_set, watch_remove, &iface))
		rng_panic(&dev, "the library does not start");
	for (;;) {
		for (i = 0; i < WATCHES; i++)
			fds[1 + i] = (struct pollfd){ .fd = watches[i].fd, .events = POLLIN };
		poll(fds, 1 + WATCHES, -1);
		if (fds[0].revents && !vu_dispatch(&dev))
			break;
		for (i = 1; i <= WATCHES; i++) {
			if (fds[i].revents)
				dispatch(&dev, fds[i].fd);
		}
	}
	vu_deinit(&dev);
	return 0;
}
