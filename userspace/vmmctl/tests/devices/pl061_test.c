// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PL061's registers, as a driver uses them.
 */
#include <string.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define DATA(lines)	((lines) << 2)
#define DIR	0x400
#define IS	0x404
#define IBE	0x408
#define IEV	0x40c
#define IE	0x410
#define RIS	0x414
#define MIS	0x418
#define IC	0x41c
#define AFSEL	0x420

static struct {
	bool level;
	unsigned int changes;
} irq;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != irq.level);
	irq.level = level;
	irq.changes++;
}

static struct vmm_pl061 *gpio_new(void)
{
	static struct vmm_pl061 gpio;

	memset(&irq, 0, sizeof(irq));
	gpio = (struct vmm_pl061){ .irq = on_irq };
	vmm_pl061_init(&gpio);
	return &gpio;
}

static void it_says_who_it_is(void)
{
	static const u8 id[] = { 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct vmm_pl061 *gpio = gpio_new();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(id); i++)
		tap_equal(vmm_pl061_read(gpio, 0xfe0 + 4 * i), id[i]);
	tap_equal(vmm_pl061_read(gpio, 0xfe1), 0);
	tap_equal(vmm_pl061_read(gpio, 0x424), 0);
}

/* The address selects lines, and the direction register selects who drives them. */
static void data_is_by_address_and_direction(void)
{
	struct vmm_pl061 *gpio = gpio_new();

	vmm_pl061_write(gpio, DIR, 0xf0);
	vmm_pl061_write(gpio, DATA(0xff), 0xa5);
	tap_equal(vmm_pl061_read(gpio, DATA(0xff)), 0xa0);
	tap_equal(vmm_pl061_read(gpio, DATA(0x80)), 0x80);
	vmm_pl061_write(gpio, DATA(0x80), 0);
	tap_equal(vmm_pl061_read(gpio, DATA(0xff)), 0x20);
	vmm_pl061_set(gpio, 3, true);
	tap_equal(vmm_pl061_read(gpio, DATA(0xff)), 0x28);
	/* Data that was written before a line became an output. */
	vmm_pl061_write(gpio, DIR, 0xff);
	tap_equal(vmm_pl061_read(gpio, DATA(0xff)), 0x25);
	tap_equal(irq.changes, 0);
}

static void an_edge_stays_until_it_is_cleared(void)
{
	struct vmm_pl061 *gpio = gpio_new();

	tap_check(!vmm_pl061_set(gpio, 3, true));
	vmm_pl061_set(gpio, 3, false);
	/* A falling edge, which is not selected. */
	tap_equal(vmm_pl061_read(gpio, RIS), 0x08);
	tap_check(!irq.level);
	vmm_pl061_write(gpio, IC, 0x08);
	vmm_pl061_write(gpio, IEV, 0x08);
	vmm_pl061_write(gpio, IE, 0x08);
	tap_check(vmm_pl061_set(gpio, 3, true));
	tap_check(irq.level);
	tap_equal(vmm_pl061_read(gpio, MIS), 0x08);
	vmm_pl061_set(gpio, 3, false);
	tap_check(irq.level);
	vmm_pl061_write(gpio, IC, 0xf7);
	tap_check(irq.level);
	vmm_pl061_write(gpio, IC, 0x08);
	tap_check(!irq.level);
	/* Both edges. */
	vmm_pl061_write(gpio, IBE, 0x08);
	vmm_pl061_set(gpio, 3, true);
	vmm_pl061_write(gpio, IC, 0x08);
	vmm_pl061_set(gpio, 3, false);
	tap_check(irq.level);
	vmm_pl061_write(gpio, IE, 0);
	tap_check(!irq.level);
	tap_equal(vmm_pl061_read(gpio, RIS), 0x08);
	tap_equal(vmm_pl061_read(gpio, MIS), 0);
}

static void a_level_stays_while_it_is_there(void)
{
	struct vmm_pl061 *gpio = gpio_new();

	vmm_pl061_write(gpio, IS, 0x08);
	vmm_pl061_write(gpio, IEV, 0x08);
	vmm_pl061_write(gpio, IE, 0x08);
	tap_check(!irq.level);
	vmm_pl061_set(gpio, 3, true);
	tap_check(irq.level);
	vmm_pl061_write(gpio, IC, 0xff);
	tap_check(irq.level);
	vmm_pl061_set(gpio, 3, false);
	tap_check(!irq.level);
	/* The low level is selected. */
	vmm_pl061_write(gpio, IEV, 0);
	tap_check(irq.level);
}

static void a_reset_lets_go_of_everything(void)
{
	struct vmm_pl061 *gpio = gpio_new();

	vmm_pl061_write(gpio, DIR, 0xf0);
	vmm_pl061_write(gpio, AFSEL, 0x55);
	vmm_pl061_write(gpio, DATA(0xff), 0xff);
	vmm_pl061_write(gpio, IEV, 0x08);
	vmm_pl061_write(gpio, IE, 0xff);
	vmm_pl061_set(gpio, 3, true);
	tap_check(irq.level);
	tap_equal(vmm_pl061_read(gpio, AFSEL), 0x55);
	vmm_pl061_reset(gpio);
	tap_check(!irq.level);
	tap_equal(vmm_pl061_read(gpio, DATA(0xff)), 0);
	tap_equal(vmm_pl061_read(gpio, DIR), 0);
	tap_equal(vmm_pl061_read(gpio, RIS), 0);
	tap_equal(vmm_pl061_read(gpio, AFSEL), 0);
}

static const struct tap_case cases[] = {
	{ "it says who it is", it_says_who_it_is },
	{ "data is by address and direction", data_is_by_address_and_direction },
	{ "an edge stays until it is cleared", an_edge_stays_until_it_is_cleared },
	{ "a level stays while it is there", a_level_stays_while_it_is_there },
	{ "a reset lets go of everything", a_reset_lets_go_of_everything },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
