// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost ioctls that concern a device as a whole, and its life from
 * SET_OWNER to the last close. Rings are vring.c's.
 *
 * Source: linux/vhost.h; errnos are those of drivers/vhost/vhost.c
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/pid.h>
#include <linux/ranchu_vhost.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "ranchu_private.h"

/* In the worker, its last act. */
static void vhost_worker_killed(struct ranchu_worker *worker)
{
	struct ranchu_vhost *dev = container_of(worker, struct ranchu_vhost, worker);

	if (dev->ops->orphaned)
		dev->ops->orphaned(dev);
}

/**
 * ranchu_vhost_init() - make a device without an owner
 * @dev: zeroed
 * @ops: the device module's
 * @vrings: zeroed; live as long as @dev
 * @n_vrings: how many
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int ranchu_vhost_init(struct ranchu_vhost *dev, const struct ranchu_vhost_ops *ops,
		      struct ranchu_vring *vrings, unsigned int n_vrings)
{
	unsigned int i;
	int err;

	err = ranchu_thread_work_test();
	if (err)
		return err;
	err = ranchu_mem_init(&dev->mem);
	if (err)
		return err;
	mutex_init(&dev->lock);
	mutex_init(&dev->log_lock);
	ranchu_worker_init(&dev->worker);
	dev->worker.killed = vhost_worker_killed;
	dev->ops = ops;
	dev->vrings = vrings;
	dev->n_vrings = n_vrings;
	for (i = 0; i < n_vrings; i++)
		ranchu_vring_init(&vrings[i], dev);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_vhost_init);

static void vhost_swap_log_fd(struct ranchu_vhost *dev, struct eventfd_ctx *ctx)
{
	mutex_lock(&dev->log_lock);
	swap(dev->log_fd, ctx);
	mutex_unlock(&dev->log_lock);
	if (ctx)
		eventfd_ctx_put(ctx);
}

/**
 * ranchu_vhost_start_worker() - start a device's worker, or a ring's
 * @worker: initialised, not running
 *
 * Context: the owner's process.
 * Return: as ranchu_worker_start().
 */
int ranchu_vhost_start_worker(struct ranchu_worker *worker)
{
	char name[TASK_COMM_LEN];

	snprintf(name, sizeof(name), "vhost-%d", current->pid);
	return ranchu_worker_start(worker, name);
}

static void vhost_workers_stop(struct ranchu_vhost *dev)
{
	unsigned int i;

	ranchu_worker_stop(&dev->worker);
	for (i = 0; i < dev->n_vrings; i++)
		ranchu_worker_stop(&dev->vrings[i].own_worker);
}

/*
 * From an owned device to one without an owner. Any process may be the one
 * that closes the file, so nothing here touches the owner's memory.
 */
static void vhost_release_owner(struct ranchu_vhost *dev)
{
	struct mm_struct *mm = dev->mm;
	unsigned int i;

	if (!mm)
		return;
	ranchu_vhost_stop(dev);
	for (i = 0; i < dev->n_vrings; i++)
		ranchu_vring_release(&dev->vrings[i]);
	/* What is still queued finds its ring stopped. */
	vhost_workers_stop(dev);
	/* Who waits for the device, and is woken now, finds no owner. */
	WRITE_ONCE(dev->mm, NULL);
	if (dev->ops->released)
		dev->ops->released(dev);
	vhost_swap_log_fd(dev, NULL);
	ranchu_mem_clear(&dev->mem);
	dev->features = 0;
	dev->backend_features = 0;
	dev->log = 0;
	dev->log_set = false;
	put_pid(dev->process);
	dev->process = NULL;
	mmdrop(mm);
}

/**
 * ranchu_vhost_destroy() - undo ranchu_vhost_init()
 * @dev: no ioctl runs or will
 *
 * Context: any process; may sleep.
 */
