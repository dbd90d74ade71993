// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: saved states of devices. A guest uses its devices a little, all of them are
 * saved, the input changes what was saved, and a machine that was reset loads it.
 *
 * Checked: a device that refuses a state is as after a reset. A state that all devices accept
 * is the same when it is saved, loaded and saved again. In either case two vCPUs can go on to
 * use the devices, and a reset makes each one as at power-on.
 *
 * There are two machines, one with virtio devices behind MMIO transports and one with PCI
 * functions: the first byte of the input says which one is used.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "devices/devices.h"
#include "host/output.h"
#include "machine.h"
#include "virtio/pci_bank.h"
#include "virtio/virtio.h"

#define HEAD	40	/* bytes in front of the fields of a state */
#define FIELD	8	/* bytes in front of those of a field */
#define FIELDS	256	/* of a state, at most */
#define QUEUE_TAG	16	/* a virtio device's first queue */
#define QUEUE_SIZE	48	/* bytes of a queue, which end with its next index */
#define QUEUE_MOST	1024	/* entries of a queue, at most */
#define JACKS_TAG	32	/* a sound card's first field of its own */
#define JACKS_SIZE	4
#define LARGEST	4096	/* bytes that one edit adds, at most */

/**
 * struct tested - a machine, and what is known of it
 * @m: the machine
 * @fresh: state of each device at power-on
 * @before: state of each device when it was reset before the load
 * @state: state of each device that is loaded
 */
struct tested {
	struct machine m;
	struct vmm_state fresh[VMM_DEVICES];
	struct vmm_state before[VMM_DEVICES];
	struct vmm_state state[VMM_DEVICES];
};

static struct tested machines[2];

/* ---- fields ---- */

/* Where a field of a state is: its tag, its length, its bytes. */
static size_t field_find(const struct vmm_state *state, unsigned int number, u32 *len)
{
	size_t at[FIELDS];
	unsigned int fields = 0;
	size_t next = HEAD;

	while (fields < FIELDS && state->len - next >= FIELD) {
		memcpy(len, state->bytes + next + 4, 4);
		*len = le32toh(*len);
		if (*len > state->len - next - FIELD)
			break;
		at[fields++] = next;
		next += FIELD + *len;
	}
	if (!fields)
		return 0;
	next = at[number % fields];
	memcpy(len, state->bytes + next + 4, 4);
	*len = le32toh(*len);
	return next;
}

/* ---- states of all devices ---- */

static void states_free(struct vmm_state *states)
{
	unsigned int i;

	for (i = 0; i < VMM_DEVICES; i++)
		vmm_state_free(&states[i]);
}

static bool is_saved(const struct vmm_device *dev)
{
	return dev->ops->save;
}

/* Returns whether all were saved: a ring that the guest has broken cannot be. */
static bool states_save(struct tested *t, struct vmm_state *states)
{
	struct vmm_board *board = &t->m.vm.board;
	bool all = true;
	unsigned int i;
	int err;

	for (i = 0; i < board->devices; i++) {
		if (!is_saved(&board->dev[i]))
			continue;
		err = vmm_device_save(&board->dev[i], &states[i]);
		MUST(!err || err == -EIO);
		all = all && !err;
	}
	return all;
}

static bool states_equal(const struct vmm_state *a, const struct vmm_state *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->bytes, b->bytes, a->len));
}

static void state_must_be(const struct vmm_device *dev, const struct vmm_state *want,
			  const struct vmm_state *have)
{
	unsigned int number = 0;
	size_t at = 0, last;
	u32 tag, len;

	if (states_equal(want, have))
		return;
	fprintf(stderr, "%s: %zu bytes, should be %zu\n", dev->ops->name, have->len, want->len);
	do {
		last = at;
		at = field_find(have, number++, &len);
		if (at > last && want->len >= at + FIELD + len &&
		    memcmp(have->bytes + at, want->bytes + at, FIELD + len)) {
			memcpy(&tag, have->bytes + at, sizeof(tag));
			fprintf(stderr, "differs: tag %u, %u bytes at %zu\n", le32toh(tag), len,
				at);
		}
	} while (at > last);
	abort();
}

static void states_must_be(const struct tested *t, const struct vmm_state *want,
			   const struct vmm_state *have)
{
	unsigned int i;

	for (i = 0; i < t->m.vm.board.devices; i++)
		state_must_be(&t->m.vm.board.dev[i], &want[i], &have[i]);
}

/* ---- what a reset does not change ---- */

