// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets whose end may take as long as another process likes: closed where nobody
 * waits for it.
 *
 * - One that somebody else holds as well, or that an epoll watches: in kernel threads
 *   (waiter.c), a few at a time of each device.
 * - One that files were sent along to and that were not received: they end with it,
 *   and are anything, a socket that lingers for an hour for example. A kernel
 *   thread would leave them to the one work that closes such files for the whole
 *   machine. So it is a thread of the owner's, made for it, which does nothing but
 *   exit: its files are closed then, no socket lingers in a task that exits, and
 *   nobody waits for it but the end of the owner's process. Each device has a few at a
 *   time: a file that an epoll watches, in which somebody waits in memory of his own, ends
 *   when he says so.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/ranchu.h>
#include <linux/ranchu_sock.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>
#include <net/sock.h>

#include "ranchu_private.h"

/* Sockets of a device that are on their way out, before it takes no more. */
#define CLOSES_MAX 64

/* Of them, those that kernel threads close at the same time. */
#define CLOSE_WAITERS 4

/* Kernel threads of a user's that close, before he gets no more devices. */
#define CLOSE_WAITERS_USER 1024

/* Threads of a device that close at the same time. */
#define CLOSE_THREADS 8

/* Until a thread is tried again. */
#define CLOSE_RETRY (HZ / 10)

/*
 * How many kernel threads close sockets, for each user who has opened devices: such a
 * thread outlives its device, and is charged to nobody.
 */
static DEFINE_XARRAY(close_users);

static unsigned long close_user_count(kuid_t user)
{
	void *count = xa_load(&close_users, __kuid_val(user));

	return count ? xa_to_value(count) : 0;
}

/* Returns false if it is not counted, for want of memory. */
static bool close_user_add(kuid_t user)
{
	bool counted;

	xa_lock(&close_users);
	counted = !xa_is_err(__xa_store(&close_users, __kuid_val(user),
					xa_mk_value(close_user_count(user) + 1), GFP_ATOMIC));
	xa_unlock(&close_users);
	return counted;
}

static void close_user_sub(kuid_t user)
{
	unsigned long count;

	xa_lock(&close_users);
	count = close_user_count(user) - 1;
	/* Neither takes memory. */
	if (count)
		__xa_store(&close_users, __kuid_val(user), xa_mk_value(count), GFP_ATOMIC);
	else
		__xa_erase(&close_users, __kuid_val(user));
	xa_unlock(&close_users);
}

/**
 * struct close_waiter - a kernel thread that closes sockets of a device
 * @waiter: used while @busy
 * @closer: whose
 * @counted: as the user's
 * @busy: it will look at the closer's @queued once more
 */
struct close_waiter {
	struct ranchu_waiter waiter;
	struct ranchu_closer *closer;
	bool counted;
	bool busy;
};

/**
 * struct ranchu_closer - the sockets of a device that are on their way out
 * @ref: the device, each struct ranchu_close, and each of @waiters that is busy
 * @pending: how many there are
 * @user: who has opened the device
 * @worker: the device's; not used by @waiters, which may outlive it
 * @work: starts a thread
 * @retry: queues @work again
 * @lock: protects @closes, @queued and what @waiters are
 * @closes: for the next thread
 * @queued: for @waiters
 * @waiters: close what is @queued
 * @threads: the owner's last ones that were started, NULL where there was none
 */
struct ranchu_closer {
	struct kref ref;
	atomic_t pending;
	kuid_t user;
	struct ranchu_worker *worker;
	struct ranchu_work work;
	struct timer_list retry;
	spinlock_t lock;	/* see above */
	struct list_head closes;
	struct list_head queued;
	struct close_waiter waiters[CLOSE_WAITERS];
	struct task_struct *threads[CLOSE_THREADS];
};

/**
 * struct ranchu_close - what closing a socket elsewhere takes, should it come to
 *	that
 * @closer: the device's
 * @file: the socket
 * @node: in one of @closer's lists
 * @too: the connection is being ended already; the user's lock protects it
 */
struct ranchu_close {
	struct ranchu_closer *closer;
	struct file *file;
	struct list_head node;
	bool too;
};

