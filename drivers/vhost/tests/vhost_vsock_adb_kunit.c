// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vsock relay's pure logic: headers, credit, what a packet comes to and
 * what is said next.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "../vsock_adb_conn.h"

#define BUF 1000
#define PEER_BUF 400

static struct adb_packet packet_of(u16 op, u32 len, u32 flags, u32 fwd_cnt)
{
	return (struct adb_packet){
		.op = op,
		.len = len,
		.flags = flags,
		.buf_alloc = PEER_BUF,
		.fwd_cnt = fwd_cnt,
	};
}

static enum adb_verdict hear(struct adb_conn *conn, u16 op, u32 len, u32 flags,
			     u32 fwd_cnt)
{
	struct adb_packet packet = packet_of(op, len, flags, fwd_cnt);

	return adb_conn_recv(conn, &packet);
}

/* Sends what is next; returns it. */
static enum virtio_vsock_op say(struct adb_conn *conn, bool readable, u32 len,
				struct adb_packet *packet)
{
	enum virtio_vsock_op op = adb_conn_next(conn, readable);

	memset(packet, 0, sizeof(*packet));
	packet->len = op == VIRTIO_VSOCK_OP_RW ? len : 0;
	if (op != VIRTIO_VSOCK_OP_INVALID)
		adb_conn_sent(conn, op, packet);
	return op;
}

/* A stream that the host began, with data flowing. */
static void open_conn(struct kunit *test, struct adb_conn *conn)
{
	struct adb_packet packet;

	adb_conn_init(conn, ADB_ASKING, BUF);
	adb_conn_attach(conn);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_REQUEST,
			(int)say(conn, true, 0, &packet));
	KUNIT_EXPECT_EQ(test, BUF, (int)packet.buf_alloc);
	KUNIT_EXPECT_EQ(test, (int)ADB_ESTABLISHED,
			(int)hear(conn, VIRTIO_VSOCK_OP_RESPONSE, 0, 0, 0));
}

static void header_case(struct kunit *test)
{
	const struct adb_packet in = {
		.src_cid = 0x1122334455667788, .dst_cid = 2, .src_port = 5555,
		.dst_port = 0xfffffffe, .len = 0x10203, .type = 1, .op = 5,
		.flags = 3, .buf_alloc = 0x80000000, .fwd_cnt = 0xffffffff,
	};
	static const u8 first[] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
				    2, 0, 0, 0, 0, 0, 0, 0, 0xb3, 0x15, 0, 0 };
	struct virtio_vsock_hdr hdr;
	struct adb_packet out;

	adb_packet_encode(&hdr, &in);
	KUNIT_EXPECT_EQ(test, 44, (int)sizeof(hdr));
	KUNIT_EXPECT_EQ(test, 0, memcmp(&hdr, first, sizeof(first)));
	adb_packet_decode(&out, &hdr);
	KUNIT_EXPECT_EQ(test, in.src_cid, out.src_cid);
	KUNIT_EXPECT_EQ(test, in.dst_cid, out.dst_cid);
	KUNIT_EXPECT_EQ(test, in.src_port, out.src_port);
	KUNIT_EXPECT_EQ(test, in.dst_port, out.dst_port);
	KUNIT_EXPECT_EQ(test, in.len, out.len);
	KUNIT_EXPECT_EQ(test, in.type, out.type);
	KUNIT_EXPECT_EQ(test, in.op, out.op);
	KUNIT_EXPECT_EQ(test, in.flags, out.flags);
	KUNIT_EXPECT_EQ(test, in.buf_alloc, out.buf_alloc);
	KUNIT_EXPECT_EQ(test, in.fwd_cnt, out.fwd_cnt);
}

