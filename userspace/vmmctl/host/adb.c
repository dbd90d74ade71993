// SPDX-License-Identifier: GPL-2.0-only
/*
 * What adb expects of an emulator: two ports of the loopback address, an even one for the
 * emulator's console and the next, odd one for adb, and a notice to a running adb server.
 * vsock_streams.c and pipe_adb.c handle the clients of the adb port.
 *
 * control/emulator.c serves the console. Without it, the console's port is only reserved.
 *
 * Source: platform_external_qemu android/android-emu/android/emulation/
 * AdbHostServer.cpp and AdbHostListener.cpp (0184442f).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/vsock.h"

#define ADB_SCANNED		5585	/* last port at which a new adb server looks */
#define ADB_BACKLOG		16
#define ADB_TIMEOUT		2	/* ticks until a server that does not answer is given up */

/**
 * struct vmm_adb - the port pair of an emulator
 * @loop: the main thread's loop
 * @console: vmmctl listens at the console's port
 * @console_fd: socket bound to the console's port
 * @fd: socket that listens at the adb port
 * @port: the adb port
 * @server_port: port of the adb server, 0 for none
 * @server_fd: connection to the server while the notice is sent, else -1
 * @timeout: ticks left for sending it
 */
struct vmm_adb {
	struct vmm_loop *loop;
	bool console;
	int console_fd;
	int fd;
	unsigned int port;
	unsigned int server_port;
	int server_fd;
	unsigned int timeout;
};

/**
 * vmm_adb_notice - write the notice to the adb server
 * @text: VMM_ADB_NOTICE bytes
 * @port: the adb port
 *
 * Return: its length
 */
size_t vmm_adb_notice(char *text, unsigned int port)
{
	char payload[VMM_ADB_NOTICE - 4];
	int len = snprintf(payload, sizeof(payload), "host:emulator:%u", port);

	return snprintf(text, VMM_ADB_NOTICE, "%04x%s", len, payload);
}

/**
 * vmm_adb_server_port - find the adb server's port
 * @value: value of the environment variable ANDROID_ADB_SERVER_PORT, or NULL
 *
 * Return: the port; 0, for no server, if @value is no port
 */
unsigned int vmm_adb_server_port(const char *value)
{
	unsigned long port;
	char *rest;

	if (!value)
		return VMM_ADB_SERVER_PORT;
	/* strtoul() accepts blanks and signs, which a port must not have. */
	if (*value < '0' || *value > '9')
		return 0;
	errno = 0;
	port = strtoul(value, &rest, 10);
	return errno || *rest || port > 65535 ? 0 : port;
}

static struct sockaddr_in adb_loopback(unsigned int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int adb_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int adb_bind(int fd, unsigned int port)
{
	struct sockaddr_in addr = adb_loopback(port);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static void adb_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Returns 0, or -1 with errno set and nothing bound. */
static int adb_bind_pair(struct vmm_adb *adb, unsigned int console)
{
	int one = 1;

	adb->console_fd = adb_socket();
	adb->fd = adb_socket();
	/*
	 * Sockets that listen have SO_REUSEADDR, because connections of a former guest may
	 * linger at the port. Two sockets with it that do not listen could share a port, so
	 * the console's socket has it only if it listens.
	 */
	if (adb->console_fd >= 0 && adb->fd >= 0 &&
	    !setsockopt(adb->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    (!adb->console ||
	     !setsockopt(adb->console_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))) &&
	    !adb_bind(adb->console_fd, console) && !adb_bind(adb->fd, console + 1) &&
	    (!adb->console || !listen(adb->console_fd, ADB_BACKLOG)) &&
	    !listen(adb->fd, ADB_BACKLOG)) {
		adb->port = console + 1;
		return 0;
	}
	adb_drop(&adb->console_fd);
	adb_drop(&adb->fd);
	return -1;
}

/* Binds the requested pair, or the first free one. */
static int adb_find_pair(struct vmm_adb *adb, unsigned int port)
{
	unsigned int i;

	if (port)
		return adb_bind_pair(adb, port - 1) ?
			vmm_error(errno, "--adb-port: ports %u and %u are not free", port - 1,
				  port) : 0;
	for (i = 0; i < VMM_ADB_PAIRS; i++) {
		if (!adb_bind_pair(adb, VMM_ADB_FIRST_CONSOLE + 2 * i))
			return 0;
	}
	return vmm_error(errno,
			 "no pair of ports for adb is free from %u to %u (--adb off does without)",
			 VMM_ADB_FIRST_CONSOLE, VMM_ADB_FIRST_CONSOLE + 2 * VMM_ADB_PAIRS - 1);
}

/**
 * vmm_adb_open - bind a pair of ports
 * @loop: the main thread's loop
 * @port: the adb port, an odd one; 0 for the first free pair
 * @console: listen at the console's port, see vmm_adb_console_fd()
 *
 * Return: the port pair, or NULL
 */
struct vmm_adb *vmm_adb_open(struct vmm_loop *loop, unsigned int port, bool console)
{
	struct vmm_adb *adb = calloc(1, sizeof(*adb));

	if (!adb) {
		vmm_error(ENOMEM, "adb");
		return NULL;
	}
	adb->loop = loop;
	adb->console = console;
	adb->server_fd = -1;
	adb->server_port = vmm_adb_server_port(getenv("ANDROID_ADB_SERVER_PORT"));
	if (adb_find_pair(adb, port)) {
		free(adb);
		return NULL;
	}
	if (adb->port < VMM_ADB_FIRST_CONSOLE || adb->port > ADB_SCANNED)
		vmm_note("a later adb server does not find port %u; adb connect 127.0.0.1:%u does",
			 adb->port, adb->port);
	return adb;
}

/**
 * vmm_adb_fd - return the socket for clients of adb
 * @adb: the port pair
 *
 * Return: a listening, non-blocking file
 */
int vmm_adb_fd(const struct vmm_adb *adb)
{
	return adb->fd;
}

/**
 * vmm_adb_console_fd - return the socket for clients of the console
 * @adb: the port pair
 *
 * Return: a listening, non-blocking file, or -1 if the console's port does not listen
 */
int vmm_adb_console_fd(const struct vmm_adb *adb)
{
	return adb->console ? adb->console_fd : -1;
}

/**
 * vmm_adb_console_fd6 - listen at the console's port of ::1
 * @fd: the console's port of 127.0.0.1
 *
 * Return: a listening, non-blocking file, owned by the caller, or -errno: the host may have no
 *	IPv6, or another program may have the port
 */
int vmm_adb_console_fd6(int fd)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr_in four;
	socklen_t len = sizeof(four);
	int one = 1;
	int err;
	int fd6;

	if (getsockname(fd, (struct sockaddr *)&four, &len))
		return -errno;
	addr.sin6_port = four.sin_port;
	fd6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd6 < 0)
		return -errno;
	if (!setsockopt(fd6, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) &&
	    !setsockopt(fd6, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd6, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd6, ADB_BACKLOG))
		return fd6;
	err = -errno;
	close(fd6);
	return err;
}

