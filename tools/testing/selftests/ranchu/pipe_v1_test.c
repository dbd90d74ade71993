// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protocol v1 of the goldfish pipe, as used by drivers before November 2016: channels,
 * one set of registers, parameter blocks of 32 and 64 bits, and hostile guests. Registers
 * are ACCESS ioctls; some tests have a VMM's doorbells and register window.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT			300

#define MEM_SIZE		(16u << 20)
/* Where a 64-bit parameter block can be told from a 32-bit one. */
#define HIGH_BASE		(1ull << 32)
#define HIGH_SIZE		(4u << 20)

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO

#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT

/* What KV1 drivers preset, to see whether a block was served. */
#define UNTOUCHED		0xdeadbeafu

/* As a 64-bit driver has them: addresses of its objects. */
#define CHANNEL			0xffffff8012345678ull

FIXTURE(v1)
{
	struct pipe_mem mem[2];
	struct pipe_dev dev;
	uint64_t data;
	uint8_t *bytes;
	uint64_t high;
	uint8_t *high_bytes;
	uint64_t block;
};

FIXTURE_SETUP(v1)
{
	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	pipe_mem_create(&self->mem[0], RANCHU_RAM_BASE, MEM_SIZE);
	pipe_mem_create(&self->mem[1], HIGH_BASE, HIGH_SIZE);
	pipe_dev_open(&self->dev, &self->mem[0]);
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	ASSERT_EQ(0, __pipe_set_mem_table(&self->dev, self->mem, 2));
	self->data = pipe_mem_alloc(&self->mem[0], 2u << 20, PIPE_PAGE);
	self->bytes = pipe_mem_hva(&self->mem[0], self->data, 2u << 20);
	self->high = pipe_mem_alloc(&self->mem[1], 2u << 20, PIPE_PAGE);
	self->high_bytes = pipe_mem_hva(&self->mem[1], self->high, 2u << 20);
	self->block = pipe_mem_alloc(&self->mem[0], PIPE_PAGE, PIPE_PAGE);
}

FIXTURE_TEARDOWN(v1)
{
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem[1]);
	pipe_mem_destroy(&self->mem[0]);
}

static void set_channel(struct pipe_dev *dev, uint64_t channel)
{
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_CHANNEL_HIGH, channel >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_CHANNEL, channel);
}

static int32_t status(struct pipe_dev *dev)
{
	return pipe_reg_read(dev, GOLDFISH_PIPE_V1_STATUS);
}

static int32_t command(struct pipe_dev *dev, uint64_t channel, uint32_t cmd)
{
	set_channel(dev, channel);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_COMMAND, cmd);
	return status(dev);
}

static int32_t transfer(struct pipe_dev *dev, uint64_t channel, uint32_t cmd, uint64_t gpa,
			uint32_t size)
{
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_SIZE, size);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ADDRESS_HIGH, gpa >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ADDRESS, gpa);
	return command(dev, channel, cmd);
}

static int32_t v1_write(struct pipe_dev *dev, uint64_t channel, uint64_t gpa, uint32_t size)
{
	return transfer(dev, channel, GOLDFISH_PIPE_CMD_WRITE, gpa, size);
}

static int32_t v1_read(struct pipe_dev *dev, uint64_t channel, uint64_t gpa, uint32_t size)
{
	return transfer(dev, channel, GOLDFISH_PIPE_CMD_READ, gpa, size);
}

/* Opens @channel and connects it, by way of guest memory at @scratch. */
static void v1_connect(struct pipe_dev *dev, uint64_t channel, const char *name,
		       uint64_t scratch, void *bytes)
{
	uint32_t size = strlen(name) + 1;
	int32_t ret = command(dev, channel, GOLDFISH_PIPE_CMD_OPEN);

	if (ret)
		pipe_die("OPEN of channel 0x%llx: %d", (unsigned long long)channel, ret);
	memcpy(bytes, name, size);
	ret = v1_write(dev, channel, scratch, size);
	if (ret != (int32_t)size)
		pipe_die("%s: %d", name, ret);
}

#define CONNECT(channel, name) \
	v1_connect(&self->dev, channel, name, self->data, self->bytes)

