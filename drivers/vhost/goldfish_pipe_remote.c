// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe that another process serves. Until that has answered, the pipe takes
 * and gives nothing, so that the guest's CPU waits for nobody. From then on
 * bytes go straight between guest pages and the socket, in the vCPU's thread,
 * never blocking.
 *
 * No wake is lost. The guest waits by pipe_arm(): it notes, under signal_lock,
 * what is waited for, and then asks remote_poll(). The socket changes first,
 * and then calls remote_ready() from its wait queue, where we always are; that
 * looks, under signal_lock, at what is waited for. Of the two critical sections
 * one comes first. If it is the guest's, the socket finds the request. If it is
 * the socket's, its change is visible to whoever takes the lock after it, and
 * the guest's question, which it puts after taking the lock, finds the socket
 * ready. TCP wakes writers only if asked to; asking whether there is room, as
 * remote_poll() does, asks for that, too.
 *
 * The answer is a change like those of the socket: @connected is set before the
 * socket is watched, and what it is then is passed to pipe_ready().
 *
 * As in the reference's net services the end of the stream is an error, IO, and
 * not 0, and no hang-up: what was sent before it can still be read.
 * Source: android_pipe_unix.cpp (0c0aabcf)
 */
#include <linux/file.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/string.h>

#include "goldfish_pipe_remote.h"

static u32 remote_poll_bits(__poll_t events)
{
	u32 bits = 0;

	/* Whoever waits for bytes or room that will never come must learn it. */
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_OUT;
	if (events & (EPOLLHUP | EPOLLERR))
		bits |= GOLDFISH_PIPE_POLL_HUP;
	return bits;
}

/* Any context, interrupts off. */
static void remote_ready(struct ranchu_sock *sock, __poll_t events)
{
	struct pipe_remote *remote = container_of(sock, struct pipe_remote, sock);

	pipe_ready(remote->pipe, remote_poll_bits(events));
}

static bool remote_connected(const struct pipe_remote *remote)
{
	/* Pairs with the release in remote_connect_locked(). */
	return smp_load_acquire(&remote->connected);
}

static u32 remote_poll(struct pipe *pipe)
{
	struct pipe_remote *remote = pipe->priv;

	if (!remote_connected(remote))
		return 0;
	return remote_poll_bits(vfs_poll(remote->sock.file, NULL));
}

/* What a socket answers, as a service answers it. */
static ssize_t remote_result(ssize_t done)
{
	switch (done) {
	case -EAGAIN:
	case -EINTR:
	case -ERESTARTSYS:
		return -EAGAIN;
	case -ENOMEM:
	case -ENOBUFS:
		return -ENOMEM;
	case -EFAULT:
		return -EFAULT;
	default:
		return done > 0 ? done : -EIO;
	}
}

static ssize_t remote_write(struct pipe *pipe, struct iov_iter *from)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct pipe_remote *remote = pipe->priv;

	if (!remote_connected(remote))
		return -EAGAIN;
	msg.msg_iter = *from;
	return remote_result(sock_sendmsg(remote->sock.socket, &msg));
}

