// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features that a host's KVM may lack. KVM is asked once, when a VM or the doctor opens
 * /dev/kvm. Code that can do without a feature tests its bit; code that cannot is refused
 * here, with one message.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "machine/machine.h"

/* The rows are the same as in Documentation/kernels.md. */
const struct vmm_kvm_part vmm_kvm_parts[] = {
	{
		VMM_KVM_READONLY, KVM_CAP_READONLY_MEM, "read-only memory slots",
		"reads of registers exit",
	}, {
		VMM_KVM_IOEVENTFD, KVM_CAP_IOEVENTFD, "ioeventfds",
		"doorbells exit, --sync kernel is refused, and --sync auto is user",
	}, {
		VMM_KVM_IRQFD, KVM_CAP_IRQFD, "irqfds",
		"virtio devices, --pipe kernel and --sync kernel are refused, --sync auto is user",
	}, {
		VMM_KVM_RESAMPLE, KVM_CAP_IRQFD_RESAMPLE, "resampling irqfds",
		"--pipe kernel and --sync kernel are refused, --sync auto is user",
	}, {
		VMM_KVM_ROUTING, KVM_CAP_IRQ_ROUTING, "routes of interrupts",
		"virtio devices on a PCI bus are refused",
	}, { 0 },
};

/**
 * vmm_kvm_lacks - find the features that KVM lacks
 * @kvm_fd: /dev/kvm
 *
 * Return: bits of enum vmm_kvm_bit
 */
u32 vmm_kvm_lacks(int kvm_fd)
{
	const struct vmm_kvm_part *part;
	u32 lacks = 0;

	for (part = vmm_kvm_parts; part->bit; part++) {
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, part->capability) <= 0)
			lacks |= part->bit;
	}
	return lacks;
}

/**
 * vmm_kvm_missing - name a needed feature that KVM lacks
 * @lacks: bits of the features that KVM lacks
 * @needs: bits of the features that are needed
 *
 * Return: the first one in the table's order, NULL if KVM has all
 */
const char *vmm_kvm_missing(u32 lacks, u32 needs)
{
	const struct vmm_kvm_part *part;

	for (part = vmm_kvm_parts; part->bit; part++) {
		if (part->bit & lacks & needs)
			return part->name;
	}
	return NULL;
}

/**
 * vmm_kvm_need - refuse an option or a device that needs a feature that KVM lacks
 * @lacks: bits of the features that KVM lacks
 * @needs: bits of the features that are needed
 * @who: the option or the device
 * @instead: options that do without, or NULL
 *
 * Return: 0, or -EOPNOTSUPP after a message
 */
int vmm_kvm_need(u32 lacks, u32 needs, const char *who, const char *instead)
{
	const char *missing = vmm_kvm_missing(lacks, needs);

	if (!missing)
		return 0;
	return vmm_error(-EOPNOTSUPP, "%s needs %s, which this host's KVM lacks%s%s", who, missing,
			 instead ? "; try " : "", instead ? instead : "");
}
