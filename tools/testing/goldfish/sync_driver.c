// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's driver of the goldfish sync device, for tests: mainline has none. It makes the same
 * accesses as Android's driver, in the same order: registers, one command buffer
 * each way under one lock, commands fetched in the interrupt and run in a work, a
 * timeline for each open file, one increment for each fence. In addition it checks and counts
 * commands that would break Android's driver.
 */
#include <linux/acpi.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "goldfish_sync_abi.h"
#include "sync_driver.h"

/**
 * struct timeline - a timeline that the host increments
 * @node: in sync.timelines
 * @context: of its fences
 * @value: current value
 * @last: value of the newest fence of the guest
 * @due: fences without an increment so far
 * @closed: its file was closed; it is freed with the last increment
 * @hosts: the host has made it
 * @fences: fences that are not signalled
 */
struct timeline {
	struct list_head node;
	u64 context;
	u32 value;
	u32 last;
	u32 due;
	bool closed;
	bool hosts;
	struct list_head fences;
};

struct fence {
	struct dma_fence base;
	struct list_head node;
	bool hosts;
};

/**
 * struct sync - the device
 * @host: the host command buffer
 * @guest: the guest command buffer
 * @regs: registers
 * @lock: protects both buffers, @todo and @n_todo
 * @todo: commands that were fetched and not run
 * @n_todo: their number
 * @work: runs them
 * @timelines_lock: protects what follows
 * @timelines: all
 * @counts: see struct sync_counts
 * @misc: the node
 */
struct sync {
	struct goldfish_sync_hostcmd host;
	struct goldfish_sync_guestcmd guest;
	void __iomem *regs;
	spinlock_t lock;	/* buffers and commands */
	struct goldfish_sync_hostcmd todo[GOLDFISH_SYNC_MAX_COMMANDS];
	u32 n_todo;
	struct work_struct work;
	struct mutex timelines_lock;	/* timelines and counts */
	struct list_head timelines;
	struct sync_counts counts;
	struct miscdevice misc;
};

/* Lock of all fences; it is global, because a fence may outlive its timeline. */
static DEFINE_SPINLOCK(fences_lock);

