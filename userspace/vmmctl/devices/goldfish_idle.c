// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish devices that have no model yet: each is there, reads as 0 and ignores
 * writes, as a guest's driver expects of a device that nothing happens to.
 */
#include "devices/devices.h"
#include "devices/goldfish.h"

static int idle_create(struct vmm_device *dev)
{
	(void)dev;
	return 0;
}

static u64 idle_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)len;
	return 0;
}

static void idle_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)len;
}

/**
 * vmm_goldfish_describe - describe a device of the family
 * @dev: the device
 * @visitor: takes the description
 * @description: what differs between the devices, as each board's guests know it
 */
void vmm_goldfish_describe(const struct vmm_device *dev, struct vmm_visitor *visitor,
			   struct vmm_description description)
{
	description.space = dev->space;
	description.base = dev->base;
	description.size = dev->size;
	description.irq = dev->irq;
	description.trigger = dev->trigger;
	visitor->device(visitor, &description);
}

#define DESCRIBE(device, ...)							\
static void device##_describe(const struct vmm_device *dev, struct vmm_visitor *visitor) \
{										\
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){ __VA_ARGS__ });	\
}

DESCRIBE(sync, .node = "goldfish_sync",
	 .compatible = { "google,goldfish-sync", "generic,goldfish-sync" },
	 .hid = "GFSH0006", .name = "GFSK", .text = "goldfish sync")

#define IDLE_OPS(device)				\
	.name = #device,				\
	.create = idle_create,				\
	.reset = vmm_device_nothing,			\
	.destroy = vmm_device_nothing,			\
	.read = idle_read,				\
	.write = idle_write,				\
	.pause = vmm_device_nothing,			\
	.resume = vmm_device_nothing,			\
	.describe = device##_describe

/** Fences. */
const struct vmm_device_ops vmm_goldfish_sync_ops = { IDLE_OPS(sync) };
