// SPDX-License-Identifier: GPL-2.0-only
/*
 * Valid and invalid ELF kernels, and the start info. Offsets and numbers are written out from the
 * formats' descriptions.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/pc.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define SIZE		0x4000
#define PHDR		0x40
#define NOTES		0x1000
#define TEXT		0x2000

static u8 elf_file[SIZE];

static void put(unsigned int at, unsigned int len, u64 value)
{
	while (len--) {
		elf_file[at++] = value;
		value >>= 8;
	}
}

static void segment_put(unsigned int index, u32 type, u64 offset, u64 gpa, u64 size, u64 mem_size)
{
	unsigned int at = PHDR + index * 56;

	put(at, 4, type);
	put(at + 8, 8, offset);
	put(at + 24, 8, gpa);
	put(at + 32, 8, size);
	put(at + 40, 8, mem_size);
}

static void note_put(unsigned int at, const char *name, u32 type, u64 value, unsigned int len)
{
	put(at, 4, strlen(name) + 1);
	put(at + 4, 4, len);
	put(at + 8, 4, type);
	memcpy(elf_file + at + 12, name, strlen(name) + 1);
	put(at + 12 + (strlen(name) + 4) / 4 * 4, len, value);
}

/* Segments as in Linux: text, data with zeros after it, notes. */
static void file_make(void)
{
	memset(elf_file, 0, sizeof(elf_file));
	memcpy(elf_file, "\177ELF\x02\x01\x01", 7);
	put(0x10, 2, 2);
	put(0x12, 2, 62);
	put(0x20, 8, PHDR);
	put(0x36, 2, 56);
	put(0x38, 2, 3);
	segment_put(0, 1, TEXT, 0x1000000, 0x1000, 0x1000);
	segment_put(1, 1, TEXT + 0x1000, 0x1200000, 0x1000, 0x80000);
	segment_put(2, 4, NOTES, 0, 0x60, 0);
	note_put(NOTES, "GNU", 3, 0x1234, 4);
	note_put(NOTES + 0x14, "Xen", 6, 1, 4);
	note_put(NOTES + 0x28, "Xen", 18, 0x1000100, 8);
	memset(elf_file + TEXT, 0x90, 0x2000);
}

/* Reads the file as it is now, of @size bytes. */
static int inspect(struct vmm_elf *elf, size_t size)
{
	struct vmm_boot_file file = { .path = "vmlinux", .fd = memfd_create("vmlinux", 0) };
	int err;

	tap_check(write(file.fd, elf_file, size) == (ssize_t)size);
	err = vmm_elf_read(&file, size, elf);
	close(file.fd);
	return err;
}

static void a_kernel_is_read(void)
{
	struct vmm_elf elf;

	file_make();
	tap_check(vmm_elf_is(elf_file, 4));
	tap_check(!vmm_elf_is(elf_file, 3));
	tap_equal(inspect(&elf, SIZE), 0);
	tap_equal(elf.entry, 0x1000100);
	tap_equal(elf.first, 0x1000000);
	tap_equal(elf.end, 0x1280000);
	tap_equal(elf.segments, 2);
	tap_equal(elf.segment[1].offset, 0x3000);
	tap_equal(elf.segment[1].size, 0x1000);
	tap_equal(elf.segment[1].mem_size, 0x80000);
}

