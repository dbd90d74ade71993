// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-vsock in front of the kernel's devices: which requests /dev/vhost-vsock-adb and
 * /dev/vhost-vsock get, in which order, and what is said of each that fails. The kernel is
 * the test's.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>

#include "devices/devices.h"
#include "host/host.h"
#include "host/vsock.h"
#include "tests/tap.h"

#define BASE		0x40000000ULL
#define QUEUE		0x10000
#define REQUESTS	64

/* ---- the kernel ---- */

static struct {
	int node;		/* the device */
	int other;		/* the other end of it: events are written to this */
	const char *path;	/* that was opened */
	unsigned long request[REQUESTS];
	unsigned int requests;
	unsigned long fails;	/* this request, with @err */
	int err;
	u64 features;
	u64 cid;		/* the guest's */
	u64 taken;		/* CIDs below it are */
	int running;
	struct vhost_vsock_adb_state state;
} kernel;

static char said[1024];

int open(const char *path, int flags, ...)
{
	int fd[2];

	if (strncmp(path, "/dev/vhost-", 11))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	if (!strcmp(path, "/dev/vhost-vsock-adb"))
		kernel.path = "adb";
	else
		kernel.path = "linux";
	if (kernel.fails == 1) {
		errno = kernel.err;
		return -1;
	}
	/* Messages have ends, as reads of the device have. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd))
		return -1;
	kernel.node = fd[0];
	kernel.other = fd[1];
	return fd[0];
}

static int cid_set(u64 cid)
{
	if (cid < kernel.taken) {
		errno = EADDRINUSE;
		return -1;
	}
	kernel.cid = cid;
	return 0;
}

static int node_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VHOST_GET_FEATURES:
		*(u64 *)arg = kernel.features;
		break;
	case VHOST_VSOCK_SET_GUEST_CID:
		return cid_set(*(u64 *)arg);
	case VHOST_VSOCK_SET_RUNNING:
		kernel.running = *(int *)arg;
		break;
	case VHOST_GET_VRING_BASE:
		((struct vhost_vring_state *)arg)->num =
			10 + ((struct vhost_vring_state *)arg)->index;
		break;
	case VHOST_VSOCK_ADB_GET_STATE:
		tap_equal(((struct vhost_vsock_adb_state *)arg)->size, sizeof(kernel.state));
		*(struct vhost_vsock_adb_state *)arg = kernel.state;
		break;
	case VHOST_VSOCK_ADB_SET_STATE:
		kernel.state = *(struct vhost_vsock_adb_state *)arg;
		break;
	case VHOST_VSOCK_ADB_GET_STATS:
		((struct vhost_vsock_adb_stats *)arg)->streams = 3;
		((struct vhost_vsock_adb_stats *)arg)->bytes_to_host = 4711;
		break;
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd != kernel.node)
		return syscall(SYS_ioctl, fd, request, arg);
	if (kernel.requests < REQUESTS)
		kernel.request[kernel.requests++] = request;
	if (kernel.fails == request) {
		errno = kernel.err;
		return -1;
	}
	return node_ioctl(request, arg);
}

/* Returns how often a request was made since the last time. */
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

/* ---- a guest's driver ---- */

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_virtio *v;
static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.node = -1;
	kernel.other = -1;
	kernel.running = -1;
	kernel.features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << 1;
}

/* Returns what create() does; everything that it needs is there then. */
static int device_create(enum vmm_vsock kind)
{
	unsigned int i;
	int err;

	vm = (struct vmm_vm){
		.cfg = &cfg, .fd = -1, .loop = vmm_loop_create(), .end_fd = vmm_event_create(),
	};
	cfg.vsock = kind;
	if (kind == VMM_VSOCK_ADB)
		vm.host.vsock = vmm_vsock_host_open(&cfg, vm.loop);
	v = calloc(1, sizeof(*v));
	if (!v || vmm_mem_add(&vm.mem, BASE, MIB))
		return 1;
	vmm_virtio_mmio_idle(regs);
	v->ops = &vmm_vsock_ops;
	v->vm = &vm;
	v->name = v->ops->name;
	v->id = v->ops->id;
	v->queue_max = v->ops->queue_max;
	v->queues = v->ops->queues;
	v->regs = regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	for (i = 0; i < v->queues; i++) {
		v->queue[i].kick_fd = vmm_event_create();
		v->queue[i].call_fd = vmm_event_create();
	}
	tap_listen();
	err = v->ops->create(v);
	tap_heard(said, sizeof(said));
	if (!err)
		vmm_virtio_mmio_plug(v);
	return err;
}

