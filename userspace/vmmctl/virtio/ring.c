// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues that vmmctl processes itself. Each has a thread that waits for its doorbell: a kick
 * costs one wake-up and an interrupt one write, both without an exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/backends.h"
#include "virtio/ring.h"

/* Features for legacy drivers and for migration, and packed rings, which are optional. */
#define RING_NOT_OFFERED	(1ULL << VIRTIO_F_NOTIFY_ON_EMPTY | \
				 1ULL << VIRTIO_F_ANY_LAYOUT | 1ULL << VHOST_F_LOG_ALL | \
				 1ULL << VIRTIO_F_IN_ORDER | 1ULL << VIRTIO_F_RING_PACKED)

#define RING_TURNS	64	/* calls of kicked() before the lock is released */

/* A packed ring begins in its first slot, with both wrap counters 1. */
#define RING_PACKED_BASE	0x80008000

static int device_broken(void *arg)
{
	struct vmm_ring_device *dev = arg;

	if (vmm_virtio_fail_if(dev->v, dev->err_fd))
		vmm_virtio_blame(dev->v, -EIO, "a ring is broken");
	return 0;
}

/* Adds to a counter that one thread at a time writes. */
static void ring_count(u64 *counter, u64 n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/**
 * vmm_ring_next - take the next chain that the driver has made available, in kicked()
 * @ring: its lock is held
 * @chain: as ranchu_vq_next() has it
 *
 * Return: as ranchu_vq_next(); also 0 if the rest has to wait for the next turn
 */
int vmm_ring_next(struct vmm_ring *ring, struct ranchu_chain *chain)
{
	if (vmm_ring_stopping(ring) || !ring->turn)
		return 0;
	ring->turn--;
	return ranchu_vq_next(&ring->vq, chain);
}

/**
 * vmm_ring_push - hand a chain back to the driver
 * @ring: its lock is held
 * @chain: the chain
 * @written: bytes that were written to it
 */
void vmm_ring_push(struct vmm_ring *ring, const struct ranchu_chain *chain, u32 written)
{
	ranchu_vq_push(&ring->vq, chain, written);
	ring_count(&ring->counts.requests, 1);
	ring_count(&ring->counts.bytes_out, chain->out_len);
	ring_count(&ring->counts.bytes_in, written);
}

/**
 * vmm_ring_update - show the driver what was pushed
 * @ring: its lock is held
 *
 * Code that pushes outside of kicked() calls this afterwards.
 */
void vmm_ring_update(struct vmm_ring *ring)
{
	ranchu_vq_publish(&ring->vq);
	if (ranchu_vq_must_call(&ring->vq)) {
		ring_count(&ring->counts.calls, 1);
		vmm_virtio_notify_queue(ring->dev->v, ring->index);
	}
	/* After a bug of vmmctl, the device is not used any more. */
	if (vmm_compat_warned()) {
		ring->live = false;
		vmm_event_signal(ring->dev->err_fd);
	}
}

/* Releases the lock after some turns: a pause of the VM may be waiting for it. */
static void ring_serve(struct vmm_ring *ring)
{
	unsigned int turns = RING_TURNS;
	bool takes, broken, more;

	pthread_mutex_lock(&ring->lock);
	if (!ring->live) {
		/* Paused: ring_resume() signals the doorbell. */
		pthread_mutex_unlock(&ring->lock);
		return;
	}
	do {
		ranchu_vq_disable_kicks(&ring->vq);
		ring->turn = ring->vq.num;
		takes = ring->dev->kicked(ring);
		vmm_ring_update(ring);
		more = ring->live && ranchu_vq_enable_kicks(&ring->vq) && takes &&
		       !vmm_ring_stopping(ring);
	} while (more && --turns);
	broken = ring->vq.fault;
	pthread_mutex_unlock(&ring->lock);
	if (more)
		vmm_event_signal(ring->dev->v->queue[ring->index].kick_fd);
	/*
	 * The main thread makes the device ask for a reset, because that needs the device's
	 * lock, whose holder may be waiting for this thread to end.
	 */
	if (broken)
		vmm_event_signal(ring->dev->err_fd);
}

static void *ring_main(void *arg)
{
	struct vmm_ring *ring = arg;
	int kick = ring->dev->v->queue[ring->index].kick_fd;
	eventfd_t rung;

	for (;;) {
		rung = 0;
		while (eventfd_read(kick, &rung) && errno == EINTR)
			;
		if (vmm_ring_stopping(ring))
			return NULL;
		ring_count(&ring->counts.kicks, rung);
		ring_serve(ring);
	}
}

static int ring_setup(struct vmm_ring *ring)
{
	struct vmm_virtio *v = ring->dev->v;
	struct ranchu_vq_setup setup = {
		.features = v->accepted,
		.num = v->queue[ring->index].num,
	};
	struct vmm_queue_area area[3];
	u32 base = 0;
	int err = vmm_virtio_queue_find(v, ring->index, area);

	if (err)
		return err;
	setup.desc = (uintptr_t)area[0].hva;
	setup.driver = (uintptr_t)area[1].hva;
	setup.device = (uintptr_t)area[2].hva;
	if (vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED))
		base = RING_PACKED_BASE;
	if (ranchu_vq_check(&setup))
		return -EINVAL;
	base = vmm_virtio_queue_base(v, ring->index, base);
	return ranchu_vq_start(&ring->vq, ring->dev->mem, &setup, base);
}

