/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory as the virtqueue engine wants it. Files of its own, because the
 * kernel's linux/ranchu.h and the board's have the same name.
 */
#ifndef RING_MEM_H
#define RING_MEM_H

#include <linux/types.h>

struct ranchu_mem;

struct ranchu_mem *vmm_ring_mem_create(__u64 gpa, __u64 size, void *hva);
void vmm_ring_mem_destroy(struct ranchu_mem *mem);

#endif /* RING_MEM_H */
