/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * This process's resource limits: how many files it may have, how large one may be, how
 * much memory it may lock.
 */
#ifndef MACHINE_LIMITS_H
#define MACHINE_LIMITS_H

#include "types.h"

void vmm_limits_raise(void);
bool vmm_limits_lock(u64 bytes, u64 *limit);
bool vmm_limits_file(u64 bytes, u64 *limit);
bool vmm_limits_files(u64 count, u64 *limit);

#endif /* MACHINE_LIMITS_H */
