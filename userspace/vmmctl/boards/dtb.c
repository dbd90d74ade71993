// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl dtb: writes the device tree of an arm64 board to a file or to stdout.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boards/boards.h"
#include "boot/boot.h"
#include "host/file.h"
#include "host/log.h"

/* Removes an incomplete file; a device node stays. */
static void dtb_discard(int fd, const char *path)
{
	struct stat st;

	if (path && !fstat(fd, &st) && S_ISREG(st.st_mode))
		unlink(path);
}

static int dtb_write(const char *path, const u8 *blob, size_t len)
{
	int fd = STDOUT_FILENO;
	int err;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return vmm_error(errno, "cannot create %s", path);
	err = vmm_file_write(fd, blob, len);
	if (err) {
		vmm_error(-err, "cannot write the device tree");
		dtb_discard(fd, path);
	}
	if (path)
		close(fd);
	return err;
}

/**
 * vmm_dtb_command - write the device tree of a board
 * @cfg: the command line; @output is a path, or NULL for stdout
 *
 * KVM is not asked: the tree has a GICv2 unless the command line says otherwise, or there
 * are more CPUs than a GICv2 serves.
 *
 * Return: 0, or -errno after a message
 */
int vmm_dtb_command(const struct vmm_config *cfg)
{
	enum vmm_gic gic = cfg->gic == VMM_GIC_V3 || cfg->cpus > VMM_GICV2_CPUS ? VMM_GIC_V3 :
									  VMM_GIC_V2;
	static u64 blob[VMM_FDT_SIZE / sizeof(u64)];
	struct vmm_board board;
	struct vmm_layout layout;
	struct vmm_boot boot;
	__be32 size;
	int err;

	err = vmm_boot_open(&boot, cfg);
	if (err)
		return err;
	err = vmm_kernel_layout(cfg, &boot, &layout);
	vmm_boot_close(&boot);
	if (err)
		return err;
	vmm_board_arm64(&board, cfg);
	err = vmm_fdt_build(&board, cfg, gic, &layout, blob, sizeof(blob));
	if (err)
		return err;
	/* The second word of the header is the number of bytes that are used. */
	memcpy(&size, (u8 *)blob + 4, sizeof(size));
	return dtb_write(cfg->output, (u8 *)blob, be32toh(size));
}
