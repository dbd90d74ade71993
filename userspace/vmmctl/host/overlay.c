// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which sectors of a disk are in its overlay, and which are in the file below. A sector is
 * as large as the smallest write, so that no write has to copy what is around it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/overlay.h"

#define SECTOR	VMM_OVERLAY_SECTOR
#define BITS	64	/* of an element of @bit */
#define MOST	(16384 * GIB)	/* bytes of a disk: 4 GiB of bits, if it is all written */

/**
 * vmm_overlay_create - put an empty overlay over a file
 * @base: the file, which nobody changes
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
	/* What is never touched of so many zeros takes no memory. */
	overlay->bit = calloc(overlay->sectors / BITS + 1, sizeof(*overlay->bit));
	if (overlay->bit && !ftruncate(fd, size))
		return overlay;
	vmm_overlay_free(overlay);
	return NULL;
}

/**
 * vmm_overlay_free - forget an overlay
 * @overlay: may be NULL; nobody uses it. errno stays as it is
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

/* Pairs with the release of vmm_overlay_mark(): what is marked can be read. */
static u64 bits_at(const struct vmm_overlay *overlay, u64 sector)
{
	return __atomic_load_n(&overlay->bit[sector / BITS], __ATOMIC_ACQUIRE);
}

/**
 * vmm_overlay_run - find sectors in a row that are in one file
 * @overlay: the overlay
 * @sector: the first
 * @most: how many are wanted
 * @owned: filled: they are in the overlay, and not below
 *
 * Context: any thread.
 * Return: how many, at least one; 0 behind the end of the disk
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
		/* The first that is elsewhere, among those of this element. */
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
 * vmm_overlay_mark - have sectors be in the overlay
 * @overlay: the overlay
 * @sector: the first
 * @sectors: how many; their bytes are in its file
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

static int read_all(int fd, u8 *bytes, size_t len, u64 offset)
{
	while (len) {
		ssize_t n = pread(fd, bytes, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes += n;
		len -= n;
		offset += n;
	}
	return 0;
}

/**
 * vmm_overlay_read - read a disk
 * @overlay: the overlay
 * @bytes: filled
 * @len: how many: whole sectors, but for what a file has behind the last one
 * @offset: of the first, which begins a sector
 *
 * Return: 0, or -errno: -EIO if a file has become shorter
 */
int vmm_overlay_read(const struct vmm_overlay *overlay, u8 *bytes, size_t len, u64 offset)
{
	int err = 0;

	while (len && !err) {
		bool owned = false;
		u64 run = vmm_overlay_run(overlay, offset / SECTOR, len / SECTOR, &owned) * SECTOR;

		if (!run)
			run = len;
		err = read_all(owned ? overlay->fd : overlay->base, bytes, run, offset);
		bytes += run;
		len -= run;
		offset += run;
	}
	return err;
}

/**
 * vmm_overlay_bytes - count what is in the overlay
 * @overlay: the overlay
 *
 * Context: any thread.
 * Return: bytes of its sectors
 */
u64 vmm_overlay_bytes(const struct vmm_overlay *overlay)
{
	return __atomic_load_n(&overlay->owned, __ATOMIC_RELAXED) * SECTOR;
}
