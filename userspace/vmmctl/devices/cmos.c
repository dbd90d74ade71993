// SPDX-License-Identifier: GPL-2.0-only
/*
 * MC146818: a PC's clock, behind an index and a data port, with an alarm and CMOS RAM. It
 * shows the host's time (UTC) until the guest sets it; then it keeps the difference to the
 * host's time. It always runs.
 *
 * There are no periodic interrupts: no driver of a virtual machine's guest needs them.
 *
 * Source: MC146818A data sheet (Motorola); the century register is the one that the FADT
 * names.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/clock.h"
#include "devices/devices.h"
#include "devices/pc.h"
#include "host/host.h"

#define PORT_INDEX	0
#define PORT_DATA	1

#define REG_SECOND	0x00
#define REG_SECOND_AT	0x01	/* of the alarm */
#define REG_MINUTE	0x02
#define REG_MINUTE_AT	0x03
#define REG_HOUR	0x04
#define REG_HOUR_AT	0x05
#define REG_WEEKDAY	0x06
#define REG_DAY		0x07
#define REG_MONTH	0x08
#define REG_YEAR	0x09
#define REG_A		0x0a
#define REG_B		0x0b
#define REG_C		0x0c
#define REG_D		0x0d
#define REG_CENTURY	VMM_CMOS_CENTURY

#define A_RESET		0x26	/* 32768 Hz */
#define A_KEEP		0x7f
#define B_24_HOURS	(1 << 1)
#define B_BINARY	(1 << 2)
#define B_ALARM_IRQ	(1 << 5)
#define B_SET		(1 << 7)
#define C_ALARM		(1 << 5)
#define C_IRQ		(1 << 7)
#define D_VALID		0x80
#define HOUR_PM		0x80
#define ANY		0xc0	/* an alarm register with both bits set matches any value */

#define DAY_SECONDS	86400

static void cmos_update_locked(struct vmm_cmos *cmos)
{
	bool level = cmos->alarmed && cmos->ram[REG_B] & B_ALARM_IRQ;

	if (level == cmos->level)
		return;
	cmos->level = level;
	cmos->irq(cmos->arg, level);
}

static s64 cmos_time(const struct vmm_cmos *cmos)
{
	return cmos->now(cmos->arg) + cmos->offset;
}

