/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vhost_ranchu_blk.ko share.
 *
 * A request is taken from its ring, checked, and handed to the image's file
 * system: in the thread of the vCPU that kicked as long as nothing has to be
 * waited for, in the ring's worker else. What the image completes later is
 * answered by the worker.
 *
 * Locks, outermost first:
 *
 *	ranchu_vhost.lock	ioctls; the image is changed while no ring runs
 *	ranchu_vring.lock	one ring: its requests and counters
 *	blk_ring.lock		requests that are under way; taken in interrupts
 */
#ifndef _RANCHU_BLK_H
#define _RANCHU_BLK_H

#include <linux/fs.h>
#include <linux/ranchu_vhost.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "ranchu_blk_request.h"

/* Requests of one ring that are under way. */
#define BLK_REQUESTS 128

/* What is served in a row: requests, and in a vCPU's thread bytes as well. */
#define BLK_BUDGET 128
#define BLK_VCPU_BYTES SZ_256K

struct blk_ring;

/**
 * struct blk_transfer - a request of the guest's, and what the image needs of it
 * @req: the request; in blk_ring.done by its @node
 * @next: in blk_ring.free
 * @iocb: while it is under way
 * @ring: whose
 * @queued: the image completes it later
 * @result: what the image has said, on @ring's list of what is done
 */
struct blk_transfer {
	struct blk_request req;
	struct blk_transfer *next;
	struct kiocb iocb;
	struct blk_ring *ring;
	bool queued;
	ssize_t result;
};

/**
 * struct blk_ring - what a ring of the device has
 * @vring: the shared part
 * @free: requests to be used
 * @n_requests: how many there are
 * @lock: protects @done and @flying, which who waits reads without
 * @done: requests that the image has completed
 * @flying: requests that it has yet to complete
 * @landed: woken when @flying becomes 0
 * @stats: of this ring; see struct vhost_ranchu_blk_stats
 */
struct blk_ring {
	struct ranchu_vring *vring;
	struct blk_transfer *free;
	unsigned int n_requests;
	spinlock_t lock;	/* see above */
	struct list_head done;
	unsigned int flying;
	wait_queue_head_t landed;
	struct vhost_ranchu_blk_stats stats;
};

/**
 * struct ranchu_blk - an open file: the disk of one guest
 * @vhost: the shared part
 * @vrings: its rings
 * @rings: what we add to them
 * @file: the image; NULL for none
 * @eager: it never waits for anything but memory
 * @disk: what its requests are checked against
 */
struct ranchu_blk {
	struct ranchu_vhost vhost;
	struct ranchu_vring vrings[VHOST_RANCHU_BLK_RINGS];
	struct blk_ring rings[VHOST_RANCHU_BLK_RINGS];
	struct file *file;
	bool eager;
	struct blk_disk disk;
};

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

/* ranchu_blk_io.c: data to and from the image */
void ranchu_blk_io_done(struct blk_transfer *transfer);

#endif /* _RANCHU_BLK_H */
