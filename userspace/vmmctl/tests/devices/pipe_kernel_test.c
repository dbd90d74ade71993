// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish pipe in front of the kernel's device: which requests /dev/vhost-goldfish-pipe
 * and KVM get, in which order and with what, and what is said of each that fails. The kernel is
 * the test's.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/goldfish_pipe.h>
#include <linux/vhost_goldfish_pipe.h>

#include "devices/devices.h"
#include "host/host.h"
#include "tests/tap.h"

#define BASE		0xff018000ULL
#define GSI		17
#define REQUESTS	256
#define ALL		(1ULL << VHOST_GOLDFISH_PIPE_F_DOORBELL | \
			 1ULL << VHOST_GOLDFISH_PIPE_F_RUN | \
			 1ULL << VHOST_GOLDFISH_PIPE_F_LINE_VM)

/* ---- the kernel ---- */

static struct {
	int node;
	unsigned long request[REQUESTS];
	unsigned int requests;
	unsigned long fails;		/* this request, with @err; 1: opening the node */
	int err;
	unsigned int interrupts;	/* an access is interrupted so often first */
	u64 features;
	u32 answers;			/* flags of the next access */
	struct vhost_goldfish_pipe_access access;
	struct vhost_goldfish_pipe_line line;
	struct vhost_goldfish_pipe_line_vm line_vm;
	struct vhost_goldfish_pipe_run run;
	u64 window;
	int running;
	u32 bell_id;
	int bell_fd;
	const u8 *state;
	u32 state_len;
	u8 loaded[256];
	struct kvm_ioeventfd ioeventfd;	/* KVM's */
	unsigned int ioeventfds;
	struct kvm_userspace_memory_region region;
	unsigned int regions;
} kernel;

static char said[1024];

int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/vhost-goldfish-pipe"))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	if (kernel.fails == 1) {
		errno = kernel.err;
		return -1;
	}
	kernel.node = memfd_create(path, MFD_CLOEXEC);
	return kernel.node;
}

static int access_served(struct vhost_goldfish_pipe_access *access)
{
	if (kernel.interrupts) {
		kernel.interrupts--;
		errno = EINTR;
		return -1;
	}
	kernel.access = *access;
	access->flags = kernel.answers;
	if (!(kernel.access.flags & VHOST_GOLDFISH_PIPE_ACCESS_WRITE))
		access->value = 0x1234;
	return 0;
}

static int state_get(struct vhost_goldfish_pipe_state *state)
{
	bool fits = state->size >= kernel.state_len && kernel.state_len;

	/* The caller has as much room as it was told of. */
	if (state->data)
		fits = true;
	state->size = kernel.state_len;
	if (!fits) {
		errno = ENOSPC;
		return -1;
	}
	memcpy((void *)(uintptr_t)state->data, kernel.state, kernel.state_len);
	return 0;
}

static int state_set(const struct vhost_goldfish_pipe_state *state)
{
	tap_equal(state->version, VHOST_GOLDFISH_PIPE_STATE_VERSION);
	tap_equal(kernel.running, 0);
	if (tap_check(state->size <= sizeof(kernel.loaded)))
		memcpy(kernel.loaded, (void *)(uintptr_t)state->data, state->size);
	return 0;
}

