/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_MUTEX_H
#define SHIM_LINUX_MUTEX_H

#include "../kernel.h"

/* Comes with the kernel's mutex.h. */
typedef struct {
	bool held;
} spinlock_t;

/* One thread: a lock only has to be taken and dropped in turn. */
struct mutex {
	bool held;
};

static inline void mutex_init(struct mutex *mutex)
{
	mutex->held = false;
}

static inline void mutex_lock(struct mutex *mutex)
{
	if (mutex->held)
		abort();
	mutex->held = true;
}

/* There are no fatal signals here. */
static inline int mutex_lock_killable(struct mutex *mutex)
{
	mutex_lock(mutex);
	return 0;
}

static inline bool mutex_trylock(struct mutex *mutex)
{
	if (mutex->held)
		return false;
	mutex->held = true;
	return true;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	if (!mutex->held)
		abort();
	mutex->held = false;
}

#define lockdep_is_held(mutex) ((mutex)->held)
#define lockdep_assert_held(mutex) ((void)((mutex)->held ? 0 : (abort(), 0)))

#endif /* SHIM_LINUX_MUTEX_H */
