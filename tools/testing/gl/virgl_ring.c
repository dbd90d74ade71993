// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a host: serves a service of the goldfish pipe by shared rings, and gives each pipe a
 * connection of its own to the Unix socket of a program that knows nothing of pipes, such as
 * virgl_test_server. Bytes go between ring and socket without a copy in between.
 *
 *	virgl_ring SERVICES SOCKET [NAME]	SERVICES is the socket of vmmctl's
 *						--pipe-socket; NAME is virgl by default
 *
 * It waits for a VM that is about to start, and ends with it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ranchu_pipe.h"

#define IN_SIZE		(256u << 10)	/* commands */
#define OUT_SIZE	(1u << 20)	/* pixels that are read back */
#define TRIES		600		/* a tenth of a second each */

/* A guest's pipe and its connection. */
struct link {
	struct ranchu_pipe pipe;
	int sock;
};

/*
 * Moves what there is and what there is room for.
 *
 * Return: 1 if something has moved; 0 if not, and @events and @what are what to wait for, of the
 * socket and of the rings; -1 if an end has ended
 */
static int link_move(struct link *link, short *events, int *what)
{
	const void *from;
	void *to;
	ssize_t there = ranchu_pipe_peek(&link->pipe, &from);
	ssize_t room = ranchu_pipe_room(&link->pipe, &to);
	ssize_t sent = 0, got = 0;

	if (there < 0 || room < 0)
		return -1;
	if (there)
		sent = send(link->sock, from, there, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return -1;
	if (sent > 0)
		ranchu_pipe_consume(&link->pipe, sent);
	if (room) {
		got = recv(link->sock, to, room, MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN))
			return -1;
	}
	if (got > 0)
		ranchu_pipe_produce(&link->pipe, got);
	*events = (there ? POLLOUT : 0) | (room ? POLLIN : 0);
	*what = (there ? 0 : RANCHU_PIPE_READ) | (room ? 0 : RANCHU_PIPE_WRITE);
	return sent > 0 || got > 0;
}

static void link_wait(struct link *link, short events, int what)
{
	struct pollfd files[] = {
		{ .fd = link->sock, .events = events },
		{ .fd = link->pipe.wake_fd, .events = POLLIN },
	};
	eventfd_t count;

	if (ranchu_pipe_listen(&link->pipe, what))
		return;
	if (poll(files, 2, -1) > 0 && files[1].revents)
		eventfd_read(link->pipe.wake_fd, &count);
}

static void *link_serve(void *arg)
{
	struct link *link = arg;
	short events;
	int moved, what;

	while ((moved = link_move(link, &events, &what)) >= 0) {
		if (!moved)
			link_wait(link, events, what);
	}
	ranchu_pipe_close(&link->pipe);
	close(link->sock);
	free(link);
	return NULL;
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	close(fd);
	return -1;
}

static void link_open(int services, const struct vhost_goldfish_pipe_event *event,
		      const char *path)
{
	struct link *link = calloc(1, sizeof(*link));
	pthread_attr_t attr;
	pthread_t thread;

	if (!link)
		exit(1);
	link->sock = dial(path);
	if (link->sock < 0) {
		fprintf(stderr, "virgl_ring: nobody listens at %s\n", path);
		ranchu_pipe_refuse(services, event->open);
		free(link);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!ranchu_pipe_accept(&link->pipe, services, event->open, IN_SIZE, OUT_SIZE, -1) &&
	    !pthread_create(&thread, &attr, link_serve, link))
		return;
	/* Both accept what was not opened. */
	ranchu_pipe_close(&link->pipe);
	close(link->sock);
	free(link);
}

int main(int argc, char **argv)
{
	struct vhost_goldfish_pipe_event event;
	int services = -1;
	int tries;

	if (argc < 3) {
		fputs("usage: virgl_ring SERVICES SOCKET [NAME]\n", stderr);
		return 2;
	}
	for (tries = 0; services < 0 && tries < TRIES; tries++) {
		services = ranchu_services_connect(argv[1]);
		if (services < 0)
			usleep(100000);
	}
	if (services < 0 || ranchu_services_add(services, argc > 3 ? argv[3] : "virgl")) {
		fprintf(stderr, "virgl_ring: no service at %s\n", argv[1]);
		return 1;
	}
	while (ranchu_services_next(services, &event) == 1)
		link_open(services, &event, argv[2]);
	return 0;
}
