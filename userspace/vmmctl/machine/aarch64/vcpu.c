// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64: a vCPU's initial state. KVM implements PSCI, so CPU_ON does not exit to vmmctl.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "machine/machine.h"

#define CORE_REG(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

static int reg_set(int fd, u64 id, u64 value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(fd, KVM_SET_ONE_REG, &reg);
}

/**
 * vmm_arch_vcpu_init - put a new vCPU into its reset state
 * @vcpu: all but the first start powered off
 *
 * Return: 0, or -errno
 */
int vmm_arch_vcpu_init(struct vmm_vcpu *vcpu)
{
	struct kvm_vcpu_init init = { 0 };

	if (ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init))
		return vmm_error(errno, "KVM does not know this CPU");
	init.features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
	if (vcpu->id)
		init.features[0] |= 1U << KVM_ARM_VCPU_POWER_OFF;
	if (ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init))
		return vmm_error(errno, "KVM cannot initialise vCPU %u", vcpu->id);
	return 0;
}

/**
 * vmm_arch_vcpu_entry - set where the boot CPU starts
 * @vcpu: the boot CPU
 * @entry: @arg is the guest physical address of the device tree
 *
 * Return: 0, or -errno
 */
int vmm_arch_vcpu_entry(struct vmm_vcpu *vcpu, const struct vmm_entry *entry)
{
	if (reg_set(vcpu->fd, CORE_REG(regs.pc), entry->pc) ||
	    reg_set(vcpu->fd, CORE_REG(regs.regs[0]), entry->arg) ||
	    reg_set(vcpu->fd, CORE_REG(regs.regs[1]), 0) ||
	    reg_set(vcpu->fd, CORE_REG(regs.regs[2]), 0) ||
	    reg_set(vcpu->fd, CORE_REG(regs.regs[3]), 0))
		return vmm_error(errno, "cannot set the boot registers");
	return 0;
}

/**
 * vmm_arch_vcpu_pc - read the program counter, for messages
 * @vcpu: stopped, or called from its thread
 *
 * Return: the program counter, 0 if KVM does not return it
 */
u64 vmm_arch_vcpu_pc(struct vmm_vcpu *vcpu)
{
	u64 pc = 0;
	struct kvm_one_reg reg = { .id = CORE_REG(regs.pc), .addr = (uintptr_t)&pc };

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) ? 0 : pc;
}

/**
 * vmm_arch_clock_hold - store the guest's clock for vmm_arch_clock_release()
 * @vm: all its vCPUs are paused
 */
void vmm_arch_clock_hold(struct vmm_vm *vm)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)&vm->clock,
	};

	if (ioctl(vm->vcpu[0]->fd, KVM_GET_ONE_REG, &reg))
		vm->clock = 0;
}

/**
 * vmm_arch_clock_release - continue the guest's clock from the stored value
 * @vm: all its vCPUs are paused
 *
 * All vCPUs share the clock. If it went on during the pause, Linux would report a CPU that
 * is stuck.
 */
void vmm_arch_clock_release(struct vmm_vm *vm)
{
	if (vm->clock)
		reg_set(vm->vcpu[0]->fd, KVM_REG_ARM_TIMER_CNT, vm->clock);
	vm->clock = 0;
}

/**
 * vmm_arch_vcpu_resumed - do what a vCPU needs when it runs again after a pause
 * @vcpu: called from its thread
 */
void vmm_arch_vcpu_resumed(struct vmm_vcpu *vcpu)
{
	(void)vcpu;
}
