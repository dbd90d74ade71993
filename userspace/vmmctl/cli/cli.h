/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/ owns the command line and the configuration file: the tables of options, the parser, and the
 * help, which is generated from the tables. It turns argv into a struct vmm_config and opens
 * nothing but the configuration file.
 */
#ifndef CLI_H
#define CLI_H

#include <stdio.h>

#include "machine/config.h"

/* ---- value.c: one value ---- */

int vmm_options_size(const char *text, u64 *bytes);

/* ---- config.c: strings that a config owns ---- */

void vmm_options_free(struct vmm_config *cfg);

/* ---- parse.c: the command line ---- */

int vmm_options_parse(struct vmm_config *cfg, int argc, char **argv);

/* ---- check.c: checks of options that depend on one another ---- */

int vmm_options_check(struct vmm_config *cfg);

/* ---- help.c: help on the terminal ---- */

int vmm_help_print(FILE *to, const char *topic);

#endif /* CLI_H */
