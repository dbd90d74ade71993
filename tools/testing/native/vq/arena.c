// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory for the differential test: one piece of memory that is mapped
 * several times. The driver uses the first mapping, whose addresses are guest
 * addresses. For the devices each region is in another mapping, so an address that
 * was not translated, or by the wrong region, points elsewhere.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vq_diff.h"

#define VIEWS 4
/* A guard around each mapping, so that small overruns fault. */
#define GUARD 0x1000000ULL
#define TABLE_SLOT 512
#define TABLE_SLOTS ((ARENA_CHAINS - ARENA_TABLES) / TABLE_SLOT)

u8 *arena_guest;
struct arena_memory arena_memory;
unsigned int arena_alloc_failures;

static u8 *views[VIEWS];
static struct vq_rng *alloc_rng;
static size_t heap_used;
/* Free slots for indirect tables: first in, first out, so that all get used. */
static u16 table_free[TABLE_SLOTS];
static unsigned int table_head, table_tail;

static u8 *map_guarded(int fd)
{
	u8 *room = mmap(NULL, ARENA_SIZE + 2 * GUARD, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED ||
	    mmap(room + GUARD, ARENA_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return room + GUARD;
}

void arena_init(void)
{
	int fd = memfd_create("guest", 0);
	unsigned int i;

	if (fd < 0 || ftruncate(fd, ARENA_SIZE)) {
		perror("memfd");
		exit(2);
	}
	arena_guest = map_guarded(fd);
	for (i = 0; i < VIEWS; i++)
		views[i] = map_guarded(fd);
	close(fd);
}

static void add_region(u64 first, u64 end, u8 *view)
{
	struct arena_region *region = &arena_memory.region[arena_memory.n++];

	region->gpa = (uintptr_t)arena_guest + first;
	region->len = end - first;
	region->uaddr = (uintptr_t)view + first;
}

static int cmp_offset(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Cuts all of guest memory into regions, at any byte behind the rings. */
void arena_cut(struct vq_rng *rng)
{
	unsigned int i, cuts = vq_below(rng, 3) ? vq_below(rng, ARENA_MAX_REGIONS) : 0;
	u64 at[ARENA_MAX_REGIONS], first = 0;

	arena_memory.n = 0;
	for (i = 0; i < cuts; i++)
		at[i] = ARENA_TABLES + 1 +
			vq_below(rng, ARENA_SIZE - ARENA_TABLES - 2);
	qsort(at, cuts, sizeof(at[0]), cmp_offset);
	for (i = 0; i < cuts; i++) {
		if (at[i] == first)
			continue;
		add_region(first, at[i], views[vq_below(rng, VIEWS)]);
		first = at[i];
	}
	add_region(first, ARENA_SIZE, views[vq_below(rng, VIEWS)]);
}

/* Regions in the scratch area and behind it, some touching, some not. */
void arena_punch(struct vq_rng *rng)
{
	unsigned int i, n = 1 + vq_below(rng, 6);
	u64 first = ARENA_SCRATCH;

	arena_memory.n = 0;
	for (i = 0; i < n; i++) {
		u64 end = first + 0x1000 + vq_below(rng, 0x4000);

		/* Mostly, all indirect tables are in the first. */
		if (!i && !vq_one_in(rng, 8))
			end += 0x5000;
		add_region(first, end, views[vq_below(rng, VIEWS)]);
		first = end + (vq_one_in(rng, 2) ? 1 + vq_below(rng, 64) : 0);
	}
}

/* Frees all allocations, and makes new regions. */
void arena_reset(struct vq_rng *rng)
{
	unsigned int i;

	alloc_rng = rng;
	arena_alloc_failures = 0;
	heap_used = 0;
	table_head = 0;
	table_tail = TABLE_SLOTS;
	for (i = 0; i < TABLE_SLOTS; i++)
		table_free[i] = i;
	arena_cut(rng);
}

/*
 * The driver's malloc(). Allocations that may be indirect tables get a slot, mostly
 * with no more than a descriptor's alignment. Others live as long as the queue, and are
 * zeroed, because the driver requests that.
 */
void *arena_alloc(size_t size)
{
	u8 *memory;

	if (size && size <= TABLE_SLOT - 8 * 16 && table_head != table_tail) {
		if (arena_alloc_failures && vq_one_in(alloc_rng, arena_alloc_failures))
			return NULL;
		return arena_guest + ARENA_TABLES + 16 * vq_below(alloc_rng, 9) +
		       TABLE_SLOT * table_free[table_head++ % TABLE_SLOTS];
	}
	heap_used = (heap_used + 4095) & ~4095UL;
	memory = arena_guest + ARENA_HEAP + heap_used;
	heap_used += size;
	if (heap_used > ARENA_SCRATCH)
		vq_fail("the driver's heap is full");
	return memset(memory, 0, size);
}

void arena_free(void *memory)
{
	u8 *at = memory, *tables = arena_guest + ARENA_TABLES;

	if (at >= tables && at < arena_guest + ARENA_CHAINS)
		table_free[table_tail++ % TABLE_SLOTS] = (at - tables) / TABLE_SLOT;
}

const struct arena_region *arena_find(u64 gpa)
{
	unsigned int i;

	for (i = 0; i < arena_memory.n; i++)
		if (gpa - arena_memory.region[i].gpa < arena_memory.region[i].len)
			return &arena_memory.region[i];
	return NULL;
}

/* The user address of a guest range, or 0 unless it lies in one region. */
u64 arena_user(u64 gpa, u64 len)
{
	const struct arena_region *region = arena_find(gpa);

	if (!region || len > region->len - (gpa - region->gpa))
		return 0;
	return region->uaddr + (gpa - region->gpa);
}

/* Appends the user ranges of a guest range; returns false if part of it is unmapped. */
bool arena_translate(u64 gpa, u64 len, struct vq_range *range, unsigned int *n)
{
	while (len) {
		const struct arena_region *region = arena_find(gpa);
		u64 offset, part;

		if (!region)
			return false;
		if (*n == VQ_MAX_RANGES)
			vq_fail("a chain of more than %d ranges", VQ_MAX_RANGES);
		offset = gpa - region->gpa;
		part = len < region->len - offset ? len : region->len - offset;
		range[*n].addr = region->uaddr + offset;
		range[*n].len = part;
		++*n;
		gpa += part;
		len -= part;
	}
	return true;
}

/* Drops empty ranges and joins adjacent ones, from @from on. */
static unsigned int join(struct vq_range *to, const struct vq_range *from,
			 unsigned int n)
{
	unsigned int i, used = 0;

	for (i = 0; i < n; i++) {
		if (!from[i].len)
			continue;
		if (used && to[used - 1].addr + to[used - 1].len == from[i].addr)
			to[used - 1].len += from[i].len;
		else
			to[used++] = from[i];
	}
	return used;
}

void vq_normalise(struct vq_ranges *ranges)
{
	unsigned int n_out = join(ranges->range, ranges->range, ranges->n_out);
	unsigned int n_in = join(ranges->range + n_out,
				 ranges->range + ranges->n_out, ranges->n_in);

	ranges->n_out = n_out;
	ranges->n_in = n_in;
}

bool vq_same(const struct vq_ranges *a, const struct vq_ranges *b)
{
	return a->n_out == b->n_out && a->n_in == b->n_in &&
	       !memcmp(a->range, b->range,
		       (a->n_out + a->n_in) * sizeof(a->range[0]));
}

void vq_print(const char *who, const struct vq_ranges *ranges)
{
	unsigned int i;

	printf("#   %s:", who);
	for (i = 0; i < ranges->n_out + ranges->n_in; i++)
		printf(" %c%#llx+%#llx", i < ranges->n_out ? 'r' : 'w',
		       (unsigned long long)ranges->range[i].addr,
		       (unsigned long long)ranges->range[i].len);
	printf("\n");
}
