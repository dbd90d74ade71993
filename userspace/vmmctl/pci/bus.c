// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bus: functions by slot, accesses to configuration space by ports (mechanism #1) and by memory
 * (ECAM), and accesses to the addresses where the guest has placed BARs. Where no function answers,
 * reads return ones, and writes are ignored.
 *
 * At power-on BARs have addresses, in sequence, as firmware would assign them: a guest that assigns
 * none can use its devices.
 *
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2; PCI Express Base Specification
 * 7.2.2 (ECAM).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "host/log.h"
#include "pci/pci.h"

#define ADDRESS_PORT	0	/* offset in the eight ports */
#define DATA_PORT	4
#define PORTS		8
#define ADDRESS_ENABLE	0x80000000

#define ONES		0xffffffff

/**
 * vmm_pci_bus_open - create an empty bus
 * @bus: filled
 * @map: addresses and interrupts on the board
 * @wires: connection to the machine
 * @arg: first argument of @wires
 *
 * Return: 0, or -errno
 */
int vmm_pci_bus_open(struct vmm_pci_bus *bus, const struct vmm_pci_map *map,
		     const struct vmm_pci_wires *wires, void *arg)
{
	*bus = (struct vmm_pci_bus){ .map = *map, .wires = wires, .arg = arg };
	bus->pin_fd = epoll_create1(EPOLL_CLOEXEC);
	if (bus->pin_fd < 0)
		return vmm_error(errno, "cannot set up the PCI bus");
	pthread_mutex_init(&bus->lock, NULL);
	return 0;
}

/**
 * vmm_pci_bus_close - free a bus
 * @bus: has no functions any more
 */
void vmm_pci_bus_close(struct vmm_pci_bus *bus)
{
	pthread_mutex_destroy(&bus->lock);
	close(bus->pin_fd);
}

/**
 * vmm_pci_add - put a function into a slot
 * @bus: no vCPU exists
 * @fn: completely described; owned by the caller, and used until vmm_pci_remove()
 * @slot: the slot
 *
 * Return: 0, -EBUSY if the slot is used, -EINVAL for an invalid slot
 */
int vmm_pci_add(struct vmm_pci_bus *bus, struct vmm_pci_function *fn, unsigned int slot)
{
	unsigned int i;

	if (slot >= VMM_PCI_SLOTS)
		return -EINVAL;
	if (bus->slot[slot])
		return -EBUSY;
	fn->bus = bus;
	fn->slot = slot;
	if (fn->sources)
		fn->initial[PCI_INTERRUPT_PIN] = 1;
	if (fn->sources)
		fn->initial[PCI_INTERRUPT_LINE] = bus->map.gsi[slot % VMM_PCI_PINS];
	for (i = 0; i < fn->vectors; i++)
		fn->vector[i].routed.gsi = bus->map.message_gsi + bus->gsis++;
	bus->slot[slot] = fn;
	return 0;
}

/**
 * vmm_pci_remove - remove a function
 * @fn: was added; no vCPU runs
 *
 * Unmaps its BARs, and disconnects its eventfds.
 */
void vmm_pci_remove(struct vmm_pci_function *fn)
{
	struct vmm_pci_bus *bus = fn->bus;

	pthread_mutex_lock(&bus->lock);
	vmm_pci_put(fn, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
	vmm_pci_decode(fn);
	fn->vectors = 0;
	vmm_pci_msix_power_on(fn);
	bus->slot[fn->slot] = NULL;
	vmm_pci_intx_update(bus);
	pthread_mutex_unlock(&bus->lock);
}

/**
 * vmm_pci_follow - update BARs, doorbells and interrupts from configuration space and the
 *	MSI-X table
 * @fn: the function, some of whose registers have changed
 *
 * Compares everything, because comparing is cheap.
 */
void vmm_pci_follow(struct vmm_pci_function *fn)
{
	vmm_pci_decode(fn);
	vmm_pci_msix_sync(fn);
	vmm_pci_intx_update(fn->bus);
}

static void place_bars(struct vmm_pci_function *fn, u64 *next)
{
	unsigned int i;

	for (i = 0; i < VMM_PCI_BARS; i++) {
		const struct vmm_pci_bar *bar = &fn->bar[i];
		u64 *free = &next[vmm_pci_window_of(bar->kind)];
		u64 at;

		if (bar->kind == VMM_PCI_NONE)
			continue;
		at = (*free + bar->size - 1) & -bar->size;
		if (vmm_pci_place(fn, i, at))
			*free = at + bar->size;
	}
}

/**
 * vmm_pci_power_on - put the bus and all its functions into their power-on state
 * @bus: no vCPU exists
 */
void vmm_pci_power_on(struct vmm_pci_bus *bus)
{
	u64 next[VMM_PCI_KINDS];
	unsigned int i;

	for (i = 0; i < VMM_PCI_KINDS; i++)
		next[i] = bus->map.window[i].base;
	pthread_mutex_lock(&bus->lock);
	bus->address = 0;
	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		struct vmm_pci_function *fn = bus->slot[i];

		if (!fn)
			continue;
		vmm_pci_config_power_on(fn);
		fn->pending = 0;
		vmm_pci_msix_power_on(fn);
		place_bars(fn, next);
		vmm_pci_follow(fn);
	}
	pthread_mutex_unlock(&bus->lock);
}

