// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest services: messages of a guest, in one piece and byte by byte, and those of a hostile
 * guest.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"
#include "tests/tap.h"

#define RGB4	0x34424752u
#define NV21	0x3132564eu
#define YV12	0x32315659u

static struct {
	struct guest guest;
	struct channel channel;
	u8 in[CHANNEL_MESSAGE];	/* the server's buffer */
	size_t in_len;
	u8 heard[4 << 20];
	size_t len;
	u8 log[64];
	size_t logged;
	s64 now;
} test;

static s64 test_now(void)
{
	return test.now;
}

static void test_random(u8 *to, size_t len)
{
	memset(to, 0xa5, len);
}

static void test_log(void *arg, const u8 *bytes, size_t len)
{
	(void)arg;
	if (len <= sizeof(test.log) - test.logged) {
		memcpy(test.log + test.logged, bytes, len);
		test.logged += len;
	}
}

static int begin(const char *name, const char *args)
{
	memset(&test, 0, sizeof(test));
	test.now = 1000000000;
	test.guest.now = test_now;
	test.guest.random = test_random;
	test.guest.log = test_log;
	guest_init(&test.guest);
	return channel_open(&test.channel, &test.guest, name, args);
}

/* Receives all pending output, after output that was not checked yet. */
static void hear(size_t piece)
{
	const u8 *bytes;
	size_t n;

	while ((n = channel_peek(&test.channel, &bytes))) {
		n = n < piece ? n : piece;
		memcpy(test.heard + test.len, bytes, n);
		test.len += n;
		channel_sent(&test.channel, n);
	}
}

/* Passes input as the server does; returns 0, or -EPROTO. */
static int write_guest(const void *bytes, size_t n)
{
	const u8 *from = bytes;
	ssize_t taken = 1;

	while (n || taken) {
		size_t part = sizeof(test.in) - test.in_len;

		part = n < part ? n : part;
		memcpy(test.in + test.in_len, from, part);
		test.in_len += part;
		from += part;
		n -= part;
		taken = channel_take(&test.channel, test.in, test.in_len);
		if (taken < 0)
			return taken;
		test.in_len -= taken;
		memmove(test.in, test.in + taken, test.in_len);
		hear(SIZE_MAX);
		/* A message that fills the buffer must have been taken. */
		if (!tap_check(test.in_len < sizeof(test.in)))
			return -EIO;
	}
	return 0;
}

static int write_slowly(const void *bytes, size_t n)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = write_guest((const u8 *)bytes + i, 1);
	return err;
}

static int say(const char *text)
{
	return write_guest(text, strlen(text));
}

/* Checks that the guest has received exactly these bytes. */
static bool heard(const void *bytes, size_t n)
{
	bool same = test.len == n && !memcmp(test.heard, bytes, n);

	if (!same)
		printf("# %zu bytes: %.*s\n", test.len, (int)test.len, test.heard);
	test.len = 0;
	return same;
}

static bool heard_text(const char *text)
{
	return heard(text, strlen(text));
}

static void tell(enum vmm_guest_what what, s32 number, const char *text)
{
	static struct vmm_guest_record record;

	record.what = what;
	record.number = number;
	snprintf(record.text, sizeof(record.text), "%s", text);
	tap_equal(guest_told(&test.guest, &record, strlen(text)), 0);
	if (test.channel.service && test.channel.service->told)
		test.channel.service->told(&test.channel, &record);
	hear(SIZE_MAX);
}

/* ---- names ---- */

