// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of the vhost-user protocol: a header, a payload, and files. Whoever is not
 * answered within a few seconds gives up.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/vhost_user.h"

#define VU_HEADER	offsetof(struct vmm_vu_message, payload)
#define VU_PATIENCE	10	/* seconds */

/**
 * vmm_vu_set_timeouts - do not wait for ever
 * @sock: connection to a process
 */
void vmm_vu_set_timeouts(int sock)
{
	struct timeval patience = { .tv_sec = VU_PATIENCE };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/**
 * vmm_vu_connect - connect to a process that serves a device
 * @path: its socket
 *
 * Return: the connection, or -errno without a message
 */
int vmm_vu_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock;
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	/* For the connect as well, which waits for a process that does not accept. */
	vmm_vu_set_timeouts(sock);
	if (connect(sock, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(sock);
		return err;
	}
	return sock;
}

/* Room for files beside a message. */
union vu_control {
	struct cmsghdr head;
	u8 room[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
};

/**
 * vmm_vu_send - send a message
 * @sock: the connection
 * @msg: the message; its version is set
 * @fds: files that go with it
 * @count: how many, at most VU_FDS_MAX
 *
 * Return: 0, or -errno: the connection is of no use any more
 */
int vmm_vu_send(int sock, struct vmm_vu_message *msg, const int *fds, unsigned int count)
{
	struct iovec iov = { .iov_base = msg, .iov_len = VU_HEADER + msg->size };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union vu_control control = {};
	ssize_t n;

	msg->flags |= VU_VERSION;
	if (count) {
		hdr.msg_control = &control;
		hdr.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	do
		n = sendmsg(sock, &hdr, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* Far below a socket's buffer: it goes whole or not at all. */
	return n == (ssize_t)iov.iov_len ? 0 : -EIO;
}

static int receive_all(int sock, void *buf, size_t len)
{
	u8 *to = buf;
	ssize_t n;

	while (len) {
		n = recv(sock, to, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		to += n;
		len -= n;
	}
	return 0;
}

/**
 * vmm_vu_receive - receive a message
 * @sock: the connection
 * @msg: filled
 * @fd: filled with a file that came with it, or with -1; NULL if none is wanted
 *
 * Return: 0, or -errno: the connection is of no use any more
 */
int vmm_vu_receive(int sock, struct vmm_vu_message *msg, int *fd)
{
	struct iovec iov = { .iov_base = msg, .iov_len = VU_HEADER };
	union vu_control control;
	struct msghdr hdr = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = fd ? &control : NULL,
		.msg_controllen = fd ? sizeof(control) : 0,
	};
	struct cmsghdr *cmsg;
	ssize_t n;
	int err;

	do
		n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	if (fd) {
		*fd = -1;
		cmsg = CMSG_FIRSTHDR(&hdr);
		if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	}
	err = receive_all(sock, (u8 *)msg + n, VU_HEADER - n);
	if (!err && msg->size > sizeof(msg->payload))
		err = -EMSGSIZE;
	if (!err)
		err = receive_all(sock, msg->payload, msg->size);
	if (err && fd && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return err;
}
