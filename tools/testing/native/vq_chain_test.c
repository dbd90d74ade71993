// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine, the common part of both layouts: taking chains, faults that
 * break a queue, and the time when the driver sees used chains.
 */
#include "vq_rig.h"

#define NUM 8

static const u64 layouts[RIG_LAYOUTS] = { RIG_SPLIT, RIG_PACKED };
static const u32 new_queue[RIG_LAYOUTS] = { 0, 0x80008000 };

struct row {
	const char *what;
	struct rig_buf bufs[5];
	unsigned int n;
	u16 n_out, n_in;	/* iovecs */
	u16 max;		/* room for iovecs, 0 for enough */
	enum ranchu_vq_fault fault;
};

static const struct row rows[] = {
	{ "readable", { { RIG_A, 16, 0 } }, 1, 1, 0 },
	{ "writable", { { RIG_A, 16, W } }, 1, 0, 1 },
	{ "one byte, the region's last", { { RIG_B_END - 1, 1, 0 } }, 1, 1, 0 },
	{ "many", { { RIG_A, 1, 0 }, { RIG_B, 2, 0 }, { RIG_A + 8, 3, W },
		    { RIG_B + 8, 4, W } }, 4, 2, 2 },
	{ "every region", { { RIG_HUGE, 7, 0 }, { RIG_A, 7, 0 }, { RIG_ALIAS, 7, W },
			    { RIG_HUGE + 99, 7, W } }, 4, 2, 2 },
	{ "crosses regions", { { RIG_B - 8, 16, 0 } }, 1, 2, 0 },
	{ "crosses regions, twice", { { RIG_B - 8, 16, 0 }, { RIG_B - 1, 2, W } }, 2, 2, 2 },
	{ "a whole region", { { RIG_A, RIG_REGION_SIZE, W } }, 1, 0, 1 },
	{ "two whole regions", { { RIG_A, 2 * RIG_REGION_SIZE, W } }, 1, 0, 2 },
	{ "empty", { { RIG_A, 0, 0 } }, 1, 0, 0 },
	{ "empty, writable, nowhere", { { 0, 0, W } }, 1, 0, 0 },
	{ "empty among others", { { RIG_A, 0, 0 }, { RIG_A, 5, 0 }, { 0, 0, W },
				  { RIG_A, 5, W }, { RIG_A, 0, W } }, 5, 1, 1 },
	{ "as many as there is room for", { { RIG_A, 5, 0 }, { RIG_A, 5, W } }, 2, 1, 1, 2 },
	{ "exactly 4 GiB", { { RIG_HUGE, 0x80000000, W }, { RIG_HUGE, 0x80000000, W } },
	  2, 0, 2 },

	{ "no memory there", { { 0x1000, 16, 0 } }, 1, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "one byte before", { { RIG_A - 1, 2, 0 } }, 1, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "one byte too many", { { RIG_B_END - 15, 16, W } }, 1, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "runs over the top", { { U64_MAX, 2, 0 } }, 1, 0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "no memory after a good one", { { RIG_A, 16, 0 }, { 0x1000, 16, W } }, 2, 0, 0, 0,
	  RANCHU_VQ_ADDRESS },
	{ "one byte too many, same region", { { RIG_B, 1, 0 }, { RIG_B_END - 1, 2, 0 } }, 2,
	  0, 0, 0, RANCHU_VQ_ADDRESS },
	{ "readable after writable", { { RIG_A, 16, W }, { RIG_A, 16, 0 } }, 2, 0, 0, 0,
	  RANCHU_VQ_ORDER },
	{ "empty readable after writable", { { RIG_A, 16, W }, { RIG_A, 0, 0 } }, 2, 0, 0, 0,
	  RANCHU_VQ_ORDER },
	{ "readable after empty writable", { { RIG_A, 0, W }, { RIG_A, 16, 0 } }, 2, 0, 0, 0,
	  RANCHU_VQ_ORDER },
	{ "more than 4 GiB", { { RIG_HUGE, 0xffffffff, 0 }, { RIG_HUGE, 2, W } }, 2, 0, 0, 0,
	  RANCHU_VQ_TOO_LARGE },
	{ "more than 4 GiB, nowhere", { { RIG_HUGE, 0xffffffff, 0 }, { 0, 2, W } }, 2, 0, 0, 0,
	  RANCHU_VQ_TOO_LARGE },
	{ "no room for the last", { { RIG_A, 5, 0 }, { RIG_A, 5, 0 }, { RIG_A, 5, W } }, 3,
	  0, 0, 2, RANCHU_VQ_TOO_LONG },
	{ "no room for its second half", { { RIG_A, 5, 0 }, { RIG_B - 8, 16, W } }, 2, 0, 0, 2,
	  RANCHU_VQ_TOO_LONG },
};

