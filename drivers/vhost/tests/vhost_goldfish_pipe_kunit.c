// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pipe's pure logic: decoding, names, batches.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "../goldfish_pipe_batch.h"
#include "../goldfish_pipe_wire.h"

#define MAX_ID 4096

static void decode_absent_case(struct kunit *test)
{
	static const struct {
		u32 id, max_buffers, buffer_id, cmd;
		enum pipe_action action;
		s32 status;
	} rows[] = {
		{ 0, 336, 0, GOLDFISH_PIPE_CMD_OPEN, PIPE_OPEN },
		{ MAX_ID - 1, 1, MAX_ID - 1, GOLDFISH_PIPE_CMD_OPEN, PIPE_OPEN },
		{ 5, 339, 5, GOLDFISH_PIPE_CMD_OPEN, PIPE_OPEN },
		{ 5, 0, 5, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -1 },
		{ 5, 340, 5, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -1 },
		{ 5, U32_MAX, 5, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -1 },
		{ 5, 336, 6, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -1 },
		{ MAX_ID, 336, MAX_ID, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -3 },
		{ U32_MAX, 336, U32_MAX, GOLDFISH_PIPE_CMD_OPEN, PIPE_STATUS, -3 },
		{ U32_MAX, 336, U32_MAX, GOLDFISH_PIPE_CMD_CLOSE, PIPE_STATUS, 0 },
		{ 5, 336, 5, GOLDFISH_PIPE_CMD_CLOSE, PIPE_STATUS, 0 },
		{ 5, 336, 6, GOLDFISH_PIPE_CMD_CLOSE, PIPE_STATUS, -1 },
		{ 5, 336, 5, GOLDFISH_PIPE_CMD_POLL, PIPE_STATUS, -1 },
		{ 5, 336, 5, GOLDFISH_PIPE_CMD_READ, PIPE_STATUS, -1 },
		{ 5, 336, 5, 0, PIPE_STATUS, -1 },
		{ 5, 336, 5, U32_MAX, PIPE_STATUS, -1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pipe_header header = {
			.cmd = rows[i].cmd,
			.id = rows[i].buffer_id,
		};
		s32 status = 99;

		KUNIT_EXPECT_EQ_MSG(test, (int)rows[i].action,
				    (int)pipe_decode_absent(rows[i].id, MAX_ID,
							    rows[i].max_buffers,
							    &header, &status),
				    "row %u", i);
		if (rows[i].action == PIPE_STATUS)
			KUNIT_EXPECT_EQ_MSG(test, rows[i].status, status, "row %u", i);
	}
}

static void decode_live_case(struct kunit *test)
{
	static const enum pipe_action actions[] = {
		[0] = PIPE_NOTHING,
		[GOLDFISH_PIPE_CMD_OPEN] = PIPE_NOTHING,
		[GOLDFISH_PIPE_CMD_CLOSE] = PIPE_CLOSE,
		[GOLDFISH_PIPE_CMD_POLL] = PIPE_POLL,
		[GOLDFISH_PIPE_CMD_WRITE] = PIPE_WRITE,
		[GOLDFISH_PIPE_CMD_WAKE_ON_WRITE] = PIPE_WAKE_ON,
		[GOLDFISH_PIPE_CMD_READ] = PIPE_READ,
		[GOLDFISH_PIPE_CMD_WAKE_ON_READ] = PIPE_WAKE_ON,
		[GOLDFISH_PIPE_CMD_WAKE_ON_DONE_IO] = PIPE_NOTHING,
		[GOLDFISH_PIPE_CMD_DMA_MAPHOST] = PIPE_DMA_MAP,
		[GOLDFISH_PIPE_CMD_DMA_UNMAPHOST] = PIPE_DMA_UNMAP,
		[GOLDFISH_PIPE_CMD_CALL] = PIPE_CALL,
		[12] = PIPE_NOTHING,
	};
	s32 status;
	u32 cmd;

	for (cmd = 0; cmd < ARRAY_SIZE(actions); cmd++) {
		KUNIT_EXPECT_EQ_MSG(test, (int)actions[cmd],
				    (int)pipe_decode_live(false, cmd, &status),
				    "cmd %u", cmd);
		status = 99;
		/* Once the host has hung up, only CLOSE does anything. */
		if (cmd == GOLDFISH_PIPE_CMD_CLOSE) {
			KUNIT_EXPECT_EQ(test, (int)PIPE_CLOSE,
					(int)pipe_decode_live(true, cmd, &status));
		} else {
			KUNIT_EXPECT_EQ(test, (int)PIPE_STATUS,
					(int)pipe_decode_live(true, cmd, &status));
			KUNIT_EXPECT_EQ(test, -4, status);
		}
	}
	KUNIT_EXPECT_EQ(test, (int)PIPE_NOTHING,
			(int)pipe_decode_live(false, U32_MAX, &status));
	KUNIT_EXPECT_EQ(test, 2u, pipe_wake_flag(GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	KUNIT_EXPECT_EQ(test, 4u, pipe_wake_flag(GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
}

static void status_case(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, pipe_status(0));
	KUNIT_EXPECT_EQ(test, 4096, pipe_status(4096));
	KUNIT_EXPECT_EQ(test, -1, pipe_status(-EINVAL));
	KUNIT_EXPECT_EQ(test, -1, pipe_status(-EFAULT));
	KUNIT_EXPECT_EQ(test, -2, pipe_status(-EAGAIN));
	KUNIT_EXPECT_EQ(test, -3, pipe_status(-ENOMEM));
	KUNIT_EXPECT_EQ(test, -4, pipe_status(-EIO));
}

static void dma_case(struct kunit *test)
{
	const u64 most = GOLDFISH_PIPE_DMA_MAX_SIZE;
	static const struct {
		u64 gpa, size, page_size;
		bool sane;
	} rows[] = {
		{ 0x1000, 0x1000, 0x1000, true },
		{ 0, 0x1000, 0x1000, true },
		{ 0, GOLDFISH_PIPE_DMA_MAX_SIZE, 0x1000, true },
		{ -0x1000ull, 0x1000, 0x1000, true },
		{ 0x1000, 0, 0x1000, false },
		{ 0x1000, 0x800, 0x1000, false },
		{ 0x1000, 0x1001, 0x1000, false },
		{ 0x1001, 0x1000, 0x1000, false },
		{ 0x1000, 0x1000, 0x10000, false },
		{ 0x10000, 0x10000, 0x10000, true },
		{ -0x1000ull, 0x2000, 0x1000, false },
		{ 0x1000, -0x1000ull, 0x1000, false },
		{ 0x1000, 1ull << 63, 0x1000, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].sane,
				    pipe_dma_sane(rows[i].gpa, rows[i].size,
						  rows[i].page_size), "row %u", i);
	KUNIT_EXPECT_FALSE(test, pipe_dma_sane(0, most + 0x1000, 0x1000));
}

static void call_status_case(struct kunit *test)
{
	static const struct {
		long sent, received;
		s32 status;
		u32 consumed;
	} rows[] = {
		{ 5, 7, 0, 12 },
		{ 5, 0, 0, 5 },
		{ 0, 7, 0, 7 },
		{ 5, -EAGAIN, 0, 5 },
		{ -EAGAIN, 0, -2, 0 },
		{ -EIO, 0, -4, 0 },
		{ 0, -EAGAIN, -2, 0 },
		{ 0, -EIO, -4, 0 },
		{ -EINVAL, 0, -1, 0 },
		{ 0, 0, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 consumed = 99;

		KUNIT_EXPECT_EQ_MSG(test, rows[i].status,
				    pipe_call_status(rows[i].sent, rows[i].received,
						     &consumed), "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].consumed, consumed, "row %u", i);
	}
}

static void v1_decode_case(struct kunit *test)
{
	static const struct {
		bool hung_up;
		u32 cmd;
		enum pipe_action action;
		s32 status;
	} rows[] = {
		{ false, 0, PIPE_NOTHING },
		{ false, 1, PIPE_STATUS, -1 },
		{ false, 2, PIPE_CLOSE },
		{ false, 3, PIPE_POLL },
		{ false, 4, PIPE_WRITE },
		{ false, 5, PIPE_WAKE_ON },
		{ false, 6, PIPE_READ },
		{ false, 7, PIPE_WAKE_ON },
		{ false, 8, PIPE_NOTHING },
		{ false, 9, PIPE_NOTHING },
		{ false, 11, PIPE_NOTHING },
		{ false, U32_MAX, PIPE_NOTHING },
		{ true, 1, PIPE_STATUS, -4 },
		{ true, 2, PIPE_CLOSE },
		{ true, 6, PIPE_STATUS, -4 },
		{ true, 11, PIPE_STATUS, -4 },
	};
	unsigned int i;
	s32 status;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		status = 0;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].action,
				    pipe_v1_decode_live(rows[i].hung_up, rows[i].cmd,
							&status), "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].status, status, "row %u", i);
	}
	KUNIT_EXPECT_EQ(test, PIPE_OPEN, pipe_v1_decode_absent(1, 1, &status));
	for (i = 0; i < 12; i++) {
		status = 0;
		/* A channel that reads as none, or a command that is not OPEN. */
		KUNIT_EXPECT_EQ(test, PIPE_STATUS,
				pipe_v1_decode_absent(i == 1 ? 1ULL << 32 : 1, i,
						      &status));
		KUNIT_EXPECT_EQ(test, -1, status);
	}
}

static void v1_params_case(struct kunit *test)
{
	/* Words as a guest of either width writes them, and what is seen in them. */
	static const struct {
		u32 words[10];
		bool wide, run;
		struct pipe_v1_request request;
	} rows[] = {
		{ { 1, 2, 3, 4, 5, 0 }, false, true, { 1, 3, 2, 4 } },
		{ { 1, 2, 3, 6, 5, 0 }, false, true, { 1, 3, 2, 6 } },
		{ { 1, 2, 3, 2, 5, 0 }, false, false, { 1, 3, 2, 2 } },
		{ { 1, 2, 3, 0, 5, 6, 4 }, true, true,
		  { 0x200000001, 0x600000005, 3, 4 } },
		{ { 1, 2, 3, 0, 5, 6, 7 }, true, false,
		  { 0x200000001, 0x600000005, 3, 7 } },
		/* The same with a buffer below 4 GiB is taken for the other. */
		{ { 1, 2, 3, 0, 5, 0, 4 }, false, false, { 1, 3, 2, 0 } },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pipe_v1_request request;
		union {
			__le32 words[10];
			struct goldfish_pipe_v1_params narrow;
			struct goldfish_pipe_v1_params64 wide;
		} block;
		bool run;

		for (j = 0; j < ARRAY_SIZE(block.words); j++)
			block.words[j] = cpu_to_le32(rows[i].words[j]);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].wide,
				    pipe_v1_params_wide(&block.narrow), "row %u", i);
		if (rows[i].wide)
			run = pipe_v1_params64_decode(&block.wide, &request);
		else
			run = pipe_v1_params_decode(&block.narrow, &request);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].run, run, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].request.channel, request.channel,
				    "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].request.address, request.address,
				    "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].request.size, request.size, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].request.cmd, request.cmd, "row %u", i);
	}
}

