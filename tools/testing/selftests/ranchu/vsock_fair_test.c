// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many streams: none can stop the others, by sending or by not receiving; and an idle
 * device uses no CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define CHATTY		8u
#define ROUND_TRIPS	8u
/* Together all of the worker's budget, and all that the transmit ring has room for. */
#define LOUD		4u
#define LOUD_PACKETS	4u
/* What all chatty streams may move while a quiet one waits for its byte. */
#define MOST_BETWEEN	(16u << 20)
#define MANY		1024u
#define CROWD		(VS_RX_NUM + 40)

FIXTURE(fair)
{
	struct vs_dev dev;
};

FIXTURE_VARIANT(fair)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(fair, split)
{
	.features = VQ_SPLIT,
};

FIXTURE_VARIANT_ADD(fair, packed)
{
	.features = VQ_PACKED | VQ_EVENT,
};

FIXTURE_SETUP(fair)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, variant->features);
}

FIXTURE_TEARDOWN(fair)
{
	vs_destroy(&self->dev);
}

static void flow_init(struct vs_flow *flow, struct vs_stream *stream,
		      uint64_t to_host, uint64_t to_guest)
{
	*flow = (struct vs_flow){
		.stream = stream, .to_host = to_host, .to_guest = to_guest,
		.max_packet = 16384, .seed = stream->guest_port,
	};
}

/* Whatever can be moved, until nothing can. */
static void settle(struct vs_flow *flows, unsigned int n)
{
	do {
		while (vs_flows_turn(flows, n))
			;
		if (!vs_sleeps())
			vq_die("the device does not come to rest");
	} while (vs_flows_turn(flows, n));
}

TEST_F_TIMEOUT(fair, starved_it_sleeps, TIMEOUT)
{
	struct vs_stream streams[2];
	struct vs_flow flows[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vs_connect(&streams[i], &self->dev, i ? VS_TCP : VS_UNIX, GUEST_PORT + i);
		flow_init(&flows[i], &streams[i], 0, 1 << 20);
	}
	self->dev.hold = true;
	settle(flows, 2);
	/* All buffers are full, and so are the sockets. */
	EXPECT_EQ(VS_RX_NUM, self->dev.n_rx_free);
	EXPECT_FALSE(vs_flow_done(&flows[0]));
	self->dev.hold = false;
	vs_give_all(&self->dev);
	vs_flows_run(flows, 2);
	for (i = 0; i < 2; i++)
		vs_stream_close(&streams[i]);
}

TEST_F_TIMEOUT(fair, without_credit_it_sleeps, TIMEOUT)
{
	struct vs_stream stream;
	struct vs_flow flow;

	vs_connect(&stream, &self->dev, VS_UNIX, GUEST_PORT);
	flow_init(&flow, &stream, 1 << 20, 600000);
	flow.host_stalled = true;
	flow.guest_stalled = true;
	settle(&flow, 1);
	flow.host_stalled = false;
	flow.guest_stalled = false;
	vs_flows_run(&flow, 1);
	vs_stream_close(&stream);
}

/*
 * More streams have data than there are buffers, and then a packet to an unknown port
 * must be answered. The answer waits for its turn: buffers that come one by one go to
 * the streams that were first.
 */
TEST_F_TIMEOUT(fair, nobody_is_overtaken, TIMEOUT)
{
	struct vs_packet packet;
	uint32_t host_port;
	unsigned int i;

	self->dev.hold = true;
	for (i = 0; i < CROWD; i++) {
		host_port = 7;
		ASSERT_EQ(0, __vs_connect(&self->dev, i, &host_port, -1, i));
	}
	for (i = 0; i < VS_RX_NUM; i++)
		vs_expect(&self->dev, VIRTIO_VSOCK_OP_REQUEST, i, 7, NULL);
	ASSERT_TRUE(vs_sleeps());
	packet = vs_packet_of(&self->dev, CROWD, 8, VIRTIO_VSOCK_OP_RW);
	vs_send(&self->dev, &packet, NULL, 0);
	vs_flush(&self->dev);
	for (; i < CROWD; i++) {
		vs_give(&self->dev, 1);
		vs_expect(&self->dev, VIRTIO_VSOCK_OP_REQUEST, i, 7, NULL);
	}
	vs_give(&self->dev, 1);
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_RST, CROWD, 8, NULL);
	self->dev.hold = false;
	vs_give_all(&self->dev);
	vs_expect_nothing(&self->dev);
}

