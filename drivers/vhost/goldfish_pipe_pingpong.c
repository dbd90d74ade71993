// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe:pingpong - gives back what it took, in order.
 *
 * The reference may lose a wake (a reader that asks for one when bytes are
 * there sleeps until the next write); pipe_arm() does not.
 * Source: android_pipe_pingpong.c (8bf10fa1)
 */
#include <linux/slab.h>

#include "goldfish_pipe.h"

static int pingpong_open(struct pipe *pipe, const char *args)
{
	struct pipe_bytes *ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);
	int err;

	if (!ring)
		return -ENOMEM;
	err = pipe_bytes_init(ring, &pipe->dev->ring_bytes);
	if (err) {
		kfree(ring);
		return err;
	}
	pipe->priv = ring;
	return 0;
}

static ssize_t pingpong_write(struct pipe *pipe, struct iov_iter *from)
{
	ssize_t ret = pipe_bytes_write(pipe->priv, from);

	if (ret > 0)
		pipe_ready(pipe, GOLDFISH_PIPE_POLL_IN);
	return ret;
}

static ssize_t pingpong_read(struct pipe *pipe, struct iov_iter *to)
{
	ssize_t ret = pipe_bytes_read(pipe->priv, to);

	if (ret > 0)
		pipe_ready(pipe, GOLDFISH_PIPE_POLL_OUT);
	return ret;
}

static u32 pingpong_poll(struct pipe *pipe)
{
	return (pipe_bytes_readable(pipe->priv) ? GOLDFISH_PIPE_POLL_IN : 0) |
	       (pipe_bytes_writable(pipe->priv) ? GOLDFISH_PIPE_POLL_OUT : 0);
}

static void pingpong_close(struct pipe *pipe)
{
	pipe_bytes_destroy(pipe->priv);
	kfree(pipe->priv);
}

const struct pipe_service pipe_pingpong = {
	.name = "pingpong",
	.open = pingpong_open,
	.write = pingpong_write,
	.read = pingpong_read,
	.poll = pingpong_poll,
	.close = pingpong_close,
};
