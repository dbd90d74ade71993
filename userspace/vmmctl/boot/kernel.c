// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads what a guest of an arm64 board starts from: an arm64 Image, maybe compressed, an initrd,
 * the device tree. The initrd is at the middle of RAM but at most 128 MiB from its base, the device
 * tree on the page after it; both are moved up if the Image's header needs the room.
 *
 * Source: Linux 6.12 Documentation/arch/arm64/booting.rst for the header.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <linux/ranchu.h>

#include "boot/boot.h"
#include "boot/unpack.h"
#include "machine/machine.h"

#define IMAGE_MAGIC		"ARM\x64"
#define IMAGE_OLD_TEXT_OFFSET	0x80000	/* kernels before 3.17 */
#define IMAGE_FLAG_BE		(1 << 0)
#define INITRD_MAX_OFFSET	(128 * MIB)
#define INITRD_LIMIT		(4 * GIB) /* its addresses are 32-bit cells */

/* The header that an arm64 Image begins with; little-endian. */
struct image_header {
	__le32 code[2];
	__le64 text_offset;
	__le64 image_size;
	__le64 flags;
	__le64 reserved[3];
	char magic[4];
	__le32 pe_header;
};

/**
 * vmm_kernel_header - read an arm64 Image header
 * @head: first bytes of the file
 * @len: how many, in bytes
 * @file_size: size of the whole file in bytes
 * @image: filled
 *
 * Return: 0, or -ENOEXEC if it is no little-endian arm64 Image
 */
int vmm_kernel_header(const void *head, size_t len, u64 file_size, struct vmm_image *image)
{
	struct image_header header;

	if (len < sizeof(header))
		return vmm_error(-ENOEXEC, "the kernel is too short for an arm64 Image");
	memcpy(&header, head, sizeof(header));
	if (memcmp(header.magic, IMAGE_MAGIC, sizeof(header.magic)))
		return vmm_error(-ENOEXEC, "the kernel is not a raw arm64 Image");
	if (le64toh(header.flags) & IMAGE_FLAG_BE)
		return vmm_error(-ENOEXEC, "the kernel is big-endian");
	image->text_offset = le64toh(header.text_offset);
	image->image_size = le64toh(header.image_size);
	if (!image->image_size) {
		/* Such a header has a text offset of unknown endianness, too. */
		image->text_offset = IMAGE_OLD_TEXT_OFFSET;
		image->image_size = file_size;
	}
	if (image->image_size < file_size)
		image->image_size = file_size;
	if (image->text_offset >= 2 * MIB || image->image_size > RANCHU_RAM_MAX)
		return vmm_error(-ENOEXEC, "the kernel's Image header makes no sense");
	return 0;
}

static u64 align_up(u64 value, u64 to)
{
	return (value + to - 1) / to * to;
}

/**
 * vmm_kernel_place - choose the addresses of kernel, initrd and device tree
 * @image: the kernel; NULL for the board's default
 * @ram_size: bytes of RAM
 * @initrd_size: bytes, 0 for none
 * @layout: filled
 *
 * Return: 0, or -ENOSPC if they do not fit
 */
int vmm_kernel_place(const struct vmm_image *image, u64 ram_size, u64 initrd_size,
		     struct vmm_layout *layout)
{
	u64 ram_after = RANCHU_RAM_BASE + ram_size;
	u64 initrd = ram_size / 2;
	u64 kernel_after;

	layout->kernel = RANCHU_RAM_BASE + (image ? image->text_offset : 0);
	kernel_after = align_up(layout->kernel + (image ? image->image_size : 0), 2 * MIB);
	if (initrd > INITRD_MAX_OFFSET)
		initrd = INITRD_MAX_OFFSET;
	initrd = align_up(RANCHU_RAM_BASE + initrd, VMM_PAGE_SIZE);
	if (initrd < kernel_after)
		initrd = kernel_after;
	layout->initrd = initrd;
	layout->initrd_size = initrd_size;
	layout->dtb = align_up(initrd + initrd_size, VMM_PAGE_SIZE);
	if (initrd > ram_after || initrd_size > ram_after - initrd ||
	    layout->dtb > ram_after || VMM_FDT_SIZE > ram_after - layout->dtb)
		return vmm_error(-ENOSPC, "kernel and initrd do not fit %llu MiB of RAM",
				 ram_size / MIB);
	if (initrd + initrd_size > INITRD_LIMIT)
		return vmm_error(-ENOSPC, "the initrd would end above 4 GiB");
	return 0;
}

/**
 * struct kernel_file - the current content of the kernel's file
 * @packed: the file, and its compressed part
 * @size: bytes of the file
 * @image: fields of its header
 */
struct kernel_file {
	struct vmm_packed packed;
	u64 size;
	struct vmm_image image;
};

/* The uncompressed size is unknown, so a header without a size is an error. */
static int kernel_inspect_packed(struct kernel_file *kernel)
{
	u8 head[sizeof(struct image_header)];
	size_t len;
	int err;

	err = vmm_unpack_begin(&kernel->packed, head, sizeof(head), &len);
	if (!err)
		err = vmm_kernel_header(head, len, 0, &kernel->image);
	if (!err && !kernel->image.image_size)
		err = vmm_error(-ENOEXEC, "%s: a compressed kernel must say its size",
				kernel->packed.path);
	return err;
}

