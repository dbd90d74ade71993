// SPDX-License-Identifier: GPL-2.0-only
/*
 * camera: a camera that shows eight bars of colour, which move by one bar per frame. A request
 * is text that ends with NUL. An answer has its length in eight digits, then
 * "ok" or "ko", and data after a colon. A frame is generated while the guest reads it, so it
 * needs no memory of its own.
 *
 * Source: platform_external_qemu android/android-emu/android/camera/camera-service.c
 * (01d272f9).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define NAME		"testpicture"
#define QUERY_MAX	8092	/* bytes, the NUL included */
#define PIECE		(32 * KIB)
#define BARS		8
#define TIME_SIZE	8

#define FOURCC(a, b, c, d)	((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define NV21		FOURCC('N', 'V', '2', '1')
#define NV12		FOURCC('N', 'V', '1', '2')
#define YV12		FOURCC('Y', 'V', '1', '2')
#define YU12		FOURCC('Y', 'U', '1', '2')
#define RGB32		FOURCC('R', 'G', 'B', '4')

static const struct {
	u32 width;
	u32 height;
} sizes[] = { { 640, 480 }, { 352, 288 }, { 320, 240 }, { 176, 144 } };

/* White, yellow, cyan, green, magenta, red, blue, black: BT.601, video levels. */
static const struct {
	u8 rgb[3];
	u8 yuv[3];
} bars[BARS] = {
	{ { 255, 255, 255 }, { 235, 128, 128 } }, { { 255, 255, 0 }, { 210, 16, 146 } },
	{ { 0, 255, 255 }, { 170, 166, 16 } }, { { 0, 255, 0 }, { 145, 54, 34 } },
	{ { 255, 0, 255 }, { 106, 202, 222 } }, { { 255, 0, 0 }, { 81, 90, 240 } },
	{ { 0, 0, 255 }, { 41, 240, 110 } }, { { 0, 0, 0 }, { 16, 128, 128 } },
};

/* ---- pictures ---- */

static unsigned int bar_at(const struct channel *ch, u32 x)
{
	return (x * BARS / ch->camera.width + ch->camera.frames) % BARS;
}

static u8 rgb_byte(const struct channel *ch, u32 at)
{
	u32 part = at % 4;

	return part == 3 ? 255 : bars[bar_at(ch, at / 4 % ch->camera.width)].rgb[part];
}

/* Two by two pixels share one U and one V value. */
static u8 yuv_byte(const struct channel *ch, u32 at)
{
	u32 pixels = ch->camera.width * ch->camera.height;
	u32 half = ch->camera.width / 2;
	u32 format = ch->camera.format;
	u32 part;

	if (at < pixels)
		return bars[bar_at(ch, at % ch->camera.width)].yuv[0];
	at -= pixels;
	if (format == NV21 || format == NV12) {
		part = (format == NV21) != (at & 1) ? 2 : 1;
		return bars[bar_at(ch, at / 2 % half * 2)].yuv[part];
	}
	part = (format == YV12) != (at >= pixels / 4) ? 2 : 1;
	return bars[bar_at(ch, at % half * 2)].yuv[part];
}

static size_t video_size(const struct channel *ch)
{
	size_t pixels = (size_t)ch->camera.width * ch->camera.height;

	return ch->camera.format == RGB32 ? pixels * 4 : pixels * 3 / 2;
}

/* Continues with a frame: video, preview, time. */
static void camera_idle(struct channel *ch)
{
	static u8 piece[PIECE];

	while (ch->camera.left && channel_room(ch, PIECE)) {
		size_t n = ch->camera.left < PIECE ? ch->camera.left : PIECE;
		size_t i;

		for (i = 0; i < n; i++) {
			size_t at = ch->camera.at + i;

			if (at < ch->camera.video)
				piece[i] = ch->camera.format == RGB32 ? rgb_byte(ch, at) :
									yuv_byte(ch, at);
			else if (at < ch->camera.pictures)
				piece[i] = rgb_byte(ch, at - ch->camera.video);
			else
				piece[i] = ch->camera.time[at - ch->camera.pictures];
		}
		channel_put(ch, piece, n);
		ch->camera.at += n;
		ch->camera.left -= n;
	}
	if (!ch->camera.left && ch->camera.at) {
		ch->camera.frames++;
		ch->camera.at = 0;
	}
}

/* ---- answers ---- */

static void answer_head(struct channel *ch, const char *result, size_t len)
{
	char head[16];

	snprintf(head, sizeof(head), "%08x%s", (unsigned int)(strlen(result) + len), result);
	channel_put(ch, head, strlen(head));
}

/* Sends the text with its NUL; without a text, the result and its NUL. */
static void answer(struct channel *ch, bool ok, const char *text)
{
	char result[] = "ok:";

	result[0] = ok ? 'o' : 'k';
	result[1] = ok ? 'k' : 'o';
	result[2] = *text ? ':' : '\0';
	answer_head(ch, result, strlen(text) + 1);
	channel_put(ch, text, strlen(text) + 1);
}

