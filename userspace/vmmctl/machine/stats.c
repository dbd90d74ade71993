// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of what was counted: exits per device, KVM's statistics summed over
 * the VM and its vCPUs, and the devices' own counters. A snapshot is a block of text on stderr
 * or a line of JSON in a file:
 *
 *	{"label":"...","userspace_exits":N,"signals":N,"system":N,"other":N,
 *	 "devices":{"<device>":{"reads":N,"writes":N},...,"none":{...}},
 *	 "kvm":{"<name>":N,...},"output":{"<file>_dropped_bytes":N,...},
 *	 "<device>":{"<name>":N,...},...,
 *	 "<device>":{"<device behind it>":{"<name>":N,...},...},...}
 *
 * (on one line). userspace_exits is every return of KVM_RUN.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file_thread.h"
#include "machine/machine.h"

/**
 * struct vmm_stats - where snapshots go
 * @lock: a snapshot is written whole; protects all
 * @fd: file; a pipe or the like is not waited for
 * @plain: it is a plain file, or a disk
 * @file: writes to a plain file; counts what was dropped in any case
 * @path: file's name if the records are JSON, NULL if they are text on stderr
 * @kept: the file stays, even if nothing has been written
 * @torn: the file has half of a line at its end
 * @records: written so far
 * @kvm: scratch, too large for a stack
 */
struct vmm_stats {
	pthread_mutex_t lock;
	int fd;
	bool plain;
	struct vmm_file_thread *file;
	const char *path;
	bool kept;
	bool torn;
	u64 records;
	struct vmm_kvm_stats kvm;
};

/* A pipe that nobody reads yet is opened all the same, and never waited for. */
static int stats_create(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, flags, 0666);

	if (fd < 0 && errno == ENXIO)
		fd = open(path, (flags & ~O_WRONLY) | O_RDWR, 0666);
	return fd < 0 ? -errno : fd;
}

/* A record for which there is no room is lost; of one that was cut the rest is. */
static size_t stats_record(void *arg, const void *record, size_t len)
{
	struct vmm_stats *stats = arg;
	const char *text = record;
	ssize_t n;

	if (stats->torn && write(stats->fd, "\n", 1) != 1)
		return len;
	stats->torn = false;
	for (; len; text += n, len -= n) {
		n = write(stats->fd, text, len);
		if (n <= 0)
			break;
		stats->torn = n < (ssize_t)len;
	}
	return len;
}

