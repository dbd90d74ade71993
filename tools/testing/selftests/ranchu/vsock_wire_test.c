// SPDX-License-Identifier: GPL-2.0-only
/*
 * CIDs, handshakes, credit, and data both ways, byte for byte, as the guest and
 * the programs of the host see them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define HOST_PORT	5037u
#define NO_HOST_PORT	0u

FIXTURE(cid)
{
	struct vs_dev dev;
	struct vs_dev other;
};

FIXTURE_SETUP(cid)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_open(&self->dev, VQ_SPLIT);
	vs_set_up(&self->dev);
	vs_open(&self->other, VQ_SPLIT);
	vs_set_up(&self->other);
}

FIXTURE_TEARDOWN(cid)
{
	vs_destroy(&self->dev);
	vs_destroy(&self->other);
}

TEST_F(cid, must_be_set)
{
	EXPECT_EQ(-EADDRNOTAVAIL, __vs_run(&self->dev, 1));
	EXPECT_EQ(0, __vs_run(&self->dev, 0));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	EXPECT_EQ(0, __vs_run(&self->dev, 1));
}

TEST_F(cid, some_are_reserved)
{
	static const uint64_t reserved[] = {
		0, 1, 2, 0xffffffffull, 0x100000000ull, 0x100000003ull, ~0ull,
	};
	unsigned int i;

	for (i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		EXPECT_EQ(-EINVAL, __vs_set_cid(&self->dev, reserved[i]));
	EXPECT_EQ(-EADDRNOTAVAIL, __vs_run(&self->dev, 1));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, 3));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, 0xfffffffeull));
	EXPECT_EQ(-EFAULT, __vq_ioctl(self->dev.fd, VHOST_VSOCK_SET_GUEST_CID, NULL));
}

TEST_F(cid, is_one_guests_only)
{
	ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	EXPECT_EQ(-EADDRINUSE, __vs_set_cid(&self->other, VS_CID));
	/* A guest that was refused one keeps what it had. */
	EXPECT_EQ(0, __vs_set_cid(&self->other, VS_CID + 1));
	EXPECT_EQ(-EADDRINUSE, __vs_set_cid(&self->other, VS_CID));
	EXPECT_EQ(-EADDRINUSE, __vs_set_cid(&self->dev, VS_CID + 1));
	/* Given up for another, it is free. */
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID + 2));
	EXPECT_EQ(0, __vs_set_cid(&self->other, VS_CID));
}

TEST_F(cid, is_free_again)
{
	ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
	EXPECT_EQ(0, __vs_set_cid(&self->other, VS_CID));
	vs_destroy(&self->other);
	vs_set_up(&self->dev);
	EXPECT_EQ(-EADDRNOTAVAIL, __vs_run(&self->dev, 1));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
}

TEST_F(cid, stays_while_running)
{
	ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	vs_run(&self->dev, 1);
	EXPECT_EQ(-EBUSY, __vs_set_cid(&self->dev, VS_CID + 1));
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	/* A refused CID is still free. */
	EXPECT_EQ(0, __vs_set_cid(&self->other, VS_CID + 1));
	vs_run(&self->dev, 0);
	EXPECT_EQ(0, __vs_set_cid(&self->dev, VS_CID + 2));
}

FIXTURE(wire)
{
	struct vs_dev dev;
	struct vs_stream stream;
};

FIXTURE_VARIANT(wire)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(wire, split)
{
	.features = VQ_SPLIT,
};

FIXTURE_VARIANT_ADD(wire, split_event_indirect)
{
	.features = VQ_SPLIT | VQ_EVENT | VQ_INDIRECT,
};

FIXTURE_VARIANT_ADD(wire, packed)
{
	.features = VQ_PACKED,
};

FIXTURE_VARIANT_ADD(wire, packed_event_in_order)
{
	.features = VQ_PACKED | VQ_EVENT | VQ_IN_ORDER,
};

