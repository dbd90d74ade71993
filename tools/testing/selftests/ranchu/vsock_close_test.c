// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends of streams: one way, both ways, by either side, in either order, and by
 * force. What was sent before the end arrives before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define HOST_PORT	5037u
#define SHUT_BY_RCV	VIRTIO_VSOCK_SHUTDOWN_RCV
#define SHUT_BY_SEND	VIRTIO_VSOCK_SHUTDOWN_SEND
#define RW		VIRTIO_VSOCK_OP_RW
#define SHUTDOWN	VIRTIO_VSOCK_OP_SHUTDOWN
#define RST		VIRTIO_VSOCK_OP_RST

FIXTURE(end)
{
	struct vs_dev dev;
	struct vs_stream stream;
};

FIXTURE_VARIANT(end)
{
	uint64_t features;
	enum vs_kind kind;
};

FIXTURE_VARIANT_ADD(end, split_unix)
{
	.features = VQ_SPLIT,
	.kind = VS_UNIX,
};

FIXTURE_VARIANT_ADD(end, split_tcp)
{
	.features = VQ_SPLIT,
	.kind = VS_TCP,
};

FIXTURE_VARIANT_ADD(end, packed_unix)
{
	.features = VQ_PACKED | VQ_EVENT,
	.kind = VS_UNIX,
};

FIXTURE_SETUP(end)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, variant->features);
	vs_connect(&self->stream, &self->dev, variant->kind, GUEST_PORT);
}

FIXTURE_TEARDOWN(end)
{
	vs_stream_close(&self->stream);
	vs_destroy(&self->dev);
}

static void send_pattern(struct vs_stream *stream, uint64_t from, uint32_t len)
{
	vs_stream_send(stream, RW, 0, vs_pattern(3, from), len);
}

static void write_pattern(struct vs_stream *stream, uint64_t from, uint32_t len)
{
	if (write(stream->sock, vs_pattern(4, from), len) != len)
		vq_die("write: %s", strerror(errno));
}

static void host_reads(struct vs_stream *stream, uint64_t from, uint32_t len)
{
	uint8_t data[VS_MAX_PAYLOAD];

	vs_read_all(stream->sock, data, len);
	if (memcmp(data, vs_pattern(3, from), len))
		vq_die("wrong data for the host");
}

/* However many packets it comes in. */
static void guest_reads(struct vs_stream *stream, uint64_t from, uint32_t len)
{
	struct vs_packet packet;

	while (len) {
		vs_stream_await(stream, RW, &packet);
		if (packet.len > len ||
		    memcmp(packet.data, vs_pattern(4, from), packet.len))
			vq_die("wrong data for the guest");
		from += packet.len;
		len -= packet.len;
	}
}

static void expect_shutdown(struct vs_stream *stream, uint32_t flags)
{
	struct vs_packet packet;

	vs_stream_await(stream, SHUTDOWN, &packet);
	if (packet.flags != flags)
		vq_die("SHUTDOWN flags %u, not %u", packet.flags, flags);
}

static void expect_gone(struct __test_metadata *_metadata, struct vs_dev *dev)
{
	struct vhost_vsock_adb_stats stats;

	vs_get_stats(dev, &stats);
	EXPECT_EQ(0, stats.streams);
	EXPECT_EQ(0, stats.queued);
	EXPECT_EQ(0, stats.faults);
	EXPECT_FALSE(vs_has_event(dev));
}

/* The host's program is done sending; the guest goes on, then ends, too. */
TEST_F_TIMEOUT(end, host_first, TIMEOUT)
{
	write_pattern(&self->stream, 0, 30000);
	ASSERT_EQ(0, shutdown(self->stream.sock, SHUT_WR));
	guest_reads(&self->stream, 0, 30000);
	expect_shutdown(&self->stream, SHUT_BY_SEND);
	vs_expect_nothing(&self->dev);
	send_pattern(&self->stream, 0, 5000);
	host_reads(&self->stream, 0, 5000);
	send_pattern(&self->stream, 5000, 65536);
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_SEND, NULL, 0);
	host_reads(&self->stream, 5000, 65536);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	/* Nothing can come any more, either way. */
	expect_shutdown(&self->stream, VS_SHUT_BOTH);
	EXPECT_FALSE(vs_has_event(&self->dev));
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, 0);
	expect_gone(_metadata, &self->dev);
}

