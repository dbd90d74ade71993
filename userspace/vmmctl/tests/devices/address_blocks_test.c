// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of the goldfish address space: sizes, offsets, neighbours, and invalid requests. Results
 * are compared with a naive model, which stores the block of each page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/address_space.h"
#include "tests/tap.h"

#define PAGE	4096ULL

static struct vmm_address_blocks blocks;

/* Offset and size of the last block. */
static u64 got_size;
static u64 got_offset;

static int take(u64 unit, u64 size)
{
	got_size = size;
	got_offset = 1;
	return vmm_address_blocks_take(&blocks, unit, &got_size, &got_offset);
}

static int give(u64 offset)
{
	got_size = 1;
	return vmm_address_blocks_give(&blocks, offset, &got_size);
}

/* The examples of the specification, and the same for a larger page. */
static void sizes_are_rounded_as_the_reference_does(void)
{
	static const u64 want[][3] = {
		{ 4096, 1, 4096 }, { 4096, 4095, 8192 },
		{ 4096, 4096, 8192 }, { 4096, 4097, 8192 }, { 4096, 8192, 12288 },
		{ 65536, 1, 65536 }, { 65536, 65536, 131072 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		u64 page = want[i][0];

		tap_context("page %llu, size %llu", page, want[i][1]);
		vmm_address_blocks_reset(&blocks, 1 * GIB);
		tap_equal(take(page, want[i][1]), 0);
		tap_equal(got_size, want[i][2]);
		/* The first block is at the end of the area. */
		tap_equal(got_offset, 1 * GIB - got_size);
	}
}

static void nothing_that_is_wrong_is_taken(void)
{
	static const u64 large[] = {
		1 * GIB, 1 * GIB + 1, 1ULL << 63, (1ULL << 63) - 1, ~0ULL, ~0ULL - 4095,
		~0ULL - 8190, ~0ULL - 8192,
	};
	unsigned int i;

	vmm_address_blocks_reset(&blocks, 1 * GIB);
	tap_equal(take(PAGE, 0), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(large); i++) {
		tap_context("size %llx", large[i]);
		tap_equal(take(PAGE, large[i]), -ENOMEM);
		tap_equal(got_size, large[i]);
		tap_equal(got_offset, 1);
	}
	tap_equal(blocks.count, 1);
	/* The largest size that fits takes the whole area. */
	tap_equal(take(PAGE, 1 * GIB - PAGE + 1), 0);
	tap_equal(got_size, 1 * GIB);
	tap_equal(got_offset, 0);
	tap_equal(take(PAGE, 1), -ENOMEM);
	tap_equal(give(0), 0);
	tap_equal(got_size, 1 * GIB);
}

static void only_a_block_that_is_taken_is_given_back(void)
{
	static const u64 wrong[] = {
		0, 1, PAGE, 1 * GIB, 1 * GIB + 1, 1ULL << 63, ~0ULL, ~0ULL - 4095,
	};
	unsigned int i;
	u64 offset;

	vmm_address_blocks_reset(&blocks, 1 * GIB);
	tap_equal(take(PAGE, 3 * PAGE), 0);
	offset = got_offset;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("offset %llx", wrong[i]);
		tap_equal(give(wrong[i]), -EINVAL);
	}
	tap_equal(give(offset - 1), -EINVAL);
	tap_equal(give(offset + 1), -EINVAL);
	tap_equal(give(offset + PAGE), -EINVAL);
	tap_equal(blocks.count, 2);
	tap_equal(give(offset), 0);
	tap_equal(give(offset), -EINVAL);
	tap_equal(blocks.count, 1);
}

/* Adjacent blocks, from the end of the area down: a is at the end. */
static void the_smallest_that_fits_is_taken(void)
{
	u64 at[6];
	unsigned int i;

	vmm_address_blocks_reset(&blocks, 64 * PAGE);
	for (i = 0; i < 6; i++) {
		/* 2, 4, 2, 3, 2, 3 pages. */
		static const u64 pages[] = { 2, 4, 2, 3, 2, 3 };

		tap_equal(take(PAGE, pages[i] * PAGE - PAGE), 0);
		tap_equal(got_size, pages[i] * PAGE);
		at[i] = got_offset;
	}
	tap_equal(give(at[1]), 0);
	tap_equal(give(at[3]), 0);
	tap_equal(give(at[5]), 0);
	/* Free: 4 pages, 3 pages, and 3 pages joined with the rest of the area. */
	tap_equal(take(PAGE, 2 * PAGE), 0);
	tap_equal(got_offset, at[3]);
	tap_equal(take(PAGE, 1 * PAGE), 0);
	tap_equal(got_offset, at[1] + 2 * PAGE);
	tap_equal(take(PAGE, 1 * PAGE), 0);
	tap_equal(got_offset, at[1]);
	/* Now only the large block is free. */
	tap_equal(take(PAGE, 1), 0);
	tap_equal(got_offset, at[4] - PAGE);
}

