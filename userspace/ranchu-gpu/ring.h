/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's queues, by the kernel modules' virtqueue engine (drivers/virt/ranchu/vq*.c),
 * built as for vmmctl. Files that include this one are compiled with vmmctl's virtio/compat/
 * in place of the kernel's headers; the makefile has a list (USES_ENGINE).
 */
#ifndef GPU_RING_H
#define GPU_RING_H

#include <linux/ranchu_vq.h>

#include "gpu.h"

#define RING_IOVS	1024	/* pieces of a request, at most */

/**
 * struct ring_held - a request whose answer is written, and is returned when its fence completes
 * @next: the next one, in order of submission
 * @fence: what it waits for
 * @chain: its chain in the queue
 * @written: bytes of the answer
 */
struct ring_held {
	struct ring_held *next;
	struct gpu_fence fence;
	struct ranchu_chain chain;
	u32 written;
};

/**
 * struct ring - a queue
 * @handle: runs a request; returns bytes of the answer, or GPU_LATER: then
 *	ring_answered() is called for it
 * @arg: first argument of @handle
 * @vq: the engine
 * @mem: guest memory
 * @setup: addresses of the queue
 * @base: next index
 * @kick_fd: eventfd, signalled by the driver, or -1
 * @call_fd: eventfd that interrupts the driver, or -1
 * @err_fd: eventfd, signalled when the queue is broken, or -1
 * @enabled: the front end has enabled it
 * @running: it is served
 * @waits: @chain waits for its answer, and nothing else is taken
 * @held: requests that wait for their fences, in order of submission
 * @holds: how many these are, at most the queue's places
 * @overrun: the driver has made more available than that, and the queue is broken
 * @chain: the current request
 * @iov: its buffers
 */
struct ring {
	int (*handle)(void *arg, const struct gpu_request *request);
	void *arg;
	struct ranchu_vq vq;
	struct ranchu_mem *mem;
	struct ranchu_vq_setup setup;
	u32 base;
	int kick_fd;
	int call_fd;
	int err_fd;
	bool enabled;
	bool running;
	bool waits;
	struct ring_held *held;
	unsigned int holds;
	bool overrun;
	struct ranchu_chain chain;
	struct iovec iov[RING_IOVS];
};

/* ---- ring.c ---- */

void ring_init(struct ring *ring);
int ring_start(struct ring *ring, struct ranchu_mem *mem);
void ring_stop(struct ring *ring);
void ring_serve(struct ring *ring);
void ring_request(const struct ring *ring, struct gpu_request *request);
void ring_answered(struct ring *ring, u32 written);
void ring_fenced(struct ring *ring, const struct gpu_fence *fence);
void ring_context_ended(struct ring *ring, u32 context);

#endif /* GPU_RING_H */
