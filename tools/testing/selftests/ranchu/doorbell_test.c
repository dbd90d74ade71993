// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synchronous doorbell, rung by a real vCPU: the answer must be in guest
 * memory when the vCPU executes the instruction after its register write,
 * nothing may reach userspace, and attaching, detaching and closing meanwhile must
 * not change that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_rig.h"
#include "modules.h"

/* Seconds, for an emulated host on a busy machine. */
#define TIMEOUT			600

/* Operations of one kind; the three kinds make 100 000. */
#define WRITES			50000u
#define READS			30000u
#define POLLS			20000u
#define LARGEST			4096u

/* Enough that vCPUs, writers and ioctls meet often. */
#define LOAD_STEP		500u
#define FOREIGN_WRITES		2000
#define SIGNALS			500
#define DETACHES		200
#define KILLS			5

#define NO_END			UINT32_MAX

/* What pipe:zero always answers to POLL. */
#define ZERO_POLL		(GOLDFISH_PIPE_POLL_IN | GOLDFISH_PIPE_POLL_OUT)

/* Sum of 1 + (i & (LARGEST - 1)) over count iterations. */
static uint64_t transfer_sum(uint64_t count)
{
	uint64_t rest = count % LARGEST;

	return count / LARGEST * (LARGEST * (LARGEST + 1ull) / 2) +
	       rest * (rest + 1) / 2;
}

static void job_poll(struct bare_rig *rig, struct bare_vcpu *vcpu,
		     uint32_t count)
{
	bare_rig_command(rig, vcpu, GOLDFISH_PIPE_CMD_POLL, ZERO_POLL, count);
}

/* Cost of a loop, and bytes that it moved. */
struct loop_cost {
	unsigned long runs;
	uint64_t user_exits;
	struct vhost_goldfish_pipe_stats stats;
};

/* Runs the job of vCPU 0 from its first report to its last. */
static void run_counted(struct bare_rig *rig, struct loop_cost *cost)
{
	struct bare_vcpu *vcpu = &rig->vm.vcpus[0];
	struct vhost_goldfish_pipe_stats before;

	bare_vcpu_run(vcpu, BARE_AT_BEGIN);
	pipe_get_stats(&rig->dev, &before);
	cost->runs = vcpu->runs;
	cost->user_exits = bare_stat(vcpu->stats_fd, bare_arch_user_exit_stat);

	bare_vcpu_run(vcpu, BARE_AT_END);
	cost->runs = vcpu->runs - cost->runs;
	cost->user_exits =
		bare_stat(vcpu->stats_fd, bare_arch_user_exit_stat) -
		cost->user_exits;
	pipe_get_stats(&rig->dev, &cost->stats);
	cost->stats.kicks -= before.kicks;
	cost->stats.kicks_foreign -= before.kicks_foreign;
	cost->stats.kicks_lost -= before.kicks_lost;
	cost->stats.commands -= before.commands;
	cost->stats.commands_access -= before.commands_access;
	cost->stats.bytes_to_host -= before.bytes_to_host;
	cost->stats.bytes_to_guest -= before.bytes_to_guest;
	cost->stats.bad_guest -= before.bad_guest;
}

#define EXPECT_ALL_RIGHT(job, count) \
	do { \
		EXPECT_EQ((count), (job)->done); \
		EXPECT_EQ(0, (job)->early); \
		EXPECT_EQ(0, (job)->wrong) \
		{ \
			TH_LOG("the last wrong answer was %d", \
			       (int)(job)->last_wrong); \
		} \
	} while (0)

/* Everything in the kernel: one exit, which is the guest's report. */
#define EXPECT_IN_KERNEL(cost, count) \
	do { \
		EXPECT_EQ(1, (cost)->runs); \
		EXPECT_EQ(1, (cost)->user_exits); \
		EXPECT_EQ((count), (cost)->stats.kicks); \
		EXPECT_EQ((count), (cost)->stats.commands); \
		EXPECT_EQ(0, (cost)->stats.commands_access); \
		EXPECT_EQ(0, (cost)->stats.kicks_foreign); \
		EXPECT_EQ(0, (cost)->stats.kicks_lost); \
		EXPECT_EQ(0, (cost)->stats.bad_guest); \
	} while (0)