/* The guest is done sending; the host goes on, then ends, too. */
TEST_F_TIMEOUT(end, guest_first, TIMEOUT)
{
	send_pattern(&self->stream, 0, 65536);
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_SEND, NULL, 0);
	host_reads(&self->stream, 0, 65536);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	vs_expect_nothing(&self->dev);
	write_pattern(&self->stream, 0, 1);
	guest_reads(&self->stream, 0, 1);
	write_pattern(&self->stream, 1, 60000);
	ASSERT_EQ(0, shutdown(self->stream.sock, SHUT_WR));
	guest_reads(&self->stream, 1, 60000);
	expect_shutdown(&self->stream, VS_SHUT_BOTH);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, 0);
	expect_gone(_metadata, &self->dev);
}

/* One packet for each way, in both orders, and once for both. */
TEST_F_TIMEOUT(end, guest_closes, TIMEOUT)
{
	static const uint32_t steps[][2] = {
		{ VS_SHUT_BOTH, 0 },
		{ SHUT_BY_SEND, SHUT_BY_RCV },
		{ SHUT_BY_RCV, SHUT_BY_SEND },
		{ SHUT_BY_RCV, VS_SHUT_BOTH },
	};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (i)
			vs_connect(&self->stream, &self->dev, variant->kind, GUEST_PORT);
		send_pattern(&self->stream, 0, 2000);
		vs_stream_send(&self->stream, SHUTDOWN, steps[i][0], NULL, 0);
		if (steps[i][1])
			vs_stream_send(&self->stream, SHUTDOWN, steps[i][1], NULL, 0);
		vs_stream_expect(&self->stream, RST, NULL);
		vs_stream_expect_closed(&self->stream, 0);
		host_reads(&self->stream, 0, 2000);
		EXPECT_EQ(0, __vs_read_end(self->stream.sock));
		vs_stream_close(&self->stream);
		expect_gone(_metadata, &self->dev);
	}
}

/* A guest that has stopped receiving still sends; what comes for it is kept. */
TEST_F_TIMEOUT(end, guest_stops_receiving, TIMEOUT)
{
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_RCV, NULL, 0);
	vs_flush(&self->dev);
	if (variant->kind == VS_UNIX) {
		EXPECT_EQ(-1, send(self->stream.sock, "x", 1, MSG_NOSIGNAL));
		EXPECT_EQ(EPIPE, errno);
	}
	vs_expect_nothing(&self->dev);
	send_pattern(&self->stream, 0, 10000);
	host_reads(&self->stream, 0, 10000);
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_SEND, NULL, 0);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, 0);
}

/* The host's program has gone; the guest learns that, and closes. */
TEST_F_TIMEOUT(end, host_closes, TIMEOUT)
{
	write_pattern(&self->stream, 0, 20000);
	vs_stream_close(&self->stream);
	guest_reads(&self->stream, 0, 20000);
	expect_shutdown(&self->stream, SHUT_BY_SEND);
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, 0);
	expect_gone(_metadata, &self->dev);
}

/* ... or sends data first, which is dropped. */
TEST_F_TIMEOUT(end, host_closes_and_guest_sends, TIMEOUT)
{
	if (variant->kind == VS_TCP)
		SKIP(return, "TCP answers with a reset");
	vs_stream_close(&self->stream);
	expect_shutdown(&self->stream, SHUT_BY_SEND);
	send_pattern(&self->stream, 0, 1000);
	expect_shutdown(&self->stream, VS_SHUT_BOTH);
	send_pattern(&self->stream, 1000, 1000);
	vs_expect_nothing(&self->dev);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, 0);
}

