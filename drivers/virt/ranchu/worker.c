// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker: a thread of the owner's process (it shares the mm and counts
 * against its limits) for what cannot be done where it arises. It is not the
 * hot path: commands run in the vCPU's own thread.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/vhost_task.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

/**
 * ranchu_work_init() - make a work item
 * @work: not queued
 * @fn: called once for each time @work was queued, see struct ranchu_work
 */
void ranchu_work_init(struct ranchu_work *work,
		      void (*fn)(struct ranchu_work *work, bool in_owner))
{
	INIT_LIST_HEAD(&work->node);
	work->fn = fn;
}
EXPORT_SYMBOL_GPL(ranchu_work_init);

static struct ranchu_work *worker_pop(struct ranchu_worker *worker)
{
	struct ranchu_work *work;

	spin_lock_irq(&worker->lock);
	work = list_first_entry_or_null(&worker->works, struct ranchu_work, node);
	if (work)
		list_del_init(&work->node);
	spin_unlock_irq(&worker->lock);
	return work;
}

static void worker_call(const struct ranchu_worker *worker, struct ranchu_work *work)
{
	/* A kernel thread has no mm, and neither has a thread that is through with it. */
	work->fn(work, current->mm && current->mm == worker->mm);
}

/* Called over and over by the thread, which sleeps when we return false. */
static bool worker_run(void *data)
{
	struct ranchu_worker *worker = data;
	struct ranchu_work *work = worker_pop(worker);

	if (!work)
		return false;
	/* The caller set us up to sleep; the work must not inherit that. */
	__set_current_state(TASK_RUNNING);
	worker_call(worker, work);
	/*
	 * fput() leaves the closing of a file to the thread's way back to user
	 * mode, which this thread never takes. Its loop runs task works when it
	 * sees a signal, so make it see one.
	 */
	if (task_work_pending(current))
		set_thread_flag(TIF_NOTIFY_SIGNAL);
	cond_resched();
	return true;
}

static void worker_close(struct ranchu_worker *worker)
{
	spin_lock_irq(&worker->lock);
	WRITE_ONCE(worker->dead, true);
	spin_unlock_irq(&worker->lock);
}

static void worker_drain(struct ranchu_worker *worker)
{
	struct ranchu_work *work;

	while ((work = worker_pop(worker)))
		worker_call(worker, work);
}

/* The owner was killed. Runs in the worker's thread, its last act. */
static void worker_killed(void *data)
{
	struct ranchu_worker *worker = data;

	worker_close(worker);
	worker_drain(worker);
	if (worker->killed)
		worker->killed(worker);
}

/**
 * ranchu_worker_init() - make a worker that takes no work yet
 * @worker: not yet in use
 */
void ranchu_worker_init(struct ranchu_worker *worker)
{
	spin_lock_init(&worker->lock);
	INIT_LIST_HEAD(&worker->works);
	worker->dead = true;
	worker->task = NULL;
	worker->mm = NULL;
	worker->killed = NULL;
}
EXPORT_SYMBOL_GPL(ranchu_worker_init);

/**
 * ranchu_worker_start() - start the thread
 * @worker: initialised, not running
 * @name: the thread's name, at most 15 characters
 *
 * Context: the process that is to own the worker; may sleep.
 * Return: 0, or what creating a thread can fail with.
 */
int ranchu_worker_start(struct ranchu_worker *worker, const char *name)
{
	struct vhost_task *task;

	task = vhost_task_create(worker_run, worker_killed, worker, name);
	/* Some kernels give NULL and no reason. */
	if (IS_ERR_OR_NULL(task))
		return task ? PTR_ERR(task) : -ENOMEM;
	mmgrab(current->mm);
	/* A doorbell may be ringing for this worker already. */
	spin_lock_irq(&worker->lock);
	worker->task = task;
	worker->mm = current->mm;
	WRITE_ONCE(worker->dead, false);
	spin_unlock_irq(&worker->lock);
	vhost_task_start(task);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_worker_start);

/**
 * ranchu_worker_stop() - stop the thread
 * @worker: may be not running
 *
 * Work that is still queued is called here, in the caller's context, which need not be
 * the owner's; @ranchu_work.fn is told so.
 *
 * Context: may sleep; not the worker's own thread.
 */
void ranchu_worker_stop(struct ranchu_worker *worker)
{
	if (!worker->task)
		return;
	worker_close(worker);
	vhost_task_stop(worker->task);
	worker->task = NULL;
	worker_drain(worker);
	mmdrop(worker->mm);
	worker->mm = NULL;
}
EXPORT_SYMBOL_GPL(ranchu_worker_stop);

/**
 * ranchu_work_queue() - have the worker do something
 * @worker: the worker
 * @work: queued already: nothing happens, its one call is still to come
 *
 * Context: any.
 * Return:
 * * 1: queued by this call
 * * 0: it was queued already
 * * -ESRCH: the worker takes no work any more
 */
int ranchu_work_queue(struct ranchu_worker *worker, struct ranchu_work *work)
{
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&worker->lock, flags);
	if (worker->dead) {
		ret = -ESRCH;
	} else if (list_empty(&work->node)) {
		list_add_tail(&work->node, &worker->works);
		/* Under the lock: the thread cannot be stopped meanwhile. */
		vhost_task_wake(worker->task);
		ret = 1;
	}
	spin_unlock_irqrestore(&worker->lock, flags);
	return ret;
}
EXPORT_SYMBOL_GPL(ranchu_work_queue);
