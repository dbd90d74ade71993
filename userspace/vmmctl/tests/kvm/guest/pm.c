// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's fixed hardware, and the ports by which a guest ends.
 *
 * Source: ACPI specification 6.5, 4.8.
 */
#include <linux/ranchu_pc.h>

#include "tests/kvm/guest/guest.h"

#define STATUS		RANCHU_PC_PM_PORT
#define ENABLE		(RANCHU_PC_PM_PORT + 2)
#define CONTROL		(RANCHU_PC_PM_PORT + 4)
#define TIMER		(RANCHU_PC_PM_PORT + 8)

#define EVENT_GLOBAL	(1 << 5)
#define EVENT_BUTTON	(1 << 8)
#define EVENT_RTC	(1 << 10)
#define CONTROL_SCI	(1 << 0)
#define CONTROL_TYPE_5	(5 << 10)
#define CONTROL_SLEEP	(1 << 13)

#define TIMER_KHZ	3580	/* 3.579545 MHz */

#define VECTOR_SCI	0x63
#define ENOUGH		3

void pm_registers(void)
{
	equal(in16(STATUS), 0);
	equal(in16(ENABLE), 0);
	equal(in16(CONTROL), CONTROL_SCI);
	out16(ENABLE, 0xffff);
	equal(in16(ENABLE), EVENT_GLOBAL | EVENT_BUTTON | EVENT_RTC);
	equal(in32(STATUS), (EVENT_GLOBAL | EVENT_BUTTON | EVENT_RTC) << 16);
	out8(ENABLE + 1, 0);
	equal(in16(ENABLE), EVENT_GLOBAL);
	out32(STATUS, 0);
	equal(in16(ENABLE), 0);
	/* Writing 1 clears event bits; a write cannot set one. */
	out16(STATUS, 0xffff);
	equal(in16(STATUS), 0);
	/* ACPI mode cannot be disabled, and the only sleep state is off. */
	out16(CONTROL, CONTROL_TYPE_5);
	equal(in16(CONTROL), CONTROL_TYPE_5 | CONTROL_SCI);
	out16(CONTROL, CONTROL_TYPE_5 | CONTROL_SLEEP);
	equal(in16(CONTROL), CONTROL_TYPE_5 | CONTROL_SCI);
	equal(in8(CONTROL), CONTROL_SCI);
}

/* The host's clock is read before and after the timer, to bound the elapsed time. */
void pm_timer(void)
{
	u32 before = in32(KVM_PORT_CLOCK);
	u32 first = in32(TIMER);
	u32 after = in32(KVM_PORT_CLOCK);
	u32 least, most, ticks;

	equal(in8(TIMER + 3), in32(TIMER) >> 24);
	settle();
	settle();
	least = in32(KVM_PORT_CLOCK) - after;
	ticks = in32(TIMER) - first;
	most = in32(KVM_PORT_CLOCK) - before;
	check(ticks / TIMER_KHZ >= least / 1000 - 1);
	check(ticks / TIMER_KHZ <= most / 1000 + 1);
}

static void sci(u32 vector)
{
	if (vector == VECTOR_SCI && got[VECTOR_SCI] >= ENOUGH)
		out16(STATUS, EVENT_BUTTON);
}

/* Waits for the button: vmmctl's main thread presses it, which takes some time. */
static bool button_comes(void)
{
	u32 tries = 100;

	while (!(in16(STATUS) & EVENT_BUTTON) && --tries)
		settle();
	return tries;
}

void power_button(void)
{
	on_interrupt = sci;
	pin_set(RANCHU_PC_SCI_GSI, VECTOR_SCI | PIN_LEVEL);
	out32(KVM_PORT_BUTTON, 1);
	check(button_comes());
	settle();
	/* The interrupt is not enabled. */
	equal(got[VECTOR_SCI], 0);
	equal(in16(STATUS), EVENT_BUTTON);
	out16(ENABLE, EVENT_BUTTON);
	check(waits_for(&got[VECTOR_SCI], ENOUGH));
	settle();
	equal(got[VECTOR_SCI], ENOUGH);
	equal(in16(STATUS), 0);
	out32(KVM_PORT_BUTTON, 1);
	check(waits_for(&got[VECTOR_SCI], ENOUGH + 1));
	settle();
	equal(got[VECTOR_SCI], ENOUGH + 1);
}

static void stays(void)
{
	settle();
	check(false);
}

void reset_register(void)
{
	/* Without the reset bit nothing happens. */
	out8(RANCHU_PC_RESET_PORT, 2);
	equal(in8(RANCHU_PC_RESET_PORT), 0);
	out8(RANCHU_PC_RESET_PORT, 6);
	stays();
}

void reset_keyboard(void)
{
	/* Never busy. */
	equal(in8(RANCHU_PC_I8042_PORT), 0);
	out8(RANCHU_PC_I8042_PORT, 0xff);
	out8(RANCHU_PC_I8042_PORT, 0xfe);
	stays();
}

void reset_fault(void)
{
	check(true);
	triple_fault();
	stays();
}

void panics(void)
{
	equal(in8(RANCHU_PC_PVPANIC_PORT), 3);
	/* Another kernel takes over. */
	out8(RANCHU_PC_PVPANIC_PORT, 2);
	out8(RANCHU_PC_PVPANIC_PORT, 1);
	stays();
}
