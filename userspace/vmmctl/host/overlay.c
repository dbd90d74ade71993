// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write overlay of a disk: one bit per sector says whether the sector is in the overlay
 * file or in the base file. A sector is as large as the smallest write, so no write has to copy
 * the data around it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/file.h"
#include "host/overlay.h"

#define SECTOR	VMM_OVERLAY_SECTOR
#define BITS	64	/* in an element of @bit */
#define MOST	(16384 * GIB)	/* bytes of a disk; if all is written, its bits take 4 GiB */

/**
 * vmm_overlay_create - put an empty overlay over a file
 * @base: the file, which does not change
 * @fd: an empty file; becomes as long as @base
 * @size: bytes of @base
 *
 * Return: the overlay, or NULL with errno set: EFBIG if there are too many bytes
 */
struct vmm_overlay *vmm_overlay_create(int base, int fd, u64 size)
{
	struct vmm_overlay *overlay = size > MOST ? NULL : calloc(1, sizeof(*overlay));

	if (size > MOST)
		errno = EFBIG;
	if (!overlay)
		return NULL;
	*overlay = (struct vmm_overlay){ .base = base, .fd = fd, .sectors = size / SECTOR };
	/* Pages of the bitmap that are never touched take no memory. */
	overlay->bit = calloc(overlay->sectors / BITS + 1, sizeof(*overlay->bit));
	if (overlay->bit && !ftruncate(fd, size))
		return overlay;
	vmm_overlay_free(overlay);
	return NULL;
}

/**
 * vmm_overlay_free - free an overlay
 * @overlay: may be NULL; no longer in use
 *
 * Does not change errno, and does not close the files.
 */
void vmm_overlay_free(struct vmm_overlay *overlay)
{
	int saved = errno;

	if (overlay)
		free(overlay->bit);
	free(overlay);
	errno = saved;
}

/**
 * vmm_overlay_clear - forget all that was written
 * @overlay: nobody uses it meanwhile
 *
 * Return: 0, or -errno
 */
int vmm_overlay_clear(struct vmm_overlay *overlay)
{
	u64 elements = overlay->sectors / BITS + 1;
	off_t size = lseek(overlay->fd, 0, SEEK_END);
	u64 i;

	/* Memory that was never touched stays so. */
	for (i = 0; i < elements; i++) {
		if (overlay->bit[i])
			overlay->bit[i] = 0;
	}
	overlay->owned = 0;
	if (size < 0 || ftruncate(overlay->fd, 0) || ftruncate(overlay->fd, size))
		return -errno;
	return 0;
}

/* Acquire, paired with the release in vmm_overlay_mark(): data of a marked sector can be read. */
static u64 bits_at(const struct vmm_overlay *overlay, u64 sector)
{
	return __atomic_load_n(&overlay->bit[sector / BITS], __ATOMIC_ACQUIRE);
}

/**
 * vmm_overlay_run - count consecutive sectors that are in the same file
 * @overlay: the overlay
 * @sector: the first sector
 * @most: the highest count that is of interest
 * @owned: filled: true if they are in the overlay, false if they are in the base file
 *
 * Context: any thread.
 * Return: the count, at least one; 0 after the end of the disk
 */
u64 vmm_overlay_run(const struct vmm_overlay *overlay, u64 sector, u64 most, bool *owned)
{
	u64 at = sector;
	u64 end, bits;

	if (sector >= overlay->sectors || !most)
		return 0;
	end = most < overlay->sectors - sector ? sector + most : overlay->sectors;
	bits = bits_at(overlay, sector);
	*owned = bits >> sector % BITS & 1;
	for (;;) {
		/* Find the first sector of this element that is in the other file. */
		bits = (*owned ? ~bits : bits) >> at % BITS;
		if (bits)
			at += __builtin_ctzll(bits);
		else
			at = (at | (BITS - 1)) + 1;
		if (bits || at >= end)
			break;
		bits = bits_at(overlay, at);
	}
	return (at < end ? at : end) - sector;
}

/**
 * vmm_overlay_mark - record that sectors are in the overlay
 * @overlay: the overlay
 * @sector: the first sector
 * @sectors: their count; their data has been written to the overlay file
 *
 * Context: any thread.
 */
void vmm_overlay_mark(struct vmm_overlay *overlay, u64 sector, u64 sectors)
{
	u64 end, at, next;

	if (sector >= overlay->sectors)
		return;
	end = sectors < overlay->sectors - sector ? sector + sectors : overlay->sectors;
	for (at = sector; at < end; at = next) {
		u64 bits = ~0ULL << at % BITS;
		u64 had;

		next = (at | (BITS - 1)) + 1;
		if (next > end) {
			next = end;
			bits &= ~0ULL >> (BITS - end % BITS);
		}
		had = __atomic_fetch_or(&overlay->bit[at / BITS], bits, __ATOMIC_RELEASE);
		if (bits & ~had)
			__atomic_fetch_add(&overlay->owned, __builtin_popcountll(bits & ~had),
					   __ATOMIC_RELAXED);
	}
}

/**
 * vmm_overlay_read - read a disk
 * @overlay: the overlay
 * @bytes: filled
 * @len: bytes; whole sectors, except at the end of a file that ends within a sector
 * @offset: bytes from the start of the disk; the start of a sector
 *
 * Return: 0, or -errno; -EIO if a file has become shorter
 */
int vmm_overlay_read(const struct vmm_overlay *overlay, u8 *bytes, size_t len, u64 offset)
{
	int err = 0;

	while (len && !err) {
		bool owned = false;
		u64 run = vmm_overlay_run(overlay, offset / SECTOR, len / SECTOR, &owned) * SECTOR;

		if (!run)
			run = len;
		err = vmm_file_read_at(owned ? overlay->fd : overlay->base, bytes, run, offset);
		bytes += run;
		len -= run;
		offset += run;
	}
	return err;
}

/**
 * vmm_overlay_bytes - count the data in the overlay
 * @overlay: the overlay
 *
 * Context: any thread.
 * Return: bytes of the sectors that are in it
 */
u64 vmm_overlay_bytes(const struct vmm_overlay *overlay)
{
	return __atomic_load_n(&overlay->owned, __ATOMIC_RELAXED) * SECTOR;
}
