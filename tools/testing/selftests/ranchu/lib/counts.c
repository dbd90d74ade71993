// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"

#define PATIENCE_MS	30000
#define STEP_MS		50
#define SHRINK_MS	2000

static long first_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = 0;

	if (file) {
		if (fscanf(file, "%ld", &number) != 1)
			number = 0;
		fclose(file);
	}
	return number;
}

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

/* The kernel's own threads come and go as they like. */
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

/* Each CPU keeps some of the counts to itself for a second, or until it is asked. */
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

static void count_slabs(struct counts *counts)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	struct counts_slab *slab = counts->slabs;
	char line[512];

	while (file && fgets(line, sizeof(line), file) &&
	       slab < counts->slabs + COUNTS_SLABS)
		if (sscanf(line, "%31s %ld", slab->name, &slab->objects) == 2 &&
		    is_of_interest(slab->name))
			slab++;
	if (file)
		fclose(file);
	counts->nr_slabs = slab - counts->slabs;
}

void counts_take(struct counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	counts->files = first_number("/proc/sys/fs/file-nr");
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

static bool is_back(const struct counts *before, long slack, bool tell)
{
	struct counts now;
	bool left;
	unsigned int i;

	counts_take(&now);
	left = more("files", before->files, now.files, slack, tell);
	left |= more("tasks", before->tasks, now.tasks, 0, tell);
	left |= more("pinned pages", before->pins, now.pins, 0, tell);
	for (i = 0; i < before->nr_slabs && i < now.nr_slabs; i++)
		left |= more(now.slabs[i].name, before->slabs[i].objects,
			     now.slabs[i].objects, slack, tell);
	return !left;
}

/* What KASAN keeps for a while, to see whether it is still used, counts as well. */
static void give_back_freed(const struct counts *counts)
{
	char path[80];
	unsigned int i;
	FILE *file;

	for (i = 0; i < counts->nr_slabs; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink",
			 counts->slabs[i].name);
		file = fopen(path, "w");
		if (!file)
			continue;
		fputs("1", file);
		fclose(file);
	}
}

bool counts_return(const struct counts *before, long slack)
{
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
		if (!(ms % SHRINK_MS))
			give_back_freed(before);
		if (is_back(before, slack, false))
			return true;
		usleep(STEP_MS * 1000);
	}
	return is_back(before, slack, true);
}
