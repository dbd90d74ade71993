// SPDX-License-Identifier: GPL-2.0-only
/*
 * See emulator_lib.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boards/boards.h"
#include "devices/devices.h"
#include "host/guest.h"
#include "host/vsock.h"
#include "tests/control/emulator_lib.h"

struct console console;
char heard[65536];

static struct vmm_vm vm;

static const struct vmm_config cfg = {
	.battery = true, .hw_keyboard = true, .hw_touch = VMM_TOUCH_MULTI, .screen_width = 100,
	.screen_height = 200,
};

/* ---- a VM ---- */

static void vm_status(void *arg, json_t *to)
{
	(void)arg;
	json_object_set_new(to, "status", json_string(console.status));
	json_object_set_new(to, "directory", json_string("/run/ranchu/test"));
	if (console.avd)
		json_object_set_new(to, "avd", json_string(console.avd));
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	(void)arg;
	console.ends += how == VMM_CONTROL_QUIT;
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	(void)arg;
	if (pause == !strcmp(console.status, "paused"))
		return -EALREADY;
	console.status = pause ? "paused" : "running";
	console.call = call;
	return pause ? VMM_COMMAND_LATER : 0;
}

static int vm_reset(void *arg)
{
	(void)arg;
	console.resets++;
	return 0;
}

/* Records requests, and returns answers of a VM's devices; there is no screen to rotate. */
static int vm_device(void *arg, const char *device, const char *command, const char *value,
		     struct vmm_text *text)
{
	size_t len = strlen(console.asked);
	int err;

	(void)arg;
	snprintf(console.asked + len, sizeof(console.asked) - len, "%s%s.%s(%s)", len ? " " : "",
		 device, command, value ? value : "");
	if (!strcmp(device, "fb")) {
		vmm_text_add(text, "turned by %u degrees\n", console.degrees);
		return 0;
	}
	err = vmm_guest_command(console.no_services ? NULL : console.guest, device, command, value,
				text);
	if (err == -ENOENT)
		err = vmm_redir_command(NULL, &cfg, device, command, value, text);
	return err == -ENOENT ? vmm_board_command(&vm, device, command, value, text) : err;
}

static json_t *vm_stats(void *arg)
{
	(void)arg;
	return json_object();
}

static const struct vmm_control_vm vm_ops = {
	.status = vm_status, .end = vm_end, .pause = vm_pause, .reset = vm_reset,
	.device = vm_device, .stats = vm_stats,
};

static void line_set(struct vmm_line *line, bool level)
{
	(void)line;
	(void)level;
}

static const struct vmm_line_ops line_ops = { .set = line_set };

static void guest_told(void *arg)
{
	(void)arg;
}

static const struct vmm_guest_ops guest_ops = { .booted = guest_told, .clipboard = guest_told };

static int guest_services(void *arg)
{
	(void)arg;
	return vmm_event_create();
}

static const struct vmm_guest_device guest_device = { .services = guest_services };

/* Guest services that send nothing. */
static void guest_open(void)
{
	int link[2];

	console.guest = vmm_guest_open(console.loop, &guest_ops, NULL);
	tap_check(console.guest && !vmm_guest_attach(console.guest, &guest_device, NULL));
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link));
	tap_check(vmm_guest_connect(console.guest, link[1]) >= 0);
	console.link = link[0];
}

static struct vmm_device *device_open(const struct vmm_device_ops *ops)
{
	struct vmm_device *dev = vmm_board_add(&vm.board, ops, 0x1000, 0x1000, 1);

	dev->vm = &vm;
	vmm_line_init(&dev->line, &vm, 1);
	tap_check(!ops->create(dev));
	dev->created = true;
	ops->reset(dev);
	return dev;
}

static void vm_open(void)
{
	vm = (struct vmm_vm){ .cfg = &cfg, .line_ops = &line_ops };
	console.battery = device_open(&vmm_goldfish_battery_ops);
	console.events = device_open(&vmm_goldfish_events_ops);
	/* As the driver does at its start. */
	vmm_device_write(console.events, 0, 0x20003, 4);
	vmm_device_read(console.events, 4, 4);
	guest_open();
}

