/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boards/ owns the board: what is where, which interrupt it raises, and what the guest
 * is told about it.
 */
#ifndef BOARDS_H
#define BOARDS_H

#include <linux/ranchu.h>

#include "machine/config.h"

struct vmm_vm;
struct vmm_device;
struct vmm_layout;

/* ---- board.c: the board table ---- */

/* Rows of the board table, in address order. */
enum vmm_row {
	VMM_ROW_GICD,
	VMM_ROW_GICC,
	VMM_ROW_GICR,
	VMM_ROW_PL011,
	VMM_ROW_FB,
	VMM_ROW_BATTERY,
	VMM_ROW_AUDIO,
	VMM_ROW_EVENTS,
	VMM_ROW_VIRTIO,
	VMM_ROW_PIPE,
	VMM_ROW_SYNC,
	VMM_ROWS
};

/* Fourth cell of an interrupt, as the device tree counts. */
#define VMM_IRQ_EDGE_RISING	1
#define VMM_IRQ_LEVEL_HIGH	4

/**
 * struct vmm_device_ops - a device model
 * @name: the model's name; several rows may share a model
 * @create: makes @dev->state, or fails; optional
 * @destroy: undoes @create; optional
 * @read: answers a guest read of 1 to 8 bytes at byte @offset of the row; any
 *	vCPU thread
 * @write: takes a guest write; any vCPU thread
 */
struct vmm_device_ops {
	const char *name;
	int (*create)(struct vmm_device *dev);
	void (*destroy)(struct vmm_device *dev);
	u64 (*read)(struct vmm_device *dev, u32 offset);
	void (*write)(struct vmm_device *dev, u32 offset, u64 value);
};

/**
 * struct vmm_board_row - a kind of device on the board
 * @name: what statistics and messages call it
 * @node: name of its device tree node without "@", NULL for none
 * @compatible: strings of the node in order, NULL where there are fewer
 * @base: guest physical address of the first instance
 * @size: bytes of one instance
 * @count: instances; instance i is at @base + i * @size and raises @spi + i
 * @spi: shared peripheral interrupt of the first instance
 * @trigger: VMM_IRQ_*
 * @clocks: the node names the board's clock as a PrimeCell wants it
 * @ops: the model; NULL for what KVM itself serves
 */
struct vmm_board_row {
	const char *name;
	const char *node;
	const char *compatible[2];
	u64 base;
	u64 size;
	unsigned int count;
	u32 spi;
	u32 trigger;
	bool clocks;
	const struct vmm_device_ops *ops;
};

/**
 * struct vmm_device - a row of the board in a VM
 * @row: the row
 * @vm: the VM
 * @state: belongs to the model
 */
struct vmm_device {
	const struct vmm_board_row *row;
	struct vmm_vm *vm;
	void *state;
};

extern const struct vmm_board_row vmm_board[VMM_ROWS];

enum vmm_row vmm_board_find(u64 gpa);
int vmm_board_create(struct vmm_vm *vm);
void vmm_board_destroy(struct vmm_vm *vm);

/* ---- fdt.c: the device tree ---- */

int vmm_fdt_build(const struct vmm_config *cfg, enum vmm_gic gic, const struct vmm_layout *layout,
		  void *blob, int size);

#endif /* BOARDS_H */
