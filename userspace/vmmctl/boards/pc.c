// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86_64 board: what is where, and which model answers. The ACPI tables, the
 * dispatch of accesses, statistics and the tests read what is said here; nobody else
 * knows an address.
 */
#include <linux/ranchu_pc.h>

#include "devices/devices.h"

/* All that an emulator's x86 guests know of the goldfish family. */
static void pc_add_goldfish(struct vmm_board *board)
{
	vmm_board_add(board, &vmm_pipe_ops, RANCHU_PC_PIPE_BASE, RANCHU_PC_PIPE_SIZE,
		      RANCHU_PC_PIPE_GSI);
	vmm_board_add(board, &vmm_goldfish_battery_ops, RANCHU_PC_BATTERY_BASE,
		      RANCHU_PC_BATTERY_SIZE, RANCHU_PC_BATTERY_GSI);
	vmm_board_add(board, &vmm_goldfish_events_ops, RANCHU_PC_EVENTS_BASE,
		      RANCHU_PC_EVENTS_SIZE, RANCHU_PC_EVENTS_GSI);
	vmm_board_add(board, &vmm_goldfish_fb_ops, RANCHU_PC_FB_BASE, RANCHU_PC_FB_SIZE,
		      RANCHU_PC_FB_GSI);
	vmm_board_add(board, &vmm_goldfish_audio_ops, RANCHU_PC_AUDIO_BASE, RANCHU_PC_AUDIO_SIZE,
		      RANCHU_PC_AUDIO_GSI);
	vmm_board_add(board, &vmm_goldfish_sync_ops, RANCHU_PC_SYNC_BASE, RANCHU_PC_SYNC_SIZE,
		      RANCHU_PC_SYNC_GSI);
}

/**
 * vmm_board_pc - fill a board: the x86_64 board, with no device created
 * @board: filled
 * @cfg: what the user asked for
 */
void vmm_board_pc(struct vmm_board *board, const struct vmm_config *cfg)
{
	(void)cfg;
	*board = (struct vmm_board){
		.name = "pc",
		.ram = {
			{ 0, RANCHU_PC_LOW_RAM_MAX },
			{ RANCHU_PC_HIGH_RAM_BASE, RANCHU_PC_HIGH_RAM_MAX },
		},
	};
	pc_add_goldfish(board);
}
