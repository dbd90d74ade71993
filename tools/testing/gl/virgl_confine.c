// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts Debian's virgl_test_server, which executes what a guest says, and confines it:
 *
 *	virgl_confine --socket PATH [--clients N] [--memory MIB] [--jit] [--read DIR]... SERVER
 *
 * SERVER listens at PATH and starts one process for each connection, at most N at once. The
 * server may
 *
 *	read		files below /usr, /lib, /lib64 and each DIR (Landlock), and write none
 *	make, remove	sockets, and remove files, in the directory of PATH (Landlock)
 *	call		the system calls of this file, no others (seccomp)
 *	take		MIB of address space in each process
 *	execute		code in files, and none in memory that was written; with --jit also that
 *
 * Some calls are allowed only once, or only up to a number. For these the kernel asks the
 * launcher, which remains as the parent process: the execve that starts the server, the socket
 * that the server listens at, processes for connections, and threads.
 *
 * memfd_create fails as on a kernel that lacks it. The server then offers a version of its
 * protocol that passes no files; a guest's pipe could not pass them.
 *
 * The launcher ends when the server ends. SIGTERM ends both, with all connections.
 *
 * Source of Landlock's numbers: Linux 6.12 Documentation/userspace-api/landlock.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define CLIENTS		8
#define MEMORY_MIB	2048
#define CLIENTS_MOST	256	/* their numbers are read into one buffer */
#define FILES		256
#define THREADS		64	/* in each process */
#define FOLDERS		16
#define NO_SUCH_CALL	38	/* errno of a system call that a kernel lacks */

/* ---- what is asked for ---- */

static struct {
	const char *socket;
	const char *server;
	const char *read[FOLDERS];
	unsigned int reads;
	unsigned long clients;
	unsigned long memory;
	bool jit;
} options = { .clients = CLIENTS, .memory = MEMORY_MIB };

static int fail(int err, const char *what)
{
	fprintf(stderr, "virgl_confine: %s: %s\n", what, strerror(err < 0 ? -err : err));
	return -1;
}

/* ---- files ---- */

#define RULE_PATH_BENEATH	1
#define FS_EXECUTE		(1ULL << 0)
#define FS_READ_FILE		(1ULL << 2)
#define FS_READ_DIR		(1ULL << 3)
#define FS_SOCKET		(1ULL << 5 | 1ULL << 9)		/* remove a file, make a socket */
#define FS_VERSION(v)		((v) < 2 ? (1ULL << 13) - 1 : (v) < 3 ? (1ULL << 14) - 1 : \
				 (v) < 5 ? (1ULL << 15) - 1 : (1ULL << 16) - 1)

struct path_rule {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* What is not there needs no rule. */
static int files_allow(int ruleset, const char *path, uint64_t allowed)
{
	struct path_rule rule = { .allowed = allowed };
	struct stat st;
	int err = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : fail(errno, path);
	/* A file with the right to read directories would be refused. */
	if (!fstat(rule.parent_fd, &st) && !S_ISDIR(st.st_mode))
		rule.allowed &= FS_EXECUTE | FS_READ_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0))
		err = fail(errno, path);
	close(rule.parent_fd);
	return err;
}

static int files_rules(int ruleset)
{
	char folder[PATH_MAX];
	char *slash;
	unsigned int i;
	int err;

	snprintf(folder, sizeof(folder), "%s", options.socket);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	err = files_allow(ruleset, slash ? folder : ".", FS_SOCKET);
	if (!err)
		err = files_allow(ruleset, options.server, FS_EXECUTE | FS_READ_FILE);
	for (i = 0; !err && i < options.reads; i++)
		err = files_allow(ruleset, options.read[i],
				  FS_EXECUTE | FS_READ_FILE | FS_READ_DIR);
	return err;
}

static int files_confine(void)
{
	int version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	uint64_t handled = FS_VERSION(version);
	int ruleset, err;

	if (version < 0) {
		fputs("virgl_confine: no Landlock: the server can read and remove files\n",
		      stderr);
		return 0;
	}
	ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (ruleset < 0)
		return fail(errno, "Landlock");
	err = files_rules(ruleset);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = fail(errno, "Landlock");
	close(ruleset);
	return err;
}

/* ---- system calls ---- */

/* With any arguments. */
static const int calls[] = {
	/* the socket and its connections */
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(close),
	/* libraries and their settings; opening has rules of its own */
	SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(pread64),
	/* memory; mmap and mprotect have rules of their own */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads; clone has rules of its own */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq),
	SCMP_SYS(arch_prctl), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(eventfd2),
	/* time, signals, who it is, the end */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

