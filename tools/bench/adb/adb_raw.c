// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw streams between a client in the host and a guest's vsock port: what they
 * cost. In the guest:
 *
 *	adb_raw serve PORT
 *
 * until a client says quit. In the host, where WHERE is tcp:PORT (of the loopback
 * address), unix:PATH or vsock:CID:PORT:
 *
 *	adb_raw quit WHERE
 *	adb_raw bench WHERE LABEL WATCHED TEST...
 *
 * which prints a line for each round, what meter_print() prints behind
 *
 *	RAW <label> <test> bytes=<n> ops=<n>
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "adb_bench.h"

#define ROUNDS		3
#define STREAMS		16
#define MIB		(1024 * 1024)
#define WARM_UP_US	700000
#define TRIES		100
#define TRY_US		100000

/**
 * struct test - something to measure
 * @name: its name
 * @op: what the guest does
 * @n: for each stream; bytes, or round trips
 * @streams: at the same time
 */
struct test {
	const char *name;
	enum adb_op op;
	uint32_t n;
	unsigned int streams;
};

static const struct test tests[] = {
	{ "h2g", ADB_SINK, 16 * MIB, 1 },
	{ "g2h", ADB_SOURCE, 16 * MIB, 1 },
	{ "rtt", ADB_ECHO, 200, 1 },
	{ "h2g_16", ADB_SINK, MIB, STREAMS },
	{ "g2h_16", ADB_SOURCE, MIB, STREAMS },
};

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static int stream_connect(int family, const void *addr, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, addr, len)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int dial_tcp(const char *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = stream_connect(AF_INET, &addr, sizeof(addr));
	int one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int dial_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return stream_connect(AF_UNIX, &addr, sizeof(addr));
}

static int dial_vsock(const char *where)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK };

	if (sscanf(where, "%u:%u", &addr.svm_cid, &addr.svm_port) != 2)
		return -1;
	return stream_connect(AF_VSOCK, &addr, sizeof(addr));
}

static int dial_once(const char *where)
{
	if (!strncmp(where, "tcp:", 4))
		return dial_tcp(where + 4);
	if (!strncmp(where, "unix:", 5))
		return dial_unix(where + 5);
	if (!strncmp(where, "vsock:", 6))
		return dial_vsock(where + 6);
	return -1;
}

static int dial(const char *where)
{
	unsigned int i;
	int fd = -1;

	for (i = 0; i < TRIES; i++) {
		fd = dial_once(where);
		if (fd >= 0)
			return fd;
		usleep(TRY_US);
	}
	return die(where);
}

static int converse(int fd, uint32_t n)
{
	char byte = 0;

	while (n--)
		if (adb_write(fd, &byte, 1) || adb_read(fd, &byte, 1))
			return -1;
	return 0;
}

/* One order and its end: the last byte has been where it should go. */
static void order(int fd, const struct test *test, uint32_t n)
{
	struct adb_order out = { test->op, n };
	char byte;
	int err;

	err = adb_write(fd, &out, sizeof(out));
	if (!err && test->op == ADB_SINK)
		err = adb_fill(fd, n) ?: adb_read(fd, &byte, 1);
	else if (!err && test->op == ADB_SOURCE)
		err = adb_discard(fd, n);
	else if (!err && test->op == ADB_ECHO)
		err = converse(fd, n);
	if (err)
		die(test->name);
}

static void report(const char *label, const struct test *test, const struct meter *m)
{
	bool bulk = test->op != ADB_ECHO;

	printf("RAW %s %s bytes=%u ops=%u ", label, test->name,
	       bulk ? test->n * test->streams : 0, bulk ? 0 : test->n);
	meter_print(m);
}

static void bench_one(const char *where, const char *label, const char *watched,
		      const struct test *test)
{
	int fd = dial(where);
	struct meter m;
	int i;

	/* Whoever set the stream up is to have come to rest. */
	order(fd, test, test->n / 4);
	usleep(WARM_UP_US);
	order(fd, test, test->n / 4);
	for (i = 0; i < ROUNDS; i++) {
		meter_start(&m, watched);
		order(fd, test, test->n);
		meter_stop(&m, watched);
		report(label, test, &m);
	}
	close(fd);
}

/* Says that it is ready, waits for the word, does its part, and so on. */
static void bench_child(const char *where, const struct test *test, int parent)
{
	int fd = dial(where);
	char byte = 0;

	order(fd, test, test->n / 4);
	for (;;) {
		if (adb_write(parent, &byte, 1))
			die("child");
		if (adb_read(parent, &byte, 1))
			_exit(0);
		order(fd, test, test->n);
	}
}

static void all_start(const int *child)
{
	int i;

	for (i = 0; i < STREAMS; i++)
		if (adb_write(child[i], "", 1))
			die("children");
}

static void all_ready(const int *child)
{
	char byte;
	int i;

	for (i = 0; i < STREAMS; i++)
		if (adb_read(child[i], &byte, 1))
			die("children");
}

static int child_new(const char *where, const struct test *test)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	if (!fork()) {
		close(pair[0]);
		bench_child(where, test, pair[1]);
	}
	close(pair[1]);
	return pair[0];
}

static void bench_many(const char *where, const char *label, const char *watched,
		       const struct test *test)
{
	int child[STREAMS];
	struct meter m;
	int i;

	for (i = 0; i < STREAMS; i++)
		child[i] = child_new(where, test);
	all_ready(child);
	usleep(WARM_UP_US);
	for (i = 0; i < ROUNDS; i++) {
		meter_start(&m, watched);
		all_start(child);
		all_ready(child);
		meter_stop(&m, watched);
		report(label, test, &m);
	}
	/* The last ones first: those who came later have the others' ends, too. */
	for (i = STREAMS; i--;) {
		close(child[i]);
		wait(NULL);
	}
}

static void bench(const char *where, const char *label, const char *watched, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		if (strcmp(tests[i].name, name))
			continue;
		if (tests[i].streams == 1)
			bench_one(where, label, watched, &tests[i]);
		else
			bench_many(where, label, watched, &tests[i]);
		return;
	}
	fprintf(stderr, "adb_raw: no test '%s'\n", name);
	exit(2);
}

static int quit(const char *where)
{
	struct adb_order out = { ADB_QUIT, 0 };
	int fd = dial(where);
	char byte;

	if (adb_write(fd, &out, sizeof(out)))
		return die("quit");
	/* The end of the stream, one way or another. */
	adb_read(fd, &byte, 1);
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return adb_serve(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "quit"))
		return quit(argv[2]);
	if (argc < 6 || strcmp(argv[1], "bench")) {
		fputs("usage: adb_raw serve PORT | quit WHERE |\n"
		      "       adb_raw bench WHERE LABEL WATCHED TEST...\n", stderr);
		return 2;
	}
	for (i = 5; i < argc; i++)
		bench(argv[2], argv[3], argv[4], argv[i]);
	return 0;
}
