// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data between a request's guest pages and the image: straight, by the file
 * system's own read and write, which a direct image answers later.
 *
 * Each is tried at once if io_may_try() says that nothing need be waited for; else,
 * and if that does not work out, the ring's worker does it, piece by piece.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/sched.h>
#include <linux/uio.h>

#include "ranchu_blk.h"

/* How often a writer looks whether a frozen file system has thawed. */
#define IO_FROZEN_JIFFIES max(HZ / 20, 1)

/* Any context: the image has completed a request. */
static void io_complete(struct kiocb *iocb, long result)
{
	struct blk_transfer *transfer = container_of(iocb, struct blk_transfer, iocb);

	if (transfer->req.write)
		kiocb_end_write(iocb);
	transfer->result = result;
	ranchu_blk_completed(transfer);
}

/* The guest's pages that are still to be read or written, or the first of them. */
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
	iov_iter_truncate(iter, BLK_PIECE);
}

/* Keeps the image's file system from being frozen, unless it or the one below is. */
static bool io_keep_writable(const struct blk_image *image)
{
	struct super_block *sb = file_inode(image->file)->i_sb;

	if (image->below != sb) {
		/* Not kept: its own file system will ask again, and must not wait for us. */
		if (!sb_start_write_trylock(image->below))
			return false;
		sb_end_write(image->below);
	}
	return sb_start_write_trylock(sb);
}

/*
 * Keeps the file system from being frozen until kiocb_end_write(). The file system's
 * writers, and vfs_iocb_iter_write(), wait for the thaw and no signal ends that wait:
 * so it is not for the vCPU, and the worker waits in a way that a signal ends.
 */
