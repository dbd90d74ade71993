// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile drivers. After an invalid entry the device reports it once and stops using
 * the ring, everything else goes on, and a restart repairs the ring.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_hostile.h"

#define TIMEOUT		300

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define TABLE		VRING_DESC_F_INDIRECT
#define DATA		HOSTILE_DATA
#define END		HOSTILE_END
#define NUM		HOSTILE_NUM
#define MAX_IOV		VHOST_RANCHU_TEST_MAX_IOV
#define DESC		sizeof(struct vring_desc)

/* Messages in the kernel's log, which are rate-limited. */
#define ADDRESS		"a buffer is not guest memory"
#define ORDER		"a readable buffer follows a writable one"
#define TOO_LONG	"a chain has more buffers than the device takes"
#define TOO_LARGE	"the buffers of a chain exceed 4 GiB"
#define LOOP		"a chain has more descriptors than its table"
#define HEAD		"a chain starts outside the descriptor table"
#define LINK		"a chain goes on outside its table"
#define AVAIL		"more is available than the ring has room for"
#define NO_TABLE	"an indirect table where none may be"
#define TABLE_LEN	"an indirect table of a wrong length"

enum layouts { SPLIT = 1, PACKED = 2, BOTH = 3 };

/**
 * struct lie - an invalid ring
 * @name: of the row
 * @reason: why the ring breaks
 * @layouts: that can say it
 * @without: a feature that must not be negotiated
 * @head: split: where the chain starts
 * @jump: split: by how much more or less than 1 the index moves
 * @descs: from the first on, in split terms: packed rings ignore next
 * @table: the same, at HOSTILE_TABLE
 * @repeat: descriptors in all, like @descs[0] but linked to the next one
 */
