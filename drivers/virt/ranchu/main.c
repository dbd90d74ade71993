// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu.ko: what the devices of the ranchu board share. It registers nothing
 * and does nothing by itself; the device modules call it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/ranchu.h>

#define CREATE_TRACE_POINTS
#include <trace/events/ranchu.h>

#include "ranchu_private.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(ranchu_command);
EXPORT_TRACEPOINT_SYMBOL_GPL(ranchu_signal);

static int __init ranchu_init(void)
{
	int err = ranchu_thread_work_init();

	if (err)
		return err;
	return ranchu_waiter_init();
}
module_init(ranchu_init);

static void __exit ranchu_exit(void)
{
	ranchu_waiter_exit();
	ranchu_doorbell_drain();
}
module_exit(ranchu_exit);

MODULE_DESCRIPTION("Shared parts of the in-kernel ranchu board devices");
MODULE_LICENSE("GPL");
