// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory table against what a guest and a VMM may come up with.
 */
#include <kunit/test.h>
#include <linux/errno.h>

#include "../mem_table.h"

#define REGIONS 8

/* A table on the stack, with as many regions as a test wants. */
struct fixed_table {
	struct ranchu_mem_table table;
	struct ranchu_mem_region regions[REGIONS];
};

static const struct vhost_memory_region split[] = {
	/* Two regions that touch in the guest, not in the owner; then a hole. */
	{ .guest_phys_addr = 0x2000, .memory_size = 0x1000, .userspace_addr = 0x700000 },
	{ .guest_phys_addr = 0x1000, .memory_size = 0x1000, .userspace_addr = 0x900000 },
	{ .guest_phys_addr = 0x8000, .memory_size = 0x4000, .userspace_addr = 0xa00000 },
};

static void fill_case(struct kunit *test)
{
	static const struct {
		const char *what;
		struct vhost_memory_region in[2];
		unsigned int n;
		int expect;
	} rows[] = {
		{ "none", {}, 0, 0 },
		{ "one", { { 0x1000, 0x1000, 0x5000, 0 } }, 1, 0 },
		{ "empty", { { 0x1000, 0, 0x5000, 0 } }, 1, -EINVAL },
		{ "empty, where nothing wraps", { { 0, 0, 0, 0 } }, 1, -EINVAL },
		{ "last byte of all", { { U64_MAX, 1, 0x5000, 0 } }, 1, 0 },
		{ "past the top", { { U64_MAX, 2, 0x5000, 0 } }, 1, -EINVAL },
		{ "all there is", { { 1, U64_MAX, 0, 0 } }, 1, 0 },
		{ "owner past the top", { { 0, 0x1000, U64_MAX - 0xffe, 0 } }, 1, -EINVAL },
		{ "touching",
		  { { 0x1000, 0x1000, 0x5000, 0 }, { 0x2000, 0x1000, 0x5000, 0 } }, 2, 0 },
		{ "overlapping",
		  { { 0x1000, 0x1001, 0x5000, 0 }, { 0x2000, 0x1000, 0x5000, 0 } }, 2, -EINVAL },
		{ "overlapping, other order",
		  { { 0x2000, 0x1000, 0x5000, 0 }, { 0x1000, 0x1001, 0x5000, 0 } }, 2, -EINVAL },
		{ "twice the same",
		  { { 0x1000, 0x1000, 0x5000, 0 }, { 0x1000, 0x1000, 0x5000, 0 } }, 2, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixed_table fixed = {};

		KUNIT_EXPECT_EQ_MSG(test, rows[i].expect,
				    ranchu_mem_table_fill(&fixed.table, rows[i].in,
							  rows[i].n),
				    "%s", rows[i].what);
	}
}

static void find_case(struct kunit *test)
{
	static const struct {
		u64 gpa;
		u64 uaddr;	/* of the region, 0 for none */
	} rows[] = {
		{ 0, 0 }, { 0xfff, 0 }, { 0x1000, 0x900000 }, { 0x1fff, 0x900000 },
		{ 0x2000, 0x700000 }, { 0x2fff, 0x700000 }, { 0x3000, 0 },
		{ 0x7fff, 0 }, { 0x8000, 0xa00000 }, { 0xbfff, 0xa00000 },
		{ 0xc000, 0 }, { U64_MAX, 0 },
	};
	struct fixed_table fixed = {};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_table_fill(&fixed.table, split,
						       ARRAY_SIZE(split)));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ranchu_mem_region *region =
			ranchu_mem_table_find(&fixed.table, rows[i].gpa);

		KUNIT_EXPECT_EQ_MSG(test, rows[i].uaddr, region ? region->uaddr : 0,
				    "gpa %#llx", (unsigned long long)rows[i].gpa);
	}
}

