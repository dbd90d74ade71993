// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wires of a PCI bus that only record calls; see wires.h. Like KVM,
 * they refuse a second doorbell at an address, and the removal of a missing one.
 */
#include <errno.h>
#include <string.h>

#include "tests/pci/wires.h"
#include "tests/tap.h"

struct wires wires;

const struct vmm_pci_map test_map = {
	.window = {
		[VMM_PCI_PORTS] = { PORTS_BASE, PORTS_SIZE },
		[VMM_PCI_MEMORY] = { MEMORY_BASE, MEMORY_SIZE },
		[VMM_PCI_MEMORY64] = { HIGH_BASE, HIGH_SIZE },
	},
	.gsi = { 10, 11, 10, 11 },
	.messages = { MESSAGE, 0x100000 },
	.message_gsi = FIRST_GSI,
};

static unsigned int bell_find(const struct vmm_pci_bell *bell)
{
	unsigned int i = 0;

	while (i < wires.bells && (wires.bell[i].ports != bell->ports ||
				   wires.bell[i].addr != bell->addr))
		i++;
	return i;
}

static int wire_doorbell(void *arg, const struct vmm_pci_bell *bell, bool on)
{
	unsigned int i = bell_find(bell);

	tap_check(arg == &wires);
	if (on && i < wires.bells)
		return -EEXIST;
	if (on && i == WIRES_BELLS)
		return -ENOSPC;
	if (!on && (!tap_check(i < wires.bells) || !tap_check(wires.bell[i].fd == bell->fd)))
		return -ENOENT;
	if (on)
		wires.bell[wires.bells++] = *bell;
	else
		wires.bell[i] = wires.bell[--wires.bells];
	return 0;
}

static unsigned int fd_find(int fd)
{
	unsigned int i = 0;

	while (i < wires.fds && wires.fd[i] != fd)
		i++;
	return i;
}

static int wire_irqfd(void *arg, int fd, u32 gsi, bool on)
{
	unsigned int i = fd_find(fd);

	(void)arg;
	if (on && !tap_check(i == wires.fds && i < WIRES_FDS))
		return -EBUSY;
	if (!on && !tap_check(i < wires.fds && wires.gsi[i] == gsi))
		return -ENOENT;
	if (on) {
		/* An event that comes with it would be lost. */
		tap_check(wires_message(gsi));
		wires.fd[i] = fd;
		wires.gsi[i] = gsi;
		wires.fds++;
	} else {
		wires.fds--;
		wires.fd[i] = wires.fd[wires.fds];
		wires.gsi[i] = wires.gsi[wires.fds];
	}
	return 0;
}

static int wire_routes(void *arg, const struct vmm_pci_message *messages, unsigned int count)
{
	(void)arg;
	wires.commits++;
	if (wires.refuse_routes)
		return wires.refuse_routes;
	if (!tap_check(count <= 64))
		return -E2BIG;
	memcpy(wires.messages, messages, count * sizeof(*messages));
	wires.count = count;
	return 0;
}

static void wire_line(void *arg, unsigned int pin, bool level)
{
	(void)arg;
	tap_check(wires.level[pin] != level);
	wires.level[pin] = level;
}

static int wire_memory(void *arg, u32 slot, u64 gpa, u64 size, void *hva)
{
	(void)arg;
	(void)slot;
	tap_check(hva);
	wires.memory_gpa = gpa;
	wires.memory_size = size;
	return 0;
}

const struct vmm_pci_wires test_wires = {
	.doorbell = wire_doorbell,
	.irqfd = wire_irqfd,
	.routes = wire_routes,
	.line = wire_line,
	.memory = wire_memory,
};

u32 wires_gsi(int fd)
{
	unsigned int i = fd_find(fd);

	return i < wires.fds ? wires.gsi[i] : 0;
}

const struct vmm_pci_message *wires_message(u32 gsi)
{
	unsigned int i;

	for (i = 0; i < wires.count; i++) {
		if (wires.messages[i].gsi == gsi)
			return &wires.messages[i];
	}
	return NULL;
}

const struct vmm_pci_bell *wires_bell(bool ports, u64 addr)
{
	const struct vmm_pci_bell at = { .ports = ports, .addr = addr };
	unsigned int i = bell_find(&at);

	return i < wires.bells ? &wires.bell[i] : NULL;
}
