// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of a guest's OpenGL ES library, in one piece and byte by byte, and packets of a hostile
 * guest.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gles.h"
#include "tests/tap.h"

#define RGBA	0x1908
#define RGB	0x1907
#define BGRA	0x80e1
#define UBYTE	0x1401
#define USHORT	0x8363
#define BASE	10000

/* Commands that the tests send, as offsets from BASE. */
enum {
	GET_VERSION = 0, GET_EGL_VERSION = 1, QUERY_EGL = 2, GET_GL_STRING = 3, NUM_CONFIGS = 4,
	CONFIGS = 5, CHOOSE = 6, FB_PARAM = 7, CREATE_CONTEXT = 8, CREATE = 12, OPEN = 13,
	CLOSE = 14, MAKE_CURRENT = 17, POST = 18, READ = 23, UPDATE = 24, OPEN2 = 25,
	CHECKSUM = 28, CREATE_SYNC = 29, WAIT_SYNC = 30, SET_PUID = 33, IS_SIGNALLED = 47,
	METADATA = 68, EXTENSIONS = 69,
};

static struct gles gles;
static u32 posts;
static const struct gles_buffer *shown;
static unsigned int commands;
static int command_err;

/* Answers that the guest of a stream has received and the test has not checked. */
static struct {
	u8 bytes[1 << 20];
	size_t len;
} heard;

static void on_post(void *arg, const struct gles_buffer *buffer)
{
	(void)arg;
	posts++;
	shown = buffer;
}

static int on_command(void *arg, u32 opcode, const u8 *args, size_t len)
{
	(void)arg;
	(void)opcode;
	(void)args;
	commands += len == 8;
	return command_err;
}

static const struct gles_ops pictures_only = { .post = on_post };
static const struct gles_ops with_commands = { .post = on_post, .command = on_command };

static void begin(void)
{
	memset(&gles, 0, sizeof(gles));
	gles.ops = &pictures_only;
	gles.width = 320;
	gles.height = 240;
	gles.buffers.most = GLES_MEMORY;
	posts = 0;
	shown = NULL;
	heard.len = 0;
	commands = 0;
	command_err = 0;
}

static void hear(struct gles_stream *stream)
{
	const u8 *bytes;
	size_t n;

	while ((n = gles_stream_peek(stream, &bytes))) {
		if (!tap_check(n <= sizeof(heard.bytes) - heard.len))
			return;
		memcpy(heard.bytes + heard.len, bytes, n);
		heard.len += n;
		gles_stream_sent(stream, n);
	}
}

/* Passes bytes to the stream as the server does, at most @piece bytes at a time. */
static int say_pieces(struct gles_stream *stream, const void *bytes, size_t n, size_t piece)
{
	const u8 *from = bytes;
	size_t there = 0;
	ssize_t taken;

	while (n || there) {
		size_t more = n < piece ? n : piece;

		there += more;
		n -= more;
		taken = gles_stream_take(stream, from, there);
		if (taken < 0)
			return taken;
		/* Nothing is left, or an incomplete packet. */
		if (!taken && !n)
			return there ? 1 : 0;
		from += taken;
		there -= taken;
		hear(stream);
	}
	return 0;
}

static int say(struct gles_stream *stream, const void *bytes, size_t n)
{
	return say_pieces(stream, bytes, n, SIZE_MAX);
}

/* Sends a packet that consists of words. */
static int command_of(struct gles_stream *stream, u32 opcode, const u32 *args, unsigned int count)
{
	u32 words[32] = { opcode, 8 + 4 * count };

	memcpy(words + 2, args, 4 * count);
	return say(stream, words, 8 + 4 * count);
}

#define COMMAND(stream, what, ...)						\
	command_of(stream, BASE + (what), (const u32[]){ __VA_ARGS__ },		\
		   sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32))

static int plain(struct gles_stream *stream, u32 what)
{
	const u32 words[] = { BASE + what, 8 };

	return say(stream, words, sizeof(words));
}

/* Returns the answer, which must be one word. */
static u32 word(void)
{
	__le32 answer = 0;

	tap_equal(heard.len, sizeof(answer));
	memcpy(&answer, heard.bytes, sizeof(answer));
	heard.len = 0;
	return le32toh(answer);
}

static struct gles_stream *stream_of(const char *name)
{
	struct gles_stream *stream = malloc(sizeof(*stream));
	static const u32 flags;

	tap_equal(gles_stream_open(stream, &gles, name), 0);
	if (!strcmp(name, "opengles"))
		tap_equal(say(stream, &flags, sizeof(flags)), 0);
	return stream;
}

