/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Models of the goldfish family, and their registers for the tests.
 */
#ifndef DEVICES_GOLDFISH_H
#define DEVICES_GOLDFISH_H

#include <pthread.h>

#include "machine/device.h"

/* ---- goldfish_idle.c ---- */

void vmm_goldfish_describe(const struct vmm_device *dev, struct vmm_visitor *visitor,
			   struct vmm_description description);

/* ---- goldfish_battery.c ---- */

/* What a battery has to say. The order is that of the saved state. */
enum vmm_battery_value {
	VMM_BATTERY_AC,
	VMM_BATTERY_STATUS,
	VMM_BATTERY_HEALTH,
	VMM_BATTERY_PRESENT,
	VMM_BATTERY_CAPACITY,
	VMM_BATTERY_VOLTAGE,
	VMM_BATTERY_TEMP,
	VMM_BATTERY_COUNTER,
	VMM_BATTERY_VOLTAGE_MAX,
	VMM_BATTERY_CURRENT_MAX,
	VMM_BATTERY_CURRENT_NOW,
	VMM_BATTERY_CURRENT_AVG,
	VMM_BATTERY_FULL,
	VMM_BATTERY_CYCLES,
	VMM_BATTERY_VALUES
};

/**
 * struct vmm_battery - the register model of a battery and its charger
 * @irq: told the line's level whenever it changes
 * @arg: first argument of @irq
 * @lock: protects all that follows; held when @irq is called
 * @fitted: there is a battery; fixed
 * @value: as the guest reads them
 * @pending: changes that the guest has not read
 * @enable: of that, what interrupts
 * @level: the line as @irq was told
 */
struct vmm_battery {
	void (*irq)(void *arg, bool level);
	void *arg;
	pthread_mutex_t lock;
	bool fitted;
	u32 value[VMM_BATTERY_VALUES];
	u32 pending;
	u32 enable;
	bool level;
};

void vmm_battery_init(struct vmm_battery *battery, bool fitted);
void vmm_battery_reset(struct vmm_battery *battery);
u32 vmm_battery_read(struct vmm_battery *battery, u32 offset);
void vmm_battery_write(struct vmm_battery *battery, u32 offset, u32 value);
int vmm_battery_set(struct vmm_battery *battery, const char *name, const char *text,
		    struct vmm_text *why);
void vmm_battery_show(struct vmm_battery *battery, struct vmm_text *text);

#endif /* DEVICES_GOLDFISH_H */
