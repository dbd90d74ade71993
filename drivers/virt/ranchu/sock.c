// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of a stream: a connected socket that a process has handed in.
 *
 * We hang on the socket's wait queue, as poll() does, and leave its callbacks
 * alone: so any kind of stream socket will do, and its other users are not
 * disturbed. Moving bytes is the device's business.
 *
 * Nothing here waits for another process. Two things could make it wait:
 *
 * - The socket's lock. Whoever holds the file as well may take it and keep it, in
 *   a read() into memory that does not answer; the other end of the connection
 *   cannot. So the socket is touched only when nobody else holds the file. Our
 *   reference is in no table of files: once it is the only one, it stays so.
 *   Until then a timer looks.
 * - The end of a file. The last reference to a socket waits for what is to be
 *   sent if SO_LINGER says so, for the lock of each epoll that watches it, and for
 *   the ends of the files that were sent along and not received. The first is
 *   switched off. A socket with one of the others is closed elsewhere (close.c),
 *   and files sent along are never received.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/printk.h>
#include <linux/ranchu_sock.h>
#include <linux/tcp.h>
#include <net/af_unix.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "ranchu_private.h"

/* Between two looks whether others still hold a file. */
#define SOCK_PAUSE_MAX (HZ / 10)

/* After this long it is worth a line in the log. */
#define SOCK_PATIENCE HZ

static bool sock_is_tcp(const struct ranchu_sock *sock)
{
	return sock->socket->sk->sk_family != AF_UNIX;
}

/* Any context; the wait queue's lock is held, interrupts are off. */
static int sock_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		     void *key)
{
	struct ranchu_sock *sock = container_of(wait, struct ranchu_sock, wait);
	__poll_t events = key_to_poll(key);

	/*
	 * Nobody may look yet; the timer will have somebody look. The wake-up comes
	 * after the socket's change with a full barrier between (wq_has_sleeper()).
	 * The timer may have looked before: an epoll holds the file now and then.
	 */
	if (!READ_ONCE(sock->own) && file_count(sock->file) > 1) {
		if (!timer_pending(&sock->timer))
			mod_timer(&sock->timer, jiffies + 1);
		return 0;
	}
	/* Some wake without saying what for. */
	sock->ready(sock, events ?: EPOLLIN | EPOLLOUT);
	return 0;
}

static void sock_look(struct timer_list *timer)
{
	struct ranchu_sock *sock = timer_container_of(sock, timer, timer);

	/* Whoever has made it ours in between knows nothing of who waits. */
	if (READ_ONCE(sock->own) || file_count(sock->file) == 1) {
		sock->pause = 1;
		sock->waited = 0;
		sock->ready(sock, 0);
		return;
	}
	if (sock->waited < SOCK_PATIENCE &&
	    sock->waited + sock->pause >= SOCK_PATIENCE)
		pr_info_ratelimited("a socket that was handed in is still open in another place; its stream waits\n");
	sock->waited += sock->pause;
	sock->pause = min_t(unsigned long, 2 * sock->pause, SOCK_PAUSE_MAX);
	mod_timer(timer, jiffies + sock->pause);
}

/* All but POLL_BUSY_LOOP, which would have us work on a network card's queue. */
#define SOCK_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static void sock_poll_queue(struct file *file, wait_queue_head_t *wqh,
			    poll_table *poll)
{
	struct ranchu_sock *sock = container_of(poll, struct ranchu_sock, poll);

	/* A stream socket has one. */
	if (WARN_ON_ONCE(sock->wqh))
		return;
	sock->wqh = wqh;
	add_wait_queue(wqh, &sock->wait);
}

/*
 * A protocol on top of TCP has locks of its own, which its works in the kernel keep as
 * long as the other end does not read.
 */
static bool sock_has_ulp(struct sock *sk)
{
	return sk->sk_family != AF_UNIX && inet_csk_has_ulp(sk);
}

static int sock_check(const struct socket *sock)
{
	struct sock *sk = sock->sk;
	bool tcp = (sk->sk_family == AF_INET || sk->sk_family == AF_INET6) &&
		   sk->sk_protocol == IPPROTO_TCP;

	if (sock->type != SOCK_STREAM || !(tcp || sk->sk_family == AF_UNIX))
		return -EPROTONOSUPPORT;
	if (sock_has_ulp(sk))
		return -EPROTONOSUPPORT;
	/* AF_UNIX uses the states of TCP. A half-closed one has connected, too. */
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return 0;
	default:
		return -ENOTCONN;
	}
}

