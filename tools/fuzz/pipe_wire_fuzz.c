// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pipe's command decoders, names and signal batches, against what must hold
 * of any answer. What the decoder says is followed, so that one input is a whole
 * conversation of a guest that lies.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/string.h>

#include "fuzz.h"
#include "goldfish_pipe_batch.h"
#include "goldfish_pipe_wire.h"

#define MAX_ID		8
#define PAGE		4096

/* A pipe, as far as its answers depend on it. */
static struct {
	struct pipe_signal signal;
	struct pipe_name name;
	bool open, hung_up, complete;
} pipes[MAX_ID];

static LIST_HEAD(signalled);

static bool is_status(s32 status)
{
	return status >= GOLDFISH_PIPE_ERROR_IO && status <= GOLDFISH_PIPE_ERROR_INVAL;
}

static void take_name(struct input *in, unsigned int id)
{
	struct pipe_name *name = &pipes[id].name;
	unsigned int room = sizeof(name->text) - name->len, added, i, before = name->len;
	struct pipe_target target;
	int taken;

	added = 1 + take(in, 1) % 160;
	added = min(added, room);
	if (!added || pipes[id].complete)
		return;
	for (i = 0; i < added; i++)
		name->text[name->len + i] = take(in, 1);
	taken = pipe_name_take(name, added);
	MUST(name->len <= sizeof(name->text));
	if (taken < 0) {
		MUST(taken == -EIO && name->len == sizeof(name->text));
		return;
	}
	MUST(taken > 0 && taken <= (int)added && name->len == before + taken);
	if (name->text[name->len - 1])
		return;
	pipes[id].complete = true;
	MUST(strlen(name->text) + 1 == name->len);
	if (pipe_name_parse(name, &target)) {
		MUST(strncmp(name->text, "pipe:", 5));
		return;
	}
	MUST(target.service == name->text + 5);
	MUST(target.service_len <= strlen(target.service));
	MUST(!target.args || (target.args > target.service &&
			      target.args <= name->text + name->len - 1 &&
			      target.args[-1] == ':' &&
			      target.args - 1 == target.service + target.service_len));
	MUST(!target.fallback_len || (!strncmp(target.service, "qemud:", 6) &&
				      target.fallback_len == 5 &&
				      target.fallback_args == target.service + 6));
}

static void absent(struct input *in, u32 id)
{
	struct pipe_header header = {
		.cmd = take(in, 1), .id = take(in, 1) & 1 ? id : take(in, 4),
	};
	u32 max_buffers = take(in, 2);
	s32 status = 99;

	if (pipe_decode_absent(id, MAX_ID, max_buffers, &header, &status) == PIPE_OPEN) {
		MUST(header.cmd == GOLDFISH_PIPE_CMD_OPEN && header.id == id && id < MAX_ID);
		/* All that is read of the page lies in it. */
		MUST(max_buffers && GOLDFISH_PIPE_READ_INDEX_OFFSET(max_buffers) + 4 <= PAGE);
		memset(&pipes[id].name, 0, sizeof(pipes[id].name));
		pipes[id].open = true;
		pipes[id].complete = false;
	} else {
		MUST(is_status(status) || (!status && header.cmd == GOLDFISH_PIPE_CMD_CLOSE));
	}
}

static void dma(struct input *in)
{
	u64 gpa = take(in, 8), size = take(in, 8);

	if (!pipe_dma_sane(gpa, size, PAGE))
		return;
	MUST(size && size <= GOLDFISH_PIPE_DMA_MAX_SIZE && !(size % PAGE) && !(gpa % PAGE));
	MUST(gpa <= ~0ull - (size - 1));
}

static void call(struct input *in)
{
	static const long results[] = {
		0, 1, 4096, 2 << 20, -EAGAIN, -EIO, -ENOMEM, -EINVAL, -EFAULT,
	};
	long sent = results[take(in, 1) % 9], received = results[take(in, 1) % 9];
	u32 consumed = 99;
	s32 status;

	status = pipe_call_status(sent, received, &consumed);
	MUST(consumed == (sent > 0 ? sent : 0) + (received > 0 ? received : 0));
	MUST(status == 0 || is_status(status));
	MUST(!consumed || !status);
}

