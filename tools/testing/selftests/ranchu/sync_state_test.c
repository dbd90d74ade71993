// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of the sync device: when a state can be read, how another device continues with it,
 * and states that are refused.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "sync_dev.h"
#include "vq_driver.h"

#define TIMEOUT		240
#define TURNS		4000
#define INC		GOLDFISH_SYNC_CMD_TIMELINE_INC
#define DESTROY		GOLDFISH_SYNC_CMD_DESTROY_TIMELINE
#define CREATE_TIMELINE	GOLDFISH_SYNC_CMD_CREATE_TIMELINE
#define CREATE_FENCE	GOLDFISH_SYNC_CMD_CREATE_FENCE
#define TIMELINE	0xffff000012345678ull
#define OTHER		0xffff0000deadbee0ull
#define STATE_SIZE	VHOST_GOLDFISH_SYNC_STATE_MAX

/* A state, as it is written. */
struct saved {
	struct vhost_goldfish_sync_state_device device;
	struct vhost_goldfish_sync_state_item items[];
};

FIXTURE(state)
{
	struct sync_guest sync;
	struct sync_guest other;
	struct saved *saved;
	uint32_t size;
	int renderer;
};

FIXTURE_SETUP(state)
{
	self->renderer = -1;
	self->saved = calloc(1, STATE_SIZE);
	ASSERT_TRUE(self->saved);
	if (__sync_start(&self->sync) || __sync_open(&self->other))
		SKIP(return, "no usable " SYNC_DEV_PATH);
	self->renderer = sync_renderer(&self->sync);
}

FIXTURE_TEARDOWN(state)
{
	if (self->renderer >= 0)
		close(self->renderer);
	free(self->saved);
	sync_stop(&self->other);
	sync_stop(&self->sync);
}

static int get(struct sync_guest *sync, void *data, uint32_t *size)
{
	struct vhost_goldfish_sync_state state = { .data = (uintptr_t)data, .size = *size };
	int err = __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_GET_STATE, &state);

	*size = state.size;
	if (!err && state.version != VHOST_GOLDFISH_SYNC_STATE_VERSION)
		pipe_die("version %u", state.version);
	return err;
}

static int set(struct sync_guest *sync, const void *data, uint32_t size)
{
	struct vhost_goldfish_sync_state state = {
		.data = (uintptr_t)data, .size = size,
		.version = VHOST_GOLDFISH_SYNC_STATE_VERSION,
	};

	return __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_SET_STATE, &state);
}

/* One of each kind: a wait, a timeline with two fences, one that is being made, ... */
static void busy(struct sync_guest *sync, int renderer)
{
	uint64_t timeline = sync_make_timeline(sync, renderer, TIMELINE), id;

	sync_make_fence(sync, renderer, timeline, 3);
	sync_trigger(sync, 1, 2, OTHER);
	id = sync_event(renderer).id;
	sync_trigger(sync, 1, 2, OTHER + 8);
	id = timeline;
	if (__sync_command(renderer, CREATE_FENCE, 9, &id))
		pipe_die("CREATE_FENCE");
	sync_expect(sync, CREATE_FENCE, TIMELINE, 9);
	/* Nobody has read of these two. */
	id = sync_event(renderer).id;
	if (__sync_command(renderer, INC, 4, &id) ||
	    __sync_command(renderer, CREATE_TIMELINE, 0, &id))
		pipe_die("INC, CREATE_TIMELINE");
}

static void save(struct __test_metadata *_metadata, struct sync_guest *sync,
		 struct saved *saved, uint32_t *size)
{
	*size = STATE_SIZE;
	ASSERT_EQ(0, __sync_run(sync->fd, 0));
	ASSERT_EQ(0, get(sync, saved, size));
}

/* The guest's memory goes along. */
static void load(struct __test_metadata *_metadata, struct sync_guest *to,
		 const struct sync_guest *from, const struct saved *saved, uint32_t size)
{
	memcpy(to->mem.hva, from->mem.hva, SYNC_MEM_SIZE);
	ASSERT_EQ(0, __sync_run(to->fd, 0));
	ASSERT_EQ(0, set(to, saved, size));
	ASSERT_EQ(0, __sync_run(to->fd, 1));
}

