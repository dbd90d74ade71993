// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: fetch what the guest wrote, have it decoded (goldfish_pipe_wire.c),
 * act, answer. Runs in the vCPU's thread, called by a doorbell or by ACCESS,
 * and in the worker if a stranger rang. What v1's commands do is done here, too.
 *
 * The guest may change its memory at any time: each field is fetched once per
 * command and only the copy is used.
 */
#include <linux/ranchu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <trace/events/ranchu.h>

#include "goldfish_pipe_move.h"

/* Called where user memory may be accessed: no call, not even one that is traced. */
static __always_inline bool pipe_moves_bytes(u32 cmd)
{
	return cmd == GOLDFISH_PIPE_CMD_READ || cmd == GOLDFISH_PIPE_CMD_WRITE;
}

/*
 * A command buffer is accessed field by field: most commands touch three or
 * four words of it, and a copy's checks would cost more than they move.
 *
 * Fetches the head and the first buffers of a transfer; @max_buffers is 0 if none
 * are wanted.
 */
static bool pipe_fetch(struct pipe_fetched *fetched,
		       const struct goldfish_pipe_command __user *command,
		       u32 max_buffers)
{
	const void __user *page = command;
	const __le64 __user *gpas = page + GOLDFISH_PIPE_PTRS_OFFSET;
	const __le32 __user *sizes = page + GOLDFISH_PIPE_SIZES_OFFSET(max_buffers);
	__le64 *gpa = fetched->gpa;
	__le32 *size = fetched->size;
	__le32 cmd, id, buffers_count;
	unsigned int i, n = 0;

	if (!user_read_access_begin(command, GOLDFISH_PIPE_COMMAND_SIZE))
		return false;
	unsafe_get_user(cmd, &command->cmd, fault);
	unsafe_get_user(id, &command->id, fault);
	unsafe_get_user(buffers_count, &command->buffers_count, fault);
	if (pipe_moves_bytes(le32_to_cpu(cmd)))
		n = min3(le32_to_cpu(buffers_count), max_buffers, PIPE_CHUNK);
	/* Without an index: its check would be a call, which this is no place for. */
	for (i = 0; i < n; i++) {
		unsafe_get_user(*gpa++, &gpas[i], no_more);
		unsafe_get_user(*size++, &sizes[i], no_more);
	}
no_more:
	/* pipe_move() finds out whether it can do without the rest. */
	user_read_access_end();
	fetched->header.cmd = le32_to_cpu(cmd);
	fetched->header.id = le32_to_cpu(id);
	fetched->header.buffers_count = le32_to_cpu(buffers_count);
	fetched->n = i;
	return true;

fault:
	user_read_access_end();
	return false;
}

static void pipe_answer(struct pipe_dev *dev,
			struct goldfish_pipe_command __user *command, s32 status)
{
	if (put_user(cpu_to_le32(status), &command->status))
		pipe_bad_guest(dev);
}

/* The same for what moves bytes: drivers look at these before the status. */
static void pipe_answer_moved(struct pipe_dev *dev,
			      struct goldfish_pipe_command __user *command,
			      u32 consumed, s32 status)
{
	if (!user_write_access_begin(command, sizeof(*command))) {
		pipe_bad_guest(dev);
		return;
	}
	unsafe_put_user(cpu_to_le32(consumed), &command->consumed_size, fault);
	unsafe_put_user(cpu_to_le32(status), &command->status, fault);
	user_write_access_end();
	return;

fault:
	user_write_access_end();
	pipe_bad_guest(dev);
}

/* Returns the status, and the bytes that were moved. */
static s32 pipe_transfer(struct pipe *pipe, const struct pipe_fetched *fetched,
			 const void __user *command, bool write, u32 *consumed)
{
	u32 buffers = min(fetched->header.buffers_count, pipe->max_buffers);
	ssize_t moved = pipe_move(pipe, fetched, command, 0, buffers, write);

	*consumed = max_t(ssize_t, moved, 0);
	return pipe_status(moved);
}

