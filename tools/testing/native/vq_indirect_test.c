// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine: indirect tables, in both layouts.
 */
#include "vq_rig.h"

#define NUM 8
#define TABLE (RIG_A + 0x800)

static const u64 layouts[RIG_LAYOUTS] = { RIG_SPLIT, RIG_PACKED };
static const u32 new_queue[RIG_LAYOUTS] = { 0, 0x80008000 };

struct row {
	const char *what;
	u64 gpa;		/* of the table */
	u32 len;		/* bytes, 0 for as many as it has */
	struct rig_buf bufs[4];
	unsigned int n;
	u16 n_out, n_in;
	enum ranchu_vq_fault fault;
	u16 max;		/* room for iovecs, 0 for enough */
};

static const struct row rows[] = {
	{ "one", TABLE, 0, { { RIG_A, 5, W } }, 1, 0, 1 },
	{ "mixed", TABLE, 0, { { RIG_A, 5, 0 }, { RIG_B, 5, 0 }, { RIG_A, 5, W },
			       { RIG_ALIAS, 5, W } }, 4, 2, 2 },
	{ "buffer crosses regions", TABLE, 0, { { RIG_B - 2, 5, 0 } }, 1, 2, 0 },
	{ "empty buffers", TABLE, 0, { { 0, 0, 0 }, { 0, 0, W } }, 2, 0, 0 },
	{ "unaligned table", TABLE + 1, 0, { { RIG_A, 5, 0 }, { RIG_B, 5, W } }, 2, 1, 1 },
	{ "table crosses regions", RIG_B - 16, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 1, 1 },
	{ "descriptor crosses regions", RIG_B - 24, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 1, 1 },
	{ "unaligned and crosses", RIG_B - 5, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 1, 1 },
	{ "ends with a region", RIG_B_END - 32, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 1, 1 },
	{ "as many as the device takes", TABLE, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 1, 1, RANCHU_VQ_OK, 2 },

	{ "more than the device takes", TABLE, 0, { { RIG_A, 5, 0 }, { RIG_B, 6, W } },
	  2, 0, 0, RANCHU_VQ_INDIRECT_LENGTH, 1 },
	{ "more buffers than room", TABLE, 0, { { RIG_B - 2, 5, 0 }, { RIG_B, 6, W } },
	  2, 0, 0, RANCHU_VQ_TOO_LONG, 2 },
	{ "part of a descriptor", TABLE, 8, { { RIG_A, 5, 0 } }, 1, 0, 0,
	  RANCHU_VQ_INDIRECT_LENGTH },
	{ "a descriptor and a part", TABLE, 17, { { RIG_A, 5, 0 } }, 1, 0, 0,
	  RANCHU_VQ_INDIRECT_LENGTH },
	{ "very long", TABLE, 0xfffffff0, { { RIG_A, 5, 0 } }, 1, 0, 0,
	  RANCHU_VQ_INDIRECT_LENGTH },
	{ "outside memory", 0x1000, 16, {}, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "past the end of memory", RIG_B_END - 16, 32, { { RIG_A, 5, 0 } }, 1, 0, 0,
	  RANCHU_VQ_ADDRESS },
	{ "over the top", U64_MAX - 7, 16, {}, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "table in a table", TABLE, 0, { { TABLE, 16, I } }, 1, 0, 0, RANCHU_VQ_INDIRECT },
	{ "table in a table, second", TABLE, 0, { { RIG_A, 5, 0 }, { TABLE, 16, I } }, 2, 0, 0,
	  RANCHU_VQ_INDIRECT },
	{ "buffer outside memory", TABLE, 0, { { 0x1000, 5, 0 } }, 1, 0, 0, RANCHU_VQ_ADDRESS },
	{ "readable after writable", TABLE, 0, { { RIG_A, 5, W }, { RIG_A, 5, 0 } }, 2, 0, 0,
	  RANCHU_VQ_ORDER },
	{ "more than 4 GiB", TABLE, 0, { { RIG_HUGE, U32_MAX, W }, { RIG_HUGE, 2, W } }, 2, 0, 0,
	  RANCHU_VQ_TOO_LARGE },
};