/* Walks the buffers and the iovecs side by side, byte range by byte range. */
static void expect_iov(struct kunit *test, const struct row *row,
		       const struct ranchu_chain *chain)
{
	unsigned int i, done = 0, v = 0;

	for (i = 0; i < row->n; i++) {
		for (done = 0; done < row->bufs[i].len; v++) {
			u64 gpa = row->bufs[i].gpa + done;

			KUNIT_ASSERT_EQ(test, true, v < chain->n_out + chain->n_in);
			KUNIT_EXPECT_EQ(test, !!(row->bufs[i].flags & W),
					v >= chain->n_out);
			if (gpa < RIG_HUGE || gpa >= RIG_HUGE + RIG_HUGE_SIZE)
				KUNIT_EXPECT_PTR_EQ(test, rig_at(gpa),
						    chain->iov[v].iov_base);
			done += chain->iov[v].iov_len;
		}
		KUNIT_EXPECT_EQ(test, row->bufs[i].len, done);
	}
	KUNIT_EXPECT_EQ(test, chain->n_out + chain->n_in, v);
}

static void run_row(struct kunit *test, unsigned int layout, const struct row *row)
{
	struct rig *rig = rig_new(test, layouts[layout], NUM);
	struct ranchu_chain chain = { .iov = rig->iov, .max = row->max ?: RIG_MAX_IOV };
	u16 id;
	int ret;

	rig_start(rig, new_queue[layout]);
	id = rig_add(rig, row->bufs, row->n);
	ret = rig_next(rig, &chain);
	if (row->fault) {
		rig_expect_fault(rig, row->fault, row->what);
	} else {
		KUNIT_EXPECT_EQ_MSG(test, 1, ret, "%s", row->what);
		KUNIT_EXPECT_EQ_MSG(test, id, chain.id, "%s", row->what);
		KUNIT_EXPECT_EQ_MSG(test, row->n_out, chain.n_out, "%s", row->what);
		KUNIT_EXPECT_EQ_MSG(test, row->n_in, chain.n_in, "%s", row->what);
		expect_iov(test, row, &chain);
		KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chain));
	}
	rig_end(rig);
}

static void chain_case(struct kunit *test)
{
	unsigned int layout, i;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (i = 0; i < ARRAY_SIZE(rows); i++)
			run_row(test, layout, &rows[i]);
}

/* The hint of the last region must not outlive its table. */
static void no_memory_case(struct kunit *test)
{
	const struct rig_buf huge = { RIG_HUGE, 1, 0 };
	struct ranchu_chain chain = {};
	unsigned int layout, lap;

	for (lap = 0; lap < 2 * RIG_LAYOUTS; lap++) {
		struct rig *rig;

		layout = lap % RIG_LAYOUTS;
		rig = rig_new(test, layouts[layout], NUM);
		rig_start(rig, new_queue[layout]);
		rig_add(rig, &huge, 1);
		rig_add(rig, &huge, 1);
		rig_chain(rig, &chain);
		if (lap < RIG_LAYOUTS)
			rig_set_memory(rig, 0);
		else
			ranchu_mem_clear(&rig->mem);
		KUNIT_EXPECT_EQ(test, -EIO, rig_next(rig, &chain));
		rig_expect_fault(rig, RANCHU_VQ_ADDRESS, "no memory any more");
		rig_end(rig);
	}
}

