// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pipe without a window, whose module runs the vCPUs: the guest's reads of GET_SIGNALLED
 * are served in the kernel, with those of the sync device if there is one, and an announced
 * batch belongs to the guest until it is read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_rig.h"
#include "sync_dev.h"

#define TIMEOUT		120
#define READS		1000u
#define HUNG_UP		3u
#define BASE		RANCHU_PIPE_BASE
#define SIGNALLED	GOLDFISH_PIPE_REG_GET_SIGNALLED

/**
 * struct ways - how a vCPU is run
 * @dev: the pipe
 * @sync: the sync device, or NULL
 * @stopped: reads that the pipe refused, because it is stopped
 */
struct ways {
	struct pipe_dev *dev;
	struct sync_guest *sync;
	unsigned int stopped;
};

static bool feature(struct pipe_dev *dev)
{
	uint64_t features = 0;

	if (__pipe_ioctl(dev->fd, VHOST_GET_BACKEND_FEATURES, &features))
		pipe_die("no features");
	return features >> VHOST_GOLDFISH_PIPE_F_RUN & 1;
}

/* Runs the vCPU as a VMM does. */
static int run_vcpu(struct bare_vcpu *vcpu)
{
	struct ways *ways = vcpu->opaque;
	struct vhost_goldfish_sync_run sync = {
		.run = (uintptr_t)vcpu->run, .base = RANCHU_SYNC_BASE, .vcpu_fd = vcpu->fd,
	};
	struct vhost_goldfish_pipe_run run = {
		.run = (uintptr_t)vcpu->run, .base = BASE, .fd = vcpu->fd,
	};

	if (ways->sync) {
		run.fd = ways->sync->fd;
		run.sync = (uintptr_t)&sync;
	}
	return __pipe_ioctl(ways->dev->fd, VHOST_GOLDFISH_PIPE_RUN, &run);
}

/* Serves the exits that RUN does not. */
static bool serve(struct bare_vcpu *vcpu, uint64_t gpa, void *data, uint32_t len, bool write)
{
	struct ways *ways = vcpu->opaque;
	struct vhost_goldfish_pipe_access access = { .offset = gpa - BASE };
	int ret;

	if (len != 4 || write)
		return false;
	if (gpa < BASE || gpa - BASE >= PIPE_PAGE) {
		memset(data, 0, len);
		return true;
	}
	ret = __pipe_access(ways->dev, &access);
	ways->stopped += ret == -EBUSY;
	memcpy(data, &access.value, len);
	return !ret || ret == -EBUSY;
}

FIXTURE(run)
{
	struct bare_rig rig;
	struct sync_guest sync;
	struct ways ways;
	struct bare_vcpu *vcpu;
	int call;
	int resample;
};

FIXTURE_SETUP(run)
{
	const char *missing = bare_rig_missing(false);

	if (missing)
		SKIP(return, "%s", missing);
	bare_rig_start_quiet(&self->rig, "pipe:pingpong", 1);
	if (!feature(&self->rig.dev))
		SKIP(return, "this module runs no vCPUs");
	self->ways = (struct ways){ .dev = &self->rig.dev };
	self->vcpu = &self->rig.vm.vcpus[0];
	self->vcpu->enter = run_vcpu;
	self->vcpu->mmio = serve;
	self->vcpu->opaque = &self->ways;
	self->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->call);
	ASSERT_LE(0, self->resample);
	ASSERT_EQ(0, __pipe_set_line(&self->rig.dev, self->call, self->resample));
}

FIXTURE_TEARDOWN(run)
{
	bare_rig_stop(&self->rig);
	close(self->call);
	close(self->resample);
}

/* The guest makes READS accesses, of @n kinds in turn. Returns the exits to userspace. */
static unsigned long accesses(struct bare_rig *rig, const struct bare_scribble *kinds,
			      unsigned int n)
{
	struct bare_vcpu *vcpu = &rig->vm.vcpus[0];
	uint64_t gpa = pipe_mem_alloc(&rig->mem, n * sizeof(*kinds), 32);
	unsigned long runs;

	memcpy(pipe_mem_hva(&rig->mem, gpa, n * sizeof(*kinds)), kinds, n * sizeof(*kinds));
	*vcpu->job = (struct bare_job){
		.flags = BARE_SCRIBBLE, .count = READS, .reg = gpa, .value = 1,
		.size_mask = n - 1, .exit = BARE_EXIT_GPA,
	};
	bare_vcpu_run(vcpu, BARE_AT_BEGIN);
	runs = vcpu->runs;
	bare_vcpu_run(vcpu, BARE_AT_END);
	if (vcpu->job->done != READS)
		pipe_die("the guest made %u of them", vcpu->job->done);
	return vcpu->runs - runs;
}

