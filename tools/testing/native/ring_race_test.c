// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks that neither end of a shared ring misses a wake, or sees bytes before they are
 * written. The module's own code and libranchu-pipe's run against each other in every
 * schedule that a weakly ordered machine allows: see race.h. Then the same runs with a
 * barrier or a second check left out at one end, and must fail.
 *
 * The ring has room for two bytes and more than that go through it, so that both
 * ends sleep.
 */
#include <asm/barrier.h>
#include <kunit/test.h>

#include "race.h"

/* What is left out, at one end. */
enum flaw {
	FLAW_NONE,
	FLAW_NO_MB,
	FLAW_NO_RELEASE,
	FLAW_NO_ACQUIRE,
	FLAW_NO_SECOND_LOOK,
};

struct config {
	bool module_produces;
	unsigned int messages;
	enum flaw flaw;
	bool flaw_in_module;
	bool fails;
	/* The library consumes two bytes at a time, or none. */
	bool pairs;
};

static struct config now;
static bool in_module;

static bool flawed(enum flaw flaw)
{
	return now.flaw == flaw && now.flaw_in_module == in_module;
}

static u32 load(const u32 *at)
{
	return race_load(at, sizeof(*at));
}

static u32 load_acquire(const u32 *at)
{
	u32 val = load(at);

	if (!flawed(FLAW_NO_ACQUIRE))
		race_barrier(SHIM_RMB);
	return val;
}

static void store(u32 *at, u32 val)
{
	race_store(at, val, sizeof(*at));
}

static void store_release(u32 *at, u32 val)
{
	if (!flawed(FLAW_NO_RELEASE))
		race_barrier(SHIM_WMB);
	store(at, val);
}

static void barrier(void)
{
	if (!flawed(FLAW_NO_MB))
		race_barrier(SHIM_MB);
}

/* The module's end; each access to shared memory calls a function of the test. */
#undef READ_ONCE
#undef WRITE_ONCE
#undef smp_load_acquire
#undef smp_store_release
#undef smp_mb
#define READ_ONCE(x) load(&(x))
#define WRITE_ONCE(x, val) store(&(x), val)
#define smp_load_acquire(p) load_acquire(p)		/* above */
#define smp_store_release(p, val) store_release(p, val)	/* the same */
#define smp_mb() barrier()				/* the same */
#include "../../../drivers/vhost/goldfish_pipe_ring.c"

/* And the library's. */
#define RANCHU_PIPE_LOAD(p) load_acquire(p)
#define RANCHU_PIPE_STORE(p, val) store_release(p, val)
#define RANCHU_PIPE_BARRIER() barrier()
#define RANCHU_PIPE_RINGS_ONLY
#include "../../../userspace/libranchu-pipe/ranchu_pipe.c"

/* Hooks of user memory, which is not used. */
bool shim_access_ok(const void *uaddr, size_t len)
{
	return false;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	return false;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	return false;
}

bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	return false;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	return false;
}

void shim_barrier(enum shim_barrier kind)
{
}

/* The shared memory, with the used fields of each end only. */
#define AT_MODULE 0
#define AT_LIBRARY 16
#define AT_BYTES 32
#define SIZE 2
/* Just below the wrap-around of positions. */
#define START 0xfffffffeu

static struct vhost_goldfish_pipe_ring_end *end_at(unsigned int at)
{
	return (void *)(race_memory + at);
}

static u8 message(u32 position)
{
	return 0x10 + (u8)(position - START);
}

/* ---- either end, as its user sees it ---- */

struct ends {
	struct pipe_ring module;
	struct ranchu_pipe_ring library;
};

static void begin(struct ends *ends, bool module)
{
	*ends = (struct ends){
		.module = {
			.ours = end_at(AT_MODULE), .theirs = end_at(AT_LIBRARY),
			.size = SIZE, .produces = now.module_produces, .position = START,
		},
		.library = {
			.ours = end_at(AT_LIBRARY), .theirs = end_at(AT_MODULE),
			.size = SIZE, .position = START,
		},
	};
	in_module = module;
}

static u32 look(struct ends *ends, bool module)
{
	u32 bytes;
	int err;

	in_module = module;
	if (!module)
		return ring_look(&ends->library, !now.module_produces);
	err = pipe_ring_look(&ends->module, &bytes);
	if (err)
		race_fail("the module takes an honest ring for broken");
	return bytes;
}

/* Sleeps, unless more than @seen bytes can be moved. */
static void fall_asleep(struct ends *ends, bool module, u32 seen)
{
	bool more;

	in_module = module;
	if (module)
		more = pipe_ring_wait(&ends->module);
	else
		more = ring_listen(&ends->library, !now.module_produces, seen);
	if (!more || flawed(FLAW_NO_SECOND_LOOK))
		race_wait();
}

