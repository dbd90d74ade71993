// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of the pipe: when a state can be read, how another device continues with it, and
 * states that are refused.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"
#include "pipe_services.h"

#define TIMEOUT		120
#define MEM_SIZE	(8u << 20)
#define STATE_SIZE	(1u << 20)
#define RUNG		32

#define AGAIN		GOLDFISH_PIPE_ERROR_AGAIN
#define IO		GOLDFISH_PIPE_ERROR_IO
#define CLOSED		GOLDFISH_PIPE_WAKE_CLOSED
#define WAKE_READ	GOLDFISH_PIPE_WAKE_READ

/**
 * struct two - a device that is saved, and one that loads the state
 * @mem: the guest's memory, which both have
 * @dev: the saved device
 * @other: the loading device
 * @data: guest memory for data
 * @bytes: a state, STATE_SIZE bytes
 * @size: of it
 */
struct two {
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct pipe_dev other;
	uint64_t data;
	uint8_t *bytes;
	uint32_t size;
};

FIXTURE(state)
{
	struct two two;
};

FIXTURE_SETUP(state)
{
	if (__pipe_guest_start(&self->two.dev, &self->two.mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_start(&self->two.other, &self->two.mem);
	self->two.other.signal_gpa = self->two.dev.signal_gpa;
	self->two.other.open_gpa = self->two.dev.open_gpa;
	self->two.data = pipe_mem_alloc(&self->two.mem, 1u << 20, HOST_PAGE);
	self->two.bytes = calloc(1, STATE_SIZE);
	ASSERT_TRUE(self->two.bytes);
}

FIXTURE_TEARDOWN(state)
{
	free(self->two.bytes);
	pipe_dev_close(&self->two.other);
	pipe_dev_close(&self->two.dev);
	pipe_mem_destroy(&self->two.mem);
}

static int run(struct pipe_dev *dev, int running)
{
	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, &running);
}

static int get(struct pipe_dev *dev, void *data, uint32_t *size)
{
	struct vhost_goldfish_pipe_state state = { .data = (uintptr_t)data, .size = *size };
	int err = __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_GET_STATE, &state);

	*size = state.size;
	return err;
}

static int set(struct pipe_dev *dev, const void *data, uint32_t size)
{
	struct vhost_goldfish_pipe_state state = {
		.data = (uintptr_t)data, .size = size,
		.version = VHOST_GOLDFISH_PIPE_STATE_VERSION,
	};

	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SET_STATE, &state);
}

/* Stops a device and takes its state. */
static void save(struct __test_metadata *_metadata, struct two *two)
{
	two->size = STATE_SIZE;
	ASSERT_EQ(0, run(&two->dev, 0));
	ASSERT_EQ(0, get(&two->dev, two->bytes, &two->size));
}

/* The same guest, with another device. */
static void load(struct __test_metadata *_metadata, struct two *two)
{
	ASSERT_EQ(0, run(&two->other, 0));
	ASSERT_EQ(0, set(&two->other, two->bytes, two->size));
	ASSERT_EQ(0, run(&two->other, 1));
}

static struct test_pipe moved(struct two *two, const struct test_pipe *pipe)
{
	struct test_pipe there = *pipe;

	there.dev = &two->other;
	return there;
}

TEST_F_TIMEOUT(state, only_while_stopped, TIMEOUT)
{
	uint32_t size = STATE_SIZE;
	int wrong = 2;

	EXPECT_EQ(-EBUSY, get(&self->two.dev, self->two.bytes, &size));
	EXPECT_EQ(-EBUSY, set(&self->two.other, self->two.bytes, 64));
	EXPECT_EQ(-EINVAL, __pipe_ioctl(self->two.dev.fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, &wrong));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(self->two.dev.fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, NULL));
	save(_metadata, &self->two);
	/* A second save returns the same state. */
	EXPECT_EQ(0, run(&self->two.dev, 0));
	size = STATE_SIZE;
	EXPECT_EQ(0, get(&self->two.dev, self->two.bytes, &size));
	EXPECT_EQ(size, self->two.size);
	EXPECT_EQ(0, run(&self->two.dev, 1));
	EXPECT_EQ(0, run(&self->two.dev, 1));
	EXPECT_EQ(-EBUSY, get(&self->two.dev, self->two.bytes, &size));
}

