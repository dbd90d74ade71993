// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's end of adb_raw's streams: does what it is told, one process for
 * each stream.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "adb_bench.h"

static char block[ADB_BLOCK];

/**
 * adb_write - write all of a buffer
 * @fd: a stream
 * @buf: the bytes
 * @len: how many
 *
 * Return: 0, or -1 with errno set
 */
int adb_write(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = write(fd, buf, len);
		if (n < 0)
			return -1;
	}
	return 0;
}

/**
 * adb_read - fill a buffer
 * @fd: a stream
 * @buf: for the bytes
 * @len: how many
 *
 * Return: 0, or -1 with errno set; EPIPE if the stream ends before
 */
int adb_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = read(fd, buf, len);
		if (n > 0)
			continue;
		if (!n)
			errno = EPIPE;
		return -1;
	}
	return 0;
}

/**
 * adb_discard - read, block by block, and forget
 * @fd: a stream
 * @len: bytes
 *
 * Return: as adb_read()
 */
int adb_discard(int fd, size_t len)
{
	ssize_t n;

	for (; len; len -= n) {
		n = read(fd, block, len < sizeof(block) ? len : sizeof(block));
		if (n > 0)
			continue;
		if (!n)
			errno = EPIPE;
		return -1;
	}
	return 0;
}

/**
 * adb_fill - write zeroes, block by block
 * @fd: a stream
 * @len: bytes
 *
 * Return: as adb_write()
 */
int adb_fill(int fd, size_t len)
{
	size_t part;

	for (; len; len -= part) {
		part = len < sizeof(block) ? len : sizeof(block);
		if (adb_write(fd, block, part))
			return -1;
	}
	return 0;
}

static int echo(int fd, uint32_t n)
{
	char byte;

	while (n--)
		if (adb_read(fd, &byte, 1) || adb_write(fd, &byte, 1))
			return -1;
	return 0;
}

static int obey(int fd, const struct adb_order *order)
{
	switch (order->op) {
	case ADB_SINK:
		return adb_discard(fd, order->n) ? -1 : adb_write(fd, "", 1);
	case ADB_SOURCE:
		return adb_fill(fd, order->n);
	case ADB_ECHO:
		return echo(fd, order->n);
	case ADB_QUIT:
		/* Whoever serves us, too. */
		kill(0, SIGTERM);
	}
	errno = EBADMSG;
	return -1;
}

static void serve_stream(int fd)
{
	struct adb_order order;
	char next;

	while (read(fd, &next, 1) == 1) {
		memcpy(&order, &next, 1);
		if (adb_read(fd, (char *)&order + 1, sizeof(order) - 1) ||
		    obey(fd, &order)) {
			perror("adb_raw: stream");
			return;
		}
	}
}

/**
 * adb_serve - be the guest's end of all streams to a port
 * @port: the port
 *
 * Return: 1: it could not
 */
int adb_serve(unsigned int port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = port,
	};
	int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	/* Nobody waits for the processes that serve streams. */
	signal(SIGCHLD, SIG_IGN);
	setpgid(0, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 64)) {
		perror("adb_raw: listen");
		return 1;
	}
	puts("SERVING");
	fflush(stdout);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			perror("adb_raw: accept");
			return 1;
		}
		if (!fork()) {
			serve_stream(fd);
			_exit(0);
		}
		close(fd);
	}
}
