/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _RANCHU_COMPAT_LINUX_SCHED_VHOST_TASK_H
#define _RANCHU_COMPAT_LINUX_SCHED_VHOST_TASK_H

/*
 * Since 6.4 the kernel can make a thread of the caller's process, and since 6.10 it
 * says when that process is killed. Before, this is a kernel thread that uses the
 * process's memory while it works, and no longer: if it had the memory all the time, a
 * device whose file is in the queue of a socket that it serves would never end. That
 * the process is gone it hears from its memory. It is in the process's control groups
 * and has its credentials, and what it allocates is charged to the process; but it is not in
 * the process: what it closes is closed by the kernel's own work.
 */
#ifdef RANCHU_LACKS_VHOST_TASK
#include <linux/bitops.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mmu_context.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

/**
 * struct vhost_task - a thread that works for a process
 * @task: the thread
 * @mm: the process's, pinned as a struct only: a process that is gone has no memory
 * @cred: who has made the thread
 * @memcg: who pays for what it allocates
 * @notifier: tells when @mm has no user any more
 * @fn: called until it returns false
 * @killed: called once, when the process is gone; @fn is not called afterwards
 * @data: of both
 * @flags: VHOST_TASK_WOKEN
 */
struct vhost_task {
	struct task_struct *task;
	struct mm_struct *mm;
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct mmu_notifier notifier;
	bool (*fn)(void *data);
	void (*killed)(void *data);
	void *data;
	unsigned long flags;
};

/* Bit of struct vhost_task.flags: @fn has to be called again. */
#define VHOST_TASK_WOKEN 0

static inline void vhost_task_call(struct vhost_task *vtsk)
{
	if (!vtsk->fn)
		return;
	if (!mmget_not_zero(vtsk->mm)) {
		vtsk->fn = NULL;
		vtsk->killed(vtsk->data);
		return;
	}
	kthread_use_mm(vtsk->mm);
	/* It is killed behind this memory's last user, which this thread is perhaps. */
	while (vtsk->fn(vtsk->data) && !fatal_signal_pending(current))
		;
	kthread_unuse_mm(vtsk->mm);
	mmput(vtsk->mm);
}

static inline void vhost_task_run(struct vhost_task *vtsk)
{
	const struct cred *cred = override_creds(vtsk->cred);
	struct mem_cgroup *memcg = set_active_memcg(vtsk->memcg);

	vhost_task_call(vtsk);
	set_active_memcg(memcg);
	revert_creds(cred);
}

static inline int vhost_task_loop(void *data)
{
	struct vhost_task *vtsk = data;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!test_and_clear_bit(VHOST_TASK_WOKEN, &vtsk->flags)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		vhost_task_run(vtsk);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static inline void vhost_task_wake(struct vhost_task *vtsk)
{
	set_bit(VHOST_TASK_WOKEN, &vtsk->flags);
	wake_up_process(vtsk->task);
}

static inline void vhost_task_mm_released(struct mmu_notifier *notifier,
					  struct mm_struct *mm)
{
	vhost_task_wake(container_of(notifier, struct vhost_task, notifier));
}

static inline void vhost_task_free(struct vhost_task *vtsk)
{
	mem_cgroup_put(vtsk->memcg);
	put_cred(vtsk->cred);
	mmdrop(vtsk->mm);
	kfree(vtsk);
}

static inline void vhost_task_end(struct vhost_task *vtsk)
{
	kthread_stop(vtsk->task);
	put_task_struct(vtsk->task);
	vhost_task_free(vtsk);
}

static inline void vhost_task_stop(struct vhost_task *vtsk)
{
	/* May wake the thread a last time. */
	mmu_notifier_unregister(&vtsk->notifier, vtsk->mm);
	vhost_task_end(vtsk);
}

static inline struct vhost_task *
vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data), void *data,
		  const char *name)
{
	static const struct mmu_notifier_ops ops = { .release = vhost_task_mm_released };
	struct vhost_task *vtsk = kzalloc(sizeof(*vtsk), GFP_KERNEL);
	int err;

	if (!vtsk)
		return ERR_PTR(-ENOMEM);
	vtsk->fn = fn;
	vtsk->killed = killed;
	vtsk->data = data;
	set_bit(VHOST_TASK_WOKEN, &vtsk->flags);
	mmgrab(current->mm);
	vtsk->mm = current->mm;
	vtsk->cred = get_current_cred();
	vtsk->memcg = get_mem_cgroup_from_mm(current->mm);
	vtsk->task = kthread_create(vhost_task_loop, vtsk, "%s", name);
	if (IS_ERR(vtsk->task)) {
		err = PTR_ERR(vtsk->task);
		vhost_task_free(vtsk);
		return ERR_PTR(err);
	}
	/* kthread_stop() looks at it after it has ended. */
	get_task_struct(vtsk->task);
	err = cgroup_attach_task_all(current, vtsk->task);
	vtsk->notifier.ops = &ops;
	if (!err)
		err = mmu_notifier_register(&vtsk->notifier, vtsk->mm);
	if (err) {
		vhost_task_end(vtsk);
		return ERR_PTR(err);
	}
	return vtsk;
}

static inline void vhost_task_start(struct vhost_task *vtsk)
{
	wake_up_process(vtsk->task);
}

#else
#include_next <linux/sched/vhost_task.h>
#endif

#endif /* _RANCHU_COMPAT_LINUX_SCHED_VHOST_TASK_H */