static ssize_t remote_read(struct pipe *pipe, struct iov_iter *to)
{
	struct pipe_remote *remote = pipe->priv;
	struct msghdr msg = {};

	if (!remote_connected(remote))
		return -EAGAIN;
	msg.msg_iter = *to;
	return remote_result(sock_recvmsg(remote->sock.socket, &msg,
					  MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void remote_close(struct pipe *pipe)
{
	struct pipe_registry *registry = pipe->dev->registry;
	struct pipe_remote *remote = pipe->priv;

	mutex_lock(&registry->lock);
	xa_erase(&registry->remotes, pipe->id);
	list_del(&remote->event_node);
	list_del(&remote->node);
	mutex_unlock(&registry->lock);
	/* Nobody but us has it any more. */
	if (remote->connected)
		ranchu_sock_put(&remote->sock);
	kfree(remote);
}

static const struct pipe_service pipe_remote = {
	.name = "remote",
	.open = NULL,	/* pipe_remote_open() */
	.write = remote_write,
	.read = remote_read,
	.poll = remote_poll,
	.close = remote_close,
};

static void remote_event_fill(struct pipe_remote *remote, const char *name,
			      const char *args)
{
	struct vhost_goldfish_pipe_event *event = &remote->event;
	u32 number = ++remote->registrar->registry->opens;

	event->type = VHOST_GOLDFISH_PIPE_EVENT_OPEN;
	event->id = remote->pipe->id;
	/* The number tells this open of the id from those before and after. */
	event->open = (u64)number << 32 | event->id;
	strscpy(event->name, name);
	if (args) {
		event->flags = VHOST_GOLDFISH_PIPE_EVENT_ARGS;
		strscpy(event->args, args);
	}
}

static int remote_open_locked(struct pipe *pipe, const char *name, size_t len,
			      const char *args)
{
	struct pipe_registry *registry = pipe->dev->registry;
	struct pipe_registered *service;
	struct pipe_remote *remote;
	int err;

	service = pipe_registry_find(registry, name, len);
	if (!service)
		return -ENOENT;
	remote = kzalloc(sizeof(*remote), GFP_KERNEL_ACCOUNT);
	if (!remote)
		return -ENOMEM;
	err = xa_insert(&registry->remotes, pipe->id, remote, GFP_KERNEL_ACCOUNT);
	if (err) {
		kfree(remote);
		return err;
	}
	remote->pipe = pipe;
	remote->registrar = service->registrar;
	remote_event_fill(remote, service->name, args);
	list_add_tail(&remote->node, &service->registrar->remotes);
	list_add_tail(&remote->event_node, &service->registrar->events);
	pipe->priv = remote;
	pipe->service = &pipe_remote;
	return 0;
}

/**
 * pipe_remote_open() - hand a pipe to the process that offers a service
 * @pipe: at the connector; its service and priv are set
 * @name: the service's, not necessarily ending in NUL
 * @len: bytes in @name
 * @args: as in struct pipe_target
 *
 * The guest goes on at once, and finds nothing to read and no room to write
 * until the process has answered.
 *
 * Context: the pipe's lock held; may sleep.
 * Return: 0, -ENOENT if nobody offers it, or -ENOMEM.
 */
int pipe_remote_open(struct pipe *pipe, const char *name, size_t len,
		     const char *args)
{
	struct pipe_registry *registry = pipe->dev->registry;
	int err;

	lockdep_assert_held(&pipe->lock);
	mutex_lock(&registry->lock);
	err = remote_open_locked(pipe, name, len, args);
	mutex_unlock(&registry->lock);
	if (!err)
		wake_up_interruptible_poll(&registry->wait, EPOLLIN);
	return err;
}

static struct pipe_remote *remote_find_locked(struct pipe_registrar *registrar,
					      u64 open)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_remote *remote;

	lockdep_assert_held(&registry->lock);
	if (registry->dead)
		return ERR_PTR(-ENODEV);
	remote = xa_load(&registry->remotes, lower_32_bits(open));
	if (!remote || remote->registrar != registrar ||
	    remote->event.open != open)
		return ERR_PTR(-ENOENT);
	return remote;
}

static int remote_connect_locked(struct pipe_registrar *registrar, u64 open,
				 const struct ranchu_sock *sock)
{
	struct pipe_remote *remote = remote_find_locked(registrar, open);
	__poll_t events;

	if (IS_ERR(remote))
		return PTR_ERR(remote);
	if (remote->connected || READ_ONCE(remote->pipe->hung_up))
		return -EALREADY;
	list_del_init(&remote->event_node);
	remote->sock = *sock;
	/* Before we watch: see above. Pairs with remote_connected(). */
	smp_store_release(&remote->connected, true);
	events = ranchu_sock_watch(&remote->sock, remote_ready);
	pipe_ready(remote->pipe, remote_poll_bits(events));
	return 0;
}

/**
 * pipe_remote_connect() - give a pipe its socket
 * @registrar: serves the pipe
 * @open: of the event
 * @fd: of the calling process
 *
 * Context: may sleep.
 * Return:
 * * 0: done, and the guest is told
 * * -ENOENT: @registrar serves no such pipe
 * * -EALREADY: it has a socket, or is hung up
 * * -ENODEV: the device has stopped
 * * what ranchu_sock_get() says of @fd
 */
int pipe_remote_connect(struct pipe_registrar *registrar, u64 open, int fd)
{
	struct ranchu_sock sock;
	int err;

	err = ranchu_sock_get(&sock, fd);
	if (err)
		return err;
	mutex_lock(&registrar->registry->lock);
	err = remote_connect_locked(registrar, open, &sock);
	mutex_unlock(&registrar->registry->lock);
	if (err)
		fput(sock.file);
	return err;
}

/*
 * Returns the pipe's socket, or NULL. The other end is to be told, but not
 * under a lock that the guest's opens need: it may take its time.
 */
static struct file *remote_hang_up_locked(struct pipe_remote *remote)
{
	list_del_init(&remote->event_node);
	pipe_hang_up(remote->pipe);
	return remote->connected ? get_file(remote->sock.file) : NULL;
}

static void remote_shut_down(struct file *file)
{
	if (!file)
		return;
	kernel_sock_shutdown(sock_from_file(file), SHUT_RDWR);
	fput(file);
}

/**
 * pipe_remote_hang_up() - refuse a pipe, or end it
 * @registrar: serves the pipe
 * @open: of the event
 *
 * Context: may sleep.
 * Return: 0, -ENOENT or -ENODEV as pipe_remote_connect().
 */
int pipe_remote_hang_up(struct pipe_registrar *registrar, u64 open)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_remote *remote;
	struct file *file = NULL;

	mutex_lock(&registry->lock);
	remote = remote_find_locked(registrar, open);
	if (!IS_ERR(remote))
		file = remote_hang_up_locked(remote);
	mutex_unlock(&registry->lock);
	remote_shut_down(file);
	return PTR_ERR_OR_ZERO(remote);
}

/**
 * pipe_remote_hang_up_all() - end all pipes that a process serves
 * @registrar: offers nothing any more
 *
 * Context: may sleep.
 */
void pipe_remote_hang_up_all(struct pipe_registrar *registrar)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_remote *remote;
	struct file *file;

	do {
		file = NULL;
		mutex_lock(&registry->lock);
		remote = list_first_entry_or_null(&registrar->remotes,
						  struct pipe_remote, node);
		if (remote) {
			file = remote_hang_up_locked(remote);
			list_del_init(&remote->node);
			remote->registrar = NULL;
		}
		mutex_unlock(&registry->lock);
		remote_shut_down(file);
	} while (remote);
}

