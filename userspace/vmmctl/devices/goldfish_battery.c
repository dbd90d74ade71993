// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish battery: a battery and a charger whose values the host sets. The guest is
 * interrupted when one of them changes. The values belong to the machine, not to the guest:
 * they are kept over a reset of the guest.
 *
 * The reference clears all changes when the guest reads the enabled ones, and it does not
 * lower the line when the guest disables an interrupt. This model clears only the changes
 * that the guest has read, and the line always follows the registers.
 *
 * Source: platform_external_qemu hw/misc/goldfish_battery.c (069a0809619e) for the
 * registers and their initial values.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/goldfish.h"

#define REG_INT_STATUS	0x00
#define REG_INT_ENABLE	0x04

#define INT_BATTERY	(1 << 0)
#define INT_AC		(1 << 1)
#define INT_ALL		(INT_BATTERY | INT_AC)

/**
 * struct value - properties of a value
 * @name: its name in commands
 * @unit: text after the number, for people
 * @offset: its register
 * @change: interrupt for a change, 0 for a value that does not change
 * @max: largest value, where there are no @words
 * @words: names of values, in place of numbers; NULL ends the list
 * @with: initial value if there is a battery
 * @without: value if there is none
 */
struct value {
	const char *name;
	const char *unit;
	u32 offset;
	u32 change;
	u32 max;
	const char *words[7];
	u32 with;
	u32 without;
};

static const struct value values[VMM_BATTERY_VALUES] = {
	[VMM_BATTERY_AC] = { "ac", "", 0x08, INT_AC, 1, { "off", "on" }, 1, 1 },
	[VMM_BATTERY_STATUS] = {
		"status", "", 0x0c, INT_BATTERY, 0,
		{ "unknown", "charging", "discharging", "not-charging", "full" }, 1, 0
	},
	[VMM_BATTERY_HEALTH] = {
		"health", "", 0x10, INT_BATTERY, 0,
		{ "unknown", "good", "overheat", "dead", "overvoltage", "failure" }, 1, 0
	},
	[VMM_BATTERY_PRESENT] = {
		"present", "", 0x14, INT_BATTERY, 0, { "false", "true" }, 1, 0
	},
	[VMM_BATTERY_CAPACITY] = { "capacity", " %", 0x18, INT_BATTERY, 100, { }, 100, 0 },
	[VMM_BATTERY_VOLTAGE] = {
		"voltage", " uV", 0x1c, INT_BATTERY, 100000000, { }, 5000000, 5000000
	},
	[VMM_BATTERY_TEMP] = {
		"temperature", " tenths of a degree C", 0x20, INT_BATTERY, 10000, { }, 250, 250
	},
	[VMM_BATTERY_COUNTER] = { "charge-counter", " uAh", 0x24, 0, 0, { }, 10000, 0 },
	[VMM_BATTERY_VOLTAGE_MAX] = {
		"voltage-max", " uV", 0x28, 0, 0, { }, 5000000, 5000000
	},
	[VMM_BATTERY_CURRENT_MAX] = {
		"current-max", " uA", 0x2c, 0, 0, { }, 5000000, 5000000
	},
	[VMM_BATTERY_CURRENT_NOW] = {
		"current-now", " uA", 0x30, INT_BATTERY, 100000000, { }, 900000, 900000
	},
	[VMM_BATTERY_CURRENT_AVG] = {
		"current-average", " uA", 0x34, INT_BATTERY, 100000000, { }, 900000, 900000
	},
	[VMM_BATTERY_FULL] = {
		"charge-full", " uAh", 0x38, INT_BATTERY, 100000000, { }, 3000000, 3000000
	},
	[VMM_BATTERY_CYCLES] = { "cycle-count", "", 0x40, INT_BATTERY, 1000000, { }, 10, 10 },
};

static void battery_update_locked(struct vmm_battery *battery)
{
	bool level = battery->pending & battery->enable;

	if (level == battery->level)
		return;
	battery->level = level;
	battery->irq(battery->arg, level);
}

