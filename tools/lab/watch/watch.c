// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for sleeps in places where the product promises not to wait for others:
 * a vCPU's thread while it serves a command, a device's worker, the close of a
 * device by a process that does not own it. For the lab only: it is loaded into
 * the sanitizers' host and never shipped.
 *
 * This file hooks the scheduler. A task that is switched out asleep gets a slot;
 * when it is switched in again and the sleep was long, its stack is saved before
 * it runs. No stack is looked at for the many short sleeps. What the stack says,
 * watch_judge.c decides, in process context.
 *
 * Every module that is loaded after this one is watched.
 */
#include <linux/cpuhotplug.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "watch.h"

unsigned int watch_bound_ms = 1000;
module_param_named(bound_ms, watch_bound_ms, uint, 0644);
MODULE_PARM_DESC(bound_ms, "longer sleeps of any kind are reported");

unsigned int watch_d_bound_ms = 200;
module_param_named(d_bound_ms, watch_d_bound_ms, uint, 0644);
MODULE_PARM_DESC(d_bound_ms, "longer sleeps that no signal ends are reported");

/* Shorter sleeps are not looked at: a stack takes time to read. */
#define WATCH_LOOK_MS 20

/*
 * Time. Emulated CPUs stand still whenever the machine below is busy, while their
 * clock goes on: a lock whose holder does not run is then held for long. A beat is
 * counted once every CPU has had a timer interrupt since the last, so a beat is at
 * least 10 ms, and never passes while a CPU stands still.
 */
#define WATCH_BEAT_MS 10

static DEFINE_PER_CPU(struct hrtimer, watch_timer);
static DEFINE_RAW_SPINLOCK(watch_beat_lock);	/* the next three's writers */
static u64 watch_online;
static u64 watch_beaten;
static unsigned int watch_beats;

static enum hrtimer_restart watch_beat(struct hrtimer *timer)
{
	raw_spin_lock(&watch_beat_lock);
	watch_beaten |= BIT_ULL(smp_processor_id());
	if (!(watch_online & ~watch_beaten)) {
		watch_beaten = 0;
		WRITE_ONCE(watch_beats, watch_beats + 1);
	}
	raw_spin_unlock(&watch_beat_lock);
	hrtimer_forward_now(timer, ms_to_ktime(WATCH_BEAT_MS));
	return HRTIMER_RESTART;
}

/* On the CPU itself, when it has come and before it goes. */
static int watch_cpu_online(unsigned int cpu)
{
	struct hrtimer *timer = this_cpu_ptr(&watch_timer);

	if (cpu >= 64)
		return -E2BIG;
	raw_spin_lock_irq(&watch_beat_lock);
	watch_online |= BIT_ULL(cpu);
	raw_spin_unlock_irq(&watch_beat_lock);
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	timer->function = watch_beat;
	hrtimer_start(timer, ms_to_ktime(WATCH_BEAT_MS), HRTIMER_MODE_REL_PINNED);
	return 0;
}

static int watch_cpu_offline(unsigned int cpu)
{
	hrtimer_cancel(this_cpu_ptr(&watch_timer));
	raw_spin_lock_irq(&watch_beat_lock);
	watch_online &= ~BIT_ULL(cpu);
	raw_spin_unlock_irq(&watch_beat_lock);
	return 0;
}

/* What was not watched for lack of room: in a table, in the queue. It makes the run fail. */
static atomic_t watch_crowded_count = ATOMIC_INIT(0);
static atomic_t watch_lost_count = ATOMIC_INIT(0);

/*
 * The text of watched modules. An entry is written by whoever loads a module, one
 * at a time; who reads it meanwhile may at worst misjudge one stack.
 */
static struct {
	unsigned long base;
	unsigned long size;
} watch_texts[32];

static bool watch_is_ours(unsigned long address)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(watch_texts); i++)
		if (address - READ_ONCE(watch_texts[i].base) < READ_ONCE(watch_texts[i].size))
			return true;
	return false;
}

