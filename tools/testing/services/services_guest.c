// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acts as a guest's programs that use the emulator's services, over the stock driver of the
 * goldfish pipe. Each argument names a service; received messages are printed, and a line
 * that ends in -READY asks the host for its next step.
 *
 *	services_guest misc|properties|lights|NAME:VALUE|gps|finger|logcat|clipboard|
 *		displays|camera|rotating_camera|refused|hangup ...
 *
 * Source of the protocols: as named in userspace/ranchu-services.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE		"/dev/goldfish_pipe"
#define CASE_SECONDS	600
#define MESSAGE		4096

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	printf("services_guest: ");
	vprintf(fmt, args);
	printf(" (%s)\n", strerror(err));
	va_end(args);
	exit(1);
}

static void write_all(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;
	ssize_t done;

	for (; n; at += done, n -= done) {
		done = write(fd, at, n);
		if (done <= 0)
			fail("cannot write");
	}
}

static void read_all(int fd, void *bytes, size_t n)
{
	char *at = bytes;
	ssize_t done;

	for (; n; at += done, n -= done) {
		done = read(fd, at, n);
		if (done <= 0)
			fail("cannot read");
	}
}

static int pipe_open(const char *name)
{
	char text[256];
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s", NODE);
	snprintf(text, sizeof(text), "pipe:%s", name);
	write_all(fd, text, strlen(text) + 1);
	return fd;
}

/* ---- QemuMiscPipe ---- */

static uint32_t misc(int fd, const char *text, void *answer)
{
	uint32_t len = strlen(text) + 1;

	write_all(fd, &len, sizeof(len));
	write_all(fd, text, len);
	read_all(fd, &len, sizeof(len));
	if (len > MESSAGE)
		fail("an answer of %u bytes", len);
	read_all(fd, answer, len);
	return len;
}

static void do_misc(void)
{
	unsigned char one[MESSAGE], two[MESSAGE];
	int fd = pipe_open("QemuMiscPipe");

	misc(fd, "heartbeat", one);
	printf("misc: heartbeat %s\n", one);
	misc(fd, "heartbeat", one);
	printf("misc: nonsense %s\n", misc(fd, "nonsense", one) == 3 ? (char *)one : "?");
	if (misc(fd, "get_random=32", one) != 32 || misc(fd, "get_random=32", two) != 32)
		fail("random numbers");
	printf("misc: random numbers are %s\n", memcmp(one, two, 32) ? "different" : "the same");
	misc(fd, "bootcomplete", one);
	printf("misc: bootcomplete %s\n", one);
	close(fd);
}

/* ---- qemud ---- */

static void say(int fd, const char *message)
{
	char frame[MESSAGE];
	int len = snprintf(frame, sizeof(frame), "%04x%s", (unsigned int)strlen(message), message);

	write_all(fd, frame, len);
}

/* A message, with a NUL behind; its length. */
static size_t hear(int fd, char message[MESSAGE])
{
	unsigned int len;
	char head[5] = "";

	read_all(fd, head, 4);
	if (sscanf(head, "%4x", &len) != 1 || len >= MESSAGE)
		fail("a frame that begins with %s", head);
	read_all(fd, message, len);
	message[len] = '\0';
	return len;
}

static void do_properties(void)
{
	int fd = pipe_open("qemud:boot-properties");
	char message[MESSAGE];

	say(fd, "list");
	while (hear(fd, message) != 1 || *message)
		printf("property: %s\n", message);
	printf("properties end\n");
	close(fd);
}

static void do_lights(void)
{
	int fd = pipe_open("qemud:hw-control");
	char message[MESSAGE];

	say(fd, "power:light:brightness:lcd_backlight:77");
	say(fd, "power:light:get-brightness:lcd_backlight");
	hear(fd, message);
	printf("light: %s\n", message);
	close(fd);
}

