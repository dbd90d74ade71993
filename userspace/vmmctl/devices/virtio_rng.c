// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-rng: the host's random numbers.
 *
 * Source: VIRTIO 1.2, 5.4
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <linux/virtio_ids.h>

#include "devices/devices.h"
#include "virtio/ring.h"

#define RNG_BUFFERS	64
/* Bytes for one request, at most; a driver asks again for more. */
#define RNG_MOST	(64 * KIB)

/* getrandom() returns up to 256 bytes without interruption. */
#define RNG_PIECE	256

static size_t rng_fill(const struct ranchu_chain *chain)
{
	size_t done = 0;
	unsigned int i;

	for (i = chain->n_out; i < chain->n_out + chain->n_in; i++) {
		size_t len = chain->iov[i].iov_len;
		size_t at;

		for (at = 0; at < len && done < RNG_MOST; ) {
			size_t n = len - at < RNG_PIECE ? len - at : RNG_PIECE;

			if (getrandom((u8 *)chain->iov[i].iov_base + at, n, 0) != (ssize_t)n)
				return done;
			at += n;
			done += n;
		}
	}
	return done;
}

static bool rng_kicked(struct vmm_ring *ring)
{
	struct iovec iov[RNG_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = RNG_BUFFERS };

	while (vmm_ring_next(ring, &chain) > 0)
		vmm_ring_push(ring, &chain, rng_fill(&chain));
	return true;
}

static int rng_create(struct vmm_virtio *v)
{
	struct vmm_ring_device *dev = calloc(1, sizeof(*dev));
	int err;

	if (!dev)
		return vmm_error(ENOMEM, "rng");
	err = vmm_ring_device_open(dev, v, 0, rng_kicked);
	if (err)
		free(dev);
	else
		v->state = dev;
	return err;
}

static void rng_destroy(struct vmm_virtio *v)
{
	vmm_ring_device_close(v->state);
	free(v->state);
}

static unsigned int rng_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_RNG);
}

/** virtio-rng. */
const struct vmm_virtio_ops vmm_rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.queues = 1,
	.queue_max = 64,
	.count = rng_count,
	.create = rng_create,
	.destroy = rng_destroy,
	.start = vmm_ring_model_start,
	.stop = vmm_ring_model_stop,
	.start_queue = vmm_ring_model_start_queue,
	.stop_queue = vmm_ring_model_stop_queue,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.stats = vmm_ring_model_stats,
};