static int watch_module(struct notifier_block *block, unsigned long event, void *data)
{
	struct module *module = data;
	struct module_memory *text = &module->mem[MOD_TEXT];
	unsigned long base = event == MODULE_STATE_COMING ? 0 : (unsigned long)text->base;
	unsigned int i;

	if (event != MODULE_STATE_COMING && event != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	for (i = 0; i < ARRAY_SIZE(watch_texts) && watch_texts[i].base != base; i++)
		;
	if (i == ARRAY_SIZE(watch_texts)) {
		if (event == MODULE_STATE_COMING)
			atomic_inc(&watch_crowded_count);
		return NOTIFY_DONE;
	}
	if (event == MODULE_STATE_COMING) {
		WRITE_ONCE(watch_texts[i].base, (unsigned long)text->base);
		WRITE_ONCE(watch_texts[i].size, text->size);
	} else {
		WRITE_ONCE(watch_texts[i].size, 0);
		WRITE_ONCE(watch_texts[i].base, 0);
	}
	return NOTIFY_DONE;
}

static struct notifier_block watch_modules = { .notifier_call = watch_module };

/*
 * Who owns devices: a process with a vhost worker. By process and by mm, because
 * an exiting owner has no mm left when its files are closed. A later owner may
 * take an older one's place.
 */
#define WATCH_OWNER_BITS 10

static pid_t watch_owner_tgid[1 << WATCH_OWNER_BITS];
static struct mm_struct *watch_owner_mm[1 << WATCH_OWNER_BITS];

static bool watch_is_worker(const struct task_struct *task)
{
	return (task->flags & PF_USER_WORKER) && !(task->flags & PF_IO_WORKER);
}

static void watch_add_owner(const struct task_struct *worker)
{
	WRITE_ONCE(watch_owner_tgid[hash_32(worker->tgid, WATCH_OWNER_BITS)], worker->tgid);
	if (worker->mm)
		WRITE_ONCE(watch_owner_mm[hash_ptr(worker->mm, WATCH_OWNER_BITS)], worker->mm);
}

static bool watch_is_owner(const struct task_struct *task)
{
	const struct mm_struct *mm = task->mm;

	return READ_ONCE(watch_owner_tgid[hash_32(task->tgid, WATCH_OWNER_BITS)]) == task->tgid ||
	       (mm && READ_ONCE(watch_owner_mm[hash_ptr(mm, WATCH_OWNER_BITS)]) == mm);
}

/*
 * A sleeping task's slot. Only the task's own switches and wake-ups use it, and the
 * scheduler orders these: they need no lock. Taking one is atomic, because two
 * tasks may take one of the same row at once.
 */
struct watch_slot {
	const struct task_struct *task;
	unsigned int state;
	unsigned int since;	/* beats */
	unsigned int woken;	/* beats; valid once @is_woken */
	bool is_woken;
	u64 since_ns;
	char waker[TASK_COMM_LEN];
	unsigned int waker_depth;
	unsigned long waker_stack[WATCH_WAKER_DEPTH];
};

#define WATCH_ROW_BITS 10
#define WATCH_ROW_SLOTS 8

static struct watch_slot watch_slots[1 << WATCH_ROW_BITS][WATCH_ROW_SLOTS];

static struct watch_slot *watch_find(const struct task_struct *task)
{
	struct watch_slot *row = watch_slots[hash_ptr(task, WATCH_ROW_BITS)];
	unsigned int i;

	for (i = 0; i < WATCH_ROW_SLOTS; i++)
		if (READ_ONCE(row[i].task) == task)
			return &row[i];
	return NULL;
}

static struct watch_slot *watch_take(const struct task_struct *task)
{
	struct watch_slot *row = watch_slots[hash_ptr(task, WATCH_ROW_BITS)];
	unsigned int i;

	for (i = 0; i < WATCH_ROW_SLOTS; i++)
		if (!READ_ONCE(row[i].task) && !cmpxchg(&row[i].task, NULL, task))
			return &row[i];
	return NULL;
}

/* On their way to the judge: as many as there may be of workers that wake at once. */
static struct watch_sleep watch_queue[4096];
static DEFINE_RAW_SPINLOCK(watch_queue_lock);	/* the queue and the next two */
static unsigned int watch_head;
static unsigned int watch_tail;
static atomic_t watch_missed_count = ATOMIC_INIT(0);
static atomic64_t watch_seen_count = ATOMIC64_INIT(0);

unsigned int watch_crowded(void)
{
	return atomic_read(&watch_crowded_count);
}

unsigned int watch_lost(void)
{
	return atomic_read(&watch_lost_count);
}

unsigned int watch_missed(void)
{
	return atomic_read(&watch_missed_count);
}

u64 watch_seen(void)
{
	return atomic64_read(&watch_seen_count);
}

bool watch_pop(struct watch_sleep *sleep)
{
	bool some;

	raw_spin_lock_irq(&watch_queue_lock);
	some = watch_tail != watch_head;
	if (some)
		*sleep = watch_queue[watch_tail++ % ARRAY_SIZE(watch_queue)];
	raw_spin_unlock_irq(&watch_queue_lock);
	return some;
}

static void watch_irq_work(struct irq_work *work)
{
	judge_wake();
}

/* The run queue's lock is held: whoever wants to wake somebody has to wait. */
static DEFINE_IRQ_WORK(watch_work, watch_irq_work);

/* What ps shows as D. */
bool watch_state_is_d(unsigned int state)
{
	return (state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD);
}

/*
 * @task has slept and does not run yet, so its stack stands still. The entry at
 * watch_head is filled in place, and counts if it turns out to be of interest.
 */
static void watch_save(struct task_struct *task, const struct watch_slot *slot, unsigned int ms)
{
	struct watch_sleep *sleep;
	unsigned int i;

	raw_spin_lock(&watch_queue_lock);
	if (watch_head - watch_tail == ARRAY_SIZE(watch_queue)) {
		atomic_inc(&watch_lost_count);
		goto out;
	}
	sleep = &watch_queue[watch_head % ARRAY_SIZE(watch_queue)];
	sleep->depth = stack_trace_save_tsk(task, sleep->stack, WATCH_DEPTH, 0);
	sleep->ours = 0;
	for (i = 0; i < sleep->depth; i++)
		if (watch_is_ours(sleep->stack[i]))
			sleep->ours |= BIT_ULL(i);
	/* The short ones only for the count of those that were seen. */
	if (!sleep->ours && !watch_is_worker(task) && ms < watch_d_bound_ms)
		goto out;
	sleep->pid = task->pid;
	memcpy(sleep->comm, task->comm, TASK_COMM_LEN);
	sleep->flags = task->flags;
	sleep->state = slot->state;
	sleep->owner = watch_is_owner(task);
	sleep->ms = ms;
	sleep->waker_depth = slot->waker_depth;
	memcpy(sleep->waker, slot->waker, TASK_COMM_LEN);
	memcpy(sleep->waker_stack, slot->waker_stack, sizeof(sleep->waker_stack));
	sleep->real_ms = div_u64(ktime_get_mono_fast_ns() - slot->since_ns, NSEC_PER_MSEC);
	watch_head++;
	irq_work_queue(&watch_work);
out:
	raw_spin_unlock(&watch_queue_lock);
}

static void watch_slept(struct task_struct *task)
{
	struct watch_slot *slot = watch_find(task);
	unsigned int ms;

	if (!slot)
		return;
	/* A task that was never woken did not sleep: it had a signal. */
	if (slot->is_woken) {
		atomic64_inc(&watch_seen_count);
		ms = (slot->woken - slot->since) * WATCH_BEAT_MS;
		if (ms >= WATCH_LOOK_MS)
			watch_save(task, slot, ms);
	}
	WRITE_ONCE(slot->task, NULL);
}

static void watch_sleeps(struct task_struct *task, unsigned int state)
{
	struct watch_slot *slot = watch_take(task);

	if (watch_is_worker(task))
		watch_add_owner(task);
	if (!slot) {
		atomic_inc(&watch_crowded_count);
		return;
	}
	slot->state = state;
	slot->since = READ_ONCE(watch_beats);
	slot->since_ns = ktime_get_mono_fast_ns();
	slot->is_woken = false;
	slot->waker_depth = 0;
	slot->waker[0] = '\0';
}

/*
 * A task that runs has no slot, unless a hook was not called: an emulated CPU may
 * execute instructions for a while that another has patched.
 */
static void watch_runs(const struct task_struct *task)
{
	struct watch_slot *slot = watch_find(task);

	if (!slot)
		return;
	WRITE_ONCE(slot->task, NULL);
	atomic_inc(&watch_missed_count);
}

/* sched_switch: this CPU's run queue is locked, @prev is current. */
static void watch_switch(void *unused, bool preempt, struct task_struct *prev,
			 struct task_struct *next, unsigned int prev_state)
{
	watch_runs(prev);
	/* One that was preempted is runnable, and one that was woken meanwhile. */
	if (!preempt && prev_state && READ_ONCE(prev->__state) && !(prev_state & TASK_DEAD))
		watch_sleeps(prev, prev_state);
	watch_slept(next);
}

/* sched_wakeup: from here on the task waits for a CPU, and for nobody else. */
static void watch_wakeup(void *unused, struct task_struct *task)
{
	struct watch_slot *slot = watch_find(task);

	if (!slot || slot->is_woken)
		return;
	slot->woken = READ_ONCE(watch_beats);
	slot->is_woken = true;
	if ((slot->woken - slot->since) * WATCH_BEAT_MS < watch_d_bound_ms)
		return;
	memcpy(slot->waker, current->comm, TASK_COMM_LEN);
	slot->waker_depth = stack_trace_save(slot->waker_stack, WATCH_WAKER_DEPTH, 1);
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *tracepoint;
} watch_hooks[] = {
	{ "sched_switch", watch_switch },
	{ "sched_wakeup", watch_wakeup },
};

static void watch_match(struct tracepoint *tracepoint, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(watch_hooks); i++)
		if (!strcmp(tracepoint->name, watch_hooks[i].name))
			watch_hooks[i].tracepoint = tracepoint;
}

