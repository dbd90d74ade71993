// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arm64 boards: addresses, interrupts, and the search for a device. The numbers are
 * written out from the boards' description, not taken from a header.
 */
#include <string.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define MMIO_FIRST	0x08000000ULL
#define MMIO_LAST	0x0fffffffULL

static const struct vmm_config reference;
static const struct vmm_config with_a_clock = { .rtc = true };
static const struct vmm_config with_a_generation = { .vmgenid = true };
static const struct vmm_config with_panic = { .pvpanic = VMM_PVPANIC_ON };
static const struct vmm_config with_detector = { .stall_detector = true };
static const struct vmm_config by_pci = {
	.board = VMM_BOARD_VIRT, .virtio_bus = VMM_BUS_PCI, .vmgenid = true,
};

static struct vmm_board board;

static u64 last(const struct vmm_device *dev)
{
	return dev->base + dev->size * dev->count - 1;
}

static void devices_are_apart(void)
{
	unsigned int i;
	unsigned int j;

	for (i = 0; i < board.devices; i++) {
		for (j = i + 1; j < board.devices; j++) {
			const struct vmm_device *a = &board.dev[i];
			const struct vmm_device *b = &board.dev[j];

			tap_context("%s and %s", a->ops->name, b->ops->name);
			tap_check(last(a) < b->base);
			tap_check(strcmp(a->ops->name, b->ops->name));
		}
		/* The interrupt controller comes first, and is KVM's. */
		tap_check(board.gic.redist + VMM_MAX_CPUS * board.gic.redist_size <=
			  board.dev[i].base);
	}
	tap_check(board.gic.dist + board.gic.dist_size <= board.gic.cpu);
	tap_check(board.gic.cpu + board.gic.cpu_size <= board.gic.redist);
}

static void count_description(struct vmm_visitor *visitor, const struct vmm_description *d)
{
	(void)visitor;
	tap_check(d->node && d->compatible[0]);
	tap_check(d->trigger == VMM_IRQ_EDGE_RISING || d->trigger == VMM_IRQ_LEVEL_HIGH ||
		  (!d->trigger && !d->irq));
}

static void devices_are_in_range(void)
{
	struct vmm_visitor visitor = { .device = count_description };
	unsigned int i;

	for (i = 0; i < board.devices; i++) {
		const struct vmm_device *dev = &board.dev[i];

		tap_context("%s", dev->ops->name);
		tap_check(dev->size && dev->count);
		tap_check(dev->base >= MMIO_FIRST && last(dev) <= MMIO_LAST);
		/* 128 shared interrupts are configured; a device may do without one. */
		tap_check((dev->irq >= 1 || dev->ops == &vmm_pvpanic_ops ||
			   dev->ops == &vmm_stall_detector_ops) &&
			  dev->irq + dev->count <= 128);
		dev->ops->describe(dev, &visitor);
	}
}

static void interrupts_are_apart(void)
{
	unsigned int users[128] = { 0 };
	unsigned int i;
	unsigned int j;

	for (i = 0; i < board.devices; i++) {
		for (j = 0; j < board.dev[i].count; j++)
			users[board.dev[i].irq + j]++;
	}
	for (i = 0; i < 128; i++) {
		tap_context("interrupt %u", i);
		tap_check(users[i] <= 1);
	}
}

/* Address, device; NULL for none. */
static const struct {
	u64 gpa;
	const char *name;
} places[] = {
	{ 0x00000000, NULL },
	{ 0x08000000, NULL },	/* KVM's own */
	{ 0x08010000, NULL },
	{ 0x080a0000, NULL },
	{ 0x08ffffff, NULL },
	{ 0x09000000, "pl011" },
	{ 0x09000fff, "pl011" },
	{ 0x09001000, NULL },
	{ 0x09010000, "fb" },
	{ 0x090100ff, "fb" },
	{ 0x09010100, NULL },
	{ 0x09020000, "battery" },
	{ 0x09020fff, "battery" },
	{ 0x09021000, NULL },
	{ 0x09030000, "audio" },
	{ 0x090300ff, "audio" },
	{ 0x09030100, NULL },
	{ 0x09040000, "events" },
	{ 0x09040fff, "events" },
	{ 0x09041000, NULL },
	{ 0x0a000000, "virtio_mmio" },
	{ 0x0a003fff, "virtio_mmio" },
	{ 0x0a004000, NULL },
	{ 0x0a010000, "pipe" },
	{ 0x0a011fff, "pipe" },
	{ 0x0a012000, NULL },
	{ 0x0a020000, "sync" },
	{ 0x0a021fff, "sync" },
	{ 0x0a022000, NULL },
	{ 0x40000000, NULL },
	{ ~0ULL, NULL },
};

