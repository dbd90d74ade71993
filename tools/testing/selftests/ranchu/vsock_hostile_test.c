// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile guest: invalid packets, packets in unusual buffers, invalid receive
 * buffers, broken rings. It breaks only its own streams or rings; its other
 * streams, and all other guests, go on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define HOST_PORT	5037u
#define MAX_PIECES	20u
#define BAD_GPA		0x7000000000ull

#define OP(name)	VIRTIO_VSOCK_OP_##name

FIXTURE(hostile)
{
	struct vs_dev dev;
	struct vs_stream stream;
	uint64_t area;
	uint64_t bad_before;
};

FIXTURE_VARIANT(hostile)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(hostile, split)
{
	.features = VQ_SPLIT,
};

FIXTURE_VARIANT_ADD(hostile, packed)
{
	.features = VQ_PACKED | VQ_EVENT,
};

FIXTURE_SETUP(hostile)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, variant->features);
	self->area = vq_mem_alloc(&self->dev.mem, 2 * VS_TX_SIZE, VQ_PAGE);
	self->stream.sock = -1;
}

FIXTURE_TEARDOWN(hostile)
{
	if (self->dev.fd > 0)
		vs_stream_close(&self->stream);
	vs_destroy(&self->dev);
}

static uint64_t bad_packets(struct vs_dev *dev)
{
	struct vhost_vsock_adb_stats stats;

	vs_get_stats(dev, &stats);
	return stats.bad_packets;
}

static uint64_t faults(struct vs_dev *dev)
{
	struct vhost_vsock_adb_stats stats;

	vs_get_stats(dev, &stats);
	return stats.faults;
}

/* Sends these buffers as they are. */
static void send_raw(struct vs_dev *dev, const struct vq_buf *bufs, unsigned int n)
{
	vs_flush(dev);
	vq_add(&dev->rings[VS_TX], bufs, n, 0,
	       (void *)(uintptr_t)dev->tx_free[--dev->n_tx_free]);
	vq_publish_and_kick(&dev->rings[VS_TX]);
}

/* A packet, contiguous, at the beginning of the area. Returns its length. */
static uint32_t place(struct vs_dev *dev, uint64_t area,
		      const struct vs_packet *packet, const void *data)
{
	vs_encode(vq_mem_guest(&dev->mem, area), packet);
	memcpy(vq_mem_guest(&dev->mem, area + VS_HDR), data, packet->len);
	return VS_HDR + packet->len;
}

/**
 * struct row - a packet that ends in a RST, or in nothing
 * @what: for messages
 * @op: operation
 * @type: 0: the right one
 * @src_cid: 0: the right one
 * @dst_cid: the same
 * @len: what its header says
 * @real_len: bytes that come with it
 * @quiet: no RST comes
 * @good: it does not count as bad
 */
struct row {
	const char *what;
	uint16_t op;
	uint16_t type;
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t len;
	uint32_t real_len;
	bool quiet;
	bool good;
};

static const struct row to_nobody[] = {
	{ "RW", .op = OP(RW) },
	{ "RW with data", .op = OP(RW), .len = 10, .real_len = 10 },
	{ "RESPONSE", .op = OP(RESPONSE) },
	{ "SHUTDOWN", .op = OP(SHUTDOWN) },
	{ "CREDIT_UPDATE", .op = OP(CREDIT_UPDATE) },
	{ "CREDIT_REQUEST", .op = OP(CREDIT_REQUEST) },
	{ "op 0", .op = OP(INVALID) },
	{ "op 8", .op = 8 },
	{ "op 65535", .op = 0xffff },
	{ "RST", .op = OP(RST), .quiet = true, .good = true },
	{ "REQUEST with data", .op = OP(REQUEST), .len = 1, .real_len = 1 },
	{ "seqpacket REQUEST", .op = OP(REQUEST), .type = VIRTIO_VSOCK_TYPE_SEQPACKET },
	{ "seqpacket RW", .op = OP(RW), .type = VIRTIO_VSOCK_TYPE_SEQPACKET },
	{ "seqpacket RST", .op = OP(RST), .type = VIRTIO_VSOCK_TYPE_SEQPACKET, .quiet = true },
	{ "type 0xffff", .op = OP(REQUEST), .type = 0xffff },
};

