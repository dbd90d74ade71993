/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that share the owner's memory; the program that is built supplies them. */
#ifndef SHIM_LINUX_SCHED_VHOST_TASK_H
#define SHIM_LINUX_SCHED_VHOST_TASK_H

#include "../../kernel.h"

struct vhost_task;

struct vhost_task *vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data),
				     void *data, const char *name);
void vhost_task_start(struct vhost_task *task);
void vhost_task_stop(struct vhost_task *task);
void vhost_task_wake(struct vhost_task *task);

#endif /* SHIM_LINUX_SCHED_VHOST_TASK_H */
