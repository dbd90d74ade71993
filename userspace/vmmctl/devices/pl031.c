// SPDX-License-Identifier: GPL-2.0-only
/*
 * PL031: a clock that counts seconds, with an alarm. It shows the host's time until the guest
 * sets it; then it keeps the difference to the host's time. It always runs: a guest need not
 * start it, and cannot stop it.
 *
 * The alarm is stored in host time, so it is not missed if the host's clock is set forward
 * past it.
 *
 * Source: ARM DDI 0224 (PrimeCell Real Time Clock PL031), register map and 3.3 for the
 * identification registers.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "devices/clock.h"
#include "devices/devices.h"
#include "host/host.h"

#define RTC_DR		0x00
#define RTC_MR		0x04
#define RTC_LR		0x08
#define RTC_CR		0x0c
#define RTC_IMSC	0x10
#define RTC_RIS		0x14
#define RTC_MIS		0x18
#define RTC_ICR		0x1c
#define RTC_PERIPH_ID0	0xfe0

#define CR_RUNS		1
#define INT_ALARM	1

#define DUE_BITS	40	/* of a second of the host's clock, at most */

/* Peripheral and PrimeCell identification, one byte per register. */
static const u8 rtc_id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

static void rtc_update_locked(struct vmm_pl031 *rtc)
{
	bool level = rtc->ris & rtc->imsc;

	if (level == rtc->level)
		return;
	rtc->level = level;
	rtc->irq(rtc->arg, level);
}

/* The guest's time, which wraps as the device's 32 bits do. */
static u32 rtc_count(const struct vmm_pl031 *rtc)
{
	return (u32)rtc->now(rtc->arg) + rtc->offset;
}

static void rtc_wait_locked(struct vmm_pl031 *rtc)
{
	rtc->alarm(rtc->arg, rtc->paused ? 0 : rtc->due);
}

/* Computes the next match after the time or the alarm was set. */
static void rtc_match_locked(struct vmm_pl031 *rtc)
{
	s64 now = rtc->now(rtc->arg);
	u32 left = rtc->match - ((u32)now + rtc->offset);

	rtc->due = left ? now + left : 0;
	if (!left)
		rtc->ris = INT_ALARM;
	rtc_wait_locked(rtc);
}

static u32 rtc_read_locked(const struct vmm_pl031 *rtc, u32 offset)
{
	switch (offset) {
	case RTC_DR:
		return rtc_count(rtc);
	case RTC_MR:
		return rtc->match;
	case RTC_LR:
		return rtc->load;
	case RTC_CR:
		return CR_RUNS;
	case RTC_IMSC:
		return rtc->imsc;
	case RTC_RIS:
		return rtc->ris;
	case RTC_MIS:
		return rtc->ris & rtc->imsc;
	default:
		return 0;
	}
}

static void rtc_write_locked(struct vmm_pl031 *rtc, u32 offset, u32 value)
{
	switch (offset) {
	case RTC_MR:
		rtc->match = value;
		rtc_match_locked(rtc);
		break;
	case RTC_LR:
		rtc->load = value;
		rtc->offset = value - (u32)rtc->now(rtc->arg);
		rtc_match_locked(rtc);
		break;
	case RTC_IMSC:
		rtc->imsc = value & INT_ALARM;
		break;
	case RTC_ICR:
		rtc->ris &= ~value;
		break;
	default:
		return;
	}
	rtc_update_locked(rtc);
}

static void rtc_clear_locked(struct vmm_pl031 *rtc)
{
	rtc->offset = 0;
	rtc->match = 0;
	rtc->load = 0;
	rtc->imsc = 0;
	rtc->ris = 0;
	rtc->due = 0;
	rtc_wait_locked(rtc);
	rtc_update_locked(rtc);
}

/**
 * vmm_pl031_init - make a clock in its reset state
 * @rtc: callbacks are set, all other members are zero
 */
void vmm_pl031_init(struct vmm_pl031 *rtc)
{
	pthread_mutex_init(&rtc->lock, NULL);
}

/**
 * vmm_pl031_reset - put a clock into its reset state: it shows the host's time
 * @rtc: the clock; it may be paused and stays so
 */
