// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: what ranchu-gles makes of a guest that says anything, by several pipes at
 * once, in pieces of any size, and reads or does not. Commands get arguments that are often
 * right, and handles that there are. What is posted is read as the screen would; in the end
 * nothing is held.
 */
#include <errno.h>
#include <string.h>

#include "gles.h"
#include "fuzz.h"

#define STREAMS		4	/* the last one is GLProcessPipe's */
#define KEPT		(GLES_PACKET + 64)
#define HANDLES		4

static struct {
	struct gles gles;
	struct gles_stream stream[STREAMS];
	bool open[STREAMS];
	/* What was said and not taken, as a ring keeps it. */
	u8 in[STREAMS][KEPT];
	size_t len[STREAMS];
	/* The last handles that the guest was told of. */
	u32 handle[HANDLES];
	unsigned int handles;
	u64 id;
	bool taught;
} fuzz;

static u32 sum;

/* Reads all of it: the screen does. */
static void on_post(void *arg, const struct gles_buffer *buffer)
{
	size_t i;

	MUST(arg == &fuzz);
	if (!buffer)
		return;
	MUST(buffer->holders && gles_buffer_find(&fuzz.gles.buffers, buffer->handle) == buffer);
	for (i = 0; i < (size_t)buffer->width * buffer->height; i++)
		sum += buffer->pixels[i];
}

static int on_command(void *arg, u32 opcode, const u8 *args, size_t len)
{
	size_t i;

	MUST(opcode < 10000 || opcode > 10999);
	for (i = 0; i < len; i++)
		sum += args[i];
	return opcode & 1 ? -EPROTO : 0;
}

static const struct gles_ops plain_ops = { .post = on_post };
static const struct gles_ops command_ops = { .post = on_post, .command = on_command };

static void hear(unsigned int i, size_t most)
{
	const u8 *bytes;
	size_t n;

	while (most && (n = gles_stream_peek(&fuzz.stream[i], &bytes))) {
		MUST(n <= GLES_REPLY);
		n = n < most ? n : most;
		/* A word may be a handle. */
		if (n == 4)
			memcpy(&fuzz.handle[fuzz.handles++ % HANDLES], bytes, 4);
		else if (n == 8)
			memcpy(&fuzz.id, bytes, 8);
		sum += bytes[n - 1];
		gles_stream_sent(&fuzz.stream[i], n);
		most -= n;
	}
}

static void shut(unsigned int i)
{
	gles_stream_close(&fuzz.stream[i]);
	fuzz.open[i] = false;
	fuzz.len[i] = 0;
}

static void open_one(unsigned int i)
{
	static const u32 flags;

	MUST(!gles_stream_open(&fuzz.stream[i], &fuzz.gles,
			       i == STREAMS - 1 ? "GLProcessPipe" : "opengles"));
	fuzz.open[i] = true;
	if (i != STREAMS - 1)
		MUST(gles_stream_take(&fuzz.stream[i], (const u8 *)&flags, 4) == 4);
}

/* Takes as the server does, with what has come before. */
static void say(unsigned int i, const void *bytes, size_t n)
{
	ssize_t taken;

	if (n > KEPT - fuzz.len[i])
		n = KEPT - fuzz.len[i];
	memcpy(fuzz.in[i] + fuzz.len[i], bytes, n);
	fuzz.len[i] += n;
	taken = gles_stream_take(&fuzz.stream[i], fuzz.in[i], fuzz.len[i]);
	if (taken < 0) {
		shut(i);
		return;
	}
	MUST((size_t)taken <= fuzz.len[i]);
	fuzz.len[i] -= taken;
	memmove(fuzz.in[i], fuzz.in[i] + taken, fuzz.len[i]);
	/* A packet that fills all of it was taken, if the last answer was read. */
	MUST(fuzz.len[i] < GLES_PACKET || fuzz.stream[i].out_len);
}

/* An argument of a command. */
static u32 argument(struct input *in)
{
	static const u32 usual[] = {
		0, 1, 2, 3, 4, 8, 16, 64, 0x1908, 0x1907, 0x80e1, 0x1401, 0x8363, 0x3053, 0x1f03,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, GLES_REPLY, GLES_SIDE, 100,
	};
	unsigned int what = take(in, 1);

	if (what < 128)
		return usual[what % ARRAY_SIZE(usual)];
	if (what < 224)
		return fuzz.handle[what % HANDLES];
	if (what < 240)
		return fuzz.id;
	return take(in, 4);
}

