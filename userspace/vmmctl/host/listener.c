// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets, TCP and Unix, that are in the loop only while there is room
 * for who comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/tcp_owner.h"
#include "host/unix.h"
#include "host/vsock.h"

#define LISTENER_PAUSE_NS	250000000

/* Without it a small packet waits until the one before it was acknowledged. */
static void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int listener_rested(void *arg)
{
	struct vmm_vsock_listener *l = arg;
	u64 expirations;

	if (read(l->timer_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	l->paused = false;
	if (!l->watched)
		return 0;
	/* What it was asked for meanwhile is done now. */
	l->watched = false;
	vmm_vsock_listen(l, true);
	return 0;
}

/* Made before it is needed: then there may be no file left, and the sandbox makes none. */
static int listener_timer(struct vmm_vsock_listener *l)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = vmm_loop_add(l->loop, fd, listener_rested, l);
	if (err)
		close(fd);
	else
		l->timer_fd = fd;
	return err;
}

/* Asking again at once would only spin: the client is still there. */
static void listener_rest(struct vmm_vsock_listener *l)
{
	static const struct itimerspec pause = { .it_value.tv_nsec = LISTENER_PAUSE_NS };

	timerfd_settime(l->timer_fd, 0, &pause, NULL);
	vmm_loop_del(l->loop, l->fd);
	l->paused = true;
}

/* Whoever else has an account here has no business with this guest. */
static bool listener_refuses(struct vmm_vsock_listener *l, int fd)
{
	if (!l->owner || vmm_tcp_owner_trusted(l->owner, fd))
		return false;
	if (!l->refused++)
		vmm_note("a client of another user was sent away");
	close(fd);
	return true;
}

static int listener_readable(void *arg)
{
	struct vmm_vsock_listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	int err = -errno;

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return 0;
	if (fd < 0)
		listener_rest(l);
	if (fd >= 0 && !l->path) {
		if (listener_refuses(l, fd))
			return 0;
		set_nodelay(fd);
	}
	l->accepted(l->arg, l, fd < 0 ? err : fd);
	return 0;
}

/**
 * vmm_vsock_listener_unix - listen at a path, not yet in the loop
 * @listener: @loop, @accepted, @arg and @packets are set, @fd is -1
 * @path: of the socket; NULL does nothing
 *
 * Return: 0, or -errno
 */
int vmm_vsock_listener_unix(struct vmm_vsock_listener *listener, const char *path)
{
	if (!path)
		return 0;
	listener->fd = listener->packets ? vmm_unix_listen_packets(path) : vmm_unix_listen(path);
	if (listener->fd < 0)
		return listener->fd;
	listener->path = path;
	return listener_timer(listener);
}

/**
 * vmm_vsock_listener_tcp - take a listening socket, not yet into the loop
 * @listener: @loop, @accepted and @arg are set, @fd is -1
 * @fd: the socket; stays the caller's
 * @users: whose clients are taken
 *
 * Return: 0, or -errno: without the kernel's list of clients nobody is let in
 */
int vmm_vsock_listener_tcp(struct vmm_vsock_listener *listener, int fd,
			   enum vmm_adb_users users)
{
	if (users == VMM_ADB_OWNER) {
		listener->owner = vmm_tcp_owner_open();
		if (!listener->owner)
			return vmm_error(ENOMEM, "listening socket");
	}
	listener->fd = fd;
	return listener_timer(listener);
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
	/* One that rests is not in the loop, and comes into it when it has. */
	if (!listener->paused && !on)
		vmm_loop_del(listener->loop, listener->fd);
	else if (!listener->paused &&
		 vmm_loop_add(listener->loop, listener->fd, listener_readable, listener))
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
	vmm_tcp_owner_close(listener->owner);
	listener->owner = NULL;
	if (listener->timer_fd > 0) {
		vmm_loop_del(listener->loop, listener->timer_fd);
		close(listener->timer_fd);
	}
	listener->timer_fd = 0;
	listener->paused = false;
	if (listener->path) {
		vmm_unix_remove(listener->path);
		close(listener->fd);
	}
	listener->path = NULL;
	listener->fd = -1;
}
