// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stop and start: a ring's position is read and set by VHOST_GET_VRING_BASE and
 * VHOST_SET_VRING_BASE, and chains that were under way can be served again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		8
#define MEM_SIZE	(4u << 20)
#define HELD		3
/* Far more looks than it takes the device to wake. */
#define PATIENCE	1000000

FIXTURE(state)
{
	struct vq_dev dev;
	struct vq_ring *ring;
};

FIXTURE_VARIANT(state)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(state, split) { .features = VQ_SPLIT };
FIXTURE_VARIANT_ADD(state, split_event) { .features = VQ_SPLIT | VQ_EVENT };
FIXTURE_VARIANT_ADD(state, split_in_order)
{
	.features = VQ_SPLIT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(state, packed) { .features = VQ_PACKED };
FIXTURE_VARIANT_ADD(state, packed_event) { .features = VQ_PACKED | VQ_EVENT };
FIXTURE_VARIANT_ADD(state, packed_in_order)
{
	.features = VQ_PACKED | VQ_IN_ORDER
};

FIXTURE_SETUP(state)
{
	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, variant->features, NUM, MEM_SIZE);
	self->ring = &self->dev.rings[0];
}

FIXTURE_TEARDOWN(state)
{
	vq_dev_destroy(&self->dev);
}

/* The device's position after it has taken and returned all chains. */
static uint32_t base_of(const struct vq_ring *ring)
{
	uint32_t base;

	if (!ring->packed)
		return ring->avail;
	base = ring->avail | (ring->avail_wrap ? 0x8000 : 0);
	return base | base << 16;
}

static void set_base(struct vq_dev *dev, uint32_t base)
{
	if (__vq_set_state(dev->fd, VHOST_SET_VRING_BASE, 0, base))
		vq_die("SET_VRING_BASE 0x%x", base);
}

/* One chain at a time, over every slot and both values of the wrap counters. */
TEST_F_TIMEOUT(state, base_goes_round, TIMEOUT)
{
	unsigned int i;
	uint32_t base;

	for (i = 0; i < 3 * NUM; i++) {
		vq_dev_run(&self->dev, 1);
		ASSERT_EQ(0, vq_echo(self->ring));
		if (i % 3 == 1)
			ASSERT_EQ(0, vq_echo(self->ring));
		vq_dev_run(&self->dev, 0);
		base = vq_get_base(self->dev.fd, 0);
		ASSERT_EQ(base_of(self->ring), base);
		/* Through another value, so that setting it does something. */
		set_base(&self->dev, base ^ 1);
		ASSERT_EQ(base ^ 1, vq_get_base(self->dev.fd, 0));
		set_base(&self->dev, base);
	}
}

TEST_F_TIMEOUT(state, a_new_device_goes_on, TIMEOUT)
{
	unsigned int i, j;
	uint32_t base;

	for (i = 0; i < NUM; i++) {
		vq_dev_run(&self->dev, 1);
		for (j = 0; j <= i % 3; j++)
			ASSERT_EQ(0, vq_echo(self->ring));
		vq_dev_run(&self->dev, 0);
		base = vq_get_base(self->dev.fd, 0);
		vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
		close(self->dev.fd);
		self->dev.fd = open(VQ_DEV_PATH, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, self->dev.fd);
		vq_dev_set_up(&self->dev);
		set_base(&self->dev, base);
	}
}

TEST_F_TIMEOUT(state, stopped_it_does_nothing, TIMEOUT)
{
	struct vhost_ranchu_test_stats stats;
	struct vq_buf buf = { self->ring->echo_gpa, 8 };
	struct vq_done done;

	vq_dev_run(&self->dev, 1);
	ASSERT_EQ(0, vq_echo(self->ring));
	vq_dev_run(&self->dev, 0);
	vq_dev_run(&self->dev, 0);
	vq_add(self->ring, &buf, 1, 0, NULL);
	vq_publish(self->ring);
	vq_kick(self->ring);
	/* The worker has had its turn when a kick to it has been taken. */
	vq_dev_get_stats(&self->dev, 0, &stats);
	EXPECT_EQ(1, stats.chains);
	EXPECT_FALSE(vq_has_used(self->ring));

	vq_dev_run(&self->dev, 1);
	vq_dev_run(&self->dev, 1);
	vq_get_one(self->ring, &done);
	EXPECT_FALSE(vq_has_used(self->ring));
}

/*
 * Adds HELD chains of two buffers and waits until the device has taken them.
 * It keeps them. Returns where the device stands then.
 */
