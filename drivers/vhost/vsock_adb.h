/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vhost_vsock_adb.ko share.
 *
 * Who runs what: packets both ways, and all that sockets have to say, in the
 * device's worker; short packets from the guest, and what is sent upon them, in the
 * thread of the vCPU that kicks, if nobody else is at work; ioctls and read() in
 * threads of the owner. A socket's wake function (any context) only marks its
 * stream and queues the worker.
 *
 * Locks, outermost first:
 *
 *	ranchu_vhost.lock	ioctls
 *	ranchu_vring.lock	one ring's engine
 *	vsock_adb.lock		streams, events, counters
 *	vsock_adb.ready_lock	who wants a turn, see vsock_adb_turns.c
 */
#ifndef _VSOCK_ADB_H
#define _VSOCK_ADB_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/ranchu_sock.h>
#include <linux/ranchu_vhost.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vhost_vsock_adb.h>
#include <linux/wait.h>

#include "vsock_adb_conn.h"

/* Rings. Source: virtio 1.2, 5.10.2 */
enum adb_ring {
	ADB_RX,
	ADB_TX,
	ADB_EVENT,
	ADB_RINGS,
};

/* Receive buffers that one recvmsg() fills, and the pieces they come in. */
#define ADB_RX_CHAINS 64
#define ADB_RX_IOV 8
/* Pieces of a packet from the guest. Linux sends up to 18. */
#define ADB_TX_IOV 128

/* Resets owed to ports that no stream has; when full, sending has to wait. */
#define ADB_ORPHANS 64

#define ADB_HASH_BITS 8

/* One turn of a stream, and of the worker, before others have theirs. */
#define ADB_STREAM_BUDGET (256 * 1024)
#define ADB_WORKER_BUDGET (1024 * 1024)
#define ADB_PACKET_BUDGET 256

/* Receive or event buffers of no use that are given back in a row. */
#define ADB_BAD_BUFFERS 64

/* The longest packet that a vCPU hands to a socket by itself. */
#define ADB_VCPU_PACKET 4096

/* A vCPU leaves the rest to the worker sooner. */
static inline size_t adb_budget(bool in_vcpu)
{
	return in_vcpu ? ADB_STREAM_BUDGET : ADB_WORKER_BUDGET;
}

/*
 * struct adb_stream.wake
 *
 * READ: the socket may have data; the worker knows, or is about to look
 * WRITE: the socket has room again; the worker is to go on
 * TIMEOUT: time is up
 * WANTED: WRITE is to be set when the socket has room, or is done
 */
#define ADB_WAKE_READ 0
#define ADB_WAKE_WRITE 1
#define ADB_WAKE_TIMEOUT 2
#define ADB_WAKE_WANTED 3

/**
 * struct adb_ports - what names a stream
 * @guest: the guest's port
 * @host: ours
 */
struct adb_ports {
	u32 guest;
	u32 host;
};

/**
 * struct adb_chunk - bytes from the guest that the socket did not take
 * @node: in adb_stream.chunks
 * @start: of what is left
 * @end: of what was put in
 * @data: ADB_CHUNK_SIZE bytes
 */
struct adb_chunk {
	struct list_head node;
	u32 start;
	u32 end;
	u8 data[];
};

#define ADB_CHUNK_SIZE (4096 - sizeof(struct adb_chunk))

/**
 * struct adb_turn - a place in the line of those who want to be looked at
 * @node: in vsock_adb.ready or .starved, or in neither
 * @starved: it is in .starved
 *
 * Protected by vsock_adb.ready_lock.
 */
struct adb_turn {
	struct list_head node;
	bool starved;
};

/**
 * struct adb_stream - one stream
 * @ports: its name
 * @hash: in vsock_adb.streams; once it is dead and the guest knows, in .lingering
 *	as long as it has a socket
 * @adb: the device
 * @conn: the protocol's part
 * @cookie: the user's
 * @event_node: in vsock_adb.events while @event is not 0
 * @event: of VHOST_VSOCK_ADB_...: not yet read
 * @error: of the CLOSED event
 * @closed: that event has been raised, or needs not be
 * @turn: to send what it has for the guest
 * @wake: of ADB_WAKE_...: between the worker, the socket and @timer; atomic
 * @timer: runs while the guest is to confirm the end
 * @reset: the socket's other end has reset it; what can still be read is not all
 * @sock_shut: what of the guest's shutting down the socket was told
 * @sock: the socket, watched while it is held
 * @chunks: bytes for the socket
 * @queued: how many
 *
 * Protected by vsock_adb.lock but where it says otherwise. It is freed when it
 * is dead, has nothing to send either way and no event to be read.
 */
struct adb_stream {
	struct adb_ports ports;
	struct hlist_node hash;
	struct vsock_adb *adb;
	struct adb_conn conn;
	u64 cookie;
	struct list_head event_node;
	u32 event;
	u32 error;
	bool closed;
	struct adb_turn turn;
	unsigned long wake;
	struct timer_list timer;
	bool reset;
	unsigned int sock_shut;
	struct ranchu_sock sock;
	struct list_head chunks;
	u32 queued;
};

