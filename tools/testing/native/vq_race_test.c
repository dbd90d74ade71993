// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks that the virtqueue engine does not miss a kick, and its driver does not miss a
 * call. The engine and a driver written from the specification run against each other
 * in every schedule that a weakly ordered machine allows: see race.h. Then the same runs
 * with a barrier or a second check left out, and must fail.
 *
 * The driver adds buffers and kicks; the device answers each and calls;
 * both go to sleep when there is nothing to do.
 */
#include <kunit/test.h>
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>
#include <linux/uaccess.h>

#include "race.h"

#define MEMORY_GPA 0x10000
#define PACKED_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED BIT(VRING_PACKED_DESC_F_USED)

/* What is left out. */
enum flaw {
	FLAW_NONE,
	FLAW_NO_MB,
	FLAW_NO_WMB,
	FLAW_NO_RMB,
	FLAW_NO_SECOND_LOOK,
};

/* Directions that are tested. */
enum way {
	WAY_KICK,	/* the driver adds and kicks, and ignores answers */
	WAY_CALL,	/* all was added before; the device answers and calls */
	WAY_BOTH,	/* the ring is smaller than the number of buffers */
};

struct config {
	const char *name;
	u64 features;
	u16 num;
	u16 buffers;
	enum way way;
	bool batch;	/* the device publishes only when it runs out of work */
	enum flaw flaw;
	bool fails;
};

/* The shared memory: the largest ring's parts, then the buffers. */
#define AT_DESC 0
#define AT_DRIVER 64
#define AT_DEVICE 80
#define AT_QUESTION 128
#define AT_ANSWER 144

/* A field of the shared memory, of a type, at an offset. */
#define GET(type, at) ((type)race_load(race_memory + (at), sizeof(type)))
#define PUT(type, at, val) race_store(race_memory + (at), (type)(val), sizeof(type))

static struct config now;
static struct ranchu_mem mem;
static struct ranchu_vq at_start;
static bool in_engine;

/* Before the threads run, memory is just memory. */
static void get(void *val, const void *at, size_t len)
{
	u64 word;

	if (!race_running()) {
		memcpy(val, at, len);
		return;
	}
	word = race_load(at, len);
	memcpy(val, &word, len);
}

static void set(void *at, const void *val, size_t len)
{
	u64 word = 0;

	if (!race_running()) {
		memcpy(at, val, len);
		return;
	}
	memcpy(&word, val, len);
	race_store(at, word, len);
}

bool shim_access_ok(const void *uaddr, size_t len)
{
	return true;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	get(val, uaddr, len);
	return true;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	set(uaddr, val, len);
	return true;
}

/* The memory table is set, and nothing else copied. */
bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	return false;
}

void shim_barrier(enum shim_barrier kind)
{
	static const enum flaw without[] = {
		[SHIM_MB] = FLAW_NO_MB, [SHIM_RMB] = FLAW_NO_RMB, [SHIM_WMB] = FLAW_NO_WMB,
	};

	if (race_running() && !(in_engine && now.flaw == without[kind]))
		race_barrier(kind);
}