/* Sends as much as there is room for, and returns how much that is. */
static uint32_t fill(struct vs_stream *stream)
{
	uint32_t sent = 0, len;

	while ((len = vs_stream_room(stream))) {
		len = len < VS_MAX_PAYLOAD ? len : VS_MAX_PAYLOAD;
		send_pattern(stream, sent, len);
		sent += len;
	}
	return sent;
}

/* Limits TCP's windows, which would take all data, but not so much that it is slow. */
static void small_buffers(struct vs_stream *stream)
{
	int size = 65536;

	if (setsockopt(stream->sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)))
		vq_die("SO_RCVBUF: %s", strerror(errno));
}

static void host_reads_all(struct vs_stream *stream, uint32_t len)
{
	uint32_t at, part;

	for (at = 0; at < len; at += part) {
		part = len - at < 10000 ? len - at : 10000;
		host_reads(stream, at, part);
	}
}

/* Much waits for a host that does not read. It gets all of it, then the end. */
TEST_F_TIMEOUT(end, guest_closes_before_host_reads, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	uint32_t sent;

	small_buffers(&self->stream);
	sent = fill(&self->stream);
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_flush(&self->dev);
	vs_get_stats(&self->dev, &stats);
	if (variant->kind == VS_UNIX) {
		EXPECT_LT(0, stats.queued);
		EXPECT_FALSE(vs_has_event(&self->dev));
	}
	host_reads_all(&self->stream, sent);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	/* Over TCP what is not yet read may count as taken. */
	vs_stream_await(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, 0);
	expect_gone(_metadata, &self->dev);
}

/* The guest takes no more data of the host. */
static void take_credit_back(struct vs_stream *stream)
{
	stream->buf_alloc = 0;
	vs_stream_send(stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vs_flush(stream->dev);
}

/*
 * A guest closes without having read what the host sent, and sends: TCP that is
 * closed so would drop what is on its way. More comes from the host while the
 * end is awaited. All that the guest sent arrives.
 */
TEST_F_TIMEOUT(end, guest_closes_with_data_unread, TIMEOUT)
{
	uint32_t sent;
	int end;

	small_buffers(&self->stream);
	take_credit_back(&self->stream);
	write_pattern(&self->stream, 0, 50000);
	sent = fill(&self->stream);
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_flush(&self->dev);
	if (variant->kind == VS_TCP)
		write_pattern(&self->stream, 50000, 10000);
	host_reads_all(&self->stream, sent);
	end = __vs_read_end(self->stream.sock);
	/* AF_UNIX says in the end that its data was not read. */
	EXPECT_TRUE(!end || (variant->kind == VS_UNIX && end == -ECONNRESET));
	vs_stream_await(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, 0);
	expect_gone(_metadata, &self->dev);
}

/*
 * A guest that has closed gives up waiting for the RST, as Linux does in time,
 * and uses its ports again. What it sent before is still on its way.
 */
TEST_F_TIMEOUT(end, guest_closes_and_resets, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_stream next;
	unsigned int i;
	uint32_t sent;

	small_buffers(&self->stream);
	sent = fill(&self->stream);
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_drain(&self->dev);
	vs_stream_expect_closed(&self->stream, 0);
	vs_accept(&next, &self->dev, variant->kind, GUEST_PORT, self->stream.host_port);
	vs_echo(&next);
	host_reads_all(&self->stream, sent);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	vs_echo(&next);
	vs_stream_send(&next, RST, 0, NULL, 0);
	vs_stream_expect_closed(&next, ECONNRESET);
	vs_stream_close(&next);
	/* TCP may take its time to tell that the end has arrived. */
	for (i = 0; i < VQ_PATIENCE_MS; i++) {
		vs_get_stats(&self->dev, &stats);
		if (!stats.streams)
			break;
		usleep(1000);
	}
	expect_gone(_metadata, &self->dev);
}

/* The same without a reader: the rest is dropped with the device. */
TEST_F_TIMEOUT(end, device_closed_with_data_left, TIMEOUT)
{
	small_buffers(&self->stream);
	take_credit_back(&self->stream);
	write_pattern(&self->stream, 0, 50000);
	fill(&self->stream);
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_drain(&self->dev);
	vs_stream_expect_closed(&self->stream, 0);
	vs_destroy(&self->dev);
	vs_create(&self->dev, VS_CID, variant->features);
	expect_gone(_metadata, &self->dev);
}

/* A guest that gives no receive buffers can send nevertheless. */
TEST_F_TIMEOUT(end, without_receive_buffers, TIMEOUT)
{
	struct vs_packet packet;
	unsigned int i;
	uint32_t sent;

	self->dev.hold = true;
	small_buffers(&self->stream);
	for (i = 0; i < VS_RX_NUM; i++) {
		write_pattern(&self->stream, i, 1);
		guest_reads(&self->stream, i, 1);
	}
	write_pattern(&self->stream, VS_RX_NUM, 1);
	sent = fill(&self->stream);
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_SEND, NULL, 0);
	vs_flush(&self->dev);
	host_reads_all(&self->stream, sent);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	EXPECT_FALSE(vs_try_get(&self->dev, &packet));
	vs_give_all(&self->dev);
	guest_reads(&self->stream, VS_RX_NUM, 1);
}