static int node_ioctl(unsigned long request, void *arg)
{
	struct vhost_goldfish_pipe_doorbell *bell = arg;

	switch (request) {
	case VHOST_GET_BACKEND_FEATURES:
		*(u64 *)arg = kernel.features;
		break;
	case VHOST_GOLDFISH_PIPE_ACCESS:
		return access_served(arg);
	case VHOST_GOLDFISH_PIPE_SET_LINE:
		kernel.line = *(struct vhost_goldfish_pipe_line *)arg;
		break;
	case VHOST_GOLDFISH_PIPE_SET_LINE_VM:
		kernel.line_vm = *(struct vhost_goldfish_pipe_line_vm *)arg;
		break;
	case VHOST_GOLDFISH_PIPE_SET_WINDOW:
		kernel.window = ((struct vhost_goldfish_pipe_window *)arg)->uaddr;
		break;
	case VHOST_GOLDFISH_PIPE_SET_RUNNING:
		kernel.running = *(int *)arg;
		break;
	case VHOST_GOLDFISH_PIPE_SET_DOORBELL:
		kernel.bell_id = bell->id;
		kernel.bell_fd = bell->fd;
		break;
	case VHOST_GOLDFISH_PIPE_RUN:
		kernel.run = *(struct vhost_goldfish_pipe_run *)arg;
		break;
	case VHOST_GOLDFISH_PIPE_GET_STATE:
		return state_get(arg);
	case VHOST_GOLDFISH_PIPE_SET_STATE:
		return state_set(arg);
	case VHOST_GOLDFISH_PIPE_GET_STATS:
		((struct vhost_goldfish_pipe_stats *)arg)->kicks = 11;
		((struct vhost_goldfish_pipe_stats *)arg)->doorbells = 3;
		break;
	}
	return 0;
}

static int kvm_ioctl(unsigned long request, void *arg)
{
	if (request == KVM_IOEVENTFD) {
		kernel.ioeventfd = *(struct kvm_ioeventfd *)arg;
		kernel.ioeventfds++;
	} else if (request == KVM_SET_USER_MEMORY_REGION) {
		kernel.region = *(struct kvm_userspace_memory_region *)arg;
		kernel.regions++;
	}
	return 0;
}

static struct vmm_config cfg;
static struct vmm_vm vm;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd != kernel.node && fd != vm.fd)
		return syscall(SYS_ioctl, fd, request, arg);
	if (fd == kernel.node && kernel.requests < REQUESTS)
		kernel.request[kernel.requests++] = request;
	if (kernel.fails == request) {
		errno = kernel.err;
		return -1;
	}
	return fd == kernel.node ? node_ioctl(request, arg) : kvm_ioctl(request, arg);
}

static unsigned int asked(unsigned long request)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < kernel.requests; i++)
		n += kernel.request[i] == request;
	return n;
}

/* Returns the place of a request among those that were made, or -1. */
static int place(unsigned long request)
{
	unsigned int i;

	for (i = 0; i < kernel.requests; i++) {
		if (kernel.request[i] == request)
			return i;
	}
	return -1;
}

/* ---- a machine with nothing but the pipe ---- */

static bool level;
static unsigned int attached;

static void line_set(struct vmm_line *line, bool raised)
{
	tap_equal(line->number, GSI);
	level = raised;
}

static int line_attach(struct vmm_line *line)
{
	tap_equal(line->number, GSI);
	attached++;
	return 0;
}

static const struct vmm_line_ops line_ops = { .set = line_set, .attach = line_attach };
static struct vmm_device *pipe_dev;

static void kernel_reset(u64 features)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.node = -1;
	kernel.bell_fd = -1;
	kernel.running = -1;
	kernel.features = features;
	level = false;
	attached = 0;
}

/* Returns what vmm_board_create() does; the rest is there in any case. */
static int machine_create(enum vmm_pipe_mode pipe, bool window)
{
	int err;

	cfg = (struct vmm_config){ .pipe = pipe, .window = VMM_WINDOW_ON, .memory = MIB };
	vm = (struct vmm_vm){
		.cfg = &cfg, .line_ops = &line_ops, .read_window = window,
		.loop = vmm_loop_create(), .end_fd = vmm_event_create(),
		.fd = memfd_create("kvm", MFD_CLOEXEC),
	};
	pipe_dev = vmm_board_add(&vm.board, &vmm_pipe_ops, BASE, 0x1000, GSI);
	if (vmm_mem_add(&vm.mem, 0, cfg.memory))
		return 1;
	tap_listen();
	err = vmm_board_create(&vm);
	tap_heard(said, sizeof(said));
	return err;
}

