// SPDX-License-Identifier: GPL-2.0-only
/*
 * Valid and invalid bzImage headers, boot parameters, and addresses in RAM. Offsets are written out
 * from the boot protocol.
 */
#include <errno.h>
#include <string.h>

#include "boot/pc.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define FILE_SIZE	(12 * MIB)

static u8 head[VMM_BZIMAGE_HEAD];

static void put(u8 *to, unsigned int at, unsigned int len, u64 value)
{
	while (len--) {
		to[at++] = value;
		value >>= 8;
	}
}

static u64 get(const u8 *from, unsigned int at, unsigned int len)
{
	u64 value = 0;

	while (len--)
		value = value << 8 | from[at + len];
	return value;
}

/* The header of Debian's 6.12 for amd64, with junk in fields that a boot loader must ignore. */
static void head_make(void)
{
	memset(head, 0xa5, sizeof(head));
	memset(head + 0x1f1, 0, 0x77);
	put(head, 0x1f1, 1, 0x27);
	put(head, 0x1fe, 2, 0xaa55);
	put(head, 0x200, 2, 0x6aeb);
	memcpy(head + 0x202, "HdrS", 4);
	put(head, 0x206, 2, 0x020f);
	put(head, 0x211, 1, 1);
	put(head, 0x22c, 4, 0x7fffffff);
	put(head, 0x230, 4, 0x200000);
	put(head, 0x234, 1, 1);
	put(head, 0x236, 2, 0x7f);
	put(head, 0x238, 4, 0x7ff);
	put(head, 0x258, 8, 0x1000000);
	put(head, 0x260, 4, 0x37ee000);
}

static int inspect(struct vmm_bzimage *image)
{
	return vmm_bzimage_header(head, sizeof(head), FILE_SIZE, image);
}

static void a_header_is_read(void)
{
	struct vmm_bzimage image;

	head_make();
	tap_check(vmm_bzimage_is(head, sizeof(head)));
	tap_equal(inspect(&image), 0);
	tap_equal(image.code, 0x28 * 512);
	tap_equal(image.code_size, FILE_SIZE - 0x28 * 512);
	tap_equal(image.kernel, 0x1000000);
	tap_equal(image.size, 0x37ee000);
	tap_equal(image.initrd_last, 0x7fffffff);
	tap_equal(image.command_line_max, 0x7ff);
	tap_equal(image.setup, 0x26c - 0x1f1);
	/* 0 sectors mean 4: a rule of old Linux. */
	put(head, 0x1f1, 1, 0);
	tap_equal(inspect(&image), 0);
	tap_equal(image.code, 5 * 512);
}

/* Where, how long, what: each makes a good header a bad one. */
static const struct {
	unsigned int at;
	unsigned int len;
	u64 value;
	const char *why;
} lies[] = {
	{ 0x1fe, 2, 0xaa54, "no boot sector" },
	{ 0x202, 4, 0x53726448 + 1, "no magic" },
	{ 0x206, 2, 0x020b, "too old" },
	{ 0x206, 2, 0, "of no version" },
	{ 0x201, 1, 0x10, "the header ends before its fields" },
	{ 0x201, 1, 0xff, "the header runs into the memory map" },
	{ 0x211, 1, 0, "a zImage" },
	{ 0x236, 2, 0x7e, "32 bits" },
	{ 0x22c, 4, 0, "no place for an initrd" },
	{ 0x238, 4, 0, "no command line" },
	{ 0x258, 8, 0, "at 0" },
	{ 0x258, 8, 0x90000, "over the boot data" },
	{ 0x258, 8, 0x1000001, "not at a page" },
	{ 0x258, 8, ~0xfffULL, "at the end of all addresses" },
	{ 0x260, 4, 0x1000, "smaller than the file" },
};

static void lies_are_refused(void)
{
	struct vmm_bzimage image;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		head_make();
		tap_check(!inspect(&image));
		put(head, lies[i].at, lies[i].len, lies[i].value);
		tap_context("%s", lies[i].why);
		tap_equal(inspect(&image), -ENOEXEC);
	}
}

