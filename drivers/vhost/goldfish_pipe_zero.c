// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe:zero - takes everything, gives zeroes, never makes anybody wait.
 * Source: android_pipe_zero.c (8bf10fa1)
 */
#include "goldfish_pipe.h"

static int zero_open(struct pipe *pipe, const char *args)
{
	return 0;
}

static ssize_t zero_write(struct pipe *pipe, struct iov_iter *from)
{
	return iov_iter_count(from);
}

static ssize_t zero_read(struct pipe *pipe, struct iov_iter *to)
{
	size_t n = iov_iter_zero(iov_iter_count(to), to);

	return n ? n : -EFAULT;
}

static u32 zero_poll(struct pipe *pipe)
{
	return GOLDFISH_PIPE_POLL_IN | GOLDFISH_PIPE_POLL_OUT;
}

static void zero_close(struct pipe *pipe)
{
}

const struct pipe_service pipe_zero = {
	.name = "zero",
	.open = zero_open,
	.write = zero_write,
	.read = zero_read,
	.poll = zero_poll,
	.close = zero_close,
};
