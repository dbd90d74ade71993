// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications of the sync device: doorbells, the line, the renderer's eventfd, and a real
 * vCPU whose reads of BATCH_COMMAND do not exit to userspace.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_vm.h"
#include "sync_dev.h"

#define TIMEOUT		300
#define INC		GOLDFISH_SYNC_CMD_TIMELINE_INC
#define TIMELINE	0xffff000012345678ull
#define PATIENCE_MS	60000
/* Reads of a vCPU, some of which find commands. */
#define READS		2000u
#define WAITS		20u

FIXTURE(sync)
{
	struct sync_guest sync;
	int renderer;
	int call;
	int resample;
	int bell;
};

FIXTURE_SETUP(sync)
{
	self->renderer = -1;
	self->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (__sync_start(&self->sync))
		SKIP(return, "no usable " SYNC_DEV_PATH);
}

FIXTURE_TEARDOWN(sync)
{
	if (self->renderer >= 0)
		close(self->renderer);
	close(self->call);
	close(self->resample);
	close(self->bell);
	sync_stop(&self->sync);
}

static uint64_t taken(int efd)
{
	uint64_t count = 0;

	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void ring(int efd)
{
	const uint64_t one = 1;

	if (write(efd, &one, sizeof(one)) != sizeof(one))
		pipe_die("eventfd: %s", strerror(errno));
}

static bool has_doorbell(struct sync_guest *sync)
{
	uint64_t features = 0;

	if (__pipe_ioctl(sync->fd, VHOST_GET_BACKEND_FEATURES, &features))
		pipe_die("VHOST_GET_BACKEND_FEATURES");
	return features >> VHOST_GOLDFISH_SYNC_F_DOORBELL & 1;
}

/* The end of an interrupt is served in this thread, before the write returns. */
TEST_F(sync, line_is_raised_once_until_the_end_of_interrupt)
{
	struct sync_guest *sync = &self->sync;

	if (!has_doorbell(sync))
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __sync_set_line(sync->fd, self->call, self->resample));
	EXPECT_EQ(0, taken(self->call));
	sync_trigger(sync, 1, 2, TIMELINE);
	sync_trigger(sync, 1, 2, TIMELINE + 1);
	EXPECT_EQ(1, taken(self->call));
	sync_expect(sync, INC, TIMELINE, 1);
	/* The interrupt ends with something left: again. */
	ring(self->resample);
	EXPECT_EQ(1, taken(self->call));
	sync_expect(sync, INC, TIMELINE + 1, 1);
	EXPECT_EQ(0, sync_next(sync));
	/* What comes between the last read and the end of interrupt is not lost. */
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(0, taken(self->call));
	ring(self->resample);
	EXPECT_EQ(1, taken(self->call));
	sync_expect(sync, INC, TIMELINE, 1);
	EXPECT_EQ(0, sync_next(sync));
	ring(self->resample);
	EXPECT_EQ(0, taken(self->call));
	EXPECT_EQ(3, sync_stats(sync).resamples);
	EXPECT_EQ(3, sync_stats(sync).batches);
}

/* A line that the VMM lowers is lowered by the read that finds nothing. */
TEST_F(sync, line_without_an_end_of_interrupt)
{
	struct sync_guest *sync = &self->sync;

	ASSERT_EQ(0, __sync_set_line(sync->fd, self->call, -1));
	self->renderer = sync_renderer(sync);
	sync_trigger(sync, 1, 2, TIMELINE);
	close(self->renderer);
	self->renderer = -1;
	EXPECT_EQ(1, taken(self->call));
	EXPECT_TRUE(sync_line(sync));
	sync_expect(sync, INC, TIMELINE, 1);
	EXPECT_TRUE(sync_line(sync));
	EXPECT_EQ(0, sync_next(sync));
	EXPECT_FALSE(sync_line(sync));
}

TEST_F(sync, line_set_late_tells_what_there_is)
{
	sync_trigger(&self->sync, 1, 2, TIMELINE);
	ASSERT_EQ(0, __sync_set_line(self->sync.fd, self->call, -1));
	EXPECT_EQ(1, taken(self->call));
	ASSERT_EQ(0, __sync_set_line(self->sync.fd, -1, -1));
	sync_trigger(&self->sync, 1, 2, TIMELINE);
	EXPECT_EQ(0, taken(self->call));
}

TEST_F(sync, doorbells_are_served_before_the_thread_goes_on)
{
	struct sync_guest *sync = &self->sync;
	uint64_t id = 0;

	if (!has_doorbell(sync))
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND,
					 self->bell));
	EXPECT_EQ(-EBUSY, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND,
					      self->bell));
	EXPECT_EQ(1, sync_stats(sync).doorbells);
	self->renderer = sync_renderer(sync);
	sync_ask(sync, 1, 2, TIMELINE);
	ring(self->bell);
	EXPECT_EQ(TIMELINE, sync_event(self->renderer).timeline);
	EXPECT_EQ(1, sync_stats(sync).kicks);
	EXPECT_EQ(0, sync_stats(sync).commands_access);
	ASSERT_EQ(0, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, -1));
	ring(self->bell);
	EXPECT_FALSE(sync_has_event(self->renderer));

	ASSERT_EQ(1, taken(self->bell));
	ASSERT_EQ(0, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_COMMAND, self->bell));
	ASSERT_EQ(0, __sync_command(self->renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, &id));
	sync_expect(sync, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, 0);
	sync->host->handle = htole64(TIMELINE);
	ring(self->bell);
	EXPECT_EQ(id, sync_event(self->renderer).id);
	EXPECT_EQ(2, sync_stats(sync).kicks);
	EXPECT_EQ(0, sync_stats(sync).bad_guest);
}

