/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model checker for two threads that share memory and can wake each other.
 * It runs all schedules, each with all results that a weakly ordered machine allows:
 *
 *   - A store waits in its thread's buffer. Stores to different places become
 *     visible in any order; smp_wmb() orders those before it before those after
 *     it; smp_mb() waits until all are visible.
 *   - A load may return what was there at any time since the thread's last
 *     smp_rmb() or smp_mb(), but nothing older than what the thread has read or
 *     written there itself.
 *
 * A thread is a function that interacts only by the functions below, and its
 * behaviour depends only on their results. So its state is the list of
 * these results; to continue a thread, it is run again with this list.
 * States that were reached before are not explored again.
 */
#ifndef RACE_H
#define RACE_H

#include <linux/uaccess.h>

#define RACE_MEMORY 192
#define RACE_DEVICE 0
#define RACE_DRIVER 1
#define RACE_THREADS 2

/* The shared memory, with its initial values. */
extern u8 race_memory[RACE_MEMORY];

/**
 * struct race - what to check
 * @threads: the threads; they must end, in every schedule
 * @place: names an offset in race_memory, for the schedule that is printed
 */
struct race {
	void (*threads[RACE_THREADS])(void);
	const char *(*place)(unsigned int offset);
};

/**
 * struct race_result - result of a check
 * @failure: NULL, or a description of the failure
 * @states: number of different states
 * @schedules: number of schedules through them
 */
struct race_result {
	const char *failure;
	unsigned int states;
	double schedules;
};

struct race_result race_check(const struct race *race);

/* For the threads. */
u64 race_load(const void *at, unsigned int len);
void race_store(void *at, u64 val, unsigned int len);
void race_barrier(enum shim_barrier kind);
void race_wake_other(void);
void race_wait(void);
void race_fail(const char *why);
bool race_running(void);

#endif /* RACE_H */
