// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands both ways: what the guest asks for and answers, and what it reads when it is
 * interrupted.
 *
 * A driver has room for GOLDFISH_SYNC_MAX_COMMANDS commands until its work has run, which
 * nothing tells us; one more overwrites its memory. An interrupt that ends with nothing
 * queued is taken for a rest. Without one, the guest is given one when it has read that
 * many: for some milliseconds there is nothing for it.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "goldfish_sync.h"

/**
 * sync_enter() - begin to use the guest's memory
 * @dev: the device
 * @idx: set; what sync_leave() needs
 *
 * The memory is the owner's until sync_leave(): who takes it away waits for us.
 *
 * Return: false if the caller is not of the owner's process; nothing was begun.
 */
bool sync_enter(struct sync_dev *dev, int *idx)
{
	*idx = ranchu_mem_enter(&dev->vhost.mem);
	/* Sparse does not know of locks that are taken or not. */
	__release(&dev->vhost.mem.srcu);
	if (likely(READ_ONCE(dev->vhost.mm) == current->mm))
		return true;
	__acquire(&dev->vhost.mem.srcu);
	ranchu_mem_leave(&dev->vhost.mem, *idx);
	return false;
}

/**
 * sync_leave() - undo sync_enter()
 * @dev: the device
 * @idx: from sync_enter()
 */
void sync_leave(struct sync_dev *dev, int idx)
{
	__acquire(&dev->vhost.mem.srcu);
	ranchu_mem_leave(&dev->vhost.mem, idx);
}

/* Whose call it is the caller knows; @gpa is the guest's. False: there is nothing. */
static bool cmd_read(struct sync_dev *dev, u64 gpa, void *to, size_t len)
{
	if (!gpa)
		return false;
	if (!ranchu_mem_read(&dev->vhost.mem, gpa, to, len))
		return true;
	sync_bad_guest(dev);
	return false;
}

/* False: the device has not taken it. */
static bool wait_add_locked(struct sync_dev *dev, struct sync_item *wait)
{
	lockdep_assert_held(&dev->line.lock);
	/* The second: what is under way while the owner lets go comes too late. */
	if (dev->stopped || !READ_ONCE(dev->vhost.mm))
		return false;
	dev->ready = true;
	sync_count(&dev->counts.commands);
	if (sync_item_add(dev, wait)) {
		sync_bad_guest(dev);
		return false;
	}
	if (dev->renderer)
		sync_renderer_tell(dev, wait);
	else
		sync_item_increment(dev, wait, 1);
	return true;
}

/**
 * sync_guest_command() - the guest has written BATCH_GUESTCOMMAND
 * @dev: the device
 *
 * Context: vCPU or worker, or the owner's process; inside ranchu_mem_enter().
 */
void sync_guest_command(struct sync_dev *dev)
{
	struct goldfish_sync_guestcmd buffer;
	struct sync_item *wait;
	bool added, queued;
	u64 command;

	if (!cmd_read(dev, READ_ONCE(dev->guest_gpa), &buffer, sizeof(buffer)))
		return;
	command = le64_to_cpu(buffer.host_command);
	if (command != GOLDFISH_SYNC_CMD_TRIGGER_HOST_WAIT) {
		if (command != GOLDFISH_SYNC_CMD_READY)
			sync_bad_guest(dev);
		return;
	}
	wait = sync_item_make(SYNC_WAIT);
	if (!wait)
		return;
	wait->glsync = le64_to_cpu(buffer.glsync_handle);
	wait->thread = le64_to_cpu(buffer.thread_handle);
	wait->handle = le64_to_cpu(buffer.guest_timeline_handle);
	spin_lock_irq(&dev->line.lock);
	added = wait_add_locked(dev, wait);
	queued = added && wait->phase == SYNC_QUEUED;
	spin_unlock_irq(&dev->line.lock);
	if (!added)
		kfree(wait);
	if (queued)
		ranchu_line_request(&dev->line);
}

static u32 cmd_that_makes(const struct sync_item *item)
{
	return item->kind == SYNC_TIMELINE ? GOLDFISH_SYNC_CMD_CREATE_TIMELINE :
					     GOLDFISH_SYNC_CMD_CREATE_FENCE;
}

static void reply_locked(struct sync_dev *dev, const struct goldfish_sync_hostcmd *reply,
			 struct list_head *gone)
{
	struct sync_item *item = sync_item_find(dev, le64_to_cpu(reply->hostcmd_handle));

	if (dev->stopped)
		return;
	if (!item || item->phase != SYNC_SENT ||
	    le32_to_cpu(reply->cmd) != cmd_that_makes(item)) {
		sync_bad_guest(dev);
		return;
	}
	sync_count(&dev->counts.replies);
	sync_item_answered(dev, item, le64_to_cpu(reply->handle), gone);
	if (!item->abandoned)
		sync_renderer_tell(dev, item);
}

/**
 * sync_guest_reply() - the guest has written BATCH_COMMAND
 * @dev: the device
 *
 * Context: as sync_guest_command().
 */
