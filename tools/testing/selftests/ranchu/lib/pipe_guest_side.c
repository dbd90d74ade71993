// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's end of the pipe protocol, through ACCESS ioctls instead of a
 * vCPU: fast, and able to send commands that no driver sends.
 */
#define _GNU_SOURCE
#include <string.h>

#include "pipe_dev.h"

/* What consumed_size holds before a transfer; no transfer is as large. */
#define CONSUMED_PRESET		0x7d7d7d7du

void pipe_set_signal_buffer(struct pipe_dev *dev, uint64_t gpa, uint32_t count)
{
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_HIGH, gpa >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER, gpa);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_SIGNAL_BUFFER_COUNT, count);
	dev->signal_gpa = gpa;
}

void pipe_set_open_buffer(struct pipe_dev *dev, uint64_t gpa)
{
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER_HIGH, gpa >> 32);
	pipe_reg_write(dev, GOLDFISH_PIPE_REG_OPEN_BUFFER, gpa);
	dev->open_gpa = gpa;
}

void pipe_handshake(struct pipe_dev *dev)
{
	uint32_t version;
	uint64_t page;

	pipe_reg_write(dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
	version = pipe_reg_read(dev, GOLDFISH_PIPE_REG_VERSION);
	if (version != GOLDFISH_PIPE_DEVICE_VERSION)
		pipe_die("the device answers version %u", version);

	/* One page for both, as mainline's driver has it. */
	page = pipe_mem_alloc(dev->mem, PIPE_PAGE, PIPE_PAGE);
	pipe_set_signal_buffer(dev,
			       page + sizeof(struct goldfish_pipe_open_params),
			       PIPE_DRIVER_SIGNALS);
	pipe_set_open_buffer(dev, page);
}

int __pipe_guest_start(struct pipe_dev *dev, struct pipe_mem *mem, size_t size)
{
	int ret = __pipe_dev_open(dev, NULL);

	if (ret)
		return ret;
	pipe_dev_close(dev);
	pipe_mem_create(mem, RANCHU_RAM_BASE, size);
	pipe_dev_start(dev, mem);
	pipe_handshake(dev);
	return 0;
}

struct goldfish_pipe_signal pipe_signal(struct pipe_dev *dev, unsigned int i)
{
	struct goldfish_pipe_signal entry;
	uint64_t gpa = dev->signal_gpa + i * sizeof(entry);

	memcpy(&entry, pipe_mem_hva(dev->mem, gpa, sizeof(entry)),
	       sizeof(entry));
	return entry;
}

void pipe_prepare(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		  uint32_t max)
{
	uint32_t room = max > GOLDFISH_PIPE_MAX_BUFFERS ?
				GOLDFISH_PIPE_MAX_BUFFERS :
				max;
	uint64_t gpa = pipe_mem_alloc(dev->mem, GOLDFISH_PIPE_COMMAND_SIZE,
				      GOLDFISH_PIPE_COMMAND_SIZE);
	uint8_t *page = pipe_mem_hva(dev->mem, gpa, GOLDFISH_PIPE_COMMAND_SIZE);

	*pipe = (struct test_pipe){
		.dev = dev,
		.id = id,
		.max = max,
		.gpa = gpa,
		.cmd = (void *)page,
		.ptrs = (void *)(page + GOLDFISH_PIPE_PTRS_OFFSET),
		.sizes = (void *)(page + GOLDFISH_PIPE_SIZES_OFFSET(room)),
	};
	pipe->cmd->id = id;
}

int32_t pipe_command(struct test_pipe *pipe, uint32_t cmd)
{
	volatile struct goldfish_pipe_command *head = pipe->cmd;

	head->cmd = cmd;
	head->status = PIPE_PRESET;
	pipe_reg_write(pipe->dev, GOLDFISH_PIPE_REG_CMD, pipe->id);
	return head->status;
}

int32_t __pipe_reopen(struct test_pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;
	struct goldfish_pipe_open_params *params;

	params = pipe_mem_hva(dev->mem, dev->open_gpa, sizeof(*params));
	*params = (struct goldfish_pipe_open_params){
		.command_buffer = pipe->gpa,
		.rw_params_max_count = pipe->max,
	};
	return pipe_command(pipe, GOLDFISH_PIPE_CMD_OPEN);
}

int32_t __pipe_open(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		    uint32_t max)
{
	pipe_prepare(dev, pipe, id, max);
	return __pipe_reopen(pipe);
}

void pipe_open(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id)
{
	int32_t status = __pipe_open(dev, pipe, id, PIPE_DRIVER_BUFFERS);

	if (status)
		pipe_die("OPEN of pipe %u: %d", id, status);
}

void pipe_close(struct test_pipe *pipe)
{
	int32_t status = pipe_command(pipe, GOLDFISH_PIPE_CMD_CLOSE);

	if (status)
		pipe_die("CLOSE of pipe %u: %d", pipe->id, status);
}

int32_t pipe_transfer(struct test_pipe *pipe, uint32_t cmd,
		      const struct pipe_buf *bufs, uint32_t nr)
{
	volatile struct goldfish_pipe_command *head = pipe->cmd;
	uint32_t room = nr > pipe->max ? pipe->max : nr;
	uint64_t total = 0;
	int32_t status;
	uint32_t i;

	for (i = 0; i < room; i++) {
		pipe->ptrs[i] = bufs[i].gpa;
		pipe->sizes[i] = bufs[i].size;
		total += bufs[i].size;
	}
	head->buffers_count = nr;
	head->consumed_size = CONSUMED_PRESET;
	status = pipe_command(pipe, cmd);

	if (status == PIPE_PRESET)
		return status;
	/* A refusal may come before the size is read. */
	if (status < 0 && head->consumed_size != CONSUMED_PRESET &&
	    head->consumed_size)
		pipe_die("status %d, but %u bytes consumed", status,
			 head->consumed_size);
	if (status >= 0 && head->consumed_size != (uint32_t)status)
		pipe_die("status %d, but consumed_size is %u", status,
			 head->consumed_size);
	if (status > 0 && (uint64_t)status > total)
		pipe_die("status %d is more than the %llu bytes asked for",
			 status, (unsigned long long)total);
	return status;
}

int32_t pipe_dma(struct test_pipe *pipe, uint32_t cmd, uint64_t gpa, uint64_t size)
{
	struct goldfish_pipe_dma dma = { .paddr = gpa, .size = size };

	memcpy((uint8_t *)pipe->cmd + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
	return pipe_command(pipe, cmd);
}

int32_t pipe_write(struct test_pipe *pipe, uint64_t gpa, uint32_t size)
{
	struct pipe_buf buf = { .gpa = gpa, .size = size };

	return pipe_transfer(pipe, GOLDFISH_PIPE_CMD_WRITE, &buf, 1);
}

int32_t pipe_read(struct test_pipe *pipe, uint64_t gpa, uint32_t size)
{
	struct pipe_buf buf = { .gpa = gpa, .size = size };

	return pipe_transfer(pipe, GOLDFISH_PIPE_CMD_READ, &buf, 1);
}

int32_t pipe_write_bytes(struct test_pipe *pipe, const void *bytes,
			 uint32_t size)
{
	struct pipe_mem *mem = pipe->dev->mem;
	size_t used = mem->used;
	uint64_t gpa = pipe_mem_alloc(mem, size, 1);
	int32_t status;

	memcpy(pipe_mem_hva(mem, gpa, size), bytes, size);
	status = pipe_write(pipe, gpa, size);
	mem->used = used;
	return status;
}

int32_t __pipe_connect(struct test_pipe *pipe, const char *name)
{
	return pipe_write_bytes(pipe, name, strlen(name) + 1);
}

void pipe_connect(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
		  const char *name)
{
	int32_t status;

	pipe_open(dev, pipe, id);
	status = __pipe_connect(pipe, name);
	if (status != (int32_t)strlen(name) + 1)
		pipe_die("connecting pipe %u to %s: %d", id, name, status);
}

/* xorshift64* of Marsaglia and Vigna; good enough to tell bytes apart. */
uint64_t pipe_random(struct pipe_random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1dull;
}

void pipe_random_fill(struct pipe_random *random, void *bytes, size_t size)
{
	uint8_t *to = bytes;
	uint64_t word;
	size_t n;

	for (; size; to += n, size -= n) {
		word = pipe_random(random);
		n = size < sizeof(word) ? size : sizeof(word);
		memcpy(to, &word, n);
	}
}
