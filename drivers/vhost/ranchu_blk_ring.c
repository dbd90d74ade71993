// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of the disk: taking requests, keeping those that are under way, and
 * answering them in whatever order they are done.
 *
 * Whoever is kicked (a vCPU or the worker) holds the ring's lock and never waits.
 * ring_work(), in the worker, may wait for as long as the image takes, and holds no
 * lock: others take, answer and count requests meanwhile.
 */
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ranchu_blk.h"

/* So long a stop has patience with what others hold. */
#define RING_DRAIN_JIFFIES HZ

static void ring_work(struct ranchu_work *work, bool in_owner);

/**
 * ranchu_blk_ring_init() - make a ring
 * @ring: zeroed
 * @vring: the shared part
 */
void ranchu_blk_ring_init(struct blk_ring *ring, struct ranchu_vring *vring)
{
	ring->vring = vring;
	spin_lock_init(&ring->lock);
	mutex_init(&ring->serving);
	INIT_LIST_HEAD(&ring->done);
	INIT_LIST_HEAD(&ring->waiting);
	init_waitqueue_head(&ring->idle);
	ranchu_work_init(&ring->work, ring_work);
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
static struct blk_transfer *ring_get(struct blk_ring *ring)
{
	struct blk_transfer *transfer;

	if (!ring->free && !ring_add_request(ring))
		return NULL;
	transfer = ring->free;
	ring->free = transfer->next;
	transfer->data = false;
	transfer->waited = false;
	transfer->queued = false;
	transfer->answered = false;
	return transfer;
}

/**
 * ranchu_blk_must_end() - ask whether nobody is interested in requests any more
 * @ring: whose
 *
 * A worker whose SIGKILL is not pending any more calls, once, what is queued.
 *
 * Context: worker or vCPU.
 * Return: whether the owner was killed, or the ring stopped without it.
 */
bool ranchu_blk_must_end(const struct blk_ring *ring)
{
	return fatal_signal_pending(current) || READ_ONCE(ring->cancelled) ||
	       READ_ONCE(ring->vring->worker->dead);
}

static void ring_count(struct blk_ring *ring, const struct blk_transfer *transfer)
{
	struct vhost_ranchu_blk_stats *stats = &ring->stats;
	const struct blk_request *req = &transfer->req;

	if (transfer->status) {
		ranchu_blk_count(&stats->errors, 1);
		return;
	}
	if (!transfer->data)
		return;
	if (req->write) {
		ranchu_blk_count(&stats->writes, 1);
		ranchu_blk_count(&stats->written_bytes, req->len);
	} else {
		ranchu_blk_count(&stats->reads, 1);
		ranchu_blk_count(&stats->read_bytes, req->len);
	}
	if (transfer->queued)
		ranchu_blk_count(&stats->asynchronous, 1);
	else if (!transfer->waited && ring->vring->in_vcpu)
		ranchu_blk_count(&stats->in_vcpu, 1);
}

/* Hands a request back to the guest. The ring's lock is held. */
static void ring_push(struct blk_ring *ring, struct blk_transfer *transfer)
{
	struct ranchu_chain *chain = &transfer->req.chain;
	u32 written = min_t(u64, chain->in_len, U32_MAX);
	struct iovec *last;

	ring_count(ring, transfer);
	/* The very last byte; before it there may be data. */
	if (chain->n_in) {
		last = &chain->iov[chain->n_out + chain->n_in - 1];
		if (put_user(transfer->status, (u8 __user *)last->iov_base + last->iov_len - 1))
			written = 0;
	}
	ranchu_vq_push(&ring->vring->vq, chain, written);
	ring_put(ring, transfer);
}

/**
 * ranchu_blk_answer() - answer a request
 * @req: not used any more afterwards
 * @status: of VIRTIO_BLK_S_...
 *
 * Context: as ranchu_vhost_ops.kicked(); or the worker in ring_work(), which passes
 * the answer on.
 */
void ranchu_blk_answer(struct blk_request *req, u8 status)
{
	struct blk_transfer *transfer = blk_transfer_of(req);

	transfer->status = status;
	if (transfer->waited)
		transfer->answered = true;
	else
		ring_push(transfer->ring, transfer);
}

/* From now on the worker's to serve. The ring's lock is held. */
static void ring_wait_for(struct blk_ring *ring, struct blk_transfer *transfer)
{
	transfer->waited = true;
	atomic_inc(&ring->in_flight);
	spin_lock_irq(&ring->lock);
	list_add_tail(&transfer->req.node, &ring->waiting);
	spin_unlock_irq(&ring->lock);
	ranchu_work_queue(ring->vring->worker, &ring->work);
}

static bool ring_has_waiting(const struct blk_ring *ring)
{
	return !list_empty_careful(&ring->waiting);
}

/* Answers what is done. Returns how many. */
static unsigned int ring_reap(struct blk_ring *ring)
{
	struct blk_transfer *transfer, *next;
	unsigned int n = 0;
	LIST_HEAD(done);

	/* Whoever adds one asks for another look. */
	if (list_empty_careful(&ring->done))
		return 0;
	spin_lock_irq(&ring->lock);
	list_splice_init(&ring->done, &done);
	spin_unlock_irq(&ring->lock);
	list_for_each_entry_safe(transfer, next, &done, req.node) {
		list_del(&transfer->req.node);
		if (transfer->answered || ranchu_blk_io_done(transfer))
			ring_push(ring, transfer);
		else
			ring_wait_for(ring, transfer);
		n++;
	}
	return n;
}

/* One request that was just taken. */
static void ring_serve(struct blk_ring *ring, struct blk_transfer *transfer)
{
	if (ranchu_blk_serve(&transfer->req, ring->vring->setup.features, false) ==
	    BLK_WOULD_WAIT)
		ring_wait_for(ring, transfer);
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
	unsigned int n = ring_reap(ring);
	struct blk_transfer *transfer;

	ring->left = BLK_VCPU_BYTES;
	ranchu_vq_disable_kicks(&vring->vq);
	for (;; n++) {
		if (ranchu_blk_must_end(ring))
			return;
		if (n >= BLK_BUDGET) {
			ranchu_vring_request(vring);
			return;
		}
		transfer = ring_get(ring);
		/* Kicks stay off: what is under way brings us here again. */
		if (!transfer)
			return;
		if (ranchu_vq_next(&vring->vq, &transfer->req.chain) <= 0) {
			ring_put(ring, transfer);
			break;
		}
		ring_serve(ring, transfer);
	}
	/* Kicks stay off: ring_work() brings us here again. */
	if (ring_has_waiting(ring))
		return;
	if (ranchu_vq_enable_kicks(&vring->vq))
		ranchu_vring_request(vring);
}

/* Any context. Unless in the worker, the ring may be gone as soon as its lock is. */
static void ring_add_done(struct blk_ring *ring, struct list_head *done, unsigned int n)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	list_splice_tail(done, &ring->done);
	ranchu_vring_request(ring->vring);
	if (atomic_sub_and_test(n, &ring->in_flight))
		wake_up(&ring->idle);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/**
 * ranchu_blk_completed() - the image has completed a request
 * @transfer: its @result is set; not the caller's any more
 *
 * Context: any.
 */
void ranchu_blk_completed(struct blk_transfer *transfer)
{
	LIST_HEAD(done);

	list_add(&transfer->req.node, &done);
	ring_add_done(transfer->ring, &done, 1);
}

static struct blk_transfer *ring_next_waiting(struct blk_ring *ring)
{
	struct blk_transfer *transfer;

	spin_lock_irq(&ring->lock);
	transfer = list_first_entry_or_null(&ring->waiting, struct blk_transfer, req.node);
	if (transfer)
		list_del(&transfer->req.node);
	spin_unlock_irq(&ring->lock);
	return transfer;
}

/* However long it takes. */
static enum blk_outcome ring_serve_waiting(struct blk_ring *ring, struct blk_transfer *transfer,
					   bool in_owner)
{
	if (!in_owner || ranchu_blk_must_end(ring)) {
		ranchu_blk_answer(&transfer->req, VIRTIO_BLK_S_IOERR);
		return BLK_DONE;
	}
	/* Checked already, and perhaps done in part. */
	if (transfer->data)
		return ranchu_blk_io_wait(transfer);
	return ranchu_blk_serve(&transfer->req, ring->vring->setup.features, true);
}

static void ring_serve_batch(struct blk_ring *ring, bool in_owner)
{
	struct blk_transfer *transfer;
	unsigned int n, n_done = 0;
	size_t bytes = 0;
	LIST_HEAD(done);

	mutex_lock(&ring->serving);
	for (n = 0; n < BLK_BATCH && bytes < BLK_BATCH_BYTES; n++) {
		transfer = ring_next_waiting(ring);
		if (!transfer)
			break;
		bytes += transfer->data ? transfer->req.len : 0;
		if (ring_serve_waiting(ring, transfer, in_owner) == BLK_QUEUED)
			continue;
		list_add_tail(&transfer->req.node, &done);
		n_done++;
	}
	mutex_unlock(&ring->serving);
	ring_add_done(ring, &done, n_done);
}

/*
 * In the worker, the ring's lock not held. Features, image and addresses stay what
 * they are while anything is in flight: the ring is not stopped, and its memory not
 * replaced, before it is idle.
 */
static void ring_work(struct ranchu_work *work, bool in_owner)
{
	struct blk_ring *ring = container_of(work, struct blk_ring, work);

	/* A worker that takes no work any more gets to the end here and now. */
	do
		ring_serve_batch(ring, in_owner);
	while (ring_has_waiting(ring) && ranchu_work_queue(ring->vring->worker, work) < 0);
}

static void ring_wait_idle(struct blk_ring *ring)
{
	wait_event(ring->idle, !atomic_read(&ring->in_flight));
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

	/* Of all requests together. */
	WRITE_ONCE(ring->drain_by, jiffies + RING_DRAIN_JIFFIES);
	WRITE_ONCE(ring->draining, true);
	do {
		/* Not by the worker, which may be busy, or dead. */
		while (ring_has_waiting(ring))
			ring_serve_batch(ring, true);
		ring_wait_idle(ring);
	} while (ring_reap(ring));
	WRITE_ONCE(ring->draining, false);
}

/* What nobody has begun with is not done any more. */
static void ring_cancel(struct blk_ring *ring)
{
	struct blk_transfer *transfer;

	WRITE_ONCE(ring->cancelled, true);
	while ((transfer = ring_next_waiting(ring))) {
		ring_put(ring, transfer);
		atomic_dec(&ring->in_flight);
	}
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
	struct blk_transfer *transfer, *next;

	ring_cancel(ring);
	ring_wait_idle(ring);
	list_for_each_entry_safe(transfer, next, &ring->done, req.node)
		ring_put(ring, transfer);
	INIT_LIST_HEAD(&ring->done);
	while ((transfer = ring->free)) {
		ring->free = transfer->next;
		kfree(transfer);
	}
	ring->n_requests = 0;
	WRITE_ONCE(ring->cancelled, false);
}