void ranchu_vhost_destroy(struct ranchu_vhost *dev)
{
	mutex_lock(&dev->lock);
	vhost_release_owner(dev);
	mutex_unlock(&dev->lock);
	ranchu_mem_destroy(&dev->mem);
}
EXPORT_SYMBOL_GPL(ranchu_vhost_destroy);

/**
 * ranchu_vhost_start() - start all rings
 * @dev: has an owner; rings that run already go on
 *
 * Context: the owner's process, the device's lock held.
 * Return:
 * * 0: all run
 * * -EINVAL: a ring's size, place, base or features are wrong
 * * -EFAULT: there is no memory table, or a ring was never placed or cannot be
 *   accessed; none runs
 * * -ESRCH: a worker was killed; none runs
 */
int ranchu_vhost_start(struct ranchu_vhost *dev)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&dev->lock);
	if (!ranchu_mem_is_set(&dev->mem))
		return -EFAULT;
	for (i = 0; i < dev->n_vrings; i++) {
		if (dev->ops->optional & BIT(i) && !dev->vrings[i].setup.num)
			continue;
		err = ranchu_vring_start(&dev->vrings[i]);
		if (err) {
			ranchu_vhost_stop(dev);
			return err;
		}
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_vhost_start);

/**
 * ranchu_vhost_stop() - stop all rings
 * @dev: the device; rings may be stopped already
 *
 * On return kicked() does not run, and is not called until the next start.
 *
 * Context: any process, the device's lock held; may sleep.
 */
void ranchu_vhost_stop(struct ranchu_vhost *dev)
{
	unsigned int i;

	lockdep_assert_held(&dev->lock);
	for (i = 0; i < dev->n_vrings; i++)
		ranchu_vring_stop(&dev->vrings[i]);
}
EXPORT_SYMBOL_GPL(ranchu_vhost_stop);

/**
 * ranchu_vhost_is_running() - tell whether any ring runs
 * @dev: the device
 *
 * Context: the device's lock held, which no start or stop goes without.
 * Return: whether one does.
 */
bool ranchu_vhost_is_running(const struct ranchu_vhost *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_vrings; i++)
		if (dev->vrings[i].running)
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(ranchu_vhost_is_running);

static void vhost_refresh(struct ranchu_vhost *dev)
{
	unsigned int i;

	for (i = 0; i < dev->n_vrings; i++) {
		mutex_lock(&dev->vrings[i].lock);
		ranchu_vring_refresh(&dev->vrings[i]);
		ranchu_vring_unlock(&dev->vrings[i]);
	}
}

static bool vhost_is_owner(const struct ranchu_vhost *dev)
{
	return READ_ONCE(dev->mm) == current->mm;
}

/**
 * ranchu_vhost_lock() - lock a device for an ioctl of the owner's
 * @dev: the device
 *
 * Others are refused before they take a lock, so that nobody waits for them, nor they for
 * the owner. For ioctls that table rows with @locked cannot serve.
 *
 * Context: may sleep.
 * Return:
 * * 0: locked; the caller is the owner until ranchu_vhost_unlock()
 * * -EPERM: the caller is not the owner
 * * -EINTR: the caller was killed
 */
int ranchu_vhost_lock(struct ranchu_vhost *dev)
{
	if (!vhost_is_owner(dev))
		return -EPERM;
	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	if (vhost_is_owner(dev))
		return 0;
	mutex_unlock(&dev->lock);
	return -EPERM;
}
EXPORT_SYMBOL_GPL(ranchu_vhost_lock);

/**
 * ranchu_vhost_unlock() - undo ranchu_vhost_lock()
 * @dev: the device
 */
void ranchu_vhost_unlock(struct ranchu_vhost *dev)
{
	mutex_unlock(&dev->lock);
}
EXPORT_SYMBOL_GPL(ranchu_vhost_unlock);