/* What each operation comes to in each state. */
static void verdict_case(struct kunit *test)
{
	static const struct {
		u16 op;
		enum adb_verdict asked, asking, open;
	} rows[] = {
		{ VIRTIO_VSOCK_OP_INVALID, ADB_BAD, ADB_BAD, ADB_BAD },
		{ VIRTIO_VSOCK_OP_REQUEST, ADB_BAD, ADB_BAD, ADB_BAD },
		{ VIRTIO_VSOCK_OP_RESPONSE, ADB_BAD, ADB_ESTABLISHED, ADB_BAD },
		{ VIRTIO_VSOCK_OP_RST, ADB_CLOSED, ADB_CLOSED, ADB_CLOSED },
		{ VIRTIO_VSOCK_OP_SHUTDOWN, ADB_BAD, ADB_BAD, ADB_TAKEN },
		{ VIRTIO_VSOCK_OP_RW, ADB_BAD, ADB_BAD, ADB_PAYLOAD },
		{ VIRTIO_VSOCK_OP_CREDIT_UPDATE, ADB_BAD, ADB_BAD, ADB_TAKEN },
		{ VIRTIO_VSOCK_OP_CREDIT_REQUEST, ADB_BAD, ADB_BAD, ADB_TAKEN },
		{ 8, ADB_BAD, ADB_BAD, ADB_BAD },
		{ 0xffff, ADB_BAD, ADB_BAD, ADB_BAD },
	};
	struct adb_packet packet;
	struct adb_conn conn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		adb_conn_init(&conn, ADB_ASKED, BUF);
		KUNIT_EXPECT_EQ_MSG(test, (int)rows[i].asked,
				    (int)hear(&conn, rows[i].op, 0, 0, 0),
				    "asked, row %u", i);
		adb_conn_init(&conn, ADB_ASKING, BUF);
		say(&conn, false, 0, &packet);
		KUNIT_EXPECT_EQ_MSG(test, (int)rows[i].asking,
				    (int)hear(&conn, rows[i].op, 0, 0, 0),
				    "asking, row %u", i);
		open_conn(test, &conn);
		KUNIT_EXPECT_EQ_MSG(test, (int)rows[i].open,
				    (int)hear(&conn, rows[i].op, 0, 0, 0),
				    "open, row %u", i);
	}
}

static void dead_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;

	/* A bad packet is answered with one RST, and nothing after it. */
	open_conn(test, &conn);
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_REQUEST, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_RST,
			(int)say(&conn, true, 0, &packet));
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 0, &packet));
	/* A RST is not answered. */
	open_conn(test, &conn);
	hear(&conn, VIRTIO_VSOCK_OP_RST, 0, 0, 0);
	adb_conn_reset(&conn);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 0, &packet));
	/* A REQUEST that was never sent is not taken back. */
	adb_conn_init(&conn, ADB_ASKING, BUF);
	adb_conn_reset(&conn);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 0, &packet));
	/* Nor can it have been answered. */
	adb_conn_init(&conn, ADB_ASKING, BUF);
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RESPONSE, 0, 0, 0));
	/* Payload where there may be none. */
	open_conn(test, &conn);
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1, 0, 0));
}

static void accept_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;

	adb_conn_init(&conn, ADB_ASKED, BUF);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 0, &packet));
	adb_conn_attach(&conn);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_RESPONSE,
			(int)say(&conn, false, 0, &packet));
	KUNIT_EXPECT_EQ(test, BUF, (int)packet.buf_alloc);
	KUNIT_EXPECT_EQ(test, (int)ADB_OPEN, (int)conn.state);
}

/* A stream without an end on the host takes nothing. */
static void unattached_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;

	adb_conn_init(&conn, ADB_ASKING, BUF);
	say(&conn, false, 0, &packet);
	KUNIT_EXPECT_EQ(test, 0, (int)packet.buf_alloc);
	hear(&conn, VIRTIO_VSOCK_OP_RESPONSE, 0, 0, 0);
	adb_conn_attach(&conn);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_CREDIT_UPDATE,
			(int)say(&conn, false, 0, &packet));
	KUNIT_EXPECT_EQ(test, BUF, (int)packet.buf_alloc);
	KUNIT_EXPECT_EQ(test, (int)ADB_PAYLOAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 1, 0, 0));

	adb_conn_init(&conn, ADB_ASKING, BUF);
	say(&conn, false, 0, &packet);
	hear(&conn, VIRTIO_VSOCK_OP_RESPONSE, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 1, 0, 0));
}

