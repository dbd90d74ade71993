// SPDX-License-Identifier: GPL-2.0-only
/*
 * The renderer's file: how another process has the guest make, increment and destroy
 * timelines, and learns what the guest waits for. It is a file of its own, because a
 * process that has it can do no more to the guest than that, and its last close is the
 * moment at which nobody else will answer the guest.
 */
#include <linux/anon_inodes.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "goldfish_sync.h"

static void renderer_free(struct kref *refs)
{
	struct sync_renderer *renderer = container_of(refs, struct sync_renderer, refs);

	if (renderer->eventfd)
		eventfd_ctx_put(renderer->eventfd);
	kfree(renderer);
}

static void renderer_tell_locked(struct sync_dev *dev)
{
	struct sync_renderer *renderer = dev->renderer;

	lockdep_assert_held(&dev->line.lock);
	WRITE_ONCE(renderer->told, true);
	wake_up_interruptible_poll(&renderer->wait, EPOLLIN | EPOLLRDNORM);
	if (renderer->eventfd)
		ranchu_eventfd_signal(renderer->eventfd);
}

/**
 * sync_renderer_tell() - tell the renderer of an item
 * @dev: the device, its line locked; it has a renderer
 * @item: LIVE or FAILED, and not told of
 */
void sync_renderer_tell(struct sync_dev *dev, struct sync_item *item)
{
	list_move_tail(&item->node, &dev->events);
	renderer_tell_locked(dev);
}

/**
 * sync_renderer_tell_reset() - tell the renderer, if there is one, of a new driver
 * @dev: the device, its line locked
 */
void sync_renderer_tell_reset(struct sync_dev *dev)
{
	if (!dev->renderer)
		return;
	dev->reset = true;
	renderer_tell_locked(dev);
}

/* Its lock is held, or it has no file yet. */
static void renderer_leave(struct sync_dev *dev)
{
	LIST_HEAD(gone);

	spin_lock_irq(&dev->line.lock);
	dev->renderer = NULL;
	dev->reset = false;
	sync_items_abandon(dev, &gone);
	ranchu_line_update_locked(&dev->line);
	/* From here on the device may be freed: sync_renderer_end() finds no renderer. */
	spin_unlock_irq(&dev->line.lock);
	sync_items_free(&gone);
}

/**
 * sync_renderer_end() - the device is no more
 * @dev: the device; its renderer's file finds that out
 *
 * Context: may sleep, no lock of ours held but the device's.
 */
void sync_renderer_end(struct sync_dev *dev)
{
	struct sync_renderer *renderer;

	/* Its last close may come at the same time, and then waits for its lock. */
	spin_lock_irq(&dev->line.lock);
	renderer = dev->renderer;
	if (renderer)
		kref_get(&renderer->refs);
	spin_unlock_irq(&dev->line.lock);
	if (!renderer)
		return;
	mutex_lock(&renderer->lock);
	if (renderer->dev) {
		renderer_leave(dev);
		renderer->dev = NULL;
		WRITE_ONCE(renderer->dead, true);
		wake_up_interruptible_poll(&renderer->wait, EPOLLIN | EPOLLHUP);
	}
	mutex_unlock(&renderer->lock);
	kref_put(&renderer->refs, renderer_free);
}

/* ---- COMMAND ---- */

static int command_create(struct sync_dev *dev, struct vhost_goldfish_sync_command *command,
			  struct sync_item *item)
{
	struct sync_item *timeline = NULL;
	int err;

	if (command->cmd == GOLDFISH_SYNC_CMD_CREATE_FENCE) {
		timeline = sync_item_find(dev, command->id);
		if (!timeline || timeline->abandoned)
			return -ENOENT;
		if (timeline->kind != SYNC_TIMELINE)
			return -EINVAL;
		if (timeline->phase != SYNC_LIVE)
			return -EBUSY;
	}
	err = sync_item_add(dev, item);
	if (err)
		return err;
	if (timeline) {
		item->handle = timeline->handle;
		item->timeline = timeline;
		timeline->fences++;
	}
	sync_item_queue(dev, item, command->cmd, command->value);
	command->id = item->id;
	return 0;
}

/* Of an item that is there already. */
static int command_old(struct sync_dev *dev, const struct vhost_goldfish_sync_command *command)
{
	const bool destroy = command->cmd == GOLDFISH_SYNC_CMD_DESTROY_TIMELINE;
	bool timeline;
	struct sync_item *item = sync_item_find(dev, command->id);

	if (!item || item->abandoned || item->phase == SYNC_FAILED)
		return -ENOENT;
	timeline = item->kind == SYNC_TIMELINE;
	if (destroy != timeline)
		return -EINVAL;
	/* Whoever was incremented or destroyed is no more. */
	if (item->phase == SYNC_QUEUED && (item->cmd == GOLDFISH_SYNC_CMD_TIMELINE_INC ||
					   item->cmd == GOLDFISH_SYNC_CMD_DESTROY_TIMELINE))
		return -ENOENT;
	if (item->phase != SYNC_LIVE || (destroy && item->fences))
		return -EBUSY;
	if (destroy)
		sync_item_queue(dev, item, command->cmd, 0);
	else
		sync_item_increment(dev, item, command->value);
	return 0;
}