static void names_are_known(void)
{
	static const char *const known[] = {
		"QemuMiscPipe", "logcat", "clipboard", "multidisplay", "FakeRotatingCameraSensor",
	};
	static const char *const of_qemud[] = {
		"boot-properties", "hw-control", "sensors", "gps", "gps:argument",
		"fingerprintlisten", "camera", "camera:name=testpicture",
		"camera:name=testpicture inp_channel=1",
	};
	static const char *const wrong[] = {
		"", ":", "sensor", "sensorsx", "adb:5555", "gsm", "QemuMiscPipe",
		"camera:name=other", "camera:nameless",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		tap_equal(begin(known[i], NULL), 0);
	for (i = 0; i < ARRAY_SIZE(of_qemud); i++)
		tap_equal(begin("qemud", of_qemud[i]), 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_check(begin("qemud", wrong[i]) < 0 && !test.channel.service);
	}
	tap_context("%s", "");
	tap_equal(begin("qemud", NULL), -ENOENT);
	tap_equal(begin("sensors", NULL), -ENOENT);
}

/* ---- QemuMiscPipe ---- */

static int misc_request(const char *text)
{
	u8 bytes[128];
	u32 len = strlen(text) + 1;

	memcpy(bytes, &len, sizeof(len));
	memcpy(bytes + sizeof(len), text, len);
	return write_slowly(bytes, sizeof(len) + len);
}

static void misc_answers(void)
{
	static const u8 random[] = { 5, 0, 0, 0, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5 };
	static const u8 ok[] = { 3, 0, 0, 0, 'O', 'K', 0 };
	static const u8 ko[] = { 3, 0, 0, 0, 'K', 'O', 0 };
	static const char *const wrong[] = {
		"get_random=0", "get_random=", "get_random=-1", "get_random=4097", "get_random=1x",
		"get_random=99999999999999999999", "something", "boot",
	};
	unsigned int i;
	u32 none = 0;

	tap_equal(begin("QemuMiscPipe", NULL), 0);
	tap_equal(misc_request("heartbeat"), 0);
	tap_check(heard(ok, sizeof(ok)));
	tap_equal(misc_request("heartbeat"), 0);
	tap_check(heard(ok, sizeof(ok)));
	tap_equal(test.guest.heartbeats, 2);
	tap_check(!test.guest.booted);
	tap_equal(misc_request("bootcomplete"), 0);
	tap_check(heard(ok, sizeof(ok)) && test.guest.booted);
	/* It is reported once, however often the guest repeats it. */
	test.guest.booted = false;
	tap_equal(misc_request("bootcomplete"), 0);
	tap_check(heard(ok, sizeof(ok)) && !test.guest.booted);
	tap_equal(misc_request("get_random=5"), 0);
	tap_check(heard(random, sizeof(random)));
	tap_equal(misc_request("get_random=4096"), 0);
	tap_equal(test.len, 4100);
	test.len = 0;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_equal(misc_request(wrong[i]), 0);
		tap_check(heard(ko, sizeof(ko)));
	}
	/* A request for 0 bytes has no answer. */
	tap_equal(write_guest(&none, sizeof(none)), 0);
	tap_equal(test.len, 0);
}

static void misc_is_bounded(void)
{
	static u8 bytes[CHANNEL_MESSAGE];
	u32 len = CHANNEL_MESSAGE - 4;

	tap_equal(begin("QemuMiscPipe", NULL), 0);
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, &len, sizeof(len));
	tap_equal(write_guest(bytes, sizeof(bytes)), 0);
	tap_equal(test.len, 7);
	len++;
	tap_equal(write_guest(&len, sizeof(len)), -EPROTO);
	len = ~0U;
	tap_equal(begin("QemuMiscPipe", NULL), 0);
	tap_equal(write_guest(&len, sizeof(len)), -EPROTO);
}

/* ---- frames ---- */

static void frames_are_bounded(void)
{
	static u8 bytes[CHANNEL_MESSAGE];

	tap_equal(begin("qemud", "sensors"), 0);
	/* Lengths in upper and lower case, an empty message, and a length in binary. */
	tap_equal(say("000Clist-sensors0000000clist-sensors"), 0);
	tap_check(heard_text("00061331190006133119"));
	tap_equal(write_slowly("\x80\0\0\4wake", 8), 0);
	tap_check(heard_text("0004wake"));
	tap_equal(write_slowly("0004wake", 8), 0);
	tap_check(heard_text("0004wake"));
	/* The longest message. */
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "3ffc", 4);
	tap_equal(write_guest(bytes, sizeof(bytes)), 0);
	tap_equal(test.len, 0);
	tap_equal(say("3ffd"), -EPROTO);
	tap_equal(begin("qemud", "sensors"), 0);
	tap_equal(say("00g1"), -EPROTO);
	tap_equal(begin("qemud", "sensors"), 0);
	tap_equal(write_guest("\xff\xff\xff\xff", 4), -EPROTO);
}