static bool machine_open(enum vmm_pipe_mode pipe, bool window, u64 features)
{
	kernel_reset(features);
	return tap_equal(machine_create(pipe, window), 0);
}

static void machine_close(void)
{
	kernel.fails = 0;
	vmm_board_destroy(&vm);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
	close(vm.end_fd);
	close(vm.fd);
	vm.fd = -1;
}

static u32 reg_read(u32 offset)
{
	return vmm_device_read(pipe_dev, offset, 4);
}

static void reg_write(u32 offset, u32 value)
{
	vmm_device_write(pipe_dev, offset, value, 4);
}

/* The guest opens a pipe with a command. */
static void pipe_opened(u32 id)
{
	kernel.answers = VHOST_GOLDFISH_PIPE_ACCESS_OPEN;
	reg_write(GOLDFISH_PIPE_REG_CMD, id);
	kernel.answers = 0;
}

/* ---- cases ---- */

static void without_a_pipe(void)
{
	if (!machine_open(VMM_PIPE_NONE, true, ALL))
		return;
	tap_equal(kernel.node, -1);
	tap_equal(reg_read(GOLDFISH_PIPE_REG_VERSION), 0);
	reg_write(GOLDFISH_PIPE_REG_VERSION, 2);
	pipe_dev->ops->reset(pipe_dev);
	pipe_dev->ops->pause(pipe_dev);
	pipe_dev->ops->resume(pipe_dev);
	tap_equal(kernel.requests, 0);
	machine_close();
}

static void is_opened(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	tap_equal(place(VHOST_SET_OWNER), 0);
	tap_equal(place(VHOST_SET_MEM_TABLE), 1);
	tap_check(place(VHOST_GOLDFISH_PIPE_SET_WINDOW) > 1);
	tap_check(place(VHOST_GOLDFISH_PIPE_SET_LINE) > place(VHOST_GOLDFISH_PIPE_SET_WINDOW));
	tap_check(kernel.window && !(kernel.window & (VMM_PAGE_SIZE - 1)));
	tap_check(kernel.line.call_fd >= 0 && kernel.line.resample_fd >= 0);
	tap_equal(attached, 1);
	tap_check(!*said);
	/* With a window, the module does not raise the line itself. */
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_LINE_VM), 0);
	tap_check(!vm.runner);
	machine_close();
	tap_check(!vm.runner);
}

/* Without a window, the module runs vCPUs and raises the line. */
static void without_a_window(void)
{
	struct kvm_run run;
	struct vmm_vcpu vcpu = { .vm = &vm, .fd = 99, .run = &run };

	if (!machine_open(VMM_PIPE_KERNEL, false, ALL))
		return;
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_WINDOW), 0);
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_LINE_VM), 1);
	tap_equal(kernel.line_vm.vm_fd, vm.fd);
	tap_equal(kernel.line_vm.gsi, GSI);
	tap_check(kernel.line_vm.uaddr && !(kernel.line_vm.uaddr & 7));
	if (tap_check(vm.runner)) {
		tap_equal(vm.runner->run(vm.runner, &vcpu), 0);
		tap_equal(kernel.run.run, (uintptr_t)&run);
		tap_equal(kernel.run.base, BASE);
		tap_equal(kernel.run.fd, 99);
		tap_equal(kernel.run.sync, 0);
		kernel.fails = VHOST_GOLDFISH_PIPE_RUN;
		kernel.err = EINTR;
		tap_check(vm.runner->run(vm.runner, &vcpu) < 0 && errno == EINTR);
		kernel.fails = 0;
	}
	/* A VM that will be freed is taken away first. */
	vmm_lines_disconnect(&vm);
	tap_equal((u32)kernel.line_vm.vm_fd, (u32)-1);
	kernel.fails = VHOST_GOLDFISH_PIPE_SET_LINE_VM;
	kernel.err = EINVAL;
	tap_listen();
	tap_equal(vmm_lines_connect(&vm), -EINVAL);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "/dev/vhost-goldfish-pipe refuses to raise the interrupt line"));
	machine_close();
}

