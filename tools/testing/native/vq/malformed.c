// SPDX-License-Identifier: GPL-2.0-only
/*
 * Malformed split rings: chains that are nearly right, with a few fields
 * changed. Our engine and vringh must take the same chains and stop at the same
 * one. For intentional differences, listed below, the reason is found in the ring
 * itself, and counted.
 */
#include <stdio.h>
#include <string.h>
#include <linux/ranchu_vq.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "vq_diff.h"

#define MAX_NUM 64
#define TABLES 16
#define TABLE_DESCS 8
#define AVAIL_OFFSET 0x1000
#define USED_OFFSET 0x2000
#define TABLES_OFFSET 0x3000

enum difference {
	INDEX_JUMP,
	INDIRECT_GOES_ON,
	INDIRECT_UNASKED,
	TABLE_LONG,
	TABLE_CROSSES,
	EMPTY_BUFFER,
	CHAIN_LONG,
	DIFFERENCES,
};

static const char * const difference_names[] = {
	[INDEX_JUMP] = "the index runs ahead: vringh believes it",
	[INDIRECT_GOES_ON] = "a table and NEXT: vringh goes on, perhaps for ever",
	[INDIRECT_UNASKED] = "a table that was not negotiated: vringh follows it",
	[TABLE_LONG] = "a table of more descriptors than we take buffers",
	[TABLE_CROSSES] = "a table over a region's end: vringh gets lost",
	[EMPTY_BUFFER] = "an empty buffer at no address: vringh looks it up",
	[CHAIN_LONG] = "a chain of more buffers than we take",
};

static u64 differences[DIFFERENCES];
static u64 agreed_chains, agreed_refusals;

/* The ring, in the scratch area. */
static struct vring_desc *desc;
static struct vring_desc *tables;
static struct vring_avail *avail;
static u32 num;
static u16 base;
static u64 features;
static u16 heads[MAX_NUM];
static unsigned int n_heads;
static u8 used_shadow[6 + 8 * MAX_NUM] __attribute__((aligned(8)));

static u64 random_addr(struct vq_rng *rng)
{
	const struct arena_region *region =
		&arena_memory.region[vq_below(rng, arena_memory.n)];

	switch (vq_below(rng, 32)) {
	case 0:
		return region->gpa + region->len - vq_below(rng, 64);
	case 1:
		return region->gpa - vq_below(rng, 64);
	default:
		return region->gpa + vq_below(rng, region->len - 128);
	}
}

/* A chain from @i on in @table, of at most @room descriptors; its length. */
static u32 make_chain(struct vq_rng *rng, struct vring_desc *table, u32 i, u32 room,
		      bool tables_too)
{
	u32 n = 1 + vq_below(rng, room < 5 || vq_one_in(rng, 16) ? room : 5), k;
	bool write = false;

	for (k = i; k < i + n; k++) {
		write |= vq_one_in(rng, n);
		table[k].addr = random_addr(rng);
		table[k].len = vq_one_in(rng, 20) ? 0 : 1 + vq_below(rng, 100);
		table[k].flags = write ? VRING_DESC_F_WRITE : 0;
		table[k].next = k + 1;
		if (k + 1 < i + n)
			table[k].flags |= VRING_DESC_F_NEXT;
	}
	if (tables_too && vq_one_in(rng, 3)) {
		u32 t = vq_below(rng, TABLES);
		struct vring_desc *to = tables + t * TABLE_DESCS;

		table[k - 1].addr = (uintptr_t)to + vq_one_in(rng, 16);
		table[k - 1].len = 16 * make_chain(rng, to, 0, TABLE_DESCS, false);
		table[k - 1].flags |= VRING_DESC_F_INDIRECT;
	}
	return n;
}

static void make_ring(struct vq_rng *rng)
{
	u32 i;

	num = 1 << vq_below(rng, 7);
	base = vq_random(rng);
	features = 0;
	if (!vq_one_in(rng, 8))
		features |= 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	n_heads = 0;
	for (i = 0; i < num;) {
		heads[n_heads] = i;
		i += make_chain(rng, desc, i, num - i, true);
		avail->ring[(base + n_heads) % num] = heads[n_heads];
		n_heads++;
	}
	avail->idx = base + n_heads;
}

