// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bus: configuration space and its ports, BARs that are sized and moved,
 * messages and pins, with a function that only counts. Offsets and bits are
 * written out from the specification.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pci/pci.h"
#include "tests/pci/wires.h"
#include "tests/tap.h"

#define COMMAND		0x04
#define STATUS		0x06
#define BAR(n)		(0x10 + 4 * (n))
#define CAPABILITIES	0x34
#define PIN		0x3d

#define IO		1
#define MEM		2
#define MASTER		4
#define NO_INTX		0x400
#define S_INTX		8	/* status */

#define ENABLE		0x8000	/* MSI-X control */
#define MASKALL		0x4000

#define SLOT		5
#define SOURCES		3

static const struct vmm_pci_identity identity = {
	.vendor = 0x1234, .device = 0x5678, .class = 0x010203, .revision = 9,
	.subsystem_vendor = 0xabcd, .subsystem = 0xef01,
};

static struct {
	struct vmm_pci_bus bus;
	struct vmm_pci_function fn;
	int fd[SOURCES];
	struct vmm_pci_source *source[SOURCES];
	unsigned int reads;
	unsigned int writes;
	unsigned int moves;
	unsigned int bar;
	u64 offset;
	u64 value;
	unsigned int len;
	unsigned int cap;
} t;

static u64 fake_read(struct vmm_pci_function *fn, unsigned int bar, u64 offset, unsigned int len)
{
	t.reads++;
	t.bar = bar;
	t.offset = offset;
	t.len = len;
	return bar == 1 ? vmm_pci_msix_read(fn, offset, len) : 0x1122334455667788;
}

static void fake_write(struct vmm_pci_function *fn, unsigned int bar, u64 offset, u64 value,
		       unsigned int len)
{
	t.writes++;
	t.bar = bar;
	t.offset = offset;
	t.value = value;
	t.len = len;
	if (bar == 1)
		vmm_pci_msix_write(fn, offset, value, len);
}

static void fake_moved(struct vmm_pci_function *fn, unsigned int bar)
{
	tap_check(fn == &t.fn && bar < VMM_PCI_BARS);
	t.moves++;
}

static const struct vmm_pci_ops fake_ops = {
	.read = fake_read, .write = fake_write, .moved = fake_moved,
};

static void open_bus(void)
{
	static const u8 body[6] = { 1, 2, 3, 4, 5, 6 };
	unsigned int i;

	memset(&wires, 0, sizeof(wires));
	memset(&t, 0, sizeof(t));
	tap_equal(vmm_pci_bus_open(&t.bus, &test_map, &test_wires, &wires), 0);
	vmm_pci_init(&t.fn, &fake_ops, &identity);
	vmm_pci_set_bar(&t.fn, 0, VMM_PCI_PORTS, 32);
	vmm_pci_add_msix(&t.fn, 1, SOURCES);
	vmm_pci_set_bar(&t.fn, 2, VMM_PCI_MEMORY64, 0x200000);
	vmm_pci_set_bar(&t.fn, 4, VMM_PCI_MEMORY, 0x4000);
	t.cap = vmm_pci_add_cap(&t.fn, 9, body, sizeof(body));
	for (i = 0; i < SOURCES; i++) {
		t.fd[i] = eventfd(0, EFD_NONBLOCK);
		t.source[i] = vmm_pci_add_source(&t.fn, t.fd[i], 1 << i);
	}
	tap_equal(vmm_pci_add(&t.bus, &t.fn, SLOT), 0);
	vmm_pci_power_on(&t.bus);
}

static void close_bus(void)
{
	unsigned int i;

	vmm_pci_remove(&t.fn);
	tap_equal(wires.fds, 0);
	for (i = 0; i < VMM_PCI_PINS; i++)
		tap_check(!wires.level[i]);
	for (i = 0; i < SOURCES; i++)
		close(t.fd[i]);
	vmm_pci_bus_close(&t.bus);
}

static u32 rd(unsigned int offset, unsigned int len)
{
	u32 value = vmm_pci_config_read(&t.bus, SLOT, offset, len);

	return len < 4 ? value & ((1U << 8 * len) - 1) : value;
}

static void wr(unsigned int offset, u32 value, unsigned int len)
{
	vmm_pci_config_write(&t.bus, SLOT, offset, value, len);
}

static void decode(void)
{
	wr(COMMAND, IO | MEM | MASTER, 2);
}