FIXTURE(doorbell)
{
	struct bare_rig rig;
	struct bare_vcpu *vcpu;
};

FIXTURE_SETUP(doorbell)
{
	const char *missing = bare_rig_missing(true);

	if (missing)
		SKIP(return, "%s", missing);
	bare_rig_start(&self->rig, "pipe:zero", 2);
	self->vcpu = &self->rig.vm.vcpus[0];
}

FIXTURE_TEARDOWN(doorbell)
{
	bare_rig_stop(&self->rig);
}

TEST_F_TIMEOUT(doorbell, write_is_answered_in_time, TIMEOUT)
{
	struct loop_cost cost;

	bare_rig_transfer(&self->rig, self->vcpu, GOLDFISH_PIPE_CMD_WRITE,
			  LARGEST, WRITES);
	run_counted(&self->rig, &cost);
	EXPECT_ALL_RIGHT(self->vcpu->job, WRITES);
	EXPECT_IN_KERNEL(&cost, WRITES);
	EXPECT_EQ(transfer_sum(WRITES), cost.stats.bytes_to_host);
	EXPECT_EQ(0, cost.stats.bytes_to_guest);
}

TEST_F_TIMEOUT(doorbell, read_is_answered_in_time, TIMEOUT)
{
	uint8_t *data = pipe_mem_hva(&self->rig.mem, self->rig.data_gpa,
				     2 * LARGEST);
	struct loop_cost cost;
	unsigned int i;

	memset(data, 0xa5, 2 * LARGEST);
	bare_rig_transfer(&self->rig, self->vcpu, GOLDFISH_PIPE_CMD_READ,
			  LARGEST, READS);
	run_counted(&self->rig, &cost);
	EXPECT_ALL_RIGHT(self->vcpu->job, READS);
	EXPECT_IN_KERNEL(&cost, READS);
	EXPECT_EQ(transfer_sum(READS), cost.stats.bytes_to_guest);
	/* The longest READ filled one page with zeroes, none wrote behind it */
	for (i = 0; i < 2 * LARGEST; i++) {
		ASSERT_EQ(i < LARGEST ? 0 : 0xa5, data[i])
		{
			TH_LOG("byte %u", i);
		}
	}
}

TEST_F_TIMEOUT(doorbell, poll_is_answered_in_time, TIMEOUT)
{
	struct loop_cost cost;

	job_poll(&self->rig, self->vcpu, POLLS);
	run_counted(&self->rig, &cost);
	EXPECT_ALL_RIGHT(self->vcpu->job, POLLS);
	EXPECT_IN_KERNEL(&cost, POLLS);
}

/* A doorbell is tied to the number, not to the pipe that has it now. */
TEST_F_TIMEOUT(doorbell, close_and_open_are_rung_too, TIMEOUT)
{
	const uint32_t cmds[] = {
		GOLDFISH_PIPE_CMD_CLOSE,
		GOLDFISH_PIPE_CMD_CLOSE,
		GOLDFISH_PIPE_CMD_OPEN,
		GOLDFISH_PIPE_CMD_CLOSE,
	};
	struct vhost_goldfish_pipe_stats stats;
	struct loop_cost cost;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		bare_rig_command(&self->rig, self->vcpu, cmds[i], 0, 1);
		run_counted(&self->rig, &cost);
		EXPECT_ALL_RIGHT(self->vcpu->job, 1);
		EXPECT_IN_KERNEL(&cost, 1);
	}
	pipe_get_stats(&self->rig.dev, &stats);
	EXPECT_EQ(2, stats.opens);
	EXPECT_EQ(2, stats.closes);
	EXPECT_EQ(0, stats.pipes);
	EXPECT_EQ(1, stats.doorbells);
}