static void say_command(unsigned int i, struct input *in)
{
	unsigned int what = take(in, 1) % 72;
	const struct gles_command *command = gles_command_find(10000 + what);
	u32 words[2 + 16] = { 10000 + what };
	unsigned int count = command && command->size != GLES_ANY_SIZE ? command->size / 4 :
									  take(in, 1) % 16;
	unsigned int k;

	for (k = 0; k < count; k++)
		words[2 + k] = argument(in);
	words[1] = 8 + 4 * count + (take(in, 1) == 255);
	say(i, words, 8 + 4 * count);
}

/* Pixels, or where they are read, that are counted right. */
static void say_picture(unsigned int i, struct input *in)
{
	static const u32 kinds[][3] = {
		{ 0x1908, 0x1401, 4 }, { 0x80e1, 0x1401, 4 }, { 0x1907, 0x1401, 3 },
		{ 0x1907, 0x8363, 2 },
	};
	bool update = take(in, 1) & 1;
	const u32 *kind = kinds[take(in, 1) % 4];
	u32 place = take(in, 4);
	u32 w = place & 0x3f, h = place >> 6 & 0x3f, n = w * h * kind[2];
	u32 words[] = {
		update ? 10024 : 10023, update ? 40 + n : 40, fuzz.handle[take(in, 1) % HANDLES],
		place >> 12 & 0x3f, place >> 18 & 0x3f, w, h, kind[0], kind[1], n,
	};
	static u8 pixels[64 * 64 * 4];
	u32 done, part;

	say(i, words, sizeof(words));
	if (!update)
		return;
	memset(pixels, take(in, 1), n);
	for (done = 0; fuzz.open[i] && done < n && in->left; done += part) {
		part = 1 + take(in, 2) % 8192;
		part = part < n - done ? part : n - done;
		say(i, pixels + done, part);
	}
}

static void say_bytes(unsigned int i, struct input *in)
{
	unsigned int n = take(in, 1) & 0x3f, k;
	u8 bytes[64];

	for (k = 0; k < n; k++)
		bytes[k] = take(in, 1);
	say(i, bytes, n);
}

static void say_many(unsigned int i, struct input *in)
{
	static u8 bytes[KEPT];
	const u32 opcode = take(in, 1) & 1 ? 2048 : 10068;
	const u32 head[] = { opcode, 8 + take(in, 3) };
	size_t n = take(in, 3) % sizeof(bytes);

	memset(bytes, take(in, 1), n);
	memcpy(bytes, head, n < sizeof(head) ? n : sizeof(head));
	say(i, bytes, n);
}

static void act(struct input *in)
{
	unsigned int what = take(in, 1);
	unsigned int i = what & 3;

	if (!fuzz.open[i]) {
		open_one(i);
		return;
	}
	switch (what >> 2 & 15) {
	case 0 ... 6:
		say_command(i, in);
		break;
	case 7 ... 8:
		say_picture(i, in);
		break;
	case 9:
		say_bytes(i, in);
		break;
	case 10:
		say_many(i, in);
		break;
	case 11:
		hear(i, take(in, 1));
		break;
	case 12:
		shut(i);
		break;
	default:
		hear(i, SIZE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct gles *gles = &fuzz.gles;
	unsigned int i;

	memset(gles, 0, sizeof(*gles));
	memset(fuzz.open, 0, sizeof(fuzz.open));
	memset(fuzz.len, 0, sizeof(fuzz.len));
	memset(fuzz.handle, 0, sizeof(fuzz.handle));
	fuzz.handles = 0;
	fuzz.id = 1;
	gles->ops = take(&in, 1) & 1 ? &command_ops : &plain_ops;
	gles->arg = &fuzz;
	gles->width = 64;
	gles->height = 64;
	gles->fences = true;
	gles->buffers.most = MIB;
	/* One message of each kind would do for all inputs. */
	for (i = 0; i < GLES_COMPLAINTS; i++)
		gles->complained[i] = fuzz.taught;
	fuzz.taught = true;
	while (in.left) {
		act(&in);
		MUST(gles->buffers.memory <= gles->buffers.most);
		MUST(!gles->posted || gles->posted->holders);
	}
	for (i = 0; i < STREAMS; i++) {
		if (!fuzz.open[i])
			continue;
		hear(i, SIZE_MAX);
		shut(i);
	}
	gles_close(gles);
	MUST(!gles->buffers.memory && !gles->streams && !gles->posted);
	for (i = 0; i < GLES_BUFFERS; i++)
		MUST(!gles->buffers.slot[i]);
	return 0;
}