FIXTURE_SETUP(wire)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, variant->features);
	self->stream.sock = -1;
}

FIXTURE_TEARDOWN(wire)
{
	struct vhost_vsock_adb_stats stats;

	if (self->dev.fd > 0) {
		vs_get_stats(&self->dev, &stats);
		EXPECT_EQ(0, stats.faults);
		EXPECT_EQ(0, stats.bad_packets);
		vs_stream_close(&self->stream);
	}
	vs_destroy(&self->dev);
}

TEST_F_TIMEOUT(wire, host_connects, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	uint32_t host_port = 7777;
	struct vs_packet packet;
	int ends[2];

	vs_sockets(VS_UNIX, ends);
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0],
				  VS_COOKIE(GUEST_PORT)));
	EXPECT_EQ(7777, host_port);
	EXPECT_EQ(-EADDRINUSE, __vs_connect(&self->dev, GUEST_PORT, &host_port,
					    ends[0], 0));
	close(ends[0]);
	self->stream = (struct vs_stream){
		.dev = &self->dev, .guest_port = GUEST_PORT, .host_port = host_port,
		.sock = ends[1], .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_REQUEST, &packet);
	EXPECT_LE(16384, packet.buf_alloc);
	EXPECT_EQ(0, packet.fwd_cnt);
	EXPECT_EQ(VS_HDR, packet.used);
	EXPECT_FALSE(vs_has_event(&self->dev));
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT, 7777, 0,
			VS_COOKIE(GUEST_PORT));
	vs_echo(&self->stream);
	vs_expect_nothing(&self->dev);
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(1, stats.streams);
	EXPECT_EQ(1, stats.bytes_to_guest);
	EXPECT_EQ(1, stats.bytes_to_host);
	EXPECT_FALSE(vs_has_event(&self->dev));
	/* The two packets to unknown ports of the check above. */
	EXPECT_EQ(2, stats.bad_packets);
	vs_destroy(&self->dev);
}

/* A host port is chosen, another one for each stream to the same guest port. */
TEST_F_TIMEOUT(wire, host_ports_differ, TIMEOUT)
{
	struct vs_stream streams[8];
	unsigned int i, j;

	for (i = 0; i < 8; i++) {
		vs_connect(&streams[i], &self->dev, VS_UNIX, GUEST_PORT);
		EXPECT_NE(0, streams[i].host_port);
		for (j = 0; j < i; j++)
			EXPECT_NE(streams[j].host_port, streams[i].host_port);
	}
	for (i = 0; i < 8; i++)
		vs_echo(&streams[i]);
	for (i = 0; i < 8; i++)
		vs_stream_close(&streams[i]);
}

TEST_F_TIMEOUT(wire, guest_refuses, TIMEOUT)
{
	struct vs_packet packet;
	uint32_t host_port = 0;
	int ends[2];

	vs_sockets(VS_UNIX, ends);
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0], 99));
	close(ends[0]);
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, host_port, NULL);
	packet = vs_packet_of(&self->dev, GUEST_PORT, host_port, VIRTIO_VSOCK_OP_RST);
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, host_port,
			ECONNREFUSED, 99);
	EXPECT_EQ(0, __vs_read_end(ends[1]));
	close(ends[1]);
	/* The ports are free, and the stream is no more. */
	EXPECT_EQ(-ENOENT, __vs_attach(&self->dev, GUEST_PORT, host_port, -1, 0));
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, -1, 0));
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, host_port, NULL);
}

