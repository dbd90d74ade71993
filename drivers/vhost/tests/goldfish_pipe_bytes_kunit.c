// SPDX-License-Identifier: GPL-2.0-only
/*
 * The byte ring: what goes in comes out, and it grows no further than it may.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../goldfish_pipe.h"

struct ring_fixture {
	atomic_long_t budget;
	struct pipe_bytes ring;
};

static int ring_test_init(struct kunit *test)
{
	struct ring_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_EQ(test, 0, pipe_bytes_init(&f->ring, &f->budget));
	test->priv = f;
	return 0;
}

static void ring_test_exit(struct kunit *test)
{
	struct ring_fixture *f = test->priv;

	pipe_bytes_destroy(&f->ring);
	KUNIT_EXPECT_EQ(test, 0L, atomic_long_read(&f->budget));
}

/* Bytes that tell their place in the stream. */
static u8 ring_byte(u64 pos)
{
	return pos * 7 + (pos >> 8) * 13;
}

static ssize_t ring_put(struct pipe_bytes *ring, u8 *buffer, u64 pos, size_t len)
{
	struct kvec vec = { .iov_base = buffer, .iov_len = len };
	struct iov_iter iter;
	size_t i;

	for (i = 0; i < len; i++)
		buffer[i] = ring_byte(pos + i);
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return pipe_bytes_write(ring, &iter);
}

/* Returns bytes got, or -EILSEQ if they are not the ones that follow @pos. */
static ssize_t ring_get(struct pipe_bytes *ring, u8 *buffer, u64 pos, size_t len)
{
	struct kvec vec = { .iov_base = buffer, .iov_len = len };
	struct iov_iter iter;
	ssize_t ret, i;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	ret = pipe_bytes_read(ring, &iter);
	for (i = 0; i < ret; i++)
		if (buffer[i] != ring_byte(pos + i))
			return -EILSEQ;
	return ret;
}

static void order_case(struct kunit *test)
{
	struct ring_fixture *f = test->priv;
	u8 *buffer = kunit_kzalloc(test, 5000, GFP_KERNEL);
	u64 written = 0, read = 0;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	KUNIT_EXPECT_EQ(test, -EAGAIN, ring_get(&f->ring, buffer, 0, 1));
	/* Sizes that wrap and grow at every possible place, sooner or later. */
	for (i = 1; i < 3000; i++) {
		size_t in = i * 31 % 4999 + 1, out = i * 37 % 4999 + 1;
		ssize_t n = ring_put(&f->ring, buffer, written, in);

		KUNIT_ASSERT_EQ(test, (ssize_t)in, n);
		written += n;
		n = ring_get(&f->ring, buffer, read, out);
		KUNIT_ASSERT_EQ(test, (ssize_t)min_t(u64, out, written - read), n);
		read += n;
	}
	while (read < written) {
		ssize_t n = ring_get(&f->ring, buffer, read, 4999);

		KUNIT_ASSERT_GT(test, n, (ssize_t)0);
		read += n;
	}
	KUNIT_EXPECT_FALSE(test, pipe_bytes_readable(&f->ring));
}

static void full_case(struct kunit *test)
{
	struct ring_fixture *f = test->priv;
	u8 *buffer = vmalloc(PIPE_BYTES_MAX + 1);
	u64 read = 0;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	/* As much as fits is taken, and then nothing. */
	KUNIT_EXPECT_EQ(test, (ssize_t)PIPE_BYTES_MAX,
			ring_put(&f->ring, buffer, 0, PIPE_BYTES_MAX + 1));
	KUNIT_EXPECT_FALSE(test, pipe_bytes_writable(&f->ring));
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			ring_put(&f->ring, buffer, PIPE_BYTES_MAX, 1));
	/* One byte out makes room for one byte. */
	KUNIT_EXPECT_EQ(test, (ssize_t)1, ring_get(&f->ring, buffer, read++, 1));
	KUNIT_EXPECT_TRUE(test, pipe_bytes_writable(&f->ring));
	KUNIT_EXPECT_EQ(test, (ssize_t)1,
			ring_put(&f->ring, buffer, PIPE_BYTES_MAX, 2));
	KUNIT_EXPECT_EQ(test, (ssize_t)PIPE_BYTES_MAX,
			ring_get(&f->ring, buffer, read, PIPE_BYTES_MAX + 1));
	vfree(buffer);
}

static void budget_case(struct kunit *test)
{
	struct ring_fixture *f = test->priv;
	u8 *buffer = kunit_kzalloc(test, 4096, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	/* Other rings have it all: this one keeps what it started with. */
	atomic_long_add(PIPE_BYTES_BUDGET, &f->budget);
	KUNIT_EXPECT_EQ(test, (ssize_t)PIPE_BYTES_MIN,
			ring_put(&f->ring, buffer, 0, 4096));
	KUNIT_EXPECT_FALSE(test, pipe_bytes_writable(&f->ring));
	KUNIT_EXPECT_EQ(test, -EAGAIN, ring_put(&f->ring, buffer, 0, 1));
	/* Room for one doubling is back. */
	atomic_long_sub(PIPE_BYTES_MIN, &f->budget);
	KUNIT_EXPECT_TRUE(test, pipe_bytes_writable(&f->ring));
	KUNIT_EXPECT_EQ(test, (ssize_t)PIPE_BYTES_MIN,
			ring_put(&f->ring, buffer, PIPE_BYTES_MIN, 4096));
	KUNIT_EXPECT_EQ(test, (ssize_t)2 * PIPE_BYTES_MIN,
			ring_get(&f->ring, buffer, 0, 4096));
	atomic_long_sub(PIPE_BYTES_BUDGET - PIPE_BYTES_MIN, &f->budget);
}

static struct kunit_case goldfish_pipe_bytes_cases[] = {
	KUNIT_CASE(order_case),
	KUNIT_CASE(full_case),
	KUNIT_CASE(budget_case),
	{}
};

static struct kunit_suite goldfish_pipe_bytes_suite = {
	.name = "goldfish_pipe_bytes",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = goldfish_pipe_bytes_cases,
};

kunit_test_suite(goldfish_pipe_bytes_suite);