/**
 * vmm_battery_init - initialise a battery that is full and charging
 * @battery: callbacks are set, all other members are zero
 * @fitted: there is a battery; else the guest has only a charger
 */
void vmm_battery_init(struct vmm_battery *battery, bool fitted)
{
	unsigned int i;

	pthread_mutex_init(&battery->lock, NULL);
	battery->fitted = fitted;
	for (i = 0; i < VMM_BATTERY_VALUES; i++)
		battery->value[i] = fitted ? values[i].with : values[i].without;
}

/**
 * vmm_battery_reset - reset the registers that the guest can write
 * @battery: the battery
 */
void vmm_battery_reset(struct vmm_battery *battery)
{
	pthread_mutex_lock(&battery->lock);
	battery->pending = 0;
	battery->enable = 0;
	battery_update_locked(battery);
	pthread_mutex_unlock(&battery->lock);
}

static u32 battery_read_locked(struct vmm_battery *battery, u32 offset)
{
	unsigned int i;
	u32 told;

	switch (offset) {
	case REG_INT_STATUS:
		told = battery->pending & battery->enable;
		battery->pending &= ~told;
		battery_update_locked(battery);
		return told;
	case REG_INT_ENABLE:
		return battery->enable;
	default:
		for (i = 0; i < VMM_BATTERY_VALUES; i++) {
			if (values[i].offset == offset)
				return battery->value[i];
		}
		return 0;
	}
}

/**
 * vmm_battery_read - answer a guest read
 * @battery: the battery
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_battery_read(struct vmm_battery *battery, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&battery->lock);
	value = battery_read_locked(battery, offset);
	pthread_mutex_unlock(&battery->lock);
	return value;
}

/**
 * vmm_battery_write - take a guest write
 * @battery: the battery
 * @offset: byte offset of the register
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_battery_write(struct vmm_battery *battery, u32 offset, u32 value)
{
	if (offset != REG_INT_ENABLE)
		return;
	pthread_mutex_lock(&battery->lock);
	battery->enable = value & INT_ALL;
	battery_update_locked(battery);
	pthread_mutex_unlock(&battery->lock);
}

/* Parses a value of a command: a word, or a number. -EINVAL for anything else. */
static int value_parse(const struct value *value, const char *text, u32 *number)
{
	unsigned long got;
	char *rest;
	u32 i;

	for (i = 0; value->words[i]; i++) {
		*number = i;
		if (!strcmp(value->words[i], text))
			return 0;
	}
	if (value->words[0] || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	got = strtoul(text, &rest, 10);
	if (errno || *rest || got > value->max)
		return -EINVAL;
	*number = got;
	return 0;
}

static void value_explain(const struct value *value, const char *text, struct vmm_text *why)
{
	unsigned int i;

	vmm_text_add(why, "\"%.32s\" is not ", text);
	for (i = 0; value->words[i]; i++)
		vmm_text_add(why, "%s%s", !i ? "" : value->words[i + 1] ? ", " : " or ",
			     value->words[i]);
	if (!value->words[0])
		vmm_text_add(why, "a number from 0 to %u", value->max);
}

static const struct value *value_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < VMM_BATTERY_VALUES; i++) {
		if (!strcmp(values[i].name, name))
			return &values[i];
	}
	return NULL;
}

/**
 * vmm_battery_set - change a value, and interrupt the guest if it differs
 * @battery: the battery
 * @name: of the value
 * @text: the new value, a word or a number
 * @why: filled with the reason of a failure
 *
 * Return: 0, -ENOENT for an unknown name, -EOPNOTSUPP for a value that cannot be changed,
 *	-EINVAL for an invalid value
 */
int vmm_battery_set(struct vmm_battery *battery, const char *name, const char *text,
		    struct vmm_text *why)
{
	const struct value *value = value_find(name);
	u32 number;
	int err = 0;

