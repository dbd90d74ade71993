// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine, the part for packed queues: a ring that wraps, its wrap
 * counter, notification suppression by slot.
 */
#include "vq_rig.h"

#define NUM 5
#define WRAP 0x8000
#define NEW 0x80008000

enum { ENABLE, DISABLE, DESC, RESERVED };

static u16 avail_flags(bool wrap)
{
	return BIT(wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED);
}

/* Descriptors that the rig's driver would not make. */
static void ring_case(struct kunit *test)
{
	static const struct {
		const char *what;
		struct vring_desc descs[NUM];
		enum ranchu_vq_fault fault;
	} rows[] = {
		{ "whole ring", { { RIG_A, 1, N, 0 }, { RIG_A, 1, N, 0 }, { RIG_A, 1, N, 0 },
				  { RIG_A, 1, N, 0 }, { RIG_A, 1, W, 0 } }, RANCHU_VQ_OK },
		{ "goes on round the ring", { { RIG_A, 1, N, 0 }, { RIG_A, 1, N, 0 },
					      { RIG_A, 1, N, 0 }, { RIG_A, 1, N, 0 },
					      { RIG_A, 1, N, 0 } }, RANCHU_VQ_LOOP },
		{ "the same, empty", { { 0, 0, N, 0 }, { 0, 0, N, 0 }, { 0, 0, N, 0 },
				       { 0, 0, N, 0 }, { 0, 0, N, 0 } }, RANCHU_VQ_LOOP },
		{ "indirect, not negotiated", { { RIG_A, 16, I, 0 } }, RANCHU_VQ_INDIRECT },
		{ "indirect in mid-chain", { { RIG_A, 1, N, 0 }, { RIG_A, 16, I, 0 } },
		  RANCHU_VQ_INDIRECT },
	};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_PACKED, NUM);
		struct ranchu_chain chain = {};

		rig_start(rig, NEW);
		for (k = 0; k < NUM; k++) {
			struct vring_desc desc = rows[i].descs[k];

			desc.flags |= avail_flags(true);
			rig_put_desc(rig, k, desc);
		}
		KUNIT_EXPECT_EQ_MSG(test, rows[i].fault ? -EIO : 1, rig_next(rig, &chain),
				    "%s", rows[i].what);
		if (rows[i].fault)
			rig_expect_fault(rig, rows[i].fault, rows[i].what);
		rig_end(rig);
	}
}

/* All slots are in flight, and the driver makes one available once more. */
static void overrun_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_PACKED, NUM);
	struct ranchu_chain chain = {};
	unsigned int i;

	rig_start(rig, NEW);
	for (i = 0; i < NUM - 1; i++) {
		rig_add_one(rig);
		rig_chain(rig, &chain);
	}
	/* One slot is left, and a chain of two does not fit. */
	rig_put_desc(rig, NUM - 1, (struct vring_desc){ RIG_A, 1, N | avail_flags(true), 0 });
	KUNIT_EXPECT_EQ(test, -EIO, rig_next(rig, &chain));
	rig_expect_fault(rig, RANCHU_VQ_LOOP, "runs into what is in flight");
	rig_end(rig);
}

/* The owner of a descriptor, by its two flags and the wrap counter. */
static void ownership_case(struct kunit *test)
{
	unsigned int wrap, flags;

	for (wrap = 0; wrap < 2; wrap++)
		for (flags = 0; flags < 4; flags++) {
			struct rig *rig = rig_new(test, RIG_PACKED, NUM);
			struct ranchu_chain chain = {};
			bool avail = flags & 1, used = flags & 2;

			rig_start(rig, (wrap ? WRAP : 0) * 0x10001);
			rig_put_desc(rig, 0, (struct vring_desc){
				RIG_A, 1,
				(avail ? BIT(VRING_PACKED_DESC_F_AVAIL) : 0) |
				(used ? BIT(VRING_PACKED_DESC_F_USED) : 0), 0
			});
			KUNIT_EXPECT_EQ(test, avail == wrap && used != wrap,
					rig_next(rig, &chain));
			rig_end(rig);
		}
}

static void use(struct rig *rig, unsigned int n)
{
	struct ranchu_chain chain = {};
	u16 id;
	u32 len;

	for (; n; n--) {
		rig_add_one(rig);
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
	}
	KUNIT_EXPECT_EQ(rig->test, 0, ranchu_vq_publish(&rig->vq));
	while (rig_take_used(rig, &id, &len))
		;
}

