/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overlays: a disk that starts with the content of a base file, where the file system cannot
 * make a copy that shares blocks. The base file does not change. The guest's writes go to a
 * second file, at the same offsets; a bit for each sector says which of the two files has its
 * data. The second file has no name and the bits are in memory: both end with the VM, and no
 * other process can have made them.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "types.h"

#define VMM_OVERLAY_SECTOR	512	/* bytes; all requests of a guest are whole sectors */

/**
 * struct vmm_overlay - a disk in two files
 * @base: the base file; remains owned by the caller
 * @fd: the file of written data, as long as @base; remains owned by the caller
 * @sectors: number of sectors of the disk
 * @owned: number of sectors that are in @fd
 * @bit: one bit per sector, set if it is in @fd; all threads of the disk set and read bits
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
