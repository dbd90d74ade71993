// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection of a PCI bus to KVM. Between two lives of the guest there is no VM to connect to,
 * and connections were removed with it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine/machine.h"
#include "pci/host.h"

/* Routes of the board's lines, and of each vector that a bus can have. */
#define ROUTES	(VMM_ARCH_ROUTES + VMM_PCI_SLOTS * VMM_PCI_VECTORS)

static int kvm_doorbell(void *arg, const struct vmm_pci_bell *bell, bool on)
{
	const struct vmm_pci_host *host = arg;
	struct kvm_ioeventfd ioeventfd = {
		.addr = bell->addr,
		.len = bell->len,
		.fd = bell->fd,
		.flags = (bell->ports ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (host->vm->fd < 0)
		return on ? -ENODEV : 0;
	return ioctl(host->vm->fd, KVM_IOEVENTFD, &ioeventfd) ? -errno : 0;
}

static int kvm_irqfd(void *arg, int fd, u32 gsi, bool on)
{
	const struct vmm_pci_host *host = arg;
	struct kvm_irqfd irqfd = {
		.fd = fd,
		.gsi = gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (host->vm->fd < 0)
		return on ? -ENODEV : 0;
	return ioctl(host->vm->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

static int kvm_routes(void *arg, const struct vmm_pci_message *messages, unsigned int count)
{
	const struct vmm_pci_host *host = arg;
	union {
		struct kvm_irq_routing head;
		u8 room[sizeof(struct kvm_irq_routing) +
			ROUTES * sizeof(struct kvm_irq_routing_entry)];
	} table = { .room = { 0 } };
	unsigned int n = vmm_arch_routes(host->vm, table.head.entries);
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (vmm_arch_message_route(host->vm, &messages[i], &table.head.entries[n]))
			n++;
	}
	table.head.nr = n;
	if (host->vm->fd < 0)
		return -ENODEV;
	if (ioctl(host->vm->fd, KVM_SET_GSI_ROUTING, &table))
		return vmm_error(errno, "KVM refuses the messages of PCI functions");
	return 0;
}

static void kvm_line(void *arg, unsigned int pin, bool level)
{
	struct vmm_pci_host *host = arg;

	vmm_line_set(&host->pin[pin], level);
}

static int kvm_memory(void *arg, u32 slot, u64 gpa, u64 size, void *hva)
{
	const struct vmm_pci_host *host = arg;
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	if (host->vm->fd < 0)
		return size ? -ENODEV : 0;
	if (ioctl(host->vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		return vmm_error(errno, "KVM refuses shared memory at 0x%llx", gpa);
	return 0;
}

/** The connection to KVM; its argument is a struct vmm_pci_host. */
const struct vmm_pci_wires vmm_pci_kvm = {
	.doorbell = kvm_doorbell,
	.irqfd = kvm_irqfd,
	.routes = kvm_routes,
	.line = kvm_line,
	.memory = kvm_memory,
};
