// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of the benchmark: fills a ring with chains of one shape and
 * sees to it that the device used them all. It asks for a call after each fill.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "vq_bench.h"

#define PACKED_AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1 << VRING_PACKED_DESC_F_USED)
#define BUF_LEN 512
#define BUF_SPACE (BENCH_NUM * BUF_LEN)
#define TABLE_SIZE (BENCH_MAX_DESCS * sizeof(struct vring_desc))

/* Three regions: a low one, the one with everything in it, and a high one. */
#define GPA 0x100000000ULL
#define MEMORY_SIZE (0x10000 + BENCH_NUM * TABLE_SIZE + BUF_SPACE)
#define AVAIL_AT 0x2000
#define USED_AT 0x4000
#define TABLES_AT 0x10000
#define BUFS_AT (TABLES_AT + BENCH_NUM * TABLE_SIZE)

/*
 * Where the driver stands, for a ring each; found by the ring's address. @at is
 * a split ring's next free descriptor: they go round, as they do in a driver
 * that frees them in the order in which they are used.
 */
struct driver {
	u8 *memory;
	u64 gpa;
	u16 next;
	u16 at;
	bool wrap;
};

static struct driver drivers[4];
static unsigned int n_drivers;

static struct driver *driver_of(const struct bench_ring *ring)
{
	unsigned int i;

	for (i = 0; i < n_drivers; i++)
		if ((uintptr_t)drivers[i].memory == ring->desc)
			return &drivers[i];
	return NULL;
}

static void driver_make(void)
{
	struct driver *driver = &drivers[n_drivers];

	driver->memory = aligned_alloc(4096, MEMORY_SIZE);
	if (!driver->memory)
		bench_die("no memory");
	memset(driver->memory, 0, MEMORY_SIZE);
	driver->gpa = GPA + n_drivers++ * 0x10000000ULL;
	bench_add_region(driver->gpa, MEMORY_SIZE, (uintptr_t)driver->memory);
}

/* Makes a ring anew, empty; the driver and its memory are made once. */
void ring_make(struct bench_ring *ring, bool packed, const struct bench_shape *shape)
{
	struct driver *driver = driver_of(ring);

	if (!driver) {
		driver = &drivers[n_drivers];
		driver_make();
	}
	memset(driver->memory, 0, MEMORY_SIZE);
	driver->next = 0;
	driver->at = 0;
	driver->wrap = true;
	ring->features = 1ULL << VIRTIO_F_VERSION_1 |
			 1ULL << VIRTIO_RING_F_EVENT_IDX |
			 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (packed)
		ring->features |= 1ULL << VIRTIO_F_RING_PACKED;
	ring->desc = (uintptr_t)driver->memory;
	ring->driver = ring->desc + AVAIL_AT;
	ring->device = ring->desc + USED_AT;
}

static bool is_packed(const struct bench_ring *ring)
{
	return ring->features >> VIRTIO_F_RING_PACKED & 1;
}

/* The descriptor number @i of a chain, all but its flags and link. */
static u64 buf_gpa(const struct driver *driver, unsigned int n)
{
	return driver->gpa + BUFS_AT + n % BENCH_NUM * BUF_LEN;
}

static u16 buf_flags(const struct bench_shape *shape, unsigned int i)
{
	return (i >= (shape->descs + 1) / 2 ? VRING_DESC_F_WRITE : 0) |
	       (i + 1 < shape->descs ? VRING_DESC_F_NEXT : 0);
}

static u64 table_fill(struct driver *driver, const struct bench_shape *shape,
		      bool packed, unsigned int n)
{
	struct vring_desc *table = (void *)(driver->memory + TABLES_AT + n * TABLE_SIZE);
	struct vring_packed_desc *slots = (void *)table;
	unsigned int i;

	for (i = 0; i < shape->descs; i++) {
		u64 addr = buf_gpa(driver, n * shape->descs + i);
		u16 flags = buf_flags(shape, i);

		if (packed)
			slots[i] = (struct vring_packed_desc){
				addr, BUF_LEN, 0, flags & VRING_DESC_F_WRITE };
		else
			table[i] = (struct vring_desc){ addr, BUF_LEN, flags, i + 1 };
	}
	return driver->gpa + TABLES_AT + n * TABLE_SIZE;
}