/* One step of a driver's interrupt handler; returns the channel, 0 for none. */
static uint64_t next_signalled(struct pipe_dev *dev, bool wide, uint32_t *wakes)
{
	uint64_t channel = 0;

	if (wide)
		channel = (uint64_t)pipe_reg_read(dev, GOLDFISH_PIPE_V1_CHANNEL_HIGH) << 32;
	channel |= pipe_reg_read(dev, GOLDFISH_PIPE_V1_CHANNEL);
	if (channel)
		*wakes = pipe_reg_read(dev, GOLDFISH_PIPE_V1_WAKES);
	return channel;
}

static void set_params(struct pipe_dev *dev, uint64_t gpa)
{
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_PARAMS_LOW, gpa);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_PARAMS_HIGH, gpa >> 32);
}

static uint32_t run_narrow(struct pipe_dev *dev, struct goldfish_pipe_v1_params *block)
{
	block->result = UNTOUCHED;
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	return *(volatile uint32_t *)&block->result;
}

static uint32_t run_wide(struct pipe_dev *dev, struct goldfish_pipe_v1_params64 *block)
{
	block->result = UNTOUCHED;
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	return *(volatile uint32_t *)&block->result;
}

/* The sheet's offsets, and the word that tells the forms apart. */
_Static_assert(sizeof(struct goldfish_pipe_v1_params) == 24, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params, cmd) == 0x0c, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params, result) == 0x10, "");
_Static_assert(sizeof(struct goldfish_pipe_v1_params64) == 40, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params64, address) == 0x10, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params64, cmd) == 0x18, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params64, result) == 0x1c, "");
_Static_assert(offsetof(struct goldfish_pipe_v1_params, flags) ==
	       offsetof(struct goldfish_pipe_v1_params64, address) + 4, "");

