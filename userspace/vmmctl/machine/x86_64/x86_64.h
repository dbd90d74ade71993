/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that the files of this folder share.
 */
#ifndef MACHINE_X86_64_H
#define MACHINE_X86_64_H

#include "machine/machine.h"

/* ---- cpuid.c ---- */

void vmm_x86_cpuid_adjust(struct kvm_cpuid2 *cpuid, unsigned int id, unsigned int cpus,
			  bool deadline, bool pv_eoi);
int vmm_x86_cpuid_set(struct vmm_vcpu *vcpu);

#endif /* MACHINE_X86_64_H */
