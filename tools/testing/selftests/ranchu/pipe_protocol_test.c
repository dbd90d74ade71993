// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device half of the goldfish pipe: registers, OPEN and CLOSE, transfers,
 * and invalid commands of a guest. Guest memory is this
 * process' memory and registers are ACCESS ioctls, so no VM is needed.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			300

#define MEM_SIZE		(64u << 20)
/* "At most 2 MiB are moved per command." */
#define MOST_PER_COMMAND	(2u << 20)
#define MANY_PIPES		1000u

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define NOMEM			GOLDFISH_PIPE_ERROR_NOMEM
#define IO			GOLDFISH_PIPE_ERROR_IO
/* Nothing was written: the guest keeps what it had preset. */
#define UNTOUCHED		((int32_t)PIPE_PRESET)

#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT

FIXTURE(protocol)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	uint64_t data;
	uint8_t *bytes;
};

#define DATA_SIZE		(8u << 20)

FIXTURE_SETUP(protocol)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	self->data = pipe_mem_alloc(&self->mem, DATA_SIZE, HOST_PAGE);
	self->bytes = pipe_mem_hva(&self->mem, self->data, DATA_SIZE);
}

FIXTURE_TEARDOWN(protocol)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

TEST_F_TIMEOUT(protocol, versions, TIMEOUT)
{
	const struct {
		uint32_t driver;
		uint32_t answer;
	} rows[] = {
		{ 2, 2 }, { 0, 1 }, { 3, 2 }, { 1, 1 },		{ 4, 2 },
		{ 5, 1 }, { 4, 2 }, { 4, 2 }, { UINT32_MAX, 1 }, { 2, 2 },
	};
	struct pipe_dev *dev = &self->dev;
	unsigned int i;

	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, rows[i].driver);
		EXPECT_EQ(rows[i].answer,
			  pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION))
		{
			TH_LOG("driver version %u", rows[i].driver);
		}
	}
}

TEST_F_TIMEOUT(protocol, command_before_version_is_ignored, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint64_t before;

	pipe_set_open_buffer(dev, pipe_mem_alloc(&self->mem, PIPE_PAGE,
						 PIPE_PAGE));
	before = pipe_stat_bad_guest(dev);
	EXPECT_EQ(UNTOUCHED, __pipe_open(dev, &pipe, 0, PIPE_DRIVER_BUFFERS));
	EXPECT_LT(before, pipe_stat_bad_guest(dev));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(protocol, command_before_open_buffer_is_ignored, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint64_t before;

	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
	pipe_prepare(dev, &pipe, 0, PIPE_DRIVER_BUFFERS);
	before = pipe_stat_bad_guest(dev);
	EXPECT_EQ(UNTOUCHED, pipe_command(&pipe, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(UNTOUCHED, pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_LT(before, pipe_stat_bad_guest(dev));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(protocol, version_read_changes_nothing, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 3, "pipe:pingpong");
	EXPECT_EQ(5, pipe_write(&pipe, self->data, 5));
	pipe_hang_up(dev, 3);
	pipe_wait_line(dev);
	EXPECT_EQ(2, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
	EXPECT_TRUE(pipe_line_level(dev));
	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED));
}

TEST_F_TIMEOUT(protocol, version_write_starts_anew, TIMEOUT)
{
	const uint32_t versions[] = { 2, 3, 4, 1, 0, 77 };
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipes[5];
	unsigned int round, i;

	for (round = 0; round < ARRAY_SIZE(versions); round++) {
		pipe_handshake(dev);
		for (i = 0; i < ARRAY_SIZE(pipes); i++)
			pipe_connect(dev, &pipes[i], i, "pipe:pingpong");
		EXPECT_EQ(ARRAY_SIZE(pipes), pipe_stat_open_pipes(dev));
		pipe_hang_up(dev, 1);
		pipe_hang_up(dev, 2);
		pipe_wait_line(dev);

		pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, versions[round]);
		EXPECT_EQ(0, pipe_stat_open_pipes(dev));
		EXPECT_FALSE(pipe_line_level(dev));
		EXPECT_EQ(0, pipe_reg_read(dev,
					   GOLDFISH_PIPE_REG_GET_SIGNALLED));
	}
	/* All ids are free again, and hang-ups are dropped. */
	pipe_handshake(dev);
	for (i = 0; i < ARRAY_SIZE(pipes); i++) {
		pipe_connect(dev, &pipes[i], i, "pipe:zero");
		EXPECT_EQ(IN | OUT,
			  pipe_command(&pipes[i], GOLDFISH_PIPE_CMD_POLL));
	}
}

TEST_F_TIMEOUT(protocol, high_register_drops_the_low_half, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint64_t page;

	pipe_handshake(dev);
	page = pipe_mem_alloc(&self->mem, PIPE_PAGE, PIPE_PAGE);
	/* LOW, then HIGH: the address is 0, where there is no memory. */
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER, page);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH, page >> 32);
	dev->open_gpa = page;
	EXPECT_EQ(UNTOUCHED, __pipe_open(dev, &pipe, 0, PIPE_DRIVER_BUFFERS));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));

	/* LOW twice: the two are ORed. */
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH, page >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER, page);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER, 0x40);
	dev->open_gpa = page | 0x40;
	EXPECT_EQ(0, __pipe_open(dev, &pipe, 0, PIPE_DRIVER_BUFFERS));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(protocol, unknown_registers, TIMEOUT)
{
	const uint32_t known[] = {
		GOLDFISH_PIPE_REG_VERSION,
		GOLDFISH_PIPE_REG_GET_SIGNALLED,
	};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint32_t offset;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 1, "pipe:zero");
	for (offset = 0; offset < RANCHU_PIPE_SIZE; offset += 4) {
		if (offset == known[0] || offset == known[1])
			continue;
		ASSERT_EQ(0, pipe_reg_read(dev, offset))
		{
			TH_LOG("offset 0x%x", offset);
		}
	}
	for (offset = GOLDFISH_PIPE_REG_GET_SIGNALLED;
	     offset < RANCHU_PIPE_SIZE; offset += 4)
		pipe_reg_write(dev, offset, 0xffffffff);
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
}

