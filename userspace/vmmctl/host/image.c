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
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "host/image.h"
#include "host/overlay.h"
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

/**
 * vmm_image_path - return the path of the file that is opened for a disk
 * @disk: the disk
 *
 * Return: its image, or the copy that the VM uses instead
 */
const char *vmm_image_path(const struct vmm_disk *disk)
{
	return disk->copy ? disk->copy->path : disk->path;
}

/* Returns whether an earlier disk has the same image, under any name, and one is writable. */
static bool image_is_ours(const struct vmm_images *images, const struct vmm_disk *disks)
{
	const struct vmm_disk *disk = &disks[images->count];
	struct stat st, other;
	unsigned int i;

	if (stat(vmm_image_path(disk), &st))
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
 * @images: empty, or as vmm_images_copy() left it; filled
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
		if (image_is_ours(images, cfg->disk))
			return vmm_error(-EINVAL, "--disk: %s is given twice", disk->path);
		fd = vmm_image_open(vmm_image_path(disk), disk->readonly, false);
		if (fd < 0)
			return fd;
		images->fd[images->count] = fd;
	}
	return 0;
}

static void copy_drop(struct vmm_image_copy *copy)
{
	if (!copy)
		return;
	vmm_overlay_free(copy->overlay);
	if (copy->fd >= 0)
		close(copy->fd);
	if (copy->base >= 0)
		close(copy->base);
	free(copy);
}

/**
 * vmm_images_unlock - unlock the images
 * @images: was filled
 */
void vmm_images_unlock(struct vmm_images *images)
{
	unsigned int i;

	for (i = 0; i < images->count; i++)
		close(images->fd[i]);
	for (i = 0; i < VMM_DISKS; i++) {
		copy_drop(images->copy[i]);
		images->copy[i] = NULL;
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
	const struct vmm_image_copy *copy = images->copy[index];
	json_t *here;
	int err;

	/* What the snapshot has of it is what it was. */
	if (copy && copy->saved)
		return 0;
	here = vmm_image_describe(copy ? copy->base : images->fd[index]);
	err = here ? image_compare(there, here, path) : -EIO;
	json_decref(here);
	return err;
}

/* Returns whether the VM can use the image itself: it is not in use, and has not changed. */
static bool image_is_unchanged(const char *path, const json_t *there)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	json_t *here = fd < 0 ? NULL : vmm_image_describe(fd);
	struct stat st;
	/* A write to a block device does not change its modification time. */
	bool same = here && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    json_equal(json_object_get(there, "size"), json_object_get(here, "size")) &&
		    json_equal(json_object_get(there, "mtime"), json_object_get(here, "mtime"));
	int err = same ? vmm_image_lock(fd, false) : 0;

	json_decref(here);
	if (fd >= 0)
		close(fd);
	return same && (!err || without_locks(err));
}

/* Creates an unnamed file in a directory; it is freed with its last user. */
static int unnamed_in(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static void folder_of(const char *path, char folder[PATH_MAX])
{
	char *slash;

	snprintf(folder, PATH_MAX, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, PATH_MAX, ".");
	else
		slash[slash == folder] = '\0';
}

/* Copies an image by sharing its blocks (reflink). */
static bool copy_at_once(struct vmm_image_copy *copy, const char *folder)
{
	copy->fd = unnamed_in(folder);
	if (copy->fd >= 0 && !ioctl(copy->fd, FICLONE, copy->base))
		return true;
	if (copy->fd >= 0)
		close(copy->fd);
	copy->fd = -1;
	return false;
}

/* Creates an overlay: a private file gets what the guest writes. For all file systems. */
static int copy_overlay(struct vmm_image_copy *copy, const struct vmm_disk *disk,
			const char *folder)
{
	const char *const places[] = { folder, getenv("TMPDIR"), "/var/tmp" };
	off_t size = lseek(copy->base, 0, SEEK_END);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places) && copy->fd < 0; i++) {
		folder = places[i];
		copy->fd = folder && *folder ? unnamed_in(folder) : -1;
	}
	if (copy->fd >= 0 && size >= 0)
		copy->overlay = vmm_overlay_create(copy->base, copy->fd, size);
	if (!copy->overlay)
		return vmm_error(errno, "no file in %s or /var/tmp for what the guest writes to %s",
				 places[0], disk->path);
	vmm_note("%s is not copied at once (no reflinks): vmmctl serves it, with an overlay in %s",
		 disk->path, folder);
	return 0;
}

/* Opens and locks the file below the copy, so that no other VM writes to it. */
static int copy_base(struct vmm_image_copy *copy, const struct vmm_disk *disk, int saved)
{
	int err;

	if (saved < 0) {
		copy->base = vmm_image_open(disk->path, true, false);
		return copy->base < 0 ? copy->base : 0;
	}
	copy->saved = true;
	copy->base = fcntl(saved, F_DUPFD_CLOEXEC, 0);
	if (copy->base < 0)
		return vmm_error(errno, "snapshot: the copy of %s", disk->path);
	err = vmm_image_lock(copy->base, true);
	if (!err || without_locks(err))
		return 0;
	return vmm_error(-err, "snapshot: somebody writes to its copy of %s", disk->path);
}

/* @saved: the disk's file in the snapshot @from, or -1 */
static int image_copy(struct vmm_image_copy **place, struct vmm_disk *disk, int saved,
		      const char *from)
{
	struct vmm_image_copy *copy = calloc(1, sizeof(*copy));
	char folder[PATH_MAX];
	int err;

	if (!copy)
		return vmm_error(ENOMEM, "--disk: %s", disk->path);
	copy->base = -1;
	copy->fd = -1;
	*place = copy;
	err = copy_base(copy, disk, saved);
	if (err)
		return err;
	if (saved >= 0)
		snprintf(folder, sizeof(folder), "%s", from);
	else
		folder_of(disk->path, folder);
	if (!copy_at_once(copy, folder))
		err = copy_overlay(copy, disk, folder);
	snprintf(copy->path, sizeof(copy->path), "/proc/self/fd/%d", copy->fd);
	disk->copy = copy;
	return err;
}

static void note_changed(const char *path)
{
	vmm_note("%s is not as it was: the guest has the snapshot's copy, which ends with it",
		 path);
}

/**
 * vmm_images_copy - copy the writable disks of a VM that starts from a snapshot
 * @images: empty; filled with the copies; vmm_images_lock() comes next
 * @cfg: its disks get the copies
 * @past: what the snapshot has of each disk
 * @count: number of elements of @past
 *
 * A clone gets a copy of each writable disk. Another VM gets a copy if the image has changed since
 * the snapshot and the snapshot has the disk. A copy shares blocks until they are written to; on a
 * file system that cannot do that, it is an overlay. The copy is freed when the VM ends.
 *
 * Return: 0, or -errno after a message; vmm_images_unlock() must be called in any case
 */
int vmm_images_copy(struct vmm_images *images, struct vmm_config *cfg,
		    const struct vmm_image_past *past, unsigned int count)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < cfg->disks && !err; i++) {
		struct vmm_disk *disk = &cfg->disk[i];
		int saved = i < count ? past[i].fd : -1;

		if (disk->readonly)
			continue;
		if (!cfg->clone && (saved < 0 || image_is_unchanged(disk->path, past[i].about)))
			continue;
		if (!cfg->clone)
			note_changed(disk->path);
		err = image_copy(&images->copy[i], disk, saved, cfg->from);
	}
	return err;
}
