// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: the CPUID of a vCPU. It has all that KVM offers, except for what depends on the
 * vCPU's number and on how many there are, and for features that a guest could only misuse.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <asm/kvm_para.h>

#include "machine/machine.h"
#include "machine/x86_64/x86_64.h"

#define CPUID_MAX		256	/* entries; KVM's own limit */

#define LEAF1_ECX_VMX		(1U << 5)
#define LEAF1_ECX_X2APIC	(1U << 21)
#define LEAF1_ECX_TSC_DEADLINE	(1U << 24)
#define LEAF1_ECX_HYPERVISOR	(1U << 31)
#define LEAF1_EDX_HTT		(1U << 28)
#define LEAF6_ECX_EPB		(1U << 3)
#define AMD1_ECX_SVM		(1U << 2)

#define TOPOLOGY_THREAD		1
#define TOPOLOGY_CORE		2

/* Number of bits that an index below @cpus needs. */
static unsigned int number_bits(unsigned int cpus)
{
	unsigned int bits = 0;

	while (1U << bits < cpus)
		bits++;
	return bits;
}

static void leaf_features(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus,
			  bool deadline)
{
	e->ebx = (e->ebx & 0xff) | 8U << 8 | cpus << 16 | id << 24;
	e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
	e->ecx &= ~LEAF1_ECX_VMX;
	if (deadline)
		e->ecx |= LEAF1_ECX_TSC_DEADLINE;
	if (cpus > 1)
		e->edx |= LEAF1_EDX_HTT;
	else
		e->edx &= ~LEAF1_EDX_HTT;
}

/* One thread a core, all cores in one package, caches up to the second level private. */
static void leaf_cache_intel(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	unsigned int level = e->eax >> 5 & 7;

	if (!(e->eax & 0x1f))
		return;
	e->eax &= 0x3fff;
	e->eax |= ((1U << number_bits(cpus)) - 1) << 26;
	if (level > 2)
		e->eax |= (cpus - 1) << 14;
}

static void leaf_cache_amd(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	unsigned int level = e->eax >> 5 & 7;

	if (!(e->eax & 0x1f))
		return;
	e->eax &= 0x3fff;
	if (level > 2)
		e->eax |= (cpus - 1) << 14;
}

static void leaf_topology(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int cpus)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = e->index;
	e->edx = id;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= TOPOLOGY_THREAD << 8;
	} else if (e->index == 1) {
		e->eax = number_bits(cpus);
		e->ebx = cpus;
		e->ecx |= TOPOLOGY_CORE << 8;
	}
}

/* Returns whether the CPU is AMD's, or one that was made after it. */
static bool is_amd(const struct kvm_cpuid2 *cpuid)
{
	unsigned int i;

	/* "AuthenticAMD", "HygonGenuine" */
	for (i = 0; i < cpuid->nent; i++) {
		if (!cpuid->entries[i].function)
			return cpuid->entries[i].ebx == 0x68747541 ||
			       cpuid->entries[i].ebx == 0x6f677948;
	}
	return false;
}

/* AMD: cores minus one, and the number of APIC ID bits for the core. Others reserve it. */
static void leaf_size_amd(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	e->ecx = (cpus - 1) | number_bits(cpus) << 12;
}

/**
 * vmm_x86_cpuid_adjust - turn the CPUID that KVM offers into that of one vCPU
 * @cpuid: the CPUID that KVM offers; changed
 * @id: the vCPU, and its APIC ID
 * @cpus: how many there are
 * @deadline: the APIC timer has TSC deadline mode
 * @pv_eoi: keep paravirtual EOI, if KVM offers it
 */
void vmm_x86_cpuid_adjust(struct kvm_cpuid2 *cpuid, unsigned int id, unsigned int cpus,
			  bool deadline, bool pv_eoi)
{
	bool amd = is_amd(cpuid);
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		switch (e->function) {
		case 1:
			leaf_features(e, id, cpus, deadline);
			break;
		case 4:
			leaf_cache_intel(e, cpus);
			break;
		case 6:
			/* The guest does not control the hardware's power. */
			e->ecx &= ~LEAF6_ECX_EPB;
			break;
		case 0xa:
			/* No performance counters: they would count the host's events. */
			e->eax = 0;
			e->ebx = 0;
			e->ecx = 0;
			e->edx = 0;
			break;
		case 0xb:
		case 0x1f:
			leaf_topology(e, id, cpus);
			break;
		case KVM_CPUID_FEATURES:
			if (!pv_eoi)
				e->eax &= ~(1U << KVM_FEATURE_PV_EOI);
			break;
		case 0x80000001:
			e->ecx &= ~AMD1_ECX_SVM;
			break;
		case 0x80000008:
			if (amd)
				leaf_size_amd(e, cpus);
			break;
		case 0x8000001d:
			leaf_cache_amd(e, cpus);
			break;
		case 0x8000001e:
			/* The extended APIC ID, the core ID, and one node. */
			e->eax = id;
			e->ebx = (e->ebx & ~0xffffU) | (id & 0xff);
			e->ecx = 0;
			break;
		}
	}
}

/* Adds the sub-leaves of the topology that KVM leaves out on a host without them. */
static void add_topology(struct kvm_cpuid2 *cpuid)
{
	bool has[2] = { false, false };
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0xb && cpuid->entries[i].index < 2)
			has[cpuid->entries[i].index] = true;
	}
	for (i = 0; i < 2; i++) {
		if (has[i] || cpuid->nent == CPUID_MAX)
			continue;
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = 0xb,
			.index = i,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
	}
	if (cpuid->nent && cpuid->entries[0].function == 0 && cpuid->entries[0].eax < 0xb)
		cpuid->entries[0].eax = 0xb;
}

/*
 * If the host's own CPUs are emulated by QEMU (TCG), a guest with two CPUs that uses
 * paravirtual EOI hangs in its boot: its CPUs wait for each other for ever. Seen with QEMU 7.2
 * and 10.0, and Linux 6.12 as host and as guest: one of 20 guests booted with paravirtual
 * EOI, 6 of 6 without. The cause is not known.
 */
static bool host_is_emulated(void)
{
	u32 name[3];
	u32 eax, ebx, ecx, edx;

	/* Only a hypervisor has the leaves from 0x40000000 on. */
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & LEAF1_ECX_HYPERVISOR))
		return false;
	__cpuid(KVM_CPUID_SIGNATURE, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

/**
 * vmm_x86_cpuid_set - set the CPUID of a vCPU
 * @vcpu: new
 *
 * Return: 0, or -errno after a message
 */
int vmm_x86_cpuid_set(struct vmm_vcpu *vcpu)
{
	const struct vmm_vm *vm = vcpu->vm;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
					     CPUID_MAX * sizeof(cpuid->entries[0]));
	bool deadline = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	int err = 0;

	if (!cpuid)
		return vmm_error(ENOMEM, "vCPU %u", vcpu->id);
	cpuid->nent = CPUID_MAX;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		err = vmm_error(errno, "KVM does not return the CPUID that it supports");
	} else {
		add_topology(cpuid);
		vmm_x86_cpuid_adjust(cpuid, vcpu->id, vm->cfg->cpus, deadline,
				     !host_is_emulated());
		if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
			err = vmm_error(errno, "KVM refuses the CPUID of vCPU %u",
					vcpu->id);
	}
	free(cpuid);
	return err;
}
