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
#include <linux/ranchu_run.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "ranchu_private.h"

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

/* The file is put. */
static long run_loop(struct file *file, unsigned int number, unsigned long arg,
		     struct kvm_run __user *run, ranchu_run_fn fn, void *data)
{
	long ret;

	/* Not every KVM_RUN that returns has looked whether a signal is there. */
	do {
		cond_resched();
		ret = file->f_op->unlocked_ioctl(file, number, arg);
	} while (!ret && !signal_pending(current) && run_serve(run, fn, data));
	fput(file);
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
	struct file *file = ranchu_kvm_file_get(vcpu_fd, "kvm-vcpu");

	if (IS_ERR(file))
		return PTR_ERR(file);
	return run_loop(file, KVM_RUN, 0, run, fn, data);
}
EXPORT_SYMBOL_GPL(ranchu_run);

/**
 * ranchu_run_by() - the same by way of another device, which serves reads of its own
 * @fd: that device's file, of the calling process
 * @number: the ioctl of that device which calls ranchu_run()
 * @arg: the ioctl's argument
 * @run: the vCPU's shared memory, as the process sees it
 * @fn: serves the reads that the other device leaves
 * @data: its argument
 *
 * Whatever file @fd is, the call is one that the caller could have made itself. @number is
 * never the ioctl that calls this function, or the calls would nest without end.
 *
 * Context: as ranchu_run().
 * Return: what the other device returned last, or
 * * -EBADF: not an open file
 * * -ENOIOCTLCMD: a file that has no ioctls
 */
long ranchu_run_by(int fd, unsigned int number, unsigned long arg,
		   struct kvm_run __user *run, ranchu_run_fn fn, void *data)
{
	struct file *file = fget(fd);

	if (!file)
		return -EBADF;
	if (!file->f_op->unlocked_ioctl) {
		fput(file);
		return -ENOIOCTLCMD;
	}
	return run_loop(file, number, arg, run, fn, data);
}
EXPORT_SYMBOL_GPL(ranchu_run_by);
