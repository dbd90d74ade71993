// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random traffic: a session is one queue with random features and a random way
 * of using it, from its making until enough chains have come back.
 */
#include <stdio.h>
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "traffic.h"

/* Limit of steps without a returned chain; then a chain was lost. */
#define PATIENCE 20000

struct session s;
struct chain chains[VQ_MAX_NUM];

void traffic_context(void)
{
	printf("#   %s%s, size %u, features %#llx, regions %u\n",
	       s.kind->packed ? "packed" : "split",
	       s.kind->in_order ? " in order" : "", s.guest.num,
	       (unsigned long long)s.guest.features, arena_memory.n);
	printf("#   chain %llu: taken %llu, pushed %llu, published %llu, got back %llu\n",
	       (unsigned long long)s.added, (unsigned long long)s.taken,
	       (unsigned long long)s.pushed, (unsigned long long)s.published,
	       (unsigned long long)s.reaped);
}

static void random_mood(struct mood *mood)
{
	static const u32 bufs[] = { 1, 3, 8, 16, VQ_MAX_BUFS };
	u32 num = s.guest.num;

	mood->target = 200 + below(4000);
	mood->max_bufs = bufs[below(5)];
	/* Indices of 16 bits come round only in a long session. */
	if (!s.kind->in_order && one_in(50)) {
		mood->target = 66000 + below(70000);
		mood->max_bufs = 1 + below(3);
	}
	mood->add_batch = 1 + below(num);
	mood->take_batch = 1 + below(num);
	mood->push_batch = 1 + below(num);
	mood->fifo = one_in(3);
	mood->full = one_in(2);
	mood->restarts = one_in(4) ? 50 : 1000;
}

static u64 random_features(void)
{
	u64 features = 0;

	if (s.kind->packed || s.kind->in_order || !one_in(4))
		features |= 1ULL << VIRTIO_F_VERSION_1;
	else if (one_in(2))
		features |= 1ULL << VIRTIO_F_NOTIFY_ON_EMPTY;
	if (s.kind->packed)
		features |= 1ULL << VIRTIO_F_RING_PACKED;
	if (s.kind->in_order)
		features |= 1ULL << VIRTIO_F_IN_ORDER;
	if (one_in(2))
		features |= 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	if (one_in(2))
		features |= 1ULL << VIRTIO_RING_F_EVENT_IDX;
	return features;
}

static u32 random_num(void)
{
	if (s.kind->packed && one_in(2))
		return 1 + below(one_in(2) ? 16 : VQ_MAX_NUM);
	return 1 << below(9);
}

/* Only our own driver can begin anywhere. */
static u32 random_base(void)
{
	u32 slot;

	if (!s.kind->in_order) {
		s.base = 0;
		return s.kind->packed ? 0x80008000 : 0;
	}
	if (!s.kind->packed) {
		s.base = one_in(2) ? 65536 - below(1000) : below(65536);
		s.base &= 0xffff;
		return s.base;
	}
	s.base = below(2 * s.guest.num);
	slot = packed_pos(0);
	return slot | slot << 16;
}

static void session_begins(const struct traffic_kind *kind, struct vq_rng *rng)
{
	unsigned int i;
	u32 base;

	memset(&s, 0, sizeof(s));
	s.kind = kind;
	s.rng = rng;
	s.driver = kind->in_order ? &driver_inorder : &driver_kernel;
	s.guest.num = random_num();
	s.guest.features = random_features();
	random_mood(&s.mood);
	s.free_tail = VQ_MAX_NUM;
	for (i = 0; i < VQ_MAX_NUM; i++)
		s.free[i] = i;

	arena_reset(rng);
	base = random_base();
	s.queue = s.driver->create(&s.guest, base);
	arena_alloc_failures = one_in(2) ? 3 : 0;
	if (!kind->packed)
		copy_used();
	device_starts();
}

static void session_steps(void)
{
	switch (below(8)) {
	case 0 ... 2:
		if (s.added < s.mood.target)
			driver_adds();
		break;
	case 3 ... 4:
		device_takes();
		break;
	case 5 ... 6:
		device_completes();
		break;
	default:
		driver_reaps();
		break;
	}
	if (one_in(s.mood.restarts))
		device_restarts();
	if (++s.steps - s.progress > PATIENCE)
		vq_fail("stuck");
}

u64 traffic_run(const struct traffic_kind *kind, struct vq_rng *rng)
{
	session_begins(kind, rng);
	while (s.reaped < s.mood.target)
		session_steps();
	s.driver->destroy(s.queue);
	return s.added;
}