/* The same. */
static s32 pipe_call(struct pipe *pipe, const struct pipe_fetched *fetched,
		     const void __user *command, u32 *consumed)
{
	u32 buffers = min(fetched->header.buffers_count, pipe->max_buffers);
	ssize_t sent = -EINVAL, received = 0;
	u32 read_index;
	__le32 word;

	if (get_user(word, (const __le32 __user *)(command +
			GOLDFISH_PIPE_READ_INDEX_OFFSET(pipe->max_buffers)))) {
		pipe_bad_guest(pipe->dev);
		*consumed = 0;
		return GOLDFISH_PIPE_ERROR_INVAL;
	}
	read_index = le32_to_cpu(word);
	if (buffers && read_index <= buffers) {
		sent = 0;
		if (read_index)
			sent = pipe_move(pipe, fetched, command, 0, read_index, true);
		if (sent >= 0 && read_index < buffers)
			received = pipe_move(pipe, fetched, command, read_index,
					     buffers, false);
	}
	return pipe_call_status(sent, received, consumed);
}

static s32 pipe_dma(struct pipe *pipe,
		    const struct goldfish_pipe_command __user *command, bool map)
{
	const void __user *page = command;
	struct goldfish_pipe_dma dma;
	int err = -EINVAL;

	if (!copy_from_user(&dma, page + GOLDFISH_PIPE_DMA_OFFSET, sizeof(dma))) {
		if (map)
			err = pipe_dma_map(pipe, le64_to_cpu(dma.paddr),
					   le64_to_cpu(dma.size));
		else
			err = pipe_dma_unmap(pipe, le64_to_cpu(dma.paddr));
	}
	if (err && err != -ENOMEM)
		pipe_bad_guest(pipe->dev);
	return pipe_status(err);
}

/**
 * pipe_poll() - what POLL answers
 * @pipe: open, its lock held
 *
 * Whoever polls and sees less than everything may sleep on the rest.
 *
 * Return: GOLDFISH_PIPE_POLL_* bits.
 */
s32 pipe_poll(struct pipe *pipe)
{
	u32 bits = pipe->service->poll(pipe);
	u32 wake = 0;

	if (!(bits & GOLDFISH_PIPE_POLL_IN))
		wake |= GOLDFISH_PIPE_WAKE_READ;
	if (!(bits & GOLDFISH_PIPE_POLL_OUT))
		wake |= GOLDFISH_PIPE_WAKE_WRITE;
	if (wake)
		pipe_arm(pipe, wake);
	return bits;
}

/**
 * pipe_open() - open a pipe
 * @pipe: not open, its lock held
 *
 * Return: 0, or -errno.
 */
int pipe_open(struct pipe *pipe)
{
	int err;

	lockdep_assert_held(&pipe->lock);
	err = pipe_connector.open(pipe, NULL);
	if (err)
		return err;
	WRITE_ONCE(pipe->service, &pipe_connector);
	pipe_count(&pipe->counts.opens, 1);
	return 0;
}

/**
 * pipe_close() - close a pipe
 * @pipe: open, its lock held
 */
void pipe_close(struct pipe *pipe)
{
	lockdep_assert_held(&pipe->lock);
	pipe->service->close(pipe);
	/* Then memory: the service's process does not lose it before the pipe. */
	pipe_dma_unmap_all(pipe);
	WRITE_ONCE(pipe->service, NULL);
	pipe->priv = NULL;
	pipe_signal_forget(pipe);
}

/*
 * Where the command buffer is in the owner's memory; NULL if it is no guest memory.
 * That is the same for each command until there is other memory.
 */
static struct goldfish_pipe_command __user *pipe_find_command(struct pipe *pipe)
{
	/* Before the table. Pairs with the release in pipe_set_mem_table(). */
	unsigned long memory = smp_load_acquire(&pipe->dev->memory);

	if (pipe->command_memory != memory) {
		pipe->command = ranchu_mem_user(&pipe->dev->mem, pipe->command_gpa,
						GOLDFISH_PIPE_COMMAND_SIZE);
		/* While it changes, nobody knows whose table that was. */
		pipe->command_memory = memory & 1 ? PIPE_NO_MEMORY : memory;
	}
	return pipe->command;
}

static void pipe_close_by_guest(struct pipe *pipe)
{
	pipe_close(pipe);
	pipe_count(&pipe->counts.closes, 1);
	pipe_signal_recall(pipe);
}

