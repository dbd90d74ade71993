// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's libvhost-user in the benchmark: a userspace process' device. It
 * allocates each chain and writes to an eventfd when it calls; that is its way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "libvhost-user.h"

typedef uint64_t u64;
#include "vq_bench.h"

static VuDev dev;
static VuVirtq vq;

static void give_up(VuDev *which, const char *why)
{
	bench_die(why);
}

static void libvhost_start(const struct bench_ring *ring)
{
	u64 first, last, uaddr;
	unsigned int i;

	dev = (VuDev){ .max_queues = 1, .vq = &vq, .panic = give_up,
		       .features = ring->features };
	for (i = 0; bench_region(i, &first, &last, &uaddr); i++) {
		VuDevRegion *region = &dev.regions[dev.nregions++];

		region->gpa = first;
		region->size = last - first + 1;
		region->mmap_addr = uaddr;
	}
	if (vq.call_fd)
		close(vq.call_fd);
	vq = (VuVirtq){ .enable = 1, .started = true, .notification = true,
			.call_fd = eventfd(0, EFD_NONBLOCK), .kick_fd = -1,
			.err_fd = -1 };
	vq.vring.num = BENCH_NUM;
	vq.vring.desc = (void *)(uintptr_t)ring->desc;
	vq.vring.avail = (void *)(uintptr_t)ring->driver;
	vq.vring.used = (void *)(uintptr_t)ring->device;
}

static VuVirtqElement *take(void)
{
	VuVirtqElement *elem = vu_queue_pop(&dev, &vq, sizeof(*elem));

	if (!elem)
		bench_die("libvhost-user finds no chain");
	return elem;
}

static unsigned int length(const VuVirtqElement *elem)
{
	unsigned int i, sum = 0;

	for (i = 0; i < elem->in_num; i++)
		sum += elem->in_sg[i].iov_len;
	return sum;
}

static unsigned int libvhost_run(unsigned int chains, enum bench_style style)
{
	unsigned int i;

	for (i = 0; i < chains; i++) {
		VuVirtqElement *elem = take();

		if (style == BENCH_BATCH) {
			vu_queue_fill(&dev, &vq, elem, length(elem), i);
		} else {
			vu_queue_push(&dev, &vq, elem, length(elem));
			vu_queue_notify(&dev, &vq);
		}
		free(elem);
	}
	if (style == BENCH_BATCH) {
		vu_queue_flush(&dev, &vq, chains);
		vu_queue_notify(&dev, &vq);
	}
	/* It does not say whether it has called. */
	return 1;
}

const struct bench_device bench_libvhost = {
	"libvhost-user", libvhost_start, libvhost_run
};
