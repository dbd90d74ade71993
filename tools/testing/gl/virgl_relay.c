// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest: connects Mesa's virpipe driver with a service of the goldfish pipe. The driver
 * connects to the Unix socket of a virgl_test_server; each of its connections becomes a pipe.
 * Bytes are copied, and not looked at.
 *
 *	virgl_relay [SOCKET [SERVICE]]	/tmp/.virgl_test and virgl by default
 *
 * A pipe cannot be closed in one direction only. When one side of a connection ends, the relay
 * closes both.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NODE	"/dev/goldfish_pipe"
#define PIECE	(64 << 10)	/* bytes that are copied at once */
#define WAITING	16		/* connections that are not accepted yet */

/* One direction of a connection. */
struct direction {
	int from;
	int to;
};

static int pipe_open(const char *service)
{
	char name[128];
	int len = snprintf(name, sizeof(name), "pipe:%s", service) + 1;
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && write(fd, name, len) == len)
		return fd;
	fprintf(stderr, "virgl_relay: nobody serves pipe:%s\n", service);
	close(fd);
	return -1;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	ssize_t done;

	for (; n; bytes += done, n -= done) {
		done = write(fd, bytes, n);
		if (done <= 0)
			return false;
	}
	return true;
}

/* When this direction ends, ends the process, and with it the connection. */
static void *copy(void *arg)
{
	const struct direction *way = arg;
	char bytes[PIECE];
	ssize_t n;

	do
		n = read(way->from, bytes, sizeof(bytes));
	while (n > 0 && write_all(way->to, bytes, n));
	_exit(0);
}

static void connection_serve(int client, const char *service)
{
	int pipe = pipe_open(service);
	struct direction out = { client, pipe };
	struct direction in = { pipe, client };
	pthread_t thread;

	if (pipe < 0 || pthread_create(&thread, NULL, copy, &in))
		_exit(1);
	copy(&out);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, WAITING))
		return fd;
	perror("virgl_relay: cannot listen");
	return -1;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/tmp/.virgl_test";
	const char *service = argc > 2 ? argv[2] : "virgl";
	int listening = listen_at(path);
	int client;

	if (listening < 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	while ((client = accept(listening, NULL, NULL)) >= 0) {
		/* A process for each: its end closes its files, whatever its threads do. */
		if (!fork()) {
			close(listening);
			connection_serve(client, service);
		}
		close(client);
	}
	return 1;
}
