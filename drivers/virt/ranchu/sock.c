// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's end of a stream: a connected socket that a process has handed in.
 *
 * We hang on the socket's wait queue, as poll() does, and leave its callbacks
 * alone: so any kind of stream socket will do, and its other users are not
 * disturbed. Moving bytes is the device's business.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/ranchu_sock.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp_states.h>

/* Any context; the wait queue's lock is held, interrupts are off. */
static int sock_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		     void *key)
{
	struct ranchu_sock *sock = container_of(wait, struct ranchu_sock, wait);
	__poll_t events = key_to_poll(key);

	/* Some wake without saying what for. */
	sock->ready(sock, events ?: EPOLLIN | EPOLLOUT);
	return 0;
}

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

static int sock_check(const struct socket *sock)
{
	const struct sock *sk = sock->sk;
	bool tcp = (sk->sk_family == AF_INET || sk->sk_family == AF_INET6) &&
		   sk->sk_protocol == IPPROTO_TCP;

	if (sock->type != SOCK_STREAM || !(tcp || sk->sk_family == AF_UNIX))
		return -EPROTONOSUPPORT;
	/* AF_UNIX uses the states of TCP. A half-closed one has connected, too. */
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		break;
	default:
		return -ENOTCONN;
	}
	/* A relay that waits for more to send makes both ends wait. */
	if (tcp)
		tcp_sock_set_nodelay(sock->sk);
	return 0;
}

/**
 * ranchu_sock_get() - take a socket
 * @sock: filled
 * @fd: of the calling process, which may close it afterwards
 *
 * Context: may sleep.
 * Return:
 * * 0: done
 * * -EBADF: @fd is not open
 * * -ENOTSOCK: it is no socket
 * * -EPROTONOSUPPORT: it is no TCP or AF_UNIX stream socket
 * * -ENOTCONN: it is not connected
 */
int ranchu_sock_get(struct ranchu_sock *sock, int fd)
{
	struct socket *socket;
	int err;

	socket = sockfd_lookup(fd, &err);
	if (!socket)
		return err;
	err = sock_check(socket);
	if (err) {
		sockfd_put(socket);
		return err;
	}
	sock->socket = socket;
	sock->file = socket->file;
	sock->wqh = NULL;
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_sock_get);

/**
 * ranchu_sock_watch() - be told of what happens to a socket
 * @sock: taken, not watched
 * @ready: called with EPOLL* bits, never none, whenever some may have become
 *	so. Any context, the socket's wait queue locked, interrupts off. Not
 *	called for what is so already.
 *
 * Context: may sleep.
 * Return: EPOLL* bits that are so now; what comes after that is told by @ready.
 */
__poll_t ranchu_sock_watch(struct ranchu_sock *sock,
			   void (*ready)(struct ranchu_sock *sock, __poll_t events))
{
	sock->ready = ready;
	init_waitqueue_func_entry(&sock->wait, sock_wake);
	init_poll_funcptr(&sock->poll, sock_poll_queue);
	return vfs_poll(sock->file, &sock->poll);
}
EXPORT_SYMBOL_GPL(ranchu_sock_watch);

/**
 * ranchu_sock_put() - give a socket back
 * @sock: taken
 *
 * The other end sees the end of the connection, whoever else holds the file.
 *
 * Context: may sleep. Afterwards nothing of the socket's calls us.
 */
void ranchu_sock_put(struct ranchu_sock *sock)
{
	if (sock->wqh)
		remove_wait_queue(sock->wqh, &sock->wait);
	sock->wqh = NULL;
	kernel_sock_shutdown(sock->socket, SHUT_RDWR);
	fput(sock->file);
	sock->socket = NULL;
	sock->file = NULL;
}
EXPORT_SYMBOL_GPL(ranchu_sock_put);
