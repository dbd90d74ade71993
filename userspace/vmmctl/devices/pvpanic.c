// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a guest's kernel says that it has panicked: one register of a byte, which is a
 * port on the x86_64 board and memory on the arm64 boards. It has nothing to save and raises
 * no interrupt.
 *
 * Source: Linux 6.12 Documentation/devicetree/bindings/misc/pvpanic-mmio.txt,
 * include/uapi/misc/pvpanic.h, drivers/misc/pvpanic
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/devices.h"

#define PANICKED		(1 << 0)
#define CRASH_LOADED		(1 << 1)	/* and another kernel takes over */

/**
 * struct pvpanic - the device
 * @said: this guest's crash kernel was told of
 */
struct pvpanic {
	bool said;
};

static int pvpanic_create(struct vmm_device *dev)
{
	dev->state = calloc(1, sizeof(struct pvpanic));
	return dev->state ? 0 : vmm_error(ENOMEM, "pvpanic");
}

static void pvpanic_destroy(struct vmm_device *dev)
{
	free(dev->state);
}

static void pvpanic_reset(struct vmm_device *dev)
{
	struct pvpanic *pvpanic = dev->state;

	__atomic_store_n(&pvpanic->said, false, __ATOMIC_RELAXED);
}

/* What it understands. In memory there is a second byte, which is reserved. */
static u64 pvpanic_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)len;
	return offset ? 0 : PANICKED | CRASH_LOADED;
}

static void pvpanic_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct pvpanic *pvpanic = dev->state;

	(void)len;
	if (offset)
		return;
	if (value & PANICKED)
		vmm_vm_end(dev->vm, VMM_END_PANIC);
	else if (value & CRASH_LOADED &&
		 !__atomic_exchange_n(&pvpanic->said, true, __ATOMIC_RELAXED))
		vmm_note("the guest has panicked, and another kernel takes over");
}

static void pvpanic_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "pvpanic-mmio",
		.compatible = { "qemu,pvpanic-mmio" },
		.hid = "QEMU0001",
		.name = "PEVT",
		.space = dev->space,
		.base = dev->base,
		.size = dev->size,
	};

	visitor->device(visitor, &description);
}

/** Where a guest's kernel says that it has panicked. */
const struct vmm_device_ops vmm_pvpanic_ops = {
	.name = "pvpanic",
	.create = pvpanic_create,
	.reset = pvpanic_reset,
	.destroy = pvpanic_destroy,
	.read = pvpanic_read,
	.write = pvpanic_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.describe = pvpanic_describe,
};
