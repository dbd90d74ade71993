// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish address space device on the board: a PCI function with the registers in its
 * first BAR and the area in its second one. The board's device has no address of its own,
 * because the PCI bus places BARs. It exists with "--device address-space".
 *
 * The area contains host memory only where a service has mapped some. Without a service, a
 * ping leaves the guest's page unchanged.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/address_space.h"
#include "machine/machine.h"
#include "pci/host.h"

#define CONTROL_BAR	0
#define CONTROL_SIZE	0x1000
#define AREA_BAR	1

/**
 * struct device - the device
 * @vm: the VM
 * @fn: the function
 * @as: the registers
 * @memory: host memory in the area
 * @socket: where a program serves the area, or NULL
 */
struct device {
	struct vmm_vm *vm;
	struct vmm_pci_function fn;
	struct vmm_address_space as;
	struct vmm_address_memory memory;
	struct vmm_address_socket *socket;
};

/* ---- callbacks of the registers ---- */

static bool device_fetch(void *arg, u64 gpa, u8 *page)
{
	const struct device *d = arg;
	const void *from = vmm_mem_ptr(&d->vm->mem, gpa, VMM_ADDRESS_PAGE);

	if (from)
		memcpy(page, from, VMM_ADDRESS_PAGE);
	return from;
}

static void device_store(void *arg, u64 gpa, const u8 *page)
{
	const struct device *d = arg;
	void *to = vmm_mem_ptr(&d->vm->mem, gpa, VMM_ADDRESS_PAGE);

	if (to)
		memcpy(to, page, VMM_ADDRESS_PAGE);
}

static bool device_ping(void *arg, u32 handle, u64 start, u8 *page)
{
	const struct device *d = arg;

	return d->socket && vmm_address_socket_ping(d->socket, handle, start, page);
}

static void device_closed(void *arg, u32 handle)
{
	const struct device *d = arg;

	if (d->socket)
		vmm_address_socket_closed(d->socket, handle);
}

static void device_freed(void *arg, u64 offset, u64 size)
{
	struct device *d = arg;

	if (vmm_address_memory_drop(&d->memory, offset, size))
		vmm_address_socket_freed(d->socket, offset, size);
}

static const struct vmm_address_ops device_ops = {
	.fetch = device_fetch,
	.store = device_store,
	.ping = device_ping,
	.closed = device_closed,
	.freed = device_freed,
};

/* ---- callbacks of the service ---- */

static int area_map(void *arg, const struct vmm_address_map *map)
{
	struct device *d = arg;
	int err = -EINVAL;

	/* With the lock held, the guest cannot free the block meanwhile. */
	pthread_mutex_lock(&d->as.lock);
	if (vmm_address_blocks_taken(&d->as.blocks, map->offset, map->size))
		err = vmm_address_memory_add(&d->memory, map);
	pthread_mutex_unlock(&d->as.lock);
	return err;
}

static int area_unmap(void *arg, u64 offset)
{
	struct device *d = arg;

	return vmm_address_memory_remove(&d->memory, offset);
}

/* ---- the function ---- */

/* Registers have 4 bytes. The area without memory reads as 0. */
static u64 function_read(struct vmm_pci_function *fn, unsigned int bar, u64 offset,
			 unsigned int len)
{
	struct device *d = fn->state;

	return bar == CONTROL_BAR && len == 4 ? vmm_address_space_read(&d->as, offset) : 0;
}

static void function_write(struct vmm_pci_function *fn, unsigned int bar, u64 offset, u64 value,
			   unsigned int len)
{
	struct device *d = fn->state;

	if (bar == CONTROL_BAR && len == 4)
		vmm_address_space_write(&d->as, offset, value);
}

static void function_moved(struct vmm_pci_function *fn, unsigned int bar)
{
	struct device *d = fn->state;

	if (bar == AREA_BAR)
		vmm_address_memory_move(&d->memory);
}

static const struct vmm_pci_ops function_ops = {
	.read = function_read,
	.write = function_write,
	.moved = function_moved,
};

/* The guest's driver accepts no other revision. */
static const struct vmm_pci_identity identity = {
	.vendor = 0x607d,
	.device = 0xf153,
	.class = 0x00ff00,
	.revision = 1,
};

