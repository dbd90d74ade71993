// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the one suite that it is linked with and prints KTAP.
 */
#include <kunit/test.h>

static bool run_case(const struct kunit_case *one)
{
	struct kunit test = {};

	if (!setjmp(test.end))
		one->run(&test);
	while (test.memories)
		free(test.memory[--test.memories]);
	return !test.failed;
}

int main(void)
{
	const struct kunit_case *cases = shim_suite->test_cases;
	unsigned int n, i, failed = 0;

	/* What was printed must not be lost when a case aborts. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (n = 0; cases[n].run; n++)
		;
	printf("KTAP version 1\n# %s\n1..%u\n", shim_suite->name, n);
	for (i = 0; i < n; i++) {
		bool ok = run_case(&cases[i]);

		printf("%s %u %s.%s\n", ok ? "ok" : "not ok", i + 1,
		       shim_suite->name, cases[i].name);
		failed += !ok;
	}
	return failed ? 1 : 0;
}
