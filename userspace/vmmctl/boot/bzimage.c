// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bzImage: its header, and the boot parameters of a kernel that is entered in 64-bit mode.
 * Offsets are from the file's beginning; in the page of boot parameters they are the same.
 *
 * Source: Linux 6.12 Documentation/arch/x86/boot.rst and zero-page.rst.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "boot/pc.h"
#include "host/log.h"

#define AT_RSDP			0x070
#define AT_RANGES		0x1e8
#define AT_SETUP		0x1f1
#define AT_BOOT_FLAG		0x1fe
#define AT_JUMP			0x201
#define AT_MAGIC		0x202
#define AT_VERSION		0x206
#define AT_LOADER		0x210
#define AT_LOAD_FLAGS		0x211
#define AT_INITRD		0x218
#define AT_INITRD_SIZE		0x21c
#define AT_COMMAND_LINE		0x228
#define AT_INITRD_LAST		0x22c
#define AT_XLOAD_FLAGS		0x236
#define AT_COMMAND_LINE_MAX	0x238
#define AT_SETUP_DATA		0x250
#define AT_PREFERRED		0x258
#define AT_INIT_SIZE		0x260
#define AT_HEADER_END		0x268	/* end of the last field that is needed */
#define AT_RANGE		0x2d0

#define SECTOR			512
#define BOOT_FLAG		0xaa55
#define VERSION_XLOAD		0x020c	/* the first with the 64-bit entry's fields */
#define LOADER_OTHER		0xff
#define LOADED_HIGH		0x01
#define XLOAD_KERNEL_64		0x01
#define RANGE_SIZE		20	/* address, size, type */

static u64 get(const u8 *from, unsigned int at, unsigned int len)
{
	u64 value = 0;

	memcpy(&value, from + at, len);
	return le64toh(value);
}

static void put(u8 *to, unsigned int at, unsigned int len, u64 value)
{
	value = htole64(value);
	memcpy(to + at, &value, len);
}

/**
 * vmm_bzimage_is - return whether a file claims to be a bzImage
 * @head: its first bytes
 * @len: how many
 *
 * Return: whether it does
 */
bool vmm_bzimage_is(const u8 *head, size_t len)
{
	return len >= AT_MAGIC + 4 && get(head, AT_BOOT_FLAG, 2) == BOOT_FLAG &&
	       !memcmp(head + AT_MAGIC, "HdrS", 4);
}

/* Checks that the kernel can be started here. */
static int header_check(const u8 *head, size_t len)
{
	if (!vmm_bzimage_is(head, len))
		return vmm_error(-ENOEXEC, "the kernel is no bzImage");
	if (len < AT_HEADER_END || get(head, AT_VERSION, 2) < VERSION_XLOAD ||
	    get(head, AT_JUMP, 1) < AT_HEADER_END - AT_MAGIC)
		return vmm_error(-ENOEXEC, "the kernel is older than Linux 3.8");
	if (!(get(head, AT_LOAD_FLAGS, 1) & LOADED_HIGH))
		return vmm_error(-ENOEXEC, "the kernel is a zImage, not a bzImage");
	if (!(get(head, AT_XLOAD_FLAGS, 2) & XLOAD_KERNEL_64))
		return vmm_error(-ENOEXEC, "the kernel is not a 64-bit one");
	return 0;
}

/* Returns whether the header has impossible values. */
static bool header_lies(const struct vmm_bzimage *image, u64 file_size)
{
	return image->code >= file_size || image->kernel < VMM_PC_INITRD_FIRST ||
	       image->kernel % VMM_PAGE_SIZE || image->kernel > 4 * GIB ||
	       image->size < image->code_size ||
	       image->initrd_last < VMM_PC_INITRD_FIRST || !image->command_line_max;
}

/**
 * vmm_bzimage_header - read and check a bzImage's header
 * @head: first bytes of the file
 * @len: how many, VMM_BZIMAGE_HEAD if the file is long enough
 * @file_size: bytes of the whole file
 * @image: filled
 *
 * Return: 0, or -ENOEXEC after a message
 */
int vmm_bzimage_header(const u8 *head, size_t len, u64 file_size, struct vmm_bzimage *image)
{
	int err = header_check(head, len);
	u64 sectors;

	if (err)
		return err;
	sectors = get(head, AT_SETUP, 1);
	*image = (struct vmm_bzimage){
		.code = ((sectors ? sectors : 4) + 1) * SECTOR,
		.kernel = get(head, AT_PREFERRED, 8),
		.size = get(head, AT_INIT_SIZE, 4),
		.initrd_last = get(head, AT_INITRD_LAST, 4),
		.command_line_max = get(head, AT_COMMAND_LINE_MAX, 4),
		.setup = AT_MAGIC + get(head, AT_JUMP, 1) - AT_SETUP,
	};
	/* The header must end before the list of memory ranges. */
	if (image->setup > AT_RANGE - AT_SETUP || image->setup > len - AT_SETUP)
		return vmm_error(-ENOEXEC, "the kernel's header is too long");
	if (image->code < file_size)
		image->code_size = file_size - image->code;
	if (image->command_line_max >= VMM_PC_COMMAND_LINE_MAX)
		image->command_line_max = VMM_PC_COMMAND_LINE_MAX - 1;
	if (header_lies(image, file_size))
		return vmm_error(-ENOEXEC, "the kernel's bzImage header makes no sense");
	return 0;
}

/**
 * vmm_bzimage_params - fill the page of boot parameters
 * @head: first bytes of the file, as many as @image says
 * @image: filled by vmm_bzimage_header()
 * @layout: addresses in guest RAM
 * @params: filled, the whole page
 */
void vmm_bzimage_params(const u8 *head, const struct vmm_bzimage *image,
			const struct vmm_pc_layout *layout, u8 params[VMM_PAGE_SIZE])
{
	unsigned int i;

	memset(params, 0, VMM_PAGE_SIZE);
	memcpy(params + AT_SETUP, head + AT_SETUP, image->setup);
	put(params, AT_LOADER, 1, LOADER_OTHER);
	put(params, AT_COMMAND_LINE, 4, VMM_PC_COMMAND_LINE);
	put(params, AT_RSDP, 8, layout->rsdp);
	put(params, AT_SETUP_DATA, 8, layout->seeded ? VMM_PC_SEED : 0);
	put(params, AT_INITRD, 4, layout->initrd_size ? layout->initrd : 0);
	put(params, AT_INITRD_SIZE, 4, layout->initrd_size);
	put(params, AT_RANGES, 1, layout->ranges);
	for (i = 0; i < layout->ranges; i++) {
		unsigned int at = AT_RANGE + i * RANGE_SIZE;

		put(params, at, 8, layout->range[i].base);
		put(params, at + 8, 8, layout->range[i].size);
		put(params, at + 16, 4, layout->range[i].type);
	}
}
