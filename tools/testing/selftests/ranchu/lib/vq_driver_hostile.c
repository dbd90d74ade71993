// SPDX-License-Identifier: GPL-2.0-only
/* An invalid ring, checks that it breaks, and checks that others are not affected. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vq_hostile.h"

static void tell_memory(struct hostile *hostile)
{
	const struct vq_mem *mem = &hostile->dev.mem;
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[2];
	} table = {
		.head.nregions = 2,
		.regions = {
			{ mem->gpa, mem->size, (uintptr_t)mem->host[0], 0 },
			{ HOSTILE_BIG, HOSTILE_BIG_SIZE, (uintptr_t)hostile->big, 0 },
		},
	};

	vq_ioctl(hostile->dev.fd, VHOST_SET_MEM_TABLE, &table);
}

void hostile_create(struct hostile *hostile, uint64_t features)
{
	vq_dev_create(&hostile->dev, features, HOSTILE_NUM, HOSTILE_MEM_SIZE);
	vq_dev_create(&hostile->bystander, features, HOSTILE_NUM, HOSTILE_MEM_SIZE);
	hostile->ring = &hostile->dev.rings[1];
	hostile->big = mmap(NULL, HOSTILE_BIG_SIZE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hostile->big == MAP_FAILED)
		vq_die("no address space: %s", strerror(errno));
	tell_memory(hostile);
	hostile->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (hostile->kmsg >= 0)
		lseek(hostile->kmsg, 0, SEEK_END);
	vq_dev_run(&hostile->dev, 1);
	vq_dev_run(&hostile->bystander, 1);
}

void hostile_destroy(struct hostile *hostile)
{
	vq_dev_destroy(&hostile->dev);
	vq_dev_destroy(&hostile->bystander);
	munmap(hostile->big, HOSTILE_BIG_SIZE);
	close(hostile->kmsg);
}

void hostile_restart(struct hostile *hostile, uint64_t without)
{
	struct vq_ring *ring = hostile->ring;
	uint64_t features = hostile->dev.features & ~without;
	uint32_t base = vq_ring_first_base(ring);
	unsigned int i;

	vq_dev_run(&hostile->dev, 0);
	vq_ioctl(hostile->dev.fd, VHOST_SET_FEATURES, &features);
	for (i = 0; i < VQ_RINGS; i++)
		hostile->dev.rings[i].tables = features & VQ_INDIRECT;
	vq_ring_reset(ring, base);
	if (__vq_set_state(hostile->dev.fd, VHOST_SET_VRING_BASE, 1, base))
		vq_die("SET_VRING_BASE");
	vq_dev_run(&hostile->dev, 1);
	vq_wait(ring->call, 0);
}

bool hostile_others_live(struct hostile *hostile)
{
	return !vq_echo(&hostile->dev.rings[0]) &&
	       !vq_echo(&hostile->dev.rings[2]) &&
	       !vq_echo(&hostile->bystander.rings[1]);
}

/* The state letter of a thread of ours; 0 if it is no vhost worker. */
static char worker_state(const char *tid)
{
	char path[64], line[256], *state;
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	n = fread(line, 1, sizeof(line) - 1, file);
	line[n] = 0;
	fclose(file);
	state = strrchr(line, ')');
	return strstr(line, "(vhost-") && state ? state[2] : 0;
}

static bool workers_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool sleep = true;
	char state;

	while (dir && (entry = readdir(dir))) {
		state = worker_state(entry->d_name);
		if (state && state != 'S')
			sleep = false;
	}
	closedir(dir);
	return sleep;
}

/* Checks several times that idle workers sleep. */
static bool workers_rest(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	unsigned int i, seen = 0;

	for (i = 0; i < VQ_PATIENCE_MS && seen < 5; i++) {
		if (workers_sleep())
			seen++;
		else
			nanosleep(&ms, NULL);
		sched_yield();
	}
	return seen == 5;
}

static bool complain(const char *what)
{
	printf("# %s\n", what);
	return false;
}

bool hostile_is_broken(struct hostile *hostile, uint64_t faults)
{
	struct vhost_ranchu_test_stats before, after;
	struct vq_ring *ring = hostile->ring;
	unsigned int i;

	if (vq_wait(ring->err, VQ_PATIENCE_MS) != 1)
		return complain("the VMM was not told, or more than once");
	if (vq_dev_faults(&hostile->dev) != faults + 1)
		return complain("not one more fault");
	vq_dev_get_stats(&hostile->dev, 1, &before);
	for (i = 0; i < 3; i++) {
		vq_kick(ring);
		if (!hostile_others_live(hostile))
			return complain("another ring died, too");
	}
	vq_dev_get_stats(&hostile->dev, 1, &after);
	if (before.chains != after.chains || before.kicks != after.kicks)
		return complain("the dead ring is worked on");
	if (after.faults != faults + 1 || vq_wait(ring->err, 0))
		return complain("it is told again");
	if (vq_dev_faults(&hostile->bystander))
		return complain("another device counts a fault");
	return workers_rest() || complain("the worker spins");
}

int hostile_messages(struct hostile *hostile, const char *reason)
{
	char line[2048];
	int count = 0;
	ssize_t n;

	while ((n = read(hostile->kmsg, line, sizeof(line) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = 0;
		if (!strstr(line, "vhost-ranchu-test: queue"))
			continue;
		if (reason && !strstr(line, reason)) {
			printf("# %s", line);
			return -1;
		}
		count++;
	}
	return count;
}
