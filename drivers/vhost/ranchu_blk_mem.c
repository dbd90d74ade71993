// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image in memory (a file on tmpfs), read and written as if it were mapped: the
 * data is copied from and to the file's pages. The file system's own write would
 * wait for the inode's lock, which any other writer of the file can hold for as
 * long as it likes.
 *
 * What of a write the first functions do not move, those at the end do in the worker:
 * they wait, but never in a way that no signal ends. What is not read is the file
 * system's to read.
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/fcntl.h>
#include <linux/instrumented.h>
#include <linux/jiffies.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include "ranchu_blk.h"

/* How often the worker asks for the inode's lock. */
#define MEM_LOCK_JIFFIES max(HZ / 20, 1)

/**
 * struct mem_copy - a copy that has got so far
 * @iov: the guest's buffer
 * @used: bytes of it that are behind us
 * @pos: in the image
 * @last: where the copy ends in the image
 */
struct mem_copy {
	const struct iovec *iov;
	size_t used;
	loff_t pos;
	loff_t last;
};

static void copy_begin(struct mem_copy *copy, const struct blk_request *req, size_t max)
{
	size_t skip = req->moved;

	copy->iov = req->chain.iov;
	if (req->write)
		skip += sizeof(struct virtio_blk_outhdr);
	else
		copy->iov += req->chain.n_out;
	/* There is data left, so this ends inside the chain. */
	for (; skip >= copy->iov->iov_len; copy->iov++)
		skip -= copy->iov->iov_len;
	copy->used = skip;
	copy->pos = req->pos + req->moved;
	copy->last = copy->pos + min(req->len - req->moved, max);
}

/* The bytes that are in one piece both in @folio and in the guest's buffer. */
static size_t copy_next(struct mem_copy *copy, struct folio *folio)
{
	size_t n = folio_size(folio) - offset_in_folio(folio, copy->pos);

	return min3(n, (size_t)(copy->last - copy->pos), copy->iov->iov_len - copy->used);
}

static void copy_advance(struct mem_copy *copy, size_t n)
{
	copy->pos += n;
	copy->used += n;
	while (copy->pos < copy->last && copy->used == copy->iov->iov_len) {
		copy->iov++;
		copy->used = 0;
	}
}

