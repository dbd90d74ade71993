// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories of snapshots. A directory is made under a temporary name beside its own, and gets
 * its own name once all its files are on the disk. To remove a directory, it is first given a
 * temporary name again. So a directory with a snapshot's name is always complete.
 *
 * RENAME_EXCHANGE and RENAME_NOREPLACE do this in one step. NFS, 9p and others refuse the two
 * with EINVAL. A plain rename() never replaces a directory that has files, so it is used
 * instead for a new name; there, replacing a directory takes several renames.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/folder.h"
#include "types.h"

#define MAKE_TRIES	100	/* temporary names that are tried */

/* Returns the last component of a path. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int folder_open(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Locks a directory against other programs, and checks that the path still names it. */
static bool lock(int fd, const char *path)
{
	struct stat there, here;

	return !flock(fd, LOCK_EX | LOCK_NB) && !lstat(path, &there) && !fstat(fd, &here) &&
	       there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

static bool locks_are_missing(void)
{
	return errno != EWOULDBLOCK && errno != ENOENT;
}

/*
 * Makes a directory and locks it, if the file system has locks. Returns it open, or -EAGAIN if
 * the name exists or another program has swept the directory away.
 */
static int make_once(const char *path)
{
	int fd;

	if (mkdir(path, 0700))
		return errno == EEXIST ? -EAGAIN : -errno;
	fd = folder_open(path);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	errno = 0;
	if (lock(fd, path) || locks_are_missing())
		return fd;
	close(fd);
	return -EAGAIN;
}

/* Writes the temporary name number @number. */
static int name_beside(const char *path, unsigned int number, char beside[PATH_MAX])
{
	int len = snprintf(beside, PATH_MAX, number ? "%s" VMM_FOLDER_NEW "%d-%u" :
						      "%s" VMM_FOLDER_NEW "%d", path,
			   (int)getpid(), number);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/**
 * vmm_folder_make - make a directory with a temporary name
 * @path: the name that it will get
 * @beside: filled: the temporary name, PATH.new-PID or PATH.new-PID-NUMBER
 *
 * Return: the directory, open and locked, or -errno
 */
int vmm_folder_make(const char *path, char beside[PATH_MAX])
{
	unsigned int i;
	int fd = -EAGAIN;
	int err;

	for (i = 0; i < MAKE_TRIES && fd == -EAGAIN; i++) {
		err = name_beside(path, i, beside);
		if (err)
			return err;
		fd = make_once(beside);
	}
	return fd == -EAGAIN ? -EEXIST : fd;
}

/* Removes a directory that is not locked: the program that made it was killed. */
static void sweep_one(const char *path, void (*remove)(const char *path))
{
	int fd = folder_open(path);

	if (fd < 0)
		return;
	if (lock(fd, path))
		remove(path);
	close(fd);
}

/**
 * vmm_folder_sweep - remove directories that killed programs have left
 * @path: the name beside which they are
 * @remove: called with the temporary name of each
 *
 * On a file system without locks nothing is removed: a directory that was left cannot be told
 * from one that is being made.
 */
void vmm_folder_sweep(const char *path, void (*remove)(const char *path))
{
	const char *name = last_part(path);
	size_t len = strlen(name);
	char above[PATH_MAX], one[PATH_MAX];
	struct dirent *entry;
	DIR *list;

	snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
	list = opendir(*above ? above : ".");
	while (list && (entry = readdir(list))) {
		if (strncmp(entry->d_name, name, len) ||
		    strncmp(entry->d_name + len, VMM_FOLDER_NEW, strlen(VMM_FOLDER_NEW)))
			continue;
		if ((size_t)snprintf(one, sizeof(one), "%s%s", above, entry->d_name) < sizeof(one))
			sweep_one(one, remove);
	}
	if (list)
		closedir(list);
}

/**
 * vmm_folder_sync - write a change of a name to the disk
 * @path: the name, which was added, changed or removed
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

/* Returns 0, -errno, or 1 if the file system does not support the flags. */
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

/*
 * If the program is killed between the first two renames, the old directory remains complete
 * under the name PATH.old-PID.
 */
static int exchange_in_steps(const char *beside, const char *path)
{
	char aside[PATH_MAX];
	int err;

	if ((size_t)snprintf(aside, sizeof(aside), "%s" VMM_FOLDER_OLD "%d", path, (int)getpid()) >=
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
 * vmm_folder_name - give a directory its final name
 * @beside: its temporary name
 * @path: its final name
 * @old: a directory has the final name already, and is renamed to @beside
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
 * vmm_folder_hide - rename a directory to a temporary name
 * @path: its name
 * @beside: filled: its temporary name, of the form that vmm_folder_make() uses
 *
 * Return: 0, or -errno
 */
int vmm_folder_hide(const char *path, char beside[PATH_MAX])
{
	int err = -EEXIST;
	unsigned int i;

	for (i = 0; i < MAKE_TRIES && err == -EEXIST; i++) {
		err = name_beside(path, i, beside);
		if (!err)
			err = rename_new(path, beside);
	}
	return err;
}