static int command_run(struct sync_dev *dev, struct vhost_goldfish_sync_command *command,
		       struct sync_item *item)
{
	int err;

	spin_lock_irq(&dev->line.lock);
	if (!item)
		err = command_old(dev, command);
	else if (!dev->ready)
		err = -ENOTCONN;
	else
		err = command_create(dev, command, item);
	spin_unlock_irq(&dev->line.lock);
	if (!err)
		ranchu_line_request(&dev->line);
	return err;
}

/* Sets @kind: of the item that it makes, or SYNC_KINDS. False: it cannot be. */
static bool command_possible(const struct vhost_goldfish_sync_command *command,
			     enum sync_kind *kind)
{
	*kind = SYNC_KINDS;
	switch (command->cmd) {
	case GOLDFISH_SYNC_CMD_CREATE_TIMELINE:
		*kind = SYNC_TIMELINE;
		return !command->value;
	case GOLDFISH_SYNC_CMD_CREATE_FENCE:
		*kind = SYNC_FENCE;
		return true;
	case GOLDFISH_SYNC_CMD_TIMELINE_INC:
		return true;
	case GOLDFISH_SYNC_CMD_DESTROY_TIMELINE:
		return !command->value;
	}
	return false;
}

static long renderer_command(struct sync_renderer *renderer, void __user *argp)
{
	struct vhost_goldfish_sync_command command;
	struct sync_item *item = NULL;
	enum sync_kind kind;
	int err;

	if (copy_from_user(&command, argp, sizeof(command)))
		return -EFAULT;
	if (!command_possible(&command, &kind))
		return -EINVAL;
	if (kind != SYNC_KINDS) {
		item = sync_item_make(kind);
		if (!item)
			return -ENOMEM;
	}
	err = mutex_lock_killable(&renderer->lock);
	if (!err) {
		err = renderer->dev ? command_run(renderer->dev, &command, item) : -ENODEV;
		mutex_unlock(&renderer->lock);
	}
	if (err)
		kfree(item);
	else if (item && copy_to_user(argp, &command, sizeof(command)))
		err = -EFAULT;
	return err;
}

static long renderer_set_eventfd(struct sync_renderer *renderer, void __user *argp)
{
	struct eventfd_ctx *ctx = NULL;
	int err, fd;

	if (copy_from_user(&fd, argp, sizeof(fd)))
		return -EFAULT;
	if (fd < -1)
		return -EBADF;
	if (fd != -1) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	err = mutex_lock_killable(&renderer->lock);
	if (!err && !renderer->dev) {
		err = -ENODEV;
		mutex_unlock(&renderer->lock);
	} else if (!err) {
		spin_lock_irq(&renderer->dev->line.lock);
		swap(renderer->eventfd, ctx);
		/* It may have come before the eventfd did. */
		if (renderer->eventfd && renderer->told)
			ranchu_eventfd_signal(renderer->eventfd);
		spin_unlock_irq(&renderer->dev->line.lock);
		mutex_unlock(&renderer->lock);
	}
	if (ctx)
		eventfd_ctx_put(ctx);
	return err;
}

