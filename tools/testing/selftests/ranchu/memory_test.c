// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory is charged to the process that causes its allocation. A process in a
 * control group of a few MiB allocates as much as each device allows, in all ways, until
 * it is refused or killed; the kernel grows by no more than the group's limit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "stages.h"

#define TIMEOUT		300
#define LIMIT_MIB	32
/* Slack for other allocations of the kernel and of other processes. */
#define SLACK_MIB	16
#define CGROUP		"/tmp/ranchu-cgroup"
#define GROUP		CGROUP "/hoarder"
#define FILES		100000

/* Of syslog(2). */
#define CONSOLE_LEVEL	8
#define ONLY_ERRORS	4
#define EVERYTHING	8

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Memory that the kernel uses, in MiB. */
static long kernel_mib(void)
{
	static const char * const fields[] = {
		"SUnreclaim: %ld", "VmallocUsed: %ld", "Percpu: %ld",
	};
	FILE *meminfo = fopen("/proc/meminfo", "r");
	long sum = 0, kib;
	char line[128];
	unsigned int i;

	while (meminfo && fgets(line, sizeof(line), meminfo))
		for (i = 0; i < 3; i++)
			if (sscanf(line, fields[i], &kib) == 1)
				sum += kib;
	if (meminfo)
		fclose(meminfo);
	return sum >> 10;
}

/* ---- hoarders: each allocates until it is refused ---- */

static int new_device(unsigned int device)
{
	int fd = open(rig_path(device), O_RDWR | O_CLOEXEC);

	if (fd < 0 || __vq_ioctl(fd, VHOST_SET_OWNER, NULL))
		_exit(0);
	return fd;
}

/* Threads, their stacks, and what belongs to an open file. */
static void hoard_files(void)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	unsigned int i;

	for (i = 0;; i++)
		new_device(devices[i % 4]);
}

static void hoard_rings(void)
{
	struct vhost_ranchu_test_mode mode = { .hold = VHOST_RANCHU_TEST_MAX_HOLD };
	int fd;

	for (;;) {
		fd = new_device(VQ);
		for (mode.index = 0; mode.index < VQ_RINGS; mode.index++)
			if (__vq_ioctl(fd, VHOST_RANCHU_TEST_SET_MODE, &mode))
				_exit(0);
	}
}

/* Guest memory of as many regions as there may be, over and over. */
static void hoard_tables(void)
{
	static struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[64];
	} table;
	unsigned int i;

	table.head.nregions = 64;
	for (i = 0; i < 64; i++)
		table.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = i << 13, .memory_size = 4096,
			.userspace_addr = (uintptr_t)&table & ~4095ul,
		};
	for (;;)
		if (__vq_ioctl(new_device(VSOCK), VHOST_SET_MEM_TABLE, &table))
			_exit(0);
}

/* Memory of a guest: full pipes. */
static void hoard_pipes(void)
{
	struct pipe_mem mem;
	struct test_pipe pipe;
	struct pipe_dev dev;
	uint64_t data;
	uint32_t id;
	size_t used;

	pipe_mem_create(&mem, RANCHU_RAM_BASE, 1u << 20);
	for (;;) {
		mem.used = 0;
		pipe_dev_start(&dev, &mem);
		pipe_handshake(&dev);
		data = pipe_mem_alloc(&mem, 64u << 10, PIPE_PAGE);
		used = mem.used;
		for (id = 0; id < 1000; id++) {
			mem.used = used;
			if (__pipe_open(&dev, &pipe, id, PIPE_DRIVER_BUFFERS) ||
			    __pipe_connect(&pipe, "pipe:pingpong") < 0)
				_exit(0);
			while (pipe_write(&pipe, data, 64u << 10) > 0)
				;
		}
	}
}

static void hoard_streams(void)
{
	struct vs_dev dev;
	uint32_t port, guest;
	uint64_t cid;

	for (cid = VS_CID;; cid++) {
		vs_open(&dev, VQ_SPLIT);
		vs_set_up(&dev);
		if (__vs_set_cid(&dev, cid) || __vs_run(&dev, 1))
			_exit(0);
		for (guest = 1; guest <= VHOST_VSOCK_ADB_MAX_STREAMS; guest++) {
			port = 0;
			if (__vs_connect(&dev, guest, &port, -1, 0))
				_exit(0);
		}
	}
}

static void hoard_services(void)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	char name[32];
	unsigned int i;
	int services;

	pipe_mem_create(&mem, RANCHU_RAM_BASE, 1u << 20);
	for (;;) {
		pipe_dev_start(&dev, &mem);
		services = __services_open(&dev);
		if (services < 0)
			_exit(0);
		for (i = 0; i < VHOST_GOLDFISH_PIPE_MAX_SERVICES; i++) {
			snprintf(name, sizeof(name), "svc%u", i);
			if (__services_add(services, name) == -ENOMEM)
				_exit(0);
		}
	}
}

