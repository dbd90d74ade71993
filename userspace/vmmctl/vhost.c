// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front end of a vhost device of the kernel: gives it the guest's memory and
 * the queues that the driver has set up. What the device does with them, and the
 * ioctl that starts it, is its model's business.
 *
 * Source: include/uapi/linux/vhost.h; VIRTIO 1.2, 2.7 and 2.8, for what a queue's
 * three addresses are and how long what is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio.h"

/* What a ring may have that a driver decides about; packed rings are asked for. */
#define VHOST_RING_FEATURES	(1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
				 1ULL << VIRTIO_RING_F_EVENT_IDX | \
				 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_IN_ORDER)

/* A packed ring begins in its first slot, with both wrap counters 1. */
#define VHOST_PACKED_BASE	0x80008000

/**
 * vmm_vhost_set_mem - give a vhost device the guest's memory
 * @fd: the device, owned by this process
 * @mem: the memory
 *
 * Return: 0, or -1 with errno set
 */
int vmm_vhost_set_mem(int fd, const struct vmm_mem *mem)
{
	union {
		struct vhost_memory head;
		u8 room[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
	} table = { .head.nregions = 1 };

	table.head.regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = mem->base,
		.memory_size = mem->size,
		.userspace_addr = (uintptr_t)mem->hva,
	};
	return ioctl(fd, VHOST_SET_MEM_TABLE, &table);
}

/**
 * vmm_vhost_blame - say what went wrong at a guest's doing
 * @vhost: the device
 * @err: as for vmm_error()
 * @fmt: as for vmm_error()
 *
 * A guest may do it again and again; it is said once.
 *
 * Return: -errno
 */
int vmm_vhost_blame(struct vmm_vhost *vhost, int err, const char *fmt, ...)
{
	char text[128];
	va_list args;

	if (vhost->blamed)
		return err < 0 ? err : -err;
	vhost->blamed = true;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return vmm_error(err, "virtio-%s: %s", vhost->v->ops->name, text);
}

static int vhost_broken(void *arg)
{
	struct vmm_vhost *vhost = arg;

	vmm_event_clear(vhost->err_fd);
	vmm_vhost_blame(vhost, -EIO, "the guest broke a ring");
	vmm_virtio_fail(vhost->v);
	return 0;
}

static int vhost_own(struct vmm_vhost *vhost)
{
	if (ioctl(vhost->fd, VHOST_SET_OWNER, 0))
		return vmm_error(errno, "cannot own %s", vhost->node);
	if (ioctl(vhost->fd, VHOST_GET_FEATURES, &vhost->features))
		return vmm_error(errno, "%s does not tell its features", vhost->node);
	if (vmm_vhost_set_mem(vhost->fd, &vhost->v->vm->mem))
		return vmm_error(errno, "%s refuses the guest's memory", vhost->node);
	return 0;
}

static int vhost_watch(struct vmm_vhost *vhost)
{
	vhost->err_fd = vmm_event_create();
	if (vhost->err_fd < 0)
		return vhost->err_fd;
	return vmm_loop_add(vhost->v->vm->loop, vhost->err_fd, vhost_broken, vhost);
}

/**
 * vmm_vhost_open - open a vhost device for the queues of a virtio device
 * @vhost: filled
 * @v: the virtio device
 * @node: device node
 * @module: which kernel module makes it
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vhost_open(struct vmm_vhost *vhost, struct vmm_virtio *v, const char *node,
		   const char *module)
{
	int err;

	*vhost = (struct vmm_vhost){ .v = v, .node = node, .fd = -1, .err_fd = -1 };
	/* Non-blocking for those that can be read: the main loop reads them. */
	vhost->fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (vhost->fd < 0)
		return vmm_error(errno, "cannot open %s (is %s loaded?)", node, module);
	err = vhost_own(vhost);
	if (!err)
		err = vhost_watch(vhost);
	if (err)
		vmm_vhost_close(vhost);
	return err;
}

/**
 * vmm_vhost_close - give a vhost device back
 * @vhost: stopped, or never started
 */
void vmm_vhost_close(struct vmm_vhost *vhost)
{
	if (vhost->fd >= 0)
		close(vhost->fd);
	if (vhost->err_fd >= 0) {
		vmm_loop_del(vhost->v->vm->loop, vhost->err_fd);
		close(vhost->err_fd);
	}
	vhost->fd = -1;
	vhost->err_fd = -1;
}

/**
 * vmm_vhost_offer - decide what the guest is offered
 * @vhost: open
 * @device_features: bits 0 to 23 that the model knows
 *
 * Return: 0, or -EOPNOTSUPP
 */
int vmm_vhost_offer(struct vmm_vhost *vhost, u64 device_features)
{
	u64 offer = vhost->features & (VHOST_RING_FEATURES | device_features);
	u64 packed = 1ULL << VIRTIO_F_RING_PACKED;

	if (!(offer & 1ULL << VIRTIO_F_VERSION_1))
		return vmm_error(-EOPNOTSUPP, "%s does not know virtio 1.0", vhost->node);
	if (vhost->v->vm->cfg->virtio_packed) {
		if (!(vhost->features & packed))
			return vmm_error(-EOPNOTSUPP, "%s has no packed rings (--virtio-packed)",
					 vhost->node);
		offer |= packed;
	}
	vhost->v->offered = offer;
	return 0;
}