TEST_F_TIMEOUT(protocol, open_answers, TIMEOUT)
{
	const struct {
		uint32_t id;
		uint32_t in_buffer;
		uint32_t max;
		int32_t status;
	} rows[] = {
		{ 0, 0, PIPE_DRIVER_BUFFERS, 0 },
		{ 1, 1, 1, 0 },
		{ 2, 2, GOLDFISH_PIPE_MAX_BUFFERS, 0 },
		{ 3, 3, 0, INVAL },
		{ 3, 3, GOLDFISH_PIPE_MAX_BUFFERS + 1, INVAL },
		{ 3, 3, UINT32_MAX, INVAL },
		{ 3, 3, 1u << 31, INVAL },
		{ 3, 4, PIPE_DRIVER_BUFFERS, INVAL },
		{ 3, UINT32_MAX, PIPE_DRIVER_BUFFERS, INVAL },
		{ 63, 63, PIPE_DRIVER_BUFFERS, 0 },
		{ 64, 64, PIPE_DRIVER_BUFFERS, 0 },
		{ VHOST_GOLDFISH_PIPE_MAX_ID - 1,
		  VHOST_GOLDFISH_PIPE_MAX_ID - 1, PIPE_DRIVER_BUFFERS, 0 },
		{ VHOST_GOLDFISH_PIPE_MAX_ID, VHOST_GOLDFISH_PIPE_MAX_ID,
		  PIPE_DRIVER_BUFFERS, NOMEM },
		{ 1u << 31, 1u << 31, PIPE_DRIVER_BUFFERS, NOMEM },
		{ UINT32_MAX, UINT32_MAX, PIPE_DRIVER_BUFFERS, NOMEM },
		/* An error of the buffer comes first. */
		{ UINT32_MAX, 7, PIPE_DRIVER_BUFFERS, INVAL },
		{ UINT32_MAX, UINT32_MAX, 0, INVAL },
	};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint64_t opened = 0;
	unsigned int i;

	pipe_handshake(dev);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		pipe_prepare(dev, &pipe, rows[i].id, rows[i].max);
		pipe.cmd->id = rows[i].in_buffer;
		EXPECT_EQ(rows[i].status, __pipe_reopen(&pipe))
		{
			TH_LOG("row %u", i);
		}
		opened += !rows[i].status;
		EXPECT_EQ(opened, pipe_stat_open_pipes(dev));
	}
}

