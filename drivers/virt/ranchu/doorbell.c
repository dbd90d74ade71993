// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synchronous doorbell: an eventfd that KVM signals for a register write
 * (KVM_IOEVENTFD), served before the vCPU executes its next instruction.
 *
 * KVM signals the eventfd in the vCPU's thread. Our wait-queue entry cannot do
 * the work there (atomic, the eventfd's lock held), so it queues a task work
 * on that very thread (thread_work.c); KVM runs task works before it enters the guest again.
 * Whoever else rings - any process that holds the eventfd may - has neither
 * the right mm nor a guest to hold up, and is served by the worker.
 *
 * Lifetime: the attacher and each call, queued or running, keep the doorbell.
 * Detaching waits for calls that run, and a call that begins later does not
 * call the attacher's function, so nothing of the attacher's runs after it. It
 * does not wait for a queued call: the thread that it is queued on may be the
 * one that closes the device, or may sleep in the kernel for as long as it
 * likes, and a queued call cannot be cancelled (task_work_cancel() is exported
 * nowhere). So each doorbell holds a reference of this module: its removal is
 * refused until the last call has run.
 */
#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/ranchu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait_bit.h>

#include <trace/events/ranchu.h>

#include "ranchu_private.h"

/*
 * struct ranchu_doorbell.state: who may still touch the doorbell. It is freed by
 * whoever makes it 0. Each change is one fully ordered atomic operation, and what
 * to do next depends on nothing but what that operation returns.
 */
enum {
	DOORBELL_QUEUED = 1,	/* @thread_work is on some thread's list */
	DOORBELL_FOREIGN = 2,	/* @foreign is on the worker's list */
	DOORBELL_ATTACHED = 4,	/* calls may call @fn */
	DOORBELL_OWNED = 8,	/* the attacher still has the doorbell */
	DOORBELL_CALL = 16,	/* and its multiples: so many calls run */
};

/**
 * struct ranchu_doorbell - one attached eventfd
 * @state: DOORBELL_QUEUED and so on
 * @early: the attacher's callback in the ring itself, or NULL
 * @fn: its other callback
 * @data: their argument
 * @mm: the owner's, pinned as a struct only, for comparison
 * @worker: serves foreign rings
 * @serve: who serves the others
 * @ctx: the eventfd. Keeps the wait queue alive, whoever closes the file.
 * @wqh: the eventfd's wait queue
 * @wait: our entry there
 * @poll: used once, to find @wqh
 * @thread_work: queued on the ringing thread
 * @foreign: queued on @worker
 */
struct ranchu_doorbell {
	atomic_t state;
	ranchu_early_fn early;
	ranchu_ring_fn fn;
	void *data;
	struct mm_struct *mm;
	struct ranchu_worker *worker;
	enum ranchu_serve serve;
	struct eventfd_ctx *ctx;
	wait_queue_head_t *wqh;
	wait_queue_entry_t wait;
	poll_table poll;
	struct callback_head thread_work;
	struct ranchu_work foreign;
};

/* In the key of a wake: the signal is our own. Nobody else has a use for the bit. */
#define DOORBELL_OWN_SIGNAL ((__force __poll_t)BIT(26))

static_assert(!((EPOLL_URING_WAKE | EPOLLEXCLUSIVE | EPOLLRDHUP | EPOLLMSG) &
		DOORBELL_OWN_SIGNAL));

/**
 * ranchu_eventfd_signal() - signal an eventfd that a process has given
 * @ctx: the eventfd
 *
 * The owner may have made the same eventfd a doorbell. Served in this thread,
 * such a ring could cause the next signal, and so on: task works that breed
 * task works never let the thread go. So it counts as foreign. A signal that causes
 * another one in the same thread needs no thought: eventfds do not allow it.
 *
 * Context: any; no other eventfd is being signalled.
 */
void ranchu_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal_mask(ctx, DOORBELL_OWN_SIGNAL);
}
EXPORT_SYMBOL_GPL(ranchu_eventfd_signal);

/* Nobody else knows of it any more. */
static void doorbell_free(struct ranchu_doorbell *doorbell)
{
	mmdrop(doorbell->mm);
	kfree(doorbell);
	/* Last: this text stays until ranchu_doorbell_drain(). */
	module_put(THIS_MODULE);
}

static __always_inline void doorbell_end_call(struct ranchu_doorbell *doorbell)
{
	int state = atomic_sub_return(DOORBELL_CALL, &doorbell->state);

	if (!state)
		doorbell_free(doorbell);
	else if (!(state & DOORBELL_ATTACHED))
		/* Its detacher waits, or has just gone on: only the address is used. */
		wake_up_var(&doorbell->state);
}

