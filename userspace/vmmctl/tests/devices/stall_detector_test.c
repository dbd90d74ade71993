// SPDX-License-Identifier: GPL-2.0-only
/*
 * The detector of stuck vCPUs: its registers, as the stock driver uses them, and other accesses,
 * with a fake host's clock; and the device, with the host's timer.
 */
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/devices.h"
#include "host/log.h"
#include "tests/tap.h"

#define STATUS	0x00
#define LOAD	0x04
#define CURRENT	0x08
#define HZ	0x0c
#define CPU(i)	(0x10 * (i))

#define MS	1000000LL
#define SECOND	(1000 * MS)
#define TICKS	80	/* 8 seconds of 10 ticks, as in the driver */

static struct {
	s64 now;
	s64 at;
	unsigned int wakes;
} host;

static s64 on_now(void *arg)
{
	(void)arg;
	return host.now;
}

static void on_wake(void *arg, s64 at)
{
	(void)arg;
	host.at = at;
	host.wakes++;
}

static struct vmm_stall *stall_new(unsigned int cpus)
{
	static struct vmm_stall stall;

	memset(&host, 0, sizeof(host));
	host.now = 1000 * SECOND;
	stall = (struct vmm_stall){ .now = on_now, .wake = on_wake };
	vmm_stall_init(&stall, cpus);
	return &stall;
}

/* Writes of Linux' driver when a CPU starts. */
static void start(struct vmm_stall *stall, unsigned int cpu)
{
	vmm_stall_write(stall, CPU(cpu) + HZ, 10);
	vmm_stall_write(stall, CPU(cpu) + LOAD, TICKS);
	vmm_stall_write(stall, CPU(cpu) + STATUS, 1);
}

static void pet(struct vmm_stall *stall, unsigned int cpu)
{
	vmm_stall_write(stall, CPU(cpu) + LOAD, TICKS);
}

/* Advances the clock with a punctual timer; returns the stuck vCPU, or -1. */
static int goes_by(struct vmm_stall *stall, s64 ns)
{
	s64 until = host.now + ns;
	unsigned int looks = 0;
	u32 seconds;

	while (host.at && host.at <= until && tap_check(looks++ < 10000)) {
		int stuck;

		if (host.now < host.at)
			host.now = host.at;
		host.at = 0;
		stuck = vmm_stall_look(stall, &seconds);
		if (stuck >= 0)
			return stuck;
	}
	host.now = until;
	return -1;
}

/* Advances the clock without the timer, as after SIGSTOP. */
static void stands_still(s64 ns)
{
	host.now += ns;
}

static void registers_read_as_written(void)
{
	struct vmm_stall *stall = stall_new(2);

	tap_equal(vmm_stall_read(stall, STATUS), 0);
	tap_equal(vmm_stall_read(stall, LOAD), TICKS);
	tap_equal(vmm_stall_read(stall, CURRENT), TICKS);
	tap_equal(vmm_stall_read(stall, HZ), 10);
	vmm_stall_write(stall, CPU(1) + HZ, 20);
	vmm_stall_write(stall, CPU(1) + LOAD, 30);
	vmm_stall_write(stall, CPU(1) + CURRENT, 1);
	vmm_stall_write(stall, CPU(1) + STATUS, 0xffffffff);
	tap_equal(vmm_stall_read(stall, CPU(1) + STATUS), 1);
	tap_equal(vmm_stall_read(stall, CPU(1) + LOAD), 30);
	tap_equal(vmm_stall_read(stall, CPU(1) + CURRENT), 30);
	tap_equal(vmm_stall_read(stall, CPU(1) + HZ), 20);
	/* Each vCPU has its own. */
	tap_equal(vmm_stall_read(stall, STATUS), 0);
	tap_equal(vmm_stall_read(stall, LOAD), TICKS);
	host.now += 49 * MS;
	tap_equal(vmm_stall_read(stall, CPU(1) + CURRENT), 30);
	host.now += MS;
	tap_equal(vmm_stall_read(stall, CPU(1) + CURRENT), 29);
	/* A stopped counter keeps its value, and starts again with the full time. */
	vmm_stall_write(stall, CPU(1) + STATUS, 0xfffffffe);
	host.now += SECOND;
	tap_equal(vmm_stall_read(stall, CPU(1) + CURRENT), 29);
	vmm_stall_write(stall, CPU(1) + STATUS, 1);
	tap_equal(vmm_stall_read(stall, CPU(1) + CURRENT), 30);
}