#define WRITES	(O_ACCMODE | O_CREAT | O_TRUNC)

/*
 * Files are opened for reading only. Of fcntl, F_SETOWN and F_SETSIG are left out: with these, a
 * process sends any signal to any process of its user.
 */
static int rules_files(scmp_filter_ctx ctx)
{
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL };
	unsigned int i;
	int err;

	err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
			       SCMP_A1(SCMP_CMP_MASKED_EQ, WRITES, O_RDONLY));
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, WRITES, O_RDONLY));
	for (i = 0; !err && i < COUNT(commands); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				       SCMP_A1(SCMP_CMP_EQ, commands[i], 0));
	return err;
}

/* Code comes from files, which cannot be written to. */
static int rules_memory(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE,
					       PROT_EXEC),
				       SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err && options.jit) {
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 0);
		if (!err)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 0);
	}
	return err;
}

#define NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define THREAD		(CLONE_VM | CLONE_THREAD)
#define FORK_REFUSED	(THREAD | NAMESPACES | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
			 CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT | CLONE_SYSVSEM | \
			 CLONE_UNTRACED | CLONE_IO)

/* The launcher decides about threads and processes. A filter cannot see the flags of clone3. */
static int rules_clone(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD | NAMESPACES, THREAD));

	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, FORK_REFUSED, 0));
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(NO_SUCH_CALL), SCMP_SYS(clone3), 0);
	return err;
}

static int rules_add(scmp_filter_ctx ctx)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < COUNT(calls); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(NO_SUCH_CALL),
				       SCMP_SYS(memfd_create), 0);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(execve), 0);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 2,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0),
				       SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM, 0));
	/* The name of a thread. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				       SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	/* Reads its own limits, and sets none. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
				       SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (!err)
		err = rules_files(ctx);
	if (!err)
		err = rules_memory(ctx);
	return err ? err : rules_clone(ctx);
}

/* Returns the file by which the kernel asks. */
static int calls_confine(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = ctx ? rules_add(ctx) : -ENOMEM;

	if (!err)
		err = seccomp_load(ctx);
	return err ? fail(err, "seccomp") : seccomp_notify_fd(ctx);
}

/* ---- the server ---- */

static int limit(int what, rlim_t most)
{
	const struct rlimit limits = { most, most };

	return setrlimit(what, &limits) ? fail(errno, "setrlimit") : 0;
}

/* Root's program gets none either: the bounding set is empty. Ambient ones go with the others. */
static int capabilities_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { };
	int i;

	for (i = 0; i < 64; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	return syscall(SYS_capset, &head, none) ? fail(errno, "capset") : 0;
}

/* Executes the server; returns if it cannot. @number is where the launcher waits. */
static void server_execute(int number, pid_t launcher)
{
	char path[sizeof("--socket-path=") + PATH_MAX];
	char *const arguments[] = {
		(char *)options.server, "--use-egl-surfaceless", "--use-gles", path, NULL,
	};
	const char *const environment[] = {
		"LIBGL_ALWAYS_SOFTWARE=1", "MESA_SHADER_CACHE_DISABLE=true",
		options.jit ? "GALLIUM_DRIVER=llvmpipe" : "GALLIUM_DRIVER=softpipe", NULL,
	};
	sigset_t none;
	int asks;

	/* The server takes its path in this form only. */
	snprintf(path, sizeof(path), "--socket-path=%s", options.socket);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The socket is its user's alone. */
	umask(0077);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != launcher)
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (capabilities_drop() || limit(RLIMIT_AS, options.memory << 20) ||
	    limit(RLIMIT_NOFILE, FILES) || limit(RLIMIT_CORE, 0) || files_confine())
		return;
	asks = calls_confine();
	if (asks < 0 || write(number, &asks, sizeof(asks)) != sizeof(asks))
		return;
	execve(options.server, arguments, (char *const *)environment);
	fail(errno, options.server);
}

/*
 * Starts the server in a process group of its own. Until it executes its program, it shares the
 * launcher's table of files. So the launcher has the file by which the kernel asks, although the
 * filter does not let the server send it.
 */
static pid_t server_start(int number)
{
	pid_t launcher = getpid();
	pid_t server = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!server) {
		setpgid(0, 0);
		server_execute(number, launcher);
		_exit(127);
	}
	if (server < 0)
		return fail(errno, "fork");
	/* Both do this, so that it is done before either goes on. */
	setpgid(server, server);
	return server;
}

/* ---- the launcher ---- */

