// SPDX-License-Identifier: GPL-2.0-only
/*
 * qcow2 images. vmmctl supports raw disks only. The emulator stores its guest's writes in
 * overlays, which qemu-img converts to raw images. A file with a qcow2 header is never used as
 * a raw one.
 *
 * An overlay names its backing file, and a header may name a data file as well: a guest, or
 * the author of an AVD, could name any file of the user. So the header is checked first, and
 * qemu-img gets the backing file explicitly.
 *
 * Source: QEMU docs/interop/qcow2.txt (10.0).
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"

#define MAGIC		"QFI\xfb"
#define HEADER_BYTES	80	/* up to the incompatible features */
#define HEADER_OLD	72	/* bytes of a version 2 header */
#define NAME_BYTES	1023	/* bytes of a backing file's name, at most */
#define DATA_IS_OUTSIDE	(1 << 2)	/* incompatible feature */

static u64 big_endian(const u8 *bytes, unsigned int count)
{
	u64 value = 0;

	while (count--)
		value = value << 8 | *bytes++;
	return value;
}

/* Opens a file for reading, non-blocking: opening a pipe would wait for a writer. */
static int image_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? vmm_error(errno, "avd: cannot open %s", path) : fd;
}

/**
 * vmm_avd_is_qcow2 - return whether an open file has a qcow2 header
 * @fd: the file
 *
 * Return: whether it has
 */
bool vmm_avd_is_qcow2(int fd)
{
	char bytes[4];

	return pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
	       !memcmp(bytes, MAGIC, sizeof(bytes));
}

/**
 * vmm_avd_raw - refuse an image that is not a raw one
 * @path: path of the image, which exists
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_raw(const char *path)
{
	int fd = image_open(path);
	int err = 0;

	if (fd < 0)
		return fd;
	if (vmm_avd_is_qcow2(fd))
		err = vmm_error(-EINVAL,
				"avd: %s is a qcow2 image, and a raw one is needed: \"qemu-img convert -O raw\" makes it",
				path);
	close(fd);
	return err;
}

/* Reads the name of the backing file; "" if there is none. */
static int header_read(int fd, const char *path, char backing[NAME_BYTES + 1])
{
	u8 header[HEADER_BYTES] = { 0 };
	u64 version, offset, len;

	*backing = '\0';
	if (pread(fd, header, sizeof(header), 0) < HEADER_OLD || !vmm_avd_is_qcow2(fd))
		return vmm_error(-EINVAL, "avd: %s is not a qcow2 image", path);
	version = big_endian(header + 4, 4);
	offset = big_endian(header + 8, 8);
	len = big_endian(header + 16, 4);
	if (version != 2 && version != 3)
		return vmm_error(-EINVAL, "avd: %s is qcow2 of version %llu, not 2 or 3", path,
				 version);
	if (version == 3 && (big_endian(header + 72, 8) & DATA_IS_OUTSIDE))
		return vmm_error(-EINVAL, "avd: %s has its data in another file", path);
	if (!offset)
		return 0;
	if (len > NAME_BYTES || offset >> 62 ||
	    pread(fd, backing, len, offset) != (ssize_t)len || memchr(backing, '\0', len))
		return vmm_error(-EINVAL, "avd: %s has a damaged header", path);
	backing[len] = '\0';
	return 0;
}

static bool same_file(const char *one, const char *other)
{
	struct stat st, st2;

	return !stat(one, &st) && !stat(other, &st2) && st.st_dev == st2.st_dev &&
	       st.st_ino == st2.st_ino;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * The backing file must be the one of which the emulator makes overlays. If the AVD was moved,
 * the path in the header does not exist, and only the last part of the name is compared.
 */
static int backing_check(const struct vmm_avd_disk *disk, const char *backing)
{
	char folder[PATH_MAX], path[PATH_MAX];

	if (!*backing)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(last_part(disk->from) - disk->from),
		 disk->from);
	if (*disk->backing && !vmm_avd_path(path, folder, backing)) {
		if (same_file(path, disk->backing))
			return vmm_avd_raw(disk->backing);
		if (access(path, F_OK) && errno == ENOENT && !access(disk->backing, F_OK) &&
		    !strcmp(last_part(backing), last_part(disk->backing)))
			return vmm_avd_raw(disk->backing);
	}
	return vmm_error(-EINVAL, "avd: %s is an overlay of %.200s, which is not the AVD's own",
			 disk->from, backing);
}

/* Describes an open file of this process for qemu-img. */
static json_t *file_of(int fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), fd);
	return json_pack("{s:s, s:s}", "driver", "file", "filename", name);
}

/* Gives qemu-img formats and files explicitly, so that it detects and follows nothing. */
static int convert(int image, int backing, const char *to)
{
	json_t *under = backing < 0 ? json_null() :
			json_pack("{s:s, s:o}", "driver", "raw", "file", file_of(backing));
	json_t *root = json_pack("{s:s, s:o, s:o}", "driver", "qcow2", "file", file_of(image),
				 "backing", under);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	char *source = NULL;
	int err = -ENOMEM;

	if (text && asprintf(&source, "json:%s", text) >= 0) {
		const char *const argv[] = {
			"qemu-img", "convert", "-O", "raw", source, to, NULL
		};

		err = vmm_avd_program(argv, 0);
		free(source);
	} else {
		vmm_error(err, "avd: qemu-img");
	}
	free(text);
	json_decref(root);
	return err;
}

/**
 * vmm_avd_convert - convert an overlay of the emulator to a raw image
 * @disk: the disk, whose @from is the overlay
 * @to: the raw image, an empty file
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_convert(const struct vmm_avd_disk *disk, const char *to)
{
	char name[NAME_BYTES + 1];
	int image = image_open(disk->from);
	int backing = -1;
	int err = image < 0 ? image : header_read(image, disk->from, name);

	if (!err)
		err = backing_check(disk, name);
	if (!err && *name) {
		backing = image_open(disk->backing);
		err = backing < 0 ? backing : 0;
	}
	if (!err)
		err = convert(image, backing, to);
	if (image >= 0)
		close(image);
	if (backing >= 0)
		close(backing);
	return err;
}
