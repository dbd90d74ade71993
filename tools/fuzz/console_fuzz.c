// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the emulator's console, with a client that sends anything in pieces of any
 * size, reads or does not, knows the token or does not, and has late answers come in
 * between. What is sent to it must be lines that end as in a terminal, and who does not
 * know the token must not reach the VM. In the end it is hung up on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/emulator.h"
#include "host/emu_token.h"
#include "fuzz.h"

#define TOKEN	"0123456789abcdef"

static struct {
	struct vmm_loop *loop;
	int listen_fd;
	int tick_fd;
	struct sockaddr_un addr;
	struct vmm_emu_token token;
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	struct vmm_emulator *emulator;
	u64 call;
	bool trusted;
	char last;
	char path[32];
} fuzz;

static void vm_status(void *arg, json_t *to)
{
	json_object_set_new(to, "status", json_string("running"));
	json_object_set_new(to, "directory", json_null());
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	MUST(fuzz.trusted);
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	MUST(fuzz.trusted && call & VMM_EMULATOR_CALL);
	fuzz.call = call;
	return pause ? VMM_COMMAND_LATER : -EALREADY;
}

static int vm_reset(void *arg)
{
	MUST(fuzz.trusted);
	return 0;
}

static int vm_device(void *arg, const char *device, const char *command, const char *value,
		     struct vmm_text *text)
{
	static const char *const devices[] = {
		"battery", "events", "fb", "sensors", "gps", "fingerprint", "displays", "guest",
		"redir",
	};
	unsigned int i = 0;

	MUST(fuzz.trusted);
	while (i < ARRAY_SIZE(devices) && strcmp(devices[i], device))
		i++;
	MUST(i < ARRAY_SIZE(devices));
	/* What "rotate" reads, and what it may find. */
	if (!strcmp(device, "fb") && fuzz.call & 1)
		vmm_text_add(text, "turned by %u degrees\n", 90 * (unsigned int)(fuzz.call % 7));
	vmm_text_add(text, "%s %s\n", command, value ? value : "");
	return value && strlen(value) & 1 ? -EINVAL : 0;
}

static json_t *vm_stats(void *arg)
{
	return json_object();
}

static const struct vmm_control_vm vm_ops = {
	.status = vm_status, .end = vm_end, .pause = vm_pause, .reset = vm_reset,
	.device = vm_device, .stats = vm_stats,
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

static void clean_up(void)
{
	unlink(fuzz.path);
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
	snprintf(fuzz.path, sizeof(fuzz.path), "/tmp/vmmctl-fuzz-XXXXXX");
	fuzz.token.fd = mkstemp(fuzz.path);
	atexit(clean_up);
	MUST(write(fuzz.token.fd, TOKEN, strlen(TOKEN)) == (ssize_t)strlen(TOKEN));
	fuzz.vm = (struct vmm_vm_commands){ .vm = &vm_ops, .name = "fuzz" };
	MUST(!vmm_vm_commands_add(&fuzz.commands, &fuzz.vm));
	MUST(!vmm_emu_commands_add(&fuzz.commands));
	fuzz.emulator = vmm_emulator_open(fuzz.loop, &fuzz.listen_fd, 1, &fuzz.commands,
					  &fuzz.token);
	MUST(fuzz.emulator);
}

/* No line ends without a carriage return. Whether the console has hung up. */
static bool hear(int fd)
{
	char heard[4096];
	ssize_t n, i;

	while ((n = recv(fd, heard, sizeof(heard), MSG_DONTWAIT)) > 0) {
		for (i = 0; i < n; i++) {
			MUST(heard[i] != '\n' || fuzz.last == '\r');
			fuzz.last = heard[i];
		}
	}
	return !n || (n < 0 && errno != EAGAIN);
}

static void answer_late(void)
{
	struct vmm_answer answer = { 0 };

	vmm_emulator_answer(fuzz.emulator, fuzz.call, &answer);
	fuzz.call = 0;
}

/* Who sends no more is hung up on when the last line has been answered, however late. */
static void last_words(int fd, size_t lines)
{
	bool hung_up = false;

	shutdown(fd, SHUT_WR);
	for (lines += 3; lines && !hung_up; lines--) {
		serve();
		answer_late();
		serve();
		hung_up = hear(fd);
	}
	MUST(hung_up);
}

/* Bytes that say what happens next; all others are sent as they are. */
static void step(int fd, const uint8_t **data, size_t *size)
{
	uint8_t what = *(*data)++;
	size_t len = what & 0x3f;

	--*size;
	if (what < 0x20) {
		hear(fd);
	} else if (what < 0x30) {
		answer_late();
	} else if (what < 0x40) {
		/* From here on all may happen: a line may hold the end of the token. */
		fuzz.trusted = true;
		send(fd, "\nauth " TOKEN "\n", strlen(TOKEN) + 7, MSG_NOSIGNAL | MSG_DONTWAIT);
	} else {
		if (len > *size)
			len = *size;
		/* Who guesses it knows it. */
		if (memmem(*data, len, TOKEN, 4))
			fuzz.trusted = true;
		send(fd, *data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		*data += len;
		*size -= len;
	}
	serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t lines = size;

	if (!fuzz.loop)
		set_up();
	fuzz.last = 0;
	/* Some may do all from the beginning: their home's file is empty. */
	fuzz.trusted = size && *data & 1;
	MUST(!ftruncate(fuzz.token.fd, 0));
	MUST(fuzz.trusted || pwrite(fuzz.token.fd, TOKEN, strlen(TOKEN), 0) > 0);
	MUST(!connect(fd, (struct sockaddr *)&fuzz.addr, sizeof(sa_family_t) + 6));
	serve();
	while (size)
		step(fd, &data, &size);
	last_words(fd, lines);
	close(fd);
	serve();
	serve();
	return 0;
}
