// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a device whose last file is closed. It waits for the device's worker,
 * which may be busy in the owner's memory for as long as the owner likes. So only
 * the owner's process waits. Whoever else closes the file goes on at once: a child
 * that was forked with it, the kernel thread that closes what was in flight between
 * sockets, one of our workers, that of the device itself above all.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "ranchu_private.h"

static void release_apart(struct ranchu_waiter *waiter)
{
	struct ranchu_release *release = container_of(waiter, struct ranchu_release, waiter);
	struct module *owner = release->owner;

	release->fn(release);
	/* Its text is left. */
	module_put(owner);
}

/**
 * ranchu_release() - end a device, here or where it may wait for its worker
 * @release: lives in the device
 * @process: the owner's, as task_tgid() names it; NULL: there is none, and nothing
 *	to wait for but grace periods, which a kernel thread leaves to others
 * @owner: the device's module, which stays loaded until @fn has returned
 * @fn: stops the device's worker and frees the device with @release
 *
 * To be called in the release of the device's file. What others can see, like a
 * name that is taken, may outlast the call if it is not the owner's. The owner that
 * exits waits, too; it has killed its workers before.
 *
 * Context: any process, workers included; may sleep.
 */
void ranchu_release(struct ranchu_release *release, struct pid *process,
		    struct module *owner,
		    void (*fn)(struct ranchu_release *release))
{
	bool here = !(current->flags & (PF_KTHREAD | PF_USER_WORKER)) &&
		    (!process || process == task_tgid(current));

	if (here) {
		fn(release);
		return;
	}
	__module_get(owner);
	release->owner = owner;
	release->fn = fn;
	ranchu_waiter_start(&release->waiter, release_apart);
}
EXPORT_SYMBOL_GPL(ranchu_release);