TEST_F_TIMEOUT(v1, commands, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	const uint64_t absent = CHANNEL + 0x100;
	uint32_t cmd;

	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
	EXPECT_EQ(INVAL, command(dev, absent, 0));
	for (cmd = GOLDFISH_PIPE_CMD_CLOSE; cmd < 16; cmd++)
		EXPECT_EQ(INVAL, command(dev, absent, cmd));
	CONNECT(CHANNEL, "pipe:pingpong");
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
	EXPECT_EQ(INVAL, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(AGAIN, v1_read(dev, CHANNEL, self->data, 100));
	memcpy(self->bytes, "v1 speaks", 9);
	EXPECT_EQ(9, v1_write(dev, CHANNEL, self->data, 9));
	EXPECT_EQ(IN | OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(4, v1_read(dev, CHANNEL, self->high, 4));
	EXPECT_EQ(5, v1_read(dev, CHANNEL, self->high + 4, 100));
	EXPECT_EQ(0, memcmp(self->high_bytes, "v1 speaks", 9));

	/* Commands that v1 does not have, and CLOSE, do not change STATUS. */
	EXPECT_EQ(OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(OUT, command(dev, CHANNEL, 0));
	for (cmd = 8; cmd < 16; cmd++)
		EXPECT_EQ(OUT, command(dev, CHANNEL, cmd));
	EXPECT_EQ(OUT, command(dev, CHANNEL, UINT32_MAX));
	EXPECT_EQ(OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_CLOSE));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
	EXPECT_EQ(INVAL, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_CLOSE));
}

TEST_F_TIMEOUT(v1, refusals, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint64_t before = pipe_stat_bad_guest(dev);

	/* Such a channel could not be told from none. */
	EXPECT_EQ(INVAL, command(dev, 0, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(INVAL, command(dev, 7ull << 32, GOLDFISH_PIPE_CMD_OPEN));
	CONNECT(CHANNEL, "pipe:pingpong");
	/* Not all of it is guest memory, or nothing is there. */
	EXPECT_EQ(INVAL, v1_write(dev, CHANNEL, 0x1000, 1));
	EXPECT_EQ(INVAL, v1_write(dev, CHANNEL, UINT64_MAX, 2));
	EXPECT_EQ(INVAL, v1_write(dev, CHANNEL, RANCHU_RAM_BASE + MEM_SIZE - 1, 2));
	EXPECT_EQ(INVAL, v1_read(dev, CHANNEL, RANCHU_RAM_BASE - 1, 2));
	EXPECT_EQ(INVAL, v1_write(dev, CHANNEL, self->data, 0));
	/* No more than in v2 is moved at once. */
	EXPECT_EQ(2 << 20, v1_write(dev, CHANNEL, self->data, UINT32_MAX));
	EXPECT_EQ(1, v1_write(dev, CHANNEL, RANCHU_RAM_BASE + MEM_SIZE - 1, 1));
	EXPECT_LT(before, pipe_stat_bad_guest(dev));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));

	EXPECT_EQ(0, command(dev, CHANNEL + 8, GOLDFISH_PIPE_CMD_OPEN));
	memcpy(self->bytes, "pipe:nobody", 12);
	EXPECT_EQ(INVAL, v1_write(dev, CHANNEL + 8, self->data, 12));
}

TEST_F_TIMEOUT(v1, as_many_pipes_as_in_v2, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	unsigned int i;

	for (i = 1; i <= VHOST_GOLDFISH_PIPE_MAX_ID; i++)
		ASSERT_EQ(0, command(dev, (uint64_t)i << 20 | 1, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(INVAL, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_OPEN));
	command(dev, 77ull << 20 | 1, GOLDFISH_PIPE_CMD_CLOSE);
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_OPEN));
	EXPECT_EQ(INVAL, command(dev, 77ull << 20 | 1, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(VHOST_GOLDFISH_PIPE_MAX_ID, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(v1, wakes, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint32_t wakes = 0;
	bool wide;

	for (wide = false;; wide = true) {
		const uint64_t a = wide ? CHANNEL : 0x1000, b = a + 0x80;

		CONNECT(a, "pipe:pingpong");
		CONNECT(b, "pipe:pingpong");
		EXPECT_EQ(0, command(dev, a, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
		EXPECT_EQ(0, command(dev, b, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
		EXPECT_FALSE(pipe_line_level(dev));
		EXPECT_EQ(3, v1_write(dev, b, self->data, 3));
		EXPECT_TRUE(pipe_line_level(dev));
		EXPECT_EQ(3, v1_write(dev, a, self->data, 3));
		/* First in, first out; the line stays until nobody is left. */
		EXPECT_EQ(b, next_signalled(dev, wide, &wakes));
		EXPECT_EQ(GOLDFISH_PIPE_WAKE_READ, wakes);
		EXPECT_TRUE(pipe_line_level(dev));
		EXPECT_EQ(a, next_signalled(dev, wide, &wakes));
		EXPECT_EQ(GOLDFISH_PIPE_WAKE_READ, wakes);
		EXPECT_TRUE(pipe_line_level(dev));
		EXPECT_EQ(0, next_signalled(dev, wide, &wakes));
		EXPECT_FALSE(pipe_line_level(dev));

		/* What is so already is told at once, and once. */
		EXPECT_EQ(0, command(dev, a, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
		EXPECT_EQ(a, next_signalled(dev, wide, &wakes));
		EXPECT_EQ(GOLDFISH_PIPE_WAKE_WRITE, wakes);
		EXPECT_EQ(0, next_signalled(dev, wide, &wakes));

		/* A pipe that is closed has nothing to tell. */
		EXPECT_EQ(0, command(dev, b, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
		command(dev, b, GOLDFISH_PIPE_CMD_CLOSE);
		EXPECT_EQ(0, next_signalled(dev, wide, &wakes));
		EXPECT_FALSE(pipe_line_level(dev));
		command(dev, a, GOLDFISH_PIPE_CMD_CLOSE);
		if (wide)
			break;
	}
}

TEST_F_TIMEOUT(v1, hung_up, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint32_t wakes = 0;

	CONNECT(CHANNEL, "pipe:pingpong");
	/* The first id that was free. */
	pipe_hang_up(dev, 0);
	pipe_wait_line(dev);
	EXPECT_EQ(CHANNEL, next_signalled(dev, true, &wakes));
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_CLOSED, wakes);
	EXPECT_EQ(0, next_signalled(dev, true, &wakes));
	EXPECT_EQ(IO, v1_write(dev, CHANNEL, self->data, 1));
	EXPECT_EQ(IO, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(IO, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	/* As in v2, a guest that is about to wait is told again. */
	EXPECT_EQ(CHANNEL, next_signalled(dev, true, &wakes));
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_CLOSED, wakes);
	EXPECT_EQ(IO, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_CLOSE));
	CONNECT(CHANNEL, "pipe:pingpong");
	EXPECT_EQ(OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
}

TEST_F_TIMEOUT(v1, parameter_block_of_32_bits, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct goldfish_pipe_v1_params *block = pipe_mem_hva(dev->mem, self->block, PIPE_PAGE);
	const uint32_t channel = 0xc0ffee00;

	CONNECT(channel, "pipe:pingpong");
	/* Without an address there is no block. */
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	set_params(dev, self->block);
	EXPECT_EQ((uint32_t)self->block, pipe_reg_read(dev, GOLDFISH_PIPE_V1_PARAMS_LOW));
	EXPECT_EQ(self->block >> 32, pipe_reg_read(dev, GOLDFISH_PIPE_V1_PARAMS_HIGH));
	memcpy(self->bytes, "narrow", 6);
	*block = (struct goldfish_pipe_v1_params){
		.channel = channel, .size = 6, .address = self->data,
		.cmd = GOLDFISH_PIPE_CMD_WRITE,
	};
	EXPECT_EQ(6, run_narrow(dev, block));
	EXPECT_EQ(6, status(dev));
	block->cmd = GOLDFISH_PIPE_CMD_READ;
	block->address = self->data + 0x1000;
	block->size = 100;
	EXPECT_EQ(6, run_narrow(dev, block));
	EXPECT_EQ(0, memcmp(self->bytes + 0x1000, "narrow", 6));
	EXPECT_EQ((uint32_t)AGAIN, run_narrow(dev, block));
	block->address = 0x10;
	EXPECT_EQ((uint32_t)INVAL, run_narrow(dev, block));
	block->channel++;
	EXPECT_EQ((uint32_t)INVAL, run_narrow(dev, block));
	block->channel--;
	/* Other commands come by the register only. */
	block->cmd = GOLDFISH_PIPE_CMD_CLOSE;
	EXPECT_EQ(UNTOUCHED, run_narrow(dev, block));
	block->cmd = GOLDFISH_PIPE_CMD_POLL;
	EXPECT_EQ(UNTOUCHED, run_narrow(dev, block));
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(v1, parameter_block_of_64_bits, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	struct goldfish_pipe_v1_params64 *block = pipe_mem_hva(dev->mem, self->block, PIPE_PAGE);

	CONNECT(CHANNEL, "pipe:pingpong");
	set_params(dev, self->block);
	memcpy(self->high_bytes, "wide", 4);
	*block = (struct goldfish_pipe_v1_params64){
		.channel = CHANNEL, .size = 4, .address = self->high,
		.cmd = GOLDFISH_PIPE_CMD_WRITE,
	};
	EXPECT_EQ(4, run_wide(dev, block));
	block->cmd = GOLDFISH_PIPE_CMD_READ;
	block->address = self->high + 0x1000;
	block->size = 100;
	EXPECT_EQ(4, run_wide(dev, block));
	EXPECT_EQ(0, memcmp(self->high_bytes + 0x1000, "wide", 4));
	block->address = HIGH_BASE + HIGH_SIZE - 1;
	EXPECT_EQ((uint32_t)INVAL, run_wide(dev, block));
	block->cmd = GOLDFISH_PIPE_CMD_CLOSE;
	EXPECT_EQ(UNTOUCHED, run_wide(dev, block));
	block->flags = 1;
	block->cmd = GOLDFISH_PIPE_CMD_READ;
	block->address = self->high;
	EXPECT_EQ((uint32_t)AGAIN, run_wide(dev, block));

	/* The trap: below 4 GiB it is taken for the other, and ignored. */
	block->address = self->data;
	EXPECT_EQ(UNTOUCHED, run_wide(dev, block));
	EXPECT_EQ(AGAIN, v1_read(dev, CHANNEL, self->data, 100));
}

TEST_F_TIMEOUT(v1, parameter_block_at_the_end_of_memory, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	const uint64_t end = RANCHU_RAM_BASE + MEM_SIZE;
	struct goldfish_pipe_v1_params narrow = {
		.channel = 0x1000, .size = 1, .address = self->data,
		.cmd = GOLDFISH_PIPE_CMD_WRITE, .result = UNTOUCHED,
	};
	struct goldfish_pipe_v1_params64 wide = {
		.channel = 0x1000, .size = 1, .address = self->high,
		.cmd = GOLDFISH_PIPE_CMD_WRITE, .result = UNTOUCHED,
	};
	unsigned int size;
	uint8_t *at;

	CONNECT(0x1000, "pipe:pingpong");
	/* Every length that is left, of either form: it is served or it is not. */
	for (size = 1; size <= sizeof(wide); size++) {
		at = pipe_mem_hva(dev->mem, end - size, size);
		memcpy(at, &narrow, size < sizeof(narrow) ? size : sizeof(narrow));
		set_params(dev, end - size);
		pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
		EXPECT_EQ(size >= sizeof(narrow) ? 1 : AGAIN,
			  v1_read(dev, 0x1000, self->data + 0x1000, 100));
		memcpy(at, &wide, size);
		pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
		EXPECT_EQ(size >= sizeof(wide) ? 1 : AGAIN,
			  v1_read(dev, 0x1000, self->data + 0x1000, 100));
	}
	set_params(dev, UINT64_MAX - 4);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	set_params(dev, 0x2000);
	pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	EXPECT_EQ(1, pipe_stat_open_pipes(dev));
}

TEST_F_TIMEOUT(v1, version_read_starts_anew, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	uint32_t wakes = 0;

	set_params(dev, self->block);
	CONNECT(CHANNEL, "pipe:pingpong");
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	EXPECT_TRUE(pipe_line_level(dev));
	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
	EXPECT_FALSE(pipe_line_level(dev));
	EXPECT_EQ(0, next_signalled(dev, true, &wakes));
	EXPECT_EQ(INVAL, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ((uint32_t)self->block, pipe_reg_read(dev, GOLDFISH_PIPE_V1_PARAMS_LOW));
}

static bool told_v1(struct pipe_dev *dev)
{
	struct vhost_goldfish_pipe_access access = { .offset = PIPE_REG_UNUSED };

	if (__pipe_access(dev, &access))
		pipe_die("ACCESS");
	return access.flags & VHOST_GOLDFISH_PIPE_ACCESS_V1;
}

TEST_F_TIMEOUT(v1, guest_decides, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	const uint32_t others[] = { 0, 1, 5 };
	struct test_pipe pipe;
	uint32_t wakes = 0;
	unsigned int i;

	EXPECT_TRUE(told_v1(dev));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		CONNECT(CHANNEL, "pipe:pingpong");
		EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));

		/* To v2: the channel is closed, and its wakes are dropped. */
		pipe_handshake(dev);
		EXPECT_FALSE(told_v1(dev));
		EXPECT_EQ(0, pipe_stat_open_pipes(dev));
		EXPECT_EQ(0, pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED));
		EXPECT_EQ(0, pipe_reg_read(dev, GOLDFISH_PIPE_V1_STATUS));
		pipe_connect(dev, &pipe, 3, "pipe:pingpong");
		EXPECT_EQ(5, pipe_write(&pipe, self->data, 5));
		EXPECT_EQ(0, pipe_command(&pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
		pipe_wait_line(dev);

		/* To v1: the same the other way round. */
		pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, others[i]);
		EXPECT_TRUE(told_v1(dev));
		EXPECT_EQ(0, pipe_stat_open_pipes(dev));
		EXPECT_FALSE(pipe_line_level(dev));
		EXPECT_EQ(0, next_signalled(dev, true, &wakes));
		EXPECT_EQ((int32_t)PIPE_PRESET, pipe_command(&pipe, GOLDFISH_PIPE_CMD_POLL));
		EXPECT_EQ(INVAL, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	}
}

TEST_F_TIMEOUT(v1, doorbell_left_by_v2, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats stats;
	struct pipe_dev *dev = &self->dev;
	int bell = eventfd(0, EFD_CLOEXEC);

	if (__pipe_set_doorbell(dev, GOLDFISH_PIPE_CMD_OPEN, bell))
		SKIP(return, "no doorbells");
	set_channel(dev, CHANNEL);
	/* We are no vCPU, so it is the worker who runs the command. */
	ASSERT_EQ(0, eventfd_write(bell, 1));
	do {
		pipe_get_stats(dev, &stats);
	} while (!stats.pipes);
	EXPECT_EQ(0, status(dev));
	EXPECT_EQ(OUT, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_POLL));
	close(bell);
}

TEST_F_TIMEOUT(v1, window_and_interrupt, TIMEOUT)
{
	struct pipe_dev *dev = &self->dev;
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint32_t *page = mmap(NULL, PIPE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t wakes = 0;
	eventfd_t count;

	ASSERT_NE(MAP_FAILED, (void *)page);
	ASSERT_EQ(0, __pipe_set_line(dev, call, resample));
	ASSERT_EQ(0, __pipe_set_window(dev, page));
	CONNECT(CHANNEL, "pipe:pingpong");
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	ASSERT_EQ(0, eventfd_read(call, &count));
	EXPECT_EQ(1, page[GOLDFISH_PIPE_REG_VERSION / 4]);
	EXPECT_EQ(0, page[GOLDFISH_PIPE_REG_GET_SIGNALLED / 4]);
	/* The guest ends the interrupt and has not looked: it comes again. */
	ASSERT_EQ(0, eventfd_write(resample, 1));
	while (eventfd_read(call, &count))
		;
	EXPECT_EQ(CHANNEL, next_signalled(dev, true, &wakes));
	EXPECT_EQ(0, next_signalled(dev, true, &wakes));
	ASSERT_EQ(0, eventfd_write(resample, 1));
	/* By the end of that interrupt, a wake is announced. */
	EXPECT_EQ(0, command(dev, CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	while (eventfd_read(call, &count))
		;
	EXPECT_EQ(CHANNEL, next_signalled(dev, true, &wakes));
	pipe_dev_close(dev);
	close(call);
	close(resample);
	munmap(page, PIPE_PAGE);
}

TEST_F_TIMEOUT(v1, scribbles, TIMEOUT)
{
	struct pipe_random random = { .state = 1 };
	struct pipe_dev *dev = &self->dev;
	uint32_t *block = pipe_mem_hva(dev->mem, self->block, PIPE_PAGE);
	const uint64_t gpas[] = {
		self->data, self->high, self->block, 0, UINT64_MAX, HIGH_BASE - 1,
		RANCHU_RAM_BASE + MEM_SIZE - 3, HIGH_BASE + HIGH_SIZE - 5,
	};
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		const uint64_t r = pipe_random(&random);
		const uint64_t gpa = gpas[r % ARRAY_SIZE(gpas)];
		const uint64_t channel = 1 + (r >> 8) % 5;

		switch ((r >> 16) % 6) {
		case 0:
			pipe_reg_write(dev, (r >> 24) % 16 * 4, r >> 32);
			break;
		case 1:
			pipe_reg_read(dev, (r >> 24) % 16 * 4);
			break;
		case 2:
			set_params(dev, gpa);
			break;
		case 3:
			block[(r >> 24) % 12] = (r >> 32) % 8;
			block[0] = channel;
			pipe_reg_write(dev, GOLDFISH_PIPE_V1_ACCESS_PARAMS, 0);
			break;
		case 4:
			transfer(dev, channel, (r >> 24) % 9, gpa, (r >> 32) % 5000);
			break;
		default:
			if (command(dev, channel, GOLDFISH_PIPE_CMD_OPEN) == 0) {
				memcpy(self->bytes, "pipe:pingpong", 14);
				v1_write(dev, channel, self->data, 14);
			}
		}
	}
	/* It still serves a correct driver. */
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, 1);
	EXPECT_EQ(1, pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION));
	EXPECT_EQ(0, pipe_stat_open_pipes(dev));
	CONNECT(CHANNEL, "pipe:pingpong");
	memcpy(self->bytes, "still", 5);
	EXPECT_EQ(5, v1_write(dev, CHANNEL, self->data, 5));
	EXPECT_EQ(5, v1_read(dev, CHANNEL, self->data + 0x1000, 100));
	EXPECT_EQ(0, memcmp(self->bytes + 0x1000, "still", 5));
	pipe_handshake(dev);
}

TEST_HARNESS_MAIN