static int vhost_set_owner_locked(struct ranchu_vhost *dev)
{
	int err;

	lockdep_assert_held(&dev->lock);
	if (dev->mm)
		return -EBUSY;
	if (!dev->ops->ring_workers) {
		err = ranchu_vhost_start_worker(&dev->worker);
		if (err)
			return err;
	}
	mmgrab(current->mm);
	WRITE_ONCE(dev->mm, current->mm);
	dev->process = get_pid(task_tgid(current));
	return 0;
}

static long vhost_set_owner(struct ranchu_vhost *dev, void __user *argp)
{
	int err;

	/* Without the lock: nobody is to wait for a stranger who tries. */
	if (READ_ONCE(dev->mm))
		return -EBUSY;
	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	err = vhost_set_owner_locked(dev);
	mutex_unlock(&dev->lock);
	return err;
}

static long vhost_reset_owner(struct ranchu_vhost *dev, void *arg)
{
	vhost_release_owner(dev);
	return 0;
}

static long vhost_get_features(struct ranchu_vhost *dev, void __user *argp)
{
	u64 features = dev->ops->features;

	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

/* -EFAULT for a log that is not there is what VMMs know from vhost. */
static long vhost_set_features(struct ranchu_vhost *dev, void *arg)
{
	const u64 log = BIT_ULL(VHOST_F_LOG_ALL);
	const u64 features = *(const u64 *)arg;

	if (features & ~dev->ops->features)
		return -EOPNOTSUPP;
	if (features & log && !dev->log_set)
		return -EFAULT;
	if ((features ^ dev->features) & ~log && ranchu_vhost_is_running(dev))
		return -EBUSY;
	dev->features = features;
	vhost_refresh(dev);
	return 0;
}

static long vhost_get_backend_features(struct ranchu_vhost *dev, void __user *argp)
{
	u64 features = dev->ops->backend_features;

	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

static long vhost_set_backend_features(struct ranchu_vhost *dev, void *arg)
{
	const u64 features = *(const u64 *)arg;

	if (features & ~dev->ops->backend_features)
		return -EOPNOTSUPP;
	if (features != dev->backend_features && ranchu_vhost_is_running(dev))
		return -EBUSY;
	dev->backend_features = features;
	return 0;
}

/*
 * On return nobody uses the old memory: kicked() has left it when ranchu_mem_replace()
 * returns, and what is under way is answered.
 */
static long vhost_set_mem_table(struct ranchu_vhost *dev, void __user *argp)
{
	struct ranchu_mem_table *table;
	unsigned int i;
	int err;

	if (!vhost_is_owner(dev))
		return -EPERM;
	table = ranchu_mem_fetch(argp);
	if (IS_ERR(table))
		return PTR_ERR(table);
	err = ranchu_vhost_lock(dev);
	if (err) {
		ranchu_mem_table_free(table);
		return err;
	}
	ranchu_mem_replace(&dev->mem, table);
	for (i = 0; i < dev->n_vrings; i++) {
		mutex_lock(&dev->vrings[i].lock);
		ranchu_vring_drain(&dev->vrings[i]);
		ranchu_vring_unlock(&dev->vrings[i]);
	}
	mutex_unlock(&dev->lock);
	return 0;
}

static long vhost_set_log_base(struct ranchu_vhost *dev, void *arg)
{
	const u64 log = *(const u64 *)arg;
	u64 size;
	int idx;

	idx = ranchu_mem_enter(&dev->mem);
	size = ranchu_mem_log_size(&dev->mem);
	ranchu_mem_leave(&dev->mem, idx);
	if (!access_ok(u64_to_user_ptr(log), size))
		return -EFAULT;
	dev->log = log;
	dev->log_set = true;
	vhost_refresh(dev);
	return 0;
}

static long vhost_set_log_fd(struct ranchu_vhost *dev, void *arg)
{
	struct eventfd_ctx *ctx = NULL;
	const int fd = *(const int *)arg;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	vhost_swap_log_fd(dev, ctx);
	return 0;
}

/* Not here, so refused: workers of the VMM's making, rings of another endian. */
static const struct ranchu_vhost_ioctl vhost_ioctls[] = {
	{ VHOST_SET_OWNER, vhost_set_owner, true },
	{ VHOST_RESET_OWNER, .locked = vhost_reset_owner },
	{ VHOST_GET_FEATURES, vhost_get_features, true },
	{ VHOST_SET_FEATURES, .locked = vhost_set_features },
	{ VHOST_GET_BACKEND_FEATURES, vhost_get_backend_features, true },
	{ VHOST_SET_BACKEND_FEATURES, .locked = vhost_set_backend_features },
	/* It locks when it has fetched as much as there is, and knows who the owner is. */
	{ VHOST_SET_MEM_TABLE, vhost_set_mem_table, true },
	{ VHOST_SET_LOG_BASE, .locked = vhost_set_log_base },
	{ VHOST_SET_LOG_FD, .locked = vhost_set_log_fd },
};

static const struct ranchu_vhost_ioctl *
vhost_find_ioctl(const struct ranchu_vhost_ioctl *rows, unsigned int n,
		 unsigned int number)
{
	const struct ranchu_vhost_ioctl *row;

	for (row = rows; row < rows + n; row++)
		if (row->number == number)
			return row;
	return NULL;
}

/* What a call of a row's @locked, or of a ring's, needs, and takes. */
union vhost_arg {
	u8 bytes[RANCHU_VHOST_MAX_ARG];
	u64 align;
};

/*
 * An ioctl whose argument is fetched before the lock is taken, and given back after:
 * neither holds up who waits for the lock.
 */
static long vhost_ioctl_locked(struct ranchu_vhost *dev,
			       const struct ranchu_vhost_ioctl *row,
			       const struct vring_ioctl *of_vring,
			       unsigned int number, void __user *argp)
{
	bool answers = row ? _IOC_DIR(number) & _IOC_READ : ranchu_vring_answers(of_vring);
	size_t size = _IOC_SIZE(number);
	union vhost_arg arg = {};
	long ret;

	if (WARN_ON_ONCE(size > sizeof(arg)))
		return -EINVAL;
	if (!vhost_is_owner(dev))
		return -EPERM;
	if (_IOC_DIR(number) & _IOC_WRITE && copy_from_user(&arg, argp, size))
		return -EFAULT;
	ret = ranchu_vhost_lock(dev);
	if (ret)
		return ret;
	ret = row ? row->locked(dev, &arg) : ranchu_vring_ioctl(dev, of_vring, &arg);
	mutex_unlock(&dev->lock);
	if (!ret && answers && copy_to_user(argp, &arg, size))
		return -EFAULT;
	return ret;
}

/**
 * ranchu_vhost_ioctl() - serve an ioctl
 * @dev: the device
 * @number: one of linux/vhost.h's or of the device's own table
 * @argp: its argument
 *
 * Context: may sleep.
 * Return: what the ioctl's function says, or
 * * -ENOIOCTLCMD: no such ioctl here
 * * -EPERM: the caller is not the owner
 * * -EINTR: the caller was killed while it waited for others of the owner's
 */
long ranchu_vhost_ioctl(struct ranchu_vhost *dev, unsigned int number,
			void __user *argp)
{
	const struct vring_ioctl *of_vring = ranchu_vring_find_ioctl(number);
	const struct ranchu_vhost_ioctl *row;
	long ret;

	row = vhost_find_ioctl(dev->ops->ioctls, dev->ops->n_ioctls, number) ?:
	      vhost_find_ioctl(vhost_ioctls, ARRAY_SIZE(vhost_ioctls), number);
	if (!row && !of_vring)
		return -ENOIOCTLCMD;
	if (row && row->anyone)
		return row->fn(dev, argp);
	if (!row || row->locked)
		return vhost_ioctl_locked(dev, row, of_vring, number, argp);
	ret = ranchu_vhost_lock(dev);
	if (ret)
		return ret;
	ret = row->fn(dev, argp);
	mutex_unlock(&dev->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ranchu_vhost_ioctl);
