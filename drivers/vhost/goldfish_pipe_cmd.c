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

#include "goldfish_pipe.h"

/*
 * Large arrays on the stack are __uninitialized: kernels that clear all stack
 * variables would clear these for each command, and it shows. Only elements that
 * were written are read.
 */

/* Bytes moved by one command; the guest asks again for the rest. */
#define PIPE_MAX_TRANSFER (2UL << 20)

/* Guest buffers fetched in one go, and how many need no allocation. */
#define PIPE_CHUNK 32

/**
 * struct pipe_vec - the buffers of one command, as user ranges
 * @iov: the ranges; @stack unless there are many
 * @max: elements in @iov
 * @segs: elements used
 * @bytes: in all of them
 * @stack: for a command of a few buffers
 *
 * A command reaches its service in one call, so that a service may take it for
 * one message.
 */
struct pipe_vec {
	struct iovec *iov;
	unsigned int max;
	unsigned int segs;
	size_t bytes;
	struct iovec stack[PIPE_CHUNK];
};

static void pipe_bad_guest(struct pipe_dev *dev)
{
	atomic64_inc(&dev->stats.bad_guest);
}

/*
 * A command buffer is accessed field by field: most commands touch three or
 * four words of it, and a copy's checks would cost more than they move.
 */
static bool pipe_fetch_header(const struct goldfish_pipe_command __user *command,
			      struct pipe_header *header)
{
	__le32 cmd, id, buffers_count;

	if (!user_read_access_begin(command, sizeof(*command)))
		return false;
	unsafe_get_user(cmd, &command->cmd, fault);
	unsafe_get_user(id, &command->id, fault);
	unsafe_get_user(buffers_count, &command->buffers_count, fault);
	user_read_access_end();
	header->cmd = le32_to_cpu(cmd);
	header->id = le32_to_cpu(id);
	header->buffers_count = le32_to_cpu(buffers_count);
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

static void pipe_consumed(struct pipe_dev *dev,
			  struct goldfish_pipe_command __user *command, u32 bytes)
{
	if (put_user(cpu_to_le32(bytes), &command->consumed_size))
		pipe_bad_guest(dev);
}

static void vec_init(struct pipe_vec *vec, u32 buffers)
{
	vec->segs = 0;
	vec->bytes = 0;
	vec->max = ARRAY_SIZE(vec->stack);
	vec->iov = vec->stack;
	if (buffers <= vec->max)
		return;
	/* A buffer may lie in two regions. Without memory some are left out. */
	vec->iov = kvmalloc_array(2 * buffers, sizeof(*vec->iov), GFP_KERNEL_ACCOUNT);
	if (vec->iov)
		vec->max = 2 * buffers;
	else
		vec->iov = vec->stack;
}

static void vec_free(struct pipe_vec *vec)
{
	if (vec->iov != vec->stack)
		kvfree(vec->iov);
}

/*
 * Add @n buffers, as fetched. False to stop: one is no guest memory, or there
 * is enough already. What was added stays good.
 */
static bool vec_add(struct pipe_vec *vec, struct pipe_dev *dev,
		    const __le64 *gpa, const __le32 *size, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && vec->bytes < PIPE_MAX_TRANSFER; i++) {
		size_t len = min_t(size_t, le32_to_cpu(size[i]),
				   PIPE_MAX_TRANSFER - vec->bytes);
		int segs = ranchu_mem_iov(&dev->mem, le64_to_cpu(gpa[i]), len,
					  vec->iov + vec->segs,
					  vec->max - vec->segs);

		if (segs < 0) {
			if (segs != -E2BIG)
				pipe_bad_guest(dev);
			return false;
		}
		vec->segs += segs;
		vec->bytes += len;
	}
	return vec->bytes < PIPE_MAX_TRANSFER;
}

/* Fetches the buffers @first, @first + 1, ... and adds them; false to stop. */
static bool vec_fetch(struct pipe_vec *vec, const struct pipe *pipe,
		      const void __user *command, unsigned int first,
		      unsigned int n)
{
	const __le64 __user *gpas = command + GOLDFISH_PIPE_PTRS_OFFSET;
	const __le32 __user *sizes =
		command + GOLDFISH_PIPE_SIZES_OFFSET(pipe->max_buffers);
	__le64 gpa[PIPE_CHUNK] __uninitialized;
	__le32 size[PIPE_CHUNK] __uninitialized;
	unsigned int i;

	if (!user_read_access_begin(command, GOLDFISH_PIPE_COMMAND_SIZE))
		goto fault_outside;
	for (i = 0; i < n; i++) {
		unsafe_get_user(gpa[i], &gpas[first + i], fault);
		unsafe_get_user(size[i], &sizes[first + i], fault);
	}
	user_read_access_end();
	return vec_add(vec, pipe->dev, gpa, size, n);

fault:
	user_read_access_end();
fault_outside:
	pipe_bad_guest(pipe->dev);
	return false;
}

