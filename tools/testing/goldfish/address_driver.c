// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's driver of the goldfish address space, for tests: mainline has none. It makes the same
 * accesses as Android's driver, in the same order. In addition it checks that blocks do not
 * overlap, and that all are inside the area.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "address_driver.h"

#define REG_COMMAND		0
#define REG_STATUS		4
#define REG_PAGE_SIZE		8
#define REG_SIZE		12
#define REG_OFFSET		20
#define REG_PING		28
#define REG_PING_ADDRESS	32
#define REG_HANDLE		40
#define REG_START		44

#define COMMAND_ALLOCATE	1
#define COMMAND_DEALLOCATE	2
#define COMMAND_GEN_HANDLE	3
#define COMMAND_DESTROY_HANDLE	4
#define COMMAND_TELL_PING	5

/**
 * struct area - the device
 * @regs: registers
 * @start: guest-physical address of the area
 * @size: bytes of it
 * @lock: protects the registers and all that follows
 * @blocks: of all files
 * @misc: the node
 */
struct area {
	void __iomem *regs;
	u64 start;
	u64 size;
	struct mutex lock;	/* registers and blocks */
	struct list_head blocks;
	struct miscdevice misc;
};

/**
 * struct opened - an open file
 * @area: the device
 * @handle: its handle
 * @page: its ping page
 */
struct opened {
	struct area *area;
	u32 handle;
	struct address_ping *page;
};

struct block {
	struct list_head node;
	struct opened *user;
	u64 offset;
	u64 size;
};

static u64 read_pair(struct area *area, u32 reg)
{
	return (u64)readl(area->regs + reg + 4) << 32 | readl(area->regs + reg);
}

static void write_pair(struct area *area, u32 reg, u64 value)
{
	writel(lower_32_bits(value), area->regs + reg);
	writel(upper_32_bits(value), area->regs + reg + 4);
}

static int command(struct area *area, u32 number)
{
	writel(number, area->regs + REG_COMMAND);
	return -(int)readl(area->regs + REG_STATUS);
}

static struct block *block_find(struct area *area, u64 offset, u64 size)
{
	struct block *block;

	list_for_each_entry(block, &area->blocks, node)
		if (offset < block->offset + block->size && block->offset < offset + size)
			return block;
	return NULL;
}

/* ---- the guest's processes ---- */

static int user_open(struct inode *inode, struct file *file)
{
	struct area *area = container_of(file->private_data, struct area, misc);
	struct opened *user = kzalloc(sizeof(*user), GFP_KERNEL);
	int err = -ENOMEM;
	u64 gpa;

	if (!user)
		return err;
	user->area = area;
	user->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!user->page)
		goto err_free;
	gpa = virt_to_phys(user->page);
	mutex_lock(&area->lock);
	command(area, COMMAND_GEN_HANDLE);
	user->handle = readl(area->regs + REG_HANDLE);
	err = user->handle == ~0U ? -EINVAL : 0;
	if (!err) {
		writel(user->handle, area->regs + REG_HANDLE);
		write_pair(area, REG_PING_ADDRESS, gpa);
		command(area, COMMAND_TELL_PING);
		err = read_pair(area, REG_PING_ADDRESS) == gpa ? 0 : -EINVAL;
	}
	mutex_unlock(&area->lock);
	if (err)
		goto err_page;
	file->private_data = user;
	return 0;

err_page:
	free_page((unsigned long)user->page);
err_free:
	kfree(user);
	return err;
}

static int block_end(struct area *area, struct block *block)
{
	int err;

	write_pair(area, REG_OFFSET, block->offset);
	err = command(area, COMMAND_DEALLOCATE);
	list_del(&block->node);
	kfree(block);
	return err;
}

static int user_release(struct inode *inode, struct file *file)
{
	struct opened *user = file->private_data;
	struct area *area = user->area;
	struct block *block, *next;

	mutex_lock(&area->lock);
	writel(user->handle, area->regs + REG_HANDLE);
	command(area, COMMAND_DESTROY_HANDLE);
	list_for_each_entry_safe(block, next, &area->blocks, node)
		if (block->user == user)
			block_end(area, block);
	mutex_unlock(&area->lock);
	free_page((unsigned long)user->page);
	kfree(user);
	return 0;
}

