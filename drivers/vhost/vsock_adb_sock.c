// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between a stream and its socket: bytes both ways, never blocking, one copy
 * wherever the other end keeps up.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "vsock_adb.h"

/* Any context; the wait queue's lock is held, interrupts are off. */
static void sock_ready(struct ranchu_sock *sock, __poll_t events)
{
	struct adb_stream *stream = container_of(sock, struct adb_stream, sock);
	bool news = false;

	/* Nobody else holds it any more: all is worth a try. */
	if (!events)
		events = EPOLLIN | EPOLLOUT | EPOLLHUP;
	/* Of data that the worker knows of it need not hear again. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		news = !test_and_set_bit(ADB_WAKE_READ, &stream->wake);
	if (events & (EPOLLHUP | EPOLLERR) ||
	    (events & EPOLLOUT && test_bit(ADB_WAKE_WANTED, &stream->wake))) {
		clear_bit(ADB_WAKE_WANTED, &stream->wake);
		set_bit(ADB_WAKE_WRITE, &stream->wake);
		news = true;
	}
	if (news)
		vsock_adb_stream_ready(stream);
}

static bool sock_is_tcp(const struct adb_stream *stream)
{
	return stream->sock.socket->sk->sk_family != AF_UNIX;
}

/**
 * vsock_adb_sock_give() - give a stream its socket
 * @stream: has none; will be looked at
 * @sock: what ranchu_sock_get() has taken; now the stream's
 *
 * Context: the device's lock held; may sleep.
 */
void vsock_adb_sock_give(struct adb_stream *stream, const struct ranchu_sock *sock)
{
	stream->sock = *sock;
	/*
	 * What a socket does not take is copied twice, so let it take most of what
	 * the guest may send at once. TCP sees to it by itself.
	 */
	stream->sock.sndbuf = stream->conn.buf_alloc / 4 * 3;
	ranchu_sock_prepare(&stream->sock, sock_ready);
	ranchu_sock_watch(&stream->sock);
	/* Whatever it says now: try it. */
	vsock_adb_sock_expect(stream);
	vsock_adb_stream_ready(stream);
}

/**
 * vsock_adb_sock_readable() - tell whether the socket may have data
 * @stream: may have no socket
 *
 * Context: any.
 * Return: whether reading is worth a try.
 */
bool vsock_adb_sock_readable(const struct adb_stream *stream)
{
	return test_bit(ADB_WAKE_READ, &stream->wake);
}

/**
 * vsock_adb_sock_expect() - take for granted that the socket has data
 * @stream: has a socket; will be looked at for another reason
 *
 * Until it has been read the socket's news of data wake nobody.
 *
 * Context: the device's lock held.
 */
void vsock_adb_sock_expect(struct adb_stream *stream)
{
	set_bit(ADB_WAKE_READ, &stream->wake);
}

/*
 * Whether a read that got less than it asked for left anything. The socket
 * wakes us for what comes after we have looked.
 */
static bool sock_has_more(const struct socket *sock)
{
	const struct sock *sk = sock->sk;

	return !skb_queue_empty_lockless(&sk->sk_receive_queue) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN || READ_ONCE(sk->sk_err);
}

/* Returns what ranchu_sock_recv() does. */
static ssize_t sock_read(struct adb_stream *stream, const struct iov_iter *to)
{
	clear_bit(ADB_WAKE_READ, &stream->wake);
	/*
	 * Clear first, then look: what comes later the socket tells of. Pairs
	 * with test_and_set_bit() in sock_ready().
	 */
	smp_mb__after_atomic();
	return ranchu_sock_recv(&stream->sock, to);
}

/*
 * Throws away what has come for a guest that has closed. Closed with anything
 * unread, TCP resets the connection, and drops what the guest sent last.
 */
static void sock_discard(struct adb_stream *stream)
{
	struct iov_iter to;
	ssize_t done;

	iov_iter_discard(&to, ITER_DEST, ADB_STREAM_BUDGET);
	done = sock_read(stream, &to);
	if (done > 0 && sock_has_more(stream->sock.socket))
		vsock_adb_sock_expect(stream);
	if (done < 0 && done != -EAGAIN && done != -EINTR)
		stream->reset = true;
}

/*
 * Whether a socket that will be sent nothing more is to be kept: until the other
 * end has acknowledged all, as data that still comes would have the same effect
 * as data that is there. AF_UNIX has handed over all that it has taken.
 */
static bool sock_lingers(struct adb_stream *stream)
{
	if (!sock_is_tcp(stream))
		return false;
	sock_discard(stream);
	/* Others have their turn; the other end may need room to see ours. */
	if (vsock_adb_sock_readable(stream)) {
		vsock_adb_stream_ready(stream);
		return true;
	}
	set_bit(ADB_WAKE_WANTED, &stream->wake);
	/* Ask first, then look: the socket tells of a change. Pairs as above. */
	smp_mb__after_atomic();
	return READ_ONCE(stream->sock.socket->sk->sk_state) == TCP_FIN_WAIT1;
}

/**
 * vsock_adb_sock_put() - take a stream's socket away
 * @stream: may have none
 *
 * The other end sees the end of the connection, whoever else holds the file.
 *
 * Context: the device's lock held; may sleep.
 */
void vsock_adb_sock_put(struct adb_stream *stream)
{
	if (!stream->sock.socket)
		return;
	if (stream->adb->corked == stream)
		stream->adb->corked = NULL;
	/* It may be before its time: as far as can be seen nothing is lost. */
	if (sock_is_tcp(stream) && stream->conn.peer_shut == ADB_SHUT_BOTH)
		sock_discard(stream);
	ranchu_sock_put(&stream->sock);
	clear_bit(ADB_WAKE_READ, &stream->wake);
}

/* Returns bytes, 0 if the socket is full, or a true error. */
static ssize_t sock_try(struct adb_stream *stream, struct iov_iter *from, int flags)
{
	ssize_t done = ranchu_sock_send(&stream->sock, from, flags);

	return done == -EAGAIN || done == -EINTR ? 0 : done;
}

/* The socket takes nothing any more. What the guest still sends goes nowhere. */
static void sock_broken(struct adb_stream *stream, ssize_t err)
{
	struct adb_chunk *chunk, *next;

	/* Not the other end's doing: bytes would be missing in the middle. */
	if (err != -EPIPE && err != -ECONNRESET) {
		vsock_adb_stream_close(stream, ECONNRESET);
		return;
	}
	/* The error is told once, and reading finds an end from now on. */
	if (err == -ECONNRESET)
		stream->reset = true;
	list_for_each_entry_safe(chunk, next, &stream->chunks, node) {
		list_del(&chunk->node);
		kfree(chunk);
	}
	adb_conn_forwarded(&stream->conn, stream->queued);
	stream->adb->stats.queued -= stream->queued;
	stream->queued = 0;
	adb_conn_shutdown(&stream->conn, ADB_SHUT_RCV);
}

/* Puts all of @from behind what waits already. Returns false: no memory. */
static bool sock_queue(struct adb_stream *stream, struct iov_iter *from)
{
	struct adb_chunk *chunk = NULL;

	if (!list_empty(&stream->chunks))
		chunk = list_last_entry(&stream->chunks, struct adb_chunk, node);
	stream->adb->stats.queued_packets++;
	while (iov_iter_count(from)) {
		size_t part;

		if (!chunk || chunk->end == ADB_CHUNK_SIZE) {
			chunk = kmalloc(sizeof(*chunk) + ADB_CHUNK_SIZE,
					GFP_KERNEL_ACCOUNT);
			if (!chunk)
				return false;
			chunk->start = 0;
			chunk->end = 0;
			list_add_tail(&chunk->node, &stream->chunks);
		}
		part = min(iov_iter_count(from), ADB_CHUNK_SIZE - chunk->end);
		if (!copy_from_iter_full(chunk->data + chunk->end, part, from))
			return false;
		chunk->end += part;
		stream->queued += part;
		stream->adb->stats.queued += part;
	}
	return true;
}

/**
 * vsock_adb_sock_uncork() - have TCP send what it was told more would follow
 * @adb: the device
 *
 * Context: worker or vCPU, @adb's lock held.
 */
void vsock_adb_sock_uncork(struct vsock_adb *adb)
{
	if (adb->corked)
		ranchu_sock_push(&adb->corked->sock);
	adb->corked = NULL;
}

/*
 * A block is a little more than TCP puts into a segment of the loopback's. So that
 * the rest goes with the next block, not by itself, TCP is told of one packet that
 * more comes, and of the last that it was the last.
 */
static int sock_cork(struct adb_stream *stream, size_t len)
{
	struct vsock_adb *adb = stream->adb;

	if (adb->corked != stream)
		vsock_adb_sock_uncork(adb);
	if (len <= ADB_VCPU_PACKET || !sock_is_tcp(stream)) {
		adb->corked = NULL;
		return 0;
	}
	adb->corked = stream;
	return MSG_MORE;
}

/**
 * vsock_adb_sock_send() - hand payload from the guest to the socket
 * @stream: has a socket; adb_conn_recv() has said ADB_PAYLOAD
 * @from: all of it
 *
 * Straight from guest memory, unless something waits already. What the socket
 * does not take is kept.
 *
 * Context: worker, the device's lock held.
 */
void vsock_adb_sock_send(struct adb_stream *stream, struct iov_iter *from)
{
	struct vsock_adb *adb = stream->adb;
	ssize_t done = 0;

	adb->stats.bytes_to_host += iov_iter_count(from);
	if (stream->conn.shut & ADB_SHUT_RCV) {
		adb_conn_forwarded(&stream->conn, iov_iter_count(from));
		return;
	}
	if (!stream->queued)
		done = sock_try(stream, from,
				sock_cork(stream, iov_iter_count(from)));
	if (done < 0) {
		adb_conn_forwarded(&stream->conn, iov_iter_count(from));
		sock_broken(stream, done);
		return;
	}
	adb_conn_forwarded(&stream->conn, done);
	iov_iter_advance(from, done);
	if (!iov_iter_count(from))
		return;
	if (!sock_queue(stream, from))
		sock_broken(stream, -ENOMEM);
	else if (!test_bit(ADB_WAKE_WANTED, &stream->wake))
		vsock_adb_sock_flush(stream);
}

static ssize_t sock_write_chunk(struct adb_stream *stream, struct adb_chunk *chunk)
{
	struct kvec vec = {
		.iov_base = chunk->data + chunk->start,
		.iov_len = chunk->end - chunk->start,
	};
	struct iov_iter from;

	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, vec.iov_len);
	return sock_try(stream, &from, 0);
}