static bool window_touched(const struct vmm_pci_function *fn, unsigned int offset,
			   unsigned int len)
{
	return fn->window && offset < fn->window + 4 && offset + len > fn->window;
}

static bool config_reaches(struct vmm_pci_bus *bus, unsigned int slot, unsigned int offset,
			   unsigned int len)
{
	return slot < VMM_PCI_SLOTS && bus->slot[slot] && len && len <= 4 &&
	       offset < VMM_PCI_CONFIG && len <= VMM_PCI_CONFIG - offset;
}

/**
 * vmm_pci_config_read - answer a read of configuration space
 * @bus: the bus
 * @slot: which function
 * @offset: byte offset
 * @len: bytes
 *
 * Context: any vCPU thread, as all accesses.
 * Return: the bytes; ones for an empty slot
 */
u32 vmm_pci_config_read(struct vmm_pci_bus *bus, unsigned int slot, unsigned int offset,
			unsigned int len)
{
	struct vmm_pci_function *fn;
	u32 value;

	if (!config_reaches(bus, slot, offset, len))
		return ONES;
	fn = bus->slot[slot];
	if (fn->ops->window_read && window_touched(fn, offset, len))
		fn->ops->window_read(fn);
	pthread_mutex_lock(&bus->lock);
	value = vmm_pci_get(fn, offset, len);
	pthread_mutex_unlock(&bus->lock);
	return value;
}

/**
 * vmm_pci_config_write - handle a write to configuration space
 * @bus: the bus
 * @slot: which function
 * @offset: byte offset
 * @value: what was written
 * @len: bytes
 */
void vmm_pci_config_write(struct vmm_pci_bus *bus, unsigned int slot, unsigned int offset,
			  u32 value, unsigned int len)
{
	struct vmm_pci_function *fn;

	if (!config_reaches(bus, slot, offset, len))
		return;
	fn = bus->slot[slot];
	pthread_mutex_lock(&bus->lock);
	vmm_pci_store(fn, offset, value, len);
	vmm_pci_follow(fn);
	pthread_mutex_unlock(&bus->lock);
	if (fn->ops->window_write && window_touched(fn, offset, len))
		fn->ops->window_write(fn);
}

/* Returns the slot in the address port, or one that is always empty. */
static unsigned int address_slot(u32 address)
{
	bool here = address & ADDRESS_ENABLE && !(address >> 16 & 0xff) && !(address >> 8 & 7);

	return here ? address >> 11 & 0x1f : VMM_PCI_SLOTS;
}

/**
 * vmm_pci_port_read - answer a read from the ports of mechanism #1
 * @bus: the bus
 * @port: 0 to 7, from the first one on
 * @len: bytes
 *
 * The address port has 32-bit accesses only; an access must not cross the data ports' end.
 *
 * Return: the bytes, or ones
 */
u32 vmm_pci_port_read(struct vmm_pci_bus *bus, unsigned int port, unsigned int len)
{
	u32 address;

	pthread_mutex_lock(&bus->lock);
	address = bus->address;
	pthread_mutex_unlock(&bus->lock);
	if (port == ADDRESS_PORT && len == 4)
		return address;
	if (port < DATA_PORT || port + len > PORTS)
		return ONES;
	return vmm_pci_config_read(bus, address_slot(address), (address & 0xfc) + port - DATA_PORT,
				   len);
}

