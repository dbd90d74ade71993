// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function's configuration space: bytes, a mask of bits that the guest can change, a list of
 * capabilities, and base address registers, whose size the guest finds from the bits that do not
 * change.
 *
 * A BAR is mapped if its address is inside a window of the board and decoding is enabled. Otherwise
 * the register keeps the address, and accesses to it find nothing.
 *
 * Source: PCI Local Bus Specification 3.0, 6.1 to 6.2.5, 6.7.
 */
#include <string.h>
#include <linux/pci_regs.h>

#include "pci/pci.h"

#define PCI_INTX_PIN_A	1

static u32 get_bytes(const u8 *from, unsigned int len)
{
	u32 value = 0;

	while (len--)
		value = value << 8 | from[len];
	return value;
}

static void put_bytes(u8 *to, u32 value, unsigned int len)
{
	for (; len--; value >>= 8)
		*to++ = value;
}

/**
 * vmm_pci_init - begin to describe a function
 * @fn: filled: no BARs, no capabilities, no interrupts
 * @ops: operations of the device
 * @identity: vendor, device, class
 */
void vmm_pci_init(struct vmm_pci_function *fn, const struct vmm_pci_ops *ops,
		  const struct vmm_pci_identity *identity)
{
	unsigned int i;

	*fn = (struct vmm_pci_function){ .ops = ops, .caps = PCI_STD_HEADER_SIZEOF };
	for (i = 0; i < VMM_PCI_BARS; i++)
		fn->bar[i].at = VMM_PCI_NOWHERE;
	put_bytes(fn->initial + PCI_VENDOR_ID, identity->vendor, 2);
	put_bytes(fn->initial + PCI_DEVICE_ID, identity->device, 2);
	put_bytes(fn->initial + PCI_CLASS_PROG, identity->class, 3);
	fn->initial[PCI_REVISION_ID] = identity->revision;
	put_bytes(fn->initial + PCI_SUBSYSTEM_VENDOR_ID, identity->subsystem_vendor, 2);
	put_bytes(fn->initial + PCI_SUBSYSTEM_ID, identity->subsystem, 2);
	vmm_pci_allow(fn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		      PCI_COMMAND_INTX_DISABLE);
	vmm_pci_allow(fn, PCI_CACHE_LINE_SIZE, 0xff);
	vmm_pci_allow(fn, PCI_INTERRUPT_LINE, 0xff);
}

/**
 * vmm_pci_allow - let the guest change bits of configuration space
 * @fn: being described
 * @offset: byte offset
 * @bits: mask of the 32 bits from there on
 */
void vmm_pci_allow(struct vmm_pci_function *fn, unsigned int offset, u32 bits)
{
	unsigned int i;

	for (i = 0; bits; i++, bits >>= 8)
		fn->mask[offset + i] |= bits;
}

static u32 bar_flags(enum vmm_pci_kind kind)
{
	if (kind == VMM_PCI_PORTS)
		return PCI_BASE_ADDRESS_SPACE_IO;
	if (kind == VMM_PCI_MEMORY64)
		return PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	if (kind == VMM_PCI_MEMORY64_PLAIN)
		return PCI_BASE_ADDRESS_MEM_TYPE_64;
	return 0;
}

/**
 * vmm_pci_window_of - return the board's window for BARs of a kind
 * @kind: kind of the BAR
 *
 * Return: the kind whose window is used
 */
enum vmm_pci_kind vmm_pci_window_of(enum vmm_pci_kind kind)
{
	return kind == VMM_PCI_MEMORY64_PLAIN ? VMM_PCI_MEMORY64 : kind;
}

static bool is_64_bits(enum vmm_pci_kind kind)
{
	return vmm_pci_window_of(kind) == VMM_PCI_MEMORY64;
}

/**
 * vmm_pci_set_bar - give a function a base address register
 * @fn: being described
 * @bar: index; a 64-bit one uses the next one as well
 * @kind: kind of the BAR
 * @size: bytes or ports, a power of two, at least 16
 */
void vmm_pci_set_bar(struct vmm_pci_function *fn, unsigned int bar, enum vmm_pci_kind kind,
		     u64 size)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;

	fn->bar[bar].kind = kind;
	fn->bar[bar].size = size;
	put_bytes(fn->initial + offset, bar_flags(kind), 4);
	vmm_pci_allow(fn, offset, -size);
	if (is_64_bits(kind))
		vmm_pci_allow(fn, offset + 4, -size >> 32);
}

/**
 * vmm_pci_add_cap - add a capability
 * @fn: being described; has room
 * @id: of the capability
 * @body: the bytes after its ID and the link to the next one
 * @len: bytes of @body
 *
 * Return: its offset in configuration space
 */
