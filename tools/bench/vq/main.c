// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a chain costs the device: our engine, split and packed, and the
 * kernel's vringh, each on a ring of its own, in turn and in short pieces, so
 * that what else runs on the machine hits all alike. A ratio is the median of
 * those of neighbouring pieces.
 *
 *	vq_bench [CSV-FILE [ROUNDS]]	ends with FIGURE lines
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vq_bench.h"

#define MAX_ROUNDS 1001
/* Chains in a piece: a quarter of a millisecond or so. */
#define PIECE 8192

enum { SPLIT, PACKED, VRINGH, DEVICES };

static const struct bench_device *const devices[DEVICES] = {
	[SPLIT] = &bench_split,
	[PACKED] = &bench_packed,
	[VRINGH] = &bench_vringh,
};

static const struct bench_shape shapes[] = {
	{ 1, false }, { 3, false }, { 16, false },
	{ 1, true }, { 3, true }, { 16, true },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static const char *const style_names[BENCH_STYLES] = { "batch", "each" };

/* Nanoseconds for a chain, round by round; then the medians. */
static double times[DEVICES][MAX_ROUNDS];
static double ns[SHAPES][BENCH_STYLES][DEVICES];
static double split_gain[SHAPES][BENCH_STYLES], packed_gain[SHAPES][BENCH_STYLES];

static struct bench_ring rings[DEVICES];
static unsigned int rounds = 101;

void bench_die(const char *what)
{
	fprintf(stderr, "vq_bench: %s\n", what);
	exit(1);
}

static u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static double run_piece(unsigned int device, const struct bench_shape *shape,
			enum bench_style style)
{
	u64 total = 0, chains = 0, start;
	unsigned int n, calls;

	while (chains < PIECE) {
		n = ring_fill(&rings[device], shape);
		start = now();
		calls = devices[device]->run(n, style);
		total += now() - start;
		ring_check(&rings[device], n);
		/* The first fill after a start may be called for unasked. */
		if (!calls)
			bench_die("no call, though one was asked for");
		chains += n;
	}
	return (double)total / chains;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(const double *values)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, rounds * sizeof(sorted[0]));
	qsort(sorted, rounds, sizeof(sorted[0]), compare);
	return sorted[rounds / 2];
}

/* How many chains of @a go into the time of one of @b. */
static double gain(unsigned int a, unsigned int b)
{
	double ratios[MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < rounds; i++)
		ratios[i] = times[b][i] / times[a][i];
	return median(ratios);
}

static void measure(unsigned int shape, enum bench_style style)
{
	unsigned int i, d;

	for (d = 0; d < DEVICES; d++) {
		ring_make(&rings[d], d == PACKED, &shapes[shape]);
		devices[d]->start(&rings[d]);
		run_piece(d, &shapes[shape], style);
	}
	/* Forwards and backwards in turn, so that none always follows another. */
	for (i = 0; i < rounds; i++)
		for (d = 0; d < DEVICES; d++) {
			unsigned int device = i % 2 ? DEVICES - 1 - d : d;

			times[device][i] = run_piece(device, &shapes[shape], style);
		}
	for (d = 0; d < DEVICES; d++)
		ns[shape][style][d] = median(times[d]);
	split_gain[shape][style] = gain(SPLIT, VRINGH);
	packed_gain[shape][style] = gain(PACKED, SPLIT);
}

static void print_table(void)
{
	unsigned int i, style;

	printf("Nanoseconds for a chain, and how many times as many chains a second:\n");
	printf("  %-24s %-6s %8s %8s %8s %13s %13s\n", "chain", "style", "vringh",
	       "split", "packed", "split/vringh", "packed/split");
	for (i = 0; i < SHAPES; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			printf("  %2u %-21s %-6s %8.1f %8.1f %8.1f %13.2f %13.2f\n",
			       shapes[i].descs,
			       shapes[i].indirect ? "descriptors, indirect" :
						    "descriptors",
			       style_names[style], ns[i][style][VRINGH],
			       ns[i][style][SPLIT], ns[i][style][PACKED],
			       split_gain[i][style], packed_gain[i][style]);
	printf("Without QEMU's libvhost-user: tools/lab/fetch.sh does not get its source.\n");
}

static void write_csv(const char *path)
{
	FILE *file = fopen(path, "w");
	unsigned int i, style, d;

	if (!file)
		bench_die("cannot write the CSV file");
	fprintf(file, "device,descriptors,indirect,style,ns,chains_per_s\n");
	for (i = 0; i < SHAPES; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			for (d = 0; d < DEVICES; d++)
				fprintf(file, "%s,%u,%d,%s,%.2f,%.0f\n",
					devices[d]->name, shapes[i].descs,
					shapes[i].indirect, style_names[style],
					ns[i][style][d], 1e9 / ns[i][style][d]);
	fclose(file);
}

/* The worse of the styles, of the first @n shapes. */
static double worst(double gains[][BENCH_STYLES], unsigned int n)
{
	double least = gains[0][0];
	unsigned int i, style;

	for (i = 0; i < n; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			if (gains[i][style] < least)
				least = gains[i][style];
	return least;
}

/* One CPU, the last that we may use. */
static void pin(void)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, &set); cpu--)
		;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	unsigned int i, style;

	if (argc > 2)
		rounds = atoi(argv[2]);
	if (rounds < 1 || rounds > MAX_ROUNDS)
		bench_die("1 to 1001 rounds");
	pin();
	for (i = 0; i < DEVICES; i++)
		ring_make(&rings[i], i == PACKED, &shapes[0]);
	bench_set_memory();
	for (i = 0; i < SHAPES; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			measure(i, style);
	print_table();
	if (argc > 1)
		write_csv(argv[1]);
	printf("FIGURE vq.split_vs_vringh_1=%.3f\n", worst(split_gain, 1));
	printf("FIGURE vq.split_vs_vringh_min=%.3f\n", worst(split_gain, SHAPES));
	printf("FIGURE vq.packed_vs_split_1=%.3f\n", worst(packed_gain, 1));
	return 0;
}