static void an_older_module(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, false, 0))
		return;
	tap_check(strstr(said, "this kernel has no synchronous doorbell: pipe commands will exit"));
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_LINE_VM), 0);
	tap_check(!vm.runner);
	pipe_opened(3);
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_DOORBELL), 0);
	/* It has no snapshots, and cannot be stopped: that is no error. */
	kernel.fails = VHOST_GOLDFISH_PIPE_SET_RUNNING;
	kernel.err = ENOTTY;
	pipe_dev->ops->pause(pipe_dev);
	pipe_dev->ops->resume(pipe_dev);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	machine_close();
}

static void failures_are_told(void)
{
	static const struct {
		unsigned long request;
		int err;
		const char *says;
	} rows[] = {
		{ 1, ENOENT,
		  "cannot open /dev/vhost-goldfish-pipe (is vhost_goldfish_pipe loaded?)" },
		{ VHOST_SET_OWNER, EBUSY, "cannot own /dev/vhost-goldfish-pipe" },
		{ VHOST_SET_MEM_TABLE, ENOMEM,
		  "/dev/vhost-goldfish-pipe refuses the guest's memory" },
		{ VHOST_GOLDFISH_PIPE_SET_WINDOW, EFAULT,
		  "/dev/vhost-goldfish-pipe refuses the register window" },
		{ VHOST_GOLDFISH_PIPE_SET_LINE, EBADF,
		  "/dev/vhost-goldfish-pipe refuses the interrupt line" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kernel_reset(ALL);
		kernel.fails = rows[i].request;
		kernel.err = rows[i].err;
		tap_equal(machine_create(VMM_PIPE_KERNEL, true), -rows[i].err);
		tap_context("row %u said: %.80s", i, said);
		tap_check(strstr(said, rows[i].says));
		tap_check(strstr(said, strerror(rows[i].err)));
		machine_close();
	}
}

static void kernel_accesses(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	tap_equal(reg_read(GOLDFISH_PIPE_REG_GET_SIGNALLED), 0x1234);
	tap_equal(kernel.access.offset, GOLDFISH_PIPE_REG_GET_SIGNALLED);
	tap_equal(kernel.access.flags, 0);
	reg_write(GOLDFISH_PIPE_REG_OPEN_BUFFER, 0x5678);
	tap_equal(kernel.access.offset, GOLDFISH_PIPE_REG_OPEN_BUFFER);
	tap_equal(kernel.access.flags, VHOST_GOLDFISH_PIPE_ACCESS_WRITE);
	tap_equal(kernel.access.value, 0x5678);
	/* A signal is no reason to lose an access. */
	kernel.interrupts = 2;
	tap_equal(reg_read(GOLDFISH_PIPE_REG_GET_SIGNALLED), 0x1234);
	tap_equal(kernel.interrupts, 0);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	/* Of a guest that ends, it is. */
	vmm_vm_end(&vm, VMM_END_OFF);
	kernel.interrupts = 1;
	tap_equal(reg_read(GOLDFISH_PIPE_REG_GET_SIGNALLED), 0);
	tap_equal(vmm_vm_ended(&vm), VMM_END_OFF);
	machine_close();
}

static void a_refused_access_ends_the_guest(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	kernel.fails = VHOST_GOLDFISH_PIPE_ACCESS;
	kernel.err = EIO;
	tap_listen();
	tap_equal(reg_read(GOLDFISH_PIPE_REG_GET_SIGNALLED), 0);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "the pipe's kernel device refuses an access to 0x"));
	tap_equal(vmm_vm_ended(&vm), VMM_END_ERROR);
	machine_close();
}

