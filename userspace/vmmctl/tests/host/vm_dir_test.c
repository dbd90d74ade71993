// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of VMs and their directories.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/vm_dir.h"
#include "machine/machine.h"
#include "tests/tap.h"

static char base[64];

static void make_base(void)
{
	snprintf(base, sizeof(base), "/tmp/vmmctl-dirs-%d", (int)getpid());
}

static bool exists(const char *name, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s%s%s", base, name, file ? "/" : "", file ? file : "");
	return !access(path, F_OK);
}

static mode_t mode_of(const char *name, const char *file)
{
	struct stat st = { 0 };
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", base, name, file);
	tap_check(!lstat(path, &st));
	return st.st_mode & 07777;
}

struct found {
	unsigned int count;
	char last[VMM_NAME_MAX];
};

static void on_found(void *arg, const char *name)
{
	struct found *found = arg;

	found->count++;
	snprintf(found->last, sizeof(found->last), "%s", name);
}

static unsigned int count_vms(void)
{
	struct found found = { 0 };

	tap_equal(vmm_dir_each(base, on_found, &found), 0);
	return found.count;
}

static void names_are_checked(void)
{
	static const char *const good[] = { "a", "vm1", "A.b-c_d", "0" };
	static const char *const bad[] = { "", ".", "..", "a/b", "../x", "-x", ".x", "a b",
		"\xc3\xa4", "a\n",
		"0123456789012345678901234567890123456789012345678901234567890123" };
	char name[VMM_NAME_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		tap_context("%s", good[i]);
		tap_check(vmm_name_valid(good[i]));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("%s", bad[i]);
		tap_check(!vmm_name_valid(bad[i]));
	}
	vmm_name_default(name);
	tap_check(vmm_name_valid(name));
}

static void base_is_of_the_session(void)
{
	char path[64];

	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	tap_check(!vmm_dir_base(path, sizeof(path)) && !strcmp(path, "/run/user/1/ranchu"));
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	tap_check(!vmm_dir_base(path, sizeof(path)) && !strcmp(path, "/run/ranchu"));
	unsetenv("XDG_RUNTIME_DIR");
	tap_check(!vmm_dir_base(path, sizeof(path)) && !strcmp(path, "/run/ranchu"));
	tap_equal(vmm_dir_base(path, 4), -ENAMETOOLONG);
}

static void directory_lives_as_long_as_the_vm(void)
{
	struct vmm_dir *dir;
	struct vmm_dir *second;

	make_base();
	dir = vmm_dir_open(base, "one");
	if (!tap_check(dir))
		return;
	tap_equal(mode_of("one", ""), 0700);
	tap_equal(mode_of("one", "control.sock"), 0600);
	tap_equal(mode_of("one", "state"), 0600);
	tap_equal(mode_of("one", "log"), 0600);
	tap_equal(vmm_dir_origin(dir, "text", 4), 0);
	tap_equal(mode_of("one", VMM_DIR_ORIGIN), 0400);
	/* The file exists, and is not replaced. */
	tap_equal(vmm_dir_origin(dir, "other", 5), -EEXIST);
	tap_equal(count_vms(), 1);
	errno = 0;
	tap_check(!vmm_dir_open(base, "one") && errno == EAGAIN);
	second = vmm_dir_open(base, "two");
	tap_equal(count_vms(), 2);
	vmm_dir_close(second);
	tap_check(!exists("two", NULL) && exists("one", "control.sock"));
	vmm_dir_close(dir);
	tap_check(!exists("one", NULL));
	tap_equal(count_vms(), 0);
	rmdir(base);
}

/* Makes a VM in a process of its own, and kills it. */
static void leave_dead(const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		if (vmm_dir_open(base, name))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	tap_check(exists(name, "control.sock"));
}