static bool is_packed(void)
{
	return now.features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

static bool has_event(void)
{
	return now.features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
}

/* Buffer @k has one readable part of four bytes and one writable. */
static u32 question(unsigned int k)
{
	return 0x1000 + k;
}

static u32 answer(unsigned int k)
{
	return 0x2000 + k;
}

/* ---- the device ---- */

/* The chain must be as the driver made it, complete, and in its order. */
static void answer_chain(struct ranchu_vq *vq, struct ranchu_chain *chain, unsigned int k)
{
	const u8 *out = chain->iov[0].iov_base;
	u8 *in = race_memory + AT_ANSWER + 4 * k;

	if (chain->n_out != 1 || chain->n_in || chain->iov[0].iov_len != 4 ||
	    out != race_memory + AT_QUESTION + 4 * k)
		race_fail("the device takes another chain than the driver made");
	if (race_load(out, 4) != question(k))
		race_fail("the device reads a buffer before it is filled");
	race_store(in, answer(k), 4);
	in_engine = true;
	ranchu_vq_push(vq, chain, 0);
	in_engine = false;
}

static void tell(struct ranchu_vq *vq)
{
	bool call;

	in_engine = true;
	ranchu_vq_publish(vq);
	call = ranchu_vq_must_call(vq);
	in_engine = false;
	if (call && now.way != WAY_KICK)
		race_wake_other();
}

static int take(struct ranchu_vq *vq, struct ranchu_chain *chain)
{
	int ret;

	in_engine = true;
	ret = ranchu_vq_next(vq, chain);
	in_engine = false;
	if (ret < 0)
		race_fail("the device takes an honest queue for broken");
	return ret;
}

static bool listen(struct ranchu_vq *vq)
{
	bool more;

	in_engine = true;
	more = ranchu_vq_enable_kicks(vq);
	in_engine = false;
	return more && now.flaw != FLAW_NO_SECOND_LOOK;
}

/* Takes and answers all there is. Returns how many were answered by then. */
static unsigned int work(struct ranchu_vq *vq, unsigned int k)
{
	struct ranchu_chain chain;
	struct iovec iov[2];

	in_engine = true;
	ranchu_vq_disable_kicks(vq);
	in_engine = false;
	chain.iov = iov;
	chain.max = ARRAY_SIZE(iov);
	while (take(vq, &chain)) {
		answer_chain(vq, &chain, k++);
		if (!now.batch)
			tell(vq);
	}
	if (now.batch)
		tell(vq);
	return k;
}

static void device(void)
{
	struct ranchu_vq vq = at_start;
	unsigned int k = 0;

	/* An earlier run may have ended anywhere. */
	in_engine = false;
	for (;;) {
		k = work(&vq, k);
		if (k == now.buffers)
			return;
		if (!listen(&vq))
			race_wait();
	}
}

/* ---- the driver ---- */

/* Its state. Source: virtio 2.7.13 and 2.8.21 */
struct driver {
	u16 avail, used;		/* split: index; packed: slot */
	bool avail_wrap, used_wrap;
	unsigned int added, answered;
};

static bool need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

static void add_split(struct driver *driver)
{
	unsigned int slot = driver->avail % now.num;

	PUT(u64, AT_DESC + 16 * slot, MEMORY_GPA + AT_QUESTION + 4 * driver->added);
	PUT(u32, AT_DESC + 16 * slot + 8, 4);
	PUT(u16, AT_DRIVER + 4 + 2 * slot, slot);
	race_barrier(SHIM_WMB);
	PUT(u16, AT_DRIVER + 2, ++driver->avail);
}

static void add_packed(struct driver *driver)
{
	unsigned int at = AT_DESC + 16 * driver->avail;

	PUT(u64, at, MEMORY_GPA + AT_QUESTION + 4 * driver->added);
	/* Length and id in one: whoever sees either has seen the flags before. */
	race_store(race_memory + at + 8, 4 | (u64)driver->added << 32, 6);
	race_barrier(SHIM_WMB);
	PUT(u16, at + 14, driver->avail_wrap ? PACKED_AVAIL : PACKED_USED);
	if (++driver->avail == now.num) {
		driver->avail = 0;
		driver->avail_wrap = !driver->avail_wrap;
	}
}

static bool must_kick_split(const struct driver *driver)
{
	if (has_event())
		return need_event(GET(u16, AT_DEVICE + 4 + 8 * now.num), driver->avail,
				  driver->avail - 1);
	return !(GET(u16, AT_DEVICE) & VRING_USED_F_NO_NOTIFY);
}

static bool must_kick_packed(const struct driver *driver)
{
	u32 wish = GET(u32, AT_DEVICE);
	u16 event = wish & 0x7fff;

	switch (wish >> 16) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return true;
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	}
	if (!!(wish & 0x8000) != driver->avail_wrap)
		event -= now.num;
	return need_event(event, driver->avail, driver->avail - 1);
}

static void add_buffer(struct driver *driver)
{
	PUT(u32, AT_QUESTION + 4 * driver->added, question(driver->added));
	if (is_packed())
		add_packed(driver);
	else
		add_split(driver);
	driver->added++;
	/* Make available, then check whether the device requests kicks. */
	race_barrier(SHIM_MB);
	if (is_packed() ? must_kick_packed(driver) : must_kick_split(driver))
		race_wake_other();
}

static bool take_split(struct driver *driver, u16 *id)
{
	unsigned int at = AT_DEVICE + 4 + 8 * (driver->used % now.num);

	if (GET(u16, AT_DEVICE + 2) == driver->used)
		return false;
	race_barrier(SHIM_RMB);
	*id = GET(u32, at);
	if (*id != driver->used % now.num)
		race_fail("the driver sees a used index before its element");
	driver->used++;
	return true;
}