static void end(struct gles_stream *stream)
{
	gles_stream_close(stream);
	free(stream);
}

static void finish(void)
{
	gles_close(&gles);
	tap_equal(gles.buffers.memory, 0);
	tap_equal(gles.streams, 0);
}

static u32 create(struct gles_stream *stream, u32 width, u32 height)
{
	tap_equal(COMMAND(stream, CREATE, width, height, RGBA), 0);
	return word();
}

/* Opens the pipe of a process; returns its number in @id. */
static struct gles_stream *process_of(u64 *id)
{
	struct gles_stream *stream = stream_of("GLProcessPipe");
	static const u32 hundred = 100;

	tap_equal(say(stream, &hundred, sizeof(hundred)), 0);
	if (tap_check(heard.len == sizeof(*id)))
		memcpy(id, heard.bytes, sizeof(*id));
	heard.len = 0;
	return stream;
}

/* ---- queries ---- */

static void questions_are_answered(void)
{
	static const u8 egl[] = { 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0 };
	struct gles_stream *stream;

	begin();
	stream = stream_of("opengles");
	plain(stream, GET_VERSION);
	tap_equal(word(), 1);
	COMMAND(stream, GET_EGL_VERSION, 4, 4);
	tap_check(heard.len == sizeof(egl) && !memcmp(heard.bytes, egl, sizeof(egl)));
	heard.len = 0;
	COMMAND(stream, FB_PARAM, 1);
	tap_equal(word(), 320);
	COMMAND(stream, FB_PARAM, 2);
	tap_equal(word(), 240);
	COMMAND(stream, FB_PARAM, 6);
	tap_equal(word(), 0xffffffff);
	COMMAND(stream, CREATE_CONTEXT, 0, 0, 2);
	tap_equal(word(), 0);
	COMMAND(stream, MAKE_CURRENT, 0, 0, 0);
	tap_equal(word(), 1);
	COMMAND(stream, MAKE_CURRENT, 1, 0, 0);
	tap_equal(word(), 0);
	tap_equal(plain(stream, 65), 0);
	tap_equal(word(), 1);
	COMMAND(stream, 66, 0, 2);
	tap_equal(word(), 240);
	COMMAND(stream, 66, 1, 2);
	tap_equal(word(), 0xffffffff);
	end(stream);
	finish();
}

static void strings_have_room_or_say_how_much_they_need(void)
{
	static const char sync[] = "ANDROID_EMU_native_sync_v4 ";
	struct gles_stream *stream;
	s32 len;

	begin();
	stream = stream_of("opengles");
	COMMAND(stream, QUERY_EGL, 0x3053, 10, 10);
	memcpy(&len, heard.bytes + 10, 4);
	tap_check(heard.len == 14 && len == 7 && !strcmp((char *)heard.bytes, "ranchu"));
	heard.len = 0;
	COMMAND(stream, GET_GL_STRING, 0x1f00, 0, 0);
	tap_equal(word(), (u32)-7);
	/* The guest claims more room than it has. */
	COMMAND(stream, GET_GL_STRING, 0x1f00, 6, 100);
	memcpy(&len, heard.bytes + 6, 4);
	tap_check(heard.len == 10 && len == -7);
	heard.len = 0;
	COMMAND(stream, EXTENSIONS, 0, 0);
	tap_equal(word(), (u32)-1);
	gles.fences = true;
	COMMAND(stream, EXTENSIONS, 64, 64);
	memcpy(&len, heard.bytes + 64, 4);
	tap_check(heard.len == 68 && len == sizeof(sync) && !strcmp((char *)heard.bytes, sync));
	heard.len = 0;
	tap_equal(COMMAND(stream, GET_GL_STRING, 0x1f00, GLES_REPLY - 3, 7), -EPROTO);
	end(stream);
	finish();
}