static void dead_ones_are_removed(void)
{
	struct vmm_dir *dir;

	make_base();
	mkdir(base, 0700);
	leave_dead("dead");
	tap_equal(count_vms(), 0);
	tap_check(!exists("dead", NULL));
	/* A new VM of that name removes it as well. */
	leave_dead("dead");
	dir = vmm_dir_open(base, "dead");
	tap_check(dir);
	tap_equal(count_vms(), 1);
	vmm_dir_close(dir);
	/* Other directories are not removed. */
	tap_check(!mkdir("/tmp/vmmctl-other", 0700) || errno == EEXIST);
	snprintf(base, sizeof(base), "/tmp/vmmctl-dirs-%d", (int)getpid());
	rmdir("/tmp/vmmctl-other");
	rmdir(base);
}

/* Many processes start, end and list at once: each gets the name, one after the other. */
static void races_have_one_winner(void)
{
	unsigned int i;
	int status;

	make_base();
	mkdir(base, 0700);
	for (i = 0; i < 4; i++) {
		if (fork())
			continue;
		for (i = 0; i < 200; i++) {
			struct vmm_dir *dir = vmm_dir_open(base, "one");

			if (!dir && errno != EAGAIN)
				_exit(1);
			if (dir && !exists("one", "lock"))
				_exit(2);
			vmm_dir_close(dir);
			vmm_dir_each(base, on_found, &(struct found){ 0 });
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		tap_equal(status, 0);
	tap_equal(count_vms(), 0);
	rmdir(base);
}

static void read_file(const char *file, char *text, size_t size)
{
	char path[256];
	size_t n = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/one/%s", base, file);
	in = fopen(path, "r");
	if (tap_check(in)) {
		n = fread(text, 1, size - 1, in);
		fclose(in);
	}
	text[n] = '\0';
}

static void log_is_bounded(void)
{
	static char text[2 * VMM_DIR_LOG];
	struct vmm_dir *dir;
	char line[64];
	int len;
	int i;

	make_base();
	dir = vmm_dir_open(base, "one");
	if (!tap_check(dir))
		return;
	for (i = 0; i < 20000; i++) {
		len = snprintf(line, sizeof(line), "message number %d of many\n", i);
		vmm_dir_log(dir, line, len);
	}
	read_file("log", text, sizeof(text));
	tap_check(strlen(text) <= VMM_DIR_LOG && strlen(text) > VMM_DIR_LOG / 3);
	tap_check(!strncmp(text, "message number", 14));
	tap_check(strstr(text, "number 19999 of"));
	vmm_dir_state(dir, "long state\n", 11);
	vmm_dir_state(dir, "short\n", 6);
	read_file("state", text, sizeof(text));
	tap_check(!strcmp(text, "short\n"));
	vmm_dir_close(dir);
	rmdir(base);
}

/* A full file system. */
static void what_is_not_written_is_told(void)
{
	struct rlimit before;
	struct rlimit few;
	struct vmm_dir *dir;

	make_base();
	dir = vmm_dir_open(base, "one");
	if (!tap_check(dir))
		return;
	getrlimit(RLIMIT_FSIZE, &before);
	few = (struct rlimit){ 10, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &few);
	tap_equal(vmm_dir_state(dir, "0123456789abcdef", 16), 6);
	tap_equal(vmm_dir_log(dir, "0123456", 7), 0);
	tap_equal(vmm_dir_log(dir, "789abcdef", 9), 6);
	tap_equal(vmm_dir_log(dir, "ghi", 3), 3);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	vmm_dir_close(dir);
	rmdir(base);
}

static const struct tap_case cases[] = {
	{ "names are checked", names_are_checked },
	{ "the base is the session's, or the system's", base_is_of_the_session },
	{ "a directory is there while its VM is", directory_lives_as_long_as_the_vm },
	{ "what dead VMs left is removed", dead_ones_are_removed },
	{ "a name has one owner at a time", races_have_one_winner },
	{ "the log keeps the last messages", log_is_bounded },
	{ "what is not written is told", what_is_not_written_is_told },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
