// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image in memory (a file on tmpfs), read and written as if it were mapped: the
 * data is copied from and to the file's pages. The file system's own write would
 * wait for the inode's lock, which any other writer of the file can hold for as
 * long as it likes.
 *
 * What these functions do not move is the file system's to move.
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/fcntl.h>
#include <linux/instrumented.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include "ranchu_blk.h"

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
static size_t copy_next(struct mem_copy *copy, const struct folio *folio)
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

static bool mem_is_good(const struct folio *folio)
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

/* The same; what is not there becomes there, as when a mapping is touched. */
static struct folio *mem_find_or_make(struct address_space *mapping, loff_t pos)
{
	struct folio *folio = mem_find(mapping, pos);
	struct page *page;

	if (folio)
		return folio;
	page = shmem_read_mapping_page(mapping, pos >> PAGE_SHIFT);
	return IS_ERR(page) ? NULL : page_folio(page);
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

/**
 * ranchu_blk_mem_writable() - tell whether an image's pages may be written
 * @image: in memory
 *
 * Return: false if write() would be refused (a seal), or has more to do than to
 * copy (a set-user-ID bit has to go).
 */
bool ranchu_blk_mem_writable(const struct blk_image *image)
{
	struct inode *inode = image->file->f_mapping->host;

	return image->map_writable && IS_NOSEC(inode) &&
	       !(READ_ONCE(SHMEM_I(inode)->seals) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

/**
 * ranchu_blk_mem_write() - write to an image in memory
 * @req: bytes are left to be written
 * @max: bytes
 *
 * Context: as ranchu_vhost_ops.kicked(); ranchu_blk_mem_writable() said yes.
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