	if (!value)
		return -ENOENT;
	if (value_parse(value, text, &number)) {
		value_explain(value, text, why);
		return -EINVAL;
	}
	pthread_mutex_lock(&battery->lock);
	if (!value->change || (!battery->fitted && value->change != INT_AC)) {
		vmm_text_add(why, value->change ? "the guest has no battery" :
						  "this value does not change");
		err = -EOPNOTSUPP;
	} else if (battery->value[value - values] != number) {
		battery->value[value - values] = number;
		battery->pending |= value->change;
		vmm_count(&battery->changes, 1);
		battery_update_locked(battery);
	}
	pthread_mutex_unlock(&battery->lock);
	return err;
}

/**
 * vmm_battery_show - list the values
 * @battery: the battery
 * @text: gets a line for each
 */
void vmm_battery_show(struct vmm_battery *battery, struct vmm_text *text)
{
	unsigned int i;

	pthread_mutex_lock(&battery->lock);
	for (i = 0; i < VMM_BATTERY_VALUES; i++) {
		if (values[i].words[0])
			vmm_text_add(text, "%s: %s\n", values[i].name,
				     values[i].words[battery->value[i]]);
		else
			vmm_text_add(text, "%s: %u%s\n", values[i].name, battery->value[i],
				     values[i].unit);
	}
	pthread_mutex_unlock(&battery->lock);
}

/**
 * vmm_battery_display - list values as the emulator's console does
 * @battery: the battery
 * @text: gets five lines with the reference's words, also "Overhead" for an overheated battery
 *
 * Source: platform_external_qemu hw/misc/goldfish_battery.c (069a0809619e).
 */
void vmm_battery_display(struct vmm_battery *battery, struct vmm_text *text)
{
	static const char *const statuses[] = {
		"Unknown", "Charging", "Discharging", "Not charging", "Full",
	};
	static const char *const healths[] = {
		"Unknown", "Good", "Overhead", "Dead", "Overvoltage", "Unspecified failure",
	};
	const u32 *value = battery->value;

	pthread_mutex_lock(&battery->lock);
	vmm_text_add(text, "AC: %s\n", value[VMM_BATTERY_AC] ? "online" : "offline");
	vmm_text_add(text, "status: %s\n", statuses[value[VMM_BATTERY_STATUS]]);
	vmm_text_add(text, "health: %s\n", healths[value[VMM_BATTERY_HEALTH]]);
	vmm_text_add(text, "present: %s\n", value[VMM_BATTERY_PRESENT] ? "true" : "false");
	vmm_text_add(text, "capacity: %u\n", value[VMM_BATTERY_CAPACITY]);
	pthread_mutex_unlock(&battery->lock);
}

/* ---- the device on the board ---- */

static int battery_create(struct vmm_device *dev)
{
	struct vmm_battery *battery = calloc(1, sizeof(*battery));

	if (!battery)
		return vmm_error(ENOMEM, "battery");
	battery->irq = vmm_device_irq;
	battery->arg = dev;
	vmm_battery_init(battery, dev->vm->cfg->battery);
	dev->state = battery;
	return 0;
}

static void battery_reset(struct vmm_device *dev)
{
	vmm_battery_reset(dev->state);
}

static void battery_destroy(struct vmm_device *dev)
{
	struct vmm_battery *battery = dev->state;

	pthread_mutex_destroy(&battery->lock);
	free(battery);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 battery_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)len;
	return vmm_battery_read(dev->state, offset);
}

static void battery_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)len;
	vmm_battery_write(dev->state, offset, value);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_VALUES = 1,	/* in the order of enum vmm_battery_value */
	STATE_IRQ,		/* changes that were not read, and the mask */
	STATE_FITTED,
};

#define STATE_VERSION	1

