// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions about the host: MAC addresses, the service manager, the owner of a TCP connection, and
 * Unix sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/mac.h"
#include "host/notify.h"
#include "host/tcp_owner.h"
#include "host/unix.h"
#include "host/vsock.h"
#include "machine/machine.h"
#include "tests/tap.h"

static void macs_differ_by_name(void)
{
	u8 mac[4][6];
	unsigned int i;
	unsigned int k;

	vmm_mac_derive(mac[0], "one", 0);
	vmm_mac_derive(mac[1], "one", 1);
	vmm_mac_derive(mac[2], "two", 0);
	vmm_mac_derive(mac[3], "vm1234", 0);
	for (i = 0; i < ARRAY_SIZE(mac); i++) {
		/* A unicast address, locally administered. */
		tap_equal(mac[i][0] & 3, 2);
		for (k = 0; k < i; k++)
			tap_check(memcmp(mac[i], mac[k], 6));
	}
	vmm_mac_derive(mac[1], "one", 0);
	tap_check(!memcmp(mac[0], mac[1], 6));
}

static int stop(void *arg)
{
	(void)arg;
	return 1;
}

static int manager_open(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path + 1, name, strlen(name));
	tap_check(!bind(fd, (struct sockaddr *)&addr,
			offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
	return fd;
}

static void manager_is_told(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_notify *notify;
	char name[64];
	char text[64] = "";
	int fd;

	snprintf(name, sizeof(name), "@vmmctl-notify-%d", (int)getpid());
	fd = manager_open(name + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	notify = vmm_notify_open(loop);
	if (tap_check(notify)) {
		vmm_notify_send(notify, "READY=1");
		tap_equal(recv(fd, text, sizeof(text), 0), 7);
		tap_check(!memcmp(text, "READY=1", 7));
		vmm_loop_add(loop, fd, stop, NULL);
		tap_equal(vmm_loop_run(loop), 1);
		tap_equal(recv(fd, text, sizeof(text), 0), 10);
		tap_check(!memcmp(text, "WATCHDOG=1", 10));
	}
	vmm_notify_close(notify);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
	tap_check(!vmm_notify_open(loop));
	setenv("NOTIFY_SOCKET", name, 1);
	tap_check(!vmm_notify_open(loop));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	vmm_loop_destroy(loop);
}

static int listen_at_loopback(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*addr);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	tap_check(!bind(fd, (struct sockaddr *)addr, sizeof(*addr)) && !listen(fd, 8) &&
		  !getsockname(fd, (struct sockaddr *)addr, &size));
	return fd;
}

/* Connects as another user, and stays until told to end. */
static pid_t stranger(const struct sockaddr_in *addr, int family)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = addr->sin_port };
	pid_t pid = fork();
	char byte;
	int fd;

	if (pid)
		return pid;
	if (setgid(65534) || setuid(65534))
		_exit(1);
	fd = socket(family, SOCK_STREAM, 0);
	mapped.sin6_addr.s6_addr[10] = 0xff;
	mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(mapped.sin6_addr.s6_addr + 12, &addr->sin_addr, 4);
	if (family == AF_INET ? connect(fd, (struct sockaddr *)addr, sizeof(*addr)) :
				connect(fd, (struct sockaddr *)&mapped, sizeof(mapped)))
		_exit(2);
	_exit(recv(fd, &byte, 1, 0) < 0);
}

static void check_stranger(struct vmm_tcp_owner *owner, int listener,
			   const struct sockaddr_in *addr, int family)
{
	pid_t pid = stranger(addr, family);
	int fd = accept(listener, NULL, NULL);

	tap_check(fd >= 0);
	tap_check(!vmm_tcp_owner_trusted(owner, fd));
	close(fd);
	waitpid(pid, NULL, 0);
}

static void strangers_are_known(void)
{
	struct vmm_tcp_owner *owner = vmm_tcp_owner_open();
	struct sockaddr_in addr;
	int listener = listen_at_loopback(&addr);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	tap_check(!connect(client, (struct sockaddr *)&addr, sizeof(addr)));
	fd = accept(listener, NULL, NULL);
	tap_check(vmm_tcp_owner_trusted(owner, fd));
	/* A closed connection has no owner. */
	close(client);
	tap_check(!vmm_tcp_owner_trusted(owner, fd));
	close(fd);
	if (geteuid()) {
		tap_skip("only root can be another user");
	} else {
		check_stranger(owner, listener, &addr, AF_INET);
		check_stranger(owner, listener, &addr, AF_INET6);
	}
	close(listener);
	vmm_tcp_owner_close(owner);
}

