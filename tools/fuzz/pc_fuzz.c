// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the ports and registers of the x86_64 board's own devices, as two vCPUs
 * may write and read them, while input arrives, alarms are due, the power button is
 * pressed and the VM is paused. Then the guest is reset, and each device must read as at
 * power-on.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/pc.h"
#include "machine/machine.h"
#include "fuzz.h"

#define LOOKED	16	/* bytes of a device that are read after a reset */

static struct {
	struct vmm_config cfg;
	struct vmm_vm vm;
	s64 seconds;
	u8 fresh[VMM_DEVICES][LOOKED];
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
		.rtc = true, .battery = true,
		.hw_keyboard = true, .hw_dpad = true, .hw_trackball = true,
		.hw_touch = VMM_TOUCH_SINGLE, .screen_width = 64, .screen_height = 48,
		.screen_depth = 32,
	};
	*vm = (struct vmm_vm){ .cfg = &fuzz.cfg, .line_ops = &line_ops, .fd = -1 };
	vmm_board_pc(&vm->board, vm->cfg);
	vm->loop = vmm_loop_create();
	vm->end_fd = vmm_event_create();
	MUST(!vmm_board_create(vm));
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

static void act(struct input *in)
{
	struct vmm_board *board = &fuzz.vm.board;

	if (take(in, 1) & 3)
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

static void reset(void)
{
	u8 bytes[LOOKED];
	unsigned int i;

	vmm_board_pause(&fuzz.vm);
	vmm_board_resume(&fuzz.vm);
	__atomic_store_n(&fuzz.seconds, 0, __ATOMIC_RELAXED);
	vmm_board_reset(&fuzz.vm);
	vmm_event_clear(fuzz.vm.end_fd);
	fuzz.vm.end = VMM_END_NONE;
	for (i = 0; i < fuzz.vm.board.devices; i++) {
		look(&fuzz.vm.board.dev[i], bytes);
		MUST(!memcmp(bytes, fuzz.fresh[i], LOOKED));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct input other = split_off(&in);
	pthread_t thread;

	if (!fuzz.vm.loop)
		machine_open();
	MUST(!pthread_create(&thread, NULL, second_vcpu, &other));
	while (in.left)
		act(&in);
	pthread_join(thread, NULL);
	reset();
	return 0;
}
