// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GICv2m frame: a write to its one register raises a shared peripheral interrupt. Messages
 * of PCI functions do not come here: KVM routes them to the same interrupts
 * (machine/aarch64/irqchip.c). A CPU may write to the register, too.
 *
 * Source: Arm Server Base System Architecture (DEN0029), appendix E.
 */
#include <linux/ranchu.h>

#include "devices/devices.h"
#include "host/host.h"

#define V2M_TYPER	0x008

static u32 first_id(const struct vmm_device *dev)
{
	return dev->vm->board.gic.frame_spi + RANCHU_GIC_FIRST_SPI;
}

static int gicv2m_create(struct vmm_device *dev)
{
	dev->state = NULL;
	return 0;
}

/* Identification registers read as 0: no driver uses them. */
static u64 gicv2m_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)len;
	return offset == V2M_TYPER ? first_id(dev) << 16 | dev->vm->board.gic.frame_spis : 0;
}

static void gicv2m_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vmm_line line;
	u32 id = value;

	(void)len;
	if (offset != VMM_GICV2M_SETSPI || id < first_id(dev) ||
	    id - first_id(dev) >= dev->vm->board.gic.frame_spis)
		return;
	/* The interrupt is edge-triggered. */
	vmm_line_init(&line, dev->vm, id - RANCHU_GIC_FIRST_SPI);
	vmm_line_set(&line, true);
	vmm_line_set(&line, false);
}

/* The interrupt controller's node of the device tree describes it. */
static void gicv2m_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

/** Messages as interrupts of a GIC without an ITS. */
const struct vmm_device_ops vmm_gicv2m_ops = {
	.name = "gicv2m",
	.create = gicv2m_create,
	.reset = vmm_device_nothing,
	.destroy = vmm_device_nothing,
	.read = gicv2m_read,
	.write = gicv2m_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.describe = gicv2m_describe,
};
