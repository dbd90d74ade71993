// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synchronous doorbell: an eventfd that KVM signals for a register write
 * (KVM_IOEVENTFD), served before the vCPU executes its next instruction.
 *
 * KVM signals the eventfd in the vCPU's thread. Our wait-queue entry cannot do
 * the work there (atomic, the eventfd's lock held), so it queues a task_work
 * on that very thread; KVM runs task works before it enters the guest again.
 * Whoever else rings - any process that holds the eventfd may - has neither
 * the right mm nor a guest to hold up, and is served by the worker.
 *
 * Lifetime: the attacher and each queued call hold a reference. Detaching
 * takes the callback away and waits for calls that run, so nothing of the
 * attacher's runs after it. It does not wait for a queued call: that may sit on
 * the very thread that is closing the device. Only the module's exit waits.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/ranchu.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait_bit.h>

#include <trace/events/ranchu.h>

#include "ranchu_private.h"

/*
 * Mainline exports task_work_add to no module. Debian's kernels do, and when
 * built into the kernel we need no export.
 */
#if defined(RANCHU_TASK_WORK_ADD_EXPORTED) || !defined(MODULE)
#define HAVE_TASK_WORK true

static int thread_work_add(struct task_struct *task, struct callback_head *work)
{
	return task_work_add(task, work, TWA_RESUME);
}
#else
#define HAVE_TASK_WORK false

static int thread_work_add(struct task_struct *task, struct callback_head *work)
{
	return -ESRCH;
}
#endif

/* struct ranchu_doorbell.flags */
#define DOORBELL_QUEUED 0	/* @thread_work is on some thread's list */

/**
 * struct ranchu_doorbell - one attached eventfd, or one that only we ring
 * @refs: the attacher, @thread_work queued, @foreign queued
 * @flags: DOORBELL_QUEUED, atomic
 * @calls: calls of @fn that run, or are about to look whether they may
 * @fn: the attacher's callback; NULL once detached
 * @data: its argument
 * @mm: the owner's, pinned as a struct only, for comparison
 * @worker: serves foreign rings
 * @serve: who serves the others
 * @file: the eventfd, held so that it cannot go away under @wait; or NULL
 * @ctx: the same
 * @wqh: the eventfd's wait queue
 * @wait: our entry there
 * @poll: used once, to find @wqh
 * @thread_work: queued on the ringing thread
 * @foreign: queued on @worker
 */
struct ranchu_doorbell {
	refcount_t refs;
	unsigned long flags;
	atomic_t calls;
	ranchu_ring_fn fn;
	void *data;
	struct mm_struct *mm;
	struct ranchu_worker *worker;
	enum ranchu_serve serve;
	struct file *file;
	struct eventfd_ctx *ctx;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	poll_table poll;
	struct callback_head thread_work;
	struct ranchu_work foreign;
};

/* Doorbells not yet freed; the module's exit waits for none. */
static atomic_t doorbell_count = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(doorbell_drained);

/* This CPU is in ranchu_eventfd_signal(), with preemption disabled. */
static DEFINE_PER_CPU(bool, doorbell_signalling);

/**
 * ranchu_eventfd_signal() - signal an eventfd that a process has given
 * @ctx: the eventfd
 *
 * The owner may have made the same eventfd a doorbell. Served in this thread,
 * such a ring could cause the next signal, and so on: task works that breed
 * task works never let the thread go. So it counts as foreign.
 *
 * Context: any; no other eventfd is being signalled.
 */
void ranchu_eventfd_signal(struct eventfd_ctx *ctx)
{
	bool outer;

	preempt_disable();
	outer = __this_cpu_read(doorbell_signalling);
	__this_cpu_write(doorbell_signalling, true);
	eventfd_signal(ctx);
	__this_cpu_write(doorbell_signalling, outer);
	preempt_enable();
}
EXPORT_SYMBOL_GPL(ranchu_eventfd_signal);

static void doorbell_put(struct ranchu_doorbell *doorbell)
{
	if (!refcount_dec_and_test(&doorbell->refs))
		return;
	mmdrop(doorbell->mm);
	kfree(doorbell);
	if (atomic_dec_and_test(&doorbell_count))
		wake_up_all(&doorbell_drained);
}

static void doorbell_call(struct ranchu_doorbell *doorbell, enum ranchu_ring how)
{
	ranchu_ring_fn fn;

	atomic_inc(&doorbell->calls);
	/*
	 * Count, then look; the other side takes away, then looks at the count.
	 * Pairs with smp_mb() in ranchu_doorbell_detach().
	 */
	smp_mb__after_atomic();
	fn = READ_ONCE(doorbell->fn);
	if (fn)
		fn(doorbell->data, how);
	if (atomic_dec_and_test(&doorbell->calls) && !READ_ONCE(doorbell->fn))
		wake_up_var(&doorbell->calls);
	doorbell_put(doorbell);
}

/* In the thread that rang, before it enters the guest or user mode. */
static void doorbell_thread_work(struct callback_head *work)
{
	struct ranchu_doorbell *doorbell =
		container_of(work, struct ranchu_doorbell, thread_work);

	clear_bit(DOORBELL_QUEUED, &doorbell->flags);
	/*
	 * Clear first, then look at what the guest wrote: a ring that comes
	 * later queues a call of its own. Pairs with test_and_set_bit() in
	 * doorbell_ring().
	 */
	smp_mb__after_atomic();
	/* Another thread may have queued it, and this one may be through with its mm. */
	doorbell_call(doorbell, current->mm == doorbell->mm ? RANCHU_RING_VCPU :
							       RANCHU_RING_LOST);
}

static void doorbell_foreign_work(struct ranchu_work *work)
{
	doorbell_call(container_of(work, struct ranchu_doorbell, foreign),
		      RANCHU_RING_FOREIGN);
}

/*
 * Is this the owner's own thread, one that will pass through the task works
 * with the owner's mm? Not a kernel thread that borrows the mm, not the
 * owner's vhost or io_uring workers (they never return to user mode), not an
 * interrupt that hit such a thread, not a signal of our own. Preemption is
 * disabled: the eventfd's lock is held.
 */
static bool doorbell_in_owner(const struct ranchu_doorbell *doorbell)
{
	return in_task() && current->mm == doorbell->mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_IO_WORKER)) &&
	       !__this_cpu_read(doorbell_signalling);
}

