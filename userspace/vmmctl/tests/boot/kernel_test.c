// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Image header, and where kernel, initrd and device tree go.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "boot/boot.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define RAM	0x40000000ULL
#define DTB	0x10000ULL

/* Offsets of the header's fields, as the boot protocol gives them. */
static void header_make(u8 *head, u64 text_offset, u64 image_size, u64 flags)
{
	memset(head, 0, 64);
	text_offset = htole64(text_offset);
	image_size = htole64(image_size);
	flags = htole64(flags);
	memcpy(head + 8, &text_offset, 8);
	memcpy(head + 16, &image_size, 8);
	memcpy(head + 24, &flags, 8);
	memcpy(head + 56, "ARM\x64", 4);
}

static void header_is_read(void)
{
	struct vmm_image image;
	u8 head[64];

	header_make(head, 0, 0x2a00000, 0xa);
	tap_equal(vmm_kernel_header(head, 64, 0x2900000, &image), 0);
	tap_equal(image.text_offset, 0);
	tap_equal(image.image_size, 0x2a00000);
	header_make(head, 0x80000, 0x1000000, 0);
	tap_equal(vmm_kernel_header(head, 64, 0x1000, &image), 0);
	tap_equal(image.text_offset, 0x80000);
}

static void old_header_is_read(void)
{
	struct vmm_image image;
	u8 head[64];

	/* Before Linux 3.17 the size was 0 and the offset always this. */
	header_make(head, 0, 0, 0);
	tap_equal(vmm_kernel_header(head, 64, 0x900000, &image), 0);
	tap_equal(image.text_offset, 0x80000);
	tap_equal(image.image_size, 0x900000);
}

static void size_covers_the_file(void)
{
	struct vmm_image image;
	u8 head[64];

	header_make(head, 0, 0x1000, 0);
	tap_equal(vmm_kernel_header(head, 64, 0x900000, &image), 0);
	tap_equal(image.image_size, 0x900000);
}

static void bad_headers_are_refused(void)
{
	struct vmm_image image;
	u8 head[64];

	header_make(head, 0, 0x1000000, 0);
	tap_check(vmm_kernel_header(head, 63, 63, &image) == -ENOEXEC);
	tap_check(vmm_kernel_header(head, 0, 0, &image) == -ENOEXEC);
	head[56] = 'X';
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
	header_make(head, 0, 0x1000000, 1);
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
	header_make(head, 0x200000, 0x1000000, 0);
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
	header_make(head, ~0ULL, 0x1000000, 0);
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
	header_make(head, 0, ~0ULL, 0);
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
	/* Compressed: a gzip'ed Image is not raw. */
	memset(head, 0, sizeof(head));
	memcpy(head, "\x1f\x8b\x08", 3);
	tap_check(vmm_kernel_header(head, 64, 0x1000, &image) == -ENOEXEC);
}

static void board_places_are_kept(void)
{
	const struct vmm_image image = { .text_offset = 0x80000, .image_size = 0x1000000 };
	struct vmm_layout l;

	/* The middle of RAM, at most 128 MiB up; device tree on the next page. */
	tap_equal(vmm_kernel_place(&image, 1ULL << 30, 0x12345, &l), 0);
	tap_equal(l.kernel, 0x40080000);
	tap_equal(l.initrd, 0x48000000);
	tap_equal(l.initrd_size, 0x12345);
	tap_equal(l.dtb, 0x48013000);
	tap_equal(vmm_kernel_place(&image, 128ULL << 20, 0x1000, &l), 0);
	tap_equal(l.initrd, 0x44000000);
	tap_equal(l.dtb, 0x44001000);
	tap_equal(vmm_kernel_place(&image, 1ULL << 30, 0, &l), 0);
	tap_equal(l.dtb, 0x48000000);
}

