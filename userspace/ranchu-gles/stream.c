// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes by a pipe, cut into packets. A packet is an opcode, its size with this head, and
 * arguments; what it is answered has no head. Whole packets are looked at where they are;
 * pixels go straight from there to where they belong, however many of them have come.
 *
 * A guest that does not read its answers is not listened to: one packet's answer is kept.
 *
 * Source: google/gfxstream, host/renderControl_dec, guest/OpenglSystemCommon/ProcessPipe.cpp
 * and QemuPipeStream.cpp @9fcff254b.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gles.h"
#include "host/log.h"

#define HEAD		8u	/* bytes of an opcode and a size */
#define PROCESS_WORD	100	/* what a process says first */
#define CONTROL_FIRST	10000	/* opcodes of renderControl's */
#define CONTROL_LAST	10999

/**
 * struct gles_service - what a guest can open
 * @name: by which it is opened
 * @take: takes bytes: how many, 0 if more have to come first, or -EPROTO
 */
struct gles_service {
	const char *name;
	ssize_t (*take)(struct gles_stream *stream, const u8 *bytes, size_t n);
};

/* ---- what is common to all streams ---- */

/**
 * gles_complain - tell the user what a guest does, once for each kind of complaint
 * @gles: the guest's graphics
 * @what: of which kind
 * @fmt: one clause
 */
void gles_complain(struct gles *gles, enum gles_complaint what, const char *fmt, ...)
{
	char text[160];
	va_list args;

	if (gles->complained[what])
		return;
	gles->complained[what] = true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vmm_note("%s", text);
}

/**
 * gles_post - show a picture
 * @gles: the guest's graphics
 * @buffer: the picture, which is kept as long as it is shown; NULL for none
 */
void gles_post(struct gles *gles, struct gles_buffer *buffer)
{
	struct gles_buffer *before = gles->posted;

	if (buffer)
		gles_buffer_hold(buffer);
	gles->posted = buffer;
	gles->ops->post(gles->arg, buffer);
	if (before)
		gles_buffer_drop(&gles->buffers, before);
}

/**
 * gles_close - keep nothing of the guest's
 * @gles: its graphics; no stream is open
 */
void gles_close(struct gles *gles)
{
	unsigned int i;

	if (gles->posted)
		gles_post(gles, NULL);
	for (i = 0; i < GLES_PROCESSES; i++)
		gles_drop_all(gles, &gles->processes[i]);
}

static u32 word_at(const u8 *bytes)
{
	__le32 word;

	memcpy(&word, bytes, sizeof(word));
	return le32toh(word);
}

/**
 * gles_stream_holder - tell who holds what a stream opens
 * @stream: the stream
 *
 * Return: the process that it has named, if there is one; else the stream's own
 */
struct gles_holder *gles_stream_holder(struct gles_stream *stream)
{
	struct gles_holder *process = NULL;

	if (stream->puid)
		process = gles_process_find(stream->gles, stream->puid);
	return process ? process : &stream->own;
}

/**
 * gles_stream_reply - answer the guest
 * @stream: the stream, whose last answer is gone
 * @n: bytes of this one, GLES_REPLY at most
 *
 * Return: where the answer is to be put; zeroed
 */
u8 *gles_stream_reply(struct gles_stream *stream, size_t n)
{
	stream->out_first = 0;
	stream->out_len = n;
	memset(stream->out, 0, n);
	return stream->out;
}

/* ---- pixels ---- */

/*
 * The colour buffer, if the pixels lie in it. Between two pieces of them it may go, and
 * another one may come that has its handle and another size.
 */
static struct gles_buffer *picture_buffer(const struct gles_stream *stream)
{
	const struct gles_picture *p = &stream->picture;
	struct gles_buffer *buffer = gles_buffer_find(&stream->gles->buffers, p->handle);

	if (!buffer || p->width > buffer->width || p->x > buffer->width - p->width ||
	    p->height > buffer->height || p->y > buffer->height - p->height)
		return NULL;
	return buffer;
}

/* Where the next pixel is, and how many of its row follow. */
static u32 *picture_at(const struct gles_stream *stream, struct gles_buffer *buffer, u32 *left)
{
	const struct gles_picture *p = &stream->picture;
	u32 in_row = p->done % p->width;

	*left = p->width - in_row;
	if (!buffer)
		return NULL;
	return buffer->pixels + (p->y + p->done / p->width) * buffer->width + p->x + in_row;
}

static void picture_put(struct gles_stream *stream, const u8 *bytes, u64 count)
{
	struct gles_buffer *buffer = picture_buffer(stream);
	struct gles_picture *p = &stream->picture;
	u32 *to;
	u32 some;

	for (; count; count -= some) {
		to = picture_at(stream, buffer, &some);
		if (some > count)
			some = count;
		if (to)
			gles_pixels_in(p->kind, to, bytes, some);
		bytes += some * gles_pixels_bytes(p->kind);
		p->done += some;
	}
}

