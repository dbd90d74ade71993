// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sync device's protocol: registers, waits, timelines and fences, in both directions,
 * and their state after the end of the renderer or the driver.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "sync_dev.h"

#define TIMEOUT		60
#define CREATE_TIMELINE	GOLDFISH_SYNC_CMD_CREATE_TIMELINE
#define CREATE_FENCE	GOLDFISH_SYNC_CMD_CREATE_FENCE
#define INC		GOLDFISH_SYNC_CMD_TIMELINE_INC
#define DESTROY		GOLDFISH_SYNC_CMD_DESTROY_TIMELINE

/* A guest's names are pointers of its kernel. */
#define TIMELINE	0xffff000012345678ull
#define OTHER		0xffff0000deadbee0ull
#define GLSYNC		0x1122334455667788ull
#define THREAD		0x99aabbccddeeff00ull

FIXTURE(sync)
{
	struct sync_guest sync;
	int renderer;
};

FIXTURE_SETUP(sync)
{
	self->renderer = -1;
	if (__sync_start(&self->sync))
		SKIP(return, "no usable " SYNC_DEV_PATH);
}

FIXTURE_TEARDOWN(sync)
{
	if (self->renderer >= 0)
		close(self->renderer);
	sync_stop(&self->sync);
}

TEST_F(sync, addresses_read_back)
{
	const uint32_t host = GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR;
	const uint32_t guest = GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR;
	struct sync_guest *sync = &self->sync;

	sync_reg_write(sync, host, 0x11111110);
	sync_reg_write(sync, host + 4, 0x22);
	sync_reg_write(sync, guest, 0x33333330);
	sync_reg_write(sync, guest + 4, 0x44);
	EXPECT_EQ(0x11111110, sync_reg_read(sync, host));
	EXPECT_EQ(0x22, sync_reg_read(sync, host + 4));
	EXPECT_EQ(0x33333330, sync_reg_read(sync, guest));
	EXPECT_EQ(0x44, sync_reg_read(sync, guest + 4));
	/* The low half sets all of it, the high half is added. */
	sync_reg_write(sync, host, 0x50);
	EXPECT_EQ(0, sync_reg_read(sync, host + 4));
	sync_reg_write(sync, host + 4, 1);
	sync_reg_write(sync, host + 4, 2);
	EXPECT_EQ(3, sync_reg_read(sync, host + 4));
}

TEST_F(sync, other_registers_are_nothing)
{
	struct sync_guest *sync = &self->sync;
	const uint32_t others[] = { 0x04, 0x18, 0x1c, 0x20, 0x1000, 0x1ffc, 0xfffffffc, 3 };
	uint64_t bad = sync_stats(sync).bad_guest;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(0, sync_reg_read(sync, others[i]));
	EXPECT_EQ(bad, sync_stats(sync).bad_guest);
	sync_reg_write(sync, 0x1c, 1);
	EXPECT_EQ(bad + 1, sync_stats(sync).bad_guest);
}

TEST_F(sync, nothing_to_say_is_all_zeroes)
{
	const struct goldfish_sync_hostcmd none = {};

	EXPECT_EQ(0, sync_next(&self->sync));
	EXPECT_EQ(0, memcmp(self->sync.host, &none, sizeof(none)));
	EXPECT_FALSE(sync_line(&self->sync));
}

/* No fence waits for a renderer that is not there. */
TEST_F(sync, wait_without_renderer_is_answered_at_once)
{
	struct sync_guest *sync = &self->sync;

	sync_trigger(sync, GLSYNC, THREAD, TIMELINE);
	EXPECT_TRUE(sync_line(sync));
	sync_expect(sync, INC, TIMELINE, 1);
	EXPECT_TRUE(sync_line(sync));
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_FALSE(sync_line(sync));
	EXPECT_EQ(1, sync_stats(sync).commands);
	EXPECT_EQ(1, sync_stats(sync).sent);
	EXPECT_EQ(1, sync_stats(sync).batches);
	EXPECT_EQ(0, sync_stats(sync).waits);
}

