/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of lying drivers share: two devices, and how a ring dies. */
#ifndef RANCHU_VQ_HOSTILE_H
#define RANCHU_VQ_HOSTILE_H

#include "vq_driver.h"

#define HOSTILE_NUM		128
#define HOSTILE_MEM_SIZE	(4u << 20)
/* Guest memory that no ring uses. */
#define HOSTILE_DATA		(VQ_MEM_GPA + (2u << 20))
#define HOSTILE_TABLE		(HOSTILE_DATA + 0x40000)
/* The first address after guest memory. */
#define HOSTILE_END		(VQ_MEM_GPA + HOSTILE_MEM_SIZE)
/* Guest memory that nobody can access, but large. */
#define HOSTILE_BIG		0x4000000000ull
#define HOSTILE_BIG_SIZE	(2ull << 30)

/**
 * struct hostile - a device with a ring that lies, and one that has no part in it
 * @dev: the device
 * @bystander: another
 * @ring: the ring that lies, number 1
 * @big: what is at HOSTILE_BIG
 * @kmsg: the kernel's log
 */
struct hostile {
	struct vq_dev dev;
	struct vq_dev bystander;
	struct vq_ring *ring;
	void *big;
	int kmsg;
};

void hostile_create(struct hostile *hostile, uint64_t features);
void hostile_destroy(struct hostile *hostile);

/* Stops the device, empties the ring and starts over, with or without a feature. */
void hostile_restart(struct hostile *hostile, uint64_t without);

/*
 * Whether the ring breaks now, is reported once, and is quiet afterwards, and
 * all else goes on. Says what is wrong. @faults: before.
 */
bool hostile_is_broken(struct hostile *hostile, uint64_t faults);

/* Whether the others still work. */
bool hostile_others_live(struct hostile *hostile);

/*
 * How many broken queues the kernel's log has told of since the last time. If
 * @reason is not NULL, each must give that one; -1 if one does not.
 */
int hostile_messages(struct hostile *hostile, const char *reason);

#endif /* RANCHU_VQ_HOSTILE_H */
