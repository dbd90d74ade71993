// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's lock of an AVD: its owner, and its end with the owner's process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

#define LOCK	CONTENT "/" VMM_AVD_LOCK

static pid_t owner(void)
{
	char text[32] = "";
	int fd = open(avd_name(LOCK), O_RDONLY);

	if (fd < 0)
		return 0;
	tap_check(read(fd, text, sizeof(text)) > 0);
	close(fd);
	return atoi(text);
}

static int lock(void)
{
	int err;

	tap_listen();
	err = vmm_avd_lock(avd_name(CONTENT));
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

/* A process that has the lock until @end is written to; its exit code is 0 if it got it. */
static pid_t holder(int *end)
{
	int pipes[2], ready[2];
	char byte = 0;
	pid_t pid;

	if (!tap_check(!pipe2(pipes, O_CLOEXEC) && !pipe2(ready, O_CLOEXEC)))
		abort();
	pid = fork();
	if (!pid) {
		int err;

		prctl(PR_SET_NAME, "vmmctl");
		err = vmm_avd_lock(avd_name(CONTENT));
		byte = err ? 'e' : 'k';
		if (write(ready[1], &byte, 1) == 1 && read(pipes[0], &byte, 1) == 1)
			_exit(0);
		_exit(1);
	}
	close(pipes[0]);
	close(ready[1]);
	tap_check(read(ready[0], &byte, 1) == 1 && byte == 'k');
	close(ready[0]);
	*end = pipes[1];
	return pid;
}

static bool goes(void)
{
	unsigned int i;

	for (i = 0; i < 100 && avd_there(LOCK); i++)
		usleep(50000);
	return !avd_there(LOCK);
}

static void one_process_has_an_avd(void)
{
	pid_t pid;
	int end;

	avd_begin(false);
	pid = holder(&end);
	tap_equal(owner(), pid);
	tap_equal(lock(), -EEXIST);
	tap_check(strstr(avd_message, "has this AVD; with -read-only several may run"));
	tap_equal(owner(), pid);
	tap_check(write(end, "", 1) == 1 && waitpid(pid, NULL, 0) == pid);
	tap_check(goes());
	close(end);
	avd_end();
}

static void it_goes_with_a_process_that_is_killed(void)
{
	pid_t pid;
	int end;

	avd_begin(false);
	pid = holder(&end);
	tap_check(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	tap_check(goes());
	close(end);
	avd_end();
}

/* The lock of an emulator that crashed, and files that are no locks. */
static void a_dead_process_s_lock_does_not_count(void)
{
	static const char *const texts[] = { "1073741000", "", "0", "-1", "nonsense" };
	unsigned int i;
	int end;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		pid_t pid;

		tap_context("%s", texts[i]);
		avd_begin(false);
		avd_write(LOCK, texts[i]);
		pid = holder(&end);
		tap_equal(owner(), pid);
		tap_check(write(end, "", 1) == 1 && waitpid(pid, NULL, 0) == pid);
		tap_check(goes());
		close(end);
		avd_end();
	}
}

/* The lock of an emulator that started while vmmctl ran. */
static void somebody_else_s_lock_stays(void)
{
	pid_t pid;
	int end;

	avd_begin(false);
	pid = holder(&end);
	avd_write(LOCK, "1");
	tap_check(write(end, "", 1) == 1 && waitpid(pid, NULL, 0) == pid);
	usleep(500000);
	tap_equal(owner(), 1);
	close(end);
	avd_end();
}

/* Starts an idle process with this name. */
static pid_t bystander(const char *name)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (!tap_check(!pipe2(ready, O_CLOEXEC)))
		abort();
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, name);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	tap_check(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* Locks in a child, whose end removes the lock. Returns the child's result. */
static int lock_in_child(bool own_number)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		char text[24];

		snprintf(text, sizeof(text), "%d", (int)getpid());
		if (own_number) {
			prctl(PR_SET_NAME, "vmmctl");
			avd_write(LOCK, text);
		}
		_exit(-lock());
	}
	tap_check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* A restarted container gives the same process numbers to other programs. */
static void only_an_emulator_has_an_avd(void)
{
	static const struct {
		const char *name;
		bool has;
	} rows[] = {
		{ "sleep", false }, { "qemu-system-x86", true }, { "emulator64-arm", true },
		{ "vmmctl", true }, { "vmmctl-avd", false }, { "my-vmmctl", false },
	};
	unsigned int i, folder;
	char text[24];

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *name = rows[i / 2].name;
		pid_t pid = bystander(name);

		folder = i % 2;
		tap_context("%s %u", name, folder);
		avd_begin(false);
		snprintf(text, sizeof(text), "%d", (int)pid);
		/* On file systems without hard links, the lock is a directory. */
		if (folder)
			avd_folder(LOCK);
		avd_write(folder ? LOCK "/pid" : LOCK, text);
		tap_equal(vmm_avd_owner(avd_name(CONTENT)), rows[i / 2].has ? pid : 0);
		tap_equal(lock_in_child(false), rows[i / 2].has ? -EEXIST : 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		tap_equal(vmm_avd_owner(avd_name(CONTENT)), 0);
		tap_equal(lock_in_child(false), 0);
		tap_check(goes());
		avd_end();
	}
}

static void our_own_number_is_not_ours_yet(void)
{
	avd_begin(false);
	tap_equal(lock_in_child(true), 0);
	tap_check(goes());
	avd_end();
}

/* If two processes find the same stale lock, one waits until the other has locked. */
static void one_process_looks_at_a_time(void)
{
	int dir;

	avd_begin(false);
	avd_write(LOCK, "1073741000");
	dir = open(avd_name(CONTENT), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tap_check(dir >= 0 && !flock(dir, LOCK_EX));
	tap_equal(lock(), -EEXIST);
	tap_check(strstr(avd_message, "another process is starting this AVD"));
	tap_equal(owner(), 1073741000);
	close(dir);
	tap_equal(lock_in_child(false), 0);
	tap_check(goes());
	avd_end();
}

static void a_folder_that_is_not_there_is_an_error(void)
{
	avd_begin(false);
	avd_remove(CONTENT);
	tap_equal(lock(), -ENOENT);
	tap_check(strstr(avd_message, "cannot lock"));
	avd_end();
}

static const struct tap_case cases[] = {
	{ "one process has an AVD, and its number is in the lock", one_process_has_an_avd },
	{ "the lock goes with a process that is killed", it_goes_with_a_process_that_is_killed },
	{ "the lock of a process that is gone does not count",
	  a_dead_process_s_lock_does_not_count },
	{ "somebody else's lock stays", somebody_else_s_lock_stays },
	{ "a process that is no emulator has no AVD", only_an_emulator_has_an_avd },
	{ "a lock with our own number is an old one", our_own_number_is_not_ours_yet },
	{ "one process at a time decides about a lock", one_process_looks_at_a_time },
	{ "a folder that is not there is an error", a_folder_that_is_not_there_is_an_error },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