static void iov_case(struct kunit *test)
{
	static const struct {
		u64 gpa, len;
		unsigned int max;
		int expect;
		u64 first_uaddr, last_uaddr, last_len;
	} rows[] = {
		{ 0x1000, 1, 1, 1, 0x900000, 0x900000, 1 },
		{ 0x1fff, 1, 1, 1, 0x900fff, 0x900fff, 1 },
		{ 0x1800, 0x1000, 2, 2, 0x900800, 0x700000, 0x800 },
		{ 0x1000, 0x2000, 2, 2, 0x900000, 0x700000, 0x1000 },
		{ 0x1800, 0x1000, 1, -E2BIG },
		{ 0x1000, 0x2001, 3, -EFAULT },
		{ 0xfff, 2, 2, -EFAULT },
		{ 0x3000, 1, 2, -EFAULT },
		{ 0xbfff, 2, 2, -EFAULT },
		{ 0x8000, U64_MAX, 2, -EFAULT },
		{ U64_MAX, 2, 2, -EFAULT },
		{ 0x8000, 0x4000, 0, -E2BIG },
	};
	struct fixed_table fixed = {};
	struct iovec iov[4];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_table_fill(&fixed.table, split,
						       ARRAY_SIZE(split)));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int n = ranchu_mem_table_iov(&fixed.table, rows[i].gpa, rows[i].len,
					     iov, rows[i].max);

		KUNIT_EXPECT_EQ_MSG(test, rows[i].expect, n, "row %u", i);
		if (n <= 0 || n != rows[i].expect)
			continue;
		KUNIT_EXPECT_EQ(test, rows[i].first_uaddr,
				(u64)(uintptr_t)iov[0].iov_base);
		KUNIT_EXPECT_EQ(test, rows[i].last_uaddr,
				(u64)(uintptr_t)iov[n - 1].iov_base);
		KUNIT_EXPECT_EQ(test, rows[i].last_len, (u64)iov[n - 1].iov_len);
	}
}

/* A region that ends with the last byte there is must not wrap to the first. */
static void iov_top_case(struct kunit *test)
{
	static const struct vhost_memory_region ends[] = {
		{ .guest_phys_addr = 0, .memory_size = 0x1000, .userspace_addr = 0x10000 },
		{ .guest_phys_addr = -0x1000ULL, .memory_size = 0x1000, .userspace_addr = 0x20000 },
	};
	struct fixed_table fixed = {};
	struct iovec iov[4];

	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_table_fill(&fixed.table, ends,
						       ARRAY_SIZE(ends)));
	KUNIT_EXPECT_EQ(test, 1, ranchu_mem_table_iov(&fixed.table, -0x1000ULL,
						      0x1000, iov, 4));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			ranchu_mem_table_iov(&fixed.table, -0x1000ULL, 0x1001, iov, 4));
}

/* Every byte of a small address space against the obvious, slow answer. */
static void find_model_case(struct kunit *test)
{
	static const struct vhost_memory_region in[] = {
		{ .guest_phys_addr = 0, .memory_size = 3, .userspace_addr = 1000 },
		{ .guest_phys_addr = 250, .memory_size = 6, .userspace_addr = 2000 },
		{ .guest_phys_addr = 40, .memory_size = 1, .userspace_addr = 3000 },
		{ .guest_phys_addr = 41, .memory_size = 100, .userspace_addr = 4000 },
		{ .guest_phys_addr = 200, .memory_size = 49, .userspace_addr = 5000 },
	};
	struct fixed_table fixed = {};
	u64 gpa;

	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_table_fill(&fixed.table, in,
						       ARRAY_SIZE(in)));
	for (gpa = 0; gpa < 300; gpa++) {
		const struct ranchu_mem_region *region =
			ranchu_mem_table_find(&fixed.table, gpa);
		u64 expect = 0;
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(in); i++)
			if (gpa >= in[i].guest_phys_addr &&
			    gpa < in[i].guest_phys_addr + in[i].memory_size)
				expect = in[i].userspace_addr;
		KUNIT_EXPECT_EQ(test, expect, region ? region->uaddr : 0);
	}
}

static struct kunit_case ranchu_mem_cases[] = {
	KUNIT_CASE(fill_case),
	KUNIT_CASE(find_case),
	KUNIT_CASE(iov_case),
	KUNIT_CASE(iov_top_case),
	KUNIT_CASE(find_model_case),
	{}
};

static struct kunit_suite ranchu_mem_suite = {
	.name = "ranchu_mem",
	.test_cases = ranchu_mem_cases,
};

kunit_test_suite(ranchu_mem_suite);
