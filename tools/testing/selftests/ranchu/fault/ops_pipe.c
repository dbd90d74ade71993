// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault_ops.h"

static int op_line(struct rig *rig)
{
	return __pipe_set_line(&rig->pipe, rig->efd, rig->ends[0] < 0 ? -1 : rig->efd);
}

static int op_doorbell(struct rig *rig)
{
	return __pipe_set_doorbell(&rig->pipe, STAGES_PIPE_ID, rig->efd);
}

static int op_pipe_read(struct rig *rig)
{
	struct vhost_goldfish_pipe_access access = { .offset = GOLDFISH_PIPE_REG_VERSION };

	return __pipe_access(&rig->pipe, &access);
}

/* A command by ACCESS. The guest reads its answer in memory, if there is one. */
static int command(struct rig *rig, uint32_t cmd)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = GOLDFISH_PIPE_REG_CMD,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = STAGES_PIPE_ID,
	};
	int ret;

	rig->tp.cmd->cmd = cmd;
	rig->tp.cmd->id = STAGES_PIPE_ID;
	rig->tp.cmd->status = PIPE_PRESET;
	ret = __pipe_access(&rig->pipe, &access);
	if (ret)
		return ret;
	switch (rig->tp.cmd->status) {
	case PIPE_PRESET:
	case GOLDFISH_PIPE_ERROR_IO:
	case GOLDFISH_PIPE_ERROR_INVAL:
		return -EFAULT;
	case GOLDFISH_PIPE_ERROR_NOMEM:
	case GOLDFISH_PIPE_ERROR_AGAIN:
		return -ENOMEM;
	default:
		return (int32_t)rig->tp.cmd->status < 0 ? -EPROTO : 0;
	}
}

static int op_pipe_open(struct rig *rig)
{
	struct goldfish_pipe_open_params *param;

	param = pipe_mem_hva(&rig->pipe_mem, rig->pipe.open_gpa, sizeof(*param));
	param->command_buffer = rig->tp.gpa;
	param->rw_params_max_count = PIPE_DRIVER_BUFFERS;
	return command(rig, GOLDFISH_PIPE_CMD_OPEN);
}

static int transfer(struct rig *rig, uint32_t cmd, const char *text)
{
	unsigned int i, n = text ? 1 : STAGES_PAGES;

	if (text)
		memcpy(pipe_mem_hva(&rig->pipe_mem, rig->data, 128), text, strlen(text) + 1);
	rig->tp.cmd->buffers_count = n;
	for (i = 0; i < n; i++) {
		rig->tp.ptrs[i] = rig->data + i * HOST_PAGE;
		rig->tp.sizes[i] = text ? strlen(text) + 1 : HOST_PAGE;
	}
	return command(rig, cmd);
}

static int connect_to(struct rig *rig, const char *name)
{
	int err = op_pipe_open(rig);

	return err ? err : transfer(rig, GOLDFISH_PIPE_CMD_WRITE, name);
}

static int op_zero(struct rig *rig)
{
	return connect_to(rig, "pipe:zero");
}

static int op_pingpong(struct rig *rig)
{
	return connect_to(rig, "pipe:pingpong");
}

static int op_throttle(struct rig *rig)
{
	return connect_to(rig, "pipe:throttle");
}

static int op_pipe_write(struct rig *rig)
{
	return transfer(rig, GOLDFISH_PIPE_CMD_WRITE, NULL);
}

/* A command with so many buffers that the device must allocate memory for them. */
static int op_pipe_pieces(struct rig *rig)
{
	unsigned int i, n = rig->tp.max;

	rig->tp.cmd->buffers_count = n;
	for (i = 0; i < n; i++) {
		rig->tp.ptrs[i] = rig->data + i * 64;
		rig->tp.sizes[i] = 64;
	}
	return command(rig, GOLDFISH_PIPE_CMD_WRITE);
}

static int op_pipe_call(struct rig *rig)
{
	uint32_t read_index = 1;

	memcpy((uint8_t *)rig->tp.cmd + GOLDFISH_PIPE_READ_INDEX_OFFSET(rig->tp.max),
	       &read_index, sizeof(read_index));
	return transfer(rig, GOLDFISH_PIPE_CMD_CALL, NULL);
}

static int op_pipe_poll(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_POLL);
}

static int op_wake_on(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_WAKE_ON_READ);
}

static int dma_command(struct rig *rig, uint32_t cmd, uint64_t gpa)
{
	struct goldfish_pipe_dma dma = { .paddr = gpa, .size = HOST_PAGE };

	memcpy((uint8_t *)rig->tp.cmd + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
	return command(rig, cmd);
}

static int op_dma_map(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_MAPHOST, rig->data + HOST_PAGE);
}

static int op_dma_map_undo(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST, rig->data + HOST_PAGE);
}

static int op_dma_unmap(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST, rig->data);
}

static int op_dma_unmap_undo(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_MAPHOST, rig->data);
}

/* Connects, maps a region and lets the service add up its words. */
static int op_dmatest(struct rig *rig)
{
	struct goldfish_pipe_dma dma = { .paddr = rig->data, .size = HOST_PAGE };
	int err = connect_to(rig, "pipe:dmatest");

	if (!err)
		err = op_dma_unmap_undo(rig);
	if (err)
		return err;
	memcpy(pipe_mem_hva(&rig->pipe_mem, rig->data + HOST_PAGE, sizeof(dma)), &dma,
	       sizeof(dma));
	rig->tp.cmd->buffers_count = 1;
	rig->tp.ptrs[0] = rig->data + HOST_PAGE;
	rig->tp.sizes[0] = sizeof(dma);
	return command(rig, GOLDFISH_PIPE_CMD_WRITE);
}