/* Out of order, for many laps: the driver gets exactly its chains back. */
static void laps_case(struct kunit *test)
{
	struct iovec iov[3][4];
	struct ranchu_chain chains[3];
	unsigned int layout, lap, i;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], 7 + !layout);

		rig_start(rig, new_queue[layout]);
		for (lap = 0; lap < 40; lap++) {
			const struct rig_buf bufs[] = {
				{ RIG_A + lap, 4, 0 }, { RIG_B + lap, 5, W },
				{ RIG_B + lap, 6, W },
			};
			u16 id;
			u32 len;

			for (i = 0; i < 3; i++) {
				chains[i].iov = iov[i];
				chains[i].max = ARRAY_SIZE(iov[i]);
				id = rig_add(rig, bufs, i + (i < 2));
				rig_chain(rig, &chains[i]);
				KUNIT_EXPECT_EQ(test, id, chains[i].id);
			}
			for (i = 3; i--; )
				rig_push(rig, &chains[i], chains[i].in_len);
			KUNIT_EXPECT_FALSE(test, rig_take_used(rig, &id, &len));
			KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
			for (i = 3; i--; ) {
				KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
				KUNIT_EXPECT_EQ(test, chains[i].id, id);
				KUNIT_EXPECT_EQ(test, chains[i].in_len, (u64)len);
			}
			KUNIT_EXPECT_FALSE(test, rig_take_used(rig, &id, &len));
		}
		rig_end(rig);
	}
}

static const void *used_mark(const struct rig *rig)
{
	if (rig_is_packed(rig))
		return &rig_packed(rig)[rig->used].flags;
	return &rig_used(rig)->idx;
}

/* Only publish writes the field that the driver polls. */
static void publish_case(struct kunit *test)
{
	static const u64 orders[] = { 0, RIG_IN_ORDER };
	struct ranchu_chain chains[3] = {};
	unsigned int layout, order, i;
	u16 id;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (order = 0; order < ARRAY_SIZE(orders); order++) {
			struct rig *rig = rig_new(test, layouts[layout] | orders[order], NUM);

			rig_start(rig, new_queue[layout]);
			for (i = 0; i < 3; i++) {
				rig_add_one(rig);
				rig_chain(rig, &chains[i]);
			}
			rig->hidden = used_mark(rig);
			for (i = 0; i < 3; i++)
				rig_push(rig, &chains[i], 16);
			KUNIT_EXPECT_EQ(test, 0u, rig->strays);
			KUNIT_EXPECT_EQ(test, order ? 0u : 3u - layout, rig->stores);
			rig->hidden = NULL;
			KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
			KUNIT_EXPECT_EQ(test, true, rig_take_used(rig, &id, &len));
			rig->stores = 0;
			KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
			KUNIT_EXPECT_EQ(test, 0u, rig->stores);
			rig_end(rig);
		}
}

/* With all slots in flight, a further available chain is a fault. */
static void full_case(struct kunit *test)
{
	struct ranchu_chain chains[NUM] = {};
	unsigned int layout, i;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], NUM);

		rig_start(rig, new_queue[layout]);
		for (i = 0; i < NUM; i++)
			rig_add_one(rig);
		for (i = 0; i < NUM; i++)
			rig_chain(rig, &chains[i]);
		KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chains[0]));
		KUNIT_EXPECT_FALSE(test, ranchu_vq_enable_kicks(&rig->vq));
		rig_push(rig, &chains[0], 0);
		rig_add_one(rig);
		rig_chain(rig, &chains[0]);
		rig_add_one(rig);
		KUNIT_EXPECT_EQ(test, -EIO, rig_next(rig, &chains[0]));
		rig_expect_fault(rig, RANCHU_VQ_AVAIL_INDEX, "one too many");
		rig_end(rig);
	}
}

