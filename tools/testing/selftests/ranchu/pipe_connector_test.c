// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connector: how a pipe that was just opened finds its service.
 */
#define _GNU_SOURCE
#include <string.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			300
#define MEM_SIZE		(16u << 20)

/* Bytes that a name may have, its NUL included. */
#define NAME_SIZE		128

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define IO			GOLDFISH_PIPE_ERROR_IO
#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT

FIXTURE(connector)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	uint64_t data;
	uint8_t *bytes;
};

FIXTURE_SETUP(connector)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->data = pipe_mem_alloc(&self->mem, 2 * PIPE_PAGE, PIPE_PAGE);
	self->bytes = pipe_mem_hva(&self->mem, self->data, 2 * PIPE_PAGE);
	pipe_open(&self->dev, &self->pipe, 0);
}

FIXTURE_TEARDOWN(connector)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

static void reopen(struct test_pipe *pipe)
{
	int32_t status;

	pipe_close(pipe);
	status = __pipe_reopen(pipe);
	if (status)
		pipe_die("OPEN again: %d", status);
}

/* Returns whether the service is pipe:zero, which returns zeroes. */
static bool is_zero(struct test_pipe *pipe, uint64_t gpa, uint8_t *byte)
{
	*byte = 0xa5;
	return pipe_read(pipe, gpa, 1) == 1 && *byte == 0;
}

TEST_F_TIMEOUT(connector, names, TIMEOUT)
{
	const struct {
		const char *name;
		bool found;
	} rows[] = {
		{ "pipe:zero", true },
		{ "pipe:zero:", true },
		{ "pipe:zero:with:arguments", true },
		{ "pipe:pingpong", true },
		{ "pipe:throttle", true },
		{ "", false },
		{ ":", false },
		{ "pipe", false },
		{ "pipe:", false },
		{ "pipe::", false },
		{ "pipe::zero", false },
		{ "pipe:pipe:zero", false },
		{ "pipe:zer", false },
		{ "pipe:zeroo", false },
		{ "pipe:Zero", false },
		{ "Pipe:zero", false },
		{ "pipe: zero", false },
		{ "pipe:zero ", false },
		{ "pope:zero", false },
		{ "zero", false },
		{ " pipe:zero", false },
		{ "pipe:connector", false },
		{ "pipe:no-such-service", false },
		/* Neither qemud:zero nor qemud is a service. */
		{ "pipe:qemud", false },
		{ "pipe:qemud:", false },
		{ "pipe:qemud:zero", false },
		{ "pipe:qemud:zero:", false },
		{ "pipe:qemud:adb:5555", false },
	};
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int32_t len = strlen(rows[i].name) + 1;

		EXPECT_EQ(rows[i].found ? len : INVAL,
			  __pipe_connect(pipe, rows[i].name))
		{
			TH_LOG("\"%s\"", rows[i].name);
		}
		EXPECT_EQ(rows[i].found ? len : 0,
			  (int32_t)pipe->cmd->consumed_size);
		reopen(pipe);
	}
}

TEST_F_TIMEOUT(connector, before_a_name, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;

	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(IO, pipe_read(pipe, self->data, 1));
	EXPECT_EQ(0, pipe->cmd->consumed_size);
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(INVAL, pipe_write(pipe, 0, 10));
	/* None of this prevents a connection. */
	EXPECT_EQ(10, __pipe_connect(pipe, "pipe:zero"));
	EXPECT_EQ(IN | OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
}

TEST_F_TIMEOUT(connector, name_in_two_writes, TIMEOUT)
{
	static const char name[] = "pipe:zero:args";
	struct test_pipe *pipe = &self->pipe;
	uint32_t cut;

	for (cut = 1; cut < sizeof(name); cut++) {
		memcpy(self->bytes, name, sizeof(name));
		EXPECT_EQ((int32_t)cut, pipe_write(pipe, self->data, cut));
		EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
		EXPECT_EQ((int32_t)(sizeof(name) - cut),
			  pipe_write(pipe, self->data + cut,
				     sizeof(name) - cut));
		EXPECT_TRUE(is_zero(pipe, self->data, self->bytes))
		{
			TH_LOG("cut after %u bytes", cut);
		}
		reopen(pipe);
	}
}

TEST_F_TIMEOUT(connector, name_byte_by_byte, TIMEOUT)
{
	static const char name[] = "pipe:zero";
	struct test_pipe *pipe = &self->pipe;
	struct pipe_buf bufs[sizeof(name)];
	unsigned int i;

	for (i = 0; i < sizeof(name); i++)
		EXPECT_EQ(1, pipe_write_bytes(pipe, &name[i], 1));
	EXPECT_TRUE(is_zero(pipe, self->data, self->bytes));

	/* Each byte in a buffer of its own, in one command, far apart. */
	reopen(pipe);
	for (i = 0; i < sizeof(name); i++) {
		self->bytes[100 * i] = name[i];
		bufs[i] = (struct pipe_buf){ self->data + 100 * i, 1 };
	}
	EXPECT_EQ((int32_t)sizeof(name),
		  pipe_transfer(pipe, GOLDFISH_PIPE_CMD_WRITE, bufs,
				sizeof(name)));
	EXPECT_TRUE(is_zero(pipe, self->data, self->bytes));
}

/* Bytes after the NUL are left for the service: the count is short. */
TEST_F_TIMEOUT(connector, bytes_behind_the_name, TIMEOUT)
{
	static const char name[] = "pipe:pingpong\0hello";
	const int32_t taken = strlen(name) + 1;
	const int32_t rest = sizeof(name) - 1 - taken;
	struct test_pipe *pipe = &self->pipe;
	struct pipe_buf bufs[2];

	EXPECT_EQ(taken, pipe_write_bytes(pipe, name, taken + rest));
	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(rest, pipe_write_bytes(pipe, name + taken, rest));
	EXPECT_EQ(rest, pipe_read(pipe, self->data, 100));
	EXPECT_EQ(0, memcmp(self->bytes, "hello", rest));

	/* The same in two buffers of one command. */
	reopen(pipe);
	memcpy(self->bytes, name, sizeof(name));
	bufs[0] = (struct pipe_buf){ self->data, taken };
	bufs[1] = (struct pipe_buf){ self->data + taken, rest };
	EXPECT_EQ(taken,
		  pipe_transfer(pipe, GOLDFISH_PIPE_CMD_WRITE, bufs, 2));
	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));

	/* A second page of it: bytes after the NUL are not read. */
	reopen(pipe);
	memset(self->bytes, 'x', 2 * PIPE_PAGE);
	memcpy(self->bytes, name, taken);
	EXPECT_EQ(taken, pipe_write(pipe, self->data, 2 * PIPE_PAGE));
}

