// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost device of the kernel as a backend: a device node and its ioctls. Its model starts it.
 *
 * Source: include/uapi/linux/vhost.h
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>

#include "backends/backends.h"

/**
 * vmm_vhost_set_mem - pass guest memory to a vhost device
 * @fd: the device, owned by this process
 * @mem: the memory
 *
 * Return: 0, or -1 with errno set
 */
int vmm_vhost_set_mem(int fd, const struct vmm_mem *mem)
{
	u8 room[sizeof(struct vhost_memory) +
		VMM_REGIONS * sizeof(struct vhost_memory_region)];
	struct vhost_memory head = { .nregions = mem->regions };
	u8 *to = room + sizeof(head);
	unsigned int i;

	memcpy(room, &head, sizeof(head));
	for (i = 0; i < mem->regions; i++) {
		struct vhost_memory_region region = {
			.guest_phys_addr = mem->region[i].base,
			.memory_size = mem->region[i].size,
			.userspace_addr = (uintptr_t)mem->region[i].hva,
		};

		memcpy(to, &region, sizeof(region));
		to += sizeof(region);
	}
	return ioctl(fd, VHOST_SET_MEM_TABLE, room);
}

static int kernel_own(struct vmm_vhost *vhost)
{
	if (ioctl(vhost->fd, VHOST_SET_OWNER, 0))
		return vmm_error(errno, "cannot own %s", vhost->node);
	if (ioctl(vhost->fd, VHOST_GET_FEATURES, &vhost->features))
		return vmm_error(errno, "%s does not return its features", vhost->node);
	if (vmm_vhost_set_mem(vhost->fd, &vhost->v->vm->mem))
		return vmm_error(errno, "%s refuses the guest's memory", vhost->node);
	return 0;
}

static int kernel_set_features(struct vmm_vhost *vhost, u64 features)
{
	return ioctl(vhost->fd, VHOST_SET_FEATURES, &features) ? -errno : 0;
}

static int ring_file(struct vmm_vhost *vhost, unsigned long request, unsigned int index, int fd)
{
	struct vhost_vring_file file = { .index = index, .fd = fd };

	return ioctl(vhost->fd, request, &file);
}

/**
 * vmm_vhost_ring_ioctls - pass a ring to a vhost device of any kind
 * @vhost: the device
 * @index: of the ring
 * @ring: the ring
 * @address: addresses of its parts, as the device expects them
 *
 * The kick's eventfd comes last: from then on the device uses the ring.
 *
 * Return: 0, or -errno
 */
int vmm_vhost_ring_ioctls(struct vmm_vhost *vhost, unsigned int index,
			  const struct vmm_vhost_ring *ring, const u64 *address)
{
	struct vhost_vring_state num = { .index = index, .num = ring->num };
	struct vhost_vring_state base = { .index = index, .num = ring->base };
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = address[0],
		.avail_user_addr = address[1],
		.used_user_addr = address[2],
	};

	if (ioctl(vhost->fd, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(vhost->fd, VHOST_SET_VRING_ADDR, &addr) ||
	    (ring->err_fd >= 0 && ring_file(vhost, VHOST_SET_VRING_ERR, index, ring->err_fd)) ||
	    ring_file(vhost, VHOST_SET_VRING_CALL, index, ring->call_fd) ||
	    ring_file(vhost, VHOST_SET_VRING_KICK, index, ring->kick_fd))
		return -errno;
	return 0;
}

static int kernel_set_ring(struct vmm_vhost *vhost, unsigned int index,
			   const struct vmm_vhost_ring *ring)
{
	u64 address[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(address); i++)
		address[i] = (uintptr_t)ring->area[i].hva;
	return vmm_vhost_ring_ioctls(vhost, index, ring, address);
}

/**
 * vmm_vhost_ring_stop_ioctls - undo vmm_vhost_ring_ioctls()
 * @vhost: the device
 * @index: of the ring
 */
void vmm_vhost_ring_stop_ioctls(struct vmm_vhost *vhost, unsigned int index)
{
	ring_file(vhost, VHOST_SET_VRING_KICK, index, -1);
	ring_file(vhost, VHOST_SET_VRING_CALL, index, -1);
}

/**
 * vmm_vhost_ring_base - get the next index of a ring from a vhost device
 * @vhost: the device, whose rings are stopped
 * @index: of the ring
 * @base: filled
 *
 * Return: 0, or -errno
 */
int vmm_vhost_ring_base(const struct vmm_vhost *vhost, unsigned int index, u32 *base)
{
	struct vhost_vring_state state = { .index = index };

	if (ioctl(vhost->fd, VHOST_GET_VRING_BASE, &state))
		return -errno;
	*base = state.num;
	return 0;
}

static const struct vmm_vhost_ops kernel_ops = {
	.set_features = kernel_set_features,
	.set_ring = kernel_set_ring,
	.stop_ring = vmm_vhost_ring_stop_ioctls,
};

/**
 * vmm_vhost_open - open a vhost device of the kernel for the queues of a virtio device
 * @vhost: filled
 * @v: the virtio device
 * @node: device node
 * @module: kernel module of the device, for messages
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vhost_open(struct vmm_vhost *vhost, struct vmm_virtio *v, const char *node,
		   const char *module)
{
	int err;

	*vhost = (struct vmm_vhost){
		.ops = &kernel_ops, .v = v, .node = node, .fd = -1, .err_fd = -1,
	};
	/* Non-blocking, because the main loop reads events from some of these devices. */
	vhost->fd = open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (vhost->fd < 0)
		return vmm_error(errno, "cannot open %s (is %s loaded?)", node, module);
	err = kernel_own(vhost);
	if (!err)
		err = vmm_vhost_watch(vhost);
	if (err)
		vmm_vhost_close(vhost);
	return err;
}
