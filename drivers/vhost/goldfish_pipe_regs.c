// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers other than CMD: set-up, and reads that trap.
 *
 * In the reference a *read* of VERSION re-initialises the device. Every v2
 * driver writes VERSION just before, so here the write does, and the read may
 * come from the window.
 */
#include <linux/ranchu.h>

#include "goldfish_pipe.h"

/* Entries of a signal buffer that we fill; a guest has no use for more. */
#define PIPE_MAX_SIGNALS VHOST_GOLDFISH_PIPE_MAX_ID

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
