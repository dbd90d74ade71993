// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: the probe guest, in real mode. Memory is always coherent here; what
 * the probe shows is that KVM runs a guest and honours a read-only memslot.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "machine/machine.h"

/* Below 64 KiB, where real mode can reach with segments at 0. */
const u64 vmm_arch_probe_code = 0x1000;
const u64 vmm_arch_probe_window = 0x2000;

/** A write to a page in a read-only memslot costs a page fault first. */
const bool vmm_arch_window_slows = true;

/* Loads a word of the window, stores it behind the window, 64 bytes on. */
static const u8 probe_program[] = {
	0x66, 0x8b, 0x07,	/* mov	(%bx), %eax */
	0x66, 0x89, 0x05,	/* mov	%eax, (%di) */
	0x83, 0xc3, 0x40,	/* add	$64, %bx */
	0xeb, 0xf5,		/* jmp	. - 9 */
};

/**
 * vmm_arch_probe_setup - prepare the probe guest
 * @vm_fd: its VM
 * @vcpu_fd: its vCPU
 * @code: page at vmm_arch_probe_code
 * @behind: the first address behind the window, where there is nothing
 *
 * Return: 0, or -1 with errno set
 */
int vmm_arch_probe_setup(int vm_fd, int vcpu_fd, void *code, u64 behind)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = vmm_arch_probe_code,
		.rbx = vmm_arch_probe_window,
		.rdi = behind,
		.rflags = 2,
	};

	(void)vm_fd;
	memcpy(code, probe_program, sizeof(probe_program));
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs))
		return -1;
	return ioctl(vcpu_fd, KVM_SET_REGS, &regs);
}

/**
 * vmm_arch_probe_fwb - ask KVM for FEAT_S2FWB, which is an arm64 matter
 * @vcpu_fd: a vCPU
 *
 * Return: -1
 */
int vmm_arch_probe_fwb(int vcpu_fd)
{
	(void)vcpu_fd;
	return -1;
}
