// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second arm64 board, which the emulator has on aarch64 hosts: like ranchu.c, with other
 * addresses, a PCI bus and a power key.
 *
 * Virtio devices are behind MMIO transports, as in the emulator's guests, or are functions of
 * the PCI bus.
 */
#include <linux/ranchu_virt.h>

#include "boot/boot.h"
#include "devices/address_space.h"
#include "devices/devices.h"
#include "pci/host.h"
#include "virtio/pci_bank.h"

/* The register of the GICv2m frame to which messages are written. */
#define MESSAGE		(RANCHU_VIRT_GICV2M_BASE + VMM_GICV2M_SETSPI)

static const struct vmm_board virt = {
	.name = "virt",
	.compatible = "linux,ranchu",
	.coherent = true,
	.ram = { { RANCHU_VIRT_RAM_BASE, RANCHU_VIRT_RAM_MAX } },
	.load = vmm_kernel_load,
	.gic = {
		.dist = RANCHU_VIRT_GICD_BASE, .dist_size = RANCHU_VIRT_GICD_SIZE,
		.cpu = RANCHU_VIRT_GICC_BASE, .cpu_size = RANCHU_VIRT_GICC_SIZE,
		.redist = RANCHU_VIRT_GICR_BASE, .redist_size = RANCHU_VIRT_GICR_SIZE_PER_CPU,
		.irqs = RANCHU_VIRT_GIC_NR_IRQS,
		.frame = RANCHU_VIRT_GICV2M_BASE, .frame_size = RANCHU_VIRT_GICV2M_SIZE,
		.frame_spi = RANCHU_VIRT_GICV2M_SPI, .frame_spis = RANCHU_VIRT_GICV2M_SPIS,
	},
	.pci = {
		.window = {
			[VMM_PCI_MEMORY] = { RANCHU_VIRT_PCI_BASE, RANCHU_VIRT_PCI_SIZE },
			[VMM_PCI_MEMORY64] = { RANCHU_VIRT_PCI64_BASE, RANCHU_VIRT_PCI64_SIZE },
		},
		.gsi = {
			RANCHU_VIRT_PCI_SPI, RANCHU_VIRT_PCI_SPI + 1, RANCHU_VIRT_PCI_SPI + 2,
			RANCHU_VIRT_PCI_SPI + 3,
		},
		.messages = { MESSAGE, sizeof(u32) },
		.message_gsi = RANCHU_VIRT_GIC_NR_IRQS,
		.ecam = { RANCHU_VIRT_ECAM_BASE, RANCHU_VIRT_ECAM_SIZE },
	},
	.power_key = RANCHU_VIRT_POWER_KEY,
};

static void virt_add_small(struct vmm_board *board, const struct vmm_config *cfg)
{
	vmm_board_add(board, &vmm_gicv2m_ops, RANCHU_VIRT_GICV2M_BASE, RANCHU_VIRT_GICV2M_SIZE, 0);
	vmm_board_add(board, &vmm_pl011_ops, RANCHU_VIRT_PL011_BASE, RANCHU_VIRT_PL011_SIZE,
		      RANCHU_VIRT_PL011_SPI);
	if (cfg->rtc)
		vmm_board_add(board, &vmm_pl031_ops, RANCHU_VIRT_RTC_BASE, RANCHU_VIRT_RTC_SIZE,
			      RANCHU_VIRT_RTC_SPI);
	vmm_board_add(board, &vmm_pl061_ops, RANCHU_VIRT_GPIO_BASE, RANCHU_VIRT_GPIO_SIZE,
		      RANCHU_VIRT_GPIO_SPI);
	if (cfg->pvpanic == VMM_PVPANIC_ON)
		vmm_board_add(board, &vmm_pvpanic_ops, RANCHU_VIRT_PVPANIC_BASE,
			      RANCHU_VIRT_PVPANIC_SIZE, 0);
	if (cfg->stall_detector)
		vmm_board_add(board, &vmm_stall_detector_ops, RANCHU_VIRT_STALL_BASE,
			      RANCHU_VIRT_STALL_SIZE, 0);
}

static void virt_add_virtio(struct vmm_board *board, const struct vmm_config *cfg)
{
	struct vmm_device *virtio;

	if (cfg->virtio_bus == VMM_BUS_PCI) {
		vmm_board_add(board, &vmm_virtio_pci_bank_ops, 0, 0, 0);
		return;
	}
	virtio = vmm_board_add(board, &vmm_virtio_bank_ops, RANCHU_VIRT_VIRTIO_MMIO_BASE,
			       RANCHU_VIRT_VIRTIO_MMIO_SIZE, RANCHU_VIRT_VIRTIO_MMIO_SPI);
	virtio->count = RANCHU_VIRT_VIRTIO_MMIO_COUNT;
	virtio->trigger = VMM_IRQ_EDGE_RISING;
}

static void virt_add_goldfish(struct vmm_board *board)
{
	vmm_board_add(board, &vmm_goldfish_fb_ops, RANCHU_VIRT_FB_BASE, RANCHU_VIRT_FB_SIZE,
		      RANCHU_VIRT_FB_SPI);
	vmm_board_add(board, &vmm_goldfish_audio_ops, RANCHU_VIRT_AUDIO_BASE,
		      RANCHU_VIRT_AUDIO_SIZE, RANCHU_VIRT_AUDIO_SPI);
	vmm_board_add(board, &vmm_goldfish_battery_ops, RANCHU_VIRT_BATTERY_BASE,
		      RANCHU_VIRT_BATTERY_SIZE, RANCHU_VIRT_BATTERY_SPI);
	vmm_board_add(board, &vmm_goldfish_events_ops, RANCHU_VIRT_EVENTS_BASE,
		      RANCHU_VIRT_EVENTS_SIZE, RANCHU_VIRT_EVENTS_SPI);
	vmm_board_add(board, &vmm_pipe_ops, RANCHU_VIRT_PIPE_BASE, RANCHU_VIRT_PIPE_SIZE,
		      RANCHU_VIRT_PIPE_SPI);
	vmm_board_add(board, &vmm_goldfish_sync_ops, RANCHU_VIRT_SYNC_BASE, RANCHU_VIRT_SYNC_SIZE,
		      RANCHU_VIRT_SYNC_SPI);
}

/**
 * vmm_board_virt - fill the second arm64 board, with no device created
 * @board: filled
 * @cfg: has the options for the clock, pvpanic, the stall detector, the VM generation ID, the
 *	address space, and the bus of virtio devices
 */
void vmm_board_virt(struct vmm_board *board, const struct vmm_config *cfg)
{
	struct vmm_device *generation;

	*board = virt;
	/* The bus comes before all devices that look for it. */
	vmm_board_add(board, &vmm_pci_ecam_ops, RANCHU_VIRT_ECAM_BASE, RANCHU_VIRT_ECAM_SIZE, 0);
	vmm_board_add(board, &vmm_pci_memory_ops, RANCHU_VIRT_PCI_BASE, RANCHU_VIRT_PCI_SIZE, 0);
	virt_add_small(board, cfg);
	virt_add_virtio(board, cfg);
	if (cfg->address_space)
		vmm_board_add(board, &vmm_address_space_ops, 0, 0, 0);
	virt_add_goldfish(board);
	if (!cfg->vmgenid)
		return;
	generation = vmm_board_add(board, &vmm_vmgenid_ops, RANCHU_VIRT_VMGENID_BASE,
				   RANCHU_VIRT_VMGENID_SIZE, RANCHU_VIRT_VMGENID_SPI);
	generation->trigger = VMM_IRQ_EDGE_RISING;
}
