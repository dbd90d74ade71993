// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine, the part for split queues: free-running indices, chains that are
 * linked in a table, notification suppression.
 */
#include "vq_rig.h"

#define NUM 8

static void avail_index_case(struct kunit *test)
{
	static const struct {
		const char *what;
		u16 base, idx;
		enum ranchu_vq_fault fault;
	} rows[] = {
		{ "all slots", 0, NUM, RANCHU_VQ_OK },
		{ "all slots, over the end", 0xfffc, NUM - 4, RANCHU_VQ_OK },
		{ "one too many", 0, NUM + 1, RANCHU_VQ_AVAIL_INDEX },
		{ "one too many, over the end", 0xfffc, NUM - 3, RANCHU_VQ_AVAIL_INDEX },
		{ "one back", 5, 4, RANCHU_VQ_AVAIL_INDEX },
		{ "half way round", 0, 0x8000, RANCHU_VQ_AVAIL_INDEX },
	};
	struct ranchu_chain chain = {};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT, NUM);

		rig_start(rig, rows[i].base);
		for (k = 0; k < NUM; k++)
			rig_add_one(rig);
		rig_avail(rig)->idx = rows[i].idx;
		if (rows[i].fault) {
			KUNIT_EXPECT_EQ(test, -EIO, rig_next(rig, &chain));
			rig_expect_fault(rig, rows[i].fault, rows[i].what);
			rig_end(rig);
			continue;
		}
		for (k = 0; k < NUM; k++)
			rig_chain(rig, &chain);
		KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chain));
		rig_end(rig);
	}
}

/* A descriptor in flight must not be made available again. */
static void avail_in_flight_case(struct kunit *test)
{
	struct ranchu_chain chain = {};
	unsigned int more, k;

	for (more = 0; more < 2; more++) {
		struct rig *rig = rig_new(test, RIG_SPLIT, NUM);

		rig_start(rig, 0);
		for (k = 0; k < 3; k++) {
			rig_add_one(rig);
			rig_chain(rig, &chain);
		}
		rig_avail(rig)->idx = NUM + more;
		KUNIT_EXPECT_EQ(test, more ? -EIO : 1, rig_next(rig, &chain));
		if (more)
			rig_expect_fault(rig, RANCHU_VQ_AVAIL_INDEX, "three in flight");
		rig_end(rig);
	}
}

/* Chains that the rig's driver would not make. */
static void table_case(struct kunit *test)
{
	static const struct {
		const char *what;
		u16 head;
		struct vring_desc descs[3];
		enum ranchu_vq_fault fault;
	} rows[] = {
		{ "backwards", 2, { { RIG_A, 1, W, 9 }, { RIG_A, 1, N, 0 },
				    { RIG_A, 1, N, 1 } }, RANCHU_VQ_OK },
		{ "head outside", NUM, {}, RANCHU_VQ_HEAD },
		{ "head far outside", 0xffff, {}, RANCHU_VQ_HEAD },
		{ "next outside", 0, { { RIG_A, 1, N, NUM } }, RANCHU_VQ_NEXT },
		{ "next far outside", 0, { { RIG_A, 1, N, 0xffff } }, RANCHU_VQ_NEXT },
		{ "its own next", 0, { { RIG_A, 1, N, 0 } }, RANCHU_VQ_LOOP },
		{ "a circle", 0, { { RIG_A, 1, N, 1 }, { RIG_A, 1, N, 2 },
				   { RIG_A, 1, N, 0 } }, RANCHU_VQ_LOOP },
		{ "a circle of empty ones", 0, { { RIG_A, 0, N, 1 }, { RIG_A, 0, N, 0 } },
		  RANCHU_VQ_LOOP },
		{ "indirect, not negotiated", 0, { { RIG_A, 16, I, 0 } }, RANCHU_VQ_INDIRECT },
	};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT, NUM);
		struct ranchu_chain chain = {};

		rig_start(rig, 0);
		for (k = 0; k < ARRAY_SIZE(rows[i].descs); k++)
			rig_put_desc(rig, k, rows[i].descs[k]);
		rig_make_avail(rig, rows[i].head);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].fault ? -EIO : 1, rig_next(rig, &chain),
				    "%s", rows[i].what);
		if (rows[i].fault)
			rig_expect_fault(rig, rows[i].fault, rows[i].what);
		rig_end(rig);
	}
}

/* A chain may have as many descriptors as the table, and each once. */
static void longest_case(struct kunit *test)
{
	struct rig_buf bufs[NUM];
	struct ranchu_chain chain = {};
	struct rig *rig = rig_new(test, RIG_SPLIT, NUM);
	unsigned int i;

	for (i = 0; i < NUM; i++)
		bufs[i] = (struct rig_buf){ RIG_A + i, 1, 0 };
	rig_start(rig, 0);
	rig_add(rig, bufs, NUM);
	rig_chain(rig, &chain);
	KUNIT_EXPECT_EQ(test, NUM, chain.n_out);
	rig_end(rig);
}

