/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace as everything around /dev/vhost-vsock-adb: the VMM, the guest's
 * vsock driver, and the programs of the host at the other ends of the sockets.
 * Functions named __x return -errno, x ends the test when anything but success
 * comes back.
 *
 * Source: virtio 1.2, section 5.10
 */
#ifndef RANCHU_VSOCK_DRIVER_H
#define RANCHU_VSOCK_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vhost_vsock_adb.h>
#include <linux/virtio_vsock.h>

#include "vq_driver.h"

#define VS_DEV_PATH		"/dev/vhost-vsock-adb"
#define VS_HOST_CID		2ull
#define VS_CID			42ull
#define VS_MAX_PAYLOAD		65536u
#define VS_HDR			((uint32_t)sizeof(struct virtio_vsock_hdr))
#define VS_SHUT_BOTH		(VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

enum { VS_RX, VS_TX, VS_EVENT, VS_RINGS };

#define VS_RX_NUM		64u
#define VS_TX_NUM		32u
#define VS_RX_SIZE		4096u
/* A packet's header and payload, in whole pages. */
#define VS_TX_SIZE		(17u * VQ_PAGE)
/* Memory that a test may allocate. */
#define VS_SPARE		(8u << 20)

/**
 * struct vs_packet - a packet, in the host's byte order
 * @data: payload of a received one, until the next is received
 * @used: bytes that the device reported as written
 */
struct vs_packet {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
	const uint8_t *data;
	uint32_t used;
};

/**
 * struct vs_dev - a device and its guest
 * @fd: the node
 * @cid: the guest's
 * @features: acknowledged
 * @mem: guest memory
 * @rings: rx, tx, event
 * @hold: used receive buffers are not made available again
 * @rx_gpa: VS_RX_NUM buffers
 * @rx_free: buffers that the device does not have
 * @n_rx_free: their number
 * @tx_gpa: VS_TX_NUM buffers
 * @tx_free: as @rx_free
 * @n_tx_free: how many
 * @data: payload of the packet received last
 */
struct vs_dev {
	int fd;
	uint64_t cid;
	uint64_t features;
	struct vq_mem mem;
	struct vq_ring rings[VS_RINGS];
	bool hold;
	uint64_t rx_gpa;
	uint16_t rx_free[VS_RX_NUM];
	unsigned int n_rx_free;
	uint64_t tx_gpa;
	uint16_t tx_free[VS_TX_NUM];
	unsigned int n_tx_free;
	uint8_t data[VS_RX_SIZE];
};

/* ---- the VMM: vsock_driver.c ---- */

/* Returns 0, or -errno without such a device, for which a test is skipped. */
int __vs_probe(void);
/* Opens the device, and makes rings in memory, without setting them in the device. */
void vs_open(struct vs_dev *dev, uint64_t features);
/* Owner, features, memory and rings, as after RESET_OWNER, too; no CID. */
void vs_set_up(struct vs_dev *dev);
/* All of these, with a CID, running, listening, all receive buffers given. */
void vs_create(struct vs_dev *dev, uint64_t cid, uint64_t features);
void vs_destroy(struct vs_dev *dev);
/* Makes the rings empty, as a reset guest does. */
void vs_reset_rings(struct vs_dev *dev);

int __vs_set_cid(struct vs_dev *dev, uint64_t cid);
int __vs_run(struct vs_dev *dev, int running);
void vs_run(struct vs_dev *dev, int running);

/* @host_port: 0: filled */
int __vs_connect(struct vs_dev *dev, uint32_t guest_port, uint32_t *host_port,
		 int fd, uint64_t cookie);
int __vs_attach(struct vs_dev *dev, uint32_t guest_port, uint32_t host_port,
		int fd, uint64_t cookie);
void vs_get_stats(struct vs_dev *dev, struct vhost_vsock_adb_stats *stats);