/**
 * vmm_adb_listen - listen at a single port
 * @port: of 127.0.0.1
 * @option: the option with the port, for messages
 *
 * Return: a listening, non-blocking file, owned by the caller, or -errno after a message
 */
int vmm_adb_listen(unsigned int port, const char *option)
{
	int fd = adb_socket();
	int one = 1;

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !adb_bind(fd, port) && !listen(fd, ADB_BACKLOG))
		return fd;
	vmm_error(errno, "--%s: port %u is not free", option, port);
	adb_drop(&fd);
	return -EADDRINUSE;
}

/**
 * vmm_adb_port - return the adb port
 * @adb: the port pair
 *
 * Return: the port
 */
unsigned int vmm_adb_port(const struct vmm_adb *adb)
{
	return adb->port;
}

static void adb_hang_up(struct vmm_adb *adb)
{
	if (adb->server_fd < 0)
		return;
	vmm_loop_del(adb->loop, adb->server_fd);
	adb_drop(&adb->server_fd);
}

/* The server has accepted, or refused: then sending fails without harm. */
static int adb_server_ready(void *arg)
{
	struct vmm_adb *adb = arg;
	char text[VMM_ADB_NOTICE];
	size_t len = vmm_adb_notice(text, adb->port);

	send(adb->server_fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	adb_hang_up(adb);
	return 0;
}

/**
 * vmm_adb_dial - begin to connect to the adb server
 * @adb: the port pair
 *
 * Return: a non-blocking file, owned by the caller, that becomes writable; or -errno,
 *	-ENOENT if no server is to be used
 */
int vmm_adb_dial(const struct vmm_adb *adb)
{
	struct sockaddr_in addr = adb_loopback(adb->server_port);
	int err;
	int fd;

	if (!adb->server_port)
		return -ENOENT;
	fd = adb_socket();
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)) || errno == EINPROGRESS)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/**
 * vmm_adb_notify - tell a running adb server that there is an emulator
 * @adb: the port pair
 *
 * Does not block. It is no error if there is no server. vmm_adb_tick() has to be called until
 * the notice is sent.
 */
void vmm_adb_notify(struct vmm_adb *adb)
{
	if (adb->server_fd >= 0)
		return;
	adb->server_fd = vmm_adb_dial(adb);
	adb->timeout = ADB_TIMEOUT;
	if (adb->server_fd < 0 ||
	    vmm_loop_watch(adb->loop, adb->server_fd, POLLOUT, adb_server_ready, adb))
		adb_drop(&adb->server_fd);
}

/**
 * vmm_adb_tick - give up an adb server that does not answer
 * @adb: the port pair
 *
 * Return: whether the notice is still being sent
 */
bool vmm_adb_tick(struct vmm_adb *adb)
{
	if (adb->server_fd >= 0 && !adb->timeout--)
		adb_hang_up(adb);
	return adb->server_fd >= 0;
}

/**
 * vmm_adb_close - close the ports
 * @adb: may be NULL
 */
void vmm_adb_close(struct vmm_adb *adb)
{
	if (!adb)
		return;
	adb_hang_up(adb);
	adb_drop(&adb->fd);
	adb_drop(&adb->console_fd);
	free(adb);
}
