/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets that a process hands in, for the device modules whose streams end in
 * them. Only with CONFIG_INET.
 */
#ifndef _LINUX_RANCHU_SOCK_H
#define _LINUX_RANCHU_SOCK_H

#include <linux/poll.h>
#include <linux/wait.h>

struct file;
struct socket;

/**
 * struct ranchu_sock - a connected stream socket, TCP or AF_UNIX
 * @socket: the socket; NULL when none is held
 * @file: the same
 * @wqh: its wait queue; NULL unless it is watched
 * @wait: our entry there
 * @poll: used once, to find @wqh
 * @ready: see ranchu_sock_watch()
 */
struct ranchu_sock {
	struct socket *socket;
	struct file *file;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	poll_table poll;
	void (*ready)(struct ranchu_sock *sock, __poll_t events);
};

int ranchu_sock_get(struct ranchu_sock *sock, int fd);
__poll_t ranchu_sock_watch(struct ranchu_sock *sock,
			   void (*ready)(struct ranchu_sock *sock, __poll_t events));
void ranchu_sock_put(struct ranchu_sock *sock);

#endif /* _LINUX_RANCHU_SOCK_H */
