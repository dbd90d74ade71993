// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's vringh in the benchmark. It looks a region up once for each
 * chain, where our engine looks it up.
 */
#include <linux/vringh.h>
#include <linux/virtio_ring.h>

#include "vq_bench.h"

/* What the kernel's shim leaves to the program. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

static struct vringh vrh;
static struct iovec out_iov[2 * BENCH_MAX_DESCS], in_iov[2 * BENCH_MAX_DESCS];
static struct vringh_iov out, in;

static bool getrange(struct vringh *vrh, u64 addr, struct vringh_range *range)
{
	u64 uaddr;

	if (!bench_find(addr, &range->start, &range->end_incl, &uaddr))
		return false;
	range->offset = uaddr - range->start;
	return true;
}

static void begin(const struct bench_ring *ring)
{
	vringh_iov_init(&out, out_iov, ARRAY_SIZE(out_iov));
	vringh_iov_init(&in, in_iov, ARRAY_SIZE(in_iov));
	if (vringh_init_user(&vrh, ring->features, BENCH_NUM, true,
			     (void *)(unsigned long)ring->desc,
			     (void *)(unsigned long)ring->driver,
			     (void *)(unsigned long)ring->device))
		bench_die("vringh does not start");
}

/* It does not say how much may be written: a device has to know. */
static u32 in_len(void)
{
	u32 i, len = 0;

	for (i = 0; i < in.used; i++)
		len += in.iov[i].iov_len;
	return len;
}

static unsigned int run_batch(unsigned int chains)
{
	struct vring_used_elem used[BENCH_NUM];
	unsigned int i;
	u16 head;

	for (i = 0; i < chains; i++) {
		if (vringh_getdesc_user(&vrh, &out, &in, getrange, &head) != 1)
			bench_die("vringh finds no chain");
		used[i].id = cpu_to_vringh32(&vrh, head);
		used[i].len = cpu_to_vringh32(&vrh, in_len());
	}
	vringh_complete_multi_user(&vrh, used, chains);
	return vringh_need_notify_user(&vrh) > 0;
}

static unsigned int run_each(unsigned int chains)
{
	unsigned int calls = 0;
	u16 head;

	for (; chains; chains--) {
		if (vringh_getdesc_user(&vrh, &out, &in, getrange, &head) != 1)
			bench_die("vringh finds no chain");
		vringh_complete_user(&vrh, head, in_len());
		calls += vringh_need_notify_user(&vrh) > 0;
	}
	return calls;
}

static unsigned int run(unsigned int chains, enum bench_style style)
{
	return style == BENCH_BATCH ? run_batch(chains) : run_each(chains);
}

const struct bench_device bench_vringh = { "vringh", begin, run };
