/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ranchu.ko share and nobody else sees. */
#ifndef _RANCHU_PRIVATE_H
#define _RANCHU_PRIVATE_H

/* doorbell.c */
void ranchu_doorbell_drain(void);

#endif /* _RANCHU_PRIVATE_H */
