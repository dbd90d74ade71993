/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands that press a key or touch the screen, as events of a virtio input device.
 */
#ifndef INPUT_TELL_H
#define INPUT_TELL_H

#include "machine/config.h"

#define VMM_INPUT_AXIS_MAX	32767	/* Android scales it to its screen */

/**
 * struct vmm_input_teller - who tells an input device what its user does
 * @fd: a socket to the device; -1 if somebody else tells it
 * @down: a finger touches the screen
 * @touches: how often one has
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
