// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues a call on a thread, which makes it before it enters a guest or user mode.
 * The kernel calls this a task work.
 *
 * Three ways, chosen when the module is loaded (doorbell=):
 *
 * - export: task_work_add(). Mainline exports it to no module; distributions that build
 *   Android's binder as a module do, and code that is built in needs no export.
 * - queue: the same steps, taken here. They use what a module may use: a field of struct
 *   task_struct, PF_EXITING, and set_notify_resume(), an inline function whose one
 *   import is exported. How the list of task works is kept is the kernel's own matter,
 *   though, and may change. So this way has guards: the build checks the type of the
 *   field; a kernel newer than those that were tested is not trusted; and nothing is
 *   served by this way before a call that was queued as a test has been made.
 * - off: no calls. Doorbells go through userspace exits.
 *
 * "auto" takes the first that this kernel has.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/resume_user_mode.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/task_work.h>

#include "ranchu_private.h"

#if defined(RANCHU_TASK_WORK_ADD_EXPORTED) || !defined(MODULE)
#define HAVE_EXPORT true

static int export_add(struct task_struct *task, struct callback_head *work)
{
	return task_work_add(task, work, TWA_RESUME);
}
#else
#define HAVE_EXPORT false

static int export_add(struct task_struct *task, struct callback_head *work)
{
	return -ESRCH;
}
#endif

/* The build knows for which kernels the queue was tried: Kbuild. */
#ifdef RANCHU_QUEUE_TRIED
static const bool queue_tried = true;
#else
static const bool queue_tried;
#endif

/* For a test: a kernel that never makes the calls. */
#ifdef RANCHU_QUEUE_BROKEN
static const bool queue_broken = true;
#else
static const bool queue_broken;
#endif

static_assert(__same_type(((struct task_struct *)NULL)->task_works,
			  struct callback_head *));

enum thread_work_way {
	THREAD_WORK_AUTO,	/* until ranchu_thread_work_init() */
	THREAD_WORK_EXPORT,
	THREAD_WORK_QUEUE,
	THREAD_WORK_OFF,
};

static const char * const way_names[] = {
	[THREAD_WORK_AUTO] = "auto",
	[THREAD_WORK_EXPORT] = "export",
	[THREAD_WORK_QUEUE] = "queue",
	[THREAD_WORK_OFF] = "off",
};

static enum thread_work_way thread_work_way;

static int way_set(const char *name, const struct kernel_param *param)
{
	int way = sysfs_match_string(way_names, name);

	if (way < 0)
		return way;
	thread_work_way = way;
	return 0;
}

/* Once the module is loaded this is the way that was chosen. */
static int way_get(char *page, const struct kernel_param *param)
{
	return sysfs_emit(page, "%s\n", way_names[thread_work_way]);
}

static const struct kernel_param_ops way_ops = {
	.set = way_set,
	.get = way_get,
};

module_param_cb(doorbell, &way_ops, NULL, 0444);
MODULE_PARM_DESC(doorbell, "How a vCPU's thread serves a doorbell: auto, export, queue, off");

/* Calls that are queued are made. Once true it stays so. */
static bool thread_work_works __read_mostly;
/* The first thread that a test call was queued on, as the whole machine numbers it, or 0. */
static pid_t thread_work_tester;
/* That thread went on, and the call had not been made. No test is begun any more. */
static int thread_work_failed;

/*
 * What task_work_add(task, work, TWA_RESUME) does. The kernel marks the list of a thread
 * that makes no calls any more, by an address that modules do not know. But only the
 * thread itself does so, after it has set PF_EXITING. So the list is read first: if it
 * has the mark, PF_EXITING is seen; if it gets the mark afterwards, the exchange fails.
 */
static int queue_add(struct task_struct *task, struct callback_head *work)
{
	struct callback_head *head;

	do {
		/* Pairs with the exchange by which the thread sets the mark. */
		head = smp_load_acquire(&task->task_works);
		if (READ_ONCE(task->flags) & PF_EXITING)
			return -ESRCH;
		work->next = head;
	} while (cmpxchg(&task->task_works, head, work) != head);
	set_notify_resume(task);
	return 0;
}

/**
 * ranchu_thread_work_add() - have a thread make a call before it goes on
 * @task: the thread, pinned by the caller
 * @work: not queued
 *
 * A thread that sleeps is not woken.
 *
 * Context: any.
 * Return: 0, or -ESRCH: the thread is exiting, or there is no way to do it
 */
