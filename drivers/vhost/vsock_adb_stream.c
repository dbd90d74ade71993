// SPDX-License-Identifier: GPL-2.0-only
/*
 * The streams of a guest: finding, making and ending them, the list of those
 * that want attention, and the events that userspace reads.
 */
#include <linux/errno.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "vsock_adb.h"

/* Host ports that we choose are from here on, as the reference does. */
#define ADB_FIRST_PORT 50000

/*
 * What a guest may leave with us for a socket that does not take it: plenty
 * for the few streams that are used at full speed, less when there are many,
 * so that all together stay below 64 MiB.
 */
#define ADB_FEW_STREAMS 64
#define ADB_BUF_FEW (512 * 1024)
#define ADB_BUF_MANY (16 * 1024)

/* For the guest to reset what both sides have shut down. As in Linux. */
#define ADB_CLOSE_TIMEOUT (8 * HZ)

/**
 * vsock_adb_streams_init() - prepare for streams
 * @adb: zeroed
 */
void vsock_adb_streams_init(struct vsock_adb *adb)
{
	vsock_adb_turns_init(adb);
	INIT_LIST_HEAD(&adb->events);
	INIT_HLIST_HEAD(&adb->lingering);
	init_waitqueue_head(&adb->event_wait);
	hash_init(adb->streams);
	adb->seed = get_random_u32();
	adb->next_port = ADB_FIRST_PORT;
}

static u32 stream_key(const struct vsock_adb *adb, struct adb_ports ports)
{
	return jhash_2words(ports.guest, ports.host, adb->seed);
}

/**
 * vsock_adb_stream_find() - find a stream
 * @adb: the device
 * @ports: its name
 *
 * Context: @adb's lock held, by which it stays.
 * Return: the stream, or NULL.
 */
struct adb_stream *vsock_adb_stream_find(struct vsock_adb *adb,
					 struct adb_ports ports)
{
	struct adb_stream *stream;

	lockdep_assert_held(&adb->lock);
	hash_for_each_possible(adb->streams, stream, hash, stream_key(adb, ports))
		if (stream->ports.guest == ports.guest &&
		    stream->ports.host == ports.host)
			return stream;
	return NULL;
}

/* Softirq. A flush of nothing is what has a starved stream looked at as well. */
static void stream_timeout(struct timer_list *timer)
{
	struct adb_stream *stream = timer_container_of(stream, timer, timer);

	set_bit(ADB_WAKE_TIMEOUT, &stream->wake);
	set_bit(ADB_WAKE_WRITE, &stream->wake);
	vsock_adb_stream_ready(stream);
}

/**
 * vsock_adb_stream_hurry() - give the guest time to confirm that a stream ends
 * @stream: both sides are shut down; may have been given its time before
 *
 * Context: the device's lock held.
 */
void vsock_adb_stream_hurry(struct adb_stream *stream)
{
	lockdep_assert_held(&stream->adb->lock);
	if (!timer_pending(&stream->timer))
		mod_timer(&stream->timer, jiffies + ADB_CLOSE_TIMEOUT);
}

/**
 * vsock_adb_stream_alloc() - get memory for a stream
 *
 * An ioctl does so before it takes a lock that the worker and vCPUs wait for.
 *
 * Context: may sleep.
 * Return: what vsock_adb_stream_add() takes, or kfree(); NULL: no memory.
 */
struct adb_stream *vsock_adb_stream_alloc(void)
{
	return kzalloc(sizeof(struct adb_stream), GFP_KERNEL_ACCOUNT);
}

/**
 * vsock_adb_stream_add() - make a stream
 * @adb: the device
 * @stream: its memory
 * @ports: its name; no other stream's
 * @state: ADB_ASKED or ADB_ASKING
 *
 * Context: @adb's lock held.
 * Return: 0, or -EMFILE: there are too many
 */
