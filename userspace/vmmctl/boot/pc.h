/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a guest starts on the x86_64 board: addresses below 1 MiB, headers of kernel files, and boot
 * parameters.
 */
#ifndef BOOT_PC_H
#define BOOT_PC_H

#include "boot/boot.h"

struct vmm_mem;

/* Guest physical addresses of what a boot loader leaves behind. */
#define VMM_PC_GDT		0x00000500
#define VMM_PC_START_INFO	0x00006000	/* PVH start info */
#define VMM_PC_PARAMS		0x00007000	/* bzImage: boot parameters, a page */
#define VMM_PC_STACK		0x00008ff0
#define VMM_PC_PAGE_TABLES	0x00009000	/* 6 pages */
#define VMM_PC_SEED		0x00010000
#define VMM_PC_COMMAND_LINE	0x00020000
#define VMM_PC_COMMAND_LINE_MAX	0x00010000	/* bytes, its end included */
#define VMM_PC_INITRD_FIRST	0x00100000

/* States of the boot CPU, for struct vmm_entry. */
enum {
	VMM_PC_ENTRY_LONG,	/* 64-bit, the first 4 GiB mapped 1:1; @arg in RSI */
	VMM_PC_ENTRY_FLAT,	/* 32-bit without paging; @arg in EBX */
};

/**
 * struct vmm_pc_ram - a range of the guest's memory map
 * @base: guest physical address
 * @size: bytes
 * @type: VMM_PC_RAM or VMM_PC_RESERVED
 */
struct vmm_pc_ram {
	u64 base;
	u64 size;
	u32 type;
};

#define VMM_PC_RAM		1
#define VMM_PC_RESERVED		2
#define VMM_PC_RANGES		8	/* at most */

/**
 * struct vmm_pc_layout - addresses in guest RAM
 * @kernel: guest physical address of the kernel
 * @kernel_size: bytes that it needs from there on until it has its own memory map
 * @initrd: guest physical address of the initrd
 * @initrd_size: bytes; 0 for no initrd
 * @command_line: command line of the kernel
 * @rsdp: guest physical address of the root of the ACPI tables
 * @seeded: @seed is valid
 * @seed: random bytes for the kernel's generator
 * @ranges: how many of @range
 * @range: the memory map
 */
struct vmm_pc_layout {
	u64 kernel;
	u64 kernel_size;
	u64 initrd;
	u64 initrd_size;
	const char *command_line;
	u64 rsdp;
	bool seeded;
	u8 seed[32];
	unsigned int ranges;
	struct vmm_pc_ram range[VMM_PC_RANGES];
};

/* ---- bzimage.c: compressed kernels (bzImage) ---- */

#define VMM_BZIMAGE_HEAD	0x280	/* bytes of the file that are read */

/**
 * struct vmm_bzimage - checked fields of a bzImage's header
 * @code: bytes of the file before the code that is loaded
 * @code_size: bytes of that code
 * @kernel: its preferred address
 * @size: bytes of RAM that it needs there
 * @initrd_last: last address that an initrd may have
 * @command_line_max: longest command line in bytes, without its NUL
 * @setup: bytes of the header from 0x1f1 on
 */
struct vmm_bzimage {
	u64 code;
	u64 code_size;
	u64 kernel;
	u64 size;
	u64 initrd_last;
	u64 command_line_max;
	unsigned int setup;
};

bool vmm_bzimage_is(const u8 *head, size_t len);
int vmm_bzimage_header(const u8 *head, size_t len, u64 file_size, struct vmm_bzimage *image);
void vmm_bzimage_params(const u8 *head, const struct vmm_bzimage *image,
			const struct vmm_pc_layout *layout, u8 params[VMM_PAGE_SIZE]);

/* ---- elf.c: an uncompressed kernel, by its PVH entry ---- */

#define VMM_ELF_SEGMENTS	16	/* of a kernel, at most */
#define VMM_ELF_NOTES		4096	/* bytes of a kernel's notes, at most */

/**
 * struct vmm_elf_segment - a part of the file that is loaded into RAM
 * @offset: in the file
 * @size: bytes in the file
 * @gpa: guest physical address
 * @mem_size: bytes in RAM; those beyond @size are zero
 */
struct vmm_elf_segment {
	u64 offset;
	u64 size;
	u64 gpa;
	u64 mem_size;
};

/**
 * struct vmm_elf - checked fields of a vmlinux
 * @entry: guest physical address of its first instruction, 32-bit
 * @first: lowest address of a segment
 * @end: end of the last one
 * @segments: how many
 * @segment: in the file's order
 */
struct vmm_elf {
	u64 entry;
	u64 first;
	u64 end;
	unsigned int segments;
	struct vmm_elf_segment segment[VMM_ELF_SEGMENTS];
};

bool vmm_elf_is(const u8 *head, size_t len);
int vmm_elf_read(const struct vmm_boot_file *file, u64 file_size, struct vmm_elf *elf);
int vmm_elf_load(const struct vmm_boot_file *file, const struct vmm_elf *elf,
		 const struct vmm_mem *mem);
void vmm_elf_start_info(const struct vmm_pc_layout *layout, const struct vmm_mem *mem);

/* ---- pc.c: loading everything into RAM ---- */

void vmm_pc_ranges(const struct vmm_mem *mem, struct vmm_pc_layout *layout);
int vmm_pc_place(u64 low_ram, u64 initrd_last, struct vmm_pc_layout *layout);
int vmm_pc_load(struct vmm_vm *vm, const struct vmm_boot *boot, struct vmm_entry *entry);

#endif /* BOOT_PC_H */
