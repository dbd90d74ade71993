/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtqueues that vmmctl serves itself: the modules' engine
 * (drivers/virt/ranchu/vq*.c), built for userspace, with a thread for each queue.
 *
 * What includes this file is compiled with virtio/compat/ in place of the kernel's
 * headers; the makefile has a list (USES_ENGINE).
 */
#ifndef RING_H
#define RING_H

#include <linux/ranchu_vq.h>

#include "host/stream.h"
#include "virtio/ring_mem.h"
#include "virtio/virtio.h"

struct vmm_served;

/**
 * struct vmm_ring - a virtqueue that vmmctl serves
 * @dev: the device
 * @index: of the queue
 * @vq: the engine; what follows belongs to the thread, or to who has @lock
 * @lock: held while kicked() runs
 * @live: it runs: the engine may be used by who has @lock
 * @paused: it would run, were it not paused
 * @thread: of the ring
 * @stopping: the thread is to end; read and written with __atomic
 */
struct vmm_ring {
	struct vmm_served *dev;
	unsigned int index;
	struct ranchu_vq vq;
	pthread_mutex_t lock;
	bool live;
	bool paused;
	pthread_t thread;
	int stopping;
};

/**
 * struct vmm_served - a virtio device that vmmctl serves
 * @v: the device
 * @kicked: the driver has made something available: takes what there is, @ring's
 *	lock held, in @ring's thread; no kick is missed. Or returns false and takes
 *	nothing: it is for the model to take when it has something for the driver.
 * @mem: guest memory, as the engine wants it
 * @err_fd: eventfd: the guest broke a ring
 * @rings: how many run: the first ones
 * @blamed: the guest was blamed
 * @ring: by queue
 */
struct vmm_served {
	struct vmm_virtio *v;
	bool (*kicked)(struct vmm_ring *ring);
	struct ranchu_mem *mem;
	int err_fd;
	unsigned int rings;
	bool blamed;
	struct vmm_ring ring[VMM_VIRTIO_QUEUES];
};

/* ---- ring.c ---- */

int vmm_served_open(struct vmm_served *served, struct vmm_virtio *v, u64 device_features,
		    bool (*kicked)(struct vmm_ring *ring));
void vmm_served_close(struct vmm_served *served);
int vmm_served_start(struct vmm_served *served, unsigned int rings);
void vmm_served_stop(struct vmm_served *served);
void vmm_ring_update(struct vmm_ring *ring);

/* For models whose state begins with a struct vmm_served, and need no more. */
int vmm_served_model_start(struct vmm_virtio *v);
void vmm_served_model_stop(struct vmm_virtio *v);
void vmm_served_model_pause(struct vmm_virtio *v);
void vmm_served_model_resume(struct vmm_virtio *v);
int vmm_extra_connect(const struct vmm_config *cfg, enum vmm_extra_kind kind, unsigned int index,
		      struct vmm_stream *stream);

static inline bool vmm_ring_stopping(const struct vmm_ring *ring)
{
	return __atomic_load_n(&ring->stopping, __ATOMIC_RELAXED);
}

#endif /* RING_H */
