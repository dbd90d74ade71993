// SPDX-License-Identifier: GPL-2.0-only
/*
 * A detector of stuck vCPUs: a counter for each vCPU, which runs down, and which the guest's
 * stock driver loads anew again and again from a timer of that vCPU. A vCPU whose counter
 * reaches 0 no longer takes interrupts: the guest ends as one that has panicked.
 *
 * Only time in which the vCPU could have run counts. Nothing counts while the VM is paused.
 * Where vmmctl as a whole stood still (SIGSTOP, a debugger, a host that was too busy), the
 * guest stood still with it. So the main loop looks at the counters once a second, and a
 * longer gap counts as two seconds: with the driver's own numbers a vCPU that is well has
 * two more to load its counter.
 *
 * The binding has an interrupt, by which the guest would be told before. It is optional, and
 * a vCPU that takes no interrupts is not helped by one: there is none.
 *
 * Source: Linux 6.12 Documentation/devicetree/bindings/misc/qemu,vcpu-stall-detector.yaml
 * for the defaults, drivers/misc/vcpu_stall_detector.c for the registers and their limits.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "devices/clock.h"
#include "devices/devices.h"

/* Registers of a vCPU; those of vCPU i are at i * REGS. */
#define REG_STATUS	0x00
#define REG_LOAD	0x04
#define REG_CURRENT	0x08
#define REG_CLOCK_HZ	0x0c
#define REGS		0x10

#define STATUS_RUNNING	(1 << 0)

#define DEFAULT_HZ	10
#define DEFAULT_LOAD	(8 * DEFAULT_HZ)	/* 8 seconds */
#define MAX_HZ		100

#define LOOK_NS		VMM_SECOND_NS
#define GAP_NS		(2 * VMM_SECOND_NS)

/* A tick in the unit of @left, with which any clock up to MAX_HZ divides without a rest. */
#define TICK		((u64)VMM_SECOND_NS)

/* Counts what has gone by since it was called last. */
static void stall_advance_locked(struct vmm_stall *stall)
{
	s64 now = stall->now(stall->arg);
	s64 gone = now - stall->last;
	unsigned int i;

	stall->last = now;
	if (stall->paused || gone <= 0)
		return;
	if (gone > GAP_NS)
		gone = GAP_NS;
	for (i = 0; i < stall->cpus; i++) {
		struct vmm_stall_cpu *cpu = &stall->cpu[i];
		u64 step = (u64)gone * cpu->hz;

		if (cpu->running)
			cpu->left = cpu->left > step ? cpu->left - step : 0;
	}
}

/* When to look next: a call for each change that makes it earlier, none for a reload. */
static void stall_wait_locked(struct vmm_stall *stall)
{
	u64 in = LOOK_NS;
	bool any = false;
	unsigned int i;
	s64 at;

	for (i = 0; i < stall->cpus && !stall->paused; i++) {
		const struct vmm_stall_cpu *cpu = &stall->cpu[i];
		u64 ns = (cpu->left + cpu->hz - 1) / cpu->hz;

		if (!cpu->running)
			continue;
		any = true;
		if (ns < in)
			in = ns;
	}
	at = any ? stall->last + (s64)in : 0;
	if (at ? stall->at && at >= stall->at : !stall->at)
		return;
	stall->at = at;
	stall->wake(stall->arg, at);
}

static void stall_load(struct vmm_stall_cpu *cpu, u32 load)
{
	cpu->load = load;
	cpu->left = load * TICK;
}

static void stall_clear_locked(struct vmm_stall *stall)
{
	unsigned int i;

	for (i = 0; i < stall->cpus; i++) {
		stall->cpu[i] = (struct vmm_stall_cpu){ .hz = DEFAULT_HZ };
		stall_load(&stall->cpu[i], DEFAULT_LOAD);
	}
}

/**
 * vmm_stall_init - make a detector in its reset state
 * @stall: its callbacks must be set, all else is zero
 * @cpus: vCPUs that the guest has, at most VMM_MAX_CPUS
 */
void vmm_stall_init(struct vmm_stall *stall, unsigned int cpus)
{
	pthread_mutex_init(&stall->lock, NULL);
	stall->cpus = cpus;
	stall->last = stall->now(stall->arg);
	stall_clear_locked(stall);
}

/**
 * vmm_stall_reset - put a detector into its reset state: no counter runs
 * @stall: the detector; it may be paused and stays so
 */
void vmm_stall_reset(struct vmm_stall *stall)
{
	pthread_mutex_lock(&stall->lock);
	stall_clear_locked(stall);
	stall_wait_locked(stall);
	pthread_mutex_unlock(&stall->lock);
}

static u32 stall_read_locked(struct vmm_stall *stall, const struct vmm_stall_cpu *cpu, u32 reg)
{
	switch (reg) {
	case REG_STATUS:
		return cpu->running ? STATUS_RUNNING : 0;
	case REG_LOAD:
		return cpu->load;
	case REG_CURRENT:
		stall_advance_locked(stall);
		return (cpu->left + TICK - 1) / TICK;
	case REG_CLOCK_HZ:
		return cpu->hz;
	default:
		return 0;
	}
}