static unsigned int fill_split(struct bench_ring *ring, const struct bench_shape *shape,
			       unsigned int chains)
{
	struct driver *driver = driver_of(ring);
	struct vring_desc *desc = (void *)(uintptr_t)ring->desc;
	struct vring_avail *avail = (void *)(uintptr_t)ring->driver;
	unsigned int descs = shape->indirect ? 1 : shape->descs;
	unsigned int n, i, at = driver->at;

	for (n = 0; n < chains; n++) {
		if (at + descs > BENCH_NUM)
			at = 0;
		avail->ring[driver->next++ % BENCH_NUM] = at;
		if (shape->indirect) {
			desc[at++] = (struct vring_desc){
				table_fill(driver, shape, false, n),
				shape->descs * sizeof(*desc),
				VRING_DESC_F_INDIRECT, 0 };
			continue;
		}
		for (i = 0; i < shape->descs; i++, at++)
			desc[at] = (struct vring_desc){ buf_gpa(driver, at), BUF_LEN,
				buf_flags(shape, i), at + 1 };
	}
	driver->at = at;
	avail->ring[BENCH_NUM] = driver->next - 1;
	/* The device may look on from another CPU. */
	__atomic_store_n(&avail->idx, driver->next, __ATOMIC_RELEASE);
	return chains;
}

static void put_packed(struct driver *driver, struct vring_packed_desc *ring, u64 addr,
		       u32 len, u16 id, u16 flags)
{
	flags |= driver->wrap ? PACKED_AVAIL : PACKED_USED;
	ring[driver->next] = (struct vring_packed_desc){ addr, len, id, flags };
	if (++driver->next == BENCH_NUM) {
		driver->next = 0;
		driver->wrap = !driver->wrap;
	}
}

static unsigned int fill_packed(struct bench_ring *ring, const struct bench_shape *shape,
				unsigned int chains)
{
	struct driver *driver = driver_of(ring);
	struct vring_packed_desc *slots = (void *)(uintptr_t)ring->desc;
	struct vring_packed_desc_event *event = (void *)(uintptr_t)ring->driver;
	unsigned int n, i, at = 0;

	for (n = 0; n < chains; n++) {
		/* The call is wanted for the last chain. */
		event->off_wrap = driver->next |
			driver->wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
		if (shape->indirect) {
			put_packed(driver, slots, table_fill(driver, shape, true, n),
				   shape->descs * sizeof(*slots), n,
				   VRING_DESC_F_INDIRECT);
			continue;
		}
		for (i = 0; i < shape->descs; i++, at++)
			put_packed(driver, slots, buf_gpa(driver, at), BUF_LEN, n,
				   buf_flags(shape, i));
	}
	event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	return chains;
}

/* @depth chains, or as many as the ring holds; the device has used all others. */
unsigned int ring_fill(struct bench_ring *ring, const struct bench_shape *shape,
		       unsigned int depth)
{
	unsigned int chains = shape->indirect ? BENCH_NUM : BENCH_NUM / shape->descs;

	if (depth < chains)
		chains = depth;

	return is_packed(ring) ? fill_packed(ring, shape, chains) :
				 fill_split(ring, shape, chains);
}

/* That the device did what it was timed for. */
void ring_check(const struct bench_ring *ring, unsigned int chains)
{
	const struct driver *driver = driver_of(ring);
	const struct vring_used *used = (void *)(uintptr_t)ring->device;
	const struct vring_packed_desc *slots = (void *)(uintptr_t)ring->desc;
	u16 before = (driver->next + BENCH_NUM - 1) % BENCH_NUM;

	if (!is_packed(ring)) {
		if (used->idx != driver->next ||
		    used->ring[before].id >= BENCH_NUM)
			bench_die("the used ring is not as it should be");
		return;
	}
	if (chains == BENCH_NUM && !(slots[before].flags & PACKED_USED) !=
				   !(slots[before].flags & PACKED_AVAIL))
		bench_die("the packed ring is not as it should be");
}
