// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile guests and users of the sync device: their data is not trusted, the memory that they
 * can make the host allocate is bounded, and a renderer can cause only what the guest has asked
 * for.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "sync_dev.h"
#include "vq_driver.h"

#define TIMEOUT		240
#define TURNS		10000
#define INC		GOLDFISH_SYNC_CMD_TIMELINE_INC
#define DESTROY		GOLDFISH_SYNC_CMD_DESTROY_TIMELINE
#define TIMELINE	0xffff000012345678ull

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

static void set_address(struct sync_guest *sync, uint32_t reg, uint64_t gpa)
{
	sync_reg_write(sync, reg, gpa);
	sync_reg_write(sync, reg + 4, gpa >> 32);
}

TEST_F(sync, buffers_outside_of_memory_are_not_touched)
{
	const uint64_t end = self->sync.mem.gpa + self->sync.mem.size;
	const uint64_t places[] = { 8, end, end - 8, end - 1, self->sync.mem.gpa - 8, ~0ull,
				    ~7ull, 1ull << 63, ~0ull - 31 };
	struct sync_guest *sync = &self->sync;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t bad = sync_stats(sync).bad_guest;

		set_address(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, places[i]);
		set_address(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR, places[i]);
		EXPECT_EQ(0, sync_reg_read(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND));
		sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND, 0);
		sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0);
		EXPECT_EQ(bad + 3, sync_stats(sync).bad_guest);
		EXPECT_EQ(0, sync_stats(sync).commands);
	}
}

TEST_F(sync, address_of_zero_is_no_buffer)
{
	struct sync_guest *sync = &self->sync;

	sync_trigger(sync, 1, 2, TIMELINE);
	set_address(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, 0);
	set_address(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR, 0);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND, 0);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0);
	EXPECT_EQ(0, sync_reg_read(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND));
	EXPECT_EQ(0, sync_stats(sync).bad_guest);
	/* Nothing was lost. */
	EXPECT_EQ(1, sync_stats(sync).queued);
	set_address(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, sync->host_gpa);
	sync_expect(sync, INC, TIMELINE, 1);
}

TEST_F(sync, unknown_commands_are_counted)
{
	const uint64_t commands[] = { 1, 2, 3, 4, 6, 1ull << 32 | 5, ~0ull };
	struct sync_guest *sync = &self->sync;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		sync->guest->host_command = htole64(commands[i]);
		sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0);
		EXPECT_EQ(i + 1, sync_stats(sync).bad_guest);
	}
	/* READY is accepted and has no effect. */
	sync->guest->host_command = 0;
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0);
	EXPECT_EQ(i, sync_stats(sync).bad_guest);
	EXPECT_EQ(0, sync_stats(sync).commands);
	EXPECT_EQ(0, sync_next(sync));
}

/* Only expected answers, of the right kind and once, are accepted. */
TEST_F(sync, answers_to_nothing_are_counted)
{
	struct sync_guest *sync = &self->sync;
	struct goldfish_sync_hostcmd asked;
	uint64_t id = 0, wait;

	self->renderer = sync_renderer(sync);
	sync_trigger(sync, 1, 2, TIMELINE);
	wait = sync_event(self->renderer).id;
	ASSERT_EQ(0, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, &id));
	/* Not sent yet. */
	*sync->host = (struct goldfish_sync_hostcmd){
		.cmd = htole32(GOLDFISH_SYNC_CMD_CREATE_TIMELINE), .hostcmd_handle = htole64(id),
	};
	sync_reply(sync, TIMELINE);
	EXPECT_EQ(1, sync_stats(sync).bad_guest);
	sync_expect(sync, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, 0);
	asked = *sync->host;
	sync->host->cmd = htole32(GOLDFISH_SYNC_CMD_CREATE_FENCE);
	sync_reply(sync, TIMELINE);
	EXPECT_EQ(2, sync_stats(sync).bad_guest);
	*sync->host = asked;
	sync->host->hostcmd_handle = htole64(wait);
	sync_reply(sync, TIMELINE);
	EXPECT_EQ(3, sync_stats(sync).bad_guest);
	*sync->host = asked;
	sync->host->hostcmd_handle = htole64(~id);
	sync_reply(sync, TIMELINE);
	EXPECT_EQ(4, sync_stats(sync).bad_guest);
	EXPECT_EQ(0, sync_stats(sync).replies);
	*sync->host = asked;
	sync_reply(sync, TIMELINE);
	EXPECT_EQ(1, sync_stats(sync).replies);
	sync_reply(sync, TIMELINE + 8);
	EXPECT_EQ(1, sync_stats(sync).replies);
	EXPECT_EQ(5, sync_stats(sync).bad_guest);
	EXPECT_EQ(TIMELINE, sync_event(self->renderer).timeline);
	EXPECT_FALSE(sync_has_event(self->renderer));
}

