/* SPDX-License-Identifier: GPL-2.0-only */
/* A process as others name it; its references are counted. */
#ifndef SHIM_LINUX_PID_H
#define SHIM_LINUX_PID_H

#include "sched.h"

#define task_tgid(task) (&(task)->tgid)

static inline struct pid *get_pid(struct pid *pid)
{
	pid->count++;
	return pid;
}

static inline void put_pid(struct pid *pid)
{
	if (pid)
		pid->count--;
}

#endif /* SHIM_LINUX_PID_H */
