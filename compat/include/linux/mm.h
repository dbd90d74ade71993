/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_MM_H
#define _RANCHU_COMPAT_LINUX_MM_H

#include_next <linux/mm.h>

/* Before 6.3 the flags of a mapping were a field like any other. */
#ifdef RANCHU_LACKS_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#endif /* _RANCHU_COMPAT_LINUX_MM_H */