TEST_F_TIMEOUT(sync, what_is_kept_is_bounded, TIMEOUT)
{
	const uint32_t max = VHOST_GOLDFISH_SYNC_MAX_ITEMS;
	struct sync_guest *sync = &self->sync;
	uint64_t id = 0;
	uint32_t i;

	self->renderer = sync_renderer(sync);
	for (i = 0; i < max + 10; i++)
		sync_trigger(sync, i, 2, TIMELINE);
	EXPECT_EQ(max, sync_stats(sync).waits);
	EXPECT_EQ(10, sync_stats(sync).bad_guest);
	EXPECT_EQ(-ENOSPC, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0,
					  &id));
	id = sync_event(self->renderer).id;
	ASSERT_EQ(0, __sync_command(self->renderer, INC, 1, &id));
	/* It still is one, until the guest has read of it. */
	sync_trigger(sync, 0, 2, TIMELINE);
	EXPECT_EQ(11, sync_stats(sync).bad_guest);
	sync_expect(sync, INC, TIMELINE, 1);
	sync_trigger(sync, 0, 2, TIMELINE);
	EXPECT_EQ(11, sync_stats(sync).bad_guest);
	close(self->renderer);
	self->renderer = -1;
	EXPECT_EQ(max, sync_stats(sync).queued);
}

TEST_F(sync, arguments_are_checked)
{
	const uint32_t flags[] = { 2, 4, ~0u, ~0u - 1 };
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_access access = { .padding = 1 };
	struct vhost_goldfish_sync_stats stats = { .size = 7 };
	struct vhost_goldfish_sync_run run = { .vcpu_fd = -1 };
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), number;
	unsigned int i;
	uint64_t id;

	ASSERT_LE(0, efd);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		uint32_t value = 0;

		EXPECT_EQ(-EINVAL, __sync_access(sync->fd, 0, flags[i], &value));
	}
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_ACCESS, &access));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_ACCESS, (void *)8));
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats));
	stats = (struct vhost_goldfish_sync_stats){ .size = sizeof(stats), .padding = 1 };
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats));
	stats = (struct vhost_goldfish_sync_stats){ .size = 16, .kicks_foreign = 77 };
	EXPECT_EQ(0, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats));
	EXPECT_EQ(16, stats.size);
	EXPECT_EQ(77, stats.kicks_foreign);

	EXPECT_EQ(-EBADF, __sync_set_line(sync->fd, -2, -1));
	EXPECT_EQ(-EBADF, __sync_set_line(sync->fd, efd, 9999));
	EXPECT_EQ(-EINVAL, __sync_set_line(sync->fd, sync->fd, -1));
	EXPECT_EQ(-EINVAL, __sync_set_doorbell(sync->fd, 8, efd));
	EXPECT_EQ(-EINVAL, __sync_set_doorbell(sync->fd, 2, -1));
	EXPECT_EQ(-ENOENT, __sync_set_doorbell(sync->fd, 0, -1));
	EXPECT_EQ(-EINVAL, __sync_run(sync->fd, 2));
	EXPECT_EQ(-EINVAL, __sync_run(sync->fd, -1));
	EXPECT_EQ(-EBADF, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RUN, &run));
	/* Files that are no vCPU: their ioctl is not called. */
	run.vcpu_fd = sync->fd;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RUN, &run));
	run.vcpu_fd = efd;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RUN, &run));
	run.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RUN, &run));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_COMMAND, &run));

	self->renderer = sync_renderer(sync);
	for (i = 0; i < 64; i++) {
		id = 0;
		if (i >= GOLDFISH_SYNC_CMD_CREATE_TIMELINE &&
		    i <= GOLDFISH_SYNC_CMD_DESTROY_TIMELINE)
			continue;
		EXPECT_EQ(-EINVAL, __sync_command(self->renderer, i, 0, &id));
	}
	id = 0;
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 1,
					  &id));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, DESTROY, 1, &id));
	for (id = 0; id < 5; id++) {
		uint64_t any = id == 4 ? ~0ull : id;

		EXPECT_EQ(-ENOENT, __sync_command(self->renderer, INC, 1, &any));
		EXPECT_EQ(-ENOENT, __sync_command(self->renderer, DESTROY, 0, &any));
		EXPECT_EQ(-ENOENT, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_FENCE,
						  1, &any));
	}
	number = 9999;
	EXPECT_EQ(-EBADF, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &number));
	number = sync->fd;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &number));
	number = -2;
	EXPECT_EQ(-EBADF, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &number));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_ACCESS, &access));
	EXPECT_EQ(-1, read(self->renderer, &stats, 8));
	EXPECT_EQ(EINVAL, errno);
	close(efd);
}

