// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked into programs that count which of their lines run (tools/ci/coverage-userspace.sh),
 * with the linker's --wrap for each function here. Counts are written to files at exit();
 * these are the ends and the places where that would not be.
 */
#include <stdlib.h>

#include "coverage.h"

/* In the sandbox no file can be made. */
static int confined;

_Noreturn void __wrap__exit(int code)
{
	if (!confined)
		__gcov_dump();
	__real__exit(code);
}

int __wrap_vmm_sandbox_enter(const struct vmm_sandbox *sandbox)
{
	__gcov_dump();
	confined = 1;
	return __real_vmm_sandbox_enter(sandbox);
}

/* Helper programs stay outside, so that what they do there is counted. */
int __wrap_vmm_helper_sandbox(const struct vmm_helper_sandbox *sandbox)
{
	(void)sandbox;
	return 0;
}