/**
 * ranchu_sock_get() - take a socket
 * @sock: zeroed but for @sndbuf; filled
 * @closer: the device's
 * @fd: of the calling process, which is to close it soon
 *
 * The socket is not touched before nobody else holds it.
 *
 * Context: may sleep.
 * Return:
 * * 0: done
 * * -EBADF: @fd is not open
 * * -ENOTSOCK: it is no socket
 * * -EPROTONOSUPPORT: it is no TCP or AF_UNIX stream socket, or TCP with something
 *	on top, like TLS
 * * -ENOTCONN: it is not connected
 * * -EMFILE: as many sockets of @closer as there may be are still to be closed
 * * -ENOMEM: out of memory
 */
int ranchu_sock_get(struct ranchu_sock *sock, struct ranchu_closer *closer, int fd)
{
	struct ranchu_close *close;
	struct socket *socket;
	int err;

	socket = sockfd_lookup(fd, &err);
	if (!socket)
		return err;
	err = sock_check(socket);
	if (err)
		goto put;
	close = ranchu_close_alloc(closer, socket->file, GFP_KERNEL_ACCOUNT);
	if (IS_ERR(close)) {
		err = PTR_ERR(close);
		goto put;
	}
	sock->socket = socket;
	sock->file = socket->file;
	sock->close = close;
	sock->own = false;
	sock->wqh = NULL;
	return 0;
put:
	sockfd_put(socket);
	return err;
}
EXPORT_SYMBOL_GPL(ranchu_sock_get);

/**
 * ranchu_sock_unget() - undo ranchu_sock_get()
 * @sock: taken, never watched
 *
 * The other end notices nothing.
 *
 * Context: the process whose socket it is, in the same ioctl; may sleep.
 */
void ranchu_sock_unget(struct ranchu_sock *sock)
{
	fput(sock->file);
	ranchu_close_free(sock->close);
	sock->socket = NULL;
	sock->file = NULL;
	sock->close = NULL;
}
EXPORT_SYMBOL_GPL(ranchu_sock_unget);

/**
 * ranchu_sock_prepare() - make a socket ready to be used and watched
 * @sock: taken; nobody else knows of it yet
 * @ready: called with EPOLL* bits whenever some may have become so; with 0 when
 *	nobody else holds the socket any more, and anything may be so. Any context,
 *	the socket's wait queue locked, interrupts off; or a timer's.
 */
void ranchu_sock_prepare(struct ranchu_sock *sock,
			 void (*ready)(struct ranchu_sock *sock, __poll_t events))
{
	sock->ready = ready;
	sock->pause = 1;
	sock->waited = 0;
	timer_setup(&sock->timer, sock_look, 0);
	init_waitqueue_func_entry(&sock->wait, sock_wake);
	init_poll_funcptr(&sock->poll, sock_poll_queue);
	sock->poll._key = SOCK_EVENTS;
}
EXPORT_SYMBOL_GPL(ranchu_sock_prepare);

/* Whether nobody else holds the socket; if somebody does, a timer looks. */
static bool sock_is_alone(struct ranchu_sock *sock)
{
	if (file_count(sock->file) == 1)
		return true;
	/* It may be one who looks a file up and finds that it is another. */
	if (!timer_pending(&sock->timer))
		mod_timer(&sock->timer, jiffies + sock->pause);
	return false;
}

/**
 * ranchu_sock_watch() - be told of what happens to a socket from now on
 * @sock: prepared, not watched
 *
 * The socket's lock is not taken, whoever holds it: the first who uses the socket makes
 * it ours. So the caller may have a lock that users of other sockets wait for.
 *
 * Context: may sleep. Others may use @sock meanwhile.
 * Return: EPOLL* bits that are so now, none as long as others hold the socket; what
 * comes after that is told by the function that ranchu_sock_prepare() was given.
 */
__poll_t ranchu_sock_watch(struct ranchu_sock *sock)
{
	vfs_poll(sock->file, &sock->poll);
	return sock_is_alone(sock) ? ranchu_sock_look(sock) : 0;
}
EXPORT_SYMBOL_GPL(ranchu_sock_watch);

/*
 * Raises a send buffer as the socket's owner could: to no more than
 * net.core.wmem_max allows, which may be less than it was made with.
 */
static void sock_widen(const struct ranchu_sock *sock)
{
	struct sock *sk = sock->socket->sk;
	int before = sk->sk_sndbuf;
	/* It is doubled. */
	int half = sock->sndbuf / 2;

	if (before >= sock->sndbuf || sk->sk_userlocks & SOCK_SNDBUF_LOCK)
		return;
	sock_setsockopt(sock->socket, SOL_SOCKET, SO_SNDBUF, KERNEL_SOCKPTR(&half),
			sizeof(half));
	if (sk->sk_sndbuf < before)
		WRITE_ONCE(sk->sk_sndbuf, before);
}

/*
 * What others may have set, and cannot any more. From now on closing waits for
 * nothing that is to be sent, and what AF_UNIX counts as waiting is what comes
 * next: a byte of urgent data would be passed over, and one behind it read.
 */
