// SPDX-License-Identifier: GPL-2.0-only
/*
 * Common functions of the virtqueue tests: see vq_rig.h. The machine must be
 * little-endian, like the rings.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vhost_types.h>

#include "vq_rig.h"

#define PAGED __attribute__((aligned(4096)))

static u8 area_a[RIG_REGION_SIZE] PAGED;
static u8 gap[4096] PAGED;
static u8 area_b[RIG_REGION_SIZE] PAGED;
static u8 ring[RIG_RING_SIZE] PAGED;
static u8 bitmap[RIG_LOG_SIZE] PAGED;
static struct rig rig_now;

/* Never accessed, so that nothing has to be there. */
#define HUGE_UADDR 0x100000000000ULL

static bool inside(const void *uaddr, size_t len, const void *area, size_t size)
{
	uintptr_t offset = (uintptr_t)uaddr - (uintptr_t)area;

	return offset <= size && len <= size - offset;
}

static size_t desc_size(void)
{
	return 16 * rig_now.setup.num;
}

static size_t driver_size(void)
{
	return rig_is_packed(&rig_now) ? 4 : 6 + 2 * rig_now.setup.num;
}

static size_t device_size(void)
{
	return rig_is_packed(&rig_now) ? 4 : 6 + 8 * rig_now.setup.num;
}

static bool in_ring(const void *uaddr, size_t len)
{
	return inside(uaddr, len, rig_now.desc, desc_size()) ||
	       inside(uaddr, len, rig_now.driver, driver_size()) ||
	       inside(uaddr, len, rig_now.device, device_size());
}

/* The device may write the used ring, and a packed ring's descriptors. */
static bool may_store(const void *uaddr, size_t len)
{
	return inside(uaddr, len, rig_now.device, device_size()) ||
	       (rig_is_packed(&rig_now) &&
		inside(uaddr, len, rig_now.desc, desc_size()));
}

/* Guest memory beside the ring is read for indirect tables only. */
static bool may_load(const void *uaddr, size_t len)
{
	return in_ring(uaddr, len) || inside(uaddr, len, area_a, sizeof(area_a)) ||
	       inside(uaddr, len, area_b, sizeof(area_b));
}

static void stray(const char *what, const void *uaddr, size_t len)
{
	printf("# %s of %zu bytes at %p\n", what, len, uaddr);
	rig_now.strays++;
}

static bool faults(void)
{
	return ++rig_now.accesses == rig_now.fail_at;
}

/* The bitmap is accessed through this alone: see the shim's mm.h. */
bool shim_access_ok(const void *uaddr, size_t len)
{
	if (inside(uaddr, len, bitmap, sizeof(bitmap)))
		return !faults();
	return true;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	if (faults())
		return false;
	if (!may_load(uaddr, len) || (in_ring(uaddr, len) && (uintptr_t)uaddr % len)) {
		stray("stray load", uaddr, len);
		return false;
	}
	memcpy(val, uaddr, len);
	return true;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	rig_now.stores++;
	if (faults())
		return false;
	/* Used elements are written by one store, but aligned to half its size. */
	if (!may_store(uaddr, len) || (uintptr_t)uaddr % min_t(size_t, len, 4)) {
		stray("stray store", uaddr, len);
		return false;
	}
	if (rig_now.hidden && inside(rig_now.hidden, 1, uaddr, len))
		stray("early store", uaddr, len);
	memcpy(uaddr, val, len);
	return true;
}

/* ranchu_mem_set() reads its argument, which is no guest memory. */
bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	if (uaddr != rig_now.table && uaddr != rig_now.regions &&
	    (faults() || !may_load(uaddr, len)))
		return false;
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	stray("stray copy", uaddr, len);
	return false;
}

void shim_barrier(enum shim_barrier kind)
{
}

bool shim_fatal_signal_pending(void)
{
	return rig_now.killed;
}

/**
 * rig_set_memory() - set the device's memory table
 * @rig: the rig
 * @n: number of regions, from the first
 */