static const struct lie {
	const char *name;
	const char *reason;
	enum layouts layouts;
	uint64_t without;
	uint16_t head;
	uint16_t jump;
	struct vring_desc descs[3];
	struct vring_desc table[3];
	unsigned int repeat;
} lies[] = {
	{ .name = "below all memory", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { VQ_MEM_GPA - 8, 8, 0, 0 } } },
	{ .name = "into memory from below", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { VQ_MEM_GPA - 4, 8, 0, 0 } } },
	{ .name = "past the end", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { END - 7, 8, WRITE, 0 } } },
	{ .name = "past the end, in a chain", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { DATA, 8, NEXT, 1 }, { END - 4, 8, WRITE, 0 } } },
	{ .name = "at the end", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { END, 1, 0, 0 } } },
	{ .name = "length of everything", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { DATA, 0xffffffff, 0, 0 } } },
	{ .name = "address wraps", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { ~0ull - 3, 8, 0, 0 } } },
	{ .name = "address wraps into memory", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { ~0ull, 0x80000000, WRITE, 0 } } },
	{ .name = "read after write", .reason = ORDER, .layouts = BOTH,
	  .descs = { { DATA, 8, WRITE | NEXT, 1 }, { DATA, 8, 0, 0 } } },
	{ .name = "read after an empty write", .reason = ORDER, .layouts = BOTH,
	  .descs = { { DATA, 0, WRITE | NEXT, 1 }, { DATA, 8, 0, 0 } } },
	{ .name = "empty read after write", .reason = ORDER, .layouts = BOTH,
	  .descs = { { DATA, 8, WRITE | NEXT, 1 }, { DATA, 0, 0, 0 } } },
	{ .name = "one buffer too many", .reason = TOO_LONG, .layouts = BOTH,
	  .descs = { { DATA, 8, 0, 0 } }, .repeat = MAX_IOV + 1 },
	{ .name = "more than 4 GiB", .reason = TOO_LARGE, .layouts = BOTH,
	  .descs = { { HOSTILE_BIG, HOSTILE_BIG_SIZE, NEXT, 1 },
		     { HOSTILE_BIG, HOSTILE_BIG_SIZE, NEXT, 2 },
		     { DATA, 1, 0, 0 } } },
	{ .name = "a chain of all and on", .reason = LOOP, .layouts = PACKED,
	  .descs = { { DATA, 0, NEXT, 0 } }, .repeat = NUM + 1 },
	{ .name = "a circle of one", .reason = LOOP, .layouts = SPLIT,
	  .descs = { { DATA, 0, NEXT, 0 } } },
	{ .name = "a circle of two", .reason = LOOP, .layouts = SPLIT,
	  .descs = { { DATA, 0, NEXT, 1 }, { DATA, 0, NEXT, 0 } } },
	{ .name = "a circle of buffers", .reason = TOO_LONG, .layouts = SPLIT,
	  .descs = { { DATA, 1, NEXT, 0 } } },
	{ .name = "head out of range", .reason = HEAD, .layouts = SPLIT,
	  .head = NUM, .descs = { { DATA, 8, 0, 0 } } },
	{ .name = "head far out of range", .reason = HEAD, .layouts = SPLIT,
	  .head = 0xffff, .descs = { { DATA, 8, 0, 0 } } },
	{ .name = "next out of range", .reason = LINK, .layouts = SPLIT,
	  .descs = { { DATA, 8, NEXT, NUM } } },
	{ .name = "next far out of range", .reason = LINK, .layouts = SPLIT,
	  .descs = { { DATA, 8, NEXT, 0xffff } } },
	{ .name = "index one too far", .reason = AVAIL, .layouts = SPLIT,
	  .jump = NUM, .descs = { { DATA, 8, 0, 0 } } },
	{ .name = "index back", .reason = AVAIL, .layouts = SPLIT,
	  .jump = 0xfffe, .descs = { { DATA, 8, 0, 0 } } },
	{ .name = "table not negotiated", .reason = NO_TABLE, .layouts = BOTH,
	  .without = VQ_INDIRECT, .descs = { { HOSTILE_TABLE, DESC, TABLE, 0 } },
	  .table = { { DATA, 8, 0, 0 } } },
	{ .name = "table that goes on", .reason = NO_TABLE, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, DESC, TABLE | NEXT, 1 }, { DATA, 8, 0, 0 } },
	  .table = { { DATA, 8, 0, 0 } } },
	{ .name = "table in a table", .reason = NO_TABLE, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, DESC, TABLE, 0 } },
	  .table = { { HOSTILE_TABLE, DESC, TABLE, 0 } } },
	{ .name = "table after a buffer", .reason = NO_TABLE, .layouts = PACKED,
	  .descs = { { DATA, 8, NEXT, 1 }, { HOSTILE_TABLE, DESC, TABLE, 0 } },
	  .table = { { DATA, 8, 0, 0 } } },
	{ .name = "table of nothing", .reason = TABLE_LEN, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, 0, TABLE, 0 } } },
	{ .name = "table of half a descriptor", .reason = TABLE_LEN,
	  .layouts = BOTH, .descs = { { HOSTILE_TABLE, 8, TABLE, 0 } } },
	{ .name = "table of one and a half", .reason = TABLE_LEN, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, 24, TABLE, 0 } } },
	{ .name = "table of one too many", .reason = TABLE_LEN, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, (MAX_IOV + 1) * DESC, TABLE, 0 } } },
	{ .name = "table of 4 GiB", .reason = TABLE_LEN, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, 0xfffffff0, TABLE, 0 } } },
	{ .name = "table nowhere", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { 0, DESC, TABLE, 0 } } },
	{ .name = "table past the end", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { END - DESC, 2 * DESC, TABLE, 0 } } },
	{ .name = "table wraps", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { ~0ull - 15, 2 * DESC, TABLE, 0 } } },
	{ .name = "table that cannot be read", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { HOSTILE_BIG, DESC, TABLE, 0 } } },
	{ .name = "in a table, past the end", .reason = ADDRESS, .layouts = BOTH,
	  .descs = { { HOSTILE_TABLE, DESC, TABLE, 0 } },
	  .table = { { END - 4, 8, 0, 0 } } },
	{ .name = "in a table, read after write", .reason = ORDER,
	  .layouts = BOTH, .descs = { { HOSTILE_TABLE, 2 * DESC, TABLE, 0 } },
	  .table = { { DATA, 8, WRITE | NEXT, 1 }, { DATA, 8, 0, 0 } } },
	{ .name = "in a table, a circle", .reason = LOOP, .layouts = SPLIT,
	  .descs = { { HOSTILE_TABLE, DESC, TABLE, 0 } },
	  .table = { { DATA, 0, NEXT, 0 } } },
	{ .name = "in a table, next out of range", .reason = LINK,
	  .layouts = SPLIT, .descs = { { HOSTILE_TABLE, 2 * DESC, TABLE, 0 } },
	  .table = { { DATA, 8, NEXT, 2 } } },
	{ .name = "in a table, more than 4 GiB", .reason = TOO_LARGE,
	  .layouts = BOTH, .descs = { { HOSTILE_TABLE, 3 * DESC, TABLE, 0 } },
	  .table = { { HOSTILE_BIG, HOSTILE_BIG_SIZE, NEXT, 1 },
		     { HOSTILE_BIG, HOSTILE_BIG_SIZE, NEXT, 2 },
		     { HOSTILE_BIG, 1, 0, 0 } } },
};