static void run_row(struct kunit *test, unsigned int layout, const struct row *row)
{
	struct rig *rig = rig_new(test, layouts[layout] | RIG_INDIRECT, NUM);
	struct ranchu_chain chain = { .iov = rig->iov, .max = row->max ?: RIG_MAX_IOV };
	struct rig_buf table = { row->gpa, row->len ?: row->n * 16, I };
	unsigned int i, in = 0, out = 0;
	u16 id;

	rig_start(rig, new_queue[layout]);
	rig_table(rig, row->gpa, row->bufs, row->n);
	id = rig_add(rig, &table, 1);
	if (row->fault) {
		KUNIT_EXPECT_EQ_MSG(test, -EIO, rig_next(rig, &chain), "%s", row->what);
		rig_expect_fault(rig, row->fault, row->what);
		rig_end(rig);
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, 1, rig_next(rig, &chain), "%s", row->what);
	if (row->n_in + row->n_out) {
		KUNIT_EXPECT_EQ_MSG(test, row->n_out, chain.n_out, "%s", row->what);
		KUNIT_EXPECT_EQ_MSG(test, row->n_in, chain.n_in, "%s", row->what);
	}
	KUNIT_EXPECT_EQ(test, id, chain.id);
	KUNIT_EXPECT_EQ(test, 1, chain.slots);
	for (i = 0; i < row->n; i++)
		*(row->bufs[i].flags & W ? &in : &out) += row->bufs[i].len;
	KUNIT_EXPECT_EQ_MSG(test, in, chain.in_len, "%s", row->what);
	KUNIT_EXPECT_EQ_MSG(test, out, chain.out_len, "%s", row->what);
	rig_end(rig);
}

static void indirect_case(struct kunit *test)
{
	unsigned int layout, i;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (i = 0; i < ARRAY_SIZE(rows); i++)
			run_row(test, layout, &rows[i]);
}

/* Tables are linked like the ring; links outside of the table, and loops. */
static void split_links_case(struct kunit *test)
{
	static const struct {
		const char *what;
		struct vring_desc table[3];
		unsigned int n;
		u16 bufs;
		enum ranchu_vq_fault fault;
	} tries[] = {
		{ "backwards", { { RIG_A, 1, N, 2 }, { RIG_A, 1, 0, 9 }, { RIG_A, 1, N, 1 } },
		  3, 3, RANCHU_VQ_OK },
		{ "stops early", { { RIG_A, 1, 0, 1 }, { RIG_A, 1, 0, 0 } }, 2, 1, RANCHU_VQ_OK },
		{ "outside", { { RIG_A, 1, N, 1 } }, 1, 0, RANCHU_VQ_NEXT },
		{ "outside, inside the ring's", { { RIG_A, 1, N, 2 }, {} }, 2, 0, RANCHU_VQ_NEXT },
		{ "itself", { { RIG_A, 1, N, 0 } }, 1, 0, RANCHU_VQ_LOOP },
		{ "a circle", { { RIG_A, 0, N, 1 }, { RIG_A, 0, N, 0 } }, 2, 0, RANCHU_VQ_LOOP },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT | RIG_INDIRECT, NUM);
		struct rig_buf table = { TABLE, tries[i].n * 16, I };
		struct ranchu_chain chain = {};
		int ret;

		rig_start(rig, 0);
		memcpy(rig_at(TABLE), tries[i].table, sizeof(tries[i].table));
		rig_add(rig, &table, 1);
		ret = rig_next(rig, &chain);
		if (tries[i].fault)
			rig_expect_fault(rig, tries[i].fault, tries[i].what);
		else
			KUNIT_EXPECT_EQ_MSG(test, tries[i].bufs, chain.n_out, "%s", tries[i].what);
		KUNIT_EXPECT_EQ_MSG(test, tries[i].fault ? -EIO : 1, ret, "%s", tries[i].what);
		rig_end(rig);
	}
}

