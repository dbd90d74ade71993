/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ranchu.ko share and nobody else sees. */
#ifndef _RANCHU_PRIVATE_H
#define _RANCHU_PRIVATE_H

#include <linux/types.h>

struct callback_head;
struct eventfd_ctx;
struct file;
struct ranchu_close;
struct ranchu_closer;
struct ranchu_irq;
struct ranchu_vhost;
struct ranchu_vring;
struct ranchu_waiter;
struct ranchu_worker;
struct sock;
struct task_struct;
struct vring_ioctl;

/* close.c; only with CONFIG_INET, as sock.c */
struct ranchu_close *ranchu_close_alloc(struct ranchu_closer *closer, struct file *file,
					gfp_t gfp);
void ranchu_close_free(struct ranchu_close *close);
void ranchu_close_apart(struct ranchu_close *close);
void ranchu_close_in_thread(struct ranchu_close *close);
void ranchu_close_too(struct ranchu_close *close);

/* doorbell.c */
void ranchu_doorbell_drain(void);

/* irq.c; only where RANCHU_HAS_IRQ */
void ranchu_irq_hold(struct ranchu_irq *irq);
int ranchu_irq_send(const struct ranchu_irq *irq);

/* kvm_file.c; only with CONFIG_KVM */
struct file *ranchu_kvm_file_get(int fd, const char *name);

/*
 * net/unix. Since 6.17 the kernel's own declaration is private to AF_UNIX. Modules get the
 * function as before.
 */
long unix_inq_len(struct sock *sk);

/* thread_work.c */
int ranchu_thread_work_init(void);
bool ranchu_thread_work_supported(void);
int ranchu_thread_work_test(void);
int ranchu_thread_work_add(struct task_struct *task, struct callback_head *work);

/* vhost.c */
int ranchu_vhost_start_worker(struct ranchu_worker *worker);

/* vring.c */
void ranchu_vring_init(struct ranchu_vring *vring, struct ranchu_vhost *dev);
void ranchu_vring_refresh(struct ranchu_vring *vring);
int ranchu_vring_start(struct ranchu_vring *vring);
void ranchu_vring_drain(struct ranchu_vring *vring);
void ranchu_vring_stop(struct ranchu_vring *vring);
void ranchu_vring_release(struct ranchu_vring *vring);
const struct vring_ioctl *ranchu_vring_find_ioctl(unsigned int number);
bool ranchu_vring_answers(const struct vring_ioctl *row);
long ranchu_vring_ioctl(struct ranchu_vhost *dev, const struct vring_ioctl *row,
			void *arg);

/* waiter.c */
int ranchu_waiter_init(void);
void ranchu_waiter_exit(void);
void ranchu_waiter_start(struct ranchu_waiter *waiter,
			 void (*fn)(struct ranchu_waiter *waiter));

#endif /* _RANCHU_PRIVATE_H */