/* Pushes and publishes @n chains. */
static void use(struct rig *rig, unsigned int n)
{
	struct ranchu_chain chain = {};

	for (; n; n--) {
		rig_add_one(rig);
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
	}
	KUNIT_EXPECT_EQ(rig->test, 0, ranchu_vq_publish(&rig->vq));
}

static void call_event_case(struct kunit *test)
{
	static const struct {
		u16 base;
		u16 event;
		unsigned int n;
		bool call;
	} rows[] = {
		{ 0, 0, 1, true }, { 0, 1, 1, false }, { 0, 0xffff, 1, false },
		{ 0, 0, 3, true }, { 0, 2, 3, true }, { 0, 3, 3, false },
		{ 5, 5, 1, true }, { 5, 4, 1, false }, { 5, 6, 1, false },
		{ 0xfffe, 0xfffd, 4, false }, { 0xfffe, 0xfffe, 4, true },
		{ 0xfffe, 0xffff, 4, true }, { 0xfffe, 0, 4, true },
		{ 0xfffe, 1, 4, true }, { 0xfffe, 2, 4, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT | RIG_EVENT, NUM);

		rig_start(rig, rows[i].base);
		/* After a start it calls in any case, and once. */
		rig_want_calls(rig, 0, rows[i].event);
		KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
		KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
		use(rig, rows[i].n);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].call, ranchu_vq_must_call(&rig->vq),
				    "row %u", i);
		KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
		rig_end(rig);
	}
}

/* Chains that were pushed and not published cause no call, and are counted later. */
static void call_pushed_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_EVENT, NUM);
	struct ranchu_chain chain = {};

	rig_start(rig, 0);
	ranchu_vq_must_call(&rig->vq);
	rig_want_calls(rig, 0, 1);
	use(rig, 1);
	rig_add_one(rig);
	rig_chain(rig, &chain);
	rig_push(rig, &chain, 1);
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	ranchu_vq_publish(&rig->vq);
	KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
	rig_end(rig);
}

/* With rare checks, a full wrap-around of the index must not be lost. */
static void call_seldom_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_EVENT, NUM);
	unsigned int i;

	rig_start(rig, 0);
	ranchu_vq_must_call(&rig->vq);
	for (i = 0; i < 65536; i++)
		use(rig, 1);
	rig_want_calls(rig, 0, 0x1234);
	KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
	rig_end(rig);
}

static void call_flags_case(struct kunit *test)
{
	static const struct {
		u64 features;
		u16 flags;
		bool call;
	} rows[] = {
		{ 0, 0, true }, { 0, 1, false }, { 0, 2, true }, { 0, 3, false },
		/* With event index the flags must be 0, and are ignored. */
		{ RIG_EVENT, 1, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT | rows[i].features, NUM);

		rig_start(rig, 0);
		KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
		rig_want_calls(rig, rows[i].flags, 0);
		use(rig, 1);
		KUNIT_EXPECT_EQ(test, rows[i].call, ranchu_vq_must_call(&rig->vq));
		rig_end(rig);
	}
}

/* When the queue becomes empty, there is a call, even if the driver disabled calls. */
static void call_on_empty_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_ON_EMPTY, NUM);
	struct ranchu_chain first = {}, second = {};

	rig_start(rig, 0);
	ranchu_vq_must_call(&rig->vq);
	rig_want_calls(rig, VRING_AVAIL_F_NO_INTERRUPT, 0);
	rig_add_one(rig);
	rig_add_one(rig);
	rig_add_one(rig);
	rig_chain(rig, &first);
	rig_push(rig, &first, 1);
	ranchu_vq_publish(&rig->vq);
	/* Two are available. */
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	rig_chain(rig, &first);
	rig_chain(rig, &second);
	rig_push(rig, &first, 1);
	ranchu_vq_publish(&rig->vq);
	/* One is in flight. */
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	rig_push(rig, &second, 1);
	ranchu_vq_publish(&rig->vq);
	KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	rig_end(rig);
}

