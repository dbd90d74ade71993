// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl stop, kill and ps of a VM whose process hangs: its directory is
 * locked, its control socket takes connections, and nothing reads from them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/control.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "tests/tap.h"

#define QUEUE	64	/* more connections than a socket's backlog */

enum how {
	STUCK,		/* does nothing */
	DEAF,		/* takes no SIGTERM, either */
	SLOW,		/* answers, and ends a moment later */
};

static char base[PATH_MAX];
static pid_t vm;

static void answer_and_end(int listener)
{
	static const char text[] = "{\"return\": {}}\n";
	int fd = accept(listener, NULL, NULL);
	char line[256];

	if (read(fd, line, sizeof(line)) > 0 && write(fd, text, sizeof(text) - 1) > 0)
		usleep(300000);
	_exit(0);
}

/* The process of the VM "stuck". */
static bool vm_start(enum how how)
{
	struct vmm_dir *dir;
	char state[32];
	int listener;
	int ready[2];
	char byte;

	if (!tap_check(!pipe(ready)))
		return false;
	vm = fork();
	if (!vm) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "vmmctl");
		if (how == DEAF)
			signal(SIGTERM, SIG_IGN);
		dir = vmm_dir_open(base, "stuck");
		listener = dir ? vmm_dir_control(dir) : -1;
		if (listener < 0)
			_exit(1);
		vmm_dir_state(dir, state, snprintf(state, sizeof(state), "{\"pid\": %d}\n",
						   (int)getpid()));
		/* The socket is non-blocking. */
		fcntl(listener, F_SETFL, 0);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		if (how == SLOW)
			answer_and_end(listener);
		for (;;)
			pause();
	}
	close(ready[1]);
	byte = 1;
	tap_check(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return !byte;
}

/* Returns the signal that has ended the process, or -1. */
static int vm_end(void)
{
	int status = 0;

	waitpid(vm, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static int run(const char *command, const char *name)
{
	const char *argv[4] = { "vmmctl", command, name };

	return vmm_control_cli(3, (char **)argv);
}

static void check_ended_by(const char *command, int sig)
{
	if (!vm_start(STUCK))
		return;
	tap_equal(run(command, "stuck"), EXIT_SUCCESS);
	tap_equal(vm_end(), sig);
	tap_check(!vmm_dir_lives(base, "stuck"));
}

static void stop_sends_sigterm(void)
{
	check_ended_by("stop", SIGTERM);
}

static void kill_sends_sigkill(void)
{
	check_ended_by("kill", SIGKILL);
}

static void one_that_goes_on_is_told(void)
{
	char text[512];

	if (!vm_start(DEAF))
		return;
	tap_listen();
	tap_equal(run("stop", "stuck"), EXIT_FAILURE);
	tap_heard(text, sizeof(text));
	tap_context("%s", text);
	tap_check(strstr(text, "stuck: the VM has not ended"));
	tap_equal(run("kill", "stuck"), EXIT_SUCCESS);
	tap_equal(vm_end(), SIGKILL);
}

/* The name is free when stop returns. */
static void one_that_answers_is_waited_for(void)
{
	if (!vm_start(SLOW))
		return;
	tap_equal(run("stop", "stuck"), EXIT_SUCCESS);
	tap_check(!vmm_dir_lives(base, "stuck"));
	tap_equal(vm_end(), -1);
}

/* Other clients have connected and hung up. */
static void one_that_takes_no_connection_ends(void)
{
	char path[PATH_MAX];
	unsigned int i;
	int fd = 0;

	if (!vm_start(STUCK))
		return;
	vmm_dir_file(base, "stuck", "control.sock", path, sizeof(path));
	for (i = 0; fd >= 0 && i < QUEUE; i++) {
		fd = vmm_unix_dial_wait(path, 1);
		close(fd);
	}
	tap_equal(-fd, EAGAIN);
	tap_equal(run("kill", "stuck"), EXIT_SUCCESS);
	tap_equal(vm_end(), SIGKILL);
	tap_check(!vmm_dir_lives(base, "stuck"));
}

static void nobody_of_that_name(void)
{
	char text[512];

	tap_listen();
	tap_equal(run("stop", "none"), EXIT_FAILURE);
	tap_heard(text, sizeof(text));
	tap_check(strstr(text, "no VM is named \"none\""));
}

static void ps_shows_its_process(void)
{
	char text[512] = "";
	char want[64];
	int out[2];
	int was;

	if (!vm_start(STUCK) || !tap_check(!pipe(out)))
		return;
	fflush(stdout);
	was = dup(STDOUT_FILENO);
	dup2(out[1], STDOUT_FILENO);
	tap_equal(run("ps", "--json"), EXIT_SUCCESS);
	fflush(stdout);
	dup2(was, STDOUT_FILENO);
	close(was);
	close(out[1]);
	tap_check(read(out[0], text, sizeof(text) - 1) > 0);
	close(out[0]);
	tap_context("%s", text);
	snprintf(want, sizeof(want), "\"pid\":%d,", (int)vm);
	tap_check(strstr(text, want) && strstr(text, "\"not answering\""));
	kill(vm, SIGKILL);
	vm_end();
}

static const struct tap_case cases[] = {
	{ "stop ends a VM that does not answer", stop_sends_sigterm },
	{ "so does kill", kill_sends_sigkill },
	{ "a VM that goes on is told of", one_that_goes_on_is_told },
	{ "a VM that answers is waited for", one_that_answers_is_waited_for },
	{ "a VM that takes no connection is ended, too", one_that_takes_no_connection_ends },
	{ "there is nobody of that name", nobody_of_that_name },
	{ "ps shows the process of a VM that does not answer", ps_shows_its_process },
};

int main(void)
{
	char dir[] = "/tmp/cli_test-XXXXXX";
	int rc;

	if (!mkdtemp(dir))
		return 1;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	vmm_dir_base(base, sizeof(base));
	rc = tap_run(cases, sizeof(cases) / sizeof(cases[0]));
	rmdir(base);
	rmdir(dir);
	return rc;
}
