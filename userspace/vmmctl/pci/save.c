// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of the bus: what a guest has written to the functions' configuration space and MSI-X
 * tables, and pending interrupts. It is loaded into a bus with the same functions in the same
 * slots.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <linux/pci_regs.h>

#include "host/log.h"
#include "machine/machine.h"
#include "pci/pci.h"

#define VERSION	1

/* Tags; the function in slot n has the tags from (n + 1) * 16 on. */
enum {
	STATE_ADDRESS = 1,	/* the address port */
	STATE_SLOTS,		/* slots with a function, a bit each */
};

/* Tags of a function. */
enum {
	FUNCTION_CONFIG = 0,	/* configuration space */
	FUNCTION_VECTORS,	/* the table of messages */
	FUNCTION_SOURCES,	/* of each interrupt source: message, and whether signalled */
	FUNCTION_PENDING,	/* reasons why the pin is raised */
};

struct saved_source {
	__le16 vector;
	__le16 waits;
};

static u32 function_tag(unsigned int slot)
{
	return (slot + 1) * 16;
}

/* Returns whether a source is signalled; a repeated interrupt does no harm. */
static bool source_signalled(const struct vmm_pci_source *source)
{
	struct pollfd fd = { .fd = source->fd, .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static u32 bus_slots(const struct vmm_pci_bus *bus)
{
	u32 slots = 0;
	unsigned int i;

	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		if (bus->slot[i])
			slots |= 1U << i;
	}
	return slots;
}

static void function_save(const struct vmm_pci_function *fn, struct vmm_state *state, u32 tag)
{
	__le32 words[VMM_PCI_VECTORS][4];
	struct saved_source sources[VMM_PCI_SOURCES];
	unsigned int i;
	unsigned int j;

	for (i = 0; i < fn->vectors; i++) {
		for (j = 0; j < 4; j++)
			words[i][j] = htole32(fn->vector[i].word[j]);
	}
	for (i = 0; i < fn->sources; i++)
		sources[i] = (struct saved_source){
			.vector = htole16(fn->source[i].vector),
			.waits = htole16(source_signalled(&fn->source[i])),
		};
	vmm_state_put(state, tag + FUNCTION_CONFIG, fn->config, sizeof(fn->config));
	vmm_state_put(state, tag + FUNCTION_VECTORS, words, fn->vectors * sizeof(words[0]));
	vmm_state_put(state, tag + FUNCTION_SOURCES, sources, fn->sources * sizeof(sources[0]));
	vmm_state_put(state, tag + FUNCTION_PENDING, &fn->pending, sizeof(fn->pending));
}

/**
 * vmm_pci_save - save the bus and what is in its functions' configuration spaces
 * @bus: the bus; no vCPU runs
 * @name: name of the device
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno
 */
int vmm_pci_save(struct vmm_pci_bus *bus, const char *name, struct vmm_state *state)
{
	__le32 slots = htole32(bus_slots(bus));
	unsigned int i;
	__le32 address;
	int err = vmm_state_begin(state, name, VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&bus->lock);
	address = htole32(bus->address);
	vmm_state_put(state, STATE_ADDRESS, &address, sizeof(address));
	vmm_state_put(state, STATE_SLOTS, &slots, sizeof(slots));
	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		if (bus->slot[i])
			function_save(bus->slot[i], state, function_tag(i));
	}
	pthread_mutex_unlock(&bus->lock);
	return vmm_state_end(state);
}

/* Checks bits of configuration space that the guest cannot change. */
static bool config_is_ours(const struct vmm_pci_function *fn, const u8 *config)
{
	unsigned int i;

	for (i = 0; i < VMM_PCI_CONFIG; i++) {
		u8 others = fn->mask[i];

		/* The window has the last read value; the interrupt status is computed. */
		if (fn->window && i >= fn->window && i < fn->window + 4)
			others = 0xff;
		else if (i == PCI_STATUS)
			others |= PCI_STATUS_INTERRUPT;
		if ((config[i] ^ fn->initial[i]) & ~others)
			return false;
	}
	return true;
}

static bool vectors_are_possible(const struct vmm_pci_function *fn,
				 const __le32 words[VMM_PCI_VECTORS][4])
{
	unsigned int i;

	for (i = 0; i < fn->vectors; i++) {
		if (le32toh(words[i][0]) & 3 || le32toh(words[i][3]) & ~1U)
			return false;
	}
	return true;
}

