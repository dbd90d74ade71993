// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of the vhost-user protocol: a header, a payload, and files. Nothing here
 * waits: a message that has not arrived completely is continued at the next call.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/vhost_user.h"
#include "host/unix.h"

#define VU_HEADER	offsetof(struct vmm_vu_message, payload)

/* Room for files beside a message. */
union vu_control {
	struct cmsghdr head;
	u8 room[CMSG_SPACE(VU_FDS_HEARD * sizeof(int))];
};

/**
 * vmm_vu_send - send a message
 * @sock: the connection
 * @msg: the message; its version is set
 * @fds: files that go with it
 * @count: how many, at most VU_FDS_MAX
 *
 * Context: any thread; does not wait.
 * Return: 0, or -errno: the connection is of no use any more
 */
int vmm_vu_send(int sock, struct vmm_vu_message *msg, const int *fds, unsigned int count)
{
	msg->flags |= VU_VERSION;
	/* Far below the size of a socket's buffer: it is sent whole or not at all. */
	return vmm_unix_send_files(sock, msg, VU_HEADER + msg->size, fds, count, MSG_DONTWAIT);
}

/**
 * vmm_vu_channel_open - begin to receive messages
 * @channel: filled; one file is kept of those that come with a message. Whoever wants
 *	more sets @channel->fds_max
 * @sock: the connection; stays the caller's
 */
void vmm_vu_channel_open(struct vmm_vu_channel *channel, int sock)
{
	channel->sock = sock;
	channel->fds = 0;
	channel->fds_max = 1;
	channel->fd[0] = -1;
	channel->have = 0;
	channel->whole = false;
}

static void channel_drop_files(struct vmm_vu_channel *channel)
{
	unsigned int i;

	for (i = 0; i < channel->fds; i++) {
		if (channel->fd[i] >= 0)
			close(channel->fd[i]);
	}
	channel->fds = 0;
	channel->fd[0] = -1;
}

/**
 * vmm_vu_channel_close - free what was received
 * @channel: its connection is not closed
 */
void vmm_vu_channel_close(struct vmm_vu_channel *channel)
{
	channel_drop_files(channel);
	channel->sock = -1;
}

/* The first files of a message are kept, all others are closed. */
static void channel_take_files(struct vmm_vu_channel *channel, struct msghdr *hdr)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(hdr);
	size_t count;
	size_t i;
	int fd;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
	for (i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (channel->fds < channel->fds_max)
			channel->fd[channel->fds++] = fd;
		else
			close(fd);
	}
}

/* Receives up to @end bytes of the message. */
static int channel_fill(struct vmm_vu_channel *channel, u32 end)
{
	union vu_control control;

	while (channel->have < end) {
		struct iovec iov = {
			.iov_base = (u8 *)&channel->msg + channel->have,
			.iov_len = end - channel->have,
		};
		struct msghdr hdr = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(channel->sock, &hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		channel_take_files(channel, &hdr);
		channel->have += n;
	}
	return 0;
}

/**
 * vmm_vu_receive - receive a message, or a further piece of it
 * @channel: open
 *
 * A message is in @channel->msg until the next call, and files that came with it in
 * @channel->fd. Whoever keeps one sets that to -1.
 *
 * Return: 0 for a whole message; -EAGAIN if there is more to come; or -errno: the
 *	connection is of no use any more, -EPIPE if the other side has closed it
 */
int vmm_vu_receive(struct vmm_vu_channel *channel)
{
	struct vmm_vu_message *msg = &channel->msg;
	int err;

	if (channel->whole) {
		channel_drop_files(channel);
		channel->whole = false;
		channel->have = 0;
	}
	err = channel_fill(channel, VU_HEADER);
	if (err)
		return err;
	if (msg->size > sizeof(msg->payload))
		return -EMSGSIZE;
	err = channel_fill(channel, VU_HEADER + msg->size);
	channel->whole = !err;
	return err;
}