/* In a packed table only the write flag counts: no link, no id. */
static void packed_flags_case(struct kunit *test)
{
	const struct rig_buf bufs[] = { { RIG_A, 1, 0xffff & ~(I | W) }, { RIG_B, 1, N | W } };
	const struct rig_buf table = { TABLE, 32, I };
	struct ranchu_chain chain = {};
	struct rig *rig = rig_new(test, RIG_PACKED | RIG_INDIRECT, NUM);

	rig_start(rig, new_queue[1]);
	rig_table(rig, TABLE, bufs, 2);
	rig_add(rig, &table, 1);
	rig_chain(rig, &chain);
	KUNIT_EXPECT_EQ(test, 1, chain.n_out);
	KUNIT_EXPECT_EQ(test, 1, chain.n_in);
	rig_end(rig);
}

/* Allowed positions of the flag: split, last in a chain; packed, alone. */
static void place_case(struct kunit *test)
{
	static const struct {
		const char *what;
		u64 features;
		struct rig_buf bufs[2];
		unsigned int n;
		enum ranchu_vq_fault fault;
	} tries[] = {
		{ "split, after a buffer", RIG_SPLIT | RIG_INDIRECT,
		  { { RIG_A, 3, 0 }, { TABLE, 32, I } }, 2, RANCHU_VQ_OK },
		{ "split, before a buffer", RIG_SPLIT | RIG_INDIRECT,
		  { { TABLE, 32, I }, { RIG_A, 3, W } }, 2, RANCHU_VQ_INDIRECT },
		{ "split, order across both", RIG_SPLIT | RIG_INDIRECT,
		  { { RIG_A, 3, W }, { TABLE, 32, I } }, 2, RANCHU_VQ_ORDER },
		{ "split, writable: the flag means nothing", RIG_SPLIT | RIG_INDIRECT,
		  { { RIG_A, 3, 0 }, { TABLE, 32, I | W } }, 2, RANCHU_VQ_OK },
		{ "packed, after a buffer", RIG_PACKED | RIG_INDIRECT,
		  { { RIG_A, 3, 0 }, { TABLE, 32, I } }, 2, RANCHU_VQ_INDIRECT },
		{ "packed, before a buffer", RIG_PACKED | RIG_INDIRECT,
		  { { TABLE, 32, I }, { RIG_A, 3, W } }, 2, RANCHU_VQ_INDIRECT },
		{ "split, not negotiated", RIG_SPLIT, { { TABLE, 32, I } }, 1,
		  RANCHU_VQ_INDIRECT },
		{ "packed, not negotiated", RIG_PACKED, { { TABLE, 32, I } }, 1,
		  RANCHU_VQ_INDIRECT },
	};
	static const struct rig_buf bufs[] = { { RIG_A, 4, 0 }, { RIG_A, 5, W } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		struct rig *rig = rig_new(test, tries[i].features, NUM);
		struct ranchu_chain chain = {};
		int ret;

		rig_start(rig, rig_is_packed(rig) ? new_queue[1] : 0);
		rig_table(rig, TABLE, bufs, 2);
		rig_add(rig, tries[i].bufs, tries[i].n);
		ret = rig_next(rig, &chain);
		KUNIT_EXPECT_EQ_MSG(test, tries[i].fault ? -EIO : 1, ret, "%s", tries[i].what);
		if (tries[i].fault) {
			rig_expect_fault(rig, tries[i].fault, tries[i].what);
		} else {
			KUNIT_EXPECT_EQ(test, 7, chain.out_len);
			KUNIT_EXPECT_EQ(test, 5, chain.in_len);
			KUNIT_EXPECT_EQ(test, 1, chain.slots);
		}
		rig_end(rig);
	}
}

static void no_memory_case(struct kunit *test)
{
	const struct rig_buf table = { TABLE, 16, I };
	unsigned int layout;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout] | RIG_INDIRECT, NUM);
		struct ranchu_chain chain = {};

		rig_start(rig, new_queue[layout]);
		rig_add(rig, &table, 1);
		ranchu_mem_clear(&rig->mem);
		KUNIT_EXPECT_EQ(test, -EIO, rig_next(rig, &chain));
		rig_expect_fault(rig, RANCHU_VQ_ADDRESS, "no memory");
		rig_end(rig);
	}
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(indirect_case),
	KUNIT_CASE(split_links_case),
	KUNIT_CASE(packed_flags_case),
	KUNIT_CASE(place_case),
	KUNIT_CASE(no_memory_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_indirect", .test_cases = cases };

kunit_test_suite(suite);