/* A host that does not read, a guest that gives no credit: other streams go on. */
TEST_F_TIMEOUT(fair, stalled_beside_busy, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_stream streams[3];
	struct vs_flow flows[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		vs_connect(&streams[i], &self->dev, VS_UNIX, GUEST_PORT + i);
		flow_init(&flows[i], &streams[i], i == 1 ? 0 : 1 << 20,
			  i == 0 ? 0 : 1 << 20);
	}
	flows[0].host_stalled = true;
	flows[1].guest_stalled = true;
	vs_flows_run(flows, 3);
	settle(flows, 3);
	EXPECT_TRUE(vs_flow_done(&flows[2]));
	EXPECT_EQ(0, flows[0].host_got);
	EXPECT_EQ(0, vs_stream_room(&streams[0]));
	EXPECT_EQ(VS_BUF_ALLOC, flows[1].guest_got);
	vs_get_stats(&self->dev, &stats);
	EXPECT_LT(0, stats.queued);
	flows[0].host_stalled = false;
	flows[1].guest_stalled = false;
	vs_flows_run(flows, 3);
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(0, stats.queued);
	for (i = 0; i < 3; i++)
		vs_stream_close(&streams[i]);
}

/* As much as the device does in one turn is in the ring when it starts. */
TEST_F_TIMEOUT(fair, as_much_as_a_turn, TIMEOUT)
{
	struct vs_stream streams[LOUD];
	uint8_t *data = malloc(VS_MAX_PAYLOAD), *got = malloc(VS_MAX_PAYLOAD);
	struct vs_dev *dev = &self->dev;
	unsigned int i, j;

	for (i = 0; i < LOUD; i++)
		vs_connect(&streams[i], dev, VS_UNIX, GUEST_PORT + i);
	vs_run(dev, 0);
	for (i = 0; i < LOUD; i++) {
		for (j = 0; j < LOUD_PACKETS; j++) {
			memset(data, 1 + i * LOUD_PACKETS + j, VS_MAX_PAYLOAD);
			vs_stream_send(&streams[i], VIRTIO_VSOCK_OP_RW, 0, data, VS_MAX_PAYLOAD);
		}
	}
	/* No kick will follow. */
	eventfd_read(dev->rings[VS_TX].kick, &(eventfd_t){ 0 });
	vs_run(dev, 1);
	for (i = 0; i < LOUD; i++) {
		for (j = 0; j < LOUD_PACKETS; j++) {
			memset(data, 1 + i * LOUD_PACKETS + j, VS_MAX_PAYLOAD);
			vs_read_all(streams[i].sock, got, VS_MAX_PAYLOAD);
			EXPECT_EQ(0, memcmp(data, got, VS_MAX_PAYLOAD));
		}
	}
	for (i = 0; i < LOUD; i++)
		vs_stream_close(&streams[i]);
	free(got);
	free(data);
}

static uint64_t moved(const struct vs_flow *flows, unsigned int n)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		sum += flows[i].host_got + flows[i].guest_got;
	return sum;
}

/* The byte arrives before the others have moved more than their share. */
static void one_byte(struct vs_flow *flows, const uint64_t *got)
{
	uint64_t before = moved(flows, CHATTY), want = *got + 1;

	while (*got < want) {
		if (!vs_flows_turn(flows, CHATTY + 1))
			vs_flows_wait(flows, CHATTY + 1);
		if (moved(flows, CHATTY) - before > MOST_BETWEEN)
			vq_die("a quiet stream waits for ever");
	}
}

TEST_F_TIMEOUT(fair, quiet_beside_chatty, TIMEOUT)
{
	struct vs_stream streams[CHATTY + 1];
	struct vs_flow flows[CHATTY + 1];
	struct vs_flow *quiet = &flows[CHATTY];
	unsigned int i;

	for (i = 0; i <= CHATTY; i++) {
		vs_connect(&streams[i], &self->dev, VS_UNIX, GUEST_PORT + i);
		flow_init(&flows[i], &streams[i], 1 << 30, 1 << 30);
	}
	quiet->to_host = 0;
	quiet->to_guest = 0;
	for (i = 0; i < ROUND_TRIPS; i++) {
		quiet->to_host++;
		one_byte(flows, &quiet->host_got);
		quiet->to_guest++;
		one_byte(flows, &quiet->guest_got);
	}
	/* And the chatty ones among themselves. */
	for (i = 0; i < CHATTY; i++) {
		EXPECT_LT(0, flows[i].host_got);
		EXPECT_LT(0, flows[i].guest_got);
	}
	for (i = 0; i <= CHATTY; i++)
		vs_stream_close(&streams[i]);
}

/* These are slow, and do not depend on the layout of rings. */
FIXTURE(many)
{
	struct vs_dev dev;
};

