// SPDX-License-Identifier: GPL-2.0-only
/*
 * How viewers come in. Whoever can reach a port can say anything before the password, and
 * the library waits for the rest of what somebody has begun to say, seconds for each byte,
 * while nobody else is served. So it hears of a connection's next step when that is there
 * as a whole.
 *
 * The library also takes a new connection for a WebSocket if it looks like one, and waits
 * for that as well. It is given a socket of our own that looks like a viewer; then the
 * connection takes that one's place.
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

static const char looks[] = { 'R', 'F', 'B', ' ' };

/**
 * vnc_door_open - make the socket that new connections look like
 * @door: filled: what the library sees, and the other end; both are the caller's
 *
 * Return: 0, or -errno
 */
int vnc_door_open(int door[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, door))
		return -errno;
	return send(door[1], looks, sizeof(looks), MSG_NOSIGNAL) == sizeof(looks) ? 0 : -EIO;
}

static void client_end(rfbClientPtr client)
{
	rfbCloseClient(client);
	rfbClientConnectionGone(client);
}

/* What the library has said to our socket is said to @fd, and @own becomes the same file. */
static bool client_move(const int door[2], int fd, int own)
{
	char version[sz_rfbProtocolVersionMsg];
	ssize_t n = recv(door[1], version, sizeof(version), MSG_DONTWAIT);
	int one = 1;

	/* A Unix socket has no such option. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return n == sizeof(version) && !fcntl(fd, F_SETFL, O_NONBLOCK) &&
	       send(fd, version, n, MSG_NOSIGNAL) == n && dup3(fd, own, O_CLOEXEC) >= 0;
}

/**
 * vnc_door_enter - make a connection a viewer's
 * @rfb: the library's server
 * @door: see vnc_door_open()
 * @fd: the connection; is closed where nothing comes of it
 */
void vnc_door_enter(rfbScreenInfoPtr rfb, const int door[2], int fd)
{
	int own = fcntl(door[0], F_DUPFD_CLOEXEC, 0);
	rfbClientPtr client = own >= 0 ? rfbNewClient(rfb, own) : NULL;
	char rest[64];

	if (client && !client_move(door, fd, own))
		client_end(client);
	/* Where memory is short, the library leaves it open. */
	if (!client && own >= 0 && fcntl(own, F_GETFD) >= 0)
		close(own);
	close(fd);
	/* Of one that was not wanted. */
	while (recv(door[1], rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

/* How far somebody has come; -1 for who is in, or has said the password and is not sent away. */
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
 * vnc_door_make_room - send away who has not come in so far
 * @rfb: the library's server
 *
 * It is one of those that have said least, the oldest of them: somebody may be typing the
 * password for a while.
 *
 * Return: whether there was one
 */
bool vnc_door_make_room(rfbScreenInfoPtr rfb)
{
	rfbClientIteratorPtr clients = rfbGetClientIterator(rfb);
	rfbClientPtr who = NULL;
	rfbClientPtr client;

	/* The newest comes first. */
	while ((client = rfbClientIteratorNext(clients))) {
		if (steps(client) >= 0 && (!who || steps(client) <= steps(who)))
			who = client;
	}
	rfbReleaseClientIterator(clients);
	if (who)
		client_end(who);
	return who;
}

/* Bytes of what a viewer says next, until it has come in; then what it says is its affair. */
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

/* Whether the library can do something with a viewer without waiting for it. */
static bool step_is_whole(const rfbClientRec *client)
{
	struct pollfd end = { .fd = client->sock, .events = POLLRDHUP };
	ssize_t need = step_bytes(client);
	char bytes[CHALLENGESIZE];
	ssize_t n;

	if (need == 1)
		return true;
	n = recv(client->sock, bytes, need, MSG_PEEK | MSG_DONTWAIT);
	/* There is nothing to wait for either where no more can come. */
	return n == need || poll(&end, 1, 0) > 0;
}

/**
 * vnc_door_watch - have the library look only at those that it need not wait for
 * @rfb: the library's server
 */
void vnc_door_watch(rfbScreenInfoPtr rfb)
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
