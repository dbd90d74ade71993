/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pci/ owns the PCI bus: configuration space (config.c), functions and the addresses of their
 * registers (bus.c), interrupts by message (msix.c) and by pin (intx.c), its saved state (save.c),
 * its connection to KVM (kvm.c), and the board's devices for it (host.c). It knows no
 * architecture: a board describes its bus in a struct vmm_pci_map.
 *
 * One bus, one function for each slot, no bridges.
 *
 * Locks: @lock of the bus protects everything that a guest can change in a function's
 * configuration space and its MSI-X table. The holder of a device's own lock may take it; the
 * holder of this lock takes no other one. No callback but @moved is called with it held.
 */
#ifndef PCI_H
#define PCI_H

#include <pthread.h>

#include "machine/device.h"
#include "types.h"

struct vmm_board;
struct vmm_pci_bus;
struct vmm_pci_function;
struct vmm_pci_identity;
struct vmm_vm;

#define VMM_PCI_SLOTS		32
#define VMM_PCI_BARS		6
#define VMM_PCI_CONFIG		256	/* bytes of a function's configuration space */
#define VMM_PCI_PINS		4	/* pins that slots share */
#define VMM_PCI_VECTORS		16	/* messages of a function, at most */
#define VMM_PCI_SOURCES		16	/* interrupt sources of a function, at most */
#define VMM_PCI_NO_VECTOR	0xffff
#define VMM_PCI_ADDRESS_KEPT	0x80fffffc	/* writable bits of the address port */
#define VMM_PCI_NOWHERE		(~0ULL)	/* address of a BAR that is not mapped */

/* The MSI-X BAR, with the table at its beginning. */
#define VMM_PCI_MSIX_SIZE	4096
#define VMM_PCI_MSIX_PBA	2048

/* Kinds of BARs. */
enum vmm_pci_kind {
	VMM_PCI_NONE,		/* none, or the second half of the one before */
	VMM_PCI_PORTS,
	VMM_PCI_MEMORY,		/* below 4 GiB */
	VMM_PCI_MEMORY64,	/* anywhere, prefetchable */
	VMM_PCI_MEMORY64_PLAIN,	/* anywhere, not prefetchable */
	VMM_PCI_KINDS
};

/**
 * struct vmm_pci_window - a range of addresses for BARs
 * @base: the first
 * @size: number of addresses; 0 if the board has none of this kind
 */
struct vmm_pci_window {
	u64 base;
	u64 size;
};

/**
 * struct vmm_pci_map - the PCI bus of a board
 * @window: by kind of BAR; that of VMM_PCI_MEMORY64 is for both kinds of 64 bits, which may
 *	be in the window of memory, too
 * @gsi: interrupt of pin A of slot s is @gsi[s % VMM_PCI_PINS], level-triggered
 * @messages: addresses that a message can be sent to, in the low 32 bits
 * @message_gsi: interrupts from this number on are used for messages
 * @ecam: configuration space in memory, if the board has it there
 * @bridge: identity of its host bridge, in slot 0; NULL if it is not a function
 */
struct vmm_pci_map {
	struct vmm_pci_window window[VMM_PCI_KINDS];
	u32 gsi[VMM_PCI_PINS];
	struct vmm_pci_window messages;
	u32 message_gsi;
	struct vmm_pci_window ecam;
	const struct vmm_pci_identity *bridge;
};

/**
 * struct vmm_pci_message - an interrupt by message
 * @address: address to which it is sent
 * @data: data that is sent
 * @gsi: KVM's number for it
 * @devid: the function: slot << 3
 */
struct vmm_pci_message {
	u64 address;
	u32 data;
	u32 gsi;
	u32 devid;
};

/**
 * struct vmm_pci_bell - a guest's write to a BAR that signals an eventfd
 * @ports: the register is a port
 * @addr: its address
 * @len: bytes of the write; 0 for any, which goes with memory only
 * @fd: the eventfd
 */
struct vmm_pci_bell {
	bool ports;
	u64 addr;
	unsigned int len;
	int fd;
};

/**
 * struct vmm_pci_wires - the connection of a bus to the machine
 * @doorbell: connects a doorbell or disconnects it; 0, or -errno without a message: the bus
 *	works without
 * @irqfd: connects an eventfd with the message @gsi, or disconnects it; 0, or -errno without
 *	a message. An eventfd that is signalled when it is connected sends one message
 * @routes: sets the list of all messages in use; 0, or -errno after a message
 * @line: sets the level of an interrupt
 * @memory: maps memory of vmmctl for the guest, or unmaps it if @size is 0; 0, or -errno after a
 *	message
 *
 * All are called with the bus's lock held, with the bus's @arg.
 */
struct vmm_pci_wires {
	int (*doorbell)(void *arg, const struct vmm_pci_bell *bell, bool on);
	int (*irqfd)(void *arg, int fd, u32 gsi, bool on);
	int (*routes)(void *arg, const struct vmm_pci_message *messages, unsigned int count);
	void (*line)(void *arg, unsigned int pin, bool level);
	int (*memory)(void *arg, u32 slot, u64 gpa, u64 size, void *hva);
};