static void a_guest_that_does_not_read_stops(void)
{
	u8 many[8 * 1024];
	unsigned int i;
	ssize_t taken = 1;

	tap_equal(begin("qemud", "sensors"), 0);
	for (i = 0; i < sizeof(many); i += 8)
		memcpy(many + i, "0004wake", 8);
	for (i = 0; i < 100 && taken; i++)
		taken = channel_take(&test.channel, many, sizeof(many));
	tap_equal(taken, 0);
	tap_check(!channel_room(&test.channel, CHANNEL_ROOM));
	/* Reports without room are dropped as a whole. */
	test.channel.sensors.enabled = vmm_guest_sensor_mask();
	for (i = 0; i < 1000; i++)
		service_sensors.tick(&test.channel);
	tap_check(test.channel.lost);
	hear(1000);
	tap_check(channel_room(&test.channel, CHANNEL_OUT));
	for (i = 0; i < test.len;) {
		unsigned int len = 0;

		tap_check(sscanf((char *)test.heard + i, "%4x", &len) == 1);
		i += 4 + len;
	}
	tap_equal(i, test.len);
}

/* ---- qemud's services ---- */

static void properties_are_listed(void)
{
	tap_equal(begin("qemud", "boot-properties"), 0);
	test.guest.property[0] = "qemu.sf.lcd_density=160";
	test.guest.property[1] = "a=b";
	test.guest.properties = 2;
	tap_equal(write_slowly("0004list", 8), 0);
	tap_check(heard("0017qemu.sf.lcd_density=1600003a=b0001\0", 4 + 23 + 7 + 5));
	tap_equal(say("0003lis"), 0);
	tap_equal(test.len, 0);
}

static void lights_are_set(void)
{
	tap_equal(begin("qemud", "hw-control"), 0);
	tap_equal(say("002apower:light:brightness:lcd_backlight:200xx"), 0);
	tap_equal(test.guest.lights, 0);
	tap_equal(say("0028power:light:brightness:lcd_backlight:200"), 0);
	tap_equal(test.guest.light[0], 200);
	tap_equal(test.guest.lights, 1);
	tap_equal(say("0028power:light:brightness:lcd_backlight:256"), 0);
	tap_equal(say("0024power:light:brightness:lcd_backlight"), 0);
	tap_equal(say("001cpower:light:brightness:sun:1"), 0);
	tap_equal(test.guest.light[0], 200);
	tap_equal(say("0028power:light:get-brightness:lcd_backlight"), 0);
	tap_check(heard("0004200\0", 8));
	tap_equal(say("001epower:light:get-brightness:sun"), 0);
	tap_check(heard("0004000\0", 8));
}

static void switch_all_on(void)
{
	char frame[128];
	unsigned int i;

	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		const char *name = vmm_guest_sensors[i].name;

		if (!name)
			continue;
		snprintf(frame, sizeof(frame), "%04zxset:%s:1", strlen(name) + 6, name);
		tap_equal(say(frame), 0);
	}
}

static void sensors_report(void)
{
	tap_equal(begin("qemud", "sensors"), 0);
	tap_equal(say("000ctime:5000000"), 0);
	tap_equal(test.channel.due, 0);
	test.guest.sensor[0][0] = '\0';
	tell(VMM_GUEST_SENSOR, 0, "1:2:3");
	tap_equal(test.len, 0);
	/* All sensors are listed and off. */
	tap_equal(say("000dset-delay:100"), 0);
	tap_equal(test.len, 0);
	tap_equal(test.channel.due, 0);
	tap_equal(say("000clist-sensors"), 0);
	tap_check(heard_text("0006133119"));
	/* Only sensors that are on are reported. */
	tap_equal(say("0012set:acceleration:1"), 0);
	tap_check(heard_text("0012acceleration:1:2:30012guest-sync:5000000000csync:1000000"));
	tap_equal(test.channel.due, 1100000000);
	switch_all_on();
	test.len = 0;
	tap_equal(say("000dset-delay:100"), 0);
	tap_check(strstr((char *)test.heard, "0012acceleration:1:2:3"));
	tap_check(strstr((char *)test.heard, "000fgyroscope:0:0:0"));
	tap_check(strstr((char *)test.heard, "magnetic:0:22:-43"));
	tap_check(strstr((char *)test.heard, "magnetic-uncalibrated:0:22:-43"));
	tap_check(strstr((char *)test.heard, "0012guest-sync:5000000000csync:1000000"));
	tap_equal(test.channel.due, 1100000000);
	memset(test.heard, 0, test.len);
	test.len = 0;
	/* Not before its time. */
	test.now = 1099999999;
	channel_tick(&test.channel, test.now);
	tap_equal(channel_peek(&test.channel, &(const u8 *){ NULL }), 0);
	test.now = 1100000000;
	channel_tick(&test.channel, test.now);
	hear(7);
	tap_check(strstr((char *)test.heard, "guest-sync:105000000"));
	test.len = 0;
	/* With all sensors off, there are no reports. */
	test.channel.sensors.enabled = 1;
	tap_equal(say("0012set:acceleration:0"), 0);
	tap_check(heard_text("0014guest-sync:105000000000csync:1100000"));
	tap_equal(test.channel.due, 0);
	tap_equal(say("0011set:temperature:1"), 0);
	tap_check(heard_text("000etemperature:200014guest-sync:105000000000csync:1100000"));
	tap_equal(say("000clist-sensors"), 0);
	tap_check(heard_text("0006133119"));
	tap_equal(say("0010set-delay:0wrong"), 0);
}