static void configurations_are_listed(void)
{
	const u32 choose[] = { BASE + CHOOSE, 40, 12, 0x3024, 8, 0x3038, 3, 8, 2, 0 };
	u32 words[64];
	u32 attributes;
	struct gles_stream *stream;

	begin();
	stream = stream_of("opengles");
	COMMAND(stream, NUM_CONFIGS, 4);
	tap_equal(heard.len, 8);
	memcpy(words, heard.bytes, 8);
	attributes = words[0];
	tap_check(attributes >= 5 && attributes <= 32 && words[1] == 1);
	heard.len = 0;
	COMMAND(stream, CONFIGS, 4, 4);
	memcpy(words, heard.bytes, 8);
	tap_check(heard.len == 8 && (s32)words[1] == -(s32)(8 * attributes));
	heard.len = 0;
	COMMAND(stream, CONFIGS, 8 * attributes, 8 * attributes);
	tap_equal(heard.len, 8 * attributes + 4);
	memcpy(words, heard.bytes, 8 * attributes + 4 < sizeof(words) ? 8 * attributes + 4 : 0);
	/* The renderable type is the third one, and its value is OpenGL ES 2. */
	tap_check(words[2] == 0x3040 && words[attributes + 2] == 4);
	tap_equal(words[2 * attributes], 1);
	heard.len = 0;
	/* The last word is no part of the packet. */
	tap_equal(say(stream, choose, 36), 1);
	tap_equal(say(stream, choose, 40), -EPROTO);
	end(stream);
	stream = stream_of("opengles");
	((u32 *)memcpy(words, choose, 36))[1] = 36;
	tap_equal(say(stream, words, 36), 0);
	memcpy(words, heard.bytes, 12);
	tap_check(heard.len == 12 && !words[0] && !words[1] && words[2] == 1);
	heard.len = 0;
	end(stream);
	finish();
}

static void sync_objects_are_signalled(void)
{
	const u32 make[] = { BASE + CREATE_SYNC, 32, 0x30f9, 0, 0, 1, 8, 8 };
	const u32 wrong[] = { BASE + CREATE_SYNC, 32, 0x30f9, 0, 0, 1, 8, 4 };
	u64 numbers[2][2];
	unsigned int i;
	struct gles_stream *stream;

	begin();
	stream = stream_of("opengles");
	for (i = 0; i < 2; i++) {
		tap_equal(say(stream, make, sizeof(make)), 0);
		if (tap_check(heard.len == 16))
			memcpy(numbers[i], heard.bytes, 16);
		heard.len = 0;
	}
	tap_check(numbers[0][0] && numbers[0][0] != numbers[1][0] && numbers[0][1] > 2);
	COMMAND(stream, WAIT_SYNC, 1, 0, 0, 0, 0);
	tap_equal(word(), 0x30f6);
	COMMAND(stream, IS_SIGNALLED, 1, 0);
	tap_equal(word(), 1);
	tap_equal(COMMAND(stream, 36, 1, 0, 0), 0);
	tap_equal(heard.len, 0);
	tap_equal(say(stream, wrong, sizeof(wrong)), -EPROTO);
	end(stream);
	finish();
}

/* ---- pictures ---- */

