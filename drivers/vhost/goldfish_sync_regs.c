// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers other than the two of commands: where the guest's buffers are, and INIT.
 */
#include "goldfish_sync.h"

/**
 * sync_regs_reset() - begin anew: no driver knows of anything
 * @dev: the device
 *
 * Context: may sleep; @dev->vhost.lock held, or nobody else has the device.
 */
void sync_regs_reset(struct sync_dev *dev)
{
	LIST_HEAD(gone);

	spin_lock_irq(&dev->line.lock);
	if (dev->ready)
		sync_renderer_tell_reset(dev);
	sync_items_forget(dev, &gone);
	dev->ready = dev->host_gpa && dev->guest_gpa;
	sync_rest_over(dev);
	spin_unlock_irq(&dev->line.lock);
	sync_items_free(&gone);
	ranchu_line_reset(&dev->line);
}

static void regs_put(struct sync_dev *dev, u64 *reg, u64 value)
{
	spin_lock_irq(&dev->line.lock);
	WRITE_ONCE(*reg, value);
	spin_unlock_irq(&dev->line.lock);
}

/**
 * sync_regs_write() - serve a write of any register but the two of commands
 * @dev: the device
 * @offset: byte offset, any number
 * @value: what the guest wrote
 *
 * Context: the owner's process, @dev->vhost.lock held.
 */
void sync_regs_write(struct sync_dev *dev, u32 offset, u32 value)
{
	switch (offset) {
	case GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR:
		regs_put(dev, &dev->host_gpa, value);
		break;
	case GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR_HIGH:
		regs_put(dev, &dev->host_gpa, dev->host_gpa | (u64)value << 32);
		break;
	case GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR:
		regs_put(dev, &dev->guest_gpa, value);
		break;
	case GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR_HIGH:
		regs_put(dev, &dev->guest_gpa, dev->guest_gpa | (u64)value << 32);
		break;
	case GOLDFISH_SYNC_REG_INIT:
		sync_regs_reset(dev);
		break;
	default:
		sync_bad_guest(dev);
	}
}

/**
 * sync_regs_read() - serve a read of any register but BATCH_COMMAND
 * @dev: the device
 * @offset: byte offset, any number
 *
 * Context: the owner's process, @dev->vhost.lock held.
 * Return: what the guest reads.
 */
u32 sync_regs_read(struct sync_dev *dev, u32 offset)
{
	switch (offset) {
	case GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR:
		return lower_32_bits(dev->host_gpa);
	case GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR_HIGH:
		return upper_32_bits(dev->host_gpa);
	case GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR:
		return lower_32_bits(dev->guest_gpa);
	case GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR_HIGH:
		return upper_32_bits(dev->guest_gpa);
	default:
		return 0;
	}
}