void rig_set_memory(struct rig *rig, unsigned int n)
{
	/* As struct vhost_memory has it, with room for the regions. */
	struct {
		u32 nregions, padding;
		struct vhost_memory_region regions[RIG_REGIONS];
	} table = {
		.nregions = n,
		.regions = {
			{ RIG_A, RIG_REGION_SIZE, (uintptr_t)area_a, 0 },
			{ RIG_B, RIG_REGION_SIZE, (uintptr_t)area_b, 0 },
			{ RIG_ALIAS, RIG_REGION_SIZE, (uintptr_t)area_b, 0 },
			{ RIG_HUGE, RIG_HUGE_SIZE, HUGE_UADDR, 0 },
			{ RIG_RING, RIG_RING_SIZE, (uintptr_t)ring, 0 },
		},
	};

	rig->table = &table;
	rig->regions = table.regions;
	KUNIT_ASSERT_EQ(rig->test, 0, ranchu_mem_set(&rig->mem, &table));
	rig->table = NULL;
	rig->regions = NULL;
}

/**
 * rig_new() - lay out a queue with an empty ring, not yet started
 * @test: the case that runs
 * @features: negotiated
 * @num: queue size
 *
 * Return: the only rig.
 */
struct rig *rig_new(struct kunit *test, u64 features, u32 num)
{
	struct rig *rig = &rig_now;

	rig_end(rig);
	memset(rig, 0, sizeof(*rig));
	memset(area_a, 0, sizeof(area_a));
	memset(gap, 0, sizeof(gap));
	memset(area_b, 0, sizeof(area_b));
	memset(ring, 0, sizeof(ring));
	memset(bitmap, 0, sizeof(bitmap));
	rig->test = test;
	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_init(&rig->mem));
	rig_set_memory(rig, RIG_REGIONS);
	rig->desc = ring;
	rig->driver = ring + RIG_DRIVER;
	rig->device = ring + RIG_DEVICE;
	rig->log = bitmap;
	rig->setup = (struct ranchu_vq_setup){
		.features = features,
		.num = num,
		.desc = (uintptr_t)rig->desc,
		.driver = (uintptr_t)rig->driver,
		.device = (uintptr_t)rig->device,
		.log = (uintptr_t)bitmap,
		.log_used_gpa = RIG_RING + RIG_DEVICE,
	};
	rig->avail_wrap = true;
	rig->used_wrap = true;
	KUNIT_ASSERT_EQ(test, 0, ranchu_vq_check(&rig->setup));
	return rig;
}

/**
 * rig_start() - start the queue, device and driver
 * @rig: new, or stopped
 * @base: for the device
 *
 * The driver's position is @base, with nothing in flight.
 */
void rig_start(struct rig *rig, u32 base)
{
	rig->avail = rig_is_packed(rig) ? base & 0x7fff : base;
	rig->avail_wrap = base & BIT(15);
	rig->used = rig_is_packed(rig) ? base >> 16 & 0x7fff : base;
	rig->used_wrap = base & BIT(31);
	if (!rig_is_packed(rig)) {
		rig_avail(rig)->idx = rig->avail;
		rig_used(rig)->idx = rig->used;
	}
	KUNIT_ASSERT_EQ(rig->test, 0,
			ranchu_vq_start(&rig->vq, &rig->mem, &rig->setup, base));
	rig->accesses = 0;
	rig->stores = 0;
}

/**
 * rig_end() - check what must hold at the end of each case, and free
 * @rig: the rig; may not have been made
 */
void rig_end(struct rig *rig)
{
	if (!rig->test)
		return;
	KUNIT_EXPECT_EQ(rig->test, 0u, rig->strays);
	rig->test = NULL;
	ranchu_mem_destroy(&rig->mem);
}

/**
 * rig_at() - find guest memory
 * @gpa: in RIG_A, RIG_B, RIG_ALIAS or RIG_RING
 *
 * Return: its address in this process.
 */
void *rig_at(u64 gpa)
{
	if (gpa >= RIG_RING)
		return ring + (gpa - RIG_RING);
	if (gpa >= RIG_ALIAS)
		return area_b + (gpa - RIG_ALIAS);
	return gpa >= RIG_B ? area_b + (gpa - RIG_B) : area_a + (gpa - RIG_A);
}

/**
 * rig_put_desc() - write a descriptor
 * @rig: the rig
 * @i: its slot
 * @desc: with the fields of the split layout; packed, @next is the id
 */
void rig_put_desc(struct rig *rig, unsigned int i, struct vring_desc desc)
{
	struct vring_desc *table = rig->desc;

	if (rig_is_packed(rig))
		rig_packed(rig)[i] = (struct vring_packed_desc){
			desc.addr, desc.len, desc.next, desc.flags
		};
	else
		table[i] = desc;
}

/**
 * rig_make_avail() - split: make the chain that starts at @head available
 * @rig: the rig
 * @head: descriptor
 */