/**
 * struct kept - what a reset does not change: people have set it, or the guest stored it
 * @ops: model of the device
 * @field: number of the field
 * @from: first byte of it
 */
struct kept {
	const struct vmm_device_ops *ops;
	unsigned int field;
	u32 from;
};

static const struct kept keeps[] = {
	{ &vmm_goldfish_battery_ops, 0, 0 },
	{ &vmm_goldfish_battery_ops, 2, 0 },
	{ &vmm_goldfish_fb_ops, 1, 20 },
	{ &vmm_pstore_ops, 0, 0 },
};

/* The state at power-on gets what the state now has of that. */
static void keep(const struct vmm_device *dev, struct vmm_state *fresh,
		 const struct vmm_state *now)
{
	unsigned int i;
	size_t at;
	u32 len;

	for (i = 0; i < ARRAY_SIZE(keeps); i++) {
		if (keeps[i].ops != dev->ops)
			continue;
		MUST(fresh->len == now->len);
		at = field_find(now, keeps[i].field, &len) + FIELD;
		memcpy(fresh->bytes + at + keeps[i].from, now->bytes + at + keeps[i].from,
		       len - keeps[i].from);
	}
}

/* ---- edits ---- */

static void state_grow(struct vmm_state *state, size_t more)
{
	state->bytes = realloc(state->bytes, state->len + more);
	MUST(state->bytes);
}

/* Replaces bytes of a state by others. */
static void state_splice(struct vmm_state *state, size_t at, size_t gone, const u8 *bytes,
			 size_t len)
{
	if (len)
		state_grow(state, len);
	memmove(state->bytes + at + len, state->bytes + at + gone, state->len - at - gone);
	if (len)
		memcpy(state->bytes + at, bytes, len);
	state->len += len - gone;
}

/* Numbers at which something ends. */
static u64 edge(u32 how)
{
	static const u64 edges[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1023, 1024, 4095,
		4096, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, ~0ULL >> 1, 1ULL << 63, ~0ULL,
	};

	return edges[how % ARRAY_SIZE(edges)];
}

/* A number in a field, of 1, 2, 4 or 8 bytes, where such a number is likely to be. */
static void edit_number(struct vmm_state *state, size_t at, u32 len, struct input *in)
{
	u32 how = take(in, 1);
	u32 where = take(in, 2);
	u32 size = 1 << (how & 3);
	u64 value;

	if (how & 4)
		value = edge(take(in, 1));
	else if (how & 8)
		value = 1ULL << (take(in, 1) & 63);
	else
		value = take(in, size);
	if (len < size)
		return;
	where = where % (len / size) * size;
	value = htole64(value);
	if (how & 8 && !(how & 4)) {
		u64 was = 0;

		memcpy(&was, state->bytes + at + FIELD + where, size);
		value ^= was;
	}
	memcpy(state->bytes + at + FIELD + where, &value, size);
}

/* A field gets other bytes, and another length with them. */
static void edit_field(struct vmm_state *state, size_t at, u32 len, struct input *in)
{
	u32 from = take(in, 1);
	u32 gone = take(in, 1);
	u32 more = take(in, 1);
	u8 bytes[256];
	u32 i;

	from = len ? from % (len + 1) : 0;
	gone = gone % (len - from + 1);
	for (i = 0; i < more; i++)
		bytes[i] = take(in, 1);
	state_splice(state, at + FIELD + from, gone, bytes, more);
	len = htole32(len - gone + more);
	memcpy(state->bytes + at + 4, &len, 4);
}

/* A field is gone, is there twice, or ends the state. */
static void edit_order(struct vmm_state *state, size_t at, u32 len, u32 how)
{
	u8 copy[LARGEST];

	if (how == 0) {
		state_splice(state, at, FIELD + len, NULL, 0);
	} else if (how == 1) {
		state->len = at;
	} else if (FIELD + len <= sizeof(copy)) {
		memcpy(copy, state->bytes + at, FIELD + len);
		state_splice(state, at, 0, copy, FIELD + len);
	}
}

/* Anything anywhere, the head included. */
static void edit_byte(struct vmm_state *state, struct input *in)
{
	size_t at = take(in, 2) % state->len;

	state->bytes[at] = take(in, 1);
}

