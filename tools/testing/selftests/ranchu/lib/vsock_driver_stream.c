// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams: the guest's end, and the host program's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vsock_driver.h"

static void tcp_pair(int ends[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int server;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server < 0 || ends[0] < 0 ||
	    bind(server, (struct sockaddr *)&addr, len) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&addr, &len) ||
	    connect(ends[0], (struct sockaddr *)&addr, len))
		vq_die("no TCP connection: %s", strerror(errno));
	ends[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	if (ends[1] < 0)
		vq_die("accept: %s", strerror(errno));
	close(server);
}

void vs_sockets(enum vs_kind kind, int ends[2])
{
	if (kind == VS_TCP)
		tcp_pair(ends);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		vq_die("socketpair: %s", strerror(errno));
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK))
		vq_die("O_NONBLOCK: %s", strerror(errno));
}

static void stream_init(struct vs_stream *stream, struct vs_dev *dev,
			uint32_t guest_port, uint32_t host_port, int sock)
{
	*stream = (struct vs_stream){
		.dev = dev, .guest_port = guest_port, .host_port = host_port,
		.sock = sock, .buf_alloc = VS_BUF_ALLOC,
	};
}

void vs_connect(struct vs_stream *stream, struct vs_dev *dev, enum vs_kind kind,
		uint32_t guest_port)
{
	uint32_t host_port = 0;
	int ends[2], err;

	vs_sockets(kind, ends);
	err = __vs_connect(dev, guest_port, &host_port, ends[0], VS_COOKIE(guest_port));
	if (err)
		vq_die("CONNECT: %s", strerror(-err));
	close(ends[0]);
	stream_init(stream, dev, guest_port, host_port, ends[1]);
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_REQUEST, NULL);
	vs_stream_send(stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(dev, VHOST_VSOCK_ADB_ESTABLISHED, guest_port, host_port, 0,
			VS_COOKIE(guest_port));
}

void vs_accept(struct vs_stream *stream, struct vs_dev *dev, enum vs_kind kind,
	       uint32_t guest_port, uint32_t host_port)
{
	int ends[2], err;

	vs_sockets(kind, ends);
	stream_init(stream, dev, guest_port, host_port, ends[1]);
	vs_stream_send(stream, VIRTIO_VSOCK_OP_REQUEST, 0, NULL, 0);
	vs_expect_event(dev, VHOST_VSOCK_ADB_REQUEST, guest_port, host_port, 0, 0);
	err = __vs_attach(dev, guest_port, host_port, ends[0], VS_COOKIE(guest_port));
	if (err)
		vq_die("ATTACH: %s", strerror(-err));
	close(ends[0]);
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_RESPONSE, NULL);
}

void vs_stream_close(struct vs_stream *stream)
{
	if (stream->sock >= 0)
		close(stream->sock);
	stream->sock = -1;
}

bool vs_stream_try_send(struct vs_stream *stream, uint16_t op, uint32_t flags,
			const void *data, uint32_t len)
{
	struct vs_packet packet = vs_packet_of(stream->dev, stream->guest_port,
					       stream->host_port, op);

	packet.flags = flags;
	packet.len = len;
	packet.buf_alloc = stream->buf_alloc;
	packet.fwd_cnt = stream->fwd_cnt;
	if (!vs_try_send(stream->dev, &packet, data, len))
		return false;
	stream->tx_cnt += len;
	stream->told_fwd_cnt = stream->fwd_cnt;
	return true;
}

void vs_stream_send(struct vs_stream *stream, uint16_t op, uint32_t flags,
		    const void *data, uint32_t len)
{
	while (!vs_stream_try_send(stream, op, flags, data, len))
		vs_flush(stream->dev);
}

void vs_stream_hear(struct vs_stream *stream, const struct vs_packet *packet)
{
	stream->peer_buf_alloc = packet->buf_alloc;
	stream->peer_fwd_cnt = packet->fwd_cnt;
	if (packet->op == VIRTIO_VSOCK_OP_SHUTDOWN)
		stream->peer_shut |= packet->flags;
	if (packet->op == VIRTIO_VSOCK_OP_RST)
		stream->reset = true;
	if (packet->op == VIRTIO_VSOCK_OP_RW)
		stream->fwd_cnt += packet->len;
}

void vs_stream_expect_at(const char *file, int line, struct vs_stream *stream,
			 uint16_t op, struct vs_packet *packet)
{
	struct vs_packet unused;

	packet = packet ? packet : &unused;
	vs_expect_at(file, line, stream->dev, op, stream->guest_port,
		     stream->host_port, packet);
	vs_stream_hear(stream, packet);
}

void vs_stream_await_at(const char *file, int line, struct vs_stream *stream,
			uint16_t op, struct vs_packet *packet)
{
	struct vs_packet unused;

	packet = packet ? packet : &unused;
	do {
		vs_get(stream->dev, packet);
	} while (packet->op == VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	vs_check_at(file, line, stream->dev, op, stream->guest_port,
		    stream->host_port, packet);
	vs_stream_hear(stream, packet);
}

uint32_t vs_stream_room(const struct vs_stream *stream)
{
	uint32_t unread = stream->tx_cnt - stream->peer_fwd_cnt;

	return stream->peer_buf_alloc > unread ? stream->peer_buf_alloc - unread : 0;
}

int vs_readable(int sock, int timeout_ms)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) > 0;
}

void vs_read_all(int sock, void *data, size_t len)
{
	uint8_t *where = data;
	ssize_t got;

	while (len) {
		if (!vs_readable(sock, VQ_PATIENCE_MS))
			vq_die("%zu bytes do not come", len);
		got = read(sock, where, len);
		if (got <= 0)
			vq_die("%zu bytes are missing: %s", len,
			       got ? strerror(errno) : "the end");
		where += got;
		len -= got;
	}
}

int __vs_read_end(int sock)
{
	uint8_t byte;
	ssize_t got;

	if (!vs_readable(sock, VQ_PATIENCE_MS))
		return -ETIMEDOUT;
	got = read(sock, &byte, 1);
	return got < 0 ? -errno : got;
}

void vs_echo(struct vs_stream *stream)
{
	struct vs_packet packet;
	uint8_t byte = stream->tx_cnt + 'a', got = 0;

	vs_stream_send(stream, VIRTIO_VSOCK_OP_RW, 0, &byte, 1);
	vs_read_all(stream->sock, &got, 1);
	if (got != byte)
		vq_die("the host got %u, not %u", got, byte);
	byte ^= 0x55;
	if (write(stream->sock, &byte, 1) != 1)
		vq_die("write: %s", strerror(errno));
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_RW, &packet);
	if (packet.len != 1 || packet.data[0] != byte)
		vq_die("the guest got %u bytes, %u, not %u", packet.len,
		       packet.data[0], byte);
}
