/* SPDX-License-Identifier: GPL-2.0-only */
/* Pinned pages: user memory is the program's own, so they are just there. */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include "uaccess.h"

#define PAGE_SIZE 4096UL
#define offset_in_page(addr) ((unsigned long)(addr) & (PAGE_SIZE - 1))
#define FOLL_WRITE 1

struct page {
	unsigned char bytes[PAGE_SIZE];
};

static inline int pin_user_pages_fast(unsigned long uaddr, int n, int flags,
				      struct page **page)
{
	*page = (struct page *)(uaddr & ~(PAGE_SIZE - 1));
	return access_ok((void *)uaddr, 1) ? n : -EFAULT;
}

#define kmap_local_page(page) ((void *)(page))
#define kunmap_local(base) ((void)(base))
#define unpin_user_pages_dirty_lock(pages, n, dirty) ((void)(pages))

static inline void set_bit(long nr, volatile void *base)
{
	volatile unsigned char *byte = (volatile unsigned char *)base + nr / 8;

	__atomic_fetch_or(byte, 1 << nr % 8, __ATOMIC_SEQ_CST);
}

#endif /* SHIM_LINUX_MM_H */