/* Dropped, whoever they are for. */
static const struct row dropped[] = {
	{ "from CID 1", .op = OP(RW), .src_cid = 1, .quiet = true },
	{ "from the host", .op = OP(RW), .src_cid = 2, .quiet = true },
	{ "from another guest", .op = OP(RST), .src_cid = VS_CID + 1, .quiet = true },
	{ "from CID + 2^32", .op = OP(RST), .src_cid = VS_CID | 1ull << 32, .quiet = true },
	{ "to itself", .op = OP(REQUEST), .dst_cid = VS_CID, .quiet = true },
	{ "to CID 1", .op = OP(RST), .dst_cid = 1, .quiet = true },
	{ "to 2^32 + 2", .op = OP(RST), .dst_cid = 1ull << 32 | 2, .quiet = true },
	{ "longer than it is", .op = OP(RW), .len = 11, .real_len = 10, .quiet = true },
	{ "1 byte in none", .op = OP(RW), .len = 1, .quiet = true },
	{ "longest of lengths", .op = OP(RW), .len = ~0u, .real_len = 10, .quiet = true },
	{ "over 64 KiB", .op = OP(RW), .len = 65537, .real_len = 65537, .quiet = true },
};

static void send_row(struct vs_dev *dev, const struct row *row, uint32_t guest_port,
		     uint32_t host_port)
{
	struct vs_packet packet = vs_packet_of(dev, guest_port, host_port, row->op);

	packet.type = row->type ? row->type : packet.type;
	packet.src_cid = row->src_cid ? row->src_cid : packet.src_cid;
	packet.dst_cid = row->dst_cid ? row->dst_cid : packet.dst_cid;
	packet.len = row->len;
	vs_send(dev, &packet, vs_pattern(1, 0), row->real_len);
}

TEST_F_TIMEOUT(hostile, packets_to_nobody, TIMEOUT)
{
	uint64_t bad = 0;
	unsigned int i;

	for (i = 0; i < sizeof(to_nobody) / sizeof(*to_nobody); i++) {
		TH_LOG("%s", to_nobody[i].what);
		send_row(&self->dev, &to_nobody[i], 100 + i, HOST_PORT);
		if (!to_nobody[i].quiet)
			vs_expect(&self->dev, OP(RST), 100 + i, HOST_PORT, NULL);
		vs_flush(&self->dev);
		bad += !to_nobody[i].good;
		EXPECT_EQ(bad, bad_packets(&self->dev));
		vs_expect_nothing(&self->dev);
		bad += 2;
	}
	EXPECT_FALSE(vs_has_event(&self->dev));
}

TEST_F_TIMEOUT(hostile, dropped_packets, TIMEOUT)
{
	uint64_t bad = 0;
	unsigned int i;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	for (i = 0; i < sizeof(dropped) / sizeof(*dropped); i++) {
		TH_LOG("%s", dropped[i].what);
		send_row(&self->dev, &dropped[i], GUEST_PORT, self->stream.host_port);
		vs_flush(&self->dev);
		EXPECT_EQ(++bad, bad_packets(&self->dev));
		vs_expect_nothing(&self->dev);
		bad += 2;
		vs_echo(&self->stream);
	}
	EXPECT_FALSE(vs_has_event(&self->dev));
	EXPECT_FALSE(vs_readable(self->stream.sock, 0));
}

static const struct row to_a_stream[] = {
	{ "REQUEST", .op = OP(REQUEST) },
	{ "RESPONSE", .op = OP(RESPONSE) },
	{ "op 0", .op = OP(INVALID) },
	{ "op 8", .op = 8 },
	{ "SHUTDOWN with data", .op = OP(SHUTDOWN), .len = 1, .real_len = 1 },
	{ "CREDIT_UPDATE with data", .op = OP(CREDIT_UPDATE), .len = 1, .real_len = 1 },
	{ "CREDIT_REQUEST with data", .op = OP(CREDIT_REQUEST), .len = 5, .real_len = 9 },
};

