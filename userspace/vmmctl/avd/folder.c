// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl's folder of an AVD: ranchu/ in the AVD's directory, or ranchu-NAME in the directory of
 * -datadir. It has the images that the guest writes to.
 *
 * Three things protect files of others. A folder that is not empty must have been created by
 * vmmctl: it has the file "lock". That file is locked by one process that writes, or by any
 * number that copy. The file "images" is the record: it lists complete images. An image that
 * is not in the record is not vmmctl's, and is not touched.
 *
 * The record is written before images get their names and again after that. Images that are
 * "begun" in it may come from different starts, so the whole set is created again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"

#define LOCK_FILE	"lock"
#define RECORD_FILE	"images"
#define RECORD_NEW	RECORD_FILE ".new"
#define RECORD_BYTES	1024
#define WAIT_MS		2000
#define STEP_MS		100

static const char *const states[] = {
	[VMM_AVD_IMAGE_BEGUN] = "begun", [VMM_AVD_IMAGE_WHOLE] = "whole",
};

/**
 * vmm_avd_folder_path - return the path of vmmctl's folder
 * @options: the emulator's options
 * @avd: the AVD
 * @path: filled
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_folder_path(const struct vmm_avd_options *options, const struct vmm_avd *avd,
			char path[PATH_MAX])
{
	const char *given = vmm_avd_value(options, VMM_AVD_DATADIR);
	char name[VMM_AVD_NAME_MAX + 16] = VMM_AVD_FOLDER;
	struct stat st;
	int err;

	if (given && (stat(given, &st) || !S_ISDIR(st.st_mode)))
		return vmm_error(-ENOENT, "avd: -datadir: there is no directory %.200s", given);
	if (given)
		snprintf(name, sizeof(name), VMM_AVD_FOLDER "-%s", avd->name);
	err = vmm_avd_path(path, given ? given : avd->content, name);
	return err ? vmm_error(-EINVAL, "avd: the path of vmmctl's folder is too long") : 0;
}

/* Syncs a file or directory to the disk. */
static int folder_sync(int fd, const char *path)
{
	/* Some file systems do not support this, and return an error. */
	if (!fsync(fd) || errno == EINVAL || errno == EBADF)
		return 0;
	return vmm_error(errno, "avd: cannot write %s", path);
}

/* Syncs the parent directory, which has the new folder's name. */
static int parent_sync(const char *path)
{
	char parent[PATH_MAX];
	int fd, err;

	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	fd = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return vmm_error(errno, "avd: cannot open %s", parent);
	err = folder_sync(fd, parent);
	close(fd);
	return err;
}

static int folder_make(struct vmm_avd_folder *folder)
{
	struct stat st;

	if (!mkdir(folder->path, 0700)) {
		int err = parent_sync(folder->path);

		if (err)
			return err;
	} else if (errno != EEXIST) {
		return vmm_error(errno, "avd: cannot make %s", folder->path);
	}
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder->fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return vmm_error(-ENOTDIR, "avd: %s is not a directory", folder->path);
	if (folder->fd < 0 || fstat(folder->fd, &st))
		return vmm_error(errno, "avd: cannot open %s", folder->path);
	/* Other users with write access could replace an image by a symbolic link. */
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return vmm_error(-EPERM,
				 "avd: %s must be owned by this user, and not writable by others",
				 folder->path);
	return 0;
}

/* Returns whether the folder has no file; or -errno. */
static int folder_is_empty(const struct vmm_avd_folder *folder)
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool empty = true;

	if (!dir) {
		int err = vmm_error(errno, "avd: cannot read %s", folder->path);

		if (fd >= 0)
			close(fd);
		return err;
	}
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	return empty;
}