static void put_back_case(struct kunit *test)
{
	const struct rig_buf two[] = { { RIG_A, 8, 0 }, { RIG_B, 8, W } };
	struct ranchu_chain chain = {}, again = {};
	unsigned int layout, lap;
	u16 id;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		/* Of 5 slots, so that chains of 2 lie across the end. */
		struct rig *rig = rig_new(test, layouts[layout], layout ? 5 : 4);

		rig_start(rig, new_queue[layout]);
		for (lap = 0; lap < 12; lap++) {
			u32 base = ranchu_vq_base(&rig->vq);

			rig_add(rig, two, 2);
			rig_add_one(rig);
			rig_chain(rig, &chain);
			rig_chain(rig, &again);
			ranchu_vq_put_back(&rig->vq, &again);
			ranchu_vq_put_back(&rig->vq, &chain);
			KUNIT_EXPECT_EQ(test, base, ranchu_vq_base(&rig->vq));
			KUNIT_EXPECT_TRUE(test, ranchu_vq_enable_kicks(&rig->vq));
			rig_chain(rig, &again);
			KUNIT_EXPECT_EQ(test, chain.id, again.id);
			KUNIT_EXPECT_EQ(test, 2, again.n_in + again.n_out);
			rig_push(rig, &again, 3);
			rig_chain(rig, &chain);
			rig_push(rig, &chain, 0);
			ranchu_vq_publish(&rig->vq);
			KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
			KUNIT_EXPECT_EQ(test, 3u, len);
			KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
			KUNIT_EXPECT_EQ(test, chain.id, id);
		}
		rig_end(rig);
	}
}

/* A chain that takes up the whole ring ends at its first slot. */
static void put_back_all_case(struct kunit *test)
{
	const struct rig_buf bufs[] = { { RIG_A, 8, 0 }, { RIG_B, 8, 0 }, { RIG_B, 8, W } };
	struct ranchu_chain chain = {};
	unsigned int layout;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], layout ? 3 : 4);
		u32 base = new_queue[layout];

		rig_start(rig, base);
		rig_add(rig, bufs, 3);
		rig_chain(rig, &chain);
		KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chain));
		ranchu_vq_put_back(&rig->vq, &chain);
		KUNIT_EXPECT_EQ(test, base, ranchu_vq_base(&rig->vq));
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 8);
		rig_end(rig);
	}
}

static void kicks_case(struct kunit *test)
{
	static const u64 events[] = { 0, RIG_EVENT };
	struct ranchu_chain chain = {};
	unsigned int layout, event;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (event = 0; event < ARRAY_SIZE(events); event++) {
			struct rig *rig = rig_new(test, layouts[layout] | events[event], NUM);

			rig_start(rig, new_queue[layout]);
			KUNIT_EXPECT_FALSE(test, ranchu_vq_enable_kicks(&rig->vq));
			rig_add_one(rig);
			rig_add_one(rig);
			KUNIT_EXPECT_TRUE(test, ranchu_vq_enable_kicks(&rig->vq));
			ranchu_vq_disable_kicks(&rig->vq);
			rig_chain(rig, &chain);
			KUNIT_EXPECT_TRUE(test, ranchu_vq_enable_kicks(&rig->vq));
			rig_chain(rig, &chain);
			KUNIT_EXPECT_FALSE(test, ranchu_vq_enable_kicks(&rig->vq));
			KUNIT_EXPECT_EQ(test, 0, rig_next(rig, &chain));
			rig_end(rig);
		}
}

/* After a stop and a start, chains that were taken and not pushed are lost. */
static void restart_case(struct kunit *test)
{
	static const u64 orders[] = { 0, RIG_IN_ORDER };
	struct ranchu_chain chain = {};
	unsigned int layout, order, lap;
	u16 id, want;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (order = 0; order < ARRAY_SIZE(orders); order++) {
			struct rig *rig = rig_new(test, layouts[layout] | orders[order],
						  layout ? 3 : 4);

			rig_start(rig, new_queue[layout]);
			for (lap = 0; lap < 20; lap++) {
				u32 base = ranchu_vq_base(&rig->vq);

				KUNIT_ASSERT_EQ(test, 0, ranchu_vq_start(&rig->vq, &rig->mem,
									 &rig->setup, base));
				KUNIT_EXPECT_EQ(test, base, ranchu_vq_base(&rig->vq));
				want = rig_add_one(rig);
				rig_chain(rig, &chain);
				KUNIT_EXPECT_EQ(test, want, chain.id);
				rig_push(rig, &chain, 1 + lap % 16);
				ranchu_vq_publish(&rig->vq);
				KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
				KUNIT_EXPECT_EQ(test, want, id);
				KUNIT_EXPECT_EQ(test, 1 + lap % 16, len);
			}
			rig_end(rig);
		}
}