static unsigned int lie_length(const struct lie *lie)
{
	unsigned int n = 0;

	if (lie->repeat)
		return lie->repeat;
	/* A chain goes on as long as it says so; circles end with the row. */
	while (n + 1 < ARRAY_SIZE(lie->descs) && lie->descs[n].flags & NEXT &&
	       lie->descs[n].next == n + 1)
		n++;
	return n + 1;
}

static struct vring_desc lie_desc(const struct lie *lie, unsigned int i)
{
	struct vring_desc desc = lie->repeat ? lie->descs[0] : lie->descs[i];

	if (lie->repeat) {
		desc.flags |= i + 1 < lie->repeat ? NEXT : 0;
		desc.next = i + 1;
	}
	return desc;
}

static void tell_split(struct vq_ring *ring, const struct lie *lie)
{
	struct vring_avail *avail = vq_avail(ring);
	unsigned int i;

	for (i = 0; i < lie_length(lie); i++)
		vq_descs(ring)[i] = lie_desc(lie, i);
	avail->ring[ring->avail % NUM] = lie->head;
	__atomic_store_n(&avail->idx, ring->avail + 1 + lie->jump, __ATOMIC_RELEASE);
}

static void tell_packed(struct vq_ring *ring, const struct lie *lie)
{
	unsigned int n = lie_length(lie), i;
	struct vring_packed_desc *slot;
	struct vring_desc desc;

	/* The first one last. The ring is new: slot 0, wrap counter 1. */
	for (i = n < NUM ? n : NUM; i--;) {
		desc = lie_desc(lie, i);
		slot = &vq_slots(ring)[i];
		slot->addr = desc.addr;
		slot->len = desc.len;
		slot->id = 0;
		__atomic_store_n(&slot->flags, desc.flags | VQ_AVAIL_FLAG,
				 __ATOMIC_RELEASE);
	}
}

static void lay_table(const struct hostile *hostile, const struct lie *lie)
{
	struct vring_desc *split = vq_mem_guest(&hostile->dev.mem, HOSTILE_TABLE);
	struct vring_packed_desc *packed = (void *)split;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lie->table); i++) {
		split[i] = lie->table[i];
		if (hostile->ring->packed) {
			packed[i].id = 0;
			packed[i].flags = lie->table[i].flags;
		}
	}
}

static void tell(struct hostile *hostile, const struct lie *lie)
{
	lay_table(hostile, lie);
	if (hostile->ring->packed)
		tell_packed(hostile->ring, lie);
	else
		tell_split(hostile->ring, lie);
	vq_kick(hostile->ring);
}

FIXTURE(hostile)
{
	struct hostile hostile;
};

