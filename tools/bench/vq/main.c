// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a chain costs the device: our engine, split and packed, and the
 * kernel's vringh, each on a ring of its own, in turn and in short pieces, so
 * that what else runs on the machine hits all alike. A ratio is the median of
 * those of neighbouring pieces.
 *
 * First all shapes with the driver on the device's own CPU, a whole ring at a
 * time: what the code costs. Then the simplest shape with the driver on another
 * CPU, a few chains at a time, as guests have it: there the memory that both
 * share goes to and fro, and a packed ring has less of it.
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
#define PIECE_ELSEWHERE 1024

enum {
	SPLIT,
	PACKED,
	VRINGH,
#ifdef HAVE_LIBVHOST
	LIBVHOST,
#endif
	DEVICES,
};

static const struct bench_device *const devices[DEVICES] = {
	[SPLIT] = &bench_split,
	[PACKED] = &bench_packed,
	[VRINGH] = &bench_vringh,
#ifdef HAVE_LIBVHOST
	[LIBVHOST] = &bench_libvhost,
#endif
};

static const struct bench_shape shapes[] = {
	{ 1, false }, { 3, false }, { 16, false },
	{ 1, true }, { 3, true }, { 16, true },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* Chains at a time when the driver is elsewhere. */
static const unsigned int depths[] = { 1, 4, 16 };

#define DEPTHS (sizeof(depths) / sizeof(depths[0]))

static const char *const style_names[BENCH_STYLES] = { "batch", "each" };

/**
 * struct result - medians of what was measured of one kind of traffic
 * @ns: nanoseconds for a chain
 * @split: chains a second, our split over vringh
 * @libvhost: the same, over QEMU's libvhost-user; 0: it is not there
 * @packed: the same, our packed over our split
 */
struct result {
	double ns[DEVICES];
	double split;
	double libvhost;
	double packed;
};

static struct result here[SHAPES][BENCH_STYLES];
static struct result elsewhere[DEPTHS][BENCH_STYLES];

/* Nanoseconds for a chain, round by round. */
static double times[DEVICES][MAX_ROUNDS];

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

/* What is measured now. */
struct traffic {
	const struct bench_shape *shape;
	enum bench_style style;
	unsigned int depth;
	bool elsewhere;
};

static double run_piece(unsigned int device, const struct traffic *traffic)
{
	unsigned int piece = traffic->elsewhere ? PIECE_ELSEWHERE : PIECE;
	u64 total = 0, chains = 0, start;
	unsigned int n, calls;

	while (chains < piece) {
		n = driver_fill(&rings[device], traffic->shape, traffic->depth,
				traffic->elsewhere);
		start = now();
		calls = devices[device]->run(n, traffic->style);
		total += now() - start;
		driver_check(&rings[device], n, traffic->elsewhere);
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

static void measure(const struct traffic *traffic, struct result *result)
{
	unsigned int i, d;

	for (d = 0; d < DEVICES; d++) {
		ring_make(&rings[d], d == PACKED, traffic->shape);
		devices[d]->start(&rings[d]);
		run_piece(d, traffic);
	}
	/* Forwards and backwards in turn, so that none always follows another. */
	for (i = 0; i < rounds; i++)
		for (d = 0; d < DEVICES; d++) {
			unsigned int device = i % 2 ? DEVICES - 1 - d : d;

			times[device][i] = run_piece(device, traffic);
		}
	for (d = 0; d < DEVICES; d++)
		result->ns[d] = median(times[d]);
	result->split = gain(SPLIT, VRINGH);
	result->packed = gain(PACKED, SPLIT);
#ifdef HAVE_LIBVHOST
	result->libvhost = gain(SPLIT, LIBVHOST);
#endif
}

static void measure_here(void)
{
	struct traffic traffic = { .depth = BENCH_NUM };
	unsigned int i, style;

	for (i = 0; i < SHAPES; i++)
		for (style = 0; style < BENCH_STYLES; style++) {
			traffic.shape = &shapes[i];
			traffic.style = style;
			measure(&traffic, &here[i][style]);
		}
}

static void measure_elsewhere(void)
{
	struct traffic traffic = { .shape = &shapes[0], .elsewhere = true };
	unsigned int i, style;

	for (i = 0; i < DEPTHS; i++)
		for (style = 0; style < BENCH_STYLES; style++) {
			traffic.depth = depths[i];
			traffic.style = style;
			measure(&traffic, &elsewhere[i][style]);
		}
}

static void print_row(const struct result *result, enum bench_style style)
{
	printf("%-6s %8.1f %8.1f %8.1f %13.2f %13.2f", style_names[style],
	       result->ns[VRINGH], result->ns[SPLIT], result->ns[PACKED],
	       result->split, result->packed);
	if (result->libvhost)
		printf(" %15.2f", result->libvhost);
	putchar('\n');
}

static void print_head(const char *what, const char *column)
{
	printf("%s\n  %-24s %-6s %8s %8s %8s %13s %13s %15s\n", what, column,
	       "style", "vringh", "split", "packed", "split/vringh", "packed/split",
	       DEVICES > 3 ? "split/libvhost" : "");
}

static void print_tables(void)
{
	unsigned int i, style;

	printf("Nanoseconds for a chain, and how many times as many chains a second.\n");
	print_head("The driver on the same CPU, a whole ring at a time:", "chain");
	for (i = 0; i < SHAPES; i++)
		for (style = 0; style < BENCH_STYLES; style++) {
			printf("  %2u %-21s ", shapes[i].descs, shapes[i].indirect ?
			       "descriptors, indirect" : "descriptors");
			print_row(&here[i][style], style);
		}
	print_head("The driver on another CPU, chains of 1 descriptor:",
		   "chains at a time");
	for (i = 0; i < DEPTHS; i++)
		for (style = 0; style < BENCH_STYLES; style++) {
			printf("  %-24u ", depths[i]);
			print_row(&elsewhere[i][style], style);
		}
	if (DEVICES == 3)
		printf("Without QEMU's libvhost-user: its source is not there.\n");
}

static void write_row(FILE *file, const struct result *result,
		      const struct bench_shape *shape, unsigned int depth,
		      enum bench_style style)
{
	unsigned int d;

	for (d = 0; d < DEVICES; d++)
		fprintf(file, "%s,%u,%d,%u,%s,%.2f,%.0f\n", devices[d]->name,
			shape->descs, shape->indirect, depth, style_names[style],
			result->ns[d], 1e9 / result->ns[d]);
}

static void write_csv(const char *path)
{
	FILE *file = fopen(path, "w");
	unsigned int i, style;

	if (!file)
		bench_die("cannot write the CSV file");
	/* A depth of 0: the driver is on the same CPU. */
	fprintf(file, "device,descriptors,indirect,depth,style,ns,chains_per_s\n");
	for (style = 0; style < BENCH_STYLES; style++) {
		for (i = 0; i < SHAPES; i++)
			write_row(file, &here[i][style], &shapes[i], 0, style);
		for (i = 0; i < DEPTHS; i++)
			write_row(file, &elsewhere[i][style], &shapes[0],
				  depths[i], style);
	}
	fclose(file);
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* The worse of the styles, of the first @n shapes. */
static double worst_split(unsigned int n)
{
	double worst = here[0][0].split;
	unsigned int i, style;

	for (i = 0; i < n; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			worst = least(worst, here[i][style].split);
	return worst;
}

/* The worst of all depths and styles. */
static double worst_packed(void)
{
	double worst = elsewhere[0][0].packed;
	unsigned int i, style;

	for (i = 0; i < DEPTHS; i++)
		for (style = 0; style < BENCH_STYLES; style++)
			worst = least(worst, elsewhere[i][style].packed);
	return worst;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("cannot stay on one CPU");
}

/* The device on the last CPU that we may use, the driver on the first. */
static void choose_cpus(void)
{
	int first, last;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 2)
		bench_die("this takes two CPUs");
	for (first = 0; !CPU_ISSET(first, &set); first++)
		;
	for (last = CPU_SETSIZE - 1; !CPU_ISSET(last, &set); last--)
		;
	driver_start(first);
	bench_pin(last);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc > 2)
		rounds = atoi(argv[2]);
	if (rounds < 1 || rounds > MAX_ROUNDS)
		bench_die("1 to 1001 rounds");
	choose_cpus();
	for (i = 0; i < DEVICES; i++)
		ring_make(&rings[i], i == PACKED, &shapes[0]);
	bench_set_memory();
	measure_here();
	measure_elsewhere();
	print_tables();
	if (argc > 1)
		write_csv(argv[1]);
	printf("FIGURE vq.split_vs_vringh_1=%.3f\n", worst_split(1));
	printf("FIGURE vq.split_vs_vringh_min=%.3f\n", worst_split(SHAPES));
	printf("FIGURE vq.packed_vs_split_1=%.3f\n", worst_packed());
	return 0;
}
