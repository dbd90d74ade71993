// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator console's commands: one table. A row names a command of a device, or a function
 * that runs commands of the control socket, or the reason why the command is unavailable.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/emulator_rows.h"

/**
 * struct row - a command
 * @name: the first word, with synonyms after "|"
 * @sub: the second word, or NULL for none
 * @usage: arguments, or NULL for none
 * @help: what it does
 * @early: also for clients that are not authenticated
 * @device: the device that has the command, or NULL
 * @command: the device's command
 * @prefix: text before the user's arguments
 * @needs: it needs an argument
 * @run: runs the command
 * @unavailable: the reason why it is unavailable, without @device and @run
 */
struct row {
	const char *name;
	const char *sub;
	const char *usage;
	const char *help;
	bool early;
	const char *device;
	const char *command;
	const char *prefix;
	bool needs;
	int (*run)(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
	const char *unavailable;
};

static int run_device(struct vmm_emu *emu, const struct row *row, const char *args,
		      char why[VMM_ANSWER_ERROR])
{
	json_t *request = json_pack("{s:s, s:s}", "device", row->device, "command", row->command);
	json_t *result = NULL;
	int err;

	if (*args)
		json_object_set_new(request, "value",
				    json_sprintf("%s%s", row->prefix ? row->prefix : "", args));
	err = vmm_emu_control(emu, "device", request, &result, why);
	vmm_emu_say_text(emu, result);
	return err;
}

/* ---- functions of commands ---- */

static int run_ping(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	(void)why;
	vmm_text_add(emu->text, "I am alive!\n");
	return 0;
}

/* A command without an effect here, which reports success. */
static int run_nothing(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)emu;
	(void)args;
	(void)why;
	return 0;
}

static int run_quit(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)emu;
	(void)args;
	(void)why;
	return VMM_EMU_BYE;
}

static int run_kill(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	vmm_text_add(emu->text, "OK: killing emulator, bye bye\n");
	return vmm_emu_control(emu, "quit", NULL, NULL, why);
}

static int run_restart(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	vmm_text_add(emu->text, "OK: restarting emulator, bye bye\n");
	return vmm_emu_control(emu, "reset", NULL, NULL, why);
}

#define NO_SHOTS	"there is no directory for pictures of the screen: see --screenshots"

/*
 * "[--display 0] [DIR]". Only directories below --screenshots are allowed, because a client of
 * the console must not write wherever the VM's user can.
 */
static int run_screenshot(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	static const char option[] = "--display 0";
	size_t len = sizeof(option) - 1;
	json_t *result = NULL;
	int err;

	if (!strncmp(args, option, len) && (!args[len] || args[len] == ' '))
		args += len + strspn(args + len, " ");
	if (*args == '-')
		return vmm_emu_fail(why, EINVAL, "there is one screen, \"--display 0\"");
	err = vmm_emu_control(emu, "screenshot-save",
			      *args ? json_pack("{s:s}", "directory", args) : NULL, &result, why);
	vmm_emu_say_text(emu, result);
	return err == -ENOENT ? vmm_emu_fail(why, ENOENT, NO_SHOTS) : err;
}

/*
 * Turns the screen, and with guest services also the acceleration sensor, from which the guest
 * finds its orientation.
 *
 * Source: platform_external_qemu android/android-emu/android/hw-sensors.cpp and
 * emulator-window.c: a quarter clockwise is "reverse landscape", x -9.81.
 */
static int run_rotate(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	static const char *const pulls[] = { "0:9.81:0", "-9.81:0:0", "0:-9.81:0", "9.81:0:0" };
	unsigned int degrees = 0;
	json_t *result = NULL;
	const char *text;
	int err;

	(void)args;
	err = vmm_emu_control(emu, "device",
			      json_pack("{s:s, s:s}", "device", "fb", "command", "rotate"),
			      &result, why);
	text = json_string_value(json_object_get(result, "text"));
	if (!err && (!text || sscanf(text, "turned by %u", &degrees) != 1))
		err = vmm_emu_fail(why, EPROTO, "the screen does not report its rotation");
	json_decref(result);
	if (err)
		return err;
	err = vmm_emu_control(emu, "device",
			      json_pack("{s:s, s:s, s:o}", "device", "sensors", "command", "set",
					"value", json_sprintf("acceleration %s",
							      pulls[degrees / 90 % 4])),
			      NULL, why);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int run_network_status(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)args;
	(void)why;
	vmm_text_add(emu->text, "Current network status:\n"
		     "  download speed:          0 bits/s (0.0 KB/s)\n"
		     "  upload speed:            0 bits/s (0.0 KB/s)\n"
		     "  minimum latency:  0 ms\n"
		     "  maximum latency:  0 ms\n");
	return 0;
}

