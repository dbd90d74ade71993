/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_SCHED_H
#define _RANCHU_COMPAT_LINUX_SCHED_H

#include_next <linux/sched.h>

/*
 * Before 6.4 io_uring alone had workers that are threads of a user's process, and
 * vhost's workers were kernel threads.
 */
#ifndef PF_USER_WORKER
#define PF_USER_WORKER (PF_IO_WORKER | PF_KTHREAD)
#endif

#endif /* _RANCHU_COMPAT_LINUX_SCHED_H */