static void watch_unhook(unsigned int n)
{
	while (n--)
		tracepoint_probe_unregister(watch_hooks[n].tracepoint, watch_hooks[n].probe, NULL);
	tracepoint_synchronize_unregister();
	irq_work_sync(&watch_work);
}

static int watch_hook(void)
{
	unsigned int i;
	int err;

	for_each_kernel_tracepoint(watch_match, NULL);
	for (i = 0; i < ARRAY_SIZE(watch_hooks); i++) {
		err = -ENOENT;
		if (watch_hooks[i].tracepoint)
			err = tracepoint_probe_register(watch_hooks[i].tracepoint,
							watch_hooks[i].probe, NULL);
		if (err) {
			watch_unhook(i);
			return err;
		}
	}
	return 0;
}

static int watch_cpus;

static int __init watch_init(void)
{
	int err;

	err = judge_init();
	if (err)
		return err;
	watch_cpus = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "ranchu/watch:online",
				       watch_cpu_online, watch_cpu_offline);
	if (watch_cpus < 0) {
		err = watch_cpus;
		goto err_judge;
	}
	err = register_module_notifier(&watch_modules);
	if (err)
		goto err_cpus;
	err = watch_hook();
	if (err)
		goto err_modules;
	return 0;

err_modules:
	unregister_module_notifier(&watch_modules);
err_cpus:
	cpuhp_remove_state(watch_cpus);
err_judge:
	judge_exit();
	return err;
}

static void __exit watch_exit(void)
{
	watch_unhook(ARRAY_SIZE(watch_hooks));
	unregister_module_notifier(&watch_modules);
	cpuhp_remove_state(watch_cpus);
	judge_exit();
}

module_init(watch_init);
module_exit(watch_exit);

MODULE_DESCRIPTION("Reports sleeps where the product promises none");
MODULE_LICENSE("GPL");
