// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-goldfish-sync: the device node, its ioctls, and the life of a device. One
 * open file is the sync device of one guest. Owner, memory and worker are those of every
 * vhost device (linux/ranchu_vhost.h), without rings. Commands are goldfish_sync_cmd.c's,
 * other registers goldfish_sync_regs.c's, what commands are about goldfish_sync_items.c's,
 * the other process goldfish_sync_renderer.c's, snapshots goldfish_sync_state.c's.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/ranchu_run.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "goldfish_sync.h"

static long sync_get_backend_features(struct ranchu_vhost *vhost, void __user *argp)
{
	u64 features = 0;

	if (ranchu_doorbell_supported())
		features |= BIT_ULL(VHOST_GOLDFISH_SYNC_F_DOORBELL);
	if (ranchu_run_supported())
		features |= BIT_ULL(VHOST_GOLDFISH_SYNC_F_RUN);
	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

static long sync_set_line(struct ranchu_vhost *vhost, void *arg)
{
	const struct vhost_goldfish_sync_line *line = arg;

	if (line->call_fd < -1 || line->resample_fd < -1)
		return -EBADF;
	return ranchu_line_set(&sync_dev_of(vhost)->line, current->mm, line->call_fd,
			       line->resample_fd);
}

/* ---- doorbells ---- */

static void sync_rung(void *data, enum ranchu_ring how)
{
	struct sync_bell *bell = data;
	struct sync_dev *dev = bell->dev;
	struct sync_counts *counts = &dev->counts;
	int idx;

	if (how == RANCHU_RING_LOST || READ_ONCE(dev->stopped)) {
		atomic64_inc(&counts->kicks_lost);
		return;
	}
	atomic64_inc(how == RANCHU_RING_VCPU ? &counts->kicks : &counts->kicks_foreign);
	/* Not sync_enter(): no doorbell outlives its owner, and the worker is no owner. */
	idx = ranchu_mem_enter(&dev->vhost.mem);
	bell->run(dev);
	ranchu_mem_leave(&dev->vhost.mem, idx);
}

/* NULL: a write of that register is no command. */
static struct sync_bell *sync_bell_of(struct sync_dev *dev, u32 offset)
{
	switch (offset) {
	case GOLDFISH_SYNC_REG_BATCH_COMMAND:
		return &dev->bells[0];
	case GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND:
		return &dev->bells[1];
	}
	return NULL;
}

static void sync_bell_detach(struct sync_bell *bell)
{
	if (!bell->doorbell)
		return;
	ranchu_doorbell_detach(bell->doorbell);
	WRITE_ONCE(bell->doorbell, NULL);
}

static int sync_bell_attach(struct sync_bell *bell, int fd)
{
	struct ranchu_doorbell *doorbell;

	if (!ranchu_doorbell_supported())
		return -EOPNOTSUPP;
	if (bell->doorbell)
		return -EBUSY;
	doorbell = ranchu_doorbell_attach(fd, current->mm, &bell->dev->vhost.worker,
					  RANCHU_SERVE_VCPU, sync_rung, bell);
	if (IS_ERR(doorbell))
		return PTR_ERR(doorbell);
	WRITE_ONCE(bell->doorbell, doorbell);
	return 0;
}

static long sync_set_doorbell(struct ranchu_vhost *vhost, void *arg)
{
	const struct vhost_goldfish_sync_doorbell *doorbell = arg;
	struct sync_bell *bell = sync_bell_of(sync_dev_of(vhost), doorbell->offset);

	if (!bell)
		return -EINVAL;
	if (doorbell->fd != -1)
		return sync_bell_attach(bell, doorbell->fd);
	if (!bell->doorbell)
		return -ENOENT;
	sync_bell_detach(bell);
	return 0;
}

/* ---- accesses that trap ---- */

/* A command, or the read that fetches one: no lock but its own. */
static long sync_access_command(struct sync_dev *dev, const struct sync_bell *bell, bool write)
{
	long err = 0;
	int idx;

	if (!sync_enter(dev, &idx))
		return -EPERM;
	if (READ_ONCE(dev->stopped)) {
		err = -EBUSY;
	} else if (write) {
		atomic64_inc(&dev->counts.commands_access);
		bell->run(dev);
	} else if (sync_fetch(dev)) {
		atomic64_inc(&dev->counts.reads_access);
	} else {
		err = -EBUSY;
	}
	sync_leave(dev, idx);
	return err;
}

static long sync_access_other(struct sync_dev *dev, struct vhost_goldfish_sync_access *access,
			      bool write)
{
	long err = ranchu_vhost_lock(&dev->vhost);

	if (err)
		return err;
	if (dev->stopped)
		err = -EBUSY;
	else if (write)
		sync_regs_write(dev, access->offset, access->value);
	else
		access->value = sync_regs_read(dev, access->offset);
	ranchu_vhost_unlock(&dev->vhost);
	return err;
}

static long sync_access(struct ranchu_vhost *vhost, void __user *argp)
{
	struct sync_dev *dev = sync_dev_of(vhost);
	struct vhost_goldfish_sync_access access;
	const struct sync_bell *bell;
	bool write;
	long err;

	if (READ_ONCE(vhost->mm) != current->mm)
		return -EPERM;
	if (copy_from_user(&access, argp, sizeof(access)))
		return -EFAULT;
	write = access.flags & VHOST_GOLDFISH_SYNC_ACCESS_WRITE;
	if (access.flags & ~VHOST_GOLDFISH_SYNC_ACCESS_WRITE || access.padding)
		return -EINVAL;
	bell = sync_bell_of(dev, access.offset);
	/* BATCH_GUESTCOMMAND has nothing to read. */
	if (!write) {
		access.value = 0;
		if (access.offset != GOLDFISH_SYNC_REG_BATCH_COMMAND)
			bell = NULL;
	}
	if (bell)
		err = sync_access_command(dev, bell, write);
	else
		err = sync_access_other(dev, &access, write);
	if (err)
		return err;
	access.flags = ranchu_line_raised(&dev->line) ? VHOST_GOLDFISH_SYNC_ACCESS_LINE : 0;
	return copy_to_user(argp, &access, sizeof(access)) ? -EFAULT : 0;
}

/**
 * struct sync_run - a vCPU that runs by RUN
 * @dev: the device
 * @base: where its registers are
 */
struct sync_run {
	struct sync_dev *dev;
	u64 base;
};

static bool sync_run_read(void *data, u64 gpa, u32 len, u32 *value)
{
	const struct sync_run *run = data;
	bool served;
	int idx;

	if (gpa != run->base + GOLDFISH_SYNC_REG_BATCH_COMMAND || len != sizeof(*value))
		return false;
	if (!sync_enter(run->dev, &idx))
		return false;
	served = sync_fetch(run->dev);
	sync_leave(run->dev, idx);
	*value = 0;
	return served;
}

/* Without a lock: the guest may run for as long as it likes. */
static long sync_run(struct ranchu_vhost *vhost, void __user *argp)
{
	struct sync_run run = { .dev = sync_dev_of(vhost) };
	struct vhost_goldfish_sync_run arg;

	if (READ_ONCE(vhost->mm) != current->mm)
		return -EPERM;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.padding)
		return -EINVAL;
	run.base = arg.base;
	return ranchu_run(arg.vcpu_fd, u64_to_user_ptr(arg.run), sync_run_read, &run);
}