static bool take_packed(struct driver *driver, u16 *id)
{
	unsigned int at = AT_DESC + 16 * driver->used;
	u16 flags = GET(u16, at + 14);

	if (!!(flags & PACKED_AVAIL) != driver->used_wrap ||
	    !!(flags & PACKED_USED) != driver->used_wrap)
		return false;
	race_barrier(SHIM_RMB);
	*id = GET(u16, at + 12);
	if (*id != driver->answered)
		race_fail("the driver sees a used descriptor's flags before its id");
	if (++driver->used == now.num) {
		driver->used = 0;
		driver->used_wrap = !driver->used_wrap;
	}
	return true;
}

/* Looks for answers. Returns whether there was one. */
static bool take_answer(struct driver *driver)
{
	u16 id;

	/* Without outstanding buffers, the flags are of the previous lap. */
	if (driver->answered == driver->added)
		return false;
	if (!(is_packed() ? take_packed(driver, &id) : take_split(driver, &id)))
		return false;
	if (GET(u32, AT_ANSWER + 4 * driver->answered) != answer(driver->answered))
		race_fail("the driver reads an answer before it is there");
	driver->answered++;
	return true;
}

static void want_calls(const struct driver *driver, bool want)
{
	if (!is_packed() && !has_event())
		PUT(u16, AT_DRIVER, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
	else if (!is_packed() && want)
		PUT(u16, AT_DRIVER + 4 + 2 * now.num, driver->used);
	else if (is_packed() && !want)
		PUT(u32, AT_DRIVER, VRING_PACKED_EVENT_FLAG_DISABLE << 16);
	else if (is_packed() && has_event())
		PUT(u32, AT_DRIVER, VRING_PACKED_EVENT_FLAG_DESC << 16 |
		    driver->used_wrap << 15 | driver->used);
	else if (is_packed())
		PUT(u32, AT_DRIVER, VRING_PACKED_EVENT_FLAG_ENABLE << 16);
}

/* Enables calls, checks once more, and sleeps if there is nothing. */
static void sleep_until_called(struct driver *driver)
{
	want_calls(driver, true);
	race_barrier(SHIM_MB);
	if (!take_answer(driver))
		race_wait();
	want_calls(driver, false);
}

static void driver(void)
{
	struct driver driver = { .avail_wrap = true, .used_wrap = true };

	if (now.way == WAY_CALL) {
		driver.added = now.buffers;
		driver.avail = now.buffers;
	}
	for (;;) {
		while (driver.added < now.buffers &&
		       driver.added - driver.answered < now.num)
			add_buffer(&driver);
		if (now.way == WAY_KICK)
			return;
		while (take_answer(&driver))
			;
		if (driver.answered == now.buffers)
			return;
		/* There may be room by now. */
		if (driver.added < now.buffers && driver.added - driver.answered < now.num)
			continue;
		sleep_until_called(&driver);
		if (driver.answered == now.buffers)
			return;
	}
}

/* ---- the checks ---- */

static const char *place(unsigned int at)
{
	static char name[40];
	static const struct {
		unsigned int at;
		const char *name;
	} parts[] = {
		{ AT_ANSWER, "answers" }, { AT_QUESTION, "questions" },
		{ AT_DEVICE, "device area" }, { AT_DRIVER, "driver area" },
		{ AT_DESC, "descriptors" },
	};
	unsigned int i = 0;

	while (at < parts[i].at)
		i++;
	snprintf(name, sizeof(name), "%s + %u", parts[i].name, at - parts[i].at);
	return name;
}

/* What the driver has added before the device starts. */
static void add_before(void)
{
	unsigned int k;

	for (k = 0; k < now.buffers; k++) {
		u32 q = question(k);
		u64 gpa = MEMORY_GPA + AT_QUESTION + 4 * k;
		struct vring_desc split = { gpa, 4, 0, 0 };
		struct vring_packed_desc packed = { gpa, 4, k, PACKED_AVAIL };
		u16 head = k;

		memcpy(race_memory + AT_QUESTION + 4 * k, &q, sizeof(q));
		memcpy(race_memory + AT_DESC + 16 * k,
		       is_packed() ? (void *)&packed : (void *)&split, 16);
		if (!is_packed())
			memcpy(race_memory + AT_DRIVER + 4 + 2 * k, &head, sizeof(head));
	}
	if (!is_packed())
		race_memory[AT_DRIVER + 2] = now.buffers;
}

static void prepare(struct kunit *test)
{
	const struct ranchu_vq_setup setup = {
		.features = now.features,
		.num = now.num,
		.desc = (uintptr_t)race_memory + AT_DESC,
		.driver = (uintptr_t)race_memory + AT_DRIVER,
		.device = (uintptr_t)race_memory + AT_DEVICE,
	};
	struct {
		u32 nregions, padding;
		struct vhost_memory_region region;
	} table = {
		1, 0, { MEMORY_GPA, RACE_MEMORY, (uintptr_t)race_memory, 0 }
	};

	memset(race_memory, 0, RACE_MEMORY);
	if (now.way == WAY_CALL)
		add_before();
	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_init(&mem));
	KUNIT_ASSERT_EQ(test, 0, ranchu_mem_set(&mem, &table));
	KUNIT_ASSERT_EQ(test, 0, ranchu_vq_start(&at_start, &mem, &setup,
						 is_packed() ? 0x80008000 : 0));
	/* The first call after a start comes in any case and would hide a flaw. */
	at_start.uncalled = 0;
}

