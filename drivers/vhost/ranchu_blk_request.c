// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a request of the guest's asks for, and whether it may.
 *
 * Source: virtio 1.2, section 5.2.6 (Block Device, Device Operation)
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "ranchu_blk_request.h"

/**
 * ranchu_blk_request_init() - make a request
 * @req: zeroed, or used before
 * @disk: whose it is
 * @stats: where it is counted
 */
void ranchu_blk_request_init(struct blk_request *req, struct blk_disk *disk,
			     struct vhost_ranchu_blk_stats *stats)
{
	req->disk = disk;
	req->stats = stats;
	req->chain.iov = req->iov;
	req->chain.max = BLK_IOV;
}

/**
 * ranchu_blk_info() - say what belongs into the configuration space
 * @disk: the disk
 * @granularity: bytes of the image that take up room as one
 * @info: filled
 */
void ranchu_blk_info(const struct blk_disk *disk, u32 granularity,
		     struct vhost_ranchu_blk_info *info)
{
	*info = (struct vhost_ranchu_blk_info){
		.capacity = disk->capacity,
		.block_size = disk->block_size,
		.seg_max = BLK_SEG_MAX,
		.max_discard_sectors = BLK_RANGE_SECTORS,
		.max_discard_seg = BLK_RANGES,
		/* What is smaller takes no room less. */
		.discard_alignment = max(granularity, disk->block_size) / SECTOR_SIZE,
		.flags = disk->flags,
	};
}

static enum blk_outcome answer(struct blk_request *req, u8 status)
{
	ranchu_blk_answer(req, status);
	return BLK_DONE;
}

/* Whether these sectors are whole blocks, and inside the disk. */
static bool blk_inside(const struct blk_disk *disk, u64 sector, u64 sectors)
{
	u64 capacity = READ_ONCE(disk->capacity);
	u64 align = disk->block_size / SECTOR_SIZE - 1;

	return sector <= capacity && sectors <= capacity - sector &&
	       !((sector | sectors) & align);
}

static enum blk_outcome serve_data(struct blk_request *req, u64 sector)
{
	struct ranchu_chain *chain = &req->chain;
	const struct blk_disk *disk = req->disk;

	req->len = req->write ? chain->out_len - sizeof(struct virtio_blk_outhdr) :
				chain->in_len - 1;
	if (req->write && disk->flags & VHOST_RANCHU_BLK_READONLY)
		return answer(req, VIRTIO_BLK_S_IOERR);
	if (req->len % SECTOR_SIZE || !blk_inside(disk, sector, req->len / SECTOR_SIZE))
		return answer(req, VIRTIO_BLK_S_IOERR);
	if (!req->len)
		return answer(req, VIRTIO_BLK_S_OK);
	req->pos = sector * SECTOR_SIZE;
	req->moved = 0;
	return ranchu_blk_io(req);
}

static enum blk_outcome serve_flush(struct blk_request *req, bool may_wait)
{
	if (!may_wait)
		return BLK_WOULD_WAIT;
	ranchu_blk_count(&req->stats->flushes, 1);
	return answer(req, ranchu_blk_flush(req->disk));
}

static enum blk_outcome serve_id(struct blk_request *req)
{
	struct ranchu_chain *chain = &req->chain;
	struct iov_iter to;
	size_t len = min_t(u64, chain->in_len - 1, VHOST_RANCHU_BLK_ID);

	iov_iter_init(&to, ITER_DEST, chain->iov + chain->n_out, chain->n_in, len);
	return answer(req, copy_to_iter(req->disk->id, len, &to) == len ?
			   VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
}

/*
 * What is left when there is no time for more: a discard is a hint, and zeroes the
 * guest can write itself.
 */
static u8 blk_left_undone(bool zero)
{
	return zero ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
}

/* Step by step: an image may write each zero. Steps end where the next one is aligned. */
static u8 serve_steps(struct blk_request *req, u64 sector, u64 end, bool zero, bool unmap)
{
	u64 next;
	u8 status;

	for (; sector < end; sector = next) {
		if (!ranchu_blk_goes_on(req))
			return blk_left_undone(zero);
		next = min(end, (sector | (BLK_STEP_SECTORS - 1)) + 1);
		status = ranchu_blk_range(req, sector, next - sector, zero, unmap);
		if (status)
			return status;
	}
	return VIRTIO_BLK_S_OK;
}

static u8 serve_range(struct blk_request *req, bool zero,
		      const struct virtio_blk_discard_write_zeroes *range)
{
	u64 align = req->disk->range_block / SECTOR_SIZE - 1;
	u32 flags = le32_to_cpu(range->flags);
	u32 sectors = le32_to_cpu(range->num_sectors);
	u64 sector = le64_to_cpu(range->sector);
	bool unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

	if (flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (unmap && !zero))
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > BLK_RANGE_SECTORS || !blk_inside(req->disk, sector, sectors))
		return VIRTIO_BLK_S_IOERR;
	/* The image's blocks may be larger than the guest's. */
	if (!zero)
		return serve_steps(req, (sector + align) & ~align,
				   (sector + sectors) & ~align, zero, unmap);
	if ((sector | sectors) & align)
		return VIRTIO_BLK_S_UNSUPP;
	return serve_steps(req, sector, sector + sectors, zero, unmap);
}