static bool serve_by_access(struct bare_vcpu *vcpu, uint64_t gpa, void *data,
			    uint32_t len, bool write)
{
	struct pipe_dev *dev = vcpu->opaque;
	uint32_t value;

	if (!write || len != sizeof(value) || gpa < RANCHU_PIPE_BASE ||
	    gpa >= RANCHU_PIPE_BASE + RANCHU_PIPE_SIZE)
		return false;
	memcpy(&value, data, sizeof(value));
	pipe_reg_write(dev, gpa - RANCHU_PIPE_BASE, value);
	return true;
}

/*
 * The way without a doorbell gives the same answers, and shows that the exits
 * which the other tests do not see would have been counted.
 */
TEST_F_TIMEOUT(doorbell, exits_are_counted_without_it, TIMEOUT)
{
	struct loop_cost cost;

	ASSERT_EQ(0, __bare_ioeventfd(&self->rig.vm,
				      RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD,
				      RIG_PIPE_ID, self->rig.efd, false));
	self->vcpu->mmio = serve_by_access;
	self->vcpu->opaque = &self->rig.dev;
	bare_rig_transfer(&self->rig, self->vcpu, GOLDFISH_PIPE_CMD_WRITE,
			  LARGEST, LOAD_STEP);
	run_counted(&self->rig, &cost);
	EXPECT_ALL_RIGHT(self->vcpu->job, LOAD_STEP);
	EXPECT_EQ(LOAD_STEP + 1, cost.runs);
	EXPECT_EQ(LOAD_STEP + 1, cost.user_exits);
	EXPECT_EQ(LOAD_STEP, cost.stats.commands);
	EXPECT_EQ(LOAD_STEP, cost.stats.commands_access);
	EXPECT_EQ(0, cost.stats.kicks);
	EXPECT_EQ(transfer_sum(LOAD_STEP), cost.stats.bytes_to_host);
}

/* A thread of the owner that is no vCPU rings: done when write() returns. */
TEST_F_TIMEOUT(doorbell, owner_thread_rings, TIMEOUT)
{
	volatile struct goldfish_pipe_command *cmd = self->rig.pipe.cmd;
	struct vhost_goldfish_pipe_stats before, after;
	unsigned int i;

	pipe_get_stats(&self->rig.dev, &before);
	cmd->cmd = GOLDFISH_PIPE_CMD_POLL;
	for (i = 0; i < LOAD_STEP; i++) {
		cmd->status = PIPE_PRESET;
		ASSERT_EQ(0, eventfd_write(self->rig.efd, 1));
		ASSERT_EQ(ZERO_POLL, cmd->status);
	}
	pipe_get_stats(&self->rig.dev, &after);
	EXPECT_EQ(LOAD_STEP, after.kicks - before.kicks);
	EXPECT_EQ(0, after.kicks_foreign - before.kicks_foreign);
}

static pid_t fork_writer(struct bare_rig *rig, int writes)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	while (writes--)
		if (eventfd_write(rig->efd, 1) && errno != EAGAIN)
			_exit(1);
	_exit(0);
}

TEST_F_TIMEOUT(doorbell, foreign_process_rings, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct bare_job *job = self->vcpu->job;
	struct vhost_goldfish_pipe_stats stats;
	int status = -1;
	pid_t pid;

	job_poll(rig, self->vcpu, NO_END);
	bare_job_start(self->vcpu);
	bare_job_advance(self->vcpu, LOAD_STEP);
	pid = fork_writer(rig, FOREIGN_WRITES);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	bare_job_advance(self->vcpu, LOAD_STEP);
	bare_job_stop(self->vcpu);
	bare_job_join(self->vcpu);

	EXPECT_ALL_RIGHT(job, job->done);
	/* The worker may not have finished. */
	do {
		pipe_get_stats(&rig->dev, &stats);
	} while (!stats.kicks_foreign);
	EXPECT_LE(stats.kicks_foreign, FOREIGN_WRITES);
	EXPECT_EQ(job->done, stats.kicks);
	EXPECT_EQ(0, stats.kicks_lost);
}

