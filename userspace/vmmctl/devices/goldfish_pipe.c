// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish pipe, served by the kernel's /dev/vhost-goldfish-pipe in one of two ways.
 *
 * kernel: the guest rings a doorbell for each pipe and is interrupted by an irqfd. It reads
 * the reason of an interrupt from a window of memory; or the kernel's device runs the vCPUs
 * and serves that read. vmmctl handles the set-up and the first command of each pipe ID, at
 * which the ID gets its doorbell. While the guest's driver uses protocol v1, or no driver
 * has started, the window is hidden and vmmctl handles every access.
 *
 * user: vmmctl handles every access: it passes it to the same kernel code by an ioctl, and
 * sets the interrupt line itself. An emulator works like this; it is the baseline for
 * measurements of the other way.
 *
 * none: reads as 0. For a board on a host kernel without the module.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/goldfish_pipe.h>
#include <linux/vhost_goldfish_pipe.h>
#include <linux/vhost_goldfish_sync.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "devices/goldfish.h"
#include "host/guest.h"
#include "host/host.h"

/* Reads as 0 in both protocols, without effect: used to get the line's level. */
#define PIPE_REG_UNUSED	0x40

/**
 * struct pipe - the state of the device
 * @dev: its description on the board
 * @fd: the kernel's device, -1 if the pipe is not served
 * @window: page that the guest reads; its @hva is NULL if there is none
 * @window_fd: memfd behind it
 * @call_fd: eventfd by which the kernel raises the line
 * @resample_fd: eventfd that KVM signals when the guest has ended the interrupt
 * @runner: for the VM, if the kernel's device runs vCPUs
 * @doorbells: the kernel serves doorbells
 * @runs: the kernel's device can run vCPUs
 * @raises: the kernel device raises the line itself, by KVM's file of the VM
 * @line_memory: the line as the kernel device sees it, in the VM's list
 * @services: offered to the guest by other programs, or NULL
 * @socket: Unix socket where programs get files of services, or NULL
 * @paused: the kernel's device takes no access; main thread and jobs
 * @lock: protects what follows. If user-served, it is also held across each access, so that
 *	the line's level is always that of the last access
 * @level: the level that KVM was given last, user-served
 * @full: KVM accepts no more doorbells
 * @refused: commands after which a pipe was left without a doorbell
 * @doorbell: eventfd by pipe id, -1 for none
 */
struct pipe {
	struct vmm_device *dev;
	int fd;
	struct vmm_read_window window;
	int window_fd;
	int call_fd;
	int resample_fd;
	struct vmm_runner runner;
	bool doorbells;
	bool runs;
	bool raises;
	u64 line_memory[VHOST_GOLDFISH_PIPE_LINE_MEMORY / sizeof(u64)];
	struct vmm_pipe_services *services;
	struct vmm_file_socket *socket;
	bool paused;
	pthread_mutex_t lock;
	bool level;
	bool full;
	u64 refused;
	int doorbell[VHOST_GOLDFISH_PIPE_MAX_ID];
};

static int pipe_ring_set(struct pipe *p, u32 id, int fd)
{
	struct vhost_goldfish_pipe_doorbell bell = { .id = id, .fd = fd };

	return ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_DOORBELL, &bell) ? -errno : 0;
}

/*
 * The kernel device listens before KVM signals, so no signal is lost. On a failure, all is
 * undone, and commands of the ID exit (ACCESS). Only the first failure is reported: a limit
 * of files or of KVM that is reached stays reached.
 */
static int pipe_doorbell_attach_locked(struct pipe *p, u32 id)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vmm_doorbell bell = {
		.addr = p->dev->base + GOLDFISH_PIPE_REG_CMD,
		.len = sizeof(u32),
		.matches = true,
		.value = id,
		.fd = fd,
	};
	int err;

	if (fd < 0)
		return -errno;
	err = pipe_ring_set(p, id, fd);
	if (err)
		goto err_close;
	err = vmm_vm_ioeventfd(p->dev->vm, &bell);
	if (err)
		goto err_detach;
	p->doorbell[id] = fd;
	return 0;

err_detach:
	pipe_ring_set(p, id, -1);
err_close:
	close(fd);
	return err;
}

