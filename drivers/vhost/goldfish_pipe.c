// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-goldfish-pipe: the device node, its ioctls, and the life of a
 * device from SET_OWNER to the last close. One open file is the pipe of one
 * guest. Commands are goldfish_pipe_cmd.c's, their buffers goldfish_pipe_move.c's,
 * other registers goldfish_pipe_regs.c's, all of protocol v1 goldfish_pipe_v1.c's,
 * wakes goldfish_pipe_signal.c's, snapshots goldfish_pipe_state.c's; a service is a file
 * goldfish_pipe_<name>.c each, those of other processes are goldfish_pipe_services.c's and
 * goldfish_pipe_remote.c's.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/ranchu_irq.h>
#include <linux/ranchu_run.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost_goldfish_sync.h>

#include "goldfish_pipe.h"

/**
 * struct pipe_ioctl - a row of the table below
 * @number: the ioctl
 * @fn: serves it; @argp is the argument as a pointer. Called without a lock, and
 *	touches @argp without one: that may wait for whoever provides that memory.
 * @owner: others than the owner are refused before anything is done for them
 */
struct pipe_ioctl {
	unsigned int number;
	long (*fn)(struct pipe_dev *dev, void __user *argp);
	bool owner;
};

static bool pipe_is_owner(const struct pipe_dev *dev)
{
	/* Pairs with the release in pipe_set_owner(). */
	return smp_load_acquire(&dev->mm) == current->mm;
}

/*
 * Until pipe_leave() the device keeps the caller as its owner. Returns what pipe_leave()
 * needs, or -EPERM.
 */
static int pipe_enter(struct pipe_dev *dev)
{
	int idx = srcu_read_lock(&dev->users);

	/* Sparse does not know of locks that are taken or not. */
	__release(&dev->users);
	if (likely(pipe_is_owner(dev)))
		return idx;
	__acquire(&dev->users);
	srcu_read_unlock(&dev->users, idx);
	return -EPERM;
}

static void pipe_leave(struct pipe_dev *dev, int idx)
{
	__acquire(&dev->users);
	srcu_read_unlock(&dev->users, idx);
}

/**
 * pipe_config_enter() - begin to serve an ioctl of the owner's that changes the set-up
 * @dev: the device
 *
 * Until pipe_config_leave() the device keeps the caller as its owner, and @dev->config is
 * locked.
 *
 * Return: what pipe_config_leave() needs; -EPERM: the caller is not the owner; -EINTR:
 * the caller was killed.
 */
int pipe_config_enter(struct pipe_dev *dev)
{
	int idx = pipe_enter(dev);

	if (idx < 0 || !mutex_lock_killable(&dev->config))
		return idx;
	pipe_leave(dev, idx);
	return -EINTR;
}

/**
 * pipe_config_leave() - undo pipe_config_enter()
 * @dev: the device
 * @idx: what pipe_config_enter() has returned
 */
void pipe_config_leave(struct pipe_dev *dev, int idx)
{
	mutex_unlock(&dev->config);
	pipe_leave(dev, idx);
}

static void pipe_regs_init(struct pipe_dev *dev)
{
	dev->version = GOLDFISH_PIPE_DEVICE_VERSION_1;
	dev->stopped = false;
	dev->open_set = false;
	dev->open_gpa = 0;
	dev->signal_gpa = 0;
	dev->signal_count = 0;
	dev->published = 0;
	ranchu_pin_put(&dev->signals);
	ranchu_pin_put(&dev->window);
	pipe_v1_forget(dev);
	memset(&dev->v1.regs, 0, sizeof(dev->v1.regs));
}

static void pipe_doorbell_detach(struct pipe *pipe)
{
	if (!pipe->doorbell)
		return;
	ranchu_doorbell_detach(pipe->doorbell);
	WRITE_ONCE(pipe->doorbell, NULL);
}

/*
 * From a device that @mm owned to one without an owner. Any process may be the one
 * that closes the file, so nothing here touches the owner's memory.
 */
