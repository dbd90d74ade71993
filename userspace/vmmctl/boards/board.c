// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board table: what is where, which interrupt it raises, what the device
 * tree calls it and which model answers. fdt.c, the MMIO dispatch in vcpu.c,
 * stats.c and the tests read it; nobody else knows an address.
 *
 * To add a device: a devices/<name>.c with its ops, a row here, a VMM_ROW_
 * in boards.h, a line in the Makefile, a test.
 */
#include <string.h>

#include "devices/devices.h"

/* One size for every GIC; what KVM decodes of it depends on the version. */
#define GICR_SIZE	(VMM_MAX_CPUS * RANCHU_GICR_SIZE_PER_CPU)

/* clang-format off */
const struct vmm_board_row vmm_board[VMM_ROWS] = {
	[VMM_ROW_GICD] = {
		.name = "gicd",
		.base = RANCHU_GICD_BASE, .size = RANCHU_GICD_SIZE, .count = 1,
	},
	[VMM_ROW_GICC] = {
		.name = "gicc",
		.base = RANCHU_GICC_BASE, .size = RANCHU_GICC_SIZE, .count = 1,
	},
	[VMM_ROW_GICR] = {
		.name = "gicr",
		.base = RANCHU_GICR_BASE, .size = GICR_SIZE, .count = 1,
	},
	[VMM_ROW_PL011] = {
		.name = "pl011", .node = "pl011",
		.compatible = { "arm,pl011", "arm,primecell" },
		.base = RANCHU_PL011_BASE, .size = RANCHU_PL011_SIZE, .count = 1,
		.spi = RANCHU_PL011_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.clocks = true,
		.ops = &vmm_pl011_ops,
	},
	[VMM_ROW_FB] = {
		.name = "fb", .node = "goldfish_fb",
		.compatible = { "google,goldfish-fb", "generic,goldfish-fb" },
		.base = RANCHU_FB_BASE, .size = RANCHU_FB_SIZE, .count = 1,
		.spi = RANCHU_FB_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_idle_ops,
	},
	[VMM_ROW_BATTERY] = {
		.name = "battery", .node = "goldfish_battery",
		.compatible = { "google,goldfish-battery", "generic,goldfish-battery" },
		.base = RANCHU_BATTERY_BASE, .size = RANCHU_BATTERY_SIZE, .count = 1,
		.spi = RANCHU_BATTERY_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_idle_ops,
	},
	[VMM_ROW_AUDIO] = {
		.name = "audio", .node = "goldfish_audio",
		.compatible = { "google,goldfish-audio", "generic,goldfish-audio" },
		.base = RANCHU_AUDIO_BASE, .size = RANCHU_AUDIO_SIZE, .count = 1,
		.spi = RANCHU_AUDIO_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_idle_ops,
	},
	[VMM_ROW_EVENTS] = {
		/* A hyphen where the others have an underscore: guest ABI. */
		.name = "events", .node = "goldfish-events",
		.compatible = { "google,goldfish-events-keypad",
				"generic,goldfish-events-keypad" },
		.base = RANCHU_EVENTS_BASE, .size = RANCHU_EVENTS_SIZE, .count = 1,
		.spi = RANCHU_EVENTS_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_idle_ops,
	},
	[VMM_ROW_VIRTIO] = {
		.name = "virtio_mmio", .node = "virtio_mmio",
		.compatible = { "virtio,mmio" },
		.base = RANCHU_VIRTIO_MMIO_BASE, .size = RANCHU_VIRTIO_MMIO_SIZE,
		.count = RANCHU_VIRTIO_MMIO_COUNT,
		.spi = RANCHU_VIRTIO_MMIO_SPI, .trigger = VMM_IRQ_EDGE_RISING,
		.ops = &vmm_virtio_bank_ops,
	},
	[VMM_ROW_PIPE] = {
		.name = "pipe", .node = "goldfish_pipe",
		.compatible = { "google,android-pipe", "generic,android-pipe" },
		.base = RANCHU_PIPE_BASE, .size = RANCHU_PIPE_SIZE, .count = 1,
		.spi = RANCHU_PIPE_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_pipe_ops,
	},
	[VMM_ROW_SYNC] = {
		.name = "sync", .node = "goldfish_sync",
		.compatible = { "google,goldfish-sync", "generic,goldfish-sync" },
		.base = RANCHU_SYNC_BASE, .size = RANCHU_SYNC_SIZE, .count = 1,
		.spi = RANCHU_SYNC_SPI, .trigger = VMM_IRQ_LEVEL_HIGH,
		.ops = &vmm_idle_ops,
	},
};

/* clang-format on */

/**
 * vmm_board_find - find the row that a guest physical address belongs to
 * @gpa: the address
 *
 * Return: the row, VMM_ROWS if there is no device with a model
 */
enum vmm_row vmm_board_find(u64 gpa)
{
	unsigned int i;

	for (i = 0; i < VMM_ROWS; i++) {
		const struct vmm_board_row *row = &vmm_board[i];

		if (row->ops && gpa >= row->base && gpa - row->base < row->size * row->count)
			return i;
	}
	return VMM_ROWS;
}

/**
 * vmm_board_create - create every device of the board
 * @vm: has RAM, vCPUs and an initialised interrupt controller
 *
 * Return: 0, or the first model's -errno with nothing left behind
 */
int vmm_board_create(struct vmm_vm *vm)
{
	unsigned int i;
	int err;

	for (i = 0; i < VMM_ROWS; i++) {
		struct vmm_device *dev = &vm->dev[i];

		dev->row = &vmm_board[i];
		dev->vm = vm;
		dev->state = NULL;
		if (!dev->row->ops || !dev->row->ops->create)
			continue;
		err = dev->row->ops->create(dev);
		if (err) {
			dev->row = NULL;
			vmm_board_destroy(vm);
			return err;
		}
	}
	return 0;
}

/**
 * vmm_board_destroy - destroy every device that was created
 * @vm: its vCPU threads have ended
 */
void vmm_board_destroy(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = VMM_ROWS; i-- > 0;) {
		struct vmm_device *dev = &vm->dev[i];

		if (dev->row && dev->row->ops && dev->row->ops->destroy)
			dev->row->ops->destroy(dev);
		memset(dev, 0, sizeof(*dev));
	}
}