static void short_files_are_refused(void)
{
	struct vmm_bzimage image;
	size_t len;

	head_make();
	for (len = 0; len < 0x26c; len += 31) {
		tap_context("%zu bytes", len);
		tap_equal(vmm_bzimage_header(head, len, len, &image), -ENOEXEC);
	}
	tap_check(!vmm_bzimage_is(head, 0x205));
	/* A complete header, and nothing after the set-up code. */
	tap_context("no code");
	tap_equal(vmm_bzimage_header(head, sizeof(head), 0x28 * 512, &image), -ENOEXEC);
}

/* With any value of each byte, reading the header returns, without an access outside. */
static void any_header_is_survived(void)
{
	static const u8 values[] = { 0, 1, 0x7f, 0xff };
	struct vmm_bzimage image;
	unsigned int at, i;

	for (at = 0x1f1; at < 0x280; at++) {
		for (i = 0; i < sizeof(values); i++) {
			head_make();
			head[at] = values[i];
			if (inspect(&image))
				continue;
			tap_check(image.setup <= 0x2d0 - 0x1f1);
			tap_check(image.code + image.code_size == FILE_SIZE);
			tap_check(image.command_line_max < VMM_PC_COMMAND_LINE_MAX);
		}
	}
}

static void the_kernel_is_told(void)
{
	static u8 params[VMM_PAGE_SIZE];
	struct vmm_pc_layout layout = {
		.kernel = 0x1000000,
		.initrd = 0xfe00000,
		.initrd_size = 0x12345,
		.rsdp = 0xe0000,
		.seeded = true,
		.ranges = 2,
		.range = { { 0, 0x9f000, VMM_PC_RAM }, { 0x100000000, GIB, VMM_PC_RAM } },
	};
	struct vmm_bzimage image;
	unsigned int i;

	head_make();
	tap_equal(inspect(&image), 0);
	memset(params, 0x5a, sizeof(params));
	vmm_bzimage_params(head, &image, &layout, params);
	/* All other bytes are 0: the junk of the file is not copied. */
	for (i = 0; i < 0x1f1; i++) {
		tap_context("byte 0x%x", i);
		if (i != 0x1e8 && (i < 0x70 || i > 0x77))
			tap_equal(params[i], 0);
	}
	tap_context("fields");
	tap_equal(get(params, 0x070, 8), 0xe0000);
	tap_equal(get(params, 0x1e8, 1), 2);
	tap_equal(get(params, 0x1ef, 1), 0);
	tap_check(!memcmp(params + 0x202, "HdrS", 4));
	tap_equal(get(params, 0x210, 1), 0xff);
	tap_equal(get(params, 0x218, 4), 0xfe00000);
	tap_equal(get(params, 0x21c, 4), 0x12345);
	tap_equal(get(params, 0x228, 4), 0x20000);
	tap_equal(get(params, 0x250, 8), 0x10000);
	tap_equal(get(params, 0x258, 8), 0x1000000);
	tap_equal(get(params, 0x2d0, 8), 0);
	tap_equal(get(params, 0x2d8, 8), 0x9f000);
	tap_equal(get(params, 0x2e0, 4), 1);
	tap_equal(get(params, 0x2e4, 8), 0x100000000);
	tap_equal(get(params, 0x2ec, 8), GIB);
	tap_equal(get(params, 0x2f4, 4), 1);
	for (i = 0x2f8; i < sizeof(params); i++)
		tap_check(!params[i]);
	layout.seeded = false;
	layout.initrd_size = 0;
	vmm_bzimage_params(head, &image, &layout, params);
	tap_equal(get(params, 0x218, 8), 0);
	tap_equal(get(params, 0x250, 8), 0);
}

/* ---- addresses ---- */

/* RAM in MiB, and the guest's memory map: pairs of base and end in KiB. */
static const struct {
	u64 memory;
	unsigned int ranges;
	u64 low_end;
	u64 high_end;
} maps[] = {
	{ 64, 4, 64 * MIB, 0 },
	{ 128, 4, 128 * MIB, 0 },
	{ 3072, 4, 3 * GIB, 0 },
	{ 3073, 5, 3 * GIB, 4 * GIB + MIB },
	{ 8192, 5, 3 * GIB, 9 * GIB },
	{ 30720, 5, 3 * GIB, 31 * GIB },
};