TEST_F_TIMEOUT(protocol, command_buffer_outside_memory, TIMEOUT)
{
	const uint64_t end = self->mem.gpa + self->mem.size;
	const uint64_t gpas[] = {
		0,
		self->mem.gpa - 1,
		end - GOLDFISH_PIPE_COMMAND_SIZE + 8,
		end - 1,
		end,
		UINT64_MAX,
		UINT64_MAX - GOLDFISH_PIPE_COMMAND_SIZE + 1,
	};
	struct pipe_dev *dev = &self->dev;
	struct goldfish_pipe_open_params *params;
	struct test_pipe pipe;
	uint64_t before;
	unsigned int i;

	pipe_handshake(dev);
	params = pipe_mem_hva(&self->mem, dev->open_gpa, sizeof(*params));
	pipe_prepare(dev, &pipe, 0, PIPE_DRIVER_BUFFERS);
	for (i = 0; i < ARRAY_SIZE(gpas); i++) {
		before = pipe_stat_bad_guest(dev);
		params->command_buffer = gpas[i];
		params->rw_params_max_count = PIPE_DRIVER_BUFFERS;
		EXPECT_EQ(UNTOUCHED,
			  pipe_command(&pipe, GOLDFISH_PIPE_CMD_OPEN));
		EXPECT_LT(before, pipe_stat_bad_guest(dev));
	}
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
	EXPECT_EQ(0, __pipe_reopen(&pipe));
}

TEST_F_TIMEOUT(protocol, commands_of_an_unknown_id, TIMEOUT)
{
	const uint32_t cmds[] = { 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1u << 31 };
	struct pipe_dev *dev = &self->dev;
	struct test_pipe known, pipe;
	unsigned int i;

	pipe_handshake(dev);
	pipe_connect(dev, &known, 1, "pipe:zero");
	/* The open parameters name the buffer; @pipe's id was never opened. */
	EXPECT_EQ(INVAL, __pipe_open(dev, &pipe, 2, 0));
	pipe.max = PIPE_DRIVER_BUFFERS;
	EXPECT_EQ(0, __pipe_reopen(&pipe));
	pipe_close(&pipe);

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(INVAL, pipe_command(&pipe, cmds[i]))
		{
			TH_LOG("command %u", cmds[i]);
		}
	}
	EXPECT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_EQ(IN | OUT, pipe_command(&known, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(protocol, commands_that_are_not_answered, TIMEOUT)
{
	const uint32_t cmds[] = {
		0,
		GOLDFISH_PIPE_CMD_OPEN,
		GOLDFISH_PIPE_CMD_WAKE_ON_DONE_IO,
		12,
		1u << 31,
		UINT32_MAX,
	};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	unsigned int i;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 9, "pipe:pingpong");
	memcpy(self->bytes, "still there", 11);
	EXPECT_EQ(11, pipe_write(&pipe, self->data, 11));
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		pipe.cmd->consumed_size = 4711;
		EXPECT_EQ(UNTOUCHED, pipe_command(&pipe, cmds[i]))
		{
			TH_LOG("command %u", cmds[i]);
		}
		EXPECT_EQ(4711, pipe.cmd->consumed_size);
	}
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
	memset(self->bytes, 0, 11);
	EXPECT_EQ(11, pipe_read(&pipe, self->data, 64));
	EXPECT_EQ(0, memcmp(self->bytes, "still there", 11));
}

TEST_F_TIMEOUT(protocol, buffers_count_is_clamped, TIMEOUT)
{
	const uint32_t counts[] = { 3, 4, 339, 340, 1u << 31, UINT32_MAX };
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	unsigned int i;

	pipe_handshake(dev);
	ASSERT_EQ(0, __pipe_open(dev, &pipe, 0, 3));
	ASSERT_EQ(10, __pipe_connect(&pipe, "pipe:zero"));
	for (i = 0; i < 3; i++) {
		pipe.ptrs[i] = self->data + 10 * i;
		pipe.sizes[i] = 10;
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		memset(self->bytes, 0xa5, 64);
		pipe.cmd->buffers_count = counts[i];
		EXPECT_EQ(30, pipe_command(&pipe, GOLDFISH_PIPE_CMD_READ))
		{
			TH_LOG("buffers_count %u", counts[i]);
		}
		EXPECT_EQ(30, pipe.cmd->consumed_size);
		EXPECT_EQ(0, self->bytes[29]);
		EXPECT_EQ(0xa5, self->bytes[30]);
		EXPECT_EQ(30, pipe_command(&pipe, GOLDFISH_PIPE_CMD_WRITE));
	}
}

