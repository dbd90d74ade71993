// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: the board is not there yet. These say so, or do what the other
 * commands and the probe guest need.
 */
#include <errno.h>

#include "machine/machine.h"

const char *const vmm_arch_name = "x86_64";

/**
 * vmm_arch_check_run - say whether `run` exists on this architecture
 *
 * Return: 0, or -EOPNOTSUPP after saying so
 */
int vmm_arch_check_run(void)
{
	return vmm_error(-EOPNOTSUPP,
			 "the x86 board is not there yet: run works on arm64 hosts only");
}

/**
 * vmm_arch_vm_type - find the argument of KVM_CREATE_VM
 * @kvm_fd: /dev/kvm
 *
 * Return: 0
 */
unsigned long vmm_arch_vm_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

/**
 * vmm_arch_gic_probe - choose the version of the interrupt controller
 * @vm_fd: a VM
 * @want: ignored
 * @gic: not filled
 *
 * Return: -ENODEV
 */
int vmm_arch_gic_probe(int vm_fd, enum vmm_gic want, enum vmm_gic *gic)
{
	(void)vm_fd;
	(void)want;
	(void)gic;
	return -ENODEV;
}

/**
 * vmm_arch_irqchip_create - make the interrupt controller
 * @vm: the VM
 *
 * Return: -EOPNOTSUPP
 */
int vmm_arch_irqchip_create(struct vmm_vm *vm)
{
	(void)vm;
	return -EOPNOTSUPP;
}

static void no_line_set(struct vmm_line *line, bool level)
{
	(void)line;
	(void)level;
}

static int no_line_attach(struct vmm_line *line)
{
	(void)line;
	return -EOPNOTSUPP;
}

/** There is no interrupt controller yet. */
const struct vmm_line_ops vmm_arch_line_ops = {
	.set = no_line_set,
	.attach = no_line_attach,
};
