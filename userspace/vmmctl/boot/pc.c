// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads what a guest of the x86_64 board starts from: kernel, initrd, command line, ACPI tables,
 * and boot parameters. There is no firmware.
 *
 *	00000500  segment descriptors		00010000  random bytes
 *	00006000  PVH start info	00020000  command line
 *	00007000  boot parameters		000e0000  ACPI tables
 *	00009000  page tables			01000000  kernel, mostly
 *
 * The initrd is as high as the kernel accepts it.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <linux/ranchu_pc.h>

#include "boards/acpi.h"
#include "boot/pc.h"
#include "machine/machine.h"

/* The reserved range begins at KVM's pages and contains goldfish devices and the pstore. */
#define RESERVED_END	(RANCHU_PC_PSTORE_BASE + RANCHU_PC_PSTORE_SIZE)

#define SETUP_RNG_SEED	9

/* An element of a bzImage's list of setup data; its bytes follow. */
struct setup_data {
	__le64 next;
	__le32 type;
	__le32 len;
};

static void range_add(struct vmm_pc_layout *layout, u64 base, u64 end, u32 type)
{
	layout->range[layout->ranges++] = (struct vmm_pc_ram){
		.base = base,
		.size = end - base,
		.type = type,
	};
}

/**
 * vmm_pc_ranges - make the guest's memory map
 * @mem: guest RAM: one region from 0 on, maybe one above 4 GiB
 * @layout: its map is filled
 */
void vmm_pc_ranges(const struct vmm_mem *mem, struct vmm_pc_layout *layout)
{
	unsigned int i;

	layout->ranges = 0;
	range_add(layout, 0, RANCHU_PC_LEGACY_BASE, VMM_PC_RAM);
	range_add(layout, RANCHU_PC_LEGACY_BASE, RANCHU_PC_LEGACY_END, VMM_PC_RESERVED);
	range_add(layout, RANCHU_PC_LEGACY_END, mem->region[0].size, VMM_PC_RAM);
	range_add(layout, RANCHU_PC_KVM_BASE, RESERVED_END, VMM_PC_RESERVED);
	for (i = 1; i < mem->regions; i++)
		range_add(layout, mem->region[i].base, mem->region[i].base + mem->region[i].size,
			  VMM_PC_RAM);
}

static u64 mib_up(u64 bytes)
{
	return (bytes + MIB - 1) / MIB;
}

/**
 * vmm_pc_place - choose the address of the initrd
 * @low_ram: bytes of RAM from 0 on
 * @initrd_last: last address that it may have
 * @layout: kernel and sizes are set; the initrd's address is filled
 *
 * Return: 0, or -ENOSPC after a message
 */
int vmm_pc_place(u64 low_ram, u64 initrd_last, struct vmm_pc_layout *layout)
{
	u64 kernel_end = layout->kernel + layout->kernel_size;
	u64 top = initrd_last < low_ram ? initrd_last + 1 : low_ram;

	if (kernel_end > low_ram || layout->initrd_size > low_ram - kernel_end)
		return vmm_error(-ENOSPC,
				 "this kernel needs %llu MiB of RAM to start%s, and the guest has %llu",
				 mib_up(kernel_end + layout->initrd_size),
				 layout->initrd_size ? " with this initrd" : "", low_ram / MIB);
	if (!layout->initrd_size)
		return 0;
	if (top < kernel_end || layout->initrd_size > top - kernel_end)
		return vmm_error(-ENOSPC,
				 "the initrd does not fit below 0x%llx, and this kernel reaches no more",
				 initrd_last);
	layout->initrd = (top - layout->initrd_size) / VMM_PAGE_SIZE * VMM_PAGE_SIZE;
	if (layout->initrd < kernel_end)
		return vmm_error(-ENOSPC, "the initrd does not fit %llu MiB of RAM", low_ram / MIB);
	return 0;
}

/* Makes a new seed at each boot. */
static int seed_load(struct vmm_vm *vm, struct vmm_pc_layout *layout)
{
	struct setup_data head = {
		.type = htole32(SETUP_RNG_SEED),
		.len = htole32(sizeof(layout->seed)),
	};
	u8 *to = vmm_mem_ptr(&vm->mem, VMM_PC_SEED, sizeof(head) + sizeof(layout->seed));

	if (!vm->cfg->random_seed)
		return 0;
	if (getrandom(layout->seed, sizeof(layout->seed), 0) != sizeof(layout->seed))
		return vmm_error(errno, "no random numbers for the guest");
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), layout->seed, sizeof(layout->seed));
	layout->seeded = true;
	return 0;
}

/* Linux finds the persistent store only by the command line. */
#define PSTORE_ARGS	" ramoops.mem_address=%#x ramoops.mem_size=%#x"