TEST_F(state, only_of_a_device_that_stands_still)
{
	uint32_t size = STATE_SIZE;

	EXPECT_EQ(-EBUSY, get(&self->sync, self->saved, &size));
	save(_metadata, &self->sync, self->saved, &self->size);
	EXPECT_EQ(sizeof(self->saved->device), self->size);
	EXPECT_EQ(-EBUSY, set(&self->other, self->saved, self->size));
}

TEST_F(state, stopped_device_does_nothing)
{
	struct sync_guest *sync = &self->sync;
	uint32_t value = 0;
	uint64_t id;
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT_LE(0, call);
	ASSERT_EQ(0, __sync_set_line(sync->fd, call, -1));
	sync_trigger(sync, 1, 2, TIMELINE);
	id = sync_event(self->renderer).id;
	ASSERT_EQ(0, __sync_run(sync->fd, 0));
	ASSERT_EQ(0, __sync_run(sync->fd, 0));
	EXPECT_EQ(-EBUSY, __sync_access(sync->fd, 0, 0, &value));
	EXPECT_EQ(-EBUSY, __sync_access(sync->fd, 0, 1, &value));
	EXPECT_EQ(-EBUSY, __sync_access(sync->fd, 4, 1, &value));
	EXPECT_EQ(-EBUSY, __sync_access(sync->fd, 8, 0, &value));
	EXPECT_EQ(-EBUSY, __sync_access(sync->fd, 0x18, 1, &value));
	/* The renderer is not stopped; the guest hears of it later. */
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, &id));
	EXPECT_EQ(-1, read(call, &id, sizeof(id)));
	ASSERT_EQ(0, __sync_run(sync->fd, 1));
	EXPECT_EQ(sizeof(id), read(call, &id, sizeof(id)));
	sync_expect(sync, INC, TIMELINE, 1);
	close(call);
}

TEST_F(state, rings_for_a_stopped_device_are_lost)
{
	struct sync_guest *sync = &self->sync;
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const uint64_t one = 1;

	ASSERT_LE(0, bell);
	if (__sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, bell))
		SKIP(return, "this kernel has no synchronous doorbell");
	sync_ask(sync, 1, 2, TIMELINE);
	ASSERT_EQ(0, __sync_run(sync->fd, 0));
	ASSERT_EQ(sizeof(one), write(bell, &one, sizeof(one)));
	EXPECT_EQ(1, sync_stats(sync).kicks_lost);
	EXPECT_EQ(0, sync_stats(sync).commands);
	close(bell);
}

/* The other device acts as after the last close of the renderer. */
TEST_F(state, goes_on_elsewhere)
{
	struct sync_guest *other = &self->other;
	struct goldfish_sync_hostcmd asked;

	busy(&self->sync, self->renderer);
	/* The guest has yet to answer this. */
	asked = *self->sync.host;
	save(_metadata, &self->sync, self->saved, &self->size);
	other->host_gpa = self->sync.host_gpa;
	load(_metadata, other, &self->sync, self->saved, self->size);
	EXPECT_TRUE(sync_line(other));
	sync_expect(other, INC, OTHER + 8, 4);
	sync_expect(other, INC, TIMELINE, 3);
	sync_expect(other, INC, OTHER, 1);
	EXPECT_EQ(0, sync_next(other));
	*other->host = asked;
	sync_reply(other, SYNC_GUEST_FD);
	sync_expect(other, INC, TIMELINE, 6);
	sync_expect(other, DESTROY, TIMELINE, 0);
	EXPECT_EQ(0, sync_next(other));
	EXPECT_EQ(0, sync_stats(other).bad_guest);
	EXPECT_EQ(0, sync_stats(other).waits + sync_stats(other).timelines +
		     sync_stats(other).fences);
	EXPECT_EQ(self->sync.host_gpa,
		  sync_reg_read(other, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR));
	EXPECT_EQ(self->sync.guest_gpa,
		  sync_reg_read(other, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR));
}