static void edit(struct tested *t, struct input *in)
{
	struct vmm_state *state = &t->state[take(in, 1) % t->m.vm.board.devices];
	u32 how = take(in, 1);
	size_t at;
	u32 len;

	if (!state->len)
		return;
	if ((how & 7) == 7) {
		edit_byte(state, in);
		return;
	}
	at = field_find(state, take(in, 1), &len);
	if (!at)
		return;
	if ((how & 7) < 5)
		edit_number(state, at, len, in);
	else if ((how & 7) == 5)
		edit_field(state, at, len, in);
	else
		edit_order(state, at, len, how >> 3 & 3);
	/* Most edits are to be found by whom they concern, and not by a wrong length. */
	len = htole32(state->len - HEAD);
	memcpy(state->bytes + HEAD - 4, &len, 4);
}

/* ---- the guest ---- */

static void act(struct machine *m, struct input *in, bool first)
{
	unsigned int what = take(in, 1) & 7;

	if (what == 0)
		machine_access(m, in, false);
	else if (what == 1)
		machine_bring_up(m, in);
	else if (what == 2)
		machine_poke_ram(m, in);
	else if (what == 3)
		machine_descriptor(m, in);
	else if (what == 4 && first)
		machine_turn(m);
	else if (what == 5 && first)
		machine_peers(in);
	else if (what == 6 && first)
		machine_steer(m, in);
	else
		machine_access(m, in, true);
}

struct vcpu {
	struct machine *m;
	struct input in;
};

static void *second_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;

	while (vcpu->in.left)
		act(vcpu->m, &vcpu->in, false);
	return NULL;
}

/* What is left of the input is what the guest does after the load. */
static void go_on(struct machine *m, struct input *in)
{
	struct vcpu second = { .m = m, .in = split_off(in) };
	const bool two = second.in.left;
	pthread_t thread;

	vmm_board_resume(&m->vm);
	if (two)
		MUST(!pthread_create(&thread, NULL, second_vcpu, &second));
	while (in->left)
		act(m, in, true);
	if (two)
		pthread_join(thread, NULL);
	machine_turn(m);
}

/* ---- load ---- */

/* People's work as well, but in the middle of a long state. */
static void plug_jacks(struct machine *m)
{
	vmm_board_command(&m->vm, NULL, "jack", "headphone on", NULL);
	vmm_board_command(&m->vm, NULL, "jack", "mic on", NULL);
}

static void reset(struct tested *t)
{
	struct vmm_state now[VMM_DEVICES] = { 0 };
	unsigned int i;

	machine_set_time(&t->m, 0);
	plug_jacks(&t->m);
	machine_reset(&t->m);
	machine_clear_ram(&t->m);
	vmm_board_pause(&t->m.vm);
	MUST(states_save(t, now));
	for (i = 0; i < t->m.vm.board.devices; i++)
		keep(&t->m.vm.board.dev[i], &t->fresh[i], &now[i]);
	states_must_be(t, t->fresh, now);
	states_free(now);
	vmm_board_resume(&t->m.vm);
}

static bool is_bank(const struct vmm_device *dev)
{
	return dev->ops == &vmm_virtio_bank_ops || dev->ops == &vmm_virtio_pci_bank_ops;
}

/*
 * A bank has loaded its sound card before another device has refused its part. Jacks stay as they
 * are then, because a reset does not change them: the state of before gets what is there now.
 */
static void keep_jacks(struct vmm_state *before, const struct vmm_state *now)
{
	unsigned int number = 0;
	size_t at = 0, last;
	u32 tag, len;

	do {
		last = at;
		at = field_find(now, number++, &len);
		memcpy(&tag, now->bytes + at, sizeof(tag));
		if (at > last && le32toh(tag) % VMM_VIRTIO_TAGS == JACKS_TAG && len == JACKS_SIZE)
			memcpy(before->bytes + at + FIELD, now->bytes + at + FIELD, len);
	} while (at > last);
}

/* A device that has refused its state. */
static void refused(struct tested *t, unsigned int index)
{
	struct vmm_device *dev = &t->m.vm.board.dev[index];
	struct vmm_state now;

	dev->ops->pause(dev);
	MUST(!vmm_device_save(dev, &now));
	MUST(now.len == t->before[index].len);
	if (is_bank(dev))
		keep_jacks(&t->before[index], &now);
	state_must_be(dev, &t->before[index], &now);
	vmm_state_free(&now);
}

/* Loads all devices in the order of a snapshot; returns whether all have accepted. */
static bool load(struct tested *t, const struct vmm_state *states)
{
	struct vmm_board *board = &t->m.vm.board;
	unsigned int i;

	for (i = 0; i < board->devices; i++) {
		struct vmm_state state = { .bytes = states[i].bytes, .len = states[i].len };

		if (is_saved(&board->dev[i]) && vmm_device_load(&board->dev[i], &state)) {
			refused(t, i);
			return false;
		}
	}
	return true;
}

