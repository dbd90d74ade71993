// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest driver for the goldfish pipe with DMA, like Android's drivers of version 4;
 * mainline's has none. It is used only to test the host's part (guest_dma.c).
 *
 * As far as DMA goes the file behaves as theirs: ioctls LOCK, UNLOCK, GETOFF and
 * CREATE_REGION, one region for each open file, which the first mmap() allocates
 * and tells the host of, and which goes with the file. STATE is our own.
 *
 * Written from the behaviour, not from their source; reads and writes go through
 * a page, because only little is moved.
 */
#include <linux/acpi.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "goldfish_dma.h"
#include "goldfish_pipe_abi.h"

#define DMA_PIPES	64
#define DMA_BUFFERS	336
#define DMA_MIN_SIZE	4096ul

struct dma_pipe {
	u32 id;
	struct mutex lock;	/* one command at a time, and the region */
	wait_queue_head_t wait;
	unsigned long woken;	/* GOLDFISH_PIPE_WAKE_* since the last check */
	u64 unlocks;
	struct goldfish_pipe_command *command;
	void *data;		/* a page */
	u64 region_size;
	void *region;
	dma_addr_t region_dma;
	s32 map_status;
};

/* Memory whose address the host gets at probe; a page of its own. */
struct dma_shared {
	struct goldfish_pipe_open_params open;
	struct goldfish_pipe_signal signals[DMA_PIPES];
};

static struct {
	struct device *dev;
	void __iomem *regs;
	struct dma_shared *shared;
	struct mutex open_lock;	/* shared->open, and changes of pipes[] */
	spinlock_t lock;	/* pipes[] against the interrupt */
	struct dma_pipe *pipes[DMA_PIPES];
} goldfish;

static s32 dma_ring(struct dma_pipe *pipe, u32 cmd)
{
	WRITE_ONCE(pipe->command->cmd, cpu_to_le32(cmd));
	WRITE_ONCE(pipe->command->status, cpu_to_le32(-1));
	writel(pipe->id, goldfish.regs + GOLDFISH_PIPE_REG_CMD);
	return le32_to_cpu(READ_ONCE(pipe->command->status));
}

static s32 dma_ring_region(struct dma_pipe *pipe, u32 cmd)
{
	struct goldfish_pipe_dma *dma = (void *)pipe->command + GOLDFISH_PIPE_DMA_OFFSET;

	dma->paddr = cpu_to_le64(pipe->region_dma);
	dma->size = cpu_to_le64(pipe->region_size);
	return dma_ring(pipe, cmd);
}

static irqreturn_t dma_interrupt(int irq, void *arg)
{
	u32 count = readl(goldfish.regs + GOLDFISH_PIPE_REG_GET_SIGNALLED), i;
	unsigned long flags;

	if (!count)
		return IRQ_NONE;
	spin_lock_irqsave(&goldfish.lock, flags);
	for (i = 0; i < count && i < DMA_PIPES; i++) {
		const struct goldfish_pipe_signal *signal = &goldfish.shared->signals[i];
		u32 id = le32_to_cpu(READ_ONCE(signal->id));
		u32 wakes = le32_to_cpu(READ_ONCE(signal->flags));
		struct dma_pipe *pipe = id < DMA_PIPES ? goldfish.pipes[id] : NULL;

		if (!pipe)
			continue;
		pipe->woken |= wakes;
		if (wakes & GOLDFISH_PIPE_WAKE_UNLOCK_DMA)
			pipe->unlocks++;
		wake_up(&pipe->wait);
	}
	spin_unlock_irqrestore(&goldfish.lock, flags);
	return IRQ_HANDLED;
}

static int dma_errno(s32 status)
{
	switch (status) {
	case GOLDFISH_PIPE_ERROR_AGAIN:
		return -EAGAIN;
	case GOLDFISH_PIPE_ERROR_NOMEM:
		return -ENOMEM;
	case GOLDFISH_PIPE_ERROR_IO:
		return -EIO;
	default:
		return status < 0 ? -EINVAL : status;
	}
}

