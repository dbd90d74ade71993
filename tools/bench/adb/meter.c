// SPDX-License-Identifier: GPL-2.0-only
/*
 * What something costs: the clock, and from proc and debugfs what the clock
 * does not tell.
 */
#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adb_bench.h"

/* include/linux/sched.h: a thread of the kernel's that is part of a process. */
#define PF_USER_WORKER 0x4000

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static bool read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return false;
	n = fread(text, 1, size - 1, file);
	fclose(file);
	text[n] = 0;
	return n;
}

static void missing(const char *what)
{
	fprintf(stderr, "meter: no %s\n", what);
	exit(1);
}

/* Nothing else tells it to the nanosecond. */
static uint64_t idle_time(void)
{
	static const char key[] = ".idle_sleeptime";
	static char text[262144];
	uint64_t sum = 0;
	bool found = false;
	char *at;

	if (!read_file("/proc/timer_list", text, sizeof(text)))
		missing("/proc/timer_list");
	for (at = text; (at = strstr(at, key)); found = true) {
		at += sizeof(key) - 1;
		sum += strtoull(at + strspn(at, " :"), NULL, 10);
	}
	if (!found)
		missing("idle time in /proc/timer_list");
	return sum;
}

#define KVM_FILES	"/sys/kernel/debug/kvm/"

/* One of each VM's, of which there may be none yet. */
static uint64_t sum_files(const char *pattern)
{
	uint64_t sum = 0;
	char text[64];
	glob_t found;
	size_t i;

	if (access(KVM_FILES, F_OK))
		missing(KVM_FILES);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		if (read_file(found.gl_pathv[i], text, sizeof(text)))
			sum += strtoull(text, NULL, 10);
	globfree(&found);
	return sum;
}

static uint64_t user_exits(void)
{
	return sum_files(KVM_FILES "*-*/mmio_exit_user") +
	       sum_files(KVM_FILES "*-*/signal_exits");
}

/* "vmmctl qemu-system" has "vmmctl". */
static bool is_watched(const char *watched, const char *name)
{
	size_t len;

	while (*watched) {
		len = strcspn(watched, " ");
		if (len == strlen(name) && !strncmp(watched, name, len))
			return true;
		watched += len + strspn(watched + len, " ");
	}
	return false;
}

static bool is_kernels(const char *stat)
{
	/* Behind the name, which may have anything in it: the ninth field is flags. */
	const char *at = strrchr(stat, ')');
	unsigned int flags = 0;

	return at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & PF_USER_WORKER;
}

static uint64_t thread_wakeups(const char *dir)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[512];
	char text[4096];
	const char *at;

	snprintf(path, sizeof(path), "%s/stat", dir);
	if (!read_file(path, text, sizeof(text)) || is_kernels(text))
		return 0;
	/* QEMU names its vCPUs, and vmmctl does as QEMU. */
	if (strstr(text, "(CPU "))
		return 0;
	snprintf(path, sizeof(path), "%s/status", dir);
	if (!read_file(path, text, sizeof(text)))
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + sizeof(key) - 1, NULL, 10) : 0;
}

static uint64_t process_wakeups(const char *pid)
{
	uint64_t sum = 0;
	char pattern[300];
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "/proc/%s/task/*", pid);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		sum += thread_wakeups(found.gl_pathv[i]);
	globfree(&found);
	return sum;
}

static uint64_t wakeups(const char *watched)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;
	char path[300];
	char name[64];

	while (proc && (entry = readdir(proc))) {
		if (!isdigit(*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (!read_file(path, name, sizeof(name)))
			continue;
		name[strcspn(name, "\n")] = 0;
		if (is_watched(watched, name))
			sum += process_wakeups(entry->d_name);
	}
	if (proc)
		closedir(proc);
	return sum;
}

/**
 * meter_start - begin
 * @m: filled
 * @watched: names of programs, with blanks between
 */
void meter_start(struct meter *m, const char *watched)
{
	m->exits = user_exits();
	m->wakeups = wakeups(watched);
	m->idle = idle_time();
	m->ns = now();
}

/**
 * meter_stop - turn what meter_start() has left into what was used since
 * @m: the same
 * @watched: the same
 */
void meter_stop(struct meter *m, const char *watched)
{
	m->ns = now() - m->ns;
	m->idle = idle_time() - m->idle;
	m->wakeups = wakeups(watched) - m->wakeups;
	m->exits = user_exits() - m->exits;
}

/**
 * meter_print - the second half of a line
 * @m: stopped
 */
void meter_print(const struct meter *m)
{
	printf("ns=%llu idle=%llu exits=%llu wakeups=%llu\n", (unsigned long long)m->ns,
	       (unsigned long long)m->idle, (unsigned long long)m->exits,
	       (unsigned long long)m->wakeups);
	fflush(stdout);
}
