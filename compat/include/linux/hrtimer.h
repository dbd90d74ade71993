/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_HRTIMER_H
#define _RANCHU_COMPAT_LINUX_HRTIMER_H

#include_next <linux/hrtimer.h>

/* Before 6.13 the function of a timer was set behind hrtimer_init(). */
#ifdef RANCHU_LACKS_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *timer),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

#endif /* _RANCHU_COMPAT_LINUX_HRTIMER_H */
