// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image: which files can be one, and the open file that the disk has of its
 * own. Whoever shares the file that SET_BACKEND named can change its flags at any
 * time (F_SETFL: O_APPEND, O_DIRECT), and must not change those of the disk.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/magic.h>

#include "ranchu_blk.h"

/* How the image was opened decides how the disk uses it; O_APPEND is never wanted. */
#define IMAGE_FLAGS (O_DIRECT | O_DSYNC | __O_SYNC | O_NOATIME)

static int image_check(const struct file *file, u32 flags)
{
	umode_t mode = file_inode(file)->i_mode;

	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return -ENOTBLK;
	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_CAN_READ))
		return -EBADF;
	if (!(flags & VHOST_RANCHU_BLK_READONLY) &&
	    (!(file->f_mode & FMODE_WRITE) || !(file->f_mode & FMODE_CAN_WRITE)))
		return -EROFS;
	/* The caller wants writes to land where the file ends: not on a disk. */
	return file->f_flags & O_APPEND ? -EINVAL : 0;
}

/* With no more rights than @file gives, and those of whoever opened @file. */
static struct file *image_reopen(const struct file *file, u32 flags)
{
	int mode = flags & VHOST_RANCHU_BLK_READONLY ? O_RDONLY : O_RDWR;
	struct file *own;

	/* The time of a read would be written in the vCPU that reads, by a journal maybe. */
	own = dentry_open(&file->f_path,
			  mode | O_LARGEFILE | O_NOATIME | (file->f_flags & IMAGE_FLAGS),
			  file->f_cred);
	if (IS_ERR(own))
		return own;
	if (own->f_op->read_iter && (mode == O_RDONLY || own->f_op->write_iter))
		return own;
	fput(own);
	return ERR_PTR(-EBADF);
}

/**
 * ranchu_blk_image_take() - open an image
 * @image: filled
 * @fd: the caller's file
 * @flags: of VHOST_RANCHU_BLK_...
 *
 * Context: the owner's process; may sleep, as an open() may.
 * Return:
 * * 0: done
 * * -EBADF: no such file, or one that cannot be read
 * * -ENOTBLK: neither a regular file nor a block device
 * * -EROFS: it cannot be written, and @flags do not say READONLY
 * * -EINVAL: it was opened to append
 * * what opening it again fails with
 */
int ranchu_blk_image_take(struct blk_image *image, int fd, u32 flags)
{
	struct file *given = fget(fd), *file;
	int err;

	if (!given)
		return -EBADF;
	err = image_check(given, flags);
	if (err) {
		fput(given);
		return err;
	}
	file = image_reopen(given, flags);
	fput(given);
	if (IS_ERR(file))
		return PTR_ERR(file);
	*image = (struct blk_image){
		.file = file,
		.ki_flags = iocb_flags(file),
		/*
		 * Not so a block device: only its node, which is file_inode(), is in
		 * such a file system.
		 */
		.in_memory = file->f_mapping->host->i_sb->s_magic == TMPFS_MAGIC,
		/* It is open to be written, so this does not change any more. */
		.below = d_real_inode(file->f_path.dentry)->i_sb,
	};
	/* As mmap() does it: from here on F_SEAL_WRITE is refused with EBUSY. */
	image->map_writable = image->in_memory && file->f_mode & FMODE_WRITE &&
			      !mapping_map_writable(file->f_mapping);
	return 0;
}

/**
 * ranchu_blk_image_drop() - close an image
 * @image: may be none; is none afterwards
 *
 * Context: no request uses it; may sleep.
 */
void ranchu_blk_image_drop(struct blk_image *image)
{
	if (image->map_writable)
		mapping_unmap_writable(image->file->f_mapping);
	if (image->file)
		fput(image->file);
	*image = (struct blk_image){};
}

/**
 * ranchu_blk_image_size() - look at an image's size
 * @image: the image
 *
 * Return: bytes.
 */
u64 ranchu_blk_image_size(const struct blk_image *image)
{
	return i_size_read(image->file->f_mapping->host);
}

/**
 * ranchu_blk_image_block() - say in what units an image is discarded and zeroed
 * @image: the image
 *
 * Return: bytes, a power of two; less than a whole one is refused.
 */
u32 ranchu_blk_image_block(const struct blk_image *image)
{
	struct inode *inode = image->file->f_mapping->host;

	/* A file system zeroes part of a block itself. */
	if (!S_ISBLK(inode->i_mode))
		return SECTOR_SIZE;
	return max_t(u32, bdev_logical_block_size(I_BDEV(inode)), SECTOR_SIZE);
}
