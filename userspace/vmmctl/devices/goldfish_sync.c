// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish sync device, served by the kernel's /dev/vhost-goldfish-sync in one of two
 * ways.
 *
 * kernel: the guest's commands are doorbells, it is interrupted by an irqfd, and the kernel
 * device runs the vCPUs to serve their reads of commands. vmmctl handles only the set-up.
 *
 * user: vmmctl handles every access: it passes it to the same kernel code by an ioctl, and
 * sets the interrupt line itself. An emulator works like this; it is the baseline for
 * measurements of the other way.
 *
 * none: reads as 0 and ignores writes: to a driver, a device on which nothing happens.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/goldfish_sync.h>
#include <linux/vhost_goldfish_sync.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "devices/goldfish.h"
#include "host/host.h"

/* A write to either makes the kernel read a buffer in guest memory. */
static const u32 sync_bells[] = {
	GOLDFISH_SYNC_REG_BATCH_COMMAND, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND,
};

/**
 * struct sync - the state of the device
 * @dev: its description on the board
 * @mode: how it is served, not AUTO
 * @fd: the kernel's device, -1 if it is not served
 * @call_fd: eventfd by which the kernel raises the line
 * @resample_fd: eventfd that KVM signals when the guest has ended the interrupt
 * @runner: for the VM, if the kernel's device runs vCPUs
 * @bell: KVM's side of the doorbells; -1: none
 * @socket: Unix socket where a renderer gets its file, or NULL
 * @paused: the kernel's device takes no access; main thread and jobs
 * @lock: protects @level. If user-served, it is also held across each access, so that the
 *	line's level is always that of the last access
 * @level: the level that KVM was given last, user-served
 */
struct sync {
	struct vmm_device *dev;
	enum vmm_sync_mode mode;
	int fd;
	int call_fd;
	int resample_fd;
	struct vmm_runner runner;
	struct vmm_doorbell bell[ARRAY_SIZE(sync_bells)];
	struct vmm_file_socket *socket;
	bool paused;
	pthread_mutex_t lock;
	bool level;
};

static void sync_access(struct sync *s, struct vhost_goldfish_sync_access *access)
{
	while (ioctl(s->fd, VHOST_GOLDFISH_SYNC_ACCESS, access)) {
		if (errno == EINTR && !vmm_vm_ended(s->dev->vm))
			continue;
		if (errno != EINTR) {
			vmm_error(errno, "the sync device's kernel refuses an access to 0x%x",
				  access->offset);
			vmm_vm_end(s->dev->vm, VMM_END_ERROR);
		}
		access->flags = 0;
		access->value = 0;
		return;
	}
}

static void sync_access_any(struct sync *s, struct vhost_goldfish_sync_access *access)
{
	bool level;

	if (s->mode != VMM_SYNC_USER) {
		sync_access(s, access);
		return;
	}
	pthread_mutex_lock(&s->lock);
	sync_access(s, access);
	level = access->flags & VHOST_GOLDFISH_SYNC_ACCESS_LINE;
	if (level != s->level) {
		s->level = level;
		vmm_line_set(&s->dev->line, level);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Registers are 32 bits wide, whatever the length of the access. */
static u64 sync_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vhost_goldfish_sync_access access = { .offset = offset };
	struct sync *s = dev->state;

	(void)len;
	if (!s || s->fd < 0)
		return 0;
	sync_access_any(s, &access);
	return access.value;
}

static void sync_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vhost_goldfish_sync_access access = {
		.offset = offset,
		.flags = VHOST_GOLDFISH_SYNC_ACCESS_WRITE,
		.value = value,
	};
	struct sync *s = dev->state;

	(void)len;
	if (s && s->fd >= 0)
		sync_access_any(s, &access);
}

/* User-served: the kernel device may have changed the line; get its level. */
static int sync_called(void *arg)
{
	/* A read of this register has no effect: used to get the line's level. */
	struct vhost_goldfish_sync_access access = { .offset = GOLDFISH_SYNC_REG_INIT };
	struct sync *s = arg;

	vmm_event_clear(s->call_fd);
	if (!s->paused)
		sync_access_any(s, &access);
	return 0;
}

static int sync_own(struct sync *s)
{
	if (ioctl(s->fd, VHOST_SET_OWNER, 0))
		return vmm_error(errno, "cannot own %s", VMM_SYNC_NODE);
	if (vmm_vhost_set_mem(s->fd, &s->dev->vm->mem))
		return vmm_error(errno, "%s refuses the guest's memory", VMM_SYNC_NODE);
	return 0;
}

