// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the guest services, from a guest that says anything, in pieces of any size,
 * and reads or does not; and from what vmmctl tells. The first byte chooses the service.
 * Bytes are kept as the server keeps them, so a message that is never taken is found; so is
 * a frame to the guest that is cut.
 */
#include <errno.h>
#include <string.h>

#include "channel.h"
#include "fuzz.h"

static struct {
	struct guest guest;
	struct channel channel;
	u8 in[CHANNEL_MESSAGE];
	size_t len;
	s64 now;
	/* Of what the guest reads. */
	unsigned int head;
	unsigned int left;
} fuzz;

static s64 fuzz_now(void)
{
	return fuzz.now;
}

static void fuzz_random(u8 *to, size_t len)
{
	MUST(len && len <= 4096);
	memset(to, 0, len);
}

/* Copies it, and so reads all of it. */
static void fuzz_log(void *arg, const u8 *bytes, size_t len)
{
	u8 *line = malloc(len);

	MUST(len && line);
	memcpy(line, bytes, len);
	MUST(line[len - 1] == bytes[len - 1]);
	free(line);
}

/* What a guest of qemud's reads is frames. */
static void frames_check(const u8 *bytes, size_t n)
{
	for (; n; bytes++, n--) {
		if (fuzz.left) {
			fuzz.left--;
			continue;
		}
		MUST((*bytes >= '0' && *bytes <= '9') || (*bytes >= 'a' && *bytes <= 'f'));
		fuzz.head = fuzz.head << 4 | (*bytes <= '9' ? *bytes - '0' : *bytes - 'a' + 10);
		/* A one above the four digits says when they are all there. */
		if (fuzz.head >> 16) {
			fuzz.left = fuzz.head & 0xffff;
			fuzz.head = 1;
		}
	}
}

static void hear(size_t most)
{
	const u8 *bytes;
	size_t n;

	while (most && (n = channel_peek(&fuzz.channel, &bytes))) {
		n = n < most ? n : most;
		if (fuzz.channel.service->framed)
			frames_check(bytes, n);
		channel_sent(&fuzz.channel, n);
		most -= n;
	}
}

static int say(const u8 *bytes, size_t n)
{
	ssize_t taken = 1;

	while (n || taken) {
		size_t part = sizeof(fuzz.in) - fuzz.len;

		part = n < part ? n : part;
		memcpy(fuzz.in + fuzz.len, bytes, part);
		fuzz.len += part;
		bytes += part;
		n -= part;
		taken = channel_take(&fuzz.channel, fuzz.in, fuzz.len);
		if (taken < 0)
			return taken;
		MUST((size_t)taken <= fuzz.len);
		fuzz.len -= taken;
		memmove(fuzz.in, fuzz.in + taken, fuzz.len);
		if (taken)
			continue;
		/* Full and not taken: only because nothing more may be said. */
		if (fuzz.len == sizeof(fuzz.in)) {
			MUST(!channel_room(&fuzz.channel, CHANNEL_ROOM) ||
			     fuzz.channel.camera.left);
			hear(SIZE_MAX);
			taken = 1;
		}
	}
	return 0;
}

static int say_some(struct input *in)
{
	static const char *const words[] = {
		"0004list", "000clist-sensors", "000dset-delay:100", "0012set:acceleration:1",
		"0012set:acceleration:0", "0004wake", "0006listen",
		"0028power:light:brightness:lcd_backlight:200",
		"0028power:light:get-brightness:lcd_backlight",
		"\x0a\0\0\0heartbeat", "\x0d\0\0\0bootcomplete", "\x10\0\0\0get_random=4095",
		"\1\0\0\0\3", "\5\0\0\0hello", "list", "connect", "stop", "disconnect",
		"start dim=176x144 pix=825382478", "start dim=320x240 pix=876758866",
		"frame video=38016 preview=101376 time=1", "frame video=307200 preview=0",
		"\4\0\0\0get",
	};
	static const u8 lengths[] = {
		8, 16, 17, 22, 22, 8, 10, 44, 44, 14, 17, 20, 5, 9, 5, 8, 5, 11, 32, 32, 40, 29, 8,
	};
	unsigned int what = take(in, 1);
	u8 bytes[64];
	unsigned int n, i;

	if (what < 0xc0)
		return say((const u8 *)words[what % ARRAY_SIZE(words)],
			   lengths[what % ARRAY_SIZE(words)]);
	n = what & 0x3f;
	for (i = 0; i < n; i++)
		bytes[i] = take(in, 1);
	return say(bytes, n);
}

static int say_many(struct input *in)
{
	static u8 bytes[3 * CHANNEL_MESSAGE];
	size_t n = take(in, 2) % sizeof(bytes);

	memset(bytes, take(in, 1), n);
	return say(bytes, n);
}

static void told(struct input *in)
{
	static const char *const texts[] = { "", "1:2:3", "1 2 3 4", "$GPGGA", "text" };
	static struct vmm_guest_record record;
	const char *text = texts[take(in, 1) % ARRAY_SIZE(texts)];
	size_t len = strlen(text);

	record.what = take(in, 1) & 15;
	record.number = (s32)take(in, 1) - 2;
	memcpy(record.text, text, len + 1);
	if (take(in, 1) > 0xf0) {
		len = take(in, 2) % VMM_GUEST_TEXT;
		memset(record.text, 'a', len);
		record.text[len] = '\0';
	}
	if (!guest_told(&fuzz.guest, &record, len) && fuzz.channel.service->told)
		fuzz.channel.service->told(&fuzz.channel, &record);
}

static int act(struct input *in)
{
	unsigned int what = take(in, 1) & 15;

	if (what < 9)
		return say_some(in);
	if (what == 9)
		return say_many(in);
	if (what < 12) {
		told(in);
	} else if (what == 12) {
		fuzz.now += take(in, 4) * 1000;
		channel_tick(&fuzz.channel, fuzz.now);
	} else {
		hear(what == 13 ? take(in, 1) : SIZE_MAX);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[][2] = {
		{ "QemuMiscPipe", NULL }, { "logcat", NULL }, { "clipboard", NULL },
		{ "multidisplay", NULL }, { "qemud", "boot-properties" }, { "qemud", "hw-control" },
		{ "qemud", "sensors" }, { "qemud", "gps" }, { "qemud", "fingerprintlisten" },
		{ "qemud", "camera" }, { "qemud", "camera:name=testpicture" },
		{ "FakeRotatingCameraSensor", NULL },
	};
	struct input in = { data, size };
	unsigned int which = take(&in, 1) % ARRAY_SIZE(names);

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.now = 1;
	fuzz.head = 1;
	fuzz.guest.now = fuzz_now;
	fuzz.guest.random = fuzz_random;
	fuzz.guest.log = fuzz_log;
	fuzz.guest.property[0] = "a=b";
	fuzz.guest.properties = 1;
	guest_init(&fuzz.guest);
	MUST(!channel_open(&fuzz.channel, &fuzz.guest, names[which][0], names[which][1]));
	while (in.left && !act(&in))
		MUST(fuzz.channel.first + fuzz.channel.len <= CHANNEL_OUT);
	MUST(fuzz.guest.copy_len <= VMM_GUEST_TEXT);
	MUST(!(fuzz.channel.sensors.enabled & ~vmm_guest_sensor_mask()));
	hear(SIZE_MAX);
	MUST(!fuzz.left && fuzz.head == 1);
	channel_close(&fuzz.channel);
	MUST(!fuzz.guest.clipboards);
	return 0;
}
