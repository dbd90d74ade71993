// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt line: a level-triggered interrupt that costs no exit to
 * userspace. An irqfd raises it, or in threads of the owner's irq.c; KVM lowers it when the
 * guest ends the interrupt and signals the resample eventfd, which is where the next batch
 * is announced. A VMM without an irqfd drives the line itself and tells us when
 * the guest has read the batch (ranchu_line_acked()).
 *
 * What there is to announce is the device's business (publish), which needs nothing
 * but kept memory (pin.c): whoever has something to announce announces it there and
 * then, in whatever context.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/ranchu.h>
#include <linux/ranchu_irq.h>

#include <trace/events/ranchu.h>

#include "ranchu_private.h"

static void line_publish_locked(struct ranchu_line *line, bool ended)
{
	bool some;

	lockdep_assert_held(&line->lock);
	/* What is being sent is not about this batch, so its end does not tell of it. */
	if (line->sending)
		line->ended = true;
	some = line->publish(line, ended);
	WRITE_ONCE(line->state, some ? RANCHU_LINE_DUE : RANCHU_LINE_LOW);
	if (some)
		trace_ranchu_raise(line);
}

/* Raises the line, in any context. @told: see ranchu_line_update() */
static void line_call_locked(struct ranchu_line *line, bool told)
{
	lockdep_assert_held(&line->lock);
	/* Whoever sends does this if it has to be done. */
	if (line->state != RANCHU_LINE_DUE || line->sending)
		return;
	WRITE_ONCE(line->state, RANCHU_LINE_RAISED);
	if (line->call && (line->resample || !told))
		ranchu_eventfd_signal(line->call);
}

/*
 * What has come of line->irq's sending: 1, 0 or -errno. An end meanwhile may have been that
 * of the interrupt that was sent, or of one before: what the guest has not fetched by now
 * is raised again. The irqfd leaves the pin up until the next end.
 */
static void line_settle_locked(struct ranchu_line *line, int sent)
{
	line->sending = false;
	if (sent > 0)
		WRITE_ONCE(line->sent, line->sent + 1);
	if (line->state != RANCHU_LINE_DUE)
		return;
	if (line->ended)
		line_publish_locked(line, true);
	else if (sent > 0)
		WRITE_ONCE(line->state, RANCHU_LINE_RAISED);
	line_call_locked(line, false);
}

/*
 * Raises the line in a thread of the owner's, and lets the lock go meanwhile: the ioctl may
 * sleep.
 */
static void line_raise_locked(struct ranchu_line *line, bool told)
	__must_hold(&line->lock)
{
	struct ranchu_irq *irq = line->irq;
	int sent;

	if (!RANCHU_HAS_IRQ || !irq || !line->resample) {
		line_call_locked(line, told);
		return;
	}
	if (line->state != RANCHU_LINE_DUE || line->sending)
		return;
	line->sending = true;
	line->ended = false;
	ranchu_irq_hold(irq);
	spin_unlock_irq(&line->lock);
	sent = ranchu_irq_send(irq);
	ranchu_irq_put(irq);
	spin_lock_irq(&line->lock);
	line_settle_locked(line, sent);
}

/* An interrupt has ended; KVM has lowered the line. */
static void line_end_locked(struct ranchu_line *line)
{
	lockdep_assert_held(&line->lock);
	WRITE_ONCE(line->missed, false);
	trace_ranchu_resample(line);
	line->resampled(line);
	/* Without a resample fd this is a ring from before line_connect(). */
	if (!line->resample)
		return;
	if (line->state != RANCHU_LINE_DUE)
		line_publish_locked(line, true);
	else
		line->ended = true;
}

/*
 * In KVM's end of the interrupt itself. What is to be raised again is left to
 * line_resampled(): here no eventfd can be signalled. Nor is the lock waited for, because
 * whoever has it may be signalling one. With PREEMPT_RT a spinlock may sleep, and KVM of
 * arm64 comes here with preemption off: then all is left.
 */
