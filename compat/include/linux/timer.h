/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_TIMER_H
#define _RANCHU_COMPAT_LINUX_TIMER_H

#include_next <linux/timer.h>

/* Since 6.16 it is called timer_container_of(). */
#ifndef from_timer
#define from_timer(var, timer, field) \
	container_of(timer, typeof(*(var)), field)
#endif

#endif /* _RANCHU_COMPAT_LINUX_TIMER_H */
