// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains through the rings of the test device, by userspace as the driver: both
 * layouts, every feature, every queue size, everything the device can do with
 * a chain; all data and all lengths are verified.
 */
#define _GNU_SOURCE
#include <string.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		64
#define CHAINS		1000
#define CHAINS_A_MODE	80
#define MEM_SIZE	(16u << 20)

FIXTURE(ring)
{
	struct vq_dev dev;
};

FIXTURE_VARIANT(ring)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(ring, split) { .features = VQ_SPLIT };
FIXTURE_VARIANT_ADD(ring, split_event) { .features = VQ_SPLIT | VQ_EVENT };
FIXTURE_VARIANT_ADD(ring, split_indirect)
{
	.features = VQ_SPLIT | VQ_INDIRECT
};

FIXTURE_VARIANT_ADD(ring, split_in_order)
{
	.features = VQ_SPLIT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(ring, split_all)
{
	.features = VQ_SPLIT | VQ_EVENT | VQ_INDIRECT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(ring, packed) { .features = VQ_PACKED };
FIXTURE_VARIANT_ADD(ring, packed_event) { .features = VQ_PACKED | VQ_EVENT };
FIXTURE_VARIANT_ADD(ring, packed_indirect)
{
	.features = VQ_PACKED | VQ_INDIRECT
};

FIXTURE_VARIANT_ADD(ring, packed_in_order)
{
	.features = VQ_PACKED | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(ring, packed_all)
{
	.features = VQ_PACKED | VQ_EVENT | VQ_INDIRECT | VQ_IN_ORDER
};

FIXTURE_SETUP(ring)
{
	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, variant->features, NUM, MEM_SIZE);
}

FIXTURE_TEARDOWN(ring)
{
	vq_dev_destroy(&self->dev);
}

/* Traffic that has a bit of everything; the ring wraps many times. */
static struct vq_traffic traffic_of(struct vq_dev *dev, unsigned int chains,
				    uint32_t seed)
{
	return (struct vq_traffic){
		.ring = &dev->rings[0],
		.chains = chains,
		.depth = 48,
		.max_bufs = 8,
		.mix_tables = dev->features & VQ_INDIRECT,
		.seed = seed,
	};
}

TEST_F_TIMEOUT(ring, one_chain_on_each, TIMEOUT)
{
	struct vhost_ranchu_test_stats stats;
	unsigned int i;

	vq_dev_run(&self->dev, 1);
	for (i = 0; i < VQ_RINGS; i++) {
		EXPECT_EQ(0, vq_echo(&self->dev.rings[i]));
		vq_dev_get_stats(&self->dev, i, &stats);
		EXPECT_EQ(1, stats.chains);
		EXPECT_EQ(80, stats.bytes);
		EXPECT_EQ(0, stats.faults);
	}
}

TEST_F_TIMEOUT(ring, many_chains, TIMEOUT)
{
	struct vq_traffic traffic = traffic_of(&self->dev, CHAINS, 7);
	struct vhost_ranchu_test_stats stats;

	vq_dev_run(&self->dev, 1);
	EXPECT_EQ(0, vq_traffic(&traffic));
	vq_dev_get_stats(&self->dev, 0, &stats);
	EXPECT_EQ(CHAINS, stats.chains);
	EXPECT_EQ(0, stats.faults);
	/* It was worked on for each kick, but not for each chain. */
	EXPECT_GT(CHAINS, stats.kicks);
}

/* Out of order only where the driver can stand it. */
static const struct mode {
	const char *name;
	uint32_t flags;
	uint32_t batch;
	uint32_t hold;
} modes[] = {
	{ "batch 1", 0, 1, 0 },
	{ "batch 5", 0, 5, 0 },
	{ "hold 1", 0, 0, 1 },
	{ "hold 7", 0, 0, 7 },
	{ "hold 256, batch 3", 0, 3, 256 },
	{ "put back", VHOST_RANCHU_TEST_PUT_BACK, 0, 0 },
	{ "put back, hold 5", VHOST_RANCHU_TEST_PUT_BACK, 0, 5 },
	{ "half", VHOST_RANCHU_TEST_HALF, 0, 0 },
	{ "half, hold 3, batch 2", VHOST_RANCHU_TEST_HALF, 2, 3 },
};

TEST_F_TIMEOUT(ring, modes, TIMEOUT)
{
	struct vq_traffic traffic;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		vq_dev_set_mode(&self->dev, 0, modes[i].flags, modes[i].batch,
				modes[i].hold);
		vq_dev_run(&self->dev, 1);
		traffic = traffic_of(&self->dev, CHAINS_A_MODE, i + 1);
		traffic.cells = self->dev.mem.gpa + self->dev.mem.size -
				traffic.depth * 2 * VQ_CELL;
		traffic.half = modes[i].flags & VHOST_RANCHU_TEST_HALF;
		EXPECT_EQ(0, vq_traffic(&traffic))
			TH_LOG("%s", modes[i].name);
		vq_dev_run(&self->dev, 0);
	}
	EXPECT_EQ(0, vq_dev_faults(&self->dev));
}

/* A device that holds chains until more come returns them in the end. */
TEST_F_TIMEOUT(ring, kept_until_more_come, TIMEOUT)
{
	struct vq_ring *ring = &self->dev.rings[0];
	struct vhost_ranchu_test_stats stats;
	struct vq_buf bufs[2] = { { ring->echo_gpa, 8 },
				  { ring->echo_gpa + 8, 8 } };
	struct vq_done done;
	unsigned int i;

	vq_dev_set_mode(&self->dev, 0, VHOST_RANCHU_TEST_KEEP, 0, 3);
	vq_dev_run(&self->dev, 1);
	for (i = 0; i < 3; i++)
		vq_add(ring, bufs, 1, 1, NULL);
	vq_publish(ring);
	vq_kick(ring);
	/* Another ring is served after that kick, so it has been seen to. */
	EXPECT_EQ(0, vq_echo(&self->dev.rings[1]));
	EXPECT_FALSE(vq_has_used(ring));
	vq_dev_get_stats(&self->dev, 0, &stats);
	EXPECT_EQ(0, stats.chains);

	vq_add(ring, bufs, 1, 1, NULL);
	vq_publish(ring);
	vq_kick(ring);
	for (i = 0; i < 4; i++)
		vq_get_one(ring, &done);
	EXPECT_FALSE(vq_has_used(ring));
}

/* Buffers of nothing, buffers only to be read, buffers only to be written. */
TEST_F_TIMEOUT(ring, lopsided_chains, TIMEOUT)
{
	static const struct {
		uint32_t out;
		uint32_t in;
	} rows[] = { { 0, 0 }, { 0, 8 }, { 8, 0 }, { 1, 8 }, { 8, 1 } };
	struct vq_ring *ring = &self->dev.rings[0];
	struct vq_buf bufs[2];
	struct vq_done done;
	unsigned int i;

	vq_dev_run(&self->dev, 1);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bufs[0] = (struct vq_buf){ ring->echo_gpa, rows[i].out };
		bufs[1] = (struct vq_buf){ ring->echo_gpa + 64, rows[i].in };
		vq_add(ring, bufs, 1, 1, NULL);
		vq_publish_and_kick(ring);
		vq_get_one(ring, &done);
		EXPECT_EQ(rows[i].out < rows[i].in ? rows[i].out : rows[i].in,
			  done.len);
		/* One side is not there at all. */
		vq_add(ring, bufs, i & 1, !(i & 1), NULL);
		vq_publish_and_kick(ring);
		vq_get_one(ring, &done);
		EXPECT_EQ(0, done.len);
	}
}