/* Waits for the next event; or takes one only if there is one. */
void vs_event(struct vs_dev *dev, struct vhost_vsock_adb_event *event);
bool vs_try_event(struct vs_dev *dev, struct vhost_vsock_adb_event *event);
bool vs_has_event(struct vs_dev *dev);
void vs_expect_event_at(const char *file, int line, struct vs_dev *dev,
			uint32_t type, uint32_t guest_port, uint32_t host_port,
			uint32_t error, uint64_t cookie);
#define vs_expect_event(...) vs_expect_event_at(__FILE__, __LINE__, __VA_ARGS__)

/*
 * Returns whether the device uses no CPU while the test sleeps. It may have work to
 * finish first; a device that polls never stops.
 */
bool vs_sleeps(void);

/* ---- the guest's driver: vsock_driver_ring.c ---- */

void vs_encode(struct virtio_vsock_hdr *hdr, const struct vs_packet *packet);
void vs_decode(struct vs_packet *packet, const struct virtio_vsock_hdr *hdr);

/* Makes @n more receive buffers available. */
void vs_give(struct vs_dev *dev, unsigned int n);
void vs_give_all(struct vs_dev *dev);

/* The next packet from the device; false: there is none now. */
bool vs_try_get(struct vs_dev *dev, struct vs_packet *packet);
void vs_get(struct vs_dev *dev, struct vs_packet *packet);

/* A packet from the guest to the host with these ports; all else 0. */
struct vs_packet vs_packet_of(const struct vs_dev *dev, uint32_t guest_port,
			      uint32_t host_port, uint16_t op);
/* Sends it, with @len bytes of @data behind it; @packet->len may lie. */
bool vs_try_send(struct vs_dev *dev, const struct vs_packet *packet,
		 const void *data, uint32_t len);
void vs_send(struct vs_dev *dev, const struct vs_packet *packet,
	     const void *data, uint32_t len);
/* Waits until the device has returned all packets. */
void vs_flush(struct vs_dev *dev);

/* Checks a packet from the host to this guest. */
void vs_check_at(const char *file, int line, const struct vs_dev *dev, uint16_t op,
		 uint32_t guest_port, uint32_t host_port,
		 const struct vs_packet *packet);
/* Checks the next packet. */
void vs_expect_at(const char *file, int line, struct vs_dev *dev, uint16_t op,
		  uint32_t guest_port, uint32_t host_port, struct vs_packet *packet);
#define vs_expect(...) vs_expect_at(__FILE__, __LINE__, __VA_ARGS__)
/* Checks that no packet comes, after the device has done all its work. */
void vs_expect_nothing_at(const char *file, int line, struct vs_dev *dev);
#define vs_expect_nothing(dev) vs_expect_nothing_at(__FILE__, __LINE__, dev)
/* The same, but drops packets. Returns their number. */
unsigned int vs_drain(struct vs_dev *dev);

/* ---- streams: vsock_driver_stream.c ---- */

enum vs_kind { VS_UNIX, VS_TCP };

/* Both ends of a connection. */
void vs_sockets(enum vs_kind kind, int ends[2]);

/**
 * struct vs_stream - a stream at the guest's end
 * @dev: the guest
 * @guest_port: the guest's port
 * @host_port: the host's port
 * @sock: the host program's end, non-blocking; -1 when closed
 * @buf_alloc: the guest's room
 * @fwd_cnt: bytes that the guest has taken
 * @told_fwd_cnt: last value that the host was told
 * @tx_cnt: bytes sent
 * @peer_buf_alloc: the host's
 * @peer_fwd_cnt: the host's
 * @peer_shut: what it has shut down
 * @reset: it has sent a RST
 */
struct vs_stream {
	struct vs_dev *dev;
	uint32_t guest_port;
	uint32_t host_port;
	int sock;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
	uint32_t told_fwd_cnt;
	uint32_t tx_cnt;
	uint32_t peer_buf_alloc;
	uint32_t peer_fwd_cnt;
	uint32_t peer_shut;
	bool reset;
};

#define VS_BUF_ALLOC		(256u << 10)
#define VS_COOKIE(port)		(0xc00c1e0000000000ull + (port))

