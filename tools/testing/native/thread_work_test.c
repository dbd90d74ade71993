// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our own queue of thread works: at each step of queueing a call, other calls come, and the thread
 * begins to exit; and a kernel that does not make the first call.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/barrier.h>

struct module shim_module;
struct task_struct *shim_current;
const int init_pid_ns;

/* The thread. */
static struct task_struct thread;
static bool thread_gone;

struct pid *find_pid_ns(int number, const int *ns)
{
	return number == thread.pid && !thread_gone ? &thread.tgid : NULL;
}

static unsigned int warnings;
#undef pr_warn
#define pr_warn(...) ((void)warnings++)

/* Called in the middle of queueing, once. */
static struct {
	void (*before_load)(void);
	void (*after_load)(void);
} meanwhile;

static void happen(void (**what)(void))
{
	void (*fn)(void) = *what;

	*what = NULL;
	if (fn)
		fn();
}

#undef smp_load_acquire
/* Other calls come before and after the load of the list. */
#define smp_load_acquire(where) ({				\
	__auto_type value_ = (happen(&meanwhile.before_load), *(where));	\
								\
	happen(&meanwhile.after_load);				\
	value_; })

#define cmpxchg(where, old, new) ({				\
	__auto_type was_ = *(where);				\
								\
	if (was_ == (old))					\
		*(where) = (new);				\
	was_; })

/* Configuration of a tested kernel that does not export task_work_add(). */
#define MODULE
#define RANCHU_QUEUE_TRIED

#include "../../../drivers/virt/ranchu/thread_work.c"

/* The kernel's mark of a list that is closed for additions. */
static struct callback_head mark;
static struct callback_head other;

static void begin(struct kunit *test)
{
	thread = (struct task_struct){ .pid = 100 };
	shim_current = &thread;
	thread_gone = false;
	other.next = NULL;
	warnings = 0;
	shim_module.references = 0;
	thread_work_tester = 0;
	thread_work_failed = 0;
	thread_work_works = false;
	thread_work_way = THREAD_WORK_AUTO;
	KUNIT_ASSERT_EQ(test, ranchu_thread_work_init(), 0);
	KUNIT_ASSERT_EQ(test, thread_work_way, THREAD_WORK_QUEUE);
	KUNIT_ASSERT_EQ(test, ranchu_thread_work_supported(), false);
	thread_work_works = true;
}

/* Acts like do_exit() and task_work_run(): first the flag, then the mark. */
static void thread_exits(void)
{
	thread.flags |= PF_EXITING;
	thread.task_works = &mark;
}

static void flag_is_set(void)
{
	thread.flags |= PF_EXITING;
}

static void other_comes(void)
{
	other.next = thread.task_works;
	thread.task_works = &other;
}

static void order_case(struct kunit *test)
{
	struct callback_head works[3] = {};

	begin(test);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &works[0]), 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &works[1]), 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &works[2]), 0);
	/* The kernel reverses the list before it makes the calls. */
	KUNIT_EXPECT_PTR_EQ(test, thread.task_works, &works[2]);
	KUNIT_EXPECT_PTR_EQ(test, works[2].next, &works[1]);
	KUNIT_EXPECT_PTR_EQ(test, works[1].next, &works[0]);
	KUNIT_EXPECT_NULL(test, works[0].next);
	KUNIT_EXPECT_EQ(test, thread.notified, 3);
}

static void other_call_meanwhile_case(struct kunit *test)
{
	struct callback_head first = {}, work = {};

	begin(test);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &first), 0);
	meanwhile.after_load = other_comes;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &work), 0);
	KUNIT_EXPECT_PTR_EQ(test, thread.task_works, &work);
	KUNIT_EXPECT_PTR_EQ(test, work.next, &other);
	KUNIT_EXPECT_PTR_EQ(test, other.next, &first);
	KUNIT_EXPECT_EQ(test, thread.notified, 2);
}