/* One command; -EAGAIN after the wake was asked for. */
static ssize_t dma_move(struct dma_pipe *pipe, char __user *buf, size_t len, bool write)
{
	__le64 *gpa = (void *)pipe->command + GOLDFISH_PIPE_PTRS_OFFSET;
	__le32 *size = (void *)pipe->command + GOLDFISH_PIPE_SIZES_OFFSET(DMA_BUFFERS);
	s32 status;

	len = min(len, PAGE_SIZE);
	if (write && copy_from_user(pipe->data, buf, len))
		return -EFAULT;
	gpa[0] = cpu_to_le64(virt_to_phys(pipe->data));
	size[0] = cpu_to_le32(len);
	pipe->command->buffers_count = cpu_to_le32(1);
	status = dma_ring(pipe, write ? GOLDFISH_PIPE_CMD_WRITE : GOLDFISH_PIPE_CMD_READ);
	if (status > 0 && !write && copy_to_user(buf, pipe->data, status))
		return -EFAULT;
	if (status == GOLDFISH_PIPE_ERROR_AGAIN) {
		clear_bit(write ? 2 : 1, &pipe->woken);
		dma_ring(pipe, write ? GOLDFISH_PIPE_CMD_WAKE_ON_WRITE :
				       GOLDFISH_PIPE_CMD_WAKE_ON_READ);
	}
	return dma_errno(status);
}

static ssize_t dma_move_wait(struct file *file, char __user *buf, size_t len, bool write)
{
	const unsigned long wakes = GOLDFISH_PIPE_WAKE_CLOSED |
		(write ? GOLDFISH_PIPE_WAKE_WRITE : GOLDFISH_PIPE_WAKE_READ);
	struct dma_pipe *pipe = file->private_data;
	ssize_t ret;

	for (;;) {
		mutex_lock(&pipe->lock);
		ret = dma_move(pipe, buf, len, write);
		mutex_unlock(&pipe->lock);
		if (ret != -EAGAIN || file->f_flags & O_NONBLOCK)
			return ret;
		if (wait_event_interruptible(pipe->wait, READ_ONCE(pipe->woken) & wakes))
			return -ERESTARTSYS;
	}
}

static ssize_t dma_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return len ? dma_move_wait(file, buf, len, false) : 0;
}

static ssize_t dma_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	return len ? dma_move_wait(file, (char __user *)buf, len, true) : 0;
}

static bool dma_size_good(u64 size)
{
	return size >= DMA_MIN_SIZE && size <= GOLDFISH_PIPE_DMA_MAX_SIZE && PAGE_ALIGNED(size);
}

static long dma_create_region(struct dma_pipe *pipe, const struct goldfish_dma_info *info)
{
	if (!dma_size_good(info->size))
		return -EINVAL;
	if (pipe->region_size)
		return -EBUSY;
	pipe->region_size = info->size;
	return 0;
}

static long dma_state(struct dma_pipe *pipe, struct goldfish_dma_state *state)
{
	/* Wakes come a little later than the change. */
	if (wait_event_interruptible_timeout(pipe->wait,
					     READ_ONCE(pipe->unlocks) >= state->unlocks,
					     10 * HZ) < 0)
		return -ERESTARTSYS;
	state->unlocks = READ_ONCE(pipe->unlocks);
	state->map_status = pipe->map_status;
	return 0;
}

