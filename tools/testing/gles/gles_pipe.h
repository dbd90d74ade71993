/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of a guest's OpenGL ES library to its emulator, over the stock driver of the goldfish
 * pipe, for programs that run in a guest.
 *
 * Source: google/gfxstream, guest/OpenglSystemCommon and guest/renderControl_enc @9fcff254b.
 */
#ifndef GLES_PIPE_H
#define GLES_PIPE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GLES_NODE	"/dev/goldfish_pipe"
#define GLES_RGBA	0x1908
#define GLES_RGB	0x1907
#define GLES_UBYTE	0x1401

/* Opcodes. */
enum {
	GLES_GET_VERSION = 10000,
	GLES_GET_FB_PARAM = 10007,
	GLES_CREATE_BUFFER = 10012,
	GLES_CLOSE_BUFFER = 10014,
	GLES_POST = 10018,
	GLES_READ_BUFFER = 10023,
	GLES_UPDATE_BUFFER = 10024,
	GLES_CREATE_SYNC = 10029,
	GLES_DESTROY_SYNC = 10032,
	GLES_SET_PUID = 10033,
	GLES_GET_EXTENSIONS = 10069,
};

static inline void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	printf("gles_guest: ");
	vprintf(fmt, args);
	printf(" (%s)\n", strerror(err));
	va_end(args);
	exit(1);
}

static inline void write_all(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;
	ssize_t done;

	for (; n; at += done, n -= done) {
		done = write(fd, at, n);
		if (done <= 0)
			fail("cannot write");
	}
}

static inline void read_all(int fd, void *bytes, size_t n)
{
	char *at = bytes;
	ssize_t done;

	for (; n; at += done, n -= done) {
		done = read(fd, at, n);
		if (done <= 0)
			fail("cannot read");
	}
}

/* Opens a pipe; returns -1 if it is refused. */
static inline int pipe_try(const char *name)
{
	char text[64];
	int fd = open(GLES_NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s", GLES_NODE);
	snprintf(text, sizeof(text), "pipe:%s", name);
	if (write(fd, text, strlen(text) + 1) == (ssize_t)strlen(text) + 1)
		return fd;
	close(fd);
	return -1;
}

/* Opens the pipe of a thread, as the library does. */
static inline int opengles_open(void)
{
	static const uint32_t flags;
	int fd = pipe_try("opengles");

	if (fd < 0)
		fail("pipe:opengles is refused");
	write_all(fd, &flags, sizeof(flags));
	return fd;
}

/* Opens the pipe of the process, as the library does; it stays open. */
static inline uint64_t process_begin(void)
{
	static const uint32_t word = 100;
	uint64_t id;
	int fd = pipe_try("GLProcessPipe");

	if (fd < 0)
		fail("pipe:GLProcessPipe is refused");
	write_all(fd, &word, sizeof(word));
	read_all(fd, &id, sizeof(id));
	return id;
}

static inline void say_words(int fd, uint32_t opcode, const uint32_t *args, unsigned int count)
{
	uint32_t words[18] = { opcode, 8 + 4 * count };

	if (count)
		memcpy(words + 2, args, 4 * count);
	write_all(fd, words, 8 + 4 * count);
}

#define SAY(fd, opcode, ...)							\
	say_words(fd, opcode, (const uint32_t[]){ 0, ##__VA_ARGS__ } + 1,	\
		  sizeof((const uint32_t[]){ 0, ##__VA_ARGS__ }) / 4 - 1)

static inline uint32_t answer(int fd)
{
	uint32_t word;

	read_all(fd, &word, sizeof(word));
	return word;
}

#define ASK(fd, opcode, ...) ({ SAY(fd, opcode, ##__VA_ARGS__); answer(fd); })

#endif /* GLES_PIPE_H */
