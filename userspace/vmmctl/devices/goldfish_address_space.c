// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of the goldfish address space device: blocks of the area; handles, one for
 * each open file of the guest's device; and pings, by which the owner of a handle sends a
 * request to a service. A ping is 40 bytes in a page of the guest.
 *
 * Differences from the reference: handles get status 0 and not ENOSYS, which the guest's
 * driver ignores; an invalid page size is ignored, where the reference would divide by zero;
 * a command raises no interrupt, which no driver enables; a reset of the guest frees
 * everything, because its driver starts without any block or handle.
 *
 * Source: platform_external_qemu hw/pci/goldfish_address_space.c (1625b467e24e) and the
 * later state of that file (870b3579125d); the guest's driver, goldfish_address_space.c of
 * goldfish_drivers (543e944488ca), for the order of its writes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/address_space.h"
#include "machine/device.h"

#define REG_COMMAND		0
#define REG_PING		28
#define REG_PING_WITH_DATA	52

enum {
	COMMAND_ALLOCATE = 1,
	COMMAND_DEALLOCATE,
	COMMAND_GEN_HANDLE,
	COMMAND_DESTROY_HANDLE,
	COMMAND_TELL_PING_ADDR
};

#define NO_HANDLE	0xffffffff
#define UNKNOWN		38	/* status of an unknown command: Linux' ENOSYS */
#define NOWHERE		(~0ULL)

/* Sizes of a guest page; other values are an error of the guest. */
#define PAGE_MIN	4096U
#define PAGE_MAX	65536U

/**
 * vmm_address_page_size - return whether a guest can have pages of a size
 * @bytes: the size, not trusted
 *
 * Return: whether it can
 */
bool vmm_address_page_size(u32 bytes)
{
	return bytes >= PAGE_MIN && bytes <= PAGE_MAX && !(bytes & (bytes - 1));
}

/* Host memory is mapped in host pages, so blocks begin at host pages. */
static u64 unit(const struct vmm_address_space *as)
{
	u64 page = as->reg[VMM_ADDRESS_PAGE_SIZE];

	return page > as->host_page ? page : as->host_page;
}

static void forget_locked(struct vmm_address_space *as)
{
	memset(as->reg, 0, sizeof(as->reg));
	memset(as->handle, 0, sizeof(as->handle));
	as->next = 0;
	as->reg[VMM_ADDRESS_PAGE_SIZE] = PAGE_MIN;
	as->reg[VMM_ADDRESS_PAGE_SIZE] = unit(as);
	vmm_address_blocks_reset(&as->blocks, VMM_ADDRESS_AREA);
}

/**
 * vmm_address_space_init - initialise the registers to their power-on state
 * @as: @ops and @arg are set, all else is zero
 */
void vmm_address_space_init(struct vmm_address_space *as)
{
	pthread_mutex_init(&as->order, NULL);
	pthread_mutex_init(&as->lock, NULL);
	as->host_page = sysconf(_SC_PAGESIZE);
	forget_locked(as);
}

/**
 * vmm_address_space_fini - undo vmm_address_space_init()
 * @as: the registers
 */
void vmm_address_space_fini(struct vmm_address_space *as)
{
	pthread_mutex_destroy(&as->lock);
	pthread_mutex_destroy(&as->order);
}

/**
 * vmm_address_space_reset - put registers, blocks and handles into their power-on state
 * @as: the registers; no vCPU runs
 *
 * Does not tell the service; the caller does.
 */
void vmm_address_space_reset(struct vmm_address_space *as)
{
	pthread_mutex_lock(&as->lock);
	forget_locked(as);
	pthread_mutex_unlock(&as->lock);
}

static u64 get_pair(const struct vmm_address_space *as, unsigned int low)
{
	return (u64)as->reg[low + 1] << 32 | as->reg[low];
}

static void set_pair(struct vmm_address_space *as, unsigned int low, u64 value)
{
	as->reg[low] = value;
	as->reg[low + 1] = value >> 32;
}

/* Returns NULL for a number that is not in use. */
static struct vmm_address_handle *handle_find(struct vmm_address_space *as, u32 number)
{
	if (!number || number > VMM_ADDRESS_HANDLES || !as->handle[number - 1].open)
		return NULL;
	return &as->handle[number - 1];
}

static int allocate(struct vmm_address_space *as)
{
	u64 size = get_pair(as, VMM_ADDRESS_SIZE_LOW);
	u64 offset = NOWHERE;
	int err = vmm_address_blocks_take(&as->blocks, unit(as), &size, &offset);

	if (err == -EINVAL)
		return err;
	vmm_count(err ? &as->refused : &as->allocated, 1);
	set_pair(as, VMM_ADDRESS_SIZE_LOW, size);
	set_pair(as, VMM_ADDRESS_OFFSET_LOW, offset);
	return err;
}

/* Numbers are reused as late as possible. */
static int handle_open(struct vmm_address_space *as)
{
	unsigned int tries;

	for (tries = 0; tries < VMM_ADDRESS_HANDLES; tries++) {
		unsigned int i = as->next;

		as->next = (as->next + 1) % VMM_ADDRESS_HANDLES;
		if (as->handle[i].open)
			continue;
		as->handle[i] = (struct vmm_address_handle){ .open = true, .gpa = NOWHERE };
		as->reg[VMM_ADDRESS_HANDLE] = i + 1;
		return 0;
	}
	as->reg[VMM_ADDRESS_HANDLE] = NO_HANDLE;
	return -ENOMEM;
}

