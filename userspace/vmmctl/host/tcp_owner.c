// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user at the other end of a local TCP connection: the kernel's list of connections has the
 * user of each socket. Every user of the machine can connect to a loopback port, and adb gives
 * every client a shell in the guest.
 *
 * Limits: a user's adb server accepts commands from every local user, and connects as its own
 * user. A client in another network namespace is not in the list, and is refused.
 *
 * Source: Linux 6.12 Documentation/networking/proc_net_tcp.rst
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/tcp_owner.h"

enum { LIST_V4, LIST_V6, LISTS };

/**
 * struct vmm_tcp_owner - the kernel's lists, open
 * @list: files of the lists, -1 for one that the kernel lacks
 * @uid: the user of this process; read before the sandbox is entered
 */
struct vmm_tcp_owner {
	int list[LISTS];
	uid_t uid;
};

/**
 * vmm_tcp_owner_open - open the kernel's lists of connections
 *
 * Return: the lists, or NULL without memory
 */
struct vmm_tcp_owner *vmm_tcp_owner_open(void)
{
	struct vmm_tcp_owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	owner->uid = geteuid();
	owner->list[LIST_V4] = open("/proc/self/net/tcp", O_RDONLY | O_CLOEXEC);
	owner->list[LIST_V6] = open("/proc/self/net/tcp6", O_RDONLY | O_CLOEXEC);
	return owner;
}

/**
 * vmm_tcp_owner_close - close the lists
 * @owner: may be NULL
 */
void vmm_tcp_owner_close(struct vmm_tcp_owner *owner)
{
	unsigned int i;

	if (!owner)
		return;
	for (i = 0; i < LISTS; i++) {
		if (owner->list[i] >= 0)
			close(owner->list[i]);
	}
	free(owner);
}

/* Formats addresses as in the list: words in network order, printed as host numbers. */
static void wanted(char *text, size_t size, unsigned int list, const struct sockaddr_in *from,
		   const struct sockaddr_in *to)
{
	char prefix[32] = "";

	/* An IPv4 address mapped to IPv6. */
	if (list == LIST_V6)
		snprintf(prefix, sizeof(prefix), "0000000000000000%08X", htonl(0xffff));
	snprintf(text, size, "%s%08X:%04X %s%08X:%04X ", prefix, from->sin_addr.s_addr,
		 ntohs(from->sin_port), prefix, to->sin_addr.s_addr, ntohs(to->sin_port));
}

/*
 * Reads the user of a line. The socket must still have an inode: a connection that no process
 * holds any more is listed as root's.
 */
static bool line_user(const char *rest, unsigned int *uid)
{
	unsigned long inode;
	unsigned int state;

	return sscanf(rest, "%x %*x:%*x %*x:%*x %*x %u %*d %lu", &state, uid, &inode) == 3 &&
	       inode;
}

static bool text_find(const char *text, const char *addresses, unsigned int *uid, bool *known)
{
	const char *found = strstr(text, addresses);

	if (found)
		*known = line_user(found + strlen(addresses), uid);
	return found;
}

/* Reads the list again, in pieces; a line that is cut off is completed by the next piece. */
static bool list_find(int list, const char *addresses, unsigned int *uid)
{
	char text[8192 + 1];
	bool known = false;
	size_t kept = 0;
	off_t at = 0;
	char *end;
	ssize_t n;

	for (;;) {
		n = pread(list, text + kept, sizeof(text) - 1 - kept, at);
		if (n <= 0)
			return false;
		at += n;
		text[kept + n] = '\0';
		end = strrchr(text, '\n');
		if (!end)
			return false;
		*end++ = '\0';
		if (text_find(text, addresses, uid, &known))
			return known;
		kept = strlen(end);
		memmove(text, end, kept);
	}
}

/**
 * vmm_tcp_owner_trusted - return whether a client is this user, or root
 * @owner: the kernel's lists
 * @fd: connected by IPv4
 *
 * Return: whether the list says so
 */
bool vmm_tcp_owner_trusted(struct vmm_tcp_owner *owner, int fd)
{
	struct sockaddr_in from = { 0 };
	struct sockaddr_in to = { 0 };
	socklen_t from_size = sizeof(from);
	socklen_t to_size = sizeof(to);
	char addresses[128];
	unsigned int uid;
	unsigned int i;

	if (getpeername(fd, (struct sockaddr *)&from, &from_size) ||
	    getsockname(fd, (struct sockaddr *)&to, &to_size) ||
	    from.sin_family != AF_INET || to.sin_family != AF_INET)
		return false;
	for (i = 0; i < LISTS; i++) {
		wanted(addresses, sizeof(addresses), i, &from, &to);
		if (list_find(owner->list[i], addresses, &uid))
			return !uid || uid == owner->uid;
	}
	return false;
}