/* The network's speed cannot be limited. */
static int run_network_speed(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)emu;
	if (!strcmp(args, "full") || !strcmp(args, "0"))
		return 0;
	return vmm_emu_fail(why, EOPNOTSUPP, "the network's speed is always full");
}

static int run_network_delay(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	(void)emu;
	if (!strcmp(args, "none") || !strcmp(args, "0"))
		return 0;
	return vmm_emu_fail(why, EOPNOTSUPP, "the network's delay is always none");
}

static int run_help(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);
static int run_help_verbose(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR]);

/* ---- the table ---- */

#define NO_CRASH	"the emulator cannot be crashed on demand"
#define NO_MODEM	"modem emulation not running"
#define NO_VIDEO	"no video is recorded here, only pictures: screenrecord screenshot"
#define NO_RECORD	"nothing is recorded here"
#define NO_REDIR	"ports are forwarded from the VM's start on, by --redir tcp:HOST:GUEST"
#define NO_CAPTURE	"the host sees all packets: tcpdump -i TAP -w FILE, or passt --pcap FILE"

static const struct row rows[] = {
	{ .name = "help|h|?", .usage = "[COMMAND [SUB-COMMAND]]", .help = "list commands",
	  .early = true, .run = run_help },
	{ .name = "help-verbose", .help = "list commands with their help", .early = true,
	  .run = run_help_verbose },
	{ .name = "ping", .help = "check whether the emulator is alive", .early = true,
	  .run = run_ping },
	{ .name = "quit|exit", .help = "end this connection", .early = true, .run = run_quit },
	{ .name = "kill", .help = "end the emulator", .run = run_kill },
	{ .name = "restart", .help = "reset the guest", .run = run_restart },
	{ .name = "crash", .help = "crash the emulator", .unavailable = NO_CRASH },
	{ .name = "crash-on-exit", .help = "crash it when it ends",
	  .unavailable = NO_CRASH },

	{ .name = "avd", .sub = "name", .help = "show the virtual device's name", .early = true,
	  .run = vmm_emu_avd_name },
	{ .name = "avd", .sub = "id", .help = "show its identifier", .run = vmm_emu_avd_name },
	{ .name = "avd", .sub = "path", .help = "show its directory",
	  .run = vmm_emu_avd_path },
	{ .name = "avd", .sub = "discoverypath", .help = "show its discovery file",
	  .run = vmm_emu_avd_discoverypath },
	{ .name = "avd", .sub = "snapshotspath", .help = "show the directory of its snapshots",
	  .run = vmm_emu_avd_snapshotspath },
	{ .name = "avd", .sub = "snapshotpath", .usage = "NAME", .help = "show a snapshot's path",
	  .needs = true, .run = vmm_emu_avd_snapshotpath },
	{ .name = "avd", .sub = "status", .help = "show whether it runs",
	  .run = vmm_emu_avd_status },
	{ .name = "avd", .sub = "stop", .help = "stop it", .run = vmm_emu_avd_stop },
	{ .name = "avd", .sub = "start", .help = "resume it", .run = vmm_emu_avd_start },
	{ .name = "avd", .sub = "pause", .help = "stop it", .run = vmm_emu_avd_stop },
	{ .name = "avd", .sub = "resume", .help = "resume it", .run = vmm_emu_avd_start },
	{ .name = "avd", .sub = "heartbeat", .help = "show the number of the guest's heartbeats",
	  .device = "guest", .command = "heartbeat" },
	{ .name = "avd", .sub = "windowtype", .help = "show the type of its window",
	  .run = vmm_emu_avd_windowtype },
	{ .name = "avd", .sub = "snapshot", .usage = "list|save|load|del [NAME]",
	  .help = "handle snapshots", .run = vmm_emu_avd_snapshot },
	{ .name = "avd", .sub = "hostmicon", .help = "enable the host's microphone (no effect)",
	  .run = run_nothing },
	{ .name = "avd", .sub = "hostmicoff", .help = "disable it (no effect)",
	  .run = run_nothing },
	{ .name = "avd", .sub = "rewindaudio",
	  .help = "rewind the recording (no effect)", .run = run_nothing },
	{ .name = "avd", .sub = "bugreport", .help = "make a bug report (no effect)",
	  .run = run_nothing },

	{ .name = "power", .sub = "display", .help = "show the battery's values",
	  .device = "battery", .command = "display" },
	{ .name = "power", .sub = "ac", .usage = "on|off", .help = "plug the charger",
	  .device = "battery", .command = "set", .prefix = "ac ", .needs = true },
	{ .name = "power", .sub = "status",
	  .usage = "unknown|charging|discharging|not-charging|full", .help = "set the status",
	  .device = "battery", .command = "set", .prefix = "status ", .needs = true },
	{ .name = "power", .sub = "present", .usage = "true|false",
	  .help = "insert or remove the battery",
	  .device = "battery", .command = "set", .prefix = "present ", .needs = true },
	{ .name = "power", .sub = "health",
	  .usage = "unknown|good|overheat|dead|overvoltage|failure", .help = "set the health",
	  .device = "battery", .command = "set", .prefix = "health ", .needs = true },
	{ .name = "power", .sub = "capacity", .usage = "0-100", .help = "set the charge",
	  .device = "battery", .command = "set", .prefix = "capacity ", .needs = true },

	{ .name = "event", .sub = "send", .usage = "TYPE:CODE:VALUE...", .help = "send events",
	  .device = "events", .command = "send", .needs = true },
	{ .name = "event", .sub = "types", .help = "list types of events",
	  .device = "events", .command = "types" },
	{ .name = "event", .sub = "codes", .usage = "TYPE", .help = "list codes of a type",
	  .device = "events", .command = "codes", .needs = true },
	{ .name = "event", .sub = "text", .usage = "TEXT", .help = "type a text",
	  .device = "events", .command = "text", .needs = true },
	{ .name = "event", .sub = "mouse", .usage = "X Y DEVICE BUTTONS",
	  .help = "touch the screen, or roll the trackball",
	  .device = "events", .command = "mouse", .needs = true },

	{ .name = "rotate", .help = "turn the screen by a quarter, clockwise",
	  .run = run_rotate },
	{ .name = "screenrecord", .sub = "start", .usage = "FILE", .help = "record the screen",
	  .unavailable = NO_VIDEO },
	{ .name = "screenrecord", .sub = "stop", .help = "stop that", .unavailable = NO_VIDEO },
	{ .name = "screenrecord", .sub = "screenshot", .usage = "[--display 0] [DIR]",
	  .help = "write a picture of the screen", .run = run_screenshot },

	{ .name = "network", .sub = "status", .help = "show the network's speed",
	  .run = run_network_status },
	{ .name = "network", .sub = "speed", .usage = "SPEED", .help = "slow the network down",
	  .needs = true, .run = run_network_speed },
	{ .name = "network", .sub = "delay", .usage = "DELAY", .help = "delay packets",
	  .needs = true, .run = run_network_delay },
	{ .name = "network", .sub = "capture", .usage = "start FILE|stop",
	  .help = "write packets to a file", .unavailable = NO_CAPTURE },
	{ .name = "redir", .sub = "list", .help = "list forwarded ports", .device = "redir",
	  .command = "list" },
	{ .name = "redir", .sub = "add", .usage = "tcp|udp:HOST:GUEST", .help = "forward a port",
	  .unavailable = NO_REDIR },
	{ .name = "redir", .sub = "del", .usage = "tcp:HOST", .help = "stop forwarding a port",
	  .device = "redir", .command = "del", .needs = true },

	{ .name = "geo", .sub = "fix",
	  .usage = "LONGITUDE LATITUDE [ALTITUDE [SATELLITES [KNOTS]]]",
	  .help = "send a position", .device = "gps", .command = "fix", .needs = true },
	{ .name = "geo", .sub = "nmea", .usage = "SENTENCE", .help = "send an NMEA sentence",
	  .device = "gps", .command = "nmea", .needs = true },
	{ .name = "geo", .sub = "gnss", .usage = "DATA", .help = "send measurements",
	  .unavailable = "the guest has no port for measurements" },
	{ .name = "sensor", .sub = "status", .help = "list sensors", .device = "sensors",
	  .command = "status" },
	{ .name = "sensor", .sub = "get", .usage = "NAME", .help = "show a sensor's values",
	  .device = "sensors", .command = "get", .needs = true },
	{ .name = "sensor", .sub = "set", .usage = "NAME A[:B[:C]]", .help = "set sensor values",
	  .device = "sensors", .command = "set", .needs = true },
	{ .name = "finger", .sub = "touch", .usage = "ID", .help = "touch the fingerprint sensor",
	  .device = "fingerprint", .command = "touch", .needs = true },
	{ .name = "finger", .sub = "remove", .help = "lift the finger",
	  .device = "fingerprint", .command = "remove" },
	{ .name = "physics", .sub = "record-gt", .usage = "FILE", .help = "record sensors",
	  .unavailable = NO_RECORD },
	{ .name = "physics", .sub = "stop", .help = "stop recording",
	  .unavailable = NO_RECORD },
	{ .name = "fold", .help = "fold the device (no effect: it has no hinge)",
	  .run = run_nothing },
	{ .name = "unfold", .help = "unfold it (no effect)", .run = run_nothing },

	{ .name = "gsm", .sub = "list", .help = "list calls", .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "call", .usage = "NUMBER", .help = "call the guest",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "busy", .usage = "NUMBER", .help = "be busy",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "hold", .usage = "NUMBER", .help = "hold a call",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "accept", .usage = "NUMBER", .help = "accept a call",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "cancel", .usage = "NUMBER", .help = "end a call",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "data", .usage = "STATE", .help = "set the data network",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "voice", .usage = "STATE", .help = "set the voice network",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "meter", .usage = "on|off", .help = "count traffic",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "status", .help = "show the modem's status",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "signal", .usage = "RSSI [BER]", .help = "set the signal",
	  .unavailable = NO_MODEM },
	{ .name = "gsm", .sub = "signal-profile", .usage = "0-4", .help = "set the signal",
	  .unavailable = NO_MODEM },
	{ .name = "sms", .sub = "send", .usage = "NUMBER TEXT", .help = "send a message",
	  .unavailable = NO_MODEM },
	{ .name = "sms", .sub = "pdu", .usage = "HEX", .help = "send a raw message",
	  .unavailable = NO_MODEM },
	{ .name = "cdma", .sub = "ssource", .usage = "nv|ruim", .help = "set the source",
	  .unavailable = NO_MODEM },
	{ .name = "cdma", .sub = "prl_version", .usage = "N", .help = "set the version",
	  .unavailable = NO_MODEM },

	{ .name = "multidisplay", .sub = "add", .usage = "ID WIDTH HEIGHT DPI FLAG",
	  .help = "add a screen", .device = "displays", .command = "add", .needs = true },
	{ .name = "multidisplay", .sub = "del", .usage = "ID", .help = "remove a screen",
	  .device = "displays", .command = "del", .needs = true },
	{ .name = "grpc", .usage = "PORT", .help = "start the gRPC server",
	  .unavailable = "there is no gRPC server" },
	{ .name = "qemu", .sub = "monitor", .help = "open QEMU's monitor",
	  .unavailable = "this is not QEMU" },
	{ .name = "startExtendedWindow", .help = "show the window of controls (no effect)",
	  .run = run_nothing },
	{ .name = "quitExtendedWindow", .help = "close it (no effect)", .run = run_nothing },
	{ .name = "setUiTheme", .usage = "dark|light", .help = "choose its colours (no effect)",
	  .needs = true, .run = run_nothing },
	{ .name = "debug", .usage = "TAGS", .help = "choose messages",
	  .unavailable = "warning: debug tags are deprecated and have no effect" },
	{ }
};

