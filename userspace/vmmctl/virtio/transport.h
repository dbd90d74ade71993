/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between a transport (mmio.c, pci.c) and the core of a virtio device (device.c). The
 * core has features, status, queues and configuration; a transport has the offsets of their
 * registers, and interrupts the driver.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "virtio/virtio.h"

/**
 * struct vmm_virtio_transport - a transport of a virtio device
 * @show: called when features, status or a queue have changed, to update registers; optional
 * @show_config: called when the configuration and its generation have changed; optional
 * @reset: puts the transport's own registers into their power-on state; no vCPU exists;
 *	optional
 * @queue_reset: the transport has a register to reset one queue while the others run
 *
 * All are called with the device's lock held, @show and @show_config from any thread.
 */
struct vmm_virtio_transport {
	void (*show)(struct vmm_virtio *v);
	void (*show_config)(struct vmm_virtio *v);
	void (*reset)(struct vmm_virtio *v);
	bool queue_reset;
};

/* ---- device.c, for transports; all but the first three between enter and leave ---- */

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

void vmm_virtio_start_loaded(struct vmm_virtio *v, bool running);

#endif /* TRANSPORT_H */