/**
 * pipe_remote_take_event() - take the next open that was not told yet
 * @registrar: the file of services
 * @event: filled
 *
 * Context: may sleep.
 * Return: true if there was one.
 */
bool pipe_remote_take_event(struct pipe_registrar *registrar,
			    struct vhost_goldfish_pipe_event *event)
{
	struct pipe_remote *remote;

	mutex_lock(&registrar->registry->lock);
	remote = list_first_entry_or_null(&registrar->events, struct pipe_remote,
					  event_node);
	if (remote) {
		list_del_init(&remote->event_node);
		*event = remote->event;
	}
	mutex_unlock(&registrar->registry->lock);
	return remote;
}

/**
 * pipe_remote_untake_event() - have an open told after all
 * @registrar: the file of services
 * @open: taken by pipe_remote_take_event(); may have been closed or answered
 *	meanwhile
 *
 * Context: may sleep.
 */
void pipe_remote_untake_event(struct pipe_registrar *registrar, u64 open)
{
	struct pipe_remote *remote;

	mutex_lock(&registrar->registry->lock);
	remote = remote_find_locked(registrar, open);
	if (!IS_ERR(remote) && !remote->connected &&
	    !READ_ONCE(remote->pipe->hung_up) && list_empty(&remote->event_node))
		list_add(&remote->event_node, &registrar->events);
	mutex_unlock(&registrar->registry->lock);
}
