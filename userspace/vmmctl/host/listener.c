// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets, TCP and Unix, that are in the loop only while there is room
 * for who comes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/vsock.h"

/* Without it a small packet waits until the one before it was acknowledged. */
static void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int listener_readable(void *arg)
{
	struct vmm_vsock_listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return 0;
	if (fd >= 0 && !l->path)
		set_nodelay(fd);
	l->accepted(l->arg, l, fd < 0 ? -errno : fd);
	return 0;
}

/**
 * vmm_vsock_listener_unix - listen at a path, not yet in the loop
 * @listener: @loop, @accepted and @arg are set, @fd is -1
 * @path: of the socket; NULL does nothing
 *
 * Return: 0, or -errno
 */
int vmm_vsock_listener_unix(struct vmm_vsock_listener *listener, const char *path)
{
	if (!path)
		return 0;
	listener->fd = vmm_unix_listen(path);
	if (listener->fd < 0)
		return listener->fd;
	listener->path = path;
	return 0;
}

/**
 * vmm_vsock_listener_tcp - take a listening socket, not yet into the loop
 * @listener: @loop, @accepted and @arg are set, @fd is -1
 * @fd: the socket; stays the caller's
 */
void vmm_vsock_listener_tcp(struct vmm_vsock_listener *listener, int fd)
{
	listener->fd = fd;
}

/**
 * vmm_vsock_listen - take clients, or let them wait in the backlog
 * @listener: may have no socket
 * @on: which
 */
void vmm_vsock_listen(struct vmm_vsock_listener *listener, bool on)
{
	if (listener->fd < 0 || on == listener->watched)
		return;
	if (!on)
		vmm_loop_del(listener->loop, listener->fd);
	else if (vmm_loop_add(listener->loop, listener->fd, listener_readable, listener))
		return;
	listener->watched = on;
}

/**
 * vmm_vsock_listener_close - listen no more
 * @listener: may have no socket
 */
void vmm_vsock_listener_close(struct vmm_vsock_listener *listener)
{
	vmm_vsock_listen(listener, false);
	if (listener->path) {
		close(listener->fd);
		unlink(listener->path);
	}
	listener->path = NULL;
	listener->fd = -1;
}
