// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic while something else goes on: memory tables that change, four rings
 * from four threads, two devices, features and addresses set again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		64
#define MEM_SIZE	(8u << 20)
#define CHAINS		400
#define DEVICES		2

struct load {
	struct vq_dev devs[DEVICES];
	pthread_t threads[DEVICES][VQ_RINGS];
	struct vq_traffic traffic[DEVICES][VQ_RINGS];
	unsigned int running;
	bool goes_on;	/* traffic begins again when it has ended */
};

FIXTURE(load)
{
	struct load load;
};

FIXTURE_VARIANT(load)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(load, split)
{
	.features = VQ_SPLIT | VQ_EVENT | VQ_INDIRECT
};

FIXTURE_VARIANT_ADD(load, split_in_order)
{
	.features = VQ_SPLIT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(load, packed)
{
	.features = VQ_PACKED | VQ_EVENT | VQ_INDIRECT
};

FIXTURE_VARIANT_ADD(load, packed_in_order)
{
	.features = VQ_PACKED | VQ_IN_ORDER
};

FIXTURE_SETUP(load)
{
	unsigned int i;

	if (__vq_dev_open(&self->load.devs[0]))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->load.devs[0].fd);
	for (i = 0; i < DEVICES; i++)
		vq_dev_create(&self->load.devs[i], variant->features, NUM, MEM_SIZE);
}

FIXTURE_TEARDOWN(load)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		vq_dev_destroy(&self->load.devs[i]);
}

struct thread {
	struct vq_traffic *traffic;
	struct load *load;
};

static void *run_traffic(void *arg)
{
	struct thread thread = *(struct thread *)arg;
	int err;

	free(arg);
	do {
		err = vq_traffic(thread.traffic);
	} while (!err && __atomic_load_n(&thread.load->goes_on, __ATOMIC_ACQUIRE));
	__atomic_fetch_sub(&thread.load->running, 1, __ATOMIC_RELEASE);
	return (void *)(intptr_t)err;
}

/* Sets traffic going on all rings of the first @devices devices. */
static void start(struct load *load, unsigned int devices, unsigned int rings)
{
	unsigned int d, i, depth = 16;
	struct thread *thread;
	struct vq_dev *dev;

	load->running = devices * rings;
	for (d = 0; d < devices; d++) {
		dev = &load->devs[d];
		vq_dev_run(dev, 1);
		for (i = 0; i < rings; i++) {
			load->traffic[d][i] = (struct vq_traffic){
				.ring = &dev->rings[i],
				.chains = CHAINS,
				.depth = depth,
				.max_bufs = 8,
				.seed = d * VQ_RINGS + i + 1,
				/* Allocated here: threads cannot. */
				.cells = vq_mem_alloc(&dev->mem,
						      depth * 2 * VQ_CELL, 1),
			};
			thread = malloc(sizeof(*thread));
			thread->traffic = &load->traffic[d][i];
			thread->load = load;
			if (pthread_create(&load->threads[d][i], NULL, run_traffic,
					   thread))
				vq_die("no thread");
		}
	}
}

static bool is_running(const struct load *load)
{
	return __atomic_load_n(&load->running, __ATOMIC_ACQUIRE);
}

/* Waits for all of them. Returns the first error. */
static int finish(struct load *load, unsigned int devices, unsigned int rings)
{
	unsigned int d, i;
	void *result;
	int err = 0;

	for (d = 0; d < devices; d++) {
		for (i = 0; i < rings; i++) {
			pthread_join(load->threads[d][i], &result);
			err = err ?: (intptr_t)result;
		}
		if (vq_dev_faults(&load->devs[d]))
			vq_die("a ring broke");
	}
	return err;
}

TEST_F_TIMEOUT(load, four_rings, TIMEOUT)
{
	start(&self->load, 1, VQ_RINGS);
	EXPECT_EQ(0, finish(&self->load, 1, VQ_RINGS));
}

TEST_F_TIMEOUT(load, two_devices, TIMEOUT)
{
	start(&self->load, 2, 2);
	EXPECT_EQ(0, finish(&self->load, 2, 2));
}

/* All tables describe the same memory by different regions. */
TEST_F_TIMEOUT(load, memory_tables_change, TIMEOUT)
{
	static const unsigned int regions[] = { 1, 2, 7, 33, 64 };
	unsigned int i = 0;

	/* However few CPUs there are, more than one change comes while there is traffic. */
	self->load.goes_on = true;
	start(&self->load, 1, 2);
	while (is_running(&self->load)) {
		ASSERT_EQ(0, __vq_mem_tell(self->load.devs[0].fd, &self->load.devs[0].mem,
					   regions[i % ARRAY_SIZE(regions)], i + 1));
		if (++i > 1)
			__atomic_store_n(&self->load.goes_on, false, __ATOMIC_RELEASE);
	}
	EXPECT_EQ(0, finish(&self->load, 1, 2));
	EXPECT_LT(1, i);
}

/* A table of many regions, all the time: buffers and tables cross them. */
TEST_F_TIMEOUT(load, many_regions, TIMEOUT)
{
	struct vq_mem *mem = &self->load.devs[0].mem;
	struct vq_traffic traffic = {
		.ring = &self->load.devs[0].rings[0], .chains = CHAINS, .depth = 16,
		.max_bufs = 8, .seed = 3,
		.cells = vq_mem_alloc(mem, 16 * 2 * VQ_CELL, VQ_PAGE),
	};
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[64];
	} table = { .head.nregions = 64 };
	struct vhost_memory_region *region = table.regions;
	uint64_t gpa = mem->gpa, next;
	unsigned int i;

	/* Small ones of an odd size where tables and cells are. */
	for (i = 0; i < 64; i++, gpa = next, region++) {
		next = gpa + 1023;
		if (i == 0)
			next = traffic.ring->table_gpa;
		if (i == 31)
			next = traffic.cells;
		if (i == 63)
			next = mem->gpa + mem->size;
		region->guest_phys_addr = gpa;
		region->memory_size = next - gpa;
		region->userspace_addr = (uintptr_t)mem->host[i & 1] + gpa - mem->gpa;
	}
	vq_ioctl(self->load.devs[0].fd, VHOST_SET_MEM_TABLE, &table);
	vq_dev_run(&self->load.devs[0], 1);
	EXPECT_EQ(0, vq_traffic(&traffic));
	EXPECT_EQ(0, vq_dev_faults(&self->load.devs[0]));
}

/* ioctls that are allowed on a running device. */
TEST_F_TIMEOUT(load, set_again, TIMEOUT)
{
	static uint8_t bitmap[VQ_PAGE];
	struct vq_dev *dev = &self->load.devs[0];
	uint64_t log = (uintptr_t)bitmap, features;
	unsigned int i = 0;

	start(&self->load, 1, 2);
	while (is_running(&self->load)) {
		features = dev->features | (i & 1 ? VQ_LOG : 0);
		ASSERT_EQ(0, __vq_ioctl(dev->fd, VHOST_SET_LOG_BASE, &log));
		ASSERT_EQ(0, __vq_ioctl(dev->fd, VHOST_SET_FEATURES, &features));
		ASSERT_EQ(0, __vq_set_addr(dev->fd, 0, &dev->rings[0], i >> 1 & 1,
					   dev->rings[0].device));
		ASSERT_EQ(0, __vq_set_file(dev->fd, VHOST_SET_VRING_ERR, 0,
					   i % 3 ? dev->rings[0].err : -1));
		ASSERT_EQ(0, __vq_dev_run(dev, 1));
		i++;
	}
	EXPECT_EQ(0, finish(&self->load, 1, 2));
}

TEST_HARNESS_MAIN
