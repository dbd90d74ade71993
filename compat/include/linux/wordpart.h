/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_WORDPART_H
#define _RANCHU_COMPAT_LINUX_WORDPART_H

/* Before 6.9 lower_32_bits() and its like were in another header. */
#ifdef RANCHU_LACKS_WORDPART
#include <linux/kernel.h>
#else
#include_next <linux/wordpart.h>
#endif

#endif /* _RANCHU_COMPAT_LINUX_WORDPART_H */
