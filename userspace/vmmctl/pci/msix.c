// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts by message (MSI-X). A function has interrupt sources, each an eventfd, and a table of
 * messages; the driver assigns a message to each source. While a message is enabled, KVM sends
 * it when the eventfd is signalled. While it is disabled, the eventfd is not connected and
 * keeps its signal: that is the pending bit, and when it is connected again, KVM sends the
 * message.
 *
 * KVM has one list of all messages, which can only be set as a whole. A message is added when it is
 * first enabled, or was changed. One write of the guest sets the list once, however many
 * messages it enables, before the vCPU continues and before their eventfds are connected.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.2 MSI-X.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <linux/pci_regs.h>

#include "host/log.h"
#include "machine/machine.h"
#include "pci/pci.h"

#define ENTRY_SIZE	16
#define ENTRY_CONTROL	3	/* word of an entry */
#define ENTRY_MASKED	1	/* bit of that word */

/**
 * vmm_pci_add_msix - give a function messages
 * @fn: being described
 * @bar: a BAR of VMM_PCI_MSIX_SIZE bytes of memory, whose accesses go to
 *	vmm_pci_msix_read() and vmm_pci_msix_write()
 * @vectors: how many, at most VMM_PCI_VECTORS
 */
void vmm_pci_add_msix(struct vmm_pci_function *fn, unsigned int bar, unsigned int vectors)
{
	u8 body[PCI_CAP_MSIX_SIZEOF - 2] = {
		[PCI_MSIX_FLAGS - 2] = vectors - 1,
		[PCI_MSIX_TABLE - 2] = bar,
		[PCI_MSIX_PBA - 2] = bar,
		[PCI_MSIX_PBA - 1] = VMM_PCI_MSIX_PBA >> 8,
	};

	vmm_pci_set_bar(fn, bar, VMM_PCI_MEMORY, VMM_PCI_MSIX_SIZE);
	fn->msix_bar = bar;
	fn->msix_cap = vmm_pci_add_cap(fn, PCI_CAP_ID_MSIX, body, sizeof(body));
	vmm_pci_allow(fn, fn->msix_cap + PCI_MSIX_FLAGS,
		      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	fn->vectors = vectors;
}

/**
 * vmm_pci_add_source - give a function an interrupt source
 * @fn: being described; has room
 * @fd: non-blocking eventfd that signals it
 * @pending: bit in the function's pending reasons, without messages
 *
 * Return: the source
 */
struct vmm_pci_source *vmm_pci_add_source(struct vmm_pci_function *fn, int fd, u8 pending)
{
	struct vmm_pci_source *source = &fn->source[fn->sources++];

	*source = (struct vmm_pci_source){
		.fn = fn, .fd = fd, .vector = VMM_PCI_NO_VECTOR, .pending = pending,
	};
	return source;
}

static u16 msix_control(const struct vmm_pci_function *fn)
{
	return fn->msix_cap ? vmm_pci_get(fn, fn->msix_cap + PCI_MSIX_FLAGS, 2) : 0;
}

/**
 * vmm_pci_msix_enabled - return whether a function sends messages
 * @fn: the function
 *
 * Return: whether it does; its pin is low then
 */
bool vmm_pci_msix_enabled(const struct vmm_pci_function *fn)
{
	return msix_control(fn) & PCI_MSIX_FLAGS_ENABLE;
}

static u64 vector_address(const struct vmm_pci_vector *vector)
{
	return (u64)vector->word[1] << 32 | vector->word[0];
}

/* Messages to other addresses would be writes to memory, which are not done. */
static bool address_is_interrupts(const struct vmm_pci_bus *bus, u64 address)
{
	const struct vmm_pci_window *window = &bus->map.messages;
	u32 low = address;

	/* The upper half has more bits of the destination; KVM refuses the lowest 8 of them. */
	return low >= window->base && low - window->base < window->size && !(address >> 32 & 0xff);
}

/* Returns whether a message is enabled; a function without bus mastering sends nothing. */
static bool vector_live(const struct vmm_pci_function *fn, unsigned int i)
{
	u16 control = msix_control(fn);

	return i < fn->vectors && control & PCI_MSIX_FLAGS_ENABLE &&
	       !(control & PCI_MSIX_FLAGS_MASKALL) &&
	       vmm_pci_command(fn) & PCI_COMMAND_MASTER &&
	       !(fn->vector[i].word[ENTRY_CONTROL] & ENTRY_MASKED) &&
	       address_is_interrupts(fn->bus, vector_address(&fn->vector[i]));
}

static bool vector_is_routed(const struct vmm_pci_vector *vector)
{
	return vector->used && vector->routed.address == vector_address(vector) &&
	       vector->routed.data == vector->word[2];
}

static int routes_commit(struct vmm_pci_bus *bus)
{
	struct vmm_pci_message messages[VMM_PCI_SLOTS * VMM_PCI_VECTORS];
	unsigned int count = 0;
	unsigned int i;
	unsigned int j;

	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		const struct vmm_pci_function *fn = bus->slot[i];

		for (j = 0; fn && j < fn->vectors; j++) {
			if (fn->vector[j].used)
				messages[count++] = fn->vector[j].routed;
		}
	}
	return bus->wires->routes(bus->arg, messages, count);
}

