// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that vmmctl serves itself, for hosts without vhost_ranchu_blk.ko, and as the
 * baseline for measurements of the module. Requests are parsed by the module's code; data is
 * moved by plain reads and writes in the ring's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "../../../drivers/vhost/ranchu_blk_request.h"

#include "devices/devices.h"
#include "host/image.h"
#include "host/iov.h"
#include "host/overlay.h"
#include "virtio/ring.h"

/* The driver is interrupted after so many requests or bytes. */
#define BLK_BATCH	32
#define BLK_BATCH_BYTES	(256 * KIB)

/**
 * struct blk_queue - state of a ring of the disk
 * @ring: the ring
 * @blk: the disk
 * @req: the request that is being processed
 * @stats: counters of this ring; written by its thread, read by any
 */
struct blk_queue {
	struct vmm_ring *ring;
	struct vmm_user_blk *blk;
	struct blk_request req;
	struct vhost_ranchu_blk_stats stats;
};

/**
 * struct vmm_user_blk - a disk
 * @dev: its queues
 * @disk: size and limits for the check of requests
 * @fd: the image
 * @buffered_fd: the image through the host's page cache; equals @fd without O_DIRECT
 * @overlay: maps sectors to the image or to the file below it; NULL without a file below
 * @granularity: bytes, for alignment of discard and zeroing
 * @queue: by queue
 */
struct vmm_user_blk {
	struct vmm_ring_device dev;
	struct blk_disk disk;
	int fd;
	int buffered_fd;
	struct vmm_overlay *overlay;
	u32 granularity;
	struct blk_queue queue[VMM_VIRTIO_QUEUES];
};

static struct blk_queue *queue_of(struct blk_request *req)
{
	return container_of(req, struct blk_queue, req);
}

static struct vmm_user_blk *blk_of_disk(struct blk_disk *disk)
{
	return container_of(disk, struct vmm_user_blk, disk);
}

/* Skips the first @len bytes of @iov; returns the element that is now first. */
static struct iovec *iov_skip(struct iovec *iov, size_t len)
{
	for (; len >= iov->iov_len; iov++)
		len -= iov->iov_len;
	iov->iov_base = (char *)iov->iov_base + len;
	iov->iov_len -= len;
	return iov;
}

static bool blk_each_write_lasts(const struct vmm_user_blk *blk)
{
	return !(blk->dev.v->accepted & 1ULL << VIRTIO_BLK_F_FLUSH);
}

/* Reads as far as one of the two files has it. */
static ssize_t overlay_read(const struct blk_queue *queue, const struct iovec *iov, int n,
			    u64 pos)
{
	const struct vmm_overlay *overlay = queue->blk->overlay;
	u64 end = queue->req.pos + queue->req.len;
	struct iovec part[BLK_IOV];
	bool owned = false;
	u64 run;

	run = vmm_overlay_run(overlay, pos / SECTOR_SIZE, (end - 1) / SECTOR_SIZE + 1 -
			      pos / SECTOR_SIZE, &owned);
	if (!run)
		return 0;
	n = vmm_iov_part(iov, n, 0, (pos / SECTOR_SIZE + run) * SECTOR_SIZE - pos, part);
	return preadv2(owned ? queue->blk->fd : overlay->base, part, n, pos, 0);
}

/*
 * A request begins with a sector: of that in which the written bytes end, if it is no whole
 * one, nothing counts until the rest is there.
 */
static ssize_t overlay_written(const struct blk_queue *queue, u64 pos, ssize_t len)
{
	u64 first = pos / SECTOR_SIZE;

	if (len > 0)
		vmm_overlay_mark(queue->blk->overlay, first, (pos + len) / SECTOR_SIZE - first);
	return len;
}

static ssize_t blk_move(const struct blk_queue *queue, int fd, const struct iovec *iov, int n)
{
	const struct blk_request *req = &queue->req;
	bool overlay = queue->blk->overlay;
	off_t pos = req->pos + req->moved;
	ssize_t ret;

	if (!req->write && overlay)
		return overlay_read(queue, iov, n, pos);
	if (!req->write)
		return n == 1 ? pread(fd, iov->iov_base, iov->iov_len, pos) :
				preadv2(fd, iov, n, pos, 0);
	ret = pwritev2(fd, iov, n, pos, blk_each_write_lasts(queue->blk) ? RWF_DSYNC : 0);
	return overlay ? overlay_written(queue, pos, ret) : ret;
}

