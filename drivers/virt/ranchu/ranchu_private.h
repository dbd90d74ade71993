/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ranchu.ko share and nobody else sees. */
#ifndef _RANCHU_PRIVATE_H
#define _RANCHU_PRIVATE_H

struct eventfd_ctx;
struct ranchu_vhost;
struct ranchu_vring;
struct ranchu_worker;

/* doorbell.c */
void ranchu_doorbell_drain(void);

/* release.c */
int ranchu_release_init(void);
void ranchu_release_exit(void);

/* vhost.c */
int ranchu_vhost_start_worker(struct ranchu_worker *worker);

/* vring.c */
void ranchu_vring_init(struct ranchu_vring *vring, struct ranchu_vhost *dev);
void ranchu_vring_refresh(struct ranchu_vring *vring);
int ranchu_vring_start(struct ranchu_vring *vring);
void ranchu_vring_drain(struct ranchu_vring *vring);
void ranchu_vring_stop(struct ranchu_vring *vring);
void ranchu_vring_release(struct ranchu_vring *vring);
long ranchu_vring_set_num(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_addr(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_base(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_get_base(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_kick(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_call(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_err(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_set_busyloop(struct ranchu_vhost *dev, void __user *argp);
long ranchu_vring_get_busyloop(struct ranchu_vhost *dev, void __user *argp);

#endif /* _RANCHU_PRIVATE_H */