TEST_F_TIMEOUT(sync, strangers_ring_in_the_worker, TIMEOUT)
{
	struct sync_guest *sync = &self->sync;
	struct pollfd event = { .events = POLLIN };
	int status;
	pid_t pid;

	if (!has_doorbell(sync))
		SKIP(return, "this kernel has no synchronous doorbell");
	ASSERT_EQ(0, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND,
					 self->bell));
	self->renderer = sync_renderer(sync);
	sync_ask(sync, 1, 2, TIMELINE);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ring(self->bell);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	event.fd = self->renderer;
	ASSERT_EQ(1, poll(&event, 1, PATIENCE_MS));
	EXPECT_EQ(TIMELINE, sync_event(self->renderer).timeline);
	EXPECT_EQ(1, sync_stats(sync).kicks_foreign);
	EXPECT_EQ(0, sync_stats(sync).kicks);
}

TEST_F(sync, eventfd_tells_of_each_event)
{
	struct sync_guest *sync = &self->sync;
	int none = -1;

	self->renderer = sync_renderer(sync);
	sync_trigger(sync, 1, 2, TIMELINE);
	/* Earlier events are signalled, too. */
	ASSERT_EQ(0, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &self->call));
	EXPECT_EQ(1, taken(self->call));
	sync_trigger(sync, 1, 2, TIMELINE);
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(2, taken(self->call));
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
	EXPECT_EQ(1, taken(self->call));
	ASSERT_EQ(0, __pipe_ioctl(self->renderer, VHOST_GOLDFISH_SYNC_SET_EVENTFD, &none));
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(0, taken(self->call));
}

static void *read_one(void *arg)
{
	struct vhost_goldfish_sync_event event = {};

	if (read(*(int *)arg, &event, sizeof(event)) != sizeof(event))
		return NULL;
	return (void *)(uintptr_t)event.glsync;
}

TEST_F_TIMEOUT(sync, reader_is_woken, TIMEOUT)
{
	pthread_t thread;
	void *result;

	self->renderer = sync_renderer(&self->sync);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &self->renderer));
	usleep(50000);
	sync_trigger(&self->sync, 77, 2, TIMELINE);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ((void *)77, result);
	/* And by the end of the device, with nothing. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &self->renderer));
	usleep(50000);
	ASSERT_EQ(0, __pipe_ioctl(self->sync.fd, VHOST_RESET_OWNER, NULL));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
}

/* ---- a vCPU ---- */

/* KVM_RUN by way of the device: that is what a VMM with RUN does. */
static int run_vcpu(struct bare_vcpu *vcpu)
{
	struct sync_guest *sync = vcpu->opaque;
	struct vhost_goldfish_sync_run run = {
		.run = (uintptr_t)vcpu->run, .base = RANCHU_SYNC_BASE, .vcpu_fd = vcpu->fd,
	};

	return __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RUN, &run);
}

/* Serves the exits that RUN does not. */
static bool serve(struct bare_vcpu *vcpu, uint64_t gpa, void *data, uint32_t len, bool write)
{
	struct sync_guest *sync = vcpu->opaque;
	uint32_t value = 0;

	if (gpa < RANCHU_SYNC_BASE || gpa - RANCHU_SYNC_BASE >= RANCHU_SYNC_SIZE || len != 4)
		return false;
	memcpy(&value, data, write ? len : 0);
	if (__sync_access(sync->fd, gpa - RANCHU_SYNC_BASE,
			  write ? VHOST_GOLDFISH_SYNC_ACCESS_WRITE : 0, &value) < 0)
		return false;
	memcpy(data, &value, len);
	return true;
}

/* The guest reads the register READS times. Gives returns to userspace meanwhile. */
static unsigned long read_often(struct sync_guest *sync, struct bare_vm *vm, uint32_t offset)
{
	struct bare_vcpu *vcpu = &vm->vcpus[0];
	struct bare_scribble *table;
	unsigned long runs;
	uint64_t gpa;

	gpa = pipe_mem_alloc(&sync->mem, sizeof(*table), 16);
	table = pipe_mem_hva(&sync->mem, gpa, sizeof(*table));
	/* Odd: a read of the word before. */
	table->addr = RANCHU_SYNC_BASE + offset + 1;
	*vcpu->job = (struct bare_job){
		.flags = BARE_SCRIBBLE, .count = READS, .reg = gpa, .value = 1,
		.exit = BARE_EXIT_GPA,
	};
	vcpu->mmio = serve;
	vcpu->opaque = sync;
	bare_vcpu_run(vcpu, BARE_AT_BEGIN);
	runs = vcpu->runs;
	bare_vcpu_run(vcpu, BARE_AT_END);
	if (vcpu->job->done != READS)
		pipe_die("the guest made %u reads", vcpu->job->done);
	return vcpu->runs - runs;
}

