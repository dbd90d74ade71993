// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk is at the moment of a snapshot, as a raw image: by a copy that shares all
 * blocks, where the file system has such copies, or else byte for byte, with holes where
 * the disk has zeros. And back: the disk of a running VM becomes what such an image is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "host/file.h"
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
	return vmm_file_read_at(disk->fd, bytes, len, at);
}

/* Pages that are zero stay holes. */
static int pages_write(int fd, const u8 *bytes, size_t len, u64 at)
{
	size_t done, page;
	int err = 0;

	for (done = 0; done < len && !err; done += page) {
		page = len - done < PAGE ? len - done : PAGE;
		if (page < PAGE || !vmm_page_is_zero(bytes + done))
			err = vmm_file_write_at(fd, bytes + done, page, at + done);
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

/* Makes a part of an image zero: by a hole, or by zeros where a file system has no holes. */
static int zero(int fd, u64 at, u64 len)
{
	static const u8 zeros[64 * KIB];
	u64 done, n;
	int err = 0;

	if (!len || !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len))
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	for (done = 0; done < len && !err; done += n) {
		n = len - done < sizeof(zeros) ? len - done : sizeof(zeros);
		err = vmm_file_write_at(fd, zeros, n, at + done);
	}
	return err;
}

/* Copies all of @from to @to, which is as long: what is a hole there becomes zero here. */
static int image_copy(int from, int to, u64 size, u8 *bytes)
{
	u64 at, len, next;
	int err;

	next = next_data(from, 0, size);
	err = zero(to, 0, next);
	for (at = next; at < size && !err; at = next) {
		len = size - at < RUN ? size - at : RUN;
		err = vmm_file_read_at(from, bytes, len, at);
		if (!err)
			err = vmm_file_write_at(to, bytes, len, at);
		next = at + len < size ? next_data(from, at + len, size) : size;
		if (!err)
			err = zero(to, at + len, next - at - len);
	}
	return err;
}

/* The overlay becomes empty, and another file is below it, by the number that users know. */
static int overlay_back(const struct vmm_image_copy *copy, int fd)
{
	if (dup3(fd, copy->base, O_CLOEXEC) < 0)
		return -errno;
	return vmm_overlay_clear(copy->overlay);
}

/**
 * vmm_disk_back - give a disk the content that a snapshot has of it
 * @images: of the VM; nobody uses them meanwhile
 * @index: of the disk
 * @fd: what the snapshot has, as long as the disk
 *
 * What was written is on the host's disk afterwards: the guest may have flushed it.
 *
 * Context: a job.
 * Return: 0, or -errno; no message
 */
int vmm_disk_back(const struct vmm_images *images, unsigned int index, int fd)
{
	const struct vmm_image_copy *copy = images->copy[index];
	int to = images->fd[index];
	u64 size = 0;
	u8 *bytes;
	int err;

	if (copy && copy->overlay)
		return overlay_back(copy, fd);
	err = vmm_disk_size(images, index, &size);
	if (err)
		return err;
	if (ioctl(to, FICLONE, fd)) {
		bytes = malloc(RUN);
		err = bytes ? image_copy(fd, to, size, bytes) : -ENOMEM;
		free(bytes);
	}
	return !err && fdatasync(to) ? -errno : err;
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