/* Odd: a read of the word before. */
static const struct bare_scribble read_signalled = { .addr = BASE + SIGNALLED + 1 };

static void hang_up(struct pipe_dev *dev)
{
	struct test_pipe pipe;
	uint32_t id;

	for (id = 0; id < HUNG_UP; id++) {
		pipe_connect(dev, &pipe, id, "pipe:pingpong");
		pipe_hang_up(dev, id);
	}
}

/* The guest ends its interrupt; checks that all wakes were in its buffer. */
static bool all_told(struct pipe_dev *dev, int resample)
{
	uint32_t id;

	if (eventfd_write(resample, 1))
		pipe_die("resample: %s", strerror(errno));
	for (id = 0; id < HUNG_UP; id++) {
		struct goldfish_pipe_signal entry = pipe_signal(dev, id);

		if (entry.id != id || !(entry.flags & GOLDFISH_PIPE_WAKE_CLOSED))
			return false;
	}
	return !pipe_signal(dev, HUNG_UP).flags && !pipe_line_level(dev) &&
	       !pipe_reg_read(dev, SIGNALLED);
}

TEST_F_TIMEOUT(run, reads_of_a_vcpu_stay_in_the_kernel, TIMEOUT)
{
	hang_up(&self->rig.dev);
	/* One return: the guest's report. */
	EXPECT_EQ(1, accesses(&self->rig, &read_signalled, 1));
	EXPECT_TRUE(all_told(&self->rig.dev, self->resample));
}

/* Another address; another way to run; a line whose level is the VMM's. */
TEST_F_TIMEOUT(run, other_reads_of_a_vcpu_exit, TIMEOUT)
{
	const struct bare_scribble behind = { .addr = BASE + PIPE_PAGE + SIGNALLED + 1 };
	struct pipe_dev *dev = &self->rig.dev;

	EXPECT_EQ(READS + 1, accesses(&self->rig, &behind, 1));
	ASSERT_EQ(0, __pipe_set_line(dev, self->call, -1));
	EXPECT_EQ(READS + 1, accesses(&self->rig, &read_signalled, 1));
	ASSERT_EQ(0, __pipe_set_line(dev, self->call, self->resample));
	self->vcpu->enter = NULL;
	hang_up(dev);
	EXPECT_EQ(READS + 1, accesses(&self->rig, &read_signalled, 1));
	EXPECT_TRUE(all_told(dev, self->resample));
}

/* Wakes during a stop are announced after it. */
TEST_F_TIMEOUT(run, a_stopped_device_leaves_reads_to_the_vmm, TIMEOUT)
{
	int running = 0;

	hang_up(&self->rig.dev);
	ASSERT_EQ(0, __pipe_ioctl(self->rig.dev.fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, &running));
	EXPECT_EQ(READS + 1, accesses(&self->rig, &read_signalled, 1));
	EXPECT_EQ(READS, self->ways.stopped);
	running = 1;
	ASSERT_EQ(0, __pipe_ioctl(self->rig.dev.fd, VHOST_GOLDFISH_PIPE_SET_RUNNING, &running));
	EXPECT_EQ(1, accesses(&self->rig, &read_signalled, 1));
	EXPECT_TRUE(all_told(&self->rig.dev, self->resample));
}

/* Commands by doorbell and reads, in any order: neither returns to userspace. */
TEST_F_TIMEOUT(run, commands_and_reads_have_no_exit, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	const struct bare_scribble kinds[] = {
		{ .addr = BASE + GOLDFISH_PIPE_REG_CMD, .value = RIG_PIPE_ID },
		read_signalled,
	};
	struct vhost_goldfish_pipe_stats before, after;

	if (bare_rig_missing(true))
		SKIP(return, "no synchronous doorbell");
	rig->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, rig->efd);
	bare_ioeventfd(&rig->vm, BASE + GOLDFISH_PIPE_REG_CMD, RIG_PIPE_ID, rig->efd);
	rig->pipe.cmd->cmd = GOLDFISH_PIPE_CMD_POLL;
	pipe_get_stats(&rig->dev, &before);
	EXPECT_EQ(1, accesses(rig, kinds, 2));
	pipe_get_stats(&rig->dev, &after);
	EXPECT_LT(READS / 4, after.kicks - before.kicks);
	EXPECT_GT(READS * 3 / 4, after.kicks - before.kicks);
	EXPECT_EQ(after.kicks - before.kicks, after.commands - before.commands);
	EXPECT_EQ(0, after.bad_guest + after.kicks_lost);
}

