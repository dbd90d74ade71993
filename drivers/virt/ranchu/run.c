// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a vCPU past the exits that a device serves itself.
 *
 * A register whose read has an effect needs somebody who is there when it is read. KVM
 * has nobody but its user: the vCPU's KVM_RUN ends with KVM_EXIT_MMIO, and the next one
 * gives the guest what was read. Here the ioctl is made in the kernel, so that a read
 * that a device knows of does not take the thread back to user mode and through it.
 *
 * Nothing of KVM's is needed but what its users have: the ioctl, and struct kvm_run in
 * the memory that they share. That memory is the caller's to write at any time, so what
 * it says is read once, and is about nobody but the caller's own guest.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/magic.h>
#include <linux/ranchu_run.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/* Only the kernel names such files, and KVM names them so. */
static bool run_is_vcpu(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       str_has_prefix(file->f_path.dentry->d_name.name, "kvm-vcpu:") &&
	       file->f_op->unlocked_ioctl;
}

/* True if the exit was a read that was served. */
static bool run_serve(struct kvm_run __user *run, ranchu_run_fn fn, void *data)
{
	u32 reason, len, value;
	u8 is_write;
	u64 gpa;

	if (get_user(reason, &run->exit_reason) || reason != KVM_EXIT_MMIO ||
	    get_user(is_write, &run->mmio.is_write) || is_write ||
	    get_user(gpa, &run->mmio.phys_addr) || get_user(len, &run->mmio.len) ||
	    !fn(data, gpa, len, &value))
		return false;
	/* Whoever takes its own memory away reads what it likes. */
	return !put_user(cpu_to_le32(value), (__le32 __user *)run->mmio.data);
}

static long run_loop(struct file *file, struct kvm_run __user *run, ranchu_run_fn fn,
		     void *data)
{
	long ret;

	/* Not every KVM_RUN that returns has looked whether a signal is there. */
	do {
		cond_resched();
		ret = file->f_op->unlocked_ioctl(file, KVM_RUN, 0);
	} while (!ret && !signal_pending(current) && run_serve(run, fn, data));
	return ret;
}

/**
 * ranchu_run() - run a vCPU until there is something for userspace to do
 * @vcpu_fd: KVM's file of the vCPU, of the calling process
 * @run: the vCPU's shared memory, as the process sees it
 * @fn: serves reads; see ranchu_run_fn
 * @data: its argument
 *
 * Is KVM_RUN otherwise. A signal ends it, as it ends that.
 *
 * Context: a thread of the owner's, no lock held; takes as long as the guest likes.
 * Return: what KVM_RUN returned last, or
 * * -EBADF: not an open file
 * * -EINVAL: not a vCPU's
 */
long ranchu_run(int vcpu_fd, struct kvm_run __user *run, ranchu_run_fn fn, void *data)
{
	struct file *file = fget(vcpu_fd);
	long ret = -EINVAL;

	if (!file)
		return -EBADF;
	if (run_is_vcpu(file))
		ret = run_loop(file, run, fn, data);
	fput(file);
	return ret;
}
EXPORT_SYMBOL_GPL(ranchu_run);
