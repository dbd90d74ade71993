// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET_STATS: sums of what each pipe and the device have counted.
 */
#include "goldfish_pipe.h"

/**
 * pipe_stats_add() - add one pipe's counts to a sum
 * @sum: the sum
 * @counts: the pipe's; it may be counting
 */
void pipe_stats_add(struct pipe_counts *sum, const struct pipe_counts *counts)
{
	unsigned int i;

	for (i = 0; i < PIPE_CALLERS; i++)
		sum->calls[i] += READ_ONCE(counts->calls[i]);
	sum->commands += READ_ONCE(counts->commands);
	sum->opens += READ_ONCE(counts->opens);
	sum->closes += READ_ONCE(counts->closes);
	sum->bytes_to_host += READ_ONCE(counts->bytes_to_host);
	sum->bytes_to_guest += READ_ONCE(counts->bytes_to_guest);
}

/**
 * pipe_stats_get() - fill in what GET_STATS answers
 * @dev: the device, @dev->life locked: its owner stays the same meanwhile
 * @stats: filled, but for the size
 *
 * Context: may sleep.
 */
void pipe_stats_get(struct pipe_dev *dev, struct vhost_goldfish_pipe_stats *stats)
{
	const struct pipe_stats *in = &dev->stats;
	struct pipe_counts sum = in->gone;
	u64 pipes = 0, doorbells = 0;
	struct pipe *pipe;
	unsigned long id;

	lockdep_assert_held(&dev->life);
	xa_for_each(&dev->pipes, id, pipe) {
		pipe_stats_add(&sum, &pipe->counts);
		pipes += !!READ_ONCE(pipe->service);
		doorbells += !!READ_ONCE(pipe->doorbell);
		cond_resched();
	}
	*stats = (struct vhost_goldfish_pipe_stats) {
		.kicks = sum.calls[PIPE_BY_VCPU],
		.kicks_foreign = sum.calls[PIPE_BY_WORKER],
		.kicks_lost = atomic64_read(&in->kicks_lost),
		.commands = sum.commands + atomic64_read(&in->commands),
		.commands_access = atomic64_read(&in->commands_access),
		.opens = sum.opens,
		.closes = sum.closes,
		.bytes_to_host = sum.bytes_to_host,
		.bytes_to_guest = sum.bytes_to_guest,
		.signals = READ_ONCE(in->signals),
		.batches = READ_ONCE(in->batches),
		.resamples = atomic64_read(&in->resamples),
		.bad_guest = atomic64_read(&in->bad_guest),
		.pipes = pipes,
		.doorbells = doorbells,
		.dma = READ_ONCE(dev->dma.n),
		.line_vm = READ_ONCE(dev->line.sent),
	};
}