TEST_F_TIMEOUT(protocol, largest_arrays, TIMEOUT)
{
	struct pipe_buf bufs[GOLDFISH_PIPE_MAX_BUFFERS];
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	uint32_t i;

	pipe_handshake(dev);
	ASSERT_EQ(0, __pipe_open(dev, &pipe, 0, GOLDFISH_PIPE_MAX_BUFFERS));
	ASSERT_EQ(14, __pipe_connect(&pipe, "pipe:pingpong"));
	/* Backwards and with gaps, so that the order shows. */
	for (i = 0; i < ARRAY_SIZE(bufs); i++) {
		bufs[i].gpa = self->data + 2 * (ARRAY_SIZE(bufs) - i);
		bufs[i].size = 1;
		self->bytes[2 * (ARRAY_SIZE(bufs) - i)] = i * 7;
	}
	EXPECT_EQ((int32_t)ARRAY_SIZE(bufs),
		  pipe_transfer(&pipe, GOLDFISH_PIPE_CMD_WRITE, bufs,
				ARRAY_SIZE(bufs)));
	EXPECT_EQ((int32_t)ARRAY_SIZE(bufs),
		  pipe_read(&pipe, self->data, PIPE_PAGE));
	for (i = 0; i < ARRAY_SIZE(bufs); i++)
		ASSERT_EQ((uint8_t)(i * 7), self->bytes[i]);
}

TEST_F_TIMEOUT(protocol, empty_transfers, TIMEOUT)
{
	const uint32_t cmds[] = {
		GOLDFISH_PIPE_CMD_WRITE,
		GOLDFISH_PIPE_CMD_READ,
	};
	struct pipe_buf bufs[5] = {};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	unsigned int i;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		memset(bufs, 0, sizeof(bufs));
		EXPECT_EQ(INVAL, pipe_transfer(&pipe, cmds[i], bufs, 0));
		EXPECT_EQ(0, pipe.cmd->consumed_size);
		/* All empty, here even with addresses that mean nothing. */
		EXPECT_EQ(INVAL, pipe_transfer(&pipe, cmds[i], bufs, 5));
		EXPECT_EQ(0, pipe.cmd->consumed_size);
		/* Empty ones among others are skipped. */
		bufs[1] = (struct pipe_buf){ self->data, 3 };
		bufs[3] = (struct pipe_buf){ self->data + 100, 4 };
		EXPECT_EQ(7, pipe_transfer(&pipe, cmds[i], bufs, 5));
	}
}

TEST_F_TIMEOUT(protocol, buffers_outside_memory, TIMEOUT)
{
	const uint64_t end = self->mem.gpa + self->mem.size;
	const struct {
		struct pipe_buf buf;
		uint32_t inside;
	} rows[] = {
		{ { 0, 1 }, 0 },
		{ { self->mem.gpa - 1, 1 }, 0 },
		{ { self->mem.gpa - 1, 2 }, 0 },
		{ { end, 1 }, 0 },
		{ { end - 1, 2 }, 1 },
		{ { end - 100, UINT32_MAX }, 100 },
		{ { UINT64_MAX, 1 }, 0 },
		{ { UINT64_MAX, 2 }, 0 },
		{ { UINT64_MAX - 100, 4096 }, 0 },
		{ { UINT64_MAX - UINT32_MAX + 1, UINT32_MAX }, 0 },
	};
	const uint32_t cmds[] = {
		GOLDFISH_PIPE_CMD_WRITE,
		GOLDFISH_PIPE_CMD_READ,
	};
	struct pipe_dev *dev = &self->dev;
	struct pipe_buf bufs[3];
	struct test_pipe pipe;
	unsigned int i, c;
	int32_t status;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	for (c = 0; c < ARRAY_SIZE(cmds); c++) {
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			uint64_t before = pipe_stat_bad_guest(dev);

			/* Alone or first: refused, or what is inside. */
			status = pipe_transfer(&pipe, cmds[c], &rows[i].buf, 1);
			EXPECT_LE(status, (int32_t)rows[i].inside);
			EXPECT_NE(0, status)
			{
				TH_LOG("row %u", i);
			}
			if (!rows[i].inside) {
				EXPECT_EQ(INVAL, status);
				EXPECT_EQ(0, pipe.cmd->consumed_size);
			}
			EXPECT_LT(before, pipe_stat_bad_guest(dev));

			/* In the middle: what came before counts. */
			bufs[0] = (struct pipe_buf){ self->data, 1000 };
			bufs[1] = rows[i].buf;
			bufs[2] = (struct pipe_buf){ self->data + 5000, 1000 };
			memset(self->bytes, 0xa5, 8000);
			status = pipe_transfer(&pipe, cmds[c], bufs, 3);
			EXPECT_LE(1000, status);
			EXPECT_LE(status, 1000 + (int32_t)rows[i].inside);
			EXPECT_EQ(cmds[c] == GOLDFISH_PIPE_CMD_READ ? 0 : 0xa5,
				  self->bytes[999]);
			EXPECT_EQ(0xa5, self->bytes[1000]);
			/* Memory after it must not be touched. */
			EXPECT_EQ(0xa5, self->bytes[5000]);
		}
	}
}

