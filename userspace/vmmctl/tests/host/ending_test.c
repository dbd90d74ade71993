// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that end the process: in order, with a delay, and ignored. Each case runs in a process of
 * its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot/boot.h"
#include "host/ending.h"
#include "host/sandbox.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "machine/machine.h"
#include "tests/tap.h"

static int on_end(void *arg)
{
	(void)arg;
	return 17;
}

static void say_ready(int fd)
{
	if (write(fd, "r", 1) != 1)
		_exit(99);
}

static int in_order(int fd)
{
	struct vmm_loop *loop = vmm_loop_create();

	if (vmm_ending_open(loop, on_end, NULL))
		return 98;
	say_ready(fd);
	return vmm_loop_run(loop) == 17 && vmm_ending_signal() == SIGTERM ? 20 : 97;
}

/* The main thread waits without end. */
static int stuck(int fd)
{
	struct vmm_loop *loop = vmm_loop_create();
	int never[2];
	char byte;

	if (pipe(never) || vmm_ending_open(loop, on_end, NULL))
		return 98;
	say_ready(fd);
	while (read(never[0], &byte, 1) < 0 && errno == EINTR)
		;
	return 96;
}

static void fill(int fd)
{
	char bytes[4096] = { 0 };

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

/* The same, and stderr is not read. */
static int stuck_and_not_heard(int fd)
{
	int full[2];

	if (pipe(full))
		return 98;
	fill(full[1]);
	dup2(full[1], STDERR_FILENO);
	return stuck(fd);
}

/* The signal comes while a kernel is read, as at a reset. */
static int reading(int fd)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_boot_file file = { .path = "/proc/self/exe" };
	char byte;
	int err;

	file.fd = open(file.path, O_RDONLY);
	if (file.fd < 0 || vmm_ending_open(loop, on_end, NULL))
		return 98;
	say_ready(fd);
	do {
		err = vmm_boot_file_read(&file, 0, &byte, 1);
	} while (!err);
	return err == -EINTR ? 22 : 94;
}

static int as_nohup(int fd)
{
	struct vmm_loop *loop = vmm_loop_create();

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (vmm_ending_open(loop, on_end, NULL))
		return 98;
	raise(SIGHUP);
	raise(SIGINT);
	say_ready(fd);
	return vmm_loop_run(loop) == 17 && vmm_ending_signal() == SIGTERM ? 21 : 95;
}

/* ---- files that a process removes when it is ended at once ---- */

static char home[64];
static char sock[96];
static bool removing_hangs;
static bool main_is_deaf;
static bool last_act_hangs;
static int removed_by = -1;

/* The file system of the socket does not answer. */
int unlinkat(int dir_fd, const char *path, int flags)
{
	while (removing_hangs)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return syscall(SYS_unlinkat, dir_fd, path, flags);
}

static void tell_thread(void)
{
	if (write(removed_by, syscall(SYS_gettid) == getpid() ? "m" : "v", 1) != 1)
		_exit(93);
}

