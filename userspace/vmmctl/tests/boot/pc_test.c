// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data in the RAM of a guest of the x86_64 board besides its kernel: a command line of at most the
 * length that the kernel accepts, and random bytes that are new at each boot.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "boot/pc.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define LINE_MAX	100	/* bytes of a command line that the kernel accepts */
#define CODE_SIZE	4096
#define STORE		" ramoops.mem_address=0xff018000 ramoops.mem_size=0x10000"

static char line[VMM_PC_COMMAND_LINE_MAX + 1];
static struct vmm_config cfg = { .cpus = 1, .random_seed = true };
static struct vmm_vm vm = { .cfg = &cfg };
static unsigned int drawn;	/* random numbers that were asked for */
static ssize_t draws;		/* result of getrandom(), if not the requested number */

/* Replaces the C library's function; the bytes show in which call they were made. */
ssize_t getrandom(void *to, size_t size, unsigned int flags)
{
	(void)flags;
	memset(to, ++drawn, size);
	errno = EIO;
	return draws ? draws : (ssize_t)size;
}

static void put(u8 *to, unsigned int at, unsigned int len, u64 value)
{
	while (len--) {
		to[at++] = value;
		value >>= 8;
	}
}

static u64 get(u64 gpa, unsigned int len)
{
	const u8 *from = vmm_mem_ptr(&vm.mem, gpa, len);
	u64 value = 0;

	while (len--)
		value = value << 8 | from[len];
	return value;
}

static int kernel_make(unsigned int line_max)
{
	static u8 file[5 * 512 + CODE_SIZE];
	int fd = memfd_create("bzImage", 0);

	memset(file, 0, sizeof(file));
	put(file, 0x1f1, 1, 4);
	put(file, 0x1fe, 2, 0xaa55);
	put(file, 0x200, 2, 0x6aeb);
	memcpy(file + 0x202, "HdrS", 4);
	put(file, 0x206, 2, 0x020f);
	put(file, 0x211, 1, 1);
	put(file, 0x22c, 4, 0x7fffffff);
	put(file, 0x236, 2, 1);
	put(file, 0x238, 4, line_max);
	put(file, 0x258, 8, 0x1000000);
	put(file, 0x260, 4, 0x200000);
	tap_check(write(fd, file, sizeof(file)) == sizeof(file));
	return fd;
}

/* Loads a kernel that takes @line_max bytes with a command line of @len. */
static int load(unsigned int line_max, size_t len)
{
	struct vmm_boot boot = {
		.kernel = { .path = "bzImage", .fd = kernel_make(line_max) }, .initrd.fd = -1,
	};
	struct vmm_entry entry;
	int err;

	memset(line, 'a', len);
	line[len] = '\0';
	cfg.append = line;
	vmm_board_pc(&vm.board, &cfg);
	if (!vm.mem.regions)
		tap_equal(vmm_mem_add(&vm.mem, 0, 64 * MIB), 0);
	memset(vmm_mem_ptr(&vm.mem, 0, MIB), 0xee, MIB);
	err = vmm_pc_load(&vm, &boot, &entry);
	close(boot.kernel.fd);
	return err;
}

/* Checks that the whole line and its end are in RAM, and nothing after it. */
static void check_line(size_t len, const char *behind)
{
	const char *at = vmm_mem_ptr(&vm.mem, VMM_PC_COMMAND_LINE, VMM_PC_COMMAND_LINE_MAX);
	size_t whole = len + strlen(behind);

	tap_context("%zu bytes", whole);
	tap_equal(get(VMM_PC_PARAMS + 0x228, 4), VMM_PC_COMMAND_LINE);
	tap_equal(strnlen(at, VMM_PC_COMMAND_LINE_MAX), whole);
	tap_check(!memcmp(at, line, len) && !strcmp(at + len, behind));
	if (whole + 1 < VMM_PC_COMMAND_LINE_MAX)
		tap_equal((u8)at[whole + 1], 0xee);
	/* The memory after its area is not written. */
	tap_equal(get(VMM_PC_COMMAND_LINE + VMM_PC_COMMAND_LINE_MAX, 1), 0xee);
}