/* A chain was in flight when the queue was stopped; the next one is not. */
static void restart_lost_case(struct kunit *test)
{
	static const u64 orders[] = { 0, RIG_IN_ORDER };
	struct ranchu_chain chain = {};
	unsigned int layout, order;
	u16 id, want;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (order = 0; order < ARRAY_SIZE(orders); order++) {
			struct rig *rig = rig_new(test, layouts[layout] | orders[order], NUM);

			rig_start(rig, new_queue[layout]);
			rig_add_one(rig);
			want = rig_add_one(rig);
			rig_chain(rig, &chain);
			KUNIT_ASSERT_EQ(test, 0, ranchu_vq_start(&rig->vq, &rig->mem, &rig->setup,
								 ranchu_vq_base(&rig->vq)));
			rig_chain(rig, &chain);
			KUNIT_EXPECT_EQ(test, want, chain.id);
			rig_push(rig, &chain, 7);
			KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
			KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
			KUNIT_EXPECT_EQ(test, want, id);
			KUNIT_EXPECT_EQ(test, 7u, len);
			rig_end(rig);
		}
}

/* Pushed, not published, stopped: the driver has not seen it, nor has the base. */
static void restart_unpublished_case(struct kunit *test)
{
	struct ranchu_chain chain = {};
	unsigned int layout;
	u16 id, want;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], NUM);

		rig_start(rig, new_queue[layout]);
		rig_add_one(rig);
		want = rig_add_one(rig);
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
		KUNIT_ASSERT_EQ(test, 0, ranchu_vq_start(&rig->vq, &rig->mem, &rig->setup,
							 ranchu_vq_base(&rig->vq)));
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 7);
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
		KUNIT_ASSERT_EQ(test, true, rig_take_used(rig, &id, &len));
		KUNIT_EXPECT_EQ(test, want, id);
		rig_end(rig);
	}
}

static void relocate_case(struct kunit *test)
{
	struct ranchu_chain chain = {};
	unsigned int layout;
	u16 id;
	u32 len;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout], NUM);
		u8 *to = rig->desc + 0x40000;

		rig_start(rig, new_queue[layout]);
		rig_add_one(rig);
		rig_add_one(rig);
		rig_chain(rig, &chain);
		memcpy(to, rig->desc, 16 * NUM);
		memcpy(to + 0x1000, rig->driver, 6 + 2 * NUM);
		memcpy(to + 0x2000, rig->device, 6 + 8 * NUM);
		rig->desc = to;
		rig->driver = to + 0x1000;
		rig->device = to + 0x2000;
		rig->setup.desc += 0x40000;
		rig->setup.driver = rig->setup.desc + 0x1000;
		rig->setup.device = rig->setup.desc + 0x2000;
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_relocate(&rig->vq, &rig->setup));
		rig_push(rig, &chain, 3);
		rig_chain(rig, &chain);
		KUNIT_EXPECT_EQ(test, 0, ranchu_vq_publish(&rig->vq));
		KUNIT_EXPECT_TRUE(test, rig_take_used(rig, &id, &len));
		rig->setup.num /= 2;
		KUNIT_EXPECT_EQ(test, -EINVAL, ranchu_vq_relocate(&rig->vq, &rig->setup));
		rig->setup.num *= 2;
		rig_end(rig);
	}
}