/* One RST, the event, and the host's program sees the end. */
TEST_F_TIMEOUT(hostile, packets_to_a_stream, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < sizeof(to_a_stream) / sizeof(*to_a_stream); i++) {
		TH_LOG("%s", to_a_stream[i].what);
		if (i & 1)
			vs_accept(&self->stream, &self->dev, VS_UNIX, GUEST_PORT, HOST_PORT);
		else
			vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		send_row(&self->dev, &to_a_stream[i], GUEST_PORT, self->stream.host_port);
		vs_stream_expect(&self->stream, OP(RST), NULL);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		EXPECT_EQ(0, __vs_read_end(self->stream.sock));
		vs_stream_close(&self->stream);
		vs_expect_nothing(&self->dev);
	}
}

/* Before the guest has accepted, only RESPONSE and RST are valid answers. */
TEST_F_TIMEOUT(hostile, answers, TIMEOUT)
{
	static const uint16_t ops[] = {
		OP(REQUEST), OP(RW), OP(SHUTDOWN), OP(CREDIT_UPDATE), OP(CREDIT_REQUEST),
	};
	struct row row = { 0 };
	uint32_t host_port;
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		row.op = ops[i];
		host_port = 0;
		ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, -1, 5));
		vs_expect(&self->dev, OP(REQUEST), GUEST_PORT, host_port, NULL);
		send_row(&self->dev, &row, GUEST_PORT, host_port);
		vs_expect(&self->dev, OP(RST), GUEST_PORT, host_port, NULL);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT,
				host_port, ECONNRESET, 5);
	}
	/* An answer to what was not said yet: there was no buffer to say it in. */
	self->dev.hold = true;
	for (i = 0; i < VS_RX_NUM; i++) {
		row.op = OP(RW);
		send_row(&self->dev, &row, i, 1);
		vs_expect(&self->dev, OP(RST), i, 1, NULL);
	}
	host_port = 0;
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, -1, 6));
	row.op = OP(RESPONSE);
	send_row(&self->dev, &row, GUEST_PORT, host_port);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, host_port,
			ECONNRESET, 6);
	vs_give_all(&self->dev);
	self->dev.hold = false;
	vs_expect_nothing(&self->dev);
}

/* Data where there may be none: after the end, beyond the credit, unattached. */
TEST_F_TIMEOUT(hostile, data_out_of_place, TIMEOUT)
{
	uint32_t room, host_port = 0;
	struct vs_packet packet;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_stream_send(&self->stream, OP(SHUTDOWN), VIRTIO_VSOCK_SHUTDOWN_SEND, NULL, 0);
	vs_stream_send(&self->stream, OP(RW), 0, "x", 1);
	vs_stream_expect(&self->stream, OP(RST), NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	vs_stream_close(&self->stream);

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	while ((room = vs_stream_room(&self->stream)))
		vs_stream_send(&self->stream, OP(RW), 0, vs_pattern(1, 0),
			       room < VS_MAX_PAYLOAD ? room : VS_MAX_PAYLOAD);
	/* What the socket took may come back as credit, but never that much. */
	for (room = 0; room < 16; room++)
		vs_stream_send(&self->stream, OP(RW), 0, vs_pattern(1, 0),
			       VS_MAX_PAYLOAD);
	do {
		vs_get(&self->dev, &packet);
	} while (packet.op == OP(CREDIT_UPDATE));
	EXPECT_EQ(OP(RST), packet.op);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	vs_stream_close(&self->stream);
	/* The rest was for nobody any more. */
	vs_drain(&self->dev);

	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT + 1, &host_port, -1, 5));
	vs_expect(&self->dev, OP(REQUEST), GUEST_PORT + 1, host_port, NULL);
	packet = vs_packet_of(&self->dev, GUEST_PORT + 1, host_port, OP(RESPONSE));
	vs_send(&self->dev, &packet, NULL, 0);
	packet.op = OP(RW);
	packet.len = 1;
	vs_send(&self->dev, &packet, "x", 1);
	vs_expect(&self->dev, OP(RST), GUEST_PORT + 1, host_port, NULL);
}

