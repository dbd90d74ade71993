// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-balloon: memory that the guest gives back: as much as the command line requests, and
 * free pages that the guest reports.
 *
 * Source: VIRTIO 1.2, 5.5
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>

#include "cli/cli.h"
#include "devices/devices.h"
#include "virtio/ring.h"

/* Statistics and hints are not offered, so reporting is the third queue. */
enum { BALLOON_INFLATE, BALLOON_DEFLATE, BALLOON_REPORT, BALLOON_QUEUES };

#define BALLOON_BUFFERS	64
#define BALLOON_PAGE	(1ULL << VIRTIO_BALLOON_PFN_SHIFT)
/* The driver sends 256 numbers at a time. */
#define BALLOON_PFNS	1024

/* Gives back pages; consecutive numbers are combined. */
static void balloon_inflate(const struct vmm_mem *mem, const __le32 *pfns, unsigned int n)
{
	const struct vmm_region *run = NULL;
	u64 first = 0, pages = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		u64 gpa = (u64)le32toh(pfns[i]) << VIRTIO_BALLOON_PFN_SHIFT;
		const struct vmm_region *region = vmm_mem_find(mem, gpa, BALLOON_PAGE);

		if (!region)
			continue;
		if (region == run && gpa == first + pages * BALLOON_PAGE) {
			pages++;
			continue;
		}
		if (run)
			vmm_mem_drop(run, first, pages * BALLOON_PAGE);
		run = region;
		first = gpa;
		pages = 1;
	}
	if (run)
		vmm_mem_drop(run, first, pages * BALLOON_PAGE);
}

static unsigned int balloon_pfns(const struct ranchu_chain *chain, __le32 *pfns)
{
	u8 *to = (u8 *)pfns;
	size_t room = BALLOON_PFNS * sizeof(*pfns);
	unsigned int i;

	for (i = 0; i < chain->n_out; i++) {
		size_t n = chain->iov[i].iov_len < room ? chain->iov[i].iov_len : room;

		memcpy(to, chain->iov[i].iov_base, n);
		to += n;
		room -= n;
	}
	return (to - (u8 *)pfns) / sizeof(*pfns);
}

/* Finds the RAM region of a buffer. */
static const struct vmm_region *balloon_region(const struct vmm_mem *mem, const struct iovec *iov)
{
	unsigned int i;

	for (i = 0; i < mem->regions; i++) {
		u64 offset = (u8 *)iov->iov_base - (u8 *)mem->region[i].hva;

		if (offset < mem->region[i].size && iov->iov_len <= mem->region[i].size - offset)
			return &mem->region[i];
	}
	return NULL;
}

/* Reported free pages come as the chain's writable buffers. */
static void balloon_report(const struct vmm_mem *mem, const struct ranchu_chain *chain)
{
	unsigned int i;

	for (i = chain->n_out; i < chain->n_out + chain->n_in; i++) {
		const struct vmm_region *region = balloon_region(mem, &chain->iov[i]);
		u64 first, last;

		if (!region)
			continue;
		first = region->base + ((u8 *)chain->iov[i].iov_base - (u8 *)region->hva);
		last = first + chain->iov[i].iov_len;
		first = (first + VMM_PAGE_SIZE - 1) / VMM_PAGE_SIZE * VMM_PAGE_SIZE;
		last = last / VMM_PAGE_SIZE * VMM_PAGE_SIZE;
		if (first < last)
			vmm_mem_drop(region, first, last - first);
	}
}

static bool balloon_kicked(struct vmm_ring *ring)
{
	const struct vmm_mem *mem = &ring->dev->v->vm->mem;
	struct iovec iov[BALLOON_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = BALLOON_BUFFERS };
	__le32 pfns[BALLOON_PFNS];

	while (vmm_ring_next(ring, &chain) > 0) {
		if (ring->index == BALLOON_INFLATE)
			balloon_inflate(mem, pfns, balloon_pfns(&chain, pfns));
		else if (ring->index == BALLOON_REPORT)
			balloon_report(mem, &chain);
		vmm_ring_push(ring, &chain, 0);
	}
	return true;
}

static int balloon_create(struct vmm_virtio *v)
{
	struct virtio_balloon_config config = {};
	const struct vmm_builtin *asked;
	struct vmm_ring_device *dev;
	int err;

	asked = vmm_builtin_find(v->vm->cfg, VMM_BUILTIN_BALLOON, v->index);
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return vmm_error(ENOMEM, "balloon");
	err = vmm_ring_device_open(dev, v, 1ULL << VIRTIO_BALLOON_F_REPORTING |
			      1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM, balloon_kicked);
	if (err) {
		free(dev);
		return err;
	}
	v->state = dev;
	config.num_pages = htole32(asked->size / BALLOON_PAGE);
	vmm_virtio_config(v, &config, 8);
	return 0;
}

static void balloon_destroy(struct vmm_virtio *v)
{
	vmm_ring_device_close(v->state);
	free(v->state);
}

static unsigned int balloon_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_BALLOON);
}

/** virtio-balloon. */
const struct vmm_virtio_ops vmm_balloon_ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.queues = BALLOON_QUEUES,
	.queue_max = 128,
	.count = balloon_count,
	.create = balloon_create,
	.destroy = balloon_destroy,
	.start = vmm_ring_model_start,
	.stop = vmm_ring_model_stop,
	.start_queue = vmm_ring_model_start_queue,
	.stop_queue = vmm_ring_model_stop_queue,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.stats = vmm_ring_model_stats,
};