/* As many buffers as the device takes, each one iovec, and one iovec more. */
TEST_F_TIMEOUT(ring, as_many_buffers_as_it_takes, TIMEOUT)
{
	struct vq_ring *ring = &self->dev.rings[0];
	struct vq_buf bufs[VHOST_RANCHU_TEST_MAX_IOV];
	struct vq_done done;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct vq_buf){ ring->echo_gpa + i * 3, 3 };
	vq_dev_run(&self->dev, 1);
	vq_add(ring, bufs, 32, 32, NULL);
	vq_publish_and_kick(ring);
	vq_get_one(ring, &done);
	EXPECT_EQ(96, done.len);
	EXPECT_EQ(0, vq_dev_faults(&self->dev));
}

FIXTURE(size)
{
	struct vq_dev dev;
};

FIXTURE_VARIANT(size)
{
	uint64_t features;
	unsigned int num;
	uint32_t base;
	unsigned int chains;
	unsigned int max_bufs;
};

/* Where they start, indices and wrap counters are about to turn. */
FIXTURE_VARIANT_ADD(size, split_1) { VQ_SPLIT, 1, 65530, 150, 1 };
FIXTURE_VARIANT_ADD(size, split_1_event)
{
	VQ_SPLIT | VQ_EVENT, 1, 65530, 150, 1
};