void rig_make_avail(struct rig *rig, u16 head)
{
	rig_avail(rig)->ring[rig->avail++ % rig->setup.num] = head;
	rig_avail(rig)->idx = rig->avail;
}

static u16 add_split(struct rig *rig, const struct rig_buf *bufs, unsigned int n)
{
	u16 head = rig->next_desc % rig->setup.num;
	unsigned int i;

	for (i = 0; i < n; i++) {
		u16 slot = rig->next_desc++ % rig->setup.num;

		rig_put_desc(rig, slot, (struct vring_desc){
			bufs[i].gpa, bufs[i].len,
			bufs[i].flags | (i + 1 < n ? N : 0),
			rig->next_desc % rig->setup.num
		});
	}
	rig_make_avail(rig, head);
	return head;
}

/* The id is the complement of the first slot's number, so that it differs from slots. */
static u16 add_packed(struct rig *rig, const struct rig_buf *bufs, unsigned int n)
{
	u16 id = rig->avail ^ 0x7fff, flags, first = rig->avail;
	u16 first_flags = 0;
	unsigned int i;

	rig->slots[id] = n;
	rig->given++;
	for (i = 0; i < n; i++) {
		flags = bufs[i].flags | (i + 1 < n ? N : 0) |
			BIT(rig->avail_wrap ? VRING_PACKED_DESC_F_AVAIL :
					      VRING_PACKED_DESC_F_USED);
		if (!i)
			first_flags = flags;
		/* Only the last descriptor's id counts. */
		rig_put_desc(rig, rig->avail, (struct vring_desc){
			bufs[i].gpa, bufs[i].len, i ? flags : 0,
			i + 1 < n ? 0x5a5a : id
		});
		if (++rig->avail == rig->setup.num) {
			rig->avail = 0;
			rig->avail_wrap = !rig->avail_wrap;
		}
	}
	rig_packed(rig)[first].flags = first_flags;
	return id;
}

/**
 * rig_add() - make a chain available
 * @rig: the rig
 * @bufs: its buffers, in order
 * @n: how many
 *
 * Return: its id.
 */
u16 rig_add(struct rig *rig, const struct rig_buf *bufs, unsigned int n)
{
	return rig_is_packed(rig) ? add_packed(rig, bufs, n) :
				    add_split(rig, bufs, n);
}

/**
 * rig_add_one() - make a chain of one writable buffer of 16 bytes available
 * @rig: the rig
 *
 * Return: its id.
 */
u16 rig_add_one(struct rig *rig)
{
	const struct rig_buf buf = { RIG_A, 16, W };

	return rig_add(rig, &buf, 1);
}

static bool take_split(struct rig *rig, u16 *id, u32 *len)
{
	vring_used_elem_t *elem;

	if (rig_used(rig)->idx == rig->used)
		return false;
	elem = &rig_used(rig)->ring[rig->used % rig->setup.num];
	*id = elem->id;
	*len = elem->len;
	rig->used++;
	return true;
}

static bool take_packed(struct rig *rig, u16 *id, u32 *len)
{
	struct vring_packed_desc *desc = &rig_packed(rig)[rig->used];
	bool avail = desc->flags & BIT(VRING_PACKED_DESC_F_AVAIL);
	bool used = desc->flags & BIT(VRING_PACKED_DESC_F_USED);

	/* A slot that was never used looks used in every other lap. */
	if (!rig->given || avail != rig->used_wrap || used != rig->used_wrap)
		return false;
	rig->given--;
	*id = desc->id;
	*len = desc->len;
	/* The device says by a flag whether it wrote at all. */
	KUNIT_EXPECT_EQ(rig->test, desc->len > 0, !!(desc->flags & W));
	KUNIT_EXPECT_EQ(rig->test, 0, desc->flags & (N | I));
	rig->used += rig->slots[*id];
	if (rig->used >= rig->setup.num) {
		rig->used -= rig->setup.num;
		rig->used_wrap = !rig->used_wrap;
	}
	return true;
}

/**
 * rig_take_used() - take the next used element, as the driver
 * @rig: the rig
 * @id: of the chain
 * @len: bytes
 *
 * Return: true if there is one.
 */
bool rig_take_used(struct rig *rig, u16 *id, u32 *len)
{
	return rig_is_packed(rig) ? take_packed(rig, id, len) :
				    take_split(rig, id, len);
}

/**
 * rig_table() - write an indirect table
 * @rig: the rig
 * @gpa: where, aligned or not
 * @bufs: its buffers
 * @n: how many; split, they are linked in order
 */
