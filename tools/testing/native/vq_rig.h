/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common functions of the virtqueue tests: a guest with memory, a driver written from
 * the specification, and checks of each access of the engine.
 */
#ifndef VQ_RIG_H
#define VQ_RIG_H

#include <kunit/test.h>
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>

/*
 * The guest's memory. RIG_A and RIG_B touch in the guest, not in the owner;
 * RIG_B's memory is RIG_ALIAS's, too; RIG_HUGE is large and must not be
 * touched; RIG_RING has the ring's parts.
 */
#define RIG_REGION_SIZE 0x4000
#define RIG_A 0x10000ULL
#define RIG_B (RIG_A + RIG_REGION_SIZE)
#define RIG_B_END (RIG_B + RIG_REGION_SIZE)
#define RIG_ALIAS 0x40000ULL
#define RIG_HUGE 0x100000000ULL
#define RIG_HUGE_SIZE 0x200000000ULL
#define RIG_RING 0x1000000ULL
#define RIG_RING_SIZE 0x100000
#define RIG_DRIVER 0x90000
#define RIG_DEVICE 0xb0000
#define RIG_LOG_SIZE 0x60000
#define RIG_MAX_IOV 64
#define RIG_REGIONS 5

#define RIG_LAYOUTS 2
#define RIG_SPLIT BIT_ULL(VIRTIO_F_VERSION_1)
#define RIG_PACKED (RIG_SPLIT | BIT_ULL(VIRTIO_F_RING_PACKED))
#define RIG_EVENT BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define RIG_INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define RIG_IN_ORDER BIT_ULL(VIRTIO_F_IN_ORDER)
#define RIG_ON_EMPTY BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY)
#define RIG_LOG BIT_ULL(VHOST_F_LOG_ALL)

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT

/* A buffer as the driver describes it. N is set where it belongs. */
struct rig_buf {
	u64 gpa;
	u32 len;
	u16 flags;
};

/**
 * struct rig - a queue under test and its driver
 * @test: the case that runs
 * @mem: guest memory
 * @vq: the queue
 * @setup: its configuration
 * @desc: the ring's three parts ...
 * @driver: ...
 * @device: ...
 * @log: the dirty-page bitmap
 * @table: struct vhost_memory while it is being set, and ...
 * @regions: ... its regions
 * @iov: for one chain; a test with several has its own
 * @accesses: of the engine since the start of the queue
 * @stores: those of them that were writes
 * @fail_at: number of the access that faults; 0 for none
 * @killed: fatal_signal_pending()
 * @strays: accesses where none may be
 * @hidden: a used ring index or descriptor whose change is a stray, or NULL
 * @avail: split: the available index; packed: the next slot
 * @avail_wrap: packed: wrap counter there
 * @next_desc: split: the next free descriptor
 * @used: split: the used index seen; packed: the next slot
 * @used_wrap: packed: wrap counter there
 * @given: packed: chains that are the device's, as the driver knows
 * @slots: packed: descriptors of the chain with each id
 */
struct rig {
	struct kunit *test;
	struct ranchu_mem mem;
	struct ranchu_vq vq;
	struct ranchu_vq_setup setup;
	void *desc;
	void *driver;
	void *device;
	u8 *log;
	const void *table;
	const void *regions;
	struct iovec iov[RIG_MAX_IOV];
	unsigned int accesses;
	unsigned int stores;
	unsigned int fail_at;
	bool killed;
	unsigned int strays;
	const void *hidden;
	u16 avail;
	bool avail_wrap;
	u16 next_desc;
	u16 used;
	bool used_wrap;
	unsigned int given;
	u16 slots[RANCHU_VQ_MAX_NUM];
};

struct rig *rig_new(struct kunit *test, u64 features, u32 num);
void rig_start(struct rig *rig, u32 base);
void rig_set_memory(struct rig *rig, unsigned int n);
void rig_end(struct rig *rig);
void *rig_at(u64 gpa);

/* The driver. */
u16 rig_add(struct rig *rig, const struct rig_buf *bufs, unsigned int n);
u16 rig_add_one(struct rig *rig);
bool rig_take_used(struct rig *rig, u16 *id, u32 *len);
void rig_table(struct rig *rig, u64 gpa, const struct rig_buf *bufs,
	       unsigned int n);
void rig_put_desc(struct rig *rig, unsigned int i, struct vring_desc desc);
void rig_make_avail(struct rig *rig, u16 head);
void rig_want_calls(struct rig *rig, u16 flags, u16 event);

/* The device, with the checks that always hold. */
int rig_next(struct rig *rig, struct ranchu_chain *chain);
void rig_chain(struct rig *rig, struct ranchu_chain *chain);
void rig_push(struct rig *rig, const struct ranchu_chain *chain, u32 written);
void rig_expect_fault(struct rig *rig, enum ranchu_vq_fault fault,
		      const char *what);

static inline bool rig_is_packed(const struct rig *rig)
{
	return rig->setup.features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

static inline struct vring_avail *rig_avail(const struct rig *rig)
{
	return rig->driver;
}

static inline struct vring_used *rig_used(const struct rig *rig)
{
	return rig->device;
}

static inline struct vring_packed_desc *rig_packed(const struct rig *rig)
{
	return rig->desc;
}

#endif /* VQ_RIG_H */
