/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The job of a bare guest, and its results. The structure is in guest
 * memory; the host fills in the first half before it runs the vCPU
 * and reads the second half afterwards, or while the guest runs. The guest's
 * assembler code includes this file for the offsets.
 */
#ifndef RANCHU_BARE_JOB_H
#define RANCHU_BARE_JOB_H

#define BARE_JOB_FLAGS		0
#define BARE_JOB_COUNT		4
#define BARE_JOB_REG		8
#define BARE_JOB_VALUE		12
#define BARE_JOB_STATUS		16
#define BARE_JOB_SIZE		20
#define BARE_JOB_SIZE_MASK	24
#define BARE_JOB_EXPECT		28
#define BARE_JOB_PRESET		32
#define BARE_JOB_LOCK		36
#define BARE_JOB_EXIT		40
#define BARE_JOB_STOP		44
#define BARE_JOB_DONE		48
#define BARE_JOB_EARLY		52
#define BARE_JOB_WRONG		56
#define BARE_JOB_LAST_WRONG	60
#define BARE_JOB_BEGIN		64
#define BARE_JOB_END		72
#define BARE_JOB_BYTES		80

/* BARE_JOB_FLAGS */
#define BARE_VARY		0x1	/* change the size every time */
#define BARE_NO_PRESET		0x2	/* leave the status alone */
#define BARE_NO_RING		0x4	/* do all but write the register */
#define BARE_NO_CHECK		0x8	/* do not look at the status */
#define BARE_SCRIBBLE		0x10	/* another job: struct bare_scribble */

/* What the guest writes to BARE_JOB_EXIT's address. */
#define BARE_AT_BEGIN		1
#define BARE_AT_END		2

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

/**
 * struct bare_job - one loop of register writes
 * @flags: BARE_*
 * @count: writes to make, at most
 * @reg: guest address of the register
 * @value: what to write to it
 * @status: guest address of the word that must hold the answer right after
 * @size: guest address of the word that BARE_VARY changes
 * @size_mask: BARE_VARY writes 1 + (iteration & size_mask)
 * @expect: the right answer; with BARE_VARY it is the size instead
 * @preset: what the status holds before the write; never a right answer
 * @lock: guest address of a word that one vCPU at a time may set, or 0
 * @exit: guest address whose accesses exit to userspace
 * @stop: the host sets it to end the loop early
 * @done: writes made so far
 * @early: times the status still held @preset
 * @wrong: times it held anything else that is not the answer
 * @last_wrong: the last such answer
 * @begin: guest's counter before the first write
 * @end: guest's counter after the last write
 */
struct bare_job {
	uint32_t flags;
	uint32_t count;
	uint32_t reg;
	uint32_t value;
	uint32_t status;
	uint32_t size;
	uint32_t size_mask;
	uint32_t expect;
	uint32_t preset;
	uint32_t lock;
	uint32_t exit;
	uint32_t stop;
	uint32_t done;
	uint32_t early;
	uint32_t wrong;
	uint32_t last_wrong;
	uint64_t begin;
	uint64_t end;
};

/**
 * struct bare_scribble - one kind of access of a guest that scribbles
 * @addr: guest address; odd: read the word before it
 * @addr_mask: a random part of this is added
 * @value: what to write
 * @value_mask: likewise
 *
 * With BARE_SCRIBBLE @reg is a table of @size_mask + 1 of these, a power of two,
 * @value is the seed, not 0, and @count is how often to take one at random.
 */
struct bare_scribble {
	uint32_t addr;
	uint32_t addr_mask;
	uint32_t value;
	uint32_t value_mask;
};

#define BARE_JOB_CHECK(field, offset) \
	_Static_assert(offsetof(struct bare_job, field) == (offset), #field)

BARE_JOB_CHECK(flags, BARE_JOB_FLAGS);
BARE_JOB_CHECK(count, BARE_JOB_COUNT);
BARE_JOB_CHECK(reg, BARE_JOB_REG);
BARE_JOB_CHECK(value, BARE_JOB_VALUE);
BARE_JOB_CHECK(status, BARE_JOB_STATUS);
BARE_JOB_CHECK(size, BARE_JOB_SIZE);
BARE_JOB_CHECK(size_mask, BARE_JOB_SIZE_MASK);
BARE_JOB_CHECK(expect, BARE_JOB_EXPECT);
BARE_JOB_CHECK(preset, BARE_JOB_PRESET);
BARE_JOB_CHECK(lock, BARE_JOB_LOCK);
BARE_JOB_CHECK(exit, BARE_JOB_EXIT);
BARE_JOB_CHECK(stop, BARE_JOB_STOP);
BARE_JOB_CHECK(done, BARE_JOB_DONE);
BARE_JOB_CHECK(early, BARE_JOB_EARLY);
BARE_JOB_CHECK(wrong, BARE_JOB_WRONG);
BARE_JOB_CHECK(last_wrong, BARE_JOB_LAST_WRONG);
BARE_JOB_CHECK(begin, BARE_JOB_BEGIN);
BARE_JOB_CHECK(end, BARE_JOB_END);
_Static_assert(sizeof(struct bare_job) == BARE_JOB_BYTES, "bare_job");

#endif /* __ASSEMBLER__ */

#endif /* RANCHU_BARE_JOB_H */