/* The whole handshake, begun by the host or by the guest. Cookie: VS_COOKIE. */
void vs_connect(struct vs_stream *stream, struct vs_dev *dev, enum vs_kind kind,
		uint32_t guest_port);
void vs_accept(struct vs_stream *stream, struct vs_dev *dev, enum vs_kind kind,
	       uint32_t guest_port, uint32_t host_port);
/* Closes the stream's files in this process. */
void vs_stream_close(struct vs_stream *stream);

/* Sends a packet of the stream. */
bool vs_stream_try_send(struct vs_stream *stream, uint16_t op, uint32_t flags,
			const void *data, uint32_t len);
void vs_stream_send(struct vs_stream *stream, uint16_t op, uint32_t flags,
		    const void *data, uint32_t len);
/* Updates the stream for a received packet. */
void vs_stream_hear(struct vs_stream *stream, const struct vs_packet *packet);
/* Checks that the next packet is this one, of this stream, and updates the stream. */
void vs_stream_expect_at(const char *file, int line, struct vs_stream *stream,
			 uint16_t op, struct vs_packet *packet);
#define vs_stream_expect(...) vs_stream_expect_at(__FILE__, __LINE__, __VA_ARGS__)
/* The stream ends with a CLOSED event of this error. */
#define vs_stream_expect_closed(stream, error)				\
	vs_expect_event((stream)->dev, VHOST_VSOCK_ADB_CLOSED,		\
			(stream)->guest_port, (stream)->host_port, error,	\
			VS_COOKIE((stream)->guest_port))
/* The same, after updates of credit, which may come at any time. */
void vs_stream_await_at(const char *file, int line, struct vs_stream *stream,
			uint16_t op, struct vs_packet *packet);
#define vs_stream_await(...) vs_stream_await_at(__FILE__, __LINE__, __VA_ARGS__)
uint32_t vs_stream_room(const struct vs_stream *stream);

/* Sends one byte there and back; both must arrive, with any packets in between. */
void vs_echo(struct vs_stream *stream);

/* 1: readable (or ended), 0: not within @timeout_ms. */
int vs_readable(int sock, int timeout_ms);
/* Reads exactly @len bytes, waiting for them; or waits for the end. */
void vs_read_all(int sock, void *data, size_t len);
/* 0: the end; -errno of what came instead of it; 1: data. Waits. */
int __vs_read_end(int sock);

/* ---- much data, both ways, verified: vsock_driver_flow.c ---- */

/**
 * struct vs_flow - data over one stream
 * @stream: the stream
 * @to_host: bytes to move
 * @to_guest: the same
 * @max_packet: the guest's longest packet; the host's longest write
 * @seed: of sizes and data; not 0
 * @host_stalled: the host does not read
 * @guest_stalled: the guest gives no more credit
 * @guest_sent: bytes so far
 * @host_got: the same
 * @host_sent: the same
 * @guest_got: the same
 */
struct vs_flow {
	struct vs_stream *stream;
	uint64_t to_host;
	uint64_t to_guest;
	uint32_t max_packet;
	uint32_t seed;
	bool host_stalled;
	bool guest_stalled;
	uint64_t guest_sent;
	uint64_t host_got;
	uint64_t host_sent;
	uint64_t guest_got;
};

/* The data at an offset: VS_MAX_PAYLOAD bytes may be read there. */
const uint8_t *vs_pattern(uint32_t seed, uint64_t offset);

/* Runs until all flows are done that are not stalled. */
void vs_flows_run(struct vs_flow *flows, unsigned int n);
bool vs_flow_done(const struct vs_flow *flow);
/*
 * One turn of all flows: moves what can be moved now, and returns whether that was
 * anything. vs_flows_wait() sleeps until something can be moved; it ends the test on a
 * timeout.
 */
bool vs_flows_turn(struct vs_flow *flows, unsigned int n);
void vs_flows_wait(struct vs_flow *flows, unsigned int n);

#endif /* RANCHU_VSOCK_DRIVER_H */
