/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two halves of ranchu_watch.ko share: watch.c measures how long tasks
 * sleep, watch_judge.c decides which sleeps break the rule.
 */
#ifndef _LAB_WATCH_H
#define _LAB_WATCH_H

#include <linux/sched.h>
#include <linux/types.h>

#define WATCH_DEPTH 64
#define WATCH_WAKER_DEPTH 12

/**
 * struct watch_sleep - one sleep that was long enough to be looked at
 * @pid: the thread
 * @comm: its name
 * @flags: its PF_ flags
 * @state: the task state in which it slept
 * @owner: its process has, or had, a worker of a device
 * @ms: how long it slept, in ms during which all CPUs ran
 * @real_ms: the same by the clock
 * @waker: the name of the task that ended a long sleep, or that was interrupted by it
 * @waker_depth: entries of @waker_stack
 * @waker_stack: where that was: who lets a lock go is who held it
 * @depth: entries of @stack
 * @ours: a bit for each entry of @stack that is in a module that is watched
 * @stack: return addresses, the innermost first, without the scheduler's own
 */
struct watch_sleep {
	pid_t pid;
	char comm[TASK_COMM_LEN];
	unsigned int flags;
	unsigned int state;
	bool owner;
	unsigned int ms;
	unsigned int real_ms;
	char waker[TASK_COMM_LEN];
	unsigned int waker_depth;
	unsigned long waker_stack[WATCH_WAKER_DEPTH];
	unsigned int depth;
	u64 ours;
	unsigned long stack[WATCH_DEPTH];
};

extern unsigned int watch_bound_ms;
extern unsigned int watch_d_bound_ms;

bool watch_state_is_d(unsigned int state);
bool watch_pop(struct watch_sleep *sleep);
unsigned int watch_crowded(void);
unsigned int watch_lost(void);
unsigned int watch_missed(void);
u64 watch_seen(void);

void judge_wake(void);
int judge_init(void);
void judge_exit(void);

#endif /* _LAB_WATCH_H */
