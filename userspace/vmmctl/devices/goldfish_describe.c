// SPDX-License-Identifier: GPL-2.0-only
/*
 * The common parts of the descriptions of all goldfish devices.
 */
#include "devices/goldfish.h"

/**
 * vmm_goldfish_describe - describe a device of the family
 * @dev: the device
 * @visitor: takes the description
 * @description: the device's own parts; changed
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
