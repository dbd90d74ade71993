/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the program that is built is being killed. */
#ifndef SHIM_LINUX_SCHED_SIGNAL_H
#define SHIM_LINUX_SCHED_SIGNAL_H

#include "../../kernel.h"

#ifdef SHIM_SIGNAL_HOOK
bool shim_fatal_signal_pending(void);
#define fatal_signal_pending(task) shim_fatal_signal_pending()
#else
#define fatal_signal_pending(task) false
#endif

#endif /* SHIM_LINUX_SCHED_SIGNAL_H */
