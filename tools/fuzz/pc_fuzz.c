// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the ports and registers of the x86_64 board's own devices, as two vCPUs
 * may write and read them, while input arrives, alarms are due, the power button is
 * pressed, the wheel is turned and the VM is paused; and the address space behind the
 * board's PCI bus, wherever the guest puts it. Then the guest is reset, and each device must
 * read as at power-on, but for the persistent store, which is as it was.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "devices/address_space.h"
#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/pc.h"
#include "machine/machine.h"
#include "machine/text.h"
#include "pci/host.h"
#include "fuzz.h"

#define LOOKED	16	/* bytes of a device that are read after a reset */
#define RAM	(1 * MIB)

static struct {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_pci_bus *bus;
	s64 seconds;
	u8 fresh[VMM_DEVICES][LOOKED];
	u8 kept[LOOKED];
} fuzz;

static void line_set(struct vmm_line *line, bool raised)
{
}

static int line_attach(struct vmm_line *line)
{
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };

/* The host's clock, which the input sets. */
static s64 now(void *arg)
{
	return __atomic_load_n(&fuzz.seconds, __ATOMIC_RELAXED);
}

static u64 ticks(void *arg)
{
	return 0;
}

static void look(const struct vmm_device *dev, u8 *bytes)
{
	unsigned int i;

	for (i = 0; i < LOOKED; i++)
		bytes[i] = vmm_device_read((struct vmm_device *)dev, i, 1);
}

static void machine_open(void)
{
	struct vmm_vm *vm = &fuzz.vm;
	unsigned int i;

	fuzz.cfg = (struct vmm_config){
		.cpus = 1, .pipe = VMM_PIPE_NONE, .sync = VMM_SYNC_NONE,
		.rtc = true, .battery = true, .pstore = VMM_PSTORE_MEMORY,
		.hw_keyboard = true, .hw_dpad = true, .hw_trackball = true,
		.hw_touch = VMM_TOUCH_SINGLE, .screen_width = 64, .screen_height = 48,
		.screen_depth = 32, .address_space = true,
	};
	*vm = (struct vmm_vm){ .cfg = &fuzz.cfg, .line_ops = &line_ops, .fd = -1 };
	vmm_board_pc(&vm->board, vm->cfg);
	vm->loop = vmm_loop_create();
	vm->end_fd = vmm_event_create();
	MUST(!vmm_mem_add(&vm->mem, 0, RAM));
	MUST(!vmm_board_create(vm));
	fuzz.bus = &vmm_pci_host_find(vm)->bus;
	for (i = 0; i < vm->board.devices; i++) {
		struct vmm_device *dev = &vm->board.dev[i];

		if (dev->ops == &vmm_cmos_ops)
			((struct vmm_cmos *)dev->state)->now = now;
		if (dev->ops == &vmm_goldfish_rtc_ops)
			((struct vmm_goldfish_rtc *)dev->state)->now = now;
		if (dev->ops == &vmm_acpi_pm_ops)
			((struct vmm_acpi_pm *)dev->state)->now = ticks;
		dev->ops->reset(dev);
		look(dev, fuzz.fresh[i]);
	}
}

static void input_arrives(struct vmm_device *dev, struct input *in)
{
	u8 bytes[32];
	unsigned int len = take(in, 1) % sizeof(bytes);

	memset(bytes, 'x', sizeof(bytes));
	MUST(vmm_uart16550_take(dev->state, bytes, len) <= len);
}

/* What people do with their hands. */
static void hands(const struct vmm_device *dev, unsigned int what)
{
	struct vmm_text text;

	vmm_text_clear(&text);
	if (dev->ops == &vmm_goldfish_rotary_ops)
		MUST(vmm_board_command(&fuzz.vm, "rotary", "turn", what & 1 ? "3" : "-1", &text) !=
		     -ENOENT);
	else if (dev->ops == &vmm_goldfish_events_ops)
		MUST(vmm_board_command(&fuzz.vm, "events", "send",
				       what & 1 ? "5:2:1 0:0:0" : "5:2:0 0:0:0", &text) !=
		     -ENOENT);
}

/* What happens to a device from outside. */
static void outside(struct vmm_device *dev, struct input *in)
{
	u64 what = take(in, 1);

	if (dev->ops == &vmm_uart16550_ops) {
		input_arrives(dev, in);
	} else if (dev->ops == &vmm_cmos_ops) {
		__atomic_store_n(&fuzz.seconds, (s64)(s32)take(in, 4) * (1 + (what & 0x3f)),
				 __ATOMIC_RELAXED);
		vmm_cmos_due(dev->state);
	} else if (dev->ops == &vmm_goldfish_rtc_ops) {
		vmm_goldfish_rtc_due(dev->state);
	} else if (dev->ops == &vmm_acpi_pm_ops) {
		vmm_acpi_pm_button(dev->state);
	} else {
		hands(dev, what);
	}
	if (what & 0x40)
		dev->ops->pause(dev);
	if (what & 0x80)
		dev->ops->resume(dev);
}

