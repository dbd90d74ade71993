// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: saving a vCPU and the interrupt controllers. There is no such thing yet, and
 * whoever asks is told so.
 */
#include <errno.h>

#include "machine/machine.h"

static int refuse(void)
{
	return vmm_error(-EOPNOTSUPP, "snapshots exist on arm64 only so far");
}

/**
 * vmm_arch_vcpu_save - save a vCPU
 * @vcpu: parked
 * @state: left alone
 *
 * Return: -EOPNOTSUPP after a message
 */
int vmm_arch_vcpu_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	(void)vcpu;
	(void)state;
	return refuse();
}

/**
 * vmm_arch_vcpu_load - take what vmm_arch_vcpu_save() saved
 * @vcpu: initialised
 * @state: left alone
 *
 * Return: -EOPNOTSUPP after a message
 */
int vmm_arch_vcpu_load(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	(void)vcpu;
	(void)state;
	return refuse();
}

/**
 * vmm_arch_irqchip_save - save the interrupt controllers
 * @vm: its vCPUs are parked
 * @state: left alone
 *
 * Return: -EOPNOTSUPP after a message
 */
int vmm_arch_irqchip_save(struct vmm_vm *vm, struct vmm_state *state)
{
	(void)vm;
	(void)state;
	return refuse();
}

/**
 * vmm_arch_irqchip_load - take what vmm_arch_irqchip_save() saved
 * @vm: the VM
 * @state: left alone
 *
 * Return: -EOPNOTSUPP after a message
 */
int vmm_arch_irqchip_load(struct vmm_vm *vm, struct vmm_state *state)
{
	(void)vm;
	(void)state;
	return refuse();
}
