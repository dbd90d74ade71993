// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-ranchu-test: what a VMM does with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vq_driver.h"

int __vq_ioctl(int fd, unsigned long request, const void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

void vq_ioctl_at(const char *file, int line, int fd, unsigned long request,
		 const void *arg)
{
	int err = __vq_ioctl(fd, request, arg);

	if (err)
		vq_die_at(file, line, "ioctl 0x%lx: %s", request, strerror(-err));
}

int __vq_dev_open(struct vq_dev *dev)
{
	*dev = (struct vq_dev){ .fd = open(VQ_DEV_PATH, O_RDWR | O_CLOEXEC) };
	return dev->fd < 0 ? -errno : 0;
}

int __vq_set_state(int fd, unsigned long request, unsigned int index, uint32_t num)
{
	struct vhost_vring_state state = { .index = index, .num = num };

	return __vq_ioctl(fd, request, &state);
}

uint32_t vq_get_base(int fd, unsigned int index)
{
	struct vhost_vring_state state = { .index = index };

	vq_ioctl(fd, VHOST_GET_VRING_BASE, &state);
	return state.num;
}

int __vq_set_file(int fd, unsigned long request, unsigned int index, int file)
{
	struct vhost_vring_file arg = { .index = index, .fd = file };

	return __vq_ioctl(fd, request, &arg);
}

int __vq_set_addr(int fd, unsigned int index, const struct vq_ring *ring,
		  unsigned int flags, uint64_t log)
{
	struct vhost_vring_addr addr = {
		.index = index,
		.flags = flags,
		.desc_user_addr = vq_mem_host(ring->mem, ring->desc),
		.avail_user_addr = vq_mem_host(ring->mem, ring->driver),
		.used_user_addr = vq_mem_host(ring->mem, ring->device),
		.log_guest_addr = log,
	};

	return __vq_ioctl(fd, VHOST_SET_VRING_ADDR, &addr);
}

void vq_ring_attach(int fd, unsigned int i, const struct vq_ring *ring)
{
	if (__vq_set_state(fd, VHOST_SET_VRING_NUM, i, ring->num) ||
	    __vq_set_addr(fd, i, ring, 0, 0) ||
	    __vq_set_file(fd, VHOST_SET_VRING_KICK, i, ring->kick) ||
	    __vq_set_file(fd, VHOST_SET_VRING_CALL, i, ring->call) ||
	    __vq_set_file(fd, VHOST_SET_VRING_ERR, i, ring->err))
		vq_die("ring %u cannot be set up", i);
}

void vq_dev_set_up(struct vq_dev *dev)
{
	unsigned int i;

	vq_ioctl(dev->fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(dev->fd, VHOST_SET_FEATURES, &dev->features);
	vq_mem_tell(dev->fd, &dev->mem, 1, 1);
	for (i = 0; i < VQ_RINGS; i++)
		vq_ring_attach(dev->fd, i, &dev->rings[i]);
}

void vq_dev_create(struct vq_dev *dev, uint64_t features, unsigned int num,
		   size_t mem_size)
{
	unsigned int i;
	int err;

	err = __vq_dev_open(dev);
	if (err)
		vq_die("%s: %s", VQ_DEV_PATH, strerror(-err));
	dev->features = features;
	vq_mem_create(&dev->mem, VQ_MEM_GPA, mem_size);
	for (i = 0; i < VQ_RINGS; i++)
		vq_ring_create(&dev->rings[i], &dev->mem, features, num);
	vq_dev_set_up(dev);
}

void vq_dev_destroy(struct vq_dev *dev)
{
	unsigned int i;

	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
	for (i = 0; i < VQ_RINGS; i++)
		vq_ring_destroy(&dev->rings[i]);
	vq_mem_destroy(&dev->mem);
}

int __vq_dev_run(struct vq_dev *dev, int running)
{
	return __vq_ioctl(dev->fd, VHOST_RANCHU_TEST_SET_RUNNING, &running);
}

void vq_dev_run(struct vq_dev *dev, int running)
{
	int err = __vq_dev_run(dev, running);

	if (err)
		vq_die("SET_RUNNING %d: %s", running, strerror(-err));
}

void vq_dev_set_mode(struct vq_dev *dev, unsigned int index, uint32_t flags,
		     uint32_t batch, uint32_t hold)
{
	struct vhost_ranchu_test_mode mode = {
		.index = index, .flags = flags, .batch = batch, .hold = hold,
	};

	vq_ioctl(dev->fd, VHOST_RANCHU_TEST_SET_MODE, &mode);
}

void vq_dev_get_stats(struct vq_dev *dev, unsigned int index,
		      struct vhost_ranchu_test_stats *stats)
{
	*stats = (struct vhost_ranchu_test_stats){ .index = index };
	vq_ioctl(dev->fd, VHOST_RANCHU_TEST_GET_STATS, stats);
}

uint64_t vq_dev_faults(struct vq_dev *dev)
{
	struct vhost_ranchu_test_stats stats;

	vq_dev_get_stats(dev, 0, &stats);
	return stats.faults;
}
