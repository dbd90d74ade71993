/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wires of a PCI bus that only record calls.
 */
#ifndef TESTS_PCI_WIRES_H
#define TESTS_PCI_WIRES_H

#include "pci/pci.h"

/* A board's map, written out: two pages of ports, 1 MiB of memory, 1 GiB above. */
#define PORTS_BASE	0x1000
#define PORTS_SIZE	0x2000
#define MEMORY_BASE	0xc0000000ULL
#define MEMORY_SIZE	0x100000ULL
#define HIGH_BASE	0x800000000ULL
#define HIGH_SIZE	0x40000000ULL
#define MESSAGE		0xfee00000ULL
#define FIRST_GSI	24

#define WIRES_BELLS	64
#define WIRES_FDS	64

/**
 * struct wires - calls of the bus
 * @messages: the last list of messages
 * @count: number of messages in it
 * @commits: number of lists so far
 * @refuse_routes: result for the next list
 * @bell: doorbells that are connected
 * @bells: number of doorbells
 * @fd: eventfds that send messages
 * @gsi: the number of each one's message
 * @fds: number of eventfds
 * @level: levels of the pins
 * @memory_gpa: address of shared memory
 * @memory_size: size of shared memory, 0 for none
 */
struct wires {
	struct vmm_pci_message messages[64];
	unsigned int count;
	unsigned int commits;
	int refuse_routes;
	struct vmm_pci_bell bell[WIRES_BELLS];
	unsigned int bells;
	int fd[WIRES_FDS];
	u32 gsi[WIRES_FDS];
	unsigned int fds;
	bool level[VMM_PCI_PINS];
	u64 memory_gpa;
	u64 memory_size;
};

extern struct wires wires;
extern const struct vmm_pci_wires test_wires;
extern const struct vmm_pci_map test_map;

/* The message that an eventfd sends, as KVM's GSI; 0 for none. */
u32 wires_gsi(int fd);
/* The message with a GSI, or NULL. */
const struct vmm_pci_message *wires_message(u32 gsi);
/* The doorbell at an address, or NULL. */
const struct vmm_pci_bell *wires_bell(bool ports, u64 addr);

#endif /* TESTS_PCI_WIRES_H */