static int allocate_locked(struct opened *user, struct address_block *arg)
{
	struct area *area = user->area;
	struct block *block = kzalloc(sizeof(*block), GFP_KERNEL);
	int err;

	if (!block)
		return -ENOMEM;
	write_pair(area, REG_SIZE, arg->size);
	err = command(area, COMMAND_ALLOCATE);
	if (err) {
		kfree(block);
		return err;
	}
	block->user = user;
	block->offset = read_pair(area, REG_OFFSET);
	block->size = read_pair(area, REG_SIZE);
	/* Results that would break Android's driver. */
	if (block->size < arg->size || block->size > area->size || block->offset % PAGE_SIZE ||
	    block->offset > area->size - block->size ||
	    block_find(area, block->offset, block->size)) {
		kfree(block);
		return -EUCLEAN;
	}
	list_add(&block->node, &area->blocks);
	arg->offset = block->offset;
	arg->size = block->size;
	arg->phys = area->start + block->offset;
	return 0;
}

static int deallocate_locked(struct opened *user, u64 offset)
{
	struct block *block = block_find(user->area, offset, 1);

	if (!block || block->user != user || block->offset != offset)
		return -ENXIO;
	return block_end(user->area, block);
}

static void ping_locked(struct opened *user, struct address_ping *arg)
{
	*user->page = *arg;
	user->page->offset += user->area->start;
	writel(user->handle, user->area->regs + REG_PING);
	*arg = *user->page;
}

static long user_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct opened *user = file->private_data;
	struct address_block block;
	struct address_ping ping;
	u64 offset;
	int err = 0;

	switch (number) {
	case ADDRESS_ALLOCATE:
		if (copy_from_user(&block, argp, sizeof(block)))
			return -EFAULT;
		mutex_lock(&user->area->lock);
		err = allocate_locked(user, &block);
		mutex_unlock(&user->area->lock);
		if (!err && copy_to_user(argp, &block, sizeof(block)))
			err = -EFAULT;
		return err;
	case ADDRESS_DEALLOCATE:
		if (copy_from_user(&offset, argp, sizeof(offset)))
			return -EFAULT;
		mutex_lock(&user->area->lock);
		err = deallocate_locked(user, offset);
		mutex_unlock(&user->area->lock);
		return err;
	case ADDRESS_PING:
		if (copy_from_user(&ping, argp, sizeof(ping)))
			return -EFAULT;
		mutex_lock(&user->area->lock);
		ping_locked(user, &ping);
		mutex_unlock(&user->area->lock);
		return copy_to_user(argp, &ping, sizeof(ping)) ? -EFAULT : 0;
	}
	return -ENOTTY;
}

/* Maps ranges inside of the blocks of this file only. */
static int user_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 size = vma->vm_end - vma->vm_start;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	struct opened *user = file->private_data;
	struct block *block;
	int err = -EPERM;

	mutex_lock(&user->area->lock);
	block = block_find(user->area, offset, 1);
	if (block && block->user == user && size <= block->offset + block->size - offset)
		err = remap_pfn_range(vma, vma->vm_start,
				      (user->area->start + offset) >> PAGE_SHIFT, size,
				      vma->vm_page_prot);
	mutex_unlock(&user->area->lock);
	return err;
}

static const struct file_operations user_fops = {
	.owner = THIS_MODULE,
	.open = user_open,
	.release = user_release,
	.unlocked_ioctl = user_ioctl,
	.mmap = user_mmap,
};

/* ---- the device ---- */

static int area_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct area *area = devm_kzalloc(&pdev->dev, sizeof(*area), GFP_KERNEL);
	int err;

	if (!area)
		return -ENOMEM;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	if (pdev->revision != 1)
		return -ENODEV;
	err = pci_request_regions(pdev, "goldfish_address_space");
	if (err)
		return err;
	area->start = pci_resource_start(pdev, 1);
	area->size = pci_resource_len(pdev, 1);
	area->regs = pcim_iomap(pdev, 0, 0);
	if (!area->regs || !area->start)
		return -ENODEV;
	dev_info(&pdev->dev, "address space: %llu MiB at 0x%llx\n", area->size >> 20,
		 area->start);
	mutex_init(&area->lock);
	INIT_LIST_HEAD(&area->blocks);
	writel(PAGE_SIZE, area->regs + REG_PAGE_SIZE);
	write_pair(area, REG_START, area->start);
	area->misc.name = "goldfish_address_space";
	area->misc.minor = MISC_DYNAMIC_MINOR;
	area->misc.fops = &user_fops;
	return misc_register(&area->misc);
}

static const struct pci_device_id area_ids[] = {
	{ PCI_DEVICE(0x607d, 0xf153) },
	{ },
};
MODULE_DEVICE_TABLE(pci, area_ids);

/* Never unloaded: the guest ends with it. */
static struct pci_driver area_driver = {
	.name = "goldfish_address_space",
	.id_table = area_ids,
	.probe = area_probe,
	.driver.suppress_bind_attrs = true,
};
builtin_pci_driver(area_driver);

MODULE_DESCRIPTION("Guest's end of the goldfish address space, for tests");
MODULE_LICENSE("GPL");
