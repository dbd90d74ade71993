// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio devices of an x86_64 board: which is in which slot, and that all of them are
 * found, reset and taken away. Slots are written out from what guests of the emulator
 * expect.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "pci/host.h"
#include "tests/tap.h"
#include "virtio/pci_bank.h"

static struct vmm_config cfg;
static struct vmm_vm vm;

static void line_set(struct vmm_line *line, bool level)
{
	(void)line;
	(void)level;
}

static int line_attach(struct vmm_line *line)
{
	(void)line;
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

/* Configures @n disks without a slot. */
static void want_disks(unsigned int n)
{
	unsigned int i;

	cfg = (struct vmm_config){ .disks = n };
	for (i = 0; i < n; i++)
		cfg.disk[i] = (struct vmm_disk){ .path = "x", .transport.slot = -1 };
}

static int slot_of(const struct vmm_virtio_ops *ops, unsigned int index)
{
	struct vmm_virtio_place at[VMM_VIRTIO_PLACES];

	if (vmm_virtio_assign(&cfg, vmm_virtio_pci_next, at))
		return -1;
	return vmm_virtio_place_of(at, ops, index);
}

static void disks_are_where_guests_look(void)
{
	unsigned int i;

	want_disks(6);
	for (i = 0; i < 6; i++)
		tap_equal(slot_of(&vmm_blk_ops, i), 3 + i);
	/* Disks above the emulator's number use the slots of other devices. */
	want_disks(9);
	tap_equal(slot_of(&vmm_blk_ops, 5), 8);
	tap_equal(slot_of(&vmm_blk_ops, 6), 9);
	tap_equal(slot_of(&vmm_blk_ops, 7), 10);
	tap_equal(slot_of(&vmm_blk_ops, 8), 12);
}

static void others_leave_slots_free(void)
{
	want_disks(2);
	cfg.builtins = 5;
	cfg.builtin[0].kind = VMM_BUILTIN_RNG;
	cfg.builtin[1].kind = VMM_BUILTIN_BALLOON;
	cfg.builtin[2].kind = VMM_BUILTIN_KEYBOARD;
	cfg.builtin[3].kind = VMM_BUILTIN_KEYBOARD;
	cfg.builtin[4].kind = VMM_BUILTIN_RNG;
	tap_equal(slot_of(&vmm_rng_ops, 0), 9);
	tap_equal(slot_of(&vmm_rng_ops, 1), 10);
	tap_equal(slot_of(&vmm_balloon_ops, 0), 12);
	tap_equal(slot_of(&vmm_keyboard_ops, 1), 14);
	/* A device with slot= gets that slot, also if it is reserved for another type. */
	cfg.disk[0].transport.slot = 9;
	cfg.disk[1].transport.slot = 11;
	tap_equal(slot_of(&vmm_blk_ops, 0), 9);
	tap_equal(slot_of(&vmm_blk_ops, 1), 11);
	tap_equal(slot_of(&vmm_rng_ops, 0), 10);
	cfg.disk[0].transport.slot = 11;
	tap_equal(slot_of(&vmm_blk_ops, 0), -1);
}

/* A controller gets a disk's slot of the emulator only by slot=. */
static void controllers_are_no_disks(void)
{
	want_disks(1);
	cfg.backends[VMM_BACKEND_SCSI] = 2;
	cfg.backend[VMM_BACKEND_SCSI][0] = (struct vmm_backend){ .transport.slot = -1 };
	cfg.backend[VMM_BACKEND_SCSI][1] = (struct vmm_backend){ .transport.slot = 4 };
	tap_equal(slot_of(&vmm_blk_ops, 0), 3);
	tap_equal(slot_of(&vmm_scsi_ops, 0), 9);
	tap_equal(slot_of(&vmm_scsi_ops, 1), 4);
}

static void a_full_bus_is_said(void)
{
	unsigned int i;

	want_disks(16);
	cfg.backends[VMM_BACKEND_NET] = 12;
	for (i = 0; i < 12; i++)
		cfg.backend[VMM_BACKEND_NET][i] = (struct vmm_backend){ .transport.slot = -1 };
	tap_check(slot_of(&vmm_net_ops, 11) >= 0);
	cfg.builtins = 1;
	cfg.builtin[0].kind = VMM_BUILTIN_RNG;
	tap_equal(slot_of(&vmm_rng_ops, 0), -1);
}

static void board_fill(void)
{
	static const struct vmm_pci_identity bridge = {
		.vendor = 0x8086, .device = 0x1237, .class = 0x060000,
	};
	static const struct vmm_pci_map map = {
		.bridge = &bridge,
		.window = {
			[VMM_PCI_PORTS] = { 0x1000, 0xf000 },
			[VMM_PCI_MEMORY] = { 0xc0000000, 0x3ec00000 },
			[VMM_PCI_MEMORY64] = { 0x800000000, 0x800000000 },
		},
		.gsi = { 10, 11, 10, 11 },
		.messages = { 0xfee00000, 0x100000 },
		.message_gsi = 24,
	};

	vm = (struct vmm_vm){ .cfg = &cfg, .line_ops = &line_ops, .fd = -1 };
	vm.board.pci = map;
	vmm_board_add_ports(&vm.board, &vmm_pci_host_ops, 0xcf8, 8, 0);
	vmm_board_add_ports(&vm.board, &vmm_pci_ports_ops, 0x1000, 0xf000, 0);
	vmm_board_add(&vm.board, &vmm_pci_memory_ops, 0xc0000000, 0x3ec00000, 0);
	vmm_board_add(&vm.board, &vmm_virtio_pci_bank_ops, 0, 0, 0);
}

static u64 access_read(enum vmm_space space, u64 addr, unsigned int len)
{
	struct vmm_device *dev = vmm_board_find(&vm.board, space, addr, len);

	return tap_check(dev) ? vmm_device_read(dev, addr - dev->base, len) : 0;
}

static void access_write(enum vmm_space space, u64 addr, u64 value, unsigned int len)
{
	struct vmm_device *dev = vmm_board_find(&vm.board, space, addr, len);

	if (tap_check(dev))
		vmm_device_write(dev, addr - dev->base, value, len);
}

static u32 cfg_read(unsigned int slot, unsigned int offset)
{
	access_write(VMM_PORTS, 0xcf8, 0x80000000 | slot << 11 | offset, 4);
	return access_read(VMM_PORTS, 0xcfc, 4);
}

static void cfg_write(unsigned int slot, unsigned int offset, u32 value)
{
	access_write(VMM_PORTS, 0xcf8, 0x80000000 | slot << 11 | offset, 4);
	access_write(VMM_PORTS, 0xcfc, value, 4);
}

static bool machine_open(void)
{
	static char path[32];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "/tmp/pci_bank_test.XXXXXX");
	fd = mkstemp(path);
	want_disks(1);
	cfg.disk[0] = (struct vmm_disk){
		.path = path, .block_size = 512, .queues = 2, .user = true, .transport.slot = -1,
	};
	cfg.builtins = 1;
	cfg.builtin[0].kind = VMM_BUILTIN_RNG;
	board_fill();
	vm.loop = vmm_loop_create();
	ok = tap_check(fd >= 0 && !ftruncate(fd, MIB) && vm.loop) &&
	     tap_equal(vmm_mem_add(&vm.mem, 0, MIB), 0) && tap_equal(vmm_board_create(&vm), 0);
	close(fd);
	unlink(path);
	return ok;
}