/**
 * vmm_stall_read - answer a guest read
 * @stall: the detector
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value; 0 for a vCPU that the guest does not have
 */
u32 vmm_stall_read(struct vmm_stall *stall, u64 offset)
{
	u32 value;

	if (offset / REGS >= stall->cpus)
		return 0;
	pthread_mutex_lock(&stall->lock);
	value = stall_read_locked(stall, &stall->cpu[offset / REGS], offset % REGS);
	pthread_mutex_unlock(&stall->lock);
	return value;
}

static void stall_write_locked(struct vmm_stall *stall, struct vmm_stall_cpu *cpu, u32 reg,
			       u32 value)
{
	stall_advance_locked(stall);
	switch (reg) {
	case REG_STATUS:
		if (value & STATUS_RUNNING && !cpu->running)
			stall_load(cpu, cpu->load);
		cpu->running = value & STATUS_RUNNING;
		break;
	case REG_LOAD:
		stall_load(cpu, value);
		vmm_count(&stall->reloads, 1);
		break;
	case REG_CLOCK_HZ:
		if (value && value <= MAX_HZ)
			cpu->hz = value;
		break;
	}
	stall_wait_locked(stall);
}

/**
 * vmm_stall_write - take a guest write
 * @stall: the detector
 * @offset: byte offset of the register; that of a vCPU that the guest does not have is
 *	ignored
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_stall_write(struct vmm_stall *stall, u64 offset, u32 value)
{
	if (offset / REGS >= stall->cpus)
		return;
	pthread_mutex_lock(&stall->lock);
	stall_write_locked(stall, &stall->cpu[offset / REGS], offset % REGS, value);
	pthread_mutex_unlock(&stall->lock);
}

/**
 * vmm_stall_look - look for a vCPU that is stuck
 * @stall: the detector, which has asked for it, or not
 * @seconds: filled: what its counter was loaded with
 *
 * Context: any thread.
 * Return: a vCPU whose counter has reached 0 and is stopped now; -1 for none
 */
int vmm_stall_look(struct vmm_stall *stall, u32 *seconds)
{
	int stuck = -1;
	unsigned int i;

	pthread_mutex_lock(&stall->lock);
	stall->at = 0;
	stall_advance_locked(stall);
	for (i = 0; i < stall->cpus && !stall->paused && stuck < 0; i++) {
		struct vmm_stall_cpu *cpu = &stall->cpu[i];

		if (!cpu->running || cpu->left)
			continue;
		cpu->running = false;
		*seconds = cpu->load / cpu->hz;
		stuck = i;
	}
	stall_wait_locked(stall);
	pthread_mutex_unlock(&stall->lock);
	return stuck;
}

/**
 * vmm_stall_pause - have all counters stand still, or go on from where they were
 * @stall: the detector
 * @paused: which
 */
void vmm_stall_pause(struct vmm_stall *stall, bool paused)
{
	pthread_mutex_lock(&stall->lock);
	stall_advance_locked(stall);
	stall->paused = paused;
	stall_wait_locked(stall);
	pthread_mutex_unlock(&stall->lock);
}

/* ---- the device on the board ---- */

/**
 * struct detector - the model and a timer of the host's
 * @stall: the model
 * @dev: the device
 * @timer_fd: expires when the model wants to look
 * @looks: how often it has
 * @stuck: vCPUs that were stuck
 */
struct detector {
	struct vmm_stall stall;
	struct vmm_device *dev;
	int timer_fd;
	u64 looks;
	u64 stuck;
};

static s64 detector_now(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * VMM_SECOND_NS + now.tv_nsec;
}