static void sensors_are_hard_to_confuse(void)
{
	static const char *const odd[] = {
		"set:nothing:1", "set:acceleration", "set:acceleration:", "set:acceleration:2",
		"set:", "time:", "time:9223372036854775807", "time:-9223372036854775808",
		"set-delay:9223372036854775807", "set-delay:", "set-delay:-9223372036854775808",
		"sleeping",
	};
	char frame[128];
	unsigned int i;

	tap_equal(begin("qemud", "sensors"), 0);
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		tap_context("%s", odd[i]);
		snprintf(frame, sizeof(frame), "%04zx%s", strlen(odd[i]), odd[i]);
		tap_equal(say(frame), 0);
	}
	tap_check(test.channel.sensors.delay >= 10000000);
	tap_check(test.channel.sensors.delay <= 3600000000000);
	tap_equal(test.channel.sensors.enabled, 0);
	switch_all_on();
	tap_equal(test.channel.sensors.enabled, 133119);
}

static void a_position_is_told(void)
{
	tap_equal(begin("qemud", "gps"), 0);
	tap_equal(test.len, 0);
	tell(VMM_GUEST_FIX, 0, "$GPGGA,1*00\n$GPRMC,1*00");
	tap_check(heard_text("$GPGGA,1*00\n$GPRMC,1*00\n"));
	tell(VMM_GUEST_NMEA, 0, "$GPGSA");
	tap_check(heard_text("$GPGSA\n"));
	tap_equal(say("anything"), 0);
	tap_equal(test.len, 0);
	/* A pipe that is opened later gets the position. */
	channel_close(&test.channel);
	tap_equal(channel_open(&test.channel, &test.guest, "qemud", "gps"), 0);
	hear(SIZE_MAX);
	tap_check(heard_text("$GPGGA,1*00\n$GPRMC,1*00\n"));
}

static void fingers_are_told(void)
{
	tap_equal(begin("qemud", "fingerprintlisten"), 0);
	tap_equal(say("0006listen"), 0);
	tap_equal(test.len, 0);
	tell(VMM_GUEST_FINGER, 12, "");
	tap_check(heard("0006on:12\0", 10));
	tell(VMM_GUEST_FINGER, -1, "");
	tap_check(heard("0004off\0", 8));
	tell(VMM_GUEST_FINGER, 3, "");
	test.len = 0;
	tap_equal(say("0006listen"), 0);
	tap_check(heard("0005on:3\0", 9));
}

/* ---- the camera ---- */

static int query(const char *text)
{
	return write_slowly(text, strlen(text) + 1);
}

static void cameras_are_listed(void)
{
	static const char line[] =
		"name=testpicture channel=0 pix=876758866 dir=back framedims=";
	static const char dims[] = "640x480,352x288,320x240,176x144\n";
	unsigned int all = 3 + strlen(line) + strlen(dims) + 1;
	char want[256];
	size_t len = snprintf(want, sizeof(want), "%08xok:%s%s", all, line, dims);

	tap_equal(begin("qemud", "camera"), 0);
	tap_equal(query("list"), 0);
	tap_check(heard(want, len + 1));
	tap_equal(query("connect"), 0);
	tap_check(heard("00000011ko:Unknown query\0", 8 + 17));
}