static void a_function_is_shown(void)
{
	unsigned int at;
	unsigned int i;

	open_bus();
	tap_equal(rd(0, 4), 0x56781234);
	tap_equal(rd(8, 4), 0x01020309);
	tap_equal(rd(0x2c, 4), 0xef01abcd);
	tap_equal(rd(0x0e, 1), 0);
	tap_equal(rd(COMMAND, 2), 0);
	tap_equal(rd(STATUS, 2), 0x10);
	tap_equal(rd(PIN, 1), 1);
	tap_equal(rd(0x3c, 1), 11);
	/* Capabilities in the order in which they were added. */
	at = rd(CAPABILITIES, 1);
	tap_equal(rd(at, 1), 0x11);
	tap_equal(rd(at + 2, 2), SOURCES - 1);
	tap_equal(rd(at + 4, 4), 1);
	tap_equal(rd(at + 8, 4), 0x801);
	at = rd(at + 1, 1);
	tap_equal(at, t.cap);
	tap_equal(rd(at, 4), 0x02010009);
	tap_equal(rd(at + 4, 4), 0x06050403);
	/* All other slots are empty. */
	for (i = 0; i < 40; i++) {
		if (i != SLOT)
			tap_equal(vmm_pci_config_read(&t.bus, i, 0, 4), 0xffffffff);
	}
	tap_equal(vmm_pci_add(&t.bus, &t.fn, SLOT), -EBUSY);
	tap_equal(vmm_pci_add(&t.bus, &t.fn, 32), -EINVAL);
	close_bus();
	tap_equal(vmm_pci_config_read(&t.bus, SLOT, 0, 4), 0xffffffff);
}

static void what_is_constant_does_not_change(void)
{
	u8 before[256];
	unsigned int i;

	open_bus();
	for (i = 0; i < 256; i++)
		before[i] = rd(i, 1);
	for (i = 0; i < 256; i++) {
		if ((i < BAR(0) || i >= BAR(6)) && i != 0x0c && i != 0x3c && i != COMMAND &&
		    i != COMMAND + 1 && i != t.fn.msix_cap + 3) {
			tap_context("byte 0x%x", i);
			wr(i, 0xff, 1);
			tap_equal(rd(i, 1), before[i]);
			wr(i, 0, 1);
			tap_equal(rd(i, 1), before[i]);
		}
	}
	/* Writable bits of the other registers. */
	wr(COMMAND, 0xffff, 2);
	tap_equal(rd(COMMAND, 2), IO | MEM | MASTER | NO_INTX);
	wr(t.fn.msix_cap + 2, 0xffff, 2);
	tap_equal(rd(t.fn.msix_cap + 2, 2), ENABLE | MASKALL | (SOURCES - 1));
	/* An access that is only half inside has no effect. */
	tap_equal(rd(253, 4), 0xffffffff);
	tap_equal(rd(256, 1), 0xff);
	tap_equal(vmm_pci_config_read(&t.bus, SLOT, 0, 8), 0xffffffff);
	tap_equal(vmm_pci_config_read(&t.bus, SLOT, 0, 0), 0xffffffff);
	wr(253, 0, 4);
	wr(0xffffffff, 0, 4);
	close_bus();
}

