// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the driver runs: in the thread that measures, so that the ring is in
 * that CPU's cache, or in a thread on another CPU, as a guest's does. Only one
 * of the two threads works at a time.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "vq_bench.h"

/* What the other thread is asked to do. */
static struct {
	struct bench_ring *ring;
	const struct bench_shape *shape;
	unsigned int chains;
	bool fill;
} job;

static atomic_bool asked;

static void wait_until(bool value)
{
	/* Yielding, because there may be fewer CPUs free than we would like. */
	while (atomic_load_explicit(&asked, memory_order_acquire) != value)
		sched_yield();
}

static void *driver_thread(void *cpu)
{
	bench_pin((intptr_t)cpu);
	for (;;) {
		wait_until(true);
		if (job.fill)
			job.chains = ring_fill(job.ring, job.shape, job.chains);
		else
			ring_check(job.ring, job.chains);
		atomic_store_explicit(&asked, false, memory_order_release);
	}
	return NULL;
}

/* The thread on @cpu; it lives as long as the program. */
void driver_start(int cpu)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, driver_thread, (void *)(intptr_t)cpu))
		bench_die("no thread for the driver");
}

static void ask(void)
{
	atomic_store_explicit(&asked, true, memory_order_release);
	wait_until(false);
}

unsigned int driver_fill(struct bench_ring *ring, const struct bench_shape *shape,
			 unsigned int depth, bool elsewhere)
{
	if (!elsewhere)
		return ring_fill(ring, shape, depth);
	job.ring = ring;
	job.shape = shape;
	job.chains = depth;
	job.fill = true;
	ask();
	return job.chains;
}

void driver_check(struct bench_ring *ring, unsigned int chains, bool elsewhere)
{
	if (!elsewhere) {
		ring_check(ring, chains);
		return;
	}
	job.ring = ring;
	job.chains = chains;
	job.fill = false;
	ask();
}