/* ---- finding a row ---- */

static bool row_shown(const struct vmm_emu *emu, const struct row *row)
{
	return emu->trusted || row->early;
}

/* Returns the next row of a command from @row on that the client may see, or NULL. */
static const struct row *row_of(const struct vmm_emu *emu, const struct row *row,
				const char *word, size_t len)
{
	for (; row->name; row++) {
		if (row_shown(emu, row) && vmm_emu_word_is(row->name, word, len))
			return row;
	}
	return NULL;
}

/* ---- help ---- */

static void help_row(struct vmm_emu *emu, const struct row *row)
{
	vmm_text_add(emu->text, "  %s%s%s%s%s\n      %s\n", row->name, row->sub ? " " : "",
		     row->sub ? row->sub : "", row->usage ? " " : "",
		     row->usage ? row->usage : "", row->help);
}

static void help_group(struct vmm_emu *emu, const char *word, size_t len)
{
	const struct row *row = rows;

	while ((row = row_of(emu, row, word, len)))
		help_row(emu, row++);
}

/* Lists each name once (its rows are adjacent). Some clients accept 1023 bytes at most. */
static int help_list(struct vmm_emu *emu)
{
	const char *last = "";
	const struct row *row;

	vmm_text_add(emu->text, "Android console commands:\n\n");
	for (row = rows; row->name; row++) {
		if (!row_shown(emu, row) || !strcmp(row->name, last))
			continue;
		vmm_text_add(emu->text, "    %s\n", row->name);
		last = row->name;
	}
	vmm_text_add(emu->text, "\nfor help on one of them, type 'help <command>'\n");
	return 0;
}

