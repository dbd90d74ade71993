// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86_64 board: devices, addresses and interrupts. ACPI tables, dispatch of accesses,
 * statistics and tests use what is defined here; no other file has an address.
 */
#include <linux/ranchu_pc.h>

#include "boot/pc.h"
#include "devices/address_space.h"
#include "devices/devices.h"
#include "pci/host.h"
#include "virtio/pci_bank.h"

/* The ACPI tables contain its address. */
static void pc_add_generation(struct vmm_board *board)
{
	struct vmm_device *dev = vmm_board_add(board, &vmm_vmgenid_ops, RANCHU_PC_VMGENID_BASE,
					       RANCHU_PC_VMGENID_SIZE, RANCHU_PC_VMGENID_GSI);

	dev->trigger = VMM_IRQ_EDGE_RISING;
}

/* The goldfish devices of the emulator's x86 guests. */
static void pc_add_goldfish(struct vmm_board *board, const struct vmm_config *cfg)
{
	vmm_board_add(board, &vmm_pipe_ops, RANCHU_PC_PIPE_BASE, RANCHU_PC_PIPE_SIZE,
		      RANCHU_PC_PIPE_GSI);
	vmm_board_add(board, &vmm_goldfish_battery_ops, RANCHU_PC_BATTERY_BASE,
		      RANCHU_PC_BATTERY_SIZE, RANCHU_PC_BATTERY_GSI);
	vmm_board_add(board, &vmm_goldfish_events_ops, RANCHU_PC_EVENTS_BASE,
		      RANCHU_PC_EVENTS_SIZE, RANCHU_PC_EVENTS_GSI);
	vmm_board_add(board, &vmm_goldfish_fb_ops, RANCHU_PC_FB_BASE, RANCHU_PC_FB_SIZE,
		      RANCHU_PC_FB_GSI);
	vmm_board_add(board, &vmm_goldfish_audio_ops, RANCHU_PC_AUDIO_BASE, RANCHU_PC_AUDIO_SIZE,
		      RANCHU_PC_AUDIO_GSI);
	vmm_board_add(board, &vmm_goldfish_sync_ops, RANCHU_PC_SYNC_BASE, RANCHU_PC_SYNC_SIZE,
		      RANCHU_PC_SYNC_GSI);
	vmm_board_add(board, &vmm_goldfish_rtc_ops, RANCHU_PC_RTC_BASE, RANCHU_PC_RTC_SIZE,
		      RANCHU_PC_RTC_GSI);
	vmm_board_add(board, &vmm_goldfish_rotary_ops, RANCHU_PC_ROTARY_BASE,
		      RANCHU_PC_ROTARY_SIZE, RANCHU_PC_ROTARY_GSI);
	if (cfg->pstore)
		vmm_board_add(board, &vmm_pstore_ops, RANCHU_PC_PSTORE_BASE,
			      RANCHU_PC_PSTORE_SIZE, 0);
}

/* The PC's ISA devices, with edge-triggered interrupts, and the ports that end a guest. */
static void pc_add_ports(struct vmm_board *board, const struct vmm_config *cfg)
{
	struct vmm_device *dev;

	vmm_board_add_ports(board, &vmm_i8042_ops, RANCHU_PC_I8042_PORT, 1, 0);
	if (cfg->rtc) {
		dev = vmm_board_add_ports(board, &vmm_cmos_ops, RANCHU_PC_CMOS_PORT,
					  RANCHU_PC_CMOS_PORTS, RANCHU_PC_CMOS_GSI);
		dev->trigger = VMM_IRQ_EDGE_RISING;
	}
	dev = vmm_board_add_ports(board, &vmm_uart16550_ops, RANCHU_PC_COM1_PORT,
				  RANCHU_PC_COM1_PORTS, RANCHU_PC_COM1_GSI);
	dev->trigger = VMM_IRQ_EDGE_RISING;
	if (cfg->pvpanic != VMM_PVPANIC_OFF)
		vmm_board_add_ports(board, &vmm_pvpanic_ops, RANCHU_PC_PVPANIC_PORT, 1, 0);
	vmm_board_add_ports(board, &vmm_acpi_pm_ops, RANCHU_PC_PM_PORT, RANCHU_PC_PM_PORTS,
			    RANCHU_PC_SCI_GSI);
	vmm_board_add_ports(board, &vmm_pc_reset_ops, RANCHU_PC_RESET_PORT, 1, 0);
}

/*
 * The host bridge of the emulator's x86 guests: Linux uses configuration ports only if it
 * finds a host bridge.
 *
 * Source: Intel 82441FX (PMC), datasheet 290549, 3.2: identity.
 */
static const struct vmm_pci_identity pc_bridge = {
	.vendor = 0x8086,
	.device = 0x1237,
	.class = 0x060000,
	.revision = 2,
};

static const struct vmm_pci_map pc_pci = {
	.window = {
		[VMM_PCI_PORTS] = { RANCHU_PC_PCI_PORT, RANCHU_PC_PCI_PORTS },
		[VMM_PCI_MEMORY] = { RANCHU_PC_PCI_BASE, RANCHU_PC_PCI_SIZE },
		[VMM_PCI_MEMORY64] = { RANCHU_PC_PCI64_BASE, RANCHU_PC_PCI64_SIZE },
	},
	.gsi = {
		RANCHU_PC_PCI_GSI_A, RANCHU_PC_PCI_GSI_B, RANCHU_PC_PCI_GSI_A,
		RANCHU_PC_PCI_GSI_B,
	},
	.messages = { RANCHU_PC_LAPIC_BASE, RANCHU_PC_MESSAGES },
	.message_gsi = RANCHU_PC_MSI_GSI,
	.bridge = &pc_bridge,
};

/* The bus comes before all devices that look for it. */
static void pc_add_pci(struct vmm_board *board, const struct vmm_config *cfg)
{
	board->pci = pc_pci;
	vmm_board_add_ports(board, &vmm_pci_host_ops, RANCHU_PC_PCI_CONFIG_PORT,
			    RANCHU_PC_PCI_CONFIG_PORTS, 0);
	vmm_board_add_ports(board, &vmm_pci_ports_ops, RANCHU_PC_PCI_PORT, RANCHU_PC_PCI_PORTS, 0);
	vmm_board_add(board, &vmm_pci_memory_ops, RANCHU_PC_PCI_BASE, RANCHU_PC_PCI_SIZE, 0);
	vmm_board_add(board, &vmm_virtio_pci_bank_ops, 0, 0, 0);
	if (cfg->address_space)
		vmm_board_add(board, &vmm_address_space_ops, 0, 0, 0);
}

/**
 * vmm_board_pc - fill the x86_64 board, with no device created
 * @board: filled
 * @cfg: has the options for the clock, pvpanic, the persistent store and the address space
 */
void vmm_board_pc(struct vmm_board *board, const struct vmm_config *cfg)
{
	*board = (struct vmm_board){
		.name = "pc",
		.ram = {
			{ 0, RANCHU_PC_LOW_RAM_MAX },
			{ RANCHU_PC_HIGH_RAM_BASE, RANCHU_PC_HIGH_RAM_MAX },
		},
		.load = vmm_pc_load,
	};
	pc_add_ports(board, cfg);
	pc_add_pci(board, cfg);
	pc_add_generation(board);
	pc_add_goldfish(board, cfg);
}