TEST_F(sync, wait_is_the_renderers)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint64_t id;

	self->renderer = sync_renderer(sync);
	EXPECT_FALSE(sync_has_event(self->renderer));
	sync_trigger(sync, GLSYNC, THREAD, TIMELINE);
	EXPECT_FALSE(sync_line(sync));
	event = sync_event(self->renderer);
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_WAIT, event.type);
	EXPECT_EQ(0, event.result);
	EXPECT_EQ(GLSYNC, event.glsync);
	EXPECT_EQ(THREAD, event.thread);
	EXPECT_EQ(TIMELINE, event.timeline);
	EXPECT_FALSE(sync_line(sync));
	EXPECT_EQ(1, sync_stats(sync).waits);

	id = event.id;
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 3, &id));
	/* Once: the guest's driver counts. */
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, INC, 1, &id));
	EXPECT_TRUE(sync_line(sync));
	sync_expect(sync, INC, TIMELINE, 3);
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, INC, 1, &id));
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(0, sync_stats(sync).waits);
}

/* Waits are answered in the renderer's order, also before it has read their events. */
TEST_F(sync, waits_are_answered_in_any_order)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event events[3];
	unsigned int i;

	self->renderer = sync_renderer(sync);
	for (i = 0; i < 3; i++)
		sync_trigger(sync, i, THREAD, TIMELINE + i);
	ASSERT_EQ(2 * sizeof(*events), read(self->renderer, events, 2 * sizeof(*events) + 1));
	events[2].id = events[1].id + 1;
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, (uint64_t *)&events[2].id));
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, (uint64_t *)&events[0].id));
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, (uint64_t *)&events[1].id));
	sync_expect(sync, INC, TIMELINE + 2, 1);
	sync_expect(sync, INC, TIMELINE, 1);
	sync_expect(sync, INC, TIMELINE + 1, 1);
	EXPECT_EQ(0, sync_next(sync));
	/* The one that was not read is no event any more. */
	ASSERT_EQ(0, fcntl(self->renderer, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->renderer, events, sizeof(*events)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_FALSE(sync_has_event(self->renderer));
}

TEST_F(sync, timeline_lives)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint64_t timeline = 0, fence, id;

	self->renderer = sync_renderer(sync);
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &timeline));
	EXPECT_NE(0, timeline);
	id = timeline;
	EXPECT_EQ(-EBUSY, __sync_command(self->renderer, CREATE_FENCE, 1, &id));
	EXPECT_EQ(-EBUSY, __sync_command(self->renderer, DESTROY, 0, &id));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, INC, 1, &id));
	sync_expect(sync, CREATE_TIMELINE, 0, 0);
	EXPECT_EQ(timeline, le64toh(sync->host->hostcmd_handle));
	EXPECT_EQ(-EBUSY, __sync_command(self->renderer, CREATE_FENCE, 1, &id));
	sync_reply(sync, TIMELINE);
	event = sync_event(self->renderer);
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_TIMELINE, event.type);
	EXPECT_EQ(0, event.result);
	EXPECT_EQ(timeline, event.id);
	EXPECT_EQ(TIMELINE, event.timeline);

	fence = timeline;
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_FENCE, 5, &fence));
	EXPECT_NE(timeline, fence);
	EXPECT_EQ(-EBUSY, __sync_command(self->renderer, INC, 1, &fence));
	sync_expect(sync, CREATE_FENCE, TIMELINE, 5);
	EXPECT_EQ(fence, le64toh(sync->host->hostcmd_handle));
	sync_reply(sync, SYNC_GUEST_FD);
	event = sync_event(self->renderer);
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_FENCE, event.type);
	EXPECT_EQ(SYNC_GUEST_FD, event.result);
	EXPECT_EQ(fence, event.id);
	EXPECT_EQ(-EBUSY, __sync_command(self->renderer, DESTROY, 0, &id));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, DESTROY, 0, &fence));
	EXPECT_EQ(1, sync_stats(sync).timelines);
	EXPECT_EQ(1, sync_stats(sync).fences);

	ASSERT_EQ(0, __sync_command(self->renderer, INC, 5, &fence));
	ASSERT_EQ(0, __sync_command(self->renderer, DESTROY, 0, &id));
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, DESTROY, 0, &id));
	sync_expect(sync, INC, TIMELINE, 5);
	sync_expect(sync, DESTROY, TIMELINE, 0);
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(2, sync_stats(sync).replies);
	EXPECT_EQ(0, sync_stats(sync).timelines);
	EXPECT_EQ(0, sync_stats(sync).fences);
}

