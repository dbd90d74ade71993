// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages (MSI-X) that KVM sends: masked separately and all together, pending bits, and changes
 * while they are masked.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.2.
 */
#include <linux/pci_regs.h>

#include "tests/kvm/guest/guest.h"

#define MESSAGE_MASKED	1

/* Address of a word of the queue's message. */
static u32 message(const struct rng *rng, u32 offset)
{
	return rng->table + QUEUE_MESSAGE * PCI_MSIX_ENTRY_SIZE + offset;
}

static void mask(const struct rng *rng, bool on)
{
	write32(message(rng, PCI_MSIX_ENTRY_VECTOR_CTRL), on ? MESSAGE_MASKED : 0);
}

static void control(const struct rng *rng, u16 flags)
{
	config_write16(RNG_SLOT, rng->msix + PCI_MSIX_FLAGS, flags);
}

/*
 * Sets the queue's message to VECTOR_QUEUE of this CPU, masked. A first request is completed,
 * because a device may interrupt once when it starts, with nothing used.
 */
static void begin(struct rng *rng)
{
	rng_find(rng);
	/* Two messages: that of the configuration, and the queue's. */
	equal(config_read(RNG_SLOT, rng->msix) >> 16, 1);
	equal(read32(message(rng, PCI_MSIX_ENTRY_VECTOR_CTRL)), MESSAGE_MASKED);
	equal(read32(rng->pending), 0);
	control(rng, PCI_MSIX_FLAGS_ENABLE);
	write32(message(rng, PCI_MSIX_ENTRY_LOWER_ADDR), APIC);
	write32(message(rng, PCI_MSIX_ENTRY_UPPER_ADDR), 0);
	write32(message(rng, PCI_MSIX_ENTRY_DATA), VECTOR_QUEUE);
	rng_start(rng, QUEUE_MESSAGE);
	mask(rng, false);
	check(rng_request(rng));
	check(waits_for(&got[VECTOR_QUEUE], 1));
	settle();
	mask(rng, true);
	equal(read32(rng->pending), 0);
	got[VECTOR_QUEUE] = 0;
}

/* Waits for the pending bit: the device signals some time after the used entry. */
static bool pending_comes(const struct rng *rng)
{
	u32 tries = 100;

	while (read32(rng->pending) != 1 << QUEUE_MESSAGE && --tries)
		settle();
	return tries;
}

/* Makes a request while no message may come. */
static void request_quietly(const struct rng *rng, u32 so_far)
{
	check(rng_request(rng));
	check(pending_comes(rng));
	settle();
	equal(got[VECTOR_QUEUE], so_far);
	equal(read32(rng->pending), 1 << QUEUE_MESSAGE);
}

static void comes(const struct rng *rng, u32 count)
{
	check(waits_for(&got[VECTOR_QUEUE], count));
	settle();
	equal(got[VECTOR_QUEUE], count);
	equal(read32(rng->pending), 0);
}

void messages(void)
{
	struct rng rng;

	begin(&rng);
	request_quietly(&rng, 0);
	mask(&rng, false);
	comes(&rng, 1);
	check(rng_request(&rng));
	comes(&rng, 2);
	/* Two pending messages are sent as one. */
	mask(&rng, true);
	check(rng_request(&rng));
	request_quietly(&rng, 2);
	mask(&rng, false);
	comes(&rng, 3);
	/* A queue without a message sends none. */
	write16(rng.common + COMMON_QUEUE_VECTOR, 99);
	equal(read16(rng.common + COMMON_QUEUE_VECTOR), NO_VECTOR);
	check(rng_request(&rng));
	settle();
	equal(got[VECTOR_QUEUE], 3);
	equal(got[VECTOR_PIN], 0);
}

void all_messages(void)
{
	struct rng rng;

	begin(&rng);
	mask(&rng, false);
	control(&rng, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	request_quietly(&rng, 0);
	/* The message's own mask still applies. */
	mask(&rng, true);
	control(&rng, PCI_MSIX_FLAGS_ENABLE);
	settle();
	equal(got[VECTOR_QUEUE], 0);
	mask(&rng, false);
	comes(&rng, 1);
	/* A function that is not a bus master cannot send a message. */
	config_write16(RNG_SLOT, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	request_quietly(&rng, 1);
	config_write16(RNG_SLOT, PCI_COMMAND,
		       PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	comes(&rng, 2);
}

void changed_message(void)
{
	struct rng rng;

	begin(&rng);
	mask(&rng, false);
	check(rng_request(&rng));
	comes(&rng, 1);
	mask(&rng, true);
	request_quietly(&rng, 1);
	write32(message(&rng, PCI_MSIX_ENTRY_DATA), VECTOR_OTHER);
	/* The table accepts only whole words. */
	write8(message(&rng, PCI_MSIX_ENTRY_DATA), VECTOR_QUEUE);
	equal(read32(message(&rng, PCI_MSIX_ENTRY_DATA)), VECTOR_OTHER);
	mask(&rng, false);
	check(waits_for(&got[VECTOR_OTHER], 1));
	check(rng_request(&rng));
	check(waits_for(&got[VECTOR_OTHER], 2));
	settle();
	equal(got[VECTOR_OTHER], 2);
	equal(got[VECTOR_QUEUE], 1);
}
