// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the clocks of a board share. A model reads the host's time and sets an alarm in host
 * time; the timer follows the host's clock when that is set.
 */
#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "devices/clock.h"
#include "machine/machine.h"

static int clock_expired(void *arg)
{
	struct vmm_clock *clock = arg;
	u64 expirations;

	if (read(clock->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	vmm_count(&clock->alarms, 1);
	clock->due(clock->arg);
	return 0;
}

/**
 * vmm_clock_open - create a timer that follows the host's clock
 * @clock: filled
 * @dev: the device; its loop runs the timer
 * @due: called when the alarm's time may have come; main thread
 * @arg: argument of @due
 *
 * Return: 0, or -errno; vmm_clock_close() must be called in both cases
 */
int vmm_clock_open(struct vmm_clock *clock, struct vmm_device *dev, void (*due)(void *arg),
		   void *arg)
{
	*clock = (struct vmm_clock){ .dev = dev, .due = due, .arg = arg };
	clock->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (clock->timer_fd < 0)
		return vmm_error(errno, "%s: cannot make a timer", dev->ops->name);
	return vmm_loop_add(dev->vm->loop, clock->timer_fd, clock_expired, clock);
}

/**
 * vmm_clock_close - free a timer
 * @clock: was opened, or opening it failed
 */
void vmm_clock_close(struct vmm_clock *clock)
{
	if (clock->timer_fd < 0)
		return;
	vmm_loop_del(clock->dev->vm->loop, clock->timer_fd);
	close(clock->timer_fd);
	clock->timer_fd = -1;
}

/**
 * vmm_clock_stats - add what a clock has counted
 * @clock: the clock
 * @report: where they are added
 *
 * Context: any thread.
 */
void vmm_clock_stats(const struct vmm_clock *clock, struct vmm_report *report)
{
	vmm_report_add(report, "alarms", vmm_counted(&clock->alarms));
}

/**
 * vmm_clock_irq - set the line of a clock
 * @arg: the clock
 * @level: of the line
 */
void vmm_clock_irq(void *arg, bool level)
{
	struct vmm_clock *clock = arg;

	vmm_line_set(&clock->dev->line, level);
}

/**
 * vmm_clock_ns - return the host's time
 * @arg: the clock
 *
 * Return: nanoseconds of the epoch
 */
s64 vmm_clock_ns(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * VMM_SECOND_NS + now.tv_nsec;
}

/**
 * vmm_clock_seconds - return the host's time
 * @arg: the clock
 *
 * Return: seconds of the epoch
 */
s64 vmm_clock_seconds(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static void clock_alarm(const struct vmm_clock *clock, s64 seconds, long ns)
{
	struct itimerspec when = { .it_value = { seconds, ns } };

	timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/**
 * vmm_clock_at_ns - set the alarm in nanoseconds
 * @arg: the clock
 * @at: when @due is called, nanoseconds of the epoch, not negative; 0 for never
 */
void vmm_clock_at_ns(void *arg, s64 at)
{
	clock_alarm(arg, at / VMM_SECOND_NS, at % VMM_SECOND_NS);
}

/**
 * vmm_clock_at_second - set the alarm in seconds
 * @arg: the clock
 * @at: when @due is called, seconds of the epoch; 0 for never
 */
void vmm_clock_at_second(void *arg, s64 at)
{
	clock_alarm(arg, at, 0);
}
