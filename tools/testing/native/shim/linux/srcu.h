/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_SRCU_H
#define SHIM_LINUX_SRCU_H

#include "../kernel.h"

/* One thread: a reader is never inside when a writer waits for it. */
struct srcu_struct {
	int readers;
};

static inline int init_srcu_struct(struct srcu_struct *srcu)
{
	srcu->readers = 0;
	return 0;
}

static inline void synchronize_srcu(struct srcu_struct *srcu)
{
	if (srcu->readers)
		abort();
}

#define cleanup_srcu_struct(srcu) synchronize_srcu(srcu)

static inline int srcu_read_lock(struct srcu_struct *srcu)
{
	return srcu->readers++;
}

static inline void srcu_read_unlock(struct srcu_struct *srcu, int idx)
{
	if (--srcu->readers != idx)
		abort();
}

#define srcu_dereference(ptr, srcu) ((void)(srcu), (ptr))
#define rcu_access_pointer(ptr) (ptr)
#define RCU_INIT_POINTER(ptr, val) ((ptr) = (val))
#define rcu_replace_pointer(ptr, val, held) ({	\
	__auto_type old_ = (ptr);		\
						\
	if (!(held))				\
		abort();			\
	(ptr) = (val);				\
	old_; })

#endif /* SHIM_LINUX_SRCU_H */