FIXTURE_VARIANT_ADD(size, split_1_indirect)
{
	VQ_SPLIT | VQ_INDIRECT | VQ_IN_ORDER, 1, 65530, 150, 8
};

FIXTURE_VARIANT_ADD(size, split_2) { VQ_SPLIT | VQ_EVENT, 2, 65530, 200, 2 };
FIXTURE_VARIANT_ADD(size, split_256)
{
	VQ_SPLIT | VQ_EVENT, 256, 65400, 600, 4
};

FIXTURE_VARIANT_ADD(size, split_32768)
{
	VQ_SPLIT | VQ_EVENT, 32768, 65400, 600, 60
};

FIXTURE_VARIANT_ADD(size, split_32768_all)
{
	VQ_SPLIT | VQ_EVENT | VQ_INDIRECT | VQ_IN_ORDER, 32768, 32700, 600, 4
};

FIXTURE_VARIANT_ADD(size, packed_1) { VQ_PACKED, 1, 0x80008000, 150, 1 };
FIXTURE_VARIANT_ADD(size, packed_1_event)
{
	VQ_PACKED | VQ_EVENT, 1, 0, 150, 1
};

FIXTURE_VARIANT_ADD(size, packed_1_indirect)
{
	VQ_PACKED | VQ_INDIRECT | VQ_IN_ORDER, 1, 0x80008000, 150, 8
};

FIXTURE_VARIANT_ADD(size, packed_2)
{
	VQ_PACKED | VQ_EVENT, 2, 0x00010001, 200, 2
};

FIXTURE_VARIANT_ADD(size, packed_7) { VQ_PACKED, 7, 0x80058005, 300, 4 };
FIXTURE_VARIANT_ADD(size, packed_7_event)
{
	VQ_PACKED | VQ_EVENT | VQ_INDIRECT, 7, 0x00060006, 300, 7
};

FIXTURE_VARIANT_ADD(size, packed_7_in_order)
{
	VQ_PACKED | VQ_EVENT | VQ_IN_ORDER, 7, 0x80008000, 300, 7
};

FIXTURE_VARIANT_ADD(size, packed_256)
{
	VQ_PACKED | VQ_EVENT, 256, 0x80f080f0, 600, 4
};

FIXTURE_VARIANT_ADD(size, packed_32768)
{
	VQ_PACKED | VQ_EVENT, 32768, 0xff00ff00, 600, 60
};

FIXTURE_VARIANT_ADD(size, packed_32768_all)
{
	VQ_PACKED | VQ_EVENT | VQ_INDIRECT | VQ_IN_ORDER, 32768, 0x7f007f00, 600, 4
};

FIXTURE_SETUP(size)
{
	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, variant->features, variant->num, MEM_SIZE);
}

FIXTURE_TEARDOWN(size)
{
	vq_dev_destroy(&self->dev);
}

TEST_F_TIMEOUT(size, traffic, TIMEOUT)
{
	struct vq_ring *ring = &self->dev.rings[0];
	struct vq_traffic traffic = {
		.ring = ring,
		.chains = variant->chains,
		.depth = 100,
		.max_bufs = variant->max_bufs,
		.seed = variant->num,
	};

	vq_ring_reset(ring, variant->base);
	ASSERT_EQ(0, __vq_set_state(self->dev.fd, VHOST_SET_VRING_BASE, 0,
				    variant->base));
	vq_dev_run(&self->dev, 1);
	EXPECT_EQ(0, vq_traffic(&traffic));
	EXPECT_EQ(0, vq_dev_faults(&self->dev));
}

TEST_HARNESS_MAIN
