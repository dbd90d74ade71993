// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's fixed hardware: event and control registers, and a timer. The guest switches itself
 * off by the control register; the power button raises an event.
 *
 * There is no legacy mode: the system control interrupt (SCI) is always enabled.
 *
 * Source: ACPI specification 6.5, section 4.8.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/devices.h"
#include "devices/pc.h"
#include "host/host.h"

#define REG_STATUS	0
#define REG_ENABLE	2
#define REG_CONTROL	4
#define REG_TIMER	8
#define REGS		12	/* bytes */

#define EVENT_GLOBAL	(1 << 5)
#define EVENT_BUTTON	(1 << 8)
#define EVENT_RTC	(1 << 10)
#define EVENTS		(EVENT_GLOBAL | EVENT_BUTTON | EVENT_RTC)

#define CONTROL_SCI	(1 << 0)
#define CONTROL_TYPE	10	/* shift of three bits */
#define CONTROL_SLEEP	(1 << 13)
#define CONTROL_KEEP	0x1c06	/* bits that are stored */
#define TYPE_OFF	0	/* as \_S5 says */

#define TIMER_HZ	3579545

static void pm_update_locked(struct vmm_acpi_pm *pm)
{
	bool level = pm->status & pm->enable & EVENTS;

	if (level == pm->level)
		return;
	pm->level = level;
	pm->irq(pm->arg, level);
}

static u32 pm_timer(const struct vmm_acpi_pm *pm)
{
	u64 ns = pm->now(pm->arg) + pm->ahead;

	return ns / 1000000000 * TIMER_HZ + ns % 1000000000 * TIMER_HZ / 1000000000;
}

static void pm_clear(struct vmm_acpi_pm *pm)
{
	pm->status = 0;
	pm->enable = 0;
	pm->ahead = 0;
	pm->control = CONTROL_SCI;
}

/**
 * vmm_acpi_pm_init - make power management in its reset state
 * @pm: callbacks are set, all other members are zero
 */
void vmm_acpi_pm_init(struct vmm_acpi_pm *pm)
{
	pthread_mutex_init(&pm->lock, NULL);
	pm_clear(pm);
}

/**
 * vmm_acpi_pm_reset - put power management into its reset state
 * @pm: power management
 */
void vmm_acpi_pm_reset(struct vmm_acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm_clear(pm);
	pm_update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void regs_get(const struct vmm_acpi_pm *pm, u8 regs[REGS])
{
	const u16 words[4] = { pm->status, pm->enable, pm->control, 0 };
	u32 timer = pm_timer(pm);
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(words); i++)
		regs[i] = words[i / 2] >> 8 * (i % 2);
	for (i = 0; i < sizeof(timer); i++)
		regs[REG_TIMER + i] = timer >> 8 * i;
}

/**
 * vmm_acpi_pm_read - answer a guest read
 * @pm: power management
 * @offset: first byte
 * @len: bytes
 *
 * Context: any thread.
 * Return: the bytes, 0 behind the last register
 */
u64 vmm_acpi_pm_read(struct vmm_acpi_pm *pm, u32 offset, unsigned int len)
{
	u8 regs[REGS];
	u64 value = 0;
	unsigned int i;

	pthread_mutex_lock(&pm->lock);
	regs_get(pm, regs);
	pthread_mutex_unlock(&pm->lock);
	for (i = 0; i < len && offset + i < REGS; i++)
		value |= (u64)regs[offset + i] << 8 * i;
	return value;
}

static void pm_control_locked(struct vmm_acpi_pm *pm, u16 value)
{
	pm->control = CONTROL_SCI | (value & CONTROL_KEEP);
	/* The board has no other sleep state. */
	if (value & CONTROL_SLEEP && (value >> CONTROL_TYPE & 7) == TYPE_OFF)
		pm->off(pm->arg);
}

/* Writes one byte of a register. */
static void pm_byte_locked(struct vmm_acpi_pm *pm, u32 offset, u8 byte)
{
	unsigned int shift = 8 * (offset % 2);
	u16 bits = byte << shift;
	u16 others = ~(0xff << shift);

	switch (offset & ~1U) {
	case REG_STATUS:
		pm->status &= ~bits;
		break;
	case REG_ENABLE:
		pm->enable = (pm->enable & others) | (bits & EVENTS);
		break;
	case REG_CONTROL:
		pm_control_locked(pm, (pm->control & others) | bits);
		break;
	}
}

/**
 * vmm_acpi_pm_write - take a guest write
 * @pm: power management
 * @offset: first byte
 * @value: what was written
 * @len: bytes
 *
 * Context: any thread.
 */