static void check_frame(u32 format, const char *text, size_t video, size_t preview, bool time)
{
	size_t all = 3 + video + preview + (time ? 8 : 0);
	char head[16];

	snprintf(head, sizeof(head), "%08xok:", (unsigned int)all);
	tap_context("%x %s", format, text);
	test.len = 0;
	tap_equal(query(text), 0);
	tap_equal(test.len, 8 + all);
	tap_check(!memcmp(test.heard, head, 11));
	tap_check(!time || !memcmp(test.heard + 8 + all - 8, &test.now, 8));
	test.len = 0;
}

static void pictures_are_sent(void)
{
	const u8 *picture = test.heard + 11;

	tap_equal(begin("qemud", "camera:name=testpicture"), 0);
	tap_equal(query("connect"), 0);
	tap_check(heard("00000003ok\0", 11));
	tap_equal(query("frame video=0 preview=0"), 0);
	tap_check(heard("00000019ko:Camera is not started\0", 8 + 25));
	tap_equal(query("start dim=176x144 pix=825382478"), 0);
	tap_check(heard("00000003ok\0", 11));
	tap_equal(query("start dim=176x144 pix=825382478"), 0);
	tap_check(heard("0000001dko:Camera is already started\0", 8 + 29));
	check_frame(NV21, "frame video=38016 preview=101376 whiteb=1,1,1 time=1", 38016, 101376,
		    true);
	/* Bars move: yellow is at the left of the second frame, cyan of the third. */
	check_frame(NV21, "frame video=0 preview=101376", 0, 101376, false);
	tap_check(!memcmp(picture, "\xff\xff\0\xff", 4));
	check_frame(NV21, "frame video=38016 preview=0", 38016, 0, false);
	tap_check(picture[0] == 170 && picture[175] == 210);
	tap_check(picture[176 * 144] == 16 && picture[176 * 144 + 1] == 166);
	tap_equal(query("frame video=38015 preview=0"), 0);
	tap_check(test.heard[8] == 'k');
	test.len = 0;
	tap_equal(query("disconnect"), 0);
	tap_check(test.heard[8] == 'k');
	test.len = 0;
	tap_equal(query("stop"), 0);
	tap_check(heard("00000003ok\0", 11));
	tap_equal(query("start dim=640x480 pix=842094169"), 0);
	tap_check(heard("00000003ok\0", 11));
	check_frame(YV12, "frame video=460800 preview=1228800 time=1", 460800, 1228800, true);
	tap_equal(query("stop"), 0);
	tap_equal(query("start dim=320x240 pix=876758866"), 0);
	check_frame(RGB4, "frame video=307200 preview=307200", 307200, 307200, false);
	tap_equal(write_guest("frame video=307200 preview=0", 29), 0);
	tap_equal(write_guest("frame video=0 preview=307200", 29), 0);
	tap_equal(test.len, 2 * (11 + 307200));
	test.len = 0;
	tap_equal(query("stop"), 0);
	tap_equal(query("disconnect"), 0);
}

static void cameras_are_hard_to_confuse(void)
{
	static const char *const wrong[] = {
		"", " ", "start", "start dim=176x144", "start dim=0x0 pix=825382478",
		"start dim=999999x999999 pix=825382478", "start dim=176x144 pix=1",
		"start dim=176x144 pix=99999999999999999999", "start dim=-1x1 pix=825382478",
		"start dim=175x144 pix=825382478", "frames", "stop",
	};
	static u8 bytes[8092];
	unsigned int i;

	tap_equal(begin("qemud", "camera:name=testpicture"), 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_equal(query(wrong[i]), 0);
		tap_check(test.heard[8] == 'k' && test.heard[9] == 'o');
		test.len = 0;
	}
	memset(bytes, 'x', sizeof(bytes));
	tap_equal(write_guest(bytes, 8091), 0);
	tap_equal(write_guest(bytes, 1), -EPROTO);
}

/* ---- log, clipboard, screens ---- */

static void the_log_is_kept(void)
{
	tap_equal(begin("logcat", NULL), 0);
	tap_equal(say("one\n"), 0);
	tap_equal(write_slowly("two\n", 4), 0);
	tap_check(test.logged == 8 && !memcmp(test.log, "one\ntwo\n", 8));
	tap_equal(test.len, 0);
}

