// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that end vmmctl. The main loop ends the guest in order. If that takes too long,
 * because a vCPU or the main thread waits for a file system, a device or another process, a
 * timer's signal handler ends the process, in whichever thread can run it.
 *
 * A signal that was ignored when vmmctl was started stays ignored: nohup and shells that start
 * background jobs rely on it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/ending.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "machine/machine.h"

#define ENDING_TIMEOUT_US	650000	/* of a second, with what comes before and after */
#define ENDING_LAST_US		300000	/* for the last message and for removing files then */

/* Global, because signal handlers have no argument. */
static struct {
	int event_fd;
	volatile sig_atomic_t sig;
	void (*last_act)(void);
	const struct vmm_mem *ram;
} ending = { .event_fd = -1 };

static const int ending_signals[] = { SIGTERM, SIGINT, SIGHUP };

/*
 * From here on, file systems that do not answer may block writes and removals. SIGALRM, which
 * has its default action by then, ends the process even if no handler can run.
 */
static void ending_limit(void)
{
	static const struct itimerval timeout = { .it_value.tv_usec = ENDING_LAST_US };

	setitimer(ITIMER_REAL, &timeout, NULL);
}

static void ending_remove(void)
{
	vmm_dir_leave();
	vmm_unix_leave();
}

/*
 * The kernel runs this in the main thread if it can. If the main thread is blocked in a file
 * system, it runs in a vCPU's thread.
 */
static void ending_late(int sig)
{
	static const char text[] = "vmmctl: it did not end in time and is ended at once\n";

	(void)sig;
	ending_limit();
	if (ending.last_act)
		ending.last_act();
	vmm_last_words(text, sizeof(text) - 1);
	ending_remove();
	_exit(128 + ending.sig);
}

/**
 * vmm_ending_request - end vmmctl as by a signal
 * @sig: the signal
 *
 * Context: any thread, and signal handlers.
 */
void vmm_ending_request(int sig)
{
	static const struct itimerval timeout = { .it_value.tv_usec = ENDING_TIMEOUT_US };
	int saved = errno;

	if (!ending.sig) {
		ending.sig = sig;
		setitimer(ITIMER_REAL, &timeout, NULL);
	}
	if (ending.event_fd >= 0)
		vmm_event_signal(ending.event_fd);
	errno = saved;
}

/**
 * vmm_ending_signal - return the signal that ends vmmctl
 *
 * Return: the signal, 0 for none
 */
int vmm_ending_signal(void)
{
	return ending.sig;
}

/**
 * vmm_ending_last_act - set a function that is called even if the end takes too long
 * @fn: async-signal-safe; NULL for none
 */
void vmm_ending_last_act(void (*fn)(void))
{
	ending.last_act = fn;
}

/**
 * vmm_ending_leave - remove files just before the process ends without cleaning up
 *
 * Removes the VM's directory, and sockets at paths that the user gave.
 *
 * Context: main thread; other threads may run.
 */
void vmm_ending_leave(void)
{
	ending_limit();
	signal(SIGALRM, SIG_DFL);
	ending_remove();
}

/* Handles SIGBUS: the file of guest RAM is shorter than before, or cannot be read. */
static void ending_bus(int sig, siginfo_t *info, void *context)
{
	static const char text[] =
		"vmmctl: guest RAM is lost: \"ram\" of the snapshot has changed or is unreadable\n";
	const struct vmm_mem *mem = ending.ram;
	unsigned int i;

	(void)sig;
	(void)context;
	for (i = 0; i < mem->regions; i++) {
		if ((uintptr_t)info->si_addr - (uintptr_t)mem->region[i].hva >= mem->region[i].size)
			continue;
		ending_limit();
		vmm_last_words(text, sizeof(text) - 1);
		ending_remove();
		_exit(EXIT_FAILURE);
	}
	/* For any other address the signal is raised again, and its default action ends vmmctl. */
}

/**
 * vmm_ending_ram - report when guest RAM cannot be read from its file
 * @mem: guest RAM, mapped from a snapshot's file; valid until the process ends
 */
void vmm_ending_ram(const struct vmm_mem *mem)
{
	struct sigaction action = {
		.sa_sigaction = ending_bus, .sa_flags = SA_SIGINFO | SA_RESETHAND,
	};

	ending.ram = mem;
	sigaction(SIGBUS, &action, NULL);
}

/* Handles a signal, unless it is ignored. */
static void ending_take(int sig)
{
	struct sigaction action = { .sa_handler = vmm_ending_request, .sa_flags = SA_RESTART };
	struct sigaction was;

	if (!sigaction(sig, NULL, &was) && was.sa_handler != SIG_IGN)
		sigaction(sig, &action, NULL);
}

/**
 * vmm_ending_open - take the signals that end vmmctl
 * @loop: the main thread's loop
 * @fn: called in the loop when a signal has come
 * @arg: argument of @fn
 *
 * From here on the process ends soon after such a signal, whatever it does.
 *
 * Return: 0, or -errno
 */
int vmm_ending_open(struct vmm_loop *loop, int (*fn)(void *arg), void *arg)
{
	struct sigaction late = {
		.sa_handler = ending_late, .sa_flags = SA_RESETHAND | SA_NODEFER,
	};
	unsigned int i;
	int err;

	ending.event_fd = vmm_event_create();
	if (ending.event_fd < 0)
		return ending.event_fd;
	err = vmm_loop_add(loop, ending.event_fd, fn, arg);
	if (err)
		return err;
	sigaction(SIGALRM, &late, NULL);
	for (i = 0; i < ARRAY_SIZE(ending_signals); i++)
		ending_take(ending_signals[i]);
	return 0;
}

/**
 * vmm_ending_close - remove the signals from the loop; they still end the process
 * @loop: as it was opened with
 */
void vmm_ending_close(struct vmm_loop *loop)
{
	int fd = ending.event_fd;

	if (fd < 0)
		return;
	ending.event_fd = -1;
	vmm_loop_del(loop, fd);
	close(fd);
}