TEST_F_TIMEOUT(run, two_devices_serve_one_vcpu, TIMEOUT)
{
	const struct bare_scribble kinds[] = {
		{ .addr = RANCHU_SYNC_BASE + GOLDFISH_SYNC_REG_BATCH_COMMAND + 1 },
		read_signalled,
	};
	struct sync_guest *sync = &self->sync;

	if (__sync_start(sync))
		SKIP(return, "no usable " SYNC_DEV_PATH);
	self->ways.sync = sync;
	hang_up(&self->rig.dev);
	sync_trigger(sync, 1, 2, 0xabc);
	EXPECT_EQ(1, accesses(&self->rig, kinds, 2));
	EXPECT_TRUE(all_told(&self->rig.dev, self->resample));
	EXPECT_LT(READS / 4, sync_stats(sync).reads);
	EXPECT_GT(READS * 3 / 4, sync_stats(sync).reads);
	EXPECT_EQ(0, sync_stats(sync).reads_access);
	EXPECT_EQ(1, sync_stats(sync).sent);
	sync_stop(sync);
}

/*
 * A guest with threaded handlers ends the interrupt before it reads, with the pin masked,
 * and KVM reports an unmasked pin as an end. The line is raised again until the batch is
 * read.
 */
TEST_F_TIMEOUT(run, an_end_before_the_read_loses_no_batch, TIMEOUT)
{
	struct pipe_dev *dev = &self->rig.dev;
	eventfd_t rung;
	int i;

	hang_up(dev);
	/* An end is served in this thread if the kernel has synchronous doorbells. */
	for (i = 0; i < 4; i++) {
		while (eventfd_read(self->call, &rung))
			usleep(1000);
		if (i < 3)
			ASSERT_EQ(0, eventfd_write(self->resample, 1));
	}
	EXPECT_EQ(HUNG_UP, pipe_reg_read(dev, SIGNALLED));
	EXPECT_TRUE(all_told(dev, self->resample));
	EXPECT_EQ(-1, eventfd_read(self->call, &rung));
}

static int run_with(struct pipe_dev *dev, int fd, void *sync, uint32_t padding)
{
	struct vhost_goldfish_pipe_run run = {
		.base = BASE, .sync = (uintptr_t)sync, .fd = fd, .padding = padding,
	};

	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_RUN, &run);
}

TEST_F_TIMEOUT(run, wrong_arguments, TIMEOUT)
{
	struct vhost_goldfish_sync_run inner = { .vcpu_fd = self->vcpu->fd };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int efd = eventfd(0, EFD_CLOEXEC);
	struct pipe_dev *dev = &self->rig.dev;
	struct sync_guest *sync = &self->sync;
	int status;
	pid_t pid;

	ASSERT_LE(0, null);
	ASSERT_LE(0, efd);
	EXPECT_EQ(-EFAULT, __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_RUN, NULL));
	EXPECT_EQ(-EINVAL, run_with(dev, self->vcpu->fd, NULL, 1));
	EXPECT_EQ(-EBADF, run_with(dev, -1, NULL, 0));
	EXPECT_EQ(-EINVAL, run_with(dev, null, NULL, 0));
	EXPECT_EQ(-EINVAL, run_with(dev, efd, NULL, 0));
	EXPECT_EQ(-EINVAL, run_with(dev, dev->fd, NULL, 0));
	EXPECT_EQ(-EINVAL, run_with(dev, self->rig.vm.fd, NULL, 0));
	/* Files that are no sync device: they do not know the ioctl. */
	EXPECT_EQ(-EBADF, run_with(dev, -1, &inner, 0));
	EXPECT_EQ(-ENOTTY, run_with(dev, efd, &inner, 0));
	EXPECT_EQ(-ENOTTY, run_with(dev, dev->fd, &inner, 0));
	if (!__sync_start(sync)) {
		EXPECT_EQ(-EFAULT, run_with(dev, sync->fd, (void *)8, 0));
		inner.vcpu_fd = dev->fd;
		EXPECT_EQ(-EINVAL, run_with(dev, sync->fd, &inner, 0));
		sync_stop(sync);
	}

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(run_with(dev, self->vcpu->fd, NULL, 0) != -EPERM);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(null);
	close(efd);
}

TEST_HARNESS_MAIN
