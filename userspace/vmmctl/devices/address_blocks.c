// SPDX-License-Identifier: GPL-2.0-only
/*
 * The area of the goldfish address space device, and which blocks of it are allocated.
 *
 * A request gets the end of the smallest free block that is large enough; of several such
 * blocks, of the one with the lowest address. A freed block is merged with free neighbours.
 * The table has a fixed length: when it is full, requests fail as if the area were full.
 *
 * Sizes are rounded up as in the reference, so that the requested bytes fit at any offset in
 * the block's first page. That is never less than rounding up to a page, which other ports
 * do, so drivers written for either get as much as they expect.
 *
 * Source: platform_external_qemu hw/pci/goldfish_address_space.c (1625b467e24e).
 */
#include <errno.h>
#include <string.h>

#include "devices/address_space.h"

/**
 * vmm_address_blocks_reset - make all of the area free
 * @blocks: the area
 * @size: bytes of it, at least one page
 */
void vmm_address_blocks_reset(struct vmm_address_blocks *blocks, u64 size)
{
	blocks->size = size;
	blocks->count = 1;
	blocks->block[0] = (struct vmm_address_block){ .size = size, .free = true };
}

/* Finds the block that contains the byte at @offset, which is in the area. */
static unsigned int block_at(const struct vmm_address_blocks *blocks, u64 offset)
{
	unsigned int low = 0;
	unsigned int high = blocks->count;

	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (blocks->block[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Finds the smallest free block of at least @size bytes; @count if there is none. */
static unsigned int block_for(const struct vmm_address_blocks *blocks, u64 size)
{
	unsigned int best = blocks->count;
	unsigned int i;

	for (i = 0; i < blocks->count; i++) {
		const struct vmm_address_block *block = &blocks->block[i];

		if (block->free && block->size >= size &&
		    (best == blocks->count || block->size < blocks->block[best].size))
			best = i;
	}
	return best;
}

static void block_remove(struct vmm_address_blocks *blocks, unsigned int i)
{
	blocks->count--;
	memmove(&blocks->block[i], &blocks->block[i + 1],
		(blocks->count - i) * sizeof(blocks->block[0]));
}

/* Makes the last @size bytes of free block @i, less than all of it, a block. */
static void block_split(struct vmm_address_blocks *blocks, unsigned int i, u64 size)
{
	struct vmm_address_block *block = &blocks->block[i];

	memmove(block + 1, block, (blocks->count - i) * sizeof(*block));
	blocks->count++;
	block[0].size -= size;
	block[1].offset += block[0].size;
	block[1].size = size;
}

/**
 * vmm_address_blocks_take - allocate a block
 * @blocks: the area
 * @unit: bytes of a page, a power of two
 * @size: bytes that are requested, not trusted; changed to the block's bytes
 * @offset: filled: where in the area
 *
 * Return: 0, -EINVAL for no bytes, -ENOMEM if nothing fits
 */
int vmm_address_blocks_take(struct vmm_address_blocks *blocks, u64 unit, u64 *size, u64 *offset)
{
	unsigned int i;
	u64 rounded;

	if (!*size)
		return -EINVAL;
	/* After this check, no sum below wraps. */
	if (*size > blocks->size)
		return -ENOMEM;
	rounded = (*size + 2 * unit - 2) & -unit;
	i = block_for(blocks, rounded);
	if (i == blocks->count)
		return -ENOMEM;
	if (blocks->block[i].size > rounded) {
		if (blocks->count == VMM_ADDRESS_BLOCKS)
			return -ENOMEM;
		block_split(blocks, i++, rounded);
	}
	blocks->block[i].free = false;
	*size = rounded;
	*offset = blocks->block[i].offset;
	return 0;
}

/**
 * vmm_address_blocks_give - free a block
 * @blocks: the area
 * @offset: where it begins, not trusted
 * @size: filled: bytes of it
 *
 * Return: 0, or -EINVAL if no allocated block begins there
 */
int vmm_address_blocks_give(struct vmm_address_blocks *blocks, u64 offset, u64 *size)
{
	struct vmm_address_block *block;
	unsigned int i;

	if (offset >= blocks->size)
		return -EINVAL;
	i = block_at(blocks, offset);
	block = &blocks->block[i];
	if (block->offset != offset || block->free)
		return -EINVAL;
	*size = block->size;
	block->free = true;
	if (i + 1 < blocks->count && block[1].free) {
		block->size += block[1].size;
		block_remove(blocks, i + 1);
	}
	if (i && block[-1].free) {
		block[-1].size += block->size;
		block_remove(blocks, i);
	}
	return 0;
}

/**
 * vmm_address_blocks_taken - return whether a range is inside one allocated block
 * @blocks: the area
 * @offset: the first, not trusted
 * @size: how many, likewise
 *
 * Return: whether it is
 */
bool vmm_address_blocks_taken(const struct vmm_address_blocks *blocks, u64 offset, u64 size)
{
	const struct vmm_address_block *block;

	if (!size || offset >= blocks->size)
		return false;
	block = &blocks->block[block_at(blocks, offset)];
	return !block->free && size <= block->size - (offset - block->offset);
}

/**
 * vmm_address_blocks_possible - check a table that was loaded
 * @blocks: @count elements, which come from a file; @size is right
 *
 * Return: whether requests can have led to this table
 */
bool vmm_address_blocks_possible(const struct vmm_address_blocks *blocks)
{
	u64 at = 0;
	unsigned int i;

	for (i = 0; i < blocks->count; i++) {
		const struct vmm_address_block *block = &blocks->block[i];

		if (block->offset != at || !block->size || block->size % VMM_PAGE_SIZE ||
		    block->size > blocks->size - at)
			return false;
		if (i && block->free && block[-1].free)
			return false;
		at += block->size;
	}
	return at == blocks->size;
}
