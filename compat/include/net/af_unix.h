/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_NET_AF_UNIX_H
#define _RANCHU_COMPAT_NET_AF_UNIX_H

#include_next <net/af_unix.h>

/* From 6.17 on its declaration is private to AF_UNIX, but modules get it as before. */
#ifdef RANCHU_LACKS_UNIX_INQ_LEN
long unix_inq_len(struct sock *sk);
#endif

#endif /* _RANCHU_COMPAT_NET_AF_UNIX_H */
