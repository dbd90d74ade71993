// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes of the guest, by rings in shared memory (libranchu-pipe), and the link to vmmctl:
 * one loop that moves bytes between rings and channels, and records between the link and
 * the guest's state.
 *
 * The loop never waits for the guest. A pipe is served a few rounds at a time, so that one
 * that is always busy does not starve the others. vmmctl is told the newest state, at most
 * 20 times a second, however often the guest changes it.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "host/log.h"
#include "ranchu_pipe.h"
#include "server.h"

#define RING_IN		(32u << 10)	/* more than CHANNEL_MESSAGE */
#define RING_OUT	(64u << 10)
#define ROUNDS		16		/* rounds of a pipe in a row */
#define OPENS		16		/* opens answered in a row */
#define TELL_NS		50000000LL	/* least time between two records to vmmctl */
#define MS		1000000LL

/**
 * struct served - a pipe that the guest has open
 * @used: the element is used
 * @again: it has more to do without being woken
 * @pipe: its rings
 * @in_len: bytes in @in
 * @in: bytes that the channel has not taken: part of a message, or
 *	messages that have to wait
 * @channel: the channel
 */
struct served {
	bool used;
	bool again;
	struct ranchu_pipe pipe;
	size_t in_len;
	u8 in[CHANNEL_MESSAGE];
	struct channel channel;
};

/**
 * struct server - state of the program
 * @guest: the guest's state
 * @link: connection to vmmctl
 * @services: the file of services
 * @wake: eventfd, signalled when one of the pipes has something to do
 * @told: time of the last record to vmmctl
 * @full: a pipe was refused, and the user was told
 * @record: the record that is being processed
 * @served: pipes
 */
struct server {
	struct guest *guest;
	int link;
	int services;
	int wake;
	s64 told;
	bool full;
	struct vmm_guest_record record;
	struct served served[SERVER_PIPES];
};

static s64 clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* ---- a pipe ---- */

static void served_end(struct served *served)
{
	channel_close(&served->channel);
	ranchu_pipe_close(&served->pipe);
	served->used = false;
	served->again = false;
}

/* Sends queued bytes. Returns bytes moved, or -errno if the pipe is at its end. */
static ssize_t pump_out(struct served *served)
{
	const u8 *bytes;
	size_t n = channel_peek(&served->channel, &bytes);
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
	channel_sent(&served->channel, n);
	return n;
}

/* Receives bytes, likewise. At the end of the pipe, the channel was offered all of them. */
static ssize_t pump_in(struct served *served)
{
	size_t room = sizeof(served->in) - served->in_len;
	const void *bytes;
	ssize_t n = room ? ranchu_pipe_peek(&served->pipe, &bytes) : 0;
	ssize_t taken;

	if (n < 0)
		return n;
	if ((size_t)n > room)
		n = room;
	if (n) {
		memcpy(served->in + served->in_len, bytes, n);
		served->in_len += n;
		ranchu_pipe_consume(&served->pipe, n);
	}
	taken = channel_take(&served->channel, served->in, served->in_len);
	if (taken < 0)
		return taken;
	served->in_len -= taken;
	memmove(served->in, served->in + taken, served->in_len);
	return n + taken;
}

/* Asks for the wakeups that are needed: room for queued bytes, and bytes if there is room. */
static void served_listen(struct served *served)
{
	const u8 *bytes;
	int what = channel_peek(&served->channel, &bytes) ? RANCHU_PIPE_WRITE : 0;

	if (served->in_len < sizeof(served->in))
		what |= RANCHU_PIPE_READ;
	served->again = ranchu_pipe_listen(&served->pipe, what);
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
	const char *args = event->flags & VHOST_GOLDFISH_PIPE_EVENT_ARGS ? event->args : NULL;
	struct served *served = served_new(server);

	if (!served || channel_open(&served->channel, server->guest, event->name, args)) {
		ranchu_pipe_refuse(server->services, event->open);
		return;
	}
	if (ranchu_pipe_accept(&served->pipe, server->services, event->open, RING_IN, RING_OUT,
			       server->wake)) {
		channel_close(&served->channel);
		/* Without memory or files: an open without an answer would stay pending. */
		ranchu_pipe_refuse(server->services, event->open);
		return;
	}
	served->in_len = 0;
	served->used = true;
	served->again = true;
}

/* Returns 0, or -EPIPE if the guest has ended. */
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

/* ---- the link ---- */

static void server_told(struct server *server)
{
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		struct served *served = &server->served[i];

		if (!served->used || !served->channel.service->told)
			continue;
		served->channel.service->told(&served->channel, &server->record);
		served->again = true;
	}
}

