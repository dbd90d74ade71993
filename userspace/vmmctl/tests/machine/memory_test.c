// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest addresses become pointers only if every byte is RAM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

/* A process with the file can write to it, but not resize it. */
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

static char said[512];

static void hear(void *arg, const char *line, size_t len)
{
	(void)arg;
	snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

static void huge_pages_have_to_fit(void)
{
	struct vmm_mem mem = { .huge_pages = VMM_HUGE_2M };

	vmm_log_also(hear, NULL);
	tap_equal(vmm_mem_add(&mem, BASE, 3 * MIB), -EINVAL);
	tap_check(strstr(said, "--huge-pages: 3 MiB of RAM are no multiple of 2 MiB"));
	mem.huge_pages = VMM_HUGE_1G;
	tap_equal(vmm_mem_add(&mem, BASE, 512 * MIB), -EINVAL);
	vmm_log_also(NULL, NULL);
	tap_check(!mem.regions);
}

static void ordinary_pages_are_a_choice(void)
{
	struct vmm_mem mem = { .huge_pages = VMM_HUGE_OFF };

	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0))
		return;
	tap_equal(vmm_mem_clear(&mem), 0);
	vmm_mem_destroy(&mem);
}

static void mends_are_commands(void)
{
	struct vmm_huge_pool pool = { .page = 2 * MIB, .total = 10, .free = 3 };
	char command[VMM_HUGE_COMMAND];

	vmm_huge_command(&pool, 8, command, sizeof(command));
	tap_check(!strncmp(command, "echo 15 | sudo tee /", 20));
	tap_check(!strcmp(command + 19, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"));
	vmm_huge_command(&pool, 2, command, sizeof(command));
	tap_check(!strncmp(command, "echo 10 |", 9));
}

/* Ranges of a balloon, and the host's pages that they cover completely. */
static const struct {
	u64 page;
	u64 offset;
	u64 len;
	u64 first;
	u64 whole;
} drops[] = {
	{ 4096, 0, 4096, 0, 4096 },
	{ 4096, 8192, 12288, 8192, 12288 },
	{ 16384, 0, 4096, 0, 0 },
	{ 16384, 0, 16384, 0, 16384 },
	{ 16384, 4096, 16384, 0, 0 },
	{ 16384, 4096, 28672, 16384, 16384 },
	{ 65536, 0, 61440, 0, 0 },
	{ 65536, 4096, 65536, 0, 0 },
	{ 65536, 61440, 3 * 65536, 65536, 2 * 65536 },
	{ 65536, 65536, 65536, 65536, 65536 },
};

static void only_whole_pages_are_given_back(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drops); i++) {
		u64 offset = drops[i].offset;
		u64 len = drops[i].len;
		bool any = vmm_mem_whole_pages(drops[i].page, &offset, &len);

		tap_context("pages of %llu, 0x%llx at 0x%llx", drops[i].page, drops[i].len,
			    drops[i].offset);
		tap_equal(any, drops[i].whole != 0);
		if (any) {
			tap_equal(offset, drops[i].first);
			tap_equal(len, drops[i].whole);
		}
	}
}

/* The rest of a host's page stays, if RAM was a file. */
static void pages_beside_are_kept(void)
{
	u64 host = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct vmm_mem mem = { 0 };
	u8 *p;

	if (!tap_equal(ftruncate(fd, 4 * host), 0) ||
	    !tap_equal(vmm_mem_add_file(&mem, BASE, 4 * host, fd, 0), 0))
		return;
	p = mem.region[0].hva;
	memset(p, 0xa5, 4 * host);
	/* Less than a page, and then a page with less on either side. */
	vmm_mem_drop(&mem.region[0], BASE, host / 2);
	tap_equal(p[0], 0xa5);
	tap_equal(p[host - 1], 0xa5);
	vmm_mem_drop(&mem.region[0], BASE + host + host / 2, 2 * host);
	tap_equal(p[host + host / 2], 0xa5);
	tap_equal(p[2 * host - 1], 0xa5);
	tap_equal(p[2 * host], 0);
	tap_equal(p[3 * host - 1], 0);
	tap_equal(p[3 * host], 0xa5);
	vmm_mem_destroy(&mem);
	close(fd);
}