/* A name of @len characters that asks for pipe:zero, without its NUL. */
static void long_name(uint8_t *to, uint32_t len)
{
	memset(to, 'a', len);
	memcpy(to, "pipe:zero:", 10);
	to[len] = 0;
}

TEST_F_TIMEOUT(connector, longest_name, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	uint32_t len;

	for (len = NAME_SIZE - 3; len < NAME_SIZE; len++) {
		long_name(self->bytes, len);
		EXPECT_EQ((int32_t)len + 1,
			  pipe_write(pipe, self->data, len + 1));
		EXPECT_TRUE(is_zero(pipe, self->data, self->bytes));
		reopen(pipe);
	}
	/* In two writes, the second of which is the NUL alone. */
	long_name(self->bytes, NAME_SIZE - 1);
	EXPECT_EQ(NAME_SIZE - 1, pipe_write(pipe, self->data, NAME_SIZE - 1));
	EXPECT_EQ(1, pipe_write(pipe, self->data + NAME_SIZE - 1, 1));
	EXPECT_TRUE(is_zero(pipe, self->data, self->bytes));
}

TEST_F_TIMEOUT(connector, name_too_long, TIMEOUT)
{
	const uint32_t lens[] = { NAME_SIZE, NAME_SIZE + 1, 1000, PIPE_PAGE };
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		long_name(self->bytes, lens[i]);
		EXPECT_EQ(IO, pipe_write(pipe, self->data, lens[i] + 1))
		{
			TH_LOG("%u characters", lens[i]);
		}
		EXPECT_EQ(0, pipe->cmd->consumed_size);
		/* For good: neither a NUL nor a right name helps now. */
		EXPECT_EQ(IO, pipe_write_bytes(pipe, "", 1));
		EXPECT_EQ(IO, __pipe_connect(pipe, "pipe:zero"));
		EXPECT_EQ(IO, pipe_read(pipe, self->data, 1));
		reopen(pipe);
	}

	/* 127 characters are fine so far, the 128th is not. */
	long_name(self->bytes, NAME_SIZE);
	EXPECT_EQ(NAME_SIZE - 1, pipe_write(pipe, self->data, NAME_SIZE - 1));
	EXPECT_EQ(IO, pipe_write(pipe, self->data + NAME_SIZE - 1, 1));
	EXPECT_EQ(IO, pipe_write_bytes(pipe, "", 1));
	reopen(pipe);
	EXPECT_EQ(10, __pipe_connect(pipe, "pipe:zero"));
}

/* After a close in the middle of a name, the next pipe starts with an empty name. */
TEST_F_TIMEOUT(connector, half_a_name_is_forgotten, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;

	EXPECT_EQ(7, pipe_write_bytes(pipe, "pipe:ze", 7));
	reopen(pipe);
	EXPECT_EQ(INVAL, pipe_write_bytes(pipe, "ro", 3));
	reopen(pipe);
	EXPECT_EQ(10, __pipe_connect(pipe, "pipe:zero"));
}

TEST_F_TIMEOUT(connector, hang_up_half_way, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;

	EXPECT_EQ(7, pipe_write_bytes(pipe, "pipe:ze", 7));
	pipe_hang_up(&self->dev, 0);
	EXPECT_EQ(IO, pipe_write_bytes(pipe, "ro", 3));
	reopen(pipe);
	EXPECT_EQ(10, __pipe_connect(pipe, "pipe:zero"));
}

TEST_HARNESS_MAIN
