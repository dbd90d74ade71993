/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Services of other processes: what goldfish_pipe_services.c, the file that
 * such a process has, goldfish_pipe_remote.c, the pipes that it serves, and what
 * may be at their other ends, goldfish_pipe_socket.c and goldfish_pipe_shared.c,
 * share.
 */
#ifndef _VHOST_GOLDFISH_PIPE_REMOTE_H
#define _VHOST_GOLDFISH_PIPE_REMOTE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ranchu_sock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "goldfish_pipe.h"

struct pipe_remote;
struct pipe_shared;

/**
 * struct pipe_registry - who offers what to one device's guest
 * @refs: the device and each file of services
 * @lock: protects all that follows, and the same of what hangs from it
 * @services: struct pipe_registered
 * @n_services: how many
 * @remotes: struct pipe_remote by pipe id; none once @dead
 * @opens: how many there have been
 * @dead: the device has stopped
 * @wait: readers of all files of services
 * @closer: of answered sockets
 *
 * While a pipe_remote is in @remotes its pipe is open and its device is there.
 */
struct pipe_registry {
	struct kref refs;
	struct mutex lock;	/* see above; inside pipe.lock */
	struct list_head services;
	unsigned int n_services;
	struct xarray remotes;
	u32 opens;
	bool dead;
	wait_queue_head_t wait;
	struct ranchu_closer *closer;
};

/**
 * struct pipe_registrar - a file of services
 * @registry: whom it offers them to
 * @remotes: pipes that it serves
 * @events: of these, the ones whose OPEN was not read yet
 */
struct pipe_registrar {
	struct pipe_registry *registry;
	struct list_head remotes;
	struct list_head events;
};

/**
 * struct pipe_registered - a name
 * @node: in pipe_registry.services
 * @registrar: who offers it
 * @name: ends in NUL
 */
struct pipe_registered {
	struct list_head node;
	struct pipe_registrar *registrar;
	char name[VHOST_GOLDFISH_PIPE_NAME_SIZE];
};

/**
 * struct pipe_backend - a kind of other end
 * @write: as struct pipe_service's
 * @read: the same
 * @poll: the same
 * @prepare: before the guest's commands find @end; may be NULL
 * @start: from now on, call pipe_ready(). Returns GOLDFISH_PIPE_POLL_* bits that
 *	are so already. pipe_registry.lock is held; may sleep.
 * @hang_up: tell the other end that the pipe is no more, without waiting for it or
 *	for a command. pipe_registry.lock is held.
 * @put: free what @start's caller gave; no call of pipe_ready() after it
 */
struct pipe_backend {
	ssize_t (*write)(struct pipe_remote *remote, struct iov_iter *from);
	ssize_t (*read)(struct pipe_remote *remote, struct iov_iter *to);
	u32 (*poll)(struct pipe_remote *remote);
	void (*prepare)(struct pipe_remote *remote);
	u32 (*start)(struct pipe_remote *remote);
	void (*hang_up)(struct pipe_remote *remote);
	void (*put)(struct pipe_remote *remote);
};

/**
 * union pipe_end - the other end
 * @sock: goldfish_pipe_socket.c's
 * @shared: goldfish_pipe_shared.c's
 */
union pipe_end {
	struct ranchu_sock sock;
	struct pipe_shared *shared;
};

/**
 * struct pipe_remote - a pipe that another process serves; its pipe.priv
 * @pipe: the pipe
 * @registrar: who serves it; NULL once that is gone
 * @node: in pipe_registrar.remotes
 * @event_node: in pipe_registrar.events, or in none
 * @event: what read() returns
 * @end: where bytes go; set before @backend is, and not changed after it
 * @backend: what @end is; NULL before the answer. Set once; commands read it
 *	without the lock
 *
 * Protected by pipe_registry.lock but where it says otherwise.
 */
struct pipe_remote {
	struct pipe *pipe;
	struct pipe_registrar *registrar;
	struct list_head node;
	struct list_head event_node;
	struct vhost_goldfish_pipe_event event;
	union pipe_end end;
	const struct pipe_backend *backend;
};

/* goldfish_pipe_services.c */
struct pipe_registered *pipe_registry_find(struct pipe_registry *registry,
					   const char *name, size_t len);

/* goldfish_pipe_remote.c */
int pipe_remote_connect(struct pipe_registrar *registrar, u64 open,
			const struct pipe_backend *backend,
			const union pipe_end *end);
struct pipe_dma_region *pipe_remote_dma(struct pipe_registrar *registrar,
					u64 open, u64 gpa);
int pipe_remote_unlock_dma(struct pipe_registrar *registrar, u64 open);
int pipe_remote_hang_up(struct pipe_registrar *registrar, u64 open);
void pipe_remote_hang_up_all(struct pipe_registrar *registrar);
bool pipe_remote_take_event(struct pipe_registrar *registrar,
			    struct vhost_goldfish_pipe_event *event);
void pipe_remote_untake_event(struct pipe_registrar *registrar, u64 open);

/* goldfish_pipe_socket.c */
int pipe_socket_answer(struct pipe_registrar *registrar, u64 open, int fd);

/* goldfish_pipe_shared.c */
int pipe_shared_answer(struct pipe_registrar *registrar,
		       const struct vhost_goldfish_pipe_ring *answer);

#endif /* _VHOST_GOLDFISH_PIPE_REMOTE_H */
