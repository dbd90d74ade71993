// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory for the virtqueue engine: a fixed list of regions.
 */
#include <linux/ranchu.h>
#include <linux/slab.h>
#include <linux/vhost_types.h>

#include "virtio/ring_mem.h"

/**
 * vmm_ring_mem_create - describe guest RAM to the engine
 * @regions: the regions, which stay mapped as long as this exists
 * @count: how many regions
 *
 * Return: the description, or NULL
 */
struct ranchu_mem *vmm_ring_mem_create(const struct vmm_ring_region *regions, unsigned int count)
{
	struct vhost_memory *table = calloc(1, sizeof(*table) + count * sizeof(table->regions[0]));
	struct ranchu_mem *mem = calloc(1, sizeof(*mem));
	unsigned int i;

	for (i = 0; table && i < count; i++) {
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = regions[i].gpa,
			.memory_size = regions[i].size,
			.userspace_addr = (uintptr_t)regions[i].hva,
		};
		table->nregions = i + 1;
	}
	if (mem && (!table || ranchu_mem_init(mem) || ranchu_mem_set(mem, table))) {
		free(mem);
		mem = NULL;
	}
	free(table);
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

/**
 * vmm_ring_mem_iov - find where guest memory is mapped here
 * @mem: guest memory
 * @gpa: guest physical address
 * @len: bytes, any number
 * @iov: filled, in order
 * @max: elements of @iov
 *
 * Return: elements used, -EFAULT if part of it is not guest memory, -E2BIG if it needs more
 */
int vmm_ring_mem_iov(struct ranchu_mem *mem, __u64 gpa, __u64 len, struct iovec *iov,
		     unsigned int max)
{
	int idx = ranchu_mem_enter(mem);
	int n = ranchu_mem_iov(mem, gpa, len, iov, max);

	ranchu_mem_leave(mem, idx);
	return n;
}