/**
 * struct area - a piece of a ring in guest memory
 * @gpa: where
 * @len: bytes
 */
struct area {
	u64 gpa;
	u64 len;
};

static void ring_areas(const struct vmm_virtio *v, const struct vmm_virtio_queue *q,
		       struct area area[3])
{
	bool packed = vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED);
	/* A split ring's event index is one more 16-bit word. */
	u64 event = vmm_virtio_accepted(v, VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;

	area[0] = (struct area){ q->desc, 16ULL * q->num };
	area[1] = (struct area){ q->driver, packed ? 4 : 4 + 2ULL * q->num + event };
	area[2] = (struct area){ q->device, packed ? 4 : 4 + 8ULL * q->num + event };
}

/**
 * vmm_virtio_ring - find the parts of a queue
 * @v: the device
 * @index: of the queue, which the driver has set up
 * @part: filled: descriptors, the driver's area, the device's
 *
 * Return: 0, or -EFAULT: not all of it is guest RAM
 */
int vmm_virtio_ring(const struct vmm_virtio *v, unsigned int index, void *part[3])
{
	struct area area[3];
	unsigned int i;

	ring_areas(v, &v->queue[index], area);
	for (i = 0; i < ARRAY_SIZE(area); i++) {
		part[i] = vmm_mem_ptr(&v->vm->mem, area[i].gpa, area[i].len);
		if (!part[i])
			return -EFAULT;
	}
	return 0;
}

static int ring_address(struct vmm_vhost *vhost, unsigned int index)
{
	struct vhost_vring_addr addr = { .index = index };
	void *part[3];

	if (vmm_virtio_ring(vhost->v, index, part)) {
		errno = EFAULT;
		return -1;
	}
	addr.desc_user_addr = (uintptr_t)part[0];
	addr.avail_user_addr = (uintptr_t)part[1];
	addr.used_user_addr = (uintptr_t)part[2];
	return ioctl(vhost->fd, VHOST_SET_VRING_ADDR, &addr);
}

static int ring_file(struct vmm_vhost *vhost, unsigned long request, unsigned int index, int fd)
{
	struct vhost_vring_file file = { .index = index, .fd = fd };

	return ioctl(vhost->fd, request, &file);
}

/* The kick comes last: from then on the device looks at the ring. */
static int ring_set(struct vmm_vhost *vhost, unsigned int index)
{
	const struct vmm_virtio *v = vhost->v;
	struct vhost_vring_state num = { .index = index, .num = v->queue[index].num };
	struct vhost_vring_state base = { .index = index };

	if (vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED))
		base.num = VHOST_PACKED_BASE;
	if (ioctl(vhost->fd, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_BASE, &base) || ring_address(vhost, index) ||
	    ring_file(vhost, VHOST_SET_VRING_ERR, index, vhost->err_fd) ||
	    ring_file(vhost, VHOST_SET_VRING_CALL, index, v->call_fd) ||
	    ring_file(vhost, VHOST_SET_VRING_KICK, index, v->queue[index].kick_fd))
		return vmm_vhost_blame(vhost, errno, "%s refuses queue %u as the guest set it up",
				       vhost->node, index);
	return 0;
}

/**
 * vmm_vhost_start - give a vhost device the driver's features and queues
 * @vhost: open, stopped
 * @rings: queues 0 to @rings - 1 are its
 *
 * The model starts it afterwards.
 *
 * Return: 0, or -errno with nothing given
 */
int vmm_vhost_start(struct vmm_vhost *vhost, unsigned int rings)
{
	const struct vmm_virtio *v = vhost->v;
	u64 features = v->accepted & vhost->features;
	int err;

	if (ioctl(vhost->fd, VHOST_SET_FEATURES, &features))
		return vmm_vhost_blame(vhost, errno, "%s refuses the features 0x%llx",
				       vhost->node, features);
	for (vhost->rings = 0; vhost->rings < rings; vhost->rings++) {
		if (!v->queue[vhost->rings].ready)
			err = vmm_vhost_blame(vhost, -EINVAL, "the guest has no queue %u",
					      vhost->rings);
		else
			err = ring_set(vhost, vhost->rings);
		if (err) {
			vmm_vhost_stop(vhost);
			return err;
		}
	}
	return 0;
}

/**
 * vmm_vhost_stop - take the queues away
 * @vhost: the model has stopped it
 *
 * A kick that is still to come finds nobody.
 */
void vmm_vhost_stop(struct vmm_vhost *vhost)
{
	while (vhost->rings) {
		vhost->rings--;
		ring_file(vhost, VHOST_SET_VRING_KICK, vhost->rings, -1);
		ring_file(vhost, VHOST_SET_VRING_CALL, vhost->rings, -1);
	}
}