static u32 next(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Sends pixels, all at once or in pieces. */
static int update(struct gles_stream *stream, const u32 head[8], const u8 *pixels, size_t n,
		  size_t piece)
{
	u8 *packet = malloc(40 + n);
	const u32 opcode = BASE + UPDATE;
	const u32 size = 40 + n;
	int err;

	memcpy(packet, &opcode, 4);
	memcpy(packet + 4, &size, 4);
	memcpy(packet + 8, head, 32);
	memcpy(packet + 40, pixels, n);
	err = say_pieces(stream, packet, 40 + n, piece);
	free(packet);
	return err;
}

/* Converts the guest's bytes of a pixel to the format of buffers. */
static u32 kept(u32 format, u32 type, const u8 *p)
{
	u32 v = p[0] | p[1] << 8;

	if (format == RGBA)
		return (u32)p[3] << 24 | p[0] << 16 | p[1] << 8 | p[2];
	if (format == BGRA)
		return (u32)p[3] << 24 | p[2] << 16 | p[1] << 8 | p[0];
	if (type == UBYTE)
		return 0xff000000 | p[0] << 16 | p[1] << 8 | p[2];
	return 0xff000000 | ((v >> 11) * 255 + 15) / 31 << 16 |
	       ((v >> 5 & 63) * 255 + 31) / 63 << 8 | ((v & 31) * 255 + 15) / 31;
}

static const struct {
	u32 format;
	u32 type;
	u32 bytes;
} kinds[] = {
	{ RGBA, UBYTE, 4 }, { BGRA, UBYTE, 4 }, { RGB, UBYTE, 3 }, { RGB, USHORT, 2 },
};

static bool near(u32 a, u32 b, u32 most)
{
	unsigned int shift;

	for (shift = 0; shift < 32; shift += 8) {
		int diff = (int)(a >> shift & 0xff) - (int)(b >> shift & 0xff);

		if (diff > (int)most || -diff > (int)most)
			return false;
	}
	return true;
}

#define W	37
#define H	23

/* Writes and reads a rectangle; pixels around it do not change. */
static void picture_goes_and_comes(unsigned int kind, size_t piece)
{
	const u32 x = 3, y = 5, w = 29, h = 11, bytes = kinds[kind].bytes;
	u32 args[8] = { 0, x, y, w, h, kinds[kind].format, kinds[kind].type, w * h * bytes };
	struct gles_buffer *buffer;
	u8 pixels[29 * 11 * 4];
	unsigned int i, wrong = 0;
	struct gles_stream *stream;
	u32 seed = 1;

	begin();
	stream = stream_of("opengles");
	args[0] = create(stream, W, H);
	buffer = gles_buffer_find(&gles.buffers, args[0]);
	if (!tap_check(buffer))
		return;
	for (i = 0; i < sizeof(pixels); i++)
		pixels[i] = next(&seed);
	tap_equal(update(stream, args, pixels, w * h * bytes, piece), 0);
	tap_equal(word(), 0);
	for (i = 0; i < W * H; i++) {
		u32 px = i % W, py = i / W;
		bool in = px >= x && px < x + w && py >= y && py < y + h;
		const u8 *from = pixels + ((py - y) * w + px - x) * bytes;

		if (in)
			wrong += !near(buffer->pixels[i],
				       kept(kinds[kind].format, kinds[kind].type, from),
				       bytes == 2 ? 1 : 0);
		else
			wrong += buffer->pixels[i] != 0;
	}
	tap_equal(wrong, 0);
	tap_equal(command_of(stream, BASE + READ, args, 8), 0);
	tap_check(heard.len == w * h * bytes && !memcmp(heard.bytes, pixels, w * h * bytes));
	heard.len = 0;
	end(stream);
	finish();
}

static void pictures_go_and_come_in_each_format(void)
{
	static const size_t pieces[] = { 1, 3, 7, 64, SIZE_MAX };
	unsigned int kind, i;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		for (i = 0; i < ARRAY_SIZE(pieces); i++)
			picture_goes_and_comes(kind, pieces[i]);
}

/* A picture that is larger than a ring and than an answer. */
static void large_pictures_are_not_kept(void)
{
	const u32 w = 320, h = 240, bytes = 4 * w * h;
	u32 args[8] = { 0, 0, 0, w, h, BGRA, UBYTE, bytes };
	u8 *pixels = malloc(bytes);
	struct gles_stream *stream;
	u32 seed = 7, i;

	begin();
	stream = stream_of("opengles");
	args[0] = create(stream, w, h);
	for (i = 0; i < bytes; i++)
		pixels[i] = next(&seed);
	tap_equal(update(stream, args, pixels, bytes, 4096), 0);
	tap_equal(word(), 0);
	tap_equal(command_of(stream, BASE + READ, args, 8), 0);
	tap_check(heard.len == bytes && !memcmp(heard.bytes, pixels, bytes));
	heard.len = 0;
	free(pixels);
	end(stream);
	finish();
}

static void pixels_that_do_not_fit_are_passed_over(void)
{
	static const u32 places[][4] = {
		{ 1, 0, W, 1 }, { 0, 1, 1, H }, { W, 0, 1, 1 }, { 0, H, 1, 1 },
		{ 0xffffffff, 0, 2, 1 }, { 0, 0x80000000, 1, 2 }, { 0, 0, W + 1, 1 },
	};
	u8 pixels[4 * (W + 1) * H];
	struct gles_stream *stream;
	struct gles_buffer *buffer;
	unsigned int i, j, wrong = 0;
	u32 handle;

	memset(pixels, 0x55, sizeof(pixels));
	begin();
	stream = stream_of("opengles");
	handle = create(stream, W, H);
	buffer = gles_buffer_find(&gles.buffers, handle);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		const u32 n = 4 * places[i][2] * places[i][3];
		const u32 args[8] = {
			handle, places[i][0], places[i][1], places[i][2], places[i][3],
			RGBA, UBYTE, n,
		};

		tap_equal(update(stream, args, pixels, n, 100), 0);
		tap_equal(word(), 0xffffffff);
		tap_equal(command_of(stream, BASE + READ, args, 8), 0);
		tap_equal(heard.len, n);
		for (j = 0; j < n; j++)
			wrong += heard.bytes[j] != 0;
		heard.len = 0;
	}
	for (i = 0; i < W * H; i++)
		wrong += buffer->pixels[i] != 0;
	tap_equal(wrong, 0);
	end(stream);
	finish();
}

