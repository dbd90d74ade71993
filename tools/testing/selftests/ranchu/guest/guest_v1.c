// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protocol v1 from inside a guest that has no driver for the pipe: registers by
 * /dev/mem, buffers of this process by their physical addresses, as the drivers of
 * old had them. Afterwards the device speaks v2 again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/goldfish_pipe.h>
#include <linux/ranchu.h>
#include <linux/ranchu_pc.h>

#include "guest.h"

#ifdef __x86_64__
#define PIPE_BASE	RANCHU_PC_PIPE_BASE
#else
#define PIPE_BASE	RANCHU_PIPE_BASE
#endif
#define PAGE		4096u
#define READS		1000

/* The low half of such an object's address must not be 0. */
#define CHANNEL		0xffffff8000001000ull
#define CHANNEL32	0x00001000u

static volatile uint32_t *regs;
static uint8_t *page;
static uint64_t gpa;

static void set(uint32_t offset, uint32_t value)
{
	__sync_synchronize();
	regs[offset / 4] = value;
}

static uint32_t get(uint32_t offset)
{
	uint32_t value = regs[offset / 4];

	__sync_synchronize();
	return value;
}

static uint64_t physical(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	CHECK(fd >= 0, "errno %d", errno);
	CHECK(pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * 8) == sizeof(entry),
	      "errno %d", errno);
	close(fd);
	entry &= (1ull << 55) - 1;
	CHECK(entry, "no frame number");
	return entry * PAGE;
}

static void start(uint32_t version, uint32_t answer)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);

	CHECK(fd >= 0, "errno %d", errno);
	regs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PIPE_BASE);
	CHECK(regs != MAP_FAILED, "errno %d", errno);
	close(fd);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	CHECK(page != MAP_FAILED, "errno %d", errno);
	memset(page, 0, PAGE);
	gpa = physical(page);
	set(GOLDFISH_PIPE_REG_VERSION, version);
	CHECK(get(GOLDFISH_PIPE_REG_VERSION) == answer, "%u",
	      get(GOLDFISH_PIPE_REG_VERSION));
}

static int32_t command(uint64_t channel, uint32_t cmd)
{
	set(GOLDFISH_PIPE_V1_CHANNEL_HIGH, channel >> 32);
	set(GOLDFISH_PIPE_V1_CHANNEL, channel);
	set(GOLDFISH_PIPE_V1_COMMAND, cmd);
	return get(GOLDFISH_PIPE_V1_STATUS);
}

static int32_t move(uint64_t channel, uint32_t cmd, unsigned int at, uint32_t size)
{
	set(GOLDFISH_PIPE_V1_SIZE, size);
	set(GOLDFISH_PIPE_V1_ADDRESS_HIGH, (gpa + at) >> 32);
	set(GOLDFISH_PIPE_V1_ADDRESS, gpa + at);
	return command(channel, cmd);
}

static void connect_channel(uint64_t channel)
{
	int32_t ret = command(channel, GOLDFISH_PIPE_CMD_OPEN);

	CHECK(!ret, "%d", ret);
	memcpy(page, "pipe:pingpong", 14);
	ret = move(channel, GOLDFISH_PIPE_CMD_WRITE, 0, 14);
	CHECK(ret == 14, "%d", ret);
}

static void registers(void)
{
	uint64_t channel;
	int32_t ret;

	start(1, 1);
	connect_channel(CHANNEL);
	ret = move(CHANNEL, GOLDFISH_PIPE_CMD_READ, 0, 100);
	CHECK(ret == GOLDFISH_PIPE_ERROR_AGAIN, "%d", ret);
	ret = command(CHANNEL, GOLDFISH_PIPE_CMD_WAKE_ON_READ);
	CHECK(!ret, "%d", ret);
	CHECK(!get(GOLDFISH_PIPE_V1_CHANNEL), "a wake that nobody caused");
	guest_fill(page, 1000, 1);
	ret = move(CHANNEL, GOLDFISH_PIPE_CMD_WRITE, 0, 1000);
	CHECK(ret == 1000, "%d", ret);
	channel = (uint64_t)get(GOLDFISH_PIPE_V1_CHANNEL_HIGH) << 32;
	channel |= get(GOLDFISH_PIPE_V1_CHANNEL);
	CHECK(channel == CHANNEL, "0x%llx", (unsigned long long)channel);
	CHECK(get(GOLDFISH_PIPE_V1_WAKES) == GOLDFISH_PIPE_WAKE_READ, "%u",
	      get(GOLDFISH_PIPE_V1_WAKES));
	CHECK(!get(GOLDFISH_PIPE_V1_CHANNEL), "the wake came twice");
	ret = move(CHANNEL, GOLDFISH_PIPE_CMD_READ, 2000, 2000);
	CHECK(ret == 1000, "%d", ret);
	CHECK(!memcmp(page, page + 2000, 1000), "other bytes");
	ret = command(CHANNEL, GOLDFISH_PIPE_CMD_POLL);
	CHECK(ret == GOLDFISH_PIPE_POLL_OUT, "%d", ret);
	command(CHANNEL, GOLDFISH_PIPE_CMD_CLOSE);
	ret = command(CHANNEL, GOLDFISH_PIPE_CMD_POLL);
	CHECK(ret == GOLDFISH_PIPE_ERROR_INVAL, "%d", ret);
}

static void parameter_block(void)
{
	struct goldfish_pipe_v1_params *block;
	struct goldfish_pipe_v1_params64 *wide;

	start(1, 1);
	connect_channel(CHANNEL32);
	block = (void *)(page + 1024);
	set(GOLDFISH_PIPE_V1_PARAMS_LOW, gpa + 1024);
	set(GOLDFISH_PIPE_V1_PARAMS_HIGH, gpa >> 32);
	*block = (struct goldfish_pipe_v1_params){
		.channel = CHANNEL32, .size = 14, .address = gpa,
		.cmd = GOLDFISH_PIPE_CMD_WRITE, .result = 0xdeadbeaf,
	};
	set(GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	CHECK(block->result == 14, "%u", block->result);
	/* This guest's memory is below 4 GiB: the device cannot tell the forms apart. */
	wide = (void *)block;
	*wide = (struct goldfish_pipe_v1_params64){
		.channel = CHANNEL32, .size = 14, .address = gpa + 2048,
		.cmd = GOLDFISH_PIPE_CMD_READ, .result = 0xdeadbeaf,
	};
	set(GOLDFISH_PIPE_V1_ACCESS_PARAMS, 1);
	CHECK(wide->result == 0xdeadbeaf, "%u", wide->result);
	CHECK(move(CHANNEL32, GOLDFISH_PIPE_CMD_READ, 2048, 100) == 14, "by registers");
	CHECK(!memcmp(page, page + 2048, 14), "other bytes");
}

/* With v2 its window is there again, and these reads do not exit. */
static void and_v2_again(void)
{
	unsigned int i;

	start(2, 2);
	puts("RANCHU-MARK begin v1");
	for (i = 0; i < READS; i++) {
		CHECK(get(GOLDFISH_PIPE_REG_VERSION) == 2, "read %u", i);
		CHECK(!get(GOLDFISH_PIPE_REG_GET_SIGNALLED), "read %u", i);
	}
	puts("RANCHU-MARK end v1");
}

static const struct guest_case tests[] = {
	{ "v1_registers", registers, true },
	{ "v1_parameter_block", parameter_block, true },
	{ "v1_and_v2_again", and_v2_again, true },
};

int guest_v1(void)
{
	return guest_run(tests, ARRAY_SIZE(tests), false);
}