/* The host's end is seen when there is room to tell of it, after the data. */
TEST_F_TIMEOUT(end, host_closes_without_receive_buffers, TIMEOUT)
{
	unsigned int i;

	self->dev.hold = true;
	for (i = 0; i < VS_RX_NUM; i++) {
		write_pattern(&self->stream, i, 1);
		guest_reads(&self->stream, i, 1);
	}
	write_pattern(&self->stream, i, 10000);
	vs_stream_close(&self->stream);
	vs_give(&self->dev, 1);
	guest_reads(&self->stream, i, VS_RX_SIZE - VS_HDR);
	vs_give(&self->dev, 2);
	guest_reads(&self->stream, i + VS_RX_SIZE - VS_HDR,
		    10000 - (VS_RX_SIZE - VS_HDR));
	vs_give(&self->dev, 1);
	expect_shutdown(&self->stream, SHUT_BY_SEND);
	vs_give_all(&self->dev);
	self->dev.hold = false;
	vs_stream_send(&self->stream, SHUTDOWN, VS_SHUT_BOTH, NULL, 0);
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, 0);
}

TEST_F_TIMEOUT(end, guest_resets, TIMEOUT)
{
	uint32_t sent;

	small_buffers(&self->stream);
	sent = fill(&self->stream);
	ASSERT_LT(0, sent);
	write_pattern(&self->stream, 0, 3);
	guest_reads(&self->stream, 0, 3);
	vs_drain(&self->dev);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	vs_expect_nothing(&self->dev);
	while (recv(self->stream.sock, &sent, sizeof(sent), 0) > 0)
		;
	expect_gone(_metadata, &self->dev);
	EXPECT_EQ(-ENOENT, __vs_attach(&self->dev, GUEST_PORT, self->stream.host_port,
				       -1, 0));
}

/* Data and the reset behind it are served in one go, the socket still holding back. */
TEST_F_TIMEOUT(end, guest_resets_behind_its_data, TIMEOUT)
{
	struct vs_dev *dev = &self->dev;
	uint8_t byte;

	vs_run(dev, 0);
	send_pattern(&self->stream, 0, 50000);
	vs_stream_send(&self->stream, RST, 0, NULL, 0);
	eventfd_read(dev->rings[VS_TX].kick, &(eventfd_t){ 0 });
	vs_run(dev, 1);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	while (vs_readable(self->stream.sock, VQ_PATIENCE_MS) == 1 &&
	       recv(self->stream.sock, &byte, 1, 0) > 0)
		;
	vs_expect_nothing(dev);
	expect_gone(_metadata, dev);
}