static void addresses_find_their_device(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		const struct vmm_device *dev = vmm_board_find(&board, VMM_MMIO, places[i].gpa, 1);

		tap_context("0x%llx", places[i].gpa);
		tap_check(!vmm_board_find(&board, VMM_PORTS, places[i].gpa, 1));
		if (!places[i].name)
			tap_check(!dev);
		else
			tap_check(dev && !strcmp(dev->ops->name, places[i].name));
	}
}

static void transports_are_idle(void)
{
	const struct vmm_config cfg = { 0 };
	struct vmm_vm vm = { .cfg = &cfg, .fd = -1 };
	struct vmm_device *dev = vmm_board_find(&board, VMM_MMIO, 0x0a000000, 4);
	u32 base;

	tap_equal(dev->count, 32);
	dev->vm = &vm;
	if (!tap_equal(dev->ops->create(dev), 0))
		return;
	for (base = 0; base < 32 * 0x200; base += 0x200) {
		tap_context("transport at offset 0x%x", base);
		vmm_device_write(dev, base + 0x70, 1, 4);
		vmm_device_write(dev, base + 0x30, 0, 4);
		tap_equal(vmm_device_read(dev, base, 4), 0x74726976);
		tap_equal(vmm_device_read(dev, base, 2), 0x6976);
		tap_equal(vmm_device_read(dev, base + 4, 4), 2);
		tap_equal(vmm_device_read(dev, base + 8, 8), 0);
		tap_equal(vmm_device_read(dev, base + 0x70, 8), 0);
		tap_equal(vmm_device_read(dev, base + 0x100, 8), 0);
		tap_equal(vmm_device_read(dev, base + 0x1fc, 8), 0);
		tap_equal(vmm_device_read(dev, base + 0x1ff, 8), 0);
	}
	dev->ops->destroy(dev);
}

/* The reference has nothing at the clock's address, and nothing else changes. */
static void a_clock_is_added(void)
{
	struct vmm_device *clock;

	tap_equal(board.devices, 8);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09050000, 4));
	vmm_board_ranchu(&board, &with_a_clock);
	tap_equal(board.devices, 9);
	clock = vmm_board_find(&board, VMM_MMIO, 0x09050fff, 1);
	if (tap_check(clock && !strcmp(clock->ops->name, "pl031"))) {
		tap_equal(clock->base, 0x09050000);
		tap_equal(clock->irq, 8);
		tap_equal(clock->trigger, VMM_IRQ_LEVEL_HIGH);
	}
	devices_are_apart();
	devices_are_in_range();
	interrupts_are_apart();
	addresses_find_their_device();
	vmm_board_ranchu(&board, &reference);
}