static bool line_resampled_early(void *data)
{
	struct ranchu_line *line = data;
	bool done;

	if (IS_ENABLED(CONFIG_PREEMPT_RT) || !spin_trylock(&line->lock)) {
		WRITE_ONCE(line->missed, true);
		return false;
	}
	line_end_locked(line);
	done = line->state != RANCHU_LINE_DUE || line->sending;
	spin_unlock(&line->lock);
	return done;
}

static void line_resampled(void *data, enum ranchu_ring how)
{
	struct ranchu_line *line = data;

	if (how == RANCHU_RING_LOST)
		return;
	spin_lock_irq(&line->lock);
	if (READ_ONCE(line->missed))
		line_end_locked(line);
	line_raise_locked(line, false);
	spin_unlock_irq(&line->lock);
}

/* What is announced is written to pinned pages, with or without the owner's memory. */
static void line_work(struct ranchu_work *work, bool in_owner)
{
	ranchu_line_announce(container_of(work, struct ranchu_line, work), false);
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
	spin_lock_init(&line->lock);
	line->state = RANCHU_LINE_LOW;
	WRITE_ONCE(line->missed, false);
	line->sending = false;
	line->ended = false;
	line->call = NULL;
	line->resample = NULL;
	line->irq = NULL;
	line->sent = 0;
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
	return ranchu_doorbell_attach_early(fd, mm, line->worker, line_resampled_early,
					    line_resampled, line);
}

/* What a line is connected to. */
struct line_ends {
	struct eventfd_ctx *call;
	struct ranchu_doorbell *resample;
};

static void line_ends_put(struct line_ends *ends)
{
	if (ends->resample)
		ranchu_doorbell_detach(ends->resample);
	if (ends->call)
		eventfd_ctx_put(ends->call);
}

static int line_ends_get(struct line_ends *ends, struct ranchu_line *line,
			 struct mm_struct *mm, int call_fd, int resample_fd)
{
	ends->call = line_call_get(call_fd);
	if (IS_ERR(ends->call))
		return PTR_ERR(ends->call);
	ends->resample = line_resample_get(line, mm, resample_fd);
	if (!IS_ERR(ends->resample))
		return 0;
	if (ends->call)
		eventfd_ctx_put(ends->call);
	return PTR_ERR(ends->resample);
}

static void line_swap(struct ranchu_line *line, struct line_ends *ends,
		      enum ranchu_line_state state)
{
	spin_lock_irq(&line->lock);
	swap(line->call, ends->call);
	swap(line->resample, ends->resample);
	WRITE_ONCE(line->missed, false);
	WRITE_ONCE(line->state, state);
	spin_unlock_irq(&line->lock);
}

/*
 * Connects the line to @ends in place of what it was connected to. In between the
 * line is connected to nothing and counts as raised, so that nobody publishes: the
 * callback of the old doorbell may still be waiting for the line's lock.
 */
static void line_connect(struct ranchu_line *line, struct line_ends *ends)
{
	struct line_ends old = {};

	line_swap(line, &old, RANCHU_LINE_RAISED);
	/* Waits for that callback. */
	line_ends_put(&old);
	line_swap(line, ends, RANCHU_LINE_LOW);
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
	ranchu_line_set_irq(line, NULL);
}
EXPORT_SYMBOL_GPL(ranchu_line_clear);

/**
 * ranchu_line_set_irq() - give threads of the owner's another way to raise the line
 * @line: the line; its publish() says true until the guest has fetched what there is, so
 *	that the end of any interrupt tells whether another one is needed
 * @irq: the interrupt that the call eventfd raises, or NULL; the line puts it
 *
 * Nobody begins to use the old one any more; a thread that is using it keeps it until it is
 * through.
 *
 * Context: may sleep, any process.
 */
void ranchu_line_set_irq(struct ranchu_line *line, struct ranchu_irq *irq)
{
	spin_lock_irq(&line->lock);
	swap(line->irq, irq);
	spin_unlock_irq(&line->lock);
	ranchu_irq_put(irq);
}
EXPORT_SYMBOL_GPL(ranchu_line_set_irq);

/**
 * ranchu_line_has_irq() - ask whether an interrupt may be sent without an eventfd
 * @line: the line
 *
 * Context: any; serialised with ranchu_line_set_irq() by the caller.
 * Return: whether there is another way to raise the line, or a thread that is using one
 * which was taken away.
 */