/* Moves what the service takes. Returns bytes if there are any, else why not. */
static ssize_t vec_move(struct pipe *pipe, struct pipe_vec *vec, bool write)
{
	struct pipe_stats *stats = &pipe->dev->stats;
	struct iov_iter iter;
	ssize_t moved;

	if (!vec->bytes)
		return -EINVAL;
	iov_iter_init(&iter, write ? ITER_SOURCE : ITER_DEST, vec->iov, vec->segs,
		      vec->bytes);
	moved = write ? pipe->service->write(pipe, &iter) :
			pipe->service->read(pipe, &iter);
	if (moved > 0)
		atomic64_add(moved, write ? &stats->bytes_to_host :
					    &stats->bytes_to_guest);
	return moved;
}

/**
 * pipe_move_one() - move what the service takes of one buffer
 * @pipe: open, its lock held
 * @gpa: guest physical address of the buffer
 * @size: its bytes
 * @write: to the host
 *
 * Context: vCPU or worker, inside ranchu_mem_enter().
 * Return: bytes, or -errno: the service's, or -EINVAL if it is no guest memory
 * or empty.
 */
ssize_t pipe_move_one(struct pipe *pipe, u64 gpa, u32 size, bool write)
{
	__le64 le_gpa = cpu_to_le64(gpa);
	__le32 le_size = cpu_to_le32(size);
	struct pipe_vec vec __uninitialized;

	lockdep_assert_held(&pipe->lock);
	vec_init(&vec, 1);
	vec_add(&vec, pipe->dev, &le_gpa, &le_size, 1);
	return vec_move(pipe, &vec, write);
}

/* The same with a command's buffers from @first to before @end. */
static ssize_t pipe_move(struct pipe *pipe, const void __user *command,
			 u32 first, u32 end, bool write)
{
	struct pipe_vec vec __uninitialized;
	unsigned int n;
	ssize_t ret;

	vec_init(&vec, end - first);
	for (; first < end; first += n) {
		n = min_t(unsigned int, end - first, PIPE_CHUNK);
		if (!vec_fetch(&vec, pipe, command, first, n))
			break;
	}
	ret = vec_move(pipe, &vec, write);
	vec_free(&vec);
	return ret;
}

static s32 pipe_transfer(struct pipe *pipe,
			 struct goldfish_pipe_command __user *command,
			 u32 buffers, bool write)
{
	ssize_t moved;

	buffers = min(buffers, pipe->max_buffers);
	moved = pipe_move(pipe, command, 0, buffers, write);
	pipe_consumed(pipe->dev, command, max_t(ssize_t, moved, 0));
	return pipe_status(moved);
}

static s32 pipe_call(struct pipe *pipe,
		     struct goldfish_pipe_command __user *command, u32 buffers)
{
	void __user *page = command;
	ssize_t sent = -EINVAL, received = 0;
	u32 consumed, read_index;
	__le32 word;
	s32 status;

	buffers = min(buffers, pipe->max_buffers);
	if (get_user(word, (__le32 __user *)(page +
			GOLDFISH_PIPE_READ_INDEX_OFFSET(pipe->max_buffers)))) {
		pipe_bad_guest(pipe->dev);
		return GOLDFISH_PIPE_ERROR_INVAL;
	}
	read_index = le32_to_cpu(word);
	if (buffers && read_index <= buffers) {
		sent = 0;
		if (read_index)
			sent = pipe_move(pipe, page, 0, read_index, true);
		if (sent >= 0 && read_index < buffers)
			received = pipe_move(pipe, page, read_index, buffers,
					     false);
	}
	status = pipe_call_status(sent, received, &consumed);
	pipe_consumed(pipe->dev, command, consumed);
	return status;
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
	atomic64_inc(&pipe->dev->stats.opens);
	atomic64_inc(&pipe->dev->stats.pipes);
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
	atomic64_dec(&pipe->dev->stats.pipes);
}