TEST_F_TIMEOUT(wire, guest_connects, TIMEOUT)
{
	struct vs_packet packet;
	int ends[2];

	vs_sockets(VS_UNIX, ends);
	packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT,
			      VIRTIO_VSOCK_OP_REQUEST);
	packet.buf_alloc = VS_BUF_ALLOC;
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_REQUEST, GUEST_PORT, HOST_PORT, 0, 0);
	ASSERT_EQ(0, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT, ends[0],
				 VS_COOKIE(GUEST_PORT)));
	EXPECT_EQ(-EALREADY, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT, ends[0], 0));
	close(ends[0]);
	self->stream = (struct vs_stream){
		.dev = &self->dev, .guest_port = GUEST_PORT, .host_port = HOST_PORT,
		.sock = ends[1], .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RESPONSE, &packet);
	EXPECT_LE(16384, packet.buf_alloc);
	vs_echo(&self->stream);
	EXPECT_FALSE(vs_has_event(&self->dev));
	/* The cookie is this stream's. */
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
}

TEST_F_TIMEOUT(wire, host_refuses, TIMEOUT)
{
	struct vs_packet packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT,
					       VIRTIO_VSOCK_OP_REQUEST);

	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_REQUEST, GUEST_PORT, HOST_PORT, 0, 0);
	EXPECT_EQ(-ENOENT, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT + 1, -1, 0));
	EXPECT_EQ(-ENOENT, __vs_attach(&self->dev, GUEST_PORT + 1, HOST_PORT, -1, 0));
	ASSERT_EQ(0, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT, -1, 0));
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_RST, GUEST_PORT, HOST_PORT, NULL);
	/* The same ports may try again. */
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, HOST_PORT,
			ECONNRESET, 0);
	vs_accept(&self->stream, &self->dev, VS_UNIX, GUEST_PORT, HOST_PORT);
	vs_echo(&self->stream);
}

/* A guest that gives up before anybody has read of its request. */
TEST_F_TIMEOUT(wire, guest_takes_request_back, TIMEOUT)
{
	struct vs_packet packet;

	packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT,
			      VIRTIO_VSOCK_OP_REQUEST);
	vs_send(&self->dev, &packet, NULL, 0);
	packet.op = VIRTIO_VSOCK_OP_RST;
	vs_send(&self->dev, &packet, NULL, 0);
	vs_flush(&self->dev);
	EXPECT_FALSE(vs_has_event(&self->dev));
	EXPECT_EQ(-ENOENT, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT, -1, 0));
	vs_accept(&self->stream, &self->dev, VS_UNIX, GUEST_PORT, HOST_PORT);
	vs_echo(&self->stream);
}

TEST_F_TIMEOUT(wire, nobody_listens, TIMEOUT)
{
	struct vs_packet packet;

	vs_destroy(&self->dev);
	vs_open(&self->dev, variant->features);
	vs_set_up(&self->dev);
	ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	vs_run(&self->dev, 1);
	vs_give_all(&self->dev);
	packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT,
			      VIRTIO_VSOCK_OP_REQUEST);
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_RST, GUEST_PORT, HOST_PORT, NULL);
	EXPECT_FALSE(vs_has_event(&self->dev));
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_REQUEST, GUEST_PORT, HOST_PORT, 0, 0);
}

static void connect_without_socket(struct vs_stream *stream, struct vs_dev *dev)
{
	uint32_t host_port = 0;
	struct vs_packet packet;

	if (__vs_connect(dev, GUEST_PORT, &host_port, -1, 1))
		vq_die("CONNECT without a socket");
	*stream = (struct vs_stream){
		.dev = dev, .guest_port = GUEST_PORT, .host_port = host_port,
		.sock = -1, .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_REQUEST, &packet);
	if (packet.buf_alloc)
		vq_die("credit where there is no socket");
}

static void attach(struct vs_stream *stream)
{
	int ends[2];

	vs_sockets(VS_UNIX, ends);
	stream->sock = ends[1];
	if (__vs_attach(stream->dev, stream->guest_port, stream->host_port, ends[0],
			VS_COOKIE(stream->guest_port)))
		vq_die("ATTACH");
	close(ends[0]);
}

