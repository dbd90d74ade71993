// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine when the ring's memory faults: one round of work is repeated;
 * first the first access faults, then the second, and so on.
 */
#include <linux/vhost_types.h>

#include "vq_rig.h"

#define NUM 8

struct round {
	unsigned int taken;
	bool called;
};

/* A round that uses all of the engine. Returns whether the queue still works. */
static bool work(struct rig *rig, struct round *round)
{
	struct ranchu_chain chains[3] = {};
	struct iovec iov[3][4];
	unsigned int i;
	int err = 0;

	ranchu_vq_disable_kicks(&rig->vq);
	for (i = 0; i < ARRAY_SIZE(chains); i++) {
		chains[i].iov = iov[i];
		chains[i].max = ARRAY_SIZE(iov[i]);
		if (rig_next(rig, &chains[i]) != 1)
			break;
		round->taken++;
	}
	if (i == ARRAY_SIZE(chains))
		ranchu_vq_put_back(&rig->vq, &chains[--i]);
	while (i--) {
		unsigned int which = rig->vq.in_order ? !i : i;
		int idx = ranchu_mem_enter(&rig->mem);

		if (round->taken < 2)
			which = 0;
		err = ranchu_vq_push(&rig->vq, &chains[which], 1) ?: err;
		ranchu_mem_leave(&rig->mem, idx);
	}
	err = ranchu_vq_publish(&rig->vq) ?: err;
	round->called = ranchu_vq_must_call(&rig->vq);
	ranchu_vq_enable_kicks(&rig->vq);
	KUNIT_EXPECT_TRUE(rig->test, !err || rig->vq.fault);
	return !rig->vq.fault;
}

static struct rig *prepare(struct kunit *test, u64 features)
{
	static const struct rig_buf table[] = { { RIG_A, 8, 0 }, { RIG_A, 8, W } };
	static const struct rig_buf bufs[] = {
		{ RIG_A, 8, 0 }, { RIG_A, 8, W }, { RIG_A + 0x800, 32, I },
		{ RIG_B - 24, 32, I },
	};
	struct rig *rig = rig_new(test, features, NUM);

	rig->setup.log_used = true;
	rig_start(rig, rig_is_packed(rig) ? 0x80008000 : 0xffff);
	rig_table(rig, RIG_A + 0x800, table, 2);
	rig_table(rig, RIG_B - 24, table, 2);
	rig_add(rig, bufs, 2);
	rig_add(rig, &bufs[2], 1);
	rig_add(rig, &bufs[3], 1);
	return rig;
}

static void fault_each_case(struct kunit *test)
{
	static const u64 layouts[] = { RIG_SPLIT, RIG_PACKED };
	static const u64 more[] = {
		0, RIG_EVENT, RIG_IN_ORDER, RIG_EVENT | RIG_IN_ORDER, RIG_LOG,
		RIG_LOG | RIG_EVENT | RIG_IN_ORDER,
	};
	unsigned int layout, i, at;

	for (layout = 0; layout < RIG_LAYOUTS; layout++)
		for (i = 0; i < ARRAY_SIZE(more); i++) {
			struct round round;
			struct rig *rig;

			for (at = 1; ; at++) {
				round = (struct round){};
				rig = prepare(test, layouts[layout] | RIG_INDIRECT | more[i]);
				rig->fail_at = at;
				if (work(rig, &round))
					break;
				/* An indirect table is no part of the ring. */
				KUNIT_EXPECT_TRUE(test,
						  rig->vq.fault == RANCHU_VQ_RING_FAULT ||
						  rig->vq.fault == RANCHU_VQ_ADDRESS);
				KUNIT_EXPECT_EQ_MSG(test, at, rig->accesses,
						    "accesses after the fault");
				rig_expect_fault(rig, rig->vq.fault, "faulted");
				rig_end(rig);
			}
			KUNIT_EXPECT_EQ(test, 3u, round.taken);
			KUNIT_EXPECT_TRUE(test, round.called);
			KUNIT_EXPECT_TRUE(test, at > 15);
			rig_end(rig);
		}
}

/* If reading the driver's notification field faults, the engine calls, and is broken. */
static void doubt_case(struct kunit *test)
{
	static const u64 features[] = {
		RIG_SPLIT, RIG_SPLIT | RIG_EVENT, RIG_PACKED, RIG_PACKED | RIG_EVENT,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		struct ranchu_chain chain = {};
		struct rig *rig = rig_new(test, features[i], NUM);

		rig_start(rig, rig_is_packed(rig) ? 0x80008000 : 0);
		ranchu_vq_must_call(&rig->vq);
		rig_add_one(rig);
		rig_chain(rig, &chain);
		rig_push(rig, &chain, 1);
		ranchu_vq_publish(&rig->vq);
		rig->fail_at = rig->accesses + 1;
		KUNIT_EXPECT_TRUE(test, ranchu_vq_must_call(&rig->vq));
		rig_expect_fault(rig, RANCHU_VQ_RING_FAULT, "must_call");
		rig_end(rig);
	}
}

/* Nothing is started on a ring that cannot be accessed. */
static void start_case(struct kunit *test)
{
	static const u64 features[] = {
		RIG_SPLIT, RIG_SPLIT | RIG_EVENT, RIG_PACKED, RIG_SPLIT | RIG_LOG,
		RIG_PACKED | RIG_LOG,
	};
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		for (at = 1; at < 10; at++) {
			struct rig *rig = rig_new(test, features[i], NUM);
			u32 base = rig_is_packed(rig) ? 0x80008000 : 0;
			int ret;

			rig->setup.log_used = true;
			rig->accesses = 0;
			rig->fail_at = at;
			ret = ranchu_vq_start(&rig->vq, &rig->mem, &rig->setup, base);
			if (rig->accesses < at)
				KUNIT_EXPECT_EQ(test, 0, ret);
			else
				KUNIT_EXPECT_EQ(test, -EFAULT, ret);
			if (ret)
				rig_expect_fault(rig, RANCHU_VQ_RING_FAULT, "start");
			rig_end(rig);
		}
}

/* A bitmap that cannot be written breaks the queue, too. */
static void log_fault_case(struct kunit *test)
{
	static const u64 layouts[] = { RIG_SPLIT, RIG_PACKED };
	unsigned int layout;

	for (layout = 0; layout < RIG_LAYOUTS; layout++) {
		struct rig *rig = rig_new(test, layouts[layout] | RIG_LOG, NUM);
		struct ranchu_chain chain = {};
		int idx;

		rig_start(rig, layout ? 0x80008000 : 0);
		rig_add_one(rig);
		rig_chain(rig, &chain);
		rig->fail_at = rig->accesses + 1;
		idx = ranchu_mem_enter(&rig->mem);
		KUNIT_EXPECT_EQ(test, -EIO, ranchu_vq_push(&rig->vq, &chain, 1));
		ranchu_mem_leave(&rig->mem, idx);
		rig_expect_fault(rig, RANCHU_VQ_RING_FAULT, "bitmap");
		/* What was taken can still be put back. */
		ranchu_vq_put_back(&rig->vq, &chain);
		rig_end(rig);
	}
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(fault_each_case),
	KUNIT_CASE(doubt_case),
	KUNIT_CASE(start_case),
	KUNIT_CASE(log_fault_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_access", .test_cases = cases };

kunit_test_suite(suite);