/**
 * struct vsock_adb - an open file: the vsock device of one guest
 * @vhost: the shared part
 * @vrings: its rings
 * @lock: see above
 * @cid: the guest's; 0 until it is set. Changed with @vhost's lock held, while
 *	not running.
 * @streams: by their ports
 * @lingering: streams that have ended, but for their sockets
 * @seed: so that a guest cannot choose ports that collide
 * @n_streams: how many there are, those that only wait for their event to be
 *	read included
 * @next_port: where the search for a free host port begins
 * @ready_lock: protects @ready, @starved and @serving
 * @serving: somebody will see to @ready before they let go of @lock
 * @ready: streams that want attention, and @orphan_turn, first come first served
 * @starved: those that have something for the guest and found no buffer; before
 *	the others when there are buffers again
 * @rx_starved: there was none when we looked last, and the guest will kick
 * @tx_held: sending waits for @orphans to drain
 * @corked: the stream whose TCP socket was told last that more comes at once
 * @orphan_turn: to send what is in @orphans
 * @orphans: resets owed, a ring
 * @orphan_first: the oldest
 * @n_orphans: how many
 * @events: streams with events to be read
 * @event_wait: readers
 * @listening: somebody reads events; until then the guest's requests are refused
 * @transport_reset: owed to the event ring
 * @stats: see struct vhost_vsock_adb_stats; @faults and @size are not used
 * @tx_iov: of the chain that is served
 * @rx_iov: of @rx_chains
 * @rx_chains: taken, and not yet known whether needed
 * @rx_data: where recvmsg() puts what it has: @rx_iov less the headers
 * @closer: of sockets
 * @orphaned: the owner was killed: no socket is taken any more. Protected by @lock
 * @release: of the file
 */
struct vsock_adb {
	struct ranchu_vhost vhost;
	struct ranchu_vring vrings[ADB_RINGS];
	struct mutex lock;	/* see above */
	u32 cid;
	DECLARE_HASHTABLE(streams, ADB_HASH_BITS);
	struct hlist_head lingering;
	u32 seed;
	unsigned int n_streams;
	u32 next_port;
	spinlock_t ready_lock;	/* see above */
	bool serving;
	struct list_head ready;
	struct list_head starved;
	bool rx_starved;
	bool tx_held;
	struct adb_stream *corked;
	struct adb_turn orphan_turn;
	struct adb_ports orphans[ADB_ORPHANS];
	unsigned int orphan_first;
	unsigned int n_orphans;
	struct list_head events;
	wait_queue_head_t event_wait;
	bool listening;
	bool transport_reset;
	struct vhost_vsock_adb_stats stats;
	struct iovec tx_iov[ADB_TX_IOV];
	struct iovec rx_iov[ADB_RX_CHAINS][ADB_RX_IOV];
	struct ranchu_chain rx_chains[ADB_RX_CHAINS];
	struct iovec rx_data[ADB_RX_CHAINS * ADB_RX_IOV];
	struct ranchu_closer *closer;
	bool orphaned;
	struct ranchu_release release;
};

static inline struct vsock_adb *vsock_adb_of(struct ranchu_vhost *vhost)
{
	return container_of(vhost, struct vsock_adb, vhost);
}

/* vsock_adb_turns.c: who is served next, and by whom */
void vsock_adb_turns_init(struct vsock_adb *adb);
bool vsock_adb_serve(struct vsock_adb *adb, bool in_vcpu);
bool vsock_adb_served(struct vsock_adb *adb);
void vsock_adb_turn_want(struct vsock_adb *adb, struct adb_turn *turn, bool anew);
struct adb_turn *vsock_adb_turn_next(struct vsock_adb *adb);
void vsock_adb_turn_starve(struct vsock_adb *adb, struct adb_turn *turn, bool some);
void vsock_adb_turn_drop(struct vsock_adb *adb, struct adb_turn *turn);

/* vsock_adb_stream.c */
void vsock_adb_streams_init(struct vsock_adb *adb);
struct adb_stream *vsock_adb_stream_find(struct vsock_adb *adb,
					 struct adb_ports ports);
struct adb_stream *vsock_adb_stream_alloc(void);
int vsock_adb_stream_add(struct vsock_adb *adb, struct adb_stream *stream,
			 struct adb_ports ports, enum adb_state state);
void vsock_adb_stream_ready(struct adb_stream *stream);
void vsock_adb_stream_event(struct adb_stream *stream, u32 type);
void vsock_adb_stream_told(struct adb_stream *stream);
void vsock_adb_stream_close(struct adb_stream *stream, u32 error);
void vsock_adb_stream_hurry(struct adb_stream *stream);
bool vsock_adb_stream_reap(struct adb_stream *stream);
void vsock_adb_streams_close(struct vsock_adb *adb, unsigned int bucket);
bool vsock_adb_streams_forget_dead(struct vsock_adb *adb);
void vsock_adb_streams_free(struct vsock_adb *adb);
int vsock_adb_pick_port(struct vsock_adb *adb, struct adb_ports *ports);

/* vsock_adb_sock.c: between a stream and its socket */
void vsock_adb_sock_give(struct adb_stream *stream, const struct ranchu_sock *sock);
void vsock_adb_sock_put(struct adb_stream *stream);
void vsock_adb_sock_send(struct adb_stream *stream, struct iov_iter *from);
void vsock_adb_sock_uncork(struct vsock_adb *adb);
void vsock_adb_sock_flush(struct adb_stream *stream);
bool vsock_adb_sock_readable(const struct adb_stream *stream);
size_t vsock_adb_sock_waiting(struct adb_stream *stream);
size_t vsock_adb_sock_recv(struct adb_stream *stream, struct iovec *iov,
			   unsigned int n, size_t len);
void vsock_adb_sock_expect(struct adb_stream *stream);
bool vsock_adb_sock_busy(struct adb_stream *stream);
void vsock_adb_sock_settle(struct adb_stream *stream);

/* vsock_adb_tx.c: packets from the guest */
void vsock_adb_tx_kicked(struct ranchu_vring *vring);

/* vsock_adb_rx.c: packets to the guest */
void vsock_adb_rx_kicked(struct ranchu_vring *vring);
void vsock_adb_orphan(struct vsock_adb *adb, struct adb_ports ports);

#endif /* _VSOCK_ADB_H */
