// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unix sockets for the guest's vsock ports. A client connects to PATH and writes
 * "CONNECT <port>\n"; a guest that connects to a port of the host reaches the program that
 * listens at PATH_<port>. Other VMMs have the same protocol.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "host/unix.h"
#include "host/vsock.h"

#define UNIX_REQUEST	"CONNECT "

/**
 * vmm_unix_parse - read a request
 * @line: the request, without the end of the line; need not end in a NUL
 * @len: bytes of it
 * @port: filled
 *
 * Return: 0, or -EINVAL: the format is "CONNECT ", then a decimal number below
 *	4294967295, the reserved port
 */
int vmm_unix_parse(const char *line, size_t len, u32 *port)
{
	size_t i = strlen(UNIX_REQUEST);
	u64 number = 0;

	if (len <= i || memcmp(line, UNIX_REQUEST, i))
		return -EINVAL;
	for (; i < len; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -EINVAL;
		number = number * 10 + (line[i] - '0');
		if (number >= 0xffffffff)
			return -EINVAL;
	}
	*port = number;
	return 0;
}

/* Bytes after the line belong to the stream and stay in the socket. */
static ssize_t unix_take(struct vmm_unix_request *request, int fd)
{
	char *rest = request->line + request->len;
	size_t room = sizeof(request->line) - request->len;
	ssize_t n = recv(fd, rest, room, MSG_PEEK | MSG_DONTWAIT);
	char *newline;

	if (n <= 0)
		return n;
	newline = memchr(rest, '\n', n);
	return recv(fd, rest, newline ? newline - rest + 1 : n, MSG_DONTWAIT);
}

/**
 * vmm_unix_read - read the available bytes of a request
 * @request: zeroed before the first call
 * @fd: the client
 *
 * Return: whether the request is partial, complete or wrong
 */
enum vmm_unix_line vmm_unix_read(struct vmm_unix_request *request, int fd)
{
	ssize_t n = unix_take(request, fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return VMM_UNIX_LINE_PART;
	if (n <= 0)
		return VMM_UNIX_LINE_WRONG;
	request->len += n;
	if (request->line[request->len - 1] != '\n')
		return request->len < sizeof(request->line) ? VMM_UNIX_LINE_PART :
							      VMM_UNIX_LINE_WRONG;
	return vmm_unix_parse(request->line, request->len - 1, &request->port) ?
	       VMM_UNIX_LINE_WRONG : VMM_UNIX_LINE_WHOLE;
}

/**
 * vmm_unix_connect - connect to the program that listens for a port of the host
 * @path: first part of the socket's path
 * @port: second part
 *
 * Return: as vmm_unix_dial()
 */
int vmm_unix_connect(const char *path, u32 port)
{
	char full[VMM_UNIX_PATH + 16];

	snprintf(full, sizeof(full), "%s_%u", path, port);
	return vmm_unix_dial(full);
}