static void pipe_dev_stop(struct pipe_dev *dev, struct mm_struct *mm)
{
	struct pipe *pipe;
	unsigned long id;

	if (!mm)
		return;
	/* First whatever starts something: rings of CMD, ends of interrupt. */
	xa_for_each(&dev->pipes, id, pipe)
		pipe_doorbell_detach(pipe);
	ranchu_line_clear(&dev->line);
	/* Then the services' timers; with no pipe left nothing is signalled. */
	pipe_close_all(dev);
	/* Then what they have left for the worker, which has nothing to say. */
	ranchu_worker_stop(&dev->worker);
	pipe_registry_finish(dev->registry);
	pipe_registry_end(dev->registry);
	dev->registry = NULL;
	ranchu_mem_clear(&dev->mem);

	xa_for_each(&dev->pipes, id, pipe) {
		pipe_stats_add(&dev->stats.gone, &pipe->counts);
		kfree(pipe);
	}
	xa_destroy(&dev->pipes);
	pipe_regs_init(dev);
	put_pid(dev->process);
	dev->process = NULL;
	WRITE_ONCE(dev->mm, NULL);
	mmdrop(mm);
}

/*
 * The owner is dying; in the worker, its last act. Others may keep the file, and so
 * may a socket that a pipe has and that nobody reads any more: only we can undo that.
 */
static void pipe_orphaned(struct ranchu_worker *worker)
{
	struct pipe_dev *dev = container_of(worker, struct pipe_dev, worker);

	pipe_registry_close(dev->registry);
	pipe_close_all(dev);
	pipe_registry_finish(dev->registry);
	/* Whoever else has this file is not to keep the owner's VM. */
	ranchu_line_set_irq(&dev->line, NULL);
}

static int pipe_set_owner_locked(struct pipe_dev *dev)
{
	struct pipe_registry *registry;
	char name[TASK_COMM_LEN];
	int err;

	lockdep_assert_held(&dev->life);
	if (dev->mm)
		return -EBUSY;
	registry = pipe_registry_create(&dev->worker);
	if (!registry)
		return -ENOMEM;
	/* The worker may be killed as soon as it runs. */
	dev->registry = registry;
	snprintf(name, sizeof(name), "vhost-%d", current->pid);
	err = ranchu_worker_start(&dev->worker, name);
	if (err) {
		dev->registry = NULL;
		pipe_registry_end(registry);
		return err;
	}
	mmgrab(current->mm);
	dev->process = get_pid(task_tgid(current));
	/* Last: from here on the owner's ioctls are served. Pairs with pipe_is_owner(). */
	smp_store_release(&dev->mm, current->mm);
	return 0;
}

static long pipe_set_owner(struct pipe_dev *dev, void __user *argp)
{
	int err;

	/* Without the lock: nobody is to wait for a stranger who tries. */
	if (READ_ONCE(dev->mm))
		return -EBUSY;
	if (mutex_lock_killable(&dev->life))
		return -EINTR;
	err = pipe_set_owner_locked(dev);
	mutex_unlock(&dev->life);
	return err;
}

static void pipe_unused(struct rcu_head *rcu)
{
	complete_all(&container_of(rcu, struct pipe_dev, unused_rcu)->unused);
}

/*
 * Refuses the owner's ioctls from here on and waits for those that run, which may wait
 * for the owner's memory. Another process may have that memory as well: who waits can
 * be killed, and then the device is the owner's as before.
 */
static int pipe_wait_unused(struct pipe_dev *dev)
{
	struct mm_struct *mm = dev->mm;

	lockdep_assert_held(&dev->life);
	/* One that was killed may have left its wait behind. */
	if (wait_for_completion_killable(&dev->unused))
		return -EINTR;
	reinit_completion(&dev->unused);
	WRITE_ONCE(dev->mm, NULL);
	call_srcu(&dev->users, &dev->unused_rcu, pipe_unused);
	if (!wait_for_completion_killable(&dev->unused))
		return 0;
	/* Pairs with pipe_is_owner(). */
	smp_store_release(&dev->mm, mm);
	return -EINTR;
}

static int pipe_reset_owner_locked(struct pipe_dev *dev)
{
	struct mm_struct *mm = dev->mm;
	int err;

	if (!pipe_is_owner(dev))
		return -EPERM;
	err = pipe_wait_unused(dev);
	if (!err)
		pipe_dev_stop(dev, mm);
	return err;
}

static long pipe_reset_owner(struct pipe_dev *dev, void __user *argp)
{
	int err;

	if (mutex_lock_killable(&dev->life))
		return -EINTR;
	err = pipe_reset_owner_locked(dev);
	mutex_unlock(&dev->life);
	return err;
}