int vsock_adb_stream_add(struct vsock_adb *adb, struct adb_stream *stream,
			 struct adb_ports ports, enum adb_state state)
{
	lockdep_assert_held(&adb->lock);
	if (adb->n_streams >= VHOST_VSOCK_ADB_MAX_STREAMS)
		return -EMFILE;
	stream->adb = adb;
	stream->ports = ports;
	adb_conn_init(&stream->conn, state, adb->n_streams < ADB_FEW_STREAMS ?
		      ADB_BUF_FEW : ADB_BUF_MANY);
	INIT_LIST_HEAD(&stream->event_node);
	INIT_LIST_HEAD(&stream->turn.node);
	INIT_LIST_HEAD(&stream->chunks);
	timer_setup(&stream->timer, stream_timeout, 0);
	hash_add(adb->streams, &stream->hash, stream_key(adb, ports));
	adb->n_streams++;
	adb->stats.opened++;
	return 0;
}

/**
 * vsock_adb_pick_port() - find a host port that is free for a guest port
 * @adb: the device
 * @ports: the guest's is set, ours is filled
 *
 * Context: @adb's lock held.
 * Return: 0, or -EMFILE if there is none.
 */
int vsock_adb_pick_port(struct vsock_adb *adb, struct adb_ports *ports)
{
	unsigned int tries;

	for (tries = 0; tries <= VHOST_VSOCK_ADB_MAX_STREAMS; tries++) {
		ports->host = adb->next_port++;
		/* The highest is reserved (VMADDR_PORT_ANY). */
		if (adb->next_port == U32_MAX)
			adb->next_port = ADB_FIRST_PORT;
		if (!vsock_adb_stream_find(adb, *ports))
			return 0;
	}
	return -EMFILE;
}

/**
 * vsock_adb_stream_ready() - have a stream looked at
 * @stream: may be waiting for that already
 *
 * One that waits for receive buffers has its turn without any when there is
 * something to do for the other direction.
 *
 * Context: any.
 */
void vsock_adb_stream_ready(struct adb_stream *stream)
{
	vsock_adb_turn_want(stream->adb, &stream->turn,
			    test_bit(ADB_WAKE_WRITE, &stream->wake));
}

/**
 * vsock_adb_stream_event() - have userspace told of something
 * @stream: whose event it is
 * @type: of VHOST_VSOCK_ADB_...; takes the place of one not yet read
 *
 * Context: the device's lock held.
 */
void vsock_adb_stream_event(struct adb_stream *stream, u32 type)
{
	struct vsock_adb *adb = stream->adb;

	lockdep_assert_held(&adb->lock);
	if (!adb->listening)
		return;
	stream->event = type;
	list_move_tail(&stream->event_node, &adb->events);
	wake_up_interruptible_poll(&adb->event_wait, EPOLLIN | EPOLLRDNORM);
}

static void stream_no_event(struct adb_stream *stream)
{
	stream->event = 0;
	list_del_init(&stream->event_node);
}

static void stream_drop_chunks(struct adb_stream *stream)
{
	struct adb_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &stream->chunks, node) {
		list_del(&chunk->node);
		kfree(chunk);
	}
	stream->adb->stats.queued -= stream->queued;
	stream->queued = 0;
}

/**
 * vsock_adb_stream_close() - end a stream
 * @stream: may have ended before, with its socket still busy
 * @error: for the CLOSED event; 0: all went well, so what the guest has sent
 *	before it closed still goes to the socket
 *
 * The guest is told, unless it knows. The stream's memory stays until
 * vsock_adb_stream_reap() finds nothing left to do.
 *
 * Context: the device's lock held; may sleep.
 */
void vsock_adb_stream_close(struct adb_stream *stream, u32 error)
{
	lockdep_assert_held(&stream->adb->lock);
	adb_conn_reset(&stream->conn);
	stream->error = error;
	timer_delete_sync(&stream->timer);
	if (error || stream->conn.peer_shut != ADB_SHUT_BOTH ||
	    !vsock_adb_sock_busy(stream)) {
		vsock_adb_sock_put(stream);
		stream_drop_chunks(stream);
	}
	if (stream->closed)
		return;
	stream->closed = true;
	/* What was not told before need not be told now. */
	if (stream->event == VHOST_VSOCK_ADB_REQUEST)
		stream_no_event(stream);
	else
		vsock_adb_stream_event(stream, VHOST_VSOCK_ADB_CLOSED);
	vsock_adb_stream_ready(stream);
}

