/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts that are sent by an ioctl of KVM's: irq.c of ranchu.ko.
 */
#ifndef _LINUX_RANCHU_IRQ_H
#define _LINUX_RANCHU_IRQ_H

#include <linux/err.h>
#include <linux/kconfig.h>
#include <linux/types.h>

struct ranchu_irq;

/* Memory of the owner's that ranchu_irq_create() takes, in bytes. */
#define RANCHU_IRQ_MEMORY 16

/* Where an irqfd does not do it at once, and the ioctl says what it did. */
#define RANCHU_HAS_IRQ (IS_ENABLED(CONFIG_KVM) && IS_ENABLED(CONFIG_X86))

#if RANCHU_HAS_IRQ
struct ranchu_irq *ranchu_irq_create(int vm_fd, u32 gsi, void __user *uaddr);
void ranchu_irq_put(struct ranchu_irq *irq);
#else
static inline struct ranchu_irq *ranchu_irq_create(int vm_fd, u32 gsi, void __user *uaddr)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void ranchu_irq_put(struct ranchu_irq *irq)
{
}
#endif

#endif /* _LINUX_RANCHU_IRQ_H */