unsigned int vmm_pci_add_cap(struct vmm_pci_function *fn, u8 id, const void *body,
			     unsigned int len)
{
	unsigned int at = fn->caps;

	fn->initial[at + PCI_CAP_LIST_ID] = id;
	memcpy(fn->initial + at + PCI_CAP_LIST_NEXT + 1, body, len);
	fn->initial[fn->last_cap ? fn->last_cap + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST] = at;
	fn->initial[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	fn->last_cap = at;
	fn->caps = (at + 2 + len + 3) & ~3U;
	return at;
}

/**
 * vmm_pci_get - read configuration space
 * @fn: the function
 * @offset: byte offset
 * @len: bytes, 1 to 4, all inside
 *
 * Return: the bytes
 */
u32 vmm_pci_get(const struct vmm_pci_function *fn, unsigned int offset, unsigned int len)
{
	return get_bytes(fn->config + offset, len);
}

/**
 * vmm_pci_put - change configuration space, also bits that the guest cannot change
 * @fn: the function
 * @offset: byte offset
 * @value: the new value
 * @len: bytes, 1 to 4, all inside
 */
void vmm_pci_put(struct vmm_pci_function *fn, unsigned int offset, u32 value, unsigned int len)
{
	put_bytes(fn->config + offset, value, len);
}

/**
 * vmm_pci_command - read the command register
 * @fn: the function
 *
 * Return: its value
 */
u16 vmm_pci_command(const struct vmm_pci_function *fn)
{
	return vmm_pci_get(fn, PCI_COMMAND, 2);
}

/**
 * vmm_pci_store - handle a guest's write
 * @fn: the function
 * @offset: byte offset
 * @value: what was written
 * @len: bytes, 1 to 4, all inside
 */
void vmm_pci_store(struct vmm_pci_function *fn, unsigned int offset, u32 value, unsigned int len)
{
	for (; len--; offset++, value >>= 8) {
		fn->config[offset] &= ~fn->mask[offset];
		fn->config[offset] |= value & fn->mask[offset];
	}
}

/**
 * vmm_pci_config_power_on - put configuration space into its power-on state
 * @fn: the function
 */
void vmm_pci_config_power_on(struct vmm_pci_function *fn)
{
	memcpy(fn->config, fn->initial, sizeof(fn->config));
}

static bool window_holds(const struct vmm_pci_window *window, u64 address, u64 size)
{
	return size <= window->size && address >= window->base &&
	       address - window->base <= window->size - size;
}

static bool bar_fits(const struct vmm_pci_function *fn, const struct vmm_pci_bar *bar, u64 address)
{
	const struct vmm_pci_map *map = &fn->bus->map;

	if (is_64_bits(bar->kind) &&
	    window_holds(&map->window[VMM_PCI_MEMORY], address, bar->size))
		return true;
	return window_holds(&map->window[vmm_pci_window_of(bar->kind)], address, bar->size);
}

/* Returns the address in the register, mapped or not. */
static u64 bar_address(const struct vmm_pci_function *fn, unsigned int bar)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;
	u64 address = vmm_pci_get(fn, offset, 4);

	if (is_64_bits(fn->bar[bar].kind))
		address |= (u64)vmm_pci_get(fn, offset + 4, 4) << 32;
	return address & -fn->bar[bar].size;
}

static u64 bar_wanted(const struct vmm_pci_function *fn, unsigned int bar)
{
	const struct vmm_pci_bar *b = &fn->bar[bar];
	u16 decodes = b->kind == VMM_PCI_PORTS ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	u64 address;

	if (b->kind == VMM_PCI_NONE || !(vmm_pci_command(fn) & decodes))
		return VMM_PCI_NOWHERE;
	address = bar_address(fn, bar);
	return bar_fits(fn, b, address) ? address : VMM_PCI_NOWHERE;
}

/**
 * vmm_pci_decode - update the addresses of BARs from configuration space
 * @fn: the function
 */
void vmm_pci_decode(struct vmm_pci_function *fn)
{
	unsigned int i;

	for (i = 0; i < VMM_PCI_BARS; i++) {
		u64 wanted = bar_wanted(fn, i);

		if (wanted == fn->bar[i].at)
			continue;
		fn->bar[i].at = wanted;
		if (fn->ops->moved)
			fn->ops->moved(fn, i);
	}
}

/**
 * vmm_pci_place - write an address into a BAR, as firmware does
 * @fn: the function
 * @bar: index of the BAR
 * @address: a multiple of its size
 *
 * Return: whether it is in a window of the board
 */
bool vmm_pci_place(struct vmm_pci_function *fn, unsigned int bar, u64 address)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;

	if (!bar_fits(fn, &fn->bar[bar], address))
		return false;
	vmm_pci_put(fn, offset, address | bar_flags(fn->bar[bar].kind), 4);
	if (is_64_bits(fn->bar[bar].kind))
		vmm_pci_put(fn, offset + 4, address >> 32, 4);
	return true;
}
