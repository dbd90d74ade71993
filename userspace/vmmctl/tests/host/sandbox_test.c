// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox, from inside: each case goes into it in a process of its own and does
 * what must work, or what must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/sandbox.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define ENDED_WELL	7

/* Calls that only a build with sanitizers is allowed. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZERS_CALLS	2
#else
#define SANITIZERS_CALLS	0
#endif

static char allowed_dir[64];
static char allowed_file[80];
static char other_file[80];

/* A sanitizer's own calls at the end of a process are not vmmctl's. */
static void leave(int code)
{
	syscall(SYS_exit_group, code);
}

static int enter_and(int (*fn)(void))
{
	struct vmm_sandbox sandbox = { .folders = 0 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		vmm_sandbox_removes(&sandbox, allowed_dir);
		sandbox.port[sandbox.ports++] = 5037;
		if (vmm_sandbox_enter(&sandbox))
			leave(1);
		leave(fn());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool make_files(void)
{
	snprintf(allowed_dir, sizeof(allowed_dir), "/tmp/vmmctl-sandbox-%d", (int)getpid());
	snprintf(allowed_file, sizeof(allowed_file), "%s/file", allowed_dir);
	snprintf(other_file, sizeof(other_file), "%s-other", allowed_dir);
	return !mkdir(allowed_dir, 0700) && make_file(allowed_file) && make_file(other_file);
}

static int ordinary_work(void)
{
	void *bytes = malloc(10 << 20);
	int event = vmm_event_create();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (!bytes || event < 0 || fd < 0)
		return 1;
	memset(bytes, 1, 10 << 20);
	vmm_event_signal(event);
	close(fd);
	free(bytes);
	return ENDED_WELL;
}

static void *in_thread(void *arg)
{
	*(int *)arg = vmm_sandbox_vcpu();
	return NULL;
}

static int threads(void)
{
	pthread_t thread;
	int err = -1;

	if (pthread_create(&thread, NULL, in_thread, &err))
		return 1;
	pthread_join(thread, NULL);
	return err ? 2 : ENDED_WELL;
}

static void what_is_needed_works(void)
{
	tap_equal(enter_and(ordinary_work), ENDED_WELL);
	tap_equal(enter_and(threads), ENDED_WELL);
}

static int run_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static int new_process(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0;
}

static int trace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) < 0;
}

static int open_file(void)
{
	return open(other_file, O_RDONLY) < 0;
}

static int network(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int code(void)
{
	return syscall(SYS_mmap, NULL, 4096, 7, 0x22, -1, 0) < 0;
}

static int signal_others(void)
{
	return syscall(SYS_tgkill, 1, 1, 0) < 0;
}

static void *vcpu_connects(void *arg)
{
	(void)arg;
	if (!vmm_sandbox_vcpu())
		socket(AF_UNIX, SOCK_STREAM, 0);
	return NULL;
}

static int vcpu_connection(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, vcpu_connects, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

static void what_is_not_needed_ends_it(void)
{
	static const struct {
		const char *name;
		int (*fn)(void);
	} calls[] = {
		{ "a program", run_program }, { "a process", new_process }, { "ptrace", trace },
		{ "a file", open_file }, { "a raw socket", network }, { "code", code },
		{ "signals", signal_others }, { "a vCPU's connection", vcpu_connection },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		tap_context("%s", calls[i].name);
		tap_equal(enter_and(calls[i].fn), 128 + SIGSYS);
	}
}

static int remove_files(void)
{
	if (unlinkat(AT_FDCWD, allowed_file, 0))
		return 1;
	if (!unlinkat(AT_FDCWD, other_file, 0))
		return 2;
	return errno == EACCES ? ENDED_WELL : 3;
}

static bool have_landlock(void)
{
	return syscall(444, NULL, 0, 1) >= 1;
}

static void only_named_folders_lose_files(void)
{
	if (!have_landlock()) {
		tap_skip("this kernel has no Landlock");
		return;
	}
	tap_equal(enter_and(remove_files), ENDED_WELL);
}

/* From outside: the process waits in the sandbox. */
static void no_rights_are_left(void)
{
	struct vmm_sandbox sandbox = { .folders = 0 };
	char path[64];
	char line[128];
	unsigned long long value;
	unsigned int seen = 0;
	int ready[2];
	pid_t pid;
	FILE *in;

	if (!tap_check(!pipe(ready)))
		return;
	pid = fork();
	if (!pid) {
		if (vmm_sandbox_enter(&sandbox))
			leave(1);
		if (write(ready[1], "x", 1) != 1)
			leave(1);
		for (;;)
			poll(NULL, 0, -1);
	}
	tap_equal(read(ready[0], line, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "CapEff: %llx", &value) == 1 ||
		    sscanf(line, "CapPrm: %llx", &value) == 1 ||
		    sscanf(line, "CapInh: %llx", &value) == 1) {
			tap_equal(value, 0);
			seen++;
		} else if (sscanf(line, "NoNewPrivs: %llu", &value) == 1) {
			tap_equal(value, 1);
			seen++;
		} else if (sscanf(line, "Seccomp: %llu", &value) == 1) {
			tap_equal(value, 2);
			seen++;
		}
	}
	tap_equal(seen, 5);
	if (in)
		fclose(in);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void list_is_short_and_has_reasons(void)
{
	const struct vmm_sandbox_call *call;

	printf("# main thread %u calls, vCPUs %u\n", vmm_sandbox_count(VMM_CALL_MAIN),
	       vmm_sandbox_count(VMM_CALL_VCPU));

	for (call = vmm_sandbox_calls; call->name; call++) {
		tap_context("%s", call->name);
		tap_check(call->why && strlen(call->why) > 3 && call->who);
	}
	tap_context("%s", "");
	tap_check(vmm_sandbox_count(VMM_CALL_MAIN) <= 60 + SANITIZERS_CALLS);
	tap_check(vmm_sandbox_count(VMM_CALL_VCPU) < vmm_sandbox_count(VMM_CALL_MAIN));
}

static const struct tap_case cases[] = {
	{ "what vmmctl needs works", what_is_needed_works },
	{ "what it does not need ends it", what_is_not_needed_ends_it },
	{ "files are removed from named directories only", only_named_folders_lose_files },
	{ "no rights are left", no_rights_are_left },
	{ "the list of calls is short, and each has a reason", list_is_short_and_has_reasons },
};

int main(void)
{
	int failed;

	if (!make_files())
		return 1;
	failed = tap_run(cases, ARRAY_SIZE(cases));
	unlink(allowed_file);
	rmdir(allowed_dir);
	unlink(other_file);
	return failed;
}
