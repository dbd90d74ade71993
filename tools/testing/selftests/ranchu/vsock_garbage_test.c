// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods of packets: packets to unknown ports, many short streams, and random
 * packets beside a correct guest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define HOST_PORT	5037u
#define FLOOD		200u
#define ROUNDS		250u
#define GARBAGE		2000u
#define SOCKETS		16u

#define OP(name)	VIRTIO_VSOCK_OP_##name

FIXTURE(garbage)
{
	struct vs_dev dev;
	struct vs_dev good;
	struct vs_stream stream;
	int socks[SOCKETS];
	unsigned int n_socks;
};

FIXTURE_VARIANT(garbage)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(garbage, split)
{
	.features = VQ_SPLIT,
};

FIXTURE_VARIANT_ADD(garbage, packed)
{
	.features = VQ_PACKED | VQ_EVENT,
};

FIXTURE_SETUP(garbage)
{
	unsigned int i;

	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, variant->features);
	vs_create(&self->good, VS_CID + 1, VQ_SPLIT);
	self->stream.sock = -1;
	for (i = 0; i < SOCKETS; i++)
		self->socks[i] = -1;
}

FIXTURE_TEARDOWN(garbage)
{
	unsigned int i;

	if (self->dev.fd > 0) {
		vs_stream_close(&self->stream);
		for (i = 0; i < SOCKETS; i++)
			close(self->socks[i]);
	}
	vs_destroy(&self->dev);
	vs_destroy(&self->good);
}

/* Sends to unknown ports until the ring is full or @n are sent. Returns their number. */
static unsigned int flood(struct vs_dev *dev, unsigned int first, unsigned int n)
{
	struct vs_packet packet;
	unsigned int i;

	for (i = 0; i < n; i++) {
		packet = vs_packet_of(dev, first + i, HOST_PORT, OP(RW));
		if (!vs_try_send(dev, &packet, NULL, 0))
			break;
	}
	return i;
}

/*
 * Without receive buffers there is nowhere to put resets. The device stops
 * taking packets, sleeps, and goes on when there are buffers again; every
 * packet is answered, in order.
 */
TEST_F_TIMEOUT(garbage, resets_that_must_wait, TIMEOUT)
{
	unsigned int sent = 0, got = 0, before;

	self->dev.hold = true;
	/* All buffers are used up, and then as much is sent as can be. */
	while (got < VS_RX_NUM) {
		sent += flood(&self->dev, sent, 1);
		vs_expect(&self->dev, OP(RST), got, HOST_PORT, NULL);
		got++;
	}
	do {
		before = sent;
		sent += flood(&self->dev, sent, FLOOD);
		ASSERT_TRUE(vs_sleeps());
	} while (sent != before);
	EXPECT_LT(got + 64, sent);
	EXPECT_GT(FLOOD + got, sent);

	while (got < 2 * FLOOD) {
		if (self->dev.n_rx_free)
			vs_give(&self->dev, 1);
		vs_expect(&self->dev, OP(RST), got, HOST_PORT, NULL);
		got++;
		sent += flood(&self->dev, sent, 2 * FLOOD - sent);
	}
	vs_give_all(&self->dev);
	self->dev.hold = false;
	EXPECT_EQ(2 * FLOOD, sent);
	vs_expect_nothing(&self->dev);
}

/* Begun and reset at once, over and over, by both sides. */
TEST_F_TIMEOUT(garbage, connects_and_resets, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_packet packet;
	uint32_t host_port;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		vs_accept(&self->stream, &self->dev, VS_UNIX, GUEST_PORT, HOST_PORT);
		vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		ASSERT_EQ(0, __vs_read_end(self->stream.sock));
		vs_stream_close(&self->stream);
		host_port = HOST_PORT;
		ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, -1, i));
		vs_expect(&self->dev, OP(REQUEST), GUEST_PORT, HOST_PORT, NULL);
		packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT, OP(RST));
		vs_send(&self->dev, &packet, NULL, 0);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT,
				HOST_PORT, ECONNREFUSED, i);
	}
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(2 * ROUNDS, stats.opened);
	EXPECT_EQ(0, stats.streams);
	EXPECT_EQ(0, stats.bad_packets);
}

/* A stream that is reset, and its ports used again in the very next packet. */
TEST_F_TIMEOUT(garbage, ports_used_again_at_once, TIMEOUT)
{
	struct vs_packet packet;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT, OP(RST));
		packet.buf_alloc = VS_BUF_ALLOC;
		vs_send(&self->dev, &packet, NULL, 0);
		packet.op = OP(REQUEST);
		vs_send(&self->dev, &packet, NULL, 0);
		if (i)
			vs_stream_expect_closed(&self->stream, ECONNRESET);
		vs_stream_close(&self->stream);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_REQUEST, GUEST_PORT,
				HOST_PORT, 0, 0);
		ASSERT_EQ(0, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT, -1, 0));
		vs_expect(&self->dev, OP(RST), GUEST_PORT, HOST_PORT, NULL);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT,
				HOST_PORT, ECONNRESET, 0);
		vs_accept(&self->stream, &self->dev, VS_UNIX, GUEST_PORT, HOST_PORT);
		vs_echo(&self->stream);
	}
	vs_expect_nothing(&self->dev);
}