FIXTURE_SETUP(many)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, VQ_SPLIT);
}

FIXTURE_TEARDOWN(many)
{
	vs_destroy(&self->dev);
}

static void allow_files(unsigned int n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = n;
	if (limit.rlim_max < n)
		limit.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		vq_die("no %u files: %s", n, strerror(errno));
}

TEST_F_TIMEOUT(many, streams_at_once, TIMEOUT)
{
	struct vs_stream *streams = calloc(MANY, sizeof(*streams));
	struct vs_flow *flows = calloc(MANY, sizeof(*flows));
	struct vhost_vsock_adb_stats stats;
	unsigned int i;

	ASSERT_TRUE(streams && flows);
	allow_files(MANY + 100);
	for (i = 0; i < MANY; i++) {
		vs_connect(&streams[i], &self->dev, VS_UNIX, GUEST_PORT + i);
		flow_init(&flows[i], &streams[i], 1 + i % 50, 1 + i % 30);
	}
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(MANY, stats.streams);
	vs_flows_run(flows, MANY);
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(MANY, stats.streams);
	EXPECT_EQ(0, stats.bad_packets);
	/* They end all at once, and nothing of them is left. */
	vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, __vs_read_end(streams[i].sock));
		vs_stream_close(&streams[i]);
	}
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(0, stats.streams);
	free(streams);
	free(flows);
}

TEST_F_TIMEOUT(many, as_there_may_be, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_packet packet;
	uint32_t host_port;
	unsigned int i;

	for (i = 0; i < VHOST_VSOCK_ADB_MAX_STREAMS; i++) {
		host_port = 7;
		ASSERT_EQ(0, __vs_connect(&self->dev, i, &host_port, -1, i));
		while (vs_try_get(&self->dev, &packet))
			ASSERT_EQ(VIRTIO_VSOCK_OP_REQUEST, packet.op);
	}
	vs_drain(&self->dev);
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(VHOST_VSOCK_ADB_MAX_STREAMS, stats.streams);
	host_port = 0;
	EXPECT_EQ(-EMFILE, __vs_connect(&self->dev, i, &host_port, -1, 0));
	packet = vs_packet_of(&self->dev, i, 8, VIRTIO_VSOCK_OP_REQUEST);
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_RST, i, 8, NULL);
	EXPECT_FALSE(vs_has_event(&self->dev));
	/* One less is room for one more, once its end has been read. */
	ASSERT_EQ(0, __vs_attach(&self->dev, 5, 7, -1, 0));
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_RST, 5, 7, NULL);
	EXPECT_EQ(-EMFILE, __vs_connect(&self->dev, i, &host_port, -1, 0));
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, 5, 7, ECONNRESET, 5);
	EXPECT_EQ(0, __vs_connect(&self->dev, i, &host_port, -1, 0));
	host_port = 0;
	EXPECT_EQ(-EMFILE, __vs_connect(&self->dev, i, &host_port, -1, 0));
	/* All end at once: more to say than there are buffers. */
	vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
	EXPECT_LE(VHOST_VSOCK_ADB_MAX_STREAMS, vs_drain(&self->dev) + 1);
}

/* Two guests with the same ports have streams of their own. */
TEST_F_TIMEOUT(fair, guests_are_apart, TIMEOUT)
{
	struct vs_stream first, second;
	struct vs_packet packet;
	struct vs_dev other;

	vs_create(&other, VS_CID + 1, variant->features);
	vs_accept(&first, &self->dev, VS_UNIX, GUEST_PORT, 5555);
	/* The other guest has no such stream, and its RST ends none. */
	packet = vs_packet_of(&other, GUEST_PORT, 5555, VIRTIO_VSOCK_OP_RST);
	vs_send(&other, &packet, NULL, 0);
	packet.op = VIRTIO_VSOCK_OP_RW;
	packet.len = 1;
	vs_send(&other, &packet, "x", 1);
	vs_expect(&other, VIRTIO_VSOCK_OP_RST, GUEST_PORT, 5555, NULL);
	EXPECT_EQ(-ENOENT, __vs_attach(&other, GUEST_PORT, 5555, -1, 0));
	vs_accept(&second, &other, VS_UNIX, GUEST_PORT, 5555);
	vs_echo(&first);
	vs_echo(&second);
	vs_stream_send(&second, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vs_stream_expect_closed(&second, ECONNRESET);
	vs_echo(&first);
	EXPECT_FALSE(vs_has_event(&self->dev));
	vs_expect_nothing(&self->dev);
	vs_stream_close(&first);
	vs_stream_close(&second);
	vs_destroy(&other);
}

TEST_HARNESS_MAIN
