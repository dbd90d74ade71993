// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe that another process serves. Until that has answered, the pipe takes
 * and gives nothing, so that the guest's CPU waits for nobody. From then on it is
 * its backend's.
 *
 * The answer is a change like those of the other end: the backend is set before
 * it may call pipe_ready(), and what it is then is passed to pipe_ready().
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "goldfish_pipe_remote.h"

static const struct pipe_backend *remote_backend(const struct pipe_remote *remote)
{
	/* Pairs with the release in remote_connect_locked(). */
	return smp_load_acquire(&remote->backend);
}

static u32 remote_poll(struct pipe *pipe)
{
	const struct pipe_backend *backend = remote_backend(pipe->priv);

	return backend ? backend->poll(pipe->priv) : 0;
}

static ssize_t remote_write(struct pipe *pipe, struct iov_iter *from)
{
	const struct pipe_backend *backend = remote_backend(pipe->priv);

	return backend ? backend->write(pipe->priv, from) : -EAGAIN;
}

static ssize_t remote_read(struct pipe *pipe, struct iov_iter *to)
{
	const struct pipe_backend *backend = remote_backend(pipe->priv);

	return backend ? backend->read(pipe->priv, to) : -EAGAIN;
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
	if (remote->backend)
		remote->backend->put(remote);
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

/* There is room for it in @remotes. */
static int remote_open_locked(struct pipe *pipe, struct pipe_remote *remote,
			      const char *name, size_t len, const char *args)
{
	struct pipe_registry *registry = pipe->dev->registry;
	struct pipe_registered *service;
	int err;

	service = pipe_registry_find(registry, name, len);
	if (!service)
		return -ENOENT;
	err = xa_err(xa_store(&registry->remotes, pipe->id, remote, GFP_NOWAIT));
	if (err)
		return err;
	remote->pipe = pipe;
	remote->registrar = service->registrar;
	remote_event_fill(remote, service->name, args);
	list_add_tail(&remote->node, &service->registrar->remotes);
	list_add_tail(&remote->event_node, &service->registrar->events);
	pipe->priv = remote;
	WRITE_ONCE(pipe->service, &pipe_remote);
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
	struct pipe_remote *remote;
	int err;

	lockdep_assert_held(&pipe->lock);
	/* Without the lock, which the close of a file of services takes: it waits for none. */
	remote = kzalloc(sizeof(*remote), GFP_KERNEL_ACCOUNT);
	if (!remote)
		return -ENOMEM;
	err = xa_reserve(&registry->remotes, pipe->id, GFP_KERNEL_ACCOUNT);
	if (err)
		goto err_remote;
	mutex_lock(&registry->lock);
	err = remote_open_locked(pipe, remote, name, len, args);
	mutex_unlock(&registry->lock);
	if (err)
		goto err_room;
	wake_up_interruptible_poll(&registry->wait, EPOLLIN | EPOLLRDNORM);
	return 0;

err_room:
	xa_release(&registry->remotes, pipe->id);
err_remote:
	kfree(remote);
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
				 const struct pipe_backend *backend,
				 const union pipe_end *end)
{
	struct pipe_remote *remote = remote_find_locked(registrar, open);

	if (IS_ERR(remote))
		return PTR_ERR(remote);
	if (remote->backend || READ_ONCE(remote->pipe->hung_up))
		return -EALREADY;
	list_del_init(&remote->event_node);
	remote->end = *end;
	if (backend->prepare)
		backend->prepare(remote);
	/* Before it starts: see above. Pairs with remote_backend(). */
	smp_store_release(&remote->backend, backend);
	pipe_ready(remote->pipe, backend->start(remote));
	return 0;
}

/**
 * pipe_remote_connect() - give a pipe its other end
 * @registrar: serves the pipe
 * @open: of the event
 * @backend: what @end is
 * @end: taken if it returns 0
 *
 * Context: may sleep.
 * Return:
 * * 0: done, and the guest is told
 * * -ENOENT: @registrar serves no such pipe
 * * -EALREADY: it has one, or is hung up
 * * -ENODEV: the device has stopped
 * * -EINTR: the caller was killed
 */
int pipe_remote_connect(struct pipe_registrar *registrar, u64 open,
			const struct pipe_backend *backend,
			const union pipe_end *end)
{
	int err;

	if (mutex_lock_killable(&registrar->registry->lock))
		return -EINTR;
	err = remote_connect_locked(registrar, open, backend, end);
	mutex_unlock(&registrar->registry->lock);
	return err;
}

/**
 * pipe_remote_dma() - find guest memory that a pipe's service may use
 * @registrar: serves the pipe
 * @open: of the event
 * @gpa: guest physical address
 *
 * Context: may sleep.
 * Return: the region, for pipe_dma_put(), or -errno as pipe_remote_connect().
 */
struct pipe_dma_region *pipe_remote_dma(struct pipe_registrar *registrar,
					u64 open, u64 gpa)
{
	struct pipe_dma_region *region;
	struct pipe_remote *remote;

	if (mutex_lock_killable(&registrar->registry->lock))
		return ERR_PTR(-EINTR);
	remote = remote_find_locked(registrar, open);
	if (IS_ERR(remote))
		region = ERR_CAST(remote);
	else
		region = pipe_dma_get(remote->pipe, gpa) ?: ERR_PTR(-ENOENT);
	mutex_unlock(&registrar->registry->lock);
	return region;
}

/**
 * pipe_remote_unlock_dma() - tell the guest that its memory is not used any more
 * @registrar: serves the pipe
 * @open: of the event
 *
 * Context: may sleep.
 * Return: 0, or -errno as pipe_remote_connect().
 */
int pipe_remote_unlock_dma(struct pipe_registrar *registrar, u64 open)
{
	struct pipe_remote *remote;

	if (mutex_lock_killable(&registrar->registry->lock))
		return -EINTR;
	remote = remote_find_locked(registrar, open);
	if (!IS_ERR(remote))
		pipe_unlock_dma(remote->pipe);
	mutex_unlock(&registrar->registry->lock);
	return PTR_ERR_OR_ZERO(remote);
}

static void remote_hang_up_locked(struct pipe_remote *remote)
{
	list_del_init(&remote->event_node);
	pipe_hang_up(remote->pipe);
	if (remote->backend)
		remote->backend->hang_up(remote);
}

/**
 * pipe_remote_hang_up() - refuse a pipe, or end it
 * @registrar: serves the pipe
 * @open: of the event
 *
 * Context: may sleep.
 * Return: 0, or -errno as pipe_remote_connect().
 */
int pipe_remote_hang_up(struct pipe_registrar *registrar, u64 open)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_remote *remote;

	if (mutex_lock_killable(&registry->lock))
		return -EINTR;
	remote = remote_find_locked(registrar, open);
	if (!IS_ERR(remote))
		remote_hang_up_locked(remote);
	mutex_unlock(&registry->lock);
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

	do {
		mutex_lock(&registry->lock);
		remote = list_first_entry_or_null(&registrar->remotes,
						  struct pipe_remote, node);
		if (remote) {
			remote_hang_up_locked(remote);
			list_del_init(&remote->node);
			remote->registrar = NULL;
		}
		mutex_unlock(&registry->lock);
		cond_resched();
	} while (remote);
}

/**
 * pipe_remote_take_event() - take the next open that was not told yet
 * @registrar: the file of services
 * @event: filled
 *
 * Context: may sleep.
 * Return: true if there was one; false, too, if the caller was killed.
 */
bool pipe_remote_take_event(struct pipe_registrar *registrar,
			    struct vhost_goldfish_pipe_event *event)
{
	struct pipe_remote *remote;

	if (mutex_lock_killable(&registrar->registry->lock))
		return false;
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
 * Other readers may have gone to sleep since it was taken, and are woken.
 *
 * Context: may sleep.
 */
void pipe_remote_untake_event(struct pipe_registrar *registrar, u64 open)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_remote *remote;
	bool again = false;

	mutex_lock(&registry->lock);
	remote = remote_find_locked(registrar, open);
	if (!IS_ERR(remote) && !remote->backend &&
	    !READ_ONCE(remote->pipe->hung_up) && list_empty(&remote->event_node)) {
		list_add(&remote->event_node, &registrar->events);
		again = true;
	}
	mutex_unlock(&registry->lock);
	if (again)
		wake_up_interruptible_poll(&registry->wait, EPOLLIN | EPOLLRDNORM);
}
