// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of ranchu-gles behind a transport, for a benchmark: commands of OpenGL ES are
 * looked at and counted, and drawn by nobody.
 *
 *	gles_sink ring SOCKET NAME	serves pipe:NAME by rings; SOCKET is --pipe-socket's
 *	gles_sink socket PATH		serves who connects to PATH
 *	gles_sink alone FRAMES		says what the parser itself takes for frames
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gl_frame.h"
#include "gles.h"
#include "ranchu_pipe.h"

#define RING_IN		(256u << 10)
#define RING_OUT	(64u << 10)

static struct gles gles;
static unsigned long commands;

static void on_post(void *arg, const struct gles_buffer *buffer)
{
	(void)arg;
	(void)buffer;
}

/* Looks at the arguments, as whoever carries it out would. */
static int on_command(void *arg, u32 opcode, const u8 *args, size_t len)
{
	(void)arg;
	commands += opcode + (len ? args[len - 1] : 0);
	return 0;
}

static const struct gles_ops ops = { .post = on_post, .command = on_command };

static struct gles_stream *begin(void)
{
	struct gles_stream *stream = malloc(sizeof(*stream));

	if (!stream || gles_stream_open(stream, &gles, "opengles"))
		exit(1);
	return stream;
}

static void end(struct gles_stream *stream)
{
	gles_stream_close(stream);
	free(stream);
}

/* ---- rings ---- */

static void ring_serve(struct ranchu_pipe *pipe)
{
	struct gles_stream *stream = begin();
	const u8 *answer;
	const void *in;
	ssize_t n, taken = 0;
	size_t out;

	while ((n = ranchu_pipe_peek(pipe, &in)) >= 0 && taken >= 0) {
		taken = gles_stream_take(stream, in, n);
		if (taken < 0)
			break;
		ranchu_pipe_consume(pipe, taken);
		out = gles_stream_peek(stream, &answer);
		if (out && ranchu_pipe_write(pipe, answer, out) < 0)
			break;
		gles_stream_sent(stream, out);
		if (!taken && ranchu_pipe_wait_more(pipe, n))
			break;
	}
	end(stream);
	ranchu_pipe_close(pipe);
}

static int ring_main(const char *socket, const char *name)
{
	struct vhost_goldfish_pipe_event event;
	struct ranchu_pipe pipe;
	int services;

	/* The VM comes later. */
	while ((services = ranchu_services_connect(socket)) < 0)
		usleep(100000);
	if (ranchu_services_add(services, name))
		return 1;
	while (ranchu_services_next(services, &event) == 1) {
		if (!ranchu_pipe_accept(&pipe, services, event.open, RING_IN, RING_OUT, -1))
			ring_serve(&pipe);
	}
	return 0;
}

/* ---- a socket ---- */

static void socket_serve(int fd)
{
	struct gles_stream *stream = begin();
	static u8 in[RING_IN];
	const u8 *answer;
	size_t have = 0, out;
	ssize_t n, taken;

	while ((n = read(fd, in + have, sizeof(in) - have)) > 0) {
		have += n;
		do {
			taken = gles_stream_take(stream, in, have);
			if (taken < 0)
				break;
			have -= taken;
			memmove(in, in + taken, have);
			out = gles_stream_peek(stream, &answer);
			if (out && write(fd, answer, out) != (ssize_t)out)
				taken = -EPIPE;
			gles_stream_sent(stream, out);
		} while (taken > 0);
		if (taken < 0)
			break;
	}
	end(stream);
	close(fd);
}

static int socket_main(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, listening = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listening, 4))
		return 1;
	while ((fd = accept(listening, NULL, NULL)) >= 0)
		socket_serve(fd);
	return 1;
}

/* ---- nothing ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int alone_main(unsigned int frames)
{
	static u8 frame[GL_FRAME_MAX];
	size_t n = gl_frame(frame);
	struct gles_stream *stream = begin();
	double start;
	unsigned int i;

	gles_stream_take(stream, (const u8 *)"\0\0\0", 4);
	start = seconds();
	for (i = 0; i < frames; i++) {
		if (gles_stream_take(stream, frame, n) != (ssize_t)n)
			return 1;
	}
	printf("BENCH parser_alone ns=%.1f ops=%u bytes=%zu\n",
	       (seconds() - start) * 1e9 / frames, frames, n);
	end(stream);
	return 0;
}

int main(int argc, char **argv)
{
	gles.ops = &ops;
	gles.buffers.most = GLES_MEMORY;
	if (argc == 4 && !strcmp(argv[1], "ring"))
		return ring_main(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "socket"))
		return socket_main(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "alone"))
		return alone_main(strtoul(argv[2], NULL, 0));
	return 2;
}
