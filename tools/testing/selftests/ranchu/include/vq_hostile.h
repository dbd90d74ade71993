/* SPDX-License-Identifier: GPL-2.0-only */
/* Common functions of tests of hostile drivers: two devices, and checks of a broken ring. */
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
/* A large range of guest memory that cannot be accessed. */
#define HOSTILE_BIG		0x4000000000ull
#define HOSTILE_BIG_SIZE	(2ull << 30)

/**
 * struct hostile - a device with an invalid ring, and another device
 * @dev: the device
 * @bystander: another
 * @ring: the invalid ring, number 1
 * @big: mapping of HOSTILE_BIG
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
 * Checks that the ring breaks now, is reported once, and is quiet afterwards, and
 * that all others work. Prints errors. @faults: count before.
 */
bool hostile_is_broken(struct hostile *hostile, uint64_t faults);

/* Checks that the other rings and devices still work. */
bool hostile_others_live(struct hostile *hostile);

/*
 * Returns the number of broken queues in the kernel's log since the last call. If
 * @reason is not NULL, each must give that one; -1 if one does not.
 */
int hostile_messages(struct hostile *hostile, const char *reason);

#endif /* RANCHU_VQ_HOSTILE_H */
