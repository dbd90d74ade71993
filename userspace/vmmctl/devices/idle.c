// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that is there and does nothing: goldfish devices that have no model yet.
 */
#include "devices/devices.h"

static u64 idle_read(struct vmm_device *dev, u32 offset)
{
	(void)dev;
	(void)offset;
	return 0;
}

static void idle_write(struct vmm_device *dev, u32 offset, u64 value)
{
	(void)dev;
	(void)offset;
	(void)value;
}

/** Reads 0, ignores writes. */
const struct vmm_device_ops vmm_idle_ops = {
	.name = "idle",
	.read = idle_read,
	.write = idle_write,
};
