// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has gone through a network interface of the host's, as its statistics in sysfs say.
 * The host receives what the guest sends, so the two sides are the guest's here. Files are
 * opened once: later no file can be. Numbers begin at 0 when they are opened.
 *
 * Source: Linux 6.12 Documentation/ABI/testing/sysfs-class-net-statistics
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/devices.h"

static const struct {
	const char *file;
	const char *name;
} counts[VMM_TAP_COUNTS] = {
	{ "rx_bytes", "bytes_out" },
	{ "tx_bytes", "bytes_in" },
	{ "rx_packets", "packets_out" },
	{ "tx_packets", "packets_in" },
	{ "rx_dropped", "dropped_out" },
	{ "tx_dropped", "dropped_in" },
};

/* A file of an interface that is gone cannot be read any more. */
static bool number_read(int fd, u64 *value)
{
	char text[24];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	*value = strtoull(text, NULL, 10);
	return true;
}

static int file_open(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* sysfs may be that of another network namespace, where others have this name. */
static bool is_interface(const char *dir, unsigned int index)
{
	int fd = file_open(dir, "ifindex");
	u64 there = 0;
	bool same = index && number_read(fd, &there) && there == index;

	if (fd >= 0)
		close(fd);
	return same;
}

/**
 * vmm_tap_counts_open - begin to count what goes through an interface
 * @tap: filled; where a number cannot be had, it is left out of the statistics
 * @dir: the interface's directory in sysfs
 * @index: of the interface in this network namespace
 */
void vmm_tap_counts_open(struct vmm_tap_counts *tap, const char *dir, unsigned int index)
{
	bool known = is_interface(dir, index);
	char name[32];
	unsigned int i;

	for (i = 0; i < VMM_TAP_COUNTS; i++) {
		snprintf(name, sizeof(name), "statistics/%s", counts[i].file);
		tap->fd[i] = known ? file_open(dir, name) : -1;
		if (number_read(tap->fd[i], &tap->first[i]) || tap->fd[i] < 0)
			continue;
		close(tap->fd[i]);
		tap->fd[i] = -1;
	}
}

/**
 * vmm_tap_counts_close - undo vmm_tap_counts_open()
 * @tap: opened
 */
void vmm_tap_counts_close(struct vmm_tap_counts *tap)
{
	unsigned int i;

	for (i = 0; i < VMM_TAP_COUNTS; i++) {
		if (tap->fd[i] >= 0)
			close(tap->fd[i]);
		tap->fd[i] = -1;
	}
}

/**
 * vmm_tap_counts_report - tell what has gone through since it was opened
 * @tap: opened
 * @report: its numbers are added, as the guest sees them
 *
 * Context: any thread.
 */
void vmm_tap_counts_report(const struct vmm_tap_counts *tap, struct vmm_report *report)
{
	unsigned int i;
	u64 now;

	for (i = 0; i < VMM_TAP_COUNTS; i++) {
		if (number_read(tap->fd[i], &now))
			vmm_report_add(report, counts[i].name, now - tap->first[i]);
	}
}
