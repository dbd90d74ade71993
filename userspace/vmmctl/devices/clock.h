/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the clocks of a board share: the host's time, and a timer that follows it.
 */
#ifndef DEVICES_CLOCK_H
#define DEVICES_CLOCK_H

#include "machine/device.h"

#define VMM_SECOND_NS	1000000000LL

/**
 * struct vmm_clock - the host's clock (UTC), and an alarm
 * @dev: the device
 * @timer_fd: expires at the alarm
 * @due: called when the alarm's time may have come; main thread
 * @arg: argument of @due
 * @alarms: how often the timer has expired
 */
struct vmm_clock {
	struct vmm_device *dev;
	int timer_fd;
	void (*due)(void *arg);
	void *arg;
	u64 alarms;
};

/* ---- clock.c ---- */

int vmm_clock_open(struct vmm_clock *clock, struct vmm_device *dev, void (*due)(void *arg),
		   void *arg);
void vmm_clock_close(struct vmm_clock *clock);
void vmm_clock_stats(const struct vmm_clock *clock, struct vmm_report *report);

/* Callbacks for models; @arg is the struct vmm_clock. */
void vmm_clock_irq(void *arg, bool level);
s64 vmm_clock_seconds(void *arg);
s64 vmm_clock_ns(void *arg);
void vmm_clock_at_second(void *arg, s64 at);
void vmm_clock_at_ns(void *arg, s64 at);

#endif /* DEVICES_CLOCK_H */
