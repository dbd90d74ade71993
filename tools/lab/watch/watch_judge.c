// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides which sleeps break the rule, by the names of the functions in the stack:
 * where the watched modules were entered says on whose behalf they work. Reports
 * one that is too long in the kernel's log, unless a row of the allow-list fits.
 *
 * /sys/kernel/debug/ranchu_watch/ has
 *
 *	status	what was seen
 *	allowed	write: one row "SCOPE FUNCTION..." per write, for sleeps that may be
 *		long while all these functions are in the stack; read: the rows and
 *		how many sleeps each has excused
 *	names	the kernel's and the product's functions that the judge goes by: if
 *		one is renamed, the judge is blind
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "watch.h"

/* Enough to see what is wrong; all are counted. */
#define JUDGE_REPORTS 40

#define JUDGE_NAME 80

enum judge_scope {
	JUDGE_NONE,
	JUDGE_VCPU,
	JUDGE_WORKER,
	JUDGE_CLOSE,
};

static const struct {
	const char *name;
	const char *title;
} judge_scopes[] = {
	[JUDGE_NONE] = { "", "" },
	[JUDGE_VCPU] = { "vcpu", "a vCPU's thread" },
	[JUDGE_WORKER] = { "worker", "a worker" },
	[JUDGE_CLOSE] = { "close", "a stranger's close" },
};

/* Of the kernel: where a module is entered, and what a vCPU's thread is in. */
static const char judge_task_work[] = "task_work_run";
static const char judge_worker[] = "vhost_task_fn";
static const char judge_close[] = "__fput";
static const char judge_exit_name[] = "do_exit";
static const char judge_vcpu[] = "kvm_vcpu_ioctl";
/* Ioctls by which a vCPU's thread has a command served. */
static const char * const judge_serving[] = { "pipe_access" };

struct judge_row {
	char text[160];
	enum judge_scope scope;
	u64 excused;
};

static DEFINE_MUTEX(judge_lock);	/* all below */
static struct judge_row judge_rows[64];
static unsigned int judge_row_count;
static struct watch_sleep judge_sleep;
static char judge_names[WATCH_DEPTH][JUDGE_NAME];
static u64 judge_serving_count[ARRAY_SIZE(judge_scopes)];
static u64 judge_over;
static u64 judge_excused;
static unsigned int judge_longest_ms;

static struct dentry *judge_dir;

/* The function that @address is in, without what the compiler put behind its name. */
static void judge_name(char *name, unsigned long address)
{
	snprintf(name, JUDGE_NAME, "%pB", (void *)address);
	name[strcspn(name, ".+ ")] = '\0';
}

static int judge_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < judge_sleep.depth; i++)
		if (!strcmp(judge_names[i], name))
			return i;
	return -1;
}

/* Of a worker everything but waiting for work, and what its end is made of. */
static enum judge_scope judge_of_worker(void)
{
	if (judge_find(judge_worker) < 0 || !strcmp(judge_names[0], judge_worker))
		return JUDGE_NONE;
	if (!judge_sleep.ours && judge_find(judge_exit_name) >= 0)
		return JUDGE_NONE;
	return JUDGE_WORKER;
}

static enum judge_scope judge_of(void)
{
	unsigned int entry, i;

	/* Not KVM's own helper of that kind, nor io_uring's. */
	if ((judge_sleep.flags & PF_USER_WORKER) && !(judge_sleep.flags & PF_IO_WORKER) &&
	    str_has_prefix(judge_sleep.comm, "vhost-"))
		return judge_of_worker();
	if (!judge_sleep.ours) {
		/* What a command has put off, to be done before the guest goes on. */
		if (judge_find(judge_task_work) >= 0 && judge_find(judge_vcpu) >= 0)
			return JUDGE_VCPU;
		return JUDGE_NONE;
	}
	entry = fls64(judge_sleep.ours);
	if (entry < judge_sleep.depth && !strcmp(judge_names[entry], judge_task_work))
		return JUDGE_VCPU;
	if (entry < judge_sleep.depth && !strcmp(judge_names[entry], judge_close))
		return judge_sleep.owner ? JUDGE_NONE : JUDGE_CLOSE;
	for (i = 0; i < ARRAY_SIZE(judge_serving); i++)
		if (judge_find(judge_serving[i]) >= 0)
			return JUDGE_VCPU;
	return JUDGE_NONE;
}

/* All words of the row but the first are in the stack. */
static bool judge_row_fits(const struct judge_row *row)
{
	char text[sizeof(row->text)], *rest = text, *word;

	strscpy(text, row->text, sizeof(text));
	strsep(&rest, " ");
	while ((word = strsep(&rest, " ")))
		if (*word && judge_find(word) < 0)
			return false;
	return true;
}

static bool judge_excuse(enum judge_scope scope)
{
	unsigned int i;

	for (i = 0; i < judge_row_count; i++) {
		if (judge_rows[i].scope == scope && judge_row_fits(&judge_rows[i])) {
			judge_rows[i].excused++;
			judge_excused++;
			return true;
		}
	}
	return false;
}