void vmm_pl031_reset(struct vmm_pl031 *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	rtc_clear_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_pl031_read - answer a guest read
 * @rtc: the clock
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_pl031_read(struct vmm_pl031 *rtc, u32 offset)
{
	u32 value;

	if (offset >= RTC_PERIPH_ID0)
		return offset & 3 ? 0 : rtc_id[(offset - RTC_PERIPH_ID0) / 4 % sizeof(rtc_id)];
	pthread_mutex_lock(&rtc->lock);
	value = rtc_read_locked(rtc, offset);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

/**
 * vmm_pl031_write - take a guest write
 * @rtc: the clock
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_pl031_write(struct vmm_pl031 *rtc, u32 offset, u32 value)
{
	pthread_mutex_lock(&rtc->lock);
	rtc_write_locked(rtc, offset, value);
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_pl031_due - the host's clock may have reached the alarm
 * @rtc: the clock
 *
 * Context: any thread.
 */
void vmm_pl031_due(struct vmm_pl031 *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	if (!rtc->paused && rtc->due && rtc->now(rtc->arg) >= rtc->due) {
		rtc->due = 0;
		rtc->ris = INT_ALARM;
		rtc_update_locked(rtc);
	} else {
		/* The host's clock was set back meanwhile: wait again. */
		rtc_wait_locked(rtc);
	}
	pthread_mutex_unlock(&rtc->lock);
}

/**
 * vmm_pl031_pause - stop raising alarms, or continue; the clock runs on
 * @rtc: the clock
 * @paused: true to pause; false to continue, and to raise an alarm that was due meanwhile
 */
void vmm_pl031_pause(struct vmm_pl031 *rtc, bool paused)
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
	struct vmm_pl031 rtc;
	struct vmm_clock host;
};

static void clock_due(void *arg)
{
	vmm_pl031_due(arg);
}

static void pl031_destroy(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_clock_close(&clock->host);
	pthread_mutex_destroy(&clock->rtc.lock);
	free(clock);
}

static int pl031_create(struct vmm_device *dev)
{
	struct clock *clock = calloc(1, sizeof(*clock));
	int err;

	if (!clock)
		return vmm_error(ENOMEM, "pl031");
	clock->rtc.irq = vmm_clock_irq;
	clock->rtc.now = vmm_clock_seconds;
	clock->rtc.alarm = vmm_clock_at_second;
	clock->rtc.arg = &clock->host;
	vmm_pl031_init(&clock->rtc);
	dev->state = clock;
	err = vmm_clock_open(&clock->host, dev, clock_due, &clock->rtc);
	if (err)
		pl031_destroy(dev);
	return err;
}

static void pl031_reset(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_pl031_reset(&clock->rtc);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 pl031_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct clock *clock = dev->state;

	(void)len;
	return vmm_pl031_read(&clock->rtc, offset);
}

static void pl031_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct clock *clock = dev->state;

	(void)len;
	vmm_pl031_write(&clock->rtc, offset, value);
}

static void pl031_pause(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_pl031_pause(&clock->rtc, true);
}

static void pl031_resume(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_pl031_pause(&clock->rtc, false);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_REGS = 1,	/* offset, match, load, mask, raw interrupt */
	STATE_DUE,	/* second of the host's clock, or 0 */
};

#define STATE_VERSION	1

static int pl031_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_pl031 *rtc = &clock->rtc;
	__le32 regs[5];
	__le64 due;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&rtc->lock);
	regs[0] = htole32(rtc->offset);
	regs[1] = htole32(rtc->match);
	regs[2] = htole32(rtc->load);
	regs[3] = htole32(rtc->imsc);
	regs[4] = htole32(rtc->ris);
	due = htole64(rtc->due);
	pthread_mutex_unlock(&rtc->lock);
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_put(state, STATE_DUE, &due, sizeof(due));
	return vmm_state_end(state);
}

/* Refuses a state that no guest write can lead to. */
static bool state_is_possible(const __le32 regs[5], u64 due)
{
	if (le32toh(regs[3]) & ~INT_ALARM || le32toh(regs[4]) & ~INT_ALARM)
		return false;
	if (!due)
		return true;
	return !(due >> DUE_BITS) && (u32)due + le32toh(regs[0]) == le32toh(regs[1]);
}

static int pl031_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_pl031 *rtc = &clock->rtc;
	__le32 regs[5];
	__le64 due;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_get(state, STATE_DUE, &due, sizeof(due));
	err = vmm_state_close(state);
	if (!err && !state_is_possible(regs, le64toh(due)))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&rtc->lock);
	rtc->offset = le32toh(regs[0]);
	rtc->match = le32toh(regs[1]);
	rtc->load = le32toh(regs[2]);
	rtc->imsc = le32toh(regs[3]);
	rtc->ris = le32toh(regs[4]);
	rtc->due = le64toh(due);
	rtc_wait_locked(rtc);
	rtc_update_locked(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return 0;
}

static void pl031_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "pl031",
		.compatible = { "arm,pl031", "arm,primecell" },
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
		.clocks = { "apb_pclk" },
	};

	visitor->device(visitor, &description);
}

static void pl031_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct clock *clock = dev->state;

	vmm_clock_stats(&clock->host, report);
}

/** The guest's wall clock. */
const struct vmm_device_ops vmm_pl031_ops = {
	.name = "pl031",
	.create = pl031_create,
	.reset = pl031_reset,
	.destroy = pl031_destroy,
	.read = pl031_read,
	.write = pl031_write,
	.pause = pl031_pause,
	.resume = pl031_resume,
	.save = pl031_save,
	.load = pl031_load,
	.describe = pl031_describe,
	.stats = pl031_stats,
};