/* Unaligned requests, which O_DIRECT refuses, go through the page cache. */
static ssize_t blk_try(struct blk_queue *queue, const struct iovec *iov, int n)
{
	const struct vmm_user_blk *blk = queue->blk;
	ssize_t ret = blk_move(queue, blk->fd, iov, n);

	if (ret < 0 && errno == EINVAL && blk->fd != blk->buffered_fd)
		ret = blk_move(queue, blk->buffered_fd, iov, n);
	return ret;
}

static void io_count(struct blk_queue *queue)
{
	const struct blk_request *req = &queue->req;

	if (req->write) {
		ranchu_blk_count(&queue->stats.writes, 1);
		ranchu_blk_count(&queue->stats.written_bytes, req->moved);
	} else {
		ranchu_blk_count(&queue->stats.reads, 1);
		ranchu_blk_count(&queue->stats.read_bytes, req->moved);
	}
}

/**
 * ranchu_blk_io - read or write
 * @req: its @write, @pos and @len are set, @moved is 0
 *
 * The last writable byte is the status, not data: the last element is one byte shorter during
 * the transfer.
 *
 * Return: BLK_DONE
 */
enum blk_outcome ranchu_blk_io(struct blk_request *req)
{
	struct blk_queue *queue = queue_of(req);
	struct ranchu_chain *chain = &req->chain;
	struct iovec *iov = chain->iov;
	struct iovec *last = &iov[chain->n_out + chain->n_in - 1];
	struct iovec *end = iov + chain->n_out;
	struct iovec status = *last;
	ssize_t ret;