/* Where, how long, what: each makes a good file a bad one. */
static const struct {
	unsigned int at;
	unsigned int len;
	u64 value;
	const char *why;
} lies[] = {
	{ 0x04, 1, 1, "32 bits" },
	{ 0x05, 1, 2, "big endian" },
	{ 0x12, 2, 183, "arm64" },
	{ 0x20, 8, SIZE - 10, "headers at the end" },
	{ 0x20, 8, ~0ULL, "headers nowhere" },
	{ 0x36, 2, 32, "headers of another size" },
	{ 0x38, 2, 0, "no headers" },
	{ 0x38, 2, 17, "many headers" },
	{ 0x38, 2, 0xffff, "more headers than fit the file" },
	{ 0x38, 2, 2, "no notes" },
	{ PHDR + 8, 8, SIZE, "text behind the end" },
	{ PHDR + 8, 8, ~0ULL, "text nowhere" },
	{ PHDR + 32, 8, SIZE, "more text than there is" },
	{ PHDR + 32, 8, ~0ULL, "text without an end" },
	{ PHDR + 24, 8, 0, "at 0, over the boot data" },
	{ PHDR + 24, 8, ~0ULL, "at the end of all addresses" },
	{ PHDR + 40, 8, 0xfff, "less RAM than text" },
	{ PHDR + 40, 8, ~0ULL, "RAM without an end" },
	{ PHDR + 56 * 2 + 32, 8, 0x2000, "many notes" },
	{ PHDR + 56 * 2 + 8, 8, SIZE - 8, "notes behind the end" },
	{ NOTES, 4, 0xfffffff0, "a name without an end" },
	{ NOTES + 4, 4, 0xffffffff, "a note without an end" },
	{ NOTES + 0x28 + 8, 4, 17, "no entry" },
	{ NOTES + 0x28 + 12, 1, 'Y', "somebody else's entry" },
	{ NOTES + 0x28 + 16, 4, 0, "entry at 0" },
	{ NOTES + 0x28 + 16, 4, 0x1001000, "entry behind the text" },
	{ NOTES + 0x28 + 16, 4, 0x1201000, "entry where only zeros are" },
};

static void lies_are_refused(void)
{
	struct vmm_elf elf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		file_make();
		tap_context("%s", lies[i].why);
		put(lies[i].at, lies[i].len, lies[i].value);
		tap_equal(inspect(&elf, SIZE), -ENOEXEC);
	}
	file_make();
	for (i = 0; i < 0x40; i += 7) {
		tap_context("%u bytes", i);
		tap_equal(inspect(&elf, i), -ENOEXEC);
	}
}

static void it_is_loaded_and_told(void)
{
	struct vmm_boot_file file = { .path = "vmlinux", .fd = memfd_create("vmlinux", 0) };
	struct vmm_pc_layout layout = {
		.initrd = 0x1800000, .initrd_size = 0x1234, .rsdp = 0xe0000,
		.ranges = 2, .range = { { 0, 0x9f000, 1 }, { 0x100000, 0x1f00000, 1 } },
	};
	struct vmm_mem mem = { 0 };
	struct vmm_elf elf;
	const u8 *info;

	file_make();
	tap_check(write(file.fd, elf_file, SIZE) == SIZE);
	tap_equal(vmm_mem_add(&mem, 0, 32 * MIB), 0);
	tap_equal(vmm_elf_read(&file, SIZE, &elf), 0);
	tap_equal(vmm_elf_load(&file, &elf, &mem), 0);
	tap_check(!memcmp(vmm_mem_ptr(&mem, 0x1000000, 0x1000), elf_file + TEXT, 0x1000));
	tap_check(!memcmp(vmm_mem_ptr(&mem, 0x1200000, 0x1000), elf_file + TEXT + 0x1000, 0x1000));
	tap_equal(*(u8 *)vmm_mem_ptr(&mem, 0x1201000, 1), 0);
	vmm_elf_start_info(&layout, &mem);
	info = vmm_mem_ptr(&mem, 0x6000, 0x100);
	tap_check(!memcmp(info, "\x78\xc5\x6e\x33\x01\0\0\0\0\0\0\0\x01\0\0\0", 16));
	tap_check(!memcmp(info + 16, "\x38\x60\0\0\0\0\0\0\0\0\x02\0\0\0\0\0", 16));
	tap_check(!memcmp(info + 32, "\0\0\x0e\0\0\0\0\0\x58\x60\0\0\0\0\0\0\x02\0\0\0", 20));
	tap_check(!memcmp(info + 56, "\0\0\x80\x01\0\0\0\0\x34\x12\0\0\0\0\0\0", 16));
	tap_check(!memcmp(info + 0x58 + 24,
			  "\0\0\x10\0\0\0\0\0\0\0\xf0\x01\0\0\0\0\x01\0\0\0", 20));
	/* RAM that is too small. */
	vmm_mem_destroy(&mem);
	tap_equal(vmm_mem_add(&mem, 0, 17 * MIB), 0);
	tap_equal(vmm_elf_load(&file, &elf, &mem), -ENOSPC);
	vmm_mem_destroy(&mem);
	close(file.fd);
}

static const struct tap_case cases[] = {
	{ "a kernel is read", a_kernel_is_read },
	{ "files that lie are refused", lies_are_refused },
	{ "a kernel is loaded, and told what it has to know", it_is_loaded_and_told },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