static u8 encode(const struct vmm_cmos *cmos, unsigned int value)
{
	return cmos->ram[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10;
}

static unsigned int decode(const struct vmm_cmos *cmos, u8 byte)
{
	return cmos->ram[REG_B] & B_BINARY ? byte : (byte >> 4) * 10U + (byte & 0xf);
}

static u8 encode_hour(const struct vmm_cmos *cmos, unsigned int hour)
{
	unsigned int twelve = hour % 12 ? hour % 12 : 12;

	if (cmos->ram[REG_B] & B_24_HOURS)
		return encode(cmos, hour);
	return encode(cmos, twelve) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned int decode_hour(const struct vmm_cmos *cmos, u8 byte)
{
	if (cmos->ram[REG_B] & B_24_HOURS)
		return decode(cmos, byte);
	return decode(cmos, byte & ~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

/* Writes the time into its registers. */
static void time_show_locked(struct vmm_cmos *cmos)
{
	time_t now = cmos_time(cmos);
	struct tm tm;

	/* While the guest sets the time, it reads back what it has written. */
	if (cmos->ram[REG_B] & B_SET || !gmtime_r(&now, &tm))
		return;
	cmos->ram[REG_SECOND] = encode(cmos, tm.tm_sec);
	cmos->ram[REG_MINUTE] = encode(cmos, tm.tm_min);
	cmos->ram[REG_HOUR] = encode_hour(cmos, tm.tm_hour);
	cmos->ram[REG_WEEKDAY] = encode(cmos, tm.tm_wday + 1);
	cmos->ram[REG_DAY] = encode(cmos, tm.tm_mday);
	cmos->ram[REG_MONTH] = encode(cmos, tm.tm_mon + 1);
	cmos->ram[REG_YEAR] = encode(cmos, (tm.tm_year + 1900) % 100);
	cmos->ram[REG_CENTURY] = encode(cmos, (tm.tm_year + 1900) / 100 % 100);
}

/* Sets the time from its registers; mktime() normalises impossible dates. */
static void time_set_locked(struct vmm_cmos *cmos)
{
	struct tm tm = {
		.tm_sec = decode(cmos, cmos->ram[REG_SECOND]),
		.tm_min = decode(cmos, cmos->ram[REG_MINUTE]),
		.tm_hour = decode_hour(cmos, cmos->ram[REG_HOUR]),
		.tm_mday = decode(cmos, cmos->ram[REG_DAY]),
		.tm_mon = (int)decode(cmos, cmos->ram[REG_MONTH]) - 1,
		.tm_year = (int)(decode(cmos, cmos->ram[REG_CENTURY]) * 100 +
				 decode(cmos, cmos->ram[REG_YEAR])) - 1900,
	};

	cmos->offset = timegm(&tm) - cmos->now(cmos->arg);
}

static bool field_fits(u8 field, unsigned int value, unsigned int wanted)
{
	return (field & ANY) == ANY || value == wanted;
}

/* Seconds until the alarm matches, at most a day; 0 for never. */
static unsigned int alarm_left(const struct vmm_cmos *cmos)
{
	const u8 *ram = cmos->ram;
	unsigned int second = decode(cmos, ram[REG_SECOND_AT]);
	unsigned int minute = decode(cmos, ram[REG_MINUTE_AT]);
	unsigned int hour = decode_hour(cmos, ram[REG_HOUR_AT]);
	s64 now = cmos_time(cmos);
	unsigned int today = (now % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS;
	unsigned int left;

	for (left = 1; left <= DAY_SECONDS; left++) {
		unsigned int at = (today + left) % DAY_SECONDS;

		if (field_fits(ram[REG_HOUR_AT], at / 3600, hour) &&
		    field_fits(ram[REG_MINUTE_AT], at / 60 % 60, minute) &&
		    field_fits(ram[REG_SECOND_AT], at % 60, second))
			return left;
	}
	return 0;
}

/* Sets the next alarm; called when the time, the alarm or its interrupt enable changed. */
static void alarm_wait_locked(struct vmm_cmos *cmos)
{
	unsigned int left = 0;

	if (cmos->ram[REG_B] & B_ALARM_IRQ && !(cmos->ram[REG_B] & B_SET))
		left = alarm_left(cmos);
	cmos->due = left ? cmos->now(cmos->arg) + left : 0;
	cmos->alarm(cmos->arg, cmos->paused ? 0 : cmos->due);
}

static void cmos_clear(struct vmm_cmos *cmos)
{
	memset(cmos->ram, 0, sizeof(cmos->ram));
	cmos->ram[REG_A] = A_RESET;
	cmos->ram[REG_B] = B_24_HOURS;
	cmos->index = 0;
	cmos->offset = 0;
	cmos->due = 0;
	cmos->alarmed = false;
}

/**
 * vmm_cmos_init - make a clock in its reset state
 * @cmos: callbacks are set, all other members are zero
 */
void vmm_cmos_init(struct vmm_cmos *cmos)
{
	pthread_mutex_init(&cmos->lock, NULL);
	cmos_clear(cmos);
}

/**
 * vmm_cmos_reset - put a clock into its reset state: it shows the host's time
 * @cmos: the clock; it may be paused and stays so
 */
void vmm_cmos_reset(struct vmm_cmos *cmos)
{
	pthread_mutex_lock(&cmos->lock);
	cmos_clear(cmos);
	alarm_wait_locked(cmos);
	cmos_update_locked(cmos);
	pthread_mutex_unlock(&cmos->lock);
}

static u8 data_read_locked(struct vmm_cmos *cmos)
{
	u8 flags;

	switch (cmos->index) {
	case REG_A:
		return cmos->ram[REG_A];
	case REG_C:
		flags = cmos->alarmed ? C_ALARM | (cmos->level ? C_IRQ : 0) : 0;
		cmos->alarmed = false;
		cmos_update_locked(cmos);
		return flags;
	case REG_D:
		return D_VALID;
	default:
		time_show_locked(cmos);
		return cmos->ram[cmos->index];
	}
}

static bool is_time(u8 index)
{
	return index == REG_SECOND || index == REG_MINUTE || index == REG_HOUR ||
	       (index >= REG_WEEKDAY && index <= REG_YEAR) || index == REG_CENTURY;
}

static void data_write_locked(struct vmm_cmos *cmos, u8 value)
{
	u8 before = cmos->ram[REG_B];

	time_show_locked(cmos);
	switch (cmos->index) {
	case REG_A:
		cmos->ram[REG_A] = value & A_KEEP;
		return;
	case REG_C:
	case REG_D:
		return;
	case REG_B:
		/*
		 * The guest has finished setting the time: read it in the format that it was
		 * written in.
		 */
		if (before & B_SET && !(value & B_SET))
			time_set_locked(cmos);
		cmos->ram[REG_B] = value;
		break;
	default:
		cmos->ram[cmos->index] = value;
		if (is_time(cmos->index) && !(before & B_SET))
			time_set_locked(cmos);
		break;
	}
	alarm_wait_locked(cmos);
	cmos_update_locked(cmos);
}

/**
 * vmm_cmos_read - answer a guest read
 * @cmos: the clock
 * @port: 0 for the index, which cannot be read, 1 for the data
 *
 * Context: any thread.
 * Return: the byte
 */
u8 vmm_cmos_read(struct vmm_cmos *cmos, u32 port)
{
	u8 value = 0xff;

	if (port != PORT_DATA)
		return value;
	pthread_mutex_lock(&cmos->lock);
	value = data_read_locked(cmos);
	pthread_mutex_unlock(&cmos->lock);
	return value;
}

/**
 * vmm_cmos_write - take a guest write
 * @cmos: the clock
 * @port: 0 for the index, 1 for the data
 * @value: the byte
 *
 * Context: any thread.
 */
void vmm_cmos_write(struct vmm_cmos *cmos, u32 port, u8 value)
{
	pthread_mutex_lock(&cmos->lock);
	/* The index's highest bit disables NMIs; the board has none. */
	if (port == PORT_INDEX)
		cmos->index = value & (VMM_CMOS_BYTES - 1);
	else
		data_write_locked(cmos, value);
	pthread_mutex_unlock(&cmos->lock);
}

/**
 * vmm_cmos_due - the host's clock may have reached the alarm
 * @cmos: the clock
 *
 * Context: any thread.
 */
void vmm_cmos_due(struct vmm_cmos *cmos)
{
	pthread_mutex_lock(&cmos->lock);
	if (!cmos->paused && cmos->due && cmos->now(cmos->arg) >= cmos->due)
		cmos->alarmed = true;
	/* Sets the next alarm, or the same again if the host's clock was set back. */
	alarm_wait_locked(cmos);
	cmos_update_locked(cmos);
	pthread_mutex_unlock(&cmos->lock);
}

/**
 * vmm_cmos_pause - stop raising alarms, or continue; the clock runs on
 * @cmos: the clock
 * @paused: true to pause; false to continue, and to raise an alarm that was due meanwhile
 */
void vmm_cmos_pause(struct vmm_cmos *cmos, bool paused)
{
	pthread_mutex_lock(&cmos->lock);
	cmos->paused = paused;
	cmos->alarm(cmos->arg, paused ? 0 : cmos->due);
	pthread_mutex_unlock(&cmos->lock);
}

/* ---- the device on the board ---- */

/**
 * struct clock - the model and the host's clock
 * @cmos: the model
 * @host: the host's clock, whose timer is the alarm
 */
struct clock {
	struct vmm_cmos cmos;
	struct vmm_clock host;
};

static void clock_due(void *arg)
{
	vmm_cmos_due(arg);
}

static void cmos_destroy(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_clock_close(&clock->host);
	pthread_mutex_destroy(&clock->cmos.lock);
	free(clock);
}

static int cmos_create(struct vmm_device *dev)
{
	struct clock *clock = calloc(1, sizeof(*clock));
	int err;

	if (!clock)
		return vmm_error(ENOMEM, "cmos");
	clock->cmos.irq = vmm_clock_irq;
	clock->cmos.now = vmm_clock_seconds;
	clock->cmos.alarm = vmm_clock_at_second;
	clock->cmos.arg = &clock->host;
	vmm_cmos_init(&clock->cmos);
	dev->state = clock;
	err = vmm_clock_open(&clock->host, dev, clock_due, &clock->cmos);
	if (err)
		cmos_destroy(dev);
	return err;
}

static void cmos_reset(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_cmos_reset(&clock->cmos);
}

/* A port is one byte wide. */
static u64 cmos_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct clock *clock = dev->state;
	u64 value = 0;
	unsigned int i;

	for (i = 0; i < len && offset + i < dev->size; i++)
		value |= (u64)vmm_cmos_read(&clock->cmos, offset + i) << 8 * i;
	return value;
}

static void cmos_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct clock *clock = dev->state;
	unsigned int i;

	for (i = 0; i < len && offset + i < dev->size; i++)
		vmm_cmos_write(&clock->cmos, offset + i, value >> 8 * i);
}

static void cmos_pause(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_cmos_pause(&clock->cmos, true);
}

static void cmos_resume(struct vmm_device *dev)
{
	struct clock *clock = dev->state;

	vmm_cmos_pause(&clock->cmos, false);
}

#define STATE_VERSION	1

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_RAM = 1,	/* all registers */
	STATE_INDEX,	/* index register, and whether the alarm has gone off */
	STATE_OFFSET,	/* the guest's time minus the host's, seconds */
	STATE_DUE,	/* second of the host's time, or 0 */
};

static int cmos_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_cmos *cmos = &clock->cmos;
	__le64 offset, due;
	u8 index[2];
	u8 ram[VMM_CMOS_BYTES];
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&cmos->lock);
	memcpy(ram, cmos->ram, sizeof(ram));
	index[0] = cmos->index;
	index[1] = cmos->alarmed;
	offset = htole64(cmos->offset);
	due = htole64(cmos->due);
	pthread_mutex_unlock(&cmos->lock);
	vmm_state_put(state, STATE_RAM, ram, sizeof(ram));
	vmm_state_put(state, STATE_INDEX, index, sizeof(index));
	vmm_state_put(state, STATE_OFFSET, &offset, sizeof(offset));
	vmm_state_put(state, STATE_DUE, &due, sizeof(due));
	return vmm_state_end(state);
}