/* The fields by which the device requests kicks. */
static void kick_fields_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_SPLIT, NUM);
	struct ranchu_chain chain = {};
	u16 *event;

	rig_start(rig, 0);
	ranchu_vq_disable_kicks(&rig->vq);
	KUNIT_EXPECT_EQ(test, VRING_USED_F_NO_NOTIFY, rig_used(rig)->flags);
	ranchu_vq_enable_kicks(&rig->vq);
	KUNIT_EXPECT_EQ(test, 0, rig_used(rig)->flags);
	rig_end(rig);

	rig = rig_new(test, RIG_SPLIT | RIG_EVENT, NUM);
	event = (u16 *)&rig_used(rig)->ring[NUM];
	rig_start(rig, 0xffff);
	KUNIT_EXPECT_EQ(test, 0xffff, *event);
	rig_add_one(rig);
	rig_chain(rig, &chain);
	ranchu_vq_disable_kicks(&rig->vq);
	KUNIT_EXPECT_EQ(test, 0xffff, *event);
	ranchu_vq_enable_kicks(&rig->vq);
	KUNIT_EXPECT_EQ(test, 0, *event);
	KUNIT_EXPECT_EQ(test, 0, rig_used(rig)->flags);
	ranchu_vq_put_back(&rig->vq, &chain);
	KUNIT_EXPECT_TRUE(test, ranchu_vq_enable_kicks(&rig->vq));
	KUNIT_EXPECT_EQ(test, 0xffff, *event);
	rig_end(rig);
}

/* In order: @written of each of four chains; the elements that the driver sees. */
static void in_order_case(struct kunit *test)
{
	static const struct {
		u32 written[4];
		unsigned int n;
		struct {
			u16 place, chain;
			u32 len;
		} elems[4];
	} rows[] = {
		{ { 16, 16, 16, 16 }, 1, { { 0, 3, 16 } } },
		{ { 16, 16, 16, 5 }, 1, { { 0, 3, 5 } } },
		{ { 5, 16, 16, 16 }, 2, { { 0, 0, 5 }, { 1, 3, 16 } } },
		{ { 16, 5, 16, 16 }, 2, { { 0, 1, 5 }, { 2, 3, 16 } } },
		{ { 0, 1, 2, 3 }, 4, { { 0, 0, 0 }, { 1, 1, 1 }, { 2, 2, 2 }, { 3, 3, 3 } } },
	};
	struct ranchu_chain chains[4] = {};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_SPLIT | RIG_IN_ORDER, NUM);

		rig_start(rig, 0xfffe);
		memset(rig_used(rig)->ring, 0xff, sizeof(vring_used_elem_t) * NUM);
		for (k = 0; k < 4; k++) {
			rig_add_one(rig);
			rig_chain(rig, &chains[k]);
		}
		for (k = 0; k < 4; k++)
			rig_push(rig, &chains[k], rows[i].written[k]);
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
		KUNIT_EXPECT_EQ(test, 2, rig_used(rig)->idx);
		for (k = 0; k < rows[i].n; k++) {
			unsigned int place = (0xfffe + rows[i].elems[k].place) % NUM;
			vring_used_elem_t *elem = &rig_used(rig)->ring[place];

			KUNIT_EXPECT_EQ(test, chains[rows[i].elems[k].chain].id, elem->id);
			KUNIT_EXPECT_EQ(test, rows[i].elems[k].len, elem->len);
			elem->id = U32_MAX;
		}
		for (k = 0; k < NUM; k++)
			KUNIT_EXPECT_EQ(test, U32_MAX, rig_used(rig)->ring[k].id);
		rig_end(rig);
	}
}

/* The largest ring, all of it in flight. */
static void largest_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_SPLIT | RIG_EVENT, RANCHU_VQ_MAX_NUM);
	struct ranchu_chain *chains =
		kunit_kcalloc(test, RANCHU_VQ_MAX_NUM, sizeof(*chains), GFP_KERNEL);
	unsigned int i;
	u16 id;
	u32 len;

	rig_start(rig, 0x7777);
	ranchu_vq_must_call(&rig->vq);
	for (i = 0; i < RANCHU_VQ_MAX_NUM; i++)
		rig_add_one(rig);
	for (i = 0; i < RANCHU_VQ_MAX_NUM; i++)
		rig_chain(rig, &chains[i]);
	for (i = RANCHU_VQ_MAX_NUM; i--; )
		rig_push(rig, &chains[i], 2);
	KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
	rig_want_calls(rig, 0, 0x7776);
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	for (i = RANCHU_VQ_MAX_NUM; i--; ) {
		KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
		KUNIT_ASSERT_EQ(test, chains[i].id, id);
	}
	rig_end(rig);
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(avail_index_case),
	KUNIT_CASE(avail_in_flight_case),
	KUNIT_CASE(table_case),
	KUNIT_CASE(longest_case),
	KUNIT_CASE(call_event_case),
	KUNIT_CASE(call_pushed_case),
	KUNIT_CASE(call_seldom_case),
	KUNIT_CASE(call_flags_case),
	KUNIT_CASE(call_on_empty_case),
	KUNIT_CASE(kick_fields_case),
	KUNIT_CASE(in_order_case),
	KUNIT_CASE(largest_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_split", .test_cases = cases };

kunit_test_suite(suite);