static void pipe_doorbell_add(struct pipe *p, u32 id)
{
	int err;

	if (id >= VHOST_GOLDFISH_PIPE_MAX_ID)
		return;
	pthread_mutex_lock(&p->lock);
	if (p->full) {
		p->refused++;
	} else if (p->doorbell[id] < 0) {
		err = pipe_doorbell_attach_locked(p, id);
		if (err) {
			p->full = true;
			p->refused++;
			vmm_note("pipe %u and later ones have no doorbell (%s): commands exit", id,
				 strerror(-err));
		}
	}
	pthread_mutex_unlock(&p->lock);
}

static void pipe_access(struct pipe *p, struct vhost_goldfish_pipe_access *access)
{
	while (ioctl(p->fd, VHOST_GOLDFISH_PIPE_ACCESS, access)) {
		if (errno == EINTR && !vmm_vm_ended(p->dev->vm))
			continue;
		if (errno != EINTR) {
			vmm_error(errno, "the pipe's kernel device refuses an access to 0x%x",
				  access->offset);
			vmm_vm_end(p->dev->vm, VMM_END_ERROR);
		}
		access->flags = 0;
		access->value = 0;
		return;
	}
}

static void pipe_level_locked(struct pipe *p, bool level)
{
	if (level == p->level)
		return;
	p->level = level;
	vmm_line_set(&p->dev->line, level);
}

static void pipe_access_user(struct pipe *p, struct vhost_goldfish_pipe_access *access)
{
	pthread_mutex_lock(&p->lock);
	pipe_access(p, access);
	pipe_level_locked(p, access->flags & VHOST_GOLDFISH_PIPE_ACCESS_LINE);
	pthread_mutex_unlock(&p->lock);
}

static void pipe_window_show_locked(struct pipe *p, bool show)
{
	if (p->window.hva && vmm_read_window_show(p->dev->vm, &p->window, show))
		vmm_vm_end(p->dev->vm, VMM_END_ERROR);
}

/* For an access that selects the protocol: the lock keeps the window in step with it. */
static void pipe_access_version(struct pipe *p, struct vhost_goldfish_pipe_access *access)
{
	pthread_mutex_lock(&p->lock);
	pipe_access(p, access);
	pipe_window_show_locked(p, !(access->flags & VHOST_GOLDFISH_PIPE_ACCESS_V1));
	pthread_mutex_unlock(&p->lock);
}

static void pipe_access_any(struct pipe *p, struct vhost_goldfish_pipe_access *access)
{
	u32 id = access->value;

	if (p->dev->vm->cfg->pipe == VMM_PIPE_USER) {
		pipe_access_user(p, access);
		return;
	}
	if (access->offset == GOLDFISH_PIPE_REG_VERSION) {
		pipe_access_version(p, access);
		return;
	}
	pipe_access(p, access);
	if (p->doorbells && access->flags & VHOST_GOLDFISH_PIPE_ACCESS_OPEN)
		pipe_doorbell_add(p, id);
}

/* Registers are 32 bits wide, whatever the length of the access. */
static u64 pipe_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct vhost_goldfish_pipe_access access = { .offset = offset };
	struct pipe *p = dev->state;

	(void)len;
	if (p->fd < 0)
		return 0;
	pipe_access_any(p, &access);
	return access.value;
}

static void pipe_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = offset,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = value,
	};
	struct pipe *p = dev->state;

	(void)len;
	if (p->fd >= 0)
		pipe_access_any(p, &access);
}

/* User-served: the kernel device may have changed the line; get its level. */
static int pipe_called(void *arg)
{
	struct vhost_goldfish_pipe_access access = { .offset = PIPE_REG_UNUSED };
	struct pipe *p = arg;

	vmm_event_clear(p->call_fd);
	if (!p->paused)
		pipe_access_user(p, &access);
	return 0;
}

/**
 * vmm_pipe_open_node - open the kernel's device
 *
 * Return: the file, or -errno
 */
