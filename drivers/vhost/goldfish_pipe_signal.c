// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals: which pipes have something to tell the guest, and batches of them.
 *
 * A wake is asked for by WAKE_ON_x, or by a POLL that did not see everything,
 * and is sent once. Pipes to announce queue first in, first out. With a
 * register window a batch is written to the signal buffer and its count to
 * GET_SIGNALLED before the line goes up, and the next one waits for the end of
 * the interrupt; without one, the trapped read of GET_SIGNALLED writes it. In
 * protocol v1 pipes are fetched one by one, by trapped reads.
 */
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <trace/events/ranchu.h>

#include "goldfish_pipe.h"

/* Entries that are copied to the guest in one go; bounds the stack. */
#define SIGNAL_CHUNK 32
#define SIGNAL_SIZE sizeof(struct goldfish_pipe_signal)

static void signal_count_locked(struct pipe_dev *dev)
{
	lockdep_assert_held(&dev->signal_lock);
	pipe_count(&dev->stats.signals, 1);
}

static u32 signal_wake_of(u32 poll_bits)
{
	u32 wake = 0;

	if (poll_bits & GOLDFISH_PIPE_POLL_IN)
		wake |= GOLDFISH_PIPE_WAKE_READ;
	if (poll_bits & GOLDFISH_PIPE_POLL_OUT)
		wake |= GOLDFISH_PIPE_WAKE_WRITE;
	return wake;
}

/*
 * Have it announced. A command of this very pipe in this very task (or an
 * interrupt that hit it) does so at its end.
 */
static void signal_announce(struct pipe *pipe, u32 wake)
{
	trace_ranchu_signal(pipe->dev, pipe->id, wake);
	if (READ_ONCE(pipe->runner) != current)
		ranchu_line_request(&pipe->dev->line);
}

/**
 * pipe_ready() - a service has become readable or writable
 * @pipe: the pipe
 * @poll_bits: GOLDFISH_PIPE_POLL_IN and _OUT: as what
 *
 * Wakes whoever waits for that. Spurious calls are harmless.
 *
 * Context: any; after the change that made it so.
 */
void pipe_ready(struct pipe *pipe, u32 poll_bits)
{
	struct pipe_dev *dev = pipe->dev;
	unsigned long flags;
	u32 fire;

	spin_lock_irqsave(&dev->signal_lock, flags);
	fire = pipe_batch_fire(&dev->signalled, &pipe->signal,
			       signal_wake_of(poll_bits));
	if (fire)
		signal_count_locked(dev);
	spin_unlock_irqrestore(&dev->signal_lock, flags);
	if (fire)
		signal_announce(pipe, fire);
}

/**
 * pipe_arm() - somebody in the guest waits
 * @pipe: open
 * @wake: GOLDFISH_PIPE_WAKE_READ and _WRITE: for what
 *
 * If it is so already, the wake is sent at once. It cannot get lost: the
 * service changes first and then looks for whom to wake (pipe_ready()), we note
 * whom to wake and then look at the service.
 *
 * Context: vCPU or worker, with the pipe's lock held.
 */
void pipe_arm(struct pipe *pipe, u32 wake)
{
	struct pipe_dev *dev = pipe->dev;

	lockdep_assert_held(&pipe->lock);
	spin_lock_irq(&dev->signal_lock);
	pipe->signal.armed |= wake;
	spin_unlock_irq(&dev->signal_lock);
	pipe_ready(pipe, pipe->service->poll(pipe));
}

/**
 * pipe_hang_up() - close a pipe from the host's side
 * @pipe: open; stays so, and answers IO, until the guest closes it
 *
 * Context: any. A second call does nothing.
 */
void pipe_hang_up(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&dev->signal_lock, flags);
	first = !pipe->hung_up;
	if (first) {
		WRITE_ONCE(pipe->hung_up, true);
		pipe_batch_add(&dev->signalled, &pipe->signal,
			       GOLDFISH_PIPE_WAKE_CLOSED);
		signal_count_locked(dev);
	}
	spin_unlock_irqrestore(&dev->signal_lock, flags);
	if (first)
		signal_announce(pipe, GOLDFISH_PIPE_WAKE_CLOSED);
}

