// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe:throttle - pingpong at PIPE_THROTTLE_RATE bytes a second each way: after
 * a transfer that way rests for as long as its bytes should have taken.
 * Source: android_pipe_throttle.c (4b8b29ce)
 */
#include <linux/hrtimer.h>
#include <linux/slab.h>

#include "goldfish_pipe.h"

/**
 * struct throttle_way - one direction
 * @pipe: whose
 * @poll_bit: GOLDFISH_PIPE_POLL_IN or _OUT: what it holds back while it rests
 * @resting: until @timer runs; written by it and under the pipe's lock
 * @timer: ends the rest
 */
struct throttle_way {
	struct pipe *pipe;
	u32 poll_bit;
	bool resting;
	struct hrtimer timer;
};

/**
 * struct throttle - pipe.priv
 * @ring: the bytes; the pipe's lock
 * @in: guest to host
 * @out: host to guest
 */
struct throttle {
	struct pipe_bytes ring;
	struct throttle_way in;
	struct throttle_way out;
};

static enum hrtimer_restart throttle_rested(struct hrtimer *timer)
{
	struct throttle_way *way = container_of(timer, struct throttle_way, timer);

	WRITE_ONCE(way->resting, false);
	/* The ring is not ours to look at here; a wake too many is harmless. */
	pipe_ready(way->pipe, way->poll_bit);
	return HRTIMER_NORESTART;
}

static void throttle_rest(struct throttle_way *way, size_t bytes)
{
	WRITE_ONCE(way->resting, true);
	hrtimer_start(&way->timer, ns_to_ktime(pipe_throttle_ns(bytes)),
		      HRTIMER_MODE_REL_SOFT);
}

static void throttle_way_init(struct throttle_way *way, struct pipe *pipe,
			      u32 poll_bit)
{
	way->pipe = pipe;
	way->poll_bit = poll_bit;
	hrtimer_setup(&way->timer, throttle_rested, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_SOFT);
}

static int throttle_open(struct pipe *pipe, const char *args)
{
	struct throttle *throttle = kzalloc(sizeof(*throttle), GFP_KERNEL_ACCOUNT);
	int err;

	if (!throttle)
		return -ENOMEM;
	err = pipe_bytes_init(&throttle->ring, &pipe->dev->ring_bytes);
	if (err) {
		kfree(throttle);
		return err;
	}
	throttle_way_init(&throttle->in, pipe, GOLDFISH_PIPE_POLL_OUT);
	throttle_way_init(&throttle->out, pipe, GOLDFISH_PIPE_POLL_IN);
	pipe->priv = throttle;
	return 0;
}

static u32 throttle_poll(struct pipe *pipe)
{
	struct throttle *throttle = pipe->priv;
	u32 bits = 0;

	if (!READ_ONCE(throttle->out.resting) && pipe_bytes_readable(&throttle->ring))
		bits |= GOLDFISH_PIPE_POLL_IN;
	if (!READ_ONCE(throttle->in.resting) && pipe_bytes_writable(&throttle->ring))
		bits |= GOLDFISH_PIPE_POLL_OUT;
	return bits;
}

static ssize_t throttle_write(struct pipe *pipe, struct iov_iter *from)
{
	struct throttle *throttle = pipe->priv;
	ssize_t ret;

	if (READ_ONCE(throttle->in.resting))
		return -EAGAIN;
	ret = pipe_bytes_write(&throttle->ring, from);
	if (ret > 0) {
		throttle_rest(&throttle->in, ret);
		pipe_ready(pipe, throttle_poll(pipe));
	}
	return ret;
}

static ssize_t throttle_read(struct pipe *pipe, struct iov_iter *to)
{
	struct throttle *throttle = pipe->priv;
	ssize_t ret;

	if (READ_ONCE(throttle->out.resting))
		return -EAGAIN;
	ret = pipe_bytes_read(&throttle->ring, to);
	if (ret > 0) {
		throttle_rest(&throttle->out, ret);
		pipe_ready(pipe, throttle_poll(pipe));
	}
	return ret;
}

static void throttle_close(struct pipe *pipe)
{
	struct throttle *throttle = pipe->priv;

	hrtimer_cancel(&throttle->in.timer);
	hrtimer_cancel(&throttle->out.timer);
	pipe_bytes_destroy(&throttle->ring);
	kfree(throttle);
}

const struct pipe_service pipe_throttle = {
	.name = "throttle",
	.open = throttle_open,
	.write = throttle_write,
	.read = throttle_read,
	.poll = throttle_poll,
	.close = throttle_close,
};
