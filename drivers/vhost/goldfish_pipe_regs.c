// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers other than CMD: set-up, and reads that trap. While protocol v1 is in
 * force all but VERSION are goldfish_pipe_v1.c's.
 *
 * In the reference a *read* of VERSION re-initialises the device. Every v2
 * driver writes VERSION just before, so here the write does, and the read may
 * come from the window. Drivers of v1 need not write; their read traps, and does.
 *
 * The window is a page of the owner's that the guest reads as the device's
 * registers, so that those reads do not trap.
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
 * Context: any, with the line's lock held. Does nothing without a window.
 */
void pipe_window_put(struct pipe_dev *dev, u32 offset, u32 value)
{
	lockdep_assert_held(&dev->line.lock);
	if (dev->window.len)
		ranchu_pin_put32(&dev->window, offset, value);
}

/**
 * pipe_window_set() - serve SET_WINDOW
 * @dev: the device
 * @window: the new one, or nothing; exchanged for the old one
 *
 * Context: the owner's process, @dev->config held; takes the line's lock.
 */
void pipe_window_set(struct pipe_dev *dev, struct ranchu_pin *window)
{
	spin_lock_irq(&dev->line.lock);
	swap(dev->window, *window);
	dev->published = 0;
	pipe_window_put(dev, GOLDFISH_PIPE_REG_VERSION, dev->version);
	pipe_window_put(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED, 0);
	spin_unlock_irq(&dev->line.lock);
}

static void regs_set_version(struct pipe_dev *dev, u32 version)
{
	spin_lock_irq(&dev->line.lock);
	WRITE_ONCE(dev->version, version);
	dev->published = 0;
	pipe_window_put(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED, 0);
	pipe_window_put(dev, GOLDFISH_PIPE_REG_VERSION, version);
	spin_unlock_irq(&dev->line.lock);
}

static void regs_restart(struct pipe_dev *dev, u32 version)
{
	lockdep_assert_held(&dev->config);
	/* Commands of other vCPUs are refused, or wait, while their pipes go. */
	mutex_lock(&dev->v1.lock);
	regs_set_version(dev, GOLDFISH_PIPE_DEVICE_VERSION_1);
	pipe_close_all(dev);
	pipe_v1_forget(dev);
	ranchu_line_reset(&dev->line);
	regs_set_version(dev, version);
	mutex_unlock(&dev->v1.lock);
}

static u32 regs_read_version(struct pipe_dev *dev)
{
	if (!pipe_speaks_v1(dev))
		return READ_ONCE(dev->version);
	mutex_lock(&dev->config);
	if (pipe_speaks_v1(dev) && !pipe_is_stopped(dev))
		regs_restart(dev, GOLDFISH_PIPE_DEVICE_VERSION_1);
	mutex_unlock(&dev->config);
	return READ_ONCE(dev->version);
}

static void regs_write_signal(struct pipe_dev *dev, u32 offset, u32 value)
{
	lockdep_assert_held(&dev->config);
	switch (offset) {
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH:
		/* The other half follows. */
		dev->signal_gpa = (u64)value << 32;
		return;
	case GOLDFISH_PIPE_REG_SIGNAL_BUFFER:
		dev->signal_gpa |= value;
		break;
	default:
		dev->signal_count = min_t(u32, value, PIPE_MAX_SIGNALS);
	}
	pipe_signal_place(dev);
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
	if (offset != GOLDFISH_PIPE_REG_VERSION &&
	    pipe_v1_write(dev, offset, value, PIPE_BY_ACCESS))
		return;
	mutex_lock(&dev->config);
	/* SET_RUNNING 0 may have come first. */
	if (pipe_is_stopped(dev))
		goto unlock;
	switch (offset) {
	case GOLDFISH_PIPE_REG_VERSION:
		regs_restart(dev, pipe_device_version(value));
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
		pipe_bad_guest(dev);
	}
unlock:
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
	u32 value;

	if (offset != GOLDFISH_PIPE_REG_VERSION && pipe_v1_read(dev, offset, &value))
		return value;
	switch (offset) {
	case GOLDFISH_PIPE_REG_VERSION:
		return regs_read_version(dev);
	case GOLDFISH_PIPE_REG_GET_SIGNALLED:
		return pipe_signal_fetch(dev);
	default:
		return 0;
	}
}