static void vm_close(void)
{
	vmm_guest_detach(console.guest);
	vmm_guest_close(console.guest);
	close(console.link);
	console.events->ops->destroy(console.events);
	console.battery->ops->destroy(console.battery);
}

/* ---- the console, and a client ---- */

static int tick(void *arg)
{
	(void)arg;
	vmm_event_clear(console.tick_fd);
	return 1;
}

/* Runs the main loop until it is idle. */
void serve(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		vmm_event_signal(console.tick_fd);
		tap_check(!vmm_loop_add(console.loop, console.tick_fd, tick, NULL));
		tap_equal(vmm_loop_run(console.loop), 1);
		vmm_loop_del(console.loop, console.tick_fd);
	}
}

void console_open(void)
{
	socklen_t len = sizeof(console.addr);

	memset(&console, 0, sizeof(console));
	console.status = "running";
	snprintf(console.home, sizeof(console.home), "/tmp/vmmctl-emu-XXXXXX");
	tap_check(mkdtemp(console.home));
	tap_equal(vmm_emu_token_open(&console.token, console.home), 0);
	tap_equal(vmm_emu_token_read(&console.token, console.word), 0);
	console.loop = vmm_loop_create();
	console.tick_fd = vmm_event_create();
	vm_open();
	console.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	console.addr.sin_family = AF_INET;
	console.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tap_check(!bind(console.listen_fd, (struct sockaddr *)&console.addr, len) &&
		  !listen(console.listen_fd, 16));
	getsockname(console.listen_fd, (struct sockaddr *)&console.addr, &len);
	console.vm = (struct vmm_vm_commands){ .vm = &vm_ops, .name = "pixel" };
	tap_check(!vmm_vm_commands_add(&console.commands, &console.vm));
	tap_check(!vmm_emu_commands_add(&console.commands));
	console.emulator = vmm_emulator_open(console.loop, &console.listen_fd, 1, &console.commands,
					     &console.token);
	tap_check(console.emulator);
}

void console_close(void)
{
	vmm_emulator_close(console.emulator);
	vm_close();
	vmm_loop_destroy(console.loop);
	vmm_emu_token_close(&console.token);
	close(console.tick_fd);
	close(console.listen_fd);
	unlink(console.token.path);
	rmdir(console.home);
}

int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	tap_check(!connect(fd, (struct sockaddr *)&console.addr, sizeof(console.addr)));
	serve();
	return fd;
}

/* Returns all received text, with one carriage return removed from each line. */
const char *hear(int fd)
{
	size_t len = 0;
	size_t from, to;
	ssize_t n;

	while ((n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT)) > 0)
		len += n;
	for (from = to = 0; from < len; from++) {
		if (heard[from] == '\n')
			tap_check(from && heard[from - 1] == '\r');
		if (heard[from] != '\r')
			heard[to++] = heard[from];
	}
	heard[to] = '\0';
	return heard;
}

/* Reads and drops all available text. */
void drain(int fd)
{
	do
		serve();
	while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0);
	*heard = '\0';
}

void tell(int fd, const char *text)
{
	tap_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	serve();
}

const char *ask(int fd, const char *line)
{
	tell(fd, line);
	tell(fd, "\n");
	return hear(fd);
}

bool hung_up(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN);
}

void check_text(const char *have, const char *want)
{
	if (!tap_check(!strcmp(have, want)))
		printf("# have: %s# want: %s", have, want);
}

int trusted(void)
{
	char line[VMM_EMU_TOKEN_MAX + 16];
	int fd = dial();

	hear(fd);
	snprintf(line, sizeof(line), "auth %s", console.word);
	check_text(ask(fd, line), "Android Console: type 'help' for a list of commands\nOK\n");
	return fd;
}