/* Sizes that do not match the rectangle. */
static void pixels_that_are_counted_wrong_end_the_stream(void)
{
	static const struct {
		u32 size;
		u32 args[8];
	} wrong[] = {
		{ 44, { 0, 0, 0, 1, 1, RGBA, UBYTE, 8 } },	/* 4 bytes, counted as 8 */
		{ 48, { 0, 0, 0, 1, 1, RGBA, UBYTE, 4 } },	/* a longer packet */
		{ 40, { 0, 0, 0, 1, 1, RGBA, UBYTE, 4 } },	/* a shorter one */
		{ 39, { 0, 0, 0, 0, 0, RGBA, UBYTE, 0 } },	/* than its arguments */
		{ 44, { 0, 0, 0, 1, 1, 0x1909, UBYTE, 4 } },	/* another format */
		{ 40, { 0, 0, 0, 0x10000, 0x10000, RGBA, UBYTE, 0 } },	/* wraps */
	};
	unsigned int i;

	begin();
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct gles_stream *stream = stream_of("opengles");
		u32 packet[16] = { BASE + UPDATE, wrong[i].size };

		memcpy(packet + 2, wrong[i].args, sizeof(wrong[i].args));
		tap_context("%u", i);
		tap_equal(say(stream, packet, sizeof(packet)), -EPROTO);
		end(stream);
	}
	finish();
}

static void no_pixels_are_an_answer(void)
{
	u32 args[8] = { 0, 0, 0, 0, 9, RGBA, UBYTE, 0 };
	struct gles_stream *stream;

	begin();
	stream = stream_of("opengles");
	args[0] = create(stream, W, H);
	tap_equal(update(stream, args, (u8 *)"", 0, 1), 0);
	tap_equal(word(), 0);
	tap_equal(command_of(stream, BASE + READ, args, 8), 0);
	tap_equal(heard.len, 0);
	plain(stream, GET_VERSION);
	tap_equal(word(), 1);
	end(stream);
	finish();
}

/* While pixels arrive, their buffer is closed, and a smaller one gets its handle. */
static void buffer_goes_while_pixels_come(void)
{
	const u32 n = 4 * W * H;
	u32 packet[10] = { BASE + UPDATE, 40 + n, 0, 0, 0, W, H, RGBA, UBYTE, n };
	struct gles_stream *stream, *other;
	struct gles_buffer *small;
	u8 pixels[4 * W * H];

	memset(pixels, 0x55, sizeof(pixels));
	begin();
	stream = stream_of("opengles");
	other = stream_of("opengles");
	packet[2] = create(other, W, H);
	tap_equal(say(stream, packet, sizeof(packet)), 0);
	tap_equal(say(stream, pixels, 10), 0);
	COMMAND(other, CLOSE, packet[2]);
	gles.buffers.serial = (packet[2] >> 10) - 1;
	tap_equal(create(other, 1, 1), packet[2]);
	small = gles_buffer_find(&gles.buffers, packet[2]);
	tap_equal(say(stream, pixels + 10, n - 10), 0);
	tap_equal(word(), 0xffffffff);
	tap_equal(small->pixels[0], 0);
	end(stream);
	end(other);
	finish();
}

/* ---- owners of buffers ---- */

static void buffers_are_held_by_processes(void)
{
	struct gles_stream *one, *two, *first, *second;
	u64 id_one, id_two;
	u32 handle;

	begin();
	first = process_of(&id_one);
	second = process_of(&id_two);
	tap_check(id_one && id_two && id_one != id_two);
	one = stream_of("opengles");
	two = stream_of("opengles");
	COMMAND(one, SET_PUID, (u32)id_one, 0);
	COMMAND(two, SET_PUID, (u32)id_two, 0);
	handle = create(one, W, H);
	tap_check(handle);
	COMMAND(two, OPEN2, handle);
	tap_equal(word(), 0);
	COMMAND(two, OPEN, handle);
	tap_equal(heard.len, 0);
	/* The stream ends, but its process does not. */
	end(one);
	tap_check(gles_buffer_find(&gles.buffers, handle));
	end(first);
	tap_check(gles_buffer_find(&gles.buffers, handle));
	/* It is closed as often as it was opened. */
	COMMAND(two, CLOSE, handle);
	tap_check(gles_buffer_find(&gles.buffers, handle));
	COMMAND(two, CLOSE, handle);
	tap_check(!gles_buffer_find(&gles.buffers, handle));
	COMMAND(two, CLOSE, handle);
	COMMAND(two, OPEN2, handle);
	tap_equal(word(), 0xffffffff);
	tap_check(create(two, W, H));
	end(second);
	tap_equal(gles.buffers.memory, 0);
	/* After the end of its process, the stream owns its buffers. */
	tap_check(create(two, W, H));
	end(two);
	finish();
}

