// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories of snapshots: they are made beside their name and get it when all of them is
 * on the disk, and they lose it before anything of them is removed.
 *
 * RENAME_EXCHANGE and RENAME_NOREPLACE do this at once. NFS, 9p and others refuse the two
 * with EINVAL. A plain rename() never puts a directory in the place of one that has files, so
 * that it serves for a new name; to replace a directory then takes two steps.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/folder.h"
#include "types.h"

/**
 * vmm_folder_sync - have a name be on the disk
 * @path: what was given a name, or lost it
 *
 * Return: 0, or -errno
 */
int vmm_folder_sync(const char *path)
{
	char above[PATH_MAX];
	char *slash;
	int err = 0;
	int fd;

	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (!slash)
		snprintf(above, sizeof(above), ".");
	else
		slash[slash == above] = '\0';
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* 1: this file system knows no flags. */
static int rename_with(const char *from, const char *to, unsigned int flags)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, flags))
		return 0;
	return errno == EINVAL ? 1 : -errno;
}

static int rename_new(const char *from, const char *to)
{
	struct stat st;
	int err = rename_with(from, to, RENAME_NOREPLACE);

	if (err <= 0)
		return err;
	if (!lstat(to, &st))
		return -EEXIST;
	return rename(from, to) ? -errno : 0;
}

/* A kill between the first two leaves the old one whole, but as PATH.old-PID. */
static int exchange_in_steps(const char *beside, const char *path)
{
	char aside[PATH_MAX];
	int err;

	if ((size_t)snprintf(aside, sizeof(aside), "%s.old-%d", path, (int)getpid()) >=
	    sizeof(aside))
		return -ENAMETOOLONG;
	err = rename_new(path, aside);
	if (err)
		return err;
	err = rename_new(beside, path);
	if (err) {
		rename_new(aside, path);
		return err;
	}
	return rename_new(aside, beside);
}

/**
 * vmm_folder_name - give a directory its name
 * @beside: what it is called
 * @path: what it is to be called
 * @old: there is another one, which is called @beside afterwards
 *
 * Return: 0, or -errno
 */
int vmm_folder_name(const char *beside, const char *path, bool old)
{
	int err;

	if (!old)
		return rename_new(beside, path);
	err = rename_with(beside, path, RENAME_EXCHANGE);
	return err > 0 ? exchange_in_steps(beside, path) : err;
}

/**
 * vmm_folder_hide - take a directory's name
 * @path: what it is called
 * @beside: what it is to be called, if there is no such thing
 *
 * Return: 0, or -errno
 */
int vmm_folder_hide(const char *path, const char *beside)
{
	return rename_new(path, beside);
}