static bool device_open(enum vmm_vsock kind)
{
	cfg = (struct vmm_config){ 0 };
	kernel_reset();
	return tap_equal(device_create(kind), 0);
}

static void host_close(void)
{
	unsigned int i;

	for (i = 0; i < v->queues; i++) {
		close(v->queue[i].kick_fd);
		close(v->queue[i].call_fd);
	}
	close(v->call_fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
	vmm_vsock_host_close(vm.host.vsock);
	vmm_loop_destroy(vm.loop);
	vmm_mem_destroy(&vm.mem);
	close(vm.end_fd);
	if (kernel.other >= 0)
		close(kernel.other);
}

static void device_close(void)
{
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	v->ops->destroy(v);
	host_close();
}

static void driver_starts(unsigned int queues)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	for (i = 0; i < queues; i++) {
		vmm_virtio_mmio_write(v, 0x30, i, 4);
		vmm_virtio_mmio_write(v, 0x38, 64, 4);
		vmm_virtio_mmio_write(v, 0x80, BASE + i * QUEUE, 4);
		vmm_virtio_mmio_write(v, 0x90, BASE + i * QUEUE + 0x1000, 4);
		vmm_virtio_mmio_write(v, 0xa0, BASE + i * QUEUE + 0x2000, 4);
		vmm_virtio_mmio_write(v, 0x44, 1, 4);
	}
	tap_listen();
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_heard(said, sizeof(said));
}