TEST_F(sync, guest_that_cannot_is_told)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint64_t timeline = 0, fence;

	self->renderer = sync_renderer(sync);
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &timeline));
	sync_expect(sync, CREATE_TIMELINE, 0, 0);
	sync_reply(sync, 0);
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, DESTROY, 0, &timeline));
	event = sync_event(self->renderer);
	EXPECT_EQ(-1, event.result);
	EXPECT_EQ(timeline, event.id);
	EXPECT_EQ(0, sync_stats(sync).timelines);

	timeline = sync_make_timeline(sync, self->renderer, TIMELINE);
	fence = timeline;
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_FENCE, 1, &fence));
	sync_expect(sync, CREATE_FENCE, TIMELINE, 1);
	sync_reply(sync, -1);
	event = sync_event(self->renderer);
	EXPECT_EQ(-1, event.result);
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, INC, 1, &fence));
	EXPECT_EQ(0, sync_stats(sync).fences);
	EXPECT_EQ(0, __sync_command(self->renderer, DESTROY, 0, &timeline));
}

/* The last close answers, signals and destroys, in an order that is safe for the guest. */
TEST_F(sync, renderer_that_goes_leaves_nothing_open)
{
	struct sync_guest *sync = &self->sync;
	uint64_t timeline, id;

	self->renderer = sync_renderer(sync);
	timeline = sync_make_timeline(sync, self->renderer, TIMELINE);
	id = sync_make_fence(sync, self->renderer, timeline, 2);
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 2, &id));
	sync_expect(sync, INC, TIMELINE, 2);
	sync_make_fence(sync, self->renderer, timeline, 7);
	sync_make_fence(sync, self->renderer, timeline, 6);
	sync_trigger(sync, GLSYNC, THREAD, OTHER);
	/* Not read by the guest: it does not get it. */
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
	close(self->renderer);
	self->renderer = -1;

	sync_expect(sync, INC, TIMELINE, 5);
	/* It is signalled already; the driver counts nevertheless. */
	sync_expect(sync, INC, TIMELINE, 0);
	sync_expect(sync, DESTROY, TIMELINE, 0);
	sync_expect(sync, INC, OTHER, 1);
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(0, sync_stats(sync).timelines + sync_stats(sync).fences +
		     sync_stats(sync).waits);
	self->renderer = sync_renderer(sync);
	EXPECT_FALSE(sync_has_event(self->renderer));
}

TEST_F(sync, answers_to_a_renderer_that_is_gone_are_undone)
{
	struct sync_guest *sync = &self->sync;
	struct goldfish_sync_hostcmd fence_cmd;
	uint64_t timeline, id = 0;

	self->renderer = sync_renderer(sync);
	timeline = sync_make_timeline(sync, self->renderer, TIMELINE);
	id = timeline;
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_FENCE, 4, &id));
	sync_expect(sync, CREATE_FENCE, TIMELINE, 4);
	fence_cmd = *sync->host;
	ASSERT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
	sync_expect(sync, CREATE_TIMELINE, 0, 0);
	close(self->renderer);
	self->renderer = -1;
	/* The timeline waits for its fence. */
	sync_reply(sync, OTHER);
	sync_expect(sync, DESTROY, OTHER, 0);
	EXPECT_EQ(0, sync_next(sync));
	*sync->host = fence_cmd;
	sync_reply(sync, SYNC_GUEST_FD);
	sync_expect(sync, INC, TIMELINE, 4);
	sync_expect(sync, DESTROY, TIMELINE, 0);
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(0, sync_stats(sync).bad_guest);
}

