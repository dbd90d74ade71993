// SPDX-License-Identifier: GPL-2.0-only
/*
 * Splits the bytes of a pipe into packets. A packet is an opcode, its size including this
 * header, and arguments; answers have no header. Packets are parsed in place; pixels are
 * converted directly into the colour buffer, in parts of any size.
 *
 * While the guest does not read an answer, its bytes are not handled: one answer is kept.
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
#define PROCESS_WORD	100	/* the first word of a GLProcessPipe */
#define CONTROL_FIRST	10000	/* first opcode of renderControl */
#define CONTROL_LAST	10999

/**
 * struct gles_service - a service that a guest can open
 * @name: its name
 * @take: handles bytes; returns how many, 0 if more are needed, or -EPROTO
 */
struct gles_service {
	const char *name;
	ssize_t (*take)(struct gles_stream *stream, const u8 *bytes, size_t n);
};

/* ---- common functions of all streams ---- */

/**
 * gles_complain - write a message about the guest, once for each kind
 * @gles: the guest's graphics
 * @what: the kind
 * @fmt: the message
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
 * @buffer: the picture, which is held while it is shown; NULL for none
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
 * gles_close - free everything of the guest
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
 * gles_stream_holder - return the holder of a stream's colour buffers
 * @stream: the stream
 *
 * Return: the process that it has named, if it exists; else the stream's own
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
 * @stream: the stream, whose last answer was sent
 * @n: bytes of the answer, GLES_REPLY at most
 *
 * Return: buffer for the answer, zeroed
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
 * Returns the colour buffer if the pixels are inside it. Between two parts of a transfer it
 * may be freed, and another one with the same handle and another size may exist.
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

/* Returns the address of the next pixel, and how many of its row remain. */
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

/* Completes a pixel that comes in two parts. */
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

/* Receives pixels; consumes all @n bytes if so many are missing. */
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

/* Makes the next part of pixels for the guest. */
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
		      "the guest sent a wrong packet to pipe:opengles (command %u of %u bytes): its pipe is closed",
		      opcode, size);
	return -EPROTO;
}

static int unknown(struct gles_stream *stream, u32 opcode)
{
	bool gl = opcode < CONTROL_FIRST || opcode > CONTROL_LAST;

	gles_complain(stream->gles, GLES_UNKNOWN,
		      "the guest's command %u of pipe:opengles is %s: its pipe is closed", opcode,
		      gl ? "of OpenGL or Vulkan, which are not supported" : "not known");
	return -EPROTO;
}

/* Handles arguments that are followed by pixels. */
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
	/* The packet's size must match the number of pixels. */
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
		/* The client's flags, which are ignored. */
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
	/* Nothing may follow the first word. */
	if (stream->process || word_at(bytes) != PROCESS_WORD) {
		gles_complain(stream->gles, GLES_WRONG,
			      "the guest sent a wrong word to pipe:GLProcessPipe: its pipe is closed");
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
 * gles_stream_open - open a stream
 * @stream: filled
 * @gles: the guest's graphics
 * @name: name of the service
 *
 * Return: 0, or -ENOENT if there is no such service
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
 * gles_stream_take - handle the guest's bytes
 * @stream: the stream
 * @bytes: the bytes, from the end of those that the last call has consumed
 * @n: how many; with at least GLES_PACKET, a packet is always consumed
 *
 * Return: consumed bytes; 0 if more are needed, or an answer has to be read first;
 *	-EPROTO for a wrong packet: the stream must be closed
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
 * gles_stream_peek - return the bytes to send to the guest
 * @stream: the stream
 * @bytes: filled with the bytes
 *
 * Return: how many
 */
size_t gles_stream_peek(const struct gles_stream *stream, const u8 **bytes)
{
	*bytes = stream->out + stream->out_first;
	return stream->out_len;
}

/**
 * gles_stream_sent - call after bytes were sent to the guest
 * @stream: the stream
 * @n: how many were sent
 */
void gles_stream_sent(struct gles_stream *stream, size_t n)
{
	stream->out_first += n;
	stream->out_len -= n;
	if (!stream->out_len && stream->picture.active && stream->picture.out)
		picture_give(stream);
}

/**
 * gles_stream_close - close a stream; a GLProcessPipe ends its process
 * @stream: the stream
 *
 * With the guest's last stream, the screen becomes empty.
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
