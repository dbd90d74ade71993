/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One vsock stream as the protocol sees it: what it has agreed on, how much
 * each side may send, what is to be said next. Pure: no socket, no ring, no
 * lock, so that KUnit, fuzzers and the userspace build run the same source.
 *
 * Source: virtio 1.2, section 5.10.6 (Socket Device, Device Operation)
 */
#ifndef _VSOCK_ADB_CONN_H
#define _VSOCK_ADB_CONN_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/virtio_vsock.h>

/* The host's own CID. Source: virtio 1.2, 5.10.4 */
#define ADB_HOST_CID 2

/* The longest payload of a packet; Linux sends and takes no longer one. */
#define ADB_MAX_PAYLOAD (64 * 1024)

#define ADB_SHUT_RCV VIRTIO_VSOCK_SHUTDOWN_RCV
#define ADB_SHUT_SEND VIRTIO_VSOCK_SHUTDOWN_SEND
#define ADB_SHUT_BOTH (ADB_SHUT_RCV | ADB_SHUT_SEND)

/**
 * struct adb_packet - a packet's header, read once and in the host's order
 * @src_cid: who sent it
 * @dst_cid: to whom
 * @src_port: the sender's port
 * @dst_port: the receiver's port
 * @len: bytes of payload
 * @type: enum virtio_vsock_type
 * @op: enum virtio_vsock_op
 * @flags: of SHUTDOWN: enum virtio_vsock_shutdown
 * @buf_alloc: bytes that the sender has room for
 * @fwd_cnt: bytes that the sender has passed on, ever; wraps
 */
struct adb_packet {
	u64 src_cid;
	u64 dst_cid;
	u32 src_port;
	u32 dst_port;
	u32 len;
	u16 type;
	u16 op;
	u32 flags;
	u32 buf_alloc;
	u32 fwd_cnt;
};

/**
 * enum adb_state - what both sides have agreed on
 * @ADB_ASKED: the guest's REQUEST came; userspace is to answer. Left by
 *	adb_conn_accept() or adb_conn_reset().
 * @ADB_ASKING: our REQUEST is on its way; left by the guest's RESPONSE or RST
 * @ADB_OPEN: data may flow, each way until its sender has shut down
 * @ADB_DEAD: reset by either side. All that may still happen is that our RST
 *	is sent.
 */
enum adb_state {
	ADB_ASKED,
	ADB_ASKING,
	ADB_OPEN,
	ADB_DEAD,
};

/* struct adb_conn.todo: packets to send, apart from payload and SHUTDOWN */
#define ADB_TODO_REQUEST BIT(0)
#define ADB_TODO_RESPONSE BIT(1)
#define ADB_TODO_RST BIT(2)
#define ADB_TODO_CREDIT BIT(3)

/**
 * struct adb_conn - one stream
 * @state: see enum adb_state
 * @todo: of ADB_TODO_...
 * @buf_alloc: bytes that we have room for; what the guest is told is 0 until
 *	@attached
 * @attached: the stream has an end on the host
 * @tx_cnt: bytes sent to the guest, ever; wraps, as all counts do
 * @peer_buf_alloc: the guest's, as it said last
 * @peer_fwd_cnt: the same
 * @rx_cnt: bytes that the guest has sent, ever
 * @fwd_cnt: of these, bytes that the host's end has taken
 * @told_fwd_cnt: the last @fwd_cnt that the guest was told
 * @peer_shut: what the guest has shut down, of ADB_SHUT_...
 * @shut: what we have shut down, or are about to
 * @told_shut: what the guest was told of it
 */
struct adb_conn {
	enum adb_state state;
	unsigned int todo;
	u32 buf_alloc;
	bool attached;
	u32 tx_cnt;
	u32 peer_buf_alloc;
	u32 peer_fwd_cnt;
	u32 rx_cnt;
	u32 fwd_cnt;
	u32 told_fwd_cnt;
	unsigned int peer_shut;
	unsigned int shut;
	unsigned int told_shut;
};

/**
 * enum adb_verdict - what a packet from the guest comes to
 * @ADB_TAKEN: nothing more to do than to see what the stream sends next
 * @ADB_PAYLOAD: its payload is for the host's end
 * @ADB_ESTABLISHED: the guest has accepted
 * @ADB_CLOSED: the guest has reset the stream
 * @ADB_BAD: it made no sense; the stream is dead, and a RST will say so
 */
enum adb_verdict {
	ADB_TAKEN,
	ADB_PAYLOAD,
	ADB_ESTABLISHED,
	ADB_CLOSED,
	ADB_BAD,
};

void adb_packet_decode(struct adb_packet *packet,
		       const struct virtio_vsock_hdr *hdr);
void adb_packet_encode(struct virtio_vsock_hdr *hdr,
		       const struct adb_packet *packet);

void adb_conn_init(struct adb_conn *conn, enum adb_state state, u32 buf_alloc);
void adb_conn_hear(struct adb_conn *conn, const struct adb_packet *packet);
enum adb_verdict adb_conn_recv(struct adb_conn *conn,
			       const struct adb_packet *packet);
void adb_conn_attach(struct adb_conn *conn);
void adb_conn_forwarded(struct adb_conn *conn, u32 len);
void adb_conn_shutdown(struct adb_conn *conn, unsigned int shut);
void adb_conn_reset(struct adb_conn *conn);
u32 adb_conn_room(const struct adb_conn *conn);
enum virtio_vsock_op adb_conn_next(const struct adb_conn *conn, bool readable);
void adb_conn_sent(struct adb_conn *conn, enum virtio_vsock_op op,
		   struct adb_packet *packet);

#endif /* _VSOCK_ADB_CONN_H */
