// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of /dev/vhost-ranchu-blk, and images for it.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/loop.h>

#include "blk_driver.h"

#define SLOT_HEADER	0u
#define SLOT_STATUS	64u
#define SLOT_DATA	HOST_PAGE
#define SLOT_SIZE	(SLOT_DATA + BD_DATA)

/* A free loop device's number, or -errno. */
static int loop_free(void)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number;

	if (fd < 0)
		return -errno;
	number = ioctl(fd, LOOP_CTL_GET_FREE);
	number = number < 0 ? -errno : number;
	close(fd);
	return number;
}

static int loop_open(int number, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	return open(path, O_RDWR | O_CLOEXEC | flags);
}

int __bd_probe(enum bd_kind kind)
{
	int fd = open(BD_PATH, O_RDWR | O_CLOEXEC);
	int number;

	if (fd < 0)
		return -errno;
	close(fd);
	if (kind == BD_TMPFS)
		return 0;
	number = loop_free();
	return number < 0 ? number : 0;
}

static void loop_attach(struct bd_dev *dev, int flags, uint32_t block_size)
{
	struct loop_config config = { .fd = dev->image, .block_size = block_size };

	dev->loop = loop_free();
	if (dev->loop < 0)
		vq_die("loop device: %s", strerror(-dev->loop));
	dev->backend = loop_open(dev->loop, flags);
	if (dev->backend < 0 || ioctl(dev->backend, LOOP_CONFIGURE, &config))
		vq_die("loop%d: %s", dev->loop, strerror(errno));
}

static void image_create(struct bd_dev *dev, enum bd_kind kind, size_t size)
{
	dev->loop = -1;
	dev->image = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (dev->image < 0 || ftruncate(dev->image, size))
		vq_die("image: %s", strerror(errno));
	if (kind == BD_TMPFS)
		dev->backend = dup(dev->image);
	else
		loop_attach(dev, kind == BD_LOOP_DIRECT ? O_DIRECT : 0,
			    kind == BD_LOOP_4K ? 4096 : 0);
}

int __bd_set_backend(int fd, int image, uint32_t flags, uint32_t block_size)
{
	struct vhost_ranchu_blk_backend backend = {
		.fd = image, .flags = flags, .block_size = block_size, .id = "ranchu-disk",
	};

	return __vq_ioctl(fd, VHOST_RANCHU_BLK_SET_BACKEND, &backend);
}

int __bd_run(struct bd_dev *dev, int running)
{
	return __vq_ioctl(dev->fd, VHOST_RANCHU_BLK_SET_RUNNING, &running);
}

void bd_run(struct bd_dev *dev, int running)
{
	int err = __bd_run(dev, running);

	if (err)
		vq_die("SET_RUNNING %d: %s", running, strerror(-err));
}