/* The thread has exited, or exits around the load: nothing is added to its list. */
static void exiting_case(struct kunit *test)
{
	static const struct {
		void (*before)(void);
		void (*before_load)(void);
		void (*after_load)(void);
		struct callback_head *left;
	} rows[] = {
		{ .before = flag_is_set },
		{ .before = thread_exits, .left = &mark },
		{ .before_load = flag_is_set },
		{ .before_load = thread_exits, .left = &mark },
		{ .after_load = flag_is_set },
		{ .after_load = thread_exits, .left = &mark },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct callback_head work = {};

		begin(test);
		if (rows[i].before)
			rows[i].before();
		meanwhile.before_load = rows[i].before_load;
		meanwhile.after_load = rows[i].after_load;
		KUNIT_EXPECT_EQ_MSG(test, ranchu_thread_work_add(&thread, &work), -ESRCH,
				    "row %u", i);
		KUNIT_EXPECT_PTR_EQ(test, thread.task_works, rows[i].left);
		KUNIT_EXPECT_EQ(test, thread.notified, 0);
	}
}

/* Before a first call was made, and with doorbell=off. */
static void not_supported_case(struct kunit *test)
{
	struct callback_head work = {};

	begin(test);
	thread_work_works = false;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &work), -ESRCH);
	thread_work_way = THREAD_WORK_OFF;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_init(), 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_add(&thread, &work), -ESRCH);
	KUNIT_EXPECT_NULL(test, thread.task_works);
}

static void run_works(void)
{
	while (thread.task_works) {
		struct callback_head *work = thread.task_works;

		thread.task_works = work->next;
		work->func(work);
	}
}

/* Opening a device queues a call; once it was made no other one is queued. */
static void first_call_case(struct kunit *test)
{
	begin(test);
	thread_work_works = false;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_EQ(test, shim_module.references, 1);
	KUNIT_ASSERT_NOT_NULL(test, thread.task_works);
	run_works();
	KUNIT_EXPECT_TRUE(test, ranchu_thread_work_supported());
	KUNIT_EXPECT_EQ(test, shim_module.references, 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_NULL(test, thread.task_works);
	KUNIT_EXPECT_EQ(test, warnings, 0);
}

/* The thread opens a device and goes on, but the call is not made. */
static void first_call_not_made_case(struct kunit *test)
{
	struct callback_head *first;

	begin(test);
	thread_work_works = false;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	first = thread.task_works;
	KUNIT_EXPECT_FALSE(test, ranchu_thread_work_supported());
	KUNIT_EXPECT_EQ(test, warnings, 1);
	/* There is one message, and no further call is queued. */
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_FALSE(test, ranchu_thread_work_supported());
	KUNIT_EXPECT_EQ(test, warnings, 1);
	KUNIT_EXPECT_PTR_EQ(test, thread.task_works, first);
	KUNIT_EXPECT_NULL(test, first->next);
	KUNIT_EXPECT_EQ(test, shim_module.references, 1);
	run_works();
	KUNIT_EXPECT_TRUE(test, ranchu_thread_work_supported());
}

/* Other threads open devices while the first call is pending: each has its own call. */
static void others_meanwhile_case(struct kunit *test)
{
	struct task_struct second = { .pid = 101 };

	begin(test);
	thread_work_works = false;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	shim_current = &second;
	KUNIT_EXPECT_FALSE(test, ranchu_thread_work_supported());
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_ASSERT_NOT_NULL(test, second.task_works);
	KUNIT_EXPECT_EQ(test, shim_module.references, 2);
	KUNIT_EXPECT_EQ(test, warnings, 0);
	second.task_works->func(second.task_works);
	KUNIT_EXPECT_TRUE(test, ranchu_thread_work_supported());
	run_works();
	KUNIT_EXPECT_EQ(test, shim_module.references, 0);
}

/* The first thread has ended, and its call was not made. */
static void thread_gone_case(struct kunit *test)
{
	struct task_struct second = { .pid = 101 };

	begin(test);
	thread_work_works = false;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	thread_gone = true;
	shim_current = &second;
	KUNIT_EXPECT_EQ(test, ranchu_thread_work_test(), 0);
	KUNIT_EXPECT_EQ(test, warnings, 1);
	KUNIT_EXPECT_NULL(test, second.task_works);
	run_works();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(order_case),
	KUNIT_CASE(other_call_meanwhile_case),
	KUNIT_CASE(exiting_case),
	KUNIT_CASE(not_supported_case),
	KUNIT_CASE(first_call_case),
	KUNIT_CASE(first_call_not_made_case),
	KUNIT_CASE(others_meanwhile_case),
	KUNIT_CASE(thread_gone_case),
	{}
};

static struct kunit_suite suite = {
	.name = "thread_work",
	.test_cases = cases,
};

kunit_test_suite(suite);
