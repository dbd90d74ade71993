/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of a virtio-blk disk: what they ask for and whether they may. Pure
 * logic, which vmmctl is built from as well: who serves a disk brings the
 * functions at the end, which move data.
 */
#ifndef _RANCHU_BLK_REQUEST_H
#define _RANCHU_BLK_REQUEST_H

#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/ranchu_vq.h>
#include <linux/sizes.h>
#include <linux/vhost_ranchu_blk.h>
#include <linux/virtio_blk.h>

/* Buffers of data in one request, and what goes with them: header and status. */
#define BLK_SEG_MAX 126
#define BLK_IOV (BLK_SEG_MAX + 2)

/* Ranges in one request to discard or zero, the sectors of one, and those in a row. */
#define BLK_RANGES 16
#define BLK_RANGE_SECTORS (SZ_1G / SECTOR_SIZE)
#define BLK_STEP_SECTORS (SZ_16M / SECTOR_SIZE)

/**
 * struct blk_disk - what requests are checked against
 * @flags: of VHOST_RANCHU_BLK_...
 * @block_size: see struct vhost_ranchu_blk_backend
 * @range_block: bytes of the image that can be discarded or zeroed, a power of two
 * @capacity: sectors of 512 bytes; may change while rings run
 * @id: the disk's name
 */
struct blk_disk {
	u32 flags;
	u32 block_size;
	u32 range_block;
	u64 capacity;
	u8 id[VHOST_RANCHU_BLK_ID];
};

/**
 * struct blk_request - a request of the guest's
 * @node: belongs to who serves the disk
 * @disk: whose
 * @stats: where it is counted
 * @chain: where it came from
 * @write: to the image
 * @pos: where it begins in the image
 * @len: bytes of data
 * @moved: of these, bytes that have been
 * @iov: of @chain
 */
struct blk_request {
	struct list_head node;
	struct blk_disk *disk;
	struct vhost_ranchu_blk_stats *stats;
	struct ranchu_chain chain;
	bool write;
	u64 pos;
	size_t len;
	size_t moved;
	struct iovec iov[BLK_IOV];
};

/**
 * enum blk_outcome - what became of a request
 * @BLK_DONE: answered
 * @BLK_QUEUED: the image completes it later
 * @BLK_WOULD_WAIT: nothing was done: a worker has to try it
 */
enum blk_outcome {
	BLK_DONE,
	BLK_QUEUED,
	BLK_WOULD_WAIT,
};

/**
 * ranchu_blk_count() - count what happened
 * @counter: of @stats; one thread at a time writes it, others read it
 * @n: how much more
 */
static inline void ranchu_blk_count(__u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

void ranchu_blk_request_init(struct blk_request *req, struct blk_disk *disk,
			     struct vhost_ranchu_blk_stats *stats);
enum blk_outcome ranchu_blk_serve(struct blk_request *req, u64 features, bool may_wait);
void ranchu_blk_info(const struct blk_disk *disk, u32 granularity,
		     struct vhost_ranchu_blk_info *info);

/* Brought by who serves the disk: ranchu_blk_io.c and ranchu_blk_ring.c here */
enum blk_outcome ranchu_blk_io(struct blk_request *req);
u8 ranchu_blk_flush(struct blk_disk *disk);
u8 ranchu_blk_range(struct blk_request *req, u64 sector, u32 sectors, bool zero, bool unmap);
bool ranchu_blk_goes_on(struct blk_request *req);
void ranchu_blk_answer(struct blk_request *req, u8 status);

#endif /* _RANCHU_BLK_REQUEST_H */