/* While the guest is idle, a ring of another process runs the command once. */
TEST_F_TIMEOUT(doorbell, foreign_ring_runs_the_command, TIMEOUT)
{
	volatile struct goldfish_pipe_command *cmd = self->rig.pipe.cmd;
	struct vhost_goldfish_pipe_stats before, after;
	int status = -1;
	pid_t pid;

	pipe_get_stats(&self->rig.dev, &before);
	cmd->cmd = GOLDFISH_PIPE_CMD_POLL;
	cmd->status = PIPE_PRESET;
	pid = fork_writer(&self->rig, 1);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	while (cmd->status == PIPE_PRESET)
		sched_yield();
	EXPECT_EQ(ZERO_POLL, cmd->status);
	pipe_get_stats(&self->rig.dev, &after);
	EXPECT_EQ(1, after.kicks_foreign - before.kicks_foreign);
	EXPECT_EQ(0, after.kicks - before.kicks);
	EXPECT_EQ(1, after.commands - before.commands);
}

static void ignore_signal(int sig)
{
	(void)sig;
}

TEST_F_TIMEOUT(doorbell, signals_interrupt_the_vcpu, TIMEOUT)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct bare_job *job = self->vcpu->job;
	struct vhost_goldfish_pipe_stats stats;
	unsigned int i;

	/* No SA_RESTART: KVM_RUN has to come back. */
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	bare_rig_transfer(&self->rig, self->vcpu, GOLDFISH_PIPE_CMD_WRITE,
			  LARGEST, NO_END);
	bare_job_start(self->vcpu);
	bare_job_advance(self->vcpu, 1);
	for (i = 0; i < SIGNALS; i++) {
		ASSERT_EQ(0, pthread_kill(self->vcpu->thread, SIGUSR1));
		bare_job_advance(self->vcpu, 1);
	}
	bare_job_stop(self->vcpu);
	bare_job_join(self->vcpu);

	EXPECT_ALL_RIGHT(job, job->done);
	EXPECT_LT(0, self->vcpu->interrupted);
	pipe_get_stats(&self->rig.dev, &stats);
	EXPECT_EQ(job->done, stats.kicks);
}

/* Two vCPUs of a sane guest: the driver's lock lets one in at a time. */
TEST_F_TIMEOUT(doorbell, two_vcpus_take_turns, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	uint64_t lock = pipe_mem_alloc(&rig->mem, sizeof(uint32_t), 64);
	struct vhost_goldfish_pipe_stats stats;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		bare_rig_transfer(rig, &rig->vm.vcpus[i],
				  GOLDFISH_PIPE_CMD_WRITE, LARGEST, LOAD_STEP);
		rig->vm.vcpus[i].job->lock = lock;
	}
	for (i = 0; i < 2; i++)
		bare_job_start(&rig->vm.vcpus[i]);
	for (i = 0; i < 2; i++)
		bare_job_join(&rig->vm.vcpus[i]);
	for (i = 0; i < 2; i++)
		EXPECT_ALL_RIGHT(rig->vm.vcpus[i].job, LOAD_STEP);
	pipe_get_stats(&rig->dev, &stats);
	EXPECT_EQ(2 * LOAD_STEP, stats.kicks);
}

/*
 * Two vCPUs without a lock. Each may overwrite the other's status with the preset, so
 * the preset may be seen, but no other wrong value. Afterwards everything works.
 */
TEST_F_TIMEOUT(doorbell, two_vcpus_race, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct loop_cost cost;
	unsigned int i;

	for (i = 0; i < 2; i++)
		job_poll(rig, &rig->vm.vcpus[i], NO_END);
	for (i = 0; i < 2; i++)
		bare_job_start(&rig->vm.vcpus[i]);
	for (i = 0; i < 2; i++)
		bare_job_advance(&rig->vm.vcpus[i], 4 * LOAD_STEP);
	for (i = 0; i < 2; i++)
		bare_job_stop(&rig->vm.vcpus[i]);
	for (i = 0; i < 2; i++) {
		bare_job_join(&rig->vm.vcpus[i]);
		EXPECT_EQ(0, rig->vm.vcpus[i].job->wrong);
		EXPECT_LT(rig->vm.vcpus[i].job->early,
			  rig->vm.vcpus[i].job->done);
	}
	job_poll(rig, self->vcpu, LOAD_STEP);
	run_counted(rig, &cost);
	EXPECT_ALL_RIGHT(self->vcpu->job, LOAD_STEP);
	EXPECT_IN_KERNEL(&cost, LOAD_STEP);
}