static void live(struct input *in, u32 id)
{
	u32 cmd = take(in, 1) % 16;
	s32 status = 99;

	switch (pipe_decode_live(pipes[id].hung_up, cmd, &status)) {
	case PIPE_CLOSE:
		MUST(cmd == GOLDFISH_PIPE_CMD_CLOSE);
		pipe_batch_drop(&pipes[id].signal);
		pipes[id].open = false;
		pipes[id].hung_up = false;
		break;
	case PIPE_WAKE_ON:
		pipes[id].signal.armed |= pipe_wake_flag(cmd);
		break;
	case PIPE_WRITE:
		take_name(in, id);
		break;
	case PIPE_CALL:
		call(in);
		break;
	case PIPE_DMA_MAP:
		dma(in);
		break;
	case PIPE_STATUS:
		MUST(pipes[id].hung_up && status == GOLDFISH_PIPE_ERROR_IO);
		return;
	default:
		break;
	}
	MUST(!pipes[id].hung_up);
}

static void v1(struct input *in)
{
	union {
		struct goldfish_pipe_v1_params narrow;
		struct goldfish_pipe_v1_params64 wide;
		u64 words[5];
	} block;
	struct pipe_v1_request request;
	u32 cmd = take(in, 1) % 16, i;
	bool hung_up = take(in, 1) & 1, run;
	enum pipe_action action;
	s32 status = 99;

	action = pipe_v1_decode_live(hung_up, cmd, &status);
	MUST(action != PIPE_OPEN && action <= PIPE_WAKE_ON && action != PIPE_CALL);
	MUST((action == PIPE_STATUS) == (status != 99));
	MUST(!hung_up || action == PIPE_STATUS || action == PIPE_CLOSE);
	for (i = 0; i < 5; i++)
		block.words[i] = take(in, 8);
	if (pipe_v1_decode_absent(block.words[0], cmd, &status) == PIPE_OPEN)
		MUST(cmd == GOLDFISH_PIPE_CMD_OPEN && (u32)block.words[0]);
	else
		MUST(status == GOLDFISH_PIPE_ERROR_INVAL);
	if (pipe_v1_params_wide(&block.narrow)) {
		run = pipe_v1_params64_decode(&block.wide, &request);
		MUST(request.address > ~0u);
	} else {
		run = pipe_v1_params_decode(&block.narrow, &request);
		MUST(request.address <= ~0u && request.channel <= ~0u);
	}
	MUST(run == (request.cmd == GOLDFISH_PIPE_CMD_READ ||
		     request.cmd == GOLDFISH_PIPE_CMD_WRITE));
}

static void host(struct input *in)
{
	u32 id = take(in, 1) % MAX_ID;
	struct pipe_signal *signal = &pipes[id].signal;
	u32 armed = signal->armed, wake = take(in, 1) & 7, fired;

	if (!pipes[id].open)
		return;
	if (wake == GOLDFISH_PIPE_WAKE_CLOSED) {
		pipes[id].hung_up = true;
		pipe_batch_add(&signalled, signal, wake);
		return;
	}
	fired = pipe_batch_fire(&signalled, signal, wake);
	MUST(fired == (wake & armed) && signal->armed == (armed & ~fired));
	MUST(!fired || !list_empty(&signal->node));
}

static void guest_fetches(struct input *in)
{
	struct goldfish_pipe_signal batch[MAX_ID];
	unsigned int max = take(in, 1) % (MAX_ID + 1), n, i, seen = 0;

	n = pipe_batch_pop(&signalled, batch, max);
	MUST(n <= max);
	MUST(n == max || list_empty(&signalled));
	for (i = 0; i < n; i++) {
		MUST(le32_to_cpu(batch[i].id) < MAX_ID && batch[i].flags);
		MUST(!(seen & 1u << le32_to_cpu(batch[i].id)));
		seen |= 1u << le32_to_cpu(batch[i].id);
		MUST(pipes[le32_to_cpu(batch[i].id)].open);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 id;

	memset(pipes, 0, sizeof(pipes));
	INIT_LIST_HEAD(&signalled);
	for (id = 0; id < MAX_ID; id++)
		pipe_signal_init(&pipes[id].signal, id);
	while (in.left) {
		u8 what = take(&in, 1);

		id = what >> 4;
		if (what % 4 == 0)
			host(&in);
		else if (what % 16 == 1)
			guest_fetches(&in);
		else if (what % 16 == 9)
			v1(&in);
		else if (id < MAX_ID && pipes[id].open)
			live(&in, id);
		else
			absent(&in, id);
	}
	return 0;
}
