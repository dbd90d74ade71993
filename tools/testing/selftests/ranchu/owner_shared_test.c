// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that shares its memory with another one, which set up a device and was
 * killed, is the device's owner as well. The workers have ended with the thread group
 * in which they were started: a start returns an error, and SET_OWNER makes new workers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "stages.h"

#define TIMEOUT		300
#define STACK_SIZE	(256u << 10)

FIXTURE(shared)
{
	struct rig rig;
	uint8_t *stack;
};

FIXTURE_VARIANT(shared)
{
	unsigned int device;
};

/* One worker for all rings, and one for each. */
FIXTURE_VARIANT_ADD(shared, vq) { .device = VQ };
FIXTURE_VARIANT_ADD(shared, blk) { .device = BLK };

FIXTURE_SETUP(shared)
{
	if (access(rig_path(variant->device), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(variant->device));
	self->rig.device = variant->device;
	self->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stack);
}

FIXTURE_TEARDOWN(shared)
{
	rig_free(&self->rig);
	munmap(self->stack, STACK_SIZE);
}

/* The other process: this one's memory and files, threads of its own. */
static int set_up_and_end(void *arg)
{
	struct rig *rig = arg;

	rig_make(rig, rig->device, RUNNING);
	/* exit() would run the exit handlers of the shared C library. */
	syscall(SYS_exit_group, 7);
	return 0;
}

static int run(struct rig *rig, int running)
{
	return __vq_ioctl(rig->fd, rig->run, &running);
}

static bool works(struct rig *rig)
{
	if (rig->device == VQ)
		return !vq_echo(rig->ring);
	return bd_do(&rig->blk, VIRTIO_BLK_T_IN, 0, 512) == VIRTIO_BLK_S_OK;
}

TEST_F_TIMEOUT(shared, start_without_a_worker, TIMEOUT)
{
	struct rig *rig = &self->rig;
	int status = 0;
	pid_t pid;

	pid = clone(set_up_and_end, self->stack + STACK_SIZE,
		    CLONE_VM | CLONE_FILES | SIGCHLD, rig);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);

	/* The rings count as running, or are started. */
	EXPECT_EQ(-ESRCH, run(rig, 1));
	EXPECT_EQ(0, run(rig, 0));
	EXPECT_EQ(-ESRCH, run(rig, 1));

	ASSERT_EQ(0, __vq_ioctl(rig->fd, VHOST_RESET_OWNER, NULL));
	rig_free(rig);
	rig_make(rig, variant->device, RUNNING);
	EXPECT_TRUE(works(rig));
}

TEST_HARNESS_MAIN