/* One range after the other; at the first that fails the rest is left. */
static enum blk_outcome serve_ranges(struct blk_request *req, u64 features, bool zero,
				     bool may_wait)
{
	const struct ranchu_chain *chain = &req->chain;
	u64 bytes = chain->out_len - sizeof(struct virtio_blk_outhdr);
	struct virtio_blk_discard_write_zeroes range;
	size_t n = bytes / sizeof(range);
	u8 status = VIRTIO_BLK_S_OK;
	struct iov_iter from;

	if (!may_wait)
		return BLK_WOULD_WAIT;
	ranchu_blk_count(&req->stats->discards, 1);
	if (!n || n > BLK_RANGES || bytes % sizeof(range) ||
	    req->disk->flags & VHOST_RANCHU_BLK_READONLY)
		return answer(req, VIRTIO_BLK_S_IOERR);
	iov_iter_init(&from, ITER_SOURCE, chain->iov, chain->n_out, chain->out_len);
	iov_iter_advance(&from, sizeof(struct virtio_blk_outhdr));
	while (n-- && !status) {
		if (!copy_from_iter_full(&range, sizeof(range), &from))
			status = VIRTIO_BLK_S_IOERR;
		else
			status = serve_range(req, zero, &range);
	}
	/* Zeroes are data: a guest that does not know how to flush relies on them. */
	if (!status && zero && !(features & BIT_ULL(VIRTIO_BLK_F_FLUSH)))
		status = ranchu_blk_flush(req->disk);
	return answer(req, status);
}

/* Nearly every driver has it in a buffer of its own. */
static bool get_header(const struct ranchu_chain *chain, struct virtio_blk_outhdr *hdr)
{
	struct iov_iter from;

	if (chain->n_out && chain->iov[0].iov_len >= sizeof(*hdr))
		return !copy_from_user(hdr, chain->iov[0].iov_base, sizeof(*hdr));
	iov_iter_init(&from, ITER_SOURCE, chain->iov, chain->n_out, chain->out_len);
	return copy_from_iter_full(hdr, sizeof(*hdr), &from);
}

/**
 * ranchu_blk_serve() - see what a request asks for, and do it
 * @req: its chain was just taken
 * @features: negotiated
 * @may_wait: this thread may wait, for a disk, say
 *
 * Context: may sleep; the chain's memory can be accessed.
 * Return: what became of it. If it would have to wait, it is still the caller's; of
 * its data, some may have been moved.
 */
enum blk_outcome ranchu_blk_serve(struct blk_request *req, u64 features, bool may_wait)
{
	struct ranchu_chain *chain = &req->chain;
	struct virtio_blk_outhdr hdr;

	/* Without a place for the status there is nobody to tell. */
	if (!chain->in_len || !get_header(chain, &hdr))
		return answer(req, VIRTIO_BLK_S_IOERR);
	switch (le32_to_cpu((__force __le32)hdr.type)) {
	case VIRTIO_BLK_T_IN:
		req->write = false;
		return serve_data(req, le64_to_cpu((__force __le64)hdr.sector));
	case VIRTIO_BLK_T_OUT:
		req->write = true;
		return serve_data(req, le64_to_cpu((__force __le64)hdr.sector));
	case VIRTIO_BLK_T_FLUSH:
		return serve_flush(req, may_wait);
	case VIRTIO_BLK_T_GET_ID:
		return serve_id(req);
	case VIRTIO_BLK_T_DISCARD:
		if (features & BIT_ULL(VIRTIO_BLK_F_DISCARD))
			return serve_ranges(req, features, false, may_wait);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (features & BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES))
			return serve_ranges(req, features, true, may_wait);
		break;
	}
	return answer(req, VIRTIO_BLK_S_UNSUPP);
}
