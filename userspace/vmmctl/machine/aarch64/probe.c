// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64: the probe guest. It runs with its MMU off, so its loads are of Device
 * type, as those of a driver that maps registers are: without FEAT_S2FWB they
 * bypass the cache that holds what the host has just written.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/ranchu.h>

#include "machine/machine.h"

#define REG(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
#define ID_AA64MMFR2_EL1	ARM64_SYS_REG(3, 0, 0, 7, 2)
#define FWB_SHIFT		40

const u64 vmm_arch_probe_code = RANCHU_RAM_BASE;
const u64 vmm_arch_probe_window = RANCHU_PIPE_BASE;

/** KVM looks for memory behind every address first, so a window makes no write slower. */
const bool vmm_arch_window_slows;

/* Loads a word of the window, stores it behind the window, 64 bytes on. */
static const u32 probe_program[] = {
	0xb9400002,	/* ldr	w2, [x0] */
	0xb9000022,	/* str	w2, [x1] */
	0x91010000,	/* add	x0, x0, #64 */
	0x17fffffd,	/* b	. - 12 */
};

static int reg_set(int fd, u64 id, u64 value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(fd, KVM_SET_ONE_REG, &reg);
}

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
	struct kvm_vcpu_init init = { 0 };

	memcpy(code, probe_program, sizeof(probe_program));
	__builtin___clear_cache(code, (char *)code + sizeof(probe_program));
	if (ioctl(vm_fd, KVM_ARM_PREFERRED_TARGET, &init) ||
	    ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init) ||
	    reg_set(vcpu_fd, REG(regs.pc), vmm_arch_probe_code) ||
	    reg_set(vcpu_fd, REG(regs.regs[0]), vmm_arch_probe_window) ||
	    reg_set(vcpu_fd, REG(regs.regs[1]), behind))
		return -1;
	return 0;
}

/**
 * vmm_arch_probe_fwb - ask KVM for FEAT_S2FWB
 * @vcpu_fd: an initialised vCPU
 *
 * Return: 1 or 0, or -1 if KVM does not tell
 */
int vmm_arch_probe_fwb(int vcpu_fd)
{
	u64 mmfr2;
	struct kvm_one_reg reg = { .id = ID_AA64MMFR2_EL1, .addr = (uintptr_t)&mmfr2 };

	if (ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg))
		return -1;
	return (mmfr2 >> FWB_SHIFT & 0xf) != 0;
}