void vmm_acpi_pm_write(struct vmm_acpi_pm *pm, u32 offset, u64 value, unsigned int len)
{
	unsigned int i;

	pthread_mutex_lock(&pm->lock);
	for (i = 0; i < len; i++)
		pm_byte_locked(pm, offset + i, value >> 8 * i);
	pm_update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
}

/**
 * vmm_acpi_pm_button - press the power button
 * @pm: power management
 *
 * Context: any thread.
 * Return: whether the guest gets an event
 */
bool vmm_acpi_pm_button(struct vmm_acpi_pm *pm)
{
	bool listens;

	pthread_mutex_lock(&pm->lock);
	pm->status |= EVENT_BUTTON;
	listens = pm->enable & EVENT_BUTTON;
	pm_update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
	return listens;
}

/* ---- the device on the board ---- */

static void pm_off(void *arg)
{
	struct vmm_device *dev = arg;

	vmm_vm_end(dev->vm, VMM_END_OFF);
}

static u64 pm_now(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int acpi_pm_create(struct vmm_device *dev)
{
	struct vmm_acpi_pm *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return vmm_error(ENOMEM, "acpi_pm");
	pm->irq = vmm_device_irq;
	pm->off = pm_off;
	pm->now = pm_now;
	pm->arg = dev;
	vmm_acpi_pm_init(pm);
	dev->state = pm;
	return 0;
}

static void acpi_pm_reset(struct vmm_device *dev)
{
	vmm_acpi_pm_reset(dev->state);
}

static void acpi_pm_destroy(struct vmm_device *dev)
{
	struct vmm_acpi_pm *pm = dev->state;

	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

static u64 acpi_pm_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	return vmm_acpi_pm_read(dev->state, offset, len);
}

static void acpi_pm_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	vmm_acpi_pm_write(dev->state, offset, value, len);
}

#define STATE_VERSION	1

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_REGS = 1,	/* status, enable, control */
	STATE_TIME,	/* nanoseconds that the timer counts */
};

static int acpi_pm_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_acpi_pm *pm = dev->state;
	__le16 regs[3];
	__le64 ns;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&pm->lock);
	regs[0] = htole16(pm->status);
	regs[1] = htole16(pm->enable);
	regs[2] = htole16(pm->control);
	ns = htole64(pm->now(pm->arg) + pm->ahead);
	pthread_mutex_unlock(&pm->lock);
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_put(state, STATE_TIME, &ns, sizeof(ns));
	return vmm_state_end(state);
}

/* Refuses a state that no guest write can lead to. */
static bool state_is_possible(const __le16 regs[3])
{
	return !(le16toh(regs[0]) & ~EVENTS) && !(le16toh(regs[1]) & ~EVENTS) &&
	       le16toh(regs[2]) & CONTROL_SCI &&
	       !(le16toh(regs[2]) & ~(CONTROL_SCI | CONTROL_KEEP));
}

static int acpi_pm_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_acpi_pm *pm = dev->state;
	__le16 regs[3];
	__le64 ns;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_get(state, STATE_TIME, &ns, sizeof(ns));
	err = vmm_state_close(state);
	if (!err && !state_is_possible(regs))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&pm->lock);
	pm->status = le16toh(regs[0]);
	pm->enable = le16toh(regs[1]);
	pm->control = le16toh(regs[2]);
	/* The timer continues from the saved value. */
	pm->ahead = le64toh(ns) - pm->now(pm->arg);
	pm_update_locked(pm);
	pthread_mutex_unlock(&pm->lock);
	return 0;
}

static int acpi_pm_press(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)arg;
	(void)text;
	if (!vmm_acpi_pm_button(dev->state))
		vmm_note("the guest does not listen to its power button yet");
	return 0;
}

static const struct vmm_device_command acpi_pm_commands[] = {
	{ "power-button", "press the guest's power button", acpi_pm_press },
	{ }
};

/* The FADT describes it. */
static void acpi_pm_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

/** ACPI power management: power-off, power button, timer. */
const struct vmm_device_ops vmm_acpi_pm_ops = {
	.name = "acpi_pm",
	.create = acpi_pm_create,
	.reset = acpi_pm_reset,
	.destroy = acpi_pm_destroy,
	.read = acpi_pm_read,
	.write = acpi_pm_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = acpi_pm_save,
	.load = acpi_pm_load,
	.describe = acpi_pm_describe,
	.commands = acpi_pm_commands,
};