static long dma_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct dma_pipe *pipe = file->private_data;
	void __user *argp = (void __user *)arg;
	struct goldfish_dma_state state;
	struct goldfish_dma_info info;
	long ret;

	switch (number) {
	case GOLDFISH_DMA_LOCK:
		return 0;
	case GOLDFISH_DMA_UNLOCK:
		wake_up(&pipe->wait);
		return 0;
	case GOLDFISH_DMA_GETOFF:
		mutex_lock(&pipe->lock);
		info.phys_begin = pipe->region ? pipe->region_dma : 0;
		info.size = pipe->region ? pipe->region_size : 0;
		mutex_unlock(&pipe->lock);
		return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
	case GOLDFISH_DMA_CREATE_REGION:
		if (copy_from_user(&info, argp, sizeof(info)))
			return -EFAULT;
		mutex_lock(&pipe->lock);
		ret = dma_create_region(pipe, &info);
		mutex_unlock(&pipe->lock);
		return ret;
	case GOLDFISH_DMA_STATE:
		if (copy_from_user(&state, argp, sizeof(state)))
			return -EFAULT;
		ret = dma_state(pipe, &state);
		return ret ?: copy_to_user(argp, &state, sizeof(state)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static int dma_mmap_locked(struct dma_pipe *pipe, struct vm_area_struct *vma)
{
	size_t size = vma->vm_end - vma->vm_start;

	if (!dma_size_good(size) || !pipe->region_size || size > pipe->region_size)
		return -EINVAL;
	if (!pipe->region) {
		pipe->region = dma_alloc_coherent(goldfish.dev, pipe->region_size,
						  &pipe->region_dma, GFP_KERNEL);
		if (!pipe->region)
			return -ENOMEM;
		/* Android's drivers ignore the answer as well. */
		pipe->map_status = dma_ring_region(pipe, GOLDFISH_PIPE_CMD_DMA_MAPHOST);
	}
	return dma_mmap_coherent(goldfish.dev, vma, pipe->region, pipe->region_dma,
				 pipe->region_size);
}

static int dma_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_pipe *pipe = file->private_data;
	int ret;

	mutex_lock(&pipe->lock);
	ret = dma_mmap_locked(pipe, vma);
	mutex_unlock(&pipe->lock);
	return ret;
}

static void dma_pipe_free(struct dma_pipe *pipe)
{
	free_page((unsigned long)pipe->data);
	free_page((unsigned long)pipe->command);
	kfree(pipe);
}

static struct dma_pipe *dma_pipe_make(void)
{
	struct dma_pipe *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);

	if (!pipe)
		return NULL;
	mutex_init(&pipe->lock);
	init_waitqueue_head(&pipe->wait);
	pipe->map_status = 1;
	pipe->command = (void *)get_zeroed_page(GFP_KERNEL);
	pipe->data = (void *)get_zeroed_page(GFP_KERNEL);
	if (!pipe->command || !pipe->data) {
		dma_pipe_free(pipe);
		return NULL;
	}
	return pipe;
}

static void dma_set_pipe(u32 id, struct dma_pipe *pipe)
{
	unsigned long flags;

	spin_lock_irqsave(&goldfish.lock, flags);
	goldfish.pipes[id] = pipe;
	spin_unlock_irqrestore(&goldfish.lock, flags);
}

static int dma_open_locked(struct dma_pipe *pipe)
{
	s32 status;
	u32 id;

	for (id = 0; id < DMA_PIPES && goldfish.pipes[id]; id++)
		;
	if (id == DMA_PIPES)
		return -EMFILE;
	pipe->id = id;
	pipe->command->id = cpu_to_le32(id);
	goldfish.shared->open.command_buffer = cpu_to_le64(virt_to_phys(pipe->command));
	goldfish.shared->open.rw_params_max_count = cpu_to_le32(DMA_BUFFERS);
	dma_set_pipe(id, pipe);
	status = dma_ring(pipe, GOLDFISH_PIPE_CMD_OPEN);
	if (status < 0)
		dma_set_pipe(id, NULL);
	return dma_errno(status);
}