/* How many processes the server has for its connections. */
static unsigned long connections(pid_t server)
{
	char path[64], list[4096];
	unsigned long count = 0;
	ssize_t n, i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", server, server);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, list, sizeof(list));
	if (n < 0)
		fail(errno, path);
	close(fd);
	if (n < 0)
		return ~0UL;
	for (i = 0; i < n; i++)
		count += list[i] == ' ';
	return count;
}

/* How many threads the process of this thread has: each is a link of a directory, besides two. */
static unsigned long threads(pid_t thread)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", thread);
	return stat(path, &st) ? ~0UL : st.st_nlink - 2;
}

/*
 * Returns 0 if the thread may make the call, or the call's error. Arguments in registers do not
 * change any more. Threads of one process that ask at the same time can each get another one, so
 * a process has less than twice THREADS. Only one thread may fork, so its number is exact.
 */
static int judge(const struct seccomp_notif *asked, pid_t server)
{
	static bool executed, listens;
	bool *done = asked->data.nr == SCMP_SYS(execve) ? &executed :
		     asked->data.nr == SCMP_SYS(socket) ? &listens : NULL;

	if (!done && (asked->data.args[0] & CLONE_THREAD))
		return threads(asked->pid) < THREADS ? 0 : -EAGAIN;
	if ((pid_t)asked->pid != server || (done && *done))
		return -EPERM;
	if (!done)
		return connections(server) < options.clients ? 0 : -EAGAIN;
	*done = true;
	return 0;
}

static void answer(int asks, pid_t server)
{
	struct seccomp_notif_resp *reply;
	struct seccomp_notif *asked;

	if (seccomp_notify_alloc(&asked, &reply))
		return;
	/* That the thread has ended in between is no error. */
	if (!seccomp_notify_receive(asks, asked)) {
		reply->id = asked->id;
		reply->error = judge(asked, server);
		reply->flags = reply->error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		seccomp_notify_respond(asks, reply);
	}
	seccomp_notify_free(asked, reply);
}

/* Answers until the server ends or a signal comes, then ends all. Returns the exit code. */
static int launcher_run(int number, int signals, pid_t server)
{
	struct pollfd files[] = {
		{ .fd = signals, .events = POLLIN }, { .fd = number, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int status = 0;

	for (;;) {
		if (poll(files, COUNT(files), -1) < 0)
			continue;
		if (files[1].fd == number && files[1].revents) {
			if (read(number, &files[1].fd, sizeof(int)) != sizeof(int))
				files[1].fd = -1;
		} else if (files[1].revents & POLLIN) {
			answer(files[1].fd, server);
		} else if (files[1].revents) {
			files[1].fd = -1;
		}
		if (!files[0].revents || read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD)
			break;
		if (waitpid(server, &status, WNOHANG) == server)
			break;
	}
	kill(-server, SIGKILL);
	/* When the server has ended, the processes of connections are the launcher's children. */
	while (wait(NULL) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int launch(void)
{
	sigset_t set;
	int number[2];
	int null;
	int signals;
	pid_t server;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The server gets no file of ours but standard output and standard error. */
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0)) {
		fail(errno, "files");
		return EXIT_FAILURE;
	}
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || pipe2(number, O_CLOEXEC)) {
		fail(errno, "files");
		return EXIT_FAILURE;
	}
	server = server_start(number[1]);
	return server < 0 ? EXIT_FAILURE : launcher_run(number[0], signals, server);
}

/* ---- the command line ---- */

static unsigned long number_of(const char *text)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	return *text >= '0' && *text <= '9' && !*rest && n <= 1 << 20 ? n : 0;
}

static int options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "clients", required_argument, NULL, 'c' },
		{ "memory", required_argument, NULL, 'm' },
		{ "read", required_argument, NULL, 'r' },
		{ "jit", no_argument, NULL, 'j' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", known, NULL)) >= 0) {
		if (option == 's')
			options.socket = optarg;
		else if (option == 'c')
			options.clients = number_of(optarg);
		else if (option == 'm')
			options.memory = number_of(optarg);
		else if (option == 'j')
			options.jit = true;
		else if (option == 'r' && options.reads < FOLDERS)
			options.read[options.reads++] = optarg;
		else
			return -1;
	}
	options.server = argv[optind];
	return options.socket && options.clients && options.clients <= CLIENTS_MOST &&
	       options.memory && options.server && optind + 1 == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	options.read[options.reads++] = "/usr";
	options.read[options.reads++] = "/lib";
	options.read[options.reads++] = "/lib64";
	options.read[options.reads++] = "/etc/ld.so.cache";
	if (options_read(argc, argv)) {
		fputs("usage: virgl_confine --socket PATH [--clients N] [--memory MIB] [--jit]\n"
		      "                     [--read DIR]... SERVER\n", stderr);
		return 2;
	}
	return launch();
}
