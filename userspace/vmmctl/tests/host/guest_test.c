// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl's half of the guest services: commands and their values, records to ranchu-services, its
 * own records, and a ranchu-services that ends, sends invalid records, or connects again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/guest.h"
#include "machine/machine.h"
#include "machine/text.h"
#include "tests/tap.h"

static struct {
	struct vmm_loop *loop;
	int tick_fd;
	struct vmm_guest *guest;
	struct vmm_text text;
	int link;		/* ranchu-services' end */
	unsigned int files;	/* number of files made */
	int err;		/* result of the next call */
	unsigned int booted;
	unsigned int copied;
	struct vmm_guest_record record;
	size_t len;
} test;

static int device_services(void *arg)
{
	(void)arg;
	test.files++;
	return test.err ? test.err : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static const struct vmm_guest_device device = { .services = device_services };

static void on_booted(void *arg)
{
	(void)arg;
	test.booted++;
}

static void on_clipboard(void *arg)
{
	(void)arg;
	test.copied++;
}

static const struct vmm_guest_ops ops = { .booted = on_booted, .clipboard = on_clipboard };

static int tick(void *arg)
{
	(void)arg;
	vmm_event_clear(test.tick_fd);
	return 1;
}

static void serve(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		vmm_event_signal(test.tick_fd);
		tap_check(!vmm_loop_add(test.loop, test.tick_fd, tick, NULL));
		tap_equal(vmm_loop_run(test.loop), 1);
		vmm_loop_del(test.loop, test.tick_fd);
	}
}

static void set_up(void)
{
	memset(&test, 0, sizeof(test));
	test.loop = vmm_loop_create();
	test.tick_fd = vmm_event_create();
	test.link = -1;
	test.guest = vmm_guest_open(test.loop, &ops, NULL);
	tap_check(test.guest);
	tap_equal(vmm_guest_attach(test.guest, &device, NULL), 0);
}

static void tear_down(void)
{
	vmm_guest_detach(test.guest);
	vmm_guest_close(test.guest);
	vmm_loop_destroy(test.loop);
	close(test.tick_fd);
	if (test.link >= 0)
		close(test.link);
}

/* Connects as ranchu-services does; returns the VM's result. */
static int come(void)
{
	int pair[2];
	int fd;

	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	fd = vmm_guest_connect(test.guest, pair[1]);
	if (fd < 0) {
		close(pair[0]);
		close(pair[1]);
		return fd;
	}
	if (test.link >= 0)
		close(test.link);
	test.link = pair[0];
	return fd;
}

static void leave(void)
{
	close(test.link);
	test.link = -1;
	serve();
}

static int ask(const char *device, const char *command, const char *value)
{
	vmm_text_clear(&test.text);
	return vmm_guest_command(test.guest, device, command, value, &test.text);
}

static bool says(const char *what)
{
	if (!strcmp(test.text.bytes, what))
		return true;
	printf("# text: %s\n", test.text.bytes);
	return false;
}

/* Checks the next record to ranchu-services. */
static bool told(enum vmm_guest_what what, s32 number, const char *text)
{
	if (!vmm_guest_receive(test.link, &test.record, &test.len) && test.record.what == what &&
	    test.record.number == number && !strcmp(test.record.text, text))
		return true;
	printf("# record %u %d %s\n", test.record.what, test.record.number, test.record.text);
	return false;
}

static bool told_nothing(void)
{
	return vmm_guest_receive(test.link, &test.record, &test.len) == -EAGAIN;
}

/* Reads the first records to each ranchu-services: all sensors. */
static void told_sensors(void)
{
	unsigned int i;

	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		if (vmm_guest_sensors[i].name)
			tap_check(!vmm_guest_receive(test.link, &test.record, &test.len) &&
				  test.record.what == VMM_GUEST_SENSOR &&
				  test.record.number == (s32)i);
	}
}

/* ---- cases ---- */

static void sensors_have_values(void)
{
	set_up();
	tap_equal(ask("sensors", "get", "acceleration"), 0);
	tap_check(says("acceleration = 0:0:9.81\n"));
	tap_equal(ask("sensors", "set", "acceleration 1:-2.5:3e2"), 0);
	tap_equal(ask("sensors", "get", "acceleration"), 0);
	tap_check(says("acceleration = 1:-2.5:300\n"));
	/* Values that are left out do not change. */
	tap_equal(ask("sensors", "set", "acceleration 7"), 0);
	tap_equal(ask("sensors", "get", "acceleration"), 0);
	tap_check(says("acceleration = 7:-2.5:300\n"));
	tap_equal(ask("sensors", "set", "light 12"), 0);
	tap_equal(ask("sensors", "get", "light"), 0);
	tap_check(says("light = 12\n"));
	tap_equal(ask("sensors", "status", NULL), 0);
	tap_check(strstr(test.text.bytes, "gyroscope-uncalibrated: enabled.\n"));
	tap_equal(vmm_guest_sensor_mask(), 133119);
	tear_down();
}

