/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory for vringh in the benchmark, instead of the kernel's userspace
 * shim's, which copies byte by byte: the same plain loads, stores and copies
 * that our engine gets.
 */
#ifndef BENCH_UACCESS_H
#define BENCH_UACCESS_H

#include <string.h>

#define get_user(val, uptr) ({						\
	const volatile __typeof__(*(uptr)) *uptr_ = (uptr);		\
									\
	(val) = *uptr_;							\
	0; })
#define put_user(val, uptr) ({						\
	volatile __typeof__(*(uptr)) *uptr_ = (uptr);			\
									\
	*uptr_ = (val);							\
	0; })
#define copy_from_user(dst, uaddr, len) \
	(memcpy(dst, (const void *)(uaddr), len), 0)
#define copy_to_user(uaddr, src, len) \
	(memcpy((void *)(uaddr), src, len), 0)

#endif /* BENCH_UACCESS_H */