/*
 * @queued: the bit that says that this call was queued. It goes before @fn looks
 * at what the guest wrote: a ring that comes later queues a call of its own.
 */
static __always_inline void doorbell_call(struct ranchu_doorbell *doorbell, int queued,
					  enum ranchu_ring how)
{
	if (atomic_add_return(DOORBELL_CALL - queued, &doorbell->state) & DOORBELL_ATTACHED)
		doorbell->fn(doorbell->data, how);
	doorbell_end_call(doorbell);
}

/* In the thread that rang, before it enters the guest or user mode. */
static void doorbell_thread_work(struct callback_head *work)
{
	struct ranchu_doorbell *doorbell =
		container_of(work, struct ranchu_doorbell, thread_work);

	/* An exiting thread may be through with its mm. */
	doorbell_call(doorbell, DOORBELL_QUEUED,
		      current->mm == doorbell->mm ? RANCHU_RING_VCPU :
						    RANCHU_RING_LOST);
}

static void doorbell_foreign_work(struct ranchu_work *work, bool in_owner)
{
	struct ranchu_doorbell *doorbell =
		container_of(work, struct ranchu_doorbell, foreign);

	doorbell_call(doorbell, DOORBELL_FOREIGN,
		      in_owner ? RANCHU_RING_FOREIGN : RANCHU_RING_LOST);
}

/*
 * Is this the owner's own thread, one that will pass through the task works
 * with the owner's mm? Not a kernel thread that borrows the mm, not the
 * owner's vhost or io_uring workers (they never return to user mode), not an
 * interrupt that hit such a thread.
 */
static bool doorbell_in_owner(const struct ranchu_doorbell *doorbell)
{
	return in_task() && current->mm == doorbell->mm &&
	       !(current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_IO_WORKER));
}

/* Returns false if a call is queued already: that one sees what was rung for. */
static __always_inline bool doorbell_claim(struct ranchu_doorbell *doorbell, int queued)
{
	return !(atomic_fetch_or(queued, &doorbell->state) & queued);
}

/* The attacher still has the doorbell, so this does not free it. */
static void doorbell_unclaim(struct ranchu_doorbell *doorbell, int queued)
{
	atomic_fetch_andnot(queued, &doorbell->state);
}

static noinline void doorbell_ring_foreign(struct ranchu_doorbell *doorbell)
{
	if (!doorbell_claim(doorbell, DOORBELL_FOREIGN) ||
	    ranchu_work_queue(doorbell->worker, &doorbell->foreign) >= 0)
		return;
	doorbell_unclaim(doorbell, DOORBELL_FOREIGN);
	/* Detaching begins when @wait is gone, so this is not after it. */
	doorbell->fn(doorbell->data, RANCHU_RING_LOST);
}