TEST_F_TIMEOUT(wire, socket_comes_later, TIMEOUT)
{
	struct vs_packet packet;

	connect_without_socket(&self->stream, &self->dev);
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT,
			self->stream.host_port, 0, 1);
	attach(&self->stream);
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &packet);
	EXPECT_LE(16384, packet.buf_alloc);
	vs_echo(&self->stream);
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
}

/* The guest was told of no credit, and nothing but an update can tell it more. */
TEST_F_TIMEOUT(wire, socket_comes_before_the_answer, TIMEOUT)
{
	struct vs_packet packet;

	connect_without_socket(&self->stream, &self->dev);
	attach(&self->stream);
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT,
			self->stream.host_port, 0, VS_COOKIE(GUEST_PORT));
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &packet);
	EXPECT_LE(16384, packet.buf_alloc);
	vs_echo(&self->stream);
}

TEST_F_TIMEOUT(wire, credit_is_told_when_asked, TIMEOUT)
{
	struct vs_packet packet;
	uint8_t bytes[10] = { 0 };

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RW, 0, bytes, 10);
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &packet);
	EXPECT_EQ(10, packet.fwd_cnt);
	vs_read_all(self->stream.sock, bytes, 10);
}

/* The device sends as much as the guest has room for, and then waits for credit. */
TEST_F_TIMEOUT(wire, guests_credit_is_kept, TIMEOUT)
{
	struct vs_packet packet;
	uint8_t data[300];

	memset(data, 'x', sizeof(data));
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	self->stream.buf_alloc = 100;
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vs_flush(&self->dev);
	ASSERT_EQ(300, write(self->stream.sock, data, 300));
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RW, &packet);
	EXPECT_EQ(100, packet.len);
	/* 30 taken: 30 more. */
	self->stream.fwd_cnt = 30;
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RW, &packet);
	EXPECT_EQ(30, packet.len);
	/* All taken, and no more room. */
	self->stream.fwd_cnt = 130;
	self->stream.buf_alloc = 0;
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vs_flush(&self->dev);
	self->stream.buf_alloc = 1000;
	vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RW, &packet);
	EXPECT_EQ(170, packet.len);
}

/* The guest is told of room before it has to stop. */
TEST_F_TIMEOUT(wire, hosts_credit_is_told, TIMEOUT)
{
	uint8_t *data = calloc(1, VS_MAX_PAYLOAD);
	struct vs_packet packet;
	uint32_t room, sent = 0;

	ASSERT_NE(NULL, data);
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	room = vs_stream_room(&self->stream);
	while (sent < room / 2) {
		vs_stream_send(&self->stream, VIRTIO_VSOCK_OP_RW, 0, data, 16384);
		vs_read_all(self->stream.sock, data, 16384);
		sent += 16384;
	}
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &packet);
	EXPECT_EQ(room, packet.buf_alloc);
	EXPECT_LE(room / 2, packet.fwd_cnt);
	free(data);
}

struct amount {
	uint64_t to_host;
	uint64_t to_guest;
	uint32_t max_packet;
};