/* A pixel that comes in two pieces waits for its second one. */
static size_t picture_part(struct gles_stream *stream, const u8 *bytes, size_t n)
{
	struct gles_picture *p = &stream->picture;
	size_t want = gles_pixels_bytes(p->kind) - p->part_len;

	if (n < want)
		want = n;
	memcpy(p->part + p->part_len, bytes, want);
	p->part_len += want;
	if (p->part_len == gles_pixels_bytes(p->kind)) {
		p->part_len = 0;
		picture_put(stream, p->part, 1);
	}
	return want;
}

static void picture_end(struct gles_stream *stream)
{
	struct gles_picture *p = &stream->picture;
	__le32 answer = htole32(picture_buffer(stream) ? 0 : -1);

	p->active = false;
	memcpy(gles_stream_reply(stream, sizeof(answer)), &answer, sizeof(answer));
}

/* Takes pixels; all of @n bytes, if that many are missing. */
static size_t picture_take(struct gles_stream *stream, const u8 *bytes, size_t n)
{
	struct gles_picture *p = &stream->picture;
	unsigned int pixel = gles_pixels_bytes(p->kind);
	size_t used = 0;
	u64 count;

	if (p->part_len)
		used = picture_part(stream, bytes, n);
	count = (n - used) / pixel;
	if (count > p->total - p->done)
		count = p->total - p->done;
	picture_put(stream, bytes + used, count);
	used += count * pixel;
	if (used < n && p->done < p->total)
		used += picture_part(stream, bytes + used, n - used);
	if (p->done == p->total)
		picture_end(stream);
	return used;
}

/* The next pixels that the guest has asked for. */
static void picture_give(struct gles_stream *stream)
{
	struct gles_buffer *buffer = picture_buffer(stream);
	struct gles_picture *p = &stream->picture;
	unsigned int pixel = gles_pixels_bytes(p->kind);
	u64 count = GLES_REPLY / pixel;
	const u32 *from;
	u32 some;
	u8 *to;

	if (count > p->total - p->done)
		count = p->total - p->done;
	to = gles_stream_reply(stream, count * pixel);
	for (; count; count -= some, to += some * pixel) {
		from = picture_at(stream, buffer, &some);
		if (some > count)
			some = count;
		if (from)
			gles_pixels_out(p->kind, to, from, some);
		p->done += some;
	}
	p->active = p->done < p->total;
}

/* ---- opengles ---- */

static int wrong_packet(struct gles_stream *stream, u32 opcode, u32 size)
{
	gles_complain(stream->gles, GLES_WRONG,
		      "the guest says something wrong by pipe:opengles (command %u of %u bytes): its pipe is closed",
		      opcode, size);
	return -EPROTO;
}

static int unknown(struct gles_stream *stream, u32 opcode)
{
	bool gl = opcode < CONTROL_FIRST || opcode > CONTROL_LAST;

	gles_complain(stream->gles, GLES_UNKNOWN,
		      "the guest's command %u of pipe:opengles is %s: its pipe is closed", opcode,
		      gl ? "OpenGL's or Vulkan's, which nobody here draws" : "not known");
	return -EPROTO;
}

/* The arguments that are in front of pixels; then these come. */
static ssize_t pixels_begin(struct gles_stream *stream, const struct gles_command *command,
			    const u8 *bytes, size_t n, u32 size)
{
	struct gles_args args = { .at = bytes + HEAD, .left = command->size };
	struct gles_picture *p = &stream->picture;

	if (size < HEAD + command->size)
		return -EPROTO;
	if (n < HEAD + command->size)
		return 0;
	if (command->run(stream, &args))
		return -EPROTO;
	/* What was counted must be what is behind. */
	if (size - HEAD - command->size != p->total * gles_pixels_bytes(p->kind))
		return -EPROTO;
	p->active = true;
	if (!p->total)
		picture_end(stream);
	return HEAD + command->size;
}

static ssize_t control_take(struct gles_stream *stream, u32 opcode, const u8 *bytes, size_t n,
			    u32 size)
{
	const struct gles_command *command = gles_command_find(opcode);
	struct gles_args args = { .at = bytes + HEAD, .left = size - HEAD };
	ssize_t used = size;

	if (!command)
		return unknown(stream, opcode);
	if (command->pixels) {
		used = pixels_begin(stream, command, bytes, n, size);
		return used < 0 ? wrong_packet(stream, opcode, size) : used;
	}
	if (size > GLES_PACKET ||
	    (command->size != GLES_ANY_SIZE && size != HEAD + command->size))
		return wrong_packet(stream, opcode, size);
	if (n < size)
		return 0;
	if (command->run(stream, &args))
		return wrong_packet(stream, opcode, size);
	if (stream->picture.active && stream->picture.out)
		picture_give(stream);
	return used;
}