static void closer_free(struct kref *ref)
{
	struct ranchu_closer *closer = container_of(ref, struct ranchu_closer, ref);
	unsigned int i;

	for (i = 0; i < CLOSE_THREADS; i++)
		if (closer->threads[i])
			put_task_struct(closer->threads[i]);
	kfree(closer);
}

/**
 * ranchu_close_alloc() - be ready to close a socket elsewhere
 * @closer: the device's
 * @file: a socket
 * @gfp: how to get memory for it
 *
 * Return: what ranchu_close_free() and the others take, -EMFILE if too many are on
 * their way out, or -ENOMEM.
 */
struct ranchu_close *ranchu_close_alloc(struct ranchu_closer *closer, struct file *file,
					gfp_t gfp)
{
	struct ranchu_close *close;

	if (atomic_read(&closer->pending) >= CLOSES_MAX)
		return ERR_PTR(-EMFILE);
	close = kzalloc(sizeof(*close), gfp);
	if (!close)
		return ERR_PTR(-ENOMEM);
	kref_get(&closer->ref);
	close->closer = closer;
	close->file = file;
	return close;
}

/**
 * ranchu_close_free() - undo ranchu_close_alloc()
 * @close: not in use
 */
void ranchu_close_free(struct ranchu_close *close)
{
	kref_put(&close->closer->ref, closer_free);
	kfree(close);
}

/* The socket is gone, or as good as. */
static void close_done(struct ranchu_close *close)
{
	atomic_dec(&close->closer->pending);
	ranchu_close_free(close);
}

/* ---- kernel threads ---- */

/* Waits for others who hold the socket and have its lock. */
static void close_wait(struct file *file)
{
	struct socket *sock = sock_from_file(file);

	if (sock->sk->sk_family == AF_UNIX)
		return;
	lock_sock(sock->sk);
	if (sock->sk->sk_lingertime)
		sock_reset_flag(sock->sk, SOCK_LINGER);
	release_sock(sock->sk);
	kernel_sock_shutdown(sock, SHUT_RDWR);
}

static struct ranchu_close *closer_pop(struct ranchu_closer *closer, struct list_head *list)
{
	struct ranchu_close *close;

	lockdep_assert_held(&closer->lock);
	close = list_first_entry_or_null(list, struct ranchu_close, node);
	if (close)
		list_del(&close->node);
	return close;
}

static struct ranchu_close *waiter_next(struct close_waiter *waiter)
{
	struct ranchu_closer *closer = waiter->closer;
	struct ranchu_close *close;

	spin_lock(&closer->lock);
	close = closer_pop(closer, &closer->queued);
	if (!close) {
		if (waiter->counted)
			close_user_sub(closer->user);
		waiter->busy = false;
	}
	spin_unlock(&closer->lock);
	return close;
}

static void close_apart(struct ranchu_waiter *of)
{
	struct close_waiter *waiter = container_of(of, struct close_waiter, waiter);
	struct ranchu_closer *closer = waiter->closer;
	struct ranchu_close *close;

	while ((close = waiter_next(waiter))) {
		close_wait(close->file);
		/* Here, not in the work that closes files for the whole machine. */
		__fput_sync(close->file);
		close_done(close);
	}
	kref_put(&closer->ref, closer_free);
}

static unsigned int closer_busy_locked(const struct ranchu_closer *closer)
{
	unsigned int i, busy = 0;

	for (i = 0; i < CLOSE_WAITERS; i++)
		busy += closer->waiters[i].busy;
	return busy;
}

/*
 * Returns one that has to be started; NULL: one that is busy will look. A user who has as
 * many as may be has one more for each device only.
 */
static struct close_waiter *closer_idle_locked(struct ranchu_closer *closer)
{
	unsigned int i;

	lockdep_assert_held(&closer->lock);
	if (closer_busy_locked(closer) && close_user_count(closer->user) >= CLOSE_WAITERS_USER)
		return NULL;
	for (i = 0; i < CLOSE_WAITERS; i++) {
		if (closer->waiters[i].busy)
			continue;
		closer->waiters[i].busy = true;
		closer->waiters[i].counted = close_user_add(closer->user);
		return &closer->waiters[i];
	}
	return NULL;
}

