// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data through /dev/vhost-ranchu-blk, with userspace as the driver: both layouts,
 * images that complete at once and later, many requests at a time, a stop, a
 * shrinking image and a killed owner.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "blk_driver.h"

#define TIMEOUT		300
#define IMAGE_SIZE	(8u << 20)
#define SECTORS		(IMAGE_SIZE / BD_SECTOR)

FIXTURE(data)
{
	struct bd_dev dev;
	uint8_t *expected;
	uint32_t seed;
};

FIXTURE_VARIANT(data)
{
	enum bd_kind kind;
	uint64_t features;
};

FIXTURE_VARIANT_ADD(data, tmpfs_split)
{
	.kind = BD_TMPFS, .features = BD_FEATURES
};

FIXTURE_VARIANT_ADD(data, tmpfs_packed)
{
	.kind = BD_TMPFS, .features = BD_FEATURES | VQ_PACKED | VQ_INDIRECT | VQ_EVENT
};

FIXTURE_VARIANT_ADD(data, loop_split)
{
	.kind = BD_LOOP, .features = BD_FEATURES | VQ_INDIRECT | VQ_EVENT
};

FIXTURE_VARIANT_ADD(data, loop_direct_split)
{
	.kind = BD_LOOP_DIRECT, .features = BD_FEATURES | VQ_EVENT
};

FIXTURE_VARIANT_ADD(data, loop_direct_packed)
{
	.kind = BD_LOOP_DIRECT, .features = BD_FEATURES | VQ_PACKED
};

FIXTURE_SETUP(data)
{
	if (__bd_probe(variant->kind))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	bd_create(&self->dev, variant->kind, variant->features, IMAGE_SIZE);
	self->expected = calloc(1, IMAGE_SIZE);
	self->seed = 1;
}

FIXTURE_TEARDOWN(data)
{
	free(self->expected);
	bd_destroy(&self->dev);
}

static void fill(uint8_t *data, uint32_t len, uint32_t *seed)
{
	uint32_t i;

	for (i = 0; i < len; i += 4)
		*(uint32_t *)(data + i) = vq_random(seed);
}

/* Compares the image's content, read without caches. */
static bool image_is(struct bd_dev *dev, const uint8_t *expected)
{
	uint8_t *now = malloc(IMAGE_SIZE);
	bool same;

	same = pread(dev->image, now, IMAGE_SIZE, 0) == IMAGE_SIZE &&
	       !memcmp(now, expected, IMAGE_SIZE);
	free(now);
	return same;
}

TEST_F_TIMEOUT(data, what_is_written_is_read, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	uint32_t sector, len, i;

	for (i = 0; i < 100; i++) {
		len = (1 + vq_random(&self->seed) % (BD_DATA / BD_SECTOR)) * BD_SECTOR;
		sector = vq_random(&self->seed) % (SECTORS - len / BD_SECTOR + 1);
		fill(bd_data(dev, 0), len, &self->seed);
		memcpy(self->expected + sector * BD_SECTOR, bd_data(dev, 0), len);
		ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, sector, len));
		memset(bd_data(dev, 0), 0x55, len);
		bd_add(dev, 1, 0, VIRTIO_BLK_T_IN, sector, len, 1 + i % 5);
		vq_publish_and_kick(&dev->rings[1]);
		ASSERT_EQ(0, bd_get(dev, 1));
		ASSERT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, 0));
		ASSERT_EQ(0, memcmp(self->expected + sector * BD_SECTOR, bd_data(dev, 0), len));
	}
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_TRUE(image_is(dev, self->expected));
}

/*
 * Each slot has sectors of its own, so requests may be answered in any order.
 * Reads of what was written are compared when they come back.
 */
