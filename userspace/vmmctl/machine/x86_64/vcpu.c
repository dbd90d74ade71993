// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: a vCPU's initial state; see irqchip.c.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "machine/machine.h"

/**
 * vmm_arch_vcpu_init - put a new vCPU into its reset state
 * @vcpu: the vCPU
 *
 * Return: 0; KVM has done it
 */
int vmm_arch_vcpu_init(struct vmm_vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

/**
 * vmm_arch_vcpu_entry - set where the boot CPU starts
 * @vcpu: the boot CPU
 * @entry: how
 *
 * Return: -EOPNOTSUPP
 */
int vmm_arch_vcpu_entry(struct vmm_vcpu *vcpu, const struct vmm_entry *entry)
{
	(void)vcpu;
	(void)entry;
	return -EOPNOTSUPP;
}

/**
 * vmm_arch_vcpu_pc - read the program counter, for messages
 * @vcpu: stopped, or called from its thread
 *
 * Return: the program counter, 0 if KVM does not tell
 */
u64 vmm_arch_vcpu_pc(struct vmm_vcpu *vcpu)
{
	struct kvm_regs regs;

	return ioctl(vcpu->fd, KVM_GET_REGS, &regs) ? 0 : regs.rip;
}
