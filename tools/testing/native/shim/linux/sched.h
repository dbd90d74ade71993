/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running process, which the program that is built supplies, and what else
 * the vhost ioctls need that is neither memory nor a lock.
 */
#ifndef SHIM_LINUX_SCHED_H
#define SHIM_LINUX_SCHED_H

#include <stdio.h>

#include "../kernel.h"

#define TASK_COMM_LEN 16
#define ENOIOCTLCMD 515

/* References that mmgrab() took. */
struct mm_struct {
	int count;
};

/* References that get_pid() took. */
struct pid {
	int count;
};

struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *work);
};

/* @notified: set_notify_resume() was called so often. */
struct task_struct {
	int pid;
	struct mm_struct *mm;
	struct pid tgid;
	unsigned int flags;
	struct callback_head *task_works;
	unsigned int notified;
};

#define PF_EXITING 0x4

extern struct task_struct *shim_current;

#define current shim_current
#define cond_resched() ((void)0)
#define mmgrab(m) ((m)->count++)
#define mmdrop(m) ((m)->count--)

#define array_index_nospec(index, size) ((void)(size), (index))
#define pr_err(...) ((void)(0 && printf(__VA_ARGS__)))
#define pr_warn(...) ((void)(0 && printf(__VA_ARGS__)))
#define pr_info(...) ((void)(0 && printf(__VA_ARGS__)))
#define pr_warn_ratelimited(...) ((void)(0 && printf(__VA_ARGS__)))

#define swap(a, b) do {			\
	__auto_type swap_ = (a);	\
					\
	(a) = (b);			\
	(b) = swap_;			\
} while (0)

#endif /* SHIM_LINUX_SCHED_H */
