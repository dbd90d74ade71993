// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's driver of goldfish audio, for tests: the one that mainline had can be bound by
 * its name only, and Android's is in no Debian kernel. It makes the same accesses as
 * Android's driver, in the same order: two buffers that are played in turn, one for
 * recording, and a node, /dev/eac, that one program can open at a time.
 */
#include <linux/acpi.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define EAC_INT_STATUS		0x00
#define EAC_INT_ENABLE		0x04
#define EAC_SET_WRITE_1		0x08
#define EAC_SET_WRITE_2		0x0c
#define EAC_WRITE_1		0x10
#define EAC_WRITE_2		0x14
#define EAC_READ_SUPPORTED	0x18
#define EAC_SET_READ		0x1c
#define EAC_START_READ		0x20
#define EAC_READ_AVAILABLE	0x24
#define EAC_SET_WRITE_1_HIGH	0x28
#define EAC_SET_WRITE_2_HIGH	0x30
#define EAC_SET_READ_HIGH	0x34

#define EAC_WRITE_EMPTY		(BIT(0) | BIT(1))
#define EAC_READ_FULL		BIT(2)
#define EAC_ALL			(EAC_WRITE_EMPTY | EAC_READ_FULL)

#define EAC_BUFFER		16384	/* bytes of each of the three */
#define EAC_ORDER		get_order(4 * EAC_BUFFER)

/**
 * struct eac - the device
 * @regs: registers
 * @buffers: two that are played, then the one that is recorded into
 * @lock: protects @status, and makes changes of a buffer's bit and its register atomic
 * @status: read by the last interrupt, without buffers that were filled since
 * @wait: for interrupts
 * @opened: a program has the node open
 * @records: the device can record
 * @misc: the node
 */
struct eac {
	void __iomem *regs;
	u8 *buffers;
	spinlock_t lock;	/* status */
	u32 status;
	wait_queue_head_t wait;
	unsigned long opened;
	bool records;
	struct miscdevice misc;
};

static u32 eac_status(struct eac *eac)
{
	unsigned long flags;
	u32 status;

	spin_lock_irqsave(&eac->lock, flags);
	status = eac->status;
	spin_unlock_irqrestore(&eac->lock, flags);
	return status;
}

/* Clears a bit of the status and writes the register, after which the device sets it again. */
static void eac_start(struct eac *eac, u32 bit, u32 reg, u32 bytes)
{
	unsigned long flags;

	spin_lock_irqsave(&eac->lock, flags);
	eac->status &= ~bit;
	writel(bytes, eac->regs + reg);
	spin_unlock_irqrestore(&eac->lock, flags);
}

static irqreturn_t eac_interrupt(int irq, void *data)
{
	struct eac *eac = data;
	u32 status;

	spin_lock(&eac->lock);
	status = readl(eac->regs + EAC_INT_STATUS) & EAC_ALL;
	if (status)
		eac->status = status;
	spin_unlock(&eac->lock);
	if (!status)
		return IRQ_NONE;
	wake_up(&eac->wait);
	return IRQ_HANDLED;
}

/* ---- the node ---- */

static int eac_open(struct inode *inode, struct file *file)
{
	struct eac *eac = container_of(file->private_data, struct eac, misc);

	if (test_and_set_bit(0, &eac->opened))
		return -EBUSY;
	file->private_data = eac;
	writel(EAC_ALL, eac->regs + EAC_INT_ENABLE);
	return 0;
}

static int eac_release(struct inode *inode, struct file *file)
{
	struct eac *eac = file->private_data;

	writel(0, eac->regs + EAC_INT_ENABLE);
	clear_bit(0, &eac->opened);
	return 0;
}

static ssize_t eac_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	struct eac *eac = file->private_data;
	size_t done = 0;

	while (done < count) {
		size_t bytes = min_t(size_t, count - done, EAC_BUFFER);
		unsigned int which;

		if (wait_event_interruptible(eac->wait, eac_status(eac) & EAC_WRITE_EMPTY))
			return done ? done : -ERESTARTSYS;
		which = eac_status(eac) & BIT(0) ? 0 : 1;
		if (copy_from_user(eac->buffers + which * EAC_BUFFER, from + done, bytes))
			return -EFAULT;
		eac_start(eac, BIT(which), which ? EAC_WRITE_2 : EAC_WRITE_1, bytes);
		done += bytes;
	}
	return done;
}