static void call_flags_case(struct kunit *test)
{
	static const struct {
		u64 features;
		u16 flags;
		bool call;
	} rows[] = {
		{ 0, ENABLE, true }, { 0, DISABLE, false },
		/* Invalid values; then the engine calls. */
		{ 0, DESC, true }, { 0, RESERVED, true },
		{ RIG_EVENT, ENABLE, true }, { RIG_EVENT, DISABLE, false },
		{ RIG_EVENT, DESC, false }, { RIG_EVENT, RESERVED, true },
		/* Only two bits are flags. */
		{ 0, 4 | DISABLE, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig *rig = rig_new(test, RIG_PACKED | rows[i].features, NUM);

		rig_start(rig, NEW);
		KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
		rig_want_calls(rig, rows[i].flags, WRAP | 3);
		use(rig, 1);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].call, ranchu_vq_must_call(&rig->vq),
				    "row %u", i);
		KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
		rig_end(rig);
	}
}

/*
 * Every event against every stretch of used slots: the slow and obvious way is
 * to go through the stretch and look for the slot with that wrap counter.
 */
static bool call_expected(u32 first, u32 n, u16 event)
{
	u32 slot = first;
	bool wrap = true;
	u32 i;

	for (i = 0; i < n; i++) {
		if (event == (slot | (wrap ? WRAP : 0)))
			return true;
		if (++slot == NUM) {
			slot = 0;
			wrap = !wrap;
		}
	}
	return false;
}

static void call_event_case(struct kunit *test)
{
	u32 first, n, slot, wrap;

	for (first = 0; first < NUM; first++)
		for (n = 1; n <= NUM; n++)
			for (slot = 0; slot < NUM; slot++)
				for (wrap = 0; wrap < 2; wrap++) {
					u16 event = slot | (wrap ? WRAP : 0);
					struct rig *rig =
						rig_new(test, RIG_PACKED | RIG_EVENT, NUM);

					rig_start(rig, NEW | first | first << 16);
					ranchu_vq_must_call(&rig->vq);
					rig_want_calls(rig, DESC, event);
					use(rig, n);
					KUNIT_EXPECT_EQ_MSG(test, call_expected(first, n, event),
							    ranchu_vq_must_call(&rig->vq),
							    "%u slots from %u, event %#x",
							    n, first, event);
					rig_end(rig);
				}
}

/* The same while a chain is pushed and not published, which is held back. */
static void call_pushed_case(struct kunit *test)
{
	u32 first, slot, wrap;

	for (first = 0; first < NUM; first++)
		for (slot = 0; slot < NUM; slot++)
			for (wrap = 0; wrap < 2; wrap++) {
				u16 event = slot | (wrap ? WRAP : 0);
				struct ranchu_chain chain = {};
				struct rig *rig = rig_new(test, RIG_PACKED | RIG_EVENT, NUM);

				rig_start(rig, NEW | first | first << 16);
				ranchu_vq_must_call(&rig->vq);
				rig_want_calls(rig, DESC, event);
				use(rig, 2);
				rig_add_one(rig);
				rig_chain(rig, &chain);
				rig_push(rig, &chain, 1);
				KUNIT_EXPECT_EQ(test, call_expected(first, 2, event),
						ranchu_vq_must_call(&rig->vq));
				rig_end(rig);
			}
}

/* After more than a lap since the last check, the wrap counter is ambiguous. */
static void call_seldom_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_PACKED | RIG_EVENT, NUM);

	rig_start(rig, NEW);
	ranchu_vq_must_call(&rig->vq);
	rig_want_calls(rig, DESC, 4);
	use(rig, 3);
	use(rig, 3);
	KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
	rig_end(rig);
}

/* The fields by which the device requests kicks. */
static void kick_fields_case(struct kunit *test)
{
	static const u64 features[] = { RIG_PACKED, RIG_PACKED | RIG_EVENT };
	struct ranchu_chain chain = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		struct rig *rig = rig_new(test, features[i], NUM);
		struct vring_packed_desc_event *event = rig->device;

		rig_start(rig, NEW | (NUM - 1) | (NUM - 1) << 16);
		KUNIT_EXPECT_EQ(test, i ? DESC : ENABLE, event->flags);
		KUNIT_EXPECT_EQ(test, i ? WRAP | (NUM - 1) : 0, event->off_wrap);
		ranchu_vq_disable_kicks(&rig->vq);
		KUNIT_EXPECT_EQ(test, DISABLE, event->flags);
		rig_add_one(rig);
		rig_chain(rig, &chain);
		KUNIT_EXPECT_FALSE(test, ranchu_vq_enable_kicks(&rig->vq));
		KUNIT_EXPECT_EQ(test, i ? DESC : ENABLE, event->flags);
		KUNIT_EXPECT_EQ(test, 0, event->off_wrap);
		rig_end(rig);
	}
}

