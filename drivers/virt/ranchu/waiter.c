// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread of the kernel's for what may take as long as a stranger likes: the lock of a
 * socket that he keeps, the worker of a device whose owner's memory he serves. Works of a
 * queue would not do: there are so many at a time for the whole machine, and who makes
 * that many wait holds up everybody else's.
 *
 * A work starts the thread, because the caller may be dying, and then cannot.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/ranchu.h>
#include <linux/workqueue.h>

#include "ranchu_private.h"

/* Until a thread is tried again. */
#define WAITER_RETRY (HZ / 10)

static struct workqueue_struct *waiter_queue;

static int waiter_thread(void *data)
{
	struct ranchu_waiter *waiter = data;

	waiter->fn(waiter);
	module_put_and_kthread_exit(0);
}

static void waiter_work(struct work_struct *work)
{
	struct ranchu_waiter *waiter =
		container_of(to_delayed_work(work), struct ranchu_waiter, work);

	/* Without memory for a thread: later. Done here it would hold up others. */
	if (IS_ERR(kthread_run(waiter_thread, waiter, "ranchu-waiter")))
		queue_delayed_work(waiter_queue, &waiter->work, WAITER_RETRY);
}

/**
 * ranchu_waiter_start() - have something done that may wait for strangers
 * @waiter: not in use; where it lies stays until @fn lets it go
 * @fn: called once, by a kernel thread; may free @waiter
 *
 * Context: any; the caller is a user of ranchu.ko.
 */
void ranchu_waiter_start(struct ranchu_waiter *waiter, void (*fn)(struct ranchu_waiter *waiter))
{
	waiter->fn = fn;
	INIT_DELAYED_WORK(&waiter->work, waiter_work);
	__module_get(THIS_MODULE);
	queue_delayed_work(waiter_queue, &waiter->work, 0);
}

/**
 * ranchu_waiter_init() - be ready to start threads
 *
 * Return: 0, or -ENOMEM.
 */
int ranchu_waiter_init(void)
{
	waiter_queue = alloc_workqueue("ranchu_waiter", WQ_UNBOUND, 0);
	return waiter_queue ? 0 : -ENOMEM;
}

/**
 * ranchu_waiter_exit() - undo ranchu_waiter_init()
 *
 * Waits for works whose threads have let the module go already.
 */
void ranchu_waiter_exit(void)
{
	destroy_workqueue(waiter_queue);
}