static int dma_open(struct inode *inode, struct file *file)
{
	struct dma_pipe *pipe = dma_pipe_make();
	int err;

	if (!pipe)
		return -ENOMEM;
	mutex_lock(&goldfish.open_lock);
	err = dma_open_locked(pipe);
	mutex_unlock(&goldfish.open_lock);
	if (err) {
		dma_pipe_free(pipe);
		return err;
	}
	file->private_data = pipe;
	return 0;
}

static int dma_release(struct inode *inode, struct file *file)
{
	struct dma_pipe *pipe = file->private_data;

	if (pipe->region)
		dma_ring_region(pipe, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST);
	mutex_lock(&goldfish.open_lock);
	dma_ring(pipe, GOLDFISH_PIPE_CMD_CLOSE);
	dma_set_pipe(pipe->id, NULL);
	mutex_unlock(&goldfish.open_lock);
	if (pipe->region)
		dma_free_coherent(goldfish.dev, pipe->region_size, pipe->region,
				  pipe->region_dma);
	dma_pipe_free(pipe);
	return 0;
}

static const struct file_operations dma_fops = {
	.owner = THIS_MODULE,
	.open = dma_open,
	.release = dma_release,
	.read = dma_read,
	.write = dma_write,
	.unlocked_ioctl = dma_ioctl,
	.mmap = dma_mmap,
};

static struct miscdevice dma_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "goldfish_pipe",
	.fops = &dma_fops,
};

static void dma_write_address(void *at, u32 low, u32 high)
{
	writel(upper_32_bits(virt_to_phys(at)), goldfish.regs + high);
	writel(lower_32_bits(virt_to_phys(at)), goldfish.regs + low);
}

static int dma_probe(struct platform_device *pdev)
{
	struct resource *resource = platform_get_resource(pdev, IORESOURCE_MEM, 0);
	int irq = platform_get_irq(pdev, 0);
	int err;

	if (!resource || irq < 0)
		return -EINVAL;
	goldfish.dev = &pdev->dev;
	goldfish.regs = devm_ioremap(&pdev->dev, resource->start, PAGE_SIZE);
	goldfish.shared = (void *)devm_get_free_pages(&pdev->dev, GFP_KERNEL | __GFP_ZERO, 0);
	if (!goldfish.regs || !goldfish.shared)
		return -ENOMEM;
	mutex_init(&goldfish.open_lock);
	spin_lock_init(&goldfish.lock);
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	writel(4, goldfish.regs + GOLDFISH_PIPE_REG_VERSION);
	if (readl(goldfish.regs + GOLDFISH_PIPE_REG_VERSION) != 2)
		return -ENODEV;
	dma_write_address(goldfish.shared->signals, GOLDFISH_PIPE_REG_SIGNAL_BUFFER,
			  GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH);
	writel(DMA_PIPES, goldfish.regs + GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT);
	dma_write_address(&goldfish.shared->open, GOLDFISH_PIPE_REG_OPEN_BUFFER,
			  GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH);
	err = devm_request_irq(&pdev->dev, irq, dma_interrupt, IRQF_SHARED,
			       "goldfish_dma", &goldfish);
	return err ?: misc_register(&dma_misc);
}

static void dma_remove(struct platform_device *pdev)
{
	misc_deregister(&dma_misc);
}

static const struct of_device_id dma_of_match[] = {
	{ .compatible = "google,android-pipe" },
	{ }
};
MODULE_DEVICE_TABLE(of, dma_of_match);

static const struct acpi_device_id dma_acpi_match[] = {
	{ "GFSH0003", 0 },
	{ }
};
MODULE_DEVICE_TABLE(acpi, dma_acpi_match);

static struct platform_driver dma_driver = {
	.probe = dma_probe,
	.remove_new = dma_remove,
	.driver = {
		.name = "goldfish_dma",
		.of_match_table = dma_of_match,
		.acpi_match_table = ACPI_PTR(dma_acpi_match),
	},
};
module_platform_driver(dma_driver);

MODULE_DESCRIPTION("Goldfish pipe with DMA, for tests");
MODULE_LICENSE("GPL");
