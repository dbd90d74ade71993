// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes requests from a queue and returns them. A request that waits for the front end blocks
 * the queue; one that waits for the renderer does not.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/log.h"
#include "ring.h"

#define TURN	64	/* requests that are handled before other files of the loop */

static void signal_file(int fd)
{
	if (fd >= 0)
		eventfd_write(fd, 1);
}

/**
 * ring_init - initialise a queue that is not set up
 * @ring: @handle and @arg are set
 */
void ring_init(struct ring *ring)
{
	ring->kick_fd = -1;
	ring->call_fd = -1;
	ring->err_fd = -1;
	ring->enabled = false;
	ring->running = false;
	ring->waits = false;
	ring->held = NULL;
	ring->holds = 0;
	ring->overrun = false;
	ring->base = 0;
	memset(&ring->setup, 0, sizeof(ring->setup));
}

/**
 * ring_start - begin to serve a queue
 * @ring: @setup, @base and @kick_fd are set
 * @mem: guest memory, which stays until the queue is stopped
 *
 * Return: 0, or -errno: the queue is not set up correctly
 */
int ring_start(struct ring *ring, struct ranchu_mem *mem)
{
	int err = ranchu_vq_check(&ring->setup);

	if (!err)
		err = ranchu_vq_start(&ring->vq, mem, &ring->setup, ring->base);
	if (err)
		return err;
	ring->mem = mem;
	ring->running = true;
	ring->waits = false;
	ring->overrun = false;
	/* Handles requests that were made available before. */
	signal_file(ring->kick_fd);
	return 0;
}

static void publish(struct ring *ring)
{
	ranchu_vq_publish(&ring->vq);
	if (ranchu_vq_must_call(&ring->vq))
		signal_file(ring->call_fd);
}

/* Returns whether @fence is @held, or a later one on its timeline. */
static bool fence_covers(const struct gpu_fence *fence, const struct gpu_fence *held)
{
	return fence->on_ring == held->on_ring && fence->context == held->context &&
	       fence->ring == held->ring && fence->number >= held->number;
}

/* Returns whether @held is on a timeline of @fence's context. */
static bool fence_in_context(const struct gpu_fence *fence, const struct gpu_fence *held)
{
	return held->on_ring && held->context == fence->context;
}

static bool any_fence(const struct gpu_fence *fence, const struct gpu_fence *held)
{
	(void)fence;
	(void)held;
	return true;
}

/* Returns requests whose fence meets a condition. */
static void held_push(struct ring *ring,
		      bool (*ends)(const struct gpu_fence *fence, const struct gpu_fence *held),
		      const struct gpu_fence *fence)
{
	struct ring_held **place = &ring->held;
	struct ring_held *held;
	bool pushed = false;

	while ((held = *place)) {
		if (!ends(fence, &held->fence)) {
			place = &held->next;
			continue;
		}
		*place = held->next;
		if (ring->running)
			ranchu_vq_push(&ring->vq, &held->chain, held->written);
		pushed = true;
		ring->holds--;
		free(held);
	}
	if (pushed && ring->running)
		publish(ring);
}

/* Keeps the current request until its fence; false without memory. */
static bool hold(struct ring *ring, const struct gpu_fence *fence, u32 written)
{
	struct ring_held **place = &ring->held;
	struct ring_held *held = malloc(sizeof(*held));

	if (!held)
		return false;
	*held = (struct ring_held){ .fence = *fence, .chain = ring->chain, .written = written };
	while (*place)
		place = &(*place)->next;
	*place = held;
	ring->holds++;
	return true;
}

/**
 * ring_stop - stop serving a queue
 * @ring: may be stopped; @base is filled with the next index
 *
 * A request that waits for the front end is put back as if it had not been taken. Those that
 * wait for the renderer are answered.
 */
void ring_stop(struct ring *ring)
{
	held_push(ring, any_fence, NULL);
	if (!ring->running)
		return;
	if (ring->waits)
		ranchu_vq_put_back(&ring->vq, &ring->chain);
	ring->waits = false;
	ring->running = false;
	ring->base = ranchu_vq_base(&ring->vq);
}

/* Reports a broken queue, which is not served until it is set up again. */
static bool gave_up(struct ring *ring)
{
	if (!ring->running || (!ring->vq.fault && !ring->overrun && !vmm_compat_warned()))
		return false;
	vmm_error(0, "the guest has broken a queue: %s",
		  ring->overrun ? "more requests wait for fences than the queue has places" :
				  ranchu_vq_fault_name(ring->vq.fault));
	ring->running = false;
	signal_file(ring->err_fd);
	return true;
}

/**
 * ring_request - describe the current request
 * @ring: has one
 * @request: filled
 */
void ring_request(const struct ring *ring, struct gpu_request *request)
{
	*request = (struct gpu_request){
		.out = ring->iov, .n_out = ring->chain.n_out, .out_len = ring->chain.out_len,
		.in = ring->iov + ring->chain.n_out, .n_in = ring->chain.n_in,
		.in_len = ring->chain.in_len,
	};
}

/* Takes and runs a request; false if there is none, or one waits. */
static bool take(struct ring *ring)
{
	struct gpu_request request;
	struct gpu_fence fence;
	unsigned int i;
	int written;

	for (i = 0; i < TURN; i++) {
		ring->chain.iov = ring->iov;
		ring->chain.max = RING_IOVS;
		if (ranchu_vq_next(&ring->vq, &ring->chain) <= 0)
			return false;
		/* Each request that waits has a place, unless the driver uses a place twice. */
		ring->overrun = ring->holds == ring->vq.num;
		if (ring->overrun)
			return false;
		ring_request(ring, &request);
		fence.number = 0;
		request.fence = &fence;
		/* Set before, because the answer may come at once and continue the queue. */
		ring->waits = true;
		written = ring->handle(ring->arg, &request);
		if (written == GPU_LATER)
			return false;
		ring->waits = false;
		if (!fence.number || !hold(ring, &fence, written))
			ranchu_vq_push(&ring->vq, &ring->chain, written);
	}
	return true;
}

/**
 * ring_serve - handle requests that the driver has made available
 * @ring: the queue was kicked
 */
void ring_serve(struct ring *ring)
{
	bool more;

	if (!ring->running || !ring->enabled || ring->waits)
		return;
	do {
		ranchu_vq_disable_kicks(&ring->vq);
		more = take(ring);
		publish(ring);
		if (gave_up(ring) || ring->waits)
			return;
		if (more) {
			signal_file(ring->kick_fd);
			return;
		}
	} while (ranchu_vq_enable_kicks(&ring->vq));
}

/**
 * ring_answered - return the request that waits, and continue
 * @ring: a request waits
 * @written: bytes of its answer
 */
void ring_answered(struct ring *ring, u32 written)
{
	ring->waits = false;
	ranchu_vq_push(&ring->vq, &ring->chain, written);
	publish(ring);
	signal_file(ring->kick_fd);
}

/**
 * ring_fenced - return requests that the renderer has completed
 * @ring: may have none
 * @fence: the fence, which completes all earlier ones on its timeline
 */
void ring_fenced(struct ring *ring, const struct gpu_fence *fence)
{
	held_push(ring, fence_covers, fence);
	gave_up(ring);
}

/**
 * ring_context_ended - return requests that wait for fences of a context
 * @ring: may have none; its current request, if any, is not returned
 * @context: number of the context, which was destroyed
 */
void ring_context_ended(struct ring *ring, u32 context)
{
	const struct gpu_fence fence = { .on_ring = true, .context = context };

	held_push(ring, fence_in_context, &fence);
}
