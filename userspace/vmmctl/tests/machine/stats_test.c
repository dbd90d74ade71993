// SPDX-License-Identifier: GPL-2.0-only
/*
 * Format of a record of statistics, and the sums in it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/machine.h"
#include "tests/tap.h"

static void pipe_stats(struct vmm_device *dev, struct vmm_report *report)
{
	(void)dev;
	vmm_report_add(report, "opens", 7);
	vmm_report_add(report, "closes", 0);
}

static void bank_parts(struct vmm_device *dev, struct vmm_report_visitor *visitor)
{
	struct vmm_report report = { 0 };

	(void)dev;
	vmm_report_add(&report, "errors", 1);
	visitor->report(visitor, "blk0", &report);
	report.values[0] = 2;
	visitor->report(visitor, "blk1", &report);
}

static const struct vmm_device_ops bank_ops = { .name = "bank", .parts = bank_parts };
static const struct vmm_device_ops uart_ops = { .name = "pl011" };
static const struct vmm_device_ops pipe_ops = { .name = "pipe", .stats = pipe_stats };

/* Two vCPUs that never ran, with invented counts. */
static void snapshot(char *text, size_t size, const char *label)
{
	char path[] = "/tmp/vmmctl-stats-XXXXXX";
	int fd = mkstemp(path);
	const struct vmm_config cfg = { .stats_file = path };
	struct vmm_vcpu vcpus[2] = { { .stats_fd = -1 }, { .stats_fd = -1 } };
	enum { UART, PIPE, BANK };
	struct vmm_vm vm = { .stats_fd = -1, .vcpus = 2, .vcpu = { &vcpus[0], &vcpus[1] } };
	struct vmm_stats *stats = vmm_stats_open(&cfg);
	ssize_t len;

	vcpus[0].exits.reads[UART] = 1;
	vcpus[1].exits.reads[UART] = 2;
	vcpus[1].exits.writes[PIPE] = 10;
	vcpus[0].exits.writes[VMM_DEVICES] = 100;
	vcpus[0].exits.signals = 1000;
	vcpus[1].exits.system = 10000;
	vcpus[1].exits.other = 100000;
	vmm_board_add(&vm.board, &uart_ops, 0x1000, 0x1000, 1);
	vmm_board_add(&vm.board, &pipe_ops, 0x2000, 0x1000, 2);
	vmm_board_add(&vm.board, &bank_ops, 0x3000, 0x1000, 3);
	vm.board.dev[PIPE].created = true;
	vm.board.dev[PIPE].resets = 3;
	vm.board.dev[PIPE].line = (struct vmm_line){ .fd = -1, .raised = 2 };
	vm.board.dev[BANK].created = true;
	if (tap_check(stats))
		vmm_stats_snapshot(stats, &vm, label);
	vmm_stats_close(stats);
	len = read(fd, text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	unlink(path);
}

static void sums_are_right(void)
{
	char text[4096];

	snapshot(text, sizeof(text), "x");
	tap_check(strstr(text, "\"userspace_exits\":111113,"));
	tap_check(strstr(text, "\"signals\":1000,\"system\":10000,\"other\":100000,"));
	tap_check(strstr(text, "\"pl011\":{\"reads\":3,\"writes\":0}"));
	tap_check(strstr(text, "\"pipe\":{\"reads\":0,\"writes\":10}"));
	tap_check(strstr(text, "\"none\":{\"reads\":0,\"writes\":100}"));
	tap_check(strstr(text, ",\"pl011\":{}"));
	tap_check(strstr(text, ",\"pipe\":{\"resets\":3,\"interrupts\":2,\"opens\":7,"));
	tap_check(strstr(text, "\"opens\":7,\"closes\":0}"));
	tap_check(strstr(text, ",\"bank\":{\"blk0\":{\"errors\":1},\"blk1\":{\"errors\":2}}}"));
}

static void labels_are_quoted(void)
{
	static const char want[] = "{\"label\":\"a \\\"b\\\" \\\\ \\u0009\\u00ff\",";
	char text[4096];

	snapshot(text, sizeof(text), "a \"b\" \\ \t\xff");
	tap_check(!strncmp(text, want, strlen(want)));
	tap_check(text[0] && text[strlen(text) - 1] == '\n');
	tap_check(strchr(text, '\n') == text + strlen(text) - 1);
}

static void empty_file_is_removed(void)
{
	char path[] = "/tmp/vmmctl-stats-XXXXXX";
	int fd = mkstemp(path);
	const struct vmm_config cfg = { .stats_file = path };
	const struct vmm_config null = { .stats_file = "/dev/null" };

	struct vmm_stats *stats;

	vmm_stats_close(vmm_stats_open(&cfg));
	tap_check(access(path, F_OK));
	close(fd);
	/* But not the start of the guest. */
	stats = vmm_stats_open(&cfg);
	vmm_stats_keep(stats);
	vmm_stats_close(stats);
	tap_check(!unlink(path));
	vmm_stats_close(vmm_stats_open(&null));
	tap_check(!access("/dev/null", F_OK));
}

/* A statistics file as KVM makes it: one counter, one histogram. */
static void kvm_counters_are_summed(void)
{
	static struct {
		struct kvm_stats_header header;
		struct {
			u32 flags;
			__s16 exponent;
			u16 size;
			u32 offset;
			u32 bucket_size;
			char name[48];
		} desc[2];
		u64 data[3];
	} file = {
		.header = { .name_size = 48, .num_desc = 2, .desc_offset = 24 },
		.desc = {
			{ .flags = KVM_STATS_TYPE_CUMULATIVE, .size = 1, .name = "exits" },
			{
				.flags = KVM_STATS_TYPE_LINEAR_HIST, .size = 2, .offset = 8,
				.name = "h",
			},
		},
		.data = { 21, 1, 2 },
	};
	static struct vmm_kvm_stats sum;
	int fd = memfd_create("stats", MFD_CLOEXEC);

	file.header.data_offset = offsetof(typeof(file), data);
	tap_equal(write(fd, &file, sizeof(file)), sizeof(file));
	tap_equal(vmm_kvm_stats_add(&sum, fd), 0);
	tap_equal(vmm_kvm_stats_add(&sum, fd), 0);
	tap_equal(vmm_kvm_stats_add(&sum, -1), 0);
	tap_equal(sum.count, 1);
	tap_check(!strcmp(sum.name[0], "exits"));
	tap_equal(sum.value[0], 42);
	tap_equal(ftruncate(fd, sizeof(file.header)), 0);
	tap_check(vmm_kvm_stats_add(&sum, fd) < 0);
	close(fd);
}

/* A pipe whose reader is stopped: complete records or none, without waiting. */
static void who_does_not_read_is_not_waited_for(void)
{
	char path[] = "/tmp/vmmctl-stats-XXXXXX";
	const struct vmm_config cfg = { .stats_file = path };
	struct vmm_vm vm = { .stats_fd = -1 };
	struct vmm_stats *stats;
	static char bytes[1 << 18];
	unsigned int i;
	ssize_t len;
	int fd;

	close(mkstemp(path));
	unlink(path);
	tap_equal(mkfifo(path, 0600), 0);
	alarm(20);
	stats = vmm_stats_open(&cfg);
	if (!tap_check(stats))
		return;
	fd = open(path, O_RDONLY | O_NONBLOCK);
	for (i = 0; i < 2000; i++)
		vmm_stats_snapshot(stats, &vm, "a record of a VM with nothing to count in it");
	len = read(fd, bytes, sizeof(bytes) - 1);
	tap_check(len > 1000 && len < (ssize_t)sizeof(bytes) - 1);
	/* After it is read again, the next record begins a line. */
	vmm_stats_snapshot(stats, &vm, "new");
	len = read(fd, bytes, sizeof(bytes) - 1);
	bytes[len > 0 ? len : 0] = '\0';
	tap_check(strstr(bytes, "{\"label\":\"new\"") &&
		  (bytes[0] == '\n' || bytes[0] == '{'));
	alarm(0);
	vmm_stats_close(stats);
	close(fd);
	unlink(path);
}

static const struct tap_case cases[] = {
	{ "who does not read is not waited for", who_does_not_read_is_not_waited_for },
	{ "exits are summed over vCPUs", sums_are_right },
	{ "a label is quoted, a record is one line", labels_are_quoted },
	{ "a file without records is removed, a device is not", empty_file_is_removed },
	{ "KVM's counters are summed, histograms left out", kvm_counters_are_summed },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
