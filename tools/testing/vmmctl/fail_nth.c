// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program again and again and lets another of its system calls fail each time:
 *
 *	fail_nth [-f FIRST] DIRECTORY COMMAND...
 *
 * FIRST is the first call to fail, 0 for a run in which none does.
 * Counted are the calls of the first thread between its prctl(PR_SET_NO_NEW_PRIVS),
 * with which vmmctl begins to set a VM up, and the first time that a vCPU's thread runs the
 * guest. The program must either run the guest, and is ended there, or end by itself: not by a
 * signal, with an exit code, with one line on stderr that says why, and with nothing
 * left in DIRECTORY. KTAP on standard output.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <linux/vhost_goldfish_pipe.h>
#include <linux/vhost_goldfish_sync.h>

#define PATIENCE_S	60
#define TEXT		4096

#if defined(__aarch64__)

#define PC(r)	((r)->pc)
#define RESULT(r)	((r)->regs[0])
#define ARGUMENT(r)	((r)->regs[0])	/* the same register */

#elif defined(__x86_64__)

#define PC(r)	((r)->rip)
#define RESULT(r)	((r)->rax)
#define ARGUMENT(r)	((r)->rdi)

#else
#error "fail_nth knows the registers of arm64 and x86_64 only"
#endif

/* One run. */
struct run {
	pid_t pid;
	unsigned int nth;	/* call that fails, from 1; 0 for none */
	unsigned int calls;	/* of the first thread so far */
	long failed;		/* number of the call that failed, or -1 */
	bool counting;
	bool failing;		/* between entry and exit of that call */
	struct user_regs_struct entered;	/* those it made that call with */
	bool ran;		/* it ran the guest */
	unsigned long long pc;	/* where it got the last signal */
	int status;
};

/* Calls that do not fail: their failure has no meaning, or they print the message, or end. */
static bool passed_over(long nr)
{
	return nr == SYS_exit_group || nr == SYS_exit || nr == SYS_write || nr == SYS_close ||
	       nr == SYS_munmap || nr == SYS_rt_sigreturn || nr == SYS_futex ||
	       nr == SYS_rt_sigprocmask;
}

/* Requests by which a vCPU runs: by KVM's file, or by a device's that serves the guest's reads. */
static bool runs_guest(unsigned long request)
{
	return request == KVM_RUN || request == VHOST_GOLDFISH_PIPE_RUN ||
	       request == VHOST_GOLDFISH_SYNC_RUN;
}

static void registers_get(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov);
}

static void registers_set(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov);
}

/* At entry: another call than the one that @regs, which become the thread's, were for. */
static void call_set(pid_t tid, struct user_regs_struct *regs, int nr)
{
#ifdef __aarch64__
	struct iovec iov = { &nr, sizeof(nr) };

	registers_set(tid, regs);
	ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &iov);
#else
	regs->orig_rax = nr;
	registers_set(tid, regs);
#endif
}

/*
 * Makes the call one that fails. The call that takes its place does nothing, and a sandbox
 * allows it: no call at all is a number that seccomp does not know. brk() fails by saying
 * where the break still is, which brk(0) does.
 */
static void call_begin_failing(struct run *run, long nr)
{
	struct user_regs_struct regs;

	registers_get(run->pid, &run->entered);
	regs = run->entered;
	ARGUMENT(&regs) = nr == SYS_brk ? 0 : -1;
	call_set(run->pid, &regs, nr == SYS_brk ? nr : SYS_close);
	run->failed = nr;
	run->failing = true;
}

/* Restores all registers of the program but the result. */
static void call_end_failing(struct run *run)
{
	unsigned long long result = -ENOMEM;
	struct user_regs_struct regs;

	registers_get(run->pid, &regs);
	if (run->failed == SYS_brk)
		result = RESULT(&regs);
	ARGUMENT(&regs) = ARGUMENT(&run->entered);
	RESULT(&regs) = result;
	registers_set(run->pid, &regs);
	run->failing = false;
}

