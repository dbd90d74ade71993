// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's vsock driver: packets in and out of the rings.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <string.h>

#include "vsock_driver.h"

/* Ports that no test uses; see vs_expect_nothing(). */
#define FENCE_GUEST	0xfefefefeu
#define FENCE_HOST	0xefefefefu

void vs_encode(struct virtio_vsock_hdr *hdr, const struct vs_packet *packet)
{
	hdr->src_cid = htole64(packet->src_cid);
	hdr->dst_cid = htole64(packet->dst_cid);
	hdr->src_port = htole32(packet->src_port);
	hdr->dst_port = htole32(packet->dst_port);
	hdr->len = htole32(packet->len);
	hdr->type = htole16(packet->type);
	hdr->op = htole16(packet->op);
	hdr->flags = htole32(packet->flags);
	hdr->buf_alloc = htole32(packet->buf_alloc);
	hdr->fwd_cnt = htole32(packet->fwd_cnt);
}

void vs_decode(struct vs_packet *packet, const struct virtio_vsock_hdr *hdr)
{
	packet->src_cid = le64toh(hdr->src_cid);
	packet->dst_cid = le64toh(hdr->dst_cid);
	packet->src_port = le32toh(hdr->src_port);
	packet->dst_port = le32toh(hdr->dst_port);
	packet->len = le32toh(hdr->len);
	packet->type = le16toh(hdr->type);
	packet->op = le16toh(hdr->op);
	packet->flags = le32toh(hdr->flags);
	packet->buf_alloc = le32toh(hdr->buf_alloc);
	packet->fwd_cnt = le32toh(hdr->fwd_cnt);
}

void vs_give(struct vs_dev *dev, unsigned int n)
{
	struct vq_buf buf = { .len = VS_RX_SIZE };
	uint8_t *where;

	while (n--) {
		if (!dev->n_rx_free)
			vq_die("no receive buffer is left to give");
		buf.gpa = dev->rx_gpa +
			  (uint64_t)dev->rx_free[--dev->n_rx_free] * VS_RX_SIZE;
		where = vq_mem_guest(&dev->mem, buf.gpa);
		/* Bytes that the device does not write must not look like a header. */
		memset(where, 0xa5, VS_HDR);
		vq_add(&dev->rings[VS_RX], &buf, 0, 1, where);
	}
	vq_publish_and_kick(&dev->rings[VS_RX]);
}

void vs_give_all(struct vs_dev *dev)
{
	vs_give(dev, dev->n_rx_free);
}

bool vs_try_get(struct vs_dev *dev, struct vs_packet *packet)
{
	const uint8_t *first = vq_mem_guest(&dev->mem, dev->rx_gpa);
	struct vq_done done;
	int ret;

	ret = vq_get(&dev->rings[VS_RX], &done);
	if (ret < 0)
		vq_die("the receive ring holds nonsense");
	if (!ret)
		return false;
	if (!done.token)
		vq_die("a buffer of the test's own came back");
	vs_decode(packet, done.token);
	if (done.len < VS_HDR || done.len > VS_RX_SIZE ||
	    done.len != VS_HDR + packet->len)
		vq_die("packet of %u bytes, length %u", done.len, packet->len);
	memcpy(dev->data, (uint8_t *)done.token + VS_HDR, packet->len);
	packet->data = dev->data;
	packet->used = done.len;
	dev->rx_free[dev->n_rx_free++] = ((uint8_t *)done.token - first) / VS_RX_SIZE;
	if (!dev->hold)
		vs_give(dev, 1);
	return true;
}

void vs_get(struct vs_dev *dev, struct vs_packet *packet)
{
	struct vq_ring *ring = &dev->rings[VS_RX];

	vq_calls_on(ring, 0);
	while (!vs_try_get(dev, packet)) {
		/* A packet may have come since; requesting calls again checks that. */
		vq_calls_on(ring, 0);
		if (!vq_has_used(ring) && !vq_wait(ring->call, VQ_PATIENCE_MS))
			vq_die("no packet");
	}
}

struct vs_packet vs_packet_of(const struct vs_dev *dev, uint32_t guest_port,
			      uint32_t host_port, uint16_t op)
{
	return (struct vs_packet){
		.src_cid = dev->cid, .dst_cid = VS_HOST_CID,
		.src_port = guest_port, .dst_port = host_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM, .op = op,
	};
}

static void reap_sent(struct vs_dev *dev)
{
	struct vq_done done;
	int ret;

	while ((ret = vq_get(&dev->rings[VS_TX], &done)) > 0) {
		if (done.len)
			vq_die("the device wrote %u bytes to a packet", done.len);
		dev->tx_free[dev->n_tx_free++] = (uintptr_t)done.token;
	}
	if (ret < 0)
		vq_die("the transmit ring holds nonsense");
}