static void function_describe(struct device *d)
{
	unsigned int i;

	vmm_pci_init(&d->fn, &function_ops, &identity);
	vmm_pci_set_bar(&d->fn, CONTROL_BAR, VMM_PCI_MEMORY, CONTROL_SIZE);
	vmm_pci_set_bar(&d->fn, AREA_BAR, VMM_PCI_MEMORY64_PLAIN, VMM_ADDRESS_AREA);
	d->fn.state = d;
	d->memory.fn = &d->fn;
	d->memory.bar = AREA_BAR;
	for (i = 0; i < VMM_ADDRESS_MAPPINGS; i++)
		d->memory.mapping[i].slot = d->vm->slots++;
}

/* ---- the device of the board ---- */

static int device_open(struct device *d)
{
	const struct vmm_address_area area = {
		.map = area_map, .unmap = area_unmap, .arg = d, .size = VMM_ADDRESS_AREA,
		.handles = VMM_ADDRESS_HANDLES,
	};
	const char *path = d->vm->cfg->address_socket;
	struct vmm_pci_host *host = vmm_pci_host_find(d->vm);
	int err;

	if (!host)
		return vmm_error(-EINVAL, "the board has no PCI bus");
	function_describe(d);
	if (vmm_pci_add(&host->bus, &d->fn, VMM_ADDRESS_SLOT))
		return vmm_error(-EBUSY, "--device address-space: slot %d has another device",
				 VMM_ADDRESS_SLOT);
	vmm_pci_power_on(&host->bus);
	err = path ? vmm_address_socket_open(path, d->vm->loop, &area, &d->socket) : 0;
	if (err)
		vmm_pci_remove(&d->fn);
	return err;
}

static void device_free(struct device *d)
{
	vmm_address_space_fini(&d->as);
	free(d);
}

static int device_create(struct vmm_device *dev)
{
	struct device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return vmm_error(ENOMEM, "address space");
	d->vm = dev->vm;
	d->as.ops = &device_ops;
	d->as.arg = d;
	vmm_address_space_init(&d->as);
	err = device_open(d);
	if (err)
		device_free(d);
	else
		dev->state = d;
	return err;
}

/* Called after the bus's reset, so the area has no address. All blocks are freed. */
static void device_reset(struct vmm_device *dev)
{
	struct device *d = dev->state;

	vmm_address_memory_drop(&d->memory, 0, VMM_ADDRESS_AREA);
	vmm_address_space_reset(&d->as);
	vmm_address_socket_reset(d->socket);
}

static void device_destroy(struct vmm_device *dev)
{
	struct device *d = dev->state;

	vmm_address_socket_close(d->socket);
	vmm_address_memory_drop(&d->memory, 0, VMM_ADDRESS_AREA);
	vmm_pci_remove(&d->fn);
	device_free(d);
}

static u64 device_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)len;
	return 0;
}

static void device_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)len;
}

/* ---- saved state ---- */

#define STATE_VERSION	1

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_REGISTERS = 1,
	STATE_BLOCKS,
	STATE_HANDLES,
};

/**
 * struct saved_block - a block
 * @offset: in the area
 * @size: bytes, and in bit 0 whether it is free
 */
struct saved_block {
	__le64 offset;
	__le64 size;
};

/**
 * struct saved_handle - an open handle
 * @number: its number
 * @padding: 0
 * @gpa: guest physical address of its page
 */
struct saved_handle {
	__le32 number;
	__le32 padding;
	__le64 gpa;
};

/* Registers, and the index where the search for a handle begins. */
#define SAVED_REGS	(VMM_ADDRESS_REGS + 1)

/* The larger of both tables; too large for the stack. */
union saved {
	struct saved_block block[VMM_ADDRESS_BLOCKS];
	struct saved_handle handle[VMM_ADDRESS_HANDLES];
};

static void save_registers(const struct vmm_address_space *as, struct vmm_state *state)
{
	__le32 regs[SAVED_REGS];
	unsigned int i;

	for (i = 0; i < VMM_ADDRESS_REGS; i++)
		regs[i] = htole32(as->reg[i]);
	regs[i] = htole32(as->next);
	vmm_state_put(state, STATE_REGISTERS, regs, sizeof(regs));
}

static void save_blocks(const struct vmm_address_space *as, struct vmm_state *state,
			struct saved_block *saved)
{
	unsigned int i;

	for (i = 0; i < as->blocks.count; i++) {
		const struct vmm_address_block *block = &as->blocks.block[i];

		saved[i].offset = htole64(block->offset);
		saved[i].size = htole64(block->size | block->free);
	}
	vmm_state_put(state, STATE_BLOCKS, saved, i * sizeof(*saved));
}

