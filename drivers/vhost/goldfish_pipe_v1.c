// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protocol v1: one set of registers for all pipes. A pipe is a channel, which the
 * guest chooses; it stands for a free pipe id, and from there on services and
 * wakes are v2's. In force until a driver writes VERSION, and again when one writes
 * a number that is not of v2.
 *
 * Every access traps, but a doorbell that was left on CMD by v2 is as good: the
 * number that it rings for is the command.
 */
#include <linux/ranchu.h>
#include <linux/wordpart.h>

#include <trace/events/ranchu.h>

#include "goldfish_pipe.h"

static void v1_set_half(u64 *reg, u32 value, bool high)
{
	*reg = high ? (u64)value << 32 | lower_32_bits(*reg) :
		      (u64)upper_32_bits(*reg) << 32 | value;
}

/* The owner's end closes pipes and leaves their channels. */
static struct pipe *v1_find(struct pipe_dev *dev, u64 channel)
{
	struct pipe *pipe = mtree_load(&dev->v1.channels, channel);

	return pipe && READ_ONCE(pipe->service) && pipe->channel == channel ? pipe : NULL;
}

/* Nobody else opens pipes while v1 is in force. */
static struct pipe *v1_find_free(struct pipe_dev *dev)
{
	struct pipe *pipe;
	u32 id;

	for (id = 0; id < VHOST_GOLDFISH_PIPE_MAX_ID; id++) {
		pipe = pipe_get(dev, id);
		if (!pipe || !READ_ONCE(pipe->service))
			return pipe;
	}
	return NULL;
}

static s32 v1_open(struct pipe_dev *dev, u64 channel)
{
	struct pipe *pipe = v1_find_free(dev);
	int err = -ENOMEM;

	if (!pipe)
		return GOLDFISH_PIPE_ERROR_INVAL;
	mutex_lock(&pipe->lock);
	if (!mtree_store(&dev->v1.channels, channel, pipe, GFP_KERNEL_ACCOUNT)) {
		pipe->channel = channel;
		err = pipe_open(pipe);
		if (err)
			mtree_erase(&dev->v1.channels, channel);
	}
	mutex_unlock(&pipe->lock);
	/* Unlike v2. Source: platform_external_qemu hw/misc/goldfish_pipe.c (0184442f) */
	return err ? GOLDFISH_PIPE_ERROR_INVAL : 0;
}

/* Returns what STATUS is to be, given what it @was. */
static s32 v1_run_live(struct pipe *pipe, const struct pipe_v1_request *request,
		       s32 was)
{
	struct pipe_dev *dev = pipe->dev;
	s32 status = 0;

	switch (pipe_v1_decode_live(READ_ONCE(pipe->hung_up), request->cmd, &status)) {
	case PIPE_CLOSE:
		pipe_close(pipe);
		pipe_count(&pipe->counts.closes, 1);
		mtree_erase(&dev->v1.channels, request->channel);
		return was;
	case PIPE_POLL:
		return pipe_poll(pipe);
	case PIPE_WRITE:
		return pipe_status(pipe_move_one(pipe, request->address,
						 request->size, true));
	case PIPE_READ:
		return pipe_status(pipe_move_one(pipe, request->address,
						 request->size, false));
	case PIPE_WAKE_ON:
		pipe_arm(pipe, pipe_wake_flag(request->cmd));
		return 0;
	case PIPE_STATUS:
		if (request->cmd == GOLDFISH_PIPE_CMD_WAKE_ON_READ ||
		    request->cmd == GOLDFISH_PIPE_CMD_WAKE_ON_WRITE)
			pipe_hang_up_again(pipe);
		return status;
	default:
		pipe_bad_guest(dev);
		return was;
	}
}

