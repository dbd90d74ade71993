// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a network interface, which is a fake directory: directions, initial values, and
 * missing counters.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define INDEX	7

static const char *const files[] = {
	"ifindex", "statistics/rx_bytes", "statistics/tx_bytes", "statistics/rx_packets",
	"statistics/tx_packets", "statistics/rx_dropped", "statistics/tx_dropped",
};

static char dir[64];
static struct vmm_tap_counts tap;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Writes in place, so that open files see it, as in sysfs. */
static void says(const char *name, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	tap_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void interface_make(void)
{
	unsigned int i;

	snprintf(dir, sizeof(dir), "/tmp/vmmctl-tap-XXXXXX");
	tap_check(mkdtemp(dir));
	tap_check(!mkdir(path_of("statistics"), 0700));
	says(files[0], "7\n");
	for (i = 1; i < ARRAY_SIZE(files); i++)
		says(files[i], "0\n");
}

static void interface_remove(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlink(path_of(files[i]));
	rmdir(path_of("statistics"));
	rmdir(dir);
}

/* Returns a counter of a new report; ~0 if it is missing. */
static u64 counter(const char *name)
{
	struct vmm_report report = { .count = 0 };
	unsigned int i;

	vmm_tap_counts_report(&tap, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static unsigned int counters(void)
{
	struct vmm_report report = { .count = 0 };

	vmm_tap_counts_report(&tap, &report);
	return report.count;
}

/* The host's received packets are the guest's sent packets. */
static void sides_are_the_guests(void)
{
	interface_make();
	vmm_tap_counts_open(&tap, dir, INDEX);
	tap_equal(counters(), 6);
	says("statistics/rx_bytes", "18446744073709551614\n");
	says("statistics/tx_bytes", "2\n");
	says("statistics/rx_packets", "3\n");
	says("statistics/tx_packets", "4\n");
	says("statistics/rx_dropped", "5\n");
	says("statistics/tx_dropped", "6\n");
	tap_equal(counter("bytes_out"), ~1ULL);
	tap_equal(counter("bytes_in"), 2);
	tap_equal(counter("packets_out"), 3);
	tap_equal(counter("packets_in"), 4);
	tap_equal(counter("dropped_out"), 5);
	tap_equal(counter("dropped_in"), 6);
	vmm_tap_counts_close(&tap);
	tap_equal(counters(), 0);
	interface_remove();
}

/* The interface was there before the VM. */
static void they_begin_at_0(void)
{
	interface_make();
	says("statistics/rx_bytes", "1000000000000\n");
	vmm_tap_counts_open(&tap, dir, INDEX);
	tap_equal(counter("bytes_out"), 0);
	says("statistics/rx_bytes", "1000000000042\n");
	tap_equal(counter("bytes_out"), 42);
	vmm_tap_counts_close(&tap);
	interface_remove();
}

static void what_is_not_there_is_left_out(void)
{
	interface_make();
	unlink(path_of("statistics/rx_dropped"));
	says("statistics/tx_dropped", "");
	vmm_tap_counts_open(&tap, dir, INDEX);
	tap_equal(counters(), 4);
	tap_equal(counter("dropped_out"), ~0ULL);
	tap_equal(counter("dropped_in"), ~0ULL);
	/* As if the interface was removed. */
	says("statistics/rx_bytes", "");
	tap_equal(counters(), 3);
	vmm_tap_counts_close(&tap);
	interface_remove();
	vmm_tap_counts_open(&tap, dir, INDEX);
	tap_equal(counters(), 0);
	vmm_tap_counts_close(&tap);
}

static void another_interface_is_not_counted(void)
{
	interface_make();
	vmm_tap_counts_open(&tap, dir, INDEX + 1);
	tap_equal(counters(), 0);
	vmm_tap_counts_close(&tap);
	vmm_tap_counts_open(&tap, dir, 0);
	tap_equal(counters(), 0);
	vmm_tap_counts_close(&tap);
	interface_remove();
}

static const struct tap_case cases[] = {
	{ "the sides are the guest's", sides_are_the_guests },
	{ "they begin at 0", they_begin_at_0 },
	{ "what is not there is left out", what_is_not_there_is_left_out },
	{ "an interface of another namespace is not counted", another_interface_is_not_counted },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
