/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the vsock relay needs of the kernel, for one thread: lists, locks, timers
 * and wait queues that do no more than keep track, and iterators over memory.
 * Sockets, timers that run out, and user memory are the program's that is built.
 */
#ifndef SHIM_SOCK_H
#define SHIM_SOCK_H

#include <sys/socket.h>

#include "kernel.h"
#include "linux/atomic.h"
#include "linux/mutex.h"
#include "linux/slab.h"
#include "linux/uio.h"

#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

/* ---- lists ---- */

#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_empty_careful(head) list_empty(head)

static inline void list_del(struct list_head *item)
{
	list_del_init(item);
}

static inline void list_add(struct list_head *item, struct list_head *head)
{
	list_add_tail(item, head->next);
}

static inline void list_move_tail(struct list_head *item, struct list_head *head)
{
	list_del_init(item);
	list_add_tail(item, head);
}

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define INIT_HLIST_HEAD(head) ((head)->first = NULL)

static inline void hlist_add_head(struct hlist_node *item, struct hlist_head *head)
{
	item->next = head->first;
	item->pprev = &head->first;
	if (head->first)
		head->first->pprev = &item->next;
	head->first = item;
}

static inline void hash_del(struct hlist_node *item)
{
	if (!item->pprev)
		return;
	*item->pprev = item->next;
	if (item->next)
		item->next->pprev = item->pprev;
	item->next = NULL;
	item->pprev = NULL;
}

#define hlist_entry_safe(ptr, type, member) ({		\
	struct hlist_node *at_ = (ptr);			\
							\
	at_ ? container_of(at_, type, member) : NULL; })
#define hlist_for_each_entry(pos, head, member)					\
	for (pos = hlist_entry_safe((head)->first, __typeof__(*pos), member);	\
	     pos;								\
	     pos = hlist_entry_safe(pos->member.next, __typeof__(*pos), member))
#define hlist_for_each_entry_safe(pos, n, head, member)				\
	for (pos = hlist_entry_safe((head)->first, __typeof__(*pos), member);	\
	     (pos) && (n = (pos)->member.next, 1);					\
	     pos = hlist_entry_safe(n, __typeof__(*pos), member))

#define DECLARE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]
#define HASH_SIZE(table) ARRAY_SIZE(table)
#define hash_init(table) memset(table, 0, sizeof(table))
#define hash_add(table, node, key) \
	hlist_add_head(node, &(table)[(key) % ARRAY_SIZE(table)])
#define hash_for_each_possible(table, pos, member, key) \
	hlist_for_each_entry(pos, &(table)[(key) % ARRAY_SIZE(table)], member)
#define hash_for_each_safe(table, bucket, tmp, pos, member)			\
	for ((bucket) = 0; (bucket) < ARRAY_SIZE(table); (bucket)++)		\
		hlist_for_each_entry_safe(pos, tmp, &(table)[bucket], member)

static inline bool hash_empty_lists(const struct hlist_head *heads, unsigned int count)
{
	while (count--) {
		if (heads[count].first)
			return false;
	}
	return true;
}

#define hash_empty(table) hash_empty_lists(table, ARRAY_SIZE(table))

#define jhash_2words(a, b, seed) ((a) * 31 + (b) * 7 + (seed))
#define get_random_u32() 1u

/* ---- locks, bits ---- */

#define spin_lock_init(lock) ((lock)->held = false)
#define spin_lock_irq(lock) mutex_lock((struct mutex *)(lock))
#define spin_unlock_irq(lock) mutex_unlock((struct mutex *)(lock))
#define spin_lock_irqsave(lock, flags) ((flags) = 0, spin_lock_irq(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock_irq(lock))

#define test_bit(nr, word) (*(word) >> (nr) & 1)
#define set_bit(nr, word) ((void)(*(word) |= BIT(nr)))
#define clear_bit(nr, word) ((void)(*(word) &= ~BIT(nr)))
#define smp_mb__after_atomic() ((void)0)
#define smp_store_mb(where, value) ((void)((where) = (value)))
#define test_and_clear_bit(nr, word) ({		\
	bool was_ = test_bit(nr, word);		\
						\
	clear_bit(nr, word);			\
	was_; })
#define test_and_set_bit(nr, word) ({		\
	bool was_ = test_bit(nr, word);		\
						\
	set_bit(nr, word);			\
	was_; })

/* ---- timers: one that is in the program's list runs out when it likes ---- */

