// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arm64 boards, of which the user chooses one.
 */
#include "boards/boards.h"

/**
 * vmm_board_arm64 - fill a board: the arm64 board that is asked for
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