/*
 * In order: @written of each of four chains of one, two, one and two slots; the
 * slots that are written, and by which chain.
 */
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
		{ { 8, 8, 8, 8 }, 1, { { 0, 3, 8 } } },
		{ { 8, 8, 8, 0 }, 1, { { 0, 3, 0 } } },
		{ { 5, 8, 8, 8 }, 2, { { 0, 0, 5 }, { 1, 3, 8 } } },
		{ { 8, 5, 8, 8 }, 2, { { 0, 1, 5 }, { 3, 3, 8 } } },
		{ { 7, 1, 2, 3 }, 4, { { 0, 0, 7 }, { 1, 1, 1 }, { 3, 2, 2 }, { 4, 3, 3 } } },
	};
	static const struct rig_buf bufs[] = { { RIG_A, 3, 0 }, { RIG_A, 8, W } };
	struct ranchu_chain chains[4] = {};
	unsigned int i, k, first;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (first = 0; first < 6; first++) {
			struct rig *rig = rig_new(test, RIG_PACKED | RIG_IN_ORDER, 6);

			rig_start(rig, NEW | first | first << 16);
			for (k = 0; k < 4; k++) {
				rig_add(rig, &bufs[!(k & 1)], 1 + (k & 1));
				rig_chain(rig, &chains[k]);
			}
			for (k = 0; k < 4; k++)
				rig_push(rig, &chains[k], rows[i].written[k]);
			KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
			KUNIT_EXPECT_EQ(test, rows[i].n, rig->stores);
			for (k = 0; k < rows[i].n; k++) {
				u32 place = first + rows[i].elems[k].place;
				struct vring_packed_desc *desc = &rig_packed(rig)[place % 6];
				u16 flags = place < 6 ? 0x8080 : 0;

				KUNIT_EXPECT_EQ(test, chains[rows[i].elems[k].chain].id, desc->id);
				KUNIT_EXPECT_EQ(test, rows[i].elems[k].len, desc->len);
				KUNIT_EXPECT_EQ(test, flags | (desc->len ? W : 0), desc->flags);
			}
			rig_end(rig);
		}
}

/* The largest ring, completely in flight, then one chain that takes all of it. */
static void largest_case(struct kunit *test)
{
	struct rig *rig = rig_new(test, RIG_PACKED | RIG_EVENT, RANCHU_VQ_MAX_NUM);
	struct ranchu_chain *chains =
		kunit_kcalloc(test, RANCHU_VQ_MAX_NUM, sizeof(*chains), GFP_KERNEL);
	struct rig_buf *bufs =
		kunit_kcalloc(test, RANCHU_VQ_MAX_NUM, sizeof(*bufs), GFP_KERNEL);
	unsigned int i;
	u16 id;
	u32 len;

	rig_start(rig, NEW | 0x7000 | 0x70000000);
	ranchu_vq_must_call(&rig->vq);
	for (i = 0; i < RANCHU_VQ_MAX_NUM; i++)
		rig_add_one(rig);
	for (i = 0; i < RANCHU_VQ_MAX_NUM; i++)
		rig_chain(rig, &chains[i]);
	for (i = RANCHU_VQ_MAX_NUM; i--; )
		rig_push(rig, &chains[i], 2);
	KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
	rig_want_calls(rig, DESC, WRAP | 0x6fff);
	KUNIT_EXPECT_FALSE(test, ranchu_vq_must_call(&rig->vq));
	for (i = RANCHU_VQ_MAX_NUM; i--; ) {
		KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
		KUNIT_ASSERT_EQ(test, chains[i].id, id);
	}

	bufs[RANCHU_VQ_MAX_NUM - 1] = (struct rig_buf){ RIG_A, 2, W };
	id = rig_add(rig, bufs, RANCHU_VQ_MAX_NUM);
	rig_chain(rig, &chains[0]);
	KUNIT_EXPECT_EQ(test, id, chains[0].id);
	rig_push(rig, &chains[0], 2);
	rig_want_calls(rig, DESC, 0x6fff | WRAP);
	KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
	KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
	KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
	rig_end(rig);
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(ring_case),
	KUNIT_CASE(overrun_case),
	KUNIT_CASE(ownership_case),
	KUNIT_CASE(call_flags_case),
	KUNIT_CASE(call_event_case),
	KUNIT_CASE(call_pushed_case),
	KUNIT_CASE(call_seldom_case),
	KUNIT_CASE(kick_fields_case),
	KUNIT_CASE(in_order_case),
	KUNIT_CASE(largest_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_packed", .test_cases = cases };

kunit_test_suite(suite);