static int stats_file(struct vmm_stats *stats)
{
	struct stat st;

	stats->fd = stats_create(stats->path);
	if (stats->fd < 0)
		return vmm_error(-stats->fd, "cannot create %s", stats->path);
	stats->plain = !fstat(stats->fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
	stats->file = vmm_file_thread_open("statistics", "statistics_dropped_bytes",
					   VMM_FILE_ROOM, stats_record, stats);
	if (stats->file)
		return 0;
	close(stats->fd);
	return -ENOMEM;
}

/**
 * vmm_stats_open - prepare for snapshots
 * @cfg: @stats_file is created, or emptied
 *
 * Return: where they go, or NULL
 */
struct vmm_stats *vmm_stats_open(const struct vmm_config *cfg)
{
	struct vmm_stats *stats = calloc(1, sizeof(*stats));

	if (!stats) {
		vmm_error(ENOMEM, "statistics");
		return NULL;
	}
	stats->path = cfg->stats_file;
	stats->fd = -1;
	if (stats->path && stats_file(stats)) {
		free(stats);
		return NULL;
	}
	pthread_mutex_init(&stats->lock, NULL);
	return stats;
}

/**
 * vmm_stats_keep - the guest starts: the file stays, with or without snapshots
 * @stats: where they go
 *
 * The sandbox would have to let any file of that directory be removed.
 */
void vmm_stats_keep(struct vmm_stats *stats)
{
	stats->kept = true;
}

/*
 * A guest that never started leaves no empty file, unless the sandbox was entered before
 * that was known; a device is left alone.
 */
static void stats_discard(struct vmm_stats *stats)
{
	struct stat st;

	if (!stats->records && !stats->kept && !fstat(stats->fd, &st) && S_ISREG(st.st_mode))
		unlinkat(AT_FDCWD, stats->path, 0);
}

/**
 * vmm_stats_close - finish
 * @stats: may be NULL
 */
void vmm_stats_close(struct vmm_stats *stats)
{
	if (!stats)
		return;
	if (stats->path)
		stats_discard(stats);
	if (!vmm_file_thread_close(stats->file, stats->fd))
		return;
	pthread_mutex_destroy(&stats->lock);
	free(stats);
}

static u64 peek(const u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void exits_add(struct vmm_exits *sum, const struct vmm_exits *exits)
{
	unsigned int i;

	for (i = 0; i <= VMM_DEVICES; i++) {
		sum->reads[i] += peek(&exits->reads[i]);
		sum->writes[i] += peek(&exits->writes[i]);
	}
	sum->signals += peek(&exits->signals);
	sum->system += peek(&exits->system);
	sum->other += peek(&exits->other);
}

static u64 exits_total(const struct vmm_exits *exits)
{
	u64 total = exits->signals + exits->system + exits->other;
	unsigned int i;

	for (i = 0; i <= VMM_DEVICES; i++)
		total += exits->reads[i] + exits->writes[i];
	return total;
}

static const char *device_name(const struct vmm_board *board, unsigned int i)
{
	return i < VMM_DEVICES ? board->dev[i].ops->name : "none";
}

/* Elements behind the last device, but for the one that counts "no device there". */
static bool is_unused(const struct vmm_board *board, unsigned int i)
{
	return i >= board->devices && i < VMM_DEVICES;
}

static void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void json_exits(FILE *out, const struct vmm_board *board, const struct vmm_exits *exits)
{
	const char *comma = "";
	unsigned int i;

	fputs(",\"devices\":{", out);
	for (i = 0; i <= VMM_DEVICES; i++) {
		if (is_unused(board, i))
			continue;
		fprintf(out, "%s\"%s\":{\"reads\":%llu,\"writes\":%llu}", comma,
			device_name(board, i), exits->reads[i], exits->writes[i]);
		comma = ",";
	}
	fputc('}', out);
}

/**
 * struct report_writer - writes counters of devices
 * @visitor: takes those of a device behind another one
 * @out: where to
 * @comma: JSON: what is before the next device
 */
struct report_writer {
	struct vmm_report_visitor visitor;
	FILE *out;
	const char *comma;
};

static void json_report(struct vmm_report_visitor *visitor, const char *name,
			const struct vmm_report *report)
{
	struct report_writer *writer = (struct report_writer *)visitor;
	FILE *out = writer->out;
	unsigned int i;

	fprintf(out, "%s\"%s\":{", writer->comma, name);
	for (i = 0; i < report->count; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", report->names[i],
			report->values[i]);
	fputc('}', out);
	writer->comma = ",";
}

static void json_parts(FILE *out, struct vmm_device *dev)
{
	struct report_writer writer = { .visitor.report = json_report, .out = out, .comma = "" };

	fprintf(out, ",\"%s\":{", dev->ops->name);
	if (dev->created)
		dev->ops->parts(dev, &writer.visitor);
	fputc('}', out);
}

static void json_reports(FILE *out, struct vmm_board *board)
{
	struct report_writer writer = { .out = out, .comma = "," };
	struct vmm_report report;
	unsigned int i;

	for (i = 0; i < board->devices; i++) {
		if (board->dev[i].ops->parts) {
			json_parts(out, &board->dev[i]);
			continue;
		}
		vmm_device_report(&board->dev[i], &report);
		json_report(&writer.visitor, device_name(board, i), &report);
	}
}

static void count_dropped(void *arg, const char *counter, u64 bytes)
{
	vmm_report_add(arg, counter, bytes);
}

static void json_dropped(FILE *out)
{
	struct report_writer writer = { .out = out, .comma = "," };
	struct vmm_report report = { .count = 0 };

	vmm_file_threads_count(count_dropped, &report);
	json_report(&writer.visitor, "output", &report);
}

static void write_json(const struct vmm_stats *stats, FILE *out, struct vmm_board *board,
		       const char *label, const struct vmm_exits *exits)
{
	const struct vmm_kvm_stats *kvm = &stats->kvm;
	unsigned int i;

	fputs("{\"label\":", out);
	json_string(out, label);
	fprintf(out, ",\"userspace_exits\":%llu,\"signals\":%llu,\"system\":%llu,\"other\":%llu",
		exits_total(exits), exits->signals, exits->system, exits->other);
	json_exits(out, board, exits);
	fputs(",\"kvm\":{", out);
	for (i = 0; i < kvm->count; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", kvm->name[i], kvm->value[i]);
	fputc('}', out);
	json_dropped(out);
	json_reports(out, board);
	fputs("}\n", out);
}

static void text_report(struct vmm_report_visitor *visitor, const char *name,
			const struct vmm_report *report)
{
	FILE *out = ((struct report_writer *)visitor)->out;
	unsigned int i;

	if (report->count)
		fprintf(out, "counters of %s\n", name);
	for (i = 0; i < report->count; i++)
		fprintf(out, "  %-32s %12llu\n", report->names[i], report->values[i]);
}

static void text_reports(FILE *out, struct vmm_board *board)
{
	struct report_writer writer = { .visitor.report = text_report, .out = out };
	struct vmm_report report;
	unsigned int i;

	for (i = 0; i < board->devices; i++) {
		struct vmm_device *dev = &board->dev[i];

		if (dev->created && dev->ops->parts) {
			dev->ops->parts(dev, &writer.visitor);
			continue;
		}
		vmm_device_report(dev, &report);
		text_report(&writer.visitor, device_name(board, i), &report);
	}
}

static void text_dropped(FILE *out)
{
	struct report_writer writer = { .out = out };
	struct vmm_report report = { .count = 0 };

	vmm_file_threads_count(count_dropped, &report);
	text_report(&writer.visitor, "output", &report);
}

static void write_text(const struct vmm_stats *stats, FILE *out, struct vmm_board *board,
		       const char *label, const struct vmm_exits *exits)
{
	const struct vmm_kvm_stats *kvm = &stats->kvm;
	unsigned int i;

	fprintf(out, "--- vmmctl statistics: %s\n", label);
	fprintf(out, "userspace exits %llu: signals %llu, system events %llu, other %llu, and\n",
		exits_total(exits), exits->signals, exits->system, exits->other);
	for (i = 0; i <= VMM_DEVICES; i++) {
		if (exits->reads[i] || exits->writes[i])
			fprintf(out, "  %-14s %10llu reads %10llu writes\n",
				device_name(board, i), exits->reads[i], exits->writes[i]);
	}
	fputs("KVM's counters that are not 0\n", out);
	for (i = 0; i < kvm->count; i++) {
		if (kvm->value[i])
			fprintf(out, "  %-32s %12llu\n", kvm->name[i], kvm->value[i]);
	}
	text_dropped(out);
	text_reports(out, board);
}

/* Takes a snapshot, but for the devices' counters: @stats has KVM's, @exits all else. */
static void collect_locked(struct vmm_stats *stats, struct vmm_vm *vm, struct vmm_exits *exits)
{
	unsigned int i;

	memset(exits, 0, sizeof(*exits));
	memset(&stats->kvm, 0, sizeof(stats->kvm));
	vmm_kvm_stats_add(&stats->kvm, vm->stats_fd);
	for (i = 0; i < vm->vcpus; i++) {
		exits_add(exits, &vm->vcpu[i]->exits);
		vmm_kvm_stats_add(&stats->kvm, vm->vcpu[i]->stats_fd);
	}
}

/* A snapshot, for people or as JSON; to be freed, NULL without memory. */
static char *stats_text(struct vmm_stats *stats, struct vmm_vm *vm, const char *label,
			bool for_people, size_t *size)
{
	struct vmm_exits exits;
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	pthread_mutex_lock(&stats->lock);
	collect_locked(stats, vm, &exits);
	if (for_people)
		write_text(stats, out, &vm->board, label, &exits);
	else
		write_json(stats, out, &vm->board, label, &exits);
	pthread_mutex_unlock(&stats->lock);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static void stats_write_locked(struct vmm_stats *stats, const char *text, size_t len)
{
	if (!stats->path)
		vmm_log_text(text, len);
	else if (stats->plain)
		vmm_file_thread_text(stats->file, text, len);
	else
		vmm_file_thread_lose(stats->file, stats_record(stats, text, len));
}

/**
 * vmm_stats_snapshot - write a snapshot
 * @stats: where to
 * @vm: has a board and vCPUs, which may run
 * @label: says which snapshot it is
 *
 * Context: any thread. From a vCPU's thread, between its exit and its next
 *	entry, the numbers of that vCPU are exact.
 */
void vmm_stats_snapshot(struct vmm_stats *stats, struct vmm_vm *vm, const char *label)
{
	size_t size = 0;
	char *text = stats_text(stats, vm, label, !stats->path, &size);

	if (!text)
		return;
	pthread_mutex_lock(&stats->lock);
	stats_write_locked(stats, text, size);
	stats->records++;
	pthread_mutex_unlock(&stats->lock);
	free(text);
}

/**
 * vmm_stats_json - take a snapshot as a line of JSON
 * @stats: whose lock it takes
 * @vm: has a board and vCPUs, which may run
 * @label: says which snapshot it is
 *
 * Context: any thread.
 * Return: the line, to be freed; NULL without memory
 */
char *vmm_stats_json(struct vmm_stats *stats, struct vmm_vm *vm, const char *label)
{
	size_t size;

	return stats_text(stats, vm, label, false, &size);
}
