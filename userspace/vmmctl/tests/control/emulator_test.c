// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's console as its clients see it: the token, and each command and its answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/discovery.h"
#include "machine/device.h"
#include "tests/control/emulator_lib.h"

/* ---- the token ---- */

static void the_token_is_made_and_kept(void)
{
	struct vmm_emu_token other;
	struct stat st;
	char again[VMM_EMU_TOKEN_MAX + 1];

	console_open();
	tap_equal(strlen(console.word), 16);
	tap_check(!stat(console.token.path, &st) && (st.st_mode & 07777) == 0600);
	tap_equal(st.st_size, 16);
	tap_equal(vmm_emu_token_open(&other, console.home), 0);
	tap_equal(vmm_emu_token_read(&other, again), 0);
	tap_check(!strcmp(again, console.word));
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
		 console.token.path);
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
	tap_equal(console.ends, 0);
	check_text(ask(fd, "quit"), "");
	tap_check(hung_up(fd));
	close(fd);
	console_close();
}

/* Read again each time; an empty file accepts every client, a missing one none. */
static void the_file_counts_as_it_is(void)
{
	int file, fd;

	console_open();
	file = open(console.token.path, O_WRONLY | O_TRUNC | O_CLOEXEC);
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
	unlink(console.token.path);
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
 * struct exchange - a line and its answer
 * @line: the line
 * @want: the answer
 * @asked: request to a device, or NULL
 */
struct exchange {
	const char *line;
	const char *want;
	const char *asked;
};

#define NO_MODEM	"KO: modem emulation not running\n"
#define NO_SENSOR \
	"KO: unknown sensor name: nose, run 'sensor status' to get available sensors.\n"
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
	{ "avd heartbeat", "heartbeat: 0\nOK\n", "guest.heartbeat()" },
	{ "avd discoverypath", "KO: there is no such file: vmmctl ps lists VMs\n", NULL },
	{ "avd snapshotspath", NO_SAVE, NULL },
	{ "avd snapshotpath one", NO_SAVE, NULL },
	{ "avd snapshot list", "There is no snapshot available.\nOK\n", NULL },
	{ "avd snapshot save one", NO_SAVE, NULL },
	{ "avd snapshot load one", NO_SAVE, NULL },
	{ "avd hostmicon", "OK\n", NULL },
	{ "avd hostmicoff", "OK\n", NULL },
	{ "avd rewindaudio", "OK\n", NULL },
	{ "avd bugreport", "OK\n", NULL },
	{ "power display", "AC: online\nstatus: Charging\nhealth: Good\npresent: true\n"
	  "capacity: 100\nOK\n", "battery.display()" },
	{ "power ac off", "OK\n", "battery.set(ac off)" },
	{ "power status not-charging", "OK\n", "battery.set(status not-charging)" },
	{ "power present true", "OK\n", "battery.set(present true)" },
	{ "power health dead", "OK\n", "battery.set(health dead)" },
	{ "power capacity 50", "OK\n", "battery.set(capacity 50)" },
	{ "power display", "AC: offline\nstatus: Not charging\nhealth: Dead\npresent: true\n"
	  "capacity: 50\nOK\n", "battery.display()" },
	{ "power status full", "OK\n", "battery.set(status full)" },
	{ "power health failure", "OK\n", "battery.set(health failure)" },
	{ "power present false", "OK\n", "battery.set(present false)" },
	{ "power display", "AC: offline\nstatus: Full\nhealth: Unspecified failure\n"
	  "present: false\ncapacity: 50\nOK\n", "battery.display()" },
	{ "power status discharging", "OK\n", "battery.set(status discharging)" },
	{ "power health overheat", "OK\n", "battery.set(health overheat)" },
	{ "power display", "AC: offline\nstatus: Discharging\nhealth: Overhead\n"
	  "present: false\ncapacity: 50\nOK\n", "battery.display()" },
	{ "power capacity 101", "KO: \"101\" is not a number from 0 to 100\n",
	  "battery.set(capacity 101)" },
	{ "power status empty",
	  "KO: \"empty\" is not unknown, charging, discharging, not-charging or full\n",
	  "battery.set(status empty)" },
	{ "event send EV_KEY:KEY_A:1 EV_SYN:0:0", "OK\n",
	  "events.send(EV_KEY:KEY_A:1 EV_SYN:0:0)" },
	{ "event send EV_KEY", "KO: \"EV_KEY\" is not TYPE:CODE:VALUE\n", "events.send(EV_KEY)" },
	{ "event types", "EV_ABS = 3\nEV_FF = 21\nEV_FF_STATUS = 23\nEV_KEY = 1\nEV_LED = 17\n"
	  "EV_MSC = 4\nEV_PWR = 22\nEV_REL = 2\nEV_REP = 20\nEV_SND = 18\nEV_SW = 5\n"
	  "EV_SYN = 0\nOK\n", "events.types()" },
	{ "event codes EV_REP", "REP_DELAY = 0\nREP_PERIOD = 1\nOK\n", "events.codes(EV_REP)" },
	{ "event codes EV_NONE", "KO: a type is needed, as \"types\" lists them\n",
	  "events.codes(EV_NONE)" },
	{ "event text Hello,  world", "OK\n", "events.text(Hello,  world)" },
	{ "event text \\u0416", "KO: the text has a character that no key writes\n",
	  "events.text(\\u0416)" },
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
	{ "redir list", "no active redirections\nOK\n", "redir.list()" },
	{ "redir add tcp:1:2",
	  "KO: ports are forwarded from the VM's start on, by --redir tcp:HOST:GUEST\n", NULL },
	{ "redir del tcp:1", "KO: port 1 is not forwarded\n", "redir.del(tcp:1)" },
	{ "redir del", "KO: missing argument, try 'redir del tcp:HOST'\n", NULL },
	{ "geo fix 8.5 47.3", "OK\n", "gps.fix(8.5 47.3)" },
	{ "geo fix 181 0", "KO: Longitude must be between -180 and 180.\n", "gps.fix(181 0)" },
	{ "geo nmea $GPGGA", "OK\n", "gps.nmea($GPGGA)" },
	{ "geo gnss 1", "KO: the guest has no port for measurements\n", NULL },
	{ "sensor status", "acceleration: enabled.\ngyroscope: enabled.\n"
	  "magnetic-field: enabled.\norientation: enabled.\ntemperature: enabled.\n"
	  "proximity: enabled.\nlight: enabled.\npressure: enabled.\nhumidity: enabled.\n"
	  "magnetic-field-uncalibrated: enabled.\ngyroscope-uncalibrated: enabled.\n"
	  "acceleration-uncalibrated: enabled.\nOK\n", "sensors.status()" },
	{ "sensor get acceleration", "acceleration = 0:9.81:0\nOK\n",
	  "sensors.get(acceleration)" },
	{ "sensor set acceleration 1:2:3", "OK\n", "sensors.set(acceleration 1:2:3)" },
	{ "sensor get acceleration", "acceleration = 1:2:3\nOK\n", "sensors.get(acceleration)" },
	{ "sensor get nose", NO_SENSOR, "sensors.get(nose)" },
	{ "sensor set", "KO: missing argument, try 'sensor set NAME A[:B[:C]]'\n", NULL },
	{ "finger touch 1", "OK\n", "fingerprint.touch(1)" },
	{ "finger remove", "OK\n", "fingerprint.remove()" },
	{ "finger touch thumb", "KO: a finger is a number\n", "fingerprint.touch(thumb)" },
	{ "physics record-gt a", "KO: nothing is recorded here\n", NULL },
	{ "fold", "OK\n", NULL },
	{ "unfold", "OK\n", NULL },
	{ "gsm list", NO_MODEM, NULL },
	{ "gsm call 123", NO_MODEM, NULL },
	{ "gsm signal-profile 4", NO_MODEM, NULL },
	{ "sms send 123 text", NO_MODEM, NULL },
	{ "cdma ssource nv", NO_MODEM, NULL },
	{ "multidisplay add 1 2 3 4 5", "OK\n", "displays.add(1 2 3 4 5)" },
	{ "multidisplay del 1", "OK\n", "displays.del(1)" },
	{ "multidisplay del 1", "KO: there is no such screen\n", "displays.del(1)" },
	{ "grpc 8554", "KO: there is no gRPC server\n", NULL },
	{ "qemu monitor", "KO: this is not QEMU\n", NULL },
	{ "startExtendedWindow", "OK\n", NULL },
	{ "quitExtendedWindow", "OK\n", NULL },
	{ "setUiTheme dark", "OK\n", NULL },
	{ "debug +all", "KO: warning: debug tags are deprecated and have no effect\n", NULL },
	{ "crash", "KO: the emulator cannot be crashed on demand\n", NULL },
	{ "crash-on-exit", "KO: the emulator cannot be crashed on demand\n", NULL },
};

