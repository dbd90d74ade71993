// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets, TCP and Unix, which are in the loop only while there is room for another
 * client.
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

/* Disables Nagle's algorithm, which delays small packets. */
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
	/* Applies what vmm_vsock_listen() asked for during the pause. */
	l->watched = false;
	vmm_vsock_listen(l, true);
	return 0;
}

/* Created in advance: later there may be no descriptor left, and the sandbox allows none. */
static int listener_timer(struct vmm_vsock_listener *l)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return vmm_error(errno, "%s: cannot make a timer", l->path ? l->path : "adb");
	err = vmm_loop_add(l->loop, fd, listener_rested, l);
	if (err)
		close(fd);
	else
		l->timer_fd = fd;
	return err;
}

/* Pauses: the client is still in the backlog, so polling again at once would spin. */
static void listener_rest(struct vmm_vsock_listener *l)
{
	static const struct itimerspec pause = { .it_value.tv_nsec = LISTENER_PAUSE_NS };

	timerfd_settime(l->timer_fd, 0, &pause, NULL);
	vmm_loop_del(l->loop, l->fd);
	l->paused = true;
}

/* Refuses clients of other users of this machine. */
static bool listener_refuses(struct vmm_vsock_listener *l, int fd)
{
	if (!l->owner || vmm_tcp_owner_trusted(l->owner, fd))
		return false;
	if (!l->refused++)
		vmm_note("a client of another user was refused");
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
 * vmm_vsock_listener_unix - listen at a path; not added to the loop yet
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
 * vmm_vsock_listener_tcp - use a listening socket; not added to the loop yet
 * @listener: @loop, @accepted and @arg are set, @fd is -1
 * @fd: the socket; owned by the caller
 * @users: users whose clients are accepted
 *
 * Return: 0, or -errno: without the kernel's list of connections no client is accepted
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
 * vmm_vsock_listen - accept clients, or leave them in the backlog
 * @listener: may have no socket
 * @on: true to accept
 */
void vmm_vsock_listen(struct vmm_vsock_listener *listener, bool on)
{
	if (listener->fd < 0 || on == listener->watched)
		return;
	/* A paused listener is added to the loop when its timer expires. */
	if (!listener->paused && !on)
		vmm_loop_del(listener->loop, listener->fd);
	else if (!listener->paused &&
		 vmm_loop_add(listener->loop, listener->fd, listener_readable, listener))
		return;
	listener->watched = on;
}

/**
 * vmm_vsock_listener_close - close a listener
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
