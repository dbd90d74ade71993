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
	err = ranchu_release_init();
	if (err)
		return err;
	if (IS_ENABLED(CONFIG_INET))
		err = ranchu_close_init();
	if (err) {
		ranchu_release_exit();
		return err;
	}
	return 0;
}
module_init(ranchu_init);

static void __exit ranchu_exit(void)
{
	ranchu_release_exit();
	if (IS_ENABLED(CONFIG_INET))
		ranchu_close_exit();
	ranchu_doorbell_drain();
}
module_exit(ranchu_exit);

MODULE_DESCRIPTION("Shared parts of the in-kernel ranchu board devices");
MODULE_LICENSE("GPL");