/* The eventfd's wait-queue lock is held, interrupts are off. */
static __always_inline void doorbell_ring(struct ranchu_doorbell *doorbell, bool foreign)
{
	bool owner = !foreign && doorbell->serve == RANCHU_SERVE_VCPU &&
		     doorbell_in_owner(doorbell);

	trace_ranchu_kick(doorbell->data, !owner);
	if (owner) {
		if (!doorbell_claim(doorbell, DOORBELL_QUEUED) ||
		    !ranchu_thread_work_add(current, &doorbell->thread_work))
			return;
		/* The thread is exiting, or there is no way to have it make a call. */
		doorbell_unclaim(doorbell, DOORBELL_QUEUED);
	}
	doorbell_ring_foreign(doorbell);
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
	if (doorbell->early && doorbell->early(doorbell->data))
		return 1;
	/*
	 * io_uring tells of a completion. The completion may be that of a poll of an
	 * eventfd that we have signalled ourselves, from a task work: another way for
	 * task works to breed task works.
	 */
	doorbell_ring(doorbell, !!(key_to_poll(key) &
				   (EPOLL_URING_WAKE | DOORBELL_OWN_SIGNAL)));
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
 * The answer may be no before ranchu_doorbell_test() and yes behind it; it is not no
 * again after it was yes.
 *
 * Return: false if there is no way to do it (thread_work.c); then every ring would be
 * served by the worker, too late for a goldfish driver.
 */
bool ranchu_doorbell_supported(void)
{
	return ranchu_thread_work_supported();
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_supported);

/**
 * ranchu_doorbell_test() - find out whether rings can be served in the vCPU
 *
 * To be called when a device is opened. ranchu_doorbell_supported() has the answer in
 * the caller's next system call.
 *
 * Context: process; may sleep.
 * Return: 0, or -ENOMEM.
 */
int ranchu_doorbell_test(void)
{
	return ranchu_thread_work_test();
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_test);

static struct ranchu_doorbell *
doorbell_attach(int fd, struct mm_struct *mm, struct ranchu_worker *worker,
		const struct ranchu_doorbell *callbacks)
{
	struct ranchu_doorbell *doorbell;
	struct file *file;
	unsigned long flags;
	u64 count;

	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return ERR_CAST(file);
	doorbell = kmemdup(callbacks, sizeof(*doorbell), GFP_KERNEL_ACCOUNT);
	if (!doorbell) {
		doorbell = ERR_PTR(-ENOMEM);
		goto out_fput;
	}
	atomic_set(&doorbell->state, DOORBELL_OWNED | DOORBELL_ATTACHED);
	mmgrab(mm);
	doorbell->mm = mm;
	doorbell->worker = worker;
	init_task_work(&doorbell->thread_work, doorbell_thread_work);
	ranchu_work_init(&doorbell->foreign, doorbell_foreign_work);
	/* Our caller has one already. */
	__module_get(THIS_MODULE);
	/* Cannot fail: eventfd_fget() has made sure that it is one. */
	doorbell->ctx = eventfd_ctx_fileget(file);
	init_waitqueue_func_entry(&doorbell->wait, doorbell_wake);
	init_poll_funcptr(&doorbell->poll, doorbell_poll_queue);

	if (vfs_poll(file, &doorbell->poll) & EPOLLIN) {
		spin_lock_irqsave(&doorbell->wqh->lock, flags);
		eventfd_ctx_do_read(doorbell->ctx, &count);
		if (count)
			doorbell_ring(doorbell, false);
		spin_unlock_irqrestore(&doorbell->wqh->lock, flags);
	}
out_fput:
	fput(file);
	return doorbell;
}

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
	const struct ranchu_doorbell callbacks = {
		.serve = serve, .fn = fn, .data = data,
	};

	return doorbell_attach(fd, mm, worker, &callbacks);
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_attach);

/**
 * ranchu_doorbell_attach_early() - the same, and serve what can be where it is rung
 * @fd: the eventfd, of the calling process
 * @mm: the owner's
 * @worker: serves foreign rings
 * @early: called for each ring, whoever rings; @fn is called if it returns false
 * @fn: as ranchu_doorbell_attach()'s. Also called without @early, for a ring from before
 *	the call
 * @data: the argument of both
 *
 * Rings of the owner's are served in the ringing thread, before it goes on.
 *
 * Context: may sleep.
 * Return: as ranchu_doorbell_attach().
 */
struct ranchu_doorbell *
ranchu_doorbell_attach_early(int fd, struct mm_struct *mm,
			     struct ranchu_worker *worker, ranchu_early_fn early,
			     ranchu_ring_fn fn, void *data)
{
	const struct ranchu_doorbell callbacks = {
		.serve = RANCHU_SERVE_VCPU, .early = early, .fn = fn, .data = data,
	};

	return doorbell_attach(fd, mm, worker, &callbacks);
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_attach_early);

/**
 * ranchu_doorbell_detach() - undo ranchu_doorbell_attach()
 * @doorbell: not used afterwards
 *
 * On return the callback is not running and never runs again.
 *
 * Context: may sleep; not from the callback, nor with a lock that it takes.
 */
void ranchu_doorbell_detach(struct ranchu_doorbell *doorbell)
{
	u64 count;

	/* After this nobody can ring. */
	eventfd_ctx_remove_wait_queue(doorbell->ctx, &doorbell->wait, &count);
	/* After this no call begins to call the function. */
	atomic_fetch_andnot(DOORBELL_ATTACHED, &doorbell->state);
	wait_var_event(&doorbell->state, atomic_read(&doorbell->state) < DOORBELL_CALL);
	eventfd_ctx_put(doorbell->ctx);
	if (atomic_sub_and_test(DOORBELL_OWNED, &doorbell->state))
		doorbell_free(doorbell);
}
EXPORT_SYMBOL_GPL(ranchu_doorbell_detach);

/**
 * ranchu_doorbell_drain() - wait until no thread is in the text of a doorbell
 *
 * There is no doorbell any more, or this module could not exit. Who has freed the
 * last one may have been preempted behind its module_put(), in our text. No task
 * is there once each has scheduled by itself.
 *
 * Context: the module's exit; may sleep.
 */
void ranchu_doorbell_drain(void)
{
	synchronize_rcu_tasks();
}