static void the_logs_file_has_an_end(void)
{
	char path[] = "/tmp/ranchu-services-XXXXXX";
	struct logfile file = { .most = 10000 };
	char line[101];
	struct stat st;
	unsigned int i;
	char last[101] = "";

	close(mkstemp(path));
	tap_equal(logfile_open(&file, path), 0);
	for (i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "%099u\n", i);
		logfile_add(&file, (u8 *)line, 100);
		tap_check(!fstat(file.fd, &st) && st.st_size <= 10000);
	}
	tap_check(st.st_size >= 5000 && (u64)st.st_size == file.len);
	tap_check(pread(file.fd, last, 100, st.st_size - 100) == 100 && !strcmp(last, line));
	tap_check(pread(file.fd, last, 100, 0) == 100 && last[99] == '\n');
	close(file.fd);
	file.fd = -1;
	logfile_add(&file, (u8 *)line, 100);
	unlink(path);
	tap_check(logfile_open(&file, "/nonexistent/file") < 0);
}

static void the_clipboard_goes_both_ways(void)
{
	static u8 bytes[4 + VMM_GUEST_TEXT];
	struct channel second;
	u32 len = 5;

	tap_equal(begin("clipboard", NULL), 0);
	tap_equal(channel_open(&second, &test.guest, "clipboard", NULL), -EBUSY);
	memcpy(bytes, &len, 4);
	memcpy(bytes + 4, "hello", 5);
	tap_equal(write_slowly(bytes, 9), 0);
	tap_check(test.guest.copied && test.guest.copy_len == 5 &&
		  !memcmp(test.guest.copy, "hello", 5));
	tell(VMM_GUEST_CLIPBOARD, 0, "there");
	tap_check(heard("\5\0\0\0there", 9));
	/* Of several waiting texts only the newest is sent. */
	channel_put(&test.channel, "x", 1);
	test.guest.clip = 1;
	test.guest.clipboard[0] = 'a';
	test.guest.clip_number++;
	service_clipboard.told(&test.channel, &(struct vmm_guest_record){
			       .what = VMM_GUEST_CLIPBOARD });
	test.guest.clipboard[0] = 'b';
	test.guest.clip_number++;
	hear(SIZE_MAX);
	tap_check(heard("x\1\0\0\0b", 6));
	/* The longest text, and a longer one, which is dropped. */
	len = VMM_GUEST_TEXT;
	memcpy(bytes, &len, 4);
	memset(bytes + 4, 'y', VMM_GUEST_TEXT);
	tap_equal(write_guest(bytes, sizeof(bytes)), 0);
	tap_equal(test.guest.copy_len, VMM_GUEST_TEXT);
	test.guest.copied = false;
	len = VMM_GUEST_TEXT + 1;
	tap_equal(write_guest(&len, 4), 0);
	tap_equal(write_guest(bytes, sizeof(bytes) - 4), 0);
	tap_equal(write_guest("z", 1), 0);
	tap_check(!test.guest.copied);
	tap_equal(write_guest("\1\0\0\0q", 5), 0);
	tap_check(test.guest.copied && test.guest.copy_len == 1);
	/* A new pipe gets the current content. */
	channel_close(&test.channel);
	tap_equal(channel_open(&test.channel, &test.guest, "clipboard", NULL), 0);
	hear(SIZE_MAX);
	tap_check(heard("\1\0\0\0b", 5));
}

