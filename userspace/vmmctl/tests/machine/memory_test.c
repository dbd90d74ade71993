// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest addresses become pointers only if every byte is RAM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
	struct vmm_mem mem = { 0 };
	unsigned int i;

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0))
		return;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		void *p = vmm_mem_ptr(&mem, ranges[i].gpa, ranges[i].len);
		void *want = (u8 *)mem.region[0].hva + (ranges[i].gpa - BASE);

		tap_context("0x%llx, 0x%llx bytes", ranges[i].gpa, ranges[i].len);
		tap_check(ranges[i].ok ? p == want : !p);
	}
	vmm_mem_destroy(&mem);
}

static void ram_is_zero_and_shared(void)
{
	struct vmm_mem mem = { 0 };
	u8 byte = 0;
	u8 *p;

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0))
		return;
	p = vmm_mem_ptr(&mem, BASE + SIZE - 1, 1);
	tap_equal(*p, 0);
	*p = 0xa5;
	tap_equal(pread(mem.region[0].fd, &byte, 1, SIZE - 1), 1);
	tap_equal(byte, 0xa5);
	vmm_mem_destroy(&mem);
	tap_check(!mem.regions);
	/* Twice does no harm. */
	vmm_mem_destroy(&mem);
}

static void too_much_fails(void)
{
	struct vmm_mem mem = { 0 };

	tap_check(vmm_mem_add(&mem, BASE, 1ULL << 62) < 0);
	tap_check(!mem.regions);
	vmm_mem_destroy(&mem);
}

/* Whoever is given the file can write to it, but neither shorten nor lengthen it. */
static void nobody_resizes_ram(void)
{
	struct vmm_mem mem = { 0 };
	u8 *p;
	int fd;

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0))
		return;
	fd = mem.region[0].fd;
	p = vmm_mem_ptr(&mem, BASE + SIZE - 1, 1);
	*p = 0xa5;
	tap_check(ftruncate(fd, 0) && errno == EPERM);
	tap_check(ftruncate(fd, SIZE + VMM_PAGE_SIZE) && errno == EPERM);
	tap_check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM);
	tap_equal(*p, 0xa5);
	/* A reset takes the contents and leaves file and mapping. */
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_equal(*p, 0);
	tap_equal(mem.region[0].fd, fd);
	vmm_mem_destroy(&mem);
}

static void regions_are_apart(void)
{
	struct vmm_mem mem = { 0 };
	u64 high = 4 * GIB;

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0) ||
	    !tap_equal(vmm_mem_add(&mem, high, SIZE), 0))
		return;
	tap_check(vmm_mem_find(&mem, BASE + SIZE - 1, 1) == &mem.region[0]);
	tap_check(vmm_mem_find(&mem, high, SIZE) == &mem.region[1]);
	tap_check(!vmm_mem_find(&mem, BASE + SIZE, 1));
	tap_check(!vmm_mem_find(&mem, BASE, high - BASE + 1));
	tap_check(!vmm_mem_ptr(&mem, high - 1, 2));
	tap_check(vmm_mem_ptr(&mem, high + 5, 1) == (u8 *)mem.region[1].hva + 5);
	vmm_mem_destroy(&mem);
}

/* The flags of a mapping, as the kernel lists them. */
static void core_files_lack_it(void)
{
	struct vmm_mem mem = { 0 };
	bool left_out = false;
	bool found = false;
	char line[512];
	char start[32];
	FILE *in;

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0))
		return;
	in = fopen("/proc/self/smaps", "r");
	snprintf(start, sizeof(start), "%lx-", (unsigned long)mem.region[0].hva);
	while (in && fgets(line, sizeof(line), in)) {
		found |= !strncmp(line, start, strlen(start));
		if (found && !strncmp(line, "VmFlags:", 8)) {
			left_out = strstr(line, " dd");
			break;
		}
	}
	tap_check(left_out);
	if (in)
		fclose(in);
	vmm_mem_destroy(&mem);
}

/* The board puts devices 4 KiB apart. */
static void windows_need_pages_of_4k(void)
{
	tap_check(vmm_window_fits(4096));
	tap_check(!vmm_window_fits(16384));
	tap_check(!vmm_window_fits(65536));
}

/* A file that knows none of KVM's ioctls stands for a KVM that lacks something. */
static void no_window_without_readonly_memory(void)
{
	struct vmm_probe probe = { .readonly = true, .fwb = 1, .reads = 1 };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	tap_equal(vmm_probe_run(fd, &probe), 0);
	tap_check(!probe.readonly);
	tap_check(!vmm_probe_coherent(&probe));
	close(fd);
}

static const struct tap_case cases[] = {
	{ "guest RAM is in no core file", core_files_lack_it },
	{ "register windows need pages of 4 KiB", windows_need_pages_of_4k },
	{ "without read-only memory there is no window", no_window_without_readonly_memory },
	{ "nobody resizes RAM, and a reset keeps its file", nobody_resizes_ram },
	{ "regions are apart", regions_are_apart },
	{ "pointers are bounded", pointers_are_bounded },
	{ "RAM starts zeroed and is the memfd's", ram_is_zero_and_shared },
	{ "more than there can be is refused", too_much_fails },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
