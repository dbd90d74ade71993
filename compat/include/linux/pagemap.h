/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_PAGEMAP_H
#define _RANCHU_COMPAT_LINUX_PAGEMAP_H

#include_next <linux/pagemap.h>

/*
 * Before 6.4 a page that is not in memory was NULL, not an error. The type that tells
 * old kernels from new ones came with 6.6; what is an error stays one.
 */
#ifdef RANCHU_LACKS_FGF_T
static inline struct folio *ranchu_filemap_get_folio(struct address_space *mapping,
						     pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	return folio ? folio : ERR_PTR(-ENOENT);
}

#define filemap_get_folio ranchu_filemap_get_folio
#endif

#endif /* _RANCHU_COMPAT_LINUX_PAGEMAP_H */