static void ports_reach_configuration_space(void)
{
	u32 address = 0x80000000 | SLOT << 11;
	unsigned int i;

	open_bus();
	/* As Linux detects the mechanism. */
	vmm_pci_port_write(&t.bus, 3, 1, 1);
	vmm_pci_port_write(&t.bus, 0, 0x80000000, 4);
	tap_equal(vmm_pci_port_read(&t.bus, 0, 4), 0x80000000);
	vmm_pci_port_write(&t.bus, 0, 0xffffffff, 4);
	tap_equal(vmm_pci_port_read(&t.bus, 0, 4), 0x80fffffc);
	/* Narrow accesses do not reach the address port, for reads as well. */
	vmm_pci_port_write(&t.bus, 0, address, 4);
	vmm_pci_port_write(&t.bus, 0, 0, 2);
	vmm_pci_port_write(&t.bus, 0, 0, 1);
	vmm_pci_port_write(&t.bus, 1, 0, 1);
	tap_equal(vmm_pci_port_read(&t.bus, 0, 4), address);
	tap_equal(vmm_pci_port_read(&t.bus, 0, 2), 0xffffffff);
	tap_equal(vmm_pci_port_read(&t.bus, 2, 4), 0xffffffff);
	/* Any part of the data port. */
	tap_equal(vmm_pci_port_read(&t.bus, 4, 4), 0x56781234);
	tap_equal(vmm_pci_port_read(&t.bus, 6, 2), 0x5678);
	tap_equal(vmm_pci_port_read(&t.bus, 5, 1), 0x12);
	tap_equal(vmm_pci_port_read(&t.bus, 5, 2), 0x7812);
	tap_equal(vmm_pci_port_read(&t.bus, 6, 4), 0xffffffff);
	tap_equal(vmm_pci_port_read(&t.bus, 8, 1), 0xffffffff);
	vmm_pci_port_write(&t.bus, 0, address | COMMAND, 4);
	vmm_pci_port_write(&t.bus, 4, IO, 1);
	vmm_pci_port_write(&t.bus, 5, NO_INTX >> 8, 1);
	tap_equal(rd(COMMAND, 2), IO | NO_INTX);
	vmm_pci_port_write(&t.bus, 6, 0, 4);
	tap_equal(rd(COMMAND, 2), IO | NO_INTX);
	/* Without the enable bit, on another bus, in another function: no answer. */
	for (i = 0; i < 3; i++) {
		static const u32 wrong[] = { SLOT << 11, 0x80010000 | SLOT << 11,
					     0x80000100 | SLOT << 11 };

		vmm_pci_port_write(&t.bus, 0, wrong[i], 4);
		tap_equal(vmm_pci_port_read(&t.bus, 4, 4), 0xffffffff);
		vmm_pci_port_write(&t.bus, 4, 0, 4);
	}
	/* The same configuration space in memory. */
	tap_equal(vmm_pci_ecam_read(&t.bus, SLOT << 15, 4), 0x56781234);
	tap_equal(vmm_pci_ecam_read(&t.bus, (SLOT << 15) + 0x100, 4), 0xffffffff);
	tap_equal(vmm_pci_ecam_read(&t.bus, SLOT << 15 | 1 << 12, 4), 0xffffffff);
	tap_equal(vmm_pci_ecam_read(&t.bus, SLOT << 15 | 1 << 20, 4), 0xffffffff);
	vmm_pci_ecam_write(&t.bus, (SLOT << 15) + COMMAND, 0, 2);
	tap_equal(rd(COMMAND, 2), 0);
	close_bus();
}

static void bars_say_how_large_they_are(void)
{
	static const struct { unsigned int bar; u32 ones; } bars[] = {
		{ 0, 0xffffffe1 }, { 1, 0xfffff000 }, { 2, 0xffe0000c }, { 3, 0xffffffff },
		{ 4, 0xffffc000 }, { 5, 0 },
	};
	unsigned int i;

	open_bus();
	decode();
	for (i = 0; i < ARRAY_SIZE(bars); i++) {
		u32 before = rd(BAR(i), 4);

		tap_context("BAR %u", i);
		wr(BAR(i), 0xffffffff, 4);
		tap_equal(rd(BAR(i), 4), bars[i].ones);
		wr(BAR(i), before, 4);
		tap_equal(rd(BAR(i), 4), before);
	}
	close_bus();
}

static void bars_have_places_at_power_on(void)
{
	open_bus();
	tap_equal(rd(BAR(0), 4), PORTS_BASE | 1);
	tap_equal(rd(BAR(1), 4), MEMORY_BASE);
	tap_equal(rd(BAR(4), 4), MEMORY_BASE + 0x4000);
	tap_equal(rd(BAR(2), 4), (u32)HIGH_BASE | 0xc);
	tap_equal(rd(BAR(3), 4), HIGH_BASE >> 32);
	/* But nothing is mapped before the guest enables it. */
	tap_equal(vmm_pci_read(&t.bus, true, PORTS_BASE, 2), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4000, 4), ~0ULL);
	wr(COMMAND, IO, 2);
	tap_equal(vmm_pci_read(&t.bus, true, PORTS_BASE, 2), 0x1122334455667788);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4000, 4), ~0ULL);
	wr(COMMAND, MEM, 2);
	tap_equal(vmm_pci_read(&t.bus, true, PORTS_BASE, 2), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4010, 4), 0x1122334455667788);
	tap_check(t.bar == 4 && t.offset == 0x10 && t.len == 4);
	vmm_pci_write(&t.bus, false, HIGH_BASE + 0x1ffff8, 5, 8);
	tap_check(t.bar == 2 && t.offset == 0x1ffff8 && t.value == 5 && t.len == 8);
	/* Not an access that is half inside, nor one that no CPU makes. */
	t.reads = 0;
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x7ffe, 4), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4000, 0), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4000, 9), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, ~0ULL, 8), ~0ULL);
	tap_equal(t.reads, 0);
	close_bus();
}

