// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's console as its clients see it: the token, each command and its answer,
 * several lines in one piece, and clients that are none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/emulator.h"
#include "host/emu_token.h"
#include "host/vsock.h"
#include "tests/tap.h"

static struct {
	struct vmm_loop *loop;
	int listen_fd;
	int tick_fd;
	struct sockaddr_in addr;
	char home[64];
	struct vmm_emu_token token;
	char word[VMM_EMU_TOKEN_MAX + 1];
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	struct vmm_emulator *emulator;
	char asked[256];
	const char *status;
	u64 call;
	unsigned int ends;
	unsigned int resets;
	unsigned int degrees;
	bool no_services;
} test;

/* ---- a VM ---- */

static void vm_status(void *arg, json_t *to)
{
	(void)arg;
	json_object_set_new(to, "status", json_string(test.status));
	json_object_set_new(to, "directory", json_string("/run/ranchu/test"));
}

static int vm_end(void *arg, enum vmm_control_end how)
{
	(void)arg;
	test.ends += how == VMM_CONTROL_QUIT;
	return 0;
}

static int vm_pause(void *arg, bool pause, u64 call)
{
	(void)arg;
	if (pause == !strcmp(test.status, "paused"))
		return -EALREADY;
	test.status = pause ? "paused" : "running";
	test.call = call;
	return pause ? VMM_COMMAND_LATER : 0;
}

static int vm_reset(void *arg)
{
	(void)arg;
	test.resets++;
	return 0;
}

static int vm_device(void *arg, const char *device, const char *command, const char *value,
		     struct vmm_text *text)
{
	(void)arg;
	size_t len = strlen(test.asked);

	snprintf(test.asked + len, sizeof(test.asked) - len, "%s%s.%s(%s)", len ? " " : "", device,
		 command, value ? value : "");
	if (!strcmp(device, "fb")) {
		vmm_text_add(text, "turned by %u degrees\n", test.degrees);
		return 0;
	}
	if (!strcmp(device, "sensors") && test.no_services) {
		vmm_text_add(text, "the VM was started without --guest-services");
		return -EOPNOTSUPP;
	}
	if (value && strstr(value, "wrong")) {
		vmm_text_add(text, "\"wrong\" is not right");
		return -EINVAL;
	}
	if (!value)
		vmm_text_add(text, "said\n");
	return 0;
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

/* ---- the console, and a client ---- */

static int tick(void *arg)
{
	(void)arg;
	vmm_event_clear(test.tick_fd);
	return 1;
}

/* The main loop, until all that is to be done is done. */
static void serve(void)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		vmm_event_signal(test.tick_fd);
		tap_check(!vmm_loop_add(test.loop, test.tick_fd, tick, NULL));
		tap_equal(vmm_loop_run(test.loop), 1);
		vmm_loop_del(test.loop, test.tick_fd);
	}
}

static void console_open(void)
{
	socklen_t len = sizeof(test.addr);

	memset(&test, 0, sizeof(test));
	test.status = "running";
	snprintf(test.home, sizeof(test.home), "/tmp/vmmctl-emu-XXXXXX");
	tap_check(mkdtemp(test.home));
	tap_equal(vmm_emu_token_open(&test.token, test.home), 0);
	tap_equal(vmm_emu_token_read(&test.token, test.word), 0);
	test.loop = vmm_loop_create();
	test.tick_fd = vmm_event_create();
	test.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	test.addr.sin_family = AF_INET;
	test.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tap_check(!bind(test.listen_fd, (struct sockaddr *)&test.addr, len) &&
		  !listen(test.listen_fd, 16));
	getsockname(test.listen_fd, (struct sockaddr *)&test.addr, &len);
	test.vm = (struct vmm_vm_commands){ .vm = &vm_ops, .name = "pixel" };
	tap_check(!vmm_vm_commands_add(&test.commands, &test.vm));
	tap_check(!vmm_emu_commands_add(&test.commands));
	test.emulator = vmm_emulator_open(test.loop, &test.listen_fd, 1, &test.commands,
					  &test.token);
	tap_check(test.emulator);
}