/* Passes new or changed messages to KVM. */
static int vectors_route(struct vmm_pci_function *fn)
{
	bool dirty = false;
	unsigned int i;

	for (i = 0; i < fn->vectors; i++) {
		struct vmm_pci_vector *vector = &fn->vector[i];

		if (!vector_live(fn, i) || vector_is_routed(vector))
			continue;
		vector->routed.address = vector_address(vector);
		vector->routed.data = vector->word[2];
		vector->routed.devid = fn->slot << 3;
		vector->used = true;
		dirty = true;
	}
	return dirty ? routes_commit(fn->bus) : 0;
}

static void blame(struct vmm_pci_bus *bus, int err, const char *what)
{
	if (!bus->blamed)
		vmm_error(-err, "PCI: %s", what);
	bus->blamed = true;
}

static void source_disconnect(struct vmm_pci_source *source)
{
	struct vmm_pci_bus *bus = source->fn->bus;

	if (source->wire == VMM_PCI_WIRE_MESSAGE)
		bus->wires->irqfd(bus->arg, source->fd, source->gsi, false);
	else if (source->wire == VMM_PCI_WIRE_PIN)
		vmm_pci_intx_watch(source, false);
	source->wire = VMM_PCI_WIRE_NONE;
}

static void source_connect(struct vmm_pci_source *source, enum vmm_pci_wire wire, u32 gsi)
{
	struct vmm_pci_bus *bus = source->fn->bus;
	int err = 0;

	if (source->wire == wire && (wire != VMM_PCI_WIRE_MESSAGE || source->gsi == gsi))
		return;
	source_disconnect(source);
	if (wire == VMM_PCI_WIRE_MESSAGE)
		err = bus->wires->irqfd(bus->arg, source->fd, gsi, true);
	else if (wire == VMM_PCI_WIRE_PIN)
		err = vmm_pci_intx_watch(source, true);
	if (err) {
		blame(bus, err, "an interrupt cannot be connected");
		return;
	}
	source->wire = wire;
	source->gsi = gsi;
}

static void source_sync(struct vmm_pci_source *source, bool routed)
{
	const struct vmm_pci_function *fn = source->fn;

	if (!vmm_pci_msix_enabled(fn))
		source_connect(source, VMM_PCI_WIRE_PIN, 0);
	else if (routed && vector_live(fn, source->vector))
		source_connect(source, VMM_PCI_WIRE_MESSAGE,
			       fn->vector[source->vector].routed.gsi);
	else
		source_connect(source, VMM_PCI_WIRE_NONE, 0);
}

/**
 * vmm_pci_msix_sync - update the connection of a function's interrupts
 * @fn: the function
 */
void vmm_pci_msix_sync(struct vmm_pci_function *fn)
{
	bool routed = !vectors_route(fn);
	unsigned int i;

	for (i = 0; i < fn->sources; i++)
		source_sync(&fn->source[i], routed);
	/* After an error, this is tried again at the next change. */
	for (i = 0; !routed && i < fn->vectors; i++)
		fn->vector[i].used = false;
}

/**
 * vmm_pci_msix_power_on - put a function's messages into their power-on state
 * @fn: the function
 *
 * Its interrupts are not connected until vmm_pci_msix_sync().
 */
void vmm_pci_msix_power_on(struct vmm_pci_function *fn)
{
	unsigned int i;

	for (i = 0; i < fn->sources; i++) {
		source_disconnect(&fn->source[i]);
		fn->source[i].vector = VMM_PCI_NO_VECTOR;
		/* A signal that was pending, or that was loaded, is not for the next guest. */
		vmm_event_clear(fn->source[i].fd);
	}
	for (i = 0; i < fn->vectors; i++) {
		fn->vector[i] = (struct vmm_pci_vector){
			.word = { [ENTRY_CONTROL] = ENTRY_MASKED },
			.routed.gsi = fn->vector[i].routed.gsi,
		};
	}
}

