/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/ owns the command line: its options, their words and the usage text. It turns
 * argv into a struct vmm_config and opens nothing.
 */
#ifndef CLI_H
#define CLI_H

#include <stdio.h>

#include "machine/config.h"

/* ---- options.c: the command line ---- */

int vmm_options_parse(struct vmm_config *cfg, int argc, char **argv);
int vmm_options_size(const char *text, u64 *bytes);
void vmm_options_usage(FILE *to);

/* ---- options_device.c: devices that somebody else serves ---- */

int vmm_options_front(struct vmm_config *cfg, enum vmm_front_kind kind, char *text);
int vmm_options_place(struct vmm_place *place, const char *option, const char *name,
		      const char *value);

#endif /* CLI_H */
