/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets that a process hands in, for the device modules whose streams end in
 * them. Only with CONFIG_INET.
 *
 * These functions are the only way to touch such a socket: none of them waits for
 * what another process does. A socket that somebody else holds as well is left
 * alone: sending and receiving answer -EAGAIN, and @ready of ranchu_sock_watch()
 * is called when that has changed.
 */
#ifndef _LINUX_RANCHU_SOCK_H
#define _LINUX_RANCHU_SOCK_H

#include <linux/poll.h>
#include <linux/timer.h>
#include <linux/uio.h>
#include <linux/wait.h>

struct file;
struct ranchu_close;
struct ranchu_closer;
struct ranchu_worker;
struct socket;

/* close.c: where sockets are closed whose end may take its time */
struct ranchu_closer *ranchu_closer_create(struct ranchu_worker *worker);
void ranchu_closer_finish(struct ranchu_closer *closer);
void ranchu_closer_destroy(struct ranchu_closer *closer);

/**
 * struct ranchu_sock - a connected stream socket, TCP or AF_UNIX
 * @socket: the socket; NULL when none is held
 * @file: the same
 * @close: what closing it elsewhere takes
 * @sndbuf: bytes that an AF_UNIX socket is to take at once, unless its owner has
 *	chosen a size; 0: as it is. To be set before ranchu_sock_watch().
 * @own: nobody else holds @file, and nobody ever will
 * @refused: something is on top of TCP: nothing is sent or received
 * @wqh: its wait queue; NULL unless it is watched
 * @wait: our entry there
 * @poll: used once, to find @wqh
 * @timer: looks whether others still hold @file; not used once it is @own
 * @pause: jiffies until @timer looks next
 * @waited: jiffies since the first look
 * @ready: see ranchu_sock_prepare()
 *
 * From ranchu_sock_prepare() on it must stay where it is.
 */
struct ranchu_sock {
	struct socket *socket;
	struct file *file;
	struct ranchu_close *close;
	int sndbuf;
	bool own;
	bool refused;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	poll_table poll;
	struct timer_list timer;
	unsigned long pause;
	unsigned long waited;
	void (*ready)(struct ranchu_sock *sock, __poll_t events);
};

int ranchu_sock_get(struct ranchu_sock *sock, struct ranchu_closer *closer, int fd);
void ranchu_sock_unget(struct ranchu_sock *sock);
void ranchu_sock_prepare(struct ranchu_sock *sock,
			 void (*ready)(struct ranchu_sock *sock, __poll_t events));
__poll_t ranchu_sock_watch(struct ranchu_sock *sock);
__poll_t ranchu_sock_look(const struct ranchu_sock *sock);
bool ranchu_sock_own(struct ranchu_sock *sock);
__poll_t ranchu_sock_poll(struct ranchu_sock *sock);
size_t ranchu_sock_waiting(struct ranchu_sock *sock);
ssize_t ranchu_sock_recv(struct ranchu_sock *sock, const struct iov_iter *to);
ssize_t ranchu_sock_send(struct ranchu_sock *sock, const struct iov_iter *from,
			 int flags);
void ranchu_sock_push(struct ranchu_sock *sock);
int ranchu_sock_shutdown(struct ranchu_sock *sock, int how);
void ranchu_sock_hang_up(struct ranchu_sock *sock);
void ranchu_sock_put(struct ranchu_sock *sock);

#endif /* _LINUX_RANCHU_SOCK_H */