static void judge_report(enum judge_scope scope)
{
	bool d = watch_state_is_d(judge_sleep.state);
	bool killable = judge_sleep.state & TASK_WAKEKILL;
	unsigned int i;

	if (judge_over > JUDGE_REPORTS)
		return;
	i = judge_sleep.ours ? __ffs64(judge_sleep.ours) : 0;
	pr_err("ranchu-watch: %s (%s, pid %d) slept %u ms (%s) in %s, %u ms by the clock\n",
	       judge_scopes[scope].title, judge_sleep.comm, judge_sleep.pid, judge_sleep.ms,
	       !d ? "S" : killable ? "D, killable" : "D", judge_names[i], judge_sleep.real_ms);
	for (i = 0; i < judge_sleep.depth; i++)
		pr_err("ranchu-watch:   %pB\n", (void *)judge_sleep.stack[i]);
	pr_err("ranchu-watch: woken by %s in\n", judge_sleep.waker);
	for (i = 0; i < judge_sleep.waker_depth; i++)
		pr_err("ranchu-watch:   %pB\n", (void *)judge_sleep.waker_stack[i]);
}

static void judge_one(void)
{
	unsigned int bound = watch_state_is_d(judge_sleep.state) ? watch_d_bound_ms :
								    watch_bound_ms;
	enum judge_scope scope;
	unsigned int i;

	for (i = 0; i < judge_sleep.depth; i++)
		judge_name(judge_names[i], judge_sleep.stack[i]);
	scope = judge_of();
	if (scope == JUDGE_NONE)
		return;
	judge_serving_count[scope]++;
	if (judge_sleep.ms > judge_longest_ms)
		judge_longest_ms = judge_sleep.ms;
	if (judge_sleep.ms <= bound || judge_excuse(scope))
		return;
	judge_over++;
	judge_report(scope);
}

static void judge_run(struct work_struct *work)
{
	mutex_lock(&judge_lock);
	while (watch_pop(&judge_sleep))
		judge_one();
	mutex_unlock(&judge_lock);
}

static DECLARE_WORK(judge_work, judge_run);

void judge_wake(void)
{
	schedule_work(&judge_work);
}

static int status_show(struct seq_file *file, void *unused)
{
	judge_run(NULL);
	mutex_lock(&judge_lock);
	seq_printf(file, "all %llu\n", watch_seen());
	seq_printf(file, "vcpu %llu\n", judge_serving_count[JUDGE_VCPU]);
	seq_printf(file, "worker %llu\n", judge_serving_count[JUDGE_WORKER]);
	seq_printf(file, "close %llu\n", judge_serving_count[JUDGE_CLOSE]);
	seq_printf(file, "longest_ms %u\n", judge_longest_ms);
	seq_printf(file, "allowed %llu\n", judge_excused);
	seq_printf(file, "over %llu\n", judge_over);
	seq_printf(file, "crowded %u\n", watch_crowded());
	seq_printf(file, "lost %u\n", watch_lost());
	seq_printf(file, "missed %u\n", watch_missed());
	mutex_unlock(&judge_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(status);

static int names_show(struct seq_file *file, void *unused)
{
	unsigned int i;

	seq_printf(file, "%s\n%s\n%s\n%s\n%s\n", judge_task_work, judge_worker, judge_close,
		   judge_exit_name, judge_vcpu);
	for (i = 0; i < ARRAY_SIZE(judge_serving); i++)
		seq_printf(file, "%s\n", judge_serving[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(names);

static int allowed_show(struct seq_file *file, void *unused)
{
	unsigned int i;

	mutex_lock(&judge_lock);
	for (i = 0; i < judge_row_count; i++)
		seq_printf(file, "%llu %s\n", judge_rows[i].excused, judge_rows[i].text);
	mutex_unlock(&judge_lock);
	return 0;
}

static int allowed_open(struct inode *inode, struct file *file)
{
	return single_open(file, allowed_show, NULL);
}

/* A row without a function would allow everything. */
static int allowed_parse(struct judge_row *row)
{
	enum judge_scope scope;
	size_t len = strcspn(row->text, " ");

	for (scope = JUDGE_VCPU; scope < ARRAY_SIZE(judge_scopes); scope++)
		if (len == strlen(judge_scopes[scope].name) &&
		    !strncmp(row->text, judge_scopes[scope].name, len))
			break;
	row->scope = scope;
	return scope < ARRAY_SIZE(judge_scopes) && *skip_spaces(row->text + len) ? 0 : -EINVAL;
}

static ssize_t allowed_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	struct judge_row *row;
	ssize_t ret;

	mutex_lock(&judge_lock);
	row = &judge_rows[judge_row_count];
	ret = -ENOSPC;
	if (judge_row_count == ARRAY_SIZE(judge_rows) || len >= sizeof(row->text))
		goto out;
	memset(row, 0, sizeof(*row));
	ret = -EFAULT;
	if (copy_from_user(row->text, data, len))
		goto out;
	strim(row->text);
	ret = allowed_parse(row);
	if (ret)
		goto out;
	judge_row_count++;
	ret = len;
out:
	mutex_unlock(&judge_lock);
	return ret;
}

static const struct file_operations allowed_fops = {
	.owner = THIS_MODULE,
	.open = allowed_open,
	.read = seq_read,
	.write = allowed_write,
	.llseek = seq_lseek,
	.release = single_release,
};

int judge_init(void)
{
	judge_dir = debugfs_create_dir("ranchu_watch", NULL);
	if (IS_ERR(judge_dir))
		return PTR_ERR(judge_dir);
	debugfs_create_file("status", 0400, judge_dir, NULL, &status_fops);
	debugfs_create_file("names", 0400, judge_dir, NULL, &names_fops);
	debugfs_create_file("allowed", 0600, judge_dir, NULL, &allowed_fops);
	return 0;
}

/* Nothing is queued any more. */
void judge_exit(void)
{
	cancel_work_sync(&judge_work);
	debugfs_remove(judge_dir);
}