/* Invalid credit does not change the stream. */
TEST_F_TIMEOUT(hostile, bogus_credit, TIMEOUT)
{
	static const uint32_t counts[] = { 1, 1000, 0x7fffffff, 0x80000000, 0xffffffff };
	struct vs_packet packet;
	unsigned int i;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	for (i = 0; i < 5; i++) {
		self->stream.buf_alloc = 100;
		self->stream.fwd_cnt = counts[i];
		vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
	}
	vs_flush(&self->dev);
	ASSERT_EQ(300, write(self->stream.sock, vs_pattern(1, 0), 300));
	vs_stream_expect(&self->stream, OP(RW), &packet);
	EXPECT_EQ(100, packet.len);
	/* Back behind what was said before, and all the room that there is. */
	self->stream.fwd_cnt = 0xffffff00;
	self->stream.buf_alloc = 0xffffffff;
	vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
	vs_stream_expect(&self->stream, OP(RW), &packet);
	EXPECT_EQ(200, packet.len);
	EXPECT_EQ(0, memcmp(packet.data, vs_pattern(1, 100), 200));
}

/* Whatever descriptors it comes in, a packet is a packet. */
TEST_F_TIMEOUT(hostile, packets_in_pieces, TIMEOUT)
{
	struct vq_buf bufs[MAX_PIECES];
	struct vs_packet packet;
	uint8_t data[2000];
	uint32_t seed = 99, at, len;
	unsigned int i, n;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	for (i = 0; i < 300; i++) {
		packet = vs_packet_of(&self->dev, GUEST_PORT, self->stream.host_port,
				      OP(RW));
		packet.len = vq_random(&seed) % 2000 + 1;
		packet.buf_alloc = VS_BUF_ALLOC;
		len = place(&self->dev, self->area, &packet, vs_pattern(i, 0));
		for (at = 0, n = 0; at < len; at += bufs[n++].len) {
			bufs[n].gpa = self->area + at;
			/* Every other one: the header a few bytes at a time. */
			bufs[n].len = i & 1 ? vq_random(&seed) % 400 :
				      at < VS_HDR ? vq_random(&seed) % 20 :
				      vq_random(&seed) % 1000;
			if (bufs[n].len > len - at || n == MAX_PIECES - 1)
				bufs[n].len = len - at;
		}
		send_raw(&self->dev, bufs, n);
		vs_read_all(self->stream.sock, data, packet.len);
		ASSERT_EQ(0, memcmp(data, vs_pattern(i, 0), packet.len));
	}
	/* What is behind the payload is no part of it. */
	packet.len = 10;
	place(&self->dev, self->area, &packet, vs_pattern(1, 0));
	bufs[0] = (struct vq_buf){ self->area, 1000 };
	send_raw(&self->dev, bufs, 1);
	vs_read_all(self->stream.sock, data, 10);
	vs_flush(&self->dev);
	EXPECT_FALSE(vs_readable(self->stream.sock, 0));
	/* Too short for a header. */
	self->bad_before = bad_packets(&self->dev);
	for (i = 0; i < VS_HDR; i++) {
		bufs[0].len = i;
		send_raw(&self->dev, bufs, 1);
	}
	vs_flush(&self->dev);
	EXPECT_EQ(self->bad_before + VS_HDR, bad_packets(&self->dev));
	EXPECT_FALSE(vs_readable(self->stream.sock, 0));
}

/* Takes all receive buffers away, by having them used. */
static void use_up_buffers(struct vs_dev *dev)
{
	struct vs_packet packet = vs_packet_of(dev, 1, 1, OP(RW));
	unsigned int i;

	dev->hold = true;
	for (i = 0; i < VS_RX_NUM; i++) {
		vs_send(dev, &packet, NULL, 0);
		vs_expect(dev, OP(RST), 1, 1, NULL);
	}
}

static uint32_t take_raw(struct vs_dev *dev)
{
	struct vq_done done;

	vq_get_one(&dev->rings[VS_RX], &done);
	return done.len;
}