static void version_case(struct kunit *test)
{
	static const struct {
		u32 driver, device;
	} rows[] = {
		{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 3, 2 }, { 4, 2 }, { 5, 1 },
		{ U32_MAX, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ(test, rows[i].device,
				pipe_device_version(rows[i].driver));
}

/* Writes @text, NUL included, in pieces of @piece bytes; true when complete. */
static bool feed(struct pipe_name *name, const char *text, unsigned int len,
		 unsigned int piece, int *last)
{
	unsigned int at = 0;

	while (at < len) {
		unsigned int n = min(piece, len - at);

		n = min_t(unsigned int, n, sizeof(name->text) - name->len);
		memcpy(name->text + name->len, text + at, n);
		*last = pipe_name_take(name, n);
		if (*last < 0)
			return false;
		if (!name->text[name->len - 1])
			return true;
		at += *last;
	}
	return false;
}

static void name_take_case(struct kunit *test)
{
	static const char text[] = "pipe:zero\0tail";
	struct pipe_name name;
	unsigned int piece;
	int last;

	for (piece = 1; piece <= sizeof(text); piece++) {
		memset(&name, 0xff, sizeof(name));
		name.len = 0;
		KUNIT_EXPECT_TRUE(test, feed(&name, text, sizeof(text), piece, &last));
		/* What stands behind the NUL is left for the service. */
		KUNIT_EXPECT_EQ(test, 10u, name.len);
		KUNIT_EXPECT_STREQ(test, "pipe:zero", name.text);
	}
}

static void name_length_case(struct kunit *test)
{
	char text[PIPE_NAME_SIZE + 1];
	struct pipe_name name;
	unsigned int piece;
	int last = 0;

	for (piece = 1; piece <= PIPE_NAME_SIZE; piece++) {
		memset(text, 'x', sizeof(text));
		text[PIPE_NAME_SIZE - 1] = '\0';
		name.len = 0;
		KUNIT_EXPECT_TRUE(test, feed(&name, text, PIPE_NAME_SIZE, piece, &last));
		KUNIT_EXPECT_EQ(test, (unsigned int)PIPE_NAME_SIZE, name.len);

		text[PIPE_NAME_SIZE - 1] = 'x';
		text[PIPE_NAME_SIZE] = '\0';
		name.len = 0;
		KUNIT_EXPECT_FALSE(test, feed(&name, text, sizeof(text), piece, &last));
		KUNIT_EXPECT_EQ(test, -EIO, last);
		KUNIT_EXPECT_EQ(test, (unsigned int)PIPE_NAME_SIZE, name.len);
	}
}

static void name_parse_case(struct kunit *test)
{
	static const struct {
		const char *text;
		int expect;
		size_t service_len;
		const char *args;
		size_t fallback_len;
		const char *fallback_args;
	} rows[] = {
		{ "", -EINVAL },
		{ "zero", -EINVAL },
		{ "pip:zero", -EINVAL },
		{ "pipezero", -EINVAL },
		{ "PIPE:zero", -EINVAL },
		{ "pipe:", 0, 0, NULL },
		{ "pipe:zero", 0, 4, NULL },
		{ "pipe:zero:", 0, 4, "" },
		{ "pipe:zero:a", 0, 4, "a" },
		{ "pipe:zero:a:b", 0, 4, "a:b" },
		{ "pipe::a", 0, 0, "a" },
		{ "pipe:qemud", 0, 5, NULL },
		{ "pipe:qemudx:y", 0, 6, "y" },
		{ "pipe:qemud:", 0, 6, NULL, 5, "" },
		{ "pipe:qemud:adb", 0, 9, NULL, 5, "adb" },
		{ "pipe:qemud:adb:5555", 0, 9, "5555", 5, "adb:5555" },
		{ "pipe:qemud:adb:", 0, 9, "", 5, "adb:" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pipe_target target = {};
		struct pipe_name name = {};

		name.len = strlen(rows[i].text) + 1;
		memcpy(name.text, rows[i].text, name.len);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].expect,
				    pipe_name_parse(&name, &target), "%s",
				    rows[i].text);
		if (rows[i].expect)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].service_len, target.service_len,
				    "%s", rows[i].text);
		KUNIT_EXPECT_PTR_EQ(test, (const char *)name.text + 5, target.service);
		KUNIT_EXPECT_EQ(test, rows[i].fallback_len, target.fallback_len);
		if (rows[i].args) {
			KUNIT_ASSERT_NOT_NULL(test, target.args);
			KUNIT_EXPECT_STREQ(test, rows[i].args, target.args);
		} else {
			KUNIT_EXPECT_NULL(test, target.args);
		}
		if (rows[i].fallback_len)
			KUNIT_EXPECT_STREQ(test, rows[i].fallback_args,
					   target.fallback_args);
	}
}