/**
 * vmm_pci_port_write - handle a write to the ports of mechanism #1
 * @bus: the bus
 * @port: 0 to 7, from the first one on
 * @value: what was written
 * @len: bytes
 */
void vmm_pci_port_write(struct vmm_pci_bus *bus, unsigned int port, u32 value, unsigned int len)
{
	u32 address;

	pthread_mutex_lock(&bus->lock);
	if (port == ADDRESS_PORT && len == 4)
		bus->address = value & VMM_PCI_ADDRESS_KEPT;
	address = bus->address;
	pthread_mutex_unlock(&bus->lock);
	if (port < DATA_PORT || port + len > PORTS)
		return;
	vmm_pci_config_write(bus, address_slot(address), (address & 0xfc) + port - DATA_PORT,
			     value, len);
}

/* Bus, slot, function: 4 KiB for each function, of which 256 bytes exist. */
static unsigned int ecam_slot(u64 offset)
{
	return offset >> 20 || offset >> 12 & 7 ? VMM_PCI_SLOTS : offset >> 15 & 0x1f;
}

/**
 * vmm_pci_ecam_read - answer a read of configuration space that is in memory
 * @bus: the bus
 * @offset: byte offset
 * @len: bytes
 *
 * Return: the bytes, or ones
 */
u32 vmm_pci_ecam_read(struct vmm_pci_bus *bus, u64 offset, unsigned int len)
{
	return vmm_pci_config_read(bus, ecam_slot(offset), offset & 0xfff, len);
}

/**
 * vmm_pci_ecam_write - handle a write to configuration space that is in memory
 * @bus: the bus
 * @offset: byte offset
 * @value: what was written
 * @len: bytes
 */
void vmm_pci_ecam_write(struct vmm_pci_bus *bus, u64 offset, u32 value, unsigned int len)
{
	vmm_pci_config_write(bus, ecam_slot(offset), offset & 0xfff, value, len);
}

/**
 * struct target - target of an access
 * @fn: the function, or NULL
 * @bar: the BAR
 * @offset: offset in the BAR
 */
struct target {
	struct vmm_pci_function *fn;
	unsigned int bar;
	u64 offset;
};

static bool bar_has(const struct vmm_pci_bar *bar, bool ports, u64 addr, unsigned int len)
{
	bool is_ports = bar->kind == VMM_PCI_PORTS;

	if (bar->at == VMM_PCI_NOWHERE || is_ports != ports)
		return false;
	return addr >= bar->at && addr - bar->at < bar->size &&
	       len <= bar->size - (addr - bar->at);
}

static struct target target_find(struct vmm_pci_bus *bus, bool ports, u64 addr,
				 unsigned int len)
{
	struct target target = { 0 };
	unsigned int i;
	unsigned int j;

	if (!len || len > 8)
		return target;
	pthread_mutex_lock(&bus->lock);
	for (i = 0; i < VMM_PCI_SLOTS * VMM_PCI_BARS && !target.fn; i++) {
		struct vmm_pci_function *fn = bus->slot[i / VMM_PCI_BARS];

		j = i % VMM_PCI_BARS;
		if (fn && bar_has(&fn->bar[j], ports, addr, len))
			target = (struct target){ fn, j, addr - fn->bar[j].at };
	}
	pthread_mutex_unlock(&bus->lock);
	return target;
}

/**
 * vmm_pci_read - answer a read from an address that a BAR may be at
 * @bus: the bus
 * @ports: it is a port, not memory
 * @addr: the address
 * @len: bytes
 *
 * If the BAR is moved meanwhile, its old place is read.
 *
 * Return: the bytes, or ones
 */
u64 vmm_pci_read(struct vmm_pci_bus *bus, bool ports, u64 addr, unsigned int len)
{
	struct target target = target_find(bus, ports, addr, len);

	if (!target.fn)
		return ~0ULL;
	return target.fn->ops->read(target.fn, target.bar, target.offset, len);
}

/**
 * vmm_pci_write - handle a write to an address that a BAR may be at
 * @bus: the bus
 * @ports: it is a port, not memory
 * @addr: the address
 * @value: what was written; its bits beyond @len are 0
 * @len: bytes
 */
void vmm_pci_write(struct vmm_pci_bus *bus, bool ports, u64 addr, u64 value, unsigned int len)
{
	struct target target = target_find(bus, ports, addr, len);

	if (target.fn)
		target.fn->ops->write(target.fn, target.bar, target.offset, value, len);
}