/* The count has saturated, so the buffer is only freed with its process. */
static void full_count_stays_full(void)
{
	struct gles_stream *stream;
	unsigned int i;
	u32 handle;

	begin();
	stream = stream_of("opengles");
	handle = create(stream, W, H);
	stream->own.held[0].times = UINT32_MAX - 1;
	for (i = 0; i < 3; i++) {
		COMMAND(stream, OPEN2, handle);
		tap_equal(word(), 0);
	}
	tap_equal(stream->own.held[0].times, UINT32_MAX);
	for (i = 0; i < 3; i++)
		COMMAND(stream, CLOSE, handle);
	tap_equal(stream->own.held[0].times, UINT32_MAX);
	tap_check(gles_buffer_find(&gles.buffers, handle));
	end(stream);
	tap_equal(gles.buffers.memory, 0);
	finish();
}

static void handles_of_others_are_not_closed(void)
{
	struct gles_stream *one, *two;
	u32 handle;

	begin();
	one = stream_of("opengles");
	two = stream_of("opengles");
	handle = create(one, W, H);
	COMMAND(two, CLOSE, handle);
	COMMAND(two, CLOSE, 0);
	COMMAND(two, CLOSE, handle ^ 1 << 12);
	COMMAND(two, OPEN2, handle ^ 1 << 12);
	tap_equal(word(), 0xffffffff);
	tap_check(gles_buffer_find(&gles.buffers, handle));
	end(two);
	end(one);
	finish();
}

static void posted_buffer_stays_until_the_next(void)
{
	struct gles_stream *one, *two;
	u32 first, second;

	begin();
	one = stream_of("opengles");
	two = stream_of("opengles");
	first = create(one, W, H);
	second = create(one, W, H);
	COMMAND(one, POST, first);
	tap_check(posts == 1 && shown && shown->handle == first);
	COMMAND(one, CLOSE, first);
	tap_check(shown->width == W && shown->pixels[0] == 0);
	COMMAND(one, POST, first + 1);
	tap_equal(posts, 1);
	COMMAND(one, POST, second);
	tap_check(posts == 2 && shown->handle == second);
	tap_check(!gles_buffer_find(&gles.buffers, first));
	/* Post the same buffer again. */
	COMMAND(one, POST, second);
	tap_equal(posts, 3);
	end(one);
	tap_check(posts == 3 && shown->handle == second);
	/* The end of the last stream removes the picture. */
	end(two);
	tap_check(posts == 4 && !shown);
	finish();
}

/* ---- bounds ---- */

static void there_is_an_end_to_buffers(void)
{
	struct gles_stream *streams[5];
	unsigned int i, j, made = 0;
	char said[512];

	begin();
	tap_listen();
	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		streams[i] = stream_of("opengles");
		for (j = 0; j < GLES_HELD + 2; j++)
			made += !!create(streams[i], 1, 1);
		if (!i)
			tap_equal(made, GLES_HELD);
	}
	tap_heard(said, sizeof(said));
	tap_equal(made, GLES_BUFFERS);
	/* There is one message. */
	tap_check(strstr(said, "refused") && strchr(said, '\n') == said + strlen(said) - 1);
	for (i = 0; i < ARRAY_SIZE(streams); i++)
		end(streams[i]);
	finish();
}

static void there_is_an_end_to_memory(void)
{
	static const u32 sizes[][2] = {
		{ 0, 1 }, { 1, 0 }, { GLES_SIDE + 1, 1 }, { 1, GLES_SIDE + 1 },
		{ 0xffffffff, 0xffffffff }, { 0x80000000, 2 }, { 65536, 65536 },
	};
	struct gles_stream *stream;
	char said[512];
	unsigned int i;
	u32 handle;

	begin();
	gles.buffers.most = MIB;
	stream = stream_of("opengles");
	tap_listen();
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		tap_equal(create(stream, sizes[i][0], sizes[i][1]), 0);
	tap_equal(create(stream, 513, 512), 0);
	handle = create(stream, 512, 512);
	tap_check(handle);
	tap_equal(create(stream, 1, 1), 0);
	COMMAND(stream, CLOSE, handle);
	tap_check(create(stream, 512, 512));
	tap_heard(said, sizeof(said));
	end(stream);
	finish();
}

