/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boot/ owns the start of a guest: it loads kernel, initrd and device tree into RAM.
 */
#ifndef BOOT_H
#define BOOT_H

#include "machine/config.h"

struct vmm_entry;
struct vmm_mem;
struct vmm_vm;

/* ---- kernel.c: a guest of the ranchu board ---- */

#define VMM_FDT_SIZE	0x10000	/* bytes; the reference's blob buffer */
#define VMM_RNG_SEED	64	/* bytes: two blocks of the kernel's generator */

/**
 * struct vmm_layout - addresses in guest RAM
 * @kernel: guest physical address of the Image, and of its first instruction
 * @initrd: guest physical address of the initrd
 * @initrd_size: bytes; 0 for no initrd
 * @dtb: guest physical address of the device tree, VMM_FDT_SIZE bytes
 * @seeded: the tree has the seeds
 * @rng_seed: random bytes for the guest's random number generator
 * @kaslr_seed: random bytes for the address of its kernel (KASLR)
 */
struct vmm_layout {
	u64 kernel;
	u64 initrd;
	u64 initrd_size;
	u64 dtb;
	bool seeded;
	u8 rng_seed[VMM_RNG_SEED];
	u64 kaslr_seed;
};

/**
 * struct vmm_image - fields of an arm64 Image's header
 * @text_offset: bytes from a 2 MiB boundary to the Image
 * @image_size: bytes that the kernel needs from there on
 */
struct vmm_image {
	u64 text_offset;
	u64 image_size;
};

/* ---- files.c: the files that a guest starts from ---- */

/**
 * struct vmm_boot_file - a file that a guest starts from
 * @path: its name, for messages; owned by the command line
 * @fd: open for reading, or -1 for none
 */
struct vmm_boot_file {
	const char *path;
	int fd;
};

/**
 * struct vmm_boot - the files that a guest starts from, read again at each reset
 * @kernel: an arm64 Image, maybe compressed; an x86_64 bzImage or vmlinux
 * @initrd: the initial RAM disk
 */
struct vmm_boot {
	struct vmm_boot_file kernel;
	struct vmm_boot_file initrd;
};

int vmm_boot_open(struct vmm_boot *boot, const struct vmm_config *cfg);
void vmm_boot_close(struct vmm_boot *boot);
int vmm_boot_file_size(const struct vmm_boot_file *file, u64 *size);
int vmm_boot_file_read(const struct vmm_boot_file *file, u64 offset, void *to, u64 size);
int vmm_boot_initrd_size(const struct vmm_boot *boot, u64 *size);
int vmm_boot_file_load(const struct vmm_boot_file *file, u64 offset, const struct vmm_mem *mem,
		       u64 gpa, u64 size);

int vmm_kernel_header(const void *head, size_t len, u64 file_size, struct vmm_image *image);
int vmm_kernel_place(const struct vmm_image *image, u64 ram_size, u64 initrd_size,
		     struct vmm_layout *layout);
int vmm_kernel_layout(const struct vmm_config *cfg, const struct vmm_boot *boot,
		      struct vmm_layout *layout);
int vmm_kernel_load(struct vmm_vm *vm, const struct vmm_boot *boot, struct vmm_entry *entry);

#endif /* BOOT_H */
