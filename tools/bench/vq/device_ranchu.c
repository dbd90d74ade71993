// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our engine in the benchmark, with plain access to memory.
 */
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>
#include <linux/vhost_types.h>

#include "../../../drivers/virt/ranchu/mem_table.h"
#include "vq_bench.h"

static u64 table_room[64];
static struct ranchu_mem mem;
static struct ranchu_vq split_vq, packed_vq;
static struct iovec iov[2 * BENCH_MAX_DESCS];

void bench_add_region(u64 gpa, u64 len, u64 uaddr)
{
	struct vhost_memory *table = (void *)table_room;
	struct vhost_memory_region *region = &table->regions[table->nregions++];

	region->guest_phys_addr = gpa;
	region->memory_size = len;
	region->userspace_addr = uaddr;
}

void bench_set_memory(void)
{
	if (ranchu_mem_init(&mem) || ranchu_mem_set(&mem, table_room))
		bench_die("no memory");
}

bool bench_find(u64 gpa, u64 *first, u64 *last, u64 *uaddr)
{
	const struct ranchu_mem_region *region =
		ranchu_mem_table_find(mem.table, gpa);

	if (!region)
		return false;
	*first = region->first;
	*last = region->last;
	*uaddr = region->uaddr;
	return true;
}

bool bench_region(unsigned int i, u64 *first, u64 *last, u64 *uaddr)
{
	return i < mem.table->n && bench_find(mem.table->regions[i].first, first,
					      last, uaddr);
}

static void begin(struct ranchu_vq *vq, const struct bench_ring *ring, u32 base)
{
	const struct ranchu_vq_setup setup = {
		.features = ring->features,
		.num = BENCH_NUM,
		.desc = ring->desc,
		.driver = ring->driver,
		.device = ring->device,
	};

	if (ranchu_vq_check(&setup) || ranchu_vq_start(vq, &mem, &setup, base))
		bench_die("our engine does not start");
}

static void split_start(const struct bench_ring *ring)
{
	begin(&split_vq, ring, 0);
}

static void packed_start(const struct bench_ring *ring)
{
	begin(&packed_vq, ring, 0x80008000);
}

static unsigned int run_batch(struct ranchu_vq *vq, unsigned int chains)
{
	struct ranchu_chain chain = { .iov = iov, .max = ARRAY_SIZE(iov) };

	for (; chains; chains--) {
		if (ranchu_vq_next(vq, &chain) != 1)
			bench_die("our engine finds no chain");
		ranchu_vq_push(vq, &chain, chain.in_len);
	}
	ranchu_vq_publish(vq);
	return ranchu_vq_must_call(vq);
}

static unsigned int run_each(struct ranchu_vq *vq, unsigned int chains)
{
	struct ranchu_chain chain = { .iov = iov, .max = ARRAY_SIZE(iov) };
	unsigned int calls = 0;

	for (; chains; chains--) {
		if (ranchu_vq_next(vq, &chain) != 1)
			bench_die("our engine finds no chain");
		ranchu_vq_push(vq, &chain, chain.in_len);
		ranchu_vq_publish(vq);
		calls += ranchu_vq_must_call(vq);
	}
	return calls;
}

static unsigned int split_run(unsigned int chains, enum bench_style style)
{
	return style == BENCH_BATCH ? run_batch(&split_vq, chains) :
				      run_each(&split_vq, chains);
}

static unsigned int packed_run(unsigned int chains, enum bench_style style)
{
	return style == BENCH_BATCH ? run_batch(&packed_vq, chains) :
				      run_each(&packed_vq, chains);
}

const struct bench_device bench_split = { "split", split_start, split_run };
const struct bench_device bench_packed = { "packed", packed_start, packed_run };
