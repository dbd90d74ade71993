// SPDX-License-Identifier: GPL-2.0-only
/*
 * All ways in which a device's user ends: killed under load, its files closed in any
 * order, its vCPU's thread ended first, forked, replaced by another program, with its
 * eventfds in other processes. Afterwards the kernel's counts are as before.
 *
 *	RANCHU_KILLS	how many; 500 if not given
 *	RANCHU_ORDERS	2, 3, ...: only each 2nd, 3rd ... order, and round
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "bare_rig.h"
#include "counts.h"
#include "modules.h"
#include "stages.h"

#define TIMEOUT		1500
/* Kills for all devices together; the environment may set fewer for slow hosts. */
#define KILLS		500
#define WARM_UP		10
#define VCPU_DEATHS	40
/* Rounds for each device: a leak in each round exceeds the slack of the counts. */
#define ROUNDS		(COUNTS_SLACK + 4)
#define NO_END		0xffffffffu
#define ONE_SECTOR	512u

static unsigned int number_from(const char *name, unsigned int otherwise)
{
	const char *wanted = getenv(name);

	return wanted ? strtoul(wanted, NULL, 0) : otherwise;
}

static unsigned int one_of(void)
{
	return number_from("RANCHU_ORDERS", 1);
}

static unsigned int rounds(void)
{
	return (ROUNDS - 1) / one_of() + 1;
}

FIXTURE(lifetime)
{
	struct counts before;
};

FIXTURE_SETUP(lifetime)
{
	const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if (access(rig_path(devices[i]), R_OK | W_OK))
			SKIP(return, "no usable %s", rig_path(devices[i]));
	counts_take(&self->before);
}

FIXTURE_TEARDOWN(lifetime)
{
}

/* ---- leaks that the counts detect ---- */

TEST_F(lifetime, one_object_for_each_round_would_be_seen)
{
	int ends[2], i;

	if (!self->before.nr_slabs)
		SKIP(return, "no readable /proc/slabinfo");
	/* Each byte is a packet of its own until it is read. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	for (i = 0; i < COUNTS_SLACK + 10; i++)
		ASSERT_EQ(1, write(ends[0], "", 1));
	EXPECT_FALSE(counts_are_back(&self->before, true));
	close(ends[0]);
	close(ends[1]);
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- killed ---- */

struct load {
	struct rig rigs[3];
	struct bare_rig bare;
	bool has_vm;
	int ready;
};

static void tell(struct load *load)
{
	if (write(load->ready, "", 1) != 1)
		_exit(1);
}

static void *chains(void *arg)
{
	struct load *load = arg;
	unsigned int i;

	for (i = 0;; i++) {
		if (vq_echo(&load->rigs[0].vq.rings[i % VQ_RINGS]))
			_exit(1);
		if (!i)
			tell(load);
	}
}

static void *disk(void *arg)
{
	struct load *load = arg;
	unsigned int i;

	for (i = 0;; i++) {
		if (bd_do(&load->rigs[1].blk, i & 1 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
			  i % 64, 8 * ONE_SECTOR) != VIRTIO_BLK_S_OK)
			_exit(1);
		if (!i)
			tell(load);
	}
}

static void *stream(void *arg)
{
	struct load *load = arg;
	struct vs_stream stream;
	struct vs_flow flow = {
		.stream = &stream, .to_host = 1ull << 40, .to_guest = 1ull << 40,
		.max_packet = 16384, .seed = 5,
	};

	vs_connect(&stream, &load->rigs[2].vs, VS_UNIX, STAGES_PORT);
	vs_echo(&stream);
	tell(load);
	vs_flows_run(&flow, 1);
	_exit(1);
}

/* All devices at work, each in a thread of its own; never returns. */
static void __attribute__((noreturn)) live_on(int ready)
{
	static void *(*const loads[])(void *) = { chains, disk, stream };
	static const unsigned int devices[] = { VQ, BLK, VSOCK };
	static struct load load;
	pthread_t thread;
	unsigned int i;

	load.ready = ready;
	load.has_vm = !bare_rig_missing(true);
	for (i = 0; i < 3; i++) {
		rig_make(&load.rigs[i], devices[i], RUNNING);
		if (pthread_create(&thread, NULL, loads[i], &load))
			_exit(1);
	}
	if (load.has_vm) {
		bare_rig_start(&load.bare, "pipe:pingpong", 1);
		bare_rig_transfer(&load.bare, &load.bare.vm.vcpus[0],
				  GOLDFISH_PIPE_CMD_WRITE, 1024, NO_END);
		load.bare.vm.vcpus[0].job->flags |= BARE_NO_CHECK;
		bare_job_start(&load.bare.vm.vcpus[0]);
		bare_job_advance(&load.bare.vm.vcpus[0], 10);
	}
	tell(&load);
	for (;;)
		pause();
}

/* Returns 0, or the step that failed. */
static int live_and_die(uint32_t *seed)
{
	int ready[2], status;
	char bytes[4];
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(ready))
		return 1;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		live_on(ready[1]);
	}
	close(ready[1]);
	/* Sometimes before all devices run, sometimes after. */
	if (vq_random(seed) % 4)
		while (got < sizeof(bytes) &&
		       (n = read(ready[0], bytes + got, sizeof(bytes) - got)) > 0)
			got += n;
	usleep(vq_random(seed) % 8000);
	kill(pid, SIGKILL);
	close(ready[0]);
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 3;
}

