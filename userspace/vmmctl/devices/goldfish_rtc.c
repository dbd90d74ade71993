// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish clock, the current generation: nanoseconds, an alarm, an interrupt. It shows the
 * host's time until the guest sets it, where the reference begins with 1970; then it keeps
 * the difference to the host's time, and so does the alarm.
 *
 * An older generation has other registers under the same name. None of the boards has it:
 * only the emulator's MIPS board did.
 *
 * Source: platform_external_qemu hw/timer/goldfish_timer.c (86335c2608c7); Linux 6.12
 * include/clocksource/timer-goldfish.h for the names.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/clock.h"
#include "devices/devices.h"
#include "devices/goldfish.h"

#define REG_TIME_LOW		0x00
#define REG_TIME_HIGH		0x04
#define REG_ALARM_LOW		0x08
#define REG_ALARM_HIGH		0x0c
#define REG_IRQ_ENABLED		0x10
#define REG_CLEAR_ALARM		0x14
#define REG_ALARM_STATUS	0x18
#define REG_CLEAR_INTERRUPT	0x1c

static void rtc_update_locked(struct vmm_goldfish_rtc *rtc)
{
	if (rtc->raised == rtc->level)
		return;
	rtc->level = rtc->raised;
	rtc->irq(rtc->arg, rtc->level);
}

/* The guest's time, whose 64 bits wrap. */
static u64 rtc_time(const struct vmm_goldfish_rtc *rtc)
{
	return (u64)rtc->now(rtc->arg) + rtc->offset;
}

static void rtc_wait_locked(struct vmm_goldfish_rtc *rtc)
{
	rtc->alarm(rtc->arg, rtc->paused ? 0 : rtc->due);
}

static void rtc_disarm_locked(struct vmm_goldfish_rtc *rtc)
{
	rtc->armed = false;
	rtc->due = 0;
	rtc_wait_locked(rtc);
}

/* Host times are signed: an alarm beyond the last one is set to the last one. */
static void rtc_arm_locked(struct vmm_goldfish_rtc *rtc)
{
	u64 time = rtc_time(rtc);

	if ((s64)rtc->match <= (s64)time) {
		rtc_disarm_locked(rtc);
		rtc->raised |= rtc->enabled;
		return;
	}
	rtc->armed = true;
	if (__builtin_add_overflow(rtc->now(rtc->arg), rtc->match - time, &rtc->due))
		rtc->due = INT64_MAX;
	rtc_wait_locked(rtc);
}

static u32 rtc_read_locked(struct vmm_goldfish_rtc *rtc, u32 offset)
{
	switch (offset) {
	case REG_TIME_LOW:
		rtc->latch = rtc_time(rtc);
		return rtc->latch;
	case REG_TIME_HIGH:
		return rtc->latch >> 32;
	case REG_ALARM_LOW:
		return rtc->match;
	case REG_ALARM_HIGH:
		return rtc->match >> 32;
	case REG_ALARM_STATUS:
		return rtc->armed;
	default:
		return 0;
	}
}

static void rtc_write_locked(struct vmm_goldfish_rtc *rtc, u32 offset, u32 value)
{
	switch (offset) {
	case REG_TIME_LOW:
		rtc->offset = ((u64)rtc->set_high << 32 | value) - (u64)rtc->now(rtc->arg);
		if (rtc->armed)
			rtc_arm_locked(rtc);
		break;
	case REG_TIME_HIGH:
		rtc->set_high = value;
		break;
	case REG_ALARM_LOW:
		rtc->match = (rtc->match & ~0xffffffffULL) | value;
		rtc_arm_locked(rtc);
		rtc->enabled |= rtc->armed;
		break;
	case REG_ALARM_HIGH:
		rtc->match = (rtc->match & 0xffffffff) | (u64)value << 32;
		break;
	case REG_IRQ_ENABLED:
		rtc->enabled = value;
		break;
	case REG_CLEAR_ALARM:
		rtc_disarm_locked(rtc);
		rtc->raised = false;
		break;
	case REG_CLEAR_INTERRUPT:
		rtc->raised = false;
		break;
	}
	rtc_update_locked(rtc);
}

/**
 * vmm_goldfish_rtc_init - make a clock in its reset state
 * @rtc: callbacks are set, all other members are zero
 */
void vmm_goldfish_rtc_init(struct vmm_goldfish_rtc *rtc)
{
	pthread_mutex_init(&rtc->lock, NULL);
}

/**
 * vmm_goldfish_rtc_reset - put a clock into its reset state: it shows the host's time
 * @rtc: the clock; it may be paused and stays so
 */
