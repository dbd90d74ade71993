// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device by which a guest reports a panic: a port of the pc board, and memory of the arm64
 * boards, where a second byte is reserved.
 */
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "host/log.h"
#include "tests/tap.h"

#define PANICKED	1
#define CRASH_LOADED	2

static struct vmm_vm vm;
static struct vmm_device dev;

static void device_new(enum vmm_space space, u64 size)
{
	vm = (struct vmm_vm){ .fd = -1, .end_fd = vmm_event_create() };
	dev = (struct vmm_device){
		.ops = &vmm_pvpanic_ops, .vm = &vm, .space = space, .base = 0x505, .size = size,
		.count = 1, .trigger = VMM_IRQ_LEVEL_HIGH,
	};
	tap_equal(dev.ops->create(&dev), 0);
}

static void device_end(void)
{
	dev.ops->destroy(&dev);
	close(vm.end_fd);
}

/* Writes; returns how the guest has ended. */
static int ended_by(u64 size, u64 offset, u64 value, unsigned int len)
{
	int end;

	device_new(size == 1 ? VMM_PORTS : VMM_MMIO, size);
	vmm_device_write(&dev, offset, value, len);
	end = vmm_vm_ended(&vm);
	tap_equal(vmm_event_clear(vm.end_fd), end != VMM_END_NONE);
	device_end();
	return end;
}

static void a_panic_ends_the_guest(void)
{
	unsigned int size, value;

	for (size = 1; size <= 2; size++) {
		for (value = 0; value < 256; value++) {
			tap_context("0x%x, %u bytes", value, size);
			tap_equal(ended_by(size, 0, value, 1),
				  value & PANICKED ? VMM_END_PANIC : VMM_END_NONE);
		}
	}
	/* A wider write counts as well. */
	tap_equal(ended_by(2, 0, PANICKED, 2), VMM_END_PANIC);
	tap_equal(ended_by(2, 0, PANICKED << 8, 2), VMM_END_NONE);
}

static void the_second_byte_is_reserved(void)
{
	tap_equal(ended_by(2, 1, PANICKED, 1), VMM_END_NONE);
	device_new(VMM_MMIO, 2);
	tap_equal(vmm_device_read(&dev, 1, 1), 0);
	device_end();
}

/* A driver reports only events that the device supports. */
static void it_says_what_it_understands(void)
{
	device_new(VMM_MMIO, 2);
	tap_equal(vmm_device_read(&dev, 0, 1), PANICKED | CRASH_LOADED);
	tap_equal(vmm_device_read(&dev, 0, 2), PANICKED | CRASH_LOADED);
	vmm_device_write(&dev, 0, 0, 1);
	tap_equal(vmm_device_read(&dev, 0, 1), PANICKED | CRASH_LOADED);
	device_end();
}

static void count_line(void *arg, const char *line, size_t len)
{
	(void)line;
	(void)len;
	(*(unsigned int *)arg)++;
}

/* Repeated writes of the guest do not fill the host's log. */
static void a_crash_kernel_is_told_of_once(void)
{
	unsigned int lines = 0;
	unsigned int i;

	device_new(VMM_MMIO, 2);
	vmm_log_also(count_line, &lines);
	for (i = 0; i < 100; i++)
		vmm_device_write(&dev, 0, CRASH_LOADED, 1);
	tap_equal(lines, 1);
	dev.ops->reset(&dev);
	vmm_device_write(&dev, 0, CRASH_LOADED, 1);
	tap_equal(lines, 2);
	vmm_log_also(NULL, NULL);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	device_end();
}

static void see(struct vmm_visitor *visitor, const struct vmm_description *d)
{
	(void)visitor;
	tap_check(!strcmp(d->compatible[0], "qemu,pvpanic-mmio") && !d->compatible[1]);
	tap_check(!strcmp(d->hid, "QEMU0001"));
	tap_equal(d->space, dev.space);
	tap_equal(d->base, dev.base);
	tap_equal(d->size, dev.size);
	tap_equal(d->trigger, 0);
}

static void it_has_no_interrupt(void)
{
	struct vmm_visitor visitor = { .device = see };

	device_new(VMM_PORTS, 1);
	dev.ops->describe(&dev, &visitor);
	device_end();
	device_new(VMM_MMIO, 2);
	dev.ops->describe(&dev, &visitor);
	device_end();
}

static const struct tap_case cases[] = {
	{ "a panic ends the guest, and nothing else does", a_panic_ends_the_guest },
	{ "the second byte is reserved", the_second_byte_is_reserved },
	{ "it says what it understands", it_says_what_it_understands },
	{ "a crash kernel is told of once in a life", a_crash_kernel_is_told_of_once },
	{ "it has no interrupt", it_has_no_interrupt },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
