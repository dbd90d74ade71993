/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device as a PCI function.
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "pci/pci.h"
#include "virtio/virtio.h"

/**
 * struct vmm_virtio_pci - a virtio device behind a PCI function
 * @v: the device; first, because one is found from the other
 * @fn: the function
 * @notify_bar: the BAR with the doorbells
 * @notify_at: their offset in the BAR
 * @access_cap: offset of the capability to access BARs by configuration space
 * @config_source: interrupt source for configuration changes
 * @source: of each queue: interrupt source for used buffers
 * @shm_slot: memslot of the shared memory
 * @bell: of each queue, at the address where the guest has put the BAR; protected by the bus's
 *	lock, as the next
 * @connected: of each queue: KVM knows the doorbell
 */
struct vmm_virtio_pci {
	struct vmm_virtio v;
	struct vmm_pci_function fn;
	unsigned int notify_bar;
	unsigned int notify_at;
	unsigned int access_cap;
	struct vmm_pci_source *config_source;
	struct vmm_pci_source *source[VMM_VIRTIO_QUEUES];
	u32 shm_slot;
	struct vmm_pci_bell bell[VMM_VIRTIO_QUEUES];
	bool connected[VMM_VIRTIO_QUEUES];
};

/* ---- pci.c ---- */

int vmm_virtio_pci_plug(struct vmm_virtio_pci *p, struct vmm_pci_bus *bus, unsigned int slot);
void vmm_virtio_pci_unplug(struct vmm_virtio_pci *p);

/* ---- pci_caps.c: description of the function ---- */

/* BARs, and offsets in the BAR of the registers. */
#define VMM_VIRTIO_PCI_PORTS	0
#define VMM_VIRTIO_PCI_MSIX	1
#define VMM_VIRTIO_PCI_SHM	2
#define VMM_VIRTIO_PCI_REGS	4
#define VMM_VIRTIO_PCI_COMMON	0x0000
#define VMM_VIRTIO_PCI_ISR	0x1000
#define VMM_VIRTIO_PCI_DEVICE	0x2000
#define VMM_VIRTIO_PCI_NOTIFY	0x3000
#define VMM_VIRTIO_PCI_SIZE	0x4000

#define VMM_VIRTIO_PCI_STEP	4	/* bytes from one queue's doorbell to the next */

void vmm_virtio_pci_describe(struct vmm_virtio_pci *p, const struct vmm_pci_ops *ops,
			     bool has_ports);

#endif /* VIRTIO_PCI_H */
