// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest: what its network costs, by TCP to the host.
 *
 *	net_guest NAME ROUNDS
 *	NET-MARK begin NAME WHAT
 *	NET-MARK end NAME WHAT ns=NANOSECONDS ops=OPERATIONS
 *
 * WHAT is "in" or "out", MEBIBYTES of a stream each, an operation a mebibyte; or
 * "rtt", a byte there and back. The host answers at PORT_IN with zeros for ever, takes
 * everything at PORT_OUT until its end, and hands back what it gets at PORT_ECHO.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOST		"10.0.2.2"
#define PORT_IN		7001
#define PORT_OUT	7002
#define PORT_ECHO	7003
#define MEBIBYTES	8
#define ROUND_TRIPS	300
#define MEBIBYTE	(1024 * 1024)

static char buffer[64 * 1024];

static void die(const char *what)
{
	printf("net_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int dial(unsigned int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	inet_pton(AF_INET, HOST, &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("the host");
	return fd;
}

static void stream_in(int fd, size_t bytes)
{
	ssize_t n;

	for (; bytes; bytes -= n) {
		n = read(fd, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer));
		if (n <= 0)
			die("read");
	}
}

static void stream_out(int fd, size_t bytes)
{
	ssize_t n;

	for (; bytes; bytes -= n) {
		n = write(fd, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer));
		if (n <= 0)
			die("write");
	}
}

/* The host closes when it has all. */
static void out_ends(int fd)
{
	if (shutdown(fd, SHUT_WR) || read(fd, buffer, 1))
		die("the end");
}

static void echo(int fd, unsigned int times)
{
	while (times--) {
		if (write(fd, buffer, 1) != 1 || read(fd, buffer, 1) != 1)
			die("a byte there and back");
	}
}

static void mark_begin(const char *name, const char *what)
{
	printf("NET-MARK begin %s %s\n", name, what);
	fflush(stdout);
}

static void mark_end(const char *name, const char *what, uint64_t start, unsigned int ops)
{
	printf("NET-MARK end %s %s ns=%llu ops=%u\n", name, what,
	       (unsigned long long)(now() - start), ops);
	fflush(stdout);
}

static void measure(const char *name)
{
	uint64_t start;
	int fd;

	/* The first part of each stream opens the window, and warms what there is. */
	fd = dial(PORT_IN);
	stream_in(fd, MEBIBYTE);
	mark_begin(name, "in");
	start = now();
	stream_in(fd, MEBIBYTES * MEBIBYTE);
	mark_end(name, "in", start, MEBIBYTES);
	close(fd);

	fd = dial(PORT_OUT);
	stream_out(fd, MEBIBYTE);
	mark_begin(name, "out");
	start = now();
	stream_out(fd, MEBIBYTES * MEBIBYTE);
	out_ends(fd);
	mark_end(name, "out", start, MEBIBYTES);
	close(fd);

	fd = dial(PORT_ECHO);
	echo(fd, ROUND_TRIPS / 10);
	mark_begin(name, "rtt");
	start = now();
	echo(fd, ROUND_TRIPS);
	mark_end(name, "rtt", start, ROUND_TRIPS);
	close(fd);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 1;

	if (argc < 2)
		return 2;
	/* What a boot leaves to do is nobody's. */
	sleep(15);
	while (rounds-- > 0)
		measure(argv[1]);
	return 0;
}
