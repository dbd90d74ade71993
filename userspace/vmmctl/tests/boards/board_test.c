// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board table: places, interrupts and the search in it. The numbers are
 * written out from the board's description, not taken from a header of ours.
 */
#include <string.h>

#include "machine/machine.h"
#include "tests/tap.h"

#define MMIO_FIRST	0x08000000ULL
#define MMIO_LAST	0x0fffffffULL

static u64 row_last(const struct vmm_board_row *row)
{
	return row->base + row->size * row->count - 1;
}

static void rows_are_apart(void)
{
	unsigned int i;
	unsigned int j;

	for (i = 0; i < VMM_ROWS; i++) {
		for (j = i + 1; j < VMM_ROWS; j++) {
			const struct vmm_board_row *a = &vmm_board[i];
			const struct vmm_board_row *b = &vmm_board[j];

			tap_context("%s and %s", a->name, b->name);
			tap_check(row_last(a) < b->base);
		}
	}
}

static void rows_are_in_range(void)
{
	unsigned int i;

	for (i = 0; i < VMM_ROWS; i++) {
		const struct vmm_board_row *row = &vmm_board[i];

		tap_context("%s", row->name);
		tap_check(row->name && row->size && row->count);
		tap_check(row->base >= MMIO_FIRST && row_last(row) <= MMIO_LAST);
		tap_check(!row->ops == !row->node);
		if (!row->ops)
			continue;
		tap_check(row->ops->name && row->ops->read && row->ops->write);
		tap_check(row->compatible[0]);
		/* 128 shared interrupts are configured. */
		tap_check(row->spi >= 1 && row->spi + row->count <= 128);
	}
}

static void interrupts_are_apart(void)
{
	unsigned int users[128] = { 0 };
	unsigned int i;
	unsigned int j;

	for (i = 0; i < VMM_ROWS; i++) {
		for (j = 0; vmm_board[i].node && j < vmm_board[i].count; j++)
			users[vmm_board[i].spi + j]++;
	}
	for (i = 0; i < 128; i++) {
		tap_context("interrupt %u", i);
		tap_check(users[i] <= 1);
	}
}

/* Address, row; VMM_ROWS where nothing answers. */
static const struct {
	u64 gpa;
	enum vmm_row row;
} places[] = {
	{ 0x00000000, VMM_ROWS },
	{ 0x08000000, VMM_ROWS },	/* KVM's own */
	{ 0x08010000, VMM_ROWS },
	{ 0x080a0000, VMM_ROWS },
	{ 0x08ffffff, VMM_ROWS },
	{ 0x09000000, VMM_ROW_PL011 },
	{ 0x09000fff, VMM_ROW_PL011 },
	{ 0x09001000, VMM_ROWS },
	{ 0x09010000, VMM_ROW_FB },
	{ 0x090100ff, VMM_ROW_FB },
	{ 0x09010100, VMM_ROWS },
	{ 0x09020000, VMM_ROW_BATTERY },
	{ 0x09020fff, VMM_ROW_BATTERY },
	{ 0x09021000, VMM_ROWS },
	{ 0x09030000, VMM_ROW_AUDIO },
	{ 0x090300ff, VMM_ROW_AUDIO },
	{ 0x09030100, VMM_ROWS },
	{ 0x09040000, VMM_ROW_EVENTS },
	{ 0x09040fff, VMM_ROW_EVENTS },
	{ 0x09041000, VMM_ROWS },
	{ 0x0a000000, VMM_ROW_VIRTIO },
	{ 0x0a003fff, VMM_ROW_VIRTIO },
	{ 0x0a004000, VMM_ROWS },
	{ 0x0a010000, VMM_ROW_PIPE },
	{ 0x0a011fff, VMM_ROW_PIPE },
	{ 0x0a012000, VMM_ROWS },
	{ 0x0a020000, VMM_ROW_SYNC },
	{ 0x0a021fff, VMM_ROW_SYNC },
	{ 0x0a022000, VMM_ROWS },
	{ 0x40000000, VMM_ROWS },
	{ ~0ULL, VMM_ROWS },
};

static void addresses_find_their_row(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		tap_context("0x%llx", places[i].gpa);
		tap_equal(vmm_board_find(places[i].gpa), places[i].row);
	}
}

static void idle_devices_read_zero(void)
{
	static const enum vmm_row rows[] = {
		VMM_ROW_FB, VMM_ROW_BATTERY, VMM_ROW_AUDIO, VMM_ROW_EVENTS, VMM_ROW_SYNC,
	};
	unsigned int i;
	u32 offset;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmm_device dev = { .row = &vmm_board[rows[i]] };

		tap_context("%s", dev.row->name);
		tap_check(!strcmp(dev.row->ops->name, "idle"));
		for (offset = 0; offset < dev.row->size; offset += 4) {
			dev.row->ops->write(&dev, offset, ~0ULL);
			tap_equal(dev.row->ops->read(&dev, offset), 0);
		}
	}
}

static void transports_are_idle(void)
{
	const struct vmm_config cfg = { 0 };
	struct vmm_vm vm = { .cfg = &cfg };
	struct vmm_device dev = { .row = &vmm_board[VMM_ROW_VIRTIO], .vm = &vm };
	u32 base;

	tap_equal(dev.row->count, 32);
	if (!tap_equal(dev.row->ops->create(&dev), 0))
		return;
	for (base = 0; base < 32 * 0x200; base += 0x200) {
		tap_context("transport at offset 0x%x", base);
		dev.row->ops->write(&dev, base + 0x70, 1);
		dev.row->ops->write(&dev, base + 0x30, 0);
		tap_equal((u32)dev.row->ops->read(&dev, base), 0x74726976);
		tap_equal((u32)dev.row->ops->read(&dev, base + 4), 2);
		tap_equal(dev.row->ops->read(&dev, base + 8), 0);
		tap_equal(dev.row->ops->read(&dev, base + 0x70), 0);
		tap_equal(dev.row->ops->read(&dev, base + 0x100), 0);
		tap_equal(dev.row->ops->read(&dev, base + 0x1fc), 0);
		tap_equal(dev.row->ops->read(&dev, base + 0x1ff), 0);
	}
	dev.row->ops->destroy(&dev);
}

static const struct tap_case cases[] = {
	{ "rows do not overlap and are sorted", rows_are_apart },
	{ "rows are in range and complete", rows_are_in_range },
	{ "no interrupt is used twice", interrupts_are_apart },
	{ "every address finds its row", addresses_find_their_row },
	{ "idle devices read as zero", idle_devices_read_zero },
	{ "all 32 virtio transports are idle", transports_are_idle },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
