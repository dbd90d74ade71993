// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's lock of an AVD: a file with the ID of the process that runs the AVD. Android
 * Studio and the emulator check it; a lock of a dead process is ignored.
 *
 * vmmctl cannot remove the file from inside its sandbox, nor when it is killed: a separate
 * process waits for vmmctl's end, and removes it.
 *
 * The ID may be that of a process in another container, or of one in a container's previous
 * run: so it counts only if that process can have an AVD, and is not this one. The lock in
 * vmmctl's folder (folder.c) keeps two vmmctl from writing to the same images.
 *
 * Source: public texts on the emulator's behaviour: hardware-qemu.ini.lock holds the decimal
 * process number with a NUL behind, is there from start to end, and is not made by -read-only.
 * Where files have no links it is a directory, with the number in the file "pid".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"

#define WAIT_MS	2000	/* as the emulator does */
#define STEP_MS	100

/* Reads the beginning of a small file as text. Returns whether it exists. */
static bool text_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

/* Path of the file "pid" of a lock that is a directory. */
static void inside(char pid[PATH_MAX], const char *path)
{
	if (vmm_avd_path(pid, path, "pid"))
		*pid = '\0';
}

/* Returns the process ID in a lock, 0 if there is none. */
static pid_t owner_read(const char *path)
{
	char file[PATH_MAX];
	char text[24];
	long pid;

	inside(file, path);
	if (!text_read(path, text, sizeof(text)) && !text_read(file, text, sizeof(text)))
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 0 && pid < 1 << 30 ? pid : 0;
}

static bool begins(const char *name)
{
	static const char *const names[] = { "qemu-system-", "emulator", "vmmctl" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

/* Returns whether a process can run an AVD: it lives, and is an emulator or a vmmctl. */
static bool has_avd(pid_t pid)
{
	char path[40], name[32], exe[PATH_MAX];
	ssize_t n;

	if (!pid || pid == getpid() || (kill(pid, 0) && errno != EPERM))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	/* If the host hides the process's name, it counts. */
	if (!text_read(path, name, sizeof(name)))
		return true;
	name[strcspn(name, "\n")] = '\0';
	if (!strcmp(name, VMM_AVD_KEEPER))
		return false;
	/* The name may be that of a thread, so the program is checked, too. */
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	return begins(name) || (strrchr(exe, '/') && begins(strrchr(exe, '/') + 1));
}

/**
 * vmm_avd_owner - find the process that runs an AVD
 * @content: its directory
 *
 * Return: the process, 0 for none
 */
pid_t vmm_avd_owner(const char *content)
{
	char path[PATH_MAX];
	pid_t owner;

	if (vmm_avd_path(path, content, VMM_AVD_LOCK))
		return 0;
	owner = owner_read(path);
	return has_avd(owner) ? owner : 0;
}

/* Creates the lock with its content: writes a temporary file, then links it. */
static int lock_link(const char *path)
{
	char beside[PATH_MAX];
	char text[24];
	int len = snprintf(text, sizeof(text), "%d", (int)getpid()) + 1;
	int err = 0;
	int fd;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.%d", path, (int)getpid()) >=
	    sizeof(beside))
		return -ENAMETOOLONG;
	unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		err = -EIO;
	close(fd);
	if (!err && link(beside, path))
		err = -errno;
	unlink(beside);
	return err;
}

static int lock_remove(const char *path)
{
	char file[PATH_MAX];

	if (!unlink(path) || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	inside(file, path);
	unlink(file);
	return rmdir(path) ? -errno : 0;
}

/* Removes the lock of a dead process, and tries again. */
static int lock_replace(const char *path, pid_t *owner)
{
	int err = lock_link(path);

	if (err != -EEXIST)
		return err;
	*owner = owner_read(path);
	if (has_avd(*owner))
		return -EEXIST;
	err = lock_remove(path);
	return err ? err : lock_link(path);
}

/*
 * Serialised by a lock on the directory: otherwise, of two processes that find the same dead
 * lock, the second could remove the first one's new lock.
 */
static int lock_try(int dir, const char *path, pid_t *owner)
{
	int err;

	*owner = 0;
	if (flock(dir, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return -EEXIST;
	err = lock_replace(path, owner);
	flock(dir, LOCK_UN);
	return err;
}

/* Waits until the other end of @fd is closed by the end of its process, then removes the lock. */
static void keeper(const char *path, int fd, pid_t owner)
{
	char byte;

	prctl(PR_SET_NAME, VMM_AVD_KEEPER);
	/* In a session of its own: a terminal's signals are for vmmctl. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* Closes all other files, above all the folder's lock. */
	if (dup2(fd, STDIN_FILENO) < 0 || close_range(STDIN_FILENO + 1, ~0U, 0))
		_exit(1);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	if (owner_read(path) == owner)
		unlink(path);
	_exit(0);
}

static int keeper_start(const char *path)
{
	pid_t owner = getpid();
	int pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		close(pipes[1]);
		keeper(path, pipes[0], owner);
	}
	close(pipes[0]);
	if (pid < 0) {
		close(pipes[1]);
		return -EAGAIN;
	}
	/* The other end stays open until this process ends. */
	return 0;
}

static int lock_wait(const char *content, const char *path, pid_t *owner)
{
	int dir = open(content, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned int waited;
	int err;

	if (dir < 0)
		return -errno;
	err = lock_try(dir, path, owner);
	for (waited = 0; err == -EEXIST && waited < WAIT_MS; waited += STEP_MS) {
		usleep(STEP_MS * 1000);
		err = lock_try(dir, path, owner);
	}
	close(dir);
	return err;
}

/**
 * vmm_avd_lock - lock an AVD until this process ends
 * @content: its directory
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_lock(const char *content)
{
	char path[PATH_MAX];
	pid_t owner = 0;
	int err = vmm_avd_path(path, content, VMM_AVD_LOCK);

	if (!err)
		err = lock_wait(content, path, &owner);
	if (err == -EEXIST && !owner)
		return vmm_error(err, "avd: another process is starting this AVD");
	if (err == -EEXIST)
		return vmm_error(err,
				 "avd: process %d has this AVD; with -read-only several may run",
				 (int)owner);
	if (!err) {
		err = keeper_start(path);
		if (err)
			unlink(path);
	}
	return err ? vmm_error(-err, "avd: cannot lock %s", content) : 0;
}