/* RAM that was a snapshot's file is a memfd after a reset, as that of a VM that was booted. */
static void a_reset_makes_a_memfd(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct vmm_mem mem = { 0 };
	u8 *p;

	if (!tap_equal(ftruncate(fd, SIZE), 0) ||
	    !tap_equal(pwrite(fd, "x", 1, 5), 1) ||
	    !tap_equal(vmm_mem_add_file(&mem, BASE, SIZE, fd, 0), 0))
		return;
	p = mem.region[0].hva;
	tap_check(p[5] == 'x' && mem.region[0].fd < 0);
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_check(mem.region[0].hva == p && mem.region[0].fd >= 0 && mem.region[0].fd != fd);
	tap_equal(p[5], 0);
	p[5] = 0xa5;
	tap_equal(pwrite(mem.region[0].fd, "yz", 2, 6), 2);
	tap_check(p[5] == 0xa5 && p[6] == 'y' && p[7] == 'z');
	tap_check(ftruncate(mem.region[0].fd, 0) && errno == EPERM);
	/* And again. */
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_check(mem.region[0].hva == p && !p[5] && !p[6]);
	vmm_mem_destroy(&mem);
	close(fd);
}

/* A process that may have no more files has private RAM after a reset, and goes on. */
static void a_reset_without_a_memfd(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct rlimit had, limit;
	struct vmm_mem mem = { 0 };
	u8 *p;

	if (!tap_equal(ftruncate(fd, SIZE), 0) || !tap_equal(getrlimit(RLIMIT_NOFILE, &had), 0))
		return;
	limit = (struct rlimit){ fd + 1, had.rlim_max };
	tap_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	tap_equal(vmm_mem_add_file(&mem, BASE, SIZE, fd, 0), 0);
	tap_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
	p = mem.region[0].hva;
	p[5] = 0xa5;
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_check(mem.region[0].hva == p && mem.region[0].fd < 0 && !p[5]);
	p[5] = 0xa5;
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_equal(p[5], 0);
	vmm_mem_destroy(&mem);
	close(fd);
}

/* The file may have more than RAM, and somebody may cut it short. */
static void a_file_that_is_cut_short_is_noticed(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct vmm_mem mem = { 0 };

	if (!tap_equal(ftruncate(fd, 2 * MIB + VMM_PAGE_SIZE), 0) ||
	    !tap_equal(vmm_mem_add_file(&mem, BASE, MIB, fd, 0), 0) ||
	    !tap_equal(vmm_mem_add_file(&mem, BASE + SIZE, MIB, fd, MIB), 0))
		return;
	tap_check(vmm_mem_fits_file(&mem, fd));
	tap_equal(ftruncate(fd, 2 * MIB), 0);
	tap_check(vmm_mem_fits_file(&mem, fd));
	tap_equal(ftruncate(fd, 2 * MIB - 1), 0);
	tap_check(!vmm_mem_fits_file(&mem, fd));
	tap_equal(ftruncate(fd, 0), 0);
	tap_check(!vmm_mem_fits_file(&mem, fd));
	vmm_mem_destroy(&mem);
	close(fd);
	/* What cannot be asked says nothing. */
	tap_check(vmm_mem_fits_file(&mem, -1));
}

#define HUGE_PAGES	4

/* Sets the pool to the test's size, if this host allows it. */
static bool pool_set(u64 pages)
{
	FILE *out = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "we");
	struct vmm_huge_pool pool;
	bool ok = false;

	if (out) {
		ok = fprintf(out, "%llu", (unsigned long long)pages) > 0;
		ok = !fclose(out) && ok;
	}
	vmm_huge_pool_read(VMM_HUGE_2M, &pool);
	return ok && pool.page && pool.total >= pages;
}

/* Who knows RAM by its addresses sees the file, which nobody writes to. */
static void ram_is_loaded_from_a_file(void)
{
	struct vmm_mem mem = { 0 };
	int fd = memfd_create("file", MFD_CLOEXEC);
	u8 byte = 0;
	u8 *p, *q;
	unsigned int i;

	tap_equal(ftruncate(fd, 2 * SIZE), 0);
	tap_equal(pwrite(fd, "a", 1, SIZE - 1), 1);
	tap_equal(pwrite(fd, "b", 1, SIZE), 1);
	if (!tap_equal(vmm_mem_add(&mem, BASE, SIZE), 0) ||
	    !tap_equal(vmm_mem_add(&mem, BASE + 2 * SIZE, SIZE), 0))
		return;
	p = vmm_mem_ptr(&mem, BASE + SIZE - 1, 1);
	q = vmm_mem_ptr(&mem, BASE + 2 * SIZE, 1);
	for (i = 0; i < 2; i++) {
		*p = 0xa5;
		*q = 0xa5;
		tap_equal(vmm_mem_load(&mem, fd), 0);
		tap_check(mem.cleared && mem.region[0].fd == -1 && mem.region[1].fd == -1);
		tap_equal(*p, 'a');
		tap_equal(*q, 'b');
		tap_check(vmm_mem_ptr(&mem, BASE + SIZE - 1, 1) == p);
	}
	*p = 0x5a;
	tap_equal(pread(fd, &byte, 1, SIZE - 1), 1);
	tap_equal(byte, 'a');
	/* A reset takes that as well. */
	tap_equal(vmm_mem_clear(&mem), 0);
	tap_equal(*p, 0);
	tap_equal(*q, 0);
	vmm_mem_destroy(&mem);
	close(fd);
}

