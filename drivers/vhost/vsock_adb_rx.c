// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to the guest: the receive ring. Each stream that has something gets
 * a turn; payload comes from its socket into the guest's buffers, several
 * packets at once.
 */
#include <linux/errno.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "vsock_adb.h"

#define ADB_HDR_SIZE sizeof(struct virtio_vsock_hdr)
/* Bytes of a stream's turn that a look at its socket costs that finds nothing. */
#define RX_EMPTY_COST ((size_t)4096)

/* What became of a try to send something. */
enum rx_result {
	RX_SENT,	/* it was sent: try the next thing */
	RX_NOTHING,	/* there was nothing to send after all */
	RX_STARVED,	/* the guest has given us no buffer */
};

/*
 * Takes a buffer that is good for a packet. One that is not goes back empty:
 * the guest's mistake, and its loss.
 */
static bool rx_take(struct vsock_adb *adb, struct ranchu_vring *vring,
		    unsigned int i)
{
	struct ranchu_chain *chain = &adb->rx_chains[i];
	unsigned int bad = 0;

	chain->iov = adb->rx_iov[i];
	chain->max = ADB_RX_IOV;
	while (ranchu_vq_next(&vring->vq, chain) > 0) {
		if (!chain->n_out && chain->in_len > ADB_HDR_SIZE)
			return true;
		/* Whatever was taken before it is still to be pushed. */
		if (i) {
			ranchu_vq_put_back(&vring->vq, chain);
			return false;
		}
		adb->stats.bad_packets++;
		ranchu_vq_push(&vring->vq, chain, 0);
		/* The guest may make them as fast as they are given back. */
		if (++bad == ADB_BAD_BUFFERS) {
			ranchu_vring_request(vring);
			break;
		}
	}
	return false;
}

/* The driver gives the header's room in one piece, almost always. */
static bool rx_write_header(const struct ranchu_chain *chain,
			    const struct virtio_vsock_hdr *hdr)
{
	struct iov_iter to;

	if (likely(chain->iov[0].iov_len >= sizeof(*hdr)))
		return !__copy_to_user(chain->iov[0].iov_base, hdr, sizeof(*hdr));
	iov_iter_init(&to, ITER_DEST, chain->iov, chain->n_in, chain->in_len);
	return copy_to_iter(hdr, sizeof(*hdr), &to) == sizeof(*hdr);
}

static void rx_push(struct vsock_adb *adb, struct ranchu_vring *vring,
		    struct ranchu_chain *chain, const struct virtio_vsock_hdr *hdr)
{
	bool written = rx_write_header(chain, hdr);

	adb->stats.packets_to_guest++;
	/* A buffer that is not there swallows the packet. */
	ranchu_vq_push(&vring->vq, chain,
		       written ? ADB_HDR_SIZE + le32_to_cpu(hdr->len) : 0);
}

static void rx_push_packet(struct vsock_adb *adb, struct ranchu_vring *vring,
			   const struct adb_packet *packet)
{
	struct virtio_vsock_hdr hdr;

	adb_packet_encode(&hdr, packet);
	rx_push(adb, vring, &adb->rx_chains[0], &hdr);
}

static void rx_address(const struct vsock_adb *adb, struct adb_ports ports,
		       struct adb_packet *packet)
{
	packet->src_cid = ADB_HOST_CID;
	packet->dst_cid = adb->cid;
	packet->src_port = ports.host;
	packet->dst_port = ports.guest;
	packet->len = 0;
}

static enum rx_result rx_control(struct adb_stream *stream,
				 struct ranchu_vring *vring,
				 enum virtio_vsock_op op)
{
	struct vsock_adb *adb = stream->adb;
	struct adb_packet packet;

	if (!rx_take(adb, vring, 0))
		return RX_STARVED;
	rx_address(adb, stream->ports, &packet);
	adb_conn_sent(&stream->conn, op, &packet);
	rx_push_packet(adb, vring, &packet);
	return RX_SENT;
}

/*
 * Bytes of payload that a buffer is used for: a packet is never longer than what
 * Linux sends and takes, however much the guest puts into the ring.
 */
static size_t rx_capacity(const struct ranchu_chain *chain)
{
	return min_t(size_t, chain->in_len - ADB_HDR_SIZE, ADB_MAX_PAYLOAD);
}

