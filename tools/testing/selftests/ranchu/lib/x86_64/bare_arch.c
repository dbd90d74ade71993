// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bare machine on x86: flat 32-bit protected mode without paging, no
 * firmware, no interrupt controller.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "bare_vm.h"

/* KVM counts here what arm64 calls mmio_exit_user. */
const char * const bare_arch_user_exit_stat = "mmio_exits";

#define CR0_PE			(1u << 0)
#define CR0_ET			(1u << 4)
#define RFLAGS_ALWAYS		(1u << 1)

#define SEG_CODE		11	/* execute, read, accessed */
#define SEG_DATA		3	/* read, write, accessed */

/* Intel's KVM needs these; both keep clear of the board and of memory. */
#define TSS_GPA			0xfffbd000ul
#define IDENTITY_GPA		0xfffbc000ull

static struct kvm_segment flat_segment(uint8_t type, uint16_t selector)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

int __bare_arch_vm_init(struct bare_vm *vm)
{
	uint64_t identity = IDENTITY_GPA;
	int ret;

	ret = __pipe_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (ret)
		return ret;
	return __pipe_ioctl(vm->fd, KVM_SET_TSS_ADDR, (void *)TSS_GPA);
}

int __bare_arch_vcpu_init(struct bare_vcpu *vcpu)
{
	struct kvm_segment data = flat_segment(SEG_DATA, 16);
	struct kvm_regs regs = {
		.rip = vcpu->vm->code_gpa,
		.rbx = vcpu->job_gpa,
		.rflags = RFLAGS_ALWAYS,
	};
	struct kvm_sregs sregs;
	int ret;

	ret = __pipe_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);
	if (ret)
		return ret;
	sregs.cs = flat_segment(SEG_CODE, 8);
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	sregs.efer = 0;
	ret = __pipe_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
	if (ret)
		return ret;
	return __pipe_ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}