/**
 * pipe_hang_up_again() - tell a guest again that a pipe is hung up
 * @pipe: hung up
 *
 * For a guest that is about to wait. Linux's driver takes no notice of the status
 * then; and if it has handled the signal after its command failed but before it
 * noted what it waits for, nothing else would ever wake it.
 *
 * Context: vCPU or worker, with the pipe's lock held.
 */
void pipe_hang_up_again(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;

	spin_lock_irq(&dev->signal_lock);
	pipe_batch_add(&dev->signalled, &pipe->signal, GOLDFISH_PIPE_WAKE_CLOSED);
	signal_count_locked(dev);
	spin_unlock_irq(&dev->signal_lock);
	signal_announce(pipe, GOLDFISH_PIPE_WAKE_CLOSED);
}

/**
 * pipe_unlock_dma() - a service is through with the guest's DMA memory
 * @pipe: open
 *
 * The guest is told, whether it asked for that or not.
 *
 * Context: any.
 */
void pipe_unlock_dma(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;
	unsigned long flags;

	spin_lock_irqsave(&dev->signal_lock, flags);
	pipe_batch_add(&dev->signalled, &pipe->signal,
		       GOLDFISH_PIPE_WAKE_UNLOCK_DMA);
	signal_count_locked(dev);
	spin_unlock_irqrestore(&dev->signal_lock, flags);
	signal_announce(pipe, GOLDFISH_PIPE_WAKE_UNLOCK_DMA);
}

/**
 * pipe_signal_forget() - drop what a pipe had to tell
 * @pipe: just closed; its service calls no more
 *
 * Context: may sleep.
 */
void pipe_signal_forget(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;

	spin_lock_irq(&dev->signal_lock);
	pipe_batch_drop(&pipe->signal);
	WRITE_ONCE(pipe->hung_up, false);
	spin_unlock_irq(&dev->signal_lock);
}

/**
 * pipe_signal_recall() - take back what was announced of a pipe
 * @pipe: just closed by the guest, which may not have looked at the batch yet
 *
 * It would take what it finds there for the pipe that gets the number next.
 * Without a window it has looked: the trapped read that wrote the batch is made
 * with the driver's lock held.
 *
 * Context: process; takes the line's lock.
 */
void pipe_signal_recall(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;
	u32 at, end;

	spin_lock_irq(&dev->line.lock);
	end = min_t(u32, dev->published * SIGNAL_SIZE, dev->signals.len);
	for (at = 0; at + SIGNAL_SIZE <= end; at += SIGNAL_SIZE) {
		struct goldfish_pipe_signal signal;

		ranchu_pin_read(&dev->signals, at, &signal, sizeof(signal));
		if (le32_to_cpu(signal.id) != pipe->id)
			continue;
		signal.flags = 0;
		ranchu_pin_write(&dev->signals, at, &signal, sizeof(signal));
	}
	spin_unlock_irq(&dev->line.lock);
}

/**
 * pipe_signal_waiting() - tell whether there is something to announce
 * @dev: the device
 *
 * Context: any; sees what the caller itself has signalled.
 * Return: true if there is.
 */
bool pipe_signal_waiting(struct pipe_dev *dev)
{
	return !list_empty_careful(&dev->signalled);
}

static unsigned int signal_pop(struct pipe_dev *dev,
			       struct goldfish_pipe_signal *batch, unsigned int max)
{
	unsigned int n;

	lockdep_assert_held(&dev->line.lock);
	spin_lock(&dev->signal_lock);
	n = pipe_batch_pop(&dev->signalled, batch, max);
	spin_unlock(&dev->signal_lock);
	return n;
}

/* Fills the signal buffer. Returns entries written. */
static u32 signal_fill_locked(struct pipe_dev *dev)
{
	/* As many are written to the guest as were popped, no more. */
	struct goldfish_pipe_signal batch[SIGNAL_CHUNK] __uninitialized;
	const u32 room = dev->signals.len / SIGNAL_SIZE;
	u32 done = 0;

	lockdep_assert_held(&dev->line.lock);
	while (done < room) {
		unsigned int n = signal_pop(dev, batch,
					    min_t(u32, room - done, ARRAY_SIZE(batch)));

		if (!n)
			break;
		ranchu_pin_write(&dev->signals, done * SIGNAL_SIZE, batch, n * SIGNAL_SIZE);
		done += n;
	}
	if (done)
		pipe_count(&dev->stats.batches, 1);
	return done;
}