TEST_F_TIMEOUT(state, a_stopped_device_runs_nothing, TIMEOUT)
{
	struct vhost_goldfish_pipe_access access = { .offset = PIPE_REG_UNUSED };
	struct test_pipe pipe;

	pipe_connect(&self->two.dev, &pipe, 1, "pipe:pingpong");
	ASSERT_EQ(0, run(&self->two.dev, 0));
	EXPECT_EQ(-EBUSY, __pipe_access(&self->two.dev, &access));
	pipe_hang_up(&self->two.dev, 1);
	ASSERT_EQ(0, run(&self->two.dev, 1));
	/* Wakes that came meanwhile are announced now. */
	EXPECT_TRUE(pipe_line_level(&self->two.dev));
	EXPECT_EQ(1, pipe_reg_read(&self->two.dev, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	EXPECT_EQ(CLOSED, pipe_signal(&self->two.dev, 0).flags);
}

/* Another process has rung: the worker serves the rings before the stop. */
TEST_F_TIMEOUT(state, what_was_rung_for_is_served, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats stats;
	struct test_pipe pipe[RUNG];
	int efd[RUNG], status, i;
	pid_t pid;

	for (i = 0; i < RUNG; i++) {
		pipe_connect(&self->two.dev, &pipe[i], 1 + i, "pipe:zero");
		efd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_LE(0, efd[i]);
		pipe_set_doorbell(&self->two.dev, 1 + i, efd[i]);
		pipe[i].ptrs[0] = self->two.data;
		pipe[i].sizes[0] = 1 << 20;
		pipe[i].cmd->buffers_count = 1;
		pipe[i].cmd->consumed_size = 0;
		pipe[i].cmd->cmd = GOLDFISH_PIPE_CMD_READ;
		pipe[i].cmd->status = PIPE_PRESET;
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (i = 0; i < RUNG; i++)
			eventfd_write(efd[i], 1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, run(&self->two.dev, 0));
	for (i = 0; i < RUNG; i++) {
		EXPECT_EQ(1 << 20, pipe[i].cmd->status);
		EXPECT_EQ(1 << 20, pipe[i].cmd->consumed_size);
		close(efd[i]);
	}
	pipe_get_stats(&self->two.dev, &stats);
	EXPECT_EQ(0, stats.kicks_lost);
}

TEST_F_TIMEOUT(state, size_first, TIMEOUT)
{
	uint32_t need = 0;

	ASSERT_EQ(0, run(&self->two.dev, 0));
	EXPECT_EQ(-ENOSPC, get(&self->two.dev, NULL, &need));
	self->two.size = need - 1;
	EXPECT_EQ(-ENOSPC, get(&self->two.dev, self->two.bytes, &self->two.size));
	EXPECT_EQ(need, self->two.size);
	EXPECT_EQ(-EFAULT, get(&self->two.dev, NULL, &need));
	need = self->two.size;
	EXPECT_EQ(0, get(&self->two.dev, self->two.bytes, &need));
	EXPECT_EQ(need, self->two.size);
}

/* Bytes, a partial name, a requested wake: all continue. */
TEST_F_TIMEOUT(state, pipes_go_on, TIMEOUT)
{
	struct test_pipe bytes, half, waits, zero;
	struct test_pipe there;
	char *data = pipe_mem_hva(&self->two.mem, self->two.data, 64);

	pipe_connect(&self->two.dev, &bytes, 3, "pipe:pingpong");
	ASSERT_EQ(6, pipe_write_bytes(&bytes, "before", 6));
	pipe_open(&self->two.dev, &half, 5);
	ASSERT_EQ(6, pipe_write_bytes(&half, "pipe:p", 6));
	pipe_connect(&self->two.dev, &waits, 9, "pipe:pingpong");
	ASSERT_EQ(0, pipe_command(&waits, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	pipe_connect(&self->two.dev, &zero, 4000, "pipe:zero");
	save(_metadata, &self->two);
	load(_metadata, &self->two);

	there = moved(&self->two, &bytes);
	EXPECT_EQ(6, pipe_read(&there, self->two.data, 64));
	EXPECT_EQ(0, memcmp(data, "before", 6));
	EXPECT_EQ(AGAIN, pipe_read(&there, self->two.data, 64));

	there = moved(&self->two, &half);
	EXPECT_EQ(8, pipe_write_bytes(&there, "ingpong\0", 8));
	EXPECT_EQ(2, pipe_write_bytes(&there, "ok", 2));
	EXPECT_EQ(2, pipe_read(&there, self->two.data, 64));

	there = moved(&self->two, &waits);
	EXPECT_FALSE(pipe_line_level(&self->two.other));
	EXPECT_EQ(1, pipe_write_bytes(&there, "x", 1));
	EXPECT_TRUE(pipe_line_level(&self->two.other));
	EXPECT_EQ(1, pipe_reg_read(&self->two.other, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	EXPECT_EQ(9, pipe_signal(&self->two.other, 0).id);
	EXPECT_EQ(WAKE_READ, pipe_signal(&self->two.other, 0).flags);

	there = moved(&self->two, &zero);
	EXPECT_EQ(64, pipe_read(&there, self->two.data, 64));
	pipe_close(&there);
	EXPECT_EQ(3, pipe_stat_open_pipes(&self->two.other));
	/* The first device continues as well. */
	ASSERT_EQ(0, run(&self->two.dev, 1));
	EXPECT_EQ(4, pipe_stat_open_pipes(&self->two.dev));
}

/* These pipes have their other end in this host, so they are hung up, with one wake. */
TEST_F_TIMEOUT(state, what_cannot_be_saved_is_hung_up, TIMEOUT)
{
	static const char *const names[] = { "pipe:throttle", "pipe:dmatest", "pipe:remote" };
	int services = services_open(&self->two.dev);
	struct test_pipe pipes[ARRAY_SIZE(names)];
	unsigned int i;

	services_add(services, "remote");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		pipe_connect(&self->two.dev, &pipes[i], 10 + i, names[i]);
	save(_metadata, &self->two);
	load(_metadata, &self->two);
	ASSERT_TRUE(pipe_line_level(&self->two.other));
	ASSERT_EQ(ARRAY_SIZE(names),
		  pipe_reg_read(&self->two.other, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct test_pipe there = moved(&self->two, &pipes[i]);

		EXPECT_EQ(10 + i, pipe_signal(&self->two.other, i).id);
		EXPECT_EQ(CLOSED, pipe_signal(&self->two.other, i).flags);
		EXPECT_EQ(IO, pipe_read(&there, self->two.data, 16));
		EXPECT_EQ(IO, pipe_write(&there, self->two.data, 16));
		pipe_close(&there);
		pipe_connect(&self->two.other, &there, 10 + i, "pipe:pingpong");
	}
	close(services);
}

/* With a window, an announced batch that was not acknowledged is announced again. */
TEST_F_TIMEOUT(state, a_batch_that_is_outstanding, TIMEOUT)
{
	uint8_t *page = mmap(NULL, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct test_pipe first, second;
	eventfd_t rung;
	uint32_t count;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, __pipe_set_line(&self->two.dev, call, resample));
	ASSERT_EQ(0, __pipe_set_window(&self->two.dev, page));
	pipe_connect(&self->two.dev, &first, 1, "pipe:pingpong");
	pipe_connect(&self->two.dev, &second, 2, "pipe:pingpong");
	pipe_hang_up(&self->two.dev, 1);
	ASSERT_EQ(0, eventfd_read(call, &rung));
	/* It waits for the end of the interrupt. */
	pipe_hang_up(&self->two.dev, 2);
	save(_metadata, &self->two);

	ASSERT_EQ(0, __pipe_set_line(&self->two.dev, -1, -1));
	ASSERT_EQ(0, __pipe_set_line(&self->two.other, call, resample));
	ASSERT_EQ(0, __pipe_set_window(&self->two.other, page + HOST_PAGE));
	eventfd_read(call, &rung);
	load(_metadata, &self->two);
	EXPECT_EQ(0, eventfd_read(call, &rung));
	memcpy(&count, page + HOST_PAGE + GOLDFISH_PIPE_REG_GET_SIGNALLED, sizeof(count));
	EXPECT_EQ(1, count);
	EXPECT_EQ(1, pipe_signal(&self->two.other, 0).id);
	/* The end of the interrupt. */
	ASSERT_EQ(0, eventfd_write(resample, 1));
	while (eventfd_read(call, &rung))
		usleep(1000);
	EXPECT_EQ(2, pipe_signal(&self->two.other, 0).id);
	EXPECT_EQ(CLOSED, pipe_signal(&self->two.other, 0).flags);
	__pipe_set_line(&self->two.other, -1, -1);
	munmap(page, 2 * HOST_PAGE);
	close(call);
	close(resample);
}

#define MANY	600

static atomic_bool many_done;

static void *hang_up_many(void *arg)
{
	struct pipe_dev *dev = arg;
	uint32_t id;

	while (!atomic_load(&many_done))
		for (id = 0; id < MANY; id++)
			__pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_HANG_UP, &id);
	return NULL;
}

/* Each pipe is reported once in a batch, with concurrent hang-ups. */
TEST_F_TIMEOUT(state, hung_up_while_it_is_set, TIMEOUT)
{
	bool told[MANY];
	struct test_pipe pipe;
	pthread_t thread;
	uint32_t count, i, id;
	unsigned int round;

	for (i = 0; i < MANY; i++) {
		pipe_connect(&self->two.dev, &pipe, i, "pipe:zero");
		ASSERT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	}
	save(_metadata, &self->two);
	for (round = 0; round < 20; round++) {
		pipe_dev_close(&self->two.other);
		pipe_dev_start(&self->two.other, &self->two.mem);
		self->two.other.signal_gpa = self->two.dev.signal_gpa;
		self->two.other.open_gpa = self->two.dev.open_gpa;
		ASSERT_EQ(0, run(&self->two.other, 0));
		atomic_store(&many_done, false);
		ASSERT_EQ(0, pthread_create(&thread, NULL, hang_up_many, &self->two.other));
		ASSERT_EQ(0, set(&self->two.other, self->two.bytes, self->two.size));
		atomic_store(&many_done, true);
		pthread_join(thread, NULL);
		ASSERT_EQ(0, run(&self->two.other, 1));
		memset(told, 0, sizeof(told));
		while ((count = pipe_reg_read(&self->two.other, GOLDFISH_PIPE_REG_GET_SIGNALLED))) {
			for (i = 0; i < count; i++) {
				id = pipe_signal(&self->two.other, i).id;
				ASSERT_LT(id, MANY);
				ASSERT_FALSE(told[id]);
				told[id] = true;
			}
		}
		for (i = 0; i < MANY; i++)
			ASSERT_TRUE(told[i]);
	}
}

/* A batch from a window, where reads are served: it is in the buffer already. */
TEST_F_TIMEOUT(state, a_batch_from_a_window_without_one, TIMEOUT)
{
	uint8_t *page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pipe_dev *other = &self->two.other;
	struct test_pipe first, second;
	eventfd_t rung;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, __pipe_set_line(&self->two.dev, call, resample));
	ASSERT_EQ(0, __pipe_set_window(&self->two.dev, page));
	pipe_connect(&self->two.dev, &first, 1, "pipe:pingpong");
	pipe_connect(&self->two.dev, &second, 2, "pipe:pingpong");
	pipe_hang_up(&self->two.dev, 1);
	pipe_hang_up(&self->two.dev, 2);
	save(_metadata, &self->two);

	ASSERT_EQ(0, __pipe_set_line(&self->two.dev, -1, -1));
	ASSERT_EQ(0, __pipe_set_line(other, call, resample));
	load(_metadata, &self->two);
	/* An end before the read: the line goes up again. */
	eventfd_read(call, &rung);
	ASSERT_EQ(0, eventfd_write(resample, 1));
	while (eventfd_read(call, &rung))
		usleep(1000);
	EXPECT_EQ(1, pipe_reg_read(other, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	EXPECT_EQ(1, pipe_signal(other, 0).id);
	EXPECT_EQ(1, pipe_reg_read(other, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	EXPECT_EQ(2, pipe_signal(other, 0).id);
	EXPECT_EQ(0, pipe_reg_read(other, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	__pipe_set_line(other, -1, -1);
	munmap(page, HOST_PAGE);
	close(call);
	close(resample);
}

TEST_F_TIMEOUT(state, not_with_open_pipes_or_v1, TIMEOUT)
{
	struct vhost_goldfish_pipe_state newer = { .data = (uintptr_t)self->two.bytes, .size = 64 };
	struct test_pipe pipe;

	pipe_connect(&self->two.dev, &pipe, 1, "pipe:zero");
	save(_metadata, &self->two);
	/* The same device refuses it, because a pipe is open. */
	EXPECT_EQ(-EBUSY, set(&self->two.dev, self->two.bytes, self->two.size));
	EXPECT_EQ(0, run(&self->two.other, 0));
	newer.version = VHOST_GOLDFISH_PIPE_STATE_VERSION + 1;
	EXPECT_EQ(-EOPNOTSUPP,
		  __pipe_ioctl(self->two.other.fd, VHOST_GOLDFISH_PIPE_SET_STATE, &newer));
	/* A device that no driver has looked at has a state, too. */
	self->two.size = STATE_SIZE;
	EXPECT_EQ(0, get(&self->two.other, self->two.bytes, &self->two.size));
	EXPECT_EQ(0, set(&self->two.other, self->two.bytes, self->two.size));
}

/* Each word of a state is changed in turn: it is accepted or refused, without a crash. */
TEST_F_TIMEOUT(state, wrong_fields, TIMEOUT)
{
	static const uint32_t wrong[] = { 0, 1, 0xffffffff, 0x80000000, 4096, 340, 2 };
	struct vhost_goldfish_pipe_state_device *device;
	struct test_pipe pipe, other;
	uint8_t *copy = malloc(STATE_SIZE);
	unsigned int i, at;

	ASSERT_TRUE(copy);
	pipe_connect(&self->two.dev, &pipe, 1, "pipe:pingpong");
	ASSERT_EQ(6, pipe_write_bytes(&pipe, "before", 6));
	pipe_connect(&self->two.dev, &other, 2, "pipe:zero");
	save(_metadata, &self->two);
	ASSERT_EQ(0, run(&self->two.other, 0));
	for (at = 0; at < self->two.size; at += 4) {
		for (i = 0; i < ARRAY_SIZE(wrong); i++) {
			int err;

			memcpy(copy, self->two.bytes, self->two.size);
			memcpy(copy + at, &wrong[i], sizeof(wrong[i]));
			err = set(&self->two.other, copy, self->two.size);
			ASSERT_TRUE(!err || err == -EINVAL);
			if (err)
				EXPECT_EQ(0, pipe_stat_open_pipes(&self->two.other));
			/* Drop the state by RESET_OWNER. */
			ASSERT_EQ(0, __pipe_ioctl(self->two.other.fd, VHOST_RESET_OWNER, NULL));
			ASSERT_EQ(0, __pipe_set_owner(&self->two.other));
			ASSERT_EQ(0, __pipe_set_mem_table(&self->two.other, &self->two.mem, 1));
			ASSERT_EQ(0, run(&self->two.other, 0));
		}
	}
	/* Truncated anywhere, or longer. */
	for (at = 0; at < self->two.size; at++)
		EXPECT_EQ(-EINVAL, set(&self->two.other, self->two.bytes, at));
	EXPECT_EQ(-EINVAL, set(&self->two.other, self->two.bytes, self->two.size + 8));
	EXPECT_EQ(-EINVAL,
		  set(&self->two.other, self->two.bytes, VHOST_GOLDFISH_PIPE_STATE_MAX + 1));
	EXPECT_EQ(-EFAULT, set(&self->two.other, NULL, self->two.size));
	/* One at a time, so that it is known what is refused. */
	memcpy(copy, self->two.bytes, self->two.size);
	device = (void *)(copy + sizeof(struct vhost_goldfish_pipe_field));
	device->version = htole32(3);
	EXPECT_EQ(-EINVAL, set(&self->two.other, copy, self->two.size));
	device->version = htole32(2);
	device->published = htole32(le32toh(device->signal_count) + 1);
	EXPECT_EQ(-EINVAL, set(&self->two.other, copy, self->two.size));
	EXPECT_EQ(0, set(&self->two.other, self->two.bytes, self->two.size));
	free(copy);
}

TEST_HARNESS_MAIN