/* Returns whether its command, of at most two words, was used before. */
static bool said_before(const struct exchange *x)
{
	size_t len = strcspn(x->line, " ");
	const struct exchange *at;

	if (x->line[len])
		len += 1 + strcspn(x->line + len + 1, " ");
	for (at = exchanges; at < x; at++) {
		if (!strncmp(at->line, x->line, len) && (!at->line[len] || at->line[len] == ' '))
			return true;
	}
	return false;
}

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
		console.asked[0] = '\0';
		check_text(ask(fd, x->line), x->want);
		if (tap_check(!strcmp(console.asked, x->asked ? x->asked : "")) &&
		    !strcmp(heard, x->want) && !said_before(x))
			right++;
	}
	printf("# console commands answered: %u\n", right);
	tap_check(right >= 40);
	close(fd);
	console_close();
}

/* Values that the guest reads from its devices. */
static void check_event(u32 type, u32 code, s32 value)
{
	tap_equal(vmm_device_read(console.events, 0, 4), type);
	tap_equal(vmm_device_read(console.events, 0, 4), code);
	tap_equal((s32)vmm_device_read(console.events, 0, 4), value);
}

static void the_guest_gets_what_is_said(void)
{
	int fd;

	console_open();
	fd = trusted();
	check_text(ask(fd, "power capacity 42"), "OK\n");
	tap_equal(vmm_device_read(console.battery, 0x18, 4), 42);
	check_text(ask(fd, "event send EV_KEY:KEY_HOME:1 1:102:0"), "OK\n");
	check_event(1, 102, 1);
	check_event(1, 102, 0);
	check_text(ask(fd, "event text a"), "OK\n");
	check_event(1, 30, 1);
	check_event(0, 0, 0);
	check_event(1, 30, 0);
	check_event(0, 0, 0);
	check_text(ask(fd, "event text \\x"), "KO: the text has a character that no key writes\n");
	tap_equal(vmm_device_read(console.events, 0, 4), 0);
	close(fd);
	console_close();
}