static long pipe_get_features(struct pipe_dev *dev, void __user *argp)
{
	u64 features = 0;

	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

static long pipe_set_features(struct pipe_dev *dev, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	return features ? -EOPNOTSUPP : 0;
}

static long pipe_get_backend_features(struct pipe_dev *dev, void __user *argp)
{
	u64 features = 0;

	if (ranchu_doorbell_supported())
		features |= BIT_ULL(VHOST_GOLDFISH_PIPE_F_DOORBELL);
	if (ranchu_run_supported())
		features |= BIT_ULL(VHOST_GOLDFISH_PIPE_F_RUN);
	if (RANCHU_HAS_IRQ)
		features |= BIT_ULL(VHOST_GOLDFISH_PIPE_F_LINE_VM);
	return copy_to_user(argp, &features, sizeof(features)) ? -EFAULT : 0;
}

/*
 * Whoever has found an address in the old memory is gone when ranchu_mem_replace()
 * returns, unless it has kept it: what is kept is good for one number of @memory.
 */
static long pipe_set_mem_table(struct pipe_dev *dev, void __user *argp)
{
	struct ranchu_mem_table *table = ranchu_mem_fetch(argp);
	int idx;

	if (IS_ERR(table))
		return PTR_ERR(table);
	idx = pipe_config_enter(dev);
	if (idx < 0) {
		ranchu_mem_table_free(table);
		return idx;
	}
	WRITE_ONCE(dev->memory, dev->memory + 1);
	ranchu_mem_replace(&dev->mem, table);
	/* After the table. Pairs with pipe_find_command()'s acquire. */
	smp_store_release(&dev->memory, dev->memory + 1);
	pipe_signal_place(dev);
	ranchu_line_update(&dev->line, false);
	pipe_config_leave(dev, idx);
	return 0;
}

static long pipe_set_window(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_window window;
	struct ranchu_pin pin = {};
	int idx, err;

	if (copy_from_user(&window, argp, sizeof(window)))
		return -EFAULT;
	if (!PAGE_ALIGNED(window.uaddr) || window.uaddr > ULONG_MAX)
		return -EINVAL;
	err = window.uaddr ? ranchu_pin_get(&pin, u64_to_user_ptr(window.uaddr), PAGE_SIZE) : 0;
	if (err)
		return err;
	idx = pipe_config_enter(dev);
	if (idx < 0) {
		err = idx;
		goto put;
	}
	/*
	 * A line that the VMM lowers is lowered by a trapped read. What an interrupt
	 * that we send is about is known by one, too.
	 */
	if (pin.len && ((dev->line.call && !dev->line.resample) || ranchu_line_has_irq(&dev->line)))
		err = -EINVAL;
	else
		pipe_window_set(dev, &pin);
	pipe_config_leave(dev, idx);
put:
	ranchu_pin_put(&pin);
	return err;
}

static long pipe_set_line(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_line line;
	int idx, err;

	if (copy_from_user(&line, argp, sizeof(line)))
		return -EFAULT;
	if (line.call_fd < -1 || line.resample_fd < -1)
		return -EBADF;
	idx = pipe_config_enter(dev);
	if (idx < 0)
		return idx;
	if (line.call_fd != -1 && line.resample_fd == -1 && dev->window.len)
		err = -EINVAL;
	else
		err = ranchu_line_set(&dev->line, current->mm, line.call_fd,
				      line.resample_fd);
	pipe_config_leave(dev, idx);
	return err;
}

static_assert(VHOST_GOLDFISH_PIPE_LINE_MEMORY == RANCHU_IRQ_MEMORY);

static long pipe_set_line_vm(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_line_vm line;
	struct ranchu_irq *irq = NULL;
	int idx, err = 0;

	if (copy_from_user(&line, argp, sizeof(line)))
		return -EFAULT;
	if (!RANCHU_HAS_IRQ)
		return -EOPNOTSUPP;
	if (line.vm_fd < -1)
		return -EBADF;
	if (line.uaddr > ULONG_MAX)
		return -EINVAL;
	if (line.vm_fd != -1)
		irq = ranchu_irq_create(line.vm_fd, line.gsi, u64_to_user_ptr(line.uaddr));
	if (IS_ERR(irq))
		return PTR_ERR(irq);
	idx = pipe_config_enter(dev);
	if (idx < 0) {
		ranchu_irq_put(irq);
		return idx;
	}
	if (irq && dev->window.len)
		err = -EINVAL;
	else
		ranchu_line_set_irq(&dev->line, irq);
	/* pipe_orphaned() may have come first. */
	if (READ_ONCE(dev->worker.dead))
		ranchu_line_set_irq(&dev->line, NULL);
	pipe_config_leave(dev, idx);
	if (err)
		ranchu_irq_put(irq);
	return err;
}

static void pipe_doorbell_rung(void *data, enum ranchu_ring how)
{
	struct pipe *pipe = data;

	if (how == RANCHU_RING_LOST)
		atomic64_inc(&pipe->dev->stats.kicks_lost);
	else
		pipe_command(pipe, how == RANCHU_RING_VCPU ? PIPE_BY_VCPU : PIPE_BY_WORKER);
}

static int pipe_attach_doorbell(struct pipe_dev *dev, u32 id, int fd)
{
	struct ranchu_doorbell *doorbell;
	struct pipe *pipe;

	lockdep_assert_held(&dev->config);
	if (!ranchu_doorbell_supported())
		return -EOPNOTSUPP;
	pipe = pipe_get(dev, id);
	if (!pipe)
		return -ENOMEM;
	if (pipe->doorbell)
		return -EBUSY;
	doorbell = ranchu_doorbell_attach(fd, current->mm, &dev->worker,
					  RANCHU_SERVE_VCPU, pipe_doorbell_rung,
					  pipe);
	if (IS_ERR(doorbell))
		return PTR_ERR(doorbell);
	WRITE_ONCE(pipe->doorbell, doorbell);
	return 0;
}

static int pipe_remove_doorbell(struct pipe_dev *dev, u32 id)
{
	struct pipe *pipe = xa_load(&dev->pipes, id);

	lockdep_assert_held(&dev->config);
	if (!pipe || !pipe->doorbell)
		return -ENOENT;
	pipe_doorbell_detach(pipe);
	return 0;
}

static long pipe_set_doorbell(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_doorbell doorbell;
	int idx, err;

	if (copy_from_user(&doorbell, argp, sizeof(doorbell)))
		return -EFAULT;
	if (doorbell.id >= VHOST_GOLDFISH_PIPE_MAX_ID)
		return -EINVAL;
	idx = pipe_config_enter(dev);
	if (idx < 0)
		return idx;
	if (doorbell.fd != -1)
		err = pipe_attach_doorbell(dev, doorbell.id, doorbell.fd);
	else
		err = pipe_remove_doorbell(dev, doorbell.id);
	pipe_config_leave(dev, idx);
	return err;
}

static long pipe_access(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_access access;
	bool write;
	int idx;

	if (copy_from_user(&access, argp, sizeof(access)))
		return -EFAULT;
	write = access.flags & VHOST_GOLDFISH_PIPE_ACCESS_WRITE;
	if (access.flags & ~VHOST_GOLDFISH_PIPE_ACCESS_WRITE || access.padding)
		return -EINVAL;

	idx = pipe_enter(dev);
	if (idx < 0)
		return idx;
	if (pipe_is_stopped(dev)) {
		pipe_leave(dev, idx);
		return -EBUSY;
	}
	access.flags = 0;
	if (write && access.offset == GOLDFISH_PIPE_REG_CMD) {
		if (pipe_command_access(dev, access.value))
			access.flags |= VHOST_GOLDFISH_PIPE_ACCESS_OPEN;
	} else if (write) {
		pipe_regs_write(dev, access.offset, access.value);
	} else {
		access.value = pipe_regs_read(dev, access.offset);
	}
	if (pipe_speaks_v1(dev))
		access.flags |= VHOST_GOLDFISH_PIPE_ACCESS_V1;
	if (ranchu_line_raised(&dev->line))
		access.flags |= VHOST_GOLDFISH_PIPE_ACCESS_LINE;
	pipe_leave(dev, idx);
	return copy_to_user(argp, &access, sizeof(access)) ? -EFAULT : 0;
}

/**
 * struct pipe_run - a vCPU that runs by RUN
 * @dev: the device
 * @base: where its registers are
 */
struct pipe_run {
	struct pipe_dev *dev;
	u64 base;
};

static bool pipe_run_read(void *data, u64 gpa, u32 len, u32 *value)
{
	const struct pipe_run *run = data;
	struct pipe_dev *dev = run->dev;
	bool served;
	int idx;

	if (gpa - run->base >= SZ_4K || len != sizeof(*value))
		return false;
	idx = pipe_enter(dev);
	if (idx < 0)
		return false;
	/* A VMM that drives the line is told its level by ACCESS. */
	served = !pipe_is_stopped(dev) && READ_ONCE(dev->line.resample);
	if (served)
		*value = pipe_regs_read(dev, gpa - run->base);
	pipe_leave(dev, idx);
	return served;
}

/* Without a lock: the guest may run for as long as it likes. */
static long pipe_run_vcpu(struct pipe_dev *dev, void __user *argp)
{
	struct pipe_run run = { .dev = dev };
	struct vhost_goldfish_pipe_run arg;
	struct kvm_run __user *shared;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.padding || arg.sync > ULONG_MAX)
		return -EINVAL;
	run.base = arg.base;
	shared = u64_to_user_ptr(arg.run);
	if (arg.sync)
		return ranchu_run_by(arg.fd, VHOST_GOLDFISH_SYNC_RUN, arg.sync, shared,
				     pipe_run_read, &run);
	return ranchu_run(arg.fd, shared, pipe_run_read, &run);
}

