/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory for the virtqueue engine. In files of its own, because the kernel's linux/ranchu.h
 * and the board's header have the same name.
 */
#ifndef RING_MEM_H
#define RING_MEM_H

#include <linux/types.h>

struct iovec;
struct ranchu_mem;

/**
 * struct vmm_ring_region - a piece of guest RAM
 * @gpa: guest physical address
 * @size: bytes
 * @hva: where it is mapped here
 */
struct vmm_ring_region {
	__u64 gpa;
	__u64 size;
	void *hva;
};

struct ranchu_mem *vmm_ring_mem_create(const struct vmm_ring_region *regions, unsigned int count);
void vmm_ring_mem_destroy(struct ranchu_mem *mem);
int vmm_ring_mem_iov(struct ranchu_mem *mem, __u64 gpa, __u64 len, struct iovec *iov,
		     unsigned int max);

#endif /* RING_MEM_H */