/* Of the AVD, if there is one. */
static void the_path_is_the_avds(void)
{
	int fd;

	console_open();
	fd = trusted();
	console.avd = "/home/user/.android/avd/pixel.avd";
	check_text(ask(fd, "avd path"), "/home/user/.android/avd/pixel.avd\nOK\n");
	console.avd = NULL;
	check_text(ask(fd, "avd path"), "/run/ranchu/test\nOK\n");
	close(fd);
	console_close();
}

/* The test plays `vmmctl avd`, which keeps the path. */
static void the_discovery_file_is_told(void)
{
	char want[PATH_MAX + 8];
	char folder[32] = "/tmp/vmmctl-found-XXXXXX";
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char kept[PATH_MAX];
	int fd;

	snprintf(kept, sizeof(kept), "%s", runtime ? runtime : "");
	tap_check(mkdtemp(folder));
	setenv("XDG_RUNTIME_DIR", folder, 1);
	tap_equal(vmm_discovery_open(123), 0);
	console_open();
	fd = trusted();
	snprintf(want, sizeof(want), "%s/avd/running/pid_123.ini\nOK\n", folder);
	check_text(ask(fd, "avd discoverypath"), want);
	close(fd);
	console_close();
	/* Somebody else may write to the folder. */
	snprintf(want, sizeof(want), "%s/avd/running", folder);
	tap_check(!chmod(want, 0777));
	tap_equal(vmm_discovery_open(123), -EPERM);
	tap_check(!*vmm_discovery_path());
	tap_check(!rmdir(want));
	*strrchr(want, '/') = '\0';
	tap_check(!rmdir(want) && !rmdir(folder));
	if (runtime)
		setenv("XDG_RUNTIME_DIR", kept, 1);
	else
		unsetenv("XDG_RUNTIME_DIR");
}

