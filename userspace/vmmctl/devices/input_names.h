/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Input events in text form (EV_KEY:KEY_A:1), and text that is typed.
 */
#ifndef INPUT_NAMES_H
#define INPUT_NAMES_H

#include <linux/virtio_input.h>

#include "machine/text.h"

/* ---- input_names.c ---- */

struct virtio_input_event vmm_input_event(u16 type, u16 code, s32 value);
int vmm_input_event_parse(const char *text, size_t len, struct virtio_input_event *event);
void vmm_input_types(struct vmm_text *text);
int vmm_input_codes(const char *type, struct vmm_text *text);

/* ---- input_typed.c ---- */

#define VMM_INPUT_TYPED	8	/* events of one character, at most */

int vmm_input_typed(const char **text, struct virtio_input_event *events);

#endif /* INPUT_NAMES_H */