void vmm_goldfish_rtc_reset(struct vmm_goldfish_rtc *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	rtc->latch = 0;
	rtc->set_high = 0;
	rtc->offset = 0;
	rtc->match = 0;
	rtc->enabled = false;
	rtc->raised = false;
	rtc_disarm_locked(rtc);
	rtc_update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_goldfish_rtc_read - answer a guest read
 * @rtc: the clock
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_goldfish_rtc_read(struct vmm_goldfish_rtc *rtc, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&rtc->lock);
	value = rtc_read_locked(rtc, offset);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

/**
 * vmm_goldfish_rtc_write - take a guest write
 * @rtc: the clock
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_goldfish_rtc_write(struct vmm_goldfish_rtc *rtc, u32 offset, u32 value)
{
	pthread_mutex_lock(&rtc->lock);
	rtc_write_locked(rtc, offset, value);
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_goldfish_rtc_due - the host's clock may have reached the alarm
 * @rtc: the clock
 *
 * Context: any thread.
 */
void vmm_goldfish_rtc_due(struct vmm_goldfish_rtc *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	/* If the clock was set back meanwhile, the alarm is not due yet. */
	if (rtc->armed && !rtc->paused)
		rtc_arm_locked(rtc);
	rtc_update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_goldfish_rtc_pause - stop raising alarms, or continue; the clock runs on
 * @rtc: the clock
 * @paused: true to pause; false to continue, and to raise an alarm that was due meanwhile
 */
void vmm_goldfish_rtc_pause(struct vmm_goldfish_rtc *rtc, bool paused)
{
	pthread_mutex_lock(&rtc->lock);
	rtc->paused = paused;
	rtc_wait_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/* ---- the device on the board ---- */

/**
 * struct clock - the model and the host's clock
 * @rtc: the model
 * @host: the host's clock, whose timer is the alarm
 */
struct clock {
	struct vmm_goldfish_rtc rtc;
	struct vmm_clock host;
};

static void clock_due(void *arg)
{
	vmm_goldfish_rtc_due(arg);
}

static void rtc_destroy(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_clock_close(&clock->host);
	pthread_mutex_destroy(&clock->rtc.lock);
	free(clock);
}

static int rtc_create(struct vmm_device *dev)
{
	struct clock *clock = calloc(1, sizeof(*clock));
	int err;

	if (!clock)
		return vmm_error(ENOMEM, "rtc");
	clock->rtc.irq = vmm_clock_irq;
	clock->rtc.now = vmm_clock_ns;
	clock->rtc.alarm = vmm_clock_at_ns;
	clock->rtc.arg = &clock->host;
	vmm_goldfish_rtc_init(&clock->rtc);
	dev->state = clock;
	err = vmm_clock_open(&clock->host, dev, clock_due, &clock->rtc);
	if (err)
		rtc_destroy(dev);
	return err;
}

static void rtc_reset(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_goldfish_rtc_reset(&clock->rtc);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 rtc_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct clock *clock = dev->state;

	(void)len;
	return vmm_goldfish_rtc_read(&clock->rtc, offset);
}

static void rtc_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct clock *clock = dev->state;

	(void)len;
	vmm_goldfish_rtc_write(&clock->rtc, offset, value);
}

static void rtc_pause(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_goldfish_rtc_pause(&clock->rtc, true);
}

static void rtc_resume(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_goldfish_rtc_pause(&clock->rtc, false);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_TIMES = 1,	/* latch, offset, alarm */
	STATE_REGS,		/* upper half of a time being set, armed, enabled, raised */
};

#define STATE_VERSION	1

static int rtc_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_goldfish_rtc *rtc = &clock->rtc;
	__le64 times[3];
	__le32 regs[4];
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&rtc->lock);
	times[0] = htole64(rtc->latch);
	times[1] = htole64(rtc->offset);
	times[2] = htole64(rtc->match);
	regs[0] = htole32(rtc->set_high);
	regs[1] = htole32(rtc->armed);
	regs[2] = htole32(rtc->enabled);
	regs[3] = htole32(rtc->raised);
	pthread_mutex_unlock(&rtc->lock);
	vmm_state_put(state, STATE_TIMES, times, sizeof(times));
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	return vmm_state_end(state);
}

static int rtc_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_goldfish_rtc *rtc = &clock->rtc;
	__le64 times[3];
	__le32 regs[4];
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_TIMES, times, sizeof(times));
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	err = vmm_state_close(state);
	if (!err && (le32toh(regs[1]) | le32toh(regs[2]) | le32toh(regs[3])) > 1)
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&rtc->lock);
	rtc->latch = le64toh(times[0]);
	rtc->offset = le64toh(times[1]);
	rtc->match = le64toh(times[2]);
	rtc->set_high = le32toh(regs[0]);
	rtc->enabled = le32toh(regs[2]);
	rtc->raised = le32toh(regs[3]);
	rtc_disarm_locked(rtc);
	rtc->armed = le32toh(regs[1]);
	if (rtc->armed) {
		/* An alarm that was due meanwhile is raised when the device is resumed. */
		rtc->due = rtc->now(rtc->arg) + 1;
		if ((s64)rtc->match > (s64)rtc_time(rtc))
			rtc_arm_locked(rtc);
		rtc_wait_locked(rtc);
	}
	rtc_update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return 0;
}

static void rtc_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_rtc", .compatible = { "google,goldfish-rtc" },
		.hid = "GFSH0007", .name = "GFRT", .text = "goldfish rtc", .by_compatible = true,
	});
}

static void rtc_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct clock *clock = dev->state;

	vmm_clock_stats(&clock->host, report);
}

/** The clock of the goldfish family. */
const struct vmm_device_ops vmm_goldfish_rtc_ops = {
	.name = "rtc",
	.create = rtc_create,
	.reset = rtc_reset,
	.destroy = rtc_destroy,
	.read = rtc_read,
	.write = rtc_write,
	.pause = rtc_pause,
	.resume = rtc_resume,
	.save = rtc_save,
	.load = rtc_load,
	.describe = rtc_describe,
	.stats = rtc_stats,
};