static int sync_bell_open(struct sync *s, unsigned int i)
{
	struct vhost_goldfish_sync_doorbell doorbell = { .offset = sync_bells[i] };
	struct vmm_doorbell *bell = &s->bell[i];

	bell->fd = vmm_event_create();
	if (bell->fd < 0)
		return bell->fd;
	bell->addr = s->dev->base + sync_bells[i];
	bell->len = sizeof(u32);
	doorbell.fd = bell->fd;
	/* The kernel device listens before KVM signals, so no signal is lost. */
	if (ioctl(s->fd, VHOST_GOLDFISH_SYNC_SET_DOORBELL, &doorbell))
		return vmm_error(errno, "%s refuses a doorbell", VMM_SYNC_NODE);
	return vmm_doorbell_add(s->dev->vm, bell);
}

/**
 * vmm_goldfish_sync_run - describe a vCPU that the sync device's module is to run
 * @runner: of that device
 * @vcpu: the vCPU
 *
 * Return: the argument for the module's ioctl
 */
struct vhost_goldfish_sync_run vmm_goldfish_sync_run(const struct vmm_runner *runner,
						     const struct vmm_vcpu *vcpu)
{
	return (struct vhost_goldfish_sync_run){
		.run = (uintptr_t)vcpu->run, .base = runner->base, .vcpu_fd = vcpu->fd,
	};
}

static int sync_run_vcpu(const struct vmm_runner *runner, struct vmm_vcpu *vcpu)
{
	struct vhost_goldfish_sync_run run = vmm_goldfish_sync_run(runner, vcpu);

	return ioctl(runner->fd, VHOST_GOLDFISH_SYNC_RUN, &run);
}

/* Without synchronous doorbells commands exit, and a note says so. */
static int sync_kernel_open(struct sync *s)
{
	struct vmm_vm *vm = s->dev->vm;
	u64 features = 0;
	unsigned int i;
	int err = 0;

	if (ioctl(s->fd, VHOST_GET_BACKEND_FEATURES, &features))
		features = 0;
	if (features >> VHOST_GOLDFISH_SYNC_F_RUN & 1) {
		s->runner = (struct vmm_runner){
			.run = sync_run_vcpu, .fd = s->fd, .base = s->dev->base,
		};
		vm->inner_runner = &s->runner;
	}
	if (!(features >> VHOST_GOLDFISH_SYNC_F_DOORBELL & 1)) {
		vmm_note("this kernel has no synchronous doorbell: sync commands will exit");
		return 0;
	}
	for (i = 0; !err && i < ARRAY_SIZE(sync_bells); i++)
		err = sync_bell_open(s, i);
	return err;
}

static int sync_line_open(struct sync *s)
{
	struct vhost_goldfish_sync_line line;
	int err;

	s->call_fd = vmm_event_create();
	if (s->call_fd < 0)
		return s->call_fd;
	if (s->mode == VMM_SYNC_USER) {
		err = vmm_loop_add(s->dev->vm->loop, s->call_fd, sync_called, s);
	} else {
		s->resample_fd = vmm_event_create();
		if (s->resample_fd < 0)
			return s->resample_fd;
		err = vmm_line_attach(&s->dev->line, s->call_fd, s->resample_fd);
	}
	if (err)
		return err;
	line = (struct vhost_goldfish_sync_line){
		.call_fd = s->call_fd, .resample_fd = s->resample_fd,
	};
	if (ioctl(s->fd, VHOST_GOLDFISH_SYNC_SET_LINE, &line))
		return vmm_error(errno, "%s refuses the interrupt line", VMM_SYNC_NODE);
	return 0;
}

static int sync_socket_open(struct sync *s)
{
	const struct vmm_file_offer offer = {
		.device_fd = s->fd, .request = VHOST_GOLDFISH_SYNC_RENDERER,
		.node = VMM_SYNC_NODE, .what = "renderer's file",
	};
	struct vmm_vm *vm = s->dev->vm;

	return vmm_file_socket_open(vm->cfg->sync_socket, vm->loop, &offer, &s->socket);
}

static int sync_open(struct sync *s)
{
	int err = sync_own(s);

	if (!err && s->mode == VMM_SYNC_KERNEL)
		err = sync_kernel_open(s);
	if (!err)
		err = sync_line_open(s);
	return err ? err : sync_socket_open(s);
}

