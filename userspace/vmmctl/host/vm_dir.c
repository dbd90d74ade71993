// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of a VM: created and locked when the VM starts, removed when it ends.
 *
 * The lock shows whether the VM lives; it is released with the process. An unlocked directory is
 * left over from a dead VM, and is removed by any process that finds it. Two processes may do
 * that at once, or a new VM may reuse the name meanwhile: so a lock counts only if the locked
 * file still has its name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/unix.h"
#include "host/vm_dir.h"
#include "machine/machine.h"

#define DIR_BACKLOG	16
#define DIR_TRIES	16	/* to lock a directory that other processes check meanwhile */
#define DIR_PAUSE_US	10000	/* between two tries */

static const char *const dir_files[] = { "control.sock", "state", "log", "logcat", VMM_DIR_ORIGIN,
					 "lock" };

/**
 * struct vmm_dir - a VM's directory
 * @path: path of the directory
 * @made: the directory was created by this process
 * @fd: the directory
 * @lock_fd: the lock file, locked
 * @control_fd: listens at the control socket
 * @state_fd: the state file
 * @log_fd: the log file
 * @log_lock: serialises messages of threads; protects @log_len
 * @log_len: bytes of the log
 */
struct vmm_dir {
	char path[PATH_MAX];
	bool made;
	int fd;
	int lock_fd;
	int control_fd;
	int state_fd;
	int log_fd;
	pthread_mutex_t log_lock;
	size_t log_len;
};

/* The directory that is removed if the process ends without vmm_dir_close(). */
static struct vmm_dir *dir_of_process;

static int path_format(char *path, size_t size, const char *a, const char *b)
{
	int len = snprintf(path, size, "%s/%s", a, b);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/**
 * vmm_dir_base - find the directory that has the directories of VMs
 * @path: filled
 * @size: bytes of @path
 *
 * Return: 0, or -ENAMETOOLONG
 */
int vmm_dir_base(char *path, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	return path_format(path, size, runtime && *runtime == '/' ? runtime : "/run", "ranchu");
}

/**
 * vmm_dir_file - find a file of a VM
 * @base: directory of all VMs' directories
 * @name: name of the VM
 * @file: name of the file
 * @path: filled
 * @size: bytes of @path
 *
 * Return: 0, -EINVAL if no VM can have that name, or -ENAMETOOLONG
 */
int vmm_dir_file(const char *base, const char *name, const char *file, char *path, size_t size)
{
	int len;

	if (!vmm_name_valid(name))
		return -EINVAL;
	len = snprintf(path, size, "%s/%s/%s", base, name, file);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* Locks a file. Returns -EAGAIN if another process has locked it. */
static int lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* Returns whether an open file still has its name. */
static bool still_there(int dir_fd, int fd)
{
	struct stat by_name;
	struct stat by_fd;

	return !fstatat(dir_fd, "lock", &by_name, AT_SYMLINK_NOFOLLOW) && !fstat(fd, &by_fd) &&
	       by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev;
}

/* The lock is removed last: until then other processes see a locked directory. */
static void remove_files(int dir_fd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dir_files); i++)
		unlinkat(dir_fd, dir_files[i], 0);
}

/* Another thread may have removed it, and another VM of that name created a new one. */
static void remove_directory(const struct vmm_dir *dir)
{
	if (dir->lock_fd >= 0 && !still_there(dir->fd, dir->lock_fd))
		return;
	if (dir->fd >= 0)
		remove_files(dir->fd);
	unlinkat(AT_FDCWD, dir->path, AT_REMOVEDIR);
}

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Locks BASE/NAME, which is created if necessary. Returns 0, -EAGAIN if a VM has locked it,
 * -ENOENT if another process has removed it meanwhile, or another -errno.
 */
static int dir_lock_once(struct vmm_dir *dir)
{
	int err;

	if (!mkdir(dir->path, 0700))
		dir->made = true;
	else if (errno != EEXIST)
		return -errno;
	dir->fd = open_directory(dir->path);
	if (dir->fd < 0)
		return dir->fd;
	dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dir->lock_fd < 0)
		return -errno;
	err = lock_file(dir->lock_fd);
	if (!err && !still_there(dir->fd, dir->lock_fd))
		err = -ENOENT;
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Retries: a process that checks whether a VM is dead holds the lock for a moment. */
static int dir_lock(struct vmm_dir *dir)
{
	int err = -ENOENT;
	unsigned int i;

	for (i = 0; i < DIR_TRIES && (err == -ENOENT || err == -EAGAIN); i++) {
		close_fd(&dir->lock_fd);
		close_fd(&dir->fd);
		if (err == -EAGAIN)
			usleep(DIR_PAUSE_US);
		err = dir_lock_once(dir);
	}
	return err;
}