static int op_pipe_close(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_CLOSE);
}

static int op_hang_up(struct rig *rig)
{
	return __pipe_hang_up(&rig->pipe, STAGES_PIPE_ID);
}

static int op_services(struct rig *rig)
{
	rig->services = __services_open(&rig->pipe);
	return rig->services < 0 ? rig->services : 0;
}

static int op_add_service(struct rig *rig)
{
	return __services_add(rig->services, "other");
}

static int op_remote(struct rig *rig)
{
	return connect_to(rig, "pipe:svc:args");
}

static int op_event(struct rig *rig)
{
	struct vhost_goldfish_pipe_event event;

	return read(rig->services, &event, sizeof(event)) < 0 ? -errno : 0;
}

static int op_take_event(struct rig *rig)
{
	rig_pipe_event(rig);
	return 0;
}

static int op_answer(struct rig *rig)
{
	return __services_answer(rig->services, rig->open, rig->ends[0]);
}

static int op_answered(struct rig *rig)
{
	int err;

	rig_pipe_event(rig);
	err = op_answer(rig);
	/* The pipe uses the socket only when no other process holds it. */
	close(rig->ends[0]);
	rig->ends[0] = -1;
	return err;
}

static int op_ring(struct rig *rig)
{
	return __rig_pipe_ring(rig);
}

static int op_answered_ring(struct rig *rig)
{
	rig_pipe_event(rig);
	return op_ring(rig);
}

static int op_ring_kick(struct rig *rig)
{
	return __vq_ioctl(rig->file, VHOST_GOLDFISH_PIPE_RING_KICK, NULL);
}

/* Maps a file of a service, and reads it. */
static int op_map_file(struct rig *rig)
{
	/* Far from all else, where there is no page table yet. */
	void *where = (void *)(1ul << 40);
	volatile uint8_t *at = mmap(where, HOST_PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED_NOREPLACE, rig->file, 0);

	if (at == MAP_FAILED)
		return -errno;
	at[0] = at[HOST_PAGE - 1];
	munmap((void *)at, HOST_PAGE);
	return 0;
}

static int op_get_dma(struct rig *rig)
{
	struct vhost_goldfish_pipe_dma dma;
	int err = __services_get_dma(rig->services, rig->open, rig->data, &dma);

	if (!err)
		rig->file = dma.fd;
	return err;
}

static int op_got_dma(struct rig *rig)
{
	rig_pipe_event(rig);
	return op_get_dma(rig);
}

static int op_unlock_dma(struct rig *rig)
{
	return __services_unlock_dma(rig->services, rig->open);
}

const struct op fault_ops_pipe[] = {
	IOCTL(PIPE, OWNED, VHOST_GOLDFISH_PIPE_SET_WINDOW),
	OP(PIPE, OWNED, "SET_LINE", op_line),
	OP(PIPE, RUNNING, "SET_DOORBELL", op_doorbell),
	OP(PIPE, RUNNING, "ACCESS", op_pipe_read),
	OP(PIPE, RUNNING, "OPEN", op_pipe_open, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, zero", op_zero, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, pingpong", op_pingpong, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, throttle", op_throttle, .undo = op_pipe_close),
	OP(PIPE, BUSY, "WRITE", op_pipe_write),
	OP(PIPE, BUSY, "WRITE, in pieces", op_pipe_pieces),
	OP(PIPE, BUSY, "CALL", op_pipe_call),
	OP(PIPE, BUSY, "POLL", op_pipe_poll),
	OP(PIPE, BUSY, "WAKE_ON", op_wake_on),
	OP(PIPE, BUSY, "CLOSE", op_pipe_close),
	OP(PIPE, BUSY, "HANG_UP", op_hang_up),
	OP(PIPE, RUNNING, "OPEN, DMA", op_dmatest, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "SERVICES", op_services),
	OP(PIPE, ASKED, "ADD_SERVICE", op_add_service),
	OP(PIPE, ASKED, "OPEN, a service's", op_remote,
	   .before = op_pipe_close, .undo = op_pipe_close),
	OP(PIPE, ASKED, "read of an event", op_event),
	OP(PIPE, ASKED, "ANSWER", op_answer, .before = op_take_event),
	OP(PIPE, ASKED, "WRITE, socket", op_pipe_write, .before = op_answered),
	OP(PIPE, ASKED, "ANSWER_RING", op_ring, .before = op_take_event),
	OP(PIPE, ASKED, "WRITE, rings", op_pipe_write, .before = op_answered_ring),
	OP(PIPE, ASKED, "mmap of rings", op_map_file, .before = op_answered_ring),
	OP(PIPE, ASKED, "RING_KICK", op_ring_kick, .before = op_answered_ring,
	   .needs_nothing = true),
	OP(PIPE, ASKED, "DMA_MAPHOST", op_dma_map, .undo = op_dma_map_undo),
	OP(PIPE, ASKED, "DMA_UNMAPHOST", op_dma_unmap, .undo = op_dma_unmap_undo),
	OP(PIPE, ASKED, "GET_DMA", op_get_dma, .before = op_take_event),
	OP(PIPE, ASKED, "mmap of DMA", op_map_file, .before = op_got_dma),
	OP(PIPE, ASKED, "UNLOCK_DMA", op_unlock_dma, .before = op_take_event),
	{}
};
