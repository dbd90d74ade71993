// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seals the files of a snapshot: after vmm_seal() no process can write to them. The VM got the
 * files open for writing, and may keep them open if a guest has taken the process over; clones
 * map guest RAM from them, page by page, long after the snapshot was made.
 *
 * The kernel grants a read lease only while no open file and no mapping can write to the file.
 * The VM cannot open the file again, because its sandbox allows no open(). If the leases of the
 * file system are not known to count both, the file is replaced by a copy that the VM has never
 * had open.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control/seal.h"
#include "host/file.h"
#include "snapshot/snapshot.h"

#define SEAL_TRIES	40	/* attempts, while the last writer is closing the file */
#define SEAL_PAUSE_US	25000	/* between attempts */
#define SEAL_PIECE	(1 * MIB)	/* bytes that are copied at once */
#define SEAL_GRAIN	4096	/* bytes; a block of zeros becomes a hole */

/*
 * File systems whose leases count open files and mappings. overlayfs is missing: it maps another
 * file than the one that it opens.
 */
static const unsigned int leases[] = {
	EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC,
	RAMFS_MAGIC,
};

static bool has_leases(int fd)
{
	struct statfs st;
	unsigned int i;

	for (i = 0; !fstatfs(fd, &st) && i < ARRAY_SIZE(leases); i++) {
		if ((unsigned int)st.f_type == leases[i])
			return true;
	}
	return false;
}

/* Returns 0 if no process can write to the file, -EAGAIN if one can, another -errno if unknown. */
static int lease(int fd)
{
	unsigned int i;

	for (i = 0; i < SEAL_TRIES; i++) {
		if (!fcntl(fd, F_SETLEASE, F_RDLCK))
			return fcntl(fd, F_SETLEASE, F_UNLCK) ? -errno : 0;
		if (errno != EAGAIN)
			return -errno;
		usleep(SEAL_PAUSE_US);
	}
	return -EAGAIN;
}

/* ---- a copy, for file systems without such leases ---- */

static bool is_zero(const u8 *bytes, size_t len)
{
	return !*bytes && !memcmp(bytes, bytes + 1, len - 1);
}

/* Writes all but blocks of zeros, which stay holes. */
static int piece_write(int to, const u8 *bytes, size_t len, u64 at)
{
	size_t done, n;
	int err = 0;

	for (done = 0; done < len && !err; done += n) {
		n = len - done < SEAL_GRAIN ? len - done : SEAL_GRAIN;
		if (!is_zero(bytes + done, n))
			err = vmm_file_write_at(to, bytes + done, n, at + done);
	}
	return err;
}

static int copy(int from, int to)
{
	u8 *bytes = malloc(SEAL_PIECE);
	struct stat st;
	int err = bytes ? 0 : -ENOMEM;
	off_t at = 0;

	if (!err && fstat(from, &st))
		err = -errno;
	while (!err && at < st.st_size) {
		off_t data = lseek(from, at, SEEK_DATA);
		size_t len;

		if (data < 0 && errno == ENXIO)
			break;
		/* Without SEEK_DATA, all of the file is data. */
		at = data < 0 ? at : data;
		len = st.st_size - at < (off_t)SEAL_PIECE ? st.st_size - at : (off_t)SEAL_PIECE;
		err = vmm_file_read_at(from, bytes, len, at);
		if (!err)
			err = piece_write(to, bytes, len, at);
		at += len;
	}
	if (!err && ftruncate(to, st.st_size))
		err = -errno;
	free(bytes);
	return err;
}

/* Returns the copy, which has taken over the name and is open for reading only, or -errno. */
static int replace(int dir, const char *name, int from)
{
	int err, fd;

	fd = openat(dir, VMM_SEAL_COPY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = copy(from, fd);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(dir, VMM_SEAL_COPY, dir, name))
		err = -errno;
	if (err) {
		unlinkat(dir, VMM_SEAL_COPY, 0);
		return err;
	}
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/**
 * vmm_seal - make sure that no process can write to a file any more
 * @dir: its directory
 * @name: its name there
 * @fd: the file, open for writing; closed, and set to the same file opened for reading
 *
 * Return: 0, or -errno after a message; -EAGAIN if a process can still write to it
 */
int vmm_seal(int dir, const char *name, int *fd)
{
	int err;

	close(*fd);
	*fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0)
		return vmm_error(errno, "snapshot: cannot open %s", name);
	err = has_leases(*fd) ? lease(*fd) : -EINVAL;
	if (err == -EAGAIN)
		return vmm_error(err, "snapshot: the VM can still write to %s", name);
	if (!err)
		return 0;
	err = replace(dir, name, *fd);
	close(*fd);
	*fd = err;
	return err < 0 ? vmm_error(-err, "snapshot: cannot copy %s", name) : 0;
}
