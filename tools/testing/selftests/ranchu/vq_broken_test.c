// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is removed while the device uses it, descriptors that change while it
 * reads them, and a driver that breaks its ring repeatedly.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_hostile.h"

#define TIMEOUT		300
#define FLOOD		150
#define REWRITE_S	1

FIXTURE(broken)
{
	struct hostile hostile;
	struct vq_ring *ring;
	struct vq_mem *mem;
};

FIXTURE_VARIANT(broken)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(broken, split) { .features = VQ_SPLIT };
FIXTURE_VARIANT_ADD(broken, split_event) { .features = VQ_SPLIT | VQ_EVENT };
FIXTURE_VARIANT_ADD(broken, packed) { .features = VQ_PACKED };
FIXTURE_VARIANT_ADD(broken, packed_event) { .features = VQ_PACKED | VQ_EVENT };

FIXTURE_SETUP(broken)
{
	if (__vq_dev_open(&self->hostile.dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->hostile.dev.fd);
	hostile_create(&self->hostile, variant->features);
	self->ring = self->hostile.ring;
	self->mem = &self->hostile.dev.mem;
}

FIXTURE_TEARDOWN(broken)
{
	hostile_destroy(&self->hostile);
}

enum part { DESC, DRIVER, DEVICE };

/* Changes of a part of the ring's memory, and whether the ring breaks. */
static const struct loss {
	const char *name;
	enum part part;
	int prot;
	bool unmap;
	bool fine_if_split;
	bool fine_if_packed;
} losses[] = {
	{ "descriptors unmapped", DESC, 0, true, false, false },
	{ "descriptors not accessible", DESC, PROT_NONE, false, false, false },
	{ "descriptors read-only", DESC, PROT_READ, false, true, false },
	{ "driver area unmapped", DRIVER, 0, true, false, false },
	{ "driver area not accessible", DRIVER, PROT_NONE, false, false, false },
	{ "driver area read-only", DRIVER, PROT_READ, false, true, true },
	{ "device area unmapped", DEVICE, 0, true, false, false },
	{ "device area not accessible", DEVICE, PROT_NONE, false, false, false },
	{ "device area read-only", DEVICE, PROT_READ, false, false, false },
};

static uint64_t part_gpa(const struct vq_ring *ring, enum part part, size_t *size)
{
	switch (part) {
	case DESC:
		*size = vq_desc_size(ring);
		return ring->desc;
	case DRIVER:
		*size = vq_driver_size(ring);
		return ring->driver;
	default:
		*size = vq_device_size(ring);
		return ring->device;
	}
}

static void add_one(struct vq_ring *ring)
{
	const struct vq_buf bufs[2] = { { HOSTILE_DATA, 8 },
					{ HOSTILE_DATA + 8, 8 } };

	vq_add(ring, bufs, 1, 1, NULL);
	vq_publish(ring);
	vq_kick(ring);
}

TEST_F_TIMEOUT(broken, ring_memory_goes, TIMEOUT)
{
	struct hostile *hostile = &self->hostile;
	const struct loss *loss;
	uint64_t faults = 0, gpa;
	size_t size;

	for (loss = losses; loss < losses + ARRAY_SIZE(losses); loss++) {
		gpa = part_gpa(self->ring, loss->part, &size);
		if (loss->unmap)
			vq_mem_unmap(self->mem, gpa, size);
		else
			vq_mem_protect(self->mem, gpa, size, loss->prot);
		if (self->ring->packed ? loss->fine_if_packed : loss->fine_if_split) {
			EXPECT_EQ(0, vq_echo(self->ring))
				TH_LOG("%s", loss->name);
		} else {
			add_one(self->ring);
			EXPECT_TRUE(hostile_is_broken(hostile, faults))
				TH_LOG("%s", loss->name);
			EXPECT_LE(0, hostile_messages(hostile, "cannot be accessed"));
			faults++;
		}
		vq_mem_restore(self->mem, gpa, size);
		hostile_restart(hostile, 0);
		ASSERT_EQ(0, vq_echo(self->ring))
			TH_LOG("%s", loss->name);
	}
}

/* A running device that finds its ring gone when it starts does not start. */
TEST_F_TIMEOUT(broken, ring_memory_gone_at_the_start, TIMEOUT)
{
	size_t size;
	uint64_t gpa = part_gpa(self->ring, DEVICE, &size);

	vq_dev_run(&self->hostile.dev, 0);
	vq_mem_unmap(self->mem, gpa, size);
	EXPECT_EQ(-EFAULT, __vq_dev_run(&self->hostile.dev, 1));
	EXPECT_EQ(0, vq_dev_faults(&self->hostile.dev));
	vq_mem_restore(self->mem, gpa, size);
	hostile_restart(&self->hostile, 0);
	EXPECT_EQ(0, vq_echo(self->ring));
}

/* Returns the bytes that the device says it wrote. */
static uint32_t transfer(struct vq_ring *ring, struct vq_buf out, struct vq_buf in)
{
	const struct vq_buf bufs[2] = { out, in };
	struct vq_done done;

	vq_add(ring, bufs, 1, 1, NULL);
	vq_publish_and_kick(ring);
	vq_get_one(ring, &done);
	return done.len;
}

TEST_F_TIMEOUT(broken, buffer_memory_goes, TIMEOUT)
{
	const uint32_t page = HOST_PAGE;
	const uint64_t data = HOSTILE_DATA, gone = data + page;
	const struct vq_buf whole = { data + 4 * page, 2 * page };

	vq_mem_unmap(self->mem, gone, page);
	/* Written up to where it is gone; not at all; not read at all. */
	EXPECT_EQ(page, transfer(self->ring, whole,
				 (struct vq_buf){ data, 2 * page }));
	EXPECT_GE(page - 100, transfer(self->ring, whole,
				       (struct vq_buf){ data + 100, page }));
	EXPECT_EQ(0, transfer(self->ring, whole, (struct vq_buf){ gone, 8 }));
	EXPECT_EQ(0, transfer(self->ring, (struct vq_buf){ gone, 8 }, whole));
	vq_mem_restore(self->mem, gone, page);

	vq_mem_protect(self->mem, gone, page, PROT_READ);
	EXPECT_EQ(0, transfer(self->ring, whole, (struct vq_buf){ gone, 8 }));
	EXPECT_EQ(8, transfer(self->ring, (struct vq_buf){ gone, 8 }, whole));
	vq_mem_restore(self->mem, gone, page);
	EXPECT_EQ(0, vq_dev_faults(&self->hostile.dev));
	EXPECT_EQ(0, vq_echo(self->ring));
}

/* Repaired where it stands, the chain is served after a restart. */
TEST_F_TIMEOUT(broken, repaired_in_place, TIMEOUT)
{
	const struct vq_buf bad = { 0, 8 };
	struct vq_done done;

	ASSERT_EQ(0, vq_echo(self->ring));
	vq_add(self->ring, &bad, 1, 0, self);
	vq_publish(self->ring);
	vq_kick(self->ring);
	EXPECT_TRUE(hostile_is_broken(&self->hostile, 0));
	vq_dev_run(&self->hostile.dev, 0);
	if (self->ring->packed)
		vq_slots(self->ring)[self->ring->used].addr = HOSTILE_DATA;
	else
		vq_descs(self->ring)[vq_avail(self->ring)->ring[1]].addr =
			HOSTILE_DATA;
	vq_dev_run(&self->hostile.dev, 1);
	vq_get_one(self->ring, &done);
	EXPECT_EQ(self, done.token);
	EXPECT_EQ(0, vq_echo(self->ring));
	EXPECT_EQ(1, vq_dev_faults(&self->hostile.dev));
}

/* The log may have the first messages, but not all of them. */
TEST_F_TIMEOUT(broken, log_is_not_flooded, TIMEOUT)
{
	const struct vq_buf bad = { 0, 8 };
	unsigned int i;
	int messages;

	for (i = 0; i < FLOOD; i++) {
		hostile_restart(&self->hostile, 0);
		vq_add(self->ring, &bad, 1, 0, NULL);
		vq_publish(self->ring);
		vq_kick(self->ring);
		ASSERT_EQ(1, vq_wait(self->ring->err, VQ_PATIENCE_MS));
	}
	EXPECT_EQ(FLOOD, vq_dev_faults(&self->hostile.dev));
	messages = hostile_messages(&self->hostile, NULL);
	EXPECT_LE(0, messages);
	EXPECT_GT(FLOOD / 2, messages);
}

/*
 * A driver that writes random data to the ring at random times. Half of its
 * addresses are valid, and outside of the rings.
 */
struct rewriter {
	struct vq_ring *ring;
	bool over;
};

static uint64_t any_address(uint32_t *state)
{
	uint32_t r = vq_random(state);

	return r & 7 ? HOSTILE_DATA + (r >> 16) : (uint64_t)r << 20;
}

static void *rewrite(void *arg)
{
	struct rewriter *rewriter = arg;
	volatile struct vring_packed_desc *slot;
	volatile struct vring_desc *desc;
	struct vq_ring *ring = rewriter->ring;
	uint32_t state = 17, r;

	while (!__atomic_load_n(&rewriter->over, __ATOMIC_RELAXED)) {
		r = vq_random(&state);
		desc = &vq_descs(ring)[r % HOSTILE_NUM];
		slot = &vq_slots(ring)[r % HOSTILE_NUM];
		desc->addr = any_address(&state);
		desc->len = r & 0x700 ? r >> 24 : r >> 12;
		if (ring->packed) {
			slot->id = r >> 8;
			slot->flags = (vq_random(&state) & 3) |
				      (r & 0x800 ? VQ_AVAIL_FLAG : VQ_USED_FLAG);
		} else {
			desc->next = r & 0xf000 ? (r >> 8) % HOSTILE_NUM : r;
			desc->flags = vq_random(&state) & 3;
		}
	}
	return NULL;
}

static bool is_over(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec > REWRITE_S;
}

TEST_F_TIMEOUT(broken, descriptors_change_while_read, TIMEOUT)
{
	struct hostile *hostile = &self->hostile;
	struct rewriter rewriter = { .ring = self->ring };
	uint16_t *idx = &vq_avail(self->ring)->idx;
	unsigned int restarts = 0, i;
	struct timespec begin;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, rewrite, &rewriter));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!is_over(&begin)) {
		if (vq_wait(self->ring->err, 0)) {
			hostile_restart(hostile, 0);
			restarts++;
		}
		if (!self->ring->packed) {
			for (i = 0; i < HOSTILE_NUM; i++)
				vq_avail(self->ring)->ring[i] = i * 7 % HOSTILE_NUM;
			__atomic_fetch_add(idx, 5, __ATOMIC_RELEASE);
		}
		vq_kick(self->ring);
		ASSERT_EQ(0, vq_echo(&hostile->dev.rings[0]));
	}
	__atomic_store_n(&rewriter.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, restarts);
	hostile_restart(hostile, 0);
	vq_wait(self->ring->err, 0);
	EXPECT_EQ(0, vq_echo(self->ring));
	EXPECT_TRUE(hostile_others_live(hostile));
}

TEST_HARNESS_MAIN