static void move(struct ends *ends, bool module)
{
	bool wake;

	in_module = module;
	wake = module ? pipe_ring_move(&ends->module, 1) : ring_move(&ends->library, 1);
	if (wake)
		race_wake_other();
}

static void produce(bool module)
{
	struct ends ends;
	u32 k;

	begin(&ends, module);
	for (k = START; k != START + now.messages; k++) {
		while (!look(&ends, module))
			fall_asleep(&ends, module, 0);
		race_store(race_memory + AT_BYTES + k % SIZE, message(k), 1);
		move(&ends, module);
	}
}

static void consume(bool module)
{
	bool pairs = now.pairs && !module;
	struct ends ends;
	u32 there;
	u32 k;

	begin(&ends, module);
	for (k = START; k != START + now.messages; k++) {
		/* Of a pair, the second one is there when the first one is. */
		while ((there = look(&ends, module)) < (pairs && !(k & 1) ? 2 : 1))
			fall_asleep(&ends, module, there);
		if (race_load(race_memory + AT_BYTES + k % SIZE, 1) != message(k))
			race_fail("a byte is read that is not there");
		move(&ends, module);
	}
}

static void the_module(void)
{
	if (now.module_produces)
		produce(true);
	else
		consume(true);
}

static void the_library(void)
{
	if (now.module_produces)
		consume(false);
	else
		produce(false);
}

/* ---- the checks ---- */

static const char *place(unsigned int at)
{
	static const char *const fields[] = { "position", "wake_at", "closed", "" };
	static char name[40];

	if (at >= AT_BYTES)
		snprintf(name, sizeof(name), "byte %u", at - AT_BYTES);
	else
		snprintf(name, sizeof(name), "the %s's %s",
			 at < AT_LIBRARY ? "module" : "library", fields[at % 16 / 4]);
	return name;
}

static void check(struct kunit *test, const struct config *config)
{
	static const char *const flaws[] = {
		"", ", without mb", ", without release", ", without acquire", ", no second look",
	};
	const struct race race = {
		.threads = { [RACE_DEVICE] = the_module, [RACE_DRIVER] = the_library },
		.place = place,
	};
	const u32 start = START, behind = START - SIZE;
	struct race_result result;

	now = *config;
	memset(race_memory, 0, RACE_MEMORY);
	memcpy(race_memory + AT_MODULE, &start, sizeof(start));
	memcpy(race_memory + AT_LIBRARY, &start, sizeof(start));
	/* No wake is requested at the start, because a wake might hide a flaw. */
	memcpy(race_memory + AT_MODULE + 4, &behind, sizeof(behind));
	memcpy(race_memory + AT_LIBRARY + 4, &behind, sizeof(behind));
	result = race_check(&race);
	printf("# %s, %u bytes%s%s%s: %u states, %g schedules%s%s\n",
	       now.module_produces ? "to host" : "to guest", now.messages,
	       now.pairs ? " in pairs" : "", flaws[now.flaw],
	       now.flaw ? now.flaw_in_module ? " in the module" : " in the library" : "",
	       result.states, result.schedules,
	       result.failure ? ": " : "", result.failure ?: "");
	KUNIT_EXPECT_EQ(test, now.fails, !!result.failure);
}

static void good_case(struct kunit *test)
{
	unsigned int messages;

	for (messages = 1; messages <= (getenv("RING_RACE_LONG") ? 4 : 3); messages++) {
		check(test, &(struct config){ true, messages });
		check(test, &(struct config){ false, messages });
	}
	check(test, &(struct config){ .module_produces = true, .messages = 2, .pairs = true });
}

static void flaw_case(struct kunit *test)
{
	static const enum flaw flaws[] = { FLAW_NO_MB, FLAW_NO_SECOND_LOOK };
	unsigned int i, way, where;

	for (i = 0; i < ARRAY_SIZE(flaws); i++)
		for (way = 0; way < 2; way++)
			for (where = 0; where < 2; where++)
				check(test, &(struct config){ way, 3, flaws[i], where, true });
	for (i = 0; i < ARRAY_SIZE(flaws); i++)
		for (where = 0; where < 2; where++) {
			bool fails = !where || flaws[i] == FLAW_NO_MB;

			check(test, &(struct config){ true, 2, flaws[i], where, fails, true });
		}
	/* A producer publishes, a consumer looks. */
	for (way = 0; way < 2; way++) {
		check(test, &(struct config){ way, 3, FLAW_NO_RELEASE, way, true });
		check(test, &(struct config){ way, 3, FLAW_NO_ACQUIRE, !way, true });
	}
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(good_case),
	KUNIT_CASE(flaw_case),
	{}
};

static const struct kunit_suite suite = { .name = "ring_race", .test_cases = cases };

kunit_test_suite(suite);
