// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of services: how a process offers services to a guest. It is a file
 * of its own, not the device's, for three reasons: the device answers nobody
 * but its owner; a process that has this file can do no more to the guest than
 * serve the pipes that come to it; and its last close is the one moment at
 * which everything that depends on the process goes.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "goldfish_pipe_remote.h"

/* The longest that fits into `pipe:<name>` and a NUL. */
#define SERVICE_NAME_MAX (PIPE_NAME_SIZE - sizeof("pipe:"))

static void registry_free(struct kref *refs)
{
	struct pipe_registry *registry =
		container_of(refs, struct pipe_registry, refs);

	xa_destroy(&registry->remotes);
	ranchu_closer_destroy(registry->closer);
	kfree(registry);
}

/**
 * pipe_registry_create() - make a registry that nobody offers anything to
 * @worker: the device's
 *
 * Return: the registry, or NULL without memory.
 */
struct pipe_registry *pipe_registry_create(struct ranchu_worker *worker)
{
	struct pipe_registry *registry;

	registry = kzalloc(sizeof(*registry), GFP_KERNEL_ACCOUNT);
	if (!registry)
		return NULL;
	registry->closer = ranchu_closer_create(worker);
	if (!registry->closer) {
		kfree(registry);
		return NULL;
	}
	kref_init(&registry->refs);
	mutex_init(&registry->lock);
	INIT_LIST_HEAD(&registry->services);
	xa_init(&registry->remotes);
	init_waitqueue_head(&registry->wait);
	return registry;
}

/**
 * pipe_registry_close() - tell who offers something that nobody is served any more
 * @registry: the device's
 *
 * No pipe gets another end after that.
 *
 * Context: may sleep.
 */
void pipe_registry_close(struct pipe_registry *registry)
{
	mutex_lock(&registry->lock);
	WRITE_ONCE(registry->dead, true);
	mutex_unlock(&registry->lock);
	wake_up_interruptible_poll(&registry->wait, EPOLLIN | EPOLLHUP);
}

/**
 * pipe_registry_finish() - let go of what pipes have left to be closed
 * @registry: the device's
 *
 * Context: as ranchu_closer_finish(); all pipes are closed.
 */
void pipe_registry_finish(struct pipe_registry *registry)
{
	ranchu_closer_finish(registry->closer);
}

/**
 * pipe_registry_end() - the device has stopped
 * @registry: the device's; not to be used by it any more
 *
 * Context: may sleep; all pipes are closed.
 */
void pipe_registry_end(struct pipe_registry *registry)
{
	WARN_ON_ONCE(!xa_empty(&registry->remotes));
	pipe_registry_close(registry);
	kref_put(&registry->refs, registry_free);
}

/**
 * pipe_registry_find() - find a service by its name
 * @registry: locked
 * @name: not necessarily ending in NUL
 * @len: bytes in @name
 *
 * Return: the service, or NULL.
 */
struct pipe_registered *pipe_registry_find(struct pipe_registry *registry,
					   const char *name, size_t len)
{
	struct pipe_registered *service;

	lockdep_assert_held(&registry->lock);
	list_for_each_entry(service, &registry->services, node)
		if (strlen(service->name) == len &&
		    !memcmp(service->name, name, len))
			return service;
	return NULL;
}

static int service_add_locked(struct pipe_registrar *registrar,
			      struct pipe_registered *service)
{
	struct pipe_registry *registry = registrar->registry;
	size_t len = strlen(service->name);

	if (registry->dead)
		return -ENODEV;
	if (pipe_service_find(service->name, len) ||
	    pipe_registry_find(registry, service->name, len))
		return -EEXIST;
	if (registry->n_services == VHOST_GOLDFISH_PIPE_MAX_SERVICES)
		return -ENOSPC;
	service->registrar = registrar;
	list_add_tail(&service->node, &registry->services);
	registry->n_services++;
	return 0;
}

static long services_add(struct pipe_registrar *registrar, void __user *argp)
{
	struct vhost_goldfish_pipe_service arg;
	struct pipe_registered *service;
	size_t len;
	int err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	len = strnlen(arg.name, sizeof(arg.name));
	if (arg.flags || arg.padding || !len || len > SERVICE_NAME_MAX)
		return -EINVAL;
	service = kzalloc(sizeof(*service), GFP_KERNEL_ACCOUNT);
	if (!service)
		return -ENOMEM;
	memcpy(service->name, arg.name, len);
	err = mutex_lock_killable(&registrar->registry->lock);
	if (!err) {
		err = service_add_locked(registrar, service);
		mutex_unlock(&registrar->registry->lock);
	}
	if (err)
		kfree(service);
	return err;
}

static long services_answer(struct pipe_registrar *registrar, void __user *argp)
{
	struct vhost_goldfish_pipe_answer answer;

	if (copy_from_user(&answer, argp, sizeof(answer)))
		return -EFAULT;
	if (answer.padding || answer.fd < -1)
		return -EINVAL;
	if (answer.fd == -1)
		return pipe_remote_hang_up(registrar, answer.open);
	return pipe_socket_answer(registrar, answer.open, answer.fd);
}

static long services_answer_ring(struct pipe_registrar *registrar,
				 void __user *argp)
{
	struct vhost_goldfish_pipe_ring answer;

	if (copy_from_user(&answer, argp, sizeof(answer)))
		return -EFAULT;
	if (answer.padding)
		return -EINVAL;
	return pipe_shared_answer(registrar, &answer);
}

