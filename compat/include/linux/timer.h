/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_TIMER_H
#define _RANCHU_COMPAT_LINUX_TIMER_H

#include_next <linux/timer.h>

/* Before 6.16 it was called from_timer(). */
#ifndef timer_container_of
#define timer_container_of(var, timer, field) from_timer(var, timer, field)
#endif

#endif /* _RANCHU_COMPAT_LINUX_TIMER_H */