/* The guest sees the window while its driver uses v2. */
static void the_window_follows_the_protocol(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	tap_equal(kernel.regions, 0);
	reg_write(GOLDFISH_PIPE_REG_VERSION, GOLDFISH_PIPE_DEVICE_VERSION);
	tap_equal(kernel.regions, 1);
	tap_equal(kernel.region.guest_phys_addr, BASE);
	tap_equal(kernel.region.memory_size, VMM_PAGE_SIZE);
	tap_equal(kernel.region.userspace_addr, kernel.window);
	tap_equal(kernel.region.flags, KVM_MEM_READONLY);
	reg_write(GOLDFISH_PIPE_REG_VERSION, GOLDFISH_PIPE_DEVICE_VERSION);
	tap_equal(kernel.regions, 1);
	kernel.answers = VHOST_GOLDFISH_PIPE_ACCESS_V1;
	reg_write(GOLDFISH_PIPE_REG_VERSION, 1);
	tap_equal(kernel.regions, 2);
	tap_equal(kernel.region.memory_size, 0);
	kernel.answers = 0;
	kernel.fails = KVM_SET_USER_MEMORY_REGION;
	kernel.err = ENOMEM;
	tap_listen();
	reg_write(GOLDFISH_PIPE_REG_VERSION, GOLDFISH_PIPE_DEVICE_VERSION);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "KVM cannot show a device's memory at 0xff018000"));
	tap_equal(vmm_vm_ended(&vm), VMM_END_ERROR);
	machine_close();
}

