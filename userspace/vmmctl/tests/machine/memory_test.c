// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest addresses become pointers only if every byte is RAM.
 */
#include <errno.h>
#include <unistd.h>

#include "machine/machine.h"
#include "tests/tap.h"

#define BASE	0x40000000ULL
#define SIZE	(64 * MIB)

/* Address, length, whether it is RAM. */
static const struct {
	u64 gpa;
	u64 len;
	bool ok;
} ranges[] = {
	{ BASE, 1, true },
	{ BASE, 0, true },
	{ BASE, SIZE, true },
	{ BASE + SIZE - 1, 1, true },
	{ BASE + SIZE, 0, true },
	{ BASE + SIZE, 1, false },
	{ BASE + SIZE - 1, 2, false },
	{ BASE, SIZE + 1, false },
	{ BASE, ~0ULL, false },
	{ BASE + 1, ~0ULL, false },
	{ BASE - 1, 1, false },
	{ BASE - 1, 2, false },
	{ BASE - 1, ~0ULL, false },
	{ 0, 1, false },
	{ 0, ~0ULL, false },
	{ ~0ULL, 1, false },
	{ ~0ULL, 2, false },
	{ ~0ULL - SIZE, ~0ULL, false },
};

static void pointers_are_bounded(void)
{
	struct vmm_mem mem;
	unsigned int i;

	if (!tap_equal(vmm_mem_create(&mem, SIZE), 0))
		return;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		void *p = vmm_mem_ptr(&mem, ranges[i].gpa, ranges[i].len);
		void *want = (u8 *)mem.hva + (ranges[i].gpa - BASE);

		tap_context("0x%llx, 0x%llx bytes", ranges[i].gpa, ranges[i].len);
		tap_check(ranges[i].ok ? p == want : !p);
	}
	vmm_mem_destroy(&mem);
}

static void ram_is_zero_and_shared(void)
{
	struct vmm_mem mem;
	u8 byte = 0;
	u8 *p;

	if (!tap_equal(vmm_mem_create(&mem, SIZE), 0))
		return;
	p = vmm_mem_ptr(&mem, BASE + SIZE - 1, 1);
	tap_equal(*p, 0);
	*p = 0xa5;
	tap_equal(pread(mem.fd, &byte, 1, SIZE - 1), 1);
	tap_equal(byte, 0xa5);
	vmm_mem_destroy(&mem);
	tap_check(!mem.hva);
	/* Twice does no harm. */
	vmm_mem_destroy(&mem);
}

static void too_much_fails(void)
{
	struct vmm_mem mem;

	tap_check(vmm_mem_create(&mem, 1ULL << 62) < 0);
	tap_check(!mem.hva);
	vmm_mem_destroy(&mem);
}

static const struct tap_case cases[] = {
	{ "pointers are bounded", pointers_are_bounded },
	{ "RAM starts zeroed and is the memfd's", ram_is_zero_and_shared },
	{ "more than there can be is refused", too_much_fails },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