/**
 * vmm_pci_set_vector - assign a message to a source
 * @source: the source
 * @vector: the message; an invalid one means none
 *
 * Context: any thread, without the bus's lock.
 * Return: the message, or VMM_PCI_NO_VECTOR
 */
u16 vmm_pci_set_vector(struct vmm_pci_source *source, u16 vector)
{
	struct vmm_pci_function *fn = source->fn;

	if (vector >= fn->vectors)
		vector = VMM_PCI_NO_VECTOR;
	pthread_mutex_lock(&fn->bus->lock);
	source->vector = vector;
	vmm_pci_msix_sync(fn);
	pthread_mutex_unlock(&fn->bus->lock);
	return vector;
}

/**
 * vmm_pci_vector - return the message of a source
 * @source: the source
 *
 * Context: any thread, without the bus's lock.
 * Return: the message, or VMM_PCI_NO_VECTOR
 */
u16 vmm_pci_vector(const struct vmm_pci_source *source)
{
	u16 vector;

	pthread_mutex_lock(&source->fn->bus->lock);
	vector = source->vector;
	pthread_mutex_unlock(&source->fn->bus->lock);
	return vector;
}

/* Returns whether the source is signalled and not connected. */
static bool source_waits(const struct vmm_pci_source *source)
{
	struct pollfd fd = { .fd = source->fd, .events = POLLIN };

	return source->wire == VMM_PCI_WIRE_NONE && poll(&fd, 1, 0) == 1;
}

static u64 pending_bits(const struct vmm_pci_function *fn)
{
	u64 bits = 0;
	unsigned int i;

	for (i = 0; i < fn->sources; i++) {
		const struct vmm_pci_source *source = &fn->source[i];

		if (source->vector < fn->vectors && source_waits(source))
			bits |= 1ULL << source->vector;
	}
	return bits;
}

static u8 msix_byte(const struct vmm_pci_function *fn, u64 offset, u64 pending)
{
	if (offset < fn->vectors * ENTRY_SIZE)
		return fn->vector[offset / ENTRY_SIZE].word[offset / 4 % 4] >> offset % 4 * 8;
	if (offset >= VMM_PCI_MSIX_PBA && offset < VMM_PCI_MSIX_PBA + sizeof(pending))
		return pending >> 8 * (offset - VMM_PCI_MSIX_PBA);
	return 0;
}

/**
 * vmm_pci_msix_read - answer a read from the BAR with the messages
 * @fn: the function
 * @offset: byte offset
 * @len: bytes, 1 to 8
 *
 * Context: any thread, without the bus's lock, as for vmm_pci_msix_write().
 * Return: the bytes
 */
u64 vmm_pci_msix_read(struct vmm_pci_function *fn, u64 offset, unsigned int len)
{
	u64 pending = 0;
	u64 value = 0;
	unsigned int i;

	pthread_mutex_lock(&fn->bus->lock);
	if (offset + len > VMM_PCI_MSIX_PBA)
		pending = pending_bits(fn);
	for (i = len; i-- > 0;)
		value = value << 8 | msix_byte(fn, offset + i, pending);
	pthread_mutex_unlock(&fn->bus->lock);
	return value;
}

static void entry_write(struct vmm_pci_function *fn, u64 offset, u32 value)
{
	/* Masks of the writable bits of an entry's words. */
	static const u32 changes[4] = { ~3U, ~0U, ~0U, ENTRY_MASKED };
	unsigned int word = offset / 4 % 4;

	if (offset < fn->vectors * ENTRY_SIZE)
		fn->vector[offset / ENTRY_SIZE].word[word] = value & changes[word];
}

/**
 * vmm_pci_msix_write - handle a write to the BAR with the messages
 * @fn: the function
 * @offset: byte offset
 * @value: what was written
 * @len: bytes; whole and aligned words of 4 or 8 bytes count
 */
void vmm_pci_msix_write(struct vmm_pci_function *fn, u64 offset, u64 value, unsigned int len)
{
	if ((len != 4 && len != 8) || offset % len)
		return;
	pthread_mutex_lock(&fn->bus->lock);
	entry_write(fn, offset, value);
	if (len == 8)
		entry_write(fn, offset + 4, value >> 32);
	vmm_pci_msix_sync(fn);
	pthread_mutex_unlock(&fn->bus->lock);
}