/* What the guest may send, over the wrap of its counts. */
static void credit_in_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;
	u32 start = (u32)-300;

	open_conn(test, &conn);
	conn.rx_cnt = start;
	conn.fwd_cnt = start;
	conn.told_fwd_cnt = start;
	KUNIT_EXPECT_EQ(test, (int)ADB_PAYLOAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 600, 0, 0));
	KUNIT_EXPECT_EQ(test, (int)ADB_PAYLOAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 400, 0, 0));
	/* Half of it is taken: not worth a word until one more is. */
	adb_conn_forwarded(&conn, 499);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, false, 0, &packet));
	adb_conn_forwarded(&conn, 1);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_CREDIT_UPDATE,
			(int)say(&conn, false, 0, &packet));
	KUNIT_EXPECT_EQ(test, start + 500, packet.fwd_cnt);
	KUNIT_EXPECT_EQ(test, (int)ADB_PAYLOAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 500, 0, 0));
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 1, 0, 0));
}

/* What we may send. */
static void credit_out_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;

	open_conn(test, &conn);
	KUNIT_EXPECT_EQ(test, PEER_BUF, (int)adb_conn_room(&conn));
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_RW,
			(int)say(&conn, true, PEER_BUF, &packet));
	KUNIT_EXPECT_EQ(test, 0, (int)adb_conn_room(&conn));
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 1, &packet));
	hear(&conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0, 100);
	KUNIT_EXPECT_EQ(test, 100, (int)adb_conn_room(&conn));
	/* Counts ahead of what was sent, and counts that go back, are not heard. */
	hear(&conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0, PEER_BUF + 1);
	KUNIT_EXPECT_EQ(test, 100, (int)adb_conn_room(&conn));
	hear(&conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0, 50);
	KUNIT_EXPECT_EQ(test, 100, (int)adb_conn_room(&conn));
	hear(&conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0, PEER_BUF);
	KUNIT_EXPECT_EQ(test, PEER_BUF, (int)adb_conn_room(&conn));
	/* Room that is taken back. */
	say(&conn, true, 300, &packet);
	conn.peer_buf_alloc = 200;
	KUNIT_EXPECT_EQ(test, 0, (int)adb_conn_room(&conn));
}

static void shutdown_case(struct kunit *test)
{
	struct adb_packet packet;
	struct adb_conn conn;

	/* Ours comes after the data, is said once, and grows. */
	open_conn(test, &conn);
	adb_conn_shutdown(&conn, ADB_SHUT_SEND);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_SHUTDOWN,
			(int)say(&conn, true, 0, &packet));
	KUNIT_EXPECT_EQ(test, ADB_SHUT_SEND, (int)packet.flags);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 0, &packet));
	adb_conn_shutdown(&conn, ADB_SHUT_RCV);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_SHUTDOWN,
			(int)say(&conn, true, 0, &packet));
	KUNIT_EXPECT_EQ(test, ADB_SHUT_BOTH, (int)packet.flags);
	/* The guest's may come in two, and it sends nothing after its SEND. */
	open_conn(test, &conn);
	hear(&conn, VIRTIO_VSOCK_OP_SHUTDOWN, 0, ADB_SHUT_RCV, 0);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_VSOCK_OP_INVALID,
			(int)say(&conn, true, 1, &packet));
	KUNIT_EXPECT_EQ(test, (int)ADB_PAYLOAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 1, 0, 0));
	hear(&conn, VIRTIO_VSOCK_OP_SHUTDOWN, 0, 0xfffffff0 | ADB_SHUT_SEND, 0);
	KUNIT_EXPECT_EQ(test, ADB_SHUT_BOTH, (int)conn.peer_shut);
	KUNIT_EXPECT_EQ(test, (int)ADB_BAD,
			(int)hear(&conn, VIRTIO_VSOCK_OP_RW, 1, 0, 0));
}

static struct kunit_case vsock_adb_cases[] = {
	KUNIT_CASE(header_case),
	KUNIT_CASE(verdict_case),
	KUNIT_CASE(dead_case),
	KUNIT_CASE(accept_case),
	KUNIT_CASE(unattached_case),
	KUNIT_CASE(credit_in_case),
	KUNIT_CASE(credit_out_case),
	KUNIT_CASE(shutdown_case),
	{}
};

static struct kunit_suite vsock_adb_suite = {
	.name = "vhost_vsock_adb",
	.test_cases = vsock_adb_cases,
};

kunit_test_suite(vsock_adb_suite);
