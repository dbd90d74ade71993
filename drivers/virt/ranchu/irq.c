// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that are sent by KVM_IRQ_LINE, in a thread of the owner's.
 *
 * On x86 KVM leaves what an irqfd does to a pin of the IOAPIC to a workqueue: two switches
 * of threads for each interrupt. The ioctl does it there and then. It is called as
 * userspace would call it, with its arguments in memory of the owner's.
 *
 * The pin goes up and at once down again. That is enough for an interrupt to be sent: the
 * IOAPIC remembers it until its end, which KVM's resampler tells. If the pin stayed up,
 * the interrupt would be sent again before anybody could lower it. KVM says whether it was
 * sent. It is not while the guest masks the pin, or has not ended an interrupt of it;
 * then the caller leaves it to the irqfd.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/ranchu_irq.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ranchu_private.h"

/**
 * struct ranchu_irq - an interrupt of a VM
 * @refs: who may still send it
 * @vm: KVM's file of the VM
 * @mm: the owner's, pinned as a struct only, for comparison
 * @levels: arguments of the ioctl, in the owner's memory: up, and down
 * @gsi: its number
 */
struct ranchu_irq {
	refcount_t refs;
	struct file *vm;
	struct mm_struct *mm;
	struct kvm_irq_level __user *levels;
	u32 gsi;
};

static_assert(RANCHU_IRQ_MEMORY == 2 * sizeof(struct kvm_irq_level));

/**
 * ranchu_irq_create() - prepare to send an interrupt
 * @vm_fd: KVM's file of the VM, of the calling process
 * @gsi: the number of a pin of the IOAPIC's
 * @uaddr: RANCHU_IRQ_MEMORY bytes of the caller's, aligned to 8, that nobody else uses
 *
 * Context: the owner's process.
 * Return: the interrupt, or
 * * -EBADF: @vm_fd is not open
 * * -EINVAL: another file, or @uaddr is not aligned
 * * -ENOMEM: no memory
 */
struct ranchu_irq *ranchu_irq_create(int vm_fd, u32 gsi, void __user *uaddr)
{
	struct ranchu_irq *irq;
	struct file *vm;

	if (!IS_ALIGNED((unsigned long)uaddr, sizeof(*irq->levels)))
		return ERR_PTR(-EINVAL);
	vm = ranchu_kvm_file_get(vm_fd, "kvm-vm");
	if (IS_ERR(vm))
		return ERR_CAST(vm);
	irq = kzalloc(sizeof(*irq), GFP_KERNEL_ACCOUNT);
	if (!irq) {
		fput(vm);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&irq->refs, 1);
	irq->vm = vm;
	mmgrab(current->mm);
	irq->mm = current->mm;
	irq->levels = uaddr;
	irq->gsi = gsi;
	return irq;
}
EXPORT_SYMBOL_GPL(ranchu_irq_create);

/* ranchu_irq_put() undoes it. */
void ranchu_irq_hold(struct ranchu_irq *irq)
{
	refcount_inc(&irq->refs);
}

/**
 * ranchu_irq_put() - undo ranchu_irq_create()
 * @irq: may be NULL
 *
 * Context: may sleep, any process.
 */
void ranchu_irq_put(struct ranchu_irq *irq)
{
	if (!irq || !refcount_dec_and_test(&irq->refs))
		return;
	fput(irq->vm);
	mmdrop(irq->mm);
	kfree(irq);
}
EXPORT_SYMBOL_GPL(ranchu_irq_put);

static bool irq_fill(const struct ranchu_irq *irq)
{
	struct kvm_irq_level __user *levels = irq->levels;

	if (!user_write_access_begin(levels, RANCHU_IRQ_MEMORY))
		return false;
	unsafe_put_user(irq->gsi, &levels[0].irq, fault);
	unsafe_put_user(1, &levels[0].level, fault);
	unsafe_put_user(irq->gsi, &levels[1].irq, fault);
	unsafe_put_user(0, &levels[1].level, fault);
	user_write_access_end();
	return true;

fault:
	user_write_access_end();
	return false;
}

static long irq_ioctl(const struct ranchu_irq *irq, unsigned int number,
		      struct kvm_irq_level __user *level)
{
	return irq->vm->f_op->unlocked_ioctl(irq->vm, number, (unsigned long)level);
}

/*
 * Sends the interrupt. Only one thread at a time does.
 *
 * What is in @levels is the owner's to change at any time. That changes what its own guest
 * is told, and no other's: KVM knows whose VM it is.
 *
 * Returns 1 if the interrupt was sent; 0 if KVM could not send it now; -errno if KVM
 * cannot be asked. May sleep, as long as the owner's memory takes to answer.
 */
int ranchu_irq_send(const struct ranchu_irq *irq)
{
	s32 status = 0;
	long err;

	/* @levels are nobody else's. */
	if (current->mm != irq->mm)
		return -EIO;
	if (!irq_fill(irq))
		return -EFAULT;
	err = irq_ioctl(irq, KVM_IRQ_LINE_STATUS, &irq->levels[0]);
	if (err)
		return err;
	if (get_user(status, &irq->levels[0].status))
		status = 0;
	err = irq_ioctl(irq, KVM_IRQ_LINE, &irq->levels[1]);
	return err ? err : status > 0;
}
