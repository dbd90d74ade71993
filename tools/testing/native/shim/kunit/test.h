/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as our suites use, for userspace: a failed expectation
 * prints a diagnostic line and fails the case, a failed assertion ends it.
 */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include "../kernel.h"
#include <setjmp.h>
#include <stdio.h>

#define GFP_KERNEL 0

/* One case that runs: whether it failed, where an assertion jumps, memory. */
struct kunit {
	bool failed;
	jmp_buf end;
	void *memory[8];
	unsigned int memories;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	const struct kunit_case *test_cases;
};

extern const struct kunit_suite *const shim_suite;

#define KUNIT_CASE(fn) { fn, #fn }
#define kunit_test_suite(suite) \
	const struct kunit_suite *const shim_suite = &(suite)

/* Freed when the case has ended. */
static inline void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, int gfp)
{
	void *p = calloc(n, size);

	(void)gfp;
	if (test->memories == ARRAY_SIZE(test->memory))
		abort();
	test->memory[test->memories++] = p;
	return p;
}

#define shim_fail(test, ...) do {					\
	(test)->failed = true;						\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	printf("\n");							\
} while (0)

#define KUNIT_EXPECT_EQ_MSG(test, a, b, ...) do {			\
	__auto_type shim_a = (a);					\
	__auto_type shim_b = (b);					\
									\
	if (shim_a != shim_b) {						\
		shim_fail(test, "%s is %lld, not %s, which is %lld", #b,	\
			  (long long)shim_b, #a, (long long)shim_a);	\
		shim_fail(test, __VA_ARGS__);				\
	}								\
} while (0)

#define KUNIT_EXPECT_EQ(test, a, b) KUNIT_EXPECT_EQ_MSG(test, a, b, "%s", "")
#define KUNIT_EXPECT_TRUE(test, c) KUNIT_EXPECT_EQ(test, true, (bool)(c))
#define KUNIT_EXPECT_FALSE(test, c) KUNIT_EXPECT_EQ(test, false, (bool)(c))
#define KUNIT_EXPECT_PTR_EQ(test, a, b) \
	KUNIT_EXPECT_EQ(test, (intptr_t)(a), (intptr_t)(b))
#define KUNIT_EXPECT_NULL(test, p) KUNIT_EXPECT_PTR_EQ(test, NULL, p)
#define KUNIT_EXPECT_STREQ(test, a, b) do {				\
	if (strcmp(a, b))						\
		shim_fail(test, "'%s' is not '%s'", b, a);		\
} while (0)

#define shim_assert(test) do {						\
	if ((test)->failed)						\
		longjmp((test)->end, 1);				\
} while (0)

#define KUNIT_ASSERT_EQ(test, a, b) do {				\
	KUNIT_EXPECT_EQ(test, a, b);					\
	shim_assert(test);						\
} while (0)

#define KUNIT_ASSERT_NOT_NULL(test, p) do {				\
	KUNIT_EXPECT_TRUE(test, (p) != NULL);				\
	shim_assert(test);						\
} while (0)

#endif /* SHIM_KUNIT_TEST_H */
