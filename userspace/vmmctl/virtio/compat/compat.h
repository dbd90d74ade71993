/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of the kernel's interface that the virtqueue engine (drivers/virt/ranchu) and a disk's
 * request parser use, for vmmctl. There are several threads, guest RAM is mapped, and a guest may
 * be hostile: so locks are real, and a warning writes a message and breaks one device; nothing
 * aborts.
 *
 * linux/ and asm/ beside this file have headers with the names that those sources include; all
 * include this file. Tests of the same sources have their own headers
 * (tools/testing/native/shim), which abort at a warning.
 */
#ifndef VIRTIO_COMPAT_H
#define VIRTIO_COMPAT_H

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <asm/types.h>

/* ---- the compiler ---- */

#define __user
#define __force
#define __bitwise
#define __rcu
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((__noinline__))
#define fallthrough __attribute__((fallthrough))
#define EXPORT_SYMBOL_GPL(...) _Static_assert(1, "")
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, val) __atomic_store_n(&(x), (val), __ATOMIC_RELAXED)

/* ---- integers ---- */

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;

#define U16_MAX UINT16_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX
#define SZ_16M 0x01000000
#define SZ_1G 0x40000000
#define SECTOR_SIZE 512
#define BITS_PER_BYTE 8
#define BITS_PER_LONG (8 * sizeof(long))

#define le16_to_cpu(x) le16toh(x)
#define cpu_to_le16(x) htole16(x)
#define le32_to_cpu(x) le32toh(x)
#define cpu_to_le32(x) htole32(x)
#define le64_to_cpu(x) le64toh(x)
#define cpu_to_le64(x) htole64(x)

#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define IS_ALIGNED(x, a) (!((x) & ((__typeof__(x))(a) - 1)))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min(a, b) ({				\
	__auto_type min_a_ = (a);		\
	__auto_type min_b_ = (b);		\
						\
	min_a_ < min_b_ ? min_a_ : min_b_; })
#define max(a, b) ({				\
	__auto_type max_a_ = (a);		\
	__auto_type max_b_ = (b);		\
						\
	max_a_ > max_b_ ? max_a_ : max_b_; })
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

/* ---- warnings about bugs of vmmctl, each reported once; ring.c handles them ---- */

void vmm_compat_warn(bool *told, const char *condition, const char *file, int line);
bool vmm_compat_warned(void);

#define WARN_ON_ONCE(condition) ({				\
	static bool told_;					\
	bool warn_ = (condition);				\
								\
	if (unlikely(warn_))					\
		vmm_compat_warn(&told_, #condition, __FILE__, __LINE__); \
	warn_; })

/* ---- containers ---- */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define struct_size(p, array, n) (offsetof(__typeof__(*(p)), array) + (n) * sizeof(*((p)->array)))

struct list_head {
	struct list_head *next, *prev;
};

struct delayed_work {
	int unused;
};

/* The kernel's sort() has a parameter for a swap function, which all callers leave NULL. */
static inline void sort(void *base, size_t n, size_t size, int (*cmp)(const void *a, const void *b),
			void *swap)
{
	(void)swap;
	qsort(base, n, size, cmp);
}

/* ---- memory ---- */

#define GFP_KERNEL 0
#define GFP_KERNEL_ACCOUNT 0
#define kzalloc(size, gfp) calloc(1, size)
#define kvzalloc(size, gfp) calloc(1, size)
#define kcalloc(n, size, gfp) calloc(n, size)
#define kfree(ptr) free((void *)(ptr))
#define kvfree(ptr) free((void *)(ptr))
#define ERR_PTR(err) ((void *)(intptr_t)(err))
#define PTR_ERR(ptr) ((long)(intptr_t)(ptr))
#define IS_ERR(ptr) ((uintptr_t)(ptr) >= (uintptr_t)-4095)
#define ERR_CAST(ptr) ((void *)(ptr))

/* ---- locks ---- */

struct mutex {
	pthread_mutex_t lock;
};

static inline void mutex_init(struct mutex *mutex)
{
	pthread_mutex_init(&mutex->lock, NULL);
}

static inline void mutex_lock(struct mutex *mutex)
{
	pthread_mutex_lock(&mutex->lock);
}

static inline void mutex_unlock(struct mutex *mutex)
{
	pthread_mutex_unlock(&mutex->lock);
}

#define lockdep_is_held(mutex) ((void)(mutex), true)
#define lockdep_assert_held(mutex) ((void)(mutex))

/* A member of structures that are not used here. */
typedef struct {
	int unused;
} spinlock_t;

/* Readers do not wait for one another; synchronize_srcu() waits for all readers. */
struct srcu_struct {
	pthread_rwlock_t lock;
};

static inline int init_srcu_struct(struct srcu_struct *srcu)
{
	return -pthread_rwlock_init(&srcu->lock, NULL);
}

static inline void synchronize_srcu(struct srcu_struct *srcu)
{
	pthread_rwlock_wrlock(&srcu->lock);
	pthread_rwlock_unlock(&srcu->lock);
}

static inline void cleanup_srcu_struct(struct srcu_struct *srcu)
{
	pthread_rwlock_destroy(&srcu->lock);
}

static inline int srcu_read_lock(struct srcu_struct *srcu)
{
	pthread_rwlock_rdlock(&srcu->lock);
	return 0;
}

