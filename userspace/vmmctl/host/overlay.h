/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overlays: disks that begin as a file nobody changes, where that file cannot be copied at
 * once. What a guest writes goes to a second file, at the same place; a bit for each sector
 * says which of the two has it. The second file has no name and the bits are in memory: both
 * go with the VM, and nobody else can have made them.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "types.h"

#define VMM_OVERLAY_SECTOR	512	/* no request of a guest has part of one */

/**
 * struct vmm_overlay - a disk in two files
 * @base: what it began as; stays the caller's
 * @fd: what was written since, as long as @base; stays the caller's
 * @sectors: of the disk
 * @owned: how many of them are in @fd
 * @bit: set for each of these; any thread of the disk's sets and reads bits
 */
struct vmm_overlay {
	int base;
	int fd;
	u64 sectors;
	u64 owned;
	u64 *bit;
};

struct vmm_overlay *vmm_overlay_create(int base, int fd, u64 size);
void vmm_overlay_free(struct vmm_overlay *overlay);
int vmm_overlay_clear(struct vmm_overlay *overlay);
u64 vmm_overlay_run(const struct vmm_overlay *overlay, u64 sector, u64 most, bool *owned);
void vmm_overlay_mark(struct vmm_overlay *overlay, u64 sector, u64 sectors);
int vmm_overlay_read(const struct vmm_overlay *overlay, u8 *bytes, size_t len, u64 offset);
u64 vmm_overlay_bytes(const struct vmm_overlay *overlay);

#endif /* OVERLAY_H */