int vmm_pipe_open_node(void)
{
	int fd = open(VMM_PIPE_NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vmm_error(errno, "cannot open %s (is vhost_goldfish_pipe loaded?)",
				 VMM_PIPE_NODE);
	return fd;
}

static int pipe_own(struct pipe *p)
{
	if (ioctl(p->fd, VHOST_SET_OWNER, 0))
		return vmm_error(errno, "cannot own %s", VMM_PIPE_NODE);
	if (vmm_vhost_set_mem(p->fd, &p->dev->vm->mem))
		return vmm_error(errno, "%s refuses the guest's memory", VMM_PIPE_NODE);
	return 0;
}

static int pipe_window_open(struct pipe *p)
{
	struct vhost_goldfish_pipe_window window;

	p->window.hva = vmm_mem_window(VMM_PAGE_SIZE, &p->window_fd);
	if (!p->window.hva)
		return vmm_error(errno, "cannot allocate the register window");
	/* Hidden until the driver asks for v2. */
	p->window.gpa = p->dev->base;
	p->window.size = VMM_PAGE_SIZE;
	vmm_read_window_add(p->dev->vm, &p->window);
	window.uaddr = (uintptr_t)p->window.hva;
	if (ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_WINDOW, &window))
		return vmm_error(errno, "%s refuses the register window", VMM_PIPE_NODE);
	return 0;
}

/* The pipe's module runs vCPUs by the sync device's: each serves its own reads. */
static int pipe_run_vcpu(const struct vmm_runner *runner, struct vmm_vcpu *vcpu)
{
	const struct vmm_runner *inner = vcpu->vm->inner_runner;
	struct vhost_goldfish_sync_run sync;
	struct vhost_goldfish_pipe_run run = {
		.run = (uintptr_t)vcpu->run, .base = runner->base, .fd = vcpu->fd,
	};

	if (inner) {
		sync = vmm_goldfish_sync_run(inner, vcpu);
		run.sync = (uintptr_t)&sync;
		run.fd = inner->fd;
	}
	return ioctl(runner->fd, VHOST_GOLDFISH_PIPE_RUN, &run);
}

/* Opens the window, or lets the kernel device serve reads where that is better. */
static int pipe_reads_open(struct pipe *p)
{
	struct vmm_vm *vm = p->dev->vm;
	bool slow = vmm_arch_window_slows && vm->cfg->window == VMM_WINDOW_AUTO;

	if (vm->read_window && !(p->runs && slow))
		return pipe_window_open(p);
	if (p->runs) {
		p->runner = (struct vmm_runner){
			.run = pipe_run_vcpu, .fd = p->fd, .base = p->dev->base,
		};
		vm->runner = &p->runner;
	}
	return 0;
}

static int pipe_line_set(struct pipe *p)
{
	struct vhost_goldfish_pipe_line line = {
		.call_fd = p->call_fd,
		.resample_fd = p->resample_fd,
	};

	if (ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_LINE, &line))
		return vmm_error(errno, "%s refuses the interrupt line", VMM_PIPE_NODE);
	return 0;
}

/* KVM's VM was created (@vm_fd is its file), or will be freed (@vm_fd is -1). */
static int pipe_line_vm(void *arg, int vm_fd)
{
	struct pipe *p = arg;
	struct vhost_goldfish_pipe_line_vm line = {
		.vm_fd = vm_fd,
		.gsi = p->dev->line.number,
		.uaddr = (uintptr_t)p->line_memory,
	};

	if (ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_LINE_VM, &line))
		return vmm_error(errno, "%s refuses to raise the interrupt line",
				 VMM_PIPE_NODE);
	return 0;
}

static int pipe_line_open(struct pipe *p)
{
	struct vmm_vm *vm = p->dev->vm;
	int err;

	p->call_fd = vmm_event_create();
	if (p->call_fd < 0)
		return p->call_fd;
	if (vm->cfg->pipe == VMM_PIPE_USER) {
		err = vmm_loop_add(vm->loop, p->call_fd, pipe_called, p);
	} else {
		p->resample_fd = vmm_event_create();
		if (p->resample_fd < 0)
			return p->resample_fd;
		/* A window and SET_LINE_VM exclude each other, see there. */
		if (p->raises && !p->window.hva) {
			p->dev->line.told = pipe_line_vm;
			p->dev->line.arg = p;
		}
		err = vmm_line_attach(&p->dev->line, p->call_fd, p->resample_fd);
	}
	return err ? err : pipe_line_set(p);
}

static int pipe_guest_services(void *arg)
{
	struct pipe *p = arg;

	return vmm_pipe_guest_services(p->fd);
}

static const struct vmm_guest_device pipe_guest = { .services = pipe_guest_services };