/* Each ID gets one doorbell, at its first command, and keeps it. */
static void each_pipe_has_a_doorbell(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	pipe_opened(5);
	tap_equal(kernel.bell_id, 5);
	tap_check(kernel.bell_fd >= 0);
	tap_equal(kernel.ioeventfds, 1);
	tap_equal(kernel.ioeventfd.addr, BASE + GOLDFISH_PIPE_REG_CMD);
	tap_equal(kernel.ioeventfd.len, 4);
	tap_equal(kernel.ioeventfd.datamatch, 5);
	tap_equal(kernel.ioeventfd.flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
	tap_equal(kernel.ioeventfd.fd, kernel.bell_fd);
	pipe_opened(5);
	tap_equal(kernel.ioeventfds, 1);
	pipe_opened(VHOST_GOLDFISH_PIPE_MAX_ID - 1);
	tap_equal(kernel.ioeventfds, 2);
	pipe_opened(VHOST_GOLDFISH_PIPE_MAX_ID);
	tap_equal(kernel.ioeventfds, 2);
	/* A command that leaves no pipe open gets none. */
	reg_write(GOLDFISH_PIPE_REG_CMD, 9);
	tap_equal(kernel.ioeventfds, 2);
	machine_close();
}

static u64 told(const char *name)
{
	struct vmm_report report = { 0 };
	unsigned int i;

	pipe_dev->ops->stats(pipe_dev, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

/* Where KVM takes no more, the command exits, and that is said once. */
static void doorbells_may_run_out(void)
{
	static const unsigned long requests[] = {
		KVM_IOEVENTFD, VHOST_GOLDFISH_PIPE_SET_DOORBELL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
			return;
		pipe_opened(1);
		kernel.fails = requests[i];
		kernel.err = ENOSPC;
		tap_listen();
		pipe_opened(2);
		pipe_opened(3);
		tap_heard(said, sizeof(said));
		tap_check(strstr(said, "pipe 2 and later ones have no doorbell (No space left"));
		tap_check(!strstr(said, "pipe 3"));
		tap_equal(told("doorbells_refused"), 2);
		tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
		/* What was given to the module is taken back. */
		if (requests[i] == KVM_IOEVENTFD)
			tap_equal((u32)kernel.bell_fd, (u32)-1);
		machine_close();
	}
}

static void a_reset_starts_again(void)
{
	unsigned int requests;

	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	reg_write(GOLDFISH_PIPE_REG_VERSION, GOLDFISH_PIPE_DEVICE_VERSION);
	pipe_opened(7);
	vmm_event_signal(kernel.line.call_fd);
	vmm_event_signal(kernel.line.resample_fd);
	kernel.requests = 0;
	pipe_dev->ops->reset(pipe_dev);
	requests = kernel.requests;
	/* Pipes are closed, the protocol is v1, and ID 7 has no doorbell any more. */
	tap_equal(requests, 3);
	tap_equal(kernel.request[0], VHOST_GOLDFISH_PIPE_ACCESS);
	tap_equal(kernel.request[1], VHOST_GOLDFISH_PIPE_ACCESS);
	tap_equal(kernel.access.offset, GOLDFISH_PIPE_REG_VERSION);
	tap_equal(kernel.access.value, 0);
	tap_equal(kernel.request[2], VHOST_GOLDFISH_PIPE_SET_DOORBELL);
	tap_equal(kernel.bell_id, 7);
	tap_equal((u32)kernel.bell_fd, (u32)-1);
	tap_equal(kernel.region.memory_size, 0);
	tap_check(!vmm_event_clear(kernel.line.call_fd));
	tap_check(!vmm_event_clear(kernel.line.resample_fd));
	pipe_opened(7);
	tap_equal(kernel.ioeventfds, 2);
	machine_close();
}

/* vmmctl sets the line as each access says. */
static void user_served(void)
{
	if (!machine_open(VMM_PIPE_USER, true, ALL))
		return;
	tap_equal(asked(VHOST_GET_BACKEND_FEATURES), 0);
	tap_equal(asked(VHOST_GOLDFISH_PIPE_SET_WINDOW), 0);
	tap_equal((u32)kernel.line.resample_fd, (u32)-1);
	tap_equal(attached, 0);
	kernel.answers = VHOST_GOLDFISH_PIPE_ACCESS_LINE | VHOST_GOLDFISH_PIPE_ACCESS_OPEN;
	reg_write(GOLDFISH_PIPE_REG_CMD, 3);
	tap_check(level);
	tap_equal(kernel.ioeventfds, 0);
	kernel.answers = 0;
	tap_equal(reg_read(GOLDFISH_PIPE_REG_GET_SIGNALLED), 0x1234);
	tap_check(!level);
	/* The module signals a change: its level is read. */
	kernel.answers = VHOST_GOLDFISH_PIPE_ACCESS_LINE;
	vmm_event_signal(kernel.line.call_fd);
	vmm_loop_serve(vm.loop, -1, 0);
	tap_check(level);
	/* In a pause it is not; a change is found afterwards. */
	pipe_dev->ops->pause(pipe_dev);
	tap_equal(kernel.running, 0);
	kernel.answers = 0;
	kernel.requests = 0;
	vmm_event_signal(kernel.line.call_fd);
	vmm_loop_serve(vm.loop, -1, 0);
	tap_equal(asked(VHOST_GOLDFISH_PIPE_ACCESS), 0);
	tap_check(level);
	pipe_dev->ops->resume(pipe_dev);
	tap_equal(kernel.running, 1);
	vmm_loop_serve(vm.loop, -1, 0);
	tap_check(!level);
	machine_close();
}

static void one_that_does_not_stop_ends_the_guest(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
			return;
		kernel.fails = VHOST_GOLDFISH_PIPE_SET_RUNNING;
		kernel.err = EIO;
		tap_listen();
		if (i)
			pipe_dev->ops->resume(pipe_dev);
		else
			pipe_dev->ops->pause(pipe_dev);
		tap_heard(said, sizeof(said));
		tap_check(strstr(said, i ? "/dev/vhost-goldfish-pipe does not resume" :
				 "/dev/vhost-goldfish-pipe does not stop"));
		tap_equal(vmm_vm_ended(&vm), VMM_END_ERROR);
		machine_close();
	}
}

/* ---- snapshots ---- */

/* A module's state: the device with v2, and pipes 4 and 6. */
static struct {
	struct vhost_goldfish_pipe_field device_field;
	struct vhost_goldfish_pipe_state_device device;
	struct {
		struct vhost_goldfish_pipe_field field;
		struct vhost_goldfish_pipe_state_pipe pipe;
	} pipe[2];
} module;

static void module_fill(void)
{
	unsigned int i;

	memset(&module, 0, sizeof(module));
	module.device_field.tag = htole32(VHOST_GOLDFISH_PIPE_STATE_DEVICE);
	module.device_field.length = htole32(sizeof(module.device));
	module.device.version = htole32(GOLDFISH_PIPE_DEVICE_VERSION);
	module.device.pipes = htole32(ARRAY_SIZE(module.pipe));
	for (i = 0; i < ARRAY_SIZE(module.pipe); i++) {
		module.pipe[i].field.tag = htole32(VHOST_GOLDFISH_PIPE_STATE_PIPE);
		module.pipe[i].field.length = htole32(sizeof(module.pipe[i].pipe));
		module.pipe[i].pipe.id = htole32(4 + 2 * i);
	}
}

static bool saved(struct vmm_state *state, enum vmm_pipe_mode pipe)
{
	bool ok;

	if (!machine_open(pipe, true, ALL))
		return false;
	module_fill();
	kernel.state = (const u8 *)&module;
	kernel.state_len = sizeof(module);
	pipe_dev->ops->pause(pipe_dev);
	ok = tap_equal(vmm_device_save(pipe_dev, state), 0);
	machine_close();
	return ok;
}

static void is_saved_and_loaded(void)
{
	struct vmm_state state = { 0 };

	if (!saved(&state, VMM_PIPE_KERNEL))
		return;
	if (machine_open(VMM_PIPE_KERNEL, true, ALL)) {
		tap_equal(vmm_device_load(pipe_dev, &state), 0);
		tap_check(!memcmp(kernel.loaded, &module, sizeof(module)));
		tap_equal(kernel.running, 1);
		/* The guest sees the window, and both pipes have doorbells. */
		tap_equal(kernel.region.memory_size, VMM_PAGE_SIZE);
		tap_equal(kernel.ioeventfds, 2);
		tap_equal(kernel.bell_id, 6);
		machine_close();
	}
	vmm_state_free(&state);
}

static void user_served_is_loaded(void)
{
	struct vmm_state state = { 0 };

	if (!saved(&state, VMM_PIPE_USER))
		return;
	if (machine_open(VMM_PIPE_USER, true, ALL)) {
		tap_equal(vmm_device_load(pipe_dev, &state), 0);
		tap_equal(kernel.ioeventfds, 0);
		/* A batch that was announced is on the line again. */
		kernel.answers = VHOST_GOLDFISH_PIPE_ACCESS_LINE;
		vmm_loop_serve(vm.loop, -1, 0);
		tap_check(level);
		machine_close();
	}
	/* Served in another way, it is refused. */
	if (machine_open(VMM_PIPE_KERNEL, true, ALL)) {
		tap_listen();
		tap_equal(vmm_device_load(pipe_dev, &state), -EINVAL);
		tap_heard(said, sizeof(said));
		tap_check(strstr(said, "snapshot: the pipe is served in another way (--pipe)"));
		machine_close();
	}
	vmm_state_free(&state);
}

static void a_state_that_is_refused_is_told(void)
{
	struct vmm_state state = { 0 };

	if (!saved(&state, VMM_PIPE_KERNEL))
		return;
	if (machine_open(VMM_PIPE_KERNEL, true, ALL)) {
		kernel.fails = VHOST_GOLDFISH_PIPE_SET_STATE;
		kernel.err = EINVAL;
		tap_listen();
		tap_equal(vmm_device_load(pipe_dev, &state), -EINVAL);
		tap_heard(said, sizeof(said));
		tap_check(strstr(said, "snapshot: /dev/vhost-goldfish-pipe refuses its state"));
		tap_equal(kernel.ioeventfds, 0);
		machine_close();
	}
	vmm_state_free(&state);
}

static void load_damaged(u32 *length, u32 value)
{
	struct vmm_state state = { 0 };

	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	module_fill();
	*length = htole32(value);
	kernel.state = (const u8 *)&module;
	kernel.state_len = sizeof(module);
	tap_equal(vmm_device_save(pipe_dev, &state), 0);
	tap_equal(vmm_device_load(pipe_dev, &state), 0);
	vmm_state_free(&state);
}

/* The kernel has accepted it; a length beyond the end is not followed all the same. */
static void lengths_are_bounded(void)
{
	load_damaged((u32 *)&module.pipe[0].field.length, ~0U);
	tap_equal(kernel.ioeventfds, 0);
	machine_close();
	load_damaged((u32 *)&module.pipe[1].field.length, sizeof(module.pipe[1].pipe) + 8);
	tap_equal(kernel.ioeventfds, 1);
	machine_close();
	load_damaged((u32 *)&module.device.version, 1);
	tap_equal(kernel.ioeventfds, 2);
	tap_equal(kernel.regions, 0);
	machine_close();
}

static void a_state_that_is_not_returned_is_told(void)
{
	static const struct {
		unsigned long request;
		int err;
		u32 len;
		int want;
		const char *message;
	} rows[] = {
		{ VHOST_GOLDFISH_PIPE_GET_STATE, EBUSY, sizeof(module), -EBUSY,
		  VMM_PIPE_NODE " does not return its state" },
		{ VHOST_GOLDFISH_PIPE_GET_STATE, EOPNOTSUPP, sizeof(module), -EOPNOTSUPP,
		  "driver uses version 1 of the protocol" },
		{ 0, 0, VMM_STATE_SIZE + 1, -E2BIG,
		  VMM_PIPE_NODE " does not return its state" },
	};
	struct vmm_state state = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
			return;
		kernel.state_len = rows[i].len;
		kernel.fails = rows[i].request;
		kernel.err = rows[i].err;
		tap_listen();
		err = vmm_device_save(pipe_dev, &state);
		tap_heard(said, sizeof(said));
		tap_context("row %u said: %.80s", i, said);
		tap_check(err == rows[i].want);
		tap_check(strstr(said, rows[i].message));
		vmm_state_free(&state);
		machine_close();
	}
}

static void counters_are_the_modules(void)
{
	if (!machine_open(VMM_PIPE_KERNEL, true, ALL))
		return;
	tap_equal(told("kicks"), 11);
	tap_equal(told("doorbells"), 3);
	tap_equal(told("doorbells_refused"), 0);
	kernel.fails = VHOST_GOLDFISH_PIPE_GET_STATS;
	kernel.err = ENOTTY;
	tap_equal(told("kicks"), ~0ULL);
	machine_close();
}

static const struct tap_case cases[] = {
	{ "--pipe none opens nothing, and reads as 0", without_a_pipe },
	{ "the device has an owner, memory, a window and a line", is_opened },
	{ "without a window, the module runs vCPUs and raises the line", without_a_window },
	{ "an older module has no doorbells, and does not stop", an_older_module },
	{ "what the kernel refuses is told", failures_are_told },
	{ "accesses reach the module, and signals lose none", kernel_accesses },
	{ "a refused access ends the guest", a_refused_access_ends_the_guest },
	{ "the window is shown while the driver uses v2", the_window_follows_the_protocol },
	{ "each pipe has a doorbell", each_pipe_has_a_doorbell },
	{ "doorbells may run out, which is said once", doorbells_may_run_out },
	{ "a reset starts again", a_reset_starts_again },
	{ "user-served: the line has the level of the last access", user_served },
	{ "one that does not stop or resume ends the guest",
	  one_that_does_not_stop_ends_the_guest },
	{ "the module's state is saved and loaded", is_saved_and_loaded },
	{ "a user-served pipe is loaded with its line", user_served_is_loaded },
	{ "a state that the module refuses is told", a_state_that_is_refused_is_told },
	{ "lengths of a saved state are bounded", lengths_are_bounded },
	{ "a state that is not returned is told", a_state_that_is_not_returned_is_told },
	{ "its counters are the module's", counters_are_the_modules },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