/* The parts of a buffer behind the header. Returns the elements used. */
static unsigned int rx_payload(const struct ranchu_chain *chain,
			       struct iovec *out)
{
	size_t skip = ADB_HDR_SIZE, left = rx_capacity(chain);
	const struct iovec *iov = chain->iov;
	unsigned int n = 0;

	if (likely(chain->n_in == 1)) {
		out->iov_base = iov->iov_base + skip;
		out->iov_len = left;
		return 1;
	}
	for (; left; iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		out[n].iov_base = iov->iov_base + skip;
		out[n].iov_len = min(iov->iov_len - skip, left);
		left -= out[n++].iov_len;
		skip = 0;
	}
	return n;
}

/**
 * struct rx_batch - buffers taken for one recvmsg()
 * @chains: of vsock_adb.rx_chains
 * @n: elements of vsock_adb.rx_data
 * @len: bytes in them
 */
struct rx_batch {
	unsigned int chains;
	unsigned int n;
	size_t len;
};

static void rx_collect(struct vsock_adb *adb, struct ranchu_vring *vring,
		       struct rx_batch *batch, size_t want)
{
	memset(batch, 0, sizeof(*batch));
	while (batch->chains < ADB_RX_CHAINS &&
	       (!batch->chains || batch->len < want) &&
	       rx_take(adb, vring, batch->chains)) {
		struct ranchu_chain *chain = &adb->rx_chains[batch->chains];

		batch->n += rx_payload(chain, &adb->rx_data[batch->n]);
		batch->len += rx_capacity(chain);
		batch->chains++;
	}
}

/*
 * Payload that has arrived in the buffers becomes packets, which differ in their
 * lengths only; the rest goes back.
 */
static void rx_deliver(struct adb_stream *stream, struct ranchu_vring *vring,
		       const struct rx_batch *batch, size_t len)
{
	struct ranchu_chain *chains = stream->adb->rx_chains;
	struct adb_packet packet;
	struct virtio_vsock_hdr hdr;
	size_t left = batch->len;
	unsigned int used, i;
	u32 part;

	/* Those not needed first: only the last one taken can be put back. */
	for (used = batch->chains; used; used--) {
		left -= rx_capacity(&chains[used - 1]);
		if (left < len)
			break;
		ranchu_vq_put_back(&vring->vq, &chains[used - 1]);
	}
	if (!used)
		return;
	rx_address(stream->adb, stream->ports, &packet);
	packet.len = len;
	adb_conn_sent(&stream->conn, VIRTIO_VSOCK_OP_RW, &packet);
	adb_packet_encode(&hdr, &packet);
	for (i = 0; i < used; i++) {
		part = min(len, rx_capacity(&chains[i]));
		len -= part;
		hdr.len = cpu_to_le32(part);
		rx_push(stream->adb, vring, &chains[i], &hdr);
	}
}

/* Buffers are taken for what the socket has. One at least: it may have an end. */
static enum rx_result rx_data(struct adb_stream *stream,
			      struct ranchu_vring *vring, size_t *budget)
{
	struct vsock_adb *adb = stream->adb;
	size_t credit = adb_conn_room(&stream->conn);
	size_t room = min(credit, *budget);
	struct rx_batch batch;
	size_t got;

	rx_collect(adb, vring, &batch,
		   min(room, vsock_adb_sock_waiting(stream)));
	if (!batch.chains)
		return RX_STARVED;
	got = vsock_adb_sock_recv(stream, adb->rx_data, batch.n, min(batch.len, room));
	rx_deliver(stream, vring, &batch, got);
	adb->stats.bytes_to_guest += got;
	/* Who holds the other end can wake us with nothing to read, again and again. */
	*budget -= min(*budget, got ?: RX_EMPTY_COST);
	/* The guest's word of new room makes us look, so the socket's need not. */
	if (got == credit)
		vsock_adb_sock_expect(stream);
	return got ? RX_SENT : RX_NOTHING;
}

static enum rx_result rx_turn(struct adb_stream *stream,
			      struct ranchu_vring *vring, size_t *budget)
{
	enum rx_result result = RX_SENT;
	enum virtio_vsock_op op;

	while (*budget && !vring->vq.fault && result != RX_STARVED) {
		op = adb_conn_next(&stream->conn, vsock_adb_sock_readable(stream));
		if (op == VIRTIO_VSOCK_OP_INVALID)
			return RX_NOTHING;
		if (op == VIRTIO_VSOCK_OP_RW)
			result = rx_data(stream, vring, budget);
		else
			result = rx_control(stream, vring, op);
		if (result != RX_STARVED && stream->conn.state != ADB_DEAD)
			vsock_adb_sock_settle(stream);
	}
	return result;
}