/* Opens a regular file of the folder. Returns -EMEDIUMTYPE if it is another kind of file. */
static int file_open(const struct vmm_avd_folder *folder, const char *name, int flags)
{
	struct stat st;
	int fd = openat(folder->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == EISDIR ? -EMEDIUMTYPE : -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EMEDIUMTYPE;
}

static int file_error(const struct vmm_avd_folder *folder, const char *name, int err)
{
	if (err == -EMEDIUMTYPE)
		return vmm_error(-EINVAL, "avd: %s/%s is not a regular file", folder->path, name);
	return vmm_error(-err, "avd: cannot open %s/%s", folder->path, name);
}

/* Refuses a folder with files that vmmctl has not created. */
static int lock_open(struct vmm_avd_folder *folder)
{
	int empty;

	folder->lock = file_open(folder, LOCK_FILE, O_RDWR);
	if (folder->lock == -ENOENT) {
		empty = folder_is_empty(folder);
		if (empty < 0)
			return empty;
		if (empty)
			folder->lock = file_open(folder, LOCK_FILE, O_RDWR | O_CREAT);
		/* If two processes start at once, one may see the other's lock file. */
		else
			folder->lock = file_open(folder, LOCK_FILE, O_RDWR);
		if (folder->lock == -ENOENT)
			return vmm_error(-EEXIST,
					 "avd: %s has files that vmmctl did not make: choose another -datadir, or move them away",
					 folder->path);
	}
	if (folder->lock < 0)
		return file_error(folder, LOCK_FILE, folder->lock);
	return 0;
}

static int lock_take(struct vmm_avd_folder *folder, bool alone)
{
	int how = (alone ? LOCK_EX : LOCK_SH) | LOCK_NB;
	unsigned int waited = 0;

	while (flock(folder->lock, how)) {
		if (errno == EOPNOTSUPP || errno == ENOLCK) {
			vmm_note("avd: %s cannot be locked: do not run this AVD twice",
				 folder->path);
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return vmm_error(errno, "avd: cannot lock %s", folder->path);
		if (waited == WAIT_MS && alone)
			return vmm_error(-EBUSY,
					 "avd: another vmmctl has %s; with -read-only several may run",
					 folder->path);
		if (waited == WAIT_MS)
			return vmm_error(-EBUSY,
					 "avd: a VM writes to the images in %s: they cannot be copied now",
					 folder->path);
		usleep(STEP_MS * 1000);
		waited += STEP_MS;
	}
	return 0;
}

static int record_damaged(const struct vmm_avd_folder *folder)
{
	return vmm_error(-EINVAL,
			 "avd: %s/" RECORD_FILE " is damaged: remove the folder to begin anew",
			 folder->path);
}

/* Reads a line such as "userdata = whole". */
static int record_line(struct vmm_avd_folder *folder, const struct vmm_ini_line *line)
{
	unsigned int role, state;

	for (role = 0; role < VMM_AVD_DISKS; role++) {
		if (!strcmp(line->key, vmm_avd_role_name(role)))
			break;
	}
	for (state = VMM_AVD_IMAGE_BEGUN; state < ARRAY_SIZE(states); state++) {
		if (!strcmp(line->value, states[state]))
			break;
	}
	if (role == VMM_AVD_DISKS || state == ARRAY_SIZE(states))
		return record_damaged(folder);
	folder->state[role] = state;
	return 0;
}

static int record_read(struct vmm_avd_folder *folder)
{
	char text[RECORD_BYTES];
	struct vmm_ini ini;
	unsigned int i;
	ssize_t n;
	int err;
	int fd = file_open(folder, RECORD_FILE, O_RDONLY);

	memset(folder->state, 0, sizeof(folder->state));
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return file_error(folder, RECORD_FILE, fd);
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	if (n < 0)
		return vmm_error(errno, "avd: cannot read %s/" RECORD_FILE, folder->path);
	if (n == sizeof(text))
		return record_damaged(folder);
	err = vmm_ini_parse(&ini, RECORD_FILE, text, n);
	for (i = 0; i < ini.count && !err; i++)
		err = record_line(folder, &ini.line[i]);
	vmm_ini_free(&ini);
	return err;
}

/**
 * vmm_avd_folder_open - open vmmctl's folder, create it if there is none, and lock it
 * @folder: filled; vmm_avd_folder_close() must be called in any case
 * @path: its path
 * @alone: lock it exclusively, for writing to its images; else shared, for copying them
 *
 * The lock lasts until the folder is closed. Its holder decides which images are created.
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_folder_open(struct vmm_avd_folder *folder, const char *path, bool alone)
{
	int err;

	*folder = (struct vmm_avd_folder){ .path = path, .opened = true, .fd = -1, .lock = -1 };
	err = folder_make(folder);
	if (!err)
		err = lock_open(folder);
	if (!err)
		err = lock_take(folder, alone);
	return err ? err : record_read(folder);
}

/**
 * vmm_avd_folder_record - write the record of images
 * @folder: open and locked exclusively
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_folder_record(struct vmm_avd_folder *folder)
{
	char text[RECORD_BYTES] = "# Written by vmmctl avd: the images that it has made here.\n";
	size_t len = strlen(text);
	unsigned int i;
	int err = 0;
	int fd;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		if (folder->state[i] != VMM_AVD_IMAGE_NONE)
			len += snprintf(text + len, sizeof(text) - len, "%s = %s\n",
					vmm_avd_role_name(i), states[folder->state[i]]);
	}
	unlinkat(folder->fd, RECORD_NEW, 0);
	fd = file_open(folder, RECORD_NEW, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return file_error(folder, RECORD_NEW, fd);
	errno = EIO;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd))
		err = vmm_error(errno, "avd: cannot write %s/" RECORD_NEW, folder->path);
	close(fd);
	if (!err && renameat(folder->fd, RECORD_NEW, folder->fd, RECORD_FILE))
		err = vmm_error(errno, "avd: cannot make %s/" RECORD_FILE, folder->path);
	if (err)
		unlinkat(folder->fd, RECORD_NEW, 0);
	return err ? err : folder_sync(folder->fd, folder->path);
}

/**
 * vmm_avd_folder_sync - sync the names in the folder to the disk
 * @folder: open
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_folder_sync(const struct vmm_avd_folder *folder)
{
	return folder_sync(folder->fd, folder->path);
}

/**
 * vmm_avd_folder_close - close and unlock the folder
 * @folder: was opened, or is all zero; is all zero afterwards
 */
void vmm_avd_folder_close(struct vmm_avd_folder *folder)
{
	if (folder->opened && folder->lock >= 0)
		close(folder->lock);
	if (folder->opened && folder->fd >= 0)
		close(folder->fd);
	*folder = (struct vmm_avd_folder){ 0 };
}
