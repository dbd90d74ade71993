// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data between a request's guest pages and the image: straight, by the file
 * system's own read and write, which a direct image answers later.
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/instrumented.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "ranchu_blk.h"

/* Any context: the image has completed a request. */
static void io_complete(struct kiocb *iocb, long result)
{
	struct blk_transfer *transfer = container_of(iocb, struct blk_transfer, iocb);
	struct blk_ring *ring = transfer->ring;
	unsigned long flags;

	if (transfer->req.write)
		kiocb_end_write(iocb);
	transfer->result = result;
	spin_lock_irqsave(&ring->lock, flags);
	list_add_tail(&transfer->req.node, &ring->done);
	ranchu_vring_request(ring->vring);
	WRITE_ONCE(ring->flying, ring->flying - 1);
	if (!ring->flying)
		wake_up(&ring->landed);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/* The guest's pages that are still to be read or written. */
static void io_iter(struct blk_request *req, struct iov_iter *iter)
{
	const struct ranchu_chain *chain = &req->chain;

	if (req->write) {
		iov_iter_init(iter, ITER_SOURCE, chain->iov, chain->n_out, chain->out_len);
		iov_iter_advance(iter, sizeof(struct virtio_blk_outhdr) + req->moved);
	} else if (chain->iov[chain->n_out].iov_len >= req->len) {
		iov_iter_ubuf(iter, ITER_DEST, chain->iov[chain->n_out].iov_base + req->moved,
			      req->len - req->moved);
	} else {
		iov_iter_init(iter, ITER_DEST, chain->iov + chain->n_out, chain->n_in,
			      req->len);
		iov_iter_advance(iter, req->moved);
	}
}

static ssize_t io_call(struct blk_transfer *transfer)
{
	struct kiocb *iocb = &transfer->iocb;
	struct iov_iter iter;

	io_iter(&transfer->req, &iter);
	return transfer->req.write ? vfs_iocb_iter_write(iocb->ki_filp, iocb, &iter) :
				     vfs_iocb_iter_read(iocb->ki_filp, iocb, &iter);
}

static ssize_t io_submit(struct blk_transfer *transfer, int ki_flags)
{
	struct blk_request *req = &transfer->req;
	const struct ranchu_blk *blk = blk_of_request(req);
	struct blk_ring *ring = transfer->ring;
	ssize_t ret;

	transfer->iocb = (struct kiocb){
		.ki_filp = blk->file,
		.ki_pos = req->pos + req->moved,
		.ki_complete = blk->eager ? NULL : io_complete,
		.ki_flags = ki_flags,
		.ki_ioprio = get_current_ioprio(),
	};
	/* It does not complete anything later, and must not want to. */
	if (blk->eager)
		return io_call(transfer);
	/* It may be completed before we hear that it was queued. */
	spin_lock_irq(&ring->lock);
	WRITE_ONCE(ring->flying, ring->flying + 1);
	spin_unlock_irq(&ring->lock);
	ret = io_call(transfer);
	if (ret == -EIOCBQUEUED)
		return ret;
	spin_lock_irq(&ring->lock);
	WRITE_ONCE(ring->flying, ring->flying - 1);
	spin_unlock_irq(&ring->lock);
	return ret;
}

static int io_flags(struct blk_transfer *transfer)
{
	u64 features = transfer->ring->vring->setup.features;
	int flags = iocb_flags(blk_of_request(&transfer->req)->file);

	/* A guest that does not know how to flush relies on every write. */
	if (transfer->req.write && !(features & BIT_ULL(VIRTIO_BLK_F_FLUSH)))
		flags |= IOCB_DSYNC;
	return flags;
}

static ssize_t io_try(struct blk_transfer *transfer, int flags)
{
	ssize_t ret = io_submit(transfer, flags);

	if (ret != -EINVAL || !(flags & IOCB_DIRECT) || flags & IOCB_NOWAIT)
		return ret;
	/* Not so: memory or blocks are not aligned as the image wants them. */
	transfer->req.stats->buffered++;
	return io_submit(transfer, flags & ~IOCB_DIRECT);
}

static void io_count(const struct blk_transfer *transfer)
{
	const struct blk_request *req = &transfer->req;
	struct vhost_ranchu_blk_stats *stats = req->stats;

	if (req->write) {
		stats->writes++;
		stats->written_bytes += req->len;
	} else {
		stats->reads++;
		stats->read_bytes += req->len;
	}
	if (transfer->queued)
		stats->asynchronous++;
	else if (transfer->ring->vring->in_vcpu)
		stats->in_vcpu++;
}

/*
 * Goes on until all is moved: an image may do less than it was asked for. It may wait,
 * unless all is moved already.
 */
static enum blk_outcome io_go_on(struct blk_transfer *transfer, ssize_t ret)
{
	struct blk_request *req = &transfer->req;

	/* Nothing at all, though it is inside: the image has shrunk. */
	while (ret > 0) {
		req->moved += min_t(size_t, ret, req->len - req->moved);
		if (req->moved == req->len) {
			io_count(transfer);
			ranchu_blk_answer(req, VIRTIO_BLK_S_OK);
			return BLK_DONE;
		}
		ret = io_try(transfer, io_flags(transfer));
	}
	if (ret == -EIOCBQUEUED) {
		transfer->queued = true;
		return BLK_QUEUED;
	}
	ranchu_blk_answer(req, VIRTIO_BLK_S_IOERR);
	return BLK_DONE;
}

/* A page of the image that is in memory, or NULL; ends with folio_put(). */
static struct folio *io_page(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	if (IS_ERR(folio))
		return NULL;
	if (folio_test_uptodate(folio) && !PageHWPoison(folio_file_page(folio, index)))
		return folio;
	folio_put(folio);
	return NULL;
}

/*
 * From a page of the page cache, as copy_page_to_iter() does it: that is no object of
 * whose bounds there is anything to check.
 */
static bool io_copy(void __user *to, struct folio *folio, loff_t pos, size_t n)
{
	const void *from = folio_address(folio) + offset_in_folio(folio, pos);

	if (should_fail_usercopy() || !access_ok(to, n))
		return false;
	instrument_copy_to_user(to, from, n);
	return !raw_copy_to_user(to, from, n);
}

/*
 * Reads an image in memory as if it were mapped: its pages are copied from where
 * they are. All of the request, or nothing that counts: holes, what was swapped
 * out and what ends early are the file system's.
 */
static bool io_read_pages(struct blk_request *req)
{
	struct address_space *mapping = blk_of_request(req)->file->f_mapping;
	const struct iovec *iov = req->chain.iov + req->chain.n_out;
	loff_t pos = req->pos, last = req->pos + req->len;
	struct folio *folio;
	size_t n, used = 0;
	bool copied;

	if (last > i_size_read(mapping->host))
		return false;
	for (; pos < last; pos += n) {
		if (used == iov->iov_len) {
			iov++;
			used = 0;
		}
		n = min_t(size_t, last - pos, PAGE_SIZE - offset_in_page(pos));
		n = min(n, iov->iov_len - used);
		folio = io_page(mapping, pos >> PAGE_SHIFT);
		if (!folio)
			return false;
		folio_mark_accessed(folio);
		copied = io_copy(iov->iov_base + used, folio, pos, n);
		folio_put(folio);
		if (!copied)
			return false;
		used += n;
	}
	return true;
}

/**
 * ranchu_blk_io() - read or write
 * @req: its @write, @pos and @len are set, @moved is 0
 *
 * Context: as ranchu_vhost_ops.kicked().
 * Return: what became of it; see ranchu_blk_serve().
 */
enum blk_outcome ranchu_blk_io(struct blk_request *req)
{
	struct blk_transfer *transfer = blk_transfer_of(req);
	const struct ranchu_blk *blk = blk_of_request(req);
	bool in_vcpu = transfer->ring->vring->in_vcpu;
	int flags = io_flags(transfer);
	ssize_t ret;

	if (in_vcpu && !blk->eager) {
		if (!(blk->file->f_mode & FMODE_NOWAIT))
			return BLK_WOULD_WAIT;
		flags |= IOCB_NOWAIT;
	}
	transfer->queued = false;
	if (blk->eager && !req->write && io_read_pages(req))
		return io_go_on(transfer, req->len);
	ret = io_try(transfer, flags);
	/* Done in part is not done: all of it again does no harm. */
	if (in_vcpu && ret != -EIOCBQUEUED && ret != req->len)
		return BLK_WOULD_WAIT;
	return io_go_on(transfer, ret);
}

/**
 * ranchu_blk_io_done() - go on with a request that the image has completed
 * @transfer: answered, or under way again, afterwards
 *
 * Context: as ranchu_vhost_ops.kicked() in the worker, or drain().
 */
void ranchu_blk_io_done(struct blk_transfer *transfer)
{
	ssize_t ret = transfer->result;

	/* It could not do so without waiting, and has said so late. */
	if (ret == -EAGAIN && transfer->iocb.ki_flags & IOCB_NOWAIT)
		ret = io_try(transfer, io_flags(transfer));
	io_go_on(transfer, ret);
}

/**
 * ranchu_blk_flush() - have all that was written outlast a power failure
 * @disk: the disk
 *
 * Context: worker.
 * Return: of VIRTIO_BLK_S_...
 */
u8 ranchu_blk_flush(struct blk_disk *disk)
{
	const struct ranchu_blk *blk = container_of(disk, struct ranchu_blk, disk);

	return vfs_fsync(blk->file, 1) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/**
 * ranchu_blk_range() - discard sectors, or zero them
 * @disk: the disk
 * @sector: the first, of 512 bytes
 * @sectors: how many
 * @zero: they read as zeros afterwards; else as anything
 * @unmap: what is zeroed need not take room
 *
 * Context: worker.
 * Return: of VIRTIO_BLK_S_...
 */
u8 ranchu_blk_range(struct blk_disk *disk, u64 sector, u32 sectors, bool zero,
		    bool unmap)
{
	const struct ranchu_blk *blk = container_of(disk, struct ranchu_blk, disk);
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const int fill = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	loff_t pos = sector * SECTOR_SIZE, len = (loff_t)sectors * SECTOR_SIZE;
	int err;

	/* Both read as zeros; the one that was wanted first. */
	err = vfs_fallocate(blk->file, zero && !unmap ? fill : punch, pos, len);
	if (err == -EOPNOTSUPP && zero)
		err = vfs_fallocate(blk->file, unmap ? fill : punch, pos, len);
	/* A discard is a hint. Zeroes the guest can write itself. */
	if (err == -EOPNOTSUPP)
		return zero ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
	return err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}
