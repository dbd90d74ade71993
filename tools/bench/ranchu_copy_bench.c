// SPDX-License-Identifier: GPL-2.0-only
/*
 * The yardstick of a pipe's bulk write: one copy of user memory into a kernel
 * buffer, timed where it happens. For benchmarks only; never installed.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "ranchu_copy_bench.h"

static int bench_open(struct inode *inode, struct file *file)
{
	/* Zeroed, so that every page is there before the clock runs. */
	file->private_data = vzalloc(RANCHU_COPY_BENCH_MAX);
	return file->private_data ? 0 : -ENOMEM;
}

static int bench_release(struct inode *inode, struct file *file)
{
	vfree(file->private_data);
	return 0;
}

static long bench_ioctl(struct file *file, unsigned int number,
			unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct ranchu_copy_bench bench;
	unsigned long left;
	u64 begin;

	if (number != RANCHU_COPY_BENCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&bench, argp, sizeof(bench)))
		return -EFAULT;
	if (bench.size > RANCHU_COPY_BENCH_MAX)
		return -EINVAL;
	begin = ktime_get_ns();
	left = copy_from_user(file->private_data, u64_to_user_ptr(bench.uaddr),
			      bench.size);
	bench.ns = ktime_get_ns() - begin;
	if (left)
		return -EFAULT;
	return copy_to_user(argp, &bench, sizeof(bench)) ? -EFAULT : 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ranchu-copy-bench",
	.fops = &bench_fops,
};
module_misc_device(bench_misc);

MODULE_DESCRIPTION("Times one copy from user memory, for benchmarks");
MODULE_LICENSE("GPL");
