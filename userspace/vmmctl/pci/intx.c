// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts by pin, for guests without MSI-X. A function's eventfd wakes the main thread,
 * which sets a bit of pending reasons and raises the pin; the guest reads the reasons, which
 * lowers the pin. Slots share pins, and pins share interrupts: an interrupt is high while any
 * function raises it.
 *
 * The eventfds are in an epoll instance of the bus, which the main loop waits for: a vCPU
 * thread may have to remove one, and only the main thread may use the loop.
 *
 * Source: PCI Local Bus Specification 3.0, 2.2.6, 6.2.2 (Interrupt Disable), 6.2.3
 * (Interrupt Status).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <linux/pci_regs.h>

#include "machine/machine.h"
#include "pci/pci.h"

#define PIN_EVENTS	16	/* read from the kernel at a time */

/**
 * vmm_pci_intx_watch - enable or disable a source for its function's pin
 * @source: the source
 * @on: whether it raises the pin
 *
 * Return: 0, or -errno without a message
 */
int vmm_pci_intx_watch(struct vmm_pci_source *source, bool on)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(source->fn->bus->pin_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, source->fd,
			 &event) ? -errno : 0;
}

/* Sets the status bit from the pending reasons; returns whether the pin is raised. */
static bool function_raises(struct vmm_pci_function *fn)
{
	u16 status = vmm_pci_get(fn, PCI_STATUS, 2);
	bool raises = fn->pending && !vmm_pci_msix_enabled(fn);

	vmm_pci_put(fn, PCI_STATUS, raises ? status | PCI_STATUS_INTERRUPT :
		    status & ~PCI_STATUS_INTERRUPT, 2);
	return raises && !(vmm_pci_command(fn) & PCI_COMMAND_INTX_DISABLE);
}

/* Pins with the same interrupt count as one, because KVM keeps only the last level. */
static unsigned int pin_of(const struct vmm_pci_bus *bus, unsigned int slot)
{
	unsigned int pin = 0;

	while (bus->map.gsi[pin] != bus->map.gsi[slot % VMM_PCI_PINS])
		pin++;
	return pin;
}

/**
 * vmm_pci_intx_update - update the levels of all pins
 * @bus: the bus
 */
void vmm_pci_intx_update(struct vmm_pci_bus *bus)
{
	bool level[VMM_PCI_PINS] = { false };
	unsigned int i;

	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		if (bus->slot[i] && function_raises(bus->slot[i]))
			level[pin_of(bus, i)] = true;
	}
	for (i = 0; i < VMM_PCI_PINS; i++) {
		if (level[i] == bus->level[i])
			continue;
		bus->level[i] = level[i];
		bus->wires->line(bus->arg, i, level[i]);
	}
}

/**
 * vmm_pci_take_pending - return the pending reasons of a function, and lower its pin
 * @fn: the function
 *
 * Context: any thread, without the bus's lock.
 * Return: bits of the sources that were signalled
 */
u8 vmm_pci_take_pending(struct vmm_pci_function *fn)
{
	u8 pending;

	pthread_mutex_lock(&fn->bus->lock);
	pending = fn->pending;
	fn->pending = 0;
	if (pending)
		vmm_pci_intx_update(fn->bus);
	pthread_mutex_unlock(&fn->bus->lock);
	return pending;
}

/* The source may have been connected elsewhere meanwhile; then its event is left there. */
static void source_serve(struct vmm_pci_source *source)
{
	if (source->wire == VMM_PCI_WIRE_PIN && vmm_event_clear(source->fd))
		source->fn->pending |= source->pending;
}

/**
 * vmm_pci_intx_serve - raise pins for signalled sources
 * @bus: the bus; its @pin_fd is readable
 *
 * Context: main thread.
 * Return: 0
 */
int vmm_pci_intx_serve(struct vmm_pci_bus *bus)
{
	struct epoll_event events[PIN_EVENTS];
	/* The sandbox allows epoll_pwait(), but not similar calls. */
	int n = epoll_pwait(bus->pin_fd, events, PIN_EVENTS, 0, NULL);
	int i;

	pthread_mutex_lock(&bus->lock);
	for (i = 0; i < n; i++)
		source_serve(events[i].data.ptr);
	if (n > 0)
		vmm_pci_intx_update(bus);
	pthread_mutex_unlock(&bus->lock);
	return 0;
}