static ssize_t other_take(struct gles_stream *stream, u32 opcode, const u8 *bytes, size_t n,
			  u32 size)
{
	const struct gles_ops *ops = stream->gles->ops;

	if (!ops->command)
		return unknown(stream, opcode);
	if (size > GLES_PACKET)
		return wrong_packet(stream, opcode, size);
	if (n < size)
		return 0;
	return ops->command(stream->gles->arg, opcode, bytes + HEAD, size - HEAD) ?
	       unknown(stream, opcode) : (ssize_t)size;
}

static ssize_t opengles_take(struct gles_stream *stream, const u8 *bytes, size_t n)
{
	u32 opcode, size;

	if (stream->picture.active)
		return picture_take(stream, bytes, n);
	if (!stream->begun) {
		/* Flags of the client's, which mean nothing. */
		stream->begun = n >= 4;
		return stream->begun ? 4 : 0;
	}
	if (n < HEAD)
		return 0;
	opcode = word_at(bytes);
	size = word_at(bytes + 4);
	if (size < HEAD)
		return wrong_packet(stream, opcode, size);
	if (opcode < CONTROL_FIRST || opcode > CONTROL_LAST)
		return other_take(stream, opcode, bytes, n, size);
	return control_take(stream, opcode, bytes, n, size);
}

/* ---- GLProcessPipe ---- */

static ssize_t process_take(struct gles_stream *stream, const u8 *bytes, size_t n)
{
	__le64 id;

	if (n < 4)
		return 0;
	/* There is nothing to be said afterwards. */
	if (stream->process || word_at(bytes) != PROCESS_WORD) {
		gles_complain(stream->gles, GLES_WRONG,
			      "the guest says something wrong by pipe:GLProcessPipe: its pipe is closed");
		return -EPROTO;
	}
	stream->process = gles_process_new(stream->gles);
	if (!stream->process)
		return -EPROTO;
	id = htole64(stream->process->id);
	memcpy(gles_stream_reply(stream, sizeof(id)), &id, sizeof(id));
	return 4;
}

/* ---- streams ---- */

static const struct gles_service services[] = {
	{ "opengles", opengles_take },
	{ "GLProcessPipe", process_take },
};

/**
 * gles_stream_open - begin a stream
 * @stream: filled
 * @gles: the guest's graphics
 * @name: what the guest has opened
 *
 * Return: 0, or -ENOENT if there is nothing of that name
 */
int gles_stream_open(struct gles_stream *stream, struct gles *gles, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(services); i++) {
		if (strcmp(services[i].name, name))
			continue;
		memset(stream, 0, sizeof(*stream));
		stream->gles = gles;
		stream->service = &services[i];
		gles->streams++;
		return 0;
	}
	return -ENOENT;
}

/**
 * gles_stream_take - take what the guest says
 * @stream: the stream
 * @bytes: what it says, from where the last call has ended
 * @n: bytes of it; with GLES_PACKET of them at least, all that may come is taken
 *
 * Return: bytes that were taken; 0 if more have to come, or an answer has to be read first;
 *	-EPROTO if it is nothing that can be said: the stream is to be closed
 */
ssize_t gles_stream_take(struct gles_stream *stream, const u8 *bytes, size_t n)
{
	size_t used = 0;
	ssize_t one = 1;

	while (one > 0 && used < n && !stream->out_len) {
		one = stream->service->take(stream, bytes + used, n - used);
		if (one > 0)
			used += one;
	}
	return one < 0 ? one : (ssize_t)used;
}

/**
 * gles_stream_peek - look at what waits for the guest
 * @stream: the stream
 * @bytes: where it is
 *
 * Return: how many
 */
size_t gles_stream_peek(const struct gles_stream *stream, const u8 **bytes)
{
	*bytes = stream->out + stream->out_first;
	return stream->out_len;
}

/**
 * gles_stream_sent - what waited is on its way
 * @stream: the stream
 * @n: bytes of it
 */
void gles_stream_sent(struct gles_stream *stream, size_t n)
{
	stream->out_first += n;
	stream->out_len -= n;
	if (!stream->out_len && stream->picture.active && stream->picture.out)
		picture_give(stream);
}

/**
 * gles_stream_close - end a stream, and the process with its GLProcessPipe
 * @stream: the stream
 *
 * With the guest's last stream its picture goes from the screen.
 */
void gles_stream_close(struct gles_stream *stream)
{
	struct gles *gles = stream->gles;

	if (stream->process)
		gles_drop_all(gles, stream->process);
	gles_drop_all(gles, &stream->own);
	gles->streams--;
	if (!gles->streams && gles->posted)
		gles_post(gles, NULL);
}