static void there_is_an_end_to_processes(void)
{
	struct gles_stream *pipes[GLES_PROCESSES], *more;
	static const u32 hundred = 100, other = 101;
	char said[512];
	unsigned int i;
	u64 id;

	begin();
	for (i = 0; i < GLES_PROCESSES; i++) {
		pipes[i] = process_of(&id);
		tap_equal(id, i + 1);
	}
	tap_listen();
	more = stream_of("GLProcessPipe");
	tap_equal(say(more, &hundred, sizeof(hundred)), -EPROTO);
	end(more);
	end(pipes[0]);
	pipes[0] = process_of(&id);
	tap_equal(id, GLES_PROCESSES + 1);
	/* There is no second message. */
	tap_equal(say(pipes[0], &hundred, sizeof(hundred)), -EPROTO);
	for (i = 0; i < GLES_PROCESSES; i++)
		end(pipes[i]);
	more = stream_of("GLProcessPipe");
	tap_equal(say(more, &other, sizeof(other)), -EPROTO);
	end(more);
	tap_heard(said, sizeof(said));
	finish();
}

/* All commands of a fixed size, with a wrong size. */
static void sizes_are_what_commands_have(void)
{
	char said[512];
	u32 i, wrong = 0;

	begin();
	tap_listen();
	for (i = 0; i < 1000; i++) {
		const struct gles_command *command = gles_command_find(BASE + i);
		struct gles_stream *stream;
		u32 packet[32] = { BASE + i };

		if (!command || command->pixels || command->size == GLES_ANY_SIZE)
			continue;
		stream = stream_of("opengles");
		packet[1] = 8 + command->size + 4;
		wrong += say(stream, packet, packet[1]) != -EPROTO;
		end(stream);
		if (!command->size)
			continue;
		stream = stream_of("opengles");
		packet[1] = 8 + command->size - 4;
		wrong += say(stream, packet, packet[1]) != -EPROTO;
		end(stream);
	}
	tap_heard(said, sizeof(said));
	tap_equal(wrong, 0);
	tap_check(strstr(said, "a wrong packet") &&
		  strchr(said, '\n') == said + strlen(said) - 1);
	finish();
}

static void what_is_no_packet_ends_the_stream(void)
{
	static const u32 packets[][12] = {
		{ BASE, 0 },					/* would loop for ever */
		{ BASE, 7 },
		{ BASE, 0xffffffff },
		{ BASE + METADATA, GLES_PACKET + 1 },		/* more than the limit */
		{ BASE + METADATA, 24, 0xfffffff0, 0, 0, 0 },	/* a missing text */
		{ BASE + METADATA, 28, 4, 0, 0, 0, 0 },		/* a word too many */
		{ BASE + CREATE_SYNC, 36, 0, 0xfffffffc, 0, 0, 0, 8, 8 },
		{ BASE + CHOOSE, 24, 0, 0, GLES_REPLY, 0 },
		{ BASE + CONFIGS, 16, 0, 0x80000000 },
		{ BASE + CHECKSUM, 16, 1, 0 },
		{ BASE + 34, 48 },				/* DMA, which is not offered */
		{ BASE + 37, 8 }, { BASE + 999, 8 }, { 0, 8 }, { 2048, 8 }, { 20000, 8 },
		{ 0xffffffff, 8 },
	};
	char said[1024];
	unsigned int i;

	begin();
	tap_listen();
	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		struct gles_stream *stream = stream_of("opengles");

		tap_context("packet %u", i);
		tap_equal(say(stream, packets[i], sizeof(packets[i])), -EPROTO);
		tap_equal(heard.len, 0);
		end(stream);
	}
	tap_heard(said, sizeof(said));
	finish();
}

static void checksum_zero_is_none(void)
{
	static const u32 metadata[] = {
		BASE + METADATA, 36, 13, 0x636f7270, 0x5f737365, 0x656d616e, 0, 0, 0,
	};
	struct gles_stream *stream;
	u8 packet[36];

	begin();
	stream = stream_of("opengles");
	tap_equal(COMMAND(stream, CHECKSUM, 0, 0), 0);
	/* A key of 13 bytes, a value of 3, and its length. */
	memcpy(packet, metadata, sizeof(packet));
	packet[4] = 36;
	memcpy(packet + 25, (u32[]){ 3 }, 4);
	memcpy(packet + 29, "ab", 3);
	memcpy(packet + 32, (u32[]){ 3 }, 4);
	tap_equal(say(stream, packet, sizeof(packet)), 0);
	plain(stream, GET_VERSION);
	tap_equal(word(), 1);
	end(stream);
	finish();
}