/* Address, device, its first interrupt. */
static const struct {
	u64 gpa;
	const char *name;
	u32 irq;
} virt_places[] = {
	{ 0x08000000, NULL, 0 },	/* KVM's own */
	{ 0x08010000, NULL, 0 },
	{ 0x08020000, "gicv2m", 0 },
	{ 0x080a0000, NULL, 0 },
	{ 0x09000000, "pl011", 1 },
	{ 0x09010000, "pl031", 2 },
	{ 0x09020000, NULL, 0 },
	{ 0x09030000, "pl061", 7 },
	{ 0x09040000, NULL, 0 },
	{ 0x0a000000, "virtio_mmio", 32 },
	{ 0x0a003fff, "virtio_mmio", 32 },
	{ 0x0a004000, NULL, 0 },
	{ 0x0a020000, "fb", 16 },
	{ 0x0a020100, NULL, 0 },
	{ 0x0a030000, "audio", 18 },
	{ 0x0a040000, "battery", 17 },
	{ 0x0a050000, "events", 19 },
	{ 0x0a060000, "pipe", 20 },
	{ 0x0a061fff, "pipe", 20 },
	{ 0x0a062000, NULL, 0 },
	{ 0x0a070000, "sync", 21 },
	{ 0x10000000, "pci_memory", 0 },
	{ 0x3efeffff, "pci_memory", 0 },
	{ 0x3eff0000, NULL, 0 },
	{ 0x3f000000, "pci", 0 },
	{ 0x3fffffff, "pci", 0 },
	{ 0x40000000, NULL, 0 },
};

static void virt_devices_are_apart(void)
{
	unsigned int users[256] = { 0 };
	unsigned int i;
	unsigned int j;

	for (i = 0; i < board.devices; i++) {
		const struct vmm_device *a = &board.dev[i];

		for (j = i + 1; j < board.devices; j++) {
			const struct vmm_device *b = &board.dev[j];

			tap_context("%s and %s", a->ops->name, b->ops->name);
			tap_check(!a->size || !b->size || last(a) < b->base || last(b) < a->base);
		}
		tap_check(last(a) < board.ram[0].base || !a->size);
		for (j = 0; a->irq && j < a->count; j++)
			tap_equal(users[a->irq + j]++, 0);
	}
	for (i = 0; i < VMM_PCI_PINS; i++)
		tap_equal(users[board.pci.gsi[i]]++, 0);
	for (i = 0; i < board.gic.frame_spis; i++)
		tap_equal(users[board.gic.frame_spi + i]++, 0);
	tap_check(board.gic.frame + board.gic.frame_size <= board.gic.redist);
}

static void the_second_board_has_its_map(void)
{
	unsigned int i;

	vmm_board_virt(&board, &with_a_clock);
	for (i = 0; i < ARRAY_SIZE(virt_places); i++) {
		const struct vmm_device *dev =
			vmm_board_find(&board, VMM_MMIO, virt_places[i].gpa, 1);

		tap_context("0x%llx", virt_places[i].gpa);
		if (!virt_places[i].name)
			tap_check(!dev);
		else if (tap_check(dev && !strcmp(dev->ops->name, virt_places[i].name)))
			tap_equal(dev->irq, virt_places[i].irq);
	}
	virt_devices_are_apart();
	tap_equal(board.devices, 13);
	vmm_board_virt(&board, &by_pci);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x0a000000, 1));
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09010000, 1));
	tap_check(vmm_board_find(&board, VMM_MMIO, 0x0a08000f, 1));
	virt_devices_are_apart();
	vmm_board_arm64(&board, &by_pci);
	tap_check(!strcmp(board.name, "virt"));
	vmm_board_arm64(&board, &reference);
	tap_check(!strcmp(board.name, "ranchu"));
}

/* It has the largest page size of a host, so that it can be memory on each host. */
static void a_generation_is_added(void)
{
	struct vmm_device *id;

	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x0a030000, 4));
	vmm_board_ranchu(&board, &with_a_generation);
	tap_equal(board.devices, 9);
	id = vmm_board_find(&board, VMM_MMIO, 0x0a03000f, 1);
	if (tap_check(id && !strcmp(id->ops->name, "vmgenid"))) {
		tap_equal(id->base % 0x10000, 0);
		tap_equal(id->size % 0x10000, 0);
		tap_equal(id->irq, 9);
		tap_equal(id->trigger, VMM_IRQ_EDGE_RISING);
	}
	devices_are_apart();
	devices_are_in_range();
	interrupts_are_apart();
	addresses_find_their_device();
	vmm_board_ranchu(&board, &reference);
}