/* What the guest has rung for before its vCPUs stopped is still served. */
static int pipe_finish_work(struct pipe_dev *dev)
{
	int idx = pipe_enter(dev);
	int err;

	if (idx < 0)
		return idx;
	err = ranchu_worker_flush(&dev->worker);
	pipe_leave(dev, idx);
	return err;
}

static long pipe_set_running(struct pipe_dev *dev, void __user *argp)
{
	int idx, err, running;

	if (copy_from_user(&running, argp, sizeof(running)))
		return -EFAULT;
	if (running < 0 || running > 1)
		return -EINVAL;
	err = running ? 0 : pipe_finish_work(dev);
	if (err)
		return err;
	idx = pipe_config_enter(dev);
	if (idx < 0)
		return idx;
	pipe_set_running_locked(dev, running);
	pipe_config_leave(dev, idx);
	return 0;
}

static int pipe_hang_up_open(struct pipe *pipe)
{
	int ret = -ENOENT;

	if (!pipe)
		return -ENOENT;
	if (mutex_lock_killable(&pipe->lock))
		return -EINTR;
	if (pipe->service) {
		pipe_hang_up(pipe);
		ret = 0;
	}
	mutex_unlock(&pipe->lock);
	return ret;
}

static long pipe_hang_up_id(struct pipe_dev *dev, void __user *argp)
{
	int idx, ret;
	u32 id;

	if (copy_from_user(&id, argp, sizeof(id)))
		return -EFAULT;
	idx = pipe_enter(dev);
	if (idx < 0)
		return idx;
	ret = pipe_hang_up_open(xa_load(&dev->pipes, id));
	pipe_leave(dev, idx);
	return ret;
}