/* A fence of a fence, an increment of a timeline, and so on. */
TEST_F(sync, ids_are_of_their_kind)
{
	struct sync_guest *sync = &self->sync;
	uint64_t timeline, fence, wait, id;

	self->renderer = sync_renderer(sync);
	timeline = sync_make_timeline(sync, self->renderer, TIMELINE);
	fence = sync_make_fence(sync, self->renderer, timeline, 1);
	sync_trigger(sync, 1, 2, TIMELINE);
	wait = sync_event(self->renderer).id;
	id = fence;
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_FENCE, 1, &id));
	id = wait;
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_FENCE, 1, &id));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, DESTROY, 0, &wait));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, DESTROY, 0, &fence));
	EXPECT_EQ(-EINVAL, __sync_command(self->renderer, INC, 1, &timeline));
	EXPECT_EQ(0, sync_next(sync));
}

/* Reads to an invalid address, hidden from the compiler. */
static ssize_t read_nowhere(int fd)
{
	void *volatile nowhere = (void *)8;

	return read(fd, nowhere, 4096);
}

/* An event that cannot be copied to the renderer is not lost. */
TEST_F(sync, event_that_is_not_taken_comes_again)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint64_t id = 0;

	self->renderer = sync_renderer(sync);
	ASSERT_EQ(0, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, &id));
	sync_expect(sync, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, 0);
	sync_reply(sync, 0);
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(-1, read_nowhere(self->renderer));
	EXPECT_EQ(EFAULT, errno);
	event = sync_event(self->renderer);
	EXPECT_EQ(id, event.id);
	EXPECT_EQ(-1, event.result);
	EXPECT_EQ(-1, read_nowhere(self->renderer));
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_WAIT, sync_event(self->renderer).type);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
	EXPECT_EQ(-1, read_nowhere(self->renderer));
	EXPECT_EQ(VHOST_GOLDFISH_SYNC_EVENT_RESET, sync_event(self->renderer).type);
}

static const unsigned long owners[] = {
	VHOST_RESET_OWNER, VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE,
	VHOST_GOLDFISH_SYNC_SET_LINE, VHOST_GOLDFISH_SYNC_SET_DOORBELL,
	VHOST_GOLDFISH_SYNC_ACCESS, VHOST_GOLDFISH_SYNC_RUN, VHOST_GOLDFISH_SYNC_RENDERER,
	VHOST_GOLDFISH_SYNC_SET_RUNNING, VHOST_GOLDFISH_SYNC_GET_STATE,
	VHOST_GOLDFISH_SYNC_SET_STATE,
};

/* Returns 0 if all are refused, else the number of one that is not. */
static int refused(int fd)
{
	uint8_t arg[128] = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(owners); i++)
		if (__pipe_ioctl(fd, owners[i], arg) != -EPERM)
			return i + 1;
	return 0;
}

