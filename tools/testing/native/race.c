// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model checker for two threads: see race.h.
 */
#include <setjmp.h>
#include <stdio.h>

#include "race.h"

#define MAX_LOADS 250
#define MAX_STORES 24
#define MAX_DEPTH 2000

enum op {
	OP_LOAD,
	OP_DRAIN,	/* an mb with stores in the buffer */
	OP_WAKE,
	OP_WAIT,
	OP_END,
	OP_FAIL,
};

/* A store, in a buffer or made visible. */
struct store {
	u64 val;
	u8 at;
	u8 len;
	u8 epoch;	/* in a buffer: wmbs before it */
};

/* A thread between two operations that are visible to the other. */
struct thread {
	u64 loads[MAX_LOADS];
	struct store buffer[MAX_STORES];
	u8 view[RACE_MEMORY];	/* oldest state that a load may see, by location ... */
	u8 since;		/* ... and for all locations */
	u8 n_buffer;
	u8 epoch;
	bool woken;
	u16 n_loads;
	u16 steps;
	enum op next;
	u8 at, len;		/* of the next load */
};

/* The whole state: memory that both threads see at least, and later stores. */
struct state {
	u8 memory[RACE_MEMORY];
	struct store log[MAX_STORES * RACE_THREADS];
	u8 n_log;
	struct thread threads[RACE_THREADS];
};

struct seen {
	u64 key[2];
	double schedules;
};

struct step {
	u8 thread;
	enum op op;
	struct store what;
};

u8 race_memory[RACE_MEMORY];

static const struct race *checked;
static struct race_result result;
static struct seen *seen;
static unsigned int seen_size;
static struct step trace[MAX_DEPTH];
static jmp_buf give_up;

/* Locations that each thread has stored to, in any schedule; whether one is new. */
static bool stored[RACE_THREADS][RACE_MEMORY];
static bool learned;

/* The thread that runs. */
static struct state *world;
static struct thread *me;
static u16 steps, loads;
static jmp_buf out;

bool race_running(void)
{
	return me;
}

static void stop(enum op next)
{
	me->next = next;
	longjmp(out, 1);
}

/* Counts an operation, and returns whether it was not done in an earlier run. */
static bool fresh(void)
{
	return steps++ >= me->steps;
}

static u64 value_at(const struct state *state, const struct thread *thread, unsigned int t);

/* A location that the other thread never stores to can be loaded at once. */
u64 race_load(const void *at, unsigned int len)
{
	unsigned int i;

	if (!fresh())
		return me->loads[loads++];
	me->at = (const u8 *)at - race_memory;
	me->len = len;
	for (i = 0; i < len; i++)
		if (stored[me == world->threads][me->at + i])
			stop(OP_LOAD);
	if (me->n_loads == MAX_LOADS)
		abort();
	me->steps++;
	loads++;
	return me->loads[me->n_loads++] = value_at(world, me, world->n_log);
}

/* A store goes to the buffer, which is invisible to the other thread. */
void race_store(void *at, u64 val, unsigned int len)
{
	unsigned int i;

	if (!fresh())
		return;
	if (me->n_buffer == MAX_STORES)
		abort();
	me->buffer[me->n_buffer++] = (struct store){
		val, (u8 *)at - race_memory, len, me->epoch
	};
	me->steps++;
	for (i = 0; i < len; i++) {
		bool *known = &stored[me != world->threads][(u8 *)at - race_memory + i];

		learned |= !*known;
		*known = true;
	}
}

/*
 * A barrier that has nothing to wait for takes effect at once: a later effect would
 * only allow fewer schedules.
 */
void race_barrier(enum shim_barrier kind)
{
	if (!fresh())
		return;
	if (kind == SHIM_MB && me->n_buffer)
		stop(OP_DRAIN);
	if (kind == SHIM_WMB)
		me->epoch++;
	else
		me->since = world->n_log;
	me->steps++;
}

void race_wake_other(void)
{
	if (fresh())
		stop(OP_WAKE);
}

void race_wait(void)
{
	if (fresh())
		stop(OP_WAIT);
}

