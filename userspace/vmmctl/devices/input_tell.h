/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands that press a key or touch the screen, by sending events to a virtio input device.
 */
#ifndef INPUT_TELL_H
#define INPUT_TELL_H

#include "machine/config.h"

#define VMM_INPUT_AXIS_MAX	32767	/* of X and Y; Android scales it to its screen */

/**
 * struct vmm_input_teller - sends events to an input device
 * @fd: socket to the device; -1 if another program sends its events
 * @down: a finger touches the screen
 * @touches: touches so far, for tracking IDs
 */
struct vmm_input_teller {
	int fd;
	bool down;
	u16 touches;
};

int vmm_input_tell_key(struct vmm_input_teller *teller, const char *arg, bool used);
int vmm_input_tell_touch(struct vmm_input_teller *teller, const struct vmm_config *cfg,
			 const char *arg, bool used);

#endif /* INPUT_TELL_H */