static int kernel_inspect(struct kernel_file *kernel)
{
	struct vmm_packed *packed = &kernel->packed;
	u8 head[VMM_UNPACK_HEAD];
	size_t len = kernel->size < sizeof(head) ? kernel->size : sizeof(head);
	const struct vmm_boot_file file = { .path = packed->path, .fd = packed->fd };
	int err;

	err = vmm_boot_file_read(&file, 0, head, len);
	if (!err)
		err = vmm_unpack_find(head, len, kernel->size, packed);
	if (!err && packed->size)
		return kernel_inspect_packed(kernel);
	return err ? err : vmm_kernel_header(head, len, kernel->size, &kernel->image);
}

static int kernel_find(const struct vmm_boot *boot, struct kernel_file *kernel)
{
	int err = vmm_boot_file_size(&boot->kernel, &kernel->size);

	kernel->packed.path = boot->kernel.path;
	kernel->packed.fd = boot->kernel.fd;
	return err ? err : kernel_inspect(kernel);
}

static int kernel_read(const struct vmm_mem *mem, const struct kernel_file *kernel, u64 gpa)
{
	const struct vmm_packed *packed = &kernel->packed;
	u64 room = packed->size ? kernel->image.image_size : kernel->size;
	const struct vmm_boot_file file = { .path = packed->path, .fd = packed->fd };
	void *to = vmm_mem_ptr(mem, gpa, room);
	u64 got;

	if (!to)
		return vmm_error(-ENOSPC, "%s does not fit the guest's RAM", packed->path);
	if (packed->size)
		return vmm_unpack_all(packed, to, room, &got);
	return vmm_boot_file_read(&file, 0, to, room);
}

static int layout_find(const struct vmm_config *cfg, const struct vmm_boot *boot,
		       const struct vmm_image *image, struct vmm_layout *layout)
{
	u64 initrd_size;
	int err = vmm_boot_initrd_size(boot, &initrd_size);

	memset(layout, 0, sizeof(*layout));
	return err ? err : vmm_kernel_place(image, cfg->memory, initrd_size, layout);
}

/**
 * vmm_kernel_layout - choose addresses for a device tree that is only written to a file
 * @cfg: the command line
 * @boot: kernel and initrd may be missing
 * @layout: filled
 *
 * Return: 0, or -errno
 */
int vmm_kernel_layout(const struct vmm_config *cfg, const struct vmm_boot *boot,
		      struct vmm_layout *layout)
{
	struct kernel_file kernel;
	int err;

	if (boot->kernel.fd < 0)
		return layout_find(cfg, boot, NULL, layout);
	err = kernel_find(boot, &kernel);
	return err ? err : layout_find(cfg, boot, &kernel.image, layout);
}

/* Makes new seeds at each boot; the tree of `vmmctl dtb` has none. */
static int layout_seed(const struct vmm_config *cfg, struct vmm_layout *layout)
{
	size_t len = sizeof(layout->rng_seed);

	if (!cfg->random_seed)
		return 0;
	if (getrandom(layout->rng_seed, len, 0) != (ssize_t)len ||
	    getrandom(&layout->kaslr_seed, sizeof(layout->kaslr_seed), 0) !=
	    sizeof(layout->kaslr_seed))
		return vmm_error(errno, "no random numbers for the guest");
	layout->seeded = true;
	return 0;
}

static int load_files(struct vmm_vm *vm, const struct vmm_boot *boot,
		      struct vmm_layout *layout)
{
	struct kernel_file kernel;
	int err;

	err = kernel_find(boot, &kernel);
	if (!err)
		err = layout_find(vm->cfg, boot, &kernel.image, layout);
	if (!err)
		err = kernel_read(&vm->mem, &kernel, layout->kernel);
	if (!err && layout->initrd_size)
		err = vmm_boot_file_load(&boot->initrd, 0, &vm->mem, layout->initrd,
					 layout->initrd_size);
	return err;
}

/**
 * vmm_kernel_load - load kernel, initrd and device tree into guest RAM
 * @vm: has RAM and a GIC version
 * @boot: open files; none is opened here, so this also works at a reset
 * @entry: filled
 *
 * Return: 0, or -errno
 */
int vmm_kernel_load(struct vmm_vm *vm, const struct vmm_boot *boot, struct vmm_entry *entry)
{
	struct vmm_layout layout;
	void *blob;
	int err;

	err = load_files(vm, boot, &layout);
	if (!err)
		err = layout_seed(vm->cfg, &layout);
	if (err)
		return err;
	*entry = (struct vmm_entry){ .pc = layout.kernel, .arg = layout.dtb };
	blob = vmm_mem_ptr(&vm->mem, layout.dtb, VMM_FDT_SIZE);
	return vmm_fdt_build(&vm->board, vm->cfg, vm->gic, &layout, blob, VMM_FDT_SIZE);
}