TEST_F_TIMEOUT(protocol, work_of_one_command_is_bounded, TIMEOUT)
{
	const uint32_t cmds[] = {
		GOLDFISH_PIPE_CMD_WRITE,
		GOLDFISH_PIPE_CMD_READ,
	};
	struct pipe_buf bufs[PIPE_DRIVER_BUFFERS];
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;
	unsigned int c, i;
	int32_t status;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	for (i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct pipe_buf){ self->data, DATA_SIZE };
	for (c = 0; c < ARRAY_SIZE(cmds); c++) {
		memset(self->bytes, 0xa5, DATA_SIZE);
		status = pipe_transfer(&pipe, cmds[c], bufs, 1);
		EXPECT_LT(0, status);
		EXPECT_LE(status, (int32_t)MOST_PER_COMMAND);
		if (cmds[c] == GOLDFISH_PIPE_CMD_READ) {
			/* Exactly the bytes that it says it moved. */
			EXPECT_EQ(0, self->bytes[status - 1]);
			EXPECT_EQ(0xa5, self->bytes[status]);
		}
		/* 2.6 GiB asked for in one command. */
		status = pipe_transfer(&pipe, cmds[c], bufs, ARRAY_SIZE(bufs));
		EXPECT_LT(0, status);
		EXPECT_LE(status, (int32_t)MOST_PER_COMMAND);
	}
	/* As much as fits into one command is not cut. */
	EXPECT_EQ((int32_t)MOST_PER_COMMAND,
		  pipe_write(&pipe, self->data, MOST_PER_COMMAND));
	EXPECT_EQ((int32_t)MOST_PER_COMMAND,
		  pipe_read(&pipe, self->data, MOST_PER_COMMAND));
}

TEST_F_TIMEOUT(protocol, hung_up_pipe, TIMEOUT)
{
	const uint32_t cmds[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe, other;
	unsigned int i;
	bool moves;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 6, "pipe:zero");
	pipe_connect(dev, &other, 7, "pipe:zero");
	pipe_hang_up(dev, 6);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		pipe.cmd->consumed_size = 4711;
		EXPECT_EQ(IO, pipe_command(&pipe, cmds[i]))
		{
			TH_LOG("command %u", cmds[i]);
		}
		moves = cmds[i] == GOLDFISH_PIPE_CMD_READ ||
			cmds[i] == GOLDFISH_PIPE_CMD_WRITE ||
			cmds[i] == GOLDFISH_PIPE_CMD_CALL;
		EXPECT_EQ(moves ? 0 : 4711, pipe.cmd->consumed_size);
	}
	EXPECT_EQ(IN | OUT, pipe_command(&other, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(2, pipe_stat_open_pipes(dev));
	EXPECT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));

	/* The next pipe of that number is not hung up. */
	EXPECT_EQ(0, __pipe_reopen(&pipe));
	EXPECT_EQ(10, __pipe_connect(&pipe, "pipe:zero"));
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
}

TEST_F_TIMEOUT(protocol, id_is_checked_by_open_only, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 6, "pipe:zero");
	pipe.cmd->id = 7;
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
}