static struct vring_desc *random_desc(struct vq_rng *rng)
{
	if (vq_one_in(rng, 3))
		return &tables[vq_below(rng, TABLES * TABLE_DESCS)];
	return &desc[vq_below(rng, num)];
}

static u32 random_len(struct vq_rng *rng)
{
	switch (vq_below(rng, 4)) {
	case 0:
		return 16 * vq_below(rng, 80);
	case 1:
		return vq_below(rng, 0x8000);
	case 2:
		return vq_random(rng);
	default:
		return 0;
	}
}

static void corrupt(struct vq_rng *rng)
{
	struct vring_desc *at = random_desc(rng);

	switch (vq_below(rng, 10)) {
	case 0:
		at->addr = vq_one_in(rng, 2) ? vq_random(rng) | 1 : random_addr(rng);
		break;
	case 1 ... 2:
		at->len = random_len(rng);
		break;
	case 3 ... 5:
		at->flags ^= 1 << vq_below(rng, 3);
		break;
	case 6:
		at->next = vq_one_in(rng, 2) ? vq_random(rng) : vq_below(rng, num + 2);
		break;
	case 7:
		at->next = vq_below(rng, num);
		at->flags |= VRING_DESC_F_NEXT;
		break;
	case 8:
		avail->ring[vq_below(rng, num)] = vq_below(rng, num + 1);
		break;
	default:
		avail->idx += vq_one_in(rng, 8) ? vq_random(rng) : 0;
		break;
	}
}

/* ---- properties of a chain ---- */

struct facts {
	bool is[DIFFERENCES];
};

static void look_at(struct facts *facts, const struct vring_desc *one)
{
	if (!one->len && !arena_find(one->addr))
		facts->is[EMPTY_BUFFER] = true;
}

/* The descriptors of a table, as far as they can be read and are a chain. */
static void look_at_table(struct facts *facts, const struct vring_desc *head)
{
	u32 n = head->len / 16, i = 0, seen;
	u64 user;

	if (!(features >> VIRTIO_RING_F_INDIRECT_DESC & 1))
		facts->is[INDIRECT_UNASKED] = true;
	if (head->flags & VRING_DESC_F_NEXT)
		facts->is[INDIRECT_GOES_ON] = true;
	if (n > VQ_MAX_RANGES)
		facts->is[TABLE_LONG] = true;
	user = arena_user(head->addr, head->len);
	if (!user)
		facts->is[TABLE_CROSSES] = arena_find(head->addr);
	for (seen = 0; user && i < n && seen < n; seen++) {
		struct vring_desc one;

		memcpy(&one, (void *)(uintptr_t)(user + 16ULL * i), sizeof(one));
		look_at(facts, &one);
		if (!(one.flags & VRING_DESC_F_NEXT))
			break;
		i = one.next;
	}
}

static void look_at_chain(struct facts *facts, u16 head)
{
	u32 i = head, seen;

	memset(facts, 0, sizeof(*facts));
	for (seen = 0; i < num && seen < num; seen++) {
		look_at(facts, &desc[i]);
		if (desc[i].flags & VRING_DESC_F_INDIRECT) {
			look_at_table(facts, &desc[i]);
			break;
		}
		if (!(desc[i].flags & VRING_DESC_F_NEXT))
			break;
		i = desc[i].next;
	}
}

/* Our fault for each difference in which our engine refuses a chain that vringh takes. */
static const int fault_of[DIFFERENCES] = {
	[INDEX_JUMP] = RANCHU_VQ_AVAIL_INDEX,
	[INDIRECT_UNASKED] = RANCHU_VQ_INDIRECT,
	[TABLE_LONG] = RANCHU_VQ_INDIRECT_LENGTH,
	[CHAIN_LONG] = RANCHU_VQ_TOO_LONG,
};

/* ---- comparison ---- */

struct views {
	unsigned int nth;
	int ours, theirs;
	struct ranchu_taken our_chain;
	struct vq_ranges their_chain;
	u16 their_head;
};