TEST_F(sync, strangers_are_refused)
{
	int fresh = open(SYNC_DEV_PATH, O_RDWR | O_CLOEXEC), status;
	pid_t pid;

	ASSERT_LE(0, fresh);
	EXPECT_EQ(0, refused(fresh));
	close(fresh);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct vhost_goldfish_sync_stats stats = { .size = sizeof(stats) };

		if (__pipe_ioctl(self->sync.fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats))
			_exit(100);
		_exit(refused(self->sync.fd));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The renderer's file outlives the device and the owner, and says so. */
TEST_F(sync, renderer_of_no_device)
{
	struct pollfd hang_up = { .events = POLLIN };
	struct vhost_goldfish_sync_event event;
	struct sync_guest *sync = &self->sync;
	uint64_t id = 0, wait;
	int number = -1, next;

	self->renderer = sync_renderer(sync);
	hang_up.fd = self->renderer;
	sync_trigger(sync, 1, 2, TIMELINE);
	wait = sync_event(self->renderer).id;
	sync_trigger(sync, 1, 2, TIMELINE);
	ASSERT_EQ(0, __pipe_ioctl(sync->fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(1, poll(&hang_up, 1, -1));
	EXPECT_EQ(POLLIN | POLLHUP, hang_up.revents);
	EXPECT_EQ(0, read(self->renderer, &event, sizeof(event)));
	EXPECT_EQ(-ENODEV, __sync_command(self->renderer, INC, 1, &wait));
	EXPECT_EQ(-ENODEV, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0,
					  &id));
	EXPECT_EQ(-ENODEV, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &number));
	EXPECT_EQ(0, sync_stats(sync).waits + sync_stats(sync).queued);
	/* It does not keep the next owner from one of its own. */
	ASSERT_EQ(0, __pipe_ioctl(sync->fd, VHOST_SET_OWNER, NULL));
	next = sync_renderer(sync);
	close(next);
}

/* Random calls of guest and renderer; the counters stay consistent. */
TEST_F_TIMEOUT(sync, anything_goes, TIMEOUT)
{
	struct sync_guest *sync = &self->sync;
	struct vhost_goldfish_sync_event event;
	uint32_t seed = 20261129, i, j;
	uint64_t last = 0, n;

	self->renderer = sync_renderer(sync);
	ASSERT_EQ(0, fcntl(self->renderer, F_SETFL, O_NONBLOCK));
	for (i = 0; i < TURNS; i++) {
		uint32_t word = vq_random(&seed), offset = word % 8 * 4;
		uint64_t id = last - word % 5;

		for (j = 0; !(word & 0x30) && j < sizeof(*sync->guest) / 4; j++)
			((uint32_t *)sync->guest)[j] = vq_random(&seed) % 7;
		switch (word >> 8 & 7) {
		case 0:
			sync_reg_read(sync, offset);
			break;
		case 1:
			if (offset < 8 || !(word >> 16 & 63))
				sync_reg_write(sync, offset, vq_random(&seed));
			break;
		case 2:
			if (word >> 16 & 15)
				break;
			sync_handshake(sync);
			break;
		case 3:
			sync_trigger(sync, word, i, TIMELINE);
			break;
		case 4:
			sync_next(sync);
			if (word & 1)
				sync_reply(sync, word >> 16 & 3);
			break;
		case 5:
			if (read(self->renderer, &event, sizeof(event)) == sizeof(event))
				last = event.id;
			break;
		default:
			if (!__sync_command(self->renderer, word % 5, word >> 16 & 1, &id))
				last = id;
			if (word >> 20 & 255)
				break;
			close(self->renderer);
			self->renderer = sync_renderer(sync);
			ASSERT_EQ(0, fcntl(self->renderer, F_SETFL, O_NONBLOCK));
		}
	}
	sync_handshake(sync);
	n = sync_stats(sync).waits + sync_stats(sync).timelines + sync_stats(sync).fences +
	    sync_stats(sync).queued;
	EXPECT_EQ(0, n);
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(1, sync_stats(sync).waits);
}

TEST_HARNESS_MAIN