TEST_F_TIMEOUT(lifetime, killed_under_load, TIMEOUT)
{
	unsigned int i, n = number_from("RANCHU_KILLS", KILLS);
	uint32_t seed = 4711;

	/* Fill the kernel's caches. */
	for (i = 0; i < WARM_UP; i++)
		ASSERT_EQ(0, live_and_die(&seed));
	counts_return(&self->before);
	counts_take(&self->before);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, live_and_die(&seed)) TH_LOG("kill %u", i);
	printf("# killed %u times\n", n);
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- closed in every order ---- */

#define MAX_FDS		5

/* Lists all files of a device; returns their number. */
static unsigned int fds_of(struct rig *rig, int *fds)
{
	unsigned int n = 0;

	fds[n++] = rig->fd;
	fds[n++] = rig->efd;
	if (rig->device == PIPE) {
		fds[n++] = rig->services;
		fds[n++] = rig->ends[0];
		fds[n++] = rig->ends[1];
		return n;
	}
	fds[n++] = rig->ring->kick;
	fds[n++] = rig->ring->call;
	if (rig->device == VSOCK)
		fds[n++] = rig->ends[1];
	if (rig->device == BLK)
		fds[n++] = rig->blk.backend;
	return n;
}

/* Starts work that uses each of these files. */
static void make_busy(struct rig *rig)
{
	uint32_t port = 0;
	struct vq_buf buf;

	switch (rig->device) {
	case PIPE:
		rig->open = services_expect(rig->services, "svc", NULL);
		services_answer(rig->services, rig->open, rig->ends[0]);
		if (__pipe_set_line(&rig->pipe, rig->efd, rig->efd) ||
		    __pipe_set_doorbell(&rig->pipe, STAGES_PIPE_ID, rig->efd))
			pipe_die("line and doorbell");
		break;
	case VQ:
		buf = (struct vq_buf){ VQ_MEM_GPA + (512u << 10), VQ_PAGE };
		vq_add(rig->ring, &buf, 0, 1, NULL);
		vq_publish_and_kick(rig->ring);
		break;
	case BLK:
		bd_add(&rig->blk, 0, 0, VIRTIO_BLK_T_IN, 0, 16 * ONE_SECTOR, 1);
		vq_publish_and_kick(rig->ring);
		break;
	default:
		if (__vs_connect(&rig->vs, STAGES_PORT, &port, rig->ends[0], 0))
			vq_die("CONNECT");
	}
}

/* Makes permutation number @order of @n files. */
static void permute(int *fds, unsigned int n, unsigned int order)
{
	unsigned int i, pick;
	int fd;

	for (i = 0; i < n; i++) {
		pick = i + order % (n - i);
		order /= n - i;
		fd = fds[i];
		fds[i] = fds[pick];
		fds[pick] = fd;
	}
}

static void close_in_order(unsigned int device, unsigned int order)
{
	static const uint64_t one = 1;
	struct rig rig;
	int fds[MAX_FDS];
	unsigned int i, k, n;

	rig_make(&rig, device, device == PIPE ? ASKED : RUNNING);
	make_busy(&rig);
	n = fds_of(&rig, fds);
	permute(fds, n, order);
	for (i = 0; i < n; i++) {
		close(fds[i]);
		/* The remaining files are signalled or written to, or refuse that. */
		for (k = i + 1; k < n; k++)
			if (fds[k] != rig.fd && device != BLK &&
			    write(fds[k], &one, sizeof(one)) < 0 && errno == EBADF)
				vq_die("%d was not open", fds[k]);
	}
	/* No file number was used again meanwhile. */
	rig_free(&rig);
}