/* The directory's mode protects the socket before its own mode is set. */
static int dir_listen(struct vmm_dir *dir)
{
	char path[PATH_MAX];
	int err = path_format(path, sizeof(path), dir->path, dir_files[0]);

	if (err)
		return err;
	dir->control_fd = vmm_unix_bind(path, DIR_BACKLOG);
	return dir->control_fd < 0 ? dir->control_fd : 0;
}

static int dir_open_file(const struct vmm_dir *dir, const char *name)
{
	int fd = openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static int dir_fill(struct vmm_dir *dir)
{
	unsigned int i;

	/* Removes files of a dead VM of this name. */
	for (i = 0; i + 1 < ARRAY_SIZE(dir_files); i++)
		unlinkat(dir->fd, dir_files[i], 0);
	if (fchmod(dir->fd, 0700))
		return -errno;
	dir->state_fd = dir_open_file(dir, "state");
	if (dir->state_fd < 0)
		return dir->state_fd;
	dir->log_fd = dir_open_file(dir, "log");
	if (dir->log_fd < 0)
		return dir->log_fd;
	return dir_listen(dir);
}

static void dir_free(struct vmm_dir *dir)
{
	close_fd(&dir->control_fd);
	close_fd(&dir->state_fd);
	close_fd(&dir->log_fd);
	close_fd(&dir->lock_fd);
	close_fd(&dir->fd);
	pthread_mutex_destroy(&dir->log_lock);
	free(dir);
}

/* Creates the directory and its parents: not every system has /run. */
static int make_base(const char *base)
{
	char above[PATH_MAX];
	char *slash;

	if (!mkdir(base, 0700) || errno == EEXIST)
		return 0;
	if (errno != ENOENT || strlen(base) >= sizeof(above))
		return -errno;
	memcpy(above, base, strlen(base) + 1);
	slash = strrchr(above, '/');
	if (!slash || slash == above)
		return -ENOENT;
	*slash = '\0';
	return mkdir(above, 0755) || mkdir(base, 0700) ? -errno : 0;
}

/**
 * vmm_dir_open - create a VM's directory, with its control socket
 * @base: directory of all VMs' directories; created if it does not exist
 * @name: name of the VM, valid
 *
 * Return: the directory; NULL with errno set, EAGAIN if a VM of that name runs
 */
struct vmm_dir *vmm_dir_open(const char *base, const char *name)
{
	struct vmm_dir *dir = calloc(1, sizeof(*dir));
	bool locked;
	int err;

	if (!dir)
		return NULL;
	dir->fd = -1;
	dir->lock_fd = -1;
	dir->control_fd = -1;
	dir->state_fd = -1;
	dir->log_fd = -1;
	pthread_mutex_init(&dir->log_lock, NULL);
	err = path_format(dir->path, sizeof(dir->path), base, name);
	if (!err)
		err = make_base(base);
	if (!err)
		err = dir_lock(dir);
	locked = !err;
	if (!err)
		err = dir_fill(dir);
	if (!err) {
		__atomic_store_n(&dir_of_process, dir, __ATOMIC_SEQ_CST);
		return dir;
	}
	/* Keeps a directory that may belong to another VM. */
	if (locked || (dir->made && err != -EAGAIN))
		remove_directory(dir);
	dir_free(dir);
	errno = -err;
	return NULL;
}

/**
 * vmm_dir_origin - write down what the VM is started with, before the sandbox
 * @dir: the directory
 * @text: a text
 * @len: bytes of it
 *
 * The VM keeps no way to change the file: it is closed here, and the sandbox opens none.
 *
 * Return: 0, or -errno; there is no such file then
 */
int vmm_dir_origin(struct vmm_dir *dir, const char *text, size_t len)
{
	int fd = openat(dir->fd, VMM_DIR_ORIGIN, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	size_t done = 0;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0)
		return -errno;
	while (done < len && (n = write(fd, text + done, len - done)) > 0)
		done += n;
	if (done < len)
		err = n < 0 ? -errno : -EIO;
	if (close(fd) && !err)
		err = -errno;
	if (err)
		unlinkat(dir->fd, VMM_DIR_ORIGIN, 0);
	return err;
}

/**
 * vmm_dir_leave - remove the VM's directory, if there is one, in a process that ends
 *
 * Context: any thread, and signal handlers; other threads may still use it.
 */
void vmm_dir_leave(void)
{
	struct vmm_dir *dir = __atomic_load_n(&dir_of_process, __ATOMIC_SEQ_CST);

	if (dir)
		remove_directory(dir);
}

/**
 * vmm_dir_close - remove a VM's directory, and free @dir
 * @dir: may be NULL
 */
void vmm_dir_close(struct vmm_dir *dir)
{
	if (!dir)
		return;
	remove_directory(dir);
	if (dir == dir_of_process)
		__atomic_store_n(&dir_of_process, NULL, __ATOMIC_SEQ_CST);
	dir_free(dir);
}

/**
 * vmm_dir_control - return the control socket
 * @dir: the directory
 *
 * Return: a listening file that does not block
 */
int vmm_dir_control(const struct vmm_dir *dir)
{
	return dir->control_fd;
}

/**
 * vmm_dir_path - return the path of the directory
 * @dir: the directory
 *
 * Return: its path
 */
const char *vmm_dir_path(const struct vmm_dir *dir)
{
	return dir->path;
}

/**
 * vmm_dir_state - write the state file
 * @dir: may be NULL
 * @text: a line
 * @len: bytes of it
 *
 * A reader may see a part of the line; the control socket has the exact state.
 *
 * Return: bytes that were not written
 */
size_t vmm_dir_state(struct vmm_dir *dir, const char *text, size_t len)
{
	ssize_t n = dir ? pwrite(dir->state_fd, text, len, 0) : (ssize_t)len;

	if (n < 0)
		return len;
	if (dir && n == (ssize_t)len && ftruncate(dir->state_fd, len))
		return len;
	return len - n;
}

/* Keeps the second half of the log, from the beginning of a line on. */
static void log_halve_locked(struct vmm_dir *dir)
{
	size_t half = VMM_DIR_LOG / 2;
	char *text = malloc(half);
	ssize_t n = text ? pread(dir->log_fd, text, half, dir->log_len - half) : -1;
	char *line = n > 0 ? memchr(text, '\n', n) : NULL;
	size_t len = line ? text + n - (line + 1) : 0;

	if (ftruncate(dir->log_fd, 0))
		len = 0;
	dir->log_len = 0;
	if (len && pwrite(dir->log_fd, line + 1, len, 0) == (ssize_t)len)
		dir->log_len = len;
	free(text);
}

/**
 * vmm_dir_log - append a message to the log
 * @dir: the directory
 * @text: lines
 * @len: bytes of @text, at most VMM_DIR_LOG / 4
 *
 * Context: any thread.
 * Return: bytes that were not written
 */
size_t vmm_dir_log(struct vmm_dir *dir, const char *text, size_t len)
{
	ssize_t n;

	pthread_mutex_lock(&dir->log_lock);
	if (dir->log_len + len > VMM_DIR_LOG)
		log_halve_locked(dir);
	n = pwrite(dir->log_fd, text, len, dir->log_len);
	if (n > 0)
		dir->log_len += n;
	pthread_mutex_unlock(&dir->log_lock);
	return n > 0 ? len - n : len;
}

/* Returns whether a VM lives; removes the directory of a dead one. */
static bool dir_alive(int base_fd, const char *name)
{
	int fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool alive = false;
	int lock_fd;

	if (fd < 0)
		return false;
	lock_fd = openat(fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (lock_fd >= 0) {
		alive = lock_file(lock_fd) == -EAGAIN;
		if (!alive && still_there(fd, lock_fd)) {
			remove_files(fd);
			unlinkat(base_fd, name, AT_REMOVEDIR);
		}
		close(lock_fd);
	} else if (errno == ENOENT) {
		/* A VM may be about to fill an empty directory: it then creates it again. */
		unlinkat(base_fd, name, AT_REMOVEDIR);
	}
	close(fd);
	return alive;
}

/**
 * vmm_dir_lives - return whether a VM lives, and remove the directory of a dead one
 * @base: directory of all VMs' directories; need not exist
 * @name: a VM's name, valid
 *
 * Return: whether it lives, and its name is in use
 */
bool vmm_dir_lives(const char *base, const char *name)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool lives = fd >= 0 && dir_alive(fd, name);

	if (fd >= 0)
		close(fd);
	return lives;
}

/**
 * vmm_dir_each - find the VMs that live, and remove the directories of dead ones
 * @base: directory of all VMs' directories; need not exist
 * @fn: called with the name of each
 * @arg: argument of @fn
 *
 * Return: 0, or -errno
 */
int vmm_dir_each(const char *base, void (*fn)(void *arg, const char *name), void *arg)
{
	DIR *list = opendir(base);
	struct dirent *entry;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(list))) {
		if (vmm_name_valid(entry->d_name) && dir_alive(dirfd(list), entry->d_name))
			fn(arg, entry->d_name);
	}
	closedir(list);
	return 0;
}
