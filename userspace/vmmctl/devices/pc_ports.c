// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports by which a guest of the x86_64 board resets: the reset register, and a keyboard
 * controller without a keyboard. They have no state. pvpanic.c has the port for a panic.
 */
#include "devices/devices.h"
#include "devices/pc.h"

#define RESET_NOW		(1 << 2)
#define I8042_PULSE_RESET	0xfe	/* pull the CPU's reset line */

static int ports_create(struct vmm_device *dev)
{
	(void)dev;
	return 0;
}

/* Reads as 0: never busy. */
static u64 nothing_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)len;
	return 0;
}

static void nothing_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

#define PORT_OPS			\
	.create = ports_create,		\
	.reset = vmm_device_nothing,	\
	.destroy = vmm_device_nothing,	\
	.pause = vmm_device_nothing,	\
	.resume = vmm_device_nothing

static void reset_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)offset;
	(void)len;
	if (value & RESET_NOW)
		vmm_vm_end(dev->vm, VMM_END_RESET);
}

/** The reset register of a PC's chip set. */
const struct vmm_device_ops vmm_pc_reset_ops = {
	.name = "reset",
	PORT_OPS,
	.read = nothing_read,
	.write = reset_write,
	.describe = nothing_describe,
};

static void i8042_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)offset;
	(void)len;
	if ((value & 0xff) == I8042_PULSE_RESET)
		vmm_vm_end(dev->vm, VMM_END_RESET);
}

/** A keyboard controller with the reset line only. */
const struct vmm_device_ops vmm_i8042_ops = {
	.name = "i8042",
	PORT_OPS,
	.read = nothing_read,
	.write = i8042_write,
	.describe = nothing_describe,
};