static void *vcpu(void *arg)
{
	int fd = *(int *)arg;

	if (vmm_sandbox_vcpu())
		_exit(92);
	say_ready(fd);
	for (;;)
		poll(NULL, 0, -1);
	return NULL;
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/*
 * A VM's directory, and a socket elsewhere. A main thread that blocks the signals acts like one
 * that waits in a file system.
 */
static int in_sandbox(int fd)
{
	struct vmm_sandbox sandbox = { .above = home };
	struct vmm_loop *loop = vmm_loop_create();
	pthread_t thread;

	if (vmm_ending_open(loop, on_end, NULL) || !vmm_dir_open(home, "vm") ||
	    vmm_unix_listen(sock) < 0)
		return 98;
	vmm_ending_last_act(tell_thread);
	vmm_sandbox_removes(&sandbox, home);
	if (vmm_sandbox_enter(&sandbox) || pthread_create(&thread, NULL, vcpu, &fd))
		return 97;
	if (main_is_deaf)
		block(SIGALRM);
	for (;;)
		poll(NULL, 0, -1);
}

static void hang(void)
{
	for (;;)
		pause();
}

static int not_in_sandbox(int fd)
{
	if (vmm_unix_listen(sock) < 0)
		return 98;
	if (last_act_hangs)
		vmm_ending_last_act(hang);
	return stuck(fd);
}

/* Waits ten seconds for its end, then kills it. */
static void wait_or_kill(pid_t pid, int *status)
{
	unsigned int i;

	for (i = 0; i < 1000 && !waitpid(pid, status, WNOHANG); i++)
		usleep(10000);
	if (i < 1000)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
}

/* Ends @fn by SIGTERM; returns its status, and in @seconds the time that it took. */
static int end_by(int (*fn)(int fd), double *seconds)
{
	struct timespec start;
	struct timespec end;
	int ready[2];
	int status;
	char byte;
	pid_t pid;

	if (!tap_check(!pipe(ready)))
		return -1;
	pid = fork();
	if (!pid)
		_exit(fn(ready[1]));
	tap_equal(read(ready[0], &byte, 1), 1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	kill(pid, SIGTERM);
	wait_or_kill(pid, &status);
	clock_gettime(CLOCK_MONOTONIC, &end);
	*seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
	close(ready[0]);
	close(ready[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void main_loop_is_told(void)
{
	double seconds;

	tap_equal(end_by(in_order, &seconds), 20);
}

static void nobody_can_hold_it_up(void)
{
	double seconds;

	tap_equal(end_by(stuck, &seconds), 128 + SIGTERM);
	tap_check(seconds > 0.3 && seconds < 10);
}

static void last_words_wait_for_nobody(void)
{
	double seconds;

	tap_equal(end_by(stuck_and_not_heard, &seconds), 128 + SIGTERM);
}

static void no_file_is_read_to_its_end(void)
{
	double seconds;

	tap_equal(end_by(reading, &seconds), 22);
}

static void ignored_signals_stay_ignored(void)
{
	double seconds;

	tap_equal(end_by(as_nohup, &seconds), 21);
}

static void nothing_is_left_by(char thread)
{
	char dir[96];
	double seconds;
	int by[2];
	char who;

	tap_context("thread %c", thread);
	snprintf(dir, sizeof(dir), "%s/vm", home);
	tap_check(!pipe(by));
	removed_by = by[1];
	main_is_deaf = thread == 'v';
	tap_equal(end_by(in_sandbox, &seconds), 128 + SIGTERM);
	tap_equal(read(by[0], &who, 1), 1);
	tap_equal(who, thread);
	tap_check(access(dir, F_OK) && access(sock, F_OK));
	close(by[0]);
	close(by[1]);
}

/* The main thread removes them, or a vCPU's thread if the main thread is stuck. */
static void nothing_is_left_in_file_systems(void)
{
	nothing_is_left_by('m');
	nothing_is_left_by('v');
}

/* stderr, too, may be in a file system that does not answer. */
static void last_words_hold_nobody_up(void)
{
	double seconds;

	last_act_hangs = true;
	tap_equal(end_by(not_in_sandbox, &seconds), -SIGALRM);
	last_act_hangs = false;
	tap_check(seconds < 10);
	unlink(sock);
}

static void removing_holds_nobody_up(void)
{
	double seconds;

	removing_hangs = true;
	tap_equal(end_by(not_in_sandbox, &seconds), -SIGALRM);
	removing_hangs = false;
	tap_check(seconds < 10);
	unlink(sock);
}

static bool a_socket_of_others(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool made;

	memcpy(addr.sun_path, path, strlen(path));
	made = !unlink(path) && !bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return made;
}

static void remove_this_one(void)
{
	vmm_unix_remove(sock);
}

/* By a close, and by the end of the process without a close. */
static void only_its_own_sockets_are_removed(void)
{
	void (*const ends[])(void) = { remove_this_one, vmm_unix_leave };
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		tap_context("the %s way", i ? "second" : "first");
		fd = vmm_unix_listen(sock);
		tap_check(a_socket_of_others(sock));
		ends[i]();
		tap_check(!access(sock, F_OK));
		close(fd);
		fd = vmm_unix_listen(sock);
		ends[i]();
		tap_check(access(sock, F_OK));
		close(fd);
	}
}

static void *vcpu_reads(void *arg)
{
	if (vmm_sandbox_vcpu())
		_exit(94);
	return *(volatile u8 *)arg ? arg : NULL;
}

/* A clone, while the file of the snapshot's RAM is truncated. */
static int ram_is_cut_off(int fd)
{
	pthread_t thread;

	struct vmm_sandbox sandbox = { .above = home };
	struct vmm_mem mem = { 0 };
	int ram = memfd_create("ram", 0);

	if (ftruncate(ram, MIB) || vmm_mem_add_file(&mem, 0, MIB, ram, 0) ||
	    !vmm_dir_open(home, "vm"))
		return 98;
	vmm_ending_ram(&mem);
	vmm_sandbox_removes(&sandbox, home);
	dup2(fd, STDERR_FILENO);
	if (ftruncate(ram, 4096) || vmm_sandbox_enter(&sandbox))
		return 97;
	if (pthread_create(&thread, NULL, vcpu_reads, (u8 *)mem.region[0].hva + 8192))
		return 96;
	pthread_join(thread, NULL);
	return 95;
}

static int other_memory_is_cut_off(int fd)
{
	struct vmm_mem mem = { 0 };
	int file = memfd_create("other", 0);
	volatile u8 *bytes;

	(void)fd;
	if (vmm_mem_add(&mem, 0, MIB) || ftruncate(file, 4096))
		return 98;
	bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	vmm_ending_ram(&mem);
	return bytes == MAP_FAILED || ftruncate(file, 0) ? 97 : *bytes;
}

/* Runs @fn in a process; returns its status, and in @text its output. */
static int ends(int (*fn)(int fd), char *text, size_t size)
{
	int out[2], status;
	ssize_t n;
	pid_t pid;

	if (!tap_check(!pipe(out)))
		return -1;
	pid = fork();
	if (!pid)
		_exit(fn(out[1]));
	close(out[1]);
	waitpid(pid, &status, 0);
	n = read(out[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(out[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void lost_ram_is_said_in_a_line(void)
{
	char text[512], dir[96];

	snprintf(dir, sizeof(dir), "%s/vm", home);
	tap_equal(ends(ram_is_cut_off, text, sizeof(text)), EXIT_FAILURE);
	tap_context("%s", text);
	tap_check(strstr(text, "\"ram\" of the snapshot has changed"));
	tap_check(strchr(text, '\n') == text + strlen(text) - 1);
	tap_check(access(dir, F_OK));
	tap_equal(ends(other_memory_is_cut_off, text, sizeof(text)), -SIGBUS);
}

static const struct tap_case cases[] = {
	{ "lost RAM is said in a line", lost_ram_is_said_in_a_line },
	{ "the main loop is told", main_loop_is_told },
	{ "a main thread that waits is ended all the same", nobody_can_hold_it_up },
	{ "its last words wait for nobody", last_words_wait_for_nobody },
	{ "a file is not read to its end before", no_file_is_read_to_its_end },
	{ "signals that were ignored stay ignored", ignored_signals_stay_ignored },
	{ "no directory and no socket are left", nothing_is_left_in_file_systems },
	{ "a file system that hangs holds nobody up", removing_holds_nobody_up },
	{ "nor do last words that hang", last_words_hold_nobody_up },
	{ "a socket that others have put there stays", only_its_own_sockets_are_removed },
};

int main(void)
{
	int rc;

	snprintf(home, sizeof(home), "/tmp/vmmctl-ending-XXXXXX");
	if (!mkdtemp(home))
		return 1;
	snprintf(sock, sizeof(sock), "%s/user.sock", home);
	rc = tap_run(cases, ARRAY_SIZE(cases));
	return rmdir(home) ? 1 : rc;
}