static void list(struct channel *ch)
{
	char text[256];
	size_t len = snprintf(text, sizeof(text),
			      "name=%s channel=0 pix=%u dir=back framedims=", NAME, RGB32);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%ux%u", i ? "," : "",
				sizes[i].width, sizes[i].height);
	snprintf(text + len, sizeof(text) - len, "\n");
	answer(ch, true, text);
}

/* Returns the value of a word "KEY=VALUE" in a list, or NULL. */
static const char *value_of(const char *words, const char *key)
{
	size_t len = strlen(key);

	while (*words) {
		if (!strncmp(words, key, len) && words[len] == '=')
			return words + len + 1;
		words += strcspn(words, " ");
		words += strspn(words, " ");
	}
	return NULL;
}

static bool number_of(const char *words, const char *key, u32 *to)
{
	const char *value = value_of(words, key);
	char *end;
	unsigned long n;

	if (!value || *value < '0' || *value > '9')
		return false;
	n = strtoul(value, &end, 10);
	*to = n;
	return n <= 0xffffffff && (!*end || *end == ' ');
}

static void start(struct channel *ch, const char *words)
{
	const char *size = value_of(words, "dim");
	u32 width = 0, height = 0, format = 0;
	size_t i = 0;

	if (ch->camera.width) {
		answer(ch, false, "Camera is already started");
		return;
	}
	if (!size || sscanf(size, "%5ux%5u", &width, &height) != 2 ||
	    !number_of(words, "pix", &format)) {
		answer(ch, false, "Invalid parameters");
		return;
	}
	while (i < ARRAY_SIZE(sizes) && (sizes[i].width != width || sizes[i].height != height))
		i++;
	if (i == ARRAY_SIZE(sizes) || (format != NV21 && format != NV12 && format != YV12 &&
				       format != YU12 && format != RGB32)) {
		answer(ch, false, "There is no such picture");
		return;
	}
	ch->camera.width = width;
	ch->camera.height = height;
	ch->camera.format = format;
	answer(ch, true, "");
}

static void frame(struct channel *ch, const char *words)
{
	u32 video = 0, preview = 0, time = 0;
	s64 now = ch->guest->now();

	if (!ch->camera.width) {
		answer(ch, false, "Camera is not started");
		return;
	}
	if (!number_of(words, "video", &video) || !number_of(words, "preview", &preview) ||
	    (video && video != video_size(ch)) ||
	    (preview && preview != ch->camera.width * ch->camera.height * 4)) {
		answer(ch, false, "Sizes are not those of the picture");
		return;
	}
	number_of(words, "time", &time);
	memcpy(ch->camera.time, &now, TIME_SIZE);
	ch->camera.at = 0;
	ch->camera.video = video;
	ch->camera.pictures = (size_t)video + preview;
	ch->camera.left = ch->camera.pictures + (time ? TIME_SIZE : 0);
	answer_head(ch, "ok:", ch->camera.left);
	camera_idle(ch);
}

/* ---- requests ---- */

static void camera_query(struct channel *ch, const char *query)
{
	size_t len = strcspn(query, " ");
	const char *words = query + len + strspn(query + len, " ");

#define IS(word)	(len == strlen(word) && !memcmp(query, word, len))
	if (ch->camera.factory) {
		if (IS("list"))
			list(ch);
		else
			answer(ch, false, "Unknown query");
	} else if (IS("connect")) {
		answer(ch, true, "");
	} else if (IS("disconnect")) {
		answer(ch, !ch->camera.width, ch->camera.width ? "Camera is started" : "");
	} else if (IS("start")) {
		start(ch, words);
	} else if (IS("stop")) {
		answer(ch, ch->camera.width, ch->camera.width ? "" : "Camera is not started");
		ch->camera.width = 0;
	} else if (IS("frame")) {
		frame(ch, words);
	} else {
		answer(ch, false, "Unknown query");
	}
#undef IS
}

static ssize_t camera_take(struct channel *ch, const u8 *bytes, size_t n)
{
	const u8 *end = memchr(bytes, '\0', n < QUERY_MAX ? n : QUERY_MAX);

	/* One request at a time: the next is processed after the frame is sent. */
	if (ch->camera.left)
		return 0;
	if (!end)
		return n < QUERY_MAX ? 0 : -EPROTO;
	camera_query(ch, (const char *)bytes);
	return end - bytes + 1;
}

static int camera_open(struct channel *ch, const char *args)
{
	const char *name = args ? value_of(args, "name") : NULL;
	size_t len = strlen(NAME);

	ch->camera.factory = !args || !*args;
	if (ch->camera.factory)
		return 0;
	return name && !strncmp(name, NAME, len) && (!name[len] || name[len] == ' ') ? 0 : -ENODEV;
}

/** The camera. */
const struct service service_camera = {
	.name = "camera",
	.open = camera_open,
	.take = camera_take,
	.idle = camera_idle,
};
