// SPDX-License-Identifier: GPL-2.0-only
/*
 * A control socket for tests: see control_lib.h. Test and socket are one thread, so
 * ctl_serve() runs the socket before the test continues.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/control/control_lib.h"
#include "tests/tap.h"

#define ROUNDS	8
#define LINE	(4 << 20)

static void vm_status(void *arg, json_t *to)
{
	struct ctl *ctl = arg;

	json_object_set_new(to, "status", json_string(ctl->paused ? "paused" : "running"));
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	struct ctl *ctl = arg;

	ctl->ended = how;
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	struct ctl *ctl = arg;

	if (ctl->paused == pause)
		return -EALREADY;
	ctl->paused = pause;
	ctl->call = call;
	return ctl->later ? VMM_COMMAND_LATER : 0;
}

static int vm_reset(void *arg)
{
	struct ctl *ctl = arg;

	ctl->resets++;
	return 0;
}

static json_t *vm_stats(void *arg)
{
	(void)arg;
	return json_pack("{s:i, s:{s:{s:i, s:i}, s:{s:i}}}", "exits", 7, "devices", "uart",
			 "reads", 1, "writes", 2, "pipe", "reads", 3);
}

static const struct vmm_control_vm vm_ops = {
	.status = vm_status, .end = vm_end, .pause = vm_pause, .reset = vm_reset,
	.stats = vm_stats,
};

static int tick(void *arg)
{
	struct ctl *ctl = arg;

	vmm_event_clear(ctl->tick_fd);
	return 1;
}

static int ctl_listen(struct ctl *ctl)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(ctl->path, sizeof(ctl->path), "/tmp/vmmctl-control-%d", (int)getpid());
	unlink(ctl->path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", ctl->path);
	ctl->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl->listen_fd < 0 || bind(ctl->listen_fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return listen(ctl->listen_fd, 64) ? -errno : 0;
}

/**
 * ctl_open - open a control socket of a test VM
 * @ctl: filled
 *
 * Return: true on success; else the case has failed
 */
bool ctl_open(struct ctl *ctl)
{
	memset(ctl, 0, sizeof(*ctl));
	ctl->ended = -1;
	ctl->loop = vmm_loop_create();
	ctl->tick_fd = vmm_event_create();
	ctl->vm = (struct vmm_vm_commands){ .vm = &vm_ops, .arg = ctl, .name = "one" };
	if (!tap_check(ctl->loop && !ctl_listen(ctl)) ||
	    !tap_check(!vmm_vm_commands_add(&ctl->commands, &ctl->vm)))
		return false;
	ctl->control = vmm_control_open(ctl->loop, ctl->listen_fd, &ctl->commands);
	return tap_check(ctl->control);
}

/**
 * ctl_close - undo ctl_open()
 * @ctl: the socket
 */
void ctl_close(struct ctl *ctl)
{
	vmm_control_close(ctl->control);
	close(ctl->listen_fd);
	unlink(ctl->path);
	close(ctl->tick_fd);
	vmm_loop_destroy(ctl->loop);
}

/**
 * ctl_serve - run the socket until it is idle
 * @ctl: the socket
 */
void ctl_serve(struct ctl *ctl)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		vmm_event_signal(ctl->tick_fd);
		vmm_loop_add(ctl->loop, ctl->tick_fd, tick, ctl);
		vmm_loop_run(ctl->loop);
		vmm_loop_del(ctl->loop, ctl->tick_fd);
	}
}

/**
 * ctl_connect - connect a client, and read the greeting
 * @ctl: the socket
 *
 * Return: the connection; on failure the case has failed
 */
int ctl_connect(struct ctl *ctl)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	json_t *greeting;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", ctl->path);
	tap_check(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	greeting = ctl_hear(ctl, fd);
	tap_check(json_object_get(greeting, "QMP"));
	json_decref(greeting);
	return fd;
}

/**
 * ctl_say - send text
 * @fd: the connection
 * @text: the text
 */
void ctl_say(int fd, const char *text)
{
	tap_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/**
 * ctl_hear - receive a line
 * @ctl: the socket
 * @fd: the connection
 *
 * Return: the line as JSON, to be freed; NULL if nothing came, or no JSON
 */
json_t *ctl_hear(struct ctl *ctl, int fd)
{
	char *line = malloc(LINE);
	json_t *json = NULL;
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < 1000 && len < LINE; i++) {
		if (recv(fd, line + len, 1, MSG_DONTWAIT) == 1) {
			i = 0;
			if (line[len++] == '\n')
				break;
			continue;
		}
		if (i > 2)
			break;
		ctl_serve(ctl);
	}
	if (len && line[len - 1] == '\n')
		json = json_loadb(line, len, 0, NULL);
	free(line);
	return json;
}

/**
 * ctl_hung_up - check whether the socket has hung up
 * @ctl: the socket
 * @fd: the connection
 *
 * Return: true if it has; text before that is dropped
 */
bool ctl_hung_up(struct ctl *ctl, int fd)
{
	char bytes[4096];
	ssize_t n;

	do {
		ctl_serve(ctl);
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	return !n || errno == ECONNRESET;
}
