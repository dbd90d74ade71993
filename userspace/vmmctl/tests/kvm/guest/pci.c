// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI configuration space by mechanism #1, and base address registers.
 *
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2, 6.1, 6.2.5.1.
 */
#include <linux/pci_regs.h>

#include "tests/kvm/guest/guest.h"

#define ADDRESS		0xcf8
#define DATA		0xcfc
#define ENABLE		0x80000000
#define BRIDGE		0x12378086
#define RNG		0x10441af4
#define ONES		0xffffffff

#define MOVED_MEMORY	0xc0800000
#define NO_WINDOW	0x40000000	/* neither RAM nor a PCI window */
#define MOVED_PORTS	0x2000

static void address(u32 slot, u32 offset)
{
	out32(ADDRESS, ENABLE | slot << 11 | offset);
}

/* Read a register of 32 bits. */
u32 config_read(u32 slot, u32 offset)
{
	address(slot, offset);
	return in32(DATA);
}

/* Write a register of 32 bits. */
void config_write(u32 slot, u32 offset, u32 value)
{
	address(slot, offset);
	out32(DATA, value);
}

/* Write half of a register. */
void config_write16(u32 slot, u32 offset, u16 value)
{
	address(slot, offset & ~3);
	out16(DATA + (offset & 3), value);
}

/* The address port takes 32 bits only; the reset register is in the middle of it. */
static void address_port(void)
{
	out32(ADDRESS, ONES);
	equal(in32(ADDRESS), 0x80fffffc);
	address(0, 0);
	out8(ADDRESS, 0x40);
	out16(ADDRESS, 0xffff);
	out8(ADDRESS + 3, 0);
	out8(ADDRESS + 1, 0);
	equal(in32(ADDRESS), ENABLE);
	equal(in8(ADDRESS), 0xff);
}

static void data_port(void)
{
	address(0, 0);
	equal(in32(DATA), BRIDGE);
	equal(in16(DATA), BRIDGE & 0xffff);
	equal(in16(DATA + 2), BRIDGE >> 16);
	equal(in8(DATA + 1), BRIDGE >> 8 & 0xff);
	equal(in8(DATA + 3), BRIDGE >> 24);
}

static void nobody_there(void)
{
	out32(ADDRESS, 0);
	equal(in32(DATA), ONES);
	address(31, 0);
	equal(in32(DATA), ONES);
	equal(in8(DATA), 0xff);
	address(RNG_SLOT, 1 << 8);
	equal(in32(DATA), ONES);
	address(RNG_SLOT, 1 << 16);
	equal(in32(DATA), ONES);
}

static void what_can_be_written(void)
{
	equal(config_read(RNG_SLOT, PCI_VENDOR_ID), RNG);
	config_write(RNG_SLOT, PCI_VENDOR_ID, 0);
	equal(config_read(RNG_SLOT, PCI_VENDOR_ID), RNG);
	config_write16(RNG_SLOT, PCI_COMMAND, 0xffff);
	equal(config_read(RNG_SLOT, PCI_COMMAND) & 0xffff,
	      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	check(config_read(RNG_SLOT, PCI_COMMAND) >> 16 & PCI_STATUS_CAP_LIST);
	config_write16(RNG_SLOT, PCI_COMMAND, 0);
	equal(config_read(RNG_SLOT, PCI_COMMAND) & 0xffff, 0);
	equal(config_read(RNG_SLOT, PCI_INTERRUPT_LINE) & 0xffff, 1 << 8 | RNG_GSI);
	address(RNG_SLOT, PCI_INTERRUPT_LINE);
	out8(DATA, 5);
	equal(in16(DATA), 1 << 8 | 5);
}

void config_ports(void)
{
	address_port();
	data_port();
	nobody_there();
	what_can_be_written();
}

static u32 bar(u32 i)
{
	return PCI_BASE_ADDRESS_0 + 4 * i;
}

/* Reads the size of a BAR, and restores its address. */
static u32 bar_size(u32 i)
{
	u32 was = config_read(RNG_SLOT, bar(i));
	u32 size;

	config_write(RNG_SLOT, bar(i), ONES);
	size = config_read(RNG_SLOT, bar(i));
	config_write(RNG_SLOT, bar(i), was);
	equal(config_read(RNG_SLOT, bar(i)), was);
	return size;
}

/* BAR 4 has the device's registers; the number of queues identifies them. */
static void memory_moves(const struct rng *rng)
{
	u32 was = config_read(RNG_SLOT, bar(4));
	u32 at = rng->common + COMMON_QUEUES;

	equal(read16(at), 1);
	config_write(RNG_SLOT, bar(4), MOVED_MEMORY);
	equal(read16(at), 0xffff);
	equal(read16(at - was + MOVED_MEMORY), 1);
	config_write(RNG_SLOT, bar(4), NO_WINDOW);
	equal(config_read(RNG_SLOT, bar(4)), NO_WINDOW);
	equal(read16(at - was + MOVED_MEMORY), 0xffff);
	equal(read16(at - was + NO_WINDOW), 0);
	config_write(RNG_SLOT, bar(4), was);
	equal(read16(at), 1);
	config_write16(RNG_SLOT, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	equal(read16(at), 0xffff);
	config_write16(RNG_SLOT, PCI_COMMAND,
		       PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	equal(read16(at), 1);
}

/* KVM's doorbell follows the ports of BAR 0. */
static void ports_move(struct rng *rng)
{
	u32 was = config_read(RNG_SLOT, bar(0)) & ~3;

	rng_start(rng, NO_VECTOR);
	check(rng_request(rng));
	config_write(RNG_SLOT, bar(0), MOVED_PORTS);
	rng->notify = rng->notify - was + MOVED_PORTS;
	check(rng_request(rng));
}

void bars(void)
{
	struct rng rng;

	equal(bar_size(0), 0xffffffe1);
	equal(bar_size(1), 0xfffff000);
	equal(bar_size(2), 0);
	equal(bar_size(3), 0);
	equal(bar_size(4), 0xffffc000);
	equal(bar_size(5), 0);
	rng_find(&rng);
	memory_moves(&rng);
	ports_move(&rng);
}
