/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All virtio devices of a VM as functions of its PCI bus.
 */
#ifndef PCI_BANK_H
#define PCI_BANK_H

#include "virtio/models.h"

extern const struct vmm_device_ops vmm_virtio_pci_bank_ops;

int vmm_virtio_pci_next(const struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops);

#endif /* PCI_BANK_H */