static int command_line_load(struct vmm_vm *vm, u64 max)
{
	size_t len = strlen(vm->cfg->append);
	char *to = vmm_mem_ptr(&vm->mem, VMM_PC_COMMAND_LINE, VMM_PC_COMMAND_LINE_MAX);
	char store[80] = "";
	u64 room;

	if (vm->cfg->pstore)
		snprintf(store, sizeof(store), PSTORE_ARGS, RANCHU_PC_PSTORE_BASE,
			 RANCHU_PC_PSTORE_SIZE);
	room = max > strlen(store) ? max - strlen(store) : 0;
	if (len > room || strlen(store) > max)
		return vmm_error(-E2BIG, "--append has %zu bytes, and this kernel accepts %llu%s",
				 len, room, vm->cfg->pstore ? " beside --pstore" : "");
	memcpy(to, vm->cfg->append, len);
	memcpy(to + len, store, strlen(store) + 1);
	return 0;
}

/* Loads what does not depend on the kind of kernel. */
static int others_load(struct vmm_vm *vm, const struct vmm_boot *boot, u64 initrd_last,
		       struct vmm_pc_layout *layout)
{
	int err = vmm_boot_initrd_size(boot, &layout->initrd_size);

	if (!err)
		err = vmm_pc_place(vm->mem.region[0].size, initrd_last, layout);
	if (!err && layout->initrd_size)
		err = vmm_boot_file_load(&boot->initrd, 0, &vm->mem, layout->initrd,
					 layout->initrd_size);
	if (!err)
		err = seed_load(vm, layout);
	if (!err)
		err = vmm_acpi_load(vm, &layout->rsdp);
	vmm_pc_ranges(&vm->mem, layout);
	return err;
}

static int bzimage_load(struct vmm_vm *vm, const struct vmm_boot *boot, const u8 *head,
			const struct vmm_bzimage *image, struct vmm_entry *entry)
{
	struct vmm_pc_layout layout = { .kernel = image->kernel, .kernel_size = image->size };
	int err = others_load(vm, boot, image->initrd_last, &layout);

	if (!err)
		err = command_line_load(vm, image->command_line_max);
	if (!err)
		err = vmm_boot_file_load(&boot->kernel, image->code, &vm->mem, image->kernel,
					 image->code_size);
	if (err)
		return err;
	vmm_bzimage_params(head, image, &layout,
			   vmm_mem_ptr(&vm->mem, VMM_PC_PARAMS, VMM_PAGE_SIZE));
	/* The 64-bit entry is 512 bytes after the 32-bit one. */
	*entry = (struct vmm_entry){
		.pc = image->kernel + 0x200,
		.arg = VMM_PC_PARAMS,
		.how = VMM_PC_ENTRY_LONG,
	};
	return 0;
}

/* An ELF kernel has no limits of its own except for 32-bit addresses. */
static int elf_load(struct vmm_vm *vm, const struct vmm_boot *boot, u64 size,
		    struct vmm_entry *entry)
{
	struct vmm_pc_layout layout = { 0 };
	struct vmm_elf elf;
	int err = vmm_elf_read(&boot->kernel, size, &elf);

	if (err)
		return err;
	layout.kernel = elf.first;
	layout.kernel_size = elf.end - elf.first;
	err = others_load(vm, boot, 4 * GIB - 1, &layout);
	if (!err)
		err = command_line_load(vm, VMM_PC_COMMAND_LINE_MAX - 1);
	if (!err)
		err = vmm_elf_load(&boot->kernel, &elf, &vm->mem);
	if (err)
		return err;
	vmm_elf_start_info(&layout, &vm->mem);
	*entry = (struct vmm_entry){
		.pc = elf.entry,
		.arg = VMM_PC_START_INFO,
		.how = VMM_PC_ENTRY_FLAT,
	};
	return 0;
}

/**
 * vmm_pc_load - load kernel, initrd and tables into guest RAM
 * @vm: has RAM
 * @boot: open files; none is opened here, so this also works at a reset
 * @entry: filled
 *
 * Return: 0, or -errno
 */
int vmm_pc_load(struct vmm_vm *vm, const struct vmm_boot *boot, struct vmm_entry *entry)
{
	u8 head[VMM_BZIMAGE_HEAD];
	struct vmm_bzimage image;
	size_t len;
	u64 size;
	int err = vmm_boot_file_size(&boot->kernel, &size);

	if (err)
		return err;
	len = size < sizeof(head) ? size : sizeof(head);
	err = vmm_boot_file_read(&boot->kernel, 0, head, len);
	if (err)
		return err;
	if (vmm_elf_is(head, len))
		return elf_load(vm, boot, size, entry);
	err = vmm_bzimage_header(head, len, size, &image);
	return err ? err : bzimage_load(vm, boot, head, &image, entry);
}
