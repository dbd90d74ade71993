// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a host: serves a service of the goldfish pipe by shared rings. Each pipe becomes a
 * connection to the Unix socket of a program that has no code for pipes, such as
 * virgl_test_server. Bytes are sent from one ring and received into the other, without a copy in
 * between.
 *
 *	virgl_ring SERVICES SOCKET [NAME]	SERVICES is the socket of vmmctl's
 *						--pipe-socket; NAME is virgl by default
 *
 * It waits for a VM that is about to start, and ends when the VM ends.
 *
 * Neither the guest nor the program is trusted. The rings' positions are the kernel's, and bytes
 * are not looked at. No more than LINKS pipes are open at once, nothing waits for an end that does
 * not read, and messages do not become more with what the guest opens.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ranchu_pipe.h"

#define IN_SIZE		(256u << 10)	/* commands */
#define OUT_SIZE	(1u << 20)	/* pixels that are read back */
#define TRIES		600		/* a tenth of a second each */
#define LINKS		64		/* pipes that are open at once; each has a thread */

/* A guest's pipe and its connection. */
struct link {
	struct ranchu_pipe pipe;
	int sock;
};

static unsigned int links;

/*
 * Moves the bytes that are there, as far as there is room. When the guest has closed the pipe, the
 * rest of its bytes is sent, and nothing is received.
 *
 * Return: 1 if something has moved; 0 if not, and @events and @what are what to wait for, of the
 * socket and of the rings; -1 if an end has ended
 */
static int link_move(struct link *link, short *events, int *what)
{
	const void *from;
	void *to;
	/* In this order: when there is no room any more, the guest sends no more either. */
	ssize_t room = ranchu_pipe_room(&link->pipe, &to);
	ssize_t there = ranchu_pipe_peek(&link->pipe, &from);
	ssize_t sent = 0, got = 0;

	if (there < 0 || (room < 0 && !there))
		return -1;
	if (there)
		sent = send(link->sock, from, there, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return -1;
	if (sent > 0)
		ranchu_pipe_consume(&link->pipe, sent);
	if (room > 0) {
		got = recv(link->sock, to, room, MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN))
			return -1;
	}
	if (got > 0)
		ranchu_pipe_produce(&link->pipe, got);
	*events = (there ? POLLOUT : 0) | (room > 0 ? POLLIN : 0);
	*what = (there ? 0 : RANCHU_PIPE_READ) | (room ? 0 : RANCHU_PIPE_WRITE);
	return sent > 0 || got > 0;
}

static void link_wait(struct link *link, short events, int what)
{
	struct pollfd files[] = {
		/* A socket that has ended would wake us again and again. */
		{ .fd = events ? link->sock : -1, .events = events },
		{ .fd = link->pipe.wake_fd, .events = POLLIN },
	};
	eventfd_t count;

	if (ranchu_pipe_listen(&link->pipe, what))
		return;
	if (poll(files, 2, -1) > 0 && files[1].revents)
		eventfd_read(link->pipe.wake_fd, &count);
}

static void link_close(struct link *link)
{
	ranchu_pipe_close(&link->pipe);
	close(link->sock);
	free(link);
	__atomic_fetch_sub(&links, 1, __ATOMIC_SEQ_CST);
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
	link_close(link);
	return NULL;
}

/* A program that does not accept at once counts as absent. */
static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static void link_open(int services, const struct vhost_goldfish_pipe_event *event, int sock)
{
	struct link *link = calloc(1, sizeof(*link));
	pthread_attr_t attr;
	pthread_t thread;

	if (!link) {
		ranchu_pipe_refuse(services, event->open);
		close(sock);
		return;
	}
	link->sock = sock;
	__atomic_fetch_add(&links, 1, __ATOMIC_SEQ_CST);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (ranchu_pipe_accept(&link->pipe, services, event->open, IN_SIZE, OUT_SIZE, -1))
		ranchu_pipe_refuse(services, event->open);
	else if (!pthread_create(&thread, &attr, link_serve, link))
		return;
	/* A pipe that was not accepted can be closed, too. */
	link_close(link);
}

/* Returns a connection, or -1. There is one message: the guest may open pipes without end. */
static int connection(const char *path)
{
	static bool missed;
	int sock;

	if (__atomic_load_n(&links, __ATOMIC_SEQ_CST) >= LINKS)
		return -1;
	sock = dial(path);
	if (sock < 0 && !missed)
		fprintf(stderr, "virgl_ring: %s does not accept: %s\n", path, strerror(errno));
	missed |= sock < 0;
	return sock;
}

int main(int argc, char **argv)
{
	struct vhost_goldfish_pipe_event event;
	int services = -1;
	int sock, tries;

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
	while (ranchu_services_next(services, &event) == 1) {
		sock = connection(argv[2]);
		if (sock < 0)
			ranchu_pipe_refuse(services, event.open);
		else
			link_open(services, &event, sock);
	}
	return 0;
}
