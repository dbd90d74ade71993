// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish battery's registers, as a driver uses them, and its commands.
 */
#include <errno.h>
#include <string.h>

#include "devices/goldfish.h"
#include "tests/tap.h"

#define INT_STATUS	0x00
#define INT_ENABLE	0x04

static struct {
	bool level;
	unsigned int edges;
} host;

static struct vmm_text text;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
	host.edges++;
}

static struct vmm_battery *battery_new(bool fitted)
{
	static struct vmm_battery battery;

	memset(&host, 0, sizeof(host));
	vmm_text_clear(&text);
	battery = (struct vmm_battery){ .irq = on_irq };
	vmm_battery_init(&battery, fitted);
	return &battery;
}

static int set(struct vmm_battery *battery, const char *name, const char *value)
{
	vmm_text_clear(&text);
	return vmm_battery_set(battery, name, value, &text);
}

/* Table of the specification: offset, value with a battery, value without one. */
static const u32 start[][3] = {
	{ 0x00, 0, 0 }, { 0x04, 0, 0 }, { 0x08, 1, 1 }, { 0x0c, 1, 0 }, { 0x10, 1, 0 },
	{ 0x14, 1, 0 }, { 0x18, 100, 0 }, { 0x1c, 5000000, 5000000 }, { 0x20, 250, 250 },
	{ 0x24, 10000, 0 }, { 0x28, 5000000, 5000000 }, { 0x2c, 5000000, 5000000 },
	{ 0x30, 900000, 900000 }, { 0x34, 900000, 900000 }, { 0x38, 3000000, 3000000 },
	{ 0x3c, 0, 0 }, { 0x40, 10, 10 }, { 0x44, 0, 0 }, { 0xffc, 0, 0 },
};

static void it_starts_as_the_reference(void)
{
	struct vmm_battery *battery;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(start); i++) {
		tap_context("register 0x%02x", start[i][0]);
		battery = battery_new(true);
		tap_equal(vmm_battery_read(battery, start[i][0]), start[i][1]);
		battery = battery_new(false);
		tap_equal(vmm_battery_read(battery, start[i][0]), start[i][2]);
	}
	tap_equal(host.edges, 0);
}

static void changes_interrupt_by_class(void)
{
	struct vmm_battery *battery = battery_new(true);

	vmm_battery_write(battery, INT_ENABLE, 3);
	tap_equal(set(battery, "capacity", "42"), 0);
	tap_check(host.level);
	tap_equal(vmm_battery_read(battery, 0x18), 42);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 1);
	tap_check(!host.level);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 0);
	tap_equal(set(battery, "ac", "off"), 0);
	tap_equal(set(battery, "status", "discharging"), 0);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 3);
	tap_equal(vmm_battery_read(battery, 0x08), 0);
	tap_equal(vmm_battery_read(battery, 0x0c), 2);
	tap_equal(host.edges, 4);
	/* The same value again is no change. */
	tap_equal(set(battery, "ac", "off"), 0);
	tap_check(!host.level);
}

/* The line follows the registers; masked changes are not lost. */
static void the_mask_keeps_changes_back(void)
{
	struct vmm_battery *battery = battery_new(true);

	tap_equal(set(battery, "ac", "off"), 0);
	tap_equal(set(battery, "health", "overheat"), 0);
	tap_check(!host.level);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 0);
	vmm_battery_write(battery, INT_ENABLE, ~0U);
	tap_equal(vmm_battery_read(battery, INT_ENABLE), 3);
	tap_check(host.level);
	vmm_battery_write(battery, INT_ENABLE, 2);
	tap_check(host.level);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 2);
	tap_check(!host.level);
	vmm_battery_write(battery, INT_ENABLE, 1);
	tap_check(host.level);
	vmm_battery_write(battery, INT_ENABLE, 0);
	tap_check(!host.level);
	vmm_battery_write(battery, INT_ENABLE, 1);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 1);
	tap_check(!host.level);
}

static void the_guest_changes_no_value(void)
{
	struct vmm_battery *battery = battery_new(true);
	u32 offset;

	for (offset = 0; offset < 0x1000; offset++) {
		if (offset != INT_ENABLE)
			vmm_battery_write(battery, offset, 0);
	}
	tap_equal(vmm_battery_read(battery, 0x18), 100);
	tap_equal(vmm_battery_read(battery, 0x19), 0);
	tap_equal(host.edges, 0);
}

static void commands_are_checked(void)
{
	struct vmm_battery *battery = battery_new(true);

	tap_equal(set(battery, "capacity", "0"), 0);
	tap_equal(set(battery, "capacity", "101"), -EINVAL);
	tap_check(!strcmp(text.bytes, "\"101\" is not a number from 0 to 100"));
	tap_equal(set(battery, "capacity", "1x"), -EINVAL);
	tap_equal(set(battery, "capacity", "-1"), -EINVAL);
	tap_equal(set(battery, "capacity", ""), -EINVAL);
	tap_equal(set(battery, "capacity", "99999999999999999999"), -EINVAL);
	tap_equal(set(battery, "ac", "1"), -EINVAL);
	tap_check(!strcmp(text.bytes, "\"1\" is not off or on"));
	tap_equal(set(battery, "charm", "1"), -ENOENT);
	tap_equal(set(battery, "voltage-max", "0"), -EOPNOTSUPP);
	tap_equal(set(battery, "temperature", "300"), 0);
	tap_equal(vmm_battery_read(battery, 0x20), 300);
	tap_equal(vmm_battery_read(battery, 0x18), 0);
}

static void without_a_battery_there_is_the_charger(void)
{
	struct vmm_battery *battery = battery_new(false);

	vmm_battery_write(battery, INT_ENABLE, 3);
	tap_equal(set(battery, "capacity", "50"), -EOPNOTSUPP);
	tap_check(!strcmp(text.bytes, "the guest has no battery"));
	tap_equal(vmm_battery_read(battery, 0x18), 0);
	tap_check(!host.level);
	tap_equal(set(battery, "ac", "off"), 0);
	tap_check(host.level);
	tap_equal(vmm_battery_read(battery, INT_STATUS), 2);
}

static void a_reset_keeps_the_charge(void)
{
	struct vmm_battery *battery = battery_new(true);

	vmm_battery_write(battery, INT_ENABLE, 3);
	tap_equal(set(battery, "capacity", "7"), 0);
	vmm_battery_reset(battery);
	tap_check(!host.level);
	tap_equal(vmm_battery_read(battery, INT_ENABLE), 0);
	tap_equal(vmm_battery_read(battery, 0x18), 7);
	vmm_battery_write(battery, INT_ENABLE, 3);
	tap_check(!host.level);
}

static void it_says_what_it_has(void)
{
	struct vmm_battery *battery = battery_new(true);

	tap_equal(set(battery, "status", "full"), 0);
	vmm_battery_show(battery, &text);
	tap_check(strstr(text.bytes, "ac: on\n") && strstr(text.bytes, "status: full\n") &&
		  strstr(text.bytes, "capacity: 100 %\n"));
	tap_check(!text.cut);
}

static const struct tap_case cases[] = {
	{ "it starts as the reference does", it_starts_as_the_reference },
	{ "changes interrupt, the charger's and the battery's", changes_interrupt_by_class },
	{ "the mask keeps changes back", the_mask_keeps_changes_back },
	{ "the guest changes no value", the_guest_changes_no_value },
	{ "commands are checked", commands_are_checked },
	{ "without a battery there is the charger", without_a_battery_there_is_the_charger },
	{ "a reset keeps the charge", a_reset_keeps_the_charge },
	{ "it says what it has", it_says_what_it_has },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