static void bars_are_moved(void)
{
	static const u32 outside[] = {
		0, 0x4000, MEMORY_BASE - 0x4000, MEMORY_BASE + MEMORY_SIZE, 0xffffc000,
		0xfee00000,
	};
	unsigned int i;

	open_bus();
	decode();
	wr(BAR(4), MEMORY_BASE + 0x80000, 4);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x4000, 4), ~0ULL);
	tap_equal(vmm_pci_read(&t.bus, false, MEMORY_BASE + 0x80000, 4), 0x1122334455667788);
	/* Half of the address at a time; the old mapping is removed meanwhile. */
	wr(BAR(2), MEMORY_BASE, 4);
	tap_equal(t.fn.bar[2].at, VMM_PCI_NOWHERE);
	wr(BAR(3), 0, 4);
	tap_equal(t.fn.bar[2].at, VMM_PCI_NOWHERE);
	wr(BAR(3), 8, 4);
	wr(BAR(2), 0x200000, 4);
	tap_equal(t.fn.bar[2].at, 0x800200000);
	/* Outside of the windows, the register keeps the address, and nothing is mapped. */
	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		tap_context("at 0x%x", outside[i]);
		wr(BAR(4), outside[i], 4);
		tap_equal(rd(BAR(4), 4), outside[i]);
		tap_equal(t.fn.bar[4].at, VMM_PCI_NOWHERE);
		tap_equal(vmm_pci_read(&t.bus, false, outside[i], 4), ~0ULL);
	}
	wr(BAR(0), 0xfff1, 4);
	tap_equal(t.fn.bar[0].at, VMM_PCI_NOWHERE);
	/* A BAR that is not moved causes no call. */
	t.moves = 0;
	wr(BAR(0), 0xfff0, 4);
	wr(COMMAND, IO | MEM, 2);
	tap_equal(t.moves, 0);
	close_bus();
}

static void power_on_forgets(void)
{
	open_bus();
	decode();
	wr(BAR(4), MEMORY_BASE + 0x80000, 4);
	wr(t.fn.msix_cap + 2, ENABLE, 2);
	vmm_pci_set_vector(t.source[0], 1);
	vmm_pci_port_write(&t.bus, 0, 0x80000000, 4);
	vmm_pci_power_on(&t.bus);
	tap_equal(rd(COMMAND, 2), 0);
	tap_equal(rd(BAR(4), 4), MEMORY_BASE + 0x4000);
	tap_equal(t.fn.bar[4].at, VMM_PCI_NOWHERE);
	tap_equal(rd(t.fn.msix_cap + 2, 2), SOURCES - 1);
	tap_equal(vmm_pci_vector(t.source[0]), 0xffff);
	tap_equal(vmm_pci_port_read(&t.bus, 0, 4), 0);
	close_bus();
}

/* ---- messages ---- */

static void table_wr(unsigned int vector, unsigned int word, u32 value)
{
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 16 * vector + 4 * word, value, 4);
}

static u64 table_rd(u64 offset, unsigned int len)
{
	return vmm_pci_read(&t.bus, false, MEMORY_BASE + offset, len);
}

/* As Linux sets one up: content while it is masked. */
static void vector_set(unsigned int vector, u32 data)
{
	table_wr(vector, 0, MESSAGE + (vector << 12));
	table_wr(vector, 1, 0);
	table_wr(vector, 2, data);
}

static void msix_on(u16 flags)
{
	wr(t.fn.msix_cap + 2, ENABLE | flags, 2);
}

