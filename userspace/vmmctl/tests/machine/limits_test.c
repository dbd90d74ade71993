// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of the process: which are raised, which are checked, and the message if one is too
 * low.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/limits.h"
#include "machine/machine.h"
#include "tests/tap.h"

static char said[512];

static void hear(void *arg, const char *line, size_t len)
{
	(void)arg;
	snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

/* Runs @fn in a process with limits of its own; returns its result. */
static bool apart(bool (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		vmm_log_also(hear, NULL);
		said[0] = '\0';
		_exit(!fn());
	}
	waitpid(pid, &status, 0);
	return !status;
}

static bool limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft, hard };

	return !setrlimit(which, &limit);
}

static bool raised(void)
{
	struct rlimit files, locked;

	if (!limit(RLIMIT_NOFILE, 64, 200) || !limit(RLIMIT_MEMLOCK, 4096, 8 * MIB))
		return false;
	vmm_limits_raise();
	return !getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur == 200 &&
	       !getrlimit(RLIMIT_MEMLOCK, &locked) && locked.rlim_cur == 8 * MIB;
}

static void soft_limits_are_raised(void)
{
	tap_check(apart(raised));
}

static bool asked(void)
{
	u64 value;

	if (!limit(RLIMIT_NOFILE, 64, 200) || !limit(RLIMIT_MEMLOCK, 0, 8 * MIB) ||
	    !limit(RLIMIT_FSIZE, MIB, RLIM_INFINITY))
		return false;
	return vmm_limits_files(200, &value) && value == 200 &&
	       !vmm_limits_files(201, &value) &&
	       vmm_limits_lock(8 * MIB, &value) && value == 8 * MIB &&
	       !vmm_limits_lock(8 * MIB + 1, &value) &&
	       vmm_limits_file(MIB, &value) && value == MIB &&
	       !vmm_limits_file(MIB + 1, &value);
}

static void limits_are_asked(void)
{
	tap_check(apart(asked));
}

static bool ram_too_large(void)
{
	struct vmm_mem mem = { 0 };

	if (!limit(RLIMIT_FSIZE, 16 * MIB, 16 * MIB))
		return false;
	if (vmm_mem_add(&mem, 0, 32 * MIB) != -EFBIG || mem.regions)
		return false;
	return strstr(said, "guest RAM is a file of 32 MiB, and a file may have 16 (ulimit -f)") &&
	       !vmm_mem_add(&mem, 0, 16 * MIB);
}

static void ram_beyond_the_limit_of_files_is_refused(void)
{
	tap_check(apart(ram_too_large));
}

static bool files_run_out(void)
{
	struct vmm_loop *loop;
	int fd, last;

	if (!limit(RLIMIT_NOFILE, 20, 20))
		return false;
	loop = vmm_loop_create();
	if (!loop)
		return false;
	do {
		fd = vmm_event_create();
		last = fd < 0 ? fd : vmm_loop_add(loop, fd, NULL, NULL);
	} while (fd >= 0 && !last);
	return last == -EMFILE && strstr(said, "Too many open files");
}

static void too_few_files_are_an_error(void)
{
	tap_check(apart(files_run_out));
}

static const struct tap_case cases[] = {
	{ "soft limits are raised as far as they can be", soft_limits_are_raised },
	{ "limits are asked", limits_are_asked },
	{ "RAM that no file can hold is refused, with the limit",
	  ram_beyond_the_limit_of_files_is_refused },
	{ "too few files are an error", too_few_files_are_an_error },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