static void check_case(struct kunit *test)
{
	static const struct {
		const char *what;
		struct ranchu_vq_setup setup;
		int expect;
	} tries[] = {
		{ "split", { RIG_SPLIT, 8, 16, 2, 4 }, 0 },
		{ "split, legacy", { 0, 8, 16, 2, 4 }, 0 },
		{ "split, largest", { RIG_SPLIT, 32768, 16, 2, 4 }, 0 },
		{ "packed", { RIG_PACKED, 7, 16, 4, 4 }, 0 },
		{ "packed, largest", { RIG_PACKED, 32768, 16, 4, 4 }, 0 },
		{ "one", { RIG_SPLIT, 1, 16, 2, 4 }, 0 },
		{ "in order", { RIG_SPLIT | RIG_IN_ORDER, 8, 16, 2, 4 }, 0 },
		{ "no size", { RIG_SPLIT, 0, 16, 2, 4 }, -EINVAL },
		{ "packed, no size", { RIG_PACKED, 0, 16, 4, 4 }, -EINVAL },
		{ "no power of two", { RIG_SPLIT, 7, 16, 2, 4 }, -EINVAL },
		{ "too large", { RIG_SPLIT, 65536, 16, 2, 4 }, -EINVAL },
		{ "packed, too large", { RIG_PACKED, 32769, 16, 4, 4 }, -EINVAL },
		{ "packed, legacy", { RIG_PACKED & ~RIG_SPLIT, 8, 16, 4, 4 }, -EINVAL },
		{ "in order, legacy", { RIG_IN_ORDER, 8, 16, 2, 4 }, -EINVAL },
		{ "descriptors unaligned", { RIG_SPLIT, 8, 8, 2, 4 }, -EINVAL },
		{ "available ring unaligned", { RIG_SPLIT, 8, 16, 1, 4 }, -EINVAL },
		{ "used ring unaligned", { RIG_SPLIT, 8, 16, 2, 2 }, -EINVAL },
		{ "packed, ring unaligned", { RIG_PACKED, 8, 24, 4, 4 }, -EINVAL },
		{ "packed, driver unaligned", { RIG_PACKED, 8, 16, 2, 4 }, -EINVAL },
		{ "packed, device unaligned", { RIG_PACKED, 8, 16, 4, 2 }, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++)
		KUNIT_EXPECT_EQ_MSG(test, tries[i].expect, ranchu_vq_check(&tries[i].setup),
				    "%s", tries[i].what);
}

static void base_case(struct kunit *test)
{
	static const struct {
		u64 features;
		u32 base;
		int expect;
	} tries[] = {
		{ RIG_SPLIT, 0xffff, 0 },
		{ RIG_PACKED, 0x80078007, 0 },
		{ RIG_PACKED, 0x00070007, 0 },
		{ RIG_PACKED, 0x80008008, -EINVAL },
		{ RIG_PACKED, 0x80088000, -EINVAL },
		{ RIG_PACKED, 0xffff8000, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		struct rig *rig = rig_new(test, tries[i].features, NUM);

		if (!i)
			rig_avail(rig)->idx = 0xffff;
		KUNIT_EXPECT_EQ(test, tries[i].expect,
				ranchu_vq_start(&rig->vq, &rig->mem, &rig->setup, tries[i].base));
		if (!tries[i].expect)
			KUNIT_EXPECT_EQ(test, tries[i].base, ranchu_vq_base(&rig->vq));
		rig_end(rig);
	}
}

static void fault_name_case(struct kunit *test)
{
	unsigned int i, k;

	for (i = 0; i <= RANCHU_VQ_INDIRECT_LENGTH; i++) {
		KUNIT_ASSERT_NOT_NULL(test, ranchu_vq_fault_name(i));
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_TRUE(test, strcmp(ranchu_vq_fault_name(i),
						       ranchu_vq_fault_name(k)));
	}
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(chain_case),
	KUNIT_CASE(no_memory_case),
	KUNIT_CASE(laps_case),
	KUNIT_CASE(publish_case),
	KUNIT_CASE(full_case),
	KUNIT_CASE(put_back_case),
	KUNIT_CASE(put_back_all_case),
	KUNIT_CASE(kicks_case),
	KUNIT_CASE(restart_case),
	KUNIT_CASE(restart_lost_case),
	KUNIT_CASE(restart_unpublished_case),
	KUNIT_CASE(relocate_case),
	KUNIT_CASE(check_case),
	KUNIT_CASE(base_case),
	KUNIT_CASE(fault_name_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_chain", .test_cases = cases };

kunit_test_suite(suite);
