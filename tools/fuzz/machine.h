/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine without KVM for fuzz targets: a board with its devices, a main loop that runs when
 * it is told to, and the other ends of the devices that have a connection. The targets for
 * registers and for saved states share it. One machine in a process at a time has these ends.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "machine/machine.h"
#include "fuzz.h"
#include "pci_wires.h"

#define MACHINE_RAM	(16 * MIB)
#define MACHINE_PLUGGED	8	/* MMIO transports with a device, from the last one down */

/**
 * struct machine - a machine
 * @cfg: its command line
 * @vm: the VM
 * @bank: its MMIO transports, or NULL
 * @bus: its PCI bus, or NULL
 * @wires: connections of the bus
 * @tick_fd: ends a turn of the main loop
 */
struct machine {
	struct vmm_config cfg;
	struct vmm_vm vm;
	struct vmm_device *bank;
	struct vmm_pci_bus *bus;
	struct pci_wires wires;
	int tick_fd;
};

void machine_config(struct vmm_config *cfg);
void machine_open(struct machine *m,
		  void (*board)(struct vmm_board *board, const struct vmm_config *cfg));
void machine_set_time(struct machine *m, s64 seconds);
void machine_turn(struct machine *m);
void machine_reset(struct machine *m);
void machine_peers(struct input *in);

u32 machine_ram_address(const struct machine *m, u32 value);
void machine_poke_ram(struct machine *m, struct input *in);
void machine_clear_ram(struct machine *m);
void machine_descriptor(struct machine *m, struct input *in);
void machine_bring_up(struct machine *m, struct input *in);
void machine_access(struct machine *m, struct input *in, bool write);
void machine_steer(struct machine *m, struct input *in);

#endif /* FUZZ_MACHINE_H */