/* The kernel device is closed first: it writes to all that is freed after it. */
static void sync_destroy(struct vmm_device *dev)
{
	struct sync *s = dev->state;
	unsigned int i;

	vmm_file_socket_close(s->socket);
	dev->vm->inner_runner = NULL;
	if (s->fd >= 0)
		close(s->fd);
	for (i = 0; i < ARRAY_SIZE(s->bell); i++) {
		if (s->bell[i].fd < 0)
			continue;
		vmm_doorbell_remove(dev->vm, &s->bell[i]);
		close(s->bell[i].fd);
	}
	if (s->call_fd >= 0) {
		vmm_loop_del(dev->vm->loop, s->call_fd);
		close(s->call_fd);
	}
	if (s->resample_fd >= 0)
		close(s->resample_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

#define SYNC_KERNEL_NEEDS	(VMM_KVM_IOEVENTFD | VMM_KVM_IRQFD | VMM_KVM_RESAMPLE)

/* Chooses between kernel and user if the module is there and the mode is AUTO. */
static enum vmm_sync_mode sync_auto(const struct sync *s)
{
	const char *missing = vmm_kvm_missing(s->dev->vm->lacks, SYNC_KERNEL_NEEDS);

	if (!missing)
		return VMM_SYNC_KERNEL;
	vmm_note("this host's KVM has no %s: the sync device is served by vmmctl", missing);
	return VMM_SYNC_USER;
}

/* AUTO uses the kernel device if it can be opened and KVM has what it needs. */
static int sync_choose(struct sync *s)
{
	const struct vmm_config *cfg = s->dev->vm->cfg;

	s->mode = cfg->sync;
	if (s->mode == VMM_SYNC_NONE)
		return 0;
	if (s->mode == VMM_SYNC_KERNEL &&
	    vmm_kvm_need(s->dev->vm->lacks, SYNC_KERNEL_NEEDS, "--sync kernel", "--sync user"))
		return -EOPNOTSUPP;
	s->fd = open(VMM_SYNC_NODE, O_RDWR | O_CLOEXEC);
	if (s->mode == VMM_SYNC_AUTO && !cfg->sync_socket && s->fd < 0) {
		if (errno != ENOENT && errno != ENODEV && errno != ENXIO)
			vmm_note("cannot open %s (%s): there is no sync device", VMM_SYNC_NODE,
				 strerror(errno));
		s->mode = VMM_SYNC_NONE;
		return 0;
	}
	if (s->fd < 0)
		return vmm_error(errno, "cannot open %s (is vhost_goldfish_sync loaded?)",
				 VMM_SYNC_NODE);
	if (s->mode == VMM_SYNC_AUTO)
		s->mode = sync_auto(s);
	return 0;
}

static int sync_create(struct vmm_device *dev)
{
	struct sync *s = calloc(1, sizeof(*s));
	unsigned int i;
	int err;

	if (!s)
		return vmm_error(ENOMEM, "sync");
	pthread_mutex_init(&s->lock, NULL);
	s->dev = dev;
	s->fd = -1;
	s->call_fd = -1;
	s->resample_fd = -1;
	for (i = 0; i < ARRAY_SIZE(s->bell); i++)
		s->bell[i].fd = -1;
	dev->state = s;
	err = sync_choose(s);
	if (!err && s->fd >= 0)
		err = sync_open(s);
	if (err)
		sync_destroy(dev);
	return err;
}

static void sync_reg_write(struct sync *s, u32 offset, u32 value)
{
	struct vhost_goldfish_sync_access access = {
		.offset = offset,
		.flags = VHOST_GOLDFISH_SYNC_ACCESS_WRITE,
		.value = value,
	};

	sync_access(s, &access);
}

/* The renderer stays connected, and is told of the reset. */
static void sync_reset(struct vmm_device *dev)
{
	struct sync *s = dev->state;

	if (s->fd < 0)
		return;
	pthread_mutex_lock(&s->lock);
	sync_reg_write(s, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, 0);
	sync_reg_write(s, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR, 0);
	sync_reg_write(s, GOLDFISH_SYNC_REG_INIT, 0);
	s->level = false;
	vmm_event_clear(s->call_fd);
	if (s->resample_fd >= 0)
		vmm_event_clear(s->resample_fd);
	pthread_mutex_unlock(&s->lock);
}

/* ---- snapshots ---- */

/* Tags of the saved state; a number is never reused. */
enum {
	STATE_SERVED = 1,	/* 1 if the kernel's device has a state, else 0 */
	STATE_MODULE,		/* the kernel device's state, opaque */
};

#define STATE_VERSION	1

static void sync_run(struct sync *s, int running)
{
	if (s->fd < 0 || !ioctl(s->fd, VHOST_GOLDFISH_SYNC_SET_RUNNING, &running))
		return;
	vmm_error(errno, "%s does not %s", VMM_SYNC_NODE, running ? "resume" : "stop");
	vmm_vm_end(s->dev->vm, VMM_END_ERROR);
}

static void sync_pause(struct vmm_device *dev)
{
	struct sync *s = dev->state;

	s->paused = true;
	sync_run(s, 0);
}

static void sync_resume(struct vmm_device *dev)
{
	struct sync *s = dev->state;

	s->paused = false;
	sync_run(s, 1);
	/* A change during the pause, see sync_called(). */
	if (s->mode == VMM_SYNC_USER && s->call_fd >= 0)
		vmm_event_signal(s->call_fd);
}

static int sync_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vhost_goldfish_sync_state arg = { .size = VHOST_GOLDFISH_SYNC_STATE_MAX };
	struct sync *s = dev->state;
	__le32 served = htole32(s->fd >= 0);
	u8 *bytes = NULL;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	if (s->fd >= 0) {
		bytes = malloc(arg.size);
		if (!bytes)
			return vmm_error(ENOMEM, "snapshot");
		arg.data = (uintptr_t)bytes;
		if (ioctl(s->fd, VHOST_GOLDFISH_SYNC_GET_STATE, &arg))
			err = vmm_error(errno, "%s does not return its state", VMM_SYNC_NODE);
	} else {
		arg.size = 0;
	}
	vmm_state_put(state, STATE_SERVED, &served, sizeof(served));
	vmm_state_put(state, STATE_MODULE, bytes, err ? 0 : arg.size);
	free(bytes);
	return err ? err : vmm_state_end(state);
}

static int sync_set_state(struct sync *s, const u8 *bytes, u32 len)
{
	struct vhost_goldfish_sync_state state = {
		.data = (uintptr_t)bytes, .size = len,
		.version = VHOST_GOLDFISH_SYNC_STATE_VERSION,
	};

	sync_run(s, 0);
	if (ioctl(s->fd, VHOST_GOLDFISH_SYNC_SET_STATE, &state))
		return vmm_error(errno, "snapshot: %s refuses its state", VMM_SYNC_NODE);
	sync_run(s, 1);
	/* User-served: the line's level has to be read. */
	if (s->mode == VMM_SYNC_USER)
		vmm_event_signal(s->call_fd);
	return 0;
}

/* Kernel and user are the same for the guest, but a served device must be served. */
static int sync_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct sync *s = dev->state;
	const bool serves = s->fd >= 0;
	const u8 *bytes;
	__le32 served;
	u32 len;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_SERVED, &served, sizeof(served));
	bytes = vmm_state_get_any(state, STATE_MODULE, &len);
	err = vmm_state_close(state);
	if (err)
		return err;
	if (le32toh(served) != serves)
		return vmm_error(-EINVAL, "snapshot: the sync device was %s (--sync)",
				 served ? "served" : "not served");
	if (!serves && len)
		return vmm_error(-EINVAL, "snapshot: a sync device that is not served has a state");
	return serves ? sync_set_state(s, bytes, len) : 0;
}