static int io_begin_write(const struct blk_ring *ring, const struct blk_image *image,
			  bool may_wait)
{
	struct super_block *sb = file_inode(image->file)->i_sb;

	while (!io_keep_writable(image)) {
		if (!may_wait)
			return -EAGAIN;
		if (ranchu_blk_must_end(ring))
			return -EINTR;
		schedule_timeout_killable(IO_FROZEN_JIFFIES);
	}
	/* The thread that ends it may be another one. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return 0;
}

/*
 * As drivers/block/loop.c calls a file system: whether the file may be read and
 * written was checked when it was opened.
 */
static ssize_t io_call(struct blk_transfer *transfer)
{
	struct kiocb *iocb = &transfer->iocb;
	struct file *file = iocb->ki_filp;
	struct iov_iter iter;
	ssize_t ret;

	io_iter(&transfer->req, &iter);
	if (!transfer->req.write)
		return file->f_op->read_iter(iocb, &iter);
	ret = io_begin_write(transfer->ring, &blk_of_request(&transfer->req)->image,
			     !(iocb->ki_flags & IOCB_NOWAIT));
	if (ret)
		return ret;
	ret = file->f_op->write_iter(iocb, &iter);
	if (ret != -EIOCBQUEUED)
		kiocb_end_write(iocb);
	return ret;
}

/* If it is queued, the request is somebody else's on return. */
static ssize_t io_submit(struct blk_transfer *transfer, int ki_flags)
{
	struct blk_request *req = &transfer->req;
	const struct blk_image *image = &blk_of_request(req)->image;
	bool queued = transfer->queued;
	ssize_t ret;

	transfer->iocb = (struct kiocb){
		.ki_filp = image->file,
		.ki_pos = req->pos + req->moved,
		/* What is in memory completes nothing later, and must not want to. */
		.ki_complete = image->in_memory ? NULL : io_complete,
		/* Who completes it for a file system below another one asks for this. */
		.ki_flags = ki_flags | (req->write ? IOCB_WRITE : 0),
		.ki_ioprio = get_current_ioprio(),
	};
	transfer->queued = true;
	ret = io_call(transfer);
	if (ret != -EIOCBQUEUED)
		transfer->queued = queued;
	return ret;
}

static int io_flags(struct blk_transfer *transfer)
{
	u64 features = transfer->ring->vring->setup.features;
	int flags = blk_of_request(&transfer->req)->image.ki_flags;

	/* A guest that does not know how to flush relies on every write. */
	if (transfer->req.write && !(features & BIT_ULL(VIRTIO_BLK_F_FLUSH)))
		flags |= IOCB_DSYNC;
	return flags;
}

/* Whether @ret was all that is left of @req, or what was moved of it. */
static bool io_moved(struct blk_request *req, ssize_t ret)
{
	if (ret > 0)
		req->moved += min_t(size_t, ret, req->len - req->moved);
	return req->moved == req->len;
}

/*
 * May this request be tried in a vCPU's thread? Everything that could make the vCPU
 * wait, or keep it long, is decided here; but that a file system freezes can only be
 * seen by trying to hold it off, in io_begin_write().
 */
static bool io_may_try(struct blk_transfer *transfer)
{
	const struct blk_request *req = &transfer->req;
	const struct blk_image *image = &blk_of_request(&transfer->req)->image;
	struct file *file = image->file;

	/* A copy takes its time. */
	if (req->len > transfer->ring->left)
		return false;
	if (image->in_memory)
		return !req->write || ranchu_blk_mem_writable(image);
	if (!(file->f_mode & FMODE_NOWAIT) || READ_ONCE(image->waits[req->write]))
		return false;
	if (!req->write)
		return true;
	/* The file system would write, and then wait until it lasts. */
	return !(io_flags(transfer) & IOCB_DSYNC) && !IS_SYNC(file->f_mapping->host);
}

/* Without waiting. Returns what the image says. */
static ssize_t io_try(struct blk_transfer *transfer)
{
	struct blk_request *req = &transfer->req;
	struct blk_image *image = &blk_of_request(req)->image;
	int flags = io_flags(transfer);
	ssize_t ret;

	if (image->in_memory && req->write)
		return ranchu_blk_mem_write(req, req->len);
	if (image->in_memory) {
		io_moved(req, ranchu_blk_mem_read(req, req->len));
		/* Holes, and what was swapped out. */
		return req->moved == req->len ? 0 : io_submit(transfer, flags);
	}
	/* To read ahead, or to begin to, waits for memory, and for the device's queue. */
	if (!req->write && !(flags & IOCB_DIRECT))
		flags |= IOCB_NOIO;
	atomic_inc(&transfer->ring->in_flight);
	ret = io_submit(transfer, flags | IOCB_NOWAIT);
	if (ret == -EIOCBQUEUED)
		return ret;
	/* Nobody waits for the ring to become idle: its lock is held. */
	atomic_dec(&transfer->ring->in_flight);
	if (ret == -EOPNOTSUPP)
		WRITE_ONCE(image->waits[req->write], true);
	return ret;
}

/**
 * ranchu_blk_io() - read or write
 * @req: its @write, @pos and @len are set, @moved is 0
 *
 * Context: as ranchu_vhost_ops.kicked(); or the worker, without the ring's lock.
 * Return: what became of it; see ranchu_blk_serve(). If it would have to wait, it
 * is to be given to ranchu_blk_io_wait().
 */
enum blk_outcome ranchu_blk_io(struct blk_request *req)
{
	struct blk_transfer *transfer = blk_transfer_of(req);
	ssize_t ret;

	transfer->data = true;
	if (transfer->waited)
		return ranchu_blk_io_wait(transfer);
	if (!io_may_try(transfer))
		return BLK_WOULD_WAIT;
	transfer->ring->left -= req->len;
	ret = io_try(transfer);
	if (ret == -EIOCBQUEUED)
		return BLK_QUEUED;
	/* Of an error, the worker finds out whether it is one. */
	if (!io_moved(req, ret))
		return BLK_WOULD_WAIT;
	ranchu_blk_answer(req, VIRTIO_BLK_S_OK);
	return BLK_DONE;
}

/* What others hold is waited for as in io_begin_write(). */
static ssize_t io_mem_write(struct blk_transfer *transfer)
{
	struct blk_request *req = &transfer->req;
	const struct blk_image *image = &blk_of_request(req)->image;
	struct kiocb iocb = { .ki_filp = image->file };
	ssize_t ret;

	ret = io_begin_write(transfer->ring, image, true);
	if (ret)
		return ret;
	ret = ranchu_blk_mem_prepare(req);
	if (!ret)
		ret = ranchu_blk_mem_extend(req);
	if (!ret)
		ret = ranchu_blk_mem_write(req, BLK_PIECE);
	if (!ret)
		ret = ranchu_blk_mem_write_wait(req);
	kiocb_end_write(&iocb);
	return ret;
}

/* The next piece, however long that takes. */
static ssize_t io_piece(struct blk_transfer *transfer)
{
	struct blk_request *req = &transfer->req;
	const struct blk_image *image = &blk_of_request(req)->image;
	int flags = io_flags(transfer);
	ssize_t ret = 0;

	if (req->write && blk_image_is_tmpfs(image))
		return io_mem_write(transfer);
	if (image->in_memory && !req->write)
		ret = ranchu_blk_mem_read(req, BLK_PIECE);
	else if (image->in_memory && ranchu_blk_mem_writable(image))
		ret = ranchu_blk_mem_write(req, BLK_PIECE);
	if (ret)
		return ret;
	ret = io_submit(transfer, flags);
	if (ret != -EINVAL || !(flags & IOCB_DIRECT))
		return ret;
	/* Not so: memory or blocks are not aligned as the image wants them. */
	ranchu_blk_count(&req->stats->buffered, 1);
	return io_submit(transfer, flags & ~IOCB_DIRECT);
}

/**
 * ranchu_blk_io_wait() - read or write what is left of a request
 * @transfer: bytes are left to be moved
 *
 * An image may do less than it was asked for; this goes on until all is moved.
 *
 * Context: worker, without the ring's lock.
 * Return: BLK_DONE: answered; BLK_QUEUED: the image completes it later, and it is
 * not the caller's any more.
 */
enum blk_outcome ranchu_blk_io_wait(struct blk_transfer *transfer)
{
	struct blk_request *req = &transfer->req;
	ssize_t ret;

	do {
		if (ranchu_blk_must_end(transfer->ring))
			break;
		cond_resched();
		ret = io_piece(transfer);
		if (ret == -EIOCBQUEUED)
			return BLK_QUEUED;
		/* Nothing at all, though it is inside: the image has shrunk. */
	} while (!io_moved(req, ret) && ret > 0);
	ranchu_blk_answer(req, req->moved == req->len ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
	return BLK_DONE;
}

/**
 * ranchu_blk_io_done() - look at what the image has completed
 * @transfer: its @result is set; its @answered, if there is no more to do
 *
 * Context: as ranchu_vhost_ops.kicked(), or drain().
 * Return: whether it is to be answered; else it is for ranchu_blk_io_wait().
 */
bool ranchu_blk_io_done(struct blk_transfer *transfer)
{
	ssize_t ret = transfer->result;
	bool all = io_moved(&transfer->req, ret);

	/* It could not do so without waiting, and has said so late. */
	if (ret == -EAGAIN && transfer->iocb.ki_flags & IOCB_NOWAIT)
		return false;
	if (!all && ret > 0)
		return false;
	transfer->status = all ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
	return true;
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

	return vfs_fsync(blk->image.file, 1) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static int io_mem_range(struct blk_request *req, loff_t pos, loff_t len, bool zero)
{
	const struct blk_image *image = &blk_of_request(req)->image;
	struct kiocb iocb = { .ki_filp = image->file };
	int err;

	if (IS_IMMUTABLE(file_inode(image->file)))
		return -EPERM;
	err = io_begin_write(blk_transfer_of(req)->ring, image, true);
	if (err)
		return err;
	err = ranchu_blk_mem_punch(image, pos, len);
	if (err == -EBUSY)
		err = zero ? ranchu_blk_mem_zero(req, pos, len) : -EOPNOTSUPP;
	kiocb_end_write(&iocb);
	return err;
}

/* vfs_fallocate() would wait for a thaw, see io_begin_write(). */
static int io_fallocate(struct blk_request *req, int mode, loff_t pos, loff_t len)
{
	const struct blk_image *image = &blk_of_request(req)->image;
	struct file *file = image->file;
	struct kiocb iocb = { .ki_filp = file };
	int err;

	if (!file->f_op->fallocate)
		return -EOPNOTSUPP;
	if (IS_IMMUTABLE(file_inode(file)))
		return -EPERM;
	if (IS_SWAPFILE(file_inode(file)))
		return -ETXTBSY;
	err = io_begin_write(blk_transfer_of(req)->ring, image, true);
	if (err)
		return err;
	err = file->f_op->fallocate(file, mode, pos, len);
	kiocb_end_write(&iocb);
	return err;
}

/**
 * ranchu_blk_range() - discard sectors, or zero them
 * @req: asks for it
 * @sector: the first, of 512 bytes
 * @sectors: how many
 * @zero: they read as zeros afterwards; else as anything
 * @unmap: what is zeroed need not take room
 *
 * Context: worker, without the ring's lock.
 * Return: of VIRTIO_BLK_S_...
 */
u8 ranchu_blk_range(struct blk_request *req, u64 sector, u32 sectors, bool zero, bool unmap)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const int fill = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	loff_t pos = sector * SECTOR_SIZE, len = (loff_t)sectors * SECTOR_SIZE;
	int err;

	if (blk_image_is_tmpfs(&blk_of_request(req)->image)) {
		err = io_mem_range(req, pos, len, zero);
	} else {
		/* Both read as zeros; the one that was wanted first. */
		err = io_fallocate(req, zero && !unmap ? fill : punch, pos, len);
		if (err == -EOPNOTSUPP && zero)
			err = io_fallocate(req, unmap ? fill : punch, pos, len);
	}
	/* A discard is a hint. Zeroes the guest can write itself. */
	if (err == -EOPNOTSUPP)
		return zero ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
	return err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/**
 * ranchu_blk_goes_on() - ask whether a long request may go on
 * @req: the request
 *
 * Context: worker, without the ring's lock; may sleep.
 * Return: false if the ring is being stopped, or its owner killed.
 */
bool ranchu_blk_goes_on(struct blk_request *req)
{
	const struct blk_ring *ring = blk_transfer_of(req)->ring;

	cond_resched();
	return !READ_ONCE(ring->draining) && !ranchu_blk_must_end(ring);
}