static void detector_wake(void *arg, s64 at)
{
	const struct detector *detector = arg;
	struct itimerspec when = { .it_value = { at / VMM_SECOND_NS, at % VMM_SECOND_NS } };

	timerfd_settime(detector->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int detector_look(void *arg)
{
	struct detector *detector = arg;
	u64 expirations;
	u32 seconds;
	int cpu;

	if (read(detector->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	vmm_count(&detector->looks, 1);
	cpu = vmm_stall_look(&detector->stall, &seconds);
	/* The guest may have ended otherwise: nobody asks any more. */
	if (cpu < 0 || vmm_vm_ended(detector->dev->vm) != VMM_END_NONE)
		return 0;
	vmm_count(&detector->stuck, 1);
	vmm_note("vCPU %d is stuck: for %u s it has not reloaded its counter in the stall detector",
		 cpu, seconds);
	vmm_vm_end(detector->dev->vm, VMM_END_PANIC);
	return 0;
}

static void detector_destroy(struct vmm_device *dev)
{
	struct detector *detector = dev->state;

	if (detector->timer_fd >= 0) {
		vmm_loop_del(dev->vm->loop, detector->timer_fd);
		close(detector->timer_fd);
	}
	pthread_mutex_destroy(&detector->stall.lock);
	free(detector);
}

static int detector_create(struct vmm_device *dev)
{
	struct detector *detector = calloc(1, sizeof(*detector));
	int err;

	if (!detector)
		return vmm_error(ENOMEM, "stall_detector");
	detector->dev = dev;
	detector->stall.now = detector_now;
	detector->stall.wake = detector_wake;
	detector->stall.arg = detector;
	vmm_stall_init(&detector->stall, dev->vm->cfg->cpus);
	dev->state = detector;
	detector->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (detector->timer_fd < 0)
		err = vmm_error(errno, "stall_detector: cannot make a timer");
	else
		err = vmm_loop_add(dev->vm->loop, detector->timer_fd, detector_look, detector);
	if (err)
		detector_destroy(dev);
	return err;
}

static void detector_reset(struct vmm_device *dev)
{
	vmm_stall_reset(dev->state);
}

/* A register is 32 bits wide and read whole, however much of it the guest asks for. */
static u64 detector_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)len;
	return vmm_stall_read(dev->state, offset);
}

static void detector_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)len;
	vmm_stall_write(dev->state, offset, value);
}

static void detector_pause(struct vmm_device *dev)
{
	vmm_stall_pause(dev->state, true);
}

static void detector_resume(struct vmm_device *dev)
{
	vmm_stall_pause(dev->state, false);
}

/* Fields of the saved state, elements in the order of vCPUs; a number is never reused. */
enum {
	STATE_REGS = 1,	/* status, clock, load */
	STATE_LEFT,	/* what is left of the count, 1000000000 for a tick */
};

#define STATE_VERSION	1

static int detector_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_stall *stall = dev->state;
	__le32 regs[VMM_MAX_CPUS][3];
	__le64 left[VMM_MAX_CPUS];
	unsigned int i;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&stall->lock);
	for (i = 0; i < stall->cpus; i++) {
		regs[i][0] = htole32(stall->cpu[i].running);
		regs[i][1] = htole32(stall->cpu[i].hz);
		regs[i][2] = htole32(stall->cpu[i].load);
		left[i] = htole64(stall->cpu[i].left);
	}
	pthread_mutex_unlock(&stall->lock);
	vmm_state_put(state, STATE_REGS, regs, stall->cpus * sizeof(regs[0]));
	vmm_state_put(state, STATE_LEFT, left, stall->cpus * sizeof(left[0]));
	return vmm_state_end(state);
}

/* What no write of a guest can lead to is refused. */
static bool state_is_possible(const __le32 regs[3], __le64 left)
{
	u32 hz = le32toh(regs[1]);

	return le32toh(regs[0]) <= 1 && hz && hz <= MAX_HZ &&
	       le64toh(left) <= le32toh(regs[2]) * TICK;
}

static int detector_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_stall *stall = dev->state;
	__le32 regs[VMM_MAX_CPUS][3];
	__le64 left[VMM_MAX_CPUS];
	unsigned int i;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, regs, stall->cpus * sizeof(regs[0]));
	vmm_state_get(state, STATE_LEFT, left, stall->cpus * sizeof(left[0]));
	err = vmm_state_close(state);
	for (i = 0; i < stall->cpus && !err; i++) {
		if (!state_is_possible(regs[i], left[i]))
			err = -EINVAL;
	}
	if (err)
		return err;
	pthread_mutex_lock(&stall->lock);
	stall_advance_locked(stall);
	for (i = 0; i < stall->cpus; i++)
		stall->cpu[i] = (struct vmm_stall_cpu){
			.running = le32toh(regs[i][0]), .hz = le32toh(regs[i][1]),
			.load = le32toh(regs[i][2]), .left = le64toh(left[i]),
		};
	stall_wait_locked(stall);
	pthread_mutex_unlock(&stall->lock);
	return 0;
}

/* The driver's defaults are those that the device tree would say. */
static void detector_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "vmwdt",
		.compatible = { "qemu,vcpu-stall-detector" },
		.base = dev->base,
		.size = dev->size,
	};

	visitor->device(visitor, &description);
}

static void detector_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct detector *detector = dev->state;

	vmm_report_add(report, "reloads", vmm_counted(&detector->stall.reloads));
	vmm_report_add(report, "looks", vmm_counted(&detector->looks));
	vmm_report_add(report, "stuck", vmm_counted(&detector->stuck));
}

/** A detector of stuck vCPUs. */
const struct vmm_device_ops vmm_stall_detector_ops = {
	.name = "stall_detector",
	.create = detector_create,
	.reset = detector_reset,
	.destroy = detector_destroy,
	.read = detector_read,
	.write = detector_write,
	.pause = detector_pause,
	.resume = detector_resume,
	.save = detector_save,
	.load = detector_load,
	.describe = detector_describe,
	.stats = detector_stats,
};
