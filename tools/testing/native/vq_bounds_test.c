// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine: loops whose length the guest or the VMM chooses. They end when
 * the owner is killed, and a log of dirty pages pins each page of the bitmap once, not
 * once for each page of the guest.
 */
#include <linux/vhost_types.h>

#include "vq_rig.h"

#define NUM 4096
#define EMPTY 3000
/* Largest number of descriptors that are read between two checks for a kill. */
#define STRIDE 1024

static const u64 layouts[RIG_LAYOUTS] = { RIG_SPLIT, RIG_PACKED };
static const u32 new_queue[RIG_LAYOUTS] = { 0, 0x80008000 };

/* Number of guest pages in one page of the bitmap. */
#define PAGES_PER_PAGE (4096ULL * 8)
#define BYTES_PER_PAGE (PAGES_PER_PAGE * VHOST_PAGE_SIZE)

/* Empty buffers take no iovec, so that a chain may have as many as the ring. */
static void empty_buffers_case(struct kunit *test)
{
	static struct rig_buf bufs[EMPTY];
	unsigned int layout, i;

	for (i = 0; i < EMPTY; i++)
		bufs[i] = (struct rig_buf){ RIG_A, 0, W };
	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], NUM);
		struct ranchu_chain chain = {};

		rig_start(rig, new_queue[layout]);
		rig_add(rig, bufs, EMPTY);
		rig->killed = true;
		KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chain));
		/* Two loads for each, and the index and the head. */
		KUNIT_EXPECT_TRUE(test, rig->accesses <= 2 * STRIDE + 2);
		KUNIT_EXPECT_EQ(test, 0, (int)rig->vq.fault);
		/* The chain was not taken. */
		rig->killed = false;
		rig_chain(rig, &chain);
		KUNIT_EXPECT_EQ(test, 0ULL, chain.in_len);
		rig_end(rig);
	}
}

struct log_row {
	const char *what;
	u64 gpa;
	u32 len;
	unsigned int pins;
};

static bool log_is(const struct rig *rig, const struct log_row *row)
{
	u64 first = row->gpa / VHOST_PAGE_SIZE;
	u64 last = (row->gpa + row->len - 1) / VHOST_PAGE_SIZE;
	u64 page;

	for (page = 0; page < RIG_LOG_SIZE * 8; page++)
		if ((rig->log[page / 8] >> page % 8 & 1) != (page >= first && page <= last))
			return false;
	return true;
}

static const struct log_row log_rows[] = {
	{ "a page", RIG_HUGE, 4096, 1 },
	{ "part of a word", RIG_HUGE + 3 * 4096, 40 * 4096, 1 },
	{ "whole words", RIG_HUGE, 128 * 4096, 1 },
	{ "words and more", RIG_HUGE + 63 * 4096, 130 * 4096, 1 },
	{ "a page of the bitmap", RIG_HUGE, BYTES_PER_PAGE, 1 },
	{ "across its end", RIG_HUGE + BYTES_PER_PAGE - 4096, 8192, 2 },
	{ "one and two halves", RIG_HUGE + BYTES_PER_PAGE / 2, 2 * BYTES_PER_PAGE, 3 },
	{ "as much as a chain has", RIG_HUGE + 4096, U32_MAX, 33 },
};

static void log_case(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(log_rows); i++) {
		const struct log_row *row = &log_rows[i];
		const struct rig_buf buf = { row->gpa, row->len, W };
		struct rig *rig = rig_new(test, RIG_SPLIT | RIG_LOG, NUM);
		struct ranchu_chain chain = {};

		rig_start(rig, 0);
		rig_add(rig, &buf, 1);
		rig_chain(rig, &chain);
		rig->accesses = 0;
		rig_push(rig, &chain, row->len);
		/* And the used element. */
		KUNIT_EXPECT_EQ_MSG(test, row->pins + 1, rig->accesses, "%s", row->what);
		KUNIT_EXPECT_EQ_MSG(test, true, log_is(rig, row), "%s", row->what);
		rig_end(rig);
	}
}

/* The bitmap is incomplete, and the queue must not be used again. */
static void log_of_the_killed_case(struct kunit *test)
{
	const struct rig_buf buf = { RIG_HUGE, 20 * BYTES_PER_PAGE, W };
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_LOG, NUM);
	struct ranchu_chain chain = {};
	int idx;

	rig_start(rig, 0);
	rig_add(rig, &buf, 1);
	rig_chain(rig, &chain);
	rig->accesses = 0;
	rig->killed = true;
	idx = ranchu_mem_enter(&rig->mem);
	KUNIT_EXPECT_EQ(test, -EIO, ranchu_vq_push(&rig->vq, &chain, buf.len));
	ranchu_mem_leave(&rig->mem, idx);
	KUNIT_EXPECT_EQ(test, 1u, rig->accesses);
	rig_end(rig);
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(empty_buffers_case),
	KUNIT_CASE(log_case),
	KUNIT_CASE(log_of_the_killed_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_bounds", .test_cases = cases };

kunit_test_suite(suite);