static long pipe_services(struct pipe_dev *dev, void __user *argp)
{
	int idx = pipe_enter(dev), fd;

	if (idx < 0)
		return idx;
	fd = pipe_services_open(dev->registry);
	pipe_leave(dev, idx);
	return fd;
}

static long pipe_get_stats(struct pipe_dev *dev, void __user *argp)
{
	struct vhost_goldfish_pipe_stats head, out;
	const size_t head_size = offsetofend(typeof(head), padding);

	if (copy_from_user(&head, argp, head_size))
		return -EFAULT;
	if (head.size < head_size || head.padding)
		return -EINVAL;
	if (mutex_lock_killable(&dev->life))
		return -EINTR;
	pipe_stats_get(dev, &out);
	mutex_unlock(&dev->life);
	out.size = min_t(u32, head.size, sizeof(out));
	return copy_to_user(argp, &out, out.size) ? -EFAULT : 0;
}

static const struct pipe_ioctl pipe_ioctls[] = {
	{ VHOST_SET_OWNER, pipe_set_owner },
	{ VHOST_RESET_OWNER, pipe_reset_owner, true },
	{ VHOST_GET_FEATURES, pipe_get_features },
	{ VHOST_SET_FEATURES, pipe_set_features, true },
	{ VHOST_GET_BACKEND_FEATURES, pipe_get_backend_features },
	{ VHOST_SET_MEM_TABLE, pipe_set_mem_table, true },
	{ VHOST_GOLDFISH_PIPE_SET_WINDOW, pipe_set_window, true },
	{ VHOST_GOLDFISH_PIPE_SET_LINE, pipe_set_line, true },
	{ VHOST_GOLDFISH_PIPE_SET_LINE_VM, pipe_set_line_vm, true },
	{ VHOST_GOLDFISH_PIPE_SET_DOORBELL, pipe_set_doorbell, true },
	{ VHOST_GOLDFISH_PIPE_ACCESS, pipe_access, true },
	{ VHOST_GOLDFISH_PIPE_RUN, pipe_run_vcpu, true },
	{ VHOST_GOLDFISH_PIPE_HANG_UP, pipe_hang_up_id, true },
	{ VHOST_GOLDFISH_PIPE_GET_STATS, pipe_get_stats },
	{ VHOST_GOLDFISH_PIPE_SERVICES, pipe_services, true },
	{ VHOST_GOLDFISH_PIPE_SET_RUNNING, pipe_set_running, true },
	{ VHOST_GOLDFISH_PIPE_GET_STATE, pipe_get_state, true },
	{ VHOST_GOLDFISH_PIPE_SET_STATE, pipe_set_state, true },
};

