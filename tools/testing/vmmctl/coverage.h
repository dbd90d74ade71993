/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the linker calls in place of functions (__wrap), what it calls theirs (__real), with
 * --wrap; and what the compiler's library writes counts by.
 */
#ifndef COVERAGE_H
#define COVERAGE_H

struct vmm_sandbox;
struct vmm_helper_sandbox;

void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);
/* Programs without vmmctl's sandbox have none. */
int __attribute__((weak)) __real_vmm_sandbox_enter(const struct vmm_sandbox *sandbox);
int __wrap_vmm_sandbox_enter(const struct vmm_sandbox *sandbox);
int __wrap_vmm_helper_sandbox(const struct vmm_helper_sandbox *sandbox);

#endif /* COVERAGE_H */
