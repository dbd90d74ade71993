/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_ATOMIC_H
#define SHIM_LINUX_ATOMIC_H

#include "../kernel.h"

/* One thread: no more than a number. */
struct shim_atomic64 {
	s64 counter;
};

struct shim_atomic {
	int counter;
};

#define atomic64_t struct shim_atomic64
#define atomic_t struct shim_atomic

#define atomic_inc(v) ((void)(v)->counter++)
#define atomic_read(v) ((v)->counter)

#define xchg(where, value) ({			\
	__typeof__(*(where)) was_ = *(where);	\
						\
	*(where) = (value);			\
	was_;					\
})

#define atomic64_inc(v) ((v)->counter++)
#define atomic64_read(v) ((v)->counter)

#endif /* SHIM_LINUX_ATOMIC_H */