/* The eventfd's wait-queue lock is held, interrupts are off. */
static void doorbell_ring(struct ranchu_doorbell *doorbell)
{
	bool owner = doorbell->serve == RANCHU_SERVE_VCPU &&
		     doorbell_in_owner(doorbell);

	trace_ranchu_kick(doorbell->data, !owner);
	refcount_inc(&doorbell->refs);
	if (owner && HAVE_TASK_WORK) {
		/* Queued and not yet run: that call sees what we rang for. */
		if (test_and_set_bit(DOORBELL_QUEUED, &doorbell->flags))
			goto out_put;
		if (!thread_work_add(current, &doorbell->thread_work))
			return;
		/* The thread is past its last task work: it is exiting. */
		clear_bit(DOORBELL_QUEUED, &doorbell->flags);
	}
	switch (ranchu_work_queue(doorbell->worker, &doorbell->foreign)) {
	case 1:
		return;
	case 0:
		break;
	default:
		/* Detaching takes @fn away after @wait is gone, so it is there. */
		doorbell->fn(doorbell->data, RANCHU_RING_LOST);
	}
out_put:
	/* Never the last one: the attacher's is dropped after @wait is gone. */
	refcount_dec(&doorbell->refs);
}

static int doorbell_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
			 void *key)
{
	struct ranchu_doorbell *doorbell =
		container_of(wait, struct ranchu_doorbell, wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	/* Undrained, the count would one day saturate and stop waking us. */
	eventfd_ctx_do_read(doorbell->ctx, &count);
	doorbell_ring(doorbell);
	return 1;
}

static void doorbell_poll_queue(struct file *file, wait_queue_head_t *wqh,
				poll_table *poll)
{
	struct ranchu_doorbell *doorbell =
		container_of(poll, struct ranchu_doorbell, poll);

	doorbell->wqh = wqh;
	add_wait_queue(wqh, &doorbell->wait);
}

/**
 * ranchu_doorbell_supported() - tell whether rings can be served in the vCPU
 *
 * Return: false if this kernel lets no module call task_work_add(); then every
 * ring would be served by the worker, too late for a goldfish driver.
 */
bool ranchu_doorbell_supported(void)
{
	return HAVE_TASK_WORK;
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_supported);

/**
 * ranchu_doorbell_create() - make a doorbell that no eventfd rings
 * @mm: the owner's
 * @worker: serves foreign rings; outlives the doorbell
 * @serve: who serves the others
 * @fn: as ranchu_doorbell_attach()
 * @data: the same
 *
 * Context: may sleep.
 * Return: the doorbell, for ranchu_doorbell_detach(), or -ENOMEM.
 */
struct ranchu_doorbell *
ranchu_doorbell_create(struct mm_struct *mm, struct ranchu_worker *worker,
		       enum ranchu_serve serve, ranchu_ring_fn fn, void *data)
{
	struct ranchu_doorbell *doorbell;

	doorbell = kzalloc(sizeof(*doorbell), GFP_KERNEL_ACCOUNT);
	if (!doorbell)
		return ERR_PTR(-ENOMEM);
	refcount_set(&doorbell->refs, 1);
	doorbell->fn = fn;
	doorbell->data = data;
	mmgrab(mm);
	doorbell->mm = mm;
	doorbell->worker = worker;
	doorbell->serve = serve;
	init_task_work(&doorbell->thread_work, doorbell_thread_work);
	ranchu_work_init(&doorbell->foreign, doorbell_foreign_work);
	atomic_inc(&doorbell_count);
	return doorbell;
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_create);

/**
 * ranchu_doorbell_ring_in() - ring in another thread
 * @doorbell: not being detached
 * @task: a thread, the owner's or not any more
 *
 * Served before @task enters the guest or user mode again; it is not woken. If it
 * is not the owner's then, the ring is lost.
 *
 * Context: any.
 * Return:
 * * 1: rung
 * * 0: a call is still to come, in whichever thread
 * * -ESRCH: @task is exiting
 */
int ranchu_doorbell_ring_in(struct ranchu_doorbell *doorbell, struct task_struct *task)
{
	if (test_and_set_bit(DOORBELL_QUEUED, &doorbell->flags))
		return 0;
	refcount_inc(&doorbell->refs);
	if (!thread_work_add(task, &doorbell->thread_work))
		return 1;
	clear_bit(DOORBELL_QUEUED, &doorbell->flags);
	/* Not the last one: who may ring has one. */
	refcount_dec(&doorbell->refs);
	return -ESRCH;
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_ring_in);

/**
 * ranchu_doorbell_attach() - have rings of an eventfd served
 * @fd: the eventfd, of the calling process
 * @mm: the owner's
 * @worker: serves foreign rings; outlives the doorbell
 * @serve: who serves the others
 * @fn: called for each ring, or once for several that came before it ran; two
 *	calls may overlap. RANCHU_RING_VCPU and _FOREIGN: process context, the
 *	owner's mm. RANCHU_RING_LOST: any context.
 * @data: its argument; what it points at outlives the doorbell
 *
 * A ring from before the call is served when the call's thread returns to user
 * mode.
 *
 * Context: may sleep.
 * Return: the doorbell, or
 * * -EBADF: @fd is not open
 * * -EINVAL: @fd is no eventfd
 * * -ENOMEM: no memory
 */
struct ranchu_doorbell *
ranchu_doorbell_attach(int fd, struct mm_struct *mm,
		       struct ranchu_worker *worker, enum ranchu_serve serve,
		       ranchu_ring_fn fn, void *data)
{
	struct ranchu_doorbell *doorbell;
	struct file *file;
	unsigned long flags;
	u64 count;

	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return ERR_CAST(file);
	doorbell = ranchu_doorbell_create(mm, worker, serve, fn, data);
	if (IS_ERR(doorbell)) {
		fput(file);
		return doorbell;
	}
	doorbell->file = file;
	/* Cannot fail: eventfd_fget() has made sure that it is one. */
	doorbell->ctx = eventfd_ctx_fileget(file);
	init_waitqueue_func_entry(&doorbell->wait, doorbell_wake);
	init_poll_funcptr(&doorbell->poll, doorbell_poll_queue);

	if (vfs_poll(file, &doorbell->poll) & EPOLLIN) {
		spin_lock_irqsave(&doorbell->wqh->lock, flags);
		eventfd_ctx_do_read(doorbell->ctx, &count);
		if (count)
			doorbell_ring(doorbell);
		spin_unlock_irqrestore(&doorbell->wqh->lock, flags);
	}
	return doorbell;
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_attach);

/**
 * ranchu_doorbell_detach() - undo ranchu_doorbell_attach() or _create()
 * @doorbell: not used afterwards; if it was made by _create(), nobody rings it
 *
 * On return the callback is not running and never runs again.
 *
 * Context: may sleep; not from the callback, nor with a lock that it takes.
 */
void ranchu_doorbell_detach(struct ranchu_doorbell *doorbell)
{
	u64 count;

	/* After this nobody can ring. */
	if (doorbell->file)
		eventfd_ctx_remove_wait_queue(doorbell->ctx, &doorbell->wait, &count);
	/* After this a queued call does nothing but drop its reference. */
	WRITE_ONCE(doorbell->fn, NULL);
	/* Pairs with smp_mb__after_atomic() in doorbell_call(). */
	smp_mb();
	wait_var_event(&doorbell->calls, !atomic_read(&doorbell->calls));
	if (doorbell->file) {
		eventfd_ctx_put(doorbell->ctx);
		fput(doorbell->file);
	}
	doorbell_put(doorbell);
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_detach);

/**
 * ranchu_doorbell_drain() - wait until no code of ours is due in any thread
 *
 * All doorbells are detached; a thread may still have one of their calls
 * before it, for as long as it takes to leave the kernel.
 *
 * Context: the module's exit; may sleep.
 */
void ranchu_doorbell_drain(void)
{
	wait_event(doorbell_drained, !atomic_read(&doorbell_count));
	/*
	 * The last call may stand between its wake-up and its return, in our
	 * text, preempted. No task is there once each has scheduled by itself.
	 */
	synchronize_rcu_tasks();
}