	if (req->write) {
		iov = iov_skip(iov, sizeof(struct virtio_blk_outhdr));
	} else {
		iov = end;
		end = last + 1;
		if (!--last->iov_len)
			end--;
	}
	for (;;) {
		ret = blk_try(queue, iov, end - iov);
		/* No byte could be read inside the disk's size: the image has shrunk. */
		if (ret <= 0)
			break;
		req->moved += ret;
		if (req->moved == req->len)
			break;
		iov = iov_skip(iov, ret);
	}
	*last = status;
	io_count(queue);
	ranchu_blk_answer(req, req->moved == req->len ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
	return BLK_DONE;
}

/**
 * ranchu_blk_flush - flush written data to stable storage
 * @disk: the disk
 *
 * Return: a VIRTIO_BLK_S_... status
 */
u8 ranchu_blk_flush(struct blk_disk *disk)
{
	return fdatasync(blk_of_disk(disk)->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/**
 * ranchu_blk_goes_on - check whether a long request may continue
 * @req: the request
 *
 * Return: false if its ring is being stopped
 */
bool ranchu_blk_goes_on(struct blk_request *req)
{
	return !vmm_ring_stopping(queue_of(req)->ring);
}

/**
 * ranchu_blk_range - discard sectors, or zero them
 * @req: the request
 * @sector: the first, of 512 bytes
 * @sectors: how many
 * @zero: they read as zeros afterwards; else their content is undefined
 * @unmap: zeroed sectors may be deallocated
 *
 * Return: a VIRTIO_BLK_S_... status
 */
u8 ranchu_blk_range(struct blk_request *req, u64 sector, u32 sectors, bool zero, bool unmap)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const int fill = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	off_t pos = sector * SECTOR_SIZE;
	off_t len = (off_t)sectors * SECTOR_SIZE;
	struct vmm_user_blk *blk = queue_of(req)->blk;
	int fd = blk->fd;
	int err;

	/* Both modes give zeros; the requested one is tried first. */
	err = fallocate(fd, zero && !unmap ? fill : punch, pos, len);
	if (err && errno == EOPNOTSUPP && zero)
		err = fallocate(fd, unmap ? fill : punch, pos, len);
	/* Zeros in an overlay hide what is below. */
	if (!err && blk->overlay)
		vmm_overlay_mark(blk->overlay, sector, sectors);
	if (!err)
		return VIRTIO_BLK_S_OK;
	/* A discard is a hint, so it succeeds; zeroes the guest can write itself. */
	if (errno == EOPNOTSUPP)
		return zero ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
	return VIRTIO_BLK_S_IOERR;
}

/**
 * ranchu_blk_answer - hand a request back to the guest
 * @req: must not be used afterwards
 * @status: a VIRTIO_BLK_S_... status
 */
void ranchu_blk_answer(struct blk_request *req, u8 status)
{
	struct ranchu_chain *chain = &req->chain;
	const struct iovec *last = &chain->iov[chain->n_out + chain->n_in - 1];
	u32 written = chain->in_len < UINT32_MAX ? chain->in_len : UINT32_MAX;

	if (status)
		ranchu_blk_count(&req->stats->errors, 1);
	/* The status is the last byte; data may precede it. */
	if (chain->n_in)
		*((u8 *)last->iov_base + last->iov_len - 1) = status;
	vmm_ring_push(queue_of(req)->ring, chain, written);
}

static bool blk_kicked(struct vmm_ring *ring)
{
	struct vmm_user_blk *blk = container_of(ring->dev, struct vmm_user_blk, dev);
	struct blk_queue *queue = &blk->queue[ring->index];
	struct ranchu_chain *chain = &queue->req.chain;
	unsigned int n = 0;
	u64 bytes = 0;

	while (vmm_ring_next(ring, chain) > 0) {
		bytes += chain->out_len + chain->in_len;
		ranchu_blk_serve(&queue->req, blk->dev.v->accepted, true);
		if (++n == BLK_BATCH || bytes >= BLK_BATCH_BYTES) {
			vmm_ring_update(ring);
			n = 0;
			bytes = 0;
		}
	}
	return true;
}

/* Finds the unit for discarding and zeroing; a file system zeroes parts of blocks itself. */
static int blk_range_block(int fd, const struct stat *st, u32 *bytes)
{
	int size;

	*bytes = SECTOR_SIZE;
	if (!S_ISBLK(st->st_mode))
		return 0;
	if (ioctl(fd, BLKSSZGET, &size))
		return -errno;
	if (size > SECTOR_SIZE)
		*bytes = size;
	return 0;
}

static int blk_take_image(struct vmm_user_blk *blk, const struct vhost_ranchu_blk_backend *backend)
{
	int flags = fcntl(backend->fd, F_GETFL);
	struct stat st;
	char path[32];
	int err;

	blk->fd = fcntl(backend->fd, F_DUPFD_CLOEXEC, 0);
	if (blk->fd < 0 || fstat(blk->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	err = blk_range_block(blk->fd, &st, &blk->disk.range_block);
	if (err)
		return err;
	blk->buffered_fd = blk->fd;
	if (flags & O_DIRECT) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", blk->fd);
		blk->buffered_fd = open(path, (flags & O_ACCMODE) | O_CLOEXEC);
		if (blk->buffered_fd < 0)
			return -errno;
	}
	blk->granularity = st.st_blksize;
	blk->disk.flags = backend->flags;
	blk->disk.block_size = backend->block_size;
	memcpy(blk->disk.id, backend->id, sizeof(blk->disk.id));
	return vmm_user_blk_resize(blk);
}

static void blk_drop_image(struct vmm_user_blk *blk)
{
	if (blk->buffered_fd >= 0 && blk->buffered_fd != blk->fd)
		close(blk->buffered_fd);
	if (blk->fd >= 0)
		close(blk->fd);
}

/**
 * vmm_user_blk_open - create a disk
 * @v: the device; its @offered is set
 * @features: device features of the model
 * @disk: options of the disk
 * @backend: the image, and the properties of the disk
 *
 * Return: the disk, or NULL with errno set, after a message
 */
struct vmm_user_blk *vmm_user_blk_open(struct vmm_virtio *v, u64 features,
				       const struct vmm_disk *disk,
				       const struct vhost_ranchu_blk_backend *backend)
{
	struct vmm_user_blk *blk = calloc(1, sizeof(*blk));
	const char *path = disk->path;
	unsigned int i;
	int err;

	if (!blk) {
		vmm_error(ENOMEM, "--disk: cannot serve %s", path);
		errno = ENOMEM;
		return NULL;
	}
	blk->fd = -1;
	blk->buffered_fd = -1;
	blk->overlay = disk->copy ? disk->copy->overlay : NULL;
	err = blk_take_image(blk, backend);
	if (err)
		vmm_error(-err, "--disk: cannot serve %s", path);
	else
		err = vmm_ring_device_open(&blk->dev, v, features, blk_kicked);
	if (err) {
		blk_drop_image(blk);
		free(blk);
		errno = -err;
		return NULL;
	}
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		blk->queue[i].ring = &blk->dev.ring[i];
		blk->queue[i].blk = blk;
		ranchu_blk_request_init(&blk->queue[i].req, &blk->disk, &blk->queue[i].stats);
	}
	return blk;
}

/**
 * vmm_user_blk_close - undo vmm_user_blk_open()
 * @blk: stopped
 */
void vmm_user_blk_close(struct vmm_user_blk *blk)
{
	vmm_ring_device_close(&blk->dev);
	blk_drop_image(blk);
	free(blk);
}

/**
 * vmm_user_blk_start - serve the driver's queues
 * @blk: stopped
 * @rings: how many
 *
 * Return: 0, or -errno
 */
int vmm_user_blk_start(struct vmm_user_blk *blk, unsigned int rings)
{
	return vmm_ring_device_start(&blk->dev, rings);
}

/**
 * vmm_user_blk_stop - undo vmm_user_blk_start()
 * @blk: running
 */
void vmm_user_blk_stop(struct vmm_user_blk *blk)
{
	vmm_ring_device_stop(&blk->dev);
}

/**
 * vmm_user_blk_pause - stop taking requests, or continue
 * @blk: running or not
 * @paused: true to pause, false to continue
 */
void vmm_user_blk_pause(struct vmm_user_blk *blk, bool paused)
{
	if (paused)
		vmm_ring_device_pause(&blk->dev);
	else
		vmm_ring_device_resume(&blk->dev);
}

/**
 * vmm_user_blk_base - return the next index of a queue
 * @blk: paused
 * @queue: which
 * @base: filled
 *
 * Return: as vmm_ring_device_base()
 */
int vmm_user_blk_base(struct vmm_user_blk *blk, unsigned int queue, u32 *base)
{
	return vmm_ring_device_base(&blk->dev, queue, base);
}

/**
 * vmm_user_blk_resize - read the image's size again
 * @blk: running or not
 *
 * Return: 0, or -ENOMEDIUM: it is smaller than a block
 */
int vmm_user_blk_resize(struct vmm_user_blk *blk)
{
	off_t size = blk->overlay ? (off_t)(blk->overlay->sectors * SECTOR_SIZE) :
				    lseek(blk->fd, 0, SEEK_END);
	u64 blocks = size > 0 ? size / blk->disk.block_size : 0;

	__atomic_store_n(&blk->disk.capacity, blocks * (blk->disk.block_size / SECTOR_SIZE),
			 __ATOMIC_RELAXED);
	return blocks ? 0 : -ENOMEDIUM;
}

/**
 * vmm_user_blk_info - return the values of the configuration space
 * @blk: the disk
 * @info: filled
 */
void vmm_user_blk_info(const struct vmm_user_blk *blk, struct vhost_ranchu_blk_info *info)
{
	ranchu_blk_info(&blk->disk, blk->granularity, info);
}

/**
 * vmm_user_blk_stats - return the counters
 * @blk: the disk
 * @stats: filled: counters of requests, summed over all queues
 * @report: the queues' counters are added
 *
 * Context: any thread.
 */
void vmm_user_blk_stats(struct vmm_user_blk *blk, struct vhost_ranchu_blk_stats *stats,
			struct vmm_report *report)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		const struct vhost_ranchu_blk_stats *queue = &blk->queue[i].stats;

		stats->reads += vmm_counted((const u64 *)&queue->reads);
		stats->writes += vmm_counted((const u64 *)&queue->writes);
		stats->flushes += vmm_counted((const u64 *)&queue->flushes);
		stats->discards += vmm_counted((const u64 *)&queue->discards);
		stats->errors += vmm_counted((const u64 *)&queue->errors);
		stats->read_bytes += vmm_counted((const u64 *)&queue->read_bytes);
		stats->written_bytes += vmm_counted((const u64 *)&queue->written_bytes);
	}
	if (blk->overlay)
		vmm_report_add(report, "overlay_bytes", vmm_overlay_bytes(blk->overlay));
	vmm_ring_device_stats(&blk->dev, report);
}