/* A save does not change this device. */
TEST_F(state, changes_nothing_here)
{
	struct sync_guest *sync = &self->sync;
	uint32_t size = STATE_SIZE;
	struct saved *again = calloc(1, STATE_SIZE);

	ASSERT_TRUE(again);
	busy(sync, self->renderer);
	save(_metadata, sync, self->saved, &self->size);
	ASSERT_EQ(0, get(sync, again, &size));
	ASSERT_EQ(self->size, size);
	EXPECT_EQ(0, memcmp(again, self->saved, size));
	ASSERT_EQ(0, __sync_run(sync->fd, 1));
	sync_expect(sync, INC, OTHER + 8, 4);
	sync_expect(sync, CREATE_TIMELINE, 0, 0);
	EXPECT_EQ(0, sync_next(sync));
	free(again);
}

/* A guest that was interrupted is interrupted; ids go on. */
TEST_F(state, line_and_ids_go_on)
{
	struct sync_guest *other = &self->other;
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), renderer;
	uint64_t id = 0, count, last;

	ASSERT_LE(0, call);
	sync_trigger(&self->sync, 1, 2, TIMELINE);
	last = sync_event(self->renderer).id;
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, &last));
	save(_metadata, &self->sync, self->saved, &self->size);
	ASSERT_EQ(1, le32toh(self->saved->device.raised));
	ASSERT_EQ(0, __sync_set_line(other->fd, call, -1));
	load(_metadata, other, &self->sync, self->saved, self->size);
	ASSERT_EQ(sizeof(count), read(call, &count, sizeof(count)));
	sync_expect(other, INC, TIMELINE, 1);
	renderer = sync_renderer(other);
	ASSERT_EQ(0, __sync_command(renderer, CREATE_TIMELINE, 0, &id));
	EXPECT_EQ(last + 1, id);
	close(renderer);
	close(call);
}

TEST_F(state, sizes_and_versions)
{
	struct vhost_goldfish_sync_state state = {
		.data = (uintptr_t)self->saved, .version = 2,
	};
	uint32_t size = 0;

	busy(&self->sync, self->renderer);
	ASSERT_EQ(0, __sync_run(self->sync.fd, 0));
	ASSERT_EQ(-ENOSPC, get(&self->sync, NULL, &size));
	EXPECT_LT(sizeof(self->saved->device), size);
	self->size = size - 1;
	EXPECT_EQ(-ENOSPC, get(&self->sync, self->saved, &self->size));
	EXPECT_EQ(size, self->size);
	EXPECT_EQ(-EFAULT, get(&self->sync, (void *)8, &self->size));
	ASSERT_EQ(0, get(&self->sync, self->saved, &self->size));
	ASSERT_EQ(0, __sync_run(self->other.fd, 0));
	state.size = size;
	EXPECT_EQ(-EOPNOTSUPP, __pipe_ioctl(self->other.fd, VHOST_GOLDFISH_SYNC_SET_STATE, &state));
	EXPECT_EQ(-EINVAL, set(&self->other, self->saved, size - 1));
	EXPECT_EQ(-EINVAL, set(&self->other, self->saved, size + 1));
	EXPECT_EQ(-EINVAL, set(&self->other, self->saved, 0));
	EXPECT_EQ(-EINVAL, set(&self->other, self->saved, STATE_SIZE + 1));
	EXPECT_EQ(-EINVAL, set(&self->other, self->saved, ~0u));
	EXPECT_EQ(-EFAULT, set(&self->other, (void *)8, size));
	EXPECT_EQ(0, set(&self->other, self->saved, size));
	/* Now it has some. */
	EXPECT_EQ(-EBUSY, set(&self->other, self->saved, size));
}

