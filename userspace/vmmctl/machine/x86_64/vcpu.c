// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: a vCPU's initial state. All vCPUs run from the beginning; KVM's local APICs
 * keep all but the first asleep until the guest starts them.
 *
 * Source: Linux 6.12 Documentation/arch/x86/boot.rst for the state at the 64-bit entry,
 * the Xen project's "x86/HVM direct boot ABI" for the state at the PVH entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "boot/pc.h"
#include "machine/machine.h"
#include "machine/x86_64/x86_64.h"

#define CR0_PE			(1ULL << 0)
#define CR0_ET			(1ULL << 4)
#define CR0_PG			(1ULL << 31)
#define CR4_PAE			(1ULL << 5)
#define EFER_LME		(1ULL << 8)
#define EFER_LMA		(1ULL << 10)
#define RFLAGS_ALWAYS		2

#define SELECTOR_CODE		0x10
#define SELECTOR_DATA		0x18
#define SELECTOR_TASK		0x20

#define TYPE_CODE		11	/* execute and read, accessed */
#define TYPE_DATA		3	/* read and write, accessed */
#define TYPE_TASK		11	/* busy, which VMX needs */

#define PAGE_PRESENT		0x01
#define PAGE_WRITE		0x02
#define PAGE_LARGE		0x80
#define TABLE_ENTRIES		512
#define MAPPED_GIB		4

#define LAPIC_LVT0		0x350
#define LAPIC_LVT1		0x360
#define LAPIC_MODE_NMI		(4 << 8)
#define LAPIC_MODE_EXTINT	(7 << 8)

#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_IA32_MISC_ENABLE	0x1a0
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SYSCALL_MASK	0xc0000084
#define MSR_KERNEL_GS_BASE	0xc0000102

#define MISC_FAST_STRINGS	1
#define MTRR_ON_WRITE_BACK	0x806

/*
 * The time stamp counter is not among them: KVM starts the counters of all vCPUs at 0, and
 * takes the first value that is written to one for the value from a snapshot.
 */
static int msrs_set(struct vmm_vcpu *vcpu)
{
	static const struct kvm_msr_entry values[] = {
		{ .index = MSR_SYSENTER_CS }, { .index = MSR_SYSENTER_ESP },
		{ .index = MSR_SYSENTER_EIP }, { .index = MSR_STAR },
		{ .index = MSR_CSTAR }, { .index = MSR_LSTAR },
		{ .index = MSR_SYSCALL_MASK }, { .index = MSR_KERNEL_GS_BASE },
		{ .index = MSR_IA32_MISC_ENABLE, .data = MISC_FAST_STRINGS },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ON_WRITE_BACK },
	};
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(values));
	int err = 0;
	int done;

	if (!msrs)
		return vmm_error(ENOMEM, "vCPU %u", vcpu->id);
	msrs->nmsrs = ARRAY_SIZE(values);
	memcpy(msrs->entries, values, sizeof(values));
	/* The ioctl returns how many were set before one that failed. */
	done = ioctl(vcpu->fd, KVM_SET_MSRS, msrs);
	if (done != (int)ARRAY_SIZE(values))
		err = vmm_error(done < 0 ? errno : EINVAL, "KVM refuses register 0x%x of vCPU %u",
				values[done < 0 ? 0 : done].index, vcpu->id);
	free(msrs);
	return err;
}

static int fpu_set(struct vmm_vcpu *vcpu)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	if (ioctl(vcpu->fd, KVM_SET_FPU, &fpu))
		return vmm_error(errno, "KVM refuses the FPU of vCPU %u", vcpu->id);
	return 0;
}

static void lapic_mode(struct kvm_lapic_state *lapic, unsigned int at, u32 mode)
{
	u32 value;

	memcpy(&value, lapic->regs + at, sizeof(value));
	value = (value & ~0x700U) | mode;
	memcpy(lapic->regs + at, &value, sizeof(value));
}

/* As firmware leaves it: LINT0 has the PICs' interrupts, LINT1 has NMIs. */
static int lapic_set(struct vmm_vcpu *vcpu)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic))
		return vmm_error(errno, "KVM does not return the APIC of vCPU %u", vcpu->id);
	lapic_mode(&lapic, LAPIC_LVT0, LAPIC_MODE_EXTINT);
	lapic_mode(&lapic, LAPIC_LVT1, LAPIC_MODE_NMI);
	if (ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic))
		return vmm_error(errno, "KVM refuses the APIC of vCPU %u", vcpu->id);
	return 0;
}

/**
 * vmm_arch_vcpu_init - put a new vCPU into its reset state
 * @vcpu: the vCPU
 *
 * Return: 0, or -errno
 */
int vmm_arch_vcpu_init(struct vmm_vcpu *vcpu)
{
	int err = vmm_x86_cpuid_set(vcpu);

	if (!err)
		err = msrs_set(vcpu);
	if (!err)
		err = fpu_set(vcpu);
	return err ? err : lapic_set(vcpu);
}

