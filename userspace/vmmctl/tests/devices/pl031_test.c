// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PL031's registers, as a driver uses them, with a fake host's clock.
 */
#include <string.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define DR	0x00
#define MR	0x04
#define LR	0x08
#define CR	0x0c
#define IMSC	0x10
#define RIS	0x14
#define MIS	0x18
#define ICR	0x1c

static struct {
	bool level;
	unsigned int edges;
	s64 now;
	s64 alarm;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
	host.edges++;
}

static s64 on_now(void *arg)
{
	(void)arg;
	return host.now;
}

static void on_alarm(void *arg, s64 at)
{
	(void)arg;
	host.alarm = at;
}

#define NOW	1790000000	/* September 2026 */

static struct vmm_pl031 *rtc_new(void)
{
	static struct vmm_pl031 rtc;

	memset(&host, 0, sizeof(host));
	host.now = NOW;
	rtc = (struct vmm_pl031){ .irq = on_irq, .now = on_now, .alarm = on_alarm };
	vmm_pl031_init(&rtc);
	return &rtc;
}

/* Sets the host's clock; the host's timer expires if it is due. */
static void time_is(struct vmm_pl031 *rtc, s64 now)
{
	host.now = now;
	if (host.alarm && now >= host.alarm) {
		host.alarm = 0;
		vmm_pl031_due(rtc);
	}
}

/* An AMBA bus finds the driver by these: part 031, ARM, revision 0. */
static void identifies_itself(void)
{
	static const u8 id[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct vmm_pl031 *rtc = rtc_new();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(id); i++)
		tap_equal(vmm_pl031_read(rtc, 0xfe0 + 4 * i), id[i]);
	tap_equal(vmm_pl031_read(rtc, 0xfe1), 0);
}

static void shows_the_hosts_time(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	tap_equal(vmm_pl031_read(rtc, DR), NOW);
	host.now += 12345;
	tap_equal(vmm_pl031_read(rtc, DR), NOW + 12345);
	tap_equal(vmm_pl031_read(rtc, CR), 1);
	/* It always runs. */
	vmm_pl031_write(rtc, CR, 0);
	tap_equal(vmm_pl031_read(rtc, CR), 1);
	vmm_pl031_write(rtc, DR, 1);
	tap_equal(vmm_pl031_read(rtc, DR), NOW + 12345);
	/* After the year 2106 the register wraps. */
	host.now = 0x100000005;
	tap_equal(vmm_pl031_read(rtc, DR), 5);
}

static void keeps_what_was_set(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	vmm_pl031_write(rtc, LR, 1000);
	tap_equal(vmm_pl031_read(rtc, DR), 1000);
	tap_equal(vmm_pl031_read(rtc, LR), 1000);
	host.now += 7;
	tap_equal(vmm_pl031_read(rtc, DR), 1007);
	tap_equal(vmm_pl031_read(rtc, LR), 1000);
	vmm_pl031_write(rtc, LR, 0xfffffffe);
	host.now += 3;
	tap_equal(vmm_pl031_read(rtc, DR), 1);
	vmm_pl031_reset(rtc);
	tap_equal(vmm_pl031_read(rtc, DR), (u32)host.now);
	tap_equal(vmm_pl031_read(rtc, LR), 0);
}

static void an_alarm_interrupts_once(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	vmm_pl031_write(rtc, MR, NOW + 10);
	tap_equal(vmm_pl031_read(rtc, MR), NOW + 10);
	vmm_pl031_write(rtc, IMSC, ~0U);
	tap_equal(vmm_pl031_read(rtc, IMSC), 1);
	tap_equal(host.alarm, NOW + 10);
	time_is(rtc, NOW + 9);
	tap_check(!host.level);
	time_is(rtc, NOW + 10);
	tap_check(host.level);
	tap_equal(vmm_pl031_read(rtc, RIS), 1);
	tap_equal(vmm_pl031_read(rtc, MIS), 1);
	/* Cleared in the same second, it stays cleared. */
	vmm_pl031_write(rtc, ICR, 1);
	tap_check(!host.level);
	tap_equal(vmm_pl031_read(rtc, RIS), 0);
	vmm_pl031_due(rtc);
	time_is(rtc, NOW + 11);
	tap_check(!host.level);
	tap_equal(host.edges, 2);
}

