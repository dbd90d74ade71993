/* SPDX-License-Identifier: GPL-2.0-only */
/* One thread, without task works. */
#ifndef SHIM_LINUX_TASK_WORK_H
#define SHIM_LINUX_TASK_WORK_H

#include "sched.h"

#define TASK_RUNNING 0
#define TIF_NOTIFY_SIGNAL 0

#define init_task_work(work, function) ((work)->func = (function))
#define task_work_pending(task) false
#define set_thread_flag(flag) ((void)0)
#define __set_current_state(state) ((void)0)

#endif /* SHIM_LINUX_TASK_WORK_H */