static void the_table_is_memory(void)
{
	open_bus();
	decode();
	tap_equal(table_rd(12, 4), 1);
	table_wr(1, 0, 0xffffffff);
	table_wr(1, 1, 0x12345600);
	table_wr(1, 2, 0x89abcdef);
	table_wr(1, 3, 0xfffffffe);
	tap_equal(table_rd(16, 4), 0xfffffffc);
	tap_equal(table_rd(16, 8), 0x12345600fffffffc);
	tap_equal(table_rd(24, 8), 0x89abcdef);
	tap_equal(table_rd(25, 1), 0xcd);
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 24, 0x100000042ULL, 8);
	tap_equal(table_rd(24, 8), 0x100000042);
	/* Parts of words, and accesses after the table's end. */
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 24, 0, 1);
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 26, 0, 4);
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 28, 0, 8);
	table_wr(SOURCES, 0, 1);
	vmm_pci_write(&t.bus, false, MEMORY_BASE + 0x800, ~0ULL, 8);
	tap_equal(table_rd(24, 8), 0x100000042);
	tap_equal(table_rd(16 * SOURCES, 8), 0);
	tap_equal(table_rd(0x800, 8), 0);
	tap_equal(table_rd(0xff8, 8), 0);
	tap_equal(wires.commits, 0);
	close_bus();
}

static void a_message_is_connected(void)
{
	u32 gsi;

	open_bus();
	decode();
	tap_equal(vmm_pci_set_vector(t.source[1], 2), 2);
	tap_equal(vmm_pci_set_vector(t.source[0], SOURCES), 0xffff);
	vector_set(2, 0x41);
	msix_on(0);
	tap_equal(wires_gsi(t.fd[1]), 0);
	tap_equal(wires.commits, 0);
	table_wr(2, 3, 0);
	gsi = wires_gsi(t.fd[1]);
	tap_equal(gsi, FIRST_GSI + 2);
	tap_equal(wires.commits, 1);
	if (tap_check(wires_message(gsi))) {
		tap_equal(wires_message(gsi)->address, MESSAGE + 0x2000);
		tap_equal(wires_message(gsi)->data, 0x41);
		tap_equal(wires_message(gsi)->devid, SLOT << 3);
	}
	/* Another affinity, as Linux changes it: masked, three words, unmasked. */
	table_wr(2, 3, 1);
	tap_equal(wires_gsi(t.fd[1]), 0);
	vector_set(2, 0x52);
	tap_equal(wires.commits, 1);
	table_wr(2, 3, 0);
	tap_equal(wires.commits, 2);
	tap_equal(wires_message(gsi)->data, 0x52);
	/* The same again is not sent to KVM. */
	table_wr(2, 3, 1);
	table_wr(2, 3, 0);
	tap_equal(wires.commits, 2);
	tap_equal(wires_gsi(t.fd[1]), gsi);
	/* Two reasons may send one message. */
	vmm_pci_set_vector(t.source[2], 2);
	tap_equal(wires_gsi(t.fd[2]), gsi);
	vmm_pci_set_vector(t.source[2], 0xffff);
	tap_equal(wires_gsi(t.fd[2]), 0);
	close_bus();
}

static void many_messages_are_one_commit(void)
{
	unsigned int i;

	open_bus();
	decode();
	for (i = 0; i < SOURCES; i++) {
		vmm_pci_set_vector(t.source[i], i);
		vector_set(i, 0x30 + i);
		table_wr(i, 3, 0);
	}
	tap_equal(wires.commits, 0);
	msix_on(MASKALL);
	tap_equal(wires.commits, 0);
	tap_equal(wires.fds, 0);
	msix_on(0);
	tap_equal(wires.commits, 1);
	tap_equal(wires.count, SOURCES);
	tap_equal(wires.fds, SOURCES);
	/* A function that is not a bus master sends nothing. */
	wr(COMMAND, MEM, 2);
	tap_equal(wires.fds, 0);
	wr(COMMAND, MEM | MASTER, 2);
	tap_equal(wires.fds, SOURCES);
	/* A function that uses its pin sends none either. */
	wr(t.fn.msix_cap + 2, 0, 2);
	tap_equal(wires.fds, 0);
	msix_on(0);
	tap_equal(wires.fds, SOURCES);
	msix_on(MASKALL);
	tap_equal(wires.fds, 0);
	tap_equal(wires.commits, 1);
	close_bus();
}