/* All open at once, each with its own bytes in it. */
TEST_F_TIMEOUT(protocol, a_thousand_pipes, TIMEOUT)
{
	static struct test_pipe pipes[MANY_PIPES];
	struct pipe_dev *dev = &self->dev;
	struct vhost_goldfish_pipe_stats stats;
	uint32_t i, n;

	pipe_handshake(dev);
	for (i = 0; i < MANY_PIPES; i++)
		pipe_connect(dev, &pipes[i], i, "pipe:pingpong");
	EXPECT_EQ(MANY_PIPES, pipe_stat_open_pipes(dev));
	for (i = 0; i < MANY_PIPES; i++) {
		n = 1 + i * 37 % 1000;
		memset(self->bytes, i, n);
		ASSERT_EQ((int32_t)n, pipe_write(&pipes[i], self->data, n));
	}
	/* In another order than they were filled. */
	for (uint32_t k = 0; k < MANY_PIPES; k++) {
		i = k * 77 % MANY_PIPES;
		n = 1 + i * 37 % 1000;
		memset(self->bytes, ~i, PIPE_PAGE);
		ASSERT_EQ((int32_t)n,
			  pipe_read(&pipes[i], self->data, PIPE_PAGE));
		for (uint32_t b = 0; b < PIPE_PAGE; b++) {
			ASSERT_EQ((uint8_t)(b < n ? i : ~i), self->bytes[b])
			{
				TH_LOG("pipe %u, byte %u of %u", i, b, n);
			}
		}
	}
	for (i = 0; i < MANY_PIPES; i++)
		pipe_close(&pipes[i]);
	pipe_get_stats(dev, &stats);
	EXPECT_EQ(0, stats.pipes);
	EXPECT_EQ(MANY_PIPES, stats.opens);
	EXPECT_EQ(MANY_PIPES, stats.closes);
	EXPECT_EQ(0, stats.bad_guest);
}

TEST_F_TIMEOUT(protocol, counters_agree, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats before, after;
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	pipe_get_stats(dev, &before);
	EXPECT_EQ(100, pipe_write(&pipe, self->data, 100));
	EXPECT_EQ(1000, pipe_read(&pipe, self->data, 1000));
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	pipe_get_stats(dev, &after);
	EXPECT_EQ(3, after.commands - before.commands);
	EXPECT_EQ(3, after.commands_access - before.commands_access);
	EXPECT_EQ(100, after.bytes_to_host - before.bytes_to_host);
	EXPECT_EQ(1000, after.bytes_to_guest - before.bytes_to_guest);
	EXPECT_EQ(0, after.bad_guest - before.bad_guest);
	EXPECT_EQ(0, after.kicks);
	EXPECT_EQ(1, after.opens);
	EXPECT_EQ(0, after.closes);
}

/* ACCESS reports when a pipe is open and can get a doorbell. */
TEST_F_TIMEOUT(protocol, access_tells_of_an_open_pipe, TIMEOUT)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = GOLDFISH_PIPE_REG_CMD,
		.value = 3,
	};
	struct pipe_dev *dev = &self->dev;
	struct test_pipe pipe;

	pipe_handshake(dev);
	pipe_open(dev, &pipe, 3);
	pipe.cmd->cmd = GOLDFISH_PIPE_CMD_POLL;
	access.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE;
	ASSERT_EQ(0, __pipe_access(dev, &access));
	EXPECT_TRUE(access.flags & VHOST_GOLDFISH_PIPE_ACCESS_OPEN);
	pipe.cmd->cmd = GOLDFISH_PIPE_CMD_CLOSE;
	access.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE;
	ASSERT_EQ(0, __pipe_access(dev, &access));
	EXPECT_FALSE(access.flags & VHOST_GOLDFISH_PIPE_ACCESS_OPEN);
}