static void show_and_fail(const struct views *views, const char *what)
{
	printf("#   split, size %u, features %#llx, chain %u, head %u of %u heads\n",
	       num, (unsigned long long)features, views->nth,
	       avail->ring[(u16)(base + views->nth) % num], n_heads);
	if (views->ours == 1)
		vq_print("ours", &views->our_chain.ranges);
	if (views->theirs == 1)
		vq_print("vringh", &views->their_chain);
	vq_fail("%s: we say %d (fault %d), vringh %d", what, views->ours,
		views->ours < 0 ? ranchu_dev_fault() : 0, views->theirs);
}

/* Finds the reason why only one of the two engines takes the chain. */
static void explain(const struct views *views, struct facts *facts)
{
	int fault = views->ours < 0 ? ranchu_dev_fault() : RANCHU_VQ_OK;
	unsigned int i;

	facts->is[INDEX_JUMP] = (u16)(avail->idx - base) > num;
	facts->is[CHAIN_LONG] = views->theirs == 1 &&
		views->their_chain.n_out + views->their_chain.n_in > VQ_MAX_RANGES;
	for (i = 0; i < DIFFERENCES; i++) {
		bool fits = fault_of[i] ? fault == fault_of[i] : fault == RANCHU_VQ_OK;

		/* In this case any result of vringh is accepted. */
		if (facts->is[i] && (fits || i == TABLE_CROSSES)) {
			differences[i]++;
			return;
		}
	}
	show_and_fail(views, "no agreement");
}

/*
 * vringh does not count tables, so it would follow a table that links to itself until
 * there is no memory left: it is not called.
 */
static bool only_ours(struct views *views)
{
	if (views->ours >= 0)
		show_and_fail(views, "a table and NEXT");
	differences[INDIRECT_GOES_ON]++;
	return false;
}

/* Compares one chain; false if that was the last. */
static bool compare_one(struct views *views)
{
	struct facts facts;

	views->ours = ranchu_dev_next(views->nth, &views->our_chain);
	look_at_chain(&facts, avail->ring[(u16)(base + views->nth) % num]);
	if (facts.is[INDIRECT_GOES_ON] && (u16)(base + views->nth) != avail->idx)
		return only_ours(views);
	views->theirs = vringh_dev_next(&views->their_head, &views->their_chain);
	if (views->ours < 0 && views->theirs < 0) {
		agreed_refusals++;
		return false;
	}
	if (views->ours != views->theirs) {
		explain(views, &facts);
		return false;
	}
	if (!views->ours)
		return false;
	vq_normalise(&views->our_chain.ranges);
	vq_normalise(&views->their_chain);
	if (views->our_chain.id == views->their_head &&
	    vq_same(&views->our_chain.ranges, &views->their_chain)) {
		agreed_chains++;
		return true;
	}
	/* A difference here is explained only by a looping table in vringh. */
	views->theirs = -1;
	explain(views, &facts);
	return false;
}

static void scratch(u64 offset, void *pointer)
{
	u8 *at = arena_guest + ARENA_SCRATCH + offset;

	memcpy(pointer, &at, sizeof(at));
}

u64 malformed_run(struct vq_rng *rng)
{
	struct views views = {};
	struct vq_ring ring;
	unsigned int n;

	scratch(0, &desc);
	scratch(AVAIL_OFFSET, &avail);
	scratch(TABLES_OFFSET, &tables);
	arena_punch(rng);
	make_ring(rng);
	for (n = vq_below(rng, 4); n; n--)
		corrupt(rng);

	/* The ring's own addresses are valid, because the VMM sets them. */
	ring = (struct vq_ring){
		.features = features,
		.num = num,
		.desc = (uintptr_t)desc,
		.driver = (uintptr_t)avail,
		.device = (uintptr_t)desc + USED_OFFSET,
	};
	ranchu_dev_memory(&arena_memory);
	ranchu_dev_start(&ring, base, false);
	ring.device = (uintptr_t)used_shadow;
	vringh_dev_start(&ring, base, 0);
	while (views.nth < num && compare_one(&views))
		views.nth++;
	return 1;
}

void malformed_report(void)
{
	unsigned int i;

	printf("# agreed: %llu chains, %llu refusals; intended differences:\n",
	       (unsigned long long)agreed_chains,
	       (unsigned long long)agreed_refusals);
	for (i = 0; i < DIFFERENCES; i++)
		printf("#   %-56s %8llu\n", difference_names[i],
		       (unsigned long long)differences[i]);
}