static bool needs_reset(void)
{
	return v->status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* ---- cases ---- */

static void is_opened(void)
{
	if (!device_open(VMM_VSOCK_ADB))
		return;
	tap_check(!strcmp(kernel.path, "adb"));
	tap_check(!place(VHOST_SET_OWNER));
	tap_check(place(VHOST_SET_MEM_TABLE) > 0);
	tap_check(place(VHOST_VSOCK_SET_GUEST_CID) > place(VHOST_SET_MEM_TABLE));
	tap_equal(kernel.cid, 77);
	tap_equal(v->config[0], 77);
	tap_equal(v->offered, kernel.features);
	tap_equal(asked(VHOST_VSOCK_SET_RUNNING), 0);
	device_close();
}

static void starts_and_stops(void)
{
	if (!device_open(VMM_VSOCK_ADB))
		return;
	kernel.requests = 0;
	driver_starts(3);
	tap_check(v->running && !needs_reset());
	tap_equal(asked(VHOST_SET_VRING_KICK), 3);
	tap_equal(asked(VHOST_SET_VRING_CALL), 3);
	tap_equal(kernel.running, 1);
	tap_check(place(VHOST_SET_FEATURES) < place(VHOST_SET_VRING_NUM));
	tap_check(place(VHOST_VSOCK_SET_RUNNING) > place(VHOST_SET_VRING_KICK));
	kernel.requests = 0;
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	/* The device stops before it loses its rings, and its streams end. */
	tap_equal(kernel.running, 0);
	tap_equal(place(VHOST_VSOCK_SET_RUNNING), 0);
	tap_equal(asked(VHOST_SET_VRING_KICK), 3);
	tap_equal(kernel.request[kernel.requests - 1], VHOST_VSOCK_ADB_RESET_TRANSPORT);
	device_close();
}

/* A driver may leave the event ring out. */
static void starts_without_events(void)
{
	if (!device_open(VMM_VSOCK_ADB))
		return;
	kernel.requests = 0;
	driver_starts(2);
	tap_check(v->running);
	tap_equal(asked(VHOST_SET_VRING_KICK), 2);
	device_close();
}

/* Linux' device has two rings, no streams that can be reset, no state and no counters. */
static void linux_device(void)
{
	struct vmm_report report = { 0 };
	u32 base = 0;

	if (!device_open(VMM_VSOCK_LINUX))
		return;
	tap_check(!strcmp(kernel.path, "linux"));
	kernel.requests = 0;
	driver_starts(3);
	tap_equal(kernel.running, 1);
	tap_equal(asked(VHOST_SET_VRING_KICK), 2);
	tap_equal(v->ops->base(v, 0, &base), -EOPNOTSUPP);
	v->ops->stats(v, &report);
	v->ops->reset(v);
	tap_equal(asked(VHOST_VSOCK_ADB_GET_STATS), 0);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	tap_equal(asked(VHOST_VSOCK_ADB_RESET_TRANSPORT), 0);
	device_close();
}

static void failures_are_told(void)
{
	static const struct {
		enum vmm_vsock kind;
		unsigned long request;	/* 1: opening it */
		int err;
		const char *says;
	} rows[] = {
		{ VMM_VSOCK_ADB, 1, ENOENT,
		  "cannot open /dev/vhost-vsock-adb (is vhost_vsock_adb loaded?)" },
		{ VMM_VSOCK_LINUX, 1, ENOENT,
		  "cannot open /dev/vhost-vsock (is vhost_vsock loaded?)" },
		{ VMM_VSOCK_ADB, VHOST_SET_OWNER, EBUSY, "cannot own /dev/vhost-vsock-adb" },
		{ VMM_VSOCK_ADB, VHOST_GET_FEATURES, EIO,
		  "/dev/vhost-vsock-adb does not return its features" },
		{ VMM_VSOCK_ADB, VHOST_SET_MEM_TABLE, ENOMEM,
		  "/dev/vhost-vsock-adb refuses the guest's memory" },
		{ VMM_VSOCK_ADB, VHOST_VSOCK_SET_GUEST_CID, EINVAL,
		  "/dev/vhost-vsock-adb refuses the CID 77" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cfg = (struct vmm_config){ 0 };
		kernel_reset();
		kernel.fails = rows[i].request;
		kernel.err = rows[i].err;
		tap_equal(device_create(rows[i].kind), -rows[i].err);
		tap_context("row %u said: %.80s", i, said);
		tap_check(strstr(said, rows[i].says));
		tap_check(strstr(said, strerror(rows[i].err)));
		host_close();
	}
	cfg = (struct vmm_config){ 0 };
	kernel_reset();
	kernel.features = 0;
	tap_equal(device_create(VMM_VSOCK_ADB), -EOPNOTSUPP);
	tap_check(strstr(said, "does not support virtio 1.0"));
	host_close();
}

/* A CID of the command line's is that one or none, unless the VM is a clone. */
static void cids_are_found(void)
{
	static const struct {
		u64 cid;
		bool clone;
		u64 taken;
		u64 gets;	/* 0 for none */
	} rows[] = {
		{ 0, false, 0, 77 },
		{ 0, false, 80, 80 },
		{ 90, false, 0, 90 },
		{ 90, false, 91, 0 },
		{ 90, true, 93, 93 },
		{ 0, false, 77 + 4095, 77 + 4095 },
		{ 0, false, 77 + 4096, 0 },
	};
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cfg = (struct vmm_config){ .vsock_cid = rows[i].cid, .clone = rows[i].clone };
		kernel_reset();
		kernel.taken = rows[i].taken;
		err = device_create(VMM_VSOCK_ADB);
		tap_context("row %u said: %.80s", i, said);
		tap_equal(kernel.cid, rows[i].gets);
		tap_equal(err, rows[i].gets ? 0 : -EADDRINUSE);
		tap_equal(!strstr(said, "another guest has the CID"), !!rows[i].gets);
		if (err)
			host_close();
		else
			device_close();
	}
}

static void one_that_does_not_start_is_told(void)
{
	static const struct {
		unsigned long request;
		const char *says;
	} rows[] = {
		{ VHOST_VSOCK_SET_RUNNING, "/dev/vhost-vsock-adb does not start" },
		{ VHOST_SET_FEATURES, "/dev/vhost-vsock-adb refuses the features 0x" },
		{ VHOST_SET_VRING_ADDR, "/dev/vhost-vsock-adb refuses queue 0 as the guest" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!device_open(VMM_VSOCK_ADB))
			return;
		kernel.fails = rows[i].request;
		kernel.err = EFAULT;
		driver_starts(3);
		tap_context("row %u said: %.80s", i, said);
		tap_check(strstr(said, rows[i].says));
		tap_check(needs_reset());
		kernel.fails = 0;
		device_close();
	}
}

static void is_paused(void)
{
	if (!device_open(VMM_VSOCK_ADB))
		return;
	/* Without a driver there is nothing to stop. */
	v->ops->pause(v);
	v->ops->resume(v);
	tap_equal(asked(VHOST_VSOCK_SET_RUNNING), 0);
	driver_starts(3);
	v->ops->pause(v);
	tap_equal(kernel.running, 0);
	v->ops->resume(v);
	tap_equal(kernel.running, 1);
	tap_check(!needs_reset());
	/* Streams are not reset by a pause. */
	tap_equal(asked(VHOST_VSOCK_ADB_RESET_TRANSPORT), 0);
	v->ops->pause(v);
	kernel.fails = VHOST_VSOCK_SET_RUNNING;
	kernel.err = EIO;
	tap_listen();
	v->ops->resume(v);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "/dev/vhost-vsock-adb does not resume"));
	tap_check(needs_reset());
	kernel.fails = 0;
	device_close();
	/* A device that is started by a load while the VM is paused. */
	if (!device_open(VMM_VSOCK_ADB))
		return;
	vmm_virtio_pause(v);
	driver_starts(3);
	tap_check(v->running);
	tap_equal(kernel.running, 0);
	vmm_virtio_resume(v);
	tap_equal(kernel.running, 1);
	device_close();
}

