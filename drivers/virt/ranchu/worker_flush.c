// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a worker (worker.c): until it has done what it was given before.
 */
#include <linux/completion.h>
#include <linux/export.h>
#include <linux/ranchu.h>
#include <linux/refcount.h>
#include <linux/slab.h>

/**
 * struct worker_mark - a place in the queue of a worker
 * @work: does nothing
 * @passed: the worker has come by
 * @users: who waits, and the worker: whoever is last frees it
 */
struct worker_mark {
	struct ranchu_work work;
	struct completion passed;
	refcount_t users;
};

static void worker_mark_put(struct worker_mark *mark)
{
	if (refcount_dec_and_test(&mark->users))
		kfree(mark);
}

static void worker_mark_pass(struct ranchu_work *work, bool in_owner)
{
	struct worker_mark *mark = container_of(work, struct worker_mark, work);

	complete(&mark->passed);
	worker_mark_put(mark);
}

/**
 * ranchu_worker_flush() - wait until the worker has done all that was queued
 * @worker: the worker
 *
 * Context: may sleep, with no lock held that work takes; not the worker's own thread.
 * Return:
 * * 0: it has, or it does nothing any more
 * * -EINTR: the caller was killed
 * * -ENOMEM
 */
int ranchu_worker_flush(struct ranchu_worker *worker)
{
	struct worker_mark *mark = kmalloc(sizeof(*mark), GFP_KERNEL);
	int err;

	if (!mark)
		return -ENOMEM;
	ranchu_work_init(&mark->work, worker_mark_pass);
	init_completion(&mark->passed);
	refcount_set(&mark->users, 2);
	if (ranchu_work_queue(worker, &mark->work) < 0) {
		kfree(mark);
		return 0;
	}
	err = wait_for_completion_killable(&mark->passed);
	worker_mark_put(mark);
	return err ? -EINTR : 0;
}
EXPORT_SYMBOL_GPL(ranchu_worker_flush);
