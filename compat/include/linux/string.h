/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_STRING_H
#define _RANCHU_COMPAT_LINUX_STRING_H

#include_next <linux/string.h>

/* Before 6.9 the size of the destination was always given. */
#ifdef RANCHU_LACKS_STRSCPY_TO_ARRAY
#define ranchu_strscpy_2(to, from) ranchu_strscpy_3(to, from, sizeof(to))
static __always_inline ssize_t ranchu_strscpy_3(char *to, const char *from, size_t size)
{
	return strscpy(to, from, size);
}

#undef strscpy
#define strscpy(to, ...) \
	CONCATENATE(ranchu_strscpy_, COUNT_ARGS(to, __VA_ARGS__))(to, __VA_ARGS__)
#endif

#endif /* _RANCHU_COMPAT_LINUX_STRING_H */
