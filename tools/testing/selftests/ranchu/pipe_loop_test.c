// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that connects eventfds in a loop harms only itself: the thread that rang
 * first always returns to its program.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT		120
/* Far more than one write() takes, however slow the machine is. */
#define PATIENCE_S	60
#define MEM_SIZE	(1u << 20)

FIXTURE(loop)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	int efd;
};

FIXTURE_SETUP(loop)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
}

FIXTURE_TEARDOWN(loop)
{
	pipe_dev_close(&self->dev);
	close(self->efd);
	pipe_mem_destroy(&self->mem);
}

static void *ring_once(void *arg)
{
	eventfd_write(*(int *)arg, 1);
	return NULL;
}

/*
 * A command that always wakes its own pipe, whose interrupt is its own end and
 * its own next command.
 */
TEST_F_TIMEOUT(loop, one_eventfd_for_everything, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats stats;
	struct timespec until;
	pthread_t thread;

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:zero");
	self->pipe.cmd->cmd = GOLDFISH_PIPE_CMD_WAKE_ON_READ;
	ASSERT_EQ(0, __pipe_set_line(&self->dev, self->efd, self->efd));
	if (__pipe_set_doorbell(&self->dev, 0, self->efd))
		SKIP(return, "this kernel has no synchronous doorbell");

	ASSERT_EQ(0, pthread_create(&thread, NULL, ring_once, &self->efd));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	ASSERT_EQ(0, pthread_timedjoin_np(thread, NULL, &until));

	/* The loop runs in the worker, and can be stopped. */
	do {
		pipe_get_stats(&self->dev, &stats);
	} while (stats.kicks_foreign < 100);
	ASSERT_EQ(0, __pipe_set_line(&self->dev, -1, -1));
	pipe_set_doorbell(&self->dev, 0, -1);
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
}

TEST_HARNESS_MAIN