static void state_is_saved(void)
{
	struct vhost_vsock_adb_state module = {
		.size = sizeof(module), .version = 5, .field = { { 1, 8, 42 }, { 2, 8, 43 } },
	};
	struct vmm_state state;
	u32 base = 0;

	if (!device_open(VMM_VSOCK_ADB))
		return;
	driver_starts(3);
	tap_equal(v->ops->base(v, 2, &base), 0);
	tap_equal(base, 12);
	kernel.fails = VHOST_GET_VRING_BASE;
	kernel.err = EINVAL;
	tap_equal(v->ops->base(v, 2, &base), -EINVAL);
	kernel.fails = 0;
	kernel.state = module;
	tap_equal(vmm_state_begin(&state, "vsock", 1), 0);
	v->ops->save(v, &state, 7);
	tap_equal(vmm_state_end(&state), 0);
	memset(&kernel.state, 0, sizeof(kernel.state));
	tap_equal(vmm_state_open(&state, "vsock", 1), 1);
	tap_equal(v->ops->load(v, &state, 7, NULL), 0);
	tap_equal(vmm_state_close(&state), 0);
	tap_check(!memcmp(&kernel.state, &module, sizeof(module)));
	/* Under another tag there is nothing. */
	vmm_state_open(&state, "vsock", 1);
	tap_equal(v->ops->load(v, &state, 8, NULL), -EINVAL);
	kernel.fails = VHOST_VSOCK_ADB_SET_STATE;
	kernel.err = EOPNOTSUPP;
	vmm_state_open(&state, "vsock", 1);
	tap_listen();
	tap_equal(v->ops->load(v, &state, 7, NULL), -EOPNOTSUPP);
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "snapshot: /dev/vhost-vsock-adb refuses its state"));
	vmm_state_free(&state);
	kernel.fails = VHOST_VSOCK_ADB_GET_STATE;
	kernel.err = EBUSY;
	tap_equal(vmm_state_begin(&state, "vsock", 1), 0);
	tap_listen();
	v->ops->save(v, &state, 7);
	tap_heard(said, sizeof(said));
	tap_equal(vmm_state_end(&state), -EBUSY);
	tap_check(strstr(said, "/dev/vhost-vsock-adb does not return its state"));
	vmm_state_free(&state);
	kernel.fails = 0;
	device_close();
}