static int run_help(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	const struct row *row = rows;
	const char *sub;
	size_t len;

	if (!*args)
		return help_list(emu);
	sub = vmm_emu_word_cut(args, &len);
	if (!row_of(emu, rows, args, len))
		return vmm_emu_fail(why, EINVAL, "unknown command, try 'help'");
	if (!*sub)
		help_group(emu, args, len);
	while (*sub && (row = row_of(emu, row, args, len))) {
		if (row->sub && !strcmp(row->sub, sub))
			help_row(emu, row);
		row++;
	}
	return 0;
}

static int run_help_verbose(struct vmm_emu *emu, const char *args, char why[VMM_ANSWER_ERROR])
{
	const struct row *row;

	(void)args;
	(void)why;
	for (row = rows; row->name; row++) {
		if (row_shown(emu, row))
			help_row(emu, row);
	}
	return 0;
}

/* ---- running ---- */

static int row_run(struct vmm_emu *emu, const struct row *row, const char *args,
		   char why[VMM_ANSWER_ERROR])
{
	if (row->needs && !*args)
		return vmm_emu_fail(why, EINVAL, "missing argument, try '%s%s%s %s'", row->name,
				    row->sub ? " " : "", row->sub ? row->sub : "", row->usage);
	if (row->device)
		return run_device(emu, row, args, why);
	if (row->run)
		return row->run(emu, args, why);
	return vmm_emu_fail(why, EOPNOTSUPP, "%s", row->unavailable);
}