static void sock_adopt(struct ranchu_sock *sock)
{
	struct sock *sk = sock->socket->sk;

	lock_sock(sk);
	/* Given to it since sock_check(); it cannot be any more. */
	sock->refused = sock_has_ulp(sk);
	/* No time at all waits for nothing, and has the other end reset. */
	if (sk->sk_lingertime)
		sock_reset_flag(sk, SOCK_LINGER);
	if (!sock_is_tcp(sock))
		sock_set_flag(sk, SOCK_URGINLINE);
	release_sock(sk);
	/* A relay that waits for more to send makes both ends wait. */
	if (sock_is_tcp(sock))
		tcp_sock_set_nodelay(sk);
	else
		sock_widen(sock);
}

/**
 * ranchu_sock_own() - tell whether nobody else holds a socket
 * @sock: watched
 *
 * Once true, it stays so. As long as it is not, the socket's lock may be held by
 * another process for as long as that likes.
 *
 * Context: may sleep. The caller's lock keeps others from @sock.
 * Return: whether it is so; if not, @ready will be called when it is.
 */
bool ranchu_sock_own(struct ranchu_sock *sock)
{
	if (likely(sock->own))
		return true;
	if (!sock_is_alone(sock))
		return false;
	sock_adopt(sock);
	WRITE_ONCE(sock->own, true);
	/* Others may wait for this, too. */
	if (timer_pending(&sock->timer))
		mod_timer(&sock->timer, jiffies);
	return true;
}
EXPORT_SYMBOL_GPL(ranchu_sock_own);

/**
 * ranchu_sock_look() - ask what a socket that nobody else holds is ready for
 * @sock: prepared
 *
 * Context: any.
 * Return: EPOLL* bits.
 */
__poll_t ranchu_sock_look(const struct ranchu_sock *sock)
{
	poll_table poll;

	init_poll_funcptr(&poll, NULL);
	poll._key = SOCK_EVENTS;
	return vfs_poll(sock->file, &poll);
}
EXPORT_SYMBOL_GPL(ranchu_sock_look);

/**
 * ranchu_sock_poll() - ask what a socket is ready for
 * @sock: watched
 *
 * Context: as ranchu_sock_own().
 * Return: EPOLL* bits; none as long as others hold the socket.
 */
__poll_t ranchu_sock_poll(struct ranchu_sock *sock)
{
	return ranchu_sock_own(sock) ? ranchu_sock_look(sock) : 0;
}
EXPORT_SYMBOL_GPL(ranchu_sock_poll);

/**
 * ranchu_sock_waiting() - tell how much has come
 * @sock: watched
 *
 * Context: as ranchu_sock_own().
 * Return: bytes to be read; there may be more by now, or an end.
 */
size_t ranchu_sock_waiting(struct ranchu_sock *sock)
{
	struct sock *sk = sock->socket->sk;

	if (!ranchu_sock_own(sock))
		return 0;
	return sock_is_tcp(sock) ? tcp_inq(sk) : unix_inq_len(sk);
}
EXPORT_SYMBOL_GPL(ranchu_sock_waiting);

/* Files in the queue, sent along with bytes. */
static bool sock_has_files(const struct ranchu_sock *sock)
{
	struct sock *sk = sock->socket->sk;

	return !sock_is_tcp(sock) && atomic_read(&unix_sk(sk)->scm_stat.nr_fds);
}

/*
 * Bytes of at most @len that an AF_UNIX socket gives without any file. Nobody
 * else takes bytes out, so that many are still there when they are read.
 */
static ssize_t sock_harmless(const struct ranchu_sock *sock, size_t len)
{
	struct sock *sk = sock->socket->sk;
	bool ended = READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
	size_t waiting;

	/* Nothing comes after an end. */
	smp_rmb();
	waiting = unix_inq_len(sk);
	/* A sender counts its files first, and then puts its bytes into the queue. */
	smp_rmb();
	if (sock_has_files(sock))
		return -ECONNRESET;
	if (ended)
		return len;
	return waiting ? min(len, waiting) : -EAGAIN;
}

/**
 * ranchu_sock_recv() - read from a socket, without waiting
 * @sock: watched
 * @to: where to, not empty; not advanced
 *
 * Context: as ranchu_sock_own().
 * Return: bytes, 0 at the end, or an error of recvmsg():
 * * -EAGAIN: nothing has come, or others hold the socket
 * * -ECONNRESET: that, or files were sent along, which nobody here can take, or
 *	there is something on top of TCP
 */
