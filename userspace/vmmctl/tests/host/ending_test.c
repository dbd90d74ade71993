// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that end the process: in order, late, and not at all. Each case has a process
 * of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot/boot.h"
#include "host/ending.h"
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

/* The main thread waits for somebody who never comes. */
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

/* The same, and nobody reads what is said about it. */
static int stuck_and_not_heard(int fd)
{
	int full[2];

	if (pipe(full))
		return 98;
	fill(full[1]);
	dup2(full[1], STDERR_FILENO);
	return stuck(fd);
}

/* A kernel is being read when the signal comes, as at a reset. */
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

/* Ended by SIGTERM: returns how, and how long that took in seconds. */
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
	waitpid(pid, &status, 0);
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

static const struct tap_case cases[] = {
	{ "the main loop is told", main_loop_is_told },
	{ "a main thread that waits is ended all the same", nobody_can_hold_it_up },
	{ "its last words wait for nobody", last_words_wait_for_nobody },
	{ "a file is not read to its end before", no_file_is_read_to_its_end },
	{ "signals that were ignored stay ignored", ignored_signals_stay_ignored },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