static void pipe_features(struct pipe *p)
{
	u64 features = 0;

	if (ioctl(p->fd, VHOST_GET_BACKEND_FEATURES, &features))
		features = 0;
	p->doorbells = features >> VHOST_GOLDFISH_PIPE_F_DOORBELL & 1;
	p->runs = features >> VHOST_GOLDFISH_PIPE_F_RUN & 1;
	p->raises = features >> VHOST_GOLDFISH_PIPE_F_LINE_VM & 1;
	if (p->dev->vm->lacks & VMM_KVM_IOEVENTFD) {
		vmm_note("this host's KVM has no ioeventfds: pipe commands will exit");
		p->doorbells = false;
	} else if (!p->doorbells) {
		vmm_note("this kernel has no synchronous doorbell: pipe commands will exit");
	}
}

static int pipe_socket_open(struct pipe *p)
{
	const struct vmm_file_offer offer = {
		.device_fd = p->fd, .request = VHOST_GOLDFISH_PIPE_SERVICES,
		.node = VMM_PIPE_NODE, .what = "file of services",
	};
	struct vmm_vm *vm = p->dev->vm;

	return vmm_file_socket_open(vm->cfg->pipe_socket, vm->loop, &offer, &p->socket);
}

static int pipe_open(struct pipe *p)
{
	struct vmm_vm *vm = p->dev->vm;
	int err = 0;

	if (vm->cfg->pipe == VMM_PIPE_KERNEL)
		err = vmm_kvm_need(vm->lacks, VMM_KVM_IRQFD | VMM_KVM_RESAMPLE, "--pipe kernel",
				   "--pipe user");
	if (err)
		return err;
	p->fd = vmm_pipe_open_node();
	if (p->fd < 0)
		return p->fd;
	err = pipe_own(p);
	if (!err)
		err = vmm_pipe_services_open(vm, p->fd, &p->services);
	if (!err)
		err = pipe_socket_open(p);
	if (!err)
		err = vmm_guest_attach(vm->host.guest, &pipe_guest, p);
	if (err)
		return err;
	if (vm->cfg->pipe == VMM_PIPE_KERNEL) {
		pipe_features(p);
		err = pipe_reads_open(p);
		if (err)
			return err;
	}
	return pipe_line_open(p);
}

/* The kernel device is closed first: it writes to all that is freed after it. */
static void pipe_destroy(struct vmm_device *dev)
{
	struct pipe *p = dev->state;
	unsigned int i;

	dev->line.told = NULL;
	dev->vm->runner = NULL;
	vmm_guest_detach(dev->vm->host.guest);
	vmm_file_socket_close(p->socket);
	vmm_pipe_services_close(p->services);
	if (p->fd >= 0)
		close(p->fd);
	for (i = 0; i < ARRAY_SIZE(p->doorbell); i++) {
		if (p->doorbell[i] >= 0)
			close(p->doorbell[i]);
	}
	if (p->call_fd >= 0) {
		vmm_loop_del(dev->vm->loop, p->call_fd);
		close(p->call_fd);
	}
	if (p->resample_fd >= 0)
		close(p->resample_fd);
	if (p->window.hva) {
		munmap(p->window.hva, VMM_PAGE_SIZE);
		close(p->window_fd);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int pipe_create(struct vmm_device *dev)
{
	struct pipe *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return vmm_error(ENOMEM, "pipe");
	pthread_mutex_init(&p->lock, NULL);
	p->dev = dev;
	p->fd = -1;
	p->call_fd = -1;
	p->resample_fd = -1;
	memset(p->doorbell, 0xff, sizeof(p->doorbell));
	dev->state = p;
	if (dev->vm->cfg->pipe == VMM_PIPE_NONE)
		return 0;
	/* The module gives services single pages of a memfd, which huge pages do not allow. */
	if (vmm_huge_page_bytes(dev->vm->mem.huge_pages))
		vmm_note("--huge-pages: a guest cannot give services of the pipe DMA regions");
	err = pipe_open(p);
	if (err)
		pipe_destroy(dev);
	return err;
}

static void pipe_reg_write(struct pipe *p, u32 offset, u32 value)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = offset,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = value,
	};

	pipe_access(p, &access);
}

/*
 * As when a driver starts: all pipes are closed and the kernel device uses v1 again. The file,
 * its services and the programs that serve them stay. KVM's doorbells were freed with its VM.
 */
