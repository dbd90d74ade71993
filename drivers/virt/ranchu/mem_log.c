// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages, with which a VMM migrates a guest: a bitmap in the
 * owner's memory, one bit for each VHOST_PAGE_SIZE of guest address space.
 * Source: linux/vhost.h (VHOST_SET_LOG_BASE), linux/vhost_types.h
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/vhost_types.h>

#include "mem_table.h"

/* So many bits of the bitmap are in one page of it. */
#define LOG_PAGE_BITS (PAGE_SIZE * BITS_PER_BYTE)

/*
 * The VMM fetches and clears words of the bitmap while we set bits, so each word is
 * changed by one atomic operation. On the page itself: @first and @n are inside it.
 */
static void log_set_bits(unsigned long *base, unsigned int first, unsigned int n)
{
	unsigned int end = first + n;

	for (; first < end && first % BITS_PER_LONG; first++)
		set_bit(first, base);
	for (; end - first >= BITS_PER_LONG; first += BITS_PER_LONG)
		WRITE_ONCE(base[first / BITS_PER_LONG], ~0UL);
	for (; first < end; first++)
		set_bit(first, base);
}

/* Sets bits from @first on, at most @n and only in one page. Returns how many. */
static int log_set_in_page(u8 __user *log, u64 first, u64 n)
{
	unsigned long uaddr = (unsigned long)log + first / BITS_PER_BYTE;
	unsigned int bit = offset_in_page(uaddr) * BITS_PER_BYTE + first % BITS_PER_BYTE;
	struct page *page;
	void *base;

	n = min_t(u64, n, LOG_PAGE_BITS - bit);
	if (pin_user_pages_fast(uaddr, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	base = kmap_local_page(page);
	log_set_bits(base, bit, n);
	kunmap_local(base);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return n;
}

/**
 * ranchu_mem_log() - log that guest memory was written
 * @log: the bitmap
 * @gpa: guest physical address of the first byte
 * @len: bytes; any number
 *
 * Context: vCPU or worker; may sleep. After the write, which is ordered before.
 * Return:
 * * 0: done
 * * -EFAULT: the bitmap cannot be written
 * * -EINTR: the owner is being killed
 */
int ranchu_mem_log(u8 __user *log, u64 gpa, u64 len)
{
	u64 page = gpa / VHOST_PAGE_SIZE;
	u64 last = (gpa + len - 1) / VHOST_PAGE_SIZE;
	int n;

	if (!len)
		return 0;
	/* A range that wraps is none. */
	for (; page <= last; page += n) {
		n = log_set_in_page(log, page, last - page + 1);
		if (n < 0)
			return n;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * ranchu_mem_log_user() - log that guest memory was written
 * @mem: the memory
 * @log: the bitmap
 * @uaddr: where it was written
 * @len: bytes
 *
 * Every guest address that leads there is logged. None is no error: the guest
 * may have lost that memory meanwhile.
 *
 * Context: inside ranchu_mem_enter(); may sleep. After the write, which is
 * ordered before.
 * Return: as ranchu_mem_log().
 */
int ranchu_mem_log_user(struct ranchu_mem *mem, u8 __user *log,
			const void __user *uaddr, u64 len)
{
	const struct ranchu_mem_table *table =
		srcu_dereference(mem->table, &mem->srcu);
	unsigned int i;
	int err;

	for (i = 0; table && i < table->n; i++) {
		u64 gpa, part;

		part = ranchu_mem_region_overlap(&table->regions[i],
						 (uintptr_t)uaddr, len, &gpa);
		err = ranchu_mem_log(log, gpa, part);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ranchu_mem_log_size() - say how large the bitmap must be
 * @mem: the memory
 *
 * Context: inside ranchu_mem_enter().
 * Return: bytes, for all of guest memory; 0 if there is none.
 */
u64 ranchu_mem_log_size(struct ranchu_mem *mem)
{
	const struct ranchu_mem_table *table =
		srcu_dereference(mem->table, &mem->srcu);

	if (!table || !table->n)
		return 0;
	return table->regions[table->n - 1].last / VHOST_PAGE_SIZE / BITS_PER_BYTE + 1;
}