/* RAM of the pool's pages: sealed, zero, cleared, and never more than there is. */
static void huge_ram(u64 had)
{
	struct vmm_mem mem = { .huge_pages = VMM_HUGE_2M };
	struct vmm_mem more = { .huge_pages = VMM_HUGE_2M };
	struct vmm_huge_pool pool;
	u64 all, free;
	u8 *p;

	vmm_huge_pool_read(VMM_HUGE_2M, &pool);
	free = pool.free;
	all = pool.free * 2 * MIB;
	vmm_log_also(hear, NULL);
	tap_equal(vmm_mem_add(&mem, BASE, all + 2 * MIB), -ENOMEM);
	tap_check(strstr(said, "pages of 2 MiB are needed, and ") && strstr(said, "try: echo "));
	if (!tap_equal(vmm_mem_add(&mem, BASE, all), 0))
		return;
	/* All are reserved, though none was touched. */
	vmm_huge_pool_read(VMM_HUGE_2M, &pool);
	tap_equal(pool.free, 0);
	tap_equal(vmm_mem_add(&more, BASE, 2 * MIB), -ENOMEM);
	vmm_log_also(NULL, NULL);
	p = vmm_mem_ptr(&mem, BASE + all - 1, 1);
	tap_equal(*p, 0);
	*p = 0xa5;
	tap_check(ftruncate(mem.region[0].fd, 0) && errno == EPERM);
	tap_check(fcntl(mem.region[0].fd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM);
	/* A reset gives the pages back, and reserves them again. */
	tap_equal(vmm_mem_clear(&mem), 0);
	vmm_huge_pool_read(VMM_HUGE_2M, &pool);
	tap_equal(pool.free, 0);
	tap_equal(*p, 0);
	vmm_mem_destroy(&mem);
	vmm_huge_pool_read(VMM_HUGE_2M, &pool);
	tap_equal(pool.free, free);
	tap_check(had <= pool.total);
}

static void huge_pages_are_reserved(void)
{
	struct vmm_huge_pool before;

	vmm_huge_pool_read(VMM_HUGE_2M, &before);
	if (!pool_set(before.total + HUGE_PAGES)) {
		pool_set(before.total);
		tap_skip("this host has no pool of huge pages that a test may change");
		return;
	}
	huge_ram(before.total);
	pool_set(before.total);
}

/* The board puts devices 4 KiB apart. */
static void windows_need_pages_of_4k(void)
{
	tap_check(vmm_window_fits(4096));
	tap_check(!vmm_window_fits(16384));
	tap_check(!vmm_window_fits(65536));
}

/* A file that knows none of KVM's ioctls acts as a KVM without features. */
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
	{ "a reset makes a memfd of a snapshot's file", a_reset_makes_a_memfd },
	{ "a reset without a memfd", a_reset_without_a_memfd },
	{ "regions are apart", regions_are_apart },
	{ "pointers are bounded", pointers_are_bounded },
	{ "RAM starts zeroed and is the memfd's", ram_is_zero_and_shared },
	{ "more than there can be is refused", too_much_fails },
	{ "huge pages have to fit", huge_pages_have_to_fit },
	{ "RAM is loaded from a file, at its addresses", ram_is_loaded_from_a_file },
	{ "a file that is cut short is noticed", a_file_that_is_cut_short_is_noticed },
	{ "huge pages are reserved, sealed and cleared", huge_pages_are_reserved },
	{ "ordinary pages are a choice", ordinary_pages_are_a_choice },
	{ "what makes a pool larger is a command", mends_are_commands },
	{ "only whole pages of the host's are given back", only_whole_pages_are_given_back },
	{ "what is beside a page that is given back stays", pages_beside_are_kept },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