static uint32_t leave_some_under_way(struct vq_dev *dev, struct vq_ring *ring)
{
	static const char text[HELD][8] = { "first", "second", "third" };
	unsigned int i, slots = ring->packed ? 2 : 1;
	struct vq_buf bufs[2];
	uint32_t base;

	for (i = 0; i < HELD; i++) {
		bufs[0] = (struct vq_buf){ ring->echo_gpa + i * 8, 8 };
		bufs[1] = (struct vq_buf){ ring->echo_gpa + 1024 + i * 8, 8 };
		memcpy(vq_mem_guest(ring->mem, bufs[0].gpa), text[i], 8);
		memset(vq_mem_guest(ring->mem, bufs[1].gpa), 0, 8);
		vq_add(ring, bufs, 1, 1, vq_mem_guest(ring->mem, bufs[1].gpa));
	}
	base = ring->used + HELD * slots;
	vq_publish(ring);
	vq_kick(ring);
	if (ring->packed) {
		base = ring->used | (ring->used_wrap ? 0x8000 : 0);
		base = base << 16 | (base_of(ring) & 0xffff);
	}
	for (i = 0; vq_get_base(dev->fd, 0) != (ring->packed ? base : (uint16_t)base);
	     i++) {
		if (i == PATIENCE)
			vq_die("0x%x, not 0x%x", vq_get_base(dev->fd, 0), base);
		sched_yield();
	}
	return base;
}

static void keep(struct vq_dev *dev, bool on)
{
	vq_dev_set_mode(dev, 0, on ? VHOST_RANCHU_TEST_KEEP : 0, 0, on ? HELD : 0);
}

/* Chains that were not returned are made available again by the base. */
TEST_F_TIMEOUT(state, chains_under_way_are_served_again, TIMEOUT)
{
	struct vq_done done;
	unsigned int i, n;
	uint32_t base;

	for (i = 0; i < NUM; i++) {
		keep(&self->dev, true);
		vq_dev_run(&self->dev, 1);
		base = leave_some_under_way(&self->dev, self->ring);
		vq_dev_run(&self->dev, 0);
		ASSERT_FALSE(vq_has_used(self->ring));
		set_base(&self->dev, self->ring->packed ?
			 base >> 16 | (base & 0xffff0000) :
			 self->ring->used);
		keep(&self->dev, false);
		vq_dev_run(&self->dev, 1);
		for (n = 0; n < HELD; n++) {
			vq_get_one(self->ring, &done);
			ASSERT_EQ(8, done.len);
			ASSERT_NE(0, ((char *)done.token)[0]);
		}
		ASSERT_FALSE(vq_has_used(self->ring));
		/* Now and then they lie across the end of the ring. */
		ASSERT_EQ(0, vq_echo(self->ring));
		ASSERT_EQ(0, vq_echo(self->ring));
		vq_dev_run(&self->dev, 0);
	}
	EXPECT_EQ(0, vq_dev_faults(&self->dev));
}

/* Without that they are lost, but the ring goes on. */
TEST_F_TIMEOUT(state, chains_under_way_are_lost, TIMEOUT)
{
	struct vq_buf buf = { self->ring->echo_gpa, 8 };
	struct vq_done done;

	if (variant->features & VQ_IN_ORDER)
		SKIP(return, "in order none can be missing");
	keep(&self->dev, true);
	vq_dev_run(&self->dev, 1);
	leave_some_under_way(&self->dev, self->ring);
	vq_dev_run(&self->dev, 0);
	keep(&self->dev, false);
	vq_dev_run(&self->dev, 1);
	vq_add(self->ring, &buf, 1, 0, self);
	vq_publish(self->ring);
	vq_kick(self->ring);
	vq_get_one(self->ring, &done);
	EXPECT_EQ(self, done.token);
	EXPECT_FALSE(vq_has_used(self->ring));
	EXPECT_EQ(0, vq_dev_faults(&self->dev));
}

/* A base that points outside the ring is refused when the ring starts. */
TEST_F_TIMEOUT(state, base_outside_the_ring, TIMEOUT)
{
	if (!self->ring->packed) {
		EXPECT_EQ(-EINVAL, __vq_set_state(self->dev.fd, VHOST_SET_VRING_BASE,
						  0, 0x10000));
		EXPECT_EQ(0, __vq_set_state(self->dev.fd, VHOST_SET_VRING_BASE, 0,
					    0xffff));
		return;
	}
	set_base(&self->dev, 0x80000000 | 0x8000 | NUM);
	EXPECT_EQ(-EINVAL, __vq_dev_run(&self->dev, 1));
	set_base(&self->dev, 0x80000000 | NUM << 16 | 0x8000);
	EXPECT_EQ(-EINVAL, __vq_dev_run(&self->dev, 1));
	set_base(&self->dev, VQ_BASE_PACKED);
	vq_dev_run(&self->dev, 1);
	EXPECT_EQ(0, vq_echo(self->ring));
}

/* The base of a ring that never ran can be set again. */
TEST_F_TIMEOUT(state, base_of_a_new_ring, TIMEOUT)
{
	uint32_t base = vq_get_base(self->dev.fd, 0);

	ASSERT_EQ(vq_ring_first_base(self->ring), base);
	set_base(&self->dev, base);
	vq_dev_run(&self->dev, 1);
	EXPECT_EQ(0, vq_echo(self->ring));
}

TEST_HARNESS_MAIN