static void pipe_reset(struct vmm_device *dev)
{
	struct pipe *p = dev->state;
	unsigned int i;

	if (p->fd < 0)
		return;
	pthread_mutex_lock(&p->lock);
	pipe_reg_write(p, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT, 0);
	pipe_reg_write(p, GOLDFISH_PIPE_REG_VERSION, 0);
	for (i = 0; i < ARRAY_SIZE(p->doorbell); i++) {
		if (p->doorbell[i] < 0)
			continue;
		pipe_ring_set(p, i, -1);
		close(p->doorbell[i]);
		p->doorbell[i] = -1;
	}
	p->full = false;
	p->level = false;
	pipe_window_show_locked(p, false);
	vmm_event_clear(p->call_fd);
	if (p->resample_fd >= 0)
		vmm_event_clear(p->resample_fd);
	pthread_mutex_unlock(&p->lock);
}

/* ---- snapshots ---- */

/* Tags of the saved state; a number is never reused. */
enum {
	STATE_MODE = 1,		/* who serves the pipe */
	STATE_MODULE,		/* the kernel device's state, opaque */
};

#define STATE_VERSION	1

static void pipe_run(struct pipe *p, int running)
{
	if (p->fd < 0 || !ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, &running))
		return;
	/* An older module has no snapshots, and cannot be stopped. */
	if (errno != ENOTTY) {
		vmm_error(errno, "%s does not %s", VMM_PIPE_NODE, running ? "resume" : "stop");
		vmm_vm_end(p->dev->vm, VMM_END_ERROR);
	}
}

static void pipe_pause(struct vmm_device *dev)
{
	struct pipe *p = dev->state;

	p->paused = true;
	pipe_run(p, 0);
}

static void pipe_resume(struct vmm_device *dev)
{
	struct pipe *p = dev->state;

	p->paused = false;
	pipe_run(p, 1);
	/* A change during the pause, see pipe_called(). */
	if (dev->vm->cfg->pipe == VMM_PIPE_USER && p->call_fd >= 0)
		vmm_event_signal(p->call_fd);
}

/* Asks for the size first; the module is stopped, so the size does not change. */
static int pipe_get_state(const struct pipe *p, u8 **bytes, u32 *len)
{
	struct vhost_goldfish_pipe_state state = { 0 };

	*bytes = NULL;
	if (!ioctl(p->fd, VHOST_GOLDFISH_PIPE_GET_STATE, &state))
		return -EIO;
	if (errno == ENOSPC && state.size <= VMM_STATE_SIZE)
		*bytes = malloc(state.size);
	if (!*bytes)
		return errno == ENOSPC ? -E2BIG : -errno;
	state.data = (uintptr_t)*bytes;
	if (ioctl(p->fd, VHOST_GOLDFISH_PIPE_GET_STATE, &state))
		return -errno;
	*len = state.size;
	return 0;
}

static int pipe_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct pipe *p = dev->state;
	__le32 mode = htole32(dev->vm->cfg->pipe);
	u8 *bytes = NULL;
	u32 len = 0;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	if (p->fd >= 0)
		err = pipe_get_state(p, &bytes, &len);
	vmm_state_put(state, STATE_MODE, &mode, sizeof(mode));
	vmm_state_put(state, STATE_MODULE, bytes, len);
	free(bytes);
	/* The module has only this reason for EOPNOTSUPP, because the version is its own. */
	if (err == -EOPNOTSUPP)
		return vmm_error(err,
				 "goldfish pipe: the guest's driver uses version 1 of the protocol, whose state cannot be saved");
	if (err)
		return vmm_error(-err, "%s does not return its state", VMM_PIPE_NODE);
	return vmm_state_end(state);
}

/*
 * Gives each ID that has an open pipe its doorbell, and finds the protocol of the driver. The
 * kernel has accepted the state, so its format is the header's; bounds are checked anyway.
 */
static void pipe_connect_loaded(struct pipe *p, const u8 *bytes, u32 len, bool *v2)
{
	struct vhost_goldfish_pipe_state_device device;
	struct vhost_goldfish_pipe_state_pipe pipe;
	struct vhost_goldfish_pipe_field field;
	u64 step;
	u64 at;

	*v2 = false;
	for (at = 0; at + sizeof(field) <= len; at += step) {
		memcpy(&field, bytes + at, sizeof(field));
		at += sizeof(field);
		step = ((u64)le32toh(field.length) + 7) & ~7ULL;
		if (step > len - at)
			return;
		if (le32toh(field.tag) == VHOST_GOLDFISH_PIPE_STATE_DEVICE &&
		    step >= sizeof(device)) {
			memcpy(&device, bytes + at, sizeof(device));
			*v2 = le32toh(device.version) == GOLDFISH_PIPE_DEVICE_VERSION;
		} else if (le32toh(field.tag) == VHOST_GOLDFISH_PIPE_STATE_PIPE &&
			   step >= sizeof(pipe) && p->doorbells) {
			memcpy(&pipe, bytes + at, sizeof(pipe));
			pipe_doorbell_add(p, le32toh(pipe.id));
		}
	}
}