static void maps_have_all_ram(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		u64 low = maps[i].memory < 3072 ? maps[i].memory * MIB : 3 * GIB;
		u64 high = maps[i].memory * MIB - low;
		struct vmm_mem mem = {
			.regions = high ? 2 : 1,
			.region = { { .size = low }, { .base = 4 * GIB, .size = high } },
		};
		struct vmm_pc_layout layout = { 0 };
		u64 ram = 0;

		vmm_pc_ranges(&mem, &layout);
		tap_context("%llu MiB", maps[i].memory);
		tap_equal(layout.ranges, maps[i].ranges);
		for (j = 0; j < layout.ranges; j++) {
			const struct vmm_pc_ram *r = &layout.range[j];

			tap_check(r->size && !(r->base % VMM_PAGE_SIZE) &&
				  !(r->size % VMM_PAGE_SIZE));
			/* In order, and apart. */
			if (j)
				tap_check(r->base >= r[-1].base + r[-1].size);
			if (r->type == VMM_PC_RAM)
				ram += r->size;
			else
				tap_equal(r->type, VMM_PC_RESERVED);
		}
		/* All RAM except the area of a PC below 1 MiB. */
		tap_equal(ram, maps[i].memory * MIB - 0x61000);
		tap_equal(layout.range[2].base + layout.range[2].size, maps[i].low_end);
		tap_equal(layout.range[3].base, 0xfeffc000);
		tap_equal(layout.range[3].size, 0x2c000);
		if (maps[i].high_end)
			tap_equal(layout.range[4].base + layout.range[4].size,
				  maps[i].high_end);
	}
}

static void initrds_are_high(void)
{
	struct vmm_pc_layout layout = {
		.kernel = 0x1000000, .kernel_size = 0x37ee000, .initrd_size = 0x12345,
	};

	tap_equal(vmm_pc_place(256 * MIB, 0x7fffffff, &layout), 0);
	tap_equal(layout.initrd, 0xffed000);
	/* Not above the highest address that the kernel supports. */
	tap_equal(vmm_pc_place(3 * GIB, 0x7fffffff, &layout), 0);
	tap_equal(layout.initrd, 0x7ffed000);
	tap_equal(vmm_pc_place(3 * GIB, 0xffffffff, &layout), 0);
	tap_equal(layout.initrd, 0xbffed000);
}

static void what_does_not_fit_is_refused(void)
{
	struct vmm_pc_layout layout = { .kernel = 0x1000000, .kernel_size = 0x37ee000 };

	/* 16 MiB and 55.9: Debian's kernel needs 72 MiB. */
	tap_equal(vmm_pc_place(64 * MIB, 0x7fffffff, &layout), -ENOSPC);
	tap_equal(vmm_pc_place(71 * MIB, 0x7fffffff, &layout), -ENOSPC);
	tap_equal(vmm_pc_place(72 * MIB, 0x7fffffff, &layout), 0);
	layout.initrd_size = MIB;
	tap_equal(vmm_pc_place(72 * MIB, 0x7fffffff, &layout), -ENOSPC);
	tap_equal(vmm_pc_place(73 * MIB, 0x7fffffff, &layout), 0);
	tap_check(layout.initrd >= 0x47ee000 && layout.initrd + MIB <= 73 * MIB);
	layout.initrd_size = ~0ULL;
	tap_equal(vmm_pc_place(73 * MIB, 0x7fffffff, &layout), -ENOSPC);
	layout.initrd_size = 64 * MIB;
	tap_equal(vmm_pc_place(3 * GIB, 128 * MIB - 1, &layout), -ENOSPC);
	tap_equal(vmm_pc_place(3 * GIB, 136 * MIB - 1, &layout), 0);
	tap_equal(vmm_pc_place(3 * GIB, MIB, &layout), -ENOSPC);
}

static const struct tap_case cases[] = {
	{ "a header is read", a_header_is_read },
	{ "headers that lie are refused", lies_are_refused },
	{ "files that are too short are refused", short_files_are_refused },
	{ "any byte of a header may be anything", any_header_is_survived },
	{ "the kernel is told what it has to know, and nothing else", the_kernel_is_told },
	{ "the memory map has all RAM, and the hole", maps_have_all_ram },
	{ "an initrd is as high as the kernel can reach", initrds_are_high },
	{ "what does not fit is refused", what_does_not_fit_is_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
