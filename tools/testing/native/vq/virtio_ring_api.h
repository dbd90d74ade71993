/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's linux/virtio.h declares of virtio_ring.c and that of its
 * userspace shim does not.
 */
#ifndef VIRTIO_RING_API_H
#define VIRTIO_RING_API_H

#include <linux/virtio.h>

bool virtqueue_kick_prepare(struct virtqueue *vq);
dma_addr_t virtqueue_get_desc_addr(const struct virtqueue *vq);
dma_addr_t virtqueue_get_avail_addr(const struct virtqueue *vq);
dma_addr_t virtqueue_get_used_addr(const struct virtqueue *vq);

#endif /* VIRTIO_RING_API_H */