static void a_vcpu_that_reloads_is_well(void)
{
	struct vmm_stall *stall = stall_new(2);
	unsigned int i;

	start(stall, 0);
	start(stall, 1);
	for (i = 0; i < 1000; i++) {
		tap_equal(goes_by(stall, 4 * SECOND), -1);
		pet(stall, 0);
		pet(stall, 1);
	}
	/* A reload in the last moment is in time as well. */
	tap_equal(goes_by(stall, 8 * SECOND - 1), -1);
	pet(stall, 0);
	pet(stall, 1);
	tap_equal(goes_by(stall, 8 * SECOND - 1), -1);
}

static void the_one_that_does_not_is_stuck(void)
{
	struct vmm_stall *stall = stall_new(3);
	s64 began = host.now;
	u32 seconds = 0;

	start(stall, 0);
	start(stall, 1);
	start(stall, 2);
	tap_equal(goes_by(stall, 4 * SECOND), -1);
	pet(stall, 0);
	pet(stall, 2);
	tap_equal(goes_by(stall, 5 * SECOND), 1);
	tap_equal(host.now - began, 8 * SECOND);
	/* It is reported once, and the others are still checked. */
	tap_equal(vmm_stall_look(stall, &seconds), -1);
	tap_equal(goes_by(stall, 10 * SECOND), 0);
	tap_equal(goes_by(stall, 0), 2);
	tap_equal(host.now - began, 12 * SECOND);
	tap_equal(host.at, 0);
	start(stall, 1);
	host.now += SECOND;
	vmm_stall_write(stall, CPU(1) + LOAD, 0);
	tap_equal(vmm_stall_look(stall, &seconds), 1);
	tap_equal(seconds, 0);
}

/* A CPU that the guest switches off, and a guest without the driver. */
static void one_that_does_not_run_is_not(void)
{
	struct vmm_stall *stall = stall_new(2);

	pet(stall, 0);
	tap_equal(host.wakes, 0);
	tap_equal(goes_by(stall, 100 * SECOND), -1);
	start(stall, 1);
	tap_check(host.at);
	tap_equal(goes_by(stall, 5 * SECOND), -1);
	vmm_stall_write(stall, CPU(1) + STATUS, 0);
	tap_equal(host.at, 0);
	tap_equal(goes_by(stall, 100 * SECOND), -1);
}

static void nothing_counts_while_paused(void)
{
	struct vmm_stall *stall = stall_new(1);
	u32 seconds;

	start(stall, 0);
	tap_equal(goes_by(stall, 5 * SECOND), -1);
	vmm_stall_pause(stall, true);
	vmm_stall_pause(stall, true);
	tap_equal(host.at, 0);
	host.now += 1000 * SECOND;
	tap_equal(vmm_stall_read(stall, CURRENT), 30);
	tap_equal(vmm_stall_look(stall, &seconds), -1);
	vmm_stall_pause(stall, false);
	vmm_stall_pause(stall, false);
	tap_equal(vmm_stall_read(stall, CURRENT), 30);
	tap_equal(goes_by(stall, 3 * SECOND - 1), -1);
	tap_equal(goes_by(stall, 1), 0);
	/* A counter that expired during a pause is found after the resume. */
	start(stall, 0);
	vmm_stall_pause(stall, true);
	vmm_stall_write(stall, LOAD, 0);
	tap_equal(vmm_stall_look(stall, &seconds), -1);
	tap_equal(host.at, 0);
	vmm_stall_pause(stall, false);
	tap_equal(goes_by(stall, 0), 0);
}

/* The stop begins just before the driver's timer; two seconds still remain. */
static void a_host_that_stood_still_is_no_stuck_vcpu(void)
{
	struct vmm_stall *stall = stall_new(1);

	start(stall, 0);
	tap_equal(goes_by(stall, 4 * SECOND - 1), -1);
	stands_still(1000 * SECOND);
	tap_equal(goes_by(stall, 2 * SECOND), -1);
	tap_check(vmm_stall_read(stall, CURRENT));
	pet(stall, 0);
	/* A stuck vCPU is found nevertheless. */
	tap_equal(goes_by(stall, 4 * SECOND), -1);
	stands_still(1000 * SECOND);
	tap_equal(goes_by(stall, 3 * SECOND), 0);
	/* A clock that goes back counts as one that does not run. */
	start(stall, 0);
	host.now -= 500 * SECOND;
	tap_equal(vmm_stall_read(stall, CURRENT), TICKS);
	tap_equal(goes_by(stall, SECOND), -1);
}

