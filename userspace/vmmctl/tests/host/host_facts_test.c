// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small things about the host: MAC addresses, the service manager, and whose a TCP
 * connection is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/mac.h"
#include "host/notify.h"
#include "host/tcp_owner.h"
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
		/* A station's, and locally administered. */
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

/* Connects as another user, and stays until told to go. */
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
	/* A connection that nobody holds any more is nobody's. */
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

static const struct tap_case cases[] = {
	{ "MAC addresses differ, and stay", macs_differ_by_name },
	{ "a service manager is told, and its watchdog", manager_is_told },
	{ "connections of other users are known", strangers_are_known },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
