// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pause of the kernel's devices that serve virtio queues: vhost-net gives its tap back, a vDPA
 * device is suspended if its driver supports it. The test emulates the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "devices/devices.h"
#include "host/log.h"
#include "tests/tap.h"

#define BASE		0x40000000ULL
#define QUEUE		0x10000
#define QUEUES		2
#define RESUME		_IO(VHOST_VIRTIO, 0x7e)	/* not in every header */
#define IOTLB		(1ULL << 1)
#define SUSPENDS	(1ULL << 4)
#define RESUMES		(1ULL << 5)

/* ---- the kernel ---- */

static struct {
	int node;		/* the last device that was opened */
	int tap;
	int backend[QUEUES];	/* vhost-net's */
	unsigned int sets;	/* of them */
	bool refuses;
	u64 offers;		/* a vDPA device's backend features */
	u64 taken;
	u8 status;
	bool suspended;
	unsigned int asked;	/* to suspend or resume */
} kernel;

int open(const char *path, int flags, ...)
{
	bool tap = !strcmp(path, "/dev/net/tun");
	int fd;

	if (!tap && strncmp(path, "/dev/vhost-", 11))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	fd = memfd_create(path, MFD_CLOEXEC);
	if (tap)
		kernel.tap = fd;
	else
		kernel.node = fd;
	return fd;
}

static int set_backend(const struct vhost_vring_file *file)
{
	kernel.sets++;
	if (kernel.refuses && file->fd >= 0) {
		errno = EBUSY;
		return -1;
	}
	if (tap_check(file->index < QUEUES))
		kernel.backend[file->index] = file->fd;
	return 0;
}

static int suspend(bool suspended)
{
	kernel.asked++;
	if (kernel.refuses) {
		errno = EIO;
		return -1;
	}
	kernel.suspended = suspended;
	return 0;
}

static int vdpa_asked(unsigned long request, void *arg)
{
	switch (request) {
	case VHOST_GET_BACKEND_FEATURES:
		*(u64 *)arg = kernel.offers;
		break;
	case VHOST_SET_BACKEND_FEATURES:
		kernel.taken = *(u64 *)arg;
		break;
	case VHOST_VDPA_GET_DEVICE_ID:
		*(u32 *)arg = VIRTIO_ID_NET;
		break;
	case VHOST_VDPA_GET_VRING_NUM:
		*(u16 *)arg = 256;
		break;
	case VHOST_VDPA_GET_VQS_COUNT:
		*(u32 *)arg = QUEUES;
		break;
	case VHOST_VDPA_GET_CONFIG_SIZE:
		*(u32 *)arg = 0;
		break;
	case VHOST_VDPA_SET_STATUS:
		kernel.status = *(u8 *)arg;
		break;
	case VHOST_VDPA_GET_STATUS:
		*(u8 *)arg = kernel.status;
		break;
	case VHOST_VDPA_SUSPEND:
		return suspend(true);
	case RESUME:
		return suspend(false);
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case VHOST_GET_FEATURES:
		*(u64 *)arg = 1ULL << VIRTIO_F_VERSION_1;
		return 0;
	case VHOST_NET_SET_BACKEND:
		return set_backend(arg);
	case SIOCGIFMTU:
		((struct ifreq *)arg)->ifr_mtu = 1500;
		return 0;
	}
	return vdpa_asked(request, arg);
}

/* ---- a guest's driver ---- */

static struct vmm_config cfg;
static struct vmm_vm vm;
static struct vmm_virtio *v;
static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static bool device_open(const struct vmm_virtio_ops *ops, u64 offers)
{
	unsigned int i;

	cfg = (struct vmm_config){
		.backend[VMM_BACKEND_NET] = { { .path = "tap-of-nobody" } },
		.backend[VMM_BACKEND_VDPA] = { { .path = "/dev/vhost-vdpa-0" } },
	};
	memset(&kernel, 0, sizeof(kernel));
	kernel.offers = offers;
	memset(kernel.backend, 0xff, sizeof(kernel.backend));	/* -1 */
	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1, .loop = vmm_loop_create() };
	v = calloc(1, sizeof(*v));
	if (!tap_check(v && vm.loop) || !tap_equal(vmm_mem_add(&vm.mem, BASE, MIB), 0))
		return false;
	vmm_virtio_mmio_idle(regs);
	v->ops = ops;
	v->vm = &vm;
	v->name = ops->name;
	v->id = ops->id;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
	v->regs = regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	if (!tap_equal(ops->create(v), 0))
		return false;
	for (i = 0; i < v->queues; i++) {
		v->queue[i].kick_fd = vmm_event_create();
		v->queue[i].call_fd = vmm_event_create();
	}
	vmm_virtio_mmio_plug(v);
	return true;
}

static void device_close(void)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	v->ops->destroy(v);
	for (i = 0; i < v->queues; i++) {
		close(v->queue[i].kick_fd);
		close(v->queue[i].call_fd);
	}
	close(v->call_fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
	vmm_loop_destroy(vm.loop);
	vmm_mem_destroy(&vm.mem);
}

