// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine and the log of dirty pages: exactly the right bits are set.
 */
#include <linux/vhost_types.h>

#include "vq_rig.h"

#define NUM 8
#define PAGES 6
#define LOGGED(...) ((const u64[PAGES]) { __VA_ARGS__ })

static const u64 layouts[RIG_LAYOUTS] = { RIG_SPLIT, RIG_PACKED };
static const u32 new_queue[RIG_LAYOUTS] = { 0, 0x80008000 };

/* The bitmap must have exactly these pages, given by guest address, 0 for none. */
static void expect_log(struct rig *rig, const u64 *gpas, const char *what)
{
	static u8 want[RIG_LOG_SIZE];
	unsigned int i;

	memset(want, 0, sizeof(want));
	for (i = 0; i < PAGES; i++) {
		u64 page = gpas[i] / VHOST_PAGE_SIZE;

		if (gpas[i])
			want[page / 8] |= 1 << page % 8;
	}
	for (i = 0; i < sizeof(want); i++)
		KUNIT_EXPECT_EQ_MSG(rig->test, want[i], rig->log[i], "%s: byte %#x", what, i);
	memset(rig->log, 0, sizeof(want));
}

static void buffers_case(struct kunit *test)
{
	static const struct {
		const char *what;
		struct rig_buf bufs[3];
		unsigned int n;
		u32 written;
		u64 pages[PAGES];
	} rows[] = {
		{ "nothing written", { { RIG_A, 64, W } }, 1, 0, {} },
		{ "one byte", { { RIG_A, 64, W } }, 1, 1, { RIG_A } },
		{ "up to a page's end", { { RIG_A + 0xff0, 64, W } }, 1, 16, { RIG_A } },
		{ "one byte more", { { RIG_A + 0xff0, 64, W } }, 1, 17, { RIG_A, RIG_A + 0x1000 } },
		{ "three pages", { { RIG_A + 0xfff, 0x1002, W } }, 1, 0x1002,
		  { RIG_A, RIG_A + 0x1000, RIG_A + 0x2000 } },
		{ "not what is read", { { RIG_A, 64, 0 }, { RIG_A + 0x1000, 64, W } }, 2, 64,
		  { RIG_A + 0x1000 } },
		{ "second only as far as written", { { RIG_A, 64, W }, { RIG_A + 0x1000, 64, W } },
		  2, 64, { RIG_A } },
		{ "second, too", { { RIG_A, 64, W }, { RIG_A + 0x1000, 64, W } }, 2, 65,
		  { RIG_A, RIG_A + 0x1000 } },
		{ "memory with two addresses", { { RIG_B + 0x3000, 8, W } }, 1, 8,
		  { RIG_B + 0x3000, RIG_ALIAS + 0x3000 } },
		{ "the same by its other address", { { RIG_ALIAS, 8, W } }, 1, 8,
		  { RIG_B, RIG_ALIAS } },
		{ "across regions", { { RIG_B - 1, 2, W } }, 1, 2,
		  { RIG_B - 1, RIG_B, RIG_ALIAS } },
		{ "far up", { { RIG_HUGE + 0x123456789, 8, W } }, 1, 8,
		  { RIG_HUGE + 0x123456789 } },
	};
	unsigned int layout, i;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			struct rig *rig = rig_new(test, layouts[layout] | RIG_LOG, NUM);
			struct ranchu_chain chain = {};

			rig_start(rig, new_queue[layout]);
			rig_add(rig, rows[i].bufs, rows[i].n);
			rig_chain(rig, &chain);
			expect_log(rig, LOGGED(0), rows[i].what);
			rig_push(rig, &chain, rows[i].written);
			expect_log(rig, rows[i].pages, rows[i].what);
			ranchu_vq_publish(&rig->vq);
			expect_log(rig, LOGGED(0), rows[i].what);
			rig_end(rig);
		}
}

/* The used ring has the address that the VMM gave, whatever the table says. */
static void split_ring_case(struct kunit *test)
{
	static const u64 events[] = { 0, RIG_EVENT };
	static const u64 none[PAGES];
	struct ranchu_chain chain = {};
	const u32 num = 1024;
	unsigned int event;

	for (event = 0; event < ARRAY_SIZE(events); event++) {
		struct rig *rig = rig_new(test, RIG_SPLIT | RIG_LOG | events[event], num);
		const struct rig_buf buf = { RIG_HUGE, 4, 0 };
		const u64 used = 0x700000;
		u16 place;

		rig->setup.log_used = true;
		rig->setup.log_used_gpa = used;
		rig_start(rig, 0x1ff);
		/* The field that requests kicks: before or after the ring. */
		expect_log(rig, LOGGED(used + (event ? 4 + 8 * num : 0)), "start");
		ranchu_vq_disable_kicks(&rig->vq);
		expect_log(rig, event ? none : LOGGED(used), "disable");
		ranchu_vq_enable_kicks(&rig->vq);
		expect_log(rig, LOGGED(used + (event ? 4 + 8 * num : 0)), "enable");
		/* This element lies across two pages. */
		for (place = 0x1ff; place < 0x201; place++) {
			u64 elem = used + 4 + 8 * place;

			rig_add(rig, &buf, 1);
			rig_chain(rig, &chain);
			rig_push(rig, &chain, 0);
			expect_log(rig, LOGGED(elem, elem + 7), "element");
			ranchu_vq_publish(&rig->vq);
			expect_log(rig, LOGGED(used), "index");
		}
		KUNIT_EXPECT_TRUE(test, rig->vq.logged);
		rig_end(rig);
	}
}

