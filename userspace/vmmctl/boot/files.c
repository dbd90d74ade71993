// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files that a guest starts from. They are opened once and read at each boot: a
 * reset opens nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/boot.h"
#include "host/ending.h"
#include "machine/machine.h"

/* Read in parts, so that a signal which ends vmmctl does not wait for a whole kernel. */
#define READ_AT_ONCE	(2 << 20)

static int file_open(struct vmm_boot_file *file, const char *path)
{
	struct stat st;

	file->path = path;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return vmm_error(errno, "cannot open %s", path);
	if (fstat(file->fd, &st) || !S_ISREG(st.st_mode))
		return vmm_error(-EINVAL, "%s is not a regular file", path);
	return 0;
}

static void file_close(struct vmm_boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/**
 * vmm_boot_open - open the files that a guest starts from
 * @boot: filled
 * @cfg: has their paths; both may be missing
 *
 * Return: 0, or -errno after a message with nothing left open
 */
int vmm_boot_open(struct vmm_boot *boot, const struct vmm_config *cfg)
{
	int err = 0;

	*boot = (struct vmm_boot){ .kernel.fd = -1, .initrd.fd = -1 };
	if (cfg->kernel)
		err = file_open(&boot->kernel, cfg->kernel);
	if (!err && cfg->initrd)
		err = file_open(&boot->initrd, cfg->initrd);
	if (err)
		vmm_boot_close(boot);
	return err;
}

/**
 * vmm_boot_close - undo vmm_boot_open()
 * @boot: may have been closed already
 */
void vmm_boot_close(struct vmm_boot *boot)
{
	file_close(&boot->kernel);
	file_close(&boot->initrd);
}

/**
 * vmm_boot_file_size - read the current size of a file
 * @file: open; it may have changed since it was opened
 * @size: filled: bytes
 *
 * Return: 0, or -errno after a message
 */
int vmm_boot_file_size(const struct vmm_boot_file *file, u64 *size)
{
	struct stat st;

	if (fstat(file->fd, &st))
		return vmm_error(errno, "%s", file->path);
	*size = st.st_size;
	return 0;
}

/**
 * vmm_boot_file_read - read a part of a file
 * @file: open
 * @offset: where the part begins
 * @to: filled
 * @size: bytes; it is an error if there are fewer
 *
 * Return: 0, or -errno after a message; -EINTR without one if a signal ends vmmctl
 */
int vmm_boot_file_read(const struct vmm_boot_file *file, u64 offset, void *to, u64 size)
{
	u64 done = 0;

	while (done < size) {
		u64 piece = size - done < READ_AT_ONCE ? size - done : READ_AT_ONCE;
		ssize_t n;

		if (vmm_ending_signal())
			return -EINTR;
		n = pread(file->fd, (u8 *)to + done, piece, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_error(errno, "cannot read %s", file->path);
		if (!n)
			return vmm_error(-EIO, "%s became shorter while it was read", file->path);
		done += n;
	}
	return 0;
}

/**
 * vmm_boot_initrd_size - read the current size of the initrd
 * @boot: the files
 * @size: filled: bytes, 0 for none
 *
 * Return: 0, or -errno after a message; an empty initrd is an error
 */
int vmm_boot_initrd_size(const struct vmm_boot *boot, u64 *size)
{
	int err;

	*size = 0;
	if (boot->initrd.fd < 0)
		return 0;
	err = vmm_boot_file_size(&boot->initrd, size);
	if (!err && !*size)
		err = vmm_error(-EINVAL, "%s is empty", boot->initrd.path);
	return err;
}

/**
 * vmm_boot_file_load - read a part of a file into guest RAM
 * @file: open
 * @offset: where the part begins
 * @mem: guest RAM
 * @gpa: guest physical address of the bytes
 * @size: bytes
 *
 * Return: 0, or -errno after a message
 */
int vmm_boot_file_load(const struct vmm_boot_file *file, u64 offset, const struct vmm_mem *mem,
		       u64 gpa, u64 size)
{
	void *to = vmm_mem_ptr(mem, gpa, size);

	if (!to)
		return vmm_error(-ENOSPC, "%s does not fit the guest's RAM", file->path);
	return vmm_boot_file_read(file, offset, to, size);
}