void race_fail(const char *why)
{
	result.failure = why;
	stop(OP_FAIL);
}

/* Runs a thread up to its next visible operation. */
static void run(struct state *state, unsigned int i)
{
	world = state;
	me = &state->threads[i];
	steps = 0;
	loads = 0;
	if (!setjmp(out)) {
		checked->threads[i]();
		me->next = OP_END;
	}
	me = NULL;
}

static void put(u8 *memory, const struct store *store)
{
	memcpy(memory + store->at, &store->val, store->len);
}

static bool overlap(const struct store *a, const struct store *b)
{
	return a->at < b->at + b->len && b->at < a->at + a->len;
}

/* Returns the result of the thread's next load at time @t. */
static u64 value_at(const struct state *state, const struct thread *thread, unsigned int t)
{
	u8 memory[RACE_MEMORY];
	u64 val = 0;
	unsigned int i;

	memcpy(memory + thread->at, state->memory + thread->at, thread->len);
	for (i = 0; i < t; i++)
		put(memory, &state->log[i]);
	for (i = 0; i < thread->n_buffer; i++)
		put(memory, &thread->buffer[i]);
	memcpy(&val, memory + thread->at, thread->len);
	return val;
}

static unsigned int oldest(const struct thread *thread)
{
	unsigned int t = thread->since, i;

	for (i = 0; i < thread->len; i++)
		t = max_t(unsigned int, t, thread->view[thread->at + i]);
	return t;
}

/* Drops old states that no thread can see any more. */
static void fold(struct state *state)
{
	unsigned int n = state->n_log, i, k;

	for (i = 0; i < RACE_THREADS; i++)
		if (state->threads[i].next != OP_END)
			n = min_t(unsigned int, n, state->threads[i].since);
	for (i = 0; i < n; i++)
		put(state->memory, &state->log[i]);
	state->n_log -= n;
	memmove(state->log, state->log + n, state->n_log * sizeof(state->log[0]));
	for (i = 0; i < RACE_THREADS; i++) {
		struct thread *thread = &state->threads[i];

		thread->since -= min_t(unsigned int, n, thread->since);
		for (k = 0; n && k < RACE_MEMORY; k++)
			thread->view[k] -= min_t(unsigned int, n, thread->view[k]);
	}
}

static u64 mix(u64 hash, u64 val, u64 factor)
{
	hash = (hash ^ val) * factor;
	return hash ^ hash >> 29;
}

static void add(u64 key[2], u64 val)
{
	key[0] = mix(key[0], val, 0x9e3779b97f4a7c15);
	key[1] = mix(key[1], val, 0xd6e8feb86659fd93);
}

static void add_store(u64 key[2], const struct store *store, u8 epoch)
{
	add(key, store->val);
	add(key, store->at | store->len << 8 | (store->epoch - epoch) << 16);
}

static void add_thread(u64 key[2], const struct thread *thread)
{
	u64 times = 0;
	unsigned int i;

	add(key, thread->steps | thread->n_loads << 16 | (u64)thread->n_buffer << 32 |
	    (u64)thread->since << 40 | (u64)thread->woken << 48);
	for (i = 0; i < thread->n_loads; i++)
		add(key, thread->loads[i]);
	/* A barrier before the first store has no effect. */
	for (i = 0; i < thread->n_buffer; i++)
		add_store(key, &thread->buffer[i], thread->buffer[0].epoch);
	if (thread->n_buffer)
		add(key, thread->epoch - thread->buffer[0].epoch);
	for (i = 0; i < RACE_MEMORY; i++) {
		times = times << 8 | max_t(u8, thread->view[i], thread->since);
		if (i % 8 == 7)
			add(key, times);
	}
}

static void make_key(const struct state *state, u64 key[2])
{
	unsigned int i;
	u64 word;

	key[0] = 1;
	key[1] = 2;
	for (i = 0; i < RACE_MEMORY; i += sizeof(word)) {
		memcpy(&word, state->memory + i, sizeof(word));
		add(key, word);
	}
	add(key, state->n_log);
	for (i = 0; i < state->n_log; i++)
		add_store(key, &state->log[i], 0);
	for (i = 0; i < RACE_THREADS; i++)
		add_thread(key, &state->threads[i]);
}