/* A snapshot of adb's device is not for Linux' device. */
static void linux_loads_nothing(void)
{
	struct vhost_vsock_adb_state module = { .size = sizeof(module) };
	struct vmm_state state;

	if (!device_open(VMM_VSOCK_LINUX))
		return;
	tap_equal(vmm_state_begin(&state, "vsock", 1), 0);
	vmm_state_put(&state, 7, &module, sizeof(module));
	tap_equal(vmm_state_end(&state), 0);
	vmm_state_open(&state, "vsock", 1);
	tap_equal(v->ops->load(v, &state, 7, NULL), -EOPNOTSUPP);
	tap_equal(asked(VHOST_VSOCK_ADB_SET_STATE), 0);
	vmm_state_free(&state);
	device_close();
}

static bool has_events(void)
{
	struct vhost_vsock_adb_event event;

	return recv(kernel.node, &event, sizeof(event), MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Events of the last guest's streams are not the next one's. */
static void a_reset_discards_events(void)
{
	struct vhost_vsock_adb_event event = { .cookie = 1 };
	unsigned int i;

	if (!device_open(VMM_VSOCK_ADB))
		return;
	for (i = 0; i < 3; i++)
		tap_equal(write(kernel.other, &event, sizeof(event)), sizeof(event));
	tap_check(has_events());
	v->ops->reset(v);
	tap_check(!has_events());
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	/* And it can be reset again, with half an event. */
	tap_equal(write(kernel.other, &event, 4), 4);
	v->ops->reset(v);
	tap_equal(vmm_vm_ended(&vm), VMM_END_NONE);
	device_close();
}

/* Returns a counter, or all ones if there is none. */
static u64 told(const struct vmm_report *report, const char *name)
{
	unsigned int i;

	for (i = 0; i < report->count; i++) {
		if (!strcmp(report->names[i], name))
			return report->values[i];
	}
	return ~0ULL;
}

static void counters_are_the_modules(void)
{
	struct vmm_report report = { 0 };

	if (!device_open(VMM_VSOCK_ADB))
		return;
	v->ops->stats(v, &report);
	tap_equal(told(&report, "streams"), 3);
	tap_equal(told(&report, "bytes_to_host"), 4711);
	tap_equal(told(&report, "faults"), 0);
	memset(&report, 0, sizeof(report));
	kernel.fails = VHOST_VSOCK_ADB_GET_STATS;
	kernel.err = EIO;
	v->ops->stats(v, &report);
	tap_equal(told(&report, "streams"), ~0ULL);
	kernel.fails = 0;
	device_close();
}

static const struct tap_case cases[] = {
	{ "the device has an owner, memory, and a CID", is_opened },
	{ "it starts with its rings, and stops before it loses them", starts_and_stops },
	{ "it starts without an event ring", starts_without_events },
	{ "Linux' device has two rings and nothing more", linux_device },
	{ "what the kernel refuses is told", failures_are_told },
	{ "a CID is the one that was asked for, or the next free one", cids_are_found },
	{ "one that does not start is told", one_that_does_not_start_is_told },
	{ "a pause stops it, and keeps its streams", is_paused },
	{ "the module's state is saved and loaded", state_is_saved },
	{ "Linux' device loads nothing", linux_loads_nothing },
	{ "a reset discards the last guest's events", a_reset_discards_events },
	{ "its counters are the module's", counters_are_the_modules },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
