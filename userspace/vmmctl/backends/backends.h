/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backends/ owns the backends that serve a virtio device's rings in place of vmmctl: the
 * kernel's vhost devices, processes behind a socket (vhost_user.h), and vDPA devices.
 */
#ifndef BACKENDS_H
#define BACKENDS_H

#include "machine/machine.h"
#include "virtio/virtio.h"

/* ---- vhost.c: rings that a backend serves ---- */

struct vmm_vhost;

/**
 * struct vmm_vhost_ring - a queue, described for its backend
 * @num: entries
 * @base: next index, as in VHOST_SET_VRING_BASE
 * @area: descriptors, available and used ring (packed: the two event structures)
 * @kick_fd: eventfd, signalled by the driver
 * @call_fd: eventfd that interrupts the driver
 * @err_fd: signalled when the ring is broken, or -1
 */
struct vmm_vhost_ring {
	u32 num;
	u32 base;
	struct vmm_queue_area area[3];
	int kick_fd;
	int call_fd;
	int err_fd;
};

/**
 * struct vmm_vhost_ops - how to control the process or kernel device that serves a device's rings
 * @set_features: set the negotiated features
 * @set_ring: pass a ring to the backend
 * @stop_ring: take the ring back; optional
 * @run: called after all rings were passed, or taken back. After the latter, and after
 *	@stop_ring if there is no such function, the backend does not use the rings any more, or
 *	@v->stop_pending is set; optional
 * @close: free what this kind of backend has allocated; optional
 *
 * The first four are called with the virtio device's lock held, and return 0 or
 * -errno without a message.
 */
struct vmm_vhost_ops {
	int (*set_features)(struct vmm_vhost *vhost, u64 features);
	int (*set_ring)(struct vmm_vhost *vhost, unsigned int index,
			const struct vmm_vhost_ring *ring);
	void (*stop_ring)(struct vmm_vhost *vhost, unsigned int index);
	int (*run)(struct vmm_vhost *vhost, bool run);
	void (*close)(struct vmm_vhost *vhost);
};

/**
 * struct vmm_vhost - the backend that serves the rings of a virtio device
 * @ops: how to control it
 * @v: the virtio device whose queues it serves
 * @node: its device node, or its socket
 * @fd: the open node, or the connection
 * @err_fd: eventfd that it signals when a ring is broken, or -1
 * @features: features that it offers
 * @rings: number of rings that it has, while it runs
 */
struct vmm_vhost {
	const struct vmm_vhost_ops *ops;
	struct vmm_virtio *v;
	const char *node;
	int fd;
	int err_fd;
	u64 features;
	unsigned int rings;
};

int vmm_vhost_blame(struct vmm_vhost *vhost, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vmm_vhost_watch(struct vmm_vhost *vhost);
void vmm_vhost_close(struct vmm_vhost *vhost);
int vmm_vhost_offer(struct vmm_vhost *vhost, u64 device_features);
int vmm_vhost_ring(const struct vmm_vhost *vhost, unsigned int index, struct vmm_vhost_ring *ring);
int vmm_vhost_start(struct vmm_vhost *vhost, unsigned int rings);
void vmm_vhost_stop(struct vmm_vhost *vhost);
unsigned int vmm_vhost_ready(const struct vmm_virtio *v);

/* ---- vhost_kernel.c: vhost devices of the kernel ---- */

int vmm_vhost_set_mem(int fd, const struct vmm_mem *mem);
int vmm_vhost_open(struct vmm_vhost *vhost, struct vmm_virtio *v, const char *node,
		   const char *module);
int vmm_vhost_ring_ioctls(struct vmm_vhost *vhost, unsigned int index,
			  const struct vmm_vhost_ring *ring, const u64 *address);
void vmm_vhost_ring_stop_ioctls(struct vmm_vhost *vhost, unsigned int index);
int vmm_vhost_ring_base(const struct vmm_vhost *vhost, unsigned int index, u32 *base);

/* ---- vhost_vdpa.c: vDPA devices ---- */

/**
 * struct vmm_vhost_vdpa - a vDPA device of the kernel
 * @vhost: the device
 * @config_fd: eventfd that it signals when its configuration has changed, or -1
 * @mapped: guest memory is mapped for it
 * @suspends: its driver can suspend and resume it
 * @told: a message was written that it cannot
 */
struct vmm_vhost_vdpa {
	struct vmm_vhost vhost;
	int config_fd;
	bool mapped;
	bool suspends;
	bool told;
};

int vmm_vhost_vdpa_open(struct vmm_vhost_vdpa *vdpa, struct vmm_virtio *v, const char *node);
int vmm_vhost_vdpa_config(struct vmm_vhost_vdpa *vdpa);
int vmm_vhost_vdpa_suspend(struct vmm_vhost_vdpa *vdpa, bool suspend);

#endif /* BACKENDS_H */
