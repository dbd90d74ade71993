/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boards/ owns the boards: addresses and interrupts of devices, and the description for the guest.
 */
#ifndef BOARDS_H
#define BOARDS_H

#include "machine/config.h"
#include "machine/device.h"
#include "pci/pci.h"

struct vmm_boot;
struct vmm_layout;
struct vmm_vm;

#define VMM_DEVICES	32	/* devices of a board, at most */
#define VMM_BOARD_RAM	2	/* ranges for RAM */

/**
 * struct vmm_board_ram - a range for RAM
 * @base: guest physical address
 * @max: bytes that fit
 */
struct vmm_board_ram {
	u64 base;
	u64 max;
};

/**
 * struct vmm_entry - initial state of a guest's boot CPU
 * @pc: guest physical address of its first instruction
 * @arg: value of its first register: address of the boot parameters
 * @how: mode of the CPU, defined by the architecture; 0 for its only one
 */
struct vmm_entry {
	u64 pc;
	u64 arg;
	unsigned int how;
};

/**
 * struct vmm_gic_map - addresses of an interrupt controller
 * @dist: guest physical address of the distributor
 * @dist_size: bytes
 * @cpu: guest physical address of the CPU interface, version 2
 * @cpu_size: bytes
 * @redist: guest physical address of the redistributors, version 3
 * @redist_size: bytes of one; there is one for each CPU
 * @irqs: interrupts that it has
 * @frame: guest physical address of its GICv2m frame, to which PCI functions send messages
 * @frame_size: bytes of it, 0 if there is none
 * @frame_spi: the first shared peripheral interrupt for messages
 * @frame_spis: number of interrupts for messages
 */
struct vmm_gic_map {
	u64 dist;
	u64 dist_size;
	u64 cpu;
	u64 cpu_size;
	u64 redist;
	u64 redist_size;
	u32 irqs;
	u64 frame;
	u64 frame_size;
	u32 frame_spi;
	u32 frame_spis;
};

/** Register of a GICv2m frame that messages are written to. */
#define VMM_GICV2M_SETSPI	0x040

/**
 * struct vmm_board - the board of a VM
 * @name: its name
 * @compatible: "compatible" of its device tree, if it has one
 * @coherent: the device tree has "dma-coherent" for devices
 * @ram: ranges for RAM, filled in this order; @max is 0 if there are fewer
 * @load: loads what the guest starts from into RAM, at each boot: 0 with @entry filled,
 *	or -errno after a message
 * @gic: the interrupt controller
 * @pci: its PCI bus, if it has one
 * @power_key: GPIO line of the power key
 * @devices: how many
 * @dev: in address order in each space; the first @devices are valid
 */
struct vmm_board {
	const char *name;
	const char *compatible;
	bool coherent;
	struct vmm_board_ram ram[VMM_BOARD_RAM];
	int (*load)(struct vmm_vm *vm, const struct vmm_boot *boot, struct vmm_entry *entry);
	struct vmm_gic_map gic;
	struct vmm_pci_map pci;
	unsigned int power_key;
	unsigned int devices;
	struct vmm_device dev[VMM_DEVICES];
};

/* ---- board.c: operations on all devices of a board ---- */

struct vmm_device *vmm_board_add(struct vmm_board *board, const struct vmm_device_ops *ops,
				 u64 base, u64 size, u32 irq);
struct vmm_device *vmm_board_add_ports(struct vmm_board *board, const struct vmm_device_ops *ops,
				       u64 base, u64 size, u32 irq);
struct vmm_device *vmm_board_find(struct vmm_board *board, enum vmm_space space, u64 addr,
				  unsigned int len);
unsigned int vmm_board_index(const struct vmm_board *board, const struct vmm_device *dev);
int vmm_board_create(struct vmm_vm *vm);
void vmm_board_destroy(struct vmm_vm *vm);
void vmm_board_reset(struct vmm_vm *vm);
void vmm_board_pause(struct vmm_vm *vm);
void vmm_board_resume(struct vmm_vm *vm);
int vmm_board_command(struct vmm_vm *vm, const char *device, const char *name, const char *arg,
		      struct vmm_text *text);

/* ---- input.c: keys and touches for the device that the guest uses ---- */

int vmm_board_input(struct vmm_vm *vm, const char *device, const char *command,
		    const char *value, struct vmm_text *text);

/* ---- arm64.c: choosing the arm64 board ---- */

void vmm_board_arm64(struct vmm_board *board, const struct vmm_config *cfg);

/* ---- ranchu.c: the ranchu board ---- */

void vmm_board_ranchu(struct vmm_board *board, const struct vmm_config *cfg);

/* ---- virt.c: the second arm64 board ---- */

void vmm_board_virt(struct vmm_board *board, const struct vmm_config *cfg);

/* ---- pc.c: the x86_64 board ---- */

void vmm_board_pc(struct vmm_board *board, const struct vmm_config *cfg);

/* ---- fdt.c: the device tree ---- */

int vmm_fdt_build(const struct vmm_board *board, const struct vmm_config *cfg, enum vmm_gic gic,
		  const struct vmm_layout *layout, void *blob, int size);

/* ---- dtb.c: the command that writes a device tree to a file ---- */

int vmm_dtb_command(const struct vmm_config *cfg);

#endif /* BOARDS_H */