/**
 * vmm_emu_run - run a line
 * @emu: the client's line
 * @line: the line, UTF-8 without its end
 * @why: filled with the reason of a failure
 *
 * Return: 0; VMM_EMU_LATER if the answer follows; VMM_EMU_BYE; or -errno with a reason in
 *	@why. Text is added in any case
 */
int vmm_emu_run(struct vmm_emu *emu, const char *line, char why[VMM_ANSWER_ERROR])
{
	const struct row *row;
	const char *args, *rest;
	size_t len, sub_len;

	line += strspn(line, " ");
	args = vmm_emu_word_cut(line, &len);
	row = row_of(emu, rows, line, len);
	if (!row)
		return vmm_emu_fail(why, EINVAL, "unknown command, try 'help'");
	if (!row->sub)
		return row_run(emu, row, args, why);
	rest = vmm_emu_word_cut(args, &sub_len);
	for (; row; row = row_of(emu, row + 1, line, len)) {
		if (vmm_emu_word_is(row->sub, args, sub_len))
			return row_run(emu, row, rest, why);
	}
	/* Commands that the client may not see are reported as unknown. */
	if (!emu->trusted)
		return vmm_emu_fail(why, EINVAL, "unknown command, try 'help'");
	help_group(emu, line, len);
	return vmm_emu_fail(why, EINVAL, *args ? " bad sub-command" : "missing sub-command");
}

/* ---- the control socket's command that takes a line ---- */

static int run_line(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	const char *line = json_string_value(json_object_get(args, "line"));
	static struct vmm_text text;
	struct vmm_emu emu = { .commands = arg, .call = call, .trusted = true, .text = &text };
	int err;

	vmm_text_clear(&text);
	err = vmm_emu_run(&emu, line, answer->error);
	if (err < 0 || err == VMM_EMU_LATER)
		return err;
	answer->result = json_pack("{s:s}", "text", text.bytes);
	return answer->result ? 0 : vmm_answer_fail(answer, ENOMEM, "out of memory");
}

static const struct vmm_command_row control_rows[] = {
	{ "emu", "run a line of the emulator's console",
	  { { "line", JSON_STRING, true } }, run_line },
	{ }
};

/**
 * vmm_emu_commands_add - add the command that runs a line to the control socket
 * @commands: all commands; the command is added
 *
 * Return: 0, or -ENOSPC
 */
int vmm_emu_commands_add(struct vmm_commands *commands)
{
	return vmm_commands_add(commands, control_rows, commands);
}