/**
 * vsock_adb_sock_flush() - hand over what waits for the socket
 * @stream: has a socket
 *
 * Context: worker, the device's lock held.
 */
void vsock_adb_sock_flush(struct adb_stream *stream)
{
	struct adb_chunk *chunk;
	ssize_t done;

	while (stream->queued) {
		chunk = list_first_entry(&stream->chunks, struct adb_chunk, node);
		done = sock_write_chunk(stream, chunk);
		if (done < 0) {
			sock_broken(stream, done);
			return;
		}
		if (!done) {
			/* It may have made room before it could know that we ask. */
			if (test_and_set_bit(ADB_WAKE_WANTED, &stream->wake))
				return;
			continue;
		}
		adb_conn_forwarded(&stream->conn, done);
		stream->queued -= done;
		stream->adb->stats.queued -= done;
		chunk->start += done;
		if (chunk->start < chunk->end)
			continue;
		list_del(&chunk->node);
		kfree(chunk);
	}
}

/**
 * vsock_adb_sock_waiting() - tell how much the socket has for the guest
 * @stream: has a socket
 *
 * Context: worker, the device's lock held.
 * Return: bytes; there may be more by now, or an end.
 */
size_t vsock_adb_sock_waiting(struct adb_stream *stream)
{
	return ranchu_sock_waiting(&stream->sock);
}