/* Memory above 4 GiB: every address register and pointer has a high half. */
TEST_F_TIMEOUT(protocol, addresses_above_4g, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_mem high;
	struct test_pipe pipe;
	uint64_t data;

	pipe_mem_create(&high, 5ull << 32, 1u << 20);
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &high, 1));
	dev->mem = &high;
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:pingpong");
	data = pipe_mem_alloc(&high, PIPE_PAGE, PIPE_PAGE);
	EXPECT_EQ(100, pipe_write(&pipe, data, 100));
	EXPECT_EQ(100, pipe_read(&pipe, data + 100, 200));
	pipe_hang_up(dev, 0);
	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED));
	EXPECT_EQ(0, pipe_signal(dev, 0).id);
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_CLOSED,
		  pipe_signal(dev, 0).flags & GOLDFISH_PIPE_WAKE_CLOSED);
	dev->mem = &self->mem;
	pipe_mem_destroy(&high);
}

/* The same guest addresses, from now on other memory of this process. */
TEST_F_TIMEOUT(protocol, memory_table_moves, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_mem old = self->mem;
	struct pipe_mem moved;
	struct test_pipe pipe;
	uint8_t *old_page;

	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	old_page = (uint8_t *)pipe.cmd;

	pipe_mem_create(&moved, self->mem.gpa, self->mem.size);
	memcpy(moved.hva, old.hva, old.used);
	moved.used = old.used;
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &moved, 1));
	pipe.cmd = pipe_mem_hva(&moved, pipe.gpa, PIPE_PAGE);
	pipe.ptrs = (void *)((uint8_t *)pipe.cmd +
			     ((uint8_t *)pipe.ptrs - old_page));
	pipe.sizes = (void *)((uint8_t *)pipe.cmd +
			      ((uint8_t *)pipe.sizes - old_page));
	memset(old_page, 0x77, PIPE_PAGE);
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));

	memset(self->bytes, 0xa5, 16);
	memset(moved.hva + (self->data - moved.gpa), 0xa5, 16);
	EXPECT_EQ(16, pipe_read(&pipe, self->data, 16));
	EXPECT_EQ(0, moved.hva[self->data - moved.gpa]);
	EXPECT_EQ(0xa5, self->bytes[0]);
	EXPECT_EQ(0x77, old_page[8]);
	pipe_close(&pipe);
	pipe_mem_destroy(&moved);
}

/* Two regions; either is taken away and given back while a pipe is open. */
TEST_F_TIMEOUT(protocol, memory_table_shrinks, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_mem table[2];
	struct test_pipe pipe;
	uint64_t far;

	table[0] = self->mem;
	pipe_mem_create(&table[1], self->mem.gpa + self->mem.size + (16u << 20),
			1u << 20);
	far = table[1].gpa + 100;
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	EXPECT_EQ(INVAL, pipe_write(&pipe, far, 10));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, table, 2));
	EXPECT_EQ(10, pipe_write(&pipe, far, 10));
	/* Without the command buffer there is no answer. */
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &table[1], 1));
	EXPECT_EQ(UNTOUCHED, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, table, 0));
	EXPECT_EQ(UNTOUCHED, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, table, 2));
	EXPECT_EQ(10, pipe_read(&pipe, far, 10));
	ASSERT_EQ(0, __pipe_set_mem_table(dev, &table[0], 1));
	EXPECT_EQ(INVAL, pipe_read(&pipe, far, 10));
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	pipe_mem_destroy(&table[1]);
}

/* A buffer may lie across two regions that touch in the guest only. */
TEST_F_TIMEOUT(protocol, buffer_across_regions, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_mem table[2];
	struct test_pipe pipe;
	int32_t first, rest;
	uint64_t gpa;

	table[0] = self->mem;
	pipe_mem_create(&table[1], self->mem.gpa + self->mem.size, 1u << 20);
	ASSERT_EQ(0, __pipe_set_mem_table(dev, table, 2));
	pipe_handshake(dev);
	pipe_connect(dev, &pipe, 0, "pipe:pingpong");
	gpa = table[1].gpa - 50;
	memset(self->mem.hva + self->mem.size - 50, 'a', 50);
	memset(table[1].hva, 'b', 50);
	/* In one go or in two, but all of it and in order. */
	first = pipe_write(&pipe, gpa, 100);
	ASSERT_LE(50, first);
	rest = first < 100 ? pipe_write(&pipe, gpa + first, 100 - first) : 0;
	ASSERT_EQ(100, first + rest);
	EXPECT_EQ(100, pipe_read(&pipe, self->data, 200));
	EXPECT_EQ('a', self->bytes[49]);
	EXPECT_EQ('b', self->bytes[50]);
	pipe_mem_destroy(&table[1]);
}

