// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ranchu board, the default on arm64: devices, addresses and interrupts. Device tree,
 * dispatch of accesses, statistics and tests use what is defined here; no other file has an
 * address.
 *
 * To add a device: a devices/<name>.c with its ops, a line here, a line in the
 * Makefile, a row in tests/devices/device_test.c.
 */
#include <linux/ranchu.h>

#include "boot/boot.h"
#include "devices/devices.h"

/**
 * vmm_board_ranchu - fill the ranchu board, with no device created
 * @board: filled
 * @cfg: has the options for the clock, pvpanic, the stall detector and the VM generation ID,
 *	which the reference does not have
 */
void vmm_board_ranchu(struct vmm_board *board, const struct vmm_config *cfg)
{
	struct vmm_device *virtio, *generation;

	*board = (struct vmm_board){
		.name = "ranchu",
		.compatible = "ranchu",
		.ram = { { RANCHU_RAM_BASE, RANCHU_RAM_MAX } },
		.load = vmm_kernel_load,
		.gic = {
			.dist = RANCHU_GICD_BASE, .dist_size = RANCHU_GICD_SIZE,
			.cpu = RANCHU_GICC_BASE, .cpu_size = RANCHU_GICC_SIZE,
			.redist = RANCHU_GICR_BASE, .redist_size = RANCHU_GICR_SIZE_PER_CPU,
			.irqs = RANCHU_GIC_NR_IRQS,
		},
	};
	vmm_board_add(board, &vmm_pl011_ops, RANCHU_PL011_BASE, RANCHU_PL011_SIZE,
		      RANCHU_PL011_SPI);
	vmm_board_add(board, &vmm_goldfish_fb_ops, RANCHU_FB_BASE, RANCHU_FB_SIZE, RANCHU_FB_SPI);
	vmm_board_add(board, &vmm_goldfish_battery_ops, RANCHU_BATTERY_BASE, RANCHU_BATTERY_SIZE,
		      RANCHU_BATTERY_SPI);
	vmm_board_add(board, &vmm_goldfish_audio_ops, RANCHU_AUDIO_BASE, RANCHU_AUDIO_SIZE,
		      RANCHU_AUDIO_SPI);
	vmm_board_add(board, &vmm_goldfish_events_ops, RANCHU_EVENTS_BASE, RANCHU_EVENTS_SIZE,
		      RANCHU_EVENTS_SPI);
	if (cfg->rtc)
		vmm_board_add(board, &vmm_pl031_ops, RANCHU_RTC_BASE, RANCHU_RTC_SIZE,
			      RANCHU_RTC_SPI);
	if (cfg->pvpanic == VMM_PVPANIC_ON)
		vmm_board_add(board, &vmm_pvpanic_ops, RANCHU_PVPANIC_BASE, RANCHU_PVPANIC_SIZE,
			      0);
	if (cfg->stall_detector)
		vmm_board_add(board, &vmm_stall_detector_ops, RANCHU_STALL_BASE,
			      RANCHU_STALL_SIZE, 0);
	virtio = vmm_board_add(board, &vmm_virtio_bank_ops, RANCHU_VIRTIO_MMIO_BASE,
			       RANCHU_VIRTIO_MMIO_SIZE, RANCHU_VIRTIO_MMIO_SPI);
	virtio->count = RANCHU_VIRTIO_MMIO_COUNT;
	virtio->trigger = VMM_IRQ_EDGE_RISING;
	vmm_board_add(board, &vmm_pipe_ops, RANCHU_PIPE_BASE, RANCHU_PIPE_SIZE, RANCHU_PIPE_SPI);
	vmm_board_add(board, &vmm_goldfish_sync_ops, RANCHU_SYNC_BASE, RANCHU_SYNC_SIZE,
		      RANCHU_SYNC_SPI);
	if (!cfg->vmgenid)
		return;
	generation = vmm_board_add(board, &vmm_vmgenid_ops, RANCHU_VMGENID_BASE,
				   RANCHU_VMGENID_SIZE, RANCHU_VMGENID_SPI);
	generation->trigger = VMM_IRQ_EDGE_RISING;
}
