// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeps on purpose, where the product promises none: loading the module with
 * bug=NAME prepares or commits that one. It uses ranchu.ko as a device does, so
 * that ranchu_watch.ko is tested on the paths that it is for. Never load it into
 * a machine that matters.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *bug = "none";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "which one; none plants nothing");

static struct ranchu_worker planted_worker;
static struct ranchu_doorbell *planted_doorbell;

static noinline void planted_uninterruptible(void)
{
	schedule_timeout_uninterruptible(2 * HZ);
}

static noinline void planted_interruptible(void)
{
	schedule_timeout_interruptible(3 * HZ);
}

/* A row of the allow-list is for it. */
static noinline void planted_allowed(void)
{
	planted_interruptible();
}

/* Shorter than the bound for sleeps that signals end. */
static noinline void planted_short(void)
{
	schedule_timeout_interruptible(HZ / 3);
}

static void (*planted_how)(void);

static void planted_command(void *data, enum ranchu_ring how)
{
	planted_how();
}

/* File 3 of insmod is an eventfd (with_eventfd.c). */
#define PLANTED_FD 3

/* Rung by us and served on insmod's way back to user mode, as a vCPU's command is. */
static int plant_command(void)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(PLANTED_FD);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	planted_doorbell = ranchu_doorbell_attach(PLANTED_FD, current->mm, &planted_worker,
						  RANCHU_SERVE_VCPU, planted_command, NULL);
	if (!IS_ERR(planted_doorbell))
		eventfd_signal(ctx);
	eventfd_ctx_put(ctx);
	return PTR_ERR_OR_ZERO(planted_doorbell);
}

static void planted_work_fn(struct ranchu_work *work, bool in_owner)
{
	planted_how();
}

static struct ranchu_work planted_work;

/* The caller waits longer than the worker sleeps, which is no crime. */
static int plant_work(void)
{
	int err;

	err = ranchu_worker_start(&planted_worker, "vhost-planted");
	if (err)
		return err;
	ranchu_work_init(&planted_work, planted_work_fn);
	ranchu_work_queue(&planted_worker, &planted_work);
	msleep_interruptible(4000);
	ranchu_worker_stop(&planted_worker);
	return 0;
}

/* With a worker, who opens the file owns a device. */
static bool planted_with_owner;

static int planted_open(struct inode *inode, struct file *file)
{
	return planted_with_owner ? ranchu_worker_start(&planted_worker, "vhost-planted") : 0;
}

static int planted_release(struct inode *inode, struct file *file)
{
	msleep(500);
	ranchu_worker_stop(&planted_worker);
	return 0;
}

static const struct file_operations planted_fops = {
	.owner = THIS_MODULE,
	.open = planted_open,
	.release = planted_release,
};

static struct miscdevice planted_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "planted",
	.fops = &planted_fops,
};

static const struct {
	const char *name;
	int (*plant)(void);
	void (*how)(void);
	bool with_owner;
} planted_bugs[] = {
	{ "none" },
	{ "short-in-command",	plant_command,	planted_short },
	{ "allowed-in-command",	plant_command,	planted_allowed },
	{ "in-owners-close",	NULL,		NULL,	true },
	{ "in-command",		plant_command,	planted_uninterruptible },
	{ "waits-in-command",	plant_command,	planted_interruptible },
	{ "in-worker",		plant_work,	planted_uninterruptible },
	{ "in-strangers-close" },
};

static int __init planted_sleep_init(void)
{
	int err, i;

	for (i = 0; i < ARRAY_SIZE(planted_bugs); i++)
		if (!strcmp(bug, planted_bugs[i].name))
			break;
	if (i == ARRAY_SIZE(planted_bugs))
		return -EINVAL;
	ranchu_worker_init(&planted_worker);
	planted_how = planted_bugs[i].how;
	planted_with_owner = planted_bugs[i].with_owner;
	err = misc_register(&planted_misc);
	if (err || !planted_bugs[i].plant)
		return err;
	err = planted_bugs[i].plant();
	if (err)
		misc_deregister(&planted_misc);
	return err;
}

static void __exit planted_sleep_exit(void)
{
	misc_deregister(&planted_misc);
	if (planted_doorbell)
		ranchu_doorbell_detach(planted_doorbell);
}

module_init(planted_sleep_init);
module_exit(planted_sleep_exit);

MODULE_DESCRIPTION("Sleeps on purpose, to test the lab");
MODULE_LICENSE("GPL");