static const char *fence_name(struct dma_fence *fence)
{
	return "goldfish_sync";
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

static struct timeline *timeline_make(struct sync *sync, bool hosts)
{
	struct timeline *timeline = kzalloc(sizeof(*timeline), GFP_KERNEL);

	if (!timeline)
		return NULL;
	timeline->context = dma_fence_context_alloc(1);
	timeline->hosts = hosts;
	INIT_LIST_HEAD(&timeline->fences);
	list_add_tail(&timeline->node, &sync->timelines);
	return timeline;
}

/* Returns NULL if the host has sent an unknown name. */
static struct timeline *timeline_of(struct sync *sync, u64 handle)
{
	struct timeline *timeline;

	list_for_each_entry(timeline, &sync->timelines, node)
		if ((uintptr_t)timeline == handle)
			return timeline;
	return NULL;
}

static void timeline_check(struct timeline *timeline)
{
	if (!timeline->closed || timeline->due)
		return;
	list_del(&timeline->node);
	kfree(timeline);
}

/* The timeline has one reference until the fence is signalled, the caller another. */
static struct fence *fence_make(struct timeline *timeline, u32 value)
{
	struct fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	dma_fence_init(&fence->base, &fence_ops, &fences_lock, timeline->context, value);
	dma_fence_get(&fence->base);
	list_add_tail(&fence->node, &timeline->fences);
	fence->hosts = timeline->hosts;
	timeline->due++;
	return fence;
}

static void timeline_advance(struct sync *sync, struct timeline *timeline, u32 by)
{
	struct fence *fence, *next;

	timeline->value += by;
	list_for_each_entry_safe(fence, next, &timeline->fences, node) {
		if ((s32)(fence->base.seqno - timeline->value) > 0)
			continue;
		list_del(&fence->node);
		sync->counts.signalled += fence->hosts;
		dma_fence_signal(&fence->base);
		dma_fence_put(&fence->base);
	}
}

/* ---- the host's commands ---- */

static void reply(struct sync *sync, const struct goldfish_sync_hostcmd *command, u64 handle)
{
	unsigned long flags;

	spin_lock_irqsave(&sync->lock, flags);
	sync->host = (struct goldfish_sync_hostcmd) {
		.handle = cpu_to_le64(handle),
		.hostcmd_handle = command->hostcmd_handle,
		.cmd = command->cmd,
	};
	writel(0, sync->regs + GOLDFISH_SYNC_REG_BATCH_COMMAND);
	spin_unlock_irqrestore(&sync->lock, flags);
}

static void run_create_timeline(struct sync *sync, const struct goldfish_sync_hostcmd *command)
{
	struct timeline *timeline = timeline_make(sync, true);

	sync->counts.timelines += !!timeline;
	reply(sync, command, (uintptr_t)timeline);
}

/* No process is involved, so the number is not that of a file. */
static void run_create_fence(struct sync *sync, const struct goldfish_sync_hostcmd *command,
			     struct timeline *timeline)
{
	struct fence *fence = fence_make(timeline, le32_to_cpu(command->time_arg));

	if (fence) {
		sync->counts.fences++;
		dma_fence_put(&fence->base);
	}
	reply(sync, command, fence ? sync->counts.fences : -1);
}

static void run_increment(struct sync *sync, const struct goldfish_sync_hostcmd *command,
			  struct timeline *timeline)
{
	if (!timeline->due) {
		sync->counts.wrong++;
		return;
	}
	timeline->due--;
	sync->counts.increments++;
	timeline_advance(sync, timeline, le32_to_cpu(command->time_arg));
	timeline_check(timeline);
}

static void run_destroy(struct sync *sync, struct timeline *timeline)
{
	if (!timeline->hosts || timeline->closed) {
		sync->counts.wrong++;
		return;
	}
	timeline->closed = true;
	sync->counts.timelines--;
	timeline_check(timeline);
}

static void run(struct sync *sync, const struct goldfish_sync_hostcmd *command)
{
	struct timeline *timeline = timeline_of(sync, le64_to_cpu(command->handle));
	u32 cmd = le32_to_cpu(command->cmd);

	if (cmd == GOLDFISH_SYNC_CMD_CREATE_TIMELINE)
		run_create_timeline(sync, command);
	else if (!timeline)
		sync->counts.wrong++;
	else if (cmd == GOLDFISH_SYNC_CMD_CREATE_FENCE)
		run_create_fence(sync, command, timeline);
	else if (cmd == GOLDFISH_SYNC_CMD_TIMELINE_INC)
		run_increment(sync, command, timeline);
	else if (cmd == GOLDFISH_SYNC_CMD_DESTROY_TIMELINE)
		run_destroy(sync, timeline);
	else
		sync->counts.wrong++;
}

static void sync_work(struct work_struct *work)
{
	struct goldfish_sync_hostcmd todo[GOLDFISH_SYNC_MAX_COMMANDS];
	struct sync *sync = container_of(work, struct sync, work);
	u32 i, n;

	mutex_lock(&sync->timelines_lock);
	spin_lock_irq(&sync->lock);
	n = sync->n_todo;
	memcpy(todo, sync->todo, n * sizeof(*todo));
	sync->n_todo = 0;
	spin_unlock_irq(&sync->lock);
	for (i = 0; i < n; i++)
		run(sync, &todo[i]);
	mutex_unlock(&sync->timelines_lock);
}

static irqreturn_t sync_interrupt(int irq, void *data)
{
	struct sync *sync = data;
	bool any = false;

	spin_lock(&sync->lock);
	for (;;) {
		readl(sync->regs + GOLDFISH_SYNC_REG_BATCH_COMMAND);
		if (!READ_ONCE(sync->host.cmd))
			break;
		any = true;
		if (sync->n_todo == GOLDFISH_SYNC_MAX_COMMANDS) {
			WRITE_ONCE(sync->counts.wrong, sync->counts.wrong + 1);
			continue;
		}
		sync->todo[sync->n_todo++] = sync->host;
	}
	spin_unlock(&sync->lock);
	if (any)
		schedule_work(&sync->work);
	return any ? IRQ_HANDLED : IRQ_NONE;
}

/* ---- the guest's processes ---- */

/**
 * struct sync_user - an open file
 * @sync: the device
 * @timeline: the timeline of the file
 */
struct sync_user {
	struct sync *sync;
	struct timeline *timeline;
};

static int user_open(struct inode *inode, struct file *file)
{
	struct sync *sync = container_of(file->private_data, struct sync, misc);
	struct sync_user *user = kzalloc(sizeof(*user), GFP_KERNEL);

	if (!user)
		return -ENOMEM;
	user->sync = sync;
	mutex_lock(&sync->timelines_lock);
	user->timeline = timeline_make(sync, false);
	mutex_unlock(&sync->timelines_lock);
	if (!user->timeline) {
		kfree(user);
		return -ENOMEM;
	}
	file->private_data = user;
	return 0;
}

static int user_release(struct inode *inode, struct file *file)
{
	struct sync_user *user = file->private_data;

	mutex_lock(&user->sync->timelines_lock);
	user->timeline->closed = true;
	timeline_check(user->timeline);
	mutex_unlock(&user->sync->timelines_lock);
	kfree(user);
	return 0;
}

static void trigger(struct sync *sync, const struct sync_queue *queue, struct timeline *timeline)
{
	unsigned long flags;

	spin_lock_irqsave(&sync->lock, flags);
	sync->guest = (struct goldfish_sync_guestcmd) {
		.host_command = cpu_to_le64(GOLDFISH_SYNC_CMD_TRIGGER_HOST_WAIT),
		.glsync_handle = cpu_to_le64(queue->glsync),
		.thread_handle = cpu_to_le64(queue->thread),
		.guest_timeline_handle = cpu_to_le64((uintptr_t)timeline),
	};
	writel(0, sync->regs + GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND);
	spin_unlock_irqrestore(&sync->lock, flags);
}

/* On success the fence's file is installed, and the wait was sent to the host. */
static int queue_locked(struct sync_user *user, struct sync_queue *queue, void __user *argp)
{
	struct timeline *timeline = user->timeline;
	struct sync_file *file;
	struct fence *fence;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	fence = fence_make(timeline, ++timeline->last);
	file = fence ? sync_file_create(&fence->base) : NULL;
	queue->fence = fd;
	if (!file || copy_to_user(argp, queue, sizeof(*queue))) {
		put_unused_fd(fd);
		if (file)
			fput(file->file);
		if (fence)
			dma_fence_put(&fence->base);
		return file ? -EFAULT : -ENOMEM;
	}
	dma_fence_put(&fence->base);
	fd_install(fd, file->file);
	user->sync->counts.waits++;
	trigger(user->sync, queue, timeline);
	return 0;
}

static long user_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct sync_user *user = file->private_data;
	struct sync_counts counts;
	struct sync_queue queue;
	int err;

	switch (number) {
	case SYNC_QUEUE:
		if (copy_from_user(&queue, argp, sizeof(queue)))
			return -EFAULT;
		mutex_lock(&user->sync->timelines_lock);
		err = queue_locked(user, &queue, argp);
		mutex_unlock(&user->sync->timelines_lock);
		return err;
	case SYNC_COUNT:
		mutex_lock(&user->sync->timelines_lock);
		counts = user->sync->counts;
		mutex_unlock(&user->sync->timelines_lock);
		return copy_to_user(argp, &counts, sizeof(counts)) ? -EFAULT : 0;
	}
	return -ENOTTY;
}