/* Guests reload often, so a reload does not set the host's timer. */
static void a_reload_sets_no_timer(void)
{
	struct vmm_stall *stall = stall_new(1);
	unsigned int wakes;

	start(stall, 0);
	wakes = host.wakes;
	tap_equal(wakes, 1);
	host.now += SECOND / 2;
	pet(stall, 0);
	tap_equal(host.wakes, wakes);
	/* An earlier expiry does. */
	vmm_stall_write(stall, LOAD, 1);
	tap_equal(host.wakes, wakes + 1);
	tap_equal(host.at, host.now + SECOND / 10);
}

static void odd_values_do_no_harm(void)
{
	static const u32 odd[] = { 0, 101, 1000, 0x80000000, 0xffffffff };
	struct vmm_stall *stall = stall_new(VMM_MAX_CPUS);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		vmm_stall_write(stall, HZ, odd[i]);
		tap_equal(vmm_stall_read(stall, HZ), 10);
	}
	vmm_stall_write(stall, HZ, 100);
	tap_equal(vmm_stall_read(stall, HZ), 100);
	/* The longest time, at both limits of the clock. */
	vmm_stall_write(stall, LOAD, 0xffffffff);
	vmm_stall_write(stall, STATUS, 1);
	vmm_stall_write(stall, HZ, 1);
	tap_equal(vmm_stall_read(stall, CURRENT), 0xffffffff);
	tap_equal(host.at, host.now + SECOND);
	host.now += SECOND;
	tap_equal(vmm_stall_read(stall, CURRENT), 0xfffffffe);
	vmm_stall_write(stall, HZ, 100);
	host.now += 2 * SECOND;
	tap_equal(vmm_stall_read(stall, CURRENT), 0xffffffff - 201);
	/* Offsets between registers, and after those of the last vCPU. */
	for (i = 1; i < 0x10; i++) {
		vmm_stall_write(stall, CPU(1) + i, 0x55);
		if (i % 4)
			tap_equal(vmm_stall_read(stall, CPU(1) + i), 0);
	}
	stall = stall_new(2);
	for (i = 2; i < 0x100; i++) {
		start(stall, i);
		tap_equal(vmm_stall_read(stall, CPU(i) + STATUS), 0);
		tap_equal(vmm_stall_read(stall, CPU(i) + LOAD), 0);
	}
	vmm_stall_write(stall, ~0ULL, 1);
	vmm_stall_write(stall, 1ULL << 32, 1);
	tap_equal(vmm_stall_read(stall, ~0ULL), 0);
	tap_equal(host.wakes, 0);
	tap_equal(stall->reloads, 0);
	stall = stall_new(0);
	start(stall, 0);
	tap_equal(vmm_stall_read(stall, LOAD), 0);
	tap_equal(host.wakes, 0);
}

static void a_reset_stops_all(void)
{
	struct vmm_stall *stall = stall_new(2);

	start(stall, 0);
	vmm_stall_write(stall, CPU(1) + HZ, 50);
	vmm_stall_reset(stall);
	tap_equal(host.at, 0);
	tap_equal(vmm_stall_read(stall, STATUS), 0);
	tap_equal(vmm_stall_read(stall, CPU(1) + HZ), 10);
	tap_equal(goes_by(stall, 100 * SECOND), -1);
	/* A paused one stays paused. */
	vmm_stall_pause(stall, true);
	vmm_stall_reset(stall);
	start(stall, 0);
	tap_equal(host.at, 0);
	vmm_stall_pause(stall, false);
	tap_check(host.at);
}

/* ---- the device ---- */

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_device dev;

static bool device_new(unsigned int cpus)
{
	cfg = (struct vmm_config){ .cpus = cpus };
	vm = (struct vmm_vm){
		.cfg = &cfg, .fd = -1, .end_fd = vmm_event_create(), .loop = vmm_loop_create(),
	};
	dev = (struct vmm_device){
		.ops = &vmm_stall_detector_ops, .vm = &vm, .space = VMM_MMIO,
		.base = 0x09070000, .size = 0x1000, .count = 1,
	};
	dev.created = tap_equal(dev.ops->create(&dev), 0);
	return dev.created;
}

static void device_end(void)
{
	dev.ops->destroy(&dev);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
}

static int over(void *arg)
{
	(void)arg;
	return 1;
}

