/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The goldfish address space device: an area of guest addresses that the guest's driver
 * allocates in blocks (address_blocks.c), the registers for that
 * (goldfish_address_space.c), host memory in blocks (address_memory.c), and the PCI
 * function that has all of these (address_space_pci.c). A service defines what a block is
 * used for; it is another process, connected by host/address_socket.c.
 *
 * Locks, in the order in which they are taken: @order of the registers, held for one command
 * or ping at a time; @lock of the registers; the bus's lock.
 */
#ifndef DEVICES_ADDRESS_SPACE_H
#define DEVICES_ADDRESS_SPACE_H

#include <pthread.h>

#include "host/address_socket.h"
#include "pci/pci.h"
#include "types.h"

struct vmm_vm;

#define VMM_ADDRESS_AREA	(16 * GIB)	/* bytes */
#define VMM_ADDRESS_BLOCKS	4096	/* blocks, free ones included */
#define VMM_ADDRESS_HANDLES	4096	/* open files of the guest's device */
#define VMM_ADDRESS_MAPPINGS	16	/* pieces of host memory */
#define VMM_ADDRESS_PAGE	40	/* bytes of a ping */
#define VMM_ADDRESS_SLOT	11	/* where the emulator has the function */

/* ---- address_blocks.c: allocated blocks of the area ---- */

/**
 * struct vmm_address_block - a piece of the area
 * @offset: in the area
 * @size: bytes
 * @free: it is not allocated
 */
struct vmm_address_block {
	u64 offset;
	u64 size;
	bool free;
};

/**
 * struct vmm_address_blocks - the area; callers serialise
 * @size: bytes of it
 * @count: elements used
 * @block: in order and without gaps; no two free ones are neighbours
 */
struct vmm_address_blocks {
	u64 size;
	unsigned int count;
	struct vmm_address_block block[VMM_ADDRESS_BLOCKS];
};

void vmm_address_blocks_reset(struct vmm_address_blocks *blocks, u64 size);
int vmm_address_blocks_take(struct vmm_address_blocks *blocks, u64 unit, u64 *size, u64 *offset);
int vmm_address_blocks_give(struct vmm_address_blocks *blocks, u64 offset, u64 *size);
bool vmm_address_blocks_taken(const struct vmm_address_blocks *blocks, u64 offset, u64 size);
bool vmm_address_blocks_possible(const struct vmm_address_blocks *blocks);

/* ---- goldfish_address_space.c: the registers ---- */

/* Registers that keep the written value, and STATUS; a number is the offset / 4. */
enum {
	VMM_ADDRESS_STATUS = 1,
	VMM_ADDRESS_PAGE_SIZE,
	VMM_ADDRESS_SIZE_LOW,
	VMM_ADDRESS_SIZE_HIGH,
	VMM_ADDRESS_OFFSET_LOW,
	VMM_ADDRESS_OFFSET_HIGH,
	VMM_ADDRESS_PING,		/* keeps no value */
	VMM_ADDRESS_PING_LOW,
	VMM_ADDRESS_PING_HIGH,
	VMM_ADDRESS_HANDLE,
	VMM_ADDRESS_START_LOW,
	VMM_ADDRESS_START_HIGH,
	VMM_ADDRESS_REGS
};

/**
 * struct vmm_address_handle - an open file of the guest's device
 * @open: the handle is in use
 * @gpa: guest physical address of its ping page
 */
struct vmm_address_handle {
	bool open;
	u64 gpa;
};

/**
 * struct vmm_address_ops - callbacks of the registers
 * @fetch: copies a ping from guest memory; false if it is not in RAM
 * @store: copies one back
 * @ping: handles a ping; the guest's driver has the area at guest address @start. Returns
 *	true if @page was changed and has an answer. May block as long as a vCPU may
 * @closed: a handle is closed
 * @freed: a block was freed; removes the host memory in it
 *
 * All are called in a vCPU's thread, one at a time, without @lock held.
 */
struct vmm_address_ops {
	bool (*fetch)(void *arg, u64 gpa, u8 *page);
	void (*store)(void *arg, u64 gpa, const u8 *page);
	bool (*ping)(void *arg, u32 handle, u64 start, u8 *page);
	void (*closed)(void *arg, u32 handle);
	void (*freed)(void *arg, u64 offset, u64 size);
};

/**
 * struct vmm_address_space - the register model
 * @ops: callbacks
 * @arg: first argument of @ops
 * @host_page: bytes of a host page; fixed
 * @order: held while a command or a ping is served
 * @lock: protects all that follows, but for the counters
 * @reg: registers, by VMM_ADDRESS_*
 * @blocks: the area
 * @handle: handle n is element n - 1
 * @next: element where the search for a handle begins
 * @allocated: counts allocated blocks
 * @refused: counts requests that failed
 * @pings: counts pings of open handles
 * @bad: counts pings without a handle or without a page in RAM
 * @with_data: counts pings of a kind that is not served
 */
struct vmm_address_space {
	const struct vmm_address_ops *ops;
	void *arg;
	u64 host_page;
	pthread_mutex_t order;
	pthread_mutex_t lock;
	u32 reg[VMM_ADDRESS_REGS];
	struct vmm_address_blocks blocks;
	struct vmm_address_handle handle[VMM_ADDRESS_HANDLES];
	unsigned int next;
	u64 allocated;
	u64 refused;
	u64 pings;
	u64 bad;
	u64 with_data;
};

void vmm_address_space_init(struct vmm_address_space *as);
void vmm_address_space_fini(struct vmm_address_space *as);
void vmm_address_space_reset(struct vmm_address_space *as);
u32 vmm_address_space_read(struct vmm_address_space *as, u64 offset);
void vmm_address_space_write(struct vmm_address_space *as, u64 offset, u32 value);
bool vmm_address_page_size(u32 bytes);

/* ---- address_memory.c: host memory behind blocks ---- */

/**
 * struct vmm_address_mapping - a piece of host memory
 * @offset: in the area
 * @size: bytes, 0 for an element that is not used
 * @hva: where it is mapped here
 * @slot: the memslot of this element; fixed
 * @shown: it is shown to the guest
 */
struct vmm_address_mapping {
	u64 offset;
	u64 size;
	void *hva;
	u32 slot;
	bool shown;
};

/**
 * struct vmm_address_memory - all pieces of host memory; protected by the bus's lock
 * @fn: the function
 * @bar: the BAR that is the area
 * @mapping: the pieces
 */
struct vmm_address_memory {
	struct vmm_pci_function *fn;
	unsigned int bar;
	struct vmm_address_mapping mapping[VMM_ADDRESS_MAPPINGS];
};

int vmm_address_memory_add(struct vmm_address_memory *memory, const struct vmm_address_map *map);
int vmm_address_memory_remove(struct vmm_address_memory *memory, u64 offset);
unsigned int vmm_address_memory_drop(struct vmm_address_memory *memory, u64 offset, u64 size);
void vmm_address_memory_move(struct vmm_address_memory *memory);

/* ---- address_space_pci.c: the device of the board ---- */

extern const struct vmm_device_ops vmm_address_space_ops;

#endif /* DEVICES_ADDRESS_SPACE_H */
