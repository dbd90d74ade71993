// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two models of a device that is there and does nothing: "idle" for goldfish
 * devices that have no model yet, and an idle virtio-mmio transport.
 */
#include <linux/virtio_mmio.h>

#include "vmm.h"

#define VIRTIO_MMIO_MAGIC	0x74726976	/* "virt" */
#define VIRTIO_MMIO_MODERN	2

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

/* All 32 transports share this: none has a backend, so none has state. */
static u64 virtio_idle_read(struct vmm_device *dev, u32 offset)
{
	switch (offset % dev->row->size) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return VIRTIO_MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VIRTIO_MMIO_MODERN;
	default:
		/* Device id 0 is what makes a driver leave it alone. */
		return 0;
	}
}

/** Reads 0, ignores writes. */
const struct vmm_device_ops vmm_idle_ops = {
	.name = "idle",
	.read = idle_read,
	.write = idle_write,
};

/** A virtio-mmio transport without a device. */
const struct vmm_device_ops vmm_virtio_idle_ops = {
	.name = "virtio-mmio idle",
	.read = virtio_idle_read,
	.write = idle_write,
};