static void pipe_command_live(struct pipe *pipe)
{
	struct goldfish_pipe_command __user *command = pipe_find_command(pipe);
	struct pipe_fetched fetched __uninitialized;
	struct pipe_dev *dev = pipe->dev;
	u32 cmd, consumed = 0;
	s32 status = 0;
	bool moves;

	if (!command || !pipe_fetch(&fetched, command, pipe->max_buffers)) {
		pipe_bad_guest(dev);
		return;
	}
	cmd = fetched.header.cmd;
	moves = pipe_moves_bytes(cmd) || cmd == GOLDFISH_PIPE_CMD_CALL;
	switch (pipe_decode_live(READ_ONCE(pipe->hung_up), cmd, &status)) {
	case PIPE_CLOSE:
		pipe_close_by_guest(pipe);
		break;
	case PIPE_POLL:
		status = pipe_poll(pipe);
		break;
	case PIPE_WRITE:
		status = pipe_transfer(pipe, &fetched, command, true, &consumed);
		break;
	case PIPE_READ:
		status = pipe_transfer(pipe, &fetched, command, false, &consumed);
		break;
	case PIPE_CALL:
		status = pipe_call(pipe, &fetched, command, &consumed);
		break;
	case PIPE_DMA_MAP:
		status = pipe_dma(pipe, command, true);
		break;
	case PIPE_DMA_UNMAP:
		status = pipe_dma(pipe, command, false);
		break;
	case PIPE_WAKE_ON:
		pipe_arm(pipe, pipe_wake_flag(cmd));
		break;
	case PIPE_STATUS:
		if (cmd == GOLDFISH_PIPE_CMD_WAKE_ON_READ ||
		    cmd == GOLDFISH_PIPE_CMD_WAKE_ON_WRITE)
			pipe_hang_up_again(pipe);
		break;
	default:
		pipe_bad_guest(dev);
		return;
	}
	if (moves)
		pipe_answer_moved(dev, command, consumed, status);
	else
		pipe_answer(dev, command, status);
	trace_ranchu_command(dev, pipe->id, cmd, status);
}

/*
 * Decode a command for an id without a pipe, and answer it unless it is an
 * OPEN. Returns the command buffer if it is one; @gpa and @max_buffers are the
 * new pipe's then.
 */
static struct goldfish_pipe_command __user *
pipe_wants_open(struct pipe_dev *dev, u32 id, u64 *gpa, u32 *max_buffers)
{
	struct goldfish_pipe_command __user *command;
	struct pipe_fetched fetched __uninitialized;
	struct goldfish_pipe_open_params params;
	s32 status;

	if (!READ_ONCE(dev->open_set) ||
	    ranchu_mem_read(&dev->mem, READ_ONCE(dev->open_gpa), &params,
			    sizeof(params))) {
		pipe_bad_guest(dev);
		return NULL;
	}
	*gpa = le64_to_cpu(params.command_buffer);
	*max_buffers = le32_to_cpu(params.rw_params_max_count);
	command = ranchu_mem_user(&dev->mem, *gpa, GOLDFISH_PIPE_COMMAND_SIZE);
	if (!command || !pipe_fetch(&fetched, command, 0)) {
		pipe_bad_guest(dev);
		return NULL;
	}
	if (pipe_decode_absent(id, VHOST_GOLDFISH_PIPE_MAX_ID, *max_buffers,
			       &fetched.header, &status) == PIPE_OPEN)
		return command;
	if (status)
		pipe_bad_guest(dev);
	pipe_answer(dev, command, status);
	trace_ranchu_command(dev, id, fetched.header.cmd, status);
	return NULL;
}

static void pipe_command_absent(struct pipe *pipe)
{
	struct goldfish_pipe_command __user *command;
	struct pipe_dev *dev = pipe->dev;
	u32 max_buffers;
	int err;
	u64 gpa;

	command = pipe_wants_open(dev, pipe->id, &gpa, &max_buffers);
	if (!command)
		return;
	pipe->command_gpa = gpa;
	pipe->command_memory = PIPE_NO_MEMORY;
	pipe->max_buffers = max_buffers;
	err = pipe_open(pipe);
	pipe_answer(dev, command, pipe_status(err));
	trace_ranchu_command(dev, pipe->id, GOLDFISH_PIPE_CMD_OPEN,
			     pipe_status(err));
}

/* It may have changed since. */
static bool pipe_speaks_v2(struct pipe_dev *dev)
{
	if (READ_ONCE(dev->version) == GOLDFISH_PIPE_DEVICE_VERSION)
		return true;
	pipe_bad_guest(dev);
	return false;
}

/**
 * pipe_command() - run the command that a pipe's buffer holds
 * @pipe: the pipe, open or not; in protocol v1 its id is the command
 * @caller: who has it run
 *
 * On return the answer is in guest memory and whom it woke is announced.
 *
 * Context: vCPU or worker.
 */