static void wrong_values_change_nothing(void)
{
	static const char *const wrong[] = {
		"acceleration", "acceleration ", "acceleration x", "acceleration 1:",
		"acceleration 1::2",
		"acceleration 1:2:3:4", "light 1:2", "acceleration nan", "acceleration 1:inf",
		"acceleration 1e10", "acceleration 1 2", "acceleratio 1", "heading 1", "", " ",
	};
	unsigned int i;

	set_up();
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_check(ask("sensors", "set", wrong[i]) < 0 && *test.text.bytes);
	}
	tap_equal(ask("sensors", "get", "acceleration"), 0);
	tap_check(says("acceleration = 0:0:9.81\n"));
	tap_equal(ask("sensors", "get", "nose"), -EINVAL);
	tap_check(says("unknown sensor name: nose, run 'sensor status' to get available sensors."));
	tap_equal(ask("sensors", "set", NULL), -EINVAL);
	tap_equal(ask("sensors", "paint", NULL), -ENOENT);
	tap_equal(ask("battery", "show", NULL), -ENOENT);
	tear_down();
}

static void a_position_becomes_sentences(void)
{
	char to[VMM_GUEST_SENTENCES];
	struct vmm_text why;

	vmm_text_clear(&why);
	/* 2 January 2009, 03:04:05. */
	tap_equal(vmm_guest_nmea("8.5417 47.3769 408 9 2.5", 1230865445, to, &why), 0);
	tap_check(!strcmp(to, "$GPGGA,030405,4722.6140,N,00832.5020,E,1,09,,408.0,M,0.,M,,*65\n"
			  "$GPRMC,030405,A,4722.6140,N,00832.5020,E,2.5,,020109,,,A*5F"));
	tap_equal(vmm_guest_nmea("-180 -90", 0, to, &why), 0);
	tap_check(strstr(to, "9000.0000,S,18000.0000,W,1,06,,0.0,M"));
	/* Minutes that round up to a whole degree. */
	tap_equal(vmm_guest_nmea("7.99999999 0", 0, to, &why), 0);
	tap_check(strstr(to, "0000.0000,N,00800.0000,E"));
	tap_equal(vmm_guest_nmea("181 0", 0, to, &why), -ERANGE);
	tap_check(!strcmp(why.bytes, "Longitude must be between -180 and 180."));
	tap_check(vmm_guest_nmea("0 91", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("nan 0", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("0 inf", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("0", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("1 2 3 13", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("1 2 3 4 5 6", 0, to, &why) < 0);
	tap_check(vmm_guest_nmea("1 2x", 0, to, &why) < 0);
}

static void it_is_told_what_changes(void)
{
	char *end;

	set_up();
	tap_check(!strcmp(vmm_guest_status(test.guest), "waiting"));
	tap_check(come() >= 0);
	tap_check(!strcmp(vmm_guest_status(test.guest), "served"));
	told_sensors();
	tap_check(told_nothing());
	tap_equal(ask("sensors", "set", "magnetic-field 1:2:3"), 0);
	tap_check(told(VMM_GUEST_SENSOR, 2, "1:2:3"));
	tap_equal(ask("fingerprint", "touch", "5"), 0);
	tap_check(told(VMM_GUEST_FINGER, 5, ""));
	tap_equal(ask("fingerprint", "remove", NULL), 0);
	tap_check(told(VMM_GUEST_FINGER, -1, ""));
	tap_check(ask("fingerprint", "touch", "-1") < 0);
	tap_check(ask("fingerprint", "touch", "99999999") < 0);
	tap_equal(ask("gps", "nmea", "$GPGGA,1"), 0);
	tap_check(told(VMM_GUEST_NMEA, 0, "$GPGGA,1"));
	tap_check(ask("gps", "nmea", "GPGGA") < 0);
	tap_check(ask("gps", "nmea", "$GP\n") < 0);
	tap_equal(ask("gps", "fix", "1 2"), 0);
	tap_equal(vmm_guest_receive(test.link, &test.record, &test.len), 0);
	tap_equal(test.record.what, VMM_GUEST_FIX);
	end = strchr(test.record.text, '\n');
	tap_check(!strncmp(test.record.text, "$GPGGA,", 7) && end && !strncmp(end, "\n$GPRMC,", 8));
	tap_equal(ask("clipboard", "set", "hello"), 0);
	tap_check(told(VMM_GUEST_CLIPBOARD, 0, "hello"));
	tap_equal(ask("displays", "add", "2 640 480 160 3"), 0);
	tap_check(told(VMM_GUEST_DISPLAY, 2, "640 480 160 3"));
	tap_check(ask("displays", "add", "11 1 1 1 1") < 0);
	tap_check(ask("displays", "add", "1 0 1 1 1") < 0);
	tap_check(ask("displays", "add", "1 2 3 4") < 0);
	tap_check(ask("displays", "del", "3") < 0);
	tap_check(told_nothing());
	/* A new ranchu-services gets all values. */
	leave();
	tap_check(!strcmp(vmm_guest_status(test.guest), "gone"));
	tap_check(ask("gps", "nmea", "$GPGGA,1") < 0);
	tap_equal(ask("fingerprint", "touch", "6"), 0);
	tap_check(come() >= 0);
	told_sensors();
	tap_check(told(VMM_GUEST_DISPLAY, 2, "640 480 160 3"));
	tap_check(told(VMM_GUEST_FINGER, 6, ""));
	tap_equal(vmm_guest_receive(test.link, &test.record, &test.len), 0);
	tap_equal(test.record.what, VMM_GUEST_FIX);
	tap_check(told(VMM_GUEST_CLIPBOARD, 0, "hello"));
	tap_equal(ask("displays", "del", "2"), 0);
	tap_check(told(VMM_GUEST_DISPLAY, 2, ""));
	tap_check(told_nothing());
	tear_down();
}

static void it_tells_of_the_guest(void)
{
	static const char bad[] = "text\xc3\xa9 and \xff";
	u8 bright = 200;

	set_up();
	tap_check(come() >= 0);
	vmm_guest_send(test.link, VMM_GUEST_HEARTBEATS, 3, NULL, 0);
	vmm_guest_send(test.link, VMM_GUEST_HEARTBEATS, 4, NULL, 0);
	vmm_guest_send(test.link, VMM_GUEST_LIGHT, 1, &bright, 1);
	vmm_guest_send(test.link, VMM_GUEST_BOOTED, 0, NULL, 0);
	vmm_guest_send(test.link, VMM_GUEST_BOOTED, 0, NULL, 0);
	vmm_guest_send(test.link, VMM_GUEST_CLIPBOARD, 0, bad, strlen(bad));
	serve();
	tap_equal(test.booted, 1);
	tap_equal(test.copied, 1);
	tap_equal(ask("guest", "heartbeat", NULL), 0);
	tap_check(says("heartbeat: 7\n"));
	tap_equal(ask("guest", "lights", NULL), 0);
	tap_check(says("lcd_backlight = 0\nkeyboard_backlight = 200\nbutton_backlight = 0\n"));
	tap_equal(ask("clipboard", "get", NULL), 0);
	tap_check(says("text\xc3\xa9 and "));
	/* The guest is reset. */
	vmm_guest_life(test.guest);
	tap_equal(ask("guest", "heartbeat", NULL), 0);
	tap_check(says("heartbeat: 0\n"));
	vmm_guest_send(test.link, VMM_GUEST_BOOTED, 0, NULL, 0);
	serve();
	tap_equal(test.booted, 2);
	tear_down();
}

static void one_at_a_time_serves(void)
{
	int pair[2];
	int first, second;

	set_up();
	tap_equal(test.files, 1);
	first = come();
	tap_check(first >= 0);
	tap_equal(come(), -EALREADY);
	/* The file stays open, because an answer with it may not have been sent. */
	leave();
	tap_check(fcntl(first, F_GETFD) >= 0);
	second = come();
	tap_equal(second, first);
	tap_equal(test.files, 2);
	leave();
	test.err = -ENOSPC;
	tap_equal(come(), -ENOSPC);
	test.err = 0;
	/* Other files are refused as the link. */
	tap_check(!pipe(pair));
	tap_equal(vmm_guest_connect(test.guest, pair[0]), -EINVAL);
	close(pair[0]);
	close(pair[1]);
	tap_check(come() >= 0);
	vmm_guest_detach(test.guest);
	tap_equal(vmm_guest_receive(test.link, &test.record, &test.len), 0);
	tap_equal(come(), -EAGAIN);
	tap_equal(vmm_guest_attach(test.guest, &device, NULL), 0);
	tap_check(come() >= 0);
	tear_down();
}

struct lie {
	const char *name;
	u32 what;
	s32 number;
	size_t len;
};

static const struct lie lies[] = {
	{ "no such record", 0, 0, 0 },
	{ "one of ours", VMM_GUEST_SENSOR, 0, 5 },
	{ "a number that is too large", ~0U, 0, 0 },
	{ "a light that is none", VMM_GUEST_LIGHT, 3, 1 },
	{ "a light below all", VMM_GUEST_LIGHT, -1, 1 },
	{ "a light without its brightness", VMM_GUEST_LIGHT, 0, 0 },
	{ "fewer heartbeats", VMM_GUEST_HEARTBEATS, -1, 0 },
	{ "too much text", VMM_GUEST_CLIPBOARD, 0, VMM_GUEST_TEXT + 1 },
	{ "half a head", VMM_GUEST_BOOTED, 0, (size_t)-4 },
};

static void who_lies_is_sent_away(void)
{
	static struct {
		u32 what;
		s32 number;
		char text[VMM_GUEST_TEXT + 1];
	} record;
	unsigned int i;

	set_up();
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		tap_context("%s", lies[i].name);
		tap_check(come() >= 0);
		record.what = lies[i].what;
		record.number = lies[i].number;
		tap_check(send(test.link, &record, 8 + lies[i].len, MSG_NOSIGNAL) > 0);
		serve();
		tap_check(!strcmp(vmm_guest_status(test.guest), "gone"));
	}
	tap_equal(test.booted, 0);
	tear_down();
}

/* A full socket buffer may come at once, and then records at the usual rate. */
static void who_says_too_much_is_sent_away(void)
{
	unsigned int sent;

	set_up();
	tap_check(come() >= 0);
	for (sent = 0; sent < 900; sent++) {
		if (vmm_guest_send(test.link, VMM_GUEST_CLIPBOARD, 0, "x", 1))
			serve();
	}
	serve();
	tap_check(!strcmp(vmm_guest_status(test.guest), "served"));
	while (sent < 1000000 && !strcmp(vmm_guest_status(test.guest), "served")) {
		if (vmm_guest_send(test.link, VMM_GUEST_CLIPBOARD, 0, "x", 1))
			serve();
		else
			sent++;
	}
	tap_check(!strcmp(vmm_guest_status(test.guest), "gone"));
	tap_check(test.copied >= 1000 && test.copied < sent + 1);
	/* The next process has the full limit again. */
	test.copied = 0;
	tap_check(come() >= 0);
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_CLIPBOARD, 0, "x", 1), 0);
	serve();
	tap_equal(test.copied, 1);
	tear_down();
}

static void who_does_not_read_is_not_waited_for(void)
{
	unsigned int i;
	int err = 0;

	set_up();
	tap_check(come() >= 0);
	for (i = 0; i < 100000 && !err; i++)
		err = ask("sensors", "set", "light 5");
	tap_equal(err, -EAGAIN);
	tap_check(says("ranchu-services does not read"));
	/* The next process gets the value. */
	leave();
	tap_check(come() >= 0);
	told_sensors();
	tear_down();
}

static void the_clipboard_has_an_end(void)
{
	static char text[VMM_GUEST_TEXT + 2];

	set_up();
	tap_check(come() >= 0);
	told_sensors();
	memset(text, 'a', VMM_GUEST_TEXT);
	tap_equal(ask("clipboard", "set", text), 0);
	tap_check(told(VMM_GUEST_CLIPBOARD, 0, text));
	tap_equal(ask("clipboard", "get", NULL), 0);
	tap_equal(test.text.len, VMM_GUEST_TEXT);
	text[VMM_GUEST_TEXT] = 'a';
	tap_equal(ask("clipboard", "set", text), -EMSGSIZE);
	tap_equal(ask("clipboard", "set", ""), 0);
	tap_check(told(VMM_GUEST_CLIPBOARD, 0, ""));
	tear_down();
}

static void without_the_option_there_is_none(void)
{
	memset(&test, 0, sizeof(test));
	tap_equal(ask("sensors", "get", "light"), -EOPNOTSUPP);
	tap_check(says("the VM was started without --guest-services"));
	tap_equal(ask("battery", "show", NULL), -ENOENT);
	tap_equal(vmm_guest_connect(NULL, 0), -EOPNOTSUPP);
	tap_equal(vmm_guest_attach(NULL, &device, NULL), 0);
	tap_equal(test.files, 0);
	tap_check(!strcmp(vmm_guest_status(NULL), "off"));
	vmm_guest_life(NULL);
	vmm_guest_detach(NULL);
	vmm_guest_close(NULL);
}

static const struct tap_case cases[] = {
	{ "sensors have values", sensors_have_values },
	{ "wrong values change nothing", wrong_values_change_nothing },
	{ "a position becomes sentences", a_position_becomes_sentences },
	{ "ranchu-services is told what changes", it_is_told_what_changes },
	{ "it tells of the guest", it_tells_of_the_guest },
	{ "one at a time serves", one_at_a_time_serves },
	{ "who lies is sent away", who_lies_is_sent_away },
	{ "who says too much is sent away", who_says_too_much_is_sent_away },
	{ "who does not read is not waited for", who_does_not_read_is_not_waited_for },
	{ "the clipboard has an end", the_clipboard_has_an_end },
	{ "without the option there is none", without_the_option_there_is_none },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