static void of_equal_ones_the_first_is_taken(void)
{
	u64 at[4];
	unsigned int i;

	vmm_address_blocks_reset(&blocks, 8 * PAGE);
	for (i = 0; i < 4; i++) {
		tap_equal(take(PAGE, PAGE), 0);
		at[i] = got_offset;
	}
	tap_equal(give(at[0]), 0);
	tap_equal(give(at[2]), 0);
	tap_equal(take(PAGE, PAGE), 0);
	tap_equal(got_offset, at[2]);
}

/* Three neighbours that are freed in any order become one free block. */
static void neighbours_are_joined(void)
{
	static const u8 orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	unsigned int i, j;
	u64 at[3];

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		tap_context("order %u", i);
		vmm_address_blocks_reset(&blocks, 6 * PAGE);
		for (j = 0; j < 3; j++) {
			tap_equal(take(PAGE, PAGE), 0);
			at[j] = got_offset;
		}
		for (j = 0; j < 3; j++)
			tap_equal(give(at[orders[i][j]]), 0);
		tap_equal(blocks.count, 1);
		tap_check(blocks.block[0].free && !blocks.block[0].offset &&
			  blocks.block[0].size == 6 * PAGE);
	}
}

/* A guest allocates until the table is full, though the area has more room. */
static void a_guest_that_takes_all_is_told(void)
{
	unsigned int taken = 0;
	u64 last = 0;

	vmm_address_blocks_reset(&blocks, VMM_ADDRESS_AREA);
	while (!take(PAGE, 1) && taken <= VMM_ADDRESS_BLOCKS) {
		last = got_offset;
		taken++;
	}
	tap_equal(taken, VMM_ADDRESS_BLOCKS - 1);
	tap_equal(blocks.count, VMM_ADDRESS_BLOCKS);
	tap_check(vmm_address_blocks_possible(&blocks));
	/* The rest as a whole needs no further element, and freeing needs none either. */
	tap_equal(take(PAGE, VMM_ADDRESS_AREA - (taken + 1) * PAGE + 1), 0);
	tap_equal(got_offset, 0);
	tap_equal(take(PAGE, 1), -ENOMEM);
	tap_equal(give(last + PAGE), 0);
	tap_equal(give(0), 0);
	tap_equal(give(last), 0);
	tap_equal(blocks.count, VMM_ADDRESS_BLOCKS - 2);
	tap_equal(take(PAGE, 1), 0);
}

static void bytes_of_one_block_are_known(void)
{
	vmm_address_blocks_reset(&blocks, 16 * PAGE);
	tap_equal(take(PAGE, 3 * PAGE), 0);	/* the last four */
	tap_equal(take(PAGE, 1 * PAGE), 0);	/* the two before */
	tap_check(vmm_address_blocks_taken(&blocks, 12 * PAGE, 4 * PAGE));
	tap_check(vmm_address_blocks_taken(&blocks, 13 * PAGE, 3 * PAGE));
	tap_check(vmm_address_blocks_taken(&blocks, 10 * PAGE, 2 * PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 10 * PAGE, 3 * PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 9 * PAGE, 2 * PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 13 * PAGE, 4 * PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 12 * PAGE, 0));
	tap_check(!vmm_address_blocks_taken(&blocks, 12 * PAGE, ~0ULL));
	tap_check(!vmm_address_blocks_taken(&blocks, 13 * PAGE, -13 * PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 16 * PAGE, PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, ~0ULL, PAGE));
	tap_check(!vmm_address_blocks_taken(&blocks, 0, PAGE));
}