/**
 * vsock_adb_stream_reap() - free a stream that is of no more use
 * @stream: any
 *
 * Its name is free as soon as the guest knows that it has ended, its memory
 * when userspace does, and the socket has all that the guest had sent.
 *
 * Context: the device's lock held, @stream not on the list of ready ones.
 * Return: whether it is gone.
 */
bool vsock_adb_stream_reap(struct adb_stream *stream)
{
	struct vsock_adb *adb = stream->adb;

	lockdep_assert_held(&adb->lock);
	if (stream->conn.state != ADB_DEAD || stream->conn.todo)
		return false;
	hash_del(&stream->hash);
	if (stream->sock.socket) {
		hlist_add_head(&stream->hash, &adb->lingering);
		return false;
	}
	if (stream->event)
		return false;
	vsock_adb_turn_drop(adb, &stream->turn);
	adb->n_streams--;
	kfree(stream);
	return true;
}

/**
 * vsock_adb_stream_told() - userspace has read the stream's event
 * @stream: may be gone afterwards
 *
 * Context: the device's lock held.
 */
void vsock_adb_stream_told(struct adb_stream *stream)
{
	stream_no_event(stream);
	vsock_adb_stream_reap(stream);
}

/**
 * vsock_adb_streams_close() - end some of the streams
 * @adb: the device
 * @bucket: those in this one of vsock_adb.streams
 *
 * Context: @adb's lock held; may sleep.
 */
void vsock_adb_streams_close(struct vsock_adb *adb, unsigned int bucket)
{
	struct adb_stream *stream;
	struct hlist_node *next;

	hlist_for_each_entry_safe(stream, next, &adb->streams[bucket], hash)
		if (stream->conn.state != ADB_DEAD)
			vsock_adb_stream_close(stream, ECONNRESET);
}

/**
 * vsock_adb_streams_forget_dead() - owe the guest nothing for streams that have ended
 * @adb: the device; no ring is worked on
 *
 * For a guest that is told otherwise. What a stream has for its socket and for
 * userspace is still done.
 *
 * Context: @adb's lock held; may sleep.
 * Return: whether no stream is left that the guest could use
 */
bool vsock_adb_streams_forget_dead(struct vsock_adb *adb)
{
	struct adb_stream *stream;
	struct hlist_node *tmp;
	unsigned int bucket;

	hash_for_each_safe(adb->streams, bucket, tmp, stream, hash) {
		if (stream->conn.state != ADB_DEAD)
			continue;
		stream->conn.todo = 0;
		vsock_adb_turn_drop(adb, &stream->turn);
		vsock_adb_stream_reap(stream);
	}
	return hash_empty(adb->streams);
}

/* Whatever was still to be done for it. */
static void stream_forget(struct adb_stream *stream)
{
	stream->conn.todo = 0;
	vsock_adb_sock_put(stream);
	stream_drop_chunks(stream);
	stream_no_event(stream);
	vsock_adb_stream_reap(stream);
}

/**
 * vsock_adb_streams_free() - forget all streams
 * @adb: no ring is worked on any more, and nobody is to read events
 *
 * Context: @adb's lock held; may sleep.
 */
void vsock_adb_streams_free(struct vsock_adb *adb)
{
	struct adb_stream *stream, *next;
	struct hlist_node *tmp;
	unsigned int bucket;

	adb->listening = false;
	for (bucket = 0; bucket < HASH_SIZE(adb->streams); bucket++)
		vsock_adb_streams_close(adb, bucket);
	hash_for_each_safe(adb->streams, bucket, tmp, stream, hash)
		stream_forget(stream);
	hlist_for_each_entry_safe(stream, tmp, &adb->lingering, hash)
		stream_forget(stream);
	list_for_each_entry_safe(stream, next, &adb->events, event_node)
		stream_forget(stream);
	adb->n_orphans = 0;
	vsock_adb_turn_drop(adb, &adb->orphan_turn);
}