/* Returns the bytes that the stream's turn took. */
static size_t rx_serve(struct adb_stream *stream, struct ranchu_vring *vring)
{
	struct vsock_adb *adb = stream->adb;
	u64 before = adb->stats.packets_to_guest;
	size_t budget = ADB_STREAM_BUDGET;

	if (test_and_clear_bit(ADB_WAKE_WRITE, &stream->wake) && stream->sock.socket)
		vsock_adb_sock_flush(stream);
	vsock_adb_sock_settle(stream);
	switch (rx_turn(stream, vring, &budget)) {
	case RX_STARVED:
		vsock_adb_turn_starve(adb, &stream->turn,
				      adb->stats.packets_to_guest != before);
		break;
	case RX_SENT:
		/* Its budget is used up. */
		vsock_adb_stream_ready(stream);
		break;
	case RX_NOTHING:
		vsock_adb_stream_reap(stream);
		break;
	}
	return ADB_STREAM_BUDGET - budget;
}

static void rx_orphans(struct vsock_adb *adb, struct ranchu_vring *vring)
{
	struct adb_packet packet = {
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_RST,
	};
	u64 before = adb->stats.packets_to_guest;

	while (adb->n_orphans) {
		if (!rx_take(adb, vring, 0)) {
			vsock_adb_turn_starve(adb, &adb->orphan_turn,
					      adb->stats.packets_to_guest != before);
			return;
		}
		rx_address(adb, adb->orphans[adb->orphan_first], &packet);
		rx_push_packet(adb, vring, &packet);
		adb->orphan_first = (adb->orphan_first + 1) % ADB_ORPHANS;
		adb->n_orphans--;
	}
	if (adb->tx_held)
		ranchu_vring_request(&adb->vrings[ADB_TX]);
}

/**
 * vsock_adb_orphan() - reset a stream that does not exist
 * @adb: the device; there is room, see tx_one()
 * @ports: what the guest called it
 *
 * Context: @adb's lock held.
 */
void vsock_adb_orphan(struct vsock_adb *adb, struct adb_ports ports)
{
	adb->orphans[(adb->orphan_first + adb->n_orphans) % ADB_ORPHANS] = ports;
	adb->n_orphans++;
	vsock_adb_turn_want(adb, &adb->orphan_turn, false);
}

/*
 * Returns whether there is a buffer. If not, the guest kicks when there is
 * one, and until then nobody tries.
 */
static bool rx_feed(struct vsock_adb *adb, struct ranchu_vring *vring)
{
	if (!adb->rx_starved) {
		ranchu_vq_disable_kicks(&vring->vq);
		return true;
	}
	if (!ranchu_vq_enable_kicks(&vring->vq))
		return false;
	ranchu_vq_disable_kicks(&vring->vq);
	adb->rx_starved = false;
	return true;
}

/**
 * vsock_adb_rx_kicked() - send packets to the guest
 * @vring: the receive ring
 *
 * Called for every stream that wants attention, and for fresh buffers when
 * there were none.
 *
 * Context: see struct ranchu_vhost_ops.
 */
void vsock_adb_rx_kicked(struct ranchu_vring *vring)
{
	struct vsock_adb *adb = vsock_adb_of(vring->dev);
	size_t budget = adb_budget(vring->in_vcpu);
	struct adb_turn *turn;
	unsigned int turns;
	size_t bytes = 0;
	bool again;

	if (!vsock_adb_serve(adb, vring->in_vcpu)) {
		ranchu_vring_request(vring);
		return;
	}
	rx_feed(adb, vring);
	for (turns = 0; turns < ADB_PACKET_BUDGET; turns++) {
		turn = bytes < budget ? vsock_adb_turn_next(adb) : NULL;
		if (!turn)
			break;
		if (turn == &adb->orphan_turn)
			rx_orphans(adb, vring);
		else
			bytes += rx_serve(container_of(turn, struct adb_stream, turn),
					  vring);
	}
	/* The last look: buffers may have come since the ring was found empty. */
	again = adb->rx_starved && rx_feed(adb, vring);
	if (vsock_adb_served(adb) || again)
		ranchu_vring_request(vring);
}
