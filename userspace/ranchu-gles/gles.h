/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol between a guest's OpenGL ES library and its emulator. The pipes that carry it are
 * server.c's, so that tests and fuzzers can use the protocol without them. A stream is one pipe
 * that the guest has opened: its functions take the guest's bytes and make the answers.
 *
 * Every byte that a stream takes is the guest's, and may be anything. A packet has a bounded
 * length. Pixels may be longer, and are not kept. A stream with a wrong packet ends.
 */
#ifndef GLES_H
#define GLES_H

#include <sys/types.h>

#include "types.h"

#define GLES_BUFFERS	1024		/* colour buffers */
#define GLES_SIDE	16384		/* pixels of a side of one, at most */
#define GLES_MEMORY	(256 * MIB)	/* of all, if the command line says nothing */
#define GLES_PROCESSES	64		/* of the guest's */
#define GLES_HELD	256		/* colour buffers that a process of the guest's holds */
#define GLES_PACKET	(64 * KIB)	/* bytes of a packet that is no picture, at most */
#define GLES_REPLY	(32 * KIB)	/* bytes of what one is answered, at most */

/* ---- buffer.c: pictures that the guest's processes share ---- */

/**
 * struct gles_buffer - a colour buffer
 * @handle: what the guest calls it by
 * @width: pixels of a row
 * @height: rows
 * @holders: how often it is held; it goes when nobody holds it
 * @fd: its pixels as a file, which never changes its size
 * @pixels: the same in memory: blue, green, red, alpha
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
 * @slot: the buffers; a buffer's place here is a part of its handle
 * @memory: bytes of all pixels
 * @most: limit of @memory
 * @serial: how many were made so far, so that no handle comes again soon
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

/* Formats of the guest's pixels. A kind is a number of this program's. */
int gles_pixels_find(u32 format, u32 type);
unsigned int gles_pixels_bytes(int kind);
void gles_pixels_in(int kind, u32 *to, const u8 *from, size_t count);
void gles_pixels_out(int kind, u8 *to, const u32 *from, size_t count);

/* ---- process.c: processes of the guest's, and what they hold ---- */

/**
 * struct gles_holder - a process of the guest's, or a stream that has not said of which it is
 * @id: the process's number, 0 for none
 * @count: how many elements of @held are used
 * @held: colour buffers, and how often each
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

/* ---- the whole ---- */

/**
 * struct gles_ops - what the user of this protocol adds to it
 * @post: shows a picture, or nothing if @buffer is NULL. The picture is kept until the next one
 *	is posted
 * @command: carries out a command of OpenGL ES or Vulkan: 0, or -errno to end the stream. If it
 *	is NULL, such a command ends the stream
 */
struct gles_ops {
	void (*post)(void *arg, const struct gles_buffer *buffer);
	int (*command)(void *arg, u32 opcode, const u8 *args, size_t len);
};

/* The user is told of each kind once, so that a guest cannot fill the log. */
enum gles_complaint {
	GLES_UNKNOWN,		/* a command that nobody carries out */
	GLES_WRONG,		/* a packet with a wrong size or wrong arguments */
	GLES_FULL,		/* a limit was reached */
	GLES_COMPLAINTS,
};

/**
 * struct gles - the state of the guest's graphics
 * @ops: what the user of this protocol adds to it
 * @arg: first argument of @ops' functions
 * @width: pixels of a row of the screen
 * @height: rows
 * @fences: the guest's fences are served
 * @buffers: colour buffers
 * @posted: the buffer that the screen shows, which holds it; or NULL
 * @processes: of the guest; an id of 0 is a free place
 * @last_id: the newest process's
 * @last_sync: number of the newest sync object
 * @streams: how many are open
 * @complained: the user was told, by enum gles_complaint
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
 * struct gles_picture - pixels that come or go, in a stream
 * @active: there are some
 * @out: they go to the guest
 * @handle: the colour buffer's, which may be gone meanwhile
 * @kind: of pixels
 * @x: first pixel of a row
 * @y: first row
 * @width: pixels of a row
 * @height: rows
 * @total: pixels of all
 * @done: of these, came or gone
 * @part: bytes of a pixel that has not come as a whole
 * @part_len: how many
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
 * @begun: the first word was taken
 * @process: the process that this GLProcessPipe has made, or NULL
 * @puid: number of the process that the guest says this stream belongs to; 0 for none
 * @own: holds the stream's colour buffers as long as it belongs to no process
 * @picture: pixels that come or go
 * @out: an answer that waits for the guest
 * @out_first: the first byte that was not sent
 * @out_len: how many bytes were not sent
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
 * struct gles_args - what is behind a packet's head
 * @at: the next byte
 * @left: how many there are
 * @bad: more was read than there is
 */
struct gles_args {
	const u8 *at;
	size_t left;
	bool bad;
};

/**
 * struct gles_command - a command
 * @name: as renderControl has it; NULL: there is no such command
 * @size: bytes of its arguments; with pixels, of those in front; 0xffff: it looks itself
 * @pixels: pixels are behind the arguments
 * @run: does it: 0, or -EPROTO if it is none
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
