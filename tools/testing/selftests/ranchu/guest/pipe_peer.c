// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services in the host for the guest's pipes, behind Unix sockets, for as long
 * as it is let run. Says on a line of its own when it listens.
 *
 *	pipe_peer echo PATH	gives back what it takes, to each client
 *	pipe_peer sink PATH	takes all, one client after the other
 *	pipe_peer bye PATH	says "bye" to each client, and hangs up
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT_BYTES		(64u << 10)

/**
 * struct client - a connection
 * @fd: it; first, so that a listener can be told by it
 * @start: of what was not given back
 * @end: of it
 * @bytes: taken; nothing more is until all are given back
 */
struct client {
	int fd;
	uint32_t start;
	uint32_t end;
	uint8_t bytes[CLIENT_BYTES];
};

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "pipe_peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 4096))
		give_up(path);
	return fd;
}

static void watch(int epoll, int op, struct client *client, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (epoll_ctl(epoll, op, client->fd, &event))
		give_up("epoll_ctl");
}

static void welcome(int epoll, int listener)
{
	struct client *client = malloc(sizeof(*client));

	if (!client)
		give_up("memory");
	client->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client->fd < 0)
		give_up("accept");
	client->start = 0;
	client->end = 0;
	watch(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
}

/* Returns false when the client is gone. */
static bool echo(int epoll, struct client *client)
{
	ssize_t n;

	if (client->start == client->end) {
		n = recv(client->fd, client->bytes, sizeof(client->bytes), 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		client->start = 0;
		client->end = n;
	}
	n = send(client->fd, client->bytes + client->start,
		 client->end - client->start, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return false;
	if (n > 0)
		client->start += n;
	watch(epoll, EPOLL_CTL_MOD, client,
	      client->start == client->end ? EPOLLIN : EPOLLOUT);
	return true;
}

static void serve_echo(int listener)
{
	struct client own = { .fd = listener };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (epoll < 0)
		give_up("epoll");
	watch(epoll, EPOLL_CTL_ADD, &own, EPOLLIN);
	for (;;) {
		struct client *client;

		if (epoll_wait(epoll, &event, 1, -1) != 1) {
			if (errno == EINTR)
				continue;
			give_up("epoll_wait");
		}
		client = event.data.ptr;
		if (client == &own) {
			welcome(epoll, listener);
		} else if (!echo(epoll, client)) {
			close(client->fd);
			free(client);
		}
	}
}

static void say_bye(int fd)
{
	if (send(fd, "bye", 3, MSG_NOSIGNAL) != 3)
		give_up("send");
}

static void take_all(int fd)
{
	static uint8_t bytes[CLIENT_BYTES];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void serve_each(int listener, void (*serve)(int fd))
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			give_up("accept");
		serve(fd);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int listener;

	if (argc != 3 || (strcmp(argv[1], "echo") && strcmp(argv[1], "sink") &&
			  strcmp(argv[1], "bye"))) {
		fputs("usage: pipe_peer echo|sink|bye PATH\n", stderr);
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	listener = listen_at(argv[2]);
	printf("pipe_peer: %s at %s\n", argv[1], argv[2]);
	fflush(stdout);
	if (!strcmp(argv[1], "echo"))
		serve_echo(listener);
	serve_each(listener, strcmp(argv[1], "bye") ? take_all : say_bye);
	return 0;
}
