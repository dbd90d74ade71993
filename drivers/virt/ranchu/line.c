// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt line: a level-triggered interrupt that costs no exit to
 * userspace. An irqfd raises it; KVM lowers it when the guest ends the
 * interrupt and signals the resample eventfd, which is where the next batch is
 * announced. A VMM without an irqfd drives the line itself and tells us when
 * the guest has read the batch (ranchu_line_acked()).
 *
 * What there is to announce is the device's business (publish). Publishing needs
 * the owner's memory. Who has something to announce often has not, a socket's
 * callback say, and waking the worker first would cost more than all the rest. So
 * the line is raised there and then, and the vCPU that took the last interrupt is
 * to publish before it enters the guest, which it must do to take this one: a
 * promise. If another vCPU takes it, that one finds nothing, or perhaps
 * something, and ends the interrupt; the end tells where it was, and if it is not
 * sure that the guest has seen the batch, the line is raised again. Each raise
 * has one end and there is one raise at a time, so nothing is lost.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/ranchu.h>
#include <linux/sched/task.h>

#include <trace/events/ranchu.h>

#include "ranchu_private.h"

/*
 * A vCPU takes no interrupt that comes after ranchu_doorbell_ring_in() without
 * passing through its task works. KVM on other machines may hand a running vCPU an
 * interrupt without stopping it.
 */
#define LINE_PROMISES IS_ENABLED(CONFIG_ARM64)

/* Somebody may promise while we publish. Returns the state before. */
static enum ranchu_line_state line_published_locked(struct ranchu_line *line)
{
	enum ranchu_line_state was;

	spin_lock_irq(&line->raise_lock);
	was = line->state;
	if (was == RANCHU_LINE_IDLE)
		WRITE_ONCE(line->state, RANCHU_LINE_RAISED);
	else if (was == RANCHU_LINE_PROMISED)
		/* A vCPU that publishes is not in the guest. */
		WRITE_ONCE(line->state, line->vcpu == current ?
			   RANCHU_LINE_RAISED_FOR_VCPU : RANCHU_LINE_RAISED_LATE);
	spin_unlock_irq(&line->raise_lock);
	return was;
}

/* @told: see ranchu_line_update() */
static void line_publish_locked(struct ranchu_line *line, bool ended, bool told)
{
	lockdep_assert_held(&line->lock);
	if (!line->publish(line, ended))
		return;
	if (line_published_locked(line) != RANCHU_LINE_IDLE)
		return;
	trace_ranchu_raise(line);
	if (line->call && (line->resample || !told))
		ranchu_eventfd_signal(line->call);
}

/*
 * Before publish() looks for something new: a signaller that comes too late for
 * it finds the line idle and raises it itself. Returns false if the batch stays,
 * because the guest may have looked before it was there.
 */
static bool line_end_locked(struct ranchu_line *line, bool in_vcpu)
{
	struct task_struct *old = NULL;
	bool seen;

	spin_lock_irq(&line->raise_lock);
	seen = line->state != RANCHU_LINE_RAISED_LATE &&
	       (line->state != RANCHU_LINE_RAISED_FOR_VCPU || line->vcpu == current);
	WRITE_ONCE(line->state, seen ? RANCHU_LINE_IDLE : RANCHU_LINE_RAISED);
	if (LINE_PROMISES && in_vcpu && line->vcpu != current) {
		old = line->vcpu;
		line->vcpu = get_task_struct(current);
	}
	spin_unlock_irq(&line->raise_lock);
	if (old)
		put_task_struct(old);
	return seen;
}

/* The guest has ended the interrupt; KVM has lowered the line. */
static void line_resampled(void *data, enum ranchu_ring how)
{
	struct ranchu_line *line = data;

	if (how == RANCHU_RING_LOST)
		return;
	trace_ranchu_resample(line);
	line->resampled(line);
	mutex_lock(&line->lock);
	/* Without a resample fd this is a ring from before line_connect(). */
	if (!line->resample)
		goto out_unlock;
	if (line_end_locked(line, how == RANCHU_RING_VCPU))
		line_publish_locked(line, true, false);
	else if (line->call)
		ranchu_eventfd_signal(line->call);
out_unlock:
	mutex_unlock(&line->lock);
}

/* The line was raised; in the vCPU that is thought to take the interrupt. */
static void line_promised(void *data, enum ranchu_ring how)
{
	struct ranchu_line *line = data;
	enum ranchu_line_state state;

	if (how == RANCHU_RING_LOST)
		return;
	mutex_lock(&line->lock);
	state = READ_ONCE(line->state);
	if (state == RANCHU_LINE_PROMISED || state == RANCHU_LINE_IDLE)
		line_publish_locked(line, false, false);
	mutex_unlock(&line->lock);
}

