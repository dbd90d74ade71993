/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace as the driver of /dev/vhost-ranchu-blk: an image, requests of any
 * shape, and their results. Based on vq_driver.h, with the same rules for names and
 * failures.
 *
 * Source: virtio 1.2, section 5.2 (Block Device)
 */
#ifndef RANCHU_BLK_DRIVER_H
#define RANCHU_BLK_DRIVER_H

#include <linux/vhost_ranchu_blk.h>
#include <linux/virtio_blk.h>

#include "vq_driver.h"

#define BD_PATH			"/dev/vhost-ranchu-blk"
#define BD_SECTOR		512u
#define BD_RINGS		2
#define BD_NUM			64
/* Each slot has room for a header, a status and so many bytes of data. */
#define BD_DATA			(64u << 10)
#define BD_SLOTS		BD_NUM
/* Value of a status that the device has not written. */
#define BD_NO_STATUS		0xee

#define BD_FEATURES (VQ_SPLIT | VQ_BIT(VIRTIO_BLK_F_FLUSH) | \
		     VQ_BIT(VIRTIO_BLK_F_DISCARD) | VQ_BIT(VIRTIO_BLK_F_WRITE_ZEROES))

/* Kind of the image. */
enum bd_kind {
	BD_TMPFS,	/* a file in memory */
	BD_LOOP,	/* a loop device on such a file */
	BD_LOOP_DIRECT,	/* the same, O_DIRECT */
	BD_LOOP_4K,	/* the same, through the cache, of blocks of 4096 bytes */
};

/**
 * struct bd_dev - an open device with an image
 * @fd: the node
 * @features: acknowledged
 * @mem: guest memory
 * @rings: its rings
 * @image: the file in memory that has the data
 * @backend: file of the device: @image or a loop device on it
 * @loop: number of the loop device, -1 for none
 * @slots: guest address of BD_SLOTS slots
 */
struct bd_dev {
	int fd;
	uint64_t features;
	struct vq_mem mem;
	struct vq_ring rings[BD_RINGS];
	int image;
	int backend;
	int loop;
	uint64_t slots;
};

/* Returns 0, or -errno, for which a test is skipped. */
int __bd_probe(enum bd_kind kind);
/* An image of @size bytes, owner, features, memory, rings; and started. */
void bd_create(struct bd_dev *dev, enum bd_kind kind, uint64_t features, size_t size);
/* The same with an image of the test, which the test closes. */
void bd_create_on(struct bd_dev *dev, int image, uint64_t features);
void bd_destroy(struct bd_dev *dev);

int __bd_set_backend(int fd, int image, uint32_t flags, uint32_t block_size);
int __bd_run(struct bd_dev *dev, int running);
void bd_run(struct bd_dev *dev, int running);
void bd_get_stats(struct bd_dev *dev, struct vhost_ranchu_blk_stats *stats);

/* A slot's parts, as the guest sees them. */
struct virtio_blk_outhdr *bd_header(struct bd_dev *dev, unsigned int slot);
uint8_t *bd_data(struct bd_dev *dev, unsigned int slot);
uint8_t *bd_status(struct bd_dev *dev, unsigned int slot);
uint64_t bd_data_gpa(struct bd_dev *dev, unsigned int slot);

/*
 * Adds a request of the usual layout: header, @len bytes of the slot's data in
 * @bufs pieces, status. Its token is the slot's number. Not yet published.
 */
void bd_add(struct bd_dev *dev, unsigned int ring, unsigned int slot, uint32_t type,
	    uint64_t sector, uint32_t len, unsigned int bufs);
/* The next answered request's slot; waits. */
unsigned int bd_get(struct bd_dev *dev, unsigned int ring);
/* One request with slot 0, there and back: its status. */
uint8_t bd_do(struct bd_dev *dev, uint32_t type, uint64_t sector, uint32_t len);

#endif /* RANCHU_BLK_DRIVER_H */