/* ---- the rest ---- */

static long sync_renderer(struct ranchu_vhost *vhost, void *arg)
{
	return sync_renderer_open(sync_dev_of(vhost));
}

static long sync_set_running(struct ranchu_vhost *vhost, void *arg)
{
	struct sync_dev *dev = sync_dev_of(vhost);
	const int running = *(const int *)arg;
	int err;

	if (running < 0 || running > 1)
		return -EINVAL;
	/* What the guest has rung for before its vCPUs stopped is still served. */
	err = running ? 0 : ranchu_worker_flush(&vhost->worker);
	if (err)
		return err;
	spin_lock_irq(&dev->line.lock);
	WRITE_ONCE(dev->stopped, !running);
	spin_unlock_irq(&dev->line.lock);
	if (running)
		ranchu_line_update(&dev->line, false);
	return 0;
}

static void sync_stats_get(struct sync_dev *dev, struct vhost_goldfish_sync_stats *stats)
{
	const struct sync_counts *counts = &dev->counts;
	u64 doorbells = 0;
	unsigned int i;

	for (i = 0; i < SYNC_BELLS; i++)
		doorbells += !!READ_ONCE(dev->bells[i].doorbell);
	spin_lock_irq(&dev->line.lock);
	*stats = (struct vhost_goldfish_sync_stats) {
		.kicks = atomic64_read(&counts->kicks),
		.kicks_foreign = atomic64_read(&counts->kicks_foreign),
		.kicks_lost = atomic64_read(&counts->kicks_lost),
		.commands = counts->commands,
		.replies = counts->replies,
		.commands_access = atomic64_read(&counts->commands_access),
		.reads = atomic64_read(&counts->reads),
		.reads_access = atomic64_read(&counts->reads_access),
		.sent = counts->sent,
		.batches = counts->batches,
		.resamples = atomic64_read(&counts->resamples),
		.rests = counts->rests,
		.bad_guest = atomic64_read(&counts->bad_guest),
		.waits = dev->items.n[SYNC_WAIT],
		.timelines = dev->items.n[SYNC_TIMELINE],
		.fences = dev->items.n[SYNC_FENCE],
		.queued = dev->items.queued,
		.doorbells = doorbells,
	};
	spin_unlock_irq(&dev->line.lock);
}

