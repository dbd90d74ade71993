/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The description of a screen that a guest reads: an EDID block.
 */
#ifndef HOST_EDID_H
#define HOST_EDID_H

#include "types.h"

#define VMM_EDID_SIZE	128	/* bytes */

/* ---- edid.c ---- */

void vmm_edid_fill(u8 edid[VMM_EDID_SIZE], u32 width, u32 height);

#endif /* HOST_EDID_H */