static long services_get_dma(struct pipe_registrar *registrar, void __user *argp)
{
	struct pipe_dma_region *region;
	struct vhost_goldfish_pipe_dma arg;
	struct file *file;
	int err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.size || arg.padding)
		return -EINVAL;
	region = pipe_remote_dma(registrar, arg.open, arg.gpa);
	if (IS_ERR(region))
		return PTR_ERR(region);
	arg.gpa = pipe_dma_span(region, &arg.size);
	arg.fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg.fd < 0) {
		pipe_dma_put(region);
		return arg.fd;
	}
	/* Has the region from here on, or has put it. */
	file = pipe_dma_file(region);
	err = PTR_ERR_OR_ZERO(file);
	if (err)
		goto err_fd;
	if (copy_to_user(argp, &arg, sizeof(arg))) {
		fput(file);
		err = -EFAULT;
		goto err_fd;
	}
	fd_install(arg.fd, file);
	return 0;

err_fd:
	put_unused_fd(arg.fd);
	return err;
}

static long services_unlock_dma(struct pipe_registrar *registrar, void __user *argp)
{
	u64 open;

	if (copy_from_user(&open, argp, sizeof(open)))
		return -EFAULT;
	return pipe_remote_unlock_dma(registrar, open);
}

static long services_ioctl(struct file *file, unsigned int number,
			   unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (number) {
	case VHOST_GOLDFISH_PIPE_ADD_SERVICE:
		return services_add(file->private_data, argp);
	case VHOST_GOLDFISH_PIPE_ANSWER:
		return services_answer(file->private_data, argp);
	case VHOST_GOLDFISH_PIPE_ANSWER_RING:
		return services_answer_ring(file->private_data, argp);
	case VHOST_GOLDFISH_PIPE_GET_DMA:
		return services_get_dma(file->private_data, argp);
	case VHOST_GOLDFISH_PIPE_UNLOCK_DMA:
		return services_unlock_dma(file->private_data, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

/*
 * Bytes, 0 if there is no event. Nothing is locked while bytes go to the
 * process, which may take its time: the guest's opens need that lock.
 */
static ssize_t services_read_events(struct pipe_registrar *registrar,
				    char __user *buf, size_t len)
{
	struct vhost_goldfish_pipe_event event;
	ssize_t done = 0;

	while (len - done >= sizeof(event) &&
	       pipe_remote_take_event(registrar, &event)) {
		if (copy_to_user(buf + done, &event, sizeof(event))) {
			pipe_remote_untake_event(registrar, event.open);
			return done ?: -EFAULT;
		}
		done += sizeof(event);
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static bool services_awaited(struct pipe_registrar *registrar)
{
	return !list_empty_careful(&registrar->events) ||
	       READ_ONCE(registrar->registry->dead);
}

static ssize_t services_read(struct file *file, char __user *buf, size_t len,
			     loff_t *pos)
{
	struct pipe_registrar *registrar = file->private_data;
	struct pipe_registry *registry = registrar->registry;
	ssize_t done;

	if (len < sizeof(struct vhost_goldfish_pipe_event))
		return -EINVAL;
	for (;;) {
		done = services_read_events(registrar, buf, len);
		if (done || READ_ONCE(registry->dead))
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(registry->wait,
					     services_awaited(registrar)))
			return -ERESTARTSYS;
	}
}

static __poll_t services_poll(struct file *file, poll_table *wait)
{
	struct pipe_registrar *registrar = file->private_data;

	poll_wait(file, &registrar->registry->wait, wait);
	if (READ_ONCE(registrar->registry->dead))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return list_empty_careful(&registrar->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static void services_drop(struct pipe_registrar *registrar)
{
	struct pipe_registry *registry = registrar->registry;
	struct pipe_registered *service, *next;

	mutex_lock(&registry->lock);
	list_for_each_entry_safe(service, next, &registry->services, node) {
		if (service->registrar != registrar)
			continue;
		list_del(&service->node);
		registry->n_services--;
		kfree(service);
	}
	mutex_unlock(&registry->lock);
}

static int services_release(struct inode *inode, struct file *file)
{
	struct pipe_registrar *registrar = file->private_data;

	/* First the names, so that no pipe comes after the last has gone. */
	services_drop(registrar);
	pipe_remote_hang_up_all(registrar);
	kref_put(&registrar->registry->refs, registry_free);
	kfree(registrar);
	return 0;
}

static const struct file_operations services_fops = {
	.owner = THIS_MODULE,
	.release = services_release,
	.read = services_read,
	.poll = services_poll,
	.unlocked_ioctl = services_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/**
 * pipe_services_open() - serve SERVICES
 * @registry: the device's
 *
 * Context: the owner's process; may sleep.
 * Return: a new file of the calling process, or -errno.
 */
int pipe_services_open(struct pipe_registry *registry)
{
	struct pipe_registrar *registrar;
	int fd;

	registrar = kzalloc(sizeof(*registrar), GFP_KERNEL_ACCOUNT);
	if (!registrar)
		return -ENOMEM;
	kref_get(&registry->refs);
	registrar->registry = registry;
	INIT_LIST_HEAD(&registrar->remotes);
	INIT_LIST_HEAD(&registrar->events);
	fd = anon_inode_getfd("[goldfish-pipe-services]", &services_fops,
			      registrar, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		kref_put(&registry->refs, registry_free);
		kfree(registrar);
	}
	return fd;
}
