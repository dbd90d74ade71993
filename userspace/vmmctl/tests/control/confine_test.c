// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox for different command lines: each case enters it in a process
 * of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/confine.h"
#include "host/vm_dir.h"
#include "tests/tap.h"

#define ENDED_WELL	7

static char home[64];
static char file[80];

/* A sanitizer's system calls at exit are not allowed. */
static void leave(int code)
{
	syscall(SYS_exit_group, code);
}

static bool have_landlock(void)
{
	return syscall(444, NULL, 0, 1) >= 1;
}

static bool make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		leave(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int confined(const struct vmm_config *cfg)
{
	return vmm_confine(cfg) || !unlinkat(AT_FDCWD, file, 0) ? 1 : ENDED_WELL;
}

static int with_statistics(void)
{
	const struct vmm_config cfg = { .stats_file = file };

	return confined(&cfg);
}

static int with_socket(void)
{
	const struct vmm_config cfg = { .adb_socket = file };

	return confined(&cfg);
}

/* One of two VMs. */
static int two_vms(void)
{
	const struct vmm_config cfg = { .name = "own" };
	char base[PATH_MAX], path[PATH_MAX];
	struct vmm_dir *dir;

	vmm_dir_base(base, sizeof(base));
	dir = vmm_dir_open(base, cfg.name);
	if (!dir || !vmm_dir_open(base, "other") || vmm_confine(&cfg))
		return 1;
	vmm_dir_file(base, "other", "lock", path, sizeof(path));
	if (!unlinkat(AT_FDCWD, path, 0) || errno != EACCES)
		return 2;
	vmm_dir_close(dir);
	return ENDED_WELL;
}

static void ignore(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

static void directories_of_others_stay(void)
{
	char path[PATH_MAX], own[PATH_MAX], other[PATH_MAX];

	if (!have_landlock()) {
		tap_skip("this kernel has no Landlock");
		return;
	}
	setenv("XDG_RUNTIME_DIR", home, 1);
	vmm_dir_base(path, sizeof(path));
	vmm_dir_file(path, "own", "", own, sizeof(own));
	vmm_dir_file(path, "other", "control.sock", other, sizeof(other));
	tap_equal(in_child(two_vms), ENDED_WELL);
	tap_check(access(own, F_OK) && !access(other, F_OK));
	vmm_dir_each(path, ignore, NULL);
	tap_check(!rmdir(path));
}

/* A file of statistics stays where it is; sockets are removed. */
static void files_that_stay_need_no_folder(void)
{
	if (!have_landlock()) {
		tap_skip("this kernel has no Landlock");
		return;
	}
	tap_check(make_file(file));
	tap_equal(in_child(with_statistics), ENDED_WELL);
	tap_check(!access(file, F_OK));
	tap_equal(in_child(with_socket), 1);
	tap_check(access(file, F_OK));
}

static const struct tap_case cases[] = {
	{ "directories of other VMs stay", directories_of_others_stay },
	{ "files that stay need no directory", files_that_stay_need_no_folder },
};

int main(void)
{
	int failed;

	snprintf(home, sizeof(home), "/tmp/vmmctl-confine-XXXXXX");
	if (!mkdtemp(home))
		return 1;
	snprintf(file, sizeof(file), "%s/file", home);
	failed = tap_run(cases, ARRAY_SIZE(cases));
	return rmdir(home) ? 1 : failed;
}