static void console_close(void)
{
	vmm_emulator_close(test.emulator);
	vmm_loop_destroy(test.loop);
	vmm_emu_token_close(&test.token);
	close(test.tick_fd);
	close(test.listen_fd);
	unlink(test.token.path);
	rmdir(test.home);
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	tap_check(!connect(fd, (struct sockaddr *)&test.addr, sizeof(test.addr)));
	serve();
	return fd;
}

static char heard[65536];

/* All that has come; lines without their carriage returns, of which each has one. */
static const char *hear(int fd)
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

static void tell(int fd, const char *text)
{
	tap_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	serve();
}

static const char *ask(int fd, const char *line)
{
	tell(fd, line);
	tell(fd, "\n");
	return hear(fd);
}

static bool hung_up(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return !n || (n < 0 && errno != EAGAIN);
}

static void check_text(const char *have, const char *want)
{
	if (!tap_check(!strcmp(have, want)))
		printf("# have: %s# want: %s", have, want);
}

static int trusted(void)
{
	char line[VMM_EMU_TOKEN_MAX + 16];
	int fd = dial();

	hear(fd);
	snprintf(line, sizeof(line), "auth %s", test.word);
	check_text(ask(fd, line), "Android Console: type 'help' for a list of commands\nOK\n");
	return fd;
}

/* ---- the token ---- */

static void the_token_is_made_and_kept(void)
{
	struct vmm_emu_token other;
	struct stat st;
	char again[VMM_EMU_TOKEN_MAX + 1];

	console_open();
	tap_equal(strlen(test.word), 16);
	tap_check(!stat(test.token.path, &st) && (st.st_mode & 07777) == 0600);
	tap_equal(st.st_size, 16);
	tap_equal(vmm_emu_token_open(&other, test.home), 0);
	tap_equal(vmm_emu_token_read(&other, again), 0);
	tap_check(!strcmp(again, test.word));
	vmm_emu_token_close(&other);
	tap_equal(vmm_emu_token_open(&other, "/nowhere"), -ENOENT);
	tap_check(vmm_emu_token_open(&other, NULL) < 0 && vmm_emu_token_read(&other, again) < 0);
	console_close();
}

static void who_does_not_know_it_can_do_little(void)
{
	static char want[PATH_MAX + 256];
	int fd;

	console_open();
	fd = dial();
	snprintf(want, sizeof(want), "Android Console: Authentication required\n"
		 "Android Console: type 'auth <auth_token>' to authenticate\n"
		 "Android Console: you can find your <auth_token> in\n'%s'\nOK\n",
		 test.token.path);
	check_text(hear(fd), want);
	check_text(ask(fd, "ping"), "I am alive!\nOK\n");
	check_text(ask(fd, "avd name"), "pixel\nOK\n");
	check_text(ask(fd, "kill"), "KO: unknown command, try 'help'\n");
	check_text(ask(fd, "avd stop"), "KO: unknown command, try 'help'\n");
	check_text(ask(fd, "avd"), "KO: unknown command, try 'help'\n");
	check_text(ask(fd, "power display"), "KO: unknown command, try 'help'\n");
	check_text(ask(fd, "help power"), "KO: unknown command, try 'help'\n");
	tap_check(!strstr(ask(fd, "help"), "kill") && strstr(heard, "ping"));
	check_text(ask(fd, "auth"), "KO: missing authentication token\n");
	check_text(ask(fd, "auth 0123456789abcdef"),
		   "KO: authentication token does not match ~/.emulator_console_auth_token\n");
	tap_equal(test.ends, 0);
	check_text(ask(fd, "quit"), "");
	tap_check(hung_up(fd));
	close(fd);
	console_close();
}