/* The device on what is dev->image and dev->backend. */
static void bd_set_up(struct bd_dev *dev)
{
	unsigned int i;

	dev->fd = open(BD_PATH, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		vq_die("%s: %s", BD_PATH, strerror(errno));
	vq_mem_create(&dev->mem, VQ_MEM_GPA, (BD_SLOTS + 8) * (size_t)SLOT_SIZE);
	dev->slots = vq_mem_alloc(&dev->mem, BD_SLOTS * (size_t)SLOT_SIZE, HOST_PAGE);
	vq_ioctl(dev->fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(dev->fd, VHOST_SET_FEATURES, &dev->features);
	vq_mem_tell(dev->fd, &dev->mem, 1, 1);
	for (i = 0; i < BD_RINGS; i++) {
		vq_ring_create(&dev->rings[i], &dev->mem, dev->features, BD_NUM * 4);
		vq_ring_attach(dev->fd, i, &dev->rings[i]);
	}
	if (__bd_set_backend(dev->fd, dev->backend, 0, BD_SECTOR))
		vq_die("SET_BACKEND");
	bd_run(dev, 1);
}

void bd_create(struct bd_dev *dev, enum bd_kind kind, uint64_t features, size_t size)
{
	*dev = (struct bd_dev){ .features = features };
	image_create(dev, kind, size);
	bd_set_up(dev);
}

void bd_create_on(struct bd_dev *dev, int image, uint64_t features)
{
	*dev = (struct bd_dev){ .features = features, .loop = -1 };
	dev->image = dup(image);
	dev->backend = dup(image);
	bd_set_up(dev);
}

void bd_destroy(struct bd_dev *dev)
{
	unsigned int i;

	close(dev->fd);
	if (dev->loop >= 0)
		ioctl(dev->backend, LOOP_CLR_FD);
	close(dev->backend);
	close(dev->image);
	for (i = 0; i < BD_RINGS; i++)
		vq_ring_destroy(&dev->rings[i]);
	vq_mem_destroy(&dev->mem);
}

void bd_get_stats(struct bd_dev *dev, struct vhost_ranchu_blk_stats *stats)
{
	*stats = (struct vhost_ranchu_blk_stats){ .size = sizeof(*stats) };
	vq_ioctl(dev->fd, VHOST_RANCHU_BLK_GET_STATS, stats);
}

static uint64_t slot_gpa(const struct bd_dev *dev, unsigned int slot, uint32_t offset)
{
	return dev->slots + (uint64_t)slot * SLOT_SIZE + offset;
}

struct virtio_blk_outhdr *bd_header(struct bd_dev *dev, unsigned int slot)
{
	return vq_mem_guest(&dev->mem, slot_gpa(dev, slot, SLOT_HEADER));
}

uint8_t *bd_data(struct bd_dev *dev, unsigned int slot)
{
	return vq_mem_guest(&dev->mem, slot_gpa(dev, slot, SLOT_DATA));
}

uint8_t *bd_status(struct bd_dev *dev, unsigned int slot)
{
	return vq_mem_guest(&dev->mem, slot_gpa(dev, slot, SLOT_STATUS));
}

uint64_t bd_data_gpa(struct bd_dev *dev, unsigned int slot)
{
	return slot_gpa(dev, slot, SLOT_DATA);
}

/* Pieces of whole sectors, as many as there are at most. */
static unsigned int data_bufs(uint64_t gpa, uint32_t len, unsigned int want,
			      struct vq_buf *bufs)
{
	uint32_t sectors = len / BD_SECTOR, part;
	unsigned int n = 0;

	if (want > sectors)
		want = sectors ? sectors : 1;
	while (len) {
		part = n + 1 < want ? sectors / want * BD_SECTOR : len;
		bufs[n].gpa = gpa;
		bufs[n++].len = part;
		gpa += part;
		len -= part;
	}
	return n;
}

void bd_add(struct bd_dev *dev, unsigned int ring, unsigned int slot, uint32_t type,
	    uint64_t sector, uint32_t len, unsigned int bufs)
{
	struct virtio_blk_outhdr *hdr = bd_header(dev, slot);
	struct vq_buf chain[BD_DATA / BD_SECTOR + 2];
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	unsigned int n;

	hdr->type = htole32(type);
	hdr->ioprio = 0;
	hdr->sector = htole64(sector);
	*bd_status(dev, slot) = BD_NO_STATUS;
	chain[0] = (struct vq_buf){ slot_gpa(dev, slot, SLOT_HEADER), sizeof(*hdr) };
	n = 1 + data_bufs(bd_data_gpa(dev, slot), len, bufs, chain + 1);
	chain[n++] = (struct vq_buf){ slot_gpa(dev, slot, SLOT_STATUS), 1 };
	vq_add(&dev->rings[ring], chain, in ? 1 : n - 1, in ? n - 1 : 1,
	       (void *)(uintptr_t)slot);
}

unsigned int bd_get(struct bd_dev *dev, unsigned int ring)
{
	struct vq_done done;

	vq_get_one(&dev->rings[ring], &done);
	return (uintptr_t)done.token;
}

uint8_t bd_do(struct bd_dev *dev, uint32_t type, uint64_t sector, uint32_t len)
{
	bd_add(dev, 0, 0, type, sector, len, 1);
	vq_publish_and_kick(&dev->rings[0]);
	bd_get(dev, 0);
	return *bd_status(dev, 0);
}
