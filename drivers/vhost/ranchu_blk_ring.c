// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of the disk: taking requests, keeping those that are under way, and
 * answering them in whatever order they are done.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ranchu_blk.h"

/**
 * ranchu_blk_ring_init() - make a ring
 * @ring: zeroed
 * @vring: the shared part
 */
void ranchu_blk_ring_init(struct blk_ring *ring, struct ranchu_vring *vring)
{
	ring->vring = vring;
	spin_lock_init(&ring->lock);
	INIT_LIST_HEAD(&ring->done);
	init_waitqueue_head(&ring->landed);
}

static void ring_put(struct blk_ring *ring, struct blk_transfer *transfer)
{
	/* The last one used is the one in the caches. */
	transfer->next = ring->free;
	ring->free = transfer;
}

static bool ring_add_request(struct blk_ring *ring)
{
	struct blk_transfer *transfer;

	if (ring->n_requests == BLK_REQUESTS)
		return false;
	transfer = kmalloc(sizeof(*transfer), GFP_KERNEL_ACCOUNT);
	if (!transfer)
		return false;
	transfer->ring = ring;
	ranchu_blk_request_init(&transfer->req, &ranchu_blk_of(ring->vring->dev)->disk,
				&ring->stats);
	ring_put(ring, transfer);
	ring->n_requests++;
	return true;
}

/**
 * ranchu_blk_ring_prepare() - make sure that a ring can go on, however little
 *	memory there is
 * @ring: not running
 *
 * Return: 0, or -ENOMEM.
 */
int ranchu_blk_ring_prepare(struct blk_ring *ring)
{
	return ring->n_requests || ring_add_request(ring) ? 0 : -ENOMEM;
}

/* NULL: others have to be answered first, and will be. */
static struct blk_request *ring_get(struct blk_ring *ring)
{
	struct blk_transfer *transfer;

	if (!ring->free && !ring_add_request(ring))
		return NULL;
	transfer = ring->free;
	ring->free = transfer->next;
	return &transfer->req;
}

/**
 * ranchu_blk_answer() - hand a request back to the guest
 * @req: not used any more afterwards
 * @status: of VIRTIO_BLK_S_...
 *
 * Context: as ranchu_vhost_ops.kicked().
 */
void ranchu_blk_answer(struct blk_request *req, u8 status)
{
	struct ranchu_chain *chain = &req->chain;
	struct blk_ring *ring = blk_transfer_of(req)->ring;
	u32 written = min_t(u64, chain->in_len, U32_MAX);
	struct iovec *last;

	if (status)
		req->stats->errors++;
	/* The very last byte; before it there may be data. */
	if (chain->n_in) {
		last = &chain->iov[chain->n_out + chain->n_in - 1];
		if (put_user(status, (u8 __user *)last->iov_base + last->iov_len - 1))
			written = 0;
	}
	ranchu_vq_push(&ring->vring->vq, chain, written);
	ring_put(ring, blk_transfer_of(req));
}

/* Answers what the image has completed. Returns how many. */
static unsigned int ring_reap(struct blk_ring *ring)
{
	struct blk_request *req, *next;
	unsigned int n = 0;
	LIST_HEAD(done);

	/* Whoever adds one asks for another look. */
	if (list_empty_careful(&ring->done))
		return 0;
	spin_lock_irq(&ring->lock);
	list_splice_init(&ring->done, &done);
	spin_unlock_irq(&ring->lock);
	list_for_each_entry_safe(req, next, &done, node) {
		list_del(&req->node);
		ranchu_blk_io_done(blk_transfer_of(req));
		n++;
	}
	return n;
}

static bool ring_over_budget(const struct ranchu_vring *vring, unsigned int n,
			     u64 bytes)
{
	return n == BLK_BUDGET || (vring->in_vcpu && bytes >= BLK_VCPU_BYTES);
}

/**
 * ranchu_blk_kicked() - serve a ring
 * @vring: the ring
 *
 * Context: see struct ranchu_vhost_ops.
 */
void ranchu_blk_kicked(struct ranchu_vring *vring)
{
	struct blk_ring *ring = ranchu_blk_ring(vring);
	struct blk_request *req;
	unsigned int n = 0;
	u64 bytes = 0;

	/* What has been done in part may have to wait for the rest. */
	if (!vring->in_vcpu)
		n = ring_reap(ring);
	ranchu_vq_disable_kicks(&vring->vq);
	for (;; n++) {
		if (ring_over_budget(vring, n, bytes)) {
			ranchu_vring_request(vring);
			return;
		}
		req = ring_get(ring);
		/* Kicks stay off: what is under way brings us here again. */
		if (!req)
			return;
		if (ranchu_vq_next(&vring->vq, &req->chain) <= 0) {
			ring_put(ring, blk_transfer_of(req));
			break;
		}
		bytes += req->chain.out_len + req->chain.in_len;
		if (ranchu_blk_serve(req, vring->setup.features, !vring->in_vcpu) ==
		    BLK_WOULD_WAIT) {
			ranchu_vq_put_back(&vring->vq, &req->chain);
			ring_put(ring, blk_transfer_of(req));
			ranchu_vring_request(vring);
			return;
		}
	}
	if (ranchu_vq_enable_kicks(&vring->vq))
		ranchu_vring_request(vring);
}

static void ring_wait(struct blk_ring *ring)
{
	wait_event(ring->landed, !READ_ONCE(ring->flying));
	/* The one that has woken us may still be at it. */
	spin_lock_irq(&ring->lock);
	spin_unlock_irq(&ring->lock);
}

/**
 * ranchu_blk_drain() - answer all that is under way
 * @vring: the ring
 *
 * Context: see struct ranchu_vhost_ops.
 */
void ranchu_blk_drain(struct ranchu_vring *vring)
{
	struct blk_ring *ring = ranchu_blk_ring(vring);

	do
		ring_wait(ring);
	while (ring_reap(ring));
}

/**
 * ranchu_blk_stopped() - forget all that was taken from a ring
 * @vring: the ring
 *
 * Context: see struct ranchu_vhost_ops.
 */
void ranchu_blk_stopped(struct ranchu_vring *vring)
{
	struct blk_ring *ring = ranchu_blk_ring(vring);
	struct blk_request *req, *next;

	ring_wait(ring);
	list_for_each_entry_safe(req, next, &ring->done, node)
		ring_put(ring, blk_transfer_of(req));
	INIT_LIST_HEAD(&ring->done);
	while (ring->free)
		kfree(blk_transfer_of(ring_get(ring)));
	ring->n_requests = 0;
}
