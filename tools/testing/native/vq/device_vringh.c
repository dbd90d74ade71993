// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own device end of a split queue, vringh.c, on the ring that our
 * engine serves, but with a used ring of its own.
 */
#include <linux/vringh.h>
#include <linux/virtio_ring.h>

#include "vq_diff.h"

/* vringh makes its lists larger itself, and keeps them. */
static struct vringh vrh;
static struct vringh_iov out, in;

void vringh_dev_start(const struct vq_ring *ring, u32 avail, u32 used)
{
	if (vringh_init_user(&vrh, ring->features, ring->num, true,
			     (void *)(unsigned long)ring->desc,
			     (void *)(unsigned long)ring->driver,
			     (void *)(unsigned long)ring->device))
		vq_fail("vringh refuses the ring");
	vrh.last_avail_idx = avail;
	vrh.last_used_idx = used;
}

static bool dev_getrange(struct vringh *vrh, u64 addr, struct vringh_range *range)
{
	const struct arena_region *region = arena_find(addr);

	if (!region)
		return false;
	range->start = region->gpa;
	range->end_incl = region->gpa + (region->len - 1);
	range->offset = region->uaddr - region->gpa;
	return true;
}

/* Appends non-empty ranges to @ranges; ranges without room are only counted. */
static unsigned int dev_copy(struct vq_ranges *ranges, unsigned int at,
			     const struct vringh_iov *iov)
{
	unsigned int i, n = 0;

	for (i = 0; i < iov->used; i++) {
		if (!iov->iov[i].iov_len)
			continue;
		if (at + n < VQ_MAX_RANGES) {
			ranges->range[at + n].addr =
				(unsigned long)iov->iov[i].iov_base;
			ranges->range[at + n].len = iov->iov[i].iov_len;
		}
		n++;
	}
	return n;
}

/* 1: a chain; 0: none; negative: refused. */
int vringh_dev_next(u16 *head, struct vq_ranges *ranges)
{
	int ret;

	ret = vringh_getdesc_user(&vrh, &out, &in, dev_getrange, head);
	if (ret == 1) {
		ranges->n_out = dev_copy(ranges, 0, &out);
		ranges->n_in = dev_copy(ranges, ranges->n_out, &in);
	}
	return ret;
}

void vringh_dev_abandon(void)
{
	vringh_abandon_user(&vrh, 1);
}

void vringh_dev_complete(const u16 *heads, const u32 *lens, unsigned int n)
{
	struct vring_used_elem used[VQ_MAX_NUM];
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		used[i].id = cpu_to_vringh32(&vrh, heads[i]);
		used[i].len = cpu_to_vringh32(&vrh, lens[i]);
	}
	if (n == 1)
		err = vringh_complete_user(&vrh, heads[0], lens[0]);
	else
		err = vringh_complete_multi_user(&vrh, used, n);
	if (err)
		vq_fail("vringh cannot complete: %d", err);
}

bool vringh_dev_need_notify(void)
{
	return vringh_need_notify_user(&vrh) > 0;
}

/* Returns true if there is something available; vringh's result is the opposite. */
bool vringh_dev_enable_kicks(void)
{
	return !vringh_notify_enable_user(&vrh);
}

void vringh_dev_disable_kicks(void)
{
	vringh_notify_disable_user(&vrh);
}