static void check(struct kunit *test, const struct config *config)
{
	static const char * const ways[] = { "kicks", "calls", "both" };
	static const char * const flaws[] = {
		"", ", without mb", ", without wmb", ", without rmb", ", no second look",
	};
	const struct race race = {
		.threads = { [RACE_DEVICE] = device, [RACE_DRIVER] = driver },
		.place = place,
	};
	struct race_result result;

	now = *config;
	prepare(test);
	result = race_check(&race);
	printf("# %s, %s%s%s%s: %u states, %g schedules%s%s\n", now.name, ways[now.way],
	       has_event() ? ", event index" : "", now.batch ? ", in batches" : "", flaws[now.flaw],
	       result.states, result.schedules,
	       result.failure ? ": " : "", result.failure ?: "");
	KUNIT_EXPECT_EQ(test, now.fails, !!result.failure);
	ranchu_mem_destroy(&mem);
}

#define SPLIT BIT_ULL(VIRTIO_F_VERSION_1)
#define PACKED (SPLIT | BIT_ULL(VIRTIO_F_RING_PACKED))
#define EVENT BIT_ULL(VIRTIO_RING_F_EVENT_IDX)

static void good_case(struct kunit *test, u64 features, const char *name)
{
	static const u64 events[] = { 0, EVENT };
	unsigned int event, batch;

	for (event = 0; event < ARRAY_SIZE(events); event++)
		for (batch = 0; batch < 2; batch++) {
			struct config config = {
				name, features | events[event], 4, 3, WAY_KICK, batch,
				FLAW_NONE, false
			};

			check(test, &config);
			config.way = WAY_CALL;
			check(test, &config);
			config.way = WAY_BOTH;
			config.num = 1;
			config.buffers = 2;
			check(test, &config);
			config.num = 2;
			config.buffers = 3;
			/* In a packed ring these are millions of states. */
			if (features == SPLIT || getenv("VQ_RACE_LONG"))
				check(test, &config);
		}
}

static void split_case(struct kunit *test)
{
	good_case(test, SPLIT, "split");
}

static void packed_case(struct kunit *test)
{
	good_case(test, PACKED, "packed");
}

static void flaw_case(struct kunit *test, u64 features, const char *name)
{
	static const struct {
		enum flaw flaw;
		enum way way;
	} rows[] = {
		{ FLAW_NO_MB, WAY_KICK }, { FLAW_NO_MB, WAY_CALL },
		{ FLAW_NO_SECOND_LOOK, WAY_KICK },
		{ FLAW_NO_WMB, WAY_CALL }, { FLAW_NO_RMB, WAY_KICK },
	};
	static const u64 events[] = { 0, EVENT };
	unsigned int i, event;

	for (event = 0; event < ARRAY_SIZE(events); event++)
		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct config config = {
				name, features | events[event], 4, 2, rows[i].way, false,
				rows[i].flaw, true
			};

			check(test, &config);
		}
}

static void split_flaw_case(struct kunit *test)
{
	flaw_case(test, SPLIT, "split");
}

static void packed_flaw_case(struct kunit *test)
{
	flaw_case(test, PACKED, "packed");
}

static const struct kunit_case cases[] = {
	KUNIT_CASE(split_case),
	KUNIT_CASE(packed_case),
	KUNIT_CASE(split_flaw_case),
	KUNIT_CASE(packed_flaw_case),
	{}
};

static const struct kunit_suite suite = { .name = "vq_race", .test_cases = cases };

kunit_test_suite(suite);
