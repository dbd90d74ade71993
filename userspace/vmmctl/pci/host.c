// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board's devices for its PCI bus: configuration space, by ports or in memory, which owns
 * the bus and its host bridge, and the windows of ports and memory for BARs. On a board,
 * configuration space comes before all devices that look for the bus.
 */
#include <errno.h>
#include <stdlib.h>

#include "pci/host.h"

/* The bridge has no BARs. */
static const struct vmm_pci_ops bridge_ops;

static int host_create(struct vmm_device *dev);

/**
 * vmm_pci_host_find - find the bus of a VM
 * @vm: its board is being created, or was
 *
 * Return: the bus, NULL if there is none yet
 */
struct vmm_pci_host *vmm_pci_host_find(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->board.devices; i++) {
		if (vm->board.dev[i].ops->create == host_create)
			return vm->board.dev[i].state;
	}
	return NULL;
}

static int pin_event(void *arg)
{
	return vmm_pci_intx_serve(arg);
}

static int host_open(struct vmm_pci_host *host, struct vmm_vm *vm)
{
	unsigned int i;
	int err;

	host->vm = vm;
	for (i = 0; i < VMM_PCI_PINS; i++)
		vmm_line_init(&host->pin[i], vm, vm->board.pci.gsi[i]);
	err = vmm_pci_bus_open(&host->bus, &vm->board.pci, &vmm_pci_kvm, host);
	if (err)
		return err;
	if (vm->board.pci.bridge) {
		vmm_pci_init(&host->bridge, &bridge_ops, vm->board.pci.bridge);
		vmm_pci_add(&host->bus, &host->bridge, 0);
	}
	vmm_pci_power_on(&host->bus);
	return vmm_loop_add(vm->loop, host->bus.pin_fd, pin_event, &host->bus);
}

static void host_destroy(struct vmm_device *dev)
{
	struct vmm_pci_host *host = dev->state;

	vmm_loop_del(dev->vm->loop, host->bus.pin_fd);
	vmm_pci_bus_close(&host->bus);
	free(host);
}

static int host_create(struct vmm_device *dev)
{
	struct vmm_pci_host *host = calloc(1, sizeof(*host));
	int err;

	if (!host)
		return vmm_error(ENOMEM, "PCI");
	dev->state = host;
	host->bus.pin_fd = -1;
	err = host_open(host, dev->vm);
	if (!err)
		return 0;
	if (host->bus.pin_fd >= 0)
		vmm_pci_bus_close(&host->bus);
	free(host);
	dev->state = NULL;
	return err;
}

static void host_reset(struct vmm_device *dev)
{
	struct vmm_pci_host *host = dev->state;

	vmm_pci_power_on(&host->bus);
}

static u64 host_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_port_read(&host->bus, offset, len);
}

static void host_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	vmm_pci_port_write(&host->bus, offset, value, len);
}

static int host_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_save(&host->bus, dev->ops->name, state);
}

static int host_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_load(&host->bus, dev->ops->name, state);
}

/* The board's description contains the bus. */
static void host_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

/** The configuration ports, with the bus. */
const struct vmm_device_ops vmm_pci_host_ops = {
	.name = "pci",
	.create = host_create,
	.reset = host_reset,
	.destroy = host_destroy,
	.read = host_read,
	.write = host_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = host_save,
	.load = host_load,
	.describe = host_describe,
};

static u64 ecam_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_ecam_read(&host->bus, offset, len);
}

static void ecam_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	vmm_pci_ecam_write(&host->bus, offset, value, len);
}

/* Older versions did not save a bus that has only its bridge. */
static int host_load_nothing(struct vmm_device *dev)
{
	const struct vmm_pci_host *host = dev->state;
	unsigned int i;

	for (i = 1; i < VMM_PCI_SLOTS; i++) {
		if (host->bus.slot[i])
			return -EINVAL;
	}
	return 0;
}

/** Configuration space in memory, with the bus. */
const struct vmm_device_ops vmm_pci_ecam_ops = {
	.name = "pci",
	.create = host_create,
	.reset = host_reset,
	.destroy = host_destroy,
	.read = ecam_read,
	.write = ecam_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = host_save,
	.load = host_load,
	.load_nothing = host_load_nothing,
	.describe = host_describe,
};

static int window_create(struct vmm_device *dev)
{
	dev->state = vmm_pci_host_find(dev->vm);
	return dev->state ? 0 : vmm_error(-EINVAL, "the board has no PCI bus");
}

static u64 ports_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_read(&host->bus, true, dev->base + offset, len);
}

static void ports_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	vmm_pci_write(&host->bus, true, dev->base + offset, value, len);
}

/** Ports for BARs. */
const struct vmm_device_ops vmm_pci_ports_ops = {
	.name = "pci_ports",
	.create = window_create,
	.reset = vmm_device_nothing,
	.destroy = vmm_device_nothing,
	.read = ports_read,
	.write = ports_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.describe = host_describe,
};

static u64 memory_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	return vmm_pci_read(&host->bus, false, dev->base + offset, len);
}

static void memory_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vmm_pci_host *host = dev->state;

	vmm_pci_write(&host->bus, false, dev->base + offset, value, len);
}

/** Memory for BARs. */
const struct vmm_device_ops vmm_pci_memory_ops = {
	.name = "pci_memory",
	.create = window_create,
	.reset = vmm_device_nothing,
	.destroy = vmm_device_nothing,
	.read = memory_read,
	.write = memory_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.describe = host_describe,
};