static bool vm_make(struct sync_guest *sync, struct bare_vm *vm, bool run)
{
	uint64_t features = 0;

	if (__pipe_ioctl(sync->fd, VHOST_GET_BACKEND_FEATURES, &features) ||
	    !(features >> VHOST_GOLDFISH_SYNC_F_RUN & 1) ||
	    __bare_vm_create(vm, &sync->mem, 1))
		return false;
	vm->vcpus[0].enter = run ? run_vcpu : NULL;
	return true;
}

TEST_F_TIMEOUT(sync, reads_of_a_vcpu_stay_in_the_kernel, TIMEOUT)
{
	struct sync_guest *sync = &self->sync;
	struct bare_vm vm;
	unsigned int i;

	if (!vm_make(sync, &vm, true))
		SKIP(return, "no KVM");
	for (i = 0; i < WAITS; i++)
		sync_trigger(sync, 1, 2, TIMELINE + i);
	/* One return: the guest's report. */
	EXPECT_EQ(1, read_often(sync, &vm, GOLDFISH_SYNC_REG_BATCH_COMMAND));
	EXPECT_EQ(READS, sync_stats(sync).reads);
	EXPECT_EQ(0, sync_stats(sync).reads_access);
	EXPECT_EQ(WAITS, sync_stats(sync).sent);
	EXPECT_EQ(0, sync_stats(sync).queued);
	EXPECT_EQ(0, sync->host->cmd);
	bare_vm_destroy(&vm);
}

/* Without RUN, and of registers that RUN does not serve: the same answers by exits. */
TEST_F_TIMEOUT(sync, other_reads_of_a_vcpu_exit, TIMEOUT)
{
	struct sync_guest *sync = &self->sync;
	struct bare_vm vm;

	if (!vm_make(sync, &vm, true))
		SKIP(return, "no KVM");
	EXPECT_EQ(READS + 1, read_often(sync, &vm, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR));
	EXPECT_EQ(0, sync_stats(sync).reads);
	/* A stopped device leaves the read to the VMM. */
	vm.vcpus[0].enter = NULL;
	sync_trigger(sync, 1, 2, TIMELINE);
	EXPECT_EQ(READS + 1, read_often(sync, &vm, GOLDFISH_SYNC_REG_BATCH_COMMAND));
	EXPECT_EQ(READS, sync_stats(sync).reads_access);
	EXPECT_EQ(1, sync_stats(sync).sent);
	bare_vm_destroy(&vm);
}

/* A register write of a vCPU is served before its next instruction, and a read likewise. */
TEST_F_TIMEOUT(sync, round_trip_of_a_vcpu_has_no_exit, TIMEOUT)
{
	struct sync_guest *sync = &self->sync;
	struct bare_scribble *table;
	struct bare_vcpu *vcpu;
	struct bare_vm vm;
	unsigned long runs;
	uint64_t gpa;

	if (!has_doorbell(sync) || !vm_make(sync, &vm, true))
		SKIP(return, "no KVM, or no synchronous doorbell");
	vcpu = &vm.vcpus[0];
	ASSERT_EQ(0, __sync_set_doorbell(sync->fd, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND,
					 self->bell));
	bare_ioeventfd(&vm, RANCHU_SYNC_BASE + GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0,
		       self->bell);
	gpa = pipe_mem_alloc(&sync->mem, 2 * sizeof(*table), 32);
	table = pipe_mem_hva(&sync->mem, gpa, 2 * sizeof(*table));
	table[0].addr = RANCHU_SYNC_BASE + GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND;
	table[1].addr = RANCHU_SYNC_BASE + GOLDFISH_SYNC_REG_BATCH_COMMAND + 1;
	sync_ask(sync, 1, 2, TIMELINE);
	*vcpu->job = (struct bare_job){
		.flags = BARE_SCRIBBLE, .count = READS, .reg = gpa, .value = 1, .size_mask = 1,
		.exit = BARE_EXIT_GPA,
	};
	vcpu->mmio = serve;
	vcpu->opaque = sync;
	bare_vcpu_run(vcpu, BARE_AT_BEGIN);
	runs = vcpu->runs;
	bare_vcpu_run(vcpu, BARE_AT_END);
	EXPECT_EQ(1, vcpu->runs - runs);
	EXPECT_EQ(READS, sync_stats(sync).kicks + sync_stats(sync).reads);
	EXPECT_EQ(sync_stats(sync).kicks, sync_stats(sync).commands);
	EXPECT_LT(READS / 4, sync_stats(sync).kicks);
	EXPECT_EQ(sync_stats(sync).commands, sync_stats(sync).sent + sync_stats(sync).queued);
	EXPECT_LT(0, sync_stats(sync).sent);
	EXPECT_EQ(0, sync_stats(sync).kicks_lost + sync_stats(sync).bad_guest);
	bare_vm_destroy(&vm);
}

TEST_HARNESS_MAIN