ssize_t ranchu_sock_recv(struct ranchu_sock *sock, const struct iov_iter *to)
{
	struct msghdr msg = { .msg_iter = *to };
	ssize_t len;

	if (!ranchu_sock_own(sock))
		return -EAGAIN;
	if (sock->refused)
		return -ECONNRESET;
	if (!sock_is_tcp(sock)) {
		len = sock_harmless(sock, iov_iter_count(to));
		if (len < 0)
			return len;
		iov_iter_truncate(&msg.msg_iter, len);
	}
	return sock_recvmsg(sock->socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}
EXPORT_SYMBOL_GPL(ranchu_sock_recv);

/**
 * ranchu_sock_send() - write to a socket, without waiting
 * @sock: watched
 * @from: what; not advanced
 * @flags: more MSG_* flags
 *
 * Context: as ranchu_sock_own().
 * Return: bytes, or an error of sendmsg():
 * * -EAGAIN: there is no room, or others hold the socket
 * * -ECONNRESET: that, or there is something on top of TCP
 */
ssize_t ranchu_sock_send(struct ranchu_sock *sock, const struct iov_iter *from,
			 int flags)
{
	struct msghdr msg = {
		.msg_iter = *from,
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | flags,
	};

	if (!ranchu_sock_own(sock))
		return -EAGAIN;
	if (sock->refused)
		return -ECONNRESET;
	return sock_sendmsg(sock->socket, &msg);
}
EXPORT_SYMBOL_GPL(ranchu_sock_send);

/**
 * ranchu_sock_push() - have TCP send what it was told more would follow
 * @sock: watched; MSG_MORE was sent last
 *
 * Context: as ranchu_sock_own().
 */
void ranchu_sock_push(struct ranchu_sock *sock)
{
	/* It is so already; being told again, it pushes. */
	if (sock_is_tcp(sock) && ranchu_sock_own(sock))
		tcp_sock_set_nodelay(sock->socket->sk);
}
EXPORT_SYMBOL_GPL(ranchu_sock_push);

/**
 * ranchu_sock_shutdown() - end one way of a connection, or both
 * @sock: watched
 * @how: SHUT_*
 *
 * Context: as ranchu_sock_own().
 * Return:
 * * 0: done, or there was nothing to do
 * * -EAGAIN: others hold the socket
 */
int ranchu_sock_shutdown(struct ranchu_sock *sock, int how)
{
	if (!ranchu_sock_own(sock))
		return -EAGAIN;
	kernel_sock_shutdown(sock->socket, how);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_sock_shutdown);

/* AF_UNIX takes no lock for it that anybody could keep. */
static bool sock_ends_at_once(const struct ranchu_sock *sock)
{
	return !sock_is_tcp(sock) || READ_ONCE(sock->own) ||
	       file_count(sock->file) == 1;
}

/**
 * ranchu_sock_hang_up() - end a connection, and keep the socket
 * @sock: watched
 *
 * The other end of a TCP connection may see it some time later: its lock may be held
 * by others, or by who moves bytes meanwhile, in memory that does not answer.
 *
 * Context: may sleep; whoever uses @sock meanwhile does no harm.
 */
void ranchu_sock_hang_up(struct ranchu_sock *sock)
{
	if (sock_is_tcp(sock))
		ranchu_close_too(sock->close);
	else
		kernel_sock_shutdown(sock->socket, SHUT_RDWR);
}
EXPORT_SYMBOL_GPL(ranchu_sock_hang_up);

/* Its end takes the lock of each, which one who waits for events may hold. */
static bool sock_in_epoll(const struct ranchu_sock *sock)
{
#ifdef CONFIG_EPOLL
	return READ_ONCE(sock->file->f_ep);
#else
	return false;
#endif
}

/**
 * ranchu_sock_put() - give a socket back
 * @sock: watched
 *
 * The other end sees the end of the connection, whoever else holds the file. If
 * somebody does, that may be some time later.
 *
 * Context: may sleep; the caller's lock keeps others from @sock. Afterwards nothing
 * of the socket's calls us.
 */
void ranchu_sock_put(struct ranchu_sock *sock)
{
	bool own = ranchu_sock_own(sock);

	/* First what may start the timer. */
	if (sock->wqh)
		remove_wait_queue(sock->wqh, &sock->wait);
	sock->wqh = NULL;
	timer_delete_sync(&sock->timer);
	if (sock_ends_at_once(sock))
		kernel_sock_shutdown(sock->socket, SHUT_RDWR);
	/* After that nobody can send files any more. */
	if (sock_has_files(sock)) {
		ranchu_close_in_thread(sock->close);
	} else if (!own || sock_in_epoll(sock)) {
		ranchu_close_apart(sock->close);
	} else {
		fput(sock->file);
		ranchu_close_free(sock->close);
	}
	sock->socket = NULL;
	sock->file = NULL;
	sock->close = NULL;
}
EXPORT_SYMBOL_GPL(ranchu_sock_put);