static void a_table_that_cannot_be_is_known(void)
{
	struct vmm_address_block *block = blocks.block;

	vmm_address_blocks_reset(&blocks, 16 * PAGE);
	take(PAGE, PAGE);
	take(PAGE, PAGE);
	tap_check(vmm_address_blocks_possible(&blocks));
	blocks.count = 2;
	tap_check(!vmm_address_blocks_possible(&blocks));
	blocks.count = 0;
	tap_check(!vmm_address_blocks_possible(&blocks));
	blocks.count = 3;
	block[1].free = true;
	tap_check(!vmm_address_blocks_possible(&blocks));
	block[1].free = false;
	block[2].size += PAGE;
	tap_check(!vmm_address_blocks_possible(&blocks));
	block[2].size = -14 * PAGE;
	tap_check(!vmm_address_blocks_possible(&blocks));
	block[2].size = 2 * PAGE;
	block[1].offset += PAGE;
	tap_check(!vmm_address_blocks_possible(&blocks));
	block[1].offset -= PAGE;
	block[0].size--;
	block[1].offset--;
	block[1].size++;
	tap_check(!vmm_address_blocks_possible(&blocks));
}

/* ---- the naive model: each page has the number of its block, 0 for none ---- */

#define PAGES	256

static u32 owner[PAGES];

/* Finds the smallest run of at least @pages free pages; returns its first page, or -1. */
static int model_find(u32 pages, u32 *run)
{
	u32 at, len, best = PAGES + 1;
	int found = -1;

	for (at = 0; at < PAGES; at += len ? len : 1) {
		for (len = 0; at + len < PAGES && !owner[at + len]; len++)
			;
		if (len >= pages && len < best) {
			best = len;
			found = at;
		}
	}
	*run = best;
	return found;
}

/* Allocates a block; returns its first page, or -1. */
static int model_take(u32 pages, u32 number)
{
	u32 i, run;
	int at = model_find(pages, &run);

	if (at < 0)
		return -1;
	at += run - pages;
	for (i = 0; i < pages; i++)
		owner[at + i] = number;
	return at;
}

static bool model_give(u32 at)
{
	u32 number = at < PAGES ? owner[at] : 0;

	if (!number || (at && owner[at - 1] == number))
		return false;
	for (; at < PAGES && owner[at] == number; at++)
		owner[at] = 0;
	return true;
}

static void model_agrees(void)
{
	u32 i, page;

	tap_check(vmm_address_blocks_possible(&blocks));
	for (i = 0; i < blocks.count; i++) {
		const struct vmm_address_block *block = &blocks.block[i];
		u32 first = block->offset / PAGE;

		for (page = first; page < first + block->size / PAGE; page++) {
			if (block->free ? owner[page] : owner[page] != owner[first] || !owner[page])
				tap_check(!"the model says otherwise");
		}
	}
}

static u32 random_next(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void take_both(u32 *seed, u32 number)
{
	u64 size = random_next(seed) % (random_next(seed) % 8 ? 8 * PAGE : 300 * PAGE);
	u64 pages = (size + 2 * PAGE - 2) / PAGE;
	int at = size ? model_take(pages, number) : -1;
	int err = take(PAGE, size);

	tap_equal(err, !size ? -EINVAL : at < 0 ? -ENOMEM : 0);
	if (!err)
		tap_check(got_offset == at * PAGE && got_size == pages * PAGE);
}

static void any_order_agrees_with_the_model(void)
{
	u32 seed, step, state;

	for (seed = 1; seed <= 20; seed++) {
		tap_context("seed %u", seed);
		state = seed;
		memset(owner, 0, sizeof(owner));
		vmm_address_blocks_reset(&blocks, PAGES * PAGE);
		for (step = 1; step < 2000; step++) {
			u32 at = random_next(&state) % (PAGES + 2);

			if (random_next(&state) & 1)
				take_both(&state, step);
			else
				tap_equal(give(at * PAGE), model_give(at) ? 0 : -EINVAL);
			model_agrees();
		}
	}
}

static const struct tap_case cases[] = {
	{ "sizes are rounded as the reference does", sizes_are_rounded_as_the_reference_does },
	{ "nothing that is wrong is taken", nothing_that_is_wrong_is_taken },
	{ "only a block that is taken is given back", only_a_block_that_is_taken_is_given_back },
	{ "the smallest that fits is taken", the_smallest_that_fits_is_taken },
	{ "of equal ones the first is taken", of_equal_ones_the_first_is_taken },
	{ "neighbours are joined", neighbours_are_joined },
	{ "a guest that takes all is told", a_guest_that_takes_all_is_told },
	{ "bytes of one block are known", bytes_of_one_block_are_known },
	{ "a table that cannot be is known", a_table_that_cannot_be_is_known },
	{ "any order agrees with the model", any_order_agrees_with_the_model },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