/*
 * Returns whether a ring of a bank takes zeros in RAM for the driver's next buffers: its next
 * index is so near to the end of the numbers that index 0 of the driver is ahead of it.
 */
static bool has_work(const struct vmm_state *state)
{
	unsigned int number = 0;
	size_t at = 0, last;
	u32 tag, len, base;

	do {
		last = at;
		at = field_find(state, number++, &len);
		memcpy(&tag, state->bytes + at, sizeof(tag));
		tag = le32toh(tag) % VMM_VIRTIO_TAGS - QUEUE_TAG;
		if (at <= last || tag >= VMM_VIRTIO_QUEUES || len != QUEUE_SIZE)
			continue;
		memcpy(&base, state->bytes + at + FIELD + QUEUE_SIZE - sizeof(base), sizeof(base));
		if ((u16)-le32toh(base) - 1 < QUEUE_MOST)
			return true;
	} while (at > last);
	return false;
}

static bool banks_have_work(const struct tested *t, const struct vmm_state *states)
{
	unsigned int i;

	for (i = 0; i < t->m.vm.board.devices; i++) {
		if (is_bank(&t->m.vm.board.dev[i]) && has_work(&states[i]))
			return true;
	}
	return false;
}

/*
 * RAM has zeros: hardly any device finds anything to do. A ring that is broken by that cannot be
 * saved, the second time if not the first time.
 */
static void load_twice(struct tested *t)
{
	struct vmm_state first[VMM_DEVICES] = { 0 };
	struct vmm_state second[VMM_DEVICES] = { 0 };

	if (!load(t, t->state))
		return;
	vmm_board_pause(&t->m.vm);
	if (states_save(t, first)) {
		vmm_board_resume(&t->m.vm);
		vmm_board_reset(&t->m.vm);
		MUST(load(t, first));
		vmm_board_pause(&t->m.vm);
		if (states_save(t, second) && !banks_have_work(t, first))
			states_must_be(t, first, second);
	}
	states_free(first);
	states_free(second);
}

/* ---- one input ---- */

static void quiet(void)
{
	static struct vmm_output nowhere;

	vmm_output_init(&nowhere, -1);
	vmm_log_output(&nowhere);
}

/* All devices, and on a board with MMIO transports a disk for drivers of version 1. */
static void config(struct vmm_config *cfg, bool legacy)
{
	machine_config(cfg);
	cfg->pvpanic = VMM_PVPANIC_ON;
	cfg->pstore = VMM_PSTORE_MEMORY;
	cfg->hw_dpad = true;
	cfg->hw_trackball = true;
	cfg->disk[1] = cfg->disk[0];
	cfg->disk[1].transport.legacy = legacy;
	cfg->disk[0].readonly = true;
	cfg->disk[1].readonly = true;
	cfg->disks = 2;
}

static void first_time(void)
{
	static void (*const boards[])(struct vmm_board *board, const struct vmm_config *cfg) = {
		vmm_board_virt, vmm_board_pc,
	};
	unsigned int i;

	quiet();
	for (i = 0; i < ARRAY_SIZE(boards); i++) {
		struct tested *t = &machines[i];

		config(&t->m.cfg, boards[i] == vmm_board_virt);
		machine_open(&t->m, boards[i]);
		machine_set_time(&t->m, 0);
		machine_reset(&t->m);
		vmm_board_pause(&t->m.vm);
		MUST(states_save(t, t->fresh));
		vmm_board_resume(&t->m.vm);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 how = take(&in, 1);
	struct tested *t = &machines[how & 1];
	unsigned int acts = how >> 1 & 15;
	unsigned int edits = how >> 5 & 7;

	if (!machines[0].m.vm.loop)
		first_time();
	while (acts--)
		act(&t->m, &in, true);
	vmm_board_pause(&t->m.vm);
	states_save(t, t->state);
	while (edits--)
		edit(t, &in);
	plug_jacks(&t->m);
	machine_reset(&t->m);
	machine_clear_ram(&t->m);
	machine_set_time(&t->m, (s64)(s32)take(&in, 4));
	vmm_board_pause(&t->m.vm);
	MUST(states_save(t, t->before));
	vmm_board_resume(&t->m.vm);
	load_twice(t);
	states_free(t->before);
	states_free(t->state);
	go_on(&t->m, &in);
	reset(t);
	return 0;
}
