/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_SCHED_SIGNAL_H
#define _RANCHU_COMPAT_LINUX_SCHED_SIGNAL_H

#include_next <linux/sched/signal.h>

/*
 * The kernel thread that stands in for a thread of the process's (linux/sched/vhost_task.h
 * here) gets no signal. The memory that it works in has an owner as long as the process
 * lives. Without CONFIG_MEMCG the kernel does not say who that is: then the thread hears of
 * the end only when it has nothing to do.
 */
#ifdef RANCHU_LACKS_VHOST_TASK
#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static inline bool ranchu_process_killed(const struct task_struct *task)
{
	bool killed = false;
#ifdef CONFIG_MEMCG
	const struct task_struct *owner;

	if (!(task->flags & PF_KTHREAD) || !task->mm)
		return false;
	rcu_read_lock();
	owner = rcu_dereference(task->mm->owner);
	killed = !owner || READ_ONCE(owner->signal->flags) & SIGNAL_GROUP_EXIT;
	rcu_read_unlock();
#endif
	return killed;
}

#define fatal_signal_pending(task) \
	(fatal_signal_pending(task) || ranchu_process_killed(task))
#endif

#endif /* _RANCHU_COMPAT_LINUX_SCHED_SIGNAL_H */