static int battery_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_battery *battery = dev->state;
	__le32 saved[VMM_BATTERY_VALUES];
	__le32 irq[2];
	u8 fitted;
	unsigned int i;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&battery->lock);
	for (i = 0; i < VMM_BATTERY_VALUES; i++)
		saved[i] = htole32(battery->value[i]);
	irq[0] = htole32(battery->pending);
	irq[1] = htole32(battery->enable);
	fitted = battery->fitted;
	pthread_mutex_unlock(&battery->lock);
	vmm_state_put(state, STATE_VALUES, saved, sizeof(saved));
	vmm_state_put(state, STATE_IRQ, irq, sizeof(irq));
	vmm_state_put(state, STATE_FITTED, &fitted, sizeof(fitted));
	return vmm_state_end(state);
}

static bool value_is_possible(const struct value *value, bool fitted, u32 number)
{
	u32 words = 0;

	if (!value->change || (!fitted && value->change != INT_AC))
		return number == (fitted ? value->with : value->without);
	while (value->words[words])
		words++;
	return words ? number < words : number <= value->max;
}

/* Refuses a state that no command and no guest write can lead to. */
static bool state_is_possible(const __le32 *saved, const __le32 irq[2], u8 fitted)
{
	unsigned int i;

	for (i = 0; i < VMM_BATTERY_VALUES; i++) {
		if (!value_is_possible(&values[i], fitted, le32toh(saved[i])))
			return false;
	}
	return fitted <= 1 && !((le32toh(irq[0]) | le32toh(irq[1])) & ~INT_ALL);
}

static int battery_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_battery *battery = dev->state;
	__le32 saved[VMM_BATTERY_VALUES];
	__le32 irq[2];
	u8 fitted;
	unsigned int i;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_VALUES, saved, sizeof(saved));
	vmm_state_get(state, STATE_IRQ, irq, sizeof(irq));
	vmm_state_get(state, STATE_FITTED, &fitted, sizeof(fitted));
	err = vmm_state_close(state);
	if (!err && !state_is_possible(saved, irq, fitted))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&battery->lock);
	for (i = 0; i < VMM_BATTERY_VALUES; i++)
		battery->value[i] = le32toh(saved[i]);
	battery->pending = le32toh(irq[0]);
	battery->enable = le32toh(irq[1]);
	battery->fitted = fitted;
	battery_update_locked(battery);
	pthread_mutex_unlock(&battery->lock);
	return 0;
}

static void battery_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_battery",
		.compatible = { "google,goldfish-battery", "generic,goldfish-battery" },
		.hid = "GFSH0001", .name = "GFBY", .text = "goldfish battery",
	});
}

static int battery_run_show(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)arg;
	vmm_battery_show(dev->state, text);
	return 0;
}

static int battery_run_display(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)arg;
	vmm_battery_display(dev->state, text);
	return 0;
}

/* "NAME VALUE" */
static int battery_run_set(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	char name[32];
	size_t len = arg ? strcspn(arg, " ") : 0;
	int err;

	if (!len || len >= sizeof(name) || !arg[len]) {
		vmm_text_add(text, "a value's name and the value are needed");
		return -EINVAL;
	}
	memcpy(name, arg, len);
	name[len] = '\0';
	err = vmm_battery_set(dev->state, name, arg + len + 1, text);
	if (err != -ENOENT)
		return err;
	vmm_text_add(text, "a battery has no value \"%s\"", name);
	return -EINVAL;
}

static const struct vmm_device_command battery_commands[] = {
	{ "show", "list the values that the guest reads", battery_run_show },
	{ "display", "list values as the emulator's console does", battery_run_display },
	{ "set", "NAME VALUE: change one of these values", battery_run_set },
	{ }
};

static void battery_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct vmm_battery *battery = dev->state;

	vmm_report_add(report, "changes", vmm_counted(&battery->changes));
}

/** The goldfish battery. */
const struct vmm_device_ops vmm_goldfish_battery_ops = {
	.name = "battery",
	.create = battery_create,
	.reset = battery_reset,
	.destroy = battery_destroy,
	.read = battery_read,
	.write = battery_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = battery_save,
	.load = battery_load,
	.describe = battery_describe,
	.stats = battery_stats,
	.commands = battery_commands,
};
