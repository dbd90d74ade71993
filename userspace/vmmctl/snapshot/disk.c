// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk is at the moment of a snapshot, as a raw image: by a copy that shares all
 * blocks, where the file system has such copies, or else byte for byte, with holes where
 * the disk has zeros.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>

#include "host/image.h"
#include "host/overlay.h"
#include "snapshot/snapshot.h"

#define PAGE	VMM_PAGE_SIZE
#define RUN	(256 * KIB)	/* bytes that are read at once */

/**
 * struct disk - a disk that is read
 * @fd: its image, or what a guest has written to @overlay
 * @overlay: where it is in two files, or NULL
 * @size: bytes
 */
struct disk {
	int fd;
	const struct vmm_overlay *overlay;
	u64 size;
};

/**
 * vmm_disk_size - measure a disk
 * @images: of the VM
 * @index: of the disk
 * @size: filled: bytes of its image
 *
 * Return: 0, or -errno
 */
int vmm_disk_size(const struct vmm_images *images, unsigned int index, u64 *size)
{
	off_t end = lseek(images->fd[index], 0, SEEK_END);

	if (end < 0)
		return -errno;
	*size = end;
	return 0;
}

/* Where a file has something that is no hole, from @at on; @size if nowhere. */
static u64 next_data(int fd, u64 at, u64 size)
{
	off_t data = lseek(fd, at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return (u64)data < size ? (u64)data / PAGE * PAGE : size;
}

static u64 disk_next(const struct disk *disk, u64 at)
{
	u64 next = next_data(disk->fd, at, disk->size);
	u64 below;

	if (!disk->overlay)
		return next;
	below = next_data(disk->overlay->base, at, disk->size);
	return below < next ? below : next;
}

static int disk_read(const struct disk *disk, u8 *bytes, size_t len, u64 at)
{
	if (disk->overlay)
		return vmm_overlay_read(disk->overlay, bytes, len, at);
	return vmm_snapshot_read(disk->fd, bytes, len, at);
}

/* Pages that are zero stay holes. */
static int pages_write(int fd, const u8 *bytes, size_t len, u64 at)
{
	size_t done, page;
	int err = 0;

	for (done = 0; done < len && !err; done += page) {
		page = len - done < PAGE ? len - done : PAGE;
		if (page < PAGE || !vmm_page_is_zero(bytes + done))
			err = vmm_snapshot_write(fd, bytes + done, page, at + done);
	}
	return err;
}

static int disk_copy(const struct disk *disk, int fd, u8 *bytes, const bool *stop)
{
	u64 at, len;
	int err = 0;

	for (at = disk_next(disk, 0); at < disk->size && !err; at = disk_next(disk, at + len)) {
		len = disk->size - at < RUN ? disk->size - at : RUN;
		if (__atomic_load_n(stop, __ATOMIC_RELAXED))
			return -ECANCELED;
		err = disk_read(disk, bytes, len, at);
		if (!err)
			err = pages_write(fd, bytes, len, at);
		if (at + len >= disk->size)
			break;
	}
	return err;
}

/**
 * vmm_disk_write - write what a disk is
 * @images: of the VM; nobody writes to them
 * @index: of the disk
 * @fd: an empty file
 * @stop: set by another thread: it is not wanted any more
 *
 * Context: a job.
 * Return: 0, -ECANCELED if it was stopped, or -errno; no message
 */
int vmm_disk_write(const struct vmm_images *images, unsigned int index, int fd, const bool *stop)
{
	const struct vmm_image_copy *copy = images->copy[index];
	struct disk disk = {
		.fd = images->fd[index], .overlay = copy ? copy->overlay : NULL,
	};
	u8 *bytes;
	int err = vmm_disk_size(images, index, &disk.size);

	if (err)
		return err;
	if (!disk.overlay && !ioctl(fd, FICLONE, disk.fd))
		return 0;
	/* A copy that failed may have begun. */
	if (ftruncate(fd, 0) || ftruncate(fd, disk.size))
		return -errno;
	bytes = malloc(RUN);
	if (!bytes)
		return -ENOMEM;
	err = disk_copy(&disk, fd, bytes, stop);
	free(bytes);
	return err;
}