/* Read anew each time; empty it lets everybody in, and gone it lets in nobody. */
static void the_file_counts_as_it_is(void)
{
	int file, fd;

	console_open();
	file = open(test.token.path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	fd = dial();
	check_text(hear(fd), "Android Console: type 'help' for a list of commands\nOK\n");
	check_text(ask(fd, "avd status"), "virtual device is running\nOK\n");
	close(fd);
	tap_equal(write(file, " secret\t\n", 9), 9);
	fd = dial();
	hear(fd);
	check_text(ask(fd, "auth secre"),
		   "KO: authentication token does not match ~/.emulator_console_auth_token\n");
	tap_check(strstr(ask(fd, "auth secret"), "OK\n"));
	close(fd);
	close(file);
	fd = dial();
	unlink(test.token.path);
	hear(fd);
	check_text(ask(fd, "auth secret"),
		   "KO: unable to read ~/.emulator_console_auth_token\n");
	close(fd);
	fd = dial();
	check_text(hear(fd), "");
	tap_check(hung_up(fd));
	close(fd);
	console_close();
}

/* ---- each command ---- */

/**
 * struct exchange - a line and what is answered
 * @line: the line
 * @want: the answer
 * @asked: what a device is asked for, or NULL
 */
struct exchange {
	const char *line;
	const char *want;
	const char *asked;
};

#define NO_MODEM	"KO: modem emulation not running\n"
#define NO_VIDEO	"KO: no video is recorded here, only pictures: screenrecord screenshot\n"
#define NO_SHOTS	"KO: there is no directory for pictures of the screen: see --screenshots\n"
#define NO_SAVE		"KO: there is no directory for snapshots: see --snapshots\n"

static const struct exchange exchanges[] = {
	{ "ping", "I am alive!\nOK\n", NULL },
	{ "avd name", "pixel\nOK\n", NULL },
	{ "avd id", "pixel\nOK\n", NULL },
	{ "avd path", "/run/ranchu/test\nOK\n", NULL },
	{ "avd status", "virtual device is running\nOK\n", NULL },
	{ "avd windowtype", "windowtype=headless\nOK\n", NULL },
	{ "avd start", "KO: virtual device already running\n", NULL },
	{ "avd resume", "KO: virtual device already running\n", NULL },
	{ "avd heartbeat", "said\nOK\n", "guest.heartbeat()" },
	{ "avd discoverypath", "KO: there is no such file: vmmctl ps lists VMs\n", NULL },
	{ "avd snapshotspath", NO_SAVE, NULL },
	{ "avd snapshotpath one", NO_SAVE, NULL },
	{ "avd snapshot list", "There is no snapshot available.\nOK\n", NULL },
	{ "avd snapshot save one", NO_SAVE, NULL },
	{ "avd hostmicon", "KO: the VM's start says what a sound card hears: --device sound\n",
	  NULL },
	{ "avd bugreport", "KO: nothing is recorded here\n", NULL },
	{ "power display", "said\nOK\n", "battery.show()" },
	{ "power ac off", "OK\n", "battery.set(ac off)" },
	{ "power status not-charging", "OK\n", "battery.set(status not-charging)" },
	{ "power present true", "OK\n", "battery.set(present true)" },
	{ "power health dead", "OK\n", "battery.set(health dead)" },
	{ "power capacity 50", "OK\n", "battery.set(capacity 50)" },
	{ "power capacity wrong", "KO: \"wrong\" is not right\n",
	  "battery.set(capacity wrong)" },
	{ "event send EV_KEY:KEY_A:1 EV_SYN:0:0", "OK\n",
	  "events.send(EV_KEY:KEY_A:1 EV_SYN:0:0)" },
	{ "event types", "said\nOK\n", "events.types()" },
	{ "event codes EV_KEY", "OK\n", "events.codes(EV_KEY)" },
	{ "event text Hello,  world", "OK\n", "events.text(Hello,  world)" },
	{ "event mouse 10 20 0 1", "OK\n", "events.mouse(10 20 0 1)" },
	{ "rotate", "OK\n", "fb.rotate() sensors.set(acceleration 0:9.81:0)" },
	{ "screenrecord start a.webm", NO_VIDEO, NULL },
	{ "screenrecord screenshot", NO_SHOTS, NULL },
	{ "screenrecord screenshot /tmp", NO_SHOTS, NULL },
	{ "screenrecord screenshot --display 1 /tmp",
	  "KO: there is one screen, \"--display 0\"\n", NULL },
	{ "network status", "Current network status:\n"
	  "  download speed:          0 bits/s (0.0 KB/s)\n"
	  "  upload speed:            0 bits/s (0.0 KB/s)\n"
	  "  minimum latency:  0 ms\n  maximum latency:  0 ms\nOK\n", NULL },
	{ "network speed full", "OK\n", NULL },
	{ "network speed gsm", "KO: the network's speed is always full\n", NULL },
	{ "network delay none", "OK\n", NULL },
	{ "network delay 100", "KO: the network's delay is always none\n", NULL },
	{ "network capture start a.pcap",
	  "KO: the host sees all packets: tcpdump -i TAP -w FILE, or passt --pcap FILE\n", NULL },
	{ "redir list", "said\nOK\n", "redir.list()" },
	{ "redir add tcp:1:2",
	  "KO: ports are forwarded from the VM's start on, by --redir tcp:HOST:GUEST\n", NULL },
	{ "redir del tcp:1", "OK\n", "redir.del(tcp:1)" },
	{ "redir del", "KO: missing argument, try 'redir del tcp:HOST'\n", NULL },
	{ "geo fix 8.5 47.3", "OK\n", "gps.fix(8.5 47.3)" },
	{ "geo fix wrong", "KO: \"wrong\" is not right\n", "gps.fix(wrong)" },
	{ "geo nmea $GPGGA", "OK\n", "gps.nmea($GPGGA)" },
	{ "geo gnss 1", "KO: the guest has no port for measurements\n", NULL },
	{ "sensor status", "said\nOK\n", "sensors.status()" },
	{ "sensor get acceleration", "OK\n", "sensors.get(acceleration)" },
	{ "sensor set acceleration 1:2:3", "OK\n", "sensors.set(acceleration 1:2:3)" },
	{ "sensor set", "KO: missing argument, try 'sensor set NAME A[:B[:C]]'\n", NULL },
	{ "finger touch 1", "OK\n", "fingerprint.touch(1)" },
	{ "finger remove", "said\nOK\n", "fingerprint.remove()" },
	{ "fold", "KO: the device has no hinge\n", NULL },
	{ "unfold", "KO: the device has no hinge\n", NULL },
	{ "gsm list", NO_MODEM, NULL },
	{ "gsm call 123", NO_MODEM, NULL },
	{ "gsm signal-profile 4", NO_MODEM, NULL },
	{ "sms send 123 text", NO_MODEM, NULL },
	{ "cdma ssource nv", NO_MODEM, NULL },
	{ "multidisplay add 1 2 3 4 5", "OK\n", "displays.add(1 2 3 4 5)" },
	{ "multidisplay del 1", "OK\n", "displays.del(1)" },
	{ "grpc 8554", "KO: there is no gRPC server\n", NULL },
	{ "qemu monitor", "KO: this is not QEMU\n", NULL },
	{ "debug +all", "KO: warning: debug tags are deprecated and have no effect\n", NULL },
	{ "crash", "KO: it is not to crash\n", NULL },
	{ "crash-on-exit", "KO: it is not to crash\n", NULL },
};

static void every_command_is_answered(void)
{
	unsigned int right = 0;
	unsigned int i;
	int fd;

	console_open();
	fd = trusted();
	for (i = 0; i < ARRAY_SIZE(exchanges); i++) {
		const struct exchange *x = &exchanges[i];

		tap_context("%s", x->line);
		test.asked[0] = '\0';
		check_text(ask(fd, x->line), x->want);
		if (tap_check(!strcmp(test.asked, x->asked ? x->asked : "")) &&
		    !strcmp(heard, x->want))
			right++;
	}
	printf("# console commands answered: %u\n", right);
	tap_check(right >= 40);
	close(fd);
	console_close();
}

/* Clockwise, as a viewer sees it; a VM without the sensor is turned all the same. */
static void rotate_turns_the_sensor(void)
{
	static const char *const want[] = {
		"0:9.81:0", "-9.81:0:0", "0:-9.81:0", "9.81:0:0",
	};
	char asked[96];
	unsigned int i;
	int fd;

	console_open();
	fd = trusted();
	for (i = 0; i < 4; i++) {
		test.degrees = 90 * i;
		test.asked[0] = '\0';
		check_text(ask(fd, "rotate"), "OK\n");
		snprintf(asked, sizeof(asked), "fb.rotate() sensors.set(acceleration %s)", want[i]);
		tap_context("%s", test.asked);
		tap_check(!strcmp(test.asked, asked));
	}
	test.no_services = true;
	check_text(ask(fd, "rotate"), "OK\n");
	close(fd);
	console_close();
}

static void the_vm_is_stopped_and_ended(void)
{
	struct vmm_answer done = { 0 };
	int fd;

	console_open();
	fd = trusted();
	/* Answered when the vCPUs stand still; nothing that comes behind overtakes it. */
	check_text(ask(fd, "avd stop\nping"), "");
	tap_check(test.call & VMM_EMULATOR_CALL);
	vmm_emulator_answer(test.emulator, test.call - 1, &done);
	check_text(hear(fd), "");
	vmm_emulator_answer(test.emulator, test.call, &done);
	serve();
	check_text(hear(fd), "OK\nI am alive!\nOK\n");
	check_text(ask(fd, "avd status"), "virtual device is stopped\nOK\n");
	check_text(ask(fd, "avd pause"), "KO: virtual device already stopped\n");
	check_text(ask(fd, "avd start"), "OK\n");
	ask(fd, "avd pause");
	vmm_answer_fail(&done, ECANCELED, "the guest has ended");
	vmm_emulator_answer(test.emulator, test.call, &done);
	check_text(hear(fd), "KO: the guest has ended\n");
	check_text(ask(fd, "restart"), "OK: restarting emulator, bye bye\nOK\n");
	tap_equal(test.resets, 1);
	check_text(ask(fd, "kill"), "OK: killing emulator, bye bye\nOK\n");
	tap_equal(test.ends, 1);
	/* One that is gone before its answer. */
	test.status = "running";
	ask(fd, "avd stop");
	close(fd);
	serve();
	vmm_emulator_answer(test.emulator, test.call, &done);
	console_close();
}

static void help_is_given(void)
{
	int fd;

	console_open();
	fd = trusted();
	/* Some clients have room for no more. */
	tap_check(strlen(ask(fd, "help")) < 900);
	tap_check(strstr(heard, "    power\n") && strstr(heard, "    help|h|?\n"));
	tap_check(strstr(heard, "    power\n") == strstr(heard, "    pow"));
	tap_check(!strcmp(ask(fd, "h"), ask(fd, "?")));
	tap_check(strstr(ask(fd, "help power"), "capacity 0-100") && !strstr(heard, "avd"));
	tap_check(strstr(ask(fd, "help power ac"), "power ac on|off") &&
		  !strstr(heard, "capacity"));
	tap_check(strstr(ask(fd, "help-verbose"), "signal-profile") && strstr(heard, "\nOK\n"));
	check_text(ask(fd, "help nonsense"), "KO: unknown command, try 'help'\n");
	close(fd);
	console_close();
}

static void mistakes_are_told(void)
{
	int fd;

	console_open();
	fd = trusted();
	check_text(ask(fd, "nonsense"), "KO: unknown command, try 'help'\n");
	check_text(ask(fd, "powe display"), "KO: unknown command, try 'help'\n");
	tap_check(strstr(ask(fd, "power"), "power capacity 0-100\n") &&
		  strstr(heard, "\nKO: missing sub-command\n"));
	tap_check(strstr(ask(fd, "power nonsense"), "\nKO:  bad sub-command\n"));
	check_text(ask(fd, "power ac"), "KO: missing argument, try 'power ac on|off'\n");
	check_text(ask(fd, "  ping  "), "I am alive!\nOK\n");
	check_text(ask(fd, ""), "");
	check_text(ask(fd, "\r\r"), "");
	close(fd);
	console_close();
}

/* As adb does it: all at once, without a look at the greeting. */
static void lines_may_come_at_once(void)
{
	char text[VMM_EMU_TOKEN_MAX + 64];
	const char *behind;
	int fd;

	console_open();
	fd = dial();
	snprintf(text, sizeof(text), "auth %s\npower capacity 50\nquit\n", test.word);
	tell(fd, text);
	hear(fd);
	behind = strstr(heard, "OK\n");
	behind = behind ? strstr(behind + 3, "OK\n") : NULL;
	tap_check(behind && !strcmp(behind + 3, "OK\n"));
	tap_check(hung_up(fd));
	close(fd);
	/* And in pieces of one byte, with all ends of lines that there are. */
	fd = trusted();
	tell(fd, "p");
	tell(fd, "i\r");
	tell(fd, "ng\r");
	tap_equal(strlen(hear(fd)), 0);
	check_text(ask(fd, ""), "I am alive!\nOK\n");
	/* What comes behind quit is not done. */
	tell(fd, "quit\nkill\n");
	tap_equal(test.ends, 0);
	tap_check(hung_up(fd));
	close(fd);
	console_close();
}

static void what_is_no_console_client_is_sent_away(void)
{
	static const char *const binary[] = {
		"ping \xff\n", "\xc0\x80\n", "\xed\xa0\x80\n", "\xf5\x80\x80\x80\n", "\xe2\x82\n",
	};
	unsigned int i;
	int fd;

	console_open();
	fd = dial();
	hear(fd);
	tell(fd, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nkill\n");
	check_text(hear(fd), "KO: Forbidden HTTP request. Aborting\n");
	tap_check(hung_up(fd));
	close(fd);
	fd = trusted();
	tell(fd, "BREW /pot HTTP/1.0\r\n");
	check_text(hear(fd), "KO: Forbidden HTTP request. Aborting\n");
	close(fd);
	for (i = 0; i < ARRAY_SIZE(binary); i++) {
		fd = trusted();
		tell(fd, binary[i]);
		check_text(hear(fd), "KO: Forbidden binary request. Aborting\n");
		tap_check(hung_up(fd));
		close(fd);
	}
	fd = trusted();
	check_text(ask(fd, "ping \xc3\xa9 \xf0\x9f\x98\x80"), "I am alive!\nOK\n");
	tap_equal(send(fd, "ping\0ping\n", 10, 0), 10);
	serve();
	check_text(hear(fd), "KO: Forbidden binary request. Aborting\n");
	close(fd);
	tap_equal(test.ends, 0);
	console_close();
}

static void a_line_that_is_too_long_is_refused(void)
{
	static char line[10000];
	int fd;

	console_open();
	fd = trusted();
	memset(line, 'x', sizeof(line) - 1);
	check_text(ask(fd, line), "KO: the line is too long\n");
	check_text(ask(fd, "ping"), "I am alive!\nOK\n");
	line[4094] = '\0';
	check_text(ask(fd, line), "KO: unknown command, try 'help'\n");
	close(fd);
	console_close();
}

/*
 * More than there is room for wait, as those inside have said the token; nobody else is
 * disturbed by one that reads nothing.
 */
static void clients_do_not_disturb_each_other(void)
{
	int fd[20], good;
	unsigned int i;

	console_open();
	good = trusted();
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = i < 15 ? trusted() : dial();
	check_text(hear(fd[19]), "");
	for (i = 0; i < 2000; i++) {
		if (send(fd[0], "help-verbose\n", 13, MSG_DONTWAIT | MSG_NOSIGNAL) != 13)
			break;
	}
	serve();
	check_text(ask(good, "ping"), "I am alive!\nOK\n");
	for (i = 0; i < ARRAY_SIZE(fd) - 1; i++)
		close(fd[i]);
	serve();
	serve();
	tap_check(strstr(hear(fd[19]), "Authentication required"));
	close(fd[19]);
	close(good);
	console_close();
}

/* The same by the control socket, whose clients need no token. */
static void the_control_socket_takes_lines(void)
{
	struct vmm_answer answer = { 0 };
	json_t *args = json_pack("{s:s}", "line", "power capacity 7");

	console_open();
	tap_equal(vmm_commands_run(&test.commands, "emu", 1, args, &answer), 0);
	tap_check(!strcmp(test.asked, "battery.set(capacity 7)"));
	json_decref(answer.result);
	answer = (struct vmm_answer){ 0 };
	json_object_set_new(args, "line", json_string("event types"));
	tap_equal(vmm_commands_run(&test.commands, "emu", 1, args, &answer), 0);
	tap_check(!strcmp(json_string_value(json_object_get(answer.result, "text")), "said\n"));
	json_decref(answer.result);
	answer = (struct vmm_answer){ 0 };
	json_object_set_new(args, "line", json_string("gsm list"));
	tap_equal(vmm_commands_run(&test.commands, "emu", 1, args, &answer), -EOPNOTSUPP);
	tap_check(!strcmp(answer.error, "modem emulation not running"));
	json_object_set_new(args, "line", json_string("avd stop"));
	answer = (struct vmm_answer){ 0 };
	tap_equal(vmm_commands_run(&test.commands, "emu", 77, args, &answer),
		  VMM_COMMAND_LATER);
	tap_equal(test.call, 77);
	json_decref(args);
	console_close();
}

/* Both addresses, and the port that adb counts on. */
static void the_port_is_listened_at(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_adb *adb = vmm_adb_open(loop, 0, true);
	struct vmm_adb *other = vmm_adb_open(loop, 0, true);
	struct sockaddr_in6 at6 = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd6, fd;

	if (!tap_check(adb && other))
		return;
	tap_check(vmm_adb_port(other) > vmm_adb_port(adb));
	tap_check(vmm_adb_port(adb) & 1);
	at.sin_port = htons(vmm_adb_port(adb) - 1);
	at6.sin6_port = at.sin_port;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!connect(fd, (struct sockaddr *)&at, sizeof(at)));
	close(fd);
	fd6 = vmm_adb_console_fd6(vmm_adb_console_fd(adb));
	if (fd6 >= 0) {
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		tap_check(!connect(fd, (struct sockaddr *)&at6, sizeof(at6)));
		close(fd);
		close(fd6);
	}
	tap_check(vmm_adb_listen(vmm_adb_port(adb) - 1, "emulator-console") < 0);
	vmm_adb_close(other);
	vmm_adb_close(adb);
	vmm_loop_destroy(loop);
}

/* Any user can connect, and none can keep the others out. */
static void strangers_make_room(void)
{
	int stranger[40];
	int friend;
	size_t i;

	console_open();
	friend = trusted();
	for (i = 0; i < ARRAY_SIZE(stranger); i++)
		stranger[i] = dial();
	/* The newest is there, the oldest is gone, who is trusted has stayed. */
	tap_check(strstr(ask(stranger[ARRAY_SIZE(stranger) - 1], "ping"), "I am alive!"));
	hear(stranger[0]);
	tap_check(hung_up(stranger[0]));
	tap_check(strstr(ask(friend, "avd name"), "pixel"));
	for (i = 0; i < ARRAY_SIZE(stranger); i++)
		close(stranger[i]);
	close(friend);
	serve();
	console_close();
}

static const struct tap_case cases[] = {
	{ "strangers make room for others", strangers_make_room },
	{ "the token is made, and kept", the_token_is_made_and_kept },
	{ "who does not know the token can do little", who_does_not_know_it_can_do_little },
	{ "the token's file counts as it is", the_file_counts_as_it_is },
	{ "every command is answered", every_command_is_answered },
	{ "rotate turns the sensor", rotate_turns_the_sensor },
	{ "the VM is stopped and ended", the_vm_is_stopped_and_ended },
	{ "help is given", help_is_given },
	{ "mistakes are told", mistakes_are_told },
	{ "lines may come at once, or in pieces", lines_may_come_at_once },
	{ "what is no client of a console is sent away", what_is_no_console_client_is_sent_away },
	{ "a line that is too long is refused", a_line_that_is_too_long_is_refused },
	{ "clients do not disturb each other", clients_do_not_disturb_each_other },
	{ "the control socket takes lines", the_control_socket_takes_lines },
	{ "the port is listened at", the_port_is_listened_at },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