TEST_F(sync, one_renderer_at_a_time)
{
	self->renderer = sync_renderer(&self->sync);
	EXPECT_EQ(-EBUSY, __sync_renderer(&self->sync));
	close(self->renderer);
	self->renderer = sync_renderer(&self->sync);
}

/* A new driver must not get commands for the old driver's objects. */
TEST_F(sync, driver_that_begins_forgets_all)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint64_t timeline, wait;

	self->renderer = sync_renderer(sync);
	timeline = sync_make_timeline(sync, self->renderer, TIMELINE);
	sync_trigger(sync, GLSYNC, THREAD, OTHER);
	wait = sync_event(self->renderer).id;
	sync_trigger(sync, GLSYNC, THREAD, OTHER);
	ASSERT_EQ(0, __sync_command(self->renderer, DESTROY, 0, &timeline));
	EXPECT_TRUE(sync_line(sync));
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
	EXPECT_FALSE(sync_line(sync));
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(-ENOENT, __sync_command(self->renderer, INC, 1, &wait));
	event = sync_event(self->renderer);
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_RESET, event.type);
	EXPECT_EQ(0, event.id);
	sync_trigger(sync, GLSYNC, THREAD, OTHER);
	event = sync_event(self->renderer);
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_WAIT, event.type);
	EXPECT_GT(event.id, wait + 1);
}

TEST_F(sync, commands_need_a_driver)
{
	struct sync_guest *sync = &self->sync;
	uint64_t id = 0;

	self->renderer = sync_renderer(sync);
	/* What a VMM does when it resets the machine. */
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, 0);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
	EXPECT_EQ(-ENOTCONN, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
	sync_handshake(sync);
	EXPECT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
}

/* A driver of before INIT begins with its first wait. */
TEST_F(sync, wait_shows_that_there_is_a_driver)
{
	struct sync_guest *sync = &self->sync;
	uint64_t id = 0;

	self->renderer = sync_renderer(sync);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, 0);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, sync->host_gpa);
	EXPECT_EQ(-ENOTCONN, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
	sync_trigger(sync, GLSYNC, THREAD, TIMELINE);
	EXPECT_EQ(0, __sync_command(self->renderer, CREATE_TIMELINE, 0, &id));
}

/* The driver has room for 32 commands; one more would overwrite its memory. */
TEST_F_TIMEOUT(sync, guest_is_not_flooded, TIMEOUT)
{
	const unsigned int room = GOLDFISH_SYNC_MAX_COMMANDS;
	struct sync_guest *sync = &self->sync;
	unsigned int i;

	for (i = 0; i < room + 3; i++)
		sync_trigger(sync, GLSYNC, THREAD, TIMELINE + i);
	for (i = 0; i < room; i++)
		sync_expect(sync, INC, TIMELINE + i, 1);
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(1, sync_stats(sync).rests);
	while (!sync_line(sync))
		usleep(1000);
	for (; i < room + 3; i++)
		sync_expect(sync, INC, TIMELINE + i, 1);
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_EQ(1, sync_stats(sync).rests);
}

/* One at a time never rests. */
TEST_F(sync, rests_are_only_for_bursts)
{
	struct sync_guest *sync = &self->sync;
	unsigned int i;

	for (i = 0; i < 10 * GOLDFISH_SYNC_MAX_COMMANDS; i++) {
		sync_trigger(sync, GLSYNC, THREAD, TIMELINE);
		sync_expect(sync, INC, TIMELINE, 1);
		ASSERT_EQ(0, sync_next(sync));
	}
	EXPECT_EQ(0, sync_stats(sync).rests);
}

TEST_HARNESS_MAIN