static void pipe_command_live(struct pipe *pipe)
{
	struct pipe_dev *dev = pipe->dev;
	struct goldfish_pipe_command __user *command;
	struct pipe_header header;
	s32 status = 0;

	command = ranchu_mem_user(&dev->mem, pipe->command_gpa,
				  GOLDFISH_PIPE_COMMAND_SIZE);
	if (!command || !pipe_fetch_header(command, &header)) {
		pipe_bad_guest(dev);
		return;
	}
	switch (pipe_decode_live(READ_ONCE(pipe->hung_up), header.cmd, &status)) {
	case PIPE_CLOSE:
		atomic64_inc(&dev->stats.closes);
		pipe_close(pipe);
		pipe_signal_recall(pipe);
		break;
	case PIPE_POLL:
		status = pipe_poll(pipe);
		break;
	case PIPE_WRITE:
		status = pipe_transfer(pipe, command, header.buffers_count, true);
		break;
	case PIPE_READ:
		status = pipe_transfer(pipe, command, header.buffers_count, false);
		break;
	case PIPE_CALL:
		status = pipe_call(pipe, command, header.buffers_count);
		break;
	case PIPE_DMA_MAP:
		status = pipe_dma(pipe, command, true);
		break;
	case PIPE_DMA_UNMAP:
		status = pipe_dma(pipe, command, false);
		break;
	case PIPE_WAKE_ON:
		pipe_arm(pipe, pipe_wake_flag(header.cmd));
		break;
	case PIPE_STATUS:
		/* Drivers look at it before they look at the status. */
		if (header.cmd == GOLDFISH_PIPE_CMD_READ ||
		    header.cmd == GOLDFISH_PIPE_CMD_WRITE ||
		    header.cmd == GOLDFISH_PIPE_CMD_CALL)
			pipe_consumed(dev, command, 0);
		if (header.cmd == GOLDFISH_PIPE_CMD_WAKE_ON_READ ||
		    header.cmd == GOLDFISH_PIPE_CMD_WAKE_ON_WRITE)
			pipe_hang_up_again(pipe);
		break;
	default:
		pipe_bad_guest(dev);
		return;
	}
	pipe_answer(dev, command, status);
	trace_ranchu_command(dev, pipe->id, header.cmd, status);
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
	struct goldfish_pipe_open_params params;
	struct pipe_header header;
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
	if (!command || !pipe_fetch_header(command, &header)) {
		pipe_bad_guest(dev);
		return NULL;
	}
	if (pipe_decode_absent(id, VHOST_GOLDFISH_PIPE_MAX_ID, *max_buffers,
			       &header, &status) == PIPE_OPEN)
		return command;
	if (status)
		pipe_bad_guest(dev);
	pipe_answer(dev, command, status);
	trace_ranchu_command(dev, id, header.cmd, status);
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
 * @told: the caller tells the VMM the line's level (see ranchu_line_update())
 *
 * On return the answer is in guest memory and whom it woke is announced.
 *
 * Context: vCPU or worker.
 */
void pipe_command(struct pipe *pipe, bool told)
{
	struct pipe_dev *dev = pipe->dev;
	int idx;

	if (pipe_speaks_v1(dev) &&
	    pipe_v1_write(dev, GOLDFISH_PIPE_V1_COMMAND, pipe->id, told))
		return;
	idx = ranchu_mem_enter(&dev->mem);
	atomic64_inc(&dev->stats.commands);
	mutex_lock(&pipe->lock);
	/* Wakes that the command causes are announced below, not by the worker. */
	WRITE_ONCE(pipe->runner, current);
	if (pipe_speaks_v2(dev)) {
		if (pipe->service)
			pipe_command_live(pipe);
		else
			pipe_command_absent(pipe);
	}
	WRITE_ONCE(pipe->runner, NULL);
	mutex_unlock(&pipe->lock);

	if (pipe_signal_waiting(dev))
		ranchu_line_update(&dev->line, told);
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
	if (pipe_v1_write(dev, GOLDFISH_PIPE_V1_COMMAND, id, true))
		return false;
	pipe = xa_load(&dev->pipes, id);
	if (!pipe)
		pipe = pipe_get_for_open(dev, id);
	if (!pipe) {
		atomic64_inc(&dev->stats.commands);
		return false;
	}
	pipe_command(pipe, true);
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
	}
}