/**
 * struct outcome - what callbacks must be called after a command
 * @handle: handle that was closed; 0 for none
 * @offset: offset of a block that was freed
 * @size: bytes of the block, 0 for none
 */
struct outcome {
	u32 handle;
	u64 offset;
	u64 size;
};

static int command_locked(struct vmm_address_space *as, u32 command, struct outcome *outcome)
{
	struct vmm_address_handle *handle = handle_find(as, as->reg[VMM_ADDRESS_HANDLE]);

	switch (command) {
	case COMMAND_ALLOCATE:
		return allocate(as);
	case COMMAND_DEALLOCATE:
		outcome->offset = get_pair(as, VMM_ADDRESS_OFFSET_LOW);
		return vmm_address_blocks_give(&as->blocks, outcome->offset, &outcome->size);
	case COMMAND_GEN_HANDLE:
		return handle_open(as);
	case COMMAND_DESTROY_HANDLE:
		if (!handle)
			return -EINVAL;
		handle->open = false;
		outcome->handle = as->reg[VMM_ADDRESS_HANDLE];
		return 0;
	case COMMAND_TELL_PING_ADDR:
		if (!handle)
			return -EINVAL;
		handle->gpa = get_pair(as, VMM_ADDRESS_PING_LOW);
		return 0;
	}
	return -UNKNOWN;
}

static void command_serve(struct vmm_address_space *as, u32 command)
{
	struct outcome outcome = { 0 };
	int err;

	pthread_mutex_lock(&as->order);
	pthread_mutex_lock(&as->lock);
	err = command_locked(as, command, &outcome);
	as->reg[VMM_ADDRESS_STATUS] = -err;
	pthread_mutex_unlock(&as->lock);
	if (outcome.handle)
		as->ops->closed(as->arg, outcome.handle);
	/* The block is free only after the host memory in it was removed. */
	if (outcome.size)
		as->ops->freed(as->arg, outcome.offset, outcome.size);
	pthread_mutex_unlock(&as->order);
}

/* Finds a handle's page and the guest address of the area. */
static bool ping_find(struct vmm_address_space *as, u32 number, u64 *gpa, u64 *start)
{
	const struct vmm_address_handle *handle;

	pthread_mutex_lock(&as->lock);
	handle = handle_find(as, number);
	if (handle)
		*gpa = handle->gpa;
	*start = get_pair(as, VMM_ADDRESS_START_LOW);
	pthread_mutex_unlock(&as->lock);
	return handle;
}

static void ping_serve(struct vmm_address_space *as, u32 number)
{
	u8 page[VMM_ADDRESS_PAGE];
	u64 gpa, start;

	pthread_mutex_lock(&as->order);
	if (!ping_find(as, number, &gpa, &start) || !as->ops->fetch(as->arg, gpa, page)) {
		vmm_count(&as->bad, 1);
	} else {
		vmm_count(&as->pings, 1);
		if (as->ops->ping(as->arg, number, start, page))
			as->ops->store(as->arg, gpa, page);
	}
	pthread_mutex_unlock(&as->order);
}

/**
 * vmm_address_space_read - answer a guest's read of 4 bytes
 * @as: the registers
 * @offset: of the register in bytes, not trusted
 *
 * Context: any vCPU's thread.
 * Return: its value
 */
u32 vmm_address_space_read(struct vmm_address_space *as, u64 offset)
{
	u32 value;

	if (offset % 4 || offset / 4 >= VMM_ADDRESS_REGS)
		return 0;
	pthread_mutex_lock(&as->lock);
	value = as->reg[offset / 4];
	pthread_mutex_unlock(&as->lock);
	return value;
}

static void write_locked(struct vmm_address_space *as, unsigned int reg, u32 value)
{
	if (reg == VMM_ADDRESS_STATUS)
		return;
	if (reg == VMM_ADDRESS_PAGE_SIZE && !vmm_address_page_size(value))
		return;
	as->reg[reg] = value;
	if (reg == VMM_ADDRESS_PAGE_SIZE)
		as->reg[reg] = unit(as);
}

/**
 * vmm_address_space_write - take a guest's write of 4 bytes
 * @as: the registers
 * @offset: of the register in bytes, not trusted
 * @value: what was written
 *
 * Context: any vCPU's thread. A command or a ping is complete when it returns.
 */
void vmm_address_space_write(struct vmm_address_space *as, u64 offset, u32 value)
{
	switch (offset) {
	case REG_COMMAND:
		command_serve(as, value);
		return;
	case REG_PING:
		ping_serve(as, value);
		return;
	case REG_PING_WITH_DATA:
		vmm_count(&as->with_data, 1);
		return;
	}
	if (offset % 4 || offset / 4 >= VMM_ADDRESS_REGS)
		return;
	pthread_mutex_lock(&as->lock);
	write_locked(as, offset / 4, value);
	pthread_mutex_unlock(&as->lock);
}
