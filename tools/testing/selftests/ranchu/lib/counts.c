// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"

#define PATIENCE_MS	30000
#define STEP_MS		50

static long entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	long n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (dir)
		closedir(dir);
	return n;
}

/* Threads of the kernel itself are not counted. */
static bool is_kernel_thread(const char *pid)
{
	char path[300], byte;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	n = readlink(path, &byte, 1);
	return n < 0;
}

static long count_tasks(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[300];
	long n = 0;

	while (dir && (entry = readdir(dir))) {
		if (atoi(entry->d_name) <= 0 || is_kernel_thread(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", entry->d_name);
		n += entries(path);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Each CPU keeps some counts locally for a second; this folds them. */
static void refresh_vmstat(void)
{
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "w");

	if (file) {
		fputs("1", file);
		fclose(file);
	}
}

static long count_pins(void)
{
	FILE *file;
	long value, pins = 0;
	char name[64];

	refresh_vmstat();
	file = fopen("/proc/vmstat", "r");
	while (file && fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			pins += value;
		else if (!strcmp(name, "nr_foll_pin_released"))
			pins -= value;
	}
	if (file)
		fclose(file);
	return pins;
}

static bool is_of_interest(const char *name)
{
	static const char * const names[] = {
		"filp", "task_struct", "mm_struct", "signal_cache", "sighand_cache",
		"sock_inode_cache", "UNIX", "TCP", "skbuff_head_cache", "files_cache",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return !strncmp(name, "kmalloc-", 8);
}

static bool next_slab(FILE *slabinfo, struct counts_slab *slab)
{
	char line[512];

	while (slabinfo && fgets(line, sizeof(line), slabinfo))
		if (sscanf(line, "%31s %ld", slab->name, &slab->objects) == 2 &&
		    is_of_interest(slab->name))
			return true;
	return false;
}

static int shrink[COUNTS_SLABS];
static unsigned int nr_shrink;

static void open_shrink(void)
{
	FILE *slabinfo = nr_shrink ? NULL : fopen("/proc/slabinfo", "r");
	struct counts_slab slab;
	char path[80];

	while (nr_shrink < COUNTS_SLABS && next_slab(slabinfo, &slab)) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", slab.name);
		shrink[nr_shrink] = open(path, O_WRONLY | O_CLOEXEC);
		if (shrink[nr_shrink] >= 0)
			nr_shrink++;
	}
	if (slabinfo)
		fclose(slabinfo);
}

/*
 * A CPU takes objects by the page, and all objects of its page count as in use: up to
 * 512 of kmalloc-8. So before they are counted the CPUs return their pages, and KASAN
 * empties its quarantine of freed objects.
 *
 * Between that and the count nothing may be allocated, which a sysfs file does when
 * it is opened, closed and read. So they stay open, and are written by the page: the
 * kernel's copy of that is large, and few large objects share a page.
 */
static void give_back_free_objects(void)
{
	static const char whole_page[4096] = "1";
	unsigned int i;

	for (i = 0; i < nr_shrink; i++)
		if (write(shrink[i], whole_page, sizeof(whole_page)) < 0)
			perror("# shrink");
}

static void count_slabs(struct counts *counts)
{
	FILE *slabinfo = fopen("/proc/slabinfo", "r");

	give_back_free_objects();
	while (counts->nr_slabs < COUNTS_SLABS &&
	       next_slab(slabinfo, &counts->slabs[counts->nr_slabs]))
		counts->nr_slabs++;
	if (slabinfo)
		fclose(slabinfo);
}

void counts_take(struct counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	open_shrink();
	counts->tasks = count_tasks();
	counts->pins = count_pins();
	count_slabs(counts);
}

static bool more(const char *what, long before, long now, long slack, bool tell)
{
	if (now <= before + slack)
		return false;
	if (tell)
		printf("# %s: %ld before, %ld now\n", what, before, now);
	return true;
}

bool counts_are_back(const struct counts *before, bool tell)
{
	struct counts now;
	bool left;
	unsigned int i;

	counts_take(&now);
	left = more("tasks", before->tasks, now.tasks, 0, tell);
	left |= more("pinned pages", before->pins, now.pins, 0, tell);
	for (i = 0; i < before->nr_slabs && i < now.nr_slabs; i++)
		left |= more(now.slabs[i].name, before->slabs[i].objects,
			     now.slabs[i].objects, COUNTS_SLACK, tell);
	return !left;
}

bool counts_return(const struct counts *before)
{
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
		if (counts_are_back(before, false))
			return true;
		usleep(STEP_MS * 1000);
	}
	return counts_are_back(before, true);
}
