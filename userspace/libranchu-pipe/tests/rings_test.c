// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's end of a ring: bytes that are there, that are missing, and that never come.
 * Lost wake-ups are tested by tools/testing/native/ring_race_test.c.
 */
#define RANCHU_PIPE_RINGS_ONLY
#include "ranchu_pipe.c"

#include "tests/tap.h"
#include "types.h"

#define SIZE	4096u

static struct vhost_goldfish_pipe_ring_end ours, theirs;

/* Positions are just below their wrap-around. */
static struct ranchu_pipe_ring ring_begin(__u32 there)
{
	const __u32 start = 0xfffffff0;

	ours = (struct vhost_goldfish_pipe_ring_end){ .position = start };
	/* The other end has not asked to be woken. */
	theirs = (struct vhost_goldfish_pipe_ring_end){
		.position = start + there, .wake_at = start - SIZE,
	};
	return (struct ranchu_pipe_ring){
		.ours = &ours, .theirs = &theirs, .size = SIZE, .position = start,
	};
}

static void part_of_a_command_waits_for_more(void)
{
	struct ranchu_pipe_ring ring = ring_begin(100);

	tap_equal(ring_look(&ring, false), 100);
	tap_equal(ring_listen(&ring, false, 99), 1);
	tap_equal(ring_listen(&ring, false, 100), 0);
	/* The next byte causes a wake-up. */
	tap_equal(ours.wake_at, theirs.position);
	theirs.position++;
	tap_equal(ring_listen(&ring, false, 100), 1);
	tap_check(!ring_move(&ring, 101));
	tap_equal(ours.position, theirs.position);
	tap_equal(ring_listen(&ring, false, 0), 0);
}

static void closed_pipe_has_no_more(void)
{
	struct ranchu_pipe_ring ring = ring_begin(100);

	theirs.closed = 1;
	tap_equal(ring_look(&ring, false), 100);
	tap_equal(ring_listen(&ring, false, 99), 1);
	tap_equal(ring_listen(&ring, false, 100), -EPIPE);
	ring_move(&ring, 100);
	tap_equal(ring_look(&ring, false), -EPIPE);
	tap_equal(ring_listen(&ring, false, 0), -EPIPE);
	tap_equal(ring_look(&ring, true), -EPIPE);
}

/* No wake-up would come, because the other end has no room for another byte. */
static void command_larger_than_the_ring_is_told(void)
{
	struct ranchu_pipe_ring ring = ring_begin(SIZE - 1);

	tap_equal(ring_listen(&ring, false, SIZE - 1), 0);
	theirs.position++;
	tap_equal(ring_listen(&ring, false, SIZE - 1), 1);
	tap_equal(ring_listen(&ring, false, SIZE), -EMSGSIZE);
}

static void room_is_waited_for(void)
{
	struct ranchu_pipe_ring ring = ring_begin(0);

	tap_equal(ring_look(&ring, true), SIZE);
	ring_move(&ring, SIZE);
	tap_equal(ring_look(&ring, true), 0);
	tap_equal(ring_listen(&ring, true, 0), 0);
	tap_equal(ours.wake_at, theirs.position);
	theirs.position++;
	tap_equal(ring_listen(&ring, true, 0), 1);
}

static const struct tap_case cases[] = {
	{ "a part of a command waits for more", part_of_a_command_waits_for_more },
	{ "a closed pipe has no more", closed_pipe_has_no_more },
	{ "a command that is larger than the ring is told", command_larger_than_the_ring_is_told },
	{ "room is waited for", room_is_waited_for },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