/* A stream ends before its event is read: only its end is reported. */
TEST_F_TIMEOUT(end, guest_resets_before_the_vmm_looks, TIMEOUT)
{
	const uint64_t cookie = VS_COOKIE(GUEST_PORT + 1);
	struct vs_dev *dev = &self->dev;
	struct vs_packet packet;
	uint32_t port = 0;
	int ends[2];

	vs_sockets(variant->kind, ends);
	ASSERT_EQ(0, __vs_connect(dev, GUEST_PORT + 1, &port, ends[0], cookie));
	close(ends[0]);
	vs_expect(dev, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT + 1, port, NULL);
	packet = vs_packet_of(dev, GUEST_PORT + 1, port, VIRTIO_VSOCK_OP_RESPONSE);
	vs_send(dev, &packet, NULL, 0);
	packet.op = RST;
	vs_send(dev, &packet, NULL, 0);
	vs_flush(dev);
	vs_expect_event(dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT + 1, port, ECONNRESET, cookie);
	EXPECT_FALSE(vs_has_event(dev));
	close(ends[1]);
}

/* ATTACH with no socket ends what is there. */
TEST_F_TIMEOUT(end, vmm_resets, TIMEOUT)
{
	ASSERT_EQ(0, __vs_attach(&self->dev, GUEST_PORT, self->stream.host_port, -1, 0));
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	expect_gone(_metadata, &self->dev);
}

/* The end is one for all, also if the VMM has kept its file. */
TEST_F_TIMEOUT(end, vmm_keeps_its_file, TIMEOUT)
{
	uint32_t host_port = 0;
	struct vs_packet packet;
	int ends[2];

	vs_sockets(variant->kind, ends);
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0], 7));
	vs_expect(&self->dev, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, host_port, NULL);
	packet = vs_packet_of(&self->dev, GUEST_PORT, host_port, RST);
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, host_port,
			ECONNREFUSED, 7);
	EXPECT_EQ(0, __vs_read_end(ends[1]));
	EXPECT_EQ(0, __vs_read_end(ends[0]));
	close(ends[0]);
	close(ends[1]);
}