static void sync_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_sync",
		.compatible = { "google,goldfish-sync", "generic,goldfish-sync" },
		.hid = "GFSH0006", .name = "GFSK", .text = "goldfish sync",
	});
}

static void sync_stats(struct vmm_device *dev, struct vmm_report *report)
{
	struct vhost_goldfish_sync_stats stats = { .size = sizeof(stats) };
	const struct sync *s = dev->state;

	if (s->fd < 0 || ioctl(s->fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats))
		return;
	vmm_report_add(report, "kicks", stats.kicks);
	vmm_report_add(report, "kicks_foreign", stats.kicks_foreign);
	vmm_report_add(report, "kicks_lost", stats.kicks_lost);
	vmm_report_add(report, "commands", stats.commands);
	vmm_report_add(report, "commands_access", stats.commands_access);
	vmm_report_add(report, "replies", stats.replies);
	vmm_report_add(report, "reads", stats.reads);
	vmm_report_add(report, "reads_access", stats.reads_access);
	vmm_report_add(report, "sent", stats.sent);
	vmm_report_add(report, "batches", stats.batches);
	vmm_report_add(report, "resamples", stats.resamples);
	vmm_report_add(report, "rests", stats.rests);
	vmm_report_add(report, "bad_guest", stats.bad_guest);
	vmm_report_add(report, "waits", stats.waits);
	vmm_report_add(report, "timelines", stats.timelines);
	vmm_report_add(report, "fences", stats.fences);
	vmm_report_add(report, "queued", stats.queued);
	vmm_report_add(report, "doorbells", stats.doorbells);
}

/** The goldfish sync device: fences. */
const struct vmm_device_ops vmm_goldfish_sync_ops = {
	.name = "sync",
	.create = sync_create,
	.reset = sync_reset,
	.destroy = sync_destroy,
	.read = sync_read,
	.write = sync_write,
	.pause = sync_pause,
	.resume = sync_resume,
	.save = sync_save,
	.load = sync_load,
	.describe = sync_describe,
	.stats = sync_stats,
};
