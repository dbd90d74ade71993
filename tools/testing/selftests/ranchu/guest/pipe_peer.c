// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services in the host for the guest's pipes, behind Unix sockets, until it is
 * killed. Prints a line when it listens.
 *
 *	pipe_peer echo PATH	gives back what it takes, to each client
 *	pipe_peer sink PATH	takes all
 *	pipe_peer parse PATH	takes commands, and answers those that ask (peer.h)
 *	pipe_peer stall PATH	takes nothing, gives nothing, stays
 *	pipe_peer bye PATH	says "bye" to each client, and hangs up
 *
 * The same behind shared rings, for the guest of the VMM with --pipe-socket PATH:
 *
 *	pipe_peer ring-echo PATH NAME
 *	pipe_peer ring-sink PATH NAME
 *	pipe_peer ring-parse PATH NAME
 *	pipe_peer ring-stall PATH NAME
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"

#define CLIENT_BYTES		(64u << 10)
#define CLIENT_STACK		(128u << 10)

void peer_give_up(const char *what)
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
		peer_give_up(path);
	return fd;
}

static bool send_all(int fd, const uint8_t *bytes, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = send(fd, bytes + done, size - done, MSG_NOSIGNAL);
		if (n < 0)
			return false;
		done += n;
	}
	return true;
}

static void give_back(int fd)
{
	uint8_t bytes[CLIENT_BYTES];
	ssize_t n;

	do {
		n = read(fd, bytes, sizeof(bytes));
	} while (n > 0 && send_all(fd, bytes, n));
}

static void say_bye(int fd)
{
	if (send(fd, "bye", 3, MSG_NOSIGNAL) != 3)
		peer_give_up("send");
}

static void take_all(int fd)
{
	uint8_t bytes[CLIENT_BYTES];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void stall(int fd)
{
	(void)fd;
	for (;;)
		pause();
}

/* What is no whole command yet waits at the front. */
static void parse_all(int fd)
{
	uint8_t bytes[CLIENT_BYTES];
	struct peer_parser parser = { 0 };
	size_t have = 0, used;
	uint32_t answer;
	ssize_t n;

	while ((n = read(fd, bytes + have, sizeof(bytes) - have)) > 0) {
		have += n;
		for (used = 0; (n = peer_parse(&parser, bytes + used, have - used, &answer));) {
			used += n;
			if (parser.asked && !send_all(fd, (uint8_t *)&answer, sizeof(answer)))
				return;
		}
		have -= used;
		memmove(bytes, bytes + used, have);
	}
}

/* Each kind serves its clients in threads of their own. */
static const struct kind {
	const char *name;
	void (*serve)(int fd);
} kinds[] = {
	{ "echo", give_back }, { "sink", take_all }, { "parse", parse_all },
	{ "stall", stall }, { "bye", say_bye },
};

struct client {
	const struct kind *kind;
	int fd;
};

static void *client_thread(void *arg)
{
	struct client *client = arg;

	client->kind->serve(client->fd);
	close(client->fd);
	free(client);
	return NULL;
}

static void serve_all(int listener, const struct kind *kind)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CLIENT_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;) {
		struct client *client = malloc(sizeof(*client));
		pthread_t thread;

		if (!client)
			peer_give_up("memory");
		client->kind = kind;
		client->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client->fd < 0)
			peer_give_up("accept");
		errno = pthread_create(&thread, &attr, client_thread, client);
		if (errno)
			peer_give_up("thread");
	}
}

static const struct kind *find_kind(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct sched_param param = { 0 };
	struct rlimit limit;
	const struct kind *kind = argc == 3 ? find_kind(argv[1]) : NULL;
	bool ring = argc == 4 && peer_ring_knows(argv[1]);
	int listener;

	if (!kind && !ring) {
		fputs("usage: pipe_peer echo|sink|parse|stall|bye PATH\n"
		      "       pipe_peer ring-echo|ring-sink|ring-parse|ring-stall PATH NAME\n",
		      stderr);
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/*
	 * With SCHED_BATCH a sender continues until it waits for this program, as on
	 * separate CPUs; otherwise this program would preempt it on a single CPU.
	 */
	if (sched_setscheduler(0, SCHED_BATCH, &param))
		peer_give_up("sched_setscheduler");
	if (ring)
		return peer_ring(argv[1], argv[2], argv[3]);
	listener = listen_at(argv[2]);
	printf("pipe_peer: %s at %s\n", kind->name, argv[2]);
	fflush(stdout);
	serve_all(listener, kind);
	return 0;
}