/* Century and year registers hold 25755 at most: a larger offset is refused. */
#define OFFSET_MAX	(26000LL * 366 * DAY_SECONDS)

static bool state_is_possible(const u8 *ram, const u8 *index, s64 offset, s64 due)
{
	return index[0] < VMM_CMOS_BYTES && index[1] <= 1 && !(ram[REG_A] & ~A_KEEP) &&
	       offset <= OFFSET_MAX && offset >= -OFFSET_MAX && due >= 0 && due <= OFFSET_MAX;
}

static int cmos_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct clock *clock = dev->state;
	struct vmm_cmos *cmos = &clock->cmos;
	__le64 offset, due;
	u8 index[2];
	u8 ram[VMM_CMOS_BYTES];
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_RAM, ram, sizeof(ram));
	vmm_state_get(state, STATE_INDEX, index, sizeof(index));
	vmm_state_get(state, STATE_OFFSET, &offset, sizeof(offset));
	vmm_state_get(state, STATE_DUE, &due, sizeof(due));
	err = vmm_state_close(state);
	if (!err && !state_is_possible(ram, index, le64toh(offset), le64toh(due)))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&cmos->lock);
	memcpy(cmos->ram, ram, sizeof(ram));
	cmos->index = index[0];
	cmos->alarmed = index[1];
	cmos->offset = le64toh(offset);
	cmos->due = le64toh(due);
	/* An alarm that was due meanwhile goes off when the clock is resumed. */
	cmos->alarm(cmos->arg, cmos->paused ? 0 : cmos->due);
	cmos_update_locked(cmos);
	pthread_mutex_unlock(&cmos->lock);
	return 0;
}

static void cmos_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "rtc",
		.hid = "PNP0B00",
		.name = "RTC",
		.space = dev->space,
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
	};

	visitor->device(visitor, &description);
}

static void cmos_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct clock *clock = dev->state;

	vmm_clock_stats(&clock->host, report);
}

/** The guest's wall clock. */
const struct vmm_device_ops vmm_cmos_ops = {
	.name = "cmos",
	.create = cmos_create,
	.reset = cmos_reset,
	.destroy = cmos_destroy,
	.read = cmos_read,
	.write = cmos_write,
	.pause = cmos_pause,
	.resume = cmos_resume,
	.save = cmos_save,
	.load = cmos_load,
	.describe = cmos_describe,
	.stats = cmos_stats,
};