static void throttle_case(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0ULL, (unsigned long long)pipe_throttle_ns(0));
	/* 244.14 ns a byte, rounded up: never faster than the rate. */
	KUNIT_EXPECT_EQ(test, 245ULL, (unsigned long long)pipe_throttle_ns(1));
	KUNIT_EXPECT_EQ(test, 1000000ULL, (unsigned long long)pipe_throttle_ns(4096));
	KUNIT_EXPECT_EQ(test, 1000000000ULL, (unsigned long long)pipe_throttle_ns(4096000));
}

static void batch_fire_case(struct kunit *test)
{
	struct pipe_signal a, b;
	struct goldfish_pipe_signal out[4];
	LIST_HEAD(signalled);

	pipe_signal_init(&a, 7);
	pipe_signal_init(&b, 9);
	/* Nobody waits: nothing is told. */
	KUNIT_EXPECT_EQ(test, 0u, pipe_batch_fire(&signalled, &a, 6));
	KUNIT_EXPECT_EQ(test, 0u, pipe_batch_pop(&signalled, out, 4));

	a.armed = GOLDFISH_PIPE_WAKE_READ | GOLDFISH_PIPE_WAKE_WRITE;
	b.armed = GOLDFISH_PIPE_WAKE_WRITE;
	KUNIT_EXPECT_EQ(test, 2u, pipe_batch_fire(&signalled, &a, 2));
	KUNIT_EXPECT_EQ(test, 4u, a.armed);
	KUNIT_EXPECT_EQ(test, 4u, pipe_batch_fire(&signalled, &b, 6));
	/* Told once for each request. */
	KUNIT_EXPECT_EQ(test, 0u, pipe_batch_fire(&signalled, &a, 2));
	/* A pipe that is listed gathers flags and keeps its place. */
	KUNIT_EXPECT_EQ(test, 4u, pipe_batch_fire(&signalled, &a, 4));
	KUNIT_EXPECT_FALSE(test, pipe_batch_add(&signalled, &a,
						GOLDFISH_PIPE_WAKE_CLOSED));

	KUNIT_ASSERT_EQ(test, 2u, pipe_batch_pop(&signalled, out, 4));
	KUNIT_EXPECT_EQ(test, 7u, le32_to_cpu(out[0].id));
	KUNIT_EXPECT_EQ(test, 7u, le32_to_cpu(out[0].flags));
	KUNIT_EXPECT_EQ(test, 9u, le32_to_cpu(out[1].id));
	KUNIT_EXPECT_EQ(test, 4u, le32_to_cpu(out[1].flags));
	KUNIT_EXPECT_TRUE(test, list_empty(&signalled));
	KUNIT_EXPECT_TRUE(test, pipe_batch_add(&signalled, &a,
					       GOLDFISH_PIPE_WAKE_CLOSED));
}