static inline void srcu_read_unlock(struct srcu_struct *srcu, int idx)
{
	(void)idx;
	pthread_rwlock_unlock(&srcu->lock);
}

#define srcu_dereference(ptr, srcu) ((void)(srcu), __atomic_load_n(&(ptr), __ATOMIC_ACQUIRE))
#define rcu_access_pointer(ptr) __atomic_load_n(&(ptr), __ATOMIC_RELAXED)
#define RCU_INIT_POINTER(ptr, val) __atomic_store_n(&(ptr), val, __ATOMIC_RELEASE)
#define rcu_replace_pointer(ptr, val, held) \
	((void)(held), __atomic_exchange_n(&(ptr), val, __ATOMIC_ACQ_REL))

/* ---- order of accesses ---- */

#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, val) __atomic_store_n(p, val, __ATOMIC_RELEASE)

/* ---- user memory: guest RAM, which is mapped here and cannot be taken away ---- */

#define u64_to_user_ptr(val) ((void *)(uintptr_t)(val))
#define access_ok(uaddr, len) ((void)(uaddr), (void)(len), true)

/* One access for an aligned address, because the guest may access it concurrently. */
#define get_user(val, uptr) ({							\
	const __typeof__(*(uptr)) *from_ = (uptr);				\
	__typeof__(val) got_ = 0;						\
										\
	if (IS_ALIGNED((uintptr_t)from_, sizeof(*from_)))			\
		got_ = *(const volatile __typeof__(*(uptr)) *)from_;		\
	else									\
		memcpy(&got_, from_, sizeof(*from_));				\
	(val) = got_;								\
	0; })
#define put_user(val, uptr) ({							\
	__typeof__(*(uptr)) *to_ = (uptr);					\
	__typeof__(*(uptr)) put_ = (val);					\
										\
	if (IS_ALIGNED((uintptr_t)to_, sizeof(put_)))				\
		*(volatile __typeof__(*(uptr)) *)to_ = put_;			\
	else									\
		memcpy(to_, &put_, sizeof(put_));				\
	0; })
#define can_do_masked_user_access() false
#define masked_user_access_begin(uaddr) (uaddr)
#define user_read_access_begin(uaddr, len) access_ok(uaddr, len)
#define user_read_access_end() ((void)0)
#define unsafe_get_user(val, uptr, label) do {	\
	if (get_user(val, uptr))		\
		goto label;			\
} while (0)

static inline size_t copy_from_user(void *dst, const void *uaddr, size_t len)
{
	memcpy(dst, uaddr, len);
	return 0;
}

static inline size_t copy_to_user(void *uaddr, const void *src, size_t len)
{
	memcpy(uaddr, src, len);
	return 0;
}

#define __copy_to_user(uaddr, src, len) copy_to_user(uaddr, src, len)

static inline void *memdup_array_user(const void *uaddr, size_t n, size_t size)
{
	void *copy = calloc(n ? n : 1, size);

	if (!copy)
		return ERR_PTR(-ENOMEM);
	memcpy(copy, uaddr, n * size);
	return copy;
}

/* ---- pages, for a log of writes, which vmmctl does not offer ---- */

#define PAGE_SIZE 4096UL
#define offset_in_page(addr) ((unsigned long)(addr) & (PAGE_SIZE - 1))
#define FOLL_WRITE 1

struct page {
	unsigned char bytes[PAGE_SIZE];
};

static inline int pin_user_pages_fast(unsigned long uaddr, int n, int flags, struct page **page)
{
	(void)flags;
	*page = (struct page *)(uaddr & ~(PAGE_SIZE - 1));
	return n;
}

#define kmap_local_page(page) ((void *)(page))
#define kunmap_local(base) ((void)(base))
#define unpin_user_pages_dirty_lock(pages, n, dirty) ((void)(pages))

/* Threads need no calls to reschedule, and end with the process. */
#define cond_resched() ((void)0)
#define fatal_signal_pending(task) false

static inline void set_bit(long nr, void *base)
{
	__atomic_fetch_or((unsigned char *)base + nr / 8, 1 << nr % 8, __ATOMIC_SEQ_CST);
}

/* ---- iterators over user memory ---- */

#define ITER_SOURCE 1
#define ITER_DEST 0

struct iov_iter {
	const struct iovec *iov;
	size_t offset;
	size_t count;
};

static inline void iov_iter_init(struct iov_iter *iter, unsigned int direction,
				 const struct iovec *iov, unsigned long n, size_t count)
{
	(void)direction;
	(void)n;
	*iter = (struct iov_iter){ .iov = iov, .count = count };
}

static inline size_t iov_iter_count(const struct iov_iter *iter)
{
	return iter->count;
}

static inline void iov_iter_truncate(struct iov_iter *iter, size_t count)
{
	if (count < iter->count)
		iter->count = count;
}

size_t vmm_compat_iter(void *mem, size_t len, struct iov_iter *iter, bool to);

static inline void iov_iter_advance(struct iov_iter *iter, size_t len)
{
	vmm_compat_iter(NULL, len, iter, false);
}

static inline bool copy_from_iter_full(void *mem, size_t len, struct iov_iter *iter)
{
	return len <= iter->count && vmm_compat_iter(mem, len, iter, false) == len;
}

static inline size_t copy_to_iter(const void *mem, size_t len, struct iov_iter *iter)
{
	return vmm_compat_iter((void *)mem, len, iter, true);
}

#endif /* VIRTIO_COMPAT_H */
