/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the kernel that the pure logic uses, for userspace. Every header
 * that it includes is a one-line file here which leads to this one.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <asm/types.h>

#define __user
#define __force
#define __bitwise
#define __rcu
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define __read_mostly
#define noinline __attribute__((__noinline__))
#define fallthrough __attribute__((fallthrough))
/* A declaration, because it is used outside of functions. */
#define EXPORT_SYMBOL_GPL(...) _Static_assert(1, "")

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val) ((void)(*(volatile __typeof__(x) *)&(x) = (val)))

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef unsigned int gfp_t;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;

#define U16_MAX UINT16_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX
#define NSEC_PER_SEC 1000000000L

#define le16_to_cpu(x) le16toh(x)
#define cpu_to_le16(x) htole16(x)
#define le32_to_cpu(x) le32toh(x)
#define cpu_to_le32(x) htole32(x)
#define le64_to_cpu(x) le64toh(x)
#define cpu_to_le64(x) htole64(x)

#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define BITS_PER_BYTE 8
#define BITS_PER_LONG (8 * sizeof(long))
#define IS_ALIGNED(x, a) (!((x) & ((__typeof__(x))(a) - 1)))
#define struct_size(p, array, n) (offsetof(__typeof__(*(p)), array) + \
	(n) * sizeof(*((p)->array)))

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

/* A bug in our code: the test is aborted. */
#define WARN_ON_ONCE(condition) ({		\
	bool warn_ = (condition);		\
						\
	if (warn_)				\
		abort();			\
	warn_; })

#define static_assert(condition) _Static_assert(condition, #condition)
#define __same_type(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min(a, b) ({				\
	__auto_type a_ = (a);			\
	__auto_type b_ = (b);			\
						\
	a_ < b_ ? a_ : b_; })

#define max(a, b) ({				\
	__auto_type a_ = (a);			\
	__auto_type b_ = (b);			\
						\
	a_ > b_ ? a_ : b_; })

#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
#define DIV64_U64_ROUND_UP(n, d) ({		\
	u64 d_ = (d);				\
						\
	((n) + d_ - 1) / d_; })

/* The kernel's sort() takes a swap function; all callers leave it to sort(). */
static inline void sort(void *base, size_t n, size_t size,
			int (*cmp)(const void *a, const void *b), void *swap)
{
	(void)swap;
	qsort(base, n, size, cmp);
}

/* A doubly linked ring with a head that is no element. */
struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
	item->next = head;
	item->prev = head->prev;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_del_init(struct list_head *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	INIT_LIST_HEAD(item);
}

#define list_first_entry_or_null(head, type, member)			\
	(list_empty(head) ? NULL : container_of((head)->next, type, member))
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_for_each_entry_safe(pos, n, head, member)				\
	for (pos = list_entry((head)->next, __typeof__(*pos), member),		\
	     n = list_entry(pos->member.next, __typeof__(*pos), member);	\
	     &pos->member != (head);						\
	     pos = n, n = list_entry(n->member.next, __typeof__(*n), member))

#endif /* SHIM_KERNEL_H */