static struct seen *find(struct seen *table, unsigned int size, const u64 key[2])
{
	unsigned int i = key[0] & (size - 1);

	while (table[i].key[0] && (table[i].key[0] != key[0] || table[i].key[1] != key[1]))
		i = (i + 1) & (size - 1);
	return &table[i];
}

/* Enlarges the table, so that it is at most half full. */
static void grow(void)
{
	unsigned int size = seen_size * 2, i;
	struct seen *table = calloc(size, sizeof(*table));

	for (i = 0; i < seen_size; i++)
		if (seen[i].key[0])
			*find(table, size, seen[i].key) = seen[i];
	free(seen);
	seen = table;
	seen_size = size;
}

static void print_step(const struct step *step)
{
	static const char * const who[] = { "device", "driver" };
	static const char * const what[] = {
		"loads", "has all its stores visible", "wakes the other", "has been woken",
	};

	printf("#   %s %s", who[step->thread], what[step->op]);
	if (step->op == OP_LOAD)
		printf(" %s = %#llx", checked->place(step->what.at),
		       (unsigned long long)step->what.val);
	printf("\n");
}

static void fail(const char *why, unsigned int depth)
{
	unsigned int i;

	result.failure = why;
	printf("# %s, in this schedule:\n", why);
	for (i = 0; i < depth; i++)
		print_step(&trace[i]);
	longjmp(give_up, 1);
}

static double explore(const struct state *state, unsigned int depth);

/* Continues thread @i from a state that the function may change. */
static double go_on(struct state *state, unsigned int i, struct step step, unsigned int depth)
{
	if (depth == MAX_DEPTH)
		abort();
	trace[depth] = step;
	run(state, i);
	if (state->threads[i].next == OP_FAIL)
		fail(result.failure, depth + 1);
	fold(state);
	return explore(state, depth + 1);
}

/* Makes store @k visible, after those that must precede it. */
static void show(struct state *state, unsigned int i, unsigned int k)
{
	struct thread *thread = &state->threads[i];
	struct store store = thread->buffer[k];
	unsigned int first;

	for (first = 0; first < k; first++)
		if (thread->buffer[first].epoch < store.epoch ||
		    overlap(&thread->buffer[first], &store)) {
			show(state, i, first);
			show(state, i, k - 1);
			return;
		}
	if (state->n_log == ARRAY_SIZE(state->log))
		abort();
	/* Stores of both threads to one location would need both orders; no ring has that. */
	for (first = 0; first < state->threads[!i].n_buffer; first++)
		if (overlap(&state->threads[!i].buffer[first], &store))
			abort();
	thread->n_buffer--;
	memmove(thread->buffer + k, thread->buffer + k + 1,
		(thread->n_buffer - k) * sizeof(store));
	state->log[state->n_log++] = store;
	memset(thread->view + store.at, state->n_log, store.len);
}

static void show_all(struct state *state, unsigned int i)
{
	while (state->threads[i].n_buffer)
		show(state, i, 0);
}

static double load(struct state *state, unsigned int i, unsigned int t, u64 val,
		   unsigned int depth)
{
	struct thread *thread = &state->threads[i];
	struct step step = { i, OP_LOAD, { val, thread->at, thread->len, 0 } };

	if (thread->n_loads == MAX_LOADS)
		abort();
	thread->loads[thread->n_loads++] = val;
	thread->steps++;
	memset(thread->view + thread->at, t, thread->len);
	return go_on(state, i, step, depth);
}

/* Adds @val to the @n values in @vals. Returns whether it is new. */
static bool is_new(u64 *vals, unsigned int *n, u64 val)
{
	unsigned int k;

	for (k = 0; k < *n; k++)
		if (vals[k] == val)
			return false;
	vals[(*n)++] = val;
	return true;
}