FIXTURE_VARIANT(hostile)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(hostile, split) { .features = VQ_SPLIT | VQ_INDIRECT };
FIXTURE_VARIANT_ADD(hostile, split_all)
{
	.features = VQ_SPLIT | VQ_INDIRECT | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(hostile, packed) { .features = VQ_PACKED | VQ_INDIRECT };
FIXTURE_VARIANT_ADD(hostile, packed_all)
{
	.features = VQ_PACKED | VQ_INDIRECT | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_SETUP(hostile)
{
	if (__vq_dev_open(&self->hostile.dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->hostile.dev.fd);
	hostile_create(&self->hostile, variant->features);
}

FIXTURE_TEARDOWN(hostile)
{
	hostile_destroy(&self->hostile);
}

TEST_F_TIMEOUT(hostile, lies, TIMEOUT)
{
	struct hostile *hostile = &self->hostile;
	enum layouts layout = hostile->ring->packed ? PACKED : SPLIT;
	const struct lie *lie;
	uint64_t faults;

	for (lie = lies; lie < lies + ARRAY_SIZE(lies); lie++) {
		if (!(lie->layouts & layout))
			continue;
		hostile_restart(hostile, lie->without);
		faults = vq_dev_faults(&hostile->dev);
		tell(hostile, lie);
		EXPECT_TRUE(hostile_is_broken(hostile, faults))
			TH_LOG("%s", lie->name);
		EXPECT_LE(0, hostile_messages(hostile, lie->reason))
			TH_LOG("%s", lie->name);
		hostile_restart(hostile, lie->without);
		ASSERT_EQ(0, vq_echo(hostile->ring))
			TH_LOG("%s", lie->name);
	}
}

/* Unusual but valid rings: all of this works. */
TEST_F_TIMEOUT(hostile, odd_but_true, TIMEOUT)
{
	static const struct lie truths[] = {
		{ .name = "as many buffers as it takes", .layouts = BOTH,
		  .descs = { { DATA, 8, 0, 0 } }, .repeat = MAX_IOV },
		{ .name = "the first byte", .layouts = BOTH,
		  .descs = { { VQ_MEM_GPA, 1, 0, 0 } } },
		{ .name = "the last byte", .layouts = BOTH,
		  .descs = { { END - 1, 1, WRITE, 0 } } },
		{ .name = "an empty buffer nowhere", .layouts = BOTH,
		  .descs = { { 0, 0, 0, 0 } } },
		{ .name = "4 GiB", .layouts = BOTH,
		  .descs = { { HOSTILE_BIG, HOSTILE_BIG_SIZE, NEXT, 1 },
			     { HOSTILE_BIG, HOSTILE_BIG_SIZE, 0, 0 } } },
		{ .name = "a chain of all slots", .layouts = BOTH,
		  .descs = { { DATA, 0, 0, 0 } }, .repeat = NUM },
		{ .name = "a table after a buffer", .layouts = SPLIT,
		  .descs = { { DATA, 8, NEXT, 1 },
			     { HOSTILE_TABLE, DESC, TABLE, 0 } },
		  .table = { { DATA, 8, WRITE, 0 } } },
		{ .name = "a table, said to be writable", .layouts = BOTH,
		  .descs = { { HOSTILE_TABLE, DESC, TABLE | WRITE, 0 } },
		  .table = { { DATA, 8, 0, 0 } } },
	};
	struct hostile *hostile = &self->hostile;
	struct vq_ring *ring = hostile->ring;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(truths); i++) {
		if (!(truths[i].layouts & (ring->packed ? PACKED : SPLIT)))
			continue;
		hostile_restart(hostile, 0);
		tell(hostile, &truths[i]);
		/* A start may call once for nothing. */
		while (!vq_has_used(ring))
			ASSERT_NE(0, vq_wait(ring->call, VQ_PATIENCE_MS))
				TH_LOG("%s", truths[i].name);
	}
	EXPECT_EQ(0, vq_dev_faults(&hostile->dev));
}

TEST_HARNESS_MAIN
