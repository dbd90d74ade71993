/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ranchu.ko share and nobody else sees. */
#ifndef _RANCHU_PRIVATE_H
#define _RANCHU_PRIVATE_H

struct eventfd_ctx;

/* doorbell.c */
void ranchu_eventfd_signal(struct eventfd_ctx *ctx);
void ranchu_doorbell_drain(void);

#endif /* _RANCHU_PRIVATE_H */
