// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state that input events lead to, and events that change one state into another.
 *
 * Source: linux/input-event-codes.h; Documentation/input/multi-touch-protocol.rst of
 * Linux 6.12, protocol B
 */
#include <endian.h>
#include <string.h>

#include "devices/input_state.h"

static bool key_held(const struct vmm_input_state *state, unsigned int key)
{
	return state->keys[key / 8] >> key % 8 & 1;
}

static void apply_key(struct vmm_input_state *state, unsigned int key, bool held)
{
	if (key >= KEY_CNT)
		return;
	if (held)
		state->keys[key / 8] |= 1 << key % 8;
	else
		state->keys[key / 8] &= ~(1 << key % 8);
}

static void apply_switch(struct vmm_input_state *state, unsigned int which, bool on)
{
	if (which >= SW_CNT)
		return;
	if (on)
		state->switches |= 1U << which;
	else
		state->switches &= ~(1U << which);
}

/* A slot that does not exist is ignored, as in Linux. */
static void apply_axis(struct vmm_input_state *state, unsigned int axis, u32 value)
{
	struct vmm_input_finger *finger = &state->finger[state->slot];

	switch (axis) {
	case ABS_MT_SLOT:
		if (value < VMM_INPUT_FINGERS)
			state->slot = value;
		break;
	case ABS_MT_TRACKING_ID:
		finger->id = (s32)value < 0 ? -1 : (s32)value;
		break;
	case ABS_MT_POSITION_X:
		finger->x = value;
		break;
	case ABS_MT_POSITION_Y:
		finger->y = value;
		break;
	}
}

/**
 * vmm_input_state_is_possible - check a state that was loaded
 * @state: the state
 *
 * Return: whether events can lead to it
 */
bool vmm_input_state_is_possible(const struct vmm_input_state *state)
{
	unsigned int i;

	for (i = 0; i < VMM_INPUT_FINGERS; i++) {
		if (state->finger[i].id < -1)
			return false;
	}
	return state->slot < VMM_INPUT_FINGERS && !(state->switches >> SW_CNT);
}

/**
 * vmm_input_state_init - initialise to no key held, no switch on, and no finger down
 * @state: filled
 */
void vmm_input_state_init(struct vmm_input_state *state)
{
	unsigned int i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < VMM_INPUT_FINGERS; i++)
		state->finger[i].id = -1;
}

/**
 * vmm_input_state_apply - apply events to a state
 * @state: changed
 * @events: the events; only those of keys, switches and fingers have an effect
 * @count: how many
 */
void vmm_input_state_apply(struct vmm_input_state *state, const struct virtio_input_event *events,
			   unsigned int count)
{
	for (; count; count--, events++) {
		unsigned int code = le16toh(events->code);
		u32 value = le32toh(events->value);

		if (events->type == htole16(EV_KEY))
			apply_key(state, code, value);
		else if (events->type == htole16(EV_SW))
			apply_switch(state, code, value);
		else if (events->type == htole16(EV_ABS))
			apply_axis(state, code, value);
	}
}

static unsigned int event_add(struct virtio_input_event *events, unsigned int count, u16 type,
			      u16 code, u32 value)
{
	events[count] = (struct virtio_input_event){
		.type = htole16(type), .code = htole16(code), .value = htole32(value),
	};
	return count + 1;
}

static unsigned int repair_finger(const struct vmm_input_finger *guest,
				  const struct vmm_input_finger *real, unsigned int slot,
				  struct virtio_input_event *events)
{
	bool lifted = guest->id >= 0 && guest->id != real->id;
	unsigned int n;

	if (guest->id == real->id &&
	    (real->id < 0 || (guest->x == real->x && guest->y == real->y)))
		return 0;
	n = event_add(events, 0, EV_ABS, ABS_MT_SLOT, slot);
	/* A finger with another ID is lifted first, and put down in the next report. */
	if (lifted || guest->id < 0)
		n = event_add(events, n, EV_ABS, ABS_MT_TRACKING_ID, lifted ? -1 : real->id);
	if (!lifted) {
		n = event_add(events, n, EV_ABS, ABS_MT_POSITION_X, real->x);
		n = event_add(events, n, EV_ABS, ABS_MT_POSITION_Y, real->y);
	}
	return event_add(events, n, EV_SYN, SYN_REPORT, 0);
}

/* Finds a key whose state must become @held. */
static unsigned int repair_key(const struct vmm_input_state *guest,
			       const struct vmm_input_state *real, bool held,
			       struct virtio_input_event *events)
{
	unsigned int key;
	unsigned int n;

	for (key = 0; key < KEY_CNT; key++) {
		if (key_held(real, key) != held || key_held(guest, key) == held)
			continue;
		n = event_add(events, 0, EV_KEY, key, held);
		return event_add(events, n, EV_SYN, SYN_REPORT, 0);
	}
	return 0;
}

static unsigned int repair_switch(const struct vmm_input_state *guest,
				  const struct vmm_input_state *real,
				  struct virtio_input_event *events)
{
	u32 differ = guest->switches ^ real->switches;
	unsigned int which = differ ? __builtin_ctz(differ) : 0;
	unsigned int n;

	if (!differ)
		return 0;
	n = event_add(events, 0, EV_SW, which, real->switches >> which & 1);
	return event_add(events, n, EV_SYN, SYN_REPORT, 0);
}

/**
 * vmm_input_repair - find a report that brings the guest's view nearer to the real state
 * @guest: the guest's view
 * @real: the real state
 * @events: filled, at most VMM_INPUT_REPAIR; to be sent and applied to @guest
 *
 * Fingers come first, then keys that were released before those that were pressed, then
 * switches.
 *
 * Return: events of the report, 0 if the two are equal
 */
unsigned int vmm_input_repair(const struct vmm_input_state *guest,
			      const struct vmm_input_state *real,
			      struct virtio_input_event *events)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; !n && i < VMM_INPUT_FINGERS; i++)
		n = repair_finger(&guest->finger[i], &real->finger[i], i, events);
	if (!n && memcmp(guest->keys, real->keys, sizeof(real->keys)))
		n = repair_key(guest, real, false, events);
	if (!n && memcmp(guest->keys, real->keys, sizeof(real->keys)))
		n = repair_key(guest, real, true, events);
	if (!n)
		n = repair_switch(guest, real, events);
	if (!n && guest->slot != real->slot) {
		n = event_add(events, 0, EV_ABS, ABS_MT_SLOT, real->slot);
		n = event_add(events, n, EV_SYN, SYN_REPORT, 0);
	}
	return n;
}
