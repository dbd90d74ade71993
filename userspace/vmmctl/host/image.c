// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk images and their locks. A lock belongs to the open file: it is kept for as
 * long as anyone has that file, the kernel's devices included, and goes with it.
 * A writer has the image alone; any number of readers may share it.
 *
 * Locks are advice: programs that take none are not kept out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/image.h"
#include "machine/machine.h"

/**
 * vmm_image_lock - lock an image
 * @fd: the open image
 * @readonly: it is not written to
 *
 * Return: 0, -EAGAIN if another process has it, or -errno; no message
 */
int vmm_image_lock(int fd, bool readonly)
{
	struct flock lock = { .l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* Some file systems have no locks at all. */
static bool without_locks(int err)
{
	return err == -ENOLCK || err == -EOPNOTSUPP;
}

/**
 * vmm_image_open - open an image and lock it
 * @path: file or block device
 * @readonly: it is not written to
 * @direct: past the host's cache
 *
 * Return: the file, or -errno after a message
 */
int vmm_image_open(const char *path, bool readonly, bool direct)
{
	int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0) | O_CLOEXEC);
	int err;

	if (fd < 0)
		return vmm_error(errno, "--disk: cannot open %s", path);
	err = vmm_image_lock(fd, readonly);
	if (!err)
		return fd;
	if (without_locks(err)) {
		vmm_note("%s cannot be locked: take care that nobody else writes to it", path);
		return fd;
	}
	close(fd);
	if (err != -EAGAIN)
		return vmm_error(-err, "--disk: cannot lock %s", path);
	if (readonly)
		return vmm_error(err, "--disk: another guest writes to %s", path);
	return vmm_error(err, "--disk: another guest has %s (readonly guests can share an image)",
			 path);
}

/* Whether a disk's image is an earlier disk's, by whatever name, and one writes to it. */
static bool image_is_ours(const struct vmm_images *images, const struct vmm_disk *disks)
{
	const struct vmm_disk *disk = &disks[images->count];
	struct stat st, other;
	unsigned int i;

	if (stat(disk->path, &st))
		return false;
	for (i = 0; i < images->count; i++) {
		if ((disk->readonly && disks[i].readonly) || fstat(images->fd[i], &other))
			continue;
		if (S_ISBLK(st.st_mode) ? st.st_rdev == other.st_rdev && S_ISBLK(other.st_mode) :
					  st.st_ino == other.st_ino && st.st_dev == other.st_dev)
			return true;
	}
	return false;
}

/**
 * vmm_images_lock - lock all images of a VM, for as long as it lives
 * @images: filled
 * @cfg: the command line
 *
 * The locks are held by files of their own, so that they outlast the guest's reset.
 *
 * Return: 0, or -errno after a message; vmm_images_unlock() is due in any case
 */
int vmm_images_lock(struct vmm_images *images, const struct vmm_config *cfg)
{
	const struct vmm_disk *disk = cfg->disk;
	int fd;

	for (images->count = 0; images->count < cfg->disks; images->count++, disk++) {
		if (image_is_ours(images, cfg->disk))
			return vmm_error(-EINVAL, "--disk: %s is given twice", disk->path);
		fd = vmm_image_open(disk->path, disk->readonly, false);
		if (fd < 0)
			return fd;
		images->fd[images->count] = fd;
	}
	return 0;
}

/**
 * vmm_images_unlock - let others have the images
 * @images: was filled
 */
void vmm_images_unlock(struct vmm_images *images)
{
	while (images->count)
		close(images->fd[--images->count]);
}