static const struct file_operations user_fops = {
	.owner = THIS_MODULE,
	.open = user_open,
	.release = user_release,
	.unlocked_ioctl = user_ioctl,
};

/* ---- the device ---- */

/* Like Android's driver, checks that the address reads back. */
static bool place(struct sync *sync, u32 reg, void *buffer)
{
	u64 gpa = virt_to_phys(buffer), back;

	writel(lower_32_bits(gpa), sync->regs + reg);
	writel(upper_32_bits(gpa), sync->regs + reg + 4);
	back = readl(sync->regs + reg);
	back |= (u64)readl(sync->regs + reg + 4) << 32;
	return back == gpa;
}

static int sync_probe(struct platform_device *pdev)
{
	struct sync *sync = devm_kzalloc(&pdev->dev, sizeof(*sync), GFP_KERNEL);
	struct resource *registers = platform_get_resource(pdev, IORESOURCE_MEM, 0);
	int err, irq = platform_get_irq(pdev, 0);

	if (!sync)
		return -ENOMEM;
	if (!registers || irq < 0)
		return -ENODEV;
	spin_lock_init(&sync->lock);
	mutex_init(&sync->timelines_lock);
	INIT_LIST_HEAD(&sync->timelines);
	INIT_WORK(&sync->work, sync_work);
	sync->regs = devm_ioremap(&pdev->dev, registers->start, resource_size(registers));
	if (!sync->regs)
		return -ENOMEM;
	err = devm_request_irq(&pdev->dev, irq, sync_interrupt, IRQF_SHARED, "goldfish_sync",
			       sync);
	if (err)
		return err;
	if (!place(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, &sync->host) ||
	    !place(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR, &sync->guest))
		return -ENODEV;
	sync->misc.name = "goldfish_sync";
	sync->misc.minor = MISC_DYNAMIC_MINOR;
	sync->misc.fops = &user_fops;
	err = misc_register(&sync->misc);
	if (err)
		return err;
	writel(0, sync->regs + GOLDFISH_SYNC_REG_INIT);
	return 0;
}

static const struct of_device_id sync_of_match[] = {
	{ .compatible = "google,goldfish-sync" },
	{ },
};
MODULE_DEVICE_TABLE(of, sync_of_match);

static const struct acpi_device_id sync_acpi_match[] = {
	{ "GFSH0006", 0 },
	{ },
};
MODULE_DEVICE_TABLE(acpi, sync_acpi_match);

/* Never unloaded: the guest ends with it. */
static struct platform_driver sync_driver = {
	.probe = sync_probe,
	.driver = {
		.name = "goldfish_sync",
		.of_match_table = sync_of_match,
		.acpi_match_table = ACPI_PTR(sync_acpi_match),
		.suppress_bind_attrs = true,
	},
};
builtin_platform_driver(sync_driver);

MODULE_DESCRIPTION("Guest's end of the goldfish sync device, for tests");
MODULE_LICENSE("GPL");