void rig_table(struct rig *rig, u64 gpa, const struct rig_buf *bufs,
	       unsigned int n)
{
	unsigned int i, byte;

	for (i = 0; i < n; i++) {
		struct vring_desc desc = {
			bufs[i].gpa, bufs[i].len,
			bufs[i].flags | (i + 1 < n ? N : 0), i + 1
		};
		struct vring_packed_desc packed = {
			bufs[i].gpa, bufs[i].len, 0x1234, bufs[i].flags
		};
		const u8 *from = rig_is_packed(rig) ? (u8 *)&packed : (u8 *)&desc;

		for (byte = 0; byte < sizeof(desc); byte++)
			*(u8 *)rig_at(gpa++) = from[byte];
	}
}

/**
 * rig_want_calls() - set the driver's notification suppression
 * @rig: the rig
 * @flags: split: the available ring's; packed: of the event structure
 * @event: split: used_event; packed: offset and wrap counter
 */
void rig_want_calls(struct rig *rig, u16 flags, u16 event)
{
	struct vring_packed_desc_event *suppression = rig->driver;

	if (rig_is_packed(rig)) {
		suppression->off_wrap = event;
		suppression->flags = flags;
	} else {
		rig_avail(rig)->flags = flags;
		rig_avail(rig)->ring[rig->setup.num] = event;
	}
}

/**
 * rig_next() - take a chain
 * @rig: the rig
 * @chain: @iov and @max are set, or none: then the rig's own
 *
 * Return: what ranchu_vq_next() returned.
 */
int rig_next(struct rig *rig, struct ranchu_chain *chain)
{
	u64 out = 0, in = 0;
	int idx, i, ret;

	if (!chain->iov) {
		chain->iov = rig->iov;
		chain->max = ARRAY_SIZE(rig->iov);
	}
	idx = ranchu_mem_enter(&rig->mem);
	ret = ranchu_vq_next(&rig->vq, chain);
	ranchu_mem_leave(&rig->mem, idx);
	if (ret != 1)
		return ret;
	KUNIT_EXPECT_TRUE(rig->test, chain->n_out + chain->n_in <= chain->max);
	for (i = 0; i < chain->n_out; i++)
		out += chain->iov[i].iov_len;
	for (; i < chain->n_out + chain->n_in; i++)
		in += chain->iov[i].iov_len;
	KUNIT_EXPECT_EQ(rig->test, out, chain->out_len);
	KUNIT_EXPECT_EQ(rig->test, in, chain->in_len);
	return ret;
}

/**
 * rig_chain() - take a chain that must be there
 * @rig: the rig
 * @chain: see rig_next()
 */
void rig_chain(struct rig *rig, struct ranchu_chain *chain)
{
	KUNIT_ASSERT_EQ(rig->test, 1, rig_next(rig, chain));
}

/**
 * rig_push() - push a chain, which must work
 * @rig: the rig
 * @chain: the chain
 * @written: bytes
 */
void rig_push(struct rig *rig, const struct ranchu_chain *chain, u32 written)
{
	int idx = ranchu_mem_enter(&rig->mem);

	KUNIT_EXPECT_EQ(rig->test, 0,
			ranchu_vq_push(&rig->vq, chain, written));
	ranchu_mem_leave(&rig->mem, idx);
}

/**
 * rig_expect_fault() - the queue must be broken, and stay quiet
 * @rig: the rig
 * @fault: how
 * @what: the row of the table
 */
void rig_expect_fault(struct rig *rig, enum ranchu_vq_fault fault,
		      const char *what)
{
	struct ranchu_chain chain = {};
	unsigned int accesses = rig->accesses;
	struct kunit *test = rig->test;

	KUNIT_EXPECT_EQ_MSG(test, (int)fault, (int)rig->vq.fault, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, -EIO, rig_next(rig, &chain), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, -EIO, ranchu_vq_push(&rig->vq, &chain, 0),
			    "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, -EIO, ranchu_vq_publish(&rig->vq), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, false, ranchu_vq_must_call(&rig->vq), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, false, ranchu_vq_enable_kicks(&rig->vq),
			    "%s", what);
	ranchu_vq_disable_kicks(&rig->vq);
	KUNIT_EXPECT_EQ_MSG(test, accesses, rig->accesses, "%s: not quiet", what);
	KUNIT_EXPECT_EQ_MSG(test, (int)fault, (int)rig->vq.fault, "%s", what);
}