static int ring_start(struct vmm_ring *ring)
{
	int kick = ring->dev->v->queue[ring->index].kick_fd;
	int err = ring_setup(ring);

	if (err)
		return vmm_virtio_blame(ring->dev->v, -err,
					"a queue cannot be as the guest set it up");
	ring->stopping = 0;
	pthread_mutex_lock(&ring->lock);
	ring->paused = false;
	ring->live = true;
	pthread_mutex_unlock(&ring->lock);
	/* A blocking read needs one system call for a kick, not two. */
	fcntl(kick, F_SETFL, 0);
	err = pthread_create(&ring->thread, NULL, ring_main, ring);
	if (err) {
		ring->live = false;
		return vmm_error(err, "cannot start a thread");
	}
	ring->started = true;
	/* Handles what was made available before the thread was created. */
	vmm_event_signal(kick);
	return 0;
}

/* Does nothing for a queue that the driver has reset before. */
static void ring_stop(struct vmm_ring *ring)
{
	if (!ring->started)
		return;
	ring->started = false;
	__atomic_store_n(&ring->stopping, 1, __ATOMIC_RELAXED);
	vmm_event_signal(ring->dev->v->queue[ring->index].kick_fd);
	pthread_join(ring->thread, NULL);
	fcntl(ring->dev->v->queue[ring->index].kick_fd, F_SETFL, O_NONBLOCK);
	pthread_mutex_lock(&ring->lock);
	ring->live = false;
	ring->paused = false;
	pthread_mutex_unlock(&ring->lock);
}

/**
 * vmm_ring_device_open - prepare to serve a device
 * @dev: filled
 * @v: the device; its @offered is set
 * @device_features: device features of the model
 * @kicked: see struct vmm_ring_device
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_ring_device_open(struct vmm_ring_device *dev, struct vmm_virtio *v, u64 device_features,
			 bool (*kicked)(struct vmm_ring *ring))
{
	const struct vmm_mem *mem = &v->vm->mem;
	struct vmm_ring_region regions[VMM_REGIONS];
	unsigned int i;
	int err;

	*dev = (struct vmm_ring_device){ .v = v, .kicked = kicked };
	for (i = 0; i < mem->regions; i++) {
		regions[i] = (struct vmm_ring_region){
			mem->region[i].base, mem->region[i].size, mem->region[i].hva,
		};
	}
	dev->mem = vmm_ring_mem_create(regions, mem->regions);
	if (!dev->mem)
		return vmm_error(ENOMEM, "virtio-%s", v->ops->name);
	dev->err_fd = vmm_event_create();
	err = dev->err_fd;
	if (err >= 0)
		err = vmm_loop_add(v->vm->loop, dev->err_fd, device_broken, dev);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		dev->ring[i].dev = dev;
		dev->ring[i].index = i;
		pthread_mutex_init(&dev->ring[i].lock, NULL);
	}
	if (err < 0) {
		vmm_ring_device_close(dev);
		return err;
	}
	v->offered = (RANCHU_VQ_FEATURES & ~RING_NOT_OFFERED) | device_features;
	if (v->vm->cfg->virtio_packed)
		v->offered |= 1ULL << VIRTIO_F_RING_PACKED;
	return 0;
}

/**
 * vmm_ring_device_close - undo vmm_ring_device_open()
 * @dev: stopped
 */
