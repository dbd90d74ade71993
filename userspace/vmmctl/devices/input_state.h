/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys that are held, switches that are on and fingers that are down according to input
 * events: in the guest's view, and really. Where the two differ, reports of a few events
 * each make them equal again.
 */
#ifndef INPUT_STATE_H
#define INPUT_STATE_H

#include <linux/input.h>
#include <linux/virtio_input.h>

#include "types.h"

#define VMM_INPUT_FINGERS	10
#define VMM_INPUT_REPAIR	5	/* events of one such report, at most */

/**
 * struct vmm_input_finger - a slot of a touch screen
 * @id: of the touch, -1 for none
 * @x: position, in the units of events
 * @y: the same
 */
struct vmm_input_finger {
	s32 id;
	s32 x;
	s32 y;
};

/**
 * struct vmm_input_state - keys, fingers and switches
 * @keys: a bit for each key that is held
 * @finger: by slot
 * @slot: the slot that the next events are about
 * @switches: a bit for each switch that is on
 *
 * virtio-input saves the members before @switches: new members are added at the end.
 */
struct vmm_input_state {
	u8 keys[KEY_CNT / 8];
	struct vmm_input_finger finger[VMM_INPUT_FINGERS];
	u32 slot;
	u32 switches;
};

/* ---- input_state.c ---- */

void vmm_input_state_init(struct vmm_input_state *state);
bool vmm_input_state_is_possible(const struct vmm_input_state *state);
void vmm_input_state_apply(struct vmm_input_state *state, const struct virtio_input_event *events,
			   unsigned int count);
unsigned int vmm_input_repair(const struct vmm_input_state *guest,
			      const struct vmm_input_state *real,
			      struct virtio_input_event *events);

#endif /* INPUT_STATE_H */