static void move(struct vs_dev *dev, struct vs_stream *stream,
		 const struct amount *amount, unsigned int i)
{
	struct vs_flow flow = {
		.stream = stream, .to_host = amount->to_host,
		.to_guest = amount->to_guest, .max_packet = amount->max_packet,
		.seed = i + 1,
	};
	enum vs_kind kind = i & 1 ? VS_TCP : VS_UNIX;

	if (i & 2)
		vs_accept(stream, dev, kind, GUEST_PORT + i, HOST_PORT);
	else
		vs_connect(stream, dev, kind, GUEST_PORT + i);
	vs_flows_run(&flow, 1);
	vs_stream_close(stream);
	/* All was read, so nothing is left but the end. */
	vs_stream_await(stream, VIRTIO_VSOCK_OP_SHUTDOWN, NULL);
	vs_stream_send(stream, VIRTIO_VSOCK_OP_SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_stream_expect(stream, VIRTIO_VSOCK_OP_RST, NULL);
	vs_stream_expect_closed(stream, 0);
}

/* Each amount over all kinds of sockets, begun by either side. */
TEST_F_TIMEOUT(wire, some_data, TIMEOUT)
{
	static const struct amount amounts[] = {
		{ 1, 0, 1 },
		{ 0, 1, 1 },
		{ 65536, 0, 65536 },
		{ 0, 65536, 65536 },
		{ 200, 200, 1 },
		{ 100000, 100000, 5000 },
		{ 600000, 300000, 65536 },
	};
	struct vhost_vsock_adb_stats stats;
	uint64_t to_host = 0, to_guest = 0;
	unsigned int i, j;

	for (i = 0; i < sizeof(amounts) / sizeof(*amounts); i++)
		for (j = 0; j < 4; j++) {
			move(&self->dev, &self->stream, &amounts[i], 4 * i + j);
			to_host += amounts[i].to_host;
			to_guest += amounts[i].to_guest;
		}
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(to_host, stats.bytes_to_host);
	EXPECT_EQ(to_guest, stats.bytes_to_guest);
	EXPECT_EQ(4 * i, stats.opened);
	EXPECT_EQ(0, stats.streams);
	EXPECT_EQ(0, stats.queued);
}

/* More than all buffers on the way hold together, over and over. */
TEST_F_TIMEOUT(wire, much_data, TIMEOUT)
{
	static const struct amount amounts[] = {
		{ 1 << 20, 0, 65536 },
		{ 0, 1 << 20, 65536 },
		{ 1 << 20, 1 << 20, 65536 },
	};
	unsigned int i;

	for (i = 0; i < 3; i++)
		move(&self->dev, &self->stream, &amounts[i], i);
}

/* Stopped, the guest's rings made anew, and started: streams go on. */
TEST_F_TIMEOUT(wire, restart, TIMEOUT)
{
	unsigned int i, ring;
	uint32_t base;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	for (i = 0; i < 8; i++) {
		vs_echo(&self->stream);
		vs_flush(&self->dev);
		vs_run(&self->dev, 0);
		ASSERT_EQ(1, write(self->stream.sock, "x", 1));
		if (i & 1) {
			for (ring = 0; ring < VS_RINGS; ring++) {
				base = vq_ring_first_base(&self->dev.rings[ring]);
				ASSERT_EQ(0, __vq_set_state(self->dev.fd,
							    VHOST_SET_VRING_BASE,
							    ring, base));
			}
			vs_reset_rings(&self->dev);
			vs_give_all(&self->dev);
		}
		EXPECT_EQ(-ENOTCONN, __vs_connect(&self->dev, 1, &base, -1, 0));
		vs_run(&self->dev, 1);
		vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RW, NULL);
	}
}

/* A VMM that has no third ring. */
TEST_F_TIMEOUT(wire, without_event_ring, TIMEOUT)
{
	unsigned int i;

	vs_destroy(&self->dev);
	vs_open(&self->dev, variant->features);
	vq_ioctl(self->dev.fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(self->dev.fd, VHOST_SET_FEATURES, &self->dev.features);
	vq_mem_tell(self->dev.fd, &self->dev.mem, 1, 1);
	for (i = VS_RX; i <= VS_TX; i++) {
		struct vq_ring *ring = &self->dev.rings[i];

		ASSERT_EQ(0, __vq_set_state(self->dev.fd, VHOST_SET_VRING_NUM, i,
					    ring->num));
		ASSERT_EQ(0, __vq_set_addr(self->dev.fd, i, ring, 0, 0));
		ASSERT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_KICK, i,
					   ring->kick));
		ASSERT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_CALL, i,
					   ring->call));
	}
	ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
	vs_run(&self->dev, 1);
	vs_has_event(&self->dev);
	vs_give_all(&self->dev);
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_echo(&self->stream);
	vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
	vs_stream_expect(&self->stream, VIRTIO_VSOCK_OP_RST, NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
}

TEST_HARNESS_MAIN