void vmm_ring_device_close(struct vmm_ring_device *dev)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		pthread_mutex_destroy(&dev->ring[i].lock);
	if (dev->err_fd >= 0) {
		vmm_loop_del(dev->v->vm->loop, dev->err_fd);
		close(dev->err_fd);
	}
	vmm_ring_mem_destroy(dev->mem);
}

/**
 * vmm_ring_device_start - start the driver's queues
 * @dev: stopped
 * @rings: queues @dev->first to @rings - 1
 *
 * Return: 0, or -errno with nothing started
 */
int vmm_ring_device_start(struct vmm_ring_device *dev, unsigned int rings)
{
	int err;

	for (dev->rings = dev->first; dev->rings < rings; dev->rings++) {
		err = ring_start(&dev->ring[dev->rings]);
		if (err) {
			vmm_ring_device_stop(dev);
			return err;
		}
	}
	return 0;
}

/**
 * vmm_ring_device_stop - stop all queues
 * @dev: running
 *
 * When it returns, no thread uses guest memory, and all chains that were taken were answered.
 */
void vmm_ring_device_stop(struct vmm_ring_device *dev)
{
	while (dev->rings > dev->first)
		ring_stop(&dev->ring[--dev->rings]);
	vmm_event_clear(dev->err_fd);
}

/**
 * vmm_ring_model_start - start all queues that the driver has set up
 * @v: its @state is, or begins with, a struct vmm_ring_device
 *
 * Return: 0, or -errno with nothing started
 */
int vmm_ring_model_start(struct vmm_virtio *v)
{
	unsigned int rings = 0;

	while (rings < v->queues && v->queue[rings].ready)
		rings++;
	return vmm_ring_device_start(v->state, rings);
}

/**
 * vmm_ring_model_stop - undo vmm_ring_model_start()
 * @v: the same
 */
void vmm_ring_model_stop(struct vmm_virtio *v)
{
	vmm_ring_device_stop(v->state);
}

/**
 * vmm_ring_model_start_queue - start a queue that the driver has set up again
 * @v: as for vmm_ring_model_start(), started
 * @queue: index of the queue; ignored if it did not exist at the start
 *
 * Return: 0, or -errno after a message
 */
int vmm_ring_model_start_queue(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_ring_device *dev = v->state;

	if (queue >= dev->rings || dev->ring[queue].started)
		return 0;
	return ring_start(&dev->ring[queue]);
}

/**
 * vmm_ring_model_stop_queue - stop a queue that the driver resets
 * @v: as for vmm_ring_model_start(), started
 * @queue: which
 */
void vmm_ring_model_stop_queue(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_ring_device *dev = v->state;

	if (queue < dev->rings)
		ring_stop(&dev->ring[queue]);
}

static void ring_pause(struct vmm_ring *ring)
{
	__atomic_store_n(&ring->stopping, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&ring->lock);
	__atomic_store_n(&ring->stopping, 0, __ATOMIC_RELAXED);
	if (ring->live)
		ring->paused = true;
	ring->live = false;
	pthread_mutex_unlock(&ring->lock);
}

static void ring_resume(struct vmm_ring *ring)
{
	bool was;

	pthread_mutex_lock(&ring->lock);
	was = ring->paused;
	ring->paused = false;
	if (was)
		ring->live = true;
	pthread_mutex_unlock(&ring->lock);
	if (was)
		vmm_event_signal(ring->dev->v->queue[ring->index].kick_fd);
}

/**
 * vmm_ring_device_pause - stop taking chains from all queues
 * @dev: running or not
 *
 * Context: main thread, or a job; no vCPU runs.
 */
void vmm_ring_device_pause(struct vmm_ring_device *dev)
{
	unsigned int i;

	for (i = dev->first; i < dev->rings; i++)
		ring_pause(&dev->ring[i]);
}