static bool mem_is_good(struct folio *folio)
{
	return folio_test_uptodate(folio) && !folio_test_hwpoison(folio) &&
	       !(folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

/* A page of the image that is in memory, or NULL; ends with folio_put(). */
static struct folio *mem_find(struct address_space *mapping, loff_t pos)
{
	struct folio *folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);

	if (IS_ERR(folio))
		return NULL;
	if (mem_is_good(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/* What is not there becomes there, as when a mapping is touched. */
static struct folio *mem_make(struct address_space *mapping, loff_t pos)
{
	struct page *page = shmem_read_mapping_page(mapping, pos >> PAGE_SHIFT);

	return IS_ERR(page) ? ERR_CAST(page) : page_folio(page);
}

/* As mem_find(). To make a page that is there, but not good, would wait for its lock. */
static struct folio *mem_find_or_make(struct address_space *mapping, loff_t pos)
{
	struct folio *folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);

	if (IS_ERR(folio)) {
		folio = mem_make(mapping, pos);
		return IS_ERR(folio) ? NULL : folio;
	}
	if (mem_is_good(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/*
 * From a page of the page cache, as copy_page_to_iter() does it: that is no object of
 * whose bounds there is anything to check.
 */
static bool mem_copy_out(void __user *to, const void *from, size_t n)
{
	if (should_fail_usercopy() || !access_ok(to, n))
		return false;
	instrument_copy_to_user(to, from, n);
	return !raw_copy_to_user(to, from, n);
}

/* Under a page's lock, which the fault's handler might want: no page is brought in. */
static bool mem_copy_in(void *to, const void __user *from, size_t n)
{
	size_t left;

	if (should_fail_usercopy() || !access_ok(from, n))
		return false;
	instrument_copy_from_user_before(to, from, n);
	pagefault_disable();
	left = raw_copy_from_user(to, from, n);
	pagefault_enable();
	instrument_copy_from_user_after(to, from, n, left);
	return !left;
}

/**
 * ranchu_blk_mem_read() - read from an image in memory
 * @req: bytes are left to be read
 * @max: bytes
 *
 * Context: as ranchu_vhost_ops.kicked().
 * Return: bytes read; fewer where there is a hole, a page that was swapped out, or
 * memory of the guest's that is not there.
 */
size_t ranchu_blk_mem_read(struct blk_request *req, size_t max)
{
	struct address_space *mapping = blk_of_request(req)->image.file->f_mapping;
	struct mem_copy copy;
	struct folio *folio;
	size_t n;
	bool copied;

	copy_begin(&copy, req, max);
	if (copy.last > i_size_read(mapping->host))
		return 0;
	while (copy.pos < copy.last) {
		folio = mem_find(mapping, copy.pos);
		if (!folio)
			break;
		n = copy_next(&copy, folio);
		folio_mark_accessed(folio);
		copied = mem_copy_out(copy.iov->iov_base + copy.used,
				      folio_address(folio) + offset_in_folio(folio, copy.pos), n);
		folio_put(folio);
		if (!copied)
			break;
		copy_advance(&copy, n);
	}
	return copy.pos - req->pos - req->moved;
}

/* One page: it may have been truncated, or on its way to the swap, since it was found. */
static bool mem_write_page(struct mem_copy *copy, struct address_space *mapping,
			   struct folio *folio, size_t n)
{
	bool copied = false;

	if (!folio_trylock(folio))
		return false;
	if (folio->mapping == mapping && mem_is_good(folio) &&
	    copy->pos + (loff_t)n <= i_size_read(mapping->host)) {
		copied = mem_copy_in(folio_address(folio) + offset_in_folio(folio, copy->pos),
				     copy->iov->iov_base + copy->used, n);
		/* Part of it may have been copied. */
		flush_dcache_folio(folio);
		folio_mark_dirty(folio);
	}
	folio_unlock(folio);
	return copied;
}

static size_t mem_write_pages(struct blk_request *req, struct file *file, size_t max)
{
	struct address_space *mapping = file->f_mapping;
	struct mem_copy copy;
	struct folio *folio;
	size_t n;
	bool copied;

	copy_begin(&copy, req, max);
	while (copy.pos < copy.last) {
		folio = mem_find_or_make(mapping, copy.pos);
		if (!folio)
			break;
		n = copy_next(&copy, folio);
		folio_mark_accessed(folio);
		copied = mem_write_page(&copy, mapping, folio, n);
		folio_put(folio);
		if (!copied)
			break;
		copy_advance(&copy, n);
	}
	return copy.pos - req->pos - req->moved;
}

/* Whether write() would not be refused because of a seal. */
static bool mem_is_open(const struct blk_image *image)
{
	const struct shmem_inode_info *info = SHMEM_I(image->file->f_mapping->host);

	return image->map_writable &&
	       !(READ_ONCE(info->seals) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

/**
 * ranchu_blk_mem_writable() - tell whether an image's pages may be written
 * @image: in memory
 *
 * Return: false if write() would be refused (a seal), or has more to do than to
 * copy (a set-user-ID bit has to go).
 */
bool ranchu_blk_mem_writable(const struct blk_image *image)
{
	return mem_is_open(image) && IS_NOSEC(image->file->f_mapping->host);
}

/**
 * ranchu_blk_mem_write() - write to an image in memory
 * @req: bytes are left to be written
 * @max: bytes
 *
 * Context: as ranchu_vhost_ops.kicked(); ranchu_blk_mem_writable() said yes, or
 * ranchu_blk_mem_prepare() did.
 * Return: bytes written; fewer where the image ends, where somebody else has locked
 * a page, or memory is not there.
 */
size_t ranchu_blk_mem_write(struct blk_request *req, size_t max)
{
	struct file *file = blk_of_request(req)->image.file;
	struct super_block *sb = file_inode(file)->i_sb;
	size_t moved = 0;

	if (!sb_start_write_trylock(sb))
		return 0;
	if (!file_update_time(file))
		moved = mem_write_pages(req, file, max);
	sb_end_write(sb);
	return moved;
}

/* Asked for, not waited for: whoever holds it may do so for ever. */
static int mem_lock_inode(const struct blk_ring *ring, struct inode *inode)
{
	while (!inode_trylock(inode)) {
		if (ranchu_blk_must_end(ring))
			return -EINTR;
		if (READ_ONCE(ring->draining) && time_after(jiffies, READ_ONCE(ring->drain_by)))
			return -EBUSY;
		schedule_timeout_killable(MEM_LOCK_JIFFIES);
	}
	return 0;
}

/**
 * ranchu_blk_mem_prepare() - do what write() does before it copies
 * @req: a write, or one that zeroes
 *
 * A set-user-ID bit, or a capability, has to go before the contents change.
 *
 * Context: worker, without the ring's lock; the file system is not frozen.
 * Return:
 * * 0: the image may be written
 * * -EPERM: it is sealed
 * * -EINTR: see ranchu_blk_must_end()
 * * -EBUSY: the ring is being stopped, and somebody else holds the inode's lock
 * * what file_remove_privs() fails with
 */
int ranchu_blk_mem_prepare(struct blk_request *req)
{
	const struct blk_image *image = &blk_of_request(req)->image;
	struct inode *inode = file_inode(image->file);
	int err;

	if (!mem_is_open(image))
		return -EPERM;
	if (IS_NOSEC(inode))
		return 0;
	err = mem_lock_inode(blk_transfer_of(req)->ring, inode);
	if (err)
		return err;
	err = file_remove_privs(image->file);
	inode_unlock(inode);
	return err;
}

/**
 * ranchu_blk_mem_extend() - make an image in memory that has shrunk long enough
 * @req: a write, inside the disk
 *
 * Context: as ranchu_blk_mem_prepare(), which said yes.
 * Return: as ranchu_blk_mem_prepare(), or what inode_newsize_ok() fails with.
 */
int ranchu_blk_mem_extend(struct blk_request *req)
{
	struct inode *inode = file_inode(blk_of_request(req)->image.file);
	loff_t last = req->pos + req->len;
	int err;

	if (last <= i_size_read(inode))
		return 0;
	err = mem_lock_inode(blk_transfer_of(req)->ring, inode);
	if (err)
		return err;
	if (last > i_size_read(inode)) {
		err = READ_ONCE(SHMEM_I(inode)->seals) & F_SEAL_GROW ? -EPERM :
								      inode_newsize_ok(inode, last);
		if (!err)
			i_size_write(inode, last);
	}
	inode_unlock(inode);
	return err;
}

/* A page that is locked, and ready to be written to, or an error. */
static struct folio *mem_get_locked(struct address_space *mapping, loff_t pos)
{
	struct folio *folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
	int err;

	if (IS_ERR(folio))
		folio = mem_make(mapping, pos);
	if (IS_ERR(folio))
		return folio;
	err = folio_lock_killable(folio);
	if (err)
		goto put;
	/* It was allocated by fallocate(), and nobody has used it yet. */
	if (folio->mapping == mapping && !folio_test_uptodate(folio)) {
		folio_zero_range(folio, 0, folio_size(folio));
		flush_dcache_folio(folio);
		folio_mark_uptodate(folio);
	}
	if (folio->mapping == mapping && mem_is_good(folio))
		return folio;
	err = folio->mapping == mapping ? -EIO : -EAGAIN;
	folio_unlock(folio);
put:
	folio_put(folio);
	return ERR_PTR(err);
}

/* Inside one page; @from: NULL for zeroes. */
static int mem_fill(struct address_space *mapping, loff_t pos, const void *from, size_t n)
{
	struct folio *folio = mem_get_locked(mapping, pos);
	void *to;
	int err = 0;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	to = folio_address(folio) + offset_in_folio(folio, pos);
	if (pos + (loff_t)n > i_size_read(mapping->host)) {
		err = -EIO;
	} else {
		if (from)
			memcpy(to, from, n);
		else
			memset(to, 0, n);
		flush_dcache_folio(folio);
		folio_mark_dirty(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

/* Until the page stays the image's. */
static int mem_fill_page(struct blk_request *req, loff_t pos, const void *from, size_t n)
{
	struct file *file = blk_of_request(req)->image.file;
	int err;

	do {
		if (ranchu_blk_must_end(blk_transfer_of(req)->ring))
			return -EINTR;
		cond_resched();
		err = mem_fill(file->f_mapping, pos, from, n);
	} while (err == -EAGAIN);
	return err;
}

/**
 * ranchu_blk_mem_write_wait() - write part of a page to an image in memory
 * @req: bytes are left to be written
 *
 * The guest's memory is brought in before the image's page is locked. So each call
 * gets on, whatever becomes of that memory meanwhile.
 *
 * Context: worker, without the ring's lock; ranchu_blk_mem_prepare() said yes, and
 * the file system is not frozen.
 * Return: bytes written, or an error.
 */
ssize_t ranchu_blk_mem_write_wait(struct blk_request *req)
{
	struct mem_copy copy;
	size_t n;
	void *data;
	int err;

	copy_begin(&copy, req, PAGE_SIZE);
	n = min3(PAGE_SIZE - offset_in_page(copy.pos), (size_t)(copy.last - copy.pos),
		 copy.iov->iov_len - copy.used);
	data = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (copy_from_user(data, copy.iov->iov_base + copy.used, n))
		err = -EFAULT;
	else
		err = mem_fill_page(req, copy.pos, data, n);
	kfree(data);
	return err ? err : n;
}

/**
 * ranchu_blk_mem_punch() - make a hole in an image in memory
 * @image: in memory, and not another file system's
 * @pos: where
 * @len: bytes
 *
 * As fallocate() does it, but that waits for the inode's lock.
 *
 * Context: worker, without the ring's lock; the file system is not frozen.
 * Return: 0; -EBUSY: somebody else holds the inode's lock; or another error.
 */
int ranchu_blk_mem_punch(const struct blk_image *image, loff_t pos, loff_t len)
{
	struct inode *inode = file_inode(image->file);
	int err;

	if (!mem_is_open(image))
		return -EPERM;
	if (!inode_trylock(inode)) {
		/* Another ring's worker has it for a moment only. */
		schedule_timeout_killable(1);
		if (!inode_trylock(inode))
			return -EBUSY;
	}
	shmem_truncate_range(inode, pos, pos + len - 1);
	err = file_modified(image->file);
	inode_unlock(inode);
	return err;
}

/**
 * ranchu_blk_mem_zero() - zero part of an image in memory, without the inode's lock
 * @req: asks for it
 * @pos: where
 * @len: bytes
 *
 * Context: as ranchu_blk_mem_punch().
 * Return: 0; -EOPNOTSUPP: the ring is being stopped; or another error.
 */
int ranchu_blk_mem_zero(struct blk_request *req, loff_t pos, loff_t len)
{
	struct file *file = blk_of_request(req)->image.file;
	loff_t last = pos + len;
	size_t n;
	int err;

	err = ranchu_blk_mem_prepare(req);
	if (!err)
		err = file_update_time(file);
	for (; pos < last && !err; pos += n) {
		if (!ranchu_blk_goes_on(req))
			return -EOPNOTSUPP;
		n = min_t(loff_t, PAGE_SIZE - offset_in_page(pos), last - pos);
		/* A hole has no entry; what was swapped out has. */
		if (xa_load(&file->f_mapping->i_pages, pos >> PAGE_SHIFT))
			err = mem_fill_page(req, pos, NULL, n);
	}
	return err == -EBUSY ? -EOPNOTSUPP : err;
}