static void reset_by_host(struct vs_stream *stream, enum vs_kind kind)
{
	struct linger now = { .l_onoff = 1 };

	/* Closed with something unread, an AF_UNIX socket resets, too. */
	if (kind == VS_TCP)
		setsockopt(stream->sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	vs_stream_close(stream);
}

TEST_F_TIMEOUT(end, host_resets, TIMEOUT)
{
	write_pattern(&self->stream, 0, 10);
	guest_reads(&self->stream, 0, 10);
	send_pattern(&self->stream, 0, 10);
	ASSERT_EQ(1, vs_readable(self->stream.sock, VQ_PATIENCE_MS));
	reset_by_host(&self->stream, variant->kind);
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	expect_gone(_metadata, &self->dev);
}

/* The guest's next packet detects the reset first: the error is reported nevertheless. */
TEST_F_TIMEOUT(end, host_resets_and_guest_sends, TIMEOUT)
{
	unsigned int i;

	self->dev.hold = true;
	for (i = 0; i < VS_RX_NUM; i++) {
		write_pattern(&self->stream, i, 1);
		guest_reads(&self->stream, i, 1);
	}
	write_pattern(&self->stream, i, 10);
	send_pattern(&self->stream, 0, 10);
	ASSERT_EQ(1, vs_readable(self->stream.sock, VQ_PATIENCE_MS));
	reset_by_host(&self->stream, variant->kind);
	send_pattern(&self->stream, 10, 10);
	vs_flush(&self->dev);
	vs_give_all(&self->dev);
	guest_reads(&self->stream, i, 10);
	vs_stream_expect(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
}

/* Data for a host program that has ended is dropped. */
TEST_F_TIMEOUT(end, host_resets_while_much_waits, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;

	small_buffers(&self->stream);
	fill(&self->stream);
	vs_flush(&self->dev);
	vs_get_stats(&self->dev, &stats);
	if (variant->kind == VS_UNIX)
		EXPECT_LT(0, stats.queued);
	reset_by_host(&self->stream, variant->kind);
	vs_stream_await(&self->stream, RST, NULL);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	expect_gone(_metadata, &self->dev);
}

/*
 * A guest that does not confirm the end of a stream is reset in time, and what
 * the host has of the stream is gone even if the guest does not take the RST.
 */
TEST_F_TIMEOUT(end, guest_never_confirms, TIMEOUT)
{
	struct vs_stream other;
	unsigned int i;

	vs_connect(&other, &self->dev, variant->kind, GUEST_PORT + 1);
	vs_stream_send(&self->stream, SHUTDOWN, SHUT_BY_SEND, NULL, 0);
	vs_stream_close(&self->stream);
	expect_shutdown(&self->stream, VS_SHUT_BOTH);
	vs_expect_nothing(&self->dev);
	self->dev.hold = true;
	for (i = 0; i < VS_RX_NUM; i++) {
		write_pattern(&other, i, 1);
		guest_reads(&other, i, 1);
	}
	EXPECT_FALSE(vs_has_event(&self->dev));
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	vs_give_all(&self->dev);
	self->dev.hold = false;
	vs_stream_expect(&self->stream, RST, NULL);
	vs_echo(&other);
	vs_stream_send(&other, RST, 0, NULL, 0);
	vs_stream_expect_closed(&other, ECONNRESET);
	vs_stream_close(&other);
	expect_gone(_metadata, &self->dev);
}

static void expect_transport_reset(struct vs_dev *dev)
{
	struct vq_done done;

	vq_get_one(&dev->rings[VS_EVENT], &done);
	if (done.len != 4 || *(uint32_t *)done.token)
		vq_die("%u bytes of event, the first %u", done.len,
		       *(uint32_t *)done.token);
}

static void give_event(struct vs_dev *dev, uint64_t gpa, uint32_t len)
{
	struct vq_buf buf = { gpa, len };

	*(uint32_t *)vq_mem_guest(&dev->mem, gpa) = ~0u;
	vq_add(&dev->rings[VS_EVENT], &buf, 0, 1, vq_mem_guest(&dev->mem, gpa));
	vq_publish_and_kick(&dev->rings[VS_EVENT]);
}

/* The event waits for a buffer if there is none; all streams end. */
TEST_F_TIMEOUT(end, transport_reset, TIMEOUT)
{
	uint64_t gpa = vq_mem_alloc(&self->dev.mem, 64, 8);
	struct vq_done done;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (i)
			vs_connect(&self->stream, &self->dev, variant->kind, GUEST_PORT);
		if (i & 1)
			give_event(&self->dev, gpa, 8);
		EXPECT_FALSE(vq_has_used(&self->dev.rings[VS_EVENT]));
		vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
		vs_stream_expect(&self->stream, RST, NULL);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		EXPECT_EQ(0, __vs_read_end(self->stream.sock));
		vs_stream_close(&self->stream);
		if (!(i & 1))
			give_event(&self->dev, gpa, 8);
		expect_transport_reset(&self->dev);
	}
	/* One that is too short is used up, and the next one has it. */
	give_event(&self->dev, gpa, 3);
	give_event(&self->dev, gpa + 16, 4);
	vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
	vq_get_one(&self->dev.rings[VS_EVENT], &done);
	expect_transport_reset(&self->dev);
	expect_gone(_metadata, &self->dev);
}

TEST_HARNESS_MAIN