/**
 * ranchu_close_apart() - shut a socket down and close it, whoever holds it
 * @close: its file is given away; no files sent along are in its queue
 *
 * Context: any process.
 */
void ranchu_close_apart(struct ranchu_close *close)
{
	struct ranchu_closer *closer = close->closer;
	struct close_waiter *waiter;

	atomic_inc(&closer->pending);
	spin_lock(&closer->lock);
	list_add_tail(&close->node, &closer->queued);
	waiter = closer_idle_locked(closer);
	/* @close may be gone as soon as the lock is. */
	if (waiter)
		kref_get(&closer->ref);
	spin_unlock(&closer->lock);
	if (waiter)
		ranchu_waiter_start(&waiter->waiter, close_apart);
}

/**
 * ranchu_close_too() - shut a socket down, whoever holds it, and keep it
 * @close: of a socket that is kept
 *
 * Without memory nothing happens before the socket is closed.
 *
 * Context: any process; may sleep; serialised by the caller.
 */
void ranchu_close_too(struct ranchu_close *close)
{
	struct ranchu_close *too;

	if (close->too)
		return;
	/* The caller's locks are others' too, who do not wait for this process's memory. */
	too = ranchu_close_alloc(close->closer, close->file,
				 GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	if (IS_ERR(too))
		return;
	close->too = true;
	get_file(too->file);
	ranchu_close_apart(too);
}

/* ---- threads of the owner's ---- */

/**
 * struct close_thread - a thread that closes files as it exits
 * @closer: whose; held until the thread has exited
 * @slot: which of its threads
 * @task: the thread
 * @took: it has taken them
 * @done: the same, for others
 * @stop: waits for its end, which takes as long as that of a file
 */
struct close_thread {
	struct ranchu_closer *closer;
	unsigned int slot;
	struct vhost_task *task;
	bool took;
	struct completion done;
	struct ranchu_waiter stop;
};

static struct ranchu_close *closer_next(struct ranchu_closer *closer)
{
	struct ranchu_close *close;

	spin_lock(&closer->lock);
	close = closer_pop(closer, &closer->closes);
	spin_unlock(&closer->lock);
	return close;
}

/* The files end when this task exits, or else on its way back to user mode. */
static void closer_drop(struct ranchu_closer *closer)
{
	struct ranchu_close *close;

	while ((close = closer_next(closer))) {
		fput(close->file);
		close_done(close);
	}
}

static bool thread_run(void *data)
{
	struct close_thread *thread = data;
	struct ranchu_closer *closer = thread->closer;

	/* It may be called again before it is stopped. */
	if (thread->took)
		return false;
	thread->took = true;
	if (closer->threads[thread->slot])
		put_task_struct(closer->threads[thread->slot]);
	closer->threads[thread->slot] = get_task_struct(current);
	closer_drop(closer);
	complete(&thread->done);
	return false;
}

/* The owner was killed meanwhile: the same. */
static void thread_killed(void *data)
{
	thread_run(data);
}

/*
 * Waits for the thread's end: if a signal comes before it knows that it is to exit, its
 * files end before that.
 */
static void thread_stop(struct ranchu_waiter *waiter)
{
	struct close_thread *thread = container_of(waiter, struct close_thread, stop);

	vhost_task_stop(thread->task);
	kref_put(&thread->closer->ref, closer_free);
	kfree(thread);
}

/* Returns false if there can be no thread. */
static bool closer_start(struct ranchu_closer *closer, unsigned int slot)
{
	struct close_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL_ACCOUNT);

	if (!thread)
		return false;
	thread->closer = closer;
	thread->slot = slot;
	init_completion(&thread->done);
	thread->task = vhost_task_create(thread_run, thread_killed, thread, "ranchu-close");
	/* Some kernels say it by NULL. */
	if (IS_ERR_OR_NULL(thread->task)) {
		kfree(thread);
		return false;
	}
	kref_get(&closer->ref);
	vhost_task_start(thread->task);
	/* It would not run at all if it were stopped before. */
	wait_for_completion(&thread->done);
	ranchu_waiter_start(&thread->stop, thread_stop);
	return true;
}