TEST_F_TIMEOUT(lifetime, closed_in_every_order, TIMEOUT)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	static const unsigned int orders[] = { 120, 24, 120, 120 };
	unsigned int i, order;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		for (order = 0; order < orders[i]; order += one_of())
			close_in_order(devices[i], order);
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- its vCPU first ---- */

static void nothing(int signal)
{
	(void)signal;
}

/* Ends at a signal, even with pending calls of its doorbell. */
static void *vcpu_until_signal(void *arg)
{
	struct bare_vcpu *vcpu = arg;

	if (__bare_vcpu_run(vcpu) == BARE_AT_BEGIN)
		__bare_vcpu_run(vcpu);
	syscall(SYS_exit, 0);
	return NULL;
}

TEST_F_TIMEOUT(lifetime, vcpu_dies_first, TIMEOUT)
{
	struct sigaction action = { .sa_handler = nothing };
	const char *missing = bare_rig_missing(true);
	struct bare_rig rig;
	struct bare_vcpu *vcpu = &rig.vm.vcpus[0];
	pthread_t thread;
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < VCPU_DEATHS; i++) {
		bare_rig_start(&rig, "pipe:zero", 1);
		bare_rig_transfer(&rig, vcpu, GOLDFISH_PIPE_CMD_WRITE, 1024, NO_END);
		ASSERT_EQ(0, pthread_create(&thread, NULL, vcpu_until_signal, vcpu));
		bare_job_advance(vcpu, 10 + i * 7);
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, NULL);
		/* The device still works, with rings from this thread. */
		ASSERT_EQ(64, pipe_write(&rig.pipe, rig.data_gpa, 64));
		eventfd_write(rig.efd, 1);
		bare_rig_stop(&rig);
	}
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- modules ---- */

TEST_F_TIMEOUT(lifetime, module_removed, TIMEOUT)
{
	static const struct {
		const char *name;
		unsigned int device;
	} modules[] = {
		{ "vhost_goldfish_pipe", PIPE }, { "vhost_ranchu_test", VQ },
		{ "vhost_ranchu_blk", BLK }, { "vhost_vsock_adb", VSOCK },
	};
	unsigned int i, round;
	struct rig rig;

	if (!modules_dir())
		SKIP(return, "RANCHU_MODULES does not name the module files");
	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		for (round = 0; round < rounds(); round++) {
			rig_make(&rig, modules[i].device, round & 1 ? RUNNING : OPENED);
			ASSERT_TRUE(module_is_busy(__module_unload(modules[i].name)));
			ASSERT_TRUE(module_is_busy(__module_unload("ranchu")));
			rig_free(&rig);
			ASSERT_EQ(0, module_unload_when_idle(modules[i].name))
				TH_LOG("%s", modules[i].name);
			ASSERT_EQ(-1, access(rig_path(modules[i].device), F_OK));
			ASSERT_EQ(0, __module_load(modules[i].name));
			ASSERT_EQ(0, access(rig_path(modules[i].device), F_OK));
		}
	}
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- fork and exec ---- */

static int stats_of(struct rig *rig)
{
	uint32_t stats[64] = { sizeof(stats) };

	switch (rig->device) {
	case PIPE: return __vq_ioctl(rig->fd, VHOST_GOLDFISH_PIPE_GET_STATS, stats);
	case VQ: return __vq_ioctl(rig->fd, VHOST_RANCHU_TEST_GET_STATS, stats + 8);
	case BLK: return __vq_ioctl(rig->fd, VHOST_RANCHU_BLK_GET_STATS, stats);
	default: return __vq_ioctl(rig->fd, VHOST_VSOCK_ADB_GET_STATS, stats);
	}
}

/* Checks that the device works. */
static bool works(struct rig *rig)
{
	switch (rig->device) {
	case PIPE: return pipe_write(&rig->tp, rig->data, 100) == 100;
	case VQ: return !vq_echo(rig->ring);
	case BLK: return bd_do(&rig->blk, VIRTIO_BLK_T_IN, 0, ONE_SECTOR) == VIRTIO_BLK_S_OK;
	default:
		rig_vsock_ask(rig);
		return services_poll(rig->fd, POLLIN, VQ_PATIENCE_MS) == POLLIN;
	}
}

