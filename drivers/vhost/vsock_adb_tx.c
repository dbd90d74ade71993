// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the guest: the transmit ring.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "vsock_adb.h"

/*
 * Reads the header, once. What follows it in the chain is the payload, and
 * @from is left there. Returns false for what is no packet for us.
 */
static bool tx_header(const struct vsock_adb *adb, struct iov_iter *from,
		      struct adb_packet *packet)
{
	struct virtio_vsock_hdr hdr;

	if (!copy_from_iter_full(&hdr, sizeof(hdr), from))
		return false;
	adb_packet_decode(packet, &hdr);
	return packet->src_cid == adb->cid && packet->dst_cid == ADB_HOST_CID &&
	       packet->len <= ADB_MAX_PAYLOAD &&
	       packet->len <= iov_iter_count(from);
}

/* The guest wants a new stream. Without anybody to ask, it is refused. */
static void tx_request(struct vsock_adb *adb, struct adb_ports ports,
		       const struct adb_packet *packet)
{
	struct adb_stream *stream;

	if (!adb->listening)
		goto refuse;
	stream = vsock_adb_stream_alloc();
	if (!stream)
		goto refuse;
	if (vsock_adb_stream_add(adb, stream, ports, ADB_ASKED)) {
		kfree(stream);
		goto refuse;
	}
	adb_conn_hear(&stream->conn, packet);
	vsock_adb_stream_event(stream, VHOST_VSOCK_ADB_REQUEST);
	return;
refuse:
	vsock_adb_orphan(adb, ports);
}

static void tx_no_stream(struct vsock_adb *adb, struct adb_ports ports,
			 const struct adb_packet *packet)
{
	switch (packet->op) {
	case VIRTIO_VSOCK_OP_RST:
		return;
	case VIRTIO_VSOCK_OP_REQUEST:
		if (!packet->len) {
			tx_request(adb, ports, packet);
			return;
		}
		fallthrough;
	default:
		adb->stats.bad_packets++;
		vsock_adb_orphan(adb, ports);
	}
}

static void tx_stream(struct adb_stream *stream, const struct adb_packet *packet,
		      struct iov_iter *from)
{
	struct vsock_adb *adb = stream->adb;
	bool asking = stream->conn.state == ADB_ASKING;
	/* A guest that has closed may tire of waiting for our RST. */
	bool graceful = stream->conn.told_shut == ADB_SHUT_BOTH ||
			stream->conn.peer_shut == ADB_SHUT_BOTH;

	/* Our RST is on its way; the guest did not know yet. */
	if (stream->conn.state == ADB_DEAD)
		return;
	switch (adb_conn_recv(&stream->conn, packet)) {
	case ADB_TAKEN:
		break;
	case ADB_PAYLOAD:
		vsock_adb_sock_send(stream, from);
		break;
	case ADB_ESTABLISHED:
		vsock_adb_stream_event(stream, VHOST_VSOCK_ADB_ESTABLISHED);
		break;
	case ADB_CLOSED:
		vsock_adb_stream_close(stream, graceful ? 0 :
				       asking ? ECONNREFUSED : ECONNRESET);
		/* The guest may use its ports again in the very next packet. */
		vsock_adb_stream_reap(stream);
		return;
	case ADB_BAD:
		adb->stats.bad_packets++;
		vsock_adb_stream_close(stream, ECONNRESET);
		return;
	}
	if (stream->conn.state == ADB_DEAD)
		return;
	vsock_adb_sock_settle(stream);
	if (adb_conn_next(&stream->conn, vsock_adb_sock_readable(stream)))
		vsock_adb_stream_ready(stream);
}

static void tx_packet(struct vsock_adb *adb, struct ranchu_chain *chain)
{
	struct adb_packet packet;
	struct adb_stream *stream;
	struct adb_ports ports;
	struct iov_iter from;

	iov_iter_init(&from, ITER_SOURCE, chain->iov, chain->n_out,
		      chain->out_len);
	if (!tx_header(adb, &from, &packet)) {
		adb->stats.bad_packets++;
		return;
	}
	adb->stats.packets_to_host++;
	ports.guest = packet.src_port;
	ports.host = packet.dst_port;
	if (packet.type != VIRTIO_VSOCK_TYPE_STREAM) {
		adb->stats.bad_packets++;
		if (packet.op != VIRTIO_VSOCK_OP_RST)
			vsock_adb_orphan(adb, ports);
		return;
	}
	iov_iter_truncate(&from, packet.len);
	stream = vsock_adb_stream_find(adb, ports);
	if (stream)
		tx_stream(stream, &packet, &from);
	else
		tx_no_stream(adb, ports, &packet);
}

/* Returns whether the ring is to be left alone now. */
static bool tx_one(struct vsock_adb *adb, struct ranchu_vring *vring, u64 *bytes)
{
	struct ranchu_chain chain = { .iov = adb->tx_iov, .max = ADB_TX_IOV };

	/* It may need a reset, for which there is no room: wait. */
	if (adb->n_orphans == ADB_ORPHANS) {
		adb->tx_held = true;
		return true;
	}
	if (ranchu_vq_next(&vring->vq, &chain) <= 0) {
		if (ranchu_vq_enable_kicks(&vring->vq))
			ranchu_vring_request(vring);
		return true;
	}
	/* Payload that fills blocks goes better in batches, by the worker. */
	if (vring->in_vcpu && chain.out_len > ADB_VCPU_PACKET) {
		ranchu_vq_put_back(&vring->vq, &chain);
		ranchu_vring_request(vring);
		return true;
	}
	tx_packet(adb, &chain);
	ranchu_vq_push(&vring->vq, &chain, 0);
	*bytes += chain.out_len;
	return false;
}

/**
 * vsock_adb_tx_kicked() - take packets from the guest
 * @vring: the transmit ring
 *
 * Context: see struct ranchu_vhost_ops.
 */
void vsock_adb_tx_kicked(struct ranchu_vring *vring)
{
	struct vsock_adb *adb = vsock_adb_of(vring->dev);
	size_t budget = adb_budget(vring->in_vcpu);
	unsigned int packets;
	u64 bytes = 0;

	if (!vsock_adb_serve(adb, vring->in_vcpu)) {
		ranchu_vring_request(vring);
		return;
	}
	ranchu_vq_disable_kicks(&vring->vq);
	adb->tx_held = false;
	for (packets = 0; packets < ADB_PACKET_BUDGET; packets++)
		if (bytes >= budget || tx_one(adb, vring, &bytes))
			break;
	vsock_adb_sock_uncork(adb);
	/* Room or an answer, and the guest hears of it with what it has sent. */
	if (vsock_adb_served(adb))
		ranchu_vring_serve(&adb->vrings[ADB_RX], true);
	if (packets == ADB_PACKET_BUDGET || bytes >= budget)
		ranchu_vring_request(vring);
}