static void nothing_overlaps(void)
{
	static const u64 kernels[] = {
		0x1000, 0x900000, 0x2a00000, 0x7f80000, 0x8000000, 0x9000001
	};
	static const u64 initrds[] = { 0, 1, 0x1000, 0x4000000, 0x10000000 };
	static const u64 rams[] = { 64 * MIB, 128 * MIB, 256 * MIB, 512 * MIB, 1 * GIB, 30 * GIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kernels) * ARRAY_SIZE(initrds) * ARRAY_SIZE(rams); i++) {
		u64 kernel = kernels[i % 6];
		u64 initrd = initrds[i / 6 % 5];
		u64 ram = rams[i / 30];
		struct vmm_image image = { .text_offset = 0x80000 * (i & 1), .image_size = kernel };
		struct vmm_layout l;

		tap_context("kernel 0x%llx initrd 0x%llx RAM 0x%llx", kernel, initrd, ram);
		if (vmm_kernel_place(&image, ram, initrd, &l)) {
			/* Only if there is hardly enough room. */
			tap_check(kernel + initrd + DTB + 8 * MIB > ram / 2);
			continue;
		}
		tap_check(l.kernel >= RAM && l.kernel + kernel <= l.initrd);
		tap_check(l.initrd + initrd <= l.dtb && l.dtb + DTB <= RAM + ram);
		tap_check(l.dtb % 4096 == 0 && l.initrd % 4096 == 0);
	}
}

static void what_does_not_fit_is_refused(void)
{
	struct vmm_image image = { .image_size = 0x1000000 };
	struct vmm_layout l;

	tap_check(vmm_kernel_place(&image, 64 * MIB, 64 * MIB, &l) == -ENOSPC);
	tap_check(vmm_kernel_place(&image, 64 * MIB, 32 * MIB, &l) == -ENOSPC);
	tap_check(vmm_kernel_place(&image, 64 * MIB, ~0ULL, &l) == -ENOSPC);
	tap_check(vmm_kernel_place(&image, 30 * GIB, 4 * GIB, &l) == -ENOSPC);
	image.image_size = 64 * MIB;
	tap_check(vmm_kernel_place(&image, 64 * MIB, 0, &l) == -ENOSPC);
}

#define LOADED	200000	/* bytes of a kernel */

/* Writes a kernel to a file, compressed by gzip; its bytes are in @plain. */
static int kernel_file(u8 *plain, char *path, size_t size)
{
	u64 words[7] = { 0, 0, LOADED };
	int fd = memfd_create("kernel", MFD_CLOEXEC);
	static u8 packed[2 * LOADED];
	z_stream zlib = { .next_in = plain, .avail_in = LOADED, .next_out = packed,
			  .avail_out = sizeof(packed) };
	unsigned int i;

	for (i = 0; i < LOADED; i++)
		plain[i] = i * 31 ^ i >> 8;
	memcpy(plain, words, sizeof(words));
	memcpy(plain + 56, "ARM\x64", 4);
	tap_check(deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	tap_check(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&zlib);
	tap_check(write(fd, packed, zlib.total_out) == (ssize_t)zlib.total_out);
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

static void compressed_kernels_are_loaded(void)
{
	static u8 plain[LOADED];
	struct vmm_config cfg = { .cpus = 1, .memory = 64 * MIB, .append = "" };
	struct vmm_vm vm = { .cfg = &cfg, .gic = VMM_GIC_V2 };
	struct vmm_layout layout;
	struct vmm_entry entry;
	struct vmm_boot boot;
	char path[64];
	int fd = kernel_file(plain, path, sizeof(path));

	cfg.kernel = path;
	vmm_board_ranchu(&vm.board, vm.cfg);
	tap_equal(vmm_mem_add(&vm.mem, RAM, cfg.memory), 0);
	tap_equal(vmm_boot_open(&boot, &cfg), 0);
	tap_equal(vmm_kernel_layout(&cfg, &boot, &layout), 0);
	tap_equal(layout.kernel, RAM);
	tap_equal(vmm_kernel_load(&vm, &boot, &entry), 0);
	tap_equal(entry.pc, layout.kernel);
	tap_equal(entry.arg, layout.dtb);
	tap_check(!memcmp(vmm_mem_ptr(&vm.mem, layout.kernel, LOADED), plain, LOADED));
	vmm_boot_close(&boot);
	vmm_mem_destroy(&vm.mem);
	close(fd);
}

static const struct tap_case cases[] = {
	{ "an Image header is read", header_is_read },
	{ "a header without a size is read", old_header_is_read },
	{ "the file's size counts where the header's is less", size_covers_the_file },
	{ "bad headers are refused", bad_headers_are_refused },
	{ "the board's places are kept", board_places_are_kept },
	{ "nothing overlaps", nothing_overlaps },
	{ "what does not fit is refused", what_does_not_fit_is_refused },
	{ "compressed kernels are loaded", compressed_kernels_are_loaded },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