static int pipe_set_state(struct pipe *p, const u8 *bytes, u32 len)
{
	struct vhost_goldfish_pipe_state state = {
		.data = (uintptr_t)bytes, .size = len,
		.version = VHOST_GOLDFISH_PIPE_STATE_VERSION,
	};
	bool v2;

	pipe_run(p, 0);
	if (ioctl(p->fd, VHOST_GOLDFISH_PIPE_SET_STATE, &state))
		return vmm_error(errno, "snapshot: %s refuses its state", VMM_PIPE_NODE);
	pipe_connect_loaded(p, bytes, len, &v2);
	pthread_mutex_lock(&p->lock);
	pipe_window_show_locked(p, v2);
	pthread_mutex_unlock(&p->lock);
	pipe_run(p, 1);
	/* User-served: the line's level has to be read. */
	if (p->dev->vm->cfg->pipe == VMM_PIPE_USER)
		vmm_event_signal(p->call_fd);
	return 0;
}

static int pipe_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct pipe *p = dev->state;
	const u8 *bytes;
	__le32 mode;
	u32 len;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_MODE, &mode, sizeof(mode));
	bytes = vmm_state_get_any(state, STATE_MODULE, &len);
	err = vmm_state_close(state);
	if (err)
		return err;
	if (le32toh(mode) != dev->vm->cfg->pipe)
		return vmm_error(-EINVAL, "snapshot: the pipe is served in another way (--pipe)");
	return p->fd < 0 ? 0 : pipe_set_state(p, bytes, len);
}

static void pipe_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	/* Not described if it is not served: the driver would report an error. */
	if (dev->vm && dev->vm->cfg->pipe == VMM_PIPE_NONE)
		return;
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_pipe",
		.compatible = { "google,android-pipe", "generic,android-pipe" },
		.hid = "GFSH0003",
		.name = "GFPP",
		.text = "goldfish pipe",
	});
}

static void pipe_stats(struct vmm_device *dev, struct vmm_report *report)
{
	struct vhost_goldfish_pipe_stats stats = { .size = sizeof(stats) };
	struct pipe *p = dev->state;

	if (p->fd < 0 || ioctl(p->fd, VHOST_GOLDFISH_PIPE_GET_STATS, &stats))
		return;
	vmm_report_add(report, "kicks", stats.kicks);
	vmm_report_add(report, "kicks_foreign", stats.kicks_foreign);
	vmm_report_add(report, "kicks_lost", stats.kicks_lost);
	vmm_report_add(report, "commands", stats.commands);
	vmm_report_add(report, "commands_access", stats.commands_access);
	vmm_report_add(report, "opens", stats.opens);
	vmm_report_add(report, "closes", stats.closes);
	vmm_report_add(report, "bytes_to_host", stats.bytes_to_host);
	vmm_report_add(report, "bytes_to_guest", stats.bytes_to_guest);
	vmm_report_add(report, "signals", stats.signals);
	vmm_report_add(report, "batches", stats.batches);
	vmm_report_add(report, "resamples", stats.resamples);
	vmm_report_add(report, "line_vm", stats.line_vm);
	vmm_report_add(report, "bad_guest", stats.bad_guest);
	vmm_report_add(report, "pipes", stats.pipes);
	vmm_report_add(report, "doorbells", stats.doorbells);
	pthread_mutex_lock(&p->lock);
	vmm_report_add(report, "doorbells_refused", p->refused);
	pthread_mutex_unlock(&p->lock);
}

/** The goldfish pipe. */
const struct vmm_device_ops vmm_pipe_ops = {
	.name = "pipe",
	.create = pipe_create,
	.reset = pipe_reset,
	.destroy = pipe_destroy,
	.read = pipe_read,
	.write = pipe_write,
	.pause = pipe_pause,
	.resume = pipe_resume,
	.save = pipe_save,
	.load = pipe_load,
	.describe = pipe_describe,
	.stats = pipe_stats,
};
