// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protocol of one vsock stream. See vsock_adb_conn.h.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "vsock_adb_conn.h"

/**
 * adb_packet_decode() - read a header
 * @packet: filled
 * @hdr: as it was on the wire, in host memory
 */
void adb_packet_decode(struct adb_packet *packet,
		       const struct virtio_vsock_hdr *hdr)
{
	packet->src_cid = le64_to_cpu(hdr->src_cid);
	packet->dst_cid = le64_to_cpu(hdr->dst_cid);
	packet->src_port = le32_to_cpu(hdr->src_port);
	packet->dst_port = le32_to_cpu(hdr->dst_port);
	packet->len = le32_to_cpu(hdr->len);
	packet->type = le16_to_cpu(hdr->type);
	packet->op = le16_to_cpu(hdr->op);
	packet->flags = le32_to_cpu(hdr->flags);
	packet->buf_alloc = le32_to_cpu(hdr->buf_alloc);
	packet->fwd_cnt = le32_to_cpu(hdr->fwd_cnt);
}

/**
 * adb_packet_encode() - write a header
 * @hdr: filled, every byte
 * @packet: what it says
 */
void adb_packet_encode(struct virtio_vsock_hdr *hdr,
		       const struct adb_packet *packet)
{
	hdr->src_cid = cpu_to_le64(packet->src_cid);
	hdr->dst_cid = cpu_to_le64(packet->dst_cid);
	hdr->src_port = cpu_to_le32(packet->src_port);
	hdr->dst_port = cpu_to_le32(packet->dst_port);
	hdr->len = cpu_to_le32(packet->len);
	hdr->type = cpu_to_le16(packet->type);
	hdr->op = cpu_to_le16(packet->op);
	hdr->flags = cpu_to_le32(packet->flags);
	hdr->buf_alloc = cpu_to_le32(packet->buf_alloc);
	hdr->fwd_cnt = cpu_to_le32(packet->fwd_cnt);
}

/**
 * adb_conn_init() - begin a stream
 * @conn: filled
 * @state: ADB_ASKED or ADB_ASKING, by who began
 * @buf_alloc: bytes that we have room for
 */
void adb_conn_init(struct adb_conn *conn, enum adb_state state, u32 buf_alloc)
{
	memset(conn, 0, sizeof(*conn));
	conn->state = state;
	conn->buf_alloc = buf_alloc;
	if (state == ADB_ASKING)
		conn->todo = ADB_TODO_REQUEST;
}

/**
 * adb_conn_reset() - end a stream at once
 * @conn: any
 *
 * The guest is told, unless it was the guest who ended it.
 */
void adb_conn_reset(struct adb_conn *conn)
{
	if (conn->state == ADB_DEAD)
		return;
	/* A REQUEST that was not sent yet needs no RST. */
	conn->todo = conn->todo & ADB_TODO_REQUEST ? 0 : ADB_TODO_RST;
	conn->state = ADB_DEAD;
}

/**
 * adb_conn_attach() - the stream has an end on the host
 * @conn: not attached
 *
 * Accepts the guest's request, if that is what the stream is.
 */
void adb_conn_attach(struct adb_conn *conn)
{
	conn->attached = true;
	if (conn->state == ADB_ASKED) {
		conn->state = ADB_OPEN;
		conn->todo |= ADB_TODO_RESPONSE;
	} else {
		/* The guest was told that there is no room, or a REQUEST will tell. */
		conn->todo |= ADB_TODO_CREDIT;
	}
}

/* Bytes sent that the guest has not passed on. */
static u32 conn_unread(const struct adb_conn *conn)
{
	return conn->tx_cnt - conn->peer_fwd_cnt;
}

/**
 * adb_conn_room() - tell how much the guest has room for
 * @conn: any
 *
 * Return: bytes.
 * Source: virtio 1.2, 5.10.6.3
 */
u32 adb_conn_room(const struct adb_conn *conn)
{
	u32 unread = conn_unread(conn);

	/* A guest may take room back that it has promised. */
	return conn->peer_buf_alloc > unread ? conn->peer_buf_alloc - unread : 0;
}

/**
 * adb_conn_hear() - take note of the credit in a packet
 * @conn: any
 * @packet: from the guest, for @conn; any operation
 *
 * A count that runs backwards, or ahead of what was sent, is left alone: the
 * guest only harms itself.
 */
void adb_conn_hear(struct adb_conn *conn, const struct adb_packet *packet)
{
	conn->peer_buf_alloc = packet->buf_alloc;
	if (conn->tx_cnt - packet->fwd_cnt <= conn_unread(conn))
		conn->peer_fwd_cnt = packet->fwd_cnt;
}

static enum adb_verdict conn_bad(struct adb_conn *conn)
{
	adb_conn_reset(conn);
	return ADB_BAD;
}

static enum adb_verdict conn_payload(struct adb_conn *conn, u32 len)
{
	u32 held = conn->rx_cnt - conn->fwd_cnt;

	if (conn->peer_shut & ADB_SHUT_SEND || !conn->attached ||
	    len > conn->buf_alloc - held)
		return conn_bad(conn);
	conn->rx_cnt += len;
	return ADB_PAYLOAD;
}

