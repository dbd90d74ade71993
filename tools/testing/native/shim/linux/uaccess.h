/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory for the userspace build: the program's own. By default accesses
 * are plain loads and stores, for benchmarks. With SHIM_UACCESS_HOOKS the
 * program that is built supplies the functions below, and so decides what can
 * be accessed and sees each access and barrier.
 */
#ifndef SHIM_LINUX_UACCESS_H
#define SHIM_LINUX_UACCESS_H

#include "../kernel.h"
#include "slab.h"

#define u64_to_user_ptr(val) ((void __user *)(uintptr_t)(val))

#ifdef SHIM_UACCESS_HOOKS

/* Whether access_ok() holds. */
bool shim_access_ok(const void *uaddr, size_t len);
/* One access of @len bytes (a power of two up to 8); false is a fault. */
bool shim_load(void *val, const void *uaddr, size_t len);
bool shim_store(void *uaddr, const void *val, size_t len);
/* Many bytes, in any order; false is a fault. */
bool shim_load_bytes(void *dst, const void *uaddr, size_t len);
bool shim_store_bytes(void *uaddr, const void *src, size_t len);

enum shim_barrier {
	SHIM_MB,
	SHIM_RMB,
	SHIM_WMB,
};

void shim_barrier(enum shim_barrier kind);

#define access_ok(uaddr, len) shim_access_ok(uaddr, len)
#define smp_mb() shim_barrier(SHIM_MB)
#define smp_rmb() shim_barrier(SHIM_RMB)
#define smp_wmb() shim_barrier(SHIM_WMB)

#else

static inline bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	memcpy(dst, uaddr, len);
	return true;
}

static inline bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	memcpy(uaddr, src, len);
	return true;
}

#define shim_load(val, uaddr, len) \
	(*(val) = *(const volatile __typeof__(*(val)) *)(uaddr), true)
#define shim_store(uaddr, val, len) \
	(*(volatile __typeof__(*(uaddr)) *)(uaddr) = *(val), true)

#define access_ok(uaddr, len) ((void)(uaddr), (void)(len), true)
#define smp_mb() __sync_synchronize()
#ifdef __x86_64__
#define smp_rmb() __asm__ volatile("" ::: "memory")
#define smp_wmb() __asm__ volatile("" ::: "memory")
#else
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

#endif /* SHIM_UACCESS_HOOKS */

#define get_user(val, uptr) ({						\
	__typeof__(val) got_ = 0;					\
	bool ok_ = shim_load(&got_, uptr, sizeof(got_));		\
									\
	(val) = got_;							\
	ok_ ? 0 : -EFAULT; })

#define put_user(val, uptr) ({						\
	__typeof__(*(uptr)) put_ = (val);				\
									\
	shim_store(uptr, &put_, sizeof(put_)) ? 0 : -EFAULT; })

#define can_do_masked_user_access() false
#define masked_user_access_begin(uaddr) (uaddr)
#define user_read_access_begin(uaddr, len) access_ok(uaddr, len)
#define user_read_access_end() ((void)0)
#define unsafe_get_user(val, uptr, label) do {				\
	if (get_user(val, uptr))					\
		goto label;						\
} while (0)

#define copy_from_user(dst, uaddr, len) \
	(shim_load_bytes(dst, uaddr, len) ? 0 : (len))
#define copy_to_user(uaddr, src, len) \
	(shim_store_bytes(uaddr, src, len) ? 0 : (len))
/* Where access_ok() was asked before. */
#define __copy_to_user(uaddr, src, len) copy_to_user(uaddr, src, len)

static inline void *memdup_array_user(const void __user *uaddr, size_t n, size_t size)
{
	void *copy = malloc(n * size + 1);

	if (copy_from_user(copy, uaddr, n * size)) {
		free(copy);
		return ERR_PTR(-EFAULT);
	}
	return copy;
}

#endif /* SHIM_LINUX_UACCESS_H */
