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

#include <linux/blk_types.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/ranchu_vhost.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/vhost_ranchu_blk.h>
#include <linux/virtio_blk.h>
#include <linux/wait.h>

/* Buffers of data in one request, and what goes with them: header and status. */
#define BLK_SEG_MAX 126
#define BLK_IOV (BLK_SEG_MAX + 2)
/* Requests of one ring that are under way. */
#define BLK_REQUESTS 128

/* Ranges in one request to discard or zero, and the sectors of one. */
#define BLK_RANGES 16
#define BLK_RANGE_SECTORS (SZ_1G / SECTOR_SIZE)

/* What is served in a row: requests, and in a vCPU's thread bytes as well. */
#define BLK_BUDGET 128
#define BLK_VCPU_BYTES SZ_256K

struct blk_ring;

/**
 * struct blk_request - a request of the guest's
 * @iocb: while it is under way
 * @node: in blk_ring.free or blk_ring.done
 * @ring: whose
 * @chain: where it came from
 * @write: to the image
 * @queued: the image completes it later
 * @pos: where it begins in the image
 * @len: bytes of data
 * @moved: of these, bytes that have been
 * @result: what the image has said, on @ring's list of what is done
 * @iov: of @chain
 */
struct blk_request {
	struct kiocb iocb;
	struct list_head node;
	struct blk_ring *ring;
	struct ranchu_chain chain;
	bool write;
	bool queued;
	u64 pos;
	size_t len;
	size_t moved;
	ssize_t result;
	struct iovec iov[BLK_IOV];
};

/**
 * struct blk_ring - what a ring of the device has
 * @vring: the shared part
 * @free: requests to be used
 * @n_requests: how many there are
 * @lock: protects @done and @flying
 * @done: requests that the image has completed
 * @flying: requests that it has yet to complete
 * @landed: woken when @flying becomes 0
 * @stats: of this ring; see struct vhost_ranchu_blk_stats
 */
struct blk_ring {
	struct ranchu_vring *vring;
	struct list_head free;
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
 * @flags: of VHOST_RANCHU_BLK_...
 * @block_size: see struct vhost_ranchu_blk_backend
 * @capacity: sectors of 512 bytes; may change while rings run
 * @id: the disk's name
 */
struct ranchu_blk {
	struct ranchu_vhost vhost;
	struct ranchu_vring vrings[VHOST_RANCHU_BLK_RINGS];
	struct blk_ring rings[VHOST_RANCHU_BLK_RINGS];
	struct file *file;
	bool eager;
	u32 flags;
	u32 block_size;
	u64 capacity;
	u8 id[VHOST_RANCHU_BLK_ID];
};

static inline struct ranchu_blk *ranchu_blk_of(struct ranchu_vhost *vhost)
{
	return container_of(vhost, struct ranchu_blk, vhost);
}

static inline struct blk_ring *ranchu_blk_ring(struct ranchu_vring *vring)
{
	return &ranchu_blk_of(vring->dev)->rings[vring - vring->dev->vrings];
}

/**
 * enum blk_outcome - what became of a request
 * @BLK_DONE: answered
 * @BLK_QUEUED: the image completes it later
 * @BLK_WOULD_WAIT: nothing was done: a worker has to try it
 */
enum blk_outcome {
	BLK_DONE,
	BLK_QUEUED,
	BLK_WOULD_WAIT,
};

/* ranchu_blk_ring.c: taking requests and answering them */
void ranchu_blk_ring_init(struct blk_ring *ring, struct ranchu_vring *vring);
int ranchu_blk_ring_prepare(struct blk_ring *ring);
void ranchu_blk_kicked(struct ranchu_vring *vring);
void ranchu_blk_drain(struct ranchu_vring *vring);
void ranchu_blk_stopped(struct ranchu_vring *vring);
void ranchu_blk_answer(struct blk_request *req, u8 status);

/* ranchu_blk_request.c: what a request asks for */
enum blk_outcome ranchu_blk_serve(struct blk_request *req);

/* ranchu_blk_io.c: data to and from the image */
enum blk_outcome ranchu_blk_io(struct blk_request *req);
void ranchu_blk_io_done(struct blk_request *req);
u8 ranchu_blk_flush(struct ranchu_blk *blk);
u8 ranchu_blk_range(struct ranchu_blk *blk, u64 sector, u32 sectors, bool zero,
		    bool unmap);

#endif /* _RANCHU_BLK_H */