/* Returns true if what there is to announce will be announced. */
static bool line_promise(struct ranchu_line *line)
{
	unsigned long flags;
	bool done = false;

	spin_lock_irqsave(&line->raise_lock, flags);
	if (line->state != RANCHU_LINE_IDLE) {
		/* Whoever ends the interrupt looks again, after this lock. */
		done = line->resample;
	} else if (line->vcpu && line->call && eventfd_signal_allowed() &&
		   /* 0: another thread still has the last promise before it. */
		   ranchu_doorbell_ring_in(line->promise, line->vcpu) > 0) {
		WRITE_ONCE(line->state, RANCHU_LINE_PROMISED);
		trace_ranchu_raise(line);
		ranchu_eventfd_signal(line->call);
		done = true;
	}
	spin_unlock_irqrestore(&line->raise_lock, flags);
	return done;
}

static void line_work(struct ranchu_work *work)
{
	ranchu_line_update(container_of(work, struct ranchu_line, work), false);
}

/**
 * ranchu_line_init() - make a line that is connected to nothing
 * @line: not yet in use
 * @worker: outlives the line
 * @publish: see struct ranchu_line
 * @resampled: see struct ranchu_line
 */
void ranchu_line_init(struct ranchu_line *line, struct ranchu_worker *worker,
		      bool (*publish)(struct ranchu_line *line, bool ended),
		      void (*resampled)(struct ranchu_line *line))
{
	mutex_init(&line->lock);
	spin_lock_init(&line->raise_lock);
	line->state = RANCHU_LINE_IDLE;
	line->call = NULL;
	line->resample = NULL;
	line->promise = NULL;
	line->vcpu = NULL;
	ranchu_work_init(&line->work, line_work);
	line->worker = worker;
	line->publish = publish;
	line->resampled = resampled;
}
EXPORT_SYMBOL_GPL(ranchu_line_init);

static struct eventfd_ctx *line_call_get(int fd)
{
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

static struct ranchu_doorbell *
line_resample_get(struct ranchu_line *line, struct mm_struct *mm, int fd)
{
	if (fd == -1)
		return NULL;
	return ranchu_doorbell_attach(fd, mm, line->worker, RANCHU_SERVE_VCPU,
				      line_resampled, line);
}

/* What a line is connected to. */
struct line_ends {
	struct eventfd_ctx *call;
	struct ranchu_doorbell *resample;
	struct ranchu_doorbell *promise;
};

static void line_ends_put(struct line_ends *ends)
{
	if (ends->promise)
		ranchu_doorbell_detach(ends->promise);
	if (ends->resample)
		ranchu_doorbell_detach(ends->resample);
	if (ends->call)
		eventfd_ctx_put(ends->call);
}

static int line_ends_get(struct line_ends *ends, struct ranchu_line *line,
			 struct mm_struct *mm, int call_fd, int resample_fd)
{
	int err;

	ends->call = line_call_get(call_fd);
	if (IS_ERR(ends->call))
		return PTR_ERR(ends->call);
	ends->promise = ranchu_doorbell_create(mm, line->worker, RANCHU_SERVE_VCPU,
					       line_promised, line);
	if (IS_ERR(ends->promise)) {
		err = PTR_ERR(ends->promise);
		goto err_call;
	}
	ends->resample = line_resample_get(line, mm, resample_fd);
	if (IS_ERR(ends->resample)) {
		err = PTR_ERR(ends->resample);
		goto err_promise;
	}
	return 0;

err_promise:
	ranchu_doorbell_detach(ends->promise);
err_call:
	if (ends->call)
		eventfd_ctx_put(ends->call);
	return err;
}

/* Returns the thread that @line->vcpu had a reference of. */
static struct task_struct *line_swap_locked(struct ranchu_line *line,
					    struct line_ends *ends,
					    enum ranchu_line_state state)
{
	struct task_struct *vcpu;

