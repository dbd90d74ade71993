// SPDX-License-Identifier: GPL-2.0-only
/*
 * A few bytes of the owner's memory that are written from any context, because their
 * pages are kept: no fault, no owner's mm, nobody to wait for.
 *
 * What the owner maps in their place afterwards is other memory, which we do not
 * write. So an owner has to say when its memory changes, as for everything else that
 * is in the memory table.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/ranchu.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

/**
 * ranchu_pin_get() - keep the pages of a range of the owner's memory
 * @pin: zeroed, or put
 * @uaddr: where the range begins
 * @len: bytes, at least one; as many are kept as lie in RANCHU_PIN_PAGES pages
 *
 * Context: the owner's process; may sleep, as long as the memory takes to answer.
 * Return: 0, and @pin->len is set; or
 * * -EFAULT: it is not all there, cannot be written, or is of a kind that cannot be
 *   kept for long (a shared mapping of a file on a disk)
 * * -EINTR: the caller was killed meanwhile
 */
int ranchu_pin_get(struct ranchu_pin *pin, const void __user *uaddr, size_t len)
{
	unsigned int offset = offset_in_page(uaddr);
	unsigned int bytes = min_t(size_t, len, RANCHU_PIN_PAGES * PAGE_SIZE - offset);
	int pages = DIV_ROUND_UP(offset + bytes, PAGE_SIZE);
	int n;

	n = pin_user_pages_fast((unsigned long)uaddr - offset, pages,
				FOLL_WRITE | FOLL_LONGTERM, pin->pages);
	if (n != pages) {
		if (n > 0)
			unpin_user_pages(pin->pages, n);
		return fatal_signal_pending(current) ? -EINTR : -EFAULT;
	}
	pin->offset = offset;
	pin->len = bytes;
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_pin_get);

/**
 * ranchu_pin_put() - keep the pages no longer
 * @pin: got, put, or zeroed
 *
 * Context: any process; may sleep. Nobody uses @pin.
 */
void ranchu_pin_put(struct ranchu_pin *pin)
{
	if (pin->len)
		unpin_user_pages_dirty_lock(pin->pages,
					    DIV_ROUND_UP(pin->offset + pin->len, PAGE_SIZE), true);
	pin->len = 0;
}
EXPORT_SYMBOL_GPL(ranchu_pin_put);

/* As much of a copy as lies in one page. Returns how much that is. */
static size_t pin_piece(const struct ranchu_pin *pin, size_t at, size_t len,
			struct page **page, unsigned int *offset)
{
	at += pin->offset;
	*page = pin->pages[at / PAGE_SIZE];
	*offset = at % PAGE_SIZE;
	return min_t(size_t, len, PAGE_SIZE - *offset);
}

/**
 * ranchu_pin_write() - write to kept memory
 * @pin: got
 * @at: offset in it
 * @src: what to write
 * @len: how much; @at + @len is at most @pin->len
 *
 * Context: any.
 */
void ranchu_pin_write(const struct ranchu_pin *pin, size_t at, const void *src, size_t len)
{
	while (len) {
		struct page *page;
		unsigned int offset;
		size_t n = pin_piece(pin, at, len, &page, &offset);

		memcpy_to_page(page, offset, src, n);
		at += n;
		src += n;
		len -= n;
	}
}
EXPORT_SYMBOL_GPL(ranchu_pin_write);

/**
 * ranchu_pin_read() - read kept memory, which others may write meanwhile
 * @pin: got
 * @at: offset in it
 * @dst: where to
 * @len: how much; @at + @len is at most @pin->len
 *
 * Context: any.
 */
void ranchu_pin_read(const struct ranchu_pin *pin, size_t at, void *dst, size_t len)
{
	while (len) {
		struct page *page;
		unsigned int offset;
		size_t n = pin_piece(pin, at, len, &page, &offset);

		memcpy_from_page(dst, page, offset, n);
		at += n;
		dst += n;
		len -= n;
	}
}
EXPORT_SYMBOL_GPL(ranchu_pin_read);

/**
 * ranchu_pin_put32() - write a number that others read at any time
 * @pin: got
 * @at: offset in it; the number is aligned to its size
 * @value: the number
 *
 * Context: any.
 */
void ranchu_pin_put32(const struct ranchu_pin *pin, size_t at, u32 value)
{
	struct page *page;
	unsigned int offset;
	void *kaddr;

	pin_piece(pin, at, sizeof(value), &page, &offset);
	kaddr = kmap_local_page(page);
	WRITE_ONCE(*(__le32 *)(kaddr + offset), cpu_to_le32(value));
	kunmap_local(kaddr);
}
EXPORT_SYMBOL_GPL(ranchu_pin_put32);
