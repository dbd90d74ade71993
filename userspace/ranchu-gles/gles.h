/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between a guest's OpenGL ES library and its emulator. server.c has the pipes,
 * so tests and fuzzers can use the protocol without them. A stream is one pipe that the guest
 * has opened: its functions handle the guest's bytes and make the answers.
 *
 * The bytes come from the guest and are not trusted. The length of a packet is limited. Pixels
 * may be longer, and are not buffered. A stream with a wrong packet is closed.
 */
#ifndef GLES_H
#define GLES_H

#include <sys/types.h>

#include "types.h"

#define GLES_BUFFERS	1024		/* colour buffers */
#define GLES_SIDE	16384		/* width and height of a buffer in pixels, at most */
#define GLES_MEMORY	(256 * MIB)	/* bytes of all buffers, by default */
#define GLES_PROCESSES	64		/* processes of the guest, at most */
#define GLES_HELD	256		/* colour buffers that a process of the guest can hold */
#define GLES_PACKET	(64 * KIB)	/* bytes of a packet without pixels, at most */
#define GLES_REPLY	(32 * KIB)	/* bytes of an answer without pixels, at most */

/* ---- buffer.c: colour buffers, shared by the guest's processes ---- */

/**
 * struct gles_buffer - a colour buffer
 * @handle: the guest's handle
 * @width: pixels of a row
 * @height: rows
 * @holders: references; it is freed with the last one
 * @fd: memory file of its pixels, of fixed size
 * @pixels: its pixels: blue, green, red, alpha
 */
struct gles_buffer {
	u32 handle;
	u32 width;
	u32 height;
	u32 holders;
	int fd;
	u32 *pixels;
};

/**
 * struct gles_buffers - all colour buffers
 * @slot: the buffers; a buffer's index is a part of its handle
 * @memory: bytes of all pixels
 * @most: limit of @memory
 * @serial: number of buffers created so far, so that handles are not reused soon
 */
struct gles_buffers {
	struct gles_buffer *slot[GLES_BUFFERS];
	u64 memory;
	u64 most;
	u32 serial;
};

struct gles_buffer *gles_buffer_new(struct gles_buffers *buffers, u32 width, u32 height);
struct gles_buffer *gles_buffer_find(const struct gles_buffers *buffers, u32 handle);
void gles_buffer_hold(struct gles_buffer *buffer);
void gles_buffer_drop(struct gles_buffers *buffers, struct gles_buffer *buffer);

/* Formats of the guest's pixels. A kind is an index in this program's table. */
int gles_pixels_find(u32 format, u32 type);
unsigned int gles_pixels_bytes(int kind);
void gles_pixels_in(int kind, u32 *to, const u8 *from, size_t count);
void gles_pixels_out(int kind, u8 *to, const u32 *from, size_t count);

/* ---- process.c: processes of the guest, and the buffers that they hold ---- */

/**
 * struct gles_holder - a process of the guest, or a stream that has not named its process
 * @id: the process's number, 0 for none
 * @count: used elements of @held
 * @held: colour buffers, and how often each is held
 */
struct gles_holder {
	u64 id;
	unsigned int count;
	struct {
		u32 handle;
		u32 times;
	} held[GLES_HELD];
};

struct gles;

struct gles_holder *gles_process_new(struct gles *gles);
struct gles_holder *gles_process_find(struct gles *gles, u64 id);
int gles_hold(struct gles *gles, struct gles_holder *holder, struct gles_buffer *buffer);
void gles_drop(struct gles *gles, struct gles_holder *holder, u32 handle);
void gles_drop_all(struct gles *gles, struct gles_holder *holder);

/* ---- the guest's graphics ---- */

/**
 * struct gles_ops - callbacks for the user of this protocol
 * @post: shows a picture, or nothing if @buffer is NULL. The picture is kept until the next one
 *	is posted
 * @command: runs a command of OpenGL ES or Vulkan: 0, or -errno to end the stream. If it
 *	is NULL, such a command ends the stream
 */
struct gles_ops {
	void (*post)(void *arg, const struct gles_buffer *buffer);
	int (*command)(void *arg, u32 opcode, const u8 *args, size_t len);
};

/* Kinds of messages; each is written once, so that a guest cannot fill the log. */
enum gles_complaint {
	GLES_UNKNOWN,		/* an unsupported command */
	GLES_WRONG,		/* a packet with a wrong size or wrong arguments */
	GLES_FULL,		/* a limit was reached */
	GLES_COMPLAINTS,
};

