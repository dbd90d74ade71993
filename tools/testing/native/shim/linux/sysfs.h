/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_SYSFS_H
#define SHIM_LINUX_SYSFS_H

#include <stdio.h>

#include "../kernel.h"

#define sysfs_emit(page, ...) sprintf(page, __VA_ARGS__)
#define sysfs_match_string(array, name) shim_match_string(array, ARRAY_SIZE(array), name)

static inline int shim_match_string(const char * const *array, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!strcmp(array[i], name))
			return i;
	}
	return -EINVAL;
}

#endif /* SHIM_LINUX_SYSFS_H */
