// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers other than CMD: set-up, trapped reads, and the register window
 * that makes most reads not trap at all.
 *
 * In the reference a *read* of VERSION re-initialises the device. Every v2
 * driver writes VERSION just before, so here the write does, and the read may
 * come from the window.
 */
#include <linux/ranchu.h>
#include <linux/uaccess.h>

#include "goldfish_pipe.h"

/* Entries of a signal buffer that we fill; a guest has no use for more. */
#define PIPE_MAX_SIGNALS VHOST_GOLDFISH_PIPE_MAX_ID

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

static void regs_set_version(struct pipe_dev *dev, u32 version)
{
	mutex_lock(&dev->line.lock);
	WRITE_ONCE(dev->version, version);
	pipe_window_put(dev, GOLDFISH_PIPE_REG_VERSION, version);
	mutex_unlock(&dev->line.lock);
}

static void regs_write_version(struct pipe_dev *dev, u32 value)
{
	/* Commands of other vCPUs are refused while their pipes go. */
	regs_set_version(dev, GOLDFISH_PIPE_DEVICE_VERSION_1);
	pipe_close_all(dev);
	ranchu_line_reset(&dev->line);
	regs_set_version(dev, pipe_device_version(value));
}

static void regs_write_signal(struct pipe_dev *dev, u32 offset, u32 value)
{
	mutex_lock(&dev->line.lock);
	switch (offset) {
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH:
		dev->signal_gpa = (u64)value << 32;
		break;
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER:
		dev->signal_gpa |= value;
		break;
	default:
		dev->signal_count = min_t(u32, value, PIPE_MAX_SIGNALS);
	}
	mutex_unlock(&dev->line.lock);
	/* COUNT comes last; what was signalled before has a place now. */
	if (offset == GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT)
		ranchu_line_update(&dev->line, true);
}

/**
 * pipe_regs_write() - serve a trapped write to any register but CMD
 * @dev: the device
 * @offset: byte offset, any number
 * @value: what the guest wrote
 *
 * Context: the owner's process; takes @dev->config.
 */
void pipe_regs_write(struct pipe_dev *dev, u32 offset, u32 value)
{
	mutex_lock(&dev->config);
	switch (offset) {
	case GOLDFISH_PIPE_REG_VERSION:
		regs_write_version(dev, value);
		break;
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH:
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER:
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT:
		regs_write_signal(dev, offset, value);
		break;
	case GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH:
		WRITE_ONCE(dev->open_gpa, (u64)value << 32);
		break;
	case GOLDFISH_PIPE_REG_OPEN_BUFFER:
		WRITE_ONCE(dev->open_gpa, dev->open_gpa | value);
		WRITE_ONCE(dev->open_set, true);
		break;
	default:
		atomic64_inc(&dev->stats.bad_guest);
	}
	mutex_unlock(&dev->config);
}

/**
 * pipe_regs_read() - serve a trapped read
 * @dev: the device
 * @offset: byte offset, any number
 *
 * Context: the owner's process; may sleep.
 * Return: what the guest reads.
 */
u32 pipe_regs_read(struct pipe_dev *dev, u32 offset)
{
	switch (offset) {
	case GOLDFISH_PIPE_REG_VERSION:
		return READ_ONCE(dev->version);
	case GOLDFISH_PIPE_REG_GET_SIGNALLED:
		return pipe_signal_fetch(dev);
	default:
		return 0;
	}
}
