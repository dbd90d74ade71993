// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls whose arguments are in memory that does not answer. If a process that is not
 * the owner waits for such memory, nothing else waits for that process. A waiting
 * thread of the owner delays neither the guest nor another thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "held_page.h"
#include "stages.h"

#define TIMEOUT		300
#define SOON_S		20
#define STACK_SIZE	(256u << 10)

FIXTURE(held)
{
	struct rig rig;
	int told[2];
	int go[2];
};

FIXTURE_VARIANT(held)
{
	unsigned int device;
};

FIXTURE_VARIANT_ADD(held, pipe) { .device = PIPE };
FIXTURE_VARIANT_ADD(held, vq) { .device = VQ };
FIXTURE_VARIANT_ADD(held, blk) { .device = BLK };
FIXTURE_VARIANT_ADD(held, vsock) { .device = VSOCK };
FIXTURE_VARIANT_ADD(held, sync) { .device = SYNC };

FIXTURE_SETUP(held)
{
	const char *missing = held_page_missing();

	if (missing)
		SKIP(return, "%s", missing);
	if (access(rig_path(variant->device), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(variant->device));
	rig_make(&self->rig, variant->device, BUSY);
	ASSERT_EQ(0, pipe(self->told));
	ASSERT_EQ(0, pipe(self->go));
}

FIXTURE_TEARDOWN(held)
{
	rig_free(&self->rig);
}

/* ---- a call of the owner's, in a thread of its own ---- */

struct call {
	pthread_t thread;
	struct rig *rig;
	long (*fn)(struct call *call);
	unsigned long request;
	void *arg;
	long ret;
	atomic_bool done;
};

static void *call_run(void *arg)
{
	struct call *call = arg;

	call->ret = call->fn(call);
	atomic_store(&call->done, true);
	return NULL;
}

static void call_start(struct call *call, struct rig *rig, long (*fn)(struct call *call))
{
	call->rig = rig;
	call->fn = fn;
	if (pthread_create(&call->thread, NULL, call_run, call))
		pipe_die("no thread");
}

/* Whether it ends without anything being done for it. */
static bool call_ends(struct call *call)
{
	unsigned int i;

	for (i = 0; i < SOON_S * 100 && !atomic_load(&call->done); i++)
		usleep(10000);
	return atomic_load(&call->done);
}

static long call_ioctl(struct call *call)
{
	return __vq_ioctl(call->rig->fd, call->request, call->arg);
}

static long call_set_owner(struct call *call)
{
	return __vq_ioctl(call->rig->fd, VHOST_SET_OWNER, NULL);
}

static long call_reset_owner(struct call *call)
{
	return __vq_ioctl(call->rig->fd, VHOST_RESET_OWNER, NULL);
}

/* Calls of a vCPU that leaves the guest, or of the thread that sets the device up. */
static long call_work(struct call *call)
{
	struct vhost_vring_state state = { 0 };
	uint32_t port = 0;
	int err;

	if (call->rig->device == PIPE) {
		pipe_handshake(&call->rig->pipe);
		return 0;
	}
	if (call->rig->device == SYNC) {
		sync_handshake(&call->rig->sync);
		return 0;
	}
	if (call->rig->device == VSOCK) {
		err = __vs_connect(&call->rig->vs, STAGES_PORT + 1, &port, -1, 0);
		if (err)
			return err;
	}
	return __vq_ioctl(call->rig->fd, VHOST_GET_VRING_BASE, &state);
}

/* ---- arguments ---- */

struct held_case {
	unsigned int devices;
	unsigned long request;
	unsigned int lead;	/* bytes of the argument before the held page */
	uint32_t size;		/* its first word, if there is one before */
};

/* ioctls for every process; in the second case of statistics the answer's page is held. */
static const struct held_case asked_by_anybody[] = {
	{ ALL, VHOST_GET_FEATURES, 0, 0 },
	{ ALL, VHOST_GET_BACKEND_FEATURES, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_GET_STATS, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_GET_STATS, 8,
	  sizeof(struct vhost_goldfish_pipe_stats) },
	{ VQ, VHOST_RANCHU_TEST_GET_STATS, 0, 0 },
	{ BLK, VHOST_RANCHU_BLK_GET_STATS, 0, 0 },
	{ BLK, VHOST_RANCHU_BLK_GET_STATS, 8, sizeof(struct vhost_ranchu_blk_stats) },
	{ VSOCK, VHOST_VSOCK_ADB_GET_STATS, 0, 0 },
	{ VSOCK, VHOST_VSOCK_ADB_GET_STATS, 8, sizeof(struct vhost_vsock_adb_stats) },
	{ SYNC, VHOST_GOLDFISH_SYNC_GET_STATS, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_GET_STATS, 8, sizeof(struct vhost_goldfish_sync_stats) },
};

/* ioctls for the owner only; the argument is read. */
static const struct held_case asked_by_owner[] = {
	{ ALL, VHOST_SET_FEATURES, 0, 0 },
	{ ALL, VHOST_SET_MEM_TABLE, 0, 0 },
	{ ALL, VHOST_SET_MEM_TABLE, 8, 1 },
	{ VHOST, VHOST_SET_BACKEND_FEATURES, 0, 0 },
	{ VHOST, VHOST_SET_LOG_BASE, 0, 0 },
	{ VHOST, VHOST_SET_LOG_FD, 0, 0 },
	{ VHOST, VHOST_SET_VRING_NUM, 0, 0 },
	{ VHOST, VHOST_SET_VRING_ADDR, 0, 0 },
	{ VHOST, VHOST_GET_VRING_BASE, 0, 0 },
	{ VHOST, VHOST_GET_VRING_BASE, 4, 0 },
	{ VHOST, VHOST_SET_VRING_KICK, 0, 0 },
	{ VHOST, VHOST_SET_VRING_CALL, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_SET_WINDOW, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_SET_LINE, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_SET_LINE_VM, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_SET_DOORBELL, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_HANG_UP, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_ACCESS, 0, 0 },
	{ PIPE, VHOST_GOLDFISH_PIPE_RUN, 0, 0 },
	{ VQ, VHOST_RANCHU_TEST_SET_RUNNING, 0, 0 },
	{ VQ, VHOST_RANCHU_TEST_SET_MODE, 0, 0 },
	{ VSOCK, VHOST_VSOCK_SET_GUEST_CID, 0, 0 },
	{ VSOCK, VHOST_VSOCK_SET_RUNNING, 0, 0 },
	{ VSOCK, VHOST_VSOCK_ADB_CONNECT, 0, 0 },
	{ VSOCK, VHOST_VSOCK_ADB_ATTACH, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_SET_LINE, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_SET_DOORBELL, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_ACCESS, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_RUN, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_SET_RUNNING, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_GET_STATE, 0, 0 },
	{ SYNC, VHOST_GOLDFISH_SYNC_SET_STATE, 0, 0 },
};

/* A held page with an ordinary one before it, and an argument that @kase wants. */
static void *argument(struct held_page *page, const struct held_case *kase)
{
	uint8_t *room;
	uint32_t *arg;

	room = mmap(NULL, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		pipe_die("mmap: %s", strerror(errno));
	held_page_create_at(page, room + HOST_PAGE);
	arg = (void *)(page->at - kase->lead);
	if (kase->lead)
		*arg = kase->size;
	return arg;
}

/* ---- strangers ---- */

/* Sits in an ioctl until it is told to go on. */
static void stranger(int fd, const struct held_case *kase, int told, int go)
{
	struct rig rig = { .fd = fd };
	struct call call = { .request = kase->request };
	struct held_page page;
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	call.arg = argument(&page, kase);
	call_start(&call, &rig, call_ioctl);
	held_page_wait(&page);
	if (write(told, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	held_page_give(&page);
	pthread_join(call.thread, NULL);
	_exit(0);
}

static void others_go_on(struct __test_metadata *_metadata, struct rig *rig)
{
	struct call set_owner = {}, work = {};

	/* SET_OWNER must not wait for the stranger's ioctl. */
	call_start(&set_owner, rig, call_set_owner);
	EXPECT_TRUE(call_ends(&set_owner));
	call_start(&work, rig, call_work);
	EXPECT_TRUE(call_ends(&work));
	if (!set_owner.done || !work.done)
		return;
	EXPECT_EQ(-EBUSY, set_owner.ret);
	EXPECT_EQ(0, work.ret);
	pthread_join(set_owner.thread, NULL);
	pthread_join(work.thread, NULL);
}

TEST_F_TIMEOUT(held, strangers_argument, TIMEOUT)
{
	const struct held_case *kase;
	char byte = 0;
	int status;
	pid_t pid;

	for (kase = asked_by_anybody;
	     kase < asked_by_anybody + ARRAY_SIZE(asked_by_anybody) &&
	     __test_passed(_metadata); kase++) {
		if (!(kase->devices & variant->device))
			continue;
		TH_LOG("request 0x%lx, %u", kase->request, kase->lead);
		pid = fork();
		if (!pid)
			stranger(self->rig.fd, kase, self->told[1], self->go[0]);
		ASSERT_EQ(1, read(self->told[0], &byte, 1));
		others_go_on(_metadata, &self->rig);
		ASSERT_EQ(1, write(self->go[1], &byte, 1));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* The end of an owner, and the next owner, do not wait either. */
TEST_F_TIMEOUT(held, strangers_argument_and_the_owners_end, TIMEOUT)
{
	const struct held_case *kase = asked_by_anybody;
	struct call reset = {};
	char byte = 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		stranger(self->rig.fd, kase, self->told[1], self->go[0]);
	ASSERT_EQ(1, read(self->told[0], &byte, 1));
	call_start(&reset, &self->rig, call_reset_owner);
	EXPECT_TRUE(call_ends(&reset));
	ASSERT_EQ(1, write(self->go[1], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	pthread_join(reset.thread, NULL);
	EXPECT_EQ(0, reset.ret);
	EXPECT_EQ(0, __vq_ioctl(self->rig.fd, VHOST_SET_OWNER, NULL));
}

/* ---- the owner ---- */

TEST_F_TIMEOUT(held, owners_argument, TIMEOUT)
{
	const struct held_case *kase;
	struct held_page page;

	for (kase = asked_by_owner;
	     kase < asked_by_owner + ARRAY_SIZE(asked_by_owner) &&
	     __test_passed(_metadata); kase++) {
		struct call held = { .request = kase->request };

		if (!(kase->devices & variant->device))
			continue;
		TH_LOG("request 0x%lx, %u", kase->request, kase->lead);
		held.arg = argument(&page, kase);
		call_start(&held, &self->rig, call_ioctl);
		held_page_wait(&page);
		others_go_on(_metadata, &self->rig);
		held_page_refuse(&page);
		pthread_join(held.thread, NULL);
		EXPECT_EQ(-EFAULT, held.ret);
		close(page.uffd);
	}
}

static long call_read(struct call *call)
{
	ssize_t ret = read(call->rig->fd, call->arg, sizeof(struct vhost_vsock_adb_event));

	return ret < 0 ? -errno : ret;
}

FIXTURE(events)
{
	struct rig rig;
};

FIXTURE_SETUP(events)
{
	const char *missing = held_page_missing();

	if (missing)
		SKIP(return, "%s", missing);
	if (access(rig_path(VSOCK), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(VSOCK));
	rig_make(&self->rig, VSOCK, BUSY);
}

FIXTURE_TEARDOWN(events)
{
	rig_free(&self->rig);
}

/* An event that cannot be copied is not lost, and no other thread waits meanwhile. */
TEST_F_TIMEOUT(events, reader_is_held, TIMEOUT)
{
	const struct held_case kase = {};
	struct vhost_vsock_adb_event event;
	struct held_page page;
	struct call call = {};

	call.arg = argument(&page, &kase);
	call_start(&call, &self->rig, call_read);
	held_page_wait(&page);
	others_go_on(_metadata, &self->rig);
	held_page_refuse(&page);
	pthread_join(call.thread, NULL);
	EXPECT_EQ(-EFAULT, call.ret);
	close(page.uffd);
	ASSERT_EQ((ssize_t)sizeof(event), read(self->rig.fd, &event, sizeof(event)));
	EXPECT_EQ(VHOST_VSOCK_ADB_REQUEST, event.type);
	EXPECT_EQ(STAGES_PORT, event.guest_port);
}

/* ---- waits for the owner's end ---- */

FIXTURE(commands)
{
	struct rig rig;
};

FIXTURE_SETUP(commands)
{
	const char *missing = held_page_missing();

	if (missing)
		SKIP(return, "%s", missing);
	if (access(rig_path(PIPE), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(PIPE));
	rig_make(&self->rig, PIPE, BUSY);
}

FIXTURE_TEARDOWN(commands)
{
	rig_free(&self->rig);
}

/* Whether a child ends soon. */
static bool child_ends(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < SOON_S * 100; i++) {
		if (waitpid(pid, NULL, WNOHANG | __WALL) == pid)
			return true;
		usleep(10000);
	}
	return false;
}

static long call_pipe_write(struct call *call)
{
	return pipe_write(&call->rig->tp, call->rig->data, 10);
}

/* A thread whose command waits for guest memory. */
static void command_start(struct call *call, struct rig *rig, struct held_page *page)
{
	held_page_create_at(page, pipe_mem_hva(&rig->pipe_mem, rig->data, HOST_PAGE));
	call_start(call, rig, call_pipe_write);
	held_page_wait(page);
}

static int reset_owner(void *arg)
{
	struct rig *rig = arg;

	return ioctl(rig->fd, VHOST_RESET_OWNER, NULL) ? 1 : 0;
}

/*
 * A process that shares the owner's memory is an owner as well. It can be killed
 * while it waits for the other one's commands; then nothing has changed.
 */
TEST_F_TIMEOUT(commands, reset_is_killed, TIMEOUT)
{
	struct call command = {};
	struct held_page page;
	uint8_t *stack;
	pid_t pid;

	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	ASSERT_NE(MAP_FAILED, stack);
	command_start(&command, &self->rig, &page);
	pid = clone(reset_owner, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | SIGCHLD,
		    &self->rig);
	ASSERT_LT(0, pid);
	usleep(200000);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGKILL);
	EXPECT_TRUE(child_ends(pid));
	held_page_give(&page);
	pthread_join(command.thread, NULL);
	EXPECT_EQ(10, command.ret);
	EXPECT_EQ(10, pipe_write(&self->rig.tp, self->rig.data, 10));
	EXPECT_EQ(0, __vq_ioctl(self->rig.fd, VHOST_RESET_OWNER, NULL));
	EXPECT_EQ(0, __vq_ioctl(self->rig.fd, VHOST_SET_OWNER, NULL));
	close(page.uffd);
	munmap(stack, STACK_SIZE);
}

/* Processes that call SET_OWNER meanwhile can be killed, too. */
TEST_F_TIMEOUT(commands, strangers_are_killed, TIMEOUT)
{
	struct vhost_goldfish_pipe_stats stats = { .size = sizeof(stats) };
	struct call command = {}, reset = {};
	struct held_page page;
	unsigned int i;
	pid_t pid;

	command_start(&command, &self->rig, &page);
	call_start(&reset, &self->rig, call_reset_owner);
	usleep(200000);
	EXPECT_FALSE(atomic_load(&reset.done));
	for (i = 0; i < 2; i++) {
		pid = fork();
		if (!pid)
			_exit(ioctl(self->rig.fd, i ? VHOST_SET_OWNER :
				    VHOST_GOLDFISH_PIPE_GET_STATS, &stats) ? 1 : 0);
		usleep(200000);
		kill(pid, SIGKILL);
		EXPECT_TRUE(child_ends(pid));
	}
	held_page_destroy(&page);
	pthread_join(command.thread, NULL);
	pthread_join(reset.thread, NULL);
	EXPECT_EQ(0, reset.ret);
}

TEST_HARNESS_MAIN
