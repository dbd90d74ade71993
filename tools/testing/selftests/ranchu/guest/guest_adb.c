// SPDX-License-Identifier: GPL-2.0-only
/*
 * adbd's side of adb by pipe, for a real adbd that listens at a port of the guest:
 * opens pipes, one at a time, does the handshake until a client has connected, and then
 * only copies bytes.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define SERVICE		"pipe:qemud:adb:5555"

struct way {
	int from;
	int to;
};

/* The end of one direction ends both, because a pipe cannot be half closed. */
static void *carry(void *arg)
{
	static _Thread_local uint8_t bytes[65536];
	const struct way *way = arg;
	ssize_t n;

	for (;;) {
		n = read(way->from, bytes, sizeof(bytes));
		if (n <= 0 || guest_write_all(way->to, bytes, n) != n)
			_exit(0);
	}
}

static int dial(unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -1 : fd;
}

static void serve(int pipe, unsigned int port)
{
	int adbd = dial(port);
	struct way in = { pipe, adbd }, out = { adbd, pipe };
	pthread_t thread;

	if (adbd < 0 || pthread_create(&thread, NULL, carry, &in))
		_exit(1);
	carry(&out);
}

static bool meet(int pipe)
{
	char answer[2];

	return guest_write_all(pipe, "accept", 6) == 6 &&
	       guest_read_all(pipe, answer, 2) == 2 && !memcmp(answer, "ok", 2) &&
	       guest_write_all(pipe, "start", 5) == 5;
}

int guest_adb(unsigned int port)
{
	int pipe;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		pipe = guest_connect(SERVICE, 0);
		if (pipe >= 0 && meet(pipe)) {
			if (!fork())
				serve(pipe, port);
		} else {
			sleep(1);
		}
		if (pipe >= 0)
			close(pipe);
	}
}