/* Guest memory that the VMM itself cannot access counts as missing. */
TEST_F_TIMEOUT(protocol, memory_that_faults, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct pipe_buf bufs[2];
	struct test_pipe pipe, sink;
	uint8_t *hole = self->bytes + HOST_PAGE;

	pipe_handshake(dev);
	/* Its command buffer has a page of the host's for itself. */
	pipe_mem_alloc(&self->mem, 0, HOST_PAGE);
	pipe_connect(dev, &pipe, 0, "pipe:zero");
	pipe_mem_alloc(&self->mem, 0, HOST_PAGE);
	/* pipe:zero does not read its data; this service does. */
	pipe_connect(dev, &sink, 1, "pipe:pingpong");
	ASSERT_EQ(0, mprotect(hole, HOST_PAGE, PROT_NONE));
	EXPECT_EQ(INVAL, pipe_write(&sink, self->data + HOST_PAGE, 10));
	EXPECT_EQ(INVAL, pipe_read(&pipe, self->data + HOST_PAGE, 10));
	/* Bytes before the hole may count, bytes after it may not. */
	memset(self->bytes, 0xa5, HOST_PAGE);
	bufs[0] = (struct pipe_buf){ self->data + HOST_PAGE, 10 };
	bufs[1] = (struct pipe_buf){ self->data, 10 };
	EXPECT_EQ(INVAL,
		  pipe_transfer(&pipe, GOLDFISH_PIPE_CMD_READ, bufs, 2));
	EXPECT_EQ(0xa5, self->bytes[0]);
	EXPECT_GE(96, pipe_read(&pipe, self->data + HOST_PAGE - 96, 200));

	ASSERT_EQ(0, mprotect(hole, HOST_PAGE, PROT_READ));
	EXPECT_EQ(10, pipe_write(&sink, self->data + HOST_PAGE, 10));
	EXPECT_EQ(INVAL, pipe_read(&pipe, self->data + HOST_PAGE, 10));
	ASSERT_EQ(0, mprotect(hole, HOST_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(10, pipe_read(&pipe, self->data + HOST_PAGE, 10));

	/* The command buffer itself: there is no answer, and no crash. */
	ASSERT_EQ(0, mprotect(pipe.cmd, HOST_PAGE, PROT_NONE));
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_CMD, 0);
	ASSERT_EQ(0, mprotect(pipe.cmd, HOST_PAGE, PROT_READ));
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_CMD, 0);
	ASSERT_EQ(0, mprotect(pipe.cmd, HOST_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
}

/* Random headers, pointers and sizes; another pipe must still work. */
TEST_F_TIMEOUT(protocol, noise, TIMEOUT)
{
	struct pipe_random random = { .state = 0x5eed };
	struct pipe_dev *dev = &self->dev;
	struct test_pipe sane, pipe;
	unsigned int i;

	pipe_handshake(dev);
	pipe_connect(dev, &sane, 1, "pipe:zero");
	pipe_connect(dev, &pipe, 2, "pipe:pingpong");
	for (i = 0; i < 20000; i++) {
		uint32_t k = pipe_random(&random) % PIPE_DRIVER_BUFFERS;

		if (i % 64 == 0) {
			pipe_random_fill(&random, pipe.ptrs,
					 PIPE_PAGE - GOLDFISH_PIPE_PTRS_OFFSET);
			__pipe_reopen(&pipe);
		}
		pipe.ptrs[k] = self->data + pipe_random(&random) % DATA_SIZE;
		pipe.sizes[k] = pipe_random(&random) % PIPE_PAGE;
		pipe.cmd->buffers_count = pipe_random(&random) >>
					  pipe_random(&random) % 64;
		pipe_command(&pipe, pipe_random(&random) % 14);
	}
	EXPECT_EQ(IN | OUT, pipe_command(&sane, GOLDFISH_PIPE_CMD_POLL));
	pipe_command(&pipe, GOLDFISH_PIPE_CMD_CLOSE);
	EXPECT_EQ(0, __pipe_reopen(&pipe));
	EXPECT_EQ(10, __pipe_connect(&pipe, "pipe:zero"));
	EXPECT_EQ(IN | OUT, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(2, pipe_stat_open_pipes(dev));
}

TEST_HARNESS_MAIN