static void machine_close(void)
{
	vmm_board_destroy(&vm);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
}

static void a_board_has_them(void)
{
	unsigned int i;
	u64 regs;

	if (!machine_open())
		return;
	for (i = 0; i < 2; i++) {
		tap_context("life %u", i);
		tap_equal(cfg_read(0, 0), 0x12378086);
		tap_equal(cfg_read(0, 8) >> 8, 0x060000);
		tap_equal(cfg_read(3, 0), 0x10421af4);
		tap_equal(cfg_read(9, 0), 0x10441af4);
		tap_equal(cfg_read(4, 0), 0xffffffff);
		tap_equal(cfg_read(3, 4) & 7, 0);
		/* Without decoding no device answers; with it, the disk's capacity can be read. */
		regs = cfg_read(3, 0x20);
		tap_check(regs >= 0xc0000000);
		tap_equal(access_read(VMM_MMIO, regs + 0x2000, 4), 0xffffffff);
		cfg_write(3, 4, 7);
		tap_equal(access_read(VMM_MMIO, regs + 0x2000, 8), 2048);
		tap_equal(access_read(VMM_MMIO, regs + 0x12, 2), 2);
		tap_check((cfg_read(3, 0x10) & ~3U) >= 0x1000);
		access_write(VMM_PORTS, cfg_read(3, 0x10) & ~3U, 0, 2);
		access_write(VMM_MMIO, regs + 0x14, 1, 1);
		tap_equal(access_read(VMM_MMIO, regs + 0x14, 1), 1);
		vmm_board_reset(&vm);
	}
	machine_close();
}

static void an_old_driver_finds_nothing(void)
{
	want_disks(1);
	cfg.disk[0].transport.legacy = true;
	board_fill();
	vm.loop = vmm_loop_create();
	tap_check(vmm_board_create(&vm) < 0);
	vmm_loop_destroy(vm.loop);
}

static const struct tap_case cases[] = {
	{ "disks are where guests look for them", disks_are_where_guests_look },
	{ "others leave the slots of others free", others_leave_slots_free },
	{ "SCSI controllers are no disks", controllers_are_no_disks },
	{ "a full bus is said", a_full_bus_is_said },
	{ "a board has them, after a reset as well", a_board_has_them },
	{ "registers of before virtio 1.0 are refused", an_old_driver_finds_nothing },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
