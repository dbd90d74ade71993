// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register window: a page of the owner's that the guest reads as the
 * device's registers, so that those reads do not trap.
 */
#include <linux/ranchu.h>
#include <linux/uaccess.h>

#include "goldfish_pipe.h"

/**
 * pipe_window_put() - set a register in the window
 * @dev: the device
 * @offset: the register, byte offset
 * @value: what the guest is to read
 *
 * Context: vCPU or worker, with the line's lock held.
 * Return: 0, also without a window; -EFAULT if the owner unmapped it.
 */
int pipe_window_put(struct pipe_dev *dev, u32 offset, u32 value)
{
	lockdep_assert_held(&dev->line.lock);
	if (!dev->window)
		return 0;
	return put_user(cpu_to_le32(value),
			(__le32 __user *)(dev->window + offset));
}

/**
 * pipe_window_set() - serve SET_WINDOW
 * @dev: the device
 * @uaddr: page-aligned user address, or 0
 *
 * Context: the owner's process, @dev->config held; takes the line's lock.
 * Return: 0, or -EFAULT; then no window is set.
 */
int pipe_window_set(struct pipe_dev *dev, unsigned long uaddr)
{
	int err;

	mutex_lock(&dev->line.lock);
	dev->window = uaddr;
	dev->published = 0;
	err = pipe_window_put(dev, GOLDFISH_PIPE_REG_VERSION, dev->version);
	if (!err)
		err = pipe_window_put(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED, 0);
	if (err)
		dev->window = 0;
	mutex_unlock(&dev->line.lock);
	return err;
}