/**
 * struct vmm_pci_bar - a base address register
 * @kind: its kind
 * @size: bytes or ports, a power of two
 * @at: address, or VMM_PCI_NOWHERE
 */
struct vmm_pci_bar {
	enum vmm_pci_kind kind;
	u64 size;
	u64 at;
};

/* Connections of a source. */
enum vmm_pci_wire {
	VMM_PCI_WIRE_NONE,	/* none: signals wait in the eventfd */
	VMM_PCI_WIRE_MESSAGE,	/* KVM sends a message */
	VMM_PCI_WIRE_PIN,	/* the main thread raises the function's pin */
};

/**
 * struct vmm_pci_source - an interrupt source
 * @fn: the function
 * @fd: eventfd that signals it
 * @vector: the message that it sends, or VMM_PCI_NO_VECTOR
 * @pending: bit of the function's @pending that it sets without messages
 * @wire: its current connection
 * @gsi: VMM_PCI_WIRE_MESSAGE: the message
 */
struct vmm_pci_source {
	struct vmm_pci_function *fn;
	int fd;
	u16 vector;
	u8 pending;
	enum vmm_pci_wire wire;
	u32 gsi;
};

/**
 * struct vmm_pci_vector - an entry of the MSI-X table
 * @word: address, its upper half, data, control, as the guest wrote them
 * @routed: the message in KVM's list; @gsi is constant
 * @used: it is in KVM's list
 */
struct vmm_pci_vector {
	u32 word[4];
	struct vmm_pci_message routed;
	bool used;
};

/**
 * struct vmm_pci_ops - a function behind the bus
 * @read: answers a read of @len bytes, 1 to 8, at @offset of a BAR, all inside it
 * @write: handles a write
 * @moved: called when BAR @bar has moved, see @bar[].at; the bus's lock is held;
 *	optional
 * @window_read: called before the guest reads from the function's window; fills it by
 *	vmm_pci_put(); optional
 * @window_write: called after the guest has written to the window; optional
 *
 * All but @moved are called in any vCPU's thread, without the bus's lock.
 */
struct vmm_pci_ops {
	u64 (*read)(struct vmm_pci_function *fn, unsigned int bar, u64 offset, unsigned int len);
	void (*write)(struct vmm_pci_function *fn, unsigned int bar, u64 offset, u64 value,
		      unsigned int len);
	void (*moved)(struct vmm_pci_function *fn, unsigned int bar);
	void (*window_read)(struct vmm_pci_function *fn);
	void (*window_write)(struct vmm_pci_function *fn);
};

/**
 * struct vmm_pci_function - a function, embedded in a device's structure
 * @ops: operations of the device
 * @state: owned by the device
 * @bus: set when it is added
 * @slot: its slot
 * @initial: configuration space at power-on
 * @mask: bits of configuration space that the guest can change
 * @caps: offset of the next capability
 * @last_cap: the last one, 0 for none
 * @window: offset of 4 bytes in configuration space that access other registers, or 0
 * @msix_cap: offset of the MSI-X capability, or 0
 * @msix_bar: the BAR with the table
 * @vectors: entries of the table
 * @sources: how many
 * @source: interrupt sources
 *
 * Protected by the bus's lock:
 * @config: configuration space as the guest reads it
 * @bar: base address registers
 * @vector: the MSI-X table
 * @pending: reasons why the pin is raised, a bit each
 */
struct vmm_pci_function {
	const struct vmm_pci_ops *ops;
	void *state;
	struct vmm_pci_bus *bus;
	unsigned int slot;
	u8 initial[VMM_PCI_CONFIG];
	u8 mask[VMM_PCI_CONFIG];
	unsigned int caps;
	unsigned int last_cap;
	unsigned int window;
	unsigned int msix_cap;
	unsigned int msix_bar;
	unsigned int vectors;
	unsigned int sources;
	struct vmm_pci_source source[VMM_PCI_SOURCES];
	u8 config[VMM_PCI_CONFIG];
	struct vmm_pci_bar bar[VMM_PCI_BARS];
	struct vmm_pci_vector vector[VMM_PCI_VECTORS];
	u8 pending;
};

/**
 * struct vmm_pci_bus - the bus
 * @map: addresses and interrupts on the board
 * @wires: connection to the machine
 * @arg: first argument of @wires
 * @slot: the functions
 * @pin_fd: epoll instance of the eventfds that raise pins
 * @gsis: number of messages that were assigned to vectors
 * @lock: see the top of this file
 * @address: value of the address port
 * @level: level of each pin; of several with one interrupt, the first is used
 * @blamed: the message about a refusal of KVM was written
 */
struct vmm_pci_bus {
	struct vmm_pci_map map;
	const struct vmm_pci_wires *wires;
	void *arg;
	struct vmm_pci_function *slot[VMM_PCI_SLOTS];
	int pin_fd;
	u32 gsis;
	pthread_mutex_t lock;
	u32 address;
	bool level[VMM_PCI_PINS];
	bool blamed;
};

/* ---- config.c: a function's configuration space ---- */