/* For one more thread, -1 if all that there may be are still closing. */
static int closer_slot(const struct ranchu_closer *closer)
{
	unsigned int i;

	for (i = 0; i < CLOSE_THREADS; i++)
		if (!closer->threads[i] || READ_ONCE(closer->threads[i]->exit_state))
			return i;
	return -1;
}

static bool closer_empty(struct ranchu_closer *closer)
{
	bool empty;

	spin_lock(&closer->lock);
	empty = list_empty(&closer->closes);
	spin_unlock(&closer->lock);
	return empty;
}

static void closer_run(struct ranchu_work *work, bool in_owner)
{
	struct ranchu_closer *closer = container_of(work, struct ranchu_closer, work);
	int slot;

	/* Of a worker that ends: ranchu_closer_finish() is next. */
	if (READ_ONCE(closer->worker->dead) || closer_empty(closer))
		return;
	slot = closer_slot(closer);
	if (slot < 0 || !closer_start(closer, slot))
		mod_timer(&closer->retry, jiffies + CLOSE_RETRY);
}

static void closer_retry(struct timer_list *timer)
{
	struct ranchu_closer *closer = timer_container_of(closer, timer, retry);

	ranchu_work_queue(closer->worker, &closer->work);
}

/**
 * ranchu_close_in_thread() - close a socket, and the files in its queue with it
 * @close: its file is given away; it is shut down both ways
 *
 * Context: any process.
 */
void ranchu_close_in_thread(struct ranchu_close *close)
{
	struct ranchu_closer *closer = close->closer;

	atomic_inc(&closer->pending);
	spin_lock(&closer->lock);
	list_add_tail(&close->node, &closer->closes);
	spin_unlock(&closer->lock);
	/* If there is no worker any more, ranchu_closer_finish() comes. */
	ranchu_work_queue(closer->worker, &closer->work);
}

/**
 * ranchu_closer_create() - prepare for sockets that are handed in
 * @worker: the device's; initialised
 *
 * Context: who opens the device; may sleep.
 * Return: what ranchu_closer_destroy() takes, or NULL: out of memory, or too many sockets
 * of the user's devices wait for others.
 */
struct ranchu_closer *ranchu_closer_create(struct ranchu_worker *worker)
{
	struct ranchu_closer *closer;
	unsigned int i;

	if (close_user_count(current_uid()) >= CLOSE_WAITERS_USER)
		return NULL;
	closer = kzalloc(sizeof(*closer), GFP_KERNEL_ACCOUNT);
	if (!closer)
		return NULL;
	closer->user = current_uid();
	for (i = 0; i < CLOSE_WAITERS; i++)
		closer->waiters[i].closer = closer;
	kref_init(&closer->ref);
	closer->worker = worker;
	ranchu_work_init(&closer->work, closer_run);
	timer_setup(&closer->retry, closer_retry, 0);
	spin_lock_init(&closer->lock);
	INIT_LIST_HEAD(&closer->closes);
	INIT_LIST_HEAD(&closer->queued);
	return closer;
}
EXPORT_SYMBOL_GPL(ranchu_closer_create);

/**
 * ranchu_closer_finish() - let go of what is left
 * @closer: the device has no socket any more, and its worker takes no work
 *
 * To be called when the owner was killed, and when it is gone.
 *
 * Context: the dying worker, the owner's process, or a kernel thread; may sleep.
 */
void ranchu_closer_finish(struct ranchu_closer *closer)
{
	timer_delete_sync(&closer->retry);
	if (closer_empty(closer))
		return;
	/* The worker exits anyway. A kernel thread has no better place either. */
	if (current->flags & (PF_USER_WORKER | PF_EXITING | PF_KTHREAD) ||
	    !closer_start(closer, max(closer_slot(closer), 0)))
		closer_drop(closer);
}
EXPORT_SYMBOL_GPL(ranchu_closer_finish);

/**
 * ranchu_closer_destroy() - undo ranchu_closer_create()
 * @closer: after ranchu_closer_finish(); NULL: nothing happens
 */
void ranchu_closer_destroy(struct ranchu_closer *closer)
{
	if (closer)
		kref_put(&closer->ref, closer_free);
}
EXPORT_SYMBOL_GPL(ranchu_closer_destroy);