TEST_F_TIMEOUT(data, many_at_a_time, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	const uint32_t share = SECTORS / BD_SLOTS;
	bool written[BD_SLOTS] = {};
	unsigned int n[BD_SLOTS] = {};
	unsigned int slot, under_way = 0, done = 0;
	struct vhost_ranchu_blk_stats stats;
	uint32_t lens[BD_SLOTS];

	for (slot = 0; slot < BD_SLOTS; slot++) {
		lens[slot] = (1 + slot % 16) * BD_SECTOR;
		fill(bd_data(dev, slot), lens[slot], &self->seed);
		memcpy(self->expected + slot * share * BD_SECTOR, bd_data(dev, slot), lens[slot]);
		bd_add(dev, 0, slot, VIRTIO_BLK_T_OUT, slot * share, lens[slot], 1);
		under_way++;
	}
	vq_publish_and_kick(&dev->rings[0]);
	while (under_way) {
		slot = bd_get(dev, 0);
		under_way--;
		done++;
		ASSERT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, slot));
		if (written[slot])
			ASSERT_EQ(0, memcmp(self->expected + slot * share * BD_SECTOR,
					    bd_data(dev, slot), lens[slot]));
		if (++n[slot] == 20)
			continue;
		written[slot] = n[slot] & 1;
		if (written[slot]) {
			memset(bd_data(dev, slot), 0x55, lens[slot]);
		} else {
			fill(bd_data(dev, slot), lens[slot], &self->seed);
			memcpy(self->expected + slot * share * BD_SECTOR, bd_data(dev, slot),
			       lens[slot]);
		}
		bd_add(dev, 0, slot, written[slot] ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
		       slot * share, lens[slot], 1 + slot % 3);
		vq_publish_and_kick(&dev->rings[0]);
		under_way++;
	}
	EXPECT_EQ(20 * BD_SLOTS, done);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_TRUE(image_is(dev, self->expected));
	/* A direct image's come back later; what is in memory need not. */
	bd_get_stats(dev, &stats);
	EXPECT_EQ(variant->kind == BD_LOOP_DIRECT ? done : 0, stats.asynchronous);
}

/* A request in one piece whose data is at @offset of slot 0's, as no driver does it. */
static uint8_t do_at(struct bd_dev *dev, uint32_t type, uint32_t offset, uint32_t len)
{
	struct virtio_blk_outhdr *hdr = (void *)bd_data(dev, 1);
	uint8_t *status = (uint8_t *)(hdr + 1);
	struct vq_buf chain[] = {
		{ bd_data_gpa(dev, 1), sizeof(*hdr) },
		{ bd_data_gpa(dev, 0) + offset, len },
		{ bd_data_gpa(dev, 1) + sizeof(*hdr), sizeof(*status) },
	};
	unsigned int n_out = type == VIRTIO_BLK_T_OUT ? 2 : 1;

	*hdr = (struct virtio_blk_outhdr){ .type = htole32(type) };
	*status = BD_NO_STATUS;
	vq_add(&dev->rings[0], chain, n_out, 3 - n_out, NULL);
	vq_publish_and_kick(&dev->rings[0]);
	bd_get(dev, 0);
	return *status;
}

/* Requests that a direct image refuses go through the host's cache, and count once. */
TEST_F_TIMEOUT(data, memory_that_is_not_aligned, TIMEOUT)
{
	struct vhost_ranchu_blk_stats stats;
	struct bd_dev *dev = &self->dev;

	fill(bd_data(dev, 0), 8192, &self->seed);
	memcpy(self->expected, bd_data(dev, 0) + 2, 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, do_at(dev, VIRTIO_BLK_T_OUT, 2, 4096));
	memset(bd_data(dev, 0), 0x55, 8192);
	ASSERT_EQ(VIRTIO_BLK_S_OK, do_at(dev, VIRTIO_BLK_T_IN, 6, 4096));
	EXPECT_EQ(0, memcmp(self->expected, bd_data(dev, 0) + 6, 4096));
	bd_get_stats(dev, &stats);
	EXPECT_EQ(variant->kind == BD_LOOP_DIRECT ? 2 : 0, stats.buffered);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_TRUE(image_is(dev, self->expected));
}

/* Each of its writes acts like one with a flush after it. */
TEST_F_TIMEOUT(data, a_guest_that_cannot_flush, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;

	bd_destroy(dev);
	bd_create(dev, variant->kind, variant->features & ~VQ_BIT(VIRTIO_BLK_F_FLUSH),
		  IMAGE_SIZE);
	fill(bd_data(dev, 0), 4096, &self->seed);
	memcpy(self->expected + 4096, bd_data(dev, 0), 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 8, 4096));
	EXPECT_TRUE(image_is(dev, self->expected));
}

