// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 2D renderer: a resource's pixels are those for the screen, and a transfer copies the
 * guest's pixels into them.
 */
#include "gpu.h"
#include "host/iov.h"

static int create_2d(struct gpu *gpu, struct gpu_resource *r, const struct gpu_args *args)
{
	(void)args;
	return gpu_pixels_make(gpu, r);
}

/**
 * struct walk - a position in guest memory that only advances
 * @iov: the current piece
 * @left: remaining pieces, including that one
 * @before: bytes before that piece
 */
struct walk {
	const struct iovec *iov;
	unsigned int left;
	u64 before;
};

/* Copies from @offset on, which must not be less than in the last call. */
static void walk_copy(struct walk *walk, u64 offset, u8 *to, size_t len)
{
	while (walk->left && offset - walk->before >= walk->iov->iov_len) {
		walk->before += walk->iov->iov_len;
		walk->iov++;
		walk->left--;
	}
	vmm_iov_read(walk->iov, walk->left, offset - walk->before, to, len);
}

/* gpu_resource_transfer() has checked that everything is inside the guest's memory. */
static int transfer_2d(struct gpu_renderer *renderer, struct gpu_resource *r,
		       const struct gpu_transfer *transfer, bool from_host)
{
	const struct gpu_box *box = &transfer->box;
	size_t stride = 4 * (size_t)r->width;
	size_t row = 4 * (size_t)box->width;
	struct walk walk = { r->iov, r->iovs, 0 };
	u8 *to = r->pixels + box->y * stride + 4 * (size_t)box->x;
	u32 y;

	(void)renderer;
	(void)from_host;
	if (row == stride) {
		walk_copy(&walk, transfer->offset, to, box->height * stride);
		return 0;
	}
	for (y = 0; y < box->height; y++)
		walk_copy(&walk, transfer->offset + y * stride, to + y * stride, row);
	return 0;
}

static const struct gpu_renderer_ops ops_2d = {
	.create = create_2d,
	.transfer = transfer_2d,
};

/** Pictures in memory, without 3D. */
struct gpu_renderer gpu_renderer_2d = { .ops = &ops_2d, .fd = -1 };
