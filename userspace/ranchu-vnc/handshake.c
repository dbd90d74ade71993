// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handshakes of viewers. A client can send anything before the password, and the library
 * waits for the rest of an incomplete message, seconds for each byte, while no other client
 * is served. So the library is only called for messages that have arrived completely.
 *
 * The library also checks whether a new connection is a WebSocket, and waits for its first
 * bytes. It is given one end of a socket pair instead, with the bytes of a VNC viewer; then
 * the client's connection replaces that end, by dup3().
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rfb/rfb.h>

#include "ranchu_vnc.h"

static const char rfb_prefix[] = { 'R', 'F', 'B', ' ' };

/**
 * vnc_handshake_open - make the socket pair for new connections
 * @pair: filled: the library's end, and the other one; the caller closes both
 *
 * Return: 0, or -errno
 */
int vnc_handshake_open(int pair[2])
{
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	n = send(pair[1], rfb_prefix, sizeof(rfb_prefix), MSG_NOSIGNAL);
	return n == sizeof(rfb_prefix) ? 0 : -EIO;
}

static void client_end(rfbClientPtr client)
{
	rfbCloseClient(client);
	rfbClientConnectionGone(client);
}

/* Sends to @fd what the library has written to the pair, and makes @own the same file. */
static bool client_move(const int pair[2], int fd, int own)
{
	char version[sz_rfbProtocolVersionMsg];
	ssize_t n = recv(pair[1], version, sizeof(version), MSG_DONTWAIT);
	int one = 1;

	/* Fails for a Unix socket, which has no such option. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return n == sizeof(version) && !fcntl(fd, F_SETFL, O_NONBLOCK) &&
	       send(fd, version, n, MSG_NOSIGNAL) == n && dup3(fd, own, O_CLOEXEC) >= 0;
}

/**
 * vnc_handshake_start - add a connection as a viewer
 * @rfb: the library's server
 * @pair: see vnc_handshake_open()
 * @fd: the connection; always closed, since the client gets a duplicate
 */
void vnc_handshake_start(rfbScreenInfoPtr rfb, const int pair[2], int fd)
{
	int own = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
	rfbClientPtr client = own >= 0 ? rfbNewClient(rfb, own) : NULL;
	char rest[64];

	if (client && !client_move(pair, fd, own))
		client_end(client);
	/* Without memory, the library leaves it open. */
	if (!client && own >= 0 && fcntl(own, F_GETFD) >= 0)
		close(own);
	close(fd);
	/* Drops what the library has sent to a refused client. */
	while (recv(pair[1], rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

/* Returns a client's handshake step; -1 for one that has finished or given the password. */
static int steps(const rfbClientRec *client)
{
	switch (client->state) {
	case RFB_PROTOCOL_VERSION:
		return 0;
	case RFB_SECURITY_TYPE:
		return 1;
	case RFB_AUTHENTICATION:
		return 2;
	default:
		return -1;
	}
}

/**
 * vnc_handshake_drop - disconnect a client in its handshake
 * @rfb: the library's server
 *
 * It is the oldest one of the earliest step, because a user may be typing the
 * password for a while.
 *
 * Return: whether there was such a client
 */
bool vnc_handshake_drop(rfbScreenInfoPtr rfb)
{
	rfbClientIteratorPtr clients = rfbGetClientIterator(rfb);
	rfbClientPtr who = NULL;
	rfbClientPtr client;

	/* The list begins with the newest. */
	while ((client = rfbClientIteratorNext(clients))) {
		if (steps(client) >= 0 && (!who || steps(client) <= steps(who)))
			who = client;
	}
	rfbReleaseClientIterator(clients);
	if (who)
		client_end(who);
	return who;
}

/* Returns the size of a client's next handshake message; 1 when it has finished. */
static ssize_t step_bytes(const rfbClientRec *client)
{
	switch (client->state) {
	case RFB_PROTOCOL_VERSION:
		return sz_rfbProtocolVersionMsg;
	case RFB_AUTHENTICATION:
		return CHALLENGESIZE;
	default:
		return 1;
	}
}

/* Returns whether the library can serve a client without waiting for it. */
static bool step_is_whole(const rfbClientRec *client)
{
	struct pollfd end = { .fd = client->sock, .events = POLLRDHUP };
	ssize_t need = step_bytes(client);
	char bytes[CHALLENGESIZE];
	ssize_t n;

	if (need == 1)
		return true;
	n = recv(client->sock, bytes, need, MSG_PEEK | MSG_DONTWAIT);
	/* At the end of the connection no more can come. */
	return n == need || poll(&end, 1, 0) > 0;
}

/**
 * vnc_handshake_watch - have the library read only complete messages
 * @rfb: the library's server
 */
void vnc_handshake_watch(rfbScreenInfoPtr rfb)
{
	rfbClientIteratorPtr clients = rfbGetClientIterator(rfb);
	rfbClientPtr client;

	while ((client = rfbClientIteratorNext(clients))) {
		if (step_is_whole(client)) {
			FD_SET(client->sock, &rfb->allFds);
			rfb->maxFd = rfbMax(client->sock, rfb->maxFd);
		} else {
			FD_CLR(client->sock, &rfb->allFds);
		}
	}
	rfbReleaseClientIterator(clients);
}
