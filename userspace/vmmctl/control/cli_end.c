// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl stop and kill: asks a VM to end, and waits until it has. A VM that does not answer, or
 * accepts no connection, gets a signal.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/cli.h"
#include "control/control.h"
#include "host/vm_dir.h"

#define END_ANSWER_MS	3000	/* for the VM's answer; then it gets a signal */
#define END_WAIT_MS	5000	/* until it has ended */
#define END_LOOK_MS	20	/* between two checks */

/**
 * vmm_cli_state_pid - read a VM's process ID from its state file
 * @base: directory of the VMs' directories
 * @name: name of the VM, valid
 *
 * Return: the process ID in the VM's PID namespace; 0 if there is none
 */
pid_t vmm_cli_state_pid(const char *base, const char *name)
{
	char path[PATH_MAX];
	json_t *state = NULL;
	pid_t pid;

	if (!vmm_dir_file(base, name, "state", path, sizeof(path)))
		state = json_load_file(path, 0, NULL);
	pid = json_integer_value(json_object_get(state, "pid"));
	json_decref(state);
	return pid > 0 ? pid : 0;
}

/* Checks the process's name: in another PID namespace the number may be another process's. */
static bool is_vmmctl(pid_t pid)
{
	char path[32];
	char name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "r");
	if (file) {
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
	}
	return !strcmp(name, "vmmctl\n");
}

/*
 * Opens the process of a VM that accepts no connections. Its state file is right if the VM lives
 * both before and after the process is opened.
 */
static int pidfd_by_state(const char *base, const char *name)
{
	pid_t pid = vmm_cli_state_pid(base, name);
	int pidfd;

	if (!pid || !vmm_dir_lives(base, name))
		return -ESRCH;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	if (is_vmmctl(pid) && vmm_dir_lives(base, name) && vmm_cli_state_pid(base, name) == pid)
		return pidfd;
	close(pidfd);
	return -ESRCH;
}

/* Returns whether the process has ended, or the VM's name is free. */
static bool has_ended(int pidfd, const char *base, const char *name)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return (pidfd >= 0 && poll(&end, 1, 0) > 0) || !vmm_dir_lives(base, name);
}

static int end_wait(int pidfd, const char *base, const char *name)
{
	int ms;

	for (ms = 0; !has_ended(pidfd, base, name); ms += END_LOOK_MS) {
		if (ms >= END_WAIT_MS)
			return vmm_error(ETIMEDOUT, "%s: the VM has not ended", name);
		usleep(END_LOOK_MS * 1000);
	}
	return 0;
}

/* Sends a signal. Returns 0, also if the VM has ended meanwhile. */
static int end_signal(int pidfd, int sig, const char *name)
{
	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 :
		       vmm_error(-pidfd, "%s: the VM does not answer, and no signal reaches it",
				 name);
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) && errno != ESRCH)
		return vmm_error(errno, "%s: the VM does not answer, and takes no signal", name);
	return 0;
}

/* Asks the VM to end. Returns 0, 1 if it has not answered, or -errno if it refuses. */
static int end_ask(struct vmm_client *client, const char *command, const char *name)
{
	json_t *result = client ? vmm_client_call(client, command, NULL) : NULL;

	if (result) {
		json_decref(result);
		return 0;
	}
	if (!client || vmm_client_lost(client))
		return 1;
	return vmm_error(-EIO, "%s: %s", name, vmm_client_error(client));
}

/**
 * vmm_cli_end - end a VM, and wait until it has ended and its name is free
 * @base: directory of the VMs' directories
 * @name: name of the VM, valid
 * @command: the command that ends it
 * @sig: signal for a VM that does not answer
 *
 * Return: 0, or -errno after a message
 */
int vmm_cli_end(const char *base, const char *name, const char *command, int sig)
{
	struct vmm_client *client;
	char path[PATH_MAX];
	int pidfd;
	int err;

	if (vmm_dir_file(base, name, "control.sock", path, sizeof(path)))
		return vmm_error(-EINVAL, "no VM can be named \"%s\"", name);
	client = vmm_client_open(path, END_ANSWER_MS);
	if (!client && (errno == ENOENT || errno == ECONNREFUSED))
		return vmm_error(-ENOENT, "no VM is named \"%s\"", name);
	if (!client && errno != EAGAIN && errno != ETIMEDOUT)
		return vmm_error(errno, "cannot reach the VM \"%s\"", name);
	pidfd = client ? vmm_client_pidfd(client) : pidfd_by_state(base, name);
	err = end_ask(client, command, name);
	if (err > 0)
		err = end_signal(pidfd, sig, name);
	if (!err)
		err = end_wait(pidfd, base, name);
	if (pidfd >= 0)
		close(pidfd);
	vmm_client_close(client);
	return err;
}