void pipe_command(struct pipe *pipe, enum pipe_caller caller)
{
	struct pipe_dev *dev = pipe->dev;
	int idx;

	if (pipe_speaks_v1(dev) &&
	    pipe_v1_write(dev, GOLDFISH_PIPE_V1_COMMAND, pipe->id, caller)) {
		mutex_lock(&pipe->lock);
		pipe_count(&pipe->counts.calls[caller], 1);
		mutex_unlock(&pipe->lock);
		return;
	}
	idx = ranchu_mem_enter(&dev->mem);
	mutex_lock(&pipe->lock);
	pipe_count(&pipe->counts.calls[caller], 1);
	pipe_count(&pipe->counts.commands, 1);
	/* Wakes that the command causes are announced below, together. */
	WRITE_ONCE(pipe->runner, current);
	if (pipe_is_stopped(dev)) {
		atomic64_inc(&dev->stats.kicks_lost);
	} else if (pipe_speaks_v2(dev)) {
		if (pipe->service)
			pipe_command_live(pipe);
		else
			pipe_command_absent(pipe);
	}
	WRITE_ONCE(pipe->runner, NULL);
	mutex_unlock(&pipe->lock);

	if (pipe_signal_waiting(dev))
		ranchu_line_announce(&dev->line, caller == PIPE_BY_ACCESS);
	ranchu_mem_leave(&dev->mem, idx);
}

/**
 * pipe_get() - find what an id stands for, or make it
 * @dev: the device
 * @id: below VHOST_GOLDFISH_PIPE_MAX_ID
 *
 * Context: may sleep.
 * Return: the pipe, or NULL without memory. It lives until the device stops.
 */
struct pipe *pipe_get(struct pipe_dev *dev, u32 id)
{
	struct pipe *pipe = xa_load(&dev->pipes, id), *other;

	if (pipe)
		return pipe;
	pipe = kzalloc(sizeof(*pipe), GFP_KERNEL_ACCOUNT);
	if (!pipe)
		return NULL;
	pipe->dev = dev;
	pipe->id = id;
	mutex_init(&pipe->lock);
	INIT_LIST_HEAD(&pipe->dma);
	pipe_signal_init(&pipe->signal, id);
	/* Two vCPUs may be at it. */
	other = xa_cmpxchg(&dev->pipes, id, NULL, pipe, GFP_KERNEL_ACCOUNT);
	if (other) {
		kfree(pipe);
		return xa_is_err(other) ? NULL : other;
	}
	return pipe;
}

/* The first OPEN of an id. Returns NULL if it is none, or cannot be. */
static struct pipe *pipe_get_for_open(struct pipe_dev *dev, u32 id)
{
	struct goldfish_pipe_command __user *command = NULL;
	int idx = ranchu_mem_enter(&dev->mem);
	struct pipe *pipe = NULL;
	u32 max_buffers;
	u64 gpa;

	if (pipe_speaks_v2(dev))
		command = pipe_wants_open(dev, id, &gpa, &max_buffers);
	if (command) {
		pipe = pipe_get(dev, id);
		if (!pipe)
			pipe_answer(dev, command, GOLDFISH_PIPE_ERROR_NOMEM);
	}
	ranchu_mem_leave(&dev->mem, idx);
	return pipe;
}

/**
 * pipe_command_access() - run a command that reached the VMM as an exit
 * @dev: the device
 * @id: what the guest wrote to CMD
 *
 * Context: the owner's process; may sleep.
 * Return: true if a pipe is open under @id now, in protocol v2.
 */
bool pipe_command_access(struct pipe_dev *dev, u32 id)
{
	struct pipe *pipe;

	atomic64_inc(&dev->stats.commands_access);
	if (pipe_v1_write(dev, GOLDFISH_PIPE_V1_COMMAND, id, PIPE_BY_ACCESS))
		return false;
	pipe = xa_load(&dev->pipes, id);
	if (!pipe)
		pipe = pipe_get_for_open(dev, id);
	if (!pipe) {
		atomic64_inc(&dev->stats.commands);
		return false;
	}
	pipe_command(pipe, PIPE_BY_ACCESS);
	return READ_ONCE(pipe->service);
}

/**
 * pipe_close_all() - close every pipe
 * @dev: the device
 *
 * Context: may sleep, any process; takes each pipe's lock.
 */
void pipe_close_all(struct pipe_dev *dev)
{
	struct pipe *pipe;
	unsigned long id;

	xa_for_each(&dev->pipes, id, pipe) {
		mutex_lock(&pipe->lock);
		if (pipe->service)
			pipe_close(pipe);
		mutex_unlock(&pipe->lock);
		cond_resched();
	}
}
