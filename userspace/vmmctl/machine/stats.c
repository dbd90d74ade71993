// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of what was counted: exits per device, KVM's statistics summed over
 * the VM and its vCPUs, the pipe's own. A snapshot is a block of text on stderr
 * or a line of JSON in a file:
 *
 *	{"label":"...","userspace_exits":N,"signals":N,"system":N,"other":N,
 *	 "devices":{"<row>":{"reads":N,"writes":N},...,"none":{...}},
 *	 "kvm":{"<name>":N,...},"pipe":{"<name>":N,...}}
 *
 * (on one line). userspace_exits is every return of KVM_RUN.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"

/**
 * struct vmm_stats - where snapshots go
 * @lock: a snapshot is written whole; protects all
 * @out: file
 * @path: file's name if the records are JSON, NULL if they are text on stderr
 * @records: written so far
 * @kvm: scratch, too large for a stack
 */
struct vmm_stats {
	pthread_mutex_t lock;
	FILE *out;
	const char *path;
	u64 records;
	struct vmm_kvm_stats kvm;
};

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
	stats->out = stats->path ? fopen(stats->path, "we") : stderr;
	if (!stats->out) {
		vmm_error(errno, "cannot create %s", stats->path);
		free(stats);
		return NULL;
	}
	pthread_mutex_init(&stats->lock, NULL);
	return stats;
}

/* A guest that never started leaves no empty file; a device is left alone. */
static void stats_discard(struct vmm_stats *stats)
{
	struct stat st;

	if (!stats->records && !fstat(fileno(stats->out), &st) && S_ISREG(st.st_mode))
		unlink(stats->path);
}

/**
 * vmm_stats_close - finish
 * @stats: may be NULL
 */
void vmm_stats_close(struct vmm_stats *stats)
{
	if (!stats)
		return;
	if (stats->path) {
		stats_discard(stats);
		fclose(stats->out);
	}
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

	for (i = 0; i <= VMM_ROWS; i++) {
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

	for (i = 0; i <= VMM_ROWS; i++)
		total += exits->reads[i] + exits->writes[i];
	return total;
}

static const char *row_name(unsigned int row)
{
	return row < VMM_ROWS ? vmm_board[row].name : "none";
}

/* Rows that KVM serves never exit; leaving them out keeps a record short. */
static bool row_shown(unsigned int row)
{
	return row == VMM_ROWS || vmm_board[row].ops;
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

static void json_devices(FILE *out, const struct vmm_exits *exits)
{
	const char *comma = "";
	unsigned int i;

	fputs(",\"devices\":{", out);
	for (i = 0; i <= VMM_ROWS; i++) {
		if (!row_shown(i))
			continue;
		fprintf(out, "%s\"%s\":{\"reads\":%llu,\"writes\":%llu}", comma, row_name(i),
			exits->reads[i], exits->writes[i]);
		comma = ",";
	}
	fputc('}', out);
}

static void write_json(struct vmm_stats *stats, const char *label, const struct vmm_exits *exits,
		       const struct vmm_pipe_report *pipe)
{
	const struct vmm_kvm_stats *kvm = &stats->kvm;
	FILE *out = stats->out;
	unsigned int i;

	fputs("{\"label\":", out);
	json_string(out, label);
	fprintf(out, ",\"userspace_exits\":%llu,\"signals\":%llu,\"system\":%llu,\"other\":%llu",
		exits_total(exits), exits->signals, exits->system, exits->other);
	json_devices(out, exits);
	fputs(",\"kvm\":{", out);
	for (i = 0; i < kvm->count; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", kvm->name[i], kvm->value[i]);
	fputs("},\"pipe\":{", out);
	for (i = 0; i < pipe->count; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", pipe->names[i], pipe->values[i]);
	fputs("}}\n", out);
}

static void write_text(struct vmm_stats *stats, const char *label, const struct vmm_exits *exits,
		       const struct vmm_pipe_report *pipe)
{
	const struct vmm_kvm_stats *kvm = &stats->kvm;
	FILE *out = stats->out;
	unsigned int i;

	fprintf(out, "--- vmmctl statistics: %s\n", label);
	fprintf(out, "userspace exits %llu: signals %llu, system events %llu, other %llu, and\n",
		exits_total(exits), exits->signals, exits->system, exits->other);
	for (i = 0; i <= VMM_ROWS; i++) {
		if (exits->reads[i] || exits->writes[i])
			fprintf(out, "  %-14s %10llu reads %10llu writes\n", row_name(i),
				exits->reads[i], exits->writes[i]);
	}
	fputs("KVM's counters that are not 0\n", out);
	for (i = 0; i < kvm->count; i++) {
		if (kvm->value[i])
			fprintf(out, "  %-32s %12llu\n", kvm->name[i], kvm->value[i]);
	}
	if (pipe->count)
		fputs("the pipe's counters\n", out);
	for (i = 0; i < pipe->count; i++)
		fprintf(out, "  %-32s %12llu\n", pipe->names[i], pipe->values[i]);
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
	struct vmm_exits exits = { 0 };
	struct vmm_pipe_report pipe;
	unsigned int i;

	pthread_mutex_lock(&stats->lock);
	memset(&stats->kvm, 0, sizeof(stats->kvm));
	vmm_kvm_stats_add(&stats->kvm, vm->stats_fd);
	for (i = 0; i < vm->vcpus; i++) {
		exits_add(&exits, &vm->vcpu[i]->exits);
		vmm_kvm_stats_add(&stats->kvm, vm->vcpu[i]->stats_fd);
	}
	vmm_pipe_report(vm, &pipe);
	if (stats->path)
		write_json(stats, label, &exits, &pipe);
	else
		write_text(stats, label, &exits, &pipe);
	fflush(stats->out);
	stats->records++;
	pthread_mutex_unlock(&stats->lock);
}