TEST_F_TIMEOUT(doorbell, detach_and_attach_under_load, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct bare_job *job = self->vcpu->job;
	struct vhost_goldfish_pipe_stats stats;
	struct loop_cost cost;
	unsigned int i;

	job_poll(rig, self->vcpu, NO_END);
	bare_job_start(self->vcpu);
	for (i = 0; i < DETACHES; i++) {
		pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, -1);
		bare_job_advance(self->vcpu, i % 8);
		pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, rig->efd);
		bare_job_advance(self->vcpu, i % 8);
	}
	bare_job_stop(self->vcpu);
	bare_job_join(self->vcpu);
	/* While nobody listened the guest saw its preset, and nothing else */
	EXPECT_EQ(0, job->wrong);
	EXPECT_LT(0, job->early);
	EXPECT_LT(job->early, job->done);
	EXPECT_EQ(0, self->vcpu->interrupted);
	pipe_get_stats(&rig->dev, &stats);
	EXPECT_EQ(1, stats.doorbells);

	job_poll(rig, self->vcpu, LOAD_STEP);
	run_counted(rig, &cost);
	EXPECT_ALL_RIGHT(job, LOAD_STEP);
	EXPECT_IN_KERNEL(&cost, LOAD_STEP);
}

TEST_F_TIMEOUT(doorbell, device_closed_under_load, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct bare_job *job = self->vcpu->job;
	unsigned int round;

	for (round = 0; round < 10; round++) {
		job_poll(rig, self->vcpu, NO_END);
		bare_job_start(self->vcpu);
		bare_job_advance(self->vcpu, LOAD_STEP);
		pipe_dev_close(&rig->dev);
		/* Written to an eventfd that is no doorbell any more. */
		bare_job_advance(self->vcpu, LOAD_STEP);
		bare_job_stop(self->vcpu);
		bare_job_join(self->vcpu);
		EXPECT_EQ(0, job->wrong);
		EXPECT_LE(LOAD_STEP, job->early + 1);
		EXPECT_EQ(0, self->vcpu->interrupted);

		bare_rig_open_pipe(rig, "pipe:zero");
		pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, rig->efd);
		job_poll(rig, self->vcpu, LOAD_STEP);
		bare_job_run(self->vcpu);
		EXPECT_ALL_RIGHT(job, LOAD_STEP);
	}
}

/* Many doorbells, each with its own value; the first and the last ring. */
TEST_F_TIMEOUT(doorbell, each_value_rings_its_own, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct vhost_goldfish_pipe_stats stats;
	struct test_pipe first = rig->pipe;
	int efds[64];
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(efds); i++) {
		efds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_LE(0, efds[i]);
		pipe_connect(&rig->dev, &rig->pipe, 100 + i, "pipe:zero");
		pipe_set_doorbell(&rig->dev, 100 + i, efds[i]);
		bare_ioeventfd(&rig->vm,
			       RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD,
			       100 + i, efds[i]);
		bare_rig_transfer(rig, self->vcpu, GOLDFISH_PIPE_CMD_WRITE,
				  LARGEST, 50);
		bare_job_run(self->vcpu);
		EXPECT_ALL_RIGHT(self->vcpu->job, 50);
	}
	rig->pipe = first;
	bare_rig_transfer(rig, self->vcpu, GOLDFISH_PIPE_CMD_WRITE, LARGEST,
			  50);
	bare_job_run(self->vcpu);
	EXPECT_ALL_RIGHT(self->vcpu->job, 50);
	pipe_get_stats(&rig->dev, &stats);
	EXPECT_EQ(50 * (ARRAY_SIZE(efds) + 1), stats.kicks);
	EXPECT_EQ(ARRAY_SIZE(efds) + 1, stats.doorbells);
	EXPECT_EQ(ARRAY_SIZE(efds) + 1, stats.pipes);
}

FIXTURE(doorbell_life)
{
	struct bare_rig rig;
};

