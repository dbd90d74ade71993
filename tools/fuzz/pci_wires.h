/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wires of a PCI bus that record what KVM would know, and check it against what KVM refuses.
 */
#ifndef PCI_WIRES_H
#define PCI_WIRES_H

#include "pci/pci.h"

#define WIRES_BELLS	64
#define WIRES_FDS	128
#define WIRES_MESSAGES	(VMM_PCI_SLOTS * VMM_PCI_VECTORS)
#define WIRES_SLOTS	64

/**
 * struct pci_wires - what KVM would know; only the holder of the bus's lock changes it
 * @map: the board's addresses
 * @bell: doorbells
 * @bells: elements of @bell that are used
 * @fd: eventfds that are connected with a message
 * @gsi: the message of each
 * @fds: elements of @fd and @gsi that are used
 * @message: the routed messages
 * @messages: elements of @message that are used
 * @level: of each pin
 * @memory: bytes of each memory slot
 */
struct pci_wires {
	const struct vmm_pci_map *map;
	struct vmm_pci_bell bell[WIRES_BELLS];
	unsigned int bells;
	int fd[WIRES_FDS];
	u32 gsi[WIRES_FDS];
	unsigned int fds;
	struct vmm_pci_message message[WIRES_MESSAGES];
	unsigned int messages;
	bool level[VMM_PCI_PINS];
	u64 memory[WIRES_SLOTS];
};

/* Their argument is a struct pci_wires. */
extern const struct vmm_pci_wires pci_wires_ops;

void pci_wires_must_be_free(const struct pci_wires *wires);

#endif /* PCI_WIRES_H */
