// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: vmmctl's control socket, with a client that sends anything in pieces of
 * any size, reads or does not, and has events and late answers come in between. What
 * is sent to it must be lines of JSON, and a VM must not be ended by nonsense.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "machine/machine.h"
#include "fuzz.h"

static struct {
	struct vmm_loop *loop;
	int listen_fd;
	int tick_fd;
	struct sockaddr_un addr;
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	struct vmm_control *control;
	u64 call;
	char heard[1 << 16];
	size_t len;
} fuzz;

static void vm_status(void *arg, json_t *to)
{
	json_object_set_new(to, "status", json_string("running"));
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	fuzz.call = call;
	return pause ? VMM_COMMAND_LATER : -EALREADY;
}

static int vm_reset(void *arg)
{
	vmm_control_event(fuzz.control, "RESET", NULL);
	return 0;
}

static json_t *vm_stats(void *arg)
{
	return json_pack("{s:i, s:{s:{s:i}}}", "exits", 7, "devices", "uart", "reads", 1);
}

static const struct vmm_control_vm vm_ops = {
	.status = vm_status, .end = vm_end, .pause = vm_pause, .reset = vm_reset,
	.stats = vm_stats,
};

static int tick(void *arg)
{
	vmm_event_clear(fuzz.tick_fd);
	return 1;
}

/* The tick is served last, because it comes last. */
static void serve(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		vmm_event_signal(fuzz.tick_fd);
		MUST(!vmm_loop_add(fuzz.loop, fuzz.tick_fd, tick, NULL));
		MUST(vmm_loop_run(fuzz.loop) == 1);
		vmm_loop_del(fuzz.loop, fuzz.tick_fd);
	}
}

static void set_up(void)
{
	socklen_t size = sizeof(fuzz.addr);

	fuzz.loop = vmm_loop_create();
	fuzz.tick_fd = vmm_event_create();
	fuzz.addr.sun_family = AF_UNIX;
	fuzz.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	/* An address of the kernel's choice, in no file system. */
	MUST(!bind(fuzz.listen_fd, (struct sockaddr *)&fuzz.addr, sizeof(sa_family_t)));
	MUST(!getsockname(fuzz.listen_fd, (struct sockaddr *)&fuzz.addr, &size));
	MUST(!listen(fuzz.listen_fd, 8));
	fuzz.vm = (struct vmm_vm_commands){ .vm = &vm_ops, .name = "fuzz" };
	MUST(!vmm_vm_commands_add(&fuzz.commands, &fuzz.vm));
	fuzz.control = vmm_control_open(fuzz.loop, fuzz.listen_fd, &fuzz.commands);
	MUST(fuzz.control);
}

/* Each line is an object with one of the keys that a message has. */
static void check_line(const char *line, size_t len)
{
	json_t *json = json_loadb(line, len, 0, NULL);

	MUST(json_is_object(json));
	MUST(json_object_get(json, "return") || json_object_get(json, "error") ||
	     json_object_get(json, "event") || json_object_get(json, "QMP"));
	json_decref(json);
}

static void hear(int fd)
{
	char *newline;
	ssize_t n;

	while ((n = recv(fd, fuzz.heard + fuzz.len, sizeof(fuzz.heard) - fuzz.len,
			 MSG_DONTWAIT)) > 0) {
		fuzz.len += n;
		while ((newline = memchr(fuzz.heard, '\n', fuzz.len))) {
			check_line(fuzz.heard, newline - fuzz.heard);
			fuzz.len -= newline + 1 - fuzz.heard;
			memmove(fuzz.heard, newline + 1, fuzz.len);
		}
		MUST(fuzz.len < sizeof(fuzz.heard));
	}
}

static void answer_late(void)
{
	struct vmm_answer answer = { 0 };

	vmm_control_answer(fuzz.control, fuzz.call, &answer);
	fuzz.call = 0;
}

/* Bytes that say what happens next; all others are sent as they are. */
static void step(int fd, const uint8_t **data, size_t *size)
{
	uint8_t what = *(*data)++;
	size_t len = what & 0x3f;

	--*size;
	switch (what >> 6) {
	case 0:
		hear(fd);
		break;
	case 1:
		vmm_control_event(fuzz.control, "DEVICE_ERROR", json_pack("{s:i}", "n", what));
		answer_late();
		break;
	default:
		if (len > *size)
			len = *size;
		send(fd, *data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		*data += len;
		*size -= len;
		break;
	}
	serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (!fuzz.loop)
		set_up();
	fuzz.len = 0;
	MUST(!connect(fd, (struct sockaddr *)&fuzz.addr, sizeof(sa_family_t) + 6));
	serve();
	while (size)
		step(fd, &data, &size);
	shutdown(fd, SHUT_WR);
	answer_late();
	serve();
	hear(fd);
	close(fd);
	serve();
	serve();
	return 0;
}