/* Makes the other thread's next store to the location that thread @i loads visible. */
static bool show_next(struct state *state, unsigned int i)
{
	const struct thread *thread = &state->threads[i], *other = &state->threads[!i];
	const struct store wanted = { 0, thread->at, thread->len, 0 };
	unsigned int k;

	for (k = 0; k < other->n_buffer; k++)
		if (overlap(&other->buffer[k], &wanted)) {
			show(state, !i, k);
			return true;
		}
	return false;
}

/*
 * Tries each value that the thread's next load may return: values that are or were
 * visible, and stores in the other thread's buffer. The time at which a store becomes
 * visible matters only here, so it is chosen only here. Older values are tried first:
 * after an older value, everything is possible that is possible after a newer one.
 */
static double try_load(const struct state *state, unsigned int i, unsigned int depth)
{
	u64 vals[MAX_STORES * RACE_THREADS + 1];
	struct state shown = *state, next;
	unsigned int n = 0, t;
	double schedules = 0;

	for (t = oldest(&state->threads[i]); t <= state->n_log; t++) {
		u64 val = value_at(state, &state->threads[i], t);

		if (is_new(vals, &n, val)) {
			next = *state;
			schedules += load(&next, i, t, val, depth);
		}
	}
	while (show_next(&shown, i)) {
		u64 val = value_at(&shown, &shown.threads[i], shown.n_log);

		if (is_new(vals, &n, val)) {
			next = shown;
			schedules += load(&next, i, next.n_log, val, depth);
		}
	}
	return schedules;
}

/* Handles waits for an empty buffer, or for the other thread. */
static double try_wait(const struct state *state, unsigned int i, unsigned int depth)
{
	struct state next = *state;
	struct thread *thread = &next.threads[i];

	if (thread->next == OP_WAKE || thread->next == OP_DRAIN)
		show_all(&next, i);
	if (thread->next == OP_WAKE)
		next.threads[!i].woken = true;
	else
		thread->since = next.n_log;
	if (thread->next == OP_WAIT)
		thread->woken = false;
	thread->steps++;
	return go_on(&next, i, (struct step){ i, state->threads[i].next, {} }, depth);
}

static double try_thread(const struct state *state, unsigned int i, unsigned int depth)
{
	const struct thread *thread = &state->threads[i];

	if (thread->next == OP_LOAD)
		return try_load(state, i, depth);
	if (thread->next == OP_WAKE || thread->next == OP_DRAIN ||
	    (thread->next == OP_WAIT && thread->woken))
		return try_wait(state, i, depth);
	return 0;
}

/* Returns the number of schedules from a state to the end. */
static double explore(const struct state *state, unsigned int depth)
{
	double schedules = 0;
	struct seen *slot;
	unsigned int i;
	u64 key[2];

	make_key(state, key);
	slot = find(seen, seen_size, key);
	if (slot->key[0])
		return slot->schedules;
	memcpy(slot->key, key, sizeof(key));
	if (++result.states * 2 > seen_size)
		grow();

	for (i = 0; i < RACE_THREADS; i++)
		schedules += try_thread(state, i, depth);
	if (schedules == 0) {
		for (i = 0; i < RACE_THREADS; i++)
			if (state->threads[i].next != OP_END)
				fail("nobody is woken any more", depth);
		schedules = 1;
	}
	find(seen, seen_size, key)->schedules = schedules;
	return schedules;
}

/* One run, with the locations of stores that are known so far. */
static void check_once(void)
{
	static struct state start;
	unsigned int i;

	result = (struct race_result){};
	seen_size = 1 << 16;
	seen = calloc(seen_size, sizeof(*seen));
	memset(&start, 0, sizeof(start));
	memcpy(start.memory, race_memory, RACE_MEMORY);
	if (!setjmp(give_up)) {
		for (i = 0; i < RACE_THREADS; i++)
			run(&start, i);
		result.schedules = explore(&start, 0);
	}
	free(seen);
}

/**
 * race_check() - run all schedules, up to the first failure
 * @race: what to check
 *
 * Return: the result.
 */
struct race_result race_check(const struct race *race)
{
	checked = race;
	memset(stored, 0, sizeof(stored));
	do {
		learned = false;
		check_once();
	} while (learned && !result.failure);
	return result;
}
