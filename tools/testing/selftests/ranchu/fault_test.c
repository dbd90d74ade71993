// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection: every operation of every device node is repeated; first the first
 * allocation or user copy in it fails, then the second, and so on until none is left.
 * Each time the result is a matching errno or success, nothing hangs, and the next try
 * without a fault works. The sanitizers' host searches for leaks afterwards.
 *
 *	RANCHU_FAULTS	only operations whose names contain this text
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "fault/fault_ops.h"

#define TIMEOUT		600
/* More faults than this in one operation are a loop. */
#define MAX_FAULTS	2000

static const struct op * const tables[] = {
	fault_ops_all, fault_ops_vq, fault_ops_blk, fault_ops_vsock, fault_ops_pipe,
};

static int run(const struct op *op, struct rig *rig)
{
	uint64_t zeroes[16] = {};

	return op->fn ? op->fn(rig) : __vq_ioctl(rig->fd, op->request, zeroes);
}

static bool is_clean(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -EIO || ret == -ENOBUFS;
}

/*
 * Touches guest memory through the device's mapping. Otherwise a failed allocation of a
 * page table would look like memory that cannot be read, which is a fault of the guest.
 */
static void populate(struct vq_mem *mem)
{
	unsigned int i;

	for (i = 0; i < VQ_MEM_VIEWS; i++)
		if (madvise(mem->host[i], mem->size, MADV_POPULATE_WRITE))
			vq_die("madvise: %s", strerror(errno));
}

/* Runs with fault @n; returns whether it happened, and prints errors. */
static bool try_fault(const struct op *op, unsigned int device, unsigned int n,
		      unsigned int *refused, bool *wrong)
{
	struct rig rig;
	bool failed;
	int ret;

	rig_make(&rig, device, op->stage);
	if (op->before)
		op->before(&rig);
	if (op->where == FAULTS_GUEST)
		populate(rig.ring->mem);
	faults_arm(op->where, n);
	ret = run(op, &rig);
	failed = faults_disarm(op->where);
	if (ret != op->want) {
		if (!failed || !is_clean(ret)) {
			printf("# %s, fault %u: %s\n", op->name, n, strerror(-ret));
			*wrong = true;
		}
		(*refused)++;
		if (op->undo)
			op->undo(&rig);
		ret = run(op, &rig);
		if (ret != op->want) {
			printf("# %s, after fault %u: %s\n", op->name, n, strerror(-ret));
			*wrong = true;
		}
	}
	rig_free(&rig);
	return failed;
}

FIXTURE(fault)
{
};

FIXTURE_VARIANT(fault)
{
	unsigned int device;
};

FIXTURE_VARIANT_ADD(fault, pipe) { .device = PIPE };
FIXTURE_VARIANT_ADD(fault, vq) { .device = VQ };
FIXTURE_VARIANT_ADD(fault, blk) { .device = BLK };
FIXTURE_VARIANT_ADD(fault, vsock) { .device = VSOCK };

FIXTURE_SETUP(fault)
{
	const char *missing = faults_missing();

	if (access(rig_path(variant->device), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(variant->device));
	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(fault)
{
}

TEST_F_TIMEOUT(fault, each_fails_in_turn, TIMEOUT)
{
	const char *only = getenv("RANCHU_FAULTS");
	const struct op *op;
	unsigned int i, n, refused;
	bool wrong = false;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (op = tables[i]; op->name; op++) {
			if (!(op->devices & variant->device) ||
			    (only && !strstr(op->name, only)))
				continue;
			refused = 0;
			printf("# %s: ", op->name);
			fflush(stdout);
			for (n = 1; try_fault(op, variant->device, n, &refused, &wrong); n++)
				ASSERT_GT(MAX_FAULTS, n);
			printf("%u faults, %u refused\n", n - 1, refused);
			fflush(stdout);
			if (!op->needs_nothing)
				EXPECT_LT(1, n);
		}
	}
	EXPECT_FALSE(wrong);
}

TEST_HARNESS_MAIN
