// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that a VM has written to, of which a snapshot is made: nobody may write to them any
 * more. The VM was given them open, and may keep them if a guest has taken it over; clones
 * map guest RAM from them, page by page as they need it.
 *
 * A read lease is granted only while no open file, and no mapping, can write to the file,
 * and in its sandbox the VM can open none. Where the file system has no leases that are
 * known to count both, a copy that the VM has never had takes the file's place.
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
#include "snapshot/snapshot.h"

#define SEAL_TRIES	40	/* for a file whose last user is just going */
#define SEAL_PAUSE_US	25000	/* between them */
#define SEAL_PIECE	(1 * MIB)	/* bytes that are copied at once */
#define SEAL_GRAIN	4096	/* bytes that are left out where all are zero */

/* overlayfs maps another file than the one that it has opened, and is not here. */
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

/* 0: nobody can write to it; -EAGAIN: somebody can; another -errno: it cannot be told. */
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

/* ---- where there are none ---- */

static bool is_zero(const u8 *bytes, size_t len)
{
	return !*bytes && !memcmp(bytes, bytes + 1, len - 1);
}

/* Zeros stay holes. */
static int piece_write(int to, const u8 *bytes, size_t len, u64 at)
{
	size_t done, n;
	int err = 0;

	for (done = 0; done < len && !err; done += n) {
		n = len - done < SEAL_GRAIN ? len - done : SEAL_GRAIN;
		if (!is_zero(bytes + done, n))
			err = vmm_snapshot_write(to, bytes + done, n, at + done);
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
		/* A file system without holes: all is data. */
		at = data < 0 ? at : data;
		len = st.st_size - at < (off_t)SEAL_PIECE ? st.st_size - at : (off_t)SEAL_PIECE;
		err = vmm_snapshot_read(from, bytes, len, at);
		if (!err)
			err = piece_write(to, bytes, len, at);
		at += len;
	}
	if (!err && ftruncate(to, st.st_size))
		err = -errno;
	free(bytes);
	return err;
}

/* The copy has the name, and is open for reading only; or -errno. */
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
 * vmm_seal - make sure that nobody writes to a file any more
 * @dir: its directory
 * @name: its name there
 * @fd: the file, open for writing; is closed, and becomes one that is open for reading
 *
 * Return: 0, or -errno after a message; -EAGAIN if somebody can still write to it
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