static enum stage working(unsigned int device)
{
	return device == PIPE ? BUSY : RUNNING;
}

/* A child has another mm: it may only read features and statistics. */
static int as_a_child(struct rig *rig)
{
	uint64_t none = 0;

	if (stats_of(rig))
		return 1;
	if (__vq_ioctl(rig->fd, VHOST_SET_FEATURES, &none) != -EPERM)
		return 2;
	if (__vq_ioctl(rig->fd, VHOST_RESET_OWNER, NULL) != -EPERM)
		return 3;
	return __vq_ioctl(rig->fd, VHOST_SET_OWNER, NULL) == -EBUSY ? 0 : 4;
}

TEST_F_TIMEOUT(lifetime, forked, TIMEOUT)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	unsigned int i, n = rounds();
	struct rig rig;
	int status;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(devices) * n; i++) {
		rig_make(&rig, devices[i / n], working(devices[i / n]));
		pid = fork();
		if (!pid)
			_exit(as_a_child(&rig));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status) TH_LOG("device %u", rig.device);
		EXPECT_TRUE(works(&rig));
		/* The child has the last reference. */
		pid = fork();
		if (!pid) {
			usleep(20000);
			_exit(stats_of(&rig));
		}
		rig_free(&rig);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_TRUE(counts_return(&self->before));
}

/* The owner becomes another program, which still has the file. */
static void become_another(struct rig *rig, int gone)
{
	char wait_for_end[32];

	fcntl(rig->fd, F_SETFD, 0);
	dup2(gone, 0);
	snprintf(wait_for_end, sizeof(wait_for_end), "read x; exit 7");
	execl("/bin/sh", "sh", "-c", wait_for_end, NULL);
	_exit(1);
}

TEST_F_TIMEOUT(lifetime, replaced, TIMEOUT)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	int ready[2], gone[2], status;
	unsigned int i, round, n = rounds();
	struct rig rig;
	char byte;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(devices) * n; i++) {
		ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(gone, O_CLOEXEC));
		pid = fork();
		if (!pid) {
			rig_make(&rig, devices[i / n], working(devices[i / n]));
			if (!works(&rig))
				_exit(1);
			become_another(&rig, gone[0]);
		}
		close(ready[1]);
		/* Closed by exec: there is the other program now. */
		ASSERT_EQ(0, read(ready[0], &byte, 1));
		for (round = 0; round < i % 3; round++)
			usleep(5000);
		close(gone[0]);
		close(gone[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		close(ready[0]);
	}
	EXPECT_TRUE(counts_return(&self->before));
}

/* ---- eventfds in other processes ---- */

static void __attribute__((noreturn)) ring_for_ever(const int *fds, unsigned int n)
{
	unsigned int i;

	for (i = 0;; i = (i + 1) % n)
		eventfd_write(fds[i], 1);
}

TEST_F_TIMEOUT(lifetime, eventfds_held_by_another, TIMEOUT)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	unsigned int i, n = rounds();
	int fds[3], status;
	struct rig rig;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(devices) * n; i++) {
		rig_make(&rig, devices[i / n], working(devices[i / n]));
		fds[0] = rig.efd;
		if (rig.device == PIPE) {
			ASSERT_EQ(0, __pipe_set_line(&rig.pipe, rig.efd, rig.efd));
			ASSERT_EQ(0, __pipe_set_doorbell(&rig.pipe, STAGES_PIPE_ID, rig.efd));
			fds[1] = rig.efd;
			fds[2] = rig.efd;
		} else {
			fds[0] = rig.ring->kick;
			fds[1] = rig.ring->call;
			fds[2] = rig.ring->err;
			/* Or none would be rung that anybody listens to. */
			fcntl(fds[1], F_SETFL, O_NONBLOCK);
			fcntl(fds[2], F_SETFL, O_NONBLOCK);
		}
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		pid = fork();
		if (!pid)
			ring_for_ever(fds, 3);
		usleep(10000);
		if (rig.device != PIPE)
			EXPECT_TRUE(works(&rig));
		rig_free(&rig);
		usleep(5000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	}
	EXPECT_TRUE(counts_return(&self->before));
}

TEST_HARNESS_MAIN