static void the_mask_keeps_it_back(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	vmm_pl031_write(rtc, MR, NOW + 1);
	time_is(rtc, NOW + 1);
	tap_check(!host.level);
	tap_equal(vmm_pl031_read(rtc, RIS), 1);
	tap_equal(vmm_pl031_read(rtc, MIS), 0);
	vmm_pl031_write(rtc, IMSC, 1);
	tap_check(host.level);
	tap_equal(vmm_pl031_read(rtc, MIS), 1);
	vmm_pl031_write(rtc, ICR, 2);
	tap_check(host.level);
	vmm_pl031_write(rtc, IMSC, 0);
	tap_check(!host.level);
	tap_equal(vmm_pl031_read(rtc, RIS), 1);
}

/* The alarm compares with the guest's time, after any change of it. */
static void an_alarm_follows_the_time(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	vmm_pl031_write(rtc, IMSC, 1);
	/* An alarm at the current time. */
	vmm_pl031_write(rtc, MR, NOW);
	tap_check(host.level);
	vmm_pl031_write(rtc, ICR, 1);
	/* The guest's time is set to a minute before it. */
	vmm_pl031_write(rtc, MR, 5060);
	vmm_pl031_write(rtc, LR, 5000);
	tap_equal(host.alarm, NOW + 60);
	/* The host's clock is set back as its timer expires. */
	host.now = NOW - 100;
	vmm_pl031_due(rtc);
	tap_check(!host.level);
	tap_equal(host.alarm, NOW + 60);
	/* And forward, past it. */
	time_is(rtc, NOW + 1000);
	tap_check(host.level);
	/* A time in the past is 136 years away. */
	vmm_pl031_write(rtc, ICR, 1);
	vmm_pl031_write(rtc, MR, vmm_pl031_read(rtc, DR) - 1);
	tap_check(!host.level);
	tap_equal(host.alarm, host.now + 0xffffffff);
	vmm_pl031_reset(rtc);
	tap_equal(host.alarm, 0);
}

static void a_paused_clock_raises_no_alarm(void)
{
	struct vmm_pl031 *rtc = rtc_new();

	vmm_pl031_write(rtc, IMSC, 1);
	vmm_pl031_write(rtc, MR, NOW + 5);
	vmm_pl031_pause(rtc, true);
	tap_equal(host.alarm, 0);
	time_is(rtc, NOW + 60);
	vmm_pl031_due(rtc);
	tap_check(!host.level);
	tap_equal(vmm_pl031_read(rtc, RIS), 0);
	tap_equal(vmm_pl031_read(rtc, DR), NOW + 60);
	vmm_pl031_pause(rtc, false);
	tap_equal(host.alarm, NOW + 5);
	time_is(rtc, NOW + 60);
	tap_check(host.level);
}

static void other_offsets_are_harmless(void)
{
	struct vmm_pl031 *rtc = rtc_new();
	u32 offset;

	for (offset = 0x20; offset < 0x1000; offset++) {
		vmm_pl031_write(rtc, offset, ~0U);
		if (offset < 0xfe0)
			tap_equal(vmm_pl031_read(rtc, offset), 0);
	}
	tap_equal(vmm_pl031_read(rtc, IMSC), 0);
	tap_equal(vmm_pl031_read(rtc, ICR), 0);
	tap_equal(host.edges, 0);
}

static const struct tap_case cases[] = {
	{ "identifies itself as a PrimeCell", identifies_itself },
	{ "shows the host's time", shows_the_hosts_time },
	{ "keeps what was set", keeps_what_was_set },
	{ "an alarm interrupts once", an_alarm_interrupts_once },
	{ "the mask keeps it back", the_mask_keeps_it_back },
	{ "an alarm follows the time", an_alarm_follows_the_time },
	{ "a paused clock raises no alarm", a_paused_clock_raises_no_alarm },
	{ "other offsets are harmless", other_offsets_are_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