static void others_commands_need_somebody(void)
{
	const u32 draw[] = { 2114, 16, 1, 2 };
	const u32 large[] = { 2114, GLES_PACKET + 1 };
	struct gles_stream *stream;
	char said[512];

	begin();
	tap_listen();
	stream = stream_of("opengles");
	tap_equal(say(stream, draw, sizeof(draw)), -EPROTO);
	end(stream);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "2114") && strstr(said, "which are not supported"));
	gles.ops = &with_commands;
	stream = stream_of("opengles");
	tap_equal(say_pieces(stream, draw, sizeof(draw), 5), 0);
	tap_equal(say(stream, draw, sizeof(draw)), 0);
	tap_equal(commands, 2);
	plain(stream, GET_VERSION);
	tap_equal(word(), 1);
	tap_listen();
	tap_equal(say(stream, large, sizeof(large)), -EPROTO);
	command_err = -EPROTO;
	tap_equal(say(stream, draw, sizeof(draw)), -EPROTO);
	tap_heard(said, sizeof(said));
	end(stream);
	finish();
}

/* While a guest does not read its answer, its next packet is not read. */
static void one_answer_is_kept(void)
{
	u32 twice[] = { BASE + GET_VERSION, 8, BASE + GET_VERSION, 8 };
	struct gles_stream *stream;
	const u8 *bytes;

	begin();
	stream = stream_of("opengles");
	tap_equal(gles_stream_take(stream, (u8 *)twice, sizeof(twice)), 8);
	tap_equal(gles_stream_take(stream, (u8 *)twice + 8, 8), 0);
	tap_equal(gles_stream_peek(stream, &bytes), 4);
	gles_stream_sent(stream, 3);
	tap_equal(gles_stream_take(stream, (u8 *)twice + 8, 8), 0);
	gles_stream_sent(stream, 1);
	tap_equal(gles_stream_take(stream, (u8 *)twice + 8, 8), 8);
	end(stream);
	finish();
}

static void all_comes_byte_by_byte(void)
{
	const u32 packets[] = {
		0, BASE + GET_VERSION, 8, BASE + CREATE, 20, 4, 4, RGBA, BASE + FB_PARAM, 12, 1,
	};
	struct gles_stream *stream = malloc(sizeof(*stream));
	static struct gles_stream unused;
	u32 answers[3];

	begin();
	gles_stream_open(stream, &gles, "opengles");
	tap_equal(say_pieces(stream, packets, sizeof(packets), 1), 0);
	tap_equal(heard.len, sizeof(answers));
	memcpy(answers, heard.bytes, sizeof(answers));
	tap_check(answers[0] == 1 && answers[1] && answers[2] == 320);
	heard.len = 0;
	end(stream);
	tap_equal(gles_stream_open(&unused, &gles, "opengl"), -ENOENT);
	finish();
}

static const struct tap_case cases[] = {
	{ "queries are answered", questions_are_answered },
	{ "strings have room, or say how much they need",
	  strings_have_room_or_say_how_much_they_need },
	{ "configurations are listed", configurations_are_listed },
	{ "sync objects are signalled", sync_objects_are_signalled },
	{ "pictures go and come in each format", pictures_go_and_come_in_each_format },
	{ "large pictures are not buffered", large_pictures_are_not_kept },
	{ "pixels outside of the buffer are ignored", pixels_that_do_not_fit_are_passed_over },
	{ "pixels that are counted wrong end the stream",
	  pixels_that_are_counted_wrong_end_the_stream },
	{ "no pixels are an answer", no_pixels_are_an_answer },
	{ "a buffer may be closed while its pixels arrive", buffer_goes_while_pixels_come },
	{ "buffers are owned by processes", buffers_are_held_by_processes },
	{ "a full count stays full", full_count_stays_full },
	{ "handles of others are not closed", handles_of_others_are_not_closed },
	{ "a posted buffer stays until the next", posted_buffer_stays_until_the_next },
	{ "the number of buffers is limited", there_is_an_end_to_buffers },
	{ "the memory of buffers is limited", there_is_an_end_to_memory },
	{ "the number of processes is limited", there_is_an_end_to_processes },
	{ "sizes are what commands have", sizes_are_what_commands_have },
	{ "an invalid packet ends the stream", what_is_no_packet_ends_the_stream },
	{ "checksum 0 means none, and metadata are ignored", checksum_zero_is_none },
	{ "other commands need a decoder", others_commands_need_somebody },
	{ "one answer is kept", one_answer_is_kept },
	{ "packets may come byte by byte", all_comes_byte_by_byte },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
