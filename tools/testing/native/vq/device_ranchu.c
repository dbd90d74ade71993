// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our engine as a device. It accesses guest memory through the functions below, which
 * allow only the guest's regions and the ring, stores only where a device may store, and
 * one read of each byte while it takes a chain.
 */
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>
#include <linux/uaccess.h>
#include <linux/vhost_types.h>

#include "vq_diff.h"

/* Elements for a chain; malformed.c makes some that need more. */
#define DEV_IOVS VQ_MAX_RANGES

struct dev_chain {
	struct ranchu_chain chain;
	struct iovec iov[DEV_IOVS];
};

/* What may be accessed; the regions, too, may be loaded from. */
struct dev_area {
	u64 start;
	u64 len;
	bool store;
};

static struct ranchu_mem mem;
static struct ranchu_vq vq;
static struct dev_chain chains[VQ_MAX_NUM];
static struct dev_area areas[3];
static bool watching;

/*
 * Words that were loaded since the device began to take a chain: by address, with the
 * number of the attempt. A hash collision drops an entry, which may hide a second load,
 * but never reports a false one.
 */
static struct {
	u64 addr;
	u64 attempt;
} loaded[1024];
static u64 attempt;
static bool taking, read_once;

static bool inside(u64 addr, u64 len, u64 start, u64 room)
{
	return addr - start < room && len <= room - (addr - start);
}

static bool in_areas(u64 addr, u64 len, bool store)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(areas); i++)
		if ((areas[i].store || !store) &&
		    inside(addr, len, areas[i].start, areas[i].len))
			return true;
	return false;
}

static void check_load(const void *uaddr, size_t len)
{
	u64 addr = (uintptr_t)uaddr;
	unsigned int i, place = addr / 2 % ARRAY_SIZE(loaded);
	bool found = !watching || in_areas(addr, len, false);

	for (i = 0; i < arena_memory.n && !found; i++)
		found = inside(addr, len, arena_memory.region[i].uaddr,
			       arena_memory.region[i].len);
	if (!found)
		vq_fail("the engine loads %zu bytes at %p, which is not guest memory",
			len, uaddr);
	if (!taking || !read_once)
		return;
	if (loaded[place].addr == addr && loaded[place].attempt == attempt)
		vq_fail("the engine loads %p twice for one chain", uaddr);
	loaded[place].addr = addr;
	loaded[place].attempt = attempt;
}

bool shim_access_ok(const void *uaddr, size_t len)
{
	return true;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	check_load(uaddr, len);
	memcpy(val, uaddr, len);
	return true;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	if (!in_areas((uintptr_t)uaddr, len, true))
		vq_fail("the engine stores %zu bytes at %p, which is not the device's",
			len, uaddr);
	memcpy(uaddr, val, len);
	return true;
}

bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	check_load(uaddr, len);
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	return shim_store(uaddr, src, len);
}

void shim_barrier(enum shim_barrier kind)
{
}

void ranchu_dev_init(void)
{
	if (ranchu_mem_init(&mem))
		vq_fail("the engine has no memory");
}

void ranchu_dev_exit(void)
{
	ranchu_mem_destroy(&mem);
}

void ranchu_dev_memory(const struct arena_memory *memory)
{
	u64 room[(sizeof(struct vhost_memory) + ARENA_MAX_REGIONS *
		  sizeof(struct vhost_memory_region)) / 8] = {};
	struct vhost_memory *table = (void *)room;
	unsigned int i;

	table->nregions = memory->n;
	for (i = 0; i < memory->n; i++) {
		/* Last first: the order is of no consequence. */
		struct vhost_memory_region *to =
			&table->regions[memory->n - 1 - i];

		to->guest_phys_addr = memory->region[i].gpa;
		to->memory_size = memory->region[i].len;
		to->userspace_addr = memory->region[i].uaddr;
	}
	watching = false;
	if (ranchu_mem_set(&mem, table))
		vq_fail("the engine refuses the regions");
}

static void watch_ring(const struct vq_ring *ring)
{
	bool packed = ring->features >> VIRTIO_F_RING_PACKED & 1;
	u32 num = ring->num;

	areas[0] = (struct dev_area){ ring->desc, 16 * num, packed };
	areas[1] = (struct dev_area){ ring->driver, packed ? 4 : 6 + 2 * num, false };
	areas[2] = (struct dev_area){ ring->device, packed ? 4 : 6 + 8 * num, true };
	watching = true;
}

void ranchu_dev_start(const struct vq_ring *ring, u32 base, bool once)
{
	const struct ranchu_vq_setup setup = {
		.features = ring->features,
		.num = ring->num,
		.desc = ring->desc,
		.driver = ring->driver,
		.device = ring->device,
	};
	int err;

	watch_ring(ring);
	taking = false;
	read_once = once;
	err = ranchu_vq_check(&setup);
	if (!err)
		err = ranchu_vq_start(&vq, &mem, &setup, base);
	/* If the guest's index is bad already, the engine reports it at once. */
	if (err && vq.fault != RANCHU_VQ_AVAIL_INDEX)
		vq_fail("the engine does not start at base %#x: %d", base, err);
}

u32 ranchu_dev_base(void)
{
	return ranchu_vq_base(&vq);
}

/* 1: a chain; 0: none; negative: broken. */
int ranchu_dev_next(unsigned int handle, struct ranchu_taken *taken)
{
	struct dev_chain *dev = &chains[handle];
	unsigned int i;
	int ret;

	dev->chain.iov = dev->iov;
	dev->chain.max = DEV_IOVS;
	attempt++;
	taking = true;
	ret = ranchu_vq_next(&vq, &dev->chain);
	taking = false;
	if (ret <= 0)
		return ret;
	taken->id = dev->chain.id;
	taken->slots = dev->chain.slots;
	taken->ranges.n_out = dev->chain.n_out;
	taken->ranges.n_in = dev->chain.n_in;
	for (i = 0; i < dev->chain.n_out + dev->chain.n_in; i++) {
		taken->ranges.range[i].addr = (uintptr_t)dev->iov[i].iov_base;
		taken->ranges.range[i].len = dev->iov[i].iov_len;
	}
	return ret;
}

/* Returns the fault of a broken queue, an enum ranchu_vq_fault. */
int ranchu_dev_fault(void)
{
	return vq.fault;
}

static void check_whole(const char *what)
{
	if (vq.fault)
		vq_fail("%s: the engine says: %s", what,
			ranchu_vq_fault_name(vq.fault));
}

void ranchu_dev_put_back(unsigned int handle)
{
	ranchu_vq_put_back(&vq, &chains[handle].chain);
}

void ranchu_dev_push(unsigned int handle, u32 written)
{
	ranchu_vq_push(&vq, &chains[handle].chain, written);
	check_whole("push");
}

void ranchu_dev_publish(void)
{
	ranchu_vq_publish(&vq);
	check_whole("publish");
}

bool ranchu_dev_must_call(void)
{
	return ranchu_vq_must_call(&vq);
}

bool ranchu_dev_enable_kicks(void)
{
	bool more = ranchu_vq_enable_kicks(&vq);

	check_whole("enable kicks");
	return more;
}

void ranchu_dev_disable_kicks(void)
{
	ranchu_vq_disable_kicks(&vq);
	check_whole("disable kicks");
}