static long sync_get_stats(struct ranchu_vhost *vhost, void __user *argp)
{
	struct vhost_goldfish_sync_stats head, out;
	const size_t head_size = offsetofend(typeof(head), padding);

	if (copy_from_user(&head, argp, head_size))
		return -EFAULT;
	if (head.size < head_size || head.padding)
		return -EINVAL;
	sync_stats_get(sync_dev_of(vhost), &out);
	out.size = min_t(u32, head.size, sizeof(out));
	return copy_to_user(argp, &out, out.size) ? -EFAULT : 0;
}

static const struct ranchu_vhost_ioctl sync_ioctls[] = {
	{ VHOST_GET_BACKEND_FEATURES, sync_get_backend_features, true },
	{ VHOST_GOLDFISH_SYNC_SET_LINE, .locked = sync_set_line },
	{ VHOST_GOLDFISH_SYNC_SET_DOORBELL, .locked = sync_set_doorbell },
	/* The next two look for themselves whether it is the owner who calls. */
	{ VHOST_GOLDFISH_SYNC_ACCESS, sync_access, true },
	{ VHOST_GOLDFISH_SYNC_RUN, sync_run, true },
	{ VHOST_GOLDFISH_SYNC_GET_STATS, sync_get_stats, true },
	{ VHOST_GOLDFISH_SYNC_RENDERER, .locked = sync_renderer },
	{ VHOST_GOLDFISH_SYNC_SET_RUNNING, .locked = sync_set_running },
	/* And these lock when they have what they need. */
	{ VHOST_GOLDFISH_SYNC_GET_STATE, sync_get_state, true },
	{ VHOST_GOLDFISH_SYNC_SET_STATE, sync_set_state, true },
};

/* The owner is dying; in the worker, its last act. Others may keep the file. */
static void sync_orphaned(struct ranchu_vhost *vhost)
{
	sync_renderer_end(sync_dev_of(vhost));
}

static void sync_released(struct ranchu_vhost *vhost)
{
	struct sync_dev *dev = sync_dev_of(vhost);
	unsigned int i;

	/* First whatever starts something: rings, ends of interrupt, the renderer. */
	for (i = 0; i < SYNC_BELLS; i++)
		sync_bell_detach(&dev->bells[i]);
	ranchu_line_clear(&dev->line);
	sync_renderer_end(dev);
	dev->host_gpa = 0;
	dev->guest_gpa = 0;
	sync_regs_reset(dev);
	cancel_delayed_work_sync(&dev->rest);
	WRITE_ONCE(dev->stopped, false);
}

static const struct ranchu_vhost_ops sync_ops = {
	.name = "vhost-goldfish-sync",
	.orphaned = sync_orphaned,
	.released = sync_released,
	.ioctls = sync_ioctls,
	.n_ioctls = ARRAY_SIZE(sync_ioctls),
};

static int sync_open(struct inode *inode, struct file *file)
{
	struct sync_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int err;

	if (!dev)
		return -ENOMEM;
	err = ranchu_vhost_init(&dev->vhost, &sync_ops, NULL, 0);
	if (err) {
		kfree(dev);
		return err;
	}
	ranchu_line_init(&dev->line, &dev->vhost.worker, sync_publish, sync_resampled);
	sync_items_init(dev);
	INIT_DELAYED_WORK(&dev->rest, sync_rested);
	for (i = 0; i < SYNC_BELLS; i++)
		dev->bells[i].dev = dev;
	dev->bells[0].run = sync_guest_reply;
	dev->bells[1].run = sync_guest_command;
	file->private_data = dev;
	return 0;
}

static void sync_dev_end(struct ranchu_release *release)
{
	struct sync_dev *dev = container_of(release, struct sync_dev, release);

	ranchu_vhost_destroy(&dev->vhost);
	kfree(dev);
}

/* By anybody: the file may have come through a socket. */
static int sync_release(struct inode *inode, struct file *file)
{
	struct sync_dev *dev = file->private_data;

	ranchu_release(&dev->release, dev->vhost.process, THIS_MODULE, sync_dev_end);
	return 0;
}

static long sync_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct sync_dev *dev = file->private_data;

	return ranchu_vhost_ioctl(&dev->vhost, number, (void __user *)arg);
}

static const struct file_operations sync_fops = {
	.owner = THIS_MODULE,
	.open = sync_open,
	.release = sync_release,
	.unlocked_ioctl = sync_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice sync_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-goldfish-sync",
	.fops = &sync_fops,
};
module_misc_device(sync_misc);

MODULE_DESCRIPTION("Host side of the Android emulator's goldfish sync device");
MODULE_LICENSE("GPL");