/* Returns whether the program continues. */
static bool at_syscall(struct run *run, pid_t tid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return true;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (run->failing && tid == run->pid)
			call_end_failing(run);
		return true;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return true;
	if (info.entry.nr == SYS_ioctl && runs_guest(info.entry.args[1]) && tid != run->pid) {
		run->ran = true;
		return false;
	}
	if (tid != run->pid)
		return true;
	if (info.entry.nr == SYS_prctl && info.entry.args[0] == PR_SET_NO_NEW_PRIVS)
		run->counting = true;
	if (!run->counting || passed_over(info.entry.nr) || ++run->calls != run->nth)
		return true;
	call_begin_failing(run, info.entry.nr);
	return true;
}

static void expired(int sig)
{
	(void)sig;
}

/* Until the program has ended; one that takes too long is ended, by SIGALRM's name. */
static void follow(struct run *run)
{
	int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	struct sigaction alarm_action = { .sa_handler = expired };
	int status;
	pid_t tid;

	waitpid(run->pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, run->pid, 0, options);
	ptrace(PTRACE_SYSCALL, run->pid, 0, 0);
	sigaction(SIGALRM, &alarm_action, NULL);
	alarm(PATIENCE_S);
	for (;;) {
		int deliver = 0;

		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR) {
			kill(run->pid, SIGKILL);
			run->status = SIGALRM;
			run->ran = false;
			break;
		}
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status)) {
			if (tid == run->pid) {
				run->status = status;
				break;
			}
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (!at_syscall(run, tid)) {
				kill(run->pid, SIGKILL);
				break;
			}
		} else if (status >> 8 != (SIGTRAP | PTRACE_EVENT_CLONE << 8) &&
			   WSTOPSIG(status) != SIGSTOP) {
			struct user_regs_struct regs;

			registers_get(tid, &regs);
			run->pc = PC(&regs);
			deliver = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, tid, 0, deliver);
	}
	alarm(0);
	while (waitpid(-1, &status, __WALL) > 0)
		;
}

static unsigned int files_in(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	if (ftw->level)
		remove(path);
	return 0;
}

static unsigned int lines_of(const char *text)
{
	unsigned int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void begin(struct run *run, char **command, int err)
{
	int none;

	run->pid = fork();
	if (run->pid)
		return;
	none = open("/dev/null", O_RDWR);
	dup2(none, 0);
	dup2(none, 1);
	dup2(err, 2);
	setsid();
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	execvp(command[0], command);
	_exit(127);
}

static bool attempt(unsigned int nth, char **command, const char *directory, bool *more)
{
	struct run run = { .nth = nth, .failed = -1 };
	int err = memfd_create("stderr", MFD_CLOEXEC);
	char text[TEXT] = "";
	const char *wrong = NULL;

	/* A run that was ended from outside leaves what the next one of the name finds. */
	nftw(directory, drop, 16, FTW_DEPTH | FTW_PHYS);
	begin(&run, command, err);
	follow(&run);
	if (pread(err, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	close(err);
	*more = run.failed >= 0;
	if (!run.counting)
		wrong = "it never began";
	else if (run.ran)
		;
	else if (!WIFEXITED(run.status))
		wrong = run.status == SIGALRM ? "it hung" : "a signal ended it";
	else if (!nth)
		wrong = "it does not work at all";
	else if (!WEXITSTATUS(run.status))
		wrong = "it ended as if all were well";
	else if (lines_of(text) != 1 || strncmp(text, "vmmctl: ", 8))
		wrong = "it did not say why in one line";
	else if (files_in(directory))
		wrong = "it left files behind";
	if (wrong)
		printf("# call %u (number %ld): %s; status 0x%x, pc 0x%llx; stderr: %s\n", nth,
		       run.failed, wrong, run.status, run.pc, text);
	return !wrong;
}

int main(int argc, char **argv)
{
	unsigned int nth, first = 0, wrong = 0;
	bool more = true;

	if (argc > 3 && !strcmp(argv[1], "-f")) {
		first = strtoul(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc < 3) {
		fprintf(stderr, "usage: fail_nth [-f FIRST] DIRECTORY COMMAND...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	for (nth = first; more && wrong < 20; nth++) {
		wrong += !attempt(nth, argv + 2, argv[1], &more);
		more |= !nth;
	}
	printf("# %u calls\n", nth - 2);
	return wrong || nth < 50;
}
