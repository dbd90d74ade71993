// SPDX-License-Identifier: GPL-2.0-only
/*
 * One loop serves the guest's pipes, its fences and its screen. Pipes are rings in shared memory
 * (libranchu-pipe); packets are parsed in the ring, without a copy.
 *
 * Nothing here waits for the guest. A pipe is served a few rounds at a time, so that a guest
 * that always writes to one pipe does not block the others.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/goldfish_sync.h>
#include <linux/vhost_goldfish_sync.h>

#include "host/log.h"
#include "ranchu_pipe.h"
#include "screen.h"

#define RING_IN		(256u << 10)	/* more than GLES_PACKET */
#define RING_OUT	(64u << 10)
#define ROUNDS		16		/* of one pipe in a row */
#define OPENS		16		/* opens that are answered in a row */
#define WAITS		64		/* waits of the guest's fences that are answered in a row */

/**
 * struct served - a pipe that the guest has open
 * @used: the element is used
 * @again: it has more to do, without a wake-up
 * @left: bytes that were seen and not consumed, a part of a packet
 * @pipe: its rings
 * @stream: its stream
 */
struct served {
	bool used;
	bool again;
	size_t left;
	struct ranchu_pipe pipe;
	struct gles_stream stream;
};

/**
 * struct server - the program
 * @gles: the guest's graphics
 * @screen: the screen's connection
 * @services: the file of services
 * @sync: the guest's fences, or -1
 * @wake: eventfd, signalled when a pipe has something to do
 * @full: a pipe was refused, and a message was written
 * @served: pipes
 */
struct server {
	struct gles *gles;
	struct screen *screen;
	int services;
	int sync;
	int wake;
	bool full;
	struct served served[SERVER_PIPES];
};

/* ---- a pipe ---- */

static void served_end(struct served *served)
{
	gles_stream_close(&served->stream);
	ranchu_pipe_close(&served->pipe);
	served->used = false;
	served->again = false;
}

/* Sends answers. Returns the number of bytes, or -errno if the pipe is at its end. */
static ssize_t pump_out(struct served *served)
{
	const u8 *bytes;
	size_t n = gles_stream_peek(&served->stream, &bytes);
	ssize_t room;
	void *to;

	if (!n)
		return 0;
	room = ranchu_pipe_room(&served->pipe, &to);
	if (room <= 0)
		return room;
	if ((size_t)room < n)
		n = room;
	memcpy(to, bytes, n);
	ranchu_pipe_produce(&served->pipe, n);
	gles_stream_sent(&served->stream, n);
	return n;
}

/* Handles the guest's bytes. Returns as pump_out(). */
static ssize_t pump_in(struct served *served)
{
	const void *bytes;
	ssize_t n = ranchu_pipe_peek(&served->pipe, &bytes);
	ssize_t taken;

	if (n <= 0)
		return n;
	taken = gles_stream_take(&served->stream, bytes, n);
	if (taken > 0)
		ranchu_pipe_consume(&served->pipe, taken);
	served->left = taken > 0 ? n - taken : n;
	return taken;
}

/* Waits for room if there is an answer to send, else for more bytes of a packet. */
static void served_listen(struct served *served)
{
	const u8 *bytes;
	int more;

	if (gles_stream_peek(&served->stream, &bytes)) {
		served->again = ranchu_pipe_listen(&served->pipe, RANCHU_PIPE_WRITE);
		return;
	}
	more = ranchu_pipe_more(&served->pipe, served->left);
	served->again = more > 0;
	if (more < 0)
		served_end(served);
}

static void served_pump(struct served *served)
{
	unsigned int i;
	ssize_t out = 1;
	ssize_t in = 1;

	for (i = 0; i < ROUNDS && (out || in); i++) {
		out = pump_out(served);
		in = out < 0 ? out : pump_in(served);
		if (in < 0) {
			served_end(served);
			return;
		}
	}
	served->again = true;
	if (!out && !in)
		served_listen(served);
}

/* ---- opens ---- */

static struct served *served_new(struct server *server)
{
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		if (!server->served[i].used)
			return &server->served[i];
	}
	if (!server->full)
		vmm_note("the guest has %u pipes open: further ones are refused", SERVER_PIPES);
	server->full = true;
	return NULL;
}

