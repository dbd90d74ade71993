// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test that virgl_confine --clients 2 starts instead of virgl_test_server: does what the server
 * may do, and tries what it may not do. Prints each try whose result is wrong. The exit code is 0
 * if there is none.
 *
 *	virgl_probe ... --socket-path=PATH	as virgl_confine calls it
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define GIB		(1UL << 30)
#define NO_SUCH_CALL	38	/* errno of a system call that a kernel lacks */

static const char *path;
static int listening = -1;

/* Each returns what a system call does: a negative number if it fails, with errno. */

static long serve(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	unlink(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (listening < 0 || bind(listening, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	return listen(listening, 1);
}

static long another_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long a_network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long a_connection(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	return connect(listening, (struct sockaddr *)&addr, sizeof(addr));
}

static long a_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static long a_program(void)
{
	char *const arguments[] = { "virgl_probe", NULL };

	return execve("/proc/self/exe", arguments, environ);
}

static long a_program_by_file(void)
{
	char *const arguments[] = { "virgl_probe", NULL };

	return syscall(SYS_execveat, AT_FDCWD, "/proc/self/exe", arguments, environ, 0);
}

static long shared_memory(void)
{
	return syscall(SYS_memfd_create, "shared", 0);
}

static long mapped(int protection, size_t size)
{
	void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	munmap(at, size);
	return 0;
}

static long memory(void)
{
	return mapped(PROT_READ | PROT_WRITE, GIB / 4);
}

static long much_memory(void)
{
	return mapped(PROT_READ | PROT_WRITE, 4 * GIB);
}

static long code_in_memory(void)
{
	return mapped(PROT_READ | PROT_WRITE | PROT_EXEC, 4096);
}

static long memory_made_code(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long a_file_elsewhere(void)
{
	return open("/proc/self/status", O_RDONLY);
}

static long a_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

static long a_new_file(void)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s.file", path);
	return open(name, O_WRONLY | O_CREAT, 0600);
}

static long a_written_file(void)
{
	return open("/proc/self/exe", O_WRONLY);
}

static long a_cut_file(void)
{
	return open("/proc/self/exe", O_RDONLY | O_TRUNC);
}

static long a_signal_by_a_file(void)
{
	return fcntl(listening, F_SETOWN, 1);
}

static long another_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	return sched_setaffinity(1, sizeof(set), &set);
}

static long a_signal(void)
{
	return kill(getpid(), 0);
}

static long a_trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long a_higher_limit(void)
{
	const struct rlimit limits = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &limits);
}

static long a_namespace(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

static long a_thread_in_a_namespace(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUTS, 0, 0, 0,
		       0);
}

static void *sleeps(void *arg)
{
	for (;;)
		sleep(1);
	return arg;
}

static long more_threads(int n)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	while (n-- && !err)
		err = pthread_create(&thread, &attr, sleeps, NULL);
	errno = err;
	return err ? -1 : 0;
}

/* The main thread is one of 64. */
static long some_threads(void)
{
	return more_threads(63);
}

static long too_many_threads(void)
{
	return more_threads(1);
}

/* A process as for a connection. It tries to fork as well, and stores the error of that. */
static int *told;

static long a_process(void)
{
	long child;
	int tries = 600;

	*told = -1;
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!child)
			_exit(0);
		__atomic_store_n(told, child < 0 ? errno : 0, __ATOMIC_SEQ_CST);
		for (;;)
			sleep(1);
	}
	while (child > 0 && __atomic_load_n(told, __ATOMIC_SEQ_CST) < 0 && tries--)
		usleep(100000);
	return child;
}

static long a_process_of_a_process(void)
{
	errno = *told;
	return errno ? -1 : 0;
}

static const struct {
	const char *name;
	long (*try)(void);
	int error;	/* 0: it works */
} tries[] = {
	{ "serve", serve, 0 },
	{ "another_socket", another_socket, EPERM },
	{ "a_network", a_network, EPERM },
	{ "a_connection", a_connection, EPERM },
	{ "a_pair", a_pair, EPERM },
	{ "a_program", a_program, EPERM },
	{ "a_program_by_file", a_program_by_file, EPERM },
	{ "shared_memory", shared_memory, NO_SUCH_CALL },
	{ "memory", memory, 0 },
	{ "much_memory", much_memory, ENOMEM },
	{ "code_in_memory", code_in_memory, EPERM },
	{ "memory_made_code", memory_made_code, EPERM },
	{ "a_file_elsewhere", a_file_elsewhere, EACCES },
	{ "a_directory", a_directory, EACCES },
	{ "a_new_file", a_new_file, EPERM },
	{ "a_written_file", a_written_file, EPERM },
	{ "a_cut_file", a_cut_file, EPERM },
	{ "a_signal", a_signal, EPERM },
	{ "a_signal_by_a_file", a_signal_by_a_file, EPERM },
	{ "another_cpu", another_cpu, EPERM },
	{ "a_trace", a_trace, EPERM },
	{ "a_higher_limit", a_higher_limit, EPERM },
	{ "a_namespace", a_namespace, EPERM },
	{ "a_thread_in_a_namespace", a_thread_in_a_namespace, EPERM },
	{ "threads", some_threads, 0 },
	{ "too_many_threads", too_many_threads, EAGAIN },
	{ "a_process", a_process, 0 },
	{ "a_process_of_a_process", a_process_of_a_process, EPERM },
	{ "a_second_process", a_process, 0 },
	{ "a_third_process", a_process, EAGAIN },
};

int main(int argc, char **argv)
{
	static const char option[] = "--socket-path=";
	int wrong = 0;
	size_t i;

	if (argc < 2 || strncmp(argv[argc - 1], option, strlen(option)))
		return 2;
	path = argv[argc - 1] + strlen(option);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (told == MAP_FAILED)
		return 2;
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int error = tries[i].try() < 0 ? errno : 0;

		if (error == tries[i].error)
			continue;
		wrong++;
		printf("virgl_probe: %s: %s, should be: %s\n", tries[i].name, strerror(error),
		       strerror(tries[i].error));
	}
	printf("virgl_probe: %zu tries, %d wrong\n", i, wrong);
	fflush(stdout);
	return wrong ? 1 : 0;
}