static void batch_pop_case(struct kunit *test)
{
	static const unsigned int counts[] = { 0, 1, 63, 64, 65, 128, 129 };
	struct goldfish_pipe_signal out[64];
	struct pipe_signal *signals;
	unsigned int c, i, n, next;

	signals = kunit_kcalloc(test, 129, sizeof(*signals), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, signals);
	for (c = 0; c < ARRAY_SIZE(counts); c++) {
		LIST_HEAD(signalled);

		for (i = 0; i < counts[c]; i++) {
			pipe_signal_init(&signals[i], i);
			pipe_batch_add(&signalled, &signals[i], 1 + i % 7);
		}
		next = 0;
		while ((n = pipe_batch_pop(&signalled, out, ARRAY_SIZE(out)))) {
			KUNIT_EXPECT_EQ(test, min_t(unsigned int, counts[c] - next,
						    ARRAY_SIZE(out)), n);
			for (i = 0; i < n; i++, next++) {
				KUNIT_EXPECT_EQ(test, next, le32_to_cpu(out[i].id));
				KUNIT_EXPECT_EQ(test, 1 + next % 7,
						le32_to_cpu(out[i].flags));
			}
		}
		KUNIT_EXPECT_EQ(test, counts[c], next);
	}
}

static void batch_drop_case(struct kunit *test)
{
	struct goldfish_pipe_signal out[4];
	struct pipe_signal a, b;
	LIST_HEAD(signalled);

	pipe_signal_init(&a, 1);
	pipe_signal_init(&b, 2);
	pipe_batch_add(&signalled, &a, GOLDFISH_PIPE_WAKE_READ);
	pipe_batch_add(&signalled, &b, GOLDFISH_PIPE_WAKE_READ);
	a.armed = GOLDFISH_PIPE_WAKE_WRITE;
	pipe_batch_drop(&a);
	KUNIT_EXPECT_EQ(test, 0u, a.armed);
	/* Dropping what is not listed is fine. */
	pipe_batch_drop(&a);
	KUNIT_ASSERT_EQ(test, 1u, pipe_batch_pop(&signalled, out, 4));
	KUNIT_EXPECT_EQ(test, 2u, le32_to_cpu(out[0].id));
}

static struct kunit_case vhost_goldfish_pipe_cases[] = {
	KUNIT_CASE(decode_absent_case),
	KUNIT_CASE(decode_live_case),
	KUNIT_CASE(status_case),
	KUNIT_CASE(dma_case),
	KUNIT_CASE(call_status_case),
	KUNIT_CASE(v1_decode_case),
	KUNIT_CASE(v1_params_case),
	KUNIT_CASE(version_case),
	KUNIT_CASE(name_take_case),
	KUNIT_CASE(name_length_case),
	KUNIT_CASE(name_parse_case),
	KUNIT_CASE(throttle_case),
	KUNIT_CASE(batch_fire_case),
	KUNIT_CASE(batch_pop_case),
	KUNIT_CASE(batch_drop_case),
	{}
};

static struct kunit_suite vhost_goldfish_pipe_suite = {
	.name = "vhost_goldfish_pipe",
	.test_cases = vhost_goldfish_pipe_cases,
};

kunit_test_suite(vhost_goldfish_pipe_suite);