/**
 * struct door - adb's port, open to some users
 * @listener: the listening socket
 * @end_fd: signalled when @want clients were accepted
 * @taken: number of accepted clients
 * @want: number of clients to wait for
 */
struct door {
	struct vmm_vsock_listener listener;
	int end_fd;
	unsigned int taken;
	unsigned int want;
};

static void door_accepted(void *arg, struct vmm_vsock_listener *listener, int fd)
{
	struct door *door = arg;

	(void)listener;
	close(fd);
	if (++door->taken == door->want)
		vmm_event_signal(door->end_fd);
}

/* First a client of another user connects, then one of this user. */
static void check_door(enum vmm_adb_users users)
{
	struct door door = { .want = users == VMM_ADB_ALL ? 2 : 1, .listener.fd = -1 };
	struct sockaddr_in addr;
	struct pollfd come = { .fd = listen_at_loopback(&addr), .events = POLLIN };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct vmm_loop *loop = vmm_loop_create();
	pid_t pid;

	tap_context("users %d", users);
	door.end_fd = vmm_event_create();
	door.listener.loop = loop;
	door.listener.accepted = door_accepted;
	door.listener.arg = &door;
	tap_equal(vmm_vsock_listener_tcp(&door.listener, come.fd, users), 0);
	vmm_vsock_listen(&door.listener, true);
	tap_check(!vmm_loop_add(loop, door.end_fd, stop, NULL));
	pid = stranger(&addr, AF_INET);
	tap_equal(poll(&come, 1, 60000), 1);
	tap_check(!connect(client, (struct sockaddr *)&addr, sizeof(addr)));
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(door.taken, door.want);
	tap_equal(door.listener.refused, 2 - door.want);
	vmm_vsock_listener_close(&door.listener);
	waitpid(pid, NULL, 0);
	close(client);
	close(come.fd);
	close(door.end_fd);
	vmm_loop_destroy(loop);
}

static void users_are_let_in_as_asked(void)
{
	if (geteuid()) {
		tap_skip("only root can be another user");
		return;
	}
	check_door(VMM_ADB_OWNER);
	check_door(VMM_ADB_ALL);
}

/* With any umask, and from the moment that the socket exists. */
static void sockets_are_the_users_alone(void)
{
	char dir[] = "/tmp/vmmctl-facts-XXXXXX";
	mode_t mask = umask(0);
	char path[64];
	struct stat st;
	int fd;

	tap_check(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	fd = vmm_unix_listen(path);
	tap_check(fd >= 0 && !lstat(path, &st) && S_ISSOCK(st.st_mode));
	tap_equal(st.st_mode & 07777, 0600);
	close(fd);
	unlink(path);
	fd = vmm_unix_bind(path, 1);
	tap_check(fd >= 0 && !lstat(path, &st) && S_ISSOCK(st.st_mode));
	tap_equal(st.st_mode & 07777, 0600);
	tap_equal(vmm_unix_bind(path, 1), -EADDRINUSE);
	umask(mask);
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* Files arrive with their bytes; a reader that has ended is an error. */
static void files_are_sent_along(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	char text[8];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fds[33] = { STDIN_FILENO, STDOUT_FILENO };
	struct stat st[2];
	int got[2];
	int pair[2];

	tap_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	tap_equal(vmm_unix_send_files(pair[0], "ab", 2, fds, 2, 0), 0);
	tap_equal(recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC), 2);
	tap_equal(control.head.cmsg_len, CMSG_LEN(2 * sizeof(int)));
	memcpy(got, CMSG_DATA(&control.head), sizeof(got));
	tap_check(!fstat(got[1], &st[0]) && !fstat(STDOUT_FILENO, &st[1]) &&
		  st[0].st_ino == st[1].st_ino);
	close(got[0]);
	close(got[1]);
	tap_equal(vmm_unix_send_files(pair[0], "c", 1, NULL, 0, 0), 0);
	tap_equal(recv(pair[1], text, sizeof(text), 0), 1);
	tap_equal(vmm_unix_send_files(pair[0], "d", 1, fds, 33, 0), -E2BIG);
	close(pair[1]);
	tap_equal(vmm_unix_send_files(pair[0], "e", 1, fds, 1, 0), -EPIPE);
	close(pair[0]);
}

static const struct tap_case cases[] = {
	{ "MAC addresses differ, and stay", macs_differ_by_name },
	{ "a service manager is told, and its watchdog", manager_is_told },
	{ "connections of other users are known", strangers_are_known },
	{ "users are let in as asked", users_are_let_in_as_asked },
	{ "listening sockets are the user's alone", sockets_are_the_users_alone },
	{ "files are sent along", files_are_sent_along },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