/* Requests that were taken are answered before SET_RUNNING 0 returns, the others later. */
TEST_F_TIMEOUT(data, a_stop_loses_nothing, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	unsigned int round, slot, i;

	for (round = 0; round < 20; round++) {
		for (slot = 0; slot < BD_SLOTS; slot++) {
			fill(bd_data(dev, slot), 4096, &self->seed);
			memcpy(self->expected + slot * 4096, bd_data(dev, slot), 4096);
			bd_add(dev, 0, slot, VIRTIO_BLK_T_OUT, slot * 8, 4096, 1);
		}
		vq_publish_and_kick(&dev->rings[0]);
		bd_run(dev, 0);
		bd_run(dev, 1);
		for (i = 0; i < BD_SLOTS; i++)
			ASSERT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, bd_get(dev, 0)));
	}
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_TRUE(image_is(dev, self->expected));
}

TEST_F_TIMEOUT(data, zeroes_and_discards, TIMEOUT)
{
	struct virtio_blk_discard_write_zeroes *range;
	struct bd_dev *dev = &self->dev;
	unsigned int i;

	fill(self->expected, IMAGE_SIZE, &self->seed);
	for (i = 0; i < IMAGE_SIZE; i += BD_DATA) {
		memcpy(bd_data(dev, 0), self->expected + i, BD_DATA);
		ASSERT_EQ(VIRTIO_BLK_S_OK,
			  bd_do(dev, VIRTIO_BLK_T_OUT, i / BD_SECTOR, BD_DATA));
	}
	range = (void *)bd_data(dev, 0);
	memset(range, 0, 2 * sizeof(*range));
	range[0].sector = 16;
	range[0].num_sectors = 64;
	range[1].sector = 1024;
	range[1].num_sectors = 8;
	range[1].flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	memset(self->expected + 16 * BD_SECTOR, 0, 64 * BD_SECTOR);
	memset(self->expected + 1024 * BD_SECTOR, 0, 8 * BD_SECTOR);
	ASSERT_EQ(VIRTIO_BLK_S_OK,
		  bd_do(dev, VIRTIO_BLK_T_WRITE_ZEROES, 0, 2 * sizeof(*range)));
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_TRUE(image_is(dev, self->expected));
	/* Whatever is read there afterwards, nothing else has changed. */
	range[0].flags = 0;
	range[0].sector = 2048;
	range[0].num_sectors = 128;
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_DISCARD, 0, sizeof(*range)));
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ(128 * BD_SECTOR, pread(dev->image, self->expected + 2048 * BD_SECTOR,
					 128 * BD_SECTOR, 2048 * BD_SECTOR));
	EXPECT_TRUE(image_is(dev, self->expected));
}

/* The image was truncated: an error for the lost sectors, and the others still work. */
TEST_F_TIMEOUT(data, an_image_that_shrinks, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;

	if (variant->kind != BD_TMPFS)
		SKIP(return, "a loop device keeps its size");
	ASSERT_EQ(0, ftruncate(dev->image, IMAGE_SIZE / 2));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, SECTORS - 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, SECTORS / 2 - 4, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, SECTORS / 2 - 8, 4096));
}

/* With requests under way, their owner dies. */
TEST_F_TIMEOUT(data, an_owner_that_is_killed, TIMEOUT)
{
	unsigned int round, slot;
	struct bd_dev dev;
	pid_t pid;

	for (round = 0; round < 10; round++) {
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			bd_create(&dev, variant->kind, variant->features, IMAGE_SIZE);
			for (;;) {
				for (slot = 0; slot < BD_SLOTS; slot++)
					bd_add(&dev, 0, slot, VIRTIO_BLK_T_OUT, slot * 8, 4096, 1);
				vq_publish_and_kick(&dev.rings[0]);
				for (slot = 0; slot < BD_SLOTS; slot++)
					bd_get(&dev, 0);
			}
		}
		usleep(20000 + 10000 * round);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(&self->dev, VIRTIO_BLK_T_IN, 0, 4096));
}

TEST_HARNESS_MAIN
