// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as the virtqueue engine wants it: one region, for good.
 */
#include <linux/ranchu.h>
#include <linux/slab.h>
#include <linux/vhost_types.h>

#include "virtio/ring_mem.h"

/**
 * vmm_ring_mem_create - describe guest RAM to the engine
 * @gpa: guest physical address
 * @size: bytes
 * @hva: where it is mapped here, for as long as this exists
 *
 * Return: the description, or NULL
 */
struct ranchu_mem *vmm_ring_mem_create(__u64 gpa, __u64 size, void *hva)
{
	union {
		struct vhost_memory head;
		char room[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
	} table = { .head.nregions = 1 };
	struct ranchu_mem *mem = calloc(1, sizeof(*mem));

	table.head.regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};
	if (mem && (ranchu_mem_init(mem) || ranchu_mem_set(mem, &table))) {
		free(mem);
		mem = NULL;
	}
	return mem;
}

/**
 * vmm_ring_mem_destroy - undo vmm_ring_mem_create()
 * @mem: no ring uses it; may be NULL
 */
void vmm_ring_mem_destroy(struct ranchu_mem *mem)
{
	if (mem)
		ranchu_mem_destroy(mem);
	free(mem);
}
