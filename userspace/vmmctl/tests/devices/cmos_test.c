// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PC's clock, used as by a driver, with a fake host's clock.
 */
#include <string.h>
#include <time.h>

#include "devices/pc.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define NOW	1790000000	/* Monday, 21 September 2026, 14:13:20 */

static struct {
	bool level;
	s64 now;
	s64 alarm;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
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

static struct vmm_cmos *cmos_new(void)
{
	static struct vmm_cmos cmos;

	memset(&host, 0, sizeof(host));
	host.now = NOW;
	cmos = (struct vmm_cmos){ .irq = on_irq, .now = on_now, .alarm = on_alarm };
	vmm_cmos_init(&cmos);
	return &cmos;
}

static u8 rd(struct vmm_cmos *cmos, u8 reg)
{
	vmm_cmos_write(cmos, 0, reg);
	return vmm_cmos_read(cmos, 1);
}

static void wr(struct vmm_cmos *cmos, u8 reg, u8 value)
{
	vmm_cmos_write(cmos, 0, reg);
	vmm_cmos_write(cmos, 1, value);
}

/* Sets the host's clock; the host's timer expires if it is due. */
static void time_is(struct vmm_cmos *cmos, s64 now)
{
	host.now = now;
	if (host.alarm && now >= host.alarm) {
		host.alarm = 0;
		vmm_cmos_due(cmos);
	}
}

static void check_time(struct vmm_cmos *cmos, const u8 want[8])
{
	static const u8 regs[8] = { 0x32, 9, 8, 7, 6, 4, 2, 0 };
	unsigned int i;

	for (i = 0; i < 8; i++) {
		tap_context("register 0x%02x", regs[i]);
		tap_equal(rd(cmos, regs[i]), want[i]);
	}
}

static void it_shows_the_hosts_time(void)
{
	struct vmm_cmos *cmos = cmos_new();

	check_time(cmos, (u8[]){ 0x20, 0x26, 0x09, 0x21, 0x02, 0x14, 0x13, 0x20 });
	tap_context("status");
	tap_equal(rd(cmos, 0x0a), 0x26);
	tap_equal(rd(cmos, 0x0b), 0x02);
	tap_equal(rd(cmos, 0x0c), 0);
	tap_equal(rd(cmos, 0x0d), 0x80);
	/* The index cannot be read, and its highest bit is no part of it. */
	tap_equal(vmm_cmos_read(cmos, 0), 0xff);
	tap_equal(rd(cmos, 0x8d), 0x80);
	time_is(cmos, 951782399);	/* the end of 28 February in a leap year */
	check_time(cmos, (u8[]){ 0x20, 0x00, 0x02, 0x28, 0x02, 0x23, 0x59, 0x59 });
	time_is(cmos, 951782400);
	check_time(cmos, (u8[]){ 0x20, 0x00, 0x02, 0x29, 0x03, 0x00, 0x00, 0x00 });
	time_is(cmos, -1);
	check_time(cmos, (u8[]){ 0x19, 0x69, 0x12, 0x31, 0x04, 0x23, 0x59, 0x59 });
}

static void it_has_other_forms(void)
{
	struct vmm_cmos *cmos = cmos_new();

	wr(cmos, 0x0b, 0x06);
	check_time(cmos, (u8[]){ 20, 26, 9, 21, 2, 14, 13, 20 });
	wr(cmos, 0x0b, 0x04);
	check_time(cmos, (u8[]){ 20, 26, 9, 21, 2, 0x82, 13, 20 });
	wr(cmos, 0x0b, 0x00);
	check_time(cmos, (u8[]){ 0x20, 0x26, 0x09, 0x21, 0x02, 0x82, 0x13, 0x20 });
	/* Noon and midnight are 12. */
	time_is(cmos, NOW - 13 * 60 - 20 - 2 * 3600);
	tap_equal(rd(cmos, 4), 0x92);
	time_is(cmos, NOW - 13 * 60 - 20 - 14 * 3600);
	tap_equal(rd(cmos, 4), 0x12);
}

/* Sets the time as Linux does: stop the clock, write, start it. */
static void set_time(struct vmm_cmos *cmos, u8 b, const u8 time[8])
{
	static const u8 regs[8] = { 0x32, 9, 8, 7, 6, 4, 2, 0 };
	unsigned int i;

	wr(cmos, 0x0b, b | 0x80);
	wr(cmos, 0x0a, 0x76);
	for (i = 0; i < 8; i++)
		wr(cmos, regs[i], time[i]);
	for (i = 0; i < 8; i++)
		tap_equal(rd(cmos, regs[i]), time[i]);
	wr(cmos, 0x0b, b);
	wr(cmos, 0x0a, 0x26);
}

static void it_can_be_set(void)
{
	static const u8 wanted[] = { 0x19, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x58 };
	struct vmm_cmos *cmos = cmos_new();

	set_time(cmos, 2, wanted);
	check_time(cmos, wanted);
	time_is(cmos, NOW + 2);
	check_time(cmos, (u8[]){ 0x20, 0x00, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00 });
	set_time(cmos, 4, (u8[]){ 20, 30, 2, 3, 1, 0x8c, 5, 6 });
	check_time(cmos, (u8[]){ 20, 30, 2, 3, 1, 0x8c, 5, 6 });
	/* A single register, without a stop. */
	wr(cmos, 0, 30);
	tap_equal(rd(cmos, 0), 30);
	tap_equal(rd(cmos, 2), 5);
	vmm_cmos_reset(cmos);
	check_time(cmos, (u8[]){ 0x20, 0x26, 0x09, 0x21, 0x02, 0x14, 0x13, 0x22 });
}

/* Any byte in any register results in a valid time. */
static void impossible_times_are_survived(void)
{
	struct vmm_cmos *cmos = cmos_new();
	unsigned int b, value, reg;

	for (b = 0; b < 8; b += 2) {
		for (value = 0; value < 256; value++) {
			wr(cmos, 0x0b, b | 0x80);
			for (reg = 0; reg < 10; reg++)
				wr(cmos, reg, value * 7 + reg);
			wr(cmos, 0x32, value);
			wr(cmos, 0x0b, b | 0x20);
			for (reg = 0; reg < 0x80; reg++)
				rd(cmos, reg);
			time_is(cmos, NOW + value);
		}
	}
	vmm_cmos_reset(cmos);
	tap_check(!host.level && !host.alarm);
}

static void alarms_interrupt(void)
{
	struct vmm_cmos *cmos = cmos_new();

	wr(cmos, 1, 0x30);
	wr(cmos, 3, 0x14);
	wr(cmos, 5, 0x14);
	tap_equal(host.alarm, 0);
	wr(cmos, 0x0b, 0x22);
	tap_equal(host.alarm, NOW + 70);
	time_is(cmos, NOW + 69);
	tap_check(!host.level);
	time_is(cmos, NOW + 70);
	tap_check(host.level);
	tap_equal(rd(cmos, 0x0c), 0xa0);
	tap_check(!host.level);
	tap_equal(rd(cmos, 0x0c), 0);
	/* The same time tomorrow. */
	tap_equal(host.alarm, NOW + 70 + 86400);
	/* Each minute, by "don't care" fields. */
	wr(cmos, 3, 0xff);
	wr(cmos, 5, 0xc0);
	tap_equal(host.alarm, NOW + 130);
	/* The interrupt is disabled. */
	wr(cmos, 0x0b, 0x02);
	tap_equal(host.alarm, 0);
	/* An invalid time. */
	wr(cmos, 1, 0x61);
	wr(cmos, 0x0b, 0x22);
	tap_equal(host.alarm, 0);
}

/* The host's clock is set while an alarm is pending, and while the VM is paused. */
static void alarms_follow_the_host(void)
{
	struct vmm_cmos *cmos = cmos_new();

	wr(cmos, 1, 0x30);
	wr(cmos, 3, 0xff);
	wr(cmos, 5, 0xff);
	wr(cmos, 0x0b, 0x22);
	tap_equal(host.alarm, NOW + 10);
	host.now = NOW - 3600;
	vmm_cmos_due(cmos);
	tap_check(!host.level);
	tap_equal(host.alarm, NOW - 3600 + 10);
	vmm_cmos_pause(cmos, true);
	tap_equal(host.alarm, 0);
	host.now = NOW;
	vmm_cmos_due(cmos);
	tap_check(!host.level);
	vmm_cmos_pause(cmos, false);
	tap_check(host.alarm);
}

static void bytes_are_kept(void)
{
	struct vmm_cmos *cmos = cmos_new();
	unsigned int i;

	for (i = 0x0e; i < 0x80; i++) {
		if (i != 0x32)
			wr(cmos, i, i ^ 0x55);
	}
	for (i = 0x0e; i < 0x80; i++) {
		if (i != 0x32)
			tap_equal(rd(cmos, i), i ^ 0x55);
	}
	wr(cmos, 0x0d, 0);
	tap_equal(rd(cmos, 0x0d), 0x80);
	wr(cmos, 0x0a, 0xff);
	tap_equal(rd(cmos, 0x0a), 0x7f);
	vmm_cmos_reset(cmos);
	tap_equal(rd(cmos, 0x40), 0);
	tap_equal(rd(cmos, 0x0a), 0x26);
}

static const struct tap_case cases[] = {
	{ "it shows the host's time", it_shows_the_hosts_time },
	{ "it shows it in all four forms", it_has_other_forms },
	{ "it can be set, and goes on", it_can_be_set },
	{ "impossible times are survived", impossible_times_are_survived },
	{ "alarms interrupt", alarms_interrupt },
	{ "alarms follow the host's clock", alarms_follow_the_host },
	{ "bytes are kept", bytes_are_kept },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
