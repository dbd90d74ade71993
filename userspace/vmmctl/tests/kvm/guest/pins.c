// SPDX-License-Identifier: GPL-2.0-only
/*
 * Level-triggered interrupts at the IOAPIC: a PCI pin, and the line that an irqfd raises
 * and the end of the interrupt lowers.
 *
 * Source: 82093AA data sheet, 3.2.4; PCI Local Bus Specification 3.0, 2.2.6; VIRTIO 1.2,
 * 4.1.4.5.
 */
#include <linux/pci_regs.h>
#include <linux/ranchu_pc.h>

#include "tests/kvm/guest/guest.h"

#define VECTOR_LINE	0x62
#define ENOUGH		3

static struct rng rng;
static u32 remote;

static u32 pci_status(void)
{
	return config_read(RNG_SLOT, PCI_COMMAND) >> 16;
}

static u32 served;

static void note_service(u32 vector)
{
	served |= read32(APIC_IN_SERVICE + vector / 32 * 16) >> vector % 32 & 1;
}

/* Sent to oneself. */
void in_service(void)
{
	on_interrupt = note_service;
	write32(APIC_COMMAND, APIC_TO_SELF | VECTOR_OTHER);
	check(waits_for(&got[VECTOR_OTHER], 1));
	settle();
	equal(got[VECTOR_OTHER], 1);
	if (!served)
		reset_register();
}

/* Leaves the reason where it is: the line stays high, and comes again and again. */
static void hold(u32 vector)
{
	if (vector != VECTOR_PIN)
		return;
	remote |= pin_get(RNG_GSI) & PIN_REMOTE_IRR;
	if (got[VECTOR_PIN] >= ENOUGH)
		pin_set(RNG_GSI, VECTOR_PIN | PIN_LEVEL | PIN_MASKED);
}

static void acknowledge(u32 vector)
{
	if (vector == VECTOR_PIN)
		equal(read8(rng.isr), 1);
}

/* Noting the reason is the main thread's, so it takes a while. */
static bool status_comes(void)
{
	u32 tries = 100;

	while (!(pci_status() & PCI_STATUS_INTERRUPT) && --tries)
		settle();
	return tries;
}

/* A first request is done with, because a device may interrupt once when it starts. */
static void pin_begin(void (*handler)(u32 vector))
{
	rng_find(&rng);
	rng_start(&rng, NO_VECTOR);
	check(rng_request(&rng));
	check(status_comes());
	settle();
	equal(read8(rng.isr), 1);
	on_interrupt = handler;
	pin_set(RNG_GSI, VECTOR_PIN | PIN_LEVEL);
}

void pin(void)
{
	pin_begin(hold);
	check(!(pci_status() & PCI_STATUS_INTERRUPT));
	check(rng_request(&rng));
	check(waits_for(&got[VECTOR_PIN], ENOUGH));
	settle();
	equal(got[VECTOR_PIN], ENOUGH);
	equal(remote, PIN_REMOTE_IRR);
	check(pci_status() & PCI_STATUS_INTERRUPT);
	/* The reason is told once, and the line is low then. */
	equal(read8(rng.isr), 1);
	equal(read8(rng.isr), 0);
	check(!(pci_status() & PCI_STATUS_INTERRUPT));
	on_interrupt = acknowledge;
	pin_set(RNG_GSI, VECTOR_PIN | PIN_LEVEL);
	settle();
	equal(got[VECTOR_PIN], ENOUGH);
	check(rng_request(&rng));
	check(waits_for(&got[VECTOR_PIN], ENOUGH + 1));
	settle();
	equal(got[VECTOR_PIN], ENOUGH + 1);
	equal(pin_get(RNG_GSI) & PIN_REMOTE_IRR, 0);
}

void pin_disabled(void)
{
	const u16 on = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	pin_begin(acknowledge);
	config_write16(RNG_SLOT, PCI_COMMAND, on | PCI_COMMAND_INTX_DISABLE);
	check(rng_request(&rng));
	check(status_comes());
	settle();
	equal(got[VECTOR_PIN], 0);
	config_write16(RNG_SLOT, PCI_COMMAND, on);
	check(waits_for(&got[VECTOR_PIN], 1));
	settle();
	equal(got[VECTOR_PIN], 1);
	check(!(pci_status() & PCI_STATUS_INTERRUPT));
}

/* Requests of the local APIC that the CPU has not taken. */
static bool requested(u32 vector)
{
	return read32(APIC_REQUESTS + vector / 32 * 16) >> vector % 32 & 1;
}

static bool request_comes(u32 vector)
{
	u32 tries = 100;

	while (!requested(vector) && --tries)
		settle();
	return tries;
}

/* KVM tells of an end in its own time. */
static bool ends_are(u32 count)
{
	u32 tries = 100;

	while (in32(KVM_PORT_ENDS) != count && --tries)
		settle();
	settle();
	return in32(KVM_PORT_ENDS) == count;
}

void resample(void)
{
	pin_set(RANCHU_PC_PIPE_GSI, VECTOR_LINE | PIN_LEVEL);
	interrupts_off();
	out32(KVM_PORT_RAISE, 1);
	check(request_comes(VECTOR_LINE));
	check(ends_are(0));
	check(pin_get(RANCHU_PC_PIPE_GSI) & PIN_REMOTE_IRR);
	interrupts_on();
	check(waits_for(&got[VECTOR_LINE], 1));
	check(ends_are(1));
	/* Low again without a device that was asked. */
	equal(got[VECTOR_LINE], 1);
	equal(pin_get(RANCHU_PC_PIPE_GSI) & PIN_REMOTE_IRR, 0);
	out32(KVM_PORT_RAISE, 1);
	check(waits_for(&got[VECTOR_LINE], 2));
	check(ends_are(2));
	equal(got[VECTOR_LINE], 2);
}

void resample_again(void)
{
	pin_set(RANCHU_PC_PIPE_GSI, VECTOR_LINE | PIN_LEVEL);
	out32(KVM_PORT_RAISE, 5);
	check(waits_for(&got[VECTOR_LINE], 5));
	check(ends_are(5));
	equal(got[VECTOR_LINE], 5);
}

/*
 * A KVM that can tells of an end when a pin is unmasked whose line is high, instead of
 * interrupting (Linux 6.4): who drives the line raises it again if there is still a reason.
 */
void resample_masked(void)
{
	pin_set(RANCHU_PC_PIPE_GSI, VECTOR_LINE | PIN_LEVEL | PIN_MASKED);
	out32(KVM_PORT_RAISE, 2);
	settle();
	equal(got[VECTOR_LINE], 0);
	check(!requested(VECTOR_LINE));
	equal(in32(KVM_PORT_ENDS), 0);
	pin_set(RANCHU_PC_PIPE_GSI, VECTOR_LINE | PIN_LEVEL);
	check(waits_for(&got[VECTOR_LINE], 1));
	check(ends_are(2));
	check(got[VECTOR_LINE] == 1 || got[VECTOR_LINE] == 2);
	equal(pin_get(RANCHU_PC_PIPE_GSI) & PIN_REMOTE_IRR, 0);
}