/* Of the two that are on, or a time. */
static bool is_awaited(const char *message)
{
	static const char *const begin[] = {
		"acceleration:", "magnetic:", "guest-sync:", "sync:",
	};
	size_t i;

	for (i = 0; i < sizeof(begin) / sizeof(*begin); i++) {
		if (!strncmp(message, begin[i], strlen(begin[i])))
			return true;
	}
	return false;
}

/* Waits until a sensor has a value. */
static void do_sensors(const char *value)
{
	int fd = pipe_open("qemud:sensors");
	unsigned int reports = 0;
	char message[MESSAGE];

	say(fd, "list-sensors");
	hear(fd, message);
	printf("sensors: mask %s\n", message);
	say(fd, "time:5000000");
	say(fd, "set-delay:100");
	say(fd, "set:acceleration:1");
	say(fd, "set:magnetic-field:1");
	do {
		hear(fd, message);
		if (!is_awaited(message))
			fail("of a sensor that is off: %s", message);
		if (!strncmp(message, "sync:", 5) && ++reports == 3)
			printf("SENSORS-READY\n");
	} while (strcmp(message, value));
	printf("sensors: %s\n", message);
	say(fd, "wake");
	while (strcmp(message, "wake"))
		hear(fd, message);
	printf("sensors: awake\n");
	close(fd);
}

static void do_gps(void)
{
	int fd = pipe_open("qemud:gps");
	char line[256];
	size_t len = 0;
	int lines = 0;

	printf("GPS-READY\n");
	while (lines < 3) {
		read_all(fd, line + len, 1);
		if (line[len] != '\n') {
			if (++len == sizeof(line))
				fail("a line without end");
			continue;
		}
		printf("gps: %.*s\n", (int)len, line);
		len = 0;
		lines++;
	}
	close(fd);
}

static void do_finger(void)
{
	int fd = pipe_open("qemud:fingerprintlisten");
	char message[MESSAGE];

	say(fd, "listen");
	printf("FINGER-READY\n");
	do {
		hear(fd, message);
		printf("finger: %s\n", message);
	} while (strcmp(message, "off"));
	close(fd);
}

/* ---- the camera ---- */

static size_t ask_camera(int fd, const char *query, char **answer)
{
	static char bytes[2 << 20];
	unsigned int len;
	char head[9] = "";

	write_all(fd, query, strlen(query) + 1);
	read_all(fd, head, 8);
	if (sscanf(head, "%8x", &len) != 1 || len < 3 || len >= sizeof(bytes))
		fail("an answer that begins with %s", head);
	read_all(fd, bytes, len);
	bytes[len] = '\0';
	*answer = bytes;
	return len;
}

static void do_camera(void)
{
	int fd = pipe_open("qemud:camera");
	unsigned char *picture;
	char *answer;
	size_t len;

	ask_camera(fd, "list", &answer);
	printf("camera: %s", answer);
	close(fd);
	fd = pipe_open("qemud:camera:name=testpicture");
	ask_camera(fd, "connect", &answer);
	printf("camera: connect %s\n", answer);
	ask_camera(fd, "start dim=640x480 pix=825382478", &answer);
	printf("camera: start %s\n", answer);
	len = ask_camera(fd, "frame video=460800 preview=1228800 whiteb=1,1,1 expcomp=1 time=1",
			 &answer);
	picture = (unsigned char *)answer + 3;
	printf("camera: frame %.2s %zu bytes, pixels %u %u, preview %u,%u,%u\n", answer, len,
	       picture[0], picture[639], picture[460800], picture[460801], picture[460802]);
	ask_camera(fd, "frame video=1 preview=0", &answer);
	printf("camera: wrong size %.2s\n", answer);
	ask_camera(fd, "stop", &answer);
	printf("camera: stop %s\n", answer);
	close(fd);
}

