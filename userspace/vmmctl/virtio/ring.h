/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtqueues that vmmctl processes itself: the kernel modules' engine (drivers/virt/ranchu/vq*.c),
 * built for userspace, with a thread for each queue.
 *
 * Files that include this one are compiled with virtio/compat/ in place of the kernel's
 * headers; the makefile has a list (USES_ENGINE).
 */
#ifndef RING_H
#define RING_H

#include <linux/ranchu_vq.h>

#include "host/stream.h"
#include "virtio/ring_mem.h"
#include "virtio/virtio.h"

struct vmm_ring_device;

/**
 * struct vmm_ring_counts - counters of a ring since its device was created
 * @kicks: signals of its doorbell; one at each start is from vmmctl
 * @calls: interrupts to the driver
 * @requests: chains that were returned to the driver
 * @bytes_out: bytes in them from the driver
 * @bytes_in: bytes written to them
 *
 * The ring's thread writes @kicks; the holder of the ring's lock writes the others.
 */
struct vmm_ring_counts {
	u64 kicks;
	u64 calls;
	u64 requests;
	u64 bytes_out;
	u64 bytes_in;
};

/**
 * struct vmm_ring - a virtqueue that vmmctl processes
 * @dev: the device
 * @index: of the queue
 * @vq: the engine; protected by @lock, as the next two
 * @lock: held while kicked() runs
 * @live: the engine may be used
 * @paused: not @live only because it is paused
 * @started: there is a @thread; protected by the device's lock
 * @thread: waits for the queue's doorbell and calls kicked()
 * @stopping: kicked() is to return soon; read and written with __atomic
 * @turn: chains that kicked() may still take in this turn: no more than a driver can have made
 *	available. A ring may be laid out so that writing to it makes more chains available
 * @counts: counters
 */
struct vmm_ring {
	struct vmm_ring_device *dev;
	unsigned int index;
	struct ranchu_vq vq;
	pthread_mutex_t lock;
	bool live;
	bool paused;
	bool started;
	pthread_t thread;
	int stopping;
	unsigned int turn;
	struct vmm_ring_counts counts;
};

/**
 * struct vmm_ring_device - a virtio device whose queues vmmctl processes
 * @v: the device
 * @kicked: called in @ring's thread, with its lock held, when the driver has made
 *	buffers available. Either processes all that are available and returns true,
 *	or takes none and returns false: the model takes them later, when it has
 *	something for the driver
 * @mem: guest memory, as the engine's structure
 * @err_fd: eventfd, signalled when a ring is broken
 * @first: the first queue that vmmctl processes: a backend serves the queues before it. 0, unless
 *	the model sets it before it starts the queues
 * @rings: running rings are those from @first to @rings - 1
 * @ring: by queue
 */
struct vmm_ring_device {
	struct vmm_virtio *v;
	bool (*kicked)(struct vmm_ring *ring);
	struct ranchu_mem *mem;
	int err_fd;
	unsigned int first;
	unsigned int rings;
	struct vmm_ring ring[VMM_VIRTIO_QUEUES];
};

/* ---- ring.c ---- */

int vmm_ring_device_open(struct vmm_ring_device *dev, struct vmm_virtio *v, u64 device_features,
			 bool (*kicked)(struct vmm_ring *ring));
void vmm_ring_device_close(struct vmm_ring_device *dev);
int vmm_ring_device_start(struct vmm_ring_device *dev, unsigned int rings);
void vmm_ring_device_stop(struct vmm_ring_device *dev);
void vmm_ring_device_pause(struct vmm_ring_device *dev);
void vmm_ring_device_resume(struct vmm_ring_device *dev);
int vmm_ring_device_base(struct vmm_ring_device *dev, unsigned int queue, u32 *base);
int vmm_ring_next(struct vmm_ring *ring, struct ranchu_chain *chain);
void vmm_ring_push(struct vmm_ring *ring, const struct ranchu_chain *chain, u32 written);
void vmm_ring_update(struct vmm_ring *ring);
void vmm_ring_device_stats(struct vmm_ring_device *dev, struct vmm_report *report);

/* Operations for models whose state begins with a struct vmm_ring_device. */
int vmm_ring_model_start(struct vmm_virtio *v);
void vmm_ring_model_stop(struct vmm_virtio *v);
int vmm_ring_model_start_queue(struct vmm_virtio *v, unsigned int queue);
void vmm_ring_model_stop_queue(struct vmm_virtio *v, unsigned int queue);
void vmm_ring_model_pause(struct vmm_virtio *v);
void vmm_ring_model_resume(struct vmm_virtio *v);
int vmm_ring_model_base(struct vmm_virtio *v, unsigned int queue, u32 *base);
void vmm_ring_model_stats(struct vmm_virtio *v, struct vmm_report *report);
int vmm_builtin_connect(const struct vmm_config *cfg, enum vmm_builtin_kind kind,
			unsigned int index, struct vmm_stream *stream);

static inline bool vmm_ring_stopping(const struct vmm_ring *ring)
{
	return __atomic_load_n(&ring->stopping, __ATOMIC_RELAXED);
}

#endif /* RING_H */