/* Memory of a service: rings that are shared with the guest. */
static void hoard_shared(void)
{
	struct vhost_goldfish_pipe_ring answer = {
		.to_host_size = 1u << 20, .to_guest_size = 1u << 20,
	};
	struct pipe_mem mem;
	struct test_pipe pipe;
	struct pipe_dev dev;
	int services;
	uint32_t id;
	size_t used;

	answer.wake_fd = eventfd(0, EFD_CLOEXEC);
	pipe_mem_create(&mem, RANCHU_RAM_BASE, 1u << 20);
	pipe_dev_start(&dev, &mem);
	pipe_handshake(&dev);
	services = services_open(&dev);
	services_add(services, "svc");
	used = mem.used;
	for (id = 0; id < 1000; id++) {
		mem.used = used;
		if (__pipe_open(&dev, &pipe, id, PIPE_DRIVER_BUFFERS) ||
		    __pipe_connect(&pipe, "pipe:svc") < 0)
			_exit(0);
		answer.open = services_expect(services, "svc", NULL);
		if (__vq_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER_RING, &answer) < 0)
			_exit(0);
	}
}

FIXTURE(memory)
{
	bool made;
};

FIXTURE_VARIANT(memory)
{
	void (*hoard)(void);
};

FIXTURE_VARIANT_ADD(memory, files) { .hoard = hoard_files };
FIXTURE_VARIANT_ADD(memory, rings) { .hoard = hoard_rings };
FIXTURE_VARIANT_ADD(memory, tables) { .hoard = hoard_tables };
FIXTURE_VARIANT_ADD(memory, pipes) { .hoard = hoard_pipes };
FIXTURE_VARIANT_ADD(memory, streams) { .hoard = hoard_streams };
FIXTURE_VARIANT_ADD(memory, services) { .hoard = hoard_services };
FIXTURE_VARIANT_ADD(memory, shared) { .hoard = hoard_shared };

FIXTURE_SETUP(memory)
{
	static const unsigned int devices[] = { PIPE, VQ, BLK, VSOCK };
	char limit[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if (access(rig_path(devices[i]), R_OK | W_OK))
			SKIP(return, "no usable %s", rig_path(devices[i]));
	mkdir(CGROUP, 0700);
	if (mount("none", CGROUP, "cgroup2", 0, NULL) && errno != EBUSY)
		SKIP(return, "no control groups");
	self->made = true;
	if (put(CGROUP "/cgroup.subtree_control", "+memory"))
		SKIP(return, "control groups do not know of memory");
	ASSERT_EQ(0, mkdir(GROUP, 0700));
	snprintf(limit, sizeof(limit), "%u", LIMIT_MIB << 20);
	ASSERT_EQ(0, put(GROUP "/memory.max", limit));
}

FIXTURE_TEARDOWN(memory)
{
	unsigned int i;

	if (!self->made)
		return;
	/* A group that has just become empty is not so at once. */
	for (i = 0; i < 100 && rmdir(GROUP) && errno == EBUSY; i++)
		usleep(50000);
	umount2(CGROUP, MNT_DETACH);
	rmdir(CGROUP);
}

/* Number of times that the group reached its limit. */
static long limits_met(void)
{
	FILE *file = fopen(GROUP "/memory.events", "r");
	long met = 0, value;
	char name[32];

	while (file && fscanf(file, "%31s %ld", name, &value) == 2)
		if (!strcmp(name, "max"))
			met = value;
	if (file)
		fclose(file);
	return met;
}

static void be_a_hoarder(void (*hoard)(void))
{
	const struct rlimit files = { FILES, FILES };

	setrlimit(RLIMIT_NOFILE, &files);
	if (put(GROUP "/cgroup.procs", "0"))
		_exit(1);
	hoard();
	_exit(0);
}

TEST_F_TIMEOUT(memory, is_the_takers, TIMEOUT)
{
	long before = kernel_mib(), now, most = 0;
	int status = -1;
	pid_t pid;

	/* Hide the stack of an OOM kill, which looks like a splat. */
	klogctl(CONSOLE_LEVEL, NULL, ONLY_ERRORS);
	fflush(stdout);
	pid = fork();
	if (!pid)
		be_a_hoarder(variant->hoard);
	do {
		now = kernel_mib() - before;
		most = now > most ? now : most;
		usleep(5000);
	} while (!waitpid(pid, &status, WNOHANG));
	klogctl(CONSOLE_LEVEL, NULL, EVERYTHING);
	printf("# %ld MiB at most, limit met %ld times, status %d\n", most, limits_met(), status);
	EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
		    (WIFEXITED(status) && !WEXITSTATUS(status)));
	EXPECT_LT(0, limits_met());
	EXPECT_GT(LIMIT_MIB + SLACK_MIB, most);
}

TEST_HARNESS_MAIN