static long pipe_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct pipe_dev *dev = file->private_data;
	const struct pipe_ioctl *row = pipe_ioctls;

	while (row->number != number)
		if (++row == pipe_ioctls + ARRAY_SIZE(pipe_ioctls))
			return -ENOIOCTLCMD;
	/* Asked again by pipe_enter(), which what follows begins with. */
	if (row->owner && READ_ONCE(dev->mm) != current->mm)
		return -EPERM;
	return row->fn(dev, (void __user *)arg);
}

static int pipe_dev_open(struct inode *inode, struct file *file)
{
	struct pipe_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	int err;

	if (!dev)
		return -ENOMEM;
	err = ranchu_doorbell_test();
	if (err)
		goto err_dev;
	err = ranchu_mem_init(&dev->mem);
	if (err)
		goto err_dev;
	err = init_srcu_struct(&dev->users);
	if (err)
		goto err_mem;
	mutex_init(&dev->life);
	init_completion(&dev->unused);
	complete_all(&dev->unused);
	mutex_init(&dev->config);
	ranchu_worker_init(&dev->worker);
	dev->worker.killed = pipe_orphaned;
	ranchu_line_init(&dev->line, &dev->worker, pipe_signal_publish,
			 pipe_signal_resampled);
	xa_init(&dev->pipes);
	pipe_dma_init(&dev->dma);
	pipe_v1_init(dev);
	pipe_regs_init(dev);
	spin_lock_init(&dev->signal_lock);
	INIT_LIST_HEAD(&dev->signalled);
	file->private_data = dev;
	return 0;

err_mem:
	ranchu_mem_destroy(&dev->mem);
err_dev:
	kfree(dev);
	return err;
}

/* No ioctl can run any more, so no lock is needed. */
static void pipe_dev_free(struct ranchu_release *release)
{
	struct pipe_dev *dev = container_of(release, struct pipe_dev, release);

	pipe_dev_stop(dev, dev->mm);
	/* A RESET_OWNER that was killed has left a call behind. */
	srcu_barrier(&dev->users);
	cleanup_srcu_struct(&dev->users);
	pipe_dma_destroy(&dev->dma);
	ranchu_mem_destroy(&dev->mem);
	kfree(dev);
}

/* By anybody: the file may have come through a socket. */
static int pipe_release(struct inode *inode, struct file *file)
{
	struct pipe_dev *dev = file->private_data;

	ranchu_release(&dev->release, dev->process, THIS_MODULE, pipe_dev_free);
	return 0;
}

static const struct file_operations pipe_fops = {
	.owner = THIS_MODULE,
	.open = pipe_dev_open,
	.release = pipe_release,
	.unlocked_ioctl = pipe_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice pipe_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-goldfish-pipe",
	.fops = &pipe_fops,
};
module_misc_device(pipe_misc);

MODULE_DESCRIPTION("Host side of the Android emulator's goldfish pipe");
MODULE_LICENSE("GPL");
