// SPDX-License-Identifier: GPL-2.0-only
/*
 * The indices of shared rings: what is there, whatever the other end says.
 */
#include <kunit/test.h>

#include "../goldfish_pipe_ring.h"

#define SIZE 4096u

static const u32 starts[] = { 0, 1, SIZE - 1, 0x7fffffff, 0xfffffff0 };

struct ring_fixture {
	struct vhost_goldfish_pipe_ring_way way;
	struct pipe_ring ring;
};

/* A ring that has been in use: both ends have come as far as @start. */
static struct ring_fixture *ring_get(struct kunit *test, bool produces, u32 start)
{
	struct ring_fixture *f = kunit_kcalloc(test, 1, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	pipe_ring_init(&f->ring, &f->way, SIZE, produces);
	f->ring.position = start;
	f->way.producer.position = start;
	f->way.consumer.position = start;
	return f;
}

static void size_case(struct kunit *test)
{
	static const struct {
		u32 size;
		bool ok;
	} rows[] = {
		{ 0, false }, { 1, false }, { 2048, false }, { 4095, false },
		{ 4096, true }, { 4097, false }, { 12288, false }, { 1 << 24, true },
		{ 1 << 25, false }, { 1U << 31, false }, { U32_MAX, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].ok, pipe_ring_size_ok(rows[i].size),
				    "row %u", i);
}

static void look_case(struct kunit *test)
{
	/* How far the producer is ahead of the consumer, and what that means. */
	static const struct {
		u32 ahead;
		int err;
		u32 room, used;
	} rows[] = {
		{ 0, 0, SIZE, 0 }, { 1, 0, SIZE - 1, 1 }, { SIZE, 0, 0, SIZE },
		{ SIZE + 1, -EPROTO, 0, 0 }, { 1U << 31, -EPROTO, 0, 0 },
		{ U32_MAX, -EPROTO, 0, 0 }, { U32_MAX - SIZE, -EPROTO, 0, 0 },
	};
	unsigned int i, s, produces;
	u32 bytes;

	for (i = 0; i < 2 * ARRAY_SIZE(rows) * ARRAY_SIZE(starts); i++) {
		unsigned int row = i / 2 % ARRAY_SIZE(rows);
		struct ring_fixture f;

		produces = i & 1;
		s = starts[i / 2 / ARRAY_SIZE(rows)];
		f.way = (struct vhost_goldfish_pipe_ring_way){};
		pipe_ring_init(&f.ring, &f.way, SIZE, produces);
		f.ring.position = s;
		if (produces)
			f.way.consumer.position = s - rows[row].ahead;
		else
			f.way.producer.position = s + rows[row].ahead;
		KUNIT_EXPECT_EQ_MSG(test, rows[row].err,
				    pipe_ring_look(&f.ring, &bytes), "row %u", row);
		KUNIT_EXPECT_EQ_MSG(test, produces ? rows[row].room : rows[row].used,
				    bytes, "row %u", row);
		/* A lie is not forgotten. */
		f.way.consumer.position = s;
		f.way.producer.position = s;
		KUNIT_EXPECT_EQ_MSG(test, rows[row].err,
				    pipe_ring_look(&f.ring, &bytes), "row %u", row);
		KUNIT_EXPECT_EQ_MSG(test, rows[row].err ?: (int)produces,
				    pipe_ring_wait(&f.ring), "row %u", row);
	}
}

static void close_case(struct kunit *test)
{
	struct ring_fixture *f = ring_get(test, false, 10);
	u32 bytes;

	/* What is left can be read, then comes the end. */
	f->way.producer.position = 15;
	f->way.producer.closed = 1;
	KUNIT_EXPECT_EQ(test, 0, pipe_ring_look(&f->ring, &bytes));
	KUNIT_EXPECT_EQ(test, 5u, bytes);
	pipe_ring_move(&f->ring, 5);
	KUNIT_EXPECT_EQ(test, -EPIPE, pipe_ring_look(&f->ring, &bytes));
	KUNIT_EXPECT_EQ(test, -EPIPE, pipe_ring_wait(&f->ring));
	KUNIT_EXPECT_EQ(test, 0u, f->way.consumer.closed);
	pipe_ring_close(&f->ring);
	KUNIT_EXPECT_EQ(test, 1u, f->way.consumer.closed);

	/* What nobody takes is not put in. */
	f = ring_get(test, true, 10);
	f->way.consumer.closed = 1;
	KUNIT_EXPECT_EQ(test, -EPIPE, pipe_ring_look(&f->ring, &bytes));
	KUNIT_EXPECT_EQ(test, 0u, bytes);
}

static void wake_case(struct kunit *test)
{
	unsigned int s;

	for (s = 0; s < ARRAY_SIZE(starts); s++) {
		struct ring_fixture *f = ring_get(test, true, starts[s]);

		/* Asleep where we are: woken by the next byte and no other. */
		f->way.consumer.wake_at = starts[s];
		KUNIT_EXPECT_TRUE(test, pipe_ring_move(&f->ring, 10));
		KUNIT_EXPECT_FALSE(test, pipe_ring_move(&f->ring, 10));
		KUNIT_EXPECT_EQ(test, starts[s] + 20, f->way.producer.position);
		/* Asleep until there are more than 5. */
		f->way.consumer.wake_at = starts[s] + 25;
		KUNIT_EXPECT_FALSE(test, pipe_ring_move(&f->ring, 5));
		KUNIT_EXPECT_TRUE(test, pipe_ring_move(&f->ring, 1));
		KUNIT_EXPECT_FALSE(test, pipe_ring_move(&f->ring, SIZE));
	}
}

static void wait_case(struct kunit *test)
{
	struct ring_fixture *f = ring_get(test, false, 10);

	KUNIT_EXPECT_EQ(test, 0, pipe_ring_wait(&f->ring));
	KUNIT_EXPECT_EQ(test, 10u, f->way.consumer.wake_at);
	f->way.producer.position = 11;
	KUNIT_EXPECT_EQ(test, 1, pipe_ring_wait(&f->ring));

	f = ring_get(test, true, 10);
	KUNIT_EXPECT_EQ(test, 1, pipe_ring_wait(&f->ring));
	f->way.consumer.position = 10 - SIZE;
	KUNIT_EXPECT_EQ(test, 0, pipe_ring_wait(&f->ring));
	KUNIT_EXPECT_EQ(test, 10 - SIZE, f->way.producer.wake_at);
}

/* Anything may stand there: what we touch is inside, and our own count is right. */
static void noise_case(struct kunit *test)
{
	struct ring_fixture *f = ring_get(test, true, 0);
	u32 noise = 1, position = 0, bytes, span, turn;

	for (turn = 0; turn < 100000; turn++) {
		noise = noise * 1664525 + 1013904223;
		f->way.consumer.position = position - (noise & 1 ? noise >> 19 : noise);
		f->way.consumer.wake_at = noise;
		f->way.producer.position = noise;
		if (pipe_ring_look(&f->ring, &bytes)) {
			KUNIT_EXPECT_EQ(test, 0u, bytes);
			f->ring.broken = false;
			continue;
		}
		if (bytes > SIZE)
			KUNIT_EXPECT_EQ(test, SIZE, bytes);
		if (!bytes)
			continue;
		span = bytes;
		if (pipe_ring_at(&f->ring, 0, &span) + span > SIZE || !span)
			KUNIT_EXPECT_EQ(test, SIZE, span);
		position += span;
		pipe_ring_move(&f->ring, span);
		if (f->way.producer.position != position)
			KUNIT_EXPECT_EQ(test, position, f->way.producer.position);
	}
}

static struct kunit_case goldfish_pipe_ring_cases[] = {
	KUNIT_CASE(size_case),
	KUNIT_CASE(look_case),
	KUNIT_CASE(close_case),
	KUNIT_CASE(wake_case),
	KUNIT_CASE(wait_case),
	KUNIT_CASE(noise_case),
	{}
};

static struct kunit_suite goldfish_pipe_ring_suite = {
	.name = "goldfish_pipe_ring",
	.test_cases = goldfish_pipe_ring_cases,
};

kunit_test_suite(goldfish_pipe_ring_suite);
