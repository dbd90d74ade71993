// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker: creation of its thread may fail, in both ways that kernels report it, and
 * other threads may queue work from before its start until after its stop.
 */
#include <kunit/test.h>
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

/* The worker as it was left when its lock was last dropped. */
static struct {
	struct vhost_task *task;
	bool dead;
} left;

static void watched_unlock(spinlock_t *lock)
{
	struct ranchu_worker *worker = container_of(lock, struct ranchu_worker, lock);

	left.task = worker->task;
	left.dead = worker->dead;
	spin_unlock_irq(lock);
}

#undef spin_unlock_irq
#define spin_unlock_irq(lock) watched_unlock(lock)

#include "../../../drivers/virt/ranchu/worker.c"

struct vhost_task {
	bool (*fn)(void *data);
	void (*killed)(void *data);
	void *data;
	bool started;
	unsigned int wakes;
};

static struct vhost_task thread;
static struct vhost_task *created;
static unsigned int calls, calls_in_owner;

static struct mm_struct owner_mm, other_mm;
static struct task_struct owner = { .mm = &owner_mm }, stranger = { .mm = &other_mm };
static struct task_struct kernel_thread;
struct task_struct *shim_current = &owner;

struct vhost_task *vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data),
				     void *data, const char *name)
{
	thread = (struct vhost_task){ fn, killed, data };
	return created;
}

void vhost_task_start(struct vhost_task *task)
{
	task->started = true;
}

void vhost_task_stop(struct vhost_task *task)
{
	task->started = false;
}

void vhost_task_wake(struct vhost_task *task)
{
	task->wakes++;
}

static void count_call(struct ranchu_work *work, bool in_owner)
{
	calls++;
	calls_in_owner += in_owner;
}

static void new_worker(struct ranchu_worker *worker, struct ranchu_work *work)
{
	ranchu_worker_init(worker);
	ranchu_work_init(work, count_call);
	left.task = NULL;
	left.dead = true;
	calls = 0;
	calls_in_owner = 0;
}

static void no_thread_case(struct kunit *test)
{
	static const struct {
		long answer;
		int expect;
	} rows[] = {
		{ 0, -ENOMEM }, { -EAGAIN, -EAGAIN }, { -ENOMEM, -ENOMEM },
	};
	struct ranchu_worker worker;
	struct ranchu_work work;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		new_worker(&worker, &work);
		created = ERR_PTR(rows[i].answer);
		KUNIT_EXPECT_EQ(test, rows[i].expect, ranchu_worker_start(&worker, "t"));
		KUNIT_EXPECT_EQ(test, -ESRCH, ranchu_work_queue(&worker, &work));
		ranchu_worker_stop(&worker);
	}
}

/* Queueing work reads the state with the lock held, so changes are made with it too. */
static void told_under_the_lock_case(struct kunit *test)
{
	struct ranchu_worker worker;
	struct ranchu_work work;

	new_worker(&worker, &work);
	created = &thread;
	KUNIT_EXPECT_EQ(test, 0, ranchu_worker_start(&worker, "t"));
	KUNIT_EXPECT_TRUE(test, thread.started);
	KUNIT_EXPECT_TRUE(test, left.task == &thread);
	KUNIT_EXPECT_FALSE(test, left.dead);
	ranchu_worker_stop(&worker);
}

static void life_case(struct kunit *test)
{
	struct ranchu_worker worker;
	struct ranchu_work work;

	new_worker(&worker, &work);
	created = &thread;
	KUNIT_EXPECT_EQ(test, -ESRCH, ranchu_work_queue(&worker, &work));
	KUNIT_EXPECT_EQ(test, 0, ranchu_worker_start(&worker, "t"));
	KUNIT_EXPECT_EQ(test, 1, ranchu_work_queue(&worker, &work));
	KUNIT_EXPECT_EQ(test, 0, ranchu_work_queue(&worker, &work));
	KUNIT_EXPECT_EQ(test, 1u, thread.wakes);
	KUNIT_EXPECT_TRUE(test, thread.fn(thread.data));
	KUNIT_EXPECT_FALSE(test, thread.fn(thread.data));
	KUNIT_EXPECT_EQ(test, 1u, calls);
	/* Killed or stopped, what is queued is called once. */
	KUNIT_EXPECT_EQ(test, 1, ranchu_work_queue(&worker, &work));
	thread.killed(thread.data);
	KUNIT_EXPECT_EQ(test, 2u, calls);
	KUNIT_EXPECT_EQ(test, -ESRCH, ranchu_work_queue(&worker, &work));
	ranchu_worker_stop(&worker);
	KUNIT_EXPECT_EQ(test, 2u, calls);
	KUNIT_EXPECT_EQ(test, 0, ranchu_worker_start(&worker, "t"));
	KUNIT_EXPECT_EQ(test, 1, ranchu_work_queue(&worker, &work));
	ranchu_worker_stop(&worker);
	KUNIT_EXPECT_EQ(test, 3u, calls);
}

/* The thread that ends a worker does the remaining work, and is told whether it has the mm. */
static void left_to_case(struct kunit *test)
{
	static const struct {
		struct task_struct *who;
		unsigned int in_owner;
	} rows[] = {
		{ &owner, 1 }, { &stranger, 0 }, { &kernel_thread, 0 },
	};
	struct ranchu_worker worker;
	struct ranchu_work work;
	unsigned int i;

	created = &thread;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		new_worker(&worker, &work);
		KUNIT_EXPECT_EQ(test, 0, ranchu_worker_start(&worker, "t"));
		/* The reference is kept as long as it may be compared. */
		KUNIT_EXPECT_EQ(test, 1, owner_mm.count);
		KUNIT_EXPECT_EQ(test, 1, ranchu_work_queue(&worker, &work));
		shim_current = rows[i].who;
		ranchu_worker_stop(&worker);
		shim_current = &owner;
		KUNIT_EXPECT_EQ(test, 1u, calls);
		KUNIT_EXPECT_EQ(test, rows[i].in_owner, calls_in_owner);
		KUNIT_EXPECT_EQ(test, 0, owner_mm.count);
	}
}

/* After a kill, the worker's own thread does it, with the owner's memory. */
static void killed_case(struct kunit *test)
{
	struct ranchu_worker worker;
	struct ranchu_work work;

	created = &thread;
	new_worker(&worker, &work);
	KUNIT_EXPECT_EQ(test, 0, ranchu_worker_start(&worker, "t"));
	KUNIT_EXPECT_EQ(test, 1, ranchu_work_queue(&worker, &work));
	thread.killed(thread.data);
	KUNIT_EXPECT_EQ(test, 1u, calls_in_owner);
	shim_current = &stranger;
	ranchu_worker_stop(&worker);
	shim_current = &owner;
	KUNIT_EXPECT_EQ(test, 1u, calls);
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(no_thread_case),
	KUNIT_CASE(told_under_the_lock_case),
	KUNIT_CASE(life_case),
	KUNIT_CASE(left_to_case),
	KUNIT_CASE(killed_case),
	{}
};

static const struct kunit_suite suite = { .name = "worker", .test_cases = cases };

kunit_test_suite(suite);