static void pending_bits_are_kept(void)
{
	eventfd_t value;

	open_bus();
	decode();
	msix_on(0);
	vmm_pci_set_vector(t.source[0], 1);
	vmm_pci_set_vector(t.source[1], 2);
	vector_set(1, 0x61);
	tap_equal(table_rd(0x800, 8), 0);
	eventfd_write(t.fd[0], 1);
	tap_equal(table_rd(0x800, 8), 2);
	tap_equal(table_rd(0x800, 1), 2);
	tap_equal(table_rd(0x801, 1), 0);
	table_wr(1, 3, 0);
	/* KVM sends what is pending in an eventfd that it gets: vmmctl must not read it. */
	tap_equal(wires_gsi(t.fd[0]), FIRST_GSI + 1);
	tap_equal(table_rd(0x800, 8), 0);
	tap_equal(eventfd_read(t.fd[0], &value), 0);
	tap_equal(value, 1);
	close_bus();
}

static void messages_to_memory_are_not_sent(void)
{
	static const struct { u32 low, high; bool sent; } places[] = {
		{ MESSAGE, 0, true }, { MESSAGE + 0xffffc, 0, true }, { MESSAGE, 0x100, true },
		{ MESSAGE, 1, false }, { MESSAGE + 0x100000, 0, false },
		{ MESSAGE - 4, 0, false }, { 0, 0, false }, { 0x1000, 0, false },
	};
	unsigned int i;

	open_bus();
	decode();
	msix_on(0);
	vmm_pci_set_vector(t.source[0], 0);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		tap_context("0x%x, 0x%x", places[i].high, places[i].low);
		table_wr(0, 3, 1);
		table_wr(0, 0, places[i].low);
		table_wr(0, 1, places[i].high);
		table_wr(0, 3, 0);
		tap_equal(!!wires_gsi(t.fd[0]), places[i].sent);
	}
	/* An unmasked message cannot be changed to it either. */
	table_wr(0, 0, MESSAGE);
	tap_check(wires_gsi(t.fd[0]));
	table_wr(0, 0, 0);
	tap_check(!wires_gsi(t.fd[0]));
	close_bus();
}

static void refused_messages_are_tried_again(void)
{
	open_bus();
	decode();
	msix_on(0);
	vmm_pci_set_vector(t.source[0], 0);
	vector_set(0, 0x70);
	wires.refuse_routes = -ENOSPC;
	table_wr(0, 3, 0);
	tap_equal(wires_gsi(t.fd[0]), 0);
	wires.refuse_routes = 0;
	table_wr(0, 3, 0);
	tap_equal(wires_gsi(t.fd[0]), FIRST_GSI);
	close_bus();
}

/* ---- pins ---- */

