// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's files, as userspace hands them in: what is not KVM's is refused, because the
 * ioctls of what is are called.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/string.h>

#include "ranchu_private.h"

/* Only the kernel names such files. */
static bool kvm_file_is(const struct file *file, const char *name)
{
	const char *its = file->f_path.dentry->d_name.name;
	size_t len = strlen(name);

	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strncmp(its, name, len) && (!its[len] || its[len] == ':') &&
	       file->f_op->unlocked_ioctl;
}

/**
 * ranchu_kvm_file_get() - find a file of KVM's
 * @fd: of the calling process
 * @name: what KVM calls such files; a number may follow behind a colon
 *
 * Context: process.
 * Return: the file, which the caller puts, and which has an ioctl; or
 * * -EBADF: @fd is not open
 * * -EINVAL: another file
 */
struct file *ranchu_kvm_file_get(int fd, const char *name)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (kvm_file_is(file, name))
		return file;
	fput(file);
	return ERR_PTR(-EINVAL);
}
