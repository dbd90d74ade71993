// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential test of the virtqueue engine: cases and options.
 *
 *	vq_diff [--seed N] [--chains N] [--case N] [--session N]
 *
 * Each case is sessions of its own seeds until it has seen --chains chains (a
 * quarter of them in order, and as many malformed rings). A failure names the
 * session; --case and --session run that one alone.
 */
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vq_diff.h"

struct test_case {
	const char *name;
	const struct traffic_kind *kind;	/* NULL: malformed */
	unsigned int part;			/* of the chains: one in so many */
};

static const struct traffic_kind split = {};
static const struct traffic_kind packed = { .packed = true };
static const struct traffic_kind split_inorder = { .in_order = true };
static const struct traffic_kind packed_inorder = {
	.packed = true,
	.in_order = true,
};

static const struct test_case cases[] = {
	{ "split: virtio_ring, vringh and ours", &split, 1 },
	{ "packed: virtio_ring and ours", &packed, 1 },
	{ "split, in order: our driver, vringh and ours", &split_inorder, 4 },
	{ "packed, in order: our driver and ours", &packed_inorder, 4 },
	{ "split, malformed: vringh and ours", NULL, 4 },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static u64 seed = 1, chains = 2000000, only_session;
static bool one_session;
static unsigned int only_case;

static const struct test_case *now;
static u64 session;
static sigjmp_buf failed;

void vq_fail(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!now)
		exit(2);
	if (now->kind)
		traffic_context();
	printf("# again: --seed %llu --case %u --session %llu\n",
	       (unsigned long long)seed, (unsigned int)(now - cases) + 1,
	       (unsigned long long)session);
	siglongjmp(failed, 1);
}

static void crashed(int sig)
{
	vq_fail("signal %d", sig);
}

/* Sessions are independent: each can be run alone. */
static u64 run_session(void)
{
	struct vq_rng rng = { seed };

	rng.state = vq_random(&rng) + (now - cases);
	rng.state = vq_random(&rng) + session;
	vq_random(&rng);
	return now->kind ? traffic_run(now->kind, &rng) : malformed_run(&rng);
}

static void run_sessions(void)
{
	u64 seen = 0;

	if (one_session) {
		session = only_session;
		seen = run_session();
	}
	for (session = 0; !one_session && seen < chains / now->part; session++)
		seen += run_session();
	printf("# %llu %s in %llu sessions\n", (unsigned long long)seen,
	       now->kind ? "chains" : "rings", (unsigned long long)session);
	if (!now->kind)
		malformed_report();
}

static bool run_case(void)
{
	if (sigsetjmp(failed, 1))
		return false;
	run_sessions();
	return true;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "chains", required_argument, NULL, 'c' },
		{ "case", required_argument, NULL, 'k' },
		{ "session", required_argument, NULL, 'n' },
		{}
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		u64 value = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (option == 's')
			seed = value;
		else if (option == 'c')
			chains = value;
		else if (option == 'k' && value && value <= CASES)
			only_case = value;
		else if (option == 'n')
			one_session = true, only_session = value;
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE };
	unsigned int i, n = 0, bad = 0;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < 4; i++)
		signal(signals[i], crashed);
	arena_init();
	ranchu_dev_init();
	printf("KTAP version 1\n# seed %llu\n1..%u\n", (unsigned long long)seed,
	       only_case ? 1 : (unsigned int)CASES);
	for (i = 0; i < CASES; i++) {
		bool ok;

		if (only_case && only_case != i + 1)
			continue;
		now = &cases[i];
		ok = run_case();
		bad += !ok;
		printf("%sok %u %s\n", ok ? "" : "not ", ++n, now->name);
	}
	ranchu_dev_exit();
	return bad ? 1 : 0;
}
