/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI bus as a device of the board.
 */
#ifndef PCI_HOST_H
#define PCI_HOST_H

#include "machine/machine.h"
#include "pci/pci.h"

/**
 * struct vmm_pci_host - the bus of a VM
 * @vm: the VM
 * @bus: the bus
 * @bridge: the function in slot 0, if the board has one
 * @pin: lines that slots share
 */
struct vmm_pci_host {
	struct vmm_vm *vm;
	struct vmm_pci_bus bus;
	struct vmm_pci_function bridge;
	struct vmm_line pin[VMM_PCI_PINS];
};

/* ---- kvm.c ---- */

extern const struct vmm_pci_wires vmm_pci_kvm;

/* ---- host.c ---- */

extern const struct vmm_device_ops vmm_pci_host_ops;
extern const struct vmm_device_ops vmm_pci_ecam_ops;
extern const struct vmm_device_ops vmm_pci_ports_ops;
extern const struct vmm_device_ops vmm_pci_memory_ops;

struct vmm_pci_host *vmm_pci_host_find(struct vmm_vm *vm);

#endif /* PCI_HOST_H */