/**
 * vmm_ring_device_resume - undo vmm_ring_device_pause()
 * @dev: the same
 */
void vmm_ring_device_resume(struct vmm_ring_device *dev)
{
	unsigned int i;

	for (i = dev->first; i < dev->rings; i++)
		ring_resume(&dev->ring[i]);
}

/**
 * vmm_ring_model_pause - stop taking chains from all queues
 * @v: its @state is, or begins with, a struct vmm_ring_device
 *
 * Context: main thread, or a job; no vCPU runs.
 */
void vmm_ring_model_pause(struct vmm_virtio *v)
{
	vmm_ring_device_pause(v->state);
}

/**
 * vmm_ring_model_resume - undo vmm_ring_model_pause()
 * @v: the same
 */
void vmm_ring_model_resume(struct vmm_virtio *v)
{
	vmm_ring_device_resume(v->state);
}

/**
 * vmm_ring_device_base - return the next index of a queue
 * @dev: paused
 * @queue: which
 * @base: filled, as in VHOST_GET_VRING_BASE
 *
 * Return: 0, -ENOENT if the driver does not use it, -EBUSY if it is not paused, or
 *	-EIO: the driver has broken it
 */
int vmm_ring_device_base(struct vmm_ring_device *dev, unsigned int queue, u32 *base)
{
	struct vmm_ring *ring = &dev->ring[queue];
	int err = 0;

	if (queue < dev->first || queue >= dev->rings)
		return -ENOENT;
	pthread_mutex_lock(&ring->lock);
	if (!ring->paused)
		err = -EBUSY;
	else if (ring->vq.fault)
		err = -EIO;
	else
		*base = ranchu_vq_base(&ring->vq);
	pthread_mutex_unlock(&ring->lock);
	return err;
}

/**
 * vmm_ring_model_base - return the next index of a queue
 * @v: its @state is, or begins with, a struct vmm_ring_device; paused
 * @queue: which
 * @base: filled
 *
 * Return: as vmm_ring_device_base()
 */
int vmm_ring_model_base(struct vmm_virtio *v, unsigned int queue, u32 *base)
{
	return vmm_ring_device_base(v->state, queue, base);
}

/**
 * vmm_ring_device_stats - add the counters of a device's queues
 * @dev: the device
 * @report: where they are added
 *
 * Context: any thread.
 */
void vmm_ring_device_stats(struct vmm_ring_device *dev, struct vmm_report *report)
{
	unsigned int i;

	for (i = 0; i < dev->v->queues; i++) {
		const struct vmm_ring_counts *counts = &dev->ring[i].counts;

		vmm_report_add_queue(report, i, "kicks", vmm_counted(&counts->kicks));
		vmm_report_add_queue(report, i, "calls", vmm_counted(&counts->calls));
		vmm_report_add_queue(report, i, "requests", vmm_counted(&counts->requests));
		vmm_report_add_queue(report, i, "bytes_out", vmm_counted(&counts->bytes_out));
		vmm_report_add_queue(report, i, "bytes_in", vmm_counted(&counts->bytes_in));
	}
}

/**
 * vmm_ring_model_stats - add the counters of a device's queues
 * @v: its @state is, or begins with, a struct vmm_ring_device
 * @report: where they are added
 *
 * Context: any thread.
 */
void vmm_ring_model_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	vmm_ring_device_stats(v->state, report);
}

/**
 * vmm_builtin_connect - connect to the Unix socket of a small device
 * @cfg: the command line
 * @kind: which device
 * @index: which of them
 * @stream: filled: the connection
 *
 * Return: 0, or -errno after a message
 */
int vmm_builtin_connect(const struct vmm_config *cfg, enum vmm_builtin_kind kind,
			unsigned int index, struct vmm_stream *stream)
{
	const struct vmm_builtin *asked = vmm_builtin_find(cfg, kind, index);
	int err;

	/* Without a file nothing comes, and what is sent is dropped. */
	*stream = (struct vmm_stream){ .fd = -1 };
	if (asked->alone)
		return 0;
	err = vmm_stream_open(stream, asked->path);
	return err ? vmm_error(-err, "--virtio: cannot connect to %s", asked->path) : 0;
}