/* Buffers that are too small are returned empty; buffers in pieces are used. */
TEST_F_TIMEOUT(hostile, strange_receive_buffers, TIMEOUT)
{
	struct vq_ring *ring = &self->dev.rings[VS_RX];
	struct vq_buf small = { self->area, VS_HDR }, readable = { self->area, 4096 };
	struct vq_buf mixed[2] = { { self->area, 4096 }, { self->area + 4096, 4096 } };
	struct vq_buf pieces[8] = {
		{ self->area, 1 }, { self->area + 1, 0 }, { self->area + 1, 30 },
		{ self->area + 31, 12 }, { self->area + 43, 6 },
		{ self->area + 49, 1 }, { self->area + 50, 100 },
		{ self->area + 150, 50 },
	};
	struct vs_packet packet;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	use_up_buffers(&self->dev);
	self->bad_before = bad_packets(&self->dev);
	vq_add(ring, &small, 0, 1, NULL);
	vq_add(ring, &readable, 1, 0, NULL);
	vq_add(ring, mixed, 1, 1, NULL);
	vq_add(ring, pieces, 0, 8, NULL);
	vq_publish_and_kick(ring);
	ASSERT_EQ(156, write(self->stream.sock, vs_pattern(1, 0), 156));
	EXPECT_EQ(0, take_raw(&self->dev));
	EXPECT_EQ(0, take_raw(&self->dev));
	EXPECT_EQ(0, take_raw(&self->dev));
	EXPECT_EQ(200, take_raw(&self->dev));
	EXPECT_EQ(self->bad_before + 3, bad_packets(&self->dev));
	vs_decode(&packet, vq_mem_guest(&self->dev.mem, self->area));
	EXPECT_EQ(OP(RW), packet.op);
	EXPECT_EQ(156, packet.len);
	EXPECT_EQ(0, memcmp(vq_mem_guest(&self->dev.mem, self->area + VS_HDR),
			    vs_pattern(1, 0), 156));
	/* Bad ones among those taken for one read of much. */
	vs_give(&self->dev, 2);
	vq_add(ring, &small, 0, 1, NULL);
	vq_publish_and_kick(ring);
	vs_give(&self->dev, 4);
	ASSERT_EQ(9000, write(self->stream.sock, vs_pattern(1, 156), 9000));
	vs_stream_expect(&self->stream, OP(RW), &packet);
	vs_stream_expect(&self->stream, OP(RW), &packet);
	EXPECT_EQ(0, take_raw(&self->dev));
	vs_stream_expect(&self->stream, OP(RW), &packet);
	EXPECT_EQ(9000 - 2 * (VS_RX_SIZE - VS_HDR), packet.len);
	EXPECT_EQ(0, memcmp(packet.data, vs_pattern(1, 156 + 2 * (VS_RX_SIZE - VS_HDR)),
			    packet.len));
	EXPECT_EQ(0, faults(&self->dev));
}

/* However long a buffer is, a packet is no longer than drivers expect. */
TEST_F_TIMEOUT(hostile, huge_receive_buffers, TIMEOUT)
{
	const uint32_t sizes[] = { VS_MAX_PAYLOAD, VS_MAX_PAYLOAD, 1000 };
	const uint32_t size = 1u << 20;
	uint64_t gpa = vq_mem_alloc(&self->dev.mem, 3 * size, VQ_PAGE);
	struct vq_ring *ring = &self->dev.rings[VS_RX];
	unsigned int i;
	uint32_t at;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	use_up_buffers(&self->dev);
	/* In two pieces, of which the first one ends in the payload. */
	for (i = 0; i < 3; i++) {
		struct vq_buf bufs[2] = {
			{ gpa + i * size, 3000 }, { gpa + i * size + 3000, size - 3000 },
		};

		vq_add(ring, bufs, 0, 2, NULL);
	}
	/* All of it is there before the device has a buffer to put it into. */
	for (i = 0, at = 0; i < 3; at += sizes[i++])
		ASSERT_EQ(sizes[i], write(self->stream.sock, vs_pattern(1, at), sizes[i]));
	vq_publish_and_kick(ring);
	for (i = 0, at = 0; i < 3; at += sizes[i++]) {
		const uint8_t *where = vq_mem_guest(&self->dev.mem, gpa + i * size);
		struct vs_packet packet;

		ASSERT_EQ(VS_HDR + sizes[i], take_raw(&self->dev));
		vs_decode(&packet, (const void *)where);
		EXPECT_EQ(OP(RW), packet.op);
		ASSERT_EQ(sizes[i], packet.len);
		EXPECT_EQ(0, memcmp(where + VS_HDR, vs_pattern(1, at), sizes[i]));
	}
}