static void server_answer(struct server *server, const struct vhost_goldfish_pipe_event *event)
{
	struct served *served = served_new(server);

	if (!served || gles_stream_open(&served->stream, server->gles, event->name)) {
		ranchu_pipe_refuse(server->services, event->open);
		return;
	}
	if (ranchu_pipe_accept(&served->pipe, server->services, event->open, RING_IN, RING_OUT,
			       server->wake)) {
		gles_stream_close(&served->stream);
		/*
		 * Refuses the pipe after an error: without an answer, the guest would wait for
		 * ever.
		 */
		ranchu_pipe_refuse(server->services, event->open);
		return;
	}
	served->left = 0;
	served->used = true;
	served->again = true;
}

/* Answers opens. Returns 0, or -EPIPE if the guest has ended. */
static int server_opens(struct server *server)
{
	struct vhost_goldfish_pipe_event event;
	unsigned int i;
	int n;

	for (i = 0; i < OPENS; i++) {
		n = ranchu_services_next(server->services, &event);
		if (n != 1)
			return n == -EAGAIN ? 0 : -EPIPE;
		server_answer(server, &event);
	}
	return 0;
}

/* ---- fences ---- */

/*
 * Each fence of the guest waits for a sync object. A sync object is signalled as soon as it is
 * created (control.c), so each wait is answered at once.
 */
static void server_fences(struct server *server)
{
	struct vhost_goldfish_sync_event events[WAITS];
	ssize_t n = read(server->sync, events, sizeof(events));
	ssize_t i;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(server->sync);
		server->sync = -1;
		return;
	}
	for (i = 0; i < n / (ssize_t)sizeof(events[0]); i++) {
		struct vhost_goldfish_sync_command command = {
			.cmd = GOLDFISH_SYNC_CMD_TIMELINE_INC, .value = 1, .id = events[i].id,
		};

		/* ENOENT: the guest's driver was started again. */
		if (events[i].type == VHOST_GOLDFISH_SYNC_EVENT_WAIT)
			ioctl(server->sync, VHOST_GOLDFISH_SYNC_COMMAND, &command);
	}
}

/* ---- the loop ---- */

static bool server_busy(const struct server *server)
{
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		if (server->served[i].used && server->served[i].again)
			return true;
	}
	return false;
}

static void server_pump(struct server *server, bool all)
{
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		struct served *served = &server->served[i];

		if (served->used && (all || served->again))
			served_pump(served);
	}
}

static int server_serve(struct server *server)
{
	struct pollfd files[] = {
		{ .fd = server->services, .events = POLLIN },
		{ .fd = server->wake, .events = POLLIN },
		{ .fd = server->sync, .events = POLLIN },
		{ .fd = server->screen->sock, .events = POLLIN },
	};
	eventfd_t count;
	int err = 0;

	if (poll(files, ARRAY_SIZE(files), server_busy(server) ? 0 : -1) < 0)
		return errno == EINTR ? 0 : vmm_error(errno, "poll");
	/* Cleared before the pipes are checked: later changes signal it again. */
	if (files[1].revents)
		eventfd_read(server->wake, &count);
	/* Pipes first: one that the guest has closed makes room for a new one. */
	server_pump(server, files[1].revents);
	if (files[0].revents)
		err = server_opens(server);
	if (err)
		return err;
	/* Fences after pipes, whose packets create sync objects. */
	if (files[2].revents)
		server_fences(server);
	if (files[3].revents)
		screen_ready(server->screen);
	return 0;
}

/**
 * server_run - serve the guest until the VM ends
 * @gles: the guest's graphics
 * @screen: the screen's connection
 * @services_fd: the file of services, non-blocking; its names are registered
 * @sync_fd: the renderer's file of the sync device, non-blocking, or -1
 *
 * Return: 0 when the VM has ended, or -errno after a message
 */
int server_run(struct gles *gles, struct screen *screen, int services_fd, int sync_fd)
{
	struct server *server = calloc(1, sizeof(*server));
	unsigned int i;
	int err = 0;

	if (!server)
		return vmm_error(ENOMEM, "pipes");
	server->gles = gles;
	server->screen = screen;
	server->services = services_fd;
	server->sync = sync_fd;
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake < 0)
		err = vmm_error(errno, "eventfd");
	while (!err)
		err = server_serve(server);
	for (i = 0; i < SERVER_PIPES; i++) {
		if (server->served[i].used)
			served_end(&server->served[i]);
	}
	if (server->wake >= 0)
		close(server->wake);
	free(server);
	return err == -EPIPE ? 0 : err;
}