static void save_handles(const struct vmm_address_space *as, struct vmm_state *state,
			 struct saved_handle *saved)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < VMM_ADDRESS_HANDLES; i++) {
		if (as->handle[i].open)
			saved[count++] = (struct saved_handle){
				.number = htole32(i + 1), .gpa = htole64(as->handle[i].gpa),
			};
	}
	vmm_state_put(state, STATE_HANDLES, saved, count * sizeof(*saved));
}

/* Host memory belongs to the service and is not saved, nor is the service's state. */
static int device_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct device *d = dev->state;
	union saved *saved;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	saved = malloc(sizeof(*saved));
	if (!saved)
		return -ENOMEM;
	pthread_mutex_lock(&d->as.lock);
	save_registers(&d->as, state);
	save_blocks(&d->as, state, saved->block);
	save_handles(&d->as, state, saved->handle);
	pthread_mutex_unlock(&d->as.lock);
	free(saved);
	return vmm_state_end(state);
}

static bool load_registers(struct vmm_address_space *as, struct vmm_state *state)
{
	__le32 regs[SAVED_REGS];
	unsigned int i;

	vmm_state_get(state, STATE_REGISTERS, regs, sizeof(regs));
	if (state->err)
		return false;
	for (i = 0; i < VMM_ADDRESS_REGS; i++)
		as->reg[i] = le32toh(regs[i]);
	as->next = le32toh(regs[i]);
	return as->next < VMM_ADDRESS_HANDLES &&
	       vmm_address_page_size(as->reg[VMM_ADDRESS_PAGE_SIZE]);
}

static bool load_blocks(struct vmm_address_space *as, struct vmm_state *state)
{
	struct vmm_address_blocks *blocks = &as->blocks;
	struct saved_block saved;
	const u8 *data;
	unsigned int i;
	u32 len;

	data = vmm_state_get_any(state, STATE_BLOCKS, &len);
	if (!data || len % sizeof(saved) || len > VMM_ADDRESS_BLOCKS * sizeof(saved))
		return false;
	blocks->count = len / sizeof(saved);
	for (i = 0; i < blocks->count; i++) {
		memcpy(&saved, data + i * sizeof(saved), sizeof(saved));
		blocks->block[i] = (struct vmm_address_block){
			.offset = le64toh(saved.offset), .size = le64toh(saved.size) & ~1ULL,
			.free = le64toh(saved.size) & 1,
		};
	}
	return vmm_address_blocks_possible(blocks);
}

static bool load_handles(struct vmm_address_space *as, struct vmm_state *state)
{
	struct saved_handle saved;
	const u8 *data;
	u32 at, len, number;

	data = vmm_state_get_any(state, STATE_HANDLES, &len);
	if (!data || len % sizeof(saved))
		return false;
	for (at = 0; at < len; at += sizeof(saved)) {
		memcpy(&saved, data + at, sizeof(saved));
		number = le32toh(saved.number);
		if (!number || number > VMM_ADDRESS_HANDLES || as->handle[number - 1].open ||
		    saved.padding)
			return false;
		as->handle[number - 1] = (struct vmm_address_handle){
			.open = true, .gpa = le64toh(saved.gpa),
		};
	}
	return true;
}

static int device_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct device *d = dev->state;
	struct vmm_address_space *as = &d->as;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);
	bool possible;

	if (err < 0)
		return err;
	pthread_mutex_lock(&as->lock);
	possible = load_registers(as, state) && load_blocks(as, state) && load_handles(as, state);
	pthread_mutex_unlock(&as->lock);
	err = vmm_state_close(state);
	if (!err && !possible)
		err = -EINVAL;
	if (err)
		vmm_address_space_reset(as);
	return err;
}

/* The guest finds PCI functions itself. */
static void device_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

static void device_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct device *d = dev->state;

	vmm_report_add(report, "allocated", vmm_counted(&d->as.allocated));
	vmm_report_add(report, "refused", vmm_counted(&d->as.refused));
	vmm_report_add(report, "pings", vmm_counted(&d->as.pings));
	vmm_report_add(report, "bad_pings", vmm_counted(&d->as.bad));
	vmm_report_add(report, "pings_with_data", vmm_counted(&d->as.with_data));
	vmm_report_add(report, "unanswered", vmm_address_socket_unanswered(d->socket));
}

/** The goldfish address space, a function of the board's PCI bus. */
const struct vmm_device_ops vmm_address_space_ops = {
	.name = "address_space",
	.create = device_create,
	.reset = device_reset,
	.destroy = device_destroy,
	.read = device_read,
	.write = device_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = device_save,
	.load = device_load,
	.describe = device_describe,
	.stats = device_stats,
};