/* One wrong field each, in a state that is right otherwise. */
TEST_F(state, wrong_fields_are_refused)
{
	const struct {
		size_t offset;
		uint64_t value;
		unsigned int width;
	} wrong[] = {
#define DEVICE(field, value) { offsetof(struct saved, device.field), value, \
			       sizeof(((struct saved *)0)->device.field) }
#define ITEM(i, field, value) { offsetof(struct saved, items[i].field), value, \
				sizeof(((struct saved *)0)->items[0].field) }
		DEVICE(next_id, 0), DEVICE(next_id, 1), DEVICE(next_id, 6),
		DEVICE(next_id, 1ull << 63), DEVICE(next_id, ~0ull),
		DEVICE(ready, 2), DEVICE(raised, 2), DEVICE(items, 0), DEVICE(items, 5),
		DEVICE(items, 7), DEVICE(items, ~0u), DEVICE(padding, 1),
		/* The timeline, with two fences. */
		ITEM(0, id, 0), ITEM(0, id, 2), ITEM(0, kind, 0), ITEM(0, kind, 4),
		ITEM(0, kind, 1), ITEM(0, state, 0), ITEM(0, state, 1), ITEM(0, state, 2),
		ITEM(0, state, 4), ITEM(0, cmd, 4), ITEM(0, value, 1), ITEM(0, turn, 1),
		ITEM(0, timeline, 1), ITEM(0, handle, 1),
		/* Its first fence. */
		ITEM(1, timeline, 0), ITEM(1, timeline, 2), ITEM(1, timeline, 3),
		ITEM(1, handle, 1), ITEM(1, now, 1), ITEM(1, cmd, 3),
		/* A wait. */
		ITEM(2, timeline, 1), ITEM(2, state, 2), ITEM(2, value, 1), ITEM(2, now, 1),
		/* A wait whose increment is queued. */
		ITEM(3, cmd, 0), ITEM(3, cmd, 1), ITEM(3, cmd, 5), ITEM(3, turn, 0),
		ITEM(3, turn, 2), ITEM(3, turn, 7), ITEM(3, turn, ~0u), ITEM(3, id, 3),
		/* A fence that the guest has to answer, a timeline that is queued. */
		ITEM(4, turn, 3), ITEM(4, kind, 1), ITEM(5, cmd, 2), ITEM(5, cmd, 3),
		ITEM(5, id, ~0ull),
	};
	struct saved *copy = malloc(STATE_SIZE);
	unsigned int i;

	ASSERT_TRUE(copy);
	busy(&self->sync, self->renderer);
	save(_metadata, &self->sync, self->saved, &self->size);
	ASSERT_EQ(6, le32toh(self->saved->device.items));
	ASSERT_EQ(0, __sync_run(self->other.fd, 0));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint64_t value = htole64(wrong[i].value);

		memcpy(copy, self->saved, self->size);
		memcpy((char *)copy + wrong[i].offset, &value, wrong[i].width);
		EXPECT_EQ(-EINVAL, set(&self->other, copy, self->size))
		{
			TH_LOG("row %u: 0x%llx at %zu", i, (unsigned long long)wrong[i].value,
			       wrong[i].offset);
		}
		if (sync_stats(&self->other).queued)
			break;
	}
	EXPECT_EQ(0, sync_stats(&self->other).waits + sync_stats(&self->other).timelines);
	EXPECT_EQ(0, set(&self->other, self->saved, self->size));
	free(copy);
}

/* If a random state is accepted, the guest can read all of it and the device can be closed. */
TEST_F_TIMEOUT(state, any_bytes, TIMEOUT)
{
	struct saved *copy = malloc(STATE_SIZE);
	struct sync_guest *other = &self->other;
	uint32_t seed = 29, i, taken = 0;

	ASSERT_TRUE(copy);
	busy(&self->sync, self->renderer);
	save(_metadata, &self->sync, self->saved, &self->size);
	for (i = 0; i < TURNS; i++) {
		unsigned int changes = vq_random(&seed) % 3, limit = 100;

		memcpy(copy, self->saved, self->size);
		while (changes--)
			((uint8_t *)copy)[vq_random(&seed) % self->size] = vq_random(&seed) % 9;
		ASSERT_EQ(0, __sync_run(other->fd, 0));
		if (set(other, copy, self->size)) {
			ASSERT_EQ(0, __sync_run(other->fd, 1));
			continue;
		}
		taken++;
		ASSERT_EQ(0, __sync_run(other->fd, 1));
		sync_reg_write(other, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, other->host_gpa);
		while (sync_next(other))
			ASSERT_NE(0, limit--);
		sync_reg_write(other, GOLDFISH_SYNC_REG_INIT, 0);
	}
	EXPECT_LT(TURNS / 10, taken);
	free(copy);
}

TEST_HARNESS_MAIN
