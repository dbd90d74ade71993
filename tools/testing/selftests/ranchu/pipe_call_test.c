// SPDX-License-Identifier: GPL-2.0-only
/*
 * CALL: a write and a read in one command. No driver that we know issues it.
 */
#define _GNU_SOURCE
#include <string.h>

#include <kselftest_harness.h>

#include "pipe_services.h"

#define TIMEOUT			120
#define MEM_SIZE		(16u << 20)

#define CALL			GOLDFISH_PIPE_CMD_CALL
#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO

FIXTURE(call)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	uint64_t gpa;
	uint8_t *bytes;
};

FIXTURE_SETUP(call)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	pipe_handshake(&self->dev);
	self->gpa = pipe_mem_alloc(&self->mem, 2 * PIPE_PAGE, PIPE_PAGE);
	self->bytes = pipe_mem_hva(&self->mem, self->gpa, 2 * PIPE_PAGE);
}

FIXTURE_TEARDOWN(call)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

/* Runs CALL; returns the status, and in *@consumed the device's consumed size. */
static int32_t call(struct test_pipe *pipe, const struct pipe_buf *bufs, uint32_t nr,
		    uint32_t read_index, int32_t *consumed)
{
	uint32_t *index = (uint32_t *)((uint8_t *)pipe->cmd +
				       GOLDFISH_PIPE_READ_INDEX_OFFSET(pipe->max));
	int32_t status;
	uint32_t i;

	for (i = 0; i < nr && i < pipe->max; i++) {
		pipe->ptrs[i] = bufs[i].gpa;
		pipe->sizes[i] = bufs[i].size;
	}
	*index = read_index;
	pipe->cmd->buffers_count = nr;
	pipe->cmd->consumed_size = 4711;
	status = pipe_command(pipe, CALL);
	*consumed = pipe->cmd->consumed_size;
	return status;
}

TEST_F_TIMEOUT(call, there_and_back, TIMEOUT)
{
	const struct pipe_buf bufs[] = {
		{ self->gpa, 10 }, { self->gpa + 100, 20 },
		{ self->gpa + PIPE_PAGE, 7 }, { self->gpa + PIPE_PAGE + 50, 23 },
	};
	struct test_pipe *pipe = &self->pipe;
	struct pipe_random random = { 1 };
	int32_t consumed;

	pipe_connect(&self->dev, pipe, 1, "pipe:pingpong");
	pipe_random_fill(&random, self->bytes, PIPE_PAGE);
	EXPECT_EQ(0, call(pipe, bufs, 4, 2, &consumed));
	EXPECT_EQ(60, consumed);
	EXPECT_EQ(0, memcmp(self->bytes + PIPE_PAGE, self->bytes, 7));
	EXPECT_EQ(0, memcmp(self->bytes + PIPE_PAGE + 50, self->bytes + 7, 3));
	EXPECT_EQ(0, memcmp(self->bytes + PIPE_PAGE + 53, self->bytes + 100, 20));

	/* Only a write, only a read. */
	EXPECT_EQ(0, call(pipe, bufs, 2, 2, &consumed));
	EXPECT_EQ(30, consumed);
	EXPECT_EQ(0, call(pipe, bufs + 2, 2, 0, &consumed));
	EXPECT_EQ(30, consumed);
	EXPECT_EQ(0, memcmp(self->bytes + PIPE_PAGE + 53, self->bytes + 100, 20));
	/* Nothing to read: the write counts, alone it fails. */
	EXPECT_EQ(AGAIN, call(pipe, bufs + 2, 2, 0, &consumed));
	EXPECT_EQ(0, consumed);
}

TEST_F_TIMEOUT(call, nonsense, TIMEOUT)
{
	const struct pipe_buf bufs[] = {
		{ self->gpa, 0 }, { self->gpa, 10 }, { RANCHU_RAM_BASE - 4096, 10 },
	};
	struct test_pipe *pipe = &self->pipe;
	int32_t consumed;

	pipe_connect(&self->dev, pipe, 1, "pipe:pingpong");
	EXPECT_EQ(INVAL, call(pipe, bufs, 0, 0, &consumed));
	EXPECT_EQ(0, consumed);
	EXPECT_EQ(INVAL, call(pipe, bufs, 2, 3, &consumed));
	EXPECT_EQ(0, consumed);
	EXPECT_EQ(INVAL, call(pipe, bufs, 2, UINT32_MAX, &consumed));
	EXPECT_EQ(INVAL, call(pipe, bufs, 1, 1, &consumed));
	EXPECT_EQ(INVAL, call(pipe, bufs, 1, 0, &consumed));
	EXPECT_EQ(INVAL, call(pipe, bufs + 2, 1, 1, &consumed));
	EXPECT_EQ(INVAL, call(pipe, bufs + 2, 1, 0, &consumed));
	EXPECT_EQ(0, consumed);
	/* The write was done before the read failed. */
	EXPECT_EQ(0, call(pipe, bufs + 1, 2, 1, &consumed));
	EXPECT_EQ(10, consumed);
	/* More than M, and M the largest: the index ends the page. */
	pipe_close(pipe);
	EXPECT_EQ(0, __pipe_open(&self->dev, pipe, 2, GOLDFISH_PIPE_MAX_BUFFERS));
	EXPECT_EQ(10, __pipe_connect(pipe, "pipe:zero"));
	EXPECT_EQ(0, call(pipe, bufs + 1, 1, 0, &consumed));
	EXPECT_EQ(10, consumed);
	EXPECT_EQ(INVAL, call(pipe, bufs + 1, 1, 2, &consumed));
	pipe_hang_up(&self->dev, 2);
	EXPECT_EQ(IO, call(pipe, bufs + 1, 1, 0, &consumed));
	EXPECT_EQ(0, consumed);
}

/* The first part names the service, the second is that service's already. */
TEST_F_TIMEOUT(call, connects, TIMEOUT)
{
	const struct pipe_buf bufs[] = { { self->gpa, 10 }, { self->gpa + PIPE_PAGE, 99 } };
	int32_t consumed;

	pipe_open(&self->dev, &self->pipe, 1);
	memcpy(self->bytes, "pipe:zero", 10);
	memset(self->bytes + PIPE_PAGE, 1, 99);
	EXPECT_EQ(0, call(&self->pipe, bufs, 2, 1, &consumed));
	EXPECT_EQ(109, consumed);
	EXPECT_EQ(0, self->bytes[PIPE_PAGE + 98]);
}

TEST_HARNESS_MAIN
