// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-vsock-adb: what a VMM does with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vsock_driver.h"

static const unsigned int ring_size[VS_RINGS] = { VS_RX_NUM, VS_TX_NUM, 8 };

int __vs_probe(void)
{
	int fd = open(VS_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void all_free(struct vs_dev *dev)
{
	unsigned int i;

	for (i = 0; i < VS_RX_NUM; i++)
		dev->rx_free[i] = i;
	for (i = 0; i < VS_TX_NUM; i++)
		dev->tx_free[i] = i;
	dev->n_rx_free = VS_RX_NUM;
	dev->n_tx_free = VS_TX_NUM;
}

void vs_reset_rings(struct vs_dev *dev)
{
	unsigned int i;

	for (i = 0; i < VS_RINGS; i++)
		vq_ring_reset(&dev->rings[i], vq_ring_first_base(&dev->rings[i]));
	all_free(dev);
}

void vs_open(struct vs_dev *dev, uint64_t features)
{
	unsigned int i;

	*dev = (struct vs_dev){ .features = features };
	dev->fd = open(VS_DEV_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (dev->fd < 0)
		vq_die("%s: %s", VS_DEV_PATH, strerror(errno));
	vq_mem_create(&dev->mem, VQ_MEM_GPA, VS_SPARE + VS_RX_NUM * VS_RX_SIZE +
		      VS_TX_NUM * VS_TX_SIZE + (2u << 20));
	for (i = 0; i < VS_RINGS; i++)
		vq_ring_create(&dev->rings[i], &dev->mem, features, ring_size[i]);
	dev->rx_gpa = vq_mem_alloc(&dev->mem, VS_RX_NUM * VS_RX_SIZE, VQ_PAGE);
	dev->tx_gpa = vq_mem_alloc(&dev->mem, VS_TX_NUM * VS_TX_SIZE, VQ_PAGE);
	all_free(dev);
}

void vs_set_up(struct vs_dev *dev)
{
	unsigned int i;

	vq_ioctl(dev->fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(dev->fd, VHOST_SET_FEATURES, &dev->features);
	vq_mem_tell(dev->fd, &dev->mem, 3, 7);
	for (i = 0; i < VS_RINGS; i++)
		vq_ring_attach(dev->fd, i, &dev->rings[i]);
}

void vs_create(struct vs_dev *dev, uint64_t cid, uint64_t features)
{
	int err;

	vs_open(dev, features);
	vs_set_up(dev);
	err = __vs_set_cid(dev, cid);
	if (err)
		vq_die("SET_GUEST_CID: %s", strerror(-err));
	vs_run(dev, 1);
	/* Whoever polls is listening. */
	vs_has_event(dev);
	vs_give_all(dev);
}

void vs_destroy(struct vs_dev *dev)
{
	unsigned int i;

	if (!dev->mem.guest)
		return;
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
	for (i = 0; i < VS_RINGS; i++)
		vq_ring_destroy(&dev->rings[i]);
	vq_mem_destroy(&dev->mem);
}

int __vs_set_cid(struct vs_dev *dev, uint64_t cid)
{
	int err = __vq_ioctl(dev->fd, VHOST_VSOCK_SET_GUEST_CID, &cid);

	if (!err)
		dev->cid = cid;
	return err;
}

int __vs_run(struct vs_dev *dev, int running)
{
	return __vq_ioctl(dev->fd, VHOST_VSOCK_SET_RUNNING, &running);
}

void vs_run(struct vs_dev *dev, int running)
{
	int err = __vs_run(dev, running);

	if (err)
		vq_die("SET_RUNNING %d: %s", running, strerror(-err));
}

int __vs_connect(struct vs_dev *dev, uint32_t guest_port, uint32_t *host_port,
		 int fd, uint64_t cookie)
{
	struct vhost_vsock_adb_connect connect = {
		.guest_port = guest_port, .host_port = *host_port, .fd = fd,
		.cookie = cookie,
	};
	int err = __vq_ioctl(dev->fd, VHOST_VSOCK_ADB_CONNECT, &connect);

	*host_port = connect.host_port;
	return err;
}

int __vs_attach(struct vs_dev *dev, uint32_t guest_port, uint32_t host_port,
		int fd, uint64_t cookie)
{
	struct vhost_vsock_adb_attach attach = {
		.guest_port = guest_port, .host_port = host_port, .fd = fd,
		.cookie = cookie,
	};

	return __vq_ioctl(dev->fd, VHOST_VSOCK_ADB_ATTACH, &attach);
}

void vs_get_stats(struct vs_dev *dev, struct vhost_vsock_adb_stats *stats)
{
	*stats = (struct vhost_vsock_adb_stats){ .size = sizeof(*stats) };
	vq_ioctl(dev->fd, VHOST_VSOCK_ADB_GET_STATS, stats);
}

bool vs_has_event(struct vs_dev *dev)
{
	struct pollfd pfd = { .fd = dev->fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

bool vs_try_event(struct vs_dev *dev, struct vhost_vsock_adb_event *event)
{
	ssize_t len = read(dev->fd, event, sizeof(*event));

	if (len < 0 && errno == EAGAIN)
		return false;
	if (len != sizeof(*event))
		vq_die("read of an event: %zd, %s", len, strerror(errno));
	return true;
}

void vs_event(struct vs_dev *dev, struct vhost_vsock_adb_event *event)
{
	struct pollfd pfd = { .fd = dev->fd, .events = POLLIN };

	/* One that was there may have been taken back since. */
	do {
		if (poll(&pfd, 1, VQ_PATIENCE_MS) <= 0)
			vq_die("no event");
	} while (!vs_try_event(dev, event));
}

void vs_expect_event_at(const char *file, int line, struct vs_dev *dev,
			uint32_t type, uint32_t guest_port, uint32_t host_port,
			uint32_t error, uint64_t cookie)
{
	struct vhost_vsock_adb_event event;

	vs_event(dev, &event);
	if (event.type == type && event.guest_port == guest_port &&
	    event.host_port == host_port && event.error == error &&
	    event.cookie == cookie)
		return;
	vq_die_at(file, line,
		  "event %u of %u:%u, error %u, cookie %#llx; wanted %u of %u:%u, %u, %#llx",
		  event.type, event.guest_port, event.host_port, event.error,
		  (unsigned long long)event.cookie, type, guest_port, host_port,
		  error, (unsigned long long)cookie);
}

/* All CPU time of this process; the worker is a thread of it. */
static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ull +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

bool vs_sleeps(void)
{
	const uint64_t window_us = 250000;
	unsigned int i;
	uint64_t before;

	for (i = 0; i < 20; i++) {
		before = cpu_us();
		usleep(window_us);
		if (cpu_us() - before < window_us / 2)
			return true;
	}
	return false;
}