bool ranchu_line_has_irq(struct ranchu_line *line)
{
	bool has;

	spin_lock_irq(&line->lock);
	has = line->irq || line->sending;
	spin_unlock_irq(&line->lock);
	return has;
}
EXPORT_SYMBOL_GPL(ranchu_line_has_irq);

/* Not DUE: whoever has made it so has yet to raise the line. */
static void line_update_locked(struct ranchu_line *line, bool told)
{
	if (line->state != RANCHU_LINE_LOW)
		return;
	line_publish_locked(line, false);
	line_call_locked(line, told);
}

/**
 * ranchu_line_update() - announce what is new, unless a batch is outstanding
 * @line: the line
 * @told: the caller tells the VMM the level of a line that the VMM drives, so
 *	that the call eventfd need not
 *
 * Context: any in which an eventfd may be signalled; takes the line's lock.
 */
void ranchu_line_update(struct ranchu_line *line, bool told)
{
	unsigned long flags;

	spin_lock_irqsave(&line->lock, flags);
	line_update_locked(line, told);
	spin_unlock_irqrestore(&line->lock, flags);
}
EXPORT_SYMBOL_GPL(ranchu_line_update);

/**
 * ranchu_line_announce() - the same in a thread of the owner's
 * @line: the line
 * @told: see ranchu_line_update()
 *
 * Context: vCPU or worker; no eventfd is being signalled.
 */
void ranchu_line_announce(struct ranchu_line *line, bool told)
{
	spin_lock_irq(&line->lock);
	if (line->state == RANCHU_LINE_LOW) {
		line_publish_locked(line, false);
		line_raise_locked(line, told);
	}
	spin_unlock_irq(&line->lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_announce);

/**
 * ranchu_line_update_locked() - the same for who holds the line's lock
 * @line: the line
 *
 * Context: any in which an eventfd may be signalled.
 */
void ranchu_line_update_locked(struct ranchu_line *line)
{
	line_update_locked(line, false);
}
EXPORT_SYMBOL_GPL(ranchu_line_update_locked);

/**
 * ranchu_line_request() - have what is new announced
 * @line: the line
 *
 * At once, or, if it is the signal of an eventfd that made it new, by the worker.
 *
 * Context: any; publish() finds what is new from here on.
 */
void ranchu_line_request(struct ranchu_line *line)
{
	if (likely(eventfd_signal_allowed()))
		ranchu_line_update(line, false);
	else
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
 * Context: as ranchu_line_update().
 */
void ranchu_line_reset(struct ranchu_line *line)
{
	spin_lock_irq(&line->lock);
	line_publish_locked(line, true);
	line_call_locked(line, false);
	spin_unlock_irq(&line->lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_reset);

/**
 * ranchu_line_restore() - bring a line to where it was saved
 * @line: the line
 * @raised: a batch was outstanding
 *
 * The guest's interrupt controller may or may not know of that batch: it is told again,
 * and a level that is high already is no other interrupt.
 *
 * Context: as ranchu_line_update().
 */
void ranchu_line_restore(struct ranchu_line *line, bool raised)
{
	spin_lock_irq(&line->lock);
	WRITE_ONCE(line->state, raised ? RANCHU_LINE_RAISED : RANCHU_LINE_LOW);
	if (raised && line->call)
		ranchu_eventfd_signal(line->call);
	spin_unlock_irq(&line->lock);
}
EXPORT_SYMBOL_GPL(ranchu_line_restore);

/**
 * ranchu_line_acked() - the guest has read a batch by a trapped register read
 * @line: the line
 * @more: there is more to announce
 *
 * Without a resample fd this is the end of the interrupt; with one, the end
 * is still to come and nothing happens here.
 *
 * Context: any, with the line's lock held.
 */
void ranchu_line_acked(struct ranchu_line *line, bool more)
{
	lockdep_assert_held(&line->lock);
	if (!line->resample)
		WRITE_ONCE(line->state, more ? RANCHU_LINE_RAISED : RANCHU_LINE_LOW);
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
	return READ_ONCE(line->state) != RANCHU_LINE_LOW;
}
EXPORT_SYMBOL_GPL(ranchu_line_raised);
