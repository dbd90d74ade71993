// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a host network interface, from its statistics in sysfs. The host receives what
 * the guest sends, so both directions are swapped for the guest. The files are opened once,
 * because none can be opened in the sandbox. The counters begin at 0 at that time.
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

/* Fails if the interface was removed. */
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

/* sysfs may belong to another network namespace, with another interface of this name. */
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
 * vmm_tap_counts_open - open the counters of an interface
 * @tap: filled; a counter that cannot be read is left out of the statistics
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
 * vmm_tap_counts_report - report what has been transferred since it was opened
 * @tap: opened
 * @report: the counters are added, in the guest's directions
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
