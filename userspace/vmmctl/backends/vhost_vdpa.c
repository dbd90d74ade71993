// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vDPA device (/dev/vhost-vdpa-N) as a backend. It has the vhost ioctls of the kernel, and a
 * device status, configuration space and an IOTLB of its own: guest memory is mapped for it
 * while it runs.
 *
 * Source: include/uapi/linux/vhost.h and vhost_types.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>

#include "backends/backends.h"
#include "machine/limits.h"

#define BIT(feature)	(1ULL << (feature))

/* Linux 6.3; Debian 12's headers for programs do not have it. */
#ifndef VHOST_VDPA_RESUME
#define VHOST_VDPA_RESUME	_IO(VHOST_VIRTIO, 0x7e)
#define VHOST_BACKEND_F_RESUME	0x5
#endif

#define SUSPENDS	(BIT(VHOST_BACKEND_F_SUSPEND) | BIT(VHOST_BACKEND_F_RESUME))

static struct vmm_vhost_vdpa *to_vdpa(struct vmm_vhost *vhost)
{
	return (struct vmm_vhost_vdpa *)vhost;
}

static int vdpa_status(struct vmm_vhost *vhost, u8 status)
{
	return ioctl(vhost->fd, VHOST_VDPA_SET_STATUS, &status) ? -errno : 0;
}