FIXTURE_SETUP(doorbell_life)
{
	const char *missing = bare_rig_missing(true);

	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(doorbell_life)
{
}

/* Runs a guest until it is killed, and reports when it has started. */
static void __attribute__((noreturn)) run_until_killed(int ready)
{
	struct bare_rig rig;

	bare_rig_start(&rig, "pipe:zero", 1);
	bare_rig_transfer(&rig, &rig.vm.vcpus[0], GOLDFISH_PIPE_CMD_WRITE,
			  LARGEST, NO_END);
	bare_job_start(&rig.vm.vcpus[0]);
	bare_job_advance(&rig.vm.vcpus[0], LOAD_STEP);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(doorbell_life, vmm_killed_under_load, TIMEOUT)
{
	struct bare_vcpu *vcpu = &self->rig.vm.vcpus[0];
	struct loop_cost cost;
	int status, i;
	int fds[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < KILLS; i++) {
		pid = fork();
		if (!pid)
			run_until_killed(fds[1]);
		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(fds[0], &byte, 1));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
	}
	bare_rig_start(&self->rig, "pipe:zero", 1);
	bare_rig_transfer(&self->rig, vcpu, GOLDFISH_PIPE_CMD_WRITE, LARGEST,
			  LOAD_STEP);
	run_counted(&self->rig, &cost);
	EXPECT_ALL_RIGHT(vcpu->job, LOAD_STEP);
	EXPECT_IN_KERNEL(&cost, LOAD_STEP);
	bare_rig_stop(&self->rig);
}

#define DEVICE_MODULE		"vhost_goldfish_pipe"
#define SHARED_MODULE		"ranchu"

TEST_F_TIMEOUT(doorbell_life, module_removed_under_load, TIMEOUT)
{
	struct bare_rig *rig = &self->rig;
	struct bare_vcpu *vcpu = &rig->vm.vcpus[0];
	int removed[3], loaded[3];
	struct modules others;
	struct loop_cost cost;

	if (!modules_dir())
		SKIP(return, "RANCHU_MODULES does not name the module files");

	bare_rig_start(rig, "pipe:zero", 1);
	job_poll(rig, vcpu, NO_END);
	bare_job_start(vcpu);
	bare_job_advance(vcpu, LOAD_STEP);
	EXPECT_TRUE(module_is_busy(__module_unload(DEVICE_MODULE)));
	EXPECT_TRUE(module_is_busy(__module_unload(SHARED_MODULE)));
	bare_job_advance(vcpu, LOAD_STEP);

	pipe_dev_close(&rig->dev);
	removed[0] = module_unload_when_idle(DEVICE_MODULE);
	bare_job_advance(vcpu, LOAD_STEP);
	modules_using(SHARED_MODULE, DEVICE_MODULE, &others);
	removed[1] = __modules_unload(&others);
	removed[2] = module_unload_when_idle(SHARED_MODULE);
	bare_job_advance(vcpu, LOAD_STEP);
	loaded[0] = __module_load(SHARED_MODULE);
	loaded[1] = __module_load(DEVICE_MODULE);
	loaded[2] = __modules_load(&others);
	bare_job_stop(vcpu);
	bare_job_join(vcpu);
	ASSERT_EQ(0, removed[0]);
	ASSERT_EQ(0, removed[1]);
	ASSERT_EQ(0, removed[2]);
	ASSERT_EQ(0, loaded[0]);
	ASSERT_EQ(0, loaded[1]);
	ASSERT_EQ(0, loaded[2]);
	EXPECT_EQ(0, vcpu->job->wrong);
	EXPECT_LT(0, vcpu->job->early);

	bare_rig_open_pipe(rig, "pipe:zero");
	pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, rig->efd);
	bare_rig_transfer(rig, vcpu, GOLDFISH_PIPE_CMD_WRITE, LARGEST,
			  LOAD_STEP);
	run_counted(rig, &cost);
	EXPECT_ALL_RIGHT(vcpu->job, LOAD_STEP);
	EXPECT_IN_KERNEL(&cost, LOAD_STEP);
	bare_rig_stop(rig);
}

TEST_HARNESS_MAIN