static void screens_come_and_go(void)
{
	static const u8 add[] = {
		21, 0, 0, 0, 1, 2, 0, 0, 0, 0x80, 2, 0, 0, 0xe0, 1, 0, 0, 160, 0, 0, 0, 3, 0, 0, 0,
	};
	static const u8 del[25] = { 21, 0, 0, 0, 2, 2 };
	static struct vmm_guest_record record;

	tap_equal(begin("multidisplay", NULL), 0);
	tap_equal(write_guest("\1\0\0\0\3", 5), 0);
	tap_equal(test.len, 0);
	tell(VMM_GUEST_DISPLAY, 2, "640 480 160 3");
	tap_check(heard(add, sizeof(add)));
	tap_equal(write_slowly("\1\0\0\0\3", 5), 0);
	tap_check(heard(add, sizeof(add)));
	/* Pictures for it are discarded. */
	tap_equal(write_slowly("\11\0\0\0\4\2\0\0\0\7\0\0\0", 13), 0);
	tap_equal(write_guest("\0\0\0\0", 4), 0);
	tap_equal(test.len, 0);
	tell(VMM_GUEST_DISPLAY, 2, "");
	tap_check(heard(del, sizeof(del)));
	tap_equal(write_guest("\375\77\0\0", 4), -EPROTO);
	record.what = VMM_GUEST_DISPLAY;
	record.number = 11;
	tap_equal(guest_told(&test.guest, &record, 0), -EPROTO);
	record.number = 0;
	tap_equal(guest_told(&test.guest, &record, 0), -EPROTO);
	record.number = 1;
	memcpy(record.text, "1 2 3", 6);
	tap_equal(guest_told(&test.guest, &record, 5), -EPROTO);
	record.what = VMM_GUEST_SENSOR;
	record.number = VMM_GUEST_SENSORS;
	tap_equal(guest_told(&test.guest, &record, 5), -EPROTO);
	record.what = VMM_GUEST_BOOTED;
	tap_equal(guest_told(&test.guest, &record, 5), -EPROTO);
}

/* ---- the rotating fake camera ---- */

/* Checks for nine values after a length. */
static bool heard_values(const float *values)
{
	u8 want[4 + 36] = { 36 };

	memcpy(want + 4, values, 36);
	return heard(want, sizeof(want));
}

static void the_rotating_camera_is_told_how_it_is_held(void)
{
	static const float first[9] = { 0, 0, 9.81f, 0, 22, -43, 0, 0, 0 };
	static const float turned[9] = { -9.81f, 0, 0, 0.5f, -1, 2, 90, -180, 1e9f };
	static const u8 longest[4 + 8] = { 8, 0, 0, 0, 'g', 'e', 't' };
	u32 huge = CHANNEL_MESSAGE;
	u32 none = 0;

	tap_equal(begin("FakeRotatingCameraSensor", NULL), 0);
	tap_equal(misc_request("get"), 0);
	tap_check(heard_values(first));
	tell(VMM_GUEST_SENSOR, 0, "-9.81:0:0");
	tell(VMM_GUEST_SENSOR, 2, "0.5:-1:2");
	tell(VMM_GUEST_SENSOR, 3, "90:-180:1e+09");
	/* The service only answers; any byte is a request. */
	tap_equal(test.len, 0);
	tap_equal(misc_request("get"), 0);
	tap_check(heard_values(turned));
	tap_equal(write_guest(longest, sizeof(longest)), 0);
	tap_check(heard_values(turned));
	tap_equal(write_guest(&none, sizeof(none)), 0);
	tap_equal(test.len, 0);
	/* An invalid value counts as 0. */
	tell(VMM_GUEST_SENSOR, 0, "nonsense");
	tap_equal(misc_request("get"), 0);
	tap_equal(test.len, 40);
	test.len = 0;
	tap_equal(write_guest(&huge, sizeof(huge)), -EPROTO);
}

static const struct tap_case cases[] = {
	{ "names are known", names_are_known },
	{ "the rotating camera is told how it is held",
	  the_rotating_camera_is_told_how_it_is_held },
	{ "QemuMiscPipe answers", misc_answers },
	{ "QemuMiscPipe is bounded", misc_is_bounded },
	{ "frames are bounded", frames_are_bounded },
	{ "a guest that does not read stops", a_guest_that_does_not_read_stops },
	{ "properties are listed", properties_are_listed },
	{ "lights are set", lights_are_set },
	{ "sensors report", sensors_report },
	{ "sensors are hard to confuse", sensors_are_hard_to_confuse },
	{ "a position is told", a_position_is_told },
	{ "fingers are told", fingers_are_told },
	{ "cameras are listed", cameras_are_listed },
	{ "pictures are sent", pictures_are_sent },
	{ "cameras are hard to confuse", cameras_are_hard_to_confuse },
	{ "the log is kept", the_log_is_kept },
	{ "the log's file has an end", the_logs_file_has_an_end },
	{ "the clipboard goes both ways", the_clipboard_goes_both_ways },
	{ "screens come and go", screens_come_and_go },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