static uint32_t pick(uint32_t *seed, const uint32_t *values, unsigned int n)
{
	return values[vq_random(seed) % n];
}

/* Sends random packets, mostly to one of a few streams. */
static void send_garbage(struct vs_dev *dev, uint32_t *seed)
{
	static const uint32_t lens[] = { 0, 0, 0, 1, 100, 5000, 65536, 65537, ~0u };
	static const uint32_t words[] = { 0, 1, 2, 3, 100, 65536, 0x80000000, ~0u };
	struct vs_packet packet = vs_packet_of(dev, vq_random(seed) % 6,
					       50000 + vq_random(seed) % 6,
					       vq_random(seed) % 9);
	uint32_t real;

	packet.len = pick(seed, lens, 9);
	packet.flags = pick(seed, words, 8);
	packet.buf_alloc = pick(seed, words, 8);
	packet.fwd_cnt = pick(seed, words, 8);
	if (!(vq_random(seed) % 16))
		packet.src_cid = vq_random(seed) % 5;
	if (!(vq_random(seed) % 16))
		packet.type = vq_random(seed);
	real = packet.len <= VS_MAX_PAYLOAD ? packet.len : 100;
	if (!(vq_random(seed) % 8))
		real = vq_random(seed) % 100;
	vs_try_send(dev, &packet, vs_pattern(1, 0), real);
}

/* Keeps a socket of a stream; one that was kept long enough is closed. */
static void keep_socket(struct __test_metadata *_metadata, int socks[SOCKETS],
			unsigned int n, int sock)
{
	close(socks[n % SOCKETS]);
	socks[n % SOCKETS] = sock;
	send(sock, vs_pattern(2, 0), 3000, MSG_NOSIGNAL | MSG_DONTWAIT);
	EXPECT_LE(0, sock);
}

/* What the VMM of such a guest does: it answers, and connects now and then. */
static int answer(struct vs_dev *dev, uint32_t *seed)
{
	struct vhost_vsock_adb_event event = { 0 };
	uint32_t host_port = 0;
	int ends[2], err = -ENOENT;

	while (event.type != VHOST_VSOCK_ADB_REQUEST && vs_try_event(dev, &event))
		;
	vs_sockets(VS_UNIX, ends);
	if (event.type == VHOST_VSOCK_ADB_REQUEST)
		err = __vs_attach(dev, event.guest_port, event.host_port, ends[0], 1);
	else if (!(vq_random(seed) % 8))
		err = __vs_connect(dev, vq_random(seed) % 6, &host_port, ends[0], 2);
	close(ends[0]);
	if (!err)
		return ends[1];
	close(ends[1]);
	return -1;
}

TEST_F_TIMEOUT(garbage, random_packets_beside_a_good_guest, TIMEOUT)
{
	struct vs_flow flow = {
		.stream = &self->stream, .to_host = 2 << 20, .to_guest = 2 << 20,
		.max_packet = 20000, .seed = 5,
	};
	struct vhost_vsock_adb_event event;
	struct vhost_vsock_adb_stats stats;
	uint32_t seed = 12345;
	struct vs_packet packet;
	struct vs_stream met, after;
	unsigned int i;
	int sock;

	vs_connect(&self->stream, &self->good, VS_UNIX, GUEST_PORT);
	/* A stream that works is there to be met, whatever comes of the others. */
	vs_accept(&met, &self->dev, VS_UNIX, 3, 50003);
	vs_echo(&met);
	for (i = 0; i < GARBAGE; i++) {
		send_garbage(&self->dev, &seed);
		while (vs_try_get(&self->dev, &packet))
			;
		sock = answer(&self->dev, &seed);
		if (sock >= 0)
			keep_socket(_metadata, self->socks, self->n_socks++, sock);
		if (!(i % 4))
			vs_flows_turn(&flow, 1);
	}
	vs_flows_run(&flow, 1);
	vs_get_stats(&self->good, &stats);
	EXPECT_EQ(0, stats.bad_packets);
	EXPECT_EQ(0, stats.faults);

	/* The other guest is not affected. */
	vs_drain(&self->dev);
	vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
	vs_drain(&self->dev);
	while (vs_try_event(&self->dev, &event))
		;
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.streams);
	EXPECT_EQ(0, stats.queued);
	EXPECT_LT(GARBAGE / 50, stats.bad_packets);
	EXPECT_LT(0, stats.bytes_to_host);
	vs_stream_close(&met);
	vs_connect(&after, &self->dev, VS_UNIX, GUEST_PORT);
	vs_echo(&after);
	vs_stream_close(&after);
}

TEST_HARNESS_MAIN
