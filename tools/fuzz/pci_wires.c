// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wires of a PCI bus for fuzz targets: see pci_wires.h.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "pci_wires.h"

static bool inside(const struct vmm_pci_window *window, u64 at, u64 size)
{
	return at >= window->base && size <= window->size &&
	       at - window->base <= window->size - size;
}

static int wire_doorbell(void *arg, const struct vmm_pci_bell *bell, bool on)
{
	struct pci_wires *wires = arg;
	unsigned int i = 0;

	while (i < wires->bells && (wires->bell[i].addr != bell->addr ||
				    wires->bell[i].ports != bell->ports))
		i++;
	MUST(inside(&wires->map->window[bell->ports ? VMM_PCI_PORTS : VMM_PCI_MEMORY],
		    bell->addr, 1) ||
	     (!bell->ports && inside(&wires->map->window[VMM_PCI_MEMORY64], bell->addr, 1)));
	if (on && i < wires->bells)
		return -EEXIST;
	if (on) {
		MUST(wires->bells < WIRES_BELLS);
		wires->bell[wires->bells++] = *bell;
	} else {
		MUST(i < wires->bells && wires->bell[i].fd == bell->fd);
		wires->bell[i] = wires->bell[--wires->bells];
	}
	return 0;
}

static bool message_is_known(const struct pci_wires *wires, u32 gsi)
{
	unsigned int i;

	for (i = 0; i < wires->messages; i++) {
		if (wires->message[i].gsi == gsi)
			return true;
	}
	return false;
}

static int wire_irqfd(void *arg, int fd, u32 gsi, bool on)
{
	struct pci_wires *wires = arg;
	unsigned int i = 0;

	while (i < wires->fds && wires->fd[i] != fd)
		i++;
	if (on) {
		MUST(i == wires->fds && i < WIRES_FDS && message_is_known(wires, gsi));
		wires->fd[i] = fd;
		wires->gsi[i] = gsi;
		wires->fds++;
	} else {
		MUST(i < wires->fds && wires->gsi[i] == gsi);
		wires->fd[i] = wires->fd[--wires->fds];
		wires->gsi[i] = wires->gsi[wires->fds];
	}
	return 0;
}

/* KVM refuses a list as a whole for one message that it does not like. */
static int wire_routes(void *arg, const struct vmm_pci_message *messages, unsigned int count)
{
	struct pci_wires *wires = arg;
	unsigned int i;
	unsigned int j;

	MUST(count && count <= WIRES_MESSAGES);
	for (i = 0; i < count; i++) {
		MUST(!(messages[i].address >> 32 & 0xff));
		MUST(inside(&wires->map->messages, (u32)messages[i].address, 1));
		MUST(messages[i].gsi >= wires->map->message_gsi);
		for (j = 0; j < i; j++)
			MUST(messages[i].gsi != messages[j].gsi);
	}
	memcpy(wires->message, messages, count * sizeof(*messages));
	wires->messages = count;
	return 0;
}

static void wire_line(void *arg, unsigned int pin, bool level)
{
	struct pci_wires *wires = arg;

	MUST(pin < VMM_PCI_PINS && wires->level[pin] != level);
	wires->level[pin] = level;
}

static int wire_memory(void *arg, u32 slot, u64 gpa, u64 size, void *hva)
{
	struct pci_wires *wires = arg;

	MUST(slot < WIRES_SLOTS);
	MUST(!size || inside(&wires->map->window[VMM_PCI_MEMORY64], gpa, size) ||
	     inside(&wires->map->window[VMM_PCI_MEMORY], gpa, size));
	MUST(!size || !wires->memory[slot]);
	MUST(!(gpa & 4095));
	wires->memory[slot] = size;
	return 0;
}

const struct vmm_pci_wires pci_wires_ops = {
	.doorbell = wire_doorbell,
	.irqfd = wire_irqfd,
	.routes = wire_routes,
	.line = wire_line,
	.memory = wire_memory,
};

/* After a reset nothing is connected. */
void pci_wires_must_be_free(const struct pci_wires *wires)
{
	unsigned int i;

	MUST(!wires->bells && !wires->fds);
	for (i = 0; i < WIRES_SLOTS; i++)
		MUST(!wires->memory[i]);
	for (i = 0; i < VMM_PCI_PINS; i++)
		MUST(!wires->level[i]);
}