static void pins_are_raised(void)
{
	const unsigned int pin = SLOT % 4;

	open_bus();
	eventfd_write(t.fd[0], 1);
	eventfd_write(t.fd[2], 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[pin]);
	tap_check(rd(STATUS, 2) & S_INTX);
	/* Disabled: low, but the status bit is set. */
	wr(COMMAND, NO_INTX, 2);
	tap_check(!wires.level[pin]);
	tap_check(rd(STATUS, 2) & S_INTX);
	wr(COMMAND, 0, 2);
	tap_check(wires.level[pin]);
	tap_equal(vmm_pci_take_pending(&t.fn), 5);
	tap_check(!wires.level[pin]);
	tap_check(!(rd(STATUS, 2) & S_INTX));
	tap_equal(vmm_pci_take_pending(&t.fn), 0);
	/* Messages replace the pin while they are enabled. */
	eventfd_write(t.fd[1], 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[pin]);
	msix_on(0);
	tap_check(!wires.level[pin]);
	eventfd_write(t.fd[0], 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(!wires.level[pin]);
	wr(t.fn.msix_cap + 2, 0, 2);
	tap_check(wires.level[pin]);
	vmm_pci_intx_serve(&t.bus);
	tap_equal(vmm_pci_take_pending(&t.fn), 3);
	close_bus();
}

/* Two functions raise an interrupt, which is high until both have lowered it. */
static void share_with(unsigned int slot)
{
	struct vmm_pci_function other;
	int fd = eventfd(0, EFD_NONBLOCK);

	open_bus();
	vmm_pci_init(&other, &fake_ops, &identity);
	vmm_pci_add_source(&other, fd, 1);
	tap_equal(vmm_pci_add(&t.bus, &other, slot), 0);
	vmm_pci_power_on(&t.bus);
	eventfd_write(t.fd[0], 1);
	eventfd_write(fd, 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[SLOT % 4]);
	vmm_pci_take_pending(&t.fn);
	tap_check(wires.level[SLOT % 4]);
	vmm_pci_take_pending(&other);
	tap_check(!wires.level[SLOT % 4]);
	eventfd_write(fd, 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[SLOT % 4]);
	vmm_pci_remove(&other);
	tap_check(!wires.level[SLOT % 4]);
	close(fd);
	close_bus();
}

static void slots_share_pins(void)
{
	share_with(SLOT + 4);
}

static void pins_share_interrupts(void)
{
	share_with(SLOT + 2);
}

/* ---- saved and loaded ---- */

/* A guest that has moved a BAR and uses two messages, one of which is masked and pending. */
static void use_bus(void)
{
	decode();
	wr(BAR(4), MEMORY_BASE + 0x80000, 4);
	wr(0x3c, 7, 1);
	vmm_pci_set_vector(t.source[0], 1);
	vmm_pci_set_vector(t.source[1], 2);
	vector_set(1, 0x61);
	vector_set(2, 0x62);
	table_wr(2, 3, 0);
	msix_on(0);
	eventfd_write(t.fd[0], 1);
	vmm_pci_port_write(&t.bus, 0, 0x80000000 | SLOT << 11 | BAR(4), 4);
}

static void what_is_saved_is_loaded(void)
{
	struct vmm_state state, again;
	u8 before[256];
	unsigned int i;

	open_bus();
	use_bus();
	for (i = 0; i < 256; i++)
		before[i] = rd(i, 1);
	tap_equal(vmm_pci_save(&t.bus, "pci", &state), 0);
	close_bus();

	open_bus();
	tap_equal(vmm_pci_load(&t.bus, "pci", &state), 0);
	for (i = 0; i < 256; i++) {
		tap_context("byte 0x%x", i);
		tap_equal(rd(i, 1), before[i]);
	}
	tap_equal(t.fn.bar[4].at, MEMORY_BASE + 0x80000);
	tap_equal(vmm_pci_port_read(&t.bus, 4, 4), MEMORY_BASE + 0x80000);
	/* KVM has the unmasked message; the other one is still pending. */
	tap_equal(wires_gsi(t.fd[1]), FIRST_GSI + 2);
	if (tap_check(wires_message(FIRST_GSI + 2)))
		tap_equal(wires_message(FIRST_GSI + 2)->data, 0x62);
	tap_equal(wires_gsi(t.fd[0]), 0);
	tap_equal(table_rd(0x800, 8), 2);
	table_wr(1, 3, 0);
	tap_equal(wires_gsi(t.fd[0]), FIRST_GSI + 1);
	table_wr(1, 3, 1);
	tap_equal(vmm_pci_save(&t.bus, "pci", &again), 0);
	tap_check(again.len == state.len && !memcmp(again.bytes, state.bytes, state.len));
	vmm_state_free(&again);
	vmm_state_free(&state);
	close_bus();
}

/* A pin that was high is high again. */
static void a_saved_pin_is_raised(void)
{
	struct vmm_state state;

	open_bus();
	decode();
	eventfd_write(t.fd[1], 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[SLOT % 2]);
	tap_equal(vmm_pci_save(&t.bus, "pci", &state), 0);
	close_bus();
	open_bus();
	tap_equal(vmm_pci_load(&t.bus, "pci", &state), 0);
	tap_check(wires.level[SLOT % 2]);
	tap_equal(rd(STATUS, 2), 0x10 | S_INTX);
	tap_equal(vmm_pci_take_pending(&t.fn), 2);
	tap_check(!wires.level[SLOT % 2]);
	vmm_state_free(&state);
	close_bus();
}

static void load_is(const struct vmm_state *good, size_t at, u8 flip, int want)
{
	struct vmm_state bad = *good;

	bad.bytes = malloc(good->len);
	memcpy(bad.bytes, good->bytes, good->len);
	bad.bytes[at] ^= flip;
	tap_context("byte %zu", at);
	tap_equal(vmm_pci_load(&t.bus, "pci", &bad), want);
	free(bad.bytes);
	vmm_pci_power_on(&t.bus);
}

#define HEAD		40	/* bytes of a blob before its fields */
#define FIELD		8	/* bytes of a field before its data */
#define AT_SLOTS	(HEAD + FIELD + 4 + FIELD)
#define AT_CONFIG	(AT_SLOTS + 4 + FIELD)
#define AT_VECTORS	(AT_CONFIG + 256 + FIELD)
#define AT_SOURCES	(AT_VECTORS + 16 * SOURCES + FIELD)
#define AT_PENDING	(AT_SOURCES + 4 * SOURCES + FIELD)

static void wrong_states_are_refused(void)
{
	struct vmm_state state;
	size_t len;

	open_bus();
	use_bus();
	tap_equal(vmm_pci_save(&t.bus, "pci", &state), 0);
	tap_equal(state.len, AT_PENDING + 1);
	/* Other slots, another device, a table that no write produces, a missing message. */
	load_is(&state, AT_SLOTS, 1, -EINVAL);
	load_is(&state, AT_CONFIG, 1, -EINVAL);
	load_is(&state, AT_CONFIG + 0x2c, 1, -EINVAL);
	load_is(&state, AT_VECTORS, 1, -EINVAL);
	load_is(&state, AT_VECTORS + 12, 2, -EINVAL);
	load_is(&state, AT_SOURCES, 0x10, -EINVAL);
	load_is(&state, AT_SOURCES + 2, 2, -EINVAL);
	load_is(&state, AT_PENDING, 8, -EINVAL);
	/* The guest chooses the address: any value is valid. */
	load_is(&state, AT_CONFIG + BAR(4) + 3, 0xff, 0);
	load_is(&state, AT_PENDING, 1, 0);
	for (len = state.len; len--;) {
		struct vmm_state cut = { .bytes = state.bytes, .len = len };

		tap_equal(vmm_pci_load(&t.bus, "pci", &cut), -EINVAL);
	}
	vmm_pci_power_on(&t.bus);
	vmm_state_free(&state);
	close_bus();
}

/* Random accesses; the sanitizers detect errors. */
static void noise_is_harmless(void)
{
	static const u32 values[] = {
		0, 1, 2, 3, 7, 0xff, 0x407, 0x8000, 0xc000, MEMORY_BASE, MEMORY_BASE + 0x4000,
		PORTS_BASE, PORTS_BASE + 32, MESSAGE, 0xffffffff,
	};
	u32 random = 1;
	unsigned int i;

	open_bus();
	for (i = 0; i < 100000; i++) {
		u32 value = values[(random >> 8) % ARRAY_SIZE(values)];
		u32 offset = random >> 16 & 0x1ff;
		unsigned int len = 1 << (random >> 26 & 3);

		random = random * 1664525 + 1013904223;
		switch (random >> 28 & 3) {
		case 0:
			vmm_pci_write(&t.bus, false, MEMORY_BASE + (offset << 5 & 0xfff), value,
				      len);
			break;
		case 1:
			vmm_pci_read(&t.bus, random & 1, values[random >> 4 & 7], len);
			break;
		default:
			wr(offset, value, len & 7);
			rd(offset, len & 7);
		}
		if (!(random >> 4 & 0xff))
			vmm_pci_set_vector(t.source[random >> 2 & 1], random >> 12 & 3);
		if (!(random >> 5 & 0xff))
			vmm_pci_power_on(&t.bus);
	}
	tap_equal(rd(0, 4), 0x56781234);
	close_bus();
}

static const struct tap_case cases[] = {
	{ "a function is shown in its slot", a_function_is_shown },
	{ "what is constant does not change", what_is_constant_does_not_change },
	{ "ports and memory reach configuration space", ports_reach_configuration_space },
	{ "BARs say how large they are", bars_say_how_large_they_are },
	{ "BARs have places at power-on", bars_have_places_at_power_on },
	{ "BARs are moved inside windows only", bars_are_moved },
	{ "power-on forgets what the guest did", power_on_forgets },
	{ "the MSI-X table is memory", the_table_is_memory },
	{ "a message is connected when it may be sent", a_message_is_connected },
	{ "many messages are one commit", many_messages_are_one_commit },
	{ "pending bits are kept and sent later", pending_bits_are_kept },
	{ "messages to anywhere else are not sent", messages_to_memory_are_not_sent },
	{ "refused messages are tried again", refused_messages_are_tried_again },
	{ "pins are raised and lowered", pins_are_raised },
	{ "slots share pins", slots_share_pins },
	{ "pins share interrupts", pins_share_interrupts },
	{ "what is saved is loaded", what_is_saved_is_loaded },
	{ "a saved pin is raised", a_saved_pin_is_raised },
	{ "wrong states are refused", wrong_states_are_refused },
	{ "noise is harmless", noise_is_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
