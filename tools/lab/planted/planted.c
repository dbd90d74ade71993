// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose, one for each detector of the sanitizer kernels: loading the
 * module with bug=NAME commits that one. tools/lab/planted.sh checks that each
 * makes a run fail. Never load it into a machine that matters.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *bug = "none";
module_param(bug, charp, 0);
MODULE_PARM_DESC(bug, "which one; none plants nothing");

static void plant_none(void)
{
}

static void plant_use_after_free(void)
{
	int *p = kzalloc(sizeof(*p), GFP_KERNEL);

	/* Or the compiler would see what we are up to. */
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	WRITE_ONCE(*p, 1);
}

static void plant_out_of_bounds(void)
{
	char *p = kzalloc(10, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[10], 1);
	kfree(p);
}

static void plant_shift(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("planted: %d\n", 1 << by);
}

static DEFINE_SPINLOCK(planted_lock);

static void plant_sleep_in_atomic(void)
{
	void *p;

	spin_lock(&planted_lock);
	p = kmalloc(32, GFP_KERNEL);
	spin_unlock(&planted_lock);
	kfree(p);
}

static void plant_preemptible(void)
{
	pr_info("planted: CPU %d\n", smp_processor_id());
}

static DEFINE_MUTEX(planted_a);
static DEFINE_MUTEX(planted_b);

static void plant_lock_inversion(void)
{
	mutex_lock(&planted_a);
	mutex_lock(&planted_b);
	mutex_unlock(&planted_b);
	mutex_unlock(&planted_a);

	mutex_lock(&planted_b);
	mutex_lock(&planted_a);
	mutex_unlock(&planted_a);
	mutex_unlock(&planted_b);
}

static int __rcu *planted_pointer;

static void plant_rcu(void)
{
	if (rcu_dereference(planted_pointer))
		pr_info("planted: a pointer\n");
}

static void plant_leak(void)
{
	int i;

	/* Several: a stale register may still point at the last one. */
	for (i = 0; i < 10; i++) {
		void *p = kmalloc(200, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(p);
	}
}

static void planted_timer(struct timer_list *timer)
{
}

static void plant_live_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, planted_timer, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void plant_list(void)
{
	struct list_head one;
	LIST_HEAD(list);

	list_add(&one, &list);
	list_del(&one);
	list_del(&one);
}

/* The host's limit has been set to a second. */
static void plant_hung_task(void)
{
	schedule_timeout_uninterruptible(5 * HZ);
}

static int planted_counter;

static int planted_racer(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		for (i = 0; i < 1000; i++) {
			planted_counter++;
			barrier();
		}
		cond_resched();
	}
	return 0;
}

static void plant_race(void)
{
	struct task_struct *racer[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(racer); i++)
		racer[i] = kthread_run(planted_racer, NULL, "planted/%d", i);
	msleep(5000);
	for (i = 0; i < ARRAY_SIZE(racer); i++)
		if (!IS_ERR(racer[i]))
			kthread_stop(racer[i]);
}

static const struct {
	const char *name;
	void (*plant)(void);
} planted_bugs[] = {
	{ "none",		plant_none },
	{ "use-after-free",	plant_use_after_free },
	{ "out-of-bounds",	plant_out_of_bounds },
	{ "shift",		plant_shift },
	{ "sleep-in-atomic",	plant_sleep_in_atomic },
	{ "preemptible",	plant_preemptible },
	{ "lock-inversion",	plant_lock_inversion },
	{ "rcu",		plant_rcu },
	{ "leak",		plant_leak },
	{ "live-timer",		plant_live_timer },
	{ "list",		plant_list },
	{ "hung-task",		plant_hung_task },
	{ "race",		plant_race },
};

static int __init planted_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(planted_bugs); i++) {
		if (!strcmp(bug, planted_bugs[i].name)) {
			planted_bugs[i].plant();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);

MODULE_DESCRIPTION("Bugs on purpose, to test the lab");
MODULE_LICENSE("GPL");
