// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chooses between the arm64 boards.
 */
#include "boards/boards.h"

/**
 * vmm_board_arm64 - fill the arm64 board that the config names
 * @board: filled, with no device created
 * @cfg: what the user asked for
 */
void vmm_board_arm64(struct vmm_board *board, const struct vmm_config *cfg)
{
	if (cfg->board == VMM_BOARD_VIRT)
		vmm_board_virt(board, cfg);
	else
		vmm_board_ranchu(board, cfg);
}