static void check_refused(unsigned int line_max, size_t len, const char *limit)
{
	char text[256];

	tap_context("%zu bytes, and the kernel takes %u", len, line_max);
	tap_listen();
	tap_equal(load(line_max, len), -E2BIG);
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "--append has ") && strstr(text, limit));
	tap_equal(get(VMM_PC_COMMAND_LINE, 1), 0xee);
}

static void the_longest_line_fits(void)
{
	cfg.pstore = NULL;
	tap_equal(load(LINE_MAX, 0), 0);
	check_line(0, "");
	tap_equal(load(LINE_MAX, LINE_MAX), 0);
	check_line(LINE_MAX, "");
	check_refused(LINE_MAX, LINE_MAX + 1, "has 101 bytes, and this kernel accepts 100");
	/* A kernel that takes more than there is room for. */
	tap_equal(load(~0U, VMM_PC_COMMAND_LINE_MAX - 1), 0);
	check_line(VMM_PC_COMMAND_LINE_MAX - 1, "");
	check_refused(~0U, VMM_PC_COMMAND_LINE_MAX, "accepts 65535");
}

static void the_stores_words_count(void)
{
	size_t room = LINE_MAX - strlen(STORE);
	char limit[64];

	cfg.pstore = "ram";
	tap_equal(load(LINE_MAX, room), 0);
	check_line(room, STORE);
	snprintf(limit, sizeof(limit), "has %zu bytes, and this kernel accepts %zu", room + 1,
		 room);
	check_refused(LINE_MAX, room + 1, limit);
	/* Even the store's words do not fit. */
	check_refused(10, 0, "accepts 0 beside --pstore");
	cfg.pstore = NULL;
}

static void seeds_are_new_at_each_boot(void)
{
	unsigned int before = drawn;

	tap_equal(load(LINE_MAX, 1), 0);
	tap_equal(get(VMM_PC_PARAMS + 0x250, 8), VMM_PC_SEED);
	tap_equal(get(VMM_PC_SEED, 8), 0);
	tap_equal(get(VMM_PC_SEED + 8, 4), 9);
	tap_equal(get(VMM_PC_SEED + 12, 4), 32);
	tap_equal(get(VMM_PC_SEED + 16, 1), (u8)(before + 1));
	tap_equal(get(VMM_PC_SEED + 47, 1), (u8)(before + 1));
	tap_equal(get(VMM_PC_SEED + 48, 1), 0xee);
	tap_equal(load(LINE_MAX, 1), 0);
	tap_equal(get(VMM_PC_SEED + 16, 1), (u8)(before + 2));
	cfg.random_seed = false;
	tap_equal(load(LINE_MAX, 1), 0);
	cfg.random_seed = true;
	tap_equal(get(VMM_PC_PARAMS + 0x250, 8), 0);
	tap_equal(get(VMM_PC_SEED, 1), 0xee);
	tap_equal(drawn, before + 2);
}

static void no_seed_is_told_without_random_numbers(void)
{
	char text[256];

	draws = -1;
	tap_listen();
	tap_equal(load(LINE_MAX, 1), -EIO);
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "no random numbers for the guest"));
	draws = 31;
	tap_listen();
	tap_check(load(LINE_MAX, 1) < 0);
	tap_heard(text, sizeof(text));
	draws = 0;
}

static const struct tap_case cases[] = {
	{ "the longest command line fits, and not a byte more", the_longest_line_fits },
	{ "what the persistent store adds to the line is counted", the_stores_words_count },
	{ "random bytes are new at each boot", seeds_are_new_at_each_boot },
	{ "a host without random numbers is said", no_seed_is_told_without_random_numbers },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