/**
 * vsock_adb_sock_recv() - fetch what the socket has for the guest
 * @stream: has a socket
 * @iov: guest memory, as user ranges
 * @n: elements in @iov
 * @len: bytes in @iov
 *
 * Notes when the socket has nothing more, and when it will never have.
 *
 * Context: worker, the device's lock held.
 * Return: bytes.
 */
size_t vsock_adb_sock_recv(struct adb_stream *stream, struct iovec *iov,
			   unsigned int n, size_t len)
{
	struct iov_iter to;
	ssize_t done;

	iov_iter_init(&to, ITER_DEST, iov, n, len);
	done = sock_read(stream, &to);
	if (done > 0) {
		if (done == len || sock_has_more(stream->sock.socket))
			vsock_adb_sock_expect(stream);
		return done;
	}
	if (!done && !stream->reset)
		adb_conn_shutdown(&stream->conn, ADB_SHUT_SEND);
	else if (done != -EAGAIN && done != -EINTR)
		vsock_adb_stream_close(stream, ECONNRESET);
	return 0;
}

/* Tells the socket what the guest has shut down; later, if others hold it. */
static void sock_tell_shut(struct adb_stream *stream)
{
	unsigned int shut = stream->conn.peer_shut & ~stream->sock_shut;

	if (!shut || !ranchu_sock_own(&stream->sock))
		return;
	stream->sock_shut |= shut;
	if (shut & ADB_SHUT_SEND)
		ranchu_sock_shutdown(&stream->sock, SHUT_WR);
	/* TCP tells nobody, and takes what comes after it for a reason to reset. */
	if (shut & ADB_SHUT_RCV && !sock_is_tcp(stream))
		ranchu_sock_shutdown(&stream->sock, SHUT_RD);
}