/* Memory that is in the table, but not mapped: only the affected stream is reset. */
TEST_F_TIMEOUT(hostile, memory_that_is_not_there, TIMEOUT)
{
	uint64_t hole = (self->area + VS_TX_SIZE + HOST_PAGE - 1) & ~(HOST_PAGE - 1);
	struct vq_buf bufs[2] = { { self->area, VS_HDR }, { hole, 100 } };
	struct vs_packet packet;
	struct vs_stream other;

	vs_connect(&other, &self->dev, VS_UNIX, GUEST_PORT + 1);
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	vq_mem_unmap(&self->dev.mem, hole, VQ_PAGE);
	packet = vs_packet_of(&self->dev, GUEST_PORT, self->stream.host_port, OP(RW));
	packet.len = 100;
	place(&self->dev, self->area, &packet, vs_pattern(1, 0));
	send_raw(&self->dev, bufs, 2);
	vs_stream_expect(&self->stream, OP(RST), NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	vs_echo(&other);

	self->bad_before = bad_packets(&self->dev);
	bufs[0] = (struct vq_buf){ hole, VS_HDR };
	send_raw(&self->dev, bufs, 1);
	vs_flush(&self->dev);
	EXPECT_EQ(self->bad_before + 1, bad_packets(&self->dev));

	/* A buffer of which nothing is there swallows what is put there. */
	use_up_buffers(&self->dev);
	bufs[0].len = 4096;
	vq_add(&self->dev.rings[VS_RX], bufs, 0, 1, NULL);
	vq_publish_and_kick(&self->dev.rings[VS_RX]);
	packet = vs_packet_of(&self->dev, 1, 1, OP(RW));
	vs_send(&self->dev, &packet, NULL, 0);
	EXPECT_EQ(0, take_raw(&self->dev));
	vs_give_all(&self->dev);
	self->dev.hold = false;
	vs_echo(&other);
	vs_stream_close(&other);
	EXPECT_EQ(0, faults(&self->dev));
	vq_mem_restore(&self->dev.mem, hole, VQ_PAGE);
}

static void restart(struct vs_dev *dev)
{
	unsigned int i;

	vs_run(dev, 0);
	for (i = 0; i < VS_RINGS; i++)
		if (__vq_set_state(dev->fd, VHOST_SET_VRING_BASE, i,
				   vq_ring_first_base(&dev->rings[i])))
			vq_die("SET_VRING_BASE");
	vs_reset_rings(dev);
	vs_give_all(dev);
	vs_run(dev, 1);
}

/* Each ring is broken: this is reported and counted, and a restart repairs it. */
TEST_F_TIMEOUT(hostile, broken_rings, TIMEOUT)
{
	struct vq_buf bad = { BAD_GPA, 4096 };
	unsigned int i;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	for (i = VS_RX; i <= VS_EVENT; i++) {
		struct vq_ring *ring = &self->dev.rings[i];

		EXPECT_EQ(0, vq_wait(ring->err, 0));
		vs_flush(&self->dev);
		if (i == VS_RX)
			use_up_buffers(&self->dev);
		vq_add(ring, &bad, i == VS_TX, i != VS_TX, NULL);
		vq_publish(ring);
		vq_kick(ring);
		if (i == VS_RX)
			ASSERT_EQ(1, write(self->stream.sock, "x", 1));
		if (i == VS_EVENT)
			vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
		EXPECT_EQ(1, vq_wait(ring->err, VQ_PATIENCE_MS));
		EXPECT_EQ(i + 1, faults(&self->dev));
		EXPECT_FALSE(vq_has_used(ring));
		self->dev.hold = false;
		restart(&self->dev);
		if (i == VS_RX)
			vs_stream_expect(&self->stream, OP(RW), NULL);
		if (i != VS_EVENT)
			vs_echo(&self->stream);
	}
	EXPECT_EQ(3, faults(&self->dev));
	vs_stream_expect_closed(&self->stream, ECONNRESET);
}

TEST_HARNESS_MAIN