/* Header and payload, in two descriptors: the layout of most drivers. */
bool vs_try_send(struct vs_dev *dev, const struct vs_packet *packet,
		 const void *data, uint32_t len)
{
	struct vq_ring *ring = &dev->rings[VS_TX];
	struct vq_buf bufs[2];
	uint16_t slot;

	/* A slot may be free and the ring full: a packet is two descriptors. */
	reap_sent(dev);
	if (!dev->n_tx_free)
		return false;
	slot = dev->tx_free[dev->n_tx_free - 1];
	bufs[0].gpa = dev->tx_gpa + (uint64_t)slot * VS_TX_SIZE;
	bufs[0].len = VS_HDR;
	bufs[1].gpa = bufs[0].gpa + VS_HDR;
	bufs[1].len = len;
	vs_encode(vq_mem_guest(&dev->mem, bufs[0].gpa), packet);
	if (len)
		memcpy(vq_mem_guest(&dev->mem, bufs[1].gpa), data, len);
	if (__vq_add(ring, bufs, len ? 2 : 1, 0, (void *)(uintptr_t)slot))
		return false;
	dev->n_tx_free--;
	vq_publish_and_kick(ring);
	return true;
}

/* Waits until the device has handed back more packets. */
static void wait_sent(struct vs_dev *dev)
{
	struct vq_ring *ring = &dev->rings[VS_TX];

	vq_calls_on(ring, 0);
	if (!vq_has_used(ring) && !vq_wait(ring->call, VQ_PATIENCE_MS))
		vq_die("packets do not come back");
}

void vs_send(struct vs_dev *dev, const struct vs_packet *packet,
	     const void *data, uint32_t len)
{
	while (!vs_try_send(dev, packet, data, len))
		wait_sent(dev);
}

void vs_flush(struct vs_dev *dev)
{
	reap_sent(dev);
	while (dev->n_tx_free < VS_TX_NUM) {
		wait_sent(dev);
		reap_sent(dev);
	}
}

void vs_check_at(const char *file, int line, const struct vs_dev *dev, uint16_t op,
		 uint32_t guest_port, uint32_t host_port,
		 const struct vs_packet *packet)
{
	if (packet->src_cid == VS_HOST_CID && packet->dst_cid == dev->cid &&
	    packet->src_port == host_port && packet->dst_port == guest_port &&
	    packet->type == VIRTIO_VSOCK_TYPE_STREAM && packet->op == op &&
	    (op == VIRTIO_VSOCK_OP_RW || !packet->len) &&
	    (op == VIRTIO_VSOCK_OP_SHUTDOWN || !packet->flags))
		return;
	vq_die_at(file, line,
		  "got op %u, ports %u:%u, type %u, length %u, flags %u; wanted op %u, %u:%u",
		  packet->op, packet->dst_port, packet->src_port, packet->type,
		  packet->len, packet->flags, op, guest_port, host_port);
}

void vs_expect_at(const char *file, int line, struct vs_dev *dev, uint16_t op,
		  uint32_t guest_port, uint32_t host_port, struct vs_packet *packet)
{
	struct vs_packet unused;

	packet = packet ? packet : &unused;
	vs_get(dev, packet);
	vs_check_at(file, line, dev, op, guest_port, host_port, packet);
}

/*
 * A packet to an unknown port is answered with a RST after all earlier packets were
 * taken, and in its turn: each stream with data has had a turn before. So if nothing
 * comes between one such RST and the next, no stream has data. Returns the number of
 * packets before this one.
 */
static unsigned int fence(struct vs_dev *dev, struct vs_packet *other)
{
	struct vs_packet packet = vs_packet_of(dev, FENCE_GUEST, FENCE_HOST,
					       VIRTIO_VSOCK_OP_RW);
	unsigned int n = 0;

	while (!vs_try_send(dev, &packet, NULL, 0)) {
		vs_get(dev, other);
		n++;
	}
	for (;;) {
		vs_get(dev, &packet);
		if (packet.dst_port == FENCE_GUEST)
			return n;
		*other = packet;
		n++;
	}
}

void vs_expect_nothing_at(const char *file, int line, struct vs_dev *dev)
{
	struct vs_packet packet;

	if (fence(dev, &packet) || fence(dev, &packet))
		vq_die_at(file, line, "got op %u, ports %u:%u, where nothing was to come",
			  packet.op, packet.dst_port, packet.src_port);
}

unsigned int vs_drain(struct vs_dev *dev)
{
	struct vs_packet unused;
	unsigned int n, sum;

	sum = fence(dev, &unused);
	do {
		n = fence(dev, &unused);
		sum += n;
	} while (n);
	return sum;
}
