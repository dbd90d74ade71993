// SPDX-License-Identifier: GPL-2.0-only
/*
 * Level-triggered interrupts at the IOAPIC: a PCI pin, and a line that an irqfd raises
 * and that the end of the interrupt lowers.
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

/* Send an interrupt to this CPU. */
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

/* Does not clear the reason: the line stays high, and the interrupt repeats. */
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

/* Waits for the status bit: vmmctl's main thread sets it, which takes some time. */
static bool status_comes(void)
{
	u32 tries = 100;

	while (!(pci_status() & PCI_STATUS_INTERRUPT) && --tries)
		settle();
	return tries;
}

/* Completes a first request, because a device may interrupt once when it starts. */
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
	/* The first read returns the reason, and lowers the line. */
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

/* Returns whether the local APIC has a request that the CPU has not taken. */
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

/* Waits for the count of ends: KVM reports an end some time later. */
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
	/* The end alone has lowered the line. */
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
 * When a pin is unmasked whose line is high, newer KVM (Linux 6.4) reports an end instead of
 * interrupting: the driver of the line raises it again if there is still a reason.
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
