// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations on all devices of a board, independent of board and devices. A board is a member
 * of its VM; ranchu.c, virt.c and pc.c fill it.
 */
#include <errno.h>
#include <string.h>

#include "machine/machine.h"

/**
 * vmm_board_add - put a device on a board
 * @board: has room for it; devices are added in address order
 * @ops: the model
 * @base: guest physical address
 * @size: bytes
 * @irq: its interrupt, level-triggered unless the caller changes that
 *
 * Return: the device, one instance of it
 */
struct vmm_device *vmm_board_add(struct vmm_board *board, const struct vmm_device_ops *ops,
				 u64 base, u64 size, u32 irq)
{
	struct vmm_device *dev = &board->dev[board->devices++];

	*dev = (struct vmm_device){
		.ops = ops,
		.base = base,
		.size = size,
		.count = 1,
		.irq = irq,
		.trigger = VMM_IRQ_LEVEL_HIGH,
	};
	return dev;
}

/**
 * vmm_board_add_ports - put a device on a board whose registers are ports
 * @board: as for vmm_board_add()
 * @ops: the model
 * @base: first port
 * @size: ports
 * @irq: as for vmm_board_add()
 *
 * Return: the device, one instance of it
 */
struct vmm_device *vmm_board_add_ports(struct vmm_board *board, const struct vmm_device_ops *ops,
				       u64 base, u64 size, u32 irq)
{
	struct vmm_device *dev = vmm_board_add(board, ops, base, size, irq);

	dev->space = VMM_PORTS;
	return dev;
}

static u64 device_bytes(const struct vmm_device *dev)
{
	return dev->size * dev->count;
}

/* Returns the size of a device that contains an access: smaller fits better; 0 for none. */
static u64 device_fits(const struct vmm_device *dev, enum vmm_space space, u64 addr,
		       unsigned int len)
{
	u64 offset = addr - dev->base;

	if (dev->space != space || addr < dev->base || offset >= device_bytes(dev))
		return 0;
	return len <= device_bytes(dev) - offset ? device_bytes(dev) : ~0ULL;
}

/**
 * vmm_board_find - find the device that an access belongs to
 * @board: the board
 * @space: where the address is
 * @addr: the address
 * @len: bytes that are accessed
 *
 * If devices overlap, the smallest one that contains the whole access is chosen: for one port
 * inside another device's four, byte accesses are its own, and accesses to all four are the
 * other's.
 *
 * Return: the device, which contains at least the first byte, or NULL
 */
struct vmm_device *vmm_board_find(struct vmm_board *board, enum vmm_space space, u64 addr,
				  unsigned int len)
{
	struct vmm_device *best = NULL;
	u64 best_fits = 0;
	unsigned int i;

	for (i = 0; i < board->devices; i++) {
		u64 fits = device_fits(&board->dev[i], space, addr, len);

		if (!fits || (best && fits >= best_fits))
			continue;
		best = &board->dev[i];
		best_fits = fits;
	}
	return best;
}

/**
 * vmm_board_index - return the index of a device
 * @board: the board
 * @dev: the device, or NULL
 *
 * Return: its index in @board->dev, VMM_DEVICES for NULL
 */
unsigned int vmm_board_index(const struct vmm_board *board, const struct vmm_device *dev)
{
	return dev ? dev - board->dev : VMM_DEVICES;
}

/**
 * vmm_board_create - create every device of the board
 * @vm: has a board and RAM
 *
 * Return: 0, or the first model's -errno with nothing left behind
 */
int vmm_board_create(struct vmm_vm *vm)
{
	unsigned int i;
	int err;

	for (i = 0; i < vm->board.devices; i++) {
		struct vmm_device *dev = &vm->board.dev[i];

		dev->vm = vm;
		dev->state = NULL;
		vmm_line_init(&dev->line, vm, dev->irq);
		err = dev->ops->create(dev);
		if (err) {
			vmm_board_destroy(vm);
			return err;
		}
		dev->created = true;
	}
	return 0;
}

/**
 * vmm_board_destroy - destroy every device that was created
 * @vm: has no vCPUs
 */
void vmm_board_destroy(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = vm->board.devices; i-- > 0;) {
		struct vmm_device *dev = &vm->board.dev[i];

		if (dev->created)
			dev->ops->destroy(dev);
		dev->created = false;
		dev->state = NULL;
	}
}

/**
 * vmm_board_reset - put every device into its power-on state
 * @vm: has no vCPUs
 */
void vmm_board_reset(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->board.devices; i++) {
		struct vmm_device *dev = &vm->board.dev[i];

		if (!dev->created)
			continue;
		vmm_count(&dev->resets, 1);
		dev->ops->reset(dev);
	}
}

/**
 * vmm_board_pause - stop every device
 * @vm: no vCPU of it runs
 *
 * When it returns, no device is active.
 */
void vmm_board_pause(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->board.devices; i++) {
		if (vm->board.dev[i].created)
			vm->board.dev[i].ops->pause(&vm->board.dev[i]);
	}
}

/**
 * vmm_board_resume - resume every device
 * @vm: no vCPU of it runs yet
 */
void vmm_board_resume(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->board.devices; i++) {
		if (vm->board.dev[i].created)
			vm->board.dev[i].ops->resume(&vm->board.dev[i]);
	}
}

/**
 * vmm_board_command - run a command of one device or of all
 * @vm: its board was created
 * @device: name of a device, or NULL for all that have the command
 * @name: of the command
 * @arg: its argument, or NULL
 * @text: devices' output is added; may be NULL
 *
 * Context: main thread.
 * Return: 0, -ENOENT if no device has such a command, or the first -errno of a device
 */
int vmm_board_command(struct vmm_vm *vm, const char *device, const char *name, const char *arg,
		      struct vmm_text *text)
{
	static struct vmm_text unheard;
	int result = -ENOENT;
	unsigned int i;

	if (!text) {
		vmm_text_clear(&unheard);
		text = &unheard;
	}
	for (i = 0; i < vm->board.devices; i++) {
		struct vmm_device *dev = &vm->board.dev[i];
		int err;

		if (!dev->created || (device && strcmp(device, dev->ops->name)))
			continue;
		err = vmm_device_command(dev, name, arg, text);
		if (err != -ENOENT && (!result || result == -ENOENT))
			result = err;
	}
	return result;
}