/* Runs the main loop until the guest has ended, at most @ms milliseconds. */
static void run(unsigned int ms)
{
	struct itimerspec when = { .it_value = { ms / 1000, ms % 1000 * MS } };
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	tap_check(!timerfd_settime(timer_fd, 0, &when, NULL));
	tap_check(!vmm_loop_add(vm.loop, timer_fd, over, NULL));
	tap_check(!vmm_loop_add(vm.loop, vm.end_fd, over, NULL));
	tap_equal(vmm_loop_run(vm.loop), 1);
	vmm_loop_del(vm.loop, vm.end_fd);
	vmm_loop_del(vm.loop, timer_fd);
	close(timer_fd);
}

static void keep_line(void *arg, const char *line, size_t len)
{
	snprintf(arg, 160, "%.*s", (int)len, line);
}

static u64 counted(const char *name)
{
	struct vmm_report report;
	unsigned int i;

	vmm_device_report(&dev, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static void a_stuck_vcpu_ends_the_guest(void)
{
	char line[160] = "";

	if (!device_new(4))
		return;
	vmm_log_also(keep_line, line);
	/* One vCPU has a second, the longest wait of a test; the others have more. */
	vmm_device_write(&dev, CPU(0) + LOAD, 80, 4);
	vmm_device_write(&dev, CPU(0) + STATUS, 1, 4);
	vmm_device_write(&dev, CPU(3) + LOAD, 10, 4);
	vmm_device_write(&dev, CPU(3) + STATUS, 1, 4);
	run(300);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	run(30000);
	vmm_log_also(NULL, NULL);
	tap_equal(vmm_vm_ended(&vm), VMM_END_PANIC);
	tap_context("%s", line);
	tap_check(strstr(line, "vCPU 3 is stuck: for 1 s"));
	tap_equal(counted("stuck"), 1);
	tap_equal(counted("reloads"), 2);
	tap_check(counted("looks") >= 1);
	device_end();
}

/* The remaining time is saved, and continues after any time. */
static void a_saved_counter_goes_on(void)
{
	struct vmm_state state;

	if (!device_new(2))
		return;
	vmm_device_write(&dev, CPU(1) + HZ, 100, 4);
	vmm_device_write(&dev, CPU(1) + LOAD, 5000, 4);
	vmm_device_write(&dev, CPU(1) + STATUS, 1, 4);
	dev.ops->pause(&dev);
	((struct vmm_stall *)dev.state)->cpu[1].left = 40 * SECOND;
	tap_equal(vmm_device_save(&dev, &state), 0);
	dev.ops->reset(&dev);
	tap_equal(vmm_device_load(&dev, &state), 0);
	tap_equal(vmm_device_read(&dev, CPU(1) + CURRENT, 4), 40);
	tap_equal(vmm_device_read(&dev, CPU(1) + LOAD, 4), 5000);
	run(600);
	tap_equal(vmm_device_read(&dev, CPU(1) + CURRENT, 4), 40);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	dev.ops->resume(&dev);
	run(30000);
	tap_equal(vmm_vm_ended(&vm), VMM_END_PANIC);
	device_end();
	/* A VM with another number of vCPUs refuses the state. */
	if (device_new(3)) {
		dev.ops->pause(&dev);
		tap_check(vmm_device_load(&dev, &state) < 0);
		device_end();
	}
	vmm_state_free(&state);
}

static void see(struct vmm_visitor *visitor, const struct vmm_description *d)
{
	(void)visitor;
	tap_check(!strcmp(d->compatible[0], "qemu,vcpu-stall-detector") && !d->compatible[1]);
	tap_check(!d->hid);
	tap_equal(d->base, dev.base);
	tap_equal(d->size, dev.size);
	tap_equal(d->trigger, 0);
}

static void it_describes_itself(void)
{
	struct vmm_visitor visitor = { .device = see };

	if (!device_new(1))
		return;
	dev.ops->describe(&dev, &visitor);
	device_end();
}

static const struct tap_case cases[] = {
	{ "registers read as written", registers_read_as_written },
	{ "a vCPU that reloads its counter is well", a_vcpu_that_reloads_is_well },
	{ "the one that does not is stuck", the_one_that_does_not_is_stuck },
	{ "one that does not run is not", one_that_does_not_run_is_not },
	{ "nothing counts while paused", nothing_counts_while_paused },
	{ "a host that stood still is no stuck vCPU", a_host_that_stood_still_is_no_stuck_vcpu },
	{ "a reload sets no timer", a_reload_sets_no_timer },
	{ "odd values do no harm", odd_values_do_no_harm },
	{ "a reset stops all", a_reset_stops_all },
	{ "a stuck vCPU ends the guest, and a line names it", a_stuck_vcpu_ends_the_guest },
	{ "a saved counter goes on", a_saved_counter_goes_on },
	{ "it describes itself", it_describes_itself },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
