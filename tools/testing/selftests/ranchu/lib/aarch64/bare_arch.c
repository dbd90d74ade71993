// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bare machine on arm64: EL1, one level of page tables. The MMU is on
 * because exclusive loads, and coherence with the host's cached view of guest
 * memory, need Normal memory, and without it all is Device memory.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "bare_vm.h"

const char * const bare_arch_user_exit_stat = "mmio_exit_user";

/* Block descriptors of 1 GiB: valid, inner shareable, accessed. */
#define PTE_BLOCK		(1ull | 3ull << 8 | 1ull << 10)
#define PTE_ATTR(i)		((uint64_t)(i) << 2)
#define PTE_NO_EXEC		(3ull << 53)
#define GIB			(1ull << 30)
#define TABLE_ENTRIES		512

/* Attribute 0: Device-nGnRnE; 1: Normal, write-back. */
#define MAIR_VALUE		(0xffull << 8)
/* 39-bit addresses, 4 KiB pages, write-back walks, TTBR0 only, 40-bit PA. */
#define TCR_VALUE \
	(25ull | 1ull << 8 | 1ull << 10 | 3ull << 12 | 1ull << 23 | 2ull << 32)
/* MMU, data cache and instruction cache on; what is reserved as one. */
#define SCTLR_VALUE \
	(1ull << 0 | 1ull << 2 | 1ull << 12 | 0x30d00800ull)
/* EL1 with its own stack pointer, all interrupts masked. */
#define PSTATE_VALUE		0x3c5ull

#define SYSREG(op0, op1, crn, crm, op2) \
	ARM64_SYS_REG(op0, op1, crn, crm, op2)
#define SYS_SCTLR_EL1		SYSREG(3, 0, 1, 0, 0)
#define SYS_TTBR0_EL1		SYSREG(3, 0, 2, 0, 0)
#define SYS_TCR_EL1		SYSREG(3, 0, 2, 0, 2)
#define SYS_MAIR_EL1		SYSREG(3, 0, 10, 2, 0)

#define CORE_REG(name) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
	 KVM_REG_ARM_CORE_REG(name))

static int set_reg(struct bare_vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return __pipe_ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);
}

int __bare_arch_vm_init(struct bare_vm *vm)
{
	uint64_t *table;

	vm->tables_gpa = pipe_mem_alloc(vm->mem, PIPE_PAGE, PIPE_PAGE);
	table = pipe_mem_hva(vm->mem, vm->tables_gpa, PIPE_PAGE);
	/* Every address means itself: devices below 1 GiB, memory above. */
	table[0] = PTE_BLOCK | PTE_ATTR(0) | PTE_NO_EXEC;
	for (uint64_t i = 1; i < TABLE_ENTRIES; i++)
		table[i] = i * GIB | PTE_BLOCK | PTE_ATTR(1);
	return 0;
}

int __bare_arch_vcpu_init(struct bare_vcpu *vcpu)
{
	const struct {
		uint64_t id;
		uint64_t value;
	} regs[] = {
		{ SYS_MAIR_EL1, MAIR_VALUE },
		{ SYS_TCR_EL1, TCR_VALUE },
		{ SYS_TTBR0_EL1, vcpu->vm->tables_gpa },
		{ SYS_SCTLR_EL1, SCTLR_VALUE },
		{ CORE_REG(regs.regs[0]), vcpu->job_gpa },
		{ CORE_REG(regs.pc), vcpu->vm->code_gpa },
		{ CORE_REG(regs.pstate), PSTATE_VALUE },
	};
	struct kvm_vcpu_init init;
	int ret;

	memset(&init, 0, sizeof(init));
	ret = __pipe_ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init);
	if (!ret)
		ret = __pipe_ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init);
	for (size_t i = 0; !ret && i < sizeof(regs) / sizeof(regs[0]); i++)
		ret = set_reg(vcpu, regs[i].id, regs[i].value);
	return ret;
}
