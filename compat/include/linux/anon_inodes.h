/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_ANON_INODES_H
#define _RANCHU_COMPAT_LINUX_ANON_INODES_H

#include_next <linux/anon_inodes.h>

/*
 * Before 6.8 no function that modules may call made an anonymous file with an inode
 * of its own. Here the file system is that of another anonymous file.
 */
#ifdef RANCHU_LACKS_ANON_INODE_CREATE_GETFILE
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>

/* @context is for security modules; ranchu gives none. */
static inline struct file *
anon_inode_create_getfile(const char *name, const struct file_operations *fops,
			  void *priv, int flags, const struct inode *context)
{
	static const struct file_operations none;
	struct file *other = anon_inode_getfile(name, &none, NULL, O_RDONLY);
	struct vfsmount *mnt;
	struct inode *inode;
	struct file *file;

	if (IS_ERR(other))
		return other;
	mnt = other->f_path.mnt;
	inode = alloc_anon_inode(mnt->mnt_sb);
	if (IS_ERR(inode)) {
		file = ERR_CAST(inode);
		goto out;
	}
	/* From here on the inode is the file's, and ends with it. */
	file = alloc_file_pseudo(inode, mnt, name, flags & (O_ACCMODE | O_NONBLOCK),
				 fops_get(fops));
	if (IS_ERR(file)) {
		fops_put(fops);
		iput(inode);
		goto out;
	}
	file->private_data = priv;
out:
	fput(other);
	return file;
}
#endif

#endif /* _RANCHU_COMPAT_LINUX_ANON_INODES_H */
