// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish clock's registers, as a driver uses them, with a fake host's clock.
 */
#include <string.h>

#include "devices/goldfish.h"
#include "tests/tap.h"

#define TIME_LOW	0x00
#define TIME_HIGH	0x04
#define ALARM_LOW	0x08
#define ALARM_HIGH	0x0c
#define IRQ_ENABLED	0x10
#define CLEAR_ALARM	0x14
#define ALARM_STATUS	0x18
#define CLEAR_INTERRUPT	0x1c

#define NOW	1790000000123456789LL	/* September 2026 */

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
	tap_check(at >= 0);
	host.alarm = at;
}

static struct vmm_goldfish_rtc *rtc_new(void)
{
	static struct vmm_goldfish_rtc rtc;

	memset(&host, 0, sizeof(host));
	host.now = NOW;
	rtc = (struct vmm_goldfish_rtc){ .irq = on_irq, .now = on_now, .alarm = on_alarm };
	vmm_goldfish_rtc_init(&rtc);
	return &rtc;
}

static void wr(struct vmm_goldfish_rtc *rtc, u32 offset, u32 value)
{
	vmm_goldfish_rtc_write(rtc, offset, value);
}

static u64 time_of(struct vmm_goldfish_rtc *rtc)
{
	u64 low = vmm_goldfish_rtc_read(rtc, TIME_LOW);

	return (u64)vmm_goldfish_rtc_read(rtc, TIME_HIGH) << 32 | low;
}

static void pair(struct vmm_goldfish_rtc *rtc, u32 high, u64 value)
{
	wr(rtc, high, value >> 32);
	wr(rtc, high - 4, value);
}

/* Sets the host's clock; the host's timer expires if it is due. */
static void time_is(struct vmm_goldfish_rtc *rtc, s64 now)
{
	host.now = now;
	if (host.alarm && now >= host.alarm) {
		host.alarm = 0;
		vmm_goldfish_rtc_due(rtc);
	}
}

static void it_shows_the_hosts_time(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	tap_equal(vmm_goldfish_rtc_read(rtc, TIME_HIGH), 0);
	tap_equal(time_of(rtc), NOW);
	/* Both halves are of the same time. */
	tap_equal(vmm_goldfish_rtc_read(rtc, TIME_LOW), (u32)NOW);
	host.now += 1LL << 40;
	tap_equal(vmm_goldfish_rtc_read(rtc, TIME_HIGH), NOW >> 32);
	tap_equal(time_of(rtc), NOW + (1LL << 40));
}

static void it_keeps_what_was_set(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	pair(rtc, TIME_HIGH, 1000000000000000000);
	tap_equal(time_of(rtc), 1000000000000000000);
	host.now += 5;
	tap_equal(time_of(rtc), 1000000000000000005);
	vmm_goldfish_rtc_reset(rtc);
	tap_equal(time_of(rtc), NOW + 5);
}

static void an_alarm_interrupts_once(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	pair(rtc, ALARM_HIGH, NOW + 1000);
	wr(rtc, IRQ_ENABLED, 1);
	tap_equal(host.alarm, NOW + 1000);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_STATUS), 1);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_LOW), (u32)(NOW + 1000));
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_HIGH), (NOW + 1000) >> 32);
	time_is(rtc, NOW + 999);
	tap_check(!host.level);
	time_is(rtc, NOW + 1000);
	tap_check(host.level);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_STATUS), 0);
	wr(rtc, CLEAR_INTERRUPT, 1);
	tap_check(!host.level);
	time_is(rtc, NOW + 5000);
	tap_equal(host.edges, 2);
}

/* As specified: arming enables the alarm; one in the past only if it was enabled before. */
static void arming_enables(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	pair(rtc, ALARM_HIGH, NOW - 1);
	tap_check(!host.level);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_STATUS), 0);
	wr(rtc, IRQ_ENABLED, 5);
	pair(rtc, ALARM_HIGH, NOW);
	tap_check(host.level);
	/* Only these two registers lower the line. */
	wr(rtc, IRQ_ENABLED, 0);
	tap_check(host.level);
	wr(rtc, CLEAR_ALARM, 1);
	tap_check(!host.level);
	pair(rtc, ALARM_HIGH, NOW + 10);
	time_is(rtc, NOW + 10);
	tap_check(host.level);
	wr(rtc, CLEAR_INTERRUPT, 0);
	/* An alarm that was disabled after arming does not interrupt. */
	pair(rtc, ALARM_HIGH, NOW + 20);
	wr(rtc, IRQ_ENABLED, 0);
	time_is(rtc, NOW + 20);
	tap_check(!host.level);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_STATUS), 0);
	pair(rtc, ALARM_HIGH, NOW + 30);
	wr(rtc, CLEAR_ALARM, 1);
	tap_equal(host.alarm, 0);
	tap_equal(vmm_goldfish_rtc_read(rtc, ALARM_STATUS), 0);
}

static void an_alarm_follows_the_time(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	pair(rtc, TIME_HIGH, 5000);
	pair(rtc, ALARM_HIGH, 6000);
	tap_equal(host.alarm, NOW + 1000);
	pair(rtc, TIME_HIGH, 5900);
	tap_equal(host.alarm, NOW + 100);
	/* The host's clock is set back as its timer expires. */
	host.now = NOW - 1;
	vmm_goldfish_rtc_due(rtc);
	tap_check(!host.level);
	tap_equal(host.alarm, NOW + 100);
	pair(rtc, TIME_HIGH, 7000);
	tap_check(host.level);
	/* A time in the far future. */
	wr(rtc, CLEAR_INTERRUPT, 0);
	pair(rtc, TIME_HIGH, 0x8000000000000000);
	pair(rtc, ALARM_HIGH, 0x7fffffffffffffff);
	tap_equal(host.alarm, INT64_MAX);
	vmm_goldfish_rtc_reset(rtc);
	tap_equal(host.alarm, 0);
}

static void a_paused_clock_raises_no_alarm(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();

	pair(rtc, ALARM_HIGH, NOW + 5);
	vmm_goldfish_rtc_pause(rtc, true);
	tap_equal(host.alarm, 0);
	time_is(rtc, NOW + 60);
	vmm_goldfish_rtc_due(rtc);
	tap_check(!host.level);
	tap_equal(time_of(rtc), NOW + 60);
	vmm_goldfish_rtc_pause(rtc, false);
	tap_equal(host.alarm, NOW + 5);
	time_is(rtc, NOW + 60);
	tap_check(host.level);
}

static void other_offsets_are_harmless(void)
{
	struct vmm_goldfish_rtc *rtc = rtc_new();
	u32 offset;

	for (offset = 0x20; offset < 0x1000; offset++) {
		wr(rtc, offset, ~0U);
		tap_equal(vmm_goldfish_rtc_read(rtc, offset), 0);
	}
	tap_equal(vmm_goldfish_rtc_read(rtc, IRQ_ENABLED), 0);
	tap_equal(vmm_goldfish_rtc_read(rtc, CLEAR_INTERRUPT), 0);
	tap_equal(host.edges, 0);
	tap_equal(time_of(rtc), NOW);
}

static const struct tap_case cases[] = {
	{ "it shows the host's time", it_shows_the_hosts_time },
	{ "it keeps what was set", it_keeps_what_was_set },
	{ "an alarm interrupts once", an_alarm_interrupts_once },
	{ "arming an alarm enables it", arming_enables },
	{ "an alarm follows the time", an_alarm_follows_the_time },
	{ "a paused clock raises no alarm", a_paused_clock_raises_no_alarm },
	{ "other offsets are harmless", other_offsets_are_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