/**
 * struct gles - the state of the guest's graphics
 * @ops: callbacks
 * @arg: first argument of @ops' functions
 * @width: pixels of a row of the screen
 * @height: rows
 * @fences: the guest has fences (--sync-socket)
 * @buffers: colour buffers
 * @posted: the buffer that the screen shows, which holds it; or NULL
 * @processes: processes of the guest; an ID of 0 is a free element
 * @last_id: ID of the newest process
 * @last_sync: number of the newest sync object
 * @streams: number of open streams
 * @complained: messages that were written, by enum gles_complaint
 */
struct gles {
	const struct gles_ops *ops;
	void *arg;
	u32 width;
	u32 height;
	bool fences;
	struct gles_buffers buffers;
	struct gles_buffer *posted;
	struct gles_holder processes[GLES_PROCESSES];
	u64 last_id;
	u64 last_sync;
	unsigned int streams;
	bool complained[GLES_COMPLAINTS];
};

void gles_post(struct gles *gles, struct gles_buffer *buffer);
void gles_complain(struct gles *gles, enum gles_complaint what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void gles_close(struct gles *gles);

/* ---- stream.c: pipes ---- */

/**
 * struct gles_picture - pixels that are being transferred in a stream
 * @active: a transfer is in progress
 * @out: they go to the guest
 * @handle: handle of the colour buffer, which may be freed meanwhile
 * @kind: index of the pixel format
 * @x: first pixel of a row
 * @y: first row
 * @width: pixels of a row
 * @height: rows
 * @total: pixels of the transfer
 * @done: pixels transferred so far
 * @part: bytes of an incomplete pixel
 * @part_len: bytes in @part
 */
struct gles_picture {
	bool active;
	bool out;
	u32 handle;
	int kind;
	u32 x;
	u32 y;
	u32 width;
	u32 height;
	u64 total;
	u64 done;
	u8 part[4];
	u32 part_len;
};

/**
 * struct gles_stream - a pipe that the guest has opened
 * @gles: the guest's graphics
 * @service: the service that the guest has opened
 * @begun: the first word was received
 * @process: the process that this GLProcessPipe has created, or NULL
 * @puid: ID of the process that the guest has named for this stream; 0 for none
 * @own: holds the stream's colour buffers as long as it has no process
 * @picture: pixels that are being transferred
 * @out: an answer that is being sent
 * @out_first: first byte that was not sent
 * @out_len: bytes that were not sent
 */
struct gles_stream {
	struct gles *gles;
	const struct gles_service *service;
	bool begun;
	struct gles_holder *process;
	u64 puid;
	struct gles_holder own;
	struct gles_picture picture;
	u8 out[GLES_REPLY];
	size_t out_first;
	size_t out_len;
};

int gles_stream_open(struct gles_stream *stream, struct gles *gles, const char *name);
ssize_t gles_stream_take(struct gles_stream *stream, const u8 *bytes, size_t n);
size_t gles_stream_peek(const struct gles_stream *stream, const u8 **bytes);
void gles_stream_sent(struct gles_stream *stream, size_t n);
void gles_stream_close(struct gles_stream *stream);

/* For commands. */
struct gles_holder *gles_stream_holder(struct gles_stream *stream);
u8 *gles_stream_reply(struct gles_stream *stream, size_t n);

/* ---- control.c: the commands of renderControl ---- */

/**
 * struct gles_args - arguments of a packet
 * @at: the next byte
 * @left: remaining bytes
 * @bad: more bytes were read than there are
 */
struct gles_args {
	const u8 *at;
	size_t left;
	bool bad;
};

/**
 * struct gles_command - a command
 * @name: its name in renderControl; NULL: there is no such command
 * @size: bytes of its arguments, without pixels; 0xffff: checked by @run
 * @pixels: pixels follow the arguments
 * @run: runs it: 0, or -EPROTO if it is invalid
 */
struct gles_command {
	const char *name;
	u16 size;
	bool pixels;
	int (*run)(struct gles_stream *stream, struct gles_args *args);
};

#define GLES_ANY_SIZE	0xffff

u32 gles_arg(struct gles_args *args);
const struct gles_command *gles_command_find(u32 opcode);

#endif /* GLES_H */
