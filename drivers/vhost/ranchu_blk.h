/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vhost_ranchu_blk.ko share.
 *
 * A request is taken from its ring and checked. What can be done without waiting
 * is done there and then, in the thread of the vCPU that kicked or in the ring's
 * worker. Everything else goes on a list, which the worker serves without the
 * ring's lock. What was done on that list, and what the image completes later, is
 * answered by whoever works on the ring next.
 *
 * Locks, outermost first:
 *
 *	ranchu_vhost.lock	ioctls; the image is changed while no ring runs
 *	ranchu_vring.lock	one ring; never held while anything waits for the image,
 *				but by a stop
 *	blk_ring.serving	what waits for the image; held while it does
 *	blk_ring.lock		lists of requests that are under way; taken in interrupts
 */
#ifndef _RANCHU_BLK_H
#define _RANCHU_BLK_H

#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/ranchu_vhost.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "ranchu_blk_request.h"

/* Requests of one ring that are under way. */
#define BLK_REQUESTS 128

/* What is served with the ring's lock held, which a vCPU may have to do. */
#define BLK_BUDGET 128
#define BLK_VCPU_BYTES SZ_256K

/* What the worker does before the answers go out, and between looks for a signal. */
#define BLK_BATCH 32
#define BLK_BATCH_BYTES SZ_256K
#define BLK_PIECE SZ_4M

struct blk_ring;

/**
 * struct blk_transfer - a request of the guest's, and what the image needs of it
 * @req: the request; in blk_ring.done or blk_ring.waiting by its @node
 * @next: in blk_ring.free
 * @iocb: while it is under way
 * @ring: whose
 * @data: it moves data, and @req says which
 * @waited: it is, or was, on blk_ring.waiting
 * @queued: the image completes it later
 * @answered: @status is the answer, yet to be given to the guest
 * @status: of VIRTIO_BLK_S_...
 * @result: what the image has said, if it has not been @answered
 */
struct blk_transfer {
	struct blk_request req;
	struct blk_transfer *next;
	struct kiocb iocb;
	struct blk_ring *ring;
	bool data;
	bool waited;
	bool queued;
	bool answered;
	u8 status;
	ssize_t result;
};

/**
 * struct blk_ring - what a ring of the device has
 * @vring: the shared part
 * @free: requests to be used
 * @n_requests: how many there are
 * @left: bytes that may still be moved before the ring's lock is given up
 * @serving: one thread at a time serves @waiting: the worker, or one that drains
 * @lock: protects @done and @waiting
 * @done: requests to be answered, or gone on with
 * @waiting: requests that the worker has to serve, first in first out
 * @in_flight: requests on @waiting, and those that the worker or the image has
 * @idle: woken when @in_flight becomes 0
 * @work: serves @waiting in the ring's worker
 * @draining: all is to come to an end: zeroes are left to the guest
 * @drain_by: and what waits for others is given up then, in jiffies
 * @cancelled: nobody is interested in what is under way any more
 * @stats: of this ring; see struct vhost_ranchu_blk_stats. Each counter is written by
 *	one thread at a time: the worker's own ones, and those that go with an answer.
 */
struct blk_ring {
	struct ranchu_vring *vring;
	struct blk_transfer *free;
	unsigned int n_requests;
	size_t left;
	struct mutex serving;	/* see above */
	spinlock_t lock;	/* see above */
	struct list_head done;
	struct list_head waiting;
	atomic_t in_flight;
	wait_queue_head_t idle;
	struct ranchu_work work;
	bool draining;
	unsigned long drain_by;
	bool cancelled;
	struct vhost_ranchu_blk_stats stats;
};

/**
 * struct blk_image - the image, opened for us alone: nobody else changes its flags
 * @file: NULL for none
 * @ki_flags: how it is to be read and written, as iocb_flags() has it
 * @in_memory: it waits for nothing but memory: a file on tmpfs
 * @map_writable: its pages may be written as by a shared mapping, and no seal can
 *	be put on it against that
 * @below: the file system that its own one keeps it in (overlayfs), or its own one
 * @waits: it does not read (0) or write (1) without waiting, it has said
 */
struct blk_image {
	struct file *file;
	int ki_flags;
	bool in_memory;
	bool map_writable;
	struct super_block *below;
	bool waits[2];
};

/**
 * struct ranchu_blk - an open file: the disk of one guest
 * @vhost: the shared part
 * @vrings: its rings
 * @rings: what we add to them
 * @image: the image
 * @disk: what its requests are checked against
 * @release: of the open file
 */
struct ranchu_blk {
	struct ranchu_vhost vhost;
	struct ranchu_vring vrings[VHOST_RANCHU_BLK_RINGS];
	struct blk_ring rings[VHOST_RANCHU_BLK_RINGS];
	struct blk_image image;
	struct blk_disk disk;
	struct ranchu_release release;
};

/* Whether the image is a tmpfs's own file, not one of a file system above it. */
static inline bool blk_image_is_tmpfs(const struct blk_image *image)
{
	return image->in_memory && file_inode(image->file) == image->file->f_mapping->host;
}

static inline struct ranchu_blk *ranchu_blk_of(struct ranchu_vhost *vhost)
{
	return container_of(vhost, struct ranchu_blk, vhost);
}

static inline struct blk_ring *ranchu_blk_ring(struct ranchu_vring *vring)
{
	return &ranchu_blk_of(vring->dev)->rings[vring - vring->dev->vrings];
}

static inline struct blk_transfer *blk_transfer_of(struct blk_request *req)
{
	return container_of(req, struct blk_transfer, req);
}

static inline struct ranchu_blk *blk_of_request(struct blk_request *req)
{
	return container_of(req->disk, struct ranchu_blk, disk);
}

/* ranchu_blk_ring.c: taking requests and answering them */
void ranchu_blk_ring_init(struct blk_ring *ring, struct ranchu_vring *vring);
int ranchu_blk_ring_prepare(struct blk_ring *ring);
void ranchu_blk_kicked(struct ranchu_vring *vring);
void ranchu_blk_drain(struct ranchu_vring *vring);
void ranchu_blk_stopped(struct ranchu_vring *vring);
bool ranchu_blk_must_end(const struct blk_ring *ring);
void ranchu_blk_completed(struct blk_transfer *transfer);

/* ranchu_blk_image.c: the image's file */
int ranchu_blk_image_take(struct blk_image *image, int fd, u32 flags);
void ranchu_blk_image_drop(struct blk_image *image);
u64 ranchu_blk_image_size(const struct blk_image *image);
u32 ranchu_blk_image_block(const struct blk_image *image);

/* ranchu_blk_io.c: data to and from the image */
bool ranchu_blk_io_done(struct blk_transfer *transfer);
enum blk_outcome ranchu_blk_io_wait(struct blk_transfer *transfer);

/* ranchu_blk_mem.c: the same for an image in memory */
size_t ranchu_blk_mem_read(struct blk_request *req, size_t max);
size_t ranchu_blk_mem_write(struct blk_request *req, size_t max);
bool ranchu_blk_mem_writable(const struct blk_image *image);
int ranchu_blk_mem_prepare(struct blk_request *req);
int ranchu_blk_mem_extend(struct blk_request *req);
ssize_t ranchu_blk_mem_write_wait(struct blk_request *req);
int ranchu_blk_mem_punch(const struct blk_image *image, loff_t pos, loff_t len);
int ranchu_blk_mem_zero(struct blk_request *req, loff_t pos, loff_t len);

#endif /* _RANCHU_BLK_H */