static int vdpa_map_region(struct vmm_vhost *vhost, const struct vmm_region *region, u8 type)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = region->base,
			.size = region->size,
			.uaddr = (uintptr_t)region->hva,
			.perm = VHOST_ACCESS_RW,
			.type = type,
		},
	};

	return write(vhost->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

static int vdpa_map(struct vmm_vhost *vhost, u8 type)
{
	const struct vmm_mem *mem = &vhost->v->vm->mem;
	unsigned int i;
	int err = 0;

	for (i = 0; i < mem->regions && !err; i++)
		err = vdpa_map_region(vhost, &mem->region[i], type);
	return err;
}

/* For a hardware device, all of the guest's RAM is locked. */
static void vdpa_say_limit(struct vmm_vhost *vhost)
{
	const struct vmm_mem *mem = &vhost->v->vm->mem;
	unsigned int i;
	u64 bytes = 0;
	u64 limit;

	for (i = 0; i < mem->regions; i++)
		bytes += mem->region[i].size;
	if (!vmm_limits_lock(bytes, &limit))
		vmm_vhost_blame(vhost, -ENOMEM,
				"%s locks %llu MiB of RAM, and %llu may be locked (ulimit -l)",
				vhost->node, bytes / MIB, limit / MIB);
}

/* ACCESS_PLATFORM, which the kernel needs for its IOTLB, is set whatever the driver accepts. */
static int vdpa_set_features(struct vmm_vhost *vhost, u64 features)
{
	u8 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	int err;

	features |= vhost->features & BIT(VIRTIO_F_ACCESS_PLATFORM);
	err = vdpa_status(vhost, 0);
	if (!err)
		err = vdpa_status(vhost, status);
	if (!err && ioctl(vhost->fd, VHOST_SET_FEATURES, &features))
		err = -errno;
	if (!err)
		err = vdpa_status(vhost, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!err && ioctl(vhost->fd, VHOST_VDPA_GET_STATUS, &status))
		err = -errno;
	if (!err && !(status & VIRTIO_CONFIG_S_FEATURES_OK))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	err = vdpa_map(vhost, VHOST_IOTLB_UPDATE);
	to_vdpa(vhost)->mapped = !err;
	if (err == -ENOMEM)
		vdpa_say_limit(vhost);
	return err;
}

static int vdpa_set_ring(struct vmm_vhost *vhost, unsigned int index,
			 const struct vmm_vhost_ring *ring)
{
	struct vhost_vring_state enable = { .index = index, .num = 1 };
	const u64 address[] = { ring->area[0].gpa, ring->area[1].gpa, ring->area[2].gpa };
	int err = vmm_vhost_ring_ioctls(vhost, index, ring, address);

	if (!err && ioctl(vhost->fd, VHOST_VDPA_SET_VRING_ENABLE, &enable))
		err = -errno;
	return err;
}

/* A vDPA device is stopped by a reset. */
static int vdpa_run(struct vmm_vhost *vhost, bool run)
{
	struct vmm_vhost_vdpa *vdpa = to_vdpa(vhost);
	int err;

	if (run)
		return vdpa_status(vhost, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
				   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	err = vdpa_status(vhost, 0);
	if (vdpa->mapped)
		vdpa_map(vhost, VHOST_IOTLB_INVALIDATE);
	vdpa->mapped = false;
	return err;
}

static int vdpa_config_changed(void *arg)
{
	struct vmm_vhost_vdpa *vdpa = arg;

	vmm_event_clear(vdpa->config_fd);
	vmm_vhost_vdpa_config(vdpa);
	return 0;
}

static void vdpa_close(struct vmm_vhost *vhost)
{
	struct vmm_vhost_vdpa *vdpa = to_vdpa(vhost);

	if (vdpa->config_fd < 0)
		return;
	vmm_loop_del(vhost->v->vm->loop, vdpa->config_fd);
	close(vdpa->config_fd);
	vdpa->config_fd = -1;
}

static const struct vmm_vhost_ops vdpa_ops = {
	.set_features = vdpa_set_features,
	.set_ring = vdpa_set_ring,
	.stop_ring = vmm_vhost_ring_stop_ioctls,
	.run = vdpa_run,
	.close = vdpa_close,
};

/**
 * vmm_vhost_vdpa_config - read the device's configuration and show it to the guest
 * @vdpa: open
 *
 * Context: as vmm_virtio_config().
 * Return: 0, or -errno
 */
int vmm_vhost_vdpa_config(struct vmm_vhost_vdpa *vdpa)
{
	union {
		struct vhost_vdpa_config head;
		u8 room[sizeof(struct vhost_vdpa_config) + VMM_VIRTIO_CONFIG];
	} space = {};

	if (ioctl(vdpa->vhost.fd, VHOST_VDPA_GET_CONFIG_SIZE, &space.head.len))
		return vmm_error(errno, "%s does not return its configuration", vdpa->vhost.node);
	if (space.head.len > VMM_VIRTIO_CONFIG)
		space.head.len = VMM_VIRTIO_CONFIG;
	if (space.head.len && ioctl(vdpa->vhost.fd, VHOST_VDPA_GET_CONFIG, &space.head))
		return vmm_error(errno, "%s does not return its configuration", vdpa->vhost.node);
	vmm_virtio_config(vdpa->vhost.v, space.head.buf, space.head.len);
	return 0;
}

/**
 * vmm_vhost_vdpa_suspend - suspend or resume a running device
 * @vdpa: the device, with @suspends
 * @suspend: true to suspend, false to resume
 *
 * A suspended device uses no guest memory, and keeps its ring indices.
 *
 * Return: 0, or -errno
 */
int vmm_vhost_vdpa_suspend(struct vmm_vhost_vdpa *vdpa, bool suspend)
{
	unsigned long request = suspend ? VHOST_VDPA_SUSPEND : VHOST_VDPA_RESUME;

	return ioctl(vdpa->vhost.fd, request) ? -errno : 0;
}

/* Negotiates features of the vhost interface. */
static int vdpa_agree(struct vmm_vhost_vdpa *vdpa, u64 backend)
{
	u64 wanted = BIT(VHOST_BACKEND_F_IOTLB_MSG_V2);

	if (!(backend & wanted))
		return -EOPNOTSUPP;
	vdpa->suspends = (backend & SUSPENDS) == SUSPENDS;
	if (vdpa->suspends)
		wanted |= SUSPENDS;
	return ioctl(vdpa->vhost.fd, VHOST_SET_BACKEND_FEATURES, &wanted) ? -errno : 0;
}

/* Reads the device's ID, features and sizes. */
static int vdpa_identify(struct vmm_vhost_vdpa *vdpa)
{
	struct vmm_vhost *vhost = &vdpa->vhost;
	struct vmm_virtio *v = vhost->v;
	u64 backend = 0;
	u32 queues;
	u16 num;

	if (ioctl(vhost->fd, VHOST_VDPA_GET_DEVICE_ID, &v->id))
		return vmm_error(errno, "%s is no vDPA device", vhost->node);
	if (ioctl(vhost->fd, VHOST_SET_OWNER, 0))
		return vmm_error(errno, "cannot own %s", vhost->node);
	if (ioctl(vhost->fd, VHOST_GET_FEATURES, &vhost->features) ||
	    ioctl(vhost->fd, VHOST_GET_BACKEND_FEATURES, &backend) ||
	    ioctl(vhost->fd, VHOST_VDPA_GET_VRING_NUM, &num) ||
	    ioctl(vhost->fd, VHOST_VDPA_GET_VQS_COUNT, &queues))
		return vmm_error(errno, "cannot read the properties of %s", vhost->node);
	if (vdpa_agree(vdpa, backend))
		return vmm_error(-EOPNOTSUPP, "%s has no address space of its own", vhost->node);
	if (queues < v->queues)
		v->queues = queues;
	if (num < v->queue_max)
		v->queue_max = num;
	return 0;
}

static int vdpa_watch(struct vmm_vhost_vdpa *vdpa)
{
	int err = vmm_vhost_watch(&vdpa->vhost);

	if (err)
		return err;
	vdpa->config_fd = vmm_event_create();
	if (vdpa->config_fd < 0)
		return vdpa->config_fd;
	if (ioctl(vdpa->vhost.fd, VHOST_VDPA_SET_CONFIG_CALL, &vdpa->config_fd))
		return vmm_error(errno, "%s cannot signal changes", vdpa->vhost.node);
	return vmm_loop_add(vdpa->vhost.v->vm->loop, vdpa->config_fd, vdpa_config_changed, vdpa);
}

/**
 * vmm_vhost_vdpa_open - open a vDPA device
 * @vdpa: filled
 * @v: the virtio device; becomes what the vDPA device is
 * @node: device node
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vhost_vdpa_open(struct vmm_vhost_vdpa *vdpa, struct vmm_virtio *v, const char *node)
{
	int err;

	*vdpa = (struct vmm_vhost_vdpa){
		.vhost = { .ops = &vdpa_ops, .v = v, .node = node, .fd = -1, .err_fd = -1 },
		.config_fd = -1,
	};
	vdpa->vhost.fd = open(node, O_RDWR | O_CLOEXEC);
	if (vdpa->vhost.fd < 0)
		return vmm_error(errno, "--vdpa: cannot open %s", node);
	err = vdpa_identify(vdpa);
	if (!err)
		err = vdpa_watch(vdpa);
	if (err)
		vmm_vhost_close(&vdpa->vhost);
	return err;
}