/* By address, as a vCPU finds it: a device's first byte, or one near it. */
static void access_one(struct input *in)
{
	struct vmm_board *board = &fuzz.vm.board;
	struct vmm_device *dev = &board->dev[take(in, 1) % board->devices];
	unsigned int how = take(in, 1);
	unsigned int len = 1 << (how >> 5 & 3);
	u64 addr = dev->base + (how & 0x1f) - 2;

	dev = vmm_board_find(board, dev->space, addr, len);
	if (!dev)
		return;
	MUST(addr >= dev->base);
	if (how & 0x80)
		vmm_device_write(dev, addr - dev->base, take(in, len), len);
	else
		MUST(len == 8 || !(vmm_device_read(dev, addr - dev->base, len) >> 8 * len));
}

/* Sizes, places and handles that mean something, and some that do not. */
static u32 address_value(struct input *in)
{
	u32 how = take(in, 1);

	switch (how >> 6) {
	case 0:
		return how;
	case 1:
		return (how & 0x3f) << 12;
	case 2:
		return 1U << (how & 31);
	default:
		return take(in, 4);
	}
}

static u64 address_base(unsigned int bar)
{
	return vmm_pci_config_read(fuzz.bus, VMM_ADDRESS_SLOT, 0x10 + 4 * bar, 4) & ~15U;
}

/* A register of the address space, its configuration, or its area. */
static void address_access(struct input *in)
{
	unsigned int how = take(in, 1);
	unsigned int len = how & 0x40 ? 1 << (how >> 4 & 3) : 4;
	u64 addr = address_base(0) + 4 * (how & 15) + (how & 0x40 ? how >> 4 & 1 : 0);
	u64 value;

	if (how == 0xff) {
		vmm_pci_config_write(fuzz.bus, VMM_ADDRESS_SLOT, take(in, 1) & 0x3c,
				     address_value(in), 4);
	} else if (how == 0xfe) {
		addr = address_base(1) | (u64)address_base(2) << 32;
		value = vmm_pci_read(fuzz.bus, false, addr + address_value(in), 4);
		MUST(!value || value == ~0ULL);
	} else if (how & 0x80) {
		value = address_value(in);
		vmm_pci_write(fuzz.bus, false, addr, len < 4 ? value & ((1 << 8 * len) - 1) : value,
			      len);
	} else {
		value = vmm_pci_read(fuzz.bus, false, addr, len);
		MUST(len == 4 || !value || value == ~0ULL);
	}
}

/* The driver's first step, without which nothing is at an address. */
static void address_decode(void)
{
	vmm_pci_config_write(fuzz.bus, VMM_ADDRESS_SLOT, 4, 2, 2);
}

static void act(struct input *in)
{
	struct vmm_board *board = &fuzz.vm.board;
	unsigned int what = take(in, 1);

	if (what & 0x80)
		address_access(in);
	else if (what == 0x7f)
		address_decode();
	else if (what & 3)
		access_one(in);
	else
		outside(&board->dev[take(in, 1) % board->devices], in);
}

static void *second_vcpu(void *arg)
{
	struct input *in = arg;

	while (in->left)
		act(in);
	return NULL;
}

/* Nothing of a block or a handle is left. */
static void address_is_fresh(void)
{
	u64 addr;
	unsigned int reg;

	address_decode();
	addr = address_base(0);
	for (reg = 4; reg < 56; reg += 4)
		MUST(vmm_pci_read(fuzz.bus, false, addr + reg, 4) ==
		     (reg == 8 ? (u64)sysconf(_SC_PAGESIZE) : 0));
	vmm_pci_write(fuzz.bus, false, addr + 12, 0xfffff001, 4);
	vmm_pci_write(fuzz.bus, false, addr + 16, 3, 4);
	vmm_pci_write(fuzz.bus, false, addr, 1, 4);
	MUST(!vmm_pci_read(fuzz.bus, false, addr + 4, 4));
	vmm_board_reset(&fuzz.vm);
}

static void reset(void)
{
	u8 bytes[LOOKED];
	unsigned int i;

	for (i = 0; i < fuzz.vm.board.devices; i++) {
		if (fuzz.vm.board.dev[i].ops == &vmm_pstore_ops)
			look(&fuzz.vm.board.dev[i], fuzz.kept);
	}
	vmm_board_pause(&fuzz.vm);
	vmm_board_resume(&fuzz.vm);
	__atomic_store_n(&fuzz.seconds, 0, __ATOMIC_RELAXED);
	vmm_board_reset(&fuzz.vm);
	vmm_event_clear(fuzz.vm.end_fd);
	fuzz.vm.end = VMM_END_NONE;
	address_is_fresh();
	for (i = 0; i < fuzz.vm.board.devices; i++) {
		const struct vmm_device *dev = &fuzz.vm.board.dev[i];

		look(dev, bytes);
		MUST(!memcmp(bytes, dev->ops == &vmm_pstore_ops ? fuzz.kept : fuzz.fresh[i],
			     LOOKED));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct input other = split_off(&in);
	pthread_t thread;

	if (!fuzz.vm.loop)
		machine_open();
	address_decode();
	MUST(!pthread_create(&thread, NULL, second_vcpu, &other));
	while (in.left)
		act(&in);
	pthread_join(thread, NULL);
	reset();
	return 0;
}