static void v1_run(struct pipe_dev *dev, const struct pipe_v1_request *request)
{
	struct pipe *pipe = v1_find(dev, request->channel);
	s32 status = dev->v1.regs.status;

	atomic64_inc(&dev->stats.commands);
	if (!pipe) {
		if (pipe_v1_decode_absent(request->channel, request->cmd,
					  &status) == PIPE_OPEN)
			status = v1_open(dev, request->channel);
		if (status)
			pipe_bad_guest(dev);
	} else {
		mutex_lock(&pipe->lock);
		/* Wakes that the command causes are announced at its end. */
		WRITE_ONCE(pipe->runner, current);
		if (pipe->service)
			status = v1_run_live(pipe, request, status);
		WRITE_ONCE(pipe->runner, NULL);
		mutex_unlock(&pipe->lock);
		trace_ranchu_command(dev, pipe->id, request->cmd, status);
	}
	dev->v1.regs.status = status;
}

static void v1_answer(struct pipe_dev *dev, u64 gpa)
{
	__le32 result = cpu_to_le32(dev->v1.regs.status);

	if (ranchu_mem_write(&dev->mem, gpa, &result, sizeof(result)))
		pipe_bad_guest(dev);
}

/* A 64-bit block is fetched once it is known to be one; its beginning is not used. */
static void v1_run_params(struct pipe_dev *dev)
{
	u64 gpa = dev->v1.regs.params;
	struct goldfish_pipe_v1_params narrow;
	struct goldfish_pipe_v1_params64 wide;
	struct pipe_v1_request request;

	if (!gpa)
		return;
	if (ranchu_mem_read(&dev->mem, gpa, &narrow, sizeof(narrow))) {
		pipe_bad_guest(dev);
	} else if (!pipe_v1_params_wide(&narrow)) {
		if (!pipe_v1_params_decode(&narrow, &request))
			return;
		v1_run(dev, &request);
		v1_answer(dev, gpa + offsetof(typeof(narrow), result));
	} else if (ranchu_mem_read(&dev->mem, gpa, &wide, sizeof(wide))) {
		pipe_bad_guest(dev);
	} else if (pipe_v1_params64_decode(&wide, &request)) {
		v1_run(dev, &request);
		v1_answer(dev, gpa + offsetof(typeof(wide), result));
	}
}

static void v1_write_locked(struct pipe_dev *dev, u32 offset, u32 value)
{
	struct pipe_v1_request *request = &dev->v1.regs.request;

	lockdep_assert_held(&dev->v1.lock);
	switch (offset) {
	case GOLDFISH_PIPE_V1_COMMAND:
		request->cmd = value;
		v1_run(dev, request);
		break;
	case GOLDFISH_PIPE_V1_CHANNEL:
	case GOLDFISH_PIPE_V1_CHANNEL_HIGH:
		v1_set_half(&request->channel, value,
			    offset == GOLDFISH_PIPE_V1_CHANNEL_HIGH);
		break;
	case GOLDFISH_PIPE_V1_SIZE:
		request->size = value;
		break;
	case GOLDFISH_PIPE_V1_ADDRESS:
	case GOLDFISH_PIPE_V1_ADDRESS_HIGH:
		v1_set_half(&request->address, value,
			    offset == GOLDFISH_PIPE_V1_ADDRESS_HIGH);
		break;
	case GOLDFISH_PIPE_V1_PARAMS_LOW:
	case GOLDFISH_PIPE_V1_PARAMS_HIGH:
		v1_set_half(&dev->v1.regs.params, value,
			    offset == GOLDFISH_PIPE_V1_PARAMS_HIGH);
		break;
	case GOLDFISH_PIPE_V1_ACCESS_PARAMS:
		v1_run_params(dev);
		break;
	default:
		pipe_bad_guest(dev);
	}
}

/**
 * pipe_v1_write() - serve a write to any register but VERSION, if v1 is in force
 * @dev: the device
 * @offset: byte offset, any number
 * @value: what the guest wrote
 * @caller: as in pipe_command()
 *
 * Context: vCPU or worker; may sleep.
 * Return: false if v2 is in force, and nothing was done.
 */
bool pipe_v1_write(struct pipe_dev *dev, u32 offset, u32 value,
		   enum pipe_caller caller)
{
	bool mine;
	int idx;