static int server_records(struct server *server)
{
	unsigned int i;
	size_t len;
	int err = 0;

	for (i = 0; i < OPENS && !err; i++) {
		err = vmm_guest_receive(server->link, &server->record, &len);
		if (!err)
			err = guest_told(server->guest, &server->record, len);
		if (!err)
			server_told(server);
	}
	return err == -EAGAIN ? 0 : err;
}

/* Sends what has changed. What could not be sent is sent the next time. */
static int tell_guest(const struct server *server)
{
	struct guest *guest = server->guest;
	unsigned int i;
	int err = 0;

	if (guest->booted)
		err = vmm_guest_send(server->link, VMM_GUEST_BOOTED, 0, NULL, 0);
	if (!err)
		guest->booted = false;
	if (!err && guest->heartbeats)
		err = vmm_guest_send(server->link, VMM_GUEST_HEARTBEATS,
				     guest->heartbeats < INT_MAX ? guest->heartbeats : INT_MAX,
				     NULL, 0);
	if (!err)
		guest->heartbeats = 0;
	for (i = 0; i < VMM_GUEST_LIGHTS && !err; i++) {
		if (guest->lights & 1U << i)
			err = vmm_guest_send(server->link, VMM_GUEST_LIGHT, i, &guest->light[i],
					     1);
		if (!err)
			guest->lights &= ~(1U << i);
	}
	if (!err && guest->copied)
		err = vmm_guest_send(server->link, VMM_GUEST_CLIPBOARD, 0, guest->copy,
				     guest->copy_len);
	if (!err)
		guest->copied = false;
	return err == -EAGAIN ? 0 : err;
}

static bool to_tell(const struct guest *guest)
{
	return guest->booted || guest->heartbeats || guest->lights || guest->copied;
}

static int server_tell(struct server *server, s64 now)
{
	if (!to_tell(server->guest) || now < server->told + TELL_NS)
		return 0;
	server->told = now;
	return tell_guest(server);
}

/* ---- the loop ---- */

/* Returns the timeout for poll(), in milliseconds; -1 for none. */
static int server_timeout(const struct server *server, s64 now)
{
	s64 due = to_tell(server->guest) ? server->told + TELL_NS : 0;
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		const struct served *served = &server->served[i];

		if (!served->used)
			continue;
		if (served->again)
			return 0;
		if (served->channel.due && (!due || served->channel.due < due))
			due = served->channel.due;
	}
	if (!due)
		return -1;
	return due <= now ? 0 : (due - now + MS - 1) / MS < 1000 ? (due - now + MS - 1) / MS : 1000;
}

static void server_pump(struct server *server, s64 now, bool all)
{
	unsigned int i;

	for (i = 0; i < SERVER_PIPES; i++) {
		struct served *served = &server->served[i];

		if (!served->used)
			continue;
		if (served->channel.due && served->channel.due <= now) {
			channel_tick(&served->channel, now);
			served->again = true;
		}
		if (all || served->again)
			served_pump(served);
	}
}

static int server_serve(struct server *server)
{
	struct pollfd files[] = {
		{ .fd = server->link, .events = POLLIN },
		{ .fd = server->services, .events = POLLIN },
		{ .fd = server->wake, .events = POLLIN },
	};
	eventfd_t count;
	int err = 0;

	if (poll(files, ARRAY_SIZE(files), server_timeout(server, clock_now())) < 0)
		return errno == EINTR ? 0 : vmm_error(errno, "poll");
	/* Read before the pipes are checked: later changes signal it again. */
	if (files[2].revents)
		eventfd_read(server->wake, &count);
	if (files[0].revents)
		err = server_records(server);
	/* After the pipes, because a closed one makes room for a new one. */
	if (!err)
		server_pump(server, clock_now(), files[2].revents);
	if (!err && files[1].revents)
		err = server_opens(server);
	return err ? err : server_tell(server, clock_now());
}

static void random_fill(u8 *to, size_t len)
{
	ssize_t n;

	while (len) {
		n = getrandom(to, len, 0);
		if (n > 0) {
			to += n;
			len -= n;
		}
	}
}

/**
 * server_run - serve the guest until it ends
 * @guest: its state
 * @link_fd: connection to vmmctl
 * @services_fd: the non-blocking file of services; its names are registered
 *
 * Return: 0 when the VM has ended, or -errno after a message
 */
int server_run(struct guest *guest, int link_fd, int services_fd)
{
	struct server *server = calloc(1, sizeof(*server));
	unsigned int i;
	int err = 0;

	if (!server)
		return vmm_error(ENOMEM, "guest services");
	server->guest = guest;
	server->link = link_fd;
	server->services = services_fd;
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guest->now = clock_now;
	guest->random = random_fill;
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
	if (err == -EPIPE || err == -ECONNRESET)
		return 0;
	return err == -EPROTO ? vmm_error(-err, "vmmctl has sent a wrong record") : err;
}