/* Only on request, without an interrupt, where neither board of the reference has anything. */
static void where_a_panic_is_told(void)
{
	const struct vmm_device *dev;

	vmm_board_ranchu(&board, &with_panic);
	tap_equal(board.devices, 9);
	dev = vmm_board_find(&board, VMM_MMIO, 0x09060001, 1);
	if (tap_check(dev && !strcmp(dev->ops->name, "pvpanic")))
		tap_equal(dev->base, 0x09060000);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09060002, 1));
	devices_are_apart();
	devices_are_in_range();
	interrupts_are_apart();
	addresses_find_their_device();
	vmm_board_virt(&board, &with_panic);
	tap_equal(board.devices, 13);
	dev = vmm_board_find(&board, VMM_MMIO, 0x09060000, 1);
	tap_check(dev && !strcmp(dev->ops->name, "pvpanic") && dev->size == 2);
	virt_devices_are_apart();
	vmm_board_ranchu(&board, &reference);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09060000, 1));
}

/* Likewise, with room for the largest number of vCPUs. */
static void where_stuck_vcpus_are_found(void)
{
	const struct vmm_device *dev;

	vmm_board_ranchu(&board, &with_detector);
	tap_equal(board.devices, 9);
	dev = vmm_board_find(&board, VMM_MMIO, 0x09070000 + 16 * VMM_MAX_CPUS - 1, 1);
	if (tap_check(dev && !strcmp(dev->ops->name, "stall_detector")))
		tap_equal(dev->base, 0x09070000);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09071000, 1));
	devices_are_apart();
	devices_are_in_range();
	interrupts_are_apart();
	addresses_find_their_device();
	vmm_board_virt(&board, &with_detector);
	tap_equal(board.devices, 13);
	dev = vmm_board_find(&board, VMM_MMIO, 0x09070000, 1);
	tap_check(dev && !strcmp(dev->ops->name, "stall_detector") && dev->size == 0x1000);
	virt_devices_are_apart();
	vmm_board_ranchu(&board, &reference);
	tap_check(!vmm_board_find(&board, VMM_MMIO, 0x09070000, 1));
}

/* As on a PC: a device's port is in the middle of four ports of another device. */
static void the_whole_access_decides(void)
{
	static struct vmm_board pc;
	struct vmm_device *four = vmm_board_add_ports(&pc, &vmm_goldfish_fb_ops, 0xcf8, 8, 0);
	struct vmm_device *one = vmm_board_add_ports(&pc, &vmm_goldfish_sync_ops, 0xcf9, 1, 0);
	struct vmm_device *memory = vmm_board_add(&pc, &vmm_pl011_ops, 0xcf8, 8, 0);

	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcf8, 4) == four);
	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcf8, 1) == four);
	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcf9, 1) == one);
	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcf9, 2) == four);
	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcfa, 1) == four);
	/* If no device has the whole access, the first byte decides. */
	tap_check(vmm_board_find(&pc, VMM_PORTS, 0xcff, 4) == four);
	tap_check(!vmm_board_find(&pc, VMM_PORTS, 0xcf7, 4));
	tap_check(!vmm_board_find(&pc, VMM_PORTS, 0xd00, 1));
	tap_check(vmm_board_find(&pc, VMM_MMIO, 0xcf9, 1) == memory);
	tap_check(!vmm_board_find(&pc, VMM_MMIO, 0xcf7, 4));
}

static const struct tap_case cases[] = {
	{ "devices do not overlap and are sorted", devices_are_apart },
	{ "devices are in range and describe themselves", devices_are_in_range },
	{ "no interrupt is used twice", interrupts_are_apart },
	{ "every address finds its device", addresses_find_their_device },
	{ "the smallest device that has the whole access", the_whole_access_decides },
	{ "a clock is added on request", a_clock_is_added },
	{ "so is the generation", a_generation_is_added },
	{ "and where a panic is told", where_a_panic_is_told },
	{ "and where stuck vCPUs are found", where_stuck_vcpus_are_found },
	{ "all 32 virtio transports are idle", transports_are_idle },
	{ "the second board has its map", the_second_board_has_its_map },
};

int main(void)
{
	vmm_board_ranchu(&board, &reference);
	return tap_run(cases, ARRAY_SIZE(cases));
}
