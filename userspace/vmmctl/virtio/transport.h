/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a transport (mmio.c, pci.c) and the core of a virtio device (device.c) are to one
 * another. The core knows features, status, queues and configuration; a transport knows
 * at which offset a driver reads and writes them, and how a driver is interrupted.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "virtio/virtio.h"

/**
 * struct vmm_virtio_transport - a way for a driver to get at a device
 * @show: features, status or a queue have changed: whatever shows them follows; optional
 * @show_config: the same for the configuration and its generation; optional
 * @reset: puts what is the transport's own into its power-on state; no vCPU exists;
 *	optional
 * @queue_reset: a driver can give up a queue and set it up again while the others go on
 *
 * All are called with the device's lock held, @show and @show_config from any thread.
 */
struct vmm_virtio_transport {
	void (*show)(struct vmm_virtio *v);
	void (*show_config)(struct vmm_virtio *v);
	void (*reset)(struct vmm_virtio *v);
	bool queue_reset;
};

/* ---- device.c, for transports; but for the first three, inside enter and leave ---- */

void vmm_virtio_attach(struct vmm_virtio *v, const struct vmm_virtio_transport *transport);
void vmm_virtio_detach(struct vmm_virtio *v);
void vmm_virtio_enter(struct vmm_virtio *v);
void vmm_virtio_leave(struct vmm_virtio *v);
u32 vmm_virtio_offered_half(const struct vmm_virtio *v);
void vmm_virtio_accept_half(struct vmm_virtio *v, u32 value);
void vmm_virtio_set_status(struct vmm_virtio *v, u32 value);
struct vmm_virtio_queue *vmm_virtio_queue_selected(struct vmm_virtio *v);
void vmm_virtio_queue_enable(struct vmm_virtio *v, struct vmm_virtio_queue *q, bool ready);
void vmm_virtio_queue_reset(struct vmm_virtio *v, struct vmm_virtio_queue *q);
void vmm_virtio_kick(struct vmm_virtio *v, u32 queue);
void vmm_virtio_write_config(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len);
void vmm_virtio_ack_config(struct vmm_virtio *v);

/* ---- device.c, for save.c ---- */

void vmm_virtio_go_on(struct vmm_virtio *v, bool running);

#endif /* TRANSPORT_H */