int ranchu_thread_work_add(struct task_struct *task, struct callback_head *work)
{
	if (!READ_ONCE(thread_work_works))
		return -ESRCH;
	if (thread_work_way == THREAD_WORK_EXPORT)
		return export_add(task, work);
	return queue_add(task, work);
}

static void test_run(struct callback_head *work)
{
	kfree(work);
	WRITE_ONCE(thread_work_works, true);
	/* This text stays until ranchu_doorbell_drain(). */
	module_put(THIS_MODULE);
}

/* Is the thread in another system call, or gone? Then its calls have been made. */
static bool test_is_over(pid_t tester)
{
	bool gone;

	if (tester == current->pid)
		return true;
	rcu_read_lock();
	gone = !pid_task(find_pid_ns(tester, &init_pid_ns), PIDTYPE_PID);
	rcu_read_unlock();
	/* Whoever ended may have made the call first. */
	smp_rmb();
	return gone;
}

static bool test_failed(void)
{
	pid_t tester = READ_ONCE(thread_work_tester);

	if (READ_ONCE(thread_work_failed))
		return true;
	if (!tester || !test_is_over(tester) || READ_ONCE(thread_work_works))
		return false;
	if (!xchg(&thread_work_failed, 1))
		pr_warn("doorbells are served through userspace exits: a call that was queued as a test was not made\n");
	return true;
}

/**
 * ranchu_thread_work_supported() - tell whether ranchu_thread_work_add() can do it
 *
 * Return: true if it can, from now on.
 */
bool ranchu_thread_work_supported(void)
{
	if (READ_ONCE(thread_work_works))
		return true;
	/* If so, this says it. */
	test_failed();
	return false;
}

/**
 * ranchu_thread_work_test() - try the queue on the calling thread
 *
 * To be called when a device is opened. The call has been made when the thread is back
 * in user mode, where it makes its next system call; if not, this kernel does something
 * else with the list, and the queue is not used. The module finds that, and says it once,
 * when this thread asks for a doorbell or opens another device, or another thread does and
 * this one has ended. Calls that were queued until then are lost, and the module cannot be
 * removed. A call that is made later than it should be proves that the queue works.
 *
 * Context: process; may sleep.
 * Return: 0, or -ENOMEM
 */
int ranchu_thread_work_test(void)
{
	struct callback_head *work;

	if (thread_work_way != THREAD_WORK_QUEUE || READ_ONCE(thread_work_works) ||
	    test_failed())
		return 0;
	work = kzalloc(sizeof(*work), GFP_KERNEL);
	if (!work)
		return -ENOMEM;
	init_task_work(work, test_run);
	__module_get(THIS_MODULE);
	if (queue_broken || queue_add(current, work)) {
		kfree(work);
		module_put(THIS_MODULE);
	}
	cmpxchg(&thread_work_tester, 0, current->pid);
	return 0;
}

/* One sentence. @chosen: not asked for by doorbell= */
static void __init way_say(bool chosen)
{
	if (thread_work_way == THREAD_WORK_EXPORT)
		pr_info("doorbells are served in the vCPU's thread, by task_work_add\n");
	else if (thread_work_way == THREAD_WORK_QUEUE)
		pr_info("doorbells are served in the vCPU's thread, by a queue of our own\n");
	else if (chosen)
		pr_info("doorbells are served through userspace exits: this kernel exports no task_work_add and is newer than those that our own queue was tried on (doorbell=queue tries it)\n");
	else
		pr_info("doorbells are served through userspace exits: doorbell=off\n");
}

/**
 * ranchu_thread_work_init() - choose the way, and say it
 *
 * Return: 0, or -EOPNOTSUPP: this kernel does not have the way that was asked for
 */
int __init ranchu_thread_work_init(void)
{
	bool chosen = thread_work_way == THREAD_WORK_AUTO;

	if (chosen)
		thread_work_way = HAVE_EXPORT ? THREAD_WORK_EXPORT :
				  queue_tried ? THREAD_WORK_QUEUE : THREAD_WORK_OFF;
	if (thread_work_way == THREAD_WORK_EXPORT && !HAVE_EXPORT) {
		pr_err("doorbell=export: this kernel does not export task_work_add\n");
		return -EOPNOTSUPP;
	}
	thread_work_works = thread_work_way == THREAD_WORK_EXPORT;
	way_say(chosen);
	return 0;
}
