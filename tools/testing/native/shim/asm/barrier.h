/* SPDX-License-Identifier: GPL-2.0-only */
/* smp_mb() and the others are in uaccess.h, so that a program can replace them. */
#ifndef SHIM_ASM_BARRIER_H
#define SHIM_ASM_BARRIER_H

#include "../linux/uaccess.h"

#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, val) __atomic_store_n(p, val, __ATOMIC_RELEASE)

#endif /* SHIM_ASM_BARRIER_H */