	if (!pipe_speaks_v1(dev))
		return false;
	idx = ranchu_mem_enter(&dev->mem);
	mutex_lock(&dev->v1.lock);
	mine = pipe_speaks_v1(dev);
	if (mine && !pipe_is_stopped(dev))
		v1_write_locked(dev, offset, value);
	mutex_unlock(&dev->v1.lock);
	if (mine && pipe_signal_waiting(dev))
		ranchu_line_announce(&dev->line, caller == PIPE_BY_ACCESS);
	ranchu_mem_leave(&dev->mem, idx);
	return mine;
}

/* The next signalled channel, 0 for none. */
static u64 v1_next_channel(struct pipe_dev *dev, u32 *wakes)
{
	struct goldfish_pipe_signal signal;
	struct pipe *pipe;

	*wakes = 0;
	if (!pipe_signal_fetch_one(dev, &signal))
		return 0;
	*wakes = le32_to_cpu(signal.flags);
	pipe = xa_load(&dev->pipes, le32_to_cpu(signal.id));
	return pipe->channel;
}

static u32 v1_read_channel_high(struct pipe_dev *dev)
{
	struct pipe_v1 *v1 = &dev->v1;

	v1->regs.held = v1_next_channel(dev, &v1->regs.held_wakes);
	return upper_32_bits(v1->regs.held);
}

static u32 v1_read_channel(struct pipe_dev *dev)
{
	struct pipe_v1 *v1 = &dev->v1;
	u64 channel = v1->regs.held;

	v1->regs.held = 0;
	v1->regs.wakes = v1->regs.held_wakes;
	if (!channel)
		channel = v1_next_channel(dev, &v1->regs.wakes);
	return lower_32_bits(channel);
}

static u32 v1_read_locked(struct pipe_dev *dev, u32 offset)
{
	struct pipe_v1 *v1 = &dev->v1;

	lockdep_assert_held(&v1->lock);
	switch (offset) {
	case GOLDFISH_PIPE_V1_STATUS:
		return v1->regs.status;
	case GOLDFISH_PIPE_V1_CHANNEL:
		return v1_read_channel(dev);
	case GOLDFISH_PIPE_V1_CHANNEL_HIGH:
		return v1_read_channel_high(dev);
	case GOLDFISH_PIPE_V1_WAKES:
		return v1->regs.wakes;
	case GOLDFISH_PIPE_V1_PARAMS_LOW:
		return lower_32_bits(v1->regs.params);
	case GOLDFISH_PIPE_V1_PARAMS_HIGH:
		return upper_32_bits(v1->regs.params);
	default:
		return 0;
	}
}

/**
 * pipe_v1_read() - serve a read of any register but VERSION, if v1 is in force
 * @dev: the device
 * @offset: byte offset, any number
 * @value: set to what the guest reads
 *
 * Context: the owner's process; may sleep.
 * Return: false if v2 is in force, and nothing was done.
 */
bool pipe_v1_read(struct pipe_dev *dev, u32 offset, u32 *value)
{
	bool mine;

	if (!pipe_speaks_v1(dev))
		return false;
	mutex_lock(&dev->v1.lock);
	mine = pipe_speaks_v1(dev);
	if (mine)
		*value = v1_read_locked(dev, offset);
	mutex_unlock(&dev->v1.lock);
	return mine;
}

/**
 * pipe_v1_forget() - forget every channel
 * @dev: all of its pipes are closed
 *
 * What the guest has written stays: drivers say where their parameter block is
 * before they read VERSION.
 *
 * Context: nobody is at it, or @dev->v1.lock is held.
 */
void pipe_v1_forget(struct pipe_dev *dev)
{
	mtree_destroy(&dev->v1.channels);
	mt_init(&dev->v1.channels);
	dev->v1.regs.held = 0;
}

/**
 * pipe_v1_init() - get ready for protocol v1
 * @dev: not yet in use
 */
void pipe_v1_init(struct pipe_dev *dev)
{
	mutex_init(&dev->v1.lock);
	mt_init(&dev->v1.channels);
}