/*
 * Keeps as much of the signal buffer as there is and is of use: what lies in one piece
 * and in two pages, or at least one entry.
 */
static int signal_pin(struct pipe_dev *dev, struct ranchu_pin *pin)
{
	const u64 gpa = dev->signal_gpa;
	size_t len = dev->signal_count * SIGNAL_SIZE;
	int idx = ranchu_mem_enter(&dev->mem);
	void __user *uaddr;
	int err = -EFAULT;

	uaddr = ranchu_mem_user(&dev->mem, gpa, len);
	if (!uaddr) {
		len = max(round_down(PAGE_SIZE - offset_in_page(gpa), SIGNAL_SIZE), SIGNAL_SIZE);
		uaddr = ranchu_mem_user(&dev->mem, gpa, len);
	}
	if (uaddr)
		err = ranchu_pin_get(pin, uaddr, len);
	ranchu_mem_leave(&dev->mem, idx);
	return err;
}

/**
 * pipe_signal_place() - find the signal buffer where the guest has said it is
 * @dev: the device; its memory or its registers have changed
 *
 * Without a buffer nothing is announced: the guest has done that to itself. What was
 * signalled before may have a place now: ranchu_line_update() is the caller's.
 *
 * Context: the owner's process, @dev->config held; takes the line's lock.
 */
void pipe_signal_place(struct pipe_dev *dev)
{
	struct ranchu_pin pin = {};

	lockdep_assert_held(&dev->config);
	if (dev->signal_count && signal_pin(dev, &pin))
		pipe_bad_guest(dev);
	spin_lock_irq(&dev->line.lock);
	swap(dev->signals, pin);
	spin_unlock_irq(&dev->line.lock);
	ranchu_pin_put(&pin);
}

/**
 * pipe_signal_publish() - announce the next batch; struct ranchu_line's publish
 * @line: the device's line
 * @ended: the guest is through with the last batch
 *
 * Return: true if there is something to announce.
 */
bool pipe_signal_publish(struct ranchu_line *line, bool ended)
{
	struct pipe_dev *dev = container_of(line, struct pipe_dev, line);
	u32 count;

	/* What has come meanwhile is announced when the device goes on. */
	if (pipe_is_stopped(dev))
		return false;
	if (pipe_speaks_v1(dev))
		return pipe_signal_waiting(dev);
	if (!dev->window.len)
		return dev->signals.len && (dev->published || pipe_signal_waiting(dev));
	count = signal_fill_locked(dev);
	if (count || ended) {
		dev->published = count;
		/* The entries before their count. */
		smp_wmb();
		pipe_window_put(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED, count);
	}
	return count;
}

/**
 * pipe_signal_resampled() - count the end of an interrupt
 * @line: the device's line
 */
void pipe_signal_resampled(struct ranchu_line *line)
{
	struct pipe_dev *dev = container_of(line, struct pipe_dev, line);

	atomic64_inc(&dev->stats.resamples);
}

/**
 * pipe_signal_fetch() - serve a trapped read of GET_SIGNALLED
 * @dev: the device
 *
 * Context: process; takes the line's lock.
 * Return: entries in the signal buffer.
 */
u32 pipe_signal_fetch(struct pipe_dev *dev)
{
	u32 count;

	spin_lock_irq(&dev->line.lock);
	/* With a window it was announced before the line went up; not twice. */
	count = dev->published;
	if (!dev->window.len) {
		/* A batch that was saved when there was a window is in the buffer already. */
		if (count)
			dev->published = 0;
		else
			count = signal_fill_locked(dev);
		ranchu_line_acked(&dev->line, pipe_signal_waiting(dev));
	}
	spin_unlock_irq(&dev->line.lock);
	return count;
}

/**
 * pipe_signal_fetch_one() - take the next signalled pipe, as protocol v1 does
 * @dev: the device
 * @signal: set
 *
 * The line goes down when there is none.
 *
 * Context: vCPU; takes the line's lock.
 * Return: false if there is none.
 */
bool pipe_signal_fetch_one(struct pipe_dev *dev, struct goldfish_pipe_signal *signal)
{
	bool one;

	spin_lock_irq(&dev->line.lock);
	one = signal_pop(dev, signal, 1);
	if (!one)
		ranchu_line_acked(&dev->line, pipe_signal_waiting(dev));
	spin_unlock_irq(&dev->line.lock);
	return one;
}