struct timer_list {
	struct list_head node;
	void (*fn)(struct timer_list *timer);
};

extern struct list_head shim_timers;

#define HZ 100
#define jiffies 0UL
#define timer_setup(timer, function, flags) \
	(INIT_LIST_HEAD(&(timer)->node), (timer)->fn = (function))
#define timer_pending(timer) (!list_empty(&(timer)->node))
#define mod_timer(timer, when) \
	((void)(when), list_move_tail(&(timer)->node, &shim_timers))
#define timer_delete_sync(timer) list_del_init(&(timer)->node)
#define timer_container_of(pos, timer, member) container_of(timer, __typeof__(*(pos)), member)

/* ---- wait queues: at most one entry ---- */

typedef unsigned int __poll_t;
typedef struct wait_queue_entry wait_queue_entry_t;

struct wait_queue_entry {
	int (*fn)(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key);
};

typedef struct wait_queue_head {
	wait_queue_entry_t *entry;
} wait_queue_head_t;

#define EPOLLIN 0x1u
#define EPOLLOUT 0x4u
#define EPOLLERR 0x8u
#define EPOLLHUP 0x10u
#define EPOLLRDNORM 0x40u
#define EPOLLRDHUP 0x2000u
#define key_to_poll(key) ((__poll_t)(uintptr_t)(key))
#define init_waitqueue_head(head) ((head)->entry = NULL)
#define init_waitqueue_func_entry(wait, function) ((wait)->fn = (function))
#define add_wait_queue(head, wait) ((head)->entry = (wait))
#define remove_wait_queue(head, wait) ((head)->entry = NULL)
#define wake_up_interruptible_poll(head, key) ((void)(head))

/* ---- memory ---- */

void *shim_kmalloc(size_t size);

#define kmalloc(size, gfp) shim_kmalloc(size)

/* ---- sockets ---- */

#define IPPROTO_TCP 6
#define RCV_SHUTDOWN 1
#define SOCK_SNDBUF_LOCK 1
#define msghdr kernel_msghdr
#define pr_info_ratelimited(...) ((void)0)

enum {
	TCP_ESTABLISHED = 1,
	TCP_FIN_WAIT1 = 4,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
};

struct msghdr {
	struct iov_iter msg_iter;
	unsigned int msg_flags;
};

struct sock {
	unsigned short sk_family;
	unsigned short sk_protocol;
	unsigned char sk_state;
	unsigned char sk_shutdown;
	unsigned char sk_userlocks;
	int sk_err;
	int sk_sndbuf;
	unsigned long sk_lingertime;
	size_t sk_receive_queue;
	struct {
		atomic_t nr_fds;
	} scm_stat;
};

struct file {
	struct socket *sock;
	long count;
};

#define file_count(file) ((file)->count)

struct socket {
	struct sock *sk;
	struct file *file;
	int type;
};

typedef struct poll_table_struct {
	void (*fn)(struct file *file, wait_queue_head_t *wqh,
		   struct poll_table_struct *poll);
	__poll_t _key;
} poll_table;

#define init_poll_funcptr(poll, function) ((poll)->fn = (function))
#define skb_queue_empty_lockless(queue) (!*(queue))
#define lock_sock(sk) shim_lock_sock(sk)
#define release_sock(sk) ((void)(sk))
#define sock_set_flag(sk, flag) ((void)(sk))
#define sock_reset_flag(sk, flag) ((void)(sk))
#define KERNEL_SOCKPTR(where) (where)
#define sock_setsockopt(sock, level, name, value, len) ((void)(value))
#define unix_sk(sk) (sk)
#define tcp_sock_set_nodelay(sk) shim_tcp_push(sk)
#define tcp_inq(sk) ((sk)->sk_receive_queue)

static inline long unix_inq_len(struct sock *sk)
{
	return sk->sk_receive_queue;
}

void shim_lock_sock(struct sock *sk);
/* What was sent with MSG_MORE goes out at the latest now. */
void shim_tcp_push(struct sock *sk);
struct socket *sockfd_lookup(int fd, int *err);
void sockfd_put(struct socket *sock);
void fput(struct file *file);
__poll_t vfs_poll(struct file *file, poll_table *poll);
int kernel_sock_shutdown(struct socket *sock, int how);
int sock_sendmsg(struct socket *sock, struct msghdr *msg);
int sock_recvmsg(struct socket *sock, struct msghdr *msg, int flags);

#endif /* SHIM_SOCK_H */