static long renderer_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	switch (number) {
	case VHOST_GOLDFISH_SYNC_COMMAND:
		return renderer_command(file->private_data, (void __user *)arg);
	case VHOST_GOLDFISH_SYNC_SET_EVENTFD:
		return renderer_set_eventfd(file->private_data, (void __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

/* ---- events ---- */

static u32 event_type(const struct sync_item *item)
{
	switch (item->kind) {
	case SYNC_WAIT:
		return VHOST_GOLDFISH_SYNC_EVENT_WAIT;
	case SYNC_TIMELINE:
		return VHOST_GOLDFISH_SYNC_EVENT_TIMELINE;
	default:
		return VHOST_GOLDFISH_SYNC_EVENT_FENCE;
	}
}

/* What was incremented meanwhile is no event any more, so there may be none. */
static void event_told_locked(struct sync_dev *dev)
{
	WRITE_ONCE(dev->renderer->told, dev->reset || !list_empty(&dev->events));
}

/* A failed item stays until event_taken(), so that its event can be put back. */
static bool event_take_locked(struct sync_dev *dev, struct vhost_goldfish_sync_event *event)
{
	struct sync_item *item;

	memset(event, 0, sizeof(*event));
	if (dev->reset) {
		dev->reset = false;
		event_told_locked(dev);
		event->type = VHOST_GOLDFISH_SYNC_EVENT_RESET;
		return true;
	}
	item = list_first_entry_or_null(&dev->events, struct sync_item, node);
	if (item)
		list_del_init(&item->node);
	event_told_locked(dev);
	if (!item)
		return false;
	event->type = event_type(item);
	event->result = item->result;
	event->id = item->id;
	event->glsync = item->glsync;
	event->thread = item->thread;
	event->timeline = item->kind == SYNC_FENCE ? 0 : item->handle;
	return true;
}

/* Of an event that was taken: the renderer has it, or it comes again. */
static void event_taken_locked(struct sync_dev *dev,
			       const struct vhost_goldfish_sync_event *event, bool has,
			       struct list_head *gone)
{
	struct sync_item *item;

	if (event->type == VHOST_GOLDFISH_SYNC_EVENT_RESET) {
		dev->reset |= !has;
		event_told_locked(dev);
		if (!has)
			renderer_tell_locked(dev);
		return;
	}
	item = sync_item_find(dev, event->id);
	/* It may have gone on meanwhile. */
	if (!item || !list_empty(&item->node) ||
	    (item->phase != SYNC_LIVE && item->phase != SYNC_FAILED))
		return;
	if (!has)
		list_add(&item->node, &dev->events);
	else if (item->phase == SYNC_FAILED)
		sync_item_remove(dev, item, gone);
	event_told_locked(dev);
	/* Who waits was not woken for what somebody else had taken. */
	if (!has)
		renderer_tell_locked(dev);
}

static bool event_take(struct sync_renderer *renderer, struct vhost_goldfish_sync_event *event)
{
	struct sync_dev *dev;
	bool one = false;

	mutex_lock(&renderer->lock);
	dev = renderer->dev;
	if (dev) {
		spin_lock_irq(&dev->line.lock);
		one = event_take_locked(dev, event);
		spin_unlock_irq(&dev->line.lock);
	}
	mutex_unlock(&renderer->lock);
	return one;
}

static void event_taken(struct sync_renderer *renderer,
			const struct vhost_goldfish_sync_event *event, bool has)
{
	struct sync_dev *dev;
	LIST_HEAD(gone);

	mutex_lock(&renderer->lock);
	dev = renderer->dev;
	if (dev) {
		spin_lock_irq(&dev->line.lock);
		event_taken_locked(dev, event, has, &gone);
		spin_unlock_irq(&dev->line.lock);
	}
	mutex_unlock(&renderer->lock);
	sync_items_free(&gone);
}

/* Bytes, 0 if there is no event. Nothing is locked while bytes go to the process. */
static ssize_t renderer_read_events(struct sync_renderer *renderer, char __user *buf, size_t len)
{
	struct vhost_goldfish_sync_event event;
	ssize_t done = 0;
	bool has;

	while (len - done >= sizeof(event) && event_take(renderer, &event)) {
		has = !copy_to_user(buf + done, &event, sizeof(event));
		event_taken(renderer, &event, has);
		if (!has)
			return done ?: -EFAULT;
		done += sizeof(event);
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static bool renderer_awaited(struct sync_renderer *renderer)
{
	return READ_ONCE(renderer->told) || READ_ONCE(renderer->dead);
}

static ssize_t renderer_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct sync_renderer *renderer = file->private_data;
	ssize_t done;

	if (len < sizeof(struct vhost_goldfish_sync_event))
		return -EINVAL;
	for (;;) {
		done = renderer_read_events(renderer, buf, len);
		if (done || READ_ONCE(renderer->dead))
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(renderer->wait, renderer_awaited(renderer)))
			return -ERESTARTSYS;
	}
}

static __poll_t renderer_poll(struct file *file, poll_table *wait)
{
	struct sync_renderer *renderer = file->private_data;

	poll_wait(file, &renderer->wait, wait);
	if (READ_ONCE(renderer->dead))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return READ_ONCE(renderer->told) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- life ---- */

static int renderer_release(struct inode *inode, struct file *file)
{
	struct sync_renderer *renderer = file->private_data;

	mutex_lock(&renderer->lock);
	if (renderer->dev)
		renderer_leave(renderer->dev);
	renderer->dev = NULL;
	mutex_unlock(&renderer->lock);
	kref_put(&renderer->refs, renderer_free);
	return 0;
}

static const struct file_operations renderer_fops = {
	.owner = THIS_MODULE,
	.release = renderer_release,
	.read = renderer_read,
	.poll = renderer_poll,
	.unlocked_ioctl = renderer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static bool renderer_enter(struct sync_dev *dev, struct sync_renderer *renderer)
{
	bool first;

	spin_lock_irq(&dev->line.lock);
	first = !dev->renderer;
	if (first)
		dev->renderer = renderer;
	spin_unlock_irq(&dev->line.lock);
	return first;
}

/**
 * sync_renderer_open() - serve RENDERER
 * @dev: the device
 *
 * Context: the owner's process, @dev->vhost.lock held.
 * Return: a new file of the calling process, or -errno.
 */
int sync_renderer_open(struct sync_dev *dev)
{
	struct sync_renderer *renderer = kzalloc(sizeof(*renderer), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!renderer)
		return -ENOMEM;
	kref_init(&renderer->refs);
	mutex_init(&renderer->lock);
	init_waitqueue_head(&renderer->wait);
	renderer->dev = dev;
	if (!renderer_enter(dev, renderer)) {
		kref_put(&renderer->refs, renderer_free);
		return -EBUSY;
	}
	fd = anon_inode_getfd("[goldfish-sync-renderer]", &renderer_fops, renderer,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		/* What has come meanwhile nobody will answer. */
		renderer_leave(dev);
		kref_put(&renderer->refs, renderer_free);
	}
	return fd;
}