static void driver_starts(void)
{
	unsigned int i;

	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	for (i = 0; i < QUEUES; i++) {
		vmm_virtio_mmio_write(v, 0x30, i, 4);
		vmm_virtio_mmio_write(v, 0x38, 64, 4);
		vmm_virtio_mmio_write(v, 0x80, BASE + i * QUEUE, 4);
		vmm_virtio_mmio_write(v, 0x90, BASE + i * QUEUE + 0x1000, 4);
		vmm_virtio_mmio_write(v, 0xa0, BASE + i * QUEUE + 0x2000, 4);
		vmm_virtio_mmio_write(v, 0x44, 1, 4);
	}
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_check(v->running);
	for (i = 0; i < QUEUES; i++)
		vmm_event_clear(v->queue[i].kick_fd);
}

/* Returns whether all queues were kicked, so that their back end looks at them. */
static bool was_kicked(void)
{
	bool first = vmm_event_clear(v->queue[0].kick_fd);

	return vmm_event_clear(v->queue[1].kick_fd) && first;
}

static bool needs_reset(void)
{
	return v->status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* ---- vhost-net ---- */

static bool has_tap(int fd)
{
	return kernel.backend[0] == fd && kernel.backend[1] == fd;
}

static void net_gives_its_tap_back(void)
{
	unsigned int i;

	if (!device_open(&vmm_net_ops, 0))
		return;
	driver_starts();
	tap_check(has_tap(kernel.tap));
	for (i = 0; i < 3; i++) {
		v->ops->pause(v);
		tap_check(has_tap(-1));
		tap_check(!was_kicked());
		v->ops->resume(v);
		tap_check(has_tap(kernel.tap));
		tap_check(was_kicked());
	}
	tap_check(!needs_reset());
	/* A second resume changes nothing. */
	v->ops->resume(v);
	tap_check(has_tap(kernel.tap));
	v->ops->pause(v);
	v->ops->pause(v);
	tap_check(has_tap(-1));
	device_close();
	tap_check(has_tap(-1));
}

static void net_without_a_driver_gets_none(void)
{
	if (!device_open(&vmm_net_ops, 0))
		return;
	v->ops->pause(v);
	v->ops->resume(v);
	tap_equal(kernel.sets, 0);
	driver_starts();
	v->ops->pause(v);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	kernel.sets = 0;
	v->ops->resume(v);
	tap_equal(kernel.sets, 0);
	tap_check(has_tap(-1));
	device_close();
}

static void net_that_does_not_go_on_asks_for_a_reset(void)
{
	if (!device_open(&vmm_net_ops, 0))
		return;
	driver_starts();
	v->ops->pause(v);
	kernel.refuses = true;
	v->ops->resume(v);
	tap_check(needs_reset());
	tap_check(has_tap(-1));
	kernel.refuses = false;
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	driver_starts();
	tap_check(has_tap(kernel.tap) && !needs_reset());
	device_close();
}

/* ---- vDPA ---- */

static void vdpa_is_suspended(void)
{
	if (!device_open(&vmm_vdpa_ops, IOTLB | SUSPENDS | RESUMES | 1ULL << 60))
		return;
	tap_equal(kernel.taken, IOTLB | SUSPENDS | RESUMES);
	v->ops->pause(v);
	v->ops->resume(v);
	tap_equal(kernel.asked, 0);
	driver_starts();
	v->ops->pause(v);
	tap_check(kernel.suspended);
	v->ops->resume(v);
	tap_check(!kernel.suspended && was_kicked() && !needs_reset());
	v->ops->pause(v);
	kernel.refuses = true;
	v->ops->resume(v);
	tap_check(needs_reset());
	device_close();
}

static void count_line(void *arg, const char *line, size_t len)
{
	(void)line;
	(void)len;
	(*(unsigned int *)arg)++;
}

/* A device that supports only suspend is not suspended: it could not be resumed. */
static void vdpa_that_cannot_is_told_of(void)
{
	static const u64 offers[] = { IOTLB, IOTLB | SUSPENDS, IOTLB | RESUMES };
	unsigned int lines;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offers); i++) {
		tap_context("0x%llx", offers[i]);
		if (!device_open(&vmm_vdpa_ops, offers[i]))
			return;
		tap_equal(kernel.taken, IOTLB);
		lines = 0;
		vmm_log_also(count_line, &lines);
		v->ops->pause(v);
		tap_equal(lines, 0);
		driver_starts();
		v->ops->pause(v);
		v->ops->resume(v);
		tap_equal(lines, 1);
		tap_equal(kernel.asked, 0);
		tap_check(!needs_reset());
		vmm_log_also(NULL, NULL);
		device_close();
	}
}

static const struct tap_case cases[] = {
	{ "vhost-net gives its tap back, and gets it again", net_gives_its_tap_back },
	{ "but none without a driver", net_without_a_driver_gets_none },
	{ "one that does not go on asks for a reset", net_that_does_not_go_on_asks_for_a_reset },
	{ "a vDPA device is suspended", vdpa_is_suspended },
	{ "one that cannot be is told of", vdpa_that_cannot_is_told_of },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