void sync_guest_reply(struct sync_dev *dev)
{
	struct goldfish_sync_hostcmd buffer;
	LIST_HEAD(gone);

	if (!cmd_read(dev, READ_ONCE(dev->host_gpa), &buffer, sizeof(buffer)))
		return;
	if (le32_to_cpu(buffer.cmd) == GOLDFISH_SYNC_CMD_READY)
		return;
	spin_lock_irq(&dev->line.lock);
	reply_locked(dev, &buffer, &gone);
	spin_unlock_irq(&dev->line.lock);
	sync_items_free(&gone);
	ranchu_line_request(&dev->line);
}

/* What the guest reads of @item, which goes on to what comes next. */
static void fetch_item_locked(struct sync_dev *dev, struct sync_item *item,
			      struct goldfish_sync_hostcmd *command, struct list_head *gone)
{
	command->cmd = cpu_to_le32(item->cmd);
	command->handle = cpu_to_le64(item->handle);
	command->time_arg = cpu_to_le32(item->value);
	dev->burst++;
	sync_count(&dev->counts.sent);
	if (item->cmd == GOLDFISH_SYNC_CMD_CREATE_TIMELINE ||
	    item->cmd == GOLDFISH_SYNC_CMD_CREATE_FENCE) {
		command->hostcmd_handle = cpu_to_le64(item->id);
		item->phase = SYNC_SENT;
		list_del_init(&item->node);
		dev->items.queued--;
	} else {
		sync_item_remove(dev, item, gone);
	}
}

/**
 * sync_rest_over() - the guest has had a rest, or begins anew
 * @dev: the device, its line locked
 */
void sync_rest_over(struct sync_dev *dev)
{
	lockdep_assert_held(&dev->line.lock);
	dev->burst = 0;
	/* It would end a rest of the next burst too soon. */
	cancel_delayed_work(&dev->rest);
}

static bool rests_locked(struct sync_dev *dev)
{
	if (dev->burst < GOLDFISH_SYNC_MAX_COMMANDS)
		return false;
	if (queue_delayed_work(system_wq, &dev->rest,
			       msecs_to_jiffies(VHOST_GOLDFISH_SYNC_REST_MS)))
		sync_count(&dev->counts.rests);
	return true;
}

/* Fills @command; all zeroes say that there is none. */
static void fetch_locked(struct sync_dev *dev, struct goldfish_sync_hostcmd *command,
			 struct list_head *gone)
{
	struct sync_item *item;

	lockdep_assert_held(&dev->line.lock);
	item = list_first_entry_or_null(&dev->queue, struct sync_item, node);
	if (item && !rests_locked(dev)) {
		fetch_item_locked(dev, item, command, gone);
		return;
	}
	/* Without a resample eventfd this is how the guest ends the interrupt. */
	if (!dev->line.resample && !item)
		sync_rest_over(dev);
	ranchu_line_acked(&dev->line, false);
}

/**
 * sync_fetch() - serve a read of BATCH_COMMAND
 * @dev: the device
 *
 * The next command goes to the host command buffer. A command that the guest has no
 * buffer for is lost: the guest has taken it away.
 *
 * Context: as sync_guest_command(), but not the worker.
 * Return: false if the device is stopped.
 */
bool sync_fetch(struct sync_dev *dev)
{
	struct goldfish_sync_hostcmd command = {};
	LIST_HEAD(gone);
	u64 gpa;

	spin_lock_irq(&dev->line.lock);
	if (dev->stopped) {
		spin_unlock_irq(&dev->line.lock);
		return false;
	}
	gpa = dev->host_gpa;
	if (gpa)
		fetch_locked(dev, &command, &gone);
	spin_unlock_irq(&dev->line.lock);
	atomic64_inc(&dev->counts.reads);
	sync_items_free(&gone);
	if (gpa && ranchu_mem_write(&dev->vhost.mem, gpa, &command, sizeof(command)))
		sync_bad_guest(dev);
	return true;
}

/**
 * sync_publish() - struct ranchu_line's publish
 * @line: the device's line
 * @ended: the guest has ended the interrupt
 *
 * Return: true if there is something to announce.
 */
bool sync_publish(struct ranchu_line *line, bool ended)
{
	struct sync_dev *dev = container_of(line, struct sync_dev, line);

	if (ended && list_empty(&dev->queue))
		sync_rest_over(dev);
	if (dev->stopped || !dev->host_gpa || list_empty(&dev->queue) || rests_locked(dev))
		return false;
	sync_count(&dev->counts.batches);
	return true;
}

/**
 * sync_resampled() - count the end of an interrupt
 * @line: the device's line
 */
void sync_resampled(struct ranchu_line *line)
{
	struct sync_dev *dev = container_of(line, struct sync_dev, line);

	atomic64_inc(&dev->counts.resamples);
}

/**
 * sync_rested() - the guest has had a rest
 * @work: sync_dev.rest
 */
void sync_rested(struct work_struct *work)
{
	struct sync_dev *dev = container_of(to_delayed_work(work), struct sync_dev, rest);

	spin_lock_irq(&dev->line.lock);
	/* A guest whose vCPUs stand still does not rest. */
	if (!dev->stopped)
		dev->burst = 0;
	spin_unlock_irq(&dev->line.lock);
	ranchu_line_update(&dev->line, false);
}
