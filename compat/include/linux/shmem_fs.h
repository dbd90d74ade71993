/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_SHMEM_FS_H
#define _RANCHU_COMPAT_LINUX_SHMEM_FS_H

#include_next <linux/shmem_fs.h>

/*
 * Before 6.11 nothing pinned pages of a memfd that are mapped nowhere. A reference
 * keeps a page where it is as well, but it is not moved first, to where pages that
 * cannot be moved belong: memory that is to be unplugged has to wait for it.
 */
#ifdef RANCHU_LACKS_MEMFD_PIN_FOLIOS
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

/* Of a memfd of ordinary pages, and of one page only: what ranchu asks for. */
static inline long memfd_pin_folios(struct file *memfd, loff_t start, loff_t last,
				    struct folio **folios, unsigned int max_folios,
				    pgoff_t *offset)
{
	struct page *page = shmem_read_mapping_page(memfd->f_mapping, start >> PAGE_SHIFT);

	if (WARN_ON_ONCE(!max_folios || last >> PAGE_SHIFT != start >> PAGE_SHIFT))
		return -EINVAL;
	if (IS_ERR(page))
		return PTR_ERR(page);
	folios[0] = page_folio(page);
	*offset = (pgoff_t)folio_page_idx(folios[0], page) << PAGE_SHIFT;
	return 1;
}

static inline void unpin_folio(struct folio *folio)
{
	folio_put(folio);
}
#endif

#endif /* _RANCHU_COMPAT_LINUX_SHMEM_FS_H */