/**
 * vsock_adb_sock_busy() - tell whether the socket has something to do
 * @stream: may have no socket
 *
 * Context: the device's lock held; may sleep.
 * Return: whether what the guest has sent before it shut down is still under way.
 */
bool vsock_adb_sock_busy(struct adb_stream *stream)
{
	return stream->sock.socket && (stream->queued || sock_lingers(stream));
}

/**
 * vsock_adb_sock_settle() - see what the ends of a stream come to
 * @stream: may have no socket; may be dead, and have one
 *
 * To be called when the guest has shut down, when the socket has ended, when
 * nothing waits for the socket any more, and when time is up. What the guest sent before it
 * shut down goes out first.
 *
 * Context: worker, the device's lock held.
 */
void vsock_adb_sock_settle(struct adb_stream *stream)
{
	struct adb_conn *conn = &stream->conn;

	if (test_and_clear_bit(ADB_WAKE_TIMEOUT, &stream->wake) &&
	    conn->state != ADB_DEAD) {
		vsock_adb_stream_close(stream, ECONNRESET);
		return;
	}
	if (!stream->sock.socket || stream->queued)
		return;
	sock_tell_shut(stream);
	if (conn->peer_shut == ADB_SHUT_BOTH) {
		if (vsock_adb_sock_busy(stream))
			return;
		if (conn->state == ADB_DEAD)
			vsock_adb_sock_put(stream);
		else
			vsock_adb_stream_close(stream, stream->reset ? ECONNRESET : 0);
		return;
	}
	/* Both have said all they had to say. */
	if (conn->peer_shut & ADB_SHUT_SEND && conn->shut & ADB_SHUT_SEND)
		adb_conn_shutdown(conn, ADB_SHUT_BOTH);
	if (conn->shut == ADB_SHUT_BOTH)
		vsock_adb_stream_hurry(stream);
}
