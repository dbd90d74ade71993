// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's fixed hardware, used as by a kernel, and the ports by which a guest ends.
 */
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/pc.h"
#include "tests/tap.h"

#define STATUS	0
#define ENABLE	2
#define CONTROL	4
#define TIMER	8

static struct {
	bool level;
	unsigned int offs;
	u64 now;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
}

static void on_off(void *arg)
{
	(void)arg;
	host.offs++;
}

static u64 on_now(void *arg)
{
	(void)arg;
	return host.now;
}

static struct vmm_acpi_pm *pm_new(void)
{
	static struct vmm_acpi_pm pm;

	memset(&host, 0, sizeof(host));
	pm = (struct vmm_acpi_pm){ .irq = on_irq, .off = on_off, .now = on_now };
	vmm_acpi_pm_init(&pm);
	return &pm;
}

/* ACPI mode is always on: a kernel reads it, and writes it back unchanged. */
static void acpi_is_on(void)
{
	struct vmm_acpi_pm *pm = pm_new();

	tap_equal(vmm_acpi_pm_read(pm, CONTROL, 2), 1);
	vmm_acpi_pm_write(pm, CONTROL, 0, 2);
	tap_equal(vmm_acpi_pm_read(pm, CONTROL, 2), 1);
	vmm_acpi_pm_write(pm, CONTROL, 0x1c00, 2);
	tap_equal(vmm_acpi_pm_read(pm, CONTROL, 2), 0x1c01);
	tap_equal(host.offs, 0);
}

static void soft_off_is_type_0(void)
{
	struct vmm_acpi_pm *pm = pm_new();
	unsigned int type;

	/* Like Linux: first the type, then the same with the enable bit. */
	for (type = 7; type; type--) {
		vmm_acpi_pm_write(pm, CONTROL, 1 | type << 10, 2);
		vmm_acpi_pm_write(pm, CONTROL, 1 | type << 10 | 0x2000, 2);
		tap_equal(host.offs, 0);
		/* The enable bit reads as 0. */
		tap_equal(vmm_acpi_pm_read(pm, CONTROL, 2), 1 | type << 10);
	}
	vmm_acpi_pm_write(pm, CONTROL, 1, 2);
	tap_equal(host.offs, 0);
	vmm_acpi_pm_write(pm, CONTROL, 0x2001, 2);
	tap_equal(host.offs, 1);
	vmm_acpi_pm_write(pm, CONTROL + 1, 0x20, 1);
	tap_equal(host.offs, 2);
	/* The enable bit is not in the low byte. */
	vmm_acpi_pm_write(pm, CONTROL, 0x20, 1);
	tap_equal(host.offs, 2);
}

static void the_button_interrupts(void)
{
	struct vmm_acpi_pm *pm = pm_new();

	tap_check(!vmm_acpi_pm_button(pm));
	tap_check(!host.level);
	tap_equal(vmm_acpi_pm_read(pm, STATUS, 2), 0x100);
	vmm_acpi_pm_write(pm, ENABLE, 0x100, 2);
	tap_check(host.level);
	/* Writing a 1 clears; other bits stay. */
	vmm_acpi_pm_write(pm, STATUS, 0xfeff, 2);
	tap_check(host.level);
	vmm_acpi_pm_write(pm, STATUS, 0x100, 2);
	tap_check(!host.level);
	tap_equal(vmm_acpi_pm_read(pm, STATUS, 2), 0);
	tap_check(vmm_acpi_pm_button(pm));
	tap_check(host.level);
	/* Both registers at once, as 32 bits. */
	tap_equal(vmm_acpi_pm_read(pm, STATUS, 4), 0x1000100);
	vmm_acpi_pm_write(pm, STATUS, 0x1000100, 4);
	tap_check(!host.level);
	tap_equal(vmm_acpi_pm_read(pm, STATUS, 4), 0x1000000);
}

/* A kernel reads enable bits back, and prints an error if they differ. */
static void enables_are_kept(void)
{
	struct vmm_acpi_pm *pm = pm_new();

	vmm_acpi_pm_write(pm, ENABLE, 0x520, 2);
	tap_equal(vmm_acpi_pm_read(pm, ENABLE, 2), 0x520);
	vmm_acpi_pm_write(pm, ENABLE, 0xffff, 2);
	tap_equal(vmm_acpi_pm_read(pm, ENABLE, 2), 0x520);
	vmm_acpi_pm_write(pm, ENABLE + 1, 0, 1);
	tap_equal(vmm_acpi_pm_read(pm, ENABLE, 2), 0x20);
	vmm_acpi_pm_reset(pm);
	tap_equal(vmm_acpi_pm_read(pm, STATUS, 4), 0);
}

static void the_timer_counts(void)
{
	struct vmm_acpi_pm *pm = pm_new();

	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), 0);
	host.now = 1000000000;
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), 3579545);
	host.now = 1000000;
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), 3579);
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 2), 3579);
	tap_equal(vmm_acpi_pm_read(pm, TIMER + 1, 1), 3579 >> 8);
	/* It wraps at 32 bits, after 1199.9 seconds, and goes on for years. */
	host.now = 1200000000000;
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), (u32)(1200ULL * 3579545));
	host.now = 400000000000000000;
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), (u32)(400000000ULL * 3579545));
	vmm_acpi_pm_write(pm, TIMER, 0, 4);
	tap_equal(vmm_acpi_pm_read(pm, TIMER, 4), (u32)(400000000ULL * 3579545));
	/* There are no further bytes. */
	tap_equal(vmm_acpi_pm_read(pm, TIMER + 3, 8), vmm_acpi_pm_read(pm, TIMER + 3, 1));
}

/* ---- ports that end a guest ---- */

/* Writes to a port of a model without a state; returns how the guest has ended. */
static int ended_by(const struct vmm_device_ops *ops, u64 value)
{
	struct vmm_vm vm = { .fd = -1, .end_fd = vmm_event_create() };
	struct vmm_device dev = { .ops = ops, .vm = &vm, .size = 1, .count = 1 };

	vmm_device_write(&dev, 0, value, 1);
	vmm_event_clear(vm.end_fd);
	close(vm.end_fd);
	return vmm_vm_ended(&vm);
}

static void ports_end_a_guest(void)
{
	unsigned int value;

	for (value = 0; value < 256; value++) {
		tap_context("0x%x", value);
		tap_equal(ended_by(&vmm_pc_reset_ops, value),
			  value & 4 ? VMM_END_RESET : VMM_END_NONE);
		tap_equal(ended_by(&vmm_i8042_ops, value),
			  value == 0xfe ? VMM_END_RESET : VMM_END_NONE);
	}
}

static const struct tap_case cases[] = {
	{ "ACPI is always on", acpi_is_on },
	{ "type 0 switches off, and no other", soft_off_is_type_0 },
	{ "the power button interrupts", the_button_interrupts },
	{ "what is enabled is kept", enables_are_kept },
	{ "the timer counts, and wraps", the_timer_counts },
	{ "ports end a guest as they should", ports_end_a_guest },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
