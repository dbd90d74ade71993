// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences of a guest that the host signals, by sync_driver.ko.
 *
 *	sync_fences ROUNDS DEPTH	DEPTH fences at a time, each of which must be signalled
 *	sync_fences host N		waits until N fences of the host are signalled
 *
 * Prints the driver's counters. The exit code is 0 if all fences came as expected.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sync_driver.h"

#define DEPTH		64
#define PATIENCE_MS	60000

static int fail(const char *what)
{
	printf("sync_fences: %s: %s\n", what, strerror(errno));
	return -1;
}

static int fences(int sync, unsigned int round, unsigned int depth)
{
	struct pollfd wait[DEPTH];
	unsigned int i;

	for (i = 0; i < depth; i++) {
		struct sync_queue queue = { .glsync = round, .thread = i + 1 };

		if (ioctl(sync, SYNC_QUEUE, &queue))
			return fail("SYNC_QUEUE");
		wait[i].fd = queue.fence;
		wait[i].events = POLLIN;
	}
	for (i = 0; i < depth; i++) {
		if (poll(&wait[i], 1, PATIENCE_MS) != 1)
			return fail("a fence is not signalled");
		close(wait[i].fd);
	}
	return 0;
}

static int count(int sync, struct sync_counts *counts)
{
	return ioctl(sync, SYNC_COUNT, counts) ? fail("SYNC_COUNT") : 0;
}

static int wait_for_host(int sync, unsigned int n)
{
	struct sync_counts counts;
	unsigned int ms;

	for (ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (count(sync, &counts))
			return -1;
		if (counts.signalled >= n && !counts.timelines)
			return 0;
		usleep(20000);
	}
	return fail("the host's fences are not signalled");
}

int main(int argc, char **argv)
{
	struct sync_counts counts;
	unsigned int i, rounds, depth;
	int err = 0, sync;

	if (argc != 3 || strtoul(argv[2], NULL, 0) > DEPTH)
		return 2;
	depth = strtoul(argv[2], NULL, 0);
	sync = open(SYNC_NODE, O_RDWR);
	if (sync < 0)
		return -fail(SYNC_NODE);
	if (!strcmp(argv[1], "host")) {
		err = wait_for_host(sync, depth);
	} else {
		rounds = strtoul(argv[1], NULL, 0);
		for (i = 0; i < rounds && !err; i++)
			err = fences(sync, i, depth);
	}
	if (count(sync, &counts))
		return 1;
	printf("sync_fences %s %s: %s, waits %u increments %u fences %u signalled %u wrong %u\n",
	       argv[1], argv[2], err ? "failed" : "done", counts.waits, counts.increments,
	       counts.fences, counts.signalled, counts.wrong);
	return err || counts.wrong;
}