static bool sources_are_possible(const struct vmm_pci_function *fn,
				 const struct saved_source *sources, u8 pending)
{
	unsigned int i;

	for (i = 0; i < fn->sources; i++) {
		u16 vector = le16toh(sources[i].vector);

		pending &= ~fn->source[i].pending;
		if ((vector >= fn->vectors && vector != VMM_PCI_NO_VECTOR) ||
		    le16toh(sources[i].waits) > 1)
			return false;
	}
	return !pending;
}

static int function_load(struct vmm_pci_function *fn, struct vmm_state *state, u32 tag)
{
	struct saved_source sources[VMM_PCI_SOURCES];
	__le32 words[VMM_PCI_VECTORS][4];
	u8 config[VMM_PCI_CONFIG];
	unsigned int i;
	unsigned int j;
	u8 pending;

	vmm_state_get(state, tag + FUNCTION_CONFIG, config, sizeof(config));
	vmm_state_get(state, tag + FUNCTION_VECTORS, words, fn->vectors * sizeof(words[0]));
	vmm_state_get(state, tag + FUNCTION_SOURCES, sources, fn->sources * sizeof(sources[0]));
	vmm_state_get(state, tag + FUNCTION_PENDING, &pending, sizeof(pending));
	if (state->err)
		return state->err;
	if (!config_is_ours(fn, config))
		return vmm_error(-EINVAL, "snapshot: the PCI function in slot %u differs",
				 fn->slot);
	if (!vectors_are_possible(fn, words) || !sources_are_possible(fn, sources, pending))
		return -EINVAL;
	vmm_pci_msix_power_on(fn);
	memcpy(fn->config, config, sizeof(config));
	fn->pending = pending;
	for (i = 0; i < fn->vectors; i++) {
		for (j = 0; j < 4; j++)
			fn->vector[i].word[j] = le32toh(words[i][j]);
	}
	for (i = 0; i < fn->sources; i++) {
		fn->source[i].vector = le16toh(sources[i].vector);
		/* Signals the eventfd; the source is connected later. */
		if (le16toh(sources[i].waits))
			vmm_event_signal(fn->source[i].fd);
	}
	vmm_pci_follow(fn);
	return 0;
}

/* Checks that the same slots have functions. */
static int slots_differ(const struct vmm_pci_bus *bus, u32 slots)
{
	u32 wrong = slots ^ bus_slots(bus);
	unsigned int slot = __builtin_ctz(wrong | 1U << 31);

	if (!wrong)
		return 0;
	if (!bus->slot[slot])
		return vmm_error(-EINVAL,
				 "snapshot: it has a device in PCI slot %u, and here is none",
				 slot);
	return vmm_error(-EINVAL,
			 "snapshot: it has no device in PCI slot %u: no device can be added", slot);
}

static int load_locked(struct vmm_pci_bus *bus, struct vmm_state *state)
{
	__le32 address, slots;
	unsigned int i;
	int err;

	vmm_state_get(state, STATE_ADDRESS, &address, sizeof(address));
	vmm_state_get(state, STATE_SLOTS, &slots, sizeof(slots));
	if (state->err)
		return state->err;
	err = slots_differ(bus, le32toh(slots));
	for (i = 0; i < VMM_PCI_SLOTS && !err; i++) {
		if (bus->slot[i])
			err = function_load(bus->slot[i], state, function_tag(i));
	}
	bus->address = le32toh(address) & VMM_PCI_ADDRESS_KEPT;
	return err;
}

/**
 * vmm_pci_load - load the bus
 * @bus: as at power-on; no vCPU runs
 * @name: name of the device
 * @state: @bytes and @len are set
 *
 * Afterwards BARs, doorbells and messages are as the guest has set them.
 *
 * Return: 0, or -errno; the bus must be reset then
 */
int vmm_pci_load(struct vmm_pci_bus *bus, const char *name, struct vmm_state *state)
{
	int err = vmm_state_open(state, name, VERSION);

	if (err < 0)
		return err;
	pthread_mutex_lock(&bus->lock);
	err = load_locked(bus, state);
	pthread_mutex_unlock(&bus->lock);
	return err ? err : vmm_state_close(state);
}
