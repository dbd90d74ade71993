// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's fault injection: debugfs selects what may fail, fail-nth when.
 *
 * Source: the kernel's Documentation/fault-injection/fault-injection.rst
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"
#include "pipe_dev.h"

#define DEBUGFS		"/sys/kernel/debug/"

static int __write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void set(const char *what, const char *knob, uint64_t value)
{
	char path[128], text[32];
	int err;

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", what, knob);
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)value);
	err = __write_text(path, text);
	if (err)
		pipe_die("%s: %s", path, strerror(-err));
}

struct range {
	uint64_t begin;
	uint64_t end;
};

/* Where our modules' functions are, and the kernel's copy_process(). */
static bool find_functions(struct range *ours, struct range *thread)
{
	char line[512], name[256], module[256];
	unsigned long long at;
	FILE *file = fopen("/proc/kallsyms", "r");
	char type;
	int n;

	*ours = (struct range){ .begin = UINT64_MAX };
	*thread = (struct range){};
	while (file && fgets(line, sizeof(line), file)) {
		n = sscanf(line, "%llx %c %255s [%255[^]]]", &at, &type, name, module);
		if (n < 3 || (type != 't' && type != 'T'))
			continue;
		if (n == 3 && !strcmp(name, "copy_process"))
			thread->begin = at;
		else if (n == 3 && thread->begin && !thread->end)
			thread->end = at;
		if (n == 4 && strstr(name, ".plt"))
			continue;
		if (n == 4 && (!strcmp(module, "ranchu") || !strncmp(module, "vhost_", 6))) {
			ours->begin = at < ours->begin ? at : ours->begin;
			/* The last function has an end, too. */
			ours->end = at + 4096 > ours->end ? at + 4096 : ours->end;
		}
	}
	if (file)
		fclose(file);
	return ours->end && thread->end > thread->begin;
}

const char *faults_missing(void)
{
	static const char * const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	struct range ours, thread;
	unsigned int i;

	if (access("/proc/thread-self/fail-nth", W_OK))
		return "the kernel has no fault injection";
	if (access(DEBUGFS "failslab/require-start", W_OK) ||
	    access(DEBUGFS "fail_page_alloc", X_OK) ||
	    access(DEBUGFS "fail_usercopy", X_OK))
		return "not all of the kernel's fault injection is there";
	if (!find_functions(&ours, &thread))
		return "the kernel does not say where our functions are";
	for (i = 0; i < 3; i++) {
		set(kinds[i], "verbose", 0);
		set(kinds[i], "stacktrace-depth", 32);
		set(kinds[i], "require-start", ours.begin);
		set(kinds[i], "require-end", ours.end);
		set(kinds[i], "reject-start", thread.begin);
		set(kinds[i], "reject-end", thread.end);
	}
	set("failslab", "ignore-gfp-wait", 0);
	set("fail_page_alloc", "ignore-gfp-wait", 0);
	set("fail_page_alloc", "ignore-gfp-highmem", 0);
	set("fail_page_alloc", "min-order", 0);
	return NULL;
}

/* For guest memory only allocations may fail, because a failed copy is a guest's fault. */
static void allow_usercopy(bool allowed)
{
	static int now = -1;
	struct range ours, thread;

	if (now == allowed)
		return;
	now = allowed;
	if (!find_functions(&ours, &thread))
		pipe_die("no functions");
	set("fail_usercopy", "reject-start", allowed ? thread.begin : 0);
	set("fail_usercopy", "reject-end", allowed ? thread.end : UINT64_MAX);
}

static void path_of(char *path, size_t size, const char *tid)
{
	snprintf(path, size, "/proc/self/task/%s/fail-nth", tid);
}

/* A worker is a thread of its owner. */
static unsigned int for_all(unsigned int (*fn)(const char *path, unsigned int n),
			    unsigned int n)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int sum = 0;
	struct dirent *entry;
	char path[300];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		path_of(path, sizeof(path), entry->d_name);
		sum += fn(path, n);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static unsigned int arm(const char *path, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	/* A worker may have ended. */
	return !__write_text(path, text);
}

/* Clears the counter; returns whether it had reached 0. */
static unsigned int disarm(const char *path, unsigned int unused)
{
	char text[16] = "";
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t len;

	(void)unused;
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	if (len > 0 && write(fd, "0", 1) != 1)
		pipe_die("%s: %s", path, strerror(errno));
	close(fd);
	return len > 0 && !atoi(text);
}

void faults_arm(enum faults_where where, unsigned int n)
{
	bool armed;

	allow_usercopy(where == FAULTS_HERE);
	if (where == FAULTS_HERE)
		armed = arm("/proc/thread-self/fail-nth", n);
	else
		armed = for_all(arm, n);
	if (!armed)
		pipe_die("fail-nth: nobody is armed");
}

bool faults_disarm(enum faults_where where)
{
	if (where == FAULTS_HERE)
		return disarm("/proc/thread-self/fail-nth", 0);
	return for_all(disarm, 0);
}
