// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk images and their locks. A lock belongs to the open file: it lasts as long as any process
 * or kernel device has that file open. A writer has an image alone; any number of readers can
 * share it.
 *
 * Locks are advisory: they do not stop programs that take none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "host/image.h"
#include "machine/machine.h"

/**
 * vmm_image_lock - lock an image
 * @fd: the open image
 * @readonly: the image is not written to
 *
 * Return: 0, -EAGAIN if another process has locked it, or -errno; no message
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
 * @direct: with O_DIRECT
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
		vmm_note("%s cannot be locked: take care that no other program writes to it", path);
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

/* Returns whether an earlier disk has the same image, under any name, and one is writable. */
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
 * The locks are on separately opened files, so that they survive a reset of the guest.
 *
 * Return: 0, or -errno after a message; vmm_images_unlock() must be called in any case
 */
int vmm_images_lock(struct vmm_images *images, const struct vmm_config *cfg)
{
	const struct vmm_disk *disk = cfg->disk;
	int fd;

	for (images->count = 0; images->count < cfg->disks; images->count++, disk++) {
		if (!cfg->clone)
			images->base[images->count] = -1;
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
 * vmm_images_unlock - unlock the images
 * @images: was filled
 */
void vmm_images_unlock(struct vmm_images *images)
{
	unsigned int i;

	for (i = 0; i < images->count; i++) {
		close(images->fd[i]);
		if (images->base[i] < 0)
			continue;
		close(images->base[i]);
		close(images->copy[i]);
	}
	images->count = 0;
}

/* ---- snapshots ---- */

static u64 nanoseconds(const struct timespec *time)
{
	return time->tv_sec * 1000000000ULL + time->tv_nsec;
}

/**
 * vmm_image_describe - describe an image for a manifest
 * @fd: the image
 *
 * A block device has the time of its node, which does not change when another program writes.
 *
 * Return: an object with its size and modification time, or NULL
 */
json_t *vmm_image_describe(int fd)
{
	struct stat st;
	u64 size;

	if (fstat(fd, &st))
		return NULL;
	size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &size))
		return NULL;
	return json_pack("{s:I, s:I}", "size", (json_int_t)size, "mtime",
			 (json_int_t)nanoseconds(&st.st_mtim));
}

static int image_compare(const json_t *there, const json_t *here, const char *path)
{
	static const char *const keys[] = { "size", "mtime" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!json_equal(json_object_get(there, keys[i]), json_object_get(here, keys[i])))
			return vmm_error(-EINVAL,
					 "snapshot: %s has changed since: \"%s\" differs", path,
					 keys[i]);
	}
	return 0;
}

/**
 * vmm_image_same - check that an image is unchanged since it was described
 * @images: of the VM
 * @index: which
 * @there: the description
 * @path: of the image, for messages
 *
 * Return: 0, or -errno after a message
 */
int vmm_image_same(const struct vmm_images *images, unsigned int index, const json_t *there,
		   const char *path)
{
	int fd = images->base[index] >= 0 ? images->base[index] : images->fd[index];
	json_t *here = vmm_image_describe(fd);
	int err = here ? image_compare(there, here, path) : -EIO;

	json_decref(here);
	return err;
}

/* Creates an unnamed file in the directory of @path; it is freed with its last user. */
static int unnamed_beside(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return -ENAMETOOLONG;
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Copies an image by sharing its blocks (reflink). */
static int image_copy(int base, const char *path)
{
	int fd = unnamed_beside(path);

	if (fd >= 0 && !ioctl(fd, FICLONE, base))
		return fd;
	vmm_error(fd < 0 ? -fd : errno,
		  "--clone: %s is writable, and its file system has no reflinks", path);
	if (fd >= 0)
		close(fd);
	return -EOPNOTSUPP;
}

/**
 * vmm_images_copy - copy the writable disks of a clone
 * @images: filled with the copies; vmm_images_lock() comes next
 * @cfg: its disks get the copies' paths
 *
 * A copy shares blocks until they are written to; not every file system can do that.
 *
 * Return: 0, or -errno after a message; vmm_images_unlock() must be called in any case
 */
int vmm_images_copy(struct vmm_images *images, struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->disks; i++)
		images->base[i] = -1;
	for (i = 0; i < cfg->disks; i++) {
		struct vmm_disk *disk = &cfg->disk[i];
		int copy;

		if (disk->readonly)
			continue;
		/* Locked, so that no other guest writes to it during the copy. */
		images->base[i] = vmm_image_open(disk->path, true, false);
		if (images->base[i] < 0)
			return images->base[i];
		copy = image_copy(images->base[i], disk->path);
		if (copy < 0)
			return copy;
		images->copy[i] = copy;
		snprintf(images->path[i], sizeof(images->path[i]), "/proc/self/fd/%d", copy);
		disk->path = images->path[i];
	}
	return 0;
}
