// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffers of a command: where they are in the owner's memory, and one call of the
 * pipe's service for all of them.
 */
#include <linux/ranchu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "goldfish_pipe_move.h"

/*
 * Large arrays on the stack are __uninitialized: kernels that clear all stack
 * variables would clear these for each command, and it shows. Only elements that
 * were written are read.
 */

/* Bytes moved by one command; the guest asks again for the rest. */
#define PIPE_MAX_TRANSFER (2UL << 20)

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
	__le64 *next_gpa = gpa;
	__le32 *next_size = size;
	unsigned int i;

	if (!user_read_access_begin(command, GOLDFISH_PIPE_COMMAND_SIZE))
		goto fault_outside;
	/* Without an index, as in pipe_fetch(). */
	for (i = 0; i < n; i++) {
		unsafe_get_user(*next_gpa++, &gpas[first + i], fault);
		unsafe_get_user(*next_size++, &sizes[first + i], fault);
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
	struct pipe_counts *counts = &pipe->counts;
	struct iov_iter iter;
	ssize_t moved;

	if (!vec->bytes)
		return -EINVAL;
	iov_iter_init(&iter, write ? ITER_SOURCE : ITER_DEST, vec->iov, vec->segs,
		      vec->bytes);
	moved = write ? pipe->service->write(pipe, &iter) :
			pipe->service->read(pipe, &iter);
	if (moved > 0 && write)
		pipe_count(&counts->bytes_to_host, moved);
	else if (moved > 0)
		pipe_count(&counts->bytes_to_guest, moved);
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

/**
 * pipe_move() - move what the service takes of a command's buffers
 * @pipe: open, its lock held
 * @fetched: what of the command buffer was fetched already
 * @command: the command buffer
 * @first: number of the first buffer
 * @end: number of the one behind the last; at most @pipe->max_buffers
 * @write: to the host
 *
 * Context: vCPU or worker, inside ranchu_mem_enter().
 * Return: as pipe_move_one()
 */
ssize_t pipe_move(struct pipe *pipe, const struct pipe_fetched *fetched,
		  const void __user *command, u32 first, u32 end, bool write)
{
	struct pipe_vec vec __uninitialized;
	unsigned int n;
	ssize_t ret;
	bool more = true;

	vec_init(&vec, end - first);
	if (first < fetched->n) {
		n = min(end, fetched->n) - first;
		more = vec_add(&vec, pipe->dev, fetched->gpa + first,
			       fetched->size + first, n);
		first += n;
	}
	for (; more && first < end; first += n) {
		n = min(end - first, PIPE_CHUNK);
		more = vec_fetch(&vec, pipe, command, first, n);
	}
	ret = vec_move(pipe, &vec, write);
	vec_free(&vec);
	return ret;
}