/**
 * struct vmm_pci_identity - identity of a function
 * @vendor: and the next: as the registers of these names
 * @device: see @vendor
 * @class: base class, subclass, interface: 24 bits
 * @revision: see @vendor
 * @subsystem_vendor: see @vendor
 * @subsystem: see @vendor
 */
struct vmm_pci_identity {
	u16 vendor;
	u16 device;
	u32 class;
	u8 revision;
	u16 subsystem_vendor;
	u16 subsystem;
};

void vmm_pci_init(struct vmm_pci_function *fn, const struct vmm_pci_ops *ops,
		  const struct vmm_pci_identity *identity);
enum vmm_pci_kind vmm_pci_window_of(enum vmm_pci_kind kind);
void vmm_pci_set_bar(struct vmm_pci_function *fn, unsigned int bar, enum vmm_pci_kind kind,
		     u64 size);
unsigned int vmm_pci_add_cap(struct vmm_pci_function *fn, u8 id, const void *body,
			     unsigned int len);
void vmm_pci_allow(struct vmm_pci_function *fn, unsigned int offset, u32 bits);
u32 vmm_pci_get(const struct vmm_pci_function *fn, unsigned int offset, unsigned int len);
void vmm_pci_put(struct vmm_pci_function *fn, unsigned int offset, u32 value, unsigned int len);
u16 vmm_pci_command(const struct vmm_pci_function *fn);

/* With the bus's lock held, for bus.c. */
void vmm_pci_config_power_on(struct vmm_pci_function *fn);
bool vmm_pci_place(struct vmm_pci_function *fn, unsigned int bar, u64 address);
void vmm_pci_store(struct vmm_pci_function *fn, unsigned int offset, u32 value, unsigned int len);
void vmm_pci_decode(struct vmm_pci_function *fn);

/* ---- bus.c: functions and accesses ---- */

int vmm_pci_bus_open(struct vmm_pci_bus *bus, const struct vmm_pci_map *map,
		     const struct vmm_pci_wires *wires, void *arg);
void vmm_pci_bus_close(struct vmm_pci_bus *bus);
int vmm_pci_add(struct vmm_pci_bus *bus, struct vmm_pci_function *fn, unsigned int slot);
void vmm_pci_remove(struct vmm_pci_function *fn);
void vmm_pci_power_on(struct vmm_pci_bus *bus);
u32 vmm_pci_config_read(struct vmm_pci_bus *bus, unsigned int slot, unsigned int offset,
			unsigned int len);
void vmm_pci_config_write(struct vmm_pci_bus *bus, unsigned int slot, unsigned int offset,
			  u32 value, unsigned int len);
u32 vmm_pci_port_read(struct vmm_pci_bus *bus, unsigned int port, unsigned int len);
void vmm_pci_port_write(struct vmm_pci_bus *bus, unsigned int port, u32 value, unsigned int len);
u32 vmm_pci_ecam_read(struct vmm_pci_bus *bus, u64 offset, unsigned int len);
void vmm_pci_ecam_write(struct vmm_pci_bus *bus, u64 offset, u32 value, unsigned int len);
u64 vmm_pci_read(struct vmm_pci_bus *bus, bool ports, u64 addr, unsigned int len);
void vmm_pci_write(struct vmm_pci_bus *bus, bool ports, u64 addr, u64 value, unsigned int len);

/* With the bus's lock held, for save.c. */
void vmm_pci_follow(struct vmm_pci_function *fn);

/* ---- save.c: the bus's state ---- */

int vmm_pci_save(struct vmm_pci_bus *bus, const char *name, struct vmm_state *state);
int vmm_pci_load(struct vmm_pci_bus *bus, const char *name, struct vmm_state *state);

/* ---- msix.c: interrupts by message ---- */

void vmm_pci_add_msix(struct vmm_pci_function *fn, unsigned int bar, unsigned int vectors);
struct vmm_pci_source *vmm_pci_add_source(struct vmm_pci_function *fn, int fd, u8 pending);
u16 vmm_pci_set_vector(struct vmm_pci_source *source, u16 vector);
u16 vmm_pci_vector(const struct vmm_pci_source *source);
u64 vmm_pci_msix_read(struct vmm_pci_function *fn, u64 offset, unsigned int len);
void vmm_pci_msix_write(struct vmm_pci_function *fn, u64 offset, u64 value, unsigned int len);

/* With the bus's lock held, for bus.c. */
void vmm_pci_msix_power_on(struct vmm_pci_function *fn);
bool vmm_pci_msix_enabled(const struct vmm_pci_function *fn);
void vmm_pci_msix_sync(struct vmm_pci_function *fn);

/* ---- intx.c: interrupts by pin ---- */

int vmm_pci_intx_serve(struct vmm_pci_bus *bus);
u8 vmm_pci_take_pending(struct vmm_pci_function *fn);

/* With the bus's lock held, for bus.c and msix.c. */
int vmm_pci_intx_watch(struct vmm_pci_source *source, bool on);
void vmm_pci_intx_update(struct vmm_pci_bus *bus);

#endif /* PCI_H */