static enum adb_verdict conn_recv_open(struct adb_conn *conn,
				       const struct adb_packet *packet)
{
	switch (packet->op) {
	case VIRTIO_VSOCK_OP_RW:
		return conn_payload(conn, packet->len);
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		conn->peer_shut |= packet->flags & ADB_SHUT_BOTH;
		return ADB_TAKEN;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		return ADB_TAKEN;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		conn->todo |= ADB_TODO_CREDIT;
		return ADB_TAKEN;
	default:
		return conn_bad(conn);
	}
}

/**
 * adb_conn_recv() - take a packet from the guest
 * @conn: not dead
 * @packet: for @conn; its length is not beyond what came with it
 *
 * Return: what it comes to.
 */
enum adb_verdict adb_conn_recv(struct adb_conn *conn,
			       const struct adb_packet *packet)
{
	adb_conn_hear(conn, packet);
	if (packet->op == VIRTIO_VSOCK_OP_RST) {
		conn->todo = 0;
		conn->state = ADB_DEAD;
		return ADB_CLOSED;
	}
	if (packet->op != VIRTIO_VSOCK_OP_RW && packet->len)
		return conn_bad(conn);
	if (conn->state == ADB_OPEN)
		return conn_recv_open(conn, packet);
	/* An answer to a REQUEST that we have not sent is none. */
	if (conn->state == ADB_ASKING && !(conn->todo & ADB_TODO_REQUEST) &&
	    packet->op == VIRTIO_VSOCK_OP_RESPONSE) {
		conn->state = ADB_OPEN;
		return ADB_ESTABLISHED;
	}
	return conn_bad(conn);
}

/**
 * adb_conn_forwarded() - the host's end has taken bytes
 * @conn: any
 * @len: how many more
 *
 * The guest is told when it has half its room back, so that it need not stop.
 */
void adb_conn_forwarded(struct adb_conn *conn, u32 len)
{
	conn->fwd_cnt += len;
	if (conn->state == ADB_OPEN && !(conn->peer_shut & ADB_SHUT_SEND) &&
	    conn->fwd_cnt - conn->told_fwd_cnt >= conn->buf_alloc / 2)
		conn->todo |= ADB_TODO_CREDIT;
}

/**
 * adb_conn_shutdown() - the host's end is closed, one way or both
 * @conn: any
 * @shut: ADB_SHUT_SEND: no more data comes; ADB_SHUT_RCV: none is taken
 */
void adb_conn_shutdown(struct adb_conn *conn, unsigned int shut)
{
	conn->shut |= shut;
}

/**
 * adb_conn_next() - say what is to be sent to the guest now
 * @conn: any
 * @readable: the host's end may have data
 *
 * Return: an operation, or VIRTIO_VSOCK_OP_INVALID for none. RW: at most
 * adb_conn_room() bytes.
 */
enum virtio_vsock_op adb_conn_next(const struct adb_conn *conn, bool readable)
{
	if (conn->todo & ADB_TODO_RST)
		return VIRTIO_VSOCK_OP_RST;
	if (conn->todo & ADB_TODO_REQUEST)
		return VIRTIO_VSOCK_OP_REQUEST;
	if (conn->todo & ADB_TODO_RESPONSE)
		return VIRTIO_VSOCK_OP_RESPONSE;
	if (conn->state != ADB_OPEN)
		return VIRTIO_VSOCK_OP_INVALID;
	if (readable && !(conn->shut & ADB_SHUT_SEND) &&
	    !(conn->peer_shut & ADB_SHUT_RCV) && adb_conn_room(conn))
		return VIRTIO_VSOCK_OP_RW;
	if (conn->shut & ~conn->told_shut)
		return VIRTIO_VSOCK_OP_SHUTDOWN;
	if (conn->todo & ADB_TODO_CREDIT)
		return VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	return VIRTIO_VSOCK_OP_INVALID;
}

/**
 * adb_conn_sent() - fill a packet that is sent to the guest
 * @conn: adb_conn_next() has said @op
 * @op: what is sent
 * @packet: addresses, ports and length are set; the rest is filled
 */
void adb_conn_sent(struct adb_conn *conn, enum virtio_vsock_op op,
		   struct adb_packet *packet)
{
	packet->type = VIRTIO_VSOCK_TYPE_STREAM;
	packet->op = op;
	packet->flags = 0;
	switch (op) {
	case VIRTIO_VSOCK_OP_RST:
		conn->todo = 0;
		break;
	case VIRTIO_VSOCK_OP_REQUEST:
		conn->todo &= ~ADB_TODO_REQUEST;
		break;
	case VIRTIO_VSOCK_OP_RESPONSE:
		conn->todo &= ~ADB_TODO_RESPONSE;
		break;
	case VIRTIO_VSOCK_OP_RW:
		conn->tx_cnt += packet->len;
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		packet->flags = conn->shut;
		conn->told_shut = conn->shut;
		break;
	default:
		break;
	}
	/* Every packet says how much room there is. */
	packet->buf_alloc = conn->attached ? conn->buf_alloc : 0;
	packet->fwd_cnt = conn->fwd_cnt;
	conn->told_fwd_cnt = conn->fwd_cnt;
	conn->todo &= ~ADB_TODO_CREDIT;
}
