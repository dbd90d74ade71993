// SPDX-License-Identifier: GPL-2.0-only
/*
 * Overlays, compared with a simple list of sectors.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/overlay.h"
#include "tests/tap.h"

#define SECTORS	1000
#define SECTOR	VMM_OVERLAY_SECTOR
#define TAIL	100	/* bytes of a file after its last whole sector */

static struct vmm_overlay *overlay;
static bool list[SECTORS];
static u32 seed = 1;

static u32 random_below(u32 end)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % end;
}

/* Makes a file that is filled with this byte. */
static int file_of(u8 byte)
{
	static u8 bytes[SECTORS * SECTOR + TAIL];
	int fd = memfd_create("file", 0);

	memset(bytes, byte, sizeof(bytes));
	tap_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	return fd;
}

static bool overlay_make(void)
{
	memset(list, 0, sizeof(list));
	overlay = vmm_overlay_create(file_of('b'), file_of('o'), SECTORS * SECTOR + TAIL);
	return tap_check(overlay);
}

static void overlay_end(void)
{
	close(overlay->base);
	close(overlay->fd);
	vmm_overlay_free(overlay);
}

static u64 count(u64 sector, u64 most)
{
	u64 n = 0;

	while (n < most && sector + n < SECTORS && list[sector + n] == list[sector])
		n++;
	return n;
}

/* Checks that runs at all positions are as in the list. */
static bool runs_are_right(void)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		u64 sector = random_below(SECTORS);
		u64 most = 1 + random_below(i & 1 ? 200 : 2 * SECTORS);
		bool owned = !list[sector];
		u64 run = vmm_overlay_run(overlay, sector, most, &owned);

		tap_context("%llu, at most %llu", sector, most);
		if (!tap_equal(run, count(sector, most)) || !tap_equal(owned, list[sector]))
			return false;
	}
	return true;
}

static void runs(void)
{
	unsigned int i, n;
	u64 owned = 0;
	bool any;

	if (!overlay_make())
		return;
	tap_equal(vmm_overlay_run(overlay, 0, ~0ULL, &any), SECTORS);
	for (i = 0; i < 60 && runs_are_right(); i++) {
		u64 sector = random_below(SECTORS);
		u64 sectors = random_below(i & 3 ? 70 : 300);

		vmm_overlay_mark(overlay, sector, sectors);
		for (n = 0; n < sectors && sector + n < SECTORS; n++) {
			owned += !list[sector + n];
			list[sector + n] = true;
		}
		tap_equal(vmm_overlay_bytes(overlay), owned * SECTOR);
	}
	vmm_overlay_mark(overlay, 0, ~0ULL);
	tap_equal(vmm_overlay_bytes(overlay), SECTORS * SECTOR);
	tap_equal(vmm_overlay_run(overlay, 5, ~0ULL, &any), SECTORS - 5);
	/* There are no runs after the end. */
	tap_equal(vmm_overlay_run(overlay, SECTORS, 1, &any), 0);
	tap_equal(vmm_overlay_run(overlay, ~0ULL, 1, &any), 0);
	vmm_overlay_mark(overlay, SECTORS, 1);
	vmm_overlay_mark(overlay, ~0ULL, ~0ULL);
	overlay_end();
}

static void each_sector_is_read_where_it_is(void)
{
	static u8 bytes[SECTORS * SECTOR + TAIL];
	unsigned int i;

	if (!overlay_make())
		return;
	vmm_overlay_mark(overlay, 3, 1);
	vmm_overlay_mark(overlay, 64, 64);
	vmm_overlay_mark(overlay, SECTORS - 1, 1);
	tap_equal(vmm_overlay_read(overlay, bytes, sizeof(bytes), 0), 0);
	for (i = 0; i < SECTORS; i++) {
		bool owned = i == 3 || (i >= 64 && i < 128) || i == SECTORS - 1;

		tap_context("%u", i);
		tap_check(bytes[i * SECTOR] == (owned ? 'o' : 'b') &&
			  bytes[i * SECTOR + SECTOR - 1] == bytes[i * SECTOR]);
	}
	tap_equal(bytes[sizeof(bytes) - 1], 'b');
	/* A base file that was truncated. */
	tap_equal(ftruncate(overlay->base, 10 * SECTOR), 0);
	tap_equal(vmm_overlay_read(overlay, bytes, 10 * SECTOR, 0), 0);
	tap_equal(vmm_overlay_read(overlay, bytes, 11 * SECTOR, 0), -EIO);
	overlay_end();
}

static void *mark_each_third(void *arg)
{
	u64 i;

	for (i = (uintptr_t)arg; i < SECTORS; i += 3)
		vmm_overlay_mark(overlay, i, 1);
	return NULL;
}

/* Queues of one disk write to adjacent sectors. */
static void threads_mark_neighbours(void)
{
	pthread_t thread[3];
	bool owned = false;
	uintptr_t i;

	if (!overlay_make())
		return;
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, mark_each_third, (void *)i);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	tap_equal(vmm_overlay_run(overlay, 0, SECTORS, &owned), SECTORS);
	tap_check(owned);
	tap_equal(vmm_overlay_bytes(overlay), SECTORS * SECTOR);
	overlay_end();
}

/* A file whose size exceeds the limit. */
static void what_is_too_large_is_refused(void)
{
	int fd = memfd_create("file", 0);

	tap_check(!vmm_overlay_create(fd, fd, 1ULL << 62));
	close(fd);
}

static const struct tap_case cases[] = {
	{ "runs are found and counted", runs },
	{ "each sector is read where it is", each_sector_is_read_where_it_is },
	{ "threads mark neighbours", threads_mark_neighbours },
	{ "what is too large is refused", what_is_too_large_is_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