/* Clockwise for the viewer; a VM without the sensor is rotated as well. */
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
		console.degrees = 90 * i;
		console.asked[0] = '\0';
		check_text(ask(fd, "rotate"), "OK\n");
		snprintf(asked, sizeof(asked), "fb.rotate() sensors.set(acceleration %s)", want[i]);
		tap_context("%s", console.asked);
		tap_check(!strcmp(console.asked, asked));
	}
	console.no_services = true;
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
	/* Answered when the vCPUs are paused; later commands do not overtake it. */
	check_text(ask(fd, "avd stop\nping"), "");
	tap_check(console.call & VMM_EMULATOR_CALL);
	vmm_emulator_answer(console.emulator, console.call - 1, &done);
	check_text(hear(fd), "");
	vmm_emulator_answer(console.emulator, console.call, &done);
	serve();
	check_text(hear(fd), "OK\nI am alive!\nOK\n");
	check_text(ask(fd, "avd status"), "virtual device is stopped\nOK\n");
	check_text(ask(fd, "avd pause"), "KO: virtual device already stopped\n");
	check_text(ask(fd, "avd start"), "OK\n");
	ask(fd, "avd pause");
	vmm_answer_fail(&done, ECANCELED, "the guest has ended");
	vmm_emulator_answer(console.emulator, console.call, &done);
	check_text(hear(fd), "KO: the guest has ended\n");
	check_text(ask(fd, "restart"), "OK: restarting emulator, bye bye\nOK\n");
	tap_equal(console.resets, 1);
	check_text(ask(fd, "kill"), "OK: killing emulator, bye bye\nOK\n");
	tap_equal(console.ends, 1);
	/* A client that hangs up before its answer. */
	console.status = "running";
	ask(fd, "avd stop");
	close(fd);
	serve();
	vmm_emulator_answer(console.emulator, console.call, &done);
	console_close();
}

static void help_is_given(void)
{
	int fd;

	console_open();
	fd = trusted();
	/* A limit of some clients. */
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
	check_text(ask(fd, "setUiTheme"), "KO: missing argument, try 'setUiTheme dark|light'\n");
	check_text(ask(fd, "power ac"), "KO: missing argument, try 'power ac on|off'\n");
	check_text(ask(fd, "  ping  "), "I am alive!\nOK\n");
	check_text(ask(fd, ""), "");
	check_text(ask(fd, "\r\r"), "");
	close(fd);
	console_close();
}

/* The same by the control socket, whose clients need no token. */
static void the_control_socket_takes_lines(void)
{
	struct vmm_answer answer = { 0 };
	json_t *args = json_pack("{s:s}", "line", "power capacity 7");

	console_open();
	tap_equal(vmm_commands_run(&console.commands, "emu", 1, args, &answer), 0);
	tap_check(!strcmp(console.asked, "battery.set(capacity 7)"));
	json_decref(answer.result);
	answer = (struct vmm_answer){ 0 };
	json_object_set_new(args, "line", json_string("sensor get proximity"));
	tap_equal(vmm_commands_run(&console.commands, "emu", 1, args, &answer), 0);
	tap_check(!strcmp(json_string_value(json_object_get(answer.result, "text")),
			  "proximity = 1\n"));
	json_decref(answer.result);
	answer = (struct vmm_answer){ 0 };
	json_object_set_new(args, "line", json_string("gsm list"));
	tap_equal(vmm_commands_run(&console.commands, "emu", 1, args, &answer), -EOPNOTSUPP);
	tap_check(!strcmp(answer.error, "modem emulation not running"));
	json_object_set_new(args, "line", json_string("avd stop"));
	answer = (struct vmm_answer){ 0 };
	tap_equal(vmm_commands_run(&console.commands, "emu", 77, args, &answer),
		  VMM_COMMAND_LATER);
	tap_equal(console.call, 77);
	json_decref(args);
	console_close();
}

static const struct tap_case cases[] = {
	{ "the token is made, and kept", the_token_is_made_and_kept },
	{ "who does not know the token can do little", who_does_not_know_it_can_do_little },
	{ "the token's file counts as it is", the_file_counts_as_it_is },
	{ "every command is answered", every_command_is_answered },
	{ "the guest gets what is said", the_guest_gets_what_is_said },
	{ "the path is the AVD's", the_path_is_the_avds },
	{ "the console says by which file programs find the VM", the_discovery_file_is_told },
	{ "rotate turns the sensor", rotate_turns_the_sensor },
	{ "the VM is stopped and ended", the_vm_is_stopped_and_ended },
	{ "help is given", help_is_given },
	{ "mistakes are told", mistakes_are_told },
	{ "the control socket takes lines", the_control_socket_takes_lines },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
