/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model checker for two threads that share memory and can wake each other.
 * It goes through all schedules, and through all that a weakly ordered machine
 * may make of each:
 *
 *   - A store waits in its thread's buffer. Stores to different places become
 *     visible in any order; smp_wmb() orders those before it before those after
 *     it; smp_mb() waits until all are visible.
 *   - A load may return what was there at any time since the thread's last
 *     smp_rmb() or smp_mb(), but nothing older than what the thread has read or
 *     written there itself.
 *
 * A thread is a function that does nothing but call the functions below, and is
 * the same whenever their results are the same. So its state is the list of
 * these results; to go on, it is run anew with the list as far as it goes.
 * States that were seen before are not gone through again.
 */
#ifndef RACE_H
#define RACE_H

#include <linux/uaccess.h>

#define RACE_MEMORY 192
#define RACE_DEVICE 0
#define RACE_DRIVER 1
#define RACE_THREADS 2

/* The memory the threads share; here it has its first values. */
extern u8 race_memory[RACE_MEMORY];

/**
 * struct race - what to check
 * @threads: the threads; they are to end, in every schedule
 * @place: names an offset in race_memory, for the schedule that is printed
 */
struct race {
	void (*threads[RACE_THREADS])(void);
	const char *(*place)(unsigned int offset);
};

/**
 * struct race_result - what came of it
 * @failure: NULL, or what went wrong
 * @states: different ones that were reached
 * @schedules: that lead through them
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
