// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unix sockets for the guest's vsock ports. A client connects to PATH and writes
 * "CONNECT <port>\n"; who listens at PATH_<port> is found by the guest at that
 * port of the host. Other machine monitors speak the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/vsock.h"

#define UNIX_REQUEST	"CONNECT "
#define UNIX_BACKLOG	64

/**
 * vmm_unix_parse - read a request
 * @line: the request, without the end of the line; need not end in a NUL
 * @len: bytes of it
 * @port: filled
 *
 * Return: 0, or -EINVAL: the format is "CONNECT ", then a decimal number below
 *	4294967295, the port that is none
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

/* Bytes behind the line are the stream's: they stay in the socket. */
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
 * vmm_unix_read - read what there is of a request
 * @request: zeroed before the first call
 * @fd: the client
 *
 * Return: how far it is
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

static int unix_address(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (!len || len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memcpy(addr->sun_path, path, len);
	return 0;
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int unix_try(const struct sockaddr_un *addr)
{
	int fd = unix_socket();
	int err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * What a program that died left behind refuses connections, and may go. So does
 * a file that is no socket, which may not.
 */
static void unix_remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd;

	if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = unix_try(addr);
	if (fd >= 0)
		close(fd);
	else if (fd == -ECONNREFUSED)
		unlink(addr->sun_path);
}

/**
 * vmm_unix_listen - listen at a path
 * @path: of the socket; one that nobody listens at is replaced
 *
 * Return: a non-blocking file, or -errno
 */
int vmm_unix_listen(const char *path)
{
	struct sockaddr_un addr;
	int err = unix_address(&addr, path);
	int fd;

	if (err)
		return vmm_error(-err, "cannot listen at \"%s\"", path);
	fd = unix_socket();
	if (fd < 0)
		return vmm_error(errno, "cannot listen at %s", path);
	unix_remove_stale(&addr);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		err = vmm_error(errno, "cannot listen at %s", path);
		close(fd);
		return err;
	}
	if (listen(fd, UNIX_BACKLOG)) {
		err = vmm_error(errno, "cannot listen at %s", path);
		close(fd);
		unlink(path);
		return err;
	}
	return fd;
}

/**
 * vmm_unix_dial - connect to who listens at a path
 * @path: of the socket
 *
 * Return: a non-blocking file, or -errno without a message; somebody who does
 *	not accept at once counts as nobody
 */
int vmm_unix_dial(const char *path)
{
	struct sockaddr_un addr;
	int err = unix_address(&addr, path);

	return err ? err : unix_try(&addr);
}

/**
 * vmm_unix_connect - connect to who listens for a port of the host
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