/* Code and data of 4 GiB each, and a task, as the descriptors in RAM have them. */
static void segments_write(u64 *gdt, bool wide)
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[SELECTOR_CODE / 8] = wide ? 0x00af9b000000ffffULL : 0x00cf9b000000ffffULL;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffffULL;
	gdt[SELECTOR_TASK / 8] = 0x00008b0000000067ULL;
	gdt[SELECTOR_TASK / 8 + 1] = 0;
}

#define GDT_BYTES	(SELECTOR_TASK + 16)

/* Maps the first GiBs 1:1, with pages of 2 MiB. */
static void pages_write(u64 *pml4, u64 gpa)
{
	u64 *pdpt = pml4 + TABLE_ENTRIES;
	u64 *pd = pdpt + TABLE_ENTRIES;
	unsigned int i;

	memset(pml4, 0, 2 * VMM_PAGE_SIZE);
	pml4[0] = (gpa + VMM_PAGE_SIZE) | PAGE_PRESENT | PAGE_WRITE;
	for (i = 0; i < MAPPED_GIB; i++)
		pdpt[i] = (gpa + (2 + i) * VMM_PAGE_SIZE) | PAGE_PRESENT | PAGE_WRITE;
	for (i = 0; i < MAPPED_GIB * TABLE_ENTRIES; i++)
		pd[i] = i * 2 * MIB | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
}

static struct kvm_segment segment(u16 selector, u8 type, bool wide)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.l = wide,
		.db = !wide,
		.g = 1,
	};
}

static void sregs_fill(struct kvm_sregs *sregs, bool wide)
{
	sregs->gdt = (struct kvm_dtable){ .base = VMM_PC_GDT, .limit = GDT_BYTES - 1 };
	sregs->idt = (struct kvm_dtable){ .limit = 0 };
	sregs->cs = segment(SELECTOR_CODE, TYPE_CODE, wide);
	sregs->ds = segment(SELECTOR_DATA, TYPE_DATA, false);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->tr = (struct kvm_segment){
		.limit = 0x67,
		.selector = SELECTOR_TASK,
		.type = TYPE_TASK,
		.present = 1,
	};
	sregs->cr0 = CR0_PE | CR0_ET | (wide ? CR0_PG : 0);
	sregs->cr3 = wide ? VMM_PC_PAGE_TABLES : 0;
	sregs->cr4 = wide ? CR4_PAE : 0;
	sregs->efer = wide ? EFER_LME | EFER_LMA : 0;
}

/**
 * vmm_arch_vcpu_entry - set where the boot CPU starts
 * @vcpu: the boot CPU
 * @entry: @how has a value of boot/pc.h
 *
 * Return: 0, or -errno
 */
int vmm_arch_vcpu_entry(struct vmm_vcpu *vcpu, const struct vmm_entry *entry)
{
	const struct vmm_mem *mem = &vcpu->vm->mem;
	bool wide = entry->how == VMM_PC_ENTRY_LONG;
	struct kvm_regs regs = {
		.rip = entry->pc,
		.rsp = VMM_PC_STACK,
		.rsi = wide ? entry->arg : 0,
		.rbx = wide ? 0 : entry->arg,
		.rflags = RFLAGS_ALWAYS,
	};
	struct kvm_sregs sregs;

	segments_write(vmm_mem_ptr(mem, VMM_PC_GDT, GDT_BYTES), wide);
	pages_write(vmm_mem_ptr(mem, VMM_PC_PAGE_TABLES, (2 + MAPPED_GIB) * VMM_PAGE_SIZE),
		    VMM_PC_PAGE_TABLES);
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return vmm_error(errno, "KVM does not return the boot CPU's state");
	sregs_fill(&sregs, wide);
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return vmm_error(errno, "KVM refuses the boot CPU's state");
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
	struct kvm_regs regs;

	return ioctl(vcpu->fd, KVM_GET_REGS, &regs) ? 0 : regs.rip;
}

/**
 * vmm_arch_clock_hold - do nothing: the time stamp counter goes on in a pause
 * @vm: all its vCPUs are paused
 */
void vmm_arch_clock_hold(struct vmm_vm *vm)
{
	(void)vm;
}

/**
 * vmm_arch_clock_release - do nothing, as vmm_arch_clock_hold()
 * @vm: all its vCPUs are paused
 */
void vmm_arch_clock_release(struct vmm_vm *vm)
{
	(void)vm;
}

/**
 * vmm_arch_vcpu_resumed - tell the guest that a vCPU was paused
 * @vcpu: called from its thread
 *
 * Linux asks KVM for this before it reports a CPU as stuck. KVM refuses it for a guest
 * without kvmclock, or with kvmclock off.
 */
void vmm_arch_vcpu_resumed(struct vmm_vcpu *vcpu)
{
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}