	lockdep_assert_held(&line->lock);
	spin_lock_irq(&line->raise_lock);
	swap(line->call, ends->call);
	swap(line->resample, ends->resample);
	swap(line->promise, ends->promise);
	vcpu = line->vcpu;
	line->vcpu = NULL;
	WRITE_ONCE(line->state, state);
	spin_unlock_irq(&line->raise_lock);
	return vcpu;
}

/*
 * Connects the line to @ends in place of what it was connected to. In between the
 * line is connected to nothing and counts as raised, so that nobody publishes: the
 * callbacks of the old doorbells may still be waiting for the line's lock.
 */
static void line_connect(struct ranchu_line *line, struct line_ends *ends)
{
	struct line_ends old = {};
	struct task_struct *vcpu;

	mutex_lock(&line->lock);
	vcpu = line_swap_locked(line, &old, RANCHU_LINE_RAISED);
	mutex_unlock(&line->lock);
	if (vcpu)
		put_task_struct(vcpu);
	/* Waits for these callbacks, which take the lock. */
	line_ends_put(&old);

	mutex_lock(&line->lock);
	/* Without a resample fd no thread has been remembered meanwhile. */
	line_swap_locked(line, ends, RANCHU_LINE_IDLE);
	mutex_unlock(&line->lock);
}

/**
 * ranchu_line_set() - connect the line
 * @line: the line
 * @mm: the owner's
 * @call_fd: eventfd that raises the line, or -1
 * @resample_fd: eventfd that KVM signals at the end of interrupt, or -1
 *
 * The line counts as low; what waits to be announced is announced.
 *
 * Context: the owner's process; may sleep; serialised by the caller.
 * Return:
 * * 0: done
 * * -EBADF: an fd is not open
 * * -EINVAL: an fd is no eventfd
 * * -ENOMEM: no memory
 */
int ranchu_line_set(struct ranchu_line *line, struct mm_struct *mm,
		    int call_fd, int resample_fd)
{
	struct line_ends ends;
	int err = line_ends_get(&ends, line, mm, call_fd, resample_fd);

	if (err)
		return err;
	line_connect(line, &ends);
	ranchu_line_update(line, false);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_line_set);

/**
 * ranchu_line_clear() - disconnect the line
 * @line: may be connected to nothing
 *
 * Context: may sleep; serialised by the caller.
 */
void ranchu_line_clear(struct ranchu_line *line)
{
	struct line_ends nothing = {};

	line_connect(line, &nothing);
}
EXPORT_SYMBOL_GPL(ranchu_line_clear);

/**
 * ranchu_line_update() - announce what is new, unless a batch is outstanding
 * @line: the line
 * @told: the caller tells the VMM the level of a line that the VMM drives, so
 *	that the call eventfd need not
 *
 * Context: vCPU or worker; takes the line's lock.
 */
void ranchu_line_update(struct ranchu_line *line, bool told)
{
	mutex_lock(&line->lock);
	if (READ_ONCE(line->state) == RANCHU_LINE_IDLE)
		line_publish_locked(line, false, told);
	mutex_unlock(&line->lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_update);

/**
 * ranchu_line_request() - have what is new announced
 * @line: the line
 *
 * By a promise (see above), or else by ranchu_line_update() in the worker.
 *
 * Context: any; publish() finds what is new from here on.
 */
void ranchu_line_request(struct ranchu_line *line)
{
	if (!line_promise(line))
		ranchu_work_queue(line->worker, &line->work);
}
EXPORT_SYMBOL_GPL(ranchu_line_request);

/**
 * ranchu_line_reset() - forget that a batch is outstanding
 * @line: the line
 *
 * For a guest that starts the device anew. KVM's line may still be high then;
 * the guest takes one interrupt with nothing to it.
 *
 * Context: vCPU or worker; takes the line's lock.
 */
void ranchu_line_reset(struct ranchu_line *line)
{
	mutex_lock(&line->lock);
	spin_lock_irq(&line->raise_lock);
	WRITE_ONCE(line->state, RANCHU_LINE_IDLE);
	spin_unlock_irq(&line->raise_lock);
	line_publish_locked(line, true, false);
	mutex_unlock(&line->lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_reset);

/**
 * ranchu_line_acked() - the guest has read a batch by a trapped register read
 * @line: the line
 * @more: there is more to announce
 *
 * Without a resample fd this is the end of the interrupt; with one, the end
 * is still to come and nothing happens here.
 *
 * Context: vCPU or worker, with the line's lock held.
 */
void ranchu_line_acked(struct ranchu_line *line, bool more)
{
	lockdep_assert_held(&line->lock);
	if (line->resample)
		return;
	spin_lock_irq(&line->raise_lock);
	WRITE_ONCE(line->state, more ? RANCHU_LINE_RAISED : RANCHU_LINE_IDLE);
	spin_unlock_irq(&line->raise_lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_acked);

/**
 * ranchu_line_raised() - tell the level that a VMM without irqfd should drive
 * @line: the line
 *
 * Context: any; a hint unless the caller holds the line's lock.
 * Return: true for high.
 */
bool ranchu_line_raised(struct ranchu_line *line)
{
	return READ_ONCE(line->state) != RANCHU_LINE_IDLE;
}
EXPORT_SYMBOL_GPL(ranchu_line_raised);