/* The descriptors are found by the table, the event structure is not. */
static void packed_ring_case(struct kunit *test)
{
	const struct rig_buf buf = { RIG_HUGE, 4, 0 };
	struct rig *rig = rig_new(test, RIG_PACKED | RIG_LOG, 1024);
	const u64 device = 0x700ffc;
	static const u64 none[PAGES];
	struct ranchu_chain chain = {};

	rig->setup.log_used = true;
	rig->setup.log_used_gpa = device;
	rig_start(rig, 0x80008000 | 0xff | 0xff << 16);
	expect_log(rig, LOGGED(device), "start");
	ranchu_vq_disable_kicks(&rig->vq);
	expect_log(rig, LOGGED(device), "disable");
	ranchu_vq_enable_kicks(&rig->vq);
	expect_log(rig, LOGGED(device), "enable");
	rig_add(rig, &buf, 1);
	rig_add(rig, &buf, 1);
	rig_chain(rig, &chain);
	rig_push(rig, &chain, 0);
	expect_log(rig, none, "held back");
	rig_chain(rig, &chain);
	rig_push(rig, &chain, 0);
	expect_log(rig, LOGGED(RIG_RING + 16 * 0x100), "second");
	ranchu_vq_publish(&rig->vq);
	expect_log(rig, LOGGED(RIG_RING + 16 * 0xff), "first");
	rig_end(rig);
}

/* Logging goes on and off while the queue runs. */
static void toggle_case(struct kunit *test)
{
	static const u64 none[PAGES];
	unsigned int layout;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], NUM);
		struct ranchu_chain chain = {};

		rig->setup.log_used = true;
		rig_start(rig, new_queue[layout]);
		rig_add_one(rig);
		rig_add_one(rig);
		rig_add_one(rig);
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
		ranchu_vq_publish(&rig->vq);
		expect_log(rig, none, "off");
		KUNIT_EXPECT_FALSE(test, rig->vq.logged);
		rig->setup.features |= RIG_LOG;
		rig->setup.log_used = false;
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_relocate(&rig->vq, &rig->setup));
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
		ranchu_vq_publish(&rig->vq);
		expect_log(rig, LOGGED(RIG_A), "buffers only");
		rig->setup.features &= ~RIG_LOG;
		rig->setup.log_used = true;
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_relocate(&rig->vq, &rig->setup));
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
		ranchu_vq_publish(&rig->vq);
		expect_log(rig, none, "off again");
		rig_end(rig);
	}
}

/* Memory that was removed from the table meanwhile is not logged, without an error. */
static void lost_case(struct kunit *test)
{
	static const u64 none[PAGES];
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_LOG, NUM);
	struct ranchu_chain chain = {};

	rig_start(rig, 0);
	rig_add_one(rig);
	rig_add_one(rig);
	rig_chain(rig, &chain);
	rig_set_memory(rig, 0);
	KUNIT_EXPECT_EQ(test, 0ULL, ranchu_mem_log_size(&rig->mem));
	rig_push(rig, &chain, 16);
	expect_log(rig, none, "no regions");
	rig_set_memory(rig, RIG_REGIONS);
	rig_chain(rig, &chain);
	ranchu_mem_clear(&rig->mem);
	KUNIT_EXPECT_FALSE(test, ranchu_mem_is_set(&rig->mem));
	KUNIT_EXPECT_EQ(test, 0ULL, ranchu_mem_log_size(&rig->mem));
	rig_push(rig, &chain, 16);
	expect_log(rig, none, "no table");
	rig_end(rig);
}

static bool logged(const struct rig *rig, u64 page)
{
	return rig->log[page / 8] >> page % 8 & 1;
}

/* Ranges that fill words of the bitmap, with aligned and unaligned ends. */
static void words_case(struct kunit *test)
{
	static const unsigned int firsts[] = { 0, 1, 63, 64, 100 };
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_LOG, NUM);
	unsigned int i, n, page, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(firsts); i++)
		for (n = 1; n < 270; n++) {
			memset(rig->log, 0, 512);
			KUNIT_ASSERT_EQ(test, 0,
					ranchu_mem_log(rig->log, firsts[i] * VHOST_PAGE_SIZE,
						       n * VHOST_PAGE_SIZE));
			for (page = 0; page < 512 * 8; page++)
				wrong += logged(rig, page) != (page - firsts[i] < n);
		}
	KUNIT_EXPECT_EQ(test, 0, wrong);
	memset(rig->log, 0, 512);
	rig_end(rig);
}

static void size_case(struct kunit *test)
{
	static const struct {
		unsigned int regions;
		u64 size;
	} rows[] = {
		{ 0, 0 },
		{ 1, (RIG_B - 1) / VHOST_PAGE_SIZE / 8 + 1 },
		{ 4, (RIG_HUGE + RIG_HUGE_SIZE - 1) / VHOST_PAGE_SIZE / 8 + 1 },
		{ RIG_REGIONS, (RIG_HUGE + RIG_HUGE_SIZE - 1) / VHOST_PAGE_SIZE / 8 + 1 },
	};
	struct rig *rig = rig_new(test, RIG_SPLIT, NUM);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_set_memory(rig, rows[i].regions);
		KUNIT_EXPECT_EQ(test, rows[i].size, ranchu_mem_log_size(&rig->mem));
	}
	rig_end(rig);
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(buffers_case),
	KUNIT_CASE(split_ring_case),
	KUNIT_CASE(packed_ring_case),
	KUNIT_CASE(toggle_case),
	KUNIT_CASE(lost_case),
	KUNIT_CASE(words_case),
	KUNIT_CASE(size_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_log", .test_cases = cases };

kunit_test_suite(suite);