static ssize_t eac_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	struct eac *eac = file->private_data;
	size_t done = 0;

	if (!eac->records)
		return -ENODEV;
	while (done < count) {
		size_t bytes = min_t(size_t, count - done, EAC_BUFFER);

		eac_start(eac, EAC_READ_FULL, EAC_START_READ, bytes);
		if (wait_event_interruptible(eac->wait, eac_status(eac) & EAC_READ_FULL))
			return done ? done : -ERESTARTSYS;
		bytes = min_t(size_t, bytes, readl(eac->regs + EAC_READ_AVAILABLE));
		if (!bytes)
			break;
		if (copy_to_user(to + done, eac->buffers + 2 * EAC_BUFFER, bytes))
			return -EFAULT;
		done += bytes;
	}
	return done;
}

static const struct file_operations eac_fops = {
	.owner = THIS_MODULE,
	.open = eac_open,
	.release = eac_release,
	.read = eac_read,
	.write = eac_write,
};

/* ---- the device ---- */

/* Writes the low half first; the device keeps the old high half meanwhile. */
static void eac_place(struct eac *eac, unsigned int which, u32 low, u32 high)
{
	phys_addr_t at = virt_to_phys(eac->buffers + which * EAC_BUFFER);

	writel(lower_32_bits(at), eac->regs + low);
	writel(upper_32_bits(at), eac->regs + high);
}

static int eac_probe(struct platform_device *pdev)
{
	struct eac *eac = devm_kzalloc(&pdev->dev, sizeof(*eac), GFP_KERNEL);
	struct resource *registers = platform_get_resource(pdev, IORESOURCE_MEM, 0);
	int err, irq = platform_get_irq(pdev, 0);

	if (!eac)
		return -ENOMEM;
	if (!registers || irq < 0)
		return -ENODEV;
	spin_lock_init(&eac->lock);
	init_waitqueue_head(&eac->wait);
	eac->regs = devm_ioremap(&pdev->dev, registers->start, resource_size(registers));
	eac->buffers = (u8 *)devm_get_free_pages(&pdev->dev, GFP_KERNEL, EAC_ORDER);
	if (!eac->regs || !eac->buffers)
		return -ENOMEM;
	err = devm_request_irq(&pdev->dev, irq, eac_interrupt, IRQF_SHARED, "goldfish_audio", eac);
	if (err)
		return err;
	eac_place(eac, 0, EAC_SET_WRITE_1, EAC_SET_WRITE_1_HIGH);
	eac_place(eac, 1, EAC_SET_WRITE_2, EAC_SET_WRITE_2_HIGH);
	eac->records = readl(eac->regs + EAC_READ_SUPPORTED) == 1;
	if (eac->records)
		eac_place(eac, 2, EAC_SET_READ, EAC_SET_READ_HIGH);
	eac->misc.name = "eac";
	eac->misc.minor = MISC_DYNAMIC_MINOR;
	eac->misc.fops = &eac_fops;
	return misc_register(&eac->misc);
}

static const struct of_device_id eac_of_match[] = {
	{ .compatible = "google,goldfish-audio" },
	{ },
};
MODULE_DEVICE_TABLE(of, eac_of_match);

static const struct acpi_device_id eac_acpi_match[] = {
	{ "GFSH0005", 0 },
	{ },
};
MODULE_DEVICE_TABLE(acpi, eac_acpi_match);

/* Never unloaded: the guest ends with it. */
static struct platform_driver eac_driver = {
	.probe = eac_probe,
	.driver = {
		.name = "goldfish_audio",
		.of_match_table = eac_of_match,
		.acpi_match_table = ACPI_PTR(eac_acpi_match),
		.suppress_bind_attrs = true,
	},
};
builtin_platform_driver(eac_driver);

MODULE_DESCRIPTION("Guest's end of goldfish audio, for tests");
MODULE_LICENSE("GPL");