/* As the guest's own camera asks how it is held. */
static void do_rotating_camera(void)
{
	int fd = pipe_open("FakeRotatingCameraSensor");
	float values[9];
	char answer[MESSAGE];

	if (misc(fd, "get", answer) != sizeof(values))
		fail("an answer of another length");
	memcpy(values, answer, sizeof(values));
	printf("rotating camera: %g %g %g, %g %g %g, %g %g %g\n", values[0], values[1], values[2],
	       values[3], values[4], values[5], values[6], values[7], values[8]);
	close(fd);
}

/* ---- log, clipboard, screens ---- */

static void do_logcat(void)
{
	static const char lines[] = "first line of the log\nsecond line\n";
	int fd = pipe_open("logcat");

	write_all(fd, lines, strlen(lines));
	printf("logcat: written\n");
	close(fd);
}

static void do_clipboard(void)
{
	static const char text[] = "from the guest";
	int fd = pipe_open("clipboard");
	char message[MESSAGE] = "";
	uint32_t len = strlen(text);

	write_all(fd, &len, sizeof(len));
	write_all(fd, text, len);
	printf("CLIPBOARD-READY\n");
	read_all(fd, &len, sizeof(len));
	if (len >= sizeof(message))
		fail("a text of %u bytes", len);
	read_all(fd, message, len);
	printf("clipboard: %s\n", message);
	close(fd);
}

static void do_displays(void)
{
	static const unsigned char query[] = { 1, 0, 0, 0, 3 };
	int fd = pipe_open("multidisplay");
	unsigned char message[25];
	uint32_t n[5];
	int i;

	write_all(fd, query, sizeof(query));
	printf("DISPLAYS-READY\n");
	for (i = 0; i < 2; i++) {
		read_all(fd, message, sizeof(message));
		memcpy(n, message + 5, sizeof(n));
		printf("display: length %u, %s %u: %ux%u\n", message[0],
		       message[4] == 1 ? "add" : "delete", le32toh(n[0]), le32toh(n[1]),
		       le32toh(n[2]));
	}
	close(fd);
}

/* ---- missing services ---- */

static void expect_end(int fd, const char *what)
{
	char byte;
	ssize_t n = read(fd, &byte, 1);

	printf("%s: %s\n", what, n > 0 ? "a byte" : n ? "error" : "end");
	close(fd);
}

static void do_refused(void)
{
	int first, second, fd;
	unsigned char huge[4] = { 0xff, 0xff, 0xff, 0xff };

	expect_end(pipe_open("qemud:nothing"), "refused: unknown");
	first = pipe_open("clipboard");
	write_all(first, "\0\0\0\0", 4);
	second = pipe_open("clipboard");
	expect_end(second, "refused: second");
	close(first);
	fd = pipe_open("QemuMiscPipe");
	write_all(fd, huge, sizeof(huge));
	expect_end(fd, "refused: too long");
	fd = pipe_open("qemud:sensors");
	write_all(fd, "nonsense", 8);
	expect_end(fd, "refused: no frame");
}

/* The other end is killed. */
static void do_hangup(void)
{
	int fd = pipe_open("qemud:sensors");
	char message[MESSAGE];

	say(fd, "list-sensors");
	hear(fd, message);
	printf("HANGUP-READY\n");
	expect_end(fd, "hangup");
}

static void run(const char *what)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "misc", do_misc }, { "properties", do_properties }, { "lights", do_lights },
		{ "gps", do_gps }, { "finger", do_finger }, { "camera", do_camera },
		{ "rotating_camera", do_rotating_camera },
		{ "logcat", do_logcat }, { "clipboard", do_clipboard },
		{ "displays", do_displays }, { "refused", do_refused }, { "hangup", do_hangup },
	};
	size_t i;

	alarm(CASE_SECONDS);
	if (strchr(what, ':')) {
		do_sensors(what);
		return;
	}
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (!strcmp(cases[i].name, what)) {
			cases[i].run();
			return;
		}
	}
	errno = ENOENT;
	fail("%s", what);
}

int main(int argc, char **argv)
{
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 1; i < argc; i++)
		run(argv[i]);
	return 0;
}
